"""Decodes pages into structs generated from the catalog: typed, and without a dict for each object (msgspec).

A page that does not fit the types, or that holds members which are not known yet, is refused; the caller decodes it
into dicts, and may let the reader learn the new members.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from vantage_quickbooks.sync.full_read import Decoded, check_answer
from vantage_quickbooks.sync.ndjson import on_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vantage_quickbooks.sync.arrow_columns import Node

__all__ = ["RecordStruct", "StructReader", "as_json", "columns_of"]

_MOST_OTHERS = 500
"""Members without a column that a reader learns; a company with more is read by dicts."""

_LEAVES: dict[str, Any] = {
    "text": str | None,
    "id": str | None,
    "date": str | None,
    "instant": str | None,
    "decimal": float | None,
    "integer": int | None,
    "boolean": bool | None,
    "object": Any,
    "list": Any,
}
_FEW = 4
"""So many members are faster read one by one than all at once."""

_CHUNK = 64

_ODD = re.compile(r'["\\\x00-\x1f]')


class RecordStruct(msgspec.Struct, gc=False):
    """An object of a record. It reads like the dict of the same object, but for members that its type does not have.

    Attributes:
        attributes: The name of the attribute that holds each key.
        nested: The keys of objects and of lists of objects.
    """

    attributes: ClassVar[dict[str, str]] = {}
    nested: ClassVar[frozenset[str]] = frozenset()

    def get(self, key: str) -> Any:
        """Return the value of a member; None if it is missing.

        An object is a dict, and a list holds dicts; objects in these are structs again.
        """
        name = self.attributes.get(key)
        if name is None:
            return None
        value = getattr(self, name)
        if key not in self.nested or value is None:
            return value
        return list(map(_as_dict, value)) if isinstance(value, list) else _as_dict(value)

    __getitem__ = get


def _as_dict(value: Any) -> Any:
    if not isinstance(value, RecordStruct):
        return value
    return dict(zip(value.attributes, msgspec.structs.astuple(value), strict=True))


def as_json(value: Any) -> Any:
    """Return a struct as a dict, and so are those that it holds."""
    if isinstance(value, RecordStruct):
        return {key: as_json(member) for key, member in _as_dict(value).items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


# Comprehensions are three times as fast as `attrgetter` where the objects are of one type.
_READERS: tuple[Callable[[Sequence[Any]], list[Any]], ...] = (
    lambda objects: [found.m0 for found in objects],
    lambda objects: [found.m1 for found in objects],
    lambda objects: [found.m2 for found in objects],
    lambda objects: [found.m3 for found in objects],
)


def columns_of(objects: Sequence[RecordStruct]) -> dict[str, Sequence[Any]]:
    """Return the values of each member of structs of one type; members that none of them has are left out."""
    if not objects:
        return {}
    attributes = objects[0].attributes
    if len(attributes) <= _FEW:
        columns: list[list[Any]] = [read(objects) for read, _ in zip(_READERS, attributes, strict=False)]
    else:
        columns = [[] for _ in attributes]
        for start in range(0, len(objects), _CHUNK):  # so that the objects stay in the processor's cache
            parts = zip(*map(msgspec.structs.astuple, objects[start : start + _CHUNK]), strict=True)
            for column, part in zip(columns, parts, strict=True):
                column.extend(part)
    return {
        key: values
        for key, values in zip(attributes, columns, strict=True)
        if values[0] is not None or values.count(None) != len(values)
    }


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


class StructReader:
    """Decodes pages of one entity.

    Args:
        nodes: All members that have columns or may have.
        expected: Further members, see `learn`.
        skips_others: Whether other members are skipped, and not refused until they are learned.
    """

    def __init__(self, nodes: Sequence[Node], expected: Iterable[tuple[str, str]], *, skips_others: bool) -> None:
        self._nodes = nodes
        self._skips_others = skips_others
        self._others: dict[str, set[str]] = {}
        self._times: type[RecordStruct] | None = None
        self.record_type: type[RecordStruct] | None = None
        self.learn(expected)

    def read(self, body: bytes, entity: str) -> Decoded | None:
        """Decode a page; each row is a pair of a record and its text.

        Returns:
            The page; None if it must be decoded into dicts.
        """
        if self._decode is None:
            return None
        try:
            answer = _decoder_of_answers(entity).decode(body)
            texts = answer.QueryResponse.records
            records = list(map(self._decode, texts))
            sort_keys = list(map(self._sort_key, records))
            check_answer({"time": answer.time}, sort_keys)
        # ValueError, TypeError, AttributeError: it is not UTF-8, or a record lacks its Id or creation time
        except (msgspec.MsgspecError, ValueError, TypeError, AttributeError, RecursionError):
            return None
        rows = list(zip(records, on_one_line(texts, body), strict=True))
        return Decoded(rows, sort_keys, datetime.fromisoformat(answer.time))

    def learn(self, members: Iterable[tuple[str, str]]) -> None:
        """Expect further members: the path of their object, with a point at its end, and their key."""
        for path, key in members:
            if not _ODD.search(key):  # msgspec decodes no member of such a name
                self._others.setdefault(path, set()).add(key)
        self._build()

    def _build(self) -> None:
        self._decode: Callable[[Any], RecordStruct] | None = None
        if sum(map(len, self._others.values())) > _MOST_OTHERS:
            return
        self._shared: dict[Any, type[RecordStruct]] = {}
        self.record_type = record_type = self._type(self._nodes, "")
        keys = record_type.attributes
        if self._times is not None and "Id" in keys:
            self._sort_key = attrgetter(f"{keys['MetaData']}.{self._times.attributes['CreateTime']}", keys["Id"])
            self._decode = msgspec.json.Decoder(record_type).decode

    def _type(self, nodes: Sequence[Node], path: str) -> type[RecordStruct]:
        types = {node.key: self._member(node, path) for node in nodes}
        types |= dict.fromkeys(sorted(self._others.get(path, set()) - types.keys()), Any)
        # References have one type, so that the interpreter's caches of attributes hold.
        shape = (
            None if any(node.parts for node in nodes) else tuple((key, str(wanted)) for key, wanted in types.items())
        )
        if shape not in self._shared:
            self._shared[shape] = self._make_type(nodes, types)
        return self._shared[shape] if shape else self._shared.pop(shape)

    def _make_type(self, nodes: Sequence[Node], types: dict[str, Any]) -> type[RecordStruct]:
        attributes = {key: f"m{number}" for number, key in enumerate(types)}
        return msgspec.defstruct(  # type: ignore[return-value]  # it has the base
            "Struct",
            [(attributes[key], wanted, None) for key, wanted in types.items()],
            bases=(RecordStruct,),
            namespace={"attributes": attributes, "nested": frozenset(node.key for node in nodes if node.parts)},
            rename={name: key for key, name in attributes.items()},
            forbid_unknown_fields=not self._skips_others,
            gc=False,
        )

    def _member(self, node: Node, path: str) -> Any:
        if not node.parts:
            return _LEAVES[node.kind]
        struct = self._type(node.parts, f"{path}{node.key}.")
        if path + node.key == "MetaData":
            self._times = struct
        node_type: Any = list[struct | None] if node.kind == "list" else struct  # type: ignore[valid-type]
        return node_type | None
