"""What the script of every engine shares: its job, and the report."""

import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scale_work import Sums, Work

from vantage_quickbooks import open_registry
from vantage_quickbooks.connector.bundles import Bundle, make_bundles


@dataclass(frozen=True, slots=True)
class Job:
    """What this process is to do.

    Attributes:
        work: Name of the work.
        slots: Tasks at once.
        threads: Companies at once in a task.
        bundle_size: Companies of a bundle.
        stored: File of record batches for `idle` and `replay`.
        report: Where the figures go.
    """

    work: str
    slots: int
    threads: int
    bundle_size: int
    stored: str
    report: str

    def what(self) -> Work:
        """Return what is done with each company."""
        return Work(self.work, self.stored)


def job() -> Job:
    """Return the job that the command line names."""
    return Job(**json.loads(Path(sys.argv[1]).read_text()))


def merge(found: Iterable[Sums]) -> Sums:
    """Join the sums of all tasks.

    Raises:
        RuntimeError: Two tasks have read the same company.
    """
    sums: Sums = {}
    for one in found:
        if twice := sums.keys() & one.keys():
            raise RuntimeError(f"read by two tasks: {sorted(twice)}")
        sums |= one
    return sums


class Report:
    """The figures of one run; create it when the engine is ready for tasks.

    Args:
        job: The job.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._start_s = time.time() - float(os.environ["BENCHMARK_STARTED_AT"])
        self._started = time.perf_counter()
        self._work_s = 0.0

    def bundles(self) -> tuple[Bundle, ...]:
        """Return the companies of the registry in bundles."""
        with open_registry() as registry:
            return make_bundles(registry.list(), self._job.bundle_size)

    def done(self) -> None:
        """Stop the time of the work."""
        self._work_s = time.perf_counter() - self._started

    def write(self, sums: Sums, tasks: int) -> None:
        """Write the seconds of start and work, the number of tasks, and the sums of each company."""
        figures = {"start_s": self._start_s, "work_s": self._work_s, "tasks": tasks, "sums": sums}
        Path(self._job.report).write_text(json.dumps(figures))
