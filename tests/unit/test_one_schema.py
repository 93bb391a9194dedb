"""A host that validates with the published schemas refuses exactly what a call refuses.

JSON Schema cannot express three errors that a call reports: a range that ends before it begins, a time outside the
calendar in UTC, and a cursor that is unreadable or of another read.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from inputs import objects
from jsonschema import Draft202012Validator, FormatChecker

from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.auth.stores.memory import MemoryStore
from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.list_action import ListAction
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.validation import clean, validate_input
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError
from vantage_quickbooks.sync.list_request import ListRequest

IDS = tuple(ACTIONS)
SCHEMAS = ("settings.schema", *(f"{action}.input.schema" for action in ACTIONS))
LISTS = ("listCustomers", "listInvoices")
FORM = {"client_id": "id", "client_secret": "secret", "refresh_token": "token", "realm_id": "9130357992220000"}


@functools.cache
def validators(name):
    """Return the validator of a published schema, with and without the formats that some validators assert."""
    schema = load_schema(name)
    return Draft202012Validator(schema), Draft202012Validator(schema, format_checker=FormatChecker())


def is_published(name, data):
    plain, asserting = validators(name)
    assert plain.is_valid(data) is asserting.is_valid(data)
    return plain.is_valid(data)


def is_exclusion(error):
    """Return whether a violation means that inputs exclude each other."""
    return not error.absolute_path and error.validator == "not"


def is_accepted(action_id, data):
    """Return whether a call accepts an input before it sends a request; None if no schema can express the error."""
    try:
        valid = validate_input(action_id, data)
        action = ACTIONS[action_id]
        if isinstance(action, ListAction):
            ListRequest.parse(valid, action.resource, now=datetime(2026, 10, 1, 12, tzinfo=UTC))
    except InputError as error:
        return None if all(entry.rule == "range" for entry in error.fields) else False
    return True


@given(st.sampled_from(IDS).flatmap(lambda action: st.tuples(st.just(action), objects(f"{action}.input.schema"))))
@settings(max_examples=400)
@example(("listInvoices", {"fields": "Id,DocNumber"}))
@example(("listInvoices", {"max_results": "50", "status": "", "customer_id": None}))
@example(("listInvoices", {"sync_cursor": "x", "all": True, "start_position": ""}))
@example(("listInvoices", {"sync_cursor": "x", "start_position": 1}))
@example(("listCustomers", {"all": "true", "order_by": "Balance"}))
@example(("listCustomers", {"all": "false", "cursor": "x"}))
@example(("listCustomers", {"max_api_calls": "5", "all": True}))
@example(("listCustomers", {"name": "\ud800"}))
@example(("listCustomers", {"cursor": "\ud800", "all": True}))
def test_a_call_accepts_what_the_published_schema_accepts(case):
    action_id, data = case
    accepted = is_accepted(action_id, data)
    assume(accepted is not None)
    assert is_published(f"{action_id}.input.schema", data) is accepted


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
@settings(max_examples=250)
def test_the_schema_refuses_inputs_that_exclude_each_other(action_id, data):
    assert is_published(f"{action_id}.input.schema", data) is is_accepted(action_id, data)


@given(objects("settings.schema"))
@settings(max_examples=250)
@example({"max_results": "100"})
@example({"realm_id": 9130357992220000})
@example({"client_id": None})
def test_settings_are_valid_if_the_published_schema_accepts_them(data):
    for form in (data, FORM | data):
        assert is_published("settings.schema", form) is QUICKBOOKS.validate(form)["valid"]


@given(st.sampled_from(LISTS).flatmap(lambda action: st.tuples(st.just(action), objects(f"{action}.input.schema"))))
def test_a_normalized_value_has_the_first_type_of_its_schema(case):
    action_id, data = case
    schema = load_schema(f"{action_id}.input.schema")
    cleaned, _ = clean(f"{action_id}.input.schema", data)
    for name, value in cleaned.items():
        first, *_ = schema["properties"][name]["type"]
        assert Draft202012Validator({"type": first}).is_valid(value)
        assert Draft202012Validator(schema["properties"][name]).is_valid(value)


@given(st.sampled_from(SCHEMAS).flatmap(lambda name: st.tuples(st.just(name), objects(name))))
@settings(max_examples=400)
def test_every_refusal_has_an_entry(case):
    """Only inputs that exclude each other have none: the action reports which they are."""
    name, data = case
    _, fields = clean(name, data)
    violations = [error for error in validators(name)[0].iter_errors(data) if not is_exclusion(error)]
    assert bool(fields) is bool(violations)


@pytest.fixture(scope="module")
def connection():
    """A connection to one emulator for all actions."""
    with (
        Emulator(limits=False) as emulator,
        QUICKBOOKS.connect(
            emulator.credentials(),
            deployment=Deployment(api_url=emulator.url, oauth_url=emulator.url),
            store=MemoryStore(),
            rate_limiter=RateLimiter(10, 10**9, 10**9),
        ) as connection,
    ):
        yield connection


@given(data=st.data())
@settings(max_examples=200)
def test_a_call_over_http_refuses_what_the_schema_refuses(connection, data):
    action_id = data.draw(st.sampled_from(IDS))
    given_ = data.draw(objects(f"{action_id}.input.schema"))
    assume("cursor" not in given_)
    assume("sync_cursor" not in given_)
    envelope = connection.call(action_id, given_)
    refused = not envelope["success"] and envelope["error"]["code"] == "INPUT_INVALID"
    # What a schema cannot express: the order of a range's bounds, the grammar of statements, the signature of a state.
    beyond_schemas = {"range", "statement", "state"}
    assume(not (refused and {entry["rule"] for entry in envelope["error"]["fields"]} <= beyond_schemas))
    assert refused is not is_published(f"{action_id}.input.schema", given_)
