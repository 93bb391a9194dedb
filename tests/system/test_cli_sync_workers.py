"""`sync --all --workers N`: the companies of a registry in several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from synced_firm import IDS, PROGRAM, Firm

from vantage_quickbooks.cli import main
from vantage_quickbooks.emulator import Emulator

WORKERS = ("--workers", "2", "--concurrency", "1")

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, rotation="always", previous_token_grace_s=86_400) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def firm(fresh_quickbooks, tmp_path, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", str(tmp_path / "registry"))
    return Firm(fresh_quickbooks, tmp_path / "registry", tmp_path / "copies")


def workers_of(process):
    """Return the worker processes of a command, without the helper that `multiprocessing` starts."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_companies_are_synced_and_estimated_in_several_processes(firm, capsys):
    firm.emulator.revoke_grants(firm.realms["birch"])
    status, runs = firm.sync(*WORKERS, capsys=capsys)
    assert status == 1
    assert {id_: run["status"] for id_, run in runs.items()} == dict.fromkeys(IDS, "succeeded") | {"birch": "failed"}
    assert runs["birch"]["error"]["code"] == "REAUTHORIZATION_REQUIRED"
    for id_ in set(IDS) - {"birch"}:
        assert firm.mirror(id_) == firm.books(id_)

    status, runs = firm.sync(*WORKERS, "--dry-run", capsys=capsys)
    assert {run["result"].get("apiCalls") for id_, run in runs.items() if id_ != "birch"} == {1}


def test_the_options_reach_the_processes(firm, capsys):
    """Settings of Intuit's sandbox, which --emulator redirects, and a limit of API calls."""
    for id_, realm in firm.realms.items():
        firm.connect(id_, realm, environment="sandbox", emulator_url=None)
    status, runs = firm.sync(*WORKERS, "--emulator", firm.emulator.url, "--max-api-calls", "2", capsys=capsys)
    assert status == 0
    assert {run["environment"] for run in runs.values()} == {"sandbox"}
    assert {run["apiCalls"] for run in runs.values()} == {2}
    assert all(run["result"]["pending"] for run in runs.values())


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_reports_every_company_and_leaves_no_process(firm, capsys, tmp_path, signal_):
    """Ctrl-C reaches all processes of the terminal, SIGTERM the command only. Two companies run, two were not begun."""
    firm.emulator.fault("hang", path="/v3/company", times=-1, seconds=60)
    report = tmp_path / "report.json"
    args = [*PROGRAM, *firm.args(*WORKERS, "--report", str(report))]
    with subprocess.Popen(
        args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while firm.emulator.counters()["faults_delivered"] < 2:
            assert process.poll() is None
            time.sleep(0.002)
        if signal_ == signal.SIGINT:
            os.killpg(process.pid, signal_)
        else:
            process.send_signal(signal_)
        out, err = process.communicate(timeout=60)  # ends when all processes have closed the pipes
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert out.count("CANCELLED") == 4
    runs = json.loads(report.read_text())["runs"]
    assert [run["connection"] for run in runs] == list(IDS)
    assert Counter((run["status"], run["error"]["code"], run["attempts"]) for run in runs) == {
        ("cancelled", "CANCELLED", 1): 2, ("cancelled", "CANCELLED", 0): 2,
    }  # fmt: skip

    firm.emulator.clear_faults()
    assert firm.sync(capsys=capsys)[0] == 0
    for id_ in IDS:
        assert firm.mirror(id_) == firm.books(id_)


def test_companies_of_killed_processes_are_rows_and_the_others_are_synced(firm, capsys, tmp_path):
    """Both processes are killed, each in a request of its first company. Two others take their places."""
    firm.emulator.fault("hang", path="/v3/company", times=2, seconds=60)
    report = tmp_path / "report.json"
    with subprocess.Popen(
        [*PROGRAM, *firm.args(*WORKERS, "--report", str(report))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while firm.emulator.counters()["faults_delivered"] < 2:
            assert process.poll() is None
            time.sleep(0.002)
        for worker in workers_of(process):
            os.kill(worker, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    runs = json.loads(report.read_text())["runs"]
    assert Counter((run["status"], run["error"] and run["error"]["code"]) for run in runs) == {
        ("failed", "WORKER_PROCESS_ENDED"): 2, ("succeeded", None): 2,
    }  # fmt: skip
    assert out.count("WORKER_PROCESS_ENDED") == 2
    assert err.count("ended by SIGKILL") == 2

    status, runs = firm.sync(*WORKERS, capsys=capsys)
    assert status == 0
    for id_ in IDS:
        assert firm.mirror(id_) == firm.books(id_)


def test_one_worker_is_this_process(firm, capsys, monkeypatch):
    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", lambda _: pytest.fail("a process was started"))
    assert firm.sync("--workers", "1", capsys=capsys)[0] == 0
    assert firm.sync(capsys=capsys)[0] == 0


@pytest.mark.usefixtures("firm")
def test_a_load_has_one_process(capsys, tmp_path):
    assert main(["sync", "--all", "--to", f"duckdb:///{tmp_path}/b.duckdb", "--workers", "2"]) == 2
    assert "loaded by one process at a time" in capsys.readouterr().err
