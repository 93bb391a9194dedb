"""The sample company: every status, correct sums, any size."""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

import gc
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.company.sample import money


def state(invoice, today):
    if invoice.get("PrivateNote", "").startswith("Voided") and not invoice["TotalAmt"]:
        return "voided"
    if not invoice["Balance"]:
        return "paid"
    if invoice["Balance"] < invoice["TotalAmt"]:
        return "partly paid"
    return "overdue" if invoice["DueDate"] < today else "open"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_payment_status_occurs_with_every_seed(open_client, seed):
    with Emulator(seed=seed, limits=False) as emulator:
        client = open_client(emulator).connect()
        rows = client.rows("select * from Invoice maxresults 1000")
        today = emulator.company().today(emulator.now()).isoformat()
        assert len(rows) == 60
        assert {"paid", "partly paid", "open", "overdue", "voided"} == {state(row, today) for row in rows}
        owed = {row["CurrencyRef"]["value"] for row in rows if row["Balance"]}
        assert len(owed) >= 2
        assert {"DiscountLineDetail", "SubTotalLineDetail", "SalesItemLineDetail"} == {
            line["DetailType"] for row in rows for line in row["Line"]
        }
        assert any(row["TxnTaxDetail"]["TotalTax"] for row in rows)


def test_sums_and_links_agree(client):
    invoices = client.rows("select * from Invoice maxresults 1000")
    payments = {row["Id"]: row for row in client.rows("select * from Payment maxresults 1000")}
    customers = {row["Id"]: row for row in client.rows("select * from Customer where Active in (true, false)")}
    items = {row["Id"] for row in client.rows("select * from Item")}
    terms = {row["Id"] for row in client.rows("select * from Term")}
    owed = defaultdict(Decimal)
    for row in invoices:
        lines = [line for line in row["Line"] if line["DetailType"] == "SalesItemLineDetail"]
        subtotal = sum(Decimal(str(line["Amount"])) for line in lines)
        discount = sum(
            Decimal(str(line["Amount"])) for line in row["Line"] if line["DetailType"] == "DiscountLineDetail"
        )
        tax = Decimal(str(row["TxnTaxDetail"]["TotalTax"]))
        assert subtotal - discount + tax == Decimal(str(row["TotalAmt"]))
        for line in lines:
            detail = line["SalesItemLineDetail"]
            exact = Decimal(str(detail["UnitPrice"])) * Decimal(str(detail["Qty"]))
            assert abs(exact - Decimal(str(line["Amount"]))) < Decimal("0.01")
        paid = Decimal(str(row["TotalAmt"])) - Decimal(str(row["Balance"]))
        assert paid == sum(
            Decimal(str(line["Amount"]))
            for link in row["LinkedTxn"]
            for line in payments[link["TxnId"]]["Line"]
            if line["LinkedTxn"] == [{"TxnId": row["Id"], "TxnType": "Invoice"}]
        )
        assert {line["SalesItemLineDetail"]["ItemRef"]["value"] for line in lines} <= items
        assert row["SalesTermRef"]["value"] in terms
        assert row["CustomerRef"]["name"] == customers[row["CustomerRef"]["value"]]["DisplayName"]
        owed[row["CustomerRef"]["value"]] += Decimal(str(row["Balance"]))
    for id_, row in customers.items():
        assert owed[id_] == Decimal(str(row["Balance"]))
        jobs = [job for job in customers.values() if job.get("ParentRef", {}).get("value") == id_]
        assert owed[id_] + sum(owed[job["Id"]] for job in jobs) == Decimal(str(row["BalanceWithJobs"]))


def test_unusual_names_occur(client):
    names = {row["DisplayName"] for row in client.rows("select * from Customer")}
    assert any("'" in name for name in names)
    assert any("&" in name for name in names)
    assert any(not name.isascii() for name in names)


def test_only_due_dates_are_in_the_future(client, emulator):
    today = emulator.company().today(emulator.now()).isoformat()
    for row in client.rows("select * from Invoice maxresults 1000"):
        assert row["TxnDate"] <= today
        assert row["TxnDate"] <= row["DueDate"] <= (date.fromisoformat(today) + timedelta(days=60)).isoformat()
    now = "select count(*) from {} where MetaData.LastUpdatedTime > '{}'"
    later = emulator.state()["now"]
    for entity in ("Invoice", "Customer", "Payment"):
        assert client.query(now.format(entity, later)).json()["QueryResponse"]["totalCount"] == 0


def test_the_same_seed_gives_the_same_books(open_client):
    texts = []
    for seed in (5, 5, 6):
        with Emulator(seed=seed, limits=False) as emulator:
            client = open_client(emulator).connect()
            rows = client.rows("select * from Invoice orderby DocNumber maxresults 1000")
            texts.append([(row["DocNumber"], row["TotalAmt"], row["CustomerRef"]) for row in rows])
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(("customers", "invoices"), [(0, 0), (1, 0), (3, 5), (40, 0)])
def test_small_and_empty_companies(open_client, customers, invoices):
    with Emulator(customers=customers, invoices=invoices, limits=False) as emulator:
        client = open_client(emulator).connect()
        everyone = client.query("select count(*) from Customer where Active in (true, false)").json()
        assert everyone["QueryResponse"]["totalCount"] == customers
        assert client.query("select count(*) from Invoice").json()["QueryResponse"]["totalCount"] == invoices
        assert client.get("companyinfo/1").status_code == 200


def test_impossible_arguments_are_refused(tmp_path):
    for arguments, message in (
        ({"customers": -1}, "customers"),
        ({"port": 70_000}, "port"),
        ({"rotation": "x"}, "rotation"),
    ):
        with pytest.raises(ValueError, match=message):
            Emulator(**arguments)
    (tmp_path / "text").write_text("no database " * 50)
    for path in (tmp_path / "nowhere" / "x", tmp_path, tmp_path / "text"):
        with pytest.raises(OSError, match=str(path)):
            Emulator(database=path).start()
    gc.collect()  # from 3.13 on a database that was left open warns, here and not in whatever test comes next


def test_ten_thousand_invoices_are_paged_to_the_end(open_client):
    with Emulator(customers=500, invoices=10_000, limits=False) as emulator:
        client = open_client(emulator).connect()
        seen = set()
        for start in range(1, 12_000, 1000):
            rows = client.rows(
                f"select * from Invoice orderby MetaData.CreateTime startposition {start} maxresults 1000"
            )
            seen.update(row["Id"] for row in rows)
        assert len(seen) == 10_000
        numbers = client.rows("select DocNumber from Invoice startposition 9991 maxresults 1000")
        assert len(numbers) == 10


def test_a_database_keeps_the_company(tmp_path, open_client):
    path = tmp_path / "books.sqlite3"
    with Emulator(database=path, limits=False) as emulator:
        emulator.update("Customer", {"Id": "1", "Notes": "kept"})
    with Emulator(database=path, limits=False) as emulator:
        client = open_client(emulator).connect()
        assert client.get("customer/1").json()["Customer"]["Notes"] == "kept"
        emulator.reset()
        assert "Notes" not in client.connect().get("customer/1").json()["Customer"]


@pytest.mark.parametrize(
    ("cents", "text"), [(0, "0"), (5, "0.05"), (63900, "639.00"), (-26100, "-261.00"), (-5, "-0.05")]
)
def test_amounts_are_formatted_as_on_the_wire(cents, text):
    assert text == money(cents)
