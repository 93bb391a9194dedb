"""Products and services of all types."""

from __future__ import annotations

from typing import NamedTuple

from vantage_quickbooks.emulator.company.sample.books import Books, Record, plain
from vantage_quickbooks.emulator.company.sample.invoices import SOLD


class _Item(NamedTuple):
    id: str
    kind: str
    name: str
    parent: str = ""  # the category's full name
    description: str = ""
    price: int = 0
    income: str = ""
    cost: int = 0
    expense: str = ""
    sku: str = ""


_COGS = "Cost of Goods Sold"
_PLANTS = "Sales of materials:Plants and trees"
_PARTS = "Sales of materials:Irrigation parts"

# The items of invoices come first, with the same Ids, names and prices; this table adds their costs.
_COSTS = {
    "Flagstone": (820, f"{_COGS}:Stone and aggregate"),
    "Mulch": (2700, f"{_COGS}:Plants and soil"),
    "Olive tree, 24 inch box": (21500, f"{_COGS}:Plants and soil"),
    "Drip line": (2150, "Job expenses:Job materials:Irrigation materials"),
    "Lighting set": (14200, "Job expenses:Job materials"),
}
_MORE = (
    _Item("11", "Category", "Irrigation supplies"),
    _Item("12", "Category", "Plants"),
    _Item("13", "Category", "Trees", "Plants"),
    _Item(
        "14", "Inventory", "Sprinkler head", "Irrigation supplies", "Pop-up sprinkler head, 4 inch",
        1250, _PARTS, 675, _COGS, "IRR-104",
    ),
    _Item(
        "15", "Inventory", "Valve, 1 inch", "Irrigation supplies", "Anti-siphon valve, 1 inch",
        3400, _PARTS, 1950, _COGS, "IRR-210",
    ),
    _Item(
        "16", "Inventory", "Controller, 8 zones", "Irrigation supplies", "Irrigation controller with 8 zones",
        18900, _PARTS, 11200, _COGS, "IRR-880",
    ),
    _Item(
        "17", "Inventory", "Lavender, 1 gallon", "Plants", "English lavender in a 1 gallon pot",
        1400, _PLANTS, 620, _COGS, "PLT-017",
    ),
    _Item(
        "18", "Inventory", "Japanese maple, 15 gallon", "Plants:Trees", "Japanese maple in a 15 gallon pot",
        24000, _PLANTS, 12800, _COGS, "PLT-301",
    ),
    _Item(
        "19", "Inventory", "Potting soil", "", "Potting soil, bag of 2 cubic feet",
        1650, _PLANTS, 780, _COGS, "SOI-002",
    ),
    _Item("20", "Group", "Drip starter kit", description="Drip line with valve and heads", sku="KIT-001"),
    _Item("21", "Service", "Tree pruning", "", "Pruning of trees, hourly", 11000, "Maintenance income"),
    _Item("22", "Service", "Delivery", "", "Delivery within 20 miles", 4500, "Delivery income"),
    _Item(
        "23", "NonInventory", "Gravel", "", "Crushed gravel, cubic yard",
        6200, "Sales of materials", 3400, f"{_COGS}:Stone and aggregate",
    ),
    _Item("24", "Service", "Subcontracted tree work", "", "Tree work by a subcontractor", 0, "Billable Expense Income"),
    _Item("25", "Service", "Snow removal (deleted)", "", "", 0, "Maintenance income"),
)  # fmt: skip
KIT = (("8", "Drip line", "NonInventory", 2), ("15", "Irrigation supplies:Valve, 1 inch", "Inventory", 1),
       ("14", "Irrigation supplies:Sprinkler head", "Inventory", 6))  # fmt: skip
"""Components of the drip starter kit: Id, full name, type and quantity."""


# Preferred vendor of each item.
_PREFERRED = {"14": "Ironbark Irrigation Supply", "15": "Ironbark Irrigation Supply", "18": "Cascade Nursery Wholesale"}


def add_items(books: Books) -> None:
    """Add all items; `complete_items` sets the stock of inventory items."""
    for number, (name, description, price, (_, account), kind) in enumerate(SOLD, 1):
        cost, expense = _COSTS.get(name, (0, ""))
        _add(books, _Item(str(number), kind, name, "", description, price, account, cost, expense))
    for item in _MORE:
        _add(books, item)


def complete_items(books: Books) -> None:
    """Set the stock of inventory items, and the preferred vendor of some."""
    for id_, vendor in _PREFERRED.items():
        books.entry("Item", id_)["PrefVendorRef"] = books.ref("Vendor", vendor)
    for item in _MORE:
        if item.kind == "Inventory":
            books.entry("Item", item.id)["QtyOnHand"] = books.stock[item.id]


def _add(books: Books, item: _Item) -> None:
    under: Record = {}
    if item.parent:
        under = {"SubItem": True, "ParentRef": books.ref("Item", item.parent), "Level": item.parent.count(":") + 1}
    body: Record = {
        "Name": item.name,
        **({"Sku": item.sku} if item.sku else {}),
        **({"Description": item.description} if item.description else {}),
        "Active": not item.name.endswith(" (deleted)"),
        **under,
        "FullyQualifiedName": f"{item.parent}:{item.name}" if item.parent else item.name,
    }
    if item.kind == "Category":  # has no price and no accounts (Intuit, Item page, categories)
        books.listed("Item", item.id, body | {"Type": "Category"}, days_before=388)
        return
    body |= {
        "Taxable": item.kind in ("Inventory", "NonInventory"),
        "UnitPrice": plain(item.price),
        "Type": item.kind,
        **({"IncomeAccountRef": books.ref("Account", item.income)} if item.income else {}),
        **({"PurchaseDesc": item.description} if item.cost else {}),
        "PurchaseCost": plain(item.cost),
        **({"ExpenseAccountRef": books.ref("Account", item.expense)} if item.expense else {}),
        "TrackQtyOnHand": item.kind == "Inventory",
    }
    if item.kind == "Inventory":
        body["AssetAccountRef"] = books.ref("Account", "Inventory Asset")
        body["InvStartDate"] = books.clock.day(books.clock.days + 4).isoformat()
    if item.kind == "Group":
        body["PrintGroupedItems"] = True
        body["ItemGroupDetail"] = {
            "ItemGroupLine": [
                {"ItemRef": {"value": id_, "name": name, "type": kind}, "Qty": quantity}
                for id_, name, kind, quantity in KIT
            ]
        }
    books.listed("Item", item.id, body, days_before=388 if int(item.id) > len(SOLD) else 390, minutes=int(item.id) // 4)
