"""A circuit breaker for an app that Intuit has blocked, shared by all calls of the process.

HTTP 429 has two meanings. A company accepts 500 requests a minute: waiting helps. And an app on Intuit's free tier has
500,000 metered calls a month: after that, every request of the app, for any company, is answered with 429 until the
month ends, and waiting for minutes is useless. The response does not say which limit was exceeded.

Theory of operation
1. There is one circuit breaker per server and client id. The data API and the token endpoint have separate ones,
   because Intuit may block one and serve the other.
2. CLOSED: requests pass. A refusal (429) is recorded; a success discards all recorded refusals. Refusals within
   `INCIDENT_S` of each other are one incident, regardless of how many threads got them. `MIN_INCIDENTS` of them over
   `MIN_REFUSED_S` or longer, for any company, with no success in between, are not explained by the limit per minute,
   because each caller backs off and the window of a minute has passed: the circuit opens. It does not if all refusals
   concern one company and another one was served within the last `SERVED_S`: a run over many companies ends with those
   that are throttled.
3. OPEN: requests fail immediately with `AppBlockedError`, and nothing is sent. Its `retryAfter` is the time of the next
   probe: `INITIAL_PROBE_INTERVAL_S` after the opening, then after intervals that double up to `MAX_PROBE_INTERVAL_S`.
4. HALF-OPEN: when the probe is due, the next request is let through, one at a time. A success closes the circuit; a
   refusal opens it again; any other outcome (no connection, HTTP 500) decides nothing, and the next request is the
   probe.
5. A forked child inherits the state. A probe that the parent has in flight counts for the parent only.

Sources: https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles,
https://developer.intuit.com/app/developer/qbo/docs/get-started/partner-faq, and developers' reports of 2026 of token
requests that were answered with 429 as well.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vantage_quickbooks.errors import AppBlockedError, RateLimitedError
from vantage_quickbooks.fork_safety import ForkSafeLock, SharedObjects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CircuitBreaker", "circuit_breaker_for"]

INCIDENT_S = 10.0
MIN_INCIDENTS = 3
MIN_REFUSED_S = 90.0
"""1.5 times the window of the limit per minute."""

SERVED_S = 600.0
"""How long a company that was served speaks against a block of the app."""

INITIAL_PROBE_INTERVAL_S, MAX_PROBE_INTERVAL_S = 60.0, 900.0

MAX_UNUSED = 100
"""Apps to remember without an open connection."""


class CircuitBreaker:
    """The state of one app at one server; thread-safe. See the module's theory of operation.

    Args:
        monotonic: Monotonic clock in seconds.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = ForkSafeLock()
        # Who was served last and when, and when another company was.
        self._served: tuple[str | None, float, float] = (None, float("-inf"), float("-inf"))
        self._close()

    def _close(self) -> None:
        self._refused: set[str | None] = set()
        self._first_refused_at: float | None = None
        self._incident_at = float("-inf")
        self._incidents = 0
        self._probe_at: float | None = None  # None while CLOSED
        self._probe_interval_s = INITIAL_PROBE_INTERVAL_S
        self._probing_pid: int | None = None  # the process that has a probe in flight

    @property
    def blocked_s(self) -> float | None:
        """Seconds until the next probe; None if the circuit is not open."""
        probe_at = self._probe_at
        return None if probe_at is None else max(0.0, probe_at - self._monotonic())

    def check(self) -> None:
        """Return if a request may be sent.

        Raises:
            AppBlockedError: The circuit is open, and no probe is due.
        """
        if self._probe_at is None:
            return
        with self._lock:
            self._raise_if_open()

    @contextmanager
    def attempt(self, company: str | None = None) -> Iterator[None]:
        """Send one request in a `with` block; its outcome is recorded.

        Args:
            company: The company that it is for; None if the request is the app's.

        Raises:
            AppBlockedError: The circuit is open, and the block was not run; or its refusal has opened the circuit.
        """
        is_probe = self._start()
        blocked: AppBlockedError | None = None
        try:
            yield
        except RateLimitedError as error:
            blocked = self._record_refusal(error, company)
            if blocked is None:
                raise
        except BaseException:
            if is_probe:
                with self._lock:
                    self._probing_pid = None
            raise
        else:
            self._record_success(company)
        if blocked is not None:
            raise blocked

    def _start(self) -> bool:
        """Return whether the request about to be sent is a probe."""
        if self._probe_at is None:
            return False
        with self._lock:
            if self._probe_at is None:
                return False
            self._raise_if_open()
            self._probing_pid = os.getpid()
            return True

    def _raise_if_open(self) -> None:
        if self._probe_at is None:
            return
        wait_s = self._probe_at - self._monotonic()
        if wait_s > 0:
            raise self._blocked_error(wait_s)
        if self._probing_pid == os.getpid():
            raise self._blocked_error(INCIDENT_S)  # the probe in flight decides

    def _record_success(self, company: str | None) -> None:
        last, at, others_at = self._served
        self._served = (company, self._monotonic(), others_at if company == last else at)
        if self._first_refused_at is not None:
            with self._lock:
                self._close()

    def _is_served(self, now: float) -> bool:
        """Return whether the refusals concern one company, and another one was served lately."""
        if len(self._refused) > 1 or None in self._refused:
            return False
        last, at, others_at = self._served
        return now - (others_at if last in self._refused else at) < SERVED_S

    def _record_refusal(self, error: RateLimitedError, company: str | None) -> AppBlockedError | None:
        with self._lock:
            now = self._monotonic()
            if len(self._refused) < 2:  # more do not matter
                self._refused.add(company)
            if self._first_refused_at is None:
                self._first_refused_at = now
            if now - self._incident_at >= INCIDENT_S:
                self._incident_at = now
                self._incidents += 1
            if self._probe_at is None:
                if self._incidents < MIN_INCIDENTS or now - self._first_refused_at < MIN_REFUSED_S:
                    return None
                if self._is_served(now):
                    return None
                self._probe_at = now + self._probe_interval_s
            elif now >= self._probe_at:  # the probe; requests that were sent before the opening change nothing
                self._probing_pid = None
                self._probe_interval_s = min(2 * self._probe_interval_s, MAX_PROBE_INTERVAL_S)
                self._probe_at = now + self._probe_interval_s
            return self._blocked_error(self._probe_at - now, error)

    def _blocked_error(self, wait_s: float, error: RateLimitedError | None = None) -> AppBlockedError:
        since = self._first_refused_at if self._first_refused_at is not None else self._monotonic()
        refused_s = round(self._monotonic() - since)
        if error is not None and error.retry_after_s is not None:
            wait_s = max(wait_s, error.retry_after_s)
        return AppBlockedError(
            f"Intuit has refused every request of this app for {refused_s} seconds (HTTP 429), which the limit of 500 "
            "requests a minute does not explain. The app has probably used up its metered calls of the month (500,000 "
            "on Intuit's free tier). Check the app's usage at developer.intuit.com, and upgrade its tier or wait for "
            f"the next month. This process will try again in {max(1, round(wait_s))} seconds; until then, calls fail "
            "without a request to Intuit.",
            retry_after_s=round(max(wait_s, 1.0), 1),
            details={**(error.details if error else {}), "refusedForSeconds": refused_s},
            is_unprocessed=error is not None and error.is_unprocessed,
        )


_circuit_breakers: SharedObjects[CircuitBreaker] = SharedObjects(MAX_UNUSED)


def circuit_breaker_for(url: str, client_id: str) -> CircuitBreaker:
    """Return the circuit breaker of this process for an app at a server.

    Args:
        url: The data API or the token endpoint.
        client_id: The app.
    """
    return _circuit_breakers.get((url, client_id), CircuitBreaker)
