"""Collects all records except customers and invoices, and posts them to accounts.

There are a few hundred of them at any size of the company, so they are plain dictionaries until they are written.
Transactions refer to each other by keys, such as `@bill-rent`, which are replaced by Ids once all transactions are
known: Ids follow the order of entry. Amounts are integers, in cents.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.company import rules
from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.company.row import Row, row_of
from vantage_quickbooks.emulator.company.sample.invoices import USER
from vantage_quickbooks.emulator.company.sample.spelling import CURRENCIES, RATES
from vantage_quickbooks.emulator.json_text import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vantage_quickbooks.emulator.company.sample.clock import Clock
    from vantage_quickbooks.emulator.company.sample.customers import Customer, Customers

Record = dict[str, Any]

FIRST_INVOICE_ID = 101
"""Lower Ids are for the transactions that are collected here."""

HOME = "USD"
_KEY = re.compile(r'"@([a-z0-9-]+)"')
_WITH_MODIFIER = {"Bill", "PurchaseOrder"}  # MetaData.LastModifiedByRef (recorded, 2026)
_LINK_TYPES = {"BillPayment": "BillPaymentCheck"}  # by check and by card alike (recorded, 2026)
_NUMBERED_APART = {"Attachable", "Budget", "Preferences", "RecurringTransaction", "TimeActivity"}
_UNDATED = {"Attachable", "Budget", "Preferences", "RecurringTransaction"}  # no TxnDate
_WITHOUT_ID = "ExchangeRate"  # one for each currency and day (Intuit, ExchangeRate page)
_ENTRY_SPREAD_S = 9_000
_OFFICE_LAG_S = 60


def amount(cents: int) -> Decimal:
    """Return an amount of money, which is written with two decimals."""
    return Decimal(cents) / 100


def plain(cents: int) -> int | float:
    """Return a price or a rate, which is written without trailing zeros."""
    return cents / 100 if cents % 100 else cents // 100


@dataclass(slots=True)
class _Entry:
    entity: str
    key: str  # a transaction's key, a list entry's Id
    body: Record
    created: int
    updated: int
    token: int = 0
    template: str = ""  # of a recurring transaction: what the record is wrapped in


class Books:
    """All records of one company except its customers and invoices.

    Args:
        clock: The company's days.
        customers: The company's customers.
        seed: Decides the minute of each entry.
    """

    def __init__(self, clock: Clock, customers: Customers, seed: int) -> None:
        self.clock = clock
        self.today = clock.today
        self._customers = customers.domestic
        self._random = random.Random(f"books {seed}")  # a separate one, so that invoices do not depend on it
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._by_name: dict[tuple[str, str], Record] = {}
        self._ids: dict[str, str] = {}
        self.balances: defaultdict[str, int] = defaultdict(int)
        """Sum of the postings to each account, by its Id: debits are positive, in the account's currency."""
        self.owed: defaultdict[str, int] = defaultdict(int)
        """Balance of each vendor, by its Id, in the vendor's currency."""
        self.stock: defaultdict[str, int] = defaultdict(int)
        """Quantity on hand of each inventory item, by its Id."""

    # ---- name lists ----

    def listed(
        self, entity: str, id_: str, body: Record, *, days_before: float = 390, token: int = 0, minutes: int = 0
    ) -> None:
        """Add an entry of a name list.

        Args:
            entity: The entity's name.
            id_: Id of the entry.
            body: The record without its envelope.
            days_before: When it was entered, in days before the earliest possible invoice.
            token: SyncToken.
            minutes: Minutes to add to that time.
        """
        name = str(body.get("FullyQualifiedName") or body.get("DisplayName") or body.get("Name") or body.get("Code"))
        at = self.clock.ago(self.clock.days + days_before) + 60 * minutes
        self._entries[entity, id_] = _Entry(entity, id_, body, at, at, token)
        self._by_name[entity, name] = {"value": id_, "name": name}

    def ref(self, entity: str, name: str) -> Record:
        """Return a reference to an entry of a name list, by its full name."""
        return dict(self._by_name[entity, name])

    def bare_ref(self, entity: str, name: str) -> Record:
        """Return a reference without a name; QuickBooks sends some of them so (recorded)."""
        return {"value": self._by_name[entity, name]["value"]}

    def entry(self, entity: str, key: str) -> Record:
        """Return a record that was added, to be completed."""
        return self._entries[entity, key].body

    def named(self, entity: str, name: str) -> Record:
        """Return the record of a name list entry by its full name."""
        return self._entries[entity, self._by_name[entity, name]["value"]].body

    def account(self, name: str) -> str:
        """Return an account's Id by its full name."""
        return str(self._by_name["Account", name]["value"])

    def currency(self, code: str = HOME) -> Record:
        """Return a CurrencyRef."""
        return {"value": code, "name": CURRENCIES[code]}

    def customer(self, index: int) -> Customer | None:
        """Return one of the customers that are invoiced in dollars; None in a company without customers."""
        return self._customers[index % len(self._customers)] if self._customers else None

    def customer_ref(self, index: int) -> Record | None:
        """Return a reference to a customer."""
        customer = self.customer(index)
        return {"value": customer.id, "name": customer.name} if customer else None

    def pseudonym(self) -> str:
        """Return a V4IDPseudonym, which is random."""
        return f"{self._random.getrandbits(152):038x}"

    # ---- transactions ----

    def add(self, entity: str, key: str, days_ago: int, body: Record, *, template: str = "", token: int = 0) -> None:
        """Add a transaction.

        Args:
            entity: The entity's name.
            key: The key by which other transactions refer to it.
            days_ago: TxnDate, and the day on which it was entered; a negative number counts back from the first day on
                which there can be an invoice.
            body: The record without its envelope.
            template: Of a recurring transaction: the entity whose name wraps the record.
            token: SyncToken, if it was changed after its creation.
        """
        days_ago = days_ago if days_ago >= 0 else self.clock.days - days_ago
        noon = self.clock.noon(self.clock.day(days_ago))
        at = min(noon + self._random.randrange(-_ENTRY_SPREAD_S, _ENTRY_SPREAD_S), self.clock.now - _OFFICE_LAG_S)
        dated = {} if entity in _UNDATED else {"TxnDate": self.clock.day(days_ago).isoformat()}
        self._entries[entity, key] = _Entry(entity, key, body | dated, at, at, token, template)

    def add_at(self, entity: str, key: str, at: int, body: Record) -> None:
        """Add a transaction that was entered at an instant, with its TxnDate in the body."""
        self._entries[entity, key] = _Entry(entity, key, body, at, at)

    def remove(self, entity: str, key: str) -> None:
        """Remove a transaction; its Id stays unused."""
        del self._entries[entity, key]

    def has(self, entity: str, key: str) -> bool:
        """Return whether a transaction was added; without customers, some are not."""
        return (entity, key) in self._entries

    def link(self, entity: str, key: str, other: str, other_key: str, line: str | None = None) -> Record:
        """Return the LinkedTxn from a transaction to another one, and add the link back.

        Args:
            entity: Entity of the transaction that gets the returned link.
            key: Its key.
            other: Entity of the linked transaction.
            other_key: Its key.
            line: TxnLineId.

        Returns:
            The link, for a line or the top level of the first transaction.
        """
        self._entries[other, other_key].body.setdefault("LinkedTxn", []).append(
            {"TxnId": f"@{key}", "TxnType": _LINK_TYPES.get(entity, entity)}
        )
        return {"TxnId": f"@{other_key}", "TxnType": other} | ({"TxnLineId": line} if line is not None else {})

    def touch(self, entity: str, key: str, by: tuple[str, str]) -> None:
        """Record that a later transaction changed an earlier one, as a payment changes a bill's balance."""
        changed, cause = self._entries[entity, key], self._entries[by]
        changed.updated = max(changed.updated, cause.created)
        changed.token += 1

    def post(self, account: str, cents: int) -> None:
        """Debit an account by its full name; credit it with a negative amount."""
        self.balances[self.account(account)] += cents

    def spend(self, lines: Sequence[Record], sign: int = 1, rate: float = 1.0) -> None:
        """Debit the accounts of expense lines, or the stock of their inventory items at cost."""
        for line in lines:
            cents = sign * round(int(line["Amount"] * 100) * rate)
            detail = line[line["DetailType"]]
            if "AccountRef" in detail:
                self.balances[detail["AccountRef"]["value"]] += cents
                continue
            item = self._entries["Item", detail["ItemRef"]["value"]].body
            if item["Type"] == "Inventory":
                self.stock[detail["ItemRef"]["value"]] += sign * detail["Qty"]
            self.balances[(item.get("AssetAccountRef") or item["ExpenseAccountRef"])["value"]] += cents

    # ---- the records ----

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Write all records.

        Yields:
            Entity names and rows.
        """
        ids = self._ids or self.number()
        for entry in self._entries.values():
            yield entry.entity, self._row(entry, ids)

    def number(self) -> Mapping[str, str]:
        """Number the transactions in the order of entry.

        Returns:
            Ids by keys.

        Raises:
            ValueError: There are more transactions than Ids below the first invoice's.
        """
        ids: dict[str, str] = {}
        counters: defaultdict[str, int] = defaultdict(int)
        for entry in sorted(self._entries.values(), key=lambda entry: entry.created):
            if not ENTITIES[entry.entity].is_name_list and entry.entity != _WITHOUT_ID:
                apart = entry.entity if entry.entity in _NUMBERED_APART else ""
                counters[apart] += 1
                ids[entry.key] = str(counters[apart])
        if counters[""] >= FIRST_INVOICE_ID:
            raise ValueError(f"{counters['']} transactions, and Ids for {FIRST_INVOICE_ID - 1}")
        self._ids = ids
        return ids

    def _row(self, entry: _Entry, ids: Mapping[str, str]) -> Row:
        entity = ENTITIES[entry.entity]
        meta: Record = {
            "CreateTime": self.clock.spell(entry.created),
            "LastUpdatedTime": self.clock.spell(entry.updated),
        }
        if entry.entity == _WITHOUT_ID:
            del meta["CreateTime"]
            record = entry.body | {"domain": "QBO", "sparse": False, "SyncToken": str(entry.token), "MetaData": meta}
            return row_of(entity, record, encode(record))._replace(id=entry.key, created=entry.created)
        id_ = entry.key if entity.is_name_list else ids[entry.key]
        if entry.entity in _WITH_MODIFIER or entry.template in _WITH_MODIFIER:
            meta = {"CreateTime": meta["CreateTime"], "LastModifiedByRef": {"value": USER}} | meta
        envelope = {"domain": "QBO", "sparse": False, "Id": id_, "SyncToken": str(entry.token), "MetaData": meta}
        kind = ENTITIES[entry.template] if entry.template else entity
        record = rules.sort_keys(kind, entry.body | envelope)
        text = encode({entry.template: record} if entry.template else record)
        return row_of(entity, record, _KEY.sub(lambda match: f'"{ids[match[1]]}"', text))


def home(cents: int, code: str) -> int:
    """Convert an amount to the home currency."""
    return round(cents * RATES[code])
