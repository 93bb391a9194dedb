"""Write rows as CSV, for databases and spreadsheets (RFC 4180)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.catalog.columns import Columns

__all__ = ["csv_header", "csv_rows", "csv_text"]

# Characters with which spreadsheets begin a formula, full-width forms included.
# Source: https://owasp.org/www-community/attacks/CSV_Injection.
_FORMULA = frozenset("=+-@＝＋－＠")  # noqa: RUF001 -- the full-width forms are meant
_CONTROL = frozenset("\t\r\n")


def csv_header(columns: Columns) -> str:
    """Return the first line of a CSV: the names of its columns."""
    return _write([columns.names])


def csv_rows(rows: Iterable[Mapping[str, Any]], columns: Columns) -> str:
    """Return rows as the lines of a CSV, without a header.

    A text that a spreadsheet would run as a formula is prefixed with an apostrophe; numbers are not changed.

    Args:
        rows: The records.
        columns: The columns of each line.
    """
    # By hand: the csv module takes twice the time, as it examines each character, and most cells are empty.
    return "".join([",".join(columns.cells(row, _quoted)) + "\r\n" for row in rows])


def csv_text(rows: Iterable[Mapping[str, Any]], first: Iterable[str] = ()) -> str:
    """Return rows without declared columns as CSV: a header, then all top-level fields that are not objects or lists.

    Args:
        rows: The records.
        first: Names of the first columns, even if no row has them.
    """
    rows = list(rows)
    fields = dict.fromkeys(first)
    for row in rows:
        fields |= dict.fromkeys(name for name, value in row.items() if not isinstance(value, dict | list))
    header = _write([[_cell(name) for name in fields]])
    return header + _write([_cell(row.get(name)) for name in fields] for row in rows)


def _write(lines: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(lines)
    return out.getvalue()


def _quoted(value: Any) -> str:
    """Return a value as a cell: quoted if it contains a quote, a comma or a line break."""
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
