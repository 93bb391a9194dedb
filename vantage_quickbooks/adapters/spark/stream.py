"""The stream reader: a micro-batch is one sync of each company, as rows of the change table or columns of an entity.

Theory of operation
1. An offset is a number (`stream_states`), so planning a batch asks QuickBooks nothing. Each trigger plans one batch,
   whether anything has changed or not: only a sync finds out, for one API call a company. With
   `trigger(availableNow=True)`, a query makes one batch and stops, besides one that an earlier run has left unfinished.
2. The driver only lists the registry and cuts it into bundles. Tasks read them, several companies at once, as the
   batch reader does; one company is in one bundle, so no two tasks of an attempt share its limits.
3. A task stores how far a company has come once Spark has taken its last row. How that makes a stream which loses
   nothing, whatever is killed or repeated, is in `stream_states`.
4. A company that fails does not end a batch with `on_error=report`. Its rows so far are right, because they are what
   QuickBooks has; the next batch continues after them, or where this one began. With `fail`, the task fails, and
   Spark's own retries and the query's end follow. What concerns the whole app always does that.
5. A batch that is read again returns what changed since the same start, which may be more than the first time:
   QuickBooks has only the present version of a record, and its clock decides, not the driver's. A frame that is
   evaluated twice is read twice, so `foreachBatch` functions that need it twice persist it first.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import DataSourceStreamReader

from vantage_quickbooks.adapters.spark.changes import ChangeRows, TypedChangeRows
from vantage_quickbooks.adapters.spark.companies import (
    BundlePartition,
    company_of,
    duplicate_error,
    duplicates_of,
    select,
)
from vantage_quickbooks.adapters.spark.outcomes import failure_of, save_outcome
from vantage_quickbooks.adapters.spark.schema import arrow_schema, fit
from vantage_quickbooks.adapters.spark.stream_states import Attempt, Offset, begin_batch, prune
from vantage_quickbooks.connector.bundles import CompanyRun, is_app_wide, make_bundles, read_bundle
from vantage_quickbooks.registry import open_registry, open_states

try:
    from pyspark.sql.streaming.datasource import SupportsTriggerAvailableNow
except ModuleNotFoundError:  # Spark before 4.2: it asks once for the latest offset, and ends there

    class SupportsTriggerAvailableNow:  # type: ignore[no-redef]
        """Marks what this version of Spark does not know."""


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from pyspark.sql.datasource import InputPartition
    from pyspark.sql.types import StructType

    from vantage_quickbooks.adapters.spark.options import SparkOptions
    from vantage_quickbooks.connector.bundles import Bundle
    from vantage_quickbooks.connector.connection import Connection

__all__ = ["QuickBooksStreamReader"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Progress:
    """Rows of a company, and the state with which its sync continues after them."""

    batches: list[pa.RecordBatch]
    state: Mapping[str, Any]


class StreamPartition(BundlePartition):
    """The companies of one task, and the batch.

    Args:
        bundle: The companies.
        start: Where the batch starts.
        end: Where it ends.
    """

    def __init__(self, bundle: Bundle, start: Offset, end: Offset) -> None:
        super().__init__(bundle)
        self.start, self.end = start, end


class QuickBooksStreamReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads the changes of companies; see the module's theory of operation.

    Spark keeps one in a process of the driver, which plans, and sends copies to the tasks, which only `read`.

    Args:
        options: The options.
        schema: The columns: those of the change table, or some of them.
    """

    def __init__(self, options: SparkOptions, schema: StructType) -> None:
        self._options = options
        self._schema = schema
        self._seen = Offset()
        self._planned: Offset | None = None
        self._is_available_now = False

    # ---- in the driver -----------------------------------------------------------------------------------------------

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802 -- Spark's name
        """Return the offset of a new query, and of one that repeats its first batch."""
        return Offset().to_dict()

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 -- Spark's name
        """Note that the query ends after one batch."""
        self._is_available_now = True

    def latestOffset(self, start: Mapping[str, Any] | None = None, limit: object = None) -> dict[str, Any]:  # noqa: ARG002, N802 -- Spark's name; each sync reads all that is available
        """Return the offset after one more batch.

        Args:
            start: The offset before it; Spark before 4.2 does not say, so it is the last one that was seen.
            limit: Not used.

        Raises:
            InputError: The checkpoint's offset is not one of this source.
        """
        before = self._seen if start is None else Offset.parse(start)
        if self._is_available_now and self._planned is not None:
            return (self._planned if before.batch < self._planned.batch else before).to_dict()
        self._planned = before.next()
        return self._planned.to_dict()

    def partitions(self, start: Mapping[str, Any], end: Mapping[str, Any]) -> Sequence[InputPartition]:
        """Return the bundles of companies, and note that the batch begins.

        Raises:
            InputError: The checkpoint does not fit the table of states, or an option does not fit the registry.
            RegistryError: The registry, or the table of states beside it, cannot be read or written.
        """
        first, last = Offset.parse(start), Offset.parse(end)
        self._seen = last
        if first == last:
            return []
        entries = select(self._options)
        with open_states(self._options.registry) as table:
            ids = begin_batch(table, first, last, [entry.id for entry in entries])
        bundles = make_bundles([entry for entry in entries if entry.id in ids], self._options.bundle_size)
        return [StreamPartition(bundle, first, last) for bundle in bundles]

    def commit(self, end: Mapping[str, Any]) -> None:
        """Delete the states that no batch starts from any more.

        Raises:
            RegistryError: The table of states cannot be written.
        """
        with open_states(self._options.registry) as table:
            prune(table, Offset.parse(end))

    # ---- in a task ---------------------------------------------------------------------------------------------------

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield the changes of a bundle, and store how far each company has come.

        Raises:
            ConnectorError: A company failed, and the option `on_error` is `fail`; or a failure of the whole app.
            RegistryError: The registry, or the table of states beside it, cannot be read or written.
        """
        if not isinstance(partition, StreamPartition):
            return
        options, bundle, schema = self._options, partition.bundle, arrow_schema(self._schema)
        duplicates = duplicates_of(bundle)
        with open_registry(options.registry) as registry, open_states(options.registry) as table:
            attempt = Attempt(table, partition.start, partition.end, bundle.connection_ids)

            def task(connection: Connection, run: CompanyRun) -> Iterator[_Progress]:
                if run.id in duplicates:
                    raise duplicate_error(run.id, duplicates[run.id])
                run.max_api_calls = options.max_api_calls
                return self._sync(connection, run, attempt, partition.end)

            with contextlib.closing(read_bundle(registry, bundle, task, workers=options.concurrency)) as found:
                for one in found:
                    if isinstance(one, CompanyRun):
                        if one.error is not None and (options.on_error == "fail" or is_app_wide(one.error)):
                            save_outcome(options, one)
                            raise failure_of(one)
                        attempt.end(one.id)
                        save_outcome(options, one)
                    else:
                        for batch in one.item.batches:
                            yield fit(batch, schema)
                        attempt.reach(one.run.id, one.item.state)
                    del one  # one page in memory at a time

    def _sync(self, connection: Connection, run: CompanyRun, attempt: Attempt, end: Offset) -> Iterator[_Progress]:
        """Yield the change sets of one company; what failed of it is in the run's result, the first also its error."""
        options = self._options
        names = [resource.entity for resource in options.resources]
        run.result |= {"records": 0, "failed": {}, "pending": []}
        realm_id = str(run.realm_id)
        rows = (
            TypedChangeRows(options.resources[0], realm_id, company_of(run.id, run.label), end.time)
            if options.has_change_columns
            else ChangeRows(realm_id, end.time, is_first_read=False)
        )
        state = attempt.state(connection, run.id)
        for found in connection.sync(names, state, max_api_calls=options.max_api_calls):
            if found.error is not None:
                run.result["failed"][found.entity] = found.error
            batches = list(rows.batches(found))
            run.result["records"] += sum(batch.num_rows for batch in batches)
            run.result["pending"] = found.metadata["pending"]
            yield _Progress(batches, found.state)
            del found, batches  # one page in memory at a time
        if run.result["failed"]:
            entity, error = next(iter(run.result["failed"].items()))
            run.error = error | {"details": error["details"] | {"entity": entity}}
