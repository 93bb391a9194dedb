"""Decisions about changes of many entities: which answers are complete, what is asked again, what is delivered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core.change_plan import (
    CAPTURE_WINDOW,
    DELETED,
    OVERLAP,
    Followup,
    digest,
    is_captured,
    plan_suspects,
    select_changes,
    version_of,
)
from vantage_quickbooks.core.responses import MAX_CHANGES
from vantage_quickbooks.errors import UnexpectedResponseError

NOW = datetime(2026, 11, 28, 16, 20, 1, tzinfo=UTC)


def record(id_, seconds_ago, token="0", **more):
    updated = (NOW - timedelta(seconds=seconds_ago)).isoformat()
    return {"Id": id_, "SyncToken": token, "MetaData": {"LastUpdatedTime": updated}, **more}


def test_an_answer_below_the_cap_is_complete():
    """999 objects in all."""
    assert plan_suspects({"Invoice": 600, "Payment": 399, "Term": 0}, {}) is None


def test_the_cap_counts_the_whole_answer():
    """600 invoices and 400 payments: every entity asked for is suspect, also the one that showed nothing."""
    found = plan_suspects({"Invoice": 600, "Payment": 400, "Term": 0}, {})
    assert {entity for group in found.ask for entity in group} == {"Invoice", "Payment", "Term"}
    assert len(found.ask) == 2
    assert not any({"Invoice", "Payment"} <= set(group) for group in found.ask)


def test_an_entity_that_fills_an_answer_alone_is_read_and_the_others_are_asked_for_together():
    """One request for the rest, not two."""
    assert plan_suspects({"Invoice": 1000, "Payment": 0, "Term": 0}, {}) == Followup(
        (("Payment", "Term"),), ("Invoice",)
    )
    assert plan_suspects({"Invoice": 1000}, {}) == Followup((), ("Invoice",))
    assert plan_suspects({"Invoice": 1000, "Term": 0}, {"Term": 12}).ask == (("Term",),)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 1000), min_size=1, max_size=30))
def test_every_suspect_is_asked_for_or_read_exactly_once(shown):
    """And groups get smaller, so that it ends."""
    found = plan_suspects(shown, {})
    if sum(shown.values()) < MAX_CHANGES:
        assert found is None
        return
    treated = [entity for group in found.ask for entity in group] + list(found.read)
    assert sorted(treated) == sorted(shown)
    assert all(group and len(group) < len(shown) for group in found.ask)


def test_change_data_capture_is_asked_for_29_days():
    """A day less than Intuit allows."""
    assert is_captured(NOW - CAPTURE_WINDOW + timedelta(seconds=1), NOW)
    assert not is_captured(NOW - CAPTURE_WINDOW, NOW)


def test_changes_are_delivered_from_the_overlap_on_unless_they_were_seen():
    """By Id and version; another entity of the same request may reach back further."""
    old, early, seen, new = record("1", 5000), record("2", 3650), record("3", 3650), record("4", 10)
    found = select_changes(
        [old, early, seen, new],
        since=NOW - timedelta(seconds=3600),
        until=None,
        next_since=NOW,
        seen={"3": version_of(seen)},
    )
    assert [row["Id"] for row in found.upserts] == ["2", "4"]
    assert found.recent == {"4": version_of(new)}


def test_a_balance_that_changed_without_a_new_sync_token_is_delivered():
    """QuickBooks changes a customer's balance so."""
    before, after = record("1", 10, Balance=1), record("1", 10, Balance=2)
    found = select_changes([after], since=NOW - OVERLAP, until=None, next_since=NOW, seen={"1": version_of(before)})
    assert found.upserts == [after]


def test_a_deletion_is_delivered_once():
    """With its time."""
    gone = {"Id": "7", "status": "Deleted", "MetaData": {"LastUpdatedTime": NOW.isoformat()}}
    first = select_changes([gone], since=NOW, until=None, next_since=NOW, seen={})
    assert first.deletions == [{"Id": "7", "deletedAt": NOW.isoformat()}]
    assert first.recent == {"7": DELETED}
    assert select_changes([gone], since=NOW, until=None, next_since=NOW, seen=first.recent).deletions == []


def test_what_changed_after_the_upper_bound_is_named_and_left_out():
    """Also a deletion: how the record was before is not known any more."""
    later, gone = record("1", -5), {**record("2", -5), "status": "Deleted"}
    found = select_changes([later, gone, record("3", 5)], since=NOW, until=NOW, next_since=NOW, seen={})
    assert found.changed_later == ["1", "2"]
    assert [row["Id"] for row in found.upserts] == ["3"]
    assert found.deletions == []


@pytest.mark.parametrize(
    "damaged",
    [
        {"MetaData": {}},
        {"Id": "", "MetaData": {}},
        {"Id": 5},
        {"Id": "1", "MetaData": {"LastUpdatedTime": "yesterday"}},
        {"Id": "1", "MetaData": {"LastUpdatedTime": "2026-11-28T08:20:01"}},
        {"Id": "1", "MetaData": {"LastUpdatedTime": 5}},
    ],
)
def test_a_damaged_record_is_refused(damaged):
    """Nothing can be concluded from it."""
    with pytest.raises(UnexpectedResponseError):
        select_changes([damaged], since=NOW, until=None, next_since=NOW, seen={})


def test_a_digest_follows_ids_and_versions_in_any_order():
    """It recognizes the page that was proven complete."""
    rows = [record("1", 5), record("2", 9, "4")]
    assert digest(rows) == digest(rows[::-1])
    assert len({digest(rows), digest(rows[:1]), digest([]), digest([rows[0], record("2", 9, "5")])}) == 4
