"""Tables in a SQL database: what the registry of connections and the table of sync states share.

Each operation is one transaction and opens a connection of its own; see `databases.make_engine`. Reading creates
nothing and needs no more than SELECT. The file of SQLite has mode 0600. Needs the extra `database`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from vantage_quickbooks.databases import (
    Database,
    DatabaseURLError,
    create_tables,
    is_transient,
    make_durable,
    sqlstate,
)
from vantage_quickbooks.errors import REGISTRY_INVALID, FieldError, RegistryError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator

__all__ = ["URL_VARIABLE", "SqlTables", "invalid_registry"]

BUSY_TIMEOUT_S = 10.0
"""How long an operation waits for other writers of a SQLite file: each locks it for one commit, some milliseconds."""

URL_VARIABLE = "VANTAGE_QUICKBOOKS_REGISTRY"


class SqlTables:
    """The tables of *metadata* in a database.

    Args:
        url: A SQLAlchemy URL with a synchronous driver, `sqlite:////path` or `postgresql+psycopg://user:password@host/db`.
        metadata: The tables.
        name: What the database is for messages: `registry of connections`.
        content: What is in it, for messages: `connections`.

    Raises:
        RegistryError: The URL is invalid, or a package is missing.
    """

    def __init__(self, url: str, metadata: sa.MetaData, name: str, content: str) -> None:
        self._metadata, self._content = metadata, content
        try:
            self._database = Database(url, name, busy_timeout_s=BUSY_TIMEOUT_S, configure=_replace_damaged_text)
        except DatabaseURLError as error:
            raise invalid_registry(URL_VARIABLE, "url", error.message, error.hint) from None
        self._engine = self._database.engine
        self._has_table = False

    def describe(self) -> str:
        """Return the kind, host and name of the database, or the path of the SQLite file."""
        return self._database.where

    def close(self) -> None:
        """Dispose of the engine; a connection lives for one operation."""
        self._database.close()

    def _prepare(self) -> None:
        """Create the tables, and the file of SQLite."""
        with self._translate_errors("written"):
            if self._database.is_missing:
                self._database.create_file()
                self._has_table = False
            if not self._has_table:
                with self._database.guarded():
                    create_tables(self._engine, self._metadata)
                self._has_table = True

    @contextlib.contextmanager
    def _reading(self) -> Generator[sa.Connection | None]:
        """Yield a transaction, or None if there is no table: reading creates nothing."""
        if self._database.is_missing:
            yield None
            return
        with self._transaction("read") as database:
            if not self._has_table:
                inspector = sa.inspect(database)
                self._has_table = all(inspector.has_table(name) for name in self._metadata.tables)
            yield database if self._has_table else None

    @contextlib.contextmanager
    def _transaction(self, operation: str, connection_id: str | None = None) -> Generator[sa.Connection]:
        guarded = self._database.guarded
        with self._translate_errors(operation, connection_id), guarded(), self._engine.begin() as database:
            if operation == "written":
                make_durable(database)
            yield database

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
        if self._database.file:
            reason = getattr(getattr(failure, "orig", None), "sqlite_errorname", None) or reason
            retryable = "BUSY" in reason or "LOCKED" in reason
        message = f"The {self._content} in {self.describe()} cannot be {operation} ({reason})."
        hint = (
            "Check that it is a SQLite database, that this user can write to it and its folder, and that no other "
            "program has locked it."
            if self._database.file
            else "Check that the server is running and reachable, that user and password are correct, and that the "
            f"user can select, insert, update and delete in {', '.join(self._metadata.tables)}, or create it."
        )
        raise RegistryError(
            f"{message} {hint}",
            [FieldError(URL_VARIABLE, "database", message, hint)],
            retryable=retryable,
            details={"connectionId": connection_id, "reason": name, "sqlstate": state},
        )


def _replace_damaged_text(database: sqlite3.Connection) -> None:
    """Let damaged text in one row not fail the query of all rows."""
    database.text_factory = lambda text: text.decode(errors="replace")


def invalid_registry(variable: str, rule: str, message: str, hint: str) -> RegistryError:
    """Return the error for a URL or key that cannot be used."""
    return RegistryError(f"{message} {hint}", [FieldError(variable, rule, message, hint)], code=REGISTRY_INVALID)
