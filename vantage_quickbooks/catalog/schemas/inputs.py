"""Input schemas of the list and get actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.catalog.schemas.draft import JSON, object_schema
from vantage_quickbooks.catalog.schemas.patterns import BLANK, DATE, TEXT, TIME, TRUE, optional, up_to
from vantage_quickbooks.sync.list_request import CHANGES_INPUTS, FULL_READ_ONLY, PAGE_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.catalog.resource import Filter, Resource

__all__ = [
    "GIVEN",
    "any_given",
    "boolean_input",
    "choice_input",
    "day_input",
    "either",
    "get_input",
    "given",
    "inputs_of",
    "list_input",
    "name_list",
    "whole_number_input",
]

GIVEN: JSON = {
    "not": {
        "anyOf": [
            {"type": "null"},
            {"type": "string", "pattern": f"^{BLANK}$"},
            {"type": "array", "maxItems": 0},
        ]
    }
}
"""Schema of a value that is given: null, blank text and empty lists mean that it is not."""


def whole_number_input(title: str, description: str, maximum: int, example: int, hint: str) -> JSON:
    """Return the schema of an input that is a whole number from 1 to *maximum*, as JSON or as a form writes it."""
    return {
        "title": title,
        "description": description,
        "type": ["integer", "string", "null"],
        "minimum": 1,
        "maximum": maximum,
        "pattern": optional(up_to(maximum)),
        "examples": [example],
        "x-hint": hint,
    }


def name_list(names: list[str]) -> JSON:
    """Return what the schema of an input for some of *names* requires: a list, or comma-separated text of a form."""
    return {
        "type": ["array", "string", "null"],
        "items": {"type": "string", "enum": names},
        "uniqueItems": True,
        "pattern": f"^{BLANK}(?:(?:{'|'.join(names)}){BLANK}(?:,{BLANK}(?=[A-Za-z])|$))*$",
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


def boolean_input(title: str, description: str, hint: str, examples: Iterable[bool] = (True,)) -> JSON:
    """Return the schema of an input that is true or false, as JSON or as a form writes it.

    Args:
        title: The label.
        description: What it means.
        hint: What to do if a value is wrong.
        examples: Values for the documentation.
    """
    return {
        "title": title,
        "description": description,
        "type": ["boolean", "string", "null"],
        "pattern": optional("[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]"),
        "examples": list(examples),
        "x-hint": hint,
    }


def choice_input(title: str, description: str, values: Iterable[str], example: str, hint: str) -> JSON:
    """Return the schema of an input that is one of a list of values.

    Args:
        title: The label.
        description: What it means.
        values: The list.
        example: A value for the documentation.
        hint: What to do if a value is wrong.
    """
    return {
        "title": title,
        "description": description,
        "type": ["string", "null"],
        "enum": [*values, "", None],
        "examples": [example],
        "x-hint": hint,
    }


def day_input(title: str, description: str) -> JSON:
    """Return the schema of an input that is a date.

    Args:
        title: The label.
        description: What it means.
    """
    return {
        "title": title,
        "description": description,
        "type": ["string", "null"],
        "x-format": "date",
        "pattern": optional(DATE),
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
        "pattern": optional(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,7})?"),
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
        "pattern": f"^{BLANK}{pattern}{BLANK}$" if required else optional(pattern),
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
        "pattern": optional(TEXT),
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
        return {row.input: boolean_input(row.title, row.description, hint, row.examples or (True,))}
    if row.kind == "choice":
        values = list(row.values)
        hint = row.hint or f"Choose {either(values)}."
        return {row.input: choice_input(row.title, row.description, values, (*row.examples, values[0])[0], hint)}
    make = day_input if row.kind == "date_range" else _amount
    words = zip(row.inputs, row.titles, row.descriptions, strict=True)
    return {name: make(title, description) for name, title, description in words}


def either(words: list[str]) -> str:
    """Return words as alternatives: `a, b or c`."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def inputs_of(resource: Resource) -> dict[str, JSON]:
    """Return the schema of each input of an entity's list action, in the order of the schema."""
    several = resource.plural
    inputs = {
        "max_results": whole_number_input(
            "Max results",
            f"Maximum number of {several} to return, 1 to 1000. Without it, the connection's own setting applies.",
            1000,
            50,
            "Enter a whole number from 1 to 1000, or leave it out to use the connection's setting.",
        ),
        "start_position": whole_number_input(
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
            "all": boolean_input(
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
            "max_api_calls": whole_number_input(
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
                "3339); a bare date means the first moment of that day anywhere on earth (UTC+14), so that nothing is "
                "missed.",
                "type": ["string", "null"],
                "x-format": "date-time",
                "pattern": optional(f"{DATE}(?:{TIME})?"),
                "examples": ["2026-05-01", "2026-05-01T08:30:00-07:00"],
                "x-hint": "Write a date like 2026-05-01, or a time with its zone like 2026-05-01T08:30:00-07:00 or "
                "2026-05-01T15:30:00Z.",
            },
        }
    if resource.sortable:
        names = list(resource.sortable)
        inputs["order_by"] = choice_input(
            "Order by",
            f"Property that sorts the {several}, ascending unless DESC follows.",
            [f"{name}{direction}" for name in names for direction in ("", " ASC", " DESC")],
            f"{names[-1]} DESC",
            f"Choose one of {', '.join(names)}, optionally followed by ASC or DESC.",
        )
    inputs["fields"] = _fields(resource)
    if resource.has_active:
        inputs["active"] = choice_input(
            "Active",
            f"active for {several} in use (the default, as in QuickBooks itself), inactive for those made inactive, "
            "all for both.",
            ("active", "inactive", "all"),
            "all",
            "Choose active, inactive or all.",
        )
    if resource.status:
        values = list(resource.status.values)
        inputs["status"] = choice_input(
            "Status", resource.status.description, values, values[-1], f"Choose {either(values)}."
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
        **name_list(names),
        "examples": [[name for name in dict.fromkeys(["Id", *shown]) if name in names][:4] or names[:2]],
        "x-hint": "Use the names as Intuit writes them, each once, or leave it out for all of them.",
    }


def list_input(resource: Resource) -> JSON:
    """Return the input schema of an entity's list action."""
    inputs = inputs_of(resource)
    schema = object_schema(
        resource.list_id,
        f"List {resource.plural}",
        "input",
        f"Which {resource.plural} to return, how many and in what order. All inputs are optional; all filters apply. "
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
        "properties": {"all": {"anyOf": [{"const": True}, {"type": "string", "pattern": TRUE}]}},
    }
    others = [name for name in inputs if name not in CHANGES_INPUTS]
    page_only = [name for name in PAGE_ONLY if name in inputs]
    return {
        "not": {
            "anyOf": [
                {
                    "title": "sync_cursor can be combined with all, max_results, fields, max_api_calls and cursor only",
                    "allOf": [given("sync_cursor"), any_given(others)],
                },
                {
                    "title": f"all cannot be combined with {either(page_only)}",
                    "allOf": [with_all, {"not": given("sync_cursor")}, any_given(page_only)],
                },
                {
                    "title": "cursor and max_api_calls require all or sync_cursor",
                    "allOf": [
                        {"not": {"anyOf": [with_all, given("sync_cursor")]}},
                        any_given(FULL_READ_ONLY),
                    ],
                },
            ]
        },
        "$defs": {"given": GIVEN},
    }


def given(name: str) -> JSON:
    """Return the schema of an input object that has a value for *name*; `$defs` has `GIVEN` as `given`."""
    return {"required": [name], "properties": {name: {"$ref": "#/$defs/given"}}}


def any_given(names: Iterable[str]) -> JSON:
    """Return the schema of an input object that has a value for at least one name."""
    return {"anyOf": [given(name) for name in names]}


def get_input(resource: Resource) -> JSON:
    """Return the input schema of an entity's get action."""
    title = f"Get {resource.name}"
    if resource.is_singleton:
        schema = object_schema(resource.get_id, title, "input", "This action takes no input.")
        return schema | {"properties": {}, "additionalProperties": False, "examples": [{}]}
    schema = object_schema(resource.get_id, title, "input", f"Which {resource.name} to read.")
    description, hint = (
        f"Id of the {resource.name}, as {resource.list_id} returns it.",
        f"Enter the Id that {resource.list_id} returns.",
    )
    record_id = _record_id("ID", description, hint, required=True)
    if resource.has_named_ids:
        del record_id["x-format"]
        record_id["pattern"] = f"^{BLANK}[0-9A-Za-z]{{1,32}}{BLANK}$"
    return schema | {
        "properties": {"id": record_id},
        "required": ["id"],
        "additionalProperties": False,
        "examples": [{"id": "24"}],
    }
