"""Change sets as typed columns, for databases: record batches of the upserts of one entity (extra `[arrow]`).

They have the columns of a list as Arrow (`sync.arrow`), except that

- names differ in more than case and underscores, as databases write them in snake case. The company's name is
  `company`, because customers have a `CompanyName` of their own.
- lists are their JSON, as text, unless `typed_lists` is asked for: databases differ in what they make of lists of
  structs. `lines` returns a row for each line.
- statuses that depend on today's date (`paymentStatus`, `daysOverdue`) are left out: in a table they would stay as they
  were when the record last changed. A query computes them from `DueDate` and `Balance`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from vantage_quickbooks.catalog.columns import typed_members
from vantage_quickbooks.catalog.flat_fields import flat_fields_reader
from vantage_quickbooks.sync.arrow import BatchMaker, ListBatchMaker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vantage_quickbooks.catalog.columns import Member
    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.sync.arrow import Row

__all__ = ["ChangeBatches", "has_lines"]

_LINES = "Line"
_ANY_DATE = date.min  # no flat field that is left depends on it


class ChangeBatches:
    """Makes record batches of the upserts of one entity of one company.

    Args:
        resource: The entity.
        realm_id: The company.
        company_name: Its name.
        typed_lists: Whether lists whose members are known have types, as in `sync.arrow`.
    """

    def __init__(
        self, resource: Resource, *, realm_id: str, company_name: str | None, typed_lists: bool = False
    ) -> None:
        dateless = replace(resource, status=None)
        flat, members = typed_members(dateless)
        _, known = typed_members(dateless, [known.name for known in resource.properties])
        self._flat_names = frozenset(field.name for field in resource.flat_fields)
        self._maker = BatchMaker(
            flat,
            members if typed_lists else [_without_lists(member) for member in members],
            known,
            read_flat=flat_fields_reader(dateless),
            status=None,
            realm_id=realm_id,
            company_name=company_name,
        )
        lines = _lines_of(members)
        self._line_maker = (
            None
            if lines is None
            else ListBatchMaker(
                replace(lines, members=tuple(map(_without_lists, lines.members))),
                f"{resource.entity}_Id",
                realm_id=realm_id,
                company_name=company_name,
            )
        )
        self.schema = _renamed(self._maker.schema)
        self.line_schema = self._line_maker and _renamed(self._line_maker.schema)

    def rows(self, records: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Return records of a change set as rows, without their flat fields."""
        own = [{key: value for key, value in record.items() if key not in self._flat_names} for record in records]
        return [(record, _json(record)) for record in own]

    def records(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Return the batch of rows; the counters are in its metadata, see `sync.arrow.metadata_of`."""
        return _with_names(self._maker.batch(rows, _ANY_DATE, {}), self.schema)

    def lines(self, rows: Sequence[Row], keys: Sequence[str]) -> pa.RecordBatch:
        """Return the lines of rows, given the records' keys.

        Raises:
            TypeError: The entity has no lines.
        """
        if self._line_maker is None or self.line_schema is None:
            raise TypeError("The entity has no lines.")
        return _with_names(self._line_maker.batch(rows, keys), self.line_schema)


def has_lines(resource: Resource) -> bool:
    """Return whether records of an entity have lines with columns of their own."""
    return _lines_of(typed_members(resource)[1]) is not None


def _renamed(schema: pa.Schema) -> pa.Schema:
    """Return the schema with distinct names."""
    taken: set[str] = set()
    fields = []
    for field in schema:
        name = "company" if field.name == "company_name" else field.name
        name += "_1" if name.replace("_", "").lower() in taken else ""
        taken.add(name.replace("_", "").lower())
        fields.append(field.with_name(name))
    return pa.schema(fields)


def _with_names(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(batch.columns, schema=schema.with_metadata(batch.schema.metadata))


def _lines_of(members: Sequence[Member]) -> Member | None:
    return next((member for member in members if member.key == _LINES and member.members), None)


def _without_lists(member: Member) -> Member:
    """Return a member with every list in it as JSON text."""
    return replace(member, members=() if member.type == "list" else tuple(map(_without_lists, member.members)))


def _json(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:  # nested more deeply than this encoder allows
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
