"""What a program reads: JSON and CSV; and errors for a person, as lines that need no library."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from vantage_quickbooks.catalog.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["COLUMNS", "MASKED", "clean", "error_lines", "json_text", "mask", "rows_of", "say", "write"]

COLUMNS = {
    action_id: {column["field"]: column["label"] for column in view["columns"]}
    for action_id, handler in ACTIONS.items()
    for view in handler.action.views
    if view["kind"] == "table"
}
"""The columns of each list's table with their headings."""

MASKED = ("accessToken",)
"""Members of results that only JSON shows."""

# C0 (but for newline), DEL, C1, zero-width and bidirectional controls: what a record holds must not steer a terminal.
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_C1 = re.compile("[\x7f-\x9f]")


def write(text: str, stream: TextIO | None = None) -> None:
    """Write *text* to standard output, or *stream*."""
    (stream or sys.stdout).write(text)


def say(text: str) -> None:
    """Write a line for the person to standard error, if it can be written."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text + "\n")


def clean(text: str) -> str:
    """Return *text* without what could steer a terminal or hide in it."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def mask(secret: str) -> str:
    """Return what may be shown of a token: how it begins and how long it is."""
    return f"{secret[:3]}…({len(secret)} characters)"


def json_text(value: Any) -> str:
    """Return *value* as JSON: indented for a terminal, on one line for a pipe, so that a log takes a line a call."""
    out = sys.stdout
    plain = (out.encoding or "").lower().replace("-", "") not in {"utf8", "utf8sig"}
    text = json.dumps(value, ensure_ascii=plain, indent=2 if out.isatty() else None)
    return _C1.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def rows_of(data: Mapping[str, Any], action: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a result's rows: the action's list, or its one object, or the result's own scalars, secrets masked."""
    rows = data[action["rowsKey"]] if action["rowsKey"] else data
    if isinstance(rows, list):
        return rows
    return [{name: mask(value) if name in MASKED else value for name, value in rows.items()}]


def error_lines(error: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> list[tuple[str, str]]:
    """Return an error for a person, line by line, each with its style.

    Args:
        error: The envelope's `error`.
        meta: The envelope's `meta`.
    """
    lines = [("bold red", f"{error['code']}: {_headline(error)}")]
    for entry in error["fields"]:
        name = f"{entry['field']}: " if entry["field"] else ""
        lines += [("red", f"  {name}{entry['message']}"), ("", f"      {entry['hint']}")]
    if error["retryable"]:
        wait = error["retryAfter"]
        lines.append(("", f"  The same call may succeed {'later' if wait is None else f'in {wait:g} seconds'}."))
    facts = {
        "fault code": error["details"].get("faultCode"),
        "intuit_tid": error["details"].get("intuitTid"),
        "request id": (meta or {}).get("request_id"),
    }
    lines += [("dim", f"  {name}: {value}") for name, value in facts.items() if value]
    return [(style, clean(text)) for style, text in lines]


def _headline(error: Mapping[str, Any]) -> str:
    """Return the message, unless it only repeats the fields, which are listed."""
    if not error["fields"]:
        return str(error["message"])
    what = {"SETTINGS_INVALID": "The settings are not right.", "INPUT_INVALID": "The input is not right."}
    return what.get(error["code"], str(error["message"]))


def field_lines(entries: Sequence[Mapping[str, str]]) -> list[str]:
    """Return warnings about fields, two lines each."""
    return [line for entry in entries for line in (f"{entry['field']}: {entry['message']}", f"    {entry['hint']}")]
