"""Checks that no secret of the settings gets out: by text forms of objects, by errors, by logs."""

from __future__ import annotations

import io
import logging
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .subject import Subject

MOST_ACTIONS = 5
"""Actions that are called with all logs on."""


def test_text_forms_hold_no_secret(subject: Subject) -> None:
    """A debugger and a crash reporter print them."""
    _needs_secrets(subject)
    for what, value in (("the connector", subject.connector), ("the connection", subject.connection)):
        subject.must_not_leak(f"{value!r} {value!s}", f"the text form of {what}")


def test_errors_hold_no_secret(subject: Subject) -> None:
    """Neither their text nor what a traceback prints, with the exceptions beneath."""
    _needs_secrets(subject)
    for action_id in subject.callable_ids()[:MOST_ACTIONS]:
        subject.call(action_id, {name: dict(subject.secrets) for name in sorted(subject.inputs(action_id) or ())[:3]})
        if not subject.has("invoke"):
            continue
        try:
            subject.connection.invoke(action_id, {"noSuchInputExists": dict(subject.secrets)})
        except Exception as error:  # noqa: BLE001 -- a broken connector raises anything
            text = f"{error!r} {error!s}" + "".join(traceback.format_exception(error))
            subject.must_not_leak(text, f"the error of invoke({action_id!r})")


def test_logs_hold_no_secret(subject: Subject) -> None:
    """With all loggers at DEBUG: wrong settings, a connection, calls that succeed and calls that fail."""
    _needs_secrets(subject)
    settings = subject.settings
    with _logs() as text:
        for name in subject.descriptor.get("settingsSchema", {}).get("required", ()):
            try:
                subject.connector.connect({key: value for key, value in settings.items() if key != name}).close()
            except Exception:  # noqa: BLE001, S112 -- another check looks at the error
                continue
        subject.connector.validate({**settings, "noSuchSettingExists": 1})
        connection = subject.connect()
        for action_id in subject.callable_ids()[:MOST_ACTIONS]:
            subject.call(action_id, subject.working_input(action_id), connection=connection)
            subject.call(action_id, {"noSuchInputExists": 1}, connection=connection)
        subject.call("noSuchActionExists", {}, connection=connection)
        connection.close()
    subject.must_not_leak(text.getvalue(), "the log")


def _needs_secrets(subject: Subject) -> None:
    if not (subject.settings and subject.secrets):
        pytest.skip("the settings have no secret: writeOnly in settingsSchema, or auth.secretFields")


@contextmanager
def _logs() -> Iterator[io.StringIO]:
    """Collect what all loggers write at level DEBUG."""
    text = io.StringIO()
    handler, root = logging.StreamHandler(text), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
