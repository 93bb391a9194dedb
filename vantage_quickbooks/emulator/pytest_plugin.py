"""Fixtures for any project's tests.

In a conftest.py at the top: `pytest_plugins = ["vantage_quickbooks.emulator.pytest_plugin"]`.
It is no entry point, so that installing the package changes nobody's test run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vantage_quickbooks.emulator.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def quickbooks_emulator_session() -> Iterator[Emulator]:
    """Serve one emulator for the whole run; override this fixture for other arguments."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def quickbooks_emulator(quickbooks_emulator_session: Emulator) -> Emulator:
    """Lend the emulator, as good as new, with a grant of the test's own: no client knows its tokens from before."""
    quickbooks_emulator_session.reset()
    # A client may remember of the last test that the first grant has ended.
    quickbooks_emulator_session.oauth.replace_first_grant()
    return quickbooks_emulator_session
