"""What a response has of a record: a query, a read and a write of one record differ in a few properties, as data.

A record is stored as a query returns it, so that a page is a join of texts. Reads and writes leave out what only
queries return, and add what only they do. The rest of the stored text is returned byte for byte.

Sources: recorded, May 2026 (Nango get-customer, list-customers, update-customer, get-item, items, update-item,
create-vendor, list-vendors, create-account); public reports of real responses for InvoiceLink.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

from vantage_quickbooks.emulator.company import shapes
from vantage_quickbooks.emulator.json_text import decode, encode, join_members, members

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.emulator.company.change import Record, RecordLookup
    from vantage_quickbooks.emulator.company.entities import Entity

ResponseKind = Literal["read", "create", "update"]

_PLACES = ("BillAddr", "ShipAddr")
HIDDEN: Mapping[tuple[str, ResponseKind], tuple[str, ...]] = {
    ("Account", "create"): ("MetaData.LastUpdatedTime",),
    ("Customer", "read"): ("ClientEntityId", *(f"{place}.{axis}" for place in _PLACES for axis in ("Lat", "Long"))),
    ("Customer", "create"): ("ClientEntityId", "V4IDPseudonym"),
    ("Customer", "update"): ("ClientEntityId", "V4IDPseudonym"),
}
"""Properties that are stored, and that a response of this kind lacks."""

ADDED: Mapping[str, Mapping[str, Any]] = {
    "Item": {"DeferredRevenue": False},
    "Vendor": {"BillRate": 0, "CostRate": 0},
}
"""Values that reads and writes return and queries do not, unless a record has its own."""

_LINK_LENGTH = 96  # hexadecimal digits in an InvoiceLink (public reports, 2024 to 2026)


def respond(entity: Entity, text: str, kind: ResponseKind, lookup: RecordLookup, link_base: str | None = None) -> str:
    """Return the text of a record as a response of one kind has it.

    Args:
        entity: Its entity.
        text: The record as stored.
        kind: A read, or the response to a create or an update.
        lookup: Finds the company's preferences.
        link_base: The address below which an invoice can be paid; None leaves InvoiceLink out.
    """
    hidden = HIDDEN.get((entity.name, kind), ())
    known = dict(members(text)) if hidden or entity.name in _COMPUTING else {}
    if not known:
        return text
    before = known.copy()
    for path in hidden:
        name, _, inner = path.partition(".")
        if inner and name in known:
            known[name] = join_members({k: v for k, v in members(known[name]) if k != inner})
        else:
            known.pop(name, None)
    for name, value in _added(entity, known, lookup, link_base).items():
        known.setdefault(name, encode(value, name))
    if known == before:
        return text
    ranks = shapes.KEY_ORDER.get(entity.name, {})
    return join_members(_in_order(known, before, ranks))


def respond_to_send(text: str) -> str:
    """Return the text of a transaction as the response to a mail has it: without what newer clients read.

    Source: recorded, May 2026 (Nango send-invoice), beside a query of the same invoice.
    """
    record: Record = decode(text)
    record.pop("FreeFormAddress", None)
    for owner, name in [
        (record.get("MetaData"), "LastModifiedByRef"),
        *((line.get("SalesItemLineDetail"), "ItemAccountRef") for line in record.get("Line", []) if line),
    ]:
        if isinstance(owner, dict):
            owner.pop(name, None)
    return encode(record)


def _in_order(known: Mapping[str, str], before: Mapping[str, str], ranks: Mapping[str, int]) -> dict[str, str]:
    """Keep the stored order, and put each added property before the first stored one that follows it."""
    ordered = [key for key in known if key in before]
    for key in known:
        if key not in before:
            rank = ranks.get(key, len(ranks))
            at = next((i for i, other in enumerate(ordered) if ranks.get(other, len(ranks)) > rank), len(ordered))
            ordered.insert(at, key)
    return {key: known[key] for key in ordered}


def _added(entity: Entity, known: Mapping[str, str], lookup: RecordLookup, link_base: str | None) -> Record:
    if entity.name == "Customer":
        code = default_tax_code(lookup)
        return {"DefaultTaxCodeRef": code} if code else {}
    if entity.name == "Invoice":
        return {"InvoiceLink": _invoice_link(known, link_base)} if link_base and _can_be_paid_online(known) else {}
    return dict(ADDED.get(entity.name, {}))


_COMPUTING = frozenset({"Customer", "Invoice", *ADDED})


def default_tax_code(lookup: RecordLookup) -> Record | None:
    """Return the tax code of customers that have none of their own: the company's (Intuit, "Preferences")."""
    taxes = (lookup.find("Preferences", "1") or {}).get("TaxPrefs") or {}
    return taxes.get("TaxGroupCodeRef") if taxes.get("UsingSalesTax") else None


def without_added(entity: Entity, sent: Record, lookup: RecordLookup) -> Record:
    """Remove from a body what a read has added, so that a client that sends a record back does not store it."""
    added: Record = dict(ADDED.get(entity.name, {}))
    if entity.name == "Customer" and "DefaultTaxCodeRef" in sent:
        added["DefaultTaxCodeRef"] = default_tax_code(lookup)
    if added and isinstance(sent.get("DefaultTaxCodeRef"), dict):
        sent = sent | {"DefaultTaxCodeRef": {"value": str(sent["DefaultTaxCodeRef"].get("value", ""))}}
    return {key: value for key, value in sent.items() if key not in added or value != added[key]}


def _can_be_paid_online(known: Mapping[str, str]) -> bool:
    """Return whether an invoice has a link: online payment is on, and it has an e-mail address.

    Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/invoice, InvoiceLink.
    """
    online = any(known.get(f"AllowOnline{way}Payment") == "true" for way in ("CreditCard", "ACH"))
    return online and bool(decode(known.get("BillEmail", "{}")).get("Address"))


def _invoice_link(known: Mapping[str, str], base: str) -> str:
    """Make the link of an invoice in the form of Intuit's, with this server's address."""
    seed = f"{base} {known['Id']}"
    digits = (hashlib.sha256(seed.encode()).hexdigest() * 2)[:_LINK_LENGTH]
    return f"{base}/portal/app/CommerceNetwork/view/scs-v1-{digits}?locale=en_US&cta=v3invoicelink"
