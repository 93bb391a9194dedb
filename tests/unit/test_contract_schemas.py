"""The schemas of descriptor and envelope: ours and the toys' match them, and broken ones do not."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from vantage_quickbooks.conformance.schemas import DESCRIPTOR, ENVELOPE, INPUT_TYPES, write
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import CAPABILITIES, envelope
from vantage_quickbooks.errors import FieldError, InputError, RateLimitedError

ROOT = Path(__file__).parents[2]
DESCRIPTORS = Draft202012Validator(DESCRIPTOR)
ENVELOPES = Draft202012Validator(ENVELOPE)


def toys():
    sys.path[:0] = [str(ROOT / "tests/web"), str(ROOT / "tests/system/connector_package/src")]
    from garage import Garage
    from toy_connector.plugin import Weather

    del sys.path[:2]
    return Garage(), Weather()


GARAGE, WEATHER = toys()


def test_published_files_are_those_of_the_source(tmp_path):
    """`vantage_quickbooks.conformance.schemas.write` makes them."""
    write(tmp_path)
    for name in ("descriptor.schema.json", "envelope.schema.json"):
        assert (ROOT / "schemas" / name).read_text() == (tmp_path / name).read_text(), name
        Draft202012Validator.check_schema(json.loads((tmp_path / name).read_text()))


@pytest.mark.parametrize("connector", [QUICKBOOKS, GARAGE, WEATHER], ids=lambda connector: connector.id)
def test_descriptors_match(connector):
    DESCRIPTORS.validate(connector.describe())


@pytest.mark.parametrize("connector", [QUICKBOOKS, GARAGE], ids=lambda connector: connector.id)
def test_descriptors_without_schemas_match(connector):
    DESCRIPTORS.validate(connector.describe(schemas=False))


def test_unknown_members_are_allowed():
    """A host ignores what a later minor version adds."""
    described = WEATHER.describe()
    described["mood"] = described["actions"][0]["mood"] = {"a": 1}
    DESCRIPTORS.validate(described)
    ENVELOPES.validate(envelope(data={}) | {"mood": 1})


ACTION = ("actions", 0)
BROKEN = [
    ((), "contractVersion", None),
    ((), "contractVersion", 1),
    ((), "contractVersions", []),
    ((), "contractVersions", ["1.1"]),
    ((), "id", "two words"),
    ((), "actions", {}),
    ((), "settingsSchema", None),
    ((), "capabilities", {"stream": True}),
    ((), "groups", [{"id": "sales"}]),
    (ACTION, "id", None),
    (ACTION, "title", ""),
    (ACTION, "rowsKey", 1),
    (ACTION, "readOnly", "yes"),
    (ACTION, "modes", ["page", "page"]),
    (ACTION, "modes", ["some"]),
    (ACTION, "fullReadInput", [True]),
    (ACTION, "keys", {"deletions": "cdc"}),
    (ACTION, "keys", {"primaryKey": [], "deletions": "cdc"}),
    (ACTION, "keys", {"primaryKey": ["Id"], "deletions": "guess"}),
    (ACTION, "cost", [{"mode": "page", "apiCalls": -1, "meteredCalls": 0, "text": "One."}]),
    (ACTION, "cost", [{"mode": "page", "apiCalls": 1, "meteredCalls": 0}]),
    (ACTION, "limits", {"maxPageSize": 0}),
    (ACTION, "triggers", [{"id": "changed"}]),
    (ACTION, "flatFields", [{"name": "a", "type": "money", "title": "A"}]),
    (ACTION, "deprecated", {"replacement": "listCars"}),
    (ACTION, "inputForm", {"fields": {"a": {"inputType": "Slider"}}}),
    (ACTION, "inputForm", {"fields": {"a": {"optionsFrom": {"action": "listCars", "value": "Id"}}}}),
    (ACTION, "inputForm", {"fields": {"a": {"options": ["x"]}}}),
    (ACTION, "examples", ["x"]),
    (ACTION, "views", [{"columns": []}]),
]


@pytest.mark.parametrize(("place", "member", "value"), BROKEN)
def test_a_broken_descriptor_does_not_match(place, member, value):
    described = QUICKBOOKS.describe()
    target = described
    for step in place:
        target = target[step]
    if value is None:
        del target[member]
    else:
        target[member] = value
    errors = list(DESCRIPTORS.iter_errors(described))
    where = place if value is None else (*place, member)
    assert {tuple(error.absolute_path)[: len(where)] for error in errors} == {where}


FAILURE = envelope(error=InputError("Wrong.", [FieldError("a", "type", "a is wrong.", "Correct it.")]), request_id="r1")


@pytest.mark.parametrize(
    "made",
    [
        envelope(data={}),
        envelope(data={"cars": []}, action={"id": "listCars", "rowsKey": "cars"}),
        FAILURE,
        envelope(error=RateLimitedError("Wait.", retry_after_s=3.5)),
        envelope(error={"code": "UNAUTHORIZED", "message": "Send the key."}),
    ],
)
def test_envelopes_match(made):
    ENVELOPES.validate(json.loads(json.dumps(made, allow_nan=False)))


@pytest.mark.parametrize("connector", [(GARAGE, {"api_key": "k3y"}), (WEATHER, {})], ids=lambda pair: pair[0].id)
def test_envelopes_of_the_toys_match(connector):
    made, settings = connector
    connection = made.connect(settings)
    for action_id in (made.describe()["actions"][0]["id"], "noSuchAction"):
        ENVELOPES.validate(connection.call(action_id, {}))
        ENVELOPES.validate(connection.call(action_id, {"no_such_input": 1}))


def without(made, *path):
    changed = copy.deepcopy(made)
    target = changed
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return changed


@pytest.mark.parametrize(
    "made",
    [
        without(envelope(data={}), "data"),
        without(envelope(data={}), "success"),
        without(envelope(data={}), "meta"),
        without(envelope(data={}), "meta", "request_id"),
        without(envelope(data={}), "meta", "timestamp"),
        without(FAILURE, "error"),
        without(FAILURE, "error", "code"),
        without(FAILURE, "error", "message"),
        without(FAILURE, "error", "retryable"),
        without(FAILURE, "error", "fields", 0, "field"),
        FAILURE | {"success": True},
        FAILURE | {"data": {"cars": []}},  # rows beside an error
        envelope(data={}) | {"success": False},
        envelope(data={}) | {"data": []},
        envelope(error={"code": "not found", "message": "No."}),
        envelope(error={"code": "A", "message": "No.", "retryAfter": "soon"}),
    ],
)
def test_a_broken_envelope_does_not_match(made):
    assert not ENVELOPES.is_valid(made)


def test_the_page_for_hosts_names_every_member_and_word():
    page = (ROOT / "docs" / "host.md").read_text()
    members = [*DESCRIPTOR["properties"], *DESCRIPTOR["$defs"]["action"]["properties"]]
    members += [*DESCRIPTOR["$defs"]["trigger"]["properties"], *DESCRIPTOR["$defs"]["cost"]["properties"]]
    members += [*DESCRIPTOR["$defs"]["keys"]["properties"], *DESCRIPTOR["$defs"]["limits"]["properties"]]
    members += DESCRIPTOR["$defs"]["form"]["properties"]["fields"]["additionalProperties"]["properties"]
    assert [name for name in members if f"`{name}`" not in page and f'"{name}"' not in page] == []
    assert [name for name, offers in CAPABILITIES.items() if f"| `{name}` | {offers} |" not in page] == []
    assert [word for word in INPUT_TYPES if f"`{word}`" not in page] == []
