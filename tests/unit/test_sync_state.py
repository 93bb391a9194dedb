"""The state between two syncs: small, versioned, bound to its connection, tamper-evident."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vantage_quickbooks.config.settings import Settings
from vantage_quickbooks.errors import InputError
from vantage_quickbooks.sync.sync_state import MAX_BYTES, VERSION, EntityState, StateSerializer, SyncState

FORM = {
    "client_id": "ABexample",
    "client_secret": "a secret of the test",
    "refresh_token": "RT-example",
    "realm_id": "9341450000000017",
}
SINCE = datetime(2026, 11, 28, 16, 20, 1, tzinfo=UTC)


def serializer(**changes):
    return StateSerializer(Settings.parse(FORM | changes))


STATE = SyncState(
    7,
    {
        "Customer": EntityState(
            since=SINCE, size=31, served=2, seen={"4": "1:0123456789ab", "9": "-"}, digest="00112233445566aa"
        ),
        "Invoice": EntityState(
            size=2500,
            served=7,
            cursor={"last": ["2026-05-05T12:16:21-07:00", "1037"], "count": 999, "counted": 2500},
        ),
    },
)


def test_a_state_of_version_1_is_read():
    """As this connector's first version wrote it; later versions must go on reading it."""
    saved = json.loads((Path(__file__).parent / "data" / "sync_state_1.json").read_text())
    assert serializer().loads(saved) == STATE


def test_a_state_is_read_as_it_was_written_as_an_object_and_as_text():
    """Plain JSON, with the version, the company and the environment in the open."""
    written = serializer().dumps(STATE)
    assert json.loads(json.dumps(written)) == written
    assert {key: written[key] for key in ("version", "realmId", "environment")} == {
        "version": VERSION, "realmId": FORM["realm_id"], "environment": "production"
    }  # fmt: skip
    assert serializer().loads(written) == serializer().loads(json.dumps(written)) == STATE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"realm_id": "123"}, "belongs to company 9341450000000017 .production., and the connection is to company 123"),
        ({"environment": "sandbox"}, "the connection is to company 9341450000000017 .sandbox."),
        ({"client_secret": "another secret of the test"}, "written with another client secret"),
    ],
)
def test_a_state_of_another_connection_is_refused(changes, message):
    """Another company, environment or client secret."""
    with pytest.raises(InputError, match=message) as caught:
        serializer(**changes).loads(serializer().dumps(STATE))
    assert [entry.field for entry in caught.value.fields] == ["state"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state | {"data": state["data"][:-1] + "_"}, "was altered"),
        (lambda state: state | {"data": ""}, "was altered"),
        (lambda state: state | {"version": VERSION + 1}, "reads versions up to"),
        (lambda state: state | {"version": "1"}, "reads versions up to"),
        (lambda state: {key: value for key, value in state.items() if key != "data"}, "not a state of a sync"),
        (lambda _: "{", "not a state of a sync"),
        (lambda _: "[1]", "not a state of a sync"),
        (lambda _: None, "not a state of a sync"),
    ],
)
def test_what_is_not_an_unaltered_state_is_refused(spoil, message):
    """With one sentence that says what to do."""
    with pytest.raises(InputError, match=message):
        serializer().loads(spoil(serializer().dumps(STATE)))


def test_a_state_is_small_for_any_company():
    """The memory of delivered records is left out before the state grows too large."""
    many = {str(number): f"{number}:{number * 7919 % 2**48:012x}" for number in range(2_000)}
    state = SyncState(1, {f"Entity{number}": EntityState(since=SINCE, size=10**9, seen=many) for number in range(39)})
    written = serializer().dumps(state)
    assert len(json.dumps(written)) < MAX_BYTES
    read = serializer().loads(written)
    assert read.entities["Entity7"] == EntityState(since=SINCE, size=10**9)
    assert serializer().fits(state)


def test_a_position_that_would_make_a_state_too_large_does_not_fit():
    """The read then continues at the position before."""
    times = [(SINCE + timedelta(seconds=number * 37)).isoformat() for number in range(20_000)]
    cursor = {"boundary_times": {time: [str(hash(time))] for time in times}}
    assert not serializer().fits(SyncState(1, {"Invoice": EntityState(cursor=cursor)}))


def test_the_position_in_a_read_of_a_million_records_fits():
    """A thousand pages, each ended in a second of its own."""
    times = [(SINCE + timedelta(seconds=number * 1237)).isoformat() for number in range(1000)]
    cursor = {"boundary_times": {time: [str(10**6 + 997 * index)] for index, time in enumerate(times)}}
    assert serializer().fits(SyncState(1, {"Invoice": EntityState(cursor=cursor)}))
