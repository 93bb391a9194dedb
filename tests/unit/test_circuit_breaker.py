"""The circuit breaker of a blocked app: what opens it, who probes, and what closes it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.api.circuit_breaker import (
    INITIAL_PROBE_INTERVAL_S,
    MAX_PROBE_INTERVAL_S,
    MIN_REFUSED_S,
    SERVED_S,
    CircuitBreaker,
    circuit_breaker_for,
)
from vantage_quickbooks.errors import AppBlockedError, NetworkError, RateLimitedError


class Clocked:
    def __init__(self):
        self.now = 1000.0
        self.sent = 0
        self.circuit = CircuitBreaker(monotonic=lambda: self.now)

    def ask(self, error=None, company=None):
        """Send one request that ends with *error*; return the class of the resulting error."""
        try:
            self.circuit.check()
            with self.circuit.attempt(company):
                self._send(error)
        except Exception as failure:  # noqa: BLE001 -- that is what is asked
            return type(failure)
        return None

    def _send(self, error):
        self.sent += 1
        if error is not None:
            raise error

    def refuse_for(self, seconds, *companies, step=10.0):
        """Refuse one request after the other, of companies in turns."""
        turns = itertools.cycle(companies or [None])
        seen = self.ask(RateLimitedError("no"), next(turns))
        end = self.now + seconds
        while self.now < end and seen is RateLimitedError:
            self.now += step
            seen = self.ask(RateLimitedError("no"), next(turns))
        return seen


def blocked():
    clocked = Clocked()
    assert clocked.refuse_for(200) is AppBlockedError
    return clocked


def test_throttling_within_a_minute_does_not_open_the_circuit():
    clocked = Clocked()
    assert clocked.refuse_for(MIN_REFUSED_S - 10) is RateLimitedError
    assert clocked.ask() is None
    clocked.now += 10
    assert clocked.ask(RateLimitedError("no")) is RateLimitedError  # a success forgets what was before


def test_refusals_for_longer_than_a_minute_open_the_circuit_for_all_calls():
    clocked = blocked()
    sent = clocked.sent
    assert {clocked.ask() for _ in range(50)} == {AppBlockedError}
    assert clocked.sent == sent


def test_one_throttled_company_is_not_a_blocked_app_while_others_were_served():
    """Whether it was served itself says nothing."""
    for served in (["other"], ["other", "throttled"], ["throttled", "other", "throttled", "throttled"]):
        clocked = Clocked()
        for company in served:
            assert clocked.ask(company=company) is None
        assert clocked.refuse_for(SERVED_S - 20, "throttled") is RateLimitedError
        assert clocked.refuse_for(100, "throttled") is AppBlockedError


@pytest.mark.parametrize(
    ("served", "refused"),
    [(["other"], ["throttled", "another"]), (["other"], ["throttled", "other"]), (["throttled"], ["throttled"]),
     ([], ["throttled"]), (["other"], [None])],
)  # fmt: skip
def test_a_blocked_app_is_noticed_even_if_a_company_was_served_before(served, refused):
    clocked = Clocked()
    for company in served:
        assert clocked.ask(company=company) is None
    assert clocked.refuse_for(MIN_REFUSED_S + 20, *refused) is AppBlockedError


def test_two_incidents_far_apart_do_not_open_the_circuit():
    clocked = Clocked()
    clocked.ask(RateLimitedError("no"))
    clocked.now += 10 * MIN_REFUSED_S
    assert clocked.ask(RateLimitedError("no")) is RateLimitedError


def test_the_error_contains_the_time_of_the_next_probe():
    clocked = blocked()
    with pytest.raises(AppBlockedError, match="metered calls of the month") as caught:
        clocked.circuit.check()
    assert caught.value.retry_after_s == pytest.approx(INITIAL_PROBE_INTERVAL_S, abs=1)
    assert caught.value.retryable is True
    assert caught.value.to_dict()["retryAfter"] is not None


def test_one_probe_is_sent_and_its_success_closes_the_circuit():
    clocked = blocked()
    clocked.now += INITIAL_PROBE_INTERVAL_S
    with clocked.circuit.attempt():
        assert clocked.ask() is AppBlockedError  # the probe under way decides
    assert clocked.ask() is None
    assert clocked.ask(RateLimitedError("no")) is RateLimitedError


def test_a_probe_that_decides_nothing_is_followed_by_another():
    clocked = blocked()
    clocked.now += INITIAL_PROBE_INTERVAL_S
    assert clocked.ask(NetworkError("no")) is NetworkError
    assert clocked.ask() is None


def test_probes_become_rarer():
    clocked = blocked()
    pauses = []
    for _ in range(8):
        with pytest.raises(AppBlockedError) as caught:
            clocked.circuit.check()
        pauses.append(caught.value.retry_after_s)
        clocked.now += caught.value.retry_after_s
        assert clocked.ask(RateLimitedError("no")) is AppBlockedError
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PROBE_INTERVAL_S


@given(st.lists(st.tuples(st.sampled_from([None, "429", "net"]), st.integers(0, 400)), max_size=60))
def test_the_circuit_is_never_open_after_a_success_and_never_permanently(story):
    clocked = Clocked()
    for outcome, pause in story:
        error = {"429": RateLimitedError("no"), "net": NetworkError("no"), None: None}[outcome]
        if clocked.ask(error) is None:
            assert clocked.ask() is None
        clocked.now += pause
    clocked.now += MAX_PROBE_INTERVAL_S
    assert clocked.ask() is None


def test_an_app_has_one_circuit_breaker_per_server():
    assert circuit_breaker_for("https://a", "1") is circuit_breaker_for("https://a", "1")
    assert circuit_breaker_for("https://a", "1") is not circuit_breaker_for("https://b", "1")
    assert circuit_breaker_for("https://a", "1") is not circuit_breaker_for("https://a", "2")
