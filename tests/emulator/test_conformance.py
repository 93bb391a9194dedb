"""Every recorded exchange, sent to an emulator in the state that it was recorded from: the answers must be the same."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from emulator import recorded
from emulator.conformance import Bench, differences, exchanges
from emulator.conformance_listed import LISTED
from emulator.conformance_results import RESULTS

from vantage_quickbooks.emulator import Emulator

DOCS = Path(__file__).resolve().parents[2] / "docs" / "emulator.md"
EXCHANGES = 182  # by the recordings' README, those of the token endpoint too

_needs_recordings = pytest.mark.skipif(
    not recorded.FOLDER.exists(), reason=f"SHARED RECORDINGS MISSING: {recorded.FOLDER}"
)


@pytest.fixture(scope="module")
def bench():
    with Emulator(limits=False) as emulator:
        yield Bench(emulator)
        assert not emulator.crashes


def _cases():
    return exchanges() or [pytest.param(None, marks=_needs_recordings)]


def _unserved(exchange):
    entries = [entry for entry in LISTED if entry.side == "unserved"]
    return next((entry for entry in entries if entry.covers(exchange.name, "unserved")), None)


@pytest.mark.parametrize("exchange", _cases(), ids=lambda exchange: exchange.name if exchange else "none")
def test_the_answer_is_the_recorded_one(bench, exchange):
    entry = _unserved(exchange)
    if exchange.target is None:
        assert entry, "no request is known, and no entry says why"
        RESULTS.note(exchange, "unserved", [entry])
        return
    answer = bench.answer(exchange)
    if bench.state.unknown:
        assert answer.status < 500
        RESULTS.note(exchange, "unjudged", [])
        return
    found = differences(exchange, answer, bench.state.either)
    if entry:
        assert found, f"served by now: {entry.what}"
        RESULTS.note(exchange, "unserved", [entry])
        return
    used, left = [], []
    for mark in found:
        covering = [entry for entry in LISTED if entry.side != "unserved" and entry.covers(exchange.name, mark)]
        used += covering
        left += [] if covering else [mark]
    RESULTS.note(exchange, "unlisted" if left else _verdict(used), used)
    assert not left


def _verdict(used):
    return "listed" if any(entry.side == "emulator" for entry in used) else "era" if used else "same"


@_needs_recordings
def test_every_recording_is_sent():
    assert len(exchanges()) == EXCHANGES
    assert {exchange.kind for exchange in exchanges()} <= set(RESULTS.KINDS)


@_needs_recordings
def test_no_entry_is_left_over():
    """Runs last in this file, when every exchange has noted the entries that it needs."""
    if len(RESULTS.verdicts) < EXCHANGES:
        pytest.skip("not every exchange was sent in this run")
    assert not [entry.what for entry in LISTED if entry not in RESULTS.used]


def test_the_docs_list_exactly_what_may_differ():
    listed = re.search(r"<!-- conformance -->\n(.*?)<!-- /conformance -->", DOCS.read_text("utf-8"), re.DOTALL)[1]
    rows = [line for line in listed.splitlines() if line.startswith("| ")][2:]  # without the head
    assert Counter(entry.row() for entry in LISTED) == Counter(rows)
