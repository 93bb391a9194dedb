"""The ledger in SQLite: what changed is posted before a report, and reports are sums of its lines.

The tables stand beside the records in the company's database, and exist only once a report was asked for. `book` is a
company. Amounts are cents of the home currency, debits positive.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.books import stock
from vantage_quickbooks.emulator.books.accounts import Chart, bodies, chart_of
from vantage_quickbooks.emulator.books.posting import ENTITIES, Line, Movement, Rates, Transaction, post
from vantage_quickbooks.emulator.books.values import cents_of, number_of, rate_of, ref

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from vantage_quickbooks.emulator.company.company import Company

_DIMENSIONS = "memo, customer, vendor, employee, klass, department, item, quantity, tax, base"
_LINE_COLUMNS = f"txn, line, book, date, account, cents, control, before, {_DIMENSIONS}"
_TXN_COLUMNS = (
    "row, book, entity, id, type, date, due, num, name_kind, name, memo, created, total, deferred, payment, posting,"
    " account, side, settles"
)
_INTEGERS = frozenset(
    {
        "row", "txn", "line", "book", "cents", "control", "before", "base", "created", "total", "deferred", "payment",
        "posting", "side", "sign", "abroad", "posted",
    }
)  # fmt: skip


def _typed(columns: str) -> str:
    """Return column definitions. Without a type, SQLite would not use an index to compare with a typed column."""
    names = [name.strip() for name in columns.split(",")]
    return ", ".join(f"{name} {'INTEGER' if name in _INTEGERS else ''}".strip() for name in names)


_APPLICATION_COLUMNS = "txn, line, book, entity, id, cents, sign, abroad"
_MOVE_COLUMNS = (
    "txn, line, book, date, created, item, quantity, cents, account, asset, base, posted, line_customer, line_vendor,"
    " line_klass, line_department, line_memo"
)
_SCHEMA = f"""
CREATE TABLE ledger_book (book INTEGER PRIMARY KEY, realm TEXT NOT NULL UNIQUE);
CREATE TABLE ledger_pending (row INTEGER PRIMARY KEY);
CREATE TABLE ledger_txn ({_typed(_TXN_COLUMNS).replace("row INTEGER", "row INTEGER PRIMARY KEY", 1)});
CREATE INDEX ledger_txn_id ON ledger_txn (book, entity, id);
CREATE TABLE ledger_line ({_typed(_LINE_COLUMNS)}, PRIMARY KEY (txn, line)) WITHOUT ROWID;
CREATE TABLE ledger_application ({_typed(_APPLICATION_COLUMNS)}, PRIMARY KEY (txn, line)) WITHOUT ROWID;
CREATE INDEX ledger_application_id ON ledger_application (book, entity, id);
CREATE TABLE ledger_move ({_typed(_MOVE_COLUMNS)}, PRIMARY KEY (txn, line)) WITHOUT ROWID;
CREATE INDEX ledger_move_item ON ledger_move (book, item, date);
CREATE TRIGGER ledger_written AFTER INSERT ON body BEGIN INSERT OR IGNORE INTO ledger_pending VALUES (NEW.row); END;
CREATE TRIGGER ledger_changed AFTER UPDATE ON body BEGIN INSERT OR IGNORE INTO ledger_pending VALUES (NEW.row); END;
CREATE TRIGGER ledger_removed AFTER DELETE ON body BEGIN INSERT OR IGNORE INTO ledger_pending VALUES (OLD.row); END;
INSERT INTO ledger_pending SELECT row FROM body;
"""  # noqa: S608 -- our own names
_PARTS = (("ledger_txn", "row"), ("ledger_line", "txn"), ("ledger_application", "txn"), ("ledger_move", "txn"))
_STOCK_LINE = 1_000_000  # lines from here on are the cost of stock
_BULK = 2_000
_STARTING_TYPE = "Inventory Starting Value"


class Ledger:
    """The ledger of one company, brought up to date before it is read.

    Attributes:
        chart: The accounts.
        book: The company's number in the ledger.

    Args:
        company: The company.
    """

    def __init__(self, company: Company) -> None:
        self._company = company
        self.chart: Chart = chart_of(company)
        self.book = 0

    def update(self) -> None:
        """Post what was written since the last report."""
        with self._company.store.writing() as db:
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger_pending'").fetchone() is None:
                for statement in _statements(_SCHEMA):
                    db.execute(statement)
            realm = self._company.realm
            db.execute("INSERT OR IGNORE INTO ledger_book (realm) VALUES (?)", (realm,))
            self.book = db.execute("SELECT book FROM ledger_book WHERE realm = ?", (realm,)).fetchone()[0]
            if db.execute("SELECT 1 FROM ledger_pending LIMIT 1").fetchone() is not None:
                _Update(self._company, self.chart, self.book, db).run()


def _statements(script: str) -> Iterator[str]:
    """Split a script whose only inner semicolons are those of triggers; `executescript` would end the transaction."""
    statement = ""
    for line in script.strip().splitlines():
        statement += line + "\n"
        if line.endswith(";"):
            yield statement
            statement = ""


class _Update:
    """One run of posting."""

    def __init__(self, company: Company, chart: Chart, book: int, db: sqlite3.Connection) -> None:
        self._company = company
        self._chart = chart
        self._book = book
        self._db = db
        self._items: dict[str, Mapping[str, Any]] = {str(body.get("Id")): body for body in bodies(company, "Item")}
        agencies = {str(one.get("Id")): str(one.get("DisplayName")) for one in bodies(company, "TaxAgency")}
        rates = {str(one.get("Id")): agencies.get(ref(one, "AgencyRef"), "") for one in bodies(company, "TaxRate")}
        exchange = {str(one.get("SourceCurrencyCode")): one.get("Rate") for one in bodies(company, "ExchangeRate")}
        self._exchange = {code: rate for code, value in exchange.items() if (rate := rate_of(value))}
        self._rates = Rates(
            item=lambda id_: self._items.get(id_, {}),
            agency=lambda id_: rates.get(id_, ""),
            exchange=lambda code: self._exchange.get(code, 1.0),
            charge=self._charge_rate,
        )
        self._dirty: set[str] = set()

    def run(self) -> None:
        db = self._db
        # A payment in a foreign currency is posted at the rate of what it pays.
        db.execute(
            "INSERT OR IGNORE INTO ledger_pending SELECT a.txn FROM ledger_pending p JOIN ledger_txn t ON t.row = p.row"
            " JOIN ledger_application a ON a.book = t.book AND a.entity = t.entity AND a.id = t.id WHERE a.abroad"
        )
        moved = "SELECT DISTINCT item FROM ledger_move WHERE book = ? AND txn IN (SELECT row FROM ledger_pending)"
        self._dirty.update(item for (item,) in db.execute(moved, (self._book,)))
        if db.execute("SELECT 1 FROM ledger_txn LIMIT 1").fetchone() is not None:
            for table, key in _PARTS:
                db.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT row FROM ledger_pending)")  # noqa: S608
        db.execute("DELETE FROM ledger_pending WHERE row NOT IN (SELECT row FROM record)")
        self._post_all()
        self._value_stock()

    def _post_all(self) -> None:
        sql = (
            "SELECT p.row, k.entity, r.created, b.body FROM ledger_pending p JOIN record r ON r.row = p.row"
            " JOIN kind k ON k.kind = r.kind JOIN body b ON b.row = p.row WHERE k.realm = ? ORDER BY p.row"
        )
        rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        reader = self._db.cursor()
        for row, entity, created, body in reader.execute(sql, (self._company.realm,)):
            if entity == "Item":
                self._dirty.add(str(json.loads(body).get("Id")))
            elif entity in ENTITIES:
                record = json.loads(body)
                if (transaction := post(entity, record, self._chart, self._rates)) is not None:
                    self._collect(rows, (row, entity, created), record, transaction)
                    if len(rows["ledger_txn"]) >= _BULK:
                        self._flush(rows)
        self._flush(rows)
        self._db.execute(
            "DELETE FROM ledger_pending WHERE row IN"
            " (SELECT r.row FROM record r JOIN kind k ON k.kind = r.kind WHERE k.realm = ?)",
            (self._company.realm,),
        )

    def _collect(
        self,
        rows: dict[str, list[tuple[Any, ...]]],
        key: tuple[int, str, int],
        record: Mapping[str, Any],
        transaction: Transaction,
    ) -> None:
        row, entity, created = key
        day = str(record.get("TxnDate") or "")
        side = (1 if entity == "Payment" else -1) if transaction.payment else 0
        rows["ledger_txn"].append(
            (
                row, self._book, entity, str(record.get("Id")), transaction.type, day,
                str(record.get("DueDate") or ""), str(record.get("DocNumber") or record.get("PaymentRefNum") or ""),
                transaction.name_kind, transaction.name, str(record.get("PrivateNote") or ""), created,
                transaction.total, transaction.deferred, transaction.payment, transaction.posting,
                transaction.account, side, transaction.settles,
            )
        )  # fmt: skip
        before = 0
        for at, line in enumerate(transaction.lines):
            rows["ledger_line"].append(_line_row(row, at, self._book, day, line, before=before))
            before += 0 if line.control else line.cents
        abroad = ref(record, "CurrencyRef") not in ("", self._chart.home)
        rows["ledger_application"] += [
            (row, at, self._book, one.entity, one.id, one.cents, one.sign, abroad)
            for at, one in enumerate(transaction.applications)
        ]
        for at, move in enumerate(transaction.movements):
            rows["ledger_move"].append(_move_row(row, at, self._book, day, move, created=created))
            self._dirty.add(move.item)

    def _flush(self, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        for table, found in rows.items():
            if found:
                places = ", ".join("?" * len(found[0]))
                self._db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({places})", found)  # noqa: S608
                found.clear()

    def _charge_rate(self, entity: str, id_: str) -> float:
        record = self._company.find(entity, id_) or {}
        code = ref(record, "CurrencyRef")
        if not code or code == self._chart.home:
            return 1.0
        return rate_of(record.get("ExchangeRate")) or self._exchange.get(code, 1.0)

    # ---- stock ----

    def _value_stock(self) -> None:
        for id_ in sorted(self._dirty):
            self._value_item(id_, self._items.get(id_, {}))

    def _value_item(self, id_: str, item: Mapping[str, Any]) -> None:
        db = self._db
        db.execute(
            "DELETE FROM ledger_line WHERE line >= ? AND item = ?"
            " AND txn IN (SELECT txn FROM ledger_move WHERE book = ? AND item = ?)",
            (_STOCK_LINE, id_, self._book, id_),
        )
        self._start(id_, item)
        found = db.execute(
            "SELECT txn, line, date, quantity, cents, account, asset, base, posted, line_customer, line_vendor,"
            " line_klass, line_department, line_memo FROM ledger_move WHERE book = ? AND item = ?"
            " ORDER BY date, quantity < 0 OR cents IS NULL, created, txn, line",
            (self._book, id_),
        ).fetchall()
        unit_cents = cents_of(item.get("PurchaseCost"))
        values = stock.value([stock.Move(row[3], row[4]) for row in found], unit_cents)
        lines = []
        for row, change in zip(found, values, strict=True):
            txn, at, day, _, cents, account, asset, base, posted, customer, vendor, klass, department, memo = row
            change -= cents if posted else 0  # noqa: PLW2901 -- what the transaction's own lines have not posted
            if change:
                pair = (
                    Line(account, -change, memo, customer, vendor, "", klass, department, id_),
                    Line(asset, change, memo, customer, vendor, "", klass, department, id_),
                )
                number = _STOCK_LINE + 2 * at
                lines.append(_line_row(txn, number, self._book, day, pair[0], before=base))
                lines.append(_line_row(txn, number + 1, self._book, day, pair[1], before=base - change))
        self._flush({"ledger_line": lines})

    def _start(self, id_: str, item: Mapping[str, Any]) -> None:
        """Post an item's starting quantity: the quantity on hand that no transaction explains."""
        db = self._db
        kind = self._company.store.kind(self._company.realm, "Item")
        known = db.execute("SELECT row, created FROM record WHERE kind = ? AND id = ?", (kind, id_)).fetchone()
        old = db.execute(
            "SELECT row FROM ledger_txn WHERE book = ? AND entity = 'Item' AND id = ?", (self._book, id_)
        ).fetchall()
        for table, key in _PARTS:
            db.executemany(f"DELETE FROM {table} WHERE {key} = ?", old)  # noqa: S608 -- our own names
        if known is None or item.get("Type") != "Inventory":
            return
        moved = db.execute(
            "SELECT total(quantity), min(date) FROM ledger_move WHERE book = ? AND item = ?", (self._book, id_)
        ).fetchone()
        quantity = number_of(item.get("QtyOnHand")) - moved[0]
        if abs(quantity) < 1e-9:  # a rounding error of float
            return
        day = min(str(item.get("InvStartDate") or moved[1] or ""), moved[1] or "9999")
        cents = round(quantity * cents_of(item.get("PurchaseCost")))
        asset = ref(item, "AssetAccountRef") or self._chart.role("inventory")
        opening = self._chart.role("opening")
        transaction = Transaction(_STARTING_TYPE, total=cents, account=opening)
        line = Line(opening, 0, f"{item.get('Name')} - Opening inventory and value", item=id_)
        transaction.movements = [Movement(id_, quantity, cents, opening, asset, 0, line, posted=False)]
        record = {"Id": id_, "TxnDate": day, "DocNumber": "START"}
        rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._collect(rows, (-known[0], "Item", known[1]), record, transaction)
        self._flush(rows)


def _line_row(txn: int, at: int, book: int, day: str, line: Line, *, before: int) -> tuple[Any, ...]:
    return (
        txn, at, book, day, line.account, line.cents, line.control, before, line.memo, line.customer, line.vendor,
        line.employee, line.klass, line.department, line.item, line.quantity, line.tax, line.base,
    )  # fmt: skip


def _move_row(txn: int, at: int, book: int, day: str, move: Movement, *, created: int) -> tuple[Any, ...]:
    line = move.line
    return (
        txn, at, book, day, created, move.item, move.quantity, move.cents, move.account, move.asset, move.base,
        move.posted, line.customer, line.vendor, line.klass, line.department, line.memo,
    )  # fmt: skip


# ---- what reports read -------------------------------------------------------------------------

COLUMNS = f"txn, line, date, account, cents, {_DIMENSIONS}"
"""The columns of `accrual` and `cash`."""

ACCRUAL = f"SELECT {COLUMNS} FROM ledger_line WHERE book = :book"  # noqa: S608 -- our own names
"""All lines of a company, as they were posted."""

APPLIED = """
SELECT a.txn AS payer, c.row AS charge, c.entity AS charge_entity, c.deferred AS deferred, abs(c.total) AS total,
    a.cents AS cents, p.side AS side, p.settles AS control, max(p.date, c.date) AS date,
    p.name_kind AS payer_kind, p.name AS payer_name, -p.side * a.sign * a.cents AS recognized,
    sum(a.cents) OVER (PARTITION BY c.row ORDER BY max(p.date, c.date), a.txn, a.line) AS upto
FROM ledger_application a CROSS JOIN ledger_txn p ON p.row = a.txn
CROSS JOIN ledger_txn c ON c.book = a.book AND c.entity = a.entity AND c.id = a.id
WHERE a.book = :book
"""
"""Which part of which charge is paid when. A payment made before its charge counts from the date of the charge.

CROSS JOIN keeps SQLite to the order of the tables.
"""


def _share(amount: str, paid: str) -> str:
    return f"CAST(round(1.0 * ({amount}) * ({paid}) / a.total) AS INTEGER)"


_PAID = (
    f"{_share('l.before + l.cents', 'a.upto')} - {_share('l.before', 'a.upto')}"
    f" - {_share('l.before + l.cents', 'a.upto - a.cents')} + {_share('l.before', 'a.upto - a.cents')}"
)
_DIMENSIONS_OF_LINE = ", ".join(f"l.{name.strip()}" for name in _DIMENSIONS.split(",")[:-3])
_PART = "1.0 * a.cents / a.total"
_UNNAMED = "'', '', 0, '', 0"
_OF_PAYER = (
    "'', CASE a.payer_kind WHEN 'Customer' THEN a.payer_name ELSE '' END,"
    " CASE a.payer_kind WHEN 'Vendor' THEN a.payer_name ELSE '' END, '', '', " + _UNNAMED
)

CASH = f"""
WITH applied AS ({APPLIED})
SELECT l.txn, l.line, l.date, l.account, l.cents, {", ".join(f"l.{name.strip()}" for name in _DIMENSIONS.split(","))}
FROM ledger_line l CROSS JOIN ledger_txn t ON t.row = l.txn
WHERE l.book = :book AND NOT (t.deferred AND t.total <> 0) AND NOT (t.payment AND l.control)
UNION ALL
SELECT l.txn, l.line, a.date, l.account, {_PAID}, {_DIMENSIONS_OF_LINE}, l.quantity * {_PART}, l.tax,
    CAST(round(l.base * {_PART}) AS INTEGER)
FROM applied a CROSS JOIN ledger_line l ON l.txn = a.charge AND NOT l.control WHERE a.deferred AND a.total <> 0
UNION ALL
SELECT a.payer, 900000, a.date, a.control, a.recognized, {_OF_PAYER} FROM applied a
WHERE NOT a.deferred OR a.total = 0
UNION ALL
SELECT l.txn, l.line, l.date, CASE t.side WHEN 1 THEN :unapplied_income ELSE :unapplied_expense END, l.cents,
    {", ".join(f"l.{name.strip()}" for name in _DIMENSIONS.split(","))}
FROM ledger_line l CROSS JOIN ledger_txn t ON t.row = l.txn WHERE l.book = :book AND t.payment AND l.control
UNION ALL
SELECT a.payer, 900001, a.date, CASE a.side WHEN 1 THEN :unapplied_income ELSE :unapplied_expense END, -a.recognized,
    {_OF_PAYER} FROM applied a
"""  # noqa: S608 -- our own names
"""The lines on the cash basis.

Charges (invoices, bills, credits) count when and as far as they are paid. Each line's part is a difference of rounded
sums, so the parts of a charge add up to what was paid, and to its lines once all is paid. What a payment pays in
advance is unapplied cash payment income or expense until its charge is dated.
Source: https://quickbooks.intuit.com/learn-support/en-us/help-article/accounting-bookkeeping/differentiate-cash-accrual
"""


def source(*, cash: bool) -> str:
    """Return the statement whose rows are a company's lines on a basis."""
    return CASH if cash else ACCRUAL


def parameters(ledger: Ledger) -> dict[str, Any]:
    """Return the values that `source` and `APPLIED` refer to."""
    return {
        "book": ledger.book,
        "unapplied_income": ledger.chart.role("unapplied-payment"),
        "unapplied_expense": ledger.chart.role("unapplied-bill-payment"),
    }


def names(company: Company, entity: str) -> dict[str, str]:
    """Return the names of a list by Id, with their parents' names before them, inactive ones included."""
    kind = company.store.kind(company.realm, entity)
    sql = (
        "SELECT r.id, coalesce(json_extract(b.body, '$.FullyQualifiedName'), r.name, '')"
        " FROM record r JOIN body b ON b.row = r.row WHERE r.kind = ?"
    )
    with company.store.reading() as db:
        return {str(id_): str(name) for id_, name in db.execute(sql, (kind,))}


def balances(db: sqlite3.Connection, ledger: Ledger, *, cash: bool = False, until: str = "9999") -> dict[str, int]:
    """Return each account's balance, debits positive."""
    sql = f"SELECT account, sum(cents) FROM ({source(cash=cash)}) WHERE date <= :until GROUP BY account"  # noqa: S608
    found: Iterable[tuple[str, int]] = db.execute(sql, parameters(ledger) | {"until": until})
    return dict(found)
