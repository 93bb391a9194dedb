"""Display of rows: money with its decimals, readable dates, nested records as a short text."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.row_values import decimal_of, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "MASK",
    "Cell",
    "Column",
    "RowFields",
    "amount_text",
    "cell",
    "choosable_columns",
    "column_of",
    "columns_of",
    "display",
    "facts",
    "instant",
    "instants",
    "lower_first",
    "masked",
    "money",
    "search_text",
    "sort_key",
    "titles_of",
    "words",
]

MASK = "••••••••"
"""Shown in place of a secret: always eight characters, so that it does not reveal the length."""

# ISO 4217: the currencies without two decimals.
_NONE = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF")
_THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DECIMALS = dict.fromkeys((*_NONE, "XPF"), 0) | dict.fromkeys(_THREE, 3)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(_DATE.pattern + r"T[0-9:.]+(Z|[+-][0-9]{2}:?[0-9]{2})")
_MAX_CELL_LENGTH = 80
_MAX_TOOLTIP_LENGTH = 4000
_ACRONYMS = {"api", "id", "tid", "uri", "url"}
_NAMES = ("name", "Name", "DisplayName", "value", "Address", "FreeFormNumber")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        field: The field of the rows; dots lead into nested objects.
        label: The heading.
        format: `money`, `date`, `status`, `days`, `number`, or empty.
        currency: The field with the currency of an amount.
        values: Labels and tones of a status.
        is_mixed: Whether the column has several currencies, so that it is sorted currency by currency.
        has_code: Whether each amount is shown with its currency.
        is_summed: Whether the sum of an amount in all rows has a meaning.
    """

    field: str
    label: str
    format: str = ""
    currency: str = ""
    values: Mapping[str, Mapping[str, str]] | None = None
    is_mixed: bool = False
    has_code: bool = False
    is_summed: bool = True

    @property
    def is_number(self) -> bool:
        """Whether cells are right-aligned."""
        return self.format in {"money", "days", "number"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One displayed value.

    Attributes:
        text: The displayed text.
        machine: The machine-readable form, where it differs: a date in ISO 8601.
        sort: The sort key, a text or a number.
        unit: The currency, if the column has several: rows are sorted by it first.
        tone: The tone of a status: `good`, `info`, `notice`, `bad`, `muted`.
        full: The full text of a shortened one.
    """

    text: str
    machine: str = ""
    sort: str | float = ""
    unit: str = ""
    tone: str = ""
    full: str = ""


class RowFields:
    """The fields that rows have, collected row by row, so that the rows need not be in memory.

    Args:
        action: The action's descriptor; its `views`, `flatFields` and `keys` say which fields matter.

    Attributes:
        columns: The columns of the action's table: those of its first `table` view, otherwise key and flat fields.
        titles: Headings of fields that are not in that table: of flat fields, and those of the output schema.
        names: The top-level fields in the order of their appearance, and whether each held only numbers.
        single: The fields with scalar values.
        filled: The columns with a value in some row.
        currencies: The currencies that each currency field held; "" for none.
        totals: Exact sums of the columns with amounts, by field and currency.
        amounts: The number of these amounts, by currency.
    """

    def __init__(self, action: Mapping[str, Any] | None = None) -> None:
        action = action or {}
        table = next((view for view in action.get("views") or () if view.get("kind") == "table"), None)
        flat = {item["name"]: _flat_column(item) for item in action.get("flatFields") or ()}
        self.titles = titles_of(action) | {name: column.label for name, column in flat.items()}
        self.columns = (
            [column_of(column) for column in table["columns"]]
            if table
            else [*_key_columns(action, flat), *flat.values()]
        )
        self.names: dict[str, bool] = {}
        self.single: dict[str, None] = {}
        self.filled: set[str] = set()
        self.currencies: dict[str, set[str]] = {column.currency: set() for column in self.columns if column.currency}
        self.totals: dict[str, dict[str, Decimal]] = {
            column.field: {} for column in self.columns if column.format == "money" and column.is_summed
        }
        self.amounts: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Include a row."""
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
            if column.field in self.totals and (amount := decimal_of(value_at(row, column.field))) is not None:
                currency = str(value_at(row, column.currency) or "") if column.currency else ""
                sums = self.totals[column.field]
                sums[currency] = sums.get(currency, Decimal(0)) + amount
                self.amounts[currency] += 1


def titles_of(action: Mapping[str, Any]) -> dict[str, str]:
    """Return the titles that an action's output schema gives the members of its rows."""
    schema: Mapping[str, Any] = action.get("outputSchema") or {}
    rows: Mapping[str, Any] = (schema.get("properties") or {}).get(action.get("rowsKey")) or {}
    row: Mapping[str, Any] = rows.get("items") or rows
    if "$ref" in row:
        row = (schema.get("$defs") or {}).get(str(row["$ref"]).rpartition("/")[2]) or {}
    properties: Mapping[str, Any] = row.get("properties") or {}
    return {name: str(rules["title"]) for name, rules in properties.items() if rules.get("title")}


def choosable_columns(fields: RowFields) -> list[Column]:
    """Return all columns that rows can be shown with: those of the action's table first."""
    return columns_of(fields, show_all=True)


def columns_of(fields: RowFields, *, show_all: bool, chosen: Sequence[str] = ()) -> list[Column]:
    """Return the columns to show.

    If the table has no currency column, a single currency is part of the heading, and of several currencies each is
    part of its cell.

    Args:
        fields: The fields of the rows; columns without values are left out.
        show_all: Whether to include all fields, not only those of the action's table.
        chosen: The fields to show, in their usual order; unknown ones are ignored. Empty for no choice.
    """
    if chosen:
        picked = [column for column in choosable_columns(fields) if column.field in chosen]
        if picked:
            return picked
    usual = [_with_currency(column, fields) for column in fields.columns if column.field in fields.filled]
    if usual and not show_all:
        return usual
    named = {column.field for column in usual}
    others = [
        Column(name, fields.titles.get(name) or words(name), "number" if is_number else "")
        for name, is_number in fields.names.items()
        if name not in named
    ]
    return usual + others


def cell(row: Mapping[str, Any], column: Column) -> Cell:
    """Return a row's value in a column."""
    value = value_at(row, column.field)
    if value is None or value == "":
        return Cell("")
    match column.format:
        case "money":
            amount = decimal_of(value)
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
            days = decimal_of(value)
            if days is not None:
                return Cell(f"{days:,} d" if days else "", sort=float(days))
        case "" | "text" if column.values and str(value) in column.values:
            return Cell(column.values[str(value)]["label"], sort=str(value))
    return _plain(value)


def sort_key(shown: Cell) -> float | bytes | None:
    """Return the sort key of a cell: a number, a text, or None if it is empty."""
    if not (shown.text or shown.sort):
        return None
    # UTF-8 sorts like code points; surrogatepass allows lone surrogates.
    return shown.sort.encode(errors="surrogatepass") if isinstance(shown.sort, str) else shown.sort


def search_text(row: Mapping[str, Any], columns: Sequence[Column], cells: Sequence[Cell]) -> str:
    """Return the text in which a row is searched for words: its values as shown and as sent, in lower case.

    Args:
        row: The row.
        columns: The columns that are searched; if there are none, all members with a single value are.
        cells: The cells of these columns.
    """
    if columns:
        parts = [cell.text for cell in cells] + [value_at(row, column.field) for column in columns]
    else:
        parts = [value for value in row.values() if not isinstance(value, dict | list)]
    text = " ".join(dict.fromkeys(str(part) for part in parts if part not in (None, "")))
    return text.casefold().encode(errors="replace").decode()  # SQLite stores no lone surrogates


def money(amount: Decimal, currency: str = "") -> str:
    """Format an amount with the decimals of its currency, or more if it has more."""
    decimals = _DECIMALS.get(currency, 2)
    exponent = amount.normalize().as_tuple().exponent
    digits = max(decimals, -exponent if isinstance(exponent, int) and exponent < 0 else 0)
    return f"{amount:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def amount_text(value: Any, currency: str = "") -> str:
    """Format an amount of a statement: a negative one in parentheses. Empty if it is not a number.

    Args:
        value: The amount.
        currency: Its currency, which decides the decimals.
    """
    amount = decimal_of(value)
    if amount is None:
        return ""
    return f"({money(-amount, currency)})" if amount < 0 else money(amount, currency)


def instant(text: str) -> str:
    """Format an ISO date, or a time in UTC, for reading; return any other text unchanged."""
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
    """Format the ISO times within a sentence for reading."""
    return _INSTANT.sub(lambda found: instant(found[0]), text)


def facts(data: Mapping[str, Any], *, leave_out: Iterable[str] = (), in_full: bool = False) -> list[tuple[str, Cell]]:
    """Return an object as pairs of label and displayed value, without empty values.

    Args:
        data: The object.
        leave_out: Members to omit.
        in_full: Whether to show long texts in full.
    """
    skipped = set(leave_out)
    pairs = [(words(name), _plain(value)) for name, value in data.items() if name not in skipped]
    return [(name, Cell(value.full) if in_full and value.full else value) for name, value in pairs if value.text]


def display(value: Any) -> str:
    """Return any value as a short text."""
    return _plain(value).text


def masked(data: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sensitive result without its secrets.

    Args:
        data: The result.
        schema: Its schema. Members marked `x-sensitive` are masked; without such a mark, all members are.
    """
    properties: Mapping[str, Any] = schema.get("properties", {})
    marked = {name for name, rules in properties.items() if rules.get("x-sensitive")}
    hidden = marked or {name for name in data if name != "metadata"}
    return {name: MASK if name in hidden and value is not None else value for name, value in data.items()}


def words(name: str) -> str:
    """Return a member's name as a label: `daysOverdue` becomes "Days overdue"."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_.]+", " ", name).split()
    rest = [part if part.isupper() and len(part) > 1 else part.lower() for part in parts[1:]]
    spelled = [parts[0][:1].upper() + parts[0][1:], *rest] if parts else [name]
    return " ".join(part.upper() if part.lower() in _ACRONYMS else part for part in spelled)


def lower_first(text: str) -> str:
    """Return a text as it stands within a sentence; one that begins with an abbreviation stays as it is."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def column_of(described: Mapping[str, Any]) -> Column:
    """Return a column that a view of the descriptor describes."""
    return Column(
        str(described["field"]),
        str(described.get("label") or words(described["field"])),
        str(described.get("format", "")),
        str(described.get("currency", "")),
        described.get("values"),
        is_summed=described.get("isSummed") is not False,
    )


def _flat_column(described: Mapping[str, Any]) -> Column:
    name = str(described["name"])
    kind = {"decimal": "number", "integer": "number", "date": "date"}.get(str(described.get("type")), "")
    return Column(name, str(described.get("title") or words(name)), kind)


def _key_columns(action: Mapping[str, Any], flat: Mapping[str, Column]) -> list[Column]:
    """Return a column for each member of the primary key, if there are flat fields to show with it."""
    names = (action.get("keys") or {}).get("primaryKey", ()) if flat else ()
    return [Column(name, words(name)) for name in names if name not in flat]


def _with_currency(column: Column, fields: RowFields) -> Column:
    found = fields.currencies.get(column.currency, set())
    is_shown = any(other.field == column.currency for other in fields.columns)
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
        readable = instant(value)
        if readable != value:
            return Cell(readable, machine=value, sort=value)
        return _short(" ".join(value.split()))
    return _short(_summary(value))


def _summary(value: Any) -> str:
    """Return a short text for a nested value."""
    if isinstance(value, list):
        if len(value) == 1:
            return _summary(value[0])
        is_plain = all(isinstance(item, str | int | float) for item in value)
        return ", ".join(map(str, value)) if is_plain else f"{len(value)} entries"
    if isinstance(value, dict):
        named = next((value[name] for name in _NAMES if isinstance(value.get(name), str) and value[name]), None)
        if named is not None:
            return str(named)
        present = [item for name, item in value.items() if name.lower() != "id" and item not in (None, "", [], {})]
        plain = [str(item) for item in present if isinstance(item, str | int | float) and not isinstance(item, bool)]
        return ", ".join(plain) or ("" if not present else "1 field" if len(present) == 1 else f"{len(present)} fields")
    return "" if value is None else str(value)


def _short(text: str) -> Cell:
    if len(text) <= _MAX_CELL_LENGTH:
        return Cell(text, sort=text.casefold())
    return Cell(
        text[: _MAX_CELL_LENGTH - 1].rstrip() + "…",
        sort=text[:_MAX_CELL_LENGTH].casefold(),
        full=text[:_MAX_TOOLTIP_LENGTH],
    )


def _day(day: date) -> str:
    return f"{day.day} {day:%b} {day.year}"
