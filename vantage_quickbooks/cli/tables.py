"""Tables, cards and styled errors for a terminal. Needs rich; columns and formats come from the descriptor."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from vantage_quickbooks.cli.descriptor import find_action, is_list, outline_of, rows_of, table_columns, words
from vantage_quickbooks.cli.output import clean
from vantage_quickbooks.row_values import decimal_of, value_at

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

__all__ = [
    "card",
    "console",
    "empty_table",
    "list_table",
    "outline_table",
    "print_lines",
    "put",
    "record_card",
    "rows_table",
    "show_result",
    "summary_table",
]

WIDTH = 100
"""Width in columns where standard output is not a terminal."""

_STYLES = {"good": "green", "notice": "yellow", "info": "cyan", "bad": "bold red", "muted": "dim"}
"""The style of each tone of a status."""

_NUMERIC = {"money", "number", "days"}
_WRAP_FROM = 16
"""Text columns wider than this wrap on a narrow screen."""

_LONG_FORMS = {"addr": "address", "amt": "amount", "num": "number", "txn": "transaction"}

_TECHNICAL = {"SyncToken", "domain", "sparse", "metadata"}
"""Properties of a record that only JSON shows."""


def console(*, stderr: bool = False) -> Console:
    """Return a console; without a terminal it is 100 columns wide, unless the variable COLUMNS is set."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS", "").isdigit() else WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def print_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Print styled lines to standard error, wrapped under their own indentation."""
    err = console(stderr=True)
    for style, text in lines:
        indent = len(text) - len(text.lstrip())
        for line in Text(text.strip(), style=style).wrap(err, max(20, err.width - indent)):
            err.print(Text(" " * indent) + line)


def show_result(data: Mapping[str, Any], action: Mapping[str, Any], *, has_filters: bool) -> None:
    """Print the result of an action: a list as a table, one record as a card.

    Args:
        data: The result.
        action: The action's entry of the descriptor.
        has_filters: Whether the input may have excluded records.
    """
    out = console()
    rows = rows_of(data, action)
    if not is_list(data, action):
        out.print(record_card(rows[0], _amounts_of(action)))
        return
    noun = words(action["rowsKey"])
    if not rows and outline_of(action) is not None:
        out.print("The report has no data.")
        return
    if not rows:
        out.print(f"No {noun} match these filters." if has_filters else f"No {noun}.")
        return
    columns = table_columns(action)
    view = outline_of(action)
    if view is not None:
        put(out, outline_table(rows, data[view["columns"]], view))
    elif columns:
        _show_views(out, data, action, rows)
    else:
        _show_any(out, rows)
    if "byCurrency" in data.get("summary", ()):
        out.print(f"\nTotals of these {data['count']} {noun}:\n")
        put(out, summary_table(data["summary"], noun, columns))


def _show_views(
    out: Console, data: Mapping[str, Any], action: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Print a table for each view of the kind `table` that has rows, with a title if there are several."""
    views = [view for view in action["views"] if view["kind"] == "table"]
    found = [(view, data.get(view["rows"]) if "rows" in view else rows) for view in views]
    shown = [(view, lines) for view, lines in found if isinstance(lines, list) and lines]
    for number, (view, lines) in enumerate(shown):
        if len(shown) > 1:
            out.print(f"{chr(10) if number else ''}{clean(view['title'])}:\n")
        put(out, rows_table(lines, view["columns"], data.get(view.get("total", ""))))


def list_table(rows: Sequence[Mapping[str, Any]], action_id: str) -> Table:
    """Return a table of an action's rows."""
    return rows_table(rows, table_columns(find_action(action_id)))


def _show_any(out: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows whose columns the descriptor does not name: as many columns as fit."""
    found = _columns_of(rows)
    count = next((count for count in range(len(found), 1, -1) if _fits(out, rows_table(rows, found[:count]))), 1)
    put(out, rows_table(rows, found[:count]))
    if count < len(found):
        names = ", ".join(clean(column["label"]) for column in found[count:])
        out.print(f"\nNot shown (use --format csv or json): {names}")


def _fits(out: Console, table: Table) -> bool:
    return Measurement.get(out, out.options.update(width=10_000), table).maximum <= out.width


def _columns_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a column for each property that holds one value or a reference, Id first."""
    names = dict.fromkeys(name for row in rows for name in ("Id", *row) if _is_single(row.get(name)))
    values = {name: [row[name] for row in rows if row.get(name) is not None] for name in names}
    return [
        {"field": name, "label": name, "format": "number" if all(map(_is_number, values[name])) else "text"}
        for name in names
        if name not in _TECHNICAL
    ]


def _is_single(value: Any) -> bool:
    return isinstance(value, str | int | float) or (isinstance(value, dict) and "value" in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def put(out: Console, table: Table) -> None:
    """Print a table in full: on a narrow screen, lines become too long rather than lose figures."""
    if _minimum(out, table) > out.width:
        for column in table.columns:
            if column.no_wrap:
                column.header = _wrapped(str(column.header), max(map(cell_len, map(str, column.cells)), default=0))
    needed = _minimum(out, table)
    width, out.width = out.width, max(out.width, needed)
    out.print(table)
    out.width = width


def _minimum(out: Console, table: Table) -> int:
    """Return the width below which a table would lose figures."""
    for column in table.columns:
        if column.no_wrap:
            lines = (line for cell in (column.header, *column.cells) for line in str(cell).split("\n"))
            column.min_width = max(map(cell_len, lines), default=0)
    return Measurement.get(out, out.options.update(width=10_000), table).minimum


def _wrapped(text: str, width: int) -> str:
    """Return a header on lines as wide as the cells below it, or as its longest word."""
    width = max([width, *map(len, text.split())])
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False))


def rows_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Mapping[str, Any]],
    total: Mapping[str, Any] | None = None,
) -> Table:
    """Return a table of records, without the columns that are empty in all rows.

    Args:
        rows: The records.
        columns: The columns of a view.
        total: The members of a last row, in bold.
    """
    shown = [column for column in columns if any(value_at(row, column["field"]) is not None for row in rows)]
    with_code = {column["field"] for column in shown if _is_mixed(rows, column, shown)}
    table = empty_table()
    cells = [[_cell(row, column, column["field"] in with_code) for row in rows] for column in shown]
    for column, texts in zip(shown, cells, strict=True):
        is_number = column.get("format") in _NUMERIC
        is_wide = column.get("format", "text") == "text" and max(text.cell_len for text in texts) > _WRAP_FROM
        table.add_column(clean(column["label"]), justify="right" if is_number else "left", no_wrap=not is_wide)
    for row, *texts in zip(rows, *cells, strict=True):
        table.add_row(*texts, style="dim" if _is_muted(row, shown) else None)
    if total is not None:
        sums = (_cell(total, column, column["field"] in with_code) for column in shown[1:])
        table.add_row("Total", *sums, style="bold")
    return table


def outline_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Mapping[str, Any]], view: Mapping[str, Any]
) -> Table:
    """Return the rows of a report: the first column indented by depth, totals in bold.

    Args:
        rows: The rows.
        columns: The columns of the report.
        view: The view of the kind `outline`, which names the members of a row.
    """
    first, others = columns[0], [column for column in columns[1:] if any(row.get(column["field"]) for row in rows)]
    table = empty_table()
    table.add_column(clean(first["label"]), no_wrap=True)
    for column in others:
        is_number = column["format"] in _NUMERIC
        table.add_column(clean(column["label"]), justify="right" if is_number else "left", no_wrap=is_number)
    for row in rows:
        label = Text("  " * row[view["depth"]] + _text(row[view["label"]]))
        style = "bold" if row[view["rowKind"]] in view["totals"] else None
        table.add_row(label, *(_cell(row, column, with_code=False) for column in others), style=style)
    return table


def _is_mixed(rows: Sequence[Mapping[str, Any]], column: Mapping[str, Any], shown: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether amounts need their currency code: there are several, and no column shows it."""
    path = column.get("currency")
    if not path or any(other["field"].partition(".")[0] == path.partition(".")[0] for other in shown):
        return False
    return len({value_at(row, path) for row in rows}) > 1


def _is_muted(row: Mapping[str, Any], columns: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a record is inactive, or its status is of no further interest."""
    return row.get("Active") is False or any(
        column.get("values", {}).get(value_at(row, column["field"]), {}).get("tone") == "muted"
        for column in columns
        if column.get("format") == "status"
    )


def summary_table(summary: Mapping[str, Any], noun: str, columns: Sequence[Mapping[str, Any]]) -> Table:
    """Return totals: a line for each currency and, below it, for each status."""
    statuses = (column.get("values", {}) for column in columns if column.get("format") == "status")
    labels: Mapping[str, Mapping[str, str]] = next(statuses, {})
    table = empty_table()
    table.add_column("Currency", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    for title in (noun.capitalize(), "Total", "Outstanding"):
        table.add_column(title, justify="right", no_wrap=True)
    for index, currency in enumerate(summary["byCurrency"]):
        if index:
            table.add_section()
        code = currency["currency"]
        table.add_row(clean(code or "unknown"), "all", *_sums(currency), style="bold")
        for status in currency["byStatus"]:
            table.add_row("", _status(status["status"], labels), *_sums(status))
    return table


def _sums(sums: Mapping[str, Any]) -> tuple[Text, ...]:
    return Text(str(sums["count"])), Text(_amount(sums["total"])), Text(_amount(sums["outstanding"]))


def _amounts_of(action: Mapping[str, Any]) -> set[str]:
    """Return the properties that an action's view of a record shows as money."""
    facts = (fact for view in action["views"] if view["kind"] == "record" for fact in view["facts"])
    return {fact["field"] for fact in facts if fact.get("format") == "money"}


def record_card(record: Mapping[str, Any], amounts: Container[str] = ()) -> Table:
    """Return one record: each property that holds a value, a reference, an address or name-value pairs.

    Args:
        record: The record.
        amounts: The properties that are amounts of money.
    """
    facts: dict[str, str] = {"Id": _text(record.get("Id"))}
    for name, value in record.items():
        if name in _TECHNICAL:
            continue
        if name == "MetaData":
            times = value or {}
            facts |= {"Created": _text(times.get("CreateTime")), "Changed": _text(times.get("LastUpdatedTime"))}
            continue
        pairs = value if isinstance(value, list) else ()
        if pairs and all(isinstance(pair, dict) and {"Name", "Value"} <= set(pair) for pair in pairs):
            facts |= {words(str(pair["Name"])).capitalize(): _text(pair["Value"]) for pair in pairs}
        elif pairs:
            facts[_label(name)] = f"{len(pairs)} (see --format json)"
        else:
            facts[_label(name)] = _amount(value) if name in amounts else _text(value)
    return card(facts)


def _label(name: str) -> str:
    text = " ".join(_LONG_FORMS.get(word, word) for word in words(name.removesuffix("Ref")).split())
    return text[0].upper() + text[1:]


def card(facts: Mapping[str, Any]) -> Table:
    """Return facts, one per line, without empty ones."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        text = _text(value)
        if text:
            grid.add_row(Text(clean(name)), Text(text))
    return grid


def empty_table() -> Table:
    """Return a table without columns, in the style of all tables."""
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False)


def _cell(row: Mapping[str, Any], column: Mapping[str, Any], with_code: bool) -> Text:
    value = value_at(row, column["field"])
    if value is None:
        return Text("")
    match column.get("format", "text"):
        case "status":
            return _status(value, column.get("values", {}))
        case "money":
            code = _text(value_at(row, column["currency"])) if with_code else ""
            return Text(f"{_amount(value)} {code}".rstrip())
        case "number":
            return Text(_number(value))
        case "days":
            return Text(f"{value} d", style="red") if value else Text("")
    known = column.get("values", {}).get(value) if isinstance(value, str) else None
    return Text(_text(known["label"] if known else value))


def _status(value: Any, known: Mapping[str, Mapping[str, str]]) -> Text:
    """Return a status by its label, in the style of its tone."""
    entry = known.get(value, {}) if isinstance(value, str) else {}
    return Text(clean(entry.get("label", str(value))), style=_STYLES.get(entry.get("tone", ""), ""))


def _amount(value: Any) -> str:
    number = decimal_of(value)
    return _text(value) if number is None else f"{number:,.2f}"


def _number(value: Any) -> str:
    number = decimal_of(value)
    return _text(value) if number is None else f"{number:,f}"


def _text(value: Any) -> str:
    """Return a value on one line: a reference by its name, an address by its lines, another object or list as ""."""
    if isinstance(value, bool):
        return ("no", "yes")[value]
    if isinstance(value, dict):
        if "value" in value:  # a reference, or a memo
            return _text(value.get("name") or value["value"])
        parts = [_text(part) for name, part in value.items() if name not in {"Id", "Lat", "Long"}]
        return ", ".join(part for part in parts if part)
    if value is None or isinstance(value, list):
        return ""
    return clean(str(value)).replace("\n", " ")
