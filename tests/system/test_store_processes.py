"""Token stores shared by real processes, some of which are killed during an operation."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vantage_quickbooks.auth.stores import open_store
from vantage_quickbooks.core.tokens import TokenRecord
from vantage_quickbooks.errors import CredentialConflict

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),  # 3.12 warns where a test before left a thread
]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = "sandbox:9130000000000000:0123456789abcdef0123456789abcdef"
FERNET_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture(params=["sqlite", "sqlite encrypted", "postgresql"])
def url_and_key(request, tmp_path):
    """The URL of a store that does not exist yet: no file and no tables."""
    if request.param == "postgresql":
        return request.getfixturevalue("fresh_postgresql_url"), None
    return str(tmp_path / "state" / "tokens.sqlite3"), (FERNET_KEY if "encrypted" in request.param else None)


@pytest.fixture
def open_here(url_and_key):
    """Open a store as a separate process would."""
    url, encryption_key = url_and_key
    return lambda: open_store(url, encryption_key=encryption_key)


def record(number, version=0):
    """Return a record whose every field contains its number, so that a mixture of two would be detected."""
    return TokenRecord(
        realm_id="9130000000000000",
        environment="sandbox",
        fingerprint="f" * 64,
        refresh_token=f"refresh {number} " * 40,
        access_token=f"access {number} " * 300,
        access_token_expires_at=NOW + timedelta(seconds=number),
        obtained_at=NOW,
        version=version,
    )


def run_all(target, arguments, timeout_s=300):
    """Run *target* in a process for each of *arguments* concurrently; each must exit with status 0."""
    processes = [PROCESSES.Process(target=target, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout_s)
    exits = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert exits == [0] * len(processes)


# ---- what the processes do -----------------------------------------------------------------------------------------


def count_up(open_here, folder, times):
    store = open_here()
    counter, log = Path(folder, "counter"), Path(folder, "log")
    for _ in range(times):
        with store.lock(KEY, 240):
            with log.open("a") as lines:
                lines.write(f"( {os.getpid()}\n")
            before = int(counter.read_text() or 0)
            time.sleep(0.002)
            counter.write_text(str(before + 1))
            stored = store.load(KEY)
            store.save(KEY, record(before, stored.version if stored else 0))
            with log.open("a") as lines:
                lines.write(f") {os.getpid()}\n")


def begin(open_here, number, start):
    store = open_here()
    start.wait(120)
    store.save(f"chain {number}", record(number))


def swap(open_here, start, times):
    store = open_here()
    start.wait(120)
    for _ in range(times):
        while True:
            stored = store.load(KEY)
            try:
                store.save(KEY, record(stored.version + 1, stored.version))
            except CredentialConflict:
                continue
            break


def hold(open_here, connection):
    with open_here().lock(KEY, 5):
        connection.send("held")
        time.sleep(600)


def save_for_ever(open_here, connection):
    store = open_here()
    while True:
        stored = store.load(KEY)
        version = stored.version if stored else 0
        with contextlib.suppress(CredentialConflict):  # the server still worked for one that was killed
            connection.send(store.save(KEY, record(version + 1, version)).version)


# ---- the results -----------------------------------------------------------------------------------------------------


def test_eight_processes_never_hold_the_lock_together(open_here, tmp_path):
    (tmp_path / "counter").touch()
    run_all(count_up, [(open_here, tmp_path, 10)] * 8)

    assert (tmp_path / "counter").read_text() == "80"
    assert open_here().load(KEY).version == 80
    lines = (tmp_path / "log").read_text().splitlines()
    for opened, closed in zip(lines[::2], lines[1::2], strict=True):
        assert (opened[0], closed[0], opened[2:]) == ("(", ")", closed[2:])


def test_eight_processes_that_start_at_once_create_the_store_once(open_here):
    start = PROCESSES.Barrier(8)
    run_all(begin, [(open_here, number, start) for number in range(8)])

    store = open_here()
    assert [store.load(f"chain {number}") for number in range(8)] == [record(number, 1) for number in range(8)]


def test_compare_and_swap_loses_no_save_even_without_the_lock(open_here):
    open_here().save(KEY, record(1))
    start = PROCESSES.Barrier(4)
    run_all(swap, [(open_here, start, 15)] * 4)

    assert open_here().load(KEY) == record(61, 61)


def test_the_lock_of_a_killed_process_is_released_at_once(open_here):
    ours, theirs = PROCESSES.Pipe()
    holder = PROCESSES.Process(target=hold, args=(open_here, theirs))
    holder.start()
    assert ours.poll(120)
    os.kill(holder.pid, signal.SIGKILL)
    killed_at = time.monotonic()
    with open_here().lock(KEY, 60):
        waited_s = time.monotonic() - killed_at
    holder.join()
    print(f"free after {waited_s * 1000:.0f} ms")  # shown by pytest -rP


def test_a_writer_killed_at_any_time_leaves_the_newest_saved_record(open_here):
    chance = random.Random(20261123)
    promised, seen = 0, []
    for attempt in range(25):
        ours, theirs = PROCESSES.Pipe(duplex=False)
        writer = PROCESSES.Process(target=save_for_ever, args=(open_here, theirs))
        writer.start()
        theirs.close()
        if attempt % 5:  # the others are killed while they begin
            assert ours.poll(120)
        time.sleep(chance.uniform(0.0, 0.04))
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        try:
            while True:
                promised = ours.recv()
        except (EOFError, OSError):
            ours.close()
        stored = open_here().load(KEY)
        if stored:
            assert stored == record(stored.version, stored.version)
            seen.append(stored.version)
        assert (seen or [0])[-1] >= promised

    assert seen == sorted(seen)
    assert seen[-1] >= 20, "the writers were killed before they wrote"
