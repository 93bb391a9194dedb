"""Rows to cells that people read: money with its digits, dates in words, nested records in a word or two."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "MASK",
    "Cell",
    "Column",
    "RowFields",
    "cell",
    "columns_of",
    "facts",
    "instant",
    "instants",
    "masked",
    "money",
    "sort_key",
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
_MAX_CELL_LENGTH = 80
_MAX_TOOLTIP_LENGTH = 4000
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
        is_mixed: Whether the amounts are of several currencies, so that they are sorted currency by currency.
        has_code: Whether each amount is shown with its currency.
    """

    field: str
    label: str
    format: str = ""
    currency: str = ""
    values: Mapping[str, Mapping[str, str]] | None = None
    is_mixed: bool = False
    has_code: bool = False

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
        unit: The currency, where a column has several: rows are sorted by it first.
        tone: Of a status: `good`, `info`, `notice`, `bad`, `muted`.
        full: What a shortened text stands for.
    """

    text: str
    machine: str = ""
    sort: str | float = ""
    unit: str = ""
    tone: str = ""
    full: str = ""


class RowFields:
    """Which members rows have; fed row by row, so that all rows need not be in memory.

    Args:
        views: The action's.

    Attributes:
        names: The top-level members, in the order in which they were first seen; of each whether it only held numbers.
        single: Those that held one value, neither object nor list.
        filled: Columns of the first table that some row has a value for.
        currencies: Of each member that names currencies: which; "" stands for none.
    """

    def __init__(self, views: Iterable[Mapping[str, Any]] = ()) -> None:
        table = next((view for view in views if view.get("kind") == "table"), None)
        self.columns = [_column(column) for column in table["columns"]] if table else []
        self.names: dict[str, bool] = {}
        self.single: dict[str, None] = {}
        self.filled: set[str] = set()
        self.currencies: dict[str, set[str]] = {column.currency: set() for column in self.columns if column.currency}

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row into account."""
        for name, value in row.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            self.names[name] = self.names.get(name, True) and (is_number or value is None)
            if not isinstance(value, dict | list):
                self.single[name] = None
        for column in self.columns:
            if column.field not in self.filled and value_at(row, column.field) is not None:
                self.filled.add(column.field)
            if column.currency and value_at(row, column.field) is not None:
                self.currencies[column.currency].add(str(value_at(row, column.currency) or ""))


def columns_of(members: RowFields, *, everything: bool) -> list[Column]:
    """Return the columns to show.

    Unless the table has a column for currencies, amounts of one currency have it in their heading, and amounts of
    several have each its own in the cell.

    Args:
        members: Which members the rows have; columns that none of them has are left out.
        everything: Whether all fields are wanted, not only those of the action's first table.
    """
    chosen = [_with_currency(column, members) for column in members.columns if column.field in members.filled]
    if chosen and not everything:
        return chosen
    named = {column.field for column in chosen}
    others = [
        Column(name, words(name), "number" if is_number else "")
        for name, is_number in members.names.items()
        if name not in named
    ]
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
                currency = str(value_at(row, column.currency) or "") if column.currency else ""
                code = f"\N{NO-BREAK SPACE}{currency}" if column.has_code and currency else ""
                return Cell(
                    money(amount, currency) + code, sort=float(amount), unit=currency if column.is_mixed else ""
                )
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


def sort_key(row: Mapping[str, Any], column: Column) -> tuple[str, float | bytes | None]:
    """Return by what a row is sorted: a currency, where the column has several, and a number, a text, or None."""
    shown = cell(row, column)
    if not (shown.text or shown.sort):
        return "", None
    # Bytes of UTF-8 sort as code points do, and a lone surrogate can be among them.
    key = shown.sort.encode(errors="surrogatepass") if isinstance(shown.sort, str) else shown.sort
    return shown.unit, key


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
        leave_out: RowFields that are not wanted.
        in_full: Whether long texts are shown whole.
    """
    skipped = set(leave_out)
    pairs = [(words(name), _plain(value)) for name, value in data.items() if name not in skipped]
    return [(name, Cell(value.full) if in_full and value.full else value) for name, value in pairs if value.text]


def masked(data: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sensitive result without its secrets.

    Args:
        data: The result.
        schema: Its schema. RowFields marked `x-sensitive` are masked; if none is, all texts are.
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


def _with_currency(column: Column, members: RowFields) -> Column:
    found = members.currencies.get(column.currency, set())
    is_shown = any(other.field == column.currency for other in members.columns)  # in a column of its own
    if len(found) > 1:
        return replace(column, is_mixed=True, has_code=not is_shown)
    currency = "".join(found)
    return replace(column, label=f"{column.label} ({currency})") if currency and not is_shown else column


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
    if len(text) <= _MAX_CELL_LENGTH:
        return Cell(text, sort=text.casefold())
    return Cell(
        text[: _MAX_CELL_LENGTH - 1].rstrip() + "…",
        sort=text[:_MAX_CELL_LENGTH].casefold(),
        full=text[:_MAX_TOOLTIP_LENGTH],
    )


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
