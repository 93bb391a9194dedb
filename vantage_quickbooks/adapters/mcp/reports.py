"""Reports for a model: short rows, without columns that are empty or repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.reports import PARAMETERS, REPORTS
from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["about_report", "report_columns", "report_input", "report_rows"]

JSON = dict[str, Any]

_LEADING = {"kind": "rowKind", "depth": "rowDepth", "name": "rowLabel", "id": "rowLabelId"}
"""The columns that all reports begin with."""

_ABOUT = ("title", "startPeriod", "endPeriod", "basis", "currency", "summarizedBy")


def report_input(name: str, parameters: Mapping[str, Any]) -> JSON:
    """Return the input of the action for a report.

    Args:
        name: The report, in upper or lower case.
        parameters: Its parameters.

    Raises:
        InputError: There is no such report, or the parameters name another one.
    """
    spelled = {known.lower(): known for known in REPORTS}
    found = spelled.get(name.strip().lower())
    if found is None:
        hint = f"Use one of {', '.join(REPORTS)}."
        raise _invalid("report", "There is no such report.", hint)
    unknown = [key for key in parameters if key not in PARAMETERS]
    if unknown:
        hint = f"{found} takes {', '.join(REPORTS[found].parameters)}."
        raise _invalid("parameters", f"{found} does not have {', '.join(unknown)}.", hint)
    return {**parameters, "report": found}


def _invalid(name: str, message: str, hint: str) -> InputError:
    return InputError(f"{name}: {message} {hint}", [FieldError(name, "enum", message, hint)])


def about_report(metadata: Mapping[str, Any]) -> JSON:
    """Return what a report is about: its title, period, basis and currency."""
    return {name: metadata[name] for name in _ABOUT if metadata[name] is not None}


def report_columns(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns of an answer: the name of each, and the member of the rows.

    The text of the first column is the name of the row. Ids of other columns are left out.
    """
    first, *others = result["columns"]
    shown = others if first["type"] == "text" else result["columns"]
    found = _LEADING | {column["field"]: column["field"] for column in shown}
    return {name: field for name, field in found.items() if any(row[field] is not None for row in result["rows"])}


def report_rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[list[Any]]:
    """Return rows as lists of values.

    Args:
        rows: The rows.
        columns: From `report_columns`.
    """
    return [[row[field] for field in columns.values()] for row in rows]
