"""Purchases: orders, bills in all states and their payments, vendor credits, and expenses by check, cash and card."""

from __future__ import annotations

from typing import Any, NamedTuple

from vantage_quickbooks.emulator.company.payments import name_value
from vantage_quickbooks.emulator.company.sample.books import HOME, Books, Record, amount, home
from vantage_quickbooks.emulator.company.sample.lines import bought, cents_of, numbered, spent
from vantage_quickbooks.emulator.company.sample.spelling import RATES

_PAYABLE = "Accounts Payable (A/P)"
_MATERIALS = "Job expenses:Job materials"
_CHECKING, _VISA, _MASTERCARD = "Checking", "Corporate Visa", "Nursery Mastercard"
_HEAD, _VALVE = "Irrigation supplies:Sprinkler head", "Irrigation supplies:Valve, 1 inch"
_CONTROLLER, _LAVENDER = "Irrigation supplies:Controller, 8 zones", "Plants:Lavender, 1 gallon"
_MAPLE, _SOIL = "Plants:Trees:Japanese maple, 15 gallon", "Potting soil"

# Key, vendor, days ago, term, the vendor's number, currency, lines: account, cents, text and the customer that
# reimburses it; or items with quantities.
_BILLS: tuple[tuple[str, str, int, str, str, str, tuple[tuple[Any, ...], ...]], ...] = (
    ("bill-insurance", "Blue Heron Insurance Agency", 110, "Net 30", "BH-88121", HOME,
     (("Insurance:Liability insurance", 132000, "Liability insurance, half a year", None),)),
    ("bill-lawyer", "Gatehouse Legal", 100, "Net 30", "3107", HOME,
     (("Legal and professional fees:Lawyer", 64000, "Review of the greenhouse lease", None),)),
    ("bill-rent-1", "Crestline Properties", 92, "Net 15", "", HOME, (("Rent", 185000, "Yard and office", None),)),
    ("bill-plants", "Cascade Nursery Wholesale", 80, "Net 30", "C-20417", HOME, ((_LAVENDER, 60), (_MAPLE, 4))),
    ("bill-telecom-1", "Bayline Telecom", 70, "Net 15", "7740218-04", HOME,
     (("Utilities:Telephone and internet", 14860, "", None),)),
    ("bill-rent-2", "Crestline Properties", 62, "Net 15", "", HOME, (("Rent", 185000, "Yard and office", None),)),
    ("bill-print", "Fernwood Printing", 58, "Net 10", "F-5531", HOME,
     (("Advertising:Web and print", 18040, "Flyers for spring", None), ("Advertising:Web and print", 3200, "", None))),
    ("bill-irrigation", "Ironbark Irrigation Supply", 55, "Net 30", "664-1802", HOME,
     ((_HEAD, 80), (_VALVE, 20), (_CONTROLLER, 5))),
    ("bill-tree", "Mendez Tree Service", 48, "Net 15", "219", HOME,
     (("Subcontractors", 96000, "Crown reduction of two oaks", 1),)),
    ("bill-telecom-2", "Bayline Telecom", 40, "Net 15", "7740218-05", HOME,
     (("Utilities:Telephone and internet", 14860, "", None),)),
    ("bill-stone", "Castro Valley Stoneworks", 35, "Net 30", "1188", HOME,
     (("Cost of Goods Sold:Stone and aggregate", 124000, "Flagstone, 2 pallets", None),)),
    ("bill-seeds", "Rainier Seeds Ltd.", 30, "Net 60", "RS-9071", "CAD",
     (("Cost of Goods Sold:Plants and soil", 42000, "Wildflower seed, 20 kg", None),)),
    ("bill-hauling", "O'Malley Hauling", 20, "Net 30", "4410", HOME,
     (("Job expenses:Disposal fees", 28500, "Green waste, 3 loads", 3),)),
    ("bill-tiles", "Pacific Clay & Tile", 12, "Net 30", "PC-771", HOME,
     ((_MATERIALS, 50525, "Terracotta edging", 6), ("Cost of Goods Sold:Freight in", 6800, "Freight", None))),
    ("bill-rent-3", "Crestline Properties", 3, "Net 15", "", HOME, (("Rent", 185000, "Yard and office", None),)),
)  # fmt: skip
# Key, bill, whether the customer has been billed for it.
_REIMBURSE = (
    ("reimburse-tree", "bill-tree", True),
    ("reimburse-hauling", "bill-hauling", False),
    ("reimburse-tiles", "bill-tiles", False),
)
# Key, vendor, days ago, number, lines.
_CREDITS: tuple[tuple[str, str, int, str, tuple[tuple[Any, ...], ...]], ...] = (
    ("vendor-credit-heads", "Ironbark Irrigation Supply", 45, "664-C31", ((_HEAD, 20),)),
    ("vendor-credit-plants", "Cascade Nursery Wholesale", 25, "C-991",
     (("Cost of Goods Sold:Plants and soil", 6400, "Frost damage", None),)),
    ("vendor-credit-stone", "Castro Valley Stoneworks", 15, "1188-R",
     (("Cost of Goods Sold:Stone and aggregate", 12000, "Broken flagstone", None),)),
)  # fmt: skip
# Key, days ago, account, number, bills with the amounts paid in cents (None is all), credits used.
_PAYMENTS: tuple[tuple[str, int, str, str, tuple[tuple[str, int | None], ...], tuple[str, ...]], ...] = (
    ("bill-payment-insurance-1", 95, _CHECKING, "1051", (("bill-insurance", 44000),), ()),
    ("bill-payment-lawyer", 72, _CHECKING, "1054", (("bill-lawyer", None),), ()),
    ("bill-payment-insurance-2", 65, _CHECKING, "1055", (("bill-insurance", 44000),), ()),
    ("bill-payment-rent", 60, _CHECKING, "1056", (("bill-rent-1", None), ("bill-rent-2", None)), ()),
    ("bill-payment-telecom", 56, _VISA, "1", (("bill-telecom-1", None),), ()),
    ("bill-payment-plants", 50, _CHECKING, "1059", (("bill-plants", 50000),), ()),
    ("bill-payment-print", 41, _MASTERCARD, "2", (("bill-print", None),), ()),
    ("bill-payment-tree", 34, _CHECKING, "1063", (("bill-tree", None),), ()),
    ("bill-payment-irrigation", 28, _CHECKING, "1065", (("bill-irrigation", None),), ("vendor-credit-heads",)),
    ("bill-payment-stone", 6, _MASTERCARD, "3", (("bill-stone", 40000),), ()),
)
# Key, vendor, days ago, memo, items with quantities, and the transaction that closes the order.
_ORDERS: tuple[tuple[str, str, int, str, tuple[tuple[str, int], ...], tuple[str, str] | None], ...] = (
    ("order-plants", "Cascade Nursery Wholesale", 88, "Deliver to the Napa yard",
     ((_LAVENDER, 60), (_MAPLE, 4)), ("Bill", "bill-plants")),
    ("order-irrigation", "Ironbark Irrigation Supply", 63, "",
     ((_HEAD, 80), (_VALVE, 20), (_CONTROLLER, 5)), ("Bill", "bill-irrigation")),
    ("order-soil", "Jade Mountain Soils", 37, "", ((_SOIL, 50),), ("Purchase", "check-soil")),
    ("order-trees", "Cascade Nursery Wholesale", 7, "Call before delivery", ((_MAPLE, 6), ("Gravel", 3)), None),
)  # fmt: skip
# Numbers of the kinds of expenses inside PurchaseEx (recorded).
_CHECK, _EXPENSE, _CARD_CREDIT = "3", "54", "11"


class _Expense(NamedTuple):
    key: str
    how: str  # PaymentType
    paid_from: str
    payee: tuple[str, str] | None  # kind and name
    days_ago: int
    number: str
    account: str
    cents: int
    text: str
    customer: int | None
    code: str  # kind of the expense


_PURCHASES = (
    _Expense("check-uniforms", "Check", _CHECKING, ("Vendor", "Nightingale Uniforms"), 118, "1047",
     "Uniforms", 26400, "Shirts and jackets", None, _CHECK),
    _Expense("card-fuel-1", "CreditCard", _VISA, ("Vendor", "Eastbay Fuel Depot"), 104, "",
     "Vehicle expenses:Fuel", 6240, "", None, _EXPENSE),
    _Expense("check-electricity-1", "Check", _CHECKING, ("Vendor", "Lantern Electric Cooperative"), 98, "Debit",
     "Utilities:Electricity and gas", 18732, "", None, _CHECK),
    _Expense("card-software", "CreditCard", _VISA, ("Vendor", "Tule Software"), 93, "",
     "Software", 5900, "Scheduling, monthly", None, _EXPENSE),
    _Expense("cash-meals-1", "Cash", "Cash drawer", ("Vendor", "Kim's Diner"), 85, "",
     "Meals", 2460, "Lunch with a client", None, _EXPENSE),
    _Expense("check-draw", "Check", _CHECKING, None, 82, "1052", "Owner draws", 150000, "", None, _CHECK),
    _Expense("card-office-1", "CreditCard", _MASTERCARD, ("Vendor", "Sutter Office Outfitters"), 77, "",
     "Office supplies", 7648, "", None, _EXPENSE),
    _Expense("card-fuel-2", "CreditCard", _VISA, ("Vendor", "Eastbay Fuel Depot"), 74, "",
     "Vehicle expenses:Fuel", 5815, "", None, _EXPENSE),
    _Expense("check-loan", "Check", _CHECKING, ("Vendor", "Valley Ag Bank"), 68, "1053",
     "Truck loan", 61250, "Truck loan", None, _CHECK),
    _Expense("card-hardware-1", "CreditCard", _MASTERCARD, ("Vendor", "Quarry Lane Hardware"), 64, "",
     _MATERIALS, 9135, "Fence posts", 2, _EXPENSE),
    _Expense("check-bookkeeping", "Check", _CHECKING, ("Vendor", "Marlowe Accounting Group"), 59, "1057",
     "Legal and professional fees:Bookkeeping", 22500, "", None, _CHECK),
    _Expense("card-advertising", "CreditCard", _VISA, ("Vendor", "Harborlight Marketing"), 53, "",
     "Advertising", 35000, "Garden show", None, _EXPENSE),
    _Expense("check-rental", "Check", _CHECKING, ("Vendor", "Hilltop Equipment Rental"), 49, "1060",
     "Equipment rental", 48000, "Mini excavator, 2 days", 4, _CHECK),
    _Expense("card-fuel-3", "CreditCard", _VISA, ("Vendor", "Eastbay Fuel Depot"), 43, "",
     "Vehicle expenses:Fuel", 7190, "", None, _EXPENSE),
    _Expense("cash-water", "Cash", _CHECKING, ("Vendor", "Delta Water District"), 39, "",
     "Utilities:Water", 9640, "", None, _EXPENSE),
    _Expense("card-repair", "CreditCard", _VISA, ("Vendor", "Northgate Auto Care"), 32, "",
     "Vehicle expenses:Vehicle repairs", 41875, "Brakes", None, _EXPENSE),
    _Expense("card-hardware-2", "CreditCard", _MASTERCARD, ("Vendor", "Quarry Lane Hardware"), 29, "",
     "Repairs and maintenance", 4720, "Lock for the shed", None, _EXPENSE),
    _Expense("card-refund", "CreditCard", _MASTERCARD, ("Vendor", "Quarry Lane Hardware"), 26, "",
     "Repairs and maintenance", 4720, "Lock returned", None, _CARD_CREDIT),
    _Expense("check-employee", "Check", _CHECKING, ("Employee", "Benito Reyes"), 23, "1066",
     "Travel", 8420, "Mileage", None, _CHECK),
    _Expense("check-electricity-2", "Check", _CHECKING, ("Vendor", "Lantern Electric Cooperative"), 19, "Debit",
     "Utilities:Electricity and gas", 20311, "", None, _CHECK),
    _Expense("cash-fee", "Cash", _CHECKING, ("Vendor", "Valley Ag Bank"), 17, "",
     "Bank charges", 1800, "Monthly fee", None, _EXPENSE),
    _Expense("card-office-2", "CreditCard", _MASTERCARD, ("Vendor", "Sutter Office Outfitters"), 13, "",
     "Office supplies", 12999, "Printer cartridge", None, _EXPENSE),
    _Expense("card-fuel-4", "CreditCard", _VISA, ("Vendor", "Eastbay Fuel Depot"), 11, "",
     "Vehicle expenses:Fuel", 6605, "", None, _EXPENSE),
    _Expense("cash-meals-2", "Cash", "Cash drawer", ("Vendor", "Kim's Diner"), 4, "",
     "Meals", 3175, "Lunch for the crew", None, _EXPENSE),
    _Expense("card-hardware-3", "CreditCard", _MASTERCARD, ("Vendor", "Quarry Lane Hardware"), 2, "",
     _MATERIALS, 13360, "Cedar boards", 8, _EXPENSE),
)  # fmt: skip
_SOIL_CHECK = _Expense(
    "check-soil", "Check", _CHECKING, ("Vendor", "Jade Mountain Soils"), 33, "1064", "", 0, "", None, _CHECK
)


def add_bills(books: Books) -> None:
    """Add bills, and the charges for expenses that customers reimburse."""
    for key, vendor, days_ago, term, number, code, items in _BILLS:
        lines = numbered(_lines(books, items), linked=True)
        total = sum(cents_of(line) for line in lines)
        account = _PAYABLE if code == HOME else f"{_PAYABLE} - {code}"
        due = books.clock.day(days_ago - int(books.named("Term", term)["DueDays"]))
        body: Record = {
            "SalesTermRef": books.bare_ref("Term", term),
            "DueDate": due.isoformat(),
            **_vendor_address(books, vendor),
            "Balance": amount(total),
            **({"DocNumber": number} if number else {}),
            **_currency(books, code),
            "LinkedTxn": [],
            "Line": lines,
            "VendorRef": books.ref("Vendor", vendor),
            "APAccountRef": books.ref("Account", account),
            "TotalAmt": amount(total),
            **({} if code == HOME else {"HomeBalance": amount(home(total, code))}),
        }
        books.add("Bill", key, days_ago, body)
        books.spend(lines, rate=RATES[code])
        _owe(books, vendor, account, total)
    for key, bill, billed in _REIMBURSE:
        _add_charge(books, key, bill, billed=billed)


def add_credits(books: Books) -> None:
    """Add vendors' credits."""
    for key, vendor, days_ago, number, items in _CREDITS:
        lines = numbered(_lines(books, items))
        total = sum(cents_of(line) for line in lines)
        body: Record = {
            **_vendor_address(books, vendor),
            "Balance": amount(total),
            "DocNumber": number,
            "CurrencyRef": books.currency(),
            "LinkedTxn": [],
            "Line": lines,
            "VendorRef": books.ref("Vendor", vendor),
            "APAccountRef": books.ref("Account", _PAYABLE),
            "TotalAmt": amount(total),
        }
        books.add("VendorCredit", key, days_ago, body)
        books.spend(lines, -1)
        _owe(books, vendor, _PAYABLE, -total)


def add_bill_payments(books: Books) -> None:
    """Add payments of bills, by check and by card; one pays two bills, one uses a credit."""
    for key, days_ago, account, number, bills, credits_used in _PAYMENTS:
        first = books.entry("Bill", bills[0][0])
        by_card = account != _CHECKING
        source = (
            {"PayType": "CreditCard", "CreditCardPayment": {"CCAccountRef": books.ref("Account", account)}}
            if by_card
            else {
                "PayType": "Check",
                "CheckPayment": {"BankAccountRef": books.ref("Account", account), "PrintStatus": "NotSet"},
            }
        )
        body: Record = {
            "VendorRef": dict(first["VendorRef"]),
            **source,
            "DocNumber": number,
            "CurrencyRef": books.currency(),
        }
        books.add("BillPayment", key, days_ago, body)
        applied, total = [], 0
        for bill, part in bills:
            cents = _pay(books, key, "Bill", bill, part)
            applied.append((bill, "Bill", cents))
            total += cents
        for credit in credits_used:
            cents = _pay(books, key, "VendorCredit", credit, None)
            applied.append((credit, "VendorCredit", cents))
            total -= cents
        books.entry("BillPayment", key).update(
            {
                "TotalAmt": amount(total),
                "Line": [
                    {"Amount": amount(cents), "LinkedTxn": [{"TxnId": f"@{paid}", "TxnType": kind}]}
                    for paid, kind, cents in applied
                ],
            }
        )
        books.post(account, -total)
        _owe(books, first["VendorRef"]["name"], _PAYABLE, -total)


def add_purchases(books: Books) -> None:
    """Add checks, cash and card expenses, and a refund to a card."""
    for row in _PURCHASES:
        customer = books.customer_ref(row.customer) if row.customer is not None else None
        _add_purchase(books, row, [spent(books, row.account, row.cents, row.text, customer=customer)])
    _add_purchase(books, _SOIL_CHECK, [bought(books, _SOIL, 50)])


def add_orders(books: Books) -> None:
    """Add purchase orders, open ones and those that were received."""
    for number, (key, vendor, days_ago, memo, items, received) in enumerate(_ORDERS, 1001):
        lines = numbered(_lines(books, items))
        for line in lines:
            if received is None:
                line["Received"] = 0
        customer = books.customer_ref(2)
        terms = {
            "SalesTermRef": books.ref("Term", "Net 30"),
            **({"ShipTo": customer} if customer else {}),
            "DueDate": books.clock.day(days_ago - 30).isoformat(),
        }
        body: Record = {
            **_vendor_address(books, vendor),
            "ShipAddr": {
                "Id": "1", "Line1": "Juniper & Finch Garden Works", "Line2": "77 Trellis Court",
                "Line3": "Alameda, CA  94501",
            },
            "EmailStatus": "NotSet",
            "POStatus": "Closed" if received else "Open",
            "CustomField": [],
            "DocNumber": str(number),
            "CurrencyRef": books.currency(),
            "LinkedTxn": [],
            "Line": [_ordered(line) for line in lines],
            "VendorRef": books.ref("Vendor", vendor),
            "APAccountRef": books.ref("Account", _PAYABLE),
            **(terms if received is None else {}),
            "TotalAmt": amount(sum(cents_of(line) for line in lines)),
            **({"Memo": memo} if memo else {}),
        }  # fmt: skip
        books.add("PurchaseOrder", key, days_ago, body)
        if received:
            link = books.link("PurchaseOrder", key, *received)
            books.entry("PurchaseOrder", key)["LinkedTxn"].append(link)
            books.touch("PurchaseOrder", key, received)


def _ordered(line: Record) -> Record:
    """Add Received at its recorded position in an order's line."""
    if "Received" not in line:
        return line
    head = {key: line[key] for key in ("Id", "LineNum", "Description", "Amount", "Received") if key in line}
    return head | line


def _lines(books: Books, items: tuple[tuple[Any, ...], ...]) -> list[Record]:
    lines = []
    for item in items:
        if len(item) == 2:  # an item and a quantity
            lines.append(bought(books, *item))
        else:
            account, cents, text, index = item
            customer = books.customer_ref(index) if index is not None else None
            lines.append(spent(books, account, cents, text, customer=customer, billable="Billable"))
    return lines


def _vendor_address(books: Books, vendor: str) -> Record:
    address = books.named("Vendor", vendor).get("BillAddr")
    return {"VendorAddr": dict(address)} if address else {}


def _currency(books: Books, code: str) -> Record:
    rate = {} if code == HOME else {"ExchangeRate": RATES[code]}
    return {"CurrencyRef": books.currency(code), **rate}


def _owe(books: Books, vendor: str, account: str, cents: int) -> None:
    books.owed[books.ref("Vendor", vendor)["value"]] += cents
    books.post(account, -cents)


def _pay(books: Books, key: str, kind: str, paid: str, part: int | None) -> int:
    """Subtract a payment from the balance of a bill or credit; None pays all of it."""
    record = books.entry(kind, paid)
    cents = int(record["Balance"] * 100) if part is None else part
    record["Balance"] -= amount(cents)
    books.link("BillPayment", key, kind, paid)
    books.touch(kind, paid, ("BillPayment", key))
    return cents


def _add_charge(books: Books, key: str, bill: str, *, billed: bool) -> None:
    """Add the charge for a bill's line that a customer reimburses."""
    record = books.entry("Bill", bill)
    line = record["Line"][0]
    detail = line[line["DetailType"]]
    customer = detail.get("CustomerRef")
    if customer is None:
        return
    detail["BillableStatus"] = "HasBeenBilled" if billed else "Billable"
    item = books.ref("Item", "Subcontracted tree work") if billed else None
    charge: Record = {
        "CustomerRef": customer,
        "Amount": line["Amount"],
        "HasBeenInvoiced": billed,
        "CurrencyRef": books.currency(),
        "LinkedTxn": [{"TxnId": f"@{bill}", "TxnType": "Bill"}],
        "Line": [
            {
                "Id": "1",
                "LineNum": 1,
                "Description": line["Description"],
                "Amount": line["Amount"],
                "DetailType": "ReimburseLineDetail",
                "ReimburseLineDetail": {
                    **({"ItemRef": item} if item else {}),
                    "ItemAccountRef": books.ref("Account", "Billable Expense Income"),
                    "TaxCodeRef": {"value": "NON"},
                },
            }
        ],
    }
    link = {"TxnId": f"@{key}", "TxnType": "ReimburseCharge"}
    line["LinkedTxn"] = [link]
    record["LinkedTxn"].append(dict(link))
    days_ago = next(row[2] for row in _BILLS if row[0] == bill)
    books.add("ReimburseCharge", key, days_ago, charge)


def _add_purchase(books: Books, row: _Expense, lines: list[Record]) -> None:
    total = sum(cents_of(line) for line in lines)
    refund = row.code == _CARD_CREDIT
    payee = row.payee
    address = books.named("Vendor", payee[1]).get("BillAddr") if payee and payee[0] == "Vendor" else None
    body: Record = {
        "AccountRef": books.ref("Account", row.paid_from),
        "PaymentType": row.how,
        **({"PaymentMethodRef": books.ref("PaymentMethod", "Cash")} if row.paid_from == "Cash drawer" else {}),
        **({"EntityRef": books.ref(*payee) | {"type": payee[0]}} if payee else {}),
        **({"Credit": refund} if row.how == "CreditCard" else {}),
        **({"RemitToAddr": dict(address)} if address and row.how == "Check" else {}),
        "TotalAmt": amount(total),
        **({"PrintStatus": "NotSet"} if row.how == "Check" else {}),
        "PurchaseEx": {"any": [name_value("TxnType", row.code)]},
        **({"DocNumber": row.number} if row.number else {}),
        "CurrencyRef": books.currency(),
        "Line": numbered(lines, line_numbers=False),
    }
    books.add("Purchase", row.key, row.days_ago, body)
    sign = -1 if refund else 1
    books.post(row.paid_from, -sign * total)
    books.spend(lines, sign)
