"""The options of `vantage-quickbooks emulator`, in a process of its own."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

PROGRAM = [str(Path(sys.executable).with_name("vantage-quickbooks")), "emulator"]
TIMEOUT_S = 60


@contextlib.contextmanager
def served(*args):
    """Start the command; yield its first lines up to the given pattern's match, and the emulator's address."""
    with subprocess.Popen([*PROGRAM, "--for", "curl", *args], stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if "--data-urlencode" in line:
                    break
            shown = "".join(lines)
            yield shown, re.search(r"http://127\.0\.0\.1:\d+", shown)[0]
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)


def call(method, url, **options):
    return requests.request(method, url, timeout=TIMEOUT_S, **options)


def refresh(url, settings, token):
    form = {"grant_type": "refresh_token", "refresh_token": token}
    auth = (settings["client_id"], settings["client_secret"])
    return call("POST", f"{url}/oauth2/v1/tokens/bearer", data=form, auth=auth)


def test_limits_rotation_and_grace_are_chosen_at_the_start():
    with served("--strict-limits", "--rotation", "always", "--grace", "60", "--latency", "/none=1") as (shown, url):
        state = call("GET", f"{url}/_emulator/state").json()
        assert state["limits"]["per_second"] == 10
        assert state["latency"] == [{"path": "/none", "fixed": 1.0}]
        settings = call("GET", f"{url}/_emulator/settings").json()
        assert settings["refresh_token"] in shown
        first = refresh(url, settings, settings["refresh_token"]).json()
        assert first["refresh_token"] != settings["refresh_token"]
        assert refresh(url, settings, settings["refresh_token"]).status_code == 200  # within the minute
        call("POST", f"{url}/_emulator/clock", json={"advance": 61})
        assert refresh(url, settings, settings["refresh_token"]).status_code == 400


@pytest.mark.parametrize(("option", "limits"), [((), [500, 10, 40]), (("--no-limits",), [])])
def test_a_serial_client_is_not_throttled(option, limits):
    with served(*option) as (_, url):
        assert list(call("GET", f"{url}/_emulator/state").json()["limits"].values()) == limits
        settings = call("GET", f"{url}/_emulator/settings").json()
        tokens = [refresh(url, settings, settings["refresh_token"]).json() for _ in range(2)]
        assert tokens[0]["refresh_token"] == tokens[1]["refresh_token"] == settings["refresh_token"]
        headers = {"Authorization": f"Bearer {tokens[0]['access_token']}", "Accept": "application/json"}
        company = f"{url}/v3/company/{settings['realm_id']}/customer/1"
        assert {call("GET", company, headers=headers).status_code for _ in range(25)} == {200}
