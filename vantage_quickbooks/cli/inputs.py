"""Settings and inputs: JSON files, environment variables, standard input, arguments. Secrets are never arguments."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "ENVIRONMENT",
    "UsageError",
    "read_app_settings",
    "read_input",
    "read_object",
    "read_pairs",
    "read_settings",
    "read_settings_file",
]

ENVIRONMENT = {
    f"VANTAGE_QUICKBOOKS_{name.upper()}": name
    for name in ("client_id", "client_secret", "refresh_token", "realm_id", "max_results", "environment")
}
"""Environment variables that override a settings file, key by key."""

SAMPLE = '{"client_id": "...", "client_secret": "...", "refresh_token": "...", "realm_id": "..."}'


class UsageError(Exception):
    """The command line or a file that it names is wrong; the message says what to change."""


def read_settings(
    source: str | None, emulator_url: str | None = None, *, held: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Read the settings: the file's, overridden key by key by environment variables that are not blank.

    Args:
        source: Path of a JSON file, `-` for standard input, or None.
        emulator_url: A local emulator to use, regardless of the settings.
        held: Settings to use if *source* is None.

    Raises:
        UsageError: The file cannot be read, or there are no settings.
    """
    settings = read_settings_file(source) if source is not None else dict(held or {})
    settings |= {name: os.environ[key] for key, name in ENVIRONMENT.items() if os.environ.get(key, "").strip()}
    if not settings:
        raise UsageError(
            f"No settings. Use --settings FILE with a JSON file that contains {SAMPLE}, or set the variables "
            "VANTAGE_QUICKBOOKS_CLIENT_ID, _CLIENT_SECRET, _REFRESH_TOKEN and _REALM_ID. "
            "To try it without a QuickBooks company, run: vantage-quickbooks demo"
        )
    emulator_url = emulator_url or os.environ.get("VANTAGE_QUICKBOOKS_EMULATOR_URL", "").strip()
    if emulator_url and emulator_url != "off":
        settings |= {"environment": "emulator", "emulator_url": emulator_url}
    return settings


def read_settings_file(source: str) -> dict[str, Any]:
    """Read a settings file. Files in the folder of a registry may contain a `label`, which is not a setting.

    Args:
        source: Its path, or `-` for standard input.

    Raises:
        UsageError: The file cannot be read or does not contain an object.
    """
    settings = read_object(source, "settings")
    settings.pop("label", None)
    return settings


def read_app_settings(
    source: str | None, emulator_url: str | None = None, *, held: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Read the settings of a company that is about to be connected: client id and client secret are enough.

    Args:
        source: Path of a JSON file, `-` for standard input, or None.
        emulator_url: A local emulator to use, regardless of the settings.
        held: Settings to use if *source* is None.

    Raises:
        UsageError: The file cannot be read, or there are no settings.
    """
    if source is None and not held and not any(os.environ.get(key, "").strip() for key in ENVIRONMENT):
        raise UsageError(
            "No client id and client secret. Use --settings FILE with a JSON file that contains "
            '{"client_id": "...", "client_secret": "..."}, or set the variables VANTAGE_QUICKBOOKS_CLIENT_ID and '
            "VANTAGE_QUICKBOOKS_CLIENT_SECRET. Copy both from the app's Keys & credentials page at Intuit."
        )
    return read_settings(source, emulator_url, held=held)


def read_input(text: str | None, pairs: Sequence[str] = ()) -> Any:
    """Read an action's input.

    Args:
        text: JSON, `@FILE`, `-` for standard input, or None.
        pairs: `KEY=VALUE` arguments, which override keys of *text*.

    Returns:
        The input. JSON that is not an object is returned as it is: the connector reports it.

    Raises:
        UsageError: It cannot be read, or the two cannot be combined.
    """
    data: Any = {}
    if text is not None and (text == "-" or text.startswith("@")):
        data = _parse(_text(text.removeprefix("@"), "input"), _name(text.removeprefix("@")))
    elif text is not None:
        data = _parse(text, "--input")
    if not pairs:
        return data
    if not isinstance(data, dict):
        raise UsageError("KEY=VALUE arguments need an --input that is a JSON object, or none.")
    return data | read_pairs(pairs)


def read_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `KEY=VALUE` arguments.

    A value is text, as from a form ("25" and "true" are understood); text that is a JSON list or object is parsed.

    Raises:
        UsageError: An argument is not of this form, or a key occurs twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(
                f"{json.dumps(pair[:60])} is not KEY=VALUE. Write an input, = and its value: max_results=25."
            )
        if key in found:
            raise UsageError(f"{key} occurs twice. For several values, separate them by commas or use a JSON list.")
        found[key] = _value(value)
    return found


def _value(text: str) -> Any:
    if text.lstrip()[:1] in {"[", "{"}:
        with contextlib.suppress(UsageError):
            return _parse(text, "")
    return text


def read_object(source: str, what: str) -> dict[str, Any]:
    """Read a JSON object from a file.

    Args:
        source: Its path, or `-` for standard input.
        what: What it contains, for a message: `settings`.

    Raises:
        UsageError: The file cannot be read or does not contain an object.
    """
    value = _parse(_text(source, what), _name(source))
    if not isinstance(value, dict):
        raise UsageError(f"{_name(source)} does not contain a JSON object. Expected: {SAMPLE}.")
    return value


def _name(source: str) -> str:
    return "Standard input" if source == "-" else source


def _text(source: str, what: str) -> str:
    try:
        if source != "-":
            return Path(source).read_bytes().decode("utf-8-sig")
        if sys.stdin.isatty():
            sys.stderr.write(f"Reading the {what} (JSON) from the terminal. End with Ctrl-D.\n")
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{_name(source)} cannot be read: {error.strerror or 'the system refused'}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{_name(source)} is not UTF-8 text. Save it as JSON in UTF-8.") from None


def _parse(text: str, name: str) -> Any:
    """Parse JSON strictly: a name that occurs twice is an error."""
    if not text.strip():
        raise UsageError(f"{name} is empty. Expected: a JSON object.")
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except json.JSONDecodeError as error:
        # The message contains no value: the text may contain secrets.
        raise UsageError(f"{name} is not valid JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise UsageError(f"{name} is not valid JSON: it is nested too deeply.") from None
    except ValueError as error:
        raise UsageError(f"{name} is not valid JSON: {error}.") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{json.dumps(twice[:60])} occurs twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
