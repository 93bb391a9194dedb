"""Quantities on hand: what a transaction takes from the stock of inventory items and adds to it.

Source: https://developer.intuit.com/app/developer/qbo/docs/workflows/manage-inventory; recorded, 2026 (Nango items: the
quantities are those that the transactions from the item's start date on leave).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vantage_quickbooks.emulator.company.change import Record

_SIGNS = {
    "Invoice": -1,
    "SalesReceipt": -1,
    "CreditMemo": 1,
    "RefundReceipt": 1,
    "Bill": 1,
    "Purchase": 1,
    "VendorCredit": -1,
    "InventoryAdjustment": 1,
}
_LARGEST = Decimal(10) ** 12


def moved(entity: str, record: Record | None, find_item: Callable[[str], Record | None]) -> dict[str, Decimal]:
    """Return by how much a transaction changes the quantity on hand of each inventory item.

    Args:
        entity: Its entity.
        record: The transaction; None changes nothing.
        find_item: Returns an item by its Id.
    """
    sign = _SIGNS.get(entity, 0)
    changes: dict[str, Decimal] = {}
    if not record or not sign:
        return changes
    if record.get("Credit") is True:
        sign = -sign
    for id_, quantity in _quantities(record.get("Line")):
        item = find_item(id_) if quantity else None
        if item and item.get("Type") == "Inventory" and _is_counted(item, record):
            changes[id_] = changes.get(id_, Decimal(0)) + sign * quantity
    return changes


def _is_counted(item: Record, record: Record) -> bool:
    """Return whether an item's stock is counted on the day of a transaction."""
    return str(record.get("TxnDate") or "") >= str(item.get("InvStartDate") or "")


def _quantities(lines: Any) -> Iterator[tuple[str, Decimal]]:
    for line in lines if isinstance(lines, list) else ():
        kind = line.get("DetailType") if isinstance(line, dict) else None
        detail = line.get(kind) if isinstance(kind, str) else None
        if not isinstance(detail, dict):
            continue
        if kind == "GroupLineDetail":
            yield from _quantities(detail.get("Line"))
        elif isinstance(detail.get("ItemRef"), dict):
            quantity = detail.get("QtyDiff") if kind == "ItemAdjustmentLineDetail" else detail.get("Qty")
            yield str(detail["ItemRef"].get("value")), _number(quantity)


def _number(value: Any) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() and abs(found) < _LARGEST else Decimal(0)
