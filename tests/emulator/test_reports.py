"""Reports over HTTP: every report and parameter, their faults, and what a date changes."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.company.row import row_of
from vantage_quickbooks.emulator.reports import periods
from vantage_quickbooks.emulator.reports.catalog import REPORTS

NAMES = sorted(REPORTS)
NEEDED = {"TaxSummary": {"agency_id": "1"}}
FUZZED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def report(client):
    def get(name, **parameters):
        answer = client.get(f"reports/{name}", params=NEEDED.get(name, {}) | parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


def rows_of(answer):
    def walk(rows):
        for row in rows.get("Row", []):
            yield row
            yield from walk(row.get("Rows", {}))

    return list(walk(answer["Rows"]))


def cells_of(row):
    return [part["ColData"] for part in (row.get("Header"), row.get("Summary"), row) if part and "ColData" in part]


def summary(answer, group):
    (row,) = [row for row in rows_of(answer) if row.get("group") == group]
    return [cell["value"] for cell in row["Summary"]["ColData"]]


def titles(answer):
    return [column["ColTitle"] for column in answer["Columns"]["Column"]]


def fault(answer):
    assert answer.status_code == 400
    (error,) = answer.json()["Fault"]["Error"]
    return error["code"]


# ---- every report ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_report_has_the_shape(report, name):
    for parameters in ({}, {"date_macro": "all"}, {"accounting_method": "Cash", "date_macro": "Last Month"}):
        answer = report(name, **parameters)
        assert list(answer) == ["Header", "Columns", "Rows"]
        header = answer["Header"]
        assert list(header)[:2] == ["Time", "ReportName"]
        assert header["ReportName"] == name
        assert (header["Currency"], list(header)[-1]) == ("USD", "Option")
        assert {"Name": "NoReportData", "Value": str(not answer["Rows"]).lower()} in header["Option"] or name in (
            "BalanceSheet",
            "ProfitAndLoss",
        )
        width = sum(len(column.get("Columns", {"Column": [0]})["Column"]) for column in answer["Columns"]["Column"])
        for row in rows_of(answer):
            for cells in cells_of(row):
                assert len(cells) == width, row
                assert all(isinstance(cell["value"], str) and set(cell) <= {"value", "id"} for cell in cells)
    assert rows_of(report(name, date_macro="all"))


def test_the_sample_company_fills_every_report(report):
    for name in NAMES:
        no_data = {"Name": "NoReportData", "Value": "false"}
        assert no_data in report(name, date_macro="all")["Header"]["Option"], name


def test_reports_come_as_xml_without_accept_json(client):
    answer = client.get("reports/TrialBalance", headers={"Accept": "application/xml"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<ReportName>TrialBalance</ReportName>" in answer.text


# ---- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"start_date": "2026-02-30"}, "2060"),
        ({"end_date": "today"}, "2060"),
        ({"start_date": "2026-05-01", "end_date": "2026-04-01"}, "2060"),
        ({"report_date": "20260101"}, "2060"),
        ({"date_macro": "someday"}, "2170"),
        ({"accounting_method": "Barter"}, "2170"),
        ({"summarize_column_by": "Moon"}, "2170"),
        ({"sort_order": "up"}, "2170"),
        ({"num_periods": "0"}, "2170"),
        ({"customer": "Amy"}, "2030"),
    ],
)
def test_a_parameter_that_is_not_allowed_is_refused(client, parameters, code):
    assert fault(client.get("reports/AgedReceivables", params=parameters)) == code


def test_an_unknown_report_a_french_one_and_a_missing_agency_are_refused(client):
    assert fault(client.get("reports/Horoscope")) == "500"
    assert fault(client.get("reports/FECReport")) == "5020"
    assert fault(client.get("reports/TaxSummary")) == "2020"


def test_dates_choose_the_period_and_macros_are_named(report):
    explicit = report("ProfitAndLoss", start_date="2026-10-01", end_date="2026-10-31")["Header"]
    assert (explicit["StartPeriod"], explicit["EndPeriod"], "DateMacro" in explicit) == (
        "2026-10-01",
        "2026-10-31",
        False,
    )
    macro = report("ProfitAndLoss", date_macro="Last Fiscal Year")["Header"]
    assert macro["DateMacro"] == "last calendar year"
    assert (macro["StartPeriod"][5:], macro["EndPeriod"][5:]) == ("01-01", "12-31")
    assert report("BalanceSheet")["Header"]["DateMacro"] == "this calendar year-to-date"


def test_columns_are_months_that_add_up(report):
    answer = report("ProfitAndLoss", date_macro="this fiscal year", summarize_column_by="Month")
    assert answer["Header"]["SummarizeColumnsBy"] == "Month"
    assert len(answer["Columns"]["Column"]) == 14
    first = answer["Columns"]["Column"][1]
    assert [one["Name"] for one in first["MetaData"]] == ["StartDate", "EndDate", "ColKey"]
    assert first["ColTitle"].startswith("Jan ")
    values = [Decimal(value or 0) for value in summary(answer, "NetIncome")[1:]]
    assert sum(values[:-1]) == values[-1] != 0
    balances = report("BalanceSheet", date_macro="this fiscal year", summarize_column_by="Quarter")
    assert len(balances["Columns"]["Column"]) == 5  # balances have no total
    assert (
        summary(balances, "TotalAssets")[-1]
        == summary(report("BalanceSheet", date_macro="this fiscal year"), "TotalAssets")[-1]
    )


def test_filters_divide_a_report(report, client):
    whole = Decimal(summary(report("CustomerSales", date_macro="all"), "GrandTotal")[-1])
    parts = Decimal(0)
    for row in client.rows("select Id from Customer where Active in (true, false) maxresults 1000"):
        answer = report("CustomerSales", date_macro="all", customer=row["Id"])
        assert answer["Header"]["Customer"] == row["Id"]
        if answer["Rows"]:
            parts += Decimal(summary(answer, "GrandTotal")[-1])
    walk_ins = [cells for row in rows_of(report("CustomerSales", date_macro="all")) for cells in cells_of(row)]
    parts += sum(Decimal(cells[-1]["value"]) for cells in walk_ins if cells[0]["value"] == "Not Specified")
    assert parts == whole > 0
    (sales,) = [Decimal(summary(report(name, date_macro="all"), "GrandTotal")[-1]) for name in ("ClassSales",)]
    assert sales == whole == Decimal(summary(report("DepartmentSales", date_macro="all"), "GrandTotal")[-1])


def test_aging_counts_days_to_the_report_date(report):
    today = report("AgedReceivables")
    assert titles(today) == ["", "Current", "1 - 30", "31 - 60", "61 - 90", "91 and over", "Total"]
    later = report("AgedReceivables", report_date="2199-12-31", num_periods="2", aging_period="10")
    assert titles(later) == ["", "Current", "1 - 10", "11 and over", "Total"]
    values = summary(later, "GrandTotal")
    assert values[1] == values[2] == ""
    assert values[3] == values[4]
    assert (
        summary(report("AgedReceivables", report_date="2199-12-31", aging_method="Current"), "GrandTotal")[1:]
        != values[1:]
    )
    assert report("AgedReceivables", report_date="1990-01-01")["Rows"] == {}


def test_a_charge_that_is_due_today_is_current(emulator, report):
    day = date(2031, 6, 30)
    buckets = {0: 1, -5: 1, 1: 2, 30: 2, 31: 3, 60: 3, 61: 4, 90: 4, 91: 5, 400: 5}
    expected = [Decimal(0)] * 7
    before = [
        Decimal(value or 0) for value in summary(report("AgedReceivables", report_date=str(day)), "GrandTotal")[1:]
    ]
    for at, (past, column) in enumerate(buckets.items()):
        amount = 2**at
        dates = {"TxnDate": "2031-01-01", "DueDate": str(day - timedelta(days=past))}
        invoice(emulator, amount, **dates)
        expected[column] += amount
        expected[6] += amount
    after = [
        Decimal(value or 0) for value in summary(report("AgedReceivables", report_date=str(day)), "GrandTotal")[1:]
    ]
    assert [one - other for one, other in zip(after, before, strict=True)] == expected[1:]


@pytest.mark.parametrize(
    ("macro", "days"),
    [
        ("today", "2026-05-20 2026-05-20"),
        ("yesterday", "2026-05-19 2026-05-19"),
        ("this week", "2026-05-17 2026-05-23"),
        ("last week-to-date", "2026-05-10 2026-05-13"),
        ("next week", "2026-05-24 2026-05-30"),
        ("next 4 weeks", "2026-05-24 2026-06-20"),
        ("this month", "2026-05-01 2026-05-31"),
        ("last month", "2026-04-01 2026-04-30"),
        ("last month-to-date", "2026-04-01 2026-04-20"),
        ("this fiscal quarter", "2026-04-01 2026-06-30"),
        ("last fiscal quarter", "2026-01-01 2026-03-31"),
        ("next fiscal quarter", "2026-07-01 2026-09-30"),
        ("this fiscal year-to-date", "2025-10-01 2026-05-20"),
        ("last fiscal year", "2024-10-01 2025-09-30"),
        ("last fiscal year-to-date", "2024-10-01 2025-05-20"),
        ("next fiscal year", "2026-10-01 2027-09-30"),
        ("this calendar year", "2026-01-01 2026-12-31"),
        ("last calendar quarter", "2026-01-01 2026-03-31"),
    ],
)
def test_date_macros_count_from_today(macro, days):
    """A company whose fiscal year begins in October, on a Wednesday."""
    start, end = periods.macro_dates(macro, date(2026, 5, 20), 10)
    assert f"{start} {end}" == days


def test_sort_order_turns_rows_around(report):
    def totals(order):
        rows = [
            row
            for row in report("VendorExpenses", date_macro="all", sort_order=order)["Rows"]["Row"]
            if "ColData" in row
        ]
        return [Decimal(row["ColData"][-1]["value"]) for row in rows]

    assert totals("ascend") == sorted(totals("ascend"))
    assert totals("descend") == sorted(totals("ascend"), reverse=True)


def test_columns_of_a_list_can_be_chosen(report):
    answer = report(
        "TransactionList", date_macro="all", columns="txn_type,doc_num,subt_nat_amount", group_by="Customer"
    )
    assert [column["MetaData"][0]["Value"] for column in answer["Columns"]["Column"]] == [
        "txn_type", "doc_num", "subt_nat_amount",
    ]  # fmt: skip
    assert {"Header", "Rows", "Summary"} <= set(answer["Rows"]["Row"][0])


def test_names_are_those_of_the_records(report, client):
    named = {"Customer": {}, "Vendor": {}, "Employee": {}}
    for entity, known in named.items():
        everything = client.rows(f"select * from {entity} where Active in (true, false) maxresults 1000")  # noqa: S608 -- Intuit's language
        for row in everything:
            known[row["Id"]] = row.get("FullyQualifiedName", row["DisplayName"])
    shown = {entity: set() for entity in named}
    for entity, name in (("Customer", "TransactionListByCustomer"), ("Vendor", "TransactionListByVendor")):
        for row in report(name, date_macro="all")["Rows"]["Row"]:
            cell = row["Header"]["ColData"][0]
            assert cell["value"] == named[entity][cell["id"]]
            shown[entity].add(cell["id"])
    assert min(len(shown["Customer"]), len(shown["Vendor"])) > 10
    paid = [
        row["ColData"][3]
        for row in rows_of(report("GeneralLedger", date_macro="all"))
        if len(row.get("ColData", [])) == 8
    ]
    assert {"value": "Benito Reyes", "id": "2"} in paid  # an employee


def test_estimates_and_orders_are_listed_and_do_not_post(report):
    rows = report("TransactionList", date_macro="all")["Rows"]["Row"]
    posting = {row["ColData"][1]["value"]: row["ColData"][3]["value"] for row in rows}
    assert posting["Estimate"] == posting["Purchase Order"] == "No"
    assert posting["Invoice"] == posting["Inventory Qty Adjust"] == "Yes"


# ---- writes ----------------------------------------------------------------------------------------------------------


def invoice(emulator, amount, **more):
    detail = {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": amount}
    line = {"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    return emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line]} | more)


def payment(emulator, amount, to, **more):
    line = {"Amount": amount, "LinkedTxn": [{"TxnId": to["Id"], "TxnType": "Invoice"}]}
    return emulator.create("Payment", {"CustomerRef": to["CustomerRef"], "TotalAmt": amount, "Line": [line]} | more)


def total_income(report, **parameters):
    return Decimal(summary(report("ProfitAndLoss", **parameters), "Income")[-1] or 0)


def test_a_write_is_in_the_next_report_and_a_deletion_is_not(emulator, report, client):
    before = total_income(report, date_macro="today")
    made = invoice(emulator, 123)
    assert total_income(report, date_macro="today") == before + 123
    detail = {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": 200}
    line = {"Amount": 200, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    emulator.update("Invoice", {"Id": made["Id"], "Line": [line]})
    assert total_income(report, date_macro="today") == before + 200
    emulator.delete("Invoice", made["Id"])
    assert total_income(report, date_macro="today") == before
    emulator.reset()
    client.connect()
    assert total_income(report, date_macro="today") == before


def test_a_payment_before_its_invoice_counts_as_income_from_the_invoices_date(emulator, report):
    made = invoice(emulator, 100, TxnDate="2031-03-10")
    payment(emulator, 100, made, TxnDate="2031-02-10")
    cash = {"accounting_method": "Cash"}
    february = {"start_date": "2031-02-01", "end_date": "2031-02-28"} | cash
    march = {"start_date": "2031-03-01", "end_date": "2031-03-31"} | cash
    paid = [cell["value"] for row in rows_of(report("ProfitAndLoss", **february)) for cell in row.get("ColData", [])]
    assert paid == ["Unapplied Cash Payment Income", "100.00"]
    moved = [cell["value"] for row in rows_of(report("ProfitAndLoss", **march)) for cell in row.get("ColData", [])]
    assert sorted(moved) == ["-100.00", "100.00", "Design income", "Unapplied Cash Payment Income"]


def test_companies_have_books_of_their_own(emulator, report, open_client):
    before = total_income(report, date_macro="today")
    token = emulator.grant("4620816365000001")
    other = open_client(emulator)
    other.realm = "4620816365000001"
    other.connect(token)
    invoice(emulator, 77)
    assert total_income(report, date_macro="today") == before + 77
    answer = other.get("reports/AgedReceivables").json()
    assert summary(answer, "GrandTotal") != summary(report("AgedReceivables"), "GrandTotal")
    assert total_income(report, date_macro="today") == before + 77


@pytest.mark.parametrize(("group", "aging"), [("AR", "AgedReceivables"), ("AP", "AgedPayables")])
def test_currencies_are_posted_in_the_home_currency(report, group, aging):
    """The sample company has invoices in three currencies and a bill in Canadian dollars."""
    sheet = report("BalanceSheet")
    assert summary(sheet, group)[-1] == summary(report(aging), "GrandTotal")[-1]
    trial = summary(report("TrialBalance"), "GrandTotal")
    assert trial[1] == trial[2]


def test_a_parent_that_pays_for_its_job_settles_the_jobs_invoice(emulator, report, client):
    job = next(row for row in client.rows("select * from Customer") if row.get("ParentRef"))
    before = summary(report("CustomerBalance"), "GrandTotal")[-1]
    detail = {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": 70}
    line = {"Amount": 70, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    made = emulator.create("Invoice", {"CustomerRef": {"value": job["Id"]}, "Line": [line]})
    payment(emulator, 70, made, CustomerRef=job["ParentRef"])
    opened = report("CustomerBalanceDetail", customer=f"{job['Id']},{job['ParentRef']['value']}")
    assert made["Id"] not in {cell.get("id") for row in rows_of(opened) for cell in row.get("ColData", [])}
    assert summary(report("CustomerBalance"), "GrandTotal")[-1] == before


def stocked(emulator, name):
    accounts = {
        "IncomeAccountRef": {"value": "11"},
        "ExpenseAccountRef": {"value": "50"},
        "AssetAccountRef": {"value": "19"},
    }
    more = {
        "Type": "Inventory",
        "TrackQtyOnHand": True,
        "QtyOnHand": 10,
        "InvStartDate": "2031-01-01",
        "PurchaseCost": 3,
    }
    return emulator.create("Item", {"Name": name} | accounts | more)["Id"]


def test_stock_costs_what_was_bought_first(emulator, report):
    item = stocked(emulator, "Copper can")
    bought = {"ItemRef": {"value": item}, "Qty": 5}
    line = {"Amount": 35, "DetailType": "ItemBasedExpenseLineDetail", "ItemBasedExpenseLineDetail": bought}
    bill = emulator.create("Bill", {"VendorRef": {"value": "1"}, "Line": [line], "TxnDate": "2031-01-05"})
    sold = {"ItemRef": {"value": item}, "Qty": 12, "UnitPrice": 10}
    line = {"Amount": 120, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": sold}
    made = emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line], "TxnDate": "2031-02-01"})

    def valuation():
        answer = report("InventoryValuationSummary", report_date="2031-12-31", item=item)
        return [cell["value"] for cell in answer["Rows"]["Row"][0]["ColData"]][2:]

    year = {"start_date": "2031-01-01", "end_date": "2031-12-31"}
    # ten at 3.00, then two of the five at 7.00
    assert summary(report("ProfitAndLoss", **year), "COGS")[-1] == "44.00"
    assert emulator.read("Item", item)["QtyOnHand"] == 3
    assert valuation() == ["3.00", "21.00", "7.00"]
    (section,) = report("InventoryValuationDetail", **year, item=item)["Rows"]["Row"]
    assert [[cell["value"] for cell in row["ColData"]][4:] for row in section["Rows"]["Row"]] == [
        ["10.00", "30.00", "10.00", "30.00"],
        ["5.00", "35.00", "15.00", "65.00"],
        ["-12.00", "-44.00", "3.00", "21.00"],
    ]  # fmt: skip
    emulator.delete("Bill", bill["Id"])  # what was never bought has the item's cost
    assert summary(report("ProfitAndLoss", **year), "COGS")[-1] == "36.00"
    emulator.void("Invoice", made["Id"])
    assert emulator.read("Item", item)["QtyOnHand"] == 10
    assert valuation() == ["10.00", "30.00", "3.00"]


def test_returned_goods_come_back_at_the_cost_they_left_with(emulator, report):
    item = stocked(emulator, "Copper can")
    for entity, quantity in (("Invoice", 4), ("CreditMemo", 1)):
        sold = {"ItemRef": {"value": item}, "Qty": quantity, "UnitPrice": 10}
        line = {"Amount": 10 * quantity, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": sold}
        emulator.create(entity, {"CustomerRef": {"value": "1"}, "Line": [line], "TxnDate": "2031-02-01"})
    answer = report("ProfitAndLoss", start_date="2031-01-01", end_date="2031-12-31")
    assert (summary(answer, "COGS")[-1], summary(answer, "Income")[-1]) == ("9.00", "30.00")
    assert emulator.read("Item", item)["QtyOnHand"] == 7


# ---- engines ---------------------------------------------------------------------------------------------------------


def test_the_engine_depends_on_the_date(open_client):
    with Emulator(limits=False, as_of="2026-08-30") as emulator:
        client = open_client(emulator).connect()
        old = client.get("reports/BalanceSheet").json()
        migrated = client.get("reports/BalanceSheet", params={"testing_migration": "true"}).json()
        ledger = client.get("reports/GeneralLedger", params={"date_macro": "all"}).text
        modern = client.get("reports/GeneralLedger", params={"date_macro": "all", "testing_migration": ""}).text
    assert old["Rows"]["Row"][0]["Summary"]["ColData"][0]["value"] == "TOTAL ASSETS"
    assert migrated["Rows"]["Row"][0]["Summary"]["ColData"][0]["value"] == "Total Assets"
    assert "-Split-" in ledger
    assert "-Split-" not in modern


def test_lists_have_types_since_minor_versions_are_ignored(open_client):
    with Emulator(limits=False, as_of="2025-07-01") as emulator:
        client = open_client(emulator).connect()
        legacy = client.get("reports/GeneralLedger").json()["Columns"]["Column"][0]
        typed = client.get("reports/GeneralLedger", params={"minorversion": "3"}).json()["Columns"]["Column"][0]
    assert legacy == {"ColTitle": "Date", "ColType": "tx_date"}
    assert typed == {"ColTitle": "Date", "ColType": "Date", "MetaData": [{"Name": "ColKey", "Value": "tx_date"}]}


def test_the_modern_engine_returns_a_hundred_days_at_most(report):
    days = {"start_date": "2026-01-01", "end_date": "2026-12-31", "summarize_column_by": "Days"}
    assert len(report("ProfitAndLoss", **days)["Columns"]["Column"]) == 102


# ---- anything --------------------------------------------------------------------------------------------------------

_TEXT = st.text(max_size=12) | st.sampled_from(
    [
        "",
        "0",
        "-1",
        "9" * 400,
        "1,2,3",
        "2026-01-01",
        "0001-01-01",
        "9999-12-31",
        "1900-01-01",
        "2200-12-31",
        "null",
        "\x00",
    ]
)
_KNOWN = {
    "date_macro": st.sampled_from(periods.MACROS),
    "summarize_column_by": st.sampled_from(
        ["Total", "Month", "Week", "Days", "Quarter", "Year", "Customers", "Classes"]
    ),
    "accounting_method": st.sampled_from(["Cash", "Accrual"]),
    "start_date": st.dates().map(str),
    "end_date": st.dates().map(str),
    "report_date": st.dates().map(str),
    "sort_order": st.sampled_from(["ascend", "descend"]),
    "sort_by": st.sampled_from(["amount", "name", "doc_num", "memo", "x"]),
    "group_by": st.sampled_from(["Customer", "Vendor", "Name", "Account", "Month", "Transaction Type", "x"]),
    "columns": st.sampled_from(["tx_date", "klass_name,dept_name", "past_due,subt_open_bal", "x"]),
    "num_periods": st.integers(-1, 60).map(str),
    "aging_period": st.integers(-1, 4000).map(str),
    "past_due": st.integers(-1, 400).map(str),
    **dict.fromkeys(("customer", "vendor", "class", "department", "item", "account"), st.integers(0, 40).map(str)),
    "arpaid": st.sampled_from(["All", "Paid", "Unpaid"]),
    "agency_id": st.integers(0, 3).map(str),
    "minorversion": _TEXT,
    "testing_migration": _TEXT,
}
_PARAMETERS = st.dictionaries(st.sampled_from(sorted(_KNOWN)), st.none(), max_size=6)


@FUZZED
@given(name=st.sampled_from(NAMES) | _TEXT, names=_PARAMETERS, data=st.data())
def test_any_parameters_are_answered(client, name, names, data):
    given_ = {key: data.draw(_KNOWN[key] | _TEXT, key) for key in names}
    answer = client.get(f"reports/{name}", params=given_)
    assert answer.status_code < 500, (name, given_, answer.text[:200])
    assert client.emulator.crashes == []


_ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["1", "x", "2026-01-01", "1e999", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["value", "Line", "Amount", "LinkedTxn", "TxnId", "TxnType", "Qty", "DetailType", "PostingType",
                 "Entity", "AccountRef", "ItemRef", "CashBack", "QtyDiff", "SalesItemLineDetail", "type", "name"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)  # fmt: skip
_MEMBERS = [
    "Line", "TotalAmt", "Amount", "TxnDate", "DueDate", "CustomerRef", "VendorRef", "AccountRef", "DepositToAccountRef",
    "TxnTaxDetail", "CurrencyRef", "ExchangeRate", "PayType", "CheckPayment", "ClassRef", "PrivateNote", "CashBack",
    "EntityRef", "PaymentType", "FromAccountRef", "ToAccountRef", "AdjustAccountRef", "ParentRef", "Type",
]  # fmt: skip


@FUZZED
@given(
    entity=st.sampled_from(
        ["Invoice", "Payment", "Bill", "BillPayment", "Deposit", "JournalEntry", "Purchase", "Transfer", "CreditMemo",
         "InventoryAdjustment", "CreditCardPaymentTxn", "SalesReceipt", "VendorCredit", "Estimate", "Item", "Account"]
    ),
    record=st.dictionaries(st.sampled_from(_MEMBERS), _ODD, max_size=6),
)  # fmt: skip
def test_books_take_any_record_that_the_api_takes(client, entity, record):
    company = client.emulator.company()
    body = {"Id": "999999", "SyncToken": "0"} | record
    try:
        row = row_of(ENTITIES[entity], body, json.dumps(body, allow_nan=False))
        company.store.save(company.realm, entity, row)
    except (TypeError, ValueError, AttributeError, OverflowError):
        return  # no way of loading takes it
    for name in ("AgedReceivables", "TransactionList"):
        answer = client.get(f"reports/{name}", params={"date_macro": "all"})
        assert answer.status_code == 200, (entity, record, answer.text[:200], client.emulator.crashes)
    trial = summary(client.get("reports/TrialBalance", params={"date_macro": "all"}).json(), "GrandTotal")
    assert trial[1] == trial[2]
