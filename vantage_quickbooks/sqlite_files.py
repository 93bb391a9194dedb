"""SQLite files that only the current user can read. Standard library only."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vantage_quickbooks.private_files import make_private_directory

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

__all__ = ["create_sqlite_file", "open_sqlite_file"]


def create_sqlite_file(file: Path) -> None:
    """Create a file with mode 0600, and its directory, unless they exist. SQLite itself creates files others can read.

    Args:
        file: The file.

    Raises:
        OSError: It cannot be created.
    """
    make_private_directory(file.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def open_sqlite_file(file: Path, busy_timeout_s: float, **options: Any) -> sqlite3.Connection:
    """Open a file that exists. Hold `locks.FORK_GUARD` while it is open.

    Args:
        file: The file.
        busy_timeout_s: How long an operation waits for other writers.
        **options: As for `sqlite3.connect`.

    Raises:
        sqlite3.Error: It cannot be opened.
    """
    import sqlite3  # noqa: PLC0415 -- not needed where the host keeps the tokens

    # mode=rw: SQLite must not create the file, because other users could read it.
    uri = f"file:{quote(str(file))}?mode=rw"
    database: sqlite3.Connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, **options)
    return database
