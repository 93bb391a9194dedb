"""
The published schemas and the calls are one: a host that validates first refuses just what the call refuses.

What JSON Schema cannot say, and the call refuses all the same: that a range of dates ends before it begins, that a
time lies outside the calendar in UTC, and that a cursor is unreadable or of another read.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from inputs import objects
from jsonschema import Draft202012Validator, FormatChecker

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.validation import clean, validate_input
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.errors import InputError
from vantage_quickbooks.sync.list_request import ListRequest

IDS = tuple(ACTIONS)
LISTS = ("listCustomers", "listInvoices")
FORM = {"client_id": "id", "client_secret": "secret", "refresh_token": "token", "realm_id": "9130357992220000"}


def validators(name):
    """The published schema, with and without the formats that some validators assert."""
    schema = load_schema(name)
    return Draft202012Validator(schema), Draft202012Validator(schema, format_checker=FormatChecker())


def is_published(name, data):
    plain, asserting = validators(name)
    assert plain.is_valid(data) is asserting.is_valid(data)
    return plain.is_valid(data)


def is_taken(action_id, data):
    """Whether the call takes an input, all it checks before it asks QuickBooks; None where no schema can tell."""
    try:
        valid = validate_input(action_id, data)
        if action_id.startswith("list"):
            ListRequest.parse(valid, ACTIONS[action_id].resource, now=datetime(2026, 10, 1, 12, tzinfo=UTC))
    except InputError as error:
        return None if all(entry.rule == "range" for entry in error.fields) else False
    return True


@given(st.sampled_from(IDS).flatmap(lambda action: st.tuples(st.just(action), objects(f"{action}.input.schema"))))
@settings(deadline=None, max_examples=800)
@example(("listInvoices", {"fields": "Id,DocNumber"}))
@example(("listInvoices", {"max_results": "50", "status": "", "customer_id": None}))
@example(("listInvoices", {"sync_cursor": "x", "all": True, "start_position": ""}))
@example(("listInvoices", {"sync_cursor": "x", "start_position": 1}))
@example(("listCustomers", {"all": "true", "order_by": "Balance"}))
@example(("listCustomers", {"all": "false", "cursor": "x"}))
@example(("listCustomers", {"max_api_calls": "5", "all": True}))
@example(("listCustomers", {"name": "\ud800"}))
@example(("listCustomers", {"cursor": "\ud800", "all": True}))
def test_the_call_takes_what_the_published_schema_takes(case):
    action_id, data = case
    taken = is_taken(action_id, data)
    assume(taken is not None)
    assert is_published(f"{action_id}.input.schema", data) is taken


together = st.fixed_dictionaries(
    {},
    optional={
        "all": st.sampled_from([True, False, "true", "", None]),
        "cursor": st.sampled_from(["x", "", None]),
        "sync_cursor": st.sampled_from(["x", " ", None]),
        "max_api_calls": st.sampled_from([5, "5", None]),
        "start_position": st.sampled_from([1, "1", ""]),
        "order_by": st.sampled_from(["Balance", "", None]),
        "fields": st.sampled_from([["Id"], "Id", [], ""]),
        "max_results": st.sampled_from([5, None]),
        "updated_since": st.sampled_from(["2026-05-01", ""]),
    },
)


@pytest.mark.parametrize("action_id", LISTS)
@given(data=together)
@settings(deadline=None, max_examples=500)
def test_inputs_that_do_not_go_together_are_in_the_schema(action_id, data):
    assert is_published(f"{action_id}.input.schema", data) is is_taken(action_id, data)


@given(objects("settings.schema"))
@settings(deadline=None, max_examples=500)
@example({"max_results": "100"})
@example({"realm_id": 9130357992220000})
@example({"client_id": None})
def test_the_settings_are_what_the_published_schema_says(data):
    for form in (data, FORM | data):
        assert is_published("settings.schema", form) is QUICKBOOKS.validate(form)["valid"]


@given(st.sampled_from(LISTS).flatmap(lambda action: st.tuples(st.just(action), objects(f"{action}.input.schema"))))
@settings(deadline=None)
def test_what_is_right_has_the_published_type_once_it_is_tidied(case):
    action_id, data = case
    schema = load_schema(f"{action_id}.input.schema")
    cleaned, _ = clean(f"{action_id}.input.schema", data)
    for name, value in cleaned.items():
        first, *_ = schema["properties"][name]["type"]
        assert Draft202012Validator({"type": first}).is_valid(value)
        assert Draft202012Validator(schema["properties"][name]).is_valid(value)


@pytest.mark.parametrize("name", ["settings.schema", *(f"{action}.input.schema" for action in ACTIONS)])
def test_every_refused_field_has_words(name):
    """A refusal of the schema is never without an entry, but for inputs that do not go together."""

    @given(objects(name))
    @settings(deadline=None, max_examples=200)
    def check(data):
        _, fields = clean(name, data)
        together = all(list(error.absolute_path) == [] and error.validator == "not"
                       for error in Draft202012Validator(load_schema(name)).iter_errors(data))  # fmt: skip
        assert bool(fields) is not together

    check()


@pytest.mark.parametrize("action_id", ACTIONS)
def test_a_call_over_http_refuses_for_its_form_what_the_schema_refuses(connect, action_id):
    connection = connect()

    @given(objects(f"{action_id}.input.schema"))
    @settings(deadline=None, max_examples=40)
    def check(data):
        assume("cursor" not in data)
        assume("sync_cursor" not in data)
        envelope = connection.call(action_id, data)
        refused = not envelope["success"] and envelope["error"]["code"] == "INPUT_INVALID"
        assume(not (refused and {entry["rule"] for entry in envelope["error"]["fields"]} == {"range"}))
        assert refused is not is_published(f"{action_id}.input.schema", data)

    check()
