"""Syncs all companies of the registry that change data capture covers in one request each, and keeps their states."""

import contextlib
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vantage_quickbooks import open_registry, sync_companies
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.catalog.sync_action import SYNC_DEFAULT


class Target:
    """Where the changes of one company go: they are counted, and the state is a row of a table."""

    def __init__(self, states: sqlite3.Connection, lock: threading.Lock, company: str) -> None:
        self._states, self._lock, self._company = states, lock, company
        with lock:
            row = states.execute("SELECT state FROM state WHERE company = ?", (company,)).fetchone()
        self.state = row and row[0]

    def apply(self, changes: Any) -> None:
        """Store the state of a set."""
        with self._lock, self._states:
            new = (self._company, json.dumps(changes.state))
            self._states.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", new)


def main() -> None:
    """Sync, and report what it took."""
    job = json.loads(Path(sys.argv[1]).read_text())
    entities = [resource.entity for resource in SYNC_DEFAULT if resource.has_cdc]
    # A first read takes each company seven seconds at ten requests a second: what is measured is its CPU time.
    lifted = {"rate_limiter": RateLimiter(10, 10**6, 10**6)} if job["first"] else {}
    lock = threading.Lock()
    states = sqlite3.connect(job["states"], check_same_thread=False)
    states.executescript(
        "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS state (company TEXT PRIMARY KEY, state TEXT NOT NULL)"
    )

    @contextlib.contextmanager
    def open_target(run: Any) -> Iterator[Target]:
        yield Target(states, lock, run.id)

    start_s, started = time.time() - float(os.environ["BENCHMARK_STARTED_AT"]), time.perf_counter()
    with open_registry() as registry:
        report = sync_companies(registry, open_target, entities=entities, workers=job["threads"], **lifted)
    work_s = time.perf_counter() - started
    if not report.ok:
        failed = [run for run in report.runs if run.error]
        raise SystemExit(f"{len(failed)} companies failed: {failed[0].id}: {failed[0].error}")
    states.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows, characters = states.execute("SELECT count(*), sum(length(state)) FROM state").fetchone()
    states.close()
    figures = {
        "start_s": start_s,
        "work_s": work_s,
        "companies": len(report.runs),
        "entities": len(entities),
        "upserts": sum(run.result["upserts"] for run in report.runs),
        "metered": sum(run.metered_calls for run in report.runs),
        "state_characters": characters / rows,
        "state_bytes": Path(job["states"]).stat().st_size / rows,
    }
    Path(job["report"]).write_text(json.dumps(figures))


main()
