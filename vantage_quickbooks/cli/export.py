"""Write a whole read to a file, record by record, so that Ctrl-C or a killed process costs nothing.

Beside the file lies `<file>.cursor` while the read is not whole: how many bytes of the file are good, and where to go
on. The same command goes on from there; what was half written is cut off first.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.cli.output import say
from vantage_quickbooks.errors import ConnectorError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from vantage_quickbooks.connection import Connection

__all__ = ["to_file", "to_stdout"]


def to_stdout(connection: Connection, action: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Write newline-delimited JSON to standard output; return the last page's metadata."""
    told: dict[str, Any] = {}
    records = 0
    try:
        for page in connection.stream(action, data, as_="ndjson"):
            sys.stdout.buffer.write(page)
            records += page.records
            told = page.metadata
    except (ConnectorError, KeyboardInterrupt):
        say(f"Stopped after {records:,} whole records. With --output FILE the same command goes on where it stopped.")
        raise
    finally:
        sys.stdout.buffer.flush()
    return told


def to_file(connection: Connection, action: str, data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Write newline-delimited JSON to a file, going on where an earlier run was cut off.

    Args:
        connection: The connection.
        action: The action's id.
        data: Its input, with `all`.
        path: The file; made, or continued if `<path>.cursor` lies beside it, or else replaced.

    Returns:
        The last page's metadata, with the number of `records` in the file.

    Raises:
        ConnectorError: The read failed; the file holds whole records, and the same command goes on.
        OSError: The file cannot be written.
    """
    note = path.with_name(path.name + ".cursor")
    begun = _begun(note, data, path)
    records = begun["records"] if begun else 0
    told: dict[str, Any] = {}
    with path.open("r+b" if begun else "wb") as file:
        if begun:
            file.truncate(begun["bytes"])
            file.seek(0, os.SEEK_END)
            data = {**data, "cursor": begun["cursor"]}
            say(f"Going on after {records:,} records of {path}.")
        good = records
        try:
            with _progress(action) as show:
                for page in connection.stream(action, data, as_="ndjson"):
                    file.write(page)
                    records += page.records
                    told = page.metadata
                    show(told["readCount"], told["expectedCount"])
                    if told["cursor"]:
                        file.flush()
                        os.fsync(file.fileno())  # the note must never tell of bytes that a power failure took
                        found = {"bytes": file.tell(), "records": records, "cursor": told["cursor"]}
                        _write_note(note, found | {"input": _question(data)})
                        good = records
            file.flush()
            os.fsync(file.fileno())
        except InputError:
            if begun:
                say(f"{note} does not fit, as after a change of the client secret. Delete it to read everything anew.")
            raise
        except (ConnectorError, KeyboardInterrupt):
            say(f"Stopped. {path} holds {good:,} whole records; the same command goes on after them.")
            raise
    note.unlink(missing_ok=True)
    return told | {"records": records}


def _question(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in {"cursor", "budget", "max_results"}}


def _begun(note: Path, data: Mapping[str, Any], path: Path) -> dict[str, Any] | None:
    """Return how far an earlier run of the same question came."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        begun: dict[str, Any] = json.loads(note.read_text())
        is_ours = begun["input"] == _question(data) and {"records", "cursor"} <= set(begun)
        if is_ours and path.stat().st_size >= begun["bytes"]:
            return begun
    return None


def _write_note(note: Path, begun: Mapping[str, Any]) -> None:
    """Replace the note in one step, readable by this user only."""
    draft = note.with_name(note.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(begun, file)
    draft.replace(note)


@contextlib.contextmanager
def _progress(action: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on a terminal, where rich is installed; nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    try:
        from rich.console import Console  # noqa: PLC0415 -- an extra
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 -- an extra
    except ImportError:
        yield lambda *_: None
        return
    columns = (TextColumn(action), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int | None) -> None:
            of = "" if total is None else f" of {total:,}"
            bar.update(task, completed=done, total=total, description=f"{done:,}{of} records")

        yield show
