"""The NDJSON path: pages are cut into records without building Python objects for them (extra `[bulk]`, msgspec)."""

from __future__ import annotations

from typing import Any

import msgspec

from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.sync.full_read import Decoded, decode

__all__ = ["decode_raw"]


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
    try:
        part: Any = _answer.decode(body).QueryResponse.get(entity, b"[]")
        rows: list[Any] = _records.decode(part)
    except (msgspec.MsgspecError, RecursionError):
        rows = []
    if len(rows) != len(page.rows):
        raise UnexpectedResponseError(f"QuickBooks answered with a damaged page of {entity} records.")
    # A line break in JSON text is whitespace between two tokens: in a string it is escaped (RFC 8259 section 7).
    is_spread = b"\n" in body or b"\r" in body
    return Decoded([_on_one_line(row) for row in rows] if is_spread else rows, page.sort_keys, page.time)


def _on_one_line(row: Any) -> bytes:
    return b"".join(line.strip() for line in bytes(row).splitlines())
