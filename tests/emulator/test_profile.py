"""What QuickBooks changes on a date, and how a client rehearses it."""

import re
from datetime import date
from pathlib import Path

import pytest

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.profile import CHANGES, Profile

DOCS = Path(__file__).resolve().parents[2] / "docs" / "emulator.md"
STATEMENTS = [f"SELECT * FROM {entity}" for entity in ("Invoice", "Item", "TaxRate", "Vendor")]  # noqa: S608


def test_the_table_of_the_documentation_is_that_of_the_code():
    listed = re.search(r"<!-- dates -->\n(.*?)<!-- /dates -->", DOCS.read_text("utf-8"), re.DOTALL)[1]
    rows = [f"| {c.since} | {c.after} | {c.before} | <{c.source}> |" for c in CHANGES]
    assert listed.splitlines()[2:] == rows
    assert [c.since for c in CHANGES] == sorted(c.since for c in CHANGES)


def test_a_change_is_in_force_from_its_day_on():
    for change in CHANGES:
        assert Profile(change.since).includes(change.name)
        assert not Profile(date.fromordinal(change.since.toordinal() - 1)).includes(change.name)
    with pytest.raises(KeyError):
        Profile().includes("unknown")


def test_id_is_sortable_until_november_2025(client, emulator):
    statement = "SELECT * FROM Customer ORDERBY Id DESC MAXRESULTS 3"
    assert client.query(statement).status_code == 400
    emulator.as_of("2025-06-01")
    ids = [int(id_) for id_ in client.connect().ids(statement)]
    assert ids == sorted(ids, reverse=True)
    assert ids[0] > 9  # by number, not as text
    emulator.as_of("2025-12-01")
    assert "not sortable" in client.connect().query(statement).text


def test_minor_versions_count_until_august_2025(client, emulator):
    def zone(**parameters):
        found = client.get(f"companyinfo/{client.realm}", params=parameters).json()["CompanyInfo"]
        assert found["CompanyName"]
        listed = client.get("query", params={"query": "select * from CompanyInfo"} | parameters)
        assert ("DefaultTimeZone" in listed.json()["QueryResponse"]["CompanyInfo"][0]) is ("DefaultTimeZone" in found)
        return "DefaultTimeZone" in found

    assert zone(minorversion="65")
    emulator.as_of("2025-07-31")
    client.connect()
    assert not zone(minorversion="65")
    assert not zone()
    assert not zone(minorversion="x")
    assert zone(minorversion="75")
    emulator.as_of("2025-08-01")
    client.connect()
    assert zone(minorversion="65")


def test_countries_are_iso_3_codes_since_autumn_2025(client, emulator):
    address = {"Line1": "1 Main Street", "City": "Alameda", "Country": "US", "Lat": "37.7", "Long": "-122.2"}
    emulator.update("CompanyInfo", {"Id": "1", "CompanyAddr": address})

    def shown():
        return client.connect().get(f"companyinfo/{client.realm}").json()["CompanyInfo"]["CompanyAddr"]

    assert shown() == address  # without a chosen date, records are served as they are stored
    emulator.as_of("2025-09-01")
    assert shown() == address
    emulator.as_of("2026-01-01")
    assert shown() == {"Line1": "1 Main Street", "City": "Alameda", "Country": "USA"}


@pytest.mark.parametrize("when", ["2025-01-01", "2027-02-01"])
def test_all_other_answers_stay_byte_for_byte(client, emulator, when):
    texts = [client.query(statement).content for statement in STATEMENTS]
    assert all(b'"Id"' in text for text in texts)
    emulator.profile = Profile(date.fromisoformat(when))
    again = [client.query(statement).content for statement in STATEMENTS]
    assert [text.rpartition(b',"time"')[0] for text in again] == [text.rpartition(b',"time"')[0] for text in texts]


@pytest.mark.parametrize(
    ("scopes", "authorized_at", "end"),
    [
        (["com.intuit.quickbooks.accounting"], "2021-05-01", "2028-09-30"),  # counted from October 2023
        (["com.intuit.quickbooks.accounting"], "2024-03-01", "2029-02-27"),
        (["com.intuit.quickbooks.payroll"], "2021-05-01", "2027-01-31"),  # restricted: from February 2022
    ],
)
def test_refresh_tokens_end_for_good_after_five_years(client, emulator, scopes, authorized_at, end):
    emulator.as_of(end)
    body = {"scopes": scopes, "authorized_at": authorized_at}
    token = client.control("POST", "grants", json=body).json()["refresh_token"]
    answer = client.refresh(token, headers={"x-include-refresh-token-hard-expires-in": "true"})
    assert answer.status_code == 200
    assert 0 < answer.json()["x_refresh_token_hard_expires_in"] <= 86_400
    emulator.advance(86_400)
    ended = client.refresh(answer.json()["refresh_token"])
    assert (ended.status_code, ended.json()["error"]) == (400, "invalid_grant")


def test_a_reset_returns_to_the_date_of_the_start(open_client):
    with Emulator(as_of="2025-06-01", limits=False) as emulator:
        client = open_client(emulator).connect()
        assert client.query("SELECT * FROM Invoice ORDERBY Id").status_code == 200
        assert emulator.state()["now"].startswith("2025-06-01T12:00")
        assert emulator.company().find("Invoice", client.ids("SELECT * FROM Invoice")[0])["TxnDate"] <= "2025-06-01"
        moved = client.control("POST", "clock", json={"as_of": "2027-02-01T08:00:00Z"})
        assert moved.json()["now"].startswith("2027-02-01T08:00")
        client.connect(emulator.grant())  # the first grant has ended meanwhile: 101 days without a refresh
        assert client.query("SELECT * FROM Invoice ORDERBY Id").status_code == 400
        assert emulator.state()["profile"]["as_of"] == "2027-02-01"
        emulator.reset()
        assert client.connect().query("SELECT * FROM Invoice ORDERBY Id").status_code == 200
        assert emulator.state()["now"].startswith("2025-06-01T12:0")


@pytest.mark.parametrize("when", ["tomorrow", "9999-01-01", "", "2027-13-01"])
def test_an_invalid_date_is_refused(client, when):
    with pytest.raises(ValueError, match=r"."):
        Emulator(as_of=when)
    assert client.control("POST", "clock", json={"as_of": when}).status_code == 400
    for body in ({"authorized_at": when or "x"}, {"authorized_at": 5}, {"scopes": "x"}, {"scopes": [1]}):
        if when != "9999-01-01":
            assert client.control("POST", "grants", json=body).status_code == 400
