"""Results that are too large for a model's context: private files that the user and later calls can read."""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vantage_quickbooks.private_files import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ResultFile", "Results"]

MAX_KEPT = 100
"""Files in the temporary directory: a server may run for weeks."""

MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


class ResultFile:
    """One saved result.

    Attributes:
        name: Its file name.
        path: Where it is.
        title: What it contains.
        media_type: `text/csv` or `application/x-ndjson`.
    """

    def __init__(self, path: Path, title: str) -> None:
        self.name = path.name
        self.path = path
        self.title = title
        self.media_type = MEDIA_TYPES[path.suffix[1:]]


class Results:
    """Files of saved results, in a directory that only the user can read.

    Args:
        directory: Where to keep them; None makes a temporary directory that `close` deletes.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._files: dict[str, ResultFile] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def save(self, stem: str, suffix: str, title: str, write: Callable[[BinaryIO], None]) -> ResultFile:
        """Write a result; a file that could not be completed is deleted.

        Args:
            stem: Beginning of its name.
            suffix: `csv` or `ndjson`.
            title: What it contains.
            write: Writes the content.

        Raises:
            OSError: It cannot be written.
        """
        directory = self._prepare()
        descriptor, path = -1, directory
        while descriptor < 0:
            path = directory / f"{stem}-{next(self._numbers)}.{suffix}"
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        found = ResultFile(path, title)
        with self._lock:
            self._files[found.name] = found
            while self._temporary is not None and len(self._files) > MAX_KEPT:
                self._files.pop(next(iter(self._files))).path.unlink(missing_ok=True)
        return found

    def list(self) -> list[ResultFile]:
        """Return the results of this process, oldest first."""
        with self._lock:
            return list(self._files.values())

    def find(self, name: str) -> ResultFile | None:
        """Return a result of this process by its name."""
        with self._lock:
            return self._files.get(name)

    def close(self) -> None:
        """Delete the temporary directory."""
        with self._lock:
            temporary, self._temporary = self._temporary, None
            self._files.clear()
        if temporary is not None:
            temporary.cleanup()

    def _prepare(self) -> Path:
        with self._lock:
            if self._directory is not None:
                make_private_directory(self._directory)
                return self._directory
            if self._temporary is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="vantage-quickbooks-mcp-")
            return Path(self._temporary.name)
