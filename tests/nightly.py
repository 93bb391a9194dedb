"""A nightly sync of all companies of a registry into DuckDB, as a program: tests start it, and kill it.

    python nightly.py REGISTRY DATABASE WORKERS ENTITIES

Each line of its input is `{"night": number, "offset": seconds}`: the emulators' clock is that much ahead of this
machine's. Each line of its output is the report of a night. Tokens are where the environment says.

Tables: one for each entity, with realm, Id, SyncToken, amounts and the record as JSON; `state` with the state of each
company; `syncs` with a row for each sync that was committed. The changes of a company are committed together with its
state: those of each read, and those of one CDC answer.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.connector.many import sync_companies
from vantage_quickbooks.registry import open_registry

AMOUNTS = ("TotalAmt", "Balance", "UnitPrice")
MONEY = pa.decimal128(19, 4)
SCHEMA = pa.schema(
    [("realm", pa.string()), ("id", pa.string()), ("sync_token", pa.string())]
    + [(name, MONEY) for name in AMOUNTS]
    + [("record", pa.string())]
)


class Warehouse:
    """One DuckDB file; companies take turns in it."""

    def __init__(self, path, entities):
        self.lock = threading.Lock()
        self.database = duckdb.connect(path, config={"threads": 1})
        columns = "realm VARCHAR, id VARCHAR, sync_token VARCHAR"
        money = ", ".join(f"{name} DECIMAL(19, 4)" for name in AMOUNTS)
        for entity in entities:
            self.database.execute(f"CREATE TABLE IF NOT EXISTS {entity} ({columns}, {money}, record VARCHAR)")
        self.database.execute("CREATE TABLE IF NOT EXISTS state (connection VARCHAR PRIMARY KEY, state VARCHAR)")
        self.database.execute("CREATE TABLE IF NOT EXISTS syncs (connection VARCHAR, night INTEGER, metered INTEGER)")

    @contextlib.contextmanager
    def target(self, run, night):
        """Open the tables of a company."""
        with self.lock:
            row = self.database.execute("SELECT state FROM state WHERE connection = ?", [run.id]).fetchone()
        target = Target(self, run, night, row and row[0])
        yield target
        target.commit()


class Target:
    """The tables of one company."""

    def __init__(self, warehouse, run, night, state):
        self.warehouse, self.run, self.night, self.state = warehouse, run, night, state
        self.sets = []

    def apply(self, changes):
        self.sets.append(changes)
        if changes.metadata["source"] != "cdc":
            self.commit()

    def commit(self):
        """Write what was read, the state, and how many calls it took so far, in one transaction."""
        if not self.sets:
            return
        with self.warehouse.lock:
            database = self.warehouse.database
            database.begin()
            for changes in self.sets:
                write(database, self.run.realm_id, changes)
            last = self.sets[-1]
            database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", [self.run.id, json.dumps(last.state)])
            if last.metadata["pending"] == []:
                metered = last.metadata["meteredCalls"]
                database.execute("INSERT INTO syncs VALUES (?, ?, ?)", [self.run.id, self.night, metered])
            database.commit()
        self.sets = []


def write(database, realm, changes):
    """Apply a set by key: delete what it replaces, insert what it has."""
    entity = changes.entity
    if changes.mode == "snapshot" and changes.is_first:
        database.execute(f"DELETE FROM {entity} WHERE realm = ?", [realm])  # noqa: S608 -- our names
    if changes.existing_ids is not None:
        database.execute(
            f"DELETE FROM {entity} WHERE realm = ? AND NOT list_contains(?, id)",  # noqa: S608 -- our names
            [realm, changes.existing_ids],
        )
    gone = [record["Id"] for record in changes.upserts] + [deletion["Id"] for deletion in changes.deletions]
    if gone:
        database.execute(
            f"DELETE FROM {entity} WHERE realm = ? AND list_contains(?, id)",  # noqa: S608 -- our names
            [realm, gone],
        )
    if changes.upserts:
        rows = pa.Table.from_pylist([row_of(realm, record) for record in changes.upserts], SCHEMA)
        database.register("rows", rows)
        database.execute(f"INSERT INTO {entity} SELECT * FROM rows")  # noqa: S608 -- our names
        database.unregister("rows")


def row_of(realm, record):
    """Return a record as a row; the record without the connector's own fields, which depend on the date."""
    own = {name: value for name, value in record.items() if name[0].isupper()}
    amounts = {name: Decimal(str(own[name])) if name in own else None for name in AMOUNTS}
    return {
        "realm": realm,
        "id": own["Id"],
        "sync_token": own["SyncToken"],
        "record": json.dumps(own, sort_keys=True),
        **amounts,
    }


def main(registry, path, workers, entities):
    """Sync once for each line of the input."""
    entities = entities.split(",")
    warehouse, clock = Warehouse(path, entities), {"offset": 0.0}

    def new_call(**known):
        def now():
            return datetime.now(UTC) + timedelta(seconds=clock["offset"])

        return CallContext(**known, sleep=lambda _: None, now=now)

    limiter = RateLimiter(100, 10**9, 10**9)
    for line in sys.stdin:
        command = json.loads(line)
        clock["offset"] = command["offset"]
        with open_registry(registry) as companies:
            report = sync_companies(
                companies,
                lambda run, night=command["night"]: warehouse.target(run, night),
                entities=entities,
                workers=int(workers),
                new_call=new_call,
                rate_limiter=limiter,
            )
        print(json.dumps(report.to_dict()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
