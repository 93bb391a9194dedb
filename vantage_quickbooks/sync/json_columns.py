"""Reads pages straight into Arrow columns by pyarrow's own JSON reader, without a Python object for each value.

1. The reader is strict: a page that holds a value of another type than the catalog says, or a member twice, is refused.
   The caller decodes it into dicts.
2. Pages are read by a schema of the members that pages have had so far, since a declared member that no record has
   costs time. A page with another member is read once more, with its type inferred, and the schema learns it.
3. Members that have no column are read only in order to count them.
4. Objects and lists whose members the catalog does not declare are columns of JSON text. At the top level, they are
   made of the records' own texts; elsewhere the page is refused.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import cache, reduce
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from vantage_quickbooks.sync.arrow_columns import UnreadableError, as_decimals, parse_texts
from vantage_quickbooks.sync.full_read import Decoded, check_answer
from vantage_quickbooks.sync.gc_pause import gc_paused
from vantage_quickbooks.sync.ndjson import on_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vantage_quickbooks.sync.arrow_columns import Node

    Select = Callable[[pa.Array], pa.Array]
    """Returns the values of the wanted rows."""

__all__ = ["ColumnPage", "ColumnReader", "Place", "column_of", "value_at"]

_JSON_TYPES = {"decimal": pa.float64(), "date": pa.string(), "instant": pa.string()}
_WITHOUT_MEMBERS = {"object", "list"}

_MAX_OTHERS = 500
"""Members without a column that the schema may hold; a company with more is read by dicts."""

_MAX_REFUSED = 3
"""So many pages in a row may be refused; then none is tried any more."""

_READ_ERRORS = (pa.ArrowException, ValueError, TypeError)


@cache
def _decoder_of_answers(entity: str) -> msgspec.json.Decoder[Any]:
    """Return the decoder of pages that hold nothing unusual: no fault, and the texts of records."""
    response = msgspec.defstruct(
        "Response",
        [
            ("records", list[msgspec.Raw]),
            *((name, int | None, None) for name in ("startPosition", "maxResults", "totalCount")),
        ],
        rename={"records": entity},
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(
        msgspec.defstruct("Answer", [("QueryResponse", response), ("time", str)], forbid_unknown_fields=True)
    )


class Place(NamedTuple):
    """A record that stands in a page of columns."""

    page: ColumnPage
    row: int


class ColumnPage:
    """The records of a page, as columns.

    Attributes:
        arrays: The values of each member, as the JSON reader typed them.
        columns: The columns of each member, converted; those of JSON text are missing.
        texts: The keys of members whose columns are JSON text, of which the page has some.
        others: The path and key of each member that has no column.
    """

    def __init__(self, table: pa.Table, others: Sequence[tuple[str, ...]]) -> None:
        (batch,) = table.to_batches()
        self.arrays: dict[str, pa.Array] = dict(zip(batch.schema.names, batch.columns, strict=True))
        self.columns: dict[str, list[pa.Array]] = {}
        self.texts: set[str] = set()
        self.others = others

    def count_others(self, select: Select) -> dict[str, int]:
        """Count what stands in members that have no column, by path; null and empty objects and lists are nothing.

        Raises:
            UnreadableError: It cannot be known: an object that is empty, or whose members are null.
        """
        counts = {}
        for path in self.others:
            found = select(self.arrays[path[0]])
            for step in path[1:]:
                found = pc.struct_field(found.flatten() if pa.types.is_list(found.type) else found, step)
            if count := _count(found):
                counts[".".join(path)] = count
        return counts


class ColumnReader:
    """Reads pages of one entity.

    Args:
        nodes: The members to read.
        members: Those of them that are columns.
        skips_others: Whether other members are skipped. Otherwise, they are found, and what they hold is counted.
    """

    def __init__(self, nodes: Sequence[Node], members: Sequence[Node], *, skips_others: bool) -> None:
        self._members = members
        self._skips_others = skips_others
        self._parts = {node.key: node for node in nodes}
        self._json_texts = {node.key for node in members if _is_json_text(node)}
        self._declared = _schema([(node.key, kind) for node in nodes if (kind := _type_of(node)) is not None])
        self._schema: pa.Schema | None = self._declared if skips_others else None
        self._others: list[tuple[str, ...]] = []
        self._nulls: dict[Node, list[pa.Array]] = {}
        # The text of a member that is not in the schema is not found.
        self._credit = 0 if skips_others and any(map(_is_json_text, nodes)) else _MAX_REFUSED

    def read(self, body: bytes, entity: str) -> Decoded | None:
        """Read a page; each row is a pair of a `Place` and the record's text.

        Returns:
            The page; None if it must be decoded into dicts.
        """
        if self._credit <= 0:
            return None
        with gc_paused():
            return self._read(body, entity)

    def _read(self, body: bytes, entity: str) -> Decoded | None:
        try:
            answer = _decoder_of_answers(entity).decode(body)
            texts = answer.QueryResponse.records
            if not texts or not _is_utf_8(body):
                return None
            rows = on_one_line(texts, body)
            page = self._page(b"\n".join(rows))
            times = value_at(page.arrays, ("MetaData", "CreateTime"))
            if times is None or "Id" not in page.arrays:
                return None
            sort_keys = list(zip(times.to_pylist(), page.arrays["Id"].to_pylist(), strict=True))
            check_answer({"time": answer.time}, sort_keys)
            places = map(Place, repeat(page), range(len(rows)))
            decoded = Decoded(list(zip(places, rows, strict=True)), sort_keys, datetime.fromisoformat(answer.time))
        except (*_READ_ERRORS, UnreadableError, msgspec.MsgspecError, RecursionError):
            self.note(is_read=False)
            return None
        return decoded

    def note(self, *, is_read: bool) -> None:
        """Note whether a page could be read, or had to be decoded into dicts after all."""
        if self._credit > 0:
            self._credit = _MAX_REFUSED if is_read else self._credit - 1

    def nulls(self, node: Node, count: int, *, is_flat: bool) -> list[pa.Array]:
        """Return the columns of a member that no record has.

        They are all that a column of nulls may be, so that the bytes of a batch do not depend on the pages before.
        """
        found = self._nulls.get(node)
        if found is None or len(found[0]) != count:
            types = [field.type for field in node.fields] if is_flat else [node.wanted]
            found = self._nulls[node] = [pa.nulls(count, wanted) for wanted in types]
        return found

    # ---- pages -------------------------------------------------------------------------------------------------------

    def _page(self, lines: bytes) -> ColumnPage:
        table = self._read_known(lines)
        if table is None:
            table = _read(lines, self._declared, "infer")
            page = ColumnPage(table, _others(table.schema, self._parts))
            self._learn(page)
        else:
            page = ColumnPage(table, self._others)
        for node in self._members:
            array = page.arrays.get(node.key)
            if array is None or array.null_count == len(array):
                page.columns[node.key] = self.nulls(node, table.num_rows, is_flat=True)
            elif node.key in self._json_texts:
                page.texts.add(node.key)
            else:
                page.columns[node.key] = self._columns(array, node)
        return page

    def _read_known(self, lines: bytes) -> pa.Table | None:
        """Read a page that has no members which are not in the schema yet."""
        if self._schema is None:
            return None
        with suppress(*_READ_ERRORS):
            return _read(lines, self._schema, "ignore" if self._skips_others else "error")
        if self._skips_others:
            raise UnreadableError
        return None

    def _learn(self, page: ColumnPage) -> None:
        """Add the members of a page to the schema; one that has another type than on an earlier page is not added."""
        found = [
            (key, kind)
            for key, array in page.arrays.items()
            if (kind := _present(array, self._parts.get(key), is_known=key in self._parts)) is not None
        ]
        schema = _schema(found)
        if self._schema is not None:
            try:
                merged = _merge(self._schema, schema)
            except UnreadableError:
                return
            # Without a new member, the page was refused for a null in a member that no record had until now.
            schema = _merge(merged, self._declared) if merged.equals(self._schema) else merged
        self._schema, self._others = schema, _others(schema, self._parts)
        if len(self._others) > _MAX_OTHERS:
            self._credit = 0

    def _columns(self, array: pa.Array, node: Node) -> list[pa.Array]:
        """Return a member as columns; an object as a column for each of its members."""
        if not node.parts or node.kind == "list":
            return [self._column(array, node)]
        found = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
        return [
            column
            for part in node.parts
            for column in (
                self._columns(found[part.key], part)
                if part.key in found
                else self.nulls(part, len(array), is_flat=True)
            )
        ]

    def _column(self, array: pa.Array, node: Node) -> pa.Array:
        if array.null_count == len(array):
            return self.nulls(node, len(array), is_flat=False)[0]
        if not node.parts:
            return column_of(array, node)
        if node.kind == "list":
            items = self._structs(array.values, node)
            return pa.Array.from_buffers(
                node.wanted, len(array), array.buffers()[:2], array.null_count, children=[items]
            )
        return self._structs(array, node)

    def _structs(self, array: pa.Array, node: Node) -> pa.Array:
        if pa.types.is_null(array.type):  # so far, all lists have been empty
            return pa.nulls(len(array), node.struct)
        places = {field.name: place for place, field in enumerate(array.type)}
        children = [
            self._column(array.field(places[part.key]), part)
            if part.key in places
            else self.nulls(part, len(array), is_flat=False)[0]
            for part in node.parts
        ]
        return pa.Array.from_buffers(node.struct, len(array), array.buffers()[:1], array.null_count, children=children)


def column_of(array: pa.Array, node: Node) -> pa.Array:
    """Return values that the JSON reader typed as a column of a plain type.

    Raises:
        UnreadableError: The column cannot represent one of them.
    """
    if node.kind == "decimal":
        found = as_decimals(array, node.wanted)
    elif node.kind in _JSON_TYPES:
        found = parse_texts(array, node.wanted)
    elif array.null_count == len(array):
        return pa.nulls(len(array), node.wanted)
    else:
        found = array if array.type == node.wanted and node.kind not in _WITHOUT_MEMBERS else None
    if found is None:
        raise UnreadableError
    return found


def value_at(arrays: dict[str, pa.Array], path: Sequence[str]) -> pa.Array | None:
    """Return what stands at a path through objects; None if it is nothing."""
    found = arrays.get(path[0])
    for step in path[1:]:
        if found is None or found.type.get_field_index(step) < 0:
            return None
        found = pc.struct_field(found, step)
    return found


# ---- the JSON reader -------------------------------------------------------------------------------------------------


def _read(lines: bytes, schema: pa.Schema, unexpected: str) -> pa.Table:
    return pj.read_json(
        pa.BufferReader(lines),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(lines) + 1),  # one block
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
    )


def _is_utf_8(body: bytes) -> bool:
    if not body.isascii():
        body.decode()  # raises UnicodeDecodeError, which is a ValueError
    return True


def _is_json_text(node: Node) -> bool:
    return not node.parts and node.kind in _WITHOUT_MEMBERS


# ---- schemas ---------------------------------------------------------------------------------------------------------


def _schema(types: Sequence[tuple[str, pa.DataType]]) -> pa.Schema:
    return pa.schema([pa.field(key, kind) for key, kind in types])


def _type_of(node: Node) -> pa.DataType | None:
    """Return the type in which the values of a member are read; None if it must be inferred."""
    if _is_json_text(node):
        return None
    if not node.parts:
        return _JSON_TYPES.get(node.kind, node.wanted)
    struct = pa.struct([(part.key, kind) for part in node.parts if (kind := _type_of(part)) is not None])
    return pa.list_(struct) if node.kind == "list" else struct


def _present(array: pa.Array, node: Node | None, *, is_known: bool) -> pa.DataType | None:
    """Return the type of what a column holds, without declared members that no record has.

    Args:
        array: The column.
        node: Its member, or what holds its members; None if it is not declared.
        is_known: Whether it is declared.
    """
    is_typed = node is not None and not _is_json_text(node)
    if array.null_count == len(array):
        return None if is_typed and is_known else pa.null()
    if pa.types.is_list(array.type):
        return pa.list_(_present(array.flatten(), node, is_known=False) or pa.null())
    if pa.types.is_struct(array.type):
        parts = {part.key: part for part in node.parts} if node is not None else {}
        members = [
            (field.name, _present(values, parts.get(field.name), is_known=field.name in parts))
            for field, values in zip(array.type, array.flatten(), strict=True)
        ]
        return pa.struct([(key, kind) for key, kind in members if kind is not None])
    return array.type if is_typed else _widened(array.type)


def _widened(kind: pa.DataType) -> pa.DataType:
    """Return the type that holds all values of an inferred type's kind: texts that are no times, numbers."""
    if pa.types.is_temporal(kind):
        return pa.string()
    return pa.float64() if pa.types.is_integer(kind) else kind


def _merge(one: Any, other: Any) -> Any:
    """Return the schema or type that holds all members of two.

    Raises:
        UnreadableError: A member has different types.
    """
    if one.equals(other) or (isinstance(other, pa.DataType) and pa.types.is_null(other)):
        return one
    if isinstance(one, pa.Schema) or (pa.types.is_struct(one) and pa.types.is_struct(other)):
        types = {field.name: field.type for field in one}
        for field in other:
            types[field.name] = _merge(types[field.name], field.type) if field.name in types else field.type
        return (pa.schema if isinstance(one, pa.Schema) else pa.struct)(list(types.items()))
    if pa.types.is_null(one):
        return other
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(_merge(one.value_type, other.value_type))
    raise UnreadableError


def _others(fields: Any, parts: dict[str, Node], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the paths of the members of a schema or type that have no column."""
    found = []
    for field in fields:
        node = parts.get(field.name)
        if node is None:
            found.append((*path, field.name))
        elif node.parts:
            struct = field.type.value_type if pa.types.is_list(field.type) else field.type
            if pa.types.is_struct(struct):
                found += _others(struct, {part.key: part for part in node.parts}, (*path, field.name))
    return found


def _count(array: pa.Array) -> int:
    """Return how many values are neither null nor empty."""
    count: int = len(array) - array.null_count
    if not count or pa.types.is_null(array.type):
        return 0
    if pa.types.is_list(array.type):
        return pc.sum(pc.greater(pc.list_value_length(array), 0)).as_py() or 0
    if not pa.types.is_struct(array.type) or not array.type.num_fields:
        return 0 if pa.types.is_struct(array.type) else count
    first, *rest = map(pc.is_valid, array.flatten())
    is_filled = reduce(pc.or_, rest, first)
    if (pc.sum(is_filled).as_py() or 0) < count:
        raise UnreadableError  # {} or {"member":null}
    return count
