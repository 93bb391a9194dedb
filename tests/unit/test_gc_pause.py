"""Records of a page become old for the garbage collector at once, and nothing else does."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from vantage_quickbooks.sync.gc_pause import _INTERPRETERS_OWN, gc_paused

OLD = 2


class Knot:
    """Garbage that only the garbage collector finds."""

    def __init__(self):
        self.myself = self


@pytest.fixture(autouse=True)
def _collector():
    gc.collect()
    gc.enable()
    yield
    gc.unfreeze()
    gc.enable()


def pages():
    return [{"Line": [{"Amount": number}]} for number in range(20_000)]


def collections():
    return sum(generation["collections"] for generation in gc.get_stats())


def is_old(made):
    return any(there is made for there in gc.get_objects(OLD))


def test_objects_created_in_the_block_are_old_and_nothing_is_collected_meanwhile():
    with gc_paused():
        before = collections()
        made = pages()
        assert collections() == before
        assert not gc.isenabled()
    assert gc.isenabled()
    assert is_old(made[0])
    assert is_old(made[-1])


def test_without_the_block_the_objects_are_scanned_repeatedly():
    before = collections()
    pages()
    assert collections() > before


def test_earlier_garbage_does_not_become_old():
    knot = weakref.ref(Knot())
    with gc_paused():
        assert knot() is None


def test_garbage_of_the_block_is_collected_eventually():
    with gc_paused():
        knot = weakref.ref(Knot())
    gc.collect()
    assert knot() is None


def test_objects_frozen_by_the_host_stay_frozen():
    gc.freeze()
    frozen = gc.get_freeze_count()
    with gc_paused():
        made = pages()
    assert made
    assert frozen - 500 < gc.get_freeze_count() <= frozen
    assert not is_old(made[0])


def test_objects_frozen_by_the_interpreter_do_not_count_as_the_hosts():
    """Python 3.12 moves its own immortal objects to where frozen ones are, at every full collection."""
    gc.unfreeze()
    gc.collect()
    assert gc.get_freeze_count() < _INTERPRETERS_OWN < len(gc.get_objects()) / 4
    script = "import gc; print(len(gc.get_objects()))"
    smallest = subprocess.run([sys.executable, "-ISE", "-c", script], capture_output=True, text=True, check=True)
    assert int(smallest.stdout) > 2 * _INTERPRETERS_OWN  # the least that a host can freeze


def test_a_collector_that_the_host_switched_off_stays_off():
    gc.disable()
    with gc_paused():
        pages()
    assert not gc.isenabled()


def test_an_error_in_the_block_leaves_the_collector_on():
    with pytest.raises(ValueError, match="x"), gc_paused():
        raise ValueError("x")
    assert gc.isenabled()
