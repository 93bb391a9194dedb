"""The handler of every action, by id, in the order in which a host shows the actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.catalog.access_token import GetAccessToken
from vantage_quickbooks.catalog.company_info import GetCompanyInfo
from vantage_quickbooks.catalog.descriptions import DESCRIPTIONS
from vantage_quickbooks.catalog.get_action import GetAction
from vantage_quickbooks.catalog.list_action import ListAction
from vantage_quickbooks.catalog.paid_invoices import ListPaidInvoices
from vantage_quickbooks.catalog.query_action import QueryAction
from vantage_quickbooks.catalog.receivables import ReconcileReceivables
from vantage_quickbooks.catalog.report_action import ReportAction
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.catalog.sync_action import SyncAction

if TYPE_CHECKING:
    from vantage_quickbooks.catalog.handler import Handler

__all__ = ["ACTIONS", "SYNC"]

SYNC = SyncAction()


def _handlers() -> dict[str, Handler]:
    core: list[Handler] = [
        GetCompanyInfo(),
        GetAccessToken(),
        QueryAction(),
        SYNC,
        ReportAction(),
        ReconcileReceivables(),
        ListPaidInvoices(),
    ]
    handlers = {handler.action.id: handler for handler in core}
    for resource in RESOURCES:
        if resource.list_id in DESCRIPTIONS:
            handlers[resource.list_id] = ListAction(resource, DESCRIPTIONS[resource.list_id])
        if resource.get_id in DESCRIPTIONS:
            handlers[resource.get_id] = GetAction(resource, DESCRIPTIONS[resource.get_id])
    return {id_: handlers[id_] for id_ in DESCRIPTIONS}


ACTIONS = _handlers()
"""The handlers by action id."""
