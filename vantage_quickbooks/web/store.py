"""Connections and their credentials, encrypted at rest.

One SQLite file with mode 0600 in a directory with mode 0700. Everything about a connection except its id and its
connector is a Fernet token (AES-128-CBC, HMAC-SHA256) of JSON. The key is in a separate file with mode 0600, so that a
copy or a backup of the database alone reveals nothing. Only the user and root can read both files.

Credentials are what a connector asks the host to keep (`vantage_save_credentials`): tokens with a version, written by
compare-and-swap in one statement, so that of two concurrent writers one succeeds and the other gets a conflict.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken

from vantage_quickbooks.errors import CredentialConflict
from vantage_quickbooks.private_files import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from vantage_quickbooks.errors import ConnectorError

__all__ = ["Record", "Store", "StoreError", "default_directory"]

_CREATE = """
CREATE TABLE IF NOT EXISTS connection (id TEXT PRIMARY KEY, connector TEXT NOT NULL, sealed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS credentials (id TEXT PRIMARY KEY, version INTEGER NOT NULL, sealed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refusal (id TEXT PRIMARY KEY, sealed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sync (id TEXT PRIMARY KEY, sealed TEXT NOT NULL);
"""
_SAVE = """
INSERT INTO credentials AS stored (id, version, sealed) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed WHERE stored.version = ?
"""


class StoreError(Exception):
    """Connections cannot be read or saved. The message says why and what to do, and contains no stored value.

    Args:
        message: What happened and what to do.
        error: The error of a shared store; None for the web UI's own files.
    """

    def __init__(self, message: str, error: ConnectorError | None = None) -> None:
        super().__init__(message)
        self.error = error


@dataclass(frozen=True, slots=True)
class Record:
    """A stored connection.

    Attributes:
        id: Its id, in URLs and for hooks.
        connector: The id of its connector.
        name: Its display name.
        settings: The data of the settings form, including secrets.
        is_shared: Whether it is in a store that other programs use, too (see `shared`).
        error: Why its settings cannot be read; None if they can.
    """

    id: str
    connector: str
    name: str
    settings: dict[str, Any] = field(repr=False)
    is_shared: bool = False
    error: ConnectorError | None = None


class Store:
    """Stores connections in a directory; safe for threads and for several processes.

    Args:
        directory: Created with mode 0700 if it does not exist.

    Raises:
        StoreError: The directory or its files cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "connections.sqlite3"
        self._lock = threading.Lock()
        try:
            make_private_directory(directory.absolute())
            self._cipher = Fernet(_key(directory / "settings.key", is_new=not self._path.exists()))
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with self._database() as database:
                database.executescript(_CREATE)
            self.all()  # detects a wrong key at startup
        except OSError as error:
            raise StoreError(f"{error.filename or directory} cannot be used: {error.strerror}.") from None
        except ValueError:
            raise StoreError(f"{directory / 'settings.key'} is not a valid key. Restore it from a backup.") from None

    def all(self) -> list[Record]:
        """Return the connections in the order of their creation."""
        with self._database() as database:
            rows = database.execute("SELECT id, connector, sealed FROM connection ORDER BY rowid").fetchall()
        return [self._record(*row) for row in rows]

    def get(self, connection_id: str) -> Record | None:
        """Return a connection, or None if the id is unknown."""
        with self._database() as database:
            row = database.execute(
                "SELECT id, connector, sealed FROM connection WHERE id = ?", (connection_id,)
            ).fetchone()
        return self._record(*row) if row else None

    def put(self, record: Record) -> None:
        """Store a connection, replacing the one with the same id."""
        sealed = self._encrypt({"id": record.id, "name": record.name, "settings": record.settings})
        with self._database() as database:
            database.execute(
                "INSERT INTO connection (id, connector, sealed) VALUES (?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET connector = excluded.connector, sealed = excluded.sealed",
                (record.id, record.connector, sealed),
            )

    def remove(self, connection_id: str) -> None:
        """Delete a connection and its credentials."""
        with self._database() as database:
            database.execute("DELETE FROM connection WHERE id = ?", (connection_id,))
            database.execute("DELETE FROM credentials WHERE id = ?", (connection_id,))
            database.execute("DELETE FROM refusal WHERE id = ?", (connection_id,))
            database.execute("DELETE FROM sync WHERE id = ?", (connection_id,))

    def refused(self) -> dict[str, str]:
        """Return the connections whose authorization the provider refused in the latest call.

        Returns:
            By id, the digest of the settings that were refused: other settings may be accepted.
        """
        with self._database() as database:
            rows = database.execute("SELECT id, sealed FROM refusal").fetchall()
        return {connection_id: str(self._decrypt(sealed).get("settings")) for connection_id, sealed in rows}

    def is_refused(self, record: Record, refused: Mapping[str, str] | None = None) -> bool:
        """Return whether the provider refused the authorization of these settings in the latest call.

        Args:
            record: The connection.
            refused: What `refused` has returned; None reads it.
        """
        return (self.refused() if refused is None else refused).get(record.id) == _digest(record)

    def set_refused(self, record: Record, is_refused: bool) -> None:
        """Record whether the provider refuses the authorization of a connection's settings."""
        with self._database() as database:
            if is_refused:
                sealed = self._encrypt({"settings": _digest(record)})
                database.execute("INSERT OR REPLACE INTO refusal (id, sealed) VALUES (?, ?)", (record.id, sealed))
            else:
                database.execute("DELETE FROM refusal WHERE id = ?", (record.id,))

    def syncs(self) -> dict[str, dict[str, Any]]:
        """Return the latest sync of each connection that this web UI has synced."""
        with self._database() as database:
            rows = database.execute("SELECT id, sealed FROM sync").fetchall()
        return {connection_id: self._decrypt(sealed) for connection_id, sealed in rows}

    def put_sync(self, connection_id: str, latest: Mapping[str, Any]) -> None:
        """Store the latest sync of a connection.

        Args:
            connection_id: The connection.
            latest: The outcome.
        """
        with self._database() as database:
            database.execute(
                "INSERT OR REPLACE INTO sync (id, sealed) VALUES (?, ?)", (connection_id, self._encrypt(latest))
            )

    def load_credentials(self, connection_id: str) -> dict[str, Any] | None:
        """Return the credentials last saved for a connection, with their `version`; None if there are none."""
        with self._database() as database:
            row = database.execute("SELECT sealed, version FROM credentials WHERE id = ?", (connection_id,)).fetchone()
        return {**self._decrypt(row[0])["credentials"], "version": row[1]} if row else None

    def save_credentials(
        self, connection_id: str, credentials: Mapping[str, Any], expected_version: str | int | None
    ) -> int:
        """Store credentials durably.

        Returns:
            Their new version.

        Raises:
            CredentialConflict: *expected_version* is not the stored version.
        """
        version = int(expected_version or 0) + 1
        sealed = self._encrypt({"id": connection_id, "credentials": dict(credentials)})
        with self._database() as database:
            saved = database.execute(_SAVE, (connection_id, version, sealed, version - 1)).rowcount
        if not saved:
            raise CredentialConflict("Newer credentials of this connection were saved first.")
        return version

    def _record(self, connection_id: str, connector: str, sealed: str) -> Record:
        kept = self._decrypt(sealed)
        if kept.get("id") != connection_id:
            raise StoreError(f"{self._path} was tampered with: a connection does not match its id.")
        return Record(connection_id, connector, kept["name"], kept["settings"])

    def _encrypt(self, value: Mapping[str, Any]) -> str:
        return self._cipher.encrypt(json.dumps(value).encode()).decode()

    def _decrypt(self, sealed: str) -> dict[str, Any]:
        try:
            value: dict[str, Any] = json.loads(self._cipher.decrypt(sealed.encode()))
        except (InvalidToken, ValueError):
            raise StoreError(
                f"{self._path} was written with a different key than settings.key, or is damaged. "
                "Restore both from the same backup, or move both away and start over."
            ) from None
        return value

    @contextlib.contextmanager
    def _database(self) -> Generator[sqlite3.Connection]:
        try:
            with (
                self._lock,
                contextlib.closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as database,
            ):
                database.execute("PRAGMA synchronous = FULL")  # a saved token is on disk before it is used
                database.execute("PRAGMA secure_delete = ON")
                yield database
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise StoreError(f"{self._path} cannot be used ({name}).") from None


def default_directory() -> Path:
    """Return the directory of this user's connections."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- only where no directory is given

    return user_state_path("vantage-quickbooks") / "web"


def _digest(record: Record) -> str:
    return hashlib.sha256(json.dumps(record.settings, sort_keys=True).encode()).hexdigest()


def _key(path: Path, *, is_new: bool) -> bytes:
    """Read the key. Create one only for a new store, never for a store whose key is lost."""
    if is_new:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(Fernet.generate_key())
                file.flush()
                os.fsync(file.fileno())
    return path.read_bytes().strip()
