"""One recorded exchange per test, as documentation of the wire format.

`make cassettes` records them again from the emulator. Replayed, no emulator runs and the network is blocked.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator

RECORDED_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FORM = {
    "client_id": "cassette-client-id",
    "client_secret": "cassette-client-secret",
    "refresh_token": "cassette-refresh-token",
    "realm_id": "9341450000000017",  # of the emulator's sample company
}


@pytest.fixture
def quickbooks(request, record_mode):
    """The emulator while recording; None while replaying."""
    if record_mode == "none":
        yield None
        return
    marker = request.node.get_closest_marker("emulator")
    with Emulator(limits=False, **(marker.kwargs if marker else {})) as emulator:
        assert emulator.realm_id == FORM["realm_id"]
        yield emulator


@pytest.fixture
def connection(quickbooks):
    """A connection whose clock stands still, so that a request is the same at every replay."""
    url = quickbooks.url if quickbooks else "http://127.0.0.1:1"
    opened = QUICKBOOKS.connect(
        quickbooks.credentials() if quickbooks else FORM,
        deployment=Deployment(api_url=url, oauth_url=url),
        store=MemoryStore(),
        new_call=lambda **kwargs: CallContext(**kwargs, now=lambda: RECORDED_AT, sleep=lambda _: None),
    )
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _cassette_is_played(vcr):
    yield
    assert vcr.play_count or vcr.dirty, "nothing was played: this test can be a unit test"
