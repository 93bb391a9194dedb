"""Generates the sample company: its lists and transactions, then invoices at any scale, then all balances."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.company.sample import banking, company, inventory, others, purchases, sales
from vantage_quickbooks.emulator.company.sample.accounts import add_accounts, complete_accounts
from vantage_quickbooks.emulator.company.sample.books import Books
from vantage_quickbooks.emulator.company.sample.clock import Clock
from vantage_quickbooks.emulator.company.sample.customers import Customers
from vantage_quickbooks.emulator.company.sample.invoices import Deposited, Invoices
from vantage_quickbooks.emulator.company.sample.items import add_items, complete_items
from vantage_quickbooks.emulator.company.sample.lists import add_exchange_rates, add_lists
from vantage_quickbooks.emulator.company.sample.people import add_employees, add_vendors, complete_vendors
from vantage_quickbooks.emulator.company.sample.taxes import add_taxes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from vantage_quickbooks.emulator.company.row import Row

_DEFAULT_INVOICES = 60
_MANY_INVOICES = 1000  # with more invoices, the history is longer
_RECEIVABLE = {"USD": "Accounts Receivable (A/R)"} | {
    code: f"Accounts Receivable (A/R) - {code}" for code in ("CAD", "EUR")
}


class Sample:
    """The records of one invented company: the same seed on the same day makes the same records.

    Args:
        seed: Decides all random choices.
        now: Epoch seconds; the history ends here.
        zone: The company's time zone.
        customers: Number of customers; None is the thirty written by hand.
        invoices: Number of invoices; None is sixty.
    """

    def __init__(
        self, *, seed: int, now: float, zone: tzinfo, customers: int | None = None, invoices: int | None = None
    ) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._number = _DEFAULT_INVOICES if invoices is None else invoices
        self._clock = Clock(now, zone, 200 if self._number <= _MANY_INVOICES else 1000)
        self._customers = Customers(self._clock, self._random, customers)

    def records(self) -> Iterator[tuple[str, Row]]:
        """Write all records.

        Yields:
            Entity names and rows; what has balances comes last, since balances follow from the transactions.
        """
        yield "CompanyInfo", company.company_info(self._clock)
        books = Books(self._clock, self._customers, self._seed)
        _add_lists(books)
        _add_transactions(books)
        ids = books.number()
        deposits = [Deposited(ids[key], room) for key, room, _ in banking.DEPOSITS]
        invoices = Invoices(
            self._clock, self._random, self._customers, self._number if self._customers.all else 0, deposits
        )
        yield from invoices.rows()
        banking.complete_deposits(books, deposits)
        books.post("Undeposited Funds", invoices.received)
        books.post("Sales tax payable", -invoices.tax)
        for customer in self._customers.all:
            books.post(_RECEIVABLE[customer.currency], customer.balance)
        complete_accounts(books)
        complete_items(books)
        complete_vendors(books)
        yield from books.rows()
        yield from self._customers.rows()


def _add_lists(books: Books) -> None:
    add_lists(books)
    add_accounts(books)
    add_taxes(books)
    add_items(books)
    add_vendors(books)
    add_employees(books)
    add_exchange_rates(books)
    books.add("Preferences", "preferences", books.clock.days + 395, company.preferences(), token=2)


def _add_transactions(books: Books) -> None:
    inventory.add_adjustments(books)
    purchases.add_bills(books)
    purchases.add_credits(books)
    purchases.add_bill_payments(books)
    purchases.add_purchases(books)
    purchases.add_orders(books)
    sales.add_time(books)
    sales.add_estimates(books)
    sales.add_receipts(books)
    sales.add_credits(books)
    banking.add_banking(books)
    banking.plan_deposits(books)
    others.add_others(books)
