"""Sums of the ledger, as reports need them."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.books import ledger as books
from vantage_quickbooks.emulator.reports import layout, periods

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from datetime import date

    from vantage_quickbooks.emulator.books.accounts import Account, Chart
    from vantage_quickbooks.emulator.company.company import Company
    from vantage_quickbooks.emulator.reports.layout import Engine
    from vantage_quickbooks.emulator.reports.parameters import Parameters

Values = list[int]

_DIMENSIONS = {
    "Customers": ("customer", "Customer"),
    "Vendors": ("vendor", "Vendor"),
    "Classes": ("klass", "Class"),
    "Departments": ("department", "Department"),
    "Employees": ("employee", "Employee"),
    "ProductsAndServices": ("item", "Item"),
}
_MAX_COLUMNS = 2_000
_MAX_DAY_COLUMNS = 100  # of the modern engine (https://github.com/intuit/QuickBooks-V3-Java-SDK/issues/245)


@dataclass
class Figures:
    """One report's view of the ledger.

    Attributes:
        company: The company.
        ledger: Its ledger, up to date.
        db: A connection for reading.
        parameters: What is asked for.
        engine: Whose spelling the answer has.
    """

    company: Company
    ledger: books.Ledger
    db: sqlite3.Connection
    parameters: Parameters
    engine: Engine
    _names: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def chart(self) -> Chart:
        """The accounts."""
        return self.ledger.chart

    def names(self, entity: str) -> dict[str, str]:
        """Return the names of a list by Id; customers have their parents' names before theirs."""
        if entity not in self._names:
            self._names[entity] = books.names(self.company, entity) if entity else {}
        return self._names[entity]

    def query(
        self, select: str, where: str = "1", tail: str = "", *, cash: bool | None = None, **values: Any
    ) -> sqlite3.Cursor:
        """Run a statement over the ledger's lines `l`.

        Args:
            select: The columns.
            where: The condition, beside the request's filters.
            tail: GROUP BY and so on.
            cash: The basis; None is the request's.
            **values: What the statement refers to by name.
        """
        basis = self.parameters.cash if cash is None else cash
        filters, bound = self.condition()
        sql = f"SELECT {select} FROM ({books.source(cash=basis)}) l WHERE {where}{filters} {tail}"  # noqa: S608
        return self.db.execute(sql, self.bound() | bound | values)

    def source(self) -> str:
        """Return the statement of the lines on the request's basis."""
        return books.source(cash=self.parameters.cash)

    def bound(self) -> dict[str, Any]:
        """Return what `source` refers to by name."""
        return books.parameters(self.ledger)

    def condition(self) -> tuple[str, dict[str, str]]:
        """Return the request's filters as SQL on the lines `l`, and what they refer to by name."""
        filters = self.parameters.filters
        chosen = "(SELECT value FROM json_each(:{0}_ids))"
        conditions = [f" AND l.{column} IN {chosen.format(column)}" for column in filters]
        return "".join(conditions), {f"{column}_ids": json.dumps(ids) for column, ids in filters.items()}

    # ---- columns ----

    @cached_property
    def columns(self) -> Columns:
        """The columns into which `summarize_column_by` divides the report."""
        by = self.parameters.summarize
        if by in _DIMENSIONS:
            return self._by_dimension(*_DIMENSIONS[by])
        if by == "Total":
            return Columns(["Total"], ["total"])
        start, end = self._bounds()
        most = _MAX_DAY_COLUMNS if self.engine.modern and by == "Days" else _MAX_COLUMNS
        parts = periods.split(start, end, by, self.parameters.fiscal_month, most)
        return Columns([*(part.title for part in parts), "Total"], [*(part.title for part in parts), "total"], parts)

    def _bounds(self) -> tuple[date, date]:
        """Return the period; without one, that of the transactions."""
        parameters = self.parameters
        if parameters.start and parameters.end:
            return parameters.start, parameters.end
        low, high = self.db.execute(
            "SELECT min(date), max(date) FROM ledger_line WHERE book = ? AND date <> ''", (self.ledger.book,)
        ).fetchone()
        today = parameters.today
        try:
            return type(today).fromisoformat(low), type(today).fromisoformat(high)
        except (TypeError, ValueError):
            return today, today

    def _by_dimension(self, column: str, entity: str) -> Columns:
        p = self.parameters
        rows = self.query(f"DISTINCT l.{column}", "l.date <= :last AND l.date >= :first", first=p.first, last=p.last)
        ids = {str(id_) for (id_,) in rows}
        names = self.names(entity)
        keys = sorted(ids - {""}, key=lambda id_: folded(names, id_))[:_MAX_COLUMNS]
        titles = [names.get(id_, id_) for id_ in keys]
        if "" in ids and keys:
            keys, titles = [*keys, ""], [*titles, "Not Specified"]
        return Columns([*titles, self.engine.title("TOTAL")], [*keys, "total"], dimension=column)

    def by_account(self, first: str, last: str, *, cumulative: bool = False) -> dict[str, Values]:
        """Return each account's sums by column, debits positive; the last column is the total.

        Args:
            first: First day.
            last: Last day.
            cumulative: Sums from `first` to the end of each column, instead of each column's own.
        """
        return self.sums("l.account", "1", first, last, cumulative=cumulative)

    def sums(
        self, key: str, where: str, first: str, last: str, *, value: str = "l.cents", cumulative: bool = False
    ) -> dict[str, Values]:
        """Return sums by a key and by column.

        Args:
            key: The expression that decides the row.
            where: The condition.
            first: First day.
            last: Last day.
            value: What is summed.
            cumulative: Sums from `first` to the end of each column.
        """
        columns = self.columns
        split = f"l.{columns.dimension}" if columns.dimension else ("l.date" if columns.parts else "''")
        rows = self.query(
            f"{key}, {split}, sum({value})",
            f"l.date >= :first AND l.date <= :last AND ({where})",
            "GROUP BY 1, 2",
            first=first,
            last=last,
        )
        found: dict[str, Values] = {}
        for row, part, cents in rows:
            values = found.setdefault(row, [0] * len(columns.keys))
            for at in columns.places(part, cumulative=cumulative):
                values[at] += cents
            values[-1] += cents
        return found


@dataclass
class Columns:
    """The columns of a summary, the total last.

    Attributes:
        titles: As shown.
        keys: ColKey of each.
        parts: The periods, if columns are periods.
        dimension: The ledger's column, if columns are names.
    """

    titles: list[str]
    keys: list[str]
    parts: list[periods.Column] = field(default_factory=list)
    dimension: str = ""

    def __post_init__(self) -> None:
        self._ends = [part.end.isoformat() for part in self.parts]
        self._places = {key: at for at, key in enumerate(self.keys[:-1])}

    def places(self, part: str, *, cumulative: bool) -> range:
        """Return the columns that a date or name belongs to, the total left out."""
        if self.dimension:
            at = self._places.get(part)
            return range(0) if at is None else range(at, at + 1)
        if not self.parts:
            return range(0)
        at = bisect_left(self._ends, part)
        if cumulative:
            return range(at, len(self._ends))
        return range(at, at + 1) if at < len(self._ends) else range(0)

    def describe(self) -> list[dict[str, Any]]:
        """Return the columns in the report's shape."""
        dates: list[tuple[date, date] | None] = [(part.start, part.end) for part in self.parts]
        dates += [None] * (len(self.keys) - len(dates))
        return [
            layout.column(title, "Money", key or "not_specified", when)
            for title, key, when in zip(self.titles, self.keys, dates, strict=True)
        ]


def folded(names: Mapping[str, str], id_: str) -> str:
    """Return the name by which an Id is sorted."""
    return names.get(id_, id_).casefold()


def add(one: Values, other: Values) -> Values:
    """Return the sums of two rows."""
    return [a + b for a, b in zip(one, other, strict=True)]


def total(rows: list[Values], width: int) -> Values:
    """Return the sums of rows."""
    result = [0] * width
    for row in rows:
        result = add(result, row)
    return result


def by_name(accounts: list[Account]) -> list[Account]:
    """Sort accounts by number and name, as lists of accounts are."""
    return sorted(accounts, key=lambda account: (account.name.casefold(), account.id))
