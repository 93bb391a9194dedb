"""The batch reader: partitions are bundles of companies, and a task reads the companies of one.

Theory of operation
1. The driver lists the registry and cuts the companies into bundles by a hash of the realm. All that travels to a task
   is options and ids: the task opens the registry and the token store by itself.
2. A task reads several companies of its bundle at once, in threads, each with up to ten requests in parallel, and
   yields Arrow batches. One company is in one bundle, so no two tasks share its limits.
3. With `on_error=report`, the batches of a company are kept aside until it has been read without an error. So a company
   that fails has no rows, and its outcome is a row of `quickbooks_status`. With `fail`, batches pass at once: Spark
   drops what a failed task has yielded.
4. What concerns the whole app (its client is refused, its calls of the month are used up) fails the job in both cases.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import DataSourceReader

from vantage_quickbooks.adapters.spark.changes import ChangeRows
from vantage_quickbooks.adapters.spark.companies import (
    BundlePartition,
    company_of,
    duplicate_error,
    duplicates_of,
    partitions_of,
)
from vantage_quickbooks.adapters.spark.filters import Pushed, push
from vantage_quickbooks.adapters.spark.outcomes import failure_of, save_outcome
from vantage_quickbooks.adapters.spark.schema import arrow_schema, columns_needed, fit
from vantage_quickbooks.adapters.spark.spool import Spool
from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES
from vantage_quickbooks.connector.bundles import CompanyRun, is_app_wide, read_bundle
from vantage_quickbooks.errors import (
    ConnectorError,
    IncompleteReadError,
    InputError,
    RequestRejectedError,
    UnexpectedResponseError,
)
from vantage_quickbooks.registry import open_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa
    from pyspark.sql.datasource import Filter, InputPartition
    from pyspark.sql.types import StructType

    from vantage_quickbooks.adapters.spark.options import SparkOptions
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.registry import ConnectionEntry

__all__ = ["QuickBooksReader"]

_NARROWED_ERRORS = (InputError, RequestRejectedError, UnexpectedResponseError)
"""What a pushed filter can cause: QuickBooks refuses it, or a record has no status to compare."""


class _PushFilters:
    """`pushFilters` of a reader that works without push-down, too.

    Spark refuses a reader that overrides `pushFilters` while `spark.sql.python.filterPushdown.enabled` is false. For
    that, it looks at the function behind the bound method (`pyspark.sql.worker.plan_data_source_read`).

    Without the option `push_filters`, nothing is pushed: Spark 4.1 to 4.3 keep what one query has pushed in the
    relation, and other queries of the same frame, without its filters, silently miss rows.
    """

    __func__ = staticmethod(getattr(DataSourceReader, "pushFilters", list))  # Spark 4.0 has none, and asks for none

    def __init__(self, reader: QuickBooksReader) -> None:
        self._reader = reader

    def __call__(self, filters: list[Filter]) -> Iterable[Filter]:
        """Note what the filters allow to leave out; Spark applies all of them again."""
        self._reader.push(filters)
        return filters


class QuickBooksReader(DataSourceReader):
    """Reads companies; see the module's theory of operation.

    Args:
        options: The options.
        schema: The columns: all that the entity has, or some of them.
    """

    def __init__(self, options: SparkOptions, schema: StructType) -> None:
        self._options = options
        self._schema = schema
        self._pushed = Pushed()

    @property
    def pushFilters(self) -> Any:  # noqa: N802 -- Spark's name; see `_PushFilters`
        """A callable that takes Spark's filters."""
        return _PushFilters(self) if self._options.push_filters else super().pushFilters

    def push(self, filters: Sequence[Filter]) -> None:
        """Note what filters allow to leave out."""
        options = self._options
        self._pushed = push(filters, None if options.is_change_table else SYNC_ENTITIES[options.entity[0]])

    def partitions(self) -> Sequence[InputPartition]:
        """Return the bundles of companies that can have rows.

        Raises:
            ConnectorError: See `companies.select`.
        """

        def wants(entry: ConnectionEntry) -> bool:
            return self._pushed.wants(entry.realm_id, company_of(entry.id, entry.label))

        return partitions_of(self._options, wants)

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a bundle.

        Raises:
            ConnectorError: A company failed, and the option `on_error` is `fail`; or a failure of the whole app.
        """
        if not isinstance(partition, BundlePartition):  # Spark makes one where there are none
            return
        bundle, options = partition.bundle, self._options
        duplicates = duplicates_of(bundle)

        def task(connection: Connection, run: CompanyRun) -> Iterator[pa.RecordBatch | Spool]:
            if run.id in duplicates:
                raise duplicate_error(run.id, duplicates[run.id])
            run.max_api_calls = options.max_api_calls
            read = self._changes if options.is_change_table else self._records
            batches = ((entity, fit(batch, schema)) for entity, batch in read(connection, run))
            if options.on_error == "fail":
                yield from (batch for _, batch in batches)
                return
            spool = Spool(schema)
            for entity, batch in batches:
                spool.write(entity, batch)
                del batch  # one page in memory at a time
            yield spool

        schema = arrow_schema(self._schema)
        with open_registry(options.registry) as registry:
            reading = read_bundle(registry, bundle, task, workers=options.concurrency)
            with contextlib.closing(reading) as found:
                for one in found:
                    if isinstance(one, CompanyRun):
                        save_outcome(options, one)
                        if one.error is not None and (options.on_error == "fail" or is_app_wide(one.error)):
                            raise failure_of(one)
                    elif isinstance(one.item, Spool):
                        yield from one.item.read(without=one.run.result.get("failed", ()))
                    else:
                        yield one.item
                    del one  # one page in memory at a time

    # ---- one entity ----

    def _records(self, connection: Connection, run: CompanyRun) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield the records of one entity; without the pushed filters if they cannot be used in this company."""
        inputs = dict(self._pushed.inputs)
        run.result["records"] = 0
        try:
            yield from self._list(connection, run, inputs)
        except _NARROWED_ERRORS:
            if not inputs or run.result["records"]:
                raise
        else:
            return
        yield from self._list(connection, run, {})

    def _list(
        self, connection: Connection, run: CompanyRun, inputs: dict[str, Any]
    ) -> Iterator[tuple[str, pa.RecordBatch]]:
        options = self._options
        resource = SYNC_ENTITIES[options.entity[0]]
        data = {"all": True, **({"active": "all"} if resource.has_active else {}), **inputs, **options.input}
        since = [value for value in (options.updated_since, inputs.get("updated_since")) if value]
        if since:
            data["updated_since"] = max(since, key=datetime.fromisoformat)
        if options.max_api_calls is not None:
            spent = sum(connection.api_calls().values())
            if spent >= options.max_api_calls:
                raise _exhausted(options.max_api_calls)
            data["max_api_calls"] = options.max_api_calls - spent
        if (fields := columns_needed(resource, self._schema)) is not None:
            data["fields"] = fields
        company = company_of(run.id, run.label)
        for batch in connection.stream(resource.list_id, data, as_="arrow", company_name=company):
            run.result["records"] += batch.num_rows
            yield resource.entity, batch

    # ---- the change table ----

    def _changes(self, connection: Connection, run: CompanyRun) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield the rows of one sync; what failed or was not reached is in the run's result."""
        options, wanted = self._options, self._pushed.entities
        names = [resource.entity for resource in options.resources if wanted is None or resource.entity in wanted]
        run.result |= {"records": 0, "failed": {}}
        if not names:
            return
        rows = ChangeRows(str(run.realm_id), datetime.now(UTC), is_first_read=options.updated_since is None)
        missing = set(names)
        sets = connection.sync(names, since=options.updated_since, max_api_calls=options.max_api_calls)
        for found in sets:
            if found.error is not None:
                run.result["failed"][found.entity] = found.error
            if found.is_last:
                missing.discard(found.entity)
            for batch in rows.batches(found):
                run.result["records"] += batch.num_rows
                yield found.entity, batch
            del found  # one page in memory at a time
        for entity in sorted(missing - run.result["failed"].keys()):
            run.result["failed"][entity] = _exhausted(options.max_api_calls).to_dict()
        if run.result["failed"]:
            entity, error = next(iter(run.result["failed"].items()))
            run.error = error | {"details": error["details"] | {"entity": entity}}


def _exhausted(limit: int | None) -> ConnectorError:
    return IncompleteReadError(
        f"The limit of {limit} API calls was reached before everything was read. Raise the option max_api_calls.",
        retryable=False,
        details={"maxApiCalls": limit},
    )
