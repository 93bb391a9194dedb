"""Server-sent events over HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from urllib.parse import urlsplit

import pytest
import requests
from running_site import wait_until

from vantage_quickbooks.http_server import RequestTimeoutProtocol
from vantage_quickbooks.web import live_pages
from vantage_quickbooks.web.events import CHANGES, STATE

PATH = "/connections/demo/events"


class Stream:
    """A program that receives events, as a browser does."""

    def __init__(self, site, path=PATH, **headers):
        self.response = requests.get(
            site.url + path,
            headers={"Authorization": f"Bearer {site.sessions.access_key}"} | headers,
            stream=True,
            timeout=60,
        )
        self.lines = self.response.iter_lines(chunk_size=1, decode_unicode=True)
        self.last_id = ""
        if self.response.ok:
            assert next(self.lines).startswith("retry: ")  # it has its subscription

    def next(self, *, with_pings=False):
        """Return the next event and its data, or None at the end of the stream."""
        event = data = None
        for line in self.lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
            elif name == "event":
                event = value
            elif name == "data":
                data = json.loads(value)
            elif not line and event and (with_pings or event != "ping"):
                return event, data
            elif not line:
                event = data = None
        return None

    def close(self):
        self.response.close()


@pytest.fixture
def listen(site):
    """Open streams: `listen(path, **headers)`."""
    with contextlib.ExitStack() as stack:

        def one(path=PATH, **headers):
            stream = Stream(site, path, **headers)
            stack.callback(stream.close)
            return stream

        yield one


def test_events_are_sent_as_they_are_published(site, listen):
    stream = listen()
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.response.headers["cache-control"] == "no-store"
    site.host.events.publish("other", CHANGES)
    site.host.events.publish("demo", CHANGES)
    assert stream.next() == ("changes", {"connections": ["demo"]})
    assert stream.last_id == site.host.events.position
    site.host.events.publish("demo", STATE)
    assert stream.next() == ("state", {"connections": ["demo"]})


def test_the_stream_of_all_connections_names_them(site, listen):
    stream = listen("/events")
    site.host.events.publish("one", STATE)
    assert stream.next() == ("state", {"connections": ["one"]})


def test_what_was_missed_is_sent_after_a_broken_connection(site, listen):
    first = listen()
    site.host.events.publish("demo", CHANGES)
    assert first.next()[0] == "changes"
    first.close()
    site.host.events.publish("demo", STATE)
    site.host.events.publish("demo", CHANGES)
    again = listen(**{"Last-Event-ID": first.last_id})
    assert [again.next()[0], again.next()[0]] == ["state", "changes"]
    assert again.last_id == site.host.events.position
    assert listen(**{"Last-Event-ID": "of-another-start"}).next() == ("state", {"connections": ["demo"]})


def test_a_page_learns_what_changed_since_it_was_read(site, listen, client):
    page = client.get("/connections/demo/lists/listInvoices").text
    position = page.split('data-since="')[1].split('"')[0]
    site.host.events.publish("demo", CHANGES)
    assert listen(f"{PATH}?since={position}").next()[0] == "changes"


def test_a_list_is_read_again_after_a_change(site, client, emulator):
    def queries():
        return len([request for request in emulator.requests() if "/query" in request["path"]])

    client.get("/connections/demo/lists/listInvoices")
    client.get("/connections/demo/lists/listInvoices?sort=DueDate")
    before = queries()
    site.host.events.publish("other", CHANGES)
    client.get("/connections/demo/lists/listInvoices")
    assert queries() == before
    site.host.events.publish("demo", CHANGES)
    client.get("/connections/demo/lists/listInvoices")
    assert queries() == before + 1
    client.get("/connections/demo/lists/listInvoices?sort=DueDate")
    assert queries() == before + 1  # it shares the new rows


def test_streams_need_a_session_and_a_connection(site, client):
    for path in (PATH, "/events"):
        assert requests.get(site.url + path, timeout=60).status_code == 401
    assert client.get("/connections/nothing/events").status_code == 404
    head = client.http.head(site.url + PATH, timeout=60)
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_a_quiet_stream_outlives_the_timeout_of_requests(site, listen, monkeypatch):
    monkeypatch.setattr(RequestTimeoutProtocol, "request_timeout_s", 0.1)
    monkeypatch.setattr(live_pages, "PING_S", 0.02)
    stream = listen()
    for _ in range(20):
        assert stream.next(with_pings=True) == ("ping", 1)
    site.host.events.publish("demo", CHANGES)
    assert stream.next()[0] == "changes"


def test_a_session_has_a_limited_number_of_streams(site, listen, monkeypatch):
    monkeypatch.setattr(live_pages, "MAX_STREAMS", 2)
    one, _ = listen(), listen()
    refused = listen()
    assert (refused.response.status_code, refused.response.headers["retry-after"]) == (429, "30")
    one.close()
    wait_until(lambda: site.host.events.subscribers == 1)
    assert listen().response.status_code == 200


def test_a_slow_reader_learns_the_latest_change(site):
    """Until it reads, at most the buffers of one connection are filled."""
    port = urlsplit(site.url).port
    request = (
        f"GET {PATH} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {site.sessions.access_key}\r\n\r\n"
    )
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(60)
        slow.connect(("127.0.0.1", port))
        slow.sendall(request.encode())
        wait_until(lambda: site.host.events.subscribers == 1)
        for _ in range(20_000):
            site.host.events.publish("demo", CHANGES)
        (subscription,) = site.host.events._subscriptions
        assert len(subscription.clear() or {CHANGES}) == 1
        site.host.events.publish("demo", STATE)
        received = b""
        while f"id: {site.host.events.position}".encode() not in received:
            received += slow.recv(65536)


def test_a_removed_connection_ends_its_streams(site, listen, client):
    stream = listen()
    site.host.remove(site.host.record("demo"))
    assert stream.next() == ("state", {"connections": ["demo"]})
    assert stream.next() is None
    assert client.get(PATH).status_code == 404


def test_an_ended_session_receives_nothing(site, client):
    cookie = client.http.cookies.get(site.sessions.cookie)
    stream = Stream(site, PATH, Authorization="", Cookie=f"{site.sessions.cookie}={cookie}")
    site.sessions._sessions.clear()
    site.host.events.publish("demo", CHANGES)
    assert stream.next() is None
    stream.close()


def test_the_server_stops_while_streams_are_open(site, listen, caplog):
    streams = [listen(), listen("/events")]
    threading.Thread(target=site.close).start()
    assert [stream.next() for stream in streams] == [None, None]
    site.thread.join(60)
    assert "timeout graceful shutdown exceeded" not in caplog.text


def test_the_state_of_a_connection_is_published_when_it_changes(site, listen, emulator, api):
    stream = listen("/events")
    record = site.host.record("demo")
    emulator.revoke_grants()
    for _ in range(2):  # the second one changes nothing
        assert api("POST", "/api/connections/demo/call/listInvoices").status_code == 424
    assert stream.next() == ("state", {"connections": ["demo"]})
    emulator.grant()
    site.host.save("quickbooks", "Garden Works", emulator.credentials(), old=record)
    assert stream.next() == ("state", {"connections": ["demo"]})
    site.host.events.publish("demo", CHANGES)
    assert stream.next()[0] == "changes"


def test_another_program_reports_changes(site, listen, api):
    stream = listen()
    answer = api("POST", "/api/connections/demo/changes")
    assert (answer.status_code, answer.json()["data"]) == (200, {"pages": 1})
    assert stream.next()[0] == "changes"
    assert api("POST", "/api/connections/nothing/changes").status_code == 404
    assert requests.post(f"{site.url}/api/connections/demo/changes", timeout=60).status_code == 401
    assert "/api/connections/demo/changes" in api("GET", "/api/openapi.json?group=none").json()["paths"]
