"""Results as files, written row by row: a download of any size takes the memory of a few rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.tabular import csv_text
from vantage_quickbooks.web import formatting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vantage_quickbooks.web.runs import Run

__all__ = ["as_csv", "as_json", "with_rows"]

_CHUNK = 500


def as_json(run: Run) -> Iterator[bytes]:
    """Yield a result as JSON: the rows under the action's own key, and what was said of them."""
    if not run.is_list or not _rows_key(run):
        yield _bytes(json.dumps(with_rows(run, list(run.rows)), ensure_ascii=False, indent=2) + "\n")
        return
    yield _bytes(f"{{\n  {json.dumps(_rows_key(run))}: [")
    separator = "\n    "
    for chunk in _chunks(run.rows):
        texts = (json.dumps(row, ensure_ascii=False, indent=2).replace("\n", "\n    ") for row in chunk)
        yield _bytes(separator + ",\n    ".join(texts))
        separator = ",\n    "
    rest = json.dumps(run.data, ensure_ascii=False, indent=2).removeprefix("{").removesuffix("}").rstrip("\n")
    yield _bytes(("\n  ]" if run.rows else "]") + ("," if rest else "") + f"{rest}\n}}\n")


def as_csv(run: Run) -> Iterator[bytes]:
    """Yield a result's rows as CSV: the columns of the action's table first, then the others that hold one value.

    An amount's currency is a column, too, though it may be nested in the rows.
    """
    fields = _csv_fields(run)
    header = csv_text([], fields)
    yield _bytes("\ufeff" + header)  # a spreadsheet takes a file for UTF-8 only if it begins with this mark
    for chunk in _chunks(run.rows or [run.data]):
        flat = [{name: formatting.value_at(row, name) for name in fields} for row in chunk]
        yield _bytes(csv_text(flat, fields)[len(header) :])


def with_rows(run: Run, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a result with rows in their place, or its one record."""
    key = _rows_key(run)
    if not key:
        return run.data
    return {key: rows if run.is_list else rows[0] if rows else None, **run.data}


def _csv_fields(run: Run) -> list[str]:
    members = run.rows.members
    if not run.rows:
        return [name for name, value in run.data.items() if not isinstance(value, dict | list)]
    columns = formatting.columns_of(members, everything=False) if members.columns else []
    fields = dict.fromkeys(column.field for column in columns)
    fields |= dict.fromkeys(column.currency for column in columns if column.currency)
    return list(fields | members.single)


def _rows_key(run: Run) -> str | None:
    return (run.action or {}).get("rowsKey")


def _chunks(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    chunk: list[Mapping[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _bytes(text: str) -> bytes:
    # Half of a surrogate pair has no bytes in UTF-8; JSON has an escape for it, which looks the same.
    return text.encode(errors="backslashreplace")
