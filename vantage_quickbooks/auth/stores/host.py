"""Keeps token records with the host, through its credentials hooks."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.auth.encryption import RECONNECT_HINT
from vantage_quickbooks.auth.stores.base import UNORDERED_VERSION, MemoryCallCounts, conflict_error, hold_thread_lock
from vantage_quickbooks.core.tokens import TokenRecord
from vantage_quickbooks.errors import STORE_UNREADABLE, STORE_UNWRITABLE, CredentialConflict, TokenStoreError
from vantage_quickbooks.locks import ThreadLocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

__all__ = ["HostStore"]

MAX_HOST_VERSIONS = 64
"""Host versions to remember: those of the records that may still be saved, with a wide margin."""


_CALLS = MemoryCallCounts()
"""Calls of all connections of this process: a host offers no place to count them."""


class HostStore:
    """Keeps records with the host, through two callables; nothing is written to this machine's disk.

    The host keeps one set of credentials per connection: `TokenRecord.to_dict()` and, under `chain`, the name of the
    chain. Credentials of another chain (a new refresh token was pasted since) load as None, and the next save replaces
    them. The host's version is any JSON value. It is kept unchanged and handed back as `expected_version`; 0 means that
    nothing was saved. A host that assigns versions puts them into the credentials' `version` when it loads them. For
    hosts that count up and return the credentials as they were saved, the next number is already there.

    `lock` excludes the threads of this process only, because the storage belongs to the host. Between processes, the
    host compares versions, and the loser gets `CredentialConflict`.

    Args:
        connection_id: The host's name for the connection.
        load: `load(connection_id)` returns the credentials or None.
        save: `save(connection_id, credentials, expected_version)` returns the new version once the credentials are
            durable, and raises `CredentialConflict` if *expected_version* is not the stored one.
    """

    lock_directory = None

    def __init__(
        self,
        connection_id: str,
        load: Callable[[str], Mapping[str, Any] | None],
        save: Callable[[str, dict[str, Any], Any], Any],
    ) -> None:
        self._connection_id = connection_id
        self._load = load
        self._save = save
        self._locks = ThreadLocks()
        self._host_versions: dict[int, Any] = {}  # record version -> host version; 0 -> what a new chain replaces

    def load(self, key: str) -> TokenRecord | None:
        """Load the record from the host. See `TokenStore.load`."""
        try:
            data = self._load(self._connection_id)
        except Exception as error:  # noqa: BLE001 -- a host may raise anything, and its text may contain a secret
            raise _host_error("load", STORE_UNREADABLE, error) from None
        if data is None:
            self._host_versions.pop(0, None)
            return None
        try:
            version = data.get("version") or 0
            if data.get("chain", key) != key:
                self._host_versions[0] = version
                return None
            return TokenRecord.from_dict({**data, "version": self._record_version(version)})
        except (ValueError, TypeError, AttributeError) as error:
            reason = str(error) if isinstance(error, ValueError) else "they are not an object"
            raise TokenStoreError(
                f"The host's credentials of this connection are malformed ({reason}). "
                f"Restore them in the host, or remove them there and {RECONNECT_HINT}.",
                code=STORE_UNREADABLE,
            ) from None

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Pass the record to the host. See `TokenStore.save`."""
        version = self._save_credentials({**record.to_dict(), "chain": key}, record.version)
        if version is None:
            raise TokenStoreError(
                "The host loads credentials but did not save them: its save returned no version. "
                "It must store them and return their new version (hook vantage_save_credentials).",
                code=STORE_UNWRITABLE,
            )
        return record.with_version(self._record_version(version))

    def forget(self, key: str) -> None:
        """Make the host save credentials without tokens and chain, which load as None. See `TokenStore.forget`."""
        stored = self.load(key)
        if stored is not None:
            self._save_credentials({"chain": ""}, stored.version)

    def lock(self, key: str, timeout_s: float) -> AbstractContextManager[None]:
        """Exclude the other threads of this process. See `TokenStore.lock`."""
        return hold_thread_lock(self._locks, key, timeout_s)

    def add_calls(self, app: str, month: str, calls: int) -> int:
        """Add calls in this process. See `TokenStore.add_calls`."""
        return _CALLS.add_calls(app, month, calls)

    def counted_calls(self) -> list[tuple[str, str, int]]:
        """Return what this process counted. See `TokenStore.counted_calls`."""
        return _CALLS.counted_calls()

    def describe(self) -> str:
        """Return `the host's credentials store`."""
        return "the host's credentials store"

    def close(self) -> None:
        """Do nothing: the storage belongs to the host."""

    def _save_credentials(self, credentials: dict[str, Any], record_version: int) -> Any:
        """Return the host's new version; *record_version* is the one that the credentials were derived from."""
        expected = self._host_versions.get(record_version, record_version)
        following = expected + 1 if isinstance(expected, int) else expected
        try:
            return self._save(self._connection_id, {**credentials, "version": following}, expected)
        except CredentialConflict:
            raise
        except Exception as error:  # noqa: BLE001 -- a host may raise anything, and its text may contain a secret
            if getattr(error, "code", None) == CredentialConflict.code:
                # A host that serves several connectors raises one class for all of them, so the code decides.
                raise conflict_error() from None
            raise _host_error("save", STORE_UNWRITABLE, error) from None

    def _record_version(self, host_version: Any) -> int:
        """Return the number for a host's version, and remember the version: a count is its own number."""
        if isinstance(host_version, int) and not isinstance(host_version, bool) and host_version > 0:
            number = host_version
        elif not host_version:
            number = 0
        else:
            digest = hashlib.sha256(json.dumps(host_version, sort_keys=True, default=str).encode()).digest()
            number = int.from_bytes(digest[:6]) | UNORDERED_VERSION
        self._host_versions[number] = host_version
        while len(self._host_versions) > MAX_HOST_VERSIONS:
            oldest = next(known for known in self._host_versions if known not in {0, number})
            del self._host_versions[oldest]
        return number


def _host_error(operation: str, code: str, error: Exception) -> TokenStoreError:
    return TokenStoreError(
        f"The host could not {operation} the credentials of this connection ({type(error).__name__}). "
        "See the host's own log for the reason.",
        code=code,
    )
