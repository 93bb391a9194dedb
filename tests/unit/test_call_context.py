"""One call's clock: deadlines, pauses, cancellation and the meter."""

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
    """Time that passes only where somebody sleeps."""

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
def test_the_earlier_end_of_time_limit_and_hosts_deadline_counts(limit_s, deadline_s, left_s):
    clock = Clock()
    deadline = None if deadline_s is None else NOW + timedelta(seconds=deadline_s)
    call = clock.call(time_limit_s=limit_s, deadline=deadline)
    assert call.remaining() == pytest.approx(left_s)
    assert call.deadline == pytest.approx(1000 + left_s)


@pytest.mark.parametrize("passed_s", [0, 0.001, 3600])
def test_a_deadline_that_has_passed_leaves_nothing(passed_s):
    call = Clock().call(deadline=NOW - timedelta(seconds=passed_s))
    with pytest.raises(DeadlineExceededError):
        call.remaining()


def test_a_call_ends_at_its_deadline_and_not_before():
    clock = Clock()
    call = clock.call(time_limit_s=10)
    clock.at += 9.5
    assert call.remaining() == 0.5
    clock.at += 0.5
    with pytest.raises(DeadlineExceededError):
        call.remaining()


def test_a_wall_clock_that_jumps_moves_no_deadline():
    clock, wall = Clock(), [NOW]
    call = clock.call(now=lambda: wall[0], deadline=NOW + timedelta(seconds=10))
    wall[0] += timedelta(days=1)
    assert call.remaining() == pytest.approx(10)


def test_cancelling_is_noticed_first():
    call = Clock().call(time_limit_s=-1, cancelled=lambda: True)
    with pytest.raises(CancelledError):
        call.remaining()


# ---- backoff --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 500), st.floats(0, 10**6))
def test_a_backoff_never_undercuts_what_the_server_asked_for(attempt, retry_after_s):
    wait = Clock().call(time_limit_s=10**9).backoff(attempt, retry_after_s)
    own = min(60.0, 0.5 * 2.0**attempt)
    assert max(retry_after_s, own / 2) <= wait <= max(retry_after_s + 0.5, own)


@given(st.integers(1, 500))
def test_a_backoff_grows_has_a_ceiling_and_is_never_none_at_all(attempt):
    ceiling = min(60.0, 0.5 * 2.0**attempt)
    wait = Clock().call(time_limit_s=10**9).backoff(attempt)
    assert ceiling / 2 <= wait <= ceiling


@given(st.floats(0.001, 200), st.integers(1, 12), st.none() | st.floats(0, 300))
def test_a_backoff_that_does_not_fit_before_the_deadline_is_refused(limit_s, attempt, retry_after_s):
    clock = Clock()
    call = clock.call(time_limit_s=limit_s)
    wait = call.backoff(attempt, retry_after_s)
    if wait is None:
        assert limit_s <= max(min(60.0, 0.5 * 2.0**attempt), (retry_after_s or 0) + 0.5) + 1e-9
    else:
        assert clock.at + wait < call.deadline


@pytest.mark.parametrize("retry_after_s", [0, 0.0, 1e-9])
def test_a_server_that_asks_for_no_wait_does_not_make_the_pauses_collapse(retry_after_s):
    """Retry-After of 0, negative or in the past: six tries came in half a second."""
    waits = [Clock().call().backoff(attempt, retry_after_s, initial_backoff_s=10.0) for attempt in (1, 2)]
    assert waits[0] >= 10
    assert waits[1] >= 20


def test_threads_do_not_come_back_in_step():
    call = Clock().call(time_limit_s=10**9)
    assert len({call.backoff(3) for _ in range(50)}) > 40
    assert len({call.backoff(1, 60) for _ in range(50)}) > 40


# ---- pauses ---------------------------------------------------------------------------------------------------------


@given(st.floats(0, 100))
def test_a_pause_is_as_long_as_it_says_in_steps_of_half_a_second(seconds):
    clock = Clock()
    clock.call(time_limit_s=1000).sleep(seconds)
    assert sum(clock.slept) == pytest.approx(seconds)
    assert all(0 < step <= 0.5 for step in clock.slept)


@pytest.mark.parametrize("seconds", [0, -1, -0.0])
def test_no_pause_is_none(seconds):
    clock = Clock()
    clock.call().sleep(seconds)
    assert clock.slept == []


def test_a_pause_notices_cancellation_within_half_a_second():
    clock = Clock()
    call = clock.call(time_limit_s=1000, cancelled=lambda: clock.at >= 1003.2)
    with pytest.raises(CancelledError):
        call.sleep(60)
    assert clock.at - 1003.2 <= 0.5


def test_a_pause_does_not_outlive_the_deadline_by_more_than_a_step():
    clock = Clock()
    call = clock.call(time_limit_s=3.2)
    with pytest.raises(DeadlineExceededError):
        call.sleep(60)
    assert clock.at - call.deadline <= 0.5


# ---- the meter ------------------------------------------------------------------------------------------------------


def test_the_meter_is_exact_over_threads():
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
