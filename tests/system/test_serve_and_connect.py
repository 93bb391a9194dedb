"""`vantage-quickbooks serve` and `connect`, as a user starts them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from vantage_quickbooks.cli import main
from vantage_quickbooks.emulator.webhooks.events import sign

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]


@pytest.fixture
def environment(tmp_path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VANTAGE_")}
    return kept | {"XDG_STATE_HOME": str(tmp_path / "state"), "BROWSER": "true"}


@contextlib.contextmanager
def started(*args, env):
    """Start the program; end it as Ctrl-C does."""
    process = subprocess.Popen(
        [*PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1, env=env
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def read_until(stream, pattern):
    text = ""
    for line in stream:
        text += line
        if found := re.search(pattern, text):
            return found
    raise AssertionError(text)


@pytest.mark.system
def test_the_demo_is_ready_to_click_and_leaves_nothing_behind(environment, tmp_path):
    with started("serve", "--demo", "--port", "0", env=environment) as server:
        url = read_until(server.stdout, r"http://localhost:\d+/\?key=\S+")[0]
        base, key = url.split("/?key=")
        page = requests.get(url, timeout=60)
        assert page.status_code == 200
        assert "Juniper &amp; Finch Garden Works" in page.text
        answer = requests.post(
            f"{base}/api/connections/demo/call/listInvoices", headers={"Authorization": f"Bearer {key}"}, timeout=60
        ).json()
        assert answer["data"]["count"] == 60
    assert server.returncode == 0
    assert not (tmp_path / "state").exists()


@pytest.mark.system
def test_the_demo_is_live_and_prints_how_to_see_it(environment):
    with started("serve", "--demo", "--port", "0", env=environment) as server:
        base, key = read_until(server.stdout, r"http://localhost:\d+/\?key=\S+")[0].split("/?key=")
        data, address = read_until(server.stdout, r"curl -d '(.*)' (http://\S+)").groups()
        headers = {"Authorization": f"Bearer {key}"}
        with requests.get(f"{base}/connections/demo/events", headers=headers, stream=True, timeout=60) as stream:
            lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
            assert next(lines).startswith("retry: ")
            created = requests.post(address, data, timeout=60)
            assert created.json()["scenario"] == {"steps": 1, "done": 1, "awaited_requests": 0}
            assert "event: changes" in lines
        answer = requests.post(f"{base}/api/connections/demo/call/listInvoices", headers=headers, timeout=60).json()
        assert answer["data"]["count"] == 61
    assert server.returncode == 0


@pytest.mark.system
def test_webhooks_of_intuit_update_pages(environment, tmp_path, emulator):
    token = "5f3c1a52-0d6a-4a6e-9c0d-2f6f3a1b7e11"
    (tmp_path / "token").write_text(token)
    (tmp_path / "companies").mkdir()
    (tmp_path / "companies" / "acme.json").write_text(json.dumps(emulator.credentials()))
    (tmp_path / "companies" / "acme.json").chmod(0o600)
    event = {"specversion": "1.0", "type": "qbo.invoice.updated.v1", "time": "2026-05-01T15:30:12Z", "data": {}}
    body = json.dumps([event | {"intuitentityid": "1", "intuitaccountid": emulator.realm_id}])
    args = ("--registry", str(tmp_path / "companies"), "--webhook-token-file", str(tmp_path / "token"))
    args += ("--emulator", emulator.url, "--port", "0")
    with started("serve", *args, env=environment) as server:
        base, key = read_until(server.stdout, r"http://localhost:\d+/\?key=\S+")[0].split("/?key=")
        assert read_until(server.stdout, r"webhooks\s+(\S+),")[1] == f"{base}/webhooks"
        headers = {"Authorization": f"Bearer {key}"}
        with requests.get(f"{base}/connections/acme/events", headers=headers, stream=True, timeout=60) as stream:
            lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
            assert next(lines).startswith("retry: ")
            json_type = {"Content-Type": "application/json", "Host": "vantage.example.com"}
            forged = requests.post(f"{base}/webhooks", body, headers=json_type | {"intuit-signature": "x"}, timeout=60)
            assert forged.status_code == 401
            signed = json_type | {"intuit-signature": sign(body.encode(), token)}  # and no key, from any host
            assert requests.post(f"{base}/webhooks", body, headers=signed, timeout=60).status_code == 200
            assert "event: changes" in lines
    assert server.returncode == 0


@pytest.mark.system
def test_without_a_verifier_token_there_are_no_webhooks(environment):
    with started("serve", "--port", "0", env=environment) as server:
        text = read_until(server.stdout, r"(?s)http://localhost:(\d+)/\?key=.*registry")
        answer = requests.post(f"http://localhost:{text[1]}/webhooks", "{}", timeout=60)
        assert answer.status_code == 401  # a page that needs a session
        assert "Sign in" in answer.text
    refused = subprocess.run(
        [*PROGRAM, "serve", "--webhook-token-file", "/nothing"],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert refused.returncode == 2
    assert "The token file /nothing cannot be read." in refused.stderr


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [("serve", "--demo", "--port", "0"), ("serve", "--port", "0"), ("emulator",)])
def test_a_server_stopped_by_a_signal_exits_with_0_and_leaves_nothing(environment, tmp_path, command, number):
    (tmp_path / "temporary").mkdir()
    env = environment | {"TMPDIR": str(tmp_path / "temporary")}
    with started(*command, env=env) as server:
        read_until(server.stdout, r"http://\S+")
        server.send_signal(number)
        assert server.wait(60) == 0
        assert server.stderr.read() == ""
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.system
def test_a_command_interrupted_by_ctrl_c_exits_with_130(environment, tmp_path, emulator):
    app = tmp_path / "app.json"
    app.write_text(json.dumps(emulator.settings()))
    args = ("connect", "--settings", str(app), "--write-settings", str(tmp_path / "s.json"), "--port", "0")
    with started(*args, "--no-browser", env=environment) as command:
        read_until(command.stderr, "Waiting")
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 130


@pytest.mark.system
def test_connections_outlive_the_server_and_the_key_does_not(environment, tmp_path, emulator):
    env = environment | {f"VANTAGE_QUICKBOOKS_{name}": emulator.url for name in ("API_URL", "OAUTH_URL")}
    pages = []
    for _ in range(2):
        with started("serve", "--port", "0", "--data", str(tmp_path / "data"), env=env) as server:
            url = read_until(server.stdout, r"http://localhost:\d+/\?key=\S+")[0]
            with requests.Session() as http:
                pages.append((url.split("key=")[1], http.get(url, timeout=60).text))
                form = http.get(f"{url.split('/?')[0]}/connectors/quickbooks/new", timeout=60).text
                token = re.search(r'name="csrf" value="([^"]+)"', form)[1]
                data = {f"field-{name}": value for name, value in emulator.credentials().items()}
                http.post(
                    f"{url.split('/?')[0]}/connectors/quickbooks/new",
                    data={"csrf": token, "name": "Kept one", "intent": "save", **data},
                    timeout=60,
                )
    assert "Kept one" not in pages[0][1]
    assert "Kept one" in pages[1][1]
    assert pages[0][0] != pages[1][0]


def test_a_port_in_use_is_reported(capsys, emulator, tmp_path):
    port = str(urlsplit(emulator.url).port)
    for command in (["serve", "--data", str(tmp_path)], ["connect", "--write-settings", str(tmp_path / "s.json")]):
        if command[0] == "connect":
            (tmp_path / "s.json").write_text(json.dumps({"client_id": "a", "client_secret": "b"}))
        assert main([*command, "--port", port]) == 2
        assert f"Port {port} is in use." in capsys.readouterr().err


@pytest.mark.parametrize("url", ["vantage.example", "ftp://x", "https://x/path", "https://"])
def test_a_public_url_is_a_scheme_and_a_host(capsys, url):
    assert main(["serve", "--public-url", url]) == 2
    assert "must be a scheme and a host" in capsys.readouterr().err


def test_connecting_without_client_id_and_secret_says_where_to_find_them(capsys, tmp_path):
    assert main(["connect", "--write-settings", str(tmp_path / "s.json")]) == 2
    assert "Keys & credentials" in capsys.readouterr().err


@pytest.mark.system
@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_connect_asks_for_consent_and_writes_the_settings(environment, tmp_path, emulator, decision):
    env = environment | {f"VANTAGE_QUICKBOOKS_{name}": emulator.url for name in ("API_URL", "OAUTH_URL")}
    app, target = tmp_path / "app.json", tmp_path / "settings.json"
    form = emulator.settings()
    app.write_text(json.dumps({name: form[name] for name in ("client_id", "client_secret")} | {"max_results": 7}))
    with started(
        "connect", "--settings", str(app), "--write-settings", str(target), "--port", "0", "--no-browser", env=env
    ) as command:
        url = read_until(command.stderr, r"http://127\S+/connect/oauth2\S+(?=\n)")[0]
        assert form["client_secret"] not in url
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        forged = requests.get(f"{asked['redirect_uri']}?code=x&state=forged&realmId=1", timeout=60)
        assert forged.status_code == 404
        answer = requests.post(
            url.split("?")[0], data={**asked, "realm": emulator.realm_id, "decision": decision}, timeout=60
        )
        assert ("<h1>Connected</h1>" if decision == "approve" else "Not connected") in answer.text
        assert answer.url == asked["redirect_uri"]  # the page's address holds neither code nor state
        for response in (answer, answer.history[-1]):
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["referrer-policy"] == "no-referrer"
        assert (answer.history[-1].status_code, answer.history[-1].text) == (303, "")
        assert asked["state"] in answer.history[-1].url
        command.wait(60)
        said = command.stderr.read()
    if decision == "deny":
        assert command.returncode == 1
        assert "Consent was refused" in said
        assert not target.exists()
        return
    assert command.returncode == 0
    settings = json.loads(target.read_text())
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert settings["realm_id"] == emulator.realm_id
    assert settings["max_results"] == 7
    assert settings["refresh_token"] not in said
    tested = subprocess.run(
        [*PROGRAM, "test", "--settings", str(target)], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert tested.returncode == 0, tested.stderr
