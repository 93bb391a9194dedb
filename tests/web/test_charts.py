"""Charts: exact sums, never across currencies, and nothing is lost."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.web.charts import ROW, WIDTH, build_charts

VIEWS = ACTIONS["listInvoices"].action.views


def invoice(balance, days=0, currency="USD", status="open", name="Amy", total=None):
    total = balance if total is None else total
    return {"Balance": balance, "TotalAmt": total, "daysOverdue": days, "currency": currency,
            "paymentStatus": status, "customerName": name}  # fmt: skip


def bars(rows, title, currency="USD"):
    chart_group = next(chart_group for chart_group in build_charts(rows, VIEWS) if chart_group.title == title)
    chart = next(chart for chart in chart_group.charts if chart.currency == currency)
    return {bar.label: bar.amount for bar in chart.bars}


@pytest.mark.parametrize(
    ("days", "age"),
    [(0, "Current"), (1, "1–30 days"), (30, "1–30 days"), (31, "31–60 days"), (60, "31–60 days"),  # noqa: RUF001
     (61, "61–90 days"), (90, "61–90 days"), (91, "Over 90 days"), (10_000, "Over 90 days")],  # noqa: RUF001
)  # fmt: skip
def test_age_ranges_have_no_gap(days, age):
    found = bars([invoice(10, days)], "Receivables by age")
    assert list(found) == ["Current", "1–30 days", "31–60 days", "61–90 days", "Over 90 days"]  # noqa: RUF001
    assert {label for label, amount in found.items() if amount} == {age}


def test_each_currency_has_its_own_chart_in_the_same_order():
    rows = [invoice(5, currency="EUR"), invoice(1), invoice(2), invoice(3, currency=None)]
    for chart_group in build_charts(rows, VIEWS):
        assert [chart.currency for chart in chart_group.charts] == ["USD", "", "EUR"]


def test_sums_are_exact():
    rows = [invoice(0.1), invoice(0.2)]
    assert bars(rows, "Receivables by age")["Current"] == Decimal("0.3")


def test_the_outstanding_part_is_shown_separately():
    rows = [invoice(40, status="partiallyPaid", total=100), invoice(0, status="paid", total=50)]
    chart_group = next(chart_group for chart_group in build_charts(rows, VIEWS) if chart_group.part_label)
    (chart,) = chart_group.charts
    paid, partly = chart.bars
    assert (paid.label, paid.text, paid.part_text, paid.part_width) == ("paid", "50.00", "0.00", None)
    assert (partly.label, partly.width, partly.part_width) == ("partly paid", WIDTH, WIDTH * 0.4)
    assert chart.summary == "Invoices by payment status, USD: paid 50.00; partly paid 100.00."


def test_rows_beyond_the_limit_are_summed_as_others():
    rows = [invoice(number, name=f"Customer {number}") for number in range(1, 13)]
    found = bars(rows, "Top customers by balance")
    assert list(found)[:2] == ["Customer 12", "Customer 11"]
    assert found["4 others"] == 1 + 2 + 3 + 4
    assert sum(found.values()) == sum(range(1, 13))


@pytest.mark.parametrize("rows", [[], [{}], [{"Balance": "12"}], [{"Balance": True, "daysOverdue": 1}]])
def test_rows_without_the_fields_have_no_chart(rows):
    assert build_charts(rows, VIEWS) == []


def test_unknown_views_are_left_out():
    assert build_charts([invoice(1)], [{"kind": "hologram"}]) == []


AMOUNTS = st.integers(-(10**9), 10**12) | st.floats(-1e9, 1e12, allow_nan=False)


@given(st.lists(st.builds(invoice, AMOUNTS, st.integers(0, 200), st.sampled_from(["USD", "JPY", None]),
                          st.sampled_from(["paid", "open", "new"]), st.text(max_size=40))))  # fmt: skip
def test_bars_fit_the_chart_and_add_up(rows):
    for chart_group in build_charts(rows, VIEWS):
        for chart in chart_group.charts:
            assert chart.height == len(chart.bars) * ROW
            for bar in chart.bars:
                assert 0 <= bar.width <= WIDTH
                assert bar.part_width is None or bar.part_width >= 0
                assert len(bar.short) <= 26
    with localcontext(Context(prec=1000)):  # in 28 digits, the order of adding shows
        if rows and (chart_groups := build_charts(rows, VIEWS)):
            shown = sum((bar.amount for chart_group in chart_groups if chart_group.title == "Receivables by age"
                         for chart in chart_group.charts for bar in chart.bars), Decimal(0))  # fmt: skip
            assert shown == sum((Decimal(str(row["Balance"])) for row in rows), Decimal(0))
