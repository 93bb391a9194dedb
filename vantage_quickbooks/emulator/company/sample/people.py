"""Vendors and employees."""

from __future__ import annotations

import csv
from importlib import resources

from vantage_quickbooks.emulator.company.sample.books import Books, Record, amount

# Given name, family name, phone, years since hired, whether time is billable, date of birth; inactive without a phone.
_EMPLOYEES = (
    ("Amara", "Diallo", "(510) 555-0301", 6, True, "1984-03-19"),
    ("Benito", "Reyes", "(510) 555-0302", 4, True, "1990-11-02"),
    ("Clara", "Novak", "(510) 555-0303", 3, False, None),
    ("Dev", "Malhotra", "(510) 555-0304", 1, True, "1998-07-25"),
    ("Elsie", "Grant", None, 5, False, None),
)


def add_vendors(books: Books) -> None:
    """Add all vendors; `complete_vendors` sets their balances."""
    table = (resources.files(__package__) / "vendors.csv").read_text("utf-8")
    for number, line in enumerate(csv.DictReader(table.splitlines()), 1):
        active = not line["inactive"]
        name = line["name"]
        shown = name if active else f"{name} (deleted)"
        foreign = line["currency"] or "USD"
        address = {
            "Line1": line["street"],
            "City": line["city"],
            "Country": "Canada" if foreign == "CAD" else "",
            "CountrySubDivisionCode": ("BC" if foreign == "CAD" else "CA") if line["city"] else "",
            "PostalCode": line["postcode"],
        }
        body: Record = {
            "BillAddr": {"Id": str(2 * number)} | _filled(address) if line["street"] else {},
            "TaxIdentifier": f"XXXXX{line['tax_id'][-4:]}" if line["tax_id"] else "",  # masked on read
            "TermRef": books.bare_ref("Term", line["term"]) if line["term"] else {},
            "AcctNum": line["account"],
            "CurrencyRef": books.currency(foreign),
            "GivenName": line["given"],
            "FamilyName": line["family"],
            "CompanyName": name,
            "DisplayName": shown,
            "PrintOnCheckName": name,
            "V4IDPseudonym": books.pseudonym(),
            "PrimaryPhone": _object("FreeFormNumber", line["phone"]),
            "Mobile": _object("FreeFormNumber", line["mobile"]),
            "Fax": _object("FreeFormNumber", line["fax"]),
            "PrimaryEmailAddr": _object("Address", line["email"]),
            "WebAddr": _object("URI", line["web"]),
        }
        rate = {"BillRate": int(line["bill_rate"])} if line["bill_rate"] else {}
        body = _filled(body) | rate | {"Vendor1099": bool(line["tax_id"]), "Active": active}
        books.listed("Vendor", str(number), body, days_before=385 - 3 * number, token=int(not active))


def complete_vendors(books: Books) -> None:
    """Set the balances of the vendors, which follow from bills and credits."""
    for number in range(1, 28):
        books.entry("Vendor", str(number))["Balance"] = amount(books.owed[str(number)])


def add_employees(books: Books) -> None:
    """Add all employees."""
    for number, (given, family, phone, years, billable, birth) in enumerate(_EMPLOYEES, 1):
        name = f"{given} {family}"
        body = {
            "BillableTime": billable,
            "BirthDate": birth,
            "HiredDate": books.clock.day(365 * years + 17 * number).isoformat(),
            "GivenName": given,
            "FamilyName": family,
            "DisplayName": name if phone else f"{name} (deleted)",
            "PrintOnCheckName": name,
            "PrimaryPhone": _object("FreeFormNumber", phone),
            "PrimaryEmailAddr": _object("Address", f"{given.lower()}@juniperfinch.example" if birth else None),
        }
        body = _filled(body) | {"BillableTime": billable, "Active": bool(phone)}
        books.listed("Employee", str(number), body, days_before=380 - number, token=int(not phone))


def _object(key: str, value: str | None) -> Record:
    return {key: value} if value else {}


def _filled(record: Record) -> Record:
    """Return the members that have a value: QuickBooks omits the others (recorded)."""
    return {key: value for key, value in record.items() if value}
