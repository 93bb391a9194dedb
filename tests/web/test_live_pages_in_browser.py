"""Streams of events in a real browser: servers that restart, hidden tabs, ended sessions, the dashboard."""

from __future__ import annotations

from random import Random

import pytest
from playwright.sync_api import expect
from running_site import Site, wait_until

from vantage_quickbooks.web.events import CHANGES

INVOICES = "/connections/demo/lists/listInvoices"
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def create_invoice(emulator):
    line = {"DetailType": "SalesItemLineDetail", "Amount": 480, "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    return emulator.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line]})


def open_live(page, site, path=INVOICES):
    page.goto(f"{site.url}{path}")
    expect(page.locator(".live")).to_contain_text("Live")
    wait_until(lambda: site.host.events.subscribers == 1)


MORPH = """pairs => pairs.map(([old, fresh]) => {
  const [one, two] = [old, fresh].map(html => Object.assign(document.createElement("div"), {innerHTML: html}));
  const kept = new Map([...one.querySelectorAll("[data-live-key]")].map(it => [it.dataset.liveKey, it]));
  morphChildren(one, two);
  const isSame = [...one.children].every(it => {
    const before = kept.get(it.dataset.liveKey) ?? it;
    return before === it || before.nodeName !== it.nodeName;
  });
  return [one.innerHTML, two.innerHTML, isSame];
})"""


def random_html(random, depth=0):
    """Return elements of which some have a key, and text between them."""
    keys = random.sample(range(20), 8)
    parts = []
    for _ in range(random.randint(0, 6)):
        tag = random.choice(["p", "span", "b"])
        key = f' data-live-key="{depth}-{keys.pop()}"' if random.random() < 0.5 else ""
        title = f' title="{random.randint(0, 3)}"' if random.random() < 0.3 else ""
        inner = random_html(random, depth + 1) if depth < 2 and tag == "b" else str(random.randint(0, 9))
        parts.append(random.choice(["", " text ", f"<{tag}{key}{title}>{inner}</{tag}>", f"<i{key}>{inner}</i>"]))
    return "".join(parts)


def test_the_shown_content_becomes_the_new_content_and_recognized_elements_stay(open_page, site):
    page = open_page()
    open_live(page, site)
    random = Random(7)
    pairs = [(random_html(random), random_html(random)) for _ in range(2000)]
    for (old, fresh), (shown, expected, is_same) in zip(pairs, page.evaluate(MORPH, pairs), strict=True):
        assert (old, fresh, shown) == (old, fresh, expected)
        assert is_same, (old, fresh)


def test_a_page_outlives_its_server(open_page, site, emulator, tmp_path):
    page = open_page()
    open_live(page, site)
    page.evaluate("window.wasNotReloaded = true")
    site.close()
    expect(page.locator(".live")).to_contain_text("Reconnecting")
    expect(page.locator(".live [role=status]")).to_contain_text("Reconnecting.", timeout=30_000)
    create_invoice(emulator)  # no webhook arrives
    again = Site(tmp_path / "web", sessions=site.sessions)
    try:
        expect(page.locator(".live")).to_contain_text("Live", timeout=30_000)
        expect(page.locator("#count")).to_contain_text("61 invoices", timeout=30_000)
        assert page.evaluate("window.wasNotReloaded")
    finally:
        again.close()


def test_a_hidden_tab_holds_no_connection_and_catches_up(open_page, site, emulator):
    page = open_page()
    open_live(page, site)
    page.evaluate(HIDE, True)
    wait_until(lambda: site.host.events.subscribers == 0)
    create_invoice(emulator)
    site.host.events.publish("demo", CHANGES)
    page.evaluate(HIDE, False)
    expect(page.locator("#count")).to_contain_text("61 invoices")
    wait_until(lambda: site.host.events.subscribers == 1)


def test_what_changed_before_the_script_listened_is_shown(open_page, site, emulator):
    page = open_page()

    def change_then_continue(route):
        create_invoice(emulator)
        site.host.events.publish("demo", CHANGES)
        route.continue_()

    page.route("**/static/live.js", change_then_continue)
    open_live(page, site)
    expect(page.locator("#count")).to_contain_text("61 invoices")


def test_a_record_updates_itself(open_page, site, emulator):
    invoice = create_invoice(emulator)
    page = open_page()
    open_live(page, site, f"/connections/demo/records/getInvoice?id={invoice['Id']}")
    page.locator("summary", has_text="All fields").click()
    emulator.update("Invoice", {"Id": invoice["Id"], "DocNumber": "LIVE-1"})
    site.host.events.publish("demo", CHANGES)
    expect(page.locator("h1")).to_contain_text("Invoice LIVE-1")
    assert page.locator("details[open] > summary").all_inner_texts() == ["All fields"]
    emulator.delete("Invoice", invoice["Id"])
    site.host.events.publish("demo", CHANGES)
    expect(page.locator(".live")).to_contain_text("could not update")
    expect(page.locator("h1")).to_contain_text("Invoice LIVE-1")


def test_the_page_of_a_company_says_that_its_grant_was_revoked(open_page, site, emulator):
    page = open_page()
    open_live(page, site, "/connections/demo")
    emulator.revoke_grants()
    site.host.events.publish("demo", CHANGES)
    expect(page.locator("main")).to_contain_text("no longer accepts this connection")
    emulator.grant()
    site.host.save("quickbooks", "Garden Works", emulator.credentials(), old=site.host.record("demo"))
    expect(page.locator("#dashboard")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("no longer accepts this connection")


def test_the_list_of_connections_shows_a_revoked_one_at_once(open_page, site, api, emulator):
    page = open_page()
    open_live(page, site, "/")
    row = page.locator("[data-connection=demo]")
    before = row.locator(".c-state").inner_text()
    emulator.revoke_grants()
    assert api("POST", "/api/connections/demo/call/listInvoices").status_code == 424
    expect(row.locator(".c-state")).not_to_have_text(before)
    expect(row.locator(".c-state")).to_contain_text("reconnect")
    assert page.problems == []


def test_an_ended_session_asks_to_sign_in(open_page, site):
    page = open_page()
    open_live(page, site)
    site.sessions._sessions.clear()
    site.host.events.publish("demo", CHANGES)
    expect(page.locator(".live")).to_contain_text("Signed out. Reload the page to sign in.")
    wait_until(lambda: site.host.events.subscribers == 0)


def test_a_removed_connection_is_not_live(open_page, site):
    page = open_page()
    open_live(page, site)
    site.host.remove(site.host.record("demo"))
    expect(page.locator(".live")).to_contain_text("Not live")
    assert page.locator("tr.opens").count() == 50


@pytest.mark.emulator(rotation="always", limits=False)
def test_the_dashboard_of_a_company_updates_itself(open_page, site, emulator):
    page = open_page()
    open_live(page, site, "/connections/demo")
    expect(page.locator("#dashboard [data-updating]")).to_have_count(0, timeout=30_000)
    before = page.locator("#number-outstanding").inner_text()
    page.evaluate("window.wasNotReloaded = true")
    create_invoice(emulator)
    site.host.events.publish("demo", CHANGES)
    expect(page.locator("#number-outstanding")).not_to_have_text(before, timeout=30_000)
    expect(page.locator("#dashboard [data-updating]")).to_have_count(0, timeout=30_000)
    assert page.evaluate("window.wasNotReloaded")
    assert page.problems == []
