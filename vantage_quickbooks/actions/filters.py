"""What the list actions' inputs have in common: paging, and conditions on dates and times."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core import query
from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["date_range", "page_size", "updated_since"]

_FIRST_ZONE = timezone(timedelta(hours=14))


def page_size(data: Mapping[str, Any], max_results: int, row_limit: int | None) -> int:
    """Return how many records to return: the input's `max_results`, else the setting's, capped by the host."""
    size: int = data.get("max_results", max_results)
    return size if row_limit is None else max(1, min(size, row_limit))


def updated_since(data: Mapping[str, Any]) -> list[str]:
    """Return the condition for `updated_since`.

    A bare date means the first moment at which it is that day anywhere on earth, so that nothing is missed.

    Raises:
        InputError: It is outside the calendar in UTC.
    """
    value = data.get("updated_since")
    if value is None:
        return []
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:  # a date: the schema lets no time pass without its zone
        at = datetime.combine(at.date(), time(), _FIRST_ZONE)
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        entry = FieldError("updated_since", "range", "It lies outside the calendar.", "Give a time of this century.")
        raise InputError(f"updated_since: {entry.message} {entry.hint}", [entry]) from None
    written = at.isoformat().replace("+00:00", "Z")
    return [query.compare("MetaData.LastUpdatedTime", ">=", written, field="updated_since")]


def date_range(data: Mapping[str, Any], prop: str, name: str) -> list[str]:
    """Return the conditions for `<name>_from` and `<name>_to`, both inclusive.

    Args:
        data: The validated input.
        prop: Intuit's property, `TxnDate`.
        name: The inputs' common part, `txn_date`.

    Raises:
        InputError: The range ends before it begins.
    """
    first, last = data.get(f"{name}_from"), data.get(f"{name}_to")
    if first and last and date.fromisoformat(first) > date.fromisoformat(last):
        entry = FieldError(
            f"{name}_to", "range", f"It lies before {name}_from.", "Swap the two dates, or leave one of them out."
        )
        raise InputError(f"{name}_to: {entry.message} {entry.hint}", [entry])
    ends = ((">=", first, "from"), ("<=", last, "to"))
    return [query.compare(prop, operator, day, field=f"{name}_{end}") for operator, day, end in ends if day]
