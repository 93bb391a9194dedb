"""An app that Intuit has blocked for the month: calls fail at once, without a request."""

from __future__ import annotations

import pytest

from vantage_quickbooks.api import circuit_breaker
from vantage_quickbooks.errors import AppBlockedError, QuickBooksUnavailableError, RateLimitedError


@pytest.fixture
def hurried(monkeypatch):
    """Shorten the times of the circuit breaker to milliseconds."""
    monkeypatch.setattr(circuit_breaker, "INCIDENT_S", 0.0)
    monkeypatch.setattr(circuit_breaker, "MIN_REFUSED_S", 0.0)


def block(emulator, path):
    emulator.fault("throttle", path=path, times=-1)


@pytest.mark.usefixtures("hurried")
def test_a_blocked_app_sends_no_more_requests_for_any_company(emulator, connect):
    one, other = connect(), connect(max_results=5)
    one.invoke("getAccessToken")
    block(emulator, "/v3/company")
    with pytest.raises(RateLimitedError) as first:
        one.invoke("getCompanyInfo")
    assert isinstance(first.value, AppBlockedError)
    sent = emulator.counters()["api_requests"]["total"]
    for connection in (one, other):
        error = connection.call("listInvoices")["error"]
        assert (error["code"], error["retryable"]) == ("APP_BLOCKED", True)
        assert error["retryAfter"] > 1
        assert error["details"]["apiCalls"] == 0
    assert emulator.counters()["api_requests"]["total"] == sent


@pytest.mark.usefixtures("hurried")
def test_calls_succeed_again_after_the_block_ends(emulator, connect, monkeypatch):
    monkeypatch.setattr(circuit_breaker, "INITIAL_PROBE_INTERVAL_S", 0.0)
    connection = connect()
    connection.invoke("getAccessToken")
    block(emulator, "/v3/company")
    with pytest.raises(RateLimitedError):
        connection.invoke("getCompanyInfo")
    emulator.clear_faults()
    assert connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"]


@pytest.mark.usefixtures("hurried")
def test_a_blocked_token_endpoint_gets_no_more_requests(emulator, connect):
    connection = connect()
    block(emulator, "/oauth2/v1/tokens/bearer")
    with pytest.raises(AppBlockedError):
        connection.invoke("getAccessToken")
    asked = emulator.counters()["token_requests"]["total"]
    with pytest.raises(AppBlockedError):
        connection.invoke("getCompanyInfo")
    assert emulator.counters()["token_requests"]["total"] == asked


def test_sent_and_metered_calls_are_counted_separately(emulator, connect):
    """Intuit meters successful requests only."""
    emulator.fault("html", path="/query", times=2)
    events = connect().invoke("listCustomers")["metadata"]
    assert (events["apiCalls"], events["meteredCalls"]) == (3, 1)
    emulator.fault("html", path="/query", times=-1)
    with pytest.raises(QuickBooksUnavailableError) as caught:
        connect().invoke("listCustomers")
    assert caught.value.details["apiCalls"] == 6
    assert caught.value.details["meteredCalls"] == 0
