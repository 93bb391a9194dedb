"""Customers and what they are sold."""

from __future__ import annotations

from vantage_quickbooks.catalog import shorthand as short
from vantage_quickbooks.catalog.invoices import summarize
from vantage_quickbooks.catalog.resource import Column, FlatField, Resource
from vantage_quickbooks.catalog.shorthand import properties
from vantage_quickbooks.catalog.statuses import ESTIMATE, INVOICE_PAYMENT, summary_defs

__all__ = ["SALES"]

_CUSTOMER = Resource(
    entity="Customer",
    name="customer",
    plural="customers",
    group="sales",
    kind="list",
    description="Lists QuickBooks customers (and jobs) with names, email, phone, addresses and open balance. Active "
    "customers only, unless asked otherwise; alphabetical by display name.",
    properties=properties("""
        Id SyncToken MetaData:times AttachableRef:list IntuitId Title GivenName MiddleName FamilyName Suffix
        FullyQualifiedName CompanyName DisplayName PrintOnCheckName Active:boolean V4IDPseudonym PrimaryPhone:phone
        AlternatePhone:phone Mobile:phone Fax:phone PrimaryEmailAddr:email WebAddr:web DefaultTaxCodeRef Taxable:boolean
        BillAddr:address ShipAddr:address Notes Job:boolean BillWithParent:boolean RootCustomerRef ParentRef
        Level:integer CustomerTypeRef SalesTermRef PaymentMethodRef CCDetail:object Balance:decimal OpenBalanceDate
        BalanceWithJobs:decimal CurrencyRef PreferredDeliveryMethod ResaleNum JobInfo:object TDSEnabled:boolean
        CustomerEx:object SecondaryTaxIdentifier ARAccountRef PrimaryTaxIdentifier TaxExemptionReasonId
        IsProject:boolean BusinessNumber GSTIN GSTRegistrationType IsCISContractor:boolean ClientCompanyId
        ClientEntityId Source TaxRegime domain sparse:boolean
    """),
    columns=short.table("Id customerName email phone", Column("Balance", "Balance", "money", "CurrencyRef.value")),
    filters=(
        short.name_filter("customers", "Amy's Bird Sanctuary", "DisplayName"),
        short.email_filter("customers"),
    ),
    flat=(
        FlatField(
            "customerName", ("DisplayName", "FullyQualifiedName"), "text", "Display name; the full name if it has none."
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
    is_pinned=True,
    source=short.entity_page("customer"),
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
    columns=short.table("DocNumber customerName TxnDate DueDate TotalAmt Balance currency paymentStatus daysOverdue"),
    filters=(
        short.customer_filter("invoices"),
        short.date_filter("invoices", "Invoice date"),
        short.due_date_filter("invoices"),
        short.amount_filter("invoices"),
        short.amount_filter("invoices", "Balance", "Balance", "balance"),
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
        short.aging("Receivables by age"),
        short.breakdown("Invoices by payment status", "paymentStatus", "TotalAmt", "Invoiced", INVOICE_PAYMENT.values),
        short.top("Top customers by balance", "customerName", "Customer", "Balance"),
    ),
    examples=({"max_results": 50}, {"status": "overdue"}, {"customer_id": "24", "txn_date_from": "2026-01-01"}),
    is_pinned=True,
    source=short.entity_page("invoice"),
)

_ESTIMATE = Resource(
    entity="Estimate",
    name="estimate",
    plural="estimates",
    group="sales",
    kind="transaction",
    description="Lists estimates (quotes) with customer, dates, total and status (pending, accepted, closed, "
    "rejected), and says which pending ones have expired. Newest first.",
    properties=properties(f"""
        {short.SALES_TRANSACTION} TxnStatus ExpirationDate AcceptedBy AcceptedDate {short.ENVELOPE}
    """),
    columns=short.table(
        "DocNumber customerName TxnDate",
        Column("ExpirationDate", "Expires", "date"),
        "TotalAmt currency",
        Column("estimateStatus", "Status", "status"),
    ),
    filters=(
        short.customer_filter("estimates"),
        short.date_filter("estimates", "Estimate date"),
        short.due_date_filter("estimates"),
        short.doc_number_filter("estimates", "estimate"),
    ),
    flat=(short.CUSTOMER_NAME, short.CURRENCY_CODE, short.BILL_EMAIL),
    status=ESTIMATE,
    default_order=short.NEWEST_FIRST,
    sortable={"DocNumber": "Estimate number", "TxnDate": "Estimate date", "DueDate": "Due date", **short.TIMES},
    tie_breaker="DocNumber",
    path="estimate",
    views=(short.top("Top customers by estimates", "customerName", "Customer"),),
    examples=({"max_results": 50}, {"status": "pending"}, {"customer_id": "24"}),
    is_pinned=True,
    source=short.entity_page("estimate"),
)

_SALES_RECEIPT = Resource(
    entity="SalesReceipt",
    name="sales receipt",
    plural="sales receipts",
    group="sales",
    kind="transaction",
    description="Lists sales receipts: sales that were paid at once, with customer, total, payment method and the "
    "account that the money went to. Newest first.",
    properties=properties(f"{short.SALES_TRANSACTION} LessCIS:decimal {short.ENVELOPE}"),
    columns=short.table(
        "DocNumber customerName TxnDate",
        Column("paymentMethodName", "Method"),
        Column("depositAccountName", "Deposited to"),
        "TotalAmt currency",
    ),
    filters=(
        short.customer_filter("sales receipts"),
        short.date_filter("sales receipts", "Receipt date"),
        short.doc_number_filter("sales receipts", "sales receipt", "1003"),
        short.amount_filter("sales receipts"),
    ),
    flat=(
        short.CUSTOMER_NAME,
        short.CURRENCY_CODE,
        short.PAYMENT_METHOD_NAME,
        short.DEPOSIT_ACCOUNT_NAME,
        short.BILL_EMAIL,
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"DocNumber": "Receipt number", "TxnDate": "Receipt date", "Balance": "Balance", **short.TIMES},
    tie_breaker="DocNumber",
    path="salesreceipt",
    views=(short.top("Top customers by sales receipts", "customerName", "Customer"),),
    examples=({"max_results": 50}, {"txn_date_from": "2026-01-01"}, {"amount_from": 300}),
    source=f"{short.entity_page('salesreceipt')}; the filter by TotalAmt as recorded in 2020",
)

_CREDIT_MEMO = Resource(
    entity="CreditMemo",
    name="credit memo",
    plural="credit memos",
    group="sales",
    kind="transaction",
    description="Lists credit memos given to customers, with the credit that is still unused. Newest first.",
    properties=properties(f"{short.SALES_TRANSACTION} RemainingCredit:decimal InvoiceRef {short.ENVELOPE}"),
    columns=short.table(
        "DocNumber customerName TxnDate TotalAmt", Column("remainingCredit", "Unused", "money", "currency"), "currency"
    ),
    filters=(
        short.customer_filter("credit memos"),
        short.date_filter("credit memos", "Credit memo date"),
        short.doc_number_filter("credit memos", "credit memo", "1026"),
        short.amount_filter("credit memos", "Balance", "Balance", "balance"),
    ),
    flat=(
        short.CUSTOMER_NAME,
        short.CURRENCY_CODE,
        FlatField("remainingCredit", ("RemainingCredit", "Balance"), "decimal", "Credit not yet applied or refunded."),
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"DocNumber": "Credit memo number", "TxnDate": "Credit memo date", "Balance": "Balance", **short.TIMES},
    tie_breaker="DocNumber",
    path="creditmemo",
    views=(short.top("Unused credit by customer", "customerName", "Customer", "remainingCredit"),),
    examples=({"max_results": 50}, {"customer_id": "24"}, {"balance_from": 0.01}),
    source=short.entity_page("creditmemo"),
)

_REFUND_RECEIPT = Resource(
    entity="RefundReceipt",
    name="refund receipt",
    plural="refund receipts",
    group="sales",
    kind="transaction",
    description="Lists refunds paid to customers, with total, payment method and the account that paid. Newest first.",
    properties=properties(f"{short.SALES_TRANSACTION} RemainingCredit:decimal {short.ENVELOPE}"),
    columns=short.table(
        "DocNumber customerName TxnDate",
        Column("paymentMethodName", "Method"),
        Column("refundAccountName", "Paid from"),
        "TotalAmt currency",
    ),
    filters=(
        short.customer_filter("refund receipts"),
        short.date_filter("refund receipts", "Refund date"),
        short.doc_number_filter("refund receipts", "refund receipt", "1020"),
    ),
    flat=(
        short.CUSTOMER_NAME,
        short.CURRENCY_CODE,
        short.PAYMENT_METHOD_NAME,
        short.name_of("refundAccountName", "DepositToAccountRef.name", what="account that the refund was paid from"),
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"DocNumber": "Refund number", "TxnDate": "Refund date", "Balance": "Balance", **short.TIMES},
    tie_breaker="DocNumber",
    path="refundreceipt",
    examples=({"max_results": 50}, {"customer_id": "24"}, {"txn_date_from": "2026-01-01"}),
    source=short.entity_page("refundreceipt"),
)

_PAYMENT = Resource(
    entity="Payment",
    name="payment",
    plural="payments",
    group="sales",
    kind="transaction",
    description="Lists payments received from customers, with the amount not yet applied to invoices. Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} TxnSource TxnStatus CustomerRef ARAccountRef DepositToAccountRef PaymentMethodRef
        PaymentRefNum PaymentType CheckPayment:object CreditCardPayment:object TotalAmt:decimal UnappliedAmt:decimal
        ProcessPayment:boolean TaxExemptionRef {short.ENVELOPE}
    """),
    columns=short.table(
        "Id customerName TxnDate",
        Column("PaymentRefNum", "Reference"),
        "TotalAmt",
        Column("unappliedAmount", "Unapplied", "money", "currency"),
        "currency",
    ),
    filters=(
        short.customer_filter("payments"),
        short.date_filter("payments", "Payment date"),
        short.id_filter("payment method", "PaymentMethodRef", "payments", "listPaymentMethods", "1"),
        short.text_filter(
            "reference",
            "PaymentRefNum",
            "Reference number",
            "Only payments with this reference, such as a check number. % stands for any text.",
            "8910",
            max_length=100,
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
    views=(short.top("Top customers by payments", "customerName", "Customer"),),
    examples=({"max_results": 50}, {"customer_id": "24"}, {"txn_date_from": "2026-01-01", "amount_from": 1000}),
    is_pinned=True,
    source=short.entity_page("payment"),
)

_REIMBURSE_CHARGE = Resource(
    entity="ReimburseCharge",
    name="reimburse charge",
    plural="reimburse charges",
    group="sales",
    kind="transaction",
    description="Lists billable expenses that customers are to reimburse, and whether they have been invoiced. Newest "
    "first.",
    properties=properties(f"""
        {short.TRANSACTION} CustomerRef Amount:decimal HomeTotalAmt:decimal HasBeenInvoiced:boolean {short.ENVELOPE}
    """),
    columns=short.table(
        "Id customerName TxnDate",
        Column("Amount", "Amount", "money", "currency"),
        "currency",
        Column("HasBeenInvoiced", "Invoiced", "boolean"),
    ),
    filters=(
        short.customer_filter("reimburse charges"),
        short.boolean_filter(
            "invoiced", "HasBeenInvoiced", "Invoiced", "true for charges that have been invoiced, false for the others."
        ),
    ),
    flat=(short.CUSTOMER_NAME, short.CURRENCY_CODE),
    default_order=short.NEWEST_FIRST,
    sortable={**short.TIMES},
    path="reimbursecharge",
    examples=({"max_results": 50}, {"invoiced": False}, {"customer_id": "24"}),
    source=f"{short.entity_page('reimbursecharge')}: its sample query filters by HasBeenInvoiced; QuickBooks rejects "
    "TxnDate in a condition (reported in August 2026)",
)

_TIME_ACTIVITY = Resource(
    entity="TimeActivity",
    name="time activity",
    plural="time activities",
    group="sales",
    kind="transaction",
    description="Lists hours worked by employees and vendors, for which customer and service, with rates and whether "
    "they are billable. Newest first.",
    properties=properties(f"""
        {short.LIST} TimeZone TxnDate NameOf EmployeeRef VendorRef OtherNameRef CustomerRef DepartmentRef ItemRef
        ClassRef PayrollItemRef ProjectRef BillableStatus Taxable:boolean HourlyRate:decimal CostRate:decimal
        Hours:integer Minutes:integer Seconds:integer BreakHours:integer BreakMinutes:integer BreakSeconds:integer
        StartTime:instant EndTime:instant Description {short.ENVELOPE}
    """),
    columns=short.table(
        "TxnDate",
        Column("workerName", "Worker"),
        "customerName",
        Column("itemName", "Service"),
        Column("Hours", "Hours", "number"),
        Column("Minutes", "Minutes", "number"),
        Column("BillableStatus", "Billable"),
    ),
    filters=(
        short.date_filter("time activities", "Date"),
        short.choice_filter(
            "billable",
            "BillableStatus",
            "Billable",
            "Only time activities in this state of billing.",
            {"Billable": "Billable", "NotBillable": "Not billable", "HasBeenBilled": "Has been billed"},
        ),
    ),
    flat=(
        short.name_of(
            "workerName",
            "EmployeeRef.name",
            "VendorRef.name",
            "OtherNameRef.name",
            what="employee or vendor who worked",
        ),
        short.CUSTOMER_NAME,
        short.ITEM_NAME,
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"TxnDate": "Date", **short.TIMES},
    path="timeactivity",
    has_cdc=False,
    examples=({"max_results": 50}, {"billable": "Billable"}, {"txn_date_from": "2026-01-01"}),
    source=f"{short.entity_page('timeactivity')}; Intuit's page on change data capture excludes it, a release note of "
    "March 2021 includes it: assumed excluded",
)

_CHANGE_ORDER = Resource(
    entity="ChangeOrder",
    name="change order",
    plural="change orders",
    group="sales",
    kind="transaction",
    description="Lists change orders: changes to the estimate of a project's costs. Pages only, in QuickBooks' own "
    "order.",
    properties=properties(f"""
        {short.SALES_TRANSACTION} TxnStatus ExpirationDate AcceptedBy AcceptedDate {short.ENVELOPE}
    """),
    columns=short.table("DocNumber customerName TxnDate TotalAmt currency", Column("TxnStatus", "Status")),
    flat=(
        short.CUSTOMER_NAME,
        short.CURRENCY_CODE,
        short.name_of("projectName", "ProjectRef.name", what="project"),
    ),
    path="changeorder",
    has_cdc=False,
    has_creation_order=False,
    examples=({"max_results": 50},),
    source="Intuit's schema 6.5.3 of July 2026 (ChangeOrder, a SalesTransaction). It has no page yet: filters, "
    "sorting and change data capture are not known, so they are not offered",
)

SALES = (
    _CUSTOMER,
    _INVOICE,
    _ESTIMATE,
    _SALES_RECEIPT,
    _CREDIT_MEMO,
    _REFUND_RECEIPT,
    _PAYMENT,
    _REIMBURSE_CHARGE,
    _TIME_ACTIVITY,
    _CHANGE_ORDER,
)
