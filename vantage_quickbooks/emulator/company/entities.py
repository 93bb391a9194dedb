"""What QuickBooks knows about each entity, as data: names, operations, order and properties.

An entity is a row of this table and never code: storage, queries, reads and writes work for every row. Sources:
Intuit's entity pages (https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/account) for the
operations and for what can be filtered and sorted (docs/emulator.md lists what is assumed); recordings of 2015 to 2026
for the default order and for `totalCount`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vantage_quickbooks.emulator.company.known_properties import schema_properties

PropertyType = Literal["id", "text", "number", "bool", "date", "time", "ref", "address", "other"]


@dataclass(frozen=True, slots=True)
class Property:
    """A property that a statement can name.

    Attributes:
        name: As Intuit spells it; statements can use any case.
        type: Decides how its values compare.
        filterable: WHERE can name it.
        sortable: ORDERBY can name it.
    """

    name: str
    type: PropertyType
    filterable: bool = True
    sortable: bool = True


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of the API.

    Attributes:
        name: In statements and as the key of JSON bodies.
        path: In URLs.
        operations: Letters of the supported operations: C create, R read, Q query, U update, D delete, V void.
        is_name_list: By default sorted by name and without inactive records; its records are never deleted.
        name_property: The property with a record's name: DisplayName or Name.
        sort_property: The property by which a name list is sorted.
        ignores_case: Whether that order ignores case.
        has_total_count: A SELECT of it returns `totalCount` (recorded, May 2026).
        rejects_unknown: All its properties are known, so that a body with another one is refused (2010).
        properties: By lower-case name.
    """

    name: str
    path: str
    operations: str
    is_name_list: bool
    name_property: str
    sort_property: str
    ignores_case: bool
    has_total_count: bool
    rejects_unknown: bool
    properties: dict[str, Property] = field(hash=False)

    def sort_key(self, name: str | None) -> str | None:
        """Return the text whose byte order is the order of the name list."""
        return name.casefold() if name and self.ignores_case else name

    def find(self, name: str) -> Property | None:
        """Return a property by its name in any case, or None."""
        return self.properties.get(name.lower())


# Id can be neither sorted nor range-compared since November 2025: Intuit's mail to partners,
# quoted in github.com/sahat/hackathon-starter/issues/1510.
_COMMON = (
    Property("Id", "id", sortable=False),
    Property("MetaData.CreateTime", "time"),
    Property("MetaData.LastUpdatedTime", "time"),
)
_ENVELOPE = "domain sparse SyncToken MetaData MetaData.LastModifiedByRef status"

_PEOPLE = "DisplayName GivenName MiddleName FamilyName CompanyName PrintOnCheckName"
_NAMES = "Name FullyQualifiedName Active"

# The properties that an entity's page marks "filterable, sortable", "filterable" and "sortable". The last column has
# those that no page marks and that are assumed to be filterable and sortable: see docs/emulator.md.
_MARKS: dict[str, tuple[str, str, str, str]] = {
    "Account": ("", "", "", f"{_NAMES} AccountType AccountSubType Classification SubAccount ParentRef Description"),
    "Attachable": ("", "AttachableRef.EntityRef.type AttachableRef.EntityRef.value", "", "FileName Note"),
    "Bill": ("VendorRef TxnDate APAccountRef SalesTermRef TotalAmt DueDate DocNumber", "Balance", "", ""),
    "BillPayment": ("VendorRef TotalAmt DocNumber TxnDate APAccountRef", "", "", ""),
    "Budget": ("", "", "", "Name Active StartDate EndDate"),
    "ChangeOrder": ("", "", "", "TxnDate DocNumber CustomerRef TotalAmt"),
    "Class": ("Active FullyQualifiedName", "", "", "Name"),
    "CompanyCurrency": ("", "", "", "Name Code Active"),
    "CreditCardPaymentTxn": ("", "", "", "TxnDate Amount"),
    "CreditMemo": ("TxnDate DocNumber Balance", "CustomerRef ProjectRef SalesTermRef", "", "TotalAmt"),
    "Customer": (f"{_PEOPLE} FullyQualifiedName Active Balance", "PrimaryEmailAddr", "BalanceWithJobs", ""),
    "CustomerType": ("", "", "", "Name Active"),
    "Department": ("Active FullyQualifiedName", "", "SubDepartment", "Name"),
    "Deposit": ("", "", "", "TxnDate TotalAmt"),
    "Employee": ("DisplayName GivenName MiddleName FamilyName Suffix PrintOnCheckName", "Active", "", ""),
    "Estimate": ("TxnDate DueDate DocNumber", "CustomerRef ProjectRef", "", "TotalAmt ExpirationDate AcceptedDate"),
    "ExchangeRate": ("", "", "", "SourceCurrencyCode AsOfDate"),
    "InventoryAdjustment": ("", "", "", "TxnDate DocNumber"),
    "Invoice": ("DocNumber TxnDate DueDate Balance", "CustomerRef ProjectRef SalesTermRef", "", "TotalAmt"),
    "Item": ("Name Type", "Taxable Active FullyQualifiedName SubItem", "UnitPrice PurchaseCost", "Sku ParentRef"),
    "JournalCode": ("", "", "", "Name Type Active"),
    "JournalEntry": ("DocNumber TxnDate", "", "", "TotalAmt"),
    "Payment": ("TxnDate", "TotalAmt CustomerRef PaymentMethodRef PaymentRefNum", "", ""),
    "PaymentMethod": ("Active", "", "", "Name Type"),
    "Purchase": ("", "", "", "DocNumber TxnDate PaymentType TotalAmt"),
    "PurchaseOrder": ("TxnDate DueDate DocNumber", "", "", "TotalAmt"),
    "RecurringTransaction": ("", "Type", "", ""),
    "RefundReceipt": ("TxnDate DocNumber PaymentType Balance", "CustomerRef ProjectRef", "", "TotalAmt"),
    "ReimburseCharge": ("", "CustomerRef HasBeenInvoiced", "", "TxnDate"),
    # TotalAmt is recorded too: `SalesReceipt where TotalAmt > '300.00'` answered in 2020.
    "SalesReceipt": ("TxnDate DocNumber Balance", "CustomerRef ProjectRef TotalAmt", "", ""),
    "TaxAgency": ("", "", "", "DisplayName"),
    "TaxCode": ("Name Description", "Active", "", ""),
    "TaxPayment": ("", "", "", "PaymentDate Refund"),
    "TaxRate": ("Name AgencyRef TaxReturnLineRef Active Description", "", "", ""),
    "Term": ("Name Active", "", "", ""),
    "TimeActivity": ("TxnDate", "ProjectRef BillableStatus", "", ""),
    "Transfer": ("", "", "", "TxnDate"),
    "Vendor": (_PEOPLE, "Active", "Suffix", "Balance"),  # from a third party's table; Intuit's page was not available
    "VendorCredit": ("DocNumber APAccountRef TxnDate TotalAmt", "", "Balance", ""),
}

# Other properties: they can be selected and sent, and a condition on one is "not queryable".
_CUSTOMER = (
    "Title Suffix Taxable BillAddr ShipAddr OtherAddr Notes Job BillWithParent ParentRef Level IsProject"
    " OpenBalanceDate CurrencyRef PreferredDeliveryMethod DefaultTaxCodeRef TaxExemptionReasonId ResaleNum"
    " SalesTermRef PaymentMethodRef CustomerTypeRef ARAccountRef PrimaryPhone AlternatePhone Mobile Fax"
    " WebAddr GSTIN GSTRegistrationType BusinessNumber SecondaryTaxIdentifier PrimaryTaxIdentifier"
    " ClientEntityId V4IDPseudonym IntuitId AcctNum Attachable UserId RootCustomerRef Source"
)
_INVOICE = (
    "AllowIPNPayment AllowOnlinePayment AllowOnlineCreditCardPayment AllowOnlineACHPayment"
    " AllowOnlinePayPalPayment AllowOnlineAffirmPayment CustomField CurrencyRef ExchangeRate PrivateNote"
    " LinkedTxn Line TxnTaxDetail CustomerMemo BillAddr ShipAddr ShipFromAddr FreeFormAddress ClassRef"
    " DepartmentRef ShipMethodRef DepositToAccountRef RecurDataRef TaxExemptionRef HomeTotalAmt HomeBalance"
    " Deposit BillEmail BillEmailCc BillEmailBcc EmailStatus PrintStatus DeliveryInfo ShipDate TrackingNum"
    " ApplyTaxAfterDiscount GlobalTaxCalculation InvoiceLink TxnSource TransactionLocationType TxnSubType"
    " invoiceStatus EInvoiceStatus CustomExtensions"
    # In Intuit's class, as fault 2010 lists it (recorded, 2020), and on no page.
    " RecurringInfo callToAction AutoDocNumber ECloudStatusTimeStamp TaxFormNum FOB InvoiceEx PONumber PaymentMethodRef"
    " SalesRepRef invoiceStatusLog TaxFormType LessCIS TxnStatus ConvenienceFeeDetail DiscountRate"
    " PaymentDetailsMessage RemitToRef PaymentRefNum Tag TxnApprovalInfo"
)
_COMPANY_INFO = (
    "CompanyName LegalName CompanyAddr CustomerCommunicationAddr LegalAddr CustomerCommunicationEmailAddr"
    " PrimaryPhone CompanyStartDate EmployerId FiscalYearStartMonth Country Email WebAddr SupportedLanguages"
    " DefaultTimeZone NameValue"
)
_NAME_LIST = (
    "Description CurrencyRef SubItem SubClass Level Taxable SalesTaxIncluded PurchaseCost PurchaseDesc TrackQtyOnHand"
    " QtyOnHand UnitPrice Type Sku IncomeAccountRef ExpenseAccountRef AssetAccountRef InvStartDate BillAddr"
    " PrimaryPhone Mobile Fax PrimaryEmailAddr WebAddr AcctNum Vendor1099 TaxIdentifier TermRef CurrentBalance"
    " CurrentBalanceWithSubAccounts SubAccount ParentRef AccountType AccountSubType Classification Balance BillRate"
    " CostRate DueDays DiscountPercent DiscountDays DayOfMonthDue DiscountDayOfMonth DueNextMonthDays RateValue"
    " SpecialTaxType EffectiveTaxRate DisplayType AgencyRef Hidden TaxGroup SalesTaxRateList PurchaseTaxRateList Title"
    " GivenName MiddleName FamilyName CompanyName PrintOnCheckName Suffix SSN PrimaryAddr HiredDate BillableTime"
    " FullyQualifiedName V4IDPseudonym DeferredRevenue TaxTrackedOnSales TaxTrackedOnPurchases TaxRegistrationNumber"
)
_TRANSACTION = (
    "CustomField CurrencyRef ExchangeRate PrivateNote LinkedTxn Line TxnTaxDetail CustomerMemo BillAddr ShipAddr"
    " ShipFromAddr FreeFormAddress ApplyTaxAfterDiscount PrintStatus EmailStatus BillEmail PaymentMethodRef"
    " PaymentRefNum PaymentType DepositToAccountRef UnappliedAmt ProcessPayment DepartmentRef ClassRef Balance TotalAmt"
    " HomeTotalAmt HomeBalance DocNumber TxnDate DueDate CustomExtensions RecurDataRef TransactionLocationType"
)
_EXPENSE = "VendorRef APAccountRef VendorAddr SalesTermRef Memo POStatus POEmail PayType CheckPayment CreditCardPayment"
_ESTIMATE = f"{_TRANSACTION} CustomerRef TxnStatus ExpirationDate AcceptedBy AcceptedDate"
_OWN_PROPERTIES = {
    "Attachable": "AttachableRef FileName Note FileAccessUri TempDownloadUri Size ContentType Category Tag Lat Long",
    "BillPayment": f"{_TRANSACTION} {_EXPENSE}",
    "Bill": f"{_TRANSACTION} {_EXPENSE}",
    "Budget": "Name StartDate EndDate BudgetType BudgetEntryType Active BudgetDetail",
    "CompanyInfo": _COMPANY_INFO,
    "CreditMemo": f"{_TRANSACTION} CustomerRef RemainingCredit InvoiceRef",
    "Customer": _CUSTOMER,
    "ChangeOrder": _ESTIMATE,
    "Estimate": _ESTIMATE,
    "ExchangeRate": "SourceCurrencyCode TargetCurrencyCode Rate AsOfDate",
    "Invoice": _INVOICE,
    "JournalEntry": f"{_TRANSACTION} Adjustment TaxRateRef",
    "Payment": f"{_TRANSACTION} CustomerRef ARAccountRef CreditCardPayment TxnStatus",
    "Preferences": (
        "AccountingInfoPrefs ProductAndServicesPrefs SalesFormsPrefs EmailMessagesPrefs VendorAndPurchasesPrefs"
        " TimeTrackingPrefs TaxPrefs CurrencyPrefs ReportPrefs OtherPrefs"
    ),
    "Purchase": f"{_TRANSACTION} AccountRef EntityRef Credit RemitToAddr PurchaseEx",
    "PurchaseOrder": f"{_TRANSACTION} {_EXPENSE} ShipTo",
    "RecurringTransaction": f"{_TRANSACTION} {_EXPENSE} RecurringInfo CustomerRef AccountRef EntityRef",
    "RefundReceipt": f"{_TRANSACTION} CustomerRef CheckPayment CreditCardPayment",
    "SalesReceipt": f"{_TRANSACTION} CustomerRef CreditCardPayment",
    "TimeActivity": (
        "NameOf EmployeeRef VendorRef CustomerRef ItemRef BillableStatus Taxable HourlyRate CostRate Hours Minutes"
        " BreakHours BreakMinutes StartTime EndTime Description DepartmentRef ClassRef"
    ),
    "Transfer": f"{_TRANSACTION} FromAccountRef ToAccountRef Amount",
    "VendorCredit": f"{_TRANSACTION} {_EXPENSE}",
}
_NUMBERS = {"Balance", "BalanceWithJobs", "TotalAmt", "Amount", "UnitPrice", "PurchaseCost"}
_BOOLEANS = {"Active", "HasBeenInvoiced", "SubAccount", "SubItem", "SubDepartment", "Taxable", "Refund"}


def _type_of(name: str) -> PropertyType:
    """Derive how a property's values compare from its name; Intuit names like properties alike."""
    if name in _NUMBERS:
        return "number"
    if name in _BOOLEANS:
        return "bool"
    if name == "PrimaryEmailAddr":
        return "address"
    return "ref" if name.endswith("Ref") else "date" if name.endswith("Date") else "text"


def _queryable(marks: tuple[str, str, str, str]) -> list[Property]:
    both, filterable, sortable, assumed = (names.split() for names in marks)
    return [
        *(Property(name, _type_of(name)) for name in (*both, *assumed)),
        *(Property(name, _type_of(name), sortable=False) for name in filterable),
        *(Property(name, _type_of(name), filterable=False) for name in sortable),
    ]


def _select_only(names: str) -> list[Property]:
    """Make properties that can be selected, but neither filtered nor sorted."""
    return [Property(name, "other", filterable=False, sortable=False) for name in names.split()]


_WITH_TOTAL_COUNT = {"Invoice", "Bill", "BillPayment", "Deposit", "JournalEntry", "PurchaseOrder"}
# 246 adjacent pairs of customers in 2026 are in order without regard to case, and three of them only so; 220 pairs of
# vendors are in byte order (`PG&E` before `Pam Seitz`). Recordings of the other lists fit both.
_IGNORING_CASE = {"Customer"}
_BY_FULL_NAME = {"Customer", "Item", "Class", "Department"}
_BY_DISPLAY_NAME = {"Customer", "Vendor", "Employee", "TaxAgency"}

# Name, operations, whether a name list. The path is the lower-case name, except in _PATHS.
_TABLE = (
    ("Account", "CRQU", True),
    ("Attachable", "CRQUD", False),
    ("Bill", "CRQUD", False),
    ("BillPayment", "CRQUDV", False),
    ("Budget", "CRQUD", False),
    ("ChangeOrder", "CRQUD", False),
    ("Class", "CRQU", True),
    ("CompanyCurrency", "CRQU", True),
    ("CompanyInfo", "RQU", False),
    ("CreditCardPaymentTxn", "CRQUD", False),
    ("CreditMemo", "CRQUD", False),
    ("Customer", "CRQU", True),
    ("CustomerType", "RQ", True),
    ("Department", "CRQU", True),
    ("Deposit", "CRQUD", False),
    ("Employee", "CRQU", True),
    ("Estimate", "CRQUD", False),
    ("ExchangeRate", "RQU", False),
    ("InventoryAdjustment", "CRQUD", False),
    ("Invoice", "CRQUDV", False),
    ("Item", "CRQU", True),
    ("JournalCode", "CRQU", True),
    ("JournalEntry", "CRQUD", False),
    ("Payment", "CRQUDV", False),
    ("PaymentMethod", "CRQU", True),
    ("Preferences", "RQU", False),
    ("Purchase", "CRQUD", False),
    ("PurchaseOrder", "CRQUD", False),
    ("RecurringTransaction", "CRQUD", False),  # U: a live test of python-quickbooks; the page has no update
    ("RefundReceipt", "CRQUD", False),
    ("ReimburseCharge", "RQ", False),
    ("SalesReceipt", "CRQUDV", False),
    ("TaxAgency", "CRQ", True),
    ("TaxCode", "RQ", True),
    ("TaxPayment", "RQ", False),
    ("TaxRate", "RQ", True),
    ("Term", "CRQU", True),
    ("TimeActivity", "CRQUD", False),
    ("Transfer", "CRQUD", False),
    ("Vendor", "CRQU", True),
    ("VendorCredit", "CRQUD", False),
)
_PATHS = {"CreditCardPaymentTxn": "creditcardpayment"}


def _entity(name: str, operations: str, is_name_list: bool) -> Entity:
    own = _OWN_PROPERTIES.get(name, _NAME_LIST if is_name_list else _TRANSACTION)
    known = schema_properties().get(name, ())
    name_property = "DisplayName" if name in _BY_DISPLAY_NAME else "Name"
    marked = _queryable(_MARKS.get(name, ("", "", "", "")))
    everything = (*_select_only(_ENVELOPE), *_COMMON, *marked, *_select_only(own), *_select_only(" ".join(known)))
    properties: dict[str, Property] = {}
    for prop in everything:  # the first of one name wins
        properties.setdefault(prop.name.lower(), prop)
    return Entity(
        name=name,
        path=_PATHS.get(name, name.lower()),
        operations=operations,
        is_name_list=is_name_list,
        name_property=name_property,
        sort_property="FullyQualifiedName" if name in _BY_FULL_NAME else name_property,
        ignores_case=name in _IGNORING_CASE,
        has_total_count=name in _WITH_TOTAL_COUNT,
        rejects_unknown=bool(known),
        properties=properties,
    )


ENTITIES: dict[str, Entity] = {name: _entity(name, operations, names) for name, operations, names in _TABLE}
"""Every entity by its name."""

BY_LOWER_NAME: dict[str, Entity] = {name.lower(): entity for name, entity in ENTITIES.items()} | {
    path: ENTITIES[name] for name, path in _PATHS.items()
}
"""Every entity by its lower-case name, because statements may use any case, and by its path where that is another name:
`select * from CreditCardPayment` is accepted and answers under CreditCardPaymentTxn.
"""

BY_PATH: dict[str, Entity] = {entity.path: entity for entity in ENTITIES.values()}
"""Every entity by its path; paths are case sensitive."""
