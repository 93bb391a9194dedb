"""The sample company fills every entity, and its records agree with each other at every seed and size.

The balances are checked against a separate ledger, which posts the records' amounts, independently of the generator.
"""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal

import pytest

from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.company.sample import Sample
from vantage_quickbooks.emulator.company.times import DEFAULT_ZONE, zone_of

NOW = 1_795_900_000.0
ZONE = zone_of(DEFAULT_ZONE)
TODAY = datetime.fromtimestamp(NOW, ZONE).date().isoformat()
# Seed, customers, invoices.
SIZES = [(1, None, None), (2, None, None), (3, 1, 0), (4, 0, 0), (5, 3, 5), (6, 40, 0), (7, 120, 1500)]
FILLED = sorted(set(ENTITIES) - {"TaxPayment"})  # there are tax payments in Australia and the United Kingdom alone
NUMBERED_APART = {"Attachable", "Budget", "CompanyInfo", "ExchangeRate", "Preferences", "RecurringTransaction"}
NUMBERED_APART |= {"TimeActivity"}

TARGETS = {
    "ClassRef": "Class",
    "CustomerRef": "Customer",
    "DepartmentRef": "Department",
    "EmployeeRef": "Employee",
    "GroupItemRef": "Item",
    "ItemRef": "Item",
    "PaymentMethodRef": "PaymentMethod",
    "SalesTermRef": "Term",
    "TaxCodeRef": "TaxCode",
    "TaxRateRef": "TaxRate",
    "TaxGroupCodeRef": "TaxCode",
    "TermRef": "Term",
    "TxnTaxCodeRef": "TaxCode",
    "AgencyRef": "TaxAgency",
    "PrefVendorRef": "Vendor",
    "VendorRef": "Vendor",
}
CURRENCIES = {"USD": "United States Dollar", "CAD": "Canadian Dollar", "EUR": "Euro"}
CREDITS = {"CreditMemo", "VendorCredit"}
OF_LINKS = {"BillPaymentCheck": "BillPayment"}


def company_of(seed, customers, invoices):
    company = defaultdict(dict)
    sample = Sample(seed=seed, now=NOW, zone=ZONE, customers=customers, invoices=invoices)
    for entity, row in sample.records():
        assert row.id not in company[entity], (entity, row.id)
        company[entity][row.id] = json.loads(row.body, parse_float=Decimal)
    return company


@pytest.fixture(scope="module", params=SIZES, ids=str)
def company(request):
    return company_of(*request.param)


@pytest.fixture(scope="module")
def usual():
    return company_of(1, None, None)


def unwrapped(entity, record):
    """Return a record without its envelope: a recurring transaction is wrapped in the type of its template."""
    return next(iter(record.values())) if entity == "RecurringTransaction" else record


def walk(value, path=()):
    """Every object inside a record, with the keys that lead to it."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from walk(item, path)


def name_of(record):
    return record.get("FullyQualifiedName") or record.get("DisplayName") or record.get("Name")


# ---- every entity answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILLED)
def test_every_entity_answers_records_by_query_and_by_id(client, name):
    entity = ENTITIES[name]
    rows = client.rows(f"select * from {name} maxresults 1000")
    assert rows
    assert client.query(f"select count(*) from {name}").json()["QueryResponse"]["totalCount"] == len(rows)
    if name == "ExchangeRate":  # it has no Id and is read by its currency
        return
    for row in rows[:3]:
        id_ = unwrapped(name, row)["Id"]
        read = client.get(f"{entity.path}/{id_}").json()[name]
        varying = set(read) ^ set(row)
        assert {key: value for key, value in read.items() if key in row} == {k: v for k, v in row.items() if k in read}
        assert varying <= {"ClientEntityId", "DefaultTaxCodeRef", "DeferredRevenue", "BillRate", "CostRate"}
        assert client.rows(f"select * from {name} where Id = '{id_}'") == [row]


def test_what_is_inactive_is_hidden_and_carries_the_suffix(client):
    for name in ("Account", "Class", "Department", "Employee", "Item", "PaymentMethod", "Term", "Vendor"):
        everything = client.rows(f"select * from {name} where Active in (true, false)")
        hidden = [row for row in everything if not row["Active"]]
        assert len(hidden) == 1
        assert name_of(hidden[0]).endswith(" (deleted)")
        assert len(client.rows(f"select * from {name}")) == len(everything) - 1


def test_an_exchange_rate_is_read_by_its_currency(client):
    rates = {row["SourceCurrencyCode"]: row for row in client.rows("select * from ExchangeRate")}
    assert set(rates) == {"CAD", "EUR", "CHF"}
    for code, rate in rates.items():
        assert client.get("exchangerate", params={"sourcecurrencycode": code}).json()["ExchangeRate"] == rate
        found = client.rows(f"select * from ExchangeRate where SourceCurrencyCode = '{code}'")
        assert found == [rate]
    on = {"sourcecurrencycode": "CAD", "asofdate": rates["CAD"]["AsOfDate"]}
    assert client.get("exchangerate", params=on).json()["ExchangeRate"] == rates["CAD"]
    for wrong in ({"sourcecurrencycode": "XXX"}, {"sourcecurrencycode": "CAD", "asofdate": "2001-01-01"}):
        answer = client.get("exchangerate", params=wrong)
        assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, "610")


def test_recurring_transactions_are_found_by_the_type_of_their_template(client):
    (row,) = client.rows("select * from RecurringTransaction where Type = 'Bill'")
    assert list(row) == ["Bill"]
    assert row["Bill"]["RecurringInfo"]["ScheduleInfo"]["IntervalType"] == "Monthly"
    assert client.rows("select * from RecurringTransaction where Type = 'Purchase'") == []


def test_reimbursable_charges_are_found_by_whether_they_are_invoiced(client):
    assert len(client.rows("select * from ReimburseCharge where HasBeenInvoiced = false")) == 2
    assert len(client.rows("select * from ReimburseCharge where HasBeenInvoiced = true")) == 1


# ---- breadth ---------------------------------------------------------------------------------------------------------


def test_accounts_and_items_of_all_types(usual):
    accounts = usual["Account"].values()
    assert len(accounts) >= 90
    assert {row["AccountType"] for row in accounts} == {
        "Bank", "Accounts Receivable", "Other Current Asset", "Fixed Asset", "Other Asset", "Accounts Payable",
        "Credit Card", "Other Current Liability", "Long Term Liability", "Equity", "Income", "Cost of Goods Sold",
        "Expense", "Other Income", "Other Expense",
    }  # fmt: skip
    assert max(row["FullyQualifiedName"].count(":") for row in accounts) == 2
    kinds = Counter(row["Type"] for row in usual["Item"].values())
    assert set(kinds) == {"Category", "Group", "Inventory", "NonInventory", "Service"}
    assert sum(kinds.values()) >= 18
    assert Counter(row["Active"] for row in usual["Vendor"].values()) == {True: 26, False: 1}


def test_forms_are_there_in_all_states(usual):
    assert {row["TxnStatus"] for row in usual["Estimate"].values()} == {"Pending", "Accepted", "Closed", "Rejected"}
    assert {row["POStatus"] for row in usual["PurchaseOrder"].values()} == {"Open", "Closed"}
    assert {row["BillableStatus"] for row in usual["TimeActivity"].values()} == {
        "Billable",
        "NotBillable",
        "HasBeenBilled",
    }
    assert {row["NameOf"] for row in usual["TimeActivity"].values()} == {"Employee", "Vendor"}
    assert {row["PayType"] for row in usual["BillPayment"].values()} == {"Check", "CreditCard"}
    assert {row["PaymentType"] for row in usual["Purchase"].values()} == {"Cash", "Check", "CreditCard"}
    assert [row["Credit"] for row in usual["Purchase"].values() if row.get("Credit")] == [True]
    assert {next(iter(row)) for row in usual["RecurringTransaction"].values()} == {"Bill", "Invoice", "JournalEntry"}


def bill_status(bill):
    if not bill["Balance"]:
        return "paid"
    if bill["DueDate"] < TODAY:
        return "overdue, partly paid" if bill["Balance"] < bill["TotalAmt"] else "overdue"
    return "partly paid" if bill["Balance"] < bill["TotalAmt"] else "open"


def test_bills_are_open_partly_paid_paid_and_overdue(usual):
    states = Counter(map(bill_status, usual["Bill"].values()))
    assert min(states[state] for state in ("paid", "open", "overdue", "overdue, partly paid")) >= 1
    assert {row["CurrencyRef"]["value"] for row in usual["Bill"].values()} == {"USD", "CAD"}


def test_payments_pay_several_charges_use_credits_and_leave_a_part_unapplied(usual):
    payments = usual["Payment"].values()
    assert any(
        len([line for line in row["Line"] if line["LinkedTxn"][0]["TxnType"] not in CREDITS]) > 1 for row in payments
    )
    assert [row["UnappliedAmt"] for row in payments if row["UnappliedAmt"]] == [Decimal(270)]
    credits_used = [row for row in payments if any(line["LinkedTxn"][0]["TxnType"] in CREDITS for line in row["Line"])]
    assert len(credits_used) == 2
    assert {bool(row["Balance"]) for row in usual["CreditMemo"].values()} == {True, False}
    assert {bool(row["Balance"]) for row in usual["VendorCredit"].values()} == {True, False}
    several = [row for row in usual["BillPayment"].values() if len(row["Line"]) > 1]
    assert {tuple(line["LinkedTxn"][0]["TxnType"] for line in row["Line"]) for row in several} == {
        ("Bill", "Bill"),
        ("Bill", "VendorCredit"),
    }


def of_several_invoices(company):
    return [
        row for row in company["Payment"].values() if [link_type(line) for line in row["Line"]].count("Invoice") > 1
    ]


def link_type(line):
    (link,) = line["LinkedTxn"]
    return link["TxnType"]


@pytest.mark.parametrize(
    ("seed", "customers", "invoices", "least"),
    [
        (1, None, None, 2),
        (2, None, None, 2),
        (3, None, 40, 1),
        (4, 16, 40, 1),
        (5, 500, 40, 1),
        (6, 1, 41, 1),
        (7, 120, 1500, 10),
    ],
)
def test_some_payments_pay_two_or_three_invoices_of_a_customer(seed, customers, invoices, least):
    company = company_of(seed, customers, invoices)
    payments = of_several_invoices(company)
    assert least <= len(payments) <= len(company["Payment"]) / 5
    for payment in payments:
        paid = [company["Invoice"][line["LinkedTxn"][0]["TxnId"]] for line in payment["Line"]]
        assert len({invoice["Id"] for invoice in paid}) == len(paid) in (2, 3)
        assert [line["Amount"] for line in payment["Line"]] == [invoice["TotalAmt"] for invoice in paid]
        assert payment["TotalAmt"] == sum(invoice["TotalAmt"] for invoice in paid)
        assert payment["UnappliedAmt"] == 0
        for invoice, line in zip(paid, payment["Line"], strict=True):
            assert invoice["LinkedTxn"] == [{"TxnId": payment["Id"], "TxnType": "Payment"}]
            assert invoice["CustomerRef"] == payment["CustomerRef"]
            assert invoice["CurrencyRef"] == payment["CurrencyRef"]
            assert invoice["Balance"] == 0
            assert invoice["TxnDate"] <= payment["TxnDate"]
            assert invoice["MetaData"]["CreateTime"] <= payment["MetaData"]["CreateTime"]
            assert invoice["MetaData"]["LastUpdatedTime"] == payment["MetaData"]["CreateTime"]
            extra = {value["value"]["Name"]: value["value"]["Value"] for value in line["LineEx"]["any"]}
            assert extra == {
                "txnId": invoice["Id"],
                "txnOpenBalance": str(invoice["TotalAmt"]),
                "txnReferenceNumber": invoice["DocNumber"],
            }


def test_a_deposit_takes_a_payment_of_several_invoices_once():
    deposited = Counter()
    for seed in range(1, 30):
        company = company_of(seed, 2, 40)
        several = {payment["Id"]: payment for payment in of_several_invoices(company)}
        for deposit in company["Deposit"].values():
            for line in deposit["Line"]:
                links = [link["TxnId"] for link in line.get("LinkedTxn", []) if link["TxnId"] in several]
                deposited.update((seed, id_) for id_ in links)
                assert [several[id_]["TotalAmt"] for id_ in links] in ([], [line["Amount"]])
    assert deposited
    assert set(deposited.values()) == {1}


# ---- references and links --------------------------------------------------------------------------------------------


def test_references_lead_to_records_and_have_their_names(company):
    seen = Counter()
    for entity, records in company.items():
        for record in records.values():
            for path, value in walk(record):
                key = path[-1] if path else ""
                if not key.endswith("Ref") or key in (
                    "CurrencyRef",
                    "LastModifiedByRef",
                    "RecurDataRef",
                    "AttachableRef",
                ):
                    continue
                target = value.get("type") or TARGETS.get(key)
                target = target or ("Account" if key.endswith("AccountRef") else None)
                if key == "EntityRef" and not target:
                    target = "Customer"  # of a journal entry; its Type is beside the reference
                if key == "ItemRef":
                    target = "Item"
                target = entity if key == "ParentRef" else target
                assert target, (entity, path)
                found = company[target].get(value["value"])
                assert found, (entity, path, value)
                if "name" in value:
                    # a customer's name in a reference is its DisplayName, other names are full ones
                    shown = found["DisplayName"] if target in ("Customer", "Vendor", "Employee") else name_of(found)
                    assert value["name"] == shown, (entity, path)
                seen[target] += 1
    assert seen["Account"] > 100
    if company["Customer"]:
        assert seen["Customer"] > 20


def test_currencies_have_their_names(company):
    for records in company.values():
        for record in records.values():
            for path, value in walk(record):
                if path and path[-1] == "CurrencyRef":
                    assert value["name"] == CURRENCIES[value["value"]]


def links_of(record):
    """What a record is linked with, at its head and in its lines."""
    links = [(link["TxnType"], link["TxnId"]) for link in record.get("LinkedTxn", [])]
    for line in record.get("Line", []):
        links += [(link["TxnType"], link["TxnId"]) for link in line.get("LinkedTxn", [])]
    return {(OF_LINKS.get(kind, kind), id_) for kind, id_ in links}


def test_links_lead_both_ways(company):
    count = 0
    for entity, records in company.items():
        for id_, record in records.items():
            for kind, other in links_of(unwrapped(entity, record)):
                assert other in company[kind], (entity, id_, kind, other)
                if kind != "TimeActivity":  # knows of no links (Intuit, TimeActivity page)
                    assert (entity, id_) in links_of(company[kind][other]), (entity, id_, kind, other)
                else:
                    assert company[kind][other]["BillableStatus"] == "HasBeenBilled"
                count += 1
    assert count > 30


def test_attachments_belong_to_records(company):
    for record in company["Attachable"].values():
        for reference in record.get("AttachableRef", []):
            assert reference["EntityRef"]["value"] in company[reference["EntityRef"]["type"]]


def test_transactions_share_a_sequence_of_ids(company):
    ids = Counter()
    for entity, records in company.items():
        if not ENTITIES[entity].is_name_list and entity not in NUMBERED_APART:
            ids.update(records.keys())
    assert max(ids.values(), default=1) == 1
    for entity, records in company.items():
        for id_, record in records.items():
            assert unwrapped(entity, record).get("Id", id_) == id_


# ---- sums ------------------------------------------------------------------------------------------------------------


class Ledger:
    """Posts records to accounts by their own amounts and references."""

    def __init__(self, company):
        self.company = company
        self.accounts = defaultdict(Decimal)  # by Id, in the account's currency, debits positive
        self.vendors = defaultdict(Decimal)
        self.customers = defaultdict(Decimal)
        self.stock = defaultdict(Decimal)
        (self.tax,) = self.of_type("AccountSubType", "SalesTaxPayable")
        for entity, post in self.rules().items():
            for record in company[entity].values():
                rate = Decimal(str(record.get("ExchangeRate") or self.rate(record)))
                lines = list(post(record))
                # every transaction balances, to the cent
                assert sum(cents for _, cents in lines) == 0, (entity, record["Id"], lines)
                for account, cents in lines:
                    home = company["Account"][account]["CurrencyRef"]["value"] == "USD"
                    self.accounts[account] += (cents * rate).quantize(Decimal("0.01")) if home else cents

    def rules(self):
        return {
            "Invoice": self.sale, "SalesReceipt": self.sale, "CreditMemo": self.credit, "RefundReceipt": self.credit,
            "Payment": self.payment, "Bill": self.bill, "VendorCredit": self.vendor_credit,
            "BillPayment": self.bill_payment, "Purchase": self.purchase, "Deposit": self.deposit,
            "Transfer": self.transfer, "CreditCardPaymentTxn": self.card_payment, "JournalEntry": self.journal,
            "InventoryAdjustment": self.adjustment,
        }  # fmt: skip

    @staticmethod
    def rate(record):
        return {"USD": "1", "CAD": "0.73", "EUR": "1.08"}[record.get("CurrencyRef", {}).get("value", "USD")]

    def of_type(self, key, value):
        return [id_ for id_, row in self.company["Account"].items() if row[key] == value]

    def receivable(self, record):
        code = record["CurrencyRef"]["value"]
        (found,) = (
            id_
            for id_ in self.of_type("AccountType", "Accounts Receivable")
            if self.company["Account"][id_]["CurrencyRef"]["value"] == code
        )
        return found

    def sold(self, lines, sign):
        for line in lines:
            kind = line["DetailType"]
            if kind == "GroupLineDetail":
                yield from self.sold(line[kind]["Line"], sign)
            elif kind == "DiscountLineDetail":
                yield line[kind]["DiscountAccountRef"]["value"], sign * line["Amount"]
            elif kind == "SalesItemLineDetail":
                yield line[kind]["ItemAccountRef"]["value"], -sign * line["Amount"]
                yield from self.moved(line[kind], -sign)

    def moved(self, detail, sign):
        """Take what is sold from stock, at cost."""
        item = self.company["Item"][detail["ItemRef"]["value"]]
        if item["Type"] == "Inventory":
            cost = sign * detail["Qty"] * Decimal(str(item["PurchaseCost"]))
            self.stock[item["Id"]] += sign * detail["Qty"]
            yield item["AssetAccountRef"]["value"], cost
            yield item["ExpenseAccountRef"]["value"], -cost

    def form(self, record, account, sign):
        yield account, sign * record["TotalAmt"]
        yield self.tax, -sign * record["TxnTaxDetail"]["TotalTax"]
        yield from self.sold(record["Line"], sign)

    def sale(self, record):
        account = record["DepositToAccountRef"]["value"] if "DepositToAccountRef" in record else None
        if account is None:
            account = self.receivable(record)
            self.customers[record["CustomerRef"]["value"]] += record["TotalAmt"]
        return self.form(record, account, 1)

    def credit(self, record):
        account = record["DepositToAccountRef"]["value"] if "DepositToAccountRef" in record else None
        if account is None:
            account = self.receivable(record)
            self.customers[record["CustomerRef"]["value"]] -= record["TotalAmt"]
        return self.form(record, account, -1)

    def payment(self, record):
        self.customers[record["CustomerRef"]["value"]] -= record["TotalAmt"]
        if record["TotalAmt"]:
            yield record["DepositToAccountRef"]["value"], record["TotalAmt"]
            yield self.receivable(record), -record["TotalAmt"]

    def bought(self, lines, sign):
        for line in lines:
            detail = line[line["DetailType"]]
            if "AccountRef" in detail:
                yield detail["AccountRef"]["value"], sign * line["Amount"]
                continue
            item = self.company["Item"][detail["ItemRef"]["value"]]
            if item["Type"] == "Inventory":
                self.stock[item["Id"]] += sign * detail["Qty"]
            yield (item.get("AssetAccountRef") or item["ExpenseAccountRef"])["value"], sign * line["Amount"]

    def bill(self, record, sign=1):
        self.vendors[record["VendorRef"]["value"]] += sign * record["TotalAmt"]
        yield record["APAccountRef"]["value"], -sign * record["TotalAmt"]
        yield from self.bought(record["Line"], sign)

    def vendor_credit(self, record):
        return self.bill(record, -1)

    def bill_payment(self, record):
        self.vendors[record["VendorRef"]["value"]] -= record["TotalAmt"]
        source = record.get("CheckPayment") or record["CreditCardPayment"]
        account = (source.get("BankAccountRef") or source["CCAccountRef"])["value"]
        (payable,) = {
            self.company[link["TxnType"]][link["TxnId"]]["APAccountRef"]["value"]
            for line in record["Line"]
            for link in line["LinkedTxn"]
        }
        return [(account, -record["TotalAmt"]), (payable, record["TotalAmt"])]

    def purchase(self, record):
        sign = -1 if record.get("Credit") else 1
        yield record["AccountRef"]["value"], -sign * record["TotalAmt"]
        yield from self.bought(record["Line"], sign)

    def deposit(self, record):
        yield record["DepositToAccountRef"]["value"], record["TotalAmt"]
        if "CashBack" in record:
            yield record["CashBack"]["AccountRef"]["value"], record["CashBack"]["Amount"]
        for line in record["Line"]:
            if "LinkedTxn" in line:
                (link,) = line["LinkedTxn"]
                paid = self.company[link["TxnType"]][link["TxnId"]]
                assert line["Amount"] == paid["TotalAmt"]
                yield paid["DepositToAccountRef"]["value"], -line["Amount"]
            else:
                yield line["DepositLineDetail"]["AccountRef"]["value"], -line["Amount"]

    def transfer(self, record):
        return [
            (record["FromAccountRef"]["value"], -record["Amount"]),
            (record["ToAccountRef"]["value"], record["Amount"]),
        ]

    def card_payment(self, record):
        return [
            (record["BankAccountRef"]["value"], -record["Amount"]),
            (record["CreditCardAccountRef"]["value"], record["Amount"]),
        ]

    def journal(self, record):
        for line in record["Line"]:
            detail = line["JournalEntryLineDetail"]
            cents = line["Amount"] if detail["PostingType"] == "Debit" else -line["Amount"]
            if "Entity" in detail:
                assert detail["Entity"]["Type"] == "Customer"
                self.customers[detail["Entity"]["EntityRef"]["value"]] += cents
            yield detail["AccountRef"]["value"], cents

    def adjustment(self, record):
        for line in record["Line"]:
            detail = line["ItemAdjustmentLineDetail"]
            item = self.company["Item"][detail["ItemRef"]["value"]]
            self.stock[item["Id"]] += detail["QtyDiff"]
            value = detail["QtyDiff"] * Decimal(str(item["PurchaseCost"]))
            yield item["AssetAccountRef"]["value"], value
            yield record["AdjustAccountRef"]["value"], -value


def test_balances_follow_from_the_transactions(company):
    ledger = Ledger(company)
    for id_, account in company["Account"].items():
        expected = Decimal(0) if account["Classification"] in ("Revenue", "Expense") else ledger.accounts[id_]
        assert account["CurrentBalance"] == expected, account["FullyQualifiedName"]
        below = sum(
            other["CurrentBalanceWithSubAccounts"]
            for other in company["Account"].values()
            if other.get("ParentRef", {}).get("value") == id_
        )
        assert account["CurrentBalanceWithSubAccounts"] == account["CurrentBalance"] + below
    for id_, vendor in company["Vendor"].items():
        assert vendor["Balance"] == ledger.vendors[id_]
    for id_, customer in company["Customer"].items():
        assert customer["Balance"] == ledger.customers[id_]
    for id_, item in company["Item"].items():
        assert item.get("QtyOnHand", 0) == ledger.stock[id_] >= 0


def test_receivables_and_payables_are_what_customers_and_vendors_owe(company):
    for kind, owing, sign in (("Accounts Receivable", "Customer", 1), ("Accounts Payable", "Vendor", -1)):
        for account in company["Account"].values():
            if account["AccountType"] == kind:
                code = account["CurrencyRef"]["value"]
                owed = [row["Balance"] for row in company[owing].values() if row["CurrencyRef"]["value"] == code]
                assert account["CurrentBalance"] == sign * sum(owed)


def test_what_is_open_is_the_total_less_what_paid_it(company):
    paid = defaultdict(Decimal)
    for entity in ("Payment", "BillPayment"):
        for record in company[entity].values():
            applied = Decimal(0)
            for line in record["Line"]:
                (link,) = line["LinkedTxn"]
                paid[link["TxnType"], link["TxnId"]] += line["Amount"]
                applied += -line["Amount"] if link["TxnType"] in CREDITS else line["Amount"]
            assert record["TotalAmt"] - applied == record.get("UnappliedAmt", 0)
    for entity in ("Invoice", "Bill", "CreditMemo", "VendorCredit"):
        for id_, record in company[entity].items():
            assert record["Balance"] == record["TotalAmt"] - paid[entity, id_] >= 0
            assert record.get("RemainingCredit", record["Balance"]) == record["Balance"]


def test_totals_are_lines_and_tax(company):
    forms = ("Invoice", "SalesReceipt", "CreditMemo", "RefundReceipt", "Estimate", "ChangeOrder")
    for entity in forms:
        for record in company[entity].values():
            amounts = defaultdict(Decimal)
            for line in record["Line"]:
                amounts[line["DetailType"]] += line["Amount"]
            lines = amounts["SalesItemLineDetail"] + amounts["GroupLineDetail"]
            assert lines == amounts["SubTotalLineDetail"]
            tax = record["TxnTaxDetail"]
            assert record["TotalAmt"] == lines - amounts["DiscountLineDetail"] + tax["TotalTax"]
            assert sum(line["Amount"] for line in tax.get("TaxLine", [])) == tax["TotalTax"]
    for entity in ("Bill", "VendorCredit", "Purchase", "PurchaseOrder"):
        for record in company[entity].values():
            assert record["TotalAmt"] == sum(line["Amount"] for line in record["Line"])
    for records in company.values():
        for record in records.values():
            for _, value in walk(record):
                if "UnitPrice" in value and "Qty" in value:
                    price = Decimal(str(value["UnitPrice"])) * Decimal(str(value["Qty"]))
                    assert price >= 0


def test_lines_are_price_times_quantity(company):
    count = 0
    for records in company.values():
        for record in records.values():
            for _, line in walk(record):
                detail = line.get(line.get("DetailType"), {})
                if "UnitPrice" in detail:
                    exact = Decimal(str(detail["UnitPrice"])) * Decimal(str(detail["Qty"]))
                    assert abs(exact - line["Amount"]) < Decimal("0.01")
                    count += 1
    assert count > 10


def test_charges_for_expenses_are_the_lines_they_come_from(company):
    for id_, charge in company["ReimburseCharge"].items():
        (bill,) = (other for kind, other in links_of(charge) if kind == "Bill")
        lines = [
            line for line in company["Bill"][bill]["Line"] if ("ReimburseCharge", id_) in links_of({"Line": [line]})
        ]
        assert charge["Amount"] == sum(line["Amount"] for line in lines)
        (status,) = {line["AccountBasedExpenseLineDetail"]["BillableStatus"] for line in lines}
        assert charge["HasBeenInvoiced"] == (status == "HasBeenBilled")
        assert charge["HasBeenInvoiced"] == any(kind == "SalesReceipt" for kind, _ in links_of(charge))


def test_orders_that_are_closed_were_received(company):
    for order in company["PurchaseOrder"].values():
        received = [(kind, id_) for kind, id_ in links_of(order) if kind in ("Bill", "Purchase")]
        assert bool(received) == (order["POStatus"] == "Closed")
        for kind, id_ in received:
            assert company[kind][id_]["TotalAmt"] == order["TotalAmt"]


# ---- days and times --------------------------------------------------------------------------------------------------


def test_times_are_in_order_and_not_in_the_future(company):
    times = []
    for entity, records in company.items():
        for record in records.values():
            meta = unwrapped(entity, record)["MetaData"]
            updated = datetime.fromisoformat(meta["LastUpdatedTime"])
            created = datetime.fromisoformat(meta.get("CreateTime", meta["LastUpdatedTime"]))
            assert created <= updated
            assert updated.timestamp() <= NOW
            assert record.get("TxnDate", TODAY) <= TODAY
            times.append(created)
    assert len(set(times)) > 100
    assert max(Counter(times).values()) > 1


def test_money_moves_after_what_it_pays(company):
    for entity in ("Payment", "BillPayment", "Deposit"):
        for record in company[entity].values():
            for line in record["Line"]:
                for link in line.get("LinkedTxn", []):
                    paid = company[link["TxnType"]][link["TxnId"]]
                    assert paid["TxnDate"] <= record["TxnDate"]
                    assert paid["MetaData"]["CreateTime"] <= record["MetaData"]["CreateTime"]


def test_opening_balances_come_before_everything_else(company):
    opening = [row["TxnDate"] for row in company["Deposit"].values() if row.get("PrivateNote") == "Opening balance"]
    (stock,) = (row["TxnDate"] for row in company["InventoryAdjustment"].values() if row["DocNumber"] == "1")
    assert len(opening) == 2
    others = [row["TxnDate"] for kind in ("Invoice", "Payment", "Bill", "Purchase") for row in company[kind].values()]
    assert max(*opening, stock) <= min(others)
    assert {row["InvStartDate"] for row in company["Item"].values() if "InvStartDate" in row} == {stock}


def test_budgets_cover_their_year(company):
    for budget in company["Budget"].values():
        months = {detail["BudgetDate"] for detail in budget["BudgetDetail"]}
        assert months == {date(int(budget["StartDate"][:4]), month, 1).isoformat() for month in range(1, 13)}


def test_templates_are_due_in_the_future(company):
    for record in company["RecurringTransaction"].values():
        schedule = unwrapped("RecurringTransaction", record)["RecurringInfo"]["ScheduleInfo"]
        assert schedule["PreviousDate"] <= TODAY < schedule["NextDate"]


def test_the_same_seed_makes_the_same_records():
    one, same, other = (
        list(Sample(seed=seed, now=NOW, zone=ZONE, customers=5, invoices=8).records()) for seed in (3, 3, 4)
    )
    assert one == same != other
