"""Financial statements: rows are accounts in groups, columns are periods or names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.books.accounts import PROFIT_AND_LOSS_TYPES, TYPES, Account
from vantage_quickbooks.emulator.reports import layout, periods
from vantage_quickbooks.emulator.reports.figures import Figures, Values, add, by_name, total
from vantage_quickbooks.emulator.reports.layout import Body, Row, cell, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a statement.

    Attributes:
        group: The group's key.
        title: Its header.
        summary: Its last line.
        types: Account types of its rows.
        groups: Groups inside.
        always: Whether it is shown without rows.
    """

    group: str
    title: str
    summary: str
    types: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    always: bool = False


INCOME = Group("Income", "Income", "Total Income", ("Income",), always=True)
COST = Group("COGS", "Cost of Goods Sold", "Total Cost of Goods Sold", ("Cost of Goods Sold",))
EXPENSES = Group("Expenses", "Expenses", "Total Expenses", ("Expense",), always=True)
OTHER_INCOME = Group("OtherIncome", "Other Income", "Total Other Income", ("Other Income",))
OTHER_EXPENSES = Group("OtherExpenses", "Other Expenses", "Total Other Expenses", ("Other Expense",))

# What is computed after which group, and what of it is shown only with figures: recorded, 2020 (profit_and_loss.yml).
_INCOME_STATEMENT: tuple[tuple[Group | None, tuple[str, str, bool] | None], ...] = (
    (INCOME, None),
    (COST, ("GrossProfit", "Gross Profit", True)),
    (EXPENSES, ("NetOperatingIncome", "Net Operating Income", True)),
    (OTHER_INCOME, None),
    (OTHER_EXPENSES, ("NetOtherIncome", "Net Other Income", False)),
    (None, ("NetIncome", "Net Income", True)),
)

ASSETS = Group(
    "TotalAssets",
    "ASSETS",
    "TOTAL ASSETS",
    groups=(
        Group(
            "CurrentAssets",
            "Current Assets",
            "Total Current Assets",
            groups=(
                Group("BankAccounts", "Bank Accounts", "Total Bank Accounts", ("Bank",)),
                Group("AR", "Accounts Receivable", "Total Accounts Receivable", ("Accounts Receivable",)),
                Group(
                    "OtherCurrentAssets", "Other Current Assets", "Total Other Current Assets", ("Other Current Asset",)
                ),
            ),
        ),
        Group("FixedAssets", "Fixed Assets", "Total Fixed Assets", ("Fixed Asset",)),
        Group("OtherAssets", "Other Assets", "Total Other Assets", ("Other Asset",)),
    ),
    always=True,
)
LIABILITIES = Group(
    "Liabilities",
    "Liabilities",
    "Total Liabilities",
    groups=(
        Group(
            "CurrentLiabilities",
            "Current Liabilities",
            "Total Current Liabilities",
            groups=(
                Group("AP", "Accounts Payable", "Total Accounts Payable", ("Accounts Payable",)),
                Group("CreditCards", "Credit Cards", "Total Credit Cards", ("Credit Card",)),
                Group(
                    "OtherCurrentLiabilities",
                    "Other Current Liabilities",
                    "Total Other Current Liabilities",
                    ("Other Current Liability",),
                ),
            ),
        ),
        Group("LongTermLiabilities", "Long-Term Liabilities", "Total Long-Term Liabilities", ("Long Term Liability",)),
    ),
)
EQUITY = Group("Equity", "Equity", "Total Equity", ("Equity",))
"""The balance sheet. Source: Intuit's BalanceSheet page, a sample of the sandbox company of 2016."""

CASH_FLOWS = (
    ("OperatingActivities", "OPERATING ACTIVITIES", "Net cash provided by operating activities"),
    ("InvestingActivities", "INVESTING ACTIVITIES", "Net cash provided by investing activities"),
    ("FinancingActivities", "FINANCING ACTIVITIES", "Net cash provided by financing activities"),
)
_FLOW_OF_TYPE = {
    "Accounts Receivable": "OperatingActivities",
    "Other Current Asset": "OperatingActivities",
    "Accounts Payable": "OperatingActivities",
    "Credit Card": "OperatingActivities",
    "Other Current Liability": "OperatingActivities",
    "Fixed Asset": "InvestingActivities",
    "Other Asset": "InvestingActivities",
    "Long Term Liability": "FinancingActivities",
    "Equity": "FinancingActivities",
}
_ADJUSTMENTS = "Adjustments to reconcile Net Income to Net Cash provided by operations:"


class Tree:
    """Rows of accounts, children inside their parents.

    Args:
        figures: The report.
        amounts: Sums by account, signed as they are shown.
    """

    def __init__(self, figures: Figures, amounts: Mapping[str, Values]) -> None:
        self._figures = figures
        self._amounts = {id_: values for id_, values in amounts.items() if any(values)}
        self._width = len(figures.columns.keys)
        self._children: dict[str, list[Account]] = {}
        shown: set[str] = set()
        for id_ in self._amounts:
            following = id_
            while following and following not in shown:
                shown.add(following)
                account = figures.chart.get(following)
                parent = account.parent if figures.chart.get(account.parent).type == account.type else ""
                self._children.setdefault(parent, []).append(account)
                following = parent

    def total(self, *types: str) -> Values:
        """Return the sums of the accounts of some types."""
        chart = self._figures.chart
        return total([values for id_, values in self._amounts.items() if chart.get(id_).type in types], self._width)

    def rows(self, *types: str) -> list[Row]:
        """Return the rows of the accounts of some types."""
        return [self._row(account) for account in self._sorted("") if account.type in types]

    def _sorted(self, parent: str) -> list[Account]:
        accounts = by_name(self._children.get(parent, []))
        descend = self._figures.parameters.descend
        if descend is None:
            return accounts
        return sorted(accounts, key=lambda account: self._with_children(account)[-1], reverse=descend)

    def _with_children(self, account: Account) -> Values:
        own = self._amounts.get(account.id, [0] * self._width)
        return total([own, *(self._with_children(child) for child in self._children.get(account.id, []))], self._width)

    def _row(self, account: Account) -> Row:
        own = self._amounts.get(account.id)
        shown = cells(own) if own else layout.blank(self._width)
        first = named(account.name, account.shown_id)
        children = self._sorted(account.id)
        if not children:
            return layout.data([first, *shown])
        sums = [cell(f"Total {account.name}"), *cells(self._with_children(account))]
        return layout.section(header=[first, *shown], rows=[self._row(child) for child in children], summary=sums)


def cells(values: Values) -> list[layout.Cell]:
    """Return amounts as cells; zero is empty."""
    return [cell(layout.amount(value)) for value in values]


def _totals(figures: Figures, title: str, values: Values, *, has_data: bool = True) -> list[layout.Cell]:
    shown = [figures.engine.total(value) if has_data else "" for value in values]
    return [cell(figures.engine.title(title)), *layout.texts(shown)]


def _natural(figures: Figures, amounts: Mapping[str, Values]) -> dict[str, Values]:
    """Return amounts in their accounts' signs."""
    return {id_: [figures.chart.get(id_).sign * value for value in values] for id_, values in amounts.items()}


def _account_columns(figures: Figures) -> list[dict[str, object]]:
    return [layout.column("", "Account", "account"), *figures.columns.describe()]


def profit_and_loss(figures: Figures) -> Body:
    """Return the report ProfitAndLoss."""
    p = figures.parameters
    amounts = {
        id_: values
        for id_, values in figures.by_account(p.first, p.last).items()
        if figures.chart.get(id_).type in PROFIT_AND_LOSS_TYPES
    }
    tree = Tree(figures, _natural(figures, amounts))
    width = len(figures.columns.keys)
    has_data = any(any(values) for values in amounts.values())
    rows: list[Row] = []
    result = [0] * width
    other = False
    for group, after in _INCOME_STATEMENT:
        if group is not None:
            inner, sums = tree.rows(*group.types), tree.total(*group.types)
            other = other or (bool(inner) and group in (OTHER_INCOME, OTHER_EXPENSES))
            if inner or group.always:
                header = [cell(group.title), *layout.blank(width)]
                summary = _totals(figures, group.summary, sums, has_data=has_data)
                rows.append(layout.section(header=header, rows=inner or None, summary=summary, group=group.group))
            spends = group not in (INCOME, OTHER_INCOME)
            result = add(result, [-value for value in sums] if spends else sums)
        if after is not None and (after[2] or other):
            shown = result
            if after[0] == "NetOtherIncome":
                shown = add(tree.total("Other Income"), [-value for value in tree.total("Other Expense")])
            summary = _totals(figures, after[1], shown, has_data=has_data)
            rows.append(layout.section(summary=summary, group=after[0]))
    return Body(_account_columns(figures), rows, has_data, [("AccountingStandard", "GAAP")])


def balance_sheet(figures: Figures) -> Body:
    """Return the report BalanceSheet: balances at the end of each column."""
    balances, net_income = closing_balances(figures)
    tree = Tree(figures, _natural(figures, balances))
    width = len(figures.columns.keys)
    has_data = any(any(values) for values in balances.values()) or any(net_income)
    rows = []
    assets = _section(figures, tree, ASSETS)
    liabilities = _section(figures, tree, LIABILITIES)
    equity_rows = tree.rows("Equity")
    equity_rows.append(layout.data([cell("Net Income"), *cells(net_income)], "NetIncome"))
    equity = add(tree.total("Equity"), net_income)
    equity_section = layout.section(
        header=[cell(EQUITY.title), *layout.blank(width)],
        rows=equity_rows,
        summary=_totals(figures, EQUITY.summary, equity, has_data=has_data),
        group=EQUITY.group,
    )
    owed = [row for row in (liabilities[0], equity_section) if row]
    if assets[0]:
        rows.append(assets[0])
    rows.append(
        layout.section(
            header=[cell(figures.engine.title("LIABILITIES AND EQUITY")), *layout.blank(width)],
            rows=owed,
            summary=_totals(figures, "TOTAL LIABILITIES AND EQUITY", add(liabilities[1], equity), has_data=has_data),
            group="TotalLiabilitiesAndEquity",
        )
    )
    columns = _account_columns(figures)
    if figures.columns.parts:  # balances have no total over time
        columns.pop()
        for row in rows:
            _drop_last(row)
    return Body(columns, rows, has_data, [("AccountingStandard", "GAAP")])


def _drop_last(row: Row) -> None:
    for key in ("Header", "Summary"):
        if key in row:
            row[key]["ColData"].pop()
    if "ColData" in row:
        row["ColData"].pop()
    for inner in row.get("Rows", {}).get("Row", []):
        _drop_last(inner)


def _section(figures: Figures, tree: Tree, group: Group) -> tuple[Row | None, Values]:
    width = len(figures.columns.keys)
    inner = [_section(figures, tree, one) for one in group.groups]
    rows = [row for row, _ in inner if row] + (tree.rows(*group.types) if group.types else [])
    sums = total([tree.total(*group.types), *(values for _, values in inner)], width)
    if not rows and not group.always:
        return None, sums
    header = [cell(figures.engine.title(group.title)), *layout.blank(width)]
    summary = _totals(figures, group.summary, sums, has_data=bool(rows))
    return layout.section(header=header, rows=rows or None, summary=summary, group=group.group), sums


def closing_balances(figures: Figures) -> tuple[dict[str, Values], Values]:
    """Return the balances of the accounts at the end of each column, debits positive, and the year's net income.

    Earlier years' income is closed into retained earnings.
    """
    p, chart, columns = figures.parameters, figures.chart, figures.columns
    width = len(columns.keys)
    balances: dict[str, Values] = {}
    earnings = [0] * width  # of all years
    for id_, values in figures.by_account("", p.last, cumulative=True).items():
        if chart.get(id_).type in PROFIT_AND_LOSS_TYPES:
            earnings = add(earnings, [-value for value in values])
        else:
            balances[id_] = values
    closed = _closed_earnings(figures)
    retained = chart.role("retained")
    balances[retained] = add(balances.get(retained, [0] * width), [-value for value in closed])
    return balances, [all_years - before for all_years, before in zip(earnings, closed, strict=True)]


def _closed_earnings(figures: Figures) -> Values:
    """Return the net income of the years before that of each column's end."""
    p, columns = figures.parameters, figures.columns
    ends = [part.end for part in columns.parts] + [p.end or p.today]
    types = _marks(figures)
    dimension = f"l.{columns.dimension}" if columns.dimension else "''"
    result = []
    for at, end in enumerate(ends if not columns.dimension else [ends[-1]] * len(columns.keys)):
        start = periods.fiscal_year_start(end, p.fiscal_month) if end > date.min else end
        until = (start - timedelta(days=1)).isoformat() if start > date.min else ""
        key = columns.keys[at]
        where = f"l.date <= :until AND l.account IN ({types})"
        if columns.dimension and at < len(columns.keys) - 1:
            where += f" AND {dimension} = :key"
        (sum_,) = figures.query("coalesce(sum(l.cents), 0)", where, until=until, key=key).fetchone()
        result.append(-sum_)
    return result


def _marks(figures: Figures) -> str:
    """Return the Ids of the income and expense accounts, as SQL."""
    used = figures.db.execute("SELECT DISTINCT account FROM ledger_line WHERE book = ?", (figures.ledger.book,))
    ids = {id_ for (id_,) in used}
    ids |= {figures.chart.role("unapplied-payment"), figures.chart.role("unapplied-bill-payment")}
    quoted = ["'" + id_.replace("'", "''") + "'" for id_ in ids if figures.chart.get(id_).type in PROFIT_AND_LOSS_TYPES]
    return ", ".join(sorted(quoted))


def trial_balance(figures: Figures) -> Body:
    """Return the report TrialBalance: balances at the end, income and expenses of the fiscal year."""
    p, chart = figures.parameters, figures.chart
    figures.parameters.summarize = "Total"
    balances, _ = closing_balances(figures)
    end = p.end or p.today
    start = periods.fiscal_year_start(end, p.fiscal_month).isoformat()
    for id_, values in figures.by_account(start, p.last).items():
        if chart.get(id_).type in PROFIT_AND_LOSS_TYPES:
            balances[id_] = values
    ranks = {type_: rank for rank, type_ in enumerate(TYPES)}
    accounts = sorted(
        (chart.get(id_) for id_, values in balances.items() if values[-1]),
        key=lambda one: (ranks[one.type], one.full_name.casefold(), one.id),
    )
    if p.descend is not None:
        accounts.sort(key=lambda one: balances[one.id][-1], reverse=p.descend)
    rows, debits, credits_ = [], 0, 0
    for account in accounts:
        cents = balances[account.id][-1]
        debits, credits_ = debits + max(cents, 0), credits_ + max(-cents, 0)
        shown = layout.texts([layout.amount(max(cents, 0)), layout.amount(max(-cents, 0))])
        rows.append(layout.data([named(account.full_name, account.shown_id), *shown], typed=False))
    summary = [
        cell(figures.engine.title("TOTAL")),
        *layout.texts([figures.engine.total(debits), figures.engine.total(credits_)]),
    ]
    if rows:
        rows.append(layout.section(summary=summary, group="GrandTotal"))
    columns = [
        layout.column("", "Account", "account"),
        layout.column("Debit", "Money", "debit"),
        layout.column("Credit", "Money", "credit"),
    ]
    return Body(columns, rows, bool(rows))


def cash_flow(figures: Figures) -> Body:
    """Return the report CashFlow. Undeposited funds are cash, as they are in QuickBooks' statement."""
    p, chart, columns = figures.parameters, figures.chart, figures.columns
    width = len(columns.keys)
    moved = figures.by_account(p.first, p.last)
    net = total(
        [[-v for v in values] for id_, values in moved.items() if chart.get(id_).type in PROFIT_AND_LOSS_TYPES], width
    )
    undeposited = chart.role("undeposited")

    def is_cash(account: Account) -> bool:
        return account.type == "Bank" or account.id == undeposited

    rows: list[Row] = []
    increase = [0] * width
    for group, title, summary in CASH_FLOWS:
        accounts = [
            chart.get(id_)
            for id_, values in moved.items()
            if any(values) and not is_cash(chart.get(id_)) and _FLOW_OF_TYPE.get(chart.get(id_).type) == group
        ]
        accounts.sort(key=lambda one: (TYPES.index(one.type), one.full_name.casefold(), one.id))
        flows = {account.id: [-value for value in moved[account.id]] for account in accounts}
        inner = [layout.data([named(one.full_name, one.shown_id), *cells(flows[one.id])]) for one in accounts]
        sums = total(list(flows.values()), width)
        if group == "OperatingActivities":
            header = [cell(_ADJUSTMENTS), *layout.blank(width)]
            adjusted = _totals(figures, f"Total {_ADJUSTMENTS}", sums)
            adjustments = layout.section(header=header, rows=inner, summary=adjusted, group="OperatingAdjustments")
            inner = [layout.data([cell("Net Income"), *cells(net)], "NetIncome"), *([adjustments] if inner else [])]
            sums = add(sums, net)
        increase = add(increase, sums)
        if accounts or (group == "OperatingActivities" and any(net)):
            header = [cell(figures.engine.title(title)), *layout.blank(width)]
            rows.append(layout.section(header=header, rows=inner, summary=_totals(figures, summary, sums), group=group))
    has_data = bool(rows)
    beginning = _cash_before(figures, is_cash)
    if has_data or any(beginning):
        rows.append(
            layout.section(summary=_totals(figures, "Net cash increase for period", increase), group="CashIncrease")
        )
        if any(beginning):
            rows.append(layout.data([cell("Cash at beginning of period"), *cells(beginning)], "BeginningCash"))
        ending = _totals(figures, "Cash at end of period", add(beginning, increase))
        rows.append(layout.section(summary=ending, group="EndingCash"))
    return Body(_account_columns(figures), rows, has_data)


def _cash_before(figures: Figures, is_cash: Callable[[Account], bool]) -> Values:
    """Return the cash at the beginning of each column."""
    p, columns = figures.parameters, figures.columns
    starts = [part.start.isoformat() for part in columns.parts] + [p.first]
    if columns.dimension:
        starts = [p.first] * len(columns.keys)
    result = []
    for at, start in enumerate(starts):
        where = "l.date < :start"
        if columns.dimension and at < len(columns.keys) - 1:
            where += f" AND l.{columns.dimension} = :key"
        rows = figures.query("l.account, sum(l.cents)", where, "GROUP BY 1", start=start, key=columns.keys[at])
        result.append(sum(cents for id_, cents in rows if is_cash(figures.chart.get(id_))))
    return result
