"""
The columns of each entity as a table: what every CSV of it has, in this order, whatever the rows hold.

`PROPERTIES` is the whole definition. A property stands for one column of its name; with a kind behind a colon it is an
object of known members, and each of these is a column, `CustomerRef.value`. What holds anything else (lines, links,
custom fields) is one column of JSON text. Flat fields, which the actions add, stand in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["FLAT", "MEMBERS", "PROPERTIES", "Columns", "columns_for"]

MEMBERS = {
    "reference": ("value", "name"),
    "times": ("CreateTime", "LastUpdatedTime"),
    "address": (
        "Line1", "Line2", "Line3", "Line4", "Line5", "City", "CountrySubDivisionCode", "PostalCode", "Country",
        "Lat", "Long",
    ),
    "phone": ("FreeFormNumber",),
    "email": ("Address",),
    "web": ("URI",),
    "memo": ("value",),
    "delivery": ("DeliveryType", "DeliveryTime"),
    "tax": ("TxnTaxCodeRef:reference", "TotalTax", "TaxLine"),
}  # fmt: skip
"""Members of each kind of object that are columns."""

PROPERTIES = {
    "Customer": """
        Id SyncToken MetaData:times AttachableRef IntuitId Title GivenName MiddleName FamilyName Suffix
        FullyQualifiedName CompanyName DisplayName PrintOnCheckName Active V4IDPseudonym PrimaryPhone:phone
        AlternatePhone:phone Mobile:phone Fax:phone PrimaryEmailAddr:email WebAddr:web
        DefaultTaxCodeRef:reference Taxable BillAddr:address ShipAddr:address Notes Job BillWithParent
        RootCustomerRef:reference ParentRef:reference Level CustomerTypeRef:reference SalesTermRef:reference
        PaymentMethodRef:reference CCDetail Balance OpenBalanceDate BalanceWithJobs CurrencyRef:reference
        PreferredDeliveryMethod ResaleNum JobInfo TDSEnabled CustomerEx SecondaryTaxIdentifier
        ARAccountRef:reference PrimaryTaxIdentifier TaxExemptionReasonId IsProject BusinessNumber GSTIN
        GSTRegistrationType IsCISContractor ClientCompanyId ClientEntityId Source TaxRegime domain sparse
    """,
    "Invoice": """
        Id SyncToken MetaData:times CustomField AttachableRef DocNumber TxnDate TxnSubType
        DepartmentRef:reference CurrencyRef:reference ExchangeRate PrivateNote TxnStatus LinkedTxn Line
        TxnTaxDetail:tax TxnSource TaxFormType TaxFormNum TransactionLocationType Tag TxnApprovalInfo
        RecurDataRef:reference RecurringInfo ProjectRef:reference TotalCostAmount HomeTotalCostAmount
        AutoDocNumber CustomerRef:reference CustomerMemo:memo BillAddr:address ShipAddr:address
        FreeFormAddress ShipFromAddr:address SalesTermRef:reference DueDate PONumber FOB GlobalTaxCalculation
        TotalAmt HomeTotalAmt ApplyTaxAfterDiscount ShippingTaxIncludedInTotalTax PrintStatus EmailStatus
        BillEmail:email BillEmailCc:email BillEmailBcc:email Balance HomeBalance FinanceCharge
        PaymentMethodRef:reference PaymentRefNum PaymentType CheckPayment CreditCardPayment
        DepositToAccountRef:reference DeliveryInfo:delivery DiscountRate DiscountAmt GovtTxnRefIdentifier
        TaxExemptionRef:reference Deposit AllowIPNPayment AllowOnlinePayment AllowOnlineCreditCardPayment
        AllowOnlineACHPayment AllowOnlinePayPalPayment AllowOnlineAffirmPayment EInvoiceStatus
        ECloudStatusTimeStamp CfdiUse Exportation GlobalInfo invoiceStatus callToAction invoiceStatusLog
        InvoiceEx LessCIS InvoiceLink PaymentDetailsMessage ConvenienceFeeDetail EnabledSurchargeInfo
        InvoiceLinkSecurityCode InvoiceLinkExpiryDate AutoPayEligible SchedulePayEligible ScheduledPaymentId
        GratuityEnabled FinancingProductType SubscriptionPaymentsSetting TxnRetainageDetail domain sparse
        status
    """,
    "CompanyInfo": """
        Id SyncToken MetaData:times AttachableRef CompanyName LegalName CompanyAddr:address
        CustomerCommunicationAddr:address LegalAddr:address CompanyEmailAddr:email
        CustomerCommunicationEmailAddr:email CompanyURL:web PrimaryPhone:phone CompanyStartDate EmployerId
        FiscalYearStartMonth TaxYearStartMonth QBVersion Country ShipAddr:address OtherAddr Mobile:phone
        Fax:phone Email:email WebAddr:web LastImportedTime SupportedLanguages DefaultTimeZone
        MultiByteCharsSupported NameValue FifoCalculationStatus CompanyInfoEx domain sparse
    """,
}
"""
Properties of each entity, in the order of Intuit's schema.

Source: Intuit's XSDs of 17 July 2026 (QuickBooks-V3-PHP-SDK, src/XSD), and what recorded answers hold beyond them.
"""

FLAT = {
    "Customer": ("customerName", "email", "phone"),
    "Invoice": ("customerName", "currency", "paymentStatus", "daysOverdue"),
    "CompanyInfo": (),
}
"""Fields that the actions add to each entity."""

_ENTITIES = {"listCustomers": "Customer", "listInvoices": "Invoice", "getCompanyInfo": "CompanyInfo"}

_Places = dict[str, "int | _Places"]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table.

    Attributes:
        names: The header.
        places: Where each property goes: the number of its column or, of an object, the places of its members.
    """

    names: tuple[str, ...]
    places: _Places

    def cells(self, row: Mapping[str, Any], cell: Callable[[Any], str]) -> list[str]:
        """Return a row's cells, one a column; a column that the row lacks is "".

        The row's own properties are walked, not the columns: a record has a quarter of what its entity may have.

        Args:
            row: The record.
            cell: Makes a cell of a text, a number or a boolean; it is given objects and lists as JSON text.
        """
        cells = [""] * len(self.names)
        _place(row, self.places, cells, cell)
        return cells


def columns_for(action_id: str, fields: Iterable[str] | None = None) -> Columns | None:
    """Return the columns of an action's rows; None if they have no fixed ones.

    Args:
        action_id: `listInvoices`.
        fields: The top-level properties that were asked for; None means all.
    """
    entity = _ENTITIES.get(action_id)
    if entity is None:
        return None
    properties = PROPERTIES[entity].split()
    if fields is not None:
        wanted = {"Id", *fields}
        properties = [word for word in properties if word.partition(":")[0] in wanted]
    properties.remove("Id")
    names: list[str] = []
    places = _compile(["Id", *FLAT[entity], *properties], "", names)
    return Columns(tuple(names), places)


def _compile(words: Iterable[str], prefix: str, names: list[str]) -> _Places:
    """Number the columns of *words* and add their names to *names*."""
    places: _Places = {}
    for word in words:
        name, _, kind = word.partition(":")
        if kind:
            places[name] = _compile(MEMBERS[kind], f"{prefix}{name}.", names)
        else:
            places[name] = len(names)
            names.append(prefix + name)
    return places


def _place(record: Mapping[str, Any], places: _Places, cells: list[str], cell: Callable[[Any], str]) -> None:
    for name, value in record.items():
        place = places.get(name)
        if place is None or value is None:
            continue
        if isinstance(place, dict):
            if isinstance(value, dict):
                _place(value, place, cells, cell)
        elif isinstance(value, (dict, list)):
            cells[place] = cell(orjson.dumps(value).decode())
        else:
            cells[place] = cell(value)
