"""Connections that the web UI shares with the command line: those of a registry."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import garage
import pytest
import requests
from registries import KEY, company
from running_site import Client

from vantage_quickbooks.cli.web_connections import RegistryConnections
from vantage_quickbooks.errors import ReauthorizationRequired
from vantage_quickbooks.registry import open_registry
from vantage_quickbooks.web.store import Record

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path, emulator):
    """Make this process and the command line use the emulator and the same token store."""
    variables = {
        "API_URL": emulator.url,
        "OAUTH_URL": emulator.url,
        "TOKEN_STORE": str(tmp_path / "tokens.sqlite3"),
        "REGISTRY": str(tmp_path / "companies"),
        "TOKEN_KEY": KEY,
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", value)


@pytest.fixture
def registry():
    return open_registry()


@pytest.fixture
def site(serve, registry):
    return serve(shared={"quickbooks": RegistryConnections(registry)})


@pytest.fixture
def client(site):
    opened = signed_in(site)
    yield opened
    opened.close()


def signed_in(site):
    opened = Client(site)
    assert opened.get(f"/?key={site.sessions.access_key}").status_code == 200
    opened.get("/connectors/quickbooks/new")
    return opened


def api(site, method, path, **kwargs):
    headers = {"Authorization": f"Bearer {site.sessions.access_key}"}
    return requests.request(method, site.url + path, headers=headers, timeout=60, **kwargs)


def run(*args):
    """Run the command line in a process of its own; return its standard output."""
    found = subprocess.run([*PROGRAM, *args], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stderr
    return found.stdout


def fill(page, form, names=("client_id", "client_secret")):
    for name in names:
        page.fill(f"#field-{name}", form[name])


def create(client, form, **fields):
    data = {"name": "Garden Works", "intent": "save", **{f"field-{name}": value for name, value in form.items()}}
    return client.post("/connectors/quickbooks/new", data | fields)


def give_consent(client, emulator, path, decision="approve"):
    """Press Connect on a page, and decide at the emulator."""
    client.get(path)
    bounce = client.post(f"{path}/connect")
    url = re.search(r'url=([^"]+)"', bounce.text)[1].replace("&amp;", "&")
    return decide(client, emulator, url, decision)


def decide(client, emulator, url, decision="approve"):
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    data = {**asked, "realm": emulator.realm_id, "decision": decision}
    answer = requests.post(url.split("?")[0], data=data, timeout=60, allow_redirects=False)
    return client.get(answer.headers["location"].removeprefix(client.site.url))


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
    for _ in range(2):  # the emulator rotates at each refresh, and both use the newest refresh token
        emulator.expire_access_tokens()
        called = json.loads(run("call", "listInvoices", "max_results=5", "--connection", "garden-works-co"))
        assert called["data"]["count"] == 5
        emulator.expire_access_tokens()
        assert api(site, "POST", "/api/connections/garden-works-co/test").json()["data"]["ok"] is True
    assert emulator.state()["tokens"]["grants"] == 2  # the emulator's own and that of the consent
    assert "Garden Works & Co." in run("connections", "list")
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
    card = page.locator(".card", has_text="Acme Ltd")
    assert f"acme, company {emulator.realm_id}, production" in card.inner_text()
    card.get_by_role("link").click()
    page.get_by_role("button", name="Test connection").click()
    page.wait_for_selector("h1:has-text('The connection works')")
    page.goto(f"{site.url}/connections/acme/settings")
    page.fill("#name", "Acme Limited")
    page.fill("#field-max_results", "7")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("h1:has-text('Acme Limited')")
    assert registry.load("acme") == emulator.credentials() | {"max_results": "7"}  # as forms send numbers
    assert len(json.loads(run("call", "listInvoices", "--connection", "acme"))["data"]["invoices"]) == 7
    assert "Acme Limited" in run("connections", "list")
    page.get_by_role("link", name="Remove").click()
    assert "--connection acme" in page.locator("main").inner_text()
    page.get_by_role("button", name="Remove").click()
    page.wait_for_selector("h1:has-text('Connections')")
    assert registry.list() == []
    assert page.problems == []


def test_settings_that_another_program_replaces_are_used_by_the_next_call(site, registry, emulator):
    registry.add("acme", emulator.credentials() | {"max_results": 3})
    assert api(site, "POST", "/api/connections/acme/call/listInvoices").json()["data"]["count"] == 3
    registry.add("acme", emulator.credentials() | {"max_results": 4}, replace=True)
    assert api(site, "POST", "/api/connections/acme/call/listInvoices").json()["data"]["count"] == 4
    registry.remove("acme")
    gone = api(site, "POST", "/api/connections/acme/call/listInvoices")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "CONNECTION_NOT_FOUND")


def test_consent_that_is_denied_leaves_the_registry_unchanged(client, registry, emulator):
    registry.add("acme", emulator.credentials(), "Acme")
    assert "Consent was denied" in give_consent(client, emulator, "/connections/acme", "deny").text
    assert registry.load("acme") == emulator.credentials()
    app = {name: emulator.credentials()[name] for name in ("client_id", "client_secret")}
    bounce = create(client, app, name="Fresh", intent="connect")
    url = re.search(r'url=([^"]+)"', bounce.text)[1].replace("&amp;", "&")
    assert "Consent was denied" in decide(client, emulator, url, "deny").text
    assert [entry.id for entry in registry.list()] == ["acme"]
    shown = client.get("/connections/fresh").text
    assert "not connected" in shown
    assert "The web UI only. Other programs can use it as soon as it is connected." in shown
    assert "Connected" in give_consent(client, emulator, "/connections/fresh").text
    assert registry.read("fresh").label == "Fresh"


def test_blank_fields_that_consent_fills_in_keep_their_values_until_then(client, registry, emulator):
    registry.add("acme", emulator.credentials())
    client.get("/connections/acme/settings")
    form = {f"field-{name}": emulator.credentials()[name] for name in ("client_id", "client_secret")}
    bounce = client.post("/connections/acme/settings", {"intent": "connect", "field-realm_id": "", **form})
    assert "Connecting" in bounce.text
    assert registry.load("acme") == emulator.credentials()


def test_disconnecting_takes_a_connection_out_of_the_registry_until_it_is_connected_again(client, registry, emulator):
    registry.add("acme", emulator.credentials(), "Acme")
    client.get("/connections/acme/disconnect")
    assert "Disconnected" in client.post("/connections/acme/disconnect").text
    assert registry.list() == []
    assert "not connected" in client.get("/").text
    assert "Connected" in give_consent(client, emulator, "/connections/acme").text
    assert registry.load("acme")["realm_id"] == emulator.realm_id
    assert client.site.host.store.all() == []


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
    rows = {card.locator("h2").inner_text(): card.inner_text() for card in page.locator(".card:has(h2)").all()}
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


def test_a_damaged_entry_stays_until_the_new_consent(client, registry, emulator, tmp_path):
    """It may be readable again: a wrong key, for example."""
    registry.add("acme", emulator.credentials())
    path = tmp_path / "companies" / "acme.json"
    path.write_text("damaged")
    client.get("/connections/acme/settings")
    form = {f"field-{name}": emulator.credentials()[name] for name in ("client_id", "client_secret")}
    for decision in ("deny", "approve"):
        bounce = client.post("/connections/acme/settings", {"name": "Acme", "intent": "connect", **form})
        assert path.read_text() == "damaged"
        url = re.search(r'url=([^"]+)"', bounce.text)[1].replace("&amp;", "&")
        decide(client, emulator, url, decision)
        client.get("/connections/acme/settings")
    assert registry.load("acme")["realm_id"] == emulator.realm_id
    assert registry.read("acme").label == "Acme"


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
    assert page.locator(".card h2").all_inner_texts() == ["My garage"]
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


def test_an_encrypted_database_is_shared_as_a_folder_is(serve, emulator, tmp_path):
    url = f"sqlite:///{tmp_path}/companies.sqlite3"
    site = serve(shared={"quickbooks": RegistryConnections(open_registry(url), url)})
    client = signed_in(site)
    assert create(client, emulator.credentials(), connection="acme").status_code == 200
    assert f"--connection acme --registry {url}" in client.get("/connections/acme").text
    called = run("call", "listInvoices", "max_results=5", "--connection", "acme", "--registry", url)
    assert json.loads(called)["data"]["count"] == 5
    assert emulator.credentials()["client_secret"].encode() not in (tmp_path / "companies.sqlite3").read_bytes()


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


def test_an_id_that_another_program_took_during_consent_is_not_overwritten(client, registry, emulator):
    app = {name: emulator.credentials()[name] for name in ("client_id", "client_secret")}
    bounce = create(client, app, connection="acme", intent="connect")
    url = re.search(r'url=([^"]+)"', bounce.text)[1].replace("&amp;", "&")
    registry.add("acme", company())
    assert "Another program has changed this connection" in decide(client, emulator, url).text
    assert registry.load("acme") == company()


def test_a_grant_that_the_registry_cannot_store_is_kept_and_stored_later(client, registry, emulator, tmp_path):
    app = {name: emulator.credentials()[name] for name in ("client_id", "client_secret")}
    bounce = create(client, app, connection="acme", intent="connect")
    url = re.search(r'url=([^"]+)"', bounce.text)[1].replace("&amp;", "&")
    (tmp_path / "companies").write_text("in the way")
    text = decide(client, emulator, url).text
    assert "The account was connected, but" in text
    assert "REGISTRY_INVALID" in text
    (tmp_path / "companies").unlink()
    client.get("/connections/acme/settings")
    client.post(
        "/connections/acme/settings",
        {"intent": "save", "field-client_id": app["client_id"], "field-realm_id": emulator.realm_id},
    )
    assert registry.load("acme")["realm_id"] == emulator.realm_id
    run("test", "--connection", "acme")


def test_a_connection_with_tokens_of_its_own_is_shared_after_a_new_consent(client, registry, emulator):
    """One that was connected before the web UI used a registry: others could not use it without its tokens."""
    store = client.site.host.store
    store.put(Record("old", "quickbooks", "Old", emulator.credentials()))
    called = api(client.site, "POST", "/api/connections/old/call/listInvoices")
    assert called.status_code == 200
    assert store.load_credentials("old") is not None
    client.get("/connections/old/settings")
    form = {f"field-{name}": value for name, value in emulator.credentials().items() if name != "refresh_token"}
    client.post("/connections/old/settings", {"name": "Renamed", "intent": "save", **form})
    assert registry.list() == []
    assert "The web UI only. Connect again" in client.get("/connections/old").text
    assert "Connected" in give_consent(client, emulator, "/connections/old").text
    assert registry.read("old").label == "Renamed"
    assert store.all() == []
    assert store.load_credentials("old") is None
    run("test", "--connection", "old")


def test_a_revocation_is_shown_until_another_program_connects_the_company_again(site, registry, emulator):
    registry.add("acme", emulator.credentials())
    emulator.revoke_grants()
    failed = api(site, "POST", "/api/connections/acme/call/listInvoices").json()
    assert failed["error"]["code"] == ReauthorizationRequired.code
    (listed,) = api(site, "GET", "/api/connections").json()["data"]["connections"]
    assert listed["state"] == "refused"
    registry.add("acme", emulator.credentials() | {"refresh_token": "a new one"}, replace=True)
    (listed,) = api(site, "GET", "/api/connections").json()["data"]["connections"]
    assert listed["state"] == "ready"


def test_the_command_serves_the_registry_that_its_option_names(tmp_path, emulator):
    registry = open_registry(str(tmp_path / "elsewhere"))
    registry.add("acme", emulator.credentials(), "Acme")
    args = ("serve", "--port", "0", "--data", str(tmp_path / "data"), "--registry", str(tmp_path / "elsewhere"))
    server = subprocess.Popen([*PROGRAM, *args], stdout=subprocess.PIPE, text=True, bufsize=1, env=dict(os.environ))
    try:
        said = "".join(line for _, line in zip(range(5), server.stdout, strict=False))
        url = re.search(r"http://localhost:\d+/\?key=\S+", said)[0]
        assert f"registry  folder {tmp_path / 'elsewhere'}" in said
        assert "Acme" in requests.get(url, timeout=60).text
    finally:
        server.terminate()
        server.communicate(timeout=60)
    assert server.returncode == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--registry", "postgresql://u:p@h/d"), "contains a password"),
        (("--demo", "--registry", "x"), "cannot be combined"),
        (("--registry", "sqlite:///x", "--port", "0"), "there is no key"),
    ],
)
def test_a_registry_that_cannot_be_used_stops_the_command(capsys, monkeypatch, args, said):
    from vantage_quickbooks.cli import main

    monkeypatch.delenv("VANTAGE_QUICKBOOKS_TOKEN_KEY")
    assert main(["serve", *args]) in {1, 2}
    assert said in capsys.readouterr().err
