"""Incomplete requests: they time out and have no effect."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from urllib.parse import urlsplit

import pytest
from running_site import PATIENCE_S, wait_until

from vantage_quickbooks.http_server import RequestTimeoutProtocol

FORM = b"POST /connections/demo/remove HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def dial(site):
    """Open raw connections to the site."""
    with contextlib.ExitStack() as stack:

        def one(begin=b""):
            made = stack.enter_context(socket.create_connection(("127.0.0.1", urlsplit(site.url).port), timeout=60))
            made.sendall(begin)
            return made

        yield one


def is_cut(connection):
    """Return whether the server has closed the connection, after reading what it sent."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def host(site):
    return urlsplit(site.url).netloc.encode()


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: %s\r\nX-Slow: ", id="half a head"),
        pytest.param(FORM + b"Content-Length: 1000\r\n\r\ncsrf=", id="half a body"),
        pytest.param(b"GET /static/app.js HTTP/1.1\r\nHost: %s\r\n\r\nGET / HT", id="half of a second request"),
    ],
)
def test_an_incomplete_request_is_closed(site, dial, monkeypatch, begin):
    monkeypatch.setattr(RequestTimeoutProtocol, "request_timeout_s", 0.5)
    connections = [dial(begin.replace(b"%s", host(site))) for _ in range(20)]
    wait_until(lambda: all(is_cut(connection) for connection in connections))
    wait_until(lambda: not site.server.server_state.connections)


def test_slow_bytes_do_not_extend_the_timeout(site, dial, monkeypatch):
    """Without a limit for the complete request, occasional bytes would keep a connection open forever."""
    monkeypatch.setattr(RequestTimeoutProtocol, "request_timeout_s", 1.0)
    connection = dial(b"GET / HTTP/1.1\r\nHost: " + host(site) + b"\r\n")
    end = time.monotonic() + PATIENCE_S
    with contextlib.suppress(ConnectionError):
        while True:
            assert time.monotonic() < end
            connection.sendall(b"X: y\r\n")
            time.sleep(0.1)
            if select.select([connection], [], [], 0)[0]:
                break


def test_four_hundred_incomplete_requests_do_not_block_others(client, dial, monkeypatch):
    """Only the newest stay open, before any of them times out, and complete requests are still answered."""
    monkeypatch.setattr(RequestTimeoutProtocol, "request_timeout_s", 600.0)
    connections = [dial(b"GET / HTTP/1.1\r\nHost: x") for _ in range(400)]
    assert client.get("/").status_code == 200
    wait_until(lambda: sum(not is_cut(connection) for connection in connections) <= RequestTimeoutProtocol.max_pending)
    assert client.get("/connections/demo").status_code == 200


def test_a_request_in_time_is_answered_in_any_chunks(site, dial):
    connection = dial(b"GET /static/icon.svg HTTP/1.1\r\nHo")
    for piece in (b"st: " + host(site), b"\r\nConnection: close\r", b"\n\r", b"\n"):
        time.sleep(0.05)
        connection.sendall(piece)
    answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"</svg>\n")


def test_a_slow_response_is_not_timed_out(site, dial, monkeypatch, emulator):
    """The timeout is for the request, not for the response."""
    monkeypatch.setattr(RequestTimeoutProtocol, "request_timeout_s", 1.0)
    emulator.latency(2.5)
    path = b"/api/connections/demo/test"
    connection = dial(
        b"POST " + path + b" HTTP/1.1\r\nHost: " + host(site)
        + b"\r\nAuthorization: Bearer " + site.sessions.access_key.encode()
        + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )  # fmt: skip
    connection.settimeout(PATIENCE_S)
    assert b"".join(iter(lambda: connection.recv(65536), b"")).startswith(b"HTTP/1.1 200 ")


def test_an_incomplete_form_changes_nothing(site, client, dial):
    """The received part must not be taken for the complete form."""
    body = f"csrf={client.token}".encode()
    cookie = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items()).encode()
    head = FORM.replace(b"%s", host(site)) + b"Cookie: " + cookie
    request = head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    broken = dial(head + b"\r\nContent-Length: %d\r\n\r\n" % (len(body) + 100) + body)
    broken.shutdown(socket.SHUT_RDWR)
    broken.close()
    wait_until(lambda: len(site.server.server_state.connections) <= 1)
    assert site.host.record("demo")
    answered = dial(request)
    assert answered.recv(65536).startswith(b"HTTP/1.1 303 ")
    assert site.host.record("demo") is None
