"""
Keeps tokens in a database server, for workers on many machines (extra `database`, and the driver of your database).

Two tables: the records, and one row a chain to lock. The lock is a row lock, `SELECT ... FOR UPDATE`, in a transaction
and a connection of its own that stay open for the length of a refresh: it stops nobody but those who would renew the
same chain, works behind a connection pooler, and the server frees it when the holder's connection ends. The row is
another one than the record's, so that the holder's save does not wait for the holder's lock.

PostgreSQL queues those who wait, in order. Other servers are asked again and again with SKIP LOCKED, which says the
same everywhere, where the settings and errors of a lock's time-out differ from one to the next. A database without row
locks is refused: SQLAlchemy would leave the FOR UPDATE out without a word.

The test suite runs on PostgreSQL 15. MariaDB 10.11 was tried by hand (2026-11), MySQL and Oracle were not.

Each operation opens a connection: they are rare (one refresh an hour), and a pool would not survive a fork.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from vantage_quickbooks.auth.encryption import RecordCipher
from vantage_quickbooks.auth.locks import locked
from vantage_quickbooks.auth.stores import Reencrypted, conflict, state_directory
from vantage_quickbooks.errors import STORE_INVALID, STORE_UNREADABLE, STORE_UNWRITABLE, TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Generator

    from vantage_quickbooks.core.secret import Secret
    from vantage_quickbooks.core.tokens import TokenRecord

__all__ = ["SQLAlchemyStore"]

WITH_ROW_LOCKS = frozenset({"postgresql", "mysql", "mariadb", "oracle"})
"""Databases with SELECT ... FOR UPDATE SKIP LOCKED: PostgreSQL 9.5, MySQL 8.0, MariaDB 10.6, Oracle 11 and newer."""

POLL_S = 0.05
"""Pause between tries for a lock where the server has no queue: a refresh takes some tenths of a second."""

MAX_WAIT_S = 86_400.0  # PostgreSQL counts milliseconds in 32 bits

LOCK_NOT_AVAILABLE = "55P03"
"""Source: PostgreSQL, "Appendix A. PostgreSQL Error Codes"."""

# A server that is gone shows within half a minute, not after the two hours of TCP.
_LIBPQ_OPTIONS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

_METADATA = sa.MetaData()
_TOKEN = sa.Table(
    "vantage_quickbooks_token",
    _METADATA,
    sa.Column("chain", sa.String(255), primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)
_LOCK = sa.Table("vantage_quickbooks_lock", _METADATA, sa.Column("chain", sa.String(255), primary_key=True))


class SQLAlchemyStore:
    """Keeps records in a database server that SQLAlchemy knows; see the module's head and `stores.TokenStore`.

    Args:
        url: A SQLAlchemy URL with a synchronous driver, such as `postgresql+psycopg://user:password@host/database`.
        encryption_key: A key or several, see `sealing.keys_of`; None keeps records as plain text in the table.

    Raises:
        TokenStoreError: The URL is no good, its driver is missing, or its database has no row locks.
    """

    def __init__(self, url: str, *, encryption_key: str | Secret | None = None) -> None:
        self._cipher = RecordCipher(encryption_key)
        self._engine = _engine(url)
        # Processes of one machine take turns at QuickBooks by lock files: a look at the server would cost each request
        # more than that.
        self.lock_directory = state_directory() / "turns"
        self._is_prepared = False

    def load(self, key: str) -> TokenRecord | None:
        """Read the record from its table. See `TokenStore.load`."""
        with self._transaction("read") as database:
            row = database.execute(sa.select(_TOKEN.c.record, _TOKEN.c.version).where(_TOKEN.c.chain == key)).first()
        return self._cipher.decrypt(row.record, self.describe(), key).with_version(row.version) if row else None

    def save(self, key: str, record: TokenRecord) -> TokenRecord:
        """Write the record and commit. See `TokenStore.save`."""
        saved = record.with_version(record.version + 1)
        values = {"record": self._cipher.encrypt(saved, key), "version": saved.version}
        swap = sa.update(_TOKEN).where(_TOKEN.c.chain == key, _TOKEN.c.version == record.version).values(values)
        with self._transaction("saved") as database:
            if self._is_postgresql:
                # A role may have been given commits that do not wait for the disk; "on" leaves stronger ones alone.
                database.execute(_DURABLE)
            if not database.execute(swap).rowcount:
                try:
                    database.execute(sa.insert(_TOKEN).values(chain=key, **values))
                except IntegrityError:
                    raise conflict() from None
        return saved

    def forget(self, key: str) -> None:
        """Delete the record. See `TokenStore.forget`."""
        with self._transaction("saved") as database:
            database.execute(sa.delete(_TOKEN).where(_TOKEN.c.chain == key))

    def reencrypt(self) -> Reencrypted:
        """Encrypt every record with the first key, in place; see `stores.Reencrypted`."""
        with self._transaction("read") as database:
            keys = database.execute(sa.select(_TOKEN.c.chain)).scalars().all()
        counts = Reencrypted(self.describe())
        for key in keys:
            with self._transaction("saved") as database:
                if self._is_postgresql:
                    database.execute(_DURABLE)
                # Nobody saves a newer one between the look and the exchange.
                row = database.execute(
                    sa.select(_TOKEN.c.record).where(_TOKEN.c.chain == key).with_for_update()
                ).first()
                sealed = counts.resealed(self._cipher, key, row.record) if row else None
                if sealed is not None:
                    # The version stays: whoever derives the next record from this one may still save it.
                    database.execute(sa.update(_TOKEN).where(_TOKEN.c.chain == key).values(record=sealed))
                    counts.changed += 1
        return counts

    @contextlib.contextmanager
    def lock(self, key: str, timeout_s: float) -> Generator[None]:
        """Exclude all threads, processes and machines that use this database. See `TokenStore.lock`."""
        with contextlib.ExitStack() as held:
            with self._explaining("locked"):
                self._prepare()
                database = held.enter_context(self._engine.connect())
                self._make_lock_row(database, key)
                is_ours = self._wait_for(database, key, timeout_s)
            if not is_ours:
                raise locked(self.describe(), timeout_s)
            with _held(database):  # beyond the explanations: an error in here is the caller's
                yield

    def describe(self) -> str:
        """Return kind, host and name of the database."""
        url = self._engine.url
        port = f":{url.port}" if url.port else ""
        return f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"

    def close(self) -> None:
        """Do nothing but dispose of the engine: no connection outlives its operation."""
        self._engine.dispose()

    @property
    def _is_postgresql(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    @contextlib.contextmanager
    def _transaction(self, what: str) -> Generator[sa.Connection]:
        with self._explaining(what):
            self._prepare()
            with self._engine.begin() as database:
                yield database

    @contextlib.contextmanager
    def _explaining(self, what: str) -> Generator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            state = _sqlstate(error)
            name = type(error).__name__
            raise TokenStoreError(
                f"The tokens cannot be {what} in {self.describe()} ({name}{f', SQLSTATE {state}' if state else ''}). "
                "Check that the server is up and reachable, that user and password are right, and that the user may "
                "select, insert and update in vantage_quickbooks_token and vantage_quickbooks_lock, or create them.",
                code=STORE_UNREADABLE if what == "read" else STORE_UNWRITABLE,
                retryable=_passes(error),
                details={"reason": name, "sqlstate": state},
            ) from None

    def _prepare(self) -> None:
        """Make the tables if they are missing; others may be doing the same at this moment."""
        if self._is_prepared:
            return
        for is_last in (False, False, True):
            try:
                _METADATA.create_all(self._engine)
                break
            except DBAPIError:
                # Another process made one of them between our look and our CREATE: look again.
                if is_last:
                    raise
        self._is_prepared = True

    def _make_lock_row(self, database: sa.Connection, key: str) -> None:
        with database.begin():
            if database.execute(sa.select(_LOCK).where(_LOCK.c.chain == key)).first():
                return
        with contextlib.suppress(IntegrityError), database.begin():  # another one was faster
            database.execute(sa.insert(_LOCK).values(chain=key))

    def _wait_for(self, database: sa.Connection, key: str, timeout_s: float) -> bool:
        """Lock the row in a transaction that stays open, or return False if it is not free in time."""
        row = sa.select(_LOCK).where(_LOCK.c.chain == key)
        if self._is_postgresql:
            for name, value in _POSTGRESQL_LOCK_SETTINGS.items():
                _set_local(database, name, value)
            milliseconds = round(min(timeout_s, MAX_WAIT_S) * 1000)
            _set_local(database, "lock_timeout", str(max(1, milliseconds)))  # 0 would mean for ever
            try:
                database.execute(row.with_for_update())
            except DBAPIError as error:
                if _sqlstate(error) != LOCK_NOT_AVAILABLE:
                    raise
                return False
            return True
        give_up_at = time.monotonic() + timeout_s
        while not database.execute(row.with_for_update(skip_locked=True)).first():
            database.rollback()
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(POLL_S)
        return True


_DURABLE = sa.text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)

_POSTGRESQL_LOCK_SETTINGS = {
    # The transaction waits, and then stays idle for as long as Intuit takes to answer: that is its purpose.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A holder whose machine is gone loses the lock after 25 s, not after the two hours of TCP.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


def _engine(url: str) -> sa.Engine:
    """Make the engine, or say what is wrong with *url* without repeating it: it holds a password."""
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
        if backend not in WITH_ROW_LOCKS:
            raise TokenStoreError(_without_row_locks(backend), code=STORE_INVALID)
        engine = sa.create_engine(
            parsed,
            poolclass=sa.NullPool,
            # The compare and swap relies on seeing what others have committed; some servers' default hides it.
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            logging_name="vantage_quickbooks",
            connect_args=_connect_args(parsed),
        )
    except ModuleNotFoundError as error:
        raise TokenStoreError(
            f"The driver of the token database, {error.name}, is not installed: install it with pip "
            '(for PostgreSQL `pip install "psycopg[binary]"`).',
            code=STORE_INVALID,
        ) from None
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise TokenStoreError(
            "The URL of the token store is not one that SQLAlchemy can read. "
            "Write it as postgresql+psycopg://user:password@host/database, with special characters percent-encoded.",
            code=STORE_INVALID,
        ) from None
    if engine.dialect.is_async:
        raise TokenStoreError(
            f"The driver {engine.dialect.driver} of the token database is asynchronous. "
            "Choose a synchronous one, such as postgresql+psycopg.",
            code=STORE_INVALID,
        )
    # At DEBUG, SQLAlchemy logs every row it reads, tokens and all. This logger is this engine's own.
    logging.getLogger("sqlalchemy.engine.Engine.vantage_quickbooks").setLevel(logging.WARNING)
    return engine


def _without_row_locks(backend: str) -> str:
    if backend == "sqlite":
        return "SQLite has no row locks: give the file's path to open_store or SQLiteStore, which lock by a file."
    return (
        f"Tokens cannot be kept in {backend}: the store needs row locks it knows, "
        f"which are those of {', '.join(sorted(WITH_ROW_LOCKS))}."
    )


def _connect_args(url: sa.URL) -> dict[str, Any]:
    if url.get_backend_name() != "postgresql" or url.get_driver_name() not in ("psycopg", "psycopg2"):
        return {}
    return {name: value for name, value in _LIBPQ_OPTIONS.items() if name not in url.query}


def _set_local(database: sa.Connection, name: str, value: str) -> None:
    """Set a parameter of the server for this transaction."""
    database.execute(sa.select(sa.func.set_config(name, value, True)))


@contextlib.contextmanager
def _held(database: sa.Connection) -> Generator[None]:
    """Keep the lock's transaction for a block and then end it, in this process alone."""
    pid = os.getpid()
    socket = _socket(database)
    if socket is not None:
        _LOCK_SOCKETS.add(socket)
    try:
        yield
    finally:
        # If the connection is lost, so is the lock, and the versions decide.
        with contextlib.suppress(SQLAlchemyError):
            if os.getpid() == pid:
                database.rollback()
            else:
                database.invalidate()
        if socket is not None:
            _LOCK_SOCKETS.discard(socket)


def _socket(database: sa.Connection) -> int | None:
    """Return the descriptor of a connection whose driver shows it, as those of PostgreSQL do."""
    fileno = getattr(database.connection.driver_connection, "fileno", None)
    return fileno() if fileno else None


_LOCK_SOCKETS: set[int] = set()


def _leave_locks_to_parent() -> None:
    """Turn the lock connections that a forked child inherits into /dev/null.

    The child's goodbye on one would end its parent's lock, and its mere possession would keep the lock alive after the
    parent is killed. Closed, the number might come to mean another file before the driver uses it again.
    """
    if _LOCK_SOCKETS:
        nothing = os.open(os.devnull, os.O_RDWR)
        for socket in _LOCK_SOCKETS:
            os.dup2(nothing, socket, inheritable=False)
        os.close(nothing)
        _LOCK_SOCKETS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_locks_to_parent)


def _sqlstate(error: SQLAlchemyError) -> str | None:
    origin = getattr(error, "orig", None)
    return getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)


def _passes(error: SQLAlchemyError) -> bool:
    """Tell whether the server may take the same call later: no connection, shutting down, out of resources."""
    state = _sqlstate(error)
    if state:
        return state[:2] in ("08", "40", "53", "57")
    return isinstance(error, OperationalError | InterfaceError)
