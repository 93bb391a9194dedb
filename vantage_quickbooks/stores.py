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
5. Errors name the store and the mend. They never carry a value, nor the text of a database's error, which may hold one.

Encryption: with an `encryption_key` the whole record is one Fernet token (AES-128-CBC and HMAC-SHA256) that begins
with `fernet:` if the key is a Fernet key, or with `scrypt:<salt>:` if it is a passphrase, from which scrypt derives the
key. Plain records are still read when a key is given, and encrypted when they are next saved.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, cast
from urllib.parse import quote

from vantage_quickbooks.errors import CredentialConflict, TokenStoreError
from vantage_quickbooks.tokens import TokenRecord

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager

    from cryptography.fernet import Fernet

__all__ = ["HostStore", "MemoryStore", "SQLiteStore", "Sealer", "TokenStore", "conflict", "locked", "open_store"]

NOT_LOADED = "CREDENTIALS_NOT_LOADED"
NOT_SAVED = "CREDENTIALS_NOT_SAVED"
LOCKED = "CREDENTIALS_LOCKED"
MISCONFIGURED = "CREDENTIALS_STORE_INVALID"

RECONNECT = "connect the company again and paste the new refresh token into the settings, which begins a new chain"
"""The way out that always exists: another pasted token is another chain, so a damaged record no longer matters."""

BUSY_TIMEOUT_S = 10.0
"""How long an operation waits for other writers of a database file: each holds it for one commit, some milliseconds."""

POLL_FIRST_S, POLL_LAST_S = 0.001, 0.02
"""Pauses between tries for a lock: short at first, since whoever waits usually only has to read its neighbour's result;
never so long that a killed holder's lock lies idle."""


_FORK_GUARD = threading.Lock()
"""Held while a lock file is opened or a SQLite connection is open: no fork falls in between."""


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


class MemoryStore:
    """Keeps records in this process alone: for tests, and for hosts that live as long as their tokens.

    When the process ends, the newest refresh token is lost, and with it the chain, once Intuit has rotated it.
    """

    def __init__(self) -> None:
        self._records: dict[str, TokenRecord] = {}
        self._locks = _ThreadLocks()

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
        encryption_key: A Fernet key or a passphrase; None keeps records as plain text in the 0600 file.

    Raises:
        TokenStoreError: The key is empty, or the extra `encryption` is not installed.
    """

    def __init__(self, path: str | Path | None = None, *, encryption_key: str | None = None) -> None:
        # The working directory may change between two calls, so the path is made absolute now.
        self._path = Path(path).expanduser().absolute() if path else _default_path()
        self._sealer = Sealer(encryption_key)
        self._locks = _FileLocks(self._path.with_name(self._path.name + ".locks"))
        self._is_prepared = False

    def load(self, key: str) -> TokenRecord | None:
        """Read the record from the file. See `TokenStore.load`."""
        with self._database(NOT_LOADED) as database:
            row = database.execute(_LOAD, (key,)).fetchone()
        return self._sealer.unseal(row[0], self.describe()).with_version(row[1]) if row else None

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Write the record and sync it to the disk. See `TokenStore.save`."""
        saved = record.with_version(record.version + 1)
        sealed = self._sealer.seal(saved)
        with self._database(NOT_SAVED) as database:
            # One statement is one transaction: compare, swap and sync in one step.
            is_saved = database.execute(_SAVE, (key, saved.version, sealed, record.version)).rowcount
        if not is_saved:
            raise conflict()
        return saved

    @contextlib.contextmanager
    def lock(self, key: str, timeout_s: float) -> Generator[None]:
        """Exclude all threads and processes of this machine. See `TokenStore.lock`."""
        with self._database(NOT_SAVED) as database:
            # Finds a read-only or locked database before a refresh token is spent on tokens that could not be saved.
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
        with self._explaining(NOT_SAVED):
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
            _FORK_GUARD,
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
        _make_private_directory(self._path.parent)
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
        what = "read" if code == NOT_LOADED else "written"
        return TokenStoreError(
            f"The tokens cannot be {what}: {self.describe()} {reason.what}. {reason.mend}",
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
        self._locks = _ThreadLocks()
        self._host_versions: dict[int, Any] = {}  # our number -> the host's version; 0 -> what a new chain replaces

    def load(self, key: str) -> TokenRecord | None:
        """Ask the host. See `TokenStore.load`."""
        try:
            data = self._load(self._connection_id)
        except Exception as error:  # noqa: BLE001 -- a host may raise anything, and its text may hold a secret
            raise _host_failed("load", NOT_LOADED, error) from None
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
                code=NOT_LOADED,
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
            raise _host_failed("save", NOT_SAVED, error) from None
        if version is None:
            raise TokenStoreError(
                "The host loads credentials but did not save them: its save returned no version. "
                "It must store them and return their new version (hook vantage_save_credentials).",
                code=NOT_SAVED,
            )
        return record.with_version(self._number(version))

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
            number = int.from_bytes(digest[:6]) | 1 << 48  # out of reach of any host's count
        self._host_versions[number] = version
        return number


class Sealer:
    """Turns records into the text that is stored and back, encrypted if there is a key.

    Args:
        encryption_key: A Fernet key (`cryptography.fernet.Fernet.generate_key()`), or any passphrase; None for plain.

    Raises:
        TokenStoreError: The key is empty, or the extra `encryption` is not installed.
    """

    def __init__(self, encryption_key: str | None) -> None:
        self._passphrase: bytes | None = None
        self._salt = ""
        self._ciphers: dict[str, Fernet] = {}  # by salt; the Fernet key's own under ""
        if encryption_key is not None:
            self._begin(encryption_key.strip())

    def seal(self, record: TokenRecord) -> str:
        """Return *record* as text."""
        text = json.dumps(record.to_dict())
        if not self._is_encrypting:
            return text
        if self._passphrase is not None:
            # One salt a process, or that of a record read before: deriving a key from another takes 0.15 s.
            self._salt = self._salt or os.urandom(16).hex()
        cipher = cast("Fernet", self._cipher(self._salt))
        return (f"scrypt:{self._salt}:" if self._salt else "fernet:") + cipher.encrypt(text.encode()).decode()

    def unseal(self, text: Any, where: str) -> TokenRecord:
        """Return the record in *text*, encrypted or plain.

        Args:
            text: What `seal` returned, or whatever else is stored in its place.
            where: The store, for the error.

        Raises:
            TokenStoreError: The key is missing or another one, or the text is no record.
        """
        if isinstance(text, str) and text.startswith(("fernet:", "scrypt:")):
            text = self._decrypted(text, where)
        try:
            return TokenRecord.from_dict(json.loads(text))
        except (ValueError, TypeError) as error:
            # A JSON error quotes nothing but positions, yet only our own sentence is known to hold no value.
            what = "it is not JSON" if isinstance(error, json.JSONDecodeError | TypeError) else str(error)
            raise TokenStoreError(
                f"The token record in {where} is damaged ({what}) and was left as it is. "
                f"Restore the store from a backup, or {RECONNECT}.",
                code=NOT_LOADED,
            ) from None

    @property
    def _is_encrypting(self) -> bool:
        return self._passphrase is not None or bool(self._ciphers)

    def _begin(self, key: str) -> None:
        if not key:
            raise TokenStoreError(
                "The encryption key of the token store is empty. Give it a value, or unset it to store tokens plain.",
                code=MISCONFIGURED,
            )
        try:
            from cryptography.fernet import Fernet  # noqa: PLC0415 -- an extra, and 20 ms
        except ImportError:
            raise TokenStoreError(
                "The token store has an encryption key, but cryptography is not installed: "
                'run `pip install "vantage-quickbooks[encryption]"`.',
                code=MISCONFIGURED,
            ) from None
        try:
            self._ciphers[""] = Fernet(key)
        except ValueError:
            self._passphrase = key.encode()

    def _cipher(self, salt: str) -> Fernet | None:
        """Return the Fernet key's own cipher (no salt), or the passphrase's for *salt*; None for the other kind.

        Source: OWASP, "Password Storage Cheat Sheet" (scrypt N=2^14, r=8, p=5: 16 MiB).
        """
        if salt and salt not in self._ciphers and self._passphrase is not None:
            from base64 import urlsafe_b64encode  # noqa: PLC0415 -- only where there is a passphrase

            from cryptography.fernet import Fernet  # noqa: PLC0415 -- an extra

            derived = hashlib.scrypt(self._passphrase, salt=bytes.fromhex(salt), n=2**14, r=8, p=5, dklen=32)
            self._ciphers[salt] = Fernet(urlsafe_b64encode(derived))
        return self._ciphers.get(salt)

    def _decrypted(self, text: str, where: str) -> str:
        if not self._is_encrypting:
            raise TokenStoreError(
                f"The tokens in {where} are encrypted, and no encryption key was given. Nothing was changed. "
                f"Give the key they were saved with (VANTAGE_QUICKBOOKS_TOKEN_KEY), or {RECONNECT}.",
                code=NOT_LOADED,
            )
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 -- an extra

        salt, _, token = text.partition(":")[2].rpartition(":")
        with contextlib.suppress(InvalidToken, ValueError):
            cipher = self._cipher(salt)
            if cipher:
                text = cipher.decrypt(token.encode()).decode()
                self._salt = salt
                return text
        raise TokenStoreError(
            f"The tokens in {where} were encrypted with another key, or are damaged. Nothing was changed. "
            f"Give the key they were saved with (VANTAGE_QUICKBOOKS_TOKEN_KEY), or {RECONNECT}.",
            code=NOT_LOADED,
        )


def open_store(url: str | None, *, encryption_key: str | None = None) -> TokenStore:
    """Make the store that a setting names. Opens and creates nothing yet.

    Args:
        url: `memory:`; a path or `sqlite:///path` (four slashes for an absolute one) for a SQLite file; any other URL
            for a database server that SQLAlchemy knows; None or blank for the SQLite file in the user's state
            directory.
        encryption_key: A Fernet key or a passphrase with which records are encrypted; memory needs none.

    Returns:
        The store.

    Raises:
        TokenStoreError: The URL or the key is no good, or an extra is missing; the message names it.
    """
    url = (url or "").strip()
    scheme, separator, rest = url.partition(":")
    if scheme == "memory" and separator:
        return MemoryStore()
    if scheme.split("+")[0] == "sqlite" and separator:
        # Not over SQLAlchemy: SQLite has no row locks, and the file's own lock would stop every other chain.
        return _sqlite_store(rest, encryption_key)
    if "://" not in url:
        return SQLiteStore(url or None, encryption_key=encryption_key)
    # By name, because the adapter builds on this module and the house allows no way up.
    try:
        adapter = importlib.import_module("vantage_quickbooks.adapters.sqlalchemy_store")
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
        raise TokenStoreError(
            f"Tokens are to be kept in a {scheme} database, but SQLAlchemy is not installed: "
            'run `pip install "vantage-quickbooks[database]"` and install the driver of your database.',
            code=MISCONFIGURED,
        ) from None
    return cast("TokenStore", adapter.SQLAlchemyStore(url, encryption_key=encryption_key))


def conflict() -> CredentialConflict:
    """Return the error for a save that came second."""
    return CredentialConflict(
        "Another process saved newer tokens of this company first. They are the ones to use: repeat the call."
    )


def locked(where: str, timeout_s: float) -> TokenStoreError:
    """Return the error for a lock that was not free within *timeout_s* seconds; *where* describes the store."""
    return TokenStoreError(
        f"Another process has been renewing the tokens of this company for {timeout_s:g} seconds ({where}). "
        "Repeat the call; if this stays so, look for a process of this connector that hangs, and end it.",
        code=LOCKED,
        retryable=True,
    )


class _ThreadLocks:
    """One lock a chain for the threads of this process. A forked child begins with none of them held."""

    _all: ClassVar[weakref.WeakSet[_ThreadLocks]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.reset()
        self._all.add(self)

    def reset(self) -> None:
        self.guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @contextlib.contextmanager
    def hold(self, key: str, timeout_s: float) -> Generator[None]:
        with self.guard:
            lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=min(max(timeout_s, 0.0), threading.TIMEOUT_MAX)):
            raise locked("in this process", timeout_s)
        try:
            yield
        finally:
            lock.release()

    @classmethod
    def reset_all(cls) -> None:
        for locks in cls._all:
            locks.reset()


class _FileLocks:
    """One lock file a chain, for all threads and processes of the machine.

    Plain `flock(2)`: it belongs to an open file, so each acquisition opens its own and excludes the others, be they in
    the same process or not, and the kernel frees it when the last descriptor is closed, however the process ends. The
    library filelock does the same, but a child forked while its parent holds a lock frees it in versions that hosts
    still have (seen with 3.16), and newer ones fall back to a lock that outlives its holder where flock is missing.
    """

    _held: ClassVar[set[int]] = set()

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def acquire(self, key: str, timeout_s: float, where: str) -> int:
        descriptor = self._open(hashlib.sha256(key.encode()).hexdigest()[:32] if key else "setup")
        try:
            is_ours = _wait_for(descriptor, timeout_s)
        except BaseException:
            self.release(descriptor)
            raise
        if not is_ours:
            self.release(descriptor)
            raise locked(where, timeout_s)
        return descriptor

    def release(self, descriptor: int) -> None:
        with _FORK_GUARD:
            if descriptor in self._held:  # not so in a child that was forked inside the block
                self._held.remove(descriptor)
                os.close(descriptor)

    def _open(self, name: str) -> int:
        _make_private_directory(self._directory)
        with _FORK_GUARD:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self._directory / f"{name}.lock", flags, 0o600)
            self._held.add(descriptor)
        return descriptor

    @classmethod
    def forget_all(cls) -> None:
        # Closing leaves the lock with the parent. Kept open, it would stay locked after the parent is killed.
        for descriptor in cls._held:
            os.close(descriptor)
        cls._held.clear()


def _begin_in_child() -> None:
    _FileLocks.forget_all()
    _ThreadLocks.reset_all()
    _FORK_GUARD.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_FORK_GUARD.acquire, after_in_parent=_FORK_GUARD.release, after_in_child=_begin_in_child)


_CREATE = """
CREATE TABLE IF NOT EXISTS vantage_quickbooks_token (
    chain   TEXT PRIMARY KEY,
    record  TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID
"""
_LOAD = "SELECT record, version FROM vantage_quickbooks_token WHERE chain = ?"
_SAVE = """
INSERT INTO vantage_quickbooks_token AS stored (chain, version, record) VALUES (?, ?, ?)
ON CONFLICT (chain) DO UPDATE SET version = excluded.version, record = excluded.record WHERE stored.version = ?
"""


class _Reason(NamedTuple):
    """Why a database file cannot be used, as the second half of a sentence, and the mend."""

    name: str
    what: str
    mend: str
    retryable: bool = False


_ACCESS_MEND = (
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
    3: ("may not be accessed", _ACCESS_MEND, False),  # SQLITE_PERM
    8: ("is read-only", _ACCESS_MEND, False),  # SQLITE_READONLY
    10: (_FULL[0] + ", or does not work", _FULL[1], False),  # SQLITE_IOERR
    11: (*_DAMAGED, False),  # SQLITE_CORRUPT
    13: (*_FULL, False),  # SQLITE_FULL
    14: ("cannot be opened", _ACCESS_MEND, False),  # SQLITE_CANTOPEN
    26: (*_DAMAGED, False),  # SQLITE_NOTADB
}
"""Source: SQLite, "Result and Error Codes"."""


def _sqlite_reason(error: sqlite3.Error) -> _Reason:
    code = getattr(error, "sqlite_errorcode", None)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    # The low byte is the primary code. Errors of the Python module itself (text that is not UTF-8) have none.
    what, mend, retryable = _SQLITE_REASONS.get((code or 0) & 0xFF, (*_DAMAGED, False))
    return _Reason(name, what, mend, retryable)


def _os_reason(error: OSError) -> _Reason:
    import errno  # noqa: PLC0415 -- only when something went wrong

    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _Reason(name, *_FULL)
    return _Reason(name, f"cannot be opened ({os.strerror(error.errno or 0)})", _ACCESS_MEND)


def _host_failed(what: str, code: str, error: Exception) -> TokenStoreError:
    return TokenStoreError(
        f"The host could not {what} the credentials of this connection ({type(error).__name__}). "
        "See the host's own log for the reason.",
        code=code,
    )


def _sqlite_store(rest: str, encryption_key: str | None) -> TokenStore:
    """Read what follows `sqlite:` as SQLAlchemy does."""
    path = rest.removeprefix("///")
    if rest in ("", "//", "///") or path == ":memory:":
        return MemoryStore()
    if not rest.startswith("///") or "?" in path:
        raise TokenStoreError(
            "The URL of the token store is not one of a SQLite file. "
            "Write the file's path, or sqlite:///relative/path, or sqlite:////absolute/path, without options.",
            code=MISCONFIGURED,
        )
    return SQLiteStore(path, encryption_key=encryption_key)


def _default_path() -> Path:
    from platformdirs import user_state_path  # noqa: PLC0415 -- only where no path is given

    return user_state_path("vantage-quickbooks") / "tokens.sqlite3"


def _make_private_directory(directory: Path) -> None:
    """Make *directory* and those above it that are missing, for this user only, and sync each to the disk."""
    if directory.is_dir():
        return
    _make_private_directory(directory.parent)
    with contextlib.suppress(FileExistsError):  # another process was faster
        directory.mkdir(mode=0o700)
        # Or the directory, with the first tokens in it, might be gone after a power failure.
        descriptor = os.open(directory.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _make_private(file: Path) -> None:
    """Take a file that others may read away from them, if it is ours."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)


def _wait_for(descriptor: int, timeout_s: float) -> bool:
    """Take the lock on an open file, or return False if it is not free in time."""
    import fcntl  # noqa: PLC0415 -- absent on Windows, where the package can still be imported

    give_up_at = time.monotonic() + timeout_s
    pause_s = POLL_FIRST_S
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        left_s = give_up_at - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, POLL_LAST_S)
