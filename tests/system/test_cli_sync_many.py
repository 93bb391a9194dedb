"""`sync` of many companies: one that fails, in whatever way, is a row of the report, and the others go on."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from synced_firm import IDS, PROGRAM, Firm

from vantage_quickbooks.cli import main
from vantage_quickbooks.emulator import Emulator

LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}


@pytest.fixture(scope="module")
def quickbooks():
    """Each refresh replaces the refresh token; the one before lives on, as a killed process may not have stored it."""
    with Emulator(limits=False, rotation="always", previous_token_grace_s=86_400) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def firm(fresh_quickbooks, tmp_path, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", str(tmp_path / "registry"))
    return Firm(fresh_quickbooks, tmp_path / "registry", tmp_path / "copies")


# ---- all is well -----------------------------------------------------------------------------------------------------


def test_every_company_has_its_own_files_and_the_second_sync_costs_one_call_each(firm, capsys):
    status, runs = firm.sync(capsys=capsys)
    assert (status, list(runs)) == (0, list(IDS))
    assert {run["status"] for run in runs.values()} == {"succeeded"}
    assert {run["apiCalls"] for run in runs.values()} == {4}
    assert sorted(path.name for path in firm.output.iterdir()) == sorted(
        f"{id_}.{end}" for id_ in IDS for end in ("ndjson", "state", "state.lock")
    )
    assert firm.state("acme").stat().st_mode & 0o077 == 0
    assert firm.output.stat().st_mode & 0o077 == 0

    made = firm.emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [LINE]}, firm.realms["cedar"])
    status, runs = firm.sync(capsys=capsys)
    assert status == 0
    assert {id_: (run["apiCalls"], run["meteredCalls"]) for id_, run in runs.items()} == dict.fromkeys(IDS, (1, 1))
    assert {id_ for id_, run in runs.items() if run["result"]["upserts"]} == {"cedar"}
    assert made["Id"] in firm.mirror("cedar")["Invoice"]
    for id_ in IDS:
        assert firm.mirror(id_) == firm.books(id_)


def test_first_syncs_can_begin_at_a_time_and_the_next_ones_continue(firm, capsys):
    firm.emulator.advance(7200)
    since = f"{datetime.fromtimestamp(firm.emulator.now(), UTC) - timedelta(hours=1):%FT%TZ}"
    for number in (1, 2):
        made = firm.emulator.create("Customer", {"DisplayName": f"New {number}"}, firm.realms["cedar"])
        status, runs = firm.sync("--since", since, capsys=capsys)
        assert status == 0
        changed = {id_: run["result"]["upserts"] for id_, run in runs.items()}
        assert changed == dict.fromkeys(IDS, 0) | {"cedar": 1}
        assert {run["apiCalls"] for run in runs.values()} == {1}
        assert made["Id"] in firm.mirror("cedar")["Customer"]


def test_a_table_for_people_and_a_file_for_programs(firm, capsys, tmp_path):
    firm.emulator.revoke_grants(firm.realms["birch"])
    report = tmp_path / "report.json"
    assert main(firm.args("--report", str(report), "--concurrency", "2")) == 1
    found = capsys.readouterr()
    rows = [line.split() for line in found.out.splitlines()]
    assert rows[0][:3] == ["CONNECTION", "COMPANY", "STATUS"]
    assert [(row[0], row[2]) for row in rows[1:]] == [
        ("acme", "succeeded"), ("birch", "failed"), ("cedar", "succeeded"), ("dogwood", "succeeded"),
    ]  # fmt: skip
    assert rows[2][-1] == "REAUTHORIZATION_REQUIRED"
    assert "birch:\nREAUTHORIZATION_REQUIRED" in found.err
    assert "4 companies: 3 succeeded, 1 did not." in found.err
    document = json.loads(report.read_text())
    assert (document["ok"], document["companies"], document["succeeded"], document["failed"]) == (False, 4, 3, 1)
    assert document["apiCalls"] == 12
    assert report.stat().st_mode & 0o077 == 0


def test_companies_can_be_named(firm, capsys):
    args = ["sync", "--output", str(firm.output), "--entities", "Term", "--format", "json"]
    assert main([*args, "--connection", "cedar", "--connection", "acme"]) == 0
    assert [run["connection"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["cedar", "acme"]

    assert main([*args, "--connection", "cedar", "--connection", "acmee"]) == 1
    unknown = json.loads(capsys.readouterr().out)["runs"][1]
    assert (unknown["status"], unknown["error"]["code"]) == ("failed", "CONNECTION_NOT_FOUND")
    assert unknown["error"]["fields"][0] | {"message": ""} == {
        "field": "connection", "rule": "unknown", "message": "", "hint": "Did you mean acme?",
    }  # fmt: skip


def test_one_connection_is_synced_to_one_file(firm, capsys, tmp_path):
    state = tmp_path / "acme.state"
    assert main(["sync", "--connection", "acme", "--state", str(state), "--entities", "Term"]) == 0
    assert '"entity":"Term"' in capsys.readouterr().out
    assert json.loads(state.read_text())["realmId"] == firm.realms["acme"]


def test_a_dry_run_sends_nothing_that_it_knows(firm, capsys):
    firm.sync(capsys=capsys)
    firm.emulator.reset_counters()
    status, runs = firm.sync("--dry-run", capsys=capsys)
    assert status == 0
    assert [run["result"]["apiCalls"] for run in runs.values()] == [1, 1, 1, 1]
    assert firm.emulator.counters()["api_requests"]["total"] == 0


# ---- one company fails -----------------------------------------------------------------------------------------------


def _revoked(firm):
    firm.emulator.revoke_grants(firm.realms["birch"])


def _throttled(firm):
    firm.emulator.fault("throttle", path=firm.realms["birch"], times=-1, retry_after=3600)


def _slow(firm):
    firm.emulator.fault("hang", path=firm.realms["birch"], times=-1, seconds=30)


def _damaged(firm):
    (firm.folder / "birch.json").write_text("{")


def _invalid_settings(firm):
    firm.connect("birch", firm.realms["birch"], realm_id="a name")


def _of_another_company(firm):
    firm.state("birch").write_bytes(firm.state("acme").read_bytes())


def _empty_state(firm):
    firm.state("birch").write_text("")


def _state_is_a_directory(firm):
    firm.state("birch").unlink()
    firm.state("birch").mkdir()


def _settings_as_output(firm):
    (firm.output / "birch.ndjson").write_text(json.dumps(firm.emulator.settings()))


def _other_content(firm):
    (firm.output / "birch.ndjson").write_text("a\nb")


@pytest.mark.parametrize(
    ("spoil", "code", "field", "text"),
    [
        (_revoked, "REAUTHORIZATION_REQUIRED", None, "onnect the company again"),
        (_throttled, "RATE_LIMITED", None, ""),
        (_slow, "DEADLINE_EXCEEDED", None, ""),
        (_damaged, "CONNECTION_DAMAGED", "connection", "Restore it from a backup"),
        (_invalid_settings, "SETTINGS_INVALID", "realm_id", ""),
        (_of_another_company, "INPUT_INVALID", "state", "Keep one state for each company"),
        (_empty_state, "INPUT_INVALID", "state", "To read everything again, delete it"),
        (_state_is_a_directory, "OUTPUT_UNWRITABLE", None, "birch.state cannot be"),
        (_settings_as_output, "INPUT_INVALID", "state", "contains settings"),
        (_other_content, "INPUT_INVALID", "state", "does not end with a line of a sync"),
    ],
)
def test_a_company_that_fails_is_a_row_and_loses_nothing(firm, capsys, spoil, code, field, text):
    """The others go on; once the cause is gone, its next sync has everything."""
    assert firm.sync(capsys=capsys)[0] == 0
    kept = {path: path.read_bytes() for path in firm.output.glob("birch.*")}
    registered = (firm.folder / "birch.json").read_bytes()
    for realm in firm.realms.values():
        firm.emulator.update("Customer", {"Id": "1", "Notes": "edited"}, realm)
    firm.emulator.delete("Invoice", "101", firm.realms["birch"])
    firm.emulator.expire_access_tokens()
    spoil(firm)
    spoilt = {path: path.read_bytes() for path in firm.output.glob("birch.*") if path.is_file()}

    timeout = ("--timeout", "6") if spoil is _slow else ()
    status, runs = firm.sync(*timeout, capsys=capsys)
    assert status == 1
    assert {id_: run["status"] for id_, run in runs.items()} == dict.fromkeys(IDS, "succeeded") | {"birch": "failed"}
    error = runs["birch"]["error"]
    assert error["code"] == code
    assert text in error["message"]
    assert [entry["field"] for entry in error["fields"]] == ([field] if field else [])
    assert all(entry["hint"] for entry in error["fields"])
    assert {path: path.read_bytes() for path in firm.output.glob("birch.*") if path.is_file()} == spoilt

    firm.emulator.clear_faults()
    if firm.state("birch").is_dir():
        firm.state("birch").rmdir()
    for path, content in kept.items():
        path.write_bytes(content)
    (firm.folder / "birch.json").write_bytes(registered)
    if spoil is _revoked:
        firm.connect("birch", firm.realms["birch"])
    status, runs = firm.sync(capsys=capsys)
    assert status == 0, [run["error"] for run in runs.values()]
    assert firm.mirror("birch") == firm.books("birch")


def test_an_entity_that_fails_makes_a_company_incomplete(firm, capsys):
    firm.emulator.fault("fault", path=firm.realms["birch"], code="4001", after=2, times=-1)
    status, runs = firm.sync(capsys=capsys)
    assert status == 1
    birch = runs["birch"]
    assert (birch["status"], birch["error"]["code"]) == ("incomplete", "REQUEST_REJECTED")
    assert [entry["entity"] for entry in birch["result"]["notSynced"]] == [birch["error"]["details"]["entity"]]
    assert birch["result"]["entities"] == 1


def test_one_sync_at_a_time_uses_the_files_of_a_company(firm, capsys):
    firm.sync(capsys=capsys)
    with (firm.output / "acme.state.lock").open("w") as lock, (firm.output / "cedar.ndjson").open("ab") as file:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.flock(file, fcntl.LOCK_EX)
        status, runs = firm.sync(capsys=capsys)
    assert status == 1
    codes = {id_: run["error"] and run["error"]["code"] for id_, run in runs.items()}
    assert codes == dict.fromkeys(IDS, None) | {"acme": "STATE_IN_USE", "cedar": "STATE_IN_USE"}


# ---- nothing is sent -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "status", "text"),
    [
        (["--all"], 2, "need --output DIR"),
        (["--all", "--connection", "acme", "--output", "OUT"], 2, "cannot be combined"),
        (["--all", "--settings", "s.json", "--output", "OUT"], 2, "--settings is of one company"),
        (["--all", "--output", "OUT", "--format", "ndjson"], 2, "json or table"),
        (["--all", "--output", "OUT", "--entities", "Custmer"], 1, "entities"),
        (["--all", "--output", "OUT", "--until", "soon"], 1, "until"),
        (["--all", "--output", "OUT", "--since", "soon"], 1, "since"),
        (["--all", "--output", "OUT", "--since", "2026-05-01T00:00:00Z", "--dry-run"], 2, "--since and --dry-run"),
        (["--all", "--to", "duckdb:///OUT", "--since", "2026-05-01T00:00:00Z"], 2, "--to and --since"),
        (["--all", "--output", "FILE/copies"], 2, "--output: the directory"),
        (["--all", "--output", "OUT", "--state", "FILE"], 2, "--state: the directory"),
        (["--all", "--output", "OUT", "--report", "OUT/no/report.json"], 2, "--report:"),
        (["--all", "--output", "OUT", "--report", "REGISTRY/acme.json"], 2, "contains settings"),
        (["--all", "--output", "OUT", "--registry", "FILE"], 1, "REGISTRY_INVALID"),
        (["--all", "--output", "OUT", "--registry", "EMPTY"], 1, "no connections"),
        (["--connection", "acme", "--state", "OUT", "--workers", "2"], 2, "--workers needs --all"),
        (["--connection", "acme", "--state", "OUT", "--concurrency", "2"], 2, "--concurrency needs --all"),
        (["--all", "--to", "duckdb:///OUT", "--workers", "2"], 2, "loaded by one process at a time"),
        (["--connection", "acme"], 2, "--state"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(firm, capsys, tmp_path, args, status, text):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    names = {"OUT": firm.output, "FILE": tmp_path / "file", "EMPTY": tmp_path / "empty", "REGISTRY": firm.folder}
    for name, path in names.items():
        args = [arg.replace(name, str(path)) for arg in args]
    firm.emulator.reset_counters()
    assert main(["sync", *args]) == status
    assert text in capsys.readouterr().err
    assert firm.emulator.counters()["api_requests"]["total"] == 0


# ---- interrupted and killed processes --------------------------------------------------------------------------------


@pytest.mark.system
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_reports_what_was_done_and_loses_nothing(firm, capsys, tmp_path, signal_):
    """A company that hangs is cancelled, one that did not get its turn is named, and states are consistent."""
    firm.emulator.fault("hang", path=firm.realms["birch"], times=-1, seconds=60)
    report = tmp_path / "report.json"
    args = [*PROGRAM, *firm.args("--concurrency", "1", "--report", str(report), "--verbose")]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not firm.emulator.faults() or not firm.emulator.counters()["faults_delivered"]:
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal_)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    runs = {run["connection"]: run for run in json.loads(report.read_text())["runs"]}
    assert {id_: run["status"] for id_, run in runs.items()} == {
        "acme": "succeeded", "birch": "cancelled", "cedar": "cancelled", "dogwood": "cancelled",
    }  # fmt: skip
    assert runs["cedar"]["error"]["code"] == "CANCELLED"

    firm.emulator.clear_faults()
    status, runs = firm.sync(capsys=capsys)
    assert status == 0
    assert runs["acme"]["apiCalls"] == 1
    for id_ in IDS:
        assert firm.mirror(id_) == firm.books(id_)


@pytest.mark.system
def test_a_run_that_is_killed_again_and_again_loses_nothing(firm, capsys):
    """SIGKILL once so many requests were sent, with edits in between."""
    doomed = {realm: sorted(firm.books(id_)["Invoice"]) for id_, realm in firm.realms.items()}
    for number, requests in enumerate([1, 3, 6, 9, 14, 2, 3]):
        firm.emulator.reset_counters()
        with subprocess.Popen(
            [*PROGRAM, *firm.args("--concurrency", "3")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None and firm.emulator.counters()["api_requests"]["total"] < requests:
                time.sleep(0.002)
            process.kill()
        for realm in firm.realms.values():
            firm.emulator.update("Customer", {"Id": "2", "Notes": f"edit {number}"}, realm)
            firm.emulator.delete("Invoice", doomed[realm].pop(), realm)
    with (firm.output / "acme.ndjson").open("ab") as file:
        file.write(b'{"op":"upsert","entity":"Invoice","record":{"Id":"10')  # a line that a killed process has begun
    status, runs = firm.sync(capsys=capsys)
    assert status == 0, [run["error"] for run in runs.values()]
    for id_ in IDS:
        assert firm.mirror(id_) == firm.books(id_)


@pytest.mark.system
def test_two_runs_at_once_share_one_token_store(firm, capsys):
    """Each company is synced by one of them; no refreshed token is lost."""
    args = [*PROGRAM, *firm.args()]
    processes = [subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert {process.wait(60) for process in processes} <= {0, 1}  # 1: a company was in use
    firm.emulator.expire_access_tokens()
    status, runs = firm.sync(capsys=capsys)
    assert status == 0, [run["error"] for run in runs.values()]
    for id_ in IDS:
        assert firm.mirror(id_) == firm.books(id_)


def test_the_default_of_companies_at_once_is_that_of_the_library():
    from vantage_quickbooks.cli import sync_options
    from vantage_quickbooks.connector import many

    assert sync_options.CONCURRENCY == many.WORKERS
    assert Path(many.__file__).exists()
