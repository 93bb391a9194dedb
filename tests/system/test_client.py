"""The client over live HTTP: retries, deadlines, limits, and every kind of failure."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import (
    AccessDeniedError,
    CancelledError,
    DeadlineExceededError,
    NetworkError,
    QuickBooksUnavailableError,
    RateLimitedError,
    UnexpectedResponseError,
)

FAULTS = [
    ("throttle", {}, RateLimitedError),
    ("throttle", {"json": True}, RateLimitedError),
    ("html", {}, QuickBooksUnavailableError),
    ("gateway_timeout", {}, QuickBooksUnavailableError),
    ("fault_in_200", {}, QuickBooksUnavailableError),
    ("status", {"status": 500}, QuickBooksUnavailableError),
    ("reset", {}, NetworkError),
    ("truncate", {}, UnexpectedResponseError),
]


@pytest.mark.parametrize(("kind", "options", "error"), FAULTS, ids=[f"{kind}-{options}" for kind, options, _ in FAULTS])
def test_a_temporary_fault_is_retried(connect, emulator, kind, options, error):
    """A read that fails twice succeeds at the third attempt, and the requests are counted."""
    del error
    emulator.fault(kind, path="/query", times=2, **options)

    result = connect().invoke("listCustomers", {"max_results": 2})

    assert result["count"] == 2
    assert result["metadata"]["apiCalls"] == 3


@pytest.mark.parametrize(("kind", "options", "error"), FAULTS, ids=[f"{kind}-{options}" for kind, options, _ in FAULTS])
def test_a_permanent_fault_is_reported(connect, emulator, kind, options, error):
    """The error contains the number of attempts, and is retryable."""
    emulator.fault(kind, path="/query", times=-1, **options)

    with pytest.raises(error) as caught:
        connect().invoke("listCustomers")

    assert caught.value.retryable is True
    assert caught.value.details["attempts"] == caught.value.details["apiCalls"]
    # A throttled company is left alone for up to a minute at a time, so the deadline may come before the sixth try.
    assert caught.value.details["attempts"] in ({4, 5, 6} if error is RateLimitedError else {6})


def test_a_retry_waits_at_least_for_retry_after(connect, emulator, patient_call):
    """If the server says how long to wait, the next attempt is not earlier."""
    emulator.fault("throttle", path="/query", times=1, retry_after=17)

    connect().invoke("listCustomers")

    assert 17 <= sum(patient_call.slept) <= 20  # our own pause is 10 to 20 seconds


def test_a_retry_after_beyond_the_deadline_fails_at_once(connect, emulator, patient_call):
    """The call does not wait in vain, and the host gets the Retry-After."""
    emulator.fault("throttle", path="/query", times=-1, retry_after=3600)

    with pytest.raises(RateLimitedError) as caught:
        connect().invoke("listCustomers")

    assert caught.value.to_dict()["retryAfter"] == 3600
    assert patient_call.slept == []


def test_a_plain_text_refusal_under_200_is_an_error(connect, emulator):
    """HTTP 200 is not success."""
    emulator.fault("plain_text_200", path="/query", times=-1)
    with pytest.raises(AccessDeniedError) as caught:
        connect().invoke("listCustomers")
    assert "subscription" in caught.value.message


def test_a_wrong_environment_is_explained(connect, emulator):
    """403 with code 3100: the message names both environments."""
    with pytest.raises(AccessDeniedError) as caught:
        connect(realm_id="9999999999").invoke("getCompanyInfo")

    assert "production environment" in caught.value.message
    assert "set Environment to sandbox" in caught.value.message
    assert caught.value.details["suspected"] == "environment"
    assert emulator.counters()["api_requests"]["total"] == 1


def test_a_hanging_server_does_not_outlive_the_deadline(emulator, deployment):
    """The host's deadline bounds the whole call."""
    emulator.fault("hang", path="/companyinfo", times=-1, seconds=30)
    context = HostContext(deadline=datetime.now(UTC) + timedelta(seconds=1.5))
    connection = QUICKBOOKS.connect(emulator.credentials(), context, deployment=deployment, store=MemoryStore())

    started = datetime.now(UTC)
    with pytest.raises((NetworkError, DeadlineExceededError)):
        connection.invoke("getCompanyInfo")
    assert datetime.now(UTC) - started < timedelta(seconds=10)


def test_a_cancelled_call_ends(connect, emulator):
    """The host cancels while the client waits for its next attempt."""
    cancelled = threading.Event()
    emulator.fault("throttle", path="/query", times=-1)
    connection = connect(context=HostContext(cancelled=cancelled.is_set))
    cancelled.set()
    with pytest.raises(CancelledError):
        connection.invoke("listCustomers")


def test_at_most_ten_requests_are_in_flight(connect, emulator):
    """Intuit allows a company ten requests at once."""
    emulator.fault("latency", path="/companyinfo", times=-1, seconds=0.05)
    connection = connect()
    connection.invoke("getAccessToken")
    with ThreadPoolExecutor(25) as pool:
        list(pool.map(lambda _: connection.invoke("getCompanyInfo"), range(25)))

    assert emulator.counters()["max_concurrent"] <= 10


def test_connections_are_reused(connect, emulator):
    """One pooled session: many calls, one connection to the data API."""
    connection = connect()
    for _ in range(5):
        connection.invoke("getCompanyInfo")
    assert emulator.counters()["connections"] <= 2


def test_a_netrc_entry_does_not_replace_the_token(connect, monkeypatch, tmp_path):
    """requests would replace the Authorization header by a .netrc entry."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert connect().invoke("getCompanyInfo")["companyInfo"]["Id"] == "1"
