"""`vantage-quickbooks call`."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from vantage_quickbooks import contract
from vantage_quickbooks.cli.completion import PREFIX
from vantage_quickbooks.cli.connections import connect
from vantage_quickbooks.cli.inputs import UsageError, read_input
from vantage_quickbooks.cli.options import (
    Command,
    connection_option,
    emulator_option,
    format_option,
    settings_option,
    verbose_option,
)
from vantage_quickbooks.cli.output import SUCCESS, clean, json_text, report_failure, require, say, unwritable, write
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vantage_quickbooks.connector.connection import Connection

__all__ = ["command", "complete_action"]

_EPILOG = """\
\b
Inputs:
  KEY=VALUE, as typed into a form: max_results=25, all=true,
  fields=Id,DocNumber. A value that is a JSON list or object is passed as
  such. KEY=VALUE overrides --input, key by key. To list the inputs of an
  action, run "vantage-quickbooks actions ACTION".

\b
Formats:
  json    the envelope that a host gets: {"success": true, "data": ...} or
          {"success": false, "error": ...}. On a terminal, errors are text
  table   the columns of the action's table; tokens are masked
  csv     the same columns for every company and page, see
          docs/command-line.md; tokens are masked
  ndjson  full reads only: one record per line, as sent by Intuit
  arrow   full reads and reports: an Arrow IPC stream, typed columns
  parquet full reads and reports, with --output: the same as a Parquet file
"""


_FULL_ONLY = {"ndjson": "NDJSON", "arrow": "Arrow", "parquet": "Parquet"}
"""Formats for full reads only, and their names."""

_TYPED = {"arrow", "parquet"}
"""Those of them that reports have, too."""


@dataclass(frozen=True)
class _Call:
    """A call as it was asked for.

    Attributes:
        action: The action's entry of the descriptor.
        data: Its input.
        format: The output format; None for JSON, or text where an error is printed on a terminal.
        output: The file to write; None for standard output.
    """

    action: Mapping[str, Any]
    data: Any
    format: str | None
    output: str | None


def complete_action(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the id of an action."""
    from vantage_quickbooks.cli import descriptor

    return [
        CompletionItem(name, help=action["title"])
        for name, action in descriptor.actions().items()
        if name.lower().startswith(incomplete.lower())
    ]


def _complete_input(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of an input, or its value where the form offers choices."""
    from vantage_quickbooks.cli import descriptor

    try:
        fields = descriptor.inputs(descriptor.find_action(context.params.get("action") or ""))
    except UsageError:
        return []
    key, equals, start = incomplete.partition("=")
    if not equals:
        given = {pair.partition("=")[0] for pair in context.params.get("pairs") or ()}
        return [
            CompletionItem(f"{name}=", type=PREFIX, help=field.get("tooltip"))
            for name, field in fields.items()
            if name.startswith(key) and name not in given
        ]
    # A list takes several values, separated by commas: the last one is completed.
    before, comma, last = start.rpartition(",")
    return [
        CompletionItem(f"{key}={before}{comma}{value}")
        for value in descriptor.choices(fields.get(key, {}))
        if value.startswith(last)
    ]


@click.command(
    cls=Command,
    epilog=_EPILOG,
    options_metavar="[OPTIONS]",
    examples=(
        ("The newest invoices as a table", "vantage-quickbooks call listInvoices --settings s.json --format table"),
        (
            "Overdue invoices of one customer",
            "vantage-quickbooks call listInvoices status=overdue customer_id=24 --settings s.json",
        ),
        ("Of a connection in the registry", "vantage-quickbooks call listBills --connection acme --format table"),
        ("The same input as JSON", """vantage-quickbooks call listInvoices --input '{"status": "overdue"}'"""),
        ("Count all customers and estimate the cost", "vantage-quickbooks call listCustomers all=true --dry-run"),
        ("Who owes what, and for how long", "vantage-quickbooks call getReport report=AgedReceivables --format table"),
        (
            "Export all invoices; repeat the command to resume after an interruption",
            "vantage-quickbooks call listInvoices all=true --format csv --output invoices.csv",
        ),
    ),
)
@click.argument("action", metavar="ACTION", shell_complete=complete_action)
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1, shell_complete=_complete_input)
@settings_option
@connection_option
@click.option("--input", "text", metavar="JSON", help="The input: JSON, @FILE, or - for standard input.")
@format_option("table", "json", "ndjson", "csv", "arrow", "parquet", help="Output format; default json.")
@click.option("--output", metavar="FILE", type=click.Path(), help="Write the result to this file.")
@click.option("--dry-run", is_flag=True, help="Full reads: count the records and estimate the API calls, read nothing.")
@emulator_option
@verbose_option
def command(
    action: str,
    pairs: Sequence[str],
    settings: str | None,
    connection: str | None,
    registry: str | None,
    text: str | None,
    format_: str | None,
    output: str | None,
    dry_run: bool,
    emulator: str | None,
) -> int:
    """ACTION is an id: listInvoices. To list them, run "vantage-quickbooks actions"."""
    from vantage_quickbooks.cli import descriptor

    described = descriptor.find_action(action)
    if format_ == "table":
        require("Tables need", cli=("rich",))
    if settings == "-" and text in {"-", "@-"}:
        raise UsageError("Settings and input cannot both be read from standard input. Use a file for one of them.")
    call = _Call(described, read_input(text, pairs), format_, output)
    is_full = descriptor.is_full_read(described, call.data)
    _check(call, is_full=is_full, dry_run=dry_run)
    try:
        with connect(settings, connection, registry, emulator) as company:
            if dry_run:
                return _print_estimate(company.estimate(described["id"], call.data), format_)
            if format_ in _FULL_ONLY or (format_ == "csv" and is_full):
                return _export(company, call) if is_full else _write_batch(company, call)
            envelope = company.call(described["id"], call.data)
    except ConnectorError as error:
        envelope = contract.envelope(error=error, action=described)
    if not envelope["success"]:
        return report_failure(envelope, format_)
    return _print(envelope, call)


def _check(call: _Call, *, is_full: bool, dry_run: bool) -> None:
    """Check what goes together.

    Raises:
        UsageError: The format or --dry-run does not fit the action or its input.
    """
    from vantage_quickbooks.cli import descriptor

    what = "--dry-run" if dry_run else f"--format {call.format}"
    is_report = descriptor.outline_of(call.action) is not None and call.format in _TYPED and not dry_run
    if (call.format in _FULL_ONLY or dry_run) and not is_full and not is_report:
        full = call.action["fullReadInput"]
        if not full:
            raise UsageError(f"{what} needs an action that can read everything; {call.action['id']} cannot.")
        pairs = " ".join(f"{name}={_as_text(value)}" for name, value in full.items())
        raise UsageError(f"{what} needs a full read. Add {pairs}.")
    name = _FULL_ONLY.get(call.format or "", "CSV")
    if call.format == "ndjson":
        require("NDJSON needs", bulk=("msgspec",))
    elif call.format in _FULL_ONLY:
        require(f"{name} needs", arrow=("pyarrow", "msgspec"))
    if call.format in {"csv", *_FULL_ONLY} and is_full and "sync_cursor" in call.data:
        raise UsageError(f"{name} cannot represent deletions. Use --format json.")
    if dry_run:
        return
    if call.format == "parquet" and call.output is None:
        raise UsageError("A Parquet file is written when it is complete. Name it with --output FILE.")
    if call.format == "arrow" and call.output is None and sys.stdout.isatty():
        raise UsageError("Arrow is binary. Write it to a file with --output FILE, or pipe it into a program.")
    if call.format == "csv" and is_full and descriptor.csv_columns(call.action, call.data) is None:
        raise UsageError(f"A full read of {call.action['id']} cannot be written as CSV. Use --format ndjson.")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value).strip()


def _print_estimate(found: Mapping[str, Any], format_: str | None) -> int:
    if format_ == "json":
        write(json_text(found))
    else:
        write(
            f"{found['totalCount']:,} records, about {found['apiCalls']:,} API calls. This estimate used 1 API call.\n"
        )
    return SUCCESS


def _export(connection: Connection, call: _Call) -> int:
    from vantage_quickbooks.cli.export import Export, to_file, to_parquet, to_stdout

    is_parquet = call.format == "parquet"
    export = Export(connection, call.action, call.data, "arrow" if is_parquet else call.format or "ndjson")
    if call.output is None:
        to_stdout(export)
        return SUCCESS
    try:
        last = (to_parquet if is_parquet else to_file)(export, Path(call.output))
    except OSError as error:
        return unwritable(call.output, error)
    say(f"{call.output}: {last['records']:,} records, complete. API calls in this run: {last['apiCalls']:,}.")
    unreadable = last.get("unreadableValues")
    if unreadable and is_parquet:
        found = ", ".join(f"{path} {count:,}" for path, count in unreadable.items())
        say(f"Values that do not fit the type of their column are null there: {clean(found)}.")
    return SUCCESS


def _write_batch(connection: Connection, call: _Call) -> int:
    """Write the rows of a report as an Arrow stream or as a Parquet file."""
    from vantage_quickbooks.cli.arrow_files import write_batch
    from vantage_quickbooks.sync.arrow import metadata_of

    (batch,) = connection.stream(call.action["id"], call.data, as_="arrow")
    if call.output is None:
        write_batch(batch, sys.stdout.buffer)
        return SUCCESS
    try:
        write_batch(batch, Path(call.output), is_parquet=call.format == "parquet")
    except OSError as error:
        return unwritable(call.output, error)
    say(f"{call.output}: {batch.num_rows:,} rows. API calls: {metadata_of(batch)['apiCalls']:,}.")
    return SUCCESS


def _print(envelope: Mapping[str, Any], call: _Call) -> int:
    """Print a result, to standard output or to a file that it replaces."""
    from vantage_quickbooks.cli.files import replacing

    if call.output is None:
        _print_result(envelope, call)
        return SUCCESS
    try:
        is_private = call.action["sensitiveOutput"]
        with replacing(Path(call.output), is_private=is_private) as file, contextlib.redirect_stdout(file):
            _print_result(envelope, call)
    except OSError as error:
        return unwritable(call.output, error)
    return SUCCESS


def _print_result(envelope: Mapping[str, Any], call: _Call) -> None:
    from vantage_quickbooks.cli import descriptor

    if call.format in {None, "json"}:
        write(json_text(envelope))
        return
    data, action = envelope["data"], call.action
    if call.format == "csv":
        from vantage_quickbooks.tabular import csv_header, csv_rows, csv_text

        rows, columns = descriptor.rows_of(data, action), descriptor.csv_columns(action, call.data, data)
        write(csv_header(columns) + csv_rows(rows, columns) if columns else csv_text(rows))
    else:
        from vantage_quickbooks.cli import tables

        tables.show_result(data, action, has_filters=bool(call.data))
    metadata = data["metadata"]
    if metadata.get("mayHaveMore"):
        start = metadata.get("nextStartPosition")
        following = f" Next page: start_position={start}" if start else ""
        say(f"{data['count']} {descriptor.words(action['rowsKey'])}; there may be more.{following}")
