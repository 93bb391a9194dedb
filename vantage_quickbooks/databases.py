"""SQL databases: URLs, drivers, engines, errors, durability. Needs the extra `database`.

The URL of a database contains a password, so no error quotes it, nor the text of a driver's error.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from vantage_quickbooks.locks import FORK_GUARD
from vantage_quickbooks.sqlite_files import create_sqlite_file, open_sqlite_file

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator

__all__ = [
    "Database",
    "DatabaseURLError",
    "create_tables",
    "describe_url",
    "is_transient",
    "make_durable",
    "make_engine",
    "parse_url",
    "sqlstate",
]

# A lost server is detected within half a minute, not after the two hours of TCP's default keepalive.
# Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS.
_LIBPQ_OPTIONS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

_DURABLE = sa.text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)


class DatabaseURLError(Exception):
    """The URL of a database cannot be used.

    Args:
        message: Why.
        hint: What to do.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message = message
        self.hint = hint


class Database:
    """A database server, or a SQLite file that only this user can read.

    Args:
        url: A SQLAlchemy URL with a synchronous driver, `sqlite:////path` or `postgresql+psycopg://user:password@host/db`.
        name: As for `parse_url`.
        busy_timeout_s: How long an operation waits for other writers of a SQLite file.
        configure: Called with each new connection to a SQLite file.
        **options: Of `sqlite3.connect`.

    Attributes:
        file: The SQLite file; None for a server.
        where: The SQLite file, or kind, host and name of the database, without user and password.
        engine: Opens a connection for each operation.

    Raises:
        DatabaseURLError: The URL is invalid, or its driver is missing.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        busy_timeout_s: float,
        configure: Callable[[sqlite3.Connection], object],
        **options: Any,
    ) -> None:
        parsed = parse_url(url, name)
        self.file: Path | None = None
        self.where = describe_url(parsed)
        creator = None
        if parsed.get_backend_name() == "sqlite":
            file = self.file = _sqlite_path(parsed, name)
            self.where = f"SQLite file {file}"

            def creator() -> sqlite3.Connection:
                connection = open_sqlite_file(file, busy_timeout_s, **options)
                configure(connection)
                return connection

        self.engine = make_engine(parsed, name, creator)

    def close(self) -> None:
        """Dispose of the engine; a connection lives for one operation."""
        self.engine.dispose()

    @property
    def is_missing(self) -> bool:
        """Whether it is a SQLite file that does not exist."""
        return self.file is not None and not self.file.exists()

    def create_file(self) -> None:
        """Create the SQLite file unless it exists.

        Raises:
            OSError: It cannot be created.
        """
        if self.file is not None:
            create_sqlite_file(self.file)

    @contextlib.contextmanager
    def guarded(self) -> Generator[None]:
        """Let no fork happen while a SQLite file is open (https://www.sqlite.org/howtocorrupt.html, section 2.7)."""
        with FORK_GUARD if self.file else contextlib.nullcontext():
            yield


def parse_url(url: str, name: str) -> sa.URL:
    """Parse a SQLAlchemy URL.

    Args:
        url: The URL.
        name: What the database is for, for messages: `token store`.

    Raises:
        DatabaseURLError: It is not a URL.
    """
    try:
        return sa.make_url(url)
    except (ArgumentError, ValueError):
        raise _unparsable(name) from None


def make_engine(url: sa.URL, name: str, creator: Callable[[], Any] | None = None) -> sa.Engine:
    """Return an engine that opens a connection for each operation.

    Operations are rare, and a pool would not survive a fork.

    Args:
        url: The URL.
        name: As for `parse_url`.
        creator: Opens a connection to SQLite; None for other databases.

    Raises:
        DatabaseURLError: The driver is missing, unknown or asynchronous.
    """
    try:
        engine = sa.create_engine(
            url,
            poolclass=sa.NullPool,
            hide_parameters=True,
            logging_name="vantage_quickbooks",
            # Compare and swap relies on seeing commits of other transactions; the default of some servers hides them.
            **({"creator": creator} if creator else {"isolation_level": "READ COMMITTED"}),
            connect_args=_connect_args(url),
        )
    except ModuleNotFoundError as error:
        raise DatabaseURLError(
            f"The driver of the {name}, {error.name}, is not installed.",
            'Install it with pip (for PostgreSQL `pip install "psycopg[binary]"`).',
        ) from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise _unparsable(name) from None
    if engine.dialect.is_async:
        raise DatabaseURLError(
            f"The driver {engine.dialect.driver} of the {name} is asynchronous.",
            "Use a synchronous one, such as postgresql+psycopg.",
        )
    # At DEBUG, SQLAlchemy logs every row it reads, including tokens. This logger belongs to these engines alone.
    logging.getLogger("sqlalchemy.engine.Engine.vantage_quickbooks").setLevel(logging.WARNING)
    return engine


def create_tables(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Create the tables that are missing.

    Args:
        engine: The engine.
        metadata: The tables.

    Raises:
        SQLAlchemyError: They cannot be created.
    """
    for is_last_attempt in (False, False, True):
        try:
            metadata.create_all(engine)
        except DBAPIError:
            # Another process created the tables between the check and CREATE: check again.
            if is_last_attempt:
                raise
        else:
            return


def describe_url(url: sa.URL) -> str:
    """Return the kind, host and name of a database, without user and password."""
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"


def make_durable(database: sa.Connection) -> None:
    """Make the transaction's commit wait for the disk.

    A role of PostgreSQL may have been given commits that do not; "on" leaves stronger settings alone.
    """
    if database.dialect.name == "postgresql":
        database.execute(_DURABLE)


def sqlstate(error: SQLAlchemyError) -> str | None:
    """Return the SQLSTATE of an error if the driver reports it."""
    origin = getattr(error, "orig", None)
    return getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)


def is_transient(error: SQLAlchemyError) -> bool:
    """Return whether the same call may succeed later: no connection, shutting down, out of resources.

    Source: the classes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
    """
    state = sqlstate(error)
    if state:
        return state[:2] in ("08", "40", "53", "57")
    return isinstance(error, OperationalError | InterfaceError)


def _sqlite_path(url: sa.URL, name: str) -> Path:
    """Return the absolute path of a SQLite URL's file."""
    file = url.database
    if not file or file == ":memory:" or file.startswith("file:") or url.query:
        raise DatabaseURLError(
            f"The URL of the {name} does not name a SQLite file.",
            "Write sqlite:///relative/path or sqlite:////absolute/path, without options.",
        )
    return Path(file).expanduser().absolute()


def _connect_args(url: sa.URL) -> dict[str, Any]:
    if url.get_backend_name() != "postgresql" or url.get_driver_name() not in ("psycopg", "psycopg2"):
        return {}
    return {name: value for name, value in _LIBPQ_OPTIONS.items() if name not in url.query}


def _unparsable(name: str) -> DatabaseURLError:
    return DatabaseURLError(
        f"SQLAlchemy cannot parse the URL of the {name}.",
        "Write it as postgresql+psycopg://user:password@host/database, with special characters percent-encoded.",
    )
