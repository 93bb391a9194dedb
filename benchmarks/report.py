"""RESULTS.md: the tables of one run, the targets, and how to repeat it."""

import os
import platform
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

from clients import BULK, CLIENTS, KEPT, PYTHON_QUICKBOOKS, ROOT, SESSION, STREAM
from measure import Figures
from micro import Micro

_LARGE = 100_000  # from here on start-up no longer hides what reading takes
_A_SECOND = 10  # requests that Intuit allows
_BUSY = 0.7  # load from which on others were at work, too


@dataclass(slots=True)
class Cell:
    """All runs with one company at one latency.

    Attributes:
        invoices: That the company has.
        latency_s: Of every answer of the data API.
        runs: By the client's name.
    """

    invoices: int
    latency_s: float
    runs: dict[str, list[Figures]] = field(default_factory=dict)

    def median(self, name: str) -> Figures | None:
        """Return the median of each figure of a client; None if it was not run."""
        runs = self.runs.get(name)
        if not runs:
            return None
        return Figures(**{f.name: statistics.median(getattr(run, f.name) for run in runs) for f in fields(Figures)})


@dataclass(slots=True)
class Results:
    """What one run of the benchmark found.

    Attributes:
        load: The machine's load before.
        rounds: Runs of each client in a cell, unless it is slow.
        cells: In the order run.
        versions: What is installed, by environment.
        failures: Why a client was not run, by its name.
        micro: Small costs.
        took_s: All of it.
    """

    load: float
    rounds: int
    cells: list[Cell] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    micro: Micro | None = None
    took_s: float = 0.0

    def cell(self, invoices: int, latency_s: float) -> Cell | None:
        """Return the cell, if it was run."""
        return next((c for c in self.cells if (c.invoices, c.latency_s) == (invoices, latency_s)), None)


def write(results: Results, target: Path) -> None:
    """Write the results.

    Args:
        results: Of one run.
        target: The file.
    """
    lines = [
        "# Benchmark",
        "",
        (
            "Every client reads all invoices of one company from the same emulator, in one run, each as a process "
            "of its own, by turns. Figures are medians; what counts is ratios in a table. `make bench` writes it, "
            "nobody edits it."
        ),
        "",
        *_targets(results),
        *tables(results),
        *_small_costs(results),
        *_how(results),
    ]
    target.write_text("\n".join(lines))


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _head(*names: str) -> list[str]:
    return [_row(*names), "|" + "---|" + "---:|" * (len(names) - 1)]


# ---- targets ----


def _targets(results: Results) -> Iterator[str]:
    largest = max(cell.invoices for cell in results.cells if len(cell.runs) > 2)
    yield from (f"## Targets, at {largest:,} invoices", "", *_head("Target", "Wanted", "Measured", ""))
    slow, still = results.cell(largest, 0.15), results.cell(largest, 0.0)
    for name in (STREAM, BULK, KEPT):
        for other, wanted in ((PYTHON_QUICKBOOKS, 9), (SESSION, 5)):
            if slow and (ratio := _ratio(slow, other, name, "wall_s")):
                wish = wanted if name != KEPT and largest >= _LARGE else None
                yield _target(f"150 ms: {name}, times as fast as {other}", wish, ratio, at_least=True)
    for what, figure in (("", "cpu_s"), (" of reading alone, without start-up", "read_cpu_s")):
        if still and (ratio := _ratio(still, STREAM, SESSION, figure)):
            yield _target(f"0 ms: CPU{what}, streamed, times {SESSION}", 1.15, ratio)
    for cell in results.cells:
        streamed = cell.median(STREAM) if cell.latency_s == 0 else None
        if streamed:
            memory = streamed.peak_mb - streamed.imported_mb
            yield _target(f"{cell.invoices:,} streamed: MB above import", 100, memory)
    if results.micro:
        yield _target("cached getAccessToken: µs", 5, results.micro.token_us)
        yield _target("plugin import and registration: ms over Python with pluggy", 25, results.micro.plugin_ms)
    yield ""


def _target(what: str, wanted: float | None, measured: float, *, at_least: bool = False) -> str:
    if wanted is None:
        return _row(what, "", f"{measured:.2f}", "")
    met = measured >= wanted if at_least else measured <= wanted
    return _row(what, f"{'≥' if at_least else '≤'} {wanted}", f"{measured:.2f}", "met" if met else "**missed**")


def _ratio(cell: Cell, above: str, below: str, figure: str) -> float | None:
    first, second = cell.median(above), cell.median(below)
    return getattr(first, figure) / getattr(second, figure) if first and second else None


# ---- tables ----


def tables(results: Results) -> Iterator[str]:
    """Give the lines of the tables."""
    for cell in sorted(results.cells, key=lambda cell: (cell.invoices, cell.latency_s)):
        yield from (f"## {cell.invoices:,} invoices, answers take {cell.latency_s * 1000:.0f} ms", "")
        yield from _table(cell)
        yield ""
    yield from _legend(results)


def _table(cell: Cell) -> Iterator[str]:
    yield from _head(
        *("Client", "wall s", "÷ session", "start s", "CPU s", "reading", "peak MB", "+MB", "calls", "a second"),
        *("TCP", "rows", "emulator CPU s", "runs"),
    )
    session = cell.median(SESSION)
    for client in CLIENTS:
        it = cell.median(client.name)
        if it is None:
            continue
        pace = it.calls / it.read_s
        yield _row(
            client.name,
            f"{it.wall_s:.2f}",
            f"{it.wall_s / session.wall_s:.2f}" if session else "",
            f"{it.wall_s - it.read_s:.2f}",
            f"{it.cpu_s:.2f}",
            f"{it.read_cpu_s:.2f}",
            f"{it.peak_mb:.0f}",
            f"{it.peak_mb - it.imported_mb:.0f}",
            f"{it.calls:.0f}",
            f"{pace:.0f}" + ("!" if pace > _A_SECOND + 1 else ""),
            f"{it.connections:.0f}",
            "" if client.floor else _rows(it, cell.invoices),
            f"{it.emulator_cpu_s:.2f}",
            len(cell.runs[client.name]),
        )


def _rows(it: Figures, invoices: int) -> str:
    missing, twice = invoices - it.distinct, it.rows - it.distinct
    text = f"{it.rows:,.0f}"
    if missing:
        text += f" **{missing:,.0f} missing**"
    return text + (f" **{twice:,.0f} twice**" if twice else "")


def _legend(results: Results) -> Iterator[str]:
    yield (
        "**wall** from the start of the process to its end; **÷ session** beside requests.Session + orjson; **start** "
        "the part of it before the first request; **CPU** of the client and its children, and the part of it that is "
        "**reading**; **peak** memory, and how much more that is than when all was imported (**+MB**); **calls** to "
        "the data API, and how many **a second** (`!`: Intuit allows 10 and would have refused the rest); **TCP** "
        "connections; **rows** that came out, by their Ids, and what is missing in silence; the **emulator's** own CPU "
        "time meanwhile."
    )
    spreads = [_spread([run.wall_s for run in runs]) for cell in results.cells for runs in cell.runs.values()]
    yield from ("", f"Widest spread of one client's walls inside a table: {max(spreads, default=0):.0%}.", "")


def _spread(walls: Sequence[float]) -> float:
    return (max(walls) - min(walls)) / statistics.median(walls) if walls else 0.0


# ---- the rest ----


def _small_costs(results: Results) -> Iterator[str]:
    if results.micro is None:
        return
    yield from ("## Small costs", "", *_head("What", "Cost"))
    yield _row("`getAccessToken` by `connection.invoke`, token in hand", f"{results.micro.token_us:.1f} µs")
    yield _row("import, registration and the hook's call", f"{results.micro.plugin_ms:.1f} ms")
    yield _row("the same found by its entry point", f"{results.micro.found_ms:.1f} ms")
    yield _row("Python, pluggy and a plugin manager alone", f"{results.micro.bare_ms:.1f} ms")
    yield ""


def _how(results: Results) -> Iterator[str]:
    yield from ("## Who, and how", "", "| Client | How it is run |", "|---|---|")
    yield from (_row(client.name, client.note) for client in CLIENTS)
    yield from ("", "| Environment | What is installed |", "|---|---|")
    yield from (_row(name, text) for name, text in results.versions.items())
    yield ""
    if results.failures:
        yield from ("Not run, or not to the end:", "")
        yield from (f"- {name}: {why}" for name, why in results.failures.items())
        yield ""
    else:
        yield from ("Everybody could be installed and pointed at the emulator; `run/` shows how.", "")
    yield from (f"- {line}" for line in _circumstances(results))
    yield ""
    yield from (
        (
            "Repeat it with `make bench` (about 25 minutes; `make bench BENCH=--quick` two, `make bench-full` with a "
            "million invoices). It needs PyPI once, for the environments under `benchmarks/.venvs`."
        ),
        "",
    )


def _circumstances(results: Results) -> Iterator[str]:
    busy = " **Others were at work: take the figures with care.**" if results.load > _BUSY else ""
    yield f"{datetime.now(UTC):%d %B %Y}, {_commit()}; {results.took_s / 60:.0f} minutes for all."
    yield f"{_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, {platform.system()} {platform.release()}."
    yield f"Python {platform.python_version()}. Load before: {results.load:.1f}.{busy}"
    yield (
        f"Rounds: {results.rounds}; each client once in each. Whoever needs more than 10 s and is in no target is "
        "run once in a table, and at 50 ms not at all if it needs more than 50 s at 0 ms."
    )
    yield (
        "Client and emulator share the cores. The emulator joins pages from stored JSON text and gzips them for "
        "whoever accepts that; the floor is what it and the network cost by themselves."
    )
    yield "Latency is added by the emulator to every answer of the data API, not to the token endpoint."


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
        return done.stdout.strip()

    changed = " with uncommitted changes" if git("status", "--porcelain", "vantage_quickbooks") else ""
    return f"commit {git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
