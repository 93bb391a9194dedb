"""Statuses of bills, estimates and purchase orders."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoice_records import invoice, invoices

from vantage_quickbooks.catalog import statuses
from vantage_quickbooks.catalog.invoices import STATUSES, bill_payment, invoice_payment, payment_prefilter, summarize
from vantage_quickbooks.core import query
from vantage_quickbooks.emulator.query import parser
from vantage_quickbooks.errors import UnexpectedResponseError

TODAY = date(2026, 10, 1)
YESTERDAY = "2026-09-30"


@pytest.mark.parametrize(
    ("bill", "status", "days"),
    [
        (invoice(100, 0, YESTERDAY), "paid", 0),
        (invoice(0, 0, note="Voided"), "paid", 0),
        (invoice(100, 100), "open", 0),
        (invoice(100, 100, TODAY.isoformat()), "open", 0),
        (invoice(100, 40), "partiallyPaid", 0),
        (invoice(100, 40, YESTERDAY), "overdue", 1),
        (invoice(100, 100, "soon"), "open", 0),
    ],
)
def test_the_payment_status_of_a_bill_follows_from_amounts_and_due_date(bill, status, days):
    assert bill_payment(bill, TODAY) == {"paymentStatus": status, "daysOverdue": days}


@given(invoices, st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_bills_and_invoices_have_the_same_status_unless_the_invoice_is_voided(record, today):
    of_invoice, of_bill = invoice_payment(record, today), bill_payment(record, today)
    assert of_bill["paymentStatus"] in statuses.BILL_PAYMENT.values
    if of_invoice["paymentStatus"] == "voided":
        assert of_bill["paymentStatus"] == "paid"
        assert record["TotalAmt"] == 0
    else:
        assert of_bill == of_invoice


@pytest.mark.parametrize("key", ["TotalAmt", "Balance"])
@pytest.mark.parametrize(("compute", "entity"), [(bill_payment, "Bill"), (invoice_payment, "Invoice")])
def test_a_record_without_amounts_has_no_status_and_the_error_names_it(compute, entity, key):
    record = invoice(100, 100)
    del record[key]
    with pytest.raises(UnexpectedResponseError, match=f"{entity} 1 has no {key}"):
        compute(record, TODAY)


@given(
    invoices,
    st.integers(-3, 3),
    st.integers(-12, 14),
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001
)
def test_no_bill_of_a_status_fails_the_conditions_that_look_for_it(record, days, zone, utc):
    """In any zone: the company's day may be one ahead of UTC's, and is not known when QuickBooks is asked."""
    record |= {"DueDate": (utc.date() + timedelta(days=days)).isoformat()}
    status = bill_payment(record, (utc + timedelta(hours=zone)).date())["paymentStatus"]
    where = payment_prefilter(status, utc.date())
    for condition in parser.parse(str(query.Select("Bill", where=where))).where:
        value = condition.values[0].text
        if condition.name == "Balance":
            left, right = Decimal(str(record["Balance"])), Decimal(value)
        else:
            left, right = record[condition.name], value
        assert {"<=": left <= right, ">": left > right, "<": left < right}[condition.operator]


def test_bills_are_summed_like_invoices():
    bills = [invoice(0.1, 0.1), invoice(0.2, 0.2, YESTERDAY)]
    rows = [(bill, {"currency": "USD", **bill_payment(bill, TODAY)}) for bill in bills]
    (group,) = summarize(rows, "all")["byCurrency"]
    assert (group["count"], group["total"], group["outstanding"]) == (2, "0.30", "0.30")
    assert [part["status"] for part in group["byStatus"]] == ["open", "overdue"]


def test_the_schema_of_a_summary_names_the_statuses_in_their_order():
    assert statuses.summary_defs(statuses.INVOICE_PAYMENT, "invoices")["statusSums"]["properties"]["status"][
        "enum"
    ] == [*STATUSES]
    of_bills = statuses.summary_defs(statuses.BILL_PAYMENT, "bills")
    assert of_bills["statusSums"]["properties"]["status"]["enum"] == ["paid", "partiallyPaid", "open", "overdue"]
    assert of_bills["currencySums"]["properties"]["count"]["description"] == "Bills counted here."


@pytest.mark.parametrize(
    ("estimate", "status", "is_expired"),
    [
        ({"TxnStatus": "Pending"}, "pending", False),
        ({"TxnStatus": "Pending", "ExpirationDate": YESTERDAY}, "pending", True),
        ({"TxnStatus": "Pending", "ExpirationDate": TODAY.isoformat()}, "pending", False),
        ({"TxnStatus": "Accepted", "ExpirationDate": YESTERDAY}, "accepted", False),
        ({"TxnStatus": "Closed"}, "closed", False),
        ({"TxnStatus": "Rejected"}, "rejected", False),
        ({"TxnStatus": "Converted"}, None, False),
        ({"TxnStatus": None, "ExpirationDate": YESTERDAY}, None, False),
        ({"TxnStatus": 1, "ExpirationDate": 20260930}, None, False),
        ({}, None, False),
    ],
)
def test_the_status_of_an_estimate_is_intuits_word_and_only_pending_ones_expire(estimate, status, is_expired):
    assert statuses.ESTIMATE.compute(estimate, TODAY) == {"estimateStatus": status, "isExpired": is_expired}


@pytest.mark.parametrize(
    ("order", "status"), [({"POStatus": "Open"}, "open"), ({"POStatus": "Closed"}, "closed"), ({}, None)]
)
def test_the_status_of_a_purchase_order_is_intuits_word(order, status):
    assert statuses.PURCHASE_ORDER.compute(order, TODAY) == {"orderStatus": status}


@pytest.mark.parametrize("status", [statuses.ESTIMATE, statuses.PURCHASE_ORDER], ids=["estimate", "purchase order"])
def test_what_quickbooks_cannot_filter_by_is_not_in_a_condition(status):
    assert {status.prefilter(value, TODAY) for value in status.values} == {()}
