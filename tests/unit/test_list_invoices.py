"""The rules of listing invoices that need no network: payment status and sums."""

from __future__ import annotations

import decimal
import json
from datetime import date
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoice_records import invoice, invoices

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.flat_fields import flat_fields_reader
from vantage_quickbooks.catalog.invoices import STATUSES, summarize
from vantage_quickbooks.errors import UnexpectedResponseError

TODAY = date(2026, 10, 1)
derived = flat_fields_reader(ACTIONS["listInvoices"].resource)


# ---- payment status -------------------------------------------------------------------------------------------------

YESTERDAY, TOMORROW = "2026-09-30", "2026-10-02"


@pytest.mark.parametrize(
    ("record", "status", "days"),
    [
        (invoice(100, 0), "paid", 0),
        (invoice(100, 0, YESTERDAY), "paid", 0),
        (invoice(100, 0, YESTERDAY, "Voided"), "paid", 0),
        (invoice(100, -5, YESTERDAY), "paid", 0),
        (invoice(100.00, 0.00), "paid", 0),
        (invoice(100, 100), "open", 0),
        (invoice(100, 100, TOMORROW), "open", 0),
        (invoice(100, 100, TODAY.isoformat()), "open", 0),
        (invoice(100, 100, YESTERDAY), "overdue", 1),
        (invoice(100, 40, YESTERDAY), "overdue", 1),
        (invoice(100, 0.01, "2025-10-01"), "overdue", 365),
        (invoice(100, 40), "partiallyPaid", 0),
        (invoice(100, 40, TOMORROW), "partiallyPaid", 0),
        (invoice(100, 99.99, TODAY.isoformat()), "partiallyPaid", 0),
        (invoice(100, 150), "open", 0),
        (invoice(0, 0), "paid", 0),
        (invoice(0, 0, YESTERDAY), "paid", 0),
        (invoice(0, 0, note="100 % discount for a friend"), "paid", 0),
        (invoice(0, 0, note="Voided"), "voided", 0),
        (invoice(0, 0, note="Voided - duplicate of 1037"), "voided", 0),
        (invoice(0, 0, YESTERDAY, "Voided"), "voided", 0),
        (invoice(0, 0, note="Not Voided"), "paid", 0),
        (invoice(0, 0, note="voided"), "paid", 0),
        (invoice(0, 0, note=None, PrivateNote=None), "paid", 0),
        (invoice(100, 100, "soon"), "open", 0),
        (invoice(100, 100, DueDate=None), "open", 0),
        (invoice(100, 100, DueDate=20261001), "open", 0),
    ],
)
def test_the_state_of_payment_follows_from_amounts_due_date_and_note(record, status, days):
    assert (derived(record, TODAY)["paymentStatus"], derived(record, TODAY)["daysOverdue"]) == (status, days)


def test_the_flat_names_come_from_the_references():
    record = invoice(1, 1, CustomerRef={"value": "24", "name": "Pine"}, CurrencyRef={"value": "EUR", "name": "Euro"})
    assert (derived(record, TODAY)["customerName"], derived(record, TODAY)["currency"]) == ("Pine", "EUR")
    bare = invoice(1, 1, CustomerRef={"value": "24"}, CurrencyRef=None)
    assert (derived(bare, TODAY)["customerName"], derived(bare, TODAY)["currency"]) == (None, None)


@pytest.mark.parametrize("amount", [None, "100.00", True, [], {}])
@pytest.mark.parametrize("key", ["TotalAmt", "Balance"])
def test_an_invoice_without_amounts_is_not_guessed_at(key, amount):
    record = invoice(100, 100) | {key: amount}
    with pytest.raises(UnexpectedResponseError, match=key):
        derived(record, TODAY)
    del record[key]
    with pytest.raises(UnexpectedResponseError, match=key):
        derived(record, TODAY)


@given(invoices, st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_every_invoice_has_one_state_and_only_overdue_ones_have_days(record, today):
    fact = derived(record, today)
    assert fact["paymentStatus"] in STATUSES
    assert (fact["daysOverdue"] > 0) == (fact["paymentStatus"] == "overdue")
    assert (record["Balance"] > 0) == (fact["paymentStatus"] in {"overdue", "open", "partiallyPaid"})


# ---- sums -----------------------------------------------------------------------------------------------------------


def summed(*records, today=TODAY):
    return summarize([(record, derived(record, today)) for record in records])


def euros(total, balance, **more):
    return invoice(total, balance, CurrencyRef={"value": "EUR"}, **more)


def test_ten_cents_and_twenty_cents_are_thirty():
    (group,) = summed(euros(0.1, 0.1), euros(0.2, 0.2))["byCurrency"]
    assert (group["total"], group["outstanding"]) == ("0.30", "0.30")


@pytest.mark.parametrize(
    ("amounts", "text"),
    [
        ([], None),
        ([0], "0.00"),
        ([639.00], "639.00"),
        ([4.5], "4.50"),
        ([1000000.01] * 3, "3000000.03"),
        ([0.01] * 1000, "10.00"),
        ([12.345], "12.345"),
        ([0.125, 0.125], "0.25"),
        ([100], "100.00"),
        ([1e21], "1000000000000000000000.00"),
        ([1e30, 0.01], "1000000000000000000000000000000.01"),
        ([9007199254740993], "9007199254740993.00"),
    ],
)
def test_sums_are_decimal_texts_with_cents_where_there_are_no_smaller_parts(amounts, text):
    groups = summed(*(euros(amount, amount) for amount in amounts))["byCurrency"]
    assert [group["outstanding"] for group in groups] == ([] if text is None else [text])


def test_currencies_are_never_added_up():
    dollars = {"CurrencyRef": {"value": "USD"}}
    result = summed(invoice(10, 10, **dollars), euros(20, 5, due=YESTERDAY), invoice(30, 0, **dollars), invoice(7, 7))
    assert result == {
        "scope": "page",
        "byCurrency": [
            {
                "currency": None,
                "count": 1,
                "total": "7.00",
                "outstanding": "7.00",
                "byStatus": [{"status": "open", "count": 1, "total": "7.00", "outstanding": "7.00"}],
            },
            {
                "currency": "EUR",
                "count": 1,
                "total": "20.00",
                "outstanding": "5.00",
                "byStatus": [{"status": "overdue", "count": 1, "total": "20.00", "outstanding": "5.00"}],
            },
            {
                "currency": "USD",
                "count": 2,
                "total": "40.00",
                "outstanding": "10.00",
                "byStatus": [
                    {"status": "paid", "count": 1, "total": "30.00", "outstanding": "0.00"},
                    {"status": "open", "count": 1, "total": "10.00", "outstanding": "10.00"},
                ],
            },
        ],
    }


@given(st.lists(invoices, max_size=30), st.integers(1, 28), st.sampled_from([True, False]))
def test_sums_are_exact_with_any_decimal_context_of_the_host(records, precision, traps):
    """Compared with sums of integer cents; a context with few digits, or one that traps rounding, changes nothing."""
    with decimal.localcontext(decimal.Context(prec=precision, traps=[decimal.Inexact] if traps else [])):
        groups = summed(*records)["byCurrency"]
    for group in groups:
        mine = [record for record in records if record["CurrencyRef"]["value"] == group["currency"]]
        assert len(mine) == group["count"]
        for key, member in (("TotalAmt", "total"), ("Balance", "outstanding")):
            assert Decimal(group[member]) * 100 == sum(round(record[key] * 100) for record in mine)
            assert Decimal(group[member]) == sum(Decimal(status[member]) for status in group["byStatus"])
        assert sum(status["count"] for status in group["byStatus"]) == group["count"]
        assert [s["status"] for s in group["byStatus"]] == sorted(
            (s["status"] for s in group["byStatus"]), key=STATUSES.index
        )
    assert sum(group["count"] for group in groups) == len(records)


@given(st.lists(invoices, max_size=10))
def test_a_summary_is_plain_json(records):
    result = summed(*records)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize("spelling", [b"639.00", b"0", b"0.10", b"4.5", b"1e2", b"12345678901234.56"])
def test_money_keeps_its_digits_from_the_wire_to_the_sum(spelling):
    record = euros(orjson.loads(spelling), orjson.loads(spelling))
    (group,) = summed(record)["byCurrency"]
    assert Decimal(group["outstanding"]) == Decimal(spelling.decode())
