"""One client, one run: its process, what it used, what the emulator saw, and which rows came out."""

import gzip
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from clients import Client
from emulated import Emulated

_RUN = Path(__file__).resolve().parent / "run"
_CACHE = _RUN.parent / ".cache"
_SKIPPED = 77  # run/harness.py
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "NO_PROXY": "127.0.0.1",
    "OAUTHLIB_INSECURE_TRANSPORT": "1",  # the emulator speaks plain http
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}


class SkippedError(Exception):
    """The client cannot be run, or failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The measurements of one run.

    Attributes:
        wall_s: From the start of the process to its end.
        cpu_s: Its processor time, with its children's.
        read_s: The part from the first request to the last row, without interpreter and imports.
        read_cpu_s: Processor time of that part.
        peak_mb: Maximum memory.
        imported_mb: Memory when all was imported and nothing was read.
        calls: Requests that the data API got.
        connections: TCP connections that the emulator accepted.
        rows: Invoices that came out.
        distinct: Different ones among them.
        emulator_cpu_s: Processor time of the emulator meanwhile.
    """

    wall_s: float
    cpu_s: float
    read_s: float
    read_cpu_s: float
    peak_mb: float
    imported_mb: float
    calls: float
    connections: float
    rows: float
    distinct: float
    emulator_cpu_s: float


def measure(client: Client, python: str, emulator: Emulated, latency_s: float, timeout_s: float) -> Figures:
    """Run a client once.

    Args:
        client: The client.
        python: Interpreter of its environment.
        emulator: The emulator that it reads from.
        latency_s: Latency of every answer in seconds.
        timeout_s: Seconds after which the client is killed.

    Returns:
        The measurements.

    Raises:
        SkippedError: It could not be run, or failed.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        task = emulator.prepare(latency_s) | {"variant": client.variant, "folder": folder, "report": f"{folder}/report"}
        job, output, errors = (Path(folder) / name for name in ("job.json", "output", "errors"))
        job.write_text(json.dumps(task))
        busy = emulator.cpu_s()
        with output.open("wb") as stdout, errors.open("wb") as stderr:
            started = time.perf_counter()
            process = subprocess.Popen(
                [python, str(_RUN / f"{client.script}.py"), str(job)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=folder,
                env=_ENVIRONMENT | {"PATH": os.environ["PATH"], "HOME": folder},
            )
            killer = threading.Timer(timeout_s, process.kill)
            killer.start()
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
            killer.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
        busy = emulator.cpu_s() - busy
        if process.returncode:
            said = _CACHE / f"{client.name}.errors"
            said.write_bytes(errors.read_bytes())
            raise SkippedError(
                f"{_why(process.returncode, errors, timeout_s)} (all it said: benchmarks/.cache/{said.name})"
            )
        own = json.loads(Path(task["report"]).read_text())
        counters = emulator.counters()
        if client.output not in {"counted", "none"}:
            ids = list(_ids(client.output, output, Path(folder)))
            own |= {"rows": len(ids), "distinct": len(set(ids))}
        return Figures(
            wall_s=wall,
            cpu_s=usage.ru_utime + usage.ru_stime,
            calls=counters["api_requests"]["total"],
            connections=counters["connections"],
            emulator_cpu_s=busy,
            **own,
        )


def _why(status: int, errors: Path, timeout_s: float) -> str:
    lines = errors.read_text(errors="replace").strip().splitlines()
    last = lines[-1][:300] if lines else "it said nothing"
    if status == _SKIPPED:
        return last
    return f"killed after {timeout_s:.0f} s" if status == -9 else f"exit status {status}: {last}"


def _ids(form: str, output: Path, folder: Path) -> Iterator[str]:
    """Find the Ids in what a client wrote."""
    if form == "array":
        yield from (record["Id"] for record in orjson.loads(output.read_bytes()))
        return
    files = [output] if form != "loaded" else sorted((folder / "loaded" / "quickbooks" / "invoices").iterdir())
    for record in _records(files):
        if form == "lines":
            yield record["Id"]
        elif form == "loaded":
            yield record["id"]  # dlt spells names its own way
        elif record.get("type") == "RECORD":
            yield record["record"]["Id"] if form == "singer" else record["record"]["data"]["Id"]


def _records(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in files:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            yield from map(orjson.loads, lines)
