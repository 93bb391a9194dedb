"""Keeps token records in a database server, for workers on many machines.

Needs the extra `database` and the driver of the database.

There are two tables: the records, and one row per chain to lock. The lock is a row lock, `SELECT ... FOR UPDATE`, in
its own connection and transaction, which stay open during a refresh. It blocks only refreshes of the same chain and
works behind a connection pooler, and the server releases it when the holder's connection ends. The row is not the
record's row, so that the holder's save does not wait for the holder's lock.

PostgreSQL queues waiting transactions in order. Other servers are polled with SKIP LOCKED, which works the same way
everywhere, while the settings and errors of lock timeouts differ. A database without row locks is refused, because
SQLAlchemy would silently omit the FOR UPDATE.

The test suite runs on PostgreSQL 15. MariaDB 10.11 was tried by hand (2026-11), MySQL and Oracle were not.

Each operation opens a connection: operations are rare (one refresh an hour), and a pool would not survive a fork.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from vantage_quickbooks.auth.encryption import RecordCipher
from vantage_quickbooks.auth.stores.base import (
    ReencryptionReport,
    conflict_error,
    lock_timeout_error,
    state_directory,
)
from vantage_quickbooks.databases import (
    DatabaseURLError,
    create_tables,
    describe_url,
    is_transient,
    make_durable,
    make_engine,
    parse_url,
    sqlstate,
)
from vantage_quickbooks.errors import STORE_INVALID, STORE_UNREADABLE, STORE_UNWRITABLE, TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from vantage_quickbooks.core.secret import Secret
    from vantage_quickbooks.core.tokens import TokenRecord

__all__ = ["SQLAlchemyStore"]

ROW_LOCK_BACKENDS = frozenset({"postgresql", "mysql", "mariadb", "oracle"})
"""Databases with SELECT ... FOR UPDATE SKIP LOCKED: PostgreSQL 9.5, MySQL 8.0, MariaDB 10.6, Oracle 11 and later."""

POLL_INTERVAL_S = 0.05
"""Pause between attempts to lock a row where the server is polled: a refresh takes some tenths of a second."""

MAX_LOCK_TIMEOUT_S = 86_400.0
"""PostgreSQL has timeouts of 32-bit milliseconds (https://www.postgresql.org/docs/current/config-setting.html)."""

LOCK_NOT_AVAILABLE = "55P03"
"""Source: https://www.postgresql.org/docs/current/errcodes-appendix.html."""

_METADATA = sa.MetaData()
_TOKEN = sa.Table(
    "vantage_quickbooks_token",
    _METADATA,
    sa.Column("chain", sa.String(255), primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)
_LOCK = sa.Table("vantage_quickbooks_lock", _METADATA, sa.Column("chain", sa.String(255), primary_key=True))

_CALLS_METADATA = sa.MetaData()
"""Apart from the tables of tokens, which an administrator may have created: counting must not stop tokens."""
_CALLS = sa.Table(
    "vantage_quickbooks_calls",
    _CALLS_METADATA,
    sa.Column("app", sa.String(255), primary_key=True),
    sa.Column("month", sa.String(7), primary_key=True),
    sa.Column("calls", sa.BigInteger, nullable=False),
)


class SQLAlchemyStore:
    """Keeps records in a database server that SQLAlchemy supports; see the module's docstring.

    Args:
        url: A SQLAlchemy URL with a synchronous driver, such as `postgresql+psycopg://user:password@host/database`.
        encryption_key: One or more keys, see `encryption.parse_keys`; None keeps records as plain text in the table.

    Raises:
        TokenStoreError: The URL is invalid, its driver is missing, or its database has no row locks.
    """

    def __init__(self, url: str, *, encryption_key: str | Secret | None = None) -> None:
        self._cipher = RecordCipher(encryption_key)
        self._engine = _engine(url)
        self._lock_directory = state_directory() / "turns"
        self._is_prepared = False

    @property
    def lock_directory(self) -> Path:
        """A directory in the user's state directory. See `TokenStore.lock_directory`.

        The processes of one machine share rate limits through lock files, because asking the database server for each
        request would cost more than that.
        """
        return self._lock_directory

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
            make_durable(database)
            if not database.execute(swap).rowcount:
                try:
                    database.execute(sa.insert(_TOKEN).values(chain=key, **values))
                except IntegrityError:
                    raise conflict_error() from None
        return saved

    def forget(self, key: str) -> None:
        """Delete the record. See `TokenStore.forget`."""
        with self._transaction("saved") as database:
            database.execute(sa.delete(_TOKEN).where(_TOKEN.c.chain == key))

    def reencrypt(self) -> ReencryptionReport:
        """Encrypt every record with the first key, in place; see `ReencryptionReport`."""
        with self._transaction("read") as database:
            keys = database.execute(sa.select(_TOKEN.c.chain)).scalars().all()
        report = ReencryptionReport(self.describe())
        for key in keys:
            with self._transaction("saved") as database:
                make_durable(database)
                # FOR UPDATE: no other process saves a newer record between reading and replacing this one.
                row = database.execute(
                    sa.select(_TOKEN.c.record).where(_TOKEN.c.chain == key).with_for_update()
                ).first()
                text = report.reencrypted(self._cipher, key, row.record) if row else None
                if text is not None:
                    # The version stays the same: a record that is derived from this one can still be saved.
                    database.execute(sa.update(_TOKEN).where(_TOKEN.c.chain == key).values(record=text))
                    report.changed += 1
        return report

    @contextlib.contextmanager
    def lock(self, key: str, timeout_s: float) -> Generator[None]:
        """Exclude all threads, processes and machines that use this database. See `TokenStore.lock`."""
        with contextlib.ExitStack() as held:
            with self._translate_errors("locked"):
                self._prepare()
                database = held.enter_context(self._engine.connect())
                self._insert_lock_row(database, key)
                is_acquired = self._lock_row(database, key, timeout_s)
            if not is_acquired:
                raise lock_timeout_error(self.describe(), timeout_s)
            with _hold_transaction(database):  # outside of _translate_errors: an error in here is the caller's
                yield

    def add_calls(self, app: str, month: str, calls: int) -> int:
        """Add calls in the database, for all machines that use it. See `TokenStore.add_calls`."""
        where = (_CALLS.c.app == app, _CALLS.c.month == month)
        with self._translate_errors("counted"):
            create_tables(self._engine, _CALLS_METADATA)
            for _ in range(2):
                with contextlib.suppress(IntegrityError), self._engine.begin() as database:
                    if not database.execute(
                        sa.update(_CALLS).where(*where).values(calls=_CALLS.c.calls + calls)
                    ).rowcount:
                        database.execute(sa.insert(_CALLS).values(app=app, month=month, calls=calls))
                    return int(database.execute(sa.select(_CALLS.c.calls).where(*where)).scalar_one())
            raise conflict_error()  # another process inserted the row and removed it again

    def counted_calls(self) -> list[tuple[str, str, int]]:
        """Return what was counted in the database. See `TokenStore.counted_calls`."""
        with self._translate_errors("read"):
            create_tables(self._engine, _CALLS_METADATA)
            with self._engine.connect() as database:
                rows = database.execute(sa.select(_CALLS).where(_CALLS.c.calls > 0).order_by(*_CALLS.primary_key))
                return [(row.app, row.month, row.calls) for row in rows]

    def describe(self) -> str:
        """Return the kind, host and name of the database."""
        return describe_url(self._engine.url)

    def close(self) -> None:
        """Dispose of the engine; a connection lives for one operation."""
        self._engine.dispose()

    @property
    def _is_postgresql(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    @contextlib.contextmanager
    def _transaction(self, operation: str) -> Generator[sa.Connection]:
        with self._translate_errors(operation):
            self._prepare()
            with self._engine.begin() as database:
                yield database

    @contextlib.contextmanager
    def _translate_errors(self, operation: str) -> Generator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            state = sqlstate(error)
            name = type(error).__name__
            raise TokenStoreError(
                f"The tokens cannot be {operation} in {self.describe()} "
                f"({name}{f', SQLSTATE {state}' if state else ''}). Check that the server is running and reachable, "
                "that user and password are correct, and that the user can select, insert and update in "
                "vantage_quickbooks_token and vantage_quickbooks_lock, or create them.",
                code=STORE_UNREADABLE if operation == "read" else STORE_UNWRITABLE,
                retryable=is_transient(error),
                details={"reason": name, "sqlstate": state},
            ) from None

    def _prepare(self) -> None:
        """Create the tables if they are missing."""
        if self._is_prepared:
            return
        create_tables(self._engine, _METADATA)
        self._is_prepared = True

    def _insert_lock_row(self, database: sa.Connection, key: str) -> None:
        with database.begin():
            if database.execute(sa.select(_LOCK).where(_LOCK.c.chain == key)).first():
                return
        with contextlib.suppress(IntegrityError), database.begin():  # another process inserted it
            database.execute(sa.insert(_LOCK).values(chain=key))

    def _lock_row(self, database: sa.Connection, key: str, timeout_s: float) -> bool:
        """Lock the row in a transaction that stays open; return False if it is not released in time."""
        row = sa.select(_LOCK).where(_LOCK.c.chain == key)
        if self._is_postgresql:
            for name, value in _POSTGRESQL_LOCK_SETTINGS.items():
                _set_local(database, name, value)
            milliseconds = round(min(timeout_s, MAX_LOCK_TIMEOUT_S) * 1000)
            _set_local(database, "lock_timeout", str(max(1, milliseconds)))  # 0 would mean no timeout
            try:
                database.execute(row.with_for_update())
            except DBAPIError as error:
                if sqlstate(error) != LOCK_NOT_AVAILABLE:
                    raise
                return False
            return True
        give_up_at = time.monotonic() + timeout_s
        while not database.execute(row.with_for_update(skip_locked=True)).first():
            database.rollback()
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(POLL_INTERVAL_S)
        return True


_POSTGRESQL_LOCK_SETTINGS = {
    # The transaction waits, and then stays idle until Intuit responds: that is its purpose.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A holder whose machine is lost loses the lock after 25 s, not after the two hours of TCP's default keepalive.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


def _engine(url: str) -> sa.Engine:
    try:
        parsed = parse_url(url, "token store")
        backend = parsed.get_backend_name()
        if backend in ROW_LOCK_BACKENDS:
            return make_engine(parsed, "token store")
    except DatabaseURLError as error:
        raise TokenStoreError(str(error), code=STORE_INVALID) from None
    raise TokenStoreError(_no_row_locks_message(backend), code=STORE_INVALID)


def _no_row_locks_message(backend: str) -> str:
    if backend == "sqlite":
        return "SQLite has no row locks. Pass the file's path to open_store or SQLiteStore, which use a lock file."
    return (
        f"Tokens cannot be stored in {backend}: the store needs row locks, and supports those of "
        f"{', '.join(sorted(ROW_LOCK_BACKENDS))}."
    )


def _set_local(database: sa.Connection, name: str, value: str) -> None:
    """Set a server parameter for this transaction."""
    database.execute(sa.select(sa.func.set_config(name, value, True)))


@contextlib.contextmanager
def _hold_transaction(database: sa.Connection) -> Generator[None]:
    """Keep the lock's transaction open for a block and end it afterwards, unless in a forked child."""
    pid = os.getpid()
    socket = _socket(database)
    if socket is not None:
        _LOCK_SOCKETS.add(socket)
    try:
        yield
    finally:
        # If the connection is lost, so is the lock; then the versions decide.
        with contextlib.suppress(SQLAlchemyError):
            if os.getpid() == pid:
                database.rollback()
            else:
                database.invalidate()
        if socket is not None:
            _LOCK_SOCKETS.discard(socket)


def _socket(database: sa.Connection) -> int | None:
    """Return the descriptor of a connection if its driver exposes it, as those of PostgreSQL do."""
    fileno = getattr(database.connection.driver_connection, "fileno", None)
    return fileno() if fileno else None


_LOCK_SOCKETS: set[int] = set()


def _after_fork_in_child() -> None:
    """Replace the lock connections that a forked child inherits by the null device.

    If the child closed such a connection properly, its parent would lose the lock; if it kept the connection open, the
    lock would outlive a killed parent. If it only closed the descriptor, the number could refer to another file before
    the driver uses it again.
    """
    if _LOCK_SOCKETS:
        null = os.open(os.devnull, os.O_RDWR)
        for socket in _LOCK_SOCKETS:
            os.dup2(null, socket, inheritable=False)
        os.close(null)
        _LOCK_SOCKETS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
