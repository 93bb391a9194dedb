"""listPaidInvoices against the emulator's books."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from emulated_companies import books
from jsonschema import Draft202012Validator

from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.catalog.paid_invoices import averages, last_payments, paid_invoice
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import IncompleteReadError

OUTPUT = Draft202012Validator(load_schema("listPaidInvoices.output.schema"))


def connect(emulator, **context):
    deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url)
    return QUICKBOOKS.connect(
        emulator.credentials(), HostContext(**context), deployment=deployment, store=MemoryStore()
    )


@pytest.fixture(scope="module")
def emulator():
    with Emulator(limits=False) as running:
        running.freeze()
        yield running


def paid_in_the_books(emulator, first, last="9999"):
    """Invoices without a balance by Id, with the day of the latest payment of the period that names them."""
    realm = emulator.credentials()["realm_id"]
    invoices, days = books(emulator, realm, "Invoice"), {}
    for payment in books(emulator, realm, "Payment").values():
        if first <= payment["TxnDate"] <= last:
            for line in payment["Line"]:
                for linked in line["LinkedTxn"]:
                    if linked["TxnType"] == "Invoice":
                        days.setdefault(linked["TxnId"], []).append(payment["TxnDate"])
    return {id_: max(found) for id_, found in days.items() if invoices[id_]["Balance"] == 0}


def test_the_rows_are_the_invoices_that_the_books_say_were_paid(emulator):
    with connect(emulator) as connection:
        found = connection.invoke("listPaidInvoices", {"paid_date_from": "2020-01-01"})
    OUTPUT.validate(found)
    expected = paid_in_the_books(emulator, "2020-01-01")
    assert len(expected) > 5
    assert {row["Id"]: row["paidDate"] for row in found["invoices"]} == expected
    for row in found["invoices"]:
        days = date.fromisoformat(row["paidDate"]) - date.fromisoformat(row["TxnDate"])
        assert row["daysToPay"] == days.days >= 0
    days = [row["paidDate"] for row in found["invoices"]]
    assert days == sorted(days, reverse=True)
    for entry in found["averages"]:
        own = [row["daysToPay"] for row in found["invoices"] if row["currency"] == entry["currency"]]
        assert entry["invoices"] == len(own)
        assert Decimal(str(entry["averageDaysToPay"])) == round(Decimal(sum(own)) / len(own), 1)


def test_without_dates_it_is_the_last_90_days_and_a_period_can_be_chosen(emulator):
    today = datetime.fromtimestamp(emulator.now(), UTC).date()
    with connect(emulator) as connection:
        recent = connection.invoke("listPaidInvoices")
        first, last = (today - timedelta(days=80)).isoformat(), (today - timedelta(days=20)).isoformat()
        period = connection.invoke("listPaidInvoices", {"paid_date_from": first, "paid_date_to": last})
        empty = connection.invoke("listPaidInvoices", {"paid_date_from": "1990-01-01", "paid_date_to": "1990-12-31"})
    assert {row["Id"] for row in recent["invoices"]} == set(paid_in_the_books(emulator, recent["metadata"]["paidFrom"]))
    assert {row["Id"] for row in period["invoices"]} == set(paid_in_the_books(emulator, first, last))
    assert (empty["invoices"], empty["averages"]) == ([], [])


def test_it_takes_few_api_calls_and_keeps_to_a_limit(emulator):
    with connect(emulator) as connection:
        found = connection.invoke("listPaidInvoices", {"paid_date_from": "2020-01-01"})
        assert found["metadata"]["apiCalls"] <= 4
        with pytest.raises(IncompleteReadError, match="max_api_calls"):
            connection.invoke("listPaidInvoices", {"paid_date_from": "2020-01-01", "max_api_calls": 1})


def test_a_row_limit_leaves_the_averages_as_they_are(emulator):
    with connect(emulator, row_limit=2) as limited, connect(emulator) as connection:
        few = limited.invoke("listPaidInvoices", {"paid_date_from": "2020-01-01"})
        every = connection.invoke("listPaidInvoices", {"paid_date_from": "2020-01-01"})
    assert few["invoices"] == every["invoices"][:2]
    assert (few["count"], few["metadata"]["mayHaveMore"], few["averages"]) == (2, True, every["averages"])


def test_the_last_payment_counts_and_other_transactions_do_not():
    def payment(day, *linked):
        return {"TxnDate": day, "Line": [{"LinkedTxn": [{"TxnId": id_, "TxnType": kind} for id_, kind in linked]}]}

    payments = [
        payment("2026-05-02", ("1", "Invoice"), ("2", "Invoice")),
        payment("2026-05-09", ("1", "Invoice"), ("3", "CreditMemo")),
        payment("2026-05-04", ("1", "Invoice")),
        {"TxnDate": "2026-05-05"},
    ]
    assert last_payments(payments) == {"1": "2026-05-09", "2": "2026-05-02"}


@pytest.mark.parametrize(
    ("changed", "days"),
    [
        ({}, 9),
        ({"TxnDate": "2026-05-12"}, 0),
        ({"Balance": 0.01}, None),
        ({"TotalAmt": 0}, None),
        ({"TxnDate": None}, None),
    ],
)
def test_an_invoice_counts_if_it_is_paid_in_full(changed, days):
    invoice = {"Id": "1", "TxnDate": "2026-05-01", "Balance": 0, "TotalAmt": 12.5} | changed
    row = paid_invoice(invoice, "2026-05-10")
    assert (row and row["daysToPay"]) == days


def test_averages_are_by_currency():
    rows = [{"currency": unit, "daysToPay": days} for unit, days in (("USD", 1), ("USD", 2), ("USD", 2), (None, 7))]
    assert averages(rows) == [
        {"currency": None, "invoices": 1, "averageDaysToPay": 7.0},
        {"currency": "USD", "invoices": 3, "averageDaysToPay": 1.7},
    ]
