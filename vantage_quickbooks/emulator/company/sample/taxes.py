"""Sales tax: agencies, rates and the codes that combine them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.sample.books import Books

# Name, the company's registration there.
_AGENCIES = (
    ("California Department of Tax and Fee Administration", "102-555014"),
    ("Nevada Department of Taxation", "1009955501"),
)
# Id, name, Id of the agency, percent.
_RATES = (
    ("1", "Nevada state", "2", Decimal("6.85")),
    ("2", "Washoe County", "2", Decimal("1.415")),
    ("3", "California", "1", Decimal("8.5")),
)
# Id, name, taxable, Ids of the rates. Every US company has the first three; lines name them.
_CODES: tuple[tuple[str, str, bool, tuple[str, ...]], ...] = (
    ("TAX", "TAX", True, ()),
    ("NON", "NON", False, ()),
    ("CustomSalesTax", "CustomSalesTax", True, ()),
    ("2", "California", True, ("3",)),
    ("3", "Reno, Nevada", True, ("1", "2")),
)


def add_taxes(books: Books) -> None:
    """Add agencies, rates and codes."""
    for number, (name, registration) in enumerate(_AGENCIES, 1):
        body = {
            "DisplayName": name,
            "TaxRegistrationNumber": registration,
            "TaxTrackedOnPurchases": False,
            "TaxTrackedOnSales": True,
        }
        if number == 1:  # no tax return of the second agency is due yet
            body["LastFileDate"] = (books.today.replace(day=1) - timedelta(days=1)).isoformat()
        books.listed("TaxAgency", str(number), body)
    names = {}
    since = books.clock.day(books.clock.days + 390)
    for id_, name, agency, percent in _RATES:
        names[id_] = name
        body = {
            "Name": name,
            "Description": "Sales tax",
            "Active": True,
            "RateValue": percent,
            "AgencyRef": {"value": agency},
            "SpecialTaxType": "NONE",
            "EffectiveTaxRate": [{"RateValue": percent, "EffectiveDate": books.clock.spell(books.clock.noon(since))}],
            "DisplayType": "ReadOnly",
        }
        books.listed("TaxRate", id_, body)
    for id_, name, taxable, rates in _CODES:
        details = [
            {
                "TaxRateRef": {"value": rate, "name": names[rate]},
                "TaxTypeApplicable": "TaxOnAmount",
                "TaxOrder": 0,
            }
            for rate in rates
        ]
        lists = {"SalesTaxRateList": {"TaxRateDetail": details}, "PurchaseTaxRateList": {"TaxRateDetail": []}}
        body = {
            "Name": name,
            "Description": name,
            "Active": True,
            "Hidden": False,
            "Taxable": taxable,
            "TaxGroup": bool(rates),
            **(lists if rates else {}),
        }
        books.listed("TaxCode", id_, body)
