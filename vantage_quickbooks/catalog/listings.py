"""How people narrow, sort, open and follow the records of an entity: `listing`, `links` and record view of its actions.

All of it follows from the rows of the catalog, so that a host that knows nothing of QuickBooks can show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.line_details import LINE_DETAILS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vantage_quickbooks.catalog.resource import Filter, Resource

__all__ = ["PAID_INVOICES_LISTING", "PRESETS", "link_sets", "links_of", "listing_of", "record_view", "report_links"]

JSON = dict[str, Any]

_KINDS = {
    "text": "text",
    "id": "text",
    "boolean": "boolean",
    "choice": "choice",
    "date_range": "dateRange",
    "amount_range": "amountRange",
}

_MAX_PAGE = 1000
"""Records of one answer: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api."""


def _preset(id_: str, title: str, first: tuple[str, int] | None, last: tuple[str, int] | None) -> JSON:
    bounds = {"from": first, "to": last}
    return {"id": id_, "title": title} | {
        name: {"unit": bound[0], "offset": bound[1]} for name, bound in bounds.items() if bound
    }


_PAST = (
    _preset("today", "Today", ("day", 0), ("day", 0)),
    _preset("last7Days", "Last 7 days", ("day", -6), ("day", 0)),
    _preset("last30Days", "Last 30 days", ("day", -29), ("day", 0)),
    _preset("last90Days", "Last 90 days", ("day", -89), ("day", 0)),
    _preset("thisMonth", "This month", ("month", 0), ("month", 0)),
    _preset("lastMonth", "Last month", ("month", -1), ("month", -1)),
    _preset("thisQuarter", "This quarter", ("quarter", 0), ("quarter", 0)),
    _preset("lastQuarter", "Last quarter", ("quarter", -1), ("quarter", -1)),
    _preset("thisYear", "This year", ("year", 0), ("year", 0)),
    _preset("lastYear", "Last year", ("year", -1), ("year", -1)),
)
_THIS_MONTH = tuple(preset for preset in _PAST if preset["id"] == "thisMonth")
_FUTURE = (
    _preset("next7Days", "Next 7 days", ("day", 0), ("day", 7)),
    _preset("next30Days", "Next 30 days", ("day", 0), ("day", 30)),
    _preset("untilYesterday", "Before today", None, ("day", -1)),
)
_SINCE = tuple(
    _preset(id_, title, first, None)
    for id_, title, first in (
        ("today", "Since today", ("day", 0)),
        ("last7Days", "In the last 7 days", ("day", -6)),
        ("last30Days", "In the last 30 days", ("day", -29)),
        ("thisYear", "Since the start of this year", ("year", 0)),
    )
)

PRESETS = {"past": _PAST, "due": (*_FUTURE, *_THIS_MONTH), "since": _SINCE}
"""Named ranges of dates by the name of their set, which the filters of lists refer to."""

# ---- lists -----------------------------------------------------------------------------------------------------------


def listing_of(resource: Resource) -> JSON:
    """Return the `listing` of an entity's list action."""
    listing: JSON = {
        "title": _sentence(resource.plural),
        "one": resource.name,
        "many": resource.plural,
        "isPinned": resource.is_pinned,
        "filters": list(_filters(resource)),
        "pageSize": {"input": "max_results", "maximum": _MAX_PAGE},
    }
    if resource.sortable:
        listing["sort"] = _sort(resource)
    if resource.path is not None and not resource.is_singleton:
        listing["record"] = {
            "action": resource.get_id,
            "input": {"id": _id_field(resource)},
            "field": _name_field(resource),
        }
    return listing


def _filters(resource: Resource) -> Iterable[JSON]:
    if resource.status:
        yield {
            "id": "status",
            "title": "Status",
            "kind": "choice",
            "inputs": ["status"],
            "isAdjective": True,
            "isMain": True,
        }
    yield from map(_filter, resource.filters)
    if resource.has_active:
        yield {"id": "active", "title": "Active", "kind": "choice", "inputs": ["active"], "isAdjective": True}
    if resource.has_creation_order:
        yield {
            "id": "changed",
            "title": "Last changed",
            "kind": "dateRange",
            "inputs": ["updated_since"],
            "presets": "since",
            "phrase": "changed {value}",
        }


def _filter(row: Filter) -> JSON:
    # The host offers an Id by the name of the record.
    title = row.title.removesuffix(" ID") if row.options_from else row.title
    found: JSON = {
        "id": row.input,
        "title": title,
        "kind": "lookup" if row.options_from else _KINDS[row.kind],
        "inputs": list(row.inputs),
    }
    if row.kind == "date_range":
        found["presets"] = "due" if row.is_future else "past"
    if row.phrase:
        found["phrase"] = row.phrase
    if row.column:
        found["column"] = row.column
    return found


def _sort(resource: Resource) -> JSON:
    by_path = {flat.paths[0]: flat.name for flat in resource.flat if flat.paths}
    shown = [column.field for column in resource.columns]
    columns = {next((name for name in (by_path.get(key), key) if name in shown), key): key for key in resource.sortable}
    sort: JSON = {
        "input": "order_by",
        "ascending": "{field} ASC",
        "descending": "{field} DESC",
        "columns": {name: key for name, key in columns.items() if name in shown},
    }
    if "TxnDate" in sort["columns"]:
        sort["default"] = {"column": "TxnDate", "isDescending": True}
    return sort


PAID_INVOICES_LISTING: JSON = {
    "title": "Paid invoices",
    "one": "paid invoice",
    "many": "paid invoices",
    "isPinned": False,
    "filters": [
        {
            "id": "paid_date",
            "title": "Paid",
            "kind": "dateRange",
            "inputs": ["paid_date_from", "paid_date_to"],
            "presets": "past",
            "phrase": "of {value}",
        }
    ],
    "record": {"action": "getInvoice", "input": {"id": "Id"}, "field": "DocNumber"},
}
"""Of the action `listPaidInvoices`."""

# ---- links -----------------------------------------------------------------------------------------------------------

_REFERENCES = {
    "APAccountRef": "Account",
    "ARAccountRef": "Account",
    "AccountRef": "Account",
    "AssetAccountRef": "Account",
    "ClassRef": "Class",
    "CustomerRef": "Customer",
    "CustomerTypeRef": "CustomerType",
    "DepartmentRef": "Department",
    "DepositToAccountRef": "Account",
    "EmployeeRef": "Employee",
    "ExpenseAccountRef": "Account",
    "FromAccountRef": "Account",
    "IncomeAccountRef": "Account",
    "InvoiceRef": "Invoice",
    "ItemRef": "Item",
    "PaymentMethodRef": "PaymentMethod",
    "PrefVendorRef": "Vendor",
    "SalesTermRef": "Term",
    "TermRef": "Term",
    "ToAccountRef": "Account",
    "VendorRef": "Vendor",
}
"""The entity that each reference refers to, where it is always the same."""

_LINKED = {
    "Bill": "Bill",
    "BillPayment": "BillPayment",
    "BillPaymentCheck": "BillPayment",
    "BillPaymentCreditCard": "BillPayment",
    "Check": "Purchase",
    "CreditCardCredit": "Purchase",
    "CreditMemo": "CreditMemo",
    "Deposit": "Deposit",
    "Estimate": "Estimate",
    "Expense": "Purchase",
    "Invoice": "Invoice",
    "JournalEntry": "JournalEntry",
    "Payment": "Payment",
    "PurchaseOrder": "PurchaseOrder",
    "RefundReceipt": "RefundReceipt",
    "ReimburseCharge": "ReimburseCharge",
    "SalesReceipt": "SalesReceipt",
    "TimeActivity": "TimeActivity",
    "VendorCredit": "VendorCredit",
}
"""The entity of each TxnType of a linked transaction."""


def links_of(resource: Resource, resources: Iterable[Resource]) -> tuple[JSON, ...]:
    """Return what a record leads to: the records that it refers to, and the lists that can be narrowed to it.

    Args:
        resource: The entity.
        resources: All entities.
    """
    if resource.template_key:
        return ()
    every = tuple(resources)
    by_entity = {other.entity: other for other in every if other.path and not other.is_singleton}
    flat = {f.paths[0]: f.name for f in resource.flat if len(f.paths) == 1}
    found: list[JSON] = []
    for known in resource.properties:
        other = resource if known.name == "ParentRef" else by_entity.get(_REFERENCES.get(known.name, ""))
        if known.type != "reference" or other is None or other.path is None:
            continue
        names = dict.fromkeys([known.name, *filter(None, [flat.get(f"{known.name}.name")])])
        found += [{"field": name, "action": other.get_id, "input": {"id": f"{known.name}.value"}} for name in names]
    for other in every:
        for row in other.filters:
            if row.options_from == resource.list_id:
                found.append({"title": _sentence(other.plural), "action": other.list_id, "input": {row.input: "Id"}})
    return (*found, *(dict(link) for link in resource.links))


_REPORT_SECTIONS = {
    "CustomerBalanceDetail": "Customer",
    "GeneralLedger": "Account",
    "InventoryValuationDetail": "Item",
    "TransactionListByCustomer": "Customer",
    "TransactionListByVendor": "Vendor",
    "VendorBalanceDetail": "Vendor",
}
"""What the sections of a report are about."""

_REPORT_COLUMNS = {
    "account": "Account",
    "account_name": "Account",
    "class": "Class",
    "cust_name": "Customer",
    "customer": "Customer",
    "department": "Department",
    "dept_name": "Department",
    "emp_name": "Employee",
    "employee": "Employee",
    "item": "Item",
    "item_name": "Item",
    "klass_name": "Class",
    "other_account": "Account",
    "productsandservice": "Item",
    "split_acc": "Account",
    "vend_name": "Vendor",
    "vendor": "Vendor",
}
"""The entity that the cells of each column of a report name; a column `name` may hold any kind of name."""

_REPORT_TYPES = {
    "Bill": "Bill",
    "Bill Payment": "BillPayment",
    "Bill Payment (Check)": "BillPayment",
    "Bill Payment (Credit Card)": "BillPayment",
    "Check": "Purchase",
    "Credit Card Credit": "Purchase",
    "Credit Memo": "CreditMemo",
    "Deposit": "Deposit",
    "Estimate": "Estimate",
    "Expense": "Purchase",
    "Invoice": "Invoice",
    "Journal Entry": "JournalEntry",
    "Payment": "Payment",
    "Purchase Order": "PurchaseOrder",
    "Refund": "RefundReceipt",
    "Sales Receipt": "SalesReceipt",
    "Transfer": "Transfer",
    "Vendor Credit": "VendorCredit",
}
"""The entity of each type of transaction, as reports of companies in English spell it."""

_REPORT_CONDITIONS = (
    ("txn_type", "txn_type", "txn_type_id", _REPORT_TYPES),
    ("rowLabel", "metadata.report", "rowLabelId", _REPORT_SECTIONS),
)
"""Links that depend on a value: the linked field, the path of the value, the field of the Id, and entities by value."""


def report_links(resources: Iterable[Resource]) -> tuple[JSON, ...]:
    """Return what the rows of reports lead to: the records whose Ids are in their cells.

    Args:
        resources: All entities.
    """
    by_entity = {resource.entity: resource for resource in resources if resource.path}
    return (
        *(
            {"field": column, "action": by_entity[entity].get_id, "input": {"id": f"{column}_id"}}
            for column, entity in _REPORT_COLUMNS.items()
            if entity in by_entity
        ),
        *(
            {"field": field, "when": {known: value}, "action": by_entity[entity].get_id, "input": {"id": id_field}}
            for field, known, id_field, entities in _REPORT_CONDITIONS
            for value, entity in entities.items()
            if entity in by_entity
        ),
    )


# ---- records ---------------------------------------------------------------------------------------------------------

_ADDRESS_LINES = (
    *([f"Line{number}"] for number in range(1, 6)),
    ["City", "CountrySubDivisionCode", "PostalCode"],
    ["Country"],
)

_MONEY = {"format": "money", "currency": "currency"}

_LINE_COLUMNS: dict[str, tuple[JSON, ...]] = {
    "SalesItemLineDetail": (
        {"field": "SalesItemLineDetail.ItemRef.name", "label": "Product or service"},
        {"field": "Description", "label": "Description"},
        {"field": "SalesItemLineDetail.ServiceDate", "label": "Service date", "format": "date"},
        {"field": "SalesItemLineDetail.Qty", "label": "Quantity", "format": "number"},
        {"field": "SalesItemLineDetail.UnitPrice", "label": "Price", "format": "money"},
    ),
    "AccountBasedExpenseLineDetail": (
        {"field": "AccountBasedExpenseLineDetail.AccountRef.name", "label": "Account"},
        {"field": "ItemBasedExpenseLineDetail.ItemRef.name", "label": "Product or service"},
        {"field": "Description", "label": "Description"},
        {"field": "ItemBasedExpenseLineDetail.Qty", "label": "Quantity", "format": "number"},
        {"field": "ItemBasedExpenseLineDetail.UnitPrice", "label": "Price", "format": "money"},
    ),
    "JournalEntryLineDetail": (
        {"field": "JournalEntryLineDetail.AccountRef.name", "label": "Account"},
        {"field": "Description", "label": "Description"},
        {"field": "JournalEntryLineDetail.PostingType", "label": "Posting"},
    ),
    "DepositLineDetail": (
        {"field": "DepositLineDetail.AccountRef.name", "label": "Account"},
        {"field": "Description", "label": "Description"},
        {"field": "LinkedTxn.0.TxnType", "label": "From"},
    ),
}
_APPLIED_COLUMNS = ({"field": "LinkedTxn.0.TxnType", "label": "Applied to"},)

_LINE_SUMS = [
    {"when": {"DetailType": "SubTotalLineDetail"}, "label": "Subtotal"},
    {"when": {"DetailType": "DiscountLineDetail"}, "label": "Discount"},
]

_TOTALS = {"TxnTaxDetail.TotalTax": "Tax", "UnappliedAmt": "Unapplied", "TotalAmt": "Total", "Balance": "Balance due"}


def record_view(resource: Resource) -> JSON:
    """Return the view of one record: its main facts, lines, addresses and linked transactions."""
    names = {known.name for known in resource.properties}
    view: JSON = {
        "kind": "record",
        "one": resource.name,
        "name": _name_field(resource),
        "facts": [
            _shown(column.field, column.label, column.format, column.currency, resource)
            for column in resource.columns
            if column.field not in {"Id", "currency"}
        ],
        "sections": [*_sections(resource, names), *(dict(section) for section in resource.sections)],
    }
    return view


def _sections(resource: Resource, names: set[str]) -> Iterable[JSON]:
    if "Line" in names and not resource.template_key:
        details = LINE_DETAILS.get(resource.entity, ())
        columns = next((_LINE_COLUMNS[name] for name in details if name in _LINE_COLUMNS), _APPLIED_COLUMNS)
        shown = {column.field for column in resource.columns}
        totals = [
            {"field": name, "label": label, **_MONEY}
            for name, label in _TOTALS.items()
            if name.partition(".")[0] in names and (name != "TotalAmt" or name in shown)
        ]
        yield {
            "kind": "table",
            "title": "Lines" if details else "Applied to",
            "rows": "Line",
            "columns": [*map(dict, columns), {"field": "Amount", "label": "Amount", "format": "money"}],
            "sums": [dict(row) for row in _LINE_SUMS],
            "totals": totals,
            "links": "applied"
            if any(column["field"] == _APPLIED for column in columns)
            else [
                {"field": column["field"], "action": action, "input": {"id": f"{path}.value"}}
                for column in columns
                if (path := column["field"].removesuffix(".name")) != column["field"]
                and (action := _reference_action(path.rpartition(".")[2], resource))
            ],
        }
    if "LinkedTxn" in names:
        title = "Payments and credits applied" if "Balance" in names else "Linked transactions"
        yield {"kind": "linked", "title": title, "rows": "LinkedTxn", "links": "linked"}
    for known in resource.properties:
        if known.members == "address" and known.name in _ADDRESSES:
            yield {
                "kind": "lines",
                "title": _ADDRESSES[known.name],
                "field": known.name,
                "lines": [list(line) for line in _ADDRESS_LINES],
            }


_ADDRESSES = {
    "BillAddr": "Billing address",
    "ShipAddr": "Shipping address",
    "VendorAddr": "Vendor's address",
    "PrimaryAddr": "Address",
    "RemitToAddr": "Remit to",
}


def _reference_action(name: str, resource: Resource) -> str:
    entity = _REFERENCES.get(name)
    return f"get{entity}" if entity and resource.path else ""


def link_sets(resources: Iterable[Resource]) -> dict[str, list[JSON]]:
    """Return the sets of links that records refer to: to linked transactions, and from the lines that apply to them.

    Args:
        resources: All entities.
    """
    linked = _linked_links(resources)
    accounts: list[JSON] = [
        {
            "field": "DepositLineDetail.AccountRef.name",
            "action": "getAccount",
            "input": {"id": "DepositLineDetail.AccountRef.value"},
        }
    ]
    applied = [
        {
            "field": _APPLIED,
            "when": {_APPLIED: link["when"]["TxnType"]},
            "action": link["action"],
            "input": {"id": "LinkedTxn.0.TxnId"},
        }
        for link in linked
    ]
    return {"linked": linked, "applied": applied + accounts}


_APPLIED = "LinkedTxn.0.TxnType"


def _linked_links(resources: Iterable[Resource]) -> list[JSON]:
    by_entity = {other.entity: other for other in resources if other.path}
    return [
        {
            "title": _sentence(by_entity[entity].name),
            "when": {"TxnType": kind},
            "action": by_entity[entity].get_id,
            "input": {"id": "TxnId"},
        }
        for kind, entity in _LINKED.items()
        if entity in by_entity
    ]


_NAMES = ("DocNumber", "customerName", "vendorName", "employeeName", "accountName", "Name")


def _name_field(resource: Resource) -> str:
    """Return the member that people call a record by: its number, or its name."""
    shown = [column.field for column in resource.columns]
    known = [name for name in _NAMES if name in shown]
    if resource.kind == "transaction":
        return "DocNumber" if "DocNumber" in shown else "Id"
    return known[0] if known else next((name for name in shown if name != "Id"), "Id")


def _id_field(resource: Resource) -> str:
    flat = next((f.name for f in resource.flat if f.paths == ("Id",)), None)
    return flat if flat and resource.template_key else "Id"


def _shown(field: str, label: str, kind: str, currency: str, resource: Resource) -> JSON:
    shown: JSON = {"field": field, "label": label}
    if kind != "text":
        shown["format"] = kind
    if currency:
        shown["currency"] = currency
    if kind == "status" and resource.status:
        shown["values"] = {name: dict(value) for name, value in resource.status.values.items()}
    return shown


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
