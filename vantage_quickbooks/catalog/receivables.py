"""Compares the A/R aging report with our own aging of invoices, and explains what differs.

The report has all receivables: invoices, less credit memos and payments that are not applied yet, and all other
postings to receivables (journal entries, deposits), aged by due date, or by their own date if they have none. Amounts
are in the company's home currency, as in the report.

Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/aragingsummary.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.descriptions import RECONCILE_RECEIVABLES
from vantage_quickbooks.catalog.invoices import format_money
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.core import query
from vantage_quickbooks.core.report_rows import parse_report
from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.sync.list_request import ListRequest
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.core.report_rows import Report

__all__ = ["ReconcileReceivables", "Reconciliation", "reconcile"]

BUCKETS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_91_and_over")
"""The columns of the report with its usual four periods of thirty days."""

_BUCKETS_BY_AGE = dict(zip(("", "1", "31", "61", "91"), BUCKETS, strict=True))
"""The columns by the first number in their titles."""

_PARTS = ("report", "invoices", "creditMemos", "unappliedPayments")
_CENT = Decimal("0.01")
_Amounts = dict[str, Decimal]


def _zero() -> _Amounts:
    return dict.fromkeys(_PARTS, Decimal(0))


@dataclass(slots=True)
class Reconciliation:
    """What the report and the records say, by customer and by age.

    Attributes:
        customers: Amounts of each customer by Id.
        names: Names of customers by Id.
        buckets: Amounts of each age.
    """

    customers: dict[str, _Amounts] = field(default_factory=lambda: defaultdict(_zero))
    names: dict[str, str] = field(default_factory=dict)
    buckets: dict[str, _Amounts] = field(default_factory=lambda: {name: _zero() for name in BUCKETS})

    def add(self, part: str, customer: str, bucket: str, amount: Decimal) -> None:
        """Add an amount to the sums of its customer and of its age.

        Args:
            part: `report`, `invoices`, `creditMemos` or `unappliedPayments`.
            customer: The customer's Id; empty if there is none.
            bucket: The age, one of `BUCKETS`.
            amount: The amount.
        """
        self.customers[customer][part] += amount
        self.buckets[bucket][part] += amount

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON, amounts as decimal strings."""
        shown = {id_: amounts for id_, amounts in self.customers.items() if any(amounts.values())}
        order = sorted(shown, key=lambda id_: (self.names.get(id_, "").casefold(), id_))
        totals = {part: sum((amounts[part] for amounts in shown.values()), Decimal(0)) for part in _PARTS}
        return {
            "customers": [
                {"customerId": id_ or None, "customerName": self.names.get(id_), **_compared(shown[id_])}
                for id_ in order
            ],
            "count": len(order),
            "byAge": [{"age": name, **_compared(amounts)} for name, amounts in self.buckets.items()],
            "totals": _compared(totals),
        }


def _compared(amounts: _Amounts) -> dict[str, Any]:
    """Return amounts, the rest that they do not explain, and whether the report is what the invoices say."""
    known = amounts["invoices"] + amounts["creditMemos"] + amounts["unappliedPayments"]
    others = amounts["report"] - known
    parts = {part: format_money(amount) for part, amount in amounts.items()}
    return parts | {"otherTransactions": format_money(others), "agrees": amounts["report"] == amounts["invoices"]}


def reconcile(
    report: Report,
    today: date,
    invoices: Iterable[Mapping[str, Any]],
    credit_memos: Iterable[Mapping[str, Any]],
    payments: Iterable[Mapping[str, Any]],
) -> Reconciliation:
    """Compare an aging report with records.

    Args:
        report: AgedReceivables of today.
        today: The company's date.
        invoices: All invoices with a balance.
        credit_memos: All credit memos with a remaining credit.
        payments: All payments; those without an unapplied amount do not count.

    Raises:
        UnexpectedResponseError: The report does not have the columns of `BUCKETS`.
    """
    found = Reconciliation()
    places = _places(report)
    for row in report.rows:
        if row.kind == "data":
            found.names.setdefault(row.label_id or "", row.label or "")
            for bucket in BUCKETS:
                found.add("report", row.label_id or "", bucket, row.values[places[bucket]] or Decimal(0))
    sources = (
        ("invoices", invoices, "Balance", "HomeBalance", 1),
        ("creditMemos", credit_memos, "Balance", "HomeBalance", -1),
        ("unappliedPayments", payments, "UnappliedAmt", None, -1),
    )
    for part, records, member, home, sign in sources:
        for record in records:
            reference = record.get("CustomerRef") or {}
            customer = str(reference.get("value") or "")
            if record.get("TxnDate", "") > today.isoformat():  # the report has what is dated until today
                continue
            found.names.setdefault(customer, str(reference.get("name") or ""))
            amount = sign * _home_amount(record, member, home)
            found.add(part, customer, _bucket(record, today), amount)
    return found


def _places(report: Report) -> dict[str, int]:
    """Return the places of the columns of `BUCKETS`.

    Titles are in the company's language, so the age is the first number in them: `91 and over`, `91 et plus`. The
    column that remains, apart from the total, is what is not due yet.
    """
    amounts = {column.name: at for at, column in enumerate(report.columns) if column.type == "decimal"}
    total = amounts.pop("total", None)
    found: dict[str, int] = {}
    for name, at in amounts.items():
        age = re.search(r"[0-9]+", name)
        found.setdefault(_BUCKETS_BY_AGE.get(age[0] if age else "", name), at)
    if total is None or len(amounts) != len(BUCKETS) or set(found) != set(BUCKETS):
        shown = ", ".join(column.title for column in report.columns if column.title)
        raise UnexpectedResponseError(
            f"The A/R aging report does not have the usual periods: current, 1 - 30, 31 - 60, 61 - 90, 91 and over. "
            f"Its columns are {shown}.",
            retryable=False,
        )
    return found


def _home_amount(record: Mapping[str, Any], member: str, home: str | None) -> Decimal:
    """Return an amount in the home currency: as QuickBooks computed it, or at the record's rate."""
    if home is not None and isinstance(record.get(home), (int, float)):
        return Decimal(repr(record[home]))
    amount = Decimal(repr(record.get(member) or 0)) * Decimal(repr(record.get("ExchangeRate") or 1))
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _bucket(record: Mapping[str, Any], today: date) -> str:
    due = record.get("DueDate") or record.get("TxnDate") or today.isoformat()
    days = (today - date.fromisoformat(due)).days
    return BUCKETS[0 if days <= 0 else min((days - 1) // 30 + 1, len(BUCKETS) - 1)]


class ReconcileReceivables:
    """Implements `handler.Handler`."""

    action = RECONCILE_RECEIVABLES

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> dict[str, Any]:
        """Return the comparison as of today.

        Args:
            client: Sends the requests.
            data: `max_api_calls`.
            call: The call.
            row_limit: The host's cap on rows; totals are of all of them.

        Raises:
            IncompleteReadError: A list cannot be read in full, or needs more API calls than `max_api_calls`.
            ConnectorError: See `QuickBooksClient.request`.
        """
        answer = client.report("AgedReceivables", {"date_macro": "Today"}, call)
        report = parse_report(answer.body, answer.intuit_tid)
        today = date.fromisoformat(report.options.get("report_date") or report.header["EndPeriod"])
        owed = query.compare("Balance", ">", "0")
        lists = [
            _read(client, call, data, entity, *conditions)
            for entity, conditions in (("Invoice", (owed,)), ("CreditMemo", (owed,)), ("Payment", ()))
        ]
        found = reconcile(report, today, *lists).to_dict()
        customers = found.pop("customers")
        return {
            "customers": customers[:row_limit],
            **found,
            "count": len(customers[:row_limit]),
            "metadata": metadata(
                client, call, asOf=today.isoformat(), currency=report.header.get("Currency"),
                mayHaveMore=row_limit is not None and len(customers) > row_limit,
            ),
        }  # fmt: skip


def _read(
    client: QuickBooksClient, call: CallContext, data: Mapping[str, Any], entity: str, *conditions: str
) -> Iterator[dict[str, Any]]:
    """Return every record of an entity that meets conditions, verified complete."""
    from vantage_quickbooks.sync.list_read import read_pages  # noqa: PLC0415 -- it imports the HTTP client

    resource = next(row for row in RESOURCES if row.entity == entity)
    request = ListRequest.parse({**data, "all": True}, resource, now=call.now())
    if conditions:
        request = replace(
            request, conditions=(*request.conditions, *conditions), has_mutable_filters=True, may_sync=False,
            selection=" ".join(conditions),
        )  # fmt: skip
    for page in read_pages(request, client, call, lambda rows, *_: rows):
        yield from page
