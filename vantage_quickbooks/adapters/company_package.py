"""What one load package gets of one company: rows of its change sets, rows that delete, and its new state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from vantage_quickbooks.adapters.destination_tables import DELETED_AT, LOAD_ID, REALM_ID, REMOVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vantage_quickbooks.adapters.company_load import CompanyLoad, ConvertedSet
    from vantage_quickbooks.adapters.destination_tables import DestinationTables
    from vantage_quickbooks.contract import ChangeSet

    Rows = tuple[str, pa.Table]
    """The name of a table, and rows of it."""

    Tables = Mapping[str, tuple["Table", ...]]
    """The tables of each entity."""

__all__ = ["COMPANIES", "COMPANIES_SCHEMA", "KEY", "POSITION", "CompanyPackage", "Deletions", "Package", "Table"]

Deletions = Literal["hard", "soft"]

KEY, POSITION = "_key", "position"
"""Columns: the key of records that have several members for it; the number of a line in its record."""

COMPANIES = "companies"
COMPANIES_SCHEMA = pa.schema(
    [
        pa.field(REALM_ID, pa.string(), nullable=False),
        pa.field("connection", pa.string()),
        pa.field("company", pa.string()),
        pa.field("environment", pa.string()),
        pa.field("synced_at", pa.timestamp("us", tz="UTC")),
        pa.field("pending", pa.string()),
        pa.field("error_code", pa.string()),
        pa.field("error_message", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an entity.

    Attributes:
        name: Its name.
        key: The column that identifies a record of a company.
        schema: Its columns.
        is_lines: Whether it has the lines of records, several rows for each key.
    """

    name: str
    key: str
    schema: pa.Schema
    is_lines: bool = False


@dataclass(frozen=True, slots=True)
class Package:
    """A load package.

    Attributes:
        load_id: Its id.
        tables: The tables that are loaded, by entity.
        not_loaded: Tables of these entities that are not selected.
        ids: An id for each table that is loaded; another one after the table was dropped.
        deletions: How records are deleted.
    """

    load_id: str
    tables: Tables
    not_loaded: frozenset[str]
    ids: Mapping[str, str]
    deletions: Deletions


class CompanyPackage:
    """The part of a package that one company has.

    Args:
        package: The package.
        load: The company's sync.
        state: What is stored of the company; changed as its sets are yielded. `sync` is the state of the sync,
            `tables` the id of each table that has its records, `snapshots` the loads of each snapshot in progress.
        destination: What the destination has of the company.
    """

    def __init__(
        self, package: Package, load: CompanyLoad, state: dict[str, Any], destination: DestinationTables
    ) -> None:
        self.load = load
        self._package = package
        self._state = state
        self._destination = destination
        self._old_keys: dict[str, dict[str, str]] = {}

    def begin(self, max_api_calls: int | None, *, restart: bool, continues: bool) -> bool:
        """Begin a sync, or continue the one of the package before.

        Returns:
            False if there is nothing to do: it was finished in a package before, or it has no connection.
        """
        if continues and self.load.is_finished:
            return False
        sync = None if restart else self._state.get("sync")
        if continues and self.load.last_state == sync:
            return True
        has = self._state.setdefault("tables", {})
        self.load.report.company = self._state.get("company")
        lost = [
            entity
            for entity, tables in self._package.tables.items()
            if sync is not None and any(has.get(table.name) != self._package.ids[table.name] for table in tables)
        ]
        if sync is None:  # the name may have changed
            self.load.report.company = None
        return self.load.start(list(self._package.tables), sync, lost, max_api_calls)

    def rows_of(self, found: ConvertedSet) -> Iterator[Rows]:
        """Yield the rows of a set, and keep its state."""
        changes, report = found.changes, self.load.report
        if changes.error is not None:
            report.errors.append({"entity": changes.entity, **changes.error})
        snapshot = self._snapshot(changes)
        for table in self._package.tables[changes.entity]:
            if changes.is_first:
                yield table.name, table.schema.empty_table()  # so that the table exists
            gone = self._gone(table, found, snapshot)
            if found.records is not None:
                rows = self._rows(table, found)
                yield table.name, rows
                report.count(table.name, rows=rows.num_rows)
            removed = self._removed(table, found, gone)
            if removed.num_rows:
                yield table.name, removed
                report.count(table.name, deleted=0 if table.is_lines else removed.num_rows)
            self._state["tables"][table.name] = self._package.ids[table.name]
        for name in self._package.not_loaded:
            self._state["tables"].pop(name, None)
        report.pending = list(changes.metadata["pending"])
        self._state["company"] = report.company
        self._state["sync"] = self.load.last_state = changes.state

    def company_row(self) -> dict[str, Any]:
        """Return the company's row of the table of companies."""
        report, error = self.load.report, self.load.report.error
        if error is None and self.load.is_finished and not report.pending:
            self._state["syncedAt"] = datetime.now(UTC).isoformat(timespec="seconds")
        synced_at = self._state.get("syncedAt")
        error = error or next(iter(report.errors), None)
        return {
            REALM_ID: report.realm_id,
            "connection": report.connection,
            "company": report.company,
            "environment": self.load.environment,
            "synced_at": synced_at and datetime.fromisoformat(synced_at),
            "pending": ", ".join(report.pending) or None,
            "error_code": error and error["code"],
            "error_message": error and error["message"],
        }

    # ---- what exists no more -----------------------------------------------------------------------------------------

    def _snapshot(self, changes: ChangeSet) -> list[str] | None:
        """Return the loads that a snapshot is spread over, this one included; None if the set is not part of one."""
        if changes.mode != "snapshot":
            return None
        snapshots = self._state.setdefault("snapshots", {})
        loads: list[str] = [] if changes.is_first else snapshots.get(changes.entity, [])
        if self._package.load_id not in loads:
            loads = [*loads, self._package.load_id]
        snapshots[changes.entity] = loads
        if changes.is_last:
            del snapshots[changes.entity]
        return loads

    def _gone(self, table: Table, found: ConvertedSet, snapshot: list[str] | None) -> dict[str, datetime]:
        """Return the keys of records that were deleted, and when."""
        changes, now = found.changes, datetime.now(UTC)
        gone = {deletion["Id"]: _instant(deletion["deletedAt"]) or now for deletion in changes.deletions}
        if changes.existing_ids is not None:
            existing = {*changes.existing_ids, *found.keys}
            gone |= {key: now for key in self._destination.keys(table.name, table.key) if key not in existing}
        if snapshot is not None:
            old = self._old_keys.get(table.name)
            if old is None:
                old = self._old_keys[table.name] = self._destination.keys(table.name, table.key)
            for key in found.keys if old else ():
                old.pop(key, None)
            if changes.is_last:
                gone |= {key: now for key, load_id in old.items() if load_id not in snapshot}
                del self._old_keys[table.name]
        return gone

    # ---- rows --------------------------------------------------------------------------------------------------------

    def _rows(self, table: Table, found: ConvertedSet) -> pa.Table:
        batch: Any = found.lines if table.is_lines else found.records
        own: dict[str, Callable[[int], Any]] = {
            KEY: lambda _: pa.array(found.keys, pa.string()),
            LOAD_ID: lambda count: pa.array([self._package.load_id] * count, pa.string()),
        }
        columns = []
        for field in table.schema:
            if field.name in own:
                columns.append(own[field.name](batch.num_rows))
            elif field.name in {DELETED_AT, REMOVED}:
                columns.append(pa.nulls(batch.num_rows, field.type))
            else:
                column = batch.column(field.name)
                columns.append(_without_nul(column) if found.has_nul else column)
        return pa.Table.from_arrays(columns, schema=table.schema)

    def _removed(self, table: Table, found: ConvertedSet, gone: Mapping[str, datetime]) -> pa.Table:
        """Return rows that delete records or mark them as deleted, and that remove lines of records without any."""
        rows: list[dict[str, Any]]
        if self._package.deletions == "soft" and gone:
            rows = [
                {**row, DELETED_AT: gone[row[table.key]]}
                for row in self._destination.rows(table.name, table.key, gone, table.schema)
            ]
            keys: set[str] = set()
        else:
            rows, keys = [], set(gone)
        if table.is_lines:
            if found.lines is not None:
                keys |= set(found.keys).difference(found.lines.column(table.key).to_pylist())
            marks = {REMOVED: True, POSITION: 0}
        else:
            marks = {}
        realm_id = self.load.report.realm_id
        rows += [{REALM_ID: realm_id, table.key: key, DELETED_AT: gone.get(key), **marks} for key in sorted(keys)]
        return pa.Table.from_pylist([{**row, LOAD_ID: self._package.load_id} for row in rows], table.schema)


def _without_nul(column: pa.Array) -> pa.Array:
    """Replace the character NUL, which PostgreSQL has no place for; in the record's JSON it is escaped."""
    is_text = pa.types.is_string(column.type)
    return pc.replace_substring(column, "\0", "\N{REPLACEMENT CHARACTER}") if is_text else column


def _instant(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None
