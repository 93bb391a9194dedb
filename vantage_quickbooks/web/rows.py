"""The rows of results, on disk: a result of any size takes the memory of one page.

Theory of operation
1. Each server has one directory (mode 0700, in the system's directory for temporary files, see TMPDIR) with one SQLite
   file (mode 0600) for each result. Rows are written page by page as they arrive. Pages, sorting, charts and downloads
   read them from there.
2. Each row is compressed with the first row as the dictionary (zlib): the rows of a list are similar.
3. A file is deleted when its result is dropped, the directory when the server stops. A reader that has the file open
   can finish.
4. Sort keys and a searchable text of the columns of the action's table are stored with each row, so that a page of
   50,000 sorted or searched rows takes a moment. The keys of other columns are stored when one is first sorted by.
5. A server that is killed leaves its directory behind. Each server holds a lock on a file in its directory
   (`flock(2)`, which the kernel releases however a process ends). The next server deletes this user's directories whose
   lock is free.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web.formatting import RowFields, cell, search_text, sort_key

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from vantage_quickbooks.web.formatting import Column

__all__ = ["PREFIX", "ResultExpired", "ResultFiles", "ResultsError", "Rows"]

PREFIX = "vantage-quickbooks-results-"
"""Prefix of the directory names."""

_LOCK = "lock"
_CHUNK = 500
"""Rows per read."""

_MAX_DICTIONARY_BYTES = 32 * 1024  # the size of zlib's window

_CREATE = """
CREATE TABLE row (number INTEGER PRIMARY KEY, compressed BLOB NOT NULL);
CREATE TABLE shown (number INTEGER PRIMARY KEY, text TEXT NOT NULL{columns});
CREATE TABLE sort_key (
    field TEXT NOT NULL, number INTEGER NOT NULL, unit TEXT NOT NULL, key, PRIMARY KEY (field, number)
) WITHOUT ROWID;
"""
# Numbers sort before text (https://www.sqlite.org/datatype3.html, "Sort Order"). Empty cells come last in both
# directions, and each currency is sorted by itself.
_SORTED = """
SELECT compressed FROM sort_key JOIN row USING (number) JOIN shown USING (number) WHERE field = :field AND {wanted}
ORDER BY key IS NULL, unit, key {order}, number LIMIT :count OFFSET :first
"""
_SHOWN = """
SELECT compressed FROM shown JOIN row USING (number) WHERE {wanted}
ORDER BY {keys} number LIMIT :count OFFSET :first
"""
_MAX_WORDS = 8
"""Words of a search; further ones are ignored."""


class ResultExpired(Exception):  # noqa: N818 -- what happened, not a mistake
    """The result was dropped while it was read."""


class ResultsError(Exception):
    """Results cannot be stored on disk. The message says where, why and what to do."""


class ResultFiles:
    """The directory of this server's results. It is deleted by `close`, or when the process ends.

    Args:
        parent: Where to create it; by default the system's directory for temporary files.

    Raises:
        ResultsError: It cannot be created.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        _remove_leftovers(parent)
        try:
            self.directory, lock = _locked_directory(parent)
        except OSError as error:
            raise ResultsError(f"Results cannot be stored in {parent}: {error.strerror}.") from None
        self._finalizer = weakref.finalize(self, _release, self.directory, lock)

    def new(self, name: str, action: Mapping[str, Any] | None = None) -> Rows:
        """Return the rows of a new, empty result; the file is created with the first row."""
        return Rows(self.directory / f"{name}.sqlite3", action)

    def close(self) -> None:
        """Delete the directory with all results."""
        self._finalizer()


class Rows:
    """The rows of one result, in the order in which they were appended.

    One thread appends; any thread may read once the result is complete.

    Args:
        path: The file; created with the first row.
        action: The action's descriptor, see `RowFields`.

    Attributes:
        fields: The fields of the rows.
    """

    def __init__(self, path: Path, action: Mapping[str, Any] | None = None) -> None:
        self._path = path
        self._count = 0
        self._action = action
        self._lock = threading.Lock()
        self._dictionary = b""
        self.fields = RowFields(self._action)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield all rows, reading them in chunks."""
        if self._count:
            with self._database() as database:
                yield from self._all(database)

    def _all(self, database: sqlite3.Connection) -> Iterator[dict[str, Any]]:
        last = 0
        while chunk := database.execute(
            "SELECT number, compressed FROM row WHERE number > ? ORDER BY number LIMIT ?", (last, _CHUNK)
        ).fetchall():
            last = chunk[-1][0]
            for _, compressed in chunk:
                yield self._decompress(compressed)

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows.

        Raises:
            ResultsError: The disk is full, or the directory was deleted.
        """
        if not rows:
            return
        is_new = not self._count
        try:
            with self._translated():
                if is_new:
                    os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                with self._database() as database, database:
                    if is_new:
                        columns = "".join(f", unit{place}, key{place}" for place in range(len(self.fields.columns)))
                        database.executescript(_CREATE.format(columns=columns))
                    values = ", ".join(["?"] * (2 + 2 * len(self.fields.columns)))
                    first = self._count + 1
                    insert = f"INSERT INTO shown VALUES ({values})"  # noqa: S608 -- question marks
                    database.executemany(insert, self._shown(rows, first))
                    database.executemany("INSERT INTO row VALUES (?, ?)", self._compress(rows))
        except ResultExpired:
            raise ResultsError(f"{self._path.parent} was deleted while a result was written to it.") from None

    def _compress(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, bytes]]:
        for number, row in enumerate(rows, self._count + 1):
            self.fields.add(row)
            text = json.dumps(row, separators=(",", ":"), default=str).encode()
            self._dictionary = self._dictionary or text[-_MAX_DICTIONARY_BYTES:]
            compressor = zlib.compressobj(zlib.Z_BEST_SPEED, zdict=self._dictionary)
            yield number, compressor.compress(text) + compressor.flush()
            self._count = number

    def _shown(self, rows: Sequence[Mapping[str, Any]], first: int) -> Iterator[tuple[Any, ...]]:
        columns = self.fields.columns
        for number, row in enumerate(rows, first):
            cells = [cell(row, column) for column in columns]
            keys: list[Any] = []
            for column, shown in zip(columns, cells, strict=True):
                unit = str(value_at(row, column.currency) or "") if column.currency else ""
                keys += [unit, sort_key(shown)]
            yield number, search_text(row, columns, cells), *keys

    def _decompress(self, compressed: bytes) -> dict[str, Any]:
        row: dict[str, Any] = json.loads(zlib.decompressobj(zdict=self._dictionary).decompress(compressed))
        return row

    def count(self, text: str) -> int:
        """Return the number of rows that contain all words of a text.

        Raises:
            ResultExpired: The result was dropped.
        """
        if not self._count or not text.split():
            return self._count
        wanted, values = _wanted(text)
        with self._translated(), self._database() as database:
            statement = f"SELECT COUNT(*) FROM shown WHERE {wanted}"  # noqa: S608 -- conditions with parameters
            found: int = database.execute(statement, values).fetchone()[0]
        return found

    def page(
        self, first: int, count: int, by: Column | None = None, *, descending: bool = False, text: str = ""
    ) -> list[dict[str, Any]]:
        """Return a page of the rows.

        Args:
            first: Index of the first row, from 0.
            count: Maximum number of rows.
            by: The column to sort by; None keeps the original order. The sort is stable, with empty cells last.
            descending: Whether the largest come first.
            text: Words that the rows must contain.

        Raises:
            ResultExpired: The result was dropped.
        """
        if not self._count:
            return []
        wanted, values = _wanted(text)
        values |= {"first": first, "count": count}
        order = "DESC" if descending else "ASC"
        with self._translated(), self._database() as database:
            place = next((at for at, it in enumerate(self.fields.columns) if by and it.field == by.field), None)
            if by is None:
                statement = _SHOWN.format(wanted=wanted, keys="")
            elif place is not None:
                unit = f"unit{place}, " if by.is_mixed else ""
                keys = f"key{place} IS NULL, {unit}key{place} {order},"
                statement = _SHOWN.format(wanted=wanted, keys=keys)
            else:
                self._add_sort_keys(database, by)
                statement, values = _SORTED.format(order=order, wanted=wanted), values | {"field": by.field}
            return [self._decompress(compressed) for (compressed,) in database.execute(statement, values)]

    def drop(self) -> None:
        """Delete the rows."""
        self._count = 0
        self.fields = RowFields(self._action)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _add_sort_keys(self, database: sqlite3.Connection, by: Column) -> None:
        """Store the sort keys of a column, once for each column."""
        with self._lock:
            if database.execute("SELECT 1 FROM sort_key WHERE field = ?", (by.field,)).fetchone():
                return
            # Read with the connection that writes: two connections would wait for each other's locks.
            rows = enumerate(self._all(database), 1)
            cells = ((number, cell(row, by)) for number, row in rows)
            keys = ((by.field, number, shown.unit, sort_key(shown)) for number, shown in cells)
            with database:
                database.executemany("INSERT INTO sort_key VALUES (?, ?, ?, ?)", keys)

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ResultsError(
                f"Rows cannot be stored in {self._path.parent}: {reason}. Free some space there, or set TMPDIR "
                "to another directory and start the server again."
            ) from None

    @contextlib.contextmanager
    def _database(self) -> Generator[sqlite3.Connection]:
        # A download reads from several threads in turn. mode=rw: a deleted file is not created again.
        try:
            database = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=rw", uri=True, timeout=30, check_same_thread=False
            )
        except sqlite3.OperationalError:
            raise ResultExpired from None
        with contextlib.closing(database):
            database.execute("PRAGMA journal_mode = MEMORY")
            database.execute("PRAGMA synchronous = OFF")  # the file is not used after a crash
            yield database


def _wanted(text: str) -> tuple[str, dict[str, Any]]:
    """Return the condition, and its values, of the rows that contain all words of a text."""
    words = text.casefold().encode(errors="replace").decode().split()[:_MAX_WORDS]
    conditions = " AND ".join(f"instr(text, :word{at})" for at in range(len(words)))
    return conditions or "1", {f"word{at}": word for at, word in enumerate(words)}


def _locked_directory(parent: Path) -> tuple[Path, int]:
    """Create a directory and lock it."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (directory / _LOCK).exists():
                return directory, lock
        os.close(lock)  # another server that starts just now removed it as a leftover


def _release(directory: Path, lock: int) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    os.close(lock)


def _remove_leftovers(parent: Path) -> None:
    """Delete the directories of servers that were killed."""
    for directory in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            found = directory.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os.close(lock)
