"""A Spark driver that streams all companies of a registry into DuckDB, as a program: tests start it, and kill it.

    python spark_stream_driver.py REGISTRY CHECKPOINT DATABASE ENTITIES < configuration

The first line of its input is the configuration of Spark, as JSON. At each point of a batch (`begun`, `read`, `merged`)
it writes the point and the number of the batch, and waits for a line of input.
"""

from __future__ import annotations

import json
import os
import sys

import duckdb
from pyspark.sql import SparkSession

from vantage_quickbooks.adapters.spark import register
from vantage_quickbooks.adapters.spark.merge import merge_statements

TABLE = """
CREATE TABLE IF NOT EXISTS books (
  realm_id VARCHAR, entity VARCHAR, id VARCHAR, sync_token VARCHAR, updated TIMESTAMPTZ, record VARCHAR,
  _commit_time TIMESTAMPTZ
)
"""


def pause(point, batch):
    """Say where the batch is, and wait."""
    os.write(1, f"{json.dumps([point, batch])}\n".encode())
    sys.stdin.readline()


def main(registry, checkpoint, database, entities):
    """Stream until the process is killed."""
    configuration = json.loads(sys.stdin.readline())
    spark = SparkSession.builder.master("local[2]").config(map=configuration).getOrCreate()
    register(spark)
    books = duckdb.connect(database, config={"threads": 1})
    books.execute(TABLE)

    def merge(frame, batch):
        pause("begun", batch)
        changes = frame.toArrow()
        pause("read", batch)
        books.register("changes", changes)
        books.begin()
        for statement in merge_statements("books", "changes"):
            books.execute(statement)
        books.commit()
        books.unregister("changes")
        pause("merged", batch)

    frame = spark.readStream.format("quickbooks").option("registry", registry).option("entity", entities)
    stream = frame.option("bundle_size", "2").option("changes", "true").load().writeStream.foreachBatch(merge)
    stream.option("checkpointLocation", checkpoint).start().awaitTermination()


if __name__ == "__main__":
    main(*sys.argv[1:])
