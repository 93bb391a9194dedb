"""What transactions refer to: items, classes, departments, terms, employees, attachments and the like."""

from __future__ import annotations

from vantage_quickbooks.catalog import shorthand as short
from vantage_quickbooks.catalog.resource import Column, FlatField, Resource
from vantage_quickbooks.catalog.shorthand import properties

__all__ = ["LISTS"]

_ITEM = Resource(
    entity="Item",
    name="item",
    plural="items",
    group="lists",
    kind="list",
    description="Lists products and services (items) with type, prices, accounts and quantity on hand. Active items "
    "only, unless asked otherwise; alphabetical by name.",
    properties=properties(f"""
        {short.LIST} Name Sku Description Active:boolean SubItem:boolean ParentRef Level:integer FullyQualifiedName
        Taxable:boolean SalesTaxIncluded:boolean UnitPrice:decimal RatePercent:decimal Type IncomeAccountRef
        PurchaseDesc PurchaseTaxIncluded:boolean PurchaseCost:decimal ExpenseAccountRef AssetAccountRef PrefVendorRef
        TrackQtyOnHand:boolean QtyOnHand:decimal QtyOnPurchaseOrder:decimal QtyOnSalesOrder:decimal ReorderPoint:decimal
        SalesTaxCodeRef PurchaseTaxCodeRef InvStartDate PrintGroupedItems:boolean ItemGroupDetail:object
        AbatementRate:decimal ReverseChargeRate:decimal ServiceType ItemCategoryType TaxClassificationRef UQCDisplayText
        UQCId ClassRef Source DeferredRevenue:boolean CustomExtensions:list {short.ENVELOPE}
    """),
    columns=short.table(
        "Id",
        Column("itemName", "Item"),
        Column("Type", "Type"),
        Column("Sku", "SKU"),
        Column("UnitPrice", "Price", "money", is_summed=False),
        Column("PurchaseCost", "Cost", "money", is_summed=False),
        Column("QtyOnHand", "On hand", "number"),
    ),
    filters=(
        short.name_filter("items", "Rock Fountain"),
        short.choice_filter(
            "type",
            "Type",
            "Type",
            "Only items of this type.",
            {
                "Inventory": "Inventory",
                "NonInventory": "Non-inventory",
                "Service": "Service",
                "Group": "Bundle",
                "Category": "Category",
            },
        ),
    ),
    flat=(
        FlatField("itemName", ("FullyQualifiedName", "Name"), "text", "Full name, with the categories it belongs to."),
        short.PARENT_NAME,
        short.PARENT_ID,
        short.name_of("incomeAccountName", "IncomeAccountRef.name", what="income account"),
        short.name_of("expenseAccountName", "ExpenseAccountRef.name", what="expense account"),
        short.name_of("assetAccountName", "AssetAccountRef.name", what="inventory asset account"),
        short.name_of("preferredVendorName", "PrefVendorRef.name", what="preferred vendor"),
    ),
    default_order="Name",
    sortable={
        "Name": "Name",
        "Type": "Type",
        "UnitPrice": "Sales price",
        "PurchaseCost": "Purchase cost",
        **short.TIMES,
    },
    tie_breaker="Name",
    path="item",
    has_active=True,
    examples=({"max_results": 50}, {"type": "Inventory"}, {"active": "all", "name": "Rock%"}),
    source=short.entity_page("item"),
)

_CLASS = Resource(
    entity="Class",
    name="class",
    plural="classes",
    group="lists",
    kind="list",
    description="Lists classes, which divide income and expenses by segment, with their parents. Active classes only, "
    "unless asked otherwise; alphabetical by full name.",
    properties=properties(f"""
        {short.LIST} Name SubClass:boolean ParentRef FullyQualifiedName Active:boolean {short.ENVELOPE}
    """),
    columns=short.table("Id", Column("FullyQualifiedName", "Class"), Column("parentName", "Parent"), "Active"),
    filters=(short.name_filter("classes", "Landscaping", "FullyQualifiedName"),),
    flat=(short.full_name("className"), short.PARENT_NAME, short.PARENT_ID),
    default_order="FullyQualifiedName",
    sortable={"FullyQualifiedName": "Full name with parents", "Active": "Active", **short.TIMES},
    tie_breaker="FullyQualifiedName",
    path="class",
    has_active=True,
    examples=({"max_results": 50}, {"active": "all"}, {"name": "Landscaping%"}),
    source=short.entity_page("class"),
)

_DEPARTMENT = Resource(
    entity="Department",
    name="department",
    plural="departments",
    group="lists",
    kind="list",
    description="Lists departments, which QuickBooks shows as locations, with their parents and addresses. Active "
    "departments only, unless asked otherwise; alphabetical by full name.",
    properties=properties(f"""
        {short.LIST} Name SubDepartment:boolean ParentRef FullyQualifiedName Active:boolean Address:address
        {short.ENVELOPE}
    """),
    columns=short.table("Id", Column("FullyQualifiedName", "Department"), Column("parentName", "Parent"), "Active"),
    filters=(short.name_filter("departments", "Bayshore", "FullyQualifiedName"),),
    flat=(short.full_name("departmentName"), short.PARENT_NAME, short.PARENT_ID),
    default_order="FullyQualifiedName",
    sortable={
        "FullyQualifiedName": "Full name with parents",
        "Active": "Active",
        "SubDepartment": "Sub-department",
        **short.TIMES,
    },
    tie_breaker="FullyQualifiedName",
    path="department",
    has_active=True,
    examples=({"max_results": 50}, {"active": "all"}, {"name": "Bayshore%"}),
    source=short.entity_page("department"),
)

_TERM = Resource(
    entity="Term",
    name="term",
    plural="terms",
    group="lists",
    kind="list",
    description="Lists payment terms, such as Net 30, with due days and discounts. Active terms only, unless asked "
    "otherwise; alphabetical by name.",
    properties=properties(f"""
        {short.LIST} Name Active:boolean Type DiscountPercent:decimal DueDays:integer DiscountDays:integer
        DayOfMonthDue:integer DueNextMonthDays:integer DiscountDayOfMonth:integer {short.ENVELOPE}
    """),
    columns=short.table(
        "Id Name",
        Column("DueDays", "Due days", "number"),
        Column("DayOfMonthDue", "Day of month", "number"),
        Column("DiscountPercent", "Discount %", "number"),
        Column("DiscountDays", "Discount days", "number"),
        "Active",
    ),
    filters=(short.name_filter("terms", "Net 30"),),
    default_order="Name",
    sortable={"Name": "Name", "Active": "Active", **short.TIMES},
    tie_breaker="Name",
    path="term",
    has_active=True,
    examples=({"max_results": 50}, {"name": "Net%"}),
    source=short.entity_page("term"),
)

_PAYMENT_METHOD = Resource(
    entity="PaymentMethod",
    name="payment method",
    plural="payment methods",
    group="lists",
    kind="list",
    description="Lists payment methods, such as cash, check or a credit card. Active payment methods only, unless "
    "asked otherwise.",
    properties=properties(f"{short.LIST} Name Active:boolean Type {short.ENVELOPE}"),
    columns=short.table("Id Name", Column("Type", "Type"), "Active"),
    filters=(short.name_filter("payment methods", "Check"),),
    sortable={"Active": "Active", **short.TIMES},
    path="paymentmethod",
    has_active=True,
    examples=({"max_results": 50}, {"name": "Check"}),
    source=f"{short.entity_page('paymentmethod')}; Name is not marked, yet public clients filter by it",
)

_CUSTOMER_TYPE = Resource(
    entity="CustomerType",
    name="customer type",
    plural="customer types",
    group="lists",
    kind="list",
    description="Lists customer types, by which a company groups its customers. Active customer types only, unless "
    "asked otherwise.",
    properties=properties(f"{short.LIST} Name ParentRef FullyQualifiedName Active:boolean {short.ENVELOPE}"),
    columns=short.table("Id Name Active"),
    sortable={**short.TIMES},
    path="customertype",
    has_active=True,
    examples=({"max_results": 50}, {"active": "all"}),
    source=f"{short.entity_page('customertype')}, which marks none of its own properties as filterable or sortable; "
    "Active as in all name lists",
)

_EMPLOYEE = Resource(
    entity="Employee",
    name="employee",
    plural="employees",
    group="lists",
    kind="list",
    description="Lists employees with names, email, phone, hire date and rates. Active employees only, unless asked "
    "otherwise; alphabetical by display name.",
    properties=properties(f"""
        {short.PERSON} EmployeeType EmployeeNumber SSN PrimaryAddr:address OtherAddr:list BillableTime:boolean
        BillRate:decimal CostRate:decimal BirthDate Gender HiredDate ReleasedDate Notes {short.ENVELOPE}
    """),
    columns=short.table(
        "Id", Column("employeeName", "Employee"), "email phone", Column("HiredDate", "Hired", "date"), "Active"
    ),
    filters=(short.name_filter("employees", "Emily Platt", "DisplayName"),),
    flat=(
        FlatField("employeeName", ("DisplayName", "FullyQualifiedName"), "text", "Display name."),
        short.EMAIL,
        short.PHONE,
    ),
    default_order="DisplayName",
    sortable={
        "DisplayName": "Display name",
        "GivenName": "First name",
        "MiddleName": "Middle name",
        "FamilyName": "Last name",
        "PrintOnCheckName": "Name on checks",
        **short.TIMES,
    },
    tie_breaker="DisplayName",
    path="employee",
    has_active=True,
    examples=({"max_results": 50}, {"active": "all", "name": "Emily%"}),
    source=short.entity_page("employee"),
)

_COMPANY_CURRENCY = Resource(
    entity="CompanyCurrency",
    name="company currency",
    plural="company currencies",
    group="lists",
    kind="list",
    description="Lists the foreign currencies that a company with multicurrency uses. Active currencies only, unless "
    "asked otherwise.",
    properties=properties(f"{short.LIST} CustomField:list Code Name Active:boolean {short.ENVELOPE}"),
    columns=short.table("Id", Column("Code", "Code"), "Name Active"),
    flat=(FlatField("currency", ("Code",), "text", "ISO 4217 code."),),
    sortable={**short.TIMES},
    path="companycurrency",
    has_active=True,
    examples=({"max_results": 50}, {"active": "all"}),
    source=f"{short.entity_page('companycurrency')}, which marks none of its own properties as filterable or sortable; "
    "Active as in all name lists",
)

_ATTACHABLE = Resource(
    entity="Attachable",
    name="attachable",
    plural="attachables",
    group="lists",
    kind="other",
    description="Lists attachments (files and notes) with name, size, type and the record they belong to. Newest "
    "first. Download addresses expire after a few minutes.",
    properties=properties(f"""
        {short.LIST} CustomField:list AttachableRef:list FileName FileAccessUri TempDownloadUri Size:integer ContentType
        Category Lat Long PlaceName Note Tag ThumbnailFileAccessUri ThumbnailTempDownloadUri {short.ENVELOPE}
    """),
    columns=short.table(
        "Id",
        Column("FileName", "File"),
        Column("Note", "Note"),
        Column("ContentType", "Type"),
        Column("Size", "Bytes", "number"),
        Column("linkedType", "Attached to"),
        Column("linkedId", "Its Id"),
    ),
    filters=(
        short.choice_filter(
            "linked_type",
            "AttachableRef.EntityRef.Type",
            "Attached to",
            "Only attachments of records of this entity.",
            [
                "Bill",
                "BillPayment",
                "CreditMemo",
                "Customer",
                "Deposit",
                "Employee",
                "Estimate",
                "Invoice",
                "Item",
                "JournalEntry",
                "Payment",
                "Purchase",
                "PurchaseOrder",
                "RefundReceipt",
                "SalesReceipt",
                "Transfer",
                "Vendor",
                "VendorCredit",
            ],
        ),
        short.linked_id_filter("attachments", "AttachableRef.EntityRef.value"),
    ),
    flat=(
        FlatField("linkedType", ("AttachableRef.0.EntityRef.type",), "text", "Entity of the record it is attached to."),
        FlatField("linkedId", ("AttachableRef.0.EntityRef.value",), "text", "Id of the record it is attached to."),
    ),
    default_order=short.NEWEST_FIRST,
    sortable={**short.TIMES},
    path="attachable",
    examples=({"max_results": 50}, {"linked_type": "Invoice", "linked_id": "130"}),
    source=short.entity_page("attachable"),
)

LISTS = (
    _ITEM,
    _CLASS,
    _DEPARTMENT,
    _TERM,
    _PAYMENT_METHOD,
    _CUSTOMER_TYPE,
    _EMPLOYEE,
    _COMPANY_CURRENCY,
    _ATTACHABLE,
)
