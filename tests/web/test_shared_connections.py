"""Connections that the web UI shares with the command line: those of a registry."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
import requests
from registries import company
from sharing import PROGRAM, api, create, decide, give_consent, run, signed_in

from vantage_quickbooks.cli import main
from vantage_quickbooks.cli.web_connections import RegistryConnections
from vantage_quickbooks.errors import ReauthorizationRequired
from vantage_quickbooks.registry import open_registry
from vantage_quickbooks.web.store import Record

pytestmark = pytest.mark.usefixtures("shared_environment")


@pytest.fixture
def site(shared_site):
    return shared_site


@pytest.fixture
def client(shared_client):
    return shared_client


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


def test_an_encrypted_database_is_shared_as_a_folder_is(serve, emulator, tmp_path):
    url = f"sqlite:///{tmp_path}/companies.sqlite3"
    site = serve(shared={"quickbooks": RegistryConnections(open_registry(url), url)})
    client = signed_in(site)
    assert create(client, emulator.credentials(), connection="acme").status_code == 200
    assert f"--connection acme --registry {url}" in client.get("/connections/acme").text
    called = run("call", "listInvoices", "max_results=5", "--connection", "acme", "--registry", url)
    assert json.loads(called)["data"]["count"] == 5
    assert emulator.credentials()["client_secret"].encode() not in (tmp_path / "companies.sqlite3").read_bytes()


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
    assert "The web UI only. Reconnect" in client.get("/connections/old").text
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
    monkeypatch.delenv("VANTAGE_QUICKBOOKS_TOKEN_KEY")
    assert main(["serve", *args]) in {1, 2}
    assert said in capsys.readouterr().err
