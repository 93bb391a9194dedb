"""Open charges and credits: what customers owe, and what is owed to vendors, on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.books import ledger as books
from vantage_quickbooks.emulator.books.accounts import PAYABLE, RECEIVABLE

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.reports.figures import Figures


@dataclass(frozen=True, slots=True)
class Side:
    """Receivables or payables.

    Attributes:
        entity: Who owes or is owed.
        column: The ledger's column.
        account_type: The accounts.
        sign: 1 if debits are owed, -1 if credits are.
        side: The ledger's side of its payments.
    """

    entity: str
    column: str
    account_type: str
    sign: int
    side: int


CUSTOMERS = Side("Customer", "customer", RECEIVABLE, 1, 1)
VENDORS = Side("Vendor", "vendor", PAYABLE, -1, -1)


@dataclass(slots=True)
class Open:
    """A transaction's open part.

    Attributes:
        txn: Its row in the ledger.
        name: Id of the customer or vendor.
        cents: What is open, positive if it is owed.
        original: Its amount.
        date: TxnDate.
        due: DueDate, or TxnDate.
    """

    txn: int
    name: str
    cents: int
    original: int
    date: str
    due: str


def open_items(figures: Figures, side: Side, day: str, *, settled: bool = False) -> list[Open]:
    """Return what is open on a day.

    Their sum is the balance of the receivable or payable accounts on that day.

    Args:
        figures: The report.
        side: Receivables or payables.
        day: What is dated later, or paid later, does not count.
        settled: Also return what is paid in full.
    """
    accounts = [account.id for account in figures.chart if account.type == side.account_type]
    accounts += [figures.chart.role("receivable"), figures.chart.role("payable")]
    accounts = [id_ for id_ in accounts if figures.chart.get(id_).type == side.account_type]
    marks = ", ".join("'" + id_.replace("'", "''") + "'" for id_ in sorted(set(accounts)))
    filters, bound = figures.condition()
    name = f"l.{side.column}"
    found: dict[tuple[int, str], Open] = {}
    rows = figures.db.execute(
        f"SELECT l.txn, {name}, sum(l.cents), t.date, CASE t.due WHEN '' THEN t.date ELSE t.due END"  # noqa: S608
        " FROM ledger_line l CROSS JOIN ledger_txn t ON t.row = l.txn"
        f" WHERE l.book = :book AND l.date <= :day AND l.account IN ({marks}){filters} GROUP BY 1, 2",
        {"book": figures.ledger.book, "day": day, **bound},
    )
    for txn, who, cents, dated, due in rows:
        found[txn, who] = Open(txn, who, side.sign * cents, side.sign * cents, dated, due)
    applied = figures.db.execute(
        f"SELECT a.charge, a.charge_entity, c.name, a.payer, a.payer_name, a.recognized FROM ({books.APPLIED}) a"  # noqa: S608
        " CROSS JOIN ledger_txn c ON c.row = a.charge WHERE a.side = :side AND a.date <= :day",
        {"book": figures.ledger.book, "side": side.side, "day": day},
    )
    for charge, entity, charged, payer, paid_by, recognized in applied:
        # A journal entry may charge several customers: the payer says whose part is paid.
        whose = paid_by if entity == "JournalEntry" else charged
        for key, change in (((charge, whose), recognized), ((payer, paid_by), -recognized)):
            if key in found:
                found[key].cents += side.sign * change
    items = found.values()
    return sorted((one for one in items if one.cents or settled), key=lambda one: (one.date, one.txn, one.name))


def days_past_due(one: Open, day: date) -> int:
    """Return how many days ago an item was due; negative if it is due later."""
    try:
        return (day - date.fromisoformat(one.due)).days
    except ValueError:
        return 0
