"""Companies of emulators: settings select them, beside real companies, and their credentials never go to Intuit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.settings import is_emulators
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.pytest_plugin import quickbooks_emulator, quickbooks_emulator_session  # noqa: F401
from vantage_quickbooks.errors import SettingsError

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
REAL = {
    "client_id": "a-client-id-of-intuits",
    "client_secret": "a-client-secret-of-intuits",
    "refresh_token": "a-refresh-token-of-intuits",
    "realm_id": "9130000000000001",
}


@pytest.fixture
def environment(tmp_path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VANTAGE_")}
    return kept | {"XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def cli(environment):
    def run(*args, **variables):
        return subprocess.run(
            [*PROGRAM, *map(str, args)],
            capture_output=True, text=True, timeout=120, check=False, env=environment | variables,
        )  # fmt: skip

    return run


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(2))  # the fixture gives an emulator as good as new to each test
def test_the_fixtures_settings_connect(quickbooks_emulator, round_):  # noqa: ARG001, F811 -- pytest's way
    with QUICKBOOKS.connect(quickbooks_emulator.settings()) as connection:
        found = connection.test()
        assert found["ok"], found
        assert found["environment"] == "emulator"
        assert quickbooks_emulator.url in found["checks"][1]["message"]
        assert connection.call("listCustomers")["data"]["metadata"]["environment"] == "emulator"
    assert quickbooks_emulator.counters()["token_requests"]["ok"] == 1
    quickbooks_emulator.revoke_grants()  # the next test does not notice
    assert not QUICKBOOKS.connect(quickbooks_emulator.settings()).test()["ok"]


def test_real_and_emulated_companies_go_side_by_side(monkeypatch):
    """The first plays Intuit's part; the emulators, of one seed, hold the same realm and the same credentials."""
    with Emulator(seed=1, limits=False) as intuit, Emulator(seed=2) as one, Emulator(seed=2) as other:
        monkeypatch.setenv("VANTAGE_QUICKBOOKS_API_URL", intuit.url)
        monkeypatch.setenv("VANTAGE_QUICKBOOKS_OAUTH_URL", intuit.url)
        servers = (intuit, one, other)
        forms = (intuit.credentials(), one.settings(), other.settings())
        connections = [QUICKBOOKS.connect(form) for form in forms]
        for _ in range(2):
            for connection in connections:
                assert connection.call("getCompanyInfo")["success"]
        for server in servers:
            counters = server.counters()
            assert (counters["api_requests"]["total"], counters["token_requests"]["total"]) == (2, 1)
        clients = [connection._get_client() for connection in connections]
        assert len({client.authorizer.key for client in clients}) == 3
        assert len({id(client._rate_limiter) for client in clients}) == 3
        environments = [connection.test()["environment"] for connection in connections]
        assert environments == ["production", "emulator", "emulator"]
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://quickbooks.api.intuit.com", "http://10.0.0.1:8085", "http://emulator:8085", "https://evil.test",
        "http://127.0.0.1@evil.test", "http://evil.test#127.0.0.1", "http://127.0.0.1.evil.test", "127.0.0.1:8085",
        "http://127.0.0.1:8085/v3", "http://127.0.0.1:99999", "ftp://127.0.0.1", "http://127.0.0.1\\@evil.test",
        "http://0.0.0.0:1", "http://127.0.0.1:8085?x=1", "http://u:p@127.0.0.1", "http://[::ffff:127.0.0.1]:1",
    ],
)  # fmt: skip
def test_an_emulator_is_on_this_machine_only(url):
    with pytest.raises(SettingsError) as caught:
        QUICKBOOKS.connect(REAL | {"environment": "emulator", "emulator_url": url})
    assert [entry.field for entry in caught.value.fields] == ["emulator_url"]
    with pytest.raises(SettingsError, match="VANTAGE_QUICKBOOKS_EMULATOR_URL"):
        QUICKBOOKS.connect(REAL, deployment=Deployment.from_environ({"VANTAGE_QUICKBOOKS_EMULATOR_URL": url}))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1/", "http://[::1]:1", "https://127.8.9.1"])
def test_addresses_of_this_machine_are_taken_without_their_slash(url):
    connection = QUICKBOOKS.connect(REAL | {"environment": "emulator", "emulator_url": url})
    assert connection._endpoints.api_url == url.rstrip("/")
    assert connection._endpoints.token_endpoint.startswith(url.rstrip("/") + "/oauth2/")


@pytest.mark.parametrize(
    "more",
    [{"environment": "emulator"}, {"emulator_url": "http://127.0.0.1:1"},
     {"environment": "sandbox", "emulator_url": "http://127.0.0.1:1"}],
)  # fmt: skip
def test_environment_and_address_need_each_other(more):
    found = QUICKBOOKS.validate(REAL | more)
    assert (found["valid"], [entry["field"] for entry in found["fields"]]) == (False, ["emulator_url"])


# ---- credentials -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["client_id", "client_secret", "refresh_token"])
@pytest.mark.parametrize("environment", ["production", "sandbox"])
def test_an_emulators_credentials_never_go_to_intuit(emulator, name, environment):
    """Any one of the three is enough, and also what a rotation, a new secret or another grant has made."""
    emulator.rotate_client_secret()
    form = emulator.credentials() | {"refresh_token": emulator.oauth.grant(emulator.realm_id)}
    mixed = REAL | {name: form[name], "environment": environment}
    assert is_emulators({name: form[name]})
    with pytest.raises(SettingsError) as caught:
        QUICKBOOKS.connect(mixed)
    assert "emulator_url" in str(caught.value)
    assert "--emulator" in str(caught.value)
    assert not any(value in str(caught.value) for value in form.values())
    with pytest.raises(SettingsError):  # one of the two servers is enough, too
        QUICKBOOKS.connect(mixed, deployment=Deployment(api_url=emulator.url))
    if name != "refresh_token":
        with pytest.raises(SettingsError):
            QUICKBOOKS.authorization_url(mixed, redirect_uri="http://localhost/x", state="x")


def test_intuits_credentials_are_not_taken_for_an_emulators():
    assert not is_emulators(REAL)
    assert not is_emulators({"client_id": "AB" + "x" * 48, "client_secret": "y" * 40})
    QUICKBOOKS.connect(REAL)


def test_a_host_may_refuse_emulators(emulator):
    with pytest.raises(SettingsError, match="disabled on this host"):
        QUICKBOOKS.connect(emulator.settings(), deployment=Deployment(emulator_url="off"))
    QUICKBOOKS.connect(REAL, deployment=Deployment(emulator_url="off"))


def test_the_form_does_not_ask_for_an_emulator():
    schema, form = load_schema("settings.schema"), load_schema("settings.form")
    assert "emulator_url" not in schema["properties"]  # form libraries make a field of each of these
    assert "emulator" not in json.dumps(form)


# ---- command line ----------------------------------------------------------------------------------------------------


@pytest.mark.system
def test_written_settings_work_without_further_options(cli, environment, tmp_path):
    target = tmp_path / "e.json"
    args = [*PROGRAM, "emulator", "--write-settings", target]
    with subprocess.Popen(args, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            for line in process.stdout:
                if "With curl" in line:
                    break
            found = cli("test", "--settings", target)
            table = cli("call", "listCustomers", "--settings", target, "--format", "table")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert found.returncode == 0, found.stderr
    assert f"on the emulator at {json.loads(target.read_text())['emulator_url']}." in found.stdout
    assert "production" not in found.stdout
    assert "Alder Street Books" in table.stdout


@pytest.mark.system
@pytest.mark.parametrize("how", ["option", "variable"])
def test_every_command_can_use_an_emulator(cli, tmp_path, emulator, how):
    target = tmp_path / "s.json"
    target.write_text(json.dumps(emulator.credentials()))
    option = ("--emulator", emulator.url) if how == "option" else ()
    variables = {} if option else {"VANTAGE_QUICKBOOKS_EMULATOR_URL": emulator.url}
    for args in (("test", "--settings", target), ("call", "listInvoices", "--settings", target)):
        found = cli(*args, *option, **variables)
        assert found.returncode == 0, found.stdout + found.stderr
        assert emulator.url in found.stdout or '"environment": "emulator"' in found.stdout


@pytest.mark.system
def test_an_emulators_credentials_without_its_address_are_refused_in_words(cli, tmp_path, emulator):
    target = tmp_path / "s.json"
    target.write_text(json.dumps(emulator.credentials()))
    found = cli("test", "--settings", target)
    assert found.returncode == 1
    assert "Nothing was sent." in found.stderr
    assert "--emulator URL" in found.stderr
