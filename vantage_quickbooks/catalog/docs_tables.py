"""The generated parts of the docs.

docs/actions.md: a table of all actions, and one of the inputs and fields of each list. docs/reports.md: a table of the
reports, and one of their parameters.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from vantage_quickbooks.catalog.reports import PARAMETERS, REPORTS
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.catalog.schemas import inputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vantage_quickbooks.catalog.resource import Resource

__all__ = ["PAGES", "write_tables"]

PAGES = ("actions.md", "reports.md")
"""Pages of docs/ with generated parts."""

COMMON = frozenset({
    "max_results", "start_position", "all", "cursor", "max_api_calls", "sync_cursor", "updated_since", "order_by",
    "fields", "active",
})  # fmt: skip
"""Inputs that the page describes once, for all lists."""

_GROUPS = {"sales": "Sales", "purchases": "Purchases", "lists": "Lists", "accounting": "Accounting"}


def write_tables(page: str) -> str:
    """Return the page with its parts between `<!-- generated: name -->` and `<!-- end: name -->` regenerated."""
    texts = {"actions": _actions(), "filters": _filters(), "reports": _reports(), "parameters": _parameters()}
    for name, text in texts.items():
        part = re.compile(rf"(?<=<!-- generated: {name} -->\n).*?(?=<!-- end: {name} -->)", re.DOTALL)
        page = part.sub(lambda _, text=text: text, page)  # type: ignore[misc]  # bound now, not at the end of the loop
    return page


def _actions() -> str:
    return "".join(f"\n### {title}\n\n{_table(group)}" for group, title in _GROUPS.items()) + "\n"


def _table(group: str) -> str:
    rows = [resource for resource in RESOURCES if resource.group == group]
    lines = ["| Intuit's entity | Actions | Full read, changes | Deletions | Flat fields |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(_cells(resource))} |" for resource in rows]
    return "\n".join(lines) + "\n"


def _cells(resource: Resource) -> Iterator[str]:
    yield f"`{resource.entity}`"
    yield ", ".join(
        f"`{action}`"
        for action, exists in ((resource.list_id, resource.is_queryable), (resource.get_id, resource.path is not None))
        if exists
    )
    yield "yes" if resource.has_creation_order and resource.is_queryable else "no"
    yield ("CDC" if resource.has_cdc else "Id listing") if resource.has_creation_order else "not reported"
    yield ", ".join(f"`{row.name}`" for row in resource.flat_fields) or "none"


def _filters() -> str:
    parts = []
    for resource in RESOURCES:
        inputs = {name: schema for name, schema in inputs_of(resource).items() if name not in COMMON}
        if not resource.is_queryable or not inputs:
            continue
        description = textwrap.wrap(resource.description, 120, break_long_words=False, break_on_hyphens=False)
        lines = [f"\n### `{resource.list_id}`\n", *description, "", "| Input | Meaning |", "|---|---|"]
        lines += [f"| `{name}` | {schema['description']} |" for name, schema in inputs.items()]
        parts.append("\n".join(lines) + "\n")
    return "".join(parts) + "\n"


def _reports() -> str:
    lines = ["", "| Report | Title | Parameters |", "|---|---|---|"]
    for report in REPORTS.values():
        required = [f"`{name}` (required)" for name in report.required]
        others = [f"`{name}`" for name in report.parameters if name not in report.required]
        country = f"; {report.country} only" if report.country else ""
        lines.append(f"| `{report.name}` | {report.title}{country} | {', '.join(required + others)} |")
    return "\n".join(lines) + "\n\n"


def _parameters() -> str:
    lines = ["", "| Input | Meaning | Values |", "|---|---|---|"]
    lines.append("| `report` | Intuit's name of the report; required | see the table of reports |")
    kinds = {
        "date": "a date, `2026-05-31`",
        "ids": "Ids, separated by commas",
        "number": "a whole number, from 1",
        "boolean": "`true` or `false`",
        "keys": "keys of columns, separated by commas",
        "text": "text",
    }
    for parameter in PARAMETERS.values():
        values = ", ".join(f"`{value}`" for value in parameter.values) or kinds[parameter.kind]
        if parameter.name.endswith("_macro") and parameter.name != "date_macro":
            values = "as `date_macro`"
        lines.append(f"| `{parameter.name}` | {parameter.description} | {values} |")
    return "\n".join(lines) + "\n\n"
