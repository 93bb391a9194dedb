"""The chart of accounts: a hundred accounts of all types."""

from __future__ import annotations

import csv
from collections import defaultdict
from importlib import resources

from vantage_quickbooks.emulator.company import shapes
from vantage_quickbooks.emulator.company.sample.books import Books, amount


def add_accounts(books: Books) -> None:
    """Add all accounts; `complete_accounts` sets their balances."""
    full_names: dict[str, str] = {}
    table = (resources.files(__package__) / "accounts.csv").read_text("utf-8")
    for line in csv.DictReader(table.splitlines()):
        id_, parent = line["id"], line["parent"]
        name = line["name"] + (" (deleted)" if line["inactive"] else "")
        full_names[id_] = f"{full_names[parent]}:{name}" if parent else name
        body = {
            "Name": name,
            "SubAccount": bool(parent),
            **({"ParentRef": {"value": parent}} if parent else {}),
            "FullyQualifiedName": full_names[id_],
            "Active": not line["inactive"],
            "Classification": shapes.CLASSIFICATIONS[line["type"]],
            "AccountType": line["type"],
            "AccountSubType": line["subtype"],
            **({"AcctNum": line["number"]} if line["number"] else {}),
            "CurrencyRef": books.currency(line["currency"] or "USD"),
        }
        books.listed("Account", id_, body, minutes=int(id_) // 40)


def complete_accounts(books: Books) -> None:
    """Set the balances of the accounts, which follow from the transactions."""
    table = (resources.files(__package__) / "accounts.csv").read_text("utf-8")
    lines = list(csv.DictReader(table.splitlines()))
    own = {line["id"]: _balance(books, line["id"]) for line in lines}
    below: defaultdict[str, int] = defaultdict(int)
    for line in reversed(lines):  # children come after their parents
        below[line["parent"]] += own[line["id"]] + below[line["id"]]
    for id_, cents in own.items():
        body = books.entry("Account", id_)
        body["CurrentBalance"] = amount(cents)
        body["CurrentBalanceWithSubAccounts"] = amount(cents + below[id_])


def _balance(books: Books, id_: str) -> int:
    """Return what was posted to an account: debits are positive, so a liability's balance is negative (recorded)."""
    body = books.entry("Account", id_)
    kept = body["Classification"] in ("Asset", "Liability", "Equity")
    return books.balances[id_] if kept else 0
