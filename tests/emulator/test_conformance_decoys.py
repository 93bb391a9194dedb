"""The records that a recorded answer must leave out: each violates one condition and satisfies the others."""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from emulator import recorded
from emulator.conformance_decoys import decoys

TIMES = {"CreateTime": "2026-04-01T00:00:00-07:00", "LastUpdatedTime": "2026-05-05T00:00:00-07:00"}
INVOICE = {"Id": "7", "TxnDate": "2026-05-01", "DocNumber": "A1", "CustomerRef": {"value": "24"}, "MetaData": TIMES}
CUSTOMER = {"Id": "5", "DisplayName": "Mira Lund", "Active": True, "MetaData": TIMES}


def exchange(target, text='{"QueryResponse":{}}'):
    at = datetime(2026, 5, 5, tzinfo=UTC)
    parts = {"method": "GET", "sent": {}, "body": b"", "status": 200, "headers": None, "text": text, "at": at}
    return recorded._exchange("ours", family="ours", spelling="values", target=target, **parts)


def made(entity, record, statement):
    rows = [(entity, record, json.dumps(record))]
    return [found for _, found, _ in decoys(exchange(f"query?query={quote(statement)}"), rows)]


def test_each_condition_is_violated_in_turn():
    found = made("Invoice", INVOICE, "select * from Invoice where CustomerRef = '24' and TxnDate >= '2026-05-01'")
    differing = [{key for key in INVOICE if record[key] != INVOICE[key]} - {"Id"} for record in found]
    assert differing == [{"CustomerRef"}] * 3 + [{"TxnDate"}]
    assert {record["CustomerRef"]["value"] for record in found} == {"24", "24s", "2", "2x"}
    assert found[-1]["TxnDate"] < "2026-05-01"
    assert len({record["Id"] for record in found} | {INVOICE["Id"]}) == 5


def test_a_record_that_satisfies_the_conditions_is_made_if_there_is_none():
    statement = "select count(*) from Customer where DisplayName = 'Amy\\'s' and Active = true"
    found = [found for _, found, _ in decoys(exchange(f"query?query={quote(statement)}"), [])]
    assert {(record["DisplayName"], record["Active"]) for record in found} == {
        *(("Amy'ss", True), ("Amy'", True), ("Amy'x", True), ("Amy's", False)),
    }


def test_lists_have_an_inactive_record_unless_active_is_named():
    assert [record["Active"] for record in made("Customer", CUSTOMER, "select * from Customer")] == [False]
    assert made("Customer", CUSTOMER, "select * from Customer where Active in (true, false)") == []
    assert made("Invoice", INVOICE, "select * from Invoice") == []


@pytest.mark.parametrize(("limit", "number"), [(1, 1), (2, 0)])
def test_a_full_page_has_a_record_after_it(limit, number):
    found = made("Invoice", INVOICE, f"select * from Invoice maxresults {limit}")
    assert len(found) == number
    assert all(record["MetaData"]["LastUpdatedTime"] < TIMES["LastUpdatedTime"] for record in found)
    named = made("Customer", CUSTOMER, f"select * from Customer startposition 1 maxresults {limit}")
    assert [record["DisplayName"] for record in named if record["Active"]] == ["~ decoy"] * number


def test_changes_have_older_records_and_other_entities():
    asked = exchange("cdc?entities=Invoice&changedSince=2026-05-01T00:00:00-07:00", '{"CDCResponse":[]}')
    found = decoys(asked, [("Invoice", INVOICE, json.dumps(INVOICE))])
    assert [(entity, record["MetaData"]["LastUpdatedTime"][:19]) for entity, record, _ in found] == [
        ("Invoice", "2026-04-30T23:59:59"),
        ("Customer", "2026-05-01T00:00:01"),
        ("Bill", "2026-05-01T00:00:01"),
    ]


def test_other_exchanges_have_none():
    assert decoys(exchange("customer/5", json.dumps({"Customer": CUSTOMER})), []) == []
    assert decoys(exchange("query?query=select", '{"Fault":{}}'), []) == []
