"""A list call's input becomes one request: conditions, sizes, and what cannot be combined."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoice_records import invoices

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.invoices import invoice_payment
from vantage_quickbooks.core import query
from vantage_quickbooks.emulator.query import parser
from vantage_quickbooks.errors import InputError
from vantage_quickbooks.sync.list_request import ListRequest

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
TODAY = NOW.date()


def parse(action, data, **how):
    return ListRequest.parse(data, ACTIONS[action].resource, **{"now": NOW, **how})


def conditions_of(action, data, **how):
    return list(parse(action, data, **how).conditions)


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
def test_inputs_of_customers_become_conditions_that_the_emulator_understands(data, conditions):
    where = conditions_of("listCustomers", data)
    assert where == conditions
    assert len(parser.parse(str(query.Select("Customer", where=tuple(where)))).where) == len(conditions)


@pytest.mark.parametrize("name", ["name", "email"])
def test_a_control_character_in_an_input_is_reported_by_the_inputs_name(name):
    with pytest.raises(InputError) as caught:
        conditions_of("listCustomers", {name: "a\nb"})
    assert caught.value.fields[0].field == name


@pytest.mark.parametrize(
    ("data", "conditions"),
    [
        ({}, []),
        ({"customer_id": "24"}, ["CustomerRef = '24'"]),
        ({"doc_number": "1037"}, ["DocNumber = '1037'"]),
        ({"doc_number": "10%"}, ["DocNumber LIKE '10%'"]),
        (
            {"txn_date_from": "2026-01-01", "due_date_to": "2026-02-01", "updated_since": "2026-01-01T00:00:00Z"},
            [
                "TxnDate >= '2026-01-01'",
                "DueDate <= '2026-02-01'",
                "MetaData.LastUpdatedTime >= '2026-01-01T00:00:00Z'",
            ],
        ),
    ],
)
def test_inputs_of_invoices_become_conditions_that_the_emulator_understands(data, conditions):
    where = conditions_of("listInvoices", data)
    assert where == conditions
    assert len(parser.parse(str(query.Select("Invoice", where=tuple(where)))).where) == len(conditions)


def test_without_a_status_there_is_no_condition_on_the_balance():
    assert conditions_of("listInvoices", {}) == []


@given(invoices, st.integers(-12, 14), st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)))  # noqa: DTZ001
def test_no_invoice_of_a_status_fails_the_conditions_that_look_for_it(record, zone, utc):
    """In any time zone: the company's date, which is not known before the request, may be one day ahead of UTC's."""
    today = (utc + timedelta(hours=zone)).date()
    status = invoice_payment(record, today)["paymentStatus"]
    where = conditions_of("listInvoices", {"status": status}, now=utc.replace(tzinfo=UTC))
    for condition in parser.parse(str(query.Select("Invoice", where=tuple(where)))).where:
        value = condition.values[0].text
        if condition.name == "Balance":
            left, right = Decimal(str(record["Balance"])), Decimal(value)
        else:
            left, right = record[condition.name], value
        assert {"<=": left <= right, ">": left > right, "<": left < right}[condition.operator]


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
def test_updated_since_is_sent_in_utc(value, written):
    assert conditions_of("listInvoices", {"updated_since": value}) == [f"MetaData.LastUpdatedTime >= '{written}'"]


@pytest.mark.parametrize("value", ["0001-01-01", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_outside_the_calendar_is_refused(value):
    with pytest.raises(InputError) as caught:
        conditions_of("listInvoices", {"updated_since": value})
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
    assert conditions_of("listInvoices", data) == conditions


@given(st.dates(), st.dates())
def test_a_range_that_ends_before_it_begins_is_refused(first, last):
    data = {"due_date_from": first.isoformat(), "due_date_to": last.isoformat()}
    if first <= last:
        assert len(conditions_of("listInvoices", data)) == 2
        return
    with pytest.raises(InputError) as caught:
        conditions_of("listInvoices", data)
    assert caught.value.fields[0].field == "due_date_to"


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0, "0"),
        (100, "100"),
        (1250.5, "1250.5"),
        (-0.01, "-0.01"),
        (0.0000001, "0.0000001"),
        (999_999_999_999.0, "999999999999.0"),
    ],
)
def test_an_amount_is_written_without_an_exponent(amount, written):
    """Intuit's parser has no `1e-07`."""
    conditions = [f"TotalAmt >= '{written}'", f"TotalAmt <= '{written}'"]
    assert conditions_of("listPayments", {"amount_from": amount, "amount_to": amount}) == conditions


def test_a_range_of_amounts_that_ends_before_it_begins_is_refused():
    with pytest.raises(InputError) as caught:
        conditions_of("listPayments", {"amount_from": 10, "amount_to": 9.99})
    assert (caught.value.fields[0].field, caught.value.fields[0].rule) == ("amount_to", "range")


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
    assert parse("listInvoices", data, max_results=setting, row_limit=row_limit).size == size


@pytest.mark.parametrize(
    ("data", "row_limit", "mode", "size"),
    [
        ({}, None, "page", 100),
        ({"all": True}, None, "full", 1000),
        ({"all": True, "max_results": 1}, None, "full", 2),
        ({"all": True}, 20, "page", 20),
        ({"all": False}, None, "page", 100),
        ({"sync_cursor": "x"}, None, "changes", 1000),
    ],
)
def test_the_input_decides_the_mode(data, row_limit, mode, size):
    request = parse("listInvoices", data, max_results=100, row_limit=row_limit)
    assert (request.mode, request.size) == (mode, size)


@pytest.mark.parametrize(
    ("data", "row_limit", "fields"),
    [
        ({"cursor": "x"}, None, ["cursor"]),
        ({"max_api_calls": 5}, None, ["max_api_calls"]),
        ({"all": True, "order_by": "TxnDate", "start_position": 5}, None, ["order_by", "start_position"]),
        ({"sync_cursor": "x", "status": "open", "start_position": 5}, None, ["start_position", "status"]),
        ({"sync_cursor": "x"}, 10, ["sync_cursor"]),
    ],
)
def test_inputs_that_contradict_each_other_are_named(data, row_limit, fields):
    with pytest.raises(InputError) as caught:
        parse("listInvoices", data, row_limit=row_limit)
    assert [entry.field for entry in caught.value.fields] == fields
    assert all(entry.hint for entry in caught.value.fields)


@pytest.mark.parametrize(
    ("data", "is_mutable", "may_sync"),
    [
        ({"all": True}, False, True),
        ({"all": True, "active": "all"}, False, True),
        ({"all": True, "updated_since": "2026-01-01"}, True, True),
        ({"all": True, "name": "A%"}, True, False),
        ({"sync_cursor": "x"}, True, True),
    ],
)
def test_a_request_knows_what_edits_can_change(data, is_mutable, may_sync):
    request = parse("listCustomers", data)
    assert (request.has_mutable_filters, request.may_sync) == (is_mutable, may_sync)


@given(st.sampled_from(["active", "inactive", "all"]), st.booleans() | st.none())
def test_a_full_read_filters_inactive_records_itself(active, is_active):
    request = parse("listCustomers", {"all": True, "active": active})
    record = {"Id": "1"} if is_active is None else {"Id": "1", "Active": is_active}
    assert request.conditions == ("Active IN (true, false)",)
    assert request.needs_local_filter is (active != "all")
    assert request.is_wanted(record, TODAY) is (active == "all" or (is_active is not False) is (active == "active"))
