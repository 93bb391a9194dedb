"""Reports against the emulator: each row of the table in both engines, every output, and what fails."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.api.response_body import ResponseBody
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.catalog.reports import REPORTS
from vantage_quickbooks.cli import main
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.reports.catalog import REPORTS as EMULATED
from vantage_quickbooks.errors import (
    AccessDeniedError,
    IncompleteReadError,
    InputError,
    QuickBooksUnavailableError,
    RequestRejectedError,
    UnexpectedResponseError,
)

OUTPUT = Draft202012Validator(load_schema("getReport.output.schema"))
INPUT = Draft202012Validator(load_schema("getReport.input.schema"))


def connect(emulator, intercept=None, **context):
    deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url)
    return QUICKBOOKS.connect(
        emulator.credentials(),
        HostContext(**context),
        deployment=deployment,
        store=MemoryStore(),
        rate_limiter=RateLimiter(10, 10**9, 10**9),
        **({"intercept": intercept} if intercept else {}),
    )


@pytest.fixture(scope="module", params=[None, "2026-08-01"], ids=["new engine", "old engine"])
def company(request):
    with Emulator(limits=False, as_of=request.param) as emulator, connect(emulator) as connection:
        yield connection


@pytest.fixture(scope="module")
def books():
    with Emulator(limits=False) as emulator:
        yield emulator


def input_for(name):
    report = REPORTS[name]
    found = {"report": name}
    if "date_macro" in report.parameters:
        found["date_macro"] = "All"
    return found | ({"agency_id": "1"} if "agency_id" in report.required else {})


def amount(value):
    return Decimal(0) if value is None else Decimal(repr(value))


def test_the_table_has_every_report_that_quickbooks_answers():
    assert set(EMULATED) == {name for name, row in REPORTS.items() if not row.country}


@pytest.mark.parametrize("name", EMULATED)
def test_each_report_is_rows_of_its_columns(company, name):
    data = input_for(name)
    assert INPUT.is_valid(data)
    result = company.invoke("getReport", data)
    OUTPUT.validate(result)
    json.dumps(result, allow_nan=False)
    assert result["count"] == len(result["rows"]) > 0
    assert result["metadata"]["report"] == result["report"]["Header"]["ReportName"] == name
    assert (result["metadata"]["apiCalls"], result["metadata"]["hasData"]) == (1, True)
    assert (result["metadata"]["unreadableValues"], result["metadata"]["valuesWithoutColumn"]) == ({}, {})
    for column in result["columns"]:
        assert any(row[column["field"]] is not None for row in result["rows"]) or column["type"] == "text" or (
            name in {"ItemSales", "AgedPayables", "AgedReceivables"}
        ), column  # fmt: skip
    numbers = [column["field"] for column in result["columns"] if column["type"] == "decimal"]
    for row in result["rows"]:
        if row["rowKind"] == "section":
            assert [row[field] for field in numbers] == [None] * len(numbers)
        assert all(row[field] is None or type(row[field]) is float for field in numbers)


ADDITIVE = {
    "AgedPayableDetail": "subt_neg_open_bal", "AgedPayables": "total", "AgedReceivableDetail": "subt_open_bal",
    "AgedReceivables": "days_91_and_over", "ClassSales": "total", "CustomerBalance": "total",
    "CustomerBalanceDetail": "subt_open_bal", "CustomerIncome": "net_income", "CustomerSales": "total",
    "DepartmentSales": "total", "ItemSales": "total_amount", "TrialBalance": "debit", "VendorBalance": "total",
    "VendorBalanceDetail": "subt_neg_open_bal", "VendorExpenses": "total",
}  # fmt: skip


@pytest.mark.parametrize(("name", "field"), ADDITIVE.items())
def test_data_add_up_to_the_grand_total(company, name, field):
    rows = company.invoke("getReport", input_for(name))["rows"]
    (total,) = (row for row in rows if row["rowGroup"] == "GrandTotal")
    assert total["rowKind"] == "total"
    assert sum(amount(row[field]) for row in rows if row["rowKind"] == "data") == amount(total[field])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ProfitAndLoss", {"summarize_column_by": "Quarter"}),
        ("ProfitAndLoss", {"summarize_column_by": "Customers"}),
        ("BalanceSheet", {"summarize_column_by": "Month"}),
        ("BalanceSheet", {}),
        ("BalanceSheet", {"accounting_method": "Cash"}),
    ],
)
def test_data_add_up_to_each_summary_in_each_column(company, name, data):
    result = company.invoke("getReport", {"report": name, "date_macro": "This Fiscal Year", **data})
    rows = result["rows"]
    fields = [column["field"] for column in result["columns"] if column["type"] == "decimal"]
    assert len(fields) > 1 or "summarize_column_by" not in data
    summaries = [row for row in rows if row["rowKind"] == "summary"]
    assert summaries
    for summary in summaries:
        depth = len(summary["rowPath"])
        inside = [
            row
            for row in rows
            if row["rowKind"] == "data" and row["rowPath"][:depth] == summary["rowPath"]
            and row["rowGroup"] is not None
        ]  # fmt: skip
        for field in fields:
            assert sum(amount(row[field]) for row in inside) == amount(summary[field]), (summary["rowLabel"], field)


def test_columns_of_periods_and_names_say_what_they_are(company):
    periods = company.invoke(
        "getReport", {"report": "ProfitAndLoss", "date_macro": "This Fiscal Year", "summarize_column_by": "Quarter"}
    )["columns"]
    assert [(one["startDate"], one["endDate"]) for one in periods[1:-1]] == [
        ("2026-01-01", "2026-03-31"), ("2026-04-01", "2026-06-30"), ("2026-07-01", "2026-09-30"),
        ("2026-10-01", "2026-12-31"),
    ]  # fmt: skip
    names = company.invoke(
        "getReport", {"report": "CustomerSales", "date_macro": "All", "summarize_column_by": "Customers"}
    )["columns"]
    ids = [one["colKey"] for one in names[1:] if one["colKey"].isdigit()]
    assert len(ids) > 20
    assert {f"customer_{id_}" for id_ in ids} < {one["field"] for one in names}


def test_no_data_is_an_empty_result(company):
    period = {"start_date": "1990-01-01", "end_date": "1990-01-31"}
    for name in ("ProfitAndLoss", "TransactionList", "GeneralLedger", "CustomerSales"):
        result = company.invoke("getReport", {"report": name, **period})
        OUTPUT.validate(result)
        if name != "GeneralLedger":
            assert (result["rows"], result["metadata"]["hasData"]) == ([], False)
        assert result["metadata"]["startPeriod"] == "1990-01-01"


# ---- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["AgedReceivables", "GeneralLedger", "ItemSales", "TransactionList", "ProfitAndLoss"])
def test_arrow_has_the_rows_of_the_result(company, name):
    result = company.invoke("getReport", input_for(name))
    (batch,) = company.stream("getReport", input_for(name), as_="arrow")
    assert batch.num_rows == result["count"]
    wanted = {"decimal": pa.types.is_decimal, "date": pa.types.is_date, "boolean": pa.types.is_boolean}
    for column in result["columns"]:
        kind = batch.schema.field(column["field"]).type
        assert wanted.get(column["type"], pa.types.is_string)(kind)
    for row, typed in zip(result["rows"], batch.to_pylist(), strict=True):
        assert typed.pop("realm_id") == result["metadata"]["realmId"]
        assert typed.pop("company_name")
        assert json.loads(typed.pop("rowPath")) == row.pop("rowPath")
        for field, value in row.items():
            found = typed[field]
            if isinstance(found, Decimal):
                assert found == Decimal(repr(value))
            else:
                assert value == (found if found is None or isinstance(found, str | int) else found.isoformat())
        assert list(typed) == list(row)
    frame = company.dataframe("getReport", input_for(name))
    assert len(frame) == result["count"]
    assert frame.attrs["metadata"]["report"] == name


def test_arrow_of_an_empty_report_has_its_columns(company):
    data = {"report": "ProfitAndLoss", "start_date": "1990-01-01", "end_date": "1990-01-31"}
    (batch,) = company.stream("getReport", data, as_="arrow")
    assert batch.num_rows == 0
    assert {"account", "account_id", "total"} <= set(batch.schema.names)


@pytest.fixture
def call(books, tmp_path, monkeypatch, capfd):
    settings = tmp_path / "settings.json"
    settings.touch(0o600)
    settings.write_text(json.dumps(books.settings()))
    monkeypatch.setenv("COLUMNS", "140")

    def run(*arguments):
        status = main(["call", *arguments, "--settings", str(settings)])
        out, err = capfd.readouterr()
        return status, out, err

    return run


def test_the_command_line_prints_and_writes_reports(call, tmp_path):
    status, shown, _ = call("getReport", "report=AgedReceivables", "--format", "table")
    lines = shown.splitlines()
    assert status == 0
    assert lines[0].split() == [
        "Current",
        "1",
        "-",
        "30",
        "31",
        "-",
        "60",
        "61",
        "-",
        "90",
        "91",
        "and",
        "over",
        "Total",
    ]
    assert any(line.startswith("  ") and "Playground" in line for line in lines)
    status, text, _ = call("getReport", "report=AgedReceivables", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[-1]["rowKind"] == "total"
    assert sum(Decimal(row["total"] or 0) for row in rows if row["rowKind"] == "data") == Decimal(rows[-1]["total"])
    path = tmp_path / "report.parquet"
    status, _, message = call("getReport", "report=AgedReceivables", "--format", "parquet", "--output", str(path))
    table = pq.read_table(path)
    assert (status, table.num_rows) == (0, len(rows))
    assert f"{len(rows)} rows" in message
    stream = tmp_path / "report.arrow"
    status, _, _ = call("getReport", "report=AgedReceivables", "--format", "arrow", "--output", str(stream))
    assert pa.ipc.open_stream(stream).read_all().num_rows == len(rows)
    status, _, message = call("getReport", "report=AgedReceivables", "--format", "ndjson")
    assert (status, "getReport cannot" in message) == (2, True)
    status, _, message = call("getReport", "report=AgedReceivables", "--format", "parquet")
    assert (status, "--output FILE" in message) == (2, True)


def test_the_command_line_prints_a_reconciliation_in_full(call, monkeypatch):
    """By customer and by age, each with its total, in the width of a terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    status, shown, _ = call("reconcileReceivables", "--format", "table")
    found = json.loads(call("reconcileReceivables")[1])["data"]
    by_customer, by_age = shown.split("\nBy age:\n")
    totals = [f"{Decimal(found['totals'][part]):,.2f}" for part in ("report", "invoices", "creditMemos")]
    assert status == 0
    assert by_customer.startswith("By customer:\n")
    for part in (by_customer, by_age):
        (total,) = [line for line in part.splitlines() if line.startswith("Total ")]
        assert total.split()[1:4] == totals
    assert "Not due yet" in by_age
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_the_command_line_says_that_a_report_is_empty(call):
    status, shown, _ = call("getReport", "report=ProfitAndLoss", "start_date=1999-01-01", "end_date=1999-01-31",
                            "--format", "table")  # fmt: skip
    assert (status, shown) == (0, "The report has no data.\n")


def test_the_command_line_shows_why_parameters_are_refused(call):
    status, _, message = call("getReport", "report=BalanceSheet", "arpaid=Paid", "--format", "table")
    assert status == 1
    assert "arpaid: BalanceSheet does not have arpaid." in message
    status, _, message = call("getReport", "report=ProfitAndLos", "--format", "table")
    assert (status, 'Did you mean "ProfitAndLoss"?' in message) == (1, True)


# ---- limits and errors -----------------------------------------------------------------------------------------------


def test_a_row_limit_cuts_the_rows_and_says_so(books):
    with connect(books, row_limit=3) as connection:
        result = connection.invoke("getReport", {"report": "AgedReceivables"})
        (batch,) = connection.stream("getReport", {"report": "AgedReceivables"}, as_="arrow")
    assert (result["count"], result["metadata"]["mayHaveMore"], batch.num_rows) == (3, True, 3)


def test_what_a_report_does_not_have_costs_nothing(books):
    with connect(books) as connection:
        for data, field in (
            ({"report": "BalanceSheet", "report_date": "2026-01-31"}, "report_date"),
            ({"report": "TaxSummary"}, "agency_id"),
            ({"report": "AgedReceivables", "num_periods": 0}, "num_periods"),
            ({"report": "AgedReceivables", "customer": "x"}, "customer"),
            ({"report": "Nothing"}, "report"),
            ({}, "report"),
        ):
            with pytest.raises(InputError) as caught:
                connection.invoke("getReport", data)
            assert [entry.field for entry in caught.value.fields] == [field]
            assert caught.value.fields[0].hint
        assert connection.api_calls() == {}


def test_the_published_schema_refuses_parameters_of_other_reports():
    assert INPUT.is_valid({"report": "AgedReceivables", "num_periods": "4", "memo": ""})
    for row in REPORTS.values():
        data = {"report": row.name, "sort_by": "tx_date"}
        assert INPUT.is_valid(data) is ("sort_by" in row.parameters)


def test_a_report_that_the_plan_lacks_is_denied(books):
    with connect(books) as connection, pytest.raises(AccessDeniedError, match="plan, has no permission"):
        connection.invoke("getReport", {"report": "FECReport"})


def answering(status, body, sent):
    """An interceptor that answers each report with a body."""

    def intercept(send, request, headers, call):
        if "/reports/" not in request.url:
            return send(request, headers, call)
        call.count_request()
        sent.append(request.url)
        return (
            status,
            {"content-type": "application/json"},
            ResponseBody(body if isinstance(body, bytes) else body(request)),
        )

    return intercept


def test_a_report_that_was_cut_off_is_an_error_and_not_half_a_report(books):
    with connect(books) as connection:
        body = connection.invoke("getReport", {"report": "TransactionList"})["report"]
    cut = {"ColData": [{"value": "Unable to display more data. Please reduce the date range."}], "type": "Data"}
    body["Rows"]["Row"].append(cut)
    sent = []
    with connect(books, answering(200, json.dumps(body).encode(), sent)) as connection:
        with pytest.raises(IncompleteReadError, match="Choose a shorter period") as caught:
            connection.invoke("getReport", {"report": "TransactionList"})
        assert (caught.value.retryable, len(sent)) == (False, 1)


def test_a_report_that_takes_too_long_is_not_repeated(books):
    fault = b'<IntuitResponse xmlns="http://schema.intuit.com/finance/v3"><Fault type="SERVICE"><Error code="6002">'
    fault += (
        b"<Message>message=GatewayTimeout; errorCode=006002; statusCode=504</Message></Error></Fault></IntuitResponse>"
    )
    sent = []
    with (
        connect(books, answering(504, fault, sent)) as connection,
        pytest.raises(QuickBooksUnavailableError, match="choose a shorter period"),
    ):
        connection.invoke("getReport", {"report": "ProfitAndLoss", "summarize_column_by": "Days"})
    assert len(sent) == 1


def test_a_result_that_is_too_large_for_quickbooks_is_not_repeated(books):
    error = {"Message": "Result too big", "Detail": "too big", "code": "10100"}
    body = json.dumps({"Fault": {"Error": [error], "type": "SystemFault"}}).encode()
    sent = []
    with (
        connect(books, answering(500, body, sent)) as connection,
        pytest.raises(RequestRejectedError, match="Choose a shorter period"),
    ):
        connection.invoke("getReport", {"report": "GeneralLedger"})
    assert len(sent) == 1


@pytest.mark.parametrize("body", [b"{}", b'{"Header": {}}', b'{"QueryResponse": {}}'])
def test_an_answer_that_is_not_a_report_is_an_error(books, body):
    with connect(books, answering(200, body, [])) as connection, pytest.raises(UnexpectedResponseError):
        connection.invoke("getReport", {"report": "GeneralLedger"})


# ---- reconciliation --------------------------------------------------------------------------------------------------

SAMPLES = [
    {},
    {"seed": 2},
    {"seed": 5, "customers": 8, "invoices": 90},
    {"as_of": "2026-03-17"},
    {"as_of": "2025-12-31"},
]


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_aging_report_is_what_the_records_say(sample):
    """The other transactions are journal entries on receivables of the sample, listed in the detail report."""
    with Emulator(limits=False, **sample) as emulator, connect(emulator) as connection:
        found = connection.invoke("reconcileReceivables")
        Draft202012Validator(load_schema("reconcileReceivables.output.schema")).validate(found)
        aged = connection.invoke("getReport", {"report": "AgedReceivables"})["rows"]
        detail = connection.invoke("getReport", {"report": "AgedReceivableDetail"})["rows"]
        invoices = connection.invoke("listInvoices", {"all": True})["invoices"]
    types = {"Invoice": "invoices", "Credit Memo": "creditMemos", "Payment": "unappliedPayments"}
    expected = dict.fromkeys([*types.values(), "otherTransactions"], Decimal(0))
    for row in detail:
        if row["rowKind"] == "data":
            expected[types.get(row["txn_type"], "otherTransactions")] += amount(row["subt_open_bal"])
    assert {part: Decimal(found["totals"][part]) for part in expected} == expected
    assert Decimal(found["totals"]["report"]) == sum(expected.values()) == amount(aged[-1]["total"])
    assert expected["creditMemos"] < 0
    assert expected["unappliedPayments"] < 0
    for entry in found["byAge"]:
        assert Decimal(entry["report"]) == amount(aged[-1][entry["age"]])
    # Our own aging: daysOverdue of listInvoices.
    overdue = {"current": range(1), "days_1_30": range(1, 31), "days_31_60": range(31, 61), "days_61_90": range(61, 91)}
    for entry in found["byAge"]:
        days = overdue.get(entry["age"], range(91, 10**6))
        owed = [one for one in invoices if one["Balance"] > 0 and one["daysOverdue"] in days]
        assert Decimal(entry["invoices"]) == sum(amount(one.get("HomeBalance", one["Balance"])) for one in owed)
    assert all(entry["agrees"] is (entry["report"] == entry["invoices"]) for entry in found["customers"])
    assert sum(Decimal(one["report"]) for one in found["customers"]) == Decimal(found["totals"]["report"])


def test_reconciliation_keeps_to_its_limit_of_calls(books):
    with connect(books) as connection, pytest.raises(IncompleteReadError, match="max_api_calls"):
        connection.invoke("reconcileReceivables", {"max_api_calls": 2})
