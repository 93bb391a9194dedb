"""What the threads of one process share, and what a fork does to it."""

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
    """A lock for `with` blocks that run no code of a host. A forked child begins with it free."""

    _all: ClassVar[weakref.WeakSet[ForkSafeLock]] = weakref.WeakSet()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @classmethod
    def begin_in_child(cls) -> None:
        """Free them all: the threads that held them are not in the child."""
        for lock in list(cls._all):
            lock._lock = threading.Lock()  # noqa: SLF001 -- its own class


class SharedObjects(Generic[V]):
    """One object a key for the whole process, in bounded memory.

    An object lives as long as anything uses it, and beyond that while it is among those asked for most recently: state
    survives a host that opens a connection for each call.

    Args:
        max_unused: How many objects are kept that nothing uses.
        is_idle: Whether an object beyond these can go; True for all by default.
    """

    def __init__(self, max_unused: int, is_idle: Callable[[V], bool] = lambda _: True) -> None:
        self._max_unused = max_unused
        self._is_idle = is_idle
        self._all: weakref.WeakValueDictionary[Hashable, V] = weakref.WeakValueDictionary()
        self._recent: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = ForkSafeLock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the object of *key*, made by *make* if there is none."""
        with self._lock:
            found = self._all.get(key)
            if found is None:
                found = self._all[key] = make()
            self._recent[key] = found
            self._recent.move_to_end(key)
            self._drop()
        return found

    def _drop(self) -> None:
        for _ in range(2):  # one is added at most: a few that must stay do not keep the others
            if len(self._recent) <= self._max_unused:
                return
            key, oldest = self._recent.popitem(last=False)
            if not self._is_idle(oldest):
                self._recent[key] = oldest

    def __len__(self) -> int:
        return len(self._all)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ForkSafeLock.begin_in_child)
