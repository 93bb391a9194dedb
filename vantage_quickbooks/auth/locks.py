"""Locks that one holder has at a time: over the threads of a process, and over the processes of a machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, ClassVar

from vantage_quickbooks.errors import STORE_LOCKED, TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["FORK_GUARD", "FileLocks", "ThreadLocks", "locked", "make_private_directory", "remove_old"]

POLL_FIRST_S, POLL_LAST_S = 0.001, 0.02
"""Pauses between tries for a lock: short at first, since whoever waits usually only has to read its neighbour's result;
never so long that a killed holder's lock lies idle."""

_REMOVE_EVERY_S = 60.0

FORK_GUARD = threading.Lock()
"""Held while a lock file is opened or a SQLite connection is open: no fork falls in between."""


def locked(where: str, timeout_s: float) -> TokenStoreError:
    """Return the error for a lock that was not free within *timeout_s* seconds; *where* describes the store."""
    return TokenStoreError(
        f"Another process has been renewing the tokens of this company for {timeout_s:g} seconds ({where}). "
        "Repeat the call; if this stays so, look for a process of this connector that hangs, and end it.",
        code=STORE_LOCKED,
        retryable=True,
    )


class ThreadLocks:
    """One lock a chain for the threads of this process. A forked child begins with none of them held."""

    _all: ClassVar[weakref.WeakSet[ThreadLocks]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.reset()
        self._all.add(self)

    def reset(self) -> None:
        """Begin anew, with no lock held."""
        self.guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, list[object]]] = {}  # a lock, and the holds that use it

    @contextlib.contextmanager
    def hold(self, key: str, timeout_s: float) -> Generator[None]:
        """Hold the lock of *key* for a `with` block; TokenStoreError if it is not free within *timeout_s* seconds."""
        hold = object()
        with self.guard:
            locks = self._locks
            lock, holds = locks.setdefault(key, (threading.Lock(), []))
            holds.append(hold)
        try:
            if not lock.acquire(timeout=min(max(timeout_s, 0.0), threading.TIMEOUT_MAX)):
                raise locked("in this process", timeout_s)
            try:
                yield
            finally:
                lock.release()
        finally:
            with self.guard:
                holds.remove(hold)
                if not holds and locks.get(key) == (lock, holds):
                    del locks[key]  # a process may see a hundred thousand companies

    def __len__(self) -> int:
        return len(self._locks)

    @classmethod
    def reset_all(cls) -> None:
        """Begin anew everywhere, in a forked child."""
        for locks in cls._all:
            locks.reset()


class FileLocks:
    """One lock file a chain, for all threads and processes of the machine.

    Who holds a lock removes its file with it, so a directory holds files of locks that are held, and of holders that
    were killed. Whoever then gets the lock of a file that was removed, while waiting for it, sees that and begins anew.

    Plain `flock(2)`: it belongs to an open file, so each acquisition opens its own and excludes the others, be they in
    the same process or not, and the kernel frees it when the last descriptor is closed, however the process ends. The
    library filelock does the same, but a child forked while its parent holds a lock frees it in versions that hosts
    still have (seen with 3.16), and newer ones fall back to a lock that outlives its holder where flock is missing.
    """

    _held: ClassVar[dict[int, Path]] = {}

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def acquire(self, key: str, timeout_s: float, where: str) -> int:
        """Take the lock of *key* ("" is the set-up of the store).

        Args:
            key: The chain.
            timeout_s: How long to wait; 0 tries once.
            where: The store, for the error.

        Returns:
            What `release` takes.

        Raises:
            TokenStoreError: It was not free in time.
            OSError: The lock file cannot be opened.
        """
        path = self._directory / f"{hashlib.sha256(key.encode()).hexdigest()[:32] if key else 'setup'}.lock"
        give_up_at = time.monotonic() + timeout_s
        while True:
            descriptor = self._open(path)
            try:
                is_ours = _wait_for(descriptor, give_up_at - time.monotonic())
                is_current = is_ours and _is_current(descriptor, path)
            except BaseException:
                self._close(descriptor)
                raise
            if is_current:
                return descriptor
            self._close(descriptor)
            if not is_ours:
                raise locked(where, timeout_s)

    def release(self, descriptor: int) -> None:
        """Give back what `acquire` returned."""
        with FORK_GUARD:
            path = self._held.pop(descriptor, None)
            if path is None:  # in a child that was forked inside the block
                return
            try:
                with contextlib.suppress(OSError):  # left behind, the file does no harm
                    if _is_current(descriptor, path):  # else removed by hand, and another holder has made a new one
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
    def forget_all(cls) -> None:
        """Give up, in a forked child, what the parent holds."""
        # Closing leaves the lock with the parent. Kept open, it would stay locked after the parent is killed.
        for descriptor in cls._held:
            os.close(descriptor)
        cls._held.clear()


def _begin_in_child() -> None:
    FileLocks.forget_all()
    ThreadLocks.reset_all()
    FORK_GUARD.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=FORK_GUARD.acquire, after_in_parent=FORK_GUARD.release, after_in_child=_begin_in_child)


def make_private_directory(directory: Path) -> None:
    """Make *directory* and those above it that are missing, for this user only, and sync each to the disk."""
    if directory.is_dir():
        return
    make_private_directory(directory.parent)
    with contextlib.suppress(FileExistsError):  # another process was faster
        directory.mkdir(mode=0o700)
        # Or the directory, with the first tokens in it, might be gone after a power failure.
        descriptor = os.open(directory.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_removed_at: dict[tuple[Path, str], float] = {}


def remove_old(directory: Path, suffix: str, age_s: float) -> None:
    """Remove files that were written to long ago, every minute at the most: a machine may see many companies.

    Args:
        directory: Where they lie.
        suffix: Of their names.
        age_s: Seconds since the last writing, after which they hold nothing of use.
    """
    now = time.monotonic()
    if now - _removed_at.get((directory, suffix), float("-inf")) < _REMOVE_EVERY_S:
        return
    _removed_at[directory, suffix] = now
    with contextlib.suppress(OSError):
        for path in directory.glob(f"*{suffix}"):
            if time.time() - path.stat().st_mtime > age_s:
                path.unlink(missing_ok=True)


def _is_current(descriptor: int, path: Path) -> bool:
    """Return whether *path* still leads to the open file: its last holder has removed it otherwise."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _wait_for(descriptor: int, timeout_s: float) -> bool:
    """Take the lock on an open file, or return False if it is not free in time."""
    import fcntl  # noqa: PLC0415 -- absent on Windows, where the package can still be imported

    give_up_at = time.monotonic() + timeout_s
    pause_s = POLL_FIRST_S
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        left_s = give_up_at - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, POLL_LAST_S)
