"""The format `quickbooks_status`: one row a company.

With the option `run`, the rows say how each company ended in the reads of that name. Without it, they say how each
company answers now: it is tested, at one API call each.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from vantage_quickbooks.adapters.spark.companies import BundlePartition, company_of, partitions_of, select
from vantage_quickbooks.adapters.spark.options import SparkOptions
from vantage_quickbooks.adapters.spark.outcomes import load_outcomes, outcome_of, status_row
from vantage_quickbooks.adapters.spark.schema import STATUS_SCHEMA, arrow_schema, check_schema, fit
from vantage_quickbooks.adapters.spark.source import refuse_speculation
from vantage_quickbooks.connector.bundles import CompanyRun, read_bundle
from vantage_quickbooks.registry import open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql.types import StructType

    from vantage_quickbooks.connector.connection import Connection

__all__ = ["QuickBooksStatusDataSource"]


class QuickBooksStatusDataSource(DataSource):
    """How the companies of a registry ended in a run, or answer now; see docs/spark.md."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        refuse_speculation()
        return "quickbooks_status"

    def schema(self) -> StructType:
        """Return the schema of the frame.

        Raises:
            InputError: An option is not valid.
        """
        SparkOptions.parse(self.options, "status")
        return STATUS_SCHEMA

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader.

        Raises:
            InputError: An option is not valid.
        """
        check_schema(schema, STATUS_SCHEMA)
        return _StatusReader(SparkOptions.parse(self.options, "status"), schema)


class _StatusReader(DataSourceReader):
    def __init__(self, options: SparkOptions, schema: StructType) -> None:
        self._options = options
        self._schema = schema

    def partitions(self) -> Sequence[InputPartition]:
        """Return one partition for what is stored, and bundles of companies to test them."""
        return [InputPartition(None)] if self._options.run else partitions_of(self._options)

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield the rows.

        Raises:
            ConnectorError: The registry cannot be read.
        """
        rows = _stored(self._options) if self._options.run else _tested(self._options, partition)
        for batch in pa.Table.from_pylist(list(rows), arrow_schema(STATUS_SCHEMA)).to_batches():
            yield fit(batch, arrow_schema(self._schema))


def _stored(options: SparkOptions) -> Iterator[dict[str, Any]]:
    """Yield the outcomes of a run, and a row for each company that no read of it has reached."""
    outcomes = load_outcomes(options)
    reached: set[str] = set()
    selected = {entry.id: entry for entry in select(options)}
    for entity, by_connection in sorted(outcomes.items()):
        for connection_id, outcome in sorted(by_connection.items()):
            if connection_id in selected or not options.connections:
                reached.add(connection_id)
                yield status_row(connection_id, entity, outcome)
    for entry in selected.values():
        if entry.id not in reached:
            run = CompanyRun(entry.id, company_of(entry.id, entry.label), entry.realm_id)
            yield status_row(entry.id, None, outcome_of(run) | {"status": "not_read", "finishedAt": None, "attempt": 0})


def _tested(options: SparkOptions, partition: InputPartition) -> Iterator[dict[str, Any]]:
    if not isinstance(partition, BundlePartition):  # Spark makes one where there are none
        return

    def task(connection: Connection, run: CompanyRun) -> Iterator[None]:
        answer = connection.test()
        run.api_calls += answer["apiCalls"]
        run.metered_calls += answer["meteredCalls"]
        run.error = next((check["error"] for check in answer["checks"] if not check["ok"]), None)
        yield from ()

    with open_registry(options.registry) as registry:
        reading = read_bundle(registry, partition.bundle, task, workers=options.concurrency)
        with contextlib.closing(reading) as found:
            for run in found:
                if isinstance(run, CompanyRun):
                    outcome = outcome_of(run)
                    if run.status == "incomplete":  # no part of a test is worth anything alone
                        outcome["status"] = "failed"
                    yield status_row(run.id, None, outcome)
