"""What Intuit documents and no recording shows: part of the conformance suite, and run everywhere."""

from __future__ import annotations

import pytest
from emulator.documented import DOCUMENTED, Documented
from emulator.documented_runner import run

from vantage_quickbooks.emulator import Emulator


@pytest.fixture(scope="module")
def emulator():
    with Emulator(limits=False) as made:
        yield made
        assert not made.crashes


@pytest.mark.parametrize("documented", DOCUMENTED, ids=lambda documented: documented.what)
def test_the_answers_are_as_documented(emulator, documented):
    assert run(emulator, documented) == []


def test_every_behavior_has_a_source():
    assert all(documented.source.startswith("https://") for documented in DOCUMENTED)
    assert len({documented.what for documented in DOCUMENTED}) == len(DOCUMENTED)


def test_every_difference_is_listed(emulator):
    """The runner itself: a wrong value, a missing text, a missing member, and values kept from step to step."""
    steps = (
        ("POST vendor", {"DisplayName": "Zq"}, {"keep v": "Vendor/Id", "Vendor/DisplayName": "other"}),
        ("GET vendor/${v}", None, {"status": 201, "text": "nowhere", "Vendor/Id": "${v}", "Vendor/Nothing/0/x": "y"}),
        ("TIMES 2 GET vendor/${v}", None, {"statuses": {200: 3}}),
        ("QUERY select * from Vendor where Id = '${v}'", None, {"QueryResponse/Vendor/*/DisplayName": ["Zq", "Zq"]}),
    )
    found = run(emulator, Documented("differences", "https://example.com", steps))
    assert [text.partition(" is ")[0].rpartition(": ")[2] for text in found] == [
        *("Vendor/DisplayName", "status", "text", "Vendor/Nothing/0/x"),
        *("statuses", "QueryResponse/Vendor/*/DisplayName"),
    ]
