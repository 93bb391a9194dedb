"""Fixtures of all tests: an emulator over HTTP, connections to it, and the rules for cassettes."""

from __future__ import annotations

import json
import re
import signal
import sys
from importlib.metadata import version
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.auth import authorizer
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs so, and programs that the tests start and interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["fixtures_npm", "fixtures_postgresql", "fixtures_spark", "emulator.conformance_results"]

# Hypothesis measures time by the wall clock: on a busy machine that says nothing of the code.
hypothesis_settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("no clock")

PACKAGES = ("pluggy", "requests", "requests-oauthlib", "oauthlib", "jsonschema", "orjson", "vcrpy")


def pytest_report_header():
    return "python " + sys.version.split()[0] + ", " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)


SLOWEST_FIRST = ("web", "system", "emulator", "unit", "meta", "wire")


def pytest_collection_modifyitems(config, items):
    """Let the workers of pytest-xdist begin with what takes longest, so that they end together.

    That is Spark, which one worker does alone, then the folders in the order of `SLOWEST_FIRST`.
    """
    if hasattr(config, "workerinput"):
        from fixtures_spark import needs_spark  # after pytest has registered it

        tests = config.rootpath / "tests"
        folders = [item.path.relative_to(tests).parts[0] for item in items]
        starts = {
            item: (not needs_spark(item), SLOWEST_FIRST.index(at)) for item, at in zip(items, folders, strict=True)
        }
        items.sort(key=starts.__getitem__)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    """No test reads or writes this user's own settings and tokens, or remembers another's refusals."""
    for name in (
        "API_URL",
        "OAUTH_URL",
        "ALLOW_HOST",
        "EMULATOR_URL",
        "TOKEN_STORE",
        "TOKEN_KEY",
        "MAX_BODY_MIB",
        "MONTHLY_CALL_LIMIT",
        "REGISTRY",
        "DESTINATION",
        "WEBHOOK_INBOX",
        "WEBHOOK_TOKEN",
        "METRICS_KEY",
    ):
        monkeypatch.delenv(f"VANTAGE_QUICKBOOKS_{name}", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # Forked processes may crash inside libpq where psycopg and psycopg2, each with its own TLS library, were used.
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGGSSENCMODE", "disable")
    authorizer._refusals.clear()  # emulators and cassettes hand out the same tokens again and again


@pytest.fixture
def fresh_quickbooks(quickbooks, tmp_path, monkeypatch):
    """The emulator that a module's `quickbooks` keeps running, as it started and without limits, and a token store."""
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(tmp_path / "tokens.sqlite3"))
    quickbooks.reset()
    quickbooks.limit(False)
    yield quickbooks
    quickbooks.clear_faults()


@pytest.fixture
def emulator(request):
    """A local QuickBooks that rotates the refresh token at every refresh and ends the previous one at once.

    `@pytest.mark.emulator(rotation="daily")` makes another one.
    """
    marker = request.node.get_closest_marker("emulator")
    with Emulator(**{"rotation": "always", "limits": False, **(marker.kwargs if marker else {})}) as running:
        yield running


@pytest.fixture
def deployment(emulator):
    return Deployment(api_url=emulator.url, oauth_url=emulator.url)


@pytest.fixture
def no_rate_limit(monkeypatch):
    """Clients of this process do not wait for Intuit's limits: for tests of many requests that are not about them."""
    monkeypatch.setattr("vantage_quickbooks.api.client.rate_limiter_for", lambda *_: RateLimiter(10, 10**9, 10**9))


@pytest.fixture
def patient_call():
    """Make calls that record their waits instead of waiting."""
    return recording_call([])


def recording_call(slept: list[float]):
    def new_call(**kwargs):
        clock = {"now": 0.0}

        def sleep(seconds):
            slept.append(seconds)
            clock["now"] += seconds

        import time

        return CallContext(**kwargs, sleep=sleep, monotonic=lambda: time.monotonic() + clock["now"])

    new_call.slept = slept
    return new_call


@pytest.fixture
def connect(emulator, deployment, patient_call):
    """Make connections to the emulator, over one store: `connect(max_results=5)`, `connect(store=...)`."""
    made, shared = [], MemoryStore()

    def make(*, store=None, context=None, client_secret=None, rate_limiter=None, **settings):
        form = {**emulator.credentials(), **settings}
        if client_secret is not None:
            form["client_secret"] = client_secret
        connection = QUICKBOOKS.connect(
            form,
            context or HostContext(),
            deployment=deployment,
            store=store or shared,
            new_call=patient_call,
            rate_limiter=rate_limiter,
        )
        made.append(connection)
        return connection

    yield make
    for connection in made:
        connection.close()


# ---- cassettes -------------------------------------------------------------------------------------------------------

INTUIT_API = "quickbooks.api.intuit.com"
INTUIT_OAUTH = "oauth.platform.intuit.com"
SECRET_KEYS = ("access_token", "refresh_token", "id_token")


@pytest.fixture(scope="module")
def vcr_cassette_dir(request):
    """Cassettes are at the top level, in one folder per test module."""
    return str(request.config.rootpath / "cassettes" / request.node.path.stem.removeprefix("test_"))


@pytest.fixture(scope="session")
def vcr_config():
    return {
        "match_on": ("method", "host", "path", "query", "body"),
        "filter_headers": [("authorization", "<authorization>"), "cookie", "user-agent"],
        "filter_post_data_parameters": [("refresh_token", "<refresh_token>"), ("code", "<code>")],
        "before_record_request": _to_intuit,
        "before_record_response": _without_secrets,
        "decode_compressed_response": True,
    }


def _to_intuit(request):
    """Name Intuit's host in place of the emulator's port, so that a cassette replays anywhere."""
    parts = urlsplit(request.uri)
    if parts.hostname in {"127.0.0.1", "localhost"}:
        host = INTUIT_OAUTH if parts.path.startswith("/oauth2/") else INTUIT_API
        request.uri = parts._replace(scheme="https", netloc=host).geturl()
    return request


def _without_secrets(response):
    """Put placeholders in place of tokens; vcrpy's own filters never see a response."""
    response["headers"] = {k: v for k, v in response["headers"].items() if k.lower() != "set-cookie"}
    body = response["body"]["string"]
    try:
        data = json.loads(body)
    except ValueError:
        return response
    if isinstance(data, dict) and any(key in data for key in SECRET_KEYS):
        for key in SECRET_KEYS:
            if key in data:
                data[key] = f"<{key}>"
        response["body"]["string"] = json.dumps(data).encode()
    elif b"Token expired" in body:
        response["body"]["string"] = re.sub(rb"(Token expired: )[^\"]+", rb"\1<access_token>", body)
    for name in response["headers"]:
        if name.lower() == "content-length":
            response["headers"][name] = [str(len(response["body"]["string"]))]
    return response
