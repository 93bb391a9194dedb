"""Emulated companies whose books change as those of real ones do."""

from __future__ import annotations

import json
from decimal import Decimal

ENTITIES = ("Customer", "Invoice", "Payment", "Vendor", "Bill", "Item")
"""The entities that are edited."""

AMOUNTS = ("TotalAmt", "Balance", "UnitPrice")
"""Properties with money."""


def books(emulator, realm, entity):
    """Return a company's records by Id as the emulator holds them, without a request."""
    with emulator.company(realm).store.reading() as reader:
        rows = reader.execute(
            "SELECT body FROM body JOIN record USING (row) JOIN kind USING (kind) WHERE realm = ? AND entity = ?",
            (realm, entity),
        ).fetchall()
    return {record["Id"]: record for record in (json.loads(row[0], parse_float=Decimal) for row in rows)}


class Company:
    """One emulated company and what is edited in it."""

    def __init__(self, emulator, number):
        self.emulator, self.number = emulator, number
        self.id, self.realm = f"c{number:03}", str(9_200_000_000_000_000 + number)
        self.token = emulator.grant(self.realm)
        self.known = {entity: sorted(self.books(entity)) for entity in ENTITIES}

    def books(self, entity):
        """Return the records that the emulator holds, without a request."""
        return books(self.emulator, self.realm, entity)

    def versions(self):
        """Return what a sync knows a record by, of all entities."""
        return {
            entity: {(id_, record["SyncToken"]) for id_, record in self.books(entity).items()} for entity in ENTITIES
        }

    # ---- edits ----

    def edit(self, chance):
        """Do what users do in a company."""
        kind = chance.choice(
            ["invoice", "invoice", "pay", "bill", "customer", "price", "note", "reprice", "reprice", "drop", "drop"]
        )
        getattr(self, f"_{kind}")(chance, chance.randrange(1, 500_000) / 100)

    def _create(self, entity, record):
        self.known[entity].append(self.emulator.create(entity, record, self.realm)["Id"])

    def _update(self, entity, record):
        self.emulator.update(entity, record, self.realm)

    def _invoice(self, chance, amount):
        self._create("Invoice", {"CustomerRef": {"value": self._one("Customer", chance)}, "Line": [_line(amount)]})

    def _pay(self, chance, amount):
        invoice = self.emulator.read("Invoice", self._one("Invoice", chance), self.realm)
        if invoice["Balance"] > 0:
            linked = [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]
            amount = min(amount, invoice["Balance"])
            line = {"Amount": amount, "LinkedTxn": linked}
            self._create("Payment", {"CustomerRef": invoice["CustomerRef"], "TotalAmt": amount, "Line": [line]})

    def _bill(self, chance, amount):
        detail = {"AccountRef": {"value": "7"}}
        line = {
            "Amount": amount,
            "DetailType": "AccountBasedExpenseLineDetail",
            "AccountBasedExpenseLineDetail": detail,
        }
        self._create("Bill", {"VendorRef": {"value": self._one("Vendor", chance)}, "Line": [line]})

    def _customer(self, chance, amount):
        self._create("Customer", {"DisplayName": f"Customer {chance.randrange(10**12)}", "Notes": str(amount)})

    def _price(self, chance, amount):
        self._update("Item", {"Id": self._one("Item", chance), "UnitPrice": amount})

    def _note(self, chance, amount):
        self._update("Vendor", {"Id": self._one("Vendor", chance), "AcctNum": str(amount)})

    def _reprice(self, chance, amount):
        self._update("Invoice", {"Id": self._one("Invoice", chance), "Line": [_line(amount)]})

    def _drop(self, chance, _):
        entity = chance.choice(["Invoice", "Payment", "Bill"])
        id_ = self._one(entity, chance)
        self.known[entity].remove(id_)
        self.emulator.delete(entity, id_, self.realm)

    def _one(self, entity, chance):
        return chance.choice(self.known[entity])


def _line(amount):
    return {
        "Amount": amount,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": "1"}},
    }
