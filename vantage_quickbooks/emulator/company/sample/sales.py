"""Sales other than invoices: estimates, receipts, refunds, credit memos, and payments on journal entries.

A customer's balance is the sum of its open invoices, because an invoice and its payment do not change later. Therefore
each unapplied amount (of a credit memo or a payment) has an open charge of the same amount. These charges are journal
entries, taken over from earlier books; payments pay several of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vantage_quickbooks.emulator.company.payments import name_value
from vantage_quickbooks.emulator.company.sample import lines as form_lines
from vantage_quickbooks.emulator.company.sample.books import Books, Record, amount, plain
from vantage_quickbooks.emulator.company.sample.items import KIT
from vantage_quickbooks.emulator.company.sample.lines import cents_of, each_sold, form, sold, tax_of

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.sample.customers import Customer

_MEMO = {"value": "Thank you for letting us look after your garden."}
_HEAD, _VALVE = "Irrigation supplies:Sprinkler head", "Irrigation supplies:Valve, 1 inch"
_LAVENDER, _MAPLE = "Plants:Lavender, 1 gallon", "Plants:Trees:Japanese maple, 15 gallon"

# Key, index of the customer, days ago, state, days until it expires, items with quantities, percent of discount.
_ESTIMATES: tuple[tuple[str, int, int, str, int, tuple[tuple[str, int], ...], int], ...] = (
    ("estimate-expired", 4, 96, "Pending", 30, (("Garden design", 6), ("Planting, hourly", 12)), 0),
    ("estimate-rejected", 7, 75, "Rejected", 30, (("Flagstone", 220), ("Planting, hourly", 30)), 0),
    ("estimate-closed", 9, 60, "Closed", 30, (("Lighting set", 3), ("Planting, hourly", 5)), 0),
    ("estimate-accepted", 2, 18, "Accepted", 30, (("Olive tree, 24 inch box", 4), ("Garden design", 8)), 10),
    ("estimate-pending", 12, 6, "Pending", 30, (("Irrigation check", 2), (_HEAD, 24)), 0),
)  # fmt: skip
# Key, index of the customer, days ago, state, items with quantities.
_CHANGE_ORDERS: tuple[tuple[str, int, int, str, tuple[tuple[str, int], ...]], ...] = (
    ("change-order-1", 3, 16, "Accepted", (("Drip line", 3), ("Planting, hourly", 4))),
    ("change-order-2", 4, 5, "Pending", (("Lighting set", 1),)),
)
# Key, index of the customer (None is a walk-in), days ago, number, payment method, its number, account, items.
_RECEIPTS: tuple[tuple[str, int | None, int, str, str, str, str, tuple[tuple[str, int], ...]], ...] = (
    ("receipt-plants", 8, 120, "901", "Visa", "", "Checking", ((_LAVENDER, 12), (_MAPLE, 1))),
    ("receipt-time", 5, 52, "902", "Check", "2231", "Checking", ()),
    ("receipt-bundle", 6, 27, "903", "American Express", "", "Undeposited Funds", ()),
    ("receipt-walkin", None, 26, "904", "Cash", "", "Undeposited Funds", ((_LAVENDER, 3), ("Potting soil", 2))),
    ("receipt-expense", 1, 25, "905", "Check", "1187", "Undeposited Funds", ()),
)
# Key, index of the customer, days ago, number, payment method, account, items.
_REFUNDS = (
    ("refund-plants", 8, 111, "906", "Check", "Checking", ((_LAVENDER, 4),)),
    ("refund-visit", 10, 22, "907", "Bank transfer", "Checking", (("Maintenance visit", 1),)),
)
# Key, index of the customer, days ago, number, items.
_CREDITS = (
    ("credit-applied", 11, 40, "908", (("Irrigation check", 1),)),
    ("credit-partly", 13, 36, "909", (("Garden design", 2),)),
    ("credit-open", 14, 9, "910", (("Soil test", 1),)),
)
# Journal entry, line, index of the customer, cents.
CHARGES = (
    ("charges-1", "0", 0, 41000),
    ("charges-1", "1", 9, 18000),
    ("charges-1", "2", 11, 12000),
    ("charges-2", "0", 0, 26550),
    ("charges-2", "1", 9, 27000),
    ("charges-2", "2", 13, 24000),
    ("charges-2", "3", 14, 7800),
)
"""Open charges of customers, taken over from earlier books."""


class _Payment(NamedTuple):
    key: str
    customer: int
    days_ago: int
    total: int  # cents
    charges: tuple[tuple[str, str, int], ...]  # what it pays: journal entry, line, cents
    credits: tuple[tuple[str, int], ...] = ()  # what it uses: credit memo, cents
    account: str = ""
    method: str = ""
    number: str = ""


_PAYMENTS = (
    _Payment(
        "payment-several", 0, 44, 67550, (("charges-1", "0", 41000), ("charges-2", "0", 26550)),
        account="Undeposited Funds", method="Check", number="5512",
    ),
    _Payment("payment-credit-1", 11, 38, 0, (("charges-1", "2", 12000),), (("credit-applied", 12000),)),
    _Payment("payment-credit-2", 13, 33, 0, (("charges-2", "2", 11000),), (("credit-partly", 11000),)),
    _Payment(
        "payment-unapplied", 9, 24, 45000, (("charges-1", "1", 18000),), account="Checking", method="Bank transfer"
    ),
    _Payment("payment-charge", 13, 20, 5000, (("charges-2", "2", 5000),), account="Checking", method="Cash"),
)  # fmt: skip
# Key, employee or vendor, index of the customer, days ago, item, hours, minutes, state, description.
_TIME = (
    ("time-1", "Amara Diallo", 5, 55, "Garden design", 4, 30, "HasBeenBilled", "Planting plan, first draft"),
    ("time-2", "Amara Diallo", 5, 54, "Garden design", 2, 0, "HasBeenBilled", "Planting plan, second draft"),
    ("time-3", "Benito Reyes", 2, 30, "Planting, hourly", 7, 15, "Billable", "Beds along the drive"),
    ("time-4", "Dev Malhotra", 2, 30, "Planting, hourly", 7, 15, "Billable", "Beds along the drive"),
    ("time-5", "Clara Novak", None, 29, "", 3, 0, "NotBillable", "Inventory count"),
    ("time-6", "Mendez Tree Service", 1, 47, "Tree pruning", 8, 0, "NotBillable", "Crown reduction of two oaks"),
    ("time-7", "Benito Reyes", 10, 8, "Irrigation check", 1, 45, "Billable", "Spring start-up"),
    ("time-8", "Amara Diallo", 12, 1, "Garden design", 0, 50, "NotBillable", "Call about the estimate"),
)


def add_time(books: Books) -> None:
    """Add time activities, of employees and of one vendor."""
    for key, who, index, days_ago, item, hours, minutes, status, text in _TIME:
        vendor = who == "Mendez Tree Service"
        customer = books.customer_ref(index) if index is not None else None
        if status != "NotBillable" and customer is None:
            continue
        kind = "Vendor" if vendor else "Employee"
        rate = books.named("Item", item)["UnitPrice"] if item else 0
        body: Record = {
            "NameOf": kind,
            f"{kind}Ref": books.ref(kind, who),
            **({"CustomerRef": customer} if customer else {}),
            **({"ItemRef": books.ref("Item", item)} if item else {}),
            "BillableStatus": status,
            "Taxable": False,
            "HourlyRate": rate,
            "Hours": hours,
            "Minutes": minutes,
            "Description": text,
        }
        books.add("TimeActivity", key, days_ago, body)


def add_estimates(books: Books) -> None:
    """Add estimates in all states, and change orders."""
    for number, (key, index, days_ago, status, valid, items, discount) in enumerate(_ESTIMATES, 1001):
        customer = books.customer(index)
        if customer is None:
            return
        lines = [sold(books, item, quantity, taxable=customer.taxable) for item, quantity in items]
        body = _offer(books, customer, str(number), status, form(lines, discount=discount)[0])
        body["ExpirationDate"] = books.clock.day(days_ago - valid).isoformat()
        if status == "Accepted":
            accepted = {"AcceptedBy": customer.name, "AcceptedDate": books.clock.day(days_ago - 4).isoformat()}
            body |= accepted
        books.add("Estimate", key, days_ago, body)
    for number, (key, index, days_ago, status, items) in enumerate(_CHANGE_ORDERS, 1):
        customer = books.customer(index)
        if customer is None:
            return
        lines = [sold(books, item, quantity, taxable=customer.taxable) for item, quantity in items]
        books.add("ChangeOrder", key, days_ago, _offer(books, customer, f"CO-{number}", status, form(lines)[0]))


def add_receipts(books: Books) -> None:
    """Add sales receipts, one of them to a walk-in, and refund receipts."""
    for key, index, days_ago, number, method, reference, account, items in _RECEIPTS:
        customer = books.customer(index) if index is not None else None
        if customer is None and index is not None:
            continue
        taxable = customer.taxable if customer else True
        lines = [sold(books, item, quantity, taxable=taxable) for item, quantity in items]
        lines += _special_lines(books, key, taxable=taxable)
        sums, total = form(lines)
        body = _sale(books, customer, number, sums) | {
            "Balance": amount(0),
            "PaymentMethodRef": books.ref("PaymentMethod", method),
            **({"PaymentRefNum": reference} if reference else {}),
            "DepositToAccountRef": books.ref("Account", account),
        }
        books.add("SalesReceipt", key, days_ago, body)
        books.post(account, total)
        _post_sale(books, lines, sums, 1)
        if key == "receipt-time":
            for line, activity in zip(body["Line"], ("time-1", "time-2"), strict=False):
                line["LinkedTxn"] = [{"TxnId": f"@{activity}", "TxnType": "TimeActivity"}]
                books.touch("TimeActivity", activity, ("SalesReceipt", key))
        if key == "receipt-expense":
            line = body["Line"][0]
            line["LinkedTxn"] = [books.link("SalesReceipt", key, "ReimburseCharge", "reimburse-tree")]
            body["LinkedTxn"] = list(line["LinkedTxn"])
            books.touch("ReimburseCharge", "reimburse-tree", ("SalesReceipt", key))
    for key, index, days_ago, number, method, account, items in _REFUNDS:
        customer = books.customer(index)
        if customer is None:
            continue
        lines = [sold(books, item, quantity, taxable=customer.taxable) for item, quantity in items]
        sums, total = form(lines)
        body = _sale(books, customer, number, sums) | {
            "Balance": amount(0),
            "PaymentMethodRef": books.ref("PaymentMethod", method),
            "DepositToAccountRef": books.ref("Account", account),
        }
        books.add("RefundReceipt", key, days_ago, body)
        books.post(account, -total)
        _post_sale(books, lines, sums, -1)


def add_credits(books: Books) -> None:
    """Add credit memos, and payments on the charges of earlier books, with and without credit memos."""
    if books.customer(0) is None:
        return
    _add_charges(books)
    for key, index, days_ago, number, items in _CREDITS:
        customer = books.customer(index)
        if customer is None:
            continue
        lines = [sold(books, item, quantity, taxable=customer.taxable) for item, quantity in items]
        sums, total = form(lines)
        body = {"RemainingCredit": amount(total)} | _sale(books, customer, number, sums) | {"Balance": amount(total)}
        books.add("CreditMemo", key, days_ago, body)
        _receivable(books, -total)
        _post_sale(books, lines, sums, -1)
    for payment in _PAYMENTS:
        _add_payment(books, payment)


def _add_charges(books: Books) -> None:
    for number, (entry, days_ago) in enumerate((("charges-1", -3), ("charges-2", -2)), 2):
        charges = [charge for charge in CHARGES if charge[0] == entry]
        total = sum(cents for *_, cents in charges)
        _receivable(books, total)
        books.post("Opening Balance Equity", -total)
        lines = [
            form_lines.journal(
                books, line, "Debit", "Accounts Receivable (A/R)", cents,
                text="Open balance", customer=books.customer_ref(index),
            )
            for _, line, index, cents in charges
        ]  # fmt: skip
        lines.append(
            form_lines.journal(books, str(len(lines)), "Credit", "Opening Balance Equity", total, text="Open balances")
        )
        books.add(
            "JournalEntry",
            entry,
            days_ago,
            form_lines.journal_entry(books, f"JE-{number}", lines, "Open balances of customers"),
        )


def _add_payment(books: Books, row: _Payment) -> None:
    applied = sum(cents for *_, cents in row.charges) - sum(cents for _, cents in row.credits)
    body: Record = {
        "CustomerRef": books.customer_ref(row.customer),
        **({"DepositToAccountRef": books.bare_ref("Account", row.account)} if row.account else {}),
        **({"PaymentMethodRef": books.bare_ref("PaymentMethod", row.method)} if row.method else {}),
        **({"PaymentRefNum": row.number} if row.number else {}),
        "TotalAmt": amount(row.total),
        "UnappliedAmt": amount(row.total - applied),
        "ProcessPayment": False,
        "CurrencyRef": books.currency(),
        **({} if row.total else {"PrivateNote": "Applies a credit to a charge"}),
    }
    books.add("Payment", row.key, row.days_ago, body)
    paid = []
    for entry, line, cents in row.charges:
        link = books.link("Payment", row.key, "JournalEntry", entry, line)
        opened = next(charge[3] for charge in CHARGES if charge[:2] == (entry, line))
        paid.append(_paid(link, cents, opened, books.entry("JournalEntry", entry)["DocNumber"]))
        books.touch("JournalEntry", entry, ("Payment", row.key))
    for memo, cents in row.credits:
        link = books.link("Payment", row.key, "CreditMemo", memo)
        credit = books.entry("CreditMemo", memo)
        paid.append(_paid(link, cents, int(credit["TotalAmt"] * 100), credit["DocNumber"]))
        credit["Balance"] = credit["RemainingCredit"] = credit["Balance"] - amount(cents)
        books.touch("CreditMemo", memo, ("Payment", row.key))
    books.entry("Payment", row.key)["Line"] = paid
    if row.account:
        books.post(row.account, row.total)
    _receivable(books, -row.total)


def _paid(link: Record, cents: int, opened: int, number: str) -> Record:
    """Make a payment's line, with the recorded facts about the transaction that is paid."""
    extra = (("txnId", link["TxnId"]), ("txnOpenBalance", f"{opened / 100:.2f}"), ("txnReferenceNumber", number))
    return {
        "Amount": amount(cents),
        "LinkedTxn": [link],
        "LineEx": {"any": [name_value(name, value) for name, value in extra]},
    }


def _receivable(books: Books, cents: int) -> None:
    books.post("Accounts Receivable (A/R)", cents)


def _special_lines(books: Books, key: str, *, taxable: bool) -> list[Record]:
    """Make the lines of receipts that bill a bundle, time or an expense."""
    if key == "receipt-bundle":
        inner = [sold(books, name, quantity, taxable=taxable) for _, name, _, quantity in KIT]
        return [form_lines.bundle(books, "Drip starter kit", inner)]
    if key == "receipt-time":
        worked = [activity for activity in _TIME if activity[7] == "HasBeenBilled"]
        return [
            sold(books, item, plain(100 * hours + 100 * minutes // 60)) | {"Description": text}
            for _, _, _, _, item, hours, minutes, _, text in worked
        ]
    if key == "receipt-expense":
        charge = sold(books, "Subcontracted tree work", 1, unit=96000)
        return [charge]
    return []


def _post_sale(books: Books, lines: list[Record], sums: Record, sign: int) -> None:
    """Credit the income of a sale and its tax, and take its items from stock at cost."""
    books.post("Sales tax payable", -sign * tax_of(sums))
    for line in sums["Line"]:
        if line["DetailType"] == "DiscountLineDetail":
            books.post("Discounts given", sign * cents_of(line))
    for line in each_sold(lines):
        detail = line["SalesItemLineDetail"]
        books.balances[detail["ItemAccountRef"]["value"]] -= sign * cents_of(line)
        item = books.entry("Item", detail["ItemRef"]["value"])
        if item["Type"] == "Inventory":
            cost = sign * round(item["PurchaseCost"] * 100) * detail["Qty"]
            books.stock[detail["ItemRef"]["value"]] -= sign * detail["Qty"]
            books.post("Inventory Asset", -cost)
            books.post("Cost of Goods Sold", cost)


def _sale(books: Books, customer: Customer | None, number: str, sums: Record) -> Record:
    """Make the members that all sales forms have in common."""
    body: Record = {"CustomField": [], "DocNumber": number, "CurrencyRef": books.currency(), **sums}
    if customer:
        body |= {"CustomerRef": {"value": customer.id, "name": customer.name}, "CustomerMemo": _MEMO}
        body |= {
            "BillAddr": customer.address,
            "ShipAddr": {**customer.address, "Id": str(int(customer.address["Id"]) + 1)},
        }
        if customer.email:
            body["BillEmail"] = {"Address": customer.email}
    return body | {
        "FreeFormAddress": True,
        "ShipFromAddr": {"Id": "1", "Line1": "77 Trellis Court", "Line2": "Alameda, CA  94501"},
        "ApplyTaxAfterDiscount": False,
        "PrintStatus": "NeedToPrint",
        "EmailStatus": "NotSet",
    }


def _offer(books: Books, customer: Customer, number: str, status: str, sums: Record) -> Record:
    return _sale(books, customer, number, sums) | {"TxnStatus": status}
