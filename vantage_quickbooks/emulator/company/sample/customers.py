"""The customers: thirty written by hand, including the kinds that are difficult for clients, and generated ones."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.company.sample.spelling import currency as spell_currency
from vantage_quickbooks.emulator.company.sample.spelling import members, money, object_of, row, text

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from vantage_quickbooks.emulator.company.row import Row
    from vantage_quickbooks.emulator.company.sample.clock import Clock

_Person = dict[str, str]

_FIRST = (
    "Ada", "Bruno", "Cleo", "Dara", "Eli", "Faye", "Gus", "Hana", "Ivo", "June", "Kai", "Lena", "Milo", "Nora",
    "Otto", "Pia", "Quinn", "Rosa", "Sven", "Tess", "Uma", "Vito", "Wren", "Yara", "Zeno",
)  # fmt: skip
_LAST = (
    "Abbott", "Barlow", "Castell", "Dunmore", "Ekberg", "Fairley", "Garrick", "Holloway", "Ibarra", "Jansen",
    "Keating", "Lowell", "Merino", "Norwood", "Osgood", "Pruitt", "Quigley", "Rennick", "Solano", "Thorne",
    "Ulrich", "Vickers", "Wexley", "Yates", "Zeller",
)  # fmt: skip
_TRADE = (
    "Bakery", "Clinic", "Studio", "Orchard", "Hardware", "Stables", "Press", "Cycles", "Dairy", "Gallery",
    "Kitchens", "Labs", "Market", "Motors", "Roofing",
)  # fmt: skip
_STREETS = (
    "Acorn", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Grove", "Hazel", "Ivy", "Juniper", "Laurel", "Maple",
    "Oak", "Pine", "Quince", "Rowan", "Spruce", "Walnut",
)  # fmt: skip
_CITIES = (("Oakland", "94607"), ("San Jose", "95134"), ("Berkeley", "94704"), ("Fremont", "94536"), ("Napa", "94558"))


@dataclass(slots=True)
class Customer:
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
    address: dict[str, str] = field(default_factory=dict)  # BillAddr in records other than invoices
    balance: int = 0
    touched: int = 0
    created: int = 0


def _people() -> list[_Person]:
    """Read the customers written by hand, which include the kinds that are difficult for clients."""
    table = (resources.files(__package__) / "customers.csv").read_text("utf-8")
    return list(csv.DictReader(table.splitlines()))


class Customers:
    """The customers of one company.

    Args:
        clock: The company's days.
        rnd: Source of all random choices.
        number: Number of customers; None is the thirty written by hand.
    """

    def __init__(self, clock: Clock, rnd: random.Random, number: int | None) -> None:
        self._clock = clock
        self._random = rnd
        self._full_names: list[str] = []
        people = _people()
        count = len(people) if number is None else number
        self.all = [
            self._customer(index, people[index] if index < len(people) else self._invented(index))
            for index in range(count)
        ]
        self.buyers = [c for c in self.all if c.active] or self.all
        self.foreign = [c for c in self.buyers if c.currency != "USD"]
        self.domestic = [c for c in self.buyers if c.currency == "USD"]

    def _customer(self, index: int, person: _Person) -> Customer:
        name, given, family, company = person["name"], person["given"], person["family"], person["company"]
        street, city, state, postcode = person["street"], person["city"], person["state"], person["postcode"]
        parent = int(person["parent"]) - 1 if person.get("parent") else None
        currency = person.get("currency") or "USD"
        active, taxable = not person.get("inactive"), bool(person.get("taxable"))
        email = person["email"]
        shown = name if active else f"{name} (deleted)"  # recorded: names of inactive customers have the suffix
        full = f"{self._full_names[parent]}:{shown}" if parent is not None else shown
        number = str(index + 1)
        region = f'"CountrySubDivisionCode":"{state}",' if state else ""
        country = {"CAD": '"Country":"Canada",', "EUR": '"Country":"Germany",'}.get(currency, "")
        place = f'"Line1":{text(street)},"City":{text(city)},{country}{region}"PostalCode":"{postcode}"'
        ref = f'{{"value":"{number}","name":{text(shown)}}}'
        job = parent is not None
        head = (
            f'{{"Taxable":{"true" if taxable else "false"},"BillAddr":{{"Id":"{index * 2 + 2}",{place}}},'
            f'"ShipAddr":{{"Id":"{index * 2 + 3}",{place}}},"Job":{"true" if job else "false"},'
            f'"BillWithParent":false,'
            + (f'"ParentRef":{{"value":"{parent + 1}"}},"Level":1,' if parent is not None else "")
        )
        tail = (
            (f'"GivenName":{text(given)},"FamilyName":{text(family)},' if given else "")
            + f'"FullyQualifiedName":{text(full)},'
            + (f'"CompanyName":{text(company)},' if company else "")
            + f'"DisplayName":{text(shown)},"PrintOnCheckName":{text(company or name)},'
            + f'"Active":{"true" if active else "false"},"V4IDPseudonym":"{self._random.getrandbits(152):038x}"'
            + members(
                PrimaryPhone=object_of("FreeFormNumber", person.get("phone")),
                Mobile=object_of("FreeFormNumber", person.get("mobile")),
                Fax=object_of("FreeFormNumber", person.get("fax")),
                PrimaryEmailAddr=object_of("Address", email),
                WebAddr=object_of("URI", person.get("web")),
            )
            + "}"
        )
        address = {"Id": str(index * 2 + 2)} | {
            key: value
            for key, value in (
                ("Line1", street),
                ("City", city),
                ("CountrySubDivisionCode", state),
                ("PostalCode", postcode),
            )
            if value
        }
        town = f"{city}, {state}  {postcode}" if state else f"{postcode} {city}"
        lines = [f"{given} {family}".strip(), company, street, town]
        flowed = ",".join(f'"Line{n}":{text(line)}' for n, line in enumerate(filter(None, lines), 1))
        created = self._clock.ago(self._clock.days + 380 - 360 * index / (index + 40))
        customer = Customer(
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
            address=address,
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

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Write the records, with the balances that follow from the invoices.

        Yields:
            The entity's name and rows.
        """
        with_jobs = {c.id: c.balance for c in self.all}
        for customer in self.all:
            if customer.parent is not None:
                with_jobs[self.all[customer.parent].id] += customer.balance
        for c in self.all:
            token = 0 if c.touched == c.created else 1
            body = (
                f'{c.head}"Balance":{money(c.balance)},"BalanceWithJobs":{money(with_jobs[c.id])},'
                f'"CurrencyRef":{spell_currency(c.currency)},'
                f'"PreferredDeliveryMethod":"{"Email" if c.email else "Print"}",'
                f'"IsProject":false,"ClientEntityId":"0","domain":"QBO","sparse":false,"Id":"{c.id}",'
                f'"SyncToken":"{token}",{self._clock.meta(c.created, c.touched)},{c.tail}'
            )
            yield (
                "Customer",
                row(
                    c.id,
                    c.created,
                    c.touched,
                    body,
                    active=int(c.active),
                    sort_name=c.full_name.casefold(),
                    name=c.name,
                    balance=c.balance / 100,
                ),
            )
