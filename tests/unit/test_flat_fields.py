"""Flat fields of every kind of record: where their values come from, and what happens where there is none."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.catalog.flat_fields import flat_fields_reader
from vantage_quickbooks.catalog.resources import RESOURCES

TODAY = date(2026, 10, 1)
ROWS = {resource.entity: resource for resource in RESOURCES}


def flat(entity, record):
    return flat_fields_reader(ROWS[entity])(record, TODAY)


@pytest.mark.parametrize(
    ("entity", "record", "expected"),
    [
        ("Vendor", {"CompanyName": "Norton Ltd"}, {"vendorName": "Norton Ltd", "email": None}),
        ("Vendor", {"DisplayName": "Norton", "CompanyName": "Norton Ltd"}, {"vendorName": "Norton"}),
        ("Payment", {"UnappliedAmt": 0, "CustomerRef": {"value": "1"}}, {"unappliedAmount": 0, "customerName": None}),
        (
            "Payment",
            {"UnappliedAmt": 12.5, "CustomerRef": {"name": "Amy"}},
            {"unappliedAmount": 12.5, "customerName": "Amy"},
        ),
        ("CreditMemo", {"RemainingCredit": 0, "Balance": 7}, {"remainingCredit": 0}),
        ("CreditMemo", {"Balance": 7}, {"remainingCredit": 7}),
        (
            "BillPayment",
            {"CheckPayment": {"BankAccountRef": {"value": "35", "name": "Checking"}}},
            {"paymentAccountName": "Checking"},
        ),
        (
            "BillPayment",
            {"CheckPayment": {}, "CreditCardPayment": {"CCAccountRef": {"name": "Mastercard"}}},
            {"paymentAccountName": "Mastercard"},
        ),
        (
            "Item",
            {"FullyQualifiedName": "Design:Garden:Pond"},
            {"itemName": "Design:Garden:Pond", "parentName": "Design:Garden"},
        ),
        ("Item", {"FullyQualifiedName": "Design", "Name": "Design"}, {"itemName": "Design", "parentName": None}),
        ("Item", {"ParentRef": {"value": "7"}}, {"itemName": None, "parentName": None, "parentId": "7"}),
        ("TimeActivity", {"VendorRef": {"name": "Norton"}}, {"workerName": "Norton"}),
        ("TimeActivity", {"EmployeeRef": {"name": "Emily"}, "VendorRef": {"name": "Norton"}}, {"workerName": "Emily"}),
        (
            "Attachable",
            {"AttachableRef": [{"EntityRef": {"type": "Invoice", "value": "130"}}]},
            {"linkedType": "Invoice", "linkedId": "130"},
        ),
        ("Attachable", {"AttachableRef": []}, {"linkedType": None, "linkedId": None}),
        ("Attachable", {"AttachableRef": [{}]}, {"linkedType": None, "linkedId": None}),
        (
            "ExchangeRate",
            {"SourceCurrencyCode": "EUR", "TargetCurrencyCode": "USD"},
            {"currency": "EUR", "homeCurrency": "USD"},
        ),
        (
            "Preferences",
            {"CurrencyPrefs": {"MultiCurrencyEnabled": False}},
            {"usesMulticurrency": False, "homeCurrency": None},
        ),
    ],
)
def test_flat_fields_come_from_the_first_place_that_has_a_value(entity, record, expected):
    values = flat(entity, record)
    assert {name: values[name] for name in expected} == expected


def test_templates_of_recurring_transactions_are_read_inside_their_type():
    schedule = {"IntervalType": "Monthly", "NextDate": "2026-11-01"}
    info = {"Name": "Rent", "Active": True, "RecurType": "Automated", "ScheduleInfo": schedule}
    record = {"Bill": {"Id": "9", "TotalAmt": 900.0, "VendorRef": {"name": "Landlord"}, "RecurringInfo": info}}
    assert flat("RecurringTransaction", record) == {
        "templateId": "9",
        "templateType": "Bill",
        "templateName": "Rent",
        "isActive": True,
        "recurrence": "Automated",
        "interval": "Monthly",
        "nextDate": "2026-11-01",
        "amount": 900.0,
        "partyName": "Landlord",
        "currency": None,
    }
    assert set(flat("RecurringTransaction", {}).values()) == {None}


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["value", "name", "Address"]), inner),
    max_leaves=6,
)


@given(st.data())
def test_any_record_can_be_read(data):
    """Members may be missing, empty or of another type than the schema's: the fields are there, in order."""
    resource = data.draw(st.sampled_from(RESOURCES))
    record = data.draw(st.dictionaries(st.sampled_from([known.name for known in resource.properties]), _values))
    if resource.summarize:  # a payment status needs amounts
        record |= {"TotalAmt": 10, "Balance": data.draw(st.sampled_from([0, 5, 10]))}
    values = flat_fields_reader(resource)(record, TODAY)
    assert list(values) == [field.name for field in resource.flat_fields]
    for field in resource.flat_fields:
        assert not (field.is_required and values[field.name] is None)
        assert not field.values or values[field.name] in {*field.values, None}
    assert "" not in values.values()
