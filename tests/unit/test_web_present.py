"""Values as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from vantage_quickbooks.actions import MODULES
from vantage_quickbooks.connector import QUICKBOOKS
from vantage_quickbooks.export import csv_text
from vantage_quickbooks.web.present import (
    MASK,
    Column,
    cell,
    columns_of,
    facts,
    instant,
    instants,
    masked,
    money,
    sort_rows,
    words,
)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("1234.5", "USD", "1,234.50"), ("-0.1", "EUR", "−0.10"), ("1500", "JPY", "1,500"),  # noqa: RUF001
        ("1.5", "KWD", "1.500"), ("0.125", "USD", "0.125"), ("0", "", "0.00"), ("1E+3", "USD", "1,000.00"),
    ],
)  # fmt: skip
def test_money_has_its_currencys_decimals_and_loses_none(amount, currency, expected):
    assert money(Decimal(amount), currency) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-03", "3 Nov 2026"), ("2026-11-22T11:52:12-08:00", "22 Nov 2026, 19:52 UTC"),
        ("2026-11-23T08:37:48.542Z", "23 Nov 2026, 08:37 UTC"), ("2026-02-30", "2026-02-30"), ("1037", "1037"),
    ],
)  # fmt: skip
def test_dates_are_in_words(text, expected):
    assert instant(text) == expected
    assert instants(f"until {text}.") in {f"until {expected}.", f"until {text}."}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("daysOverdue", "Days overdue"), ("TotalAmt", "Total amt"), ("realmId", "Realm ID"), ("Id", "ID"),
     ("apiCalls", "API calls"), ("GSTIN", "GSTIN"), ("clock_skew", "Clock skew"), ("", "")],
)  # fmt: skip
def test_names_are_words(name, expected):
    assert words(name) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"value": "24", "name": "Amy"}, "Amy"), ({"Address": "a@b.example"}, "a@b.example"), ({}, ""), ([], ""),
        ({"Id": "7", "Line1": "1 Way", "City": "Bath"}, "1 Way, Bath"), ([{"name": "x"}], "x"), ([{}, {}], "2 entries"),
        (["a", "b"], "a, b"), (True, "yes"), (1234567, "1,234,567"), (None, ""), ({"a": {"b": 1}}, "1 field"),
    ],
)  # fmt: skip
def test_what_is_nested_is_told_in_a_word_or_two(value, expected):
    assert cell({"x": value}, Column("x", "X")).text == expected


def test_long_texts_are_cut_and_kept():
    shown = cell({"x": "a" * 300}, Column("x", "X"))
    assert len(shown.text) == 80
    assert shown.full == "a" * 300
    assert dict(facts({"x": "a" * 300}, in_full=True))["X"].text == "a" * 300


def test_rows_are_sorted_as_what_they_are_and_empty_cells_come_last():
    rows = [{"n": 10}, {"n": None}, {"n": 9}, {"n": -1}]
    column = Column("n", "N", "money")
    assert [row["n"] for row in sort_rows(rows, column, descending=False)] == [-1, 9, 10, None]
    assert [row["n"] for row in sort_rows(rows, column, descending=True)] == [10, 9, -1, None]
    mixed = [{"n": "b"}, {"n": 2}, {"n": "A"}]
    assert [row["n"] for row in sort_rows(mixed, Column("n", "N"), descending=False)] == [2, "A", "b"]


def test_the_columns_are_those_of_the_view_that_some_row_has():
    views = MODULES["listInvoices"].ACTION.views
    rows = [{"DocNumber": "1", "Balance": 5, "Line": []}]
    assert [column.field for column in columns_of(views, rows, everything=False)] == ["DocNumber", "Balance"]
    assert [column.field for column in columns_of(views, rows, everything=True)] == ["DocNumber", "Balance", "Line"]
    assert [column.field for column in columns_of((), rows, everything=False)] == ["DocNumber", "Balance", "Line"]


def test_a_secret_is_masked_whatever_its_length():
    schema = QUICKBOOKS.describe()["actions"][3]["outputSchema"]
    shown = masked({"accessToken": "t" * 900, "expiresIn": 5, "metadata": {}}, schema)
    assert shown == {"accessToken": MASK, "expiresIn": 5, "metadata": {}}
    assert masked({"a": "x", "b": None}, {}) == {"a": MASK, "b": None}  # nothing is marked: everything is


def test_views_name_members_that_the_output_has():
    for action in QUICKBOOKS.describe()["actions"]:
        for view in action["views"]:
            assert view["kind"] in {"table", "aging", "breakdown", "top"}
            assert view["kind"] == "table" or view["title"]


def test_a_formula_in_a_file_is_not_run():
    assert csv_text([{"a": "=1+1", "b": -5}]) == "a,b\r\n'=1+1,-5\r\n"
