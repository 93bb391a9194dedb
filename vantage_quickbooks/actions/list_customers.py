"""Lists customers with their names and contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks import query
from vantage_quickbooks.actions import filters
from vantage_quickbooks.contract import Action
from vantage_quickbooks.reader import metadata, project, read_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.calls import Call
    from vantage_quickbooks.client import QuickBooksClient

ACTION = Action(
    id="listCustomers",
    title="List customers",
    description="Lists QuickBooks customers (and jobs) with names, e-mail, phone, addresses and open balance. "
    "Active customers only, unless asked otherwise; alphabetical by display name.",
    rows_key="customers",
    streamable=True,
    examples=({"max_results": 50}, {"active": "all", "name": "Pine%"}, {"updated_since": "2026-10-01"}),
    views=(
        {
            "kind": "table",
            "columns": [
                {"field": "Id", "label": "Id"},
                {"field": "customerName", "label": "Customer"},
                {"field": "email", "label": "E-mail"},
                {"field": "phone", "label": "Phone"},
                {"field": "Balance", "label": "Balance", "format": "money", "currency": "CurrencyRef.value"},
            ],
        },
    ),
)

DEFAULT_ORDER = "DisplayName"


def run(client: QuickBooksClient, data: Mapping[str, Any], call: Call, row_limit: int | None = None) -> dict[str, Any]:
    """Return one page of customers: one API call.

    Args:
        client: Asks QuickBooks.
        data: Input that `listCustomers.input.schema.json` accepts.
        call: The call.
        row_limit: The host's cap.

    Returns:
        `customers` as Intuit sent them, each with the flat `customerName`, `email` and `phone`; `count`; `metadata`.

    Raises:
        ConnectorError: See `QuickBooksClient.request`.
    """
    order_by = data.get("order_by", DEFAULT_ORDER)
    statement = query.Select(
        "Customer",
        where=(*_conditions(data),),
        order_by=(order_by,),
        start_position=data.get("start_position", 1),
        max_results=filters.page_size(data, client.settings.max_results, row_limit),
    )
    page = read_page(client, statement, call)
    fields = data.get("fields")
    customers = [project(record, fields) | derived(record) for record in page.records]
    return {
        "customers": customers,
        "count": len(customers),
        "metadata": metadata(
            client,
            call,
            startPosition=statement.start_position,
            maxResults=statement.max_results,
            mayHaveMore=page.next_position is not None,
            nextStartPosition=page.next_position,
            orderBy=order_by,
        ),
    }


def derived(customer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flat fields that dashboards read; None where QuickBooks has nothing."""
    phones = (customer.get(key) for key in ("PrimaryPhone", "Mobile", "AlternatePhone"))
    return {
        "customerName": customer.get("DisplayName") or customer.get("FullyQualifiedName"),
        "email": (customer.get("PrimaryEmailAddr") or {}).get("Address"),
        "phone": next((phone["FreeFormNumber"] for phone in phones if phone and phone.get("FreeFormNumber")), None),
    }


def _conditions(data: Mapping[str, Any]) -> list[str]:
    active = {"active": (True,), "inactive": (False,), "all": (True, False)}[data.get("active", "active")]
    where = [query.whether("Active", *active)]
    if "name" in data:
        where.append(query.matches("DisplayName", data["name"], field="name"))
    if "email" in data:
        where.append(query.matches("PrimaryEmailAddr", data["email"], field="email"))
    return where + filters.updated_since(data)
