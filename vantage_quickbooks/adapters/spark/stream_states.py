"""Where each company of a stream continues: offsets, and the sync states behind them. No Spark in here.

An offset is small, `{"stream": "6f3a…", "batch": 7, "time": "2026-05-31T02:00:00+00:00"}`: it names the states of
thousands of companies, which are rows of the table beside the registry (`registry.states`).

Theory of operation
1. What Spark may do. A batch (start, end) is written to the checkpoint before it is read. It may be read any number of
   times: tasks are repeated, `foreachBatch` evaluates the frame twice, the driver is killed and repeats the batch. Of
   all attempts, the sink keeps one, two, or parts of several, and the source does not learn which. `commit(end)` says
   that no batch that starts before *end* is asked for again.
2. What the sink does. It applies rows by key, so rows that come again change nothing. So a batch may always start
   earlier than necessary. It must never start later than what the sink has.
3. The rule. Each attempt of a company adds a row of its own under *end*, with the state that it reached, once Spark has
   taken all of its rows. The state of a company at an offset is the weakest of these rows
   (`sync.sync_state.earliest`). The attempt whose output the sink has is among them, so the result claims no more than
   the sink has. What an attempt adds later, whatever it is, can only weaken the result.
4. An attempt in which a company failed adds a row, too: with the state up to which its rows were complete, or with the
   states that it started from. Otherwise the discarded success of another attempt would win. An attempt that was
   killed before adds nothing; Spark has dropped its output.
5. All attempts of a batch start from the rows under *start*, or those of an earlier batch if the company was not part
   of it. They never look at rows under *end*.
6. Companies that come and go. A batch is read by a driver that is killed, and repeated by one that finds others in the
   registry, or has another option `connections`. The sink may have the output of either. So the companies with which a
   batch is planned first are noted before its first task begins. A repeated batch reads no other company; new ones wait
   for the next batch. For those that it does not read any more, the rows that they start from are copied under *end*:
   an earlier attempt may have added its row, or may even add it later, and its output may not be what counts.
7. Pruning keeps the batch before the committed one, too, which Spark 4.3 never asks for, and the newest rows of
   companies that are not read any more. A checkpoint whose last batch the table does not have, because one of the two
   was deleted or replaced, fails the stream instead of reading thousands of companies from the beginning.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from vantage_quickbooks.connector.connection import earliest_state
from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.registry.states import StateTable, StoredStates

__all__ = ["Attempt", "Offset", "begin_batch", "prune"]

_NEW_CHECKPOINT = (
    "Restore the table of sync states from the backup of the same time, or start the query with a new checkpoint: it "
    "reads all companies from the beginning, and the merge by key leaves no duplicates."
)


_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Offset:
    """A position in a stream.

    Attributes:
        stream: Identifies the query's checkpoint; empty before the first batch.
        batch: Number of the batch that ended here; 0 before the first one.
        time: When the batch was planned, by the driver's clock: the `_commit_time` of all of its rows.
    """

    stream: str = ""
    batch: int = 0
    time: datetime = _EPOCH

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """Return the offset in a checkpoint.

        Raises:
            InputError: It is not one of this source.
        """
        try:
            stream, batch = value["stream"], value["batch"]
            found = cls(stream, batch, datetime.fromisoformat(value["time"])) if batch else cls(stream)
            is_valid = isinstance(stream, str) and isinstance(batch, int) and batch >= 0 and bool(stream) == bool(batch)
        except (KeyError, TypeError, ValueError):
            is_valid = False
        if not is_valid:
            raise _error("The checkpoint has an offset that is not one of this source.", "Use a new checkpoint.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the offset as plain JSON."""
        found: dict[str, Any] = {"stream": self.stream, "batch": self.batch}
        return found | ({"time": self.time.isoformat()} if self.batch else {})

    def next(self, now: datetime | None = None) -> Offset:
        """Return the offset after one more batch."""
        return Offset(self.stream or uuid.uuid4().hex, self.batch + 1, now or datetime.now(UTC))


def begin_batch(table: StateTable, start: Offset, end: Offset, connection_ids: Collection[str]) -> set[str]:
    """Note that a batch is about to be read, for the first time or again; rules 6 and 7.

    Args:
        table: The table.
        start: Where the batch starts. Spark asks for the initial offset again to repeat the first batch, so its
            stream may be empty.
        end: Where it ends.
        connection_ids: The companies that can be read.

    Returns:
        Those of them that the batch reads.

    Raises:
        InputError: The checkpoint does not fit the table.
        RegistryError: The table cannot be read or written.
    """
    stream, ids = end.stream, set(connection_ids)
    if start.batch and start.stream != stream:
        raise _error("The checkpoint has offsets of two streams.", "Use a new checkpoint.")
    if start.batch and not table.is_planned(stream, start.batch):
        raise _error(
            f"The checkpoint is at batch {start.batch}, and {table.describe()} has no states of that batch: one of the "
            "two was deleted, or replaced by an older one.",
            f"Check the option registry. {_NEW_CHECKPOINT}",
        )
    first = table.plan(stream, end.batch, sorted(ids))
    if first is not None:
        gone = [connection_id for connection_id in first if connection_id not in ids]
        found = table.load(stream, start.batch, gone)
        texts = {
            connection_id: found[connection_id].texts if connection_id in found else (None,) for connection_id in gone
        }
        table.save(stream, end.batch, uuid.uuid4().hex, texts)
        ids.intersection_update(first)
    return ids


class Attempt:
    """One attempt to read some companies of a batch; rules 3, 4 and 5.

    Args:
        table: The table.
        start: Where the batch starts.
        end: Where it ends.
        connection_ids: The companies.

    Raises:
        RegistryError: The table cannot be read.
    """

    def __init__(self, table: StateTable, start: Offset, end: Offset, connection_ids: Iterable[str]) -> None:
        self._table, self._end = table, end
        self._id = uuid.uuid4().hex
        self._found: dict[str, StoredStates] = table.load(end.stream, start.batch, connection_ids)
        self._reached: dict[str, Mapping[str, Any]] = {}

    def state(self, connection: Connection, connection_id: str) -> dict[str, Any] | None:
        """Return the state from which a company continues; None to read everything.

        Raises:
            DamagedStateError: A stored state is damaged.
            InputError: A newer version of the connector has written it.
        """
        found = self._found.get(connection_id)
        return None if found is None else earliest_state(connection, found.states(connection_id))

    def reach(self, connection_id: str, state: Mapping[str, Any]) -> None:
        """Note that Spark has taken all rows up to a state."""
        self._reached[connection_id] = state

    def end(self, connection_id: str) -> None:
        """Store how far the company has come; for each company once, when it has ended, failed or not.

        Raises:
            RegistryError: It cannot be stored. The attempt must fail then.
        """
        reached, found = self._reached.pop(connection_id, None), self._found.get(connection_id)
        states = [reached] if reached is not None else [None] if found is None else list(found.texts)
        self._table.save(self._end.stream, self._end.batch, self._id, {connection_id: states})


def prune(table: StateTable, end: Offset) -> None:
    """Delete what is not needed any more once the batch that ends at *end* is done; rule 7.

    Raises:
        RegistryError: The table cannot be written.
    """
    if end.batch > 1:
        table.prune(end.stream, end.batch - 1)


def _error(message: str, hint: str) -> InputError:
    return InputError(f"{message} {hint}", [FieldError("checkpointLocation", "offset", message, hint)])
