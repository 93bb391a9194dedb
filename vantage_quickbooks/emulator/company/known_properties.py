"""The properties that Intuit's classes have, and the order in which fault 2010 lists them.

known_properties.txt has the names that Intuit's public schema gives each entity (QuickBooks-V3-PHP-SDK, src/XSD, July
2026, Apache 2.0). QuickBooks parses bodies with Jackson, whose refusal of an unknown property lists the known ones in
the order of its hash table and stops beyond a thousand characters: all 61 names that were recorded in 2020 stand where
Java's hash codes put them.

Source: https://github.com/FasterXML/jackson-databind, BeanPropertyMap and PropertyBindingException.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALSO_ACCEPTED: dict[str, frozenset[str]] = {
    "Employee": frozenset({"Organization"}),
    "Estimate": frozenset({"TrackingNum"}),
    "SalesReceipt": frozenset({"ShipDate", "TrackingNum"}),
}
"""Properties that the schema lacks and QuickBooks accepts: python-quickbooks sends them, and its live tests pass."""
_EVERYWHERE = ("domain", "status", "sparse")
_ALIKE = {"ChangeOrder": "Estimate"}  # a new entity, which the schema describes like another
# Recorded, 2020, of an invoice: these lost their slots to other properties.
_LATE = (
    "AllowOnlineAffirmPayment", "AllowOnlinePayPalPayment", "Balance", "BillEmail", "BillEmailCc", "CustomExtensions",
    "DueDate", "GlobalTaxCalculation", "Line", "SalesTermRef", "ShipAddr", "TaxExemptionRef", "sparse",
)  # fmt: skip
_MAX_LENGTH = 1000  # characters of the list; the name that passes it is the last


@functools.cache
def schema_properties() -> dict[str, tuple[str, ...]]:
    """Return the names of each entity's properties, in the schema's order."""
    text = (resources.files(__package__) / "known_properties.txt").read_text("utf-8")
    found = {name: tuple(names.split()) for name, _, names in (line.partition(":") for line in text.splitlines())}
    return found | {name: found[other] for name, other in _ALIKE.items()}


def describe(names: Sequence[str]) -> str:
    """Write the list of known properties as Jackson does: `(83 known properties: "DocNumber", ... [truncated]])`.

    Args:
        names: Each once; the names that every class has are added.
    """
    ordered = _in_hash_order([name for name in dict.fromkeys((*names, *_EVERYWHERE)) if name not in _LATE])
    late = [name for name in _LATE if name in names or name in _EVERYWHERE]
    ordered = _in_hash_order([*ordered, *late])
    text = f" ({len(ordered)} known properties: "
    for number, name in enumerate(ordered):
        text += f'"{name}"'
        if len(text) > _MAX_LENGTH:
            return f"{text} [truncated]])".lstrip()
        text += ", " if number < len(ordered) - 1 else ""
    return f"{text}])".lstrip()


def _in_hash_order(names: Sequence[str]) -> list[str]:
    """Sort names as Jackson's BeanPropertyMap holds them: by slot, then those that found their slot taken."""
    size = 32
    while size < len(names) + len(names) // 4:
        size *= 2
    table: dict[int, str] = {}
    for number, name in enumerate(names):
        slot = _java_hash(name) & (size - 1)
        if slot in table:
            slot = size + (slot >> 1)
        if slot in table:
            slot = 2 * size + number
        table[slot] = name
    return [table[slot] for slot in sorted(table)]


def _java_hash(text: str) -> int:
    """Return Java's String.hashCode, as an unsigned number."""
    return functools.reduce(lambda value, character: (31 * value + ord(character)) & 0xFFFFFFFF, text, 0)
