"""A database table of connections, for workers on many machines. Needs the extras `database` and `encryption`.

One table, created by the first `add`: the id, and label and settings encrypted with VANTAGE_QUICKBOOKS_TOKEN_KEY. The
encrypted text contains the id and is valid for no other: an attacker who can write to the table, but has no key, cannot
give one company's credentials to another connection.

Readers need no more than SELECT. Each operation is one transaction and opens a connection of its own; see
`databases.make_engine`. The test suite runs on SQLite and PostgreSQL 15.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from vantage_quickbooks.auth.encryption import TextCipher, UndecryptableError
from vantage_quickbooks.auth.stores.base import ReencryptionReport
from vantage_quickbooks.databases import (
    DatabaseURLError,
    describe_url,
    is_transient,
    make_durable,
    make_engine,
    parse_url,
    sqlstate,
)
from vantage_quickbooks.errors import (
    REGISTRY_INVALID,
    DamagedConnectionError,
    FieldError,
    RegistryError,
    TokenStoreError,
)
from vantage_quickbooks.locks import FORK_GUARD
from vantage_quickbooks.private_files import make_private_directory
from vantage_quickbooks.registry.base import Document, StoredRegistry, damaged_error, read_json, without_frames

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator, Iterable, Sequence

    from vantage_quickbooks.core.secret import Secret

__all__ = ["DatabaseRegistry"]

BUSY_TIMEOUT_S = 10.0
"""How long an operation waits for other writers of a SQLite file: each locks it for one commit, some milliseconds."""

ATTEMPTS = 5
"""Attempts to replace a connection that other processes add and remove at the same time."""

_URL_VARIABLE, _KEY_VARIABLE = "VANTAGE_QUICKBOOKS_REGISTRY", "VANTAGE_QUICKBOOKS_TOKEN_KEY"
_NAME = "registry of connections"

_METADATA = sa.MetaData()
_CONNECTION = sa.Table(
    "vantage_quickbooks_connection",
    _METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
)


class DatabaseRegistry(StoredRegistry):
    """Keeps connections in a database that SQLAlchemy supports; see the module's docstring.

    Args:
        url: A SQLAlchemy URL with a synchronous driver, `sqlite:////path` or `postgresql+psycopg://user:password@host/db`.
            The file of SQLite is created with mode 0600.
        encryption_key: One or more keys, see `encryption.parse_keys`; required.

    Raises:
        RegistryError: The URL or the key is invalid, or a package is missing.
    """

    def __init__(self, url: str, *, encryption_key: str | Secret | None = None) -> None:
        self._file: Path | None = None
        self._where = "a database"
        try:
            parsed = parse_url(url, _NAME)
            self._where = describe_url(parsed)
            if parsed.get_backend_name() == "sqlite":
                self._file = _sqlite_file(parsed)
                self._where = f"SQLite file {self._file}"
            self._engine = make_engine(parsed, _NAME, self._open_file if self._file else None)
        except DatabaseURLError as error:
            raise _invalid(_URL_VARIABLE, "url", error.message, error.hint) from None
        self._cipher = _make_cipher(encryption_key)
        self._has_table = False

    def describe(self) -> str:
        """Return the kind, host and name of the database, or the path of the SQLite file."""
        return self._where

    def close(self) -> None:
        """Dispose of the engine; a connection lives for one operation."""
        self._engine.dispose()

    @without_frames
    def prepare(self) -> None:
        """Create the table, and the file of SQLite. See `StoredRegistry.prepare`."""
        with self._translate_errors("written"):
            if self._file and not self._file.exists():
                make_private_directory(self._file.parent)
                with contextlib.suppress(FileExistsError):  # SQLite itself would create a file that others can read
                    os.close(os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                self._has_table = False
            for is_last_attempt in (False, False, True):
                if self._has_table:
                    return
                try:
                    with self._guarded():
                        _METADATA.create_all(self._engine)
                    self._has_table = True
                except DBAPIError:
                    # Another process created the table between the check and CREATE: check again.
                    if is_last_attempt:
                        raise

    @without_frames
    def reencrypt(self) -> ReencryptionReport:
        """Encrypt every connection with the first key, in place; safe while other processes add and remove."""
        report = ReencryptionReport(self.describe())
        for connection_id, sealed in self._rows():
            if self._cipher.decrypt_with_first_key(sealed) is not None:
                report.current += 1
                continue
            try:
                text = self._encrypt(self._decrypt(connection_id, sealed), connection_id)
            except DamagedConnectionError:
                report.unreadable += 1
                continue
            # Not if it was replaced meanwhile: its new settings are encrypted with the key of that process.
            unchanged = sa.update(_CONNECTION).where(_CONNECTION.c.id == connection_id, _CONNECTION.c.sealed == sealed)
            with self._transaction("written") as database:
                report.changed += database.execute(unchanged.values(sealed=text)).rowcount
        return report

    def _scan(self) -> Iterable[tuple[str, Callable[[], Document | None]]]:
        return [(row_id, functools.partial(self._decrypt, row_id, sealed)) for row_id, sealed in self._rows()]

    def _rows(self) -> Sequence[tuple[str, object]]:
        with self._reading() as database:
            if database is None:
                return []
            return [(str(row.id), row.sealed) for row in database.execute(sa.select(_CONNECTION))]

    def _read(self, connection_id: str) -> Document:
        query = sa.select(_CONNECTION.c.sealed).where(_CONNECTION.c.id == connection_id)
        with self._reading() as database:
            row = database.execute(query).first() if database is not None else None
        if row is None:
            raise self.not_found(connection_id)
        return self._decrypt(connection_id, row.sealed)

    def _write(self, connection_id: str, document: Document, *, replace: bool) -> None:
        self.prepare()
        self._adopt_salt()
        values = {"sealed": self._encrypt(document, connection_id)}
        update = sa.update(_CONNECTION).where(_CONNECTION.c.id == connection_id).values(values)
        for _ in range(ATTEMPTS):
            if replace:
                with self._transaction("written", connection_id) as database:
                    if database.execute(update).rowcount:
                        return
            with contextlib.suppress(IntegrityError), self._transaction("written", connection_id) as database:
                database.execute(sa.insert(_CONNECTION).values(id=connection_id, **values))
                return
            if not replace:
                break
        raise self.exists_error(connection_id)

    def _delete(self, connection_id: str) -> None:
        is_deleted = False
        with self._reading() as database:
            is_stored = database is not None
        if is_stored:
            with self._transaction("written", connection_id) as database:
                delete = sa.delete(_CONNECTION).where(_CONNECTION.c.id == connection_id)
                is_deleted = bool(database.execute(delete).rowcount)
        if not is_deleted:
            raise self.not_found(connection_id)

    def _encrypt(self, document: Document, connection_id: str) -> str:
        settings, label = document
        return self._cipher.encrypt_text(
            json.dumps({"connection": connection_id, "label": label, "settings": settings})
        )

    def _decrypt(self, connection_id: str, sealed: object) -> Document:
        where = self.describe()
        if not isinstance(sealed, str):  # SQLite stores values of any type in any column
            raise damaged_error(connection_id, where, "it is not text")
        try:
            plain = self._cipher.decrypt_text(sealed)
        except UndecryptableError:
            raise _undecryptable_error(connection_id, where) from None
        stored = read_json(plain, connection_id, where)
        settings, label = stored.get("settings"), stored.get("label")
        if stored.get("connection") != connection_id:
            raise damaged_error(connection_id, where, "it belongs to another connection")
        if not isinstance(settings, dict) or not (label is None or isinstance(label, str)):
            raise damaged_error(connection_id, where, "its settings are not an object, or its label is not text")
        return Document(settings, label)

    def _adopt_salt(self) -> None:
        """Use the salt of a stored connection: with one for each process, a list would take 0.15 s an entry."""
        if not self._cipher.needs_salt:
            return
        with self._reading() as database:
            row = database.execute(sa.select(_CONNECTION.c.sealed).limit(1)).first() if database is not None else None
        if row is not None:
            with contextlib.suppress(UndecryptableError):
                self._cipher.decrypt_text(row.sealed)

    @contextlib.contextmanager
    def _reading(self) -> Generator[sa.Connection | None]:
        """Yield a transaction, or None if there is no table: reading creates nothing."""
        if self._file and not self._file.exists():
            yield None
            return
        with self._transaction("read") as database:
            self._has_table = self._has_table or sa.inspect(database).has_table(_CONNECTION.name)
            yield database if self._has_table else None

    @contextlib.contextmanager
    def _transaction(self, operation: str, connection_id: str | None = None) -> Generator[sa.Connection]:
        with self._translate_errors(operation, connection_id), self._guarded(), self._engine.begin() as database:
            if operation == "written":
                make_durable(database)
            yield database

    @contextlib.contextmanager
    def _guarded(self) -> Generator[None]:
        """Let no fork happen while a SQLite file is open (https://www.sqlite.org/howtocorrupt.html, section 2.7)."""
        with FORK_GUARD if self._file else contextlib.nullcontext():
            yield

    def _open_file(self) -> sqlite3.Connection:
        import sqlite3  # noqa: PLC0415 -- only for SQLite

        # mode=rw: SQLite must not create the file, because other users could read it.
        uri = f"file:{quote(str(self._file))}?mode=rw"
        database = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)
        # Damaged text in one row must not fail the query of all rows.
        database.text_factory = lambda text: text.decode(errors="replace")
        return database

    @contextlib.contextmanager
    def _translate_errors(self, operation: str, connection_id: str | None = None) -> Generator[None]:
        """Let expected errors out; the text of any other may contain a value."""
        failure: SQLAlchemyError | OSError
        try:
            yield
        except IntegrityError:
            raise
        except (SQLAlchemyError, OSError) as error:
            failure = error
        else:
            return
        name, state = type(failure).__name__, None
        retryable = False
        if isinstance(failure, SQLAlchemyError):
            state, retryable = sqlstate(failure), is_transient(failure)
        reason = f"{name}, SQLSTATE {state}" if state else name
        if self._file:
            reason = getattr(getattr(failure, "orig", None), "sqlite_errorname", None) or reason
            retryable = "BUSY" in reason or "LOCKED" in reason
        message = f"The connections in {self.describe()} cannot be {operation} ({reason})."
        hint = (
            "Check that it is a SQLite database, that this user can write to it and its folder, and that no other "
            "program has locked it."
            if self._file
            else "Check that the server is running and reachable, that user and password are correct, and that the "
            f"user can select, insert, update and delete in {_CONNECTION.name}, or create it."
        )
        raise RegistryError(
            f"{message} {hint}",
            [FieldError(_URL_VARIABLE, "database", message, hint)],
            retryable=retryable,
            details={"connectionId": connection_id, "reason": name, "sqlstate": state},
        )


def _sqlite_file(url: sa.URL) -> Path:
    """Return the absolute path of a SQLite URL's file.

    Raises:
        RegistryError: The URL names no file, or has options.
    """
    name = url.database
    if not name or name == ":memory:" or name.startswith("file:") or url.query:
        raise _invalid(
            _URL_VARIABLE,
            "url",
            f"The URL of the {_NAME} does not name a SQLite file.",
            "Write sqlite:///relative/path or sqlite:////absolute/path, without options.",
        )
    return Path(name).expanduser().absolute()


def _make_cipher(encryption_key: str | Secret | None) -> TextCipher:
    if encryption_key is None:
        raise _invalid(
            _KEY_VARIABLE,
            "required",
            f"The {_NAME} is a database, which stores settings encrypted, and there is no key.",
            f"Set {_KEY_VARIABLE} to a passphrase or a Fernet key, and keep a copy of it: without the key, the "
            "settings cannot be read again.",
        )
    try:
        return TextCipher(encryption_key)
    except TokenStoreError as error:
        message = error.message
    raise _invalid(_KEY_VARIABLE, "key", message, "See docs/tokens.md for the form of keys.")


def _invalid(variable: str, rule: str, message: str, hint: str) -> RegistryError:
    return RegistryError(f"{message} {hint}", [FieldError(variable, rule, message, hint)], code=REGISTRY_INVALID)


def _undecryptable_error(connection_id: str, where: str) -> DamagedConnectionError:
    message = (
        f"The connection {connection_id} in {where} was encrypted with another key, or is damaged. It was left "
        "unchanged."
    )
    hint = f"Set the key it was saved with ({_KEY_VARIABLE}), or connect the company again and replace the entry."
    return DamagedConnectionError(
        f"{message} {hint}",
        [FieldError(_KEY_VARIABLE, "key", message, hint)],
        details={"connectionId": connection_id},
    )
