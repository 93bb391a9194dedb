"""Lists customers with their names and contacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.actions import filters, reading
from vantage_quickbooks.contract import Action, Cost, Keys, Limits, Trigger
from vantage_quickbooks.core import query
from vantage_quickbooks.sync.page import page_metadata, project, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

ACTION = Action(
    id="listCustomers",
    title="List customers",
    description="Lists QuickBooks customers (and jobs) with names, e-mail, phone, addresses and open balance. "
    "Active customers only, unless asked otherwise; alphabetical by display name.",
    rows_key="customers",
    streamable=True,
    examples=({"max_results": 50}, {"active": "all", "name": "Pine%"}, {"updated_since": "2026-10-01"}),
    full_read_input={"all": True},
    group="core",
    modes=("page", "full", "changes"),
    keys=Keys(("Id",), version="SyncToken", updated_at="MetaData.LastUpdatedTime", deletions="cdc"),
    triggers=(
        Trigger(
            "customerChanged",
            "Customer created or changed",
            "listCustomers",
            state_input="sync_cursor",
            state_path="metadata.syncCursor",
            start_input={"all": True},
            deleted_path="deleted",
        ),
    ),
    cost=(
        Cost("page", 1, 1, "One API call."),
        Cost("full", 2, 2, "At most two API calls, and one more for each 1,000 customers.", 1000, 1000),
        Cost("changes", 2, 2, "At most two API calls, and one more for each 1,000 customers that changed.", 1000, 1000),
    ),
    limits=Limits(concurrent_requests=10, requests_per_second=10, requests_per_minute=500, max_page_size=1000),
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


def run(
    client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
) -> dict[str, Any]:
    """Return one page of customers, with one API call; or all of them, if the input says `all`.

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
    reading.check(data, row_limit)
    if reading.is_whole(data) and row_limit is None:
        return reading.whole(KIND, client, data, call)
    statement = query.Select(
        "Customer",
        where=(*_conditions(data),),
        order_by=(data.get("order_by", DEFAULT_ORDER),),
        start_position=data.get("start_position", 1),
        max_results=filters.page_size(data, client.settings.max_results, row_limit),
    )
    page = read_page(client, statement, call)
    return _shape(page.records, data) | {
        "metadata": page_metadata(client, call, statement, page),
    }


def everything(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> Iterator[dict[str, Any]]:
    """Yield all customers page by page; see `reading.pages`."""
    return reading.pages(KIND, client, data, call)


def estimate(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> tuple[int, int]:
    """Return how many records a whole read would find, and the API calls it takes; see `reading.estimate`."""
    return reading.estimate(KIND, client, data, call)


def lines(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> Iterator[tuple[bytes, Any]]:
    """Yield all customers as newline-delimited JSON; see `reading.lines`."""
    return reading.lines(KIND, client, data, call)


def derived(customer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flat fields that dashboards read; None where QuickBooks has nothing."""
    phones = (_member(customer, key, "FreeFormNumber") for key in ("PrimaryPhone", "Mobile", "AlternatePhone"))
    return {
        "customerName": customer.get("DisplayName") or customer.get("FullyQualifiedName"),
        "email": _member(customer, "PrimaryEmailAddr", "Address"),
        "phone": next((phone for phone in phones if phone), None),
    }


def _member(customer: Mapping[str, Any], key: str, member: str) -> Any:
    """Return a member of a member; empty objects occur on the wire (recorded)."""
    value = customer.get(key)
    return value.get(member) if isinstance(value, dict) else None


def _conditions(data: Mapping[str, Any]) -> list[str]:
    active = {"active": (True,), "inactive": (False,), "all": (True, False)}[data.get("active", "active")]
    where = [query.whether("Active", *active)]
    if "name" in data:
        where.append(query.matches("DisplayName", data["name"], field="name"))
    if "email" in data:
        where.append(query.matches("PrimaryEmailAddr", data["email"], field="email"))
    return where + filters.updated_since(data)


def _shape(records: list[dict[str, Any]], data: Mapping[str, Any], *_: Any) -> dict[str, Any]:
    fields = data.get("fields")
    facts = [derived(record) for record in records]
    customers = [project(record, fields) for record in records]
    for customer, fact in zip(customers, facts, strict=True):
        customer.update(fact)
    return {"customers": customers, "count": len(customers)}


def _all_conditions(data: Mapping[str, Any], _: date) -> list[str]:
    """Ask for inactive ones, too, and choose here: whether somebody deactivates a customer must not move the pages."""
    return [query.whether("Active", True, False), *_conditions({**data, "active": "all"})[1:]]


def _keeps(customer: Mapping[str, Any], data: Mapping[str, Any], _: date) -> bool:
    wanted = data.get("active", "active")
    is_active: bool = customer.get("Active") is not False
    return bool(wanted == "all" or is_active == (wanted == "active"))


KIND = reading.Kind(
    entity="Customer",
    rows_key="customers",
    tie_breaker="DisplayName",
    conditions=_all_conditions,
    mutable=frozenset({"name", "email", "updated_since"}),
    judges=lambda data: data.get("active") != "all",
    keeps=_keeps,
    shape=_shape,
)
