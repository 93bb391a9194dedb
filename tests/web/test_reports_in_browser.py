"""Reports, in a real browser: chosen, narrowed, folded, followed to records, on a phone, by keyboard."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.emulator(rotation="always", limits=False, as_of="2026-10-20")

PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}
REPORT = "/connections/demo/reports/getReport"


def reports(emulator):
    return [request for request in emulator.requests() if "/reports/" in request["path"]]


def open_report(page, site, query):
    page.goto(f"{site.url}{REPORT}?{query}")
    page.wait_for_selector(".statement, .empty")


def row(page, label):
    return page.locator(".statement tbody tr", has=page.locator("th", has_text=re.compile(f"^{label}$")))


def test_a_report_is_chosen_narrowed_and_shared_by_its_url(open_page, site, emulator):
    page = open_page()
    page.goto(f"{site.url}/connections/demo/lists/listCustomers")
    page.get_by_role("link", name="Reports", exact=True).click()
    expect(page.get_by_role("region", name="Who owes you").get_by_role("link")).to_have_count(5)
    page.get_by_role("link", name="Profit and loss", exact=True).click()
    page.wait_for_selector(".statement, .empty")
    assert re.match(r"1 Jan \d{4} to .* · Accrual basis · USD", page.locator("#heading").inner_text())
    assert page.get_by_label("As of").count() == 0  # a parameter of other reports
    page.get_by_label("Columns").select_option("Month")
    page.get_by_label("Customer").press_sequentially("bell")
    page.get_by_role("option", name="Bellweather Dental").click()
    page.get_by_role("button", name="Run report").last.click()
    page.wait_for_url("**customer=2**")
    page.wait_for_selector(".statement, .empty")
    assert page.locator(".statement thead th").all_inner_texts()[:3] == ["Account", "Jan 2026", "Feb 2026"]
    expect(page.get_by_role("list", name="Parameters that are set").get_by_role("link")).to_have_text(
        [re.compile("Columns: Month"), re.compile("Customer: Bellweather Dental")]
    )
    assert set(parse_qs(urlsplit(page.url).query)) == {"report", "summarize_column_by", "customer"}
    assert len(reports(emulator)) == 2
    page.reload()
    page.go_back()
    page.wait_for_selector(".statement, .empty")
    assert len(reports(emulator)) == 2  # both are kept
    page.get_by_role("button", name="Refresh").click()
    page.wait_for_selector(".statement, .empty")
    assert len(reports(emulator)) == 3
    assert page.problems == []


def test_a_named_period_replaces_the_dates_and_custom_dates_show_them(open_page, site):
    page = open_page()
    open_report(page, site, "report=ProfitAndLoss&start_date=2026-01-01&end_date=2026-01-31")
    expect(page.get_by_label("From")).to_have_value("2026-01-01")
    expect(page.get_by_label("Period")).to_have_value("custom")
    page.get_by_label("Period").select_option("Last Month")
    expect(page.get_by_label("From")).to_be_hidden()
    page.get_by_role("button", name="Run report").last.click()
    page.wait_for_url("**date_macro=Last+Month**")
    page.wait_for_selector(".statement, .empty")
    expect(page.locator("#heading")).to_contain_text("1 Sep 2026 to 30 Sep 2026")


def test_a_shared_link_names_the_customer_of_its_id(open_page, site):
    page = open_page()
    open_report(page, site, "report=AgedReceivables&customer=2")
    expect(page.locator(".chip")).to_contain_text("Customer: Bellweather Dental")
    expect(page.locator("#field-customer")).to_have_value(re.compile("Bellweather Dental|2"))


def test_sections_fold_and_show_their_sum(open_page, site):
    page = open_page()
    open_report(page, site, "report=ProfitAndLoss")
    total = row(page, "Total Income").locator("td").inner_text()
    fold = page.get_by_role("button", name="Income", exact=True)
    expect(fold).to_have_attribute("aria-expanded", "true")
    fold.focus()
    page.keyboard.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(row(page, "Design income")).to_be_hidden()
    expect(row(page, "Total Income")).to_be_hidden()
    assert page.locator(".statement tr.section").first.locator("td").inner_text() == total
    page.keyboard.press("Space")
    expect(row(page, "Design income")).to_be_visible()
    expect(page.locator(".statement tr.section").first.locator("td")).to_have_text("")
    page.get_by_role("button", name="Collapse all").click()
    expect(page.locator(".statement tbody tr:visible.data")).to_have_count(0)
    expect(row(page, "Net Income")).to_be_visible()
    page.get_by_role("button", name="Expand all").click()
    expect(row(page, "Design income")).to_be_visible()


def test_cells_lead_to_their_records(open_page, site):
    page = open_page()
    open_report(page, site, "report=AgedReceivables")
    page.locator(".statement").get_by_role("link", name="Bellweather Dental").click()
    expect(page.locator("h1")).to_contain_text("Customer Bellweather Dental")
    open_report(page, site, "report=TransactionList&date_macro=All")
    page.locator(".statement").get_by_role("link", name="Invoice", exact=True).first.click()
    expect(page.locator("h1")).to_contain_text("Invoice ")


def test_negative_amounts_are_in_parentheses_and_line_up(open_page, site):
    page = open_page()
    open_report(page, site, "report=ProfitAndLoss")
    cell = row(page, "Discounts given").locator("td")
    assert re.fullmatch(r"\([\d,]+\.\d\d\)", cell.inner_text())
    ends = page.evaluate(
        """() => [...document.querySelectorAll('.statement td.num')].filter((it) => it.textContent.trim()).map((it) => {
          const range = document.createRange(), text = it.firstChild, length = text.length;
          range.setStart(text, 0); range.setEnd(text, text.data.endsWith(')') ? length - 1 : length);
          return Math.round(range.getBoundingClientRect().right);
        })"""
    )
    assert max(ends) - min(ends) <= 2


def test_reconciliation_is_a_report_of_two_tables(open_page, site):
    page = open_page()
    page.goto(f"{site.url}/connections/demo/reports")
    page.get_by_role("link", name="Reconcile receivables").click()
    page.wait_for_selector(".statement, .empty")
    expect(page.locator("h2", has_text="By")).to_have_text(["By customer", "By age"])
    assert page.locator(".statement").nth(1).locator("tbody th").all_inner_texts() == [
        "Not due yet", "1 to 30 days", "31 to 60 days", "61 to 90 days", "More than 90 days", "Total"
    ]  # fmt: skip


def test_nothing_to_report_and_a_missing_parameter_are_explained(open_page, site, emulator):
    page = open_page()
    page.goto(f"{site.url}{REPORT}?report=ProfitAndLoss&start_date=2001-01-01&end_date=2001-01-31")
    expect(page.locator(".empty")).to_contain_text("There is nothing to report.")
    expect(page.locator(".empty")).to_contain_text("Choose another period")
    before = len(emulator.requests())
    page.goto(f"{site.url}{REPORT}?report=TaxSummary")
    expect(page.locator(".empty")).to_contain_text("Fill in Tax agency")
    page.goto(f"{site.url}{REPORT}?report=NoSuchReport")
    expect(page.locator(".errors")).to_be_visible()
    assert len(emulator.requests()) == before  # refused before anything is sent


def test_downloads_have_all_rows(open_page, site):
    page = open_page()
    open_report(page, site, "report=BalanceSheet")
    shown = page.locator(".statement tbody tr").count()
    for kind in ("CSV", "Parquet", "JSON"):
        page.locator("summary", has_text="Download").click()
        with page.expect_download() as started:
            page.get_by_role("link", name=kind, exact=True).click()
        assert re.fullmatch(rf"balance-sheet-[\d-]+\.{kind.lower()}", started.value.suggested_filename)
        if kind == "CSV":
            assert len(started.value.path().read_text("utf-8-sig").splitlines()) == shown + 1
        page.keyboard.press("Escape")


def test_without_javascript_everything_is_there(open_page, site):
    page = open_page(java_script_enabled=False)
    open_report(page, site, "report=ProfitAndLoss")
    expect(row(page, "Net Income")).to_be_visible()
    page.get_by_label("Columns").select_option("Quarter")
    page.get_by_role("button", name="Run report").last.click()
    page.wait_for_selector(".statement, .empty")
    assert page.locator(".statement thead th").count() > 3


def test_on_a_phone_names_and_heads_stay_in_view(open_page, site):
    page = open_page(**PHONE)
    open_report(page, site, "report=ProfitAndLoss&summarize_column_by=Month")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.locator("#field-summarize_column_by")).to_be_hidden()  # parameters are folded: amounts come first
    box = page.locator(".statement-box")
    box.evaluate("it => it.scrollTo(300, 200)")
    left = box.evaluate("it => it.getBoundingClientRect().left")
    top = box.evaluate("it => it.getBoundingClientRect().top")
    assert abs(page.locator(".statement tbody th").last.evaluate("it => it.getBoundingClientRect().left") - left) <= 2
    assert abs(page.locator(".statement thead th").last.evaluate("it => it.getBoundingClientRect().top") - top) <= 2


@pytest.mark.parametrize("look", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_pages_are_accessible(open_page, site, axe, look):
    page = open_page(**look)
    for path in (
        "/connections/demo/reports",
        f"{REPORT}?report=BalanceSheet",
        f"{REPORT}?report=CustomerBalanceDetail&customer=2",
        f"{REPORT}?report=TaxSummary",
        f"{REPORT}?report=ProfitAndLoss&aging_period=30&end_date=nonsense",
        "/connections/demo/reports/reconcileReceivables",
    ):
        page.goto(site.url + path)
        page.wait_for_selector("h1")
        assert axe.problems(page) == [], path
    assert page.problems == []
