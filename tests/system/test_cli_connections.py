"""`vantage-quickbooks connections`, `--connection` and `connect --id`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from registries import KEY, company

from vantage_quickbooks import open_registry
from vantage_quickbooks.cli import main

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]


@pytest.fixture(params=["folder", "sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def registry(request, tmp_path, monkeypatch):
    """The registry that the environment variable names, as the operator sets it."""
    url = {
        "folder": lambda: str(tmp_path / "companies"),
        "sqlite": lambda: f"sqlite:///{tmp_path}/companies.sqlite3",
        "postgresql": lambda: request.getfixturevalue("fresh_postgresql_url"),
    }[request.param]()
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", url)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", KEY)
    return open_registry()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", str(tmp_path / "companies"))
    return open_registry()


@pytest.fixture
def cli(capsys):
    """Run a command; return its status and what it printed, in which no planted secret may be."""

    def run(*args):
        status = main([str(arg) for arg in args])
        shown = capsys.readouterr()
        assert not re.search(r"PLANTED-(secret|refresh)", shown.out + shown.err)
        assert "internal error" not in shown.err
        return status, shown.out, shown.err

    return run


def settings_file(tmp_path, settings):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings))
    return path


# ---- add, list, show, remove -----------------------------------------------------------------------------------------


def test_added_connections_are_listed_and_removed(cli, registry, tmp_path):
    for number, name in enumerate(("zulu", "acme")):
        file = settings_file(tmp_path, company(number))
        status, out, err = cli("connections", "add", name, "--settings", file, "--label", f"Company {number}")
        assert (status, err) == (0, "")
        assert out == f"{name}: added to {registry.describe()}.\n"
    assert registry.load("acme") == company(1)

    status, out, err = cli("connections", "list")
    assert (status, err) == (0, "")
    assert [line.split(maxsplit=3) for line in out.splitlines()] == [
        ["ID", "COMPANY", "ENVIRONMENT", "LABEL"],
        ["acme", "9130000000000001", "production", "Company 1"],
        ["zulu", "9130000000000000", "production", "Company 0"],
    ]
    assert cli("connections", "remove", "zulu")[:2] == (0, f"zulu: removed from {registry.describe()}.\n")
    status, out, _ = cli("connections", "list", "--format", "json")
    assert json.loads(out) == [
        {"id": "acme", "label": "Company 1", "realmId": "9130000000000001", "environment": "production", "error": None}
    ]


def test_an_empty_registry_is_said_to_be_empty(cli, registry):
    remedy = "To add one, run: vantage-quickbooks connect --id NAME"
    assert cli("connections", "list") == (0, "", f"There are no connections in {registry.describe()}. {remedy}\n")


def test_add_replaces_only_if_asked_and_stores_nothing_invalid(cli, registry, tmp_path):
    registry.add("acme", company(1))
    file = settings_file(tmp_path, company(2))
    status, _, err = cli("connections", "add", "acme", "--settings", file)
    assert (status, err.split(":")[0]) == (1, "CONNECTION_EXISTS")
    assert "--replace" in err
    assert registry.load("acme") == company(1)
    assert cli("connections", "add", "acme", "--settings", file, "--replace")[0] == 0
    assert registry.load("acme") == company(2)

    status, _, err = cli("connections", "add", "new", "--settings", settings_file(tmp_path, company(max_results=0)))
    assert (status, err.splitlines()[0]) == (1, "SETTINGS_INVALID: 1 error in the settings.")
    assert "  max_results: " in err
    status, _, err = cli("connections", "add", "../new", "--settings", file)
    assert (status, err.splitlines()[0]) == (1, "INPUT_INVALID: 1 error in the input.")
    assert [entry.id for entry in registry.list()] == ["acme"]


def test_show_masks_secrets(cli, registry):
    registry.add("acme", company(1, max_results=50), "Acme Ltd")
    status, out, err = cli("connections", "show", "acme")
    assert (status, err) == (0, "")
    assert dict(line.split(maxsplit=1) for line in out.splitlines()) == {
        "id": "acme",
        "label": "Acme Ltd",
        "registry": registry.describe(),
        "client_id": "PLANTED-id-1",
        "client_secret": "********",
        "refresh_token": "********",
        "realm_id": "9130000000000001",
        "max_results": "50",
    }
    shown = json.loads(cli("connections", "show", "acme", "--format", "json")[1])
    assert shown["settings"] == company(1, max_results=50) | dict.fromkeys(
        ("client_secret", "refresh_token"), "********"
    )


def test_show_masks_secrets_in_the_wrong_place(cli, folder):
    folder.add("acme", company(1))
    path = folder._path / "acme.json"
    wrong = company(1) | {"realm_id": "PLANTED-refresh-1", "PLANTED-secret-1": "x", "label": "PLANTED-secret-1"}
    path.write_text(json.dumps(wrong))
    status, out, err = cli("connections", "show", "acme")
    assert status == 1
    assert "realm_id       ********" in out
    assert "SETTINGS_INVALID: 2 errors in the settings." in err


@pytest.mark.parametrize("command", ["show", "test", "remove"])
def test_an_unknown_id_is_reported_with_a_suggestion(cli, registry, command):
    registry.add("acme-ltd", company(1))
    status, out, err = cli("connections", command, "acme-lt")
    assert status == 1
    assert "CONNECTION_NOT_FOUND: There is no connection acme-lt in" in err
    assert "Did you mean acme-ltd?" in err
    assert "removed" not in out
    status, out, _ = cli("call", "listCustomers", "--connection", "acme-lt")
    assert (status, json.loads(out)["error"]["code"]) == (1, "CONNECTION_NOT_FOUND")


def test_a_damaged_entry_is_reported_beside_the_others(cli, folder):
    folder.add("acme", company(1))
    folder.add("zulu", company(2))
    (folder._path / "acme.json").write_text("{ PLANTED-secret-1")
    status, out, err = cli("connections", "list")
    assert status == 1
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["acme", "?", "?", "unusable"], ["zulu", "9130000000000002", "production"]
    ]  # fmt: skip
    assert "acme:\nCONNECTION_DAMAGED: " in err
    assert "it is not JSON" in err
    status, out, _ = cli("connections", "list", "--format", "json")
    assert [entry["error"] and entry["error"]["code"] for entry in json.loads(out)] == ["CONNECTION_DAMAGED", None]


def test_a_registry_that_cannot_be_used(cli, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("precious")
    for command in (["list"], ["show", "a"], ["remove", "a"], ["test", "a"], ["test", "--all"]):
        status, out, err = cli("connections", *command, "--registry", tmp_path / "file")
        assert status == 1, out
        assert "REGISTRY_INVALID" in out + err
    assert (tmp_path / "file").read_text() == "precious"
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", "postgresql+psycopg://user:PLANTED-secret@127.0.0.1:1/db")
    status, _, err = cli("connections", "list")
    assert (status, err.split(":")[0]) == (1, "REGISTRY_INVALID")
    assert "Set VANTAGE_QUICKBOOKS_TOKEN_KEY" in err
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", KEY)
    status, _, err = cli("connections", "list")
    assert (status, err.split(":")[0]) == (1, "REGISTRY_UNAVAILABLE")
    assert "postgresql://127.0.0.1:1/db" in err


def test_a_password_is_never_an_argument(cli):
    status, _, err = cli("connections", "list", "--registry", "postgresql+psycopg://user:PLANTED-secret@host/db")
    assert status == 2
    assert "VANTAGE_QUICKBOOKS_REGISTRY" in err


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["call", "listCustomers", "--settings", "s.json", "--connection", "acme"], "cannot be combined"),
        (["test", "--registry", "dir"], "needs --connection"),
        (["connections", "test"], "Name the connections to test, or use --all."),
        (["connections", "test", "acme", "--all"], "Name the connections to test, or use --all."),
        (["connect"], "either --write-settings FILE or --id NAME"),
        (["connect", "--write-settings", "s.json", "--id", "acme"], "either --write-settings FILE or --id NAME"),
        (["connect", "--write-settings", "s.json", "--registry", "dir"], "need --id NAME"),
    ],
)
def test_options_that_do_not_go_together(cli, args, expected):
    status, out, err = cli(*args)
    assert (status, out) == (2, "")
    assert expected in err


# ---- using connections -----------------------------------------------------------------------------------------------


def test_a_connection_is_called_and_tested_by_its_id(cli, registry, emulator, monkeypatch):
    """Variables with settings of one company do not change those of another."""
    registry.add("acme", emulator.settings())
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REALM_ID", "1")
    status, out, _ = cli("call", "listCustomers", "--connection", "acme")
    assert status == 0
    assert json.loads(out)["data"]["metadata"]["realmId"] == emulator.realm_id
    status, out, _ = cli("test", "--connection", "acme")
    assert (status, [line.split(":")[0] for line in out.splitlines()]) == (0, ["ok      token", "ok      company"])


def test_one_connection_that_fails_does_not_stop_the_others(cli, registry, emulator):
    registry.add("acme", emulator.settings())
    registry.add("broken", emulator.settings() | {"refresh_token": "PLANTED-refresh-revoked"})
    registry.add("zulu", emulator.settings())
    status, out, err = cli("connections", "test", "--all")
    assert status == 1
    passed = ["ok      token", "ok      company"]
    shown = [line.split(":")[0] for line in out.splitlines()]
    assert shown == ["acme", *passed, "broken", "FAILED  token", "zulu", *passed]
    assert "REAUTHORIZATION_REQUIRED" in err
    status, out, _ = cli("connections", "test", "zulu", "broken", "unknown", "--format", "json")
    assert status == 1
    found = {result["id"]: result for result in json.loads(out)}
    assert [(name, result["ok"]) for name, result in found.items()] == [
        ("zulu", True), ("broken", False), ("unknown", False)
    ]  # fmt: skip
    assert found["unknown"]["error"]["code"] == "CONNECTION_NOT_FOUND"


@pytest.mark.emulator(rotation="always")
def test_calls_of_several_processes_by_id_share_one_chain(registry, emulator, tmp_path, monkeypatch):
    """The refresh token in the registry is superseded at the first call; the token store has the newest one."""
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(tmp_path / "tokens.sqlite3"))
    registry.add("acme", emulator.settings())
    environment = dict(os.environ)
    for _ in range(2):
        command = [*PROGRAM, "call", "getCompanyInfo", "--connection", "acme"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert [request["path"] for request in emulator.requests()].count("/oauth2/v1/tokens/bearer") == 1


def test_remove_with_revoke_ends_the_grant_first(cli, registry, emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(tmp_path / "tokens.sqlite3"))
    registry.add("acme", emulator.settings())
    assert cli("test", "--connection", "acme")[0] == 0
    status, out, err = cli("connections", "remove", "acme", "--revoke")
    assert (status, err) == (0, "")
    assert "Intuit has ended the connection" in out
    assert registry.list() == []
    with sqlite3.connect(tmp_path / "tokens.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM vantage_quickbooks_token").fetchone() == (0,)
    database.close()


def test_what_cannot_be_revoked_is_not_removed(cli, registry, emulator):
    registry.add("acme", emulator.settings() | {"emulator_url": "http://127.0.0.1:1"})
    status, _, err = cli("connections", "remove", "acme", "--revoke")
    assert (status, err.split(":")[0]) == (1, "NETWORK_ERROR")
    assert [entry.id for entry in registry.list()] == ["acme"]


def test_files_of_a_folder_are_settings_files(cli, folder, emulator):
    """Their label is not a setting."""
    folder.add("acme", emulator.settings(), "Acme Ltd")
    path = folder._path / "acme.json"
    assert json.loads(path.read_text())["label"] == "Acme Ltd"
    assert cli("validate", path)[:2] == (0, "Settings are valid.\n")
    assert cli("test", "--settings", path)[0] == 0


def test_ids_are_completed(registry, capsys, monkeypatch):
    registry.add("acme", company(1), "Acme Ltd")
    registry.add("zulu", company(2))
    monkeypatch.setenv("_VANTAGE_COMPLETE", "fish_complete")
    for line in ("vantage-quickbooks connections show", "vantage-quickbooks call listBills --connection"):
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", "a")
        assert main([]) == 0
        assert "acme" in (out := capsys.readouterr().out)
        assert "zulu" not in out


def test_reencrypt_takes_the_registry_along(cli, registry, tmp_path, monkeypatch):
    """Or its settings would be lost with the old key."""
    registry.add("acme", company(1))
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(tmp_path / "tokens.sqlite3"))
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", json.dumps(["new", KEY]))
    status, out, _ = cli("tokens", "reencrypt")
    assert status == 0
    if not registry.describe().startswith("folder"):
        assert f"{registry.describe()}: 1 encrypted with the first key, 0 already" in out
    assert open_registry(encryption_key="new").load("acme") == company(1)


# ---- connect ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def connecting(emulator, *args):
    """Run `connect` up to the question for consent; the function that is yielded gives it."""
    command = [*PROGRAM, "connect", "--port", "0", "--no-browser", *map(str, args)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        try:

            def agree(meanwhile=None):
                lines = iter(process.stderr.readline, "")
                url = next(line.strip() for line in lines if "/connect/oauth2" in line)
                if meanwhile:
                    meanwhile()
                asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
                data = {**asked, "realm": emulator.realm_id, "decision": "approve"}
                requests.post(url.split("?")[0], data=data, timeout=30)
                return process.wait(60), process.stderr.read()

            yield process, agree
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


@pytest.fixture
def app(tmp_path, emulator, monkeypatch):
    """A file with client id and secret, at the emulator."""
    for name in ("API_URL", "OAUTH_URL"):
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", emulator.url)
    form = emulator.credentials()
    path = tmp_path / "app.json"
    path.write_text(json.dumps({name: form[name] for name in ("client_id", "client_secret")}))
    return path


@pytest.mark.system
def test_connect_writes_to_the_registry_and_again_without_the_app_file(app, registry, emulator, cli):
    with connecting(emulator, "--settings", app, "--id", "acme", "--label", "Acme Ltd") as (_, agree):
        status, said = agree()
    assert status == 0, said
    assert f"The settings are in connection acme in {registry.describe()}." in said
    first = registry.load("acme")
    assert first["refresh_token"] not in said
    assert cli("test", "--connection", "acme")[0] == 0

    with connecting(emulator, "--id", "acme") as (_, agree):
        status, said = agree()
    assert status == 0, said
    second = registry.load("acme")
    assert second["refresh_token"] != first["refresh_token"]
    assert {**second, "refresh_token": ""} == {**first, "refresh_token": ""}
    assert registry.list()[0].label == "Acme Ltd"


@pytest.mark.system
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--id", "taken"], "has settings of another app, company or environment"),
        (["--id", "../x"], "connection's id is not valid"),
        (["--id", "../x", "--force"], "connection's id is not valid"),
        (["--id", "new", "--label", "two\nlines"], "label is not valid"),
        (["--id", "new", "--registry", "{file}"], "A file of this name is in the way"),
    ],
)
def test_what_cannot_be_written_is_found_before_consent(app, folder, emulator, tmp_path, args, expected):
    folder.add("taken", company(1))
    (tmp_path / "file").write_text("precious")
    args = [arg.format(file=tmp_path / "file") for arg in args]
    with connecting(emulator, "--settings", app, *args) as (process, _):
        assert process.wait(60) in {1, 2}
        said = process.stderr.read()
    assert expected in said
    assert "Open this address" not in said
    assert folder.load("taken") == company(1)


@pytest.mark.system
def test_settings_that_cannot_be_stored_after_consent_are_kept_in_a_file(app, folder, emulator):
    with connecting(emulator, "--settings", app, "--id", "acme") as (_, agree):
        status, said = agree(meanwhile=lambda: folder.add("acme", company(1)))
    assert status == 1, said
    kept = Path(re.search(r"(/\S+\.json), readable by you only", said)[1])
    assert json.loads(kept.read_text())["realm_id"] == emulator.realm_id
    assert folder.load("acme") == company(1)
