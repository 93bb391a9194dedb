"""The Spark that tests use: a Python data source works in it, with Arrow batches and pushed filters."""

from __future__ import annotations

import os


def test_spark_reads_record_batches_of_a_python_data_source(spark):
    """The workers run this environment's Python; a filter reaches the reader; partitions are separate tasks."""
    from pyspark.sql.datasource import DataSource, DataSourceReader, GreaterThan, InputPartition

    class Reader(DataSourceReader):
        def pushFilters(self, filters):  # noqa: N802 -- Spark's name
            self.above = max(f.value for f in filters if isinstance(f, GreaterThan))
            return [f for f in filters if not isinstance(f, GreaterThan)]

        def partitions(self):
            return [InputPartition(0), InputPartition(100)]

        def read(self, partition):
            import sys

            import pyarrow as pa

            numbers = [partition.value + n for n in range(10)]
            kept = [n for n in numbers if n % 100 > self.above]
            yield pa.RecordBatch.from_pydict({"n": pa.array(kept, pa.int64()), "python": [sys.executable] * len(kept)})

    class Numbers(DataSource):
        @classmethod
        def name(cls):
            return "numbers"

        def schema(self):
            return "n long, python string"

        def reader(self, schema):  # noqa: ARG002 -- Spark's signature
            return Reader()

    spark.dataSource.register(Numbers)
    rows = spark.read.format("numbers").load().filter("n > 7").collect()
    assert sorted(row.n for row in rows) == [8, 9, 108, 109]
    assert {row.python for row in rows} == {os.environ["PYSPARK_PYTHON"]}


def test_spark_keeps_its_files_in_a_temporary_directory(spark, tmp_path, monkeypatch):
    """A table in the warehouse, made from the directory of a user's program, leaves nothing there."""
    monkeypatch.chdir(tmp_path)
    spark.range(3).write.saveAsTable("three", mode="overwrite")
    assert spark.table("three").count() == 3
    spark.sql("DROP TABLE three")
    assert list(tmp_path.iterdir()) == []
