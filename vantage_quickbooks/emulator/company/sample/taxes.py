"""Sales tax: agencies, rates and the codes that combine them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.sample.books import Books

_AGENCIES = ("California Department of Tax and Fee Administration", "Nevada Department of Taxation")
# Id, name, Id of the agency, percent.
_RATES = (
    ("1", "Nevada state", "2", Decimal("6.85")),
    ("2", "Washoe County", "2", Decimal("1.415")),
    ("3", "California", "1", Decimal("8.5")),
)
# Id, name, taxable, Ids of the rates. The first three every US company has; they are named on lines.
_CODES: tuple[tuple[str, str, bool, tuple[str, ...]], ...] = (
    ("TAX", "TAX", True, ()),
    ("NON", "NON", False, ()),
    ("CustomSalesTax", "CustomSalesTax", True, ()),
    ("2", "California", True, ("3",)),
    ("3", "Reno, Nevada", True, ("1", "2")),
)


def add_taxes(books: Books) -> None:
    """Add agencies, rates and codes."""
    for number, name in enumerate(_AGENCIES, 1):
        body = {"DisplayName": name, "TaxTrackedOnPurchases": False, "TaxTrackedOnSales": True}
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
