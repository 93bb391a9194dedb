"""The payment status of invoices and bills, and the summary of a list of them.

QuickBooks has no field for the payment status. It follows from other properties
(https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/invoice; voided as recorded):

| Status | When |
|---|---|
| `voided` | total, balance and all lines are 0 and the private note begins with "Voided" (invoices) |
| `paid` | the balance is not positive |
| `overdue` | the balance is positive, and the due date is before today's date at the company |
| `partiallyPaid` | the balance is positive and less than the total, and the due date has not passed |
| `open` | the balance is the total, and the due date has not passed |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core import query
from vantage_quickbooks.errors import UnexpectedResponseError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = [
    "STATUSES",
    "bill_payment",
    "format_money",
    "invoice_payment",
    "may_be_voided",
    "payment_prefilter",
    "summarize",
]

STATUSES = ("paid", "partiallyPaid", "open", "overdue", "voided")

_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_NUMBERS = (float, int)  # the numbers of JSON; a bool has its own type
_EXACT = Context(prec=1000)  # the host's own context may round to a few digits


def invoice_payment(invoice: Mapping[str, Any], today: date) -> dict[str, Any]:
    """Return the `paymentStatus` and `daysOverdue` of an invoice.

    Args:
        invoice: The record.
        today: The company's date: an invoice due today is not overdue.

    Raises:
        UnexpectedResponseError: The record has no amounts, so it has no status either.
    """
    facts = _payment(invoice, today, "Invoice")
    if facts["paymentStatus"] == "paid" and _is_voided(invoice):
        facts["paymentStatus"] = "voided"
    return facts


def bill_payment(bill: Mapping[str, Any], today: date) -> dict[str, Any]:
    """Return the `paymentStatus` and `daysOverdue` of a bill.

    The API cannot void bills (recorded: Operation void is not supported), so none is `voided`.

    Args:
        bill: The record.
        today: The company's date: a bill due today is not overdue.

    Raises:
        UnexpectedResponseError: The record has no amounts, so it has no status either.
    """
    return _payment(bill, today, "Bill")


def payment_prefilter(status: str, utc_today: date) -> tuple[str, ...]:
    """Return conditions that every invoice or bill of *status* meets; the connector decides exactly.

    Args:
        status: One of `STATUSES`.
        utc_today: The date in UTC. The company's date, known only from QuickBooks' answer, is at most one day ahead.
    """
    if status in {"paid", "voided"}:
        return (query.compare("Balance", "<=", "0"),)
    owed = query.compare("Balance", ">", "0")
    if status == "overdue":
        return owed, query.compare("DueDate", "<", (utc_today + timedelta(days=1)).isoformat())
    return (owed,)


def summarize(rows: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], scope: str = "page") -> dict[str, Any]:
    """Sum up by currency and, within it, by status; never across currencies, and in exact decimals.

    Args:
        rows: Each invoice or bill with its flat fields.
        scope: What the rows are: a `page`, or `all`.

    Returns:
        `scope` (what was summed) and `byCurrency`, amounts as decimal strings.
    """
    amounts: dict[tuple[str | None, str], tuple[list[float], list[float]]] = {}
    for record, facts in rows:
        key = facts["currency"], facts["paymentStatus"]
        if key not in amounts:
            amounts[key] = ([], [])
        totals, balances = amounts[key]
        totals.append(record["TotalAmt"])
        balances.append(record["Balance"])
    by_currency = []
    with localcontext(_EXACT):
        for currency in sorted({currency for currency, _ in amounts}, key=lambda code: code or ""):
            sums = {status: _Sum.of(*amounts[currency, status]) for status in STATUSES if (currency, status) in amounts}
            by_status = [{"status": status, **part.to_dict()} for status, part in sums.items()]
            by_currency.append({"currency": currency, **_Sum.over(sums.values()).to_dict(), "byStatus": by_status})
    return {"scope": scope, "byCurrency": by_currency}


@dataclass(frozen=True, slots=True)
class _Sum:
    """Records added up in exact decimals."""

    count: int
    total: Decimal
    outstanding: Decimal

    @classmethod
    def of(cls, totals: list[float], balances: list[float]) -> _Sum:
        return cls(len(totals), _add(totals), _add(balances))

    @classmethod
    def over(cls, parts: Collection[_Sum]) -> _Sum:
        return cls(
            sum(part.count for part in parts),
            sum((part.total for part in parts), _ZERO),
            sum((part.outstanding for part in parts), _ZERO),
        )

    def to_dict(self) -> dict[str, Any]:
        return {"count": self.count, "total": format_money(self.total), "outstanding": format_money(self.outstanding)}


def _payment(record: Mapping[str, Any], today: date, entity: str) -> dict[str, Any]:
    total, balance = _amount(record, "TotalAmt", entity), _amount(record, "Balance", entity)
    due = _day(record.get("DueDate")) if balance > 0 else None
    overdue = max(0, (today - due).days) if due else 0
    return {"paymentStatus": _status(total, balance, overdue), "daysOverdue": overdue}


def _status(total: float, balance: float, overdue: int) -> str:
    if balance <= 0:
        return "paid"
    if overdue:
        return "overdue"
    return "partiallyPaid" if balance < total else "open"


def _is_voided(invoice: Mapping[str, Any]) -> bool:
    """Distinguish a voided invoice from a discount of 100 %: voiding empties the lines and writes a note."""
    return may_be_voided(invoice) and not any(
        line.get("Amount") for line in invoice.get("Line") or () if isinstance(line, dict)
    )


def may_be_voided(invoice: Mapping[str, Any]) -> bool:
    """Return whether the amounts and the note of an invoice are those of a voided one; the lines decide."""
    if not invoice["TotalAmt"] == invoice["Balance"] == 0:
        return False
    return str(invoice.get("PrivateNote") or "").startswith("Voided")


def _amount(record: Mapping[str, Any], key: str, entity: str) -> float:
    value = record.get(key)
    if type(value) not in _NUMBERS:
        raise UnexpectedResponseError(f"{entity} {record.get('Id')} has no {key}, so it has no payment status.")
    return value  # type: ignore[return-value]  # one of the numbers, by its type


def _add(amounts: list[float]) -> Decimal:
    # The shortest decimal that reads back as the same float is what QuickBooks sent.
    return sum(map(Decimal, map(repr, filter(None, amounts))), _ZERO)


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def format_money(amount: Decimal) -> str:
    """Return an amount with two decimal places, or more if it has more: `1234.50`."""
    return format(amount.quantize(_CENT) if amount == amount.quantize(_CENT) else amount.normalize(), "f")
