"""Streams of companies in a real Spark: changes, failures, interruptions, and what they cost."""

from __future__ import annotations

import json
import random

import duckdb
import pytest
from emulated_companies import Company, books

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import open_registry, open_states

ENTITIES = ("Customer", "Invoice", "Payment", "Vendor", "Bill", "Item", "TimeActivity")
IDS = ("c001", "c002", "c003")


class InterruptedBatchError(Exception):
    """What a test raises in a sink."""


@pytest.fixture
def quickbooks():
    with Emulator(customers=2, invoices=4, limits=False) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def companies(quickbooks):
    return [Company(quickbooks, number) for number in (1, 2, 3)]


@pytest.fixture
def registry(quickbooks, companies, tmp_path):
    with open_registry(tmp_path / "registry") as made:
        for company in companies:
            form = quickbooks.settings() | {"realm_id": company.realm, "refresh_token": company.token}
            made.add(company.id, form)
        yield made


class Sink:
    """A table in DuckDB, merged by key; batches can be interrupted before and after it."""

    def __init__(self):
        self.database = duckdb.connect(config={"threads": 1})
        columns = "sync_token VARCHAR, updated TIMESTAMPTZ, record VARCHAR, _commit_time TIMESTAMPTZ"
        self.database.execute(f"CREATE TABLE books (realm_id VARCHAR, entity VARCHAR, id VARCHAR, {columns})")
        self.batches, self.rows, self.on_point, self.arguments = [], [], self.ignore, {}

    def ignore(self, point):
        """Do nothing at a point of a batch: `read` or `merged`."""

    def __call__(self, frame, batch):
        from vantage_quickbooks.adapters.spark.merge import merge_statements

        changes = frame.toArrow()
        self.on_point("read")
        self.database.register("changes", changes)
        for statement in merge_statements("books", "changes", **self.arguments):
            self.database.execute(statement)
        self.batches.append(batch)
        self.rows = changes.to_pylist()
        self.on_point("merged")

    def assert_equal(self, quickbooks, companies):
        rows = self.database.execute("SELECT realm_id, entity, id, record FROM books").fetchall()
        assert len(rows) == len({row[:3] for row in rows})
        copies = {}
        for realm_id, entity, id_, record in rows:
            copies.setdefault((realm_id, entity), {})[id_] = json.loads(record)["SyncToken"]
        for company in companies:
            for entity in ENTITIES:
                there = {id_: record["SyncToken"] for id_, record in books(quickbooks, company.realm, entity).items()}
                assert copies.pop((company.realm, entity), {}) == there, (company.id, entity)
        assert copies == {}


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def run(spark, sink, registry, tmp_path):
    """Return a function that runs the stream until it has nothing more to do."""
    from vantage_quickbooks.adapters.spark import register

    register(spark)
    where = registry.describe().removeprefix("folder ")

    def start(trigger=None, **options):
        options = {"registry": where, "entity": ",".join(ENTITIES), "bundle_size": "2"} | options
        reader = spark.readStream.format("quickbooks").options(**options)
        writer = reader.load().writeStream.foreachBatch(sink).trigger(**(trigger or {"availableNow": True}))
        writer.option("checkpointLocation", str(tmp_path / "checkpoint")).start().awaitTermination()

    return start


@pytest.fixture
def run_on(run, sink):
    """Return a function that runs the stream, one batch after the other, until a function returns True."""

    def start(is_done, **options):
        def on_point(point):
            if point == "merged" and is_done():
                raise InterruptedBatchError

        sink.on_point = on_point
        with pytest.raises(Exception, match="InterruptedBatchError"):
            run({"processingTime": "0 seconds"}, **options)
        sink.on_point = sink.ignore

    return start


def data_calls(quickbooks):
    return [request for request in quickbooks.requests() if request["path"].startswith("/v3/company/")]


def kinds(sink, realm=None):
    return {row["_change_type"] for row in sink.rows if realm in (None, row["realm_id"])}


def edit(quickbooks, companies, chance):
    """Edit companies, and delete a time activity: change data capture does not report that."""
    for _ in range(12):
        chance.choice(companies).edit(chance)
    company = chance.choice(companies)
    times = sorted(books(quickbooks, company.realm, "TimeActivity"))
    quickbooks.delete("TimeActivity", chance.choice(times), company.realm)


def test_a_run_is_one_sync_of_each_company_and_costs_what_changed(run, sink, quickbooks, companies):
    run()
    assert (sink.batches, kinds(sink)) == ([0], {"upsert", "complete"})
    assert len({row["_commit_time"] for row in sink.rows}) == 1
    sink.assert_equal(quickbooks, companies)

    quickbooks.reset_counters()
    run()
    assert (sink.batches, kinds(sink)) == ([0, 1], {"exists", "complete"})
    # One request of change data capture, and one page of the entity that it does not cover.
    assert len(data_calls(quickbooks)) == 2 * len(companies)


def test_a_query_makes_one_batch_after_the_other_and_keeps_few_states(run_on, sink, quickbooks, companies, tmp_path):
    chance, found = random.Random(2), []

    def is_done():
        found.append(kinds(sink))
        if len(found) < 4:
            edit(quickbooks, companies, chance)
        return len(found) == 6

    run_on(is_done)
    assert sink.batches == [0, 1, 2, 3, 4, 5]
    assert {"upsert", "delete", "exists", "complete"} in found
    sink.assert_equal(quickbooks, companies)
    with open_states(tmp_path / "registry") as table, table._engine.begin() as database:
        rows = database.exec_driver_sql("SELECT DISTINCT batch FROM vantage_quickbooks_sync_state").fetchall()
    # Spark has committed the batch that ended at offset 5, and had read the next one.
    assert sorted(batch for (batch,) in rows) == [4, 5, 6]


def test_a_query_that_fails_before_and_after_the_sink_loses_nothing(run, sink, quickbooks, companies):
    """The states of a batch that was read, and of one that even was merged, were stored when it is repeated."""
    chance = random.Random(3)
    for where, batches in (("read", 0), ("merged", 2)):

        def on_point(point, where=where, batches=batches):
            edit(quickbooks, companies, chance)
            if point == where and len(sink.batches) >= batches:
                raise InterruptedBatchError

        sink.on_point = on_point
        with pytest.raises(Exception, match="InterruptedBatchError"):
            run()
    assert sink.batches == [0, 1]
    sink.on_point = sink.ignore
    run()  # repeats the batch, and makes one more
    assert sink.batches == [0, 1, 1, 2]
    sink.assert_equal(quickbooks, companies)


def test_a_company_that_fails_is_reported_and_continues_where_it_was(
    run_on, sink, quickbooks, companies, registry, spark, tmp_path
):
    found, rows = [], []

    def is_done():
        found.append(list(sink.rows))
        if len(found) == 1:
            edit(quickbooks, companies, random.Random(3))
            quickbooks.revoke_grants(companies[1].realm)
        elif len(found) == 2:
            status = spark.read.format("quickbooks_status").option("registry", str(tmp_path / "registry"))
            rows.extend(status.option("run", "nightly").load().collect())
            token = quickbooks.grant(companies[1].realm)
            form = quickbooks.settings() | {"realm_id": companies[1].realm, "refresh_token": token}
            registry.add("c002", form, replace=True)
        return len(found) == 3

    run_on(is_done, on_error="report", run="nightly")
    assert {row["realm_id"] for row in found[1]} == {companies[0].realm, companies[2].realm}
    statuses = {row.connection: (row.status, row.code, row.retryable) for row in rows}
    assert statuses == {
        "c001": ("succeeded", None, None),
        "c002": ("failed", "REAUTHORIZATION_REQUIRED", False),
        "c003": ("succeeded", None, None),
    }
    assert "upsert" in kinds(sink, companies[1].realm)
    assert len([row for row in sink.rows if row["_change_type"] == "upsert"]) < 30  # what has changed, not everything
    sink.assert_equal(quickbooks, companies)


def test_a_company_that_fails_ends_the_query_unless_it_is_to_be_reported(run, quickbooks, companies):
    quickbooks.revoke_grants(companies[1].realm)
    with pytest.raises(Exception, match=r"Connection c002 .*failed") as caught:
        run()
    assert companies[1].token not in str(caught.value)


def test_a_refused_client_ends_the_query_in_any_case(run, quickbooks, companies, registry):
    wrong = quickbooks.settings() | {"client_secret": "PLANTED-wrong"}
    for company in companies:
        registry.add(company.id, wrong | {"realm_id": company.realm, "refresh_token": company.token}, replace=True)
    with pytest.raises(Exception, match="failed") as caught:
        run(on_error="report", run="nightly")
    assert "PLANTED" not in str(caught.value)


def test_what_does_not_fit_the_limit_of_calls_comes_with_the_next_batches(run_on, sink, quickbooks, companies):
    def is_done():
        return {row["entity"] for row in sink.rows} == {"TimeActivity"} and len(sink.batches) > 1

    run_on(is_done, max_api_calls="6")
    assert 2 < len(sink.batches) < 30
    sink.assert_equal(quickbooks, companies)


def test_one_entity_comes_with_its_own_columns(run_on, sink, quickbooks, companies, registry):
    from vantage_quickbooks.adapters.spark.merge import ENTITY_KEY

    registry.add("c001", registry.load("c001"), "Acme Ltd", replace=True)
    columns = (*ENTITY_KEY, "company", "Hours", "SyncToken", "_commit_time")
    sink.database.execute("DROP TABLE books")
    kinds_ = "Hours INTEGER, SyncToken VARCHAR, _commit_time TIMESTAMPTZ"
    sink.database.execute(f"CREATE TABLE books (realm_id VARCHAR, Id VARCHAR, company VARCHAR, {kinds_})")
    sink.arguments = {"columns": columns, "key": ENTITY_KEY}
    found = []

    def is_done():
        found.append(kinds(sink))
        if len(found) == 1:
            for company in companies[:2]:
                first, second, *_ = books(quickbooks, company.realm, "TimeActivity")
                quickbooks.delete("TimeActivity", first, company.realm)
                quickbooks.update("TimeActivity", {"Id": second, "Hours": 7}, company.realm)
        return len(found) == 2

    run_on(is_done, entity="TimeActivity", changes="columns")
    assert found == [{"upsert", "complete"}, {"upsert", "exists", "complete"}]
    rows = sink.database.execute("SELECT realm_id, Id, company, Hours, SyncToken FROM books").fetchall()
    names = {company.realm: "Acme Ltd" if company.id == "c001" else company.id for company in companies}
    assert sorted(rows) == sorted(
        (company.realm, id_, names[company.realm], record.get("Hours"), record["SyncToken"])
        for company in companies
        for id_, record in books(quickbooks, company.realm, "TimeActivity").items()
    )


def test_a_company_that_was_left_out_continues_where_it_was(run, sink, quickbooks, companies):
    run(connections="c001,c002")
    assert {row["realm_id"] for row in sink.rows} == {companies[0].realm, companies[1].realm}
    edit(quickbooks, companies, random.Random(4))
    run(connections="c002,c003")
    assert "complete" in kinds(sink, companies[2].realm)
    run()
    assert len([row for row in sink.rows if row["_change_type"] == "upsert"]) < 30
    sink.assert_equal(quickbooks, companies)
