"""One call of an action: its clock, its deadline, its way to be cancelled, and the meter of what it cost."""

from __future__ import annotations

import functools
import random
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vantage_quickbooks.errors import CancelledError, DeadlineExceededError, IncompleteReadError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TIME_LIMIT_S", "CallContext"]

TIME_LIMIT_S = 180.0
"""Seconds for a call whose host sets no deadline: one request may take Intuit's 120 seconds, and be tried again."""

_LONGEST_WAIT_S = 60.0
"""Intuit asks throttled callers to wait a minute ("API call limits and throttles")."""

_NOW = functools.partial(datetime.now, UTC)


class CallContext:
    """The state of one call; thread-safe.

    Args:
        time_limit_s: Seconds the call may take in all, waits and retries included.
        deadline: Aware instant by which it must have ended, if the host set one; the earlier of the two counts.
        cancelled: Asked between requests and while waiting; True ends the call.
        now: Aware wall clock.
        monotonic: Clock in seconds that never goes back.
        sleep: Waits seconds; tests make it instant.

    Attributes:
        request_id: Names the call in errors, logs and audit events.
        api_calls: Requests sent to the data API so far, failed ones included.
        metered_calls: Those of them that were answered with success (HTTP 2xx): only these does Intuit meter.
        max_api_calls: Requests to the data API at the most, failed ones included; None means no cap.
        progress: Told how many records a long read has read, and of how many (None: not known yet).
        intuit_tids: Intuit's transaction id of each answer, in order.
        refreshed: Whether a token request succeeded in this call.
        deadline: The call's end on the monotonic clock.
    """

    def __init__(
        self,
        *,
        time_limit_s: float = TIME_LIMIT_S,
        deadline: datetime | None = None,
        cancelled: Callable[[], bool] | None = None,
        now: Callable[[], datetime] = _NOW,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.now = now
        self.cancelled = cancelled
        self.api_calls = 0
        self.metered_calls = 0
        self.max_api_calls: int | None = None
        self.progress: Callable[[int, int | None], None] | None = None
        self.intuit_tids: list[str] = []
        self.refreshed = False
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._request_id: str | None = None
        self._time_limit_s = time_limit_s
        self._began = monotonic()
        self._last_instant = float("inf") if deadline is None else self._began + (deadline - now()).total_seconds()
        self.deadline = min(self._began + time_limit_s, self._last_instant)

    @property
    def request_id(self) -> str:
        """Made when it is first asked for: most calls need none."""
        with self._lock:
            if self._request_id is None:
                self._request_id = str(uuid.uuid4())
            return self._request_id

    def elapsed_s(self) -> float:
        """Return the seconds since the call began."""
        return self._monotonic() - self._began

    def restart_timeout(self) -> None:
        """Begin the time limit anew, because a part of a long read is done; the host's own deadline stays."""
        self.deadline = min(self._monotonic() + self._time_limit_s, self._last_instant)

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            DeadlineExceededError: None are.
            CancelledError: The host cancelled the call.
        """
        if self.cancelled and self.cancelled():
            raise CancelledError("The call was cancelled.")
        left = self.deadline - self._monotonic()
        if left <= 0:
            raise DeadlineExceededError("The call ran out of time. Ask for fewer records, or allow it more time.")
        return left

    def cancel(self) -> None:
        """End the call's requests that are under way in other threads, as soon as they look up."""
        self.cancelled = lambda: True

    def count_request(self) -> None:
        """Count a request to the data API.

        Raises:
            IncompleteReadError: `max_api_calls` are spent; the request must not be sent.
        """
        with self._lock:
            if self.max_api_calls is not None and self.api_calls >= self.max_api_calls:
                raise IncompleteReadError(
                    f"max_api_calls ({self.max_api_calls}) is spent before the read is complete. Allow more, or "
                    "narrow the conditions.",
                    retryable=False,
                    details={"maxApiCalls": self.max_api_calls},
                )
            self.api_calls += 1

    def record_tid(self, intuit_tid: str | None, *, is_metered: bool = False) -> None:
        """Keep the transaction id of an answer, and count the answer if Intuit meters it."""
        with self._lock:
            self.metered_calls += is_metered
            if intuit_tid:
                self.intuit_tids.append(intuit_tid)

    def backoff(self, attempt: int, retry_after_s: float | None = None, *, first_s: float = 0.5) -> float | None:
        """Return how long to wait before the next attempt, or None if the deadline comes first.

        Args:
            attempt: The attempt that just failed, from 1.
            retry_after_s: What the server asked for; never undercut, and never a reason to wait less than otherwise.
            first_s: The shortest first wait; each further one may be twice as long.
        """
        ceiling = min(_LONGEST_WAIT_S, first_s * 2.0**attempt)
        wait = ceiling * random.uniform(0.5, 1.0)
        if retry_after_s is not None:
            wait = max(wait, retry_after_s + random.uniform(0.0, 0.5))
        return wait if self._monotonic() + wait < self.deadline else None

    def sleep(self, seconds: float) -> None:
        """Wait, in steps short enough to notice a cancellation.

        Raises:
            CancelledError: The host cancelled the call.
        """
        while seconds > 0:
            self.remaining()
            step = min(seconds, 0.5)
            self._sleep(step)
            seconds -= step
