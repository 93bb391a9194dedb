"""What each transaction posts: lines that balance, in cents of the home currency.

Sources: Intuit's entity pages for the accounts that a transaction names; the recorded general ledger of 2018 for what
a transaction without such a name posts to. Debits are positive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from vantage_quickbooks.emulator.books.values import cents_of, number_of, rate_of, ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vantage_quickbooks.emulator.books.accounts import Chart

Record = dict[str, Any]

_SALE, _CREDIT = 1, -1
_DISCOUNT = "Discount"  # the memo of a discount; seen in a public answer of January 2025


class Line(NamedTuple):
    """One posting.

    Attributes:
        account: Id of the account.
        cents: Debit positive.
        memo: Description.
        customer: Id, or "".
        vendor: Id, or "".
        employee: Id, or "".
        klass: Id of the class, or "".
        department: Id, or "".
        item: Id, or "".
        quantity: Of an item, sold or bought.
        control: Whether this is the receivable or payable side of a charge, a credit or a payment.
        tax: Id of the tax rate, of a tax line.
        base: Taxable amount in cents, of a tax line.
    """

    account: str
    cents: int
    memo: str = ""
    customer: str = ""
    vendor: str = ""
    employee: str = ""
    klass: str = ""
    department: str = ""
    item: str = ""
    quantity: float = 0.0
    control: bool = False
    tax: str = ""
    base: int = 0


class Application(NamedTuple):
    """A part of a payment that pays a charge, or a credit that a payment uses.

    Attributes:
        entity: Entity of the charge or credit.
        id: Its Id.
        cents: In the home currency, at the rate of the charge.
        sign: 1 for a charge, -1 for a credit.
    """

    entity: str
    id: str
    cents: int
    sign: int


class Movement(NamedTuple):
    """A change of stock.

    Attributes:
        item: Id.
        quantity: Positive is received.
        cents: Cost of what is received; None is valued by `stock`.
        account: What is debited when stock leaves: cost of goods sold, or the account of an adjustment.
        asset: The inventory account.
        base: Sum of the transaction's other lines, control lines excluded.
        line: The line whose customer, class and department it has.
        posted: Whether a line of the transaction has debited the inventory account already.
    """

    item: str
    quantity: float
    cents: int | None
    account: str
    asset: str
    base: int
    line: Line
    posted: bool


@dataclass(slots=True)
class Transaction:
    """A record as the ledger holds it.

    Attributes:
        type: QuickBooks' name for its kind, such as `Bill Payment (Check)`.
        name_kind: `Customer`, `Vendor` or `Employee`, or "".
        name: Id of the customer, vendor or employee.
        total: Total in cents of the home currency.
        deferred: Whether the cash basis shows it only when it is paid.
        payment: Whether it pays others.
        posting: Whether it changes accounts.
        account: Id of its main account.
        settles: Of a payment: Id of the receivable or payable account, also if it has no lines: it may only apply
            credits.
        lines: The postings.
        applications: What it pays.
        movements: How it changes stock.
    """

    type: str
    name_kind: str = ""
    name: str = ""
    total: int = 0
    deferred: bool = False
    payment: bool = False
    posting: bool = True
    account: str = ""
    settles: str = ""
    lines: list[Line] = field(default_factory=list)
    applications: list[Application] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)


class Rates(NamedTuple):
    """What posting needs to know about other records.

    Attributes:
        item: Returns an item, or {}.
        agency: Returns the name of a tax rate's agency, or "".
        exchange: Returns the rate of a currency without a rate in the record.
        charge: Returns the rate at which a charge was posted, by entity and Id.
    """

    item: Callable[[str], Mapping[str, Any]]
    agency: Callable[[str], str]
    exchange: Callable[[str], float]
    charge: Callable[[str, str], float]


def post(entity: str, record: Record, chart: Chart, rates: Rates) -> Transaction | None:
    """Post a record.

    Args:
        entity: Its entity.
        record: The record.
        chart: The accounts.
        rates: Looks up other records.

    Returns:
        The transaction; None if the entity is not a transaction.
    """
    rule = _RULES.get(entity)
    if rule is None:
        return None
    return rule(_Poster(record, chart, rates), record)


def _list(value: object) -> list[Record]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _detail(line: Record) -> tuple[str, Record]:
    kind = str(line.get("DetailType") or "")
    detail = line.get(kind)
    return kind, detail if isinstance(detail, dict) else {}


class _Poster:
    """Posts one record."""

    def __init__(self, record: Record, chart: Chart, rates: Rates) -> None:
        self.record = record
        self.chart = chart
        self.rates = rates
        self.currency = ref(record, "CurrencyRef")
        if self.currency and self.currency != chart.home:
            self.rate = rate_of(record.get("ExchangeRate")) or rates.exchange(self.currency)
        else:
            self.rate = 1.0
        self.klass = ref(record, "ClassRef")
        self.department = ref(record, "DepartmentRef")

    def home(self, value: object) -> int:
        """Return an amount of the record in cents of the home currency."""
        cents = cents_of(value)
        return cents if self.rate == 1.0 else round(cents * self.rate)

    def line(self, account: str, cents: int, detail: Record | None = None, /, **more: Any) -> Line:
        detail = detail or {}
        more.setdefault("klass", ref(detail, "ClassRef") or self.klass)
        more.setdefault("department", ref(detail, "DepartmentRef") or self.department)
        return Line(account, cents, **more)

    def finish(self, transaction: Transaction, main: Line, others: list[Line], role: str) -> Transaction:
        """Balance a transaction and set its lines, the main one first.

        Rounding in a foreign currency goes into the largest line; what else is missing is uncategorized.
        """
        missing = -(main.cents + sum(line.cents for line in others))
        if missing and others and abs(missing) <= len(others):
            largest = max(range(len(others)), key=lambda at: abs(others[at].cents))
            others[largest] = others[largest]._replace(cents=others[largest].cents + missing)
        elif missing:
            others.append(self.line(self.chart.role(role), missing))
        transaction.account = main.account
        kept = [line for line in (main, *others) if line.cents or line.quantity]
        transaction.lines = kept
        base = sum(line.cents for line in kept if not line.control)
        transaction.movements = [movement._replace(base=base) for movement in transaction.movements]
        return transaction

    # ---- sales ----

    def sold(self, lines: object, sign: int, who: Record, moves: list[Movement]) -> Iterator[Line]:
        """Post the lines of a sales form: income, discounts, and the stock that leaves."""
        for line in _list(lines):
            kind, detail = _detail(line)
            memo = str(line.get("Description") or "")
            if kind == "GroupLineDetail":
                yield from self.sold(detail.get("Line"), sign, who, moves)
            elif kind == "DiscountLineDetail":
                account = ref(detail, "DiscountAccountRef") or self.chart.role("discounts")
                cents = sign * self.home(line.get("Amount"))
                yield self.line(account, cents, detail, memo=memo or _DISCOUNT, **who)
            elif kind == "SalesItemLineDetail":
                item_id = ref(detail, "ItemRef")
                item = self.rates.item(item_id)
                account = ref(detail, "ItemAccountRef") or ref(item, "IncomeAccountRef")
                if not account:
                    account = self.chart.role("shipping" if item_id == "SHIPPING_ITEM_ID" else "sales")
                quantity = number_of(detail.get("Qty"))
                posted = self.line(
                    account, -sign * self.home(line.get("Amount")), detail,
                    memo=memo, item=item_id, quantity=sign * quantity, **who,
                )  # fmt: skip
                yield posted
                if quantity and self.tracks(item):
                    moves.append(self.movement(item, -sign * quantity, None, posted))

    def tracks(self, item: Mapping[str, Any]) -> bool:
        """Return whether an item's stock is counted on the day of the record (recorded, 2026: not before it starts)."""
        start = str(item.get("InvStartDate") or "")
        return item.get("Type") == "Inventory" and str(self.record.get("TxnDate") or "") >= start

    def movement(
        self,
        item: Mapping[str, Any],
        quantity: float,
        cents: int | None,
        line: Line,
        *,
        account: str = "",
        posted: bool = False,
    ) -> Movement:
        account = account or ref(item, "ExpenseAccountRef") or self.chart.role("cost")
        asset = ref(item, "AssetAccountRef") or self.chart.role("inventory")
        return Movement(line.item, quantity, cents, account, asset, 0, line, posted)

    def taxed(self, sign: int, who: Record) -> Iterator[Line]:
        """Post the tax of a form to the agencies."""
        detail = self.record.get("TxnTaxDetail")
        detail = detail if isinstance(detail, dict) else {}
        total = self.home(detail.get("TotalTax"))
        for line in _list(detail.get("TaxLine")):
            inner = line.get("TaxLineDetail")
            inner = inner if isinstance(inner, dict) else {}
            cents, rate = self.home(line.get("Amount")), ref(inner, "TaxRateRef")
            base = sign * self.home(inner.get("NetAmountTaxable"))
            total -= cents
            account = self.chart.tax(self.rates.agency(rate))
            yield self.line(account, -sign * cents, tax=rate, base=base, **who)
        if total:
            yield self.line(self.chart.tax(""), -sign * total, **who)

    def sale(self, type_: str, sign: int, *, deferred: bool) -> Transaction:
        record, who = self.record, {"customer": ref(self.record, "CustomerRef")}
        transaction = Transaction(type_, "Customer" if who["customer"] else "", who["customer"], deferred=deferred)
        transaction.total = sign * self.home(record.get("TotalAmt"))
        if deferred:
            account = ref(record, "ARAccountRef") or self.chart.control("receivable", self.currency)
        else:
            account = ref(record, "DepositToAccountRef") or self.chart.role("undeposited")
        main = self.line(account, transaction.total, control=deferred, **who)
        others = [*self.sold(record.get("Line"), sign, who, transaction.movements), *self.taxed(sign, who)]
        return self.finish(transaction, main, others, "uncategorized-income")

    # ---- purchases ----

    def bought(self, lines: object, sign: int, named: Record, moves: list[Movement]) -> Iterator[Line]:
        """Post the lines of a purchase: expenses, and the stock that arrives."""
        for line in _list(lines):
            _, detail = _detail(line)
            billed = ref(detail, "CustomerRef")
            who = named | ({"customer": billed} if billed else {})
            memo, cents = str(line.get("Description") or ""), sign * self.home(line.get("Amount"))
            item_id = ref(detail, "ItemRef")
            item = self.rates.item(item_id) if item_id else {}
            if not item_id:
                account = ref(detail, "AccountRef")
                if account or cents:
                    account = account or self.chart.role("uncategorized-expense")
                    yield self.line(account, cents, detail, memo=memo, **who)
                continue
            quantity = sign * number_of(detail.get("Qty"))
            if self.tracks(item):
                account = ref(item, "AssetAccountRef") or self.chart.role("inventory")
            else:
                account = ref(item, "ExpenseAccountRef") or ref(item, "IncomeAccountRef")
                account = account or self.chart.role("uncategorized-expense")
            posted = self.line(account, cents, detail, memo=memo, item=item_id, **who)
            yield posted
            if quantity and self.tracks(item):
                moves.append(self.movement(item, quantity, cents, posted, posted=True))

    def purchase(self, type_: str, sign: int, account: str, who: tuple[str, str], *, deferred: bool) -> Transaction:
        record, (kind, id_) = self.record, who
        transaction = Transaction(type_, kind, id_, deferred=deferred)
        transaction.total = sign * self.home(record.get("TotalAmt"))
        named = {kind.lower(): id_} if kind else {}
        main = self.line(account, -transaction.total, control=deferred, **named)
        others = list(self.bought(record.get("Line"), sign, named, transaction.movements))
        tax = record.get("TxnTaxDetail")
        cents = self.home(tax.get("TotalTax")) if isinstance(tax, dict) else 0
        if cents:
            others.append(self.line(self.chart.tax(""), sign * cents, **named))
        return self.finish(transaction, main, others, "uncategorized-expense")

    # ---- payments ----

    def pay(self, type_: str, who: tuple[str, str], bank: str, control: str, side: int) -> Transaction:
        """Post a payment: money in or out, against what is owed.

        Args:
            type_: Its name.
            who: Kind and Id of who paid or was paid.
            bank: The account of the money.
            control: The receivable or payable account.
            side: 1 for money that comes in, -1 for money that goes out.
        """
        record, (kind, id_) = self.record, who
        transaction = Transaction(type_, kind, id_, payment=True, settles=control)
        transaction.total = self.home(record.get("TotalAmt"))
        settled = applied = 0
        for line in _list(record.get("Line")):
            for link in _list(line.get("LinkedTxn")):
                entity, sign = _TARGETS.get(str(link.get("TxnType")), ("", 0))
                cents = cents_of(line.get("Amount"))
                if not entity or not cents or link.get("TxnId") is None:
                    continue
                rate = 1.0 if self.rate == 1.0 else self.rates.charge(entity, str(link["TxnId"]))
                at_charge = round(cents * rate)
                transaction.applications.append(Application(entity, str(link["TxnId"]), at_charge, sign))
                settled += sign * at_charge
                applied += sign * cents
        open_cents = cents_of(record.get("TotalAmt")) - applied
        owed = settled + (round(open_cents * self.rate) if self.rate != 1.0 else open_cents)
        named = {kind.lower(): id_} if id_ else {}
        main = self.line(bank, side * transaction.total, **named)
        lines = [self.line(control, -side * owed, control=True, **named)]
        if owed != transaction.total:
            lines.append(self.line(self.chart.role("exchange"), side * (owed - transaction.total), **named))
        return self.finish(transaction, main, lines, "exchange")


_TARGETS = {
    "Invoice": ("Invoice", 1),
    "CreditMemo": ("CreditMemo", -1),
    "JournalEntry": ("JournalEntry", 1),
    "Bill": ("Bill", 1),
    "VendorCredit": ("VendorCredit", -1),
    "Deposit": ("Deposit", -1),
    "Check": ("Purchase", 1),
    "Expense": ("Purchase", 1),
    "Purchase": ("Purchase", 1),
}
"""What a payment's line can be linked with, by TxnType: the entity, and whether it is a charge or a credit."""

_PURCHASE_TYPES = {"Check": "Check", "CreditCard": "Credit Card Expense", "Cash": "Expense"}
"""Recorded, 2018 (card); Intuit's JournalReport page, 2019 (cash)."""


def _purchase(poster: _Poster, record: Record) -> Transaction:
    sign = -1 if record.get("Credit") is True else 1
    type_ = _PURCHASE_TYPES.get(str(record.get("PaymentType")), "Expense")
    if sign < 0:
        type_ = "Credit Card Credit"
    entity = record.get("EntityRef")
    kind = str(entity.get("type") or "Vendor") if isinstance(entity, dict) else ""
    kind = kind if kind in ("Customer", "Vendor", "Employee") else ("Vendor" if kind else "")
    account = ref(record, "AccountRef") or poster.chart.role("checking")
    return poster.purchase(type_, sign, account, (kind, ref(record, "EntityRef")), deferred=False)


def _payable(poster: _Poster, record: Record) -> str:
    return ref(record, "APAccountRef") or poster.chart.control("payable", poster.currency)


def _payment(poster: _Poster, record: Record) -> Transaction:
    bank = ref(record, "DepositToAccountRef") or poster.chart.role("undeposited")
    control = ref(record, "ARAccountRef") or poster.chart.control("receivable", poster.currency)
    return poster.pay("Payment", ("Customer", ref(record, "CustomerRef")), bank, control, 1)


def _bill_payment(poster: _Poster, record: Record) -> Transaction:
    by_card = record.get("PayType") == "CreditCard"
    bank = (
        ref(record, "CreditCardPayment", "CCAccountRef") if by_card else ref(record, "CheckPayment", "BankAccountRef")
    )
    bank = bank or poster.chart.role("card" if by_card else "checking")
    type_ = f"Bill Payment ({'Credit Card' if by_card else 'Check'})"
    return poster.pay(type_, ("Vendor", ref(record, "VendorRef")), bank, _payable(poster, record), -1)


def _deposit(poster: _Poster, record: Record) -> Transaction:
    transaction = Transaction("Deposit")
    transaction.total = poster.home(record.get("TotalAmt"))
    bank = ref(record, "DepositToAccountRef") or poster.chart.role("checking")
    others = []
    for line in _list(record.get("Line")):
        _, detail = _detail(line)
        account = ref(detail, "AccountRef") or poster.chart.role("undeposited")
        entity = detail.get("Entity")
        who = {}
        if isinstance(entity, dict) and str(entity.get("type", "")).lower() in ("customer", "vendor", "employee"):
            who = {str(entity["type"]).lower(): str(entity.get("value") or "")}
        memo = str(line.get("Description") or "")
        others.append(poster.line(account, -poster.home(line.get("Amount")), detail, memo=memo, **who))
    back = record.get("CashBack")
    if isinstance(back, dict):
        account = ref(back, "AccountRef") or poster.chart.role("checking")
        others.append(poster.line(account, poster.home(back.get("Amount")), memo=str(back.get("Memo") or "")))
    return poster.finish(transaction, poster.line(bank, transaction.total), others, "uncategorized-income")


def _journal(poster: _Poster, record: Record) -> Transaction:
    transaction = Transaction("Journal Entry")
    lines = []
    for line in _list(record.get("Line")):
        _, detail = _detail(line)
        cents = poster.home(line.get("Amount")) * (-1 if detail.get("PostingType") == "Credit" else 1)
        entity = detail.get("Entity")
        entity = entity if isinstance(entity, dict) else {}
        kind = str(entity.get("Type") or "").lower()
        who = {kind: ref(entity, "EntityRef")} if kind in ("customer", "vendor", "employee") else {}
        if who and not transaction.name:
            transaction.name_kind, transaction.name = kind.capitalize(), who[kind]
        account = ref(detail, "AccountRef") or poster.chart.role("uncategorized-asset")
        lines.append(poster.line(account, cents, detail, memo=str(line.get("Description") or ""), **who))
    if not lines:
        return transaction
    transaction.total = sum(line.cents for line in lines if line.cents > 0)
    return poster.finish(transaction, lines[0], lines[1:], "uncategorized-asset")


def _between(type_: str, source: str, target: str) -> Callable[[_Poster, Record], Transaction]:
    """Return the rule of a movement of money between two accounts."""

    def rule(poster: _Poster, record: Record) -> Transaction:
        cents = poster.home(record.get("Amount"))
        vendor = ref(record, "VendorRef")
        transaction = Transaction(type_, "Vendor" if vendor else "", vendor, total=cents)
        out, into = ref(record, source) or poster.chart.role("checking"), ref(record, target)
        into = into or poster.chart.role("checking")
        lines = [poster.line(into, cents, vendor=vendor)]
        return poster.finish(transaction, poster.line(out, -cents, vendor=vendor), lines, "uncategorized-asset")

    return rule


def _adjustment(poster: _Poster, record: Record) -> Transaction:
    account = ref(record, "AdjustAccountRef") or poster.chart.role("shrinkage")
    customer = ref(record, "CustomerRef")
    transaction = Transaction("Inventory Qty Adjust", "Customer" if customer else "", customer, account=account)
    for line in _list(record.get("Line")):
        _, detail = _detail(line)
        item_id, quantity = ref(detail, "ItemRef"), number_of(detail.get("QtyDiff"))
        item = poster.rates.item(item_id)
        if quantity:
            posted = poster.line(account, 0, detail, item=item_id, customer=customer)
            cents = None if quantity < 0 else cents_of(number_of(item.get("PurchaseCost")) * quantity)
            transaction.movements.append(poster.movement(item, quantity, cents, posted, account=account))
    return transaction


def _non_posting(type_: str, kind: str) -> Callable[[_Poster, Record], Transaction]:
    def rule(poster: _Poster, record: Record) -> Transaction:
        id_ = ref(record, f"{kind}Ref")
        total = poster.home(record.get("TotalAmt"))
        return Transaction(type_, kind if id_ else "", id_, total=total, posting=False)

    return rule


_RULES: dict[str, Callable[[_Poster, Record], Transaction]] = {
    "Invoice": lambda poster, _: poster.sale("Invoice", _SALE, deferred=True),
    "CreditMemo": lambda poster, _: poster.sale("Credit Memo", _CREDIT, deferred=True),
    "SalesReceipt": lambda poster, _: poster.sale("Sales Receipt", _SALE, deferred=False),
    "RefundReceipt": lambda poster, _: poster.sale("Refund", _CREDIT, deferred=False),
    "Payment": _payment,
    "Bill": lambda poster, record: poster.purchase(
        "Bill", 1, _payable(poster, record), ("Vendor", ref(record, "VendorRef")), deferred=True
    ),
    "VendorCredit": lambda poster, record: poster.purchase(
        "Vendor Credit", -1, _payable(poster, record), ("Vendor", ref(record, "VendorRef")), deferred=True
    ),
    "BillPayment": _bill_payment,
    "Purchase": _purchase,
    "Deposit": _deposit,
    "Transfer": _between("Transfer", "FromAccountRef", "ToAccountRef"),
    "CreditCardPaymentTxn": _between("Credit Card Payment", "BankAccountRef", "CreditCardAccountRef"),
    "JournalEntry": _journal,
    "InventoryAdjustment": _adjustment,
    "Estimate": _non_posting("Estimate", "Customer"),
    "PurchaseOrder": _non_posting("Purchase Order", "Vendor"),
    "ChangeOrder": _non_posting("Change Order", "Customer"),
}

ENTITIES = frozenset(_RULES)
"""The transactions that the ledger holds."""
