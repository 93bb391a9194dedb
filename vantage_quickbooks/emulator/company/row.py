"""The columns by which a record is found and sorted."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.emulator.company.entities import Entity


class Row(NamedTuple):
    """The columns of a record.

    Attributes:
        id: Intuit's Id, as text.
        created: MetaData.CreateTime, epoch seconds.
        updated: MetaData.LastUpdatedTime, epoch seconds.
        active: 1 or 0; 1 for entities without Active.
        sort_name: The value by which a name list is sorted, in byte order.
        name: DisplayName or Name.
        txn_date: TxnDate.
        due_date: DueDate.
        doc_number: DocNumber.
        customer: CustomerRef.value.
        balance: Balance.
        total: TotalAmt.
        body: The JSON text, as it is served.
    """

    id: str
    created: int
    updated: int
    active: int
    sort_name: str | None
    name: str | None
    txn_date: str | None
    due_date: str | None
    doc_number: str | None
    customer: str | None
    balance: float | None
    total: float | None
    body: str


def row_of(entity: Entity, record: Mapping[str, Any], body: str) -> Row:
    """Extract the columns from a record.

    Args:
        entity: Its entity.
        record: Its data.
        body: Its text, as it is to be served.

    Raises:
        TypeError: A value that should be text is not.
        ValueError: A time or an amount is invalid.
    """
    times = record.get("MetaData") or {}
    name = _text(record.get("DisplayName") or record.get("Name"))
    return Row(
        id=str(record.get("Id", "")),
        created=_epoch(times.get("CreateTime")),
        updated=_epoch(times.get("LastUpdatedTime")),
        active=int(record.get("Active") is not False),
        sort_name=entity.sort_key(_text(record.get(entity.sort_property)) or name) if entity.is_name_list else None,
        name=name,
        txn_date=_text(record.get("TxnDate")),
        due_date=_text(record.get("DueDate")),
        doc_number=_text(record.get("DocNumber")),
        customer=_text((record.get("CustomerRef") or {}).get("value")),
        balance=_real(record.get("Balance")),
        total=_real(record.get("TotalAmt")),
        body=body,
    )


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _epoch(text: str | None) -> int:
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def _real(value: Any) -> float | None:
    return None if value is None else float(value)
