"""Change sets of a sync as rows of the change table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from vantage_quickbooks.adapters.spark.schema import CHANGE_SCHEMA, arrow_schema, entity_change_schema, fit
from vantage_quickbooks.catalog.change_batches import ChangeBatches
from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.contract import ChangeSet

__all__ = ["CHANGE_ARROW", "ChangeRows", "TypedChangeRows"]

CHANGE_ARROW = arrow_schema(CHANGE_SCHEMA)

_MAX_ROWS = 10_000
"""Rows of a batch; an entity may have many more keys."""


class ChangeRows:
    """Makes rows of the change sets of one sync of a company; see `CHANGE_SCHEMA`.

    Args:
        realm_id: The company.
        committed_at: When the sync began.
        is_first_read: Whether the reader has nothing of the company yet, so that rows about what is gone are left out.
    """

    def __init__(self, realm_id: str, committed_at: datetime, *, is_first_read: bool) -> None:
        self._realm_id = realm_id
        self._committed_at = committed_at
        self._is_first_read = is_first_read
        self._keys: dict[str, set[str]] = {}

    def batches(self, found: ChangeSet) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a set, which has no error; each key comes once in a sync."""
        records, others = self._divide(found)
        rows = [_upsert(found.entity, key, record) for key, record in records.items()] + others
        beside = {"realm_id": self._realm_id, "entity": found.entity, "_commit_time": self._committed_at}
        for start in range(0, len(rows), _MAX_ROWS):
            yield pa.RecordBatch.from_pylist([beside | row for row in rows[start : start + _MAX_ROWS]], CHANGE_ARROW)

    def _divide(self, found: ChangeSet) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """Return the records that exist, by key, and the rows that say what does not."""
        gone = {deletion["Id"] for deletion in found.deletions}
        records = {key: record for record in found.upserts if (key := found.key_of(record)) not in gone}
        others = [_deletion(deletion) for deletion in found.deletions]
        if not self._is_first_read:
            others += self._reconciliation(found, records.keys() | gone)
        return records, others

    def _reconciliation(self, found: ChangeSet, keys: set[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows that say what exists, where QuickBooks could not list the deletions."""
        if found.mode == "changes" and not (found.is_last and found.existing_ids is None):
            keys |= self._keys.setdefault(found.entity, set())
            self._keys[found.entity] = keys
        if found.existing_ids is not None:
            for key in found.existing_ids:
                if key not in keys:
                    yield {"id": key, "deleted": False, "_change_type": "exists"}
            del self._keys[found.entity]
        # The snapshot of a stream may continue in a later batch, which then has no such row: it would say too much.
        if found.existing_ids is not None or (found.mode == "snapshot" and found.is_first):
            yield {"_change_type": "complete"}


class TypedChangeRows(ChangeRows):
    """The same as columns of one entity; see `schema.entity_change_schema`.

    Args:
        resource: The entity.
        realm_id: The company.
        company: Its name.
        committed_at: When the sync began.
    """

    def __init__(self, resource: Resource, realm_id: str, company: str, committed_at: datetime) -> None:
        super().__init__(realm_id, committed_at, is_first_read=False)
        self._company = company
        self._schema = arrow_schema(entity_change_schema(resource.entity))
        self._columns = ChangeBatches(resource, realm_id=realm_id, company_name=company, typed_lists=True)

    def batches(self, found: ChangeSet) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a set, which has no error; each key comes once in a sync."""
        records, others = self._divide(found)
        if records:
            batch = self._columns.records(self._columns.rows(list(records.values())))
            kinds = pa.array(["upsert"] * batch.num_rows)
            times = pa.array([self._committed_at] * batch.num_rows, self._schema.field("_commit_time").type)
            yield fit(batch.append_column("_change_type", kinds).append_column("_commit_time", times), self._schema)
        beside = {"realm_id": self._realm_id, "company": self._company, "_commit_time": self._committed_at}
        rows = [beside | {"Id": row.get("id"), "_change_type": row["_change_type"]} for row in others]
        for start in range(0, len(rows), _MAX_ROWS):
            yield pa.RecordBatch.from_pylist(rows[start : start + _MAX_ROWS], self._schema)


def _upsert(entity: str, key: str, record: Mapping[str, Any]) -> dict[str, Any]:
    resource = SYNC_ENTITIES[entity]
    flat = {field.name for field in resource.flat_fields}
    own = {name: value for name, value in record.items() if name not in flat}
    inner = next(iter(own.values()), own) if resource.template_key else own
    times = inner.get("MetaData") if isinstance(inner, dict) else None
    return {
        "id": key,
        "sync_token": _text(inner.get("SyncToken")) if isinstance(inner, dict) else None,
        "updated": _instant(times.get("LastUpdatedTime")) if isinstance(times, dict) else None,
        "deleted": False,
        "record": orjson.dumps(own).decode(),
        "_change_type": "upsert",
    }


def _deletion(deletion: Mapping[str, Any]) -> dict[str, Any]:
    updated = _instant(deletion.get("deletedAt"))
    return {"id": deletion["Id"], "updated": updated, "deleted": True, "_change_type": "delete"}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _instant(value: Any) -> datetime | None:
    """Return an instant of a record; None if it is not one, as in its column."""
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
