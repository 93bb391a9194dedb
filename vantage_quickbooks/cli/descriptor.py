"""The connector's descriptor, as the commands read it: actions, their inputs, table columns, CSV columns."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.columns import columns_for, report_columns
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.output import mask
from vantage_quickbooks.connector.connector import QUICKBOOKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vantage_quickbooks.catalog.columns import Columns

    Action = Mapping[str, Any]

__all__ = [
    "actions",
    "choices",
    "csv_columns",
    "find_action",
    "groups",
    "inputs",
    "is_full_read",
    "is_list",
    "outline_of",
    "requested_fields",
    "rows_of",
    "sensitive_fields",
    "table_columns",
    "words",
]

_VERB = re.compile("^(list|get)", re.IGNORECASE)


def actions() -> dict[str, Action]:
    """Return all actions by id, without their schemas and forms, in the order of the descriptor."""
    return {action["id"]: action for action in QUICKBOOKS.describe(schemas=False)["actions"]}


def groups() -> dict[str, list[Action]]:
    """Return the actions by the title of their group, without their schemas and forms."""
    described = QUICKBOOKS.describe(schemas=False)
    titles = {group["id"]: group["title"] for group in described["groups"]}
    found: dict[str, list[Action]] = {title: [] for title in titles.values()}
    for action in described["actions"]:
        found.setdefault(titles.get(action["group"], "Other actions"), []).append(action)
    return {title: members for title, members in found.items() if members}


def find_action(name: str) -> dict[str, Any]:
    """Return an action by its id, with its schemas and its form.

    Raises:
        UsageError: The action does not exist; the message suggests a similar id.
    """
    with contextlib.suppress(KeyError):
        return QUICKBOOKS.describe_action(name)
    near = _nearest(name, actions())
    hint = f"Did you mean {near}? " if near else ""
    raise UsageError(
        f'{json.dumps(name[:60])} is not an action. {hint}To list the actions, run "vantage-quickbooks actions".'
    )


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the id that was probably meant.

    The nouns are compared, not the ids: "listPayments" has most letters of "listCustomers". Ids of the same verb first.
    """
    verb, noun = _VERB.match(name), _VERB.sub("", name).lower()
    same_verb = [action_id for action_id in known if verb and action_id.lower().startswith(verb[0].lower())]
    for candidates in (same_verb, known):
        nouns = {_VERB.sub("", action_id).lower(): action_id for action_id in candidates}
        if near := difflib.get_close_matches(noun, nouns, n=1, cutoff=0.7):
            return nouns[near[0]]
    return None


def inputs(action: Action) -> dict[str, dict[str, Any]]:
    """Return the form fields of an action's inputs by name, in the order of the form."""
    form = action["inputForm"]
    return {name: form["fields"][name] for name in form["order"]}


def table_columns(action: Action) -> list[dict[str, Any]]:
    """Return the columns of the table that the descriptor proposes; none if it proposes none."""
    return next((list(view["columns"]) for view in action["views"] if view["kind"] == "table"), [])


def outline_of(action: Action) -> Mapping[str, Any] | None:
    """Return the view of an action whose result names its own columns: a report. None for other actions."""
    return next((view for view in action["views"] if view["kind"] == "outline"), None)


def csv_columns(action: Action, data: Any, result: Mapping[str, Any] | None = None) -> Columns | None:
    """Return the columns of a CSV of an action's rows; None if they are not fixed.

    Args:
        action: The action.
        data: Its input: `fields` selects properties.
        result: Its result, which has the columns of a report.
    """
    view = outline_of(action)
    if view is not None and result is not None:
        return report_columns(result[view["columns"]])
    return columns_for(action["id"], requested_fields(data))


def requested_fields(data: Any) -> list[str] | None:
    """Return the properties that an input selects, given as a list or as text with commas; None for all."""
    fields = data.get("fields") if isinstance(data, dict) else None
    if isinstance(fields, str):
        fields = fields.split(",")
    if not isinstance(fields, list):
        return None
    return [name.strip() for name in fields if isinstance(name, str) and name.strip()] or None


def is_full_read(action: Action, data: Any) -> bool:
    """Return whether an input asks for all records, or for the changes since a full read."""
    full = action["fullReadInput"]
    if not full or not isinstance(data, dict):
        return False
    return "sync_cursor" in data or all(_is_same(data.get(name), value) for name, value in full.items())


def _is_same(given: Any, wanted: Any) -> bool:
    """Compare a value that may be text of a form, "true", with a JSON value."""
    if isinstance(given, str) and isinstance(wanted, bool):
        return given.strip().lower() == json.dumps(wanted)
    return bool(given == wanted)


def sensitive_fields(action: Action) -> set[str]:
    """Return the members of a result that only JSON shows."""
    properties: Mapping[str, Any] = action["outputSchema"].get("properties", {})
    return {name for name, schema in properties.items() if schema.get("x-sensitive")}


def words(name: str) -> str:
    """Return a camel-case name as words: `creditMemos` is `credit memos`."""
    parts: Sequence[str] = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)
    return " ".join(part if part.isupper() and len(part) > 1 else part.lower() for part in parts)


def rows_of(data: Mapping[str, Any], action: Action) -> list[dict[str, Any]]:
    """Return a result's rows: its list, or its one record, or the result itself with secrets masked.

    An empty list beside another value is a row of that value: a query may return a count instead of records.
    """
    rows = data[action["rowsKey"]] if action["rowsKey"] else data
    if isinstance(rows, list):
        others = {name: value for name, value in data.items() if name != "count" and isinstance(value, int | str)}
        return rows or ([others] if others else [])
    hidden = sensitive_fields(action)
    return [{name: mask(value) if name in hidden else value for name, value in rows.items()}]


def is_list(data: Mapping[str, Any], action: Action) -> bool:
    """Return whether a result contains a list of records."""
    return bool(action["rowsKey"]) and isinstance(data[action["rowsKey"]], list)


def choices(field: Mapping[str, Any]) -> list[str]:
    """Return the values that a form field offers, as text."""
    if field.get("inputType") == "Boolean":
        return ["true", "false"]
    return [str(option["value"]) for option in field.get("options", ())]
