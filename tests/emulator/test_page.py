"""The page at `/`, its buttons, and which requests are accepted."""

import re
from html.parser import HTMLParser

import pytest
import requests

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.control.clients import CLIENTS
from vantage_quickbooks.emulator.control.csrf import rejection_reason
from vantage_quickbooks.emulator.faults.injector import KINDS

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Forms(HTMLParser):
    """Collects forms with their fields, and the resources that a browser would load."""

    def __init__(self):
        super().__init__()
        self.forms, self.loads, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in ("meta", "link", "input", "br"):
            self.open.append(tag)
        if tag == "form":
            self.forms.append((given["method"], given["action"], {}))
        if tag == "input" and "name" in given:
            self.forms[-1][2][given["name"]] = given.get("value", "")
        if tag == "script" or given.get("src") or (tag == "link" and not given["href"].startswith("data:")):
            self.loads.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parse(page):
    forms = Forms()
    forms.feed(page)
    assert (forms.open, forms.loads) == ([], [])
    return forms.forms


def show(client, **parameters):
    answer = client.session.get(client.emulator.url + "/", params=parameters, headers=BROWSER, timeout=60)
    assert answer.headers["content-type"] == "text/html;charset=utf-8"
    return answer


def test_the_page_shows_company_counts_tokens_and_requests_and_never_a_token(client, emulator):
    client.query("select * from Customer where DisplayName = '<b>&'")
    page = show(client).text
    parse(page)
    for reported in (
        "Juniper &amp; Finch Garden Works",
        "<b>60</b>",
        emulator.url,
        "/query",
        "&lt;b&gt;&amp;",
        ">200</span>",
    ):
        assert reported in page
    assert re.search(r"Valid access tokens</dt><dd>1<", page)
    assert emulator.requests()[-1]["intuit_tid"] in page
    assert all(value in page for value in emulator.settings().values())
    assert client.session.headers["Authorization"].removeprefix("Bearer ") not in page


def test_before_the_first_request_how_to_connect_comes_first(anonymous):
    page = show(anonymous).text
    assert page.index("<h2>Connect") < page.index("<h2>Inject a fault")
    anonymous.connect()
    page = show(anonymous).text
    assert page.index("<h2>Connect") > page.index("<h2>Recent requests")


def test_every_button_works_and_leads_back_to_the_page(client, emulator):
    pressed = 0
    for method, action, fields in parse(show(client).text):
        url = emulator.url + action
        answer = client.session.request(
            method, url, data=fields | {"kind": fields.get("kind", "throttle")} if "faults" in action else fields,
            headers=BROWSER, timeout=60, allow_redirects=False,
        )  # fmt: skip
        assert answer.status_code == 303, (action, answer.text)
        notice = client.session.get(emulator.url + answer.headers["location"], timeout=60).text
        assert 'class="note" role="status"' in notice, action
        pressed += 1
    assert pressed >= 15
    assert emulator.faults() == []  # the last button is a reset


def test_the_buttons_do_what_they_say(client, emulator):
    def press(action, **fields):
        answer = client.session.post(f"{emulator.url}/_emulator/{action}", data=fields, headers=BROWSER, timeout=60)
        assert answer.url.startswith(emulator.url + "/?done=")
        return answer.text

    assert "<b>throttle</b>" in press("faults", kind="throttle", path="", times="2")
    assert [client.get("customer/1").status_code for _ in range(3)] == [429, 429, 200]
    press("clock", advance="86400")
    assert "1 day ahead" in show(client).text
    press("reset")
    press("grants/revoke")
    page = press("grants")
    granted = emulator.oauth.granted_refresh_token
    assert granted != emulator.refresh_token
    in_lines = sum(known.lines.count("{refresh_token}") for known in CLIENTS.values())
    assert page.count(granted) == 1 + in_lines == 7  # among the credentials, and in the lines for each client
    assert emulator.refresh_token not in page
    client.connect(granted)
    emulator.grant("4711")  # of another company: it would not fit the realm on the page
    assert emulator.oauth.granted_refresh_token == granted
    press("reset")
    assert emulator.oauth.granted_refresh_token == emulator.refresh_token
    press("latency", median="0.3", p99="2")
    assert emulator.state()["latency"] == [{"median": 0.3, "p99": 2}]
    press("latency")
    assert "answers as of 2027-02-01" in press("clock", as_of="2027-02-01")
    press("reset")
    emulator.subscribe("http://127.0.0.1:9/")
    emulator.play({"steps": [{"after_requests": 2}, {"advance": 1}]})
    page = show(client).text
    assert "1 subscription<" in page
    assert "1 of 2<small>waits for 2 requests</small>" in page
    assert "any number a second" in press("limits", limits="true")
    assert "any number a second" not in press("limits", limits="strict")
    press("limits", limits="true")
    assert (emulator.state()["latency"], emulator.state()["limits"]["per_minute"]) == ([], 500)


def test_an_error_is_shown_on_the_page(client, emulator):
    answer = client.session.post(
        f"{emulator.url}/_emulator/faults", data={"kind": "throttle", "times": "x<y"}, headers=BROWSER, timeout=60
    )
    assert (answer.status_code, 'role="alert"' in answer.text, "x<y" in answer.text) == (400, True, False)
    parse(answer.text)


def test_the_page_shows_every_kind_of_fault(client, emulator):
    for kind in KINDS:
        emulator.fault(kind, path="/x", method="GET", after=1, times=-1, chance=0.5)
    emulator.latency([{"path": "/query", "uniform": [0.1, 0.2]}, 0.5])
    page = show(client).text
    for kind in KINDS:
        assert f"<b>{kind}</b>" in page
    assert "uniform 0.1 to 0.2 s at /query; fixed 0.5 s" in page


def test_the_page_refreshes_by_itself_when_asked(client):
    assert 'http-equiv="refresh"' not in show(client).text
    assert 'http-equiv="refresh"' in show(client, refresh="on").text


def test_parameters_put_nothing_on_the_page(client):
    assert "<script" not in show(client, done="<script>", refresh='"><script>').text


def test_the_page_is_not_counted_as_traffic(client, emulator):
    before = emulator.counters()["api_requests"], len(emulator.requests())
    emulator.fault("reset", times=-1)
    assert show(client).status_code == 200
    assert (emulator.counters()["api_requests"], len(emulator.requests())) == before
    assert client.session.post(emulator.url + "/", timeout=60).status_code == 405
    head = client.session.head(emulator.url + "/", timeout=60)
    assert (head.status_code, head.text) == (200, "")


def test_the_page_cannot_be_framed_and_runs_nothing(client):
    headers = show(client).headers
    assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-store")
    assert "default-src 'none'" in headers["content-security-policy"]


# ---- accepted requests ----


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example"},
        {"Host": "evil.example:80", "Origin": "http://evil.example:80", "Sec-Fetch-Site": "same-origin"},
        {"Host": "[", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_requests_of_another_web_page_are_rejected(client, emulator, headers):
    answer = client.control("POST", "faults", data={"kind": "reset"}, headers=headers | BROWSER)
    assert (answer.status_code, emulator.faults()) == (403, [])


def test_a_host_name_that_others_can_register_is_rejected(client, emulator):
    for path in ("/", "/_emulator/settings", "/_emulator/state"):
        answer = client.session.get(emulator.url + path, headers={"Host": "evil.example"}, timeout=60)
        assert (answer.status_code, emulator.client_secret in answer.text) == (403, False)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8085",
        "localhost",
        "LOCALHOST:1",
        "[::1]:8085",
        "192.168.1.5",
        "quickbooks:80",
        "host.docker.internal",
    ],
)
def test_programs_and_the_page_itself_are_accepted(host):
    assert rejection_reason("POST", {"host": host}, "127.0.0.1") is None
    own = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert rejection_reason("POST", own, "127.0.0.1") is None


def test_the_name_that_the_emulator_listens_on_is_its_own():
    assert rejection_reason("GET", {"host": "books.corp.example:8085"}, "Books.corp.example") is None
    assert rejection_reason("GET", {"host": "books.corp.example:8085"}, "127.0.0.1")
    assert rejection_reason("GET", {}, "127.0.0.1") is None  # HTTP/1.0 has no Host header


def test_a_program_gets_json_with_any_content_type(client):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.control("POST", "faults", data='{"kind": "reset", "path": "/x"}', headers=kind)
    assert answer.json()["faults"][0]["kind"] == "reset"
    assert client.control("POST", "faults/clear").json() == {"faults": []}


def test_the_shell_commands_name_this_emulator():
    with Emulator(seed=7) as emulator:
        page = requests.get(emulator.url, timeout=60).text
    assert f"{emulator.client_id}:{emulator.client_secret}" in page
    assert emulator.realm_id in page
