"""Formats JSON as QuickBooks does: amounts, texts and rows, for records that are written directly as text."""

from __future__ import annotations

import json

from vantage_quickbooks.emulator.company.row import Row

CURRENCIES = {
    "USD": "United States Dollar",
    "CAD": "Canadian Dollar",
    "EUR": "Euro",
    "CHF": "Swiss Franc",
    "MXN": "Mexican Peso",
}
RATES = {"USD": 1.0, "CAD": 0.73, "EUR": 1.08, "CHF": 1.13, "MXN": 0.052}
"""Home currency units for one unit of a currency; the same on every day."""


def money(cents: int) -> str:
    """Format an amount as QuickBooks does.

    Args:
        cents: The amount in hundredths.

    Returns:
        Two decimals, and zero as `0` (recorded, all years).
    """
    if not cents:
        return "0"
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def shortest(cents: int) -> str:
    """Format a unit price without trailing zeros."""
    return money(cents).rstrip("0").rstrip(".") if cents % 100 else str(cents // 100)


def text(value: str) -> str:
    """Format a JSON string; characters beyond ASCII are not escaped."""
    return json.dumps(value, ensure_ascii=False)


def object_of(key: str, value: str | None) -> str:
    """Format an object with one text member; "" if there is no value."""
    return f'{{"{key}":{text(value)}}}' if value else ""


def members(**values: str) -> str:
    """Format the members that are not empty, with a comma before each."""
    return "".join(f",{text(key)}:{value}" for key, value in values.items() if value)


def currency(code: str) -> str:
    """Format a CurrencyRef."""
    return f'{{"value":"{code}","name":"{CURRENCIES[code]}"}}'


def row(
    id_: str,
    created: int,
    updated: int,
    body: str,
    *,
    active: int = 1,
    sort_name: str | None = None,
    name: str | None = None,
    txn_date: str | None = None,
    due_date: str | None = None,
    doc_number: str | None = None,
    customer: str | None = None,
    balance: float | None = None,
    total: float | None = None,
) -> Row:
    """Make a row from a record's text and the values by which it is found and sorted; see `Row`."""
    return Row(
        id_, created, updated, active, sort_name, name, txn_date, due_date, doc_number, customer, balance, total, body
    )
