"""Banking: deposits, transfers, credit card payments and journal entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.company.sample.books import Books, Record, amount
from vantage_quickbooks.emulator.company.sample.clock import DAY_S
from vantage_quickbooks.emulator.company.sample.lines import journal, journal_entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from vantage_quickbooks.emulator.company.sample.invoices import Deposited

_OPENED = -6
# Account, cents.
_OPENING = (("Checking", 2400000), ("Savings", 1500000))
# Key, days ago, from, to, cents, note.
_TRANSFERS = (
    ("transfer-drawer", 180, "Checking", "Cash drawer", 20000, "Change for the yard"),
    ("transfer-payroll", 33, "Checking", "Payroll checking", 400000, ""),
    ("transfer-savings", 21, "Checking", "Savings", 200000, "Reserve for taxes"),
)
# Key, days ago, card, cents, the card's issuer.
_CARD_PAYMENTS = (
    ("card-payment-visa", 16, "Corporate Visa", 40000, "Valley Ag Bank"),
    ("card-payment-mastercard", 14, "Nursery Mastercard", 15000, ""),
)
# Key, days ago, number, note, lines: posting, account, cents.
_JOURNAL: tuple[tuple[str, int, str, str, tuple[tuple[str, str, int], ...]], ...] = (
    ("journal-assets", -5, "JE-1", "Assets and loan taken over",
     (("Debit", "Delivery truck:Truck cost", 3200000), ("Debit", "Tools and equipment:Equipment cost", 960000),
      ("Credit", "Delivery truck:Truck depreciation", 800000),
      ("Credit", "Tools and equipment:Equipment depreciation", 240000), ("Credit", "Truck loan", 1850000),
      ("Credit", "Opening Balance Equity", 1270000))),
    ("journal-payroll", 31, "JE-4", "Wages of the month",
     (("Debit", "Payroll:Wages", 320000), ("Debit", "Payroll:Payroll taxes", 26000),
      ("Credit", "Payroll checking", 300000), ("Credit", "Payroll liabilities", 46000))),
    ("journal-depreciation", 28, "JE-5", "Depreciation of the month",
     (("Debit", "Depreciation", 45000), ("Credit", "Delivery truck:Truck depreciation", 30000),
      ("Credit", "Tools and equipment:Equipment depreciation", 15000))),
)  # fmt: skip
DEPOSITS = (("deposit-payments-1", 4, 150), ("deposit-payments-2", 5, 120))
"""Deposits of payments on invoices, how many payments each takes, and about how many days ago they are made."""
_OTHERS = (("SalesReceipt", "receipt-walkin"), ("SalesReceipt", "receipt-bundle"), ("SalesReceipt", "receipt-expense"),
           ("Payment", "payment-several"))  # fmt: skip
_CASH_BACK = 20000


def add_banking(books: Books) -> None:
    """Add the transactions that do not depend on invoices."""
    for account, cents in _OPENING:
        line: Record = {
            "Id": "1",
            "LineNum": 1,
            "Amount": amount(cents),
            "DetailType": "DepositLineDetail",
            "DepositLineDetail": {"AccountRef": books.ref("Account", "Opening Balance Equity")},
            "CustomExtensions": [],
        }
        body = _deposit(books, account, [line], cents) | {"PrivateNote": "Opening balance"}
        books.add("Deposit", f"deposit-opening-{account.lower()}", _OPENED, body)
        _move(books, "Opening Balance Equity", account, cents)
    for key, days_ago, source, target, cents, note in _TRANSFERS:
        body = {
            "FromAccountRef": books.ref("Account", source),
            "ToAccountRef": books.ref("Account", target),
            "Amount": amount(cents),
            "CurrencyRef": books.currency(),
            **({"PrivateNote": note} if note else {}),
        }
        books.add("Transfer", key, days_ago, body)
        _move(books, source, target, cents)
    for key, days_ago, card, cents, vendor in _CARD_PAYMENTS:
        body = {
            "CreditCardAccountRef": books.ref("Account", card),
            "BankAccountRef": books.ref("Account", "Checking"),
            **({"VendorRef": books.ref("Vendor", vendor)} if vendor else {}),
            "Amount": amount(cents),
            "CurrencyRef": books.currency(),
        }
        books.add("CreditCardPaymentTxn", key, days_ago, body)
        _move(books, "Checking", card, cents)
    for key, days_ago, number, note, postings in _JOURNAL:
        lines = [
            journal(books, str(index), posting, account, cents, text=note)
            for index, (posting, account, cents) in enumerate(postings)
        ]
        books.add("JournalEntry", key, days_ago, journal_entry(books, number, lines, note))
        for posting, account, cents in postings:
            books.post(account, cents if posting == "Debit" else -cents)


def plan_deposits(books: Books) -> None:
    """Add the deposit of receipts, and placeholders for the deposits of payments on invoices."""
    lines = []
    for entity, key in _OTHERS:
        if books.has(entity, key):
            record = books.entry(entity, key)
            method, number = record["PaymentMethodRef"]["value"], record.get("PaymentRefNum")
            detail = {"PaymentMethodRef": {"value": method}} | ({"CheckNum": number} if number else {})
            lines.append(_deposited(f"@{key}", entity, record["TotalAmt"]) | {"DepositLineDetail": detail})
            record.setdefault("LinkedTxn", []).append({"TxnId": "@deposit-receipts", "TxnType": "Deposit"})
    total = sum(int(line["Amount"] * 100) for line in lines)
    cash: Record = {}
    if total > _CASH_BACK:
        cash = {"AccountRef": books.ref("Account", "Cash drawer"), "Amount": amount(_CASH_BACK), "Memo": "For the yard"}
        _move(books, "Checking", "Cash drawer", _CASH_BACK)
        cash = {"CashBack": cash}
    body = _deposit(books, "Checking", lines, total - (_CASH_BACK if cash else 0)) | cash
    books.add("Deposit", "deposit-receipts", 18, body)
    _move(books, "Undeposited Funds", "Checking", total)
    for key, _, days_ago in DEPOSITS:
        books.add("Deposit", key, days_ago, {})


def complete_deposits(books: Books, deposits: Iterable[Deposited]) -> None:
    """Complete the deposits of payments on invoices, now that the payments are known; remove those without any."""
    for (key, *_), deposit in zip(DEPOSITS, deposits, strict=True):
        if not deposit.payments:
            books.remove("Deposit", key)
            continue
        lines = [_deposited(id_, "Payment", amount(cents)) for id_, cents in deposit.payments]
        total = sum(cents for _, cents in deposit.payments)
        at = max(deposit.latest, min(deposit.latest + DAY_S, books.clock.now - 30))
        books.add_at(
            "Deposit",
            key,
            at,
            _deposit(books, "Checking", lines, total) | {"TxnDate": books.clock.date_of(at).isoformat()},
        )
        _move(books, "Undeposited Funds", "Checking", total)


def _deposited(id_: str, entity: str, total: Decimal) -> Record:
    return {"Amount": total, "LinkedTxn": [{"TxnId": id_, "TxnType": entity, "TxnLineId": "0"}]}


def _deposit(books: Books, account: str, lines: Iterable[Record], cents: int) -> Record:
    return {
        "DepositToAccountRef": books.ref("Account", account),
        "TotalAmt": amount(cents),
        "CurrencyRef": books.currency(),
        "Line": list(lines),
        "TxnTaxDetail": {},
    }


def _move(books: Books, source: str, target: str, cents: int) -> None:
    books.post(source, -cents)
    books.post(target, cents)
