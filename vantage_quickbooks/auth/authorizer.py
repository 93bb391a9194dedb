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
4. The data API refused a token: take the one that another thread or process has fetched since, or refresh. What
   others stored may have ended, too: only a token that this process fetched after a refusal, and that is refused as
   well, is a reason to ask a person to connect again.
5. A refresh is tried with every link that is known, the newest first: those in the store and in this process's memory,
   and the form's. A store may go back in time (a file deleted, yesterday's backup restored): then memory has the newest
   one, and what worked is saved over what is stored. A stored record of a higher version, or of a later time, is newer
   than what is in memory.
6. `invalid_grant`: look whether another process rotated in the meantime (a host's store has no lock over processes),
   and go on to the next link. Once there is none left, the chain is dead.
7. A link that Intuit refused is not asked again for some minutes, by no connection of this process, and by no process
   of this machine that shares the store (`refusals`): a dead chain costs one request a link, not one a call. It is the
   link that is remembered, for one client id and secret: another token in the form, a record that another process
   stored and another secret are asked at once.
8. A record obtained with another client secret is not good: its access token is never handed out again. Its refresh
   token is a link like any other.
9. What is kept of a chain ends when its last connection is closed. Beyond it live a record that is not saved yet,
   until it is, and the refusals of rule 7, of which there are `_MOST_REFUSALS` at the most.

The refresh goes through requests-oauthlib with our own lock around it: its automatic refresh has no lock, no skew,
and uses a token before anybody stored it.

Source: RFC 6749 section 6; Intuit, "OAuth 2.0: refresh token" and "Validity of Refresh Token".
"""

from __future__ import annotations

import hmac
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

from vantage_quickbooks.api.circuit_breaker import circuit_breaker_for
from vantage_quickbooks.api.transport import CONNECT_S, SmallAnswerAdapter, Watch, transport_error
from vantage_quickbooks.auth.refusals import Refusals
from vantage_quickbooks.auth.stores import UNORDERED_VERSION
from vantage_quickbooks.core import responses, tokens
from vantage_quickbooks.core.endpoints import is_loopback
from vantage_quickbooks.core.tokens import TokenRecord, TokenState
from vantage_quickbooks.errors import (
    STORE_LOCKED,
    ConnectorError,
    CredentialConflict,
    NetworkError,
    ReauthorizationRequired,
    TokenStoreError,
    UnexpectedResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.auth.stores import TokenStore
    from vantage_quickbooks.config.deployment import Endpoints
    from vantage_quickbooks.config.settings import Settings
    from vantage_quickbooks.core.secret import Secret

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

_LINKS = 4
"""Links of a chain that are kept in memory: the newest, and some before it in case a clock was wrong about that."""

_MOST_REFUSALS = 10_000
"""About 4 MB. A link that falls out of memory is asked once more, no more than that."""


class _NoDebug(logging.Filter):
    """requests-oauthlib writes tokens in clear at DEBUG (its issue 536); nothing of that may reach a log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


logging.getLogger("requests_oauthlib.oauth2_session").addFilter(_NoDebug())


_REFUSALS = Refusals(_MOST_REFUSALS)


class _Chain:
    """What the connections of this process share about one chain.

    Attributes:
        lock: Excludes the threads that would refresh.
        unsaved: The newest record, while the store does not have it.
        links: Records whose refresh tokens may still work, of this process's fetches and of the store.
        fetches: How many tokens this process has fetched.
        users: The connections that are not closed.
    """

    _all: ClassVar[weakref.WeakValueDictionary[str, _Chain]] = weakref.WeakValueDictionary()
    _unsaved: ClassVar[dict[str, _Chain]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, key: str) -> None:
        self.key = key
        self.lock = threading.Lock()
        self.unsaved: TokenRecord | None = None
        self.links: tuple[TokenRecord, ...] = ()
        self.fetches = 0
        self.users: weakref.WeakSet[Authorizer] = weakref.WeakSet()
        self._fetched: tuple[Secret, int] | None = None  # the access token fetched last, and its number

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

    def know(self, record: TokenRecord) -> None:
        """Remember the link of a record in force, in place of an earlier record with the same one."""
        others = [known for known in self.links if known.refresh_token != record.refresh_token]
        self.links = tuple(sorted([*others, record], key=lambda known: known.obtained_at)[-_LINKS:])

    def fetched(self, record: TokenRecord) -> None:
        """Count what Intuit has handed out; whatever went before it is spent."""
        self.links = (record,)
        self.fetches += 1
        self._fetched = (record.access_token, self.fetches)

    def has_fetched(self, record: TokenRecord, since: int) -> bool:
        """Tell whether the access token of *record* was fetched by this process, after *since* fetches."""
        fetched = self._fetched
        return fetched is not None and fetched[1] > since and fetched[0] == record.access_token

    @classmethod
    def begin_in_child(cls) -> None:
        """Give a forked child locks that nobody holds."""
        _REFUSALS.begin_in_child()
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
        self._directory: Path | None = getattr(store, "lock_directory", None)
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
        self._chain.users.add(self)
        self._held: tuple[TokenRecord, datetime] | None = None  # the record in force, and until when it is FRESH

    def close(self) -> None:
        """Forget the tokens in memory, but for one that is not saved; a later call reads them again."""
        self._held = None
        self._chain.users.discard(self)
        if not self._chain.users:
            self._chain.links = ()

    def token(self, call: CallContext) -> TokenRecord:
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

    @property
    def fetches(self) -> int:
        """How many tokens of the chain this process has fetched so far."""
        return self._chain.fetches

    def has_fetched(self, record: TokenRecord, since: int) -> bool:
        """Tell whether the access token of *record* was fetched by this process, after *since* `fetches`."""
        return self._chain.has_fetched(record, since)

    def renew(self, call: CallContext, refused: TokenRecord, since: int | None = None) -> TokenRecord:
        """Return a record whose access token is another than the one the data API *refused*.

        Args:
            call: The call it is for.
            refused: The record whose access token was refused.
            since: Take none but a token that was fetched after so many `fetches`; None takes what others stored, too.

        Raises:
            The same as `token`.
        """
        return self._settle(call, refused, since)

    def disconnect(self, call: CallContext) -> bool:
        """End the grant at Intuit, then forget its tokens; under the chain's locks, so that nobody refreshes meanwhile.

        Returns:
            Whether Intuit ended a grant; False where it knew of none any more.

        Raises:
            ConnectorError: Intuit could not be asked, or refuses the client. Nothing is forgotten then, so that the
                same call may be made again.
        """
        with self._alone(call), self._alone_at_the_store(call):
            is_ended = any(
                _revoke(self._settings, self._revocation_endpoint, link.reveal(), call)
                for link in self._links(self._store.load(self.key))
            )
            self._store.forget(self.key)
            self._chain.keep(None)
            self._chain.links = ()
            self._held = None
        return is_ended

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens in memory, for whoever masks them in a text."""
        held = self._held
        records = (held[0] if held else None, self._chain.unsaved, *self._chain.links)
        return tuple(token.reveal() for r in records if r for token in (r.access_token, r.refresh_token))

    def _is_good(self, record: TokenRecord, call: CallContext, refused: TokenRecord | None, since: int | None) -> bool:
        return (
            record.fingerprint == self._fingerprint
            and (refused is None or record.access_token != refused.access_token)
            and (since is None or self._chain.has_fetched(record, since))
            and tokens.state(record, call.now(), skew_s=self._skew_s) is TokenState.FRESH
        )

    def _settle(self, call: CallContext, refused: TokenRecord | None, since: int | None = None) -> TokenRecord:
        def is_good(record: TokenRecord) -> bool:
            return self._is_good(record, call, refused, since)

        with self._alone(call):
            held = self._held
            if held is None or self._chain.unsaved is not None or not is_good(held[0]):
                with self._alone_at_the_store(call):
                    record = self._under_lock(call, is_good)
                self._chain.know(record)
                held = self._held = (record, tokens.fresh_until(record, skew_s=self._skew_s))
            return held[0]

    @contextmanager
    def _alone(self, call: CallContext) -> Iterator[None]:
        """Exclude the other threads of this process, looking at the call's deadline meanwhile."""
        lock = self._chain.lock
        while not lock.acquire(timeout=min(_LOOK_AGAIN_S, call.remaining())):
            pass
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _alone_at_the_store(self, call: CallContext) -> Iterator[None]:
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

    def _under_lock(self, call: CallContext, is_good: Callable[[TokenRecord], bool]) -> TokenRecord:
        for _ in range(_ROUNDS):
            stored, mine = self._store.load(self.key), self._chain.unsaved
            is_rescue = mine is not None and _may_replace(mine, stored)
            if mine is not None and is_rescue:
                record = mine.with_version(stored.version if stored else 0)
            elif stored is not None and is_good(stored):
                if mine is not None and mine.version < stored.version < UNORDERED_VERSION:
                    self._chain.keep(None)
                return stored
            else:
                record, is_new = self._refresh(stored, call, is_good)
                if not is_new:
                    return record
            try:
                saved = self._save(record, call)
            except CredentialConflict:
                continue  # another process was faster: use what it saved, or go on from there
            if not is_rescue or is_good(saved):
                return saved
        raise CredentialConflict(
            "Another process keeps replacing this connection's credentials while they are refreshed. Try again."
        )

    def _save(self, record: TokenRecord, call: CallContext) -> TokenRecord:
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
                call.sleep(0.1 * attempt)
            else:
                self._chain.keep(None)
                return saved
        raise AssertionError  # pragma: no cover -- the last attempt returns or raises

    def _refresh(
        self, stored: TokenRecord | None, call: CallContext, is_good: Callable[[TokenRecord], bool]
    ) -> tuple[TokenRecord, bool]:
        """Refresh with the newest link of the chain, and with the others if that is refused.

        Returns:
            A new record and True; or a good one that another process has saved meanwhile, and False.
        """
        asked: set[Secret] = set()
        refusal: dict[str, Any] = {}
        while True:
            link = None
            for known in self._links(stored):
                told = _REFUSALS.of(self._digest(known), self._directory)
                refusal = refusal or told or {}
                if told is None and known not in asked:
                    link = known
                    break
            if link is None:
                raise responses.reauthorization_required(refusal)
            asked.add(link)
            try:
                record = self._request(link, stored, call)
            except ReauthorizationRequired as error:
                refusal = dict(error.details)
                _REFUSALS.add(self._digest(link), refusal, self._directory)
            else:
                self._chain.fetched(record)
                return record, True
            sibling = self._store.load(self.key)
            if sibling is not None and sibling.refresh_token not in asked and is_good(sibling):
                return sibling, False
            stored = sibling

    def _links(self, stored: TokenRecord | None) -> list[Secret]:
        """Return the refresh tokens that may still work, the newest first, each once."""
        known = sorted(self._chain.links, key=lambda record: record.obtained_at, reverse=True)
        if self._chain.unsaved is not None:
            known.insert(0, self._chain.unsaved)
        if stored is not None:
            newer = [record for record in known if _is_newer(record, stored)]
            known = [*newer, stored, *(record for record in known if record not in newer)]
        return list(dict.fromkeys([*(record.refresh_token for record in known), self._settings.refresh_token]))

    def _digest(self, link: Secret) -> str:
        """Name a link of this client, so that nobody can read it back."""
        message = f"refusal\0{self._endpoint}\0{self._fingerprint}".encode()
        return hmac.new(link.reveal().encode(), message, "sha256").hexdigest()

    def _request(self, link: Secret, previous: TokenRecord | None, call: CallContext) -> TokenRecord:
        """Send one refresh, again where it certainly did nothing (no connection, HTTP 429 or 503)."""
        for attempt in range(1, _TRIES + 1):
            try:
                return self._request_once(link, previous, call)
            except ConnectorError as error:
                wait = call.backoff(attempt, getattr(error, "retry_after_s", None))
                if attempt == _TRIES or wait is None or not _did_nothing(error):
                    raise
                call.sleep(wait)
        raise AssertionError  # pragma: no cover -- the last attempt returns or raises

    def _request_once(self, link: Secret, previous: TokenRecord | None, call: CallContext) -> TokenRecord:
        sent_at = call.now()
        answer = _ask_token_endpoint(
            lambda session, url, **how: session.refresh_token(url, refresh_token=link.reveal(), **how),
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
            sent_refresh_token=link.reveal(),
        )


def _is_newer(record: TokenRecord, stored: TokenRecord) -> bool:
    """Tell whether a record in memory is surely newer than the stored one; versions count, clocks may err."""
    is_counted = max(record.version, stored.version) < UNORDERED_VERSION
    return record.obtained_at > stored.obtained_at and (record.version >= stored.version or not is_counted)


def _may_replace(mine: TokenRecord, stored: TokenRecord | None) -> bool:
    """Tell whether a record that is not saved may be saved over what is stored: nothing newer must be lost."""
    if stored is None or stored.version == mine.version:
        return True
    is_counted = max(mine.version, stored.version) < UNORDERED_VERSION
    return is_counted and _is_newer(mine, stored)


class _NotSentError(NetworkError):
    """No connection came about, so the server has done nothing."""


def exchange_code(settings: Settings, endpoints: Endpoints, code: str, redirect_uri: str, call: CallContext) -> str:
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


def _ask_token_endpoint(
    ask: Callable[..., Any], settings: Settings, endpoint: str, call: CallContext
) -> dict[str, Any]:
    """Send one token request with a session of its own, and return the answer as Intuit wrote it."""
    answer: dict[str, Any] = {}
    failure: ConnectorError | None = None
    with (
        circuit_breaker_for(endpoint, settings.client_id).attempt(),
        Watch(call, _ANSWER_S, is_awaited=True),
        OAuth2Session(settings.client_id) as session,
    ):
        session.mount("https://", SmallAnswerAdapter())
        url = _as_https(session, endpoint)
        session.trust_env = not is_loopback(url)  # or a proxy would see what is meant for this machine
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


def _revoke(settings: Settings, endpoint: str, token: str, call: CallContext) -> bool:
    """Ask Intuit to end the grant that *token* belongs to; False where it knows of none."""
    failure: ConnectorError
    try:
        with Watch(call, _ANSWER_S, is_awaited=True), requests.Session() as session:
            session.mount("https://", SmallAnswerAdapter())
            session.mount("http://", SmallAnswerAdapter())
            session.trust_env = not is_loopback(endpoint)  # or a proxy would see what is meant for this machine
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
        call.record_tid(response.headers.get("intuit_tid"))
        return responses.decipher_revocation(response.status_code, response.headers, response.content, now=call.now())
    raise failure  # out here, so that the request does not ride along as the error's context


def _did_nothing(error: ConnectorError) -> bool:
    """Tell whether a failed refresh certainly rotated nothing, so that sending it again is safe."""
    return isinstance(error, _NotSentError) or error.details.get("httpStatus") in {429, 503}


def _checked(response: requests.Response, call: CallContext, answer: dict[str, Any]) -> requests.Response:
    """Look at the status before oauthlib sees the body: it would forget it, and Intuit's transaction id with it."""
    call.record_tid(response.headers.get("intuit_tid"))
    answer.update(responses.decipher_token(response.status_code, response.headers, response.content, now=call.now()))
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
    if not is_loopback(url):
        raise AssertionError("plain http to another machine")  # the deployment refuses it before
    https = f"https://{parts.netloc}"
    session.mount(https, _LoopbackAdapter())
    return https + parts.path
