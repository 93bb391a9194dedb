"""Statements: the rows of a report as an indented table, whose sums are marked and whose cells lead to records.

Theory of operation
1. The view `outline` names the member of the result with the columns, and the members of a row with its label, its
   depth and its kind. The first column is that of the label.
2. A view `table` of an action that is a report is a statement, too: its first column is that of the label, and `total`
   names the member of the result with the sums.
3. A section is a row that deeper rows follow. It ends with the first row that is not deeper, which may be its sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web import formatting
from vantage_quickbooks.web.formatting import Cell, Column, column_of
from vantage_quickbooks.web.tables import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vantage_quickbooks.web.links import Links
    from vantage_quickbooks.web.rows import Rows

__all__ = ["MAX_SHOWN", "Heading", "Line", "Statement", "heading_of", "statements_of"]

MAX_SHOWN = 2000
"""Rows on a page; downloads contain all of them."""

_MAX_INDENT = 8
_NEVER_EMPTY = "money"


@dataclass(frozen=True, slots=True)
class Heading:
    """What a reader needs to know first.

    Attributes:
        title: The report's title.
        period: Its period, or the day of its balances, in words; may be empty.
        basis: `Accrual` or `Cash`; may be empty.
        currency: The currency of its amounts; may be empty.
        made_at: When it was made, for display; may be empty.
    """

    title: str
    period: str = ""
    basis: str = ""
    currency: str = ""
    made_at: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row.

    Attributes:
        label: Its first cell.
        cells: The others.
        indent: How far it is indented, from 0.
        kind: `section` if deeper rows follow, `total` if it is the sum of others, otherwise `data`.
        is_end: Whether it is the sum of the section before it, so that it closes that section.
    """

    label: Shown
    cells: tuple[Shown, ...]
    indent: int
    kind: str
    is_end: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """A table of a report.

    Attributes:
        title: Its heading; empty if it is the only one.
        label: Heading of the first column.
        columns: The other columns.
        lines: The rows, not more than `MAX_SHOWN`.
        total: Number of all rows.
    """

    title: str
    label: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    total: int

    @property
    def has_sections(self) -> bool:
        """Whether any row can be folded."""
        return any(line.kind == "section" for line in self.lines)


def heading_of(described: Mapping[str, Any], data: Mapping[str, Any], title: str) -> Heading:
    """Return the heading of a report.

    Args:
        described: The `heading` of the descriptor's `report`.
        data: The result.
        title: What it is called if the result does not say.
    """

    def text(name: str) -> str:
        value = value_at(data, str(described.get(name) or "")) if described.get(name) else None
        return formatting.instant(value) if isinstance(value, str) else ""

    balances: Mapping[str, Any] = described.get("asOf") or {}
    is_as_of = any(value_at(data, path) in values for path, values in balances.items())
    first, last = "" if is_as_of else text("from"), text("to")
    period = f"{first} to {last}" if first and last and first != last else f"As of {last or first}" if last else first
    return Heading(text("title") or title, period, text("basis"), text("currency"), text("madeAt"))


def statements_of(
    rows: Rows, data: Mapping[str, Any], views: Iterable[Mapping[str, Any]], currency: str, links: Links
) -> list[Statement]:
    """Return the statements of a result.

    Args:
        rows: Its rows.
        data: The result without them.
        views: The views of the descriptor; others than `outline` and `table` are left out.
        currency: The currency of amounts whose column names none.
        links: The links of the rows.
    """
    found = []
    for view in views:
        if view.get("kind") not in {"outline", "table"}:
            continue
        described = view.get("columns")
        described = value_at(data, described) if isinstance(described, str) else described
        columns = [column_of(it) for it in described or () if isinstance(it, dict) and it.get("field")]
        own = value_at(data, str(view["rows"])) if view.get("rows") else None
        if columns and (own is None or isinstance(own, list)):
            shown = own if own is not None else list(islice(rows, MAX_SHOWN))
            total = len(own if own is not None else rows)
            found.append(_statement(shown[:MAX_SHOWN], total, columns, view, data, currency, links))
    return found


def _statement(  # noqa: PLR0917 -- the parts of one table
    rows: Sequence[Mapping[str, Any]],
    total: int,
    columns: Sequence[Column],
    view: Mapping[str, Any],
    data: Mapping[str, Any],
    currency: str,
    links: Links,
) -> Statement:
    first, *others = columns
    heading = first.label if first.label.strip() else formatting.words(first.field)  # some providers send none
    kept = tuple(
        it for it in others if it.format == _NEVER_EMPTY or any(value_at(row, it.field) is not None for row in rows)
    )
    totals, depth = set(view.get("totals") or ()), str(view.get("depth") or "")
    kinds, member = str(view.get("rowKind") or ""), str(view.get("label") or "")
    lines: list[Line] = []
    for at, row in enumerate(rows):
        level = _level(row, depth)
        is_total = value_at(row, kinds) in totals if kinds else False
        opens = not is_total and at + 1 < len(rows) and _level(rows[at + 1], depth) > level
        label = _label(row, first, member)
        url = links.of_field(first.field, row) if label.text else ""
        if opens and member and not url:  # what a section is about may depend on the report
            url = links.of_field(member, {**data, **row})
        cells = tuple(_shown(row, column, currency, links) for column in kept)
        kind = "total" if is_total else "section" if opens else "data"
        is_end = is_total and bool(lines) and lines[-1].indent > min(level, _MAX_INDENT)
        lines.append(Line(Shown(label, url), cells, min(level, _MAX_INDENT), kind, is_end))
    sums = value_at(data, str(view["total"])) if view.get("total") else None
    if isinstance(sums, dict) and rows:
        cells = tuple(_shown(sums, column, currency, links) for column in kept)
        lines.append(Line(Shown(Cell("Total")), cells, 0, "total"))
    return Statement(str(view.get("title") or ""), heading, kept, tuple(lines), total)


def _label(row: Mapping[str, Any], column: Column, member: str) -> Cell:
    text = formatting.cell(row, column)
    if text.text or not member:
        return text
    value = value_at(row, member)
    return Cell(str(value)) if value not in (None, "") else text


def _shown(row: Mapping[str, Any], column: Column, currency: str, links: Links) -> Shown:
    cell = formatting.cell(row, column)
    if column.format == "money" and cell.text:
        given = str(value_at(row, column.currency) or "") if column.currency else currency
        text = formatting.amount_text(value_at(row, column.field), given)
        cell = replace(cell, text=text) if text else cell
    return Shown(cell, links.of_field(column.field, row) if cell.text else "")


def _level(row: Mapping[str, Any], depth: str) -> int:
    value = value_at(row, depth) if depth else 0
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
