"""A page of rows as a table: sorted, searched, with links, and with the role of each column on a phone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.web import formatting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vantage_quickbooks.web.formatting import Cell, Column
    from vantage_quickbooks.web.links import Links
    from vantage_quickbooks.web.listings import ListState
    from vantage_quickbooks.web.rows import Rows

__all__ = ["PAGE_ROWS", "Head", "Shown", "Table", "make_table", "totals_of"]

PAGE_ROWS = 50
"""Rows on one page; downloads contain all of them."""

_NEIGHBORS = 2
"""Pages that are linked on each side of the current one."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column.

    Attributes:
        column: The column.
        role: What it is on a phone: `title`, `number`, `amount`, `unit`, `status`, `date`; empty if it is left out.
        order: `ascending` or `descending` if the rows are sorted by it.
        query: The query that sorts by it, or in the other order.
    """

    column: Column
    role: str
    order: str
    query: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One cell.

    Attributes:
        cell: What is shown.
        url: Where it leads; may be empty.
        is_main: Whether its link is that of the whole row.
    """

    cell: Cell
    url: str = ""
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A page of rows.

    Attributes:
        heads: The columns.
        rows: The cells.
        total: Number of rows on all pages.
        page: Number of this page, from 1.
        pages: Number of pages.
    """

    heads: tuple[Head, ...]
    rows: tuple[tuple[Shown, ...], ...]
    total: int
    page: int
    pages: int

    @property
    def first(self) -> int:
        """The number of the first row, from 1."""
        return (self.page - 1) * PAGE_ROWS + 1

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + len(self.rows) - 1

    @property
    def numbers(self) -> list[int]:
        """The pages to link: the first, the last and those around this one; 0 marks a gap."""
        near = range(self.page - _NEIGHBORS, self.page + _NEIGHBORS + 1)
        kept = sorted({1, self.pages, *near} & set(range(1, self.pages + 1)))
        numbers: list[int] = []
        for number in kept:
            if numbers and number - numbers[-1] == 2:
                numbers.append(number - 1)
            elif numbers and number - numbers[-1] > 1:
                numbers.append(0)
            numbers.append(number)
        return numbers


def make_table(
    rows: Rows, columns: Sequence[Column], state: ListState, links: Links, main: Mapping[str, Any] | None
) -> Table:
    """Return the page of rows that a state describes.

    Args:
        rows: All rows.
        columns: The columns to show.
        state: Order, page and search; its columns are ignored.
        links: The links of the rows.
        main: The link from a row to its own page, or None.
    """
    by = next((column for column in columns if column.field == state.sort), None)
    total = rows.count(state.text)
    pages = max(1, math.ceil(total / PAGE_ROWS))
    page = min(state.page, pages)
    found = rows.page((page - 1) * PAGE_ROWS, PAGE_ROWS, by, descending=state.is_descending, text=state.text)
    roles = _roles(columns, str((main or {}).get("field") or ""))
    heads = tuple(_head(column, roles.get(column.field, ""), state, by) for column in columns)
    return Table(heads, tuple(_row(row, columns, links, main) for row in found), total, page, pages)


def totals_of(rows: Rows) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the exact sums of all rows: for each currency, label and sum of each column of amounts.

    The currency of most rows comes first, as on a dashboard. The order of the rows does not matter.
    """
    columns = [column for column in rows.fields.columns if column.field in rows.fields.totals]
    found = {unit for column in columns for unit in rows.fields.totals[column.field]}
    currencies = sorted(found, key=lambda unit: (-rows.fields.amounts[unit], unit))
    return [
        (
            currency,
            [
                (column.label, formatting.money(sums[currency], currency))
                for column in columns
                if currency in (sums := rows.fields.totals[column.field])
            ],
        )
        for currency in currencies
    ]


def _head(column: Column, role: str, state: ListState, by: Column | None) -> Head:
    is_by = by is not None and by.field == column.field
    order = ("descending" if state.is_descending else "ascending") if is_by else ""
    # The largest amount and the latest day are what people look for first.
    is_descending_first = column.format in {"money", "date", "days"}
    is_next_down = not state.is_descending if is_by else is_descending_first
    return Head(column, role, order, state.query(sort=f"-{column.field}" if is_next_down else column.field))


def _row(
    row: Mapping[str, Any], columns: Sequence[Column], links: Links, main: Mapping[str, Any] | None
) -> tuple[Shown, ...]:
    cells = [formatting.cell(row, column) for column in columns]
    main_url = links.url(main, row) if main else ""
    main_field = str((main or {}).get("field") or "")
    place = next((at for at, column in enumerate(columns) if column.field == main_field), 0)
    return tuple(
        Shown(cell, main_url, is_main=True)
        if at == place and main_url
        else Shown(cell, links.of_field(column.field, row) if cell.text else "")
        for at, (cell, column) in enumerate(zip(cells, columns, strict=True))
    )


def _roles(columns: Sequence[Column], main: str) -> dict[str, str]:
    """Return the columns that a phone shows, by their field; a name that leads to the record is always there."""
    texts = [it.field for it in columns if not it.format and not any(it.field == c.currency for c in columns)]
    if main in texts[1:]:
        texts = [texts[0], main]
    found = dict(zip(texts, ("number", "title"), strict=False)) if len(texts) > 1 else dict.fromkeys(texts, "title")
    for role, formats in (("amount", {"money", "number"}), ("status", {"status", "boolean"}), ("date", {"date"})):
        column = next((it for it in columns if it.format in formats), None)
        if column is not None:
            found.setdefault(column.field, role)
            if role == "amount" and column.currency:
                found.setdefault(column.currency, "unit")
    return found
