"""The benchmark of many companies runs, in a tiny form: its emulator, an engine, its tables and the plan."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
COMPANIES, INVOICES = 3, 4


@pytest.fixture(scope="module", autouse=True)
def _imports():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture(scope="module")
def firm(_imports, tmp_path_factory):
    import emulated
    from firm import Firm

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulated, "_CACHE", tmp_path_factory.mktemp("companies"))
        with Firm(COMPANIES, INVOICES) as firm:
            yield firm


def engine(name):
    from firm import Engine

    return Engine(name, sys.executable, f"scale_{name}")


def test_processes_read_every_company_to_the_cent_with_two_calls_each(firm):
    from firm import Setup

    figures = firm.run(engine("processes"), "read", COMPANIES, 0.0, Setup(threads=2, bundle_size=2))
    assert figures["calls"] == 2 * COMPANIES
    assert figures["failed_calls"] == 0
    assert figures["token_requests"] == {"total": COMPANIES, "ok": COMPANIES, "failed": 0}
    assert figures["processes"] >= 1
    assert figures["peak_mb"] > 50
    assert 0 < figures["work_s"] < figures["wall_s"]  # one is inside the other
    assert figures["cpu_s"] > 0.1


def test_a_run_without_requests_has_one_row_of_each_company(firm):
    from firm import Setup

    figures = firm.run(engine("processes"), "idle", COMPANIES - 1, 0.0, Setup())
    assert figures["calls"] == figures["token_requests"]["total"] == 0


def test_a_run_that_does_not_equal_the_books_fails(firm, monkeypatch):
    from firm import RunError, Setup

    realm = firm.realms[0]
    rows, cents = firm._books[realm]
    assert rows == INVOICES
    monkeypatch.setitem(firm._books, realm, (rows, cents + 1))
    with pytest.raises(RunError, match=rf"3 companies read; 1 do not equal the books: \['{realm}'\]"):
        firm.run(engine("processes"), "read", COMPANIES, 0.0, Setup())


def test_each_company_has_an_invoice_of_its_own(firm):
    assert len({cents for realm, (_, cents) in firm._books.items() if realm in firm.realms}) == COMPANIES


def test_a_script_that_fails_is_an_error_with_its_last_words(firm, monkeypatch):
    from firm import RunError, Setup

    monkeypatch.setattr(firm, "key", "")
    (firm.registry(1) / "company-00000.json").write_text("{}")
    with pytest.raises(RunError, match=r"exit status 1: .*company-00000"):
        firm.run(engine("processes"), "read", 1, 0.0, Setup())


def test_a_quiet_sync_takes_one_call_and_one_token_request_of_each_company(firm):
    first, quiet = firm.sync(COMPANIES), firm.sync(COMPANIES)
    assert first["entities"] == 29
    assert first["metered"] == 2 * 29 * COMPANIES
    assert first["upserts"] > 100 * COMPANIES
    assert quiet["upserts"] == 0
    assert quiet["calls"] == quiet["metered"] == quiet["token_requests"]["total"] == COMPANIES
    assert quiet["state_bytes"] > quiet["state_characters"] > 500


def test_companies_are_kept_from_one_run_to_the_next(firm, monkeypatch):
    import emulated
    from firm import Firm

    database = next(path for path in emulated._CACHE.iterdir() if path.suffix == ".sqlite3")
    before = json.loads(database.with_name(f"{database.name}.realms").read_text())
    monkeypatch.setattr(emulated, "_CACHE", database.parent)
    with Firm(COMPANIES, INVOICES) as again:
        assert again.realms == before == firm.realms
        assert again._books == firm._books


def test_the_processor_time_of_a_process_that_outlives_the_command_counts(tmp_path):
    import subprocess

    burn = "import time; end = time.process_time() + 0.4\nwhile time.process_time() < end: pass"
    outlives = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}], start_new_session=True)"
    report = tmp_path / "report.json"
    command = [sys.executable, str(BENCHMARKS / "process_tree.py"), str(report), "30", sys.executable, "-c", outlives]
    assert subprocess.run(command, check=False).returncode == 0
    assert json.loads(report.read_text())["cpu_s"] > 0.4


@pytest.mark.parametrize("parent_ends_first", [False, True])
def test_the_processor_time_of_a_process_whose_parent_ignores_sigchld_counts(tmp_path, parent_ends_first):
    import subprocess

    worker = """
import os, signal, sys, time
ready, done = os.pipe()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if not os.fork():
    end = time.process_time() + 0.8
    while time.process_time() < end: pass
    os.write(done, b".")
    time.sleep(0.6)  # two samples
    os._exit(0)
os.close(done)
os.read(ready, 1)
if not PARENT_ENDS_FIRST:
    os.read(ready, 1)  # the end of the worker
""".replace("PARENT_ENDS_FIRST", str(parent_ends_first))
    report = tmp_path / "report.json"
    command = [sys.executable, str(BENCHMARKS / "process_tree.py"), str(report), "30", sys.executable, "-c", worker]
    assert subprocess.run(command, check=False).returncode == 0
    assert 0.8 < json.loads(report.read_text())["cpu_s"] < 1.5  # once, not twice


def test_a_command_is_ended_with_all_its_processes_when_its_time_is_over(tmp_path):
    import subprocess

    waits = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE).wait()"
    report = tmp_path / "report.json"
    command = [sys.executable, str(BENCHMARKS / "process_tree.py"), str(report), "0.5", sys.executable, "-c", waits]
    assert subprocess.run(command, check=False, timeout=60).returncode == 124
    assert report.exists()
