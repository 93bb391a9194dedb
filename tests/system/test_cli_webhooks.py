"""`webhooks serve`, `sync`, `status` and `retry`: from a change in the books to the files and tables of a sync."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from webhook_receiver import Receiver, body_of, event

from vantage_quickbooks.cli import main
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.webhooks import Inbox

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
REALM, OTHER = "9341450000000017", "9341450000000025"
WAIT_S = 60


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, rotation="always", customers=3, invoices=5) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def firm(fresh_quickbooks, tmp_path, monkeypatch):
    """A registry of one company, and the options that the commands share."""
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", str(tmp_path / "registry"))
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_WEBHOOK_INBOX", str(tmp_path / "inbox.sqlite3"))
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_WEBHOOK_TOKEN", fresh_quickbooks.webhooks.verifier_token)
    (tmp_path / "registry").mkdir()
    form = fresh_quickbooks.settings() | {"realm_id": REALM, "refresh_token": fresh_quickbooks.grant(REALM)}
    (tmp_path / "registry" / "acme.json").write_text(json.dumps(form))
    return fresh_quickbooks


def upserts(file):
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    changes = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [(change["entity"], change["record"]["Id"]) for change in changes if change["op"] == "upsert"]


def wait_for(condition):
    """Look until a condition holds: another process makes it true."""
    give_up_at = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def test_a_change_in_the_books_is_in_the_mirror_without_a_command(firm, tmp_path):
    output = tmp_path / "copies"
    process = subprocess.Popen(
        [*PROGRAM, "webhooks", "serve", "--port", "0", "--window", "0", "--output", str(output),
         "--entities", "Customer,Invoice"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )  # fmt: skip
    try:
        port = next(match[1] for line in process.stdout if (match := re.search(r"address +http://.*:(\d+)/", line)))
        file = output / "acme.ndjson"
        wait_for(lambda: len(upserts(file)) >= 8)  # the first copy needs no notification
        firm.subscribe(f"http://127.0.0.1:{port}/", merge_s=0)
        made = firm.create("Customer", {"DisplayName": "Mira Lund"}, REALM)
        wait_for(lambda: ("Customer", made["Id"]) in upserts(file))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert Inbox(tmp_path / "inbox.sqlite3").state()["waiting"] == 0


def test_receiving_and_syncing_are_two_processes(firm, tmp_path, capsys):
    """The receiver only receives; the sync loads every company whose notices are due, and each once a day."""
    database = tmp_path / "books.duckdb"
    args = ["webhooks", "sync", "--to", f"duckdb:///{database}", "--entities", "Customer", "--window", "0", "--once"]
    assert main(args) == 0
    assert capsys.readouterr().out == "1 company due, 0 failed.\n"
    with Receiver(Inbox(tmp_path / "inbox.sqlite3", window_s=0), tokens=firm.webhooks.verifier_token) as receiver:
        firm.subscribe(receiver.url, merge_s=0)
        made = firm.create("Customer", {"DisplayName": "Mira Lund"}, REALM)
        firm.notify("Customer", "1", "Update", realm_id=OTHER)  # a company that the registry does not have
        firm.webhooks.flush()
        assert firm.webhooks.settle()
    assert main(["webhooks", "status"]) == 0
    assert "waiting  2 notices of 2 companies" in capsys.readouterr().out
    assert main(args) == 0
    assert capsys.readouterr().out == "2 companies due, 0 failed.\n"
    import duckdb

    with duckdb.connect(str(database), read_only=True) as found:
        rows = found.execute("SELECT display_name FROM quickbooks.customers WHERE id = ?", [made["Id"]]).fetchall()
    assert rows == [("Mira Lund",)]
    assert main(args) == 0
    assert capsys.readouterr().out == "0 companies due, 0 failed.\n"
    assert main(["webhooks", "status", "--format", "json"]) == 1
    status = json.loads(capsys.readouterr().out)
    assert [(letter["realmId"], letter["reason"][:15]) for letter in status["deadLetters"]] == [
        (OTHER, "UNKNOWN_COMPANY")
    ]


def test_a_company_that_cannot_be_synced_is_shown_and_retried(firm, tmp_path, capsys):
    firm.revoke_grants(REALM)
    args = ["webhooks", "sync", "--output", str(tmp_path / "copies"), "--entities", "Customer", "--once"]
    assert main(args) == 1
    assert capsys.readouterr().out == "1 company due, 1 failed.\n"
    assert main(["webhooks", "status"]) == 1
    shown = capsys.readouterr().out
    assert f"  {REALM}  attempt 1  REAUTHORIZATION_REQUIRED: " in shown
    assert main(args) == 0  # it is not due before its pause is over
    assert capsys.readouterr().out == "0 companies due, 0 failed.\n"
    form = firm.settings() | {"realm_id": REALM, "refresh_token": firm.grant(REALM)}
    (tmp_path / "registry" / "acme.json").write_text(json.dumps(form))
    assert main(["webhooks", "retry", REALM]) == 0
    assert capsys.readouterr().out == "0 dead notices wait again.\n"
    assert main(args) == 0
    assert capsys.readouterr().out == "1 company due, 0 failed.\n"
    assert len(upserts(tmp_path / "copies" / "acme.ndjson")) == 3


def test_a_load_waits_as_long_as_quickbooks_asks(firm, tmp_path, capsys):
    firm.fault("status", status=429, times=-1, retry_after=400)
    database = f"duckdb:///{tmp_path / 'books.duckdb'}"
    assert main(["webhooks", "sync", "--to", database, "--entities", "Customer", "--once"]) == 1
    assert capsys.readouterr().out == "1 company due, 1 failed.\n"
    inbox = tmp_path / "inbox.sqlite3"
    assert Inbox(inbox, now=lambda: time.time() + 300).claim() == []
    assert len(Inbox(inbox, now=lambda: time.time() + 500).claim()) == 1


@pytest.mark.usefixtures("firm")
def test_a_company_that_another_sync_holds_is_tried_again(tmp_path, capsys):
    from vantage_quickbooks.cli.sync_files import locked

    output = tmp_path / "copies"
    output.mkdir()
    args = ["webhooks", "sync", "--output", str(output), "--entities", "Customer", "--once"]
    with locked(output / "acme.state"):
        assert main(args) == 1
    assert main(["webhooks", "status"]) == 1
    assert "STATE_IN_USE" in capsys.readouterr().out


@pytest.mark.usefixtures("firm")
def test_dead_letters_are_handed_on_again(tmp_path, capsys):
    inbox = Inbox(tmp_path / "inbox.sqlite3", window_s=0)
    with Receiver(inbox) as receiver:
        receiver.post(body_of(event(1, realm=REALM), event(2, realm=REALM)))
    (claim,) = inbox.claim(1)
    inbox.bury(claim, "RuntimeError at \x1b[31mhandler.py:1")
    assert main(["webhooks", "status"]) == 1
    shown = capsys.readouterr().out
    assert f"dead     2 notices\n  {REALM}  2 notices  RuntimeError at \N{REPLACEMENT CHARACTER}[31m" in shown
    assert main(["webhooks", "retry"]) == 0
    assert capsys.readouterr().out == "2 dead notices wait again.\n"
    assert main(["webhooks", "status"]) == 0


@pytest.mark.parametrize(
    ("args", "variables", "message"),
    [
        (["serve", "--output", "o"], {"TOKEN": ""}, "There is no verifier token in VANTAGE_QUICKBOOKS_WEBHOOK_TOKEN"),
        (["serve", "--output", "o"], {"TOKEN": "short"}, "fewer than 16 characters"),
        (["serve", "--output", "o", "--token-file", "missing"], {}, "The token file missing cannot be read"),
        (["serve"], {}, "Missing option '--output DIR' or '--to DESTINATION'"),
        (["sync", "--once"], {}, "Missing option '--output DIR' or '--to DESTINATION'"),
        (["sync", "--to", "duckdb:///d", "--output", "o"], {}, "--to and --output cannot be combined"),
        (["sync", "--output", "o", "--dataset", "d"], {}, "--dataset needs --to"),
        (["sync", "--output", "o", "--entities", "Spaceship"], {}, "Spaceship"),
        (["status", "--inbox", "postgresql://u:PLANTED@h/d"], {}, "--inbox contains a password"),
        (["status"], {"INBOX": "nonsense://PLANTED"}, "webhook inbox"),
        (["serve", "--no-sync", "--host", "203.0.113.1"], {}, "Cannot listen on 203.0.113.1"),
        (["serve", "--no-sync", "--output", "o"], {}, "--output cannot be combined with --no-sync"),
        (["serve", "--no-sync", "--to", "duckdb:///d", "--lines"], {}, "--to and --lines cannot be combined with"),
    ],
)
@pytest.mark.usefixtures("firm")
def test_what_is_wrong_is_said_before_anything_is_received(args, variables, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_WEBHOOK_{name}", value)
    assert main(["webhooks", *args]) in {1, 2}
    found = capsys.readouterr()
    assert message in found.err
    assert "PLANTED" not in found.err
