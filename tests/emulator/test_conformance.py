"""Every recorded exchange, sent to an emulator in the state that it was recorded from: the answers must be the same."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from emulator import recorded
from emulator.conformance import Bench, exchanges, use
from emulator.conformance_listed import LISTED
from emulator.conformance_results import RESULTS as ALL_RESULTS
from emulator.conformance_verdict import judge

from vantage_quickbooks.emulator import Emulator

DOCS = Path(__file__).resolve().parents[2] / "docs" / "emulator.md"
RESULTS = ALL_RESULTS["recordings"]
EXCHANGES = 182  # by the recordings' README, those of the token endpoint too

_needs_recordings = pytest.mark.skipif(
    not recorded.FOLDER.exists(), reason=f"SHARED RECORDINGS MISSING: {recorded.FOLDER}"
)


@pytest.fixture(scope="module")
def bench():
    use(recorded.read_all)
    with Emulator(limits=False) as emulator:
        yield Bench(emulator)
        assert not emulator.crashes


def _cases():
    return recorded.read_all() or [pytest.param(None, marks=_needs_recordings)]


@pytest.mark.parametrize("exchange", _cases(), ids=lambda exchange: exchange.name if exchange else "none")
def test_the_answer_is_the_recorded_one(bench, exchange):
    assert not judge(bench, exchange, RESULTS)


@_needs_recordings
@pytest.mark.usefixtures("bench")
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
