"""Signing in: the form of the sign-in page, and sessions behind an access key that the operator has chosen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import expect
from running_site import Client, Site

from vantage_quickbooks.cli import main
from vantage_quickbooks.web import security
from vantage_quickbooks.web.server import make_sessions

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
KEY = "a-key-that-the-operator-has-chosen"
PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}


@pytest.fixture
def empty(serve):
    """A site without connections, with a key of its own making."""
    return serve()


def enter(site, key, next_="/", **headers):
    data = {"key": key, "next": next_}
    return requests.post(f"{site.url}/sign-in", data=data, headers=headers, timeout=60, allow_redirects=False)


def test_the_form_leads_to_the_page_that_was_asked_for(empty):
    with requests.Session() as http:
        asked = http.get(f"{empty.url}/?state=refused&columns=a&columns=b%26c", timeout=60)
        assert asked.status_code == 401
        next_ = re.search(r'name="next" value="([^"]+)"', asked.text)[1].replace("&amp;", "&")
        data = {"key": f" {empty.sessions.access_key}\n", "next": next_}  # as it was pasted
        answer = http.post(f"{empty.url}/sign-in", data=data, timeout=60)
        assert answer.status_code == 200
        assert answer.url == f"{empty.url}/?state=refused&columns=a&columns=b%26c"
        assert "New connection" in answer.text


def test_a_wrong_key_is_refused_and_not_repeated(empty):
    for key in ("PLANTED-wrong-key", "", "é"):
        answer = enter(empty, key, "/connectors/quickbooks/new")
        assert answer.status_code == 401
        assert "This is not the access key of this server." in answer.text
        assert 'name="next" value="/connectors/quickbooks/new"' in answer.text
        assert "PLANTED" not in answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "next_", ["https://evil.test/x", "//evil.test/x", "/\\evil.test/x", "\\/evil.test", "", "/sign-in"]
)
def test_signing_in_never_leads_to_another_site(empty, next_):
    answer = enter(empty, empty.sessions.access_key, next_)
    assert answer.status_code == 303
    assert re.match(r"/(?![/\\])", answer.headers["location"])


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_form_of_another_site_does_not_sign_in(empty, headers):
    answer = enter(empty, empty.sessions.access_key, **headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_request_that_cannot_be_repeated_leads_to_the_list_of_connections(empty):
    for answer in (
        requests.post(f"{empty.url}/connections/acme/test", timeout=60),
        requests.get(f"{empty.url}/sign-in", timeout=60),
    ):
        assert answer.status_code == 401
        assert 'name="next" value="/"' in answer.text


def test_sessions_outlive_the_server_behind_a_chosen_key(tmp_path, monkeypatch):
    first = Site(tmp_path / "web", sessions=None)
    port = urlsplit(first.url).port
    first.close()

    def start(key):
        return Site(tmp_path / "web", sessions=make_sessions(None, port, access_key=key))

    site = start(KEY)
    client = Client(site)
    assert client.get(f"/?key={KEY}").status_code == 200
    client.get("/connectors/quickbooks/new")
    (name, cookie), *_ = client.http.cookies.items()
    assert KEY not in cookie
    site.close()

    site = start(KEY)
    answer = client.post("/connectors/quickbooks/new", {"name": "Acme", "intent": "save"})  # the form that is open
    assert answer.status_code == 422
    for forged in (cookie[:-1] + ("0" if cookie[-1] != "0" else "1"), "9" + cookie, cookie.rpartition(".")[2], ".", ""):
        found = requests.get(site.url, cookies={name: forged}, timeout=60)
        assert found.status_code == 401, forged
    site.close()

    site = start(KEY)
    later = time.time() + security.KEPT_S + 1
    monkeypatch.setattr(security, "time", SimpleNamespace(time=lambda: later))
    assert client.get("/").status_code == 401  # it began too long ago
    monkeypatch.undo()
    assert client.get("/").status_code == 200
    site.close()

    site = start("another-key-of-the-operator")
    assert client.get("/").status_code == 401
    site.close()


def test_without_a_chosen_key_a_session_ends_with_its_server(empty):
    client = Client(empty)
    assert client.get(f"/?key={empty.sessions.access_key}").status_code == 200
    assert "." not in next(iter(client.http.cookies.values()))
    empty.sessions._sessions.clear()
    assert client.get("/").status_code == 401
    client.close()


def test_the_command_prints_no_key_that_was_chosen(tmp_path):
    (tmp_path / "key").write_text(f"{KEY}\n")
    args = ("serve", "--port", "0", "--data", str(tmp_path / "data"), "--registry", str(tmp_path / "companies"))
    server = subprocess.Popen(
        [*PROGRAM, *args, "--access-key-file", str(tmp_path / "key")],
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=os.environ,
    )
    try:
        said = "".join(line for _, line in zip(range(5), server.stdout, strict=False))
        url = re.search(r"open +(http://localhost:\d+/), and enter your access key", said)[1]
        assert KEY not in said
        assert requests.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60).status_code == 200
    finally:
        server.terminate()
        server.communicate(timeout=60)
    assert server.returncode == 0


def test_a_key_that_can_be_guessed_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_ACCESS_KEY", "too short")
    assert main(["serve", "--port", "0"]) == 2
    assert "The access key must be at least 16 characters" in capsys.readouterr().err


def test_a_person_signs_in_with_the_keyboard(open_page, empty, axe):
    page = open_page(site=empty, **PHONE, color_scheme="dark")
    page.context.clear_cookies()
    page.goto(f"{empty.url}/connectors/quickbooks/new")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert axe.problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_label("Access key").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator(".error")).to_contain_text("This is not the access key of this server.")
    assert axe.problems(page) == []
    page.get_by_label("Access key").fill(empty.sessions.access_key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{empty.url}/connectors/quickbooks/new")
    expect(page.get_by_role("heading", name="Connect QuickBooks Online")).to_be_visible()
    assert page.problems == []
