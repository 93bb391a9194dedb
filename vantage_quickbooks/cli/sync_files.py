"""Files of syncs: the state, replaced after each change set, and the changes, one per line, appended."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.locks import flock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vantage_quickbooks.contract import ChangeSet

__all__ = ["InUseError", "append", "lines", "locked", "opened", "read_state", "save"]

_BLOCK = 1 << 16
_LINE = b'{"op":"'
"""How each line begins."""


class InUseError(UsageError):
    """Another sync uses a file."""


def read_state(path: Path) -> str | None:
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
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a state file, `<file>.lock`: one sync at a time writes it.

    Raises:
        InUseError: Another sync holds it.
        UsageError: The directory cannot be written.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{lock} cannot be written: {error.strerror or 'the system refused'}.") from None
    try:
        if not flock(descriptor, 0):
            raise InUseError(f"Another sync uses {path}. Wait until it ends, or use another state file.")
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def opened(output: str | os.PathLike[str] | None) -> Iterator[BinaryIO]:
    """Open the output for appending; None is standard output.

    A line that a killed process has begun is removed: its changes come again, because their state was not stored.

    Raises:
        InUseError: Another sync writes to the file.
        UsageError: It contains settings, or something other than lines of a sync at its end.
        OSError: It cannot be written.
    """
    if output is None:
        yield sys.stdout.buffer
        return
    from vantage_quickbooks.cli.files import check_not_settings

    path = Path(output)
    check_not_settings(path)
    if path.exists() and not path.is_file():  # a pipe
        with path.open("ab") as file:
            yield file
        return
    with path.open("a+b") as file:
        if not flock(file.fileno(), 0):
            raise InUseError(f"Another sync writes to {path}. Wait until it ends, or use another file.")
        _remove_torn_line(file, path)
        yield file


def _remove_torn_line(file: BinaryIO, path: Path) -> None:
    begin = end = file.seek(0, os.SEEK_END)
    tail = b""
    while begin and b"\n" not in tail:
        begin = max(0, begin - _BLOCK)
        file.seek(begin)
        tail = file.read(end - begin)
    torn = tail.rpartition(b"\n")[2]
    if not torn:
        return
    if not (torn.startswith(_LINE) or _LINE.startswith(torn)):
        raise UsageError(f"{path} does not end with a line of a sync. Choose another file for the output.")
    file.truncate(end - len(torn))


def append(found: ChangeSet, file: BinaryIO) -> None:
    """Write the changes of a set, one per line, durably if it is a file on a disk."""
    is_empty = True
    for line in lines(found):
        is_empty = False
        file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace"))
        file.write(b"\n")
    file.flush()
    if file is not sys.stdout.buffer and not is_empty:
        os.fsync(file.fileno())


def lines(found: ChangeSet) -> Iterator[dict[str, Any]]:
    """Yield the changes of a set, one operation each."""
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


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Replace the state file, durably."""
    from vantage_quickbooks.cli.files import replacing

    with replacing(path, is_private=True) as file:
        json.dump(state, file)
