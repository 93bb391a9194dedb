"""Writes over HTTP: create, sparse and full update, delete, void, payments, balances."""

import re

import pytest

LINE = {
    "Amount": 100,
    "DetailType": "SalesItemLineDetail",
    "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "UnitPrice": 25, "Qty": 4},
}

EXPENSE = {
    "Amount": 12,
    "DetailType": "AccountBasedExpenseLineDetail",
    "AccountBasedExpenseLineDetail": {"AccountRef": {"value": "12"}},
}


def fault(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["Fault"]["Error"][0]


def create_invoice(client, customer="1", **more):
    answer = client.post("invoice", json={"CustomerRef": {"value": customer}, "Line": [LINE]} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()["Invoice"]


def test_a_new_customer_gets_what_quickbooks_gives(client):
    answer = client.post("customer", json={"DisplayName": "Mira Lund", "Notes": "x", "SyncToken": "9"})
    customer = answer.json()["Customer"]
    assert (
        customer["Id"],
        customer["SyncToken"],
        customer["FullyQualifiedName"],
        customer["Active"],
    ) == ("31", "0", "Mira Lund", True)
    assert '"Balance":0,"BalanceWithJobs":0,' in answer.text
    read = client.get("customer/31").json()["Customer"]
    assert customer == {key: value for key, value in read.items() if key != "V4IDPseudonym"}
    assert client.ids("select * from Customer where DisplayName = 'mira lund'") == ["31"]


def test_a_job_belongs_to_its_customer(client):
    body = {"DisplayName": "Lot 16", "Job": True, "ParentRef": {"value": "3"}}
    job = client.post("customer", json=body).json()["Customer"]
    assert (
        job["FullyQualifiedName"],
        job["Level"],
        job["ParentRef"],
    ) == ("Brightwater Homes:Lot 16", 1, {"value": "3"})


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("customer", {"DisplayName": "alder street BOOKS"}, "6240"),
        ("vendor", {"DisplayName": "Alder Street Books"}, "6240"),
        ("customer", {}, "2020"),
        ("customer", {"DisplayName": "a:b"}, "6000"),
        ("customer", {"DisplayName": "x", "Nonsense": 1}, "2010"),
        ("customer", {"DisplayName": "x", "ParentRef": {"value": "999"}}, "2500"),
        ("customer", {"DisplayName": "x", "ParentRef": "3"}, "2010"),
        ("invoice", {"Line": [LINE]}, "2020"),
        ("invoice", {"CustomerRef": {"value": "1"}}, "2020"),
        ("invoice", {"CustomerRef": {"value": "1"}, "Line": ["x"]}, "2020"),
        ("invoice", {"CustomerRef": {"value": "1"}, "Line": [LINE | {"Amount": "much"}]}, "6000"),
        ("invoice", {"CustomerRef": {"value": "1"}, "Line": [LINE], "TxnDate": "soon"}, "6000"),
        ("invoice", {"CustomerRef": {"value": "1"}, "Line": [LINE], "TxnTaxDetail": "x"}, "2010"),
        ("payment", {"CustomerRef": {"value": "1"}}, "2020"),
        ("bill", {"CustomerRef": "a string"}, "2010"),
        ("taxcode", {"Name": "x"}, "500"),
        ("customer?operation=delete", {"Id": "1", "SyncToken": "1"}, "500"),
        ("purchase?operation=void", {"Id": "1", "SyncToken": "0"}, "500"),
        ("invoice?operation=dance", {"Id": "1"}, "500"),
        ("invoice?operation=delete", {"Id": "99999", "SyncToken": "0"}, "610"),
        ("invoice?operation=delete", {"SyncToken": "0"}, "2020"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_changes_nothing(client, path, body, code):
    before = client.control("GET", "state").json()["companies"]
    assert code == fault(client.post(path, json=body))["code"]
    assert before == client.control("GET", "state").json()["companies"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_body_that_cannot_be_read_is_refused(client, body):
    assert fault(client.post("customer", data=body, headers={"Content-Type": "application/json"}))["code"] == "2010"


def test_the_totals_of_an_invoice_are_computed(client):
    discount = {
        "DetailType": "DiscountLineDetail",
        "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10},
    }
    before = client.get("customer/1").json()["Customer"]
    answer = client.post("invoice", json={"CustomerRef": {"value": "1"}, "Line": [LINE, discount], "Balance": 1})
    assert '"TotalAmt":90.00,' in answer.text
    invoice = answer.json()["Invoice"]
    assert (
        invoice["DocNumber"],
        invoice["Balance"],
        invoice["CustomerRef"]["name"],
    ) == ("1061", 90, "Alder Street Books")
    assert [line["DetailType"] for line in invoice["Line"]] == [
        "SalesItemLineDetail",
        "SubTotalLineDetail",
        "DiscountLineDetail",
    ]
    assert '"UnitPrice":25,"Qty":4' in answer.text
    after = client.get("customer/1").json()["Customer"]
    assert round(before["Balance"] + 90, 2) == after["Balance"]
    assert before["MetaData"]["LastUpdatedTime"] < after["MetaData"]["LastUpdatedTime"]


def test_a_sparse_update_keeps_the_rest_and_a_full_one_empties_it(client, emulator):
    invoice = create_invoice(client, PrivateNote="keep me")
    emulator.advance(100)
    key = {"Id": invoice["Id"], "SyncToken": "0"}
    sparse = client.post("invoice", json=key | {"sparse": True, "CustomerMemo": {"value": "hi"}}).json()["Invoice"]
    assert (
        sparse["SyncToken"],
        sparse["PrivateNote"],
        sparse["CustomerMemo"]["value"],
        sparse["sparse"],
    ) == ("1", "keep me", "hi", False)
    assert sparse["MetaData"]["LastUpdatedTime"] > invoice["MetaData"]["LastUpdatedTime"]
    assert invoice["Id"] == client.ids("select * from Invoice maxresults 1")[0]
    full = {"Id": invoice["Id"], "SyncToken": "1", "CustomerRef": {"value": "2"}, "Line": [LINE]}
    body = client.post("invoice", json=full).json()["Invoice"]
    assert (body["SyncToken"], body["CustomerRef"]["value"], "PrivateNote" in body) == ("2", "2", False)
    assert (invoice["DocNumber"], 100) == (body["DocNumber"], body["Balance"])


def test_a_stale_object_is_refused_and_names_a_person(client):
    body = {"Id": "1", "SyncToken": "77", "sparse": True, "Notes": "x"}
    error = fault(client.post("customer", json=body))
    assert (error["code"], error["element"], error["Message"]) == ("5010", "", "Stale Object Error")
    assert re.match(r"Stale Object Error : You and [\w ]+ were working on this at the same time\.", error["Detail"])


def test_an_update_that_changes_nothing_keeps_the_sync_token(client):
    read = client.get("customer/2").json()["Customer"]
    customer = {key: value for key, value in read.items() if key != "V4IDPseudonym"}  # no write returns it
    body = {"Id": "2", "SyncToken": customer["SyncToken"], "sparse": True, "DisplayName": customer["DisplayName"]}
    assert customer == client.post("customer", json=body).json()["Customer"]


def test_deactivation_hides_and_renames(client):
    customer = client.get("customer/2").json()["Customer"]
    body = {"Id": "2", "SyncToken": customer["SyncToken"], "sparse": True, "Active": False}
    gone = client.post("customer", json=body).json()["Customer"]
    assert (gone["DisplayName"], gone["Active"]) == ("Bellweather Dental (deleted)", False)
    assert client.ids("select * from Customer where Id = '2'") == []
    body |= {"SyncToken": gone["SyncToken"], "Active": True}
    assert client.post("customer", json=body).json()["Customer"]["DisplayName"] == "Bellweather Dental"


def test_deleting_an_invoice(client):
    before = client.get("customer/1").json()["Customer"]["Balance"]
    invoice = create_invoice(client)
    answer = client.post("invoice?operation=delete", json={"Id": invoice["Id"], "SyncToken": "0"})
    assert answer.json()["Invoice"] == {"domain": "QBO", "status": "Deleted", "Id": invoice["Id"]}
    assert fault(client.get(f"invoice/{invoice['Id']}"))["code"] == "610"
    assert before == client.get("customer/1").json()["Customer"]["Balance"]


def test_voiding_an_invoice(client):
    invoice = create_invoice(client, PrivateNote="mine")
    answer = client.post("invoice?operation=void", json={"Id": invoice["Id"], "SyncToken": "0"})
    voided = answer.json()["Invoice"]
    assert (0, 0, "Voided - mine", "1", {"TotalTax": 0}, invoice["DocNumber"]) == (
        voided["TotalAmt"],
        voided["Balance"],
        voided["PrivateNote"],
        voided["SyncToken"],
        voided["TxnTaxDetail"],
        voided["DocNumber"],
    )
    assert {0} == {line["Amount"] for line in voided["Line"]}


def test_a_payment_lowers_the_balance_and_its_deletion_raises_it(client):
    invoice = create_invoice(client)
    link = {"TxnId": invoice["Id"], "TxnType": "Invoice"}
    body = {"CustomerRef": {"value": "1"}, "TotalAmt": 40, "Line": [{"Amount": 40, "LinkedTxn": [link]}]}
    payment = client.post("payment", json=body).json()["Payment"]
    part = client.get(f"invoice/{invoice['Id']}").json()["Invoice"]
    assert (60, [{"TxnId": payment["Id"], "TxnType": "Payment"}]) == (part["Balance"], part["LinkedTxn"])
    body["TotalAmt"] = body["Line"][0]["Amount"] = 100
    assert fault(client.post("payment", json=body))["code"] == "6000"
    client.post("payment?operation=delete", json={"Id": payment["Id"], "SyncToken": "0"})
    back = client.get(f"invoice/{invoice['Id']}").json()["Invoice"]
    assert (back["Balance"], back["LinkedTxn"]) == (100, [])


def test_any_entity_is_stored(client):
    before = client.query("select * from Bill").json()["QueryResponse"]["totalCount"]
    vendor = client.post("vendor", json={"DisplayName": "Sage Supply"}).json()["Vendor"]
    bill = client.post("bill", json={"VendorRef": {"value": vendor["Id"]}, "TotalAmt": 12, "Line": [EXPENSE]}).json()[
        "Bill"
    ]
    assert client.ids(f"select * from Bill where VendorRef = '{vendor['Id']}'") == [bill["Id"]]  # noqa: S608
    assert client.query("select * from Bill").json()["QueryResponse"]["totalCount"] == before + 1


def test_records_move_in_python_too(client, emulator):
    invoice = emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [LINE]})
    emulator.update("Invoice", {"Id": invoice["Id"], "PrivateNote": "changed"})
    assert client.get(f"invoice/{invoice['Id']}").json()["Invoice"]["PrivateNote"] == "changed"
    assert emulator.void("Invoice", invoice["Id"])["TotalAmt"] == 0
    assert emulator.delete("Invoice", invoice["Id"])["status"] == "Deleted"
    emulator.reset()
    assert emulator.read("Customer", "1")["DisplayName"] == "Alder Street Books"
