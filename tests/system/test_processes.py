"""Many companies in several processes: one report, one token request each, and no process that is killed is silent."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import process_tasks as tasks
import pytest

from vantage_quickbooks import open_registry, run_companies, run_in_processes
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.core.secret import Secret
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError, RegistryError, TokenStoreError, WorkerProcessError

IDS = ("acme", "birch", "cedar", "dogwood", "elm")

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def quickbooks():
    """Each refresh replaces the refresh token, and the one before is refused at once."""
    with Emulator(limits=False, rotation="always", previous_token_grace_s=0) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def connect(fresh_quickbooks, tmp_path):
    """Return a function that adds companies to the registry, and returns what opens it."""

    def add(ids):
        path = tmp_path / "registry"
        with open_registry(path) as registry:
            for number, id_ in enumerate(ids, 9_100_000_000_000_001):
                token = fresh_quickbooks.grant(str(number))
                registry.add(id_, fresh_quickbooks.settings() | {"realm_id": str(number), "refresh_token": token})
        return functools.partial(open_registry, path)

    return add


@pytest.fixture
def registered(connect):
    return connect(IDS)


@pytest.fixture(autouse=True)
def _no_process_is_left():
    yield
    assert multiprocessing.active_children() == []
    assert not [thread for thread in threading.enumerate() if thread.name == "worker-process"]


# ---- the report ------------------------------------------------------------------------------------------------------


def test_50_companies_with_expired_tokens_in_8_processes_cause_50_token_requests(quickbooks, connect):
    """Strict rotation: a second request for a company would use a token that is refused."""
    registered = connect([f"c{number:02}" for number in range(50)])
    with registered() as registry:
        assert run_companies(registry, tasks.read_name).ok
    quickbooks.expire_access_tokens()
    quickbooks.reset_counters()
    report = run_in_processes(registered, tasks.read_name, processes=8)
    assert [run.error for run in report.runs if run.error] == []
    assert quickbooks.counters()["token_requests"] == {"total": 50, "ok": 50, "failed": 0}
    assert quickbooks.counters()["api_requests"]["total"] == report.to_dict()["apiCalls"]


def test_the_report_is_that_of_one_process(quickbooks, registered, tmp_path):
    """A revoked grant, a damaged entry and an unknown id are rows; the order is that of the ids."""
    quickbooks.revoke_grants("9100000000000002")
    (tmp_path / "registry" / "cedar.json").write_text("{")
    ids = ["elm", "unknown", "cedar", "birch", "acme"]
    with registered() as registry:
        expected = run_companies(registry, tasks.read_name, ids).to_dict()
    ended = []
    found = run_in_processes(registered, tasks.read_name, ids, processes=2, on_done=ended.append).to_dict()
    assert [run["connection"] for run in found["runs"]] == ids
    assert sorted(run.id for run in ended) == sorted(ids)
    for report in (expected, found):
        report.pop("startedAt"), report.pop("seconds")
        for run in report["runs"]:
            run.pop("seconds")
            run["result"].pop("process", None)
            run["error"] = run["error"] and run["error"]["code"]
    assert json.loads(json.dumps(found)) == expected
    assert Counter(run["status"] for run in found["runs"]) == {"succeeded": 2, "failed": 3}


def test_processes_work_at_the_same_time(registered, tmp_path):
    (tmp_path / "met").mkdir()
    report = run_in_processes(registered, tasks.Meet(tmp_path / "met", 2), processes=2, workers=1)
    assert report.ok
    assert len({run.result["process"] for run in report.runs} - {os.getpid()}) == 2


def test_a_failure_that_may_be_over_is_tried_again(registered, tmp_path):
    report = run_in_processes(registered, tasks.FailOnce("cedar", tmp_path / "failed"), processes=1)
    assert report.ok
    assert [run.attempts for run in report.runs] == [1, 1, 2, 1, 1]


def test_an_empty_registry_starts_no_process(connect, tmp_path):
    report = run_in_processes(connect([]), tasks.read_name, processes=4, on_start=tasks.Note(tmp_path))
    assert report.runs == ()
    assert list(tmp_path.glob("started-*")) == []


def test_each_process_is_prepared_and_bundles_limit_their_number(connect, tmp_path):
    run_in_processes(connect(IDS[:1]), tasks.read_name, processes=8, on_start=tasks.Note(tmp_path))
    assert len(list(tmp_path.glob("started-*"))) == 1


# ---- processes that end ----------------------------------------------------------------------------------------------


def test_a_process_that_is_killed_fails_its_company_and_no_other(registered):
    ended = []
    report = run_in_processes(registered, tasks.DieAt("birch"), processes=2, workers=1, on_done=ended.append)
    assert {run.id: run.status for run in report.runs} == dict.fromkeys(IDS, "succeeded") | {"birch": "failed"}
    assert sorted(run.id for run in ended) == list(IDS)
    error = report.runs[1].error
    assert (error["code"], error["retryable"]) == ("WORKER_PROCESS_ENDED", True)
    assert error["details"] == {"signal": "SIGKILL"}
    assert "ended by SIGKILL" in error["message"]
    assert "fewer processes" in error["message"]


def test_another_process_takes_the_place_of_the_only_one(registered):
    report = run_in_processes(registered, tasks.DieAt("acme", "exit"), processes=1, workers=1)
    assert {run.id: run.status for run in report.runs} == dict.fromkeys(IDS, "succeeded") | {"acme": "failed"}
    assert report.runs[0].error["details"] == {"exitStatus": 3}
    assert "ended with status 3" in report.runs[0].error["message"]


def test_a_process_that_is_asked_to_end_cancels_its_company_and_no_other(registered, tmp_path):
    report = run_in_processes(registered, tasks.AskToEnd(tmp_path / "asked"), processes=1, workers=1)
    assert Counter(run.status for run in report.runs) == {"succeeded": 4, "cancelled": 1}


@pytest.mark.usefixtures("registered")
def test_processes_that_cannot_start_are_an_error(tmp_path):
    opens = functools.partial(tasks.die_in_a_worker, tmp_path / "registry", os.getpid())
    with pytest.raises(WorkerProcessError, match="status 7"):
        run_in_processes(opens, tasks.read_name, processes=2)


@pytest.mark.usefixtures("registered")
def test_an_error_of_the_registry_in_a_process_is_raised(tmp_path):
    opens = functools.partial(tasks.refuse_in_a_worker, tmp_path / "registry", os.getpid())
    with pytest.raises(RegistryError, match="cannot parse the URL"):
        run_in_processes(opens, tasks.read_name, processes=1)


def test_an_observer_that_fails_stops_the_processes(registered):
    def on_done(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_in_processes(registered, tasks.read_name, processes=2, on_done=on_done)


@pytest.fixture
def script(registered, tmp_path):
    """Return a function that starts a process which runs a task in processes of its own."""

    def start(task, **how):
        text = f"""
import process_tasks
from vantage_quickbooks import open_registry, run_in_processes

def registry():
    return open_registry({str(registered.args[0])!r})

if __name__ == "__main__":
    run_in_processes(registry, process_tasks.{task}, **{how!r})
"""
        (tmp_path / "script.py").write_text(text)
        environment = os.environ | {"PYTHONPATH": str(Path(tasks.__file__).parent)}
        return subprocess.Popen([sys.executable, tmp_path / "script.py"], env=environment, stderr=subprocess.PIPE)

    return start


def test_processes_end_with_the_one_that_started_them(quickbooks, script):
    """SIGKILL leaves it no time to end them."""
    quickbooks.fault("hang", path="companyinfo", times=-1, seconds=600)
    with script("read_name", processes=2, workers=1) as parent:
        while quickbooks.counters()["faults_delivered"] < 2:
            assert parent.poll() is None
            time.sleep(0.002)
        parent.kill()
        _, err = parent.communicate(timeout=120)  # ends when the workers have closed the pipe, too
    assert err == b""


def test_a_second_interruption_kills_processes_that_do_not_end(script, tmp_path):
    with script(f"Hang({str(tmp_path)!r})", processes=1, workers=1) as parent:
        while not (tmp_path / "hangs").exists():
            assert parent.poll() is None
            time.sleep(0.002)
        while parent.poll() is None:
            parent.send_signal(signal.SIGINT)
            time.sleep(0.01)
        _, err = parent.communicate(timeout=120)  # ends when the worker has closed the pipe, too
    assert b"KeyboardInterrupt" in err
    assert b"RunsInterrupted: " not in err


# ---- nothing is sent -------------------------------------------------------------------------------------------------


def test_what_cannot_be_pickled_is_explained_before_anything_is_sent(quickbooks, registered):
    quickbooks.reset_counters()
    with pytest.raises(InputError, match="top level of a module"):
        run_in_processes(registered, lambda *_: None, processes=2)
    with pytest.raises(InputError, match="a secret cannot be serialized") as caught:
        run_in_processes(functools.partial(open_registry, Secret("PLANTED")), tasks.read_name, processes=2)
    assert "PLANTED" not in str(caught.value)
    assert quickbooks.counters()["token_requests"]["total"] == 0


def test_a_task_that_another_process_cannot_import_is_explained(registered, monkeypatch):
    def gone():
        pass

    gone.__module__, gone.__qualname__ = "process_tasks", "gone"
    monkeypatch.setattr(tasks, "gone", gone, raising=False)
    with pytest.raises(InputError, match="cannot be loaded in a worker process"):
        run_in_processes(registered, gone, processes=1)


def test_a_result_that_cannot_be_pickled_fails_its_company(registered):
    report = run_in_processes(registered, tasks.return_a_lock, processes=1)
    assert {run.id: run.status for run in report.runs} == dict.fromkeys(IDS, "succeeded") | {"birch": "failed"}
    assert (report.runs[1].error["code"], report.runs[1].result) == ("INPUT_INVALID", {})


@pytest.mark.parametrize("wrong", [{"processes": 0}, {"processes": 1.5}, {"workers": True}, {"timeout_s": -1}])
def test_numbers_that_are_not_positive_are_refused(registered, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        run_in_processes(registered, tasks.read_name, **({"processes": 2} | wrong))


def test_a_registry_or_token_store_that_cannot_be_used_is_raised_at_once(registered):
    with pytest.raises(RegistryError, match="list"):
        run_in_processes(tasks.no_list, tasks.read_name, processes=2)
    deployment = functools.partial(Deployment, token_store="sqlite:nonsense")
    with pytest.raises(TokenStoreError):
        run_in_processes(registered, tasks.read_name, processes=2, make_deployment=deployment)
