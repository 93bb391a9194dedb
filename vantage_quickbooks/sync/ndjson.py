"""The NDJSON path: pages are cut into records without building Python objects for them (extra `[bulk]`, msgspec)."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.sync.full_read import Decoded, decode

__all__ = ["cut", "decode_raw", "on_one_line", "record_of"]


class _Answer(msgspec.Struct):
    QueryResponse: dict[str, msgspec.Raw]


_answer = msgspec.json.Decoder(_Answer)
_records = msgspec.json.Decoder(list[msgspec.Raw])


def decode_raw(body: bytes, entity: str) -> Decoded:
    """Cut a page into records, each on one line in the exact bytes that Intuit sent.

    The page is decoded as well: a cut alone would let through what no reader of the lines can decode, such as text that
    is not UTF-8, numbers beyond a double, or unlimited nesting.

    Raises:
        UnexpectedResponseError: It is not a page of this entity.
    """
    page = decode(body, entity)
    return Decoded(cut(body, entity, len(page.rows)), page.sort_keys, page.time)


def cut(body: bytes, entity: str, count: int) -> list[Any]:
    """Return the text of each of a page's *count* records, on one line, as bytes or as a buffer of them.

    Raises:
        UnexpectedResponseError: The page does not hold as many.
    """
    try:
        part: Any = _answer.decode(body).QueryResponse.get(entity, b"[]")
        rows: list[Any] = _records.decode(part)
    except (msgspec.MsgspecError, RecursionError):
        rows = []
    if len(rows) != count:
        raise UnexpectedResponseError(f"QuickBooks answered with a damaged page of {entity} records.")
    return on_one_line(rows, body)


def on_one_line(texts: list[Any], body: bytes) -> list[Any]:
    """Return the texts of records of a page, without the line breaks between their tokens."""
    # A line break in JSON text is whitespace between two tokens: in a string it is escaped (RFC 8259 section 7).
    is_spread = b"\n" in body or b"\r" in body
    return [b"".join(line.strip() for line in bytes(text).splitlines()) for text in texts] if is_spread else texts


def record_of(row: Any) -> dict[str, Any]:
    """Decode a row that `decode_raw` made."""
    return orjson.loads(memoryview(row))  # type: ignore[no-any-return]  # a record is an object
