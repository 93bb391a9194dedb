"""The table of small changes fits the emulator's code: each one applies, and the changed module is still Python."""

from __future__ import annotations

import pytest
from emulator.mutants import CONFORMANCE, MUTANTS, PACKAGE, ROOT, _mutate


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_change_applies(mutant):
    path = ROOT / PACKAGE / mutant.path
    compile(_mutate(path.read_text("utf-8"), mutant), path, "exec")
    assert all((ROOT / name).exists() for name in mutant.tests)


def test_the_names_are_different_and_the_conformance_suite_exists():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all((ROOT / name).exists() for name in CONFORMANCE)
