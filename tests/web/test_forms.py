"""Schemas to fields, and submitted values to inputs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.web.forms import bind, fields_of, groups_of, parse

DESCRIBED = QUICKBOOKS.describe()
FORMS = {"settings": (DESCRIBED["settingsSchema"], DESCRIBED["settingsForm"])} | {
    action["id"]: (action["inputSchema"], action["inputForm"]) for action in DESCRIBED["actions"]
}


def field(rules, hints=None, *, required=False):
    schema = {"properties": {"x": rules}, "required": ["x"] if required else []}
    (made,) = fields_of(schema, {"order": ["x"], "fields": {"x": hints or {}}})
    return made


@pytest.mark.parametrize(
    ("rules", "hints", "kind"),
    [
        ({"type": "string"}, {}, "text"),
        ({"type": "string"}, {"multiline": True}, "multiline"),
        ({"type": "string", "writeOnly": True}, {}, "secret"),
        ({"type": "string"}, {"secret": True, "options": [{"value": "a"}]}, "secret"),
        ({"type": "integer"}, {}, "number"),
        ({"type": "integer"}, {"inputType": "Numeric"}, "number"),
        ({"type": "number"}, {}, "decimal"),
        ({"type": "boolean"}, {}, "boolean"),
        ({"type": "string", "enum": ["a"]}, {}, "choice"),
        ({"type": "string"}, {"inputType": "Dropdown", "options": [{"value": "a", "label": "A"}]}, "choice"),
        ({"type": "string", "format": "date"}, {}, "date"),
        ({"type": "string"}, {"inputType": "Date"}, "date"),
        ({"type": "array", "items": {"type": "string", "enum": ["a"]}}, {}, "multiselect"),
        ({"type": "array", "items": {"type": "string"}}, {}, "list"),
        ({"type": "array", "items": {"type": "object"}}, {}, "json"),
        ({"type": "object"}, {}, "json"),
        ({}, {}, "text"),
    ],
)
def test_a_property_becomes_a_field_of_the_right_kind(rules, hints, kind):
    assert field(rules, hints).kind == kind


@pytest.mark.parametrize("name", FORMS)
def test_every_property_of_every_form_has_one_field(name):
    schema, form = FORMS[name]
    assert [made.name for made in fields_of(schema, form)] == form["order"]
    assert {made.name for made in fields_of(schema, {})} == set(schema["properties"])  # a forgotten one is not lost


def test_a_default_is_shown_by_the_label_of_its_option():
    options = [{"value": "production", "label": "Live"}]
    assert field({"type": "string", "default": "production"}, {"options": options}).default == "Live"
    assert field({"type": "integer", "default": 100}).default == "100"


def test_a_secret_is_never_shown():
    (bound,) = bind([field({"type": "string", "writeOnly": True})], {"x": "s3cret"}, stored=["x"])
    assert bound.value == ""
    assert bound.is_stored
    assert "s3cret" not in repr(bound)


@pytest.mark.parametrize(
    ("rules", "sent", "expected"),
    [
        ({"type": "string"}, ["a b"], "a b"),
        ({"type": "integer"}, ["12"], "12"),  # the connector tidies, and says what is wrong
        ({"type": "integer"}, ["lots"], "lots"),
        ({"type": "number"}, ["2.5"], 2.5),
        ({"type": "number"}, ["NaN"], "NaN"),
        ({"type": "boolean"}, ["false"], False),
        ({"type": "boolean"}, ["perhaps"], "perhaps"),
        ({"type": "object"}, ['{"a": 1}'], {"a": 1}),
        ({"type": "object"}, ["{"], "{"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["a", "b"], ["a", "b"]),
        ({"type": "array", "items": {"type": "string"}}, ["a, b"], "a, b"),
    ],
)
def test_submitted_values_are_parsed(rules, sent, expected):
    assert parse([field(rules)], {"x": sent}) == {"x": expected}


@pytest.mark.parametrize("sent", [{}, {"x": []}, {"x": [""]}, {"x": ["  "]}, {"unknown": ["1"]}])
def test_empty_and_unknown_fields_are_left_out(sent):
    assert parse([field({"type": "string"})], sent) == {}


@given(st.dictionaries(st.sampled_from([*FORMS["listInvoices"][1]["order"], "x"]), st.lists(st.text(), max_size=3)))
def test_any_submitted_values_can_be_parsed_and_shown_again(sent):
    fields = fields_of(*FORMS["listInvoices"])
    assert len(bind(fields, parse(fields, sent))) == len(fields)


def test_a_folded_group_with_an_error_is_unfolded():
    schema, form = FORMS["settings"]
    error = {"field": "environment", "rule": "enum", "message": "No.", "hint": "Yes."}
    for errors, is_open in (([], False), ([error], True)):
        groups = groups_of(bind(fields_of(schema, form), {}, errors), form)
        assert [(group.label, group.is_open) for group in groups] == [("Connection", True), ("Advanced", is_open)]


def test_fields_filled_by_oauth_are_a_folded_group_of_their_own():
    schema, form = FORMS["settings"]
    groups = groups_of(bind(fields_of(schema, form), {}), form, {"refresh_token": "By hand", "realm_id": "By hand"})
    assert [group.label for group in groups] == ["Connection", "By hand", "Advanced"]
    assert [item.field.name for item in groups[1].fields] == ["refresh_token", "realm_id"]
