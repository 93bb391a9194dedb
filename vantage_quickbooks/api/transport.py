"""HTTP connections that a forked child does not inherit, and requests that end when their call ends.

Theory of operation
1. A timeout of requests bounds a single read from a socket, so a server that sends one byte a second never times out.
   The sockets of this module therefore wait in steps of `POLL_INTERVAL_S`, and after each step, and at least every
   `CHECK_INTERVAL_S` while bytes arrive, a `RequestTimeout` checks whether the call has time left. That covers the TLS
   handshake, interim responses, headers and body. It needs no watchdog thread, and costs a request nothing.
2. A name lookup cannot be interrupted. It runs in its own thread, only for new connections to a named host, and is
   abandoned when the call ends; the resolver's own timeout ends the thread.
3. A forked process shares the sockets of its parent, and with them the responses. The child closes its copies before
   anything else runs, without sending anything (`close(2)` sends nothing while the parent has the socket open, and no
   TLS close_notify is sent), and starts with a new session. The pool has no lock that the parent could hold at the
   moment of the fork. Where a host forks without Python's fork hooks (uWSGI), the process id shows it.
4. All interim responses (1xx) are skipped. http.client skips only 100 (RFC 9110 section 15.2).
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import socket
import ssl
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs
from urllib3.util.wait import wait_for_write

from vantage_quickbooks.api.circuit_breaker import CircuitBreaker, circuit_breaker_for
from vantage_quickbooks.api.response_body import BodyLimit, ResponseBody
from vantage_quickbooks.api.transport_errors import CONNECT_TIMEOUT_S, translate_request_error
from vantage_quickbooks.core.endpoints import is_loopback
from vantage_quickbooks.errors import UnexpectedResponseError

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from vantage_quickbooks.auth.interfaces import AuthCall
    from vantage_quickbooks.errors import ConnectorError

__all__ = ["RequestTimeout", "SessionHolder", "TimeoutAdapter", "TokenTransport", "read_response"]

POLL_INTERVAL_S = 0.25
CHECK_INTERVAL_S = 0.1

TOKEN_RESPONSE_TIMEOUT_S = 30.0
"""Timeout of the complete response to a token request, regardless of the call's deadline: once the request is sent,
Intuit may have rotated the refresh token, and abandoning the response would lose the connection."""

TOKEN_RESPONSE_LIMIT = BodyLimit(1 << 18, None)
"""Maximum size of a response of the OAuth server: recorded ones have a thousand bytes."""

_CHUNK_SIZE = 1 << 16


class RequestTimeout:
    """Ends the request that the current thread sends inside the `with` block, once the call or the server times out.

    Args:
        call: The call that the request belongs to: its deadline and cancellation.
        read_timeout_s: Seconds without a byte from the server after which the request ends.
        must_complete: Ignore the call's deadline once the request is sent, and let *read_timeout_s* bound the complete
            response: for requests whose response must not be lost.
    """

    def __init__(self, call: AuthCall, read_timeout_s: float, *, must_complete: bool = False) -> None:
        self._remaining = call.remaining
        self._read_timeout_s = read_timeout_s
        self._must_complete = must_complete
        self._is_sent = False
        self._since = time.monotonic()
        self._check_at = 0.0

    def __enter__(self) -> Self:
        self._previous = _current.timeout
        _current.timeout = self
        return self

    def __exit__(self, *_: object) -> None:
        _current.timeout = self._previous

    def start_connecting(self) -> None:
        """Start the timeout of one attempt to connect."""
        self._since = time.monotonic()
        self.check()

    def start_sending(self) -> None:
        """Start the timeout of the response."""
        self._is_sent = True
        self._since = time.monotonic()

    def bytes_received(self) -> None:
        """Restart the read timeout."""
        now = time.monotonic()
        if self._is_sent and not self._must_complete:
            self._since = now
        if now >= self._check_at:
            self.check()

    def check(self) -> None:
        """Return if the request may continue.

        Raises:
            ConnectorError: The call has ended.
            TimeoutError: The server did not respond in time.
            ConnectTimeoutError: No connection was established in time.
        """
        now = time.monotonic()
        self._check_at = now + CHECK_INTERVAL_S
        if not (self._is_sent and self._must_complete):
            self._remaining()
        if self._is_sent and now - self._since >= self._read_timeout_s:
            raise TimeoutError("no response in time")
        if not self._is_sent and now - self._since >= CONNECT_TIMEOUT_S:
            raise ConnectTimeoutError("no connection in time")


class _Current(threading.local):
    timeout: RequestTimeout | None = None


_current = _Current()


# ---- sockets ---------------------------------------------------------------------------------------------------------

_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _poll(operation: Callable[..., Any], *arguments: Any) -> Any:
    """Repeat a socket operation that timed out until it succeeds or the current request times out."""
    timeout = _current.timeout
    while True:
        try:
            result = operation(*arguments)
        except TimeoutError:
            if timeout is None:
                raise
        else:
            if timeout is not None:
                timeout.bytes_received()
            return result
        timeout.check()  # outside of `except`, so that the TimeoutError is not the context of its error


class _Socket(socket.socket):
    def recv_into(self, *arguments: Any, **named: Any) -> int:
        count: int = _poll(lambda: super(_Socket, self).recv_into(*arguments, **named))
        return count


class _TLSSocket(ssl.SSLSocket):
    def recv_into(self, *arguments: Any, **named: Any) -> int:
        count: int = _poll(lambda: super(_TLSSocket, self).recv_into(*arguments, **named))
        return count

    def do_handshake(self, block: bool = False) -> None:
        _sockets.add(self)
        try:
            _poll(super().do_handshake, block)
        except BaseException:
            self.close()  # the ssl module closes it only on its own errors
            raise


def _close_inherited_sockets() -> None:
    for inherited in list(_sockets):
        descriptor = inherited.detach()
        if descriptor >= 0:
            os.close(descriptor)
    _sockets.clear()


# ---- connections -----------------------------------------------------------------------------------------------------


class _Response(http.client.HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]  # not in the stubs
        is_interim = 100 <= status < 200 and status != http.HTTPStatus.SWITCHING_PROTOCOLS
        return version, http.HTTPStatus.CONTINUE if is_interim else status, reason


class _Connection(HTTPConnection):
    response_class = _Response
    _is_connecting = False

    def _new_conn(self) -> socket.socket:
        return _open_socket(self)

    def connect(self) -> None:
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False
        self.sock.settimeout(self.timeout)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if _current.timeout is not None and not self._is_connecting:  # data sent while connecting is for a proxy
            _current.timeout.start_sending()
        super().send(data)

    def getresponse(self) -> Any:
        if _current.timeout is None:
            return super().getresponse()
        timeout, self.timeout = self.timeout, POLL_INTERVAL_S
        try:
            return super().getresponse()
        finally:
            self.timeout = timeout


class _TLSConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        if self.ssl_context is None:
            self.ssl_context = create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
        self.ssl_context.sslsocket_class = _TLSSocket
        super().connect()


def _open_socket(connection: HTTPConnection) -> socket.socket:
    """Connect to the first address that accepts, as urllib3 does, but with polling."""
    failure: OSError | ConnectTimeoutError | None = None
    for family, kind, protocol, _, address in _resolve(connection):
        if _current.timeout is not None:
            _current.timeout.start_connecting()
        candidate = _Socket(family, kind, protocol)
        _sockets.add(candidate)
        try:
            for option in connection.socket_options or ():
                candidate.setsockopt(*option)
            candidate.settimeout(POLL_INTERVAL_S)
            _connect(candidate, address)
        except (OSError, ConnectTimeoutError) as error:
            candidate.close()
            failure = error
        except BaseException:
            candidate.close()
            raise
        else:
            return candidate
    if isinstance(failure, ConnectTimeoutError):
        raise failure
    raise NewConnectionError(connection, f"Failed to establish a new connection: {failure}") from failure


def _connect(candidate: socket.socket, address: Any) -> None:
    try:
        candidate.connect(address)
    except TimeoutError:
        pass
    else:
        return
    while not wait_for_write(candidate, POLL_INTERVAL_S):
        if _current.timeout is None:
            raise ConnectTimeoutError("no connection in time")
        _current.timeout.check()
    code = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _resolve(connection: HTTPConnection) -> list[Any]:
    host, port = connection._dns_host.strip("[]"), connection.port  # noqa: SLF001 -- with a final dot, which `host` lacks
    kind = (allowed_gai_family(), socket.SOCK_STREAM)
    with contextlib.suppress(OSError, UnicodeError):
        return socket.getaddrinfo(host, port, *kind, flags=socket.AI_NUMERICHOST)  # an IP address needs no lookup
    found: list[Any] = []
    failed: list[Exception] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, *kind))
        except Exception as error:  # noqa: BLE001 -- raised in the thread that waits for it
            failed.append(error)
        finally:
            done.set()

    if _current.timeout is not None:
        _current.timeout.start_connecting()
    threading.Thread(target=look_up, name="quickbooks-lookup", daemon=True).start()
    while not done.wait(POLL_INTERVAL_S):
        if _current.timeout is not None:
            _current.timeout.check()
    if failed or not found:
        reason = failed[0] if failed and isinstance(failed[0], socket.gaierror) else socket.gaierror("name not found")
        raise NameResolutionError(connection.host, connection, reason)
    return found


# ---- pools -----------------------------------------------------------------------------------------------------------


class _IdleConnections:
    """The part of a LIFO queue that urllib3 uses, without a lock: list.append and list.pop are atomic."""

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._items: list[Any] = []

    def get(self, block: bool = False, timeout: float | None = None) -> Any:  # noqa: ARG002 -- the queue's signature
        try:
            return self._items.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: Any, block: bool = False, timeout: float | None = None) -> None:  # noqa: ARG002 -- see get
        if len(self._items) >= self._maxsize:
            raise queue.Full
        self._items.append(item)

    def qsize(self) -> int:
        return len(self._items)


class _Pool(HTTPConnectionPool):
    QueueCls = _IdleConnections  # type: ignore[assignment]

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]  # noqa: N802 -- urllib3's name
        """The class of this module, unless a tool that records or replays traffic (vcrpy) has installed its own."""
        installed = HTTPConnectionPool.ConnectionCls
        return _Connection if installed is HTTPConnection else installed


class _TLSPool(HTTPSConnectionPool):
    QueueCls = _IdleConnections  # type: ignore[assignment]

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]  # noqa: N802 -- see _Pool
        """The class of this module; see _Pool."""
        installed = HTTPSConnectionPool.ConnectionCls
        return _TLSConnection if installed is HTTPSConnection else installed


class TimeoutAdapter(HTTPAdapter):
    """Sends the requests of a session over connections that observe the `RequestTimeout` of the current thread."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Create the pools; see `HTTPAdapter`."""
        super().init_poolmanager(*arguments, **named)
        _install_pools(self.poolmanager)

    def proxy_manager_for(self, *arguments: Any, **named: Any) -> Any:
        """Create the pools of a proxy; see `HTTPAdapter`. A SOCKS proxy keeps its own classes."""
        return _install_pools(super().proxy_manager_for(*arguments, **named))


def _install_pools(manager: Any) -> Any:
    if manager.pool_classes_by_scheme.get("http") is HTTPConnectionPool:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


class _TokenAdapter(TimeoutAdapter):
    """Sends requests to the OAuth server, and reads a response of bounded size."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **named: Any) -> requests.Response:
        """Send a request and read its response; see `HTTPAdapter`."""
        response = super().send(request, *arguments, **named)
        try:
            # requests itself would read a response of any size.
            response._content = read_response(response, TOKEN_RESPONSE_LIMIT).read()  # noqa: SLF001
        except BaseException:
            response.close()
            raise
        return response


class _LoopbackAdapter(_TokenAdapter):
    """Sends plain HTTP to an emulator on this machine, for a session that was given an https URL."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **named: Any) -> requests.Response:
        request.url = "http" + (request.url or "").removeprefix("https")
        return super().send(request, *arguments, **named)


class TokenTransport:
    """How requests reach the OAuth server. Implements `auth.interfaces.TokenTransport`."""

    def circuit_breaker(self, url: str, client_id: str) -> CircuitBreaker:
        """Return the circuit breaker of an app at an OAuth server."""
        return circuit_breaker_for(url, client_id)

    def request_timeout(self, call: AuthCall) -> RequestTimeout:
        """Return the timeout of one request, as a context manager: it waits for the response beyond the deadline."""
        return RequestTimeout(call, TOKEN_RESPONSE_TIMEOUT_S, must_complete=True)

    def prepare(self, session: requests.Session, url: str) -> str:
        """Set up a session for requests to *url*, and return the https URL to use for them.

        oauthlib refuses http URLs unless an environment variable disables the check for the process. The deployment has
        already verified that plain HTTP goes to loopback only, so for an emulator the session gets an https URL, and an
        adapter for that address sends plain HTTP.
        """
        session.trust_env = not is_loopback(url)  # a proxy must not see requests to this machine
        session.max_redirects = 0  # a redirect would send the token to another place
        session.mount("https://", _TokenAdapter())
        parts = urlsplit(url)
        if parts.scheme == "https":
            return url
        if not is_loopback(url):
            raise AssertionError("plain HTTP to another machine")  # the deployment refuses it before
        origin = f"https://{parts.netloc}"
        session.mount(origin, _LoopbackAdapter())
        return origin + parts.path

    def timeouts(self, call: AuthCall) -> tuple[float, float]:
        """Return the connect and read timeouts for requests."""
        return min(CONNECT_TIMEOUT_S, call.remaining()), TOKEN_RESPONSE_TIMEOUT_S

    def translate(self, error: requests.RequestException, server: str, url: str) -> ConnectorError:
        """Return the connector's error for one of requests."""
        return translate_request_error(error, server, url)


class SessionHolder:
    """Holds the HTTP session of one client; thread-safe. A forked child gets a new one.

    Args:
        make_session: Creates a session.
    """

    _all: ClassVar[weakref.WeakSet[SessionHolder]] = weakref.WeakSet()
    _pid = os.getpid()

    def __init__(self, make_session: Callable[[], requests.Session]) -> None:
        self._make_session = make_session
        self._session: requests.Session | None = None
        self._all.add(self)

    def get(self) -> requests.Session:
        """Return the session of this process."""
        if self._pid != os.getpid():  # forked without Python's fork hooks
            self.after_fork_in_child()
        session = self._session
        if session is None:
            session = self._session = self._make_session()
        return session

    def close(self) -> None:
        """Close pooled connections; the next request opens new ones."""
        if self._session is not None:
            self._session.close()

    @classmethod
    def after_fork_in_child(cls) -> None:
        """Drop the sessions and sockets of the parent."""
        SessionHolder._pid = os.getpid()
        _close_inherited_sockets()
        for holder in list(cls._all):
            holder._session = None  # noqa: SLF001 -- its own class


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SessionHolder.after_fork_in_child)


# ---- responses -------------------------------------------------------------------------------------------------------


def read_response(response: requests.Response, limit: BodyLimit) -> ResponseBody:
    """Read the body of a streamed response without decompressing it.

    Args:
        response: The response; its body was not read yet.
        limit: Maximum size of the body, compressed and decompressed.

    Raises:
        UnexpectedResponseError: It is larger, or has an encoding that was not requested.
        requests.RequestException: It was cut off.
    """
    encoding = response.raw.headers.get("Content-Encoding", "").strip().lower()
    if encoding:
        del response.raw.headers["Content-Encoding"]  # otherwise urllib3 would decompress it in pieces, without a limit
    chunks, received = [], 0
    for chunk in response.iter_content(_CHUNK_SIZE):
        received += len(chunk)
        if received > limit.max_bytes:
            raise limit.exceeded_error()
        chunks.append(chunk)
    data = b"".join(chunks)
    is_compressed = bool(data) and encoding not in {"", "identity"}  # an empty body may have any encoding
    if is_compressed and encoding not in {"gzip", "x-gzip"}:
        raise UnexpectedResponseError(
            f"The response has an encoding that was not requested ({encoding[:20]}). Check for a proxy that adds it."
        )
    return ResponseBody(data, is_compressed=is_compressed, limit=limit)
