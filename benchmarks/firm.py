"""Many companies: their emulator, their registry, and one engine's run over them with all that it used."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulated import EmulatorProcess, database_file

_HERE = Path(__file__).resolve().parent
_TOTALS = """
SELECT k.realm, count(*), sum(CAST(round(r.total * 100) AS INTEGER))
FROM kind k JOIN record r ON r.kind = k.kind WHERE k.entity = 'Invoice' GROUP BY k.realm"""


class RunError(Exception):
    """A run has failed, or its figures are not those of the books."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One row of the tables.

    Attributes:
        name: Its name.
        python: Interpreter of its environment.
        script: File in `run/`.
    """

    name: str
    python: str
    script: str


@dataclass(frozen=True, slots=True)
class Setup:
    """How every engine is set up.

    Attributes:
        slots: Tasks at once.
        threads: Companies at once in a task.
        bundle_size: Companies of a bundle.
        store: URL of the token store; a new SQLite file for each run if empty.
        timeout_s: Seconds after which a run is ended.
    """

    slots: int = 2
    threads: int = 8
    bundle_size: int = 50
    store: str = ""
    timeout_s: float = 600.0


class Firm(EmulatorProcess):
    """Companies of an emulator, all of the same size, and registries of the first of them.

    Args:
        companies: Number of companies.
        invoices: Number of invoices of each.

    Attributes:
        realms: The companies.
        loaded_s: Seconds in which they were made or opened.
        key: Encrypts tokens.
        states: SQLite file of the states of the last `sync`.
    """

    def __init__(self, companies: int, invoices: int) -> None:
        database = database_file(f"firm-{companies}x{invoices}")
        started = time.monotonic()
        super().__init__([str(_HERE / "firm_server.py"), str(database), str(companies), str(invoices)])
        self.companies, self.invoices = companies, invoices
        self.loaded_s = time.monotonic() - started
        self.realms: list[str] = list(self.told["tokens"])
        self.key = secrets.token_urlsafe()
        self._folder = tempfile.TemporaryDirectory(prefix="benchmark-scale-")
        self.states = Path(self._folder.name) / "states.sqlite3"
        with sqlite3.connect(database) as books:
            self._books = {realm: (rows, cents) for realm, rows, cents in books.execute(_TOTALS)}

    def __exit__(self, *exit_: object) -> None:
        super().__exit__(*exit_)
        self._folder.cleanup()

    def registry(self, companies: int) -> Path:
        """Return a folder of settings files of the first companies, as a deployment tool would write it."""
        folder = Path(self._folder.name) / f"registry-{companies}"
        if not folder.exists():
            folder.mkdir(mode=0o700)
            for number, realm in enumerate(self.realms[:companies]):
                path = folder / f"company-{number:05}.json"
                path.touch(0o600)
                path.write_text(json.dumps(self.settings(realm)))
        return folder

    def settings(self, realm: str) -> dict[str, str]:
        """Return the settings of a company."""
        return self.told["settings"] | {"realm_id": realm, "refresh_token": self.told["tokens"][realm]}

    def stored(self) -> Path:
        """Return a file with the record batches of one company, for the runs that replay them."""
        path = Path(self._folder.name) / "stored.arrow"
        if not path.exists():
            self._script("scale_store", sys.executable, self.registry(1), {"path": str(path)}, Setup())
        return path

    def run(self, engine: Engine, work: str, companies: int, latency_s: float, setup: Setup) -> dict[str, Any]:
        """Let an engine read the first companies, or do another work with them.

        Args:
            engine: The engine.
            work: `read`, `idle` or `replay`.
            companies: How many.
            latency_s: Latency of every answer of the data API in seconds.
            setup: How the engine is set up.

        Returns:
            The figures; see docs/scale.md.

        Raises:
            RunError: The run has failed, or what it has read does not equal the books.
        """
        self.delay(latency_s)
        job = {
            "work": work,
            "slots": setup.slots,
            "threads": setup.threads,
            "bundle_size": setup.bundle_size,
            "stored": "" if work == "read" else str(self.stored()),
        }
        figures = self._script(engine.script, engine.python, self.registry(companies), job, setup)
        sums = {realm: tuple(found) for realm, found in figures.pop("sums").items()}
        realms = self.realms[:companies]
        if work == "read" and sums != {realm: self._books[realm] for realm in realms}:
            wrong = [realm for realm in realms if sums.get(realm) != self._books[realm]]
            raise RunError(f"{len(sums)} companies read; {len(wrong)} do not equal the books: {wrong[:3]}")
        rows = 1 if work == "idle" else self.invoices
        if {realm: found[0] for realm, found in sums.items()} != dict.fromkeys(realms, rows):
            raise RunError(f"{len(sums)} of {companies} companies were in tasks, or had other rows than {rows}")
        return figures

    def sync(self, companies: int, latency_s: float = 0.0, store: str = "") -> dict[str, Any]:
        """Sync the first companies in one process: the first time all their records, then what has changed: nothing.

        Args:
            companies: How many; after the first time, no more than then.
            latency_s: Latency of every answer of the data API in seconds.
            store: As of `Setup`.

        Returns:
            The figures; see docs/scale.md.

        Raises:
            RunError: A company has failed.
        """
        self.delay(latency_s)
        setup = Setup(store=store)
        first = not self.states.exists()
        job = {"threads": setup.threads, "states": str(self.states), "first": first}
        return self._script("scale_sync", sys.executable, self.registry(companies), job, setup)

    def _script(self, script: str, python: str, registry: Path, job: dict[str, Any], setup: Setup) -> dict[str, Any]:
        """Run a script with a fresh token store, and measure all its processes."""
        with tempfile.TemporaryDirectory(dir=self._folder.name) as name:
            folder = Path(name)
            used, report = folder / "used.json", folder / "report.json"
            (folder / "job.json").write_text(json.dumps(job | {"report": str(report)}))
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "LANG": "C.UTF-8",
                "NO_PROXY": "127.0.0.1",
                "PYTHONPATH": str(_HERE / "run"),  # where the workers find what they are to do
                "VANTAGE_QUICKBOOKS_REGISTRY": str(registry),
                "VANTAGE_QUICKBOOKS_TOKEN_STORE": setup.store or str(folder / "tokens.sqlite3"),
                "VANTAGE_QUICKBOOKS_TOKEN_KEY": self.key,
            } | {key: os.environ[key] for key in ("JAVA_HOME",) if key in os.environ}
            self.reset_counters()
            busy = self.cpu_s()
            tree = [sys.executable, str(_HERE / "process_tree.py"), str(used), str(setup.timeout_s)]
            with (folder / "output").open("wb") as output:
                done = subprocess.run(
                    [*tree, python, str(_HERE / "run" / f"{script}.py"), str(folder / "job.json")],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=environment,
                    check=False,
                )
            if done.returncode or not report.exists():
                said = (folder / "output").read_text(errors="replace").strip().splitlines()
                raise RunError(f"exit status {done.returncode}: " + " | ".join(said[-3:])[-600:])
            counters = self.counters()
            by_status = counters["api_requests"]["by_status"]
            stored = folder / "tokens.sqlite3"
            return {
                **json.loads(used.read_text()),
                **json.loads(report.read_text()),
                "calls": counters["api_requests"]["total"],
                "failed_calls": sum(number for status, number in by_status.items() if status != "200"),
                "token_requests": counters["token_requests"],
                "emulator_cpu_s": self.cpu_s() - busy,
                "token_bytes": stored.stat().st_size if stored.exists() else 0,
            }
