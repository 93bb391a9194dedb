"""Forms of the list and get actions, in the host's input types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.schemas.inputs import inputs_of
from vantage_quickbooks.catalog.titles import title_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.catalog.resource import Filter, Resource
    from vantage_quickbooks.catalog.schemas.draft import JSON

__all__ = ["ADVANCED_GROUP", "get_form", "list_form", "number_form_field", "options", "options_from"]

ADVANCED_GROUP = {"id": "advanced", "label": "Advanced", "collapsed": True}
"""The folded group at the end of a form."""

ADVANCED = ("order_by", "fields", "start_position", "all", "max_api_calls", "cursor", "sync_cursor")
"""Inputs at the end of the form, in a folded group."""

_OF_AN_ID = re.compile(r"the ([a-z ]+) with this Id, as \w+ returns it")
"""How descriptions of Ids end, for programs; a form offers the records by name."""

_INPUT_TYPES = {
    "text": "String",
    "id": "String",
    "boolean": "Boolean",
    "choice": "Dropdown",
    "date_range": "Date",
    "amount_range": "Numeric",
}


def list_form(resource: Resource, resources: Mapping[str, Resource]) -> JSON:
    """Return the form of an entity's list action; see `schemas.list_files`."""
    inputs = inputs_of(resource)
    fields = _common_fields(resource)
    for row in resource.filters:
        fields |= {name: _form_field(row, inputs[name], resources) for name in row.inputs}
    middle = [name for row in resource.filters for name in row.inputs]
    order = ["status", *middle, "active", "updated_since", "max_results", *ADVANCED]
    order = [name for name in order if name in inputs]
    return {
        "order": order,
        "groups": [ADVANCED_GROUP],
        "fields": {name: fields[name] | ({"group": "advanced"} if name in ADVANCED else {}) for name in order},
    }


def _common_fields(resource: Resource) -> dict[str, JSON]:
    """Return the form fields that do not come from filters."""
    several = resource.plural
    fields: dict[str, JSON] = {
        "max_results": number_form_field(
            "Rows at most", f"Maximum number of {several}, 1 to 1000. Empty: the connection's setting."
        ),
        "start_position": number_form_field(
            "Start position", "Position of the first record, from 1. Empty: from the beginning."
        ),
        "updated_since": {
            "label": "Changed since",
            "inputType": "String",
            "placeholder": "2026-05-01T08:30:00Z",
            "tooltip": f"Only {several} changed at or after this date or time.",
        },
        "active": {
            "label": "Active",
            "inputType": "Dropdown",
            "tooltip": f"QuickBooks lists active {several} only, unless you choose otherwise.",
            "options": options({"active": "Active", "inactive": "Inactive", "all": "Active and inactive"}),
        },
        "order_by": {
            "label": "Order",
            "inputType": "Dropdown",
            "tooltip": "What to sort by. Empty: "
            + ("newest first." if resource.default_order == "MetaData.CreateTime DESC" else "the usual order."),
            "options": options(
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
            "options": options({known.name: title_of(known.name) for known in resource.properties}),
        },
        "all": {
            "label": "Full sync",
            "inputType": "Boolean",
            "tooltip": "Full sync: read every record, verified complete.",
        },
        "max_api_calls": number_form_field("API calls at most", "Maximum number of API calls for a full read."),
        "cursor": {"label": "Cursor", "inputType": "String", "tooltip": "Continues an interrupted full read."},
        "sync_cursor": {
            "label": "Sync cursor",
            "inputType": "String",
            "tooltip": "Reads what changed since an earlier full read.",
        },
    }
    if resource.status:
        fields["status"] = {
            "label": "Status",
            "inputType": "Dropdown",
            "tooltip": resource.status.description,
            "options": options({name: _sentence(value["label"]) for name, value in resource.status.values.items()}),
        }
    return fields


def number_form_field(label: str, tooltip: str) -> JSON:
    """Return the form field of a whole number."""
    return {"label": label, "inputType": "Numeric", "step": 1, "tooltip": tooltip}


def options(labels: Mapping[str, str]) -> list[JSON]:
    """Return the choices of a form field, by value."""
    return [{"value": value, "label": label} for value, label in labels.items()]


def _form_field(row: Filter, schema: Mapping[str, Any], resources: Mapping[str, Resource]) -> JSON:
    is_choice = row.options_from in resources  # people choose the record by its name, not its Id
    label = schema["title"].removesuffix(" ID") if is_choice else schema["title"]
    field: JSON = {"label": label, "inputType": _INPUT_TYPES[row.kind]}
    if row.placeholder:
        field["placeholder"] = row.placeholder
    field["tooltip"] = _OF_AN_ID.sub(r"this \1", schema["description"]) if is_choice else schema["description"]
    if row.values:
        field["options"] = options(row.values)
    if is_choice:
        field["optionsFrom"] = options_from(resources[row.options_from])
    return field


def options_from(resource: Resource) -> JSON:
    """Return where a host finds the choices for an Id: a list action, and its input that searches by name, if any."""
    search = next((row for row in resource.filters if row.kind == "text"), None)
    names = [known.name for known in resource.properties if known.name in {"DisplayName", "Name"}]
    choices = {"action": resource.list_id, "value": "Id", "label": search.path if search else names[0]}
    return choices | ({"search": search.input, "pattern": "%{text}%"} if search else {})


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def get_form(resource: Resource, resources: Mapping[str, Resource]) -> JSON:
    """Return the form of an entity's get action; see `schemas.list_files`."""
    if resource.is_singleton:
        return {"order": [], "fields": {}}
    field: JSON = {
        "label": "ID",
        "inputType": "String",
        "placeholder": "24",
        "tooltip": f"Id of the {resource.name}, as {resource.list_id} returns it.",
    }
    if resource.list_id in resources and any(row.kind == "text" for row in resource.filters):
        field |= {
            "label": _sentence(resource.name),
            "tooltip": f"Search for the {resource.name}, or enter its Id.",
            "optionsFrom": options_from(resource),
        }
    return {"order": ["id"], "fields": {"id": field}}
