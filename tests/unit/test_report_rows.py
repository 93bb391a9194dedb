"""Reports as flat rows: recorded ones, shapes of Intuit's pages, and any nesting."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.catalog.receivables import reconcile
from vantage_quickbooks.catalog.reports import PARAMETERS, REPORTS, query_parameters
from vantage_quickbooks.core.report_rows import ROW_MEMBERS, parse_report
from vantage_quickbooks.errors import IncompleteReadError, InputError, UnexpectedResponseError

FOLDER = Path(__file__).parents[3] / "shared" / "recordings" / "minimul-qbo_api"
needs_recordings = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"there are no recordings in {FOLDER}")


def column(title, type_, key=None, **more):
    meta = [{"Name": "ColKey", "Value": key}] if key else []
    return {"ColTitle": title, "ColType": type_} | ({"MetaData": meta} if meta else {}) | more


def cells(*values):
    """Cells of texts, or of pairs of a text and an Id."""
    return {
        "ColData": [
            {"value": one[0], "id": one[1]} if isinstance(one, tuple) else {"value": one} for one in values
        ]
    }  # fmt: skip


def report(columns, rows, **options):
    return {
        "Header": {"ReportName": "X", "Option": [{"Name": name, "Value": value} for name, value in options.items()]},
        "Columns": {"Column": columns},
        "Rows": {"Row": rows},
    }


ACCOUNT, TOTAL = column("", "Account", "account"), column("TOTAL", "Money", "total")


def read(rows, columns=(ACCOUNT, TOTAL), **options):
    return parse_report(report(list(columns), rows, **options))


def brief(found):
    return [(row.kind, row.depth, "/".join(row.path), row.label, row.values[-1]) for row in found.rows]


def recorded(name):
    (exchange,) = yaml.safe_load((FOLDER / name).read_text())["http_interactions"]
    return json.loads(exchange["response"]["body"]["string"])


# ---- recorded reports ------------------------------------------------------------------------------------------------


@needs_recordings
@pytest.mark.parametrize("name", ["2018-oauth2/reports/gl.yml", "2020-oauth2/reports/gl.yml"])
def test_a_recorded_ledger__adds_up_to_its_summaries(name):
    found = parse_report(recorded(name))
    assert [(one.name, one.type, one.has_ids) for one in found.columns] == [
        ("tx_date", "date", False), ("txn_type", "text", True), ("doc_num", "text", False), ("name", "text", True),
        ("memo", "text", False), ("split_acc", "text", True), ("subt_nat_amount", "decimal", False),
        ("rbal_nat_amount", "decimal", False),
    ]  # fmt: skip
    assert found.unreadable == {}
    assert found.without_column == {}
    opening = [row for row in found.rows if row.label == "Beginning Balance"]
    assert (opening[0].path, opening[0].values[0], opening[0].values[7]) == (("Checking",), None, Decimal("976.00"))
    summaries = [row for row in found.rows if row.kind == "summary" and row.values[6] is not None]
    assert summaries
    for summary in summaries:
        inside = [
            row.values[6] or 0
            for row in found.rows
            if row.kind == "data" and row.path[: len(summary.path)] == summary.path
        ]
        assert sum(inside) == summary.values[6], summary.label


@needs_recordings
def test_a_recorded_report_without_data__has_no_rows_and_keeps_its_columns():
    found = parse_report(recorded("2020-oauth2/reports/profit_and_loss.yml"))
    assert (found.rows, found.has_data) == ([], False)
    assert [one.name for one in found.columns] == ["account", "total"]
    assert found.header["SummarizeColumnsBy"] == "Customers"


# ---- columns ---------------------------------------------------------------------------------------------------------


def test_columns__are_named_and_typed_without_position_or_case_of_titles():
    """Intuit's page of AgedReceivables, in the spelling of both engines."""
    for last, total in (("91 and over", "Total"), ("91 And Over", "TOTAL")):
        money = [column(title, "Money") for title in ("Current", "1 - 30", last, total)]
        found = read([], [column("", "Customer"), *money])
        assert [one.name for one in found.columns] == [
            "customer", "current", "days_1_30", "days_91_and_over", "total"
        ]  # fmt: skip
        assert [one.type for one in found.columns] == ["text", *["decimal"] * 4]


def test_columns__of_a_list_have_their_key_as_type_in_the_old_engine():
    old = read([], [column("Date", "tx_date"), column("Amount", "subt_nat_amount"), column("Posting", "is_no_post")])
    new = read(
        [],
        [
            column("Date", "Date", "tx_date"), column("Amount", "Money", "subt_nat_amount"),
            column("Posting", "Boolean", "is_no_post"),
        ],
    )  # fmt: skip
    assert [(one.name, one.type) for one in old.columns] == [(one.name, one.type) for one in new.columns]
    assert [one.type for one in new.columns] == ["date", "decimal", "boolean"]


def test_columns__inside_a_column_have_the_cells():
    inner = [column("Quantity", "Money"), column("% of Sales", "Money"), column("Gross Margin %", "Money")]
    outer = column("Total", "Money", Columns={"Column": inner})
    found = read([cells(("Drip line", "8"), "2.00", "97.50 %", "-1.5 %")], [column("", "ProductsAndService"), outer])
    assert [(one.name, one.title) for one in found.columns][1:] == [
        ("total_quantity", "Total Quantity"),
        ("total_percent_of_sales", "Total % of Sales"),
        ("total_gross_margin_percent", "Total Gross Margin %"),
    ]
    assert found.rows[0].values == ["Drip line", Decimal("2.00"), Decimal("97.50"), Decimal("-1.5")]


def test_columns__of_names_begin_with_what_they_are():
    body = report([ACCOUNT, column("Amy", "Money", "1"), column("Bill", "Money", "2"), TOTAL], [])
    body["Header"]["SummarizeColumnsBy"] = "Customers"
    assert [one.name for one in parse_report(body).columns] == ["account", "customer_1", "customer_2", "total"]


def test_columns__have_different_names_even_with_equal_titles():
    titles = ["A", "a", "A_2", "", "%", "é"]
    found = read([], [*(column(title, "Money") for title in titles), column("", "Customer"), column("", "Customer Id")])
    names = found.member_names()
    assert len(set(names)) == len(names)
    assert not set(ROW_MEMBERS) & {one.name for one in found.columns}


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_a_parents_own_amount__is_a_row_of_data():
    """The header has the own amount, the summary all of it (recorded by users; Intuit's page of ProfitAndLoss)."""
    section = {
        "Header": cells(("Services", "1"), "10.00"),
        "Rows": {"Row": [cells(("Design", "2"), "5.00") | {"type": "Data"}]},
        "Summary": cells("Total Services", "15.00"),
        "type": "Section",
    }
    found = read([section])
    assert brief(found) == [
        ("section", 0, "Services", "Services", None),
        ("data", 1, "Services", "Services", Decimal("10.00")),
        ("data", 1, "Services", "Design", Decimal("5.00")),
        ("summary", 0, "Services", "Total Services", Decimal("15.00")),
    ]


@pytest.mark.parametrize("has_summary", [True, False])
def test_a_header_that_is_the_sum_of_its_section__is_not_data(has_summary):
    section = {"Header": cells("Invoice", "15.00"), "Rows": {"Row": [cells("a", "10.00"), cells("b", "5.00")]}}
    if has_summary:
        section["Summary"] = cells("Total", "15.00")
    found = read([section])
    kinds = [(row.kind, row.values[-1]) for row in found.rows]
    assert kinds[0] == ("section", None)
    assert kinds[-1] == ("summary", Decimal("15.00"))
    assert sum(amount for kind, amount in kinds if kind == "data") == 15
    assert len(kinds) == 4


def test_computed_lines__are_totals():
    found = read(
        [
            {"Summary": cells("Gross Profit", "7.00"), "type": "Section", "group": "GrossProfit"},
            {"Header": cells("Net Income", "0.00"), "type": "Section", "group": "NetIncome"},
            {"Header": cells("Total for 1 - 30 days past due", ""), "Rows": {}, "type": "Section"},
        ]
    )
    assert [(row.kind, row.group) for row in found.rows] == [
        ("total", "GrossProfit"), ("total", "NetIncome"), ("section", None)
    ]  # fmt: skip


def test_cells_beside_rows__are_a_header():
    section = cells(("Design income", "82"), "") | {
        "Rows": {"Row": [cells("Not Specified", "500.00")]},
        "Summary": cells("Total", "500.00"),
        "group": "Account",
    }
    assert [(row.kind, row.group) for row in read([section]).rows] == [
        ("section", "Account"), ("data", "Account"), ("summary", "Account")
    ]  # fmt: skip


def test_rows_that_say_nothing__are_left_out():
    assert read([cells("", ""), cells("a", "1")]).records()[0]["rowNumber"] == 1
    assert len(read([cells("", ""), cells("a", "1")]).rows) == 1


def test_values__that_a_column_cannot_represent_are_null_and_counted():
    columns = [
        column("Date", "Date", "tx_date"),
        column("Due", "Date", "due_date"),
        column("Amount", "Money", "amount"),
    ]
    found = read(
        [
            cells("0-00-00", "2026-02-30", "1,234.50", "left over"),
            cells("Beginning Balance", "2026-02-28", ("-0.10", "7"), ""),
        ],
        columns,
    )
    assert found.unreadable == {"due_date": 1, "amount": 1}
    assert found.without_column == {"cell 4": 1}
    assert [row.label for row in found.rows] == ["Beginning Balance"]
    assert found.rows[0].values == [None, "2026-02-28", Decimal("-0.10")]
    assert found.records()[0]["amount_id"] == "7"


def test_no_data__keeps_rows_that_have_values():
    assert read([cells("a", "1.00")], NoReportData="true").has_data
    assert not read([{"Header": cells("Income", ""), "Summary": cells("Total", "")}], NoReportData="true").has_data


# ---- damage ----------------------------------------------------------------------------------------------------------


def test_a_report_that_was_cut_off__is_an_error():
    row = cells("Unable to display more data. Please reduce the date range.", "")
    with pytest.raises(IncompleteReadError, match="shorter period") as caught:
        read([cells("a", "1"), {"Header": cells("s", ""), "Rows": {"Row": [row]}}])
    assert caught.value.retryable is False


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body.pop("Header"),
        lambda body: body.pop("Columns"),
        lambda body: body.pop("Rows"),
        lambda body: body.update(Rows=None),
        lambda body: body["Rows"].update(Row={"ColData": []}),
        lambda body: body["Rows"]["Row"].append({"type": "Data"}),
        lambda body: body["Rows"]["Row"].append("text"),
        lambda body: body["Rows"]["Row"].append({"ColData": [{"value": ["list"]}]}),
        lambda body: body["Columns"]["Column"].append(None),
        lambda body: body["Header"].update(Option=[{"Name": "x"}]),
    ],
)
def test_what_is_not_a_report__is_an_error(damage):
    body = report([ACCOUNT, TOTAL], [cells("a", "1")])
    parse_report(body)
    damage(body)
    with pytest.raises(UnexpectedResponseError):
        parse_report(body)


def test_nesting_without_end__is_an_error():
    row = cells("a", "1")
    for _ in range(250):
        row = {"Header": cells("s", ""), "Rows": {"Row": [row]}}
    with pytest.raises(UnexpectedResponseError):
        read([row])


# ---- any nesting -----------------------------------------------------------------------------------------------------

CENTS = st.integers(-(10**12), 10**12)
LEAVES = st.tuples(st.just("leaf"), CENTS)
TREES = st.recursive(
    LEAVES,
    lambda inside: st.tuples(st.just("section"), CENTS | st.just(0), st.lists(inside, min_size=1, max_size=4)),
    max_leaves=25,
)


def money(cents):
    return f"{Decimal(cents).scaleb(-2):.2f}"


def total_of(tree):
    return tree[1] + (sum(map(total_of, tree[2])) if tree[0] == "section" else 0)


def shape(tree, number=0):
    """A tree in Intuit's shape, and how many sections it has."""
    if tree[0] == "leaf":
        return cells((f"leaf {number}", "1"), money(tree[1])) | {"type": "Data"}
    return {
        "Header": cells(f"section {number}", money(tree[1]) if tree[1] else ""),
        "Rows": {"Row": [shape(one, at) for at, one in enumerate(tree[2])]},
        "Summary": cells(f"Total section {number}", money(total_of(tree))),
        "type": "Section",
    }


@given(st.lists(TREES, max_size=5))
def test_any_nesting__adds_up_once_and_keeps_every_summary(trees):
    found = read([shape(tree, number) for number, tree in enumerate(trees)])
    data = [row for row in found.rows if row.kind == "data"]
    assert sum(row.values[1] or 0 for row in data) == Decimal(sum(map(total_of, trees))).scaleb(-2)
    assert all(row.values[1] is None for row in found.rows if row.kind == "section")
    kinds = [row.kind for row in found.rows]
    assert kinds.count("section") == kinds.count("summary")
    assert all(row.depth >= len(row.path) - 1 for row in found.rows)
    records = found.records()
    assert [record["rowNumber"] for record in records] == list(range(1, len(records) + 1))
    assert all(list(record) == found.member_names() for record in records)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Header", "Columns", "Rows", "Row", "ColData", "value", "Column", "Summary"]), inside
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["Header", "Columns", "Rows"]), JSON_VALUES))
def test_any_json__is_a_report_or_an_error(body):
    try:
        parse_report(body)
    except UnexpectedResponseError:
        return


# ---- the table -------------------------------------------------------------------------------------------------------


def fields_of(data):
    with pytest.raises(InputError) as caught:
        query_parameters(data)
    return {entry.field: entry for entry in caught.value.fields}


def test_the_table__names_known_parameters_once():
    for row in REPORTS.values():
        assert set(row.parameters) <= set(PARAMETERS), row.name
        assert len(set(row.parameters)) == len(row.parameters), row.name
        assert set(row.required) <= set(row.parameters)
    used = {name for row in REPORTS.values() for name in row.parameters}
    assert used == set(PARAMETERS)


def test_parameters__are_spelled_as_intuit_takes_them():
    data = {"report": "BalanceSheet", "customer": "1 , 2", "qzurl": True, "date_macro": "This Month"}
    assert query_parameters(data) == {"customer": "1,2", "qzurl": "true", "date_macro": "This Month"}
    assert query_parameters({"report": "AgedReceivables", "num_periods": 5}) == {"num_periods": "5"}


def test_parameters__of_another_report_are_errors_with_a_remedy():
    found = fields_of({"report": "BalanceSheet", "report_date": "2026-01-31", "memo": "x"})
    assert list(found) == ["report_date", "memo"]
    assert found["report_date"].hint == "Use date_macro, start_date or end_date."
    assert "BalanceSheet takes date_macro, start_date" in found["memo"].hint


def test_parameters__that_are_missing_or_contradict_each_other_are_errors():
    assert list(fields_of({"report": "TaxSummary"})) == ["agency_id"]
    found = fields_of({"report": "ProfitAndLoss", "date_macro": "Today", "start_date": "2026-01-01"})
    assert found["date_macro"].rule == "together"
    found = fields_of({"report": "ProfitAndLoss", "start_date": "2026-02-01", "end_date": "2026-01-01"})
    assert found["end_date"].rule == "range"
    found = fields_of({"report": "AgedReceivables", "date_macro": "Today", "report_date": "2026-01-01"})
    assert found["date_macro"].rule == "together"


# ---- reconciliation --------------------------------------------------------------------------------------------------


def aging(*titles):
    columns = [column("", "Customer"), *(column(title, "Money") for title in titles)]
    values = [str(10**number) for number in range(len(titles))]
    return parse_report(report(columns, [{"type": "Data", **cells(("Acme", "7"), *values)}]))


def test_reconciliation__finds_the_ages_in_any_language_and_order():
    for titles, expected in (
        (("En cours", "1 - 30", "31 - 60", "61 - 90", "91 et plus", "Total"), ("1", "10", "100", "1000", "10000")),
        (("Total", "91 and over", "61 - 90", "31 - 60", "1 - 30", "CURRENT"), ("100000", "10000", "1000", "100", "10")),
    ):
        found = reconcile(aging(*titles), date(2026, 5, 31), [], [], []).to_dict()
        assert [entry["report"] for entry in found["byAge"]] == [f"{amount}.00" for amount in expected]


@pytest.mark.parametrize(
    "titles",
    [
        ("Current", "1 - 45", "46 - 90", "91 - 135", "136 and over", "Total"),
        ("Current", "1 - 30", "31 - 60", "61 - 90", "91 - 120", "121 and over", "Total"),
        ("Current", "1 - 30", "31 - 60", "61 - 90", "91 and over"),
        (),
    ],
    ids=len,
)
def test_reconciliation__of_other_ages_is_an_error(titles):
    with pytest.raises(UnexpectedResponseError, match="does not have the usual periods") as raised:
        reconcile(aging(*titles), date(2026, 5, 31), [], [], [])
    assert raised.value.retryable is False
