"""Values as forms send them: what JSON cannot carry is found, and valid values are normalized.

Forms send numbers as text, blanks around text, and null or "" for an empty field.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BLANKS", "find_unusable", "is_blank", "normalize", "property_type", "to_int"]

BLANKS = (
    "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u200b\u2060\ufeff"  # the last three have no width: copied from web pages, unseen
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.0+)?")

_MAX_VALUES = 10_000
"""Values of one field, nested ones included: no form has more, and a list that contains itself never ends."""

_MAX_LEVELS = 32
_MAX_BITS = 1024
"""Bits of an integer: the range of a JSON double (IEEE 754 binary64)."""


def find_unusable(value: object) -> str | None:
    """Return the rule that a value breaks before any schema, or None.

    Returns:
        `json`: it contains something that JSON cannot carry (RFC 8259). `size`: it is too large or too deeply nested.
        `encoding`: it contains a lone surrogate, which UTF-8 cannot encode (RFC 3629 section 3).
    """
    pending: list[tuple[object, int]] = [(value, 0)]
    for _ in range(_MAX_VALUES):
        if not pending:
            return None
        item, level = pending.pop()
        rule = _find_unusable_item(item) if level < _MAX_LEVELS else "size"
        if rule is not None:
            return rule
        if isinstance(item, dict):
            pending += [(child, level + 1) for pair in item.items() for child in pair]
        elif isinstance(item, list | tuple):
            pending += [(child, level + 1) for child in item]
    return "size"


def normalize(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a valid value in its property's type, or None if it means "not given".

    Blanks around text are removed, "100" becomes 100, "a, b" a list; null, "" and [] mean "not given".

    Args:
        value: A value that meets the schema.
        schema: The property's schema.
    """
    kind = property_type(schema)
    if isinstance(value, str):
        value = value.strip(BLANKS)
        if kind == "array":
            value = [name for item in value.split(",") if (name := item.strip(BLANKS))]
            return list(dict.fromkeys(value)) or None
    if value is None or value in ("", []):
        return None
    if kind == "integer":
        return to_int(value)
    if kind == "number":
        number = to_int(value)
        return float(number) if isinstance(number, str) else number
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"  # a form's select sends text
    if kind == "string" and not isinstance(value, str):
        return str(to_int(value))  # the Id of a record: few digits, so no number has lost one
    return value


def property_type(schema: Mapping[str, Any]) -> Any:
    """Return the type that a property has when it is normalized: the first type that its schema names."""
    kind = schema.get("type")
    return kind[0] if isinstance(kind, list) else kind


def to_int(value: Any) -> Any:
    """Return an integer in any spelling ("7", 7.0) as an int, and any other value unchanged."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value.partition(".")[0])
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else value


def is_blank(value: Any) -> bool:
    """Return whether a value is null or text of blanks only."""
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


def _find_unusable_item(item: object) -> str | None:
    match item:
        case None | bool():
            return None
        case str():
            return None if _is_unicode(item) else "encoding"
        case int():
            return None if item.bit_length() <= _MAX_BITS else "size"
        case float():
            return None if math.isfinite(item) else "json"
        case dict():
            return None if all(isinstance(key, str) for key in item) else "json"
        case list() | tuple():
            return None
    return "json"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True
