"""Access control and secrets, over HTTP, as an attacker would try."""

from __future__ import annotations

import logging
import re
import sqlite3
import stat
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from running_site import Client, wait_until

from vantage_quickbooks.http_server import QueryStripFilter
from vantage_quickbooks.web.security import CALLBACK_PATH
from vantage_quickbooks.web.server import bind, make_sessions
from vantage_quickbooks.web.store import Store, StoreError

POSTS = [
    "/connectors/quickbooks/new",
    "/connections/demo/settings",
    "/connections/demo/connect",
    "/connections/demo/disconnect",
    "/connections/demo/test",
    "/connections/demo/remove",
    "/connections/demo/actions/listInvoices",
    "/api/connectors/quickbooks/validate",
    "/api/connections/demo/test",
    "/api/connections/demo/call/getAccessToken",
    "/api/connections/demo/estimate/listInvoices",
]
GETS = ["/", "/connections/demo", "/connections/demo/settings", "/connections/demo/actions/getAccessToken",
        "/connectors/quickbooks/new", "/api/connectors", "/api/openapi.json", "/nowhere",
        "/connections/demo/actions/listInvoices/options/customer_id"]  # fmt: skip


@pytest.mark.parametrize("path", GETS)
def test_no_page_opens_without_the_key(site, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"{site.sessions.cookie}=wrong"}):
        answer = requests.get(site.url + path, headers=headers, timeout=60)
        assert answer.status_code == 401
        assert "Juniper" not in answer.text
        assert "Garden Works" not in answer.text
    assert requests.get(f"{site.url}{path}?key=wrong", timeout=60).status_code == 401


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_form_without_its_csrf_token_changes_nothing(client, path, token):
    data = {} if token is None else {"csrf": token}
    answer = client.http.post(client.site.url + path, data=data)
    assert answer.status_code == 403
    assert client.site.host.record("demo") is not None


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_form_of_another_site_is_refused_even_with_the_token(client, headers):
    answer = client.post("/connections/demo/remove", headers=headers)
    assert answer.status_code == 403
    assert client.site.host.record("demo") is not None


def test_a_csrf_token_is_invalid_in_another_session(client, site):
    other = Client(site)
    other.get(f"/?key={site.sessions.access_key}")
    other.get("/connections/demo")
    assert other.token != client.token
    assert client.http.post(f"{site.url}/connections/demo/test", data={"csrf": other.token}).status_code == 403
    other.close()


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "localhost", "localhost:1", "127.0.0.1.evil.test", ""])
def test_an_unknown_host_header_is_refused(site, host):
    answer = requests.get(
        site.url, headers={"Host": host, "Authorization": f"Bearer {site.sessions.access_key}"}, timeout=60
    )
    assert answer.status_code in {400, 421}
    assert "Garden" not in answer.text


def test_pages_redirect_to_one_host_name(site):
    port = urlsplit(site.url).port
    answer = requests.get(f"http://127.0.0.1:{port}/?key={site.sessions.access_key}", timeout=60, allow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].startswith(f"{site.url}/?key=")


def test_the_key_is_removed_from_the_url_and_not_used_as_cookie(site):
    answer = requests.get(
        f"{site.url}/connections/demo?key={site.sessions.access_key}&x=1", timeout=60, allow_redirects=False
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/connections/demo?x=1"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert site.sessions.access_key.lower() not in cookie
    assert (
        requests.get(f"{site.url}//evil.test/?key={site.sessions.access_key}", timeout=60, allow_redirects=False)
        .headers["location"]
        .startswith("/evil.test")
    )


@pytest.mark.parametrize("path", [*GETS, "/static/app.css", CALLBACK_PATH])
def test_every_response_has_the_security_headers(client, path):
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    for rule in ("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "server" not in answer.headers
    for forbidden in (
        r"<script(?! src=\"/static/)",
        r"\son\w+=",
        r"\sstyle=",
        r"javascript:",
        r"https?://(?!developer)[^\"']*\.(js|css)",
    ):
        assert not re.search(forbidden, answer.text if "html" in answer.headers.get("content-type", "") else "")


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fpyproject.toml"])
def test_files_outside_static_are_not_served(client, path):
    request = requests.Request("GET", client.site.url).prepare()
    request.url = client.site.url + path
    with requests.Session() as http:
        assert http.send(request, timeout=60).status_code in {401, 404}


def test_an_oversized_form_is_refused(client):
    assert client.post("/connections/demo/settings", {"field-client_id": "x" * 1_100_000}).status_code == 413


# ---- consent ----


def begin(client):
    bounce = client.post("/connections/demo/connect")
    target = re.search(r'url=([^"]+)"', bounce.text)[1].replace("&amp;", "&")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
    return target, asked


def consent(target, asked, emulator):
    form = {**asked, "realm": emulator.realm_id, "decision": "approve"}
    answer = requests.post(target.split("?")[0], data=form, timeout=60, allow_redirects=False)
    return answer.headers["location"]


def test_the_authorization_url_follows_the_deployment_and_has_no_secret(client, emulator):
    target, asked = begin(client)
    assert target.startswith(f"{emulator.url}/connect/oauth2?")
    assert set(asked) == {"client_id", "response_type", "scope", "redirect_uri", "state"}
    assert asked["redirect_uri"] == f"{client.site.url}{CALLBACK_PATH}"
    assert len(asked["state"]) >= 40


def test_a_flow_is_valid_once_and_in_the_browser_that_started_it(client, emulator):
    target, asked = begin(client)
    way_back = consent(target, asked, emulator)
    before = client.site.host.record("demo").settings["refresh_token"]
    assert requests.get(way_back, timeout=60).status_code == 400  # another browser: no cookie
    cookie = f"{client.site.sessions.cookie}_consent=forged"
    assert requests.get(way_back, headers={"Cookie": cookie}, timeout=60).status_code == 400
    assert client.site.host.record("demo").settings["refresh_token"] == before
    answer = client.http.get(way_back)
    assert answer.status_code == 200
    assert client.site.host.record("demo").settings["refresh_token"] != before
    assert client.http.get(way_back).status_code == 400  # spent


def test_the_oauth_cookie_is_lax_and_limited_to_the_callback(client):
    answer = client.post("/connections/demo/connect")
    cookie = answer.headers["set-cookie"].lower()
    assert "samesite=lax" in cookie
    assert "httponly" in cookie
    assert f"path={CALLBACK_PATH}" in cookie


@pytest.mark.parametrize("brought", ["", "state=x&code=y", "code=y&realmId=1", "error=access_denied"])
def test_an_unexpected_callback_does_nothing(client, brought):
    answer = client.get(f"{CALLBACK_PATH}?{brought}")
    assert answer.status_code == 400
    assert "does not belong to a connection attempt" in answer.text


@pytest.mark.parametrize("brought", ["granted", "denied", "spent", "unasked"])
def test_no_page_has_a_url_with_code_and_state(client, emulator, brought):
    """Every outcome of a callback is a redirect to a URL without them."""
    target, asked = begin(client)
    way_back = {
        "granted": lambda: consent(target, asked, emulator),
        "denied": lambda: f"{client.site.url}{CALLBACK_PATH}?error=access_denied&state={asked['state']}",
        "spent": lambda: f"{client.site.url}{CALLBACK_PATH}?code=AB1spent&realmId=1&state={asked['state']}",
        "unasked": lambda: f"{client.site.url}{CALLBACK_PATH}?code=AB1x&realmId=1&state=unasked",
    }[brought]()
    secrets = [values[0] for values in parse_qs(urlsplit(way_back).query).values() if len(values[0]) > 3]

    answer = client.http.get(way_back, allow_redirects=False, timeout=60)
    shown = client.http.get(f"{client.site.url}{answer.headers['location']}", timeout=60)

    assert (answer.status_code, answer.text) == (303, "")
    assert (answer.headers["location"], shown.request.path_url) == (CALLBACK_PATH, CALLBACK_PATH)
    for response in (answer, shown):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "same-origin"
    assert ("Connected" in shown.text, shown.status_code) == ((True, 200) if brought == "granted" else (False, 400))
    shown_text = answer.text + str(answer.headers) + shown.text + str(shown.headers)
    assert [secret for secret in secrets if secret in shown_text and secret != "access_denied"] == []
    cookie = answer.headers["set-cookie"].lower()
    assert "_outcome=" in cookie
    for word in ("httponly", "samesite=lax", f"path={CALLBACK_PATH}"):
        assert word in cookie.partition("_outcome=")[2].partition("_consent=")[0]


def test_a_used_code_is_explained(client, emulator):
    target, asked = begin(client)
    way_back = consent(target, asked, emulator)
    code = parse_qs(urlsplit(way_back).query)["code"][0]
    answer = client.http.get(way_back.replace(code, "AB1spent"))
    assert answer.status_code == 400
    assert "Connect the company again" in answer.text
    assert "REAUTHORIZATION_REQUIRED" in answer.text
    assert "AB1spent" not in answer.text


# ---- secrets ----


def test_no_secret_is_in_any_page_or_log(client, emulator, caplog):
    caplog.set_level(logging.DEBUG)
    seen = [client.get(path) for path in GETS if not path.startswith("/api/")]
    for action in ("listInvoices", "getCompanyInfo", "getAccessToken"):
        client.get(f"/connections/demo/actions/{action}")
        seen.append(client.post(f"/connections/demo/actions/{action}"))
    seen += [client.get("/connections/demo"), client.post("/connections/demo/test")]
    wrong = {"field-client_secret": "typed-s3cret", "field-refresh_token": "typed-t0ken", "field-max_results": "0"}
    client.get("/connections/demo/settings")
    seen.append(client.post("/connections/demo/settings", wrong | {"intent": "save"}))
    target, asked = begin(client)
    way_back = consent(target, asked, emulator)
    seen.append(client.http.get(way_back))
    seen += [client.get("/connections/demo"), client.get("/connections/demo/settings")]
    form = emulator.credentials()
    kept = client.site.host.store.load_credentials("demo")
    code = parse_qs(urlsplit(way_back).query)["code"][0]
    secrets = [
        form["client_secret"], form["refresh_token"], kept["accessToken"], kept["refreshToken"], code,
        client.site.host.record("demo").settings["refresh_token"], "typed-s3cret", "typed-t0ken",
        client.site.sessions.access_key, asked["state"],
    ]  # fmt: skip
    text = "".join(answer.text + str(answer.headers) for answer in seen)
    ours = "\n".join(f"{r.name} {r.getMessage()}" for r in caplog.records if not r.name.startswith("urllib3"))
    assert [secret for secret in secrets if secret in text] == []
    assert [secret for secret in secrets if secret in ours] == []


def test_an_empty_secret_keeps_the_stored_one(client, emulator):
    form = emulator.credentials()
    page = client.get("/connections/demo/settings").text
    assert page.count("A value is stored. Leave this empty to keep it.") == 2
    fields = {"field-client_id": form["client_id"], "field-realm_id": form["realm_id"], "field-max_results": "7"}
    client.post("/connections/demo/settings", fields | {"intent": "save", "name": "Renamed"})
    record = client.site.host.record("demo")
    assert record.settings == {**form, "max_results": "7"}
    assert record.name == "Renamed"


def test_settings_that_the_form_does_not_show_are_kept(client, emulator):
    """Settings made by a program may have more: those of an emulator name it, and no form has a field for that."""
    host = client.site.host
    settings = emulator.settings()
    host.save("quickbooks", "Emulated", settings, "demo")
    page = client.get("/connections/demo/settings").text
    assert re.search(r'<option value="emulator"[^>]*selected', page)
    fields = {f"field-{name}": settings[name] for name in ("client_id", "realm_id", "environment")}
    client.post("/connections/demo/settings", fields | {"intent": "save", "name": "Emulated", "field-max_results": "9"})
    assert host.record("demo").settings == settings | {"max_results": "9"}


def test_a_bug_in_the_callback_still_redirects_away_from_the_code(client, emulator, monkeypatch, caplog):
    target, asked = begin(client)
    way_back = consent(target, asked, emulator)

    def fail(*_):
        raise RuntimeError(f"a defect, with {way_back}")

    monkeypatch.setattr(client.site.host, "record", fail)
    answer = client.http.get(way_back, allow_redirects=False)
    assert answer.status_code == 303
    assert "?" not in answer.headers["location"]
    code = parse_qs(urlsplit(way_back).query)["code"][0]
    assert "bug" in client.http.get(way_back.split("?")[0]).text
    assert code not in caplog.text


def test_the_access_log_has_no_queries():
    args = ("127.0.0.1:1", "GET", "/oauth/callback?code=c0de&state=x", "1.1", 200)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', args, None)
    assert QueryStripFilter().filter(record)
    assert record.getMessage() == '127.0.0.1:1 - "GET /oauth/callback HTTP/1.1" 200'


def test_a_sensitive_result_has_no_file(client):
    client.get("/connections/demo/actions/getAccessToken")
    result = client.post("/connections/demo/actions/getAccessToken")
    path = urlsplit(result.url).path
    token = client.site.host.store.load_credentials("demo")["accessToken"]
    for kind in ("csv", "json"):
        assert client.get(f"{path}/download.{kind}").status_code == 404
    assert token not in client.get(f"{path}?view=json").text
    client.get(path)
    assert token in client.post(f"{path}/reveal").text
    assert token not in client.get(path).text


# ---- at rest ----


def test_stored_data_is_encrypted_and_private(client, emulator):
    client.post("/connections/demo/test")
    directory = client.site.directory
    raw = b"".join(path.read_bytes() for path in directory.iterdir())
    for value in (
        *emulator.credentials().values(),
        "Garden Works",
        client.site.host.store.load_credentials("demo")["accessToken"],
    ):
        assert value.encode() not in raw
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_different_key_reads_and_changes_nothing(tmp_path):
    store = Store(tmp_path / "web")
    from vantage_quickbooks.web.store import Record

    store.put(Record("a", "quickbooks", "A", {"x": 1}))
    (tmp_path / "web/settings.key").write_bytes(b"A" * 43 + b"=")
    before = (tmp_path / "web/connections.sqlite3").read_bytes()
    with pytest.raises(StoreError, match="different key"):
        Store(tmp_path / "web")
    (tmp_path / "web/settings.key").unlink()
    with pytest.raises(StoreError, match="No such file"):
        Store(tmp_path / "web")
    assert (tmp_path / "web/connections.sqlite3").read_bytes() == before


def test_a_row_moved_to_another_id_is_detected(tmp_path):
    from vantage_quickbooks.web.store import Record

    store = Store(tmp_path / "web")
    store.put(Record("a", "quickbooks", "A", {"x": 1}))
    with sqlite3.connect(tmp_path / "web/connections.sqlite3") as database:
        database.execute("UPDATE connection SET id = 'b'")
    database.close()
    with pytest.raises(StoreError, match="tampered"):
        store.get("b")


def test_it_binds_to_loopback_by_default():
    sockets = bind(None, 0)
    assert {bound.getsockname()[0] for bound in sockets} <= {"127.0.0.1", "::1"}
    for bound in sockets:
        bound.close()
    sessions = make_sessions("0.0.0.0", 8080, "https://vantage.example")  # noqa: S104 -- compared, not bound
    assert sessions.is_secure
    assert sessions.allowed_hosts == {"localhost:8080", "127.0.0.1:8080", "[::1]:8080", "vantage.example"}
    assert make_sessions("192.0.2.7", 8080).base_url == "http://192.0.2.7:8080"


def test_a_bug_is_logged_by_its_location_only(client, caplog, monkeypatch):
    def broken():
        raise RuntimeError("a s3cret in the message")

    monkeypatch.setattr(client.site.host, "listed", broken)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "RuntimeError" in answer.text
    wait_until(lambda: "request failed: RuntimeError at " in caplog.text)  # it is logged after the response
    assert "s3cret" not in answer.text + caplog.text
