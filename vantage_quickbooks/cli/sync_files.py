"""Files of syncs: the state, replaced after each change set, and the changes, one per line, appended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vantage_quickbooks.cli.inputs import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vantage_quickbooks.contract import ChangeSet

__all__ = ["append", "lines", "locked", "opened", "read_state", "save"]


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
def opened(output: str | None) -> Iterator[BinaryIO]:
    """Open the output for appending; a settings file is not written to."""
    if output is None:
        yield sys.stdout.buffer
        return
    from vantage_quickbooks.cli.files import check_not_settings

    check_not_settings(Path(output))
    with Path(output).open("ab") as file:
        yield file


def append(found: ChangeSet, file: BinaryIO) -> None:
    """Write the changes of a set, one per line, durably if it is a file on a disk."""
    for line in lines(found):
        file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace"))
        file.write(b"\n")
    file.flush()
    if file is not sys.stdout.buffer:
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
