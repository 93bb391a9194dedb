"""Write a full read to a file or to standard output as it comes, so that Ctrl-C or a killed process costs nothing.

Beside the file lies `<file>.cursor` while the read is not complete: how many bytes of the file are good, their digest,
and where to go on. The same command goes on from there; what was half written is cut off first. One export at a time
writes to a file: it holds the file's lock (flock).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from vantage_quickbooks.catalog.columns import columns_for
from vantage_quickbooks.cli.files import check_not_settings
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.output import say
from vantage_quickbooks.errors import ConnectorError, InputError
from vantage_quickbooks.tabular import csv_header, csv_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from vantage_quickbooks.catalog.columns import Columns
    from vantage_quickbooks.connector.connection import Connection

__all__ = ["Export", "fields_of", "to_file", "to_stdout"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Export:
    """What is exported.

    Attributes:
        connection: The connection.
        action: The action's id.
        data: Its input, with `all`.
        format: `ndjson` or `csv`.
    """

    connection: Connection
    action: str
    data: Mapping[str, Any]
    format: str

    @property
    def columns(self) -> Columns | None:
        """Return the columns of a CSV."""
        return columns_for(self.action, fields_of(self.data)) if self.format == "csv" else None

    def head(self) -> bytes:
        """Return what stands before the first record."""
        return csv_header(self.columns).encode() if self.columns else b""

    def pages(self, cursor: str | None = None) -> Iterator[tuple[bytes, int, dict[str, Any]]]:
        """Yield each page as it is written, the number of its records, and its metadata."""
        data = self.data if cursor is None else {**self.data, "cursor": cursor}
        columns = self.columns
        if columns is None:
            for lines in self.connection.stream(self.action, data, as_="ndjson"):
                yield lines, lines.records, lines.metadata
            return
        for page in self.connection.stream(self.action, data):
            rows = next(value for value in page.values() if isinstance(value, list))
            yield csv_rows(rows, columns).encode(errors="backslashreplace"), page["count"], page["metadata"]
            del page, rows  # one page in memory at a time

    def question(self) -> dict[str, Any]:
        """Return what a later run must ask, too, to go on with the same file."""
        asked = {
            key: value for key, value in self.data.items() if key not in {"cursor", "max_api_calls", "max_results"}
        }
        return {"input": asked, "format": self.format, "head": hashlib.blake2b(self.head()).hexdigest()[:32]}


def fields_of(data: Any) -> list[str] | None:
    """Return the properties that an input asks for, given as a list or as a text with commas; None for all."""
    asked = data.get("fields") if isinstance(data, dict) else None
    if isinstance(asked, str):
        asked = asked.split(",")
    if not isinstance(asked, list):
        return None
    return [name.strip() for name in asked if isinstance(name, str) and name.strip()] or None


def to_stdout(export: Export) -> dict[str, Any]:
    """Write to standard output; return the last page's metadata."""
    told: dict[str, Any] = {}
    records = 0
    out = sys.stdout.buffer
    try:
        for index, (page, count, metadata) in enumerate(export.pages()):
            out.write(export.head() + page if index == 0 else page)
            records += count
            told = metadata
            del page
    except (ConnectorError, KeyboardInterrupt):
        say(f"Stopped after {records:,} whole records. With --output FILE the same command goes on where it stopped.")
        raise
    finally:
        out.flush()
    return told


def to_file(export: Export, path: Path) -> dict[str, Any]:
    """Write to a file, going on where an earlier run was cut off.

    Args:
        export: What is exported.
        path: The file; made, or continued if `<path>.cursor` lies beside it, or else replaced once records come.

    Returns:
        The last page's metadata, with the number of `records` in the file.

    Raises:
        UsageError: The file cannot be used: another export writes to it, or it is not the one that an earlier run left.
        ConnectorError: The read failed; the file holds whole records, and the same command goes on.
        OSError: The file cannot be written.
    """
    is_new = not path.exists()
    check_not_settings(path)
    with _locked(path) as file:
        run = _Run(export, path, file)
        try:
            return run.read()
        finally:
            if is_new and os.fstat(file.fileno()).st_size == 0:
                path.unlink(missing_ok=True)


class _Run:
    """One run of an export to a file that is locked.

    Args:
        export: What is exported.
        path: The file's name.
        file: The file.
    """

    def __init__(self, export: Export, path: Path, file: BinaryIO) -> None:
        self._export = export
        self._path = path
        self._file = file
        self._note = path.with_name(path.name + ".cursor")
        self._digest = hashlib.blake2b()
        self._begun = self._find()

    def read(self) -> dict[str, Any]:
        """Read on to the end; see `to_file`."""
        begun = self._begun
        good = records = begun["records"] if begun else 0
        told: dict[str, Any] = {}
        if begun:
            say(f"Going on after {records:,} records of {self._path}.")
            self._file.truncate(begun["bytes"])
            self._file.seek(0, os.SEEK_END)
        try:
            with _progress(self._export.action) as show:
                for page, count, metadata in self._export.pages(begun["cursor"] if begun else None):
                    if begun is None and not told:
                        self._begin()
                    self._write(page)
                    del page
                    records += count
                    told = metadata
                    show(told["readCount"], told["expectedCount"])
                    if told["cursor"]:
                        self._sync()  # the note must never name bytes that a power failure took
                        self._keep(records, told["cursor"])
                        good = records
            self._sync()
        except InputError:
            if begun:
                say(f"{self._note} does not fit, as after a change of the client secret. Delete it to begin anew.")
            raise
        except (ConnectorError, KeyboardInterrupt, OSError):
            if begun or told:
                say(f"Stopped. {self._path} holds {good:,} whole records; the same command goes on after them.")
            raise
        self._note.unlink(missing_ok=True)
        return told | {"records": records}

    def _begin(self) -> None:
        """Empty the file, now that there is something to put in its place."""
        self._note.unlink(missing_ok=True)
        self._file.truncate(0)
        self._write(self._export.head())

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def _find(self) -> dict[str, Any] | None:
        """Return how far an earlier run of the same question came.

        Raises:
            UsageError: The file is not what that run wrote.
        """
        try:
            begun = json.loads(self._note.read_bytes())
            size, digest = int(begun["bytes"]), str(begun["digest"])
            is_ours = begun["question"] == self._export.question() and {"records", "cursor"} <= set(begun)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not is_ours or not os.fstat(self._file.fileno()).st_size:
            return None
        if self._hash(size) != digest:
            raise UsageError(
                f"{self._path} is not the file that {self._note} goes on with: it was changed or replaced. "
                f"Delete {self._note} to begin anew, which replaces the file."
            )
        return dict(begun)

    def _hash(self, size: int) -> str:
        """Take the first *size* bytes of the file into the digest and return it."""
        while size > 0 and (chunk := self._file.read(min(size, _CHUNK))):
            self._digest.update(chunk)
            size -= len(chunk)
        return self._digest.hexdigest() if size == 0 else ""

    def _keep(self, records: int, cursor: str) -> None:
        """Replace the note in one step, readable by this user only, through no link that another user has laid."""
        found = {"bytes": self._file.tell(), "digest": self._digest.hexdigest(), "records": records, "cursor": cursor}
        descriptor, draft = tempfile.mkstemp(dir=self._note.absolute().parent, prefix=f".{self._note.name}-")
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(found | {"question": self._export.question()}, file)
            os.replace(draft, self._note)  # noqa: PTH105 -- a name, not a path
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)  # noqa: PTH108 -- as above
            raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read and write, alone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666)  # a FIFO without a reader would wait
    with os.fdopen(descriptor, "r+b") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path} is not a regular file. Leave --output out to write to standard output.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"Another export is writing to {path}. Wait for it, or choose another file.") from None
        yield file


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
