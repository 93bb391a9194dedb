"""The pages, in a real browser."""

from __future__ import annotations

import re

import pytest

PHONE = {"width": 390, "height": 844, "color_scheme": "dark", "is_mobile": True, "has_touch": True}


def run_invoices(page, **fields):
    page.get_by_role("link", name="Garden Works", exact=True).first.click()
    page.get_by_role("link", name="List invoices").click()
    for name, value in fields.items():
        page.fill(f"#field-{name}", value)
    page.get_by_role("button", name="Run").click()
    page.wait_for_url("**/runs/**")
    page.wait_for_selector("table.list")


def test_from_the_first_visit_to_the_chart_of_invoices(open_page, emulator):
    page = open_page()
    assert "key=" not in page.url
    run_invoices(page)
    page.wait_for_selector("svg.bars")
    titles = page.locator(".chart-group h2").all_inner_texts()
    assert titles == ["Receivables by age", "Invoices by payment status", "Top customers by balance"]
    said = page.locator("svg.bars desc").first.text_content()
    assert re.match(r"Receivables by age, USD: Current [\d,.]+; 1–30 days ", said)  # noqa: RUF001 -- the en dash is the displayed text
    assert page.locator("tbody tr:has(td)").count() >= 60
    assert page.evaluate("document.title") == "Invoices – Vantage"  # noqa: RUF001 -- the en dash is the displayed text
    assert page.problems == []
    statements = [request["statement"] for request in emulator.requests() if "statement" in request]
    assert len([it for it in statements if " WHERE " not in it]) == 1  # the others are the dashboard's


def test_a_column_is_sorted_by_its_head_and_announces_its_order(open_page):
    page = open_page()
    run_invoices(page)
    page.locator("table.list thead th", has_text="Balance").get_by_role("link").click()
    page.wait_for_selector("th[aria-sort=descending]:has-text('Balance')")  # the largest amounts first
    page.locator("table.list thead th", has_text="Balance").get_by_role("link").click()
    page.wait_for_selector("th[aria-sort=ascending]:has-text('Balance')")
    # The sample company has several currencies: amounts are sorted within each, and never across.
    index = page.locator("table.list thead th", has_text="Balance").evaluate("cell => cell.cellIndex")
    cells = page.locator(f"table.list tbody tr td:nth-child({index + 1})")
    amounts = [float(text.replace(",", "")) for text in cells.all_inner_texts()]
    currencies = page.locator(f"table.list tbody tr td:nth-child({index + 2})").all_inner_texts()
    shown = list(zip(currencies, amounts, strict=True))
    assert len(set(currencies)) > 1
    assert shown == sorted(shown)
    assert "sort=Balance" in page.url


def test_invalid_settings_are_reported_by_field_and_the_summary_has_the_focus(open_page):
    from playwright.sync_api import expect  # waits without evaluating text, which the page's CSP forbids

    page = open_page()
    page.get_by_role("link", name="New connection").click()
    page.fill("#field-client_secret", "typed-s3cret")
    page.fill("#field-max_results", "lots")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("#errors")
    expect(page.locator("#errors")).to_be_focused()  # autofocus acts a moment after the page is loaded
    assert page.title().startswith("Error: ")
    field = page.locator("#field-max_results")
    assert field.get_attribute("aria-invalid") == "true"
    assert field.input_value() == "lots"
    texts = [page.locator(f"#{name}").inner_text() for name in field.get_attribute("aria-describedby").split()]
    assert any("whole number from 1 to 1000" in text for text in texts)
    page.get_by_role("link", name="Client ID is missing.").click()
    expect(page.locator("#field-client_id")).to_be_focused()
    assert "typed-s3cret" not in page.content()
    assert page.locator("#field-client_secret").input_value() == ""
    assert page.problems == []


def test_a_company_is_connected_by_consent(open_page, emulator, site):
    form = emulator.credentials()
    page = open_page()
    page.get_by_role("link", name="New connection").click()
    page.fill("#name", "By consent")
    page.fill("#field-client_id", form["client_id"])
    page.fill("#field-client_secret", form["client_secret"])
    page.get_by_role("button", name="Save and connect").click()
    page.wait_for_url(f"{emulator.url}/connect/oauth2**")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_selector("h1:has-text('By consent')")  # the session's Strict cookie came along
    assert page.locator(".head .tag").inner_text() == "ready"
    assert "code=" not in page.url
    (record,) = [site.host.record(item.id) for item in site.host.listed()[0] if item.name == "By consent"]
    assert record.settings["realm_id"] == form["realm_id"]
    assert record.settings["refresh_token"] not in (form["refresh_token"], "")
    assert record.settings["refresh_token"] not in page.content()
    page.get_by_role("button", name="Test connection").click()
    page.wait_for_selector("h1:has-text('The connection works')")
    shown = page.locator("main").inner_text()
    for text in (
        "Juniper & Finch Garden Works",
        "production",
        form["realm_id"],
        "Clock skew",
        "Refresh token expires",
    ):
        assert text in shown
    page.goto(f"{site.url}/connections/{record.id}")
    page.get_by_role("link", name="Disconnect").click()
    page.get_by_role("button", name="Disconnect").click()
    page.wait_for_selector("h1:has-text('Disconnected')")
    assert site.host.record(record.id).settings == {key: form[key] for key in ("client_id", "client_secret")}
    assert "refreshToken" not in site.host.store.load_credentials(record.id)
    assert emulator.state()["tokens"]["grants"] == 1  # the first one; that of the consent has ended
    assert page.problems == []


def test_denied_consent_connects_nothing(open_page, emulator, site):
    page = open_page()
    page.goto(f"{site.url}/connections/demo")
    page.get_by_role("button", name="Reconnect").click()
    page.wait_for_url(f"{emulator.url}/connect/oauth2**")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("h1:has-text('Not connected')")
    assert "Consent was denied" in page.locator("main").inner_text()
    assert site.host.record("demo").settings == emulator.credentials()


def test_a_grant_revoked_between_runs_can_be_renewed(open_page, emulator):
    page = open_page()
    run_invoices(page)
    emulator.revoke_grants()
    emulator.expire_access_tokens()
    page.get_by_role("button", name="Run again").click()
    page.wait_for_selector("h2:has-text('The call failed')")
    text = page.locator("main").inner_text()
    assert "REAUTHORIZATION_REQUIRED" in text
    assert "Intuit TID" in text
    assert "Connect the company again" in text
    assert page.locator("tbody").count() == 0
    page.get_by_role("button", name="Reconnect").click()
    page.wait_for_url(f"{emulator.url}/connect/oauth2**")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_selector(".head .tag.good")
    page.get_by_role("link", name="List invoices").first.click()
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("svg.bars")


@pytest.mark.emulator(rotation="always", limits=False, invoices=400)
def test_a_long_read_shows_progress_and_can_be_canceled(open_page, emulator, site):
    def run_full_sync(page):
        page.goto(f"{site.url}/connections/demo/actions/listInvoices")
        page.fill("#field-max_results", "10")
        page.get_by_label("Full sync", exact=True).check()
        page.get_by_role("button", name="Run").click()

    emulator.fault("latency", seconds=1.2, path="/query", times=-1)
    page = open_page()
    run_full_sync(page)
    page.wait_for_selector("#progress-done:not(:text-is('0'))")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("h2:has-text('The call failed')")
    assert "CANCELLED" in page.locator("main").inner_text()
    emulator.clear_faults()
    run_full_sync(page)
    page.wait_for_selector("svg.bars")
    assert "400 rows, full sync" in page.locator("main").inner_text()
    assert page.locator(".pager").inner_text().startswith("1–50 of 400")  # noqa: RUF001 -- the displayed text


def test_an_invalid_input_is_reported_at_its_field_and_the_form_is_kept(open_page, site):
    page = open_page()
    page.goto(f"{site.url}/connections/demo/actions/listInvoices")
    page.fill("#field-max_results", "0")
    page.select_option("#field-status", "overdue")
    page.get_by_label("Full sync", exact=True).check()
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("#errors")
    assert page.locator("#field-max_results").get_attribute("aria-invalid") == "true"
    assert page.locator("#field-status").input_value() == "overdue"
    assert page.get_by_label("Full sync", exact=True).is_checked()


def test_a_secret_is_masked_until_revealed(open_page, site):
    page = open_page()
    page.goto(f"{site.url}/connections/demo/actions/getAccessToken")
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("button:has-text('Reveal')")
    token = site.host.store.load_credentials("demo")["accessToken"]
    assert token not in page.content()
    page.get_by_role("button", name="Reveal").click()
    page.wait_for_selector("text=This is the secret")
    assert token in page.content()


def test_everything_works_without_script(open_page, emulator):
    page = open_page(java_script_enabled=False)
    run_invoices(page)
    assert page.locator("svg.bars").count() > 0
    page.locator("table.list thead th", has_text="Balance").get_by_role("link").click()
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Balance")
    page.goto(page.url.split("/runs/")[0] + "/connections/demo")
    page.get_by_role("button", name="Reconnect").click()
    page.wait_for_url(f"{emulator.url}/connect/oauth2**")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_selector(".head .tag.good")


@pytest.mark.parametrize("has_script", [True, False])
def test_disconnecting_asks_for_confirmation(open_page, emulator, has_script):
    page = open_page(java_script_enabled=has_script)
    page.goto(page.url.rstrip("/") + "/connections/demo")
    page.get_by_role("link", name="Disconnect").click()
    page.wait_for_selector("h1:has-text('Disconnect Garden Works?')")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_selector(".head .tag:has-text('ready')")
    assert not [entry for entry in emulator.requests() if "revoke" in entry["path"]]
    page.get_by_role("link", name="Disconnect").click()
    page.get_by_role("button", name="Disconnect").click()
    page.wait_for_selector("h1:has-text('Disconnected')")
    assert [entry for entry in emulator.requests() if "revoke" in entry["path"]]
    page.goto(page.url.split("/connections/")[0])
    assert page.locator(".connections .tag").first.inner_text() == "not connected"


def test_every_page_shows_a_revocation(open_page, emulator, api):
    """The grant is revoked at Intuit while the access token still looks valid here."""
    page = open_page()
    base = page.url.rstrip("/")
    run_invoices(page)
    emulator.revoke_grants()
    emulator.expire_access_tokens()
    page.goto(base + "/connections/demo")
    page.get_by_role("button", name="Test connection").click()
    page.wait_for_selector("h1:has-text('does not work')")
    assert page.locator(".checks .tag").all_inner_texts() == ["failed"]
    assert "REAUTHORIZATION_REQUIRED" in page.locator(".checks").inner_text()
    page.goto(base)
    assert page.locator(".connections .tag").first.inner_text() == "needs reconnect"
    (listed,) = api("GET", "/api/connections").json()["data"]["connections"]
    assert (listed["ready"], listed["state"]) == (False, "refused")
    page.get_by_role("link", name="Garden Works", exact=True).click()
    assert page.locator(".head .tag").inner_text() == "needs reconnect"
    assert page.locator(".runs .tag").all_inner_texts() == ["failed", "done"]
    assert "no longer accepts this connection" in page.locator(".callout").inner_text()
    page.goto(base + PAGES["action"])
    assert page.get_by_role("button", name="Run").is_disabled()
    page.goto(base + "/connections/demo")
    page.get_by_role("button", name="Reconnect").click()
    page.wait_for_url(f"{emulator.url}/connect/oauth2**")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_selector(".head .tag.good")
    page.goto(base)
    assert page.locator(".connections .tag").first.inner_text() == "ready"


def test_the_menu_is_filtered_while_typing(open_page, site):
    page = open_page()
    page.goto(f"{site.url}/connections/demo")
    assert page.get_by_role("link", name="List vendors").count() == 0  # its group is folded
    page.get_by_label("Filter actions").fill("vend list")
    page.get_by_role("link", name="List vendors").wait_for()
    shown = page.locator("#menu [data-search]:visible").count()
    assert page.locator("#filter-status").inner_text() == f"{shown} actions found"
    assert 0 < shown < 20
    assert page.get_by_role("link", name="List accounts").count() == 0
    page.get_by_label("Filter actions").fill("")
    page.get_by_role("link", name="List vendors").wait_for(state="hidden")
    assert page.get_by_role("link", name="List customers").count() == 1
    assert page.problems == []


@pytest.mark.parametrize("has_script", [True, False])
def test_a_customer_is_found_by_name(open_page, site, emulator, has_script):
    page = open_page(java_script_enabled=has_script)
    if has_script:
        page.clock.install(time=0)
    page.goto(f"{site.url}/connections/demo/actions/listInvoices")
    field = page.locator("#field-customer_id")
    if has_script:
        page.clock.pause_at(60_000)  # the page's timers wait for this test, however slow the machine is
        assert page.get_by_role("button", name="Look up").count() == 0
        field.press_sequentially("nord")
        page.clock.run_for(299)
        assert not [request for request in emulator.requests() if "/query" in request["path"]]
        page.clock.run_for(1)
        page.get_by_role("option", name="Nordlicht").wait_for()
        assert field.get_attribute("aria-expanded") == "true"
        field.press("ArrowDown")
        assert page.locator(f"#{field.get_attribute('aria-activedescendant')}").inner_text().startswith("Nordlicht")
        field.press("Enter")
        assert field.input_value() == "Nordlicht Garten GmbH"
        assert field.get_attribute("aria-expanded") == "false"
    else:
        field.fill("nord")
        page.get_by_role("button", name="Look up").click()
        assert page.locator("#field-customer_id option:checked").inner_text().startswith("Nordlicht Garten GmbH (")
    searches = [request for request in emulator.requests() if "/query" in request["path"]]
    assert len(searches) == 1  # typing four letters is one search
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector("#rows")
    assert set(page.locator("table.list tbody tr td:nth-child(2)").all_inner_texts()) == {"Nordlicht Garten GmbH"}
    page.get_by_role("link", name="Edit inputs").click()
    page.wait_for_selector("#field-customer_id")
    assert "Nordlicht Garten GmbH" in page.locator("#field-customer_id-status").inner_text()
    assert page.problems == []


def test_text_typed_before_the_script_is_loaded_is_searched(open_page, site):
    page, held = open_page(), []
    page.route("**/static/app.js", lambda route: held.append(route))  # noqa: PLW0108 -- playwright looks at the parameters
    page.goto(f"{site.url}/connections/demo/actions/listInvoices", wait_until="commit")
    page.locator("#field-customer_id").fill("nord")
    held[0].continue_()
    page.get_by_role("option", name="Nordlicht").click()
    assert page.locator("#field-customer_id").input_value() == "Nordlicht Garten GmbH"


def test_a_choice_is_clicked_and_unmatched_text_is_an_error(open_page, site):
    page = open_page()
    page.goto(f"{site.url}/connections/demo/actions/listInvoices")
    field = page.locator("#field-customer_id")
    field.press_sequentially("zzzz")
    page.wait_for_selector(".lookup-status:has-text('No matches.')")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector("#errors")
    assert page.locator("#field-customer_id").get_attribute("aria-invalid") == "true"
    page.locator("#field-customer_id").fill("nord")
    page.get_by_role("option", name="Nordlicht").click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector("#rows")


def test_changes_are_read_since_a_full_sync(open_page, site, emulator):
    page = open_page()
    page.goto(f"{site.url}/connections/demo/actions/listInvoices")
    assert page.get_by_label("Changes", exact=True).is_disabled()
    assert not page.get_by_role("button", name="Estimate cost").is_visible()
    page.get_by_label("Full sync", exact=True).check()
    page.get_by_role("button", name="Estimate cost").click()
    page.wait_for_selector("#estimate")
    assert re.search(
        r"up to \d+ rows and takes \d API calls, all of them metered", page.locator("#estimate").inner_text()
    )
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector(".lead:has-text('full sync')")
    changed, deleted = page.evaluate(
        "async () => (await (await fetch(document.querySelector('a[href$=json]').href)).json()).invoices.slice(-2)"
    )
    emulator.update("Invoice", {"Id": changed["Id"], "PrivateNote": "changed"})
    emulator.delete("Invoice", deleted["Id"])
    page.get_by_role("button", name="Read changes since this run").click()
    page.wait_for_selector(".lead:has-text('1 row created or changed, 1 deleted')")
    assert page.locator("table.list tbody td").first.inner_text() == changed["DocNumber"]
    assert f"ID {deleted['Id']}" in page.locator(".deleted").inner_text()
    page.get_by_role("link", name="Edit inputs").click()
    page.get_by_label("Changes", exact=True).wait_for()
    assert page.get_by_label("Changes", exact=True).is_checked()
    assert page.get_by_label("Changes since").locator("option").count() == 2


PAGES = {
    "home": "/",
    "connection": "/connections/demo",
    "new": "/connectors/quickbooks/new",
    "settings": "/connections/demo/settings",
    "action": "/connections/demo/actions/listInvoices",
    "get": "/connections/demo/actions/getVendor",
    "remove": "/connections/demo/remove",
    "disconnect": "/connections/demo/disconnect",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, axe, scheme, emulator):
    page = open_page(color_scheme=scheme)
    base = page.url.rstrip("/")
    found = {}

    def check(name):
        problems = axe.problems(page)
        if problems:
            found[name] = problems

    for name, path in PAGES.items():
        page.goto(base + path)
        check(name)
    page.goto(base)
    run_invoices(page)
    page.locator("nav.lists summary").click()
    check("menu of lists")
    page.keyboard.press("Escape")  # it covers the page
    for summary in page.locator("main details > summary").all():
        summary.click()
    check("result")
    page.goto(page.url.split("?")[0] + "?view=json")
    check("json")
    page.goto(base + "/connections/demo")
    page.get_by_role("button", name="Test connection").click()
    page.wait_for_selector("h1:has-text('works')")
    check("test")
    page.goto(base + PAGES["new"])
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("#errors")
    check("errors")
    emulator.revoke_grants()
    emulator.expire_access_tokens()
    page.goto(base + PAGES["action"])
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("h2:has-text('The call failed')")
    check("failed")
    page.goto(base + "/connections/demo")
    check("refused")
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_menus_choices_and_changes(open_page, axe, scheme):
    page = open_page(color_scheme=scheme)
    base = page.url.rstrip("/")
    found = {}

    def check(name):
        problems = axe.problems(page)
        if problems:
            found[name] = problems

    page.goto(base + "/connections/demo")
    for summary in page.locator("details > summary").all():
        summary.click()
    check("menu")
    page.get_by_label("Filter actions").fill("bill")
    check("filtered menu")
    page.goto(base + PAGES["action"])
    page.get_by_label("Full sync", exact=True).check()
    page.get_by_role("button", name="Estimate cost").click()
    page.wait_for_selector("#estimate")
    for summary in page.locator("details > summary").all():
        summary.click()
    page.locator("#field-customer_id").press_sequentially("an")
    page.locator("#field-customer_id-list li").first.wait_for()
    page.keyboard.press("ArrowDown")
    check("choices")
    page.keyboard.press("Escape")
    page.locator("#field-customer_id").fill("")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Read changes since this run").click()
    page.wait_for_selector(".lead:has-text('created or changed')")
    check("changes")
    assert found == {}


@pytest.mark.parametrize("path", PAGES.values())
def test_pages_never_scroll_sideways_on_a_phone(open_page, path):
    page = open_page(**PHONE)
    page.goto(page.url.rstrip("/") + path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", ["desktop", "phone"])
def test_the_pages_as_they_look(open_page, tmp_path, name):
    """Look at the screenshots, in the directory of the test."""
    page = open_page(**PHONE) if name == "phone" else open_page(1200, 860)
    run_invoices(page)
    page.wait_for_selector("svg.bars")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    chart_group = page.screenshot(path=tmp_path / f"{name}.png")
    assert len(chart_group) > 10_000
