"""Spark on this machine: the format `quickbooks`, and another one for batches that were read before."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from scale_engine import Job, Report, job
from scale_work import ENTITY, Sums, Work, items

from vantage_quickbooks.adapters.spark import QuickBooksDataSource
from vantage_quickbooks.adapters.spark.schema import arrow_schema, entity_schema, fit
from vantage_quickbooks.connector.bundles import Bundle

os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}

from pyspark.sql import SparkSession, functions
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

CONFIGURATION = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.log.level": "ERROR",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.python.filterPushdown.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@dataclass
class Part(InputPartition):
    """One bundle."""

    bundle: Bundle


class Stored(DataSource):
    """Companies whose batches come from a file."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "stored"

    def schema(self) -> StructType:
        """Return the columns of `quickbooks`."""
        return entity_schema(ENTITY)

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader."""
        return StoredReader(schema, **self.options)


class StoredReader(DataSourceReader):
    """Reads what is stored, in the partitions that `quickbooks` has."""

    def __init__(self, schema: StructType, work: str, stored: str, threads: str, bundle_size: str) -> None:
        self._schema, self._work, self._threads = schema, Work(work, stored), int(threads)
        self._bundle_size = int(bundle_size)

    def partitions(self) -> Sequence[InputPartition]:
        """Return the bundles."""
        from vantage_quickbooks import open_registry  # noqa: PLC0415 -- in the process that plans
        from vantage_quickbooks.connector.bundles import make_bundles  # noqa: PLC0415

        with open_registry() as registry:
            return [Part(bundle) for bundle in make_bundles(registry.list(), self._bundle_size)]

    def read(self, partition: Any) -> Iterator[pa.RecordBatch]:
        """Yield the batches of a bundle."""
        schema = arrow_schema(self._schema)
        for _, batch in items(partition.bundle, self._threads, self._work.batches):
            yield fit(batch, schema)


def main() -> None:
    """Run the job."""
    task = job()
    folder = Path(task.report).parent
    places = {
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={folder}",
        "spark.local.dir": str(folder / "spark"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    builder = SparkSession.builder.master(f"local[{task.slots}]")
    spark = builder.config(map=CONFIGURATION | places).getOrCreate()
    spark.dataSource.register(QuickBooksDataSource)
    spark.dataSource.register(Stored)
    spark.range(task.slots, numPartitions=task.slots).count()
    report = Report(task)
    frame = _frame(spark, task)
    sums: Sums = {}
    totals = frame.groupBy("realm_id").agg(functions.count("*"), functions.sum("TotalAmt"))
    for realm, rows, total in totals.collect():
        sums[realm] = (rows, round(total * 100))
    report.done()
    report.write(sums, frame.rdd.getNumPartitions())
    spark.stop()


def _frame(spark: SparkSession, task: Job) -> Any:
    if task.work == "read":
        options = {"entity": ENTITY, "bundle_size": task.bundle_size, "concurrency": task.threads}
        return spark.read.format("quickbooks").options(**options).load()
    options = {"work": task.work, "stored": task.stored, "threads": task.threads, "bundle_size": task.bundle_size}
    return spark.read.format("stored").options(**options).load()


if __name__ == "__main__":
    main()
