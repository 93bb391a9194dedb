"""The interface of all token stores: one current record per refresh token family ("chain"), and one lock per chain.

Theory of operation
1. A store keeps one record per chain and counts its versions. `save` is a compare and swap: it succeeds only if the
   stored version is the one that the new record was derived from, and the record is durable when it returns. The loser
   of a race gets `CredentialConflict` and uses the winner's record. If nothing is stored, a save always succeeds: there
   is nothing newer to protect, and the tokens in memory may be the only ones that still work.
2. `lock` has one holder per chain across threads and processes (and machines, with a database server). It is held
   during the network call of a refresh, so it is never a lock that other chains need: a lock file for SQLite, a row for
   a database server. The kernel or the server releases it when its holder is killed; no lease has to expire. It is not
   re-entrant. Even if it were lost, rule 1 would keep the chain consistent.
3. A connection to the database lives for one operation, so a store can be shared by threads and survives a fork. A
   fork waits until no SQLite connection of this package is open: SQLite counts a file's locks in the memory of the
   process, and a child that inherits the count of a connection it does not have would write without a lock
   (https://www.sqlite.org/howtocorrupt.html, section 2.7).
4. A record that cannot be read is never overwritten: without loading it there is no version to save with.
5. Beside the records, a store counts metered API calls by app and month, for all processes that share it. Counting is
   one short statement, never during a network call, and what goes wrong with it never concerns the tokens.
6. Errors name the store and the remedy. They never contain a value, nor the text of a database's error, which could.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vantage_quickbooks.errors import STORE_LOCKED, CredentialConflict, TokenStoreError
from vantage_quickbooks.fork_safety import ForkSafeLock
from vantage_quickbooks.locks import LockTimeoutError

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from vantage_quickbooks.auth.encryption import RecordCipher
    from vantage_quickbooks.core.tokens import TokenRecord
    from vantage_quickbooks.locks import ThreadLocks

__all__ = [
    "UNORDERED_VERSION",
    "MemoryCallCounts",
    "ReencryptionReport",
    "TokenStore",
    "conflict_error",
    "hold_thread_lock",
    "lock_timeout_error",
    "state_directory",
]

UNORDERED_VERSION = 1 << 48
"""Versions from here on are not counts and cannot be compared by size; no count reaches this number."""


class TokenStore(Protocol):
    """Keeps token records; see the module's theory of operation. All methods may be called from any thread."""

    @property
    def lock_directory(self) -> Path | None:
        """Where the processes of this machine coordinate: lock files, rate limits, refused refresh tokens.

        None if the store is not shared by processes of this machine, or not known to be.
        """
        ...

    def load(self, key: str) -> TokenRecord | None:
        """Read the newest record of a chain.

        Args:
            key: The chain's name; see `tokens.chain_key`.

        Returns:
            The record with the version under which it is stored, or None if the chain was never saved.

        Raises:
            TokenStoreError: The store or the record cannot be read; nothing was changed.
        """
        ...

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Make *record* the newest one of its chain, durably: it is on disk or at the server on return.

        Args:
            key: The chain's name.
            record: The record; its `version` is the one it was derived from, 0 if there was none.

        Returns:
            The record with its new version.

        Raises:
            CredentialConflict: Another record was saved meanwhile; load it and use it.
            TokenStoreError: The record was not saved; the call can be repeated.
        """
        ...

    def forget(self, key: str) -> None:
        """Remove the record of a chain that has ended; does nothing if there is no record.

        Args:
            key: The chain's name; its `lock` is held.

        Raises:
            TokenStoreError: The record was not removed.
        """
        ...

    def lock(self, key: str, timeout_s: float) -> AbstractContextManager[None]:
        """Hold the exclusive right to refresh a chain, for a `with` block.

        Args:
            key: The chain's name.
            timeout_s: How long to wait for it; 0 tries once.

        Raises:
            TokenStoreError: It was not released in time (`CREDENTIALS_LOCKED`, retryable), or the store cannot be
                written to, which is reported here, before a refresh token is spent.
        """
        ...

    def add_calls(self, app: str, month: str, calls: int) -> int:
        """Add metered API calls to those of an app in a month, and return their sum over all processes.

        Args:
            app: The app's client id.
            month: `2026-05`.
            calls: How many to add; 0 only reads.

        Raises:
            TokenStoreError: They were not counted.
        """
        ...

    def counted_calls(self) -> list[tuple[str, str, int]]:
        """Return app, month and metered API calls of everything that was counted, by app and month.

        Raises:
            TokenStoreError: They cannot be read.
        """
        ...

    def describe(self) -> str:
        """Return the kind and location of the store for a person, without a password."""
        ...

    def close(self) -> None:
        """Release resources; a later call opens them again."""
        ...


class MemoryCallCounts:
    """Counts the metered API calls of this process; see `TokenStore.add_calls`."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = ForkSafeLock()

    def add_calls(self, app: str, month: str, calls: int) -> int:
        """Add calls in memory. See `TokenStore.add_calls`."""
        with self._lock:
            self._counts[app, month] = self._counts.get((app, month), 0) + calls
            return self._counts[app, month]

    def counted_calls(self) -> list[tuple[str, str, int]]:
        """Return what this process counted. See `TokenStore.counted_calls`."""
        with self._lock:
            return sorted((app, month, calls) for (app, month), calls in self._counts.items() if calls)


@dataclass
class ReencryptionReport:
    """The result of encrypting every record of a store with the first key.

    This is safe while other processes refresh: a record is replaced by the same record under another key only if no
    newer one was saved meanwhile, and no process waits for it longer than for a save. A process that still has the
    previous list of keys saves with its own first key, so every process must have the new list before.

    Attributes:
        store: The store's description.
        changed: Records that were encrypted with another key, or plain, or not bound to their chain.
        current: Records that were already encrypted with the first key.
        unreadable: Records that no key decrypts, or that are damaged; they were left unchanged.
    """

    store: str
    changed: int = 0
    current: int = 0
    unreadable: int = 0

    def reencrypted(self, cipher: RecordCipher, key: str, text: str) -> str | None:
        """Return the replacement for *text*, or count it as current or unreadable and return None."""
        if cipher.is_current(text, key):
            self.current += 1
            return None
        try:
            record = cipher.decrypt(text, self.store, key)
        except TokenStoreError:
            self.unreadable += 1
            return None
        return cipher.encrypt(record, key)


@contextlib.contextmanager
def hold_thread_lock(locks: ThreadLocks, key: str, timeout_s: float) -> Generator[None]:
    """Hold the lock of a chain that only the threads of this process can refresh; see `TokenStore.lock`."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locks.hold(key, timeout_s))
        except LockTimeoutError:
            raise lock_timeout_error("in this process", timeout_s) from None
        yield


def lock_timeout_error(where: str, timeout_s: float) -> TokenStoreError:
    """Return the error for a lock that was not released within *timeout_s* seconds; *where* describes the store."""
    return TokenStoreError(
        f"Another process has been refreshing the tokens of this company for {timeout_s:g} seconds ({where}). "
        "Repeat the call. If this error persists, look for a hanging process that uses this connector, and end it.",
        code=STORE_LOCKED,
        retryable=True,
    )


def conflict_error() -> CredentialConflict:
    """Return the error for a save that lost a race."""
    return CredentialConflict(
        "Another process saved newer tokens of this company first. Repeat the call; it will use the newer tokens."
    )


def state_directory() -> Path:
    """Return the user's state directory for this program; it may not exist yet."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- needed only for the default location

    return user_state_path("vantage-quickbooks")
