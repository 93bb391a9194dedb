"""Spans and metrics, by the API of OpenTelemetry; nothing is imported or recorded unless the host uses it.

Theory of operation
1. A host that has a provider has imported `opentelemetry`. Where it is not imported, each function of this module
   returns after one look into `sys.modules`. Where it is, but without a provider, its own no-op objects are used.
2. A call outlives its `with` blocks: between two pages of a stream, the caller's code runs. So the span of a call is
   current only while the call's own code runs (`CallSpan.active`), and the caller's spans are never its children.
3. The current span is a context variable. Threads that work for a call run in a copy of the context of the thread that
   started them.
4. Names and attributes are the rows of `SPANS` and `METRICS`; those of HTTP are OpenTelemetry's conventions. A URL is
   only its template. No attribute contains a token, a query, a record, or the id of a company; an error is its code,
   and its message and its stack are not recorded.

Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and http-metrics/.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["METRICS", "SPANS", "CallSpan", "HttpSpan", "count", "http_request", "is_active", "span", "waited"]

SCOPE = "vantage_quickbooks"
"""The name of the instrumentation scope."""

MIN_WAIT_S = 0.001
"""Shorter waits are not recorded."""

SPANS = {
    "quickbooks {action}": (
        "INTERNAL",
        "A call of an action, or `test`, `estimate`, `disconnect`",
        ("vantage.action", "vantage.request_id", "vantage.connection_id", "vantage.outcome", "vantage.records",
         "vantage.api_calls", "vantage.metered_calls", "error.type"),
    ),
    "{method} {template}": (
        "CLIENT",
        "A request to the data API or the OAuth server, each attempt one",
        ("http.request.method", "server.address", "server.port", "url.scheme", "url.template",
         "http.response.status_code", "http.request.resend_count", "vantage.intuit_tid", "error.type"),
    ),
    "quickbooks rate_limit_wait": ("INTERNAL", "A request waited for Intuit's rate limit", ("vantage.wait_s",)),
    "quickbooks retry_wait": (
        "INTERNAL",
        "The pause before a request is repeated",
        ("vantage.wait_s", "vantage.attempt", "error.type"),
    ),
    "quickbooks token_refresh": (
        "INTERNAL",
        "A new access token; its requests are children",
        ("error.type",),
    ),
}  # fmt: skip
"""Name, kind, meaning and attributes of each span."""


class _Metric(NamedTuple):
    kind: Literal["counter", "histogram"]
    unit: str
    text: str
    attributes: tuple[str, ...]


METRICS = {
    "http.client.request.duration": _Metric(
        "histogram",
        "s",
        "Requests to the data API and the OAuth server",
        ("http.request.method", "server.address", "server.port", "url.template", "http.response.status_code",
         "error.type"),
    ),
    "vantage.call.duration": _Metric(
        "histogram", "s", "Finished calls of actions", ("vantage.action", "vantage.outcome", "error.type")
    ),
    "vantage.records": _Metric("counter", "{record}", "Records that calls returned", ("vantage.action",)),
    "vantage.metered_calls": _Metric("counter", "{call}", "Requests that Intuit meters", ("vantage.action",)),
    "vantage.retries": _Metric("counter", "{retry}", "Repeated requests, by the error before", ("error.type",)),
    "vantage.wait.duration": _Metric(
        "histogram", "s", "Waits for the rate limit (`rate_limit`) and before retries (`retry`)", ("vantage.reason",)
    ),
    "vantage.token.refreshes": _Metric("counter", "{refresh}", "Token refreshes, failed ones too", ("error.type",)),
}  # fmt: skip
"""Kind, unit, meaning and attributes of each metric."""

_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120)


def is_active() -> bool:
    """Return whether the host has imported OpenTelemetry."""
    return sys.modules.get("opentelemetry") is not None  # None where its import is blocked


# ---- spans -----------------------------------------------------------------------------------------------------------

_tracer: tuple[Any, Any] = (None, None)  # the provider, and its tracer


def _get_tracer() -> Any:
    global _tracer  # noqa: PLW0603 -- a cache, replaced as a whole
    from opentelemetry import trace  # noqa: PLC0415 -- the host has imported it

    provider, tracer = trace.get_tracer_provider(), _tracer
    if tracer[0] is not provider:
        tracer = _tracer = (provider, provider.get_tracer(SCOPE, _version()))
    return tracer[1]


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 -- needed once

    return version("vantage-quickbooks")


def error_type(error: BaseException) -> str:
    """Return the code of an error of this package, or the class of another."""
    return str(getattr(error, "code", None) or type(error).__name__)


def _fail(made: Any, kind: str) -> None:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 -- as `_get_tracer`

    made.set_attribute("error.type", kind)
    made.set_status(Status(StatusCode.ERROR))


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


@contextmanager
def span(name: str, attributes: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Record a `with` block as a span, a child of the current one; an exception makes it an error.

    Args:
        name: The name of the span.
        attributes: Its attributes; those that are None are left out.
    """
    if not is_active():
        yield
        return
    from opentelemetry import trace  # noqa: PLC0415 -- as `_get_tracer`

    made = _get_tracer().start_span(name, attributes=_known(attributes or {}))
    with trace.use_span(made, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            _fail(made, error_type(error))
            raise


class HttpSpan:
    """A request that is being sent.

    Attributes:
        status: The HTTP status, once it is known.
        intuit_tid: Intuit's id of the response.
    """

    status: int | None = None
    intuit_tid: str | None = None


@contextmanager
def http_request(method: str, url: str, template: str, *, resends: int = 0) -> Iterator[HttpSpan]:
    """Record a `with` block as an HTTP request.

    Args:
        method: The HTTP method.
        url: The URL; only its scheme, host and port are recorded.
        template: Its path, without ids and query.
        resends: How often the request was sent before.
    """
    found = HttpSpan()
    if not is_active():
        yield found
        return
    from opentelemetry import trace  # noqa: PLC0415 -- as `_get_tracer`

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    common = {
        "http.request.method": method,
        "server.address": parts.hostname or "",
        "server.port": port,
        "url.template": template,
    }
    attributes = common | {"url.scheme": parts.scheme} | ({"http.request.resend_count": resends} if resends else {})
    made = _get_tracer().start_span(f"{method} {template}", kind=trace.SpanKind.CLIENT, attributes=attributes)
    began_at, kind = time.monotonic(), None
    with trace.use_span(made, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield found
        except BaseException as error:
            kind = error_type(error)
            raise
        finally:
            if found.status is not None:
                made.set_attribute("http.response.status_code", found.status)
                kind = kind or (str(found.status) if found.status >= 400 else None)
            if found.intuit_tid:
                made.set_attribute("vantage.intuit_tid", found.intuit_tid)
            if kind is not None:
                _fail(made, kind)
            facts = common | {"http.response.status_code": found.status, "error.type": kind}
            _record("http.client.request.duration", time.monotonic() - began_at, facts)


class CallSpan:
    """The span of a call, for hosts that use OpenTelemetry; it is current only inside of `active`.

    Args:
        action: The action.
        attributes: What is known at the start.
    """

    def __init__(self, action: str, attributes: Mapping[str, Any]) -> None:
        self._action = action
        self._span = _get_tracer().start_span(
            f"quickbooks {action}", attributes=_known({"vantage.action": action, **attributes})
        )

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make it the current span of this thread, for a `with` block."""
        from opentelemetry import trace  # noqa: PLC0415 -- as `_get_tracer`

        with trace.use_span(self._span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            yield

    def end(self, outcome: Mapping[str, Any], *, duration_s: float, api_calls: int, metered_calls: int) -> None:
        """End it.

        Args:
            outcome: `outcome`, and `records` or `errorCode`; see `Observers.audit`.
            duration_s: How long the call took.
            api_calls: Requests that it sent.
            metered_calls: Those that Intuit meters.
        """
        kind, records = outcome.get("errorCode"), outcome.get("records")
        facts = {"vantage.action": self._action, "vantage.outcome": outcome["outcome"], "error.type": kind}
        counted = {"vantage.api_calls": api_calls, "vantage.metered_calls": metered_calls, "vantage.records": records}
        self._span.set_attributes(_known(facts | counted))
        if kind is not None:
            _fail(self._span, kind)
        self._span.end()
        _record("vantage.call.duration", duration_s, facts)
        count("vantage.records", records or 0, {"vantage.action": self._action})
        count("vantage.metered_calls", metered_calls, {"vantage.action": self._action})


def waited(name: str, reason: str, seconds: float, attributes: Mapping[str, Any] | None = None) -> None:
    """Record a wait that has just ended, as a span and in the metric of waits; one below `MIN_WAIT_S` is not recorded.

    Args:
        name: The name of the span.
        reason: The reason in the metric: `rate_limit`.
        seconds: How long it took.
        attributes: Further attributes of the span.
    """
    if not is_active() or seconds < MIN_WAIT_S:
        return
    now = time.time_ns()
    facts = _known({"vantage.wait_s": round(seconds, 6), **(attributes or {})})
    made = _get_tracer().start_span(name, start_time=now - int(seconds * 1e9), attributes=facts)
    made.end(now)
    _record("vantage.wait.duration", seconds, {"vantage.reason": reason})


# ---- metrics ---------------------------------------------------------------------------------------------------------

_instruments: tuple[Any, dict[str, Any]] = (None, {})  # the provider, and its instruments


def _get_instrument(name: str) -> Any:
    global _instruments  # noqa: PLW0603 -- a cache, replaced as a whole
    from opentelemetry import metrics  # noqa: PLC0415 -- as `_get_tracer`

    provider, made = metrics.get_meter_provider(), _instruments
    if made[0] is not provider:
        meter = provider.get_meter(SCOPE, _version())
        made = _instruments = (provider, {name: _make(meter, name, row) for name, row in METRICS.items()})
    return made[1][name]


def _make(meter: Any, name: str, row: _Metric) -> Any:
    if row.kind == "counter":
        return meter.create_counter(name, unit=row.unit, description=row.text)
    return meter.create_histogram(
        name, unit=row.unit, description=row.text, explicit_bucket_boundaries_advisory=_BOUNDS_S
    )


def _record(name: str, value: float, attributes: Mapping[str, Any]) -> None:
    _get_instrument(name).record(value, attributes=_known(attributes))


def count(name: str, value: float, attributes: Mapping[str, Any] | None = None) -> None:
    """Add to a counter.

    Args:
        name: The counter, one of `METRICS`.
        value: What to add; 0 is not recorded.
        attributes: Its attributes; those that are None are left out.
    """
    if value and is_active():
        _get_instrument(name).add(value, attributes=_known(attributes or {}))
