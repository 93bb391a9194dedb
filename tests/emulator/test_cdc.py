"""Change data capture: what changed, in which order, how it is counted, and what is refused."""

from datetime import datetime, timedelta

import pytest

LINE = {
    "Amount": 100,
    "DetailType": "SalesItemLineDetail",
    "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "UnitPrice": 25, "Qty": 4},
}


def since(emulator, seconds=0.0):
    moment = datetime.fromisoformat(emulator.state()["now"]) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds")


def cdc(client, entities, moment):
    answer = client.get("cdc", params={"entities": entities, "changedSince": moment})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert list(body) == ["CDCResponse", "time"]
    assert [list(part) for part in body["CDCResponse"]] == [["QueryResponse"]]
    return body["CDCResponse"][0]["QueryResponse"]


def create_invoice(emulator):
    return emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [LINE]})["Id"]


def test_created_changed_and_deleted_records_come_in_order(client, emulator):
    emulator.advance(600)
    moment = since(emulator)
    ids = []
    for _ in range(3):
        ids.append(create_invoice(emulator))
        emulator.advance(2)
    emulator.update("Invoice", {"Id": ids[0], "PrivateNote": "edited last"})
    emulator.advance(2)
    emulator.delete("Invoice", ids[1])
    groups = cdc(client, "Invoice,payment,Customer", moment)
    invoices, payments, customers = groups
    assert list(invoices) == ["Invoice", "startPosition", "maxResults", "totalCount"]
    assert [row["Id"] for row in invoices["Invoice"]] == [ids[2], ids[0], ids[1]]
    assert (invoices["startPosition"], invoices["maxResults"], invoices["totalCount"]) == (1, 2, 2)
    grave = invoices["Invoice"][-1]
    assert list(grave) == ["domain", "status", "Id", "MetaData"]
    assert (grave["domain"], grave["status"], list(grave["MetaData"])) == ("QBO", "Deleted", ["LastUpdatedTime"])
    times = [datetime.fromisoformat(row["MetaData"]["LastUpdatedTime"]) for row in invoices["Invoice"]]
    assert times == sorted(times)
    assert payments == {}
    assert list(customers) == ["Customer", "startPosition", "maxResults"]  # the balance of this one moved
    assert [row["Id"] for row in customers["Customer"]] == ["1"]


def test_records_come_as_they_are_read(client, emulator):
    emulator.advance(60)
    moment = since(emulator)
    id_ = create_invoice(emulator)
    assert cdc(client, "Invoice", moment)[0]["Invoice"] == [client.get(f"invoice/{id_}").json()["Invoice"]]


def test_a_deactivated_record_is_a_change_and_not_a_deletion(client, emulator):
    emulator.advance(60)
    moment = since(emulator)
    emulator.update("Customer", {"Id": "2", "Active": False})
    (group,) = cdc(client, "Customer", moment)
    assert [(row["Id"], row["Active"]) for row in group["Customer"]] == [("2", False)]


def test_only_deletions_count_nothing(client, emulator):
    id_ = create_invoice(emulator)
    emulator.advance(60)
    emulator.delete("Invoice", id_)
    (group,) = cdc(client, "Invoice", since(emulator, 10))
    assert ([row["Id"] for row in group["Invoice"]], group["maxResults"]) == ([id_], 0)


def test_the_same_second_is_included_with_any_offset(client, emulator):
    emulator.freeze()
    emulator.set_now("2027-05-05T10:00:00Z")
    client.connect(emulator.grant())
    id_ = create_invoice(emulator)
    for moment in ("2027-05-05T10:00:00Z", "2027-05-05T15:30:00+05:30", "2027-05-05T03:00:00-07:00", "2027-05-05"):
        (group,) = cdc(client, "Invoice", moment)
        assert id_ in [row["Id"] for row in group["Invoice"]], moment
    assert cdc(client, "Invoice", "2027-05-05T03:00:10") == [{}]  # the company's time
    assert cdc(client, "Invoice", "2027-05-06T00:00:00Z") == [{}]


def test_a_thousand_objects_in_all(client, emulator):
    emulator.advance(600)
    moment = since(emulator)
    for index in range(998):
        emulator.create("Department", {"Name": f"D{index}"})
    kept = [create_invoice(emulator) for _ in range(2)]
    gone = create_invoice(emulator)
    emulator.delete("Invoice", gone)
    departments, invoices, customers = cdc(client, "Department,Invoice,Customer", moment)
    assert departments["maxResults"] == 998
    assert [row["Id"] for row in invoices["Invoice"]] == kept
    assert customers == {}


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ({"changedSince": "2026-01-01T00:00:00Z"}, "entities is required"),
        ({"entites": "estimate", "changedSince": "2026-01-01T00:00:00Z"}, "entities is required"),
        ({"entities": "estimates"}, "Invalid entity supplied : entity=estimates"),
        ({"entities": "Invoice,Nothing"}, "Invalid entity supplied : entity=Nothing"),
        ({"entities": "TaxCode"}, "Invalid entity supplied : entity=TaxCode"),
        ({"entities": "TimeActivity"}, "Invalid entity supplied : entity=TimeActivity"),
        ({"entities": "Invoice"}, "changedSince is required"),
        ({"entities": "Invoice", "changedSince": "lately"}, 'Invalid format: "lately"'),
    ],
)
def test_invalid_arguments_are_a_system_fault_with_status_200(client, parameters, detail):
    answer = client.get("cdc", params=parameters)
    fault = answer.json()["Fault"]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json;charset=UTF-8")
    assert {"qbo-version", "expires"} <= set(answer.headers)
    assert list(answer.json()) == ["Fault", "time"]
    assert fault["type"] == "SystemFault"
    assert fault["Error"] == [
        {
            "Message": "An application error has occurred while processing your request",
            "Detail": f"System Failure Error: java.lang.IllegalArgumentException: {detail}",
            "code": "10000",
            "element": "SystemFailureError",
        }
    ]


def test_the_look_back_is_thirty_days(client, emulator):
    day = 86_400
    assert cdc(client, "Invoice", since(emulator, 30 * day - 60))
    moment = since(emulator, 30 * day + 60)
    answer = client.get("cdc", params={"entities": "Invoice", "changedSince": moment})
    error = answer.json()["Fault"]["Error"][0]
    assert (answer.status_code, error["code"], error["Message"]) == (400, "500", "Unsupported Operation")
    wording = f"Operation cdc with changedSince date {moment} which is older than fixed days is not supported."
    assert error["Detail"] == wording


def test_xml(client, emulator):
    emulator.advance(60)
    moment = since(emulator)
    emulator.delete("Invoice", create_invoice(emulator))
    answer = client.get("cdc", params={"entities": "Invoice", "changedSince": moment}, headers={"Accept": "*/*"})
    assert answer.headers["content-type"] == "application/xml;charset=UTF-8"
    assert '<CDCResponse><QueryResponse startPosition="1" maxResults="0" totalCount="0">' in answer.text
    assert '<Invoice domain="QBO" status="Deleted"><Id>' in answer.text


def test_a_post_is_refused(client):
    assert client.post("cdc", params={"entities": "Invoice"}).json()["Fault"]["Error"][0]["code"] == "500"
