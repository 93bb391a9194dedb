"""The commands sync and cost, as real processes: killed at any instant, they lose nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vantage_quickbooks.cli import main
from vantage_quickbooks.emulator import Emulator

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
HOUR = timedelta(hours=1)
ENTITIES = ("Customer", "Invoice", "Term", "TimeActivity", "TaxCode", "Item")


@pytest.fixture(scope="module")
def company():
    with Emulator(limits=False, invoices=60, customers=5) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def settings(tmp_path, company, monkeypatch):
    company.reset()
    company.limit(False)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(tmp_path / "tokens.sqlite3"))
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(company.settings()))
    return str(path)


@pytest.fixture
def sync(settings, tmp_path):
    """Return the arguments of a sync of the test's company."""
    state = str(tmp_path / "acme.state")
    return lambda *more: ["sync", "--state", state, "--settings", settings, *more]


class Mirror(dict):
    """A copy by entity and Id that follows the lines of a sync."""

    def apply(self, lines):
        for line in lines:
            change = json.loads(line)
            records = self.setdefault(change["entity"], {})
            match change["op"]:
                case "reset":
                    records.clear()
                case "upsert":
                    records[change["record"]["Id"]] = change["record"]
                case "delete":
                    records.pop(change["id"], None)
                case "keep":
                    for id_ in set(records).difference(change["ids"]):
                        del records[id_]
                case other:
                    pytest.fail(f"unexpected {other}")

    def versions(self):
        return {
            entity: {id_: (record["SyncToken"], record.get("Balance")) for id_, record in records.items()}
            for entity, records in self.items()
        }


def books(settings):
    """Read what the company holds, with full reads."""
    from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES
    from vantage_quickbooks.connector.connector import QUICKBOOKS

    found = {}
    with QUICKBOOKS.connect(json.loads(Path(settings).read_text())) as connection:
        for entity in ENTITIES:
            resource = SYNC_ENTITIES[entity]
            data = {"all": True} | ({"active": "all"} if resource.has_active else {})
            rows = connection.invoke(resource.list_id, data)[resource.rows_key]
            found[entity] = {row["Id"]: (row["SyncToken"], row.get("Balance")) for row in rows}
    return found


@pytest.mark.system
def test_a_sync_that_is_killed_again_and_again_loses_nothing(company, settings, sync):
    """SIGKILL after any line of its output, with edits in between; what comes twice changes nothing."""
    mirror = Mirror()
    invoices = []
    for number, lines_until_kill in enumerate([0, 1, 30, 75, 100, 3, 0, None]):
        process = subprocess.Popen(
            [*PROGRAM, *sync("--entities", ",".join(ENTITIES))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        lines = []
        for line in process.stdout:
            if lines_until_kill is not None and len(lines) >= lines_until_kill:
                process.send_signal(signal.SIGKILL)
            lines.append(line)
        process.stdout.close()
        process.wait(60)
        mirror.apply(line for line in lines if line.endswith(b"\n"))  # a killed process may have begun a line
        if lines_until_kill is None:
            assert process.returncode == 0
            break
        made = company.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [LINE]})
        invoices.append(made["Id"])
        company.create("TimeActivity", {"NameOf": "Employee", "EmployeeRef": {"value": "1"}, "Hours": 1, "Minutes": 0})
        company.update("Customer", {"Id": "2", "Notes": f"edit {number}"})
        if number % 2:
            company.delete("Invoice", invoices.pop(0))
    assert mirror.versions() == books(settings)


def test_the_state_is_kept_and_the_second_sync_costs_one_call(sync, capsys, tmp_path):
    """One line each change; the report stands on standard error."""
    assert main(sync("--entities", "Customer,Invoice")) == 0
    first = capsys.readouterr()
    ops = [json.loads(line)["op"] for line in first.out.splitlines()]
    assert ops.count("reset") == 2
    assert set(ops) == {"reset", "upsert"}
    assert "2 entities. API calls: 4." in first.err
    state = json.loads((tmp_path / "acme.state").read_text())
    assert state["version"] == 1
    assert (tmp_path / "acme.state").stat().st_mode & 0o077 == 0

    assert main(sync("--entities", "Customer,Invoice")) == 0
    second = capsys.readouterr()
    assert second.out == ""
    assert second.err == "0 records created or changed, 0 deletions reported, 2 entities. API calls: 1.\n"


def test_a_first_sync_can_begin_at_a_time_and_the_next_one_continues(company, sync, capsys):
    company.advance(2 * HOUR.total_seconds())
    more = ("--entities", "Customer,Invoice", "--since", f"{datetime.fromtimestamp(company.now(), UTC) - HOUR:%FT%TZ}")
    for number in (1, 2):
        made = company.create("Customer", {"DisplayName": f"New {number}"})
        assert main(sync(*more)) == 0
        [change] = map(json.loads, capsys.readouterr().out.splitlines())
        assert (change["op"], change["record"]["Id"]) == ("upsert", made["Id"])


def test_deletions_and_changes_are_appended_to_a_file(company, sync, capsys, tmp_path):
    """With --output."""
    output = tmp_path / "changes.ndjson"
    more = ("--entities", "Customer,Invoice", "--output", str(output))
    assert main(sync(*more)) == 0
    before = output.read_bytes()
    company.delete("Invoice", "101")
    made = company.create("Customer", {"DisplayName": "Zoë"})
    assert main(sync(*more)) == 0
    after = output.read_bytes()
    assert after.startswith(before)
    changes = [json.loads(line) for line in after[len(before) :].splitlines()]
    assert {change["id"] for change in changes if change["op"] == "delete"} == {"101"}
    assert made["Id"] in {change["record"]["Id"] for change in changes if change["op"] == "upsert"}
    assert capsys.readouterr().out == ""


def test_json_is_one_document(sync, capsys, tmp_path):
    """All change sets, and the state that the file also holds."""
    assert main(sync("--entities", "Term", "--format", "json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert [found["entity"] for found in document["changeSets"]] == ["Term"]
    assert document["state"] == json.loads((tmp_path / "acme.state").read_text())


def test_a_limit_of_calls_leaves_entities_to_the_next_sync(sync, capsys):
    """And says which."""
    more = ("--entities", "Customer,Invoice,Term", "--max-api-calls", "4")
    assert main(sync(*more)) == 0
    assert "Left to the next sync: Term." in capsys.readouterr().err
    assert main(sync(*more)) == 0
    assert "Left to" not in capsys.readouterr().err


def test_a_dry_run_estimates_and_changes_nothing(sync, capsys, tmp_path):
    """It counts what no state knows the size of."""
    assert main(sync("--entities", "Customer,Term", "--dry-run")) == 0
    assert capsys.readouterr().out.endswith("About 4 API calls. This estimate used 2.\n")
    assert not (tmp_path / "acme.state").exists()
    assert main(sync("--entities", "Customer,Term")) == 0
    capsys.readouterr()
    assert main(sync("--entities", "Customer,Term", "--dry-run", "--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["apiCalls"], found["apiCallsSpent"]) == (1, 0)


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ("", 2, "is empty. To read everything again, delete it."),
        ("{", 1, "not a state of a sync"),
        ('{"version": 1, "realmId": "1", "environment": "production", "data": "x"}', 1, "belongs to company 1"),
        ('{"version": 9, "realmId": "1", "environment": "production", "data": "x"}', 1, "reads versions up to 1"),
    ],
)
def test_a_state_file_that_cannot_be_used_is_left_alone(sync, capsys, tmp_path, content, status, message):
    """Nothing is sent and nothing replaced."""
    (tmp_path / "acme.state").write_text(content)
    assert main(sync()) == status
    assert message in capsys.readouterr().err
    assert (tmp_path / "acme.state").read_text() == content


def test_one_sync_at_a_time_uses_a_state_file(sync, capsys, tmp_path):
    """The other one says so at once."""
    import fcntl

    with (tmp_path / "acme.state.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(sync("--entities", "Term")) == 2
    assert "Another sync uses" in capsys.readouterr().err
    assert main(sync("--entities", "Term")) == 0


def test_an_entity_that_fails_is_reported_and_the_others_are_synced(company, sync, capsys):
    """Exit status 1."""
    assert main(sync("--entities", "Customer,Term")) == 0
    company.fault("fault", path="/query", code="4001", times=1)
    assert main(sync("--entities", "Customer,Term,Item")) == 1
    found = capsys.readouterr()
    assert '{"op":"error","entity":"Item"' in found.out
    assert "Not synced: Item." in found.err
    company.clear_faults()
    assert main(sync("--entities", "Customer,Term,Item")) == 0


def test_json_cannot_be_appended(sync, capsys, tmp_path):
    """A usage error."""
    assert main(sync("--format", "json", "--output", str(tmp_path / "f"))) == 2
    assert "needs --format ndjson" in capsys.readouterr().err


def test_cost_prints_calls_dollars_and_the_day_on_which_the_free_tier_ends(capsys):
    """As a table, and as JSON for a program."""
    assert main(["cost", "--companies", "1000", "--every", "1h", "--plan", "silver"]) == 0
    text = capsys.readouterr().out
    assert "720,000" in text
    assert "300.00" in text
    assert "the free tier would be blocked on day 21" in text
    assert "third parties" in text

    assert main(["cost", "--companies", "1000", "--every", "1h", "--uncaptured", "5", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["schedule"]: row["callsPerMonth"] for row in found["schedules"]}["cdc"] == 6 * 720_000
    assert found["prices"]["date"] == "2026-11-25"


@pytest.mark.parametrize("args", [[], ["--companies", "5"], ["--companies", "5", "--every", "soon"]])
def test_cost_says_what_it_needs(args, capsys):
    """A usage error."""
    assert main(["cost", *args]) == 2
    assert "--every" in capsys.readouterr().err
