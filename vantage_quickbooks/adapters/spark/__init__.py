"""QuickBooks companies as a data source of Spark 4 (extra `[spark]`): thousands of companies, over all executors.

register(spark)
spark.read.format("quickbooks").option("entity", "Invoice").option("registry", "/srv/companies").load()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.adapters.spark.source import QuickBooksDataSource, refuse_speculation
from vantage_quickbooks.adapters.spark.status import QuickBooksStatusDataSource

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["QuickBooksDataSource", "QuickBooksStatusDataSource", "register"]


def register(spark: SparkSession) -> None:
    """Register the formats `quickbooks` and `quickbooks_status` with a session.

    Raises:
        InputError: The session is configured to run tasks twice (`spark.speculation`).
    """
    refuse_speculation(spark)
    for source in (QuickBooksDataSource, QuickBooksStatusDataSource):
        spark.dataSource.register(source)
