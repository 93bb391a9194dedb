"""Flat fields of customers."""

from __future__ import annotations

from datetime import date

import pytest

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.flat_fields import flat_fields_reader

read = flat_fields_reader(ACTIONS["listCustomers"].resource)


@pytest.mark.parametrize(
    ("customer", "name", "email", "phone"),
    [
        ({}, None, None, None),
        ({"DisplayName": "Pine"}, "Pine", None, None),
        ({"FullyQualifiedName": "Pine:Loft"}, "Pine:Loft", None, None),
        ({"DisplayName": "Loft", "FullyQualifiedName": "Pine:Loft"}, "Loft", None, None),
        ({"PrimaryEmailAddr": {"Address": "a@example.com"}}, None, "a@example.com", None),
        ({"PrimaryEmailAddr": {}}, None, None, None),
        ({"PrimaryEmailAddr": None}, None, None, None),
        ({"PrimaryPhone": {"FreeFormNumber": "1"}, "Mobile": {"FreeFormNumber": "2"}}, None, None, "1"),
        ({"PrimaryPhone": {}, "Mobile": {"FreeFormNumber": "2"}}, None, None, "2"),
        ({"PrimaryPhone": {"FreeFormNumber": ""}, "AlternatePhone": {"FreeFormNumber": "3"}}, None, None, "3"),
        ({"Mobile": None, "AlternatePhone": {"FreeFormNumber": "3"}}, None, None, "3"),
        ({"Fax": {"FreeFormNumber": "4"}}, None, None, None),
    ],
)
def test_flat_fields_are_what_dashboards_read_and_none_where_there_is_nothing(customer, name, email, phone):
    assert read(customer, date(2026, 10, 1)) == {"customerName": name, "email": email, "phone": phone}
