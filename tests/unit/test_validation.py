"""What a form hands over is tidied, checked as a whole, and answered in sentences that tell no secret."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import json
import math
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vantage_quickbooks.config import validation
from vantage_quickbooks.config.validation import clean, load_schema, summarize, validate_input
from vantage_quickbooks.errors import FieldError, InputError, InternalError

SETTINGS = "settings.schema"
CUSTOMERS = "listCustomers.input.schema"
INVOICES = "listInvoices.input.schema"
SCHEMAS = (SETTINGS, CUSTOMERS, INVOICES, "getCompanyInfo.input.schema", "getAccessToken.input.schema")

FORM = {
    "client_id": "your-quickbooks-client-id",
    "client_secret": "your-quickbooks-client-secret",
    "refresh_token": "your-refresh-token",
    "realm_id": "your-realm-id",
    "max_results": 50,
}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
# Keys that exist, so that values reach the schema, and any others.
objects = st.dictionaries(
    st.sampled_from(sorted({name for schema in SCHEMAS for name in load_schema(schema)["properties"]})) | st.text(),
    documents,
)


def one(schema: str, data: object) -> FieldError:
    """Return the only entry."""
    _, (entry,) = clean(schema, data)  # type: ignore[arg-type]
    return entry


def words(entry: FieldError) -> str:
    return f"{entry.field} {entry.rule} {entry.message} {entry.hint}"


# ---- tidying


@pytest.mark.parametrize(
    ("value", "tidied"),
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
def test_whole_number__however_a_form_spells_it__is_an_int(value, tidied):
    for schema in (CUSTOMERS, INVOICES):
        cleaned, fields = clean(schema, {"max_results": value})
        assert (cleaned, fields) == ({"max_results": tidied}, [])
        assert type(cleaned["max_results"]) is int


@pytest.mark.parametrize("value", [None, "", "   ", "\t\n", "\u00a0", "\u200b", [], ()])
def test_nothing_given__in_any_spelling__is_left_out(value):
    names = (
        ("fields",) if isinstance(value, list | tuple) else ("fields", "name", "all", "max_results", "updated_since")
    )
    for name in names:
        assert clean(CUSTOMERS, {name: value}) == ({}, [])
    if value in (None, ""):  # the choices are a list, and blanks are not among them
        assert clean(CUSTOMERS, {"order_by": value, "active": value}) == ({}, [])


@pytest.mark.parametrize(
    ("schema", "data", "tidied"),
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
def test_tidied(schema, data, tidied):
    assert clean(schema, data) == (tidied, [])


@pytest.mark.parametrize("schema", SCHEMAS[1:])
def test_no_input__is_a_good_input(schema):
    assert clean(schema, {}) == ({}, [])


@given(objects)
def test_data__is_never_changed(data):
    before = copy.deepcopy(data)
    for schema in SCHEMAS:
        clean(schema, data)
    assert repr(data) == repr(before)


@given(st.sampled_from(SCHEMAS), objects)
@settings(deadline=None)
def test_tidying_twice__changes_nothing_more(schema, data):
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


# ---- what is wrong


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
def test_max_results__that_is_none__is_a_field_error(schema, value, rule):
    entry = one(schema, (FORM if schema == SETTINGS else {}) | {"max_results": value})
    assert (entry.field, entry.rule) == ("max_results", rule)
    assert "whole number from 1 to 1000" in words(entry)


@pytest.mark.parametrize(
    ("schema", "data", "rule", "said"),
    [
        (CUSTOMERS, {"fields": "Id, Blance"}, "enum", 'Did you mean "Balance"?'),
        (CUSTOMERS, {"fields": "Id, balance"}, "enum", 'Did you mean "Balance"?'),
        (CUSTOMERS, {"fields": "Id,,Balance"}, "enum", '"" is none of them'),
        (CUSTOMERS, {"fields": ["Id", "Id"]}, "uniqueItems", "names something twice"),
        (CUSTOMERS, {"fields": ["Id", ""]}, "enum", '"" is none of them'),
        (CUSTOMERS, {"active": "ALL"}, "enum", 'Did you mean "all"?'),
        (CUSTOMERS, {"order_by": "displayname desc"}, "enum", 'Did you mean "DisplayName DESC"?'),
        (CUSTOMERS, {"all": "yes"}, "type", 'must be true or false, not "yes"'),
        (CUSTOMERS, {"name": "a\tb"}, "pattern", "does not belong there"),
        (INVOICES, {"status": "partiallypaid"}, "enum", 'Did you mean "partiallyPaid"?'),
        (SETTINGS, FORM | {"environment": "Sandbox "}, "enum", 'Did you mean "sandbox"?'),
        (CUSTOMERS, {"fields": ["Id", {"x": 1}]}, "type", "an object is none of them"),
        (CUSTOMERS, {"fields": ["Blance", "Nmae"]}, "enum", '"Blance" is none of them'),
        (CUSTOMERS, {"fields": 7}, "type", "must be a list, not 7"),
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
        (CUSTOMERS, {"email": [b"a"]}, "json", "holds something that JSON cannot carry"),
        (CUSTOMERS, {"email": {1: "a"}}, "json", "holds something that JSON cannot carry"),
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
def test_updated_since__that_is_no_time_of_the_calendar__shows_how_to_write_one(value):
    entry = one(INVOICES, {"updated_since": value})
    assert (entry.field, entry.rule) == ("updated_since", "format")
    assert "2026-05-01T08:30:00-07:00" in entry.hint


@pytest.mark.parametrize("name", ["txn_date_from", "txn_date_to", "due_date_from", "due_date_to"])
def test_dates_of_invoices__are_days_of_the_calendar(name):
    assert clean(INVOICES, {name: "2024-02-29"}) == ({name: "2024-02-29"}, [])
    for value in ("2023-02-29", "2024-02-29T00:00:00Z", "1.2.2024"):
        assert one(INVOICES, {name: value}).rule == "format"


@given(st.dates())
def test_any_day_of_the_calendar__is_a_date(day):
    assert clean(INVOICES, {"due_date_to": day.isoformat()}) == ({"due_date_to": day.isoformat()}, [])


@given(st.datetimes(timezones=st.timezones()))
@settings(deadline=None)
def test_any_aware_time__is_a_time(at):
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


def test_unknown_field__near_to_nothing__is_told_what_there_is():
    assert "Remove it. The inputs are max_results," in one(CUSTOMERS, {"zzz": 1}).hint
    assert one(CUSTOMERS, {"zzz": None}).field == "zzz"  # a typing error is one, whatever its value
    assert one("getCompanyInfo.input.schema", {"max_results": 1}).hint == "Remove it. There are none here."


@pytest.mark.parametrize("key", ["", "AB11700000000x7Kq2Lm9", "a\nb", "x" * 65, 7, None, ("a",)])
def test_key_that_is_no_name__is_not_repeated(key):
    entry = one(CUSTOMERS, {key: 1})
    assert entry.field == ""
    assert "A field whose name is not repeated here is not a known input." in entry.message


@pytest.mark.parametrize("data", [None, [], "{}", 5, True, object(), [("name", "Amy")]])
def test_data_that_is_no_object__is_an_error_of_its_own(data):
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
def test_any_document__gives_entries_one_a_field_and_never_raises(schema, data):
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
def test_list_inside_itself__ends(many):
    endless: list[object] = []
    endless.extend([endless] * many)
    assert one(CUSTOMERS, {"fields": endless}).rule == "size"
    assert one(CUSTOMERS, {"fields": ["Id"] * 20_000}).rule == "size"


# ---- secrets


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
    told = summarize("setting", fields) + repr(fields)
    for value in (secret, token):
        for spelling in (value, value.strip(), json.dumps(value)[1:-1], repr(value)[1:-1]):
            assert spelling not in told


@pytest.mark.parametrize("value", ["HUNTER2", 48151623, 4.75, True])
def test_secret__that_stands_in_another_field_too__is_not_shown_there_either(value):
    _, fields = clean(SETTINGS, FORM | {"client_secret": value, "max_results": value, "environment": value})
    assert {entry.field for entry in fields} >= {"max_results", "environment"}
    if value is not True:
        assert str(value) not in repr(fields)


def test_value__that_is_long_or_unprintable__is_not_repeated():
    for value in ("x" * 21, "a\u202eb", "a" * 10_000):
        assert value not in words(one(CUSTOMERS, {"max_results": value}))
    assert '"abc"' in words(one(CUSTOMERS, {"max_results": "abc"}))


# ---- input of an action


def test_validate_input__returns_what_was_given_and_nothing_more():
    assert validate_input("listCustomers", {"max_results": " 5 ", "name": ""}) == {"max_results": 5}
    assert validate_input("getAccessToken", {}) == {}


def test_validate_input__raises_with_all_fields():
    with pytest.raises(InputError) as caught:
        validate_input("listInvoices", {"status": "late", "max_results": 0})
    assert [entry.field for entry in caught.value.fields] == ["max_results", "status"]
    assert caught.value.message.startswith("2 inputs are not right. Max results must be a whole number")
    with pytest.raises(InputError, match=r"^Max results must be a whole number from 1 to 1000, not 0\. Give"):
        validate_input("listInvoices", {"max_results": 0})


# ---- files


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Two empty folders where schemas are looked for, first the wheel's."""
    wheel, checkout = tmp_path / "_schemas", tmp_path / "schemas"
    monkeypatch.setattr(validation, "_PLACES", (wheel, checkout))
    for cache in (validation._text, validation._validator):
        cache.cache_clear()
    yield wheel, checkout
    for cache in (validation._text, validation._validator):
        cache.cache_clear()


def test_schemas__are_found_in_a_wheel_and_in_a_checkout(places):
    wheel, checkout = places
    checkout.mkdir()
    (checkout / "a.schema.json").write_text('{"properties": {"x": {"type": ["integer", "string"]}}}')
    assert clean("a.schema", {"x": "5"}) == ({"x": 5}, [])
    wheel.mkdir()
    (wheel / "b.schema.json").write_text('{"title": "wheel"}')
    (checkout / "b.schema.json").write_text('{"title": "checkout"}')
    assert load_schema("b.schema") == {"title": "wheel"}  # site-packages/schemas may be somebody else's


@pytest.mark.usefixtures("places")
def test_schemas__missing__are_a_defect_with_a_remedy():
    for call in (load_schema, lambda name: clean(name, {})):
        with pytest.raises(InternalError, match=r"settings.schema.json.* is missing. Install vantage-quickbooks again"):
            call("settings.schema")


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_schemas__damaged__are_a_defect_with_a_remedy(places, text):
    places[0].mkdir()
    (places[0] / "settings.schema.json").write_text(text)
    with pytest.raises(InternalError, match="is damaged"):
        load_schema("settings.schema")


@pytest.mark.parametrize("name", ["../pyproject", "/etc/hostname", "a/../settings.schema", "\0", "", "nope.schema"])
def test_schemas__by_another_path__are_not_there(name):
    with pytest.raises(InternalError, match="is missing"):
        load_schema(name)


def test_load_schema__gives_everyone_a_dict_of_their_own():
    load_schema(SETTINGS)["properties"].clear()
    assert load_schema(SETTINGS)["properties"]
    assert clean(SETTINGS, FORM) == (FORM, [])


def test_fields_that_break_a_rule_together__are_never_passed_over(places):
    places[0].mkdir()
    (places[0] / "a.schema.json").write_text('{"properties": {"x": {}}, "maxProperties": 0}')
    assert one("a.schema", {"x": 1}).rule == "maxProperties"


def test_importing__costs_no_jsonschema():
    code = (
        "import sys, vantage_quickbooks.config.settings; print('jsonschema' in sys.modules, 'requests' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
