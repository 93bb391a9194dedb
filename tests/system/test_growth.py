"""Memory and files stay bounded in a process that serves a hundred thousand companies."""

from __future__ import annotations

import gc
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from vantage_quickbooks import private_files
from vantage_quickbooks.api import rate_limiter
from vantage_quickbooks.api.machine_rate_limiter import MachineRateLimiter
from vantage_quickbooks.api.rate_limiter import RateLimiter, rate_limiter_for
from vantage_quickbooks.locks import FileLocks, LockTimeoutError, ThreadLocks

COMPANIES = 3000


@pytest.fixture(autouse=True)
def _no_sweep_yet():
    private_files._cleaned_at.clear()


def files(directory, suffix):
    return [path for path in directory.iterdir() if path.suffix == suffix]


def test_companies_without_a_request_in_the_last_minute_are_forgotten():
    for number in range(COMPANIES):
        rate_limiter_for("https://growth", str(number))
    gc.collect()
    assert len(rate_limiter._rate_limiters) < 300


def test_a_company_of_the_last_minute_keeps_its_windows():
    busy = rate_limiter_for("https://growth", "busy")
    with busy.acquire():
        pass
    started = list(busy._started)
    del busy
    for number in range(COMPANIES):
        rate_limiter_for("https://growth", f"other {number}")
    assert list(rate_limiter_for("https://growth", "busy")._started) == started


def test_a_rate_limiter_is_idle_once_no_window_counts_its_last_request():
    clock = SimpleNamespace(now=100.0)
    one = RateLimiter(monotonic=lambda: clock.now)
    assert one.is_idle()
    with one.acquire():
        assert not one.is_idle()
    clock.now += 59.9
    assert not one.is_idle()
    clock.now += 0.1
    assert one.is_idle()


def test_a_rate_limiter_in_use_is_the_only_one_of_its_company():
    held = rate_limiter_for("https://growth", "held")
    for number in range(COMPANIES):
        rate_limiter_for("https://growth", f"more {number}")
    assert rate_limiter_for("https://growth", "held") is held


def test_a_lock_file_is_removed_when_its_lock_is_released(tmp_path):
    machine = MachineRateLimiter(tmp_path, "one", 10, ((1.0, 10), (60.0, 500)))
    with machine.try_acquire() as wait:
        assert wait == 0
        assert files(tmp_path, ".lock")
    assert files(tmp_path, ".lock") == []


def test_old_files_of_start_times_are_removed(tmp_path, monkeypatch):
    windows = ((1.0, 10), (60.0, 500))
    for number in range(20):
        with MachineRateLimiter(tmp_path, f"company {number}", 10, windows).try_acquire():
            pass
    assert len(files(tmp_path, ".starts")) == 20
    old = files(tmp_path, ".starts")[:15]
    for path in old:
        os.utime(path, (time.time() - 200, time.time() - 200))
    MachineRateLimiter(tmp_path, "within the same minute", 10, windows)
    assert len(files(tmp_path, ".starts")) == 20
    monkeypatch.setattr(private_files, "CLEANUP_INTERVAL_S", 0.0)
    MachineRateLimiter(tmp_path, "later", 10, windows)
    assert len(files(tmp_path, ".starts")) == 5
    assert not set(old) & set(files(tmp_path, ".starts"))


def test_a_lock_whose_file_is_removed_at_each_release_still_has_one_holder(tmp_path):
    """Threads and removals interleave; each acquisition opens the file itself, as a process would."""
    files_of, inside, most = FileLocks(tmp_path), [], []

    def work(_):
        for _ in range(100):
            held = files_of.acquire("company", 60.0)
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            files_of.release(held)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert max(most) == 1
    assert len(most) == 800
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_removed_by_hand_does_not_block_the_next_holder(tmp_path):
    one = FileLocks(tmp_path)
    held = one.acquire("company", 0.0)
    with pytest.raises(LockTimeoutError):
        one.acquire("company", 0.0)
    next(iter(tmp_path.iterdir())).unlink()
    again = one.acquire("company", 0.0)
    one.release(held)
    with pytest.raises(LockTimeoutError):  # the file of the new holder is still there
        one.acquire("company", 0.0)
    one.release(again)


def test_thread_locks_are_kept_while_they_are_held_or_awaited():
    mine, inside = ThreadLocks(), []

    def work(number):
        for turn in range(200):
            with mine.hold(f"company {turn % 3}", 60.0):
                inside.append(turn % 3)
                assert inside.count(turn % 3) == 1
                inside.remove(turn % 3)
            with mine.hold(f"company of {number}, {turn}", 60.0):
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(mine) == 0
    assert threading.active_count() < 100
