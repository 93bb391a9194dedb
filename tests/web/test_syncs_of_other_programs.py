"""Pages that are open learn of the syncs of other processes into the same folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest
import requests
from running_site import PATIENCE_S
from sharing import PROGRAM

from vantage_quickbooks.cli import main
from vantage_quickbooks.cli.sync_watcher import SyncWatcher
from vantage_quickbooks.cli.web_syncs import FolderSyncs
from vantage_quickbooks.connector.registered import connect_registered
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.web.events import CHANGES, Events

pytestmark = pytest.mark.emulator(rotation="always", limits=False, customers=3, invoices=3)


@pytest.fixture
def copies(registry, emulator, tmp_path):
    """The folder of the copies of one company, which were read once."""
    registry.add("acme", emulator.credentials(), "Acme")
    sync(tmp_path / "copies")
    return tmp_path / "copies"


def sync(folder):
    assert main(["sync", "--all", "--output", str(folder), "--entities", "Customer", "--format", "json"]) == 0


def taken(subscription):
    return [(event.kind, event.connection_ids) for event in subscription.take()]


def test_a_sync_of_another_program_is_published_once_if_it_found_changes(copies, emulator):
    events, found = Events(), [(CHANGES, frozenset({"acme"}))]
    subscription = events.subscribe("acme", lambda: None)
    watcher = SyncWatcher(events, FolderSyncs(str(copies)))
    sync(copies)  # nothing has changed
    for _ in range(3):
        watcher.check()
    assert taken(subscription) == []
    emulator.create("Customer", {"DisplayName": "Bauer & Sons"})
    sync(copies)
    watcher.check()
    assert taken(subscription) == []  # it may still be written
    watcher.check()
    assert taken(subscription) == found
    for _ in range(3):
        watcher.check()
    assert taken(subscription) == []
    (copies / "birch.ndjson").write_text("{}\n")  # a company that was not synced before
    watcher.check()
    (copies / "birch.ndjson").write_text("{}\n{}\n")
    watcher.check()
    assert events.position.endswith("-1")
    watcher.check()
    assert events.position.endswith("-2")


def test_what_the_web_ui_itself_has_synced_is_not_published_again(copies, registry, emulator):
    events, syncs = Events(), FolderSyncs(str(copies))
    watcher = SyncWatcher(events, syncs)
    emulator.create("Customer", {"DisplayName": "Bauer & Sons"})
    with connect_registered(registry, "acme", HostContext()) as connection:
        assert syncs.sync(connection, "acme", lambda *_: None).upserts
    for _ in range(3):
        watcher.check()
    assert events.position.endswith("-0")


def test_an_open_page_of_the_command_learns_of_it(copies, emulator, tmp_path):
    args = ("serve", "--port", "0", "--data", str(tmp_path / "data"), "--sync-output", str(copies))
    server = subprocess.Popen([*PROGRAM, *args], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        base, key = next(
            match.groups()
            for line in server.stdout
            if (match := re.search(r"(http://localhost:\d+)/\?key=(\S+)", line))
        )
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{base}/connections/acme/events"
        with requests.get(url, headers=headers, stream=True, timeout=PATIENCE_S) as stream:
            lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
            assert next(lines).startswith("retry: ")
            emulator.create("Customer", {"DisplayName": "Bauer & Sons"})
            sync(copies)
            end = time.monotonic() + PATIENCE_S
            assert any(line == "event: changes" for line in lines if time.monotonic() < end or pytest.fail("no event"))
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert server.returncode == 0
