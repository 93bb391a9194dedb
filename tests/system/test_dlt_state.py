"""What the dlt source keeps between loads: nothing is lost, nothing is deleted that exists, whatever happens."""

from __future__ import annotations

import os
import random

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from warehouses import Copy, DuckDB, books

from vantage_quickbooks.adapters.dlt import LoadReport, quickbooks_source
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import ConnectorError, InputError
from vantage_quickbooks.registry import FolderRegistry

LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
CUSTOMER = {"CustomerRef": {"value": "1"}}
OTHER = "9000000000000002"
ENTITIES = ("Customer", "Invoice", "TimeActivity")
KEYS = {"Customer": "customers", "Invoice": "invoices", "TimeActivity": "time_activities", "Payment": "payments"}


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, invoices=2100, customers=5) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def company(fresh_quickbooks):
    return fresh_quickbooks


@pytest.fixture
def other(company):
    """Settings of a second company of the same emulator, with the same Ids."""
    return company.settings() | {"realm_id": OTHER, "refresh_token": company.grant(OTHER)}


@pytest.fixture
def copy(tmp_path):
    return Copy(DuckDB(tmp_path), tmp_path, entities=("Invoice",))


def equals_books(copy, emulator, *entities, realm=None):
    for entity in entities:
        found = copy.records(KEYS[entity], "id, sync_token", realm)
        assert found == books(emulator, entity, "Id", "SyncToken", realm=realm), entity


def rows(report, number=0):
    return {name: (found["rows"], found["deleted"]) for name, found in report.companies[number].tables.items()}


# ---- snapshots -------------------------------------------------------------------------------------------------------


def test_a_snapshot_over_several_packages_deletes_at_its_end_and_in_its_company_only(company, other, copy):
    """Until then, the rows that were there before are there."""
    both = [company.settings(), other]
    copy.load(both)
    for (id_,) in books(company, "Invoice", "Id")[:2]:
        company.delete("Invoice", id_)
    before = copy.records("invoices", "id")
    report = copy.load(company.settings(), restart=True, max_records=1, packages=1)
    assert report.has_more
    assert copy.records("invoices", "id") == before

    report = copy.load(company.settings(), restart=True, max_records=1)
    assert rows(report)["invoices"] == (2098, 2)
    assert copy.loads == 1 + 1 + 4  # three pages, and the end of it
    equals_books(copy, company, "Invoice", realm=company.realm_id)
    equals_books(copy, company, "Invoice", realm=OTHER)
    assert rows(copy.load(both), 1) == {}
    equals_books(copy, company, "Invoice", realm=company.realm_id)


def test_a_snapshot_that_a_limit_of_calls_spreads_over_loads_is_continued(company, copy):
    """A new source, and no state on this machine."""
    company.delete("Invoice", "101")
    loads = [copy.load(company.settings(), max_api_calls=3) for _ in range(3)]
    assert [report.companies[0].pending for report in loads] == [["Invoice"], [], []]
    assert [report.failed for report in loads] == [[], [], []]
    equals_books(copy, company, "Invoice")
    assert len(copy.records("invoices", "id")) == 2099


def test_a_snapshot_that_fails_keeps_what_was_there(company, copy):
    """The next load begins it again."""
    copy.load(company.settings())
    company.delete("Invoice", "101")
    company.fault("fault", path="/query", code="4001", after=2)
    report = copy.load(company.settings(), restart=True)
    assert [error["code"] for error in report.companies[0].errors] == ["REQUEST_REJECTED"]
    assert len(copy.records("invoices", "id")) == 2100
    company.clear_faults()
    copy.load(company.settings())
    equals_books(copy, company, "Invoice")


# ---- tables that are dropped, chosen, or new -------------------------------------------------------------------------


def test_a_dropped_table_is_read_again_and_the_others_are_not(company, tmp_path):
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Customer", "Term"))
    copy.load(company.settings())
    report = copy.load(company.settings(), select=["customers"], refresh="drop_resources")
    assert rows(report) == {"customers": (5, 0)}
    equals_books(copy, company, "Customer")
    assert len(copy.records("terms", "id")) == 8
    assert rows(copy.load(company.settings())) == {}


def test_a_table_that_was_not_chosen_for_a_while_misses_nothing(company, tmp_path):
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Customer", "Payment"), lines=True)
    copy.load(company.settings())
    company.create("Payment", {**CUSTOMER, "TotalAmt": 5})
    company.update("Customer", {"Id": "2", "Notes": "x"})
    assert set(rows(copy.load(company.settings(), select=["customers"]))) == {"customers"}
    copy.load(company.settings(), select=["payment_lines"])
    company.create("Payment", {**CUSTOMER, "TotalAmt": 6})
    copy.load(company.settings())
    equals_books(copy, company, "Customer", "Payment")


def test_lines_that_are_wanted_later_are_complete(company, tmp_path):
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Payment",))
    copy.load(company.settings())
    report = copy.load(company.settings(), lines=True)
    wanted = sum(len(lines or ()) for _, lines in books(company, "Payment", "Id", "Line"))
    assert rows(report)["payment_lines"] == (wanted, 0)
    assert len(copy.records("payment_lines", "payment_id, position")) == wanted > 0


# ---- what is refused and what fails ----------------------------------------------------------------------------------


def test_the_state_of_another_company_is_refused(company, other, tmp_path):
    """Nothing is loaded into its rows."""
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Term",))
    copy.load(company.settings())
    pipeline = copy.pipeline()
    pipeline.sync_destination()
    with pipeline.managed_state(extract_state=True) as state:
        companies = state["sources"]["quickbooks"]["companies"]
        companies[OTHER] = companies[company.realm_id]
    pipeline.normalize()
    pipeline.load()
    with pytest.raises(PipelineStepFailed) as failed:
        pipeline.run(quickbooks_source(other, entities=("Term",)))
    assert "belongs to company" in str(failed.value)
    report = LoadReport()
    pipeline.run(quickbooks_source([other, company.settings()], entities=("Term",), report=report))
    assert [row.error and row.error["code"] for row in report.companies] == ["INPUT_INVALID", None]
    assert copy.records("terms", "id", OTHER) == []


def test_all_companies_that_fail_fail_the_run(company, copy):
    """A pipeline that loads nothing is not a success."""
    company.revoke_grants()
    report = LoadReport()
    with pytest.raises(PipelineStepFailed) as failed:
        copy.pipeline().run(quickbooks_source(company.settings(), report=report))
    causes = [failed.value.__cause__, failed.value.__cause__.__cause__]
    assert any(isinstance(cause, ConnectorError) for cause in causes)
    assert report.failed[0].error["code"] == "REAUTHORIZATION_REQUIRED"


def test_an_entity_that_fails_is_in_the_report_and_the_others_are_loaded(company, tmp_path):
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Term", "Department"))
    company.fault("fault", path="/query", code="4001", after=2)
    report = copy.load(company.settings())
    assert len(report.companies[0].errors) == 1
    company.clear_faults()
    assert copy.load(company.settings()).failed == []
    assert (len(copy.records("terms", "id")), len(copy.records("departments", "id"))) == (8, 4)


def test_a_registry_names_the_companies_and_a_damaged_one_fails_alone(company, other, tmp_path):
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Term",))
    registry = FolderRegistry(str(tmp_path / "registry"))
    registry.add("acme", company.settings())
    registry.add("birch", other)
    registry.add("acme2", company.settings())
    (tmp_path / "registry" / "cedar.json").write_text("{")
    report = copy.load(None, registry=registry)
    assert [(row.connection, row.error and row.error["code"]) for row in report.companies] == [
        ("acme", None),
        ("acme2", "INPUT_INVALID"),  # the same company
        ("birch", None),
        ("cedar", "CONNECTION_DAMAGED"),
    ]
    assert len(copy.records("terms", "id")) == 16
    report = copy.load(["birch", "nobody"], registry=registry)
    assert report.companies[1].error["code"] == "CONNECTION_NOT_FOUND"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"entities": ["Invoices"]}, "Did you mean Invoice"),
        ({"entities": []}, "No entity is named"),
        ({"deletions": "all"}, "Use hard or soft"),
        ({"connections": None}, "There are no connections"),
    ],
)
def test_wrong_arguments_are_refused_at_once(company, arguments, message):
    with pytest.raises(InputError, match=message):
        quickbooks_source(**({"connections": company.settings()} | arguments))


def test_a_package_that_waits_is_loaded_before_the_next_is_extracted(company, copy):
    """Otherwise, what it deletes could not be found."""
    pipeline = copy.pipeline()
    pipeline.extract(quickbooks_source(company.settings(), entities=("Term",)))
    with pytest.raises(PipelineStepFailed, match="not loaded yet"):
        pipeline.extract(quickbooks_source(company.settings(), entities=("Term",)))
    pipeline.normalize()
    pipeline.load()
    pipeline.extract(quickbooks_source(company.settings(), entities=("Term",)))


def test_no_secret_is_in_the_files_of_a_package(company, copy, tmp_path):
    form = company.settings()
    copy.load(form)
    text = b"".join(path.read_bytes() for path in (tmp_path / "pipeline-1").rglob("*") if path.is_file())
    assert text
    for name in ("client_secret", "refresh_token"):
        assert form[name].encode() not in text


# ---- any history -----------------------------------------------------------------------------------------------------


@pytest.mark.emulator(invoices=5)
@pytest.mark.parametrize("seed", range(int(os.environ.get("HISTORIES", "2"))))
def test_tables_equal_the_books_after_any_history(emulator, tmp_path, monkeypatch, seed):
    """Edits, deletions, limits, restarts, packages that are lost, and loads of one company only."""
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(tmp_path / "tokens.sqlite3"))
    chance = random.Random(seed)
    forms = {
        realm: emulator.settings() | {"realm_id": realm, "refresh_token": emulator.grant(realm)}
        for realm in (emulator.realm_id, OTHER)
    }
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=ENTITIES)
    for _ in range(int(os.environ.get("ROUNDS", "4"))):
        for _ in range(chance.randrange(4)):
            _edit(emulator, chance, chance.choice(list(forms)))
        how = chance.choice(["load", "load", "restart", "limit", "lost", "one", "package"])
        match how:
            case "load":
                copy.load(forms.values())
            case "restart":
                copy.load(forms.values(), restart=True, max_records=chance.choice([1, None]))
            case "limit":
                copy.load(forms.values(), max_api_calls=chance.randrange(4, 12))
            case "lost":
                copy.pipeline().extract(quickbooks_source(list(forms.values()), entities=ENTITIES))
            case "one":
                copy.load(chance.choice(list(forms.values())))
            case "package":
                copy.load(forms.values(), max_records=1, packages=chance.randrange(1, 3))
    copy.load(forms.values())
    for realm in forms:
        equals_books(copy, emulator, *ENTITIES, realm=realm)


def _edit(emulator, chance, realm):
    entity = chance.choice(["Invoice", "TimeActivity"])
    made = {
        "Invoice": {**CUSTOMER, "Line": [LINE]},
        "TimeActivity": {"NameOf": "Employee", "EmployeeRef": {"value": "1"}, "Hours": 1, "Minutes": 0},
    }
    known = [id_ for (id_,) in books(emulator, entity, "Id", realm=realm)]
    match chance.choice(["create", "delete", "update"]):
        case "create":
            emulator.create(entity, made[entity], realm)
        case "delete" if known:
            emulator.delete(entity, chance.choice(known), realm)
        case _:
            emulator.update("Customer", {"Id": "2", "Notes": str(chance.random())}, realm)
