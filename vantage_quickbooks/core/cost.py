"""What keeping companies up to date costs in Intuit's metered calls, and in dollars. Pure.

Intuit meters the successful reads of an app in production, per calendar month, for all its companies together: query,
read, report, change data capture (CDC), company information. Token requests, writes and sandboxes are not metered
(https://developer.intuit.com/app/developer/qbo/docs/get-started/partner-faq). It is not documented that one request of
CDC for many entities is one metered call: one call per request is assumed, as for every other request.

Prices are not Intuit's own publication: `PRICES_FROM` says where they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

__all__ = [
    "MONTH_DAYS",
    "PLANS",
    "PRICES_FROM",
    "Plan",
    "Schedule",
    "Workload",
    "blocked_on",
    "cheapest_plan",
    "cheapest_schedule",
    "dollars",
    "forecast",
    "month_end",
    "schedules",
]

MONTH_DAYS = 30
"""Days of the month that estimates are made for."""

_DAY_S = 86_400

PRICES_FROM = {
    "date": "2026-11-25",
    "source": "Free calls and blocking: Intuit, partner FAQ, "
    "https://developer.intuit.com/app/developer/qbo/docs/get-started/partner-faq. "
    "Dollars: as third parties quote them, not published by Intuit; check them before you rely on them.",
}
"""Where the figures of `PLANS` come from, and when they were collected."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One tier of the Intuit App Partner Program.

    Attributes:
        id: `silver`.
        dollars: Price of a month.
        included: Metered calls that are included.
        per_thousand: Dollars for each further thousand; None if it is not known.
        blocks: Whether the app is blocked until the month ends once the included calls are used up.
    """

    id: str
    dollars: float
    included: int
    per_thousand: float | None = None
    blocks: bool = False


PLANS = {
    plan.id: plan
    for plan in (
        Plan("builder", 0, 500_000, blocks=True),
        Plan("silver", 300, 1_000_000, 3.50),
        Plan("gold", 1_700, 10_000_000),
        Plan("platinum", 4_500, 75_000_000, 0.25),
    )
}
"""The tiers, cheapest first; see `PRICES_FROM`. The price beyond Gold's calls is not known to us."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is kept up to date.

    Attributes:
        companies: Number of companies.
        every_s: Seconds after which a change must have arrived.
        captured: Entities that CDC covers, of each company.
        uncaptured: Entities that it does not cover: each takes a call of its own at every sync.
        changes_per_day: Changed records of a company in a day, spread evenly at random.
    """

    companies: int
    every_s: float
    captured: int = 29
    uncaptured: int = 0
    changes_per_day: float = 50


@dataclass(frozen=True, slots=True)
class Schedule:
    """One way to keep companies up to date.

    Attributes:
        id: `polling`: a query for each entity. `cdc`: one request of CDC for all entities. `webhooks`: the same, only
            when a webhook has announced a change, and once a day to make up for lost ones.
        calls_per_day: Metered calls in a day.
    """

    id: Literal["polling", "cdc", "webhooks"]
    calls_per_day: float

    @property
    def calls_per_month(self) -> int:
        """Metered calls in `MONTH_DAYS` days."""
        return round(self.calls_per_day * MONTH_DAYS)


def schedules(workload: Workload) -> tuple[Schedule, ...]:
    """Return each way to keep companies up to date, with the metered calls that it takes at least.

    Changes that fill an answer of CDC, full reads and retries come on top.
    """
    windows = _DAY_S / workload.every_s
    syncs = workload.companies * windows
    announced = min(windows, _windows_with_changes(windows, workload.changes_per_day) + 1)
    per_sync = (1 if workload.captured else 0) + workload.uncaptured
    return (
        Schedule("polling", syncs * (workload.captured + workload.uncaptured)),
        Schedule("cdc", syncs * per_sync),
        Schedule("webhooks", workload.companies * announced * per_sync),
    )


def _windows_with_changes(windows: float, changes: float) -> float:
    """Return in how many of a day's windows at least one of the changes falls, on average.

    Webhooks that arrive within one window are answered by one sync: that is what coalescing saves.
    """
    return windows if windows <= 1 else windows * (1 - (1 - 1 / windows) ** changes)


def cheapest_schedule(workload: Workload) -> Schedule:
    """Return the schedule with the fewest calls that meets the wanted freshness; of equal ones the simplest."""
    return min(schedules(workload), key=lambda schedule: round(schedule.calls_per_day, 6))


def dollars(plan: Plan, calls: int) -> float | None:
    """Return what *calls* metered calls in a month cost.

    Returns:
        Dollars; None if the plan blocks the app before, or its price beyond the included calls is not known.
    """
    further = max(0, calls - plan.included)
    if not further:
        return plan.dollars
    if plan.blocks or plan.per_thousand is None:
        return None
    return round(plan.dollars + further / 1000 * plan.per_thousand, 2)


def cheapest_plan(calls: int) -> tuple[Plan, float] | None:
    """Return the plan that costs least for *calls* metered calls in a month, and its dollars; None if none is known."""
    priced = [(plan, cost) for plan in PLANS.values() if (cost := dollars(plan, calls)) is not None]
    return min(priced, key=lambda found: found[1], default=None)


def blocked_on(plan: Plan, calls_per_day: float) -> int | None:
    """Return the day of the month, from 1, on which an app on *plan* is blocked; None if it is not."""
    if not plan.blocks or calls_per_day <= 0:
        return None
    day = int(plan.included / calls_per_day) + 1
    return day if day <= MONTH_DAYS else None


def month_end(now: datetime) -> datetime:
    """Return when the month of an instant ends, in UTC."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def forecast(calls: int, today: date, limit: int | None = None) -> dict[str, Any]:
    """Project the metered calls of a month from those so far.

    Args:
        calls: Metered calls of the month so far.
        today: The date, in UTC; which time zone Intuit's months follow is not documented.
        limit: Calls that the month may have.

    Returns:
        `calls`, `projected` for the whole month, `limit`, and `reachedOn`, the date on which the limit is reached at
        this pace (None if it is not).
    """
    first = today.replace(day=1)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    days = (following - first).days
    per_day = calls / today.day
    reached = None
    if limit is not None and per_day > 0:
        day = max(1, -(-limit // per_day))
        reached = first.replace(day=int(day)).isoformat() if day <= days else None
    return {"calls": calls, "projected": round(per_day * days), "limit": limit, "reachedOn": reached}
