"""Display of values."""

from __future__ import annotations

from decimal import Decimal

import pytest

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.tabular import csv_text
from vantage_quickbooks.web.formatting import (
    MASK,
    Column,
    RowFields,
    cell,
    columns_of,
    facts,
    instant,
    instants,
    masked,
    money,
    sort_key,
    words,
)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("1234.5", "USD", "1,234.50"), ("-0.1", "EUR", "−0.10"), ("1500", "JPY", "1,500"),  # noqa: RUF001
        ("1.5", "KWD", "1.500"), ("0.125", "USD", "0.125"), ("0", "", "0.00"), ("1E+3", "USD", "1,000.00"),
    ],
)  # fmt: skip
def test_money_has_the_decimals_of_its_currency_and_loses_none(amount, currency, expected):
    assert money(Decimal(amount), currency) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-03", "3 Nov 2026"), ("2026-11-22T11:52:12-08:00", "22 Nov 2026, 19:52 UTC"),
        ("2026-11-23T08:37:48.542Z", "23 Nov 2026, 08:37 UTC"), ("2026-02-30", "2026-02-30"), ("1037", "1037"),
    ],
)  # fmt: skip
def test_dates_are_readable(text, expected):
    assert instant(text) == expected
    assert instants(f"until {text}.") in {f"until {expected}.", f"until {text}."}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("daysOverdue", "Days overdue"), ("TotalAmt", "Total amt"), ("realmId", "Realm ID"), ("Id", "ID"),
     ("apiCalls", "API calls"), ("GSTIN", "GSTIN"), ("clock_skew", "Clock skew"), ("", "")],
)  # fmt: skip
def test_names_become_labels(name, expected):
    assert words(name) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"value": "24", "name": "Amy"}, "Amy"), ({"Address": "a@b.example"}, "a@b.example"), ({}, ""), ([], ""),
        ({"Id": "7", "Line1": "1 Way", "City": "Bath"}, "1 Way, Bath"), ([{"name": "x"}], "x"), ([{}, {}], "2 entries"),
        (["a", "b"], "a, b"), (True, "yes"), (1234567, "1,234,567"), (None, ""), ({"a": {"b": 1}}, "1 field"),
    ],
)  # fmt: skip
def test_nested_values_have_a_short_text(value, expected):
    assert cell({"x": value}, Column("x", "X")).text == expected


def test_long_texts_are_shortened_and_kept_in_full():
    shown = cell({"x": "a" * 300}, Column("x", "X"))
    assert len(shown.text) == 80
    assert shown.full == "a" * 300
    assert dict(facts({"x": "a" * 300}, in_full=True))["X"].text == "a" * 300


def fields_of_rows(rows, views=()):
    fields = RowFields({"views": views})
    for row in rows:
        fields.add(row)
    return fields


def test_columns_are_those_of_the_view_with_values():
    views = ACTIONS["listInvoices"].action.views
    rows = [{"DocNumber": "1", "Balance": 5, "Line": []}]
    fields = fields_of_rows(rows, views)
    assert [column.field for column in columns_of(fields, show_all=False)] == ["DocNumber", "Balance"]
    assert [column.field for column in columns_of(fields, show_all=True)] == ["DocNumber", "Balance", "Line"]
    assert [column.field for column in columns_of(fields_of_rows(rows), show_all=False)] == [
        "DocNumber",
        "Balance",
        "Line",
    ]


def test_a_column_is_numeric_if_all_its_values_are():
    rows = [{"n": 1, "m": 1, "b": True}, {"n": None, "m": "1"}, {"n": 2.5}]
    formats = {column.field: column.format for column in columns_of(fields_of_rows(rows), show_all=True)}
    assert formats == {"n": "number", "m": "", "b": ""}


def customer(balance, currency):
    return {"customerName": "A", "Balance": balance, "CurrencyRef": {"value": currency} if currency else None}


def test_a_single_currency_is_in_the_heading():
    rows = [customer(5, "EUR"), customer(None, "USD")]
    *_, balance = columns_of(fields_of_rows(rows, ACTIONS["listCustomers"].action.views), show_all=False)
    assert (balance.label, cell(rows[0], balance).text) == ("Balance (EUR)", "5.00")


def test_several_currencies_are_in_the_cells_and_sorted_separately():
    rows = [customer(5, "USD"), customer(300, "JPY"), customer(1, None)]
    *_, balance = columns_of(fields_of_rows(rows, ACTIONS["listCustomers"].action.views), show_all=False)
    assert balance.label == "Balance"
    cells = [cell(row, balance) for row in rows]
    assert [shown.text for shown in cells] == ["5.00\xa0USD", "300\xa0JPY", "1.00"]
    assert [(shown.unit, sort_key(shown)) for shown in cells] == [("USD", 5.0), ("JPY", 300.0), ("", 1.0)]


def test_a_currency_column_replaces_currencies_in_cells_but_not_in_sorting():
    rows = [{"Balance": 5, "currency": "USD"}, {"Balance": 300, "currency": "JPY"}]
    balance, _ = columns_of(fields_of_rows(rows, ACTIONS["listInvoices"].action.views), show_all=False)
    cells = [cell(row, balance) for row in rows]
    assert [shown.text for shown in cells] == ["5.00", "300"]
    assert [(shown.unit, sort_key(shown)) for shown in cells] == [("USD", 5.0), ("JPY", 300.0)]


def test_the_mask_of_a_secret_has_a_fixed_length():
    schema = QUICKBOOKS.describe()["actions"][3]["outputSchema"]
    shown = masked({"accessToken": "t" * 900, "expiresIn": 5, "metadata": {}}, schema)
    assert shown == {"accessToken": MASK, "expiresIn": 5, "metadata": {}}
    assert masked({"a": "x", "b": None}, {}) == {"a": MASK, "b": None}  # nothing is marked: everything is


def test_views_are_of_known_kinds():
    for action in QUICKBOOKS.describe()["actions"]:
        for view in action["views"]:
            has_title = view["kind"] in {"aging", "breakdown", "top"}
            assert has_title or view["kind"] in {"table", "record", "outline"}
            assert not has_title or view["title"]


def test_a_formula_in_a_csv_is_escaped():
    assert csv_text([{"a": "=1+1", "b": -5}]) == "a,b\r\n'=1+1,-5\r\n"
