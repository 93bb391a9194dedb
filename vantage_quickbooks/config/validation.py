"""Validate what a form or a program sends, report every field that is invalid, and normalize the rest.

Rules
1. The published schema decides, on the values as they were sent: a host that validates first accepts exactly what this
   module accepts. What forms send is therefore part of the schema (see `form_values`), and values are normalized only
   after validation. No keyword counts whose meaning depends on a validator's options (`format`).
2. All violations are reported at once, one entry per field, in the order of the form.
3. The messages are ours: see `field_errors`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.config.field_errors import FieldErrors, describe_type
from vantage_quickbooks.config.form_values import find_unusable, normalize
from vantage_quickbooks.config.schema_files import load_schema, validator_for
from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["clean", "summarize", "validate_input"]


def clean(schema_name: str, data: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """Validate *data* and normalize what is valid.

    It neither raises because of *data*, of any type, nor changes it.

    Args:
        schema_name: As for `load_schema`.
        data: What a form, a file or a program sent.

    Returns:
        The valid fields that were given, normalized; and one entry for each invalid field, in the order of the schema,
        unknown fields last.

    Raises:
        InternalError: The schema itself is missing or damaged.
    """
    validator = validator_for(schema_name)
    noun = "setting" if schema_name.startswith("settings.") else "input"
    if not isinstance(data, Mapping):
        message = f"The {noun}s must be an object of names and values, not {describe_type(data)}."
        return {}, [FieldError("", "type", message, 'Use an object like {"max_results": 50}.')]
    errors = FieldErrors(noun, validator.schema, data)
    given: dict[str, Any] = {}
    for key, value in data.items():
        if not isinstance(key, str) or key not in errors.properties:
            errors.add_unknown(key)
        elif (rule := find_unusable(value)) is not None:
            errors.add_unusable(key, rule, value)
        else:
            given[key] = list(value) if isinstance(value, tuple) else value
    for error in validator.iter_errors(given):
        errors.add_violation(error, given)
    valid = {key: normalize(value, errors.properties[key]) for key, value in given.items() if key not in errors}
    return {key: value for key, value in valid.items() if value is not None}, errors.entries()


def validate_input(action_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Validate and normalize the input of one call.

    Args:
        action_id: Id of the action, as `listCustomers`.
        data: The input.

    Returns:
        The inputs that were given, normalized; no defaults are filled in.

    Raises:
        InputError: With one entry for each invalid field.
    """
    if type(data) is dict and not data and not _has_required(action_id):
        return {}  # a host asks for its cached token often: skip the validator
    cleaned, fields = clean(f"{action_id}.input.schema", data)
    if fields:
        raise InputError(summarize("input", fields), fields)
    return cleaned


@functools.cache
def _has_required(action_id: str) -> bool:
    return bool(load_schema(f"{action_id}.input.schema").get("required"))


def summarize(noun: str, fields: Sequence[FieldError]) -> str:
    """Return one message for all entries.

    Args:
        noun: What they are about, in the singular: `setting` or `input`.
        fields: The entries, at least one.
    """
    text = " ".join(f"{entry.message} {entry.hint}" for entry in fields)
    return text if len(fields) == 1 else f"{len(fields)} errors in the {noun}s. {text}"
