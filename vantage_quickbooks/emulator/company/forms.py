"""Rules for transactions: dates, document numbers, lines, totals and due dates."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import shapes
from vantage_quickbooks.emulator.company.change import to_amount

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.change import Change, Record, RecordLookup
    from vantage_quickbooks.emulator.company.entities import Entity

_DUE_DAYS = 30  # a create without a term came back due after thirty days (recorded, 2020)
_WITHOUT_DATE = frozenset(
    {"Attachable", "Budget", "CompanyInfo", "ExchangeRate", "Preferences", "RecurringTransaction"}
)
_LINE_RANKS = {key: rank for rank, key in enumerate(shapes.LINE_KEY_ORDER)}
_DETAIL_RANKS = {key: rank for rank, key in enumerate(shapes.DETAIL_KEY_ORDER)}


def complete_transaction(change: Change, record: Record) -> Record:
    """Complete a transaction: date, customer's data, document number, totals and due date.

    Args:
        change: The write.
        record: The transaction.

    Raises:
        Fault: 2020, 2500 or 6000.
    """
    entity, lookup = change.entity, change.lookup
    if change.touches("TxnDate") and entity.name not in _WITHOUT_DATE:
        record = {"TxnDate": change.today.isoformat()} | record
    customer = _load_customer(entity, record, lookup) if change.touches("CustomerRef", "VendorRef") else {}
    if change.touched is None and entity.name in shapes.SALES_FORMS:
        record = _with_addresses(record, customer, lookup)
    if isinstance(record.get("Line"), list) and change.touches("Line", "TxnTaxDetail"):
        record = _with_totals(entity, record, lookup)
    if change.created and entity.name in shapes.DOC_NUMBER_SEQUENCES and not record.get("DocNumber"):
        record["DocNumber"] = lookup.next_doc_number(entity.name)
    if entity.name in shapes.WITH_DUE_DATE and change.touches("TxnDate"):
        _add_days(str(record["TxnDate"]), 0)  # raises unless it is a date
        record.setdefault("DueDate", _due_date(record, lookup))
    return record


def _load_customer(entity: Entity, record: Record, lookup: RecordLookup) -> Record:
    """Return the customer of a transaction, and copy the currency; {} for a vendor's or if none is required."""
    for key, kind in (("CustomerRef", "Customer"), ("VendorRef", "Vendor")):
        if key in record and not entity.is_name_list and key in shapes.REQUIRED_PROPERTIES.get(entity.name, (key,)):
            found = lookup.find(kind, str(record[key].get("value", "")))
            if found is None:
                raise errors.invalid_reference()
            record.setdefault("CurrencyRef", found.get("CurrencyRef", dict(shapes.US_DOLLAR)))
            return found if kind == "Customer" else {}
    return {}


def _with_addresses(record: Record, customer: Record, lookup: RecordLookup) -> Record:
    """Add the customer's and the company's addresses to a sales form."""
    addresses: Record = {key: customer[key] for key in ("BillAddr", "ShipAddr") if key in customer}
    home = (lookup.find("CompanyInfo", "1") or {}).get("CompanyAddr")
    if home:
        place = f"{home.get('City', '')}, {home.get('CountrySubDivisionCode', '')}  {home.get('PostalCode', '')}"
        lines = {"Line1": home.get("Line1", ""), "Line2": place}
        addresses["ShipFromAddr"] = {"Id": home.get("Id", "1")} | lines
    return addresses | record


def _with_totals(entity: Entity, record: Record, lookup: RecordLookup) -> Record:
    """Number the lines and compute the total and the open balance."""
    if entity.name in shapes.LINES_AS_SENT:
        return record
    lines, subtotal, discount = _lines(entity, record["Line"], lookup)
    record["Line"] = lines
    if entity.name not in shapes.WITH_TOTAL:
        return record
    tax = to_amount((record.get("TxnTaxDetail") or {}).get("TotalTax", 0))
    paid = record.get("TotalAmt", Decimal(0)) - record.get("Balance", Decimal(0))
    total = record["TotalAmt"] = subtotal - discount + tax
    for key in shapes.OPEN_BALANCES.get(entity.name, ()):
        record[key] = total - paid
    return record


def _lines(entity: Entity, sent: list[Any], lookup: RecordLookup) -> tuple[list[Record], Decimal, Decimal]:
    """Number the lines and add QuickBooks' subtotal line (recorded, 2020, create/invoice.yml).

    Returns:
        The lines, their sum before discounts, and the discounts.
    """
    lines: list[Record] = []
    discounts: list[Record] = []
    subtotal = discount = Decimal(0)
    numbered = entity.name not in shapes.LINES_WITHOUT_LINE_NUM
    taken = {str(line["Id"]) for line in sent if isinstance(line, dict) and "Id" in line}
    ids = (str(number) for number in range(1, len(sent) + len(taken) + 1) if str(number) not in taken)
    for line in sent:
        if not isinstance(line, dict) or not line.get("DetailType"):
            raise errors.required_missing("Line.DetailType")
        if line["DetailType"] == "SubTotalLineDetail":
            continue
        if line["DetailType"] == "DiscountLineDetail":
            discounts.append(line)
            continue
        amount = to_amount(line.get("Amount", 0))
        subtotal += amount
        number = {"LineNum": len(lines) + 1} if numbered else {}
        line_id = {"Id": str(line["Id"]) if "Id" in line else next(ids)}
        lines.append(_line(entity, line_id | number | line | {"Amount": amount}, lookup))
    for line in discounts:
        percent = (line.get("DiscountLineDetail") or {}).get("DiscountPercent")
        amount = to_amount(subtotal * Decimal(str(percent)) / 100) if percent else to_amount(line.get("Amount", 0))
        discount += amount
        lines.append(line | {"Amount": amount})
    if entity.name in shapes.SALES_FORMS:
        before = len(lines) - len(discounts)
        lines.insert(before, {"Amount": subtotal, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    return lines, subtotal, discount


def _line(entity: Entity, line: Record, lookup: RecordLookup) -> Record:
    """Complete a line and its detail object (recorded, 2026)."""
    kind = line["DetailType"]
    detail = line.get(kind)
    if isinstance(detail, dict) and detail:
        detail = dict(shapes.DETAIL_DEFAULTS.get(kind, {})) | detail
        if kind == "SalesItemLineDetail" and "ItemAccountRef" not in detail and "ItemRef" in detail:
            item = lookup.find("Item", str(detail["ItemRef"].get("value", ""))) or {}
            if "IncomeAccountRef" in item:
                detail["ItemAccountRef"] = item["IncomeAccountRef"]
        line[kind] = dict(sorted(detail.items(), key=lambda item: _DETAIL_RANKS.get(item[0], len(_DETAIL_RANKS))))
    if entity.name == "PurchaseOrder" and kind == "ItemBasedExpenseLineDetail":
        line.setdefault("Received", 0)
    line.setdefault("CustomExtensions", [])
    ranks = _LINE_RANKS | {kind: len(_LINE_RANKS), "CustomExtensions": len(_LINE_RANKS) + 2}
    return dict(sorted(line.items(), key=lambda item: ranks.get(item[0], len(_LINE_RANKS) + 1)))


def _due_date(record: Record, lookup: RecordLookup) -> str:
    term = lookup.find("Term", str((record.get("SalesTermRef") or {}).get("value", ""))) or {}
    days = term.get("DueDays", _DUE_DAYS)
    return _add_days(str(record["TxnDate"]), days if isinstance(days, int) else _DUE_DAYS)


def _add_days(day: str, days: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except (ValueError, OverflowError):
        raise errors.business_error(f"{day} is not a date") from None  # 2060; its wording is not recorded
