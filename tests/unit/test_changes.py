"""The overlap between two reads: what the next one asks for again is what this one remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core.change_plan import version_of
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
    assert (recent.seen == {"7": version_of(row(updated))}) is (updated >= asked_from)


def test_a_balance_that_changes_without_a_new_sync_token_is_another_version():
    """As a customer's does; the next read delivers it, although it was seen."""
    before, after = row(STARTED) | {"Balance": 1}, row(STARTED) | {"Balance": 2}
    recent = RecentChanges()
    recent.note([before], STARTED)
    assert recent.seen["7"] == version_of(before) != version_of(after)


def test_a_record_whose_time_is_damaged_is_reported():
    with pytest.raises(UnexpectedResponseError, match="LastUpdatedTime"):
        RecentChanges().note([{"Id": "7", "MetaData": {"LastUpdatedTime": "3 o'clock"}}], STARTED)
