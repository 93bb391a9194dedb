"""The chart of accounts, what is booked in it, taxes and the company's settings."""

from __future__ import annotations

from vantage_quickbooks.catalog import shorthand as short
from vantage_quickbooks.catalog.resource import Column, FlatField, Resource
from vantage_quickbooks.catalog.shorthand import properties

__all__ = ["ACCOUNTING", "COMPANY_INFO"]

_ACCOUNT = Resource(
    entity="Account",
    name="account",
    plural="accounts",
    group="accounting",
    kind="list",
    description="Lists the chart of accounts with type, number and current balance. "
    "Active accounts only, unless asked otherwise; alphabetical by name.",
    properties=properties(f"""
        Id SyncToken MetaData:times Name SubAccount:boolean ParentRef Description FullyQualifiedName AccountAlias
        TxnLocationType Active:boolean Classification AccountType AccountSubType AcctNum CurrentBalance:decimal
        CurrentBalanceWithSubAccounts:decimal CurrencyRef TaxCodeRef JournalCodeRef {short.ENVELOPE}
    """),
    columns=(
        short.ID,
        Column("AcctNum", "No."),
        Column("accountName", "Account"),
        Column("AccountType", "Type"),
        Column("CurrentBalance", "Balance", "money", "currency"),
        short.CURRENCY,
    ),
    filters=(
        short.text_filter(
            "name",
            "Name",
            "Name",
            "Only accounts with this name. % stands for any text: Check% finds names that begin with Check.",
            "Checking",
            "Check%",
            hint="Give the name, or a part of it with % for the rest.",
        ),
        short.choice_filter(
            "type", "AccountType", "Type", "Only accounts of this type.", values=short.ACCOUNT_TYPES, example="Bank"
        ),
        short.choice_filter(
            "classification",
            "Classification",
            "Classification",
            "Only accounts of this class of the balance sheet or the income statement.",
            values=short.CLASSIFICATIONS,
            example="Expense",
        ),
    ),
    flat=(
        FlatField("accountName", ("FullyQualifiedName", "Name"), "text", "Full name, with the accounts it belongs to."),
        short.PARENT_NAME,
        short.PARENT_ID,
        short.CURRENCY_CODE,
    ),
    default_order="Name",
    sortable={"Name": "Name", "AccountType": "Type", **short.TIMES},
    tie_breaker="Name",
    path="account",
    has_active=True,
    examples=({"max_results": 50}, {"type": "Bank"}, {"active": "all", "name": "Check%"}),
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/account; its page marks "
    "nothing as filterable or sortable, Intuit's own samples filter by AccountType, AccountSubType and Classification",
)

COMPANY_INFO = Resource(
    entity="CompanyInfo",
    name="company info",
    plural="company infos",
    group="accounting",
    kind="other",
    description="Returns the company's names, addresses, contacts, fiscal year and time zone.",
    properties=properties("""
        Id SyncToken MetaData:times AttachableRef:list CompanyName LegalName CompanyAddr:address
        CustomerCommunicationAddr:address LegalAddr:address CompanyEmailAddr:email
        CustomerCommunicationEmailAddr:email CompanyURL:web PrimaryPhone:phone CompanyStartDate EmployerId
        FiscalYearStartMonth TaxYearStartMonth QBVersion Country ShipAddr:address OtherAddr:list Mobile:phone
        Fax:phone Email:email WebAddr:web LastImportedTime:instant SupportedLanguages DefaultTimeZone
        MultiByteCharsSupported:boolean NameValue:list FifoCalculationStatus CompanyInfoEx:object domain
        sparse:boolean
    """),
    columns=(),
    path="companyinfo",
    is_queryable=False,
    is_singleton=True,
    has_creation_order=False,
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/companyinfo",
)
"""The row behind getCompanyInfo, an action with its own module; `RESOURCES` leaves it out."""

ACCOUNTING = (_ACCOUNT,)
