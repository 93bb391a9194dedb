"""Which failures are retried and when, and the typed attributes of errors on which that depends."""

from __future__ import annotations

import json

import pytest
import requests

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.retry import INITIAL_BACKOFF_S, MAX_ATTEMPTS, THROTTLED_BACKOFF_S, RetryPolicy
from vantage_quickbooks.api.transport_errors import translate_request_error
from vantage_quickbooks.core import responses
from vantage_quickbooks.errors import (
    AppBlockedError,
    CancelledError,
    ConnectorError,
    DeadlineExceededError,
    NetworkError,
    QuickBooksUnavailableError,
    RateLimitedError,
    RequestRejectedError,
    UnexpectedResponseError,
)


def policy(*, time_limit_s=100_000.0, **options):
    return RetryPolicy(CallContext(time_limit_s=time_limit_s, monotonic=lambda: 0.0), **options)


@pytest.mark.parametrize(
    "error",
    [
        NetworkError("lost"),
        QuickBooksUnavailableError("maintenance"),
        UnexpectedResponseError("truncated"),
        RateLimitedError("throttled"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_retryable_errors_are_retried_until_the_last_attempt(error):
    retries = policy()
    delays = [retries.next_delay(error) for _ in range(MAX_ATTEMPTS)]

    assert all(delay > 0 for delay in delays[:-1])
    assert delays[-1] is None
    assert error.details["attempts"] == MAX_ATTEMPTS


@pytest.mark.parametrize(
    "error",
    [
        RequestRejectedError("bad request"),
        CancelledError("cancelled"),
        DeadlineExceededError("timed out"),
        AppBlockedError("blocked", retry_after_s=60),
        UnexpectedResponseError("too large", retryable=False),
    ],
    ids=lambda error: type(error).__name__,
)
def test_final_errors_are_not_retried(error):
    assert policy().next_delay(error) is None
    assert "attempts" not in error.details


def test_a_throttled_request_waits_longer_than_a_lost_one():
    """Intuit's window is a minute. The first delay is between the initial backoff and twice that."""
    assert INITIAL_BACKOFF_S <= policy().next_delay(NetworkError("lost")) <= 2 * INITIAL_BACKOFF_S
    assert THROTTLED_BACKOFF_S <= policy().next_delay(RateLimitedError("throttled")) <= 2 * THROTTLED_BACKOFF_S


def test_a_retry_waits_at_least_as_long_as_the_server_asks():
    assert policy().next_delay(QuickBooksUnavailableError("maintenance", retry_after_s=300.0)) >= 300.0


def test_a_delay_beyond_the_deadline_ends_the_retries():
    error = QuickBooksUnavailableError("maintenance", retry_after_s=300.0)
    assert policy(time_limit_s=200.0).next_delay(error) is None
    assert error.details["attempts"] == 1


@pytest.mark.parametrize(("is_timeout", "is_retried"), [(True, False), (False, True)])
def test_a_request_that_may_be_made_smaller_is_not_repeated_after_a_timeout(is_timeout, is_retried):
    error = NetworkError("slow", is_timeout=is_timeout)
    assert (policy(retry_timeouts=False).next_delay(error) is not None) is is_retried
    assert policy().next_delay(error) is not None


def failed(status, body):
    with pytest.raises(ConnectorError) as caught:
        responses.decipher(status, {"content-type": "application/json"}, json.dumps(body).encode(), loads=json.loads)
    return caught.value


def fault(code):
    return {"Fault": {"type": "SERVICE", "Error": [{"code": code, "Message": "m"}]}}


@pytest.mark.parametrize(
    ("status", "code", "is_timeout", "is_unprocessed"),
    [
        (408, "0", True, False),
        (504, "0", True, False),
        (500, "6002", True, False),
        (500, "10000", False, False),
        (502, "0", False, False),
        (503, "0", False, True),
        (429, "3001", False, True),
        (400, "4000", False, False),
    ],
)
def test_a_response_says_whether_it_timed_out_and_whether_it_was_processed(status, code, is_timeout, is_unprocessed):
    """Statuses 408 and 504 and fault 6002 are timeouts; 429 and 503 were not processed. The message has no effect."""
    error = failed(status, fault(code))
    assert (error.is_timeout, error.is_unprocessed) == (is_timeout, is_unprocessed)


@pytest.mark.parametrize(
    ("kind", "is_timeout"),
    [("ReadTimeout", True), ("ConnectTimeout", False), ("Timeout", False), ("ConnectionError", False)],
)
def test_only_a_response_that_does_not_come_is_a_timeout_of_the_server(kind, is_timeout):
    error = translate_request_error(getattr(requests.exceptions, kind)("x"), "QuickBooks", "https://api.test")
    assert error.is_timeout is is_timeout


@pytest.mark.parametrize(
    ("status", "is_unprocessed"), [(429, True), (503, True), (500, False), (502, False), (400, False)]
)
def test_only_a_refresh_that_was_not_processed_may_be_repeated(status, is_unprocessed):
    """Any other failed token request may have rotated the refresh token."""
    with pytest.raises(ConnectorError) as caught:
        responses.decipher_token(status, {}, b'{"error": "server_error"}')
    assert caught.value.is_unprocessed is is_unprocessed
