"""An app that Intuit has blocked for the month: calls say so at once, and nobody is asked in vain."""

from __future__ import annotations

import pytest

from vantage_quickbooks.api import circuit_breaker
from vantage_quickbooks.errors import AppBlockedError, QuickBooksUnavailableError, RateLimitedError


@pytest.fixture
def hurried(monkeypatch):
    """Let the circuit's time pass in milliseconds: nothing here waits for minutes."""
    monkeypatch.setattr(circuit_breaker, "INCIDENT_S", 0.0)
    monkeypatch.setattr(circuit_breaker, "MIN_REFUSED_S", 0.0)


def block(emulator, path):
    emulator.fault("throttle", path=path, times=-1)


@pytest.mark.usefixtures("hurried")
def test_a_blocked_app_is_asked_no_more_for_any_company(emulator, connect):
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
def test_the_block_ends_by_itself(emulator, connect, monkeypatch):
    monkeypatch.setattr(circuit_breaker, "INITIAL_PROBE_INTERVAL_S", 0.0)
    connection = connect()
    connection.invoke("getAccessToken")
    block(emulator, "/v3/company")
    with pytest.raises(RateLimitedError):
        connection.invoke("getCompanyInfo")
    emulator.clear_faults()
    assert connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"]


@pytest.mark.usefixtures("hurried")
def test_a_blocked_token_endpoint_is_asked_no_more(emulator, connect):
    connection = connect()
    block(emulator, "/oauth2/v1/tokens/bearer")
    with pytest.raises(AppBlockedError):
        connection.invoke("getAccessToken")
    asked = emulator.counters()["token_requests"]["total"]
    with pytest.raises(AppBlockedError):
        connection.invoke("getCompanyInfo")
    assert emulator.counters()["token_requests"]["total"] == asked


def test_sent_and_metered_calls_are_told_apart(emulator, connect):
    """Intuit meters what it answered with success."""
    emulator.fault("html", path="/query", times=2)
    events = connect().invoke("listCustomers")["metadata"]
    assert (events["apiCalls"], events["meteredCalls"]) == (3, 1)
    emulator.fault("html", path="/query", times=-1)
    with pytest.raises(QuickBooksUnavailableError) as caught:
        connect().invoke("listCustomers")
    assert caught.value.details["apiCalls"] == 6
    assert caught.value.details["meteredCalls"] == 0
