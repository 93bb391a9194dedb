"""What a bookkeeper reads in lists and records: names, numbers and sums that mean something."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from running_site import wait_until

from vantage_quickbooks.web.formatting import column_of
from vantage_quickbooks.web.links import Links
from vantage_quickbooks.web.listings import ListState
from vantage_quickbooks.web.rows import Rows
from vantage_quickbooks.web.tables import make_table, totals_of

BASE = "/connections/demo"
AMOUNT = {"field": "amount", "label": "Amount", "format": "money", "currency": "currency"}


def read(client, path):
    """Return the page of a list once its rows have been read."""
    wait_until(lambda: 'class="reading"' not in client.get(path).text)
    return client.get(path)


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]))


def heading(page):
    return " ".join(re.sub(r"<[^>]+>", "", re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)[1]).split())


def rows_of(tmp_path, columns, *rows):
    stored = Rows(tmp_path / "rows.sqlite3", {"views": [{"kind": "table", "columns": columns}]})
    stored.append(rows)
    return stored


def test_the_currency_of_most_rows_comes_first_in_the_sums(tmp_path):
    amounts = [
        {"amount": number, "currency": code} for number, code in ((9, "CAD"), (1, "USD"), (2, "USD"), (3, "AUD"))
    ]
    totals = totals_of(rows_of(tmp_path, [AMOUNT], *amounts))
    assert totals == [("USD", [("Amount", "3.00")]), ("AUD", [("Amount", "3.00")]), ("CAD", [("Amount", "9.00")])]


def test_amounts_whose_sum_has_no_meaning_are_not_added_up(tmp_path):
    price = {"field": "price", "label": "Price", "format": "money", "isSummed": False}
    stored = rows_of(tmp_path, [AMOUNT, price], {"amount": 1, "currency": "USD", "price": 5})
    assert totals_of(stored) == [("USD", [("Amount", "1.00")])]
    assert stored.fields.totals == {"amount": {"USD": Decimal(1)}}


def test_a_phone_shows_the_name_that_leads_to_the_record(tmp_path):
    columns = [{"field": name, "label": name} for name in ("id", "number", "name")]
    stored = rows_of(tmp_path, columns, {"id": "1", "number": "", "name": "Checking"})
    shown = [column_of(column) for column in columns]
    links = Links("demo", [], [])
    main = {"action": "get", "input": {"id": "id"}, "field": "name"}
    roles = [head.role for head in make_table(stored, shown, ListState(), links, main).heads]
    assert roles == ["number", "", "title"]
    roles = [head.role for head in make_table(stored, shown, ListState(), links, None).heads]
    assert roles == ["number", "title", ""]


def test_accounts_have_names_as_links_and_no_sum_of_their_balances(client):
    page = read(client, f"{BASE}/lists/listAccounts")
    assert 'class="totals"' not in page.text
    url = re.search(r'<a href="([^"]+)" class="main">Checking</a>', page.text)[1]
    assert heading(client.get(url)) == "Account Checking"


def test_prices_of_items_have_two_decimals_and_no_sum(client):
    page = read(client, f"{BASE}/lists/listItems")
    assert 'class="totals"' not in page.text
    prices = [re.search(r'class="num[^"]*">([^<]+)</td>', row) for row in page.text.split("<tr ")[2:]]
    shown = [found[1] for found in prices if found]
    assert shown
    assert all(re.fullmatch(r"[\d,]+\.\d\d", price) for price in shown), shown


def test_a_bill_without_a_number_is_called_by_its_date(client):
    page = read(client, f"{BASE}/lists/listBills")
    row = next(row for row in page.text.split("<tr ") if "Open this bill" in row)
    assert '<span aria-hidden="true">—</span>' in row  # no word that could be read as the status
    url = re.search(r'<a href="([^"]+)" class="main">', row)[1]
    day = re.search(r"<time[^>]*>([^<]+)</time>", row)[1]
    assert heading(client.get(url)).startswith(f"Bill of {day}")


def test_a_payment_that_is_not_applied_in_full_adds_up_to_its_total(client, emulator):
    listed = read(client, f"{BASE}/lists/listPayments")
    ids = re.findall(r"getPayment\?id=(\d+)", listed.text)
    payment = next(found for found in (emulator.company().find("Payment", it) for it in ids) if found["UnappliedAmt"])
    foot = client.get(f"{BASE}/records/getPayment?id={payment['Id']}").text.partition("<tfoot>")[2]
    labels = re.findall(r'<th scope="row"[^>]*>([^<]+)</th>', foot.partition("</tfoot>")[0])
    assert labels == ["Unapplied", "Total"]


def test_a_journal_entry_shows_no_total_of_zero(client):
    page = read(client, f"{BASE}/lists/listJournalEntries")
    assert "Total" not in re.findall(r'<th scope="col"[^>]*><a[^>]*>([^<]+)</a>', page.text)
    url = re.search(r'<a href="([^"]+)" class="main">', page.text)[1]
    assert "<tfoot>" not in client.get(url).text


def test_sums_of_lines_have_the_currency_of_the_record(client):
    listed = read(client, f"{BASE}/lists/listInvoices")
    url = re.search(r'<a href="([^"]+)" class="main">', listed.text)[1]
    foot = client.get(url).text.partition("<tfoot>")[2].partition("</tfoot>")[0]
    sums = re.findall(r'<td class="num">([^<]+)</td>', foot)
    assert sums
    assert all(re.search(r"\N{NO-BREAK SPACE}[A-Z]{3}$", text) for text in sums), sums


def test_a_list_without_rows_names_its_customer(client):
    overdue = read(client, f"{BASE}/lists/listInvoices?status=overdue&columns=CustomerRef")
    known = set(re.findall(r"getCustomer\?id=(\d+)", overdue.text))
    listed = read(client, f"{BASE}/lists/listCustomers").text
    links = re.findall(r'<a href="[^"]+getCustomer\?id=(\d+)" class="main">([^<]+)</a>', listed)
    number, name = next((number, name) for number, name in links if number not in known)
    page = read(client, f"{BASE}/lists/listInvoices?status=overdue&customer_id={number}&q=nothing")
    assert heading(page) == f"Overdue invoices of {name}"
    assert "0 invoices at" in text_of(page)
    assert "0 of 0" not in text_of(page)


def test_a_record_that_does_not_exist_leads_back_to_its_list(client):
    page = client.get(f"{BASE}/records/getInvoice?id=99999")
    assert page.status_code == 502
    assert heading(page) == "Invoice"
    assert "This record could not be read" in page.text
    assert f'<a class="button" href="{BASE}/lists/listInvoices">Back to invoices</a>' in page.text
    assert "Back to the form" not in page.text
    assert f'<a href="{BASE}/lists/listCustomers">Customers</a>' in page.text


def test_a_period_that_a_filter_does_not_have_is_not_ignored_in_silence(client):
    page = read(client, f"{BASE}/lists/listInvoices?due_date=nextYear&status=overdue")
    assert "The filter Due date has no choice “nextYear”, so the list is not narrowed by it." in text_of(page)
    page = read(client, f"{BASE}/lists/listInvoices?due_date=untilYesterday&status=overdue")
    assert "has no choice" not in page.text


@pytest.mark.parametrize(
    ("report", "read_by"),
    [("CustomerBalanceDetail", "getCustomer"), ("VendorBalanceDetail", "getVendor"), ("GeneralLedger", "getAccount")],
)
def test_sections_of_a_report_lead_to_what_they_are_about(client, report, read_by):
    page = read(client, f"{BASE}/reports/getReport?report={report}")
    sections = re.findall(r'<tr class="section in-0".*?</th>', page.text, re.DOTALL)
    assert sections
    assert any(f'href="{BASE}/records/{read_by}?id=' in section for section in sections)  # a parent account has no Id
    totals = re.findall(r'<tr class="total in-0".*?</th>', page.text, re.DOTALL)
    assert totals
    assert not any("href" in total for total in totals)


def test_balances_are_those_of_one_day(client):
    page = read(client, f"{BASE}/reports/getReport?report=BalanceSheet")
    assert re.search(r'id="heading"><strong>As of \d+ \w{3} \d{4}</strong>', page.text)
    page = read(client, f"{BASE}/reports/getReport?report=ProfitAndLoss")
    assert re.search(r'id="heading"><strong>\d+ \w{3} \d{4} to \d+ \w{3} \d{4}</strong>', page.text)
