"""Fixtures for the tests of any project.

In a conftest.py at the top level: `pytest_plugins = ["vantage_quickbooks.emulator.pytest_plugin"]`. The plugin is not
an entry point, so that installing the package does not affect other test runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vantage_quickbooks.emulator.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def quickbooks_emulator_session() -> Iterator[Emulator]:
    """Serve one emulator for the session; override this fixture for other arguments."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def quickbooks_emulator(quickbooks_emulator_session: Emulator) -> Emulator:
    """Return the emulator, reset, with a new grant for each test: no client remembers its tokens."""
    quickbooks_emulator_session.reset()
    # A client may remember of the last test that the first grant has ended.
    quickbooks_emulator_session.oauth.replace_first_grant()
    return quickbooks_emulator_session
