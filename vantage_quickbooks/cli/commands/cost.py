"""`vantage-quickbooks cost`."""

from __future__ import annotations

import re
from typing import Any

import click

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.options import Command, format_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, json_text, print_error, write
from vantage_quickbooks.core import cost
from vantage_quickbooks.errors import ConnectorError

__all__ = ["command"]

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")

_NAMES = {
    "polling": "A query for each entity",
    "cdc": "One request for all entities (sync)",
    "webhooks": "The same when webhooks announce changes",
}


@click.command(
    cls=Command,
    examples=(
        ("A thousand companies, current within an hour", "vantage-quickbooks cost --companies 1000 --every 1h"),
        ("In dollars of one plan", "vantage-quickbooks cost --companies 1000 --every 1h --plan silver"),
        ("What the app has used this month", "vantage-quickbooks cost --used"),
    ),
)
@click.option("--companies", type=click.IntRange(1, 10**7), help="Number of companies.")
@click.option("--every", metavar="TIME", help="How old data may be: 90s, 15m, 1h, 1d.")
@click.option("--plan", type=click.Choice(list(cost.PLANS)), help="A plan; the cheapest one by default.")
@click.option("--entities", type=click.IntRange(0, 100), default=29, help="Entities that CDC covers; default 29.")
@click.option(
    "--uncaptured", type=click.IntRange(0, 100), default=0, help="Entities that it does not cover; default 0."
)
@click.option(
    "--changes", type=click.FloatRange(0, 10**6), default=50.0, help="Changes of a company a day; default 50."
)
@click.option("--used", is_flag=True, help="Show the calls that the token store has counted, by app and month.")
@format_option("text", "json", default="text", help="Output format; default text.")
def command(
    companies: int | None,
    every: str | None,
    plan: str | None,
    entities: int,
    uncaptured: int,
    changes: float,
    used: bool,
    format_: str,
) -> int:
    """Sends nothing. Prices are those that third parties quote."""
    if used:
        try:
            return _print_used(format_)
        except ConnectorError as error:
            print_error(error.to_dict())
            return FAILURE
    if companies is None or every is None:
        raise UsageError("Use --companies N and --every TIME, or --used.")
    workload = cost.Workload(companies, _seconds(every), entities, uncaptured, changes)
    found = _estimate(workload, plan)
    if format_ == "json":
        write(json_text(found))
    else:
        _print(found)
    return SUCCESS


def _seconds(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError("--every takes a number and a unit: 90s, 15m, 1h or 1d.")
    return int(match[1]) * _UNITS[match[2]]


def _estimate(workload: cost.Workload, plan: str | None) -> dict[str, Any]:
    rows = []
    for schedule in cost.schedules(workload):
        calls = schedule.calls_per_month
        cheapest = cost.cheapest_plan(calls)
        chosen = cost.PLANS[plan] if plan else cheapest[0] if cheapest else None
        rows.append(
            {
                "schedule": schedule.id,
                "callsPerDay": round(schedule.calls_per_day),
                "callsPerMonth": calls,
                "plan": chosen and chosen.id,
                "dollarsPerMonth": chosen and cost.dollars(chosen, calls),
                "freeTierBlockedOnDay": cost.blocked_on(cost.PLANS["builder"], schedule.calls_per_day),
            }
        )
    return {
        "companies": workload.companies,
        "everySeconds": workload.every_s,
        "schedules": rows,
        "cheapest": cost.cheapest_schedule(workload).id,
        "prices": cost.PRICES_FROM,
    }


def _print(found: dict[str, Any]) -> None:
    write(f"{'':<40} {'calls a day':>13} {'calls a month':>14}  {'plan':<9} {'dollars a month':>15}\n")
    for row in found["schedules"]:
        dollars = "blocked" if row["plan"] == "builder" else "not known"
        if row["dollarsPerMonth"] is not None:
            dollars = f"{row['dollarsPerMonth']:,.2f}"
        write(
            f"{_NAMES[row['schedule']]:<40} {row['callsPerDay']:>13,} {row['callsPerMonth']:>14,}  "
            f"{row['plan'] or 'none':<9} {dollars:>15}\n"
        )
    for row in found["schedules"]:
        if row["freeTierBlockedOnDay"]:
            write(f"{_NAMES[row['schedule']]}: the free tier would be blocked on day {row['freeTierBlockedOnDay']}.\n")
    write(f"Fewest calls: {_NAMES[found['cheapest']]}.\n")
    write(f"A month of {cost.MONTH_DAYS} days; full reads and retries come on top.\n")
    write(f"Prices of {found['prices']['date']}. {found['prices']['source']}\n")


def _print_used(format_: str) -> int:
    """Print what the token store has counted, with a forecast for this month."""
    from datetime import UTC, datetime

    from vantage_quickbooks.api.call_ledger import is_company_key
    from vantage_quickbooks.auth.stores import open_store
    from vantage_quickbooks.config.deployment import Deployment

    deployment = Deployment.from_environ()
    limit = deployment.max_monthly_calls()
    store = open_store(deployment.token_store, encryption_key=deployment.token_key)
    today = datetime.now(UTC).date()
    try:
        rows = [
            {"app": app, "month": month, "calls": calls}
            | (cost.forecast(calls, today, limit) if month == f"{today:%Y-%m}" else {})
            for app, month, calls in store.counted_calls()
            if not is_company_key(app)
        ]
        where = store.describe()
    finally:
        store.close()
    if format_ == "json":
        write(json_text({"store": where, "apps": rows}))
        return SUCCESS
    if not rows:
        write(f"{where}: no metered calls are counted.\n")
    for row in rows:
        projected = f", {row['projected']:,} projected" if "projected" in row else ""
        noun = "call" if row["calls"] == 1 else "calls"
        reached = f", limit of {limit:,} reached on {row['reachedOn']}" if row.get("reachedOn") and limit else ""
        write(f"{row['app']} {row['month']}: {row['calls']:,} metered {noun}{projected}{reached}\n")
    return SUCCESS
