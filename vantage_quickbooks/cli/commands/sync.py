"""`vantage-quickbooks sync`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from vantage_quickbooks.cli.inputs import UsageError, read_settings
from vantage_quickbooks.cli.options import Command, emulator_option, format_option, settings_option, verbose_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, json_text, print_error, say, unwritable, write
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
        ("What the next sync will cost", "vantage-quickbooks sync --state acme.state --dry-run"),
    ),
)
@click.option(
    "--state", "state_file", metavar="FILE", type=click.Path(), required=True, help="Where the state is kept."
)
@click.option("--entities", metavar="A,B", help="Entities to sync; all that can be verified by default.")
@settings_option
@format_option("ndjson", "json", default="ndjson", help="Output format; default ndjson.")
@click.option("--output", metavar="FILE", type=click.Path(), help="Append to this file; ndjson only.")
@click.option(
    "--max-api-calls",
    metavar="N",
    type=click.IntRange(1),
    help="Limit of API calls; the next syncs read what does not fit.",
)
@click.option("--until", metavar="TIME", help="Leave later changes to the next sync: 2026-05-01T15:30:00Z.")
@click.option("--dry-run", is_flag=True, help="Estimate the API calls; entities of unknown size are counted.")
@emulator_option
@verbose_option
def command(
    state_file: str,
    entities: str | None,
    settings: str | None,
    format_: str,
    output: str | None,
    max_api_calls: int | None,
    until: str | None,
    dry_run: bool,
    emulator: str | None,
) -> int:
    """Without a state, everything is read, verified complete. See docs/sync.md."""
    from vantage_quickbooks.connector.connector import QUICKBOOKS

    if output is not None and format_ == "json":
        raise UsageError("--output appends changes, which needs --format ndjson.")
    path = Path(state_file)
    given = read_settings(settings, emulator)
    try:
        with _locked(path), QUICKBOOKS.connect(given) as connection:
            state = _read_state(path)
            if dry_run:
                return _print_estimate(connection.estimate_sync(entities, state), format_)
            sets = connection.sync(entities, state, max_api_calls=max_api_calls, until=until)
            with _opened(output) as file:
                return _write_json(sets, path) if format_ == "json" else _write_lines(sets, path, file)
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    except OSError as error:
        return unwritable(error.filename or output or "Standard output", error)


def _read_state(path: Path) -> str | None:
    """Return the text of a state file; None if there is none yet.

    Raises:
        UsageError: It is empty: taken for none, it would make the sync read everything again.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="backslashreplace")
    except FileNotFoundError:
        return None
    if not text.strip():
        raise UsageError(f"{path} is empty. To read everything again, delete it.")
    return text


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a state file, `<file>.lock`: one sync at a time writes it.

    Raises:
        UsageError: Another sync holds it, or the directory cannot be written.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{lock} cannot be written: {error.strerror or 'the system refused'}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(f"Another sync uses {path}. Wait until it ends, or use another state file.") from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(output: str | None) -> Iterator[BinaryIO]:
    """Open the output for appending; a settings file is not written to."""
    if output is None:
        yield sys.stdout.buffer
        return
    from vantage_quickbooks.cli.files import check_not_settings

    check_not_settings(Path(output))
    with Path(output).open("ab") as file:
        yield file


def _write_lines(sets: Iterable[ChangeSet], path: Path, file: BinaryIO) -> int:
    """Write one change a line, and the state after each set."""
    report = _Report()
    for found in sets:
        for line in _lines(found):
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace"))
            file.write(b"\n")
        file.flush()
        if file is not sys.stdout.buffer:
            os.fsync(file.fileno())
        _save(path, found.state)
        report.add(found)
    return report.end()


def _lines(found: ChangeSet) -> Iterator[dict[str, Any]]:
    entity = found.entity
    if found.mode == "snapshot" and found.is_first:
        yield {"op": "reset", "entity": entity}
    for record in found.upserts:
        yield {"op": "upsert", "entity": entity, "record": record}
    for deletion in found.deletions:
        yield {"op": "delete", "entity": entity, "id": deletion["Id"], "deletedAt": deletion["deletedAt"]}
    if found.existing_ids is not None:
        yield {"op": "keep", "entity": entity, "ids": found.existing_ids}
    if found.changed_later:
        yield {"op": "changedLater", "entity": entity, "ids": found.changed_later}
    if found.error is not None:
        yield {"op": "error", "entity": entity, "error": found.error}


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
        _save(path, state)
    return report.end()


def _save(path: Path, state: Mapping[str, Any]) -> None:
    """Replace the state file, durably."""
    from vantage_quickbooks.cli.files import replacing

    with replacing(path, is_private=True) as file:
        json.dump(state, file)


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


def _print_estimate(found: Mapping[str, Any], format_: str) -> int:
    if format_ == "json":
        write(json_text(found))
        return SUCCESS
    for row in found["entities"]:
        records = "unknown" if row["records"] is None else f"{row['records']:,}"
        write(f"{row['entity']:<24} {row['source']:<9} {records:>12} records {row['apiCalls']:>6} calls\n")
    write(f"About {found['apiCalls']:,} API calls. This estimate used {found['apiCallsSpent']:,}.\n")
    return SUCCESS
