"""Reads the invoices of many companies with several engines, side by side in one run; writes docs/scale.md.

    python benchmarks/scale.py                      # everything: about 20 minutes on two cores
    python benchmarks/scale.py --quick              # tiny, does it work?
    python benchmarks/scale.py --engines processes,dask --companies 500,1000 --latency 0
    python benchmarks/scale.py --tables             # measures nothing: writes the tables of docs/scale.md again

Each cell (a number of companies at a latency) is kept once it is complete. So a run that was interrupted continues
there if neither the commit nor the options have changed; `--restart` begins again. The package does not depend on Dask:
where it is not installed, it gets an environment of its own under `benchmarks/.venvs`.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients import ROOT
from environments import InstallError, python_of
from firm import Engine, Firm, RunError, Setup
from scale_report import Cell, Scale, write_page
from storage import postgresql_bytes, sqlite_registry

_HERE = Path(__file__).resolve().parent
_CACHE = _HERE / ".cache"
TARGET = _HERE / "scale.json"
PAGE = ROOT / "docs" / "scale.md"
ENGINES = ("processes", "spark", "dask")
_DASK = ("--editable", f"{ROOT}[arrow,encryption]", "dask==2026.8.0", "distributed==2026.8.0")
_SMALL_WORK = 10_000
"""Invoices up to which a cell is small."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured.

    Attributes:
        growth: Numbers of companies, which grow, and the invoices of each.
        large: One number of companies, and the invoices of each.
        latencies_ms: Latencies of an answer; the growth is measured at the first.
        syncs: Numbers of companies for what a sync takes: the difference is without the start.
        stored: Companies in the databases whose size is measured.
        rounds: Runs of a small cell.
    """

    growth: tuple[tuple[int, ...], int]
    large: tuple[int, int]
    latencies_ms: tuple[int, ...]
    syncs: tuple[int, int]
    stored: int
    rounds: int

    @property
    def firms(self) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """The emulators to start, each with the cells (number of companies, latency) that are read from it."""
        (companies, invoices), most = self.growth, max(self.growth[0])
        first, *others = self.latencies_ms
        return {
            self.large: [(self.large[0], latency) for latency in self.latencies_ms],
            (most, invoices): [(number, first) for number in companies] + [(most, latency) for latency in others],
        }


FULL = Sizes(((500, 1_000, 3_000), 20), (200, 1_000), (0, 50), (20, 120), 200, 3)
QUICK = Sizes(((2, 4), 3), (2, 12), (0,), (1, 3), 3, 1)


class Benchmark:
    """One run of everything that is not in the state of an earlier one.

    Args:
        engines: The engines to run.
        sizes: What is measured.
        setup: How the engines are set up.
        scale: What is measured already.
        save: Called with every new measurement.
    """

    def __init__(
        self, engines: Sequence[Engine], sizes: Sizes, setup: Setup, scale: Scale, save: Callable[[Scale], None]
    ) -> None:
        self._engines, self._sizes, self._setup = engines, sizes, setup
        self._scale, self._save = scale, save
        self._started = time.monotonic()

    def run(self) -> None:
        """Measure all cells, and what the plan needs."""
        for (companies, invoices), cells in self._sizes.firms.items():
            is_growth = invoices == self._sizes.growth[1]
            wanted = [Cell(number, invoices, latency) for number, latency in cells]
            left = [cell for cell in wanted if not self._scale.has(cell)]
            if not left and not (is_growth and not self._scale.inputs):
                continue
            with Firm(companies, invoices) as firm:
                self._say(f"{companies:,} companies of {invoices:,} invoices, made or opened in {firm.loaded_s:.0f} s")
                for cell in left:
                    self._cell(firm, cell)
                if is_growth and not self._scale.inputs:
                    self._scale.inputs = dict(self._inputs(firm))
                    self._save(self._scale)

    def _cell(self, firm: Firm, cell: Cell) -> None:
        """Let the engines take turns; what they do without reading is measured once, where answers take no time."""
        rounds = self._sizes.rounds if cell.rows <= _SMALL_WORK else 1
        turns = [("read", number) for number in range(rounds)]
        if cell.latency_ms == self._sizes.latencies_ms[0]:
            turns.append(("idle", 0))
            if cell.invoices == self._sizes.large[1]:
                turns.append(("replay", 0))
        for work, number in turns:
            for engine in self._engines:
                if (reason := self._scale.failures.get(engine.name)) is not None:
                    self._say(f"{engine.name} is left out: {reason}")
                    continue
                try:
                    found = firm.run(engine, work, cell.companies, cell.latency_ms / 1000, self._setup)
                except RunError as error:
                    self._scale.failures[engine.name] = f"{cell.name}, {work}: {error}"
                    self._say(f"{engine.name} has failed: {error}")
                    continue
                cell.runs.setdefault(engine.name, {}).setdefault(work, []).append(found)
                self._say(
                    f"{cell.name:<46} {work:<6} {number + 1}  {engine.name:<10} {found['wall_s']:7.2f} s "
                    f"{found['cpu_s']:7.2f} CPU s {found['peak_mb']:6.0f} MB {found['calls']:6,} calls"
                )
        self._scale.cells.append(cell)
        self._save(self._scale)

    def _inputs(self, firm: Firm) -> Iterator[tuple[str, Any]]:
        """Yield what the plan needs besides the cells."""
        few, many = self._sizes.syncs
        for name, companies in (("first", many), ("quiet", many), ("quiet_few", few)):
            yield name, firm.sync(companies)
            self._say(f"sync of {companies} companies: {name}")
        list_s, registry_bytes = sqlite_registry(firm, self._sizes.stored)
        yield from {"list_s": list_s, "registry_bytes": registry_bytes}.items()
        yield "postgresql_bytes", postgresql_bytes(firm, min(self._sizes.stored, many))
        self._say("sizes of the databases")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._started:6.0f} s  {text}", flush=True)


def main() -> None:
    """Run the benchmark by the command line's options."""
    args = _arguments()
    if args.tables:
        write_page(Scale.open(TARGET), PAGE)
        return
    sizes, setup = _sizes(args), Setup(store=args.store, **({"bundle_size": 2} if args.quick else {}))
    _CACHE.mkdir(exist_ok=True)
    state = _CACHE / ("scale-quick.json" if args.quick else "scale-state.json")
    made_of = json.dumps([_version(), args.engines, dataclasses.astuple(sizes), dataclasses.astuple(setup)])
    scale = Scale.open(state) if state.exists() and not args.restart else None
    if scale is None or scale.made_of != made_of:
        scale = Scale(made_of=made_of, load=os.getloadavg()[0])
    Benchmark(list(_engines(args.engines, scale)), sizes, setup, scale, lambda found: found.save(state)).run()
    scale.finish(_version())
    print("", *scale.markdown(), sep="\n")
    is_complete = sizes == FULL and set(args.engines) == set(ENGINES) and not scale.failures
    target = (args.output or (_HERE if is_complete else _CACHE)) / TARGET.name
    scale.save(target)
    if target == TARGET:
        write_page(scale, PAGE)
    state.unlink()
    print(f"written: {target}" + (f", {PAGE}" if target == TARGET else ""))
    sys.exit(1 if scale.failures else 0)


def _sizes(args: argparse.Namespace) -> Sizes:
    sizes = QUICK if args.quick else FULL
    companies = tuple(sorted(args.companies)) if args.companies else sizes.growth[0]
    return dataclasses.replace(
        sizes,
        growth=(companies, sizes.growth[1]),
        latencies_ms=tuple(args.latency or sizes.latencies_ms),
        syncs=(min(sizes.syncs[0], companies[-1] - 1), min(sizes.syncs[1], companies[-1])),
        stored=min(sizes.stored, companies[-1]),
    )


def _arguments() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="a few companies; the figures mean nothing")
    parser.add_argument("--engines", type=lambda text: text.split(","), default=list(ENGINES))
    parser.add_argument("--companies", type=numbers, help="how the time grows; default 500,1000,3000")
    parser.add_argument("--latency", type=numbers, help="milliseconds of an answer; default 0,50")
    parser.add_argument("--store", default="", help="URL of the token store; default a SQLite file for each run")
    parser.add_argument("--output", type=Path, help="folder for scale.json; docs/scale.md is not changed")
    parser.add_argument("--restart", action="store_true", help="measure again what an interrupted run has measured")
    parser.add_argument("--tables", action="store_true", help="write docs/scale.md from scale.json")
    args = parser.parse_args()
    if unknown := set(args.engines) - set(ENGINES):
        parser.error(f"unknown engines: {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    if any(number < 2 for number in args.companies or ()):
        parser.error("--companies takes numbers from 2")
    return args


def _engines(names: Sequence[str], scale: Scale) -> Iterator[Engine]:
    """Yield the engines that can be run."""
    for name in names:
        python = sys.executable
        if name == "dask" and importlib.util.find_spec("distributed") is None:
            try:
                python = python_of("dask", _DASK)
            except InstallError as error:
                scale.failures[name] = f"not installed: {error}"
                print(f"{name}: {error}", flush=True)
                continue
        yield Engine(name, python, f"scale_{name}")


def _version() -> str:
    """Return the commit, with a mark if the package differs from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
        return done.stdout.strip()

    changed = " with uncommitted changes" if git("status", "--porcelain", "vantage_quickbooks") else ""
    return f"commit {git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"


if __name__ == "__main__":
    main()
