"""Lists that update by themselves, in a real browser: from the books through a webhook to the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from running_site import wait_until
from sharing import receiving_site

INVOICES = "/connections/demo/lists/listInvoices"
PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}


@pytest.fixture
def site(registry, emulator, tmp_path):
    """A site that receives the webhooks of its QuickBooks, as `vantage-quickbooks serve --demo` does."""
    with receiving_site(registry, emulator, tmp_path) as running:
        running.host.save("quickbooks", "Garden Works", emulator.credentials(), "demo")
        yield running


def queries(emulator):
    return len([request for request in emulator.requests() if "/query" in request["path"]])


def create_invoice(emulator, amount=480):
    line = {"DetailType": "SalesItemLineDetail", "Amount": amount, "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    return emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line]})


def open_list(page, site, query=""):
    """Open a list, and mark the page: a reload would remove the mark."""
    page.goto(f"{site.url}{INVOICES}{query}")
    page.wait_for_selector("table.list")
    expect(page.locator(".live")).to_contain_text("Live")
    page.evaluate("window.wasNotReloaded = true")


def was_reloaded(page):
    return not page.evaluate("window.wasNotReloaded === true")


def test_a_new_invoice_appears_in_two_tabs_for_one_api_call(open_page, site, emulator):
    one = open_page()
    open_list(one, site)
    two = one.context.new_page()
    open_list(two, site)
    before = queries(emulator)
    invoice = create_invoice(emulator)
    for page in (one, two):
        row = page.locator("tr.opens", has_text=invoice["DocNumber"])
        expect(row).to_contain_text("480.00")
        expect(page.locator("#count")).to_contain_text("61 invoices")
        expect(page.locator(".live")).to_contain_text("updated")
        expect(page.locator(".live [role=status]")).to_have_text("Updated.")
        assert not was_reloaded(page)
    expect(one.locator("tr.changed")).to_contain_text(invoice["DocNumber"])
    assert queries(emulator) == before + 1
    assert one.problems == []


def test_focus_selection_and_open_details_stay(open_page, site, emulator):
    page = open_page()
    open_list(page, site)
    page.locator("summary", has_text="Request details").click()
    page.locator("summary", has_text="Columns").click()
    link = page.locator("a.main").nth(5)
    link.focus()
    number = link.inner_text()
    invoice = create_invoice(emulator)
    expect(page.locator("tr.opens").first).to_contain_text(invoice["DocNumber"])
    assert page.evaluate("document.activeElement.innerText") == number
    assert page.locator("details[open] > summary").all_inner_texts() == ["Columns", "Request details"]
    emulator.update("Invoice", {"Id": invoice["Id"], "DueDate": "2020-01-31"})
    expect(page.locator("tr.opens").first).to_contain_text("31 Jan 2020")
    expect(page.locator("td.changed").first).to_have_text("31 Jan 2020")
    emulator.delete("Invoice", invoice["Id"])
    expect(page.locator("#count")).to_contain_text("60 invoices")
    assert page.locator("tr.opens", has_text=invoice["DocNumber"]).count() == 0
    assert not was_reloaded(page)


@pytest.mark.emulator(rotation="always", limits=False, invoices=120)
def test_rows_that_a_user_reads_move_only_on_request(open_page, site, emulator, axe):
    page = open_page()
    open_list(page, site, "?page=2")
    first = page.locator("tr.opens").first.inner_text()
    create_invoice(emulator)
    button = page.get_by_role("button", name="Records changed. Show")
    expect(button).to_be_visible()
    assert axe.problems(page) == []
    assert page.locator("tr.opens").first.inner_text() == first
    button.click()
    expect(page.locator("#count")).to_contain_text("121 invoices")
    expect(button).to_have_count(0)
    page.goto(f"{site.url}{INVOICES}")
    expect(page.locator(".live")).to_contain_text("Live")
    page.locator("tr.opens").nth(30).scroll_into_view_if_needed()
    page.mouse.wheel(0, 600)
    page.wait_for_function("() => scrollY > 400")
    create_invoice(emulator)
    button.click()
    expect(page.locator("#count")).to_contain_text("122 invoices")
    expect(page.locator("tr.opens").first).to_be_in_viewport()


def test_a_full_read_is_repeated_only_on_request(open_page, site, emulator):
    page = open_page()
    open_list(page, site, "?read=all")
    before = queries(emulator)
    create_invoice(emulator)
    button = page.get_by_role("button", name="Records changed. Read all again")
    expect(button).to_be_visible()
    assert queries(emulator) == before
    button.click()
    expect(page.locator("#count")).to_contain_text("61 invoices, all read")


def test_a_revoked_grant_is_shown_at_once_and_the_rows_stay(open_page, site, emulator):
    one = open_page()
    open_list(one, site)
    two = one.context.new_page()
    open_list(two, site, "?status=open")
    emulator.revoke_grants()
    create_invoice(emulator)
    for page in (one, two):
        expect(page.locator("main")).to_contain_text("no longer accepts this connection")
        assert page.locator("tr.opens").count() > 0
        assert not was_reloaded(page)
    emulator.grant()
    site.host.save("quickbooks", "Garden Works", emulator.credentials(), old=site.host.record("demo"))
    for page in (one, two):
        expect(page.locator("main")).not_to_contain_text("no longer accepts this connection")
    expect(one.locator("#count")).to_contain_text("61 invoices")


def test_a_list_that_could_not_be_read_is_read_when_the_company_is_connected_again(open_page, site):
    site.host.store.set_refused(site.host.record("demo"), True)
    page = open_page()
    page.goto(f"{site.url}{INVOICES}")
    expect(page.locator(".live")).to_contain_text("Live")
    assert page.locator("table.list").count() == 0
    site.host.record_outcome(site.host.record("demo"), None)
    expect(page.locator("#count")).to_contain_text("60 invoices")


def test_a_failed_update_keeps_the_rows_and_says_so(open_page, site, emulator):
    page = open_page()
    open_list(page, site)
    emulator.fault("fault", path="/query", times=1)
    create_invoice(emulator)
    expect(page.locator(".live")).to_contain_text("could not update")
    assert page.locator("tr.opens").count() == 50
    create_invoice(emulator)
    expect(page.locator("#count")).to_contain_text("62 invoices")
    expect(page.locator(".live")).not_to_contain_text("could not update")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_page_that_was_updated(open_page, site, emulator, axe, scheme):
    page = open_page(color_scheme=scheme, reduced_motion="reduce", **PHONE)
    open_list(page, site)
    invoice = create_invoice(emulator)
    expect(page.locator("tr.changed")).to_contain_text(invoice["DocNumber"])
    assert axe.problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_windows_are_short_while_a_page_is_open(open_page, site):
    page = open_page()
    open_list(page, site)
    assert site.host.events.watched() == {"demo"}
    page.goto("about:blank")
    wait_until(lambda: site.host.events.watched() == set())
