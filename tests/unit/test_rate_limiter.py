"""Rate limits: concurrent requests, and requests started in a second and in a minute."""

from __future__ import annotations

import array
import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.api import machine_rate_limiter
from vantage_quickbooks.api.machine_rate_limiter import MachineRateLimiter
from vantage_quickbooks.api.rate_limiter import RateLimiter, rate_limiter_for
from vantage_quickbooks.errors import CancelledError, DeadlineExceededError


class Clock:
    """A clock for one thread: it advances while the rate limiter waits, and scheduled events happen on the way."""

    def __init__(self):
        self.at = 0.0
        self.waits = []
        self.scheduled = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def notify(self):
        pass

    def wait(self, seconds):
        assert seconds > 0, "a wait that does not wait spins"
        self.waits.append(seconds)
        self.at += seconds
        for at, happen in [entry for entry in self.scheduled if entry[0] <= self.at]:
            self.scheduled.remove((at, happen))
            happen()


def clocked_limiter(at_once=10, per_second=10, per_minute=500):
    clock = Clock()
    limiter = RateLimiter(at_once, per_second, per_minute, monotonic=lambda: clock.at)
    limiter._changed = clock
    return limiter, clock


def assert_windows_hold(starts, per_second, per_minute):
    for span, most in ((1.0, per_second), (60.0, per_minute)):
        for earlier, later in zip(starts, starts[most:], strict=False):
            assert later >= earlier + span, f"more than {most} in {span} s"


@given(
    gaps=st.lists(st.floats(0, 3) | st.just(0.0), min_size=1, max_size=60),
    per_second=st.integers(1, 6),
    per_minute=st.integers(1, 20),
)
def test_no_second_and_no_minute_holds_more_starts_than_allowed(gaps, per_second, per_minute):
    """For any schedule of requests, and every window that begins at a start."""
    limiter, clock = clocked_limiter(1, per_second, per_minute)
    starts = []
    for gap in gaps:
        clock.at += gap
        with limiter.acquire():
            starts.append(clock.at)
    assert_windows_hold(starts, per_second, per_minute)


@given(
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=40), per_second=st.integers(1, 6), per_minute=st.integers(1, 20)
)
def test_no_request_waits_longer_than_the_limits_require(gaps, per_second, per_minute):
    """Each start is as early as those before it allow, up to float rounding."""
    limiter, clock = clocked_limiter(1, per_second, per_minute)
    starts = []
    for gap in gaps:
        clock.at += gap
        asked = clock.at
        with limiter.acquire():
            starts.append(clock.at)
        earliest = max(
            [
                asked,
                *(starts[-1 - n] + span for span, n in ((1.0, per_second), (60.0, per_minute)) if len(starts) > n),
            ]
        )
        assert starts[-1] == pytest.approx(earliest, abs=1e-6)


def test_intuits_own_limits_are_the_defaults():
    limiter, clock = clocked_limiter()
    starts = []
    for _ in range(1000):
        with limiter.acquire():
            starts.append(clock.at)
    assert_windows_hold(starts, 10, 500)
    assert starts[9] == 0
    assert starts[10] == pytest.approx(1)
    assert starts[499] < 50
    assert starts[500] == pytest.approx(60)


def test_the_number_of_concurrent_requests_is_limited():
    limiter, clock = clocked_limiter(at_once=3, per_second=100)
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(limiter.acquire())
        with pytest.raises(DeadlineExceededError), limiter.acquire(deadline=5.0):
            pytest.fail("a fourth place")
        assert clock.at == pytest.approx(5)
    with limiter.acquire(deadline=clock.at + 1):
        pass


def test_a_slot_is_taken_as_soon_as_it_is_released():
    limiter, clock = clocked_limiter(at_once=1, per_second=100)
    first = limiter.acquire()
    first.__enter__()
    clock.scheduled.append((0.5, lambda: first.__exit__(None, None, None)))
    with limiter.acquire(deadline=60):
        assert clock.at == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, DeadlineExceededError, GeneratorExit])
def test_a_slot_is_released_however_the_request_ends(error):
    limiter, _ = clocked_limiter(at_once=1, per_second=100)
    for _ in range(5):
        with pytest.raises(error), limiter.acquire(deadline=1.0):
            raise error("broken")
    with limiter.acquire(deadline=1.0):
        pass


def test_a_wait_that_fails_takes_no_slot_and_counts_no_start():
    limiter, clock = clocked_limiter(at_once=1, per_second=1, per_minute=100)
    with limiter.acquire():
        pass
    for _ in range(3):
        with pytest.raises(DeadlineExceededError), limiter.acquire(deadline=0.5):
            pytest.fail("too early")
        with pytest.raises(CancelledError), limiter.acquire(cancelled=lambda: True):
            pytest.fail("cancelled")
    with limiter.acquire(deadline=1.5):
        assert clock.at == pytest.approx(1.0)


def test_a_wait_beyond_the_deadline_fails_at_once():
    """The next slot is 60 seconds away, the deadline 30: the call does not wait 30 seconds before it fails."""
    limiter, clock = clocked_limiter(at_once=1, per_second=1, per_minute=1)
    with limiter.acquire():
        pass
    with pytest.raises(DeadlineExceededError), limiter.acquire(deadline=30.0):
        pytest.fail("too early")
    assert clock.at == 0


def test_a_free_slot_can_be_taken_after_the_deadline():
    """The request itself checks the deadline; the rate limiter checks it only while it waits."""
    limiter, _ = clocked_limiter()
    with limiter.acquire(deadline=-1.0):
        pass


def test_a_waiting_call_notices_that_it_was_cancelled():
    limiter, clock = clocked_limiter(at_once=1, per_second=1, per_minute=1)
    with limiter.acquire():
        pass
    with pytest.raises(CancelledError), limiter.acquire(cancelled=lambda: clock.at >= 7):
        pytest.fail("cancelled")
    assert clock.at == pytest.approx(7, abs=0.25)


def test_a_cancelled_call_gets_no_slot_even_if_one_is_free():
    limiter, _ = clocked_limiter()
    with pytest.raises(CancelledError), limiter.acquire(cancelled=lambda: True):
        pytest.fail("cancelled")


@pytest.mark.parametrize(("workers", "at_once"), [(16, 3), (8, 1), (4, 10)])
def test_threads_never_hold_more_slots_than_there_are(workers, at_once):
    """Real threads and a real clock; the windows are wide, so that only the concurrency limit applies."""
    limiter = RateLimiter(at_once, 10_000, 100_000)
    lock, under_way, most, done = threading.Lock(), [0], [0], [0]
    begin = threading.Barrier(workers)

    def work():
        begin.wait()
        for _ in range(40):
            with limiter.acquire():
                with lock:
                    under_way[0] += 1
                    most[0] = max(most[0], under_way[0])
                with lock:
                    under_way[0] -= 1
                    done[0] += 1

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done[0] == workers * 40
    assert most[0] <= at_once
    assert limiter._free == at_once


def test_threads_share_the_windows():
    """Real threads and a real clock; twelve starts in a window at most."""
    limiter = RateLimiter(100, 12, 100_000)
    limiter._windows = ((0.25, 12), (60.0, 100_000))
    starts, lock = [], threading.Lock()

    def work():
        for _ in range(5):
            with limiter.acquire(), lock:
                starts.append(None)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = list(limiter._started)[-40:]
    assert len(starts) == len(times) == 40
    assert all(later >= earlier + 0.25 for earlier, later in zip(times, times[12:], strict=False))


def test_a_company_has_one_rate_limiter_per_process():
    assert rate_limiter_for("https://a", "1") is rate_limiter_for("https://a", "1")
    assert rate_limiter_for("https://a", "1") is not rate_limiter_for("https://a", "2")
    assert rate_limiter_for("https://a", "1") is not rate_limiter_for("https://b", "1")


def test_a_company_gets_500_requests_a_minute_and_ten_a_second():
    """Intuit's limits are the defaults."""
    clock = Clock()
    limiter = RateLimiter(monotonic=lambda: clock.at)
    limiter._changed = clock
    starts = []
    for _ in range(1100):
        with limiter.acquire():
            starts.append(clock.at)
    assert_windows_hold(starts, 10, 500)
    assert starts[-1] == pytest.approx(120 + 9, abs=0.01)  # and not later than they must


@pytest.mark.parametrize(
    ("ago", "wait"),
    [
        ([0.6] * 9, 0),
        ([0.6] * 10, 0.4),
        ([0.9, *[0.6] * 9], 0.1),
        ([1.1, *[0.6] * 9], 0),
        ([30] * 499, 0),
        ([30] * 500, 30),
        ([59.5, *[30] * 499], 0.5),
        ([61, *[30] * 499], 0),
    ],
)
def test_requests_of_other_processes_of_the_machine_count(tmp_path, monkeypatch, ago, wait):
    """Ten in a second and 500 in a minute, as the processes have logged them."""
    now = 5000.0
    monkeypatch.setattr(machine_rate_limiter, "time", SimpleNamespace(monotonic=lambda: now))
    machine = rate_limiter_for("https://machine", str(tmp_path), tmp_path)._machine
    machine._start_log.write_bytes(array.array("d", [now - seconds for seconds in ago]).tobytes())
    with machine.try_acquire() as wait_s:
        assert wait_s == pytest.approx(wait)
    noted = array.array("d", machine._start_log.read_bytes())
    assert (now in noted) == (wait == 0)


def test_processes_that_cannot_log_their_starts_observe_the_limits_alone(tmp_path):
    """For example on a full disk: no call fails because of it."""
    machine = MachineRateLimiter(tmp_path / "turns", "company", 10, ((60.0, 1),))
    with machine.try_acquire() as wait:
        assert wait == 0
    with machine.try_acquire() as wait:
        assert wait > 0
    (starts,) = tmp_path.glob("turns/*.starts")
    starts.unlink()
    starts.mkdir()
    for _ in range(3):
        with machine.try_acquire() as wait:
            assert wait == 0
