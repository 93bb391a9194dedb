"""Reports whose rows are customers, vendors, items, classes or departments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.books.accounts import bodies
from vantage_quickbooks.emulator.books.values import ref
from vantage_quickbooks.emulator.reports import layout
from vantage_quickbooks.emulator.reports.figures import Figures, Values, folded, total
from vantage_quickbooks.emulator.reports.layout import Body, Row, cell, named
from vantage_quickbooks.emulator.reports.opens import Side, days_past_due, open_items

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NOT_SPECIFIED = "Not Specified"
_PARENTED = ("Customer", "Class", "Department", "Item")


def bucket_titles(periods: int, days: int) -> list[str]:
    """Return the aging columns: `Current`, `1 - 30`, ... `91 and over`."""
    spans = [f"{days * at + 1} - {days * (at + 1)}" for at in range(periods - 1)]
    return ["Current", *spans, f"{days * (periods - 1) + 1} and over"]


def bucket(past_due: int, periods: int, days: int) -> int:
    """Return the aging column of a number of days past due."""
    return 0 if past_due <= 0 else min((past_due - 1) // days + 1, periods)


def aging(figures: Figures, side: Side) -> Body:
    """Return AgedReceivables or AgedPayables."""
    p = figures.parameters
    as_of = p.end or p.today
    titles = bucket_titles(p.periods, p.period_days)
    amounts: dict[str, Values] = {}
    for one in open_items(figures, side, as_of.isoformat()):
        past = days_past_due(one, p.today if p.aging_from_today else as_of)
        values = amounts.setdefault(one.name, [0] * (len(titles) + 1))
        values[bucket(past, p.periods, p.period_days)] += one.cents
        values[-1] += one.cents
    columns = [layout.column("", side.entity)]
    columns += [layout.column(title, "Money") for title in (*titles, figures.engine.title("Total"))]
    return _named_rows(figures, side.entity, amounts, columns)


def balance(figures: Figures, side: Side) -> Body:
    """Return CustomerBalance or VendorBalance."""
    p = figures.parameters
    amounts: dict[str, Values] = {}
    for one in open_items(figures, side, (p.end or p.today).isoformat() if p.end else "9999-12-31"):
        values = amounts.setdefault(one.name, [0])
        values[0] += one.cents
    columns = [layout.column("", side.entity), layout.column("Total", "Money", "total")]
    return _named_rows(figures, side.entity, amounts, columns)


def _named_rows(
    figures: Figures,
    entity: str,
    amounts: Mapping[str, Values],
    columns: list[dict[str, object]],
    spell: Callable[[Values], list[layout.Cell]] | None = None,
) -> Body:
    """Return rows by name, jobs inside their customers, and the grand total."""
    shown = {id_: values for id_, values in amounts.items() if any(values)}
    write = spell or (lambda values: layout.texts([layout.amount(value) for value in values]))
    rows = _Names(figures, entity, shown, write).rows()
    if "" in shown:
        rows.append(layout.data([cell(_NOT_SPECIFIED), *write(shown[""])], "**", typed=False))
    if rows:
        width = len(next(iter(shown.values())))
        sums = total(list(shown.values()), width)
        summary = [cell(figures.engine.title("TOTAL")), *write(sums)]
        rows.append(layout.section(summary=summary, group="GrandTotal"))
    return Body(columns, rows, bool(rows))


class _Names:
    """Rows of names, children inside their parents."""

    def __init__(
        self,
        figures: Figures,
        entity: str,
        amounts: Mapping[str, Values],
        write: Callable[[Values], list[layout.Cell]],
    ) -> None:
        self._figures = figures
        self._amounts = amounts
        self._write = write
        self._full = figures.names(entity)
        self._parents = _parents(figures, entity) if entity in _PARENTED else {}
        self._children: dict[str, list[str]] = {}
        seen: set[str] = set()
        for id_ in amounts:
            following = id_
            while following and following not in seen:
                seen.add(following)
                parent = self._parents.get(following, "")
                parent = parent if parent in self._full and parent != following else ""
                self._children.setdefault(parent, []).append(following)
                following = parent
        self._width = len(next(iter(amounts.values()))) if amounts else 0

    def rows(self) -> list[Row]:
        return [self._row(id_) for id_ in self._sorted("")]

    def _sorted(self, parent: str) -> list[str]:
        ids = [id_ for id_ in self._children.get(parent, []) if id_]
        ids.sort(key=lambda id_: (folded(self._full, id_), id_))
        if self._figures.parameters.descend is not None:
            ids.sort(key=lambda id_: self._sum(id_)[-1], reverse=self._figures.parameters.descend)
        return ids

    def _sum(self, id_: str) -> Values:
        own = self._amounts.get(id_, [0] * self._width)
        return total([own, *(self._sum(child) for child in self._children.get(id_, []))], self._width)

    def _row(self, id_: str) -> Row:
        full = self._full.get(id_, id_)
        name = full.rpartition(":")[2] if self._parents.get(id_) else full
        own = self._amounts.get(id_, [0] * self._width)
        children = self._sorted(id_)
        if not children:
            return layout.data([named(name, id_), *self._write(own)], typed=False)
        header = [named(name, id_), *self._write(own)]
        if self._figures.engine.modern is False and not own[-1]:  # quoted, December 2025
            header[-1] = cell("0.00")
        summary = [cell(f"Total {name}"), *self._write(self._sum(id_))]
        return layout.section(header=header, rows=[self._row(child) for child in children], summary=summary)


def _parents(figures: Figures, entity: str) -> dict[str, str]:
    kind = figures.company.store.kind(figures.company.realm, entity)
    sql = (
        "SELECT r.id, json_extract(b.body, '$.ParentRef.value') FROM record r JOIN body b ON b.row = r.row"
        " WHERE r.kind = ? AND instr(b.body, 'ParentRef')"
    )
    return {id_: str(parent) for id_, parent in figures.db.execute(sql, (kind,)) if parent is not None}


def _types(figures: Figures, *types: str) -> str:
    """Return a condition on the type of the account."""
    used = figures.db.execute("SELECT DISTINCT account FROM ledger_line WHERE book = ?", (figures.ledger.book,))
    ids = {id_ for (id_,) in used} | {
        figures.chart.role(role) for role in ("unapplied-payment", "unapplied-bill-payment")
    }
    marks = ["'" + id_.replace("'", "''") + "'" for id_ in sorted(ids) if figures.chart.get(id_).type in types]
    return f"l.account IN ({', '.join(marks)})" if marks else "0"


def customer_income(figures: Figures) -> Body:
    """Return CustomerIncome: income, expenses (negative) and net income by customer."""
    p = figures.parameters
    p.summarize = "Total"
    income = figures.sums("l.customer", _types(figures, "Income", "Other Income"), p.first, p.last)
    spent = figures.sums(
        "l.customer", _types(figures, "Cost of Goods Sold", "Expense", "Other Expense"), p.first, p.last
    )
    amounts = {}
    for id_ in {*income, *spent} - {""}:
        earned, cost = -income.get(id_, [0])[-1], -spent.get(id_, [0])[-1]
        amounts[id_] = [earned, cost, earned + cost]
    columns = [layout.column("", "Customer")]
    columns += [layout.column(title, "Money") for title in ("Income", "Expenses", "Net Income")]
    return _named_rows(figures, "Customer", amounts, columns)


_SALES_ENTITIES = "('Invoice', 'SalesReceipt', 'CreditMemo', 'RefundReceipt')"
_SALES = f"l.txn IN (SELECT row FROM ledger_txn WHERE entity IN {_SALES_ENTITIES})"  # noqa: S608 -- our own names


def sales(figures: Figures, column: str, entity: str, title: str) -> Body:
    """Return CustomerSales, ClassSales or DepartmentSales: income of sales forms by name."""
    p = figures.parameters
    found = figures.sums(f"l.{column}", f"{_types(figures, 'Income', 'Other Income')} AND {_SALES}", p.first, p.last)
    amounts = {id_: [-value for value in values] for id_, values in found.items()}
    return _named_rows(figures, entity, amounts, [layout.column("", title), *figures.columns.describe()])


def vendor_expenses(figures: Figures) -> Body:
    """Return VendorExpenses: expenses by vendor."""
    p = figures.parameters
    where = f"l.vendor <> '' AND {_types(figures, 'Cost of Goods Sold', 'Expense', 'Other Expense')}"
    amounts = figures.sums("l.vendor", where, p.first, p.last)
    return _named_rows(figures, "Vendor", amounts, [layout.column("", "Vendor"), *figures.columns.describe()])


_ITEM_COLUMNS = ("Quantity", "Amount", "% of Sales", "Avg Price", "COGS", "Gross Margin", "Gross Margin %")


def item_sales(figures: Figures) -> Body:
    """Return ItemSales: quantity, amount, share, price and margin by item."""
    p = figures.parameters
    p.summarize = "Total"
    sold = figures.sums("l.item", f"{_types(figures, 'Income', 'Other Income')} AND {_SALES}", p.first, p.last)
    cost = figures.sums("l.item", f"{_types(figures, 'Cost of Goods Sold')} AND {_SALES}", p.first, p.last)
    counted = figures.query(
        "l.item, total(l.quantity)", f"l.date >= :first AND l.date <= :last AND {_SALES} AND l.line < 1000000",
        "GROUP BY 1", first=p.first, last=p.last,
    )  # fmt: skip
    quantities = dict(counted)
    sums = {id_: -sold.get(id_, [0])[-1] for id_ in {*sold, *cost}}
    whole = sum(sums.values())

    def spell(values: Values) -> list[layout.Cell]:
        quantity, cents, spent = values[0] / 100, values[1], values[2]
        share = f"{100 * cents / whole:.2f} %" if whole else ""
        price = layout.money(round(cents / quantity)) if quantity else ""
        margin = [
            layout.amount(spent),
            layout.money(cents - spent),
            f"{100 * (cents - spent) / cents:.2f} %" if cents else "",
        ]
        return layout.texts(
            [layout.number(quantity), layout.money(cents), share, price, *(margin if spent else ["", "", ""])]
        )

    amounts = {
        id_: [round(quantities.get(id_, 0.0) * 100), cents, cost.get(id_, [0])[-1]] for id_, cents in sums.items()
    }
    dates = (p.start, p.end) if p.start and p.end else None
    columns: list[dict[str, object]] = [layout.column("", "ProductsAndService")]
    inner = [
        layout.column(title, "Money", dates=dates if title in ("Quantity", "Amount", "COGS") else None)
        for title in _ITEM_COLUMNS
    ]
    columns.append(layout.column("Total", "Money") | {"Columns": {"Column": inner}})
    return _named_rows(figures, "Item", amounts, columns, spell)


def stock_of(figures: Figures, day: str) -> dict[str, tuple[float, int]]:
    """Return quantity on hand and value of each inventory item on a day."""
    book = figures.ledger.book
    quantities = figures.db.execute(
        "SELECT item, total(quantity) FROM ledger_move WHERE book = ? AND date <= ? GROUP BY 1", (book, day)
    ).fetchall()
    values = dict(
        figures.db.execute(
            "SELECT l.item, sum(l.cents) FROM ledger_line l WHERE l.book = ? AND l.date <= ? AND l.item <> ''"
            " AND l.account IN (SELECT DISTINCT asset FROM ledger_move WHERE book = ?) GROUP BY 1",
            (book, day, book),
        ).fetchall()
    )
    return {id_: (quantity, values.get(id_, 0)) for id_, quantity in quantities}


def inventory_valuation(figures: Figures) -> Body:
    """Return InventoryValuationSummary: SKU, quantity, value and average cost."""
    p = figures.parameters
    skus = {str(one.get("Id")): str(one.get("Sku") or "") for one in bodies(figures.company, "Item")}
    found = stock_of(figures, p.last)
    items = p.filters.get("item")
    names = figures.names("Item")
    ids = sorted((id_ for id_ in found if not items or id_ in items), key=lambda id_: (folded(names, id_), id_))
    rows, value = [], 0
    for id_ in ids:
        quantity, cents = found[id_]
        value += cents
        average = layout.money(round(cents / quantity)) if round(quantity, 6) else ""
        shown = layout.texts([skus.get(id_, ""), f"{quantity:.2f}", layout.money(cents), average])
        rows.append(layout.data([named(names.get(id_, id_), id_), *shown], typed=False))
    if rows:
        summary = [cell(figures.engine.title("TOTAL")), *layout.texts(["", "", layout.money(value), ""])]
        rows.append(layout.section(summary=summary, group="GrandTotal"))
    columns = [layout.column("", "ProductsAndService"), layout.column("SKU", "String")]
    columns += [layout.column(title, "Money") for title in ("Qty", "Asset Value", "Avg Cost")]
    return Body(columns, rows, bool(rows))


def tax_summary(figures: Figures) -> Body:
    """Return TaxSummary: taxable sales and tax of an agency's rates.

    Source: Intuit's TaxSummary page for columns and the required parameter; its rows are those of a French return, so
    the rows here are ours.
    """
    p = figures.parameters
    if not p.agency:
        raise errors.required_missing("agency_id")
    p.summarize = "Total"
    rates = {
        str(one.get("Id")): str(one.get("Name"))
        for one in bodies(figures.company, "TaxRate")
        if ref(one, "AgencyRef") == p.agency
    }
    marks = ", ".join("'" + id_.replace("'", "''") + "'" for id_ in rates) or "NULL"
    found = figures.query(
        "l.tax, sum(l.base), -sum(l.cents)", f"l.tax IN ({marks}) AND l.date >= :first AND l.date <= :last",
        "GROUP BY 1", first=p.first, last=p.last,
    ).fetchall()  # fmt: skip
    rows = []
    for id_, base, cents in sorted(found, key=lambda row: rates[row[0]]):
        rows.append(layout.data([named(f"{rates[id_]}: taxable sales", id_), cell(layout.money(base))], typed=False))
        rows.append(layout.data([named(f"{rates[id_]}: tax", id_), cell(layout.money(cents))], typed=False))
    if rows:
        summary = [cell(figures.engine.title("TOTAL")), cell(layout.money(sum(cents for _, _, cents in found)))]
        rows.append(layout.section(summary=summary, group="GrandTotal"))
    return Body([layout.column("", "String"), layout.column("Total", "Money")], rows, bool(rows))
