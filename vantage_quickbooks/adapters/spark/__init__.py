"""QuickBooks companies as a data source of Spark 4 (extra `[spark]`): thousands of companies, over all executors.

spark.dataSource.register(QuickBooksDataSource)
spark.read.format("quickbooks").option("entity", "Invoice").option("registry", "/srv/companies").load()
"""

from __future__ import annotations

from vantage_quickbooks.adapters.spark.source import QuickBooksDataSource

__all__ = ["QuickBooksDataSource"]
