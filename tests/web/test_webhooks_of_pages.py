"""Webhooks that the web UI receives: from the books of an emulated company to the streams of its pages."""

from __future__ import annotations

import contextlib
import time

import pytest
import requests
from registries import company
from running_site import PATIENCE_S
from sharing import receiving_site

from vantage_quickbooks.web.store import Record


@pytest.fixture
def site(registry, emulator, tmp_path):
    """A site that receives the webhooks of the emulator, with an empty registry."""
    with receiving_site(registry, emulator, tmp_path) as running:
        yield running


@contextlib.contextmanager
def events_of(site, connection_id):
    """Yield the lines of the stream of a connection's pages, once it is open."""
    headers = {"Authorization": f"Bearer {site.sessions.access_key}"}
    url = f"{site.url}/connections/{connection_id}/events"
    with requests.get(url, headers=headers, stream=True, timeout=PATIENCE_S) as stream:
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(lines).startswith("retry: ")
        yield lines


def has_changes(lines):
    """Return whether an event arrives in time; until it does, the stream has comments that keep it open."""
    end = time.monotonic() + PATIENCE_S
    return any(line == "event: changes" for line in lines if time.monotonic() < end or pytest.fail("no event"))


def test_a_connection_of_the_web_ui_alone_gets_the_notices_of_its_company(site, registry, emulator):
    site.host.store.put(Record("old", "quickbooks", "Old", emulator.credentials()))
    registry.add("acme", company())  # another one
    with events_of(site, "old") as lines:
        emulator.create("Customer", {"DisplayName": "Bauer & Sons"})
        assert has_changes(lines)


def test_both_connections_of_a_company_get_its_notices(site, registry, emulator):
    site.host.store.put(Record("old", "quickbooks", "Old", emulator.credentials()))
    registry.add("acme", emulator.credentials())
    with events_of(site, "old") as old, events_of(site, "acme") as acme:
        emulator.create("Customer", {"DisplayName": "Bauer & Sons"})
        assert has_changes(old)
        assert has_changes(acme)
