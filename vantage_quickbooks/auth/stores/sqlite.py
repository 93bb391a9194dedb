"""Keeps token records in a SQLite file, for all processes of one machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vantage_quickbooks.auth.encryption import RECONNECT_HINT, RecordCipher
from vantage_quickbooks.auth.stores.base import (
    ReencryptionReport,
    conflict_error,
    lock_timeout_error,
    state_directory,
)
from vantage_quickbooks.errors import STORE_UNREADABLE, STORE_UNWRITABLE, TokenStoreError
from vantage_quickbooks.locks import FORK_GUARD, FileLocks, LockTimeoutError
from vantage_quickbooks.private_files import make_file_private
from vantage_quickbooks.sqlite_files import create_sqlite_file, open_sqlite_file

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator

    from vantage_quickbooks.core.secret import Secret
    from vantage_quickbooks.core.tokens import TokenRecord

__all__ = ["SQLiteStore"]

BUSY_TIMEOUT_S = 10.0
"""How long an operation waits for other writers of the file: each locks it for one commit, some milliseconds."""

_CREATE = """
CREATE TABLE IF NOT EXISTS vantage_quickbooks_token (
    chain   TEXT PRIMARY KEY,
    record  TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID
"""
_LOAD = "SELECT record, version FROM vantage_quickbooks_token WHERE chain = ?"
_FORGET = "DELETE FROM vantage_quickbooks_token WHERE chain = ?"
_REENCRYPT = "UPDATE vantage_quickbooks_token SET record = ? WHERE chain = ? AND version = ? AND record = ?"
_SAVE = """
INSERT INTO vantage_quickbooks_token AS stored (chain, version, record) VALUES (?, ?, ?)
ON CONFLICT (chain) DO UPDATE SET version = excluded.version, record = excluded.record WHERE stored.version = ?
"""
_CREATE_CALLS = """
CREATE TABLE IF NOT EXISTS vantage_quickbooks_calls (
    app   TEXT NOT NULL,
    month TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (app, month)
) WITHOUT ROWID
"""
_ADD_CALLS = """
INSERT INTO vantage_quickbooks_calls AS counted (app, month, calls) VALUES (?, ?, ?)
ON CONFLICT (app, month) DO UPDATE SET calls = counted.calls + excluded.calls RETURNING calls
"""
_CALLS = "SELECT app, month, calls FROM vantage_quickbooks_calls WHERE calls > 0 ORDER BY app, month"


class SQLiteStore:
    """Keeps records in a SQLite file on a local disk.

    The file, its companions and the lock files are readable by this user only, from the instant they exist. The lock
    files are in a directory beside the file, `<file>.locks`.

    Args:
        path: The file; `tokens.sqlite3` in the user's state directory by default. Created when first needed.
        encryption_key: One or more keys, see `encryption.parse_keys`; None keeps records as plain text in the file,
            whose mode is 0600.

    Raises:
        TokenStoreError: The key is invalid, or the extra `encryption` is not installed.
    """

    def __init__(self, path: str | Path | None = None, *, encryption_key: str | Secret | None = None) -> None:
        # The working directory may change between two calls, so the path is made absolute now.
        self._path = Path(path).expanduser().absolute() if path else state_directory() / "tokens.sqlite3"
        self._cipher = RecordCipher(encryption_key)
        self._lock_directory = self._path.with_name(self._path.name + ".locks")
        self._locks = FileLocks(self._lock_directory)
        self._is_prepared = False

    @property
    def path(self) -> Path:
        """The file, as an absolute path."""
        return self._path

    @property
    def lock_directory(self) -> Path:
        """The directory `<file>.locks`. See `TokenStore.lock_directory`."""
        return self._lock_directory

    def load(self, key: str) -> TokenRecord | None:
        """Read the record from the file. See `TokenStore.load`."""
        with self._database(STORE_UNREADABLE) as database:
            row = database.execute(_LOAD, (key,)).fetchone()
        return self._cipher.decrypt(row[0], self.describe(), key).with_version(row[1]) if row else None

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Write the record and sync it to the disk. See `TokenStore.save`."""
        saved = record.with_version(record.version + 1)
        text = self._cipher.encrypt(saved, key)
        with self._database(STORE_UNWRITABLE) as database:
            # One statement is one transaction: compare, swap and sync in one step.
            is_saved = database.execute(_SAVE, (key, saved.version, text, record.version)).rowcount
        if not is_saved:
            raise conflict_error()
        return saved

    def forget(self, key: str) -> None:
        """Delete the record. See `TokenStore.forget`."""
        with self._database(STORE_UNWRITABLE) as database:
            database.execute(_FORGET, (key,))

    def reencrypt(self) -> ReencryptionReport:
        """Encrypt every record with the first key, in place; see `ReencryptionReport`."""
        with self._database(STORE_UNREADABLE) as database:
            keys = [row[0] for row in database.execute("SELECT chain FROM vantage_quickbooks_token")]
        report = ReencryptionReport(self.describe())
        for key in keys:
            while not self._reencrypt_one(key, report):
                """A newer record was saved meanwhile: look at that one."""
        return report

    def _reencrypt_one(self, key: str, report: ReencryptionReport) -> bool:
        with self._database(STORE_UNWRITABLE) as database:
            row = database.execute(_LOAD, (key,)).fetchone()
            text = report.reencrypted(self._cipher, key, row[0]) if row else None
            if text is None:
                return True
            # The version stays the same: it is the same record, and a record derived from it can still be saved.
            swapped = database.execute(_REENCRYPT, (text, key, row[1], row[0])).rowcount
        report.changed += swapped
        return bool(swapped)

    @contextlib.contextmanager
    def lock(self, key: str, timeout_s: float) -> Generator[None]:
        """Exclude all threads and processes of this machine. See `TokenStore.lock`."""
        with self._database(STORE_UNWRITABLE) as database:
            # Detects a read-only or locked database before a refresh token is spent on tokens that cannot be saved.
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
        with self._translate_errors(STORE_UNWRITABLE):
            descriptor = self._acquire(key, timeout_s)
        try:  # outside of _translate_errors: an OSError in here comes from the network
            yield
        finally:
            self._locks.release(descriptor)

    def add_calls(self, app: str, month: str, calls: int) -> int:
        """Add calls in the file, for all processes of this machine. See `TokenStore.add_calls`."""
        with self._database(STORE_UNWRITABLE) as database:
            # A count may be lost with the power; a killed process loses none (https://www.sqlite.org/pragma.html).
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(_CREATE_CALLS)
            return int(database.execute(_ADD_CALLS, (app, month, calls)).fetchone()[0])

    def counted_calls(self) -> list[tuple[str, str, int]]:
        """Return what was counted in the file. See `TokenStore.counted_calls`."""
        with self._database(STORE_UNREADABLE) as database:
            database.execute(_CREATE_CALLS)
            return list(database.execute(_CALLS))

    def describe(self) -> str:
        """Return `SQLite file` and its path."""
        return f"SQLite file {self._path}"

    def close(self) -> None:
        """Do nothing: a connection lives for one operation."""

    def _acquire(self, key: str, timeout_s: float) -> int:
        try:
            return self._locks.acquire(key, timeout_s)
        except LockTimeoutError:
            raise lock_timeout_error(self.describe(), timeout_s) from None

    @contextlib.contextmanager
    def _database(self, code: str) -> Generator[sqlite3.Connection]:
        """Open the database for one operation; errors get *code*."""
        with self._translate_errors(code):
            self._prepare()
            with self._connection() as database:
                yield database

    @contextlib.contextmanager
    def _translate_errors(self, code: str) -> Generator[None]:
        import sqlite3  # noqa: PLC0415 -- not needed where the host keeps the tokens

        try:
            yield
        except sqlite3.Error as error:
            raise self._store_error(code, _sqlite_failure(error)) from None
        except OSError as error:
            raise self._store_error(code, _os_failure(error)) from None

    @contextlib.contextmanager
    def _connection(self) -> Generator[sqlite3.Connection]:
        with (
            FORK_GUARD,
            contextlib.closing(open_sqlite_file(self._path, BUSY_TIMEOUT_S, isolation_level=None)) as database,
        ):
            database.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
            database.execute("PRAGMA secure_delete = ON")  # a record that was plain leaves no trace once encrypted
            yield database

    def _prepare(self) -> None:
        """Create directory, file and table; one process and thread at a time."""
        if self._is_prepared and self._path.exists():
            return
        # Switching to WAL mode does not wait for other processes as statements do, so processes that start at the same
        # time wait here for each other. Also, no thread may have the file open while another descriptor of it is closed
        # below: POSIX would release SQLite's locks on it (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        descriptor = self._acquire("", BUSY_TIMEOUT_S)
        try:
            create_sqlite_file(self._path)
            for suffix in ("", "-wal", "-shm"):
                make_file_private(self._path.with_name(self._path.name + suffix))
            with self._connection() as database:
                database.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer's sync
                database.execute(_CREATE)
        finally:
            self._locks.release(descriptor)
        self._is_prepared = True

    def _store_error(self, code: str, failure: _Failure) -> TokenStoreError:
        operation = "read" if code == STORE_UNREADABLE else "written"
        return TokenStoreError(
            f"The tokens cannot be {operation}: {self.describe()} {failure.reason}. {failure.hint}",
            code=code,
            retryable=failure.retryable,
            details={"reason": failure.name},
        )


class _Failure(NamedTuple):
    """Why a database file cannot be used: *reason* completes a sentence about it, *hint* is the remedy."""

    name: str
    reason: str
    hint: str
    retryable: bool = False


_ACCESS_HINT = (
    "Make its directory writable for the user that runs this program, or choose "
    "another token store (VANTAGE_QUICKBOOKS_TOKEN_STORE)."
)
_FULL = ("is on a disk that is full", "Free some space, then repeat the call: nothing stored was lost.")
_DAMAGED = (
    "is damaged, or is not a token database of this connector, and was left unchanged",
    f"Restore it from a backup, or move it away with its -wal and -shm files and {RECONNECT_HINT}.",
)
_SQLITE_FAILURES = {
    5: ("is locked by another program", "Close the program that has it open, then repeat the call.", True),  # BUSY
    6: ("is locked by another program", "Close the program that has it open, then repeat the call.", True),  # LOCKED
    3: ("is not accessible", _ACCESS_HINT, False),  # SQLITE_PERM
    8: ("is read-only", _ACCESS_HINT, False),  # SQLITE_READONLY
    10: (_FULL[0] + " or failing", _FULL[1], False),  # SQLITE_IOERR
    11: (*_DAMAGED, False),  # SQLITE_CORRUPT
    13: (*_FULL, False),  # SQLITE_FULL
    14: ("cannot be opened", _ACCESS_HINT, False),  # SQLITE_CANTOPEN
    26: (*_DAMAGED, False),  # SQLITE_NOTADB
}
"""Source: SQLite, "Result and Error Codes", https://www.sqlite.org/rescode.html."""


def _sqlite_failure(error: sqlite3.Error) -> _Failure:
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    # The low byte is the primary code. Errors of the Python module itself (text that is not UTF-8) have no code.
    reason, hint, retryable = _SQLITE_FAILURES.get((code or 0) & 0xFF, (*_DAMAGED, False))
    return _Failure(name, reason, hint, retryable)


def _os_failure(error: OSError) -> _Failure:
    import errno  # noqa: PLC0415 -- needed only after an error

    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _Failure(name, *_FULL)
    return _Failure(name, f"cannot be opened ({os.strerror(error.errno or 0)})", _ACCESS_HINT)
