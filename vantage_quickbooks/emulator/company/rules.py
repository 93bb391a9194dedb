"""What QuickBooks makes of a record that is written: checks, defaults, totals, key order.

Every entity goes through the same steps, told by the tables in `shapes`; the few rules that
no table can tell stand at the end. What no recording and no page of Intuit's shows is stored
as it was sent.
"""

from __future__ import annotations

import copy
import hashlib
import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Protocol

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.emulator.company.entities import Entity

Record = dict[str, Any]

READ_ONLY = frozenset({"Id", "SyncToken", "MetaData", "domain", "sparse", "status", "time"})
"""Attributes that are ignored in a request (Intuit, "Basic technical details")."""

COMPUTED_FIELDS = {
    **{name: frozenset({"TotalAmt", "Balance", "RemainingCredit"}) for name in shapes.WITH_TOTAL},
    "Customer": frozenset({"Balance", "BalanceWithJobs", "FullyQualifiedName", "Level", "IsProject"}),
    "Invoice": frozenset({"TotalAmt", "Balance", "HomeTotalAmt", "HomeBalance", "LinkedTxn"}),
    "JournalEntry": frozenset({"TotalAmt"}),
    "Payment": frozenset({"UnappliedAmt"}),
    "Vendor": frozenset({"Balance"}),
}
"""Attributes that QuickBooks reckons, and ignores as well (Intuit, each entity's page)."""


def writable_fields(entity: Entity, sent: Record) -> Record:
    """Keep of a body what a client may decide.

    Args:
        entity: What is written.

        sent: The body.

    Returns:
        The rest; what is sent empty is None, and inside objects it is left out: nothing is stored that has no value.
    """
    ignored = READ_ONLY | COMPUTED_FIELDS.get(entity.name, frozenset())
    return {key: None if value == "" else _without_empty(value) for key, value in sent.items() if key not in ignored}


def _without_empty(value: Any) -> Any:
    """Leave out what is empty, as QuickBooks does (python-quickbooks sends every property that it knows)."""
    if isinstance(value, dict):
        return {key: _without_empty(inner) for key, inner in value.items() if inner is not None and inner != ""}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


DELETED_SUFFIX = " (deleted)"  # recorded, 2020 (minimul get/inactive_vendors.yml, deactivate/account.yml)
_NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")
_INVALID_IN_NAME = re.compile(r"[:\t\n]")  # Intuit, Customer page
_DUE_DAYS = 30  # a create without a term came back due after thirty days (recorded, 2020)
_LINE_RANKS = {key: rank for rank, key in enumerate(shapes.LINE_KEY_ORDER)}
_DETAIL_RANKS = {key: rank for rank, key in enumerate(shapes.DETAIL_KEY_ORDER)}


class RecordLookup(Protocol):
    """What the rules ask of a company."""

    def find(self, entity: str, id: str) -> Record | None:  # noqa: A002 -- Intuit's word
        """Read a record."""

    def next_doc_number(self, entity: str) -> str:
        """Tell the next number of a form."""


def reject_unknown_properties(entity: Entity, sent: Record) -> None:
    """Refuse properties that nobody knows.

    Args:
        entity: What is written.

        sent: The body.

    Raises:
        Fault: 2010.
    """
    if not entity.rejects_unknown:
        return
    for name in sent:
        prop = entity.find(name)
        if name not in READ_ONLY and (prop is None or prop.name != name):
            known = [prop.name for prop in entity.properties.values() if "." not in prop.name]
            raise errors.unsupported_property(entity.name, name, known)


@dataclass(frozen=True, slots=True)
class Change:
    """What is being written.

    Attributes:
        entity: What it is.

        lookup: Where its references lead.

        today: The company's date.

        created: It is new.

        touched: What a sparse update sent: the rest stays as it is. None is a create or a full update.
    """

    entity: Entity
    lookup: RecordLookup
    today: date
    created: bool
    touched: frozenset[str] | None

    def touches(self, *keys: str) -> bool:
        """Tell whether any of some keys may be other than it was.

        Args:
            *keys: Of the record.

        Returns:
            True for all of them unless the update is sparse.
        """
        return self.touched is None or not self.touched.isdisjoint(keys)


def apply_defaults(change: Change, record: Record) -> Record:
    """Fill in what QuickBooks fills in, and put the keys in its order.

    Args:
        change: What is written.

        record: All that the record is to hold.

    Returns:
        The record as it will be served.

    Raises:
        Fault: 2020, 2500 or 6000.
    """
    entity = change.entity
    for key in list(record):
        if change.touches(key):
            record[key] = _with_reference_names(key, record[key], change.lookup, entity.name)
    for key in shapes.REQUIRED_PROPERTIES.get(entity.name, ()):
        if change.touches(key) and record.get(key) in (None, "", []):
            raise errors.required_missing(key)
    if change.touched is None:
        record = copy.deepcopy(dict(shapes.DEFAULTS.get(entity.name, {}))) | record
    record = _apply_name(change, record) if entity.is_name_list else _transaction(change, record)
    if rule := _RULES.get(entity.name):
        record = rule(change, record)
    return sort_keys(entity, record)


def sort_keys(entity: Entity, record: Record) -> Record:
    """Put the keys in the order in which QuickBooks sends them.

    Args:
        entity: What it is.

        record: Its data.

    Returns:
        The same, what is not known of the entity last.
    """
    ranks = shapes.KEY_ORDER.get(entity.name)
    return dict(sorted(record.items(), key=lambda item: ranks.get(item[0], len(ranks)))) if ranks else record


def void(entity: Entity, record: Record) -> Record:
    """Take the money out of a transaction and leave the rest.

    Args:
        entity: What it is.

        record: As it was.

    Returns:
        Amounts of zero, a note that begins with `Voided`; of a payment also no lines, for it pays nothing any more.

    Source: recorded (invoice), see shared/qbo-api.md 6.3; Intuit's pages (payment, bill payment).
    """
    note = record.get("PrivateNote", "")
    if not note.startswith("Voided"):
        note = f"Voided - {note}" if note else "Voided"
    voided = record | {"TotalAmt": Decimal(0), "PrivateNote": note}
    pays = entity.name in ("Payment", "BillPayment")
    voided["Line"] = [] if pays else [_without_money(line) for line in record.get("Line", [])]
    for key in ("Balance", "UnappliedAmt"):
        if key in record:
            voided[key] = Decimal(0)
    if "LinkedTxn" in record:  # payments are unapplied
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


def _money(value: object) -> Decimal:
    try:
        return Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    except ArithmeticError:
        # Intuit lists 2110 for decimals; its wording is not recorded: our words.
        raise errors.business_error(f"{value} is not an amount") from None


# ---- references --------------------------------------------------------------------------------


def _with_reference_names(key: str, value: Any, lookup: RecordLookup, entity: str) -> Any:
    """Complete references, at any depth, with the name of what they lead to."""
    if isinstance(value, list):
        return [_with_reference_names(key, item, lookup, entity) for item in value]
    if key.endswith("Ref") and value is not None:
        if not isinstance(value, dict):
            raise TypeError(f"{key} is no reference")
        kind = shapes.REFERENCE_TARGETS.get(key)
        # A payment's account comes without a name (recorded, 2026).
        if kind is None or (entity == "Payment" and kind == "Account"):
            return value
        found = lookup.find(kind, str(value.get("value", "")))
        if found is None:
            return value
        name = None if kind in ("Customer", "Vendor", "Employee") else found.get("FullyQualifiedName")
        name = name or found.get("DisplayName") or found.get("Name")
        return {"value": str(value["value"])} | ({"name": name} if name else {})
    if isinstance(value, dict):
        return {inner: _with_reference_names(inner, item, lookup, entity) for inner, item in value.items()}
    return value


def _load_customer(entity: Entity, record: Record, lookup: RecordLookup) -> Record:
    """Find who a transaction is for; nobody is only for whom it need not be told."""
    for key, kind in (("CustomerRef", "Customer"), ("VendorRef", "Vendor")):
        if key in record and not entity.is_name_list and key in shapes.REQUIRED_PROPERTIES.get(entity.name, (key,)):
            found = lookup.find(kind, str(record[key].get("value", "")))
            if found is None:
                raise errors.invalid_reference()
            record.setdefault("CurrencyRef", found.get("CurrencyRef", dict(shapes.US_DOLLAR)))
            return found if kind == "Customer" else {}
    return {}


# ---- name lists --------------------------------------------------------------------------------


def _with_deleted_suffix(name: str, active: bool) -> str:
    bare = name.removesuffix(DELETED_SUFFIX)
    return bare if active else bare + DELETED_SUFFIX


def _apply_name(change: Change, record: Record) -> Record:
    """Give a record of a name list its name, alone and under its parents'."""
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
        record.setdefault("PrintOnCheckName", record.get("CompanyName") or name.removesuffix(DELETED_SUFFIX))
    if entity.sort_property != entity.name_property or entity.name == "Account":
        record = _apply_parent(entity, record, change.lookup)
    return record


def _apply_parent(entity: Entity, record: Record, lookup: RecordLookup) -> Record:
    shown = record[entity.name_property]
    record.pop("Level", None)
    if record.get("ParentRef") is None:
        return record | {"FullyQualifiedName": shown}
    parent = lookup.find(entity.name, str(record["ParentRef"].get("value", "")))
    if parent is None:
        raise errors.invalid_reference()
    record["ParentRef"] = {"value": str(record["ParentRef"]["value"])}  # comes without a name (recorded)
    record["FullyQualifiedName"] = f"{parent.get('FullyQualifiedName')}:{shown}"
    if entity.name == "Customer":
        record["Level"] = int(parent.get("Level", 0)) + 1
    return record


def _addresses(change: Change, record: Record) -> Record:
    """Number the addresses that come without a number, and give a pseudonym (recorded, 2026)."""
    for offset, key in enumerate(("BillAddr", "ShipAddr")):
        if isinstance(record.get(key), dict) and "Id" not in record[key]:
            record[key] = {"Id": str(2 * int(record["Id"]) + offset)} | record[key]
    if change.created:
        seed = f"{change.entity.name} {record['Id']}"
        record["V4IDPseudonym"] = hashlib.sha256(seed.encode()).hexdigest()[:38]
    return record


def _account(_: Change, record: Record) -> Record:
    kind = str(record.get("AccountType", ""))
    for key, known in (("Classification", shapes.CLASSIFICATIONS), ("AccountSubType", shapes.ACCOUNT_SUB_TYPES)):
        if kind in known:
            record.setdefault(key, known[kind])
    return record


# ---- forms and their lines ---------------------------------------------------------------------


def _transaction(change: Change, record: Record) -> Record:
    """Give a transaction its date, its customer's data, its number, its sums and the day it is due."""
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
        _add_days(str(record["TxnDate"]), 0)  # a date at all
        record.setdefault("DueDate", _due_date(record, lookup))
    return record


def _with_addresses(record: Record, customer: Record, lookup: RecordLookup) -> Record:
    """Give a sales form the customer's addresses and the company's."""
    addresses: Record = {key: customer[key] for key in ("BillAddr", "ShipAddr") if key in customer}
    home = (lookup.find("CompanyInfo", "1") or {}).get("CompanyAddr")
    if home:
        place = f"{home.get('City', '')}, {home.get('CountrySubDivisionCode', '')}  {home.get('PostalCode', '')}"
        lines = {"Line1": home.get("Line1", ""), "Line2": place}
        addresses["ShipFromAddr"] = {"Id": home.get("Id", "1")} | lines
    return addresses | record


def _with_totals(entity: Entity, record: Record, lookup: RecordLookup) -> Record:
    """Number the lines, add them up, and tell what is left to pay."""
    if entity.name in shapes.LINES_AS_SENT:
        return record
    lines, subtotal, discount = _lines(entity, record["Line"], lookup)
    record["Line"] = lines
    if entity.name not in shapes.WITH_TOTAL:
        return record
    tax = _money((record.get("TxnTaxDetail") or {}).get("TotalTax", 0))
    paid = record.get("TotalAmt", Decimal(0)) - record.get("Balance", Decimal(0))
    total = record["TotalAmt"] = subtotal - discount + tax
    for key in shapes.OPEN_BALANCES.get(entity.name, ()):
        record[key] = total - paid
    return record


def _lines(entity: Entity, sent: list[Any], lookup: RecordLookup) -> tuple[list[Record], Decimal, Decimal]:
    """Number the lines and add the subtotal that QuickBooks adds (recorded, 2020, create/invoice.yml)."""
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
        amount = _money(line.get("Amount", 0))
        subtotal += amount
        number = {"LineNum": len(lines) + 1} if numbered else {}
        line_id = {"Id": str(line["Id"]) if "Id" in line else next(ids)}
        lines.append(_line(entity, line_id | number | line | {"Amount": amount}, lookup))
    for line in discounts:
        percent = (line.get("DiscountLineDetail") or {}).get("DiscountPercent")
        amount = _money(subtotal * Decimal(str(percent)) / 100) if percent else _money(line.get("Amount", 0))
        discount += amount
        lines.append(line | {"Amount": amount})
    if entity.name in shapes.SALES_FORMS:
        before = len(lines) - len(discounts)
        lines.insert(before, {"Amount": subtotal, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    return lines, subtotal, discount


def _line(entity: Entity, line: Record, lookup: RecordLookup) -> Record:
    """Complete a line and what it holds (recorded, 2026)."""
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


# ---- payments ----------------------------------------------------------------------------------

_PAYMENT_LINK_TYPES = frozenset({"Payment", "BillPayment", "BillPaymentCheck", "BillPaymentCreditCard"})
_CREDITS = frozenset({"CreditMemo", "VendorCredit"})
PAYMENT_TARGETS = {"Payment": "Invoice", "BillPayment": "Bill"}
"""What pays what."""


def _payment(_: Change, record: Record) -> Record:
    total = _money(record["TotalAmt"])
    return record | {"TotalAmt": total, "UnappliedAmt": total - _applied(record)}


def _applied(record: Record) -> Decimal:
    """Return what of a payment is applied: what it pays, less the credits that pay it too."""
    applied = Decimal(0)
    for line in record.get("Line", []):
        for link in line.get("LinkedTxn", []):
            if link.get("TxnId") is None:
                raise errors.required_missing("TxnId")
            cents = _money(line.get("Amount", 0))
            applied += -cents if link.get("TxnType") in _CREDITS else cents
    return applied


def amounts_paid(entity: str, record: Record) -> dict[str, Decimal]:
    """Tell what a payment pays.

    Args:
        entity: What it pays: Invoice or Bill.

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
                paid[id_] = paid.get(id_, Decimal(0)) + _money(line.get("Amount", 0))
    return paid


def unapply(record: Record, entity: str, id: str) -> Record:  # noqa: A002 -- Intuit's word
    """Take back what a payment paid of something that is no more.

    Args:
        record: A payment.

        entity: What it paid: Invoice or Bill.

        id: Of that.

    Returns:
        The payment without the lines that are for it alone, and with their amount unapplied.
    """
    gone = {"TxnId": id, "TxnType": entity}.items()

    def is_for_it(line: Record) -> bool:
        return any(gone <= link.items() for link in line.get("LinkedTxn", []))

    record = record | {"Line": [line for line in record.get("Line", []) if not is_for_it(line)]}
    if "UnappliedAmt" in record:
        record["UnappliedAmt"] = _money(record.get("TotalAmt", 0)) - _applied(record)
    return record


_WITHOUT_DATE = frozenset(
    {"Attachable", "Budget", "CompanyInfo", "ExchangeRate", "Preferences", "RecurringTransaction"}
)
_RULES: dict[str, Callable[[Change, Record], Record]] = {
    "Account": _account,
    "BillPayment": lambda _, record: record | {"TotalAmt": _money(record["TotalAmt"])},
    "Customer": _addresses,
    "Payment": _payment,
    "Vendor": _addresses,
}
