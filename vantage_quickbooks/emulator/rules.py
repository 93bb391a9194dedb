"""What QuickBooks makes of a record that is written: checks, defaults, totals, key order.

Every entity goes through the same steps; the few rules of its own stand in the tables at
the end. Only what a recording or Intuit's page shows is done; the rest is stored as sent.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol

from vantage_quickbooks.emulator import faults
from vantage_quickbooks.emulator.entities import Entity

Record = dict[str, Any]

READ_ONLY = frozenset({"Id", "SyncToken", "MetaData", "domain", "sparse", "status", "time"})
"""Attributes that are ignored in a request (Intuit, "Basic technical details")."""

RECKONED = {
    "Customer": frozenset({"Balance", "BalanceWithJobs", "FullyQualifiedName", "Level", "IsProject"}),
    "Invoice": frozenset({"TotalAmt", "Balance", "HomeTotalAmt", "HomeBalance", "LinkedTxn"}),
    "Payment": frozenset({"UnappliedAmt"}),
}
"""Attributes that QuickBooks reckons, and ignores as well (Intuit, each entity's page)."""


def given(entity: Entity, sent: Record) -> Record:
    """
    Keep of a body what a client may decide.

    Args:
        entity: What is written.

        sent: The body.

    Returns:
        The rest.
    """
    ignored = READ_ONLY | RECKONED.get(entity.name, frozenset())
    return {key: value for key, value in sent.items() if key not in ignored}


DELETED_SUFFIX = " (deleted)"  # recorded, 2020 (minimul get/inactive_vendors.yml, deactivate/account.yml)
_NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")
_FORBIDDEN_IN_NAMES = re.compile(r"[:\t\n]")  # Intuit, Customer page
_DOLLAR = {"value": "USD", "name": "United States Dollar"}
_DUE_DAYS = 30  # a create without a term came back due after thirty days (recorded, 2020)


class Books(Protocol):
    """What the rules ask of a company."""

    def find(self, entity: str, id: str) -> Record | None:  # noqa: A002 -- Intuit's word
        """Read a record."""

    def next_doc_number(self) -> str:
        """Tell the next invoice's number."""


def check(entity: Entity, sent: Record) -> None:
    """
    Refuse properties that nobody knows.

    Args:
        entity: What is written.

        sent: The body.

    Raises:
        Fault: 2010.
    """
    if not entity.strict:
        return
    for name in sent:
        prop = entity.find(name)
        if name not in READ_ONLY and (prop is None or prop.name != name):
            raise faults.unsupported_property(entity.name, name)


def complete(entity: Entity, record: Record, books: Books, today: date) -> Record:
    """
    Fill in what QuickBooks fills in, and put the keys in its order.

    Args:
        entity: What is written.

        record: All that the record is to hold.

        books: Where its references lead.

        today: The company's date.

    Returns:
        The record as it will be served.

    Raises:
        Fault: 2020, 2500 or 6000.
    """
    rule = _RULES.get(entity.name)
    if rule:
        record = rule(record, books, today)
    elif entity.lists_names:
        record = _any_name(entity, record)
    ranks = {key: rank for rank, key in enumerate(_KEY_ORDER.get(entity.name, "").split())}
    return dict(sorted(record.items(), key=lambda item: ranks.get(item[0], len(ranks))))


def void(entity: Entity, record: Record) -> Record:
    """
    Take the money out of a transaction and leave the rest.

    Args:
        entity: What it is.

        record: As it was.

    Returns:
        Amounts of zero, a note that begins with `Voided`; of a payment also no lines, for it pays nothing any more.

    Source: recorded (invoice), see shared/qbo-api.md 6.3; Intuit's pages (payment, bill payment).
    """
    note = record.get("PrivateNote", "")
    voided = record | {"TotalAmt": Decimal(0), "PrivateNote": f"Voided - {note}" if note else "Voided"}
    pays = entity.name in ("Payment", "BillPayment")
    voided["Line"] = [] if pays else [_without_money(line) for line in record.get("Line", [])]
    for key in ("Balance", "UnappliedAmt"):
        if key in record:
            voided[key] = Decimal(0)
    if "TxnTaxDetail" in record:
        voided["TxnTaxDetail"] = {"TotalTax": Decimal(0)}
    return voided


def _without_money(line: Record) -> Record:
    line = line | {"Amount": Decimal(0)}
    detail = line.get("DetailType", "")
    if isinstance(line.get(detail), dict) and "Qty" in line[detail]:
        line[detail] = line[detail] | {"Qty": 0}
    return line


def _money(value: object) -> Decimal:
    try:
        return Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    except ArithmeticError:
        # Intuit lists 2110 for decimals; its wording is not recorded: our words.
        raise faults.business_error(f"{value} is not an amount") from None


def _reference(record: Record, key: str, entity: str, books: Books) -> Record | None:
    """Follow a reference; complete it with the name it leads to."""
    ref = record.get(key)
    if ref is None:
        return None
    found = books.find(entity, str(ref.get("value", ""))) if isinstance(ref, dict) else None
    if found is None:
        raise faults.invalid_reference()
    record[key] = {"value": str(ref["value"]), "name": found.get("DisplayName") or found.get("Name")}
    return found


# ---- name lists --------------------------------------------------------------------------------


def _suffixed(name: str, active: bool) -> str:
    bare = name.removesuffix(DELETED_SUFFIX)
    return bare if active else bare + DELETED_SUFFIX


def _any_name(entity: Entity, record: Record) -> Record:
    name = str(record.get(entity.naming) or "").strip()
    if not name:
        raise faults.required_missing(entity.naming)
    active = record.get("Active", True) is not False
    record = {"Active": active} | record | {entity.naming: _suffixed(name, active)}
    if entity.order != entity.naming or "FullyQualifiedName" in record:
        record["FullyQualifiedName"] = record[entity.naming]
    return record


def _customer(record: Record, books: Books, _: date) -> Record:
    name = str(record.get("DisplayName") or "").strip()
    name = name or " ".join(str(record[part]) for part in _NAME_PARTS if record.get(part))
    if not name:
        raise faults.required_missing("DisplayName")
    if _FORBIDDEN_IN_NAMES.search(name):
        raise faults.business_error("The name must not contain a colon, a tab or a new line")  # our words
    active = record.get("Active", True) is not False
    shown = _suffixed(name, active)
    defaults = {
        "Taxable": True,
        "Job": False,
        "BillWithParent": False,
        "Balance": Decimal(0),
        "BalanceWithJobs": Decimal(0),
        "CurrencyRef": dict(_DOLLAR),
        "PreferredDeliveryMethod": "Print",
        "IsProject": False,
        "PrintOnCheckName": record.get("CompanyName") or name.removesuffix(DELETED_SUFFIX),
    }
    record = defaults | record | {"DisplayName": shown, "FullyQualifiedName": shown, "Active": active}
    record.pop("Level", None)
    if record.get("ParentRef") is not None:
        parent = _reference(record, "ParentRef", "Customer", books) or {}
        record["ParentRef"].pop("name")  # comes without a name (recorded)
        record["FullyQualifiedName"] = f"{parent.get('FullyQualifiedName')}:{shown}"
        record["Level"] = int(parent.get("Level", 0)) + 1
    return record


# ---- invoices ----------------------------------------------------------------------------------


def _invoice(record: Record, books: Books, today: date) -> Record:
    if not record.get("CustomerRef"):
        raise faults.required_missing("CustomerRef")
    if not isinstance(record.get("Line"), list) or not record["Line"]:
        raise faults.required_missing("Line")
    customer = _reference(record, "CustomerRef", "Customer", books) or {}
    issued = str(record.get("TxnDate") or today.isoformat())
    lines, subtotal, discount = _lines(record["Line"])
    tax = _money((record.get("TxnTaxDetail") or {}).get("TotalTax", 0))
    total = subtotal - discount + tax
    paid = record.get("TotalAmt", Decimal(0)) - record.get("Balance", Decimal(0))
    addresses = {key: customer[key] for key in ("BillAddr", "ShipAddr") if key in customer}
    defaults = {
        "AllowIPNPayment": False,
        "AllowOnlinePayment": False,
        "AllowOnlineCreditCardPayment": False,
        "AllowOnlineACHPayment": False,
        "CustomField": [],
        "DocNumber": record.get("DocNumber") or books.next_doc_number(),
        "CurrencyRef": customer.get("CurrencyRef", dict(_DOLLAR)),
        "LinkedTxn": [],
        "TxnTaxDetail": {"TotalTax": Decimal(0)},
        "DueDate": _plus(issued, _DUE_DAYS),
        "ApplyTaxAfterDiscount": False,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
    }
    computed = {"TxnDate": issued, "Line": lines, "TotalAmt": total, "Balance": total - paid}
    return addresses | defaults | record | computed


def _plus(day: str, days: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except ValueError:
        raise faults.business_error(f"{day} is not a date") from None  # 2060; its wording is not recorded


def _lines(sent: list[Any]) -> tuple[list[Record], Decimal, Decimal]:
    """Number the lines and add the subtotal that QuickBooks adds (recorded, 2020, create/invoice.yml)."""
    lines: list[Record] = []
    discounts: list[Record] = []
    subtotal = discount = Decimal(0)
    for line in sent:
        if not isinstance(line, dict) or not line.get("DetailType"):
            raise faults.required_missing("Line.DetailType")
        if line["DetailType"] == "SubTotalLineDetail":
            continue
        if line["DetailType"] == "DiscountLineDetail":
            discounts.append(line)
            continue
        number = len(lines) + 1
        amount = _money(line.get("Amount", 0))
        subtotal += amount
        lines.append({"Id": str(line.get("Id", number)), "LineNum": number} | line | {"Amount": amount})
    for line in discounts:
        percent = (line.get("DiscountLineDetail") or {}).get("DiscountPercent")
        amount = _money(subtotal * Decimal(str(percent)) / 100) if percent else _money(line.get("Amount", 0))
        discount += amount
        lines.append(line | {"Amount": amount})
    before = len(lines) - len(discounts)
    lines.insert(before, {"Amount": subtotal, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    return lines, subtotal, discount


# ---- payments ----------------------------------------------------------------------------------


def _payment(record: Record, books: Books, today: date) -> Record:
    if not record.get("CustomerRef"):
        raise faults.required_missing("CustomerRef")
    if record.get("TotalAmt") is None:
        raise faults.required_missing("TotalAmt")
    customer = _reference(record, "CustomerRef", "Customer", books) or {}
    total = _money(record["TotalAmt"])
    applied = sum((amount for _, amount in payments_of(record)), Decimal(0))
    defaults = {
        "DepositToAccountRef": {"value": "4"},
        "ProcessPayment": False,
        "TxnDate": today.isoformat(),
        "CurrencyRef": customer.get("CurrencyRef", dict(_DOLLAR)),
        "Line": [],
    }
    return defaults | record | {"TotalAmt": total, "UnappliedAmt": total - applied}


def payments_of(record: Record) -> list[tuple[str, Decimal]]:
    """
    Tell which invoices a payment pays.

    Args:
        record: A payment.

    Returns:
        Ids of invoices and amounts.
    """
    return [
        (str(link["TxnId"]), _money(line.get("Amount", 0)))
        for line in record.get("Line", [])
        for link in line.get("LinkedTxn", [])
        if link.get("TxnType") == "Invoice"
    ]


_RULES: dict[str, Callable[[Record, Books, date], Record]] = {
    "Customer": _customer,
    "Invoice": _invoice,
    "Payment": _payment,
}

# Recorded, May 2026 (Nango list-customers, invoices).
_KEY_ORDER = {
    "Customer": (
        "Taxable BillAddr ShipAddr Notes Job BillWithParent ParentRef Level SalesTermRef PaymentMethodRef Balance "
        "BalanceWithJobs CurrencyRef PreferredDeliveryMethod IsProject ClientEntityId domain sparse Id SyncToken "
        "MetaData Title GivenName MiddleName FamilyName Suffix FullyQualifiedName CompanyName DisplayName "
        "PrintOnCheckName Active V4IDPseudonym PrimaryPhone AlternatePhone Mobile Fax PrimaryEmailAddr WebAddr "
        "DefaultTaxCodeRef"
    ),
    "Invoice": (
        "AllowIPNPayment AllowOnlinePayment AllowOnlineCreditCardPayment AllowOnlineACHPayment domain sparse Id "
        "SyncToken MetaData CustomField DocNumber TxnDate CurrencyRef ExchangeRate PrivateNote LinkedTxn Line "
        "TxnTaxDetail CustomerRef CustomerMemo BillAddr ShipAddr FreeFormAddress ShipFromAddr SalesTermRef DueDate "
        "TotalAmt HomeTotalAmt ApplyTaxAfterDiscount PrintStatus EmailStatus BillEmail Balance HomeBalance "
        "DeliveryInfo"
    ),
}
