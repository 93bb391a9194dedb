"""Rules for payments: what they pay, what remains unapplied, and what a void leaves."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company.change import to_amount

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.change import Change, Record
    from vantage_quickbooks.emulator.company.entities import Entity

_PAYMENT_LINK_TYPES = frozenset({"Payment", "BillPayment", "BillPaymentCheck", "BillPaymentCreditCard"})
_CREDITS = frozenset({"CreditMemo", "VendorCredit"})
PAYMENT_TARGETS = {"Payment": ("Invoice", "CreditMemo"), "BillPayment": ("Bill", "VendorCredit")}
"""The entities that each kind of payment settles: what it pays, and the credits that it uses."""

SHARES_OF_BALANCE = {
    "Invoice": ("Customer", "CustomerRef", "Balance", 1),
    "CreditMemo": ("Customer", "CustomerRef", "Balance", -1),
    "Payment": ("Customer", "CustomerRef", "UnappliedAmt", -1),
    "Bill": ("Vendor", "VendorRef", "Balance", 1),
    "VendorCredit": ("Vendor", "VendorRef", "Balance", -1),
}
"""Whose balance a transaction counts in, by which of its properties, and its sign.

Source: recorded, 2026: a customer with invoices of 839.00 open, 300.00 of unapplied payments and 800.00 of open credit
memos had a balance of -261.00, and 639.00 when there were no payments and two credit memos. Vendors are assumed to be
alike.
"""


def name_value(name: str, value: str) -> Record:
    """Make one name-value pair of the untyped extras of payments and purchases (recorded, 2026)."""
    return {
        "name": "{http://schema.intuit.com/finance/v3}NameValue",
        "declaredType": "com.intuit.schema.finance.v3.NameValue",
        "scope": "javax.xml.bind.JAXBElement$GlobalScope",
        "value": {"Name": name, "Value": value},
        "nil": False,
        "globalScope": True,
        "typeSubstituted": False,
    }


def complete_payment(change: Change, record: Record) -> Record:
    """Compute a payment's unapplied amount, and what its lines say about the transactions that are paid."""
    total = to_amount(record["TotalAmt"])
    record = record | {"TotalAmt": total, "UnappliedAmt": total - _applied(record)}
    if change.touches("Line"):
        record["Line"] = [_with_facts(change, line) for line in record.get("Line", [])]
    return record


def _with_facts(change: Change, line: Record) -> Record:
    """Add Id, open balance and number of the paid transaction to a line (recorded, 2026, in 18 of 18 lines)."""
    links: list[Record] = line.get("LinkedTxn", [])
    link = links[0] if links else {}
    kind, id_ = str(link.get("TxnType")), str(link.get("TxnId"))
    found = change.lookup.find(kind, id_) if kind in PAYMENT_TARGETS["Payment"] else None
    if found is None:
        return line
    opened = to_amount(found.get("Balance", 0)) + amounts_paid(kind, change.old).get(id_, Decimal(0))
    facts = {"txnId": id_, "txnOpenBalance": f"{opened:.2f}", "txnReferenceNumber": found.get("DocNumber")}
    return line | {"LineEx": {"any": [name_value(name, value) for name, value in facts.items() if value]}}


def _applied(record: Record) -> Decimal:
    """Return a payment's applied amount: what it pays, less the credits that pay for it."""
    applied = Decimal(0)
    for line in record.get("Line", []):
        for link in line.get("LinkedTxn", []):
            if link.get("TxnId") is None:
                raise errors.required_missing("TxnId")
            cents = to_amount(line.get("Amount", 0))
            applied += -cents if link.get("TxnType") in _CREDITS else cents
    return applied


def amounts_paid(entity: str, record: Record) -> dict[str, Decimal]:
    """Return what a payment pays.

    Args:
        entity: The entity that it pays: Invoice or Bill.
        record: A payment.

    Returns:
        Amounts by Id.

    Raises:
        Fault: 2020 for a link without an Id.
    """
    paid: dict[str, Decimal] = {}
    for line in record.get("Line", []):
        for link in line.get("LinkedTxn", []):
            if link.get("TxnType") == entity:
                if link.get("TxnId") is None:
                    raise errors.required_missing("TxnId")
                id_ = str(link["TxnId"])
                paid[id_] = paid.get(id_, Decimal(0)) + to_amount(line.get("Amount", 0))
    return paid


def unapply(record: Record, entity: str, id: str) -> Record:  # noqa: A002 -- Intuit's word
    """Remove a deleted or voided record from a payment.

    Args:
        record: The payment.
        entity: The entity that it paid: Invoice or Bill.
        id: The paid record's Id.

    Returns:
        The payment without the lines that paid the record, and with their amounts unapplied.
    """
    gone = {"TxnId": id, "TxnType": entity}.items()

    def pays_it(line: Record) -> bool:
        return any(gone <= link.items() for link in line.get("LinkedTxn", []))

    record = record | {"Line": [line for line in record.get("Line", []) if not pays_it(line)]}
    if "UnappliedAmt" in record:
        record["UnappliedAmt"] = to_amount(record.get("TotalAmt", 0)) - _applied(record)
    return record


def void(entity: Entity, record: Record) -> Record:
    """Set a transaction's amounts to zero and keep the rest.

    Args:
        entity: Its entity.
        record: The transaction.

    Returns:
        The transaction with a note that begins with `Voided`; a payment also loses its lines.

    Source: recorded (invoice); Intuit's pages (payment, bill payment).
    """
    note = str(record.get("PrivateNote", ""))
    if not note.startswith("Voided"):
        note = f"Voided - {note}" if note else "Voided"
    voided = record | {"TotalAmt": Decimal(0), "PrivateNote": note}
    pays = entity.name in ("Payment", "BillPayment")
    voided["Line"] = [] if pays else [_without_money(line) for line in record.get("Line", [])]
    for key in ("Balance", "UnappliedAmt"):
        if key in record:
            voided[key] = Decimal(0)
    if "LinkedTxn" in record:  # its payments are unapplied
        voided["LinkedTxn"] = [link for link in record["LinkedTxn"] if link.get("TxnType") not in _PAYMENT_LINK_TYPES]
    if "TxnTaxDetail" in record:
        voided["TxnTaxDetail"] = {"TotalTax": Decimal(0)}
    return voided


def _without_money(line: Record) -> Record:
    line = line | {"Amount": Decimal(0)}
    detail = line.get("DetailType", "")
    if isinstance(line.get(detail), dict) and "Qty" in line[detail]:
        line[detail] = line[detail] | {"Qty": 0}
    return line
