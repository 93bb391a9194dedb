"""`vantage-quickbooks doctor`: what is wrong is shown with a hint, under real conditions."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from vantage_quickbooks.auth.stores import SQLiteStore
from vantage_quickbooks.cli import main
from vantage_quickbooks.cli.doctor import company
from vantage_quickbooks.cli.doctor.environment import VARIABLES
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import open_registry

SOURCE = Path(__file__).parents[2] / "vantage_quickbooks"


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(rotation="always", limits=False) as running:
        yield running


@pytest.fixture
def emulator(fresh_quickbooks):
    return fresh_quickbooks


@pytest.fixture
def registry(tmp_path, emulator, monkeypatch):
    """The registry of the environment, with the connection `acme`."""
    folder = tmp_path / "companies"
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", str(folder))
    with open_registry(folder) as opened:
        opened.add("acme", emulator.settings())
    return folder


@pytest.fixture
def doctor(registry, emulator, monkeypatch, capsys):  # noqa: ARG001 -- the registry with the connection
    """Run the command in this process: `doctor("--offline")` returns its status and its findings by id."""
    monkeypatch.setenv("COLUMNS", "80")
    secrets = [str(emulator.settings()[name]) for name in ("client_secret", "refresh_token")]

    def run(*arguments, connection="acme"):
        where = ("--connection", connection) if connection else ()
        status = main(["doctor", *where, *arguments, "--json"])
        shown = capsys.readouterr()
        assert shown.err == ""
        assert not [secret for secret in secrets if secret in shown.out]
        return status, {check["id"]: check for check in json.loads(shown.out)["checks"]}

    return run


def statuses(found):
    return {name: check["status"] for name, check in found.items() if check["status"] != "ok"}


def problem(found, name):
    """Return status and texts of a check, which has a hint unless its message has one."""
    check = found[name]
    return check["status"], f"{check['message']} {check['hint']}"


def test_a_healthy_connection(doctor):
    status, found = doctor()
    assert (status, statuses(found)) == (0, {"permissions": "skipped"})  # there was no token file yet

    status, found = doctor()
    assert (status, statuses(found)) == (0, {})
    assert found["tokenDates"]["facts"]["grantExpiresAt"] > found["tokenDates"]["facts"]["refreshTokenExpiresAt"]
    assert found["scope"]["facts"] == {"scopes": ["com.intuit.quickbooks.accounting"]}


@pytest.mark.usefixtures("registry")
def test_the_text_fits_into_80_columns_and_ends_with_a_summary(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    assert main(["doctor", "--connection", "acme"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "Environment",
        "Storage",
        "Network",
        "Company",
        "21 ok, 0 warnings, 0 failed, 1 not checked",
    ]
    too_long = [line for line in lines if len(line) > 80]
    assert all(len(line.split()[-1]) > 52 for line in too_long), too_long  # a path is not broken
    assert any(re.fullmatch(r"  ok       Clock            agrees with the API, within \d s", line) for line in lines)


def test_offline__nothing_is_sent(doctor, emulator):
    emulator.reset_counters()
    status, found = doctor("--offline")

    assert status == 0
    assert {name for name, check in found.items() if check["status"] == "skipped"} >= {
        "api",
        "clock",
        "token",
        "company",
    }
    assert emulator.requests() == []


def test_without_a_company__the_machine_is_checked(doctor, emulator):
    status, found = doctor("--emulator", emulator.url, connection=None)

    assert status == 0
    assert found["settings"]["status"] == "skipped"
    assert "--connection ID" in found["settings"]["message"]
    assert found["api"]["status"] == found["clock"]["status"] == "ok"
    assert all(
        not request["path"].endswith(f"companyinfo/{emulator.settings()['realm_id']}")
        for request in emulator.requests()
    )


# ---- the company -----------------------------------------------------------------------------------------------------


def test_a_revoked_grant(doctor, emulator):
    emulator.revoke_grants()

    status, found = doctor()

    assert status == 1
    assert statuses(found) | {"permissions": "-"} == {
        "permissions": "-", "token": "failed", "company": "skipped", "scope": "skipped", "tokenDates": "failed"
    }  # fmt: skip
    for name in ("token", "tokenDates"):
        assert "Run: vantage-quickbooks connect --id acme" in found[name]["hint"]


def test_a_refused_client_secret(doctor, emulator):
    emulator.rotate_client_secret()

    status, found = doctor()

    assert status == 1
    assert found["token"]["status"] == "failed"
    assert "does not accept this Client ID and Client Secret" in found["token"]["message"]
    assert found["token"]["hint"] == "Correct client_id and client_secret in the settings."
    assert found["tokenDates"]["status"] != "failed"


def test_a_missing_scope(doctor, emulator, registry):
    granted = emulator.grant(scopes=["openid"])
    with open_registry(registry) as opened:
        opened.add("acme", {**emulator.settings(), "refresh_token": granted}, replace=True)

    status, found = doctor()

    assert status == 1
    assert found["scope"]["status"] == "failed"
    assert "com.intuit.quickbooks.accounting was not granted" in found["scope"]["message"]
    assert "connect --id acme" in found["scope"]["hint"]


def test_another_company__is_not_a_missing_scope(doctor, emulator, registry):
    with open_registry(registry) as opened:
        opened.add("acme", emulator.settings() | {"realm_id": "123456789"}, replace=True)

    status, found = doctor()

    assert (status, statuses(found)) == (1, {"permissions": "skipped", "company": "failed", "scope": "skipped"})
    assert "realm id" in found["company"]["message"]


def test_an_authorization_that_ends_soon(doctor, monkeypatch):
    doctor()
    monkeypatch.setattr(company, "WARN_REFRESH_DAYS", 102)
    status, found = doctor("--offline")
    assert (status, problem(found, "tokenDates")[0]) == (0, "warning")
    assert "Run: vantage" not in found["tokenDates"]["hint"]  # a call is enough
    assert "test --connection acme" in found["tokenDates"]["hint"]

    monkeypatch.setattr(company, "WARN_GRANT_DAYS", 5 * 366)
    _, found = doctor("--offline")
    assert "of the five years" in found["tokenDates"]["message"]
    assert "connect --id acme" in found["tokenDates"]["hint"]


def test_settings_that_are_not_valid(doctor, registry, emulator):
    (registry / "acme.json").write_text(json.dumps({**emulator.settings(), "realm_id": "abc"}))

    status, found = doctor("--emulator", emulator.url)

    assert status == 1
    assert found["settings"]["status"] == "failed"
    assert "realm_id" in found["settings"]["message"]
    assert found["settings"]["hint"]
    assert found["token"]["status"] == "skipped"
    assert found["registry"]["status"] == "warning"


def test_a_used_up_month(doctor, emulator, registry, monkeypatch):
    with open_registry(registry) as opened:
        opened.add("acme", {**emulator.credentials(), "environment": "production"}, replace=True)
    for name in ("API_URL", "OAUTH_URL"):
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", emulator.url)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_MONTHLY_CALL_LIMIT", "2")

    monkeypatch.setattr(company, "WARN_SHARE", 0.5)

    status, found = doctor()
    assert (status, found["monthlyCalls"]["status"]) == (0, "warning")
    assert "1 of 2 metered calls" in found["monthlyCalls"]["message"]

    doctor()
    status, found = doctor()
    assert (status, found["monthlyCalls"]["status"]) == (1, "failed")
    assert "2 of 2 metered calls" in found["monthlyCalls"]["message"]
    assert "VANTAGE_QUICKBOOKS_MONTHLY_CALL_LIMIT" in found["monthlyCalls"]["hint"]


# ---- the network -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "expected", "text"),
    [
        (3600, "failed", "60 minutes behind"),
        (-7200, "failed", "2 hours ahead of"),
        (95, "warning", " seconds behind"),
    ],
)
def test_a_wrong_clock(doctor, emulator, seconds, expected, text):
    emulator.advance(seconds)

    status, found = doctor()

    assert found["clock"]["status"] == expected
    assert text in found["clock"]["message"]
    assert "timedatectl" in found["clock"]["hint"]
    assert status == (expected == "failed")


def test_a_server_that_cannot_be_reached(doctor):
    with socket.socket() as bound:  # a port on which nothing listens
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        status, found = doctor("--emulator", url)

    assert status == 1
    for name in ("api", "tokenEndpoint", "discovery", "token"):
        assert found[name]["status"] == "failed"
        assert "refused the connection" in found[name]["message"]
        assert "firewalls" in found[name]["message"]
    assert found["clock"]["status"] == "skipped"
    assert found["token"]["hint"]


def test_a_name_that_cannot_be_resolved(doctor, registry, emulator, monkeypatch):
    with open_registry(registry) as opened:
        opened.add("acme", {**emulator.credentials(), "environment": "production"}, replace=True)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_API_URL", "https://no-such-host.invalid")
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_OAUTH_URL", emulator.url)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_ALLOW_HOST", "no-such-host.invalid")

    status, found = doctor()

    assert status == 1
    assert "no-such-host.invalid" in found["dns"]["message"]
    assert "DNS" in found["dns"]["hint"]
    assert found["tokenEndpoint"]["status"] == "ok"
    assert found["api"]["message"].startswith("The name of the API (no-such-host.invalid")


def test_a_server_with_an_outage(doctor, emulator):
    emulator.fault("status", path="companyinfo/0", status=503, times=-1)

    status, found = doctor()

    assert status == 0
    assert found["api"]["status"] == "warning"
    assert "503" in found["api"]["message"]
    assert "status.developer.intuit.com" in found["api"]["hint"]


# ---- storage ---------------------------------------------------------------------------------------------------------


def test_a_missing_and_a_wrong_encryption_key(doctor, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", Fernet.generate_key().decode())
    status, found = doctor()
    assert (status, found["encryptionKey"]["message"]) == (0, "tokens are encrypted")

    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", Fernet.generate_key().decode())
    _check_unreadable(*doctor())
    monkeypatch.delenv("VANTAGE_QUICKBOOKS_TOKEN_KEY")
    _check_unreadable(*doctor())


def _check_unreadable(status, found):
    assert status == 1
    assert found["token"]["status"] == found["tokenDates"]["status"] == "failed"
    assert "Set VANTAGE_QUICKBOOKS_TOKEN_KEY" in found["token"]["hint"]


def test_a_key_that_cannot_be_used(doctor, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", f"{Fernet.generate_key().decode()},oops")

    status, found = doctor()

    assert (status, found["encryptionKey"]["status"]) == (1, "failed")
    assert "JSON array" in found["encryptionKey"]["message"]
    assert "oops" not in json.dumps(found)


def test_a_short_passphrase(doctor, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", "kumquat")

    status, found = doctor()

    assert (status, found["encryptionKey"]["status"]) == (0, "warning")
    assert "tokens reencrypt" in found["encryptionKey"]["hint"]
    assert "kumquat" not in json.dumps(found)


def test_a_database_that_does_not_answer__is_one_failure_beside_the_token(doctor, monkeypatch):
    with socket.socket() as bound:  # a port on which nothing listens
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", f"postgresql://loader:kumquat@127.0.0.1:{port}/tokens")
        status, found = doctor()

    assert status == 1
    assert {name for name, check in found.items() if check["status"] == "failed"} == {"tokenStore", "token"}
    for name in ("tokenDates", "rateLimits"):
        assert found[name]["message"] == "the token store cannot be used"
    assert "kumquat" not in json.dumps(found)


def test_a_store_in_memory(doctor, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", "memory:")

    status, found = doctor()

    assert (status, found["tokenStore"]["status"]) == (0, "warning")


def test_a_token_file_that_others_could_read(doctor, tmp_path):
    doctor()
    (file,) = tmp_path.rglob("tokens.sqlite3")
    file.chmod(0o644)

    status, found = doctor()

    assert (status, found["permissions"]["status"]) == (0, "warning")
    assert "0644" in found["permissions"]["message"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_token_file_that_is_not_a_database(doctor, tmp_path, monkeypatch):
    file = tmp_path / "tokens"
    file.write_bytes(b"something else" * 100)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(file))

    status, found = doctor()

    assert (status, found["tokenStore"]["status"]) == (1, "failed")
    assert str(file) in found["tokenStore"]["message"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_store_that_cannot_be_written_to(doctor, monkeypatch, is_there):
    """A forked process that is not root's runs the command: root may write everywhere."""
    doctor("--offline", connection=None)  # imports what it needs: the other user cannot read the packages
    with tempfile.TemporaryDirectory() as made:
        folder, file = Path(made), Path(made) / "tokens.sqlite3"
        monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(file))
        monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", str(folder / "companies"))
        if is_there:
            with SQLiteStore(file).lock("chain", 1):
                pass
        for path in (*folder.rglob("*"), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)
        with tempfile.TemporaryFile("w+") as output:
            status = _run_unprivileged(output, "doctor", "--offline", "--json")
            output.seek(0)
            found = {check["id"]: check for check in json.load(output)["checks"]}
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)

    assert (status, found["tokenStore"]["status"]) == (1, "failed")
    assert str(file) in found["tokenStore"]["message"]
    assert {name for name, check in found.items() if check["status"] == "failed"} == {"tokenStore"}


def _run_unprivileged(output, *arguments):
    """Run the program in a forked process of another user, and return its exit status."""
    pid = os.fork()
    if not pid:
        status = 99
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            sys.stdout = output
            status = main(arguments)
            output.flush()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_registry_with_a_damaged_connection(doctor, registry):
    (registry / "broken.json").write_text("{")

    status, found = doctor()

    assert (status, found["registry"]["status"]) == (0, "warning")
    assert "1 of 2" in found["registry"]["message"]
    assert "connections show broken" in found["registry"]["hint"]


# ---- the environment -------------------------------------------------------------------------------------------------


def test_a_misspelled_variable(doctor, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STOR", "/secret/path")

    status, found = doctor("--offline")

    assert (status, found["variables"]["status"]) == (0, "warning")
    assert found["variables"]["hint"] == "Did you mean VANTAGE_QUICKBOOKS_TOKEN_STORE?"
    assert "/secret/path" not in json.dumps(found)


def test_a_variable_that_cannot_be_used(doctor, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_MAX_BODY_MIB", "many")

    status, found = doctor("--offline", connection=None)

    assert (status, found["variables"]["status"]) == (1, "failed")
    assert "VANTAGE_QUICKBOOKS_MAX_BODY_MIB" in found["variables"]["message"]


def test_a_proxy_is_named_without_its_password(doctor, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:proxy-password@proxy.example.com:3128")

    _, found = doctor("--offline")

    assert found["proxy"]["message"] == "HTTPS_PROXY: proxy.example.com:3128"
    assert "proxy-password" not in json.dumps(found)


def test_a_missing_certificate_bundle(doctor, monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))

    status, found = doctor("--offline")

    assert (status, found["certificates"]["status"]) == (1, "failed")
    assert "REQUESTS_CA_BUNDLE" in found["certificates"]["hint"]


def test_a_check_that_fails_itself_does_not_stop_the_others(doctor, monkeypatch):
    def broken(_):
        raise RuntimeError("with a secret")

    monkeypatch.setattr(shutil, "disk_usage", broken)

    status, found = doctor("--offline")

    assert (status, found["disk"]["status"]) == (1, "failed")
    assert "RuntimeError at" in found["disk"]["message"]
    assert "with a secret" not in json.dumps(found)
    assert found["registry"]["status"] == "ok"


def test_every_variable_of_the_source_is_known():
    """Each variable that the source reads is in the table: any other would be reported as misspelled."""
    texts = [path.read_text() for path in SOURCE.rglob("*.py") if "emulator" not in path.parts]
    named = {name for text in texts for name in re.findall(r"VANTAGE_QUICKBOOKS_[A-Z_]*[A-Z]", text)}
    named |= {f"VANTAGE_QUICKBOOKS_{name}" for text in texts for name in re.findall(r'\bvalue\("([A-Z_]+)"\)', text)}

    assert named - VARIABLES == set()


def test_usage_errors(capsys):
    assert main(["doctor", "--connection", "acme", "--settings", "file"]) == 2
    assert "cannot be combined" in capsys.readouterr().err
