"""Misbehaving servers: a call ends soon after its deadline or cancellation."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from vantage_quickbooks.api import transport
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import (
    CancelledError,
    ConnectorError,
    DeadlineExceededError,
    NetworkError,
    UnexpectedResponseError,
)

TOKEN = {
    "access_token": "planted-access",
    "refresh_token": "planted-refresh-2",
    "token_type": "bearer",
    "expires_in": 3600,
}
COMPANY = b'{"CompanyInfo": {"CompanyName": "Raw", "Id": "1"}, "time": "2026-10-01T12:00:00.000-07:00"}'

DRIPS_S = 120
"""How long a server of these tests drips: far longer than any call here may take."""

SOON_S = 60
"""A call with a second of time has ended by then, also on the busiest machine."""


def answer(body, *headers, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class RawServer:
    """Sends raw bytes: token requests succeed, every other request is answered as the test says."""

    def __init__(self, misbehave, *, token=None, tls=None):
        self.misbehave = misbehave
        self.token = token or (lambda s, _: s.sendall(answer(json.dumps(TOKEN).encode())))
        self.tls = tls
        self.stopping = threading.Event()
        self.requests = self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._open = []
        self._threads[0].start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(accepted)
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(accepted,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, accepted):
        with contextlib.suppress(OSError, ValueError):
            if callable(self.tls):
                self.tls(accepted, self.stopping)
                return
            with self.tls.wrap_socket(accepted, server_side=True) if self.tls else accepted as connection:
                self._open.append(connection)  # what was wrapped is detached from the socket that was accepted
                while True:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        piece = connection.recv(65536)
                        if not piece:
                            return
                        head += piece
                    self.requests += 1
                    (self.token if b"/tokens/bearer" in head else self.misbehave)(connection, self.stopping)

    def stop(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def serve():
    running = []

    def start(misbehave, **how):
        running.append(RawServer(misbehave, **how))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def connect(server, **context):
    form = {"client_id": server.url, "client_secret": "s3cr3t", "refresh_token": "planted-refresh-1", "realm_id": "1"}
    deployment = Deployment(api_url=server.url, oauth_url=server.url)
    return QUICKBOOKS.connect(form, HostContext(**context), deployment=deployment, store=MemoryStore())


def drip(connection, data, stopping, pause_s=0.1):
    give_up_at = time.monotonic() + DRIPS_S
    for byte in data:
        connection.sendall(bytes([byte]))
        if stopping.wait(pause_s) or time.monotonic() > give_up_at:
            return


def dripping_body(connection, stopping):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(connection, b" " * 100_000, stopping)


def dripping_chunks(connection, stopping):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(connection, b"1\r\n \r\n" * 10_000, stopping)


def dripping_headers(connection, stopping):
    drip(connection, b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 50_000, stopping)


def dripping_continues(connection, stopping):
    drip(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, stopping)


def flooding_continues(connection, stopping):
    give_up_at = time.monotonic() + DRIPS_S
    while time.monotonic() < give_up_at and not stopping.is_set():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)


def silence(connection, stopping):
    del connection
    stopping.wait(DRIPS_S)


MISBEHAVIORS = [dripping_body, dripping_chunks, dripping_headers, dripping_continues, flooding_continues, silence]


@pytest.mark.parametrize("misbehave", MISBEHAVIORS, ids=lambda f: f.__name__)
def test_a_call_ends_soon_after_its_deadline(serve, misbehave):
    server = serve(misbehave)
    began = time.monotonic()
    connection = connect(server, deadline=datetime.now(UTC) + timedelta(seconds=1))
    with pytest.raises(DeadlineExceededError):
        connection.invoke("getCompanyInfo")
    assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize("misbehave", MISBEHAVIORS, ids=lambda f: f.__name__)
def test_a_call_ends_soon_after_it_is_cancelled(serve, misbehave):
    server = serve(misbehave)
    began = time.monotonic()
    connection = connect(server, cancelled=lambda: time.monotonic() > began + 1)
    with pytest.raises(CancelledError):
        connection.invoke("getCompanyInfo")
    assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize("misbehave", [dripping_body, silence], ids=lambda f: f.__name__)
def test_all_threads_of_a_full_read_end(serve, misbehave):
    """The first pages succeed, then the server sends slowly to every thread of the read."""
    rows = [
        {"Id": str(n), "MetaData": {"CreateTime": f"2024-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}-08:00"}}
        for n in range(1000)
    ]
    first = json.dumps({"QueryResponse": {"Customer": rows, "maxResults": 1000}, "time": "2026-10-01T12:00:00-07:00"})
    count = json.dumps({"QueryResponse": {"totalCount": 9000}, "time": "2026-10-01T12:00:00-07:00"})
    plan = iter([first.encode(), count.encode(), count.encode()])

    def serve_some(connection, stopping):
        body = next(plan, None)
        connection.sendall(answer(body)) if body else misbehave(connection, stopping)

    server = serve(serve_some)
    began = time.monotonic()
    connection = connect(server, deadline=datetime.now(UTC) + timedelta(seconds=3))
    with pytest.raises(ConnectorError):
        connection.invoke("listCustomers", {"all": True})
    assert time.monotonic() - began < SOON_S
    ours = ("quickbooks-page", "quickbooks-unpack", "quickbooks-lookup")
    while [thread for thread in threading.enumerate() if thread.name.startswith(ours)]:
        assert time.monotonic() - began < SOON_S, "a thread of the read continues"
        time.sleep(0.05)


def test_a_hanging_tls_handshake_ends_with_the_call(serve):
    def dripping_handshake(accepted, stopping):
        accepted.recv(65536)
        # A record of 16 kB begins, a ServerHello, and does not end.
        drip(accepted, b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(16_000), stopping)

    server = serve(None, tls=dripping_handshake)
    server.url = server.url.replace("http:", "https:")
    began = time.monotonic()
    connection = connect(server, deadline=datetime.now(UTC) + timedelta(seconds=1))
    with pytest.raises(DeadlineExceededError):
        connection.invoke("getCompanyInfo")
    assert time.monotonic() - began < SOON_S


@pytest.fixture
def full_backlog():
    """An address whose connections are neither accepted nor refused."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def patient(monkeypatch):
    """A connection attempt has all the time, so only the end of the call can end it."""
    for module in ("client", "transport"):
        monkeypatch.setattr(f"vantage_quickbooks.api.{module}.CONNECT_TIMEOUT_S", float(DRIPS_S))


@pytest.mark.usefixtures("patient")
def test_a_hanging_connection_attempt_ends_with_the_call(full_backlog):
    server = type("Nowhere", (), {"url": full_backlog})
    began = time.monotonic()
    connection = connect(server, cancelled=lambda: time.monotonic() > began + 1)
    with pytest.raises(CancelledError):
        connection.invoke("getCompanyInfo")
    assert time.monotonic() - began < SOON_S


@pytest.mark.usefixtures("patient")
def test_a_hanging_name_lookup_ends_with_the_call(monkeypatch):
    let_go = threading.Event()
    resolve = socket.getaddrinfo

    def hanging(host, *arguments, flags=0, **named):
        if not flags:
            let_go.wait(DRIPS_S)
        return resolve(host, *arguments, flags=flags, **named)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    server = type("Nowhere", (), {"url": "http://localhost:9"})
    began = time.monotonic()
    connection = connect(server, deadline=datetime.now(UTC) + timedelta(seconds=1))
    try:
        with pytest.raises(DeadlineExceededError):
            connection.invoke("getCompanyInfo")
        assert time.monotonic() - began < SOON_S
    finally:
        let_go.set()


# ---- token requests --------------------------------------------------------------------------------------------------


def test_a_token_request_that_was_sent_is_awaited_beyond_the_deadline(serve):
    """Intuit has rotated, so the response is stored. The call then ends, and the next one has the token."""

    def slow_token(connection, stopping):
        stopping.wait(2)
        connection.sendall(answer(json.dumps(TOKEN).encode()))

    server = serve(lambda s, _: s.sendall(answer(COMPANY)), token=slow_token)
    connection = connect(server, deadline=datetime.now(UTC) + timedelta(seconds=0.7))
    with pytest.raises(DeadlineExceededError):
        connection.invoke("getCompanyInfo")
    assert server.requests == 1
    assert [record.refresh_token.reveal() for record in connection._store._records.values()] == ["planted-refresh-2"]


@pytest.mark.parametrize("misbehave", [dripping_body, dripping_headers, silence], ids=lambda f: f.__name__)
def test_a_token_request_has_its_own_timeout(serve, misbehave, monkeypatch):
    """30 seconds for the complete response; two in this test."""
    monkeypatch.setattr("vantage_quickbooks.api.transport.TOKEN_RESPONSE_TIMEOUT_S", 2.0)
    server = serve(None, token=misbehave)
    began = time.monotonic()
    with pytest.raises(NetworkError) as caught:
        connect(server).invoke("getCompanyInfo")
    assert 2 <= time.monotonic() - began < SOON_S
    assert caught.value.details["failed"] == "timeout"
    assert server.requests == 1  # it may have rotated: not sent again


def test_a_token_response_has_a_small_size_limit(serve):
    bomb = gzip.compress(bytes(50 << 20))

    def bombs(connection, stopping):
        del stopping
        connection.sendall(answer(bomb, "Content-Encoding: gzip"))

    with pytest.raises(UnexpectedResponseError, match=r"limit of 0\.25 MiB"):
        connect(serve(None, token=bombs)).invoke("getCompanyInfo")


# ---- valid HTTP ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 199 Whatever\r\n\r\n",
    ],
    ids=["103", "three", "unknown"],
)
def test_interim_responses_are_skipped(serve, interim):
    """RFC 9110 section 15.2: a client must be able to parse them, and may ignore them."""
    server = serve(lambda s, _: s.sendall(interim + answer(COMPANY)))
    connection = connect(server)
    for _ in range(2):  # and the connection is still good
        assert connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"] == "Raw"


def test_a_gzip_body_may_have_several_members(serve):
    packed = gzip.compress(COMPANY[:20]) + gzip.compress(COMPANY[20:])
    server = serve(lambda s, _: s.sendall(answer(packed, "Content-Encoding: gzip")))
    assert connect(server).invoke("getCompanyInfo")["companyInfo"]["CompanyName"] == "Raw"


def test_the_operator_limits_the_size_of_a_response(serve):
    """The request is not retried, because the response would be as large."""
    server = serve(lambda s, _: s.sendall(answer(gzip.compress(bytes(3 << 20)), "Content-Encoding: gzip")))
    form = {"client_id": "a", "client_secret": "b", "refresh_token": "c", "realm_id": "1"}
    deployment = Deployment(api_url=server.url, oauth_url=server.url, max_body_mib="2")
    connection = QUICKBOOKS.connect(form, deployment=deployment, store=MemoryStore())
    for run in (lambda: connection.invoke("getCompanyInfo"), lambda: connection.invoke("listCustomers", {"all": True})):
        with pytest.raises(UnexpectedResponseError, match=r"2 MiB.*VANTAGE_QUICKBOOKS_MAX_BODY_MIB") as caught:
            run()
        assert caught.value.details["apiCalls"] == 1


# ---- what failed -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1"]
    made += ["-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return context, str(directory / "cert.pem")


def failure_of(url, patient_call):
    server = type("Server", (), {"url": url})
    form = {"client_id": url, "client_secret": "s3cr3t", "refresh_token": "planted-refresh-1", "realm_id": "1"}
    deployment = Deployment(api_url=url, oauth_url=url)
    del server
    connection = QUICKBOOKS.connect(form, deployment=deployment, store=MemoryStore(), new_call=patient_call)
    with pytest.raises(NetworkError) as caught:
        connection.invoke("getCompanyInfo")
    error = caught.value
    assert "s3cr3t" not in str(error.to_dict())
    assert "planted" not in str(error.to_dict())
    return error


def test_a_refused_connection_is_reported(patient_call):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure_of(f"http://127.0.0.1:{port}", patient_call)
    assert f"(127.0.0.1, port {port}) refused the connection" in error.message
    assert error.details | {"host": "127.0.0.1", "port": port, "failed": "refused"} == error.details
    assert error.retryable is True


def test_a_name_that_does_not_resolve_is_reported(patient_call, monkeypatch):
    def unknown(host, *_, **__):
        raise socket.gaierror(socket.EAI_NONAME, f"no such host {host}")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure_of("https://quickbooks.api.intuit.com", patient_call)
    assert "(quickbooks.api.intuit.com, port 443) could not be resolved" in error.message
    assert error.details["failed"] == "name lookup"


def test_a_rejected_certificate_is_reported(serve, certificate, patient_call):
    server = serve(None, tls=certificate[0])
    error = failure_of(server.url, patient_call)
    assert "certificate was not accepted (self" in error.message
    assert (error.details["failed"], error.retryable) == ("TLS", False)


def test_an_interrupted_handshake_is_not_reported_as_a_rejected_certificate(serve, patient_call):
    server = serve(None, tls=lambda accepted, _: (accepted.recv(65536), accepted.sendall(b"HTTP/1.1 400\r\n\r\n")))
    error = failure_of(server.url, patient_call)
    assert "certificate" not in error.message
    assert (error.details["failed"], error.retryable) == ("TLS", True)


def test_tls_works_and_connections_are_reused(serve, certificate, monkeypatch):
    monkeypatch.setattr(requests_sessions(), "DEFAULT_CA_BUNDLE_PATH", certificate[1])
    server = serve(lambda s, _: s.sendall(answer(COMPANY)), tls=certificate[0])
    connection = connect(server)
    for _ in range(3):
        assert connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"] == "Raw"
    assert server.connections == 2  # one for the token, one for the data API


def requests_sessions():
    import requests.adapters

    return requests.adapters


def test_a_server_that_is_not_reached_in_time_is_reported(full_backlog, patient_call, monkeypatch):
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 1.0)
    error = failure_of(full_backlog, patient_call)
    assert "could not be reached within" in error.message
    assert error.details["failed"] == "timeout"
