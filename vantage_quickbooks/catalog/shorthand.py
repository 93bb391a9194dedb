"""Short forms for the rows of the catalog: properties as words, and the filters, fields and columns that rows share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast, get_args

from vantage_quickbooks.catalog.flat_fields import PARENT
from vantage_quickbooks.catalog.resource import Column, Filter, FlatField, Property, PropertyType

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACCOUNT_TYPES",
    "AP_ACCOUNT_NAME",
    "BALANCE",
    "CLASSIFICATIONS",
    "CURRENCY",
    "CURRENCY_CODE",
    "CUSTOMER",
    "CUSTOMER_NAME",
    "DATE",
    "DAYS_OVERDUE",
    "DEPOSIT_ACCOUNT_NAME",
    "DOC_NUMBER",
    "DUE_DATE",
    "EMAIL",
    "ENVELOPE",
    "ID",
    "ITEM_TYPES",
    "NAME_SORT_KEYS",
    "NEWEST_FIRST",
    "PARENT_ID",
    "PARENT_NAME",
    "PAYMENT_METHOD_NAME",
    "PAYMENT_STATUS",
    "PERSON",
    "PHONE",
    "TERM_NAME",
    "TIMES",
    "TOTAL",
    "TRANSACTION",
    "VENDOR",
    "VENDOR_NAME",
    "amount_filter",
    "boolean_filter",
    "choice_filter",
    "date_filter",
    "doc_number_filter",
    "email_filter",
    "id_filter",
    "name_of",
    "properties",
    "text_filter",
    "top",
]

_TYPES = frozenset(get_args(PropertyType))


def properties(words: str, *, outside_tables: str = "") -> tuple[Property, ...]:
    """Return the properties that *words* name, in order.

    A word is a name, or `name:type`. The type is one of `PropertyType`, or a kind of object in `columns.MEMBERS`.
    Without a type, `Id` is an id, `...Ref` a reference, `...Date` a date, and anything else text.

    Args:
        words: The properties, separated by white space.
        outside_tables: Further properties, which tables do not show unless asked for.
    """
    return (*map(_property, words.split()), *(_property(word, in_tables=False) for word in outside_tables.split()))


@cache
def _property(word: str, *, in_tables: bool = True) -> Property:
    name, _, kind = word.partition(":")
    if kind and kind not in _TYPES:
        return Property(name, "object", kind, in_tables)
    return Property(name, cast("PropertyType", kind) if kind else _type_of(name), in_tables=in_tables)


def _type_of(name: str) -> PropertyType:
    if name == "Id":
        return "id"
    return "reference" if name.endswith("Ref") else "date" if name.endswith("Date") else "text"


# ---- properties ------------------------------------------------------------------------------------------------------

ENVELOPE = "domain sparse:boolean"
TRANSACTION = """
    Id SyncToken MetaData:times DocNumber TxnDate DepartmentRef CurrencyRef ExchangeRate:decimal PrivateNote
    LinkedTxn:list Line:list TransactionLocationType RecurDataRef
"""
"""What Intuit documents for most transactions, or what recorded ones hold."""
PERSON = """
    Id SyncToken MetaData:times Title GivenName MiddleName FamilyName Suffix FullyQualifiedName CompanyName DisplayName
    PrintOnCheckName Active:boolean V4IDPseudonym PrimaryPhone:phone AlternatePhone:phone Mobile:phone Fax:phone
    PrimaryEmailAddr:email WebAddr:web
"""
"""What customers, vendors and employees have in common (Intuit's schema, NameBase)."""

# ---- flat fields -----------------------------------------------------------------------------------------------------


def name_of(field: str, *paths: str, what: str) -> FlatField:
    """Return the flat field that holds the name of something, `customerName`."""
    return FlatField(field, paths, "text", f"Name of the {what}.")


CUSTOMER_NAME = name_of("customerName", "CustomerRef.name", what="customer")
VENDOR_NAME = name_of("vendorName", "VendorRef.name", what="vendor")
CURRENCY_CODE = FlatField(
    "currency", ("CurrencyRef.value",), "text", "ISO 4217 code of its amounts; null if the company does not say."
)
EMAIL = FlatField("email", ("PrimaryEmailAddr.Address",), "text", "Primary email address.")
PHONE = FlatField(
    "phone",
    ("PrimaryPhone.FreeFormNumber", "Mobile.FreeFormNumber", "AlternatePhone.FreeFormNumber"),
    "text",
    "Primary phone number, or another one if there is none.",
)

TERM_NAME = name_of("termName", "SalesTermRef.name", what="payment term")
AP_ACCOUNT_NAME = name_of("apAccountName", "APAccountRef.name", what="accounts payable account")
PAYMENT_METHOD_NAME = name_of("paymentMethodName", "PaymentMethodRef.name", what="payment method")
DEPOSIT_ACCOUNT_NAME = name_of("depositAccountName", "DepositToAccountRef.name", what="account it is deposited to")
PARENT_NAME = FlatField(
    "parentName", (f"FullyQualifiedName{PARENT}",), "text", "Full name of the parent; null at the top level."
)
PARENT_ID = FlatField("parentId", ("ParentRef.value",), "text", "Id of the parent; null at the top level.")

# ---- columns of the table that a host shows first --------------------------------------------------------------------

ID = Column("Id", "Id")
DOC_NUMBER = Column("DocNumber", "No.")
CUSTOMER = Column("customerName", "Customer")
VENDOR = Column("vendorName", "Vendor")
DATE = Column("TxnDate", "Date", "date")
DUE_DATE = Column("DueDate", "Due", "date")
TOTAL = Column("TotalAmt", "Total", "money", "currency")
BALANCE = Column("Balance", "Balance", "money", "currency")
CURRENCY = Column("currency", "Cur.")
PAYMENT_STATUS = Column("paymentStatus", "Status", "status")
DAYS_OVERDUE = Column("daysOverdue", "Late", "days")

# ---- sorting ---------------------------------------------------------------------------------------------------------

TIMES = {"MetaData.CreateTime": "Created", "MetaData.LastUpdatedTime": "Last changed"}
"""Every entity page of Intuit marks these two as sortable."""
NEWEST_FIRST = "MetaData.CreateTime DESC"
"""QuickBooks' own order of transactions, last changed first, moves with every edit."""
NAME_SORT_KEYS = {
    "DisplayName": "Display name",
    "GivenName": "First name",
    "MiddleName": "Middle name",
    "FamilyName": "Last name",
    "FullyQualifiedName": "Full name with parents",
    "CompanyName": "Company name",
    "PrintOnCheckName": "Name on checks",
}

# ---- pictures --------------------------------------------------------------------------------------------------------


def top(title: str, by: str, by_label: str, amount: str = "TotalAmt") -> dict[str, Any]:
    """Return the picture of the eight greatest sums of *amount*, by the flat field *by*."""
    return {
        "kind": "top",
        "title": title,
        "by": by,
        "byLabel": by_label,
        "amount": amount,
        "currency": "currency",
        "limit": 8,
    }


# ---- Intuit's values -------------------------------------------------------------------------------------------------

ACCOUNT_TYPES = {
    name: name
    for name in (
        "Bank", "Accounts Receivable", "Other Current Asset", "Fixed Asset", "Other Asset", "Accounts Payable",
        "Credit Card", "Other Current Liability", "Long Term Liability", "Equity", "Income", "Cost of Goods Sold",
        "Expense", "Other Income", "Other Expense",
    )
}  # fmt: skip
CLASSIFICATIONS = {name: name for name in ("Asset", "Equity", "Expense", "Liability", "Revenue")}
ITEM_TYPES = {
    "Inventory": "Inventory",
    "NonInventory": "Non-inventory",
    "Service": "Service",
    "Group": "Bundle",
    "Category": "Category",
}

# ---- filters ---------------------------------------------------------------------------------------------------------


def text_filter(
    input_name: str,
    name: str,
    title: str,
    description: str,
    *examples: str,
    hint: str = "Give the text, or a part of it with % for the rest.",
    max_length: int = 502,
) -> Filter:
    """Return a filter by a text; the last example, with a %, is the placeholder."""
    return Filter(
        input_name,
        name,
        "text",
        title,
        description,
        hint,
        examples,
        placeholder=examples[-1] if examples else "",
        max_length=max_length,
    )


def email_filter(plural: str) -> Filter:
    """Return the filter by the primary email address."""
    return text_filter(
        "email",
        "PrimaryEmailAddr",
        "Email",
        f"Only {plural} with this primary email address. % stands for any text: %@example.com finds a whole domain.",
        "amy@example.com",
        "%@example.com",
        hint="Give the address, or a part of it with % for the rest.",
        max_length=254,
    )


def doc_number_filter(plural: str, singular: str, example: str = "1037") -> Filter:
    """Return the filter by the number that is printed on a document."""
    return text_filter(
        "doc_number",
        "DocNumber",
        f"{singular.capitalize()} number",
        f"Only {plural} with this number, as printed (DocNumber). % stands for any text.",
        example,
        hint=f"Give the number as printed on the {singular}.",
        max_length=100,
    )


def id_filter(input_name: str, name: str, what: str, plural: str, *, options_from: str, example: str = "24") -> Filter:
    """Return a filter by the Id of another record, which *options_from* lists."""
    return Filter(
        input_name,
        name,
        "id",
        f"{what[0].upper()}{what[1:]} ID",
        f"Only {plural} of the {what} with this Id, as {options_from} returns it.",
        f"Give the {what}'s Id, the number that {options_from} returns.",
        (example,),
        placeholder=example,
        options_from=options_from,
    )


def date_filter(input_name: str, name: str, title: str, description: str) -> Filter:
    """Return a filter by a range of dates, both inclusive; the description holds `{bound}`."""
    return Filter(
        input_name,
        name,
        "date_range",
        title,
        description,
        "Write a date of the calendar as year-month-day, like 2026-05-31.",
        ("2026-05-31",),
    )


def amount_filter(plural: str, name: str = "TotalAmt", title: str = "Amount", input_name: str = "amount") -> Filter:
    """Return a filter by a range of amounts, both inclusive."""
    return Filter(
        input_name,
        name,
        "amount_range",
        title,
        f"Only {plural} of this {title.lower()} {{bound}}.",
        "Write a number like 100 or 99.95.",
        (100,),
    )


def choice_filter(
    input_name: str, name: str, title: str, description: str, *, values: Mapping[str, str], example: str
) -> Filter:
    """Return a filter by one of Intuit's own values."""
    return Filter(
        input_name,
        name,
        "choice",
        title,
        description,
        "Choose one of the values listed.",
        (example,),
        values,
    )


def boolean_filter(input_name: str, name: str, title: str, description: str) -> Filter:
    """Return a filter by a boolean property."""
    return Filter(input_name, name, "boolean", title, description, "Give true or false.", (True,))
