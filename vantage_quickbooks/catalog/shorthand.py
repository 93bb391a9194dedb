"""Short forms for the rows of the catalog: properties as words, and the filters, fields and columns that rows share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast, get_args

from vantage_quickbooks.catalog.flat_fields import PARENT
from vantage_quickbooks.catalog.resource import Column, Filter, FlatField, Property, PropertyType

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AP_ACCOUNT_NAME",
    "BILL_EMAIL",
    "CURRENCY_CODE",
    "CUSTOMER_NAME",
    "DEPOSIT_ACCOUNT_NAME",
    "EMAIL",
    "ENVELOPE",
    "ITEM_NAME",
    "LIST",
    "NAME_SORT_KEYS",
    "NEWEST_FIRST",
    "PARENT_ID",
    "PARENT_NAME",
    "PAYMENT_METHOD_NAME",
    "PERSON",
    "PHONE",
    "SALES_TRANSACTION",
    "TERM_NAME",
    "TIMES",
    "TRANSACTION",
    "VENDOR_NAME",
    "aging",
    "amount_filter",
    "boolean_filter",
    "breakdown",
    "choice_filter",
    "customer_filter",
    "date_filter",
    "doc_number_filter",
    "due_date_filter",
    "email_filter",
    "entity_page",
    "full_name",
    "id_filter",
    "linked_id_filter",
    "name_filter",
    "name_of",
    "properties",
    "table",
    "text_filter",
    "top",
    "vendor_filter",
]

_TYPES = frozenset(get_args(PropertyType))


def entity_page(name: str) -> str:
    """Return the address of Intuit's page of an entity, where the facts of most rows come from."""
    return f"https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/{name}"


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
"""What recorded records hold beyond Intuit's schema."""
LIST = "Id SyncToken MetaData:times"
PERSON = f"""
    {LIST} Title GivenName MiddleName FamilyName Suffix FullyQualifiedName CompanyName DisplayName PrintOnCheckName
    Active:boolean V4IDPseudonym PrimaryPhone:phone AlternatePhone:phone Mobile:phone Fax:phone PrimaryEmailAddr:email
    WebAddr:web
"""
"""What customers, vendors and employees have in common (NameBase of the schema)."""
TRANSACTION = """
    Id SyncToken MetaData:times CustomField:list DocNumber TxnDate DepartmentRef CurrencyRef ExchangeRate:decimal
    PrivateNote LinkedTxn:list Line:list TxnTaxDetail:tax TransactionLocationType RecurDataRef ProjectRef
"""
"""What Intuit documents for most transactions, or recorded ones hold (Transaction of the schema)."""
SALES_TRANSACTION = f"""
    {TRANSACTION} TxnSource AutoDocNumber:boolean CustomerRef CustomerMemo:memo BillAddr:address ShipAddr:address
    FreeFormAddress:boolean ShipFromAddr:address ClassRef SalesTermRef DueDate ShipMethodRef ShipDate TrackingNum
    PONumber GlobalTaxCalculation TotalAmt:decimal HomeTotalAmt:decimal ApplyTaxAfterDiscount:boolean PrintStatus
    EmailStatus BillEmail:email BillEmailCc:email BillEmailBcc:email Balance:decimal HomeBalance:decimal
    PaymentMethodRef PaymentRefNum PaymentType CheckPayment:object CreditCardPayment:object DepositToAccountRef
    DeliveryInfo:delivery DiscountRate:decimal DiscountAmt:decimal TaxExemptionRef
"""
"""What Intuit documents for most sales forms, or recorded ones hold (SalesTransaction of the schema)."""

# ---- flat fields -----------------------------------------------------------------------------------------------------


def name_of(field: str, *paths: str, what: str) -> FlatField:
    """Return the flat field that holds the name of something, `customerName`."""
    return FlatField(field, paths, "text", f"Name of the {what}.")


def full_name(field: str) -> FlatField:
    """Return the flat field that holds the record's own name with its parents', `Plants:Trees`."""
    return FlatField(field, ("FullyQualifiedName", "Name"), "text", "Full name, with its parents'.")


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

BILL_EMAIL = FlatField("email", ("BillEmail.Address",), "text", "Email address that it is sent to.")
ITEM_NAME = name_of("itemName", "ItemRef.name", what="product or service")
TERM_NAME = name_of("termName", "SalesTermRef.name", what="payment term; null where QuickBooks sends its Id only")
AP_ACCOUNT_NAME = name_of("apAccountName", "APAccountRef.name", what="accounts payable account")
PAYMENT_METHOD_NAME = name_of(
    "paymentMethodName", "PaymentMethodRef.name", what="payment method; null where QuickBooks sends its Id only"
)
DEPOSIT_ACCOUNT_NAME = name_of(
    "depositAccountName",
    "DepositToAccountRef.name",
    what="account it is deposited to; null where QuickBooks sends its Id only",
)
PARENT_NAME = FlatField(
    "parentName", (f"FullyQualifiedName{PARENT}",), "text", "Full name of the parent; null at the top level."
)
PARENT_ID = FlatField("parentId", ("ParentRef.value",), "text", "Id of the parent; null at the top level.")

# ---- columns of the table that a host shows first --------------------------------------------------------------------

_COLUMNS = {
    column.field: column
    for column in (
        Column("Id", "Id"),
        Column("DocNumber", "No."),
        Column("customerName", "Customer"),
        Column("vendorName", "Vendor"),
        Column("TxnDate", "Date", "date"),
        Column("DueDate", "Due", "date"),
        Column("TotalAmt", "Total", "money", "currency"),
        Column("Balance", "Balance", "money", "currency"),
        Column("currency", "Cur."),
        Column("Name", "Name"),
        Column("Active", "Active", "boolean"),
        Column("email", "Email"),
        Column("phone", "Phone"),
        Column("paymentStatus", "Status", "status"),
        Column("daysOverdue", "Late", "days"),
    )
}


def table(*columns: str | Column) -> tuple[Column, ...]:
    """Return the columns of a table; a text names columns that many tables have, separated by blanks."""
    return tuple(
        column
        for part in columns
        for column in ((part,) if isinstance(part, Column) else map(_COLUMNS.__getitem__, part.split()))
    )


# ---- sorting ---------------------------------------------------------------------------------------------------------

TIMES = {"MetaData.CreateTime": "Created", "MetaData.LastUpdatedTime": "Last changed"}
"""Intuit's entity pages mark both members of MetaData as filterable and sortable."""
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

# ---- charts ----------------------------------------------------------------------------------------------------------


def breakdown(title: str, by: str, amount: str, amount_label: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chart of *amount* by status, with the outstanding part of each sum."""
    return {
        "kind": "breakdown",
        "title": title,
        "by": by,
        "amount": amount,
        "amountLabel": amount_label,
        "part": "Balance",
        "partLabel": "Outstanding",
        "currency": "currency",
        "values": values,
    }


def aging(title: str) -> dict[str, Any]:
    """Return the chart of open balances by days overdue."""
    return {"kind": "aging", "title": title, "amount": "Balance", "days": "daysOverdue", "currency": "currency"}


def top(title: str, by: str, by_label: str, amount: str = "TotalAmt") -> dict[str, Any]:
    """Return the chart of the eight largest sums of *amount*, by the flat field *by*."""
    return {
        "kind": "top",
        "title": title,
        "by": by,
        "byLabel": by_label,
        "amount": amount,
        "currency": "currency",
        "limit": 8,
    }


# ---- filters ---------------------------------------------------------------------------------------------------------


def text_filter(
    input_name: str,
    path: str,
    title: str,
    description: str,
    *examples: str,
    hint: str = "Enter the text, or a part of it with % for the rest.",
    max_length: int = 502,
    phrase: str = "",
) -> Filter:
    """Return a filter by a text; the last example is the placeholder."""
    return Filter(
        input_name,
        path,
        "text",
        title,
        description,
        hint,
        examples,
        placeholder=examples[-1] if examples else "",
        max_length=max_length,
        phrase=phrase,
    )


def name_filter(plural: str, example: str, path: str = "Name") -> Filter:
    """Return the filter by the name of the record itself."""
    words = "display name" if path == "DisplayName" else "full name" if path == "FullyQualifiedName" else "name"
    first = example.split(maxsplit=1)[0].partition("'")[0]
    return text_filter(
        "name",
        path,
        "Name",
        f"Only {plural} with this {words}. % stands for any text: {first}% finds names that begin with {first}.",
        example,
        f"{first}%",
        hint=f"Enter the {words}, or a part of it with % for the rest.",
        phrase="named {value}",
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
        hint="Enter the address, or a part of it with % for the rest.",
        max_length=254,
    )


def doc_number_filter(plural: str, singular: str, example: str = "1037") -> Filter:
    """Return the filter by the number that is printed on a document."""
    return text_filter(
        "doc_number",
        "DocNumber",
        f"{singular[0].upper()}{singular[1:]} number",
        f"Only {plural} with this number, as printed (DocNumber). % stands for any text.",
        example,
        hint=f"Enter the number as printed on the {singular}.",
        max_length=100,
        phrase="number {value}",
    )


def id_filter(  # noqa: PLR0917 -- the columns of a row
    what: str, path: str, plural: str, options_from: str, example: str, phrase: str = "", column: str = ""
) -> Filter:
    """Return a filter by the Id of another record.

    Args:
        what: The kind of the other record in words, `payment method`.
        path: The property that holds the Id.
        plural: The records that are filtered, in words.
        options_from: The action that lists the other records.
        example: An Id.
        phrase: The filter within a sentence, see `Filter`.
        column: The column that shows the other record, see `Filter`.
    """
    return Filter(
        f"{what.replace(' ', '_')}_id",
        path,
        "id",
        f"{what[0].upper()}{what[1:]} ID",
        f"Only {plural} of the {what} with this Id, as {options_from} returns it.",
        f"Enter the {what}'s Id, the number that {options_from} returns.",
        (example,),
        placeholder=example,
        options_from=options_from,
        phrase=phrase,
        column=column,
    )


def linked_id_filter(plural: str, path: str) -> Filter:
    """Return the filter by the Id of a linked record of any entity, so no single list offers the choices."""
    return Filter(
        "linked_id",
        path,
        "id",
        "Linked ID",
        f"Only {plural} of the record with this Id. Combine it with linked_type: Ids are unique only within an entity.",
        "Enter the Id that the record's list action returns.",
        ("130",),
        placeholder="130",
    )


def customer_filter(plural: str) -> Filter:
    """Return the filter by customer."""
    return id_filter("customer", "CustomerRef", plural, "listCustomers", "24", "of {value}", "customerName")


def vendor_filter(plural: str) -> Filter:
    """Return the filter by vendor."""
    return id_filter("vendor", "VendorRef", plural, "listVendors", "56", "from {value}", "vendorName")


def date_filter(
    plural: str, title: str, path: str = "TxnDate", input_name: str = "txn_date", verb: str = "dated"
) -> Filter:
    """Return a filter by a range of dates, both inclusive."""
    return Filter(
        input_name,
        path,
        "date_range",
        title,
        f"Only {plural} {verb} on this day {{bound}}.",
        "Write a calendar date as year-month-day, like 2026-05-31.",
        ("2026-05-31",),
        phrase=f"{verb} {{value}}",
        is_future=verb == "due",
    )


def due_date_filter(plural: str) -> Filter:
    """Return the filter by a range of due dates, both inclusive."""
    return date_filter(plural, "Due date", "DueDate", "due_date", "due")


def amount_filter(plural: str, path: str = "TotalAmt", title: str = "Amount", input_name: str = "amount") -> Filter:
    """Return a filter by a range of amounts, both inclusive."""
    return Filter(
        input_name,
        path,
        "amount_range",
        title,
        f"Only {plural} with this {title.lower()} {{bound}}.",
        "Enter an amount with a decimal point, like 1250.50.",
        (100,),
    )


def choice_filter(
    input_name: str, path: str, title: str, description: str, values: Mapping[str, str] | Iterable[str]
) -> Filter:
    """Return a filter by one of Intuit's own values; the first is the example."""
    labels = dict(values) if isinstance(values, Mapping) else {value: value for value in values}
    return Filter(input_name, path, "choice", title, description, examples=(next(iter(labels)),), values=labels)


def boolean_filter(input_name: str, path: str, title: str, description: str) -> Filter:
    """Return a filter by a boolean property."""
    return Filter(input_name, path, "boolean", title, description, examples=(True,))
