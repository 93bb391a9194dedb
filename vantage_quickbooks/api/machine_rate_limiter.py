"""Rate limits of one company for all processes of a machine that share a directory.

A slot for one request is a lock file, and the times at which requests started are in a small file. The directory is
beside a SQLite token file, or in the user's state directory where a database server keeps the tokens. If its files
cannot be written, each process observes the limits on its own.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import time
from typing import TYPE_CHECKING

from vantage_quickbooks.locks import FileLocks, LockTimeoutError
from vantage_quickbooks.private_files import remove_old_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MachineRateLimiter"]

START_LOG_TIMEOUT_S = 5.0
"""Timeout for the lock of the file of start times: each holder has it for well under a millisecond."""

SLOT_POLL_INTERVAL_S = 0.02
START_LOG_POLL_INTERVAL_S = 0.25

START_LOG_AGE_S = 120.0
"""A file of start times that was not written to for so long contains none that a window counts."""


class MachineRateLimiter:
    """Limits the requests that all processes of this machine send for one company.

    Args:
        directory: Where the files are.
        name: The company and the server.
        max_concurrent: Maximum number of requests in flight.
        windows: Pairs of a length in seconds and the maximum number of requests started within it.
    """

    def __init__(self, directory: Path, name: str, max_concurrent: int, windows: tuple[tuple[float, int], ...]) -> None:
        self._locks = FileLocks(directory)
        self._key = hashlib.sha256(name.encode()).hexdigest()[:16]
        self._start_log = directory / f"{self._key}.starts"
        self._max_concurrent = max_concurrent
        self._windows = windows
        self._longest_window_s = max(span for span, _ in windows)
        remove_old_files(directory, ".starts", START_LOG_AGE_S)

    @contextlib.contextmanager
    def try_acquire(self) -> Iterator[float]:
        """Try to take a slot for one request, for the length of a `with` block, without waiting for one.

        Yields:
            0 if the slot was taken; otherwise the seconds after which to try again.
        """
        try:
            slot = self._take_slot()
        except OSError:
            yield 0.0  # no files can be written: each process observes the limits on its own
            return
        if slot is None:
            yield SLOT_POLL_INTERVAL_S
            return
        try:
            wait_s = 0.0
            with contextlib.suppress(OSError):  # for example a full disk
                wait_s = self._log_start()
            yield wait_s
        finally:
            self._locks.release(slot)

    def _take_slot(self) -> int | None:
        for number in range(self._max_concurrent):
            with contextlib.suppress(LockTimeoutError):
                return self._locks.acquire(f"place {number} of {self._key}", 0.0)
        return None

    def _log_start(self) -> float:
        """Log a start now and return 0, or return how long to wait."""
        try:
            guard = self._locks.acquire(f"starts of {self._key}", START_LOG_TIMEOUT_S)
        except LockTimeoutError:
            return START_LOG_POLL_INTERVAL_S  # its holder hangs
        try:
            now = time.monotonic()  # one clock for all processes of a machine
            starts = array.array("d")
            with contextlib.suppress(FileNotFoundError):
                content = self._start_log.read_bytes()
                starts.frombytes(content[: len(content) // 8 * 8])
            # Times in the future were logged before a restart of the machine.
            recent = [at for at in starts if now - self._longest_window_s < at <= now]
            wait_s = max(recent[-most] + span - now if len(recent) >= most else 0.0 for span, most in self._windows)
            if wait_s <= 0:
                self._start_log.write_bytes(array.array("d", [*recent, now]).tobytes())
            return max(wait_s, 0.0)
        finally:
            self._locks.release(guard)
