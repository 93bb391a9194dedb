"""The chart of accounts: types, natural signs, and the accounts that QuickBooks chooses itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.books.values import number_of, ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vantage_quickbooks.emulator.company.company import Company

RECEIVABLE = "Accounts Receivable"
PAYABLE = "Accounts Payable"

TYPES = (
    "Bank", RECEIVABLE, "Other Current Asset", "Fixed Asset", "Other Asset", PAYABLE, "Credit Card",
    "Other Current Liability", "Long Term Liability", "Equity", "Income", "Cost of Goods Sold", "Expense",
    "Other Income", "Other Expense",
)  # fmt: skip
"""Account types in the order of a general ledger (recorded, 2018)."""

DEBIT_TYPES = frozenset(
    {
        "Bank", RECEIVABLE, "Other Current Asset", "Fixed Asset", "Other Asset", "Cost of Goods Sold", "Expense",
        "Other Expense",
    }
)  # fmt: skip
"""Types whose amounts are shown positive when they are debits (recorded, 2018)."""

PROFIT_AND_LOSS_TYPES = frozenset({"Income", "Cost of Goods Sold", "Expense", "Other Income", "Other Expense"})
"""Types that a year's end closes into retained earnings."""

# Accounts that QuickBooks creates when it first needs them: role, name, type, subtypes by which one is recognized.
_ROLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "receivable": ("Accounts Receivable (A/R)", RECEIVABLE, ("AccountsReceivable",)),
    "payable": ("Accounts Payable (A/P)", PAYABLE, ("AccountsPayable",)),
    "undeposited": ("Undeposited Funds", "Other Current Asset", ("UndepositedFunds",)),
    "checking": ("Checking", "Bank", ("Checking",)),
    "card": ("Credit Card", "Credit Card", ("CreditCard",)),
    "inventory": ("Inventory Asset", "Other Current Asset", ("Inventory",)),
    "cost": ("Cost of Goods Sold", "Cost of Goods Sold", ("SuppliesMaterialsCogs",)),
    "tax": ("Sales Tax Payable", "Other Current Liability", ("SalesTaxPayable", "GlobalTaxPayable")),
    "opening": ("Opening Balance Equity", "Equity", ("OpeningBalanceEquity",)),
    "retained": ("Retained Earnings", "Equity", ("RetainedEarnings",)),
    "sales": ("Sales", "Income", ("SalesOfProductIncome", "ServiceFeeIncome")),
    "discounts": ("Discounts given", "Income", ("DiscountsRefundsGiven",)),
    "shipping": ("Shipping Income", "Income", ("ShippingIncome",)),
    "shrinkage": ("Inventory Shrinkage", "Cost of Goods Sold", ("InventoryShrinkage",)),
    "exchange": ("Exchange Gain or Loss", "Other Expense", ("ExchangeGainOrLoss",)),
    "unapplied-payment": ("Unapplied Cash Payment Income", "Income", ("UnappliedCashPaymentIncome",)),
    "unapplied-bill-payment": (
        "Unapplied Cash Bill Payment Expense",
        "Expense",
        ("UnappliedCashBillPaymentExpense",),
    ),
    "uncategorized-income": ("Uncategorized Income", "Income", ()),
    "uncategorized-expense": ("Uncategorized Expense", "Expense", ()),
    "uncategorized-asset": ("Uncategorized Asset", "Other Current Asset", ()),
}


@dataclass(slots=True)
class Account:
    """An account.

    Attributes:
        id: Its Id; an account that QuickBooks would create has its role in brackets.
        name: Name, without its parents.
        full_name: With its parents.
        type: AccountType.
        subtype: AccountSubType.
        parent: Id of its parent, or "".
        number: AcctNum.
        currency: Code.
        body: The record.
    """

    id: str
    name: str
    full_name: str
    type: str
    subtype: str = ""
    parent: str = ""
    number: str = ""
    currency: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sign(self) -> int:
        """1 if debits are shown positive, otherwise -1."""
        return 1 if self.type in DEBIT_TYPES else -1

    @property
    def shown_id(self) -> str:
        """The Id in a report; "" for an account without a record."""
        return "" if self.id.startswith("[") else self.id


class Chart:
    """The accounts of a company.

    Args:
        accounts: Its account records.
        home: Code of the home currency.
    """

    def __init__(self, accounts: Iterable[Mapping[str, Any]], home: str) -> None:
        self.home = home
        self._by_id: dict[str, Account] = {}
        for body in accounts:
            account = _account(body)
            self._by_id[account.id] = account
        self._created: dict[str, Account] = {}
        self._by_role: dict[str, str] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_id.values())

    def get(self, id_: str) -> Account:
        """Return an account; one without a record has the name of its role, or none."""
        if (found := self._by_id.get(id_) or self._created.get(id_)) is not None:
            return found
        role = _ROLES.get(id_[1:-1]) if id_.startswith("[") else None
        name, type_ = (role[0], role[1]) if role else (id_, "Other Current Asset")
        return self._created.setdefault(id_, Account(id_, name, name, type_))

    def role(self, role: str) -> str:
        """Return the Id of the account that has a role, such as `undeposited`."""
        if role not in self._by_role:
            name, type_, subtypes = _ROLES[role]
            known = sorted(self._by_id.values(), key=lambda account: (len(account.id), account.id))
            fits = [one for one in known if one.full_name == name and one.type == type_]
            fits += [one for one in known if one.subtype in subtypes and one.currency in ("", self.home)]
            self._by_role[role] = fits[0].id if fits else f"[{role}]"
        return self._by_role[role]

    def tax(self, agency: str) -> str:
        """Return the liability account of a tax agency.

        QuickBooks names it after the agency (recorded, 2018). Without a known agency it is the one that owes most.
        """
        for account in self._by_id.values():
            if agency and account.full_name == f"{agency} Payable":
                return account.id
        subtypes = _ROLES["tax"][2]
        for subtype in subtypes:
            fits = [one for one in self._by_id.values() if one.subtype == subtype]
            if fits:
                return max(fits, key=lambda one: abs(number_of(one.body.get("CurrentBalance")))).id
        return self.role("tax")

    def control(self, role: str, currency: str) -> str:
        """Return the receivable or payable account of a currency.

        Args:
            role: `receivable` or `payable`.
            currency: Code; "" is the home currency.
        """
        type_ = _ROLES[role][1]
        if currency and currency != self.home:
            for account in self._by_id.values():
                if account.type == type_ and account.currency == currency:
                    return account.id
        return self.role(role)


def _account(body: Mapping[str, Any]) -> Account:
    name = str(body.get("Name") or "")
    type_ = str(body.get("AccountType") or "")
    return Account(
        id=str(body.get("Id")),
        name=name,
        full_name=str(body.get("FullyQualifiedName") or name),
        type=type_ if type_ in TYPES else "Other Current Asset",
        subtype=str(body.get("AccountSubType") or ""),
        parent=ref(body, "ParentRef"),
        number=str(body.get("AcctNum") or ""),
        currency=ref(body, "CurrencyRef"),
        body=body,
    )


def chart_of(company: Company) -> Chart:
    """Return a company's chart of accounts, inactive accounts included."""
    return Chart(bodies(company, "Account"), home_currency(company))


def bodies(company: Company, entity: str) -> list[dict[str, Any]]:
    """Return all records of a small list."""
    kind = company.store.kind(company.realm, entity)
    with company.store.reading() as db:
        sql = "SELECT b.body FROM record r JOIN body b ON b.row = r.row WHERE r.kind = ? ORDER BY r.row"
        return [json.loads(body) for (body,) in db.execute(sql, (kind,))]


def home_currency(company: Company) -> str:
    """Return the code of a company's home currency (Preferences.CurrencyPrefs.HomeCurrency)."""
    return ref(company.find("Preferences", "1"), "CurrencyPrefs", "HomeCurrency") or "USD"
