"""Generates the JSON Schemas and forms of the list and get actions from the rows of the catalog.

`python -m vantage_quickbooks.catalog.generate` writes them to `schemas/`, where people who write no Python read them.
Schemas are of draft 2020-12. An input schema accepts what forms send: numbers as text, whitespace around text, null and
"" for "not given"; so the patterns allow whitespace, and no keyword counts that validators may ignore (`format`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.columns import MEMBERS
from vantage_quickbooks.sync.list_request import CHANGES_INPUTS, FULL_READ_ONLY, PAGE_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.catalog.resource import Filter, FlatField, Property, Resource

__all__ = ["get_files", "inputs_of", "list_files"]

JSON = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

# ---- patterns --------------------------------------------------------------------------------------------------------

_BLANK = r"[\s\u200b\u2060\ufeff]*"
_CONTROL = r"\u0000-\u001f\u007f-\u009f\ud800-\udfff"
_TEXT = rf"[^\s\u200b\u2060\ufeff{_CONTROL}](?:[^{_CONTROL}]*[^\s\u200b\u2060\ufeff{_CONTROL}])?"
_DATE = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
    "-02-29)"
)
_TIME = r"T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}(?:\.[0-9]{1,30})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_TRUE = f"^{_BLANK}[tT][rR][uU][eE]{_BLANK}$"


def _optional(pattern: str) -> str:
    """Return the pattern for a text that matches, or is blank: blank means not given."""
    return f"^{_BLANK}(?:{pattern})?{_BLANK}$"


def _up_to(maximum: int) -> str:
    """Return the pattern for a whole number from 1 to *maximum*, as forms write it: `+007`, `7.0`."""
    digits = str(maximum)
    parts = [f"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    for index, digit in enumerate(digits):
        lowest, highest = (1 if index == 0 else 0), int(digit) - 1
        if highest < lowest:
            continue
        choice = str(lowest) if lowest == highest else f"[{lowest}-{highest}]"
        rest = len(digits) - index - 1
        parts.append(digits[:index] + choice + (f"[0-9]{{{rest}}}" if rest else ""))
    return rf"\+?0{{0,99}}(?:{'|'.join([*parts, digits])})(?:\.0{{1,99}})?"


# ---- inputs ----------------------------------------------------------------------------------------------------------


def _whole_number(title: str, description: str, maximum: int, example: int, hint: str) -> JSON:
    return {
        "title": title,
        "description": description,
        "type": ["integer", "string", "null"],
        "minimum": 1,
        "maximum": maximum,
        "pattern": _optional(_up_to(maximum)),
        "examples": [example],
        "x-hint": hint,
    }


def _opaque(title: str, description: str, hint: str) -> JSON:
    return {
        "title": title,
        "description": description,
        "type": ["string", "null"],
        "maxLength": 4_000_000,
        "pattern": r"^[^\ud800-\udfff]*$",
        "x-hint": hint,
    }


def _boolean(title: str, description: str, hint: str, examples: Iterable[bool] = (True,)) -> JSON:
    return {
        "title": title,
        "description": description,
        "type": ["boolean", "string", "null"],
        "pattern": _optional("[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]"),
        "examples": list(examples),
        "x-hint": hint,
    }


def _choice(title: str, description: str, values: Iterable[str], example: str, hint: str) -> JSON:
    return {
        "title": title,
        "description": description,
        "type": ["string", "null"],
        "enum": [*values, "", None],
        "examples": [example],
        "x-hint": hint,
    }


def _day(title: str, description: str) -> JSON:
    return {
        "title": title,
        "description": description,
        "type": ["string", "null"],
        "x-format": "date",
        "pattern": _optional(_DATE),
        "examples": ["2026-05-31"],
        "x-hint": "Write a calendar date as year-month-day, like 2026-05-31.",
    }


def _amount(title: str, description: str) -> JSON:
    return {
        "title": title,
        "description": description,
        "type": ["number", "string", "null"],
        "minimum": -999_999_999_999,
        "maximum": 999_999_999_999,
        "pattern": _optional(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,7})?"),
        "examples": [100],
        "x-hint": "Enter an amount with a decimal point, like 1250.50.",
    }


def _record_id(title: str, description: str, hint: str, example: str = "24", *, required: bool = False) -> JSON:
    pattern = r"[0-9]{1,32}"
    return {
        "title": title,
        "description": description,
        "type": ["string", "integer"] if required else ["string", "integer", "null"],
        "x-format": "digits",
        "pattern": f"^{_BLANK}{pattern}{_BLANK}$" if required else _optional(pattern),
        "minimum": 0,
        "maximum": 9_007_199_254_740_991,
        "examples": [example],
        "x-hint": hint,
    }


def _text(row: Filter) -> JSON:
    return {
        "title": row.title,
        "description": row.description,
        "type": ["string", "null"],
        "maxLength": row.max_length,
        "pattern": _optional(_TEXT),
        "examples": list(row.examples),
        "x-hint": row.hint,
    }


def _filter_inputs(row: Filter) -> dict[str, JSON]:
    """Return the schema of each input of a filter."""
    if row.kind == "text":
        return {row.input: _text(row)}
    if row.kind == "id":
        return {row.input: _record_id(row.title, row.description, row.hint, *map(str, row.examples[:1]))}
    if row.kind == "boolean":
        hint = row.hint or "Choose true or false, or leave it out for both."
        return {row.input: _boolean(row.title, row.description, hint, row.examples or (True,))}
    if row.kind == "choice":
        values = list(row.values)
        hint = row.hint or f"Choose {_either(values)}."
        return {row.input: _choice(row.title, row.description, values, (*row.examples, values[0])[0], hint)}
    make = _day if row.kind == "date_range" else _amount
    words = zip(row.inputs, row.titles, row.descriptions, strict=True)
    return {name: make(title, description) for name, title, description in words}


def _either(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def inputs_of(resource: Resource) -> dict[str, JSON]:
    """Return the schema of each input of an entity's list action, in the order of the schema."""
    several = resource.plural
    inputs = {
        "max_results": _whole_number(
            "Max results",
            f"Maximum number of {several} to return, 1 to 1000. Without it, the connection's own setting applies.",
            1000,
            50,
            "Enter a whole number from 1 to 1000, or leave it out to use the connection's setting.",
        ),
        "start_position": _whole_number(
            "Start position",
            f"Position of the first of the {several} to return, from 1. For the next page, pass the nextStartPosition "
            "in the metadata of the page before.",
            2_147_483_647,
            101,
            "Enter a whole number, 1 for the first record, or the nextStartPosition of the page before.",
        ),
    }
    if resource.has_creation_order:
        inputs |= {
            "all": _boolean(
                "All",
                "Full sync: read every record, verified complete, in the order of creation, each record once. Costs "
                "one API call per 1000 records and two more.",
                "Choose true or false, or leave it out for one page.",
            ),
            "cursor": _opaque(
                "Cursor",
                "Where an interrupted full read continues: the cursor in the metadata of its last page. Use it with "
                "the same filters.",
                "Use the cursor unaltered, or leave it out to start over.",
            ),
            "max_api_calls": _whole_number(
                "Max API calls",
                "Maximum number of API calls for a full read; it is rejected when it needs more.",
                1_000_000,
                50,
                "Enter a whole number of API calls, from 1, or leave it out for no limit.",
            ),
            "sync_cursor": _opaque(
                "Sync cursor",
                "Read the records created, changed or deleted since the full read whose metadata had this syncCursor.",
                "Use the syncCursor of the last full read unaltered, or read every record with all.",
            ),
            "updated_since": {
                "title": "Updated since",
                "description": f"Only {several} created or changed at or after this time. A time needs its zone (RFC "
                "3339); a bare date means the moment at which that day begins first anywhere (UTC+14), so that nothing "
                "is missed.",
                "type": ["string", "null"],
                "x-format": "date-time",
                "pattern": _optional(f"{_DATE}(?:{_TIME})?"),
                "examples": ["2026-05-01", "2026-05-01T08:30:00-07:00"],
                "x-hint": "Write a date like 2026-05-01, or a time with its zone like 2026-05-01T08:30:00-07:00 or "
                "2026-05-01T15:30:00Z.",
            },
        }
    if resource.sortable:
        names = list(resource.sortable)
        inputs["order_by"] = _choice(
            "Order by",
            f"Property that sorts the {several}, ascending unless DESC follows.",
            [f"{name}{direction}" for name in names for direction in ("", " ASC", " DESC")],
            f"{names[-1]} DESC",
            f"Choose one of {', '.join(names)}, optionally followed by ASC or DESC.",
        )
    inputs["fields"] = _fields(resource)
    if resource.has_active:
        inputs["active"] = _choice(
            "Active",
            f"active for {several} in use (the default, as in QuickBooks itself), inactive for those made inactive, "
            "all for both.",
            ("active", "inactive", "all"),
            "all",
            "Choose active, inactive or all.",
        )
    if resource.status:
        values = list(resource.status.values)
        inputs["status"] = _choice(
            "Status", resource.status.description, values, values[-1], f"Choose {_either(values)}."
        )
    for row in resource.filters:
        inputs |= _filter_inputs(row)
    return inputs


def _fields(resource: Resource) -> JSON:
    names = [known.name for known in resource.properties]
    shown = [column.field for column in resource.columns if column.field in names]
    return {
        "title": "Fields",
        "description": f"Top-level properties of the {resource.name} to return, as Intuit spells them; all of them if "
        "left out. Flat fields are always included. Comma-separated text works too.",
        "type": ["array", "string", "null"],
        "items": {"type": "string", "enum": names},
        "uniqueItems": True,
        "pattern": f"^{_BLANK}(?:(?:{'|'.join(names)}){_BLANK}(?:,{_BLANK}(?=[A-Za-z])|$))*$",
        "examples": [[name for name in dict.fromkeys(["Id", *shown]) if name in names][:4] or names[:2]],
        "x-hint": "Use the names as Intuit writes them, each once, or leave it out for all of them.",
    }


def _list_input(resource: Resource) -> JSON:
    inputs = inputs_of(resource)
    schema = _object_schema(
        resource.list_id,
        f"List {resource.plural}",
        "input",
        f"Which {resource.plural} to return, how many and in what order. Everything is optional; filters add up. "
        'Strings are trimmed; null, "" and [] mean not given.',
    )
    schema |= {
        "properties": inputs,
        "additionalProperties": False,
        "examples": [dict(example) for example in resource.examples] or [{}],
    }
    if resource.has_creation_order:
        schema |= _combinations(inputs)
    return schema


def _combinations(inputs: Mapping[str, JSON]) -> JSON:
    """Return the rules of inputs that contradict each other."""
    with_all = {
        "required": ["all"],
        "properties": {"all": {"anyOf": [{"const": True}, {"type": "string", "pattern": _TRUE}]}},
    }
    others = [name for name in inputs if name not in CHANGES_INPUTS]
    page_only = [name for name in PAGE_ONLY if name in inputs]
    return {
        "not": {
            "anyOf": [
                {
                    "title": "sync_cursor can be combined with all, max_results, fields, max_api_calls and cursor only",
                    "allOf": [_given("sync_cursor"), _any_given(others)],
                },
                {
                    "title": f"all cannot be combined with {_either(page_only)}",
                    "allOf": [with_all, {"not": _given("sync_cursor")}, _any_given(page_only)],
                },
                {
                    "title": "cursor and max_api_calls require all or sync_cursor",
                    "allOf": [
                        {"not": {"anyOf": [with_all, _given("sync_cursor")]}},
                        _any_given(FULL_READ_ONLY),
                    ],
                },
            ]
        },
        "$defs": {
            "given": {
                "not": {
                    "anyOf": [
                        {"type": "null"},
                        {"type": "string", "pattern": f"^{_BLANK}$"},
                        {"type": "array", "maxItems": 0},
                    ]
                }
            }
        },
    }


def _given(name: str) -> JSON:
    return {"required": [name], "properties": {name: {"$ref": "#/$defs/given"}}}


def _any_given(names: Iterable[str]) -> JSON:
    return {"anyOf": [_given(name) for name in names]}


def _object_schema(action_id: str, title: str, part: str, description: str) -> JSON:
    return {
        "$schema": DRAFT,
        "$id": f"urn:vantage-quickbooks:{action_id}:{part}",
        "title": f"{title}: {part}",
        "description": description,
        "type": "object",
    }


# ---- outputs ---------------------------------------------------------------------------------------------------------

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
    known = {} if resource.template_key else {known.name: _property(known) for known in resource.properties}
    return {
        "description": f"The {resource.name} as Intuit sent it, and the connector's flat fields.",
        "type": "object",
        "properties": known | {row.name: _flat_field(row) for row in resource.flat_fields},
        "required": [row.name for row in resource.flat_fields],
        "additionalProperties": True,
    }


_COUNT: JSON = {"description": "Number of records in this result.", "type": "integer", "minimum": 0}

_METADATA: dict[str, JSON] = {
    "realmId": {"description": "The QuickBooks company that answered.", "type": "string"},
    "environment": {
        "description": "Which QuickBooks answered.",
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
        "description": "The successful ones among apiCalls: only these does Intuit meter.",
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

_EXAMPLE_METADATA: JSON = {
    "realmId": "9130357992220000",
    "environment": "production",
    "retrievedAt": "2026-05-05T12:16:21.718Z",
    "apiCalls": 1,
    "meteredCalls": 1,
    "intuitTids": ["1-69f9b317-3a5d0c6b2f1e4a7788990011"],
    "minorVersion": 75,
}


def _metadata(resource: Resource, *, is_list: bool) -> JSON:
    members = dict(_METADATA)
    optional: set[str] = set()
    if is_list:
        members |= _PAGE_METADATA
        if resource.has_creation_order:
            members |= _FULL_METADATA
            optional = set(_FULL_METADATA)
        members["orderBy"] = _ORDER
    if resource.status:
        members["companyDate"] = _COMPANY_DATE
    return {
        "description": "Where, when and how the result was obtained.",
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


_CHANGES: dict[str, JSON] = {
    "deleted": {
        "description": "With sync_cursor: records deleted since.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"Id": {"type": "string"}, "deletedAt": {"type": ["string", "null"]}},
            "required": ["Id", "deletedAt"],
            "additionalProperties": False,
        },
    },
    "existingIds": {
        "description": "With sync_cursor, where change data capture cannot report deletions: the Ids of all existing "
        "records. A record whose Id is missing was deleted.",
        "type": "array",
        "items": {"type": "string"},
    },
}


def _list_output(resource: Resource) -> JSON:
    record = resource.record_key
    schema = _object_schema(
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


def _get_input(resource: Resource) -> JSON:
    title = f"Get {resource.name}"
    if resource.is_singleton:
        schema = _object_schema(resource.get_id, title, "input", "This action takes no input.")
        return schema | {"properties": {}, "additionalProperties": False, "examples": [{}]}
    schema = _object_schema(resource.get_id, title, "input", f"Which {resource.name} to read.")
    description, hint = (
        f"Id of the {resource.name}, as {resource.list_id} returns it.",
        f"Enter the Id that {resource.list_id} returns.",
    )
    record_id = _record_id("ID", description, hint, required=True)
    if resource.has_named_ids:
        del record_id["x-format"]
        record_id["pattern"] = f"^{_BLANK}[0-9A-Za-z]{{1,32}}{_BLANK}$"
    return schema | {
        "properties": {"id": record_id},
        "required": ["id"],
        "additionalProperties": False,
        "examples": [{"id": "24"}],
    }


def _get_output(resource: Resource) -> JSON:
    schema = _object_schema(
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
    members = _EXAMPLE_METADATA | ({**page, "orderBy": resource.default_order} if is_list else {})
    return members | ({"companyDate": "2026-05-05"} if resource.status else {})


def _list_example(resource: Resource) -> JSON:
    record = _example_record(resource)
    summary = {} if resource.summarize is None else {"summary": resource.summarize([(record, record)], "page")}
    metadata = _example_metadata(resource, is_list=True)
    return {resource.rows_key: [record], "count": 1} | summary | {"metadata": metadata}


# ---- forms -----------------------------------------------------------------------------------------------------------

ADVANCED = ("order_by", "fields", "start_position", "all", "max_api_calls", "cursor", "sync_cursor")
"""Inputs at the end of the form, in a folded group."""

_INPUT_TYPES = {
    "text": "String",
    "id": "String",
    "boolean": "Boolean",
    "choice": "Dropdown",
    "date_range": "Date",
    "amount_range": "Numeric",
}


def _list_form(resource: Resource, resources: Mapping[str, Resource]) -> JSON:
    inputs = inputs_of(resource)
    fields = _common_fields(resource)
    for row in resource.filters:
        fields |= {name: _form_field(row, inputs[name], resources) for name in row.inputs}
    middle = [name for row in resource.filters for name in row.inputs]
    order = ["max_results", "active", "status", *middle, "updated_since", *ADVANCED]
    order = [name for name in order if name in inputs]
    return {
        "order": order,
        "groups": [{"id": "advanced", "label": "Advanced", "collapsed": True}],
        "fields": {name: fields[name] | ({"group": "advanced"} if name in ADVANCED else {}) for name in order},
    }


def _common_fields(resource: Resource) -> dict[str, JSON]:
    """Return the form fields that do not come from filters."""
    several = resource.plural
    fields: dict[str, JSON] = {
        "max_results": _number(
            "Max Results", f"Maximum number of {several}, 1 to 1000. Empty: the connection's setting."
        ),
        "start_position": _number("Start Position", "Position of the first record, from 1. Empty: from the beginning."),
        "updated_since": {
            "label": "Updated Since",
            "inputType": "String",
            "placeholder": "2026-05-01T08:30:00Z",
            "tooltip": f"Only {several} changed at or after this date or time.",
        },
        "active": {
            "label": "Active",
            "inputType": "Dropdown",
            "tooltip": f"QuickBooks lists active {several} only, unless you choose otherwise.",
            "options": _options({"active": "Active", "inactive": "Inactive", "all": "Active and inactive"}),
        },
        "order_by": {
            "label": "Order By",
            "inputType": "Dropdown",
            "tooltip": "What to sort by. Empty: "
            + ("newest first." if resource.default_order == "MetaData.CreateTime DESC" else "the usual order."),
            "options": _options(
                {
                    f"{name}{direction}": f"{label}{words}"
                    for name, label in resource.sortable.items()
                    for direction, words in (("", ""), (" ASC", ", ascending"), (" DESC", ", descending"))
                }
            ),
        },
        "fields": {
            "label": "Fields",
            "inputType": "Array of Strings",
            "tooltip": "Properties to return. Empty: all of them.",
            "options": _options({known.name: known.name for known in resource.properties}),
        },
        "all": {
            "label": "All",
            "inputType": "Boolean",
            "tooltip": "Full sync: read every record, verified complete.",
        },
        "max_api_calls": _number("Max API Calls", "Maximum number of API calls for a full read."),
        "cursor": {"label": "Cursor", "inputType": "String", "tooltip": "Continues an interrupted full read."},
        "sync_cursor": {
            "label": "Sync Cursor",
            "inputType": "String",
            "tooltip": "Reads what changed since an earlier full read.",
        },
    }
    if resource.status:
        fields["status"] = {
            "label": "Status",
            "inputType": "Dropdown",
            "tooltip": resource.status.description,
            "options": _options({name: _sentence(value["label"]) for name, value in resource.status.values.items()}),
        }
    return fields


def _number(label: str, tooltip: str) -> JSON:
    return {"label": label, "inputType": "Numeric", "step": 1, "tooltip": tooltip}


def _options(labels: Mapping[str, str]) -> list[JSON]:
    return [{"value": value, "label": label} for value, label in labels.items()]


def _form_field(row: Filter, schema: Mapping[str, Any], resources: Mapping[str, Resource]) -> JSON:
    field: JSON = {
        "label": schema["title"].title().replace("Id", "ID") if row.kind == "id" else schema["title"].title(),
        "inputType": _INPUT_TYPES[row.kind],
    }
    if row.placeholder:
        field["placeholder"] = row.placeholder
    field["tooltip"] = schema["description"]
    if row.values:
        field["options"] = _options(row.values)
    if row.options_from in resources:
        field["optionsFrom"] = _options_from(resources[row.options_from])
    return field


def _options_from(resource: Resource) -> JSON:
    """Return where a host finds the choices for an Id: a list action, and its input that searches by name, if any."""
    search = next((row for row in resource.filters if row.kind == "text"), None)
    names = [known.name for known in resource.properties if known.name in {"DisplayName", "Name"}]
    choices = {"action": resource.list_id, "value": "Id", "label": search.path if search else names[0]}
    return choices | ({"search": search.input, "pattern": "%{text}%"} if search else {})


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _get_form(resource: Resource, resources: Mapping[str, Resource]) -> JSON:
    if resource.is_singleton:
        return {"order": [], "fields": {}}
    field: JSON = {
        "label": "ID",
        "inputType": "String",
        "placeholder": "24",
        "tooltip": f"Id of the {resource.name}, as {resource.list_id} returns it.",
    }
    if resource.list_id in resources and any(row.kind == "text" for row in resource.filters):
        field["optionsFrom"] = _options_from(resource)
    return {"order": ["id"], "fields": {"id": field}}


# ---- files -----------------------------------------------------------------------------------------------------------


def list_files(resource: Resource, resources: Mapping[str, Resource]) -> dict[str, JSON]:
    """Return the files of an entity's list action, by name without `.json`.

    Args:
        resource: The entity.
        resources: Every entity by the id of its list action, for inputs whose choices another action offers.
    """
    return {
        f"{resource.list_id}.input.schema": _list_input(resource),
        f"{resource.list_id}.form": _list_form(resource, resources),
        f"{resource.list_id}.output.schema": _list_output(resource),
    }


def get_files(resource: Resource, resources: Mapping[str, Resource]) -> dict[str, JSON]:
    """Return the files of an entity's get action; see `list_files`."""
    return {
        f"{resource.get_id}.input.schema": _get_input(resource),
        f"{resource.get_id}.form": _get_form(resource, resources),
        f"{resource.get_id}.output.schema": _get_output(resource),
    }
