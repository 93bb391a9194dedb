"""Invoices and the payments on them, written directly as text, so that a million needs no million dictionaries.

Fragments are formatted once (a customer's address, an item's line). Key order and spelling are QuickBooks' (recorded,
May 2026); names and amounts are ours.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count, cycle, pairwise
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.company.sample.clock import DAY_S
from vantage_quickbooks.emulator.company.sample.spelling import RATES, currency, money, row, shortest, text

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from vantage_quickbooks.emulator.company.row import Row
    from vantage_quickbooks.emulator.company.sample.clock import Clock
    from vantage_quickbooks.emulator.company.sample.customers import Customer, Customers

TAX_PERCENT = "8.5"
TAX_PER_MILLE = 85
USER = "9130350000000017"
"""Who last modified a record; invented."""

SOLD = (
    ("Garden design", "Garden design, hourly", 9500, ("11", "Design income"), "Service"),
    ("Maintenance visit", "Regular maintenance of beds and paths", 16500, ("12", "Maintenance income"), "Service"),
    ("Irrigation check", "Inspection of the irrigation system", 12000, ("12", "Maintenance income"), "Service"),
    ("Planting, hourly", "Planting of shrubs and perennials", 6500, ("13", "Installation income"), "Service"),
    ("Flagstone", "Flagstone, square foot, delivered and laid", 1475, ("14", "Sales of materials"), "NonInventory"),
    ("Mulch", "Cedar mulch, cubic yard", 4850, ("14", "Sales of materials"), "NonInventory"),
    ("Olive tree, 24 inch box", "Olive tree in a 24 inch box", 38900, ("14", "Sales of materials"), "NonInventory"),
    ("Drip line", "Drip line, 100 feet, with emitters", 3925, ("14", "Sales of materials"), "NonInventory"),
    ("Lighting set", "Low-voltage path lighting, set of six", 24999, ("14", "Sales of materials"), "NonInventory"),
    ("Soil test", "Laboratory soil test with report", 7800, ("11", "Design income"), "Service"),
)  # fmt: skip
TERMS = (("1", "Due on receipt", 0), ("2", "Net 15", 15), ("3", "Net 30", 30), ("4", "Net 60", 60))

# States of invoices whose due date has passed, and of the others. They are assigned in cycles, not at random, so that
# every state occurs with every seed. "discounted" is paid, "offered" is open; both have a discount line.
_OLD = (
    "paid", "paid", "overdue", "paid", "partial", "discounted", "paid", "voided", "paid", "overdue", "paid",
)  # fmt: skip
_YOUNG = ("open", "open", "partial", "open", "paid", "offered")

_FIRST_ID = 101  # transactions and name lists have separate Ids; lower ones belong to `Books`
_CHUNK = 1000  # invoices that are drafted at a time: memory stays at one chunk
_INVOICES_PER_JOINING = 20  # one in this many invoices is paid together with another one
_MOST_PAID_TOGETHER = 3
_PAID_TOGETHER_WITHIN_S = 90 * DAY_S


@dataclass(slots=True)
class Deposited:
    """The payments in one deposit.

    Attributes:
        id: Id of the deposit.
        room: Number of payments that it takes.
        payments: Ids and amounts in cents of its payments.
        latest: When the last payment was received, in epoch seconds.
    """

    id: str
    room: int
    payments: list[tuple[str, int]] = field(default_factory=list)
    latest: int = 0


@dataclass(slots=True)
class _Payment:
    """A payment before it is written."""

    id: str
    at: int
    invoices: list[_Invoice]


@dataclass(slots=True)
class _Invoice:
    """An invoice before it is written: its payment may still be joined with another one."""

    index: int
    customer: Customer
    id: str
    state: str
    created: int
    updated: int
    issued: date
    due: date
    term: tuple[str, str]
    lines: list[str]
    taxed: int
    tax: int
    total: int
    paid: int
    payment: _Payment | None = None


def _join_payments(invoices: Sequence[_Invoice]) -> None:
    """Let some payments pay two or three invoices: those that one customer paid in full in close succession."""
    paid: defaultdict[str, list[_Invoice]] = defaultdict(list)
    for invoice in invoices:
        if invoice.payment and invoice.paid == invoice.total:
            paid[invoice.customer.id].append(invoice)
    neighbors = []
    for of_customer in paid.values():
        of_customer.sort(key=attrgetter("updated"))
        neighbors += [(later.updated - earlier.updated, earlier, later) for earlier, later in pairwise(of_customer)]
    neighbors.sort(key=itemgetter(0))
    left = len(invoices) // _INVOICES_PER_JOINING
    for apart, earlier, later in neighbors:
        if not left or apart > _PAID_TOGETHER_WITHIN_S:
            return
        if earlier.payment and later.payment:
            left -= _join(earlier.payment, later.payment)


def _join(one: _Payment, other: _Payment) -> bool:
    """Join two payments into one, unless it would pay too many invoices.

    The payment of the newer invoice remains, at the time of the later payment, so it comes after all of its invoices.
    The Id of the other payment stays unused.
    """
    invoices = sorted([*one.invoices, *other.invoices], key=attrgetter("index"))
    if len(invoices) > _MOST_PAID_TOGETHER:
        return False
    joint = one if one.invoices[-1] is invoices[-1] else other
    joint.at, joint.invoices = max(one.at, other.at), invoices
    for invoice in invoices:
        invoice.payment = joint
        invoice.updated = joint.at
    return True


class Invoices:
    """The invoices of one company, and the payments on them.

    Args:
        clock: The company's days.
        rnd: Source of all random choices.
        customers: The customers; their balances are updated.
        number: Number of invoices.
        deposits: The deposits that take the first payments in dollars.
    """

    def __init__(
        self, clock: Clock, rnd: random.Random, customers: Customers, number: int, deposits: Sequence[Deposited]
    ) -> None:
        self._clock = clock
        self._random = rnd
        self._customers = customers
        self._number = number
        self._deposits = iter(deposits)
        self._deposit = next(self._deposits, None)
        self._lines = [self._line_fragments(index) for index in range(len(SOLD))]
        self._ids = count(_FIRST_ID)
        self._old = cycle(_OLD)
        self._young = cycle(_YOUNG)
        self.tax = 0
        """Sales tax of all invoices, in cents of the home currency."""
        self.received = 0
        """Sum of all payments, in cents of the home currency."""

    @staticmethod
    def _line_fragments(index: int) -> tuple[str, str, int, bool]:
        name, description, price, (account, account_name), kind = SOLD[index]
        before = f'"Description":{text(description)},"Amount":'
        taxable = kind != "Service"
        detail = (
            ',"DetailType":"SalesItemLineDetail","SalesItemLineDetail":{"ItemRef":'
            f'{{"value":"{index + 1}","name":{text(name)}}},"UnitPrice":{shortest(price)},"Qty":%s,'
            f'"ItemAccountRef":{{"value":"{account}","name":{text(account_name)}}},'
            '"TaxCodeRef":{"value":"%s"}},"CustomExtensions":[]}'
        )
        return before, detail, price, taxable

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Write invoices and the payments on them, oldest first, as they would have been entered.

        Yields:
            Entity names and rows.
        """
        for start in range(0, self._number, _CHUNK):
            chunk = [self._draft(index) for index in range(start, min(start + _CHUNK, self._number))]
            _join_payments(chunk)
            for invoice in chunk:
                yield "Invoice", self._invoice(invoice)
                if (payment := invoice.payment) and payment.invoices[-1] is invoice:
                    yield "Payment", self._payment(payment)
                    payment.invoices.clear()  # otherwise the reference cycle would keep both until a garbage collection
            del chunk  # before the next one is drafted, so that memory stays at one chunk

    def _draft(self, index: int) -> _Invoice:
        rnd = self._random
        days, number = self._clock.days, self._number
        term_id, term_name, term_days = TERMS[(0, 1, 2, 2, 2, 3)[rnd.randrange(6)]]
        issued = self._clock.today - timedelta(days=days - (days * (index + 1)) // number)
        due = issued + timedelta(days=term_days)
        state = next(self._old if due < self._clock.today else self._young)
        some = (index % 7 == 3 and self._customers.foreign) or self._customers.buyers
        customer = some[rnd.randrange(len(some))]
        id_ = str(next(self._ids))
        payment_id = str(next(self._ids)) if state in ("paid", "discounted", "partial") else ""
        entered = self._clock.noon(issued) + rnd.randrange(-9000, 9000)
        created = min(entered, self._clock.now - 60 + index * 60 // number)
        lines, subtotal, taxed = self._draw_lines(customer, voided=state == "voided")
        discount = 0
        if state in ("discounted", "offered"):
            discount = (subtotal + 5) // 10
            taxed -= (taxed + 5) // 10
            lines.append(
                f'{{"Amount":{money(discount)},"DetailType":"DiscountLineDetail","DiscountLineDetail":'
                '{"PercentBased":true,"DiscountPercent":10,"DiscountAccountRef":'
                '{"value":"86","name":"Discounts given"}}}'
            )
        tax = (taxed * TAX_PER_MILLE + 500) // 1000
        total = subtotal - discount + tax
        paid = {"paid": total, "discounted": total, "partial": total * 2 // 5}.get(state, 0)
        updated = created
        if payment_id or state == "voided":
            later = rnd.randrange(DAY_S, 20 * DAY_S)
            updated = min(created + later, max(created, self._clock.now - 60))
        customer.balance += total - paid
        customer.touched = max(customer.touched, updated)
        term = term_id, term_name
        invoice = _Invoice(
            index, customer, id_, state, created, updated, issued, due, term, lines, taxed, tax, total, paid
        )
        if payment_id:
            invoice.payment = _Payment(payment_id, updated, [invoice])
        return invoice

    def _draw_lines(self, customer: Customer, *, voided: bool) -> tuple[list[str], int, int]:
        """Draw the lines of an invoice at random.

        Returns:
            The lines including the subtotal line, the subtotal, and its taxable part.
        """
        rnd = self._random
        subtotal = taxed = 0
        lines = []
        for n in range(1, 2 + rnd.randrange(4)):
            before, detail, price, taxable = self._lines[rnd.randrange(len(self._lines))]
            quarters = rnd.randrange(2, 33)  # from half an hour, in quarters of an hour
            cents = price * quarters // 4
            if voided:
                cents = quarters = 0
            subtotal += cents
            code = "TAX" if taxable and customer.taxable else "NON"
            taxed += cents if code == "TAX" else 0
            quantity = shortest(quarters * 25)
            lines.append(f'{{"Id":"{n}","LineNum":{n},{before}{money(cents)}{detail % (quantity, code)}')
        lines.append(f'{{"Amount":{money(subtotal)},"DetailType":"SubTotalLineDetail","SubTotalLineDetail":{{}}}}')
        return lines, subtotal, taxed

    def _invoice(self, invoice: _Invoice) -> Row:
        customer, total, payment = invoice.customer, invoice.total, invoice.payment
        balance = total - invoice.paid
        tax = money(invoice.tax)
        tax_detail = (
            f'{{"TxnTaxCodeRef":{{"value":"2"}},"TotalTax":{tax},"TaxLine":[{{"Amount":{tax},'
            '"DetailType":"TaxLineDetail","TaxLineDetail":{"TaxRateRef":{"value":"3"},"PercentBased":true,'
            f'"TaxPercent":{TAX_PERCENT},"NetAmountTaxable":{money(invoice.taxed)}}}}}]}}'
            if invoice.tax
            else '{"TotalTax":0}'
        )
        foreign = customer.currency != "USD"
        rate = RATES[customer.currency]
        home = f'"HomeTotalAmt":{money(round(total * rate))},' if foreign else ""
        created = updated = self._clock.spell(invoice.created)
        sync = 0
        if invoice.updated != invoice.created:
            updated, sync = self._clock.spell(invoice.updated), 1
        number, issued, due = str(1001 + invoice.index), invoice.issued.isoformat(), invoice.due.isoformat()
        body = (
            '{"AllowIPNPayment":false,"AllowOnlinePayment":false,"AllowOnlineCreditCardPayment":false,'
            f'"AllowOnlineACHPayment":false,"domain":"QBO","sparse":false,"Id":"{invoice.id}","SyncToken":"{sync}",'
            f'"MetaData":{{"CreateTime":"{created}","LastModifiedByRef":{{"value":"{USER}"}},'
            f'"LastUpdatedTime":"{updated}"}},"CustomField":[],"DocNumber":"{number}",'
            f'"TxnDate":"{issued}","CurrencyRef":{currency(customer.currency)},'
            + (f'"ExchangeRate":{rate},' if foreign else "")
            + ('"PrivateNote":"Voided",' if invoice.state == "voided" else "")
            + (f'"LinkedTxn":[{{"TxnId":"{payment.id}","TxnType":"Payment"}}],' if payment else '"LinkedTxn":[],')
            + f'"Line":[{",".join(invoice.lines)}],"TxnTaxDetail":{tax_detail},"CustomerRef":{customer.ref},'
            '"CustomerMemo":{"value":"Thank you for letting us look after your garden."},'
            f'{customer.bill_to}"FreeFormAddress":true,"SalesTermRef":{{"value":"{invoice.term[0]}","name":'
            f'"{invoice.term[1]}"}},"DueDate":"{due}","TotalAmt":{money(total)},{home}"ApplyTaxAfterDiscount":false,'
            f'"PrintStatus":"{"NotSet" if customer.email else "NeedToPrint"}",'
            f'"EmailStatus":"{"EmailSent" if customer.email else "NotSet"}",'
            + (f'"BillEmail":{{"Address":"{customer.email}"}},' if customer.email else "")
            + f'"Balance":{money(balance)}'
            + (f',"HomeBalance":{money(round(balance * rate))}' if foreign else "")
            + "}"
        )
        self.tax += round(invoice.tax * rate) if foreign else invoice.tax
        return row(
            invoice.id,
            invoice.created,
            invoice.updated,
            body,
            txn_date=issued,
            due_date=due,
            doc_number=number,
            customer=customer.id,
            balance=balance / 100,
            total=total / 100,
        )

    def _payment(self, payment: _Payment) -> Row:
        customer, at = payment.invoices[0].customer, payment.at
        cents = sum([invoice.paid for invoice in payment.invoices])
        self.received += round(cents * RATES[customer.currency]) if customer.currency != "USD" else cents
        deposit = self._deposit_of(customer, payment.id, cents, at) if self._deposit else ""
        entered = self._clock.spell(at)
        day = entered[:10]
        lines = ",".join([_paid_line(invoice) for invoice in payment.invoices])
        body = (
            f'{{"CustomerRef":{customer.ref},"DepositToAccountRef":{{"value":"4"}},"TotalAmt":{money(cents)},'
            f'"UnappliedAmt":0,"ProcessPayment":false,"domain":"QBO","sparse":false,"Id":"{payment.id}",'
            f'"SyncToken":"0","MetaData":{{"CreateTime":"{entered}","LastUpdatedTime":"{entered}"}},"TxnDate":"{day}",'
            f'"CurrencyRef":{currency(customer.currency)},'
            + (f'"LinkedTxn":[{{"TxnId":"{deposit}","TxnType":"Deposit"}}],' if deposit else "")
            + f'"Line":[{lines}]}}'
        )
        return row(payment.id, at, at, body, txn_date=day, customer=customer.id, total=cents / 100)

    def _deposit_of(self, customer: Customer, id_: str, paid: int, at: int) -> str:
        """Add a payment to the current deposit; return the deposit's Id, or "" if there is none."""
        deposit = self._deposit
        if deposit is None or customer.currency != "USD":
            return ""
        deposit.payments.append((id_, paid))
        deposit.latest = max(deposit.latest, at)
        if len(deposit.payments) == deposit.room:
            self._deposit = next(self._deposits, None)
        return deposit.id


def _paid_line(invoice: _Invoice) -> str:
    """Write a payment's line, with the recorded facts about the invoice that is paid."""
    opened = f"{invoice.total // 100}.{invoice.total % 100:02d}"
    extra = ",".join(
        [
            '{"name":"{http://schema.intuit.com/finance/v3}NameValue","declaredType":'
            '"com.intuit.schema.finance.v3.NameValue","scope":"javax.xml.bind.JAXBElement$GlobalScope",'
            f'"value":{{"Name":"{name}","Value":"{value}"}},"nil":false,"globalScope":true,"typeSubstituted":false}}'
            for name, value in (
                ("txnId", invoice.id),
                ("txnOpenBalance", opened),
                ("txnReferenceNumber", 1001 + invoice.index),
            )
        ]
    )
    return (
        f'{{"Amount":{money(invoice.paid)},"LinkedTxn":[{{"TxnId":"{invoice.id}","TxnType":"Invoice"}}],'
        f'"LineEx":{{"any":[{extra}]}}}}'
    )
