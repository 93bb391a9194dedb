"""The rules of a whole read, without a server."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vantage_quickbooks.core.completeness import Frontier, IdSet, calls_for, positions, whole_seconds

ids = st.one_of(
    st.integers(-3, 10**16).map(str), st.text(min_size=1, max_size=5), st.sampled_from(["007", "1_0", " 1", "٣"])
)


@given(st.lists(st.lists(ids)))
@example([list(map(str, range(400))) * 2])
def test_an_id_set_is_a_set(pages):
    known, ours = set(), IdSet()
    for page in pages:
        for id_, is_new in zip(page, ours.add(page), strict=True):
            assert is_new is (id_ not in known)
            known.add(id_)
    assert len(ours) == len(known)


def test_a_million_ids_take_little_memory():
    ours = IdSet()
    ours.add(map(str, range(1, 1_000_001)))
    assert sum(len(block) for block in ours._blocks.values()) < 200_000


@given(total=st.integers(0, 5000), size=st.integers(2, 60), data=st.data())
def test_pages_cover_every_record_and_overlap_by_one(total, size, data):
    first = data.draw(st.integers(1, size))
    starts = list(positions(total, size, first))
    covered = {rank for start in starts for rank in range(start, start + size)}
    assert set(range(first + 1, total + 1)) <= covered
    assert all(later - earlier == size - 1 for earlier, later in itertools.pairwise(starts))
    assert not starts or (starts[0] == first and total - size + 1 < starts[-1] <= total)  # and the last is not full


@given(st.integers(0, 998_999))
def test_a_thousand_at_a_time_cost_no_more_than_a_call_each_and_two(total):
    assert calls_for(total, 1000) <= -(-total // 1000) + 2


A, B, C = (f"2026-01-0{day}T00:00:00-08:00" for day in (1, 2, 3))


@pytest.mark.parametrize(
    ("seconds", "kept"), [("", 0), ("A", 0), ("AA", 0), ("AB", 1), ("AAB", 2), ("ABB", 1), ("ABBC", 3)]
)
def test_a_page_surely_holds_whole_all_seconds_but_its_last(seconds, kept):
    assert whole_seconds([(second, str(id_)) for id_, second in enumerate(seconds)]) == kept


def at(*pairs):
    return list(pairs)


def test_a_page_that_begins_where_the_last_one_ended_leaves_no_gap():
    frontier = Frontier()
    first = at((A, "1"), (B, "2"))
    frontier.take(["a", "b"], first)
    assert frontier.gap_before(at((B, "2"), (C, "3"))) is None
    assert frontier.take(["b", "c"], at((B, "2"), (C, "3"))) == ["c"]
    assert (frontier.count, frontier.duplicates, frontier.seams, frontier.edited) == (3, 0, {B: ["2"]}, False)


def test_a_page_that_begins_later_leaves_a_gap_with_both_ends():
    frontier = Frontier()
    frontier.take(["a"], at((A, "1")))
    assert frontier.gap_before(at((C, "3"))) == ((A, "1"), (C, "3"))
    assert frontier.edited is True


def test_a_page_that_begins_earlier_leaves_none():
    frontier = Frontier()
    frontier.take(["b"], at((B, "2")))
    assert frontier.gap_before(at((A, "0"), (C, "3"))) is None
    assert frontier.take(["a", "c"], at((A, "0"), (C, "3"))) == ["a", "c"]


def test_a_page_that_is_gone_leaves_everything_behind_the_frontier():
    frontier = Frontier()
    frontier.take(["a"], at((A, "1")))
    assert frontier.gap_before([]) == ((A, "1"), None)


def test_a_page_that_ends_among_records_of_one_second_is_remembered():
    frontier = Frontier()
    frontier.take(["a", "b"], at((A, "1"), (A, "2")))
    assert frontier.gap_before(at((A, "2"), (A, "3"))) is None
    frontier.take(["b", "c"], at((A, "2"), (A, "3")))
    assert {created: sorted(known) for created, known in frontier.seams.items()} == {A: ["1", "2", "3"]}
    assert frontier.is_proven(3) is True
    assert frontier.is_proven(4) is False


def test_a_count_says_nothing_of_a_page_that_ended_in_the_second_in_which_the_read_began():
    frontier = Frontier(began=datetime.fromisoformat(B))
    frontier.take(["a", "b"], at((A, "1"), (B, "2")))
    assert frontier.gap_before(at((B, "2"), (C, "3"))) is None
    frontier.take(["b", "c"], at((B, "2"), (C, "3")))
    assert (frontier.count, frontier.late) == (3, 2)
    assert frontier.is_proven(1) is False


@pytest.mark.parametrize("edited", [True, False])
def test_a_count_proves_nothing_after_a_gap(edited):
    frontier = Frontier()
    frontier.take(["a"], at((A, "1")))
    frontier.edited = edited
    assert frontier.is_proven(1) is not edited
