"""`vantage-quickbooks sync`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from vantage_quickbooks.cli import sync_many, warehouse
from vantage_quickbooks.cli.connections import connect
from vantage_quickbooks.cli.options import (
    Command,
    complete_connection,
    emulator_option,
    format_option,
    log_format_option,
    registry_option,
    settings_option,
    verbose_option,
)
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, json_text, print_error, say, unwritable, write
from vantage_quickbooks.cli.sync_files import append, locked, opened, read_state, save
from vantage_quickbooks.cli.sync_options import CONCURRENCY, Options
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.contract import ChangeSet

__all__ = ["command"]

_EPILOG = """\
\b
Formats:
  ndjson  one change per line, in their order:
          {"op": "reset", "entity"}           discard what you have of it
          {"op": "upsert", "entity", "record"}
          {"op": "delete", "entity", "id", "deletedAt"}
          {"op": "keep", "entity", "ids"}     any other record was deleted
          {"op": "changedLater", "entity", "ids"}
          {"op": "error", "entity", "error"}
  json    one document with all change sets and the state

\b
The state file is replaced after each change set, once the changes are
written. After a crash the last changes may come again, never less.

\b
Several companies (--all, or --connection more than once):
  Each has <id>.ndjson in the directory of --output, and <id>.state. One that
  fails is a row of the report, and the others go on. The exit status is 0 if
  all of them succeeded, 1 if not.

\b
Destinations (--to, or the variable VANTAGE_QUICKBOOKS_DESTINATION):
  duckdb:///FILE
  postgresql://USER@HOST/DATABASE
  file:///DIRECTORY  Parquet files; also s3://, gs://, az://
  NAME               a destination of dlt's: snowflake, bigquery, ...
A URL with a password belongs into the variable. The destination keeps
the state. dlt's own configuration and secrets are read, too.
"""


@click.command(
    cls=Command,
    epilog=_EPILOG,
    examples=(
        ("Everything the first time, changes afterwards", "vantage-quickbooks sync --state acme.state"),
        (
            "Two entities, appended to a file",
            "vantage-quickbooks sync --state s --entities Customer,Invoice --output f",
        ),
        ("Tables in DuckDB, kept up to date", "vantage-quickbooks sync --to duckdb:///acme.duckdb"),
        ("What the next sync will cost", "vantage-quickbooks sync --state acme.state --dry-run"),
        ("Every company of the registry", "vantage-quickbooks sync --all --output companies --report report.json"),
        ("Thousands of companies, in 4 processes", "vantage-quickbooks sync --all --output companies --workers 4"),
    ),
)
@click.option(
    "--state",
    metavar="FILE",
    type=click.Path(),
    help="Where the state is kept; for several companies a directory, by default that of --output.",
)
@click.option("--to", metavar="DESTINATION", help="Load into a database or files, which keep the state; see below.")
@click.option("--entities", metavar="A,B", help="Entities to sync; all that can be verified by default.")
@settings_option
@click.option("--all", "is_all", is_flag=True, help="Sync every connection of the registry.")
@click.option(
    "--connection",
    "connection_ids",
    metavar="ID",
    multiple=True,
    shell_complete=complete_connection,
    help="A connection of the registry, in place of --settings; several are synced as with --all.",
)
@registry_option
@format_option(
    "ndjson",
    "json",
    "table",
    help="Output format; default ndjson. With --to or several companies: json, or table (the default).",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="Append to this file; ndjson only. For several companies a directory.",
)
@click.option("--report", metavar="FILE", type=click.Path(), help="Write the report on several companies as JSON.")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 100),
    help="Of several companies: processes; default 1. Not with --to.",
)
@click.option(
    "--concurrency",
    metavar="N",
    type=click.IntRange(1, 100),
    help=f"Of several companies: how many at once in each process; default {CONCURRENCY}.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(1),
    help="Of several companies: end the sync of one that takes longer.",
)
@click.option(
    "--max-api-calls",
    metavar="N",
    type=click.IntRange(1),
    help="Limit of API calls of a company; the next syncs read what does not fit.",
)
@click.option(
    "--since",
    metavar="TIME",
    help="In the first sync, which has no state, read only what changed since: 2026-05-01T00:00:00Z.",
)
@click.option("--until", metavar="TIME", help="Leave later changes to the next sync: 2026-05-01T15:30:00Z.")
@click.option("--dataset", metavar="NAME", help="With --to: the schema of the tables; default quickbooks.")
@click.option("--lines", is_flag=True, help="With --to: lines are tables of their own, invoice_lines.")
@click.option(
    "--deletions",
    type=click.Choice(["hard", "soft"]),
    help="With --to: delete rows of deleted records (hard, the default), or keep them with _deleted_at.",
)
@click.option("--restart", is_flag=True, help="With --to: read everything again.")
@click.option("--dry-run", is_flag=True, help="Estimate the API calls; entities of unknown size are counted.")
@emulator_option
@log_format_option
@verbose_option
def command(**given: Any) -> int:
    """Without a state, everything is read, verified complete. See docs/sync.md, and docs/warehouse.md for --to."""
    options = Options(**given)
    if options.has_destination:
        return warehouse.run(options)
    return sync_many.run(options) if options.has_several else _sync_one(options)


def _sync_one(options: Options) -> int:
    """Sync one company, and return the exit status."""
    options.check_one()
    path, output = Path(options.state or ""), options.output
    connection_id = options.connection_ids[0] if options.connection_ids else None
    try:
        with (
            connect(options.settings, connection_id, options.registry, options.emulator) as connection,
            locked(path),
        ):
            state = read_state(path)
            if options.dry_run:
                return _print_estimate(connection.estimate_sync(options.entities, state), options.format_)
            since = options.since if state is None else None
            sets = connection.sync(
                options.entities, state, max_api_calls=options.max_api_calls, since=since, until=options.until
            )
            with opened(output) as file:
                return _write_json(sets, path) if options.format_ == "json" else _write_lines(sets, path, file)
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    except OSError as error:
        return unwritable(error.filename or output or "Standard output", error)


def _write_lines(sets: Iterable[ChangeSet], path: Path, file: BinaryIO) -> int:
    """Write one change a line, and the state after each set."""
    report = _Report()
    for found in sets:
        append(found, file)
        save(path, found.state)
        report.add(found)
    return report.end()


def _write_json(sets: Iterable[ChangeSet], path: Path) -> int:
    """Write all sets as one document, and the last state."""
    report, found, state = _Report(), [], None
    for one in sets:
        found.append(one.to_dict())
        state = one.state
        report.add(one)
    write(json_text({"changeSets": found, "state": state}))
    sys.stdout.flush()
    if state is not None:
        save(path, state)
    return report.end()


class _Report:
    """What a sync did, for the line on standard error."""

    def __init__(self) -> None:
        self._changed = self._deleted = 0
        self._entities: set[str] = set()
        self._failed: list[str] = []
        self._last: Mapping[str, Any] = {}

    def add(self, found: ChangeSet) -> None:
        """Count a set."""
        self._changed += len(found.upserts)
        self._deleted += len(found.deletions)
        self._entities.add(found.entity)
        self._last = found.metadata
        if found.error is not None:
            self._failed.append(found.entity)
            print_error(found.error)

    def end(self) -> int:
        """Say what was done; return the exit status."""
        calls = self._last.get("apiCalls", 0)
        say(
            f"{self._changed:,} records created or changed, {self._deleted:,} deletions reported, "
            f"{len(self._entities)} entities. API calls: {calls:,}."
        )
        if self._last.get("pending"):
            say(f"Left to the next sync: {', '.join(self._last['pending'])}.")
        if self._failed:
            say(f"Not synced: {', '.join(self._failed)}.")
        return FAILURE if self._failed else SUCCESS


def _print_estimate(found: Mapping[str, Any], format_: str | None) -> int:
    if format_ == "json":
        write(json_text(found))
        return SUCCESS
    for row in found["entities"]:
        records = "unknown" if row["records"] is None else f"{row['records']:,}"
        write(f"{row['entity']:<24} {row['source']:<9} {records:>12} records {row['apiCalls']:>6} calls\n")
    write(f"About {found['apiCalls']:,} API calls. This estimate used {found['apiCallsSpent']:,}.\n")
    return SUCCESS
