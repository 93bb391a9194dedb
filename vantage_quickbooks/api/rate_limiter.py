"""
How often QuickBooks may be asked.

The turns are shared by every thread of this process, and by every process of this machine that shares a token file, or
a database server that keeps the tokens.

Intuit allows a company and app 10 requests at once, 10 started in a second and 500 in a minute; its own texts name
the first two by turns, so all three are obeyed.

Source: Intuit, "API call limits and throttles"; Intuit blog, 2025-08-13.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, ClassVar

from vantage_quickbooks.api.fork_safety import SharedObjects
from vantage_quickbooks.api.machine_rate_limiter import MachineRateLimiter
from vantage_quickbooks.errors import CancelledError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["RateLimiter", "rate_limiter_for"]

AT_ONCE = 10
PER_SECOND = 10
PER_MINUTE = 500

_NO_TURN = (
    "QuickBooks allows 10 requests at once, 10 a second and 500 a minute for a company, and no turn came in the time "
    "this call has. Call again, or ask for less at a time."
)

_MAX_UNUSED = 100
"""Companies that are remembered though no connection of theirs is open, and beyond them those of the last minute."""

_LOOK_AGAIN_S = 0.25
"""Seconds after which a waiting thread looks whether its call was cancelled."""


class RateLimiter:
    """Places for requests of one company.

    Args:
        at_once: Requests under way at one time.
        per_second: Requests started in any second.
        per_minute: Requests started in any minute.
        monotonic: Clock in seconds that never goes back.
        machine: What the other processes of this machine start; None if they do not matter.
    """

    _all: ClassVar[weakref.WeakSet[RateLimiter]] = weakref.WeakSet()

    def __init__(
        self,
        at_once: int = AT_ONCE,
        per_second: int = PER_SECOND,
        per_minute: int = PER_MINUTE,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        machine: MachineRateLimiter | None = None,
    ) -> None:
        self._machine = machine
        self._at_once = at_once
        self._windows = ((1.0, per_second), (60.0, per_minute))
        self._started: deque[float] = deque(maxlen=max(per_second, per_minute))
        self._monotonic = monotonic
        self._begin()
        self._all.add(self)

    def _begin(self) -> None:
        self._free = self._at_once
        self._changed = threading.Condition()

    @classmethod
    def begin_in_child(cls) -> None:
        """Give a forked child places that nobody holds."""
        for throttle in cls._all:
            throttle._begin()  # noqa: SLF001 -- its own class

    def is_idle(self) -> bool:
        """Return whether no window counts a request any more, so that a new throttle would do the same."""
        with self._changed:
            longest = max(span for span, _ in self._windows)
            return not self._started or self._started[-1] + longest <= self._monotonic()

    @contextmanager
    def acquire(self, *, deadline: float = float("inf"), cancelled: Callable[[], bool] | None = None) -> Iterator[None]:
        """Hold a place for one request, waiting until there is one.

        Args:
            deadline: Instant of the monotonic clock until which to wait.
            cancelled: Asked now and then while waiting; True ends the wait.

        Raises:
            DeadlineExceededError: No place came free in time; nothing was sent.
            CancelledError: The call was cancelled while it waited.
        """
        self._acquire(deadline, cancelled)
        try:
            with ExitStack() as held:
                if self._machine is not None:
                    self._join(held, self._machine, deadline, cancelled)
                yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()

    def _join(
        self, held: ExitStack, machine: MachineRateLimiter, deadline: float, cancelled: Callable[[], bool] | None
    ) -> None:
        """Take a turn among the processes of this machine, too."""
        while True:
            attempt = ExitStack()
            wait = attempt.enter_context(machine.try_acquire())
            if wait <= 0:
                held.push(attempt)
                return
            attempt.close()
            if cancelled and cancelled():
                raise CancelledError("The call was cancelled while it waited for its turn at QuickBooks.")
            if self._monotonic() + wait >= deadline:
                raise DeadlineExceededError(_NO_TURN)
            time.sleep(min(wait, _LOOK_AGAIN_S))

    def _acquire(self, deadline: float, cancelled: Callable[[], bool] | None) -> None:
        while True:
            if cancelled and cancelled():  # asked without the lock: a slow host holds up nobody but itself
                raise CancelledError("The call was cancelled while it waited for its turn at QuickBooks.")
            with self._changed:
                now = self._monotonic()
                wait = self._wait(now)
                if wait <= 0:
                    self._free -= 1
                    self._started.append(now)
                    return
                if now + (0 if wait == float("inf") else wait) >= deadline:
                    raise DeadlineExceededError(_NO_TURN)
                self._changed.wait(min(wait, _LOOK_AGAIN_S, deadline - now))

    def _wait(self, now: float) -> float:
        """Seconds until a request may start; infinite while all places are taken."""
        if self._free <= 0:
            return float("inf")
        waits = [0.0]
        for span, most in self._windows:
            if len(self._started) >= most:
                waits.append(self._started[-most] + span - now)
        return max(waits)


_rate_limiters: SharedObjects[RateLimiter] = SharedObjects(_MAX_UNUSED, is_idle=RateLimiter.is_idle)


def rate_limiter_for(api_url: str, realm_id: str, directory: Path | None = None) -> RateLimiter:
    """Return the one throttle of this process for a company.

    Args:
        api_url: The server asked.
        realm_id: The company.
        directory: Where the processes of this machine meet; None if they do not.
    """

    def make() -> RateLimiter:
        windows = ((1.0, PER_SECOND), (60.0, PER_MINUTE))
        machine = MachineRateLimiter(directory, f"{api_url} {realm_id}", AT_ONCE, windows) if directory else None
        return RateLimiter(machine=machine)

    return _rate_limiters.get((api_url, realm_id, directory), make)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=RateLimiter.begin_in_child)
