"""
Lists invoices with their payment status.

QuickBooks has no field for the state of payment; it follows from others (Intuit, "Invoice"; voided as recorded):

| Status | When |
|---|---|
| `voided` | total, balance and all lines are 0 and the private note begins with "Voided" |
| `paid` | nothing is owed |
| `overdue` | something is owed, and the due date lies before the company's today |
| `partiallyPaid` | something is owed, less than the total, and it is not overdue |
| `open` | all of it is owed, and it is not overdue |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.actions import filters, reading
from vantage_quickbooks.contract import Action, Cost, Keys, Limits, Trigger
from vantage_quickbooks.core import query
from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.sync.page import Page, page_metadata, project, read_page

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

STATUSES = ("paid", "partiallyPaid", "open", "overdue", "voided")
STATUS_VALUES = {
    "paid": {"label": "paid", "tone": "good"},
    "partiallyPaid": {"label": "partly paid", "tone": "notice"},
    "open": {"label": "open", "tone": "info"},
    "overdue": {"label": "overdue", "tone": "bad"},
    "voided": {"label": "voided", "tone": "muted"},
}
"""Each status in words, and what it means to whoever waits for the money."""

ACTION = Action(
    id="listInvoices",
    title="List invoices",
    description="Lists QuickBooks invoices with customer, dates, amounts, payment status (paid, partiallyPaid, open, "
    "overdue, voided) and days overdue, and sums up what is outstanding by currency and status. Newest first.",
    rows_key="invoices",
    streamable=True,
    examples=({"max_results": 50}, {"status": "overdue"}, {"customer_id": "24", "txn_date_from": "2026-01-01"}),
    full_read_input={"all": True},
    group="core",
    modes=("page", "full", "changes"),
    keys=Keys(("Id",), version="SyncToken", updated_at="MetaData.LastUpdatedTime", deletions="cdc"),
    triggers=(
        Trigger(
            "invoiceChanged",
            "Invoice created, changed or deleted",
            "listInvoices",
            state_input="sync_cursor",
            state_path="metadata.syncCursor",
            start_input={"all": True},
            deleted_path="deleted",
        ),
    ),
    cost=(
        Cost("page", 1, 1, "One API call."),
        Cost("full", 2, 2, "At most two API calls, and one more for each 1,000 invoices.", 1000, 1000),
        Cost("changes", 2, 2, "At most two API calls, and one more for each 1,000 invoices that changed.", 1000, 1000),
    ),
    limits=Limits(concurrent_requests=10, requests_per_second=10, requests_per_minute=500, max_page_size=1000),
    views=(
        {
            "kind": "table",
            "columns": [
                {"field": "DocNumber", "label": "No."},
                {"field": "customerName", "label": "Customer"},
                {"field": "TxnDate", "label": "Date", "format": "date"},
                {"field": "DueDate", "label": "Due", "format": "date"},
                {"field": "TotalAmt", "label": "Total", "format": "money", "currency": "currency"},
                {"field": "Balance", "label": "Balance", "format": "money", "currency": "currency"},
                {"field": "currency", "label": "Cur."},
                {"field": "paymentStatus", "label": "Status", "format": "status", "values": STATUS_VALUES},
                {"field": "daysOverdue", "label": "Late", "format": "days"},
            ],
        },
        {
            "kind": "aging",
            "title": "Receivables by age",
            "amount": "Balance",
            "days": "daysOverdue",
            "currency": "currency",
        },
        {
            "kind": "breakdown",
            "title": "Invoices by payment status",
            "by": "paymentStatus",
            "amount": "TotalAmt",
            "amountLabel": "Invoiced",
            "part": "Balance",
            "partLabel": "Outstanding",
            "currency": "currency",
            "values": STATUS_VALUES,
        },
        {
            "kind": "top",
            "title": "Customers who owe most",
            "by": "customerName",
            "byLabel": "Customer",
            "amount": "Balance",
            "currency": "currency",
            "limit": 8,
        },
    ),
)

DEFAULT_ORDER = "MetaData.CreateTime DESC"
"""Newest first. Intuit's own default, last edited first, moves whenever anybody edits an invoice."""

ZERO = Decimal(0)
CENT = Decimal("0.01")
_NUMBERS = (float, int)  # as JSON has them: a bool is none
_EXACT = Context(prec=1000)  # the host's own context may round to a few digits


def run(
    client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
) -> dict[str, Any]:
    """Return one page of invoices; or all of them, if the input says `all`.

    Without `status` that is one API call. Intuit cannot filter by payment status; it can by balance and due date.
    With `status` it is asked for those invoices that may have it, and asked on until the page is full or there are no
    more, so the result is what it says: the first invoices of that status from the position given.

    Args:
        client: Asks QuickBooks.
        data: Input that `listInvoices.input.schema.json` accepts.
        call: The call.
        row_limit: The host's cap.

    Returns:
        `invoices` as Intuit sent them, each with the flat `customerName`, `currency`, `paymentStatus` and
        `daysOverdue`; `count`; `summary` of this page; `metadata`.

    Raises:
        ConnectorError: See `QuickBooksClient.request`.
    """
    reading.check(data, row_limit)
    if reading.is_whole(data) and row_limit is None:
        return reading.whole(KIND, client, data, call)
    status = data.get("status")
    statement = query.Select(
        "Invoice",
        where=(*_conditions(data), *_candidates(status, call.now().date())),
        order_by=(data.get("order_by", DEFAULT_ORDER),),
        start_position=data.get("start_position", 1),
        max_results=filters.page_size(data, client.settings.max_results, row_limit),
    )
    page = read_page(client, statement, call)
    if status is not None:
        page = _refined(client, statement, page, call, status)
    return _shape(page.records, data, page.company_date, "page") | {
        "metadata": page_metadata(client, call, statement, page, companyDate=page.company_date.isoformat()),
    }


def everything(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> Iterator[dict[str, Any]]:
    """Yield all invoices page by page; see `reading.pages`."""
    return reading.pages(KIND, client, data, call)


def estimate(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> tuple[int, int]:
    """Return how many records a whole read would find, and the API calls it takes; see `reading.estimate`."""
    return reading.estimate(KIND, client, data, call)


def lines(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> Iterator[tuple[bytes, Any]]:
    """Yield all invoices as newline-delimited JSON; see `reading.lines`."""
    return reading.lines(KIND, client, data, call)


def derived(invoice: Mapping[str, Any], today: date) -> dict[str, Any]:
    """Return the flat fields that dashboards read.

    Args:
        invoice: The record.
        today: The company's date: what is due today is not overdue.

    Raises:
        UnexpectedResponseError: The record has no amounts, so its status cannot be told.
    """
    total, balance = _amount(invoice, "TotalAmt"), _amount(invoice, "Balance")
    due = _day(invoice.get("DueDate")) if balance > 0 else None
    overdue = max(0, (today - due).days) if due else 0
    return {
        "customerName": (invoice.get("CustomerRef") or {}).get("name"),
        "currency": (invoice.get("CurrencyRef") or {}).get("value"),
        "paymentStatus": _status(invoice, total, balance, overdue),
        "daysOverdue": overdue,
    }


def summary(rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], scope: str = "page") -> dict[str, Any]:
    """Sum up by currency and, within it, by status; never across currencies, and in exact decimals.

    Args:
        rows: Each invoice with its derived fields.
        scope: What the rows are: a `page`, or `all`.

    Returns:
        `scope` (what was summed up) and `byCurrency`, amounts as decimal strings.
    """
    amounts: dict[tuple[str | None, str], tuple[list[float], list[float]]] = {}
    for invoice, facts in rows:
        key = facts["currency"], facts["paymentStatus"]
        if key not in amounts:
            amounts[key] = ([], [])
        totals, balances = amounts[key]
        totals.append(invoice["TotalAmt"])
        balances.append(invoice["Balance"])
    by_currency = []
    with localcontext(_EXACT):
        for currency in sorted({currency for currency, _ in amounts}, key=lambda code: code or ""):
            sums = {status: _Sum.of(*amounts[currency, status]) for status in STATUSES if (currency, status) in amounts}
            by_status = [{"status": status, **part.to_dict()} for status, part in sums.items()]
            by_currency.append({"currency": currency, **_Sum.over(sums.values()).to_dict(), "byStatus": by_status})
    return {"scope": scope, "byCurrency": by_currency}


@dataclass(frozen=True, slots=True)
class _Sum:
    """Invoices added up in exact decimals."""

    count: int
    total: Decimal
    outstanding: Decimal

    @classmethod
    def of(cls, totals: list[float], balances: list[float]) -> _Sum:
        return cls(len(totals), _added(totals), _added(balances))

    @classmethod
    def over(cls, parts: Collection[_Sum]) -> _Sum:
        return cls(
            sum(part.count for part in parts),
            sum((part.total for part in parts), ZERO),
            sum((part.outstanding for part in parts), ZERO),
        )

    def to_dict(self) -> dict[str, Any]:
        return {"count": self.count, "total": _money(self.total), "outstanding": _money(self.outstanding)}


def _refined(client: QuickBooksClient, statement: query.Select, page: Page, call: CallContext, status: str) -> Page:
    """Keep what has *status*, and read on until there are as many as were asked for."""
    today, wanted, size = page.company_date, statement.max_results, statement.max_results
    found: list[dict[str, Any]] = []
    while True:
        for index, record in enumerate(page.records):
            if derived(record, today)["paymentStatus"] != status:
                continue
            found.append(record)
            if len(found) == wanted:
                is_last = index + 1 == len(page.records) and page.next_position is None
                following = None if is_last else page.start_position + index + 1
                return Page(found, statement.start_position, following, today)
        if page.next_position is None:
            return Page(found, statement.start_position, None, today)
        size = min(query.MAX_PAGE, size * 2)  # API calls are metered: the fewer the better
        page = read_page(client, statement.page(page.next_position, size), call)


def _conditions(data: Mapping[str, Any]) -> list[str]:
    where = [
        *filters.date_range(data, "TxnDate", "txn_date"),
        *filters.date_range(data, "DueDate", "due_date"),
        *filters.updated_since(data),
    ]
    if "customer_id" in data:
        where.append(query.compare("CustomerRef", "=", data["customer_id"], field="customer_id"))
    if "doc_number" in data:
        where.append(query.matches("DocNumber", data["doc_number"], field="doc_number"))
    return where


def _candidates(status: str | None, utc_today: date) -> list[str]:
    """Return conditions that no invoice of *status* fails; `_refined` decides exactly.

    The company's date is known only from its answer; it is at most one day ahead of UTC's.
    """
    if status is None:
        return []
    if status in {"paid", "voided"}:
        return [query.compare("Balance", "<=", "0")]
    owed = [query.compare("Balance", ">", "0")]
    if status == "overdue":
        owed.append(query.compare("DueDate", "<", (utc_today + timedelta(days=1)).isoformat()))
    return owed


def _status(invoice: Mapping[str, Any], total: float, balance: float, overdue: int) -> str:
    if balance <= 0:
        return "voided" if total == balance == 0 and _is_void(invoice) else "paid"
    if overdue:
        return "overdue"
    return "partiallyPaid" if balance < total else "open"


def _is_void(invoice: Mapping[str, Any]) -> bool:
    """Tell a voided invoice of nothing from one of 100 % discount: voiding empties its lines and writes a note."""
    is_noted = str(invoice.get("PrivateNote") or "").startswith("Voided")
    return is_noted and not any(line.get("Amount") for line in invoice.get("Line") or () if isinstance(line, dict))


def _amount(invoice: Mapping[str, Any], key: str) -> float:
    value = invoice.get(key)
    if type(value) not in _NUMBERS:
        raise UnexpectedResponseError(
            f"Invoice {invoice.get('Id')} came without {key}, so its payment status cannot be told."
        )
    return value  # type: ignore[return-value]  # one of the numbers, by its type


def _added(amounts: list[float]) -> Decimal:
    # The shortest decimal that reads back as the same float is what QuickBooks sent.
    return sum(map(Decimal, map(repr, filter(None, amounts))), ZERO)


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _money(amount: Decimal) -> str:
    return format(amount.quantize(CENT) if amount == amount.quantize(CENT) else amount.normalize(), "f")


def _shape(records: list[dict[str, Any]], data: Mapping[str, Any], today: date, scope: str) -> dict[str, Any]:
    fields = data.get("fields")
    facts = [derived(record, today) for record in records]
    sums = summary(zip(records, facts, strict=True), scope)
    invoices = records if fields is None else [project(record, fields) for record in records]
    for invoice, fact in zip(invoices, facts, strict=True):
        invoice.update(fact)
    return {"invoices": invoices, "count": len(invoices), "summary": sums}


def _all_conditions(data: Mapping[str, Any], utc_today: date) -> list[str]:
    return [*_conditions(data), *_candidates(data.get("status"), utc_today)]


def _keeps(invoice: Mapping[str, Any], data: Mapping[str, Any], today: date) -> bool:
    return "status" not in data or derived(invoice, today)["paymentStatus"] == data["status"]


KIND = reading.Kind(
    entity="Invoice",
    rows_key="invoices",
    tie_breaker="DocNumber",
    conditions=_all_conditions,
    mutable=frozenset(
        {
            "status",
            "customer_id",
            "doc_number",
            "updated_since",
            "txn_date_from",
            "txn_date_to",
            "due_date_from",
            "due_date_to",
        }
    ),
    judges=lambda data: "status" in data,
    keeps=_keeps,
    shape=_shape,
)
