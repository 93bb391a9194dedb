"""What `scale.py` has measured, as a file and as the generated tables of docs/scale.md."""

import dataclasses
import json
import os
import platform
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import plan

Runs = dict[str, dict[str, list[dict[str, Any]]]]
_REFERENCE = "processes"
_BUSY = 0.7  # load from which on others were at work, too
MISSING = "Not measured yet: run `python benchmarks/scale.py`.\n"


@dataclass(slots=True)
class Cell:
    """All runs over a number of companies at one latency.

    Attributes:
        companies: Number of companies.
        invoices: Invoices of each.
        latency_ms: Milliseconds of every answer of the data API.
        runs: Figures by engine and work, one for each turn.
    """

    companies: int
    invoices: int
    latency_ms: int
    runs: Runs = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What was read, in words."""
        return f"{self.companies:,} companies × {self.invoices:,} invoices, {self.latency_ms} ms"

    @property
    def rows(self) -> int:
        """Invoices of all companies."""
        return self.companies * self.invoices

    def median(self, engine: str, figure: str, work: str = "read") -> float | None:
        """Return the median of a figure; None if it was not measured."""
        runs = self.runs.get(engine, {}).get(work)
        return statistics.median(run[figure] for run in runs) if runs else None


@dataclass(slots=True)
class Scale:
    """The measurements of one run of the benchmark.

    Attributes:
        made_of: Version and options: what is measured under others is not continued.
        load: The machine's load before.
        cells: The cells that are complete.
        inputs: What the plan needs besides the cells, by name.
        failures: Why an engine was not run to the end, by its name.
        plan: The measurements of the plan (`plan.Measured`); None if some are missing.
        circumstances: Where and when it was measured.
    """

    made_of: str
    load: float
    cells: list[Cell] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    plan: dict[str, Any] | None = None
    circumstances: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the measurements of a file."""
        values: dict[str, Any] = json.loads(path.read_text())
        return cls(**values | {"cells": [Cell(**cell) for cell in values["cells"]]})

    def save(self, path: Path) -> None:
        """Replace a file."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        part.replace(path)

    def has(self, cell: Cell) -> bool:
        """Return whether a cell was measured."""
        key = (cell.companies, cell.invoices, cell.latency_ms)
        return any((one.companies, one.invoices, one.latency_ms) == key for one in self.cells)

    def finish(self, version: str) -> None:
        """Derive what the plan needs, and note the circumstances."""
        self.plan = self._plan()
        busy = " **Other processes were running: the figures are less reliable.**" if self.load > _BUSY else ""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        machine = f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.release()}"
        self.circumstances = [
            f"{datetime.now(UTC):%d %B %Y}, {version}, Python {platform.python_version()}.",
            f"{machine}. Load before: {self.load:.1f}.{busy}",
        ]

    # ---- what the plan needs ----

    def _growth(self) -> list[Cell]:
        """Return the cells that differ in the number of companies alone, from the fewest to the most."""
        latency = min((cell.latency_ms for cell in self.cells), default=0)
        still = [cell for cell in self.cells if cell.latency_ms == latency]
        by_size: dict[int, list[Cell]] = {}
        for cell in still:
            by_size.setdefault(cell.invoices, []).append(cell)
        return sorted(max(by_size.values(), key=len, default=[]), key=lambda cell: cell.companies)

    def _large(self) -> Cell | None:
        """Return the cell of the companies with the most invoices, where answers take the least time."""
        most = max((cell.invoices for cell in self.cells), default=0)
        found = [cell for cell in self.cells if cell.invoices == most]
        return min(found, key=lambda cell: cell.latency_ms, default=None)

    def slope(self, engine: str, figure: str, work: str, per: str = "companies") -> float | None:
        """Return what one more company costs: the difference between the most and the fewest of the growth.

        Args:
            engine: The engine.
            figure: The figure.
            work: The work.
            per: `companies`, or `tasks`.
        """
        growth = self._growth()
        if len(growth) < 2:
            return None
        few, many = (cell.median(engine, figure, work) for cell in (growth[0], growth[-1]))
        if per == "tasks":
            counts = [cell.median(engine, "tasks", work) for cell in (growth[0], growth[-1])]
        else:
            counts = [growth[0].companies, growth[-1].companies]
        if few is None or many is None or counts[0] is None or counts[1] is None or counts[1] == counts[0]:
            return None
        return (many - few) / (counts[1] - counts[0])

    def task_cost(self, engine: str, figure: str) -> float | None:
        """Return what an engine adds for each task to what the connector's own processes need for its companies."""
        growth = self._growth()
        added, own = self.slope(engine, figure, "idle"), self.slope(_REFERENCE, figure, "idle")
        tasks = growth[-1].median(engine, "tasks", "idle") if growth else None
        if added is None or own is None or not tasks:
            return None
        return (added - own) * growth[-1].companies / tasks

    def _record_cpu_s(self) -> float | None:
        large, small = self._large(), self.slope(_REFERENCE, "cpu_s", "read")
        growth = self._growth()
        if large is None or small is None or large.invoices == growth[-1].invoices:
            return None
        read, idle = (large.median(_REFERENCE, "cpu_s", work) for work in ("read", "idle"))
        opened = self.slope(_REFERENCE, "cpu_s", "idle")
        if read is None or idle is None or opened is None:
            return None
        # Start and opening are in `idle`; what remains of a company with many records, less that with few.
        many, few = (read - idle) / large.companies, small - opened
        return max(0.0, (many - few) / (large.invoices - growth[-1].invoices))

    def _plan(self) -> dict[str, Any] | None:
        """Return `plan.Measured` as plain JSON; None if something is missing."""
        inputs, growth = self.inputs, self._growth()
        record, task = self._record_cpu_s(), self.task_cost("spark", "cpu_s")
        if not inputs or not growth or record is None or task is None:
            return None
        quiet, few, first = inputs["quiet"], inputs["quiet_few"], inputs["first"]
        companies = quiet["companies"]
        start_cpu_s = few["cpu_s"] - few["companies"] * (quiet["cpu_s"] - few["cpu_s"]) / (companies - few["companies"])
        tokens = growth[-1].median(_REFERENCE, "token_bytes")
        return dataclasses.asdict(
            plan.Measured(
                quiet_calls=quiet["metered"] / companies,
                quiet_refreshes=quiet["token_requests"]["total"] / companies,
                quiet_cpu_s=(quiet["cpu_s"] - start_cpu_s) / companies,
                first_calls=first["metered"] / companies,
                first_cpu_s=(first["cpu_s"] - start_cpu_s) / companies,
                record_cpu_s=record,
                list_s=inputs["list_s"],
                token_bytes=(tokens or 0) / growth[-1].companies,
                state_bytes=quiet["state_bytes"],
                registry_bytes=inputs["registry_bytes"],
                postgresql_bytes=inputs["postgresql_bytes"],
                task_cpu_s=max(0.0, task),
            )
        )

    # ---- tables ----

    def markdown(self) -> Iterator[str]:
        """Yield the lines of all tables."""
        for name, text in self.parts().items():
            yield f"## {name}\n\n{text}"

    def parts(self) -> dict[str, str]:
        """Return the generated parts of docs/scale.md by name."""
        measured = plan.Measured(**self.plan) if self.plan else None
        assumed = plan.Assumed()
        columns = plan.scenarios(measured, assumed) if measured else []
        return {
            "measured": _text(self._measured()),
            "growth": _text(self._growth_table()),
            "overhead": _text(self._overhead()),
            "inputs": _text(plan.inputs(measured, assumed)) if measured else MISSING,
            "plan": _text(plan.table(columns)) if measured else MISSING,
        }

    def engines(self) -> list[str]:
        """Return the engines that were run, in their order."""
        return list(dict.fromkeys(engine for cell in self.cells for engine in cell.runs))

    def _measured(self) -> Iterator[str]:
        for cell in self.cells:
            yield from (f"**{cell.name}**", "")
            yield from _head(
                *(
                    "Engine",
                    "Seconds",
                    "÷ processes",
                    "Start s",
                    "CPU s",
                    "÷ processes",
                    "Peak MB",
                    "Processes",
                    "Calls",
                ),
                *("Token requests", "Emulator CPU s", "Runs"),
            )
            for engine in cell.runs:
                runs = cell.runs[engine].get("read", [])
                if runs:
                    yield _row(engine, *_cells(cell, engine, runs), len(runs))
            yield ""
        yield from (f"- {line}" for line in self.circumstances)
        for engine, why in self.failures.items():
            yield f"- Not run to the end: {engine}: {why}"

    def _growth_table(self) -> Iterator[str]:
        engines, growth = self.engines(), self._growth()
        yield from _head("Companies", *(f"{engine}, s" for engine in engines), *(f"{e}, ms a company" for e in engines))
        for cell in growth:
            walls = [cell.median(engine, "wall_s") for engine in engines]
            each = [None if wall is None else wall / cell.companies * 1000 for wall in walls]
            yield _row(f"{cell.companies:,}", *(_fixed(wall, 1) for wall in walls), *(_fixed(one, 1) for one in each))
        more = [self.slope(engine, "wall_s", "read") for engine in engines]
        cpu = [self.slope(engine, "cpu_s", "read") for engine in engines]
        blank = [""] * len(engines)
        yield _row("one more: wall", *blank, *(_fixed(one and one * 1000, 1) for one in more))
        yield _row("one more: CPU", *blank, *(_fixed(one and one * 1000, 1) for one in cpu))

    def _overhead(self) -> Iterator[str]:
        growth, large = self._growth(), self._large()
        if not growth or large is None:
            return
        few, many = growth[0], growth[-1]
        yield from _head(
            "Engine",
            "Start s",
            f"Idle, {few.companies:,} companies: s",
            "CPU s",
            f"Idle, {many.companies:,}: s",
            "CPU s",
            "Tasks",
            "A task adds: ms",
            "CPU ms",
            f"Replay of {large.rows:,} rows: s",
            "A row adds: µs",
        )
        for engine in self.engines():
            idle, replay = (large.median(engine, "work_s", work) for work in ("idle", "replay"))
            own = [large.median(_REFERENCE, "work_s", work) for work in ("idle", "replay")]
            row = None
            if engine != _REFERENCE and None not in (idle, replay, *own):
                row = ((replay - idle) - (own[1] - own[0])) / large.rows * 1e6  # type: ignore[operator]
            is_own = engine == _REFERENCE
            task, cpu = (None if is_own else self.task_cost(engine, name) for name in ("work_s", "cpu_s"))
            yield _row(
                engine,
                _fixed(many.median(engine, "start_s", "idle"), 1),
                *(_fixed(cell.median(engine, name, "idle"), 1) for cell in (few, many) for name in ("work_s", "cpu_s")),
                _fixed(many.median(engine, "tasks", "idle"), 0),
                _fixed(task and task * 1000, 0),
                _fixed(cpu and cpu * 1000, 0),
                _fixed(replay, 1),
                _fixed(row, 1),
            )


def _cells(cell: Cell, engine: str, runs: Sequence[dict[str, Any]]) -> Iterator[str]:
    wall, cpu = cell.median(engine, "wall_s"), cell.median(engine, "cpu_s")
    own_wall, own_cpu = cell.median(_REFERENCE, "wall_s"), cell.median(_REFERENCE, "cpu_s")
    yield _fixed(wall, 1)
    yield _fixed(wall / own_wall if wall and own_wall else None, 2)
    yield _fixed(cell.median(engine, "start_s"), 1)
    yield _fixed(cpu, 1)
    yield _fixed(cpu / own_cpu if cpu and own_cpu else None, 2)
    yield _fixed(cell.median(engine, "peak_mb"), 0)
    yield _fixed(cell.median(engine, "processes"), 0)
    yield f"{statistics.median(run['calls'] for run in runs):,.0f}"
    yield f"{statistics.median(run['token_requests']['total'] for run in runs):,.0f}"
    yield _fixed(cell.median(engine, "emulator_cpu_s"), 1)


def _fixed(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _head(*names: str) -> list[str]:
    return [_row(*names), "|---|" + "---:|" * (len(names) - 1)]


def _text(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"


def write_page(scale: Scale | None, page: Path) -> None:
    """Write the generated parts of the page.

    Args:
        scale: The measurements; None says that there are none.
        page: The page.
    """
    page.write_text(generated(page.read_text(), scale))


def generated(text: str, scale: Scale | None) -> str:
    """Return a page with its parts between `<!-- generated: name -->` and `<!-- end: name -->` regenerated."""

    def part(found: re.Match[str]) -> str:
        return f"{found[1]}{parts[found[2]] if parts else MISSING}{found[4]}"

    parts = scale.parts() if scale else None
    return re.sub(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end: \2 -->)", part, text, flags=re.DOTALL)
