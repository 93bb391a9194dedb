"""JSON bodies as XML, which is what QuickBooks sends to a client that asks for nothing.

A generic conversion: a list becomes repeated elements, `domain` and `sparse` attributes, a
reference an element with its name as an attribute. The order of elements is that of the
JSON; Intuit's XML puts the common elements first (see docs/emulator.md).
Source: recorded, 2019 (flowlink).
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
    if "value" in value and set(value) <= {"value", "name"}:
        name = f" name={quoteattr(str(value['name']))}" if "name" in value else ""
        return f"<{key}{name}>{escape(_text(value['value']))}</{key}>"
    names = _ENVELOPE_ATTRIBUTES if key == "QueryResponse" else _ATTRIBUTES
    attributes = "".join(f" {n}={quoteattr(_text(value[n]))}" for n in names if n in value)
    inner = "".join(_element(k, v) for k, v in value.items() if k not in names)
    return f"<{key}{attributes}>{inner}</{key}>" if inner else f"<{key}{attributes}/>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
