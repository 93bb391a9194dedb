"""Results as CSV and JSON files, written row by row: a download of any size takes the memory of a few rows."""

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
    """Yield a result as JSON, in the shape that the action returned."""
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
    """Yield a result's rows as CSV: the columns of the action's table first, then other fields with scalar values.

    The currency of an amount is a column even where it is nested in the rows.
    """
    fields = _csv_fields(run)
    header = csv_text([], fields)
    yield _bytes("\ufeff" + header)  # spreadsheets need the byte order mark to read UTF-8
    for chunk in _chunks(run.rows or [run.data]):
        flat = [{name: formatting.value_at(row, name) for name in fields} for row in chunk]
        yield _bytes(csv_text(flat, fields)[len(header) :])


def with_rows(run: Run, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a result with its rows, or its single record, in place."""
    key = _rows_key(run)
    if not key:
        return run.data
    return {key: rows if run.is_list else rows[0] if rows else None, **run.data}


def _csv_fields(run: Run) -> list[str]:
    fields = run.rows.fields
    if not run.rows:
        return [name for name, value in run.data.items() if not isinstance(value, dict | list)]
    columns = formatting.columns_of(fields, show_all=False) if fields.columns else []
    names = dict.fromkeys(column.field for column in columns)
    names |= dict.fromkeys(column.currency for column in columns if column.currency)
    return list(names | fields.single)


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
    # A lone surrogate has no UTF-8 encoding; backslashreplace writes the same escape as JSON.
    return text.encode(errors="backslashreplace")
