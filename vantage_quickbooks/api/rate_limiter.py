"""Intuit's rate limits of one company, for all threads of this process and all processes of this machine.

Processes share the limits if they share a token file, or a database server that keeps the tokens.

Intuit allows a company and app 10 requests at once, 10 started in a second and 500 in a minute. Its pages name the
first two alternately, so all three are observed.

Sources: https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles,
https://blogs.intuit.com/2025/08/13/upcoming-changes-to-the-accounting-api.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, ClassVar

from vantage_quickbooks.api.machine_rate_limiter import MachineRateLimiter
from vantage_quickbooks.errors import CancelledError, DeadlineExceededError
from vantage_quickbooks.fork_safety import SharedObjects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["MAX_CONCURRENT", "MAX_PER_MINUTE", "MAX_PER_SECOND", "RateLimiter", "rate_limiter_for"]

MAX_CONCURRENT = 10
MAX_PER_SECOND = 10
MAX_PER_MINUTE = 500

RATE_LIMIT_TIMEOUT = (
    "QuickBooks allows 10 requests at once, 10 a second and 500 a minute for a company, and this call timed out "
    "waiting for its turn. Repeat the call, or request fewer records at a time."
)
CANCELLED = "The call was cancelled while it waited for the rate limit of QuickBooks."

MAX_UNUSED = 100
"""Companies to remember without an open connection, in addition to those of the last minute."""

POLL_INTERVAL_S = 0.25
"""Seconds after which a waiting thread checks whether its call was cancelled."""


class RateLimiter:
    """Limits the requests of one company; thread-safe.

    Args:
        max_concurrent: Maximum number of requests in flight.
        max_per_second: Maximum number of requests started in any second.
        max_per_minute: Maximum number of requests started in any minute.
        monotonic: Monotonic clock in seconds.
        machine: Limits the other processes of this machine as well; None if this process is alone.
    """

    _all: ClassVar[weakref.WeakSet[RateLimiter]] = weakref.WeakSet()

    def __init__(
        self,
        max_concurrent: int = MAX_CONCURRENT,
        max_per_second: int = MAX_PER_SECOND,
        max_per_minute: int = MAX_PER_MINUTE,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        machine: MachineRateLimiter | None = None,
    ) -> None:
        self._machine = machine
        self._max_concurrent = max_concurrent
        self._windows = ((1.0, max_per_second), (60.0, max_per_minute))
        self._started: deque[float] = deque(maxlen=max(max_per_second, max_per_minute))
        self._monotonic = monotonic
        self._reset()
        self._all.add(self)

    def _reset(self) -> None:
        self._free = self._max_concurrent
        self._changed = threading.Condition()

    @classmethod
    def after_fork_in_child(cls) -> None:
        """Release all slots: the threads that held them do not exist in the child."""
        for limiter in cls._all:
            limiter._reset()  # noqa: SLF001 -- its own class

    def is_idle(self) -> bool:
        """Return whether no window counts a request any longer, so that a new limiter would behave the same."""
        with self._changed:
            longest = max(span for span, _ in self._windows)
            return not self._started or self._started[-1] + longest <= self._monotonic()

    @contextmanager
    def acquire(self, *, deadline: float = float("inf"), cancelled: Callable[[], bool] | None = None) -> Iterator[None]:
        """Hold a slot for one request in a `with` block, after waiting for one if necessary.

        Args:
            deadline: Instant of the monotonic clock at which to give up.
            cancelled: Called from time to time while waiting; True ends the wait.

        Raises:
            DeadlineExceededError: No slot was available in time; nothing was sent.
            CancelledError: The call was cancelled while it waited.
        """
        self._wait_for_slot(deadline, cancelled)
        try:
            with ExitStack() as held:
                if self._machine is not None:
                    self._wait_for_machine(held, self._machine, deadline, cancelled)
                yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()

    def _wait_for_machine(
        self, held: ExitStack, machine: MachineRateLimiter, deadline: float, cancelled: Callable[[], bool] | None
    ) -> None:
        """Take a slot among the processes of this machine."""
        while True:
            attempt = ExitStack()
            wait_s = attempt.enter_context(machine.try_acquire())
            if wait_s <= 0:
                held.push(attempt)
                return
            attempt.close()
            if cancelled and cancelled():
                raise CancelledError(CANCELLED)
            if self._monotonic() + wait_s >= deadline:
                raise DeadlineExceededError(RATE_LIMIT_TIMEOUT)
            time.sleep(min(wait_s, POLL_INTERVAL_S))

    def _wait_for_slot(self, deadline: float, cancelled: Callable[[], bool] | None) -> None:
        while True:
            if cancelled and cancelled():  # called without the lock, so that a slow host delays only its own call
                raise CancelledError(CANCELLED)
            with self._changed:
                now = self._monotonic()
                wait_s = self._seconds_to_wait(now)
                if wait_s <= 0:
                    self._free -= 1
                    self._started.append(now)
                    return
                if now + (0 if wait_s == float("inf") else wait_s) >= deadline:
                    raise DeadlineExceededError(RATE_LIMIT_TIMEOUT)
                self._changed.wait(min(wait_s, POLL_INTERVAL_S, deadline - now))

    def _seconds_to_wait(self, now: float) -> float:
        """Return the seconds until a request may start; infinite while all slots are taken."""
        if self._free <= 0:
            return float("inf")
        waits = [0.0]
        for span, most in self._windows:
            if len(self._started) >= most:
                waits.append(self._started[-most] + span - now)
        return max(waits)


_rate_limiters: SharedObjects[RateLimiter] = SharedObjects(MAX_UNUSED, is_idle=RateLimiter.is_idle)


def rate_limiter_for(api_url: str, realm_id: str, lock_directory: Path | None = None) -> RateLimiter:
    """Return the rate limiter of this process for a company.

    Args:
        api_url: The server.
        realm_id: The company.
        lock_directory: Where the processes of this machine coordinate; None if they do not.
    """

    def make() -> RateLimiter:
        windows = ((1.0, MAX_PER_SECOND), (60.0, MAX_PER_MINUTE))
        machine = (
            MachineRateLimiter(lock_directory, f"{api_url} {realm_id}", MAX_CONCURRENT, windows)
            if lock_directory
            else None
        )
        return RateLimiter(machine=machine)

    return _rate_limiters.get((api_url, realm_id, lock_directory), make)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=RateLimiter.after_fork_in_child)
