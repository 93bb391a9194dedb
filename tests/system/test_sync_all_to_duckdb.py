"""`sync --all --to duckdb:///...` night after night: each company's tables equal its books, whatever happens."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from decimal import Decimal

import duckdb
import pytest
from emulated_companies import AMOUNTS, ENTITIES, Company

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import FolderRegistry

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
COMPANIES, DAY_S = 12, 86_400
TABLES = {entity: f"{entity.lower()}s" for entity in ENTITIES}


class Firm:
    """Companies, their registry, and a DuckDB file."""

    def __init__(self, emulator, folder):
        self.emulator, self.chance = emulator, random.Random(7)
        self.database, self.report = folder / "books.duckdb", folder / "report.json"
        self.registry = FolderRegistry(folder / "registry")
        self.environment = dict(os.environ) | {
            "VANTAGE_QUICKBOOKS_TOKEN_STORE": str(folder / "tokens.sqlite3"),
            "VANTAGE_QUICKBOOKS_REGISTRY": str(folder / "registry"),
        }
        self.companies = [Company(emulator, number) for number in range(COMPANIES)]
        for company in self.companies:
            self.connect(company)

    def connect(self, company):
        form = self.emulator.settings() | {"realm_id": company.realm, "refresh_token": company.token}
        self.registry.add(company.id, form, replace=True)

    def day(self):
        self.emulator.advance(DAY_S)
        for _ in range(4 * COMPANIES):
            self.chance.choice(self.companies).edit(self.chance)
        self.emulator.reset_counters()

    def start(self):
        args = ["sync", "--all", "--to", f"duckdb:///{self.database}", "--entities", ",".join(ENTITIES)]
        return subprocess.Popen(
            [*PROGRAM, *args, "--format", "json", "--report", str(self.report)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=self.environment,
        )  # fmt: skip

    def sync(self):
        """Return the exit status and the report's companies by connection."""
        with self.start() as process:
            out, _ = process.communicate(timeout=300)
        report = json.loads(out)
        assert json.loads(self.report.read_text()) == report
        assert report["destination"].startswith("duckdb ")
        return process.returncode, {run["connection"]: run for run in report["runs"]}

    def kill(self, requests):
        with self.start() as process:
            while self.emulator.counters()["api_requests"]["total"] < requests:
                assert process.poll() is None
                time.sleep(0.002)
            process.kill()

    def compare(self, companies):
        """Compare rows with books: keys, versions and amounts, and sums as DuckDB adds."""
        with duckdb.connect(str(self.database), read_only=True) as database:
            for entity, table in TABLES.items():
                found = database.execute(f"SELECT * FROM quickbooks.{table}")  # noqa: S608 -- our names
                names = [column[0] for column in found.description]
                held = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
                for company in companies:
                    rows = {row["id"]: row for row in held if row["realm_id"] == company.realm}
                    books = company.books(entity)
                    assert rows.keys() == books.keys(), (company.id, entity)
                    for id_, record in books.items():
                        row = rows[id_]
                        assert row["sync_token"] == record["SyncToken"], (company.id, entity, id_)
                        amounts = {name: row.get(_column(name)) for name in AMOUNTS}
                        assert amounts == {name: record.get(name) for name in AMOUNTS}, (company.id, entity, id_)
                    for name in AMOUNTS:
                        if _column(name) in names:
                            total = sum((record.get(name) or Decimal() for record in books.values()), Decimal())
                            query = f"SELECT sum({_column(name)}) FROM quickbooks.{table} WHERE realm_id = ?"  # noqa: S608 -- our names
                            assert database.execute(query, [company.realm]).fetchone()[0] in {total, total or None}


def _column(name):
    return {"TotalAmt": "total_amt", "Balance": "balance", "UnitPrice": "unit_price"}[name]


@pytest.fixture
def firm(tmp_path):
    with Emulator(limits=False, previous_token_grace_s=DAY_S) as emulator:
        yield Firm(emulator, tmp_path)
        assert emulator.crashes == []


@pytest.mark.system
def test_nights_of_edits_failures_and_kills(firm):
    """A company that fails keeps the rows of its last sync, and the others get theirs."""
    emulator, companies = firm.emulator, firm.companies
    firm.kill(60)
    status, runs = firm.sync()
    assert status == 0, [run["error"] for run in runs.values()]
    firm.compare(companies)

    firm.day()
    emulator.revoke_grants(companies[2].realm)
    emulator.fault("throttle", path=companies[5].realm, times=-1, retry_after=3_600)
    status, runs = firm.sync()
    emulator.clear_faults()
    assert status == 1
    assert {id_: run["error"] and run["error"]["code"] for id_, run in runs.items()} == dict.fromkeys(runs, None) | {
        companies[2].id: "REAUTHORIZATION_REQUIRED",
        companies[5].id: "RATE_LIMITED",
    }
    assert emulator.counters()["api_requests"]["by_status"]["200"] == COMPANIES - 2
    firm.compare([company for company in companies if company.number not in {2, 5}])

    firm.day()
    firm.kill(5)
    companies[2].token = emulator.grant(companies[2].realm)
    firm.connect(companies[2])
    status, runs = firm.sync()
    assert status == 0, [run["error"] for run in runs.values()]
    assert {run["meteredCalls"] for run in runs.values()} == {1}
    firm.compare(companies)
