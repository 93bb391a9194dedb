"""Values of rows, as a descriptor names them: by a path, as an exact decimal. Standard library only."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["decimal_of", "value_at"]


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """Return a field, or a nested one by a path with dots, `CustomerRef.name`; None if it does not exist.

    Args:
        row: The row.
        path: The field. A number in it is an index of a list: `Line.0.Amount`.
    """
    if path in row:
        return row[path]
    value: Any = row
    for name in path.split("."):
        if isinstance(value, list):
            value = value[int(name)] if name.isdecimal() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def decimal_of(value: Any) -> Decimal | None:
    """Return a number, or a text that is one, as an exact decimal; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
