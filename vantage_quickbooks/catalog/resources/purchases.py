"""Vendors and what is bought from them."""

from __future__ import annotations

from vantage_quickbooks.catalog import shorthand as short
from vantage_quickbooks.catalog.invoices import summarize
from vantage_quickbooks.catalog.resource import Column, FlatField, Resource
from vantage_quickbooks.catalog.shorthand import properties
from vantage_quickbooks.catalog.statuses import BILL_PAYMENT, PURCHASE_ORDER, summary_defs

__all__ = ["PURCHASES"]

_VENDOR = Resource(
    entity="Vendor",
    name="vendor",
    plural="vendors",
    group="purchases",
    kind="list",
    description="Lists vendors (suppliers) with names, email, phone, address and the balance you owe them. Active "
    "vendors only, unless asked otherwise; alphabetical by display name.",
    properties=properties(f"""
        {short.PERSON} DefaultTaxCodeRef Notes BillAddr:address ShipAddr:address TaxIdentifier TaxIdEffectiveDate
        TermRef Balance:decimal BillRate:decimal CostRate:decimal OpenBalanceDate AcctNum Vendor1099:boolean CurrencyRef
        TaxReportingBasis APAccountRef GSTIN GSTRegistrationType IsSubContractor:boolean SubcontractorType CISRate
        HasTPAR:boolean VendorPaymentBankDetail:object AgencyVerificationStatus Source {short.ENVELOPE}
    """),
    columns=short.table("Id vendorName email phone Balance currency"),
    filters=(short.name_filter("vendors", "Norton Lumber", "DisplayName"),),
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
    is_pinned=True,
    source=f"{short.entity_page('vendor')}; QuickBooks rejects PrimaryEmailAddr and Balance in a condition "
    "(https://github.com/ruckus/quickbooks-ruby/issues/403)",
)

_BILL = Resource(
    entity="Bill",
    name="bill",
    plural="bills",
    group="purchases",
    kind="transaction",
    description="Lists bills from vendors with dates, amounts, payment status (paid, partiallyPaid, open, overdue) "
    "and days overdue, and sums up what you owe by currency and status. Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} VendorRef APAccountRef TotalAmt:decimal Memo GlobalTaxCalculation SalesTermRef DueDate
        RemitToAddr:address ShipAddr:address VendorAddr:address Balance:decimal HomeBalance:decimal LessCIS:decimal
        IncludeInAnnualTPAR:boolean {short.ENVELOPE}
    """),
    columns=short.table("DocNumber vendorName TxnDate DueDate TotalAmt Balance currency paymentStatus daysOverdue"),
    filters=(
        short.vendor_filter("bills"),
        short.date_filter("bills", "Bill date"),
        short.due_date_filter("bills"),
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
        short.aging("Payables by age"),
        short.breakdown("Bills by payment status", "paymentStatus", "TotalAmt", "Billed", BILL_PAYMENT.values),
        short.top("Top vendors by balance", "vendorName", "Vendor", "Balance"),
    ),
    examples=({"max_results": 50}, {"status": "overdue"}, {"vendor_id": "56", "txn_date_from": "2026-01-01"}),
    is_pinned=True,
    source=short.entity_page("bill"),
)

_BILL_PAYMENT = Resource(
    entity="BillPayment",
    name="bill payment",
    plural="bill payments",
    group="purchases",
    kind="transaction",
    description="Lists payments of bills, with vendor, total, and the bank or credit card account that paid. Newest "
    "first.",
    properties=properties(f"""
        {short.TRANSACTION} VendorRef VendorAddr:address APAccountRef PayType CheckPayment:object
        CreditCardPayment:object TotalAmt:decimal ProcessBillPayment:boolean {short.ENVELOPE}
    """),
    columns=short.table(
        "DocNumber vendorName TxnDate",
        Column("PayType", "Type"),
        Column("paymentAccountName", "Paid from"),
        "TotalAmt currency",
    ),
    filters=(
        short.vendor_filter("bill payments"),
        short.date_filter("bill payments", "Payment date"),
        short.doc_number_filter("bill payments", "bill payment", "118"),
        short.amount_filter("bill payments"),
    ),
    flat=(
        short.VENDOR_NAME,
        short.CURRENCY_CODE,
        short.name_of(
            "paymentAccountName",
            "CheckPayment.BankAccountRef.name",
            "CreditCardPayment.CCAccountRef.name",
            what="bank or credit card account that paid",
        ),
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"DocNumber": "Payment number", "TxnDate": "Payment date", "TotalAmt": "Total", **short.TIMES},
    tie_breaker="DocNumber",
    path="billpayment",
    views=(short.top("Top vendors by payments", "vendorName", "Vendor"),),
    examples=({"max_results": 50}, {"vendor_id": "56"}, {"txn_date_from": "2026-01-01", "amount_from": 1000}),
    source=short.entity_page("billpayment"),
)

_VENDOR_CREDIT = Resource(
    entity="VendorCredit",
    name="vendor credit",
    plural="vendor credits",
    group="purchases",
    kind="transaction",
    description="Lists credits received from vendors, with the part that is still unused. Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} VendorRef APAccountRef VendorAddr:address TotalAmt:decimal Balance:decimal Memo
        GlobalTaxCalculation IncludeInAnnualTPAR:boolean {short.ENVELOPE}
    """),
    columns=short.table(
        "DocNumber vendorName TxnDate TotalAmt", Column("Balance", "Unused", "money", "currency"), "currency"
    ),
    filters=(
        short.date_filter("vendor credits", "Credit date"),
        short.doc_number_filter("vendor credits", "vendor credit"),
        short.amount_filter("vendor credits"),
    ),
    flat=(short.VENDOR_NAME, short.CURRENCY_CODE, short.AP_ACCOUNT_NAME),
    default_order=short.NEWEST_FIRST,
    sortable={
        "DocNumber": "Credit number",
        "TxnDate": "Credit date",
        "TotalAmt": "Total",
        "Balance": "Balance",
        **short.TIMES,
    },
    tie_breaker="DocNumber",
    path="vendorcredit",
    views=(short.top("Unused credit by vendor", "vendorName", "Vendor", "Balance"),),
    examples=({"max_results": 50}, {"txn_date_from": "2026-01-01"}, {"amount_from": 100}),
    source=f"{short.entity_page('vendorcredit')}, which does not mark VendorRef as filterable",
)

_PURCHASE = Resource(
    entity="Purchase",
    name="purchase",
    plural="purchases",
    group="purchases",
    kind="transaction",
    description="Lists purchases that were paid at once (expenses, checks and credit card charges) with payee, "
    "account, payment type and total. Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} AccountRef PaymentMethodRef PaymentRefNum PaymentType CheckPayment:object
        CreditCardPayment:object EntityRef Credit:boolean RemitToAddr:address TotalAmt:decimal Memo PrintStatus
        GlobalTaxCalculation PurchaseEx:object LessCIS:decimal IncludeInAnnualTPAR:boolean {short.ENVELOPE}
    """),
    columns=short.table(
        "Id",
        Column("payeeName", "Payee"),
        "TxnDate",
        Column("PaymentType", "Type"),
        Column("accountName", "Paid from"),
        "TotalAmt currency",
    ),
    filters=(
        short.date_filter("purchases", "Purchase date"),
        short.choice_filter(
            "payment_type",
            "PaymentType",
            "Payment type",
            "Only purchases paid in this way.",
            {"Cash": "Cash", "Check": "Check", "CreditCard": "Credit card"},
        ),
        short.doc_number_filter("purchases", "purchase", "75"),
    ),
    flat=(
        short.name_of("payeeName", "EntityRef.name", what="vendor, customer or employee who was paid"),
        short.name_of("accountName", "AccountRef.name", what="bank or credit card account that paid"),
        short.CURRENCY_CODE,
        short.PAYMENT_METHOD_NAME,
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"TxnDate": "Purchase date", **short.TIMES},
    path="purchase",
    views=(short.top("Top payees by purchases", "payeeName", "Payee"),),
    examples=({"max_results": 50}, {"payment_type": "CreditCard"}, {"txn_date_from": "2026-01-01"}),
    source=f"{short.entity_page('purchase')}: its text filters by PaymentType; TxnDate and DocNumber are not marked, "
    "yet public clients filter and sort by them; QuickBooks rejects EntityRef in a condition",
)

_PURCHASE_ORDER = Resource(
    entity="PurchaseOrder",
    name="purchase order",
    plural="purchase orders",
    group="purchases",
    kind="transaction",
    description="Lists purchase orders sent to vendors with dates, total and status (open, closed). Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} VendorRef APAccountRef TotalAmt:decimal Memo GlobalTaxCalculation TaxCodeRef ClassRef
        SalesTermRef DueDate ExpectedDate VendorAddr:address ShipTo:reference ShipAddr:address ShipMethodRef FOB
        POEmail:email PrintStatus EmailStatus ManuallyClosed:boolean POStatus {short.ENVELOPE}
    """),
    columns=short.table(
        "DocNumber vendorName TxnDate DueDate TotalAmt currency", Column("orderStatus", "Status", "status")
    ),
    filters=(
        short.date_filter("purchase orders", "Order date"),
        short.due_date_filter("purchase orders"),
        short.doc_number_filter("purchase orders", "purchase order", "1001"),
    ),
    flat=(
        short.VENDOR_NAME,
        short.CURRENCY_CODE,
        short.TERM_NAME,
        short.name_of("shipToName", "ShipTo.name", what="customer that the goods are shipped to"),
    ),
    status=PURCHASE_ORDER,
    default_order=short.NEWEST_FIRST,
    sortable={"DocNumber": "Order number", "TxnDate": "Order date", "DueDate": "Due date", **short.TIMES},
    tie_breaker="DocNumber",
    path="purchaseorder",
    views=(short.top("Top vendors by orders", "vendorName", "Vendor"),),
    examples=({"max_results": 50}, {"status": "open"}, {"txn_date_from": "2026-01-01"}),
    source=f"{short.entity_page('purchaseorder')}; QuickBooks rejects POStatus in a condition",
)

_CREDIT_CARD_PAYMENT = Resource(
    entity="CreditCardPaymentTxn",
    name="credit card payment",
    plural="credit card payments",
    group="purchases",
    kind="transaction",
    description="Lists payments that reduce the balance of a credit card, with the bank account that paid. Newest "
    "first.",
    properties=properties(f"""
        {short.LIST} TxnDate CurrencyRef ExchangeRate:decimal PrivateNote CreditCardAccountRef BankAccountRef
        Amount:decimal VendorRef CheckNum PrintStatus Memo {short.ENVELOPE}
    """),
    columns=short.table(
        "Id TxnDate",
        Column("creditCardAccountName", "Credit card"),
        Column("bankAccountName", "Paid from"),
        Column("Amount", "Amount", "money", "currency"),
        "currency",
    ),
    flat=(
        short.name_of("creditCardAccountName", "CreditCardAccountRef.name", what="credit card account"),
        short.name_of("bankAccountName", "BankAccountRef.name", what="bank account that paid"),
        short.VENDOR_NAME,
        short.CURRENCY_CODE,
    ),
    default_order=short.NEWEST_FIRST,
    sortable={**short.TIMES},
    path="creditcardpayment",
    examples=({"max_results": 50}, {"updated_since": "2026-05-01"}),
    source=f"{short.entity_page('creditcardpayment')}, which marks none of its own properties as filterable or "
    "sortable",
)

PURCHASES = (
    _VENDOR,
    _BILL,
    _BILL_PAYMENT,
    _VENDOR_CREDIT,
    _PURCHASE,
    _PURCHASE_ORDER,
    _CREDIT_CARD_PAYMENT,
)
