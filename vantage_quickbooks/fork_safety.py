"""Objects shared by the threads of a process that stay usable in a forked child. Standard library only."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["ForkSafeLock", "SharedObjects"]

V = TypeVar("V")


class ForkSafeLock:
    """A lock for `with` blocks that is released in a forked child. The blocks must not call the host's code."""

    _all: ClassVar[weakref.WeakSet[ForkSafeLock]] = weakref.WeakSet()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @classmethod
    def after_fork_in_child(cls) -> None:
        """Release every lock: the threads that held them do not exist in the child."""
        for lock in list(cls._all):
            lock._lock = threading.Lock()  # noqa: SLF001 -- its own class


class SharedObjects(Generic[V]):
    """One object per key for the process, in bounded memory.

    An object lives as long as it is referenced. Beyond that, the most recently requested objects are kept, so that
    state survives a host that opens a connection for each call.

    Args:
        max_unused: Maximum number of unreferenced objects to keep.
        is_idle: Whether an object beyond that maximum can be dropped; True for all by default.
    """

    def __init__(self, max_unused: int, is_idle: Callable[[V], bool] = lambda _: True) -> None:
        self._max_unused = max_unused
        self._is_idle = is_idle
        self._all: weakref.WeakValueDictionary[Hashable, V] = weakref.WeakValueDictionary()
        self._recent: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = ForkSafeLock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the object of *key*; *make* creates it if it does not exist."""
        with self._lock:
            found = self._all.get(key)
            if found is None:
                found = self._all[key] = make()
            self._recent[key] = found
            self._recent.move_to_end(key)
            self._drop_oldest()
        return found

    def _drop_oldest(self) -> None:
        for _ in range(2):  # one object is added at most: a few that are in use do not keep the others in memory
            if len(self._recent) <= self._max_unused:
                return
            key, oldest = self._recent.popitem(last=False)
            if not self._is_idle(oldest):
                self._recent[key] = oldest

    def __len__(self) -> int:
        return len(self._all)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ForkSafeLock.after_fork_in_child)
