"""Scenario files, companies of one test, and resets."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.pytest_plugin import (  # noqa: F401 -- pytest finds fixtures by name
    quickbooks_company,
    quickbooks_emulator,
    quickbooks_emulator_session,
)
from vantage_quickbooks.emulator.scenario import _STEPS, MAX_BYTES, Scenario

DOCS = Path(__file__).resolve().parents[2] / "docs" / "emulator.md"
LINE = {"DetailType": "SalesItemLineDetail", "Amount": 100, "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
FILE = """\
as_of: 2027-02-01
company: {seed: 7, customers: 40, invoices: 90}
limits: {per_minute: 300}
steps:
  - create: Customer
    record: {DisplayName: Mira Lund}
    name: mira
  - create: Invoice
    name: first
    record:
      CustomerRef: {value: "${mira.Id}"}
      TxnDate: 2027-01-15
      Line: [{DetailType: SalesItemLineDetail, Amount: 100, SalesItemLineDetail: {ItemRef: {value: "1"}}}]
  - fault: throttle
    path: /query
    times: 1
  - after_requests: 3
  - update: Invoice
    record: {Id: "${first.Id}", PrivateNote: edited while you read}
  - advance: 3600
  - after_requests: 1
  - void: Invoice
    id: "${first.Id}"
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "edits.yaml"
    path.write_text(FILE, "utf-8")
    return path


def test_a_scenario_file_is_played(client, emulator, scenario):
    emulator.play(scenario)
    client.connect(emulator.grant())
    assert emulator.state()["now"].startswith("2027-02-01T12:00")
    assert (emulator.state()["limits"]["per_minute"], emulator.company().counts()["Customer"]) == (300, 41)
    statement = "SELECT * FROM Invoice ORDERBY MetaData.CreateTime DESC MAXRESULTS 1"
    assert client.query(statement).status_code == 429
    (first,) = client.rows(statement)
    assert (first["CustomerRef"]["name"], first["TxnDate"], first["TotalAmt"]) == ("Mira Lund", "2027-01-15", 100)
    assert emulator.state()["scenario"] == {"steps": 11, "done": 7, "awaited_requests": 1}
    assert "PrivateNote" not in emulator.read("Invoice", first["Id"])
    client.get("customer/1")
    assert emulator.read("Invoice", first["Id"])["PrivateNote"] == "edited while you read"
    assert emulator.state()["now"].startswith("2027-02-01T13:00")
    assert client.get(f"invoice/{first['Id']}").status_code == 401  # the access token has expired; it counts, too
    assert emulator.read("Invoice", first["Id"])["TotalAmt"] == 0
    assert emulator.state()["scenario"] == {"steps": 11, "done": 11, "awaited_requests": 0}
    emulator.reset()
    assert (emulator.state()["scenario"], emulator.company().counts()["Customer"]) == (None, 30)


def test_an_emulator_plays_its_scenario_again_after_a_reset(scenario):
    with Emulator(scenario=scenario) as emulator:
        for _ in range(2):
            assert emulator.company().counts()["Customer"] == 41
            assert emulator.state()["profile"]["as_of"] == "2027-02-01"
            emulator.reset()


def test_a_reset_restores_a_company_that_was_only_replaced(emulator):
    emulator.play({"company": {"customers": 40}})
    assert emulator.company().counts()["Customer"] == 40
    emulator.reset()
    assert emulator.company().counts()["Customer"] == 30


def test_a_scenario_is_accepted_over_http(client, emulator):
    steps = [{"create": "Vendor", "record": {"DisplayName": "Sage"}}, {"latency": 0.0}, {"expire_tokens": True}]
    answer = client.control("POST", "scenario", json={"limits": "strict", "steps": steps})
    assert answer.json() == {"scenario": {"steps": 4, "done": 4, "awaited_requests": 0}}
    assert emulator.limits.numbers["per_second"] == 10
    assert client.get("customer/1").status_code == 401


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"stepz": []}, "unknown 'stepz'"),
        ({"steps": {}}, "steps is of the wrong type"),
        ({"as_of": 5}, "as_of is of the wrong type"),
        ({"limits": 5}, "limits is of the wrong type"),
        ({"company": {"realm": 1}}, "unknown company.realm"),
        ({"company": {"seed": True}}, "company.seed is a number"),
        ({"steps": [5]}, "step 1 is not a mapping"),
        ({"steps": [{"advance": 1}, {}]}, "step 2: the first key"),
        ({"steps": [{"id": "1", "delete": "Invoice"}]}, "step 1: the first key"),
        ({"steps": [{"delete": "Invoice"}]}, "step 1: id is missing"),
        ({"steps": [{"advance": "1 h"}]}, "step 1: advance is of the wrong type"),
        ({"steps": [{"after_requests": 0}]}, "step 1: after_requests is a number from 1"),
        ({"steps": [{"advance": 1, "times": 2}]}, "step 1: unknown 'times'"),
        ({"steps": [{"advance": 1}] * 10_001}, "more than 10,000 steps"),
        ({"steps": [{"fault": "thunder"}]}, "step fault 'thunder': unknown kind"),
        ({"steps": [{"fault": "throttle", "kind": "reset"}]}, "step fault 'throttle'"),
        ({"steps": [{"create": "Planet", "record": {}}]}, "step create 'Planet': unknown entity"),
        ({"steps": [{"create": "Customer", "record": {}}]}, "step create 'Customer'"),
        ({"steps": [{"update": "Customer", "record": {"Id": "${mira.Id}"}}]}, r"\$\{mira.Id\} is not known"),
        ({"steps": [{"limits": "lenient"}]}, "step limits 'lenient'"),
        ({"company": {"customers": -1}}, "customers cannot be less than 0"),
        ({"company": {"invoices": 10**9}}, "invoices cannot be more than 20,000"),
    ],
)
def test_a_mistake_is_named(client, emulator, data, message):
    with pytest.raises(ValueError, match=message):
        emulator.play(data)
    answer = client.control("POST", "scenario", json=data)
    assert answer.status_code == 400
    assert re.search(message, answer.json()["error"])


def test_a_mistake_in_a_later_step_changes_nothing(emulator):
    with pytest.raises(ValueError, match="step 2"):
        emulator.play({"steps": [{"create": "Vendor", "record": {"DisplayName": "Sage"}}, {"jump": 1}]})
    assert not emulator.company().store.ids_by_name(emulator.realm_id, "Vendor", "Sage")


def test_a_step_that_fails_after_requests_ends_the_play(client, emulator):
    emulator.play({"steps": [{"after_requests": 1}, {"void": "Invoice", "id": 98765}, {"advance": 60}]})
    assert client.get("customer/1").status_code == 200
    state = emulator.state()["scenario"]
    assert (state["done"], "98765" in state["error"] or "Invoice" in state["error"]) == (3, True)
    assert emulator.state()["clock_offset_s"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "steps: [",
        "a: &a [1]\nb: *a",
        "\x00",
        "? [1]\n: 2",
        "steps: [!!python/object:os.system {}]",
        "[" * 5000,
    ],
)
def test_a_file_that_is_not_a_scenario_is_refused(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"x\.yaml|scenario"):
        Scenario.load(path)


def test_a_missing_and_an_enormous_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere"):
        Scenario.load(tmp_path / "nowhere.yaml")
    with pytest.raises(ValueError, match="nowhere"):
        Emulator(scenario=tmp_path / "nowhere.yaml")
    (tmp_path / "large.yaml").write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match="larger than"):
        Scenario.load(tmp_path / "large.yaml")


def test_the_documentation_lists_every_step():
    text = re.search(r"<!-- steps -->\n(.*?)<!-- /steps -->", DOCS.read_text("utf-8"), re.DOTALL)[1]
    assert re.findall(r"^\| `(\w+)`", text, re.MULTILINE) == list(_STEPS)


# ---- companies -------------------------------------------------------------------------------------------------------


def test_a_company_of_its_own_has_the_first_one_s_data(emulator, open_client):
    company, other = emulator.add_company(), emulator.add_company()
    client = open_client(emulator)
    client.realm = company.realm_id
    client.connect(company.refresh_token)
    customer = company.create("Customer", {"DisplayName": "Mira Lund"})
    assert client.get(f"customer/{customer['Id']}").status_code == 200
    assert company.read("Customer", "1") == other.read("Customer", "1") == emulator.read("Customer", "1")
    counts = [emulator.company(realm).counts()["Customer"] for realm in (company.realm_id, other.realm_id, None)]
    assert counts == [31, 30, 30]
    company.fault("throttle", path="/customer")
    assert emulator.faults()[0]["realm_id"] == company.realm_id
    assert open_client(emulator).connect().get("customer/1").status_code == 200
    assert [client.get("customer/1").status_code for _ in range(2)] == [429, 200]
    assert [request["status"] for request in company.requests()] == [200, 429, 200]
    client.realm = other.realm_id
    assert client.get("customer/1").status_code == 403  # a token is for one company
    company.remove()
    client.realm = company.realm_id
    assert client.get("customer/1").status_code == 401
    assert client.refresh(company.refresh_token).status_code == 400
    assert company.realm_id not in emulator.state()["companies"]
    with pytest.raises(ValueError, match="first company"):
        emulator.remove_company(emulator.realm_id)


def test_companies_over_http(client, emulator):
    made = client.control("POST", "companies").json()
    assert made["realm_id"] in emulator.state()["companies"]
    assert client.refresh(made["refresh_token"]).status_code == 200
    assert client.control("DELETE", "companies", json={"realm_id": made["realm_id"]}).status_code == 200
    assert client.control("DELETE", "companies", json={"realm_id": emulator.realm_id}).status_code == 400
    assert client.control("DELETE", "companies", json={}).status_code == 400
    assert list(emulator.state()["companies"]) == [emulator.realm_id]


def test_many_threads_work_in_companies_apart(emulator, open_client):
    failures = []

    def work(number):
        company = emulator.add_company()
        client = open_client(emulator)
        client.realm = company.realm_id
        client.connect(company.refresh_token)
        names = [f"Customer {step}" for step in range(3)]
        if {client.post("customer", json={"DisplayName": name}).status_code for name in names} != {200}:
            failures.append(number)
        if client.query("SELECT COUNT(*) FROM Customer").json()["QueryResponse"]["totalCount"] != 31:
            failures.append(number)
        company.remove()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert list(emulator.state()["companies"]) == [emulator.realm_id]


def test_a_company_of_saved_answers_is_copied_too(tmp_path, open_client):
    (tmp_path / "Customer.json").write_text(json.dumps([{"Id": "5", "DisplayName": "Mira"}]), "utf-8")
    with Emulator(data=tmp_path, limits=False) as emulator:
        company = emulator.add_company()
        client = open_client(emulator)
        client.realm = company.realm_id
        assert client.connect(company.refresh_token).ids("SELECT * FROM Customer") == ["5"]
        assert client.get(f"companyinfo/{company.realm_id}").status_code == 200


def test_the_fixture_gives_each_test_its_own_company(quickbooks_company):  # noqa: F811 -- pytest's way
    assert quickbooks_company.settings()["realm_id"] == quickbooks_company.realm_id
    created = quickbooks_company.create("Customer", {"DisplayName": "Mira Lund"})
    assert quickbooks_company.update("Customer", {"Id": created["Id"], "Notes": "x"})["Notes"] == "x"
    invoice = quickbooks_company.create("Invoice", {"CustomerRef": {"value": created["Id"]}, "Line": [LINE]})
    assert quickbooks_company.void("Invoice", invoice["Id"])["PrivateNote"] == "Voided"
    assert quickbooks_company.delete("Invoice", invoice["Id"])["status"] == "Deleted"


def test_the_marker_plays_a_scenario(tmp_path):
    (tmp_path / "late.yaml").write_text("steps: [{create: Vendor, record: {DisplayName: Sage}}]", "utf-8")
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['vantage_quickbooks.emulator.pytest_plugin']\n", "utf-8")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.quickbooks_scenario('late.yaml')\n"
        "def test_played(quickbooks_emulator):\n"
        "    company = quickbooks_emulator.company()\n"
        "    assert company.store.ids_by_name(company.realm, 'Vendor', 'Sage')\n"
        "def test_not_played(quickbooks_emulator, quickbooks_company):\n"
        "    company = quickbooks_emulator.company()\n"
        "    assert not company.store.ids_by_name(company.realm, 'Vendor', 'Sage')\n"
        "    assert quickbooks_company.realm_id != quickbooks_emulator.realm_id\n",
        "utf-8",
    )
    run = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        tmp_path,
        tmp_path,
    ]
    result = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert "2 passed" in result.stdout, result.stdout
