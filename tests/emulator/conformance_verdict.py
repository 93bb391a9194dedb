"""The verdict on one exchange: sent to the emulator, its differences looked up in the list of accepted ones."""

from __future__ import annotations

from emulator.conformance import differences
from emulator.conformance_listed import LISTED


def judge(bench, exchange, results):
    """Send an exchange, note its verdict, and return the differences that no entry of the list accepts."""
    entry = _unserved(exchange)
    if exchange.target is None:
        assert entry, "no request is known, and no entry says why"
        results.note(exchange, "unserved", [entry])
        return []
    answer = bench.answer(exchange)
    if bench.state.unknown:
        assert answer.status < 500
        results.note(exchange, "unjudged", [])
        return []
    found = differences(exchange, answer, bench.state.either)
    if entry:
        assert found, f"served by now: {entry.what}"
        results.note(exchange, "unserved", [entry])
        return []
    used, left = [], []
    for mark in found:
        covering = [entry for entry in LISTED if entry.side != "unserved" and entry.covers(exchange.name, mark)]
        used += covering
        left += [] if covering else [mark]
    results.note(exchange, "unlisted" if left else _verdict(used), used)
    return left


def _verdict(used):
    return "listed" if any(entry.side == "emulator" for entry in used) else "era" if used else "same"


def _unserved(exchange):
    entries = [entry for entry in LISTED if entry.side == "unserved"]
    return next((entry for entry in entries if entry.covers(exchange.name, "unserved")), None)
