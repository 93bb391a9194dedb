"""
The actions, one file each: `ACTION` describes it as data, `run` does it.

Adding one: write the file, its schemas (`schemas/<id>.input.schema.json`, ...) and its docs section, and name it here.
"""

from vantage_quickbooks.actions import get_access_token, get_company_info, list_customers, list_invoices

__all__ = ["MODULES"]

MODULES = {module.ACTION.id: module for module in (list_customers, list_invoices, get_company_info, get_access_token)}
"""The action modules by action id, in the order in which a host shows them."""
