"""JSON bodies as XML, which is what QuickBooks sends to a client that asks for nothing.

A generic conversion: a list becomes repeated elements, `domain` and `sparse` attributes, a
reference an element with its name as an attribute. Both spellings follow one class
hierarchy (Intuit's schema: a Customer is a NameBase is an IntuitEntity): JSON lists a class's
own properties before those it inherits, which begin with `domain`; XML lists them after.
Source: recorded, 2019 (flowlink), byte for byte.
"""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

_ATTRIBUTES = ("domain", "sparse", "status")
_ENVELOPE_ATTRIBUTES = ("startPosition", "maxResults", "totalCount")


def to_xml(body: Mapping[str, Any]) -> str:
    """
    Convert a body.

    Args:
        body: As decoded from JSON, numbers as they were spelled.

    Returns:
        An `IntuitResponse` document.
    """
    time = body.get("time", "")
    inner = "".join(_element(key, value) for key, value in body.items() if key != "time")
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<IntuitResponse xmlns="http://schema.intuit.com/finance/v3" time={quoteattr(str(time))}>'
        f"{inner}</IntuitResponse>"
    )


def _element(key: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(key, item) for item in value)
    if not isinstance(value, Mapping):
        return f"<{key}>{escape(_text(value))}</{key}>"
    if "value" in value and set(value) <= {"value", "name", "type"}:
        # `type` quoted, March 2023 (github.com/intuit/QuickBooks-V3-PHP-SDK/issues/477).
        told = "".join(f" {n}={quoteattr(str(value[n]))}" for n in ("type", "name") if n in value)
        return f"<{key}{told}>{escape(_text(value['value']))}</{key}>"
    names = _ENVELOPE_ATTRIBUTES if key == "QueryResponse" else _ATTRIBUTES
    attributes = "".join(f" {n}={quoteattr(_text(value[n]))}" for n in names if n in value)
    inner = "".join(_element(k, v) for k, v in _inherited_first(value) if k not in names)
    return f"<{key}{attributes}>{inner}</{key}>" if inner else f"<{key}{attributes}/>"


def _inherited_first(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Move what stands before `domain`, a class's own properties, behind the inherited ones."""
    members = list(value.items())
    keys = list(value)
    cut = keys.index("domain") if "domain" in keys and "Id" in keys else 0
    return members[cut:] + members[:cut]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
