"""Checks of `validate` and `connect`: what they accept, what they refuse, and that neither opens anything."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from ..contract import HostContext
from .subject import attempt, broken, not_json, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jsonschema import Draft202012Validator

    from .subject import Subject

WRONG_VALUES = ({"unexpected": True}, [{"unexpected": True}], "\x00\x01", -1.5, True)
"""Values that few schemas accept."""

FORBIDDEN_EVENTS = frozenset({
    "socket.connect", "socket.getaddrinfo", "socket.bind", "sqlite3.connect", "subprocess.Popen", "os.mkdir",
    "os.rename", "os.remove",
})  # fmt: skip
"""Audit events (docs.python.org/3/library/audit_events.html) of what `connect` must not do."""


def test_no_settings_are_reported_by_field(subject: Subject) -> None:
    """An empty form: each required setting is named."""
    schema = subject.descriptor.get("settingsSchema", {})
    report = _validate(subject, {}, "{}")
    named = {str(field["field"]) for field in report["fields"]}
    missing = sorted(set(schema.get("required", ())) - named)
    if missing:
        broken(f"validate({{}}) does not name required settings: {', '.join(missing)}")


def test_wrong_settings_are_reported_by_field(subject: Subject) -> None:
    """Each setting with a value that its schema refuses."""
    schema = subject.descriptor.get("settingsSchema", {})
    validator = subject.settings_validator
    for name in schema.get("properties", {}):
        value = wrong_value(validator, name)
        if value is None:
            continue
        report = _validate(subject, {**_known(subject), name: value}, f"{{..., {name!r}: {value!r}}}")
        if report["valid"]:
            broken(f"validate() accepts {value!r} for {name}, which settingsSchema refuses")
        if name not in {str(field["field"]).split(".")[0] for field in report["fields"]}:
            broken(f"validate() does not name {name}, whose value is wrong")


def test_working_settings_are_valid(subject: Subject) -> None:
    """The settings that were given."""
    report = _validate(subject, subject.settings, "the settings")
    if not report["valid"]:
        broken(f"validate() refuses the settings: {shown(report['fields'])}")


def test_connect_refuses_wrong_settings_with_an_error_that_has_a_code(subject: Subject) -> None:
    """A host shows `message` and reads `code`; a secret beside the wrong value is not repeated."""
    schema = subject.descriptor.get("settingsSchema", {})
    validator = subject.settings_validator
    for name in schema.get("required", ()):
        value = wrong_value(validator, name)
        if value is not None:
            _check_refusal(subject, {**_known(subject), name: value}, f"connect() with a wrong {name}")
    if schema.get("required"):
        _check_refusal(subject, {}, "connect() without settings")


def test_connect_refuses_a_contract_version_that_is_not_offered(subject: Subject) -> None:
    """The host says what it speaks."""
    if "contractVersions" not in subject.descriptor:
        return
    _check_refusal(
        subject, subject.settings, "connect() with contract_version 999", HostContext(contract_version="999")
    )
    for version in (subject.descriptor["contractVersion"], subject.descriptor["contractVersions"][0], None):
        subject.connect(contract_version=version)


def test_connect_opens_nothing(subject: Subject) -> None:
    """No network, no disk; and at the second time, when all modules are imported, no file at all."""
    settings = subject.settings
    for is_first in (True, False):
        seen = _watched(lambda: subject.connector.connect(settings, HostContext()).close(), is_first=is_first)
        if seen:
            broken(f"connect() opens something: {', '.join(sorted(seen))}")


def test_connect_needs_no_context(subject: Subject) -> None:
    """A script has none."""
    attempt("connect(settings)", subject.connector.connect, subject.settings).close()


def wrong_value(validator: Draft202012Validator, name: str) -> Any:
    """Return a value that a schema refuses for one of its properties; None if it accepts all that we know."""
    for value in WRONG_VALUES:
        if any(
            error.absolute_path and error.absolute_path[0] == name for error in validator.iter_errors({name: value})
        ):
            return value
    return None


def _known(subject: Subject) -> dict[str, Any]:
    return dict(subject._settings or {})  # noqa: SLF001 -- without settings, these checks run on none


def _validate(subject: Subject, settings: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return the report of `validate`, of the right shape and without a secret."""
    report = attempt(f"validate({what})", subject.connector.validate, settings)
    reason = not_json(report, "the report")
    if reason:
        broken(f"validate({what}): {reason}")
    if not isinstance(report, dict) or not isinstance(report.get("valid"), bool):
        broken(f"validate({what}) returns no object with valid, true or false")
    fields = report.get("fields")
    if not isinstance(fields, list) or (bool(fields) is report["valid"]):
        broken(f"validate({what}): fields must be a list that is empty exactly if valid is true")
    for field in fields:
        if not (isinstance(field, dict) and field.get("field") and field.get("message")):
            broken(f"validate({what}): an entry of fields has no field or no message: {shown(field)}")
    subject.must_not_leak(str(report), f"the report of validate({what})")
    return report


def _check_refusal(
    subject: Subject, settings: Mapping[str, Any], what: str, context: HostContext | None = None
) -> None:
    try:
        subject.connector.connect(settings, context).close()
    except Exception as error:  # noqa: BLE001 -- a broken connector raises anything
        code, message = getattr(error, "code", None), getattr(error, "message", None)
        if not (isinstance(code, str) and isinstance(message, str)):
            broken(f"{what} raised {type(error).__name__}, which has no code and message: {shown(error)}")
        subject.must_not_leak(f"{error!s} {error!r} {message}", f"the error of {what}")
        return
    broken(f"{what} is not refused")


_watching: list[tuple[int, set[str]]] = []
"""The thread that is watched, and what it did; an audit hook cannot be removed, so there is one, idle otherwise."""


def _watched(run: Callable[[], Any], *, is_first: bool) -> set[str]:
    """Run something and return what it opened, by the interpreter's audit events."""
    if not getattr(sys, "_vantage_conformance_watch", False):
        sys.addaudithook(_watch)
        sys._vantage_conformance_watch = True  # type: ignore[attr-defined]  # noqa: SLF001 -- once a process
    seen: set[str] = set()
    _watching[:] = [(threading.get_ident(), seen)]
    try:
        attempt("connect()", run)
    finally:
        _watching.clear()
    return {event for event in seen if not (is_first and event.startswith("reads "))}


def _watch(event: str, args: tuple[Any, ...]) -> None:
    for thread, seen in _watching:
        if thread != threading.get_ident():
            continue
        if event in FORBIDDEN_EVENTS:
            seen.add(event)
        elif event == "open" and "__pycache__" not in str(args[0]):
            mode, flags = args[1], args[2]
            is_writing = any(letter in (mode or "") for letter in "wax+") or bool(
                isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            )
            seen.add(f"{'writes' if is_writing else 'reads'} {args[0]}")
