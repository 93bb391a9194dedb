"""JSON bodies as XML, which QuickBooks sends to a client that does not ask for a format, and back.

A generic conversion: a list becomes repeated elements, `domain` and `sparse` become attributes, a reference becomes an
element with its name as an attribute. Both formats follow one class hierarchy (Intuit's schema: a Customer is a
NameBase is an IntuitEntity): JSON lists a class's own properties before the inherited ones, which begin with `domain`;
XML lists them after. Source: recorded, 2019 (flowlink), byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

_ATTRIBUTES = ("domain", "sparse", "status")
_ENVELOPE_ATTRIBUTES = ("startPosition", "maxResults", "totalCount")
# XML does not distinguish a list of one from an object, or a number from text; these are from Intuit's schema.
_LISTS = {"Line", "LinkedTxn", "CustomField", "TaxLine", "OtherContactInfo", "NameValue"}
_NUMBERS = {
    "Amount",
    "TotalAmt",
    "Balance",
    "BalanceWithJobs",
    "UnitPrice",
    "Qty",
    "Deposit",
    "TotalTax",
    "UnappliedAmt",
} | {"NetAmountTaxable", "TaxPercent", "DiscountPercent", "ExchangeRate", "PurchaseCost", "QtyOnHand", "HourlyRate"}


def to_xml(body: Mapping[str, Any]) -> str:
    """Convert a body.

    Args:
        body: As decoded from JSON, numbers as text.

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
        attributes = "".join(f" {n}={quoteattr(str(value[n]))}" for n in ("type", "name") if n in value)
        return f"<{key}{attributes}>{escape(_text(value['value']))}</{key}>"
    names = _ENVELOPE_ATTRIBUTES if key == "QueryResponse" else _ATTRIBUTES
    attributes = "".join(f" {n}={quoteattr(_text(value[n]))}" for n in names if n in value)
    inner = "".join(_element(k, v) for k, v in _inherited_first(value) if k not in names)
    return f"<{key}{attributes}>{inner}</{key}>" if inner else f"<{key}{attributes}/>"


def _inherited_first(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Move what precedes `domain`, a class's own properties, behind the inherited ones."""
    members = list(value.items())
    keys = list(value)
    cut = keys.index("domain") if "domain" in keys and "Id" in keys else 0
    return members[cut:] + members[:cut]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def from_xml(text: str) -> tuple[str, dict[str, Any]]:
    """Parse a body that a client sends as XML.

    Args:
        text: One record, such as `<Customer xmlns="...">...</Customer>`.

    Returns:
        The entity's name and the record, as in JSON.

    Raises:
        ValueError: The text is not XML.

    Source: recorded, 2019 (flowlink add_customer).
    """
    try:
        root = ET.fromstring(text)  # noqa: S314 -- from the client of a local server; expat guards itself
    except ET.ParseError as error:
        raise ValueError(str(error)) from None
    record = _value(root)
    return _bare(root), record if isinstance(record, dict) else {}


def _bare(element: ET.Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _value(element: ET.Element) -> Any:
    name, text = _bare(element), element.text or ""
    if not len(element):
        if name.endswith("Ref"):
            return {"value": text, **element.attrib}
        if name in _NUMBERS:
            try:
                return Decimal(text)
            except InvalidOperation:
                raise ValueError(f"{text!r} is not a number") from None
        return text == "true" if text in ("true", "false") else text
    members: dict[str, Any] = {key: value == "true" if key == "sparse" else value for key, value in element.items()}
    for child in element:
        if _bare(child) in _LISTS:
            members.setdefault(_bare(child), []).append(_value(child))
        else:
            members[_bare(child)] = _value(child)
    return members
