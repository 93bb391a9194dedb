"""Records that are neither in name lists nor transactions: budgets, attachments and recurring transactions."""

from __future__ import annotations

from datetime import date

from vantage_quickbooks.emulator.company.sample.books import Books, Record, amount
from vantage_quickbooks.emulator.company.sample.lines import form, journal, numbered, sold, spent

# Account, cents a month, percent more or less in each month.
_BUDGET = (
    ("Design income", 620000),
    ("Maintenance income", 840000),
    ("Installation income", 560000),
    ("Sales of materials", 980000),
    ("Cost of Goods Sold", 430000),
    ("Rent", 185000),
    ("Payroll:Wages", 320000),
    ("Advertising", 40000),
    ("Vehicle expenses:Fuel", 26000),
)
_SEASON = (60, 70, 95, 125, 140, 130, 110, 105, 110, 100, 85, 70)
# Key, days ago, entity and key of the record it is attached to, file name, its kind, bytes, note.
_ATTACHMENTS: tuple[tuple[str, int, tuple[str, str] | None, str, str, int, str], ...] = (
    ("attachment-plan", 18, ("Estimate", "estimate-accepted"), "planting-plan.pdf", "application/pdf", 184320, ""),
    ("attachment-bill", 35, ("Bill", "bill-stone"), "cv-stoneworks-1188.pdf", "application/pdf", 61440, ""),
    ("attachment-receipt", 23, ("Purchase", "check-employee"), "mileage.jpg", "image/jpeg", 402118, ""),
    ("attachment-note", 12, ("Vendor", "Cascade Nursery Wholesale"), "", "", 0, "Delivers on Tuesdays and Fridays."),
    ("attachment-logo", 150, None, "logo.png", "image/png", 22480, ""),
)
_MONTHLY = {"IntervalType": "Monthly", "NumInterval": 1}


def add_others(books: Books) -> None:
    """Add budgets, attachments and recurring transactions."""
    _add_budgets(books)
    _add_attachments(books)
    _add_recurring(books)


def _add_budgets(books: Books) -> None:
    this_year = books.today.year
    for year, percent in ((this_year - 1, 92), (this_year, 100)):
        details = [
            {
                "BudgetDate": date(year, month, 1).isoformat(),
                "Amount": amount(cents * season * percent // 10_000),
                "AccountRef": books.ref("Account", account),
            }
            for account, cents in _BUDGET
            for month, season in enumerate(_SEASON, 1)
        ]
        body = {
            "Name": f"Operating budget {year}",
            "StartDate": f"{year}-01-01",
            "EndDate": f"{year}-12-31",
            "BudgetType": "ProfitAndLoss",
            "BudgetEntryType": "Monthly",
            "Active": True,
            "BudgetDetail": details,
        }
        books.add("Budget", f"budget-{year}", 180 + this_year - year, body)


def _add_attachments(books: Books) -> None:
    for key, days_ago, target, file_name, content_type, size, note in _ATTACHMENTS:
        reference: Record = {}
        if target:
            entity, name = target
            if entity == "Vendor":
                value = books.ref("Vendor", name)["value"]
            elif books.has(entity, name):
                value = f"@{name}"
            else:
                continue
            reference = {
                "AttachableRef": [{"EntityRef": {"value": value, "type": entity}, "IncludeOnSend": False}],
            }
        file = {"FileName": file_name, "Size": size, "ContentType": content_type} if file_name else {}
        books.add("Attachable", key, days_ago, reference | file | ({"Note": note} if note else {}))


def _add_recurring(books: Books) -> None:
    rent = numbered([spent(books, "Rent", 185000, "Yard and office")], linked=True)
    bill: Record = {
        "SalesTermRef": books.bare_ref("Term", "Net 15"),
        "Balance": amount(185000),
        "CurrencyRef": books.currency(),
        "LinkedTxn": [],
        "Line": rent,
        "VendorRef": books.ref("Vendor", "Crestline Properties"),
        "APAccountRef": books.ref("Account", "Accounts Payable (A/P)"),
        "TotalAmt": amount(185000),
    }
    lines = [
        journal(books, "0", "Debit", "Depreciation", 45000, text="Depreciation of the month"),
        journal(books, "1", "Credit", "Delivery truck:Truck depreciation", 30000, text="Depreciation of the month"),
        journal(
            books, "2", "Credit", "Tools and equipment:Equipment depreciation", 15000, text="Depreciation of the month"
        ),
    ]
    entry: Record = {
        "Adjustment": False,
        "TotalAmt": amount(0),
        "CurrencyRef": books.currency(),
        "Line": lines,
        "TxnTaxDetail": {},
    }
    templates: list[tuple[str, str, str, str, int, Record]] = [
        ("recurring-rent", "Bill", "Rent", "Automated", 1, bill),
        ("recurring-depreciation", "JournalEntry", "Depreciation", "Reminder", 28, entry),
    ]
    customer = books.customer(3)
    if customer:
        sums, total = form([sold(books, "Maintenance visit", 1, taxable=customer.taxable)])
        invoice: Record = {
            "AllowIPNPayment": False,
            "AllowOnlinePayment": False,
            "AllowOnlineCreditCardPayment": False,
            "AllowOnlineACHPayment": False,
            "CustomField": [],
            "CurrencyRef": books.currency(),
            "LinkedTxn": [],
            **sums,
            "CustomerRef": {"value": customer.id, "name": customer.name},
            "BillAddr": customer.address,
            "SalesTermRef": books.ref("Term", "Net 30"),
            "ApplyTaxAfterDiscount": False,
            "PrintStatus": "NeedToPrint",
            "EmailStatus": "NotSet",
            "Balance": amount(total),
        }
        templates.append(("recurring-maintenance", "Invoice", "Maintenance of the month", "Automated", 15, invoice))
    for number, (key, entity, name, kind, day, body) in enumerate(templates, 1):
        info = {
            "Name": name,
            "RecurType": kind,
            "Active": True,
            "ScheduleInfo": _MONTHLY | _schedule(books.today, day),
        }
        template = body | {"RecurDataRef": {"value": str(number)}, "RecurringInfo": info}
        books.add("RecurringTransaction", key, 170 - number, template, template=entity)


def _schedule(today: date, day: int) -> Record:
    """Return when a monthly template was last used and when it is due next."""
    this = today.replace(day=day)
    months = [
        this.replace(year=this.year + shift // 12, month=shift % 12 + 1)
        for shift in range(this.month - 1, this.month + 1)
    ]
    before = this.replace(year=this.year - (this.month == 1), month=this.month - 1 or 12)
    last, following = (this, months[1]) if this <= today else (before, this)
    return {"DayOfMonth": day, "NextDate": following.isoformat(), "PreviousDate": last.isoformat()}
