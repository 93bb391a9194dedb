"""The state of one call of an action: its clock, deadline, cancellation, and request count."""

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

    from vantage_quickbooks.telemetry import CallSpan

__all__ = ["TIME_LIMIT_S", "CallContext"]

TIME_LIMIT_S = 180.0
"""Timeout of a call whose host sets no deadline: a request may take Intuit's 120 seconds, and be retried."""

MAX_BACKOFF_S = 60.0
"""After throttling, Intuit asks for a wait of a minute.

Source: https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles.
"""

_SLEEP_STEP_S = 0.5

_NOW = functools.partial(datetime.now, UTC)


class CallContext:
    """The state of one call; thread-safe.

    Args:
        time_limit_s: Timeout of the call in seconds, waits and retries included.
        deadline: The host's deadline, an aware datetime, if it set one; the earlier of the two applies.
        cancelled: Called between requests and while waiting; True ends the call.
        now: Returns the wall clock as an aware datetime.
        monotonic: Monotonic clock in seconds.
        sleep: Waits for seconds; tests replace it.

    Attributes:
        request_id: Identifies the call in errors, logs and audit events.
        api_calls: Requests sent to the data API so far, failed ones included.
        metered_calls: Those of them that succeeded (HTTP 2xx); Intuit meters only these.
        max_api_calls: Maximum number of requests to the data API, failed ones included; None for no maximum.
        progress: Called with the number of records read so far and their total (None while it is unknown).
        intuit_tids: Intuit's transaction id of each response, in order.
        refreshed: Whether a token request succeeded in this call.
        deadline: The end of the call on the monotonic clock.
        action: The action, or the other method of the connection, that runs; for logs and spans.
        span: Its span, if the host uses OpenTelemetry.
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
        self.action: str | None = None
        self.span: CallSpan | None = None
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._request_id: str | None = None
        self._time_limit_s = time_limit_s
        self._started_at = monotonic()
        self._host_deadline = (
            float("inf") if deadline is None else self._started_at + (deadline - now()).total_seconds()
        )
        self.deadline = min(self._started_at + time_limit_s, self._host_deadline)

    @property
    def request_id(self) -> str:
        """The id of the call; generated on first use, because most calls need none."""
        with self._lock:
            if self._request_id is None:
                self._request_id = str(uuid.uuid4())
            return self._request_id

    def elapsed_s(self) -> float:
        """Return the seconds since the start of the call."""
        return self._monotonic() - self._started_at

    def restart_timeout(self) -> None:
        """Restart the time limit, because a part of a long read is complete; the host's deadline stays."""
        self.deadline = min(self._monotonic() + self._time_limit_s, self._host_deadline)

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            DeadlineExceededError: The call has timed out.
            CancelledError: The host cancelled the call.
        """
        if self.cancelled and self.cancelled():
            raise CancelledError("The call was cancelled.")
        left = self.deadline - self._monotonic()
        if left <= 0:
            raise DeadlineExceededError("The call timed out. Request fewer records, or set a later deadline.")
        return left

    def cancel(self) -> None:
        """Cancel the call; requests in flight in other threads end as soon as they check."""
        self.cancelled = lambda: True

    def count_request(self) -> None:
        """Count a request to the data API before it is sent.

        Raises:
            IncompleteReadError: The maximum number of requests is reached; the request must not be sent.
        """
        with self._lock:
            if self.max_api_calls is not None and self.api_calls >= self.max_api_calls:
                raise self.exhausted_error()
            self.api_calls += 1

    def exhausted_error(self) -> IncompleteReadError:
        """Return the error for a read that the maximum number of requests ends."""
        return IncompleteReadError(
            f"The maximum of {self.max_api_calls} API calls was reached before the read was complete. Raise "
            "max_api_calls, or narrow the filters.",
            retryable=False,
            details={"maxApiCalls": self.max_api_calls},
        )

    def is_exhausted(self) -> bool:
        """Return whether the maximum number of requests is reached."""
        return self.max_api_calls is not None and self.api_calls >= self.max_api_calls

    def record_tid(self, intuit_tid: str | None, *, is_metered: bool = False) -> None:
        """Record the transaction id of a response, and count the response if Intuit meters it."""
        with self._lock:
            self.metered_calls += is_metered
            if intuit_tid:
                self.intuit_tids.append(intuit_tid)

    def backoff(
        self, attempt: int, retry_after_s: float | None = None, *, initial_backoff_s: float = 0.5
    ) -> float | None:
        """Return the delay before the next attempt in seconds, or None if the deadline is earlier.

        Args:
            attempt: Number of the failed attempt, from 1.
            retry_after_s: The server's Retry-After; the delay is at least that long, and never shorter for it.
            initial_backoff_s: Minimum of the first delay; the range doubles with each attempt.
        """
        ceiling = min(MAX_BACKOFF_S, initial_backoff_s * 2.0**attempt)
        delay = ceiling * random.uniform(0.5, 1.0)
        if retry_after_s is not None:
            delay = max(delay, retry_after_s + random.uniform(0.0, 0.5))
        return delay if self._monotonic() + delay < self.deadline else None

    def sleep(self, seconds: float) -> None:
        """Sleep in steps short enough to react to a cancellation.

        Raises:
            CancelledError: The host cancelled the call.
        """
        while seconds > 0:
            self.remaining()
            step = min(seconds, _SLEEP_STEP_S)
            self._sleep(step)
            seconds -= step
