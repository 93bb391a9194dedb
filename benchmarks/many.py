"""What a nightly sync of 200 companies costs: calls, seconds, memory; three are disconnected, one throttled, one slow.

    python benchmarks/many.py                    # a first read and two nights, as docs/connections.md has them
    python benchmarks/many.py --compare          # a quiet night with more and more workers, and with processes

The companies are those of one emulator, in this process; the sync is the command, in processes of its own. Answers take
as long as `--latency` says. Prints Markdown.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from vantage_quickbooks.core import cost
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import FolderRegistry

_COMMAND = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
_DAY_S = 86_400
_REVOKED, _THROTTLED, _SLOW = (0.03, 0.35, 0.85), 0.5, 0.75
"""Where in the list they are."""

_SLOW_S = 2.0
_EDITS = 10
_CAPTURED, _UNCAPTURED = 29, 5
"""Entities of a sync without `--entities`: those that change data capture covers, and the others."""

_HEAD = """\
| Run | Companies | Failed | API calls | Metered | By `cost` | Seconds | CPU s | Peak MB |
|---|---:|---:|---:|---:|---:|---:|---:|---:|"""


class Firm:
    """Companies of an emulator, and the command that syncs them."""

    def __init__(self, emulator: Emulator, folder: Path, companies: int) -> None:
        self.emulator = emulator
        self.folder = folder
        self.realms = [str(9_300_000_000_000_000 + number) for number in range(companies)]
        self.ids = [f"company-{number:04}" for number in range(companies)]
        registry = FolderRegistry(folder / "registry")
        for id_, realm in zip(self.ids, self.realms, strict=True):
            registry.add(id_, emulator.settings() | {"realm_id": realm, "refresh_token": emulator.grant(realm)})

    def start(self, ids: Sequence[str], workers: int) -> "subprocess.Popen[bytes]":
        """Start a sync of companies; none means all."""
        which = [part for id_ in ids for part in ("--connection", id_)] or ["--all"]
        output = ["--output", str(self.folder / "copies"), "--report", str(self.folder / "report.json")]
        return subprocess.Popen(
            [*_COMMAND, "sync", *which, *output, "--concurrency", str(workers)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ
            | {
                "VANTAGE_QUICKBOOKS_TOKEN_STORE": str(self.folder / "tokens.sqlite3"),
                "VANTAGE_QUICKBOOKS_REGISTRY": str(self.folder / "registry"),
            },
        )

    def measure(self, parts: Sequence[Sequence[str]], workers: int) -> tuple[float, float, float]:
        """Run one process for each part; return seconds, CPU seconds and the sum of their peak MB."""
        begun = time.perf_counter()
        processes = [self.start(ids, workers) for ids in parts]
        used = [os.wait4(process.pid, 0)[2] for process in processes]
        for process in processes:
            process.returncode = 0
        took = time.perf_counter() - begun
        return took, sum(u.ru_utime + u.ru_stime for u in used), sum(u.ru_maxrss for u in used) / 1024

    def report(self) -> dict:  # type: ignore[type-arg]
        """Return the report of the last sync."""
        return json.loads((self.folder / "report.json").read_text())  # type: ignore[no-any-return]

    def edit(self, chance: random.Random) -> None:
        """Let a day pass in all companies."""
        self.emulator.advance(_DAY_S)
        for realm in self.realms:
            for _ in range(_EDITS):
                line = {"Amount": chance.randrange(1, 10**6) / 100, "DetailType": "SalesItemLineDetail"}
                detail = {"SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
                self.emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line | detail]}, realm)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--companies", type=int, default=200)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument(
        "--latency", type=float, default=0.15, help="seconds of an answer; Intuit's are about 0.15 to 1"
    )
    parser.add_argument("--compare", action="store_true", help="workers and processes, in quiet nights")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Emulator(limits=True) as emulator:
        firm = Firm(emulator, Path(folder), args.companies)
        emulator.latency(args.latency)
        if args.compare:
            _compare(firm, args.companies)
        else:
            _nights(firm, args.companies, args.workers, args.latency)


def _nights(firm: Firm, companies: int, workers: int, latency: float) -> None:
    print(f"{companies} companies, {workers} workers, answers take {latency:g} s\n\n{_HEAD}")
    chance = random.Random(1)
    emulator = firm.emulator
    first = companies * 2 * (_CAPTURED + _UNCAPTURED)
    _row(firm, "First read", first, firm.measure([()], workers))
    for place in _REVOKED:
        emulator.revoke_grants(firm.realms[int(place * companies)])
    emulator.fault("throttle", path=firm.realms[int(_THROTTLED * companies)], times=-1)
    emulator.latency([{"path": firm.realms[int(_SLOW * companies)], "fixed": _SLOW_S}, {"fixed": latency}])
    for night in (1, 2):
        firm.edit(chance)
        workload = cost.Workload(companies - len(_REVOKED) - 1, _DAY_S, _CAPTURED, _UNCAPTURED)
        calls = next(schedule.calls_per_day for schedule in cost.schedules(workload) if schedule.id == "cdc")
        _row(firm, f"Night {night}", calls, firm.measure([()], workers))
    print()
    for run in firm.report()["runs"]:
        if run["error"]:
            print(f"- {run['connection']}: {run['error']['code']}, {run['attempts']} attempts, {run['seconds']:.1f} s")


def _row(firm: Firm, name: str, predicted: float, used: tuple[float, float, float]) -> None:
    found = firm.report()
    seconds, cpu, megabytes = used
    failed = found["companies"] - found["succeeded"]
    print(
        f"| {name} | {found['companies']:,} | {failed} | {found['apiCalls']:,} | {found['meteredCalls']:,} "
        f"| {predicted:,.0f} | {seconds:.1f} | {cpu:.1f} | {megabytes:.0f} |",
        flush=True,
    )


def _compare(firm: Firm, companies: int) -> None:
    firm.emulator.limit(False)
    firm.emulator.latency(None)
    firm.measure([()], 16)
    for latency in (0.15, 0.5):
        firm.emulator.latency(latency)
        print(f"\n{companies} companies, nothing changed, answers take {latency:g} s\n")
        print("| Processes | Workers each | Seconds | CPU s | Peak MB |\n|---:|---:|---:|---:|---:|")
        for processes, workers in ((1, 1), (1, 4), (1, 8), (1, 16), (1, 32), (2, 8), (2, 16), (4, 8)):
            if companies / (processes * workers) * latency * (1 + _UNCAPTURED) > 120:
                continue
            parts = [firm.ids[number::processes] for number in range(processes)] if processes > 1 else [()]
            firm.emulator.advance(120)
            seconds, cpu, megabytes = firm.measure(parts, workers)
            print(f"| {processes} | {workers} | {seconds:.1f} | {cpu:.1f} | {megabytes:.0f} |", flush=True)


if __name__ == "__main__":
    main()
