"""Saved Intuit responses as a company's data, each record byte for byte as it was saved.

A `*.json` file below the folder counts if it has an entity's records at any depth:
`{"QueryResponse": {"Invoice": [...]}}`, `{"Customer": {...}, "time": ...}`, `{"Customer": [...]}`, a recording that
wraps one of these, or a bare array in a file named after the entity. A record's own text is cut out of the file;
nothing is serialized again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.company.entities import BY_LOWER_NAME, ENTITIES, Entity
from vantage_quickbooks.emulator.company.row import Row, row_of
from vantage_quickbooks.emulator.company.shapes import template_of
from vantage_quickbooks.emulator.json_text import DECODER, positions_of_items, positions_of_members, skip_blanks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def load(folder: Path) -> list[tuple[str, Row]]:
    """Read a folder.

    Args:
        folder: Searched with all its subfolders.

    Returns:
        Entity names and rows. Of records that occur twice, the one edited last.

    Raises:
        ValueError: The folder does not exist, a file is not JSON, a record has no Id, or there are no records.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    found: dict[tuple[str, str], Row] = {}
    for path in sorted(folder.rglob("*.json")):
        try:
            text = path.read_text("utf-8-sig")
            start = skip_blanks(text, 0)
            value, end = DECODER.raw_decode(text, start)
        except ValueError as error:  # of JSON or of UTF-8
            raise ValueError(f"{path}: {error}") from None
        for entity, record, raw in _records(text, start, end, value, _entity_of_file(path)):
            if record.get("status") == "Deleted":
                continue
            if not record.get("Id"):
                raise ValueError(f"{path}: a record of {entity.name} has no Id")
            try:
                row = row_of(entity, record, raw)
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{path}: {entity.name} {record['Id']}: {error}") from None
            known = found.get((entity.name, row.id))
            if known is None or row.updated >= known.updated:
                found[entity.name, row.id] = row
    if not found:
        raise ValueError(f"{folder} has no saved responses (*.json with a QueryResponse or an entity)")
    return [(name, row) for (name, _), row in found.items()]


def _entity_of_file(path: Path) -> Entity | None:
    """Return the entity that a file is named after: `Customer.json`, `invoices.json`."""
    stem = path.stem.lower()
    return BY_LOWER_NAME.get(stem) or BY_LOWER_NAME.get(stem.removesuffix("s")) or BY_LOWER_NAME.get(_singular(stem))


def _singular(stem: str) -> str:
    return stem.removesuffix("ies") + "y"


def _records(
    text: str, start: int, end: int, value: Any, entity: Entity | None
) -> Iterator[tuple[Entity, dict[str, Any], str]]:
    """Find records at any depth; `entity` is the entity of a list or object here, if known."""
    if isinstance(value, list):
        for at, stop, item in positions_of_items(text, start, value):
            yield from _records(text, at, stop, item, entity)
    elif isinstance(value, dict):
        template = template_of(value)[1] if entity and entity.name == "RecurringTransaction" else {}
        if entity and "Id" in template:
            yield entity, template, text[start:end]
            return
        # An invoice's `Deposit` is an amount: only objects and lists under an entity's name are its records.
        inside = any(isinstance(value[name], dict | list) for name in ENTITIES.keys() & value.keys())
        if entity and "Id" in value and not inside:
            yield entity, value, text[start:end]
            return
        for key, at, stop, item in positions_of_members(text, start, value):
            inner = ENTITIES.get(key) if isinstance(item, dict | list) else None
            yield from _records(text, at, stop, item, inner)
