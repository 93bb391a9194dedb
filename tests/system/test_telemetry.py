"""Spans and metrics, recorded by OpenTelemetry's own SDK, of real calls to the emulator."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from vantage_quickbooks import telemetry
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import ConnectorError, ReauthorizationRequired

QUERY = "GET /v3/company/{realmId}/query"
TOKEN = "POST /oauth2/v1/tokens/bearer"


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(rotation="always", limits=False, invoices=2500) as running:
        yield running


@pytest.fixture
def emulator(fresh_quickbooks):
    return fresh_quickbooks


@pytest.fixture
def connect(connect):
    """Make connections with the id `acme`, by which records and spans name them."""
    return functools.partial(connect, context=HostContext(connection_id="acme"))


class Recorded:
    """What a host's provider has recorded."""

    def __init__(self, monkeypatch):
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider([self.reader])
        monkeypatch.setattr(trace, "get_tracer_provider", lambda: tracers)
        monkeypatch.setattr(metrics, "get_meter_provider", lambda: meters)
        self.tracer = tracers.get_tracer("the host")

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def one(self, name):
        (found,) = self.named(name)
        return found

    def tree(self):
        """Return each span as the names on the way from its root, in the order of their starts."""
        by_id = {span.context.span_id: span for span in self.spans}

        def path(span):
            above = by_id.get(span.parent.span_id) if span.parent else None
            return (*(path(above) if above else ()), span.name)

        return [path(span) for span in sorted(self.spans, key=lambda span: span.start_time)]

    def metrics(self):
        """Return the data points of each metric."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def recorded(monkeypatch):
    return Recorded(monkeypatch)


def parent_of(span):
    return span.parent.span_id if span.parent else None


def test_a_call__its_token_refresh_and_its_request_are_nested_in_the_span_of_the_host(recorded, connect):
    with recorded.tracer.start_as_current_span("the host's job"):
        connect().invoke("listCustomers", {"max_results": 5})

    call = "the host's job", "quickbooks listCustomers"
    assert recorded.tree() == [
        call[:1],
        call,
        (*call, "quickbooks token_refresh"),
        (*call, "quickbooks token_refresh", TOKEN),
        (*call, QUERY),
    ]
    attributes = recorded.one("quickbooks listCustomers").attributes
    assert {name: attributes[name] for name in attributes if name != "vantage.request_id"} == {
        "vantage.action": "listCustomers",
        "vantage.connection_id": "acme",
        "vantage.outcome": "success",
        "vantage.records": 5,
        "vantage.api_calls": 1,
        "vantage.metered_calls": 1,
    }


def test_a_request__has_the_attributes_of_the_conventions(recorded, connect, emulator):
    connect().invoke("listCustomers", {"max_results": 5})

    span = recorded.one(QUERY)
    attributes = dict(span.attributes)
    assert attributes.pop("vantage.intuit_tid")
    assert attributes == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": int(emulator.url.rpartition(":")[2]),
        "url.scheme": "http",
        "url.template": "/v3/company/{realmId}/query",
        "http.response.status_code": 200,
    }
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert span.instrumentation_scope.name == "vantage_quickbooks"


def test_retries__each_attempt_and_each_pause_is_a_span(recorded, connect, emulator):
    emulator.fault("status", path="/query", status=503, times=2)

    connect().invoke("listCustomers", {"max_results": 5})

    first, second, third = sorted(recorded.named(QUERY), key=lambda span: span.start_time)
    assert [dict(span.attributes).get("http.request.resend_count") for span in (first, second, third)] == [None, 1, 2]
    assert [span.attributes["http.response.status_code"] for span in (first, second, third)] == [503, 503, 200]
    assert [span.status.status_code for span in (first, third)] == [StatusCode.ERROR, StatusCode.UNSET]
    assert first.attributes["error.type"] == "503"
    pauses = recorded.named("quickbooks retry_wait")
    assert [span.attributes["vantage.attempt"] for span in pauses] == [1, 2]
    assert {span.attributes["error.type"] for span in pauses} == {"SERVICE_UNAVAILABLE"}
    call = recorded.one("quickbooks listCustomers")
    assert {parent_of(span) for span in (first, second, third, *pauses)} == {call.context.span_id}
    (retries,) = recorded.metrics()["vantage.retries"]
    assert (retries.value, dict(retries.attributes)) == (2, {"error.type": "SERVICE_UNAVAILABLE"})


def test_a_full_read__pages_that_other_threads_fetch_belong_to_the_call(recorded, connect):
    connection = connect()

    with recorded.tracer.start_as_current_span("the host's job") as job:
        pages = connection.stream("listInvoices", {"all": True, "max_results": 500})
        names = [trace.get_current_span().get_span_context().span_id for _ in pages]

    call = recorded.one("quickbooks listInvoices")
    requests = recorded.named(QUERY)
    assert len(requests) >= 5
    assert {parent_of(span) for span in requests} == {call.context.span_id}
    assert parent_of(call) == job.get_span_context().span_id
    assert set(names) == {job.get_span_context().span_id}  # the caller's code between two pages is not the call's
    assert call.attributes["vantage.records"] == 2500
    assert call.attributes["vantage.api_calls"] == len(requests)


def test_a_wait_for_the_rate_limit(recorded, connect):
    connection = connect(rate_limiter=RateLimiter(max_per_second=1))

    for _ in range(2):
        connection.invoke("listCustomers", {"max_results": 1})

    (wait,) = recorded.named("quickbooks rate_limit_wait")
    assert 0 < wait.attributes["vantage.wait_s"] <= 1
    assert wait.end_time - wait.start_time == pytest.approx(wait.attributes["vantage.wait_s"] * 1e9, rel=0.01)
    (waits,) = recorded.metrics()["vantage.wait.duration"]
    assert (waits.count, dict(waits.attributes)) == (1, {"vantage.reason": "rate_limit"})


def test_a_failure__is_its_code_without_message_and_stack(recorded, connect, emulator):
    emulator.revoke_grants()

    with pytest.raises(ReauthorizationRequired):
        connect().invoke("listCustomers", {"max_results": 5})

    for name in ("quickbooks listCustomers", "quickbooks token_refresh", TOKEN):
        span = recorded.one(name)
        assert span.attributes["error.type"] == "REAUTHORIZATION_REQUIRED"
        assert span.status.status_code is StatusCode.ERROR
        assert (span.status.description, span.events) == (None, ())
    (refreshes,) = recorded.metrics()["vantage.token.refreshes"]
    assert (refreshes.value, dict(refreshes.attributes)) == (1, {"error.type": "REAUTHORIZATION_REQUIRED"})


def test_metrics(recorded, connect):
    connection = connect()
    connection.invoke("listCustomers", {"max_results": 5})
    connection.invoke("listCustomers", {"max_results": 3})
    with pytest.raises(ConnectorError):
        connection.invoke("listCustomers", {"max_results": 0})

    found = recorded.metrics()

    calls = {(point.attributes["vantage.outcome"], point.count) for point in found["vantage.call.duration"]}
    assert calls == {("success", 2), ("error", 1)}
    assert [point.value for point in found["vantage.records"]] == [8]
    assert [point.value for point in found["vantage.metered_calls"]] == [2]
    assert [point.value for point in found["vantage.token.refreshes"]] == [1]
    requests = {point.attributes["url.template"]: point.count for point in found["http.client.request.duration"]}
    assert requests == {"/v3/company/{realmId}/query": 2, "/oauth2/v1/tokens/bearer": 1}


def test_what_is_not_an_action__has_a_span_too(recorded, connect):
    connection = connect()
    assert connection.test()["ok"]
    connection.estimate("listInvoices", {"all": True})
    connection.disconnect()

    assert [path[0] for path in recorded.tree() if len(path) == 1] == [
        "quickbooks test",
        "quickbooks estimate",
        "quickbooks disconnect",
    ]
    assert ("quickbooks disconnect", "POST /v2/oauth2/tokens/revoke") in recorded.tree()


def test_a_sync_and_a_report(recorded, connect):
    connection = connect()
    for _ in connection.sync(["Customer"]):
        pass
    connection.invoke("getReport", {"report": "ProfitAndLoss"})
    connection.invoke("getCustomer", {"id": "1"})

    roots = {path[0] for path in recorded.tree()}
    assert roots == {"quickbooks sync", "quickbooks getReport", "quickbooks getCustomer"}
    assert recorded.named("GET /v3/company/{realmId}/reports/ProfitAndLoss")
    assert recorded.named("GET /v3/company/{realmId}/customer/{id}")


def test_nothing_is_secret_and_everything_is_documented(recorded, connect, emulator):
    emulator.fault("status", path="/query", status=503)
    connection = connect()
    connection.invoke("listCustomers", {"max_results": 5, "name": "Geeta"})
    connection.test()
    secrets = [emulator.credentials()[name] for name in ("client_id", "client_secret", "refresh_token", "realm_id")]
    secrets += connection._get_client().authorizer.secrets()

    text = "\n".join(span.to_json() for span in recorded.spans) + str(recorded.metrics())

    assert len(recorded.spans) > 5
    for secret in (*secrets, "Geeta", "select", "SELECT"):
        assert secret not in text, secret
    for span in recorded.spans:
        name = _row_of(span.name)
        kind, _, attributes = telemetry.SPANS[name]
        assert span.kind.name == kind
        assert set(span.attributes) <= set(attributes), span.name
    for name, points in recorded.metrics().items():
        for point in points:
            assert set(point.attributes) <= set(telemetry.METRICS[name].attributes), name


def _row_of(name):
    if name in telemetry.SPANS:
        return name
    return "quickbooks {action}" if name.startswith("quickbooks ") else "{method} {template}"


def test_calls_in_many_threads__each_has_its_own_requests(recorded, connect):
    connection = connect()

    def call():
        connection.invoke("listCustomers", {"max_results": 2})

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    calls = {span.context.span_id for span in recorded.named("quickbooks listCustomers")}
    assert len(calls) == 6
    assert {parent_of(span) for span in recorded.named(QUERY)} == calls


def test_without_a_provider__nothing_is_recorded_and_calls_work(connect):
    assert connect().invoke("listCustomers", {"max_results": 2})["count"] == 2
    assert not trace.get_current_span().get_span_context().is_valid


def test_without_opentelemetry__it_is_not_imported(emulator):
    program = """
import sys
sys.modules["opentelemetry.trace"] = sys.modules["opentelemetry.metrics"] = None  # as if it were not installed
from vantage_quickbooks.connector.connector import QUICKBOOKS
with QUICKBOOKS.connect({"environment": "emulator", "emulator_url": sys.argv[1], "client_id": sys.argv[2],
                         "client_secret": sys.argv[3], "refresh_token": sys.argv[4], "realm_id": sys.argv[5]}) as c:
    print(c.invoke("listCustomers", {"max_results": 2})["count"])
assert "opentelemetry" not in sys.modules
"""
    form = emulator.credentials()
    names = ("client_id", "client_secret", "refresh_token", "realm_id")
    command = [sys.executable, "-c", program, emulator.url, *(form[name] for name in names)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (found.returncode, found.stdout, found.stderr) == (0, "2\n", "")
