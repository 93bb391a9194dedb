"""Invalid fields are reported in sentences that say what to do and contain no secret."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math

import pytest
from form_data import CUSTOMERS, FORM, INVOICES, PAYMENTS, SCHEMAS, SETTINGS, documents, objects, one, words
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vantage_quickbooks.config.validation import clean, summarize


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("abc", "type"),
        (True, "type"),
        (False, "type"),
        (0, "minimum"),
        ("0", "minimum"),
        (-1, "minimum"),
        (1.5, "type"),
        ("1.5", "type"),
        ("1,000", "type"),
        ("1e2", "type"),
        ("1_0", "type"),
        ("\u0661\u0660", "type"),  # digits of another script
        (1001, "maximum"),
        (1e9, "maximum"),
        ([5], "type"),
        ({}, "type"),
        (math.nan, "json"),
        (math.inf, "json"),
        (-math.inf, "json"),
        pytest.param(10**5000, "size", id="googol"),  # Python itself refuses to print it
        pytest.param("9" * 5000, "type", id="nines"),  # or to read it
        ("9" * 300, "maximum"),
        (decimal.Decimal(100), "json"),
        (b"100", "json"),
    ],
)
@pytest.mark.parametrize("schema", [SETTINGS, CUSTOMERS, INVOICES])
def test_max_results__that_is_invalid__is_a_field_error(schema, value, rule):
    entry = one(schema, (FORM if schema == SETTINGS else {}) | {"max_results": value})
    assert (entry.field, entry.rule) == ("max_results", rule)
    assert "whole number from 1 to 1000" in words(entry)


@pytest.mark.parametrize(
    ("schema", "data", "rule", "said"),
    [
        (CUSTOMERS, {"fields": "Id, Blance"}, "enum", 'Did you mean "Balance"?'),
        (CUSTOMERS, {"fields": "Id, balance"}, "enum", 'Did you mean "Balance"?'),
        (CUSTOMERS, {"fields": "Id,,Balance"}, "enum", '"" is not one of them'),
        (CUSTOMERS, {"fields": ["Id", "Id"]}, "uniqueItems", "contains a value twice"),
        (CUSTOMERS, {"fields": ["Id", ""]}, "enum", '"" is not one of them'),
        (CUSTOMERS, {"active": "ALL"}, "enum", 'Did you mean "all"?'),
        (CUSTOMERS, {"order_by": "displayname desc"}, "enum", 'Did you mean "DisplayName DESC"?'),
        (CUSTOMERS, {"all": "yes"}, "type", 'must be true or false, not "yes"'),
        (CUSTOMERS, {"name": "a\tb"}, "pattern", "contains an invalid character"),
        (INVOICES, {"status": "partiallypaid"}, "enum", 'Did you mean "partiallyPaid"?'),
        (SETTINGS, FORM | {"environment": "Sandbox "}, "enum", 'Did you mean "sandbox"?'),
        (CUSTOMERS, {"fields": ["Id", {"x": 1}]}, "type", "an object is not one of them"),
        (CUSTOMERS, {"fields": ["Blance", "Nmae"]}, "enum", '"Blance" is not one of them'),
        (CUSTOMERS, {"fields": 7}, "type", "must be a list, not 7"),
        (CUSTOMERS, {"name": "a\tb"}, "pattern", "a tab, a line break or another control character"),
        (PAYMENTS, {"amount_from": "1e5"}, "pattern", "must be a number from -999999999999 to 999999999999, not"),
        (PAYMENTS, {"amount_from": 1e20}, "maximum", "must be a number from -999999999999 to 999999999999, not 1e+20"),
        (CUSTOMERS, {"order_by": "Balnce DESC"}, "enum", 'Did you mean "Balance DESC"?'),
        (CUSTOMERS, {"order_by": "Id"}, "enum", "MetaData.LastUpdatedTime"),  # Intuit no longer sorts by Id
        (CUSTOMERS, {"order_by": "Balance; DROP"}, "enum", "must be one of its 36 choices"),
        (CUSTOMERS, {"active": "yes"}, "enum", "one of active, inactive, all"),
        (CUSTOMERS, {"active": True}, "type", "one of active, inactive, all, not true"),
        (CUSTOMERS, {"name": 7}, "type", "Put it in quotes"),
        (CUSTOMERS, {"name": ["Amy"]}, "type", "must be text, not a list"),
        (CUSTOMERS, {"name": "x" * 503}, "maxLength", "longer than 502 characters"),
        (CUSTOMERS, {"name": "\ud800"}, "encoding", "half a character"),
        (CUSTOMERS, {"email": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "json", "a Python datetime"),
        (CUSTOMERS, {"email": {"a"}}, "json", "a Python set"),
        (CUSTOMERS, {"email": [b"a"]}, "json", "contains a value that JSON cannot carry"),
        (CUSTOMERS, {"email": {1: "a"}}, "json", "contains a value that JSON cannot carry"),
        (CUSTOMERS, {"start_position": 0}, "minimum", "1 for the first record"),
        (CUSTOMERS, {"updated_since": 20260501}, "type", "2026-05-01"),
        (INVOICES, {"status": "unpaid"}, "enum", "paid, partiallyPaid, open, overdue, voided"),
        (INVOICES, {"customer_id": "24'"}, "pattern", "digits only"),
        (INVOICES, {"customer_id": -24}, "pattern", "digits only"),
        (INVOICES, {"customer_id": True}, "type", "digits only"),
        (INVOICES, {"customer_id": 24.5}, "type", "digits only"),
        (INVOICES, {"customer_id": "\u0662"}, "pattern", "digits only"),
        (INVOICES, {"doc_number": 1037}, "type", "Put it in quotes"),
        (SETTINGS, FORM | {"realm_id": 9130357992221046}, "type", "Put it in quotes: a long number loses digits"),
        (SETTINGS, FORM | {"realm_id": "9130 3579"}, "pattern", "copy the company ID without its blanks"),
        (SETTINGS, FORM | {"realm_id": "1/../2"}, "pattern", "digits only"),
        (SETTINGS, FORM | {"realm_id": "my-company"}, "pattern", "digits only"),
        (SETTINGS, FORM | {"client_secret": "two\nlines"}, "pattern", "a line break"),
        (SETTINGS, FORM | {"environment": "live"}, "enum", "Choose production or sandbox"),
        (SETTINGS, FORM | {"client_id": " "}, "required", "Client ID is missing."),
        (SETTINGS, FORM | {"client_id": None}, "required", "Keys & credentials page"),
    ],
)
def test_wrong_value__is_one_entry_that_says_what_to_do(schema, data, rule, said):
    entry = one(schema, data)
    assert entry.rule == rule
    assert said in words(entry)


@pytest.mark.parametrize(
    "value",
    [
        "2026-05-01",
        "2024-02-29",
        "2026-05-01T08:30:00Z",
        "2026-05-01T08:30:00.123456-07:00",
        "2026-05-01T00:00:00+14:00",
    ],
)
def test_updated_since__takes_dates_and_times_with_their_zone(value):
    assert clean(CUSTOMERS, {"updated_since": value}) == ({"updated_since": value}, [])
    assert dt.datetime.fromisoformat(value)


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-30",
        "2023-02-29",
        "2026-13-01",
        "0000-01-01",
        "2026-5-1",
        "20260501",
        "2026-W18-5",
        "05/01/2026",
        "yesterday",
        "2026-05-01T08:30:00",
        "2026-05-01T08:30Z",
        "2026-05-01 08:30:00Z",
        "2026-05-01T24:00:00Z",
        "2026-05-01T08:60:00Z",
        "2026-05-01T08:30:00+25:00",
        "2026-05-01T08:30:00Z' OR Id > '0",
        "\u0662026-05-01",
    ],
)
def test_updated_since__that_does_not_exist__gets_an_example(value):
    entry = one(INVOICES, {"updated_since": value})
    assert (entry.field, entry.rule) == ("updated_since", "format")
    assert "2026-05-01T08:30:00-07:00" in entry.hint


@pytest.mark.parametrize("name", ["txn_date_from", "txn_date_to", "due_date_from", "due_date_to"])
def test_dates_of_invoices__are_calendar_dates(name):
    assert clean(INVOICES, {name: "2024-02-29"}) == ({name: "2024-02-29"}, [])
    for value in ("2023-02-29", "2024-02-29T00:00:00Z", "1.2.2024"):
        assert one(INVOICES, {name: value}).rule == "format"


@given(st.dates())
def test_any_calendar_date__is_valid(day):
    assert clean(INVOICES, {"due_date_to": day.isoformat()}) == ({"due_date_to": day.isoformat()}, [])


@given(st.datetimes(timezones=st.timezones()))
@settings(deadline=None)
def test_any_time_with_a_zone__is_valid(at):
    text = at.isoformat()
    sound = len(text.rpartition("T")[2].replace("-", "+").partition("+")[2]) == len("00:00")
    cleaned, fields = clean(INVOICES, {"updated_since": text})
    # Zones of the nineteenth century have seconds, which RFC 3339 cannot say.
    assert (cleaned == {"updated_since": text}) is sound
    assert bool(fields) is not sound


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("clientId", "client_id"),
        ("Client ID", "client_id"),
        ("client-secret", "client_secret"),
        ("RefreshToken", "refresh_token"),
        (" realm_id", "realm_id"),
        ("maxResult", "max_results"),
        ("enviroment", "environment"),
    ],
)
def test_unknown_setting__is_refused_by_name_with_the_nearest_known_one(key, nearest):
    entry = one(SETTINGS, FORM | {key: "x"})
    assert (entry.field, entry.rule) == (key, "additionalProperties")
    assert f'"{key}" is not a known setting.' in entry.message
    assert f"Did you mean {nearest}?" in entry.hint


def test_unknown_field__similar_to_none__gets_the_list_of_fields():
    assert "Remove it. The inputs are max_results," in one(CUSTOMERS, {"zzz": 1}).hint
    assert one(CUSTOMERS, {"zzz": None}).field == "zzz"  # an unknown name is an error even without a value
    assert one("getCompanyInfo.input.schema", {"max_results": 1}).hint == "Remove it. There are none here."


@pytest.mark.parametrize("key", ["", "AB11700000000x7Kq2Lm9", "a\nb", "x" * 65, 7, None, ("a",)])
def test_key_that_is_not_a_name__is_not_repeated(key):
    entry = one(CUSTOMERS, {key: 1})
    assert entry.field == ""
    assert "A field whose name is not repeated here is not a known input." in entry.message


@pytest.mark.parametrize("data", [None, [], "{}", 5, True, object(), [("name", "Amy")]])
def test_data_that_is_not_an_object__is_one_error(data):
    for schema, noun in ((SETTINGS, "settings"), (CUSTOMERS, "inputs")):
        entry = one(schema, data)
        assert (entry.field, entry.rule) == ("", "type")
        assert f"The {noun} must be an object" in entry.message


def test_all_violations__come_at_once_in_the_order_of_the_form():
    data = {"zzz": 1, "max_results": "abc", "realm_id": 5, "client_secret": "", "client_id": "id", "environment": "x"}
    cleaned, fields = clean(SETTINGS, data)
    assert cleaned == {"client_id": "id"}
    assert [(entry.field, entry.rule) for entry in fields] == [
        ("client_secret", "required"),
        ("refresh_token", "required"),
        ("realm_id", "type"),
        ("max_results", "type"),
        ("environment", "enum"),
        ("zzz", "additionalProperties"),
    ]


@given(st.sampled_from(SCHEMAS), objects | documents)
@settings(deadline=None)
@example(SETTINGS, {"client_secret": "\ud800", "realm_id": "\udfff"})
def test_any_document__gives_one_entry_per_field_and_never_raises(schema, data):
    cleaned, fields = clean(schema, data)
    names = [entry.field for entry in fields]
    assert len(names) == len(set(names))
    assert not set(names) & set(cleaned)
    json.dumps([cleaned, [entry.to_dict() for entry in fields]], allow_nan=False).encode()
    for entry in fields:
        assert entry.rule
        assert entry.message.endswith(".")
        assert entry.hint.endswith((".", "?"))


@pytest.mark.parametrize("many", [1, 2])
def test_list_that_contains_itself__is_refused(many):
    endless: list[object] = []
    endless.extend([endless] * many)
    assert one(CUSTOMERS, {"fields": endless}).rule == "size"
    assert one(CUSTOMERS, {"fields": ["Id"] * 20_000}).rule == "size"


# ---- secrets --------------------------------------------------------------------------------------------------------


# A secret that no message of ours holds by chance, and that breaks every rule there is.
secrets = st.builds(
    "\u2603{}\u2603".format, st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
) | st.sampled_from(["S3CRET\nS3CRET", "\u2603" * 5000, "S3CRET\x00", 'S3"CRET\\'])
wrappers = st.sampled_from([lambda s: s, lambda s: [s], lambda s: {s: s}, lambda s: s.encode(), lambda s: (s, [s])])


@given(secrets, secrets, wrappers, st.sampled_from(sorted(FORM)), st.booleans())
@settings(deadline=None)
def test_secret__of_any_shape_and_pasted_anywhere__is_in_no_entry(secret, token, wrap, other, as_key):
    data = FORM | {other: secret} | {"client_secret": wrap(secret), "refresh_token": wrap(token)}
    if as_key:
        data[secret] = token
    _, fields = clean(SETTINGS, data)
    shown = summarize("setting", fields) + repr(fields)
    for value in (secret, token):
        for spelling in (value, value.strip(), json.dumps(value)[1:-1], repr(value)[1:-1]):
            assert spelling not in shown


@pytest.mark.parametrize("value", ["HUNTER2", 48151623, 4.75, True])
def test_secret__that_is_in_another_field_too__is_not_shown_there(value):
    _, fields = clean(SETTINGS, FORM | {"client_secret": value, "max_results": value, "environment": value})
    assert {entry.field for entry in fields} >= {"max_results", "environment"}
    if value is not True:
        assert str(value) not in repr(fields)


def test_value__that_is_long_or_unprintable__is_not_repeated():
    for value in ("x" * 21, "a\u202eb", "a" * 10_000):
        assert value not in words(one(CUSTOMERS, {"max_results": value}))
    assert '"abc"' in words(one(CUSTOMERS, {"max_results": "abc"}))
