"""How far companies are synced, and how their last runs ended: two tables beside the registry of connections.

In a database they are beside the table of connections; of a folder, they are the SQLite file `.states.sqlite3` in it.
Neither contains a secret: a sync state has ids, times and counts, and is signed (`sync.sync_state`).

Theory of operation
1. A stream reads its companies in numbered batches. What a task has read of a company in a batch is a row: stream,
   connection, batch, attempt, and the state with which the next sync continues. A batch may be read by several attempts
   (a task that is repeated, a batch that is read again after a crash), whose output may have been discarded; each adds
   a row of its own and changes no other. What the rows of a batch mean together is decided by the reader.
2. The state of a company at a batch is in the rows of its newest batch up to that one: a company that was not part of a
   batch stays where it was.
3. `prune` keeps that newest batch of each company, and all that came later.
4. Which companies a batch was planned with is a row, too, without a connection. The first planning counts.
5. A status belongs to a run and a connection; the last one counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from vantage_quickbooks.errors import DamagedStateError, FieldError
from vantage_quickbooks.registry.base import without_frames
from vantage_quickbooks.registry.sql_tables import SqlTables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["StateTable", "StoredStates"]

_METADATA = sa.MetaData()
_STATE = sa.Table(
    "vantage_quickbooks_sync_state",
    _METADATA,
    sa.Column("stream", sa.String(64), primary_key=True),
    sa.Column("connection", sa.String(64), primary_key=True),
    sa.Column("batch", sa.BigInteger, primary_key=True),
    sa.Column("attempt", sa.String(64), primary_key=True),
    sa.Column("state", sa.Text),
)
_STATUS = sa.Table(
    "vantage_quickbooks_run_status",
    _METADATA,
    sa.Column("run", sa.String(64), primary_key=True),
    sa.Column("connection", sa.String(64), primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
)

_PLAN = "*"
"""In place of a connection, whose id never is this."""

_CHUNK = 500
"""Values in one statement: SQLite had a limit of 999 variables until 2020 (https://www.sqlite.org/limits.html)."""


@dataclass(frozen=True, slots=True)
class StoredStates:
    """The rows of one company in its newest batch.

    Attributes:
        batch: The batch.
        texts: What is stored: JSON of a state, or None for a company of which nothing was read.
    """

    batch: int
    texts: tuple[str | None, ...]

    def states(self, connection_id: str) -> list[dict[str, Any] | None]:
        """Return the states.

        Raises:
            DamagedStateError: One is not a JSON object.
        """
        return [None if text is None else _read_state(text, connection_id, self.batch) for text in self.texts]


class StateTable(SqlTables):
    """The tables; see the module's theory of operation. Safe for threads and processes.

    Args:
        url: A SQLAlchemy URL with a synchronous driver. The file of SQLite is created with mode 0600.

    Raises:
        RegistryError: The URL is invalid, or a package is missing.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, _METADATA, "table of sync states", "sync states")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<StateTable {self.describe()}>"

    # ---- states ------------------------------------------------------------------------------------------------------

    @without_frames
    def save(
        self,
        stream: str,
        batch: int,
        attempt: str,
        states: Mapping[str, Sequence[Mapping[str, Any] | str | None]],
    ) -> None:
        """Add the rows of an attempt, durably and all or none.

        Args:
            stream: The stream.
            batch: The batch.
            attempt: Identifies the attempt; at most 50 characters.
            states: By connection: states, their JSON text, or None. An attempt saves a connection once.

        Raises:
            RegistryError: They cannot be stored.
        """
        rows = [
            {
                "stream": stream,
                "connection": connection_id,
                "batch": batch,
                "attempt": f"{attempt}-{number}",
                "state": state if state is None or isinstance(state, str) else json.dumps(state),
            }
            for connection_id, several in states.items()
            for number, state in enumerate(several)
        ]
        if rows:
            self._prepare()
            with self._transaction("written") as database:
                database.execute(sa.insert(_STATE), rows)

    @without_frames
    def load(self, stream: str, batch: int, connection_ids: Iterable[str]) -> dict[str, StoredStates]:
        """Return the rows of each company in its newest batch up to *batch*; companies without one are left out.

        Raises:
            RegistryError: They cannot be read.
        """
        found: dict[str, StoredStates] = {}
        ids = list(connection_ids)
        with self._reading() as database:
            if database is None:
                return {}
            for start in range(0, len(ids), _CHUNK):
                newest = (
                    sa.select(_STATE.c.connection, sa.func.max(_STATE.c.batch).label("batch"))
                    .where(_STATE.c.stream == stream, _STATE.c.batch <= batch)
                    .where(_STATE.c.connection.in_(ids[start : start + _CHUNK]))
                    .group_by(_STATE.c.connection)
                    .subquery()
                )
                query = (
                    sa.select(_STATE.c.connection, _STATE.c.batch, _STATE.c.state)
                    .join(newest, sa.and_(_STATE.c.connection == newest.c.connection, _STATE.c.batch == newest.c.batch))
                    .where(_STATE.c.stream == stream)
                )
                for connection_id, at, text in database.execute(query):
                    before = found.get(connection_id)
                    found[connection_id] = StoredStates(at, (*(before.texts if before else ()), text))
        return found

    @without_frames
    def is_planned(self, stream: str, batch: int) -> bool:
        """Return whether a batch was planned, and its states are kept.

        Raises:
            RegistryError: They cannot be read.
        """
        query = sa.select(_STATE.c.batch).where(
            _STATE.c.stream == stream, _STATE.c.connection == _PLAN, _STATE.c.batch == batch
        )
        with self._reading() as database:
            return database is not None and database.execute(query).first() is not None

    @without_frames
    def plan(self, stream: str, batch: int, connection_ids: Iterable[str]) -> list[str] | None:
        """Note which companies a batch is planned with, unless it was planned before.

        Returns:
            None if it was not planned before, and otherwise the companies of that time.

        Raises:
            DamagedStateError: The row cannot be read.
            RegistryError: It cannot be stored.
        """
        key = {"stream": stream, "connection": _PLAN, "batch": batch, "attempt": _PLAN}
        text = json.dumps({"connections": list(connection_ids)})
        query = sa.select(_STATE.c.state).where(*(_STATE.c[name] == value for name, value in key.items()))
        self._prepare()
        while True:
            try:
                with self._transaction("written") as database:
                    database.execute(sa.insert(_STATE).values(state=text, **key))
            except IntegrityError:
                with self._transaction("read") as database:
                    found = database.execute(query).scalar_one_or_none()
                if found is None:  # another process has pruned it in between
                    continue
                return list(_read_state(found, "plan", batch).get("connections") or ())
            return None

    @without_frames
    def prune(self, stream: str, batch: int) -> int:
        """Delete the rows that no read from *batch* or a later one needs; return how many.

        Raises:
            RegistryError: They cannot be deleted.
        """
        other = _STATE.alias()
        newest = (
            sa.select(sa.func.max(other.c.batch))
            .where(other.c.stream == stream, other.c.connection == _STATE.c.connection, other.c.batch <= batch)
            .scalar_subquery()
        )
        with self._reading() as database:
            if database is None:
                return 0
        with self._transaction("written") as database:
            old = sa.delete(_STATE).where(_STATE.c.stream == stream, _STATE.c.batch < newest)
            return database.execute(old).rowcount

    @without_frames
    def forget(self, stream: str, connection_id: str | None = None) -> int:
        """Delete all rows of a stream, or of one company: its next sync reads everything. Return how many.

        Raises:
            RegistryError: They cannot be deleted.
        """
        delete = sa.delete(_STATE).where(_STATE.c.stream == stream)
        if connection_id is not None:
            delete = delete.where(_STATE.c.connection == connection_id)
        with self._reading() as database:
            if database is None:
                return 0
        with self._transaction("written") as database:
            return database.execute(delete).rowcount

    @without_frames
    def streams(self) -> dict[str, int]:
        """Return all streams, each with its newest batch.

        Raises:
            RegistryError: They cannot be read.
        """
        query = sa.select(_STATE.c.stream, sa.func.max(_STATE.c.batch).label("batch")).group_by(_STATE.c.stream)
        with self._reading() as database:
            return {} if database is None else {row.stream: row.batch for row in database.execute(query)}

    # ---- statuses ----------------------------------------------------------------------------------------------------

    @without_frames
    def save_statuses(self, run: str, statuses: Mapping[str, Mapping[str, Any]]) -> None:
        """Store how connections ended in a run, in place of what was stored before.

        Args:
            run: The run's name.
            statuses: By connection, plain JSON without secrets.

        Raises:
            RegistryError: They cannot be stored.
        """
        self._prepare()
        for connection_id, status in statuses.items():
            key = {"run": run, "connection": connection_id}
            text = json.dumps(status)
            update = sa.update(_STATUS).where(_STATUS.c.run == run, _STATUS.c.connection == connection_id)
            for is_last_attempt in (False, True):
                try:
                    with self._transaction("written") as database:
                        if not database.execute(update.values(status=text)).rowcount:
                            database.execute(sa.insert(_STATUS).values(status=text, **key))
                    break
                except IntegrityError:  # another process has inserted it in between
                    if is_last_attempt:
                        raise

    @without_frames
    def load_statuses(self, run: str) -> dict[str, dict[str, Any]]:
        """Return the statuses of a run by connection.

        Raises:
            DamagedStateError: One is not a JSON object.
            RegistryError: They cannot be read.
        """
        query = sa.select(_STATUS.c.connection, _STATUS.c.status).where(_STATUS.c.run == run)
        with self._reading() as database:
            rows = [] if database is None else database.execute(query.order_by(_STATUS.c.connection)).all()
        return {connection_id: _read_object(text, connection_id, "status") for connection_id, text in rows}

    @without_frames
    def runs(self) -> list[str]:
        """Return the names of all runs that have statuses.

        Raises:
            RegistryError: They cannot be read.
        """
        query = sa.select(_STATUS.c.run).distinct().order_by(_STATUS.c.run)
        with self._reading() as database:
            return [] if database is None else list(database.execute(query).scalars())

    @without_frames
    def forget_statuses(self, run: str) -> int:
        """Delete the statuses of a run; return how many.

        Raises:
            RegistryError: They cannot be deleted.
        """
        with self._reading() as database:
            if database is None:
                return 0
        with self._transaction("written") as database:
            return database.execute(sa.delete(_STATUS).where(_STATUS.c.run == run)).rowcount


def _read_state(text: str, connection_id: str, batch: int) -> dict[str, Any]:
    return _read_object(text, connection_id, f"state at batch {batch}")


def _read_object(text: str, connection_id: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        message = f"The stored {what} of the connection {connection_id} is damaged and was left unchanged."
        hint = "Restore the table from a backup, or delete the row: what it is for starts from the beginning."
        raise DamagedStateError(
            f"{message} {hint}",
            [FieldError("connection", "damaged", message, hint)],
            details={"connectionId": connection_id},
        )
    return value
