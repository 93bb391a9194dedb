"""How QuickBooks completes a record that is written: checks, defaults, computed values and the order of keys.

Every entity takes the same steps, driven by the tables in shapes.py; names.py, forms.py and payments.py have the rules
that a table cannot express. Properties without a recorded or documented rule are stored as sent.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import forms, names, payments, shapes
from vantage_quickbooks.emulator.company.change import to_amount
from vantage_quickbooks.emulator.company.known_properties import ALSO_ACCEPTED, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.emulator.company.change import Change, Record
    from vantage_quickbooks.emulator.company.entities import Entity

READ_ONLY = frozenset({"Id", "SyncToken", "MetaData", "domain", "sparse", "status", "time"})
"""Properties that a request cannot set (Intuit, "Basic technical details")."""

COMPUTED_FIELDS = {
    "Attachable": frozenset(
        {"FileAccessUri", "TempDownloadUri", "Size", "ThumbnailFileAccessUri", "ThumbnailTempDownloadUri"}
    ),
    **{name: frozenset({"TotalAmt", "Balance", "RemainingCredit"}) for name in shapes.WITH_TOTAL},
    "Customer": frozenset({"Balance", "BalanceWithJobs", "ClientEntityId", "FullyQualifiedName", "Level", "IsProject"}),
    "Invoice": frozenset({"TotalAmt", "Balance", "HomeTotalAmt", "HomeBalance", "InvoiceLink", "LinkedTxn"}),
    "JournalEntry": frozenset({"TotalAmt"}),
    "Payment": frozenset({"UnappliedAmt"}),
    "Vendor": frozenset({"Balance"}),
}
"""Properties that QuickBooks computes; it ignores them in a request (Intuit, each entity's page)."""


def _complete_bill_payment(_: Change, record: Record) -> Record:
    return record | {"TotalAmt": to_amount(record["TotalAmt"])}


def _check_journal_entry(change: Change, record: Record) -> Record:
    """Refuse an entry whose debits differ from its credits (Intuit, "Error codes", 2300)."""
    totals = {"Debit": Decimal(0), "Credit": Decimal(0)}
    for line in record.get("Line", []) if change.touches("Line") else []:
        posting = str((line.get("JournalEntryLineDetail") or {}).get("PostingType"))
        if posting in totals:
            totals[posting] += to_amount(line.get("Amount", 0))
    if totals["Debit"] != totals["Credit"]:
        raise errors.unbalanced_entry(totals["Debit"], totals["Credit"])
    return record


def _complete_purchase(_: Change, record: Record) -> Record:
    """Add the code of the purchase's kind (recorded, 2026: PurchaseEx in every purchase)."""
    kind = f"{record.get('PaymentType')}{' credit' if record.get('Credit') is True else ''}"
    code = shapes.EXPENSE_CODES.get(kind)
    return {"PurchaseEx": {"any": [payments.name_value("TxnType", code)]}} | record if code else record


def _mask_social_security_number(_: Change, record: Record) -> Record:
    """Hide the number, of which QuickBooks shows nothing (a live test of python-quickbooks)."""
    return record | {"SSN": "XXX-XX-XXXX"} if record.get("SSN") else record


_RULES: dict[str, Callable[[Change, Record], Record]] = {
    "Account": names.apply_account_type,
    "BillPayment": _complete_bill_payment,
    "Customer": names.apply_ids,
    "Employee": _mask_social_security_number,
    "JournalEntry": _check_journal_entry,
    "Payment": payments.complete_payment,
    "Purchase": _complete_purchase,
    "Vendor": names.apply_ids,
}


def writable_fields(entity: Entity, sent: Record) -> Record:
    """Return the properties of a body that a client can set.

    A property sent empty becomes None; inside objects it is left out, because QuickBooks stores no empty values
    (python-quickbooks sends every property that it knows).
    """
    ignored = READ_ONLY | COMPUTED_FIELDS.get(entity.name, frozenset())
    if entity.name in shapes.LINK_EFFECTS:
        ignored -= {"LinkedTxn"}  # a client links estimates and charges; payments link themselves
    return {key: None if value == "" else _without_empty(value) for key, value in sent.items() if key not in ignored}


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_empty(inner) for key, inner in value.items() if inner is not None and inner != ""}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


def reject_unknown_properties(entity: Entity, sent: Record) -> None:
    """Raise `Fault` 2010 for a property that the entity does not have, if all its properties are known."""
    if not entity.rejects_unknown:
        return
    for name in sent:
        prop = entity.find(name)
        if name in ALSO_ACCEPTED.get(entity.name, ()):
            continue
        if name not in READ_ONLY and (prop is None or prop.name != name):
            known = [prop.name for prop in entity.properties.values() if "." not in prop.name]
            raise errors.unsupported_property(entity.name, name, describe(known))


def apply_defaults(change: Change, record: Record) -> Record:
    """Add the defaults and the computed properties, and sort the keys.

    Args:
        change: The write.
        record: All properties that the record is to have.

    Returns:
        The record as it will be served.

    Raises:
        Fault: 2020, 2500 or 6000.
    """
    entity = change.entity
    for key in list(record):
        if change.touches(key):
            record[key] = names.with_reference_names(key, record[key], change.lookup, entity.name)
    for key in shapes.REQUIRED_PROPERTIES.get(entity.name, ()):
        if change.touches(key) and record.get(key) in (None, "", []):
            raise errors.required_missing(key)
    if change.touched is None:
        record = copy.deepcopy(_defaults(change, record)) | record
    record = names.apply_name(change, record) if entity.is_name_list else forms.complete_transaction(change, record)
    if rule := _RULES.get(entity.name):
        record = rule(change, record)
    return sort_keys(entity, record)


def _defaults(change: Change, record: Record) -> Record:
    """Return the defaults of a create or a full update, those that the company's preferences decide included."""
    entity = change.entity
    defaults = dict(shapes.DEFAULTS.get(entity.name, {}))
    if entity.name == "Invoice":
        forms_of = (change.lookup.find("Preferences", "1") or {}).get("SalesFormsPrefs") or {}
        defaults |= dict.fromkeys(shapes.ONLINE_PAYMENTS, forms_of.get("ETransactionPaymentEnabled") is True)
    if entity.name in shapes.DEFAULTS_BY_KIND:
        key, by_kind = shapes.DEFAULTS_BY_KIND[entity.name]
        defaults |= by_kind.get(str(record.get(key)), {})
    if not entity.is_name_list and ("CustomerRef" in record or "VendorRef" in record):
        defaults.pop("CurrencyRef", None)  # the customer's or vendor's
    return defaults


def sort_keys(entity: Entity, record: Record) -> Record:
    """Return a record with its keys in QuickBooks' order, unknown ones last."""
    ranks = shapes.KEY_ORDER.get(entity.name)
    return dict(sorted(record.items(), key=lambda item: ranks.get(item[0], len(ranks)))) if ranks else record
