"""Output that needs no extra package: JSON, errors as lines, exit statuses, the check for missing packages."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from vantage_quickbooks.cli.inputs import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "FAILURE",
    "INTERRUPTED",
    "SUCCESS",
    "USAGE",
    "clean",
    "error_lines",
    "is_installed",
    "json_text",
    "mask",
    "print_checks",
    "print_error",
    "print_warnings",
    "report_failure",
    "require",
    "say",
    "unwritable",
    "write",
]

SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses; 130 is the shell's for SIGINT."""

# C0 except newline, DEL, C1, zero-width and bidirectional controls: a record's text must not control the terminal.
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_C1 = re.compile("[\x7f-\x9f]")


def write(text: str, stream: TextIO | None = None) -> None:
    """Write *text* to standard output, or *stream*."""
    (stream or sys.stdout).write(text)


def say(text: str) -> None:
    """Write a line to standard error, if that is possible."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text + "\n")


def clean(text: str) -> str:
    """Return *text* with its control characters replaced."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def mask(secret: str) -> str:
    """Return the part of a token that may be shown: its first characters and its length."""
    return f"{secret[:3]}…({len(secret)} characters)"


def json_text(value: Any) -> str:
    """Return *value* as JSON: indented on a terminal, otherwise on one line, so that a log has one line per call."""
    out = sys.stdout
    plain = (out.encoding or "").lower().replace("-", "") not in {"utf8", "utf8sig"}
    text = json.dumps(value, ensure_ascii=plain, indent=2 if out.isatty() else None)
    return _C1.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def error_lines(error: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> list[tuple[str, str]]:
    """Return an error as lines of text, each with its style.

    Args:
        error: The envelope's `error`.
        meta: The envelope's `meta`.
    """
    headline = _headline(error)
    lines = [("bold red", f"{error['code']}: {headline}")]
    # A message of one field ends with the field's hint: do not repeat it.
    for entry in error["fields"]:
        if entry["hint"] and headline.endswith(entry["hint"]):
            continue
        name = f"{entry['field']}: " if entry["field"] else ""
        lines += [("red", f"  {name}{entry['message']}"), ("", f"      {entry['hint']}")]
    if error["retryable"]:
        wait = error["retryAfter"]
        lines.append(("", f"  Try again {'later' if wait is None else f'in {wait:g} seconds'}."))
    facts = {
        "fault code": error["details"].get("faultCode"),
        "intuit_tid": error["details"].get("intuitTid"),
        "request id": (meta or {}).get("request_id"),
    }
    lines += [("dim", f"  {name}: {value}") for name, value in facts.items() if value]
    return [(style, clean(text)) for style, text in lines]


def _headline(error: Mapping[str, Any]) -> str:
    """Return the message, or the number of errors where the message only repeats the fields listed below it."""
    count = len(error["fields"])
    where = {"SETTINGS_INVALID": "settings", "INPUT_INVALID": "input"}.get(error["code"])
    if not count or where is None:
        return str(error["message"])
    return f"{count} {'error' if count == 1 else 'errors'} in the {where}."


def print_checks(found: Mapping[str, Any]) -> None:
    """Write what `Connection.test` found: a line for each check, errors and warnings on standard error."""
    for check in found["checks"]:
        if check["ok"]:
            write(f"ok      {check['name']}: {clean(check['message'])}\n")
        else:
            write(f"FAILED  {check['name']}\n")
            sys.stdout.flush()
            print_error(check["error"])
    print_warnings(found["warnings"])


def print_warnings(entries: Sequence[Mapping[str, str]]) -> None:
    """Write warnings about fields to standard error, two lines each."""
    for entry in entries:
        say(clean(f"Warning: {entry['field']}: {entry['message']}\n    {entry['hint']}"))


def print_error(error: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None:
    """Write an error to standard error, in color on a terminal if rich is installed."""
    lines = error_lines(error, meta)
    if sys.stderr.isatty() and is_installed("rich"):
        from vantage_quickbooks.cli import tables

        tables.print_lines(lines)
        return
    for _, text in lines:
        say(text)


def report_failure(envelope: Mapping[str, Any], format_: str | None) -> int:
    """Report a failed call, and return the exit status.

    As JSON on standard output where a program may read it; as text on standard error where a person does.

    Args:
        envelope: The envelope.
        format_: The format that was asked for; None for the default.
    """
    is_text = format_ not in {None, "json"} or (format_ is None and sys.stdout.isatty())
    if not is_text:
        write(json_text(envelope))
    if is_text or sys.stderr.isatty():
        print_error(envelope["error"], envelope["meta"])
    return FAILURE


def unwritable(name: str, error: OSError) -> int:
    """Report an output that cannot be written, and return the exit status."""
    is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    reason = "the disk is full" if is_full else error.strerror or "the system refused"
    say(f"vantage-quickbooks: {name} cannot be written: {clean(reason)}.")
    return FAILURE


def require(why: str, **extras: tuple[str, ...]) -> None:
    """Check that the packages of extras are installed.

    Args:
        why: The beginning of the message: "Tables need".
        **extras: Each with the packages that are needed of it.

    Raises:
        UsageError: Packages are missing; the message names all of them and one command that installs them.
    """
    missing = {extra: [name for name in names if not is_installed(name)] for extra, names in extras.items()}
    packages = [name for names in missing.values() for name in names]
    if packages:
        noun = "package" if len(packages) == 1 else "packages"
        wanted = ",".join(sorted(extra for extra, names in missing.items() if names))
        raise UsageError(
            f"{why} the {noun} {', '.join(packages)}. To install: pip install 'vantage-quickbooks[{wanted}]'"
        )


def is_installed(package: str) -> bool:
    """Return whether a package can be imported."""
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # None in sys.modules: the import is blocked
        return False
