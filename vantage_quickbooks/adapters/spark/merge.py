"""Change tables applied to tables: as SQL statements for any engine that has MERGE, and as a Spark frame.

The rows of one micro-batch are applied together (see `schema.CHANGE_SCHEMA` for what they say):

1. Where a company's entity has a row `complete`, all of its records that have no row in this batch are deleted.
2. A row `delete` deletes its record, and a row `upsert` inserts or replaces it.

Both steps lead to the same result when they are repeated, alone or together, so a batch that comes again, or one that
was applied in part before a crash, changes nothing that is right.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

__all__ = ["ENTITY_KEY", "KEY", "TABLE_COLUMNS", "merge_frames", "merge_statements"]

KEY = ("realm_id", "entity", "id")
"""What identifies a record in the change table. In a stream of one entity with its own columns, it is `ENTITY_KEY`."""

ENTITY_KEY = ("realm_id", "Id")

TABLE_COLUMNS = (*KEY, "sync_token", "updated", "record", "_commit_time")
"""The columns of a table to which a change table is applied: a row for each record that exists."""

_IDENTIFIER = r'(?:[A-Za-z_][A-Za-z0-9_]*|`[^`]+`|"[^"]+")'
_NAME = re.compile(rf"{_IDENTIFIER}(?:\.{_IDENTIFIER}){{0,2}}")

_DELETE = """\
DELETE FROM {table} AS present
WHERE EXISTS (
  SELECT 1 FROM {changes} AS complete WHERE {same_entity} AND complete._change_type = 'complete'
) AND NOT EXISTS (
  SELECT 1 FROM {changes} AS kept WHERE {same_key}
)"""

_MERGE = """\
MERGE INTO {table} AS present
USING (SELECT * FROM {changes} WHERE _change_type IN ('upsert', 'delete')) AS changed
ON {matches}
WHEN MATCHED AND changed._change_type = 'delete' THEN DELETE
{update}
WHEN NOT MATCHED AND changed._change_type = 'upsert' THEN INSERT ({columns}) VALUES ({values})"""


def _equal(names: Sequence[str], other: str) -> str:
    return " AND ".join(f"present.{name} = {other}.{name}" for name in names)


def merge_statements(
    table: str, changes: str, columns: Sequence[str] = TABLE_COLUMNS, key: Sequence[str] = KEY
) -> tuple[str, str]:
    """Return the SQL statements that apply a micro-batch to a table, to be run in this order.

    Run them in one transaction where the engine has any. They are standard SQL: Delta Lake and Iceberg in Spark,
    PostgreSQL from version 15, DuckDB from version 1.4.

    Args:
        table: The table, which has the columns, and at most one row of a key. Its name is inserted as it is.
        changes: The table or view with the rows of the micro-batch. Its name is inserted as it is.
        columns: The table's columns: those of the key, and others of the micro-batch.
        key: What identifies a record.

    Returns:
        A DELETE and a MERGE.

    Raises:
        InputError: A name is not an identifier, or a part of the key is missing.
    """
    for name in (table, changes, *columns, *key):
        if not _NAME.fullmatch(name):
            raise _error(f"{name[:80]!r} is not a name in SQL.", "Write a name, or catalog.schema.name.")
    if missing := [name for name in key if name not in columns]:
        raise _error(f"The columns lack {', '.join(missing)}.", f"The key of a record is {', '.join(key)}.")
    others = [f"{name} = changed.{name}" for name in columns if name not in key]
    names = {
        "table": table,
        "changes": changes,
        "same_entity": _equal(key[:-1], "complete"),
        "same_key": _equal(key, "kept"),
        "matches": _equal(key, "changed"),
        "update": f"WHEN MATCHED THEN UPDATE SET {', '.join(others)}" if others else "",
        "columns": ", ".join(columns),
        "values": ", ".join(f"changed.{name}" for name in columns),
    }
    return _DELETE.format_map(names), _MERGE.format_map(names)


def merge_frames(table: DataFrame, changes: DataFrame, key: Sequence[str] = KEY) -> DataFrame:
    """Return a table with a micro-batch applied, for destinations without MERGE, such as Parquet.

    Args:
        table: What was returned for the batch before; at first an empty frame, with the columns that are wanted.
        changes: The rows of the micro-batch. They are used several times, and each time read again: persist them first.
        key: What identifies a record.

    Returns:
        The records that exist now. Write it elsewhere than *table* is read from.
    """
    from pyspark.sql import functions as sql  # noqa: PLC0415 -- the statements need no Spark

    entity, key = list(key[:-1]), list(key)
    complete = changes.where(sql.col("_change_type") == "complete").select(entity).distinct()
    existing = changes.where(sql.col("_change_type") == "exists").select(key)
    changed = changes.where(sql.col("_change_type").isin("upsert", "delete"))
    untouched = table.join(changed.select(key), key, "left_anti")
    others = untouched.join(complete, entity, "left_anti")
    kept = others.unionByName(untouched.join(complete, entity, "left_semi").join(existing, key, "left_semi"))
    upserts = changed.where(sql.col("_change_type") == "upsert")
    return kept.select(*table.columns).unionByName(upserts.select(*table.columns))


def _error(message: str, hint: str) -> InputError:
    return InputError(f"{message} {hint}", [FieldError("table", "name", message, hint)])
