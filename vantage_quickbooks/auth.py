"""
Who may use which token, and when a new one is fetched: one refresh at a time over threads, processes and machines.

Theory of operation. Intuit rotates the refresh token; whoever sends a superseded one is locked out, and two refreshes
at once with the same token may cost the customer the connection. Hence:

1. A token in memory that is FRESH is handed out without a lock and without I/O.
2. Otherwise take the chain's lock in this process (threads), then its lock in the store (processes, machines), read
   the stored record again, and refresh only if it is still not good: N workers, one token request.
3. The new record is durably saved before its access token is used or returned. If the save fails, the record stays in
   this process's memory, whatever connection is closed, and the next call saves it before anything else: Intuit has
   already rotated. For the same reason a request that was sent is waited for beyond the call's deadline.
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
import os
import threading
import weakref
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from vantage_quickbooks import tokens, wire
from vantage_quickbooks.circuit import circuit_for
from vantage_quickbooks.errors import (
    STORE_LOCKED,
    ConnectorError,
    CredentialConflict,
    NetworkError,
    ReauthorizationRequired,
    TokenStoreError,
    UnexpectedResponseError,
)
from vantage_quickbooks.tokens import TokenRecord, TokenState
from vantage_quickbooks.transport import CONNECT_S, SmallAnswerAdapter, Watch, transport_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from vantage_quickbooks.calls import Call
    from vantage_quickbooks.deployment import Endpoints
    from vantage_quickbooks.settings import Settings
    from vantage_quickbooks.stores import TokenStore

__all__ = ["Authorizer", "exchange_code"]

_log = logging.getLogger(__name__)

_ANSWER_S = 30.0
"""Seconds to wait for the whole answer of a token request, whatever the call's deadline: once it is sent Intuit may
have rotated, and an answer that nobody waits for is a connection lost."""

_LOCK_TIMEOUT_S = 150.0
"""Seconds to wait for another worker's refresh: longer than its three tries take."""

_LOOK_AGAIN_S = 0.5
"""Seconds after which a waiting call looks at its deadline and whether it was cancelled."""

_TRIES = 3
_SAVES = 3
_ROUNDS = 4


class _NoDebug(logging.Filter):
    """requests-oauthlib writes tokens in clear at DEBUG (its issue 536); nothing of that may reach a log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


logging.getLogger("requests_oauthlib.oauth2_session").addFilter(_NoDebug())


class _Chain:
    """What the connections of this process share about one chain: the threads' lock, and a record not saved yet."""

    _all: ClassVar[weakref.WeakValueDictionary[str, _Chain]] = weakref.WeakValueDictionary()
    _unsaved: ClassVar[dict[str, _Chain]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, key: str) -> None:
        self.key = key
        self.lock = threading.Lock()
        self.unsaved: TokenRecord | None = None

    @classmethod
    def named(cls, key: str) -> _Chain:
        with cls._guard:
            chain = cls._all.get(key)
            if chain is None:
                chain = cls._all[key] = cls(key)
            return chain

    def keep(self, record: TokenRecord | None) -> None:
        """Remember a record that is not saved, beyond the connection that fetched it; None once it is."""
        self.unsaved = record
        if record is None:
            self._unsaved.pop(self.key, None)
        else:
            self._unsaved[self.key] = self

    @classmethod
    def begin_in_child(cls) -> None:
        """Give a forked child locks that nobody holds."""
        cls._guard = threading.Lock()
        for chain in cls._all.values():
            chain.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Chain.begin_in_child)


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
        self._chain = _Chain.named(self.key)
        self._held: tuple[TokenRecord, datetime] | None = None  # the record in force, and until when it is FRESH

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
        held = self._held
        if held is not None and call.now() < held[1]:
            return held[0]
        return self._settle(call, refused=None)

    def renew(self, call: Call, refused: TokenRecord) -> TokenRecord:
        """Return a record whose access token is another than the one the data API *refused*.

        Raises:
            The same as `token`.
        """
        return self._settle(call, refused=refused.access_token)

    def disconnect(self, call: Call) -> bool:
        """End the grant at Intuit, then forget its tokens; under the chain's locks, so that nobody refreshes meanwhile.

        Returns:
            Whether Intuit ended a grant; False where it knew of none any more.

        Raises:
            ConnectorError: Intuit could not be asked, or refuses the client. Nothing is forgotten then, so that the
                same call may be made again.
        """
        with self._alone(call), self._alone_at_the_store(call):
            newest = self._chain.unsaved or self._store.load(self.key)
            token = newest.refresh_token if newest else self._settings.refresh_token.reveal()
            is_ended = _revoke(self._settings, self._revocation_endpoint, token, call)
            self._store.forget(self.key)
            self._chain.keep(None)
            self._held = None
        return is_ended

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens in memory, for whoever masks them in a text."""
        held = self._held
        records = (held[0] if held else None, self._chain.unsaved)
        return tuple(token for r in records if r for token in (r.access_token, r.refresh_token))

    def _is_good(self, record: TokenRecord, call: Call, refused: str | None) -> bool:
        return (
            record.fingerprint == self._fingerprint
            and record.access_token != refused
            and tokens.state(record, call.now(), skew_s=self._skew_s) is TokenState.FRESH
        )

    def _settle(self, call: Call, refused: str | None) -> TokenRecord:
        with self._alone(call):
            held = self._held
            if held is None or self._chain.unsaved is not None or not self._is_good(held[0], call, refused):
                with self._alone_at_the_store(call):
                    record = self._under_lock(call, refused)
                held = self._held = (record, tokens.fresh_until(record, skew_s=self._skew_s))
            return held[0]

    @contextmanager
    def _alone(self, call: Call) -> Iterator[None]:
        """Exclude the other threads of this process, looking at the call's deadline meanwhile."""
        lock = self._chain.lock
        while not lock.acquire(timeout=min(_LOOK_AGAIN_S, call.remaining())):
            pass
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _alone_at_the_store(self, call: Call) -> Iterator[None]:
        """Exclude the other processes and machines, looking at the call's deadline meanwhile."""
        with ExitStack() as held:
            waited = 0.0
            while True:
                step = min(4 * _LOOK_AGAIN_S, call.remaining())  # each look costs a connection to the store
                try:
                    held.enter_context(self._store.lock(self.key, step))
                    break
                except TokenStoreError as error:
                    waited += step
                    if error.code != STORE_LOCKED or waited >= _LOCK_TIMEOUT_S:
                        raise
            yield

    def _under_lock(self, call: Call, refused: str | None) -> TokenRecord:
        for _ in range(_ROUNDS):
            stored, mine = self._store.load(self.key), self._chain.unsaved
            is_rescue = mine is not None and (stored is None or stored.version == mine.version)
            if mine is not None and is_rescue:
                record = mine if stored else mine.with_version(0)
            elif stored is not None and self._is_good(stored, call, refused):
                self._chain.keep(None)
                return stored
            else:
                record, is_new = self._refresh(stored, mine, call)
                if not is_new:
                    return record
            try:
                saved = self._save(record, call)
            except CredentialConflict:
                continue  # another process was faster: use what it saved, or go on from there
            if not is_rescue or self._is_good(saved, call, refused):
                return saved
        raise CredentialConflict(
            "Another process keeps replacing this connection's credentials while they are refreshed. Try again."
        )

    def _save(self, record: TokenRecord, call: Call) -> TokenRecord:
        """Save a record, or keep it for the next call: Intuit has already rotated."""
        self._chain.keep(record)
        for attempt in range(1, _SAVES + 1):
            try:
                saved = self._store.save(self.key, record)
            except CredentialConflict:
                raise
            except TokenStoreError:
                if attempt == _SAVES:
                    _log.error("a refreshed token cannot be saved; it is kept in memory, and the next call saves it")
                    raise
                call.pause(0.1 * attempt)
            else:
                self._chain.keep(None)
                return saved
        raise AssertionError  # pragma: no cover -- the last attempt returns or raises

    def _refresh(self, stored: TokenRecord | None, mine: TokenRecord | None, call: Call) -> tuple[TokenRecord, bool]:
        """Refresh with the likeliest link of the chain, and with the others if that is refused.

        Returns:
            A new record and True; or a good one that another process has saved meanwhile, and False.
        """
        form_token = self._settings.refresh_token.reveal()
        links = [record.refresh_token for record in (stored, mine) if record]
        if not links or (stored and stored.fingerprint != self._fingerprint):
            links.append(form_token)
        tried: set[str] = set()
        while True:
            refresh_token = links.pop(0)
            if refresh_token in tried:
                continue
            tried.add(refresh_token)
            try:
                return self._request(refresh_token, stored, call), True
            except ReauthorizationRequired:
                sibling = self._store.load(self.key)
                if sibling is not None and sibling.refresh_token not in tried:
                    if self._is_good(sibling, call, None):
                        return sibling, False
                    stored = sibling
                    links.insert(0, sibling.refresh_token)
                if not set(links) - tried:
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
        answer = _ask_token_endpoint(
            lambda session, url, **how: session.refresh_token(url, refresh_token=refresh_token, **how),
            self._settings,
            self._endpoint,
            call,
        )
        call.refreshed = True
        return tokens.from_token_response(
            answer,
            now=sent_at,
            realm_id=self._settings.realm_id,
            environment=self._settings.environment,
            fingerprint=self._fingerprint,
            previous=previous,
            sent_refresh_token=refresh_token,
        )


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

    def ask(session: OAuth2Session, url: str, **how: Any) -> None:
        session.redirect_uri = redirect_uri
        session.fetch_token(url, code=code, include_client_id=False, **how)

    failure: ConnectorError
    try:
        token = _ask_token_endpoint(ask, settings, endpoints.token_endpoint, call).get("refresh_token")
    except ReauthorizationRequired as error:
        failure = ReauthorizationRequired(
            "Intuit does not accept what this consent led back with: it was used before, is older than some minutes, "
            "or the redirect address differs. Connect the company again.",
            details=error.details,
        )
    else:
        if isinstance(token, str) and token:
            return token
        failure = UnexpectedResponseError("Intuit's token endpoint answered without a refresh token.")
    raise failure  # out here: the frames beneath hold the code


def _ask_token_endpoint(ask: Callable[..., Any], settings: Settings, endpoint: str, call: Call) -> dict[str, Any]:
    """Send one token request with a session of its own, and return the answer as Intuit wrote it."""
    answer: dict[str, Any] = {}
    failure: ConnectorError | None = None
    with (
        circuit_for(endpoint, settings.client_id).attempt(),
        Watch(call, _ANSWER_S, is_awaited=True),
        OAuth2Session(settings.client_id) as session,
    ):
        session.mount("https://", SmallAnswerAdapter())
        url = _as_https(session, endpoint)
        session.trust_env = not wire.is_loopback(url)  # or a proxy would see what is meant for this machine
        session.max_redirects = 0  # a redirect would carry the token elsewhere
        session.register_compliance_hook("refresh_token_response", lambda r: _checked(r, call, answer))
        session.register_compliance_hook("access_token_response", lambda r: _checked(r, call, answer))
        try:
            ask(
                session,
                url,
                auth=HTTPBasicAuth(settings.client_id, settings.client_secret.reveal()),
                # Without this header Intuit does not tell when the grant ends for good.
                headers={"Accept": "application/json", "x-include-refresh-token-hard-expires-in": "true"},
                timeout=(min(CONNECT_S, call.remaining()), _ANSWER_S),
            )
        except requests.RequestException as error:
            failure = transport_error(error, "Intuit's token endpoint", endpoint, sent=_NotSentError)
        except (OAuth2Error, ArithmeticError, AttributeError, TypeError, ValueError):
            # What oauthlib raises for a member of the wrong type depends on the member. Intuit has rotated all the
            # same: the answer was kept before oauthlib saw it, and its tokens are not thrown away.
            if not answer:
                failure = UnexpectedResponseError("Intuit's token endpoint answered with a damaged token response.")
        if failure:
            raise failure  # out here, so that the request does not ride along as the error's context
    return answer


def _revoke(settings: Settings, endpoint: str, token: str, call: Call) -> bool:
    """Ask Intuit to end the grant that *token* belongs to; False where it knows of none."""
    failure: ConnectorError
    try:
        with Watch(call, _ANSWER_S, is_awaited=True), requests.Session() as session:
            session.mount("https://", SmallAnswerAdapter())
            session.mount("http://", SmallAnswerAdapter())
            session.trust_env = not wire.is_loopback(endpoint)  # or a proxy would see what is meant for this machine
            response = session.post(
                endpoint,
                json={"token": token},
                auth=HTTPBasicAuth(settings.client_id, settings.client_secret.reveal()),
                headers={"Accept": "application/json"},
                timeout=(min(CONNECT_S, call.remaining()), _ANSWER_S),
                allow_redirects=False,
            )
    except requests.RequestException as error:
        failure = transport_error(error, "Intuit's revocation endpoint", endpoint)
    else:
        call.note(response.headers.get("intuit_tid"))
        return wire.decipher_revocation(response.status_code, response.headers, response.content, now=call.now())
    raise failure  # out here, so that the request does not ride along as the error's context


def _did_nothing(error: ConnectorError) -> bool:
    """Tell whether a failed refresh certainly rotated nothing, so that sending it again is safe."""
    return isinstance(error, _NotSentError) or error.details.get("httpStatus") in {429, 503}


def _checked(response: requests.Response, call: Call, answer: dict[str, Any]) -> requests.Response:
    """Look at the status before oauthlib sees the body: it would forget it, and Intuit's transaction id with it."""
    call.note(response.headers.get("intuit_tid"))
    answer.update(wire.decipher_token(response.status_code, response.headers, response.content, now=call.now()))
    return response


class _LoopbackAdapter(SmallAnswerAdapter):
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
