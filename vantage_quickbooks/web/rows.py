"""
The rows of results, on disk: a result of any size takes the memory of one page.

Theory of operation
1. Each server has one directory (mode 0700, in the system's directory for temporary files, see TMPDIR), and each result
   one SQLite file in it (mode 0600). Rows go there page by page as they come; pages, sorting, charts and downloads read
   them from there.
2. Rows are compressed one by one, with the first as the dictionary (zlib): rows of a list are alike.
3. A file goes when its result is dropped, the directory when the server ends. A reader that has the file open reads on.
4. A server that is killed leaves its directory behind. Each directory has a lock file that its server holds
   (`flock(2)`, which the kernel releases however a process ends), and the next server removes the directories of this
   user whose lock is free.
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

from vantage_quickbooks.web.formatting import RowFields, sort_key

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from vantage_quickbooks.web.formatting import Column

__all__ = ["PREFIX", "ResultExpired", "ResultFiles", "ResultsError", "Rows"]

PREFIX = "vantage-quickbooks-results-"
"""Of the directories' names."""

_LOCK = "lock"
_CHUNK = 500
"""Rows that are read at once."""

_MAX_DICTIONARY_BYTES = 32 * 1024  # bytes, all that zlib looks back

_CREATE = """
CREATE TABLE row (number INTEGER PRIMARY KEY, packed BLOB NOT NULL);
CREATE TABLE sort_key (
    field TEXT NOT NULL, number INTEGER NOT NULL, unit TEXT NOT NULL, key, PRIMARY KEY (field, number)
) WITHOUT ROWID;
"""
# Numbers sort before text (SQLite, "Sort Order"), empty cells last either way, and currencies one after the other.
_SORTED = """
SELECT packed FROM sort_key JOIN row USING (number) WHERE field = ?
ORDER BY key IS NULL, unit, key {order}, number LIMIT ? OFFSET ?
"""


class ResultExpired(Exception):  # noqa: N818 -- what happened, not a mistake
    """The result was dropped while it was asked for."""


class ResultsError(Exception):
    """Results cannot be kept on disk; the message says where, why and what to do."""


class ResultFiles:
    """The directory of this server's results; removed by `close`, or when the process ends.

    Args:
        parent: Where it is made; by default the system's directory for temporary files.

    Raises:
        ResultsError: It cannot be made.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        _remove_leftovers(parent)
        try:
            self.directory, lock = _locked_directory(parent)
        except OSError as error:
            raise ResultsError(f"Results cannot be kept in {parent}: {error.strerror}.") from None
        self._finalizer = weakref.finalize(self, _release, self.directory, lock)

    def new(self, name: str, views: Iterable[Mapping[str, Any]] = ()) -> Rows:
        """Return the rows of a new result, none so far; nothing is written before the first."""
        return Rows(self.directory / f"{name}.sqlite3", views)

    def close(self) -> None:
        """Remove the directory with all results."""
        self._finalizer()


class Rows:
    """The rows of one result, in the order in which they were appended.

    Appended to by one thread; read by any, once all are there.

    Args:
        path: The file; made at the first row.
        views: The action's, which name the members that matter.

    Attributes:
        members: Which members the rows have.
    """

    def __init__(self, path: Path, views: Iterable[Mapping[str, Any]] = ()) -> None:
        self._path = path
        self._count = 0
        self._views = list(views)
        self._lock = threading.Lock()
        self._dictionary = b""
        self.members = RowFields(self._views)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield all rows, reading a few at once."""
        if self._count:
            with self._database() as database:
                yield from self._all(database)

    def _all(self, database: sqlite3.Connection) -> Iterator[dict[str, Any]]:
        last = 0
        while chunk := database.execute(
            "SELECT number, packed FROM row WHERE number > ? ORDER BY number LIMIT ?", (last, _CHUNK)
        ).fetchall():
            last = chunk[-1][0]
            for _, packed in chunk:
                yield self._unpack(packed)

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows at the end.

        Raises:
            ResultsError: The disk is full, or the directory is gone.
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
                        database.executescript(_CREATE)
                    database.executemany("INSERT INTO row VALUES (?, ?)", self._packed(rows))
        except ResultExpired:
            raise ResultsError(f"{self._path.parent} was removed while a result was written to it.") from None

    def _packed(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, bytes]]:
        for number, row in enumerate(rows, self._count + 1):
            self.members.add(row)
            text = json.dumps(row, separators=(",", ":"), default=str).encode()
            self._dictionary = self._dictionary or text[-_MAX_DICTIONARY_BYTES:]
            packer = zlib.compressobj(zlib.Z_BEST_SPEED, zdict=self._dictionary)
            yield number, packer.compress(text) + packer.flush()
            self._count = number

    def _unpack(self, packed: bytes) -> dict[str, Any]:
        row: dict[str, Any] = json.loads(zlib.decompressobj(zdict=self._dictionary).decompress(packed))
        return row

    def page(
        self, first: int, count: int, by: Column | None = None, *, descending: bool = False
    ) -> list[dict[str, Any]]:
        """Return some of the rows.

        Args:
            first: Index of the first, from 0.
            count: How many at the most.
            by: The column that sorts them; None leaves them in their order. Equal rows stay in it, empty cells last.
            descending: Whether the largest come first.

        Raises:
            ResultExpired: The result was dropped.
        """
        if not self._count:
            return []
        with self._translated(), self._database() as database:
            if by is None:
                found = database.execute("SELECT packed FROM row ORDER BY number LIMIT ? OFFSET ?", (count, first))
            else:
                self._add_sort_keys(database, by)
                statement = _SORTED.format(order="DESC" if descending else "ASC")
                found = database.execute(statement, (by.field, count, first))
            return [self._unpack(packed) for (packed,) in found]

    def drop(self) -> None:
        """Remove the rows."""
        self._count = 0
        self.members = RowFields(self._views)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _add_sort_keys(self, database: sqlite3.Connection, by: Column) -> None:
        """Note by what the rows are sorted, once for each column."""
        with self._lock:
            if database.execute("SELECT 1 FROM sort_key WHERE field = ?", (by.field,)).fetchone():
                return
            # Read by the connection that writes: another one would wait for its lock, and it for the other's rows.
            rows = enumerate(self._all(database), 1)
            keys = ((by.field, number, *sort_key(row, by)) for number, row in rows)
            with database:
                database.executemany("INSERT INTO sort_key VALUES (?, ?, ?, ?)", keys)

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ResultsError(
                f"Rows cannot be kept in {self._path.parent}: {reason}. Free some space there, or set TMPDIR to "
                "another place and start again."
            ) from None

    @contextlib.contextmanager
    def _database(self) -> Generator[sqlite3.Connection]:
        # A download reads from one thread after the other; mode=rw, since a file that was removed is not made again.
        try:
            database = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=rw", uri=True, timeout=30, check_same_thread=False
            )
        except sqlite3.OperationalError:
            raise ResultExpired from None
        with contextlib.closing(database):
            database.execute("PRAGMA journal_mode = MEMORY")
            database.execute("PRAGMA synchronous = OFF")  # nobody reads the file after a crash
            yield database


def _locked_directory(parent: Path) -> tuple[Path, int]:
    """Make a directory and hold its lock."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (directory / _LOCK).exists():
                return directory, lock
        os.close(lock)  # another server that starts took the directory for a leftover in this very moment


def _release(directory: Path, lock: int) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    os.close(lock)


def _remove_leftovers(parent: Path) -> None:
    """Remove the directories of servers that were killed."""
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
