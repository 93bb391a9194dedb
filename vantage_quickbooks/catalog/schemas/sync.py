"""Generates the schemas and the form of the action `sync`: the entities that it offers are rows of the catalog."""

from __future__ import annotations

from vantage_quickbooks.catalog.schemas.draft import JSON, closed_object, object_schema
from vantage_quickbooks.catalog.schemas.forms import ADVANCED_GROUP, number_form_field
from vantage_quickbooks.catalog.schemas.inputs import name_list, whole_number_input
from vantage_quickbooks.catalog.schemas.outputs import DELETIONS, METADATA, OBTAINED
from vantage_quickbooks.catalog.schemas.patterns import DATE, TIME, optional
from vantage_quickbooks.catalog.sync_action import SYNC_DEFAULT, SYNC_ENTITIES

__all__ = ["sync_files"]


def sync_files() -> dict[str, JSON]:
    """Return the files of the action, by name without `.json`."""
    return {"sync.input.schema": _input(), "sync.form": _form(), "sync.output.schema": _output()}


def _schema(part: str, description: str) -> JSON:
    return object_schema("sync", "Sync the company", part, description)


def _input() -> JSON:
    instant: JSON = {
        "type": ["string", "null"],
        "x-format": "date-time",
        "pattern": optional(f"{DATE}{TIME}"),
        "examples": ["2026-05-01T15:30:00Z"],
        "x-hint": "Write a time with its zone like 2026-05-01T08:30:00-07:00 or 2026-05-01T15:30:00Z.",
    }
    return _schema("input", 'What to sync, and since when. All optional; null and "" mean not given.') | {
        "properties": {
            "entities": {
                "title": "Entities",
                "description": f"Intuit's names of the entities. Without it, the {len(SYNC_DEFAULT)} of which a "
                "full read of any size can be verified. Comma-separated text works too.",
                **name_list(list(SYNC_ENTITIES)),
                "examples": [["Customer", "Invoice"]],
                "x-hint": "Use the names as Intuit writes them, each once, or leave it out.",
            },
            "state": {
                "title": "State",
                "description": "The state of the last sync of this company: an object, or its JSON text. Without it, "
                "everything is read.",
                "type": ["object", "string", "null"],
                "maxLength": 70_000,
                "x-hint": "Use the state of the last sync unaltered, or leave it out to read everything.",
            },
            "since": {
                "title": "Since",
                "description": "In place of a state: read what changed at or after this instant.",
                **instant,
            },
            "until": {
                "title": "Until",
                "description": "Leave what changed after this instant to the next sync.",
                **instant,
            },
            "max_api_calls": whole_number_input(
                "Max API calls",
                "Maximum number of API calls; what does not fit is read by the next syncs.",
                1_000_000,
                50,
                "Enter a whole number of API calls, from 1, or leave it out for no limit.",
            ),
        },
        "additionalProperties": False,
        "examples": [{}, {"entities": ["Customer", "Invoice"], "max_api_calls": 50}],
    }


def _form() -> JSON:
    fields: JSON = {
        "entities": {
            "label": "Entities",
            "inputType": "Array of Strings",
            "tooltip": "Kinds of records to sync. Empty: all that can be verified.",
            "options": [
                {"value": name, "label": resource.plural[0].upper() + resource.plural[1:]}
                for name, resource in SYNC_ENTITIES.items()
            ],
        },
        "state": {"label": "State", "inputType": "String", "tooltip": "The state of the last sync. Empty: everything."},
        "since": {
            "label": "Since",
            "inputType": "String",
            "placeholder": "2026-05-01T15:30:00Z",
            "tooltip": "In place of a state: what changed at or after this instant.",
        },
        "until": {
            "label": "Until",
            "inputType": "String",
            "placeholder": "2026-05-02T15:30:00Z",
            "tooltip": "Leave later changes to the next sync.",
        },
        "max_api_calls": number_form_field("API calls at most", "Maximum number of API calls of this sync."),
    }
    for name in ("state", "since", "until", "max_api_calls"):
        fields[name]["group"] = ADVANCED_GROUP["id"]
    return {"order": list(fields), "groups": [ADVANCED_GROUP], "fields": fields}


_IDS: JSON = {"type": "array", "items": {"type": "string"}}

_CHANGE_SET: JSON = {
    "description": "What changed in one entity, or a page of all its records. Apply the sets in their order, by key.",
    "type": "object",
    "properties": {
        "entity": {"description": "Intuit's name of the entity.", "type": "string", "enum": list(SYNC_ENTITIES)},
        "mode": {
            "description": "snapshot: with the entity's other sets, all its records. changes: what changed.",
            "type": "string",
            "enum": ["snapshot", "changes"],
        },
        "isFirst": {
            "description": "Whether a snapshot begins: discard what you have of the entity.",
            "type": "boolean",
        },
        "isLast": {"description": "Whether the entity is up to date with this set.", "type": "boolean"},
        "primaryKey": {"description": "The members that identify a record, together.", **_IDS},
        "upserts": {
            "description": "Records that were created or changed, as Intuit sent them, with flat fields.",
            "type": "array",
            "items": {"type": "object", "additionalProperties": True},
        },
        "deletions": {"description": "Records that were deleted.", **DELETIONS},
        "existingIds": {
            "description": "Ids of all records that exist: others were deleted. null if deletions says it all.",
            "type": ["array", "null"],
            "items": {"type": "string"},
        },
        "changedLater": {"description": "Ids of records that were changed after until.", **_IDS},
        "metadata": {"description": "How the set was obtained.", "type": "object", "additionalProperties": True},
        "error": {
            "description": "Why the entity could not be read, as in an envelope; null if it was.",
            "type": ["object", "null"],
        },
    },
}
_CHANGE_SET |= {"required": list(_CHANGE_SET["properties"]), "additionalProperties": False}


def _output() -> JSON:
    metadata = METADATA | {
        "pending": {"description": "Entities that max_api_calls left to the next sync.", **_IDS},
        "failed": {"description": "Entities that could not be read; see error of their sets.", **_IDS},
    }
    state = {"version": 1, "realmId": "9130357992220000", "environment": "production", "data": "eNqrVirK..."}
    example = {
        "changeSets": [
            {
                "entity": "Term",
                "mode": "changes",
                "isFirst": False,
                "isLast": True,
                "primaryKey": ["Id"],
                "upserts": [{"Id": "3", "Name": "Net 30", "SyncToken": "1"}],
                "deletions": [],
                "existingIds": None,
                "changedLater": [],
                "metadata": {"source": "cdc"},
                "error": None,
            }
        ],
        "count": 1,
        "state": state,
        "metadata": {
            "realmId": "9130357992220000",
            "environment": "production",
            "retrievedAt": "2026-05-05T12:16:21.718Z",
            "apiCalls": 1,
            "meteredCalls": 1,
            "intuitTids": ["1-69f9b317-3a5d0c6b2f1e4a7788990011"],
            "minorVersion": 75,
            "pending": [],
            "failed": [],
        },
    }
    return _schema("output", "Change sets to apply by key, and the state for the next sync.") | {
        "properties": {
            "changeSets": {"type": "array", "items": {"$ref": "#/$defs/changeSet"}},
            "count": {"description": "Number of change sets.", "type": "integer", "minimum": 0},
            "state": {
                "description": "Pass it as state to the next sync, once all change sets are applied.",
                "type": "object",
                "properties": {
                    "version": {"type": "integer", "minimum": 1},
                    "realmId": {"type": "string"},
                    "environment": {"type": "string"},
                    "data": {"type": "string"},
                },
                "required": ["version", "realmId", "environment", "data"],
                "additionalProperties": False,
            },
            "metadata": {"$ref": "#/$defs/metadata"},
        },
        "required": ["changeSets", "count", "state", "metadata"],
        "additionalProperties": False,
        "examples": [example],
        "$defs": {
            "changeSet": _CHANGE_SET,
            "metadata": closed_object(metadata, OBTAINED),
        },
    }
