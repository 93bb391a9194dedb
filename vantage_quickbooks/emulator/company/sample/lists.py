"""The short name lists: terms, payment methods, classes, departments, customer types, currencies, journal codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.company.sample.spelling import CURRENCIES, RATES

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.sample.books import Books, Record

# Id, name, days until due, percent of discount, days of discount, day of the month, days of grace.
_TERMS = (
    ("1", "Due on receipt", 0, None, None, None, None),
    ("2", "Net 15", 15, None, None, None, None),
    ("3", "Net 30", 30, None, None, None, None),
    ("4", "Net 60", 60, None, None, None, None),
    ("5", "Net 10", 10, None, None, None, None),
    ("6", "2% 10 Net 30", 30, 2, 10, None, None),
    ("7", "25th of the month", None, None, None, 25, 5),
    ("8", "Net 45 (deleted)", 45, None, None, None, None),
)
_PAYMENT_METHODS = (
    ("1", "Cash", "NON_CREDIT_CARD"),
    ("2", "Check", "NON_CREDIT_CARD"),
    ("3", "Credit card", "CREDIT_CARD"),
    ("4", "Visa", "CREDIT_CARD"),
    ("5", "American Express", "CREDIT_CARD"),
    ("6", "Bank transfer", "NON_CREDIT_CARD"),
    ("7", "Money order (deleted)", "NON_CREDIT_CARD"),
)
# Id, name, Id of the parent.
_CLASSES = (
    ("1", "Residential", ""),
    ("2", "Commercial", ""),
    ("3", "Public works", ""),
    ("4", "Parks", "3"),
    ("5", "Schools", "3"),
    ("6", "Trade shows (deleted)", ""),
)
_DEPARTMENTS = (
    ("1", "Alameda yard", ""),
    ("2", "Napa yard", ""),
    ("3", "Greenhouse", "2"),
    ("4", "Santa Cruz yard (deleted)", ""),
)
_CUSTOMER_TYPES = ("Homeowner", "Business", "Institution", "Wholesale")
# Name, type, description. Journal codes exist in French companies only.
_JOURNAL_CODES = (
    ("VT", "Sales", "Ventes"),
    ("HA", "Expenses", "Achats"),
    ("BQ", "Bank", "Banque"),
    ("CA", "Cash", "Caisse"),
    ("PA", "Wages", "Paie"),
    ("OD", "Others", "Divers"),
)
_DELETED = " (deleted)"


def add_lists(books: Books) -> None:
    """Add the entries of all short lists."""
    for id_, name, days, percent, within, day, grace in _TERMS:
        schedule = (
            ("DiscountPercent", percent),
            ("DueDays", days),
            ("DiscountDays", within),
            ("DayOfMonthDue", day),
            ("DueNextMonthDays", grace),
        )
        kind = "DATE_DRIVEN" if day else "STANDARD"
        books.listed(
            "Term", id_, _entry(name) | {"Type": kind} | {key: value for key, value in schedule if value is not None}
        )
    for id_, name, kind in _PAYMENT_METHODS:
        books.listed("PaymentMethod", id_, _entry(name) | {"Type": kind})
    _add_tree(books, "Class", "SubClass", _CLASSES)
    _add_tree(books, "Department", "SubDepartment", _DEPARTMENTS)
    for number, name in enumerate(_CUSTOMER_TYPES, 1):
        books.listed("CustomerType", str(number), _entry(name), days_before=370, minutes=number // 3)
    for number, code in enumerate(("CAD", "EUR", "CHF", "MXN"), 1):
        active = code != "MXN"
        name = CURRENCIES[code] + ("" if active else _DELETED)
        books.listed("CompanyCurrency", str(number), {"Code": code, "Name": name, "Active": active}, minutes=number)
    for number, (name, kind, description) in enumerate(_JOURNAL_CODES, 1):
        body = {"Name": name, "Type": kind, "Description": description, "Active": True}
        books.listed("JournalCode", str(number), body)


def add_exchange_rates(books: Books) -> None:
    """Add today's rate of each active currency."""
    at = books.clock.now - 3_600
    for code in ("CAD", "EUR", "CHF"):
        body = {
            "SourceCurrencyCode": code,
            "TargetCurrencyCode": "USD",
            "Rate": RATES[code],
            "AsOfDate": books.today.isoformat(),
        }
        books.add_at("ExchangeRate", code, at, body)


def _entry(name: str) -> Record:
    """Make an entry from a name, which shows whether the entry is active (recorded)."""
    return {"Name": name, "Active": not name.endswith(_DELETED)}


def _add_tree(books: Books, entity: str, flag: str, table: tuple[tuple[str, str, str], ...]) -> None:
    full_names: dict[str, str] = {}
    for id_, name, parent in table:
        full_names[id_] = f"{full_names[parent]}:{name}" if parent else name
        above = {"ParentRef": {"value": parent}} if parent else {}
        body = {"Name": name, flag: bool(parent), **above, "FullyQualifiedName": full_names[id_]} | _entry(name)
        books.listed(entity, id_, body, days_before=372, minutes=int(id_) // 2)
