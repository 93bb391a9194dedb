"""Customers and what they are sold."""

from __future__ import annotations

from vantage_quickbooks.catalog import shorthand as short
from vantage_quickbooks.catalog.invoices import summarize
from vantage_quickbooks.catalog.resource import Column, FlatField, Resource
from vantage_quickbooks.catalog.shorthand import properties
from vantage_quickbooks.catalog.statuses import INVOICE_PAYMENT, summary_defs

__all__ = ["SALES"]

_CUSTOMER = Resource(
    entity="Customer",
    name="customer",
    plural="customers",
    group="sales",
    kind="list",
    description="Lists QuickBooks customers (and jobs) with names, email, phone, addresses and open balance. "
    "Active customers only, unless asked otherwise; alphabetical by display name.",
    properties=properties("""
        Id SyncToken MetaData:times AttachableRef:list IntuitId Title GivenName MiddleName FamilyName Suffix
        FullyQualifiedName CompanyName DisplayName PrintOnCheckName Active:boolean V4IDPseudonym PrimaryPhone:phone
        AlternatePhone:phone Mobile:phone Fax:phone PrimaryEmailAddr:email WebAddr:web DefaultTaxCodeRef
        Taxable:boolean BillAddr:address ShipAddr:address Notes Job:boolean BillWithParent:boolean RootCustomerRef
        ParentRef Level:integer CustomerTypeRef SalesTermRef PaymentMethodRef CCDetail:object Balance:decimal
        OpenBalanceDate BalanceWithJobs:decimal CurrencyRef PreferredDeliveryMethod ResaleNum JobInfo:object
        TDSEnabled:boolean CustomerEx:object SecondaryTaxIdentifier ARAccountRef PrimaryTaxIdentifier
        TaxExemptionReasonId IsProject:boolean BusinessNumber GSTIN GSTRegistrationType IsCISContractor:boolean
        ClientCompanyId ClientEntityId Source TaxRegime domain sparse:boolean
    """),
    columns=(
        short.ID,
        short.CUSTOMER,
        Column("email", "Email"),
        Column("phone", "Phone"),
        Column("Balance", "Balance", "money", "CurrencyRef.value"),
    ),
    filters=(
        short.text_filter(
            "name",
            "DisplayName",
            "Name",
            "Only customers with this display name. % stands for any text: Amy% finds names that begin with Amy.",
            "Amy's Bird Sanctuary",
            "Amy%",
            hint="Give the display name, or a part of it with % for the rest.",
        ),
        short.email_filter("customers"),
    ),
    flat=(
        FlatField(
            "customerName", ("DisplayName", "FullyQualifiedName"), "text", "Display name, or the fullest name there is."
        ),
        short.EMAIL,
        short.PHONE,
    ),
    default_order="DisplayName",
    sortable={
        **short.NAME_SORT_KEYS,
        "Active": "Active",
        "Balance": "Balance",
        "BalanceWithJobs": "Balance with sub-customers",
        **short.TIMES,
    },
    tie_breaker="DisplayName",
    path="customer",
    has_active=True,
    examples=({"max_results": 50}, {"active": "all", "name": "Pine%"}, {"updated_since": "2026-10-01"}),
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/customer",
)

_INVOICE = Resource(
    entity="Invoice",
    name="invoice",
    plural="invoices",
    group="sales",
    kind="transaction",
    description="Lists QuickBooks invoices with customer, dates, amounts, payment status (paid, partiallyPaid, open, "
    "overdue, voided) and days overdue, and sums up what is outstanding by currency and status. Newest first.",
    properties=properties(
        """
        Id SyncToken MetaData:times CustomField:list AttachableRef:list DocNumber TxnDate TxnSubType DepartmentRef
        CurrencyRef ExchangeRate:decimal PrivateNote TxnStatus LinkedTxn:list Line:list TxnTaxDetail:tax TxnSource
        TaxFormType TaxFormNum TransactionLocationType Tag:list TxnApprovalInfo:object RecurDataRef
        RecurringInfo:object ProjectRef TotalCostAmount:decimal HomeTotalCostAmount:decimal AutoDocNumber:boolean
        CustomerRef CustomerMemo:memo BillAddr:address ShipAddr:address FreeFormAddress:boolean ShipFromAddr:address
        SalesTermRef DueDate PONumber FOB GlobalTaxCalculation TotalAmt:decimal HomeTotalAmt:decimal
        ApplyTaxAfterDiscount:boolean ShippingTaxIncludedInTotalTax:boolean PrintStatus EmailStatus BillEmail:email
        BillEmailCc:email BillEmailBcc:email Balance:decimal HomeBalance:decimal FinanceCharge:boolean
        PaymentMethodRef PaymentRefNum PaymentType CheckPayment:object CreditCardPayment:object DepositToAccountRef
        DeliveryInfo:delivery DiscountRate:decimal DiscountAmt:decimal GovtTxnRefIdentifier TaxExemptionRef
        Deposit:decimal AllowIPNPayment:boolean AllowOnlinePayment:boolean AllowOnlineCreditCardPayment:boolean
        AllowOnlineACHPayment:boolean AllowOnlinePayPalPayment:boolean AllowOnlineAffirmPayment:boolean
        EInvoiceStatus ECloudStatusTimeStamp:instant CfdiUse:integer Exportation GlobalInfo:object invoiceStatus
        callToAction invoiceStatusLog:list InvoiceEx:object LessCIS:decimal InvoiceLink PaymentDetailsMessage
        ConvenienceFeeDetail:object EnabledSurchargeInfo:object InvoiceLinkSecurityCode InvoiceLinkExpiryDate
        AutoPayEligible:boolean SchedulePayEligible:boolean ScheduledPaymentId GratuityEnabled:boolean
        FinancingProductType SubscriptionPaymentsSetting TxnRetainageDetail:object domain sparse:boolean status
        """,
        outside_tables="ClassRef ShipMethodRef ShipDate TrackingNum",
    ),
    columns=(
        short.DOC_NUMBER,
        short.CUSTOMER,
        short.DATE,
        short.DUE_DATE,
        short.TOTAL,
        short.BALANCE,
        short.CURRENCY,
        short.PAYMENT_STATUS,
        short.DAYS_OVERDUE,
    ),
    filters=(
        short.id_filter("customer_id", "CustomerRef", "customer", "invoices", options_from="listCustomers"),
        short.date_filter("txn_date", "TxnDate", "Invoice date", "Only invoices dated on this day {bound}."),
        short.date_filter("due_date", "DueDate", "Due date", "Only invoices due on this day {bound}."),
        short.doc_number_filter("invoices", "invoice"),
    ),
    flat=(short.CUSTOMER_NAME, short.CURRENCY_CODE),
    status=INVOICE_PAYMENT,
    summarize=summarize,
    summary_defs=summary_defs(INVOICE_PAYMENT, "invoices"),
    default_order=short.NEWEST_FIRST,
    sortable={
        "DocNumber": "Invoice number",
        "TxnDate": "Invoice date",
        "DueDate": "Due date",
        "Balance": "Balance",
        **short.TIMES,
    },
    tie_breaker="DocNumber",
    path="invoice",
    views=(
        {
            "kind": "aging",
            "title": "Receivables by age",
            "amount": "Balance",
            "days": "daysOverdue",
            "currency": "currency",
        },
        {
            "kind": "breakdown",
            "title": "Invoices by payment status",
            "by": "paymentStatus",
            "amount": "TotalAmt",
            "amountLabel": "Invoiced",
            "part": "Balance",
            "partLabel": "Outstanding",
            "currency": "currency",
            "values": INVOICE_PAYMENT.values,
        },
        short.top("Top customers by balance", "customerName", "Customer", "Balance"),
    ),
    examples=({"max_results": 50}, {"status": "overdue"}, {"customer_id": "24", "txn_date_from": "2026-01-01"}),
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/invoice",
)

_PAYMENT = Resource(
    entity="Payment",
    name="payment",
    plural="payments",
    group="sales",
    kind="transaction",
    description="Lists payments received from customers, with the amount not yet applied to invoices. Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} TxnStatus TxnTaxDetail:tax ProjectRef CustomerRef ARAccountRef DepositToAccountRef
        PaymentMethodRef PaymentRefNum PaymentType CheckPayment:object CreditCardPayment:object TotalAmt:decimal
        UnappliedAmt:decimal ProcessPayment:boolean TaxExemptionRef {short.ENVELOPE}
    """),
    columns=(
        short.ID,
        short.CUSTOMER,
        short.DATE,
        Column("PaymentRefNum", "Reference"),
        Column("paymentMethodName", "Method"),
        short.TOTAL,
        Column("unappliedAmount", "Unapplied", "money", "currency"),
        short.CURRENCY,
    ),
    filters=(
        short.id_filter("customer_id", "CustomerRef", "customer", "payments", options_from="listCustomers"),
        short.date_filter("txn_date", "TxnDate", "Payment date", "Only payments dated on this day {bound}."),
        short.id_filter(
            "payment_method_id",
            "PaymentMethodRef",
            "payment method",
            "payments",
            options_from="listPaymentMethods",
            example="1",
        ),
        short.text_filter(
            "reference",
            "PaymentRefNum",
            "Reference number",
            "Only payments with this reference, such as a check number. % stands for any text.",
            "8910",
        ),
        short.amount_filter("payments"),
    ),
    flat=(
        short.CUSTOMER_NAME,
        short.CURRENCY_CODE,
        FlatField("unappliedAmount", ("UnappliedAmt",), "decimal", "Part of the payment not yet applied to invoices."),
        short.PAYMENT_METHOD_NAME,
        short.DEPOSIT_ACCOUNT_NAME,
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"TxnDate": "Payment date", **short.TIMES},
    path="payment",
    examples=({"max_results": 50}, {"customer_id": "24"}, {"txn_date_from": "2026-01-01", "amount_from": 1000}),
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/payment",
)

SALES = (_CUSTOMER, _INVOICE, _PAYMENT)
