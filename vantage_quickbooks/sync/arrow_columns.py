"""Converts the members of objects into Arrow columns (extra `[arrow]`)."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from vantage_quickbooks.catalog.columns import Member

    Columns = Mapping[str, Sequence[Any]]
    """Values by key; what no object has is left out."""

__all__ = [
    "COUNTERS",
    "Conversion",
    "LongNumberError",
    "Node",
    "UnreadableError",
    "as_decimals",
    "dict_columns",
    "node_of",
    "parse_texts",
]

COUNTERS = ("unreadableValues", "valuesWithoutColumn")

_TYPES = {
    "text": pa.string(),
    "id": pa.string(),
    "date": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "object": pa.string(),
    "list": pa.string(),
}
# Years 1 to 9999, which Python's datetime and SQL's types have.
_DAYS = (-719_162, 2_932_896)
_MICROSECONDS = (_DAYS[0] * 86_400_000_000, (_DAYS[1] + 1) * 86_400_000_000 - 1)
_INT64 = 1 << 63
_NONE = type(None)
_NUMBERS = {int, float, _NONE}
_INTEGERS = {int, _NONE}
_HOLLOW = {dict, list, _NONE}


class LongNumberError(Exception):
    """A number has more digits than a double holds: the page must be decoded with decimals."""


class UnreadableError(Exception):
    """A page of columns holds a value that its column cannot represent: it must be decoded into dicts."""


class Node:
    """A member of records as its column needs it: computed once for all pages.

    Args:
        member: The member.
        prefix: What the name of its column begins with.

    Attributes:
        key: Its key in JSON.
        kind: The type of its values.
        parts: The members of an object, or of the objects in a list.
        part_keys: Their keys.
        wanted: The type of its column; of an object or list with members, a struct or a list of structs.
        struct: The type of one object.
        fields: Its columns at the top level, where an object is a column for each of its members.
        is_textual: Whether it is an object whose members are all texts.
    """

    def __init__(self, member: Member, prefix: str = "") -> None:
        name = prefix + member.name
        self.key = member.key
        self.kind = member.type
        self.parts = tuple(Node(part, f"{name}_") for part in member.members)
        self.struct = pa.struct([pa.field(part.key, part.wanted) for part in self.parts])
        self.part_keys = frozenset(part.key for part in self.parts)
        self.is_textual = all(not part.parts and part.kind in {"text", "id"} for part in self.parts)
        if self.parts:
            self.wanted: pa.DataType = pa.list_(self.struct) if member.type == "list" else self.struct
        else:
            self.wanted = pa.decimal128(*member.digits) if member.type == "decimal" else _TYPES[member.type]
        self.fields: list[pa.Field] = (
            [field for part in self.parts for field in part.fields]
            if self.parts and member.type != "list"
            else [pa.field(name, self.wanted)]
        )


@lru_cache(maxsize=8_192)
def node_of(member: Member) -> Node:
    """Return the node of a member: made once, as thousands of companies have the same members."""
    return Node(member)


def dict_columns(objects: Sequence[dict[str, Any]]) -> Columns:
    """Return the values of each member of dicts."""
    return {key: [found.get(key) for found in objects] for key in set().union(*objects)}


class Conversion:
    """Converts the values of one page.

    Args:
        is_exact: Whether the objects hold decimals in place of doubles. Otherwise numbers for which a double is not
            exact enough raise LongNumberError.

    Attributes:
        counters: What has no place in the columns, by path.
        others: Members that have no column: the path of their object, and their key.
    """

    def __init__(self, *, is_exact: bool = False) -> None:
        self._is_exact = is_exact
        self._unreadable: Counter[str] = Counter()
        self._others: Counter[str] = Counter()
        self.counters = dict(zip(COUNTERS, (self._unreadable, self._others), strict=True))
        self.others: set[tuple[str, str]] = set()

    def columns(
        self, found: Columns, count: int, nodes: Sequence[Node], path: str = "", *, is_flat: bool = False
    ) -> list[pa.Array]:
        """Return the columns of members.

        Args:
            found: The values of the objects' members.
            count: How many objects there are.
            nodes: The members.
            path: The path of the objects, with a point at its end; empty for records.
            is_flat: Whether members that are objects become columns for each of their members, and not structs.
        """
        arrays: list[pa.Array] = []
        for node in nodes:
            where = path + node.key
            values = found.get(node.key)
            if values is None:
                absent = [field.type for field in node.fields] if is_flat else [node.wanted]
                arrays += [pa.nulls(count, wanted) for wanted in absent]
            elif not node.parts:
                arrays.append(_CONVERTERS[node.kind](self, values, node.wanted, where))
            elif node.kind == "list":
                arrays.append(self._lists(values, node, where))
            elif not is_flat:
                arrays.append(self._structs(values, node, where))
            else:
                arrays += self._flattened(values, node, where)
        return arrays

    def count_others(self, found: Columns, known: AbstractSet[str], path: str = "") -> None:
        """Count what stands in members that have no column; null and empty objects and lists are nothing."""
        for key in found.keys() - known:
            self.others.add((path, key))
            values = found[key]
            if set(map(type, values)) <= _HOLLOW:
                count = sum(map(bool, values))
            else:
                count = sum(value is not None and value not in ({}, []) for value in values)
            if count:
                self._others[path + key] += count

    # ---- objects -----------------------------------------------------------------------------------------------------

    def objects(self, objects: Sequence[Any], nodes: Sequence[Node], path: str) -> list[pa.Array]:
        """Return the objects of a list at a path as a column for each of their members, and count the others."""
        found = dict_columns([one or {} for one in self._only(dict, objects, path)])
        self.count_others(found, {node.key for node in nodes}, f"{path}.")
        return self.columns(found, len(objects), nodes, f"{path}.", is_flat=True)

    def _members(self, objects: Sequence[Any], node: Node, path: str, *, is_flat: bool = False) -> list[pa.Array]:
        """Return the columns of the members of objects, and count the members that have none."""
        found = dict_columns(objects)
        self.count_others(found, node.part_keys, f"{path}.")
        return self.columns(found, len(objects), node.parts, f"{path}.", is_flat=is_flat)

    def _flattened(self, values: Sequence[Any], node: Node, path: str) -> list[pa.Array]:
        """Return objects as a column for each of their members."""
        if node.is_textual:
            return list(self._structs(values, node, path).flatten())
        values = self._only(dict, values, path)
        return self._members([{} if value is None else value for value in values], node, path, is_flat=True)

    def _structs(self, values: Sequence[Any], node: Node, path: str) -> pa.Array:
        """Return objects as structs."""
        values = self._only(dict, values, path)
        found = [value for value in values if value is not None]
        if node.is_textual:
            try:
                structs = pa.array(values, node.struct)  # twice as fast as a column for each member
            except (TypeError, ValueError):
                pass  # some value is not a text
            else:
                others = set().union(*found) - node.part_keys
                self.count_others({key: [value.get(key) for value in found] for key in others}, frozenset(), f"{path}.")
                return structs
        structs = pa.StructArray.from_arrays(self._members(found, node, path), fields=list(node.struct))
        if len(found) == len(values):
            return structs
        places = iter(range(len(found)))
        return structs.take(pa.array([None if value is None else next(places) for value in values], pa.int32()))

    def _lists(self, values: Sequence[Any], node: Node, path: str) -> pa.Array:
        """Return lists of objects as lists of structs."""
        values = self._only(list, values, path)
        items = self._structs([item for value in values if value for item in value], node, path)
        offsets: list[int | None] = [*accumulate(map(len, [value or () for value in values]), initial=0)]
        if None in values:
            offsets[:-1] = [None if value is None else start for value, start in zip(values, offsets, strict=False)]
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=node.wanted)

    # ---- values ------------------------------------------------------------------------------------------------------

    def _null(self, path: str) -> Any:
        """Count a value that its column cannot represent, and return None in its place."""
        self._unreadable[path] += 1

    def _only(self, kind: type, values: Sequence[Any], path: str) -> Sequence[Any]:
        """Return the values with None in place of those that are not of a type."""
        if set(map(type, values)) <= {kind, _NONE}:
            return values
        return [value if value is None or type(value) is kind else self._null(path) for value in values]

    def texts(self, values: Sequence[Any], _: pa.DataType, path: str) -> pa.Array:
        """Return texts."""
        try:
            return pa.array(values, pa.string())
        except (TypeError, ValueError):  # ArrowTypeError and ArrowInvalid are such
            return pa.array(self._only(str, values, path), pa.string())

    def dates(self, values: Sequence[Any], wanted: pa.DataType, path: str) -> pa.Array:
        """Return dates, `2026-02-28`."""
        return self._parsed(values, wanted, path)

    def instants(self, values: Sequence[Any], wanted: pa.DataType, path: str) -> pa.Array:
        """Return instants in UTC; a text without an offset is not an instant."""
        return self._parsed(values, wanted, path)

    def _parsed(self, values: Sequence[Any], wanted: pa.DataType, path: str) -> pa.Array:
        texts = self.texts(values, pa.string(), path)
        parsed = parse_texts(texts, wanted)
        if parsed is not None:
            return parsed
        readable = [
            text if text is None or parse_texts(pa.array([text]), wanted) is not None else self._null(path)
            for text in texts.to_pylist()
        ]
        return pa.array(readable, pa.string()).cast(wanted)

    def decimals(self, values: Sequence[Any], wanted: pa.DataType, path: str) -> pa.Array:
        """Return decimals."""
        if set(map(type, values)) <= _NUMBERS:
            try:
                numbers = pa.array(values, pa.float64())
            except (TypeError, ValueError):  # an integer of more than 53 bits
                pass
            else:
                decimals = as_decimals(numbers, wanted)
                if decimals is not None:
                    return decimals
        return pa.array([self._decimal(value, wanted, path) for value in values], wanted)

    def _decimal(self, value: Any, wanted: pa.DataType, path: str) -> Decimal | None:
        if value is None:
            return None
        if type(value) is float:
            if abs(value) < _exact_below(wanted):
                value = Decimal(repr(value))
            elif not self._is_exact:
                raise LongNumberError
        elif type(value) is int:
            value = Decimal(value)
        scaled = _rescaled(value, wanted) if type(value) is Decimal else None
        return self._null(path) if scaled is None else scaled

    def integers(self, values: Sequence[Any], wanted: pa.DataType, path: str) -> pa.Array:
        """Return integers."""
        if set(map(type, values)) <= _INTEGERS:
            try:
                return pa.array(values, wanted)
            except (TypeError, ValueError, OverflowError):  # more than 64 bits
                pass
        return pa.array([self._integer(value, path) for value in values], wanted)

    def _integer(self, value: Any, path: str) -> int | None:
        if value is None or (type(value) is int and -_INT64 <= value < _INT64):
            found: int | None = value
            return found
        self._null(path)
        return None

    def booleans(self, values: Sequence[Any], wanted: pa.DataType, path: str) -> pa.Array:
        """Return booleans."""
        return pa.array(self._only(bool, values, path), wanted)

    def json_texts(self, values: Sequence[Any], wanted: pa.DataType, path: str) -> pa.Array:
        """Return objects and lists as JSON texts."""
        return pa.array([None if value is None else self._json(value, path) for value in values], wanted)

    def _json(self, value: Any, path: str) -> str | None:
        try:
            return orjson.dumps(value, default=_as_number).decode()
        except TypeError:  # nested more deeply than the encoder allows
            self._null(path)
            return None


_CONVERTERS: dict[str, Callable[[Conversion, Sequence[Any], pa.DataType, str], pa.Array]] = {
    "text": Conversion.texts,
    "id": Conversion.texts,
    "date": Conversion.dates,
    "instant": Conversion.instants,
    "decimal": Conversion.decimals,
    "integer": Conversion.integers,
    "boolean": Conversion.booleans,
    "object": Conversion.json_texts,
    "list": Conversion.json_texts,
}


def parse_texts(texts: pa.Array, wanted: pa.DataType) -> pa.Array | None:
    """Return texts as dates or instants; None if one of them is not such, or its year is not one of SQL's."""
    number, bounds = (pa.int32(), _DAYS) if pa.types.is_date(wanted) else (pa.int64(), _MICROSECONDS)
    try:
        parsed = texts.cast(wanted)
    except ValueError:  # ArrowInvalid
        return None
    extremes = pc.min_max(parsed.cast(number)).as_py()
    if extremes["min"] is None or bounds[0] <= extremes["min"] <= extremes["max"] <= bounds[1]:
        return parsed
    return None


def _exact_below(wanted: pa.DataType) -> float:
    """Return below what half the distance from a double to the next is less than half a unit of the last digit."""
    return 2.0**52 / 10**wanted.scale  # type: ignore[no-any-return]  # pyarrow has no types


def as_decimals(numbers: pa.Array, wanted: pa.DataType) -> pa.Array | None:
    """Return doubles as decimals; None unless each is the double that is nearest to a decimal of that scale."""
    extremes = pc.min_max(numbers).as_py()
    if max(-(extremes["min"] or 0), extremes["max"] or 0) >= _exact_below(wanted):
        return None
    power = pa.scalar(float(10**wanted.scale))
    units = pc.round(pc.multiply(numbers, power))
    if not pc.divide(units, power).equals(numbers):
        return None
    whole = units.cast(pa.int64(), safe=False).cast(pa.decimal128(wanted.precision, 0))
    return pa.Array.from_buffers(
        wanted, len(whole), whole.buffers(), whole.null_count
    )  # the same, with the point moved


def _rescaled(value: Decimal, wanted: pa.DataType) -> Decimal | None:
    """Return a number with the exponent of a column; None if the column cannot hold it as it is."""
    sign, digits, exponent = value.as_tuple()
    zeros = int(exponent) + wanted.scale
    if not value:
        digits, zeros = (0,), 0
    while zeros < 0 and digits[-1] == 0:
        digits, zeros = digits[:-1], zeros + 1
    if zeros < 0 or len(digits) + zeros > wanted.precision:
        return None
    return Decimal((sign, digits + (0,) * zeros, -wanted.scale))


def _as_number(value: Any) -> Any:
    return orjson.Fragment(str(value))
