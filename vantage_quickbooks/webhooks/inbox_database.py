"""The database of the inbox: its tables, transactions and errors. Needs the extra `webhooks`."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from vantage_quickbooks.auth.stores.base import state_directory
from vantage_quickbooks.databases import (
    Database,
    DatabaseURLError,
    create_tables,
    is_transient,
    make_durable,
    sqlstate,
)
from vantage_quickbooks.errors import InboxError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator
    from pathlib import Path

__all__ = ["COMPANY", "NOTICE", "SEEN", "InboxDatabase"]

T = TypeVar("T")

_BUSY_TIMEOUT_S = 2.0  # for other writers of a SQLite file; Intuit waits 3 seconds for the answer
_ATTEMPTS = 5  # of a transaction that collides with one of another process
_NAME = "webhook inbox"
_COLLISIONS = frozenset({"40001", "40P01"})
"""SQLSTATEs of a transaction that the server ended because of another one: serialization failure, deadlock."""

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")

_METADATA = sa.MetaData()
COMPANY = sa.Table(
    "vantage_quickbooks_webhook_company",
    _METADATA,
    sa.Column("realm", sa.String(64), primary_key=True),
    sa.Column("due_at", sa.Double, index=True),  # when its notices are due; null if none waits
    sa.Column("reconcile_at", sa.Double, index=True),  # when it is due without notices; null if it is not scheduled
    sa.Column("retry_at", sa.Double),  # not before, after a failure
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claim", sa.String(32)),
    sa.Column("claimed_until", sa.Double),
    sa.Column("watched_until", sa.Double),
    sa.Column("error", sa.Text),
)
NOTICE = sa.Table(
    "vantage_quickbooks_webhook_notice",
    _METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("realm", sa.String(64), nullable=False),  # empty if the body cannot be read
    sa.Column("notices", sa.Text, nullable=False),  # JSON, ASCII only
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("received_at", sa.Double, nullable=False),
    sa.Column("dead_at", sa.Double),
    sa.Column("reason", sa.Text),
    sa.Index("vantage_quickbooks_webhook_notice_realm", "realm", "dead_at", "id"),
)
SEEN = sa.Table(
    "vantage_quickbooks_webhook_seen",
    _METADATA,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("seen_at", sa.Double, nullable=False, index=True),
)


class InboxDatabase:
    """Transactions on a SQLite file or a database server. Thread-safe: each has a connection of its own.

    Args:
        url: As for `Inbox`.

    Raises:
        InboxError: The URL is invalid, or its driver is missing.
    """

    def __init__(self, url: str | Path | None) -> None:
        text = str(url or state_directory() / "webhooks.sqlite3")
        try:
            self._database = Database(
                text if "://" in text else f"sqlite:///{text}",
                _NAME,
                busy_timeout_s=_BUSY_TIMEOUT_S,
                configure=_sync_commits,
                isolation_level=None,
            )
        except DatabaseURLError as error:
            raise InboxError(str(error), retryable=False) from None
        self.where = self._database.where
        self._engine = self._database.engine
        if self._database.file:
            sa.event.listen(self._engine, "begin", _begin_immediate)
        self._is_prepared = False

    def close(self) -> None:
        """Dispose of the engine."""
        self._database.close()

    def prepare(self) -> None:
        """Create the tables, and the file of SQLite.

        Raises:
            InboxError: They cannot be created.
        """
        if self._is_prepared and not self._database.is_missing:
            return
        with self._translate_errors("written"):
            self._database.create_file()
            with self._database.guarded():
                self._use_wal()
                create_tables(self._engine, _METADATA)
        self._is_prepared = True

    def write(self, change: Callable[[sa.Connection], T]) -> T:
        """Make a change in a transaction that is on the disk at the end, and return what it returns.

        Args:
            change: Called again if it collides with a change of another process.

        Raises:
            InboxError: The database cannot be written; nothing was changed.
        """
        for _ in range(_ATTEMPTS):
            self.prepare()
            try:
                with self._transaction() as database:
                    return change(database)
            except IntegrityError:
                pass  # another process has just inserted a row of the same key, which the next attempt finds
            except InboxError as error:
                if error.details["reason"] not in _COLLISIONS:
                    raise
        raise InboxError(f"The {_NAME} in {self.where} is changed by too many processes at the same time.")

    @contextlib.contextmanager
    def reading(self) -> Generator[sa.Connection | None]:
        """Yield a connection, or None if there is nothing to read: reading creates nothing.

        Raises:
            InboxError: The database cannot be read.
        """
        if self._database.is_missing:
            yield None
            return
        with self._translate_errors("read"), self._database.guarded(), self._autocommitting() as database:
            self._is_prepared = self._is_prepared or sa.inspect(database).has_table(SEEN.name)
            yield database if self._is_prepared else None

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sa.Connection]:
        with self._translate_errors("written"), self._database.guarded(), self._engine.begin() as database:
            make_durable(database)
            yield database

    def _autocommitting(self) -> sa.Connection:
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _use_wal(self) -> None:
        """Let readers of a SQLite file not wait for a writer's sync to the disk."""
        if self._database.file:
            # It fails if another process is about to do the same, because SQLite does not wait there.
            with contextlib.suppress(DBAPIError), self._autocommitting() as database:
                database.exec_driver_sql("PRAGMA journal_mode = WAL")

    @contextlib.contextmanager
    def _translate_errors(self, operation: str) -> Generator[None]:
        """Let expected errors out; the text of any other may contain a value or a password."""
        failure: SQLAlchemyError | OSError
        try:
            yield
        except IntegrityError:
            raise
        except (SQLAlchemyError, OSError) as error:
            failure = error
        else:
            return
        reason, is_retryable = type(failure).__name__, True
        if isinstance(failure, SQLAlchemyError):
            is_retryable = is_transient(failure)
            reason = getattr(getattr(failure, "orig", None), "sqlite_errorname", None) or sqlstate(failure) or reason
        elif failure.errno:
            reason = os.strerror(failure.errno)
        hint = (
            "The file is damaged: move it, and the files -wal and -shm beside it, away. The next daily sync of each "
            "company finds what its notices announced."
            if reason.startswith(_DAMAGED)
            else "Check that there is space on the disk, and that this user can write to the file and its directory."
            if self._database.file
            else "Check that the server is running and reachable, that user and password are correct, and that the "
            "user may create and change the tables vantage_quickbooks_webhook_*."
        )
        message = f"The {_NAME} in {self.where} cannot be {operation} ({reason}). {hint}"
        raise InboxError(message, retryable=is_retryable, details={"reason": reason})


def _sync_commits(database: sqlite3.Connection) -> None:
    """Let a commit be on the disk when it returns."""
    database.execute("PRAGMA synchronous = FULL")


def _begin_immediate(database: sa.Connection) -> None:
    """Lock a SQLite file from the beginning: a transaction that reads first cannot write after another's commit."""
    if database.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        database.exec_driver_sql("BEGIN IMMEDIATE")
