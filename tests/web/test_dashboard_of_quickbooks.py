"""The dashboard of QuickBooks companies: its numbers are those of the books, and of the lists that they lead to."""

from __future__ import annotations

import html as htmllib
import re
from decimal import Decimal

import pytest
from emulated_companies import books
from running_site import Client, wait_until

PART = "/connections/demo/dashboard"


def read(client):
    found = []
    wait_until(lambda: found.append(client.get(PART).text) or "data-updating" not in found[-1])
    return found[-1]


def amount(text):
    return Decimal(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def plain(html):
    return htmllib.unescape(" ".join(re.sub(r"<[^>]+>", " ", html).split()))


def sums_of(emulator, wanted=lambda _: True, member="Balance"):
    """Sums and counts by currency, from the emulator's books."""
    found = {}
    for invoice in books(emulator, emulator.credentials()["realm_id"], "Invoice").values():
        if invoice["Balance"] > 0 and wanted(invoice):
            total, count = found.get(invoice["CurrencyRef"]["value"], (0, 0))
            found[invoice["CurrencyRef"]["value"]] = total + invoice[member], count + 1
    return found


def numbers_of(html):
    """Each number with a link: tile, currency, amount and URL."""
    for tile in re.findall(r'<li class="number[^"]*" data-tile="(\w+)">(.*?)</li>', html, re.DOTALL):
        name, part = tile
        url = htmllib.unescape(re.search(r'href="([^"]+)"', part)[1])
        for key, text in re.findall(r'data-live-key="\w+-([A-Z]{3})">([\d,.]+)', part):
            yield name, key, amount(text), url


def totals_of(page):
    """The number of rows of a list and the sums of its balances, by currency."""
    part = re.search(r'<dl class="totals".*?</dl>', page, re.DOTALL)[0]
    return {
        currency: amount(text)
        for currency, text in re.findall(r"<dt>([A-Z]{3})</dt>.*?Balance</span> ([\d,.]+)<", part, re.DOTALL)
    }


SAMPLES = [{}, {"seed": 5, "invoices": 400, "customers": 40}]


@pytest.mark.parametrize(
    "options", [pytest.param(it, marks=pytest.mark.emulator(rotation="always", limits=False, **it)) for it in SAMPLES]
)
def test_each_number_is_that_of_the_books_and_of_its_list(client, emulator, options):
    html = read(client)
    found = {(name, key): value for name, key, value, _ in numbers_of(html) if name != "daysToPay"}
    assert {key: value for (name, key), value in found.items() if name == "outstanding"} == {
        key: total for key, (total, _) in sums_of(emulator).items()
    }
    seen = {}
    for name, key, value, url in numbers_of(html):
        if name != "daysToPay":
            seen[url] = seen.get(url) or totals_of(client.get(url).text)
            assert (name, key, seen[url][key]) == (name, key, value)
    assert len(seen) == 4
    assert options is not None


def test_each_bar_is_the_sum_of_its_list(client):
    html = read(client)
    checked = 0
    for tile in ("ages", "customers", "statuses"):
        section = re.search(rf'<section[^>]*data-tile="{tile}".*?</section>', html, re.DOTALL)[0]
        column = "Total" if tile == "statuses" else "Balance"
        bars = re.findall(
            rf'data-live-key="{tile}-([A-Z]{{3}})-[^"]*"><a href="([^"]+)">.*?class="value">([\d,.]+)',
            section,
            re.DOTALL,
        )
        for currency, url, value in bars:
            if amount(value) == 0 or ("balance_from=0.01&" not in htmllib.unescape(url) and tile != "statuses"):
                continue  # an empty list has no sums; the rest leads to the whole list
            page = client.get(htmllib.unescape(url)).text
            sums = re.search(rf"<dt>{currency}</dt>.*?{column}</span> ([\d,.]+)<", page, re.DOTALL)
            assert (tile, url, amount(sums[1])) == (tile, url, amount(value))
            checked += 1
    assert checked > 12


def test_the_average_is_that_of_the_list_of_paid_invoices(client, api):
    html = read(client)
    found = api("POST", "/api/connections/demo/call/listPaidInvoices", json={}).json()["data"]
    shown = dict(re.findall(r'data-live-key="daysToPay-([A-Z]{3})">([\d.]+) day', html))
    assert {key: float(text) for key, text in shown.items()} == {
        entry["currency"]: entry["averageDaysToPay"] for entry in found["averages"]
    }
    url = "/connections/demo/lists/listPaidInvoices?paid_date=last90Days"
    wait_until(lambda: 'id="progress"' not in client.get(url).text)
    page = client.get(url).text
    assert "Paid invoices of last 90 days" in page
    assert f"<strong>{found['count']}</strong>" in page


def test_income_and_expenses_are_those_of_the_report(client, api):
    html = read(client)
    section = re.search(r'<section[^>]*data-tile="profit".*?</section>', html, re.DOTALL)[0]
    months = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', section, re.DOTALL)
    data = {"report": "ProfitAndLoss", "summarize_column_by": "Month", "date_macro": "All"}
    report = api("POST", "/api/connections/demo/call/getReport", json=data).json()["data"]
    totals = {row["rowGroup"]: row for row in report["rows"] if row["rowKind"] in {"summary", "total"}}
    by_month = {column["startDate"][:7]: column["field"] for column in report["columns"] if column["startDate"]}
    columns = {column["label"]: column for column in report["columns"]}
    assert len(months) >= 6
    compared = 0
    for title, cells in months:
        income, expenses, net = (amount(text) for text in re.findall(r">([^<]+)</td>", cells))
        assert net == income - expenses
        column = columns.get(title)
        if column is None:
            continue
        field = by_month[column["startDate"][:7]]
        assert net == Decimal(str(totals["NetIncome"][field] or 0))
        assert income == Decimal(str(totals["Income"][field] or 0))
        compared += 1
    assert compared >= 5


def test_a_report_that_cannot_be_read_leaves_the_other_tiles(client, emulator):
    emulator.fault("fault", path="/reports/", times=-1)
    html = read(client)
    section = plain(re.search(r'<section[^>]*data-tile="profit".*?</section>', html, re.DOTALL)[0])
    assert "Not available." in section
    assert re.search(r"[A-Z]+_[A-Z]+$", section)
    assert len(list(numbers_of(html))) > 4


@pytest.mark.emulator(rotation="always", limits=False, customers=1, invoices=0)
def test_an_empty_company_has_friendly_words(client):
    text = plain(read(client))
    for words in ("Nothing is outstanding", "Nothing is overdue", "No invoices in the last 90 days."):
        assert words in text
    assert "nan" not in text.lower()


def test_a_revoked_connection_says_so_instead_of_figures(client, site, emulator):
    read(client)
    emulator.revoke_grants()
    site.host.close_live("demo")
    opened = Client(site)
    opened.get(f"/?key={site.sessions.access_key}")
    opened.get("/connections/demo/settings")
    opened.post(f"{PART}/refresh")
    wait_until(lambda: "no longer accepts this connection" in opened.get("/connections/demo").text)
    assert 'id="dashboard"' not in opened.get("/connections/demo").text
    assert "not available" in opened.get(PART).text
    opened.close()
