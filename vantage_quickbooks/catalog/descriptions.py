"""Describes every action as data: the core actions here, the list and get actions of an entity from its row.

Nothing here runs an action: a host that shows a menu imports no handlers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.listings import (
    PAID_INVOICES_LISTING,
    links_of,
    listing_of,
    record_view,
    report_links,
)
from vantage_quickbooks.catalog.reports import PERIODS, REPORT_GROUPS
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.contract import Action, Cost, FlatField, Keys, Limits, Trigger

if TYPE_CHECKING:
    from vantage_quickbooks.catalog.resource import Column, Resource

__all__ = [
    "DESCRIPTIONS",
    "GET_ACCESS_TOKEN",
    "GET_COMPANY_INFO",
    "GET_REPORT",
    "LIMITS",
    "LIST_PAID_INVOICES",
    "QUERY",
    "RECONCILE_RECEIVABLES",
    "SYNC",
]

LIMITS = Limits(concurrent_requests=10, requests_per_second=10, requests_per_minute=500, max_page_size=1000)
"""Limits of one company and app.

Source: https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles.
"""

_ONE_CALL = Cost("call", 1, 1, "One API call.")

GET_COMPANY_INFO = Action(
    group="core",
    id="getCompanyInfo",
    title="Get company information",
    description="Reads the QuickBooks company: name, legal name, addresses, contacts, country, time zone, fiscal "
    "year and subscription.",
    rows_key="companyInfo",
    examples=({},),
    cost=(_ONE_CALL,),
    limits=LIMITS,
)

GET_ACCESS_TOKEN = Action(
    group="core",
    id="getAccessToken",
    title="Get access token",
    description="Returns a valid OAuth access token for the QuickBooks API, refreshed first if necessary. "
    "The result is a secret.",
    sensitive_output=True,
    agent_visible=False,
    examples=({},),
    cost=(Cost("call", 0, 0, "No API call; a token request if the token has to be refreshed."),),
)

QUERY = Action(
    id="query",
    title="Run a query",
    description="Runs one SELECT statement of the QuickBooks query language and returns its rows, for people who "
    "know that language. At most 1,000 rows; as many as the connection's setting unless the statement says MAXRESULTS.",
    rows_key="rows",
    group="core",
    examples=(
        {"query": "SELECT * FROM Invoice WHERE Balance > '0' ORDERBY DueDate MAXRESULTS 50"},
        {"query": "SELECT COUNT(*) FROM Customer"},
    ),
    cost=(_ONE_CALL,),
    limits=LIMITS,
)

SYNC = Action(
    id="sync",
    title="Sync the company",
    description="Reads what was created, changed and deleted in many kinds of records since the state of an earlier "
    "sync; without a state, everything. A company in which little happens takes one API call. Keep the returned state "
    "for the next time.",
    rows_key="changeSets",
    group="core",
    agent_visible=False,
    examples=({"entities": ["Term", "TaxCode"]},),
    limits=LIMITS,
)

GET_REPORT = Action(
    id="getReport",
    title="Get a report",
    description="Runs one of QuickBooks' reports, such as ProfitAndLoss, BalanceSheet or AgedReceivables, and returns "
    "it as flat rows with typed columns, and as Intuit sent it. Only rows of the kind data add up; sections, summaries "
    "and totals are marked.",
    rows_key="rows",
    group="reports",
    examples=(
        {"report": "AgedReceivables"},
        {"report": "ProfitAndLoss", "date_macro": "This Fiscal Year", "summarize_column_by": "Month"},
    ),
    views=(
        {
            "kind": "outline",
            "columns": "columns",
            "label": "rowLabel",
            "depth": "rowDepth",
            "rowKind": "rowKind",
            "totals": ["summary", "total"],
        },
    ),
    cost=(_ONE_CALL,),
    limits=LIMITS,
    links=report_links(RESOURCES),
    report={
        "input": "report",
        "groups": [{"title": title, "values": list(names)} for title, names in REPORT_GROUPS.items()],
        "periods": [{"preset": macro, "inputs": list(dates)} for macro, dates in PERIODS.items()],
        "heading": {
            "title": "metadata.title",
            "from": "metadata.startPeriod",
            "to": "metadata.endPeriod",
            "asOf": {"metadata.report": ["BalanceSheet", "TrialBalance"]},
            "basis": "metadata.basis",
            "currency": "metadata.currency",
            "madeAt": "metadata.reportTime",
        },
    },
)

_AMOUNTS = {
    "report": "In the report",
    "invoices": "Invoices",
    "creditMemos": "Credit memos",
    "unappliedPayments": "Unapplied payments",
    "otherTransactions": "Other transactions",
}

_COMPARED = (
    *({"field": name, "label": label, "format": "money"} for name, label in _AMOUNTS.items()),
    {"field": "agrees", "label": "Agrees", "format": "boolean"},
)
_AGES = {
    "current": {"label": "Not due yet"},
    "days_1_30": {"label": "1 to 30 days"},
    "days_31_60": {"label": "31 to 60 days"},
    "days_61_90": {"label": "61 to 90 days"},
    "days_91_and_over": {"label": "More than 90 days"},
}

RECONCILE_RECEIVABLES = Action(
    id="reconcileReceivables",
    title="Reconcile receivables",
    description="Compares today's A/R aging report with the balances of invoices, by customer and by age, and explains "
    "the difference: credit memos, payments that are not applied yet, and other transactions. Reads the report, the "
    "open invoices and credit memos, and all payments: one API call, and for each list two and one per 1,000 records.",
    rows_key="customers",
    group="reports",
    examples=({},),
    views=(
        {
            "kind": "table",
            "title": "By customer",
            "total": "totals",
            "columns": [{"field": "customerName", "label": "Customer"}, *_COMPARED],
        },
        {
            "kind": "table",
            "title": "By age",
            "rows": "byAge",
            "total": "totals",
            "columns": [{"field": "age", "label": "Overdue by", "values": _AGES}, *_COMPARED],
        },
    ),
    limits=LIMITS,
    links=({"field": "customerName", "action": "getCustomer", "input": {"id": "customerId"}},),
    report={"group": "Who owes you"},
)

LIST_PAID_INVOICES = Action(
    id="listPaidInvoices",
    title="List paid invoices",
    description="Lists the invoices that were paid in full in a period, each with the days from its date to its last "
    "payment, and the average by currency: how long customers take to pay. The last 90 days unless the input says "
    "otherwise. Reads the payments of the period: two API calls and one per 1,000 payments, then one per 1,000 "
    "invoices.",
    rows_key="invoices",
    group="reports",
    examples=({}, {"paid_date_from": "2026-01-01", "paid_date_to": "2026-03-31"}),
    views=(
        {
            "kind": "table",
            "columns": [
                {"field": "DocNumber", "label": "Number"},
                {"field": "customerName", "label": "Customer"},
                {"field": "TxnDate", "label": "Date", "format": "date"},
                {"field": "paidDate", "label": "Paid", "format": "date"},
                {"field": "daysToPay", "label": "Days to pay", "format": "number"},
                {"field": "TotalAmt", "label": "Total", "format": "money", "currency": "currency"},
                {"field": "currency", "label": "Currency"},
            ],
        },
    ),
    limits=LIMITS,
    listing=PAID_INVOICES_LISTING,
    links=({"field": "customerName", "action": "getCustomer", "input": {"id": "customerId"}},),
)

_FULL_READ: dict[str, Any] = {"all": True}

_FIRST = ("listCustomers", "listInvoices", "getCompanyInfo", "getAccessToken")
"""The actions that hosts show first."""


def _describe_list(resource: Resource) -> Action:
    """Return the list action of an entity as data."""
    has_full = resource.has_creation_order
    return Action(
        id=resource.list_id,
        title=f"List {resource.plural}",
        description=resource.description,
        rows_key=resource.rows_key,
        streamable=True,
        examples=tuple(dict(example) for example in resource.examples) or ({},),
        views=(_table(resource), *(dict(view) for view in resource.views)),
        full_read_input=_FULL_READ if has_full else None,
        group="core" if resource.list_id in _FIRST else resource.group,
        modes=("page", "full", "changes") if has_full else ("page",),
        keys=_keys(resource),
        triggers=(_trigger(resource),) if has_full else (),
        cost=_costs(resource),
        limits=LIMITS,
        flat_fields=_flat_fields(resource),
        listing=listing_of(resource),
        links=links_of(resource, RESOURCES),
    )


def _describe_get(resource: Resource) -> Action:
    """Return the get action of an entity as data."""
    if resource.is_singleton:
        title, description, example = f"Get {resource.name}", resource.description, {}
    else:
        article = "an" if resource.name[0] in "aeiou" else "a"
        title, example = f"Get {article} {resource.name}", {"id": "24"}
        description = f"Reads one {resource.name} by its Id, as Intuit sent it, with flat fields."
    return Action(
        id=resource.get_id,
        title=title,
        description=f"{description} One API call.",
        rows_key=resource.record_key,
        examples=(example,),
        group=resource.group,
        keys=_keys(resource),
        cost=(_ONE_CALL,),
        limits=LIMITS,
        flat_fields=_flat_fields(resource),
        views=(record_view(resource),),
        links=links_of(resource, RESOURCES),
    )


def _keys(resource: Resource) -> Keys:
    has_id, is_wrapped = resource.path is not None, resource.template_key
    flat_id = next((flat.name for flat in resource.flat if flat.paths == ("Id",)), "Id")
    return Keys(
        primary_key=(flat_id if is_wrapped else "Id",) if has_id else resource.primary_key,
        version="SyncToken" if has_id and not is_wrapped else None,
        updated_at=None if is_wrapped else "MetaData.LastUpdatedTime",
        deletions="none" if not resource.has_creation_order else "cdc" if resource.has_cdc else "idListing",
    )


def _trigger(resource: Resource) -> Trigger:
    name = resource.record_key
    return Trigger(
        id=f"{name}Changed",
        title=f"{resource.name[0].upper()}{resource.name[1:]} created, updated or deleted",
        action=resource.list_id,
        state_input="sync_cursor",
        state_path="metadata.syncCursor",
        start_input=_FULL_READ | ({"active": "all"} if resource.has_active else {}),
        deleted_path="deleted" if resource.has_cdc else None,
        existing_path="existingIds",
    )


def _costs(resource: Resource) -> tuple[Cost, ...]:
    page = (
        "One API call a page; with a status, more until the page is full."
        if resource.status
        else "One API call a page."
    )
    costs = (Cost("page", 1, 1, page),)
    if not resource.has_creation_order:
        return costs
    deletions = (
        "one for deletions (with 1,000 changes or more, a listing of all Ids)"
        if resource.has_cdc
        else "a listing of all Ids"
    )
    return (
        *costs,
        Cost("full", 2, 2, "One API call per 1,000 records, and two more.", 1000, 1000),
        Cost("changes", 3, 3, f"One API call per 1,000 changed records, one to count, and {deletions}.", 1000, 1000),
    )


def _flat_fields(resource: Resource) -> tuple[FlatField, ...]:
    labels = {column.field: column.label for column in resource.columns}
    return tuple(
        FlatField(row.name, row.type, labels.get(row.name, _title(row.name)))  # type: ignore[arg-type]  # a subset
        for row in resource.flat_fields
    )


def _title(name: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words[0].upper() + words[1:]


def _table(resource: Resource) -> dict[str, Any]:
    return {"kind": "table", "columns": [_column(column, resource) for column in resource.columns]}


def _column(column: Column, resource: Resource) -> dict[str, Any]:
    shown: dict[str, Any] = {"field": column.field, "label": column.label}
    if column.format != "text":
        shown["format"] = column.format
    if column.currency:
        shown["currency"] = column.currency
    if not column.is_summed:
        shown["isSummed"] = False
    if column.format == "status" and resource.status:
        shown["values"] = {name: dict(value) for name, value in resource.status.values.items()}
    return shown


def _describe_all() -> dict[str, Action]:
    actions = [GET_COMPANY_INFO, GET_ACCESS_TOKEN, QUERY, SYNC]
    for resource in RESOURCES:
        if resource.is_queryable:
            actions.append(_describe_list(resource))
        if resource.path is not None:
            actions.append(_describe_get(resource))
    actions += [GET_REPORT, RECONCILE_RECEIVABLES, LIST_PAID_INVOICES]
    by_id = {action.id: action for action in actions}
    return {id_: by_id[id_] for id_ in (*_FIRST, *(id_ for id_ in by_id if id_ not in _FIRST))}


DESCRIPTIONS = _describe_all()
"""The actions by id: the four core actions, the query, the sync, the actions of the catalog's rows, the reports."""
