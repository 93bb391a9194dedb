"""`requestid`: the first answer again, for single writes and for the items of a batch."""

from concurrent.futures import ThreadPoolExecutor

import pytest

LINE = {
    "Amount": 100,
    "DetailType": "SalesItemLineDetail",
    "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "UnitPrice": 25, "Qty": 4},
}
INVOICE = {"CustomerRef": {"value": "1"}, "Line": [LINE]}


def count(client, entity="Invoice"):
    statement = f"select count(*) from {entity}"  # noqa: S608 -- Intuit's language
    return client.query(statement).json()["QueryResponse"]["totalCount"]


def test_the_first_answer_is_given_again_with_its_old_time(client, emulator):
    emulator.freeze()
    first = client.post("invoice", params={"requestid": "r-1"}, json=INVOICE)
    emulator.advance(480)
    emulator.update("Invoice", {"Id": first.json()["Invoice"]["Id"], "PrivateNote": "edited meanwhile"})
    before = count(client)
    again = client.post("invoice", params={"requestid": "r-1"}, json=INVOICE)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["intuit_tid"] != first.headers["intuit_tid"]
    assert count(client) == before


def test_other_ids_and_none_write_again(client):
    answers = [
        client.post("invoice", params=params, json=INVOICE) for params in ({"requestid": "a"}, {"requestid": "b"})
    ]
    answers += [client.post("invoice", params={"requestid": ""}, json=INVOICE) for _ in range(2)]
    answers += [client.post("invoice", json=INVOICE) for _ in range(2)]
    assert len({answer.json()["Invoice"]["Id"] for answer in answers}) == 6


def test_updates_deletes_and_voids_are_replayed_too(client, emulator):
    id_ = emulator.create("Invoice", INVOICE)["Id"]
    for number, (parameters, body) in enumerate(
        [
            ({}, {"Id": id_, "SyncToken": "0", "sparse": True, "PrivateNote": "x"}),
            ({"operation": "void"}, {"Id": id_, "SyncToken": "1"}),
            ({"operation": "delete"}, {"Id": id_, "SyncToken": "2"}),
        ]
    ):
        asked = parameters | {"requestid": f"r{number}"}
        first = client.post("invoice", params=asked, json=body)
        assert first.status_code == 200, first.text
        # without the id it would be stale, or gone
        assert client.post("invoice", params=asked, json=body).text == first.text
        assert client.post("invoice", params=parameters, json=body).status_code == 400


def test_a_refusal_is_not_remembered(client, emulator):
    taken = {"DisplayName": "Alder Street Books"}
    asked = {"requestid": "r"}
    assert client.post("customer", params=asked, json=taken).status_code == 400
    emulator.update("Customer", {"Id": "1", "DisplayName": "Alder Street Books and Maps"})
    assert client.post("customer", params=asked, json=taken).status_code == 200


def test_a_lost_response_is_returned_again(client, emulator):
    emulator.fault("truncate", path="/invoice")
    before = count(client)
    with pytest.raises(OSError, match=r"."):
        client.post("invoice", params={"requestid": "r"}, json=INVOICE)
    answer = client.post("invoice", params={"requestid": "r"}, json=INVOICE)
    assert (answer.status_code, count(client)) == (200, before + 1)


def test_one_company_s_ids_are_not_another_s(client, emulator):
    asked = {"requestid": "r"}
    client.post("customer", params=asked, json={"DisplayName": "Mira Lund"})
    client.connect(emulator.grant("4620000000000001"))
    client.realm = "4620000000000001"
    assert (
        client.post("customer", params=asked, json={"DisplayName": "Other"}).json()["Customer"]["DisplayName"]
        == "Other"
    )


def test_many_at_once_write_once(client):
    before = count(client)

    def write(_):
        answer = client.post("invoice", params={"requestid": "r"}, json=INVOICE)
        return answer.text

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(write, range(8)))) == 1
    assert count(client) == before + 1


def test_no_longer_than_fifty_characters(client):
    assert client.post("customer", params={"requestid": "x" * 50}, json={"DisplayName": "A"}).status_code == 200
    answer = client.post("customer", params={"requestid": "y" * 51}, json={"DisplayName": "B"})
    error = answer.json()["Fault"]["Error"][0]
    assert error["code"] == "6000"
    assert error["Detail"] == (
        "Business Validation Error: You cannot enter more than 50 characters in the request_id field."
        " You tried entering yyyyyyyyyy..., which is 51 characters."
    )


def test_in_a_batch_each_item_is_replayed_by_its_bid(client, emulator):
    def send(*items):
        body = {"BatchItemRequest": list(items)}
        return client.post("batch", params={"requestid": "b" * 36}, json=body).json()["BatchItemResponse"]

    one = {"bId": "1", "operation": "create", "Invoice": INVOICE}
    bad = {"bId": "2", "operation": "create", "Customer": {"DisplayName": "Alder Street Books"}}
    asked = {"bId": "3", "Query": "select count(*) from Invoice"}
    first = send(one, bad, asked)
    emulator.update("Customer", {"Id": "1", "DisplayName": "Renamed"})
    emulator.create("Invoice", INVOICE)
    again = send(one, bad, asked, one | {"bId": "4"})
    assert again[0] == first[0]
    assert "Fault" in first[1]
    assert "Customer" in again[1]  # it had not been carried out
    assert again[2]["QueryResponse"]["totalCount"] == first[2]["QueryResponse"]["totalCount"] + 1
    assert again[3]["Invoice"]["Id"] != first[0]["Invoice"]["Id"]
    too_long = send(one | {"bId": "x" * 15})[0]["Fault"]["Error"][0]
    assert "which is 51 characters." in too_long["Detail"]


def test_a_reset_forgets(client, emulator):
    body = {"Id": "1", "SyncToken": client.get("customer/1").json()["Customer"]["SyncToken"], "sparse": True}
    first = client.post("customer", params={"requestid": "r"}, json=body)  # changes nothing
    emulator.reset()
    emulator.advance(5)
    client.connect()
    assert client.post("customer", params={"requestid": "r"}, json=body).json()["time"] != first.json()["time"]


def test_no_id_is_assigned_twice(client, emulator):
    first = emulator.create("Invoice", INVOICE)
    emulator.delete("Invoice", first["Id"])
    second = emulator.create("Payment", {"CustomerRef": {"value": "1"}, "TotalAmt": 1})
    assert int(second["Id"]) == int(first["Id"]) + 1
    third = emulator.create("Invoice", INVOICE)
    assert int(third["DocNumber"]) == int(first["DocNumber"]) + 1
    assert client.post("customer", json={}).status_code == 400
    assert client.post("customer", json={"DisplayName": "Mira Lund"}).json()["Customer"]["Id"] == "31"
