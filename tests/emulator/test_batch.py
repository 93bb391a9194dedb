"""Batches: each item for itself, faults beside successes, as recorded in 2020."""

import json

import pytest

LINE = {
    "Amount": 100,
    "DetailType": "SalesItemLineDetail",
    "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "UnitPrice": 25, "Qty": 4},
}
INVOICE = {"CustomerRef": {"value": "1"}, "Line": [LINE]}


def batch(client, *items):
    answer = client.post("batch", json={"BatchItemRequest": list(items)})
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["BatchItemResponse", "time"]
    return answer.json()["BatchItemResponse"]


def code(item):
    assert list(item["Fault"]) == ["Error", "type"]
    return item["Fault"]["Error"][0]["code"]


def test_the_recorded_batch(client):
    """The four items of minimul batch/basic.yml: a success, a gone one, a stale one and a statement."""
    detail = LINE["SalesItemLineDetail"] | {"UnitPrice": 75, "Qty": 4.5}
    receipt = {"Line": [LINE | {"Amount": 337.50, "SalesItemLineDetail": detail}]}
    kept = client.post("salesreceipt", json=receipt).json()["SalesReceipt"]
    statement = f"select * from SalesReceipt where TotalAmt > '300.00' and Id = '{kept['Id']}'"  # noqa: S608
    answers = batch(
        client,
        {"bId": "bid1", "operation": "create", "Vendor": {"DisplayName": "Boraski Family Store"}},
        {"bId": "bid2", "operation": "delete", "Invoice": {"Id": "99999", "SyncToken": "0"}},
        {
            "bId": "bid3",
            "operation": "update",
            "SalesReceipt": {
                "domain": "QBO",
                "sparse": True,
                "Id": kept["Id"],
                "SyncToken": "7",
                "PrivateNote": "A private note.",
            },
        },
        {"bId": "bid4", "Query": statement},
    )
    assert [list(item) for item in answers] == [
        ["Vendor", "bId"],
        ["Fault", "bId"],
        ["Fault", "bId"],
        ["QueryResponse", "bId"],
    ]
    assert [item["bId"] for item in answers] == ["bid1", "bid2", "bid3", "bid4"]
    assert (answers[0]["Vendor"]["DisplayName"], answers[0]["Vendor"]["SyncToken"]) == ("Boraski Family Store", "0")
    assert (code(answers[1]), code(answers[2])) == ("610", "5010")
    assert answers[3]["QueryResponse"] == {"SalesReceipt": [kept], "startPosition": 1, "maxResults": 1}


def test_every_operation(client, emulator):
    one, two, three = (emulator.create("Invoice", INVOICE) for _ in range(3))
    key = {"SyncToken": "0"}
    answers = batch(
        client,
        {"bId": "1", "operation": "update", "Invoice": key | {"Id": one["Id"], "sparse": True, "PrivateNote": "n"}},
        {"bId": "2", "operation": "delete", "Invoice": key | {"Id": two["Id"]}},
        {"bId": "3", "operation": "update", "optionsData": "void", "Invoice": key | {"Id": three["Id"]}},
        {"bId": "4", "Query": "select count(*) from Invoice"},
    )
    assert answers[0]["Invoice"]["PrivateNote"] == "n"
    assert answers[1]["Invoice"] == {"domain": "QBO", "status": "Deleted", "Id": two["Id"]}
    assert (answers[2]["Invoice"]["TotalAmt"], answers[2]["Invoice"]["PrivateNote"]) == (0, "Voided")
    assert answers[3]["QueryResponse"] == {"totalCount": 62}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"operation": "create", "Customer": {"DisplayName": "Alder Street Books"}}, "6240"),
        ({"operation": "create", "Customer": {"Nonsense": 1}}, "2010"),
        ({"operation": "create", "Customer": "x"}, "2010"),
        ({"operation": "create", "Customr": {"DisplayName": "x"}}, "2010"),
        ({"operation": "create"}, "2010"),
        ({"operation": "dance", "Customer": {"DisplayName": "x"}}, "500"),
        ({"Customer": {"DisplayName": "x"}}, "500"),
        ({"operation": "delete", "Customer": {"Id": "1", "SyncToken": "0"}}, "500"),
        ({"operation": "update", "Customer": {"Id": "1"}}, "2020"),
        ({"Query": "select * from Custmoer"}, "4001"),
        ({"Query": ""}, "4000"),
        ({"Query": None}, "4000"),
    ],
)
def test_a_refused_item_leaves_the_others_alone(client, item, expected):
    good = {"bId": "good", "operation": "create", "Customer": {"DisplayName": "Mira Lund"}}
    refused, done = batch(client, {"bId": "bad"} | item, good)
    assert (code(refused), refused["bId"]) == (expected, "bad")
    assert done["Customer"]["DisplayName"] == "Mira Lund"


def test_an_invalid_item_is_refused(client):
    assert [code(item) for item in batch(client, "x", {"Query": "select * from Customer"})] == ["2010", "2020"]


def test_a_batch_has_at_most_thirty_items(client):
    items = [{"bId": str(n), "Query": "select * from Customer maxresults 1"} for n in range(31)]
    assert len(batch(client, *items[:30])) == 30
    answer = client.post("batch", json={"BatchItemRequest": items})
    assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, "1040")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "2010"),
        (b"[]", "2020"),
        (b"{}", "2020"),
        (b'{"BatchItemRequest": []}', "2020"),
        (b'{"BatchItemRequest": {}}', "2020"),
    ],
)
def test_a_body_that_is_not_a_batch_is_refused(client, body, expected):
    answer = client.post("batch", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, expected)


def test_money_keeps_its_digits(client):
    body = json.dumps({"BatchItemRequest": [{"bId": "1", "operation": "create", "Invoice": INVOICE}]})
    assert '"TotalAmt":100.00,' in client.post("batch", data=body).text
