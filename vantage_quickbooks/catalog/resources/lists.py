"""What transactions refer to: items, classes, departments, terms and the like."""

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
    description="Lists products and services (items) with type, prices, accounts and quantity on hand. "
    "Active items only, unless asked otherwise; alphabetical by name.",
    properties=properties(f"""
        Id SyncToken MetaData:times Name Sku Description Active:boolean SubItem:boolean ParentRef Level:integer
        FullyQualifiedName Taxable:boolean SalesTaxIncluded:boolean UnitPrice:decimal RatePercent:decimal Type
        IncomeAccountRef PurchaseDesc PurchaseTaxIncluded:boolean PurchaseCost:decimal ExpenseAccountRef AssetAccountRef
        PrefVendorRef TrackQtyOnHand:boolean QtyOnHand:decimal QtyOnPurchaseOrder:decimal QtyOnSalesOrder:decimal
        ReorderPoint:decimal SalesTaxCodeRef PurchaseTaxCodeRef InvStartDate ItemGroupDetail:object
        AbatementRate:decimal ReverseChargeRate:decimal ServiceType ItemCategoryType TaxClassificationRef UQCDisplayText
        UQCId ClassRef Source DeferredRevenue:boolean CustomExtensions:list {short.ENVELOPE}
    """),
    columns=(
        short.ID,
        Column("itemName", "Item"),
        Column("Type", "Type"),
        Column("Sku", "SKU"),
        Column("UnitPrice", "Price", "number"),
        Column("PurchaseCost", "Cost", "number"),
        Column("QtyOnHand", "On hand", "number"),
    ),
    filters=(
        short.text_filter(
            "name",
            "Name",
            "Name",
            "Only items with this name. % stands for any text: Rock% finds names that begin with Rock.",
            "Rock Fountain",
            "Rock%",
            hint="Give the name, or a part of it with % for the rest.",
        ),
        short.choice_filter(
            "type", "Type", "Type", "Only items of this type.", values=short.ITEM_TYPES, example="Inventory"
        ),
    ),
    flat=(
        FlatField("itemName", ("FullyQualifiedName", "Name"), "text", "Full name, with the categories it stands in."),
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
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/item",
)

LISTS = (_ITEM,)
