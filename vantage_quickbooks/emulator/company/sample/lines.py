"""The lines of transactions: sales, expenses, and their totals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.company.sample.books import Books, Record, amount, plain
from vantage_quickbooks.emulator.company.sample.invoices import TAX_PER_MILLE, TAX_PERCENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Sold = tuple[str, float]  # an item's full name and a quantity


def cents_of(line: Record) -> int:
    """Return a line's amount in cents."""
    return int(line["Amount"] * 100)


def sold(books: Books, item: str, quantity: float, *, taxable: bool = True, unit: int | None = None) -> Record:
    """Make a line of a sales form.

    Args:
        books: The records, with the item.
        item: The item's full name.
        quantity: The quantity.
        taxable: Whether the customer pays tax on taxable items.
        unit: The price in cents; None is the item's price.

    Returns:
        The line, without Id and number.
    """
    record = books.named("Item", item)
    price = round(record["UnitPrice"] * 100) if unit is None else unit
    taxed = taxable and record["Taxable"]
    return {
        **({"Description": record["Description"]} if "Description" in record else {}),
        "Amount": amount(round(price * quantity)),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {
            "ItemRef": books.ref("Item", item),
            "UnitPrice": plain(price),
            "Qty": quantity,
            "ItemAccountRef": record["IncomeAccountRef"],
            "TaxCodeRef": {"value": "TAX" if taxed else "NON"},
        },
        "CustomExtensions": [],
    }


def bundle(books: Books, item: str, inner: Sequence[Record]) -> Record:
    """Make a line of a bundle, which contains the lines of its components."""
    return {
        "Description": books.named("Item", item)["Name"],
        "Amount": amount(sum(cents_of(line) for line in inner)),
        "DetailType": "GroupLineDetail",
        "GroupLineDetail": {
            "GroupItemRef": books.ref("Item", item),
            "Quantity": 1,
            "Line": [{"Id": str(number), "LineNum": number} | line for number, line in enumerate(inner, 2)],
        },
        "CustomExtensions": [],
    }


def each_sold(lines: Iterable[Record]) -> Iterable[Record]:
    """Yield the lines that sell an item, including those inside bundles."""
    for line in lines:
        if line["DetailType"] == "SalesItemLineDetail":
            yield line
        elif line["DetailType"] == "GroupLineDetail":
            yield from each_sold(line["GroupLineDetail"]["Line"])


def form(lines: Sequence[Record], *, discount: int = 0) -> tuple[Record, int]:
    """Number the lines of a sales form and add them up, as QuickBooks does.

    Args:
        lines: What is sold.
        discount: Percent.

    Returns:
        Line, TxnTaxDetail and TotalAmt, and the total in cents.
    """
    numbered: list[Record] = []
    number = 0
    for line in lines:
        number += 1
        numbered.append({"Id": str(number), "LineNum": len(numbered) + 1} | line)
        if line["DetailType"] == "GroupLineDetail":
            number += len(line["GroupLineDetail"]["Line"])
    subtotal = sum(cents_of(line) for line in lines)
    taxed = sum(
        cents_of(line) for line in each_sold(lines) if line["SalesItemLineDetail"]["TaxCodeRef"]["value"] == "TAX"
    )
    numbered.append({"Amount": amount(subtotal), "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    off = (subtotal * discount + 50) // 100
    if discount:
        taxed -= (taxed * discount + 50) // 100
        numbered.append(
            {
                "Amount": amount(off),
                "DetailType": "DiscountLineDetail",
                "DiscountLineDetail": {
                    "PercentBased": True,
                    "DiscountPercent": discount,
                    "DiscountAccountRef": {"value": "86", "name": "Discounts given"},
                },
            }
        )
    tax = (taxed * TAX_PER_MILLE + 500) // 1000
    total = subtotal - off + tax
    return {"Line": numbered, "TxnTaxDetail": tax_detail(tax, taxed), "TotalAmt": amount(total)}, total


def tax_detail(tax: int, taxed: int) -> Record:
    """Make TxnTaxDetail from the tax and the taxable amount, in cents."""
    if not tax:
        return {"TotalTax": amount(0)}
    return {
        "TxnTaxCodeRef": {"value": "2"},
        "TotalTax": amount(tax),
        "TaxLine": [
            {
                "Amount": amount(tax),
                "DetailType": "TaxLineDetail",
                "TaxLineDetail": {
                    "TaxRateRef": {"value": "3"},
                    "PercentBased": True,
                    "TaxPercent": Decimal(TAX_PERCENT),
                    "NetAmountTaxable": amount(taxed),
                },
            }
        ],
    }


def tax_of(record: Record) -> int:
    """Return a form's tax in cents."""
    return int(record["TxnTaxDetail"]["TotalTax"] * 100)


def spent(
    books: Books, account: str, cents: int, text: str = "", *, customer: Any = None, billable: str = "NotBillable"
) -> Record:
    """Make an expense line for an account, by its full name."""
    return {
        **({"Description": text} if text else {}),
        "Amount": amount(cents),
        "DetailType": "AccountBasedExpenseLineDetail",
        "AccountBasedExpenseLineDetail": {
            **({"CustomerRef": customer} if customer else {}),
            "AccountRef": books.ref("Account", account),
            "BillableStatus": billable if customer else "NotBillable",
            "TaxCodeRef": {"value": "NON"},
        },
        "CustomExtensions": [],
    }


def bought(books: Books, item: str, quantity: int) -> Record:
    """Make an expense line for an item at its usual cost, by its full name."""
    record = books.named("Item", item)
    cost = round(record["PurchaseCost"] * 100)
    return {
        **({"Description": record["PurchaseDesc"]} if "PurchaseDesc" in record else {}),
        "Amount": amount(cost * quantity),
        "DetailType": "ItemBasedExpenseLineDetail",
        "ItemBasedExpenseLineDetail": {
            "BillableStatus": "NotBillable",
            "ItemRef": books.ref("Item", item),
            "UnitPrice": plain(cost),
            "Qty": quantity,
            "TaxCodeRef": {"value": "NON"},
        },
        "CustomExtensions": [],
    }


def numbered(lines: Iterable[Record], *, line_numbers: bool = True, linked: bool = False) -> list[Record]:
    """Assign Ids to expense lines.

    Args:
        lines: Without Ids.
        line_numbers: Whether the form numbers its lines too.
        linked: Whether every line has LinkedTxn, even if it is empty (bills, recorded).

    Returns:
        The lines in QuickBooks' order of keys.
    """
    result = []
    for number, line in enumerate(lines, 1):
        head: Record = {"Id": str(number)} | ({"LineNum": number} if line_numbers else {})
        known = {key: line[key] for key in ("Description", "Amount") if key in line}
        links = {"LinkedTxn": line.get("LinkedTxn", [])} if linked or "LinkedTxn" in line else {}
        result.append(head | known | links | line)
    return result


def journal(
    books: Books, line: str, posting: str, account: str, cents: int, *, text: str, customer: Record | None = None
) -> Record:
    """Make a line of a journal entry; the first one's Id is 0 (recorded)."""
    return {
        "Id": line,
        "Description": text,
        "Amount": amount(cents),
        "DetailType": "JournalEntryLineDetail",
        "JournalEntryLineDetail": {
            "PostingType": posting,
            **({"Entity": {"Type": "Customer", "EntityRef": customer}} if customer else {}),
            "AccountRef": books.ref("Account", account),
        },
        "CustomExtensions": [],
    }


def journal_entry(books: Books, number: str, lines: Sequence[Record], note: str) -> Record:
    """Make a journal entry; its TotalAmt is 0 (recorded)."""
    return {
        "Adjustment": False,
        "TotalAmt": amount(0),
        "DocNumber": number,
        "CurrencyRef": books.currency(),
        "PrivateNote": note,
        "Line": list(lines),
        "TxnTaxDetail": {},
    }
