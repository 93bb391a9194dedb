"""What syncs cost: calls by schedule, dollars by plan, the day on which a free tier ends."""

from __future__ import annotations

from datetime import date

import pytest

from vantage_quickbooks.core.cost import (
    PLANS,
    Workload,
    blocked_on,
    cheapest_plan,
    cheapest_schedule,
    dollars,
    forecast,
    schedules,
)


def calls(workload):
    return {schedule.id: schedule.calls_per_month for schedule in schedules(workload)}


def test_a_thousand_companies_every_hour():
    """Thirty entities polled take 21.6 million calls a month; one request for all takes 720,000."""
    found = calls(Workload(1000, 3600, captured=30, changes_per_day=10))
    assert found["polling"] == 1000 * 24 * 30 * 30
    assert found["cdc"] == 1000 * 24 * 30
    # Ten changes fall into 8.3 of 24 hours on average, and one sync a day makes up for lost webhooks.
    assert found["webhooks"] == round(1000 * 30 * (24 * (1 - (23 / 24) ** 10) + 1))


def test_entities_outside_change_data_capture_take_a_call_each():
    """At every sync."""
    assert calls(Workload(1, 86_400, captured=29, uncaptured=5))["cdc"] == 30 * 6


def test_webhooks_never_take_more_syncs_than_their_windows():
    """Many changes, or windows of a day or more."""
    assert calls(Workload(1, 3600, changes_per_day=10**9))["webhooks"] == 24 * 30
    assert calls(Workload(1, 2 * 86_400))["webhooks"] == 15


def test_the_cheapest_schedule_meets_the_freshness():
    """Webhooks for a quiet company that must be current within a minute; the simpler CDC where they save nothing."""
    assert cheapest_schedule(Workload(10, 60, changes_per_day=20)).id == "webhooks"
    assert cheapest_schedule(Workload(10, 3600, changes_per_day=10**9)).id == "cdc"
    assert cheapest_schedule(Workload(10, 86_400)).id == "cdc"


@pytest.mark.parametrize(
    ("plan", "number", "cost"),
    [
        ("builder", 500_000, 0),
        ("builder", 500_001, None),
        ("silver", 1_000_000, 300),
        ("silver", 1_002_000, 307),
        ("gold", 10_000_000, 1_700),
        ("gold", 10_000_001, None),
        ("platinum", 75_000_000, 4_500),
        ("platinum", 76_000_000, 4_750),
    ],
)
def test_dollars_by_plan(plan, number, cost):
    """Third parties' figures; what is not known is not guessed."""
    assert dollars(PLANS[plan], number) == cost


def test_the_cheapest_plan():
    """Silver's further calls soon cost more than Gold."""
    assert [cheapest_plan(number)[0].id for number in (720_000, 1_300_000, 1_500_000, 10_000_001)] == [
        "silver", "silver", "gold", "platinum"
    ]  # fmt: skip
    assert cheapest_plan(400_000) == (PLANS["builder"], 0)


def test_the_day_on_which_a_free_tier_is_blocked():
    """24,000 calls a day: the twenty-first day."""
    assert blocked_on(PLANS["builder"], 24_000) == 21
    assert blocked_on(PLANS["builder"], 500_000) == 2
    assert blocked_on(PLANS["builder"], 16_666) is None
    assert blocked_on(PLANS["silver"], 10**9) is None
    assert blocked_on(PLANS["builder"], 0) is None


def test_a_forecast_follows_the_pace_of_the_month():
    """Ten days of November at 30,000 calls a day."""
    found = forecast(300_000, date(2026, 11, 10), 500_000)
    assert found == {"calls": 300_000, "projected": 900_000, "limit": 500_000, "reachedOn": "2026-11-17"}
    assert forecast(100, date(2026, 12, 31), 500_000)["reachedOn"] is None
    assert forecast(0, date(2028, 2, 1), 10) == {"calls": 0, "projected": 0, "limit": 10, "reachedOn": None}
    assert forecast(290, date(2028, 2, 29))["projected"] == 290
