"""
Who may use which token, and when a new one is fetched: one refresh at a time over threads, processes and machines.

Theory of operation. Intuit rotates the refresh token; whoever sends a superseded one is locked out, and two refreshes
at once with the same token may cost the customer the connection. Hence:

1. A token in memory that is FRESH is handed out without a lock and without I/O.
2. Otherwise take the connection's lock (threads), then the chain's lock in the store (processes, machines), read the
   stored record again, and refresh only if it is still not good: N workers, one token request.
3. The new record is durably saved before its access token is used or returned. If the save fails, the record stays in
   memory and the next call saves it before anything else: Intuit has already rotated.
4. The data API refused a token: refresh once, unless somebody has replaced that token since.
5. `invalid_grant`: look whether another process rotated in the meantime (a host's store has no lock over processes);
   only if none did is the chain dead.
6. A record obtained with another client secret is not good: its access token is never handed out again. Its refresh
   token is the newest link of this form's chain, so it is tried first, and the form's own after it.

The refresh goes through requests-oauthlib with our own lock around it: its automatic refresh has no lock, no skew,
and uses a token before anybody stored it.

Source: RFC 6749 section 6; Intuit, "OAuth 2.0: refresh token" and "Validity of Refresh Token".
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from vantage_quickbooks import tokens, wire
from vantage_quickbooks.errors import (
    ConnectorError,
    CredentialConflict,
    DeadlineExceededError,
    NetworkError,
    ReauthorizationRequired,
    TokenStoreError,
    UnexpectedResponseError,
)
from vantage_quickbooks.tokens import TokenRecord, TokenState

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.calls import Call
    from vantage_quickbooks.deployment import Endpoints
    from vantage_quickbooks.settings import Settings
    from vantage_quickbooks.stores import TokenStore

__all__ = ["Authorizer", "exchange_code", "transport_error"]

_log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0
"""Seconds for one token request: the endpoint answers in well under one."""

_LOCK_TIMEOUT_S = 60.0
"""Seconds to wait for another worker's refresh: longer than its request and its retries take."""

_TRIES = 3
_CONFLICTS = 2

_T = TypeVar("_T")


class _NoDebug(logging.Filter):
    """requests-oauthlib writes tokens in clear at DEBUG (its issue 536); nothing of that may reach a log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


logging.getLogger("requests_oauthlib.oauth2_session").addFilter(_NoDebug())


class Authorizer:
    """The tokens of one connection.

    Args:
        settings: Client and the first link of the chain.
        store: Where the chain is kept.
        endpoints: Where it is refreshed.
        skew_s: Seconds before its end at which an access token is renewed.
    """

    def __init__(
        self,
        settings: Settings,
        store: TokenStore,
        endpoints: Endpoints,
        *,
        skew_s: float = tokens.REFRESH_SKEW_S,
    ) -> None:
        self._settings = settings
        self._store = store
        self._endpoint = endpoints.token_endpoint
        self._revocation_endpoint = endpoints.revocation_endpoint
        self._skew_s = skew_s
        self._fingerprint = settings.fingerprint()
        self.key = tokens.chain_key(
            realm_id=settings.realm_id,
            environment=settings.environment,
            token_endpoint=self._endpoint,
            client_id=settings.client_id,
            refresh_token=settings.refresh_token.reveal(),
        )
        self._lock = threading.Lock()
        self._record: TokenRecord | None = None
        self._unsaved: TokenRecord | None = None

    def token(self, call: Call) -> TokenRecord:
        """Return a record whose access token outlives the skew, refreshing it first if it must be.

        Args:
            call: The call it is for: its clock, deadline and meter.

        Returns:
            The record in force, a snapshot that later refreshes do not change.

        Raises:
            ReauthorizationRequired: Intuit has ended the chain; a person must connect again.
            ClientCredentialsError: Intuit does not know this client id and secret.
            TokenStoreError: The store cannot be read, written or locked.
            ConnectorError: The token endpoint is unreachable, busy or answers nonsense.
        """
        record = self._record
        if record is not None and self._is_good(record, call, None):
            return record
        return self._settle(call, refused=None)

    def renew(self, call: Call, refused: TokenRecord) -> TokenRecord:
        """Return a record whose access token is another than the one the data API *refused*.

        Raises:
            The same as `token`.
        """
        return self._settle(call, refused=refused.access_token)

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens in memory, for whoever masks them in a text."""
        return tuple(token for r in (self._record, self._unsaved) if r for token in (r.access_token, r.refresh_token))

    def disconnect(self, call: Call) -> bool:
        """End the grant at Intuit, then forget its tokens; under the chain's lock, so that nobody refreshes meanwhile.

        Returns:
            Whether Intuit ended a grant; False where it knew of none any more.

        Raises:
            ConnectorError: Intuit could not be asked, or refuses the client. Nothing is forgotten then, so that the
                same call may be made again.
        """
        if not self._lock.acquire(timeout=min(_LOCK_TIMEOUT_S, call.remaining())):
            raise DeadlineExceededError("Another call of this connection is refreshing the token and did not finish.")
        try:
            with self._store.lock(self.key, min(_LOCK_TIMEOUT_S, call.remaining())):
                newest = self._unsaved or self._store.load(self.key)
                token = newest.refresh_token if newest else self._settings.refresh_token.reveal()
                is_ended = _revoke(self._settings, self._revocation_endpoint, token, call)
                self._store.forget(self.key)
                self._record = self._unsaved = None
            return is_ended
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Drop the token in memory; the next call reads the store."""
        self._record = None

    def _is_good(self, record: TokenRecord, call: Call, refused: str | None) -> bool:
        return (
            record.fingerprint == self._fingerprint
            and record.access_token != refused
            and tokens.state(record, call.now(), skew_s=self._skew_s) is TokenState.FRESH
        )

    def _settle(self, call: Call, refused: str | None) -> TokenRecord:
        if not self._lock.acquire(timeout=min(_LOCK_TIMEOUT_S, call.remaining())):
            raise DeadlineExceededError("Another call of this connection is refreshing the token and did not finish.")
        try:
            if self._record is not None and self._unsaved is None and self._is_good(self._record, call, refused):
                return self._record
            with self._store.lock(self.key, min(_LOCK_TIMEOUT_S, call.remaining())):
                self._record = self._under_lock(call, refused)
            return self._record
        finally:
            self._lock.release()

    def _under_lock(self, call: Call, refused: str | None) -> TokenRecord:
        stored = self._store.load(self.key)
        if self._unsaved is not None:
            stored = self._save(self._unsaved, stored)
        for _ in range(_CONFLICTS):
            if stored is not None and self._is_good(stored, call, refused):
                return stored
            try:
                return self._save(self._refresh(stored, call), stored)
            except CredentialConflict:
                # Another process saved first: what it saved is newer than what we read, and as good as ours.
                self._unsaved = None
                stored = self._store.load(self.key)
        if stored is not None and self._is_good(stored, call, refused):
            return stored
        raise CredentialConflict(
            "Another process keeps replacing this connection's credentials while they are refreshed. Try again."
        )

    def _save(self, record: TokenRecord, stored: TokenRecord | None) -> TokenRecord:
        self._unsaved = record
        try:
            saved = self._store.save(self.key, record.with_version(stored.version if stored else 0))
        except CredentialConflict:
            raise
        except TokenStoreError as error:
            _log.error("a refreshed token could not be saved; it is kept in memory and saved by the next call")
            raise error from None
        self._unsaved = None
        return saved

    def _refresh(self, stored: TokenRecord | None, call: Call) -> TokenRecord:
        form_token = self._settings.refresh_token.reveal()
        waiting = [stored.refresh_token] if stored else [form_token]
        if stored and stored.fingerprint != self._fingerprint and stored.refresh_token != form_token:
            waiting.append(form_token)
        tried: set[str] = set()
        while True:
            refresh_token = waiting.pop(0)
            tried.add(refresh_token)
            try:
                return self._request(refresh_token, stored, call)
            except ReauthorizationRequired:
                sibling = self._store.load(self.key)
                if sibling is not None and sibling.refresh_token not in tried:
                    stored = sibling
                    if self._is_good(sibling, call, None):
                        return sibling
                    waiting.insert(0, sibling.refresh_token)
                if not waiting:
                    raise

    def _request(self, refresh_token: str, previous: TokenRecord | None, call: Call) -> TokenRecord:
        """Send one refresh, again where it certainly did nothing (no connection, HTTP 429 or 503)."""
        for attempt in range(1, _TRIES + 1):
            try:
                return self._request_once(refresh_token, previous, call)
            except ConnectorError as error:
                wait = call.backoff(attempt, getattr(error, "retry_after_s", None))
                if attempt == _TRIES or wait is None or not _did_nothing(error):
                    raise
                call.pause(wait)
        raise AssertionError  # pragma: no cover -- the last attempt returns or raises

    def _request_once(self, refresh_token: str, previous: TokenRecord | None, call: Call) -> TokenRecord:
        sent_at = call.now()

        def ask(session: OAuth2Session, url: str, **how: Any) -> TokenRecord:
            return tokens.from_token_response(
                session.refresh_token(url, refresh_token=refresh_token, **how),
                now=sent_at,
                realm_id=self._settings.realm_id,
                environment=self._settings.environment,
                fingerprint=self._fingerprint,
                previous=previous,
                sent_refresh_token=refresh_token,
            )

        record = _ask_token_endpoint(ask, self._settings, self._endpoint, call)
        call.refreshed = True
        return record


class _NotSentError(NetworkError):
    """No connection came about, so the server has done nothing."""


def exchange_code(settings: Settings, endpoints: Endpoints, code: str, redirect_uri: str, call: Call) -> str:
    """Turn the authorization code that a consent led back with into the first refresh token of a chain.

    Sent once: a code is good for one request (RFC 6749 section 4.1.2).

    Args:
        settings: The app; see `Settings.parse_app`.
        endpoints: Where tokens are handed out.
        code: From the redirect.
        redirect_uri: The very one that the consent was asked with.
        call: The call it is for.

    Returns:
        The refresh token: what a person would paste into the form.

    Raises:
        ReauthorizationRequired: The code is spent, too old, or of another app or address.
        ConnectorError: As for a refresh.
    """

    def ask(session: OAuth2Session, url: str, **how: Any) -> str:
        session.redirect_uri = redirect_uri
        token = session.fetch_token(url, code=code, include_client_id=False, **how).get("refresh_token")
        if not isinstance(token, str) or not token:
            raise ValueError("no refresh token")
        return token

    spent: ConnectorError
    try:
        return _ask_token_endpoint(ask, settings, endpoints.token_endpoint, call)
    except ReauthorizationRequired as error:
        spent = ReauthorizationRequired(
            "Intuit does not accept what this consent led back with: it was used before, is older than some minutes, "
            "or the redirect address differs. Connect the company again.",
            details=error.details,
        )
    raise spent  # out here: the frames beneath hold the code


def _ask_token_endpoint(ask: Callable[..., _T], settings: Settings, endpoint: str, call: Call) -> _T:
    """Send one token request with a session of its own, and translate what libraries raise."""
    failure: ConnectorError
    with OAuth2Session(settings.client_id) as session:
        url = _as_https(session, endpoint)
        session.max_redirects = 0  # a redirect would carry the token elsewhere
        session.register_compliance_hook("refresh_token_response", lambda r: _checked(r, call))
        session.register_compliance_hook("access_token_response", lambda r: _checked(r, call))
        try:
            return ask(
                session,
                url,
                auth=HTTPBasicAuth(settings.client_id, settings.client_secret.reveal()),
                # Without this header Intuit does not tell when the grant ends for good.
                headers={"Accept": "application/json", "x-include-refresh-token-hard-expires-in": "true"},
                timeout=min(_TIMEOUT_S, call.remaining()),
            )
        except requests.RequestException as error:
            failure = transport_error(error, "Intuit's token endpoint", sent=_NotSentError)
        except (OAuth2Error, ValueError, TypeError, AttributeError):
            # What oauthlib raises for a member of the wrong type depends on the member.
            failure = UnexpectedResponseError("Intuit's token endpoint answered with a damaged token response.")
    raise failure  # out here, so that the request does not ride along as the error's context


def _revoke(settings: Settings, endpoint: str, token: str, call: Call) -> bool:
    """Ask Intuit to end the grant that *token* belongs to; False where it knows of none."""
    failure: ConnectorError
    try:
        with requests.Session() as session:
            response = session.post(
                endpoint,
                json={"token": token},
                auth=HTTPBasicAuth(settings.client_id, settings.client_secret.reveal()),
                headers={"Accept": "application/json"},
                timeout=min(_TIMEOUT_S, call.remaining()),
                allow_redirects=False,
            )
    except requests.RequestException as error:
        failure = transport_error(error, "Intuit's revocation endpoint")
    else:
        call.note(response.headers.get("intuit_tid"))
        return wire.decipher_revocation(response.status_code, response.headers, response.content, now=call.now())
    raise failure  # as above


def _did_nothing(error: ConnectorError) -> bool:
    """Tell whether a failed refresh certainly rotated nothing, so that sending it again is safe."""
    return isinstance(error, _NotSentError) or error.details.get("httpStatus") in {429, 503}


def transport_error(
    error: requests.RequestException, whom: str, *, sent: type[NetworkError] = NetworkError
) -> ConnectorError:
    """Translate what requests raises into what a caller can act on; nothing of the request rides along.

    Args:
        error: Any exception of requests.
        whom: Who was asked, for the message.
        sent: Class for the case that no connection came about.

    Returns:
        A NetworkError; an UnexpectedResponseError where an answer came and broke off or could not be decoded.
    """
    kind = type(error).__name__
    details = {"cause": kind}
    match error:
        case requests.exceptions.SSLError():
            return NetworkError(
                f"No secure connection to {whom}: its certificate was not accepted. Check proxies and clocks.",
                retryable=False,
                details=details,
            )
        case requests.exceptions.ProxyError():
            return sent(f"The proxy on the way to {whom} does not answer. Check HTTPS_PROXY.", details=details)
        case requests.exceptions.ConnectTimeout():
            return sent(f"{whom} could not be reached in time.", details=details)
        case requests.exceptions.Timeout():
            return NetworkError(f"{whom} did not answer in time.", details=details)
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return UnexpectedResponseError(
                f"The answer of {whom} broke off or was damaged on the way.", details=details
            )
        case requests.exceptions.ConnectionError():
            refused = "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
            return (sent if refused else NetworkError)(
                f"{whom} could not be reached." if refused else f"The connection to {whom} broke.", details=details
            )
        case _:
            return NetworkError(f"The request to {whom} failed ({kind}).", retryable=False, details=details)


def _checked(response: requests.Response, call: Call) -> requests.Response:
    """Look at the status before oauthlib sees the body: it would forget it, and Intuit's transaction id with it."""
    call.note(response.headers.get("intuit_tid"))
    wire.decipher_token(response.status_code, response.headers, response.content, now=call.now())
    return response


class _LoopbackAdapter(HTTPAdapter):
    """Speaks plain http to an emulator on this machine.

    oauthlib refuses http URLs unless an environment variable switches its check off for the whole process. The
    deployment has already checked that plain http goes to loopback only, so the session is given an https URL and
    this adapter, mounted for that one address, takes the `s` off again.
    """

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = "http" + (request.url or "").removeprefix("https")
        return super().send(request, *args, **kwargs)


def _as_https(session: requests.Session, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return url
    if not wire.is_loopback(url):
        raise AssertionError("plain http to another machine")  # the deployment refuses it before
    https = f"https://{parts.netloc}"
    session.mount(https, _LoopbackAdapter())
    return https + parts.path
