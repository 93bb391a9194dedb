"""What today's QuickBooks accepts though its documentation or older recordings say otherwise, and fault 2010's list."""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

import re

import pytest

from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.company.known_properties import describe, schema_properties


def names(client, statement):
    return [row["DisplayName"] for row in client.rows(statement)]


def make(emulator, entity, *shown):
    for name in shown:
        emulator.create(entity, {"DisplayName": name})


def test_customers_are_sorted_without_regard_to_case_and_vendors_by_bytes(client, emulator):
    shown = ("benjamin Q", "Bill Q", "BIRGIT Q", "PG Q", "Pam Q")
    make(emulator, "Customer", *(f"{name}1" for name in shown))
    make(emulator, "Vendor", *(f"{name}2" for name in shown))
    found = names(client, "select * from Customer where DisplayName like '%Q1'")
    assert found == ["benjamin Q1", "Bill Q1", "BIRGIT Q1", "Pam Q1", "PG Q1"]
    found = names(client, "select * from Vendor where DisplayName like '%Q2'")
    assert found == ["BIRGIT Q2", "Bill Q2", "PG Q2", "Pam Q2", "benjamin Q2"]


def test_the_order_of_customers_follows_a_new_name(client, emulator):
    make(emulator, "Customer", "a Q", "c Q")
    changed = emulator.create("Customer", {"DisplayName": "D Q"})
    emulator.update("Customer", {"Id": changed["Id"], "DisplayName": "B Q"})
    assert names(client, "select * from Customer where DisplayName like '% Q'") == ["a Q", "B Q", "c Q"]


def test_unequal(client):
    everything = "select * from Customer where Active in (true, false) maxresults 1000"
    inactive = client.ids("select * from Customer where Active != true")
    assert inactive == [row["Id"] for row in client.rows(everything) if not row["Active"]]
    assert inactive
    some = client.rows("select * from Invoice where CustomerRef != '1' and Balance != '0' maxresults 1000")
    assert some
    assert all(row["CustomerRef"]["value"] != "1" and row["Balance"] for row in some)
    rest = client.query("select count(*) from Invoice where DocNumber != '1001'").json()["QueryResponse"]["totalCount"]
    assert rest == client.query("select count(*) from Invoice").json()["QueryResponse"]["totalCount"] - 1
    with_mail = client.rows("select * from Customer where PrimaryEmailAddr != ' ' maxresults 1000")
    assert with_mail
    assert all("PrimaryEmailAddr" in row for row in with_mail)


def test_two_ampersands_are_and(client):
    both = "select * from Invoice where Balance > '0' {} TotalAmt > '100'"
    assert client.ids(both.format("&&")) == client.ids(both.format("and")) != []


def test_a_start_of_zero_is_one(client):
    zero = client.query("select * from Customer startposition 0 maxresults 3").json()["QueryResponse"]
    assert zero == client.query("select * from Customer startposition 1 maxresults 3").json()["QueryResponse"]
    assert zero["startPosition"] == 1


def test_a_credit_card_payment_is_queried_by_either_name(client, emulator):
    for name in ("CreditCardPayment", "creditcardpaymenttxn"):
        assert len(client.query(f"select * from {name}").json()["QueryResponse"]["CreditCardPaymentTxn"]) == 2
    moved = {"CreditCardAccountRef": {"value": "16"}, "BankAccountRef": {"value": "5"}, "Amount": 3}
    emulator.create("CreditCardPaymentTxn", moved)
    since = client.rows("select * from CreditCardPayment maxresults 1")[0]["MetaData"]["LastUpdatedTime"]
    answer = client.get("cdc", params={"entities": "CreditCardPayment", "changedSince": since}).json()
    assert "CreditCardPaymentTxn" in answer["CDCResponse"][0]["QueryResponse"][0]


# ---- fault 2010 ----


@pytest.mark.parametrize("name", [name for name in ENTITIES if "C" in ENTITIES[name].operations])
def test_every_entity_refuses_a_property_that_no_class_has(client, name):
    body = (
        {"Colour": "blue"}
        if name != "RecurringTransaction"
        else {"Bill": {"RecurringInfo": {"Name": "x"}, "Colour": 1}}
    )
    error = client.post(ENTITIES[name].path, json=body).json()["Fault"]["Error"][0]
    assert error["code"] == "2010"
    assert error["Detail"].startswith('Property Name:Unrecognized field "Colour" (class com.intuit.schema.finance.v3.')


def test_known_properties_are_listed_by_javas_hash_codes_and_cut_after_a_thousand_characters():
    shown = describe(schema_properties()["Invoice"])
    listed = re.findall(r'"(\w+)"', shown)
    assert listed[:3] == ["DocNumber", "HomeTotalAmt", "TotalAmt"]
    whole, _, end = shown.rpartition(" [truncated]")
    assert (end, len(whole) >= 1000, len(whole) < 1000 + 40) == ("])", True, True)
    count = len({*schema_properties()["Invoice"], "domain", "sparse", "status"})
    assert shown.startswith(f"({count} known properties: ")
    assert count > 83  # in 2020


def test_a_short_list_is_not_cut():
    # "Aa" and "BB" have one hash code in Java: the second one stands behind those that found their slot free.
    shown = describe(["Aa", "BB", "Id"])
    assert shown.startswith("(6 known properties: ")
    assert re.findall(r'"(\w+)"', shown)[-2:] == ["BB", "sparse"]
    assert shown.endswith('"])')
