"""Every action of the connector, by id, in the order in which a host shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.catalog.access_token import GetAccessToken
from vantage_quickbooks.catalog.company_info import GetCompanyInfo
from vantage_quickbooks.catalog.descriptions import get_description, list_description
from vantage_quickbooks.catalog.get_action import GetAction
from vantage_quickbooks.catalog.list_action import ListAction
from vantage_quickbooks.catalog.query_action import QueryAction
from vantage_quickbooks.catalog.resources import RESOURCES

if TYPE_CHECKING:
    from vantage_quickbooks.catalog.handler import Handler

__all__ = ["ACTIONS"]

FIRST = ("listCustomers", "listInvoices", "getCompanyInfo", "getAccessToken")


def _handlers() -> dict[str, Handler]:
    handlers: list[Handler] = [GetCompanyInfo(), GetAccessToken(), QueryAction()]
    for resource in RESOURCES:
        if resource.is_queryable:
            handlers.append(ListAction(resource, list_description(resource)))
        if resource.path is not None:
            handlers.append(GetAction(resource, get_description(resource)))
    by_id = {handler.action.id: handler for handler in handlers}
    return {id_: by_id[id_] for id_ in (*FIRST, *(id_ for id_ in by_id if id_ not in FIRST))}


ACTIONS = _handlers()
"""The handlers by action id: the four that the product began with, then the query, then the rows of the catalog."""
