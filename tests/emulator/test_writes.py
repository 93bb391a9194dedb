"""Histories of writes: balances and times stay correct, and readers see consistent snapshots."""

import json
import random
import threading
import time
from collections import defaultdict
from datetime import datetime
from decimal import Decimal

import pytest

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.query.execute import execute


def line(amount):
    detail = {"ItemRef": {"value": "1"}, "UnitPrice": amount, "Qty": 1}
    return {"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}


class History:
    """A random history of creates, updates, deletes, voids, payments and deactivations.

    Args:
        emulator: That it drives from Python.
        seed: Decides it.
    """

    def __init__(self, emulator, seed):
        self.emulator = emulator
        self.random = random.Random(seed)
        self.customers = [emulator.create("Customer", {"DisplayName": f"Customer {seed} {n}"})["Id"] for n in range(4)]
        self.invoices = []
        self.payments = []
        self.count = 0

    def step(self):
        action = self.random.choice([self.invoice, self.invoice, self.edit, self.pay, self.drop, self.void, self.hide])
        try:
            action()
        except Fault as fault:
            if fault.code not in ("6000", "610"):  # paid too much; gone already
                raise
        self.count += 1

    def invoice(self):
        customer = self.random.choice(self.customers)
        lines = [line(self.random.randrange(1, 500)) for _ in range(self.random.randrange(1, 4))]
        made = self.emulator.create("Invoice", {"CustomerRef": {"value": customer}, "Line": lines})
        self.invoices.append(made["Id"])

    def edit(self):
        if self.invoices:
            change = self.random.choice(
                [
                    {"PrivateNote": f"note {self.count}"},
                    {"Line": [line(self.random.randrange(1, 500))]},
                    {"CustomerRef": {"value": self.random.choice(self.customers)}},
                ]
            )
            self.emulator.update("Invoice", {"Id": self.random.choice(self.invoices)} | change)

    def pay(self):
        if self.invoices:
            id_ = self.random.choice(self.invoices)
            amount = self.random.randrange(1, 300)
            link = {"Amount": amount, "LinkedTxn": [{"TxnId": id_, "TxnType": "Invoice"}]}
            body = {"CustomerRef": {"value": self.customers[0]}, "TotalAmt": amount, "Line": [link]}
            self.payments.append(self.emulator.create("Payment", body)["Id"])

    def drop(self):
        kind, ids = self.random.choice([("Invoice", self.invoices), ("Payment", self.payments)])
        if ids:
            id_ = ids.pop(self.random.randrange(len(ids)))
            self.emulator.delete(kind, id_)

    def void(self):
        kind, ids = self.random.choice([("Invoice", self.invoices), ("Payment", self.payments)])
        if ids:
            self.emulator.void(kind, self.random.choice(ids))

    def hide(self):
        id_ = self.random.choice(self.customers)
        active = self.emulator.read("Customer", id_)["Active"]
        self.emulator.update("Customer", {"Id": id_, "Active": not active})


def everything(emulator, entity):
    company = emulator.company()
    active = " where Active in (true, false)" if entity == "Customer" else ""
    page = execute(company, f"select * from {entity}{active} maxresults 1000", emulator.now())  # noqa: S608 -- Intuit's
    return json.loads(b"[%s]" % page.records, parse_float=Decimal)


def owed_by_documents(emulator):
    """Return what each customer owes by invoices, unapplied payments and credit memos."""
    owed = defaultdict(Decimal)
    for entity, share, sign in (
        ("Invoice", "Balance", 1),
        ("Payment", "UnappliedAmt", -1),
        ("CreditMemo", "Balance", -1),
    ):
        for row in everything(emulator, entity):
            owed[row["CustomerRef"]["value"]] += sign * Decimal(row[share])
    return owed


def other_charges(emulator):
    """Return what each customer owes besides: the sample company's opening charges, which no write here changes."""
    owed = owed_by_documents(emulator)
    return {row["Id"]: row["Balance"] - owed[row["Id"]] for row in everything(emulator, "Customer")}


def assert_true(emulator, charged):
    """Check the invariants of all writes."""
    invoices = {row["Id"]: row for row in everything(emulator, "Invoice")}
    payments = everything(emulator, "Payment")
    paid = defaultdict(Decimal)
    for payment in payments:
        applied = Decimal(0)
        for item in payment["Line"]:
            for link in item["LinkedTxn"]:
                if link["TxnType"] == "Invoice":
                    paid[link["TxnId"]] += Decimal(item["Amount"])
                    assert {"TxnId": payment["Id"], "TxnType": "Payment"} in invoices[link["TxnId"]]["LinkedTxn"]
            sign = -1 if item["LinkedTxn"][0]["TxnType"] == "CreditMemo" else 1
            applied += sign * Decimal(item["Amount"])
        assert payment["UnappliedAmt"] == Decimal(payment["TotalAmt"]) - applied
    for id_, row in invoices.items():
        assert row["Balance"] == row["TotalAmt"] - paid[id_], id_
    assert {id_: charge for id_, charge in other_charges(emulator).items() if charge} == charged
    for row in (*invoices.values(), *payments):
        times = row["MetaData"]
        assert datetime.fromisoformat(times["CreateTime"]) <= datetime.fromisoformat(times["LastUpdatedTime"])
        assert not datetime.fromisoformat(times["LastUpdatedTime"]).microsecond


@pytest.mark.parametrize("seed", range(5))
def test_the_balances_stay_correct(emulator, seed):
    charged = {id_: charge for id_, charge in other_charges(emulator).items() if charge}
    assert charged
    history = History(emulator, seed)
    created = {}
    for number in range(150):
        history.step()
        if number % 10 == 0:
            emulator.advance(1)
        for row in everything(emulator, "Invoice")[:5]:
            assert created.setdefault(row["Id"], row["MetaData"]["CreateTime"]) == row["MetaData"]["CreateTime"]
    assert_true(emulator, charged)


def test_the_same_seed_and_clock_give_the_same_answers(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_900_000_000.25)
    reported = []
    for _ in range(2):
        with Emulator(seed=4, limits=False) as emulator:
            history = History(emulator, 9)
            for _ in range(60):
                history.step()
            reported.append([everything(emulator, entity) for entity in ("Customer", "Invoice", "Payment")])
            reported[-1].append(emulator.grant())
    assert reported[0] == reported[1]


def test_writers_and_readers_at_once(client, emulator):
    """Every page is a consistent snapshot: an invoice's balance and its links agree, despite concurrent writes."""
    charged = {id_: charge for id_, charge in other_charges(emulator).items() if charge}
    done = threading.Event()
    broken = []

    def write(seed):
        history = History(emulator, seed)
        while not done.is_set() and history.count < 150:
            history.step()

    def read():
        while not done.is_set():
            rows = client.rows("select * from Invoice maxresults 1000")
            ids = [row["Id"] for row in rows]
            times = [datetime.fromisoformat(row["MetaData"]["LastUpdatedTime"]) for row in rows]
            if len(ids) != len(set(ids)) or times != sorted(times, reverse=True):
                broken.append(ids)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in (100, 200, 300)]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert not broken
    assert_true(emulator, charged)


def test_a_record_is_stamped_when_it_is_written(emulator):
    """A write that waited for another one is stamped later than it."""
    company = emulator.company()
    started, go_on = threading.Event(), threading.Event()
    made = []

    def hold():
        with company.store.writing():
            started.set()
            go_on.wait(60)

    def create():
        made.append(emulator.create("Customer", {"DisplayName": "Mira Lund"}))

    holder, creator = threading.Thread(target=hold), threading.Thread(target=create)
    holder.start()
    started.wait(60)
    creator.start()
    emulator.advance(100)
    earliest = int(emulator.now())
    go_on.set()
    holder.join()
    creator.join()
    stamp = datetime.fromisoformat(made[0]["MetaData"]["CreateTime"]).timestamp()
    assert stamp >= earliest


def test_an_edit_that_moves_no_money_leaves_the_customer_alone(emulator):
    invoice = emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line(5)]})
    before = emulator.read("Customer", "1")
    emulator.advance(60)
    emulator.update("Invoice", {"Id": invoice["Id"], "PrivateNote": "x"})
    assert emulator.read("Customer", "1") == before


def test_a_deleted_invoice_leaves_its_payment_unapplied(emulator):
    for remove in (emulator.delete, emulator.void):
        invoice = emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line(50)]})
        link = {"Amount": 30, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}
        payment = emulator.create("Payment", {"CustomerRef": {"value": "1"}, "TotalAmt": 30, "Line": [link]})
        assert payment["UnappliedAmt"] == 0
        remove("Invoice", invoice["Id"])
        if remove == emulator.void:
            assert emulator.read("Invoice", invoice["Id"])["LinkedTxn"] == []
            assert remove("Invoice", invoice["Id"])["PrivateNote"] == "Voided"  # once is enough
        left = emulator.read("Payment", payment["Id"])
        assert (left["UnappliedAmt"], left["Line"], left["SyncToken"]) == (30, [], "1")
        emulator.delete("Payment", payment["Id"])


def test_what_is_sent_empty_is_not_stored_and_clears_what_was(emulator):
    body = {"DisplayName": "Mira Lund", "CompanyName": "", "Notes": "n", "BillAddr": {"Line1": "1 Elm St", "City": ""}}
    made = emulator.create("Customer", body)
    assert ("CompanyName" in made, made["BillAddr"]["Line1"], "City" in made["BillAddr"]) == (False, "1 Elm St", False)
    changed = emulator.update("Customer", {"Id": made["Id"], "Notes": ""})
    assert "Notes" not in changed
    with pytest.raises(Fault, match="2020"):
        emulator.update("Customer", {"Id": made["Id"], "DisplayName": ""})


def test_new_lines_get_new_ids(emulator):
    made = emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line(1), line(2)]})
    kept = made["Line"][1]
    changed = emulator.update("Invoice", {"Id": made["Id"], "Line": [kept, line(3)]})
    lines = [row for row in changed["Line"] if row["DetailType"] == "SalesItemLineDetail"]
    assert ([row["Id"] for row in lines], changed["TotalAmt"]) == (["2", "3"], 5)


@pytest.mark.parametrize("entity", ["Customer", "Invoice"])
def test_writes_cost_the_same_however_many_there_were(emulator, entity):
    """Thousands of random histories are driven from Python: no write searches through what was written before.

    Counted in steps of SQLite's machine, which no other work on this machine can add to.
    """
    bodies = {
        "Customer": lambda n: {"DisplayName": f"Customer {n}"},
        "Invoice": lambda _: {"CustomerRef": {"value": "1"}, "Line": [line(5)]},
    }
    store, steps, note = emulator._companies.store, [], "PrivateNote" if entity == "Invoice" else "Notes"
    with store.reading() as db:
        connections = (store._writer, db)
    assert [one.execute("PRAGMA synchronous").fetchone() for one in connections] == [
        (0,)
    ] * 2  # nothing waits for a disk

    def count():
        steps[-1] += 1

    for one in connections:
        one.set_progress_handler(count, 1)
    try:
        for number in range(200):
            steps.append(0)
            made = emulator.create(entity, bodies[entity](number))
            emulator.update(entity, {"Id": made["Id"], "sparse": True, note: "x"})
    finally:
        for one in connections:
            one.set_progress_handler(None, 1)
    assert 0 < max(steps[190:]) <= 1.1 * max(steps[:10]) < 5000
