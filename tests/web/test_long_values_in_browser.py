"""Pages with the longest names, numbers, texts and amounts that people enter, on narrow phones."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

BASE = "/connections/demo"
WORD = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"
URL = f"https://example.com/{'a-long-path/' * 5}{'x' * 120}"
NARROW = {"width": 320, "height": 640, "is_mobile": True, "has_touch": True}


@pytest.fixture
def invoice(emulator):
    """An invoice of a customer, both with values that no line of a phone can hold."""
    customer = emulator.create(
        "Customer",
        {
            "DisplayName": WORD,
            "PrimaryEmailAddr": {"Address": f"{WORD.lower()}@example.com"},
            "BillAddr": {"Line1": WORD, "City": WORD, "PostalCode": "1010"},
        },
    )
    item = {"ItemRef": {"value": "1"}}
    line = {
        "DetailType": "SalesItemLineDetail",
        "Amount": 123456789.34,
        "Description": URL,
        "SalesItemLineDetail": item,
    }
    return emulator.create(
        "Invoice",
        {
            "CustomerRef": {"value": customer["Id"]},
            "DocNumber": "INV-2026-000000012345",
            "PrivateNote": URL,
            "CustomerMemo": {"value": URL},
            "Line": [line],
        },
    )


def overflow(page):
    """Return by how many pixels a page scrolls sideways."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_no_page_scrolls_sideways_on_the_narrowest_phone(open_page, site, invoice):
    page = open_page(**NARROW)
    number, customer = invoice["Id"], invoice["CustomerRef"]["value"]
    pages = {
        f"/records/getInvoice?id={number}": ".main-facts",
        f"/records/getCustomer?id={customer}": ".main-facts",
        "/lists/listInvoices?q=INV-2026": "a.main",
        "/reports/getReport?report=AgedReceivables": "table.statement",
        "": "#dashboard:not(:has([data-updating]))",
    }
    found = {}
    for path, ready in pages.items():
        page.goto(f"{site.url}{BASE}{path}")
        expect(page.locator(ready).first).to_be_visible()
        page.wait_for_load_state()  # with its stylesheets, also if the page was loaded again when its rows had come
        found[path] = overflow(page)
    assert found == dict.fromkeys(pages, 0)
    assert page.problems == []


def test_a_record_shows_long_texts_in_full_and_keeps_them_within_the_page(open_page, site, invoice):
    page = open_page(width=390, height=844, is_mobile=True, has_touch=True)
    page.goto(f"{site.url}{BASE}/records/getInvoice?id={invoice['Id']}")
    expect(page.locator("table.lines tbody")).to_contain_text(URL)
    expect(page.locator(".main-facts")).to_contain_text(WORD)
    for summary in page.locator("main details > summary").all():
        summary.click()
    expect(page.locator(".members")).to_contain_text(URL)
    expect(page.locator(".members")).to_contain_text("123,456,789.34")
    assert overflow(page) == 0


def test_number_and_date_of_a_row_do_not_overlap(open_page, site, invoice):
    page = open_page(width=390, height=844, is_mobile=True, has_touch=True)
    page.goto(f"{site.url}{BASE}/lists/listInvoices?q={invoice['DocNumber']}")
    row = page.locator("table.list tbody tr")
    expect(row).to_have_count(1)
    page.wait_for_load_state()
    boxes = {role: row.locator(f"td.r-{role}").bounding_box() for role in ("number", "date", "amount", "status")}
    assert boxes["number"]["x"] + boxes["number"]["width"] <= boxes["date"]["x"]
    assert boxes["date"]["x"] + boxes["date"]["width"] <= boxes["status"]["x"] + 1
    assert row.locator("td.r-amount").evaluate("cell => cell.scrollWidth <= cell.clientWidth + 1")  # not cut off


def test_all_lists_are_within_reach_on_a_phone(open_page, site):
    page = open_page(**NARROW)
    page.goto(f"{site.url}{BASE}/lists/listInvoices")
    page.wait_for_selector("table.list")
    page.wait_for_load_state()
    menu = page.get_by_role("navigation", name="Garden Works")
    menu.get_by_text("More", exact=True).click()
    link = menu.get_by_role("link", name="Vendor credits")
    link.scroll_into_view_if_needed()
    box = link.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= NARROW["width"]
    link.click()
    expect(page.locator("h1")).to_have_text("Vendor credits")
    expect(page.get_by_role("navigation", name="Breadcrumb").get_by_role("link")).to_be_visible()


def test_the_menu_of_all_lists_fits_into_a_desktop_window(open_page, site):
    page = open_page(width=1280, height=720)
    page.goto(f"{site.url}{BASE}/lists/listInvoices")
    page.wait_for_selector("table.list")
    page.wait_for_load_state()
    page.locator(".more-lists > summary").click()
    menu = page.locator(".more-lists > .pop")
    expect(menu).to_be_visible()
    box = menu.bounding_box()
    assert box["x"] + box["width"] <= 1280
    assert box["y"] + box["height"] <= 720
    assert menu.evaluate("it => it.scrollWidth <= it.clientWidth")
