"""Results of listCustomers and listInvoices, byte for byte, against results that were recorded once.

`VANTAGE_RECORD_SNAPSHOTS=1` records them again: read the diff before you commit it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import orjson
import pytest

from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.clock import Clock

SNAPSHOTS = Path(__file__).parent / "snapshots"
NOON = 1_781_524_800.0  # 2026-06-15T12:00:00Z
VOLATILE = ("retrievedAt", "intuitTids", "cursor", "syncCursor", "apiCalls", "meteredCalls")
"""Members of the metadata that differ between two runs; pages are fetched in parallel, so the calls per page do too."""

STATUSES = ("paid", "partiallyPaid", "open", "overdue", "voided")
INPUTS = {
    "listCustomers": {
        "defaults": {},
        "page": {"max_results": 7, "start_position": 4},
        "inactive": {"active": "inactive"},
        "all_states": {"active": "all", "order_by": "Balance DESC"},
        "name": {"name": "B%"},
        "email": {"email": "%.example"},
        "fields": {"fields": ["DisplayName", "Balance"], "max_results": 5},
        "updated_since": {"updated_since": "2026-05-01"},
        "full": {"all": True},
        "full_all_states": {"all": True, "active": "all", "max_results": 9},
        "full_fields": {"all": True, "fields": "Id,Active", "updated_since": "2026-01-01T00:00:00Z"},
    },
    "listInvoices": {
        "defaults": {},
        "page": {"max_results": 7, "start_position": 4, "order_by": "TxnDate"},
        **{status: {"status": status, "max_results": 6} for status in STATUSES},
        "customer": {"customer_id": "2"},
        "dates": {"txn_date_from": "2026-03-01", "due_date_to": "2026-06-01"},
        "doc_number": {"doc_number": "10%", "max_results": 5},
        "fields": {"fields": ["DocNumber", "TotalAmt"], "max_results": 5},
        "full": {"all": True},
        "full_pages": {"all": True, "max_results": 15},
        "full_status": {"all": True, "status": "overdue", "max_results": 9},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def connection():
    """A connection to an emulator whose clock stands still, so that every run makes the same company."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Clock, "now", lambda _: NOON)
        with Emulator(limits=False, customers=16, invoices=40) as emulator:
            deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url)
            with QUICKBOOKS.connect(emulator.credentials(), deployment=deployment, store=MemoryStore()) as made:
                made.invoke("getAccessToken")
                yield made


@pytest.mark.parametrize(
    ("action", "name"), [(action, name) for action, inputs in INPUTS.items() for name in inputs], ids=lambda part: part
)
def test_results_are_byte_equal_to_the_recorded_ones(connection, action, name):
    data = INPUTS[action][name]
    results = [_stable(connection.invoke(action, data))]
    if data.get("all"):
        results += [_stable(page) for page in connection.stream(action, data)]
    assert_equals_snapshot(f"{action}.{name}.json", b"".join(orjson.dumps(result) + b"\n" for result in results))


@pytest.mark.parametrize("action", list(INPUTS))
def test_ndjson_is_byte_equal_to_the_recorded_one(connection, action):
    assert_equals_snapshot(
        f"{action}.ndjson", b"".join(connection.stream(action, {"all": True, "max_results": 20}, as_="ndjson"))
    )


def _stable(result):
    for key in VOLATILE:
        if result["metadata"].get(key) is not None:
            result["metadata"][key] = "..."
    json.dumps(result, allow_nan=False)
    return result


def assert_equals_snapshot(name, content):
    recorded = SNAPSHOTS / name
    if os.environ.get("VANTAGE_RECORD_SNAPSHOTS"):
        recorded.write_bytes(content)
    assert content == recorded.read_bytes(), f"{name} differs; VANTAGE_RECORD_SNAPSHOTS=1 records it again"
