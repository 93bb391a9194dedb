"""What every client's script shares: its job, time measurement, and a count of rows. Standard library only."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PAGE = 1000
SKIPPED = 77
"""Exit status of a client that cannot be run; the last line on standard error says why."""


def job() -> dict[str, Any]:
    """Return what this process is to do: url, realm_id, tokens, client id and secret, variant, folder, report."""
    return json.loads(Path(sys.argv[1]).read_text())


def skip(why: str) -> None:
    """End the process: this client cannot be run."""
    print(why, file=sys.stderr)
    sys.exit(SKIPPED)


class Seen:
    """Counts rows and distinct Ids with one byte per Id, so that counting does not affect the measured memory."""

    def __init__(self) -> None:
        self.rows = 0
        self._ids = bytearray()

    def add(self, records: Iterable[Mapping[str, Any]]) -> int:
        """Count *records* and return how many they were."""
        before = self.rows
        for record in records:
            number = int(record["Id"])
            if number >= len(self._ids):
                self._ids.extend(bytes(number * 2 + PAGE - len(self._ids)))
            self._ids[number] = 1
            self.rows += 1
        return self.rows - before

    @property
    def distinct(self) -> int:
        """Number of different Ids."""
        return self._ids.count(1)


def _memory_mb(name: str) -> float:
    """Return VmRSS or VmHWM, which, unlike getrusage, do not include the process that started this one."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def _cpu_s() -> float:
    return sum(os.times()[:4])


@contextmanager
def reading(report: str) -> Iterator[Seen]:
    """Measure the block as reading; the time before it is start-up.

    Args:
        report: File for the figures.

    Yields:
        A counter, for clients that hand their rows to Python; the others' output is counted afterwards.
    """
    seen = Seen()
    imported_mb, cpu_s, started = _memory_mb("VmRSS"), _cpu_s(), time.perf_counter()
    try:
        yield seen
    finally:
        figures = {
            "read_s": time.perf_counter() - started,
            "read_cpu_s": _cpu_s() - cpu_s,
            "imported_mb": imported_mb,
            "peak_mb": _memory_mb("VmHWM"),
            "rows": seen.rows,
            "distinct": seen.distinct,
        }
        Path(report).write_text(json.dumps(figures))
