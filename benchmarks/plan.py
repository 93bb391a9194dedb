"""A plan for many companies on paper: every number by a formula that is shown, from what the benchmark has measured.

    python benchmarks/plan.py                                  # the table of docs/scale.md
    python benchmarks/plan.py --companies 5000 --share 0.5     # another firm

Nothing is measured here: `benchmarks/scale.py` has written the measurements to `benchmarks/scale.json`.
"""

import argparse
import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage_quickbooks.core import cost

MEASURED = Path(__file__).resolve().parent / "scale.json"
_DAY_S = 86_400
_HOUR_S = 3_600
_REALM_LIMIT = 500
"""Requests a minute that Intuit allows a company
(https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the benchmark has measured.

    Attributes:
        quiet_calls: Metered calls of a sync of one company in which nothing has changed.
        quiet_refreshes: Token requests of it, the access token having expired.
        quiet_cpu_s: CPU seconds of it.
        first_calls: Metered calls of the first sync of one company.
        first_cpu_s: CPU seconds of it.
        record_cpu_s: CPU seconds that one more record of a read costs.
        list_s: Seconds in which the registry lists one company.
        token_bytes: Bytes of a company's tokens in SQLite.
        state_bytes: Bytes of a company's state in SQLite.
        registry_bytes: Bytes of a company's settings in SQLite.
        postgresql_bytes: Bytes of all three in PostgreSQL; None if there was no server.
        task_cpu_s: CPU seconds that Spark adds for each task.
    """

    quiet_calls: float
    quiet_refreshes: float
    quiet_cpu_s: float
    first_calls: float
    first_cpu_s: float
    record_cpu_s: float
    list_s: float
    token_bytes: float
    state_bytes: float
    registry_bytes: float
    postgresql_bytes: float | None
    task_cpu_s: float


@dataclass(frozen=True, slots=True)
class Assumed:
    """What was not measured, and is different for each firm: parameters.

    Attributes:
        share: Share of the companies in which something changes on a day.
        changes: Records that change in each of those.
        answer_s: Seconds in which Intuit answers a request.
        utilization: Share of the cores' time that is planned for.
        cores: Cores of an executor.
        bundle: Companies of a task.
        window_s: Seconds in which a nightly sync should end.
    """

    share: float = 0.3
    changes: float = 20
    answer_s: float = 0.5
    utilization: float = 0.5
    cores: int = 4
    bundle: int = 50
    window_s: float = 4 * _HOUR_S


@dataclass(frozen=True, slots=True)
class Scenario:
    """One column of the table.

    Attributes:
        companies: Number of companies.
        every_s: Seconds after which a change must have arrived.
        webhooks: Whether a company is synced when webhooks announce a change, and once a day, and not otherwise.
        measured: The measurements.
        assumed: The parameters.
    """

    companies: int
    every_s: float
    webhooks: bool
    measured: Measured
    assumed: Assumed

    @property
    def name(self) -> str:
        """The head of the column."""
        often = "nightly" if self.every_s >= _DAY_S else f"every {self.every_s / _HOUR_S:g} h"
        return f"{self.companies:,} {often}{', webhooks' if self.webhooks else ''}"

    # ---- calls and dollars ----

    @property
    def syncs(self) -> float:
        """Syncs a day."""
        return self.calls / self.measured.quiet_calls

    @property
    def calls(self) -> float:
        """Metered calls a day, by `core.cost`: companies with changes, and companies without."""
        kind = "webhooks" if self.webhooks else "cdc"
        return self.measured.quiet_calls * sum(
            next(found.calls_per_day for found in cost.schedules(workload) if found.id == kind)
            for workload in (
                self._workload(self.assumed.share, self.assumed.changes),
                self._workload(1 - self.assumed.share, 0),
            )
        )

    def _workload(self, share: float, changes: float) -> cost.Workload:
        return cost.Workload(round(self.companies * share), self.every_s, changes_per_day=changes)

    @property
    def month_calls(self) -> int:
        """Metered calls of a month."""
        return round(self.calls * cost.MONTH_DAYS)

    @property
    def plan(self) -> tuple[str, float]:
        """The cheapest tier for them, and its dollars a month."""
        found = cost.cheapest_plan(self.month_calls)
        if found is None:
            raise LookupError("no tier has a price for so many calls")
        return found[0].id, found[1]

    @property
    def first_month_calls(self) -> int:
        """Metered calls of the first sync of all companies."""
        return round(self.companies * self.measured.first_calls)

    @property
    def company_calls_a_minute(self) -> float:
        """Calls a minute of one company while it is synced, at most."""
        return self.measured.quiet_calls * max(1.0, 60 / self.every_s)

    # ---- pace ----

    @property
    def active_s(self) -> float:
        """Seconds of a day over which the syncs are spread."""
        return self.assumed.window_s if self.every_s >= _DAY_S else _DAY_S

    @property
    def syncs_a_second(self) -> float:
        """Syncs a second while syncs run."""
        return self.syncs / self.active_s

    @property
    def refreshes_a_second(self) -> float:
        """Token requests a second: one a sync, as an access token is valid for an hour; at most one an hour."""
        hourly = min(1.0, self.every_s / _HOUR_S)
        return self.syncs_a_second * self.measured.quiet_refreshes * hourly

    @property
    def notices_a_second(self) -> float:
        """Changes that webhooks announce in a second, spread over the day; 0 without webhooks."""
        changed = self.companies * self.assumed.share * self.assumed.changes
        return changed / _DAY_S if self.webhooks else 0.0

    @property
    def at_once(self) -> float:
        """Companies at once, by Little's law: pace times duration of one sync."""
        requests = self.measured.quiet_calls + self.measured.quiet_refreshes
        return self.syncs_a_second * (requests * self.assumed.answer_s + self.measured.quiet_cpu_s)

    # ---- machines ----

    @property
    def tasks(self) -> float:
        """Tasks a day."""
        return self.syncs / self.assumed.bundle

    @property
    def cpu_s(self) -> float:
        """CPU seconds a day: syncs, changed records, and what Spark adds for its tasks."""
        changed = self.companies * self.assumed.share * self.assumed.changes
        return (
            self.syncs * self.measured.quiet_cpu_s
            + changed * self.measured.record_cpu_s
            + self.tasks * self.measured.task_cpu_s
        )

    @property
    def cores(self) -> float:
        """Cores while syncs run."""
        return self.cpu_s / (self.active_s * self.assumed.utilization)

    @property
    def executors(self) -> int:
        """Executors."""
        return max(1, math.ceil(self.cores / self.assumed.cores))

    @property
    def list_s(self) -> float:
        """Seconds in which the driver lists the registry."""
        return self.companies * self.measured.list_s

    @property
    def database_bytes(self) -> float:
        """Bytes of tokens, states and settings."""
        return self.companies * (
            self.measured.postgresql_bytes
            or self.measured.token_bytes + self.measured.state_bytes + self.measured.registry_bytes
        )

    @property
    def writes_a_second(self) -> float:
        """Durable transactions a second: a token at each refresh, and a state at each sync."""
        return self.refreshes_a_second + self.syncs_a_second


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        name: What it is.
        formula: How it is computed; names in code are measured or assumed.
        value: Its value for a scenario.
    """

    name: str
    formula: str
    value: Callable[[Scenario], str]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


ROWS = (
    Row(
        "Syncs a day",
        "companies × 86,400 s / interval; with webhooks: the intervals that have a change, in the `share` of companies "
        "that change, and one a day in all",
        lambda it: _number(it.syncs),
    ),
    Row("Metered calls a day", "syncs × `quiet_calls`", lambda it: _number(it.calls)),
    Row("Calls a month", f"calls a day × {cost.MONTH_DAYS}", lambda it: _number(it.month_calls)),
    Row(
        "Cheapest tier, dollars a month",
        "`core.cost`",
        lambda it: f"{it.plan[0]}, {it.plan[1]:,.0f}",
    ),
    Row(
        "Calls a minute of one company",
        f"`quiet_calls` × max(1, 60 s / interval); Intuit allows {_REALM_LIMIT}",
        lambda it: _number(it.company_calls_a_minute),
    ),
    Row("Calls of the first sync, once", "companies × `first_calls`", lambda it: _number(it.first_month_calls)),
    Row(
        "CPU hours of the first sync, once",
        "companies × `first_cpu_s` / 3,600",
        lambda it: _number(it.companies * it.measured.first_cpu_s / _HOUR_S),
    ),
    Row(
        "Syncs a second",
        "syncs / `window_s` at night, or / 86,400",
        lambda it: _number(it.syncs_a_second),
    ),
    Row(
        "Token refreshes a second",
        "syncs a second × `quiet_refreshes` × min(1, interval / 1 h)",
        lambda it: _number(it.refreshes_a_second),
    ),
    Row(
        "Durable transactions a second",
        "refreshes + syncs a second",
        lambda it: _number(it.writes_a_second),
    ),
    Row(
        "Webhook notices a second",
        "companies × `share` × `changes` / 86,400",
        lambda it: _number(it.notices_a_second) if it.webhooks else "",
    ),
    Row(
        "Companies at once",
        "syncs a second × ((`quiet_calls` + `quiet_refreshes`) × `answer_s` + `quiet_cpu_s`)",
        lambda it: _number(it.at_once),
    ),
    Row("Tasks a day", "syncs / `bundle`", lambda it: _number(it.tasks)),
    Row(
        "CPU hours a day",
        "(syncs × `quiet_cpu_s` + companies × `share` × `changes` × `record_cpu_s` + tasks × `task_cpu_s`) / 3,600",
        lambda it: _number(it.cpu_s / _HOUR_S),
    ),
    Row(
        "Cores while syncs run",
        "CPU seconds a day / (seconds in which syncs run × `utilization`)",
        lambda it: _number(it.cores),
    ),
    Row("Executors", "cores / `cores` of one, rounded up", lambda it: f"{it.executors:,}"),
    Row(
        "Seconds to list the registry",
        "companies × `list_s`, in the driver, for each job",
        lambda it: _number(it.list_s),
    ),
    Row(
        "Database, GB",
        "companies × `postgresql_bytes` (or, where it was not measured, the three of SQLite)",
        lambda it: _number(it.database_bytes / 1e9),
    ),
)
"""The table: each number is the value of the formula beside it."""


def scenarios(measured: Measured, assumed: Assumed, sizes: Sequence[int] = (10_000, 1_000_000)) -> list[Scenario]:
    """Return the columns: nightly, hourly, and hourly with webhooks, for each number of companies."""
    ways = ((_DAY_S, False), (_HOUR_S, False), (_HOUR_S, True))
    return [Scenario(size, every, webhooks, measured, assumed) for size in sizes for every, webhooks in ways]


def table(columns: Sequence[Scenario]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| | Formula | " + " | ".join(column.name for column in columns) + " |"
    yield "|---|---|" + "---:|" * len(columns)
    for row in ROWS:
        yield f"| {row.name} | {row.formula} | " + " | ".join(row.value(column) for column in columns) + " |"


def inputs(measured: Measured, assumed: Assumed) -> Iterator[str]:
    """Yield the lines of the table of what is measured and assumed, with what each is."""
    yield from ("| Name | Value | | |", "|---|---:|---|---|")
    for kind, values in (("measured", measured), ("assumed", assumed)):
        said = _attributes(type(values))
        for field in dataclasses.fields(values):
            value = getattr(values, field.name)
            text = "not measured" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
            yield f"| `{field.name}` | {text} | {kind} | {said[field.name]} |"


def _attributes(of: type) -> dict[str, str]:
    """Return what the docstring of a class says of its attributes."""
    found = {}
    for line in (of.__doc__ or "").partition("Attributes:")[2].splitlines():
        name, separator, text = line.strip().partition(": ")
        if separator:
            found[name] = text
    return found


def load(path: Path = MEASURED) -> Measured:
    """Return the measurements of a file.

    Raises:
        OSError: There is no such file: nothing was measured yet.
    """
    values: dict[str, Any] = json.loads(path.read_text())["plan"]
    return Measured(**values)


def main() -> None:
    """Print the tables by the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--companies", type=int, action="append", help="default 10000 and 1000000")
    for field in dataclasses.fields(Assumed):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    args = vars(parser.parse_args())
    sizes = args.pop("companies") or (10_000, 1_000_000)
    measured, assumed = load(), Assumed(**args)
    print(*inputs(measured, assumed), "", *table(scenarios(measured, assumed, sizes)), sep="\n")


if __name__ == "__main__":
    main()
