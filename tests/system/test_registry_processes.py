"""Registries shared by real processes that write at the same time and are killed while they write."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time

import pytest
from registries import company, opener

from vantage_quickbooks.errors import ConnectionExistsError, ConnectionNotFoundError

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),  # 3.12 warns of what is tested here
]

FERNET_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture(params=["folder", "sqlite", "postgresql"])
def open_here(request):
    """Open the registry, which does not exist yet, as a separate process would."""
    reopen = opener(request.param, request)
    return lambda: reopen(FERNET_KEY)


def large(number):
    """Return settings of which a part would be noticed: every field contains the number."""
    return company(number) | {"client_secret": f"secret {number} " * 300 + "end"}


def run_all(target, arguments):
    """Run *target* in a process for each of *arguments* at the same time; each must exit with status 0."""
    processes = [PROCESSES.Process(target=target, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    exits = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert exits == [0] * len(processes)


def add_own(open_here, start, number):
    start.wait(120)
    open_here().add(f"c{number}", large(number))


def add_same(open_here, start, number, won):
    registry = open_here()
    start.wait(120)
    try:
        registry.add("acme", large(number))
    except ConnectionExistsError:
        return
    won.put(number)


def replace_and_remove(open_here, start, number):
    registry = open_here()
    start.wait(120)
    for attempt in range(12):
        registry.add("acme", large(number * 1000 + attempt), replace=True)
        if attempt % 4 == 3:
            try:
                registry.remove("acme")
            except ConnectionNotFoundError:
                continue


def read(open_here, start):
    registry = open_here()
    start.wait(120)
    for _ in range(40):
        for entry in registry.list():
            assert entry.error is None, entry
        try:
            loaded = registry.load("acme")
        except ConnectionNotFoundError:
            continue
        assert loaded == large(int(loaded["realm_id"]) - 9130000000000000)


def write_for_ever(open_here, connection):
    registry = open_here()
    number = 1
    while True:
        registry.add("acme", large(number), replace=True)
        connection.send(number)
        number += 1


def test_eight_processes_that_add_at_once_create_the_registry_and_lose_nothing(open_here):
    start = PROCESSES.Barrier(8)
    run_all(add_own, [(open_here, start, number) for number in range(8)])
    registry = open_here()
    assert [entry.id for entry in registry.list()] == [f"c{number}" for number in range(8)]
    assert [registry.load(f"c{number}") for number in range(8)] == [large(number) for number in range(8)]


def test_of_eight_processes_that_add_one_id_one_wins(open_here):
    start, won = PROCESSES.Barrier(8), PROCESSES.Queue()
    run_all(add_same, [(open_here, start, number, won) for number in range(8)])
    winner = won.get(timeout=60)
    assert won.empty()
    assert open_here().load("acme") == large(winner)


def test_readers_see_whole_settings_while_others_replace_and_remove_them(open_here):
    start = PROCESSES.Barrier(6)
    writers = [PROCESSES.Process(target=replace_and_remove, args=(open_here, start, number)) for number in range(4)]
    readers = [PROCESSES.Process(target=read, args=(open_here, start)) for _ in range(2)]
    for process in writers + readers:
        process.start()
    for process in writers + readers:
        process.join(300)
    assert [process.exitcode for process in writers + readers] == [0] * 6


def test_a_writer_killed_at_any_time_leaves_whole_settings(open_here):
    """What it reported as stored, or something newer."""
    open_here().add("acme", large(0))
    chance = random.Random(20261128)
    for _ in range(12):
        ours, theirs = PROCESSES.Pipe(duplex=False)
        writer = PROCESSES.Process(target=write_for_ever, args=(open_here, theirs))
        writer.start()
        theirs.close()
        assert ours.poll(120)
        time.sleep(chance.uniform(0.0, 0.03))
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        promised = 0
        try:
            while True:
                promised = ours.recv()
        except (EOFError, OSError):
            ours.close()
        loaded = open_here().load("acme")
        number = int(loaded["realm_id"]) - 9130000000000000
        assert loaded == large(number)
        assert number >= promised
    open_here().add("acme", large(7), replace=True)  # no lock was left behind
    assert open_here().load("acme") == large(7)
