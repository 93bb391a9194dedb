"""Write a full read to a file or to standard output, page by page; an interrupted export to a file can be resumed.

While the read is incomplete, `<file>.cursor` contains how many bytes of the file are valid, their digest, and the
cursor of the next page. The same command resumes there, after it has removed a partly written record. One export at a
time writes to a file: it holds the file's lock (flock).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from vantage_quickbooks.cli.descriptor import csv_columns, requested_fields
from vantage_quickbooks.cli.files import check_not_settings
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.output import say
from vantage_quickbooks.errors import ConnectorError, InputError
from vantage_quickbooks.locks import flock
from vantage_quickbooks.tabular import csv_header, csv_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from vantage_quickbooks.catalog.columns import Columns
    from vantage_quickbooks.connector.connection import Connection

__all__ = ["Export", "to_file", "to_parquet", "to_stdout"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Export:
    """What is exported.

    Attributes:
        connection: The connection.
        action: The action's entry of the descriptor.
        data: Its input, a full read.
        format: `ndjson`, `csv`, or `arrow`, which is an IPC stream.
    """

    connection: Connection
    action: Mapping[str, Any]
    data: Mapping[str, Any]
    format: str

    @property
    def columns(self) -> Columns | None:
        """The columns of a CSV."""
        return csv_columns(self.action, self.data) if self.format == "csv" else None

    def head(self) -> bytes:
        """Return what precedes the first record: the header of a CSV, the schema of an Arrow stream."""
        if self.format == "arrow":
            from vantage_quickbooks.cli import arrow_files

            return arrow_files.head(self.action["id"], requested_fields(self.data))
        return csv_header(self.columns).encode() if self.columns else b""

    def tail(self) -> bytes:
        """Return what follows the last record: the end of an Arrow stream."""
        if self.format == "arrow":
            from vantage_quickbooks.cli import arrow_files

            return arrow_files.END
        return b""

    def pages(self, cursor: str | None = None) -> Iterator[tuple[bytes, int, dict[str, Any]]]:
        """Yield the bytes of each page, the number of its records, and its metadata."""
        data = self.data if cursor is None else {**self.data, "cursor": cursor}
        if self.format == "arrow":
            from vantage_quickbooks.cli import arrow_files

            yield from arrow_files.batch_messages(self.connection.stream(self.action["id"], data, as_="arrow"))
            return
        columns = self.columns
        if columns is None:
            for lines in self.connection.stream(self.action["id"], data, as_="ndjson"):
                yield lines, lines.records, lines.metadata
            return
        for page in self.connection.stream(self.action["id"], data):
            rows = page[self.action["rowsKey"]]
            yield csv_rows(rows, columns).encode(errors="backslashreplace"), page["count"], page["metadata"]
            del page, rows  # peak memory stays at one page

    def request(self) -> dict[str, Any]:
        """Return what must be the same in the run that resumes."""
        asked = {
            key: value for key, value in self.data.items() if key not in {"cursor", "max_api_calls", "max_results"}
        }
        return {"input": asked, "format": self.format, "head": hashlib.blake2b(self.head()).hexdigest()[:32]}


def to_stdout(export: Export) -> dict[str, Any]:
    """Write to standard output; return the last page's metadata."""
    last: dict[str, Any] = {}
    records = 0
    out = sys.stdout.buffer
    try:
        for index, (page, count, metadata) in enumerate(export.pages()):
            out.write(export.head() + page if index == 0 else page)
            records += count
            last = metadata
            del page
        out.write(export.tail())
    except (ConnectorError, KeyboardInterrupt):
        say(f"Stopped after {records:,} complete records. With --output FILE, the same command can be resumed.")
        raise
    finally:
        out.flush()
    return last


def to_parquet(export: Export, path: Path) -> dict[str, Any]:
    """Write to a Parquet file, which appears when it is complete, or resume an interrupted export.

    Until then, `<path>.part` holds what was read, as an Arrow stream, and is resumed as other exports are.

    Args:
        export: What is exported, as `arrow`.
        path: The file; it is replaced.

    Returns:
        As `to_file`; the counters are those of all pages.

    Raises:
        UsageError: See `to_file`.
        ConnectorError: See `to_file`.
        OSError: A file cannot be written.
    """
    from vantage_quickbooks.cli.arrow_files import write_parquet

    check_not_settings(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a regular file.")
    part = path.with_name(path.name + ".part")
    counters: dict[str, Any] = {}

    def finish(stream: BinaryIO) -> None:
        counters.update(write_parquet(stream, path))
        part.unlink()

    return to_file(export, part, finish) | counters


def to_file(export: Export, path: Path, finish: Callable[[BinaryIO], None] = lambda _: None) -> dict[str, Any]:
    """Write to a file, or resume an interrupted export.

    Args:
        export: What is exported.
        path: The file. It is created, or resumed if `<path>.cursor` matches it; otherwise it is replaced as soon as the
            first page is read.
        finish: Called with the complete file while its lock is held; if it fails, the export can be resumed.

    Returns:
        The last page's metadata, with the number of `records` in the file.

    Raises:
        UsageError: Another export writes to the file, or the file was changed after an interrupted export.
        ConnectorError: The read failed; the file contains complete records, and the same command resumes.
        OSError: The file cannot be written.
    """
    is_new = not path.exists()
    check_not_settings(path)
    with _locked(path) as file:
        run = _Run(export, path, file)
        try:
            return run.read(finish)
        finally:
            if is_new and os.fstat(file.fileno()).st_size == 0:
                path.unlink(missing_ok=True)


class _Run:
    """One run of an export, to a locked file.

    Args:
        export: What is exported.
        path: The name of the file.
        file: The file.
    """

    def __init__(self, export: Export, path: Path, file: BinaryIO) -> None:
        self._export = export
        self._path = path
        self._file = file
        self._checkpoint = path.with_name(path.name + ".cursor")
        self._digest = hashlib.blake2b()
        self._resumed = self._load_checkpoint()

    def read(self, finish: Callable[[BinaryIO], None]) -> dict[str, Any]:
        """Read the remaining pages; see `to_file`."""
        resumed = self._resumed
        good = records = resumed["records"] if resumed else 0
        last: dict[str, Any] = {}
        if resumed:
            say(f"Resuming after {records:,} records in {self._path}.")
            self._file.truncate(resumed["bytes"])
            self._file.seek(0, os.SEEK_END)
        try:
            with _progress(self._export.action["title"]) as show:
                for page, count, metadata in self._export.pages(resumed["cursor"] if resumed else None):
                    if resumed is None and not last:
                        self._start()
                    self._write(page)
                    del page
                    records += count
                    last = metadata
                    show(last["readCount"], last["expectedCount"])
                    if last["cursor"]:
                        self._sync()  # the checkpoint must not count bytes that a power failure can still lose
                        self._save_checkpoint(records, last["cursor"])
                        good = records
            self._write(self._export.tail())
            self._sync()
            finish(self._file)
        except InputError:
            if resumed:
                say(
                    f"{self._checkpoint} is not valid for these settings, for example after a change of the client "
                    "secret. Delete it to start again."
                )
            raise
        except (ConnectorError, KeyboardInterrupt, OSError):
            if resumed or last:
                say(f"Stopped. {self._path} contains {good:,} complete records. Run the same command to resume.")
            raise
        self._checkpoint.unlink(missing_ok=True)
        return last | {"records": records}

    def _start(self) -> None:
        """Empty the file, now that there are records to replace its content."""
        self._checkpoint.unlink(missing_ok=True)
        self._file.truncate(0)
        self._write(self._export.head())

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def _load_checkpoint(self) -> dict[str, Any] | None:
        """Return the checkpoint of an interrupted export of the same request.

        Raises:
            UsageError: The file was changed since.
        """
        try:
            saved = json.loads(self._checkpoint.read_bytes())
            size, digest = int(saved["bytes"]), str(saved["digest"])
            is_ours = saved["request"] == self._export.request() and {"records", "cursor"} <= set(saved)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not is_ours or not os.fstat(self._file.fileno()).st_size:
            return None
        if self._hash(size) != digest:
            raise UsageError(
                f"{self._path} was changed after the export was interrupted, so it cannot be resumed. "
                f"Delete {self._checkpoint} to start again, which replaces the file."
            )
        return dict(saved)

    def _hash(self, size: int) -> str:
        """Update the digest with the first *size* bytes of the file and return it."""
        while size > 0 and (chunk := self._file.read(min(size, _CHUNK))):
            self._digest.update(chunk)
            size -= len(chunk)
        return self._digest.hexdigest() if size == 0 else ""

    def _save_checkpoint(self, records: int, cursor: str) -> None:
        """Replace the checkpoint atomically, readable by this user only; a symbolic link is not followed."""
        found = {"bytes": self._file.tell(), "digest": self._digest.hexdigest(), "records": records, "cursor": cursor}
        descriptor, draft = tempfile.mkstemp(
            dir=self._checkpoint.absolute().parent, prefix=f".{self._checkpoint.name}-"
        )
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(found | {"request": self._export.request()}, file)
            os.replace(draft, self._checkpoint)  # noqa: PTH105 -- a name, not a path
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)  # noqa: PTH108 -- a name, not a path
            raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading and writing, with its lock held."""
    descriptor = os.open(
        path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666
    )  # O_NONBLOCK: a FIFO without a reader would block
    with os.fdopen(descriptor, "r+b") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path} is not a regular file. Without --output, the result goes to standard output.")
        if not flock(descriptor, 0):
            raise UsageError(f"Another export is writing to {path}. Wait until it ends, or choose another file.")
        yield file


@contextlib.contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a progress bar if standard error is a terminal and rich is installed."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield lambda *_: None
        return
    columns = (TextColumn(title), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int | None) -> None:
            of = "" if total is None else f" of {total:,}"
            bar.update(task, completed=done, total=total, description=f"{done:,}{of} records")

        yield show
