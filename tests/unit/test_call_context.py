"""The state of a call: deadlines, backoff, sleeping, cancellation, and counting requests."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.api.call_context import TIME_LIMIT_S, CallContext
from vantage_quickbooks.errors import CancelledError, DeadlineExceededError

NOW = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that advances only while the code sleeps."""

    def __init__(self, at=1000.0):
        self.at = at
        self.slept = []

    def monotonic(self):
        return self.at

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds

    def call(self, **kwargs):
        return CallContext(**{"now": lambda: NOW, "monotonic": self.monotonic, "sleep": self.sleep} | kwargs)


@pytest.mark.parametrize(
    ("limit_s", "deadline_s", "left_s"),
    [
        (TIME_LIMIT_S, None, TIME_LIMIT_S),
        (10, None, 10),
        (10, 60, 10),
        (60, 10, 10),
        (60, 0.25, 0.25),
        (60, 10**9, 60),
    ],
)
def test_the_earlier_of_time_limit_and_host_deadline_applies(limit_s, deadline_s, left_s):
    clock = Clock()
    deadline = None if deadline_s is None else NOW + timedelta(seconds=deadline_s)
    call = clock.call(time_limit_s=limit_s, deadline=deadline)
    assert call.remaining() == pytest.approx(left_s)
    assert call.deadline == pytest.approx(1000 + left_s)


@pytest.mark.parametrize("passed_s", [0, 0.001, 3600])
def test_after_the_deadline_no_time_remains(passed_s):
    call = Clock().call(deadline=NOW - timedelta(seconds=passed_s))
    with pytest.raises(DeadlineExceededError):
        call.remaining()


def test_a_call_ends_at_its_deadline_and_not_earlier():
    clock = Clock()
    call = clock.call(time_limit_s=10)
    clock.at += 9.5
    assert call.remaining() == 0.5
    clock.at += 0.5
    with pytest.raises(DeadlineExceededError):
        call.remaining()


def test_a_jump_of_the_wall_clock_does_not_move_the_deadline():
    clock, wall = Clock(), [NOW]
    call = clock.call(now=lambda: wall[0], deadline=NOW + timedelta(seconds=10))
    wall[0] += timedelta(days=1)
    assert call.remaining() == pytest.approx(10)


def test_cancellation_is_reported_before_a_timeout():
    call = Clock().call(time_limit_s=-1, cancelled=lambda: True)
    with pytest.raises(CancelledError):
        call.remaining()


# ---- backoff --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 500), st.floats(0, 10**6))
def test_a_backoff_is_never_shorter_than_retry_after(attempt, retry_after_s):
    wait = Clock().call(time_limit_s=10**9).backoff(attempt, retry_after_s)
    own = min(60.0, 0.5 * 2.0**attempt)
    assert max(retry_after_s, own / 2) <= wait <= max(retry_after_s + 0.5, own)


@given(st.integers(1, 500))
def test_a_backoff_grows_up_to_a_maximum_and_is_never_zero(attempt):
    ceiling = min(60.0, 0.5 * 2.0**attempt)
    wait = Clock().call(time_limit_s=10**9).backoff(attempt)
    assert ceiling / 2 <= wait <= ceiling


@given(st.floats(0.001, 200), st.integers(1, 12), st.none() | st.floats(0, 300))
def test_a_backoff_beyond_the_deadline_is_refused(limit_s, attempt, retry_after_s):
    clock = Clock()
    call = clock.call(time_limit_s=limit_s)
    wait = call.backoff(attempt, retry_after_s)
    if wait is None:
        assert limit_s <= max(min(60.0, 0.5 * 2.0**attempt), (retry_after_s or 0) + 0.5) + 1e-9
    else:
        assert clock.at + wait < call.deadline


@pytest.mark.parametrize("retry_after_s", [0, 0.0, 1e-9])
def test_a_retry_after_of_zero_does_not_shorten_the_backoff(retry_after_s):
    """Retry-After of 0, negative or in the past once led to six attempts in half a second."""
    waits = [Clock().call().backoff(attempt, retry_after_s, initial_backoff_s=10.0) for attempt in (1, 2)]
    assert waits[0] >= 10
    assert waits[1] >= 20


def test_jitter_spreads_the_retries_of_threads():
    call = Clock().call(time_limit_s=10**9)
    assert len({call.backoff(3) for _ in range(50)}) > 40
    assert len({call.backoff(1, 60) for _ in range(50)}) > 40


# ---- pauses ---------------------------------------------------------------------------------------------------------


@given(st.floats(0, 100))
def test_sleep_takes_its_time_in_steps_of_half_a_second(seconds):
    clock = Clock()
    clock.call(time_limit_s=1000).sleep(seconds)
    assert sum(clock.slept) == pytest.approx(seconds)
    assert all(0 < step <= 0.5 for step in clock.slept)


@pytest.mark.parametrize("seconds", [0, -1, -0.0])
def test_sleeping_zero_seconds_does_not_sleep(seconds):
    clock = Clock()
    clock.call().sleep(seconds)
    assert clock.slept == []


def test_sleep_notices_cancellation_within_half_a_second():
    clock = Clock()
    call = clock.call(time_limit_s=1000, cancelled=lambda: clock.at >= 1003.2)
    with pytest.raises(CancelledError):
        call.sleep(60)
    assert clock.at - 1003.2 <= 0.5


def test_sleep_exceeds_the_deadline_by_one_step_at_most():
    clock = Clock()
    call = clock.call(time_limit_s=3.2)
    with pytest.raises(DeadlineExceededError):
        call.sleep(60)
    assert clock.at - call.deadline <= 0.5


# ---- the meter ------------------------------------------------------------------------------------------------------


def test_requests_are_counted_exactly_across_threads():
    call = Clock().call()

    def work():
        for number in range(500):
            call.count_request()
            call.record_tid(f"tid-{number}", is_metered=True)
            call.record_tid(None)
            call.record_tid("")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (call.api_calls, call.metered_calls) == (4000, 4000)
    assert len(call.intuit_tids) == 4000
    assert None not in call.intuit_tids


def test_transaction_ids_stay_in_order():
    call = Clock().call()
    for tid in ("a", "b", "a"):
        call.record_tid(tid)
    assert call.intuit_tids == ["a", "b", "a"]
    assert call.refreshed is False


def test_a_call_by_default_uses_real_clocks_in_utc():
    call = CallContext()
    assert call.now().tzinfo is UTC
    assert TIME_LIMIT_S - 5 < call.remaining() <= TIME_LIMIT_S
