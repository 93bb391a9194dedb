"""The dashboard in a real browser: journeys, keyboard, phone, dark, and what happens when its content is replaced."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from vantage_quickbooks.web.events import CHANGES

PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}
READY = "#dashboard:not(:has([data-updating]))"


def open_dashboard(page, site):
    page.goto(f"{site.url}/connections/demo")
    page.wait_for_selector(READY)


def test_numbers_are_visible_at_once_and_lead_to_their_rows(open_page, site):
    page = open_page()
    open_dashboard(page, site)
    assert page.locator(".number").count() == 5
    for tile in ("outstanding", "overdue", "ages", "profit", "customers"):
        box = page.locator(f"[data-tile={tile}]").bounding_box()
        assert box["y"] + 60 < 900
    shown = page.locator("[data-tile=overdue] .figure").inner_text()
    page.locator("[data-tile=overdue] a").click()
    expect(page.locator("h1")).to_have_text("Overdue invoices")
    expect(page.locator(".totals").first).to_contain_text(shown)
    page.go_back()
    page.wait_for_selector(READY)
    label = page.locator("[data-tile=customers] .rows .label").first.inner_text()
    value = page.locator("[data-tile=customers] .rows .value").first.inner_text()
    page.locator("[data-tile=customers] .rows a").first.click()
    expect(page.locator("h1")).to_contain_text(label)
    expect(page.locator(".totals").first).to_contain_text(value)
    page.go_back()
    net = page.locator("[data-tile=profit] .tip").last.text_content().rpartition(" ")[2]
    page.locator("[data-tile=profit] .months a").last.click()
    page.wait_for_url("**/reports/getReport?report=ProfitAndLoss&start_date=**")
    expect(page.locator("main")).to_contain_text(net)
    assert page.problems == []


def test_other_currencies_are_folded_and_the_chart_is_also_a_table(open_page, site):
    page = open_page()
    open_dashboard(page, site)
    euro = page.locator("#ages-EUR")
    assert not euro.locator(".rows").is_visible()
    euro.locator("summary").click()
    assert euro.locator(".rows").is_visible()
    table = page.locator("#table-profit")
    table.locator("summary").click()
    row = table.locator("tbody tr").last.inner_text().split("\t")
    tip = page.locator("[data-tile=profit] .tip").last
    assert tip.text_content() == f"{row[0]}Income {row[1]}Expenses {row[2]}Net {row[3]}"
    page.locator("[data-tile=profit] .months a").last.hover()
    expect(tip).to_have_css("opacity", "1")


def test_refresh_keeps_the_page_and_shows_what_changed(open_page, site, emulator):
    page = open_page(height=500)
    open_dashboard(page, site)
    page.locator("#ages-EUR summary").click()
    page.locator("[data-tile=statuses] .rows a").first.focus()
    place = page.evaluate("[scrollX, scrollY]")
    before = page.locator("[data-tile=outstanding] .figure").inner_text()
    line = {"Amount": 1000, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    emulator.create("Invoice", {"CustomerRef": {"value": "24"}, "Line": [line]})
    page.evaluate("document.querySelector('#dashboard form').requestSubmit()")
    expect(page.locator("[data-tile=outstanding] .figure")).not_to_have_text(before)
    expect(page.locator("[data-tile=outstanding] .figure.changed")).to_have_count(1)
    page.wait_for_selector(READY)
    assert page.locator("[data-tile=overdue] .changed").count() == 0
    assert page.url.endswith("/connections/demo")
    assert page.locator("#ages-EUR .rows").is_visible()
    assert page.evaluate("[scrollX, scrollY]") == place
    assert page.evaluate("document.activeElement.closest('[data-tile]').dataset.tile") == "statuses"
    assert page.problems == []


def test_an_event_brings_new_figures_without_a_reload(open_page, site, emulator):
    page = open_page()
    open_dashboard(page, site)
    page.evaluate("window.isSame = true")
    page.wait_for_selector(".live[data-state=live]")
    before = page.locator("[data-tile=outstanding] .figure").inner_text()
    line = {"Amount": 77, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    emulator.create("Invoice", {"CustomerRef": {"value": "24"}, "Line": [line]})
    site.host.events.publish("demo", CHANGES)
    expect(page.locator("[data-tile=outstanding] .figure")).not_to_have_text(before)
    assert page.evaluate("window.isSame") is True


def test_the_page_comes_before_its_figures_with_and_without_script(open_page, site, emulator):
    emulator.fault("latency", seconds=2, path="/v3/", times=-1)
    page = open_page()
    page.goto(f"{site.url}/connections/demo")
    assert page.locator("[data-tile=outstanding] .waiting").is_visible()
    assert page.get_by_role("heading", name="Actions", exact=True).is_visible()
    plain = open_page(java_script_enabled=False)
    plain.goto(f"{site.url}/connections/demo")
    emulator.clear_faults()
    for opened in (page, plain):
        expect(opened.locator("[data-tile=outstanding] .figure")).to_have_text(re.compile(r"^[\d,]+\.\d\d$"))
    assert page.locator(".changed").count() == 0  # what is shown for the first time did not change


def test_keyboard_alone_reaches_figures_bars_and_months(open_page, site):
    page = open_page()
    open_dashboard(page, site)
    page.locator("#dashboard-refresh").focus()
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        tile = page.evaluate("document.activeElement.closest('[data-tile]')?.dataset.tile")
        seen.append(tile)
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert width == "3px"
        if tile == "customers":
            break
    assert list(dict.fromkeys(seen)) == [
        "outstanding", "overdue", "dueIn7Days", "dueIn30Days", "daysToPay", "ages", "profit", "customers",
    ]  # fmt: skip
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/lists/listInvoices?**customer_id=**")


def test_a_phone_shows_numbers_in_two_columns_and_charts_below(open_page, site):
    page = open_page(**PHONE)
    open_dashboard(page, site)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = {name: page.locator(f"[data-tile={name}]").bounding_box() for name in
             ("outstanding", "overdue", "dueIn7Days", "ages", "profit")}  # fmt: skip
    assert boxes["overdue"]["y"] == boxes["dueIn7Days"]["y"] > boxes["outstanding"]["y"]
    assert boxes["overdue"]["x"] < boxes["dueIn7Days"]["x"]
    assert boxes["ages"]["x"] == boxes["profit"]["x"]
    assert boxes["ages"]["y"] + boxes["ages"]["height"] <= boxes["profit"]["y"]
    assert boxes["overdue"]["y"] + boxes["overdue"]["height"] < 844


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, site, axe, emulator, scheme):
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    open_dashboard(page, site)
    found = {"dashboard": axe.problems(page)}
    page.locator("#ages-EUR summary").click()
    page.locator("#table-profit summary").click()
    found["open"] = axe.problems(page)
    emulator.fault("fault", path="/query", times=-1)
    page.locator("#dashboard-refresh").click()
    page.wait_for_selector("#dashboard .problem")
    page.wait_for_selector(READY)
    found["problem"] = axe.problems(page)
    assert found == {"dashboard": [], "open": [], "problem": []}
