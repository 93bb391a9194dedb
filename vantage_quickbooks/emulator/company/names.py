"""Rules for name lists: full names, parents, and the names inside references."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import shapes

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.change import Change, Record, RecordLookup
    from vantage_quickbooks.emulator.company.entities import Entity

DELETED_SUFFIX = " (deleted)"
"""Recorded, 2020 (minimul get/inactive_vendors.yml, deactivate/account.yml)."""
_NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")
_INVALID_IN_NAME = re.compile(r"[:\t\n]")
"""Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/customer."""


def _with_deleted_suffix(name: str, active: bool) -> str:
    bare = name.removesuffix(DELETED_SUFFIX)
    return bare if active else bare + DELETED_SUFFIX


def apply_name(change: Change, record: Record) -> Record:
    """Complete the name of a name list's record, alone and below its parents.

    Args:
        change: The write.
        record: The record.

    Raises:
        Fault: 2020, 2500 or 6000.
    """
    entity = change.entity
    if not change.touches(entity.name_property, "Active", "ParentRef", *_NAME_PARTS):
        return record
    name = str(record.get(entity.name_property) or "").strip()
    if entity.name_property == "DisplayName":
        name = name or " ".join(str(record[part]) for part in _NAME_PARTS if record.get(part))
        if _INVALID_IN_NAME.search(name):
            raise errors.business_error("The name must not contain a colon, a tab or a new line")  # our words
    name = name or str(record.get("Code") or "")  # a currency's
    if not name:
        raise errors.required_missing(entity.name_property)
    active = record.get("Active", True) is not False
    record = record | {entity.name_property: _with_deleted_suffix(name, active), "Active": active}
    if entity.name_property == "DisplayName" and entity.name != "TaxAgency":
        record.setdefault("PrintOnCheckName", _name_on_checks(record, name))
    if entity.sort_property != entity.name_property or entity.name == "Account":
        record = _apply_parent(entity, record, change.lookup)
    return record


def _name_on_checks(record: Record, name: str) -> str:
    """Return the default of PrintOnCheckName (recorded, 2026, of a vendor and of customers)."""
    person = " ".join(str(record[part]) for part in ("GivenName", "FamilyName") if record.get(part))
    return str(record.get("CompanyName") or person or name.removesuffix(DELETED_SUFFIX))


def _apply_parent(entity: Entity, record: Record, lookup: RecordLookup) -> Record:
    shown = record[entity.name_property]
    record.pop("Level", None)
    mark = shapes.MARKS_OF_CHILDREN.get(entity.name)
    if record.get("ParentRef") is None:
        if mark and mark in record:
            record[mark] = False
        return record | {"FullyQualifiedName": shown}
    if mark:
        record[mark] = True
    parent = lookup.find(entity.name, str(record["ParentRef"].get("value", "")))
    if parent is None:
        raise errors.invalid_reference()
    record["ParentRef"] = {"value": str(record["ParentRef"]["value"])}  # returned without a name (recorded)
    record["FullyQualifiedName"] = f"{parent.get('FullyQualifiedName')}:{shown}"
    if entity.name in shapes.WITH_LEVEL:
        record["Level"] = int(parent.get("Level", 0)) + 1
    return record


def apply_ids(change: Change, record: Record) -> Record:
    """Give Ids to the addresses that have none, and a pseudonym to a new record (recorded, 2026)."""
    for offset, key in enumerate(("BillAddr", "ShipAddr")):
        if isinstance(record.get(key), dict) and "Id" not in record[key]:
            record[key] = {"Id": str(2 * int(record["Id"]) + offset)} | record[key]
    if change.created and "V4IDPseudonym" not in record:
        seed = f"{change.entity.name} {record['Id']}"
        record["V4IDPseudonym"] = hashlib.sha256(seed.encode()).hexdigest()[:38]
    return record


def apply_account_type(_: Change, record: Record) -> Record:
    """Derive an account's Classification and AccountSubType from its AccountType."""
    kind = str(record.get("AccountType", ""))
    for key, known in (("Classification", shapes.CLASSIFICATIONS), ("AccountSubType", shapes.ACCOUNT_SUB_TYPES)):
        if kind in known:
            record.setdefault(key, known[kind])
    return record


def _name_of(key: str, reference: Record, lookup: RecordLookup) -> str | None:
    """Return the name of the record that a reference leads to, or None."""
    id_ = str(reference.get("value", ""))
    if key == "CurrencyRef":
        listed = lookup.find_currency(id_)
        return str(listed["Name"]) if listed and listed.get("Name") else shapes.CURRENCY_NAMES.get(id_)
    kind = shapes.REFERENCE_TARGETS.get(key)
    if key == "EntityRef":  # a purchase's; it says itself what it refers to
        kind = reference.get("type")
    found = lookup.find(kind, id_) if kind in shapes.REFERABLE else None
    return name_in_references(kind, found) if kind and found else None


def name_in_references(kind: str, record: Record) -> str | None:
    """Return the name that references to a record have: the full one, except of people and companies."""
    full = None if kind in ("Customer", "Vendor", "Employee") else record.get("FullyQualifiedName")
    return full or record.get("DisplayName") or record.get("Name")


def with_reference_names(key: str, value: Any, lookup: RecordLookup, entity: str) -> Any:
    """Complete references, at any depth, with the name of the record they refer to.

    Args:
        key: The property's name.
        value: Its value.
        lookup: Finds the records.
        entity: The entity that has the property.

    Raises:
        TypeError: A reference is not an object.
    """
    if isinstance(value, list):
        return [with_reference_names(key, item, lookup, entity) for item in value]
    if key.endswith("Ref") and value is not None:
        if not isinstance(value, dict):
            raise TypeError(f"{key} is not a reference")
        if key in shapes.NAMELESS_REFERENCES.get(entity, ()):
            return {inner: item for inner, item in value.items() if inner != "name"}
        name = _name_of(key, value, lookup)
        return {"value": str(value["value"]), "name": name} | value | {"name": name} if name else value
    if isinstance(value, dict):
        return {inner: with_reference_names(inner, item, lookup, entity) for inner, item in value.items()}
    return value
