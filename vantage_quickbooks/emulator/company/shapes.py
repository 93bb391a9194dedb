"""What QuickBooks adds to the records of each entity, as data: required properties, defaults, order of keys.

Sources: recorded, 2015 to 2026, for the order of keys and for what a create returns (minimul create/*.yml,
batch/basic.yml; Nango create-*.test.json); Intuit's entity pages for what a create requires.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

US_DOLLAR = {"value": "USD", "name": "United States Dollar"}

REQUIRED_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "Attachable": (),
    "Bill": ("VendorRef", "Line"),
    "BillPayment": ("VendorRef", "TotalAmt", "PayType", "Line"),
    "ChangeOrder": ("CustomerRef", "Line"),
    "CompanyCurrency": ("Code",),
    "CreditCardPaymentTxn": ("CreditCardAccountRef", "BankAccountRef", "Amount"),
    "CreditMemo": ("CustomerRef", "Line"),
    "Deposit": ("DepositToAccountRef", "Line"),
    "Estimate": ("CustomerRef", "Line"),
    "Invoice": ("CustomerRef", "Line"),
    "JournalEntry": ("Line",),
    "Payment": ("CustomerRef", "TotalAmt"),
    "Purchase": ("AccountRef", "PaymentType", "Line"),
    "PurchaseOrder": ("VendorRef", "Line"),
    "RefundReceipt": ("DepositToAccountRef", "Line"),
    "SalesReceipt": ("Line",),
    "TimeActivity": ("NameOf",),
    "Transfer": ("FromAccountRef", "ToAccountRef", "Amount"),
    "VendorCredit": ("VendorRef", "Line"),
}
"""Properties that a create requires; of name lists, the name."""

SALES_FORMS = frozenset({"ChangeOrder", "CreditMemo", "Estimate", "Invoice", "RefundReceipt", "SalesReceipt"})
"""Forms with a customer's addresses, a subtotal, discounts and tax."""

VENDOR_FORMS = frozenset({"Bill", "PurchaseOrder", "VendorCredit"})
"""Forms with a vendor's address (recorded, 2026: each of 15 bills whose vendor has one; the others are assumed)."""

WITH_TOTAL = SALES_FORMS | {"Bill", "Deposit", "Purchase", "PurchaseOrder", "VendorCredit"}
"""Transactions whose total is the sum of their lines."""

OPEN_BALANCES: Mapping[str, tuple[str, ...]] = {
    "Bill": ("Balance",),
    "CreditMemo": ("Balance", "RemainingCredit"),
    "Invoice": ("Balance",),
    "VendorCredit": ("Balance",),
}
"""Open balances; initially the total."""

DOC_NUMBER_SEQUENCES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        SALES_FORMS - {"ChangeOrder", "Estimate"}, ("CreditMemo", "Invoice", "RefundReceipt", "SalesReceipt")
    ),
    "Estimate": ("Estimate",),
    "PurchaseOrder": ("PurchaseOrder",),
}
"""Entities that get a DocNumber, and those whose numbers are one sequence (recorded: the sandbox's 1001 to 1037)."""

WITH_DUE_DATE = frozenset({"Bill", "Invoice"})
"""Transactions with a due date: TxnDate plus the days of their term.

An invoice without a term is due by the company's default term (recorded, 2015 to 2026: after thirty days, the sandbox's
default term being Net 30), a bill without a term at once (recorded, 2026).
"""

LINK_EFFECTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "Invoice": {
        "Estimate": {"TxnStatus": "Closed"},
        "ReimburseCharge": {"HasBeenInvoiced": True},
        "TimeActivity": {"BillableStatus": "HasBeenBilled"},
    },
    "Bill": {"PurchaseOrder": {"POStatus": "Closed"}},
    "Deposit": {"Payment": {}, "SalesReceipt": {}},
    "Purchase": {"PurchaseOrder": {"POStatus": "Closed"}},
}
"""What becomes of a transaction that a client links another one to.

Sources: recorded, 2026 (four estimates and two purchase orders); Intuit's pages of ReimburseCharge and TimeActivity.
"""

LINKED_BACK = frozenset({"Estimate", "Payment", "PurchaseOrder", "SalesReceipt"})
"""Linked transactions that link back (recorded, 2026)."""

LINKED_BY_LINES = frozenset({"Deposit"})
"""Transactions whose lines link, and not they themselves: what is deposited (recorded, 2026)."""

LINKS_SHOWN = frozenset({"Invoice"})
"""Transactions that show what they were made from; a bill does not name its purchase order (recorded, 2026)."""

DEFAULT_TERM_APPLIES_TO = frozenset({"Invoice"})
"""Transactions that are due by the company's default term if they have none."""

LINES_WITHOUT_LINE_NUM = frozenset({"JournalEntry", "Purchase"})
"""Lines that have an Id and no LineNum (recorded, 2026)."""

LINES_AS_SENT = frozenset({"BillPayment", "Payment"})
"""Lines that get neither Id nor LineNum."""

LINES_WITH_LINKS = frozenset({"Bill"})
"""Lines that always have LinkedTxn (recorded, 2026)."""

WITHOUT_EMPTY_LINKS = frozenset({"Bill", "VendorCredit"})
"""Transactions without LinkedTxn if nothing is linked (recorded, 2026, of bills; assumed of vendor credits)."""

REQUIRED_IN_LINE: Mapping[str, tuple[str, ...]] = {
    "AccountBasedExpenseLineDetail": ("AccountRef",),
    "ItemBasedExpenseLineDetail": (),
    "JournalEntryLineDetail": ("PostingType", "AccountRef"),
    "SalesItemLineDetail": (),
}
"""Lines that require an amount and a detail object that is not empty, and the properties that this object requires.

Source: public reports of real refusals, 2026: `Required parameter Line.Amount is missing in the request`, the same for
Line.SalesItemLineDetail if it is `{}`, and for Line.AccountBasedExpenseLineDetail.AccountRef.
"""

PRICED_LINES = frozenset({"ItemBasedExpenseLineDetail", "SalesItemLineDetail"})
"""Lines whose amount must be their quantity times their price (6070)."""

WITH_MODIFIER = frozenset({"Bill", "Invoice", "PurchaseOrder"})
"""Entities whose MetaData names the user who changed them (recorded, 2026)."""

TEMPLATES = (
    "Bill", "CreditMemo", "Deposit", "Estimate", "Invoice", "JournalEntry", "Purchase", "PurchaseOrder",
    "RefundReceipt", "SalesReceipt", "Transfer", "VendorCredit",
)  # fmt: skip
"""Entities that a recurring transaction can be a template of.

Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/recurringtransaction.
"""


def template_of(record: Any) -> tuple[str, dict[str, Any]]:
    """Return the entity that a recurring transaction is a template of, and the record inside; "" and {} if neither."""
    for name in TEMPLATES if isinstance(record, dict) else ():
        if isinstance(record.get(name), dict):
            return name, record[name]
    return "", {}


NOT_IN_TEMPLATES = frozenset({"DocNumber", "DueDate", "TxnDate"})
"""Properties that a transaction created from a template gets, but not the template itself."""

_SALES_FORM: dict[str, Any] = {
    "CustomField": [],
    "CurrencyRef": US_DOLLAR,
    "TxnTaxDetail": {"TotalTax": Decimal(0)},
    "FreeFormAddress": True,
    "ApplyTaxAfterDiscount": False,
    "PrintStatus": "NeedToPrint",
    "EmailStatus": "NotSet",
}
_PURCHASE: dict[str, Any] = {"CurrencyRef": US_DOLLAR}

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "Account": {
        "SubAccount": False,
        "CurrentBalance": Decimal(0),
        "CurrentBalanceWithSubAccounts": Decimal(0),
        "CurrencyRef": US_DOLLAR,
    },
    "Bill": _PURCHASE,
    "BillPayment": _PURCHASE,
    "ChangeOrder": _SALES_FORM | {"TxnStatus": "Pending"},
    "Class": {"SubClass": False},
    "CreditMemo": _SALES_FORM,
    "Customer": {
        "Taxable": True,
        "Job": False,
        "BillWithParent": False,
        "Balance": Decimal(0),
        "BalanceWithJobs": Decimal(0),
        "CurrencyRef": US_DOLLAR,
        "PreferredDeliveryMethod": "Print",
        "IsProject": False,
        "ClientEntityId": "0",
    },
    "Department": {"SubDepartment": False},
    "Deposit": _PURCHASE | {"TxnTaxDetail": {}},
    "Employee": {"BillableTime": False},
    "Estimate": _SALES_FORM | {"TxnStatus": "Pending"},
    "Invoice": _SALES_FORM
    | {
        "AllowIPNPayment": False,
        "AllowOnlinePayment": False,
        "AllowOnlineCreditCardPayment": False,
        "AllowOnlineACHPayment": False,
        "LinkedTxn": [],
    },
    "Item": {
        "Taxable": False,
        "UnitPrice": 0,
        "Type": "Service",
        "PurchaseCost": 0,
        "TrackQtyOnHand": False,
    },
    "JournalEntry": _PURCHASE | {"Adjustment": False, "TotalAmt": Decimal(0), "TxnTaxDetail": {}},
    "Payment": {
        "ProcessPayment": False,
        "CurrencyRef": US_DOLLAR,
        "Line": [],
    },
    "PaymentMethod": {"Type": "NON_CREDIT_CARD"},
    "Purchase": _PURCHASE,
    "PurchaseOrder": _PURCHASE
    | {"EmailStatus": "NotSet", "POStatus": "Open", "CustomField": [], "LinkedTxn": []},
    "RefundReceipt": _SALES_FORM | {"Balance": Decimal(0)},
    "SalesReceipt": _SALES_FORM | {"Balance": Decimal(0)},
    "Term": {"Type": "STANDARD"},
    "Vendor": {
        "Balance": Decimal(0),
        "Vendor1099": False,
        "CurrencyRef": US_DOLLAR,
    },
    "VendorCredit": _PURCHASE,
}  # fmt: skip
"""Defaults of a create."""

DEFAULTS_BY_KIND: Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]] = {
    "Purchase": ("PaymentType", {"Check": {"PrintStatus": "NotSet"}, "CreditCard": {"Credit": False}}),
}
"""Defaults of a create that depend on a property (recorded, 2026, of 35 purchases)."""

ONLINE_PAYMENTS = ("AllowOnlineCreditCardPayment", "AllowOnlineACHPayment")
"""Properties of an invoice that follow a setting of the company (assumed: ETransactionPaymentEnabled) if not sent.

Recorded, 2026: of seven invoices created within seven minutes, the first four have neither and the rest have both.
"""

EXPENSE_CODES: Mapping[str, str] = {"Cash": "54", "Check": "3", "CreditCard": "54", "CreditCard credit": "11"}
"""The code of a purchase's kind inside PurchaseEx (recorded, 2026).

Other codes are of purchases made on forms that an API has no property for: 31 and 1.
"""

DEFAULT_ACCOUNTS: Mapping[str, tuple[str, str, str]] = {
    "Bill": ("APAccountRef", "AccountType", "Accounts Payable"),
    "Payment": ("DepositToAccountRef", "AccountSubType", "UndepositedFunds"),
    "PurchaseOrder": ("APAccountRef", "AccountType", "Accounts Payable"),
    "SalesReceipt": ("DepositToAccountRef", "AccountSubType", "UndepositedFunds"),
    "VendorCredit": ("APAccountRef", "AccountType", "Accounts Payable"),
}
"""References to an account that a create and a full update get if they are not sent, and the account's kind.

Sources: recorded, 2026, of 33 bills and 12 purchase orders; recorded, 2016 to 2026, of receipts and payments; a vendor
credit is assumed to be like a bill.
"""

_SALES_DETAIL: dict[str, Any] = {"TaxCodeRef": {"value": "NON"}}
_EXPENSE_DETAIL: dict[str, Any] = {"BillableStatus": "NotBillable", "TaxCodeRef": {"value": "NON"}}
DETAIL_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "SalesItemLineDetail": _SALES_DETAIL,
    "AccountBasedExpenseLineDetail": _EXPENSE_DETAIL,
    "ItemBasedExpenseLineDetail": _EXPENSE_DETAIL,
}
"""Defaults inside a line."""

REFERENCE_TARGETS: Mapping[str, str] = {
    "CustomerRef": "Customer",
    "VendorRef": "Vendor",
    "EmployeeRef": "Employee",
    "ItemRef": "Item",
    "ClassRef": "Class",
    "DepartmentRef": "Department",
    "PaymentMethodRef": "PaymentMethod",
    "SalesTermRef": "Term",
    **dict.fromkeys(
        (
            "APAccountRef",
            "ARAccountRef",
            "AssetAccountRef",
            "BankAccountRef",
            "CCAccountRef",
            "CreditCardAccountRef",
            "DepositToAccountRef",
            "DiscountAccountRef",
            "ExpenseAccountRef",
            "FromAccountRef",
            "IncomeAccountRef",
            "ItemAccountRef",
            "ToAccountRef",
        ),
        "Account",
    ),
    "AccountRef": "Account",
    "MarkUpIncomeAccountRef": "Account",
    "PrefVendorRef": "Vendor",
}
"""References that are returned with the name of the record that they refer to."""

MARKS_OF_CHILDREN: Mapping[str, str] = {
    "Account": "SubAccount",
    "Class": "SubClass",
    "Department": "SubDepartment",
    "Item": "SubItem",
}
"""Properties that say whether a record has a parent (recorded of 107 accounts; the others: Intuit's pages)."""

WITH_LEVEL = frozenset({"Customer", "Item"})
"""Entities that count how far a record is below the top (recorded of customers; items: Intuit's page)."""

REFERABLE = frozenset({*REFERENCE_TARGETS.values(), "Customer", "Employee", "Vendor"})
"""Entities whose names references have."""

NAMELESS_REFERENCES: Mapping[str, frozenset[str]] = {
    "Bill": frozenset({"SalesTermRef"}),
    "Deposit": frozenset({"PaymentMethodRef"}),
    "Payment": frozenset({"ARAccountRef", "DepositToAccountRef", "PaymentMethodRef"}),
    "VendorCredit": frozenset({"SalesTermRef"}),
}
"""References that are returned without a name, though the same ones of other entities have one (recorded, 2026)."""

CURRENCY_NAMES: Mapping[str, str] = {
    "AUD": "Australian Dollar",
    "CAD": "Canadian Dollar",
    "EUR": "Euro",
    "GBP": "British Pound Sterling",
    "INR": "Indian Rupee",
    "JPY": "Japanese Yen",
    "MXN": "Mexican Peso",
    "NZD": "New Zealand Dollar",
    "USD": "United States Dollar",
}
"""Names of currencies that the company's own list does not have."""

LINE_KEY_ORDER = ("Id", "LineNum", "Description", "Amount", "LinkedTxn", "Received", "DetailType")
DETAIL_KEY_ORDER = (
    "ServiceDate",
    "PercentBased",
    "DiscountPercent",
    "DiscountAccountRef",
    "PostingType",
    "CustomerRef",
    "AccountRef",
    "BillableStatus",
    "ItemRef",
    "UnitPrice",
    "Qty",
    "MarkupInfo",
    "ItemAccountRef",
    "TaxCodeRef",
)

_ENVELOPE = "domain sparse Id SyncToken MetaData"
_BILL = (
    f"SalesTermRef DueDate VendorAddr Balance HomeBalance {_ENVELOPE} DocNumber TxnDate CurrencyRef ExchangeRate"
    " PrivateNote LinkedTxn Line VendorRef APAccountRef TotalAmt"
)
_SALES_RECEIPT = (
    f"{_ENVELOPE} CustomField DocNumber TxnDate CurrencyRef PrivateNote LinkedTxn Line TxnTaxDetail CustomerRef"
    " CustomerMemo BillAddr ShipAddr FreeFormAddress ShipFromAddr TotalAmt ApplyTaxAfterDiscount PrintStatus"
    " EmailStatus BillEmail Balance PaymentMethodRef PaymentRefNum DepositToAccountRef"
)
_ESTIMATE = (
    f"{_ENVELOPE} CustomField DocNumber TxnDate CurrencyRef PrivateNote TxnStatus LinkedTxn Line TxnTaxDetail"
    " CustomerRef CustomerMemo BillAddr ShipAddr FreeFormAddress ShipFromAddr TotalAmt ApplyTaxAfterDiscount"
    " PrintStatus EmailStatus BillEmail DeliveryInfo"
)
_TERM = "DiscountPercent DueDays DiscountDays DayOfMonthDue DueNextMonthDays"
_NAME_LIST = f"Name SubClass SubDepartment ParentRef FullyQualifiedName Active Type %s {_ENVELOPE}"

_ORDERS: Mapping[str, str] = {
    "Account": (
        "Name SubAccount ParentRef Description FullyQualifiedName Active Classification AccountType AccountSubType"
        f" AcctNum CurrentBalance CurrentBalanceWithSubAccounts CurrencyRef {_ENVELOPE}"
    ),
    "Bill": _BILL,
    "BillPayment": (
        f"VendorRef PayType CreditCardPayment CheckPayment TotalAmt {_ENVELOPE} DocNumber TxnDate CurrencyRef"
        " PrivateNote Line"
    ),
    "CreditMemo": (
        f"RemainingCredit {_ENVELOPE} CustomField DocNumber TxnDate CurrencyRef PrivateNote LinkedTxn Line TxnTaxDetail"
        " CustomerRef BillAddr ShipAddr FreeFormAddress ShipFromAddr CustomerMemo TotalAmt ApplyTaxAfterDiscount"
        " PrintStatus EmailStatus BillEmail Balance"
    ),
    "Customer": (
        "Taxable BillAddr ShipAddr Notes Job BillWithParent ParentRef Level SalesTermRef PaymentMethodRef Balance"
        f" BalanceWithJobs CurrencyRef PreferredDeliveryMethod IsProject ClientEntityId {_ENVELOPE} Title GivenName"
        " MiddleName FamilyName Suffix FullyQualifiedName CompanyName DisplayName PrintOnCheckName Active"
        " V4IDPseudonym PrimaryPhone AlternatePhone Mobile Fax PrimaryEmailAddr WebAddr DefaultTaxCodeRef"
    ),
    "Deposit": (
        f"DepositToAccountRef CashBack TotalAmt {_ENVELOPE} DocNumber TxnDate CurrencyRef PrivateNote Line TxnTaxDetail"
    ),
    "Employee": (
        f"BillableTime BirthDate HiredDate {_ENVELOPE} Title GivenName MiddleName FamilyName Suffix DisplayName"
        " PrintOnCheckName Active PrimaryPhone Mobile PrimaryEmailAddr"
    ),
    "ChangeOrder": _ESTIMATE,
    "Estimate": _ESTIMATE,
    "Invoice": (
        "Deposit AllowIPNPayment AllowOnlinePayment AllowOnlineCreditCardPayment AllowOnlineACHPayment InvoiceLink"
        f" {_ENVELOPE} CustomField DocNumber TxnDate CurrencyRef ExchangeRate PrivateNote LinkedTxn Line TxnTaxDetail"
        " CustomerRef CustomerMemo BillAddr ShipAddr FreeFormAddress ShipFromAddr SalesTermRef DueDate TotalAmt"
        " HomeTotalAmt ApplyTaxAfterDiscount PrintStatus EmailStatus BillEmail Balance HomeBalance DeliveryInfo"
    ),
    "Item": (
        "Name Sku Description Active SubItem ParentRef Level FullyQualifiedName Taxable UnitPrice Type IncomeAccountRef"
        " PurchaseDesc PurchaseCost ExpenseAccountRef AssetAccountRef PrefVendorRef TrackQtyOnHand DeferredRevenue"
        f" QtyOnHand InvStartDate PrintGroupedItems ItemGroupDetail {_ENVELOPE}"
    ),
    "JournalEntry": (
        f"Adjustment TotalAmt {_ENVELOPE} DocNumber TxnDate CurrencyRef PrivateNote LinkedTxn Line TxnTaxDetail"
    ),
    "Payment": (
        "CustomerRef DepositToAccountRef PaymentMethodRef PaymentRefNum TotalAmt UnappliedAmt ProcessPayment"
        f" {_ENVELOPE} TxnDate CurrencyRef ExchangeRate PrivateNote LinkedTxn Line"
    ),
    "Purchase": (
        f"AccountRef PaymentType EntityRef Credit RemitToAddr TotalAmt PrintStatus PurchaseEx {_ENVELOPE} DocNumber"
        " TxnDate CurrencyRef PrivateNote Line"
    ),
    "PurchaseOrder": (
        f"VendorAddr ShipAddr EmailStatus POStatus {_ENVELOPE} CustomField DocNumber TxnDate CurrencyRef PrivateNote"
        " LinkedTxn Line VendorRef APAccountRef TotalAmt Memo"
    ),
    "RefundReceipt": _SALES_RECEIPT,
    "SalesReceipt": _SALES_RECEIPT,
    "Transfer": f"FromAccountRef ToAccountRef Amount {_ENVELOPE} TxnDate CurrencyRef PrivateNote",
    "Vendor": (
        "BillAddr TaxIdentifier TermRef Balance BillRate AcctNum Vendor1099 CurrencyRef CostRate"
        f" {_ENVELOPE} Title GivenName MiddleName FamilyName CompanyName Suffix DisplayName PrintOnCheckName Active"
        " V4IDPseudonym PrimaryPhone AlternatePhone Mobile Fax PrimaryEmailAddr WebAddr"
    ),
    "VendorCredit": _BILL,
    **dict.fromkeys(("Class", "Department", "PaymentMethod", "Term"), _NAME_LIST % _TERM),
}  # fmt: skip

KEY_ORDER: Mapping[str, Mapping[str, int]] = {
    name: {key: rank for rank, key in enumerate(order.split())} for name, order in _ORDERS.items()
}
"""The rank of each key of an entity's records."""

CLASSIFICATIONS: Mapping[str, str] = {
    **dict.fromkeys(
        ("Bank", "Accounts Receivable", "Other Current Asset", "Fixed Asset", "Other Asset"),
        "Asset",
    ),
    **dict.fromkeys(
        ("Accounts Payable", "Credit Card", "Other Current Liability", "Long Term Liability"),
        "Liability",
    ),
    **dict.fromkeys(("Income", "Other Income"), "Revenue"),
    **dict.fromkeys(("Expense", "Other Expense", "Cost of Goods Sold"), "Expense"),
    "Equity": "Equity",
}  # fmt: skip
"""An account's Classification by its AccountType.

Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/account.
"""

ACCOUNT_SUB_TYPES: Mapping[str, str] = {"Bank": "CashOnHand"}
"""The AccountSubType that an AccountType gets when none is sent (recorded, 2026)."""
