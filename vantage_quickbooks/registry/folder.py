"""A folder of settings files, `<id>.json`, readable by this user only.

A file contains the settings as any settings file does, and may contain a `label` besides. Files can also be written by
hand or by a deployment tool. A file is replaced as a whole (rename), under a lock for each id that excludes the other
writers of this machine; readers need no lock.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import secrets
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vantage_quickbooks.auth.stores.base import state_directory
from vantage_quickbooks.errors import REGISTRY_INVALID, FieldError, RegistryError
from vantage_quickbooks.locks import FileLocks, LockTimeoutError
from vantage_quickbooks.private_files import make_private_directory, remove_old_files
from vantage_quickbooks.registry.base import Document, StoredRegistry, damaged_error, read_json, without_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

__all__ = ["FolderRegistry"]

SUFFIX = ".json"
LOCK_TIMEOUT_S = 10.0
"""How long a writer waits for another one: each holds the lock for one file, some milliseconds."""

_SETTLED_S = 2.0
"""Age from which a file that is written again has another time, on any file system."""

MAX_FILE_BYTES = 1 << 20
"""Larger files are not settings and are not read."""

_DRAFT_SUFFIX = ".draft"
DRAFT_LIFETIME_S = 3600.0
"""Age at which the draft of a killed process is removed."""

_VARIABLE = "VANTAGE_QUICKBOOKS_REGISTRY"


class FolderRegistry(StoredRegistry):
    """Keeps each connection in a settings file; see the module's docstring.

    Args:
        path: The folder; `connections` in the user's state directory by default. Created by the first `add`.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        super().__init__()
        # The working directory may change between two calls, so the path is made absolute now.
        self._path = Path(path).expanduser().absolute() if path else state_directory() / "connections"
        self._locks = FileLocks(self._path / ".locks")

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    def describe(self) -> str:
        """Return `folder` and its path."""
        return f"folder {self._path}"

    @without_frames
    def prepare(self) -> None:
        """Create the folder and check that files can be created in it. See `StoredRegistry.prepare`."""
        with self._translate_errors("written"):
            make_private_directory(self._path)
            draft, descriptor = self._open_draft()
            os.close(descriptor)
            draft.unlink()

    def _scan(self) -> Iterable[tuple[str, Callable[[], Document | None], object]]:
        with self._translate_errors("read"):
            try:
                files = [
                    (entry.name.removesuffix(SUFFIX), _stamp(entry))
                    for entry in os.scandir(self._path)
                    if entry.name.endswith(SUFFIX) and not entry.name.startswith(".")
                ]
            except FileNotFoundError:
                return []
        return [(name, functools.partial(self._try_read, name), stamp) for name, stamp in files]

    def _read(self, connection_id: str) -> Document:
        document = self._try_read(connection_id)
        if document is None:
            raise self.not_found(connection_id)
        return document

    def _try_read(self, connection_id: str) -> Document | None:
        """Return a document, or None if its file does not exist."""
        where = self.describe()
        with self._translate_errors("read", connection_id):
            try:
                # O_NONBLOCK: a FIFO of this name would otherwise wait for a writer.
                descriptor = os.open(self._file(connection_id), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except FileNotFoundError:
                return None
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise damaged_error(connection_id, where, "it is not a regular file")
                with open(descriptor, "rb", closefd=False) as file:
                    content = file.read(MAX_FILE_BYTES + 1)
            finally:
                os.close(descriptor)
        if len(content) > MAX_FILE_BYTES:
            raise damaged_error(connection_id, where, "it is too large for settings")
        settings = read_json(content, connection_id, where)
        label = settings.pop("label", None)
        if label is not None and not isinstance(label, str):
            raise damaged_error(connection_id, where, "its label is not text")
        return Document(settings, label)

    def _write(self, connection_id: str, document: Document, *, replace: bool) -> None:
        settings, label = document
        content = json.dumps({**({"label": label} if label else {}), **settings}, indent=2, ensure_ascii=False) + "\n"
        with self._translate_errors("written", connection_id):
            make_private_directory(self._path)
            remove_old_files(self._path, _DRAFT_SUFFIX, DRAFT_LIFETIME_S)
            with self._locked(connection_id):
                target = self._file(connection_id)
                if not replace and os.path.lexists(target):
                    raise self.exists_error(connection_id)
                draft, descriptor = self._open_draft()
                try:
                    with os.fdopen(descriptor, "wb") as file:
                        file.write(content.encode())
                        file.flush()
                        os.fsync(descriptor)
                    draft.replace(target)
                except BaseException:
                    draft.unlink(missing_ok=True)
                    raise
                self._sync()

    def _delete(self, connection_id: str) -> None:
        with self._translate_errors("written", connection_id):
            try:
                self._file(connection_id).lstat()  # before the lock, which would create the folder
                with self._locked(connection_id):
                    self._file(connection_id).unlink()
            except FileNotFoundError:
                raise self.not_found(connection_id) from None
            self._sync()

    def _file(self, connection_id: str) -> Path:
        return self._path / (connection_id + SUFFIX)

    def _open_draft(self) -> tuple[Path, int]:
        draft = self._path / f".{secrets.token_hex(8)}{_DRAFT_SUFFIX}"
        return draft, os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def _sync(self) -> None:
        """Make the names in the folder durable."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _locked(self, connection_id: str) -> Generator[None]:
        try:
            descriptor = self._locks.acquire(connection_id, LOCK_TIMEOUT_S)
        except LockTimeoutError:
            raise RegistryError(
                f"Another process has been writing the connection {connection_id} in {self.describe()} for "
                f"{LOCK_TIMEOUT_S:g} seconds. Try again; if this error persists, look for a hanging process.",
                retryable=True,
                details={"connectionId": connection_id},
            ) from None
        try:
            yield
        finally:
            self._locks.release(descriptor)

    @contextlib.contextmanager
    def _translate_errors(self, operation: str, connection_id: str | None = None) -> Generator[None]:
        try:
            yield
        except OSError as error:
            failure = error
        else:
            return
        name = self.describe() if connection_id is None else f"The connection {connection_id} in {self.describe()}"
        message = f"{name[0].upper()}{name[1:]} cannot be {operation}: {os.strerror(failure.errno or 0)}."
        is_misplaced = failure.errno in {errno.ENOTDIR, errno.EEXIST}
        hint = (
            "A file of this name is in the way. Name a folder, or a database by its URL (sqlite:////path)."
            if is_misplaced
            else "Free some space, and repeat the command: nothing stored was lost."
            if failure.errno in {errno.ENOSPC, errno.EDQUOT}
            else "Check the permissions of the folder and its files, or name another registry."
        )
        raise RegistryError(
            f"{message} {hint}",
            [FieldError(_VARIABLE, "path", message, hint)],
            code=REGISTRY_INVALID if is_misplaced else None,
            details={"connectionId": connection_id, "reason": errno.errorcode.get(failure.errno or 0)},
        )


def _stamp(entry: os.DirEntry[str]) -> object:
    """Return what changes with a file; None if it was changed a moment ago, and may be again at the same time."""
    try:
        found = entry.stat()
    except OSError:
        return None
    if abs(time.time() - found.st_mtime) < _SETTLED_S:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
