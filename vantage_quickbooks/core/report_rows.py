"""Reads a report of QuickBooks into flat rows with typed columns, pure.

Rules
1. A column is known by its ColKey, or by its ColType, and typed by its ColType. Where a report sends neither (the
   buckets of an aging report), its period names it or, if it has none, its title. Its position never does.
2. Amounts that add up are in rows of the kind `data` only. A parent's own amount, which QuickBooks writes next to the
   parent's name, is a `data` row of its own; the row of the `section` has no amounts.
3. `summary` is the sum of a section. `total` is a line that QuickBooks computes from several sections.
4. A value that its column cannot represent is null there and counted; it is in the report as QuickBooks sent it.
5. A report that QuickBooks cut off is an error, never a shorter report.

Sources: https://developer.intuit.com/app/developer/qbo/docs/workflows/run-reports, Report.xsd in
https://github.com/intuit/QuickBooks-V3-PHP-SDK/tree/master/src/XSD, and reports recorded in 2018 and 2020.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from vantage_quickbooks.errors import IncompleteReadError, UnexpectedResponseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ROW_MEMBERS", "ColumnType", "Report", "ReportColumn", "ReportRow", "parse_report"]

ColumnType = Literal["text", "decimal", "date", "boolean"]
RowKind = Literal["section", "data", "summary", "total"]

ROW_MEMBERS: Mapping[str, tuple[Literal["text", "integer", "list"], str]] = {
    "rowNumber": ("integer", "Number"),
    "rowKind": ("text", "Kind"),
    "rowDepth": ("integer", "Depth"),
    "rowPath": ("list", "Path"),
    "rowGroup": ("text", "Group"),
    "rowLabel": ("text", "Name"),
    "rowLabelId": ("text", "Name Id"),
}
"""The members that each row has before those of the columns, with their type and title. No column has such a name,
because names of columns are in lower case."""

_TRUNCATED = "Unable to display more data"
"""Beginning of the last row of a report with more than about 400,000 cells; there is no code for it.

Source: https://developer.intuit.com/app/developer/qbo/docs/workflows/run-reports.
"""

_VALUE_TYPES: Mapping[str, ColumnType] = {
    "money": "decimal",
    "amount": "decimal",
    "numeric": "decimal",
    "number": "decimal",
    "decimal": "decimal",
    "integer": "decimal",
    "rate": "decimal",
    "percent": "decimal",
    "date": "date",
    "boolean": "boolean",
    "string": "text",
    "text": "text",
}
"""ColTypes that are types. Other ColTypes say what a column is: `Customer`, or its key in lists of the old engine."""

_DECIMAL_KEY = re.compile(
    r"(?:^|_)(?:amount|amt|bal|balance|value|cost|rate|quantity|qty|debit|credit)(?:_(?:home|nt|inventory))*$"
    r"|^(?:past_due|qty_on_hand)$"
)
_BOOLEAN_KEYS = frozenset({"is_no_post", "is_adj", "is_billable"})

_ENTITY_TYPES = frozenset(
    {"account", "class", "customer", "department", "employee", "productsandservice", "productsandservices", "item",
     "vendor"}
)  # fmt: skip
_ID_KEYS = _ENTITY_TYPES | {
    "account_name", "cust_name", "dept_name", "emp_name", "item_name", "klass_name", "name", "other_account",
    "split_acc", "txn_type", "vend_name",
}  # fmt: skip
"""Columns whose cells have Ids (recorded, and Intuit's report pages), so that tables have a column for them always."""

_NUMBER = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?) ?%?", re.ASCII)
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_NO_DATE = "0-00-00"
"""An empty date in lists (Intuit's page of JournalReport)."""

_MAX_LEVELS = 200
_UNTITLED: Mapping[ColumnType, str] = {"text": "name", "date": "date"}
"""Names of columns that have neither key nor title."""

_PREFIXES = {
    "Customers": "customer",
    "Vendors": "vendor",
    "Classes": "class",
    "Departments": "department",
    "Employees": "employee",
    "ProductsAndServices": "item",
}
"""How columns by name begin whose ColKey is an Id, by the header's SummarizeColumnsBy."""


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """A column of a report.

    Attributes:
        name: The member of a row that holds its values, unique in the report.
        type: The type of its values; any may be None.
        title: As QuickBooks shows it, with the titles of the columns above it.
        col_type: Intuit's ColType.
        col_key: Intuit's ColKey; None if the report has none.
        start_date: First day of the period that the column covers, None if it covers none.
        end_date: Last day of it.
        has_ids: Whether its cells name records; their Ids are in a member of this name with `_id`.
    """

    name: str
    type: ColumnType
    title: str
    col_type: str
    col_key: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    has_ids: bool = False

    @property
    def id_name(self) -> str:
        """The member of a row that holds the Ids."""
        return f"{self.name}_id"


@dataclass(slots=True)
class ReportRow:
    """A row of a report.

    Attributes:
        kind: `section`, `data`, `summary` or `total`.
        depth: How many sections it is in.
        path: The names of the sections from the outermost one; of a `section` and its `summary`, with its own.
        group: Intuit's key of the innermost section that has one: `Income`, `GrandTotal`.
        label: The text of the first cell.
        label_id: Its Id.
        values: A value for each column: a text, a Decimal, a date as text, a boolean, or None.
        ids: The Id of each cell, or None.
    """

    kind: RowKind
    depth: int
    path: tuple[str, ...]
    group: str | None
    label: str | None
    label_id: str | None
    values: list[Any]
    ids: list[str | None]

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing."""
        return self.label is None and not any(value is not None for value in self.values)


@dataclass(slots=True)
class Report:
    """A report as rows and columns.

    Attributes:
        header: Intuit's header.
        options: Its options, by name.
        columns: The columns.
        rows: The rows, in the report's order.
        unreadable: How many values their columns cannot represent, by name of the column.
        without_column: How many values no column describes, by their place in the row.
    """

    header: Mapping[str, Any]
    options: dict[str, str]
    columns: tuple[ReportColumn, ...]
    rows: list[ReportRow] = field(default_factory=list)
    unreadable: dict[str, int] = field(default_factory=dict)
    without_column: dict[str, int] = field(default_factory=dict)

    @property
    def has_data(self) -> bool:
        """Whether QuickBooks found anything to report."""
        return bool(self.rows)

    def member_names(self) -> list[str]:
        """Return the names of a row's members, in their order."""
        return [*ROW_MEMBERS, *(name for column in self.columns for name in _names(column))]

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as objects of `member_names`, amounts as Decimals."""
        return [self._record(number, row) for number, row in enumerate(self.rows, 1)]

    def _record(self, number: int, row: ReportRow) -> dict[str, Any]:
        found: dict[str, Any] = {
            "rowNumber": number,
            "rowKind": row.kind,
            "rowDepth": row.depth,
            "rowPath": list(row.path),
            "rowGroup": row.group,
            "rowLabel": row.label,
            "rowLabelId": row.label_id,
        }
        for column, value, id_ in zip(self.columns, row.values, row.ids, strict=True):
            found[column.name] = value
            if column.has_ids:
                found[column.id_name] = id_
        return found


def parse_report(body: Mapping[str, Any], intuit_tid: str | None = None) -> Report:
    """Read a report.

    Args:
        body: The decoded answer.
        intuit_tid: Intuit's transaction id, named in errors.

    Returns:
        Its columns and rows. A report whose option NoReportData is true, and that has no values, has no rows.

    Raises:
        IncompleteReadError: QuickBooks cut the report off, because it has too many cells.
        UnexpectedResponseError: It does not have the shape of a report.
    """
    try:
        return _Reader(body).read()
    except _TooLargeError:
        raise IncompleteReadError(
            "QuickBooks returned only a part of this report, because it has more than about 400,000 cells. Nothing of "
            "it was used. Choose a shorter period, fewer columns, or a filter.",
            retryable=False,
            details={"intuitTid": intuit_tid},
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnexpectedResponseError(
            "QuickBooks answered with something other than a report. Nothing of the answer was used; try again.",
            details={"httpStatus": 200, "intuitTid": intuit_tid},
        ) from None


class _TooLargeError(Exception):
    """The report ends with the row that says that there is more."""


class _Reader:
    """Reads one report."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        header = body["Header"]
        self._options = {str(one["Name"]): str(one["Value"]) for one in header.get("Option") or ()}
        self._header = header
        self._columns = _Columns(header).read(body["Columns"])
        self._additive = [at for at, column in enumerate(self._columns) if column.type == "decimal"]
        self._seen_ids = [False] * len(self._columns)
        self._unreadable: Counter[str] = Counter()
        self._without_column: Counter[str] = Counter()
        self._body = body

    def read(self) -> Report:
        rows = self._rows(_list_of(self._body["Rows"], "Row"), (), None, 0)
        if self._options.get("NoReportData", "").lower() == "true" and not any(map(self._has_values, rows)):
            rows = []
        columns = tuple(
            replace(column, has_ids=column.has_ids or seen)
            for column, seen in zip(self._columns, self._seen_ids, strict=True)
        )
        return Report(self._header, self._options, columns, rows, dict(self._unreadable), dict(self._without_column))

    def _has_values(self, row: ReportRow) -> bool:
        return row.kind == "data" or any(row.values[at] is not None for at in self._additive)

    def _rows(
        self, found: Sequence[Mapping[str, Any]], path: tuple[str, ...], group: str | None, depth: int
    ) -> list[ReportRow]:
        if depth > _MAX_LEVELS:
            raise ValueError("too deeply nested")
        rows: list[ReportRow] = []
        for one in found:
            own_group = _text(one.get("group")) or group
            if one.get("type") == "Section" or "Header" in one or "Rows" in one or "Summary" in one:
                rows += self._section(one, path, own_group, depth)
                continue
            row = self._row("data", one["ColData"], path, own_group, depth)
            if (row.label or "").startswith(_TRUNCATED):
                raise _TooLargeError
            rows.append(row)
        return [row for row in rows if not row.is_empty]

    def _section(
        self, one: Mapping[str, Any], path: tuple[str, ...], group: str | None, depth: int
    ) -> Iterator[ReportRow]:
        head = one["Header"]["ColData"] if "Header" in one else one.get("ColData")
        tail = one["Summary"]["ColData"] if "Summary" in one else None
        nested = _list_of(one.get("Rows") or {}, "Row")
        label = _text(head[0].get("value")) if head else None
        inner_path = path if not nested and not head else (*path, label or group or "")
        header = self._row("section", head, inner_path, group, depth) if head else None
        summary = self._row("summary", tail, inner_path, group, depth) if tail else None
        inner = self._rows(nested, inner_path, group, depth + 1)
        if not nested and (header is None or summary is None):
            line = header or summary
            if line is not None:
                has_amounts = any(line.values[at] is not None for at in self._additive)
                line.kind = "total" if header is None or has_amounts else "section"
                yield line
            return
        if header is None:
            yield from inner
        else:
            yield from self._headed(header, inner, summary, depth)
        if summary is not None:
            yield summary

    def _headed(
        self, header: ReportRow, inner: list[ReportRow], summary: ReportRow | None, depth: int
    ) -> Iterator[ReportRow]:
        """Yield a section's row without amounts, its own amounts as a row of data, and the rows in it.

        QuickBooks writes a parent's own amounts next to its name. If they are the sum of the section's rows, they are
        not data.
        """
        amounts = self._amounts(header)
        bare = ReportRow(
            "section", depth, header.path, header.group, header.label, header.label_id, list(header.values), header.ids
        )
        for at in self._additive:
            bare.values[at] = None
        yield bare
        if amounts:
            inside = {
                at: sum((row.values[at] or 0 for row in inner if row.kind == "data"), Decimal(0)) for at in amounts
            }
            section_sum = inside if summary is None else {at: summary.values[at] or Decimal(0) for at in amounts}
            is_sum = amounts == section_sum and any(inside.values())
            header.kind = "summary" if is_sum else "data"
            if not is_sum:
                header.depth = depth + 1
                yield header
            elif summary is None:
                yield from inner
                yield header
                return
        yield from inner

    def _amounts(self, row: ReportRow) -> dict[int, Decimal]:
        """Return a row's amounts that are not zero, by column."""
        return {at: row.values[at] for at in self._additive if row.values[at]}

    def _row(
        self, kind: RowKind, cells: Sequence[Mapping[str, Any]], path: tuple[str, ...], group: str | None, depth: int
    ) -> ReportRow:
        values: list[Any] = [None] * len(self._columns)
        ids: list[str | None] = [None] * len(self._columns)
        for at, one in enumerate(cells):
            text, id_ = _text(one.get("value")), _text(one.get("id"))
            if at >= len(values):
                self._without_column.update({f"cell {at + 1}": 1} if text is not None else {})
                continue
            column = self._columns[at]
            value = None if text is None else _READ[column.type](text)
            if value is None and text not in {None, _NO_DATE} and at:  # the first cell is the label, too
                self._unreadable[column.name] += 1
            values[at], ids[at] = value, id_
            if id_ is not None and (at or kind == "data"):
                self._seen_ids[at] = True
        first = cells[0] if cells else {}
        label = _text(first.get("value"))
        return ReportRow(
            kind, depth, path, group, None if label == _NO_DATE else label, _text(first.get("id")), values, ids
        )


class _Columns:
    """Names and types the columns of a report."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self._prefix = _PREFIXES.get(str(header.get("SummarizeColumnsBy")), "")
        self._names: Counter[str] = Counter()

    def read(self, columns: Mapping[str, Any]) -> list[ReportColumn]:
        """Return the columns that have cells: those without columns inside them."""
        return [self._column(one, above) for one, above in _leaves(_list_of(columns, "Column"), ())]

    def _column(self, one: Mapping[str, Any], above: Sequence[Mapping[str, Any]]) -> ReportColumn:
        col_type, meta = str(one.get("ColType") or ""), _metadata(one)
        titles = [str(part.get("ColTitle") or "") for part in (*above, one)]
        name = "_".join(part for part in (*map(self._own_name, above), self._own_name(one)) if part)
        key = meta.get("ColKey") or col_type
        return ReportColumn(
            name=self._unique(name or "column"),
            type=_type_of(col_type, key),
            title=" ".join(title for title in titles if title),
            col_type=col_type,
            col_key=meta.get("ColKey"),
            start_date=meta.get("StartDate"),
            end_date=meta.get("EndDate"),
            has_ids=key.lower() in _ID_KEYS or col_type.lower() in _ENTITY_TYPES,
        )

    def _own_name(self, one: Mapping[str, Any]) -> str:
        meta, col_type = _metadata(one), str(one.get("ColType") or "")
        if meta.get("ColKey"):
            return _identifier(meta["ColKey"], self._prefix or col_type)
        if col_type.lower() not in _VALUE_TYPES:
            return _identifier(col_type, "column")
        title = _identifier(str(one.get("ColTitle") or ""), "days" if col_type == "Money" else col_type)
        if meta.get("StartDate") and meta.get("EndDate") and not title:
            return _identifier(f"from {meta['StartDate']} to {meta['EndDate']}", "")
        return title or _UNTITLED.get(_VALUE_TYPES[col_type.lower()], "value")

    def _unique(self, name: str) -> str:
        """Return a name that no other column has, nor the Ids of one."""
        while True:
            self._names[name] += 1
            if self._names[name] == 1:
                self._names[f"{name}_id"] += 1
                return name
            name = f"{name}_{self._names[name]}"


def _names(column: ReportColumn) -> tuple[str, ...]:
    return (column.name, column.id_name) if column.has_ids else (column.name,)


def _leaves(
    columns: Sequence[Mapping[str, Any]], above: tuple[Mapping[str, Any], ...]
) -> Iterator[tuple[Mapping[str, Any], tuple[Mapping[str, Any], ...]]]:
    if len(above) > _MAX_LEVELS:
        raise ValueError("too deeply nested")
    for one in columns:
        inside = _list_of(one.get("Columns") or {}, "Column")
        if inside:
            yield from _leaves(inside, (*above, one))
        else:
            yield one, above


def _list_of(holder: Mapping[str, Any], member: str) -> Sequence[Mapping[str, Any]]:
    """Return the list in an object like `{"Row": [...]}`; none if the object is empty."""
    found = holder.get(member, [])
    if not isinstance(found, list):
        raise TypeError(member)
    return found


def _metadata(column: Mapping[str, Any]) -> dict[str, str]:
    return {str(one["Name"]): str(one["Value"]) for one in column.get("MetaData") or ()}


def _type_of(col_type: str, key: str) -> ColumnType:
    known = _VALUE_TYPES.get(col_type.lower())
    if known is not None:
        return known
    if key.endswith("_date"):
        return "date"
    if key in _BOOLEAN_KEYS:
        return "boolean"
    return "decimal" if _DECIMAL_KEY.search(key) else "text"


def _identifier(text: str, prefix: str) -> str:
    """Return a name in lower case for SQL: letters, digits and underscores, a letter first."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower().replace("%", " percent ")).strip("_")
    start = re.sub(r"[^a-z]+", "", prefix.lower())
    return f"{start}_{name}" if name[:1].isdigit() else name


def _text(value: Any) -> str | None:
    """Return a cell's text; None for an empty one.

    Raises:
        TypeError: It is something else than text or a number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(type(value).__name__)
    return str(value)


def _decimal(text: str) -> Decimal | None:
    found = _NUMBER.fullmatch(text.strip())
    return Decimal(found[1]) if found else None


def _date(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


_READ: Mapping[ColumnType, Any] = {
    "text": str,
    "decimal": _decimal,
    "date": _date,
    "boolean": lambda text: _BOOLEANS.get(text.lower()),
}
