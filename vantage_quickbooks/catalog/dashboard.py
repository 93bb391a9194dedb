"""The dashboard of a company: what a host reads for it and which tiles it shows, as data (docs/host.md, "Dashboard").

Balances come from the invoices with a balance; QuickBooks filters by it, so the cost depends on what is outstanding and
not on the number of invoices. Statuses are those of the invoices of the last 90 days: to read all invoices would cost a
call for each 1,000 of them.
"""

from __future__ import annotations

from typing import Any

from vantage_quickbooks.catalog.statuses import INVOICE_PAYMENT

__all__ = ["DASHBOARD"]

JSON = dict[str, Any]

_OWED: JSON = {"balance_from": "0.01"}


def _day(offset: int) -> JSON:
    return {"unit": "day", "offset": offset}


def _due(first: int | None, last: int | None) -> tuple[list[JSON], JSON]:
    """Return the condition and the link of what is due between two days, counted from today; None for no bound."""
    condition: JSON = {"field": "DueDate"}
    dates: JSON = {}
    if first is not None:
        condition["from"] = dates["due_date_from"] = _day(first)
    if last is not None:
        condition["to"] = dates["due_date_to"] = _day(last)
    return [condition], {"action": "listInvoices", "input": _OWED, "dates": dates}


def _age(label: str, tone: str, first: int | None, last: int | None) -> JSON:
    where, link = _due(first, last)
    return {"label": label, "tone": tone, "where": where, "link": link}


def _owed(id_: str, title: str, where: list[JSON], link: JSON, empty: str, **more: Any) -> JSON:
    return {
        "id": id_, "kind": "number", "title": title, "source": "unpaid", "value": {"sum": "Balance"},
        "currency": "currency", "where": where, "link": link, "empty": empty, **more,
    }  # fmt: skip


_OUTSTANDING: JSON = {"action": "listInvoices", "input": _OWED}
_RECENT: JSON = {"action": "listInvoices", "presets": {"txn_date": "last90Days"}}
_OVERDUE: JSON = {"action": "listInvoices", "input": {"status": "overdue"}}


def _due_within(days: int) -> tuple[list[JSON], JSON]:
    where, _ = _due(0, days)
    return where, {"action": "listInvoices", "input": _OWED, "presets": {"due_date": f"next{days}Days"}}


DASHBOARD: JSON = {
    "sources": [
        {"id": "unpaid", "action": "listInvoices", "input": _OWED, "reads": "all"},
        {"id": "recent", **_RECENT, "reads": "all"},
        {"id": "paid", "action": "listPaidInvoices", "presets": {"paid_date": "last90Days"}},
        {
            "id": "profit",
            "action": "getReport",
            "input": {"report": "ProfitAndLoss", "summarize_column_by": "Month"},
            "dates": {
                "start_date": {"unit": "month", "offset": -11},
                "end_date": {"unit": "month", "offset": 0, "edge": "last"},
            },
        },
    ],
    "tiles": [
        _owed("outstanding", "Outstanding", [], _OUTSTANDING, "Nothing is outstanding"),
        _owed(
            "overdue", "Overdue", [{"field": "paymentStatus", "equals": ["overdue"]}], _OVERDUE,
            "Nothing is overdue", tone="bad",
        ),
        _owed("dueIn7Days", "Due in 7 days", *_due_within(7), "Nothing is due"),
        _owed("dueIn30Days", "Due in 30 days", *_due_within(30), "Nothing is due"),
        {
            "id": "daysToPay", "kind": "number", "title": "Average days to pay", "source": "paid",
            "value": {"average": "daysToPay"}, "format": "days", "currency": "currency",
            "empty": "No invoices paid in 90 days",
        },
        {
            "id": "ages", "kind": "bars", "title": "Receivables by age", "source": "unpaid",
            "value": {"sum": "Balance"}, "currency": "currency", "link": _OUTSTANDING,
            "bars": [
                _age("Not due yet", "good", 0, None),
                _age("1\u201330 days overdue", "info", -30, -1),
                _age("31\u201360 days", "notice", -60, -31),
                _age("61\u201390 days", "warn", -90, -61),
                _age("Over 90 days", "bad", None, -91),
            ],
            "restLabel": "Without a due date", "empty": "Nothing is outstanding.",
        },
        {
            "id": "profit", "kind": "periods", "title": "Income and expenses", "source": "profit",
            "columns": "columns", "currency": "metadata.currency", "wholeLabel": "Net income",
            "series": [
                {
                    "label": "Income", "tone": "good",
                    "where": [
                        {"field": "rowKind", "equals": ["data"]},
                        {"field": "rowGroup", "equals": ["Income", "OtherIncome"]},
                    ],
                },
                {
                    "label": "Expenses", "tone": "notice",
                    "where": [
                        {"field": "rowKind", "equals": ["data"]},
                        {"field": "rowGroup", "equals": ["COGS", "Expenses", "OtherExpenses"]},
                    ],
                },
            ],
            "partLink": {
                "action": "getReport", "input": {"report": "ProfitAndLoss"},
                "rowInput": {"start_date": "startDate", "end_date": "endDate"},
            },
            "empty": "No income and no expenses in the last 12 months.",
        },
        {
            "id": "customers", "kind": "top", "title": "Top customers by balance", "source": "unpaid",
            "value": {"sum": "Balance"}, "currency": "currency", "by": "CustomerRef.value", "label": "customerName",
            "limit": 6, "link": _OUTSTANDING,
            "partLink": {**_OUTSTANDING, "rowInput": {"customer_id": "CustomerRef.value"}},
            "empty": "No customer owes anything.",
        },
        {
            "id": "statuses", "kind": "shares", "title": "Invoices of the last 90 days", "source": "recent",
            "value": {"sum": "TotalAmt"}, "currency": "currency", "by": "paymentStatus",
            "values": INVOICE_PAYMENT.values,
            "link": _RECENT, "partLink": {**_RECENT, "rowInput": {"status": "paymentStatus"}},
            "empty": "No invoices in the last 90 days.",
        },
    ],
}  # fmt: skip
"""Sources and tiles, in the order in which a host shows them."""
