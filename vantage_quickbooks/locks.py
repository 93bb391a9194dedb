"""Exclusive locks by key: between the threads of a process, and between the processes of a machine.

Standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, ClassVar

from vantage_quickbooks.private_files import make_private_directory

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["FORK_GUARD", "FileLocks", "LockTimeoutError", "ThreadLocks", "flock"]

MIN_POLL_INTERVAL_S, MAX_POLL_INTERVAL_S = 0.001, 0.02
"""Pauses between attempts to take a lock: short at first, because a waiting process usually only has to read the result
of another one; never long, so that the lock of a killed process is taken over quickly."""

FORK_GUARD = threading.Lock()
"""Held while a lock file is being opened and while a SQLite connection is open, so that no fork happens meanwhile."""


class LockTimeoutError(Exception):
    """A lock was not released in time."""


class ThreadLocks:
    """One lock per key for the threads of this process. In a forked child all of them are released."""

    _all: ClassVar[weakref.WeakSet[ThreadLocks]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.reset()
        self._all.add(self)

    def reset(self) -> None:
        """Start again with no lock held."""
        self.guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, list[object]]] = {}  # a lock, and its holder and waiters

    @contextlib.contextmanager
    def hold(self, key: str, timeout_s: float) -> Generator[None]:
        """Hold the lock of *key* for a `with` block.

        Args:
            key: The name of the lock.
            timeout_s: How long to wait for it.

        Raises:
            LockTimeoutError: It was not released in time.
        """
        user = object()
        with self.guard:
            locks = self._locks
            lock, users = locks.setdefault(key, (threading.Lock(), []))
            users.append(user)
        try:
            if not lock.acquire(timeout=min(max(timeout_s, 0.0), threading.TIMEOUT_MAX)):
                raise LockTimeoutError
            try:
                yield
            finally:
                lock.release()
        finally:
            with self.guard:
                users.remove(user)
                if not users and locks.get(key) == (lock, users):
                    del locks[key]  # bounds memory: a process may serve a hundred thousand companies

    def __len__(self) -> int:
        return len(self._locks)

    @classmethod
    def after_fork_in_child(cls) -> None:
        """Release all locks of all instances."""
        for locks in cls._all:
            locks.reset()


class FileLocks:
    """One lock file per key, for all threads and processes of the machine.

    The holder of a lock removes its file on release, so the directory contains only files of locks that are held and of
    processes that were killed. A process that waited for a file that was removed meanwhile notices that and retries
    with a new file.

    The lock is a plain `flock(2)` (https://man7.org/linux/man-pages/man2/flock.2.html). It belongs to an open file, so
    each acquisition opens its own and excludes all others, in the same process or not, and the kernel releases it when
    the last descriptor is closed, however the process ends. The library filelock does the same, but with versions that
    hosts still have (seen with 3.16), a child forked while its parent holds a lock releases it, and newer versions fall
    back to a lock that outlives its holder where flock is missing.

    Args:
        directory: Where the lock files are; created when needed.
    """

    _held: ClassVar[dict[int, Path]] = {}

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def acquire(self, key: str, timeout_s: float) -> int:
        """Take the lock of *key*.

        Args:
            key: The name of the lock; "" is reserved for setting up the directory's owner.
            timeout_s: How long to wait; 0 tries once.

        Returns:
            The argument for `release`.

        Raises:
            LockTimeoutError: It was not released in time.
            OSError: The lock file cannot be opened.
        """
        path = self._directory / f"{hashlib.sha256(key.encode()).hexdigest()[:32] if key else 'setup'}.lock"
        give_up_at = time.monotonic() + timeout_s
        while True:
            descriptor = self._open(path)
            try:
                is_acquired = flock(descriptor, give_up_at - time.monotonic())
                is_current = is_acquired and _is_current(descriptor, path)
            except BaseException:
                self._close(descriptor)
                raise
            if is_current:
                return descriptor
            self._close(descriptor)
            if not is_acquired:
                raise LockTimeoutError

    def release(self, descriptor: int) -> None:
        """Release what `acquire` returned."""
        with FORK_GUARD:
            path = self._held.pop(descriptor, None)
            if path is None:  # in a child that was forked while the lock was held
                return
            try:
                with contextlib.suppress(OSError):  # a file that stays behind does no harm
                    if _is_current(descriptor, path):  # else it was removed by hand, and the file is another holder's
                        path.unlink()
            finally:
                os.close(descriptor)

    def _open(self, path: Path) -> int:
        make_private_directory(self._directory)
        with FORK_GUARD:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o600)
            self._held[descriptor] = path
        return descriptor

    def _close(self, descriptor: int) -> None:
        with FORK_GUARD:
            if self._held.pop(descriptor, None) is not None:
                os.close(descriptor)

    @classmethod
    def after_fork_in_child(cls) -> None:
        """Close the descriptors of the parent's locks."""
        # Closing them leaves the locks with the parent. Kept open, they would stay locked after the parent is killed.
        for descriptor in cls._held:
            os.close(descriptor)
        cls._held.clear()


def _after_fork_in_child() -> None:
    FileLocks.after_fork_in_child()
    ThreadLocks.after_fork_in_child()
    FORK_GUARD.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=FORK_GUARD.acquire, after_in_parent=FORK_GUARD.release, after_in_child=_after_fork_in_child
    )


def _is_current(descriptor: int, path: Path) -> bool:
    """Return whether *path* still refers to the open file; otherwise its last holder has removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def flock(descriptor: int, timeout_s: float) -> bool:
    """Lock an open file exclusively; return False if it is not released in time. A time of 0 tries once."""
    import fcntl  # noqa: PLC0415 -- absent on Windows, where the package can still be imported

    give_up_at = time.monotonic() + timeout_s
    pause_s = MIN_POLL_INTERVAL_S
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        left_s = give_up_at - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, MAX_POLL_INTERVAL_S)
