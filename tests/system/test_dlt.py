"""The dlt source: tables in DuckDB, PostgreSQL and Parquet files that equal the books."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from warehouses import Copy, DuckDB, Parquet, PostgreSQL, books

from vantage_quickbooks.emulator import Emulator

LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
CUSTOMER = {"CustomerRef": {"value": "1"}}
ENTITIES = ("Customer", "Invoice", "TimeActivity")
OTHER = "9000000000000002"
DATABASES = pytest.mark.parametrize("warehouse", ["duckdb", "postgresql"], indirect=True)


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, invoices=40, customers=5) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def company(fresh_quickbooks):
    return fresh_quickbooks


@pytest.fixture
def other(company):
    """Settings of a second company of the same emulator."""
    return company.settings() | {"realm_id": OTHER, "refresh_token": company.grant(OTHER)}


@pytest.fixture(params=["duckdb", "postgresql", "parquet"])
def warehouse(request, tmp_path):
    if request.param == "postgresql":
        return PostgreSQL(request.getfixturevalue("fresh_postgresql_url"))
    return {"duckdb": DuckDB, "parquet": Parquet}[request.param](tmp_path)


@pytest.fixture
def copy(tmp_path):
    """Return a copy in DuckDB."""
    return Copy(DuckDB(tmp_path), tmp_path, entities=ENTITIES)


def equals_books(copy, emulator, realm=None):
    invoices = "id, sync_token, total_amt, balance"
    assert copy.records("invoices", invoices, realm) == books(
        emulator, "Invoice", "Id", "SyncToken", "TotalAmt", "Balance", realm=realm
    )
    assert copy.records("customers", "id, sync_token, balance", realm) == books(
        emulator, "Customer", "Id", "SyncToken", "Balance", realm=realm
    )
    assert copy.records("time_activities", "id, sync_token", realm) == books(
        emulator, "TimeActivity", "Id", "SyncToken", realm=realm
    )


def tables(report):
    """Return rows and deletions of the first company."""
    return {name: (found["rows"], found["deleted"]) for name, found in report.companies[0].tables.items()}


# ---- every destination -----------------------------------------------------------------------------------------------


def test_tables_equal_the_books_after_edits_and_deletions(company, warehouse, tmp_path):
    """The second sync costs one call for what CDC covers and one for TimeActivity; a third one changes nothing."""
    copy = Copy(warehouse, tmp_path, entities=ENTITIES)
    report = copy.load(company.settings())
    assert report.failed == []
    assert tables(report) == {"customers": (5, 0), "invoices": (40, 0), "time_activities": (8, 0)}
    equals_books(copy, company)

    customers = books(company, "Customer", "Id", "MetaData")
    company.delete("Invoice", "101")
    company.delete("TimeActivity", books(company, "TimeActivity", "Id")[0][0])
    company.update("Customer", {"Id": "2", "Notes": "edited \N{SNOWMAN}"})
    made = company.create("Invoice", {**CUSTOMER, "Line": [LINE, LINE]})
    # The edited one, and those whose balances the invoices change.
    changed = sum(record not in customers for record in books(company, "Customer", "Id", "MetaData"))
    assert changed > 1
    report = copy.load(company.settings())
    assert tables(report) == {"customers": (changed, 0), "invoices": (1, 1), "time_activities": (0, 1)}
    assert report.companies[0].api_calls == 3  # the count of TimeActivity, of which a record is missing
    equals_books(copy, company)
    assert (made["Id"], Decimal(20)) in copy.records("invoices", "id, balance")

    before = copy.records("invoices", "*"), copy.records("time_activities", "*")
    report = copy.load(company.settings())
    assert (tables(report), report.companies[0].api_calls) == ({}, 2)
    assert (copy.records("invoices", "*"), copy.records("time_activities", "*")) == before


def test_lines_are_replaced_with_their_record(company, warehouse, tmp_path):
    """Also where the record has fewer lines than before, none, or was deleted."""
    copy = Copy(warehouse, tmp_path, entities=("Invoice", "Payment"), lines=True)

    def lines(entity):
        parent = f"{entity.lower()}_id"
        sql = f"SELECT {parent}, position, amount FROM {{table}}"  # noqa: S608 -- our words
        found = warehouse.query(sql, f"{entity.lower()}_lines", parent)
        wanted = [
            (id_, number, Decimal(str(line["Amount"])))
            for id_, every in books(company, entity, "Id", "Line")
            for number, line in enumerate(every or (), 1)
        ]
        assert sorted(found) == sorted(wanted)
        return len(wanted)

    made = company.create("Invoice", {**CUSTOMER, "Line": [LINE, LINE, LINE]})
    paid = {"Amount": 30, "LinkedTxn": [{"TxnId": made["Id"], "TxnType": "Invoice"}]}
    company.create("Payment", {**CUSTOMER, "TotalAmt": 30, "Line": [paid]})
    copy.load(company.settings())
    before = lines("Invoice"), lines("Payment")
    company.update("Invoice", {"Id": made["Id"], "Line": [LINE]})
    company.delete("Invoice", "101")  # its payment has no lines any more
    company.create("Invoice", {**CUSTOMER, "Line": [LINE, LINE]})
    copy.load(company.settings())
    assert lines("Invoice") < before[0]
    assert lines("Payment") < before[1]
    copy.load(company.settings(), restart=True)
    lines("Invoice")
    lines("Payment")


def test_soft_deletions_keep_the_row_with_its_time(company, warehouse, tmp_path):
    """Rows and lines of deleted records stay, marked, in databases; in files they are no current rows."""
    copy = Copy(warehouse, tmp_path, entities=("Invoice", "TimeActivity"), deletions="soft", lines=True)
    copy.load(company.settings())
    gone = books(company, "TimeActivity", "Id")[0][0]
    (deleted,) = [row for row in books(company, "Invoice", "Id", "TotalAmt", "Line") if row[0] == "101"]
    company.delete("Invoice", "101")
    company.delete("TimeActivity", gone)
    report = copy.load(company.settings())
    assert tables(report) == {"invoices": (0, 1), "time_activities": (0, 1)}
    if isinstance(warehouse, Parquet):
        assert "101" not in {row[0] for row in copy.records("invoices", "id")}
        return
    marked = "SELECT id, total_amt, _deleted_at IS NULL, _raw IS NULL FROM {table} WHERE id = '101'"
    assert warehouse.query(marked, "invoices") == [("101", deleted[1], False, False)]
    lines = warehouse.query("SELECT _deleted_at IS NULL FROM {table} WHERE invoice_id = '101'", "invoice_lines")
    assert lines == [(False,)] * len(deleted[2])
    found = warehouse.query("SELECT id FROM {table} WHERE _deleted_at IS NOT NULL", "time_activities")
    assert found == [(gone,)]
    before = copy.records("invoices", "*")
    assert tables(copy.load(company.settings())) == {}
    assert tables(copy.load(company.settings(), restart=True))["invoices"] == (39, 0)
    assert len(copy.records("invoices", "id")) == len(before) == 40


@DATABASES
def test_companies_share_tables_and_one_that_is_revoked_fails_alone(company, other, warehouse, tmp_path):
    """Ids of two companies are the same; deletions concern one of them."""
    copy = Copy(warehouse, tmp_path, entities=ENTITIES)
    first = company.settings()
    report = copy.load([first, other])
    assert [row.company for row in report.companies] == [row.company for row in report.companies if row.company]
    equals_books(copy, company, company.realm_id)
    equals_books(copy, company, OTHER)

    company.revoke_grants(company.realm_id)
    company.delete("Invoice", "101", OTHER)
    company.delete("Invoice", books(company, "Invoice", "Id")[-1][0])
    before = copy.records("invoices", "id", company.realm_id)
    report = copy.load([first, other])
    failed, loaded = report.companies
    assert (failed.error["code"], failed.realm_id) == ("REAUTHORIZATION_REQUIRED", company.realm_id)
    assert failed.error["message"]
    assert loaded.error is None
    balance_changed = {"rows": 1, "deleted": 0}
    assert loaded.tables == {"customers": balance_changed, "invoices": {"rows": 0, "deleted": 1}}
    equals_books(copy, company, OTHER)
    assert copy.records("invoices", "id", company.realm_id) == before

    rows = warehouse.query("SELECT realm_id, error_code FROM {table}", "companies")
    assert sorted(rows) == sorted([(company.realm_id, "REAUTHORIZATION_REQUIRED"), (OTHER, None)])
    again = first | {"refresh_token": company.grant(company.realm_id)}
    assert copy.load([again, other]).failed == []
    equals_books(copy, company, company.realm_id)


# ---- types -----------------------------------------------------------------------------------------------------------


@DATABASES
def test_columns_have_the_same_types_for_all_values(company, warehouse, tmp_path):
    """Zero comes as an integer, text has characters that databases refuse, and values that do not fit are null."""
    copy = Copy(warehouse, tmp_path, entities=ENTITIES)
    copy.load(company.settings())
    before = warehouse.types("invoices")
    free = company.create("Invoice", {**CUSTOMER, "Line": [LINE | {"Amount": 0}], "PrivateNote": "a\0b"})
    assert json.loads(json.dumps(free["Balance"])) == 0
    copy.load(company.settings())
    assert warehouse.types("invoices") == before
    assert before["balance"].lower().replace("numeric", "decimal") == "decimal(19,4)"
    rows = {id_: rest for id_, *rest in copy.records("invoices", "id, balance, private_note, _raw")}
    assert rows[free["Id"]][:2] == [Decimal(0), "a\N{REPLACEMENT CHARACTER}b"]
    assert json.loads(rows[free["Id"]][2])["PrivateNote"] == "a\0b"
    equals_books(copy, company)
