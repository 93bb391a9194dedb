"""Lists of transactions: their columns are rows of a table, their sections accounts, names or transactions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from vantage_quickbooks.emulator.books.accounts import PROFIT_AND_LOSS_TYPES, TYPES, Account
from vantage_quickbooks.emulator.reports import layout, periods
from vantage_quickbooks.emulator.reports.layout import Body, Row, cell, named
from vantage_quickbooks.emulator.reports.opens import Open, Side, days_past_due, open_items
from vantage_quickbooks.emulator.reports.summaries import bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vantage_quickbooks.emulator.reports.figures import Figures

_SPLIT = "-Split-"


@dataclass(slots=True)
class Entry:
    """A row of a list, before its columns are chosen.

    Attributes:
        txn: The transaction's row in the ledger.
        id: Its Id.
        type: Its type.
        date: TxnDate.
        due: DueDate.
        num: DocNumber.
        name_kind: Entity of the name.
        name: Id of the customer, vendor or employee.
        memo: Description or note.
        account: Id.
        other: Id of the account on the other side; None if there are several.
        cents: Signed as the account's amounts are shown.
        raw: Debit positive.
        open_cents: What is open.
        balance: Running balance.
        past_due: Days.
        klass: Id.
        department: Id.
        posting: Whether it changes accounts.
        follows: Whether it follows another row of the same transaction.
    """

    txn: int
    id: str
    type: str
    date: str
    due: str
    num: str
    name_kind: str
    name: str
    memo: str
    account: str
    other: str | None
    cents: int
    raw: int
    open_cents: int = 0
    balance: int = 0
    past_due: int = 0
    klass: str = ""
    department: str = ""
    posting: bool = True
    follows: bool = False


class _Column(NamedTuple):
    title: str
    type: str
    cell: Callable[[Figures, Entry], layout.Cell]
    amount: Callable[[Entry], int] | None = None  # summed at the end of a section


def _name(figures: Figures, entry: Entry) -> layout.Cell:
    return cell(figures.names(entry.name_kind).get(entry.name, ""), entry.name)


def _account(figures: Figures, entry: Entry) -> layout.Cell:
    account = figures.chart.get(entry.account)
    return cell(account.full_name if entry.account else "", account.shown_id)


def _other(figures: Figures, entry: Entry) -> layout.Cell:
    if entry.other is None:
        return cell("" if figures.engine.modern else _SPLIT, "")
    account = figures.chart.get(entry.other)
    return cell(account.full_name if entry.other else "", account.shown_id)


def _listed(entity: str, key: str) -> Callable[[Figures, Entry], layout.Cell]:
    def spell(figures: Figures, entry: Entry) -> layout.Cell:
        id_ = getattr(entry, key)
        return cell(figures.names(entity).get(id_, ""), id_)

    return spell


def _money(title: str, of: Callable[[Entry], int], *, summed: bool = True, empty: bool = False) -> _Column:
    def spell(_: Figures, entry: Entry) -> layout.Cell:
        cents = of(entry)
        return cell(layout.amount(cents) if empty else layout.money(cents))

    return _Column(title, "Money", spell, of if summed else None)


COLUMNS: dict[str, _Column] = {
    "tx_date": _Column("Date", "Date", lambda _, e: cell("0-00-00" if e.follows else e.date)),
    "txn_type": _Column("Transaction Type", "String", lambda _, e: cell("" if e.follows else e.type, e.id)),
    "doc_num": _Column("Num", "String", lambda _, e: cell("" if e.follows else e.num)),
    "is_no_post": _Column("Posting", "Boolean", lambda _, e: cell("Yes" if e.posting else "No")),
    "name": _Column("Name", "String", _name),
    "cust_name": _Column("Customer", "String", _name),
    "vend_name": _Column("Vendor", "String", _name),
    "memo": _Column("Memo/Description", "String", lambda _, e: cell(e.memo)),
    "account_name": _Column("Account", "String", _account),
    "split_acc": _Column("Split", "String", _other),
    "other_account": _Column("Split", "String", _other),
    "due_date": _Column("Due Date", "Date", lambda _, e: cell(e.due)),
    "klass_name": _Column("Class", "String", _listed("Class", "klass")),
    "dept_name": _Column("Location", "String", _listed("Department", "department")),
    "past_due": _Column("Past Due", "Numeric", lambda _, e: cell(str(e.past_due))),
    "debt_amt": _money("Debit", lambda e: max(e.raw, 0), empty=True),
    "credit_amt": _money("Credit", lambda e: max(-e.raw, 0), empty=True),
    "subt_nat_amount": _money("Amount", lambda e: e.cents),
    "subt_nat_home_amount": _money("Amount", lambda e: e.cents),
    "subt_amount": _money("Amount", lambda e: e.cents),
    "subt_neg_amount": _money("Amount", lambda e: e.cents),
    "subt_open_bal": _money("Open Balance", lambda e: e.open_cents),
    "subt_neg_open_bal": _money("Open Balance", lambda e: e.open_cents),
    "rbal_nat_amount": _money("Balance", lambda e: e.balance, summed=False),
    "rbal_open_bal": _money("Balance", lambda e: e.balance, summed=False),
    "rbal_neg_open_bal": _money("Balance", lambda e: e.balance, summed=False),
}
"""Every column of a list, by its key."""

LEDGER = ("tx_date", "txn_type", "doc_num", "name", "memo", "split_acc", "subt_nat_amount", "rbal_nat_amount")
"""Recorded, 2018 and 2020."""
JOURNAL = ("tx_date", "txn_type", "doc_num", "name", "memo", "account_name", "debt_amt", "credit_amt")
LISTED = (
    "tx_date", "txn_type", "doc_num", "is_no_post", "name", "memo", "account_name", "other_account",
    "subt_nat_amount",
)  # fmt: skip
LISTED_BY_NAME = (
    "tx_date", "txn_type", "doc_num", "is_no_post", "memo", "account_name", "subt_nat_amount",
)  # fmt: skip
AGED = {
    "Customer": ("tx_date", "txn_type", "doc_num", "cust_name", "due_date", "subt_amount", "subt_open_bal"),
    "Vendor": (
        "tx_date", "txn_type", "doc_num", "vend_name", "due_date", "past_due", "subt_neg_amount", "subt_neg_open_bal",
    ),
}  # fmt: skip
BALANCES = {
    "Customer": ("tx_date", "txn_type", "doc_num", "due_date", "subt_amount", "subt_open_bal", "rbal_open_bal"),
    "Vendor": (
        "tx_date", "txn_type", "doc_num", "due_date", "subt_neg_amount", "subt_neg_open_bal", "rbal_neg_open_bal",
    ),
}  # fmt: skip
"""Default columns. Sources: Intuit's page of each report."""


class Full(Exception):  # noqa: N818 -- not an error: the report ends here
    """The report has as many cells as QuickBooks returns."""


class Writer:
    """Writes rows with the chosen columns, up to QuickBooks' maximum of cells.

    Args:
        figures: The report.
        default: The keys of its own columns.
    """

    def __init__(self, figures: Figures, default: Sequence[str]) -> None:
        chosen = [key for key in figures.parameters.columns if key in COLUMNS]
        self.keys = tuple(chosen) or tuple(default)
        self._figures = figures
        self._columns = [COLUMNS[key] for key in self.keys]
        self._left = layout.CELL_LIMIT

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.keys)

    def describe(self) -> list[dict[str, object]]:
        """Return the columns in the report's shape."""
        engine = self._figures.engine
        return [
            layout.list_column(engine, column.title, column.type, key)
            for key, column in zip(self.keys, self._columns, strict=True)
        ]

    def row(self, entry: Entry) -> Row:
        """Return a row of data; `Full` if there is no room for it."""
        self._left -= self.width
        if self._left < 0:
            raise Full
        return layout.data([column.cell(self._figures, entry) for column in self._columns])

    def text(self, text: str, id_: str = "") -> list[layout.Cell]:
        """Return the cells of a header."""
        return [named(text, id_), *layout.blank(self.width - 1)]

    def beginning(self, cents: int) -> Row:
        """Return the row of a beginning balance, in the last column."""
        return layout.data([cell("Beginning Balance"), *layout.blank(self.width - 2), cell(layout.money(cents))])

    def sums(self, title: str, entries: Iterable[Entry]) -> list[layout.Cell]:
        """Return the cells of a summary; without entries it has no amounts (recorded, 2018)."""
        listed = list(entries)
        cells = self.text(title)
        for at, column in enumerate(self._columns):
            if column.amount is not None and at and listed:
                cells[at] = cell(layout.money(sum(column.amount(entry) for entry in listed)))
        return cells

    def truncated(self) -> Row:
        """Return the row that says that there is more."""
        return layout.data(self.text(layout.TRUNCATED))


# ---- entries -----------------------------------------------------------------------------------

_ENTRY = (
    "l.txn, t.id, t.entity, t.type, l.date, t.due, t.num, l.customer, l.vendor, l.employee,"
    " CASE WHEN l.memo <> '' THEN l.memo WHEN l.line = 0 THEN t.memo ELSE '' END, l.account, t.account, l.line,"
    " l.cents, l.klass, l.department, (SELECT CASE WHEN min(o.account) = max(o.account) THEN min(o.account) END"
    " FROM ledger_line o WHERE o.txn = l.txn AND o.line <> 0 AND o.line < 900000)"
)


def _entries(figures: Figures, where: str, order: str, *, joined: str = "", **values: object) -> Iterator[Entry]:
    p = figures.parameters
    filters, bound = figures.condition()
    sql = (
        f"SELECT {_ENTRY} FROM ({figures.source()}) l JOIN ledger_txn t ON t.row = l.txn{joined}"  # noqa: S608
        f" WHERE l.date >= :first AND l.date <= :last AND l.cents <> 0 AND ({where}){filters} ORDER BY {order}"
    )
    given = {"first": p.first, "last": p.last} | figures.bound() | bound | values
    for row in figures.db.execute(sql, given):
        yield _entry(figures, row)


def _entry(figures: Figures, row: tuple[object, ...]) -> Entry:
    (
        txn, id_, entity, type_, day, due, num, customer, vendor, employee, memo, account, main, line, cents, klass,
        department, others,
    ) = row  # fmt: skip
    kind, name = _who(str(customer), str(vendor), str(employee))
    shown = int(cents) * figures.chart.get(str(account)).sign  # type: ignore[call-overload]  # a row of integers
    other = others if not line or account == main else main
    return Entry(
        int(txn), str(id_) if entity != "Item" else "", str(type_), str(day), str(due), str(num), kind, name, str(memo),  # type: ignore[call-overload]
        str(account), None if other is None else str(other), shown, int(cents), klass=str(klass),  # type: ignore[call-overload]
        department=str(department),
    )  # fmt: skip


def _who(customer: str, vendor: str, employee: str) -> tuple[str, str]:
    if vendor:
        return "Vendor", vendor
    if customer:
        return "Customer", customer
    return ("Employee", employee) if employee else ("", "")


def _sorted(figures: Figures, entries: list[Entry]) -> list[Entry]:
    """Sort entries as `sort_by` and `sort_order` say; they come by date."""
    p = figures.parameters
    keys: dict[str, Callable[[Entry], object]] = {
        "amount": lambda e: e.cents,
        "subt_nat_amount": lambda e: e.cents,
        "doc_num": lambda e: e.num,
        "txn_type": lambda e: e.type,
        "name": lambda e: figures.names(e.name_kind).get(e.name, "").casefold(),
        "memo": lambda e: e.memo,
        "due_date": lambda e: e.due,
    }
    key = keys.get(p.sort_by)
    if key is None:
        return entries[::-1] if p.descend else entries
    return sorted(entries, key=key, reverse=bool(p.descend))  # type: ignore[arg-type]  # each key is text or a number


# ---- by account --------------------------------------------------------------------------------


class _Accounts:
    """Sections of accounts with their entries, children inside their parents."""

    def __init__(self, figures: Figures, writer: Writer, *, balances: bool) -> None:
        self._figures = figures
        self._writer = writer
        self._balances = balances
        self.entries: dict[str, list[Entry]] = {}
        self.beginning: dict[str, int] = {}
        self._children: dict[str, list[Account]] = {}
        self._given: set[str] = set()  # Ids that a parent without rows has shown already

    def arrange(self) -> None:
        chart = self._figures.chart
        seen: set[str] = set()
        for id_ in {*self.entries, *(id_ for id_, cents in self.beginning.items() if cents)}:
            following = id_
            while following and following not in seen:
                seen.add(following)
                account = chart.get(following)
                parent = account.parent if chart.get(account.parent).type == account.type else ""
                self._children.setdefault(parent, []).append(account)
                following = parent

    def roots(self, types: Sequence[str]) -> list[Account]:
        roots = [account for account in self._children.get("", []) if account.type in types]
        return sorted(roots, key=lambda one: (TYPES.index(one.type), one.name.casefold(), one.id))

    def below(self, account: Account) -> list[Entry]:
        """Return the entries of an account and its children."""
        own = self.entries.get(account.id, [])
        return [*own, *(entry for child in self._children.get(account.id, []) for entry in self.below(child))]

    def _own(self, account: Account) -> list[Row]:
        rows = []
        cents = self.beginning.get(account.id, 0)
        if self._balances and cents:
            rows.append(self._writer.beginning(cents))
        running = cents
        for entry in _sorted(self._figures, self.entries.get(account.id, [])):
            running += entry.cents
            entry.balance = running
            rows.append(self._writer.row(entry))
        return rows

    def sections(self, account: Account) -> list[Row]:
        """Return the section of an account; several where the old engine sets children beside their parent."""
        children = sorted(self._children.get(account.id, []), key=lambda one: (one.name.casefold(), one.id))
        writer = self._writer
        total = writer.sums(f"Total for {account.name}", self.entries.get(account.id, []))
        own = self._own(account)
        if not children:
            id_ = "" if account.id in self._given else account.shown_id
            return [layout.section(header=writer.text(account.name, id_), rows=own, summary=total)]
        title = f"Total for {account.name} with sub-accounts"
        if own and self._figures.engine.legacy_lists:
            rows = [layout.section(header=writer.text(account.name, account.shown_id), rows=own, summary=total)]
            rows += [row for child in children for row in self.sections(child)]
            return [*rows, layout.section(summary=writer.sums(title, self.below(account)))]
        shown = account.shown_id if own else ""
        if not own:
            title = f"Total for {account.name}"
            if self._figures.engine.legacy_lists:  # recorded, 2018: the first child's Id stands at the parent
                shown = self._borrow(children[0])
        inner = [layout.section(rows=own, summary=total)] if own else []
        inner += [row for child in children for row in self.sections(child)]
        header = writer.text(account.name, shown)
        return [layout.section(header=header, rows=inner, summary=writer.sums(title, self.below(account)))]

    def _borrow(self, child: Account) -> str:
        has_own = child.id in self.entries or self.beginning.get(child.id)
        if not has_own or self._children.get(child.id):
            return ""
        self._given.add(child.id)
        return child.shown_id


def general_ledger(figures: Figures) -> Body:
    """Return GeneralLedger: each account with its beginning balance, transactions and running balance."""
    p, chart = figures.parameters, figures.chart
    writer = Writer(figures, LEDGER)
    accounts = _Accounts(figures, writer, balances=True)
    start = p.start or p.today.replace(month=1, day=1)
    year = periods.fiscal_year_start(start, p.fiscal_month).isoformat() if p.start else ""
    for id_, early, late in figures.query(
        "l.account, sum(CASE WHEN l.date < :year THEN l.cents ELSE 0 END), sum(CASE WHEN l.date >= :year THEN l.cents"
        " ELSE 0 END)", "l.date < :first", "GROUP BY 1", first=p.first, year=year,
    ):  # fmt: skip
        account = chart.get(id_)
        if account.type in PROFIT_AND_LOSS_TYPES:  # earlier years are closed into retained earnings
            accounts.beginning[id_] = account.sign * late
            retained = chart.role("retained")
            accounts.beginning[retained] = accounts.beginning.get(retained, 0) - early
        else:
            accounts.beginning[id_] = accounts.beginning.get(id_, 0) + account.sign * (early + late)
    _fill(figures, accounts, "1", writer)
    accounts.arrange()
    rows: list[Row] = []
    try:
        for account in accounts.roots(TYPES):
            rows += accounts.sections(account)
    except Full:
        rows.append(writer.truncated())
    return Body(writer.describe(), rows, bool(rows))


def _fill(figures: Figures, accounts: _Accounts, where: str, writer: Writer) -> None:
    """Read the entries of all accounts, as many as a report can have."""
    most = layout.CELL_LIMIT // max(writer.width, 1) + 2
    for entry in _entries(figures, where, f"l.account, l.date, l.txn, l.line LIMIT {most}"):
        accounts.entries.setdefault(entry.account, []).append(entry)


def profit_and_loss_detail(figures: Figures) -> Body:
    """Return ProfitAndLossDetail. Source: a public answer of the sandbox company, January 2025, for its sections."""
    writer = Writer(figures, LEDGER)
    accounts = _Accounts(figures, writer, balances=False)
    used = figures.db.execute("SELECT DISTINCT account FROM ledger_line WHERE book = ?", (figures.ledger.book,))
    ids = {id_ for (id_,) in used} | {
        figures.chart.role(one) for one in ("unapplied-payment", "unapplied-bill-payment")
    }
    marks = ["'" + id_.replace("'", "''") + "'" for id_ in ids if figures.chart.get(id_).type in PROFIT_AND_LOSS_TYPES]
    _fill(figures, accounts, f"l.account IN ({', '.join(sorted(marks))})" if marks else "0", writer)
    accounts.arrange()
    result: list[Row] = []
    try:
        sections: dict[str, list[Row]] = {}
        listed: dict[str, list[Entry]] = {}
        for title, type_ in _DETAIL_GROUPS:
            roots = accounts.roots((type_,))
            if roots:
                listed[type_] = [entry for root in roots for entry in accounts.below(root)]
                inner = [row for root in roots for row in accounts.sections(root)]
                summary = writer.sums(f"Total for {title}", listed[type_])
                sections[type_] = [layout.section(header=writer.text(title), rows=inner, summary=summary)]
        gross = _sum(listed, "Income") - _sum(listed, "Cost of Goods Sold")
        operating = gross - _sum(listed, "Expense")
        other = _sum(listed, "Other Income") - _sum(listed, "Other Expense")
        ordinary = [row for type_ in ("Income", "Cost of Goods Sold", "Expense") for row in sections.get(type_, [])]
        others = [row for type_ in ("Other Income", "Other Expense") for row in sections.get(type_, [])]
        if ordinary:
            first: Row = {
                "Rows": {},
                "Summary": {"ColData": _computed(writer, "Gross Profit", gross)},
                "type": "Section",
            }
            title = "Net Operating Income" if others else "Net Income"
            summary = _computed(writer, title, operating)
            header = writer.text("Ordinary Income/Expenses")
            result.append(layout.section(header=header, rows=[first, *ordinary], summary=summary))
        if others:
            summary = _computed(writer, "Net Other Income", other)
            result.append(layout.section(header=writer.text("Other Income/Expense"), rows=others, summary=summary))
            result.append(layout.section(summary=_computed(writer, "Net Income", operating + other)))
    except Full:
        result.append(writer.truncated())
    return Body(writer.describe(), result, bool(result))


_DETAIL_GROUPS = (
    ("Income", "Income"),
    ("Cost of Goods Sold", "Cost of Goods Sold"),
    ("Expenses", "Expense"),
    ("Other Income", "Other Income"),
    ("Other Expenses", "Other Expense"),
)


def _sum(listed: dict[str, list[Entry]], type_: str) -> int:
    return sum(entry.cents for entry in listed.get(type_, []))


def _computed(writer: Writer, title: str, cents: int) -> list[layout.Cell]:
    cells = writer.text(title)
    for at, key in enumerate(writer.keys):
        if key.startswith("subt_") and at:
            cells[at] = cell(layout.money(cents))
    return cells


# ---- by name -----------------------------------------------------------------------------------


def _open_entries(figures: Figures, side: Side, items: list[Open]) -> dict[int, list[Entry]]:
    """Return entries of open items by transaction."""
    found: dict[int, list[Entry]] = {}
    sql = "SELECT id, type, date, due, num, memo, entity FROM ledger_txn WHERE row = ?"
    p = figures.parameters
    as_of = p.today if p.aging_from_today else (p.end or p.today)
    for one in items:
        id_, type_, day, due, num, memo, _ = figures.db.execute(sql, (one.txn,)).fetchone()
        if (p.due_from and one.due < p.due_from) or (p.due_to and one.due > p.due_to):
            continue
        past = days_past_due(one, as_of)
        if p.past_due is not None and past < p.past_due:
            continue
        entry = Entry(
            one.txn, id_, type_, day, due or day, num, side.entity if one.name else "", one.name, memo, "", None,
            one.original, one.original, one.cents, past_due=past,
        )  # fmt: skip
        found.setdefault(one.txn, []).append(entry)
    return found


def aging_detail(figures: Figures, side: Side) -> Body:
    """Return AgedReceivableDetail or AgedPayableDetail: a section for each age, the oldest first."""
    p = figures.parameters
    writer = Writer(figures, AGED[side.entity])
    items = open_items(figures, side, (p.end or p.today).isoformat())
    entries = [one for listed in _open_entries(figures, side, items).values() for one in listed]
    titles = ["Current"]
    for at in range(1, p.periods + 1):
        low = p.period_days * (at - 1) + 1
        span = f"{low} - {p.period_days * at}" if at < p.periods else f"{low} or more"
        titles.append(f"{span} days past due")
    rows: list[Row] = []
    try:
        for at in range(p.periods, -1, -1):
            aged = [one for one in entries if bucket(one.past_due, p.periods, p.period_days) == at]
            if aged:
                aged.sort(key=lambda one: (one.date, one.txn))
                inner = [writer.row(one) for one in _sorted(figures, aged)]
                summary = writer.sums(f"Total for {titles[at]}", aged)
                rows.append(layout.section(header=writer.text(titles[at]), rows=inner, summary=summary))
        if rows:
            rows.append(layout.section(summary=writer.sums(figures.engine.title("TOTAL"), entries), group="GrandTotal"))
    except Full:
        rows.append(writer.truncated())
    return Body(writer.describe(), rows, bool(rows))


def balance_detail(figures: Figures, side: Side) -> Body:
    """Return CustomerBalanceDetail or VendorBalanceDetail: open transactions by name with a running balance."""
    p = figures.parameters
    writer = Writer(figures, BALANCES[side.entity])
    items = open_items(figures, side, p.last, settled=p.paid in ("All", "Paid"))
    if p.paid == "Paid":
        items = [one for one in items if not one.cents]
    entries = [one for listed in _open_entries(figures, side, items).values() for one in listed]
    return _by_name(figures, writer, entries, side.entity, running=True)


def _by_name(figures: Figures, writer: Writer, entries: list[Entry], entity: str, *, running: bool) -> Body:
    names = figures.names(entity)
    entries.sort(key=lambda one: (names.get(one.name, "").casefold(), one.name))
    rows: list[Row] = []
    try:
        for id_, group in groupby(entries, key=lambda one: one.name):
            listed = _sorted(figures, list(group))
            balance = 0
            for one in listed:
                balance += one.open_cents
                one.balance = balance
            name = names.get(id_, id_) if id_ else "Not Specified"
            inner = [writer.row(one) for one in listed]
            rows.append(
                layout.section(
                    header=writer.text(name, id_), rows=inner, summary=writer.sums(f"Total for {name}", listed)
                )
            )
        if rows and running:
            rows.append(layout.section(summary=writer.sums(figures.engine.title("TOTAL"), entries), group="GrandTotal"))
    except Full:
        rows.append(writer.truncated())
    return Body(writer.describe(), rows, bool(rows))


# ---- by transaction ----------------------------------------------------------------------------


def journal(figures: Figures) -> Body:
    """Return JournalReport: the lines of each transaction with their sums. Source: Intuit's page, a sample of 2019."""
    writer = Writer(figures, JOURNAL)
    most = layout.CELL_LIMIT // max(writer.width, 1) + 2
    rows: list[Row] = []
    descending = " DESC" if figures.parameters.descend else ""
    order = f"l.date{descending}, l.txn{descending}, l.line LIMIT {most}"
    try:
        for _, group in groupby(_entries(figures, "1", order), key=lambda one: (one.date, one.txn)):
            listed = list(group)
            for at, one in enumerate(listed):
                one.follows = at > 0
                if at and one.name == listed[0].name:
                    one.name = one.name_kind = ""
                rows.append(writer.row(one))
            rows.append(layout.section(summary=writer.sums("", listed)))
            rows.append(layout.data(layout.blank(writer.width)))
    except Full:
        rows.append(writer.truncated())
    return Body(writer.describe(), rows, bool(rows))


def _transactions(figures: Figures) -> Iterator[Entry]:
    """Yield each transaction once, with its main account and its amount."""
    p = figures.parameters
    filters, bound = figures.condition()
    if filters:
        by_line = f"EXISTS (SELECT 1 FROM ledger_line l WHERE l.txn = t.row{filters})"  # noqa: S608 -- our own names
        names = [
            f"(t.name_kind = '{kind}' AND t.name IN (SELECT value FROM json_each(:{column}_ids)))"  # noqa: S608 -- our own names
            for column, kind in (("customer", "Customer"), ("vendor", "Vendor"), ("employee", "Employee"))
            if column in p.filters
        ]
        condition = " OR ".join([by_line, *names])
    else:
        condition = "1"
    descending = " DESC" if p.descend and not p.sort_by else ""
    sql = (
        "SELECT t.row, t.id, t.entity, t.type, t.date, t.due, t.num, t.name_kind, t.name, t.memo, t.account, t.posting,"  # noqa: S608
        " t.total, coalesce((SELECT l.cents FROM ledger_line l WHERE l.txn = t.row AND l.line = 0), 0),"
        " (SELECT CASE WHEN min(o.account) = max(o.account) THEN min(o.account) END FROM ledger_line o"
        " WHERE o.txn = t.row AND o.line <> 0 AND o.line < 900000)"
        f" FROM ledger_txn t WHERE t.book = :book AND t.date >= :first AND t.date <= :last AND ({condition})"
        f" ORDER BY t.date{descending}, t.row{descending}"
    )
    given = {"book": figures.ledger.book, "first": p.first, "last": p.last, **bound}
    for row in figures.db.execute(sql, given):
        txn, id_, entity, type_, day, due, num, kind, name, memo, account, posting, total, main, other = row
        cents = figures.chart.get(account).sign * main if posting else total
        yield Entry(
            txn, id_ if entity != "Item" else "", type_, day, due, num, kind, name, memo, account, other, cents, main,
            posting=bool(posting),
        )  # fmt: skip


def _group_key(figures: Figures, by: str) -> Callable[[Entry], tuple[str, str]] | None:
    """Return the title and the Id of a transaction's group; None for a list without groups."""

    def of(kind: str) -> Callable[[Entry], tuple[str, str]]:
        def key(one: Entry) -> tuple[str, str]:
            id_ = one.name if kind in ("", one.name_kind) else ""
            return figures.names(one.name_kind).get(id_, id_) if id_ else "Not Specified", id_

        return key

    keys: dict[str, Callable[[Entry], tuple[str, str]]] = {
        "name": of(""),
        "customer": of("Customer"),
        "vendor": of("Vendor"),
        "employee": of("Employee"),
        "account": lambda one: (figures.chart.get(one.account).full_name, figures.chart.get(one.account).shown_id),
        "transaction type": lambda one: (one.type, ""),
        "day": lambda one: (one.date, ""),
        "month": lambda one: (one.date[:7], ""),
        "year": lambda one: (one.date[:4], ""),
    }
    return keys.get(by)


def transactions(figures: Figures) -> Body:
    """Return TransactionList, in groups if `group_by` asks for them."""
    return _listed_transactions(figures, LISTED, _group_key(figures, figures.parameters.group_by))


def transactions_by(figures: Figures, entity: str) -> Body:
    """Return TransactionListByCustomer or TransactionListByVendor."""
    return _listed_transactions(figures, LISTED_BY_NAME, _group_key(figures, entity.lower()), entity)


def _listed_transactions(
    figures: Figures, columns: Sequence[str], key: Callable[[Entry], tuple[str, str]] | None, only: str = ""
) -> Body:
    writer = Writer(figures, columns)
    rows: list[Row] = []
    found = (one for one in _transactions(figures) if not only or one.name_kind == only)
    try:
        if key is None:
            listed = found if not figures.parameters.sort_by else iter(_sorted(figures, list(found)))
            rows.extend(writer.row(one) for one in listed)
        else:
            entries = sorted(found, key=lambda one: (key(one)[0].casefold(), key(one)[1]))
            for (title, id_), group in groupby(entries, key=key):
                ordered = list(group)
                if figures.parameters.sort_by:
                    ordered = _sorted(figures, ordered)
                inner = [writer.row(one) for one in ordered]
                summary = writer.sums(f"Total for {title}", ordered)
                rows.append(layout.section(header=writer.text(title, id_), rows=inner, summary=summary))
    except Full:
        rows.append(writer.truncated())
    return Body(writer.describe(), rows, bool(rows))


def transactions_with_splits(figures: Figures) -> Body:
    """Return TransactionListWithSplits: each transaction with its lines."""
    writer = Writer(figures, (*LISTED[:6], "account_name", "subt_nat_amount"))
    most = layout.CELL_LIMIT // max(writer.width, 1) + 2
    rows: list[Row] = []
    try:
        for _, group in groupby(
            _entries(figures, "1", f"l.date, l.txn, l.line LIMIT {most}"), key=lambda one: (one.date, one.txn)
        ):
            listed = list(group)
            header = writer.text(listed[0].type, listed[0].id)
            inner = [writer.row(one) for one in listed]
            rows.append(layout.section(header=header, rows=inner, summary=writer.text(f"Total for {listed[0].type}")))
    except Full:
        rows.append(writer.truncated())
    return Body(writer.describe(), rows, bool(rows))


# ---- lists -------------------------------------------------------------------------------------

_ACCOUNT_COLUMNS = {
    "account_name": ("Account", "String"),
    "account_type": ("Type", "String"),
    "detail_acc_type": ("Detail type", "String"),
    "account_desc": ("Description", "String"),
    "account_bal": ("Balance", "Money"),
    "account_num": ("Number", "String"),
    "create_date": ("Create Date", "Date"),
}
_ACCOUNT_DEFAULT = ("account_name", "account_type", "detail_acc_type", "account_desc", "account_bal")


def account_list(figures: Figures) -> Body:
    """Return AccountList: the active accounts and the balances of the balance sheet's accounts."""
    keys = tuple(key for key in figures.parameters.columns if key in _ACCOUNT_COLUMNS) or _ACCOUNT_DEFAULT
    balances = dict(figures.query("l.account, sum(l.cents)", "1", "GROUP BY 1"))
    active = [one for one in figures.chart if one.body.get("Active") is not False]
    descend = bool(figures.parameters.descend)
    rows = []
    for account in sorted(active, key=lambda one: (TYPES.index(one.type), one.full_name.casefold()), reverse=descend):
        kept = account.type not in PROFIT_AND_LOSS_TYPES
        cents = account.sign * balances.get(account.id, 0)
        values = {
            "account_name": named(account.full_name, account.shown_id),
            "account_type": cell(account.type),
            "detail_acc_type": cell(account.subtype),
            "account_desc": cell(str(account.body.get("Description") or "")),
            "account_bal": cell(layout.money(cents) if kept else ""),
            "account_num": cell(account.number),
            "create_date": cell(str((account.body.get("MetaData") or {}).get("CreateTime") or "")[:10]),
        }
        rows.append(layout.data([values[key] for key in keys]))
    columns = [layout.list_column(figures.engine, *_ACCOUNT_COLUMNS[key], key) for key in keys]
    return Body(columns, rows, bool(rows))


_VALUATION_COLUMNS = (
    ("Date", "Date", "tx_date"),
    ("Transaction Type", "String", "txn_type"),
    ("Num", "String", "doc_num"),
    ("Name", "String", "name"),
    ("Qty", "Numeric", "quantity"),
    ("FIFO Cost", "Money", "fifo_cost"),
    ("Qty on Hand", "Numeric", "qty_on_hand"),
    ("Asset Value", "Money", "asset_value"),
)


def inventory_detail(figures: Figures) -> Body:
    """Return InventoryValuationDetail: the movements of each item with the stock and its value after each."""
    p, book = figures.parameters, figures.ledger.book
    names = figures.names("Item")
    found = figures.db.execute(
        "SELECT m.item, m.txn, t.entity, t.id, t.type, m.date, t.num, t.name_kind, t.name, m.quantity,"
        " (SELECT total(l.cents) FROM ledger_line l WHERE l.txn = m.txn AND l.item = m.item AND l.account = m.asset"
        "  AND m.line = (SELECT min(o.line) FROM ledger_move o WHERE o.txn = m.txn AND o.item = m.item))"
        " FROM ledger_move m JOIN ledger_txn t ON t.row = m.txn WHERE m.book = ? AND m.date <= ?"
        " ORDER BY m.item, m.date, m.quantity < 0, m.created, m.txn, m.line",
        (book, p.last),
    ).fetchall()
    found.sort(key=lambda row: names.get(row[0], row[0]).casefold())
    rows: list[Row] = []
    left = layout.CELL_LIMIT
    width = len(_VALUATION_COLUMNS)
    for item, group in groupby(found, key=lambda row: row[0]):
        if p.filters.get("item") and item not in p.filters["item"]:
            continue
        quantity, value, inner = 0.0, 0, []
        for _, _, entity, id_, type_, day, num, kind, name, moved, cents in group:
            quantity, value = quantity + moved, value + int(cents)
            if day < p.first or left <= 0:
                continue
            left -= width
            who = cell(figures.names(kind).get(name, ""), name)
            values = layout.texts([f"{moved:.2f}", layout.money(int(cents)), f"{quantity:.2f}", layout.money(value)])
            inner.append(
                layout.data([cell(day), cell(type_, "" if entity == "Item" else id_), cell(num), who, *values])
            )
        if inner:
            header = [named(names.get(item, item), item), *layout.blank(width - 1)]
            rows.append(layout.section(header=header, rows=inner))
    if left <= 0:
        rows.append(layout.data([cell(layout.TRUNCATED), *layout.blank(width - 1)]))
    columns = [layout.list_column(figures.engine, *column) for column in _VALUATION_COLUMNS]
    return Body(columns, rows, bool(rows))
