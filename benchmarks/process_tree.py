"""Runs a command and measures all its processes: wall seconds, CPU seconds, and the peak of their memory together.

    python benchmarks/process_tree.py REPORT SECONDS COMMAND...

An engine is several processes, some of which outlive the one that started them (the JVM of Spark, its Python daemon).
This process adopts them (PR_SET_CHILD_SUBREAPER, https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html),
so the kernel adds the processor time of each to this one's children, exactly, when it has ended. It drops the time of a
process whose parent ignores SIGCHLD (https://man7.org/linux/man-pages/man2/getrusage.2.html), as Spark's daemon does
(pyspark/daemon.py), so that time is sampled. What is left of all processes after the command is stopped. Writes the
report as JSON; ends with the exit status of the command, or 124 after SECONDS.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TIMED_OUT = 124
STARTED_AT = "BENCHMARK_STARTED_AT"  # for the command: when it was started, by the wall clock
_SUBREAPER = 36  # linux/prctl.h
_SAMPLE_S = 0.25
_GRACE_S = 5.0  # for processes that end by themselves once the command has ended
_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the command and write the report."""
    report, timeout_s, *command = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    sampler = _Sampler()
    sampler.start()
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {STARTED_AT: str(time.time())})
    try:
        status = process.wait(float(timeout_s))
    except subprocess.TimeoutExpired:
        status = TIMED_OUT
    wall = time.perf_counter() - started
    sampler.stop()
    waited_for = _end_all(grace_s=_GRACE_S if status != TIMED_OUT else 0.0)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    cpu += sum(seconds for pid, seconds in sampler.unwaited_cpu_s.items() if pid not in waited_for)
    figures = {"wall_s": wall, "cpu_s": cpu, "peak_mb": sampler.peak_mb, "processes": sampler.processes}
    Path(report).write_text(json.dumps(figures))
    sys.exit(status if status >= 0 else 128 - status)


class _Sampler(threading.Thread):
    """Samples all descendants.

    Attributes:
        peak_mb: The highest sum of their proportional set sizes.
        processes: The highest number of processes.
        unwaited_cpu_s: By process id, the processor time of those whose parent ignores SIGCHLD.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self.processes = 0
        self.unwaited_cpu_s: dict[int, float] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self._sample()

    def stop(self) -> None:
        """Take the last sample and end the thread."""
        self._ended.set()
        self.join()
        self._sample()

    def _sample(self) -> None:
        found = list(_descendants(os.getpid()))
        sizes = [size for pid in found if (size := _pss_mb(pid))]
        self.peak_mb = max(self.peak_mb, sum(sizes))
        self.processes = max(self.processes, len(sizes))
        for pid in found:
            # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; what follows the name begins with field 3.
            with suppress(OSError):
                fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
                if _ignores_children(int(fields[1])):
                    ticks = int(fields[11]) + int(fields[12])
                    self.unwaited_cpu_s[pid] = max(ticks / _TICKS_PER_S, self.unwaited_cpu_s.get(pid, 0.0))


def _ignores_children(pid: int) -> bool:
    """Return whether a process ignores SIGCHLD, so that the kernel drops the processor time of its children."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGCHLD - 1) & 1)
    return False


def _descendants(pid: int) -> Iterator[int]:
    """Yield the processes below a process, by what the kernel lists for each of its threads."""
    with suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                for child in map(int, (task / "children").read_text().split()):
                    yield child
                    yield from _descendants(child)


def _pss_mb(pid: int) -> float:
    """Return the proportional set size: memory that processes share counts once."""
    with suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _end_all(grace_s: float) -> set[int]:
    """Wait for all descendants, kill those that do not end by themselves. Return those that this process waited for."""
    waited_for = set()
    deadline = time.monotonic() + grace_s
    while True:
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                waited_for.add(pid)
        left = list(_descendants(os.getpid()))
        if not left:
            return waited_for
        if time.monotonic() >= deadline:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
