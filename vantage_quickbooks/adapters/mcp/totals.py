"""Totals over many records: exact decimals, one sum for each currency, never across currencies."""

from __future__ import annotations

import math
from datetime import date
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.adapters.mcp.entities import invalid
from vantage_quickbooks.catalog.invoices import format_money
from vantage_quickbooks.row_values import value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vantage_quickbooks.adapters.mcp.entities import Entity

__all__ = ["Totals"]

_EXACT = Context(prec=1000)
_ZERO = Decimal(0)

AGE = "age"
"""Groups by days overdue, as an aging report does."""

_AGES = {"current": 0, "1-30 days": 30, "31-60 days": 60, "61-90 days": 90, "over 90 days": math.inf}
"""Each group and the most days overdue in it."""

_PERIODS: Mapping[str, Callable[[date], str]] = {
    "year": lambda day: f"{day.year}",
    "quarter": lambda day: f"{day.year}-Q{(day.month + 2) // 3}",
    "month": lambda day: f"{day:%Y-%m}",
}


class _Sum:
    """Records added up: how many, their amounts, and how many of them lack each amount."""

    __slots__ = ("amounts", "count", "missing")

    def __init__(self, size: int) -> None:
        self.count = 0
        self.amounts = [_ZERO] * size
        self.missing = [0] * size

    def add(self, amounts: Sequence[Decimal | None]) -> None:
        self.count += 1
        for place, amount in enumerate(amounts):
            if amount is None:
                self.missing[place] += 1
            else:
                self.amounts[place] += amount

    def merge(self, other: _Sum) -> None:
        self.count += other.count
        self.amounts = [mine + more for mine, more in zip(self.amounts, other.amounts, strict=True)]
        self.missing = [mine + more for mine, more in zip(self.missing, other.missing, strict=True)]

    def cells(self) -> list[Any]:
        return [self.count, *map(format_money, self.amounts)]


class Totals:
    """Adds up the amounts of an entity's records.

    Args:
        entity: The entity.
        group_by: Fields to group by. A date takes a period: `TxnDate:month`. `age` groups by days overdue.

    Raises:
        InputError: A field does not exist, or is not a date.
    """

    def __init__(self, entity: Entity, group_by: Sequence[str] = ()) -> None:
        self._entity = entity
        self._names = tuple(group_by)
        self._keys = [_key(entity, name) for name in group_by]
        self._sums: dict[tuple[Any, ...], _Sum] = {}

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add records."""
        names, currency = self._entity.sums, self._entity.currency
        with localcontext(_EXACT):
            for record in records:
                group = (*(key(record) for key in self._keys), value_at(record, currency) if names else None)
                if group not in self._sums:
                    self._sums[group] = _Sum(len(names))
                self._sums[group].add([_decimal(value_at(record, name)) for name in names])

    def by_currency(self) -> list[dict[str, Any]]:
        """Return the number of records and the sums, one entry for each currency."""
        names, found = self._entity.sums, self._merged(self._sums.items())
        with localcontext(_EXACT):
            return [
                ({"currency": currency} if names else {})
                | dict(zip(("count", *names), found[currency].cells(), strict=True))
                | _missing(names, found[currency])
                for currency in sorted(found, key=str)
            ]

    def _merged(self, groups: Iterable[tuple[tuple[Any, ...], _Sum]]) -> dict[Any, _Sum]:
        """Return groups added up by currency."""
        found: dict[Any, _Sum] = {}
        with localcontext(_EXACT):
            for group, added in groups:
                found.setdefault(group[-1], _Sum(len(added.amounts))).merge(added)
        return found

    def groups(self, top: int) -> dict[str, Any]:
        """Return the largest groups as a table; what is left is added up, as `(others)` of each currency."""
        largest = names.index("Balance") if "Balance" in (names := self._entity.sums) else 0
        ordered = sorted(self._sums.items(), key=lambda item: _rank(item[1], largest))
        shown, left = ordered[:top], ordered[top:]
        if any(":" in name or name == AGE for name in self._names):
            shown.sort(key=lambda item: tuple(map(_order, item[0])))
        with localcontext(_EXACT):
            blanks = [None] * (len(self._names) - 1)
            rows = [[*group, *added.cells()] for group, added in shown]
            rows += [["(others)", *blanks, currency, *added.cells()] for currency, added in self._merged(left).items()]
        if not self._entity.sums:  # no amounts, no currency
            rows = [[*row[: len(self._names)], row[-1]] for row in rows]
        currency = ("currency",) if self._entity.sums else ()
        return {
            "groups": f"{len(shown):,} of {len(ordered):,}",
            "columns": [*self._names, *currency, "count", *self._entity.sums],
            "rows": rows,
        }


def _missing(names: Sequence[str], added: _Sum) -> dict[str, Any]:
    """Return how many records lack an amount, so that a sum without them is not taken for complete."""
    missing = {name: count for name, count in zip(names, added.missing, strict=True) if count}
    return {"withoutAmount": missing} if missing else {}


def _order(value: Any) -> tuple[int, str]:
    """Return the place of a group in the order of time."""
    return (list(_AGES).index(value) if value in _AGES else 0, str(value))


def _rank(added: _Sum, largest: int) -> tuple[Decimal, int]:
    return (-abs(added.amounts[largest]) if added.amounts else _ZERO, -added.count)


def _key(entity: Entity, name: str) -> Callable[[Mapping[str, Any]], Any]:
    field, separator, period = name.partition(":")
    if name == AGE:
        if "daysOverdue" not in entity.known_fields:
            raise invalid("group_by", f"{entity.resource.entity} has no due dates.", "Group by a field of explain.")
        return _age
    entity.check_fields([field], "group_by")
    if not separator:
        return lambda record: _text(value_at(record, field))
    if period not in _PERIODS:
        raise invalid("group_by", f"There is no period {period[:20]!r}.", f"Use {field}:month, :quarter or :year.")
    if entity.known_fields[field.split(".")[0]] not in {"date", "instant", "object"}:
        raise invalid("group_by", f"{field} is not a date.", "Use a date such as TxnDate:month.")
    name_of = _PERIODS[period]

    def key(record: Mapping[str, Any]) -> str | None:
        try:
            return name_of(date.fromisoformat(str(value_at(record, field))[:10]))
        except ValueError:
            return None

    return key


def _age(record: Mapping[str, Any]) -> str:
    days = record.get("daysOverdue") or 0
    return next(name for name, most in _AGES.items() if days <= most)


def _text(value: Any) -> Any:
    """Return a value to group by; a reference by its name."""
    if isinstance(value, dict):
        return value.get("name") or value.get("value")
    return str(value) if isinstance(value, list) else value


def _decimal(value: Any) -> Decimal | None:
    # The shortest decimal that reads back as the same float is what QuickBooks sent.
    return Decimal(repr(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
