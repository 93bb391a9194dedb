"""The rules of listing customers that need no network: flat fields, conditions, sizes, projections."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.actions import filters, list_customers
from vantage_quickbooks.core import query
from vantage_quickbooks.core.responses import Answer
from vantage_quickbooks.emulator.query import parser
from vantage_quickbooks.errors import InputError, UnexpectedResponseError
from vantage_quickbooks.sync.page import project, read_page

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


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
    assert list_customers.derived(customer) == {"customerName": name, "email": email, "phone": phone}


@pytest.mark.parametrize(
    ("data", "conditions"),
    [
        ({}, ["Active = true"]),
        ({"active": "active"}, ["Active = true"]),
        ({"active": "inactive"}, ["Active = false"]),
        ({"active": "all"}, ["Active IN (true, false)"]),
        ({"name": "Amy's"}, ["Active = true", r"DisplayName = 'Amy\'s'"]),
        ({"name": "Pine%"}, ["Active = true", "DisplayName LIKE 'Pine%'"]),
        ({"email": "%@example.com"}, ["Active = true", "PrimaryEmailAddr LIKE '%@example.com'"]),
        (
            {"active": "all", "name": "A", "email": "b@c", "updated_since": "2026-10-01T00:00:00Z"},
            [
                "Active IN (true, false)",
                "DisplayName = 'A'",
                "PrimaryEmailAddr = 'b@c'",
                "MetaData.LastUpdatedTime >= '2026-10-01T00:00:00Z'",
            ],
        ),
    ],
)
def test_inputs_become_conditions_that_the_judge_understands(data, conditions):
    where = list_customers._conditions(data)
    assert where == conditions
    assert len(parser.parse(str(query.Select("Customer", where=tuple(where)))).where) == len(conditions)


@pytest.mark.parametrize("name", ["name", "email"])
def test_a_control_character_in_an_input_is_reported_by_the_inputs_name(name):
    with pytest.raises(InputError) as caught:
        list_customers._conditions({name: "a\nb"})
    assert caught.value.fields[0].field == name


# ---- times and dates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("2026-10-01", "2026-09-30T10:00:00Z"),  # where the day begins first, at UTC+14
        ("2026-10-01T00:00:00Z", "2026-10-01T00:00:00Z"),
        ("2026-10-01T00:00:00-07:00", "2026-10-01T07:00:00Z"),
        ("2026-10-01T00:00:00+05:30", "2026-09-30T18:30:00Z"),
        ("2026-10-01T00:00:00.250Z", "2026-10-01T00:00:00.250000Z"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"),
    ],
)
def test_updated_since_goes_over_the_line_in_utc(value, written):
    assert filters.updated_since({"updated_since": value}) == [f"MetaData.LastUpdatedTime >= '{written}'"]


def test_without_updated_since_there_is_no_condition():
    assert filters.updated_since({}) == []


@pytest.mark.parametrize("value", ["0001-01-01", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_outside_the_calendar_is_refused(value):
    with pytest.raises(InputError) as caught:
        filters.updated_since({"updated_since": value})
    assert (caught.value.fields[0].field, caught.value.fields[0].rule) == ("updated_since", "range")


@pytest.mark.parametrize(
    ("data", "conditions"),
    [
        ({}, []),
        ({"txn_date_from": "2026-01-01"}, ["TxnDate >= '2026-01-01'"]),
        ({"txn_date_to": "2026-01-31"}, ["TxnDate <= '2026-01-31'"]),
        (
            {"txn_date_from": "2026-01-01", "txn_date_to": "2026-01-31"},
            ["TxnDate >= '2026-01-01'", "TxnDate <= '2026-01-31'"],
        ),
        (
            {"txn_date_from": "2026-01-01", "txn_date_to": "2026-01-01"},
            ["TxnDate >= '2026-01-01'", "TxnDate <= '2026-01-01'"],
        ),
    ],
)
def test_a_range_of_dates_includes_both_ends(data, conditions):
    assert filters.date_range(data, "TxnDate", "txn_date") == conditions


@given(st.dates(), st.dates())
def test_a_range_that_ends_before_it_begins_is_refused(first, last):
    data = {"due_date_from": first.isoformat(), "due_date_to": last.isoformat()}
    if first <= last:
        assert len(filters.date_range(data, "DueDate", "due_date")) == 2
        return
    with pytest.raises(InputError) as caught:
        filters.date_range(data, "DueDate", "due_date")
    assert caught.value.fields[0].field == "due_date_to"


# ---- sizes, projections, pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "setting", "row_limit", "size"),
    [
        ({}, 100, None, 100),
        ({"max_results": 5}, 100, None, 5),
        ({"max_results": 1000}, 5, None, 1000),
        ({}, 100, 10, 10),
        ({"max_results": 5}, 100, 10, 5),
        ({"max_results": 50}, 100, 10, 10),
        ({}, 100, 0, 1),
    ],
)
def test_the_input_overrides_the_setting_and_the_host_caps_both(data, setting, row_limit, size):
    assert filters.page_size(data, setting, row_limit) == size


RECORD = {"Id": "1", "DisplayName": "Pine", "Balance": 1.5, "BillAddr": {"City": "X"}}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (None, RECORD),
        (["DisplayName"], {"Id": "1", "DisplayName": "Pine"}),
        (["Id"], {"Id": "1"}),
        (["BillAddr", "Balance"], {"Id": "1", "Balance": 1.5, "BillAddr": {"City": "X"}}),
        (["Fax"], {"Id": "1"}),
    ],
)
def test_chosen_fields_keep_the_id_and_the_values_as_they_were(fields, kept):
    assert project(RECORD, fields) == kept
    assert list(project(RECORD, fields)) == [key for key in RECORD if key in kept]


def page_of(body, statement=None):
    client = SimpleNamespace(query=lambda *_: Answer(body, "1-a"))
    return read_page(client, statement or query.Select("Customer", max_results=2), SimpleNamespace(now=lambda: NOW))


@pytest.mark.parametrize(
    ("returned", "asked", "start", "following"),
    [(0, 2, 1, None), (1, 2, 1, None), (2, 2, 1, 3), (3, 2, 1, 3), (101, 100, 201, 301), (1000, 1000, 1, 1001)],
)
def test_more_may_follow_a_page_that_is_as_full_as_was_asked(returned, asked, start, following):
    """A server once returned 101 for 100 (node-quickbooks issue 89): the one too many comes with the next page."""
    response = {"Customer": [{"Id": str(n)} for n in range(returned)]} if returned else {}
    page = page_of(
        {"QueryResponse": response, "time": "2026-10-01T05:00:00-07:00"},
        query.Select("Customer", start_position=start, max_results=asked),
    )
    assert (len(page.records), page.start_position, page.next_position) == (min(returned, asked), start, following)


@pytest.mark.parametrize(
    "response",
    [
        {"Customer": None},
        {"Customer": {"Id": "1"}},
        {"Customer": ["1"]},
        {"Customer": "x"},
        {"customer": [{"Id": "1"}]},
        {"Invoice": [{"Id": "1"}]},
        {"totalCount": 5},
        {"Customer": [], "startPosition": 1},
    ],
)
def test_an_answer_that_is_no_page_of_this_entity_is_never_an_empty_list(response):
    with pytest.raises(UnexpectedResponseError) as caught:
        page_of({"QueryResponse": response, "time": "2026-10-01T05:00:00-07:00"})
    assert "1-a" in str(caught.value)


@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2026-09-30T23:30:00.123-07:00", "2026-09-30"),
        ("2026-10-02T01:00:00+13:00", "2026-10-02"),
        ("2026-05-05T03:09:39-07:00", "2026-05-05"),
        ("2026-05-05T10:09:39Z", "2026-05-05"),
        (None, "2026-10-01"),
        ("yesterday", "2026-10-01"),
        (1601391072830, "2026-10-01"),
    ],
)
def test_the_companys_date_is_read_off_the_answer(time, day):
    assert page_of({"QueryResponse": {}, "time": time}).company_date.isoformat() == day
