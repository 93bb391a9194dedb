"""Connections of a registry, in a real browser."""

from __future__ import annotations

import json

import garage
import pytest
from playwright.sync_api import expect
from registries import KEY, company
from sharing import PHONE, api, create, fill, run

from vantage_quickbooks.cli.web_connections import RegistryConnections
from vantage_quickbooks.registry import open_registry

pytestmark = pytest.mark.usefixtures("shared_environment")

LINES_AT_ANY_WIDTH = """it => Math.max(...Array.from({ length: 150 }, (_, number) => {
    it.parentElement.style.width = `${200 + number}px`;
    return it.getClientRects().length;
}))"""


@pytest.fixture
def site(shared_site):
    return shared_site


@pytest.fixture
def client(shared_client):
    return shared_client


def test_a_company_connected_in_the_browser_is_called_by_the_command_line(open_page, emulator, site, registry):
    form = emulator.credentials()
    page = open_page()
    page.get_by_role("link", name="New connection").click()
    page.fill("#name", "Garden Works & Co.")
    fill(page, form)
    page.get_by_role("button", name="Save and connect").click()
    page.wait_for_url(f"{emulator.url}/connect/oauth2**")
    assert registry.list() == []  # only connections that can be used are in the registry
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_selector("h1:has-text('Garden Works')")
    assert page.locator(".head .tag").inner_text() == "ready"
    facts = page.locator("dl.facts").last.inner_text()
    assert "--connection garden-works-co" in facts
    assert registry.describe() in facts
    page.get_by_role("link", name="List invoices").first.click()
    page.get_by_role("button", name="Run").click()
    page.wait_for_selector("svg.bars")
    called = json.loads(run("call", "listInvoices", "max_results=5", "--connection", "garden-works-co"))
    assert called["data"]["count"] == 5
    # The emulator rotates at each refresh, and both use the newest refresh token.
    emulator.expire_access_tokens()
    assert api(site, "POST", "/api/connections/garden-works-co/test").json()["data"]["ok"] is True
    emulator.expire_access_tokens()
    run("test", "--connection", "garden-works-co")
    emulator.expire_access_tokens()
    assert api(site, "POST", "/api/connections/garden-works-co/test").json()["data"]["ok"] is True
    assert emulator.state()["tokens"]["grants"] == 2  # the emulator's own and that of the consent
    assert registry.read("garden-works-co").label == "Garden Works & Co."
    secret = registry.load("garden-works-co")["refresh_token"]
    for path in ("/", "/connections/garden-works-co", "/connections/garden-works-co/settings"):
        page.goto(site.url + path)
        assert secret not in page.content()
        assert form["client_secret"] not in page.content()
    assert page.problems == []


def test_a_company_added_by_the_command_line_is_edited_tested_and_removed_in_the_browser(
    open_page, emulator, site, registry, tmp_path
):
    (tmp_path / "s.json").write_text(json.dumps(emulator.credentials()))
    run("connections", "add", "acme", "--settings", str(tmp_path / "s.json"), "--label", "Acme Ltd")
    page = open_page(**PHONE)
    card = page.locator(".connections tbody tr", has_text="Acme Ltd")
    assert f"acme, company {emulator.realm_id}, production" in card.inner_text()
    card.get_by_role("link", name="Acme Ltd", exact=True).click()
    page.get_by_role("button", name="Test connection").click()
    page.wait_for_selector("h1:has-text('The connection works')")
    page.goto(f"{site.url}/connections/acme/settings")
    page.fill("#name", "Acme Limited")
    page.fill("#field-max_results", "7")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("h1:has-text('Acme Limited')")
    assert registry.load("acme") == emulator.credentials() | {"max_results": "7"}  # as forms send numbers
    assert len(json.loads(run("call", "listInvoices", "--connection", "acme"))["data"]["invoices"]) == 7
    assert registry.read("acme").label == "Acme Limited"
    page.get_by_role("link", name="Remove").click()
    option = page.locator("main code")
    expect(option).to_have_text("--connection acme")
    assert option.evaluate(LINES_AT_ANY_WIDTH) == 1  # not "--" on one line and the rest on the next
    page.get_by_role("button", name="Remove").click()
    page.wait_for_selector("h1:has-text('Connections')")
    assert registry.list() == []
    assert page.problems == []


def test_a_damaged_entry_is_a_row_with_its_error_and_can_be_replaced_or_removed(
    open_page, site, registry, emulator, tmp_path, axe
):
    registry.add("acme", emulator.credentials(), "Acme")
    folder = tmp_path / "companies"
    (folder / "broken.json").write_text('{"client_secret": "PLANTED')
    (folder / "wrong.json").write_text(json.dumps(emulator.credentials() | {"max_results": "lots"}))
    (folder / "half.json").write_text(json.dumps({"client_id": "a", "client_secret": "b", "label": "Half"}))
    (folder / "bad name.json").write_text("{}")
    page = open_page(**PHONE)
    rows = {card.locator("h2").inner_text(): card.inner_text() for card in page.locator(".connections tbody tr").all()}
    assert set(rows) == {"Acme", "broken", "wrong", "Half", "bad name"}
    assert "ready" in rows["Acme"]
    assert "damaged (it is not JSON)" in rows["broken"]
    assert "invalid settings" in rows["wrong"]
    assert "not connected" in rows["Half"]
    assert "damaged" in rows["bad name"]
    assert page.get_by_role("link", name="bad name").count() == 0
    assert "PLANTED" not in page.content()
    assert axe.problems(page) == []
    listed = {item["id"]: item for item in api(site, "GET", "/api/connections").json()["data"]["connections"]}
    assert {name: item["state"] for name, item in listed.items()} == {
        "acme": "ready",
        "bad name": "damaged",
        "broken": "damaged",
        "half": "incomplete",
        "wrong": "invalid",
    }
    assert listed["broken"]["error"]["code"] == "CONNECTION_DAMAGED"
    called = api(site, "POST", "/api/connections/broken/call/listInvoices")
    assert (called.status_code, called.json()["error"]["code"]) == (422, "CONNECTION_DAMAGED")
    assert api(site, "POST", "/api/connections/acme/call/listInvoices").status_code == 200
    assert "/api/connections/broken/test" not in api(site, "GET", "/api/openapi.json").json()["paths"]
    page.get_by_role("link", name="broken").click()
    assert "This connection cannot be used." in page.locator(".callout").inner_text()
    assert axe.problems(page) == []
    page.get_by_role("link", name="Replace settings").click()
    fill(page, emulator.credentials())
    page.locator("summary", has_text="refresh token").click()
    fill(page, emulator.credentials(), ("refresh_token", "realm_id"))
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector(".head .tag.good")
    assert registry.load("broken") == emulator.credentials()
    page.goto(f"{site.url}/connections/wrong")
    assert "1000" in page.locator(".callout").inner_text()
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove").click()
    page.wait_for_selector("h1:has-text('Connections')")
    assert not (folder / "wrong.json").exists()
    assert page.problems == []


@pytest.mark.parametrize("form", ["folder", "postgresql"])
def test_a_registry_that_is_down_gives_a_clear_page(serve, tmp_path, form, open_page, axe):
    url = "postgresql+psycopg://someone:PLANTED@127.0.0.1:1/none"
    if form == "folder":
        (tmp_path / "file").write_text("")
        url = str(tmp_path / "file")
    plugin = garage.Plugin()
    site = serve([plugin], shared={"quickbooks": RegistryConnections(open_registry(url, encryption_key=KEY))})
    site.host.save("garage", "My garage", {"api_key": "k"}, "mine")
    page = open_page(site=site, **PHONE)
    assert "Some connections cannot be shown." in page.locator(".callout").inner_text()
    assert page.locator(".connections h2").all_inner_texts() == ["My garage"]
    assert axe.problems(page) == []
    page.goto(f"{site.url}/connections/acme")
    assert page.locator("h1").inner_text() == "Connections cannot be read or saved"
    page.goto(f"{site.url}/connectors/quickbooks/new")
    fill(page, company(), ("client_id", "client_secret"))
    page.get_by_role("button", name="Save and connect").click()
    page.wait_for_selector("h1:has-text('Connections cannot be read or saved')")
    assert "PLANTED" not in page.content()
    expected = (503, "REGISTRY_UNAVAILABLE") if form == "postgresql" else (500, "REGISTRY_INVALID")
    for method, path in (("GET", ""), ("POST", "/acme/test"), ("POST", "/acme/call/listInvoices")):
        answer = api(site, method, f"/api/connections{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == expected
    assert api(site, "POST", "/api/connections/mine/call/listCars").status_code == 200
    assert page.problems == []


def test_the_id_is_checked_at_its_field_and_made_from_the_name(client, registry, emulator, axe, open_page, site):
    form = emulator.credentials()
    for _ in range(2):
        assert create(client, form, name="Café Zürich").status_code == 200
    assert [entry.id for entry in registry.list()] == ["cafe-zurich", "cafe-zurich-2"]
    for wrong, said in (("cafe-zurich", "There already is a connection cafe-zurich."), ("a/b", "is not valid")):
        answer = create(client, form, connection=wrong)
        assert answer.status_code == 422
        assert said in answer.text
        assert f'value="{wrong}"' in answer.text
    assert create(client, form, name=form["client_secret"]).status_code == 422  # a label contains no secret
    assert len(registry.list()) == 2
    page = open_page()
    page.goto(f"{site.url}/connectors/quickbooks/new")
    page.fill("#field-connection", "a/b")
    page.get_by_role("button", name="Save", exact=True).click()
    assert page.locator("#field-connection").get_attribute("aria-invalid") == "true"
    page.get_by_role("link", name="The connection's id is not valid").click()
    assert axe.problems(page) == []
