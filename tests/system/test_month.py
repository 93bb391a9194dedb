"""A month in a minute: 32 companies, 30 days, a nightly sync into DuckDB, and everything that goes wrong in a month.

The emulator's clock moves from night to night, and the sync's clock follows it. In the days, and while the syncs run,
the companies are edited. Tokens rotate, requests are throttled and lost, users disconnect the app and connect it again,
and the program that syncs (tests/nightly.py) is killed in the middle of some nights. At the end, each table equals the
books of its company, and the metered calls are those that `core.cost` predicts.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from emulated_companies import AMOUNTS, ENTITIES, Company

from vantage_quickbooks.core import cost
from vantage_quickbooks.core.change_plan import read_calls
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import FolderRegistry

NIGHTLY = Path(__file__).parents[1] / "nightly.py"
COMPANIES, NIGHTS, WORKERS = 32, 30, 8
DAY_S = 86_400
EDITS_A_DAY = 48

KILLS = {0: 80, 8: 13, 15: 1, 22: 24}
"""Nights in which the program is killed, and after how many requests."""

OUTAGES = {3: (1, NIGHTS), 10: (4, 6), 15: (10, 11), 16: (12, 25), 28: (28, NIGHTS)}
"""Companies whose users disconnect the app before one night, and connect it again before a later one.

That of the first lasts longer than the 29 days for which changes are asked for: it is reconciled by reads.
"""

THROTTLED = {(2, 5), (9, 20), (9, 21), (20, 31)}
"""Nights and companies that QuickBooks refuses all night."""


LOST_TOKENS = {6, 14, 26}
"""Nights in which the answer to one token request is lost, although it replaced the refresh token."""


class Month:
    """The companies of an accounting firm, their registry, and the program that syncs them."""

    def __init__(self, emulator, folder, seed):
        self.emulator, self.folder, self.chance = emulator, folder, random.Random(seed)
        self.registry = FolderRegistry(folder / "registry")
        self.companies = [Company(emulator, number) for number in range(COMPANIES)]
        self.program = None
        self.sizes = {
            company.id: {entity: len(ids) for entity, ids in company.known.items()} for company in self.companies
        }
        for company in self.companies:
            self.connect(company)

    def connect(self, company):
        """A user consents, and the settings get the new refresh token."""
        company.token = company.token or self.emulator.grant(company.realm)
        form = self.emulator.settings() | {"realm_id": company.realm, "refresh_token": company.token}
        self.registry.add(company.id, form, replace=True)

    def disconnect(self, company):
        """A user disconnects the app inside QuickBooks."""
        assert self.emulator.revoke_grants(company.realm) == 1
        company.token = None

    def day(self):
        """Let a day pass, with edits at four times of it."""
        for _ in range(4):
            self.emulator.advance(DAY_S / 4)
            self.edit(EDITS_A_DAY // 4)

    def edit(self, count):
        for _ in range(count):
            self.chance.choice(self.companies).edit(self.chance)

    # ---- nights ----

    def start(self):
        self.program = subprocess.Popen(
            [sys.executable, NIGHTLY, self.folder / "registry", self.folder / "books.duckdb", str(WORKERS),
             ",".join(ENTITIES)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ) | {"VANTAGE_QUICKBOOKS_TOKEN_STORE": str(self.folder / "tokens.sqlite3")},
        )  # fmt: skip

    def stop(self, *, kill=False):
        if self.program is not None:
            if kill:
                self.program.kill()
            self.program.communicate()
            self.program = None

    def command(self, night):
        if self.program is None:
            self.start()
        self.program.stdin.write(json.dumps({"night": night, "offset": self.emulator.state()["clock_offset_s"]}) + "\n")
        self.program.stdin.flush()

    def sync(self, night, *, edits=0):
        """Sync all companies while some are edited; return the runs by id."""
        self.command(night)
        self.edit(edits)
        report = json.loads(self.program.stdout.readline())
        return {run["connection"]: run for run in report["runs"]}

    def sync_and_kill(self, night, requests):
        """Kill the program once it has sent so many requests."""
        self.command(night)
        while self.emulator.counters()["api_requests"]["total"] < requests:
            assert self.program.poll() is None
            time.sleep(0.001)
        self.stop(kill=True)

    def metered(self):
        """Return the calls of this night that Intuit would meter, as the server counts them."""
        return self.emulator.counters()["api_requests"]["by_status"].get("200", 0)


@pytest.fixture
def month(tmp_path):
    with Emulator(
        limits=False, customers=1, invoices=1, previous_token_grace_s=DAY_S, access_token_lifetime_s=2 * DAY_S - 3_600
    ) as emulator:
        running = Month(emulator, tmp_path, seed=20_261)
        yield running
        running.stop(kill=True)
        assert emulator.crashes == []


class Warehouse:
    """What the program has committed. Open it while the program does not run."""

    def __init__(self, month):
        self.database = duckdb.connect(month.folder / "books.duckdb", read_only=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.database.close()

    def synced(self, night):
        """Return how many syncs of a night were committed to their end."""
        return self.database.execute("SELECT count(*) FROM syncs WHERE night = ?", [night]).fetchone()[0]

    def entities(self, realm):
        """Return the entities of a company that have rows."""
        has_rows = "SELECT EXISTS (SELECT 1 FROM {} WHERE realm = ?)"
        return {name for name in ENTITIES if self.database.execute(has_rows.format(name), [realm]).fetchone()[0]}

    def rows(self, entity):
        """Return the rows by company and Id: SyncToken, amounts, record."""
        found = {}
        for realm, id_, *row in self.database.execute(f"SELECT * FROM {entity}").fetchall():  # noqa: S608 -- our name
            assert id_ not in found.setdefault(realm, {})
            found[realm][id_] = row
        return found

    def sums(self, entity, amount):
        """Return the sum of an amount by company, as DuckDB adds."""
        query = f"SELECT realm, sum({amount}) FROM {entity} GROUP BY realm"  # noqa: S608 -- our names
        return dict(self.database.execute(query).fetchall())


# ---- what a night costs ----------------------------------------------------------------------------------------------


def calls_of_a_night(companies):
    """Return what `cost` predicts for one sync of each company."""
    workload = cost.Workload(companies=companies, every_s=DAY_S, captured=len(ENTITIES))
    return {schedule.id: schedule.calls_per_day for schedule in cost.schedules(workload)}["cdc"]


def calls_of_first_reads(sizes, done=frozenset()):
    """Return what full reads take of which some are done: those are asked for changes, all in one call."""
    return bool(done) + sum(read_calls(size) for entity, size in sizes.items() if entity not in done)


def calls_of_reconciling(before, after):
    """Return what pages of few records take: one call, and a count where a record is new, gone, or another version."""
    return sum(1 + (before[entity] != after[entity]) for entity in ENTITIES)


# ---- the month -------------------------------------------------------------------------------------------------------


@pytest.mark.system
def test_a_month_in_a_minute(month):
    """Each night has the rows of the report and the calls that are predicted; at the end, the tables are the books."""
    emulator, companies = month.emulator, month.companies
    rotations = 0
    gone_longest = companies[3]
    for night in range(NIGHTS + 1):
        if night:
            month.day()
        else:
            at_first = gone_longest.versions()
        change_connections(month, night)
        failing = inject_faults(month, night)
        emulator.reset_counters()

        committed, allowed, done = 0, 0, {}
        if night in KILLS:
            month.sync_and_kill(night, KILLS[night])
            with Warehouse(month) as warehouse:
                if night == 0:
                    done = {company.id: warehouse.entities(company.realm) for company in companies}
                    committed = sum(2 * len(entities) for entities in done.values())
                else:
                    committed = warehouse.synced(night)
            # Each worker may have sent what one read takes, and not committed it.
            allowed = WORKERS * (2 if night == 0 else 1)
        # An edit during the first reads may cost further calls; the last night shows that nothing is left out.
        runs = month.sync(night, edits=0 if night in {0, NIGHTS} else EDITS_A_DAY // 4)
        emulator.clear_faults()

        codes = {company.number: (runs[company.id]["error"] or {}).get("code") for company in companies}
        assert codes == {company.number: failing.get(company.number) for company in companies}, night
        if night == 0:
            expected = [calls_of_first_reads(month.sizes[id_], done.get(id_, ())) for id_ in runs]
        else:
            expected = [0 if company.number in failing else 1 for company in companies]
            assert sum(expected) == calls_of_a_night(COMPANIES - len(failing))
        if night == NIGHTS:
            expected[gone_longest.number] = calls_of_reconciling(at_first, gone_longest.versions())
        assert [run["meteredCalls"] for run in runs.values()] == expected, night
        assert 0 <= month.metered() - sum(expected) - committed <= allowed, night
        rotations += emulator.counters()["token_requests"]["ok"]

    month.stop()
    assert rotations > COMPANIES * NIGHTS / 3
    with Warehouse(month) as warehouse:
        for entity in ENTITIES:
            compare(warehouse, entity, companies)


def change_connections(month, night):
    """Let users disconnect the app, and connect it again."""
    for number, (begin, end) in OUTAGES.items():
        if night == begin:
            month.disconnect(month.companies[number])
        elif night == end:
            month.connect(month.companies[number])


def inject_faults(month, night):
    """Inject the faults of a night; return the codes of the companies that cannot be synced."""
    failing = {number: "REAUTHORIZATION_REQUIRED" for number, (begin, end) in OUTAGES.items() if begin <= night < end}
    for number in (number for at, number in THROTTLED if at == night):
        failing[number] = "RATE_LIMITED"
        month.emulator.fault("throttle", path=month.companies[number].realm, times=-1, retry_after=3_600)
    for number in range(night % 7, COMPANIES, 8):  # requests that are refused or lost, and repeated
        kind = ("throttle", "reset", "html")[(night + number) % 3]
        month.emulator.fault(kind, path=month.companies[number].realm, times=2)
    if night in LOST_TOKENS:
        month.emulator.fault("token_response_lost", path="tokens/bearer")
    return failing


def compare(warehouse, entity, companies):
    """Compare the rows of all companies with their books: each record, and each sum to the cent."""
    rows = warehouse.rows(entity)
    sums = {amount: warehouse.sums(entity, amount) for amount in AMOUNTS}
    assert rows.keys() == {company.realm for company in companies}
    for company in companies:
        books = company.books(entity)
        found = rows[company.realm]
        assert found.keys() == books.keys(), (company.id, entity)
        for id_, record in books.items():
            token, *amounts, text = found[id_]
            assert token == record["SyncToken"], (company.id, entity, id_)
            assert amounts == [record.get(amount) for amount in AMOUNTS], (company.id, entity, id_)
            kept = {name: value for name, value in record.items() if name[0].isupper()}
            assert json.loads(text, parse_float=Decimal) == kept, (company.id, entity, id_)
        for amount in AMOUNTS:
            total = sum((record[amount] for record in books.values() if amount in record), Decimal())
            assert (sums[amount][company.realm] or 0) == total, (company.id, entity, amount)
