"""Almost valid requests: every property in every clause, and valid bodies with missing or invalid parts.

`test_fuzz.py` sends random requests, most of which fail early; these are processed further before they are refused.
"""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

import copy
import random

import pytest

from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.query.execute import execute

SALE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
EXPENSE = {
    "Amount": 10,
    "DetailType": "AccountBasedExpenseLineDetail",
    "AccountBasedExpenseLineDetail": {"AccountRef": {"value": "1"}},
}
LINK = {"TxnId": "100", "TxnType": "Invoice"}
BODIES = {
    "Attachable": {"Note": "n", "AttachableRef": [{"EntityRef": {"type": "Invoice", "value": "101"}}]},
    "Bill": {"VendorRef": {"value": "1"}, "Line": [EXPENSE]},
    "BillPayment": {
        "VendorRef": {"value": "1"},
        "TotalAmt": 5,
        "PayType": "Check",
        "Line": [{"Amount": 5, "LinkedTxn": [{"TxnId": "1", "TxnType": "Bill"}]}],
    },
    "Customer": {"DisplayName": "x", "BillAddr": {"Line1": "x"}, "ParentRef": {"value": "1"}},
    "Invoice": {"CustomerRef": {"value": "1"}, "Line": [SALE, SALE], "TxnTaxDetail": {"TotalTax": 1}},
    "Payment": {
        "CustomerRef": {"value": "1"},
        "TotalAmt": 5,
        "Line": [{"Amount": 1, "LinkedTxn": [LINK]}, {"Amount": 1}],
    },
}
ODD = [None, "", 0, -1, 1.5, True, [], {}, "x", "1", [None], [{}], {"value": None}, {"value": {}}, 10**30, "2026-13-45"]
ODD += [[{"LinkedTxn": [{}]}], [LINK, {"TxnType": "Invoice"}], "\ud800"]


def parts(value, path=()):
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from parts(value[key], (*path, key))


def damaged(body, chance):
    body = copy.deepcopy(body)
    for _ in range(chance.randint(1, 3)):
        if not (path := chance.choice([*parts(body), ()])):
            continue
        inside = body
        for key in path[:-1]:
            inside = inside[key]
        if chance.random() < 0.5:
            del inside[path[-1]]
        else:
            inside[path[-1]] = copy.deepcopy(chance.choice(ODD))
    return body


@pytest.mark.parametrize("seed", range(6))
def test_damaged_bodies_are_refused_or_accepted(client, seed):
    chance = random.Random(seed)
    client.post("vendor", json={"DisplayName": "v"})
    client.post("bill", json=BODIES["Bill"])
    taken = 0
    for number in range(150):
        entity = chance.choice([*BODIES])
        body = damaged(BODIES[entity] | ({"DisplayName": f"c{number}"} if entity == "Customer" else {}), chance)
        answer = client.post(entity.lower(), json=body)
        assert answer.status_code in (200, 400), (body, answer.text)
        if answer.status_code == 200:
            taken += 1
            made = answer.json()[entity]
            change = chance.choice(["", "?operation=delete", "?operation=void"])
            again = damaged(made, chance) | {"Id": made["Id"], "SyncToken": made["SyncToken"], "sparse": True}
            answer = client.post(entity.lower() + change, json=again)
            assert answer.status_code in (200, 400), (again, answer.text)
    for entity, path in (("Invoice", "invoice"), ("Bill", "bill")):  # with all links they have by now
        for record in client.rows(f"SELECT * FROM {entity} MAXRESULTS 20"):
            assert client.post(f"{path}?operation=delete", json=record).status_code == 200
    assert taken > 20


@pytest.mark.parametrize(
    "entity", [entity for entity in ENTITIES.values() if "Q" in entity.operations], ids=lambda entity: entity.name
)
def test_every_property_can_be_requested_or_is_refused(emulator, entity):
    if entity.name in BODIES and entity.name != "Customer":
        emulator.create("Vendor", {"DisplayName": "v"})
        emulator.create("Bill", BODIES["Bill"])
        lines = {"Line": [{"Amount": 1, "LinkedTxn": []}]} if entity.name.endswith("Payment") else {}
        emulator.create(entity.name, BODIES[entity.name] | lines)
    company = emulator.company()
    for name in (prop.name for prop in entity.properties.values()):
        asked = [f"SELECT {name} FROM {entity.name}", f"SELECT * FROM {entity.name} ORDERBY {name}"]
        asked += [f"SELECT * FROM {entity.name} WHERE {name} {c}" for c in ("= '1'", "= ' '", "LIKE '%a'", "> '2020'")]
        for statement in asked:
            try:
                execute(company, statement, emulator.now())
            except Fault as fault:
                assert fault.code == "4001", statement  # noqa: PT017 -- it may be answered as well


def test_a_property_inside_a_list_can_be_selected(client):
    id_ = client.post("attachable", json=BODIES["Attachable"]).json()["Attachable"]["Id"]
    (row,) = client.rows(f"SELECT AttachableRef.EntityRef.type FROM Attachable WHERE Id = '{id_}'")
    assert row["AttachableRef"] == [{"EntityRef": {"type": "Invoice"}}]


def test_a_lone_surrogate_is_refused(client):
    answer = client.post("customer", json={"DisplayName": "\ud800"})
    assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, "2010")
    assert client.control("POST", "faults", json={"kind": "html", "path": "\ud800"}).status_code == 400
    whole = client.post("customer", json={"DisplayName": "\U0001f33f"})  # two escapes that make one
    assert whole.json()["Customer"]["DisplayName"] == "\U0001f33f"


def test_an_invoice_can_be_deleted_if_its_payment_has_a_line_without_links(client):
    invoice = client.post("invoice", json=BODIES["Invoice"]).json()["Invoice"]
    lines = [{"Amount": 1, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}, {"Amount": 1}]
    payment = client.post("payment", json=BODIES["Payment"] | {"Line": lines}).json()["Payment"]
    invoice = client.get(f"invoice/{invoice['Id']}").json()["Invoice"]
    assert client.post("invoice?operation=delete", json=invoice).status_code == 200
    assert client.get(f"payment/{payment['Id']}").json()["Payment"]["Line"] == [{"Amount": 1.0}]


def test_a_date_that_is_cleared_is_today(client, emulator):
    invoice = client.post("invoice", json=BODIES["Invoice"] | {"TxnDate": "2026-01-02"}).json()["Invoice"]
    change = {"Id": invoice["Id"], "SyncToken": "0", "sparse": True, "TxnDate": ""}
    changed = client.post("invoice", json=change).json()["Invoice"]
    assert changed["TxnDate"] == emulator.company().today(emulator.now()).isoformat()
