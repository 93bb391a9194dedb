"""The bulk path: pages are cut into records without decoding them (extra `[bulk]`, msgspec)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.whole import Decoded

__all__ = ["decode_raw"]


class _Meta(msgspec.Struct):
    CreateTime: str


class _Head(msgspec.Struct):
    Id: str
    MetaData: _Meta


class _Answer(msgspec.Struct):
    QueryResponse: dict[str, msgspec.Raw]
    time: str


_answer = msgspec.json.Decoder(_Answer)
_records = msgspec.json.Decoder(list[msgspec.Raw])
_heads = msgspec.json.Decoder(list[_Head])


def decode_raw(body: bytes, entity: str) -> Decoded:
    """Cut a page into records, each in the very bytes that Intuit sent.

    Raises:
        UnexpectedResponseError: It is no page of this entity.
    """
    try:
        answer = _answer.decode(body)
        part: Any = answer.QueryResponse.get(entity) if answer.QueryResponse else b"[]"
        rows: list[Any] = _records.decode(part)
        marks = [(head.MetaData.CreateTime, head.Id) for head in _heads.decode(part)]
        return Decoded(rows, marks, datetime.fromisoformat(answer.time))
    except (msgspec.MsgspecError, ValueError, TypeError):
        raise UnexpectedResponseError(
            f"QuickBooks answered with a damaged page of {entity} records, or without their Ids and creation times."
        ) from None
