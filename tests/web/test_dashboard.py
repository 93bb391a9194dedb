"""The arithmetic of dashboards: exact, by currency, and each row in one bar."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.catalog.dashboard import DASHBOARD
from vantage_quickbooks.web.dashboard import sums_of

TODAY = date(2026, 5, 20)
TILES = {tile["id"]: tile for tile in DASHBOARD["tiles"]}


def figures(tile, rows, result=None, today=TODAY):
    found = sums_of(tile, today)
    for row in rows:
        found.add(row)
    links = []

    def make_url(link, row, count):
        links.append((link, dict(row), count))
        return f"/{len(links)}"

    shown = {figure.currency: figure for figure in found.figures(result or {}, make_url)}
    return shown, links


def invoice(balance, days_due, currency="USD", customer="1", total=None):
    """An unpaid invoice that is due so many days from today; None has no due date."""
    due = None if days_due is None else (TODAY + timedelta(days=days_due)).isoformat()
    overdue = days_due is not None and days_due < 0
    return {
        "Balance": balance, "TotalAmt": total or balance, "DueDate": due, "currency": currency,
        "paymentStatus": "overdue" if overdue else "open", "CustomerRef": {"value": customer},
        "customerName": f"Customer {customer}",
    }  # fmt: skip


INVOICES = st.lists(
    st.builds(
        invoice,
        st.integers(1, 10**11).map(lambda cents: cents / 100),
        st.one_of(st.none(), st.integers(-400, 400)),
        st.sampled_from(["USD", "EUR", "JPY"]),
        st.sampled_from("123456789"),
    ),
    max_size=40,
)


@given(INVOICES)
def test_ages_and_customers_add_up_to_what_is_outstanding_in_each_currency(rows):
    expected = {}
    for row in rows:
        expected[row["currency"]] = expected.get(row["currency"], Decimal(0)) + Decimal(str(row["Balance"]))
    outstanding, _ = figures(TILES["outstanding"], rows)
    assert {name: figure.value for name, figure in outstanding.items() if figure.value is not None} == expected
    for tile in ("ages", "customers"):
        found, _ = figures(TILES[tile], rows)
        assert {name: sum(bar.value for bar in figure.bars) for name, figure in found.items()} == expected
        assert {name: figure.value for name, figure in found.items()} == expected
        assert sum(bar.count for figure in found.values() for bar in figure.bars) == len(rows)
    overdue, _ = figures(TILES["overdue"], rows)
    ages, _ = figures(TILES["ages"], rows)
    for name, figure in ages.items():
        late = sum(bar.value for bar in figure.bars if bar.label not in {"Not due yet", "Without a due date"})
        assert late == (overdue[name].value if name in overdue else 0)


@given(INVOICES)
def test_shares_make_a_whole_and_lie_side_by_side(rows):
    found, _ = figures(TILES["statuses"], rows)
    for figure in found.values():
        assert sum(bar.value for bar in figure.bars) == figure.value
        end = 0.0
        for bar in figure.bars:
            assert bar.offset == pytest.approx(end, abs=0.01)
            end += bar.share
        assert end == pytest.approx(100, abs=2)  # each part is visible


@pytest.mark.parametrize(
    ("days", "label"),
    [(0, 0), (400, 0), (-1, 1), (-30, 1), (-31, 2), (-60, 2), (-61, 3), (-90, 3), (-91, 4), (None, 5)],
)
def test_an_invoice_is_in_the_bar_of_its_age(days, label):
    found, _ = figures(TILES["ages"], [invoice(10.5, days)])
    assert [bar.count for bar in found["USD"].bars].index(1) == label
    assert found["USD"].bars[label].text == "10.50"


def test_what_is_due_today_is_due_in_7_days_and_not_overdue():
    rows = [invoice(1.1, days) for days in (-1, 0, 7, 8, 30, 31)]
    texts = {name: figures(TILES[name], rows)[0]["USD"].text for name in ("overdue", "dueIn7Days", "dueIn30Days")}
    assert texts == {"overdue": "1.10", "dueIn7Days": "2.20", "dueIn30Days": "4.40"}


def test_currencies_have_the_same_order_in_all_tiles_and_are_never_added():
    rows = [invoice(1, 5, "USD"), invoice(2, 5, "USD"), invoice(300, -5, "EUR"), invoice(9, -5, "CAD")]
    for name in ("outstanding", "ages", "customers", "statuses"):
        assert list(figures(TILES[name], rows)[0]) == ["USD", "CAD", "EUR"]
    assert list(figures(TILES["overdue"], rows)[0]) == ["CAD", "EUR"]


def test_a_link_leads_to_the_rows_of_all_currencies_so_it_counts_them():
    rows = [invoice(1, 5, "USD", "7"), invoice(2, 5, "EUR", "7"), invoice(3, 5, "EUR", "8")]
    _, links = figures(TILES["customers"], rows)
    of_parts = [(row["CustomerRef.value"], count) for link, row, count in links if "rowInput" in link]
    assert sorted(of_parts) == [("7", 2), ("7", 2), ("8", 1)]
    assert {count for link, _, count in links if "rowInput" not in link} == {3}


def test_names_without_a_bar_of_their_own_are_in_one_line():
    rows = [invoice(100 - number, 5, customer=str(number)) for number in range(10)]
    bars = figures(TILES["customers"], rows)[0]["USD"].bars
    assert [bar.label for bar in bars] == [*(f"Customer {number}" for number in range(6)), "4 others"]
    assert (bars[-1].value, bars[-1].count, bars[-1].is_rest) == (94 + 93 + 92 + 91, 4, True)


def test_an_average_of_no_rows_is_not_a_number():
    tile = TILES["daysToPay"]
    (figure,) = figures(tile, [])[0].values()
    assert (figure.value, figure.text) == (None, "")
    rows = [{"daysToPay": days, "currency": "USD"} for days in (10, 11, 11)]
    assert figures(tile, rows)[0]["USD"].text == "10.7 days"
    assert figures(tile, [{"daysToPay": 1, "currency": "USD"}])[0]["USD"].text == "1 day"


def month(number, income, expenses):
    return {"field": f"m{number}", "label": f"Month {number}", "startDate": f"2026-{number:02}-01"}, income, expenses


def profit(*months):
    columns = [{"field": "account", "label": "", "startDate": None}, *(column for column, _, _ in months)]
    rows = []
    for group, place in (("Income", 1), ("Expenses", 2)):
        amounts = {it[0]["field"]: it[place] for it in months}
        rows += [{"rowKind": kind, "rowGroup": group, "rowNumber": 9} | amounts for kind in ("data", "summary")]
    return figures(TILES["profit"], rows, {"columns": columns, "metadata": {"currency": "USD"}})[0]


def test_income_and_expenses_are_added_up_by_month_from_the_rows_that_add_up():
    figure = profit(month(1, 100.1, 30), month(2, None, 40.05))["USD"]
    assert [(period.label, period.texts, period.net) for period in figure.periods] == [
        ("Jan", ("100.10", "30.00"), "70.10"),
        ("Feb", ("0.00", "40.05"), "\N{MINUS SIGN}40.05"),
    ]
    assert figure.series == (("Income", "good", "100.10"), ("Expenses", "notice", "70.05"))
    assert (figure.value, figure.zero) == (Decimal("30.05"), 100.0)


def test_negative_months_hang_below_the_zero_line():
    figure = profit(month(1, 100, 0), month(2, -50, 0))["USD"]
    assert figure.zero == pytest.approx(66.67)
    _, top, height = figure.periods[1].columns[0]
    assert (top, height) == (pytest.approx(66.67), pytest.approx(33.33))


def test_months_before_the_first_amount_are_left_out_but_six_remain():
    months = [month(number, 0, 0) for number in range(1, 12)]
    assert profit(*months) == {}
    assert len(profit(*months, month(12, 5, 0))["USD"].periods) == 6
    assert len(profit(*months[:3], month(4, 1, 0), *months[4:])["USD"].periods) == 8


def test_rows_without_an_amount_do_not_count_and_unknown_kinds_are_left_out():
    rows = [{"Balance": None}, {"Balance": True}, {"Balance": "x"}, {"Balance": "NaN"}, {}]
    assert figures(TILES["ages"], rows)[0] == {}
    assert sums_of({"kind": "hologram"}, TODAY) is None


def test_a_number_can_be_a_count_or_a_member_of_the_result():
    count = {"kind": "number", "where": [{"field": "age", "above": 3}]}
    assert figures(count, [{"age": 3}, {"age": 4}, {"age": 5}])[0][""].text == "2"
    path = {"kind": "number", "value": {"path": "totals.due"}, "currency": "totals.unit", "format": "money"}
    assert figures(path, [], {"totals": {"due": "12.5", "unit": "EUR"}})[0]["EUR"].text == "12.50"
    assert figures(path, [], {"totals": {}})[0] == {}
