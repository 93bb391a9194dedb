"""
Turns for a company, shared by all processes of this machine.

A turn is a lock file out of ten, which the kernel frees when its holder is killed; the last minute's starts stand in a
small file beside them. A lock file is removed with its lock, and a file of starts when it is old. All lie beside the
file of tokens, or in the user's state directory where a database server keeps the tokens. Where they cannot be written,
each process keeps the limits by itself.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import time
from typing import TYPE_CHECKING

from vantage_quickbooks.auth.locks import FileLocks, remove_old
from vantage_quickbooks.errors import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MachineRateLimiter"]

_PATIENCE_S = 5.0
"""Seconds to wait for the file of starts: each holder has it for well under a millisecond."""

_STARTS_AGE_S = 120.0
"""A file of starts that nothing was written to for so long holds nothing that a window counts."""


class MachineRateLimiter:
    """What all processes of this machine start for one company.

    Args:
        directory: Where the lock files lie.
        name: The company and the server it is asked at.
        at_once: Requests under way at one time.
        windows: Pairs of seconds and of requests started within them.
    """

    def __init__(self, directory: Path, name: str, at_once: int, windows: tuple[tuple[float, int], ...]) -> None:
        self._locks = FileLocks(directory)
        self._key = hashlib.sha256(name.encode()).hexdigest()[:16]
        self._starts = directory / f"{self._key}.starts"
        self._at_once = at_once
        self._windows = windows
        self._longest_s = max(span for span, _ in windows)
        remove_old(directory, ".starts", _STARTS_AGE_S)

    @contextlib.contextmanager
    def try_acquire(self) -> Iterator[float]:
        """Try to take a turn, without waiting for one.

        Yields:
            0 if the turn is taken for the length of the block; else the seconds after which another try is worth it.
        """
        try:
            place = self._place()
        except OSError:
            yield 0.0  # nowhere to meet: each process keeps the limits by itself
            return
        if place is None:
            yield 0.02
            return
        try:
            wait = 0.0
            with contextlib.suppress(OSError):  # a full disk, say
                wait = self._start()
            yield wait
        finally:
            self._locks.release(place)

    def _place(self) -> int | None:
        for number in range(self._at_once):
            with contextlib.suppress(TokenStoreError):
                return self._locks.acquire(f"place {number} of {self._key}", 0.0, "turns")
        return None

    def _start(self) -> float:
        """Note a start now and return 0, or return how long to wait."""
        try:
            guard = self._locks.acquire(f"starts of {self._key}", _PATIENCE_S, "turns")
        except TokenStoreError:
            return 0.25  # a holder hangs: look again
        try:
            now = time.monotonic()  # one clock for all processes of a machine
            starts = array.array("d")
            with contextlib.suppress(FileNotFoundError):
                content = self._starts.read_bytes()
                starts.frombytes(content[: len(content) // 8 * 8])
            recent = [at for at in starts if now - self._longest_s < at <= now]  # later ones are from before a restart
            wait = max(recent[-most] + span - now if len(recent) >= most else 0.0 for span, most in self._windows)
            if wait <= 0:
                self._starts.write_bytes(array.array("d", [*recent, now]).tobytes())
            return max(wait, 0.0)
        finally:
            self._locks.release(guard)
