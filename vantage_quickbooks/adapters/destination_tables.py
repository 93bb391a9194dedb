"""What a dlt destination has of a company: keys and rows of its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt.destinations.exceptions import DatabaseUndefinedRelation

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import dlt
    import pyarrow as pa

__all__ = ["DELETED_AT", "LOAD_ID", "REALM_ID", "REMOVED", "DestinationTables"]

REALM_ID, DELETED_AT, REMOVED, LOAD_ID = "realm_id", "_deleted_at", "_removed", "_dlt_load_id"
"""Columns beside those of the records: when a record was deleted; whether a row only removes the others of its key; the
load that a row came with."""

_KEYS_PER_QUERY = 500


class DestinationTables:
    """Reads the tables of one company in a pipeline's destination.

    A destination that cannot merge (Parquet files) keeps every version of a record. So a record is what the last load
    that had its key brought.

    Args:
        pipeline: The pipeline; its pending packages were loaded.
        schema: The schema of the source.
        realm_id: The company.
    """

    def __init__(self, pipeline: dlt.Pipeline, schema: dlt.Schema, realm_id: str) -> None:
        self._pipeline = pipeline
        self._schema = schema
        self._realm_id = realm_id

    def keys(self, table: str, key: str) -> dict[str, str]:
        """Return the keys of records that exist, each with the id of its load.

        Args:
            table: The table.
            key: The column of the keys.
        """
        return {row[0]: row[1] for row in self._select(table, key, [key, LOAD_ID])}

    def rows(self, table: str, key: str, keys: Collection[str], schema: pa.Schema) -> list[dict[str, Any]]:
        """Return rows of records that exist.

        Args:
            table: The table.
            key: The column of the keys.
            keys: Their keys.
            schema: The columns; those that the table does not have yet are left out.
        """
        name = self._schema.naming.normalize_table_identifier(table)
        known = self._schema.tables.get(name, {}).get("columns", {})
        columns = [column for column in schema.names if self._normalized(column) in known]
        wanted = sorted(keys)
        found: list[dict[str, Any]] = []
        for start in range(0, len(wanted) if columns else 0, _KEYS_PER_QUERY):
            rows = self._select(table, key, columns, wanted[start : start + _KEYS_PER_QUERY])
            found += [dict(zip(columns, row, strict=True)) for row in rows]
        return found

    def _select(
        self, table: str, key: str, columns: Sequence[str], keys: Sequence[str] | None = None
    ) -> list[tuple[Any, ...]]:
        schema = self._schema
        pipeline = self._pipeline
        with pipeline.sql_client(*[name for name in pipeline.schema_names if name == schema.name]) as client:

            def name(column: str) -> str:
                return client.escape_column_name(self._normalized(column))

            source = client.make_qualified_table_name(schema.naming.normalize_table_identifier(table))
            some = "" if keys is None else f" AND {name(key)} IN ({', '.join(['%s'] * len(keys))})"
            query = (
                f"SELECT DISTINCT {', '.join(map(name, columns))} FROM ("  # noqa: S608 -- names are escaped
                f"SELECT *, RANK() OVER (PARTITION BY {name(key)} ORDER BY {name(LOAD_ID)} DESC) AS version_rank "
                f"FROM {source} WHERE {name(REALM_ID)} = %s{some}"
                f") AS versions WHERE version_rank = 1 AND {name(DELETED_AT)} IS NULL AND {name(REMOVED)} IS NULL"
            )
            try:
                with client.execute_query(query, self._realm_id, *(keys or ())) as cursor:
                    return list(cursor.fetchall())
            except DatabaseUndefinedRelation:  # nothing was loaded yet
                return []

    def _normalized(self, column: str) -> str:
        return str(self._schema.naming.normalize_identifier(column))
