"""QuickBooks' report shape: columns, rows and cells.

Sources: recorded, 2018 and 2020 (minimul reports/*.yml), for the order of keys; Intuit's report pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

Row = dict[str, Any]
Cell = dict[str, str]

CELL_LIMIT = 400_000
"""A report's maximum of cells (Intuit, "Run reports")."""
TRUNCATED = "Unable to display more data. Please reduce the date range."
"""What the last row says if there are more; quoted by several clients, among them singer's tap-quickbooks."""
_SMALL_WORDS = {"and", "of", "at", "by", "for"}


@dataclass(frozen=True, slots=True)
class Engine:
    """The report engine whose spelling an answer has.

    Attributes:
        modern: The engine of 31 August 2026, instead of the one before.
        legacy_lists: Lists as before minor version 3: columns without types, parents beside their children.
    """

    modern: bool
    legacy_lists: bool = False

    def title(self, text: str) -> str:
        """Return a title: the modern engine has no capitals (`Total Assets`, `Total`)."""
        if not self.modern or not text.isupper():
            return text
        words = text.lower().split(" ")
        return " ".join(w if at and w in _SMALL_WORDS else w.capitalize() for at, w in enumerate(words))

    def total(self, cents: int) -> str:
        """Return a computed amount: zero is `0.00`, and empty in the modern engine."""
        return "" if self.modern and not cents else money(cents)


@dataclass(slots=True)
class Body:
    """A report's columns and rows.

    Attributes:
        columns: The columns.
        rows: The rows.
        has_data: Whether there is anything to report.
        options: Further options of the header.
    """

    columns: list[dict[str, Any]]
    rows: list[Row]
    has_data: bool
    options: list[tuple[str, str]] = field(default_factory=list)


def money(cents: int) -> str:
    """Return an amount with two decimals."""
    sign, cents = ("-" if cents < 0 else ""), abs(int(cents))
    return f"{sign}{cents // 100}.{cents % 100:02}"


def amount(cents: int) -> str:
    """Return an amount; zero is empty."""
    return money(cents) if cents else ""


def number(value: float) -> str:
    """Return a quantity with two decimals; zero is empty."""
    return f"{value:.2f}" if round(value, 2) else ""


def cell(value: str, id_: str | None = None) -> Cell:
    """Return a cell; with an Id, even an empty one, it has the member `id`."""
    return {"value": value} if id_ is None else {"value": value, "id": id_}


def named(value: str, id_: str) -> Cell:
    """Return a cell whose Id is left out if it is empty."""
    return cell(value, id_ or None)


def data(cells: Sequence[Cell], group: str = "", *, typed: bool = True) -> Row:
    """Return a row of data."""
    row: Row = {"ColData": list(cells)}
    if typed:
        row["type"] = "Data"
    if group:
        row["group"] = group
    return row


def section(
    *,
    header: Sequence[Cell] = (),
    rows: list[Row] | None = None,
    summary: Sequence[Cell] = (),
    group: str = "",
) -> Row:
    """Return a section. Its keys are in the recorded order: Header, Rows, Summary, type, group."""
    row: Row = {}
    if header:
        row["Header"] = {"ColData": list(header)}
    if rows is not None:
        row["Rows"] = {"Row": rows}
    if summary:
        row["Summary"] = {"ColData": list(summary)}
    row["type"] = "Section"
    if group:
        row["group"] = group
    return row


def texts(values: Iterable[str]) -> list[Cell]:
    """Return cells without Ids."""
    return [{"value": value} for value in values]


def blank(count: int) -> list[Cell]:
    """Return empty cells."""
    return [{"value": ""} for _ in range(count)]


def column(title: str, type_: str, key: str = "", dates: tuple[date, date] | None = None) -> dict[str, Any]:
    """Return a column of a summary: title, type and metadata."""
    found: dict[str, Any] = {"ColTitle": title, "ColType": type_}
    metadata = []
    if dates:
        metadata.append({"Name": "StartDate", "Value": dates[0].isoformat()})
        metadata.append({"Name": "EndDate", "Value": dates[1].isoformat()})
    if key:
        metadata.append({"Name": "ColKey", "Value": key})
    if metadata:
        found["MetaData"] = metadata
    return found


def list_column(engine: Engine, title: str, type_: str, key: str) -> dict[str, Any]:
    """Return a column of a list: its type is its key before minor version 3 (recorded, 2018 and 2020)."""
    if engine.legacy_lists:
        return {"ColTitle": title, "ColType": key}
    return column(title, type_, key)
