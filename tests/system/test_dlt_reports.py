"""Reports as tables of the dlt source: replaced company by company, kept when they cannot be read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from warehouses import Copy, DuckDB

from vantage_quickbooks.adapters.dlt import quickbooks_source
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError

LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
CUSTOMER = {"CustomerRef": {"value": "1"}}
OTHER = "9000000000000002"
ROWS = "row_number, row_kind, row_label, total"


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, invoices=30, customers=5) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def company(fresh_quickbooks):
    return fresh_quickbooks


def total(copy, table="report_aged_receivables", realm=None):
    rows = copy.records(table, ROWS, realm)
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    (grand,) = (row[3] for row in rows if row[1] == "total")
    assert sum(row[3] or 0 for row in rows if row[1] == "data") == grand
    return grand


def test_a_report_is_replaced_by_each_load(company, tmp_path):
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Term",))
    options = {"reports": ["AgedReceivables", "TransactionList"]}
    report = copy.load(company.settings(), **options)
    assert report.failed == []
    assert report.companies[0].tables["report_aged_receivables"]["rows"] > 5
    before = total(copy)
    company.create("Invoice", {**CUSTOMER, "Line": [LINE, LINE]})
    report = copy.load(company.settings(), **options)
    assert total(copy) == before + Decimal(20)
    assert report.companies[0].api_calls >= 2


def test_companies_are_replaced_apart_and_a_failure_keeps_the_rows(company, tmp_path):
    other = company.settings() | {"realm_id": OTHER, "refresh_token": company.grant(OTHER)}
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Term",))
    options = {"reports": {"aging": {"report": "AgedReceivables"}, "fec": {"report": "FECReport"}}}
    report = copy.load([company.settings(), other], **options)
    assert [(error["report"], error["code"]) for error in report.companies[0].errors] == [
        ("FECReport", "PERMISSION_DENIED")
    ]
    first, second = (total(copy, "aging", realm) for realm in (company.settings()["realm_id"], OTHER))
    company.create("Invoice", {**CUSTOMER, "Line": [LINE]})
    report = copy.load(company.settings(), **options)
    assert len(report.failed) == 1
    assert total(copy, "aging", company.settings()["realm_id"]) == first + 10
    assert total(copy, "aging", OTHER) == second


def test_a_report_that_is_empty_now_has_no_rows(company, tmp_path):
    copy = Copy(DuckDB(tmp_path), tmp_path, entities=("Term",))
    listed = {"report": "TransactionList", "date_macro": "All"}
    copy.load(company.settings(), reports={"listed": listed})
    assert copy.records("listed", "row_number")
    copy.load(
        company.settings(),
        reports={"listed": {"report": "TransactionList", "start_date": "1990-01-01", "end_date": "1990-01-02"}},
    )
    assert copy.records("listed", "row_number") == []


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        (["Nothing"], "Report must be one of"),
        ({"x": {"report": "BalanceSheet", "memo": "x"}}, "BalanceSheet does not have memo"),
        ({"terms": {"report": "BalanceSheet"}}, "cannot be the name"),
        ({"companies": {"report": "BalanceSheet"}}, "cannot be the name"),
        ({"Bad Name": {"report": "BalanceSheet"}}, "cannot be the name"),
    ],
)
def test_a_wrong_report_is_refused_before_anything_is_read(company, reports, message):
    with pytest.raises(InputError, match=message):
        quickbooks_source(company.settings(), entities=["Term"], reports=reports)
