"""What this package needs of the HTTP layer above it, which implements these protocols and passes them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    import requests

    from vantage_quickbooks.errors import ConnectorError

__all__ = ["AuthCall", "CircuitBreaker", "TokenTransport"]


class AuthCall(Protocol):
    """The call that needs a token; implemented by `api.call_context.CallContext`.

    Attributes:
        refreshed: Whether a token request succeeded in this call.
    """

    refreshed: bool

    def now(self) -> datetime:
        """Return the wall clock as an aware datetime."""
        ...

    def remaining(self) -> float:
        """Return the seconds that are left; raises an error if the call has timed out or was cancelled."""
        ...

    def backoff(self, attempt: int, retry_after_s: float | None = None) -> float | None:
        """Return the delay before the next attempt in seconds, or None if the deadline is earlier."""
        ...

    def sleep(self, seconds: float) -> None:
        """Sleep; raises an error if the call times out or is cancelled meanwhile."""
        ...

    def record_tid(self, intuit_tid: str | None) -> None:
        """Record the transaction id of a response."""
        ...


class CircuitBreaker(Protocol):
    """Stops requests of an app that Intuit has blocked; implemented by `api.circuit_breaker.CircuitBreaker`."""

    def attempt(self) -> AbstractContextManager[None]:
        """Send one request in a `with` block."""
        ...


class TokenTransport(Protocol):
    """How requests reach the OAuth server; implemented by `api.transport.TokenTransport`."""

    def circuit_breaker(self, url: str, client_id: str) -> CircuitBreaker:
        """Return the circuit breaker of an app at an OAuth server."""
        ...

    def request_timeout(self, call: AuthCall) -> AbstractContextManager[object]:
        """Return the timeout of one request; once that is sent, it waits for the response beyond the deadline."""
        ...

    def prepare(self, session: requests.Session, url: str) -> str:
        """Set up a session for requests to *url*, and return the https URL to use for them."""
        ...

    def timeouts(self, call: AuthCall) -> tuple[float, float]:
        """Return the connect and read timeouts for requests."""
        ...

    def translate(self, error: requests.RequestException, server: str, url: str) -> ConnectorError:
        """Return the connector's error for one of requests; it contains nothing of the request."""
        ...
