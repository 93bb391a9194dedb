"""Load the JSON Schemas and form descriptions that the package ships."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.errors import InternalError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

__all__ = ["load_schema", "validator_for"]

_FOLDERS = (Path(__file__).parents[1] / "_schemas", Path(__file__).parents[2] / "schemas")
"""A wheel contains the schemas inside the package; a checkout and an editable install have them beside it."""


def load_schema(name: str) -> dict[str, Any]:
    """Return a schema or form description.

    Args:
        name: File name without `.json`: `settings.schema`, `settings.form`, `listCustomers.input.schema`.

    Returns:
        A new dict at each call, so the caller may change it.

    Raises:
        InternalError: The file is missing or cannot be read: the installation is damaged.
    """
    try:
        schema = json.loads(_read(name))
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise InternalError(f"{name}.json, a file of this connector, is damaged. Install vantage-quickbooks again.")
    return schema


@functools.cache
def validator_for(name: str) -> Draft202012Validator:
    """Return the validator of a schema, the same object at each call.

    Args:
        name: As for `load_schema`.

    Raises:
        InternalError: See `load_schema`.
    """
    # Imported at the first validation: jsonschema costs 70 ms, and a host starts hundreds of plugins.
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- the reason is given one line before

    return Draft202012Validator(load_schema(name))


@functools.cache
def _read(name: str) -> str:
    for folder in _FOLDERS:
        path = folder / f"{name}.json"
        try:
            # Names come from hosts, too (an action's id), so a path in a name must not lead out of the folder.
            if path.parent == folder:
                return path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
    raise InternalError(f"{name}.json, a file of this connector, is missing. Install vantage-quickbooks again.")
