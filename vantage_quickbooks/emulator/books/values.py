"""Values of records, whatever a client has stored in their place."""

from __future__ import annotations

_LARGEST = 1e12  # of an amount or a quantity; the product with a rate fits SQLite's integers
_LARGEST_RATE = 1e4


def cents_of(value: object) -> int:
    """Return an amount in cents; 0 for what is not a number that books can hold."""
    return round(number_of(value) * 100)


def number_of(value: object) -> float:
    """Return a number; 0 for what is not one that books can hold."""
    try:
        found = float(value)  # type: ignore[arg-type]  # what is not a number raises
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return found if abs(found) < _LARGEST else 0.0


def rate_of(value: object) -> float:
    """Return an exchange rate; 0 for what is not one."""
    found = number_of(value)
    return found if 0 < found < _LARGEST_RATE else 0.0


def ref(record: object, *path: str) -> str:
    """Return the Id of a reference inside a record, or ""."""
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    value = record.get("value") if isinstance(record, dict) else None
    return "" if value is None else str(value)
