"""`/healthz` and `/metrics` of the web UI.

Theory of operation
1. `/healthz` needs no key and answers nothing but a status. It ignores the Host header: probes send addresses.
2. `/metrics` contains numbers, states and action ids: no connection, no company, no secret. It needs the access key or
   the metrics key as a bearer token. A server without a public URL, on a loopback address, answers programs of this
   machine without one (`metrics.may_read`).
3. Connections are counted at most every `CONNECTIONS_S` seconds: a registry may be large. Otherwise a scrape reads
   memory, and what `Host.metric_sources` read: the inbox of the webhooks, if the server receives any.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from vantage_quickbooks.hookspecs import hookimpl
from vantage_quickbooks.metrics import CONTENT_TYPE, Counter, Family, Histogram, Sample, may_read, render
from vantage_quickbooks.web.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.security import Sessions

__all__ = ["HealthMiddleware", "WebMetrics"]

CONNECTIONS_S = 30.0
"""Seconds for which the connections that were counted are reported."""

HEALTH_S = 1.0
"""Seconds for which a check of the store is reported."""

_RUN_STATES = ("running", "done", "failed")
_CONNECTION_STATES = ("ready", "incomplete", "invalid", "refused", "damaged")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class WebMetrics:
    """What the web UI counts.

    Args:
        host: The connections.
        runs: The runs.
        now: Monotonic clock in seconds.
    """

    def __init__(
        self,
        host: Host,
        runs: Runs,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._runs, self._now = host, runs, now
        self.requests = Counter("vantage_web_requests_total", "HTTP requests by class of their status.", "status")
        self.durations = Histogram(
            "vantage_web_request_duration_seconds", "Seconds from an HTTP request to the first byte of its answer."
        )
        self._calls = Counter("vantage_web_calls_total", "Finished calls of actions.", "operation", "outcome")
        self._api_calls = Counter(
            "vantage_web_api_calls_total",
            "Requests that calls sent to the connected service, failed ones included.",
            "operation",
        )
        self._metered = Counter(
            "vantage_web_metered_calls_total", "Requests of calls that the connected service meters.", "operation"
        )
        self._connections: tuple[float, list[Family]] = (float("-inf"), [])
        self._health: tuple[float, bool] = (float("-inf"), False)
        self._counting = asyncio.Lock()

    @hookimpl
    def vantage_audit(self, event: dict[str, Any]) -> None:
        """Count a finished call."""
        operation = str(event.get("operation"))
        self._calls.add(operation, str(event.get("outcome")))
        self._api_calls.add(operation, count=event.get("apiCalls") or 0)
        self._metered.add(operation, count=event.get("meteredCalls") or 0)

    async def is_healthy(self) -> bool:
        """Return whether the store of the web UI can be read."""
        async with self._counting:
            checked_at, is_healthy = self._health
            if self._now() - checked_at >= HEALTH_S:
                try:
                    await asyncio.to_thread(self._host.store.refused)
                    is_healthy = True
                except StoreError:
                    is_healthy = False
                self._health = self._now(), is_healthy
        return is_healthy

    async def families(self) -> list[Family]:
        """Return all metrics."""
        runs = Tally(self._runs.states())
        return [
            self.requests.family(),
            self.durations.family(),
            _by_state("vantage_web_runs", "Runs that the web UI remembers, by state.", _RUN_STATES, runs),
            *await self._counted_connections(),
            self._calls.family(),
            self._api_calls.family(),
            self._metered.family(),
            Family(
                "vantage_web_event_subscribers",
                "gauge",
                "Pages that receive events.",
                [Sample(self._host.events.subscribers)],
            ),
            *await asyncio.to_thread(lambda: [it for source in self._host.metric_sources for it in source()]),
        ]

    async def _counted_connections(self) -> list[Family]:
        async with self._counting:  # scrapes at the same time share one count
            counted_at, families = self._connections
            if self._now() - counted_at >= CONNECTIONS_S:
                families = await asyncio.to_thread(self._count_connections)
                self._connections = self._now(), families
        return families

    def _count_connections(self) -> list[Family]:
        failed = Family(
            "vantage_web_registries_failed", "gauge", "Stores of connections that cannot be read.", [Sample(0)]
        )
        try:
            listed, failures = self._host.listed()
        except StoreError:
            return [failed._replace(samples=[Sample(1)])]
        states = Tally(str(item.state) for item in listed)
        text = f"Connections by state, counted at most every {CONNECTIONS_S:g} seconds."
        return [
            _by_state("vantage_web_connections", text, _CONNECTION_STATES, states),
            failed._replace(samples=[Sample(len(failures))]),
        ]


def _by_state(name: str, text: str, states: Iterable[str], counts: Tally[str]) -> Family:
    """Return a gauge with a sample for each state; 0 for a state without connections."""
    every = dict.fromkeys([*states, *sorted(counts)])
    return Family(name, "gauge", text, [Sample(counts[state], {"state": state}) for state in every])


class HealthMiddleware:
    """ASGI middleware that answers `/healthz` and `/metrics`, and counts all other requests.

    Args:
        app: The application.
        metrics: What is counted.
        sessions: The access key and the URL of the server.
    """

    def __init__(self, app: ASGIApp, metrics: WebMetrics, sessions: Sessions) -> None:
        self._app = app
        self._metrics = metrics
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or count and pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in {"/healthz", "/metrics"} and scope["method"] in {"GET", "HEAD"}:
            answer = await (self._health() if scope["path"] == "/healthz" else self._answer_metrics(scope))
            await answer(scope, receive, send)
        else:
            await self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_at, statuses = time.monotonic(), [500]  # an exception that is passed on becomes a 500

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                self._metrics.durations.observe(time.monotonic() - began_at)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._metrics.requests.add(f"{statuses[-1] // 100}xx")

    async def _health(self) -> Response:
        is_healthy = await self._metrics.is_healthy()
        body = {"status": "ok" if is_healthy else "unavailable"}
        return JSONResponse(body, 200 if is_healthy else 503, {"Cache-Control": "no-store"})

    async def _answer_metrics(self, scope: Scope) -> Response:
        sessions = self._sessions
        is_local = urlsplit(sessions.base_url).hostname in _LOCAL
        if not may_read(scope, (sessions.access_key, sessions.metrics_key), local=is_local):
            return Response(
                "Send the metrics key as a bearer token.\n", 401, {"WWW-Authenticate": "Bearer"}, "text/plain"
            )
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(render(await self._metrics.families()), headers=headers)
