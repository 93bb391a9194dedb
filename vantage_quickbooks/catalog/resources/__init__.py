"""The catalog: one row for each entity, in groups. To add an entity, add its row to the module of its group."""

from __future__ import annotations

from vantage_quickbooks.catalog.resources.accounting import ACCOUNTING, COMPANY_INFO
from vantage_quickbooks.catalog.resources.lists import LISTS
from vantage_quickbooks.catalog.resources.purchases import PURCHASES
from vantage_quickbooks.catalog.resources.sales import SALES

__all__ = ["COMPANY_INFO", "RESOURCES"]

RESOURCES = (*SALES, *PURCHASES, *LISTS, *ACCOUNTING)
"""All rows, in the order in which hosts list their actions."""
