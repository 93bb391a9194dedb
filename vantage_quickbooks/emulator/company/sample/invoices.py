"""Invoices and the payments on them, written straight as text: a million must not cost a million dictionaries.

Fragments are made once (a customer's address, an item's line). Key order and spelling are QuickBooks' (recorded,
May 2026), names and amounts are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

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

# What becomes of invoices whose due date has passed, and of those whose has not. Cycles and no dice:
# every state occurs at every seed. "discounted" is paid, "offered" is open; both carry a discount line.
_OLD = (
    "paid", "paid", "overdue", "paid", "partial", "discounted", "paid", "voided", "paid", "overdue", "paid",
)  # fmt: skip
_YOUNG = ("open", "open", "partial", "open", "paid", "offered")


@dataclass(slots=True)
class Deposited:
    """What of the payments went into one deposit.

    Attributes:
        id: The deposit's.
        room: How many payments it takes.
        payments: Their Ids and amounts in cents.
        latest: When the last of them was received, in epoch seconds.
    """

    id: str
    room: int
    payments: list[tuple[str, int]] = field(default_factory=list)
    latest: int = 0


class Invoices:
    """The invoices of one company, and the payments on them.

    Args:
        clock: The company's days.
        rnd: Decides all chance.
        customers: Who is invoiced; their balances follow.
        number: How many invoices.
        deposits: What the first payments in dollars are deposited with.
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
        self.tax = 0
        """Sales tax on all of them, in cents of the home currency."""
        self.received = 0
        """What all payments brought, in cents of the home currency."""

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
        rnd = self._random
        days, total = self._clock.days, self._number
        old = young = 0
        number = 100  # transactions count their Ids apart from name lists
        for index in range(total):
            age = days - (days * (index + 1)) // total
            term_id, term_name, term_days = TERMS[(0, 1, 2, 2, 2, 3)[rnd.randrange(6)]]
            issued = self._clock.today - timedelta(days=age)
            due = issued + timedelta(days=term_days)
            if due < self._clock.today:
                state = _OLD[old % len(_OLD)]
                old += 1
            else:
                state = _YOUNG[young % len(_YOUNG)]
                young += 1
            some = (index % 7 == 3 and self._customers.foreign) or self._customers.buyers
            customer = some[rnd.randrange(len(some))]
            number += 1
            invoice_id = str(number)
            paid_id = ""
            if state in ("paid", "discounted", "partial"):
                number += 1
                paid_id = str(number)
            entered = self._clock.noon(issued) + rnd.randrange(-9000, 9000)
            created = min(entered, self._clock.now - 60 + index * 60 // total)
            invoice, amount, paid, updated = self._invoice(
                customer=customer,
                id_=invoice_id,
                number=str(1001 + index),
                state=state,
                paid_id=paid_id,
                created=created,
                issued=issued,
                due=due,
                term=(term_id, term_name),
            )
            yield "Invoice", invoice
            if paid_id:
                yield (
                    "Payment",
                    self._payment(
                        customer=customer,
                        id_=paid_id,
                        invoice=(invoice_id, str(1001 + index)),
                        paid=paid,
                        total=amount,
                        at=updated,
                    ),
                )
            customer.balance += amount - paid
            customer.touched = max(customer.touched, updated)

    def _invoice(
        self,
        *,
        customer: Customer,
        id_: str,
        number: str,
        state: str,
        paid_id: str,
        created: int,
        issued: date,
        due: date,
        term: tuple[str, str],
    ) -> tuple[Row, int, int, int]:
        rnd = self._random
        voided = state == "voided"
        subtotal = taxed = 0
        lines = []
        for n in range(1, 2 + rnd.randrange(4)):
            before, detail, price, taxable = self._lines[rnd.randrange(len(self._lines))]
            quarters = rnd.randrange(2, 33)  # quantities of half an hour and more, in quarters
            cents = price * quarters // 4
            if voided:
                cents = quarters = 0
            subtotal += cents
            code = "TAX" if taxable and customer.taxable else "NON"
            taxed += cents if code == "TAX" else 0
            quantity = shortest(quarters * 25)
            lines.append(f'{{"Id":"{n}","LineNum":{n},{before}{money(cents)}{detail % (quantity, code)}')
        lines.append(f'{{"Amount":{money(subtotal)},"DetailType":"SubTotalLineDetail","SubTotalLineDetail":{{}}}}')
        discount = 0
        if state in ("discounted", "offered"):
            discount = (subtotal + 5) // 10
            taxed -= (taxed + 5) // 10
            lines.append(
                f'{{"Amount":{money(discount)},"DetailType":"DiscountLineDetail","DiscountLineDetail":'
                '{"PercentBased":true,"DiscountPercent":10,"DiscountAccountRef":'
                '{"value":"15","name":"Discounts given"}}}'
            )
        tax = (taxed * TAX_PER_MILLE + 500) // 1000
        total = subtotal - discount + tax
        paid = {"paid": total, "discounted": total, "partial": total * 2 // 5}.get(state, 0)
        balance = total - paid
        updated = created
        if paid_id or voided:
            later = rnd.randrange(86400, 20 * 86400)
            updated = min(created + later, max(created, self._clock.now - 60))
        tax_detail = (
            f'{{"TxnTaxCodeRef":{{"value":"2"}},"TotalTax":{money(tax)},"TaxLine":[{{"Amount":{money(tax)},'
            '"DetailType":"TaxLineDetail","TaxLineDetail":{"TaxRateRef":{"value":"3"},"PercentBased":true,'
            f'"TaxPercent":{TAX_PERCENT},"NetAmountTaxable":{money(taxed)}}}}}]}}'
            if tax
            else '{"TotalTax":0}'
        )
        foreign = customer.currency != "USD"
        rate = RATES[customer.currency]
        home = f'"HomeTotalAmt":{money(round(total * rate))},' if foreign else ""
        sync = 1 if updated != created else 0
        times = self._clock.spell(created), self._clock.spell(updated)
        body = (
            '{"AllowIPNPayment":false,"AllowOnlinePayment":false,"AllowOnlineCreditCardPayment":false,'
            f'"AllowOnlineACHPayment":false,"domain":"QBO","sparse":false,"Id":"{id_}","SyncToken":"{sync}",'
            f'"MetaData":{{"CreateTime":"{times[0]}","LastModifiedByRef":{{"value":"{USER}"}},'
            f'"LastUpdatedTime":"{times[1]}"}},"CustomField":[],"DocNumber":"{number}","TxnDate":"{issued}",'
            f'"CurrencyRef":{currency(customer.currency)},'
            + (f'"ExchangeRate":{rate},' if foreign else "")
            + ('"PrivateNote":"Voided",' if voided else "")
            + (f'"LinkedTxn":[{{"TxnId":"{paid_id}","TxnType":"Payment"}}],' if paid_id else '"LinkedTxn":[],')
            + f'"Line":[{",".join(lines)}],"TxnTaxDetail":{tax_detail},"CustomerRef":{customer.ref},'
            '"CustomerMemo":{"value":"Thank you for letting us look after your garden."},'
            f'{customer.bill_to}"FreeFormAddress":true,"SalesTermRef":{{"value":"{term[0]}","name":"{term[1]}"}},'
            f'"DueDate":"{due}","TotalAmt":{money(total)},{home}"ApplyTaxAfterDiscount":false,'
            f'"PrintStatus":"{"NotSet" if customer.email else "NeedToPrint"}",'
            f'"EmailStatus":"{"EmailSent" if customer.email else "NotSet"}",'
            + (f'"BillEmail":{{"Address":"{customer.email}"}},' if customer.email else "")
            + f'"Balance":{money(balance)}'
            + (f',"HomeBalance":{money(round(balance * rate))}' if foreign else "")
            + "}"
        )
        self.tax += round(tax * rate) if foreign else tax
        self.received += round(paid * rate) if foreign else paid
        invoice = row(
            id_,
            created,
            updated,
            body,
            txn_date=issued.isoformat(),
            due_date=due.isoformat(),
            doc_number=number,
            customer=customer.id,
            balance=balance / 100,
            total=total / 100,
        )
        return invoice, total, paid, updated

    def _payment(
        self, *, customer: Customer, id_: str, invoice: tuple[str, str], paid: int, total: int, at: int
    ) -> Row:
        invoice_id, number = invoice
        deposit = self._deposit_of(customer, id_, paid, at) if self._deposit else ""
        day = self._clock.date_of(at).isoformat()
        extra = ",".join(
            '{"name":"{http://schema.intuit.com/finance/v3}NameValue","declaredType":'
            '"com.intuit.schema.finance.v3.NameValue","scope":"javax.xml.bind.JAXBElement$GlobalScope",'
            f'"value":{{"Name":"{name}","Value":"{value}"}},"nil":false,"globalScope":true,"typeSubstituted":false}}'
            for name, value in (
                ("txnId", invoice_id),
                ("txnOpenBalance", f"{total // 100}.{total % 100:02d}"),
                ("txnReferenceNumber", number),
            )
        )
        body = (
            f'{{"CustomerRef":{customer.ref},"DepositToAccountRef":{{"value":"4"}},"TotalAmt":{money(paid)},'
            f'"UnappliedAmt":0,"ProcessPayment":false,"domain":"QBO","sparse":false,"Id":"{id_}","SyncToken":"0",'
            f'{self._clock.meta(at, at)},"TxnDate":"{day}","CurrencyRef":{currency(customer.currency)},'
            + (f'"LinkedTxn":[{{"TxnId":"{deposit}","TxnType":"Deposit"}}],' if deposit else "")
            + f'"Line":[{{"Amount":{money(paid)},"LinkedTxn":[{{"TxnId":"{invoice_id}","TxnType":"Invoice"}}],'
            f'"LineEx":{{"any":[{extra}]}}}}]}}'
        )
        return row(id_, at, at, body, txn_date=day, customer=customer.id, total=paid / 100)

    def _deposit_of(self, customer: Customer, id_: str, paid: int, at: int) -> str:
        """Put a payment into the deposit that is being filled; return its Id, or nothing if there is none."""
        deposit = self._deposit
        if deposit is None or customer.currency != "USD":
            return ""
        deposit.payments.append((id_, paid))
        deposit.latest = max(deposit.latest, at)
        if len(deposit.payments) == deposit.room:
            self._deposit = next(self._deposits, None)
        return deposit.id
