"""The page of connections, in a real browser: thousands, states, sync now, exports, a revoked grant, reconnecting."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from registries import KEY
from running_site import Site
from sharing import PHONE, api

from vantage_quickbooks.cli.web_connections import RegistryConnections
from vantage_quickbooks.cli.web_syncs import FolderSyncs
from vantage_quickbooks.registry import open_registry

COUNT = 3000
REFUSED = ("c0003", "c0005", "c0007", "c0008")
OTHER_REALM = "9341450000000999"


@pytest.fixture(scope="module")
def companies(tmp_path_factory, shared_emulator):
    """A site with thousands of connections; one of them can be called."""
    path = tmp_path_factory.mktemp("companies")
    emulator = shared_emulator
    variables = {
        "API_URL": emulator.url,
        "OAUTH_URL": emulator.url,
        "TOKEN_STORE": str(path / "tokens.sqlite3"),
        "TOKEN_KEY": KEY,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"VANTAGE_QUICKBOOKS_{name}", value)
        registry = open_registry(str(path / "registry"))
        form = emulator.credentials()
        registry.add("garden", form | {"monthly_call_limit": "80"}, "Garden Works")
        for number in range(COUNT):
            file = path / "registry" / f"c{number:04}.json"
            file.write_text(json.dumps({**form, "realm_id": f"93414600{number:08}", "label": f"Company {number}"}))
            os.utime(file, (1, 1))
        (path / "registry" / "broken.json").write_text("{")
        site = Site(
            path / "web",
            shared={"quickbooks": RegistryConnections(registry)},
            sync_target=FolderSyncs(str(path / "copies")),
        )
        site.copies, site.variables, site.registry = path / "copies", variables, registry
        for connection_id in REFUSED:
            site.host.record_outcome(site.host.record(connection_id), {"code": "REAUTHORIZATION_REQUIRED"})
        throttled = {"code": "RATE_LIMITED", "retryAfter": 3600, "message": "Too many requests."}
        site.host.record_outcome(site.host.record("c0011"), throttled)
        yield site
        site.close()


@pytest.fixture(scope="module")
def shared_emulator():
    from vantage_quickbooks.emulator import Emulator

    with Emulator(rotation="always", limits=False) as emulator:
        yield emulator


@pytest.fixture
def site(companies, monkeypatch):
    """The site; the environment is that of each test."""
    for name, value in companies.variables.items():
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", value)
    return companies


def names(page):
    return page.locator(".connections h2").all_inner_texts()


def test_thousands_of_connections_are_searched_filtered_and_turned_over(open_page, site, shared_emulator, axe):
    """Without a request to the provider; the state of the page is in its URL."""
    before = shared_emulator.counters()["api_requests"]["total"]
    page = open_page()
    assert [text.replace("\n", " ") for text in page.locator(".headline a").all_inner_texts()] == [
        "2,996 ready", "4 need reconnect", "1 damaged", "1 throttled"]  # fmt: skip
    first = names(page)
    assert len(first) == 50
    assert first[:6] == ["Company 3", "Company 5", "Company 7", "Company 8", "broken", "Company 11"]
    assert axe.problems(page) == []
    page.get_by_role("link", name="4 need reconnect").click()
    assert names(page) == ["Company 3", "Company 5", "Company 7", "Company 8"]
    assert page.locator(".connections").get_by_role("button", name="Reconnect").count() == 4
    page.reload()
    assert page.url.endswith("/?state=refused")
    assert len(names(page)) == 4
    page.get_by_role("link", name="Clear all").click()
    page.fill("[name=q]", f"93414600{1234:08}")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=*")
    assert names(page) == ["Company 1234"]
    page.goto(f"{site.url}/?sort=-name&page=3")
    assert page.locator("th[aria-sort=descending]").inner_text() == "Connection"
    assert page.locator(".pager .quiet").first.inner_text() == "101–150 of 3,002"  # noqa: RUF001 -- the shown text
    page.goto(f"{site.url}/?page=99999&sort=nonsense&state=nonsense")
    assert len(names(page)) == 3002 % 50  # the last page
    assert shared_emulator.counters()["api_requests"]["total"] == before
    assert page.problems == []


def test_a_sync_is_run_and_its_outcome_is_in_the_row(open_page, site, axe):
    """It writes the copy that `sync --all` would write, and counts its calls against the limit of the connection."""
    page = open_page()
    page.goto(f"{site.url}/?q=garden")
    assert page.locator(".c-sync").inner_text() == "never"
    page.get_by_role("button", name="Sync now").first.click()
    page.wait_for_selector("h1:has-text('Synced')")
    text = page.locator("main").inner_text()
    assert "34 entities up to date" in text
    assert str(site.copies) in text
    assert axe.problems(page) == []
    lines = [json.loads(line) for line in (site.copies / "garden.ndjson").read_text().splitlines()]
    upserts = sum(line["op"] == "upsert" for line in lines)
    page.goto(f"{site.url}/?q=garden")
    row = page.locator(".connections tbody tr").inner_text()
    assert f"{upserts} records changed" in row
    assert "just now" in row
    calls = int(re.search(r"(\d+) of 80", row)[1])
    assert 64 <= calls < 80
    assert "%" in page.locator(".c-calls .tag.notice").inner_text()  # from 80 percent on
    assert "token until" in row
    assert "consent until" in row
    found = api(site, "GET", "/api/connections/garden").json()["data"]
    assert (found["state"], found["lastSync"]["changed"]) == ("ready", upserts)
    assert found["status"]["monthlyCalls"]["calls"] == calls
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert axe.problems(page) == []
    assert page.problems == []


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_a_list_is_exported_as_a_file(open_page, site, kind, tmp_path):
    """In full, whatever the format."""
    page = open_page()
    page.goto(f"{site.url}/connections/garden/export")
    page.select_option("#what", "listCustomers")
    page.check(f"#format-{kind}")
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert path.name.startswith("garden-listCustomers-")
    if kind == "parquet":
        from pyarrow import parquet

        count = parquet.read_table(path).num_rows
    else:
        count = len(path.read_text("utf-8-sig").splitlines()) - (kind == "csv")
    assert count == 28  # without the inactive ones, as the list
    assert f"{count} rows" in page.locator(".lead").inner_text()
    assert page.problems == []


def test_an_export_that_fails_leaves_no_file(open_page, site, shared_emulator):
    """An incomplete file could pass for a complete one."""
    shared_emulator.fault("status", status=400, path="/query", times=-1)
    page = open_page()
    page.goto(f"{site.url}/connections/garden/export")
    page.check("#format-ndjson")
    page.get_by_role("button", name="Export", exact=True).click()
    page.wait_for_selector("h2:has-text('The call failed')", timeout=90_000)
    shared_emulator.clear_faults()
    assert page.get_by_role("link", name="Download").count() == 0
    assert api(site, "GET", page.url.removeprefix(site.url) + "/file").status_code == 404


def test_a_revoked_grant_is_said_in_all_tabs_and_the_right_company_reconnects(open_page, site, shared_emulator, axe):
    """Consent for another company is refused and changes nothing."""
    without_limit = {**site.registry.load("garden"), "monthly_call_limit": "5000"}
    site.registry.add("garden", without_limit, replace=True)
    page, other = open_page(), open_page()
    other.goto(f"{site.url}/connections/garden/export")
    assert other.locator(".callout.state").count() == 0
    shared_emulator.revoke_grants()
    shared_emulator.expire_access_tokens()
    page.goto(f"{site.url}/connections/garden")
    page.locator(".toolbar").first.get_by_role("button", name="Test connection").click()
    page.wait_for_selector(".callout.state >> text=no longer accepts this connection")
    other.wait_for_selector(".callout.state >> text=no longer accepts this connection")  # without a reload
    assert other.get_by_role("button", name="Reconnect").is_visible()
    for path in ("/connections/garden", "/connections/garden/lists/listInvoices", "/connections/garden/settings",
                 "/connections/garden/actions/listInvoices"):  # fmt: skip
        page.goto(site.url + path)
        assert page.locator(".callout.state").get_by_role("button", name="Reconnect").is_visible(), path
    page.goto(f"{site.url}/?state=refused")
    assert "Garden Works" in names(page)
    found = api(site, "GET", "/api/connections/garden").json()["data"]
    assert (found["state"], found["reconnectUrl"]) == ("refused", f"{site.url}/connections/garden/reconnect")

    settings = site.host.record("garden").settings
    shared_emulator.company(OTHER_REALM)
    page.goto(f"{site.url}/connections/garden/reconnect")
    page.wait_for_url(f"{shared_emulator.url}/connect/oauth2**")
    page.select_option("[name=realm]", OTHER_REALM)
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_selector("h1:has-text('Not connected')")
    text = page.locator("main").inner_text()
    assert f"You chose the company {OTHER_REALM}" in text
    assert "Nothing was changed" in text
    assert site.host.record("garden").settings == settings

    page.goto(f"{site.url}/reconnect?realmid={shared_emulator.realm_id}")  # as the settings of the app name it
    page.wait_for_url(f"{shared_emulator.url}/connect/oauth2**")
    page.select_option("[name=realm]", shared_emulator.realm_id)
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_url(f"{site.url}/connections/garden")
    assert page.locator(".callout.state").count() == 0
    assert site.host.record("garden").settings["refresh_token"] != settings["refresh_token"]
    other.wait_for_selector(".callout.state", state="detached")
    assert axe.problems(page) == []
    assert page.problems == []


def test_a_reconnect_address_goes_on_after_signing_in(browser, site, shared_emulator):
    """The address is in the app's settings at Intuit: it is opened from there, by people who are not signed in."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.url}/reconnect?realmId={shared_emulator.realm_id}")
        assert page.locator("h1").inner_text() == "Sign in"
        page.goto(site.sessions.sign_in_url)
        page.wait_for_url(f"{shared_emulator.url}/connect/oauth2**")
        # From another site, browsers send no Strict cookie with the first request.
        page.goto(f"{shared_emulator.url.replace('127.0.0.1', 'localhost')}/")
        page.set_content(f'<a href="{site.url}/reconnect?realmId=404">Reconnect</a>')
        page.get_by_role("link").click()
        page.wait_for_selector("text=There is no connection to 404")


def test_keyboard_and_phone_and_dark(open_page, site, axe):
    """The menu of a row opens and closes by keys; on a phone nothing is cut off."""
    page = open_page(**PHONE, color_scheme="dark")
    page.goto(f"{site.url}/?q=garden")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert axe.problems(page) == []
    page.locator(".row-menu summary").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("link", name="Export…").is_visible()
    assert axe.problems(page) == []
    page.keyboard.press("Escape")
    assert not page.get_by_role("link", name="Export…").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.problems == []


def test_dates_that_are_near_are_warnings(site, monkeypatch, open_page):
    """100 days without use, and five years after the consent."""
    soon = {
        "state": "ready",
        "refreshTokenExpiresAt": (datetime.now(UTC) + timedelta(days=12, hours=1)).isoformat(),
        "grantExpiresAt": (datetime.now(UTC) + timedelta(days=3, hours=1)).isoformat(),
    }
    monkeypatch.setattr(site.host, "status", lambda _: soon)
    page = open_page()
    page.goto(f"{site.url}/?q=garden")
    assert page.locator(".c-token .tag.bad").inner_text() == "consent ends in 3 days"
    assert page.locator(".c-token .tag.notice").inner_text() == "expires in 12 days"
