"""Reads a whole company with this connector and with the others, side by side in one run; writes RESULTS.md.

make bench                        10,000 and 100,500 invoices, at 0, 50 and 150 ms
make bench BENCH=--quick          10,000 invoices, one run each: does it work?
make bench-full                   and the memory of a stream of a million
make bench BENCH='--only ours'    clients whose name holds that; prints, writes nothing
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clients import BULK, CLIENTS, ENVIRONMENTS, STREAM, Client
from emulated import Emulated
from environments import InstallError, python_of, versions
from measure import Figures, SkippedError, measure
from micro import micro
from report import Cell, Results, tables, write

_TARGET = Path(__file__).resolve().parent / "RESULTS.md"
_QUICK = _TARGET.parent / ".cache" / "RESULTS.md"
_SMALL, _LARGE, _HUGE = 10_000, 100_500, 1_000_000
# The large company is a little beyond 100 pages: there is a client that stops at 100 and says nothing.
_LATENCIES_S = (0.0, 0.15, 0.05)
_ROUNDS = 3
_STARTS = 15
_SLOW_S = 10.0
"""A client that takes longer is run once in a cell, unless a target depends on it."""

_TOO_SLOW_S = 50.0
"""One that takes longer without any latency is not run at the middle latency: the other two bound its result."""

_TIMEOUT_S = 900.0


class Benchmark:
    """One run of everything.

    Args:
        clients: The clients to run.
        rounds: Number of runs of each client.
    """

    def __init__(self, clients: Sequence[Client], rounds: int) -> None:
        self._clients = clients
        self._rounds = rounds
        self._pythons: dict[str, str] = {}
        self.results = Results(load=os.getloadavg()[0], rounds=rounds)

    def install(self) -> None:
        """Make the environments."""
        for name in dict.fromkeys(client.environment for client in self._clients):
            try:
                self._pythons[name] = python_of(name, ENVIRONMENTS[name])
                self.results.versions[name] = versions(self._pythons[name], ENVIRONMENTS[name])
            except InstallError as error:
                self.results.failures.update(
                    {client.name: f"not installed: {error}" for client in self._clients if client.environment == name}
                )

    def size(self, invoices: int, latencies_s: Sequence[float]) -> None:
        """Read one company with all clients at all latencies."""
        with Emulated(invoices) as emulator:
            for latency_s in latencies_s:
                cell = Cell(invoices, latency_s)
                self.results.cells.append(cell)
                for number in range(self._rounds):
                    self._round(cell, emulator, number)

    def _round(self, cell: Cell, emulator: Emulated, number: int) -> None:
        for client in self._clients:
            runs = cell.runs.setdefault(client.name, [])
            slow = bool(runs) and runs[0].wall_s > _SLOW_S and not client.always
            if client.name in self.results.failures or slow or self._left_out(client, cell):
                continue
            figures = self._run(client, emulator, cell.latency_s)
            if figures:
                runs.append(figures)
                print(
                    f"{cell.invoices:>9,}  {cell.latency_s * 1000:3.0f} ms  {number + 1}/{self._rounds}  "
                    f"{client.name:<38} {figures.wall_s:7.2f} s  {figures.peak_mb:6.0f} MB  {figures.distinct:9,.0f}",
                    flush=True,
                )

    def _left_out(self, client: Client, cell: Cell) -> bool:
        if client.floor:
            return cell.latency_s > 0
        still = self.results.cell(cell.invoices, 0.0)
        first = still.runs.get(client.name) if still else None
        return cell.latency_s == min(_LATENCIES_S[1:]) and bool(first) and first[0].wall_s > _TOO_SLOW_S

    def _run(self, client: Client, emulator: Emulated, latency_s: float) -> Figures | None:
        try:
            return measure(client, self._pythons[client.environment], emulator, latency_s, _TIMEOUT_S)
        except SkippedError as error:
            where = f"{emulator.invoices:,} invoices, {latency_s * 1000:.0f} ms"
            self.results.failures[client.name] = f"{where}: {error}"
            print(f"{client.name}: {error}", flush=True)
            return None

    def small_costs(self, starts: int) -> None:
        """Measure the costs that a host pays often."""
        with Emulated(_SMALL) as emulator:
            self.results.micro = micro(self._pythons["ours"], emulator, starts)


def main() -> None:
    """Run the benchmark by the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="10,000 invoices, 0 and 150 ms, one run each")
    parser.add_argument("--full", action="store_true", help="stream a million invoices, too")
    parser.add_argument("--rounds", type=int, default=None, help=f"runs of each client, default {_ROUNDS}")
    parser.add_argument("--only", action="append", help="clients whose name holds this; writes nothing")
    parser.add_argument("--output", type=Path, help="for the results; of --quick it is .cache/RESULTS.md")
    args = parser.parse_args()
    rounds = args.rounds if args.rounds is not None else 1 if args.quick else _ROUNDS
    target = args.output or (_QUICK if args.quick else _TARGET)
    chosen = [client for client in CLIENTS if not args.only or any(part in client.name for part in args.only)]
    if not chosen or rounds < 1:
        parser.error("nothing to run")
    started = time.monotonic()
    benchmark = Benchmark(chosen, rounds)
    benchmark.install()
    for invoices in (_SMALL,) if args.quick else (_SMALL, _LARGE):
        benchmark.size(invoices, _LATENCIES_S[:2] if args.quick else _LATENCIES_S)
    if args.full:
        benchmark = _with_million(benchmark)
    if args.only:
        print("", *tables(benchmark.results), sep="\n")
        sys.exit(1 if benchmark.results.failures else 0)
    benchmark.small_costs(3 if args.quick else _STARTS)
    benchmark.results.took_s = time.monotonic() - started
    write(benchmark.results, target)
    print(f"\n{target} after {benchmark.results.took_s / 60:.0f} minutes")


def _with_million(benchmark: Benchmark) -> Benchmark:
    """Read a million invoices with ours alone, to measure memory."""
    huge = Benchmark([client for client in CLIENTS if client.name in {STREAM, BULK}], 1)
    huge.install()
    huge.size(_HUGE, _LATENCIES_S[:1])
    benchmark.results.cells += huge.results.cells
    return benchmark


if __name__ == "__main__":
    main()
