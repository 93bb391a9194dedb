"""The sample company, invented here and seeded: the same seed on the same day gives the same books.

Dates hang on today, so that an overdue invoice is overdue whenever the emulator starts.
Records are written straight as text, from fragments that are made once (a customer's
address, an item's line): a million invoices must not cost a million dictionaries. Key order
and spelling are QuickBooks' (recorded, May 2026), names and amounts are ours.
"""

from __future__ import annotations

import csv
import json
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from importlib import resources
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.company.row import Row
from vantage_quickbooks.emulator.company.times import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPANY_NAME = "Juniper & Finch Garden Works"
_TAX_PERCENT = "8.5"
_TAX_PER_MILLE = 85
_USER = "9130350000000017"  # who last modified a record; invented

_CURRENCIES = {"USD": "United States Dollar", "CAD": "Canadian Dollar", "EUR": "Euro"}
_RATES = {"USD": 1.0, "CAD": 0.73, "EUR": 1.08}

_FIRST = [
    "Ada",
    "Bruno",
    "Cleo",
    "Dara",
    "Eli",
    "Faye",
    "Gus",
    "Hana",
    "Ivo",
    "June",
    "Kai",
    "Lena",
    "Milo",
    "Nora",
    "Otto",
    "Pia",
    "Quinn",
    "Rosa",
    "Sven",
    "Tess",
    "Uma",
    "Vito",
    "Wren",
    "Yara",
    "Zeno",
]
_LAST = [
    "Abbott",
    "Barlow",
    "Castell",
    "Dunmore",
    "Ekberg",
    "Fairley",
    "Garrick",
    "Holloway",
    "Ibarra",
    "Jansen",
    "Keating",
    "Lowell",
    "Merino",
    "Norwood",
    "Osgood",
    "Pruitt",
    "Quigley",
    "Rennick",
    "Solano",
    "Thorne",
    "Ulrich",
    "Vickers",
    "Wexley",
    "Yates",
    "Zeller",
]
_TRADE = [
    "Bakery",
    "Clinic",
    "Studio",
    "Orchard",
    "Hardware",
    "Stables",
    "Press",
    "Cycles",
    "Dairy",
    "Gallery",
    "Kitchens",
    "Labs",
    "Market",
    "Motors",
    "Roofing",
]
_STREETS = [
    "Acorn",
    "Birch",
    "Cedar",
    "Dogwood",
    "Elm",
    "Fir",
    "Grove",
    "Hazel",
    "Ivy",
    "Juniper",
    "Laurel",
    "Maple",
    "Oak",
    "Pine",
    "Quince",
    "Rowan",
    "Spruce",
    "Walnut",
]
_CITIES = (("Oakland", "94607"), ("San Jose", "95134"), ("Berkeley", "94704"), ("Fremont", "94536"), ("Napa", "94558"))

# Name, description, price in cents, income account (id, name), kind.
_ITEMS = (
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
_ACCOUNTS = (
    ("1", "Accounts Receivable (A/R)", "Asset", "Accounts Receivable", "AccountsReceivable"),
    ("2", "Accounts Receivable (A/R) - CAD", "Asset", "Accounts Receivable", "AccountsReceivable"),
    ("3", "Accounts Receivable (A/R) - EUR", "Asset", "Accounts Receivable", "AccountsReceivable"),
    ("4", "Undeposited Funds", "Asset", "Other Current Asset", "UndepositedFunds"),
    ("5", "Checking", "Asset", "Bank", "Checking"),
    ("11", "Design income", "Revenue", "Income", "ServiceFeeIncome"),
    ("12", "Maintenance income", "Revenue", "Income", "ServiceFeeIncome"),
    ("13", "Installation income", "Revenue", "Income", "ServiceFeeIncome"),
    ("14", "Sales of materials", "Revenue", "Income", "SalesOfProductIncome"),
    ("15", "Discounts given", "Revenue", "Income", "DiscountsRefundsGiven"),
    ("16", "Sales tax payable", "Liability", "Other Current Liability", "SalesTaxPayable"),
)
_TERMS = (("1", "Due on receipt", 0), ("2", "Net 15", 15), ("3", "Net 30", 30), ("4", "Net 60", 60))

# What becomes of invoices whose due date has passed, and of those whose has not. Cycles and no dice:
# every state is there whatever the seed. "discounted" is paid, "offered" is open; both carry a discount line.
_OLD = (
    "paid", "paid", "overdue", "paid", "partial", "discounted", "paid", "voided", "paid", "overdue", "paid",
)  # fmt: skip
_YOUNG = ("open", "open", "partial", "open", "paid", "offered")


@dataclass(slots=True)
class _Customer:
    """A customer with the fragments that its invoices repeat."""

    id: str
    name: str
    full_name: str
    currency: str
    active: bool
    taxable: bool
    parent: int | None
    head: str  # the record up to Balance
    tail: str  # the record from GivenName on
    ref: str
    bill_to: str  # BillAddr and ShipAddr, as an invoice has them
    email: str
    balance: int = 0
    touched: int = 0
    created: int = 0


def money(cents: int) -> str:
    """Spell an amount as QuickBooks does.

    Args:
        cents: The amount in hundredths.

    Returns:
        Two decimals, and zero as `0`.

    Source: recorded, all years.
    """
    if not cents:
        return "0"
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


_Person = dict[str, str]


def _people() -> list[_Person]:
    """Read the hand-made customers: one of each kind that has ever surprised a client."""
    text = (resources.files(__package__) / "customers.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def _object(key: str, value: str | None) -> str:
    return f'{{"{key}":{_text(value)}}}' if value else ""


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shortest(cents: int) -> str:
    """Spell a unit price: no superfluous zeros."""
    return money(cents).rstrip("0").rstrip(".") if cents % 100 else str(cents // 100)


def _members(**values: str) -> str:
    """Spell the members that are not empty, with a comma before each."""
    return "".join(f",{_text(key)}:{value}" for key, value in values.items() if value)


class Sample:
    """The books of one invented company.

    Args:
        seed: Decides all chance.

        now: Epoch seconds; the books end here.

        zone: The company's.

        customers: How many; None is the hand-made thirty.

        invoices: How many; None is sixty.
    """

    def __init__(
        self, *, seed: int, now: float, zone: tzinfo, customers: int | None = None, invoices: int | None = None
    ) -> None:
        self._random = random.Random(seed)
        self._now = int(now)
        self._zone = zone
        self._today = datetime.fromtimestamp(now, zone).date()
        self._invoices = 60 if invoices is None else invoices
        self._days = 200 if self._invoices <= 1000 else 1000  # how far back the books go
        people = _people()
        count = len(people) if customers is None else customers
        self._full_names: list[str] = []
        self._customers = [
            self._customer(index, people[index] if index < len(people) else self._invented(index))
            for index in range(count)
        ]
        self._buyers = [c for c in self._customers if c.active] or self._customers
        self._foreign = [c for c in self._buyers if c.currency != "USD"]
        self._lines = [self._line_fragments(index) for index in range(len(_ITEMS))]

    def records(self) -> Iterator[tuple[str, Row]]:
        """Write the books.

        Yields:
            Entity names and rows; customers last, for their balances come of the invoices.
        """
        yield "CompanyInfo", self._company_info()
        yield "Preferences", self._preferences()
        yield from self._lists()
        if self._customers:
            yield from self._transactions()
            yield from self._customer_rows()

    # ---- the company and its lists ----

    def _at(self, days_ago: float) -> int:
        return self._now - int(days_ago * 86400)

    def _meta(self, created: int, updated: int) -> str:
        c, u = local_time(created, self._zone), local_time(updated, self._zone)
        return f'"MetaData":{{"CreateTime":"{c}","LastUpdatedTime":"{u}"}}'

    def _company_info(self) -> Row:
        created, updated = self._at(self._days + 400), self._at(self._days + 20)
        address = (
            '{"Id":"1","Line1":"77 Trellis Court","City":"Alameda","CountrySubDivisionCode":"CA","PostalCode":"94501"}'
        )
        flags = {
            "NonTracking": "false",
            "IsQbdtMigrated": "false",
            "CompanyType": "Other",
            "SubscriptionStatus": "SUBSCRIBED",
            "OfferingSku": "QuickBooks Online Plus",
            "PayrollFeature": "false",
            "AccountantFeature": "false",
            "QBOIndustryType": "Landscaping Services",
            "ItemCategoriesFeature": "true",
            "AssignedTime": local_time(created, self._zone),
        }
        values = ",".join(f'{{"Name":{_text(k)},"Value":{_text(v)}}}' for k, v in flags.items())
        started = datetime.fromtimestamp(created, self._zone).date().isoformat()
        body = (
            f'{{"CompanyName":{_text(COMPANY_NAME)},"LegalName":{_text(COMPANY_NAME + " LLC")},"CompanyAddr":{address},'
            f'"CustomerCommunicationAddr":{address},"LegalAddr":{address},'
            '"CustomerCommunicationEmailAddr":{"Address":"hello@juniperfinch.example"},'
            f'"PrimaryPhone":{{"FreeFormNumber":"(510) 555-0100"}},"CompanyStartDate":"{started}",'
            '"FiscalYearStartMonth":"January","Country":"US","Email":{"Address":"books@juniperfinch.example"},'
            '"WebAddr":{},"SupportedLanguages":"en","DefaultTimeZone":"America/Los_Angeles",'
            f'"NameValue":[{values}],"domain":"QBO","sparse":false,"Id":"1","SyncToken":"4",'
            f"{self._meta(created, updated)}}}"
        )
        return _row("1", created, updated, body, sort_name="1")

    def _preferences(self) -> Row:
        at = self._at(self._days + 395)
        messages = ",".join(
            f'"{form}Message":{{"Subject":{_text(f"{form} from {COMPANY_NAME}")},"Message":"Yours, with thanks."}}'
            for form in ("Invoice", "Estimate", "SalesReceipt", "Statement")
        )
        body = (
            '{"AccountingInfoPrefs":{"TrackDepartments":false,"ClassTrackingPerTxn":false,'
            '"ClassTrackingPerTxnLine":false,"CustomerTerminology":"Customers"},'
            '"ProductAndServicesPrefs":{"ForSales":true,"ForPurchase":true,"QuantityWithPriceAndRate":true,'
            '"QuantityOnHand":false},"SalesFormsPrefs":{"CustomField":[],"CustomTxnNumbers":false,"AllowDeposit":false,'
            '"AllowDiscount":true,"DefaultDiscountAccount":"15","AllowEstimates":true,"IPNSupportEnabled":false,'
            '"AllowServiceDate":false,"AllowShipping":false,"DefaultTerms":{"value":"3"},"UsingPriceLevels":false},'
            f'"EmailMessagesPrefs":{{{messages}}},"VendorAndPurchasesPrefs":{{"TrackingByCustomer":true,'
            '"BillableExpenseTracking":true,"POCustomField":[]},"TimeTrackingPrefs":{"UseServices":true,'
            '"BillCustomers":true,"ShowBillRateToAll":false,"WorkWeekStartDate":"Monday",'
            '"MarkTimeEntriesBillable":true},"TaxPrefs":{"UsingSalesTax":true,"TaxGroupCodeRef":{"value":"2"}},'
            '"CurrencyPrefs":{"MultiCurrencyEnabled":true,"HomeCurrency":{"value":"USD"}},'
            '"ReportPrefs":{"ReportBasis":"Accrual","CalcAgingReportFromTxnDate":false},'
            '"OtherPrefs":{"NameValue":[]},"domain":"QBO","sparse":false,"Id":"1","SyncToken":"2",'
            f"{self._meta(at, at)}}}"
        )
        return _row("1", at, at, body)

    def _lists(self) -> Iterator[tuple[str, Row]]:
        at = self._at(self._days + 390)
        end = f'"domain":"QBO","sparse":false,"Id":"%s","SyncToken":"0",{self._meta(at, at)}'
        usd = '{"value":"USD","name":"United States Dollar"}'
        for id_, name, classification, kind, subtype in _ACCOUNTS:
            body = (
                f'{{"Name":{_text(name)},"SubAccount":false,"FullyQualifiedName":{_text(name)},"Active":true,'
                f'"Classification":"{classification}","AccountType":"{kind}","AccountSubType":"{subtype}",'
                f'"CurrentBalance":0,"CurrentBalanceWithSubAccounts":0,"CurrencyRef":{usd},{end % id_}}}'
            )
            yield "Account", _row(id_, at, at, body, name=name, sort_name=name)
        for index, (name, description, price, (account, account_name), kind) in enumerate(_ITEMS, 1):
            body = (
                f'{{"Name":{_text(name)},"Description":{_text(description)},"Active":true,'
                f'"FullyQualifiedName":{_text(name)},"Taxable":{"true" if kind != "Service" else "false"},'
                f'"UnitPrice":{_shortest(price)},"Type":"{kind}",'
                f'"IncomeAccountRef":{{"value":"{account}","name":{_text(account_name)}}},"PurchaseCost":0,'
                f'"TrackQtyOnHand":false,{end % index}}}'
            )
            yield "Item", _row(str(index), at, at, body, name=name, sort_name=name)
        for id_, name, days in _TERMS:
            body = f'{{"Name":{_text(name)},"Active":true,"Type":"STANDARD","DueDays":{days},{end % id_}}}'
            yield "Term", _row(id_, at, at, body, name=name, sort_name=name)
        for index, name in enumerate(("Cash", "Check", "Credit card"), 1):
            kind = "CREDIT_CARD" if name == "Credit card" else "NON_CREDIT_CARD"
            body = f'{{"Name":"{name}","Active":true,"Type":"{kind}",{end % index}}}'
            yield "PaymentMethod", _row(str(index), at, at, body, name=name, sort_name=name)
        rate = f'{{"Name":"California","Description":"Sales tax","Active":true,"RateValue":{_TAX_PERCENT},{end % 3}}}'
        yield "TaxRate", _row("3", at, at, rate, name="California", sort_name="California")
        code = (
            '{"Name":"California","Description":"California","Active":true,"Hidden":false,"Taxable":true,'
            '"TaxGroup":true,"SalesTaxRateList":{"TaxRateDetail":[{"TaxRateRef":{"value":"3","name":"California"},'
            f'"TaxTypeApplicable":"TaxOnAmount","TaxOrder":0}}]}},{end % 2}}}'
        )
        yield "TaxCode", _row("2", at, at, code, name="California", sort_name="California")

    # ---- customers ----

    def _customer(self, index: int, person: _Person) -> _Customer:
        name, given, family, company = person["name"], person["given"], person["family"], person["company"]
        street, city, state, postcode = person["street"], person["city"], person["state"], person["postcode"]
        parent = int(person["parent"]) - 1 if person.get("parent") else None
        currency = person.get("currency") or "USD"
        active, taxable = not person.get("inactive"), bool(person.get("taxable"))
        email = person["email"]
        shown = name if active else f"{name} (deleted)"  # recorded: the names of inactive ones carry the suffix
        full = f"{self._full_names[parent]}:{shown}" if parent is not None else shown
        number = str(index + 1)
        region = f'"CountrySubDivisionCode":"{state}",' if state else ""
        country = {"CAD": '"Country":"Canada",', "EUR": '"Country":"Germany",'}.get(currency, "")
        place = f'"Line1":{_text(street)},"City":{_text(city)},{country}{region}"PostalCode":"{postcode}"'
        ref = f'{{"value":"{number}","name":{_text(shown)}}}'
        job = parent is not None
        head = (
            f'{{"Taxable":{"true" if taxable else "false"},"BillAddr":{{"Id":"{index * 2 + 2}",{place}}},'
            f'"ShipAddr":{{"Id":"{index * 2 + 3}",{place}}},"Job":{"true" if job else "false"},'
            f'"BillWithParent":false,'
            + (f'"ParentRef":{{"value":"{parent + 1}"}},"Level":1,' if parent is not None else "")
        )
        tail = (
            (f'"GivenName":{_text(given)},"FamilyName":{_text(family)},' if given else "")
            + f'"FullyQualifiedName":{_text(full)},'
            + (f'"CompanyName":{_text(company)},' if company else "")
            + f'"DisplayName":{_text(shown)},"PrintOnCheckName":{_text(company or name)},'
            + f'"Active":{"true" if active else "false"},"V4IDPseudonym":"{self._random.getrandbits(152):038x}"'
            + _members(
                PrimaryPhone=_object("FreeFormNumber", person.get("phone")),
                Mobile=_object("FreeFormNumber", person.get("mobile")),
                Fax=_object("FreeFormNumber", person.get("fax")),
                PrimaryEmailAddr=_object("Address", email),
                WebAddr=_object("URI", person.get("web")),
            )
            + "}"
        )
        town = f"{city}, {state}  {postcode}" if state else f"{postcode} {city}"
        lines = [f"{given} {family}".strip(), company, street, town]
        flowed = ",".join(f'"Line{n}":{_text(line)}' for n, line in enumerate(filter(None, lines), 1))
        created = self._at(self._days + 380 - 360 * index / (index + 40))
        customer = _Customer(
            id=number,
            name=shown,
            full_name=full,
            currency=currency,
            active=active,
            taxable=taxable,
            parent=parent,
            head=head,
            tail=tail,
            ref=ref,
            bill_to=f'"BillAddr":{{"Id":"{index * 2 + 2}",{flowed}}},"ShipAddr":{{"Id":"{index * 2 + 3}",{place}}},',
            email=email,
            created=created,
            touched=created,
        )
        self._full_names.append(full)
        return customer

    def _invented(self, index: int) -> _Person:
        pick = self._random.choice
        given, family = pick(_FIRST), pick(_LAST)
        company = f"{family} {pick(_TRADE)} {index + 1}" if index % 3 else ""
        city, postcode = pick(_CITIES)
        return {
            "name": company or f"{given} {family} {index + 1}",
            "given": given,
            "family": family,
            "company": company,
            "email": f"{given}.{family}.{index + 1}@mail.example".lower(),
            "phone": f"(510) 555-{self._random.randrange(10000):04d}",
            "street": f"{self._random.randrange(1, 2000)} {pick(_STREETS)} St.",
            "city": city,
            "state": "CA",
            "postcode": postcode,
            "taxable": "yes" if index % 2 else "",
            "inactive": "yes" if index % 25 == 24 else "",
        }

    def _customer_rows(self) -> Iterator[tuple[str, Row]]:
        with_jobs = {c.id: c.balance for c in self._customers}
        for customer in self._customers:
            if customer.parent is not None:
                with_jobs[self._customers[customer.parent].id] += customer.balance
        for c in self._customers:
            token = 0 if c.touched == c.created else 1
            body = (
                f'{c.head}"Balance":{money(c.balance)},"BalanceWithJobs":{money(with_jobs[c.id])},'
                f'"CurrencyRef":{_currency(c.currency)},"PreferredDeliveryMethod":"{"Email" if c.email else "Print"}",'
                f'"IsProject":false,"ClientEntityId":"0","domain":"QBO","sparse":false,"Id":"{c.id}",'
                f'"SyncToken":"{token}",{self._meta(c.created, c.touched)},{c.tail}'
            )
            yield (
                "Customer",
                _row(
                    c.id,
                    c.created,
                    c.touched,
                    body,
                    active=int(c.active),
                    sort_name=c.full_name,
                    name=c.name,
                    balance=c.balance / 100,
                ),
            )

    # ---- transactions ----

    def _line_fragments(self, index: int) -> tuple[str, str, int, bool]:
        name, description, price, (account, account_name), kind = _ITEMS[index]
        before = f'"Description":{_text(description)},"Amount":'
        taxable = kind != "Service"
        detail = (
            ',"DetailType":"SalesItemLineDetail","SalesItemLineDetail":{"ItemRef":'
            f'{{"value":"{index + 1}","name":{_text(name)}}},"UnitPrice":{_shortest(price)},"Qty":%s,'
            f'"ItemAccountRef":{{"value":"{account}","name":{_text(account_name)}}},'
            '"TaxCodeRef":{"value":"%s"}},"CustomExtensions":[]}'
        )
        return before, detail, price, taxable

    def _transactions(self) -> Iterator[tuple[str, Row]]:
        """Write invoices and the payments on them, oldest first, as they would have been entered."""
        rnd = self._random
        days, total = self._days, self._invoices
        old = young = 0
        number = 100  # transactions count their Ids apart from name lists
        for index in range(total):
            age = days - (days * (index + 1)) // total
            term_id, term_name, term_days = _TERMS[(0, 1, 2, 2, 2, 3)[rnd.randrange(6)]]
            issued = self._today - timedelta(days=age)
            due = issued + timedelta(days=term_days)
            if due < self._today:
                state = _OLD[old % len(_OLD)]
                old += 1
            else:
                state = _YOUNG[young % len(_YOUNG)]
                young += 1
            some = self._foreign if index % 7 == 3 and self._foreign else self._buyers
            customer = some[rnd.randrange(len(some))]
            number += 1
            invoice_id = str(number)
            paid_id = ""
            if state in ("paid", "discounted", "partial"):
                number += 1
                paid_id = str(number)
            created = min(self._noon(issued) + rnd.randrange(-9000, 9000), self._now - 60 + index * 60 // total)
            row, amount, paid, updated = self._invoice(
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
            yield "Invoice", row
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

    def _noon(self, day: date) -> int:
        return int(datetime.combine(day, time(12), tzinfo=self._zone).astimezone(UTC).timestamp())

    def _invoice(
        self,
        *,
        customer: _Customer,
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
            quantity = _shortest(quarters * 25)
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
        tax = (taxed * _TAX_PER_MILLE + 500) // 1000
        total = subtotal - discount + tax
        paid = {"paid": total, "discounted": total, "partial": total * 2 // 5}.get(state, 0)
        balance = total - paid
        updated = created
        if paid_id or voided:
            later = rnd.randrange(86400, 20 * 86400)
            updated = min(created + later, max(created, self._now - 60))
        tax_detail = (
            f'{{"TxnTaxCodeRef":{{"value":"2"}},"TotalTax":{money(tax)},"TaxLine":[{{"Amount":{money(tax)},'
            '"DetailType":"TaxLineDetail","TaxLineDetail":{"TaxRateRef":{"value":"3"},"PercentBased":true,'
            f'"TaxPercent":{_TAX_PERCENT},"NetAmountTaxable":{money(taxed)}}}}}]}}'
            if tax
            else '{"TotalTax":0}'
        )
        foreign = customer.currency != "USD"
        rate = _RATES[customer.currency]
        home = f'"HomeTotalAmt":{money(round(total * rate))},' if foreign else ""
        sync = 1 if updated != created else 0
        times = local_time(created, self._zone), local_time(updated, self._zone)
        body = (
            '{"AllowIPNPayment":false,"AllowOnlinePayment":false,"AllowOnlineCreditCardPayment":false,'
            f'"AllowOnlineACHPayment":false,"domain":"QBO","sparse":false,"Id":"{id_}","SyncToken":"{sync}",'
            f'"MetaData":{{"CreateTime":"{times[0]}","LastModifiedByRef":{{"value":"{_USER}"}},'
            f'"LastUpdatedTime":"{times[1]}"}},"CustomField":[],"DocNumber":"{number}","TxnDate":"{issued}",'
            f'"CurrencyRef":{_currency(customer.currency)},'
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
        row = _row(
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
        return row, total, paid, updated

    def _payment(
        self, *, customer: _Customer, id_: str, invoice: tuple[str, str], paid: int, total: int, at: int
    ) -> Row:
        invoice_id, number = invoice
        day = datetime.fromtimestamp(at, self._zone).date().isoformat()
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
            f'{self._meta(at, at)},"TxnDate":"{day}","CurrencyRef":{_currency(customer.currency)},'
            f'"Line":[{{"Amount":{money(paid)},"LinkedTxn":[{{"TxnId":"{invoice_id}","TxnType":"Invoice"}}],'
            f'"LineEx":{{"any":[{extra}]}}}}]}}'
        )
        return _row(id_, at, at, body, txn_date=day, customer=customer.id, total=paid / 100)


def _currency(code: str) -> str:
    return f'{{"value":"{code}","name":"{_CURRENCIES[code]}"}}'


def _row(
    id_: str,
    created: int,
    updated: int,
    body: str,
    *,
    active: int = 1,
    sort_name: str | None = None,
    name: str | None = None,
    txn_date: str | None = None,
    due_date: str | None = None,
    doc_number: str | None = None,
    customer: str | None = None,
    balance: float | None = None,
    total: float | None = None,
) -> Row:
    return Row(
        id_,
        created,
        updated,
        active,
        sort_name,
        name,
        txn_date,
        due_date,
        doc_number,
        customer,
        balance,
        total,
        body,
    )
