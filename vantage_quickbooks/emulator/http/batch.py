"""Batches: up to thirty operations in one request, each executed or refused on its own.

Sources: Intuit, "Batch" (https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/batch);
recorded, September 2020 (minimul batch/basic.yml).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company.entities import ENTITIES, Entity
from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.json_text import compact
from vantage_quickbooks.emulator.query.execute import execute

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.company import Company

MAX_ITEMS = 30
_BESIDES = frozenset({"bId", "operation", "optionsData"})

Write = Callable[[Entity, dict[str, Any], str, str], bytes]
"""Executes one operation: entity, record, operation, bId; returns the record's text."""


def run(company: Company, sent: object, write: Write, now: float) -> bytes:
    """Execute a batch.

    Args:
        company: The company.
        sent: The body.
        write: Executes an item that writes.
        now: Epoch seconds, for the statements.

    Returns:
        The value of `BatchItemResponse`, in the order of the items, though Intuit promises no order.

    Raises:
        Fault: 2020 for a missing batch, 1040 for more than thirty items.
    """
    items = sent.get("BatchItemRequest") if isinstance(sent, dict) else None
    if not isinstance(items, list) or not items:
        raise errors.required_missing("BatchItemRequest")
    if len(items) > MAX_ITEMS:
        raise errors.batch_too_large(len(items), MAX_ITEMS)
    return b"[%s]" % b",".join(_item(company, item, write, now) for item in items)


def _item(company: Company, item: object, write: Write, now: float) -> bytes:
    b_id = item.get("bId") if isinstance(item, dict) else None
    try:
        key, value = _carry_out(company, item, write, now)
    except Fault as fault:
        key, value = "Fault", compact(fault.item()).encode()
    except (TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        key, value = "Fault", compact(errors.unreadable_body(str(error)).item()).encode()
    echo = "" if b_id is None else f',"bId":{compact(str(b_id))}'
    return b'{"%s":%s%s}' % (key.encode(), value, echo.encode())


def _carry_out(company: Company, item: object, write: Write, now: float) -> tuple[str, bytes]:
    if not isinstance(item, dict):
        raise TypeError("an item is an object")
    if item.get("bId") is None:
        raise errors.required_missing("bId")
    if "Query" in item:
        return "QueryResponse", execute(company, str(item["Query"]), now).json()
    names = [name for name in item if name not in _BESIDES]
    if len(names) != 1 or names[0] not in ENTITIES:
        raise ValueError(f"an item has one entity or a Query, not {', '.join(map(str, names)) or 'nothing'}")
    record = item[names[0]]
    if not isinstance(record, dict):
        raise TypeError(f"{names[0]} is an object")
    operation = "void" if item.get("optionsData") == "void" else str(item.get("operation"))
    return names[0], write(ENTITIES[names[0]], record, operation, str(item["bId"]))
