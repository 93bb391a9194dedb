"""Lists and records, in a real browser."""

from __future__ import annotations

import re
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from large_list import Connection, Connector
from playwright.sync_api import expect

from vantage_quickbooks.hookspecs import hookimpl

PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}
INVOICES = "/connections/demo/lists/listInvoices"


def queries(emulator):
    return [request for request in emulator.requests() if "/query" in request["path"]]


def column(page, label):
    index = page.locator("table.list thead th").all_inner_texts().index(label)
    return page.locator(f"table.list tbody tr td:nth-child({index + 1})").all_inner_texts()


def open_list(page, site, query=""):
    page.goto(f"{site.url}{INVOICES}{query}")
    page.wait_for_selector("table.list")


def test_a_list_is_narrowed_step_by_step_and_the_url_is_its_state(open_page, site, emulator):
    page = open_page()
    page.goto(f"{site.url}/connections/demo")
    page.wait_for_selector("#dashboard:not(:has([data-updating]))")
    before = len(queries(emulator))  # of the dashboard
    page.get_by_role("link", name="Invoices", exact=True).click()
    page.wait_for_selector("table.list")
    page.get_by_role("link", name="Overdue", exact=True).click()
    expect(page.locator("h1")).to_have_text("Overdue invoices")
    page.locator("summary", has_text="Customer").click()
    page.locator("#field-customer_id").press_sequentially("nord")
    page.get_by_role("option", name="Nordlicht").click()
    page.locator("details[open]").get_by_role("button", name="Apply").click()
    expect(page.locator("h1")).to_have_text("Overdue invoices of Nordlicht Garten GmbH")
    assert set(column(page, "Customer")) == {"Nordlicht Garten GmbH"}
    chips = [chip.text_content() for chip in page.locator(".chip > span:first-child").all()]
    assert chips == ["Remove filter Status: Overdue", "Remove filter Customer: Nordlicht Garten GmbH"]
    state = parse_qs(urlsplit(page.url).query)
    assert set(state) == {"status", "customer_id"}
    page.reload()
    expect(page.locator("h1")).to_have_text("Overdue invoices of Nordlicht Garten GmbH")
    page.get_by_role("link", name="Remove filter Status: Overdue").click()
    expect(page.locator("h1")).to_have_text("Invoices of Nordlicht Garten GmbH")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Overdue invoices of Nordlicht Garten GmbH")
    page.get_by_role("link", name="Clear all").click()
    expect(page.locator("h1")).to_have_text("Invoices")
    assert len(queries(emulator)) - before == 5  # four questions and one search for a name; going back is free
    assert page.problems == []


@pytest.mark.emulator(rotation="always", limits=False, invoices=120)
def test_sorting_searching_and_turning_pages_make_no_api_calls(open_page, site, emulator):
    page = open_page()
    open_list(page, site)
    assert "120 invoices" in page.locator("#count").inner_text()
    assert len(queries(emulator)) == 1
    page.locator("thead").get_by_role("link", name="Total").click()
    page.wait_for_selector("th[aria-sort=descending]:has-text('Total')")
    page.get_by_role("link", name="Page 3").click()
    page.wait_for_url("**page=3**")
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Total")
    assert page.locator("table.list tbody tr").count() == 20
    first = page.locator("a.main").first.inner_text()
    page.get_by_role("searchbox", name="Search in these invoices").fill(first)
    page.keyboard.press("Enter")
    page.wait_for_url("**q=**")
    assert first in column(page, "No.")
    assert re.match(r"\d+ of 120 invoices", page.locator("#count").inner_text())
    assert len(queries(emulator)) == 1
    page.get_by_role("button", name="Refresh").click()
    page.wait_for_selector("table.list")
    assert "q=" in page.url
    assert len(queries(emulator)) == 2


def test_two_tabs_have_two_states_and_share_what_was_read(open_page, site, emulator):
    one = open_page()
    open_list(one, site, "?sort=DueDate")
    two = one.context.new_page()
    open_list(two, site, "?sort=-TotalAmt")
    two.get_by_role("link", name="Paid", exact=True).click()
    expect(two.locator("h1")).to_have_text("Paid invoices")
    expect(two.locator("th[aria-sort]")).to_have_text("Total")  # the order stays
    one.reload()
    expect(one.locator("h1")).to_have_text("Invoices")
    expect(one.locator("th[aria-sort]")).to_have_text("Due")
    assert len(queries(emulator)) == 2


def test_a_preset_is_a_bookmark_that_stays_current(open_page, site):
    page = open_page()
    open_list(page, site)
    page.locator("summary", has_text="Due date").click()
    page.get_by_role("link", name="Before today").click()
    expect(page.locator("h1")).to_have_text("Invoices due before today")
    assert page.url.endswith("?due_date=untilYesterday")
    assert "Late" in page.locator("table.list thead th").all_inner_texts()


def test_columns_are_chosen_with_their_names_in_plain_words(open_page, site):
    page = open_page()
    open_list(page, site)
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("Billing address BillAddr").check()
    page.get_by_label("Late daysOverdue").uncheck()
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url("**columns=**")
    heads = page.locator("table.list thead th").all_inner_texts()
    assert "Billing address" in heads
    assert "Late" not in heads
    page.get_by_role("link", name="Overdue", exact=True).click()
    expect(page.locator("h1")).to_have_text("Overdue invoices")
    assert page.locator("table.list thead th").all_inner_texts() == heads


def test_a_row_opens_its_record_and_leads_to_payments_and_the_customer(open_page, site, emulator):
    invoices = filter(None, (emulator.company().find("Invoice", str(number)) for number in range(101, 300)))
    paid = next(it for it in invoices if [link["TxnType"] for link in it["LinkedTxn"]] == ["Payment"])
    page = open_page()
    open_list(page, site, f"?doc_number={paid['DocNumber']}")
    expect(page.locator("#count")).to_contain_text("1 invoice at")
    page.locator("table.list tbody tr").first.click(position={"x": 600, "y": 10})  # the row itself is the link
    expect(page.locator("h1")).to_contain_text(f"Invoice {paid['DocNumber']}")
    lines = [line for line in paid["Line"] if line["DetailType"] == "SalesItemLineDetail"]
    assert page.locator("table.lines tbody tr").count() == len(lines)
    assert page.locator("table.lines tfoot tr").last.inner_text().startswith("Balance due")
    assert paid["BillAddr"]["Line1"] in page.locator("section", has_text="Billing address").inner_text()
    page.locator("summary", has_text="JSON").click()
    assert f'"DocNumber": "{paid["DocNumber"]}"' in page.locator("pre.json").inner_text()
    expect(page.locator(".linked li").first).to_contain_text(re.compile(r"Payment \d+ \w+ 20\d\d, [\d,.]+"))
    page.locator(".linked a").first.click()
    expect(page.locator("h1")).to_contain_text("Payment")
    page.get_by_role("link", name=paid["CustomerRef"]["name"]).first.click()
    expect(page.locator("h1")).to_have_text(f"Customer {paid['CustomerRef']['name']}")
    page.get_by_role("navigation", name="Related lists").get_by_role("link", name="Invoices").click()
    page.wait_for_selector("table.list")
    expect(page.locator("h1")).to_have_text(f"Invoices of {paid['CustomerRef']['name']}")
    assert page.problems == []


def test_a_name_suggests_customers(open_page, site):
    page = open_page(java_script_enabled=False)
    page.goto(f"{site.url}{INVOICES}?customer_id=nord")
    assert page.title().startswith("Error: ")
    page.get_by_role("link", name="Nordlicht Garten GmbH").click()
    assert set(column(page, "Customer")) == {"Nordlicht Garten GmbH"}


def test_recent_runs_are_named_by_their_question_and_run_again(open_page, site, emulator):
    page = open_page()
    open_list(page, site, "?status=overdue&txn_date=thisYear")
    page.goto(f"{site.url}/connections/demo")
    page.get_by_role("link", name="Overdue invoices dated this year").click()
    page.wait_for_url("**/runs/**")
    assert "Status: Overdue" in page.get_by_role("list", name="Inputs").inner_text()
    before, calls = page.url, len(queries(emulator))
    page.get_by_role("button", name="Run again").click()
    page.wait_for_function("before => location.href !== before", arg=before)
    page.wait_for_selector("table.list")
    assert len(queries(emulator)) == calls + 1
    page.get_by_role("link", name="Open list").click()
    expect(page.locator("h1")).to_have_text("Overdue invoices dated this year")
    assert len(queries(emulator)) == calls + 1  # the list has the rows of the new run


def test_a_list_is_used_with_the_keyboard_alone(open_page, site):
    page = open_page()
    open_list(page, site)
    summary = page.locator("summary", has_text="Amount")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#field-amount_from")).to_be_focused()
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    assert page.locator("details[open]").count() == 0
    page.keyboard.press("Enter")
    page.locator("#field-amount_from").press_sequentially("2000")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Invoices with amount 2,000.00 or more")
    page.locator("a.main").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Invoice ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_lists_and_records(open_page, site, axe, scheme):
    page = open_page(color_scheme=scheme)
    found = {}

    def check(name):
        if problems := axe.problems(page):
            found[name] = problems

    open_list(page, site, "?status=overdue&due_date=untilYesterday&q=a")
    check("list")
    for text in ("Customer", "Due date", "More filters", "Columns"):
        page.locator("main summary", has_text=text).first.click()
        check(text)
    page.keyboard.press("Escape")
    page.locator("a.main").first.click()
    page.wait_for_selector(".main-facts")
    for summary in page.locator("main details > summary").all():
        summary.click()
    check("record")
    page.goto(f"{site.url}{INVOICES}?customer_id=nord")
    check("error")
    page.goto(f"{site.url}{INVOICES}?doc_number=nothing")
    check("empty")
    assert found == {}


def test_a_phone_shows_each_row_without_scrolling_sideways(open_page, site):
    page = open_page(**PHONE)
    open_list(page, site)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    row = page.locator("table.list tbody tr").first
    for role in ("number", "title", "amount", "status", "date"):
        box = row.locator(f"td.r-{role}").bounding_box()
        assert box["x"] >= 0, role
        assert box["x"] + box["width"] <= 390, role
        assert box["y"] + box["height"] < 844, role
    charts = page.locator("#charts").bounding_box()
    assert charts["y"] > page.locator("table.list tbody tr").last.bounding_box()["y"]
    page.locator("summary", has_text="Customer").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("a.main").last.click()
    page.wait_for_selector(".main-facts")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for amount in page.locator("table.lines td:last-child").all():
        box = amount.bounding_box()
        assert box["x"] + box["width"] <= 390


def test_ten_rows_are_visible_on_a_desktop_without_scrolling(open_page, site):
    page = open_page(1280, 800)
    open_list(page, site)
    box = page.locator("table.list tbody tr").nth(9).bounding_box()
    assert box["y"] + box["height"] <= 800


ROWS = 50_000


def short_rows(first, count):
    return [
        {"Id": str(number), "DocNumber": str(number), "Balance": number % 1000 + 0.5, "daysOverdue": 3,
         "currency": "USD", "customerName": f"Customer {number}", "paymentStatus": "open", "TotalAmt": 1000}
        for number in range(first, first + count)
    ]  # fmt: skip


class GatedConnection(Connection):
    gate = threading.Event()

    def stream(self, _action, _input=None):
        assert self.gate.wait(60)
        for first in range(0, self.count, 1000):
            yield {"invoices": short_rows(first, 1000), "metadata": {"complete": first + 1000 >= self.count}}


class Plugin:
    class Big(Connector):
        def connect(self, _settings, _context=None):
            return GatedConnection(self.count)

    @hookimpl
    def vantage_register_connectors(self, register):
        register(self.Big(ROWS))


def test_fifty_thousand_rows(serve, open_page):
    GatedConnection.gate.clear()
    site = serve(plugins=[Plugin()])
    site.host.save("big", "Big", {}, "big")
    page = open_page(site=site)
    page.goto(f"{site.url}/connections/big/lists/list?read=all")
    assert page.locator("#progress").count() == 1  # the page comes before the first row
    GatedConnection.gate.set()
    page.wait_for_selector("table.list")
    assert "50,000 rows" in page.locator("#count").inner_text()
    assert page.locator("table.list tbody tr").count() == 50
    page.get_by_role("link", name="Page 1,000").click()
    page.wait_for_url("**page=1000**")
    assert "Customer 49999" in column(page, "Customer")
    page.locator("thead").get_by_role("link", name="Balance").click()
    page.wait_for_selector("th[aria-sort=descending]")
    assert set(column(page, "Balance")) == {"999.50"}
    page.get_by_role("searchbox").fill("customer 12345")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=**")
    assert column(page, "Customer") == ["Customer 12345"]
    top = page.locator(".chart-group", has_text="Top customers")
    assert "49,992 others" in top.inner_text()
    bars = [float(bar.get_attribute("width")) for bar in top.locator("svg .bar").all()]
    assert len(bars) == 8  # the others are not drawn, so that these can be compared
    assert min(bars) > 300
    assert page.problems == []
