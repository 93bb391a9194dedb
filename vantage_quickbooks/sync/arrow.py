"""The Arrow path: pages of records become record batches whose schema follows from the catalog (extra `[arrow]`).

1. The type of a column comes from the row of the catalog, never from the data. A page without a property has a column
   of nulls for it.
2. A value that its column cannot represent exactly is null there. `unreadableValues` in the metadata counts such values
   by path. Values of members that have no column are counted in `valuesWithoutColumn`. All of them are in `_raw`.
3. Pages of a full read are read into columns without a Python object for each value (`json_columns`). A page that does
   not fit the types is decoded into dicts, and a column that holds an unreadable value is converted value by value.
4. Amounts are exact. The decoder reads JSON numbers as doubles, which are exact enough as long as half the distance to
   the next double is less than half a unit of the column's last digit. A page with larger numbers is decoded again,
   with decimals.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from decimal import Decimal, InvalidOperation
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from vantage_quickbooks.core.responses import records_of
from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.sync.arrow_columns import (
    COUNTERS,
    Conversion,
    LongNumberError,
    Node,
    UnreadableError,
    dict_columns,
    node_of,
)
from vantage_quickbooks.sync.full_read import Decoded, decode
from vantage_quickbooks.sync.gc_pause import gc_paused
from vantage_quickbooks.sync.json_columns import ColumnReader, Place, column_of, value_at
from vantage_quickbooks.sync.ndjson import cut
from vantage_quickbooks.sync.page import Page, date_of, page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.catalog.columns import Member
    from vantage_quickbooks.catalog.resource import Status
    from vantage_quickbooks.core.query import Select
    from vantage_quickbooks.sync.arrow_columns import Columns

__all__ = [
    "METADATA_KEY",
    "UNREADABLE",
    "BatchMaker",
    "ListBatchMaker",
    "Row",
    "counters_of",
    "metadata_of",
    "read_row_page",
    "record_of",
    "schema_of",
    "sum_counters",
    "to_table",
]

METADATA_KEY = b"vantage_quickbooks"
"""Under which the schema of a batch holds its page's metadata, as JSON."""

UNREADABLE = object()
"""In place of a flat field's value that cannot be computed: it is counted, and null in its column."""

Row = tuple[Any, Any]
"""A record, as a dict or as a `Place` in columns; and its text, as bytes or as a buffer of them."""

_LONGEST_INT = 18  # digits that surely fit into 64 bits
_PLAIN = {"text": str, "id": str, "date": str, "instant": str, "decimal": float, "integer": int, "boolean": bool}


def record_of(row: Row) -> dict[str, Any]:
    """Return the record of a row.

    Raises:
        UnexpectedResponseError: It cannot be decoded.
    """
    record, text = row
    if not isinstance(record, Place):
        return record  # type: ignore[no-any-return]  # a dict
    try:
        return orjson.loads(memoryview(text))  # type: ignore[no-any-return]  # a record is an object
    except ValueError:
        raise UnexpectedResponseError("QuickBooks answered with a damaged record.") from None


def read_row_page(client: QuickBooksClient, statement: Select, call: CallContext) -> Page:
    """Run *statement* and read its page as rows; see `page.read_page`.

    Raises:
        UnexpectedResponseError: The answer is not a page of this entity.
        ConnectorError: See `QuickBooksClient.request`.
    """
    try:
        answer, rows = _rows_of(client.fetch(statement, call, retry_timeouts=True).read(), statement.entity)
    except UnexpectedResponseError:  # a damaged page is fetched once more
        answer, rows = _rows_of(client.fetch(statement, call, retry_timeouts=True).read(), statement.entity)
    return page_of(rows, statement, date_of(answer, call))


def _rows_of(body: bytes, entity: str) -> tuple[dict[str, Any], list[Row]]:
    """Return an answer, and its records as rows."""
    try:
        with gc_paused():
            answer = orjson.loads(body)
        records = records_of(answer["QueryResponse"], entity)
        if "Fault" in answer or "fault" in answer:
            raise ValueError("a fault beside records")  # noqa: TRY301 -- one way out for all damage
    except (ValueError, TypeError, KeyError):
        raise UnexpectedResponseError(
            f"QuickBooks answered with neither a list of {entity} records nor an empty page."
        ) from None
    return answer, list(zip(records, cut(body, entity, len(records)), strict=True))


class BatchMaker:
    """Makes record batches of the pages of one read.

    Args:
        flat: The flat fields.
        members: The properties that are columns.
        known: All properties.
        read_flat: Returns the flat fields of a record, given the company's date; in place of what cannot be computed
            it returns `UNREADABLE`.
        status: The status that computes the flat fields that are at no path.
        realm_id: The company.
        company_name: Its name.
        is_selection: Whether the input selected the columns. Then there is no column of the records' text, which would
            hold all the others, and members of records that are not columns are not counted.

    Attributes:
        schema: The schema of all batches, without a page's metadata.
    """

    def __init__(
        self,
        flat: Sequence[Member],
        members: Sequence[Member],
        known: Sequence[Member],
        *,
        read_flat: Callable[[Any, date], dict[str, Any]],
        status: Status | None,
        realm_id: str,
        company_name: str | None,
        is_selection: bool = False,
    ) -> None:
        self._ids = [node_of(member) for member in members if member.key == "Id"]
        self._others = [node_of(member) for member in members if member.key != "Id"]
        self._flat = [node_of(member) for member in flat]
        self._keys = frozenset(member.key for member in members)
        self._read_flat = read_flat
        self._status = status
        self._beside = (realm_id, company_name)
        self._is_selection = is_selection
        nodes = [node_of(member) for member in known]
        paths = {member.key: [path.split(".") for path in member.paths] for member in flat if member.paths}
        is_simple = all(_is_simple(nodes, path, member.type) for member in flat for path in paths.get(member.key, ()))
        self._flat_paths = paths if is_simple and (status is not None or len(paths) == len(flat)) else None
        needed = {"Id", "MetaData", *self._keys}
        if self._flat_paths is not None:
            needed.update(path[0] for found in paths.values() for path in found)
            needed.update(() if status is None else status.reads)
        self._reader = ColumnReader(
            [node for node in nodes if not is_selection or node.key in needed],
            [*self._ids, *self._others],
            skips_others=is_selection,
        )
        self.schema = schema_of(flat, members, is_selection=is_selection)

    def decode(self, body: bytes, entity: str) -> Decoded:
        """Decode a page of a full read into rows.

        Raises:
            UnexpectedResponseError: See `full_read.decode`.
        """
        found = self._reader.read(body, entity)
        if found is not None:
            return found
        page = decode(body, entity)
        rows = list(zip(page.rows, cut(body, entity, len(page.rows)), strict=True))
        return Decoded(rows, page.sort_keys, page.time)

    def batch(self, rows: Sequence[Row], today: date, metadata: Mapping[str, Any]) -> pa.RecordBatch:
        """Return the batch of a page.

        Args:
            rows: Its records.
            today: The company's date.
            metadata: The page's metadata; the counters are added to it.

        Raises:
            UnexpectedResponseError: A record cannot be decoded.
        """
        arrays, counters = self._convert(rows, today)
        if not self._is_selection:
            arrays.append(_texts([text for _, text in rows]))
        counted = {name: dict(sorted(counter.items())) for name, counter in counters.items()}
        schema = self.schema.with_metadata({METADATA_KEY: json.dumps({**metadata, **counted})})
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _convert(self, rows: Sequence[Row], today: date) -> tuple[list[pa.Array], dict[str, Counter[str]]]:
        """Return the columns and the counters: from a page of columns, if the rows stand in one."""
        places = [record for record, _ in rows if isinstance(record, Place)]
        if len(places) == len(rows) > 0 and len({id(place.page) for place in places}) == 1:
            try:
                found = self._columns(_Rows(rows), today)
            except UnreadableError:
                self._reader.note(is_read=False)
            else:
                self._reader.note(is_read=True)
                return found
        with gc_paused():
            return self._dict_columns([record_of(row) for row in rows], rows, today)

    def _columns(self, rows: _Rows, today: date) -> tuple[list[pa.Array], dict[str, Counter[str]]]:
        conversion = Conversion()
        if not self._is_selection:
            conversion.counters["valuesWithoutColumn"].update(rows.page.count_others(rows.select))
        flat = self._flat_columns(rows, conversion, today)
        ids, others = (
            [column for node in nodes for column in self._member_columns(node, rows, conversion)]
            for nodes in (self._ids, self._others)
        )
        return [*self._company(len(rows)), *ids, *flat, *others], conversion.counters

    def _member_columns(self, node: Node, rows: _Rows, conversion: Conversion) -> list[pa.Array]:
        if node.key not in rows.page.texts:
            return [rows.select(column) for column in rows.page.columns[node.key]]
        found = {node.key: [record.get(node.key) for record in rows.records]}
        return conversion.columns(found, len(rows), [node])

    def _flat_columns(self, rows: _Rows, conversion: Conversion, today: date) -> list[pa.Array]:
        if self._flat_paths is None:
            flat = dict_columns([self._read_flat(record, today) for record in rows.records])
            return conversion.columns(flat, len(rows), self._flat)
        computed = {} if self._status is None else _computed(self._status, rows, today)
        return [
            conversion.columns(computed, len(rows), [node])[0]
            if node.key in computed
            else self._flat_column(node, rows)
            for node in self._flat
        ]

    def _flat_column(self, node: Node, rows: _Rows) -> pa.Array:
        """Return the first value that is not empty at a flat field's paths."""
        found = [value_at(rows.page.arrays, path) for path in (self._flat_paths or {})[node.key]]
        arrays = [rows.select(array) for array in found if array is not None and array.null_count < len(array)]
        arrays = [_without_empty(array) if pa.types.is_string(array.type) else array for array in arrays]
        if not arrays:
            return self._reader.nulls(node, len(rows), is_flat=True)[0]
        return column_of(pc.coalesce(*arrays) if len(arrays) > 1 else arrays[0], node)

    def _dict_columns(
        self, records: Sequence[dict[str, Any]], rows: Sequence[Row], today: date
    ) -> tuple[list[pa.Array], dict[str, Counter[str]]]:
        flat = dict_columns([self._read_flat(record, today) for record in records])
        try:
            conversion = Conversion()
            arrays = self._arrays(conversion, dict_columns(records), flat, len(rows))
        except LongNumberError:
            conversion = Conversion(is_exact=True)
            arrays = self._arrays(conversion, dict_columns([_exact_record(row) for row in rows]), flat, len(rows))
        return arrays, conversion.counters

    def _arrays(self, conversion: Conversion, found: Columns, flat: Columns, count: int) -> list[pa.Array]:
        if not self._is_selection:
            conversion.count_others(found, self._keys)
        return [
            *self._company(count),
            *conversion.columns(found, count, self._ids),
            *conversion.columns(flat, count, self._flat),
            *conversion.columns(found, count, self._others, is_flat=True),
        ]

    def _company(self, count: int) -> list[pa.Array]:
        return [pa.repeat(pa.scalar(value, pa.string()), count) for value in self._beside]


class _Rows:
    """Rows of one page of columns.

    Attributes:
        page: The page.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._places = [place.row for place, _ in rows]
        self._is_range = self._places == list(range(self._places[0], self._places[0] + len(rows)))
        self.page = rows[0][0].page

    def __len__(self) -> int:
        return len(self._rows)

    def select(self, array: pa.Array) -> pa.Array:
        """Return the values of the rows."""
        if self._is_range:
            return array.slice(self._places[0], len(self._rows))
        return array.take(pa.array(self._places, pa.int32()))

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The records, decoded once."""
        with gc_paused():
            return list(map(record_of, self._rows))

    def record(self, row: int) -> dict[str, Any]:
        """Return the record of a row."""
        return record_of(self._rows[row])

    def values(self, key: str) -> Sequence[Any]:
        """Return the values of a member, as the JSON reader typed them: a date is a text."""
        array = self.page.arrays.get(key)
        return [None] * len(self) if array is None else self.select(array).to_pylist()


class ListBatchMaker:
    """Makes record batches of the objects in a list of records, one row each: the lines of invoices.

    Args:
        member: The list; its members are the columns.
        parent_column: The name of the column that has the key of the record.
        realm_id: The company.
        company_name: Its name.

    Attributes:
        schema: The schema of all batches, without the counters.
    """

    def __init__(self, member: Member, parent_column: str, *, realm_id: str, company_name: str | None) -> None:
        self._key = member.key
        self._nodes = [node_of(part) for part in member.members]
        self._beside = (realm_id, company_name)
        self.schema = pa.schema(
            [
                ("realm_id", pa.string()),
                ("company_name", pa.string()),
                (parent_column, pa.string()),
                ("position", pa.int64()),
                *(field for node in self._nodes for field in node.fields),
            ]
        )

    def batch(self, rows: Sequence[Row], keys: Sequence[str]) -> pa.RecordBatch:
        """Return the objects of records; `position` counts those of a record from 1.

        Args:
            rows: The records.
            keys: Their keys.
        """
        with gc_paused():
            conversion = Conversion()
            try:
                arrays = self._arrays(conversion, [record for record, _ in rows], keys)
            except LongNumberError:
                conversion = Conversion(is_exact=True)
                arrays = self._arrays(conversion, [_exact_record(row) for row in rows], keys)
        counted = {name: dict(sorted(counter.items())) for name, counter in conversion.counters.items()}
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema.with_metadata({METADATA_KEY: json.dumps(counted)}))

    def _arrays(self, conversion: Conversion, records: Sequence[Any], keys: Sequence[str]) -> list[pa.Array]:
        parents: list[str] = []
        positions: list[int] = []
        objects: list[dict[str, Any]] = []
        for key, record in zip(keys, records, strict=True):
            found = record.get(self._key)
            for position, one in enumerate(found if isinstance(found, list) else (), 1):
                parents.append(key)
                positions.append(position)
                objects.append(one)
        return [
            *(pa.array([value] * len(objects), pa.string()) for value in self._beside),
            pa.array(parents, pa.string()),
            pa.array(positions, pa.int64()),
            *conversion.objects(objects, self._nodes, self._key),
        ]


def schema_of(flat: Sequence[Member], members: Sequence[Member], *, is_selection: bool) -> pa.Schema:
    """Return the schema of record batches; see `BatchMaker`."""
    ids, others = ([member for member in members if (member.key == "Id") is is_id] for is_id in (True, False))
    fields = [pa.field("realm_id", pa.string()), pa.field("company_name", pa.string())]
    fields += [field for member in (*ids, *flat, *others) for field in node_of(member).fields]
    if not is_selection:
        fields.append(pa.field("_raw", pa.string()))
    return pa.schema(fields)


def metadata_of(batch: pa.RecordBatch) -> dict[str, Any]:
    """Return the metadata of the page that a batch holds, with its counters."""
    return dict(json.loads(batch.schema.metadata[METADATA_KEY]))


def counters_of(metadata: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the counters in the metadata of a page."""
    return {name: metadata[name] for name in COUNTERS}


def sum_counters(pages: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Add up the counters in the metadata of pages."""
    sums: dict[str, Counter[str]] = {name: Counter() for name in COUNTERS}
    for metadata in pages:
        for name in COUNTERS:
            sums[name].update(metadata[name])
    return {name: dict(sorted(counter.items())) for name, counter in sums.items()}


def to_table(batches: Sequence[pa.RecordBatch]) -> tuple[pa.Table, dict[str, Any]]:
    """Join batches; return the table and the last page's metadata with the counters of all."""
    pages = [metadata_of(batch) for batch in batches]
    metadata = pages[-1] | sum_counters(pages)
    table = pa.Table.from_batches(batches)
    return table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata)}), metadata


def _texts(texts: Sequence[Any]) -> pa.Array:
    """Return the texts of records as a column: UTF-8 by now, as they have been decoded."""
    ends = array("i", accumulate((memoryview(text).nbytes for text in texts), initial=0))
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))


# ---- flat fields -----------------------------------------------------------------------------------------------------


def _walk(nodes: Sequence[Node], path: Sequence[str]) -> Iterator[Node | None]:
    """Yield the node of each step of a path, and None for a step that is not declared."""
    node: Node | None
    for step in path:
        if step.isdigit():  # a place in a list, whose elements have the same members
            continue
        node = next((node for node in nodes if node.key == step), None)
        yield node
        if node is None or not node.parts:
            return
        nodes = node.parts


def _is_simple(nodes: Sequence[Node], path: Sequence[str], kind: str) -> bool:
    """Return whether a path leads through objects to a plain value of a kind."""
    steps = list(_walk(nodes, path))
    last = steps[-1]
    return (
        len(steps) == len(path)
        and last is not None
        and not last.parts
        and _PLAIN.get(last.kind, object) is _PLAIN.get(kind)
        and not any(node is not None and node.kind == "list" for node in steps)
    )


def _computed(status: Status, rows: _Rows, today: date) -> Columns:
    """Return the flat fields that a status computes.

    Raises:
        UnreadableError: A record has no status.
    """
    values = zip(*map(rows.values, status.reads), strict=True)
    records = [dict(zip(status.reads, found, strict=True)) for found in values]
    try:
        if status.reads_more is not None:
            places = [place for place, record in enumerate(records) if status.reads_more(record)]
            for place in places:
                records[place] = rows.record(place)
        return dict_columns([status.compute(record, today) for record in records])
    except UnexpectedResponseError:
        raise UnreadableError from None


def _without_empty(texts: pa.Array) -> pa.Array:
    """Return texts with null in place of those that are empty."""
    is_empty = pc.equal(texts, "")
    return pc.if_else(is_empty, pa.scalar(None, pa.string()), texts) if pc.any(is_empty).as_py() else texts


# ---- records that are decoded again ----------------------------------------------------------------------------------


def _exact_record(row: Row) -> dict[str, Any]:
    """Decode a record again, with decimals in place of doubles."""
    try:
        record: dict[str, Any] = json.loads(bytes(row[1]), parse_float=_exact_number, parse_int=_exact_integer)
    except RecursionError:  # the standard library's decoder allows less nesting
        return record_of(row)
    return record


def _exact_number(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:  # 0e99999999999999999999
        return float(text)


def _exact_integer(text: str) -> Decimal | int:
    return int(text) if len(text) <= _LONGEST_INT else Decimal(text)
