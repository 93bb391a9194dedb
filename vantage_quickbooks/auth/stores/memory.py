"""Keeps token records in the memory of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.auth.stores.base import MemoryCallCounts, conflict_error, hold_thread_lock
from vantage_quickbooks.locks import ThreadLocks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from vantage_quickbooks.core.tokens import TokenRecord

__all__ = ["MemoryStore"]


class MemoryStore(MemoryCallCounts):
    """Keeps records in this process only: for tests, and for hosts that live as long as their tokens.

    When the process ends, the newest refresh token is lost, and with it the chain if Intuit has rotated the token.
    """

    lock_directory = None

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[str, TokenRecord] = {}
        self._locks = ThreadLocks()

    def load(self, key: str) -> TokenRecord | None:
        """Return the record. See `TokenStore.load`."""
        return self._records.get(key)

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Keep the record. See `TokenStore.save`."""
        with self._locks.guard:
            stored = self._records.get(key)
            if stored and stored.version != record.version:
                raise conflict_error()
            saved = record.with_version(record.version + 1)
            self._records[key] = saved
        return saved

    def forget(self, key: str) -> None:
        """Drop the record. See `TokenStore.forget`."""
        with self._locks.guard:
            self._records.pop(key, None)

    def lock(self, key: str, timeout_s: float) -> AbstractContextManager[None]:
        """Exclude the other threads. See `TokenStore.lock`."""
        return hold_thread_lock(self._locks, key, timeout_s)

    def describe(self) -> str:
        """Return `memory`."""
        return "memory"

    def close(self) -> None:
        """Do nothing: the records live as long as the object."""
