"""Directories and files that only the current user can read. Standard library only."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_file_private", "make_private_directory", "remove_old_files"]

CLEANUP_INTERVAL_S = 60.0


def make_private_directory(directory: Path) -> None:
    """Create *directory* and its missing parents with mode 0700, and sync each to the disk."""
    if directory.is_dir():
        return
    make_private_directory(directory.parent)
    with contextlib.suppress(FileExistsError):  # another process created it first
        directory.mkdir(mode=0o700)
        # Without this, the directory and the first tokens in it could be lost in a power failure.
        descriptor = os.open(directory.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_file_private(file: Path) -> None:
    """Set mode 0600 on a file that other users can read, if the current user owns it."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)


_cleaned_at: dict[tuple[Path, str], float] = {}


def remove_old_files(directory: Path, suffix: str, age_s: float) -> None:
    """Remove files that have not been written to for a while; does the work once a minute at most.

    Args:
        directory: The directory to clean.
        suffix: Suffix of the names of the files to remove.
        age_s: Seconds since the last write after which a file is obsolete.
    """
    now = time.monotonic()
    if now - _cleaned_at.get((directory, suffix), float("-inf")) < CLEANUP_INTERVAL_S:
        return
    _cleaned_at[directory, suffix] = now
    with contextlib.suppress(OSError):
        for path in directory.glob(f"*{suffix}"):
            if time.time() - path.stat().st_mtime > age_s:
                path.unlink(missing_ok=True)
