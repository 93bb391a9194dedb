"""What a person hands over: JSON from files, the environment and standard input. Never a secret as an argument."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["ENVIRONMENT", "UsageError", "read_connectable", "read_input", "read_object", "read_settings"]

ENVIRONMENT = {
    f"VANTAGE_QUICKBOOKS_{name.upper()}": name
    for name in ("client_id", "client_secret", "refresh_token", "realm_id", "max_results", "environment")
}
"""Environment variables that override a settings file, key by key."""

SAMPLE = '{"client_id": "...", "client_secret": "...", "refresh_token": "...", "realm_id": "..."}'


class UsageError(Exception):
    """The command cannot be carried out as it was written; the message says what to change."""


def read_settings(source: str | None, emulator_url: str | None = None) -> dict[str, Any]:
    """Read the settings: the file's, overridden key by key by environment variables that are not blank.

    Args:
        source: Path of a JSON file, `-` for standard input, or None.
        emulator_url: A local emulator that they are for, in place of what they say themselves.

    Raises:
        UsageError: The file cannot be read, or there are no settings at all.
    """
    settings = read_object(source, "settings") if source is not None else {}
    settings |= {name: os.environ[key] for key, name in ENVIRONMENT.items() if os.environ.get(key, "").strip()}
    if not settings:
        raise UsageError(
            f"There are no settings. Give a JSON file, --settings FILE, holding {SAMPLE}, or set "
            "VANTAGE_QUICKBOOKS_CLIENT_ID, _CLIENT_SECRET, _REFRESH_TOKEN and _REALM_ID. "
            "To try it without a QuickBooks company: vantage-quickbooks demo."
        )
    emulator_url = emulator_url or os.environ.get("VANTAGE_QUICKBOOKS_EMULATOR_URL", "").strip()
    if emulator_url and emulator_url != "off":
        settings |= {"environment": "emulator", "emulator_url": emulator_url}
    return settings


def read_connectable(source: str | None, target: Path, emulator_url: str | None = None) -> dict[str, Any]:
    """Read the settings of a company that is about to be connected: the app's alone are enough.

    Args:
        source: As for `read_settings`; None takes *target* if it is there.
        target: The file that will hold the settings.
        emulator_url: As for `read_settings`.

    Raises:
        UsageError: A file cannot be read, or there are no settings at all.
    """
    if source is None and target.exists():
        source = str(target)
    if source is None and not any(os.environ.get(key, "").strip() for key in ENVIRONMENT):
        raise UsageError(
            "The app is not known yet. Give a JSON file, --settings FILE, holding "
            '{"client_id": "...", "client_secret": "..."}, or set VANTAGE_QUICKBOOKS_CLIENT_ID and '
            "VANTAGE_QUICKBOOKS_CLIENT_SECRET. Both stand on the Keys & credentials page of the app."
        )
    return read_settings(source, emulator_url)


def read_input(text: str | None) -> Any:
    """Read an action's input.

    Args:
        text: JSON, `@FILE`, `-` for standard input, or None for no input.

    Returns:
        Whatever JSON it holds: the connector says best what is wrong with it.

    Raises:
        UsageError: It cannot be read.
    """
    if text is None:
        return {}
    if text == "-" or text.startswith("@"):
        return _parse(_text(text.removeprefix("@"), "input"), _name(text.removeprefix("@")))
    return _parse(text, "--input")


def read_object(source: str, what: str) -> dict[str, Any]:
    """Read a JSON object from a file.

    Args:
        source: Its path, or `-` for standard input.
        what: What it holds, for a message: `settings`.

    Raises:
        UsageError: The file cannot be read or holds something else.
    """
    value = _parse(_text(source, what), _name(source))
    if not isinstance(value, dict):
        raise UsageError(f"{_name(source)} holds no JSON object. It should hold {SAMPLE}.")
    return value


def _name(source: str) -> str:
    return "Standard input" if source == "-" else source


def _text(source: str, what: str) -> str:
    try:
        if source != "-":
            return Path(source).read_bytes().decode("utf-8-sig")
        if sys.stdin.isatty():
            sys.stderr.write(f"Reading the {what} as JSON from the terminal; end it with Ctrl-D.\n")
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{_name(source)} cannot be read: {error.strerror or 'the system refused'}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{_name(source)} is not UTF-8 text. Save it as JSON in UTF-8.") from None


def _parse(text: str, name: str) -> Any:
    """Parse JSON strictly: of two values under one name, neither is dropped in silence."""
    if not text.strip():
        raise UsageError(f"{name} is empty. It should hold a JSON object.")
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except json.JSONDecodeError as error:
        # The reason names no value, for the text may hold secrets.
        raise UsageError(f"{name} is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise UsageError(f"{name} is not usable JSON: it is nested too deeply.") from None
    except ValueError as error:
        raise UsageError(f"{name} is not usable JSON: {error}.") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {json.dumps(twice[:60])} twice")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
