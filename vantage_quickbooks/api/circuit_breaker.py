"""
A circuit breaker for an app that Intuit has blocked: all calls of the process share it.

HTTP 429 has two meanings. A company may be asked 500 times a minute: waiting helps. And an app on Intuit's free tier
may make 500,000 metered calls a month: after that every request of the app, for any company, is answered 429 until the
month ends, and waiting minutes is in vain. Nothing in the answer says which.

Theory of operation
1. One circuit for each server and client id: the data API and the token endpoint are judged apart, because Intuit may
   block one and serve the other.
2. CLOSED: requests pass. A refusal (429) is noted; an answer that is a success forgets all refusals. Refusals within
   `MOMENT_S` of each other are one moment, however many threads met them. When there were `MOMENTS` of them over
   `EXPLAINED_S` or longer, with no success in between, for any company, a minute's limit does not explain it (every
   caller backs off, and the window of a minute has passed): the circuit opens.
3. OPEN: requests fail at once with `AppBlockedError`, and nothing is sent. Its `retryAfter` is the next probe:
   `FIRST_PROBE_S` after the opening, then after pauses that double up to `LAST_PROBE_S`.
4. HALF-OPEN: once the probe is due, the next request is let through, alone. A success closes the circuit; a refusal
   opens it again; anything else (no connection, HTTP 500) proves nothing, and the next request is the probe.
5. A forked child inherits the state. A probe that its parent has under way counts for the parent only.

Source: Intuit, "API call limits and throttles"; Intuit App Partner Program, metered calls; reports of 2026 of token
requests that were answered 429 as well.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vantage_quickbooks.api.fork_safety import ForkSafeLock, SharedObjects
from vantage_quickbooks.errors import AppBlockedError, RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CircuitBreaker", "circuit_breaker_for"]

MOMENT_S = 10.0
MOMENTS = 3
EXPLAINED_S = 90.0
"""Half as long again as the window of a minute's limit."""

FIRST_PROBE_S, LAST_PROBE_S = 60.0, 900.0

_MAX_UNUSED = 100
"""Apps that are remembered though no connection of theirs is open."""


class CircuitBreaker:
    """The state of one app at one server; thread-safe. See the module's theory of operation.

    Args:
        monotonic: Clock in seconds that never goes back.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = ForkSafeLock()
        self._close()

    def _close(self) -> None:
        self._first_refused_at: float | None = None
        self._moment_at = float("-inf")
        self._moments = 0
        self._probe_at: float | None = None  # None while CLOSED
        self._probe_pause_s = FIRST_PROBE_S
        self._prober: int | None = None  # the process whose probe is under way

    def check(self) -> None:
        """Return if a request may be sent.

        Raises:
            AppBlockedError: The circuit is open, and no probe is due.
        """
        if self._probe_at is None:
            return
        with self._lock:
            self._refuse_unless_probe_is_due()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Make one request in a `with` block; how the block ends is its verdict.

        Raises:
            AppBlockedError: The circuit is open, and the block was not run; or the block's refusal has opened it.
        """
        is_probe = self._begin()
        blocked: AppBlockedError | None = None
        try:
            yield
        except RateLimitedError as error:
            blocked = self._refused(error)
            if blocked is None:
                raise
        except BaseException:
            if is_probe:
                with self._lock:
                    self._prober = None
            raise
        else:
            self._succeeded()
        if blocked is not None:
            raise blocked

    def _begin(self) -> bool:
        if self._probe_at is None:
            return False
        with self._lock:
            if self._probe_at is None:
                return False
            self._refuse_unless_probe_is_due()
            self._prober = os.getpid()
            return True

    def _refuse_unless_probe_is_due(self) -> None:
        if self._probe_at is None:
            return
        wait = self._probe_at - self._monotonic()
        if wait > 0:
            raise self._blocked(wait)
        if self._prober == os.getpid():
            raise self._blocked(MOMENT_S)  # the probe under way decides

    def _succeeded(self) -> None:
        if self._first_refused_at is not None:
            with self._lock:
                self._close()

    def _refused(self, error: RateLimitedError) -> AppBlockedError | None:
        with self._lock:
            now = self._monotonic()
            if self._first_refused_at is None:
                self._first_refused_at = now
            if now - self._moment_at >= MOMENT_S:
                self._moment_at = now
                self._moments += 1
            if self._probe_at is None:
                if self._moments < MOMENTS or now - self._first_refused_at < EXPLAINED_S:
                    return None
                self._probe_at = now + self._probe_pause_s
            elif now >= self._probe_at:  # the probe; requests sent before the opening change nothing
                self._prober = None
                self._probe_pause_s = min(2 * self._probe_pause_s, LAST_PROBE_S)
                self._probe_at = now + self._probe_pause_s
            return self._blocked(self._probe_at - now, error)

    def _blocked(self, wait_s: float, error: RateLimitedError | None = None) -> AppBlockedError:
        since = self._first_refused_at if self._first_refused_at is not None else self._monotonic()
        refused_s = round(self._monotonic() - since)
        if error is not None and error.retry_after_s is not None:
            wait_s = max(wait_s, error.retry_after_s)
        return AppBlockedError(
            f"Intuit has refused every request of this app for {refused_s} seconds (HTTP 429), which the limit of 500 "
            "requests a minute does not explain. The app has probably used up its metered calls of the month (500,000 "
            "on Intuit's free tier). Look at the app's usage at developer.intuit.com, and raise its tier or wait for "
            f"the next month. This process asks again in {max(1, round(wait_s))} seconds; calls before that are "
            "answered without asking Intuit.",
            retry_after_s=round(max(wait_s, 1.0), 1),
            details={**(error.details if error else {}), "refusedForSeconds": refused_s},
        )


_circuits: SharedObjects[CircuitBreaker] = SharedObjects(_MAX_UNUSED)


def circuit_breaker_for(url: str, client_id: str) -> CircuitBreaker:
    """Return the one circuit of this process for an app at a server.

    Args:
        url: The data API or the token endpoint.
        client_id: The app.
    """
    return _circuits.get((url, client_id), CircuitBreaker)
