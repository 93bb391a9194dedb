"""Decides which access token is used and when it is refreshed: one refresh at a time across threads and processes.

Theory of operation. Intuit rotates the refresh token. A client that sends a superseded one is locked out, and two
concurrent refreshes with the same token may cost the customer the connection. A chain is the sequence of refresh tokens
that starts with the one in the settings form (a refresh token family). The rules:

1. A token in memory that is FRESH is returned without a lock and without I/O.
2. Otherwise, take the chain's lock in this process (threads), then its lock in the store (processes, machines), read
   the stored record again, and refresh only if it is still not usable: N workers, one token request.
3. The new record is durably saved before its access token is used or returned. If saving fails, the record is pending:
   it stays in the memory of this process, even if the connection is closed, and the next call saves it first, because
   Intuit has already rotated. For the same reason, a request that was sent is awaited beyond the call's deadline.
4. The data API refused a token: use the one that another thread or process has fetched since, or refresh. A token that
   another process stored may have expired as well. Only a token that this process fetched after a refusal, and that is
   refused in turn, is a reason to ask a person to connect again.
5. A refresh tries every known refresh token, the newest first: those in the store and in this process's memory, and the
   form's. A store may go back in time (a deleted file, a restored backup): then memory has the newest token, and the
   result is saved over the stored record. A stored record with a higher version, or a later time, is newer than those
   in memory.
6. After `invalid_grant`, check whether another process has rotated concurrently (a host's store has no lock across
   processes), then try the next refresh token. When there is none left, the chain is dead.
7. A refresh token that Intuit refused is not sent again for some minutes, by any connection of this process or any
   process of this machine that shares the store (see `refusals`): a dead chain costs one request per token, not one per
   call. A refusal applies to one refresh token, client id and secret: another token in the form, a record that another
   process stored, and another secret are tried immediately.
8. A record that was obtained with another client secret is not usable: its access token is never returned. Its refresh
   token is tried like any other.
9. The memory of a chain is released when its last connection is closed, except for a pending record, until it is saved,
   and the refusals of rule 7, of which `MAX_REFUSALS` are kept.

Sources: RFC 6749 section 6; RFC 9700 section 4.14 (rotation); Intuit on refresh tokens:
https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/faq,
https://help.developer.intuit.com/s/article/Validity-of-Refresh-Token.
"""

from __future__ import annotations

import hmac
import os
import threading
import weakref
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from vantage_quickbooks.auth.refusals import Refusals
from vantage_quickbooks.auth.stores.base import UNORDERED_VERSION
from vantage_quickbooks.core import responses, tokens
from vantage_quickbooks.core.tokens import TokenRecord, TokenState
from vantage_quickbooks.errors import (
    STORE_LOCKED,
    ConnectorError,
    CredentialConflict,
    ReauthorizationRequired,
    TokenStoreError,
)
from vantage_quickbooks.logs import fields, get_logger
from vantage_quickbooks.telemetry import count, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from vantage_quickbooks.auth.interfaces import AuthCall
    from vantage_quickbooks.auth.stores.base import TokenStore
    from vantage_quickbooks.auth.token_endpoint import TokenEndpoint
    from vantage_quickbooks.config.settings import Settings
    from vantage_quickbooks.core.secret import Secret

__all__ = ["Authorizer"]

_log = get_logger(__name__)

LOCK_TIMEOUT_S = 150.0
"""Timeout for another worker's refresh: longer than its attempts take."""

POLL_INTERVAL_S = 0.5
"""Seconds after which a waiting call checks its deadline and whether it was cancelled."""

STORE_POLL_INTERVAL_S = 2.0
"""The same while waiting for the store's lock: each attempt costs a connection to the store."""

MAX_SAVE_ATTEMPTS = 3
SAVE_BACKOFF_S = 0.1
MAX_ROUNDS = 4

MAX_KNOWN_RECORDS = 4
"""Records of a chain to keep in memory: the newest, and some before it in case a clock was wrong."""

MAX_REFUSALS = 10_000
"""About 4 MB. A refresh token that is dropped from memory is sent once more."""

_refusals = Refusals(MAX_REFUSALS)


class _Chain:
    """What the connections of this process share about one chain.

    Attributes:
        lock: Excludes the other threads that want to refresh.
        pending: The newest record, while it is not saved.
        records: Records whose refresh tokens may still work, fetched by this process or read from the store.
        fetches: How many tokens this process has fetched.
        users: The connections that are not closed.
    """

    _all: ClassVar[weakref.WeakValueDictionary[str, _Chain]] = weakref.WeakValueDictionary()
    _with_pending: ClassVar[dict[str, _Chain]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, key: str) -> None:
        self.key = key
        self.lock = threading.Lock()
        self.pending: TokenRecord | None = None
        self.records: tuple[TokenRecord, ...] = ()
        self.fetches = 0
        self.users: weakref.WeakSet[Authorizer] = weakref.WeakSet()
        self._last_fetch: tuple[Secret, int] | None = None  # the access token that was fetched last, and its number

    @classmethod
    def get(cls, key: str) -> _Chain:
        """Return the chain of a key."""
        with cls._guard:
            chain = cls._all.get(key)
            if chain is None:
                chain = cls._all[key] = cls(key)
            return chain

    def set_pending(self, record: TokenRecord | None) -> None:
        """Keep a record until it is saved, even if its connection is closed; None after it was saved."""
        self.pending = record
        if record is None:
            self._with_pending.pop(self.key, None)
        else:
            self._with_pending[self.key] = self

    def remember(self, record: TokenRecord) -> None:
        """Remember the record in use, in place of an earlier one with the same refresh token."""
        others = [other for other in self.records if other.refresh_token != record.refresh_token]
        self.records = tuple(sorted([*others, record], key=lambda other: other.obtained_at)[-MAX_KNOWN_RECORDS:])

    def record_fetch(self, record: TokenRecord) -> None:
        """Count what Intuit has issued, and forget the records before it, whose refresh tokens are spent."""
        self.records = (record,)
        self.fetches += 1
        self._last_fetch = (record.access_token, self.fetches)

    def has_fetched(self, record: TokenRecord, since: int) -> bool:
        """Return whether this process fetched the access token of *record*, after *since* fetches."""
        last = self._last_fetch
        return last is not None and last[1] > since and last[0] == record.access_token

    @classmethod
    def after_fork_in_child(cls) -> None:
        """Release all locks: the threads that held them do not exist in the child."""
        _refusals.after_fork_in_child()
        cls._guard = threading.Lock()
        for chain in cls._all.values():
            chain.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Chain.after_fork_in_child)


class Authorizer:
    """The tokens of one connection; thread-safe. See the module's theory of operation.

    Args:
        settings: The company, the client, and the first refresh token of the chain.
        store: Where the chain is kept.
        token_endpoint: Where it is refreshed and revoked.
        skew_s: Seconds before its expiry at which an access token is refreshed.

    Attributes:
        key: The name of the chain in the store.
    """

    def __init__(
        self,
        settings: Settings,
        store: TokenStore,
        token_endpoint: TokenEndpoint,
        *,
        skew_s: float = tokens.REFRESH_SKEW_S,
    ) -> None:
        self._settings = settings
        self._store = store
        self._token_endpoint = token_endpoint
        self._skew_s = skew_s
        self._fingerprint = settings.fingerprint()
        self.key = tokens.chain_key(
            realm_id=settings.realm_id,
            environment=settings.environment,
            token_endpoint=token_endpoint.url,
            client_id=settings.client_id,
            refresh_token=settings.refresh_token.reveal(),
        )
        self._chain = _Chain.get(self.key)
        self._chain.users.add(self)
        self._cached: tuple[TokenRecord, datetime] | None = None  # the record in use, and until when it is FRESH

    def close(self) -> None:
        """Drop the tokens in memory, except for a pending record; a later call reads them again."""
        self._cached = None
        self._chain.users.discard(self)
        if not self._chain.users:
            self._chain.records = ()

    def token(self, call: AuthCall) -> TokenRecord:
        """Return a record whose access token is valid for longer than the skew, after refreshing it if necessary.

        Args:
            call: The call it is for.

        Returns:
            The record in use; later refreshes do not change it.

        Raises:
            ReauthorizationRequired: The chain is dead; a person must connect again.
            ClientCredentialsError: Intuit does not know this client id and secret.
            TokenStoreError: The store cannot be read, written or locked.
            ConnectorError: The token endpoint is unreachable, busy, or returned an unexpected response.
        """
        cached = self._cached
        if cached is not None and call.now() < cached[1]:
            return cached[0]
        return self._get_or_refresh(call, refused=None)

    @property
    def fetches(self) -> int:
        """How many tokens of the chain this process has fetched so far."""
        return self._chain.fetches

    def has_fetched(self, record: TokenRecord, since: int) -> bool:
        """Return whether this process fetched the access token of *record*, after *since* `fetches`."""
        return self._chain.has_fetched(record, since)

    def renew(self, call: AuthCall, refused: TokenRecord, since: int | None = None) -> TokenRecord:
        """Return a record with another access token than the one that the data API refused.

        Args:
            call: The call it is for.
            refused: The record whose access token was refused.
            since: Accept only a token that this process fetched after so many `fetches`; None accepts one that another
                process stored.

        Raises:
            ConnectorError: The same as `token`.
        """
        return self._get_or_refresh(call, refused, since)

    def newest(self) -> TokenRecord | None:
        """Return the newest record of the chain, without a request; None if no token was fetched yet.

        Raises:
            TokenStoreError: The store cannot be read.
        """
        stored = self._store.load(self.key)
        known = [record for record in (self._chain.pending, stored, *self._chain.records) if record is not None]
        return max(known, key=lambda record: record.obtained_at, default=None)

    def is_refused(self, newest: TokenRecord | None) -> bool:
        """Return whether Intuit has refused each refresh token of the chain in the last minutes; see rule 7.

        Args:
            newest: The newest record.
        """
        directory = self._store.lock_directory
        return all(
            _refusals.get(self._digest(refresh_token), directory) is not None
            for refresh_token in self._refresh_tokens(newest)
        )

    def disconnect(self, call: AuthCall) -> bool:
        """Revoke the grant at Intuit, then forget its tokens; no refresh can happen meanwhile.

        Returns:
            Whether Intuit revoked a grant; False if it knew none of the tokens.

        Raises:
            ConnectorError: Intuit is unreachable, or refuses the client. Then nothing is forgotten, so that the call
                can be repeated.
        """
        with self._thread_lock(call), self._store_lock(call):
            is_revoked = any(
                self._token_endpoint.revoke(refresh_token, call)
                for refresh_token in self._refresh_tokens(self._store.load(self.key))
            )
            self._store.forget(self.key)
            self._chain.set_pending(None)
            self._chain.records = ()
            self._cached = None
        return is_revoked

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens in memory, so that they can be redacted."""
        cached = self._cached
        records = (cached[0] if cached else None, self._chain.pending, *self._chain.records)
        return tuple(token.reveal() for r in records if r for token in (r.access_token, r.refresh_token))

    def _is_usable(self, record: TokenRecord, call: AuthCall, refused: TokenRecord | None, since: int | None) -> bool:
        return (
            record.fingerprint == self._fingerprint
            and (refused is None or record.access_token != refused.access_token)
            and (since is None or self._chain.has_fetched(record, since))
            and tokens.state(record, call.now(), skew_s=self._skew_s) is TokenState.FRESH
        )

    def _get_or_refresh(self, call: AuthCall, refused: TokenRecord | None, since: int | None = None) -> TokenRecord:
        def is_usable(record: TokenRecord) -> bool:
            return self._is_usable(record, call, refused, since)

        with self._thread_lock(call):
            cached = self._cached
            if cached is None or self._chain.pending is not None or not is_usable(cached[0]):
                with self._store_lock(call):
                    record = self._refresh_locked(call, is_usable)
                self._chain.remember(record)
                cached = self._cached = (record, tokens.fresh_until(record, skew_s=self._skew_s))
            return cached[0]

    @contextmanager
    def _thread_lock(self, call: AuthCall) -> Iterator[None]:
        """Exclude the other threads of this process; waiting ends with the call's deadline."""
        lock = self._chain.lock
        while not lock.acquire(timeout=min(POLL_INTERVAL_S, call.remaining())):
            pass
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _store_lock(self, call: AuthCall) -> Iterator[None]:
        """Exclude the other processes and machines; waiting ends with the call's deadline."""
        with ExitStack() as held:
            waited_s = 0.0
            while True:
                timeout_s = min(STORE_POLL_INTERVAL_S, call.remaining())
                try:
                    held.enter_context(self._store.lock(self.key, timeout_s))
                    break
                except TokenStoreError as error:
                    waited_s += timeout_s
                    if error.code != STORE_LOCKED or waited_s >= LOCK_TIMEOUT_S:
                        raise
            yield

    def _refresh_locked(self, call: AuthCall, is_usable: Callable[[TokenRecord], bool]) -> TokenRecord:
        """Return a usable record: the pending one, the stored one, or a new one; both locks are held."""
        for _ in range(MAX_ROUNDS):
            stored, pending = self._store.load(self.key), self._chain.pending
            is_pending = pending is not None and _may_replace(pending, stored)
            if pending is not None and is_pending:
                record = pending.with_version(stored.version if stored else 0)
            elif stored is not None and is_usable(stored):
                if pending is not None and pending.version < stored.version < UNORDERED_VERSION:
                    self._chain.set_pending(None)
                return stored
            else:
                record, is_new = self._refresh(stored, call, is_usable)
                if not is_new:
                    return record
            try:
                saved = self._save(record, call)
            except CredentialConflict:
                continue  # another process saved first: use its record, or refresh that one
            if not is_pending or is_usable(saved):
                return saved
        raise CredentialConflict(
            "Another process keeps replacing this connection's credentials while they are refreshed. Try again."
        )

    def _save(self, record: TokenRecord, call: AuthCall) -> TokenRecord:
        """Save a record; if that fails, it stays pending."""
        self._chain.set_pending(record)
        for attempt in range(1, MAX_SAVE_ATTEMPTS + 1):
            try:
                saved = self._store.save(self.key, record)
            except CredentialConflict:
                raise
            except TokenStoreError:
                if attempt == MAX_SAVE_ATTEMPTS:
                    _log.error("cannot save a refreshed token; it is kept in memory, and the next call will save it")
                    raise
                call.sleep(SAVE_BACKOFF_S * attempt)
            else:
                self._chain.set_pending(None)
                return saved
        raise AssertionError  # pragma: no cover -- the last attempt returns or raises

    def _refresh(
        self, stored: TokenRecord | None, call: AuthCall, is_usable: Callable[[TokenRecord], bool]
    ) -> tuple[TokenRecord, bool]:
        """Refresh with the newest refresh token of the chain, and with the others if Intuit refuses that one.

        Returns:
            A new record and True; or a usable one that another process has saved concurrently, and False.
        """
        sent: set[Secret] = set()
        refusal: dict[str, Any] = {}
        while True:
            refresh_token = None
            for candidate in self._refresh_tokens(stored):
                known_refusal = _refusals.get(self._digest(candidate), self._store.lock_directory)
                refusal = refusal or known_refusal or {}
                if known_refusal is None and candidate not in sent:
                    refresh_token = candidate
                    break
            if refresh_token is None:
                raise responses.reauthorization_required(refusal)
            sent.add(refresh_token)
            try:
                record = self._request_token(refresh_token, stored, call)
            except ReauthorizationRequired as error:
                refusal = dict(error.details)
                _refusals.add(self._digest(refresh_token), refusal, self._store.lock_directory)
            else:
                self._chain.record_fetch(record)
                return record, True
            concurrent = self._store.load(self.key)
            if concurrent is not None and concurrent.refresh_token not in sent and is_usable(concurrent):
                return concurrent, False
            stored = concurrent

    def _refresh_tokens(self, stored: TokenRecord | None) -> list[Secret]:
        """Return the refresh tokens that may still work, the newest first, without duplicates."""
        records = sorted(self._chain.records, key=lambda record: record.obtained_at, reverse=True)
        if self._chain.pending is not None:
            records.insert(0, self._chain.pending)
        if stored is not None:
            newer = [record for record in records if _is_newer(record, stored)]
            records = [*newer, stored, *(record for record in records if record not in newer)]
        return list(dict.fromkeys([*(record.refresh_token for record in records), self._settings.refresh_token]))

    def _digest(self, refresh_token: Secret) -> str:
        """Return a digest for a refresh token of this client that does not reveal the token."""
        message = f"refusal\0{self._token_endpoint.url}\0{self._fingerprint}".encode()
        return hmac.new(refresh_token.reveal().encode(), message, "sha256").hexdigest()

    def _request_token(self, refresh_token: Secret, previous: TokenRecord | None, call: AuthCall) -> TokenRecord:
        try:
            with span("quickbooks token_refresh"):
                response = self._token_endpoint.refresh(refresh_token, call)
        except ConnectorError as error:
            count("vantage.token.refreshes", 1, {"error.type": error.code})
            _log.info("%s: no access token was fetched", error.code, extra=fields(error_code=error.code))
            raise
        count("vantage.token.refreshes", 1)
        _log.info("an access token was fetched")
        call.refreshed = True
        return tokens.from_token_response(
            response.data,
            now=response.sent_at,
            realm_id=self._settings.realm_id,
            environment=self._settings.environment,
            fingerprint=self._fingerprint,
            previous=previous,
            sent_refresh_token=refresh_token.reveal(),
        )


def _is_newer(record: TokenRecord, stored: TokenRecord) -> bool:
    """Return whether a record in memory is certainly newer than the stored one, by time and (if comparable) version."""
    has_counts = max(record.version, stored.version) < UNORDERED_VERSION
    return record.obtained_at > stored.obtained_at and (record.version >= stored.version or not has_counts)


def _may_replace(pending: TokenRecord, stored: TokenRecord | None) -> bool:
    """Return whether a pending record may be saved over the stored one, which must not be newer."""
    if stored is None or stored.version == pending.version:
        return True
    has_counts = max(pending.version, stored.version) < UNORDERED_VERSION
    return has_counts and _is_newer(pending, stored)
