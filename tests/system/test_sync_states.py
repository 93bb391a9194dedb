"""The tables of sync states and statuses, beside a folder, in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from leak_checks import texts_of
from registries import KEY, company

from vantage_quickbooks.errors import ConnectorError, DamagedStateError, RegistryError
from vantage_quickbooks.registry import open_registry, open_states

STREAM = "a" * 32


@pytest.fixture(params=["folder", "sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def url(request, tmp_path):
    """The URL of a registry."""
    return {
        "folder": lambda: str(tmp_path / "state" / "registry"),
        "sqlite": lambda: f"sqlite:///{tmp_path}/state/registry.sqlite3",
        "postgresql": lambda: request.getfixturevalue("fresh_postgresql_url"),
    }[request.param]()


@pytest.fixture
def table(url):
    with open_states(url) as opened:
        yield opened


def states_of(table, batch, *ids, stream=STREAM):
    return {key: (found.batch, found.states(key)) for key, found in table.load(stream, batch, ids).items()}


def test_the_newest_batch_up_to_the_one_asked_for_is_loaded_with_all_of_its_attempts(url, table):
    table.save(STREAM, 0, "plan", {"acme": [None], "zulu": [None]})
    table.save(STREAM, 1, "first", {"acme": [{"n": 1}]})
    table.save(STREAM, 1, "second", {"acme": [{"n": 2}, '{"n": 3}']})
    table.save(STREAM, 3, "third", {"acme": [{"n": 4}]})
    table.save("another", 1, "first", {"acme": [{"n": 9}]})

    with open_states(url) as other:
        assert states_of(other, 0, "acme", "zulu", "new") == {"acme": (0, [None]), "zulu": (0, [None])}
        at, found = states_of(other, 2, "acme", "zulu")["acme"]
        assert (at, sorted(state["n"] for state in found)) == (1, [1, 2, 3])
        assert states_of(other, 3, "acme") == {"acme": (3, [{"n": 4}])}
        assert other.streams() == {STREAM: 3, "another": 1}


def test_more_companies_than_a_statement_has_variables(table):
    table.save(STREAM, 1, "first", {f"company-{number}": [{"n": number}] for number in range(1201)})
    found = table.load(STREAM, 1, [f"company-{number}" for number in range(1201)])
    assert len(found) == 1201
    assert found["company-1200"].states("company-1200") == [{"n": 1200}]


def test_pruning_keeps_what_a_read_from_that_batch_or_a_later_one_needs(table):
    for batch in range(6):
        table.save(STREAM, batch, "one", {"acme": [{"n": batch}], **({"zulu": [{"n": batch}]} if batch < 2 else {})})
        table.save("another", batch, "one", {"acme": [{"n": batch}]})

    assert table.prune(STREAM, 3) == 4  # acme 0, 1, 2 and zulu 0
    assert states_of(table, 3, "acme", "zulu") == {"acme": (3, [{"n": 3}]), "zulu": (1, [{"n": 1}])}
    assert states_of(table, 5, "acme") == {"acme": (5, [{"n": 5}])}
    assert states_of(table, 2, "acme", "zulu") == {"zulu": (1, [{"n": 1}])}
    assert table.prune(STREAM, 3) == 0
    assert len(states_of(table, 0, "acme", stream="another")) == 1


def test_the_first_planning_of_a_batch_counts(url, table):
    assert table.plan(STREAM, 1, ["acme", "zulu"]) is None
    table.save(STREAM, 1, "one", {"acme": [{"n": 1}]})
    with open_states(url) as other:
        assert other.plan(STREAM, 1, ["birch"]) == ["acme", "zulu"]
        assert other.plan(STREAM, 2, []) is None
        assert other.plan(STREAM, 2, ["birch"]) == []
        assert states_of(other, 2, "acme", "zulu") == {"acme": (1, [{"n": 1}])}
        assert [other.is_planned(STREAM, batch) for batch in (0, 1, 2, 3)] == [False, True, True, False]
        other.prune(STREAM, 2)
        assert [other.is_planned(STREAM, batch) for batch in (1, 2)] == [False, True]


def test_forgetting_a_company_or_a_stream(table):
    table.save(STREAM, 1, "one", {"acme": [None], "zulu": [None]})
    table.save("another", 1, "one", {"acme": [None]})
    assert table.forget(STREAM, "acme") == 1
    assert states_of(table, 1, "acme", "zulu") == {"zulu": (1, [None])}
    assert table.forget(STREAM) == 1
    assert table.streams() == {"another": 1}


def test_the_last_status_of_a_connection_counts(table):
    table.save_statuses("nightly", {"acme": {"status": "failed"}, "zulu": {"status": "succeeded"}})
    table.save_statuses("nightly", {"acme": {"status": "succeeded", "calls": 2}})
    table.save_statuses("weekly", {"acme": {"status": "failed"}})
    assert table.load_statuses("nightly") == {
        "acme": {"status": "succeeded", "calls": 2},
        "zulu": {"status": "succeeded"},
    }
    assert table.forget_statuses("nightly") == 2
    assert (table.load_statuses("nightly"), len(table.load_statuses("weekly"))) == ({}, 1)


def test_reading_creates_nothing(url, table, tmp_path):
    assert table.load(STREAM, 1, ["acme"]) == table.streams() == table.load_statuses("x") == {}
    assert table.prune(STREAM, 1) == table.forget(STREAM) == table.forget_statuses("x") == 0
    assert not table.is_planned(STREAM, 1)
    assert not (tmp_path / "state").exists()
    if url.startswith("postgresql"):
        with table._engine.begin() as database:
            assert sa.inspect(database).get_table_names() == []


@pytest.mark.parametrize("damage", ["{", "[]", '"x"', "\x01"])
def test_a_damaged_row_is_an_error_with_a_hint_and_hides_no_other(table, damage):
    table.save(STREAM, 1, "one", {"acme": [damage], "zulu": [{"n": 1}]})
    found = table.load(STREAM, 1, ["acme", "zulu"])
    assert found["zulu"].states("zulu") == [{"n": 1}]
    with pytest.raises(DamagedStateError) as caught:
        found["acme"].states("acme")
    error = caught.value
    assert (error.code, error.retryable, error.details["connectionId"]) == ("STATE_DAMAGED", False, "acme")
    assert "acme" in error.message
    assert "delete the row" in error.message
    table.forget(STREAM, "acme")
    assert "acme" not in table.load(STREAM, 1, ["acme"])


def test_beside_a_folder_the_file_is_private_and_not_a_connection(tmp_path):
    url = tmp_path / "state" / "registry"
    with open_registry(url) as registry, open_states(url) as table:
        table.save(STREAM, 1, "one", {"acme": [{"n": 1}]})
        registry.add("acme", company(1))
        assert [entry.id for entry in registry.list()] == ["acme"]
    files = [path for path in url.rglob("*") if path.is_file()]
    assert url / ".states.sqlite3" in files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(url.stat().st_mode) == 0o700


def test_beside_a_database_the_tables_are_in_it(tmp_path):
    url = f"sqlite:///{tmp_path}/registry.sqlite3"
    with open_registry(url, encryption_key=KEY) as registry, open_states(url) as table:
        table.save(STREAM, 1, "one", {"acme": [{"n": 1}]})
        registry.add("acme", company(1))
        assert [entry.id for entry in registry.list()] == ["acme"]
        assert states_of(table, 1, "acme") == {"acme": (1, [{"n": 1}])}
    assert [path.name for path in tmp_path.iterdir()] == ["registry.sqlite3"]


def test_a_file_that_is_not_a_database_is_an_error_with_a_hint(tmp_path):
    (tmp_path / ".states.sqlite3").write_bytes(b"not a database" * 100)
    with open_states(tmp_path) as table, pytest.raises(RegistryError) as caught:
        table.save(STREAM, 1, "one", {"acme": [None]})
    assert caught.value.code == "REGISTRY_UNAVAILABLE"
    assert f"The sync states in SQLite file {tmp_path}" in caught.value.message
    assert "Check that it is a SQLite database" in caught.value.message


def test_no_error_shows_the_password_of_the_database():
    with open_states("postgresql+psycopg://user:PLANTED@127.0.0.1:1/db") as table:
        with pytest.raises(ConnectorError) as caught:
            table.streams()
        assert "PLANTED" not in texts_of(caught.value) + repr(table) + table.describe()
        assert caught.value.retryable


def test_without_sqlalchemy_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(RegistryError, match="vantage-quickbooks\\[database\\]"):
        open_states(tmp_path)


WORKER = """
import sys
from vantage_quickbooks.registry import open_states
url, stream, me = sys.argv[1:]
with open_states(url) as table:
    for batch in range(1, 9):
        table.plan(stream, batch, [me])
        table.save(stream, batch, me, {f"company-{n}": [{"by": me, "batch": batch}] for n in range(5)})
        table.save_statuses("run", {"company-0": {"by": me, "batch": batch}, me: {"batch": batch}})
        if batch > 2:
            table.prune(stream, batch - 2)
"""


def test_a_plan_that_another_process_prunes_meanwhile_is_stored_again(table, monkeypatch):
    for batch in (1, 2):
        table.plan(STREAM, batch, ["acme"])
    transaction, is_pruned = table._transaction, []

    def pruned_before_it_is_read(operation, *args):
        if operation == "read" and not is_pruned:
            is_pruned.append(True)
            assert table.prune(STREAM, 2) == 1
        return transaction(operation, *args)

    monkeypatch.setattr(table, "_transaction", pruned_before_it_is_read)
    assert table.plan(STREAM, 1, ["zulu"]) is None
    assert is_pruned
    assert table.plan(STREAM, 1, []) == ["zulu"]


def test_processes_at_the_same_time_lose_nothing(url, table):
    """Several processes create the tables, save, prune and replace at once."""
    names = [f"worker-{number}" for number in range(4)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, STREAM, name],
            env=dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2])),
            stderr=subprocess.PIPE,
        )
        for name in names
    ]
    ended = [(worker.communicate(timeout=60)[1], worker.returncode) for worker in workers]
    assert ended == [(b"", 0)] * len(workers)
    for number in range(5):
        at, found = states_of(table, 8, f"company-{number}")[f"company-{number}"]
        assert (at, sorted(state["by"] for state in found)) == (8, names)
    assert table.plan(STREAM, 8, []) in [[name] for name in names]
    statuses = table.load_statuses("run")
    assert statuses["company-0"]["batch"] == 8
    assert {name: statuses[name]["batch"] for name in names} == dict.fromkeys(names, 8)
    assert json.dumps(statuses)
