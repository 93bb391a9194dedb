"""Values as forms send them are normalized to the type that the schema names first."""

from __future__ import annotations

import copy

import pytest
from form_data import CUSTOMERS, FORM, INVOICES, SCHEMAS, SETTINGS, objects
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage_quickbooks.config.validation import clean


@pytest.mark.parametrize(
    ("value", "normalized"),
    [
        (1, 1),
        (1000, 1000),
        ("100", 100),
        (" 50 ", 50),
        ("100.0", 100),
        (100.0, 100),
        ("007", 7),
        ("+5", 5),
        ("\ufeff25\u200b\n", 25),
    ],
)
def test_whole_number__in_any_spelling_of_a_form__is_an_int(value, normalized):
    for schema in (CUSTOMERS, INVOICES):
        cleaned, fields = clean(schema, {"max_results": value})
        assert (cleaned, fields) == ({"max_results": normalized}, [])
        assert type(cleaned["max_results"]) is int


@pytest.mark.parametrize("value", [None, "", "   ", "\t\n", "\u00a0", "\u200b", [], ()])
def test_not_given__in_any_spelling__is_left_out(value):
    names = (
        ("fields",) if isinstance(value, list | tuple) else ("fields", "name", "all", "max_results", "updated_since")
    )
    for name in names:
        assert clean(CUSTOMERS, {name: value}) == ({}, [])
    if value in (None, ""):  # the choices are a list, and blanks are not among them
        assert clean(CUSTOMERS, {"order_by": value, "active": value}) == ({}, [])


@pytest.mark.parametrize(
    ("schema", "data", "normalized"),
    [
        (CUSTOMERS, {"name": "  Amy's \t"}, {"name": "Amy's"}),
        (CUSTOMERS, {"name": "Amy's  Bird"}, {"name": "Amy's  Bird"}),  # blanks inside belong to the name
        (CUSTOMERS, {"fields": "DisplayName, Balance"}, {"fields": ["DisplayName", "Balance"]}),
        (CUSTOMERS, {"fields": "Id"}, {"fields": ["Id"]}),
        (CUSTOMERS, {"fields": "Id , Id,Balance"}, {"fields": ["Id", "Balance"]}),
        (CUSTOMERS, {"all": " TRUE "}, {"all": True}),
        (CUSTOMERS, {"all": "false"}, {"all": False}),
        (CUSTOMERS, {"fields": ("Id", "Active")}, {"fields": ["Id", "Active"]}),
        (CUSTOMERS, {"updated_since": " 2026-05-01 "}, {"updated_since": "2026-05-01"}),
        (INVOICES, {"customer_id": 24}, {"customer_id": "24"}),
        (INVOICES, {"customer_id": 24.0}, {"customer_id": "24"}),
        (INVOICES, {"customer_id": " 24 "}, {"customer_id": "24"}),
        (INVOICES, {"customer_id": "024"}, {"customer_id": "024"}),
        (INVOICES, {"doc_number": "0042"}, {"doc_number": "0042"}),  # leading zeros are part of the number
        (SETTINGS, FORM, FORM),
        (SETTINGS, FORM | {"max_results": "100", "environment": ""}, FORM | {"max_results": 100}),
        (SETTINGS, FORM | {"realm_id": "\u200b9130357992220000\n"}, FORM | {"realm_id": "9130357992220000"}),
    ],
)
def test_valid_values_are_normalized(schema, data, normalized):
    assert clean(schema, data) == (normalized, [])


@pytest.mark.parametrize("schema", SCHEMAS[1:])
def test_no_input__is_valid(schema):
    assert clean(schema, {}) == ({}, [])


@given(objects)
def test_data__is_never_changed(data):
    before = copy.deepcopy(data)
    for schema in SCHEMAS:
        clean(schema, data)
    assert repr(data) == repr(before)


@given(st.sampled_from(SCHEMAS), objects)
@settings(deadline=None)
def test_normalizing_twice__changes_nothing_more(schema, data):
    cleaned, _ = clean(schema, data)
    again, fields = clean(schema, cleaned)
    assert again == cleaned
    assert {entry.rule for entry in fields} <= {"required"}


@given(st.integers(), st.sampled_from(["{}", " {} ", "{}.0", "{}.000\n", "\u00a0{}"]))
def test_number_in_a_text__means_what_the_number_means(number, spelling):
    cleaned, fields = clean(CUSTOMERS, {"start_position": spelling.format(number)})
    expected, others = clean(CUSTOMERS, {"start_position": number})
    assert cleaned == expected
    assert [entry.rule for entry in fields] == [entry.rule for entry in others]
