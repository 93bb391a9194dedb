"""A new name shows wherever a record is referred to, though what refers to it is not edited.

QuickBooks looks names up for each response (recorded, 2026: items and forms showed three names of an account in a row,
with the same SyncToken and LastUpdatedTime). Here the names are stored in the referring texts and replaced once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.company import names, shapes
from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.company.row import row_of
from vantage_quickbooks.emulator.json_text import compact, decode, encode

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.change import Record
    from vantage_quickbooks.emulator.company.entities import Entity
    from vantage_quickbooks.emulator.company.store import Store


def propagate(store: Store, realm: str, entity: Entity, old: Record, new: Record) -> None:
    """Replace the name of a record in its references, and in the full names of the records below it.

    Args:
        store: The records; the caller is writing.
        realm: The company.
        entity: The record's entity.
        old: The record before.
        new: The record after.
    """
    before, after = (names.name_in_references(entity.name, record) for record in (old, new))
    if before == after or not before or not after:
        return
    if entity.name in shapes.REFERABLE:
        _replace_references(store, realm, entity, str(new["Id"]), (before, after))
    if entity.sort_property != entity.name_property or entity.name == "Account":
        _rename_children(store, realm, entity, new)


def _replace_references(store: Store, realm: str, entity: Entity, id_: str, pair: tuple[str, str]) -> None:
    head, changed = (f'{{"value":"{id_}","name":{compact(name)}' for name in pair)
    keys = [key for key, kind in shapes.REFERENCE_TARGETS.items() if kind == entity.name]
    for name, body in store.bodies_with(realm, head, customer=id_ if entity.name == "Customer" else None):
        text = body
        for key in keys:
            if key not in shapes.NAMELESS_REFERENCES.get(name, ()):
                text = text.replace(f'"{key}":{head}}}', f'"{key}":{changed}}}')
        kind = f',"type":"{entity.name}"'
        text = text.replace(f'"EntityRef":{head}{kind}', f'"EntityRef":{changed}{kind}')
        if text != body:
            record: dict[str, Any] = decode(text)
            inner = shapes.template_of(record)[1] if name == "RecurringTransaction" else record
            store.save(realm, name, row_of(ENTITIES[name], inner, text))


def _rename_children(store: Store, realm: str, entity: Entity, parent: Record) -> None:
    for body in store.children(realm, entity.name, str(parent["Id"])):
        old = decode(body)
        own = old.get(entity.name_property)
        new = old | {"FullyQualifiedName": f"{parent['FullyQualifiedName']}:{own}"}
        store.save(realm, entity.name, row_of(entity, new, encode(new)))
        propagate(store, realm, entity, old, new)
        if entity.name not in shapes.REFERABLE or names.name_in_references(entity.name, new) == own:
            _rename_children(store, realm, entity, new)
