"""What the lines of each entity may hold."""

from __future__ import annotations

__all__ = ["LINE_DETAILS"]

_SALES_LINES = ("SalesItemLineDetail", "GroupLineDetail", "DiscountLineDetail", "DescriptionLineDetail")
_EXPENSE_LINES = ("AccountBasedExpenseLineDetail", "ItemBasedExpenseLineDetail")

LINE_DETAILS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("Invoice", "Estimate", "SalesReceipt", "CreditMemo", "RefundReceipt", "ChangeOrder"), _SALES_LINES
    ),
    "ReimburseCharge": ("ReimburseLineDetail",),
    **dict.fromkeys(("Bill", "VendorCredit", "Purchase", "PurchaseOrder"), _EXPENSE_LINES),
    **dict.fromkeys(("Payment", "BillPayment", "Transfer"), ()),
    "JournalEntry": ("JournalEntryLineDetail",),
    "Deposit": ("DepositLineDetail",),
    "InventoryAdjustment": ("ItemAdjustmentLineDetail",),
}
"""The details that lines of each entity may have, as its page among Intuit's entity pages lists them."""
