"""Every error of the HTTP libraries is translated, and the translation contains nothing of the request.

A new error class in a later release of requests or oauthlib fails these tests until it is handled.
"""

from __future__ import annotations

import gc
import http.server
import inspect
import itertools
import json
import threading

import oauthlib.oauth2
import pytest
import requests
from oauthlib.oauth2 import OAuth2Error
from oauthlib.oauth2.rfc6749 import errors as oauth_errors

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.transport import TokenTransport
from vantage_quickbooks.api.transport_errors import translate_request_error
from vantage_quickbooks.auth.authorizer import Authorizer
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.auth.token_endpoint import TokenEndpoint
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.settings import Settings
from vantage_quickbooks.errors import ConnectorError, NetworkError, UnexpectedResponseError

TOKEN = "planted-access-token-61"
URL = "https://user:planted-password@api.test:8443/?query=planted-query"


def _requests_errors():
    for name, kind in sorted(vars(requests.exceptions).items()):
        if inspect.isclass(kind) and issubclass(kind, BaseException) and kind.__module__ == "requests.exceptions":
            yield name, kind


ALL = dict(_requests_errors())
WARNINGS = {name for name, kind in ALL.items() if issubclass(kind, Warning)}
ERRORS = {name: kind for name, kind in ALL.items() if name not in WARNINGS}

# What a caller can do about each, decided here by hand: the class of ours, and whether another try may help.
EXPECTED = {
    "ChunkedEncodingError": (UnexpectedResponseError, True),
    "ConnectTimeout": (NetworkError, True),
    "ConnectionError": (NetworkError, True),
    "ContentDecodingError": (UnexpectedResponseError, True),
    "HTTPError": (NetworkError, False),
    "InvalidHeader": (NetworkError, False),
    "InvalidJSONError": (NetworkError, False),
    "InvalidProxyURL": (NetworkError, False),
    "InvalidSchema": (NetworkError, False),
    "InvalidURL": (NetworkError, False),
    "JSONDecodeError": (NetworkError, False),
    "MissingSchema": (NetworkError, False),
    "ProxyError": (NetworkError, True),
    "ReadTimeout": (NetworkError, True),
    "RequestException": (NetworkError, False),
    "RetryError": (NetworkError, False),
    "SSLError": (NetworkError, False),
    "StreamConsumedError": (NetworkError, False),
    "Timeout": (NetworkError, True),
    "TooManyRedirects": (NetworkError, False),
    "URLRequired": (NetworkError, False),
    "UnrewindableBodyError": (NetworkError, False),
}

FAILED = {
    "ConnectTimeout": "timeout",
    "ConnectionError": "broken connection",
    "ProxyError": "proxy",
    "ReadTimeout": "timeout",
    "SSLError": "TLS",
    "Timeout": "timeout",
}

UNPROCESSED = {"ConnectTimeout", "ProxyError"}


def make(kind):
    request = requests.Request(
        "POST", "https://api.test/?query=planted-query", headers={"Authorization": f"Bearer {TOKEN}"}
    ).prepare()
    response = requests.Response()
    response.request = request
    arguments = ("bad", "document " + TOKEN, 0) if kind is requests.exceptions.JSONDecodeError else (f"saw {TOKEN}",)
    error = kind(*arguments)
    error.request, error.response = request, response
    return error


def texts_of(error):
    return f"{error!s}{error!r}{error.details}{json.dumps(error.to_dict(), allow_nan=False)}"


def test_every_exception_of_requests_is_handled():
    assert set(ERRORS) == set(EXPECTED)
    assert {"FileModeWarning", "RequestsDependencyWarning", "RequestsWarning"} == WARNINGS
    assert all(issubclass(kind, requests.RequestException) for kind in ERRORS.values())


@pytest.mark.parametrize("name", ERRORS)
def test_an_exception_of_requests_becomes_one_of_ours_without_the_request(name):
    error = translate_request_error(make(ERRORS[name]), "QuickBooks", URL)
    kind, retryable = EXPECTED[name]
    assert type(error) is kind
    assert error.retryable is retryable
    expected = {"cause": name} | ({"host": "api.test", "port": 8443} if kind is NetworkError else {})
    assert error.details.pop("failed", None) == FAILED.get(name)
    assert error.details == expected
    assert "QuickBooks" in error.message
    assert kind is not NetworkError or "(api.test, port 8443)" in error.message
    assert "planted-password" not in texts_of(error)
    assert TOKEN not in texts_of(error)
    assert "planted-query" not in texts_of(error)
    assert (error.__cause__, error.__context__) == (None, None)
    assert not {type(value) for value in vars(error).values()} & {requests.PreparedRequest, requests.Response}
    assert not _reaches(error, (requests.PreparedRequest, requests.Response, requests.RequestException))


def _reaches(start, kinds):
    """Follow everything that an object references, as a crash reporter would."""
    seen, pending = set(), [start]
    while pending:
        item = pending.pop()
        if id(item) in seen or inspect.isclass(item) or inspect.ismodule(item) or inspect.isroutine(item):
            continue
        seen.add(id(item))
        if isinstance(item, kinds):
            return True
        pending += gc.get_referents(item)
    return False


@pytest.mark.parametrize("name", ERRORS)
def test_only_a_request_that_was_not_sent_is_unprocessed(name):
    """A refresh that may have reached Intuit must not be repeated: it may have rotated the token."""
    error = translate_request_error(make(ERRORS[name]), "Intuit's token endpoint", URL)
    assert error.is_unprocessed == (name in UNPROCESSED)


@pytest.mark.parametrize(
    ("cause", "never_sent"),
    [
        ("Max retries exceeded (Caused by NewConnectionError('refused'))", True),
        ("Max retries exceeded (Caused by NameResolutionError('no such host'))", True),
        ("('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))", False),
        ("('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))", False),
        ("HTTPSConnectionPool: Read timed out.", False),
    ],
)
def test_a_failed_connection_is_distinguished_from_a_lost_one(cause, never_sent):
    error = translate_request_error(requests.exceptions.ConnectionError(cause), "QuickBooks", URL)
    assert error.is_unprocessed is never_sent
    assert error.retryable is True


def test_an_unknown_transport_failure_is_not_retried():
    class LaterError(requests.RequestException):
        pass

    error = translate_request_error(LaterError(TOKEN), "QuickBooks", URL)
    assert type(error) is NetworkError
    assert error.retryable is False
    assert TOKEN not in texts_of(error)


def _oauth_errors():
    for module in (oauth_errors, oauthlib.oauth2):
        for name, kind in sorted(vars(module).items()):
            if inspect.isclass(kind) and issubclass(kind, BaseException):
                yield name, kind


OAUTH_ERRORS = dict(_oauth_errors())


def test_the_errors_of_oauthlib_are_found():
    assert len(OAUTH_ERRORS) >= 30


@pytest.mark.parametrize("name", OAUTH_ERRORS)
def test_every_error_of_oauthlib_is_caught(name):
    assert issubclass(OAUTH_ERRORS[name], OAuth2Error)


# ---- a token endpoint on this machine -------------------------------------------------------------------------------


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    body = b""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with _Server(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def settings():
    form = {
        "client_id": "my-client",
        "client_secret": "planted-secret-62",
        "refresh_token": "planted-refresh-63",
        "realm_id": "123",
    }
    return Settings.parse(form)


def _endpoints(server):
    url = f"http://127.0.0.1:{server.server_port}"
    return Deployment(api_url=url, oauth_url=url).endpoints("production")


def _instant_call():
    clock = itertools.count()
    return CallContext(sleep=lambda _: None, monotonic=lambda: next(clock) / 1000)


@pytest.mark.parametrize(
    "odd",
    [
        {"expires_in": "soon"},
        {"expires_in": [3600]},
        {"expires_in": {}},
        {"expires_in": 1e300},
        {"expires_in": None},
        {"expires_in": 0},
        {"scope": 5},
        {"expires_at": "soon"},
        {"token_type": 5},
        {"refresh_token": ["planted"]},
    ],
    ids=str,
)
def test_any_token_response_gives_a_token_or_an_error_of_the_connector(server, settings, odd):
    """oauthlib raises ValueError and AttributeError, which are not OAuth2Errors, for members of a wrong type."""
    server.body = json.dumps({"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600} | odd).encode()
    authorizer = Authorizer(settings, MemoryStore(), TokenEndpoint(settings, _endpoints(server), TokenTransport()))
    try:
        record = authorizer.token(_instant_call())
    except ConnectorError as error:
        for secret in (TOKEN, "planted-secret-62", "planted-refresh-63"):
            assert secret not in texts_of(error)  # noqa: PT017 -- an error and a token are both correct
    else:
        assert record.access_token.reveal() == TOKEN
