"""Rows to cells that people read: money with its digits, dates in words, nested records in a word or two."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "MASK",
    "Cell",
    "Column",
    "cell",
    "columns_of",
    "facts",
    "instant",
    "instants",
    "masked",
    "money",
    "sort_rows",
    "words",
]

MASK = "••••••••"
"""What stands for a secret: always eight, so that it does not tell the length."""

# ISO 4217: the currencies whose amounts have other than two decimals.
_NONE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF")
_THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DECIMALS = dict.fromkeys((*_NONE, "XPF"), 0) | dict.fromkeys(_THREE, 3)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(_DATE.pattern + r"T[0-9:.]+(Z|[+-][0-9]{2}:?[0-9]{2})")
_LONGEST = 80
_LONGEST_FULL = 4000
_ACRONYMS = {"api", "id", "url", "uri"}
_NAMES = ("name", "Name", "DisplayName", "value", "Address", "FreeFormNumber")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        field: The rows' member; dots lead into nested ones.
        label: The heading.
        format: `money`, `date`, `status`, `days`, or nothing.
        currency: The member that names an amount's currency.
        values: Of a status: labels and tones.
    """

    field: str
    label: str
    format: str = ""
    currency: str = ""
    values: Mapping[str, Mapping[str, str]] | None = None

    @property
    def is_number(self) -> bool:
        """Whether cells are set to the right."""
        return self.format in {"money", "days", "number"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One value, as it is shown.

    Attributes:
        text: What is read.
        machine: The same for programs, where it differs: a date as ISO.
        sort: By what rows are sorted, as text or a number.
        tone: Of a status: `good`, `info`, `notice`, `bad`, `muted`.
        full: What a shortened text stands for.
    """

    text: str
    machine: str = ""
    sort: str | float = ""
    tone: str = ""
    full: str = ""


def columns_of(
    views: Iterable[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], *, everything: bool
) -> list[Column]:
    """Return the columns to show.

    Args:
        views: The action's, of which the first table counts.
        rows: The rows; columns that none of them has are left out.
        everything: Whether all fields are wanted.
    """
    table = next((view for view in views if view.get("kind") == "table"), None)
    chosen = [_column(column) for column in table["columns"]] if table else []
    chosen = [column for column in chosen if any(value_at(row, column.field) is not None for row in rows)]
    if chosen and not everything:
        return chosen
    present = dict.fromkeys(name for row in rows for name in row)
    named = {column.field for column in chosen}
    others = [Column(name, words(name), _guess(name, rows)) for name in present if name not in named]
    return chosen + others


def cell(row: Mapping[str, Any], column: Column) -> Cell:
    """Return a row's value in a column."""
    value = value_at(row, column.field)
    if value is None or value == "":
        return Cell("")
    match column.format:
        case "money":
            amount = _decimal(value)
            if amount is not None:
                currency = value_at(row, column.currency) if column.currency else None
                return Cell(money(amount, str(currency or "")), sort=float(amount))
        case "status":
            known = (column.values or {}).get(str(value), {})
            return Cell(known.get("label", str(value)), sort=str(value), tone=known.get("tone", "muted"))
        case "days":
            days = _decimal(value)
            if days is not None:
                return Cell(f"{days:,} d" if days else "", sort=float(days))
    return _plain(value)


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """Return a member, or one of a nested object by a path with dots; None where there is none."""
    if path in row:
        return row[path]
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def sort_rows(rows: Sequence[Mapping[str, Any]], column: Column, *, descending: bool) -> list[Mapping[str, Any]]:
    """Return rows sorted by a column; empty cells last, equal ones as they were."""
    cells = [(cell(row, column), row) for row in rows]
    filled = [(item.sort, row) for item, row in cells if item.text or item.sort]
    empty = [row for item, row in cells if not (item.text or item.sort)]
    filled.sort(key=lambda pair: _sort_key(pair[0]), reverse=descending)
    return [row for _, row in filled] + empty


def money(amount: Decimal, currency: str = "") -> str:
    """Write an amount with its currency's decimals, or more where it has more."""
    decimals = _DECIMALS.get(currency, 2)
    exponent = amount.normalize().as_tuple().exponent
    digits = max(decimals, -exponent if isinstance(exponent, int) and exponent < 0 else 0)
    return f"{amount:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def instant(text: str) -> str:
    """Write an ISO date, or time in UTC, in words; any other text stays as it is."""
    try:
        if _DATE.fullmatch(text):
            return _day(date.fromisoformat(text))
        if _INSTANT.fullmatch(text):
            at = datetime.fromisoformat(text).astimezone(UTC)
            return f"{_day(at.date())}, {at:%H:%M} UTC"
    except (ValueError, OverflowError):
        pass
    return text


def instants(text: str) -> str:
    """Write the ISO times within a sentence in words."""
    return _INSTANT.sub(lambda found: instant(found[0]), text)


def facts(data: Mapping[str, Any], *, leave_out: Iterable[str] = (), in_full: bool = False) -> list[tuple[str, Cell]]:
    """Return an object as names and values in words, without what is empty.

    Args:
        data: The object.
        leave_out: Members that are not wanted.
        in_full: Whether long texts are shown whole.
    """
    skipped = set(leave_out)
    pairs = [(words(name), _plain(value)) for name, value in data.items() if name not in skipped]
    return [(name, Cell(value.full) if in_full and value.full else value) for name, value in pairs if value.text]


def masked(data: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sensitive result without its secrets.

    Args:
        data: The result.
        schema: Its schema. Members marked `x-sensitive` are masked; if none is, all texts are.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    marked = {name for name, rules in properties.items() if rules.get("x-sensitive")}
    hidden = marked or {name for name in data if name != "metadata"}
    return {name: MASK if name in hidden and value is not None else value for name, value in data.items()}


def words(name: str) -> str:
    """Write a member's name as people would: `daysOverdue` is "Days overdue", `Id` stays."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_.]+", " ", name).split()
    rest = [part if part.isupper() and len(part) > 1 else part.lower() for part in parts[1:]]
    spelled = [parts[0][:1].upper() + parts[0][1:], *rest] if parts else [name]
    return " ".join(part.upper() if part.lower() in _ACRONYMS else part for part in spelled)


def _column(described: Mapping[str, Any]) -> Column:
    return Column(
        str(described["field"]),
        str(described.get("label") or words(described["field"])),
        str(described.get("format", "")),
        str(described.get("currency", "")),
        described.get("values"),
    )


def _guess(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    values = [row[name] for row in rows if row.get(name) is not None]
    is_number = bool(values) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return "number" if is_number else ""


def _plain(value: Any) -> Cell:
    if isinstance(value, bool):
        return Cell("yes" if value else "no", sort=float(value))
    if isinstance(value, int | float):
        return Cell(f"{value:,}" if isinstance(value, float) or abs(value) < 10**12 else str(value), sort=float(value))
    if isinstance(value, str):
        told = instant(value)
        if told != value:
            return Cell(told, machine=value, sort=value)
        return _short(" ".join(value.split()))
    return _short(_summary(value))


def _summary(value: Any) -> str:
    """Say in a word or two what a nested value holds."""
    if isinstance(value, list):
        if len(value) == 1:
            return _summary(value[0])
        is_plain = all(isinstance(item, str | int | float) for item in value)
        return ", ".join(map(str, value)) if is_plain else f"{len(value)} entries"
    if isinstance(value, dict):
        named = next((value[name] for name in _NAMES if isinstance(value.get(name), str) and value[name]), None)
        if named is not None:
            return str(named)
        told = [item for name, item in value.items() if name.lower() != "id" and item not in (None, "", [], {})]
        plain = [str(item) for item in told if isinstance(item, str | int | float) and not isinstance(item, bool)]
        return ", ".join(plain) or ("" if not told else "1 field" if len(told) == 1 else f"{len(told)} fields")
    return "" if value is None else str(value)


def _short(text: str) -> Cell:
    if len(text) <= _LONGEST:
        return Cell(text, sort=text.casefold())
    return Cell(text[: _LONGEST - 1].rstrip() + "…", sort=text[:_LONGEST].casefold(), full=text[:_LONGEST_FULL])


def _sort_key(value: str | float) -> tuple[int, float, str]:
    return (1, 0.0, value) if isinstance(value, str) else (0, value, "")


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _day(day: date) -> str:
    return f"{day.day} {day:%b} {day.year}"
