"""Saved responses served back unchanged, our own and the recorded ones."""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

import json

import pytest
from emulator import recorded

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.company.loader import load

RECORDINGS = recorded.FOLDER
NANGO = RECORDINGS / "NangoHQ-integration-templates" / "quickbooks"

CUSTOMER = (
    '{ "Id" : "7",\n  "DisplayName":"Odd  \\u00e9 spacing", "Balance":12.5e0, "Active" :true,'
    ' "Later":{"Id":"9"},"SyncToken":"2" }'
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "page.json").write_text(
        '{"QueryResponse": {"Customer": [' + CUSTOMER + '], "startPosition": 1}, "time": "x"}', "utf-8"
    )
    # `Deposit` is an entity's name too, and here an amount.
    (tmp_path / "deep" / "one.json").write_text(
        '{"Invoice":{"Deposit":0,"Id":"3","TxnDate":"2026-01-02"},"time":"x"}', "utf-8-sig"
    )
    (tmp_path / "items.json").write_text('[{"Id":"1","Name":"B"}, {"Id":"2","Name":"A"}]', "utf-8")
    (tmp_path / "Vendor.json").write_text('{"Vendor":[{"Id":"4","DisplayName":"V"},{"Id":"5","status":"Deleted"}]}')
    (tmp_path / "fault.json").write_text('{"Fault":{"Error":[]}}')
    (tmp_path / "notes.txt").write_text("not mine")
    return tmp_path


def test_each_record_keeps_its_own_text(folder, open_client):
    with Emulator(data=folder, limits=False) as emulator:
        client = open_client(emulator).connect()
        counts = {"CompanyInfo": 1, "Customer": 1, "Invoice": 1, "Item": 2, "Vendor": 1}
        assert counts == emulator.state()["companies"][emulator.realm_id]
        body = client.query("select * from Customer where DisplayName = 'odd  É SPACING'").text
        assert '{"QueryResponse":{"Customer":[' + CUSTOMER + '],"startPosition":1,"maxResults":1},' in body
        assert client.get("customer/7").text.startswith('{"Customer":' + CUSTOMER + ',"time":"')
        assert client.ids("select * from Item") == ["2", "1"]
        assert client.get("companyinfo/1").status_code == 200


def test_a_saved_recurring_transaction_stays_in_its_template(tmp_path, open_client):
    saved = [{"Bill": {"Id": "8", "SyncToken": "0", "VendorRef": {"value": "1"}}}, {"Invoice": {"Id": "9"}}]
    (tmp_path / "page.json").write_text(json.dumps({"QueryResponse": {"RecurringTransaction": saved}}))
    with Emulator(data=tmp_path, limits=False) as emulator:
        client = open_client(emulator).connect()
        assert client.rows("select * from Bill") == []
        assert client.rows("select * from RecurringTransaction where Type = 'Bill'") == saved[:1]
        assert client.get("recurringtransaction/9").json()["RecurringTransaction"] == saved[1]


def test_of_a_record_that_occurs_twice_the_later_is_loaded(tmp_path):
    for name, day in (("a", "05"), ("b", "04")):
        record = {"Id": "1", "Name": name, "MetaData": {"LastUpdatedTime": f"2026-01-{day}T00:00:00Z"}}
        (tmp_path / f"{name}.json").write_text(json.dumps({"Item": record}))
    assert [row.name for _, row in load(tmp_path)] == ["a"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bad.json", "{", r"bad\.json: Expecting"),
        ("bad.json", '{"Customer":[{"Id":null,"DisplayName":"x"}]}', r"bad\.json: a record of Customer has no Id"),
        ("bad.json", '{"Customer":{"Id":"1","MetaData":{"CreateTime":"x"}}}', r"bad\.json: Customer 1: Invalid iso"),
        ("empty.json", "{}", "has no saved responses"),
    ],
)
def test_a_folder_that_cannot_be_loaded_says_why(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        Emulator(data=tmp_path).start()


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a folder"):
        Emulator(data=tmp_path / "nowhere").start()
    with pytest.raises(ValueError, match="not both"):
        Emulator(data=tmp_path, invoices=5)


@pytest.mark.parametrize(
    ("file", "method", "entity"), [("invoices", "get", "Invoice"), ("list-customers", "post", "Customer")]
)
def test_recorded_pages_come_back_byte_for_byte(tmp_path, open_client, file, method, entity):
    source = NANGO / f"{file}.test.json"
    if not source.exists():
        pytest.skip(f"SHARED RECORDINGS MISSING: {source}")
    exchange = next(iter(json.loads(source.read_text("utf-8"))["api"][method].values()))
    text = json.dumps(exchange["response"], ensure_ascii=False, separators=(",", ":"))
    (tmp_path / "saved.json").write_text(text, "utf-8")
    with Emulator(data=tmp_path, limits=False) as emulator:
        client = open_client(emulator).connect()
        body = client.query(f"select * from {entity} startposition 1 maxresults 100").text
    assert text[: text.rindex(',"time":')] == body[: body.rindex(',"time":')]


def test_all_recorded_lists_load_and_keep_their_order(open_client):
    if not NANGO.exists():
        pytest.skip(f"SHARED RECORDINGS MISSING: {NANGO}")
    with Emulator(data=NANGO, limits=False) as emulator:
        client = open_client(emulator).connect()
        assert emulator.state()["companies"][emulator.realm_id]["Invoice"] >= 37
        rows = client.rows("select * from Invoice maxresults 1000")
        raw = (NANGO / "invoices.test.json").read_text("utf-8")
        recorded = next(iter(json.loads(raw)["api"]["get"].values()))["response"]["QueryResponse"]["Invoice"]
        unchanged = [row for row in recorded if row in rows]
        assert [row["Id"] for row in unchanged] == [row["Id"] for row in rows if row in unchanged]
        assert len(unchanged) > 30
