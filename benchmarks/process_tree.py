"""Runs a command and measures all its processes: wall seconds, CPU seconds, and the peak of their memory together.

    python benchmarks/process_tree.py REPORT SECONDS COMMAND...

An engine is several processes, some of which outlive the one that started them (the JVM of Spark, its Python daemon).
This process adopts them (PR_SET_CHILD_SUBREAPER, https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html),
so the kernel adds the processor time of each to this one's children, exactly, when it has ended. What is left of them
after the command is stopped. Writes the report as JSON; ends with the exit status of the command, or 124 after SECONDS.
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


def main() -> None:
    """Run the command and write the report."""
    report, timeout_s, *command = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory = _Memory()
    memory.start()
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {STARTED_AT: str(time.time())})
    try:
        status = process.wait(float(timeout_s))
    except subprocess.TimeoutExpired:
        status = TIMED_OUT
    wall = time.perf_counter() - started
    memory.stop()
    _end_all(grace_s=_GRACE_S if status != TIMED_OUT else 0.0)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    figures = {"wall_s": wall, "cpu_s": cpu, "peak_mb": memory.peak_mb, "processes": memory.processes}
    Path(report).write_text(json.dumps(figures))
    sys.exit(status if status >= 0 else 128 - status)


class _Memory(threading.Thread):
    """Samples the proportional set size of all descendants.

    Attributes:
        peak_mb: The highest sum.
        processes: The highest number of processes.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self.processes = 0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            sizes = [size for pid in _descendants(os.getpid()) if (size := _pss_mb(pid))]
            self.peak_mb = max(self.peak_mb, sum(sizes))
            self.processes = max(self.processes, len(sizes))

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()


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


def _end_all(grace_s: float) -> None:
    """Wait for all descendants, and kill those that do not end by themselves."""
    deadline = time.monotonic() + grace_s
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        left = list(_descendants(os.getpid()))
        if not left:
            return
        if time.monotonic() >= deadline:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
