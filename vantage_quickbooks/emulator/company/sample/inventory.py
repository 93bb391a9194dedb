"""Inventory adjustments: the opening stock, and shrinkage."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.sample.books import Books

# Key, days ago, number, account, note, index of the customer, full names of items and changes of their quantity.
_ADJUSTMENTS: tuple[tuple[str, int, str, str, str, int | None, tuple[tuple[str, int], ...]], ...] = (
    ("stock-opening", -4, "1", "Opening Balance Equity", "Opening stock", None,
     (("Irrigation supplies:Sprinkler head", 60), ("Irrigation supplies:Valve, 1 inch", 24),
      ("Irrigation supplies:Controller, 8 zones", 3), ("Plants:Lavender, 1 gallon", 40),
      ("Plants:Trees:Japanese maple, 15 gallon", 2), ("Potting soil", 35))),
    ("stock-count", 10, "2", "Inventory Shrinkage", "Broken at a job, and counted", 2,
     (("Plants:Lavender, 1 gallon", -5), ("Potting soil", -2), ("Irrigation supplies:Sprinkler head", 1))),
)  # fmt: skip


def add_adjustments(books: Books) -> None:
    """Add inventory adjustments, which change the inventory asset by the items' cost."""
    for key, days_ago, number, account, note, index, differences in _ADJUSTMENTS:
        customer = books.customer_ref(index) if index is not None else None
        lines = []
        for line, (item, difference) in enumerate(differences, 1):
            ref = books.ref("Item", item)
            lines.append(
                {
                    "Id": str(line),
                    "DetailType": "ItemAdjustmentLineDetail",
                    "ItemAdjustmentLineDetail": {"ItemRef": ref, "QtyDiff": difference},
                }
            )
            value = difference * round(books.named("Item", item)["PurchaseCost"] * 100)
            books.stock[ref["value"]] += difference
            books.post("Inventory Asset", value)
            books.post(account, -value)
        body = {
            "AdjustAccountRef": books.ref("Account", account),
            "DocNumber": number,
            "PrivateNote": note,
            **({"CustomerRef": customer} if customer else {}),
            "Line": lines,
        }
        books.add("InventoryAdjustment", key, days_ago, body)
