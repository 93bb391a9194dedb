"""The schemas and form descriptions agree with the standard, with each other and with the code."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.config.form_values import property_type
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.validation import clean

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name.removesuffix(".json") for path in (ROOT / "schemas").glob("*.json"))

CONTRACT_SCHEMAS = {"descriptor.schema", "envelope.schema"}  # of any connector; tests/unit/test_contract_schemas.py
SCHEMAS = [name for name in FILES if name.endswith(".schema") and name not in CONTRACT_SCHEMAS]
INPUTS = [f"{action}.input.schema" for action in ACTIONS]
OUTPUTS = [f"{action}.output.schema" for action in ACTIONS]
# (form, the schema whose properties it shows)
FORMS = [("settings.form", "settings.schema"), *((f"{action}.form", f"{action}.input.schema") for action in ACTIONS)]
# The host's own values; its editors support no others.
INPUT_TYPES = {"String", "Numeric", "Boolean", "Dropdown", "Date", "Object", "Array", "Array of Strings"}


def nodes(schema):
    """Yield the schema and every schema inside it."""
    yield schema
    for key in ("properties", "$defs"):
        for inner in schema.get(key, {}).values():
            yield from nodes(inner)
    if "items" in schema:
        yield from nodes(schema["items"])


def test_files__are_these():
    expected = {"settings.schema", "settings.form", *INPUTS, *OUTPUTS, *(f"{action}.form" for action in ACTIONS)}
    assert expected | CONTRACT_SCHEMAS == set(FILES)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema__meets_the_standard(name):
    schema = load_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == "urn:vantage-quickbooks:" + name.removesuffix(".schema").replace(".", ":")
    assert schema["type"] == "object"
    assert schema["title"]
    assert schema["description"].endswith(".")
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", SCHEMAS)
def test_examples__are_valid(name):
    schema = load_schema(name)
    assert schema["examples"]
    for node in nodes(schema):
        validator = Draft202012Validator(node | {"$defs": schema.get("$defs", {})}, format_checker=FormatChecker())
        for example in node.get("examples", []):
            validator.validate(example)


@pytest.mark.parametrize("name", ["settings.schema", *INPUTS])
def test_examples__pass_our_own_check_unchanged(name):
    for example in load_schema(name)["examples"]:
        assert clean(name, example) == (example, [])
    for key, rules in load_schema(name)["properties"].items():
        for example in rules.get("examples", []):
            cleaned, fields = clean(name, {key: example})
            assert cleaned == {key: example}
            assert {entry.rule for entry in fields} <= {"required"}


@pytest.mark.parametrize("name", ["settings.schema", *INPUTS])
def test_properties__have_words_for_a_person_and_a_model(name):
    for key, rules in load_schema(name)["properties"].items():
        assert key == key.lower()
        assert rules["title"]
        assert rules["description"].endswith(".")
        assert rules["x-hint"].endswith(".")


@pytest.mark.parametrize("name", INPUTS)
def test_inputs__fill_in_nothing_and_only_an_id_a_query_or_a_report_is_required(name):
    assert '"default":' not in json.dumps(load_schema(name))
    assert load_schema(name).get("required", []) in ([], ["id"], ["query"], ["report"])
    assert not (name.startswith("list") and "required" in load_schema(name))


@pytest.mark.parametrize("name", ["settings.schema", *INPUTS])
def test_validation__reads_every_keyword_that_is_used(name):
    """`clean` turns keywords into sentences: a new one needs a sentence first."""
    known = {"type", "minLength", "maxLength", "pattern", "minimum", "maximum", "enum", "items", "uniqueItems"}
    words = {"title", "description", "examples", "default", "writeOnly", "x-hint", "x-format", "format"}
    for rules in load_schema(name)["properties"].values():
        assert set(rules) <= known | words, name
        # Whether a format counts is each validator's own choice: what must hold is in the pattern.
        assert rules.get("format", "password") == "password"
        assert set(rules.get("items", {})) <= {"type", "enum"}


def test_settings__are_as_documented():
    schema = load_schema("settings.schema")
    assert schema["required"] == ["client_id", "client_secret", "refresh_token", "realm_id"]
    assert [*schema["required"], "max_results", "environment", "monthly_call_limit"] == list(schema["properties"])
    secret = {key for key, rules in schema["properties"].items() if rules.get("writeOnly")}
    assert secret == {key for key, rules in schema["properties"].items() if rules.get("format") == "password"}
    assert secret == {"client_secret", "refresh_token"}


@pytest.mark.parametrize(("form", "schema"), FORMS)
def test_form__shows_every_property_once_with_the_hosts_words(form, schema):
    described, properties = load_schema(form), load_schema(schema)["properties"]
    assert described["order"] == list(described["fields"])
    assert sorted(described["order"]) == sorted(properties)
    for key, hints in described["fields"].items():
        rules = properties[key]
        assert hints["inputType"] in INPUT_TYPES
        assert hints["label"]
        assert hints["tooltip"].endswith(".")
        assert (hints["inputType"] == "Numeric") is (property_type(rules) in {"integer", "number"})
        assert hints.get("secret", False) is rules.get("writeOnly", False)
        choices = set(rules.get("enum") or rules.get("items", {}).get("enum") or ()) - {"emulator", "", None}
        assert sorted(choices) == sorted(option["value"] for option in hints.get("options", []) if option["value"])
        assert all(option["label"] for option in hints.get("options", []))


def test_settings_form__folds_what_few_companies_need():
    form = load_schema("settings.form")
    groups = {group["id"] for group in form["groups"]}
    assert {hints["group"] for hints in form["fields"].values()} == groups
    advanced = [key for key, hints in form["fields"].items() if hints["group"] == "advanced"]
    assert advanced == ["environment", "monthly_call_limit"]


def test_outputs__share_their_metadata():
    metadata = {action: load_schema(f"{action}.output.schema")["$defs"]["metadata"] for action in ACTIONS}
    common = metadata["getCompanyInfo"]["properties"]
    page = {"startPosition", "maxResults", "mayHaveMore", "nextStartPosition", "orderBy"}
    for action, node in metadata.items():
        assert common.items() <= node["properties"].items()
        described = ACTIONS[action].action
        extra = page if described.streamable else set()
        if action == "query":
            extra = {"query", "entity", "maxResults", "mayHaveMore"}
        if action == "getReport":
            extra = {"report", "title", "reportTime", "startPeriod", "endPeriod", "basis", "currency", "summarizedBy"}
            extra |= {"hasData", "mayHaveMore", "unreadableValues", "valuesWithoutColumn"}
        if action == "reconcileReceivables":
            extra = {"asOf", "currency", "mayHaveMore"}
        if action == "listPaidInvoices":
            extra = {"paidFrom", "mayHaveMore"}
        if action == "sync":
            extra = {"pending", "failed"}
        if getattr(ACTIONS[action], "resource", None) and ACTIONS[action].resource.status:
            extra = extra | {"companyDate"}
        full = {"complete", "readCount", "expectedCount", "totalCount", "duplicatesRemoved", "reconciled", "cursor"}
        full |= {"syncCursor", "deletions"}
        required = set(common) | extra
        assert set(node["properties"]) == required | (full if "full" in described.modes else set())
        assert set(node["required"]) == required
        assert node["additionalProperties"] is False


def test_outputs__accept_any_record_of_intuit_and_check_the_connectors_members():
    for action, rows in (("listCustomers", "customers"), ("listInvoices", "invoices"), ("listVendors", "vendors")):
        schema = load_schema(f"{action}.output.schema")
        validator = Draft202012Validator(schema)
        good = schema["examples"][0]
        good[rows][0]["SomethingNew"] = {"deep": [1]}
        validator.validate(good)
        for spoil in (
            lambda data: data.pop("count"),
            lambda data, rows=rows: data[rows][0].pop("vendorName" if rows == "vendors" else "customerName"),
            lambda data: data["metadata"].update(extra=1),
            lambda data: data["metadata"].update(apiCalls="1"),
            lambda data: data["metadata"].update(retrievedAt="2026-05-05T12:16:21+02:00"),
            lambda data: data.update(extra=1),
        ):
            bad = copy.deepcopy(good)
            spoil(bad)
            with pytest.raises(ValidationError):
                validator.validate(bad)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("0", True),
        ("1234.50", True),
        ("-0.05", True),
        ("1e3", False),
        ("01", False),
        (".5", False),
        ("1,000.00", False),
    ],
)
def test_money__is_an_exact_decimal(text, good):
    money = load_schema("listInvoices.output.schema")["$defs"]["money"]
    assert Draft202012Validator(money).is_valid(text) is good
    assert not Draft202012Validator(money).is_valid(1234.5)


def test_access_token__is_marked_sensitive():
    schema = load_schema("getAccessToken.output.schema")
    assert [key for key, rules in schema["properties"].items() if rules.get("x-sensitive")] == ["accessToken"]


@pytest.mark.parametrize("action", ["listCustomers", "listInvoices"])
def test_order__is_by_what_intuit_sorts(action):
    *order, blank, nothing = load_schema(f"{action}.input.schema")["properties"]["order_by"]["enum"]
    assert (blank, nothing) == ("", None)
    properties = [choice for choice in order if " " not in choice]
    assert sorted(order) == sorted(name + end for name in properties for end in ("", " ASC", " DESC"))
    assert "Id" not in properties  # not sortable since November 2025
    fields = load_schema(f"{action}.input.schema")["properties"]["fields"]["items"]["enum"]
    assert {name.partition(".")[0] for name in properties} <= set(fields)
