"""
Where the newest link of each token chain is kept, and who may renew it.

Theory of operation
1. A store keeps one record a chain and counts its versions. `save` is a compare and swap: it succeeds only while the
   stored version is the one that the new record was derived from, and it is durable when it returns. A loser gets
   `CredentialConflict` and uses the winner's record. Where nothing is stored (any more) a save always succeeds: there
   is nothing newer to protect, and the tokens in hand may be the only ones that still work.
2. `lock` has one holder a chain over threads and processes (machines, with a database server). It is held during the
   network call of a refresh, so it is never a lock that other chains need: a lock file for SQLite, a row for a
   database server. The kernel or the server frees it when its holder is killed; no lease has to run out. It is not
   re-entrant. Even if it were lost, rule 1 would keep the chain whole.
3. A connection to the database lives for one operation, so a store may be shared by threads and survives a fork. A
   fork waits until no SQLite connection of ours is open: SQLite counts a file's locks in the process's memory, and a
   child that inherits the count of a connection it does not have would write without a lock.
4. What cannot be read is never overwritten: whoever cannot load a record has no version to save with.
5. Errors name the store and the hint. They never carry a value, nor the text of a database's error, which may hold one.

"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast
from urllib.parse import quote

from vantage_quickbooks.auth.encryption import RECONNECT, RecordCipher
from vantage_quickbooks.auth.locks import FORK_GUARD, FileLocks, ThreadLocks, make_private_directory
from vantage_quickbooks.core.secret import revealed
from vantage_quickbooks.core.tokens import TokenRecord
from vantage_quickbooks.errors import (
    STORE_INVALID,
    STORE_UNREADABLE,
    STORE_UNWRITABLE,
    CredentialConflict,
    TokenStoreError,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager

    from vantage_quickbooks.core.secret import Secret

__all__ = [
    "UNORDERED_VERSION",
    "HostStore",
    "MemoryStore",
    "Reencrypted",
    "SQLiteStore",
    "TokenStore",
    "conflict",
    "open_store",
    "state_directory",
]

BUSY_TIMEOUT_S = 10.0
"""How long an operation waits for other writers of a database file: each holds it for one commit, some milliseconds."""

_HOST_VERSIONS = 64
"""Versions of a host that are remembered: those of the records that may still be saved, and many more."""

UNORDERED_VERSION = 1 << 48
"""From here on a version is no count, and tells nothing of older and newer: out of reach of any count."""


class TokenStore(Protocol):
    """Keeps token records; see the module's theory of operation. All methods may be called from any thread."""

    def load(self, key: str) -> TokenRecord | None:
        """Read the newest record of a chain.

        Args:
            key: The chain, as named by `tokens.chain_key`.

        Returns:
            The record with the version under which it is stored, or None if the chain was never saved.

        Raises:
            TokenStoreError: The store or the record cannot be read; nothing was changed.
        """
        ...

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Make *record* the newest of its chain, durably: the disk or server has it when this returns.

        Args:
            key: The chain.
            record: The record; its `version` is the one it was derived from, 0 if there was none.

        Returns:
            The record under its new version.

        Raises:
            CredentialConflict: Another one was saved meanwhile; load it and use it.
            TokenStoreError: It is not saved; the same call may be made again.
        """
        ...

    def forget(self, key: str) -> None:
        """Remove the record of a chain that has ended; nothing happens if there is none.

        Args:
            key: The chain, held under `lock`.

        Raises:
            TokenStoreError: It is still there.
        """
        ...

    def lock(self, key: str, timeout_s: float) -> AbstractContextManager[None]:
        """Be the only one who renews this chain, for the length of a `with` block.

        Args:
            key: The chain.
            timeout_s: How long to wait for it; 0 tries once.

        Raises:
            TokenStoreError: It was not free in time (`CREDENTIALS_LOCKED`, retryable), or the store cannot be written,
                which shows here, before a refresh token is spent.
        """
        ...

    def describe(self) -> str:
        """Say where the tokens are, for people: a kind and a place, never a password."""
        ...

    def close(self) -> None:
        """Give up what the store holds open; a later call opens it again."""
        ...


@dataclass
class Reencrypted:
    """What encrypting every record of a store anew came to.

    It is safe while others refresh: a record is exchanged for the same one under another key, if nobody has saved a
    newer one meanwhile, and nobody waits for it longer than a save takes. A process that still has the old list of keys
    saves with its own first key; so each gets the new list before.

    Attributes:
        store: Which store, for people.
        changed: Records that were encrypted with another key, or plain, or not bound to their chain.
        current: Records that were encrypted with the first key already.
        unreadable: Records that no key fits, or that are damaged; they were left as they are.
    """

    store: str
    changed: int = 0
    current: int = 0
    unreadable: int = 0

    def resealed(self, cipher: RecordCipher, key: str, text: str) -> str | None:
        """Return what is to be stored in place of *text*, or count it and return None."""
        if cipher.is_current(text, key):
            self.current += 1
            return None
        try:
            record = cipher.decrypt(text, self.store, key)
        except TokenStoreError:
            self.unreadable += 1
            return None
        return cipher.encrypt(record, key)


class MemoryStore:
    """Keeps records in this process alone: for tests, and for hosts that live as long as their tokens.

    When the process ends, the newest refresh token is lost, and with it the chain, once Intuit has rotated it.
    """

    def __init__(self) -> None:
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
                raise conflict()
            saved = record.with_version(record.version + 1)
            self._records[key] = saved
        return saved

    def forget(self, key: str) -> None:
        """Drop the record. See `TokenStore.forget`."""
        with self._locks.guard:
            self._records.pop(key, None)

    def lock(self, key: str, timeout_s: float) -> AbstractContextManager[None]:
        """Exclude the other threads. See `TokenStore.lock`."""
        return self._locks.hold(key, timeout_s)

    def describe(self) -> str:
        """Return `memory`."""
        return "memory"

    def close(self) -> None:
        """Do nothing: the records live as long as the object."""


class SQLiteStore:
    """Keeps records in a SQLite file on a local disk, for all processes of one machine.

    The file, its companions and the lock files are readable by this user only, from the instant they exist. The locks
    lie in a directory beside the file, `<file>.locks`, and are never deleted: a lock file deleted under its holder
    would let a second one in.

    Args:
        path: The file; `tokens.sqlite3` in the user's state directory by default. Made when first needed.
        encryption_key: A key or several, see `sealing.keys_of`; None keeps records as plain text in the 0600 file.

    Raises:
        TokenStoreError: The key is no good, or the extra `encryption` is not installed.
    """

    def __init__(self, path: str | Path | None = None, *, encryption_key: str | Secret | None = None) -> None:
        # The working directory may change between two calls, so the path is made absolute now.
        self._path = Path(path).expanduser().absolute() if path else state_directory() / "tokens.sqlite3"
        self._cipher = RecordCipher(encryption_key)
        self.lock_directory = self._path.with_name(self._path.name + ".locks")
        self._locks = FileLocks(self.lock_directory)
        self._is_prepared = False

    def load(self, key: str) -> TokenRecord | None:
        """Read the record from the file. See `TokenStore.load`."""
        with self._database(STORE_UNREADABLE) as database:
            row = database.execute(_LOAD, (key,)).fetchone()
        return self._cipher.decrypt(row[0], self.describe(), key).with_version(row[1]) if row else None

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Write the record and sync it to the disk. See `TokenStore.save`."""
        saved = record.with_version(record.version + 1)
        sealed = self._cipher.encrypt(saved, key)
        with self._database(STORE_UNWRITABLE) as database:
            # One statement is one transaction: compare, swap and sync in one step.
            is_saved = database.execute(_SAVE, (key, saved.version, sealed, record.version)).rowcount
        if not is_saved:
            raise conflict()
        return saved

    def forget(self, key: str) -> None:
        """Delete the record. See `TokenStore.forget`."""
        with self._database(STORE_UNWRITABLE) as database:
            database.execute(_FORGET, (key,))

    def reencrypt(self) -> Reencrypted:
        """Encrypt every record with the first key, in place; see `Reencrypted`."""
        with self._database(STORE_UNREADABLE) as database:
            keys = [row[0] for row in database.execute("SELECT chain FROM vantage_quickbooks_token")]
        counts = Reencrypted(self.describe())
        for key in keys:
            while not self._reencrypt_one(key, counts):
                """Saved meanwhile, so that it is looked at anew."""
        return counts

    def _reencrypt_one(self, key: str, counts: Reencrypted) -> bool:
        with self._database(STORE_UNWRITABLE) as database:
            row = database.execute(_LOAD, (key,)).fetchone()
            sealed = counts.resealed(self._cipher, key, row[0]) if row else None
            if sealed is None:
                return True
            # The version stays: what is stored is the same record, and whoever derives the next one from it may save.
            swapped = database.execute(_RESEAL, (sealed, key, row[1], row[0])).rowcount
        counts.changed += swapped
        return bool(swapped)

    @contextlib.contextmanager
    def lock(self, key: str, timeout_s: float) -> Generator[None]:
        """Exclude all threads and processes of this machine. See `TokenStore.lock`."""
        with self._database(STORE_UNWRITABLE) as database:
            # Finds a read-only or locked database before a refresh token is spent on tokens that could not be saved.
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
        with self._explaining(STORE_UNWRITABLE):
            descriptor = self._locks.acquire(key, timeout_s, self.describe())
        try:  # beyond the explanations: an OSError in here is the network's
            yield
        finally:
            self._locks.release(descriptor)

    def describe(self) -> str:
        """Return `SQLite file` and its path."""
        return f"SQLite file {self._path}"

    def close(self) -> None:
        """Do nothing: no connection outlives its operation."""

    @contextlib.contextmanager
    def _database(self, code: str) -> Generator[sqlite3.Connection]:
        """Open the database for one operation, and explain what goes wrong in it."""
        with self._explaining(code):
            self._prepare()
            with self._connection() as database:
                yield database

    @contextlib.contextmanager
    def _explaining(self, code: str) -> Generator[None]:
        import sqlite3  # noqa: PLC0415 -- a host that keeps the tokens itself never needs it

        try:
            yield
        except sqlite3.Error as error:
            raise self._explained(code, _sqlite_reason(error)) from None
        except OSError as error:
            raise self._explained(code, _os_reason(error)) from None

    @contextlib.contextmanager
    def _connection(self) -> Generator[sqlite3.Connection]:
        import sqlite3  # noqa: PLC0415 -- as above

        # mode=rw: SQLite must not create the file, it would be readable by others.
        uri = f"file:{quote(str(self._path))}?mode=rw"
        with (
            FORK_GUARD,
            contextlib.closing(
                sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            ) as database,
        ):
            database.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
            database.execute("PRAGMA secure_delete = ON")  # a record saved plain leaves no trace once it is encrypted
            yield database

    def _prepare(self) -> None:
        """Make directory, file and table, one process and thread at a time."""
        if self._is_prepared and self._path.exists():
            return
        make_private_directory(self._path.parent)
        # Switching to WAL does not wait for others as statements do, so all who start at once queue here. And nobody
        # of this process may have the file open while another of its descriptors is closed below: POSIX would drop
        # SQLite's locks on it.
        descriptor = self._locks.acquire("", BUSY_TIMEOUT_S, self.describe())
        try:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            for suffix in ("", "-wal", "-shm"):
                _make_private(self._path.with_name(self._path.name + suffix))
            with self._connection() as database:
                database.execute("PRAGMA journal_mode = WAL")  # readers do not wait for the writer's sync
                database.execute(_CREATE)
        finally:
            self._locks.release(descriptor)
        self._is_prepared = True

    def _explained(self, code: str, reason: _Reason) -> TokenStoreError:
        what = "read" if code == STORE_UNREADABLE else "written"
        return TokenStoreError(
            f"The tokens cannot be {what}: {self.describe()} {reason.what}. {reason.hint}",
            code=code,
            retryable=reason.retryable,
            details={"reason": reason.name},
        )


class HostStore:
    """Keeps records with the host, over its two callables; nothing is written to this machine's disk.

    The host has one set of credentials a connection: `TokenRecord.to_dict()` and, under `chain`, the chain it belongs
    to. Credentials of another chain (a person has pasted a new refresh token since) load as None, and the next save
    replaces them. The host's version is any JSON value, kept as it is and handed back as `expected_version`; 0 stands
    for "nothing saved". A host puts it into the credentials' `version` when it loads them; for hosts that count up and
    return the credentials as they were saved, we have put the next number there already.

    `lock` excludes the threads of this process only, because the storage is the host's: between processes the host
    decides by comparing versions, and the loser gets `CredentialConflict`.

    Args:
        connection_id: The host's name for the connection.
        load: `load(connection_id)` returns the credentials or None.
        save: `save(connection_id, credentials, expected_version)` returns the new version once the credentials are
            durable, and raises `CredentialConflict` if *expected_version* is not the stored one.
    """

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
        self._host_versions: dict[int, Any] = {}  # our number -> the host's version; 0 -> what a new chain replaces

    def load(self, key: str) -> TokenRecord | None:
        """Ask the host. See `TokenStore.load`."""
        try:
            data = self._load(self._connection_id)
        except Exception as error:  # noqa: BLE001 -- a host may raise anything, and its text may hold a secret
            raise _host_failed("load", STORE_UNREADABLE, error) from None
        if data is None:
            self._host_versions.pop(0, None)
            return None
        try:
            version = data.get("version") or 0
            if data.get("chain", key) != key:
                self._host_versions[0] = version
                return None
            return TokenRecord.from_dict({**data, "version": self._number(version)})
        except (ValueError, TypeError, AttributeError) as error:
            what = str(error) if isinstance(error, ValueError) else "they are not an object"
            raise TokenStoreError(
                f"The credentials that the host keeps for this connection are malformed ({what}). "
                f"Restore them at the host, or remove them there and {RECONNECT}.",
                code=STORE_UNREADABLE,
            ) from None

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Hand the record to the host. See `TokenStore.save`."""
        expected = self._host_versions.get(record.version, record.version)
        following = expected + 1 if isinstance(expected, int) else expected
        try:
            version = self._save(
                self._connection_id, {**record.to_dict(), "version": following, "chain": key}, expected
            )
        except CredentialConflict:
            raise
        except Exception as error:  # noqa: BLE001 -- as in load
            raise _host_failed("save", STORE_UNWRITABLE, error) from None
        if version is None:
            raise TokenStoreError(
                "The host loads credentials but did not save them: its save returned no version. "
                "It must store them and return their new version (hook vantage_save_credentials).",
                code=STORE_UNWRITABLE,
            )
        return record.with_version(self._number(version))

    def forget(self, key: str) -> None:
        """Have the host save credentials without tokens, of no chain: they load as None. See `TokenStore.forget`."""
        stored = self.load(key)
        if stored is None:
            return
        expected = self._host_versions.get(stored.version, stored.version)
        following = expected + 1 if isinstance(expected, int) else expected
        try:
            self._save(self._connection_id, {"chain": "", "version": following}, expected)
        except CredentialConflict:
            raise
        except Exception as error:  # noqa: BLE001 -- as in load
            raise _host_failed("save", STORE_UNWRITABLE, error) from None

    def lock(self, key: str, timeout_s: float) -> AbstractContextManager[None]:
        """Exclude the other threads of this process. See `TokenStore.lock`."""
        return self._locks.hold(key, timeout_s)

    def describe(self) -> str:
        """Return `the host's credentials store`."""
        return "the host's credentials store"

    def close(self) -> None:
        """Do nothing: the storage is the host's."""

    def _number(self, version: Any) -> int:
        """Return the number under which the host's version is remembered: a count stands for itself."""
        if isinstance(version, int) and not isinstance(version, bool) and version > 0:
            number = version
        elif not version:
            number = 0
        else:
            digest = hashlib.sha256(json.dumps(version, sort_keys=True, default=str).encode()).digest()
            number = int.from_bytes(digest[:6]) | UNORDERED_VERSION
        self._host_versions[number] = version
        while len(self._host_versions) > _HOST_VERSIONS:
            oldest = next(known for known in self._host_versions if known not in {0, number})
            del self._host_versions[oldest]
        return number


def open_store(url: str | Secret | None, *, encryption_key: str | Secret | None = None) -> TokenStore:
    """Make the store that a setting names. Opens and creates nothing yet.

    Args:
        url: `memory:`; a path or `sqlite:///path` (four slashes for an absolute one) for a SQLite file; any other URL
            for a database server that SQLAlchemy knows; None or blank for the SQLite file in the user's state
            directory.
        encryption_key: The key or keys with which records are encrypted, see `sealing.keys_of`; memory needs none.

    Returns:
        The store.

    Raises:
        TokenStoreError: The URL or the key is no good, or an extra is missing; the message names it.
    """
    url = str(revealed(url) or "").strip()
    scheme, separator, rest = url.partition(":")
    if scheme == "memory" and separator:
        return _MEMORY
    if scheme.split("+")[0] == "sqlite" and separator:
        # Not over SQLAlchemy: SQLite has no row locks, and the file's own lock would stop every other chain.
        return _sqlite_store(rest, encryption_key)
    if "://" not in url:
        return SQLiteStore(url or None, encryption_key=encryption_key)
    # By name, because the adapter builds on this module and the house allows no way up.
    try:
        adapter = importlib.import_module("vantage_quickbooks.auth.sqlalchemy_store")
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
        raise TokenStoreError(
            f"Tokens are to be kept in a {scheme} database, but SQLAlchemy is not installed: "
            'run `pip install "vantage-quickbooks[database]"` and install the driver of your database.',
            code=STORE_INVALID,
        ) from None
    return cast("TokenStore", adapter.SQLAlchemyStore(url, encryption_key=encryption_key))


_MEMORY = MemoryStore()
"""What `memory:` names: one store for the whole process, so that its connections go on with each other's chains."""


def conflict() -> CredentialConflict:
    """Return the error for a save that came second."""
    return CredentialConflict(
        "Another process saved newer tokens of this company first. They are the ones to use: repeat the call."
    )


_CREATE = """
CREATE TABLE IF NOT EXISTS vantage_quickbooks_token (
    chain   TEXT PRIMARY KEY,
    record  TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID
"""
_LOAD = "SELECT record, version FROM vantage_quickbooks_token WHERE chain = ?"
_FORGET = "DELETE FROM vantage_quickbooks_token WHERE chain = ?"
_RESEAL = "UPDATE vantage_quickbooks_token SET record = ? WHERE chain = ? AND version = ? AND record = ?"
_SAVE = """
INSERT INTO vantage_quickbooks_token AS stored (chain, version, record) VALUES (?, ?, ?)
ON CONFLICT (chain) DO UPDATE SET version = excluded.version, record = excluded.record WHERE stored.version = ?
"""


class _Reason(NamedTuple):
    """Why a database file cannot be used, as the second half of a sentence, and the hint."""

    name: str
    what: str
    hint: str
    retryable: bool = False


_ACCESS_HINT = (
    "Make its directory writable for the user that runs this program, or choose "
    "another token store (VANTAGE_QUICKBOOKS_TOKEN_STORE)."
)
_FULL = ("is on a disk that is full or takes no more", "Make room, then repeat the call: nothing stored was lost.")
_DAMAGED = (
    "is damaged, or is not a token database of this connector, and was left as it is",
    f"Restore it from a backup, or move it away with its -wal and -shm files and {RECONNECT}.",
)
_SQLITE_REASONS = {
    5: ("is kept locked by another program", "Close what has it open, then repeat the call.", True),  # SQLITE_BUSY
    6: ("is kept locked by another program", "Close what has it open, then repeat the call.", True),  # SQLITE_LOCKED
    3: ("may not be accessed", _ACCESS_HINT, False),  # SQLITE_PERM
    8: ("is read-only", _ACCESS_HINT, False),  # SQLITE_READONLY
    10: (_FULL[0] + ", or does not work", _FULL[1], False),  # SQLITE_IOERR
    11: (*_DAMAGED, False),  # SQLITE_CORRUPT
    13: (*_FULL, False),  # SQLITE_FULL
    14: ("cannot be opened", _ACCESS_HINT, False),  # SQLITE_CANTOPEN
    26: (*_DAMAGED, False),  # SQLITE_NOTADB
}
"""Source: SQLite, "Result and Error Codes"."""


def _sqlite_reason(error: sqlite3.Error) -> _Reason:
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    # The low byte is the primary code. Errors of the Python module itself (text that is not UTF-8) have none.
    what, hint, retryable = _SQLITE_REASONS.get((code or 0) & 0xFF, (*_DAMAGED, False))
    return _Reason(name, what, hint, retryable)


def _os_reason(error: OSError) -> _Reason:
    import errno  # noqa: PLC0415 -- only when something went wrong

    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _Reason(name, *_FULL)
    return _Reason(name, f"cannot be opened ({os.strerror(error.errno or 0)})", _ACCESS_HINT)


def _host_failed(what: str, code: str, error: Exception) -> TokenStoreError:
    return TokenStoreError(
        f"The host could not {what} the credentials of this connection ({type(error).__name__}). "
        "See the host's own log for the reason.",
        code=code,
    )


def _sqlite_store(rest: str, encryption_key: str | Secret | None) -> TokenStore:
    """Read what follows `sqlite:` as SQLAlchemy does."""
    path = rest.removeprefix("///")
    if rest in ("", "//", "///") or path == ":memory:":
        return _MEMORY
    if not rest.startswith("///") or "?" in path:
        raise TokenStoreError(
            "The URL of the token store is not one of a SQLite file. "
            "Write the file's path, or sqlite:///relative/path, or sqlite:////absolute/path, without options.",
            code=STORE_INVALID,
        )
    return SQLiteStore(path, encryption_key=encryption_key)


def state_directory() -> Path:
    """Return where this user's programs keep such things on this machine; it need not exist yet."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- only where nobody says another place

    return user_state_path("vantage-quickbooks")


def _make_private(file: Path) -> None:
    """Take a file that others may read away from them, if it is ours."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
