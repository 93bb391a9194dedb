"""What QuickBooks knows of each entity, as data: names, operations, order, properties.

An entity is a row of this table and never code: storage, queries, reads and writes
work on every row alike. Sources: Intuit's entity pages
(developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/...) for the
operations and for what can be filtered and sorted; recordings of 2015 to 2026 for the
default order and for `totalCount`.
"""

from dataclasses import dataclass, field
from typing import Literal

PropertyType = Literal["id", "text", "number", "bool", "date", "time", "ref", "address", "other"]


@dataclass(frozen=True, slots=True)
class Property:
    """One property that a statement may name.

    Attributes:
        name: As Intuit spells it; statements may use any case.

        type: How its values compare.

        filterable: WHERE may name it.

        sortable: ORDERBY may name it.
    """

    name: str
    type: PropertyType
    filterable: bool = True
    sortable: bool = True


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of the API.

    Attributes:
        name: In statements and as the key of JSON bodies.

        path: In URLs.

        operations: Letters of what is allowed: C create, R read, Q query, U update, D delete, V void.

        lists_names: A name list: default order by name, inactive ones hidden, never deleted.

        naming: What a name list calls its records by: DisplayName or Name.

        order: The property that a name list is ordered by.

        tells_total: A SELECT of it carries `totalCount` (recorded, May 2026).

        strict: All its properties are known, so that an unknown one is refused in a body.

        properties: By lower-case name.
    """

    name: str
    path: str
    operations: str
    lists_names: bool
    naming: str
    order: str
    tells_total: bool
    strict: bool
    properties: dict[str, Property] = field(hash=False)

    def find(self, name: str) -> Property | None:
        """
        Look a property up in any case.

        Args:
            name: As a statement spells it.

        Returns:
            The property, or None if this entity has none of that name.
        """
        return self.properties.get(name.lower())


# Id can be neither sorted nor range-compared since November 2025: Intuit's mail to partners,
# quoted in github.com/sahat/hackathon-starter/issues/1510.
_EVERYWHERE = (
    Property("Id", "id", sortable=False),
    Property("MetaData.CreateTime", "time"),
    Property("MetaData.LastUpdatedTime", "time"),
)
_ENVELOPE = "domain sparse SyncToken MetaData MetaData.LastModifiedByRef status"


def _known(names: str) -> tuple[Property, ...]:
    """List properties that exist and can be selected, yet neither filtered nor sorted."""
    return tuple(Property(name, "other", filterable=False, sortable=False) for name in names.split())


_CUSTOMER = (
    *(
        Property(name, "text")
        for name in [
            "DisplayName",
            "GivenName",
            "MiddleName",
            "FamilyName",
            "FullyQualifiedName",
            "CompanyName",
            "PrintOnCheckName",
        ]
    ),
    Property("Active", "bool"),
    Property("Balance", "number"),
    Property("PrimaryEmailAddr", "address", sortable=False),
    Property("BalanceWithJobs", "number", filterable=False),
    *_known(
        "Title Suffix Taxable BillAddr ShipAddr OtherAddr Notes Job BillWithParent ParentRef Level IsProject"
        " OpenBalanceDate CurrencyRef PreferredDeliveryMethod DefaultTaxCodeRef TaxExemptionReasonId ResaleNum"
        " SalesTermRef PaymentMethodRef CustomerTypeRef ARAccountRef PrimaryPhone AlternatePhone Mobile Fax"
        " WebAddr GSTIN GSTRegistrationType BusinessNumber SecondaryTaxIdentifier PrimaryTaxIdentifier"
        " ClientEntityId V4IDPseudonym IntuitId AcctNum Attachable UserId RootCustomerRef Source"
    ),
)
# TotalAmt carries no mark on Intuit's page, yet the query guide filters on it, and
# `SalesReceipt where TotalAmt > '300.00'` answered in 2020 (recorded).
_INVOICE = (
    Property("DocNumber", "text"),
    Property("TxnDate", "date"),
    Property("DueDate", "date"),
    Property("Balance", "number"),
    Property("TotalAmt", "number"),
    Property("CustomerRef", "ref", sortable=False),
    Property("ProjectRef", "ref", sortable=False),
    Property("SalesTermRef", "ref", sortable=False),
    *_known(
        "AllowIPNPayment AllowOnlinePayment AllowOnlineCreditCardPayment AllowOnlineACHPayment"
        " AllowOnlinePayPalPayment AllowOnlineAffirmPayment CustomField CurrencyRef ExchangeRate PrivateNote"
        " LinkedTxn Line TxnTaxDetail CustomerMemo BillAddr ShipAddr ShipFromAddr FreeFormAddress ClassRef"
        " DepartmentRef ShipMethodRef DepositToAccountRef RecurDataRef TaxExemptionRef HomeTotalAmt HomeBalance"
        " Deposit BillEmail BillEmailCc BillEmailBcc EmailStatus PrintStatus DeliveryInfo ShipDate TrackingNum"
        " ApplyTaxAfterDiscount GlobalTaxCalculation InvoiceLink TxnSource TransactionLocationType TxnSubType"
        " invoiceStatus EInvoiceStatus CustomExtensions"
    ),
)
_COMPANY_INFO = _known(
    "CompanyName LegalName CompanyAddr CustomerCommunicationAddr LegalAddr CustomerCommunicationEmailAddr"
    " PrimaryPhone CompanyStartDate EmployerId FiscalYearStartMonth Country Email WebAddr SupportedLanguages"
    " DefaultTimeZone NameValue"
)
# Of the other entities Intuit's pages mark more than this; what is here is common to all of a kind.
_ANY_NAME = (
    *(
        Property(name, "text")
        for name in [
            "FullyQualifiedName",
            "GivenName",
            "FamilyName",
            "CompanyName",
            "PrintOnCheckName",
            "Type",
            "Sku",
            "AccountType",
            "AccountSubType",
            "Classification",
        ]
    ),
    Property("Active", "bool"),
    Property("Balance", "number"),
    Property("UnitPrice", "number"),
    Property("CurrentBalance", "number"),
    Property("SubAccount", "bool"),
    Property("ParentRef", "ref", sortable=False),
    *_known(
        "Description CurrencyRef SubItem Level Taxable SalesTaxIncluded PurchaseCost TrackQtyOnHand QtyOnHand"
        " IncomeAccountRef ExpenseAccountRef AssetAccountRef InvStartDate BillAddr PrimaryPhone Mobile Fax"
        " PrimaryEmailAddr WebAddr AcctNum Vendor1099 TaxIdentifier TermRef CurrentBalanceWithSubAccounts"
        " DueDays DiscountPercent DiscountDays RateValue SpecialTaxType AgencyRef Hidden TaxGroup"
        " SalesTaxRateList PurchaseTaxRateList Title MiddleName Suffix SSN PrimaryAddr HiredDate BillableTime"
    ),
)
_ANY_TRANSACTION = (
    Property("DocNumber", "text"),
    Property("TxnDate", "date"),
    Property("DueDate", "date"),
    Property("Balance", "number"),
    Property("TotalAmt", "number"),
    *(Property(name, "ref", sortable=False) for name in ["CustomerRef", "VendorRef", "SalesTermRef", "EntityRef"]),
    *_known(
        "CustomField CurrencyRef ExchangeRate PrivateNote LinkedTxn Line TxnTaxDetail CustomerMemo BillAddr"
        " ShipAddr FreeFormAddress ApplyTaxAfterDiscount PrintStatus EmailStatus BillEmail PaymentMethodRef"
        " PaymentRefNum DepositToAccountRef UnappliedAmt ProcessPayment APAccountRef ARAccountRef AccountRef"
        " PaymentType Credit PurchaseEx TxnStatus ExpirationDate AcceptedBy AcceptedDate Adjustment"
        " DepartmentRef ClassRef POStatus POEmail PayType CheckPayment RemainingCredit Amount"
        " FromAccountRef ToAccountRef NameOf EmployeeRef ItemRef BillableStatus Hours Minutes HourlyRate"
        " Description TotalTax HomeTotalAmt HomeBalance"
    ),
)

_OWN_PROPERTIES = {"Customer": _CUSTOMER, "Invoice": _INVOICE, "CompanyInfo": _COMPANY_INFO}
_TELLS_TOTAL = {"Invoice", "Bill", "BillPayment", "Deposit", "JournalEntry", "PurchaseOrder"}
_BY_FULL_NAME = {"Customer", "Item", "Class", "Department"}
_NAMED_LIKE_PEOPLE = {"Customer", "Vendor", "Employee"}

# name, operations, whether a name list. Paths are the lower-case names, but for _PATHS.
_TABLE = (
    ("Account", "CRQU", True),
    ("Attachable", "CRQUD", False),
    ("Bill", "CRQUD", False),
    ("BillPayment", "CRQUDV", False),
    ("Budget", "CRQUD", False),
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
    ("RecurringTransaction", "CRQD", False),
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


def _entity(name: str, operations: str, lists_names: bool) -> Entity:
    own = _OWN_PROPERTIES.get(name, _ANY_NAME if lists_names else _ANY_TRANSACTION)
    naming = "DisplayName" if name in _NAMED_LIKE_PEOPLE else "Name"
    properties = {p.name.lower(): p for p in (*_known(_ENVELOPE), *_EVERYWHERE, *own)}
    if lists_names:
        properties.setdefault(naming.lower(), Property(naming, "text"))
    return Entity(
        name=name,
        path=_PATHS.get(name, name.lower()),
        operations=operations,
        lists_names=lists_names,
        naming=naming,
        order="FullyQualifiedName" if name in _BY_FULL_NAME else naming,
        tells_total=name in _TELLS_TOTAL,
        strict=name in _OWN_PROPERTIES,
        properties=properties,
    )


ENTITIES: dict[str, Entity] = {name: _entity(name, operations, names) for name, operations, names in _TABLE}
"""Every entity by its name."""

BY_LOWER_NAME: dict[str, Entity] = {name.lower(): entity for name, entity in ENTITIES.items()}
"""Every entity by its lower-case name: statements may use any case."""

BY_PATH: dict[str, Entity] = {entity.path: entity for entity in ENTITIES.values()}
"""Every entity by its path; paths are case sensitive."""
