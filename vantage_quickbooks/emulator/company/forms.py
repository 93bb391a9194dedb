"""Rules for transactions: dates, document numbers, lines, totals and due dates."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import shapes
from vantage_quickbooks.emulator.company.change import to_amount
from vantage_quickbooks.emulator.company.names import with_reference_names

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.change import Change, Record, RecordLookup
    from vantage_quickbooks.emulator.company.entities import Entity

_DUE_DAYS = 30  # of an invoice in a company without a default term
_MAX_LINE_ID = 10  # digits
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
    if change.touched is None:
        record = _with_addresses(entity, record, customer, lookup)
        record = _with_account(entity, record, lookup)
    if entity.name in shapes.LINK_EFFECTS and change.touches("LinkedTxn"):
        record = _with_links(entity, record, change.old)
    if isinstance(record.get("Line"), list) and change.touches("Line", "TxnTaxDetail", "CashBack"):
        record = _with_totals(change, record)
    if change.created and entity.name in shapes.DOC_NUMBER_SEQUENCES and not record.get("DocNumber"):
        record["DocNumber"] = lookup.next_doc_number(entity.name)
    if entity.name in shapes.WITH_DUE_DATE and change.touches("TxnDate"):
        _add_days(str(record["TxnDate"]), 0)  # raises unless it is a date
        record.setdefault("DueDate", _due_date(entity, record, lookup))
    return record


def _load_customer(entity: Entity, record: Record, lookup: RecordLookup) -> Record:
    """Return the customer or vendor of a transaction, and copy the currency; {} if none is required."""
    for key, kind in (("CustomerRef", "Customer"), ("VendorRef", "Vendor")):
        if isinstance(record.get(key), dict) and not entity.is_name_list:
            found = lookup.find(kind, str(record[key].get("value", "")))
            if found is None:
                raise errors.invalid_reference()
            record.setdefault("CurrencyRef", found.get("CurrencyRef", dict(shapes.US_DOLLAR)))
            return found
    return {}


def _with_account(entity: Entity, record: Record, lookup: RecordLookup) -> Record:
    """Add the account that the transaction posts to if none is sent."""
    key, kind, value = shapes.DEFAULT_ACCOUNTS.get(entity.name, ("", "", ""))
    if not key or key in record:
        return record
    account = lookup.find_account(kind, value, str((record.get("CurrencyRef") or {}).get("value", "")))
    return (
        record | with_reference_names("", {key: {"value": account["Id"]}}, lookup, entity.name) if account else record
    )


def _with_addresses(entity: Entity, record: Record, customer: Record, lookup: RecordLookup) -> Record:
    """Add the customer's or vendor's address, and the company's to a sales form."""
    if entity.name in shapes.VENDOR_FORMS and "BillAddr" in customer:
        return {"VendorAddr": customer["BillAddr"]} | record
    if entity.name not in shapes.SALES_FORMS:
        return record
    addresses: Record = {key: customer[key] for key in ("BillAddr", "ShipAddr") if key in customer}
    home = (lookup.find("CompanyInfo", "1") or {}).get("CompanyAddr")
    if home:
        place = f"{home.get('City', '')}, {home.get('CountrySubDivisionCode', '')}  {home.get('PostalCode', '')}"
        lines = {"Line1": home.get("Line1", ""), "Line2": place}
        addresses["ShipFromAddr"] = {"Id": home.get("Id", "1")} | lines
    return addresses | record


def _with_links(entity: Entity, record: Record, old: Record) -> Record:
    """Keep the links that a client can set, and those that payments have set."""
    effects = shapes.LINK_EFFECTS[entity.name] if entity.name in shapes.LINKS_SHOWN else {}
    own = [link for link in record.get("LinkedTxn", []) if link.get("TxnType") in effects]
    others = [link for link in old.get("LinkedTxn", []) if link.get("TxnType") not in effects]
    links = [*own, *others]
    if not links and entity.name not in shapes.LINKS_SHOWN:
        return {key: value for key, value in record.items() if key != "LinkedTxn"}
    return record | {"LinkedTxn": links}


def _with_totals(change: Change, record: Record) -> Record:
    """Number the lines and compute the total and the open balance."""
    entity = change.entity
    if entity.name in shapes.LINES_AS_SENT:
        return record
    lines, subtotal, discount = _lines(change, record["Line"])
    record["Line"] = lines
    if entity.name not in shapes.WITH_TOTAL:
        return record
    tax = to_amount((record.get("TxnTaxDetail") or {}).get("TotalTax", 0))
    paid = record.get("TotalAmt", Decimal(0)) - record.get("Balance", Decimal(0))
    back = to_amount((record.get("CashBack") or {}).get("Amount", 0))  # of a deposit (recorded, 2026)
    total = record["TotalAmt"] = subtotal - discount + tax - back
    for key in shapes.OPEN_BALANCES.get(entity.name, ()):
        record[key] = total - paid
    return record


def _lines(change: Change, sent: list[Any]) -> tuple[list[Record], Decimal, Decimal]:
    """Number the lines and add QuickBooks' subtotal line (recorded, 2020, create/invoice.yml).

    A new line takes the next Id that no line of the record has had before (recorded, 2016 and 2020, of receipts).

    Returns:
        The lines, their sum before discounts, and the discounts.
    """
    entity = change.entity
    lines: list[Record] = []
    discounts: list[Record] = []
    subtotal = discount = Decimal(0)
    numbered = entity.name not in shapes.LINES_WITHOUT_LINE_NUM
    ids = itertools.count(_highest_line_id([*change.old.get("Line", []), *sent]) + 1)
    for line in sent:
        if entity.name in shapes.LINKED_BY_LINES and isinstance(line, dict) and line.get("LinkedTxn"):
            lines.append(_deposited(line, change.lookup))
            subtotal += lines[-1]["Amount"]
            continue
        if not isinstance(line, dict) or not line.get("DetailType"):
            raise errors.required_missing("Line.DetailType")
        if line["DetailType"] == "SubTotalLineDetail":
            continue
        if line["DetailType"] == "DiscountLineDetail":
            discounts.append(_with_discount_account(line, change.lookup))
            continue
        _check_line(line)
        amount = to_amount(line.get("Amount", 0))
        subtotal += amount
        number = {"LineNum": len(lines) + 1} if numbered else {}
        line_id = {"Id": str(line["Id"]) if "Id" in line else str(next(ids))}
        lines.append(_line(entity, line_id | number | line | {"Amount": amount}, change.lookup))
    for line in discounts:
        percent = (line.get("DiscountLineDetail") or {}).get("DiscountPercent")
        amount = to_amount(subtotal * Decimal(str(percent)) / 100) if percent else to_amount(line.get("Amount", 0))
        discount += amount
        lines.append(line | {"Amount": amount})
    if entity.name in shapes.SALES_FORMS:
        before = len(lines) - len(discounts)
        lines.insert(before, {"Amount": subtotal, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    return lines, subtotal, discount


def _highest_line_id(lines: list[Any]) -> int:
    ids = [str(line["Id"]) for line in lines if isinstance(line, dict) and "Id" in line]
    return max((int(id_) for id_ in ids if id_.isascii() and id_.isdigit() and len(id_) < _MAX_LINE_ID), default=0)


def _deposited(line: Record, lookup: RecordLookup) -> Record:
    """Make the line of a deposited payment or receipt: no Id, and how it was paid (recorded, 2026, of 9 lines)."""
    link = line["LinkedTxn"][0]
    kind = str(link.get("TxnType"))
    source = lookup.find(kind, str(link.get("TxnId"))) if kind in shapes.LINK_EFFECTS["Deposit"] else None
    detail: Record = {}
    if source and "PaymentMethodRef" in source:
        detail["PaymentMethodRef"] = {"value": source["PaymentMethodRef"]["value"]}
    if source and "PaymentRefNum" in source:
        detail["CheckNum"] = source["PaymentRefNum"]
    made = {
        "Amount": to_amount(line.get("Amount", 0)),
        "LinkedTxn": [link | {"TxnLineId": str(link.get("TxnLineId", 0))}],
    }
    return made | ({"DepositLineDetail": detail} if detail else {})


def _check_line(line: Record) -> None:
    """Refuse a line without what its kind requires, or whose amount is not its quantity times its price."""
    kind = line["DetailType"]
    if kind not in shapes.REQUIRED_IN_LINE:
        return
    if line.get("Amount") in (None, ""):
        raise errors.required_missing("Line.Amount")
    detail = line.get(kind)
    if not isinstance(detail, dict) or not detail:
        raise errors.required_missing(f"Line.{kind}")
    for key in shapes.REQUIRED_IN_LINE[kind]:
        if detail.get(key) in (None, "", {}):
            raise errors.required_missing(f"Line.{kind}.{key}")
    # Zeros are as good as absent: python-quickbooks sends both for every line, and its live tests pass at Intuit.
    if kind in shapes.PRICED_LINES and detail.get("Qty") and detail.get("UnitPrice"):
        amount = to_amount(line["Amount"])
        if amount != to_amount(Decimal(str(detail["Qty"])) * Decimal(str(detail["UnitPrice"]))):
            raise errors.wrong_line_amount(amount)


def _with_discount_account(line: Record, lookup: RecordLookup) -> Record:
    """Add the company's account for discounts to a discount without one (recorded, 2026: all have one)."""
    detail = line.get("DiscountLineDetail") or {}
    preferences = (lookup.find("Preferences", "1") or {}).get("SalesFormsPrefs") or {}
    account = preferences.get("DefaultDiscountAccount")
    if "DiscountAccountRef" in detail or not account:
        return line
    reference = with_reference_names("DiscountAccountRef", {"value": str(account)}, lookup, "")
    return line | {"DiscountLineDetail": detail | {"DiscountAccountRef": reference}}


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
    if entity.name in shapes.LINES_WITH_LINKS:
        line.setdefault("LinkedTxn", [])
    line.setdefault("CustomExtensions", [])
    ranks = _LINE_RANKS | {kind: len(_LINE_RANKS), "CustomExtensions": len(_LINE_RANKS) + 2}
    return dict(sorted(line.items(), key=lambda item: ranks.get(item[0], len(_LINE_RANKS) + 1)))


def _due_date(entity: Entity, record: Record, lookup: RecordLookup) -> str:
    reference = record.get("SalesTermRef") or {}
    days = 0
    if not reference and entity.name in shapes.DEFAULT_TERM_APPLIES_TO:
        preferences = (lookup.find("Preferences", "1") or {}).get("SalesFormsPrefs") or {}
        reference = preferences.get("DefaultTerms") or {}
        days = _DUE_DAYS
    term = lookup.find("Term", str(reference.get("value", ""))) or {}
    known = term.get("DueDays", days)
    return _add_days(str(record["TxnDate"]), known if isinstance(known, int) else days)


def _add_days(day: str, days: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except (ValueError, OverflowError):
        raise errors.business_error(f"{day} is not a date") from None  # 2060; its wording is not recorded
