"""A large company: no Python object per record in a page, and flat memory in a load. Counted, never timed."""

import gc
import sys
import time
import tracemalloc

import pytest

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.company.sample import Sample
from vantage_quickbooks.emulator.company.store import Store
from vantage_quickbooks.emulator.company.times import DEFAULT_ZONE, zone_of
from vantage_quickbooks.emulator.query.execute import execute

INVOICES = 20_000
PAGE = "select * from Invoice startposition {} maxresults 1000"


@pytest.fixture(scope="module")
def great():
    with Emulator(invoices=INVOICES, customers=200, limits=False) as emulator:
        yield emulator


def blocks_of(work):
    """Count the blocks of memory that Python holds at most because of some work."""
    kept = [work()]  # warm: caches, compiled statements
    gc.collect()  # or the garbage of other tests would be counted against this one
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        kept.append(work())
        return sys.getallocatedblocks() - before
    finally:
        gc.enable()


def test_a_page_is_one_object_however_many_records(great):
    company = great.company()
    small = blocks_of(lambda: execute(company, "select * from Invoice maxresults 1", time.time()))
    large = blocks_of(lambda: execute(company, PAGE.format(15_001), time.time()))
    assert abs(large - small) < 50
    page = execute(company, PAGE.format(15_001), time.time())
    assert (type(page.records), page.number, len(page.records) > 1_500_000) == (bytes, 1000, True)


def test_records_do_not_become_objects_while_a_page_is_built(great):
    """SQLite's memory is not Python's; Python's memory stays within a few times the size of the page."""
    company = great.company()
    statement = PAGE.format(15_001)
    size = len(execute(company, statement, time.time()).json())
    tracemalloc.start()
    try:
        execute(company, statement, time.time())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * size
    assert sum(statistic.count for statistic in snapshot.statistics("filename")) < 500


def test_pages_over_http_contain_all_records_in_order(great, open_client):
    client = open_client(great).connect()
    ids, times = [], []
    for start in range(1, INVOICES + 1, 1000):
        answer = client.query(PAGE.format(start)).json()["QueryResponse"]
        assert (answer["startPosition"], answer["maxResults"]) == (start, 1000)
        ids += [row["Id"] for row in answer["Invoice"]]
        times += [row["MetaData"]["LastUpdatedTime"] for row in answer["Invoice"]]
    assert len(set(ids)) == INVOICES
    assert client.query(PAGE.format(INVOICES + 1)).json()["QueryResponse"] == {}
    assert great.crashes == []


def test_loading_keeps_memory_flat():
    """A large load has only one batch of rows in memory."""
    sample = Sample(seed=1, now=time.time(), zone=zone_of(DEFAULT_ZONE), customers=50, invoices=INVOICES)
    held = []
    gc.collect()  # see blocks_of

    def watched():
        for number, record in enumerate(sample.records()):
            if number % 500 == 0:
                held.append(sys.getallocatedblocks())
            yield record

    store = Store()
    count = store.bulk_load("1", watched())
    store.close()
    first_batch = max(held[:10]) - held[0]
    assert count > 30_000
    assert max(held) - held[0] < 1.5 * first_batch


def test_a_bulk_load_leaves_indexes_and_a_journal_for_concurrent_readers(great):
    with great.company().store.reading() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        plan = str(
            db.execute("EXPLAIN QUERY PLAN SELECT row FROM record WHERE kind = 1 ORDER BY updated DESC").fetchall()
        )
    assert "by_updated" in plan
    assert "TEMP B-TREE" not in plan


def test_a_bulk_load_that_fails_leaves_nothing():
    def broken():
        yield from list(Sample(seed=1, now=time.time(), zone=zone_of(DEFAULT_ZONE)).records())
        raise ValueError("broken")

    store = Store()
    with pytest.raises(ValueError, match="broken"):
        store.bulk_load("1", broken())
    assert store.realms() == []
    assert store.load("1", Sample(seed=1, now=time.time(), zone=zone_of(DEFAULT_ZONE)).records()) > 100
    store.close()


def test_the_same_seed_makes_the_same_books_and_credentials():
    now = 1_790_000_000.0
    books = [
        list(Sample(seed=seed, now=now, zone=zone_of(DEFAULT_ZONE), invoices=500, customers=60).records())
        for seed in (3, 3, 4)
    ]
    assert books[0] == books[1] != books[2]
    assert Emulator(seed=3).credentials() == Emulator(seed=3).credentials() != Emulator(seed=4).credentials()
