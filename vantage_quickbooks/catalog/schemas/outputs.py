"""Output schemas of the list and get actions, each with an example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.columns import MEMBERS
from vantage_quickbooks.catalog.schemas.draft import JSON, closed_object, object_schema
from vantage_quickbooks.catalog.titles import title_of

if TYPE_CHECKING:
    from vantage_quickbooks.catalog.resource import FlatField, Property, Resource

__all__ = ["DELETIONS", "EXAMPLE_METADATA", "METADATA", "OBTAINED", "get_output", "list_output"]

_TYPES: dict[str, JSON] = {
    "id": {"type": "string"},
    "text": {"type": ["string", "null"]},
    "decimal": {"type": ["number", "null"]},
    "integer": {"type": ["integer", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"type": ["string", "null"], "x-format": "date"},
    "instant": {"type": ["string", "null"], "x-format": "date-time"},
    "reference": {"$ref": "#/$defs/reference"},
    "object": {"type": ["object", "null"]},
    "list": {"type": ["array", "null"]},
}
"""Schema of each type of property, no narrower than what the wire shows: records must pass as Intuit sent them."""

_REFERENCE = {
    "description": "A reference to another record: its Id, and usually its name.",
    "type": ["object", "null"],
    "properties": {"value": {"type": "string"}, "name": {"type": ["string", "null"]}},
}


def _property(known: Property) -> JSON:
    if known.type == "object" and known.members:
        members = {member.name: _property(member) for member in MEMBERS[known.members]}
        return {"type": ["object", "null"], "properties": members}
    return dict(_TYPES[known.type])


def _flat_field(row: FlatField) -> JSON:
    kind = _TYPES[row.type]["type"]
    is_nullable = isinstance(kind, list) and not row.is_required
    schema: JSON = {"description": row.description, "type": kind if is_nullable else _first(kind)}
    if row.values:
        schema["enum"] = [*row.values, *([None] if is_nullable else [])]
    if row.minimum is not None:
        schema["minimum"] = row.minimum
    return schema


def _first(kind: Any) -> Any:
    return kind[0] if isinstance(kind, list) else kind


def _record(resource: Resource) -> JSON:
    """Return the schema of one record: known properties with their types, flat fields, anything else allowed."""
    known = (
        {}
        if resource.template_key
        else {known.name: {"title": title_of(known.name), **_property(known)} for known in resource.properties}
    )
    return {
        "description": f"The {resource.name} as Intuit sent it, and the connector's flat fields.",
        "type": "object",
        "properties": known | {row.name: _flat_field(row) for row in resource.flat_fields},
        "required": [row.name for row in resource.flat_fields],
        "additionalProperties": True,
    }


_COUNT: JSON = {"description": "Number of records in this result.", "type": "integer", "minimum": 0}

OBTAINED = "Where, when and how the result was obtained."
"""Description of the metadata of every result."""

METADATA: dict[str, JSON] = {
    "realmId": {"description": "The QuickBooks company that answered.", "type": "string"},
    "environment": {
        "description": "The environment that answered.",
        "type": "string",
        "enum": ["production", "sandbox", "emulator"],
    },
    "retrievedAt": {
        "description": "When the answer was fetched, UTC.",
        "type": "string",
        "format": "date-time",
        "pattern": "Z$",
    },
    "apiCalls": {
        "description": "API requests sent for this result, failed ones included.",
        "type": "integer",
        "minimum": 0,
    },
    "meteredCalls": {
        "description": "The successful ones among apiCalls; Intuit meters only these.",
        "type": "integer",
        "minimum": 0,
    },
    "intuitTids": {
        "description": "Intuit's transaction id of each request, for its support.",
        "type": "array",
        "items": {"type": "string"},
    },
    "minorVersion": {"description": "Minor version of the API that was requested.", "type": "integer", "minimum": 1},
}

_PAGE_METADATA: dict[str, JSON] = {
    "startPosition": {
        "description": "Position of the first record of this page, from 1.",
        "type": "integer",
        "minimum": 1,
    },
    "maxResults": {
        "description": "Maximum number of records in this page: input over setting over default.",
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
    },
    "mayHaveMore": {"description": "Whether more records may follow.", "type": "boolean"},
    "nextStartPosition": {
        "description": "start_position of the next page; null if none follows.",
        "type": ["integer", "null"],
        "minimum": 1,
    },
}

_FULL_METADATA: dict[str, JSON] = {
    "complete": {"description": "Whether the full read ends with this page, verified complete.", "type": "boolean"},
    "readCount": {
        "description": "Records read so far, including those of this page and those filtered out by the connector.",
        "type": "integer",
        "minimum": 0,
    },
    "expectedCount": {
        "description": "QuickBooks' own count, taken after the first page, of records created before the read began.",
        "type": ["integer", "null"],
        "minimum": 0,
    },
    "totalCount": {
        "description": "Total number of records read, once the read is complete.",
        "type": ["integer", "null"],
        "minimum": 0,
    },
    "duplicatesRemoved": {
        "description": "Records received twice because the company was edited during the read.",
        "type": "integer",
        "minimum": 0,
    },
    "reconciled": {
        "description": "Whether records displaced by edits were requested again.",
        "type": "boolean",
    },
    "cursor": {
        "description": "Continues after this page if the read is interrupted; null at its end.",
        "type": ["string", "null"],
    },
    "syncCursor": {
        "description": "Pass it as sync_cursor to read later changes; null until the read is complete.",
        "type": ["string", "null"],
    },
    "deletions": {
        "description": "How deletions were detected: cdc (see deleted) or idListing (see existingIds).",
        "type": "string",
        "enum": ["cdc", "idListing"],
    },
}

_ORDER: JSON = {"description": "Sort order of the records; null if QuickBooks decides.", "type": ["string", "null"]}

_COMPANY_DATE: JSON = {
    "description": "Today in the company's time zone: the day that decides what is overdue.",
    "type": "string",
    "format": "date",
}

EXAMPLE_METADATA: JSON = {
    "realmId": "9130357992220000",
    "environment": "production",
    "retrievedAt": "2026-05-05T12:16:21.718Z",
    "apiCalls": 1,
    "meteredCalls": 1,
    "intuitTids": ["1-69f9b317-3a5d0c6b2f1e4a7788990011"],
    "minorVersion": 75,
}


def _metadata(resource: Resource, *, is_list: bool) -> JSON:
    members = dict(METADATA)
    optional: set[str] = set()
    if is_list:
        members |= _PAGE_METADATA
        if resource.has_creation_order:
            members |= _FULL_METADATA
            optional = set(_FULL_METADATA)
        members["orderBy"] = _ORDER
    if resource.status:
        members["companyDate"] = _COMPANY_DATE
    return closed_object(members, OBTAINED, optional)


DELETIONS: JSON = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"Id": {"type": "string"}, "deletedAt": {"type": ["string", "null"]}},
        "required": ["Id", "deletedAt"],
        "additionalProperties": False,
    },
}
"""Deleted records, without a description."""

_CHANGES: dict[str, JSON] = {
    "deleted": {"description": "With sync_cursor: records deleted since.", **DELETIONS},
    "existingIds": {
        "description": "With sync_cursor, where change data capture cannot report deletions: the Ids of all existing "
        "records. A record whose Id is missing was deleted.",
        "type": "array",
        "items": {"type": "string"},
    },
}


def list_output(resource: Resource) -> JSON:
    """Return the output schema of an entity's list action."""
    record = resource.record_key
    schema = object_schema(
        resource.list_id,
        f"List {resource.plural}",
        "output",
        f"{resource.plural[0].upper()}{resource.plural[1:]} as Intuit sent them, with flat fields"
        + (", exact sums," if resource.summary_defs else "")
        + " and how the list was obtained.",
    )
    members: dict[str, JSON] = {resource.rows_key: {"type": "array", "items": {"$ref": f"#/$defs/{record}"}}}
    members |= _CHANGES if resource.has_creation_order else {}
    members["count"] = _COUNT
    if resource.summary_defs:
        members["summary"] = {"$ref": "#/$defs/summary"}
    members["metadata"] = {"$ref": "#/$defs/metadata"}
    return schema | {
        "properties": members,
        "required": [name for name in members if name not in _CHANGES],
        "additionalProperties": False,
        "examples": [_list_example(resource)],
        "$defs": {
            record: _record(resource),
            "reference": _REFERENCE,
            **resource.summary_defs,
            "metadata": _metadata(resource, is_list=True),
        },
    }


def get_output(resource: Resource) -> JSON:
    """Return the output schema of an entity's get action."""
    schema = object_schema(
        resource.get_id,
        f"Get {resource.name}",
        "output",
        f"The {resource.name} as Intuit sent it, with flat fields, and how it was obtained.",
    )
    record = resource.record_key
    return schema | {
        "properties": {record: {"$ref": f"#/$defs/{record}"}, "metadata": {"$ref": "#/$defs/metadata"}},
        "required": [record, "metadata"],
        "additionalProperties": False,
        "examples": [{record: _example_record(resource), "metadata": _example_metadata(resource, is_list=False)}],
        "$defs": {
            record: _record(resource),
            "reference": _REFERENCE,
            "metadata": _metadata(resource, is_list=False),
        },
    }


# ---- examples --------------------------------------------------------------------------------------------------------

_EXAMPLES: dict[str, Any] = {
    "id": "24",
    "text": "Pine Street Books",
    "decimal": 362.07,
    "integer": 0,
    "boolean": True,
    "date": "2026-05-05",
    "instant": "2026-05-05T05:16:21-07:00",
    "reference": {"value": "24", "name": "Pine Street Books"},
    "object": {},
    "list": [],
}
"""A value of each type of property."""


def _example_record(resource: Resource) -> JSON:
    """Return a record as short as a table's row: its Id, the properties in columns, and its flat fields."""
    shown = {"Id", *(column.field.partition(".")[0] for column in resource.columns)}
    record = {known.name: _EXAMPLES[known.type] for known in resource.properties if known.name in shown}
    if resource.template_key:
        record = {"Bill": record}
    return record | {row.name: row.values[0] if row.values else _EXAMPLES[row.type] for row in resource.flat_fields}


def _example_metadata(resource: Resource, *, is_list: bool) -> JSON:
    page = {"startPosition": 1, "maxResults": 100, "mayHaveMore": False, "nextStartPosition": None}
    members = EXAMPLE_METADATA | ({**page, "orderBy": resource.default_order} if is_list else {})
    return members | ({"companyDate": "2026-05-05"} if resource.status else {})


def _list_example(resource: Resource) -> JSON:
    record = _example_record(resource)
    summary = {} if resource.summarize is None else {"summary": resource.summarize([(record, record)], "page")}
    metadata = _example_metadata(resource, is_list=True)
    return {resource.rows_key: [record], "count": 1} | summary | {"metadata": metadata}
