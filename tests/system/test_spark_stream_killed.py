"""A stream whose driver is killed, with all of its processes, while companies are edited: the copy equals the books.

The sink merges each batch into DuckDB in one transaction, by key, and remembers no batch.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from emulated_companies import Company, books
from leak_checks import assert_none

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import FolderRegistry, open_states

DRIVER = Path(__file__).parents[1] / "spark_stream_driver.py"
ENTITIES = ("Customer", "Invoice", "Payment", "Vendor", "Bill", "Item", "TimeActivity")
"""Change data capture covers all but the last, whose deletions show by what still exists only."""

COMPANIES = 3


class Firm:
    """Companies, their registry, and the driver."""

    def __init__(self, emulator, folder, configuration, environment, seed):
        self.emulator, self.folder, self.chance = emulator, folder, random.Random(seed)
        self.configuration = configuration
        self.environment = os.environ | environment | {"VANTAGE_QUICKBOOKS_TOKEN_STORE": str(folder / "tokens")}
        self.registry = FolderRegistry(folder / "registry")
        self.companies = [Company(emulator, number) for number in range(COMPANIES)]
        self.times = {
            company.realm: sorted(books(emulator, company.realm, "TimeActivity")) for company in self.companies
        }
        for company in self.companies:
            form = emulator.settings() | {"realm_id": company.realm, "refresh_token": company.token}
            self.registry.add(company.id, form)
        self.driver, self.output = None, (folder / "driver.log").open("ab")

    def edit(self, count=12):
        """Edit companies; some records of each kind are deleted for good."""
        for _ in range(count):
            company = self.chance.choice(self.companies)
            company.edit(self.chance)
            times = self.times[company.realm]
            if times and self.chance.random() < 0.2:
                self.emulator.delete("TimeActivity", times.pop(), company.realm)
            if self.chance.random() < 0.2:
                employee = {"NameOf": "Employee", "EmployeeRef": {"value": "1"}, "Hours": 1, "Minutes": 0}
                times.append(self.emulator.create("TimeActivity", employee, company.realm)["Id"])

    def start(self):
        self.driver = subprocess.Popen(
            [sys.executable, DRIVER, self.folder / "registry", self.folder / "checkpoint",
             self.folder / "books.duckdb", ",".join(ENTITIES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.output, text=True, bufsize=1,
            env=self.environment, start_new_session=True,
        )  # fmt: skip
        self.proceed(json.dumps(self.configuration))

    def proceed(self, line=""):
        self.driver.stdin.write(line + "\n")

    def run_to(self, point, batch=None):
        """Let the driver run up to a point of a batch; return its number."""
        while True:
            line = self.driver.stdout.readline()
            assert line, (self.folder / "driver.log").read_text()[-3000:]
            found = json.loads(line)
            if found[0] == point and batch in (None, found[1]):
                return found[1]
            self.proceed()

    def kill_while_reading(self, requests):
        """Kill the driver once it has sent so many requests."""
        self.emulator.reset_counters()
        self.proceed()
        while self.emulator.counters()["api_requests"]["total"] < requests:
            assert self.driver.poll() is None
            time.sleep(0.001)
        self.kill()

    def kill(self):
        """Kill the driver and its JVM at the same instant; the workers of Spark end by themselves."""
        if self.driver is not None:
            os.killpg(self.driver.pid, signal.SIGKILL)
            self.driver.communicate()
            self.driver = None

    def assert_equal(self):
        """Compare the copy with the books of all companies."""
        with duckdb.connect(str(self.folder / "books.duckdb")) as database:
            rows = database.execute("SELECT realm_id, entity, id, record FROM books").fetchall()
        assert len(rows) == len({row[:3] for row in rows})
        copies = {}
        for realm_id, entity, id_, record in rows:
            copies.setdefault((realm_id, entity), {})[id_] = json.loads(record)["SyncToken"]
        for company in self.companies:
            for entity in ENTITIES:
                there = {
                    id_: record["SyncToken"] for id_, record in books(self.emulator, company.realm, entity).items()
                }
                assert copies.pop((company.realm, entity), {}) == there, (company.id, entity)
        assert copies == {}


@pytest.fixture
def firm(tmp_path, spark_configuration, spark_environment):
    with Emulator(customers=2, invoices=4, limits=False) as emulator:
        seed = int(os.environ.get("SEED", "7"))
        running = Firm(emulator, tmp_path, spark_configuration, spark_environment, seed)
        try:
            yield running
        finally:
            running.kill()
            running.output.close()
        assert emulator.crashes == []


def test_a_driver_that_is_killed_loses_nothing_and_doubles_nothing(firm):
    """`SEED=8 pytest ...` plays another history."""
    firm.start()
    assert firm.run_to("read") == 0
    firm.edit()
    firm.proceed()
    assert firm.run_to("merged") == 0
    firm.edit()
    firm.kill()  # the sink has the batch, and the checkpoint does not

    firm.start()
    assert firm.run_to("merged") == 0
    firm.edit()
    firm.proceed()
    assert firm.run_to("begun") == 1
    if firm.chance.random() < 0.5:
        firm.kill_while_reading(firm.chance.randrange(1, 6))  # some companies are read, and some are not
    else:
        firm.proceed()
        assert firm.run_to("read") == 1
        firm.edit()
        firm.kill()  # what was read is lost, and its states are stored

    firm.edit()
    firm.start()
    firm.run_to("merged", 1)
    firm.edit()
    firm.proceed()
    firm.run_to("merged", 2)
    firm.kill()
    firm.assert_equal()

    with open_states(firm.folder / "registry") as table:
        assert list(table.streams().values()) == [3]
    files = [*(firm.folder / "checkpoint").rglob("*"), firm.folder / "registry" / ".states.sqlite3"]
    texts = [path.read_text(errors="replace") for path in files if path.is_file()]
    assert len(texts) > 5
    tokens = {company.id: company.token for company in firm.companies}
    secrets = tokens | {"client_secret": firm.emulator.settings()["client_secret"]}
    assert_none("".join(texts) + (firm.folder / "driver.log").read_text(), secrets)
