"""What Intuit documents and no recording shows: part of the conformance suite, and run everywhere."""

from __future__ import annotations

import pytest
from emulator.documented import DOCUMENTED
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
