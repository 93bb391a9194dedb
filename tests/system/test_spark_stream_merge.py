"""Change tables applied to tables by SQL, in DuckDB and PostgreSQL, and as frames of Spark."""

from __future__ import annotations

import random

import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

pytest.importorskip("pyspark")

from vantage_quickbooks.adapters.spark.merge import TABLE_COLUMNS, merge_frames, merge_statements
from vantage_quickbooks.errors import InputError

COLUMNS = (*TABLE_COLUMNS, "_change_type")
CREATE = f"CREATE TABLE {{}} ({', '.join(f'{name} VARCHAR(40)' for name in COLUMNS)})"


def make_changes(chance, version):
    """Return the rows of a batch: each key once, and sometimes all that exists of an entity."""
    rows = []
    for realm_id in ("1", "2"):
        for entity in ("Invoice", "Term"):
            is_complete = chance.random() < 0.4
            if is_complete:
                rows.append(
                    dict.fromkeys(COLUMNS) | {"realm_id": realm_id, "entity": entity, "_change_type": "complete"}
                )
            for id_ in map(str, range(6)):
                kind = chance.choice(["upsert", "delete", None, "exists" if is_complete else None])
                if kind is not None:
                    row = {"realm_id": realm_id, "entity": entity, "id": id_, "_change_type": kind}
                    rows.append(dict.fromkeys(COLUMNS) | row | ({"record": version} if kind == "upsert" else {}))
    return rows


def apply(records, rows):
    """Return the records after a batch, by key."""
    complete = {(row["realm_id"], row["entity"]) for row in rows if row["_change_type"] == "complete"}
    named = {key_of(row) for row in rows}
    after = {key: record for key, record in records.items() if key[:2] not in complete or key in named}
    for row in rows:
        if row["_change_type"] == "delete":
            after.pop(key_of(row), None)
        elif row["_change_type"] == "upsert":
            after[key_of(row)] = row["record"]
    return after


def key_of(row):
    return row["realm_id"], row["entity"], row["id"]


class Duck:
    """DuckDB."""

    def __init__(self):
        self.database = duckdb.connect(config={"threads": 1})

    def run(self, statement):
        return self.database.execute(statement)

    def insert(self, rows):
        kind = pa.schema([(name, pa.string()) for name in COLUMNS])
        self.database.register("inserted", pa.Table.from_pylist(rows, kind))
        self.database.execute("INSERT INTO changes SELECT * FROM inserted")
        self.database.unregister("inserted")


class Postgresql:
    """PostgreSQL."""

    def __init__(self, url):
        self.engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self.database = self.engine.connect()

    def run(self, statement):
        return self.database.exec_driver_sql(statement)

    def insert(self, rows):
        table = sa.table("changes", *map(sa.column, COLUMNS))
        self.database.execute(sa.insert(table), rows)


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.system)])
def database(request):
    if request.param == "duckdb":
        yield Duck()
        return
    opened = Postgresql(request.getfixturevalue("fresh_postgresql_url"))
    yield opened
    opened.database.close()


def test_statements_lead_to_what_exists_also_when_they_are_repeated_or_interrupted(database):
    chance, records = random.Random(1), {}
    database.run(CREATE.format("changes"))
    database.run(CREATE.format("books").replace(", _change_type VARCHAR(40)", ""))
    for version in range(40):
        rows = make_changes(chance, str(version))
        records = apply(records, rows)
        database.run("DELETE FROM changes")
        if rows:
            database.insert(rows)
        delete, merge = merge_statements("books", "changes")
        for statement in chance.choice([(delete, merge), (delete, delete, merge), (delete, merge, delete, merge)]):
            database.run(statement)
        found = database.run("SELECT realm_id, entity, id, record FROM books").fetchall()
        assert len(found) == len(records)
        assert {tuple(row[:3]): row[3] for row in found} == records
    assert len(records) > 5


def test_a_table_with_the_key_alone_and_names_with_quotes(database):
    database.run(CREATE.format('"some changes"'))
    database.run("CREATE TABLE books (realm_id VARCHAR(40), entity VARCHAR(40), id VARCHAR(40))")
    for statement in merge_statements("books", '"some changes"', ("realm_id", "entity", "id")):
        database.run(statement)
    assert database.run("SELECT * FROM books").fetchall() == []


@pytest.mark.parametrize("name", ["", "a b", "x; DROP TABLE y", "a.b.c.d", "1x", "x--"])
def test_what_is_not_a_name_is_refused(name):
    for names in ((name, "changes"), ("books", name), ("books", "changes", (*TABLE_COLUMNS, name))):
        with pytest.raises(InputError, match="not a name in SQL"):
            merge_statements(*names)
    with pytest.raises(InputError, match="lack id"):
        merge_statements("books", "changes", ("realm_id", "entity", "record"))


def test_spark_parses_the_statements(spark):
    parser = spark._jsparkSession.sessionState().sqlParser()
    delete, merge = merge_statements("main.quickbooks.books", "changes")
    assert "DeleteFromTable" in parser.parsePlan(delete).toString()
    assert "MergeIntoTable" in parser.parsePlan(merge).toString()


def test_frames_lead_to_what_exists(spark):
    chance, records = random.Random(2), {}
    kinds = ", ".join(f"{name} STRING" for name in COLUMNS)
    table = spark.createDataFrame([], kinds).drop("_change_type")
    for version in range(3):
        rows = make_changes(chance, str(version))
        records = apply(records, rows)
        changes = spark.createDataFrame([[row[name] for name in COLUMNS] for row in rows], kinds)
        found = merge_frames(table, changes).collect()
        assert found
        assert len(found) == len(records)
        assert {(row.realm_id, row.entity, row.id): row.record for row in found} == records
        table = spark.createDataFrame(found, table.schema)
