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

    from vantage_quickbooks.emulator.isolated_company import IsolatedCompany

_MARKER = "quickbooks_scenario"


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, for `--strict-markers`."""
    text = "quickbooks_scenario(file): play a scenario file, relative to the test's folder, before the test"
    config.addinivalue_line("markers", text)


@pytest.fixture(scope="session")
def quickbooks_emulator_session() -> Iterator[Emulator]:
    """Serve one emulator for the session; override this fixture for other arguments."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def quickbooks_emulator(quickbooks_emulator_session: Emulator, request: pytest.FixtureRequest) -> Emulator:
    """Return the emulator, reset, with a new grant for each test: no client remembers its tokens.

    A test with `@pytest.mark.quickbooks_scenario("late_payments.yaml")` begins with that scenario.
    """
    quickbooks_emulator_session.reset()
    # A client may remember of the last test that the first grant has ended.
    quickbooks_emulator_session.oauth.replace_first_grant()
    marker = request.node.get_closest_marker(_MARKER)
    if marker:
        quickbooks_emulator_session.play(request.path.parent / marker.args[0])
    return quickbooks_emulator_session


@pytest.fixture
def quickbooks_company(quickbooks_emulator_session: Emulator) -> Iterator[IsolatedCompany]:
    """Create a company that this test alone uses, in milliseconds, and delete it at the end.

    Nothing is reset, so tests can run at the same time in several threads. The clock is the emulator's.
    """
    company = quickbooks_emulator_session.add_company()
    yield company
    company.remove()
