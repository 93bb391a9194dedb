"""Rows as a file that people open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["csv_text"]

# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), full-width forms included.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")  # noqa: RUF001 -- the full-width forms are meant


def csv_text(rows: Iterable[Mapping[str, Any]], first: Iterable[str] = ()) -> str:
    """Return rows as CSV (RFC 4180): a header, then the top-level fields that hold one value.

    A text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP); JSON numbers stay numbers.

    Args:
        rows: The records.
        first: Fields that come first, whether a row has them or not.
    """
    rows = list(rows)
    fields = dict.fromkeys(first)
    for row in rows:
        fields |= dict.fromkeys(name for name, value in row.items() if not isinstance(value, dict | list))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_cell(name) for name in fields])
    writer.writerows([_cell(row.get(name)) for name in fields] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return value
