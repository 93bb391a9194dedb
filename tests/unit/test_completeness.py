"""The rules that prove a full read complete, without a server."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vantage_quickbooks.core.completeness import (
    IdSet,
    ScanState,
    count_complete_seconds,
    estimate_api_calls,
    page_positions,
)

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
    starts = list(page_positions(total, size, first))
    covered = {rank for start in starts for rank in range(start, start + size)}
    assert set(range(first + 1, total + 1)) <= covered
    assert all(later - earlier == size - 1 for earlier, later in itertools.pairwise(starts))
    assert not starts or (starts[0] == first and total - size + 1 < starts[-1] <= total)  # and the last is not full


@given(st.integers(0, 998_999))
def test_pages_of_a_thousand_cost_one_call_each_and_at_most_two_more(total):
    assert estimate_api_calls(total, 1000) <= -(-total // 1000) + 2


A, B, C = (f"2026-01-0{day}T00:00:00-08:00" for day in (1, 2, 3))


@pytest.mark.parametrize(
    ("seconds", "kept"), [("", 0), ("A", 0), ("AA", 0), ("AB", 1), ("AAB", 2), ("ABB", 1), ("ABBC", 3)]
)
def test_a_page_certainly_contains_all_of_its_seconds_but_the_last_completely(seconds, kept):
    assert count_complete_seconds([(second, str(id_)) for id_, second in enumerate(seconds)]) == kept


def at(*pairs):
    return list(pairs)


def test_a_page_that_begins_where_the_last_one_ended_leaves_no_gap():
    scan = ScanState()
    first = at((A, "1"), (B, "2"))
    scan.add_page(["a", "b"], first)
    assert scan.find_gap(at((B, "2"), (C, "3"))) is None
    assert scan.add_page(["b", "c"], at((B, "2"), (C, "3"))) == ["c"]
    assert (scan.count, scan.duplicates, scan.boundary_times, scan.has_edits) == (3, 0, {B: ["2"]}, False)


def test_a_page_that_begins_later_leaves_a_gap_with_both_ends():
    scan = ScanState()
    scan.add_page(["a"], at((A, "1")))
    assert scan.find_gap(at((C, "3"))) == ((A, "1"), (C, "3"))
    assert scan.has_edits is True


def test_a_page_that_begins_earlier_leaves_no_gap():
    scan = ScanState()
    scan.add_page(["b"], at((B, "2")))
    assert scan.find_gap(at((A, "0"), (C, "3"))) is None
    assert scan.add_page(["a", "c"], at((A, "0"), (C, "3"))) == ["a", "c"]


def test_an_empty_page_leaves_a_gap_from_the_last_record_to_the_end():
    scan = ScanState()
    scan.add_page(["a"], at((A, "1")))
    assert scan.find_gap([]) == ((A, "1"), None)


def test_a_page_that_ends_among_records_of_one_second_is_a_boundary_time():
    scan = ScanState()
    scan.add_page(["a", "b"], at((A, "1"), (A, "2")))
    assert scan.find_gap(at((A, "2"), (A, "3"))) is None
    scan.add_page(["b", "c"], at((A, "2"), (A, "3")))
    assert {created: sorted(known) for created, known in scan.boundary_times.items()} == {A: ["1", "2", "3"]}
    assert scan.is_verified_by(3) is True
    assert scan.is_verified_by(4) is False


def test_a_count_cannot_verify_a_page_that_ended_at_the_snapshot_time():
    scan = ScanState(snapshot_time=datetime.fromisoformat(B))
    scan.add_page(["a", "b"], at((A, "1"), (B, "2")))
    assert scan.find_gap(at((B, "2"), (C, "3"))) is None
    scan.add_page(["b", "c"], at((B, "2"), (C, "3")))
    assert (scan.count, scan.created_after_start) == (3, 2)
    assert scan.is_verified_by(1) is False


@pytest.mark.parametrize("has_edits", [True, False])
def test_a_count_verifies_nothing_after_a_gap(has_edits):
    scan = ScanState()
    scan.add_page(["a"], at((A, "1")))
    scan.has_edits = has_edits
    assert scan.is_verified_by(1) is not has_edits


def test_a_time_at_which_parts_of_a_page_meet_collects_the_ids_of_both_parts():
    scan = ScanState()
    scan.add_page(["a"], at((A, "1")))
    scan.add_boundary(A)
    scan.add_boundary(B)
    scan.add_page(["a", "b", "c"], at((A, "1"), (B, "2"), (B, "3"), (C, "4")))
    assert scan.boundary_times == {A: ["1"], B: ["2", "3"]}
    assert scan.has_edits is False


def test_a_resumed_read_counts_what_came_before():
    scan = ScanState(last=(A, "7"), count_before_resume=6, last_second_ids=["7"])
    scan.ids.add(["7"])
    assert scan.find_gap(at((A, "7"), (B, "8"))) is None
    assert scan.add_page(["g", "h"], at((A, "7"), (B, "8"))) == ["h"]
    assert (scan.count, scan.duplicates) == (8, 0)
    assert scan.is_verified_by(8) is True


def test_a_record_that_arrives_twice_rules_out_verification_by_count():
    scan = ScanState()
    scan.add_page(["a", "b"], at((A, "1"), (B, "2")))
    assert scan.add_page(["b", "a", "c"], at((B, "2"), (B, "1"), (C, "3"))) == ["c"]
    assert (scan.count, scan.duplicates, scan.is_verified_by(3)) == (3, 1, False)
