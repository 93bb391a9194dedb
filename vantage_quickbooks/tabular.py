"""Rows as a file that people load into a database or open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.catalog.columns import Columns

__all__ = ["csv_header", "csv_rows", "csv_text"]

# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), full-width forms included.
_FORMULA = frozenset("=+-@＝＋－＠")  # noqa: RUF001 -- the full-width forms are meant
_CONTROL = frozenset("\t\r\n")


def csv_header(columns: Columns) -> str:
    """Return the first line of a CSV (RFC 4180): the names of its columns."""
    return _written([columns.names])


def csv_rows(rows: Iterable[Mapping[str, Any]], columns: Columns) -> str:
    """Return rows as the lines of a CSV, without a header.

    A text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP); JSON numbers stay numbers.

    Args:
        rows: The records.
        columns: What each line holds.
    """
    # By hand: the csv module takes twice the time, for it looks at each character, and most cells are empty.
    return "".join([",".join(columns.cells(row, _quoted)) + "\r\n" for row in rows])


def csv_text(rows: Iterable[Mapping[str, Any]], first: Iterable[str] = ()) -> str:
    """Return rows whose columns nobody has fixed as CSV: a header, then the top-level fields that hold one value.

    Args:
        rows: The records.
        first: Fields that come first, whether a row has them or not.
    """
    rows = list(rows)
    fields = dict.fromkeys(first)
    for row in rows:
        fields |= dict.fromkeys(name for name, value in row.items() if not isinstance(value, dict | list))
    header = _written([[_cell(name) for name in fields]])
    return header + _written([_cell(row.get(name)) for name in fields] for row in rows)


def _written(lines: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(lines)
    return out.getvalue()


def _quoted(value: Any) -> str:
    """Return a value as it stands in a file: quoted where it holds a quote, a comma or the end of a line."""
    text = str(_cell(value))
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if _is_formula(value) else value
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _is_formula(text: str) -> bool:
    first = text[:1]
    return not first.isalnum() and (first in _CONTROL or text.lstrip()[:1] in _FORMULA)
