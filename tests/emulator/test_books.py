"""The books balance, whatever was written: random histories of creates, updates, voids and deletions.

What customers owe and what was paid is counted here from the records alone, independently of the ledger.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.books.ledger import Ledger, parameters, source
from vantage_quickbooks.emulator.company.sample import Sample
from vantage_quickbooks.emulator.company.times import DEFAULT_ZONE, zone_of
from vantage_quickbooks.emulator.errors import Fault

LISTS = {
    "Account", "Class", "CompanyInfo", "Customer", "Department", "Item", "Preferences", "TaxAgency", "TaxCode",
    "TaxRate", "Term", "Vendor",
}  # fmt: skip
ALL = {"date_macro": "all"}
HISTORIES = 8
STEPS = 50
NO_REF = {"value": ""}


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """A company with lists and no transactions; its inventory items have a quantity on hand, from the beginning."""
    folder = tmp_path_factory.mktemp("lists")
    sample = Sample(seed=1, now=1_795_900_000.0, zone=zone_of(DEFAULT_ZONE), customers=12, invoices=0)
    records = defaultdict(list)
    for entity, row in sample.records():
        record = json.loads(row.body)
        if entity in LISTS and record.get("CurrencyRef", {}).get("value", "USD") == "USD":
            records[entity].append({key: value for key, value in record.items() if "Balance" not in key})
    for entity, found in records.items():
        (folder / f"{entity}.json").write_text(json.dumps({"QueryResponse": {entity: found}}))
    return folder


@pytest.fixture(scope="module")
def books(lists):
    with Emulator(data=lists, limits=False) as emulator:
        yield emulator


@pytest.fixture
def client(books, open_client):
    books.reset()
    yield open_client(books).connect()
    assert books.crashes == []


def test_a_report_of_a_large_company_uses_the_indexes(books):
    """Without them, a cash basis of 100,000 invoices takes minutes."""
    company = books.company()
    ledger = Ledger(company)
    ledger.update()
    with company.store.reading() as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {source(cash=True)}", parameters(ledger))]
    # "TABLE ... AS" is how SQLite before 3.36 says it
    assert any(re.match(r"SEARCH (TABLE ledger_txn AS )?c USING INDEX ledger_txn_id", step) for step in plan), plan
    assert any(re.match(r"SEARCH (TABLE ledger_line AS )?l USING PRIMARY KEY", step) for step in plan), plan
    assert sum(bool(re.match(r"SCAN (TABLE ledger_line AS )?l\b", step)) for step in plan) == 2, plan
    assert not any("AUTOMATIC" in step for step in plan), plan


class History:
    """Writes a random history by the API's rules."""

    def __init__(self, emulator, seed):
        self.emulator = emulator
        self.random = random.Random(seed)
        self.made = defaultdict(list)
        company = emulator.company()
        self.today = company.today(emulator.now())
        self.ids = {}
        for entity in ("Customer", "Vendor", "Item", "Account", "Class", "Department"):
            kind = company.store.kind(company.realm, entity)
            with company.store.reading() as db:
                sql = "SELECT b.body FROM record r JOIN body b ON b.row = r.row WHERE r.kind = ? ORDER BY r.row"
                self.ids[entity] = [json.loads(body) for (body,) in db.execute(sql, (kind,))]
        self.items = [one for one in self.ids["Item"] if one["Type"] in ("Service", "Inventory", "NonInventory")]

    def ref(self, entity, **conditions):
        fits = [one for one in self.ids[entity] if all(one.get(key) == value for key, value in conditions.items())]
        return {"value": self.random.choice(fits)["Id"]}

    def cents(self, low=1, high=90_000):
        return self.random.randint(low, high) / 100

    def day(self):
        return (self.today - timedelta(days=self.random.choice([0, 1, 20, 45, 100, 300, 400, 700]))).isoformat()

    def dims(self):
        found = {}
        if self.random.random() < 0.3:
            found["ClassRef"] = self.ref("Class")
        return found

    def sales_lines(self):
        lines = []
        for _ in range(self.random.randint(1, 4)):
            item = self.random.choice(self.items)
            quantity = self.random.choice([1, 2, 3, 0.5]) if item["Type"] != "Inventory" else self.random.randint(1, 4)
            price = self.cents()
            amount = float((Decimal(str(price)) * Decimal(str(quantity))).quantize(Decimal("0.01")))
            detail = {"ItemRef": {"value": item["Id"]}, "Qty": quantity, "UnitPrice": amount / quantity} | self.dims()
            lines.append({"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail})
        if self.random.random() < 0.3:
            percent = {"PercentBased": True, "DiscountPercent": self.random.choice([5, 10, 33])}
            lines.append({"DetailType": "DiscountLineDetail", "DiscountLineDetail": percent})
        return lines

    def tax(self):
        if self.random.random() < 0.5:
            return {}
        cents = self.cents(1, 5_000)
        detail = {"TaxRateRef": {"value": "3"}, "PercentBased": True, "TaxPercent": 8.5, "NetAmountTaxable": 100}
        line = {"Amount": cents, "DetailType": "TaxLineDetail", "TaxLineDetail": detail}
        return {"TxnTaxDetail": {"TotalTax": cents, "TaxLine": [line]}}

    def expense_lines(self):
        lines = []
        for _ in range(self.random.randint(1, 3)):
            if self.random.random() < 0.4:
                item = self.ref("Item", Type="Inventory")
                quantity, amount = self.random.randint(1, 9), self.cents()
                detail = {"ItemRef": item, "Qty": quantity} | self.dims()
                kind = "ItemBasedExpenseLineDetail"
            else:
                amount, kind = self.cents(), "AccountBasedExpenseLineDetail"
                detail = {"AccountRef": self.ref("Account", AccountType="Expense")} | self.dims()
                if self.random.random() < 0.3:
                    detail["CustomerRef"] = self.ref("Customer")
            lines.append({"Amount": amount, "DetailType": kind, kind: detail})
        return lines

    # ---- the steps ----

    def sale(self):
        entity = self.random.choice(["Invoice", "Invoice", "Invoice", "SalesReceipt", "CreditMemo", "RefundReceipt"])
        record = {"CustomerRef": self.ref("Customer"), "Line": self.sales_lines(), "TxnDate": self.day()} | self.tax()
        if entity in ("SalesReceipt", "RefundReceipt"):
            record["DepositToAccountRef"] = self.ref("Account", AccountType="Bank")
        if self.random.random() < 0.3:
            record["DepartmentRef"] = self.ref("Department")
        self.create(entity, record)

    def purchase(self):
        entity = self.random.choice(["Bill", "Bill", "VendorCredit", "Purchase"])
        record = {"Line": self.expense_lines(), "TxnDate": self.day()}
        if entity == "Purchase":
            way = self.random.choice(["Cash", "Check", "CreditCard"])
            kind = "Credit Card" if way == "CreditCard" else "Bank"
            record |= {"PaymentType": way, "AccountRef": self.ref("Account", AccountType=kind)}
            record["EntityRef"] = self.ref("Vendor") | {"type": "Vendor"}
            if way == "CreditCard":
                record["Credit"] = self.random.random() < 0.2
        else:
            record["VendorRef"] = self.ref("Vendor")
        self.create(entity, record)

    def pay(self, *, whole=False):
        entity, charge, credit, who = self.random.choice(
            [("Payment", "Invoice", "CreditMemo", "CustomerRef"), ("BillPayment", "Bill", "VendorCredit", "VendorRef")]
        )
        self.settle(entity, charge, credit, who, whole=whole)

    def settle(self, entity, charge, credit, who, *, whole):
        charges = [one for one in self.current(charge) if one["Balance"] > 0]
        if not charges:
            return False
        first = self.random.choice(charges)
        same = [one for one in charges if one[who] == first[who]][: 1 if whole else self.random.randint(1, 3)]
        lines, total = [], Decimal(0)
        for one in same:
            owed = Decimal(str(one["Balance"]))
            part = owed if whole or self.random.random() < 0.5 else (owed * self.random.randint(1, 99) / 100)
            part = max(part.quantize(Decimal("0.01")), Decimal("0.01"))
            lines.append({"Amount": float(part), "LinkedTxn": [{"TxnId": one["Id"], "TxnType": charge}]})
            total += part
        if not whole and self.random.random() < 0.4:
            for one in self.current(credit):
                left = self.left(credit, one)
                if one[who] == first[who] and 0 < left <= total:
                    lines.append({"Amount": float(left), "LinkedTxn": [{"TxnId": one["Id"], "TxnType": credit}]})
                    total -= left
                    break
        if not whole and entity == "Payment" and self.random.random() < 0.3:
            total += Decimal(str(self.cents(1, 5_000)))  # remains unapplied
        record = {who: first[who], "TotalAmt": float(total), "Line": lines, "TxnDate": self.day()}
        bank = self.ref("Account", AccountType="Bank")
        if entity == "BillPayment":
            record |= {"PayType": "Check", "CheckPayment": {"BankAccountRef": bank}}
        self.create(entity, record)
        return True

    def prepay(self):
        self.create("Payment", {"CustomerRef": self.ref("Customer"), "TotalAmt": self.cents(), "TxnDate": self.day()})

    def bank(self):
        kind = self.random.choice(["Transfer", "Deposit", "CreditCardPaymentTxn"])
        one, other = self.ref("Account", AccountType="Bank"), self.ref("Account", AccountType="Bank")
        if kind == "Transfer":
            record = {"FromAccountRef": one, "ToAccountRef": other, "Amount": self.cents()}
        elif kind == "CreditCardPaymentTxn":
            card = self.ref("Account", AccountType="Credit Card")
            record = {"BankAccountRef": one, "CreditCardAccountRef": card, "Amount": self.cents()}
        else:
            detail = {"AccountRef": self.ref("Account", AccountType="Equity")}
            line = {"Amount": self.cents(), "DetailType": "DepositLineDetail", "DepositLineDetail": detail}
            record = {"DepositToAccountRef": one, "Line": [line]}
        self.create(kind, record | {"TxnDate": self.day()})

    def journal(self):
        amount = self.cents()
        kind = self.random.choice(["Income", "Expense", "Equity", "Fixed Asset", "Accounts Receivable"])
        first = {"PostingType": "Debit", "AccountRef": self.ref("Account", AccountType=kind)}
        if kind == "Accounts Receivable":
            first["Entity"] = {"Type": "Customer", "EntityRef": self.ref("Customer")}
        second = {"PostingType": "Credit", "AccountRef": self.ref("Account", AccountType="Equity")}
        lines = [
            {"Amount": amount, "DetailType": "JournalEntryLineDetail", "JournalEntryLineDetail": detail}
            for detail in (first, second)
        ]
        self.create("JournalEntry", {"Line": lines, "TxnDate": self.day()})

    def adjust(self):
        difference = self.random.choice([-3, -1, 2, 10])
        detail = {"ItemRef": self.ref("Item", Type="Inventory"), "QtyDiff": difference}
        line = {"DetailType": "ItemAdjustmentLineDetail", "ItemAdjustmentLineDetail": detail}
        account = self.ref("Account", AccountSubType="OpeningBalanceEquity")
        self.create("InventoryAdjustment", {"AdjustAccountRef": account, "Line": [line], "TxnDate": self.day()})

    def change(self):
        """Update, void or delete something."""
        entity = self.random.choice([entity for entity, ids in self.made.items() if ids])
        id_ = self.random.choice(self.made[entity])
        way = self.random.choice(["update", "void", "delete"])
        try:
            if way == "update":
                changed = {"Id": id_, "TxnDate": self.day()}
                if entity in ("SalesReceipt", "RefundReceipt", "Estimate"):
                    changed["Line"] = self.sales_lines()
                self.emulator.update(entity, changed)
            elif way == "void" and entity in ("Invoice", "Payment", "SalesReceipt", "BillPayment"):
                self.emulator.void(entity, id_)
            else:
                self.emulator.delete(entity, id_)
                self.made[entity].remove(id_)
        except Fault as fault:
            if fault.status >= 500:
                raise

    def create(self, entity, record):
        self.made[entity].append(self.emulator.create(entity, record)["Id"])

    def current(self, entity):
        return [self.emulator.read(entity, id_) for id_ in self.made[entity]]

    def left(self, credit, record):
        """What of a credit no payment uses."""
        used = sum(
            Decimal(str(line["Amount"]))
            for payment in self.payments()
            for line in payment.get("Line", [])
            for link in line["LinkedTxn"]
            if (link["TxnType"], link["TxnId"]) == (credit, record["Id"])
        )
        return Decimal(str(record["TotalAmt"])) - used

    def payments(self):
        return [*self.current("Payment"), *self.current("BillPayment")]

    def run(self, steps):
        weights = {
            self.sale: 6, self.purchase: 4, self.pay: 6, self.prepay: 1, self.bank: 2, self.journal: 1, self.adjust: 1,
            self.change: 2,
        }  # fmt: skip
        self.sale()
        for _ in range(steps):
            self.random.choices(list(weights), list(weights.values()))[0]()
        return self

    # ---- what the records say ----

    def owed(self, entity, charge, credit):
        """Open charges less unapplied credits and payments, from the records' own balances."""
        total = sum(Decimal(str(one["Balance"])) for one in self.current(charge))
        total -= sum(self.left(credit, one) for one in self.current(credit))
        for payment in self.current(entity):
            applied = Decimal(0)
            for line in payment.get("Line", []):
                sign = -1 if line["LinkedTxn"][0]["TxnType"] == credit else 1
                applied += sign * Decimal(str(line["Amount"]))
            total -= Decimal(str(payment["TotalAmt"])) - applied
            if "UnappliedAmt" in payment:
                assert Decimal(str(payment["UnappliedAmt"])) == Decimal(str(payment["TotalAmt"])) - applied
        if entity == "Payment":
            for entry in self.current("JournalEntry"):
                for line in entry["Line"]:
                    if "Entity" in line["JournalEntryLineDetail"]:
                        total += Decimal(str(line["Amount"]))
        return total


def walk(rows):
    for row in rows.get("Row", []):
        yield row
        yield from walk(row.get("Rows", {}))


def amounts(answer, at=-1):
    """Amounts by the title or, of groups, the group of their lines."""
    found = {}
    for row in walk(answer["Rows"]):
        for part in (row.get("Summary"), row if "ColData" in row else None):
            if part:
                value = Decimal(part["ColData"][at]["value"] or 0)
                found[row.get("group") or part["ColData"][0]["value"]] = value
    return found


@pytest.fixture
def report(client):
    def get(name, **parameters):
        answer = client.get(f"reports/{name}", params=ALL | parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


CASH = {"accounting_method": "Cash"}


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_the_books_balance_after_any_history(books, report, seed):
    history = History(books, seed).run(STEPS)
    assert len(history.made["Invoice"]) > 3
    for basis in ({}, CASH):
        trial = report("TrialBalance", **basis)
        assert amounts(trial, 1)["GrandTotal"] == amounts(trial, 2)["GrandTotal"] > 0
        sheet = amounts(report("BalanceSheet", **basis))
        assert sheet["TotalAssets"] == sheet["TotalLiabilitiesAndEquity"]
        year = {"date_macro": "this fiscal year-to-date"}
        assert amounts(report("ProfitAndLoss", **year, **basis)).get("NetIncome", 0) == sheet["NetIncome"]
    sheet = amounts(report("BalanceSheet"))
    for kind, detail, balance, charge, credit, payer in (
        ("AgedReceivables", "AgedReceivableDetail", "CustomerBalance", "Invoice", "CreditMemo", "Payment"),
        ("AgedPayables", "AgedPayableDetail", "VendorBalance", "Bill", "VendorCredit", "BillPayment"),
    ):
        owed = history.owed(payer, charge, credit)
        group = "AR" if payer == "Payment" else "AP"
        assert sheet.get(group, 0) == owed
        assert amounts(report(kind)).get("GrandTotal", 0) == owed
        assert amounts(report(detail)).get("GrandTotal", 0) == owed
        assert amounts(report(balance)).get("GrandTotal", 0) == owed
        assert amounts(report(f"{balance}Detail"), -2).get("GrandTotal", 0) == owed


def closing_lines(answer):
    """The last running balance of each account of a general ledger."""
    found = {}
    for row in walk(answer["Rows"]):
        if "Header" in row and "id" in row["Header"]["ColData"][0]:
            inner = row["Rows"]["Row"]
            if "ColData" not in inner[0] and "Header" not in inner[0]:  # its own lines, before its children
                inner = inner[0]["Rows"]["Row"]
            own = [one["ColData"] for one in inner if "ColData" in one]
            if own:
                found[row["Header"]["ColData"][0]["id"]] = Decimal(own[-1][-1]["value"])
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_general_ledger_of_a_period_begins_with_the_balances_before_it(books, report, seed):
    history = History(books, 400 + seed).run(STEPS)
    debit_side = ("Asset", "Expense")
    signs = {one["Id"]: 1 if one["Classification"] in debit_side else -1 for one in history.ids["Account"]}
    for days in (10, 150, 420):
        start = (history.today - timedelta(days=days)).isoformat()
        period = {"start_date": start, "end_date": history.today.isoformat(), "date_macro": None}
        if start[:4] != period["end_date"][:4]:  # a year's end inside the period closes nothing in the ledger
            period["end_date"] = f"{start[:4]}-12-31"
        closing = {}
        for row in report("TrialBalance", **period)["Rows"]["Row"]:
            if "ColData" in row:
                name, debit, credit = row["ColData"]
                closing[name["id"]] = Decimal(debit["value"] or 0) - Decimal(credit["value"] or 0)
        ends = closing_lines(report("GeneralLedger", **period))
        assert {id_: signs[id_] * cents for id_, cents in ends.items() if cents} == closing


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_lists_add_up_to_the_statements(books, report, seed):
    history = History(books, 100 + seed).run(STEPS)
    sheet = report("BalanceSheet")
    by_account = {
        row["ColData"][0]["id"]: Decimal(row["ColData"][1]["value"])
        for row in walk(sheet["Rows"])
        if "ColData" in row and "id" in row["ColData"][0]
    }
    ledger = closing_lines(report("GeneralLedger"))
    earlier = amounts(report("ProfitAndLoss"))["NetIncome"] - amounts(sheet)["NetIncome"]
    (retained,) = [one["Id"] for one in history.ids["Account"] if one["AccountSubType"] == "RetainedEarnings"]
    # Income of earlier years is closed into retained earnings; no entry says so.
    assert by_account.pop(retained, 0) == ledger.pop(retained, 0) + earlier
    assert by_account == {id_: cents for id_, cents in ledger.items() if id_ in by_account}
    for row in report("JournalReport")["Rows"]["Row"]:
        if "Summary" in row:
            debit, credit = (cell["value"] for cell in row["Summary"]["ColData"][-2:])
            assert Decimal(debit) == Decimal(credit)
    stock = amounts(report("InventoryValuationSummary"), 3)
    assert stock["GrandTotal"] == amounts(sheet)["Inventory Asset"]
    flow, cash = amounts(report("CashFlow")), amounts(sheet)
    assert flow["EndingCash"] == cash["BankAccounts"] + cash.get("Undeposited Funds", 0)
    result = amounts(report("ProfitAndLoss"))
    detail = report("ProfitAndLossDetail")
    assert amounts(detail, -2)["Net Income"] == result["NetIncome"]
    months = report("ProfitAndLoss", summarize_column_by="Month")
    for row in walk(months["Rows"]):
        for part in (row.get("Summary"), row if "ColData" in row else None):
            if part:
                values = [Decimal(cell["value"] or 0) for cell in part["ColData"][1:]]
                assert sum(values[:-1]) == values[-1], part
    for by in ("Customers", "Vendors", "Classes", "Departments", "ProductsAndServices", "Quarter", "Week"):
        answer = report("ProfitAndLoss", summarize_column_by=by)
        net = next(row for row in walk(answer["Rows"]) if row.get("group") == "NetIncome")
        values = net["Summary"]["ColData"][1:]
        assert Decimal(values[-1]["value"] or 0) == result["NetIncome"]
        assert sum(Decimal(cell["value"] or 0) for cell in values[:-1]) in (result["NetIncome"], 0)


def shares(history):
    """The cash basis from the records: what was paid of each charge, and what nothing pays yet."""
    unapplied = {"Payment": Decimal(0), "BillPayment": Decimal(0)}
    paid = defaultdict(Decimal)
    for entity in unapplied:
        for payment in history.current(entity):
            unapplied[entity] += Decimal(str(payment["TotalAmt"]))
            for line in payment.get("Line", []):
                (link,) = line["LinkedTxn"]
                cents = Decimal(str(line["Amount"]))
                paid[link["TxnType"], link["TxnId"]] += cents
                unapplied[entity] -= -cents if link["TxnType"] in ("CreditMemo", "VendorCredit") else cents
    return unapplied, paid


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_the_cash_basis_counts_what_was_paid(books, report, seed):
    """Sales of services: each charge counts with the part of its income, without the tax, that was paid."""
    history = History(books, 200 + seed)
    history.items = [one for one in history.items if one["Type"] == "Service"]
    steps = [history.sale, history.pay, history.pay, history.prepay, history.change]
    history.sale()
    for _ in range(STEPS):
        history.random.choice(steps)()
    unapplied, paid = shares(history)
    expected, tax_due = Fraction(unapplied["Payment"]), Fraction(0)
    for entity, sign in (("Invoice", 1), ("CreditMemo", -1), ("SalesReceipt", 1), ("RefundReceipt", -1)):
        for one in history.current(entity):
            total, tax = (Fraction(str(cents)) for cents in (one["TotalAmt"], one["TxnTaxDetail"]["TotalTax"]))
            at_once = entity in ("SalesReceipt", "RefundReceipt")
            share = Fraction(1) if at_once else Fraction(paid[entity, one["Id"]]) / total if total else Fraction(0)
            expected += sign * share * (total - tax)
            tax_due += sign * share * tax
    rounding = Fraction(len(paid) * 3, 100)  # a part of a line is rounded to the cent
    result = amounts(report("ProfitAndLoss", **CASH))
    assert abs(Fraction(result.get("NetIncome", Decimal(0))) - expected) <= rounding
    assert result.get("Unapplied Cash Payment Income", 0) == unapplied["Payment"]
    sheet = amounts(report("BalanceSheet", **CASH))
    assert "AR" not in sheet
    assert abs(Fraction(sheet.get("OtherCurrentLiabilities", Decimal(0))) - tax_due) <= rounding
    money = Fraction(0)
    for entity, sign in (("Payment", 1), ("SalesReceipt", 1), ("RefundReceipt", -1)):
        money += sign * sum(Fraction(str(one["TotalAmt"])) for one in history.current(entity))
    assert Fraction(result.get("NetIncome", 0)) + Fraction(sheet.get("OtherCurrentLiabilities", 0)) == money


@pytest.mark.parametrize("seed", range(4))
def test_once_all_is_paid_both_bases_agree(books, report, seed):
    """Parts that were rounded add up: no cent is left in any account."""
    history = History(books, 300 + seed)
    for _ in range(25):
        history.random.choice([history.sale, history.purchase, history.pay])()
    for entity in ("CreditMemo", "VendorCredit"):
        for one in history.current(entity):
            books.delete(entity, one["Id"])
        history.made[entity].clear()
    for payer, charge, credit, who in (
        ("Payment", "Invoice", "CreditMemo", "CustomerRef"),
        ("BillPayment", "Bill", "VendorCredit", "VendorRef"),
    ):
        for payment in history.current(payer):  # nothing is paid in advance, and no credit is used
            books.delete(payer, payment["Id"])
        history.made[payer].clear()
        for _ in range(10):
            open_before = [one for one in history.current(charge) if one["Balance"] > 0]
            for one in open_before[: len(open_before) // 2]:
                part = max(round(one["Balance"] * history.random.random(), 2), 0.01)
                record = {who: one[who], "TotalAmt": part, "TxnDate": history.day(), "Line": [
                    {"Amount": part, "LinkedTxn": [{"TxnId": one["Id"], "TxnType": charge}]}]}  # fmt: skip
                history.create(payer, record | ({"PayType": "Check"} if payer == "BillPayment" else {}))
        while history.settle(payer, charge, credit, who, whole=True):
            pass
    assert history.owed("Payment", "Invoice", "CreditMemo") == 0
    accrual, cash = report("TrialBalance")["Rows"], report("TrialBalance", **CASH)["Rows"]
    assert len(accrual["Row"]) > 5
    everything = {"start_date": "1990-01-01", "end_date": "2199-12-31"}
    one, other = report("ProfitAndLoss", **everything), report("ProfitAndLoss", **everything, **CASH)
    assert one["Rows"] == other["Rows"]
    assert amounts(report("BalanceSheet"))["TotalAssets"] == amounts(report("BalanceSheet", **CASH))["TotalAssets"]
    assert cash
