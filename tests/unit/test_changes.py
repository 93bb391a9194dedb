"""The overlap between two reads: what the next one asks for again is what this one remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.sync.changes import RecentChanges, changed_condition

STARTED = datetime(2026, 10, 1, 12, 0, 40, 649_000, tzinfo=UTC)


def row(at):
    return {"Id": "7", "SyncToken": "3", "MetaData": {"LastUpdatedTime": at.isoformat()}}


@given(st.integers(0, 999_999), st.integers(0, 12))
def test_a_record_is_remembered_exactly_when_the_next_read_asks_for_it_again(microsecond, seconds_before):
    """Records are stamped in whole seconds, and a read begins within one."""
    started = STARTED.replace(microsecond=microsecond)
    updated = started.replace(microsecond=0) - timedelta(seconds=seconds_before)
    recent = RecentChanges()
    recent.note([row(updated)], started)
    asked_from = datetime.fromisoformat(changed_condition(started.isoformat()).split("'")[1])
    assert (recent.seen == {"7": "3"}) is (updated >= asked_from)


def test_a_record_whose_time_is_damaged_is_reported():
    with pytest.raises(UnexpectedResponseError, match="LastUpdatedTime"):
        RecentChanges().note([{"Id": "7", "MetaData": {"LastUpdatedTime": "3 o'clock"}}], STARTED)
