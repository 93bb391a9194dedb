"""What a person reads on a terminal: tables, cards and styled errors. The one file but the demo that needs rich."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from vantage_quickbooks.cli.output import COLUMNS, clean, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

__all__ = [
    "card",
    "company_card",
    "console",
    "empty_table",
    "print_lines",
    "put",
    "rows_table",
    "show_result",
    "summary_table",
]

WIDTH = 100
"""Columns where there is no terminal to ask."""

STATUS = {
    "paid": ("paid", "green"),
    "partiallyPaid": ("partly paid", "yellow"),
    "open": ("open", "cyan"),
    "overdue": ("overdue", "bold red"),
    "voided": ("voided", "dim"),
}
"""Each payment status in words, and its colour."""

_MONEY = {"Balance", "TotalAmt"}
_RIGHT = {*_MONEY, "daysOverdue"}
_WRAPPED = {"customerName", "email"}


def console(*, stderr: bool = False) -> Console:
    """Return a console; where output is no terminal it is 100 columns wide, unless COLUMNS says otherwise."""
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


def show_result(data: Mapping[str, Any], action: Mapping[str, Any]) -> None:
    """Print a result of an action as a person likes to see it."""
    out = console()
    rows = rows_of(data, action)
    if action["id"] not in COLUMNS:
        out.print(company_card(rows[0]) if action["rowsKey"] else card(rows[0]))
        return
    if not rows:
        out.print(f"There are no {action['rowsKey']} to show.")
        return
    put(out, rows_table(rows, action["id"]))
    if "summary" in data:
        out.print(f"\nOf these {data['count']}:\n")
        put(out, summary_table(data["summary"]))


def put(out: Console, table: Table) -> None:
    """Print a table whole: where the screen is narrower than its figures, lines run over rather than lose any."""
    for column in table.columns:
        if column.no_wrap:
            column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))
    needed = Measurement.get(out, out.options.update(width=10_000), table).minimum
    width, out.width = out.width, max(out.width, needed)
    out.print(table)
    out.width = width


def rows_table(rows: Sequence[Mapping[str, Any]], action_id: str) -> Table:
    """Return a table of customers or invoices. A column that no row has is left out."""
    shown = {name: title for name, title in COLUMNS[action_id].items() if any(name in row for row in rows)}
    table = empty_table()
    for name, title in shown.items():
        table.add_column(title, justify="right" if name in _RIGHT else "left", no_wrap=name not in _WRAPPED)
    for row in rows:
        is_void = row.get("paymentStatus") == "voided" or row.get("Active") is False
        table.add_row(*(_cell(name, row.get(name)) for name in shown), style="dim" if is_void else None)
    return table


def summary_table(summary: Mapping[str, Any]) -> Table:
    """Return what is outstanding: a line for each currency and, below it, for each payment status."""
    table = empty_table()
    table.add_column("Currency", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    for title in ("Invoices", "Total", "Outstanding"):
        table.add_column(title, justify="right", no_wrap=True)
    for index, currency in enumerate(summary["byCurrency"]):
        if index:
            table.add_section()
        table.add_row(currency["currency"] or "not given", "all", *_sums(currency), style="bold")
        for status in currency["byStatus"]:
            table.add_row("", _cell("paymentStatus", status["status"]), *_sums(status))
    return table


def company_card(company: Mapping[str, Any]) -> Table:
    """Return what a person wants to know of a company; all of it is in the JSON."""
    offering = {item.get("Name"): item.get("Value") for item in company.get("NameValue") or ()}
    address = company.get("CompanyAddr") or {}
    lines = [address.get(name) for name in ("Line1", "Line2", "Line3", "City", "CountrySubDivisionCode", "PostalCode")]
    return card(
        {
            "Company": company.get("CompanyName"),
            "Legal name": company.get("LegalName"),
            "Address": ", ".join(line for line in lines if line),
            "E-mail": (company.get("Email") or {}).get("Address"),
            "Phone": (company.get("PrimaryPhone") or {}).get("FreeFormNumber"),
            "Country": company.get("Country"),
            "Time zone": company.get("DefaultTimeZone"),
            "Fiscal year from": company.get("FiscalYearStartMonth"),
            "Subscription": offering.get("OfferingSku"),
        }
    )


def card(facts: Mapping[str, Any]) -> Table:
    """Return facts one a line, without those that are empty or nested."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "") and not isinstance(value, dict | list):
            text = ("no", "yes")[value] if isinstance(value, bool) else str(value)
            grid.add_row(Text(clean(name)), Text(_one_line(text)))
    return grid


def _one_line(text: str) -> str:
    return clean(text).replace("\n", " ")


def empty_table() -> Table:
    """Return a table of the house's style, without columns."""
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", show_edge=False)


def _sums(sums: Mapping[str, Any]) -> tuple[RenderableType, ...]:
    return (str(sums["count"]), _cell("TotalAmt", sums["total"]), _cell("Balance", sums["outstanding"]))


def _cell(name: str, value: Any) -> Text:
    if value is None:
        return Text("")
    if name == "paymentStatus":
        return Text(*STATUS.get(value, (clean(str(value)), "")))
    if name in _MONEY and not isinstance(value, bool):
        return Text(f"{Decimal(str(value)):,.2f}")
    if name == "daysOverdue":
        return Text(f"{value} d", style="red") if value else Text("")
    return Text(_one_line(str(value)))
