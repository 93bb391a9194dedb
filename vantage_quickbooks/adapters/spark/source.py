"""The format `quickbooks` of Spark's Python Data Source API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource

from vantage_quickbooks.adapters.spark.options import SparkOptions
from vantage_quickbooks.adapters.spark.schema import CHANGE_SCHEMA, check_schema, entity_change_schema, entity_schema
from vantage_quickbooks.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql.datasource import DataSourceReader, DataSourceStreamReader
    from pyspark.sql.types import StructType

__all__ = ["QuickBooksDataSource", "refuse_speculation"]


class QuickBooksDataSource(DataSource):
    """Companies of a registry as a frame; see docs/spark.md."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format.

        Spark asks for it when the source is registered, on the driver, where its configuration is known.

        Raises:
            InputError: Spark is configured to run tasks twice.
        """
        refuse_speculation()
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

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 -- Spark's name
        """Return the reader of a stream.

        Raises:
            InputError: An option is not valid.
        """
        from vantage_quickbooks.adapters.spark.stream import QuickBooksStreamReader  # noqa: PLC0415 -- imports the connector

        options = SparkOptions.parse(self.options, "stream")
        check_schema(schema, _schema_of(options))
        return QuickBooksStreamReader(options, schema)


def refuse_speculation(session: SparkSession | None = None) -> None:
    """Refuse a Spark that runs slow tasks twice: that doubles the API calls, and two tasks would read one company.

    Args:
        session: The session; None is the active one. A worker has none, and knows nothing of the configuration.

    Raises:
        InputError: `spark.speculation` is true.
    """
    session = session or SparkSession.getActiveSession()
    if session is not None and str(session.conf.get("spark.speculation", "false")).lower() == "true":
        raise InputError(
            "spark.speculation is true: slow tasks would run twice, so that two tasks read one company, and its API "
            "calls are paid twice. Start Spark with spark.speculation=false."
        )


def _schema_of(options: SparkOptions) -> StructType:
    if options.is_change_table:
        return CHANGE_SCHEMA
    entity = options.entity[0]
    return entity_change_schema(entity) if options.has_change_columns else entity_schema(entity)
