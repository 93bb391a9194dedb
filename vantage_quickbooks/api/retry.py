"""When a failed request to the data API is sent again. All of them only read, so repeating is always safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.errors import AppBlockedError, ConnectorError, DeadlineExceededError, RateLimitedError

if TYPE_CHECKING:
    from vantage_quickbooks.api.call_context import CallContext

__all__ = ["RetryPolicy"]

MAX_ATTEMPTS = 6
INITIAL_BACKOFF_S = 0.5
THROTTLED_BACKOFF_S = 10.0
"""Initial backoff after HTTP 429: Intuit's window is a minute, and its response names no time.

Source: https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles.
"""


class RetryPolicy:
    """Decides about the retries of one request: exponential backoff with jitter, within the call's deadline.

    Args:
        call: The call that the request belongs to.
        retry_timeouts: Whether to repeat a request that took QuickBooks too long (`ConnectorError.is_timeout`).

    Attributes:
        attempt: Number of the current attempt, from 1.
    """

    def __init__(self, call: CallContext, *, retry_timeouts: bool = True) -> None:
        self._call = call
        self._retry_timeouts = retry_timeouts
        self.attempt = 1

    def next_delay(self, error: ConnectorError) -> float | None:
        """Return the seconds to wait before the next attempt, or None if *error* is final.

        The delay is never shorter than the server's Retry-After. If only the number of attempts or the deadline rules
        out another one, `attempts` is added to the error's details.
        """
        if not error.retryable or isinstance(error, DeadlineExceededError | AppBlockedError):
            return None
        if error.is_timeout and not self._retry_timeouts:
            return None
        initial_backoff_s = THROTTLED_BACKOFF_S if isinstance(error, RateLimitedError) else INITIAL_BACKOFF_S
        delay = self._call.backoff(self.attempt, error.retry_after_s, initial_backoff_s=initial_backoff_s)
        if self.attempt >= MAX_ATTEMPTS or delay is None:
            error.details["attempts"] = self.attempt
            return None
        self.attempt += 1
        return delay
