"""The format `quickbooks` of Spark's Python Data Source API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.datasource import DataSource

from vantage_quickbooks.adapters.spark.options import SparkOptions
from vantage_quickbooks.adapters.spark.schema import CHANGE_SCHEMA, check_schema, entity_schema

if TYPE_CHECKING:
    from pyspark.sql.datasource import DataSourceReader
    from pyspark.sql.types import StructType

__all__ = ["QuickBooksDataSource"]


class QuickBooksDataSource(DataSource):
    """Companies of a registry as a frame; see docs/spark.md."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "quickbooks"

    def schema(self) -> StructType:
        """Return the schema of the frame, batch or stream: Spark does not say yet which of them it will be.

        Raises:
            InputError: An option is not valid.
        """
        return _schema_of(SparkOptions.parse(self.options, "read"))

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader of a batch.

        Raises:
            InputError: An option is not valid.
        """
        from vantage_quickbooks.adapters.spark.reader import QuickBooksReader  # noqa: PLC0415 -- imports the connector

        options = SparkOptions.parse(self.options, "batch")
        check_schema(schema, _schema_of(options))
        return QuickBooksReader(options, schema)


def _schema_of(options: SparkOptions) -> StructType:
    return CHANGE_SCHEMA if options.is_change_table else entity_schema(options.entity[0])
