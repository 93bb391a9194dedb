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

__all__ = ["TABLE_COLUMNS", "merge_frames", "merge_statements"]

_KEY = ("realm_id", "entity", "id")
TABLE_COLUMNS = (*_KEY, "sync_token", "updated", "record", "_commit_time")
"""The columns of a table to which a change table is applied: a row for each record that exists."""

_IDENTIFIER = r'(?:[A-Za-z_][A-Za-z0-9_]*|`[^`]+`|"[^"]+")'
_NAME = re.compile(rf"{_IDENTIFIER}(?:\.{_IDENTIFIER}){{0,2}}")

_DELETE = """\
DELETE FROM {table} AS present
WHERE EXISTS (
  SELECT 1 FROM {changes} AS complete
  WHERE complete.realm_id = present.realm_id AND complete.entity = present.entity
    AND complete._change_type = 'complete'
) AND NOT EXISTS (
  SELECT 1 FROM {changes} AS kept
  WHERE kept.realm_id = present.realm_id AND kept.entity = present.entity AND kept.id = present.id
)"""

_MERGE = """\
MERGE INTO {table} AS present
USING (SELECT * FROM {changes} WHERE _change_type IN ('upsert', 'delete')) AS changed
ON present.realm_id = changed.realm_id AND present.entity = changed.entity AND present.id = changed.id
WHEN MATCHED AND changed._change_type = 'delete' THEN DELETE
{update}
WHEN NOT MATCHED AND changed._change_type = 'upsert' THEN INSERT ({columns}) VALUES ({values})"""


def merge_statements(table: str, changes: str, columns: Sequence[str] = TABLE_COLUMNS) -> tuple[str, str]:
    """Return the SQL statements that apply a micro-batch to a table, to be run in this order.

    Run them in one transaction where the engine has any. They are standard SQL: Delta Lake and Iceberg in Spark,
    PostgreSQL from version 15, DuckDB from version 1.4.

    Args:
        table: The table, which has the columns, and at most one row of a key. Its name is inserted as it is.
        changes: The table or view with the rows of the micro-batch. Its name is inserted as it is.
        columns: The table's columns: the key (`realm_id`, `entity`, `id`), and others of the change table.

    Returns:
        A DELETE and a MERGE.

    Raises:
        InputError: A name is not an identifier, or a part of the key is missing.
    """
    for name in (table, changes, *columns):
        if not _NAME.fullmatch(name):
            raise _error(f"{name[:80]!r} is not a name in SQL.", "Write a name, or catalog.schema.name.")
    if missing := [name for name in _KEY if name not in columns]:
        raise _error(f"The columns lack {', '.join(missing)}.", f"The key of a record is {', '.join(_KEY)}.")
    others = [f"{name} = changed.{name}" for name in columns if name not in _KEY]
    names = {
        "table": table,
        "changes": changes,
        "update": f"WHEN MATCHED THEN UPDATE SET {', '.join(others)}" if others else "",
        "columns": ", ".join(columns),
        "values": ", ".join(f"changed.{name}" for name in columns),
    }
    return _DELETE.format_map(names), _MERGE.format_map(names)


def merge_frames(table: DataFrame, changes: DataFrame) -> DataFrame:
    """Return a table with a micro-batch applied, for destinations without MERGE, such as Parquet.

    Args:
        table: What was returned for the batch before, with `TABLE_COLUMNS`; an empty frame at first.
        changes: The rows of the micro-batch. They are used several times, and each time read again: persist them first.

    Returns:
        The records that exist now. Write it elsewhere than *table* is read from.
    """
    from pyspark.sql import functions as sql  # noqa: PLC0415 -- the statements need no Spark

    entity, key = list(_KEY[:2]), list(_KEY)
    complete = changes.where(sql.col("_change_type") == "complete").select(entity).distinct()
    existing = changes.where(sql.col("_change_type") == "exists").select(key)
    changed = changes.where(sql.col("_change_type").isin("upsert", "delete"))
    untouched = table.join(changed.select(key), key, "left_anti")
    others = untouched.join(complete, entity, "left_anti")
    kept = others.unionByName(untouched.join(complete, entity, "left_semi").join(existing, key, "left_semi"))
    upserts = changed.where(sql.col("_change_type") == "upsert")
    return kept.select(*TABLE_COLUMNS).unionByName(upserts.select(*TABLE_COLUMNS))


def _error(message: str, hint: str) -> InputError:
    return InputError(f"{message} {hint}", [FieldError("table", "name", message, hint)])
