"""Vendors and what is bought from them."""

from __future__ import annotations

from vantage_quickbooks.catalog import shorthand as short
from vantage_quickbooks.catalog.invoices import summarize
from vantage_quickbooks.catalog.resource import Column, FlatField, Resource
from vantage_quickbooks.catalog.shorthand import properties
from vantage_quickbooks.catalog.statuses import BILL_PAYMENT, summary_defs

__all__ = ["PURCHASES"]

_VENDOR = Resource(
    entity="Vendor",
    name="vendor",
    plural="vendors",
    group="purchases",
    kind="list",
    description="Lists vendors (suppliers) with names, email, phone, address and the balance you owe them. "
    "Active vendors only, unless asked otherwise; alphabetical by display name.",
    properties=properties(f"""
        {short.PERSON} BillAddr:address ShipAddr:address TaxIdentifier TaxIdEffectiveDate TermRef Balance:decimal
        BillRate:decimal CostRate:decimal OpenBalanceDate AcctNum Vendor1099:boolean CurrencyRef APAccountRef
        TaxReportingBasis DefaultTaxCodeRef Notes GSTIN GSTRegistrationType IsSubContractor:boolean SubcontractorType
        CISRate HasTPAR:boolean VendorPaymentBankDetail:object AgencyVerificationStatus Source {short.ENVELOPE}
    """),
    columns=(
        short.ID,
        short.VENDOR,
        Column("email", "Email"),
        Column("phone", "Phone"),
        Column("Balance", "Balance", "money", "CurrencyRef.value"),
    ),
    filters=(
        short.text_filter(
            "name",
            "DisplayName",
            "Name",
            "Only vendors with this display name. % stands for any text: Norton% finds names that begin with Norton.",
            "Norton Lumber",
            "Norton%",
            hint="Give the display name, or a part of it with % for the rest.",
        ),
    ),
    flat=(
        FlatField("vendorName", ("DisplayName", "CompanyName"), "text", "Display name, or the company's name."),
        short.EMAIL,
        short.PHONE,
        short.CURRENCY_CODE,
    ),
    default_order="DisplayName",
    sortable={
        **{key: label for key, label in short.NAME_SORT_KEYS.items() if key != "FullyQualifiedName"},
        **short.TIMES,
    },
    tie_breaker="DisplayName",
    path="vendor",
    has_active=True,
    examples=({"max_results": 50}, {"active": "all", "name": "Norton%"}),
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/vendor",
)

_BILL = Resource(
    entity="Bill",
    name="bill",
    plural="bills",
    group="purchases",
    kind="transaction",
    description="Lists bills from vendors with dates, amounts, payment status (paid, partiallyPaid, open, overdue) and "
    "days overdue, and sums up what you owe by currency and status. Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} TxnTaxDetail:tax ProjectRef VendorRef APAccountRef TotalAmt:decimal GlobalTaxCalculation
        SalesTermRef DueDate RemitToAddr:address ShipAddr:address VendorAddr:address Balance:decimal
        HomeBalance:decimal LessCIS:decimal IncludeInAnnualTPAR:boolean {short.ENVELOPE}
    """),
    columns=(
        short.DOC_NUMBER,
        short.VENDOR,
        short.DATE,
        short.DUE_DATE,
        short.TOTAL,
        short.BALANCE,
        short.CURRENCY,
        short.PAYMENT_STATUS,
        short.DAYS_OVERDUE,
    ),
    filters=(
        short.id_filter("vendor_id", "VendorRef", "vendor", "bills", options_from="listVendors", example="56"),
        short.date_filter("txn_date", "TxnDate", "Bill date", "Only bills dated on this day {bound}."),
        short.date_filter("due_date", "DueDate", "Due date", "Only bills due on this day {bound}."),
        short.doc_number_filter("bills", "bill"),
        short.amount_filter("bills"),
    ),
    flat=(short.VENDOR_NAME, short.CURRENCY_CODE, short.TERM_NAME, short.AP_ACCOUNT_NAME),
    status=BILL_PAYMENT,
    summarize=summarize,
    summary_defs=summary_defs(BILL_PAYMENT, "bills"),
    default_order=short.NEWEST_FIRST,
    sortable={
        "DocNumber": "Bill number",
        "TxnDate": "Bill date",
        "DueDate": "Due date",
        "TotalAmt": "Total",
        **short.TIMES,
    },
    tie_breaker="DocNumber",
    path="bill",
    views=(
        {
            "kind": "aging",
            "title": "Payables by age",
            "amount": "Balance",
            "days": "daysOverdue",
            "currency": "currency",
        },
        {
            "kind": "breakdown",
            "title": "Bills by payment status",
            "by": "paymentStatus",
            "amount": "TotalAmt",
            "amountLabel": "Billed",
            "part": "Balance",
            "partLabel": "Outstanding",
            "currency": "currency",
            "values": BILL_PAYMENT.values,
        },
        short.top("Top vendors by balance", "vendorName", "Vendor", "Balance"),
    ),
    examples=({"max_results": 50}, {"status": "overdue"}, {"vendor_id": "56", "txn_date_from": "2026-01-01"}),
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/bill",
)

PURCHASES = (_VENDOR, _BILL)
