"""The conformance kit: a pytest plugin that checks any connector against the contract.

    pytest -p vantage_quickbooks.conformance --connector MODULE:NAME [--settings FILE] [--actions ID,ID]

`NAME` is the connector or its class. `FILE` is a JSON file of settings that work; without it nothing is called. Repeat
`--connector`, each followed by its `--settings`, to check several. See docs/host.md for what is checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .subject import Subject

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Subject"]

_HERE = Path(__file__).parent
_CHECKS = ("check_descriptor.py", "check_settings.py", "check_calls.py", "check_context.py", "check_secrets.py")
_FIRST = "test_descriptor_matches_its_schema"
_SUBJECTS: pytest.StashKey[list[Subject]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the kit."""
    group = parser.getgroup("conformance", "conformance of a connector to the contract")
    group.addoption("--connector", action="append", metavar="MODULE:NAME", help="connector to check, or its class")
    group.addoption(
        "--settings",
        action="append",
        metavar="FILE",
        help="JSON file of settings that work, for the connector before it",
    )
    group.addoption(
        "--actions",
        metavar="ID,ID",
        help="actions to call; default: all that are read only. Descriptors are checked in full",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load the connectors, and add the checks to what is collected."""
    config.addinivalue_line("markers", "calls_actions: runs for the actions that --actions chooses")
    specs = config.getoption("--connector")
    if not specs:
        return
    files = config.getoption("--settings") or []
    if len(files) not in {0, len(specs)}:
        raise pytest.UsageError("Give --settings for each --connector, in the same order, or for none.")
    only = config.getoption("--actions")
    config.stash[_SUBJECTS] = [
        Subject.load(spec, file, only.split(",") if only else None)
        for spec, file in zip(specs, files or [None] * len(specs), strict=True)
    ]
    checks = [str(_HERE / name) for name in _CHECKS]
    is_asked = config.args_source is pytest.Config.ArgsSource.ARGS
    config.args = [*config.args, *checks] if is_asked else checks


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each check of this package for each connector, and where it takes `action_id` for each action."""
    if metafunc.module.__file__ is None or Path(metafunc.module.__file__).parent != _HERE:
        return
    subjects = metafunc.config.stash[_SUBJECTS]
    names = [subject.spec if len(subjects) > 1 else "" for subject in subjects]
    if "action_id" not in metafunc.fixturenames:
        metafunc.parametrize("subject", subjects, ids=[name or "connector" for name in names], scope="session")
        return
    is_calling = metafunc.definition.get_closest_marker("calls_actions") is not None
    cases = [
        (subject, action_id, f"{name}:{action_id}".lstrip(":"))
        for subject, name in zip(subjects, names, strict=True)
        for action_id in (subject.callable_ids() if is_calling else subject.action_ids())
    ]
    metafunc.parametrize(
        ("subject", "action_id"), [case[:2] for case in cases], ids=[case[2] for case in cases], scope="session"
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what relies on the descriptor while that does not match its schema: it would fail without a clear reason."""
    if not (isinstance(item, pytest.Function) and item.path.parent == _HERE) or item.originalname == _FIRST:
        return
    subject: Any = item.callspec.params["subject"]
    if subject.descriptor_problem:
        pytest.skip("the descriptor does not match its schema")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave logs out of the reports of these checks: they may hold the secret that a check found in them."""
    report = yield
    if item.path.parent == _HERE:
        report.sections = [section for section in report.sections if "log" not in section[0]]
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Close the connections."""
    for subject in session.config.stash.get(_SUBJECTS, []):
        subject.close()
