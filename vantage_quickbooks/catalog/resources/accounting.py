"""The chart of accounts, what is booked in it, taxes and the company's settings."""

from __future__ import annotations

from vantage_quickbooks.catalog import shorthand as short
from vantage_quickbooks.catalog.flat_fields import TEMPLATE_TYPE
from vantage_quickbooks.catalog.resource import Column, FlatField, Resource
from vantage_quickbooks.catalog.shorthand import properties

__all__ = ["ACCOUNTING", "COMPANY_INFO"]

_ACCOUNT = Resource(
    entity="Account",
    name="account",
    plural="accounts",
    group="accounting",
    kind="list",
    description="Lists the chart of accounts with type, number and current balance. Active accounts only, unless "
    "asked otherwise; alphabetical by name.",
    properties=properties(f"""
        {short.LIST} Name SubAccount:boolean ParentRef Description FullyQualifiedName AccountAlias TxnLocationType
        Active:boolean Classification AccountType AccountSubType AcctNum CurrentBalance:decimal
        CurrentBalanceWithSubAccounts:decimal CurrencyRef TaxCodeRef OnlineBankingEnabled:boolean FIName JournalCodeRef
        {short.ENVELOPE}
    """),
    columns=short.table(
        "Id",
        Column("AcctNum", "No."),
        Column("accountName", "Account"),
        Column("AccountType", "Type"),
        Column("CurrentBalance", "Balance", "money", "currency", is_summed=False),
        "currency",
    ),
    filters=(
        short.name_filter("accounts", "Checking"),
        short.choice_filter(
            "type",
            "AccountType",
            "Type",
            "Only accounts of this type.",
            [
                "Bank",
                "Accounts Receivable",
                "Other Current Asset",
                "Fixed Asset",
                "Other Asset",
                "Accounts Payable",
                "Credit Card",
                "Other Current Liability",
                "Long Term Liability",
                "Equity",
                "Income",
                "Cost of Goods Sold",
                "Expense",
                "Other Income",
                "Other Expense",
            ],
        ),
        short.choice_filter(
            "classification",
            "Classification",
            "Classification",
            "Only accounts of this class of the balance sheet or the income statement.",
            ("Asset", "Equity", "Expense", "Liability", "Revenue"),
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
    examples=({"max_results": 50}, {"type": "Bank"}, {"active": "all", "name": "Checking%"}),
    source=f"{short.entity_page('account')}, which marks nothing; Intuit's samples filter by AccountType, "
    "AccountSubType and Classification, and public clients filter and sort by Name and sort by AccountType",
)

_JOURNAL_ENTRY = Resource(
    entity="JournalEntry",
    name="journal entry",
    plural="journal entries",
    group="accounting",
    kind="transaction",
    description="Lists journal entries with date, number, note and lines (debits and credits). Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} Adjustment:boolean HomeCurrencyAdjustment:boolean EnteredInHomeCurrency:boolean
        GlobalTaxCalculation JournalCodeRef TaxRateRef TotalAmt:decimal HomeTotalAmt:decimal {short.ENVELOPE}
    """),
    columns=short.table(
        "Id DocNumber TxnDate",
        Column("PrivateNote", "Note"),
        Column("Adjustment", "Adjustment", "boolean"),
        "currency",  # not TotalAmt, which Intuit sends as 0: debits and credits cancel
    ),
    filters=(
        short.date_filter("journal entries", "Entry date"),
        short.doc_number_filter("journal entries", "journal entry", "JE-001"),
    ),
    flat=(short.CURRENCY_CODE,),
    default_order=short.NEWEST_FIRST,
    sortable={"DocNumber": "Entry number", "TxnDate": "Entry date", **short.TIMES},
    tie_breaker="DocNumber",
    path="journalentry",
    examples=({"max_results": 50}, {"txn_date_from": "2026-01-01"}),
    source=short.entity_page("journalentry"),
)

_DEPOSIT = Resource(
    entity="Deposit",
    name="deposit",
    plural="deposits",
    group="accounting",
    kind="transaction",
    description="Lists deposits into bank accounts, with account, total and cash taken back. Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} TxnSource TxnStatus DepositToAccountRef CashBack:object GlobalTaxCalculation
        TotalAmt:decimal HomeTotalAmt:decimal {short.ENVELOPE}
    """),
    columns=short.table(
        "Id TxnDate", Column("depositAccountName", "Account"), Column("PrivateNote", "Note"), "TotalAmt currency"
    ),
    filters=(short.date_filter("deposits", "Deposit date"),),
    flat=(
        short.DEPOSIT_ACCOUNT_NAME,
        short.CURRENCY_CODE,
        FlatField("cashBackAmount", ("CashBack.Amount",), "decimal", "Cash taken back from the deposit."),
        short.name_of("cashBackAccountName", "CashBack.AccountRef.name", what="account for the cash taken back"),
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"TxnDate": "Deposit date", **short.TIMES},
    path="deposit",
    views=(short.top("Top accounts by deposits", "depositAccountName", "Account"),),
    examples=({"max_results": 50}, {"txn_date_from": "2026-01-01"}),
    source=f"{short.entity_page('deposit')}; TxnDate is not marked, yet public clients filter and sort by it; "
    "QuickBooks rejects TotalAmt in a condition",
)

_TRANSFER = Resource(
    entity="Transfer",
    name="transfer",
    plural="transfers",
    group="accounting",
    kind="transaction",
    description="Lists transfers of money between two accounts, with both accounts and the amount. Newest first.",
    properties=properties(f"""
        {short.TRANSACTION} FromAccountRef ToAccountRef Amount:decimal ClassRef {short.ENVELOPE}
    """),
    columns=short.table(
        "Id TxnDate",
        Column("fromAccountName", "From"),
        Column("toAccountName", "To"),
        Column("Amount", "Amount", "money", "currency"),
        "currency",
    ),
    filters=(short.date_filter("transfers", "Transfer date"),),
    flat=(
        short.name_of("fromAccountName", "FromAccountRef.name", what="account that the money left"),
        short.name_of("toAccountName", "ToAccountRef.name", what="account that received the money"),
        short.CURRENCY_CODE,
    ),
    default_order=short.NEWEST_FIRST,
    sortable={"TxnDate": "Transfer date", **short.TIMES},
    path="transfer",
    examples=({"max_results": 50}, {"txn_date_from": "2026-01-01"}),
    source=f"{short.entity_page('transfer')}; TxnDate is not marked, yet public clients filter and sort by it",
)

_RECURRING_TRANSACTION = Resource(
    entity="RecurringTransaction",
    name="recurring transaction",
    plural="recurring transactions",
    group="accounting",
    kind="other",
    description="Lists the templates of recurring transactions (bills, invoices, journal entries and others) with "
    "name, schedule, next date and amount. Pages only, in QuickBooks' own order.",
    properties=properties("""
        Bill:object CreditMemo:object Deposit:object Estimate:object Invoice:object JournalEntry:object Purchase:object
        PurchaseOrder:object RefundReceipt:object SalesReceipt:object Transfer:object VendorCredit:object
    """),
    columns=short.table(
        Column("templateId", "Id"),
        Column("templateName", "Template"),
        Column("templateType", "Creates"),
        Column("interval", "Interval"),
        Column("nextDate", "Next date", "date"),
        Column("amount", "Amount", "money", "currency"),
        "currency",
        Column("isActive", "Active", "boolean"),
    ),
    filters=(
        short.choice_filter(
            "type",
            "Type",
            "Type",
            "Only templates that create transactions of this type.",
            [
                "Bill",
                "CreditMemo",
                "Deposit",
                "Estimate",
                "Invoice",
                "JournalEntry",
                "Purchase",
                "PurchaseOrder",
                "RefundReceipt",
                "SalesReceipt",
                "Transfer",
                "VendorCredit",
            ],
        ),
    ),
    flat=(
        FlatField("templateId", ("Id",), "text", "Id of the template."),
        FlatField("templateType", (TEMPLATE_TYPE,), "text", "Entity that the template creates, such as Bill."),
        FlatField("templateName", ("RecurringInfo.Name",), "text", "Name of the template."),
        FlatField("isActive", ("RecurringInfo.Active",), "boolean", "Whether the template is in use."),
        FlatField("recurrence", ("RecurringInfo.RecurType",), "text", "Automated, Reminded or UnScheduled."),
        FlatField(
            "interval", ("RecurringInfo.ScheduleInfo.IntervalType",), "text", "Daily, Weekly, Monthly or Yearly."
        ),
        FlatField("nextDate", ("RecurringInfo.ScheduleInfo.NextDate",), "date", "Date of the next transaction."),
        FlatField("amount", ("TotalAmt", "Amount"), "decimal", "Amount of each transaction."),
        short.name_of(
            "partyName", "CustomerRef.name", "VendorRef.name", "EntityRef.name", what="customer, vendor or payee"
        ),
        short.CURRENCY_CODE,
    ),
    path="recurringtransaction",
    has_creation_order=False,
    template_key=True,
    examples=({"max_results": 50}, {"type": "Bill"}),
    source=f"{short.entity_page('recurringtransaction')}; records and the condition on Type as other clients' live "
    "tests have them (for Bill). Whether it can be sorted by creation is not known",
)

_INVENTORY_ADJUSTMENT = Resource(
    entity="InventoryAdjustment",
    name="inventory adjustment",
    plural="inventory adjustments",
    group="accounting",
    kind="transaction",
    description="Lists adjustments of the quantity on hand of inventory items, with the account they are booked to. "
    "Pages only, in QuickBooks' own order.",
    properties=properties(f"""
        {short.TRANSACTION} ShippingAdjustment:boolean AdjustAccountRef CustomerRef {short.ENVELOPE}
    """),
    columns=short.table(
        "Id DocNumber TxnDate", Column("adjustmentAccountName", "Account"), Column("PrivateNote", "Note")
    ),
    flat=(
        short.name_of("adjustmentAccountName", "AdjustAccountRef.name", what="account it is booked to"),
        short.CUSTOMER_NAME,
    ),
    path="inventoryadjustment",
    has_cdc=False,
    has_creation_order=False,
    examples=({"max_results": 50},),
    source=f"{short.entity_page('inventoryadjustment')}; which conditions and orders a query accepts, and whether "
    "change data capture covers it, is not known",
)

_BUDGET = Resource(
    entity="Budget",
    name="budget",
    plural="budgets",
    group="accounting",
    kind="other",
    description="Lists budgets with period, type and amounts by account and month. Newest first.",
    properties=properties(f"""
        {short.LIST} Name StartDate EndDate BudgetType BudgetEntryType Active:boolean BudgetDetail:list {short.ENVELOPE}
    """),
    columns=short.table(
        "Id Name",
        Column("StartDate", "From", "date"),
        Column("EndDate", "To", "date"),
        Column("BudgetType", "Type"),
        Column("BudgetEntryType", "Entered"),
        "Active",
    ),
    default_order=short.NEWEST_FIRST,
    sortable={**short.TIMES},
    path="budget",
    examples=({"max_results": 50},),
    source=f"{short.entity_page('budget')}, which marks none of its own properties as filterable or sortable",
)

_JOURNAL_CODE = Resource(
    entity="JournalCode",
    name="journal code",
    plural="journal codes",
    group="accounting",
    kind="list",
    description="Lists journal codes, under which French companies book transactions. Active journal codes only, "
    "unless asked otherwise.",
    properties=properties(f"{short.LIST} CustomField:list Name Type Description Active:boolean {short.ENVELOPE}"),
    columns=short.table("Id Name", Column("Type", "Type"), Column("Description", "Description"), "Active"),
    sortable={**short.TIMES},
    path="journalcode",
    has_active=True,
    has_cdc=False,
    examples=({"max_results": 50}, {"active": "all"}),
    source=f"{short.entity_page('journalcode')}, which marks none of its own properties as filterable or sortable; "
    "Active as in all name lists. For French companies only",
)

_EXCHANGE_RATE = Resource(
    entity="ExchangeRate",
    name="exchange rate",
    plural="exchange rates",
    group="accounting",
    kind="other",
    description="Lists the exchange rates that a company with multicurrency uses: currency, home currency, rate and "
    "date. Pages only, in QuickBooks' own order.",
    properties=properties(f"""
        SyncToken MetaData:times CustomField:list SourceCurrencyCode TargetCurrencyCode Rate:decimal AsOfDate
        {short.ENVELOPE}
    """),
    columns=short.table(
        Column("SourceCurrencyCode", "Currency"),
        Column("TargetCurrencyCode", "Home currency"),
        Column("Rate", "Rate", "number"),
        Column("AsOfDate", "Date", "date"),
    ),
    filters=(
        short.text_filter(
            "currency",
            "SourceCurrencyCode",
            "Currency",
            "Only rates of this foreign currency (ISO 4217).",
            "EUR",
            hint="Enter a currency code of three letters, like EUR.",
            max_length=3,
        ),
    ),
    flat=(
        FlatField("currency", ("SourceCurrencyCode",), "text", "ISO 4217 code of the foreign currency."),
        FlatField("homeCurrency", ("TargetCurrencyCode",), "text", "ISO 4217 code of the home currency."),
    ),
    has_creation_order=False,
    primary_key=("SourceCurrencyCode", "TargetCurrencyCode", "AsOfDate"),
    examples=({"max_results": 50}, {"currency": "EUR"}),
    source=f"{short.entity_page('exchangerate')}: it has no Id and is read by currency and date; Intuit's samples "
    "filter by SourceCurrencyCode. Whether it can be sorted is not known",
)

_TAX_AGENCY = Resource(
    entity="TaxAgency",
    name="tax agency",
    plural="tax agencies",
    group="accounting",
    kind="list",
    description="Lists the agencies that sales tax is paid to, with registration number and last filing date.",
    properties=properties(f"""
        {short.LIST} DisplayName TaxRegistrationNumber ReportingPeriod TaxTrackedOnPurchases:boolean
        TaxOnPurchasesAccountRef TaxTrackedOnSales:boolean TaxTrackedOnSalesAccountRef TaxOnTax:boolean LastFileDate
        TaxAgencyConfig {short.ENVELOPE}
    """),
    columns=short.table(
        "Id",
        Column("DisplayName", "Agency"),
        Column("TaxRegistrationNumber", "Registration no."),
        Column("TaxTrackedOnSales", "On sales", "boolean"),
        Column("TaxTrackedOnPurchases", "On purchases", "boolean"),
        Column("LastFileDate", "Last filed", "date"),
    ),
    flat=(short.name_of("agencyName", "DisplayName", what="agency"),),
    sortable={**short.TIMES},
    path="taxagency",
    has_cdc=False,
    examples=({"max_results": 50},),
    source=f"{short.entity_page('taxagency')}, which has no Active and marks none of its own properties as filterable",
)

_TAX_CODE = Resource(
    entity="TaxCode",
    name="tax code",
    plural="tax codes",
    group="accounting",
    kind="list",
    description="Lists tax codes with the tax rates that they apply to sales and purchases. Active tax codes only, "
    "unless asked otherwise; alphabetical by name.",
    properties=properties(f"""
        {short.LIST} Name Description Active:boolean Hidden:boolean Taxable:boolean TaxGroup:boolean
        SalesTaxRateList:object PurchaseTaxRateList:object AdjustmentTaxRateList:object TaxCodeConfigType
        {short.ENVELOPE}
    """),
    columns=short.table(
        "Id Name",
        Column("Description", "Description"),
        Column("Taxable", "Taxable", "boolean"),
        Column("TaxGroup", "Group", "boolean"),
        "Active",
    ),
    filters=(short.name_filter("tax codes", "California"),),
    default_order="Name",
    sortable={"Name": "Name", "Description": "Description", **short.TIMES},
    tie_breaker="Name",
    has_named_ids=True,
    path="taxcode",
    has_active=True,
    has_cdc=False,
    examples=({"max_results": 50}, {"active": "all"}),
    source=short.entity_page("taxcode"),
)

_TAX_RATE = Resource(
    entity="TaxRate",
    name="tax rate",
    plural="tax rates",
    group="accounting",
    kind="list",
    description="Lists tax rates in percent with their agencies and the times for which they apply. Active tax rates "
    "only, unless asked otherwise; alphabetical by name.",
    properties=properties(f"""
        {short.LIST} Name Description Active:boolean RateValue:decimal AgencyRef TaxReturnLineRef EffectiveTaxRate:list
        SpecialTaxType DisplayType OriginalTaxRate:reference {short.ENVELOPE}
    """),
    columns=short.table(
        "Id Name",
        Column("RateValue", "Rate %", "number"),
        Column("agencyId", "Agency Id"),
        Column("SpecialTaxType", "Special"),
        "Active",
    ),
    filters=(
        short.name_filter("tax rates", "California"),
        short.id_filter("agency", "AgencyRef", "tax rates", "listTaxAgencies", "1"),
    ),
    flat=(
        short.name_of("agencyName", "AgencyRef.name", what="agency"),
        FlatField("agencyId", ("AgencyRef.value",), "text", "Id of the agency."),
    ),
    default_order="Name",
    sortable={"Name": "Name", "Description": "Description", "Active": "Active", **short.TIMES},
    tie_breaker="Name",
    path="taxrate",
    has_active=True,
    has_cdc=False,
    examples=({"max_results": 50}, {"name": "California%"}),
    source=short.entity_page("taxrate"),
)

_PREFERENCES = Resource(
    entity="Preferences",
    name="preferences",
    plural="preferences",
    group="accounting",
    kind="other",
    description="Returns the company's settings: currencies, classes and locations, sales tax, sales forms, vendors, "
    "time tracking and reports.",
    properties=properties(f"""
        {short.LIST} AccountingInfoPrefs:object ProductAndServicesPrefs:object SalesFormsPrefs:object
        EmailMessagesPrefs:object VendorAndPurchasesPrefs:object TimeTrackingPrefs:object TaxPrefs:object
        CurrencyPrefs:object ReportPrefs:object OtherPrefs:object {short.ENVELOPE}
    """),
    columns=short.table(
        Column("homeCurrency", "Home currency"),
        Column("usesMulticurrency", "Multicurrency", "boolean"),
        Column("usesSalesTax", "Sales tax", "boolean"),
        Column("usesClassesPerLine", "Classes", "boolean"),
        Column("usesDepartments", "Departments", "boolean"),
        Column("bookCloseDate", "Books closed", "date"),
    ),
    flat=(
        FlatField("homeCurrency", ("CurrencyPrefs.HomeCurrency.value",), "text", "ISO 4217 code of the home currency."),
        FlatField(
            "usesMulticurrency", ("CurrencyPrefs.MultiCurrencyEnabled",), "boolean", "Whether multicurrency is on."
        ),
        FlatField("usesSalesTax", ("TaxPrefs.UsingSalesTax",), "boolean", "Whether sales tax is on."),
        FlatField(
            "usesClassesPerTransaction",
            ("AccountingInfoPrefs.ClassTrackingPerTxn",),
            "boolean",
            "Whether each transaction has a class.",
        ),
        FlatField(
            "usesClassesPerLine",
            ("AccountingInfoPrefs.ClassTrackingPerTxnLine",),
            "boolean",
            "Whether each line of a transaction has a class.",
        ),
        FlatField(
            "usesDepartments", ("AccountingInfoPrefs.TrackDepartments",), "boolean", "Whether departments are on."
        ),
        FlatField(
            "bookCloseDate", ("AccountingInfoPrefs.BookCloseDate",), "date", "Date up to which the books are closed."
        ),
    ),
    path="preferences",
    has_creation_order=False,
    is_queryable=False,
    is_singleton=True,
    source=short.entity_page("preferences"),
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
        CustomerCommunicationAddr:address LegalAddr:address CompanyEmailAddr:email CustomerCommunicationEmailAddr:email
        CompanyURL:web PrimaryPhone:phone CompanyStartDate EmployerId FiscalYearStartMonth TaxYearStartMonth QBVersion
        Country ShipAddr:address OtherAddr:list Mobile:phone Fax:phone Email:email WebAddr:web LastImportedTime:instant
        SupportedLanguages DefaultTimeZone MultiByteCharsSupported:boolean NameValue:list FifoCalculationStatus
        CompanyInfoEx:object domain sparse:boolean
    """),
    columns=(),
    path="companyinfo",
    is_queryable=False,
    is_singleton=True,
    has_creation_order=False,
    source=short.entity_page("companyinfo"),
)
"""The row behind getCompanyInfo, an action with its own module; `RESOURCES` leaves it out."""

ACCOUNTING = (
    _ACCOUNT,
    _JOURNAL_ENTRY,
    _DEPOSIT,
    _TRANSFER,
    _RECURRING_TRANSACTION,
    _INVENTORY_ADJUSTMENT,
    _BUDGET,
    _JOURNAL_CODE,
    _EXCHANGE_RATE,
    _TAX_AGENCY,
    _TAX_CODE,
    _TAX_RATE,
    _PREFERENCES,
)
