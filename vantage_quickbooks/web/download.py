"""Results as CSV and JSON files, written row by row: a download of any size takes the memory of a few rows."""

from __future__ import annotations

import io
import json
import re
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.tabular import csv_text
from vantage_quickbooks.web import formatting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vantage_quickbooks.web.runs import Run

__all__ = ["as_csv", "as_json", "as_parquet", "file_stem", "has_parquet", "with_rows"]

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
        flat = [{name: value_at(row, name) for name in fields} for row in chunk]
        yield _bytes(csv_text(flat, fields)[len(header) :])


def file_stem(run: Run) -> str:
    """Return the name of a file with a result, without date and ending: the action, or the title of a report."""
    action = run.action or {}
    title = re.sub(r"[^a-z0-9]+", "-", run.title.lower()).strip("-") if action.get("report") else ""
    return title or str(action.get("id"))


def has_parquet(run: Run) -> bool:
    """Return whether a result can be written as Parquet: a report, whose result says which type its columns have."""
    return bool(_typed_columns(run)) and run.is_list and find_spec("pyarrow") is not None


def as_parquet(run: Run) -> Iterator[bytes]:
    """Yield a report's rows as Parquet: amounts of money with four decimal places, other numbers with ten."""
    import pyarrow as pa  # noqa: PLC0415 -- pyarrow is an extra
    from pyarrow import parquet  # noqa: PLC0415

    types = {
        "money": pa.decimal128(38, 4),
        "number": pa.decimal128(38, 10),
        "date": pa.date32(),
        "boolean": pa.bool_(),
    }
    formats = {str(column["field"]): str(column.get("format")) for column in _typed_columns(run)}
    others = {name: pa.float64() for name, is_number in run.rows.fields.names.items() if is_number}
    schema = pa.schema(
        [
            (name, types.get(formats[name], pa.string()) if name in formats else others.get(name, pa.string()))
            for name in run.rows.fields.single
        ]
    )
    target = io.BytesIO()
    with parquet.ParquetWriter(target, schema) as writer:
        for chunk in _chunks(run.rows):
            columns = [pa.array([_typed(row.get(it.name), it.type) for row in chunk], it.type) for it in schema]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    yield target.getvalue()


def _typed_columns(run: Run) -> list[Mapping[str, Any]]:
    """Return the columns that a result itself describes."""
    views = (run.action or {}).get("views") or ()
    names = [view["columns"] for view in views if view.get("kind") == "outline" and isinstance(view["columns"], str)]
    found = value_at(run.data, names[0]) if names else None
    return [column for column in found if isinstance(column, dict)] if isinstance(found, list) else []


def _typed(value: Any, type_: Any) -> Any:
    """Return a value as its column takes it; None if it cannot."""
    import pyarrow as pa  # noqa: PLC0415 -- pyarrow is an extra

    if value is None or value == "":
        return None
    if pa.types.is_decimal(type_):
        return round(Decimal(str(value)), type_.scale) if isinstance(value, int | float) else None
    if pa.types.is_date(type_):
        return date.fromisoformat(value) if isinstance(value, str) else None
    if pa.types.is_string(type_):
        return value if isinstance(value, str) else json.dumps(value)
    return value


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
