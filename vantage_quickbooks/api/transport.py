"""
How a request travels: connections that no process inherits, and exchanges that end when their call ends.

Theory of operation
1. A timeout of requests bounds one read of a socket, so a server that sends a byte a second is never late. The
   sockets here wait in steps of `STEP_S`, and between two steps, and at least every `LOOK_S` while bytes arrive, a
   `Watch` asks whether the call still has time. That covers the TLS handshake, interim answers, headers and the body.
   No thread watches, so none is left behind, and no request pays for one.
2. A name lookup cannot be interrupted. It runs in a thread of its own, for new connections to a named host only, and
   is abandoned when the call ends; the resolver's own timeout ends the thread.
3. A process that was forked shares the sockets of its parent, and with them its answers. The child closes its copies
   of them before anything else runs, without a word to the server (`close(2)` sends nothing while the parent has the
   socket open, and TLS is not asked to say goodbye), and begins with a new session. The pool has no lock that the
   parent could hold at the moment of the fork. Where a host forks without Python's notice (uWSGI), the process id says
   so.
4. Interim answers (1xx) are skipped: http.client does so for 100 only (RFC 9110 section 15.2).
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

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError
from urllib3.util.connection import allowed_gai_family
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs
from urllib3.util.wait import wait_for_write

from vantage_quickbooks.api.response_body import Limit, ResponseBody
from vantage_quickbooks.errors import ConnectorError, NetworkError, UnexpectedResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vantage_quickbooks.api.call_context import CallContext

__all__ = ["CONNECT_S", "Adapter", "SessionHolder", "SmallAnswerAdapter", "Watch", "receive", "transport_error"]

CONNECT_S = 10.0
"""Seconds for a name lookup, for each address that is tried, and for the TLS handshake after it."""

STEP_S = 0.25
LOOK_S = 0.1

SMALL = Limit(1 << 18, None)
"""Limit of an answer about tokens: recorded ones have a thousand bytes."""

_CHUNK = 1 << 16


class Watch:
    """Decides when one exchange ends; used by the thread that makes it.

    Args:
        call: Asked for its deadline and whether it was cancelled.
        answer_s: Seconds without a byte after which the server is given up.
        is_awaited: Once the request is sent, the call is not asked any more, and *answer_s* bounds the whole answer:
            for requests whose answer must not be lost.
    """

    def __init__(self, call: CallContext, answer_s: float, *, is_awaited: bool = False) -> None:
        self._remaining = call.remaining
        self._answer_s = answer_s
        self._is_awaited = is_awaited
        self._is_sent = False
        self._since = time.monotonic()
        self._look_at = 0.0

    def __enter__(self) -> Self:
        self._previous = _here.watch
        _here.watch = self
        return self

    def __exit__(self, *_: object) -> None:
        _here.watch = self._previous

    def connecting(self) -> None:
        """Begin the time of one attempt to connect."""
        self._since = time.monotonic()
        self.look()

    def sending(self) -> None:
        """Begin the time of the answer."""
        self._is_sent = True
        self._since = time.monotonic()

    def received(self) -> None:
        """Note that bytes arrived."""
        now = time.monotonic()
        if self._is_sent and not self._is_awaited:
            self._since = now
        if now >= self._look_at:
            self.look()

    def look(self) -> None:
        """Return if the exchange may go on.

        Raises:
            ConnectorError: The call has ended.
            TimeoutError: No answer came in time.
            ConnectTimeoutError: No connection came about in time.
        """
        now = time.monotonic()
        self._look_at = now + LOOK_S
        if not (self._is_sent and self._is_awaited):
            self._remaining()
        if self._is_sent and now - self._since >= self._answer_s:
            raise TimeoutError("no answer in time")
        if not self._is_sent and now - self._since >= CONNECT_S:
            raise ConnectTimeoutError("no connection in time")


class _Here(threading.local):
    watch: Watch | None = None


_here = _Here()


# ---- sockets ---------------------------------------------------------------------------------------------------------

_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _in_steps(operation: Callable[..., Any], *arguments: Any) -> Any:
    """Repeat a socket operation that timed out until it succeeds, or until the watch of this thread ends it."""
    watch = _here.watch
    while True:
        try:
            result = operation(*arguments)
        except TimeoutError:
            if watch is None:
                raise
        else:
            if watch is not None:
                watch.received()
            return result
        watch.look()  # out here, so that the timeout is not the context of what it raises


class _Socket(socket.socket):
    def recv_into(self, *arguments: Any, **named: Any) -> int:
        count: int = _in_steps(lambda: super(_Socket, self).recv_into(*arguments, **named))
        return count


class _TLSSocket(ssl.SSLSocket):
    def recv_into(self, *arguments: Any, **named: Any) -> int:
        count: int = _in_steps(lambda: super(_TLSSocket, self).recv_into(*arguments, **named))
        return count

    def do_handshake(self, block: bool = False) -> None:
        _sockets.add(self)
        try:
            _in_steps(super().do_handshake, block)
        except BaseException:
            self.close()  # the ssl module does so for its own errors only
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


class _WatchedConnection(HTTPConnection):
    response_class = _Response
    _is_connecting = False

    def _new_conn(self) -> socket.socket:
        return _connected(self)

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
        if _here.watch is not None and not self._is_connecting:  # what is sent while connecting is for a proxy
            _here.watch.sending()
        super().send(data)

    def getresponse(self) -> Any:
        if _here.watch is None:
            return super().getresponse()
        timeout, self.timeout = self.timeout, STEP_S
        try:
            return super().getresponse()
        finally:
            self.timeout = timeout


class _WatchedTLSConnection(_WatchedConnection, HTTPSConnection):
    def connect(self) -> None:
        if self.ssl_context is None:
            self.ssl_context = create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
        self.ssl_context.sslsocket_class = _TLSSocket
        super().connect()


def _connected(connection: HTTPConnection) -> socket.socket:
    """Connect to the first address that accepts, as urllib3 does, but in steps."""
    failure: OSError | ConnectTimeoutError | None = None
    for family, kind, protocol, _, address in _addresses(connection):
        if _here.watch is not None:
            _here.watch.connecting()
        candidate = _Socket(family, kind, protocol)
        _sockets.add(candidate)
        try:
            for option in connection.socket_options or ():
                candidate.setsockopt(*option)
            candidate.settimeout(STEP_S)
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
    while not wait_for_write(candidate, STEP_S):
        if _here.watch is None:
            raise ConnectTimeoutError("no connection in time")
        _here.watch.look()
    code = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _addresses(connection: HTTPConnection) -> list[Any]:
    host, port = connection._dns_host.strip("[]"), connection.port  # noqa: SLF001 -- with a final dot, which `host` lacks
    wanted = (allowed_gai_family(), socket.SOCK_STREAM)
    with contextlib.suppress(OSError, UnicodeError):
        return socket.getaddrinfo(host, port, *wanted, flags=socket.AI_NUMERICHOST)  # an address needs no lookup
    found: list[Any] = []
    failed: list[Exception] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, *wanted))
        except Exception as error:  # noqa: BLE001 -- raised in the thread that waits for it
            failed.append(error)
        finally:
            done.set()

    if _here.watch is not None:
        _here.watch.connecting()
    threading.Thread(target=look_up, name="quickbooks-lookup", daemon=True).start()
    while not done.wait(STEP_S):
        if _here.watch is not None:
            _here.watch.look()
    if failed or not found:
        reason = failed[0] if failed and isinstance(failed[0], socket.gaierror) else socket.gaierror("no such name")
        raise NameResolutionError(connection.host, connection, reason)
    return found


# ---- pools -----------------------------------------------------------------------------------------------------------


class _IdleConnections:
    """What urllib3 needs of a LIFO queue, without a lock: appending to a list and popping from it are atomic."""

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
        """Ours, unless a tool that records or replays traffic (vcrpy) has put its own class in place."""
        theirs = HTTPConnectionPool.ConnectionCls
        return _WatchedConnection if theirs is HTTPConnection else theirs


class _TLSPool(HTTPSConnectionPool):
    QueueCls = _IdleConnections  # type: ignore[assignment]

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]  # noqa: N802 -- see _Pool
        """Ours; see _Pool."""
        theirs = HTTPSConnectionPool.ConnectionCls
        return _WatchedTLSConnection if theirs is HTTPSConnection else theirs


class Adapter(HTTPAdapter):
    """Sends the requests of a session over connections that obey the `Watch` of the thread that sends."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Make the pools; see `HTTPAdapter`."""
        super().init_poolmanager(*arguments, **named)
        _use_our_pools(self.poolmanager)

    def proxy_manager_for(self, *arguments: Any, **named: Any) -> Any:
        """Make the pools of a proxy; see `HTTPAdapter`. Those of a SOCKS proxy keep classes of their own."""
        return _use_our_pools(super().proxy_manager_for(*arguments, **named))


def _use_our_pools(manager: Any) -> Any:
    if manager.pool_classes_by_scheme.get("http") is HTTPConnectionPool:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
    return manager


class SmallAnswerAdapter(Adapter):
    """For requests about tokens: the answer is read here, and no more of it than such an answer can have."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **named: Any) -> requests.Response:
        """Send a request and read its answer; see `HTTPAdapter`."""
        response = super().send(request, *arguments, **named)
        try:
            response._content = receive(response, SMALL).read()  # noqa: SLF001 -- requests would read without bound
        except BaseException:
            response.close()
            raise
        return response


class SessionHolder:
    """Holds the HTTP session of one client; thread-safe. A forked child gets a new one.

    Args:
        make: Makes a session.
    """

    _all: ClassVar[weakref.WeakSet[SessionHolder]] = weakref.WeakSet()
    _pid = os.getpid()

    def __init__(self, make: Callable[[], requests.Session]) -> None:
        self._make = make
        self._session: requests.Session | None = None
        self._all.add(self)

    def get(self) -> requests.Session:
        """Return the session of this process."""
        if self._pid != os.getpid():  # forked without Python's notice
            self.begin_in_child()
        session = self._session
        if session is None:
            session = self._session = self._make()
        return session

    def close(self) -> None:
        """Close pooled connections; the next request opens new ones."""
        if self._session is not None:
            self._session.close()

    @classmethod
    def begin_in_child(cls) -> None:
        """Give up what belongs to the parent."""
        SessionHolder._pid = os.getpid()
        _close_inherited_sockets()
        for holder in list(cls._all):
            holder._session = None  # noqa: SLF001 -- its own class


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SessionHolder.begin_in_child)


# ---- answers ---------------------------------------------------------------------------------------------------------


def receive(response: requests.Response, limit: Limit) -> ResponseBody:
    """Read the body of a streamed answer as it came, packed or not.

    Args:
        response: The answer, its body not read yet.
        limit: How large the body may be; also once it is unpacked.

    Raises:
        UnexpectedResponseError: It is larger, or packed in a way that was not asked for.
        requests.RequestException: It broke off.
    """
    encoding = response.raw.headers.get("Content-Encoding", "").strip().lower()
    if encoding:
        del response.raw.headers["Content-Encoding"]  # or urllib3 would unpack it: piece by piece, and without bound
    chunks, received = [], 0
    for chunk in response.iter_content(_CHUNK):
        received += len(chunk)
        if received > limit.max_bytes:
            raise limit.exceeded()
        chunks.append(chunk)
    data = b"".join(chunks)
    is_packed = bool(data) and encoding not in {"", "identity"}  # nothing is nothing, whatever it is called
    if is_packed and encoding not in {"gzip", "x-gzip"}:
        raise UnexpectedResponseError(
            f"The answer is packed in a way that was not asked for ({encoding[:20]}). Check for a proxy on the way."
        )
    return ResponseBody(data, is_packed=is_packed, limit=limit)


# ---- failures --------------------------------------------------------------------------------------------------------


def transport_error(
    error: requests.RequestException, whom: str, url: str, *, sent: type[NetworkError] = NetworkError
) -> ConnectorError:
    """Translate what requests raises into what a caller can act on; nothing of the request rides along.

    Args:
        error: Any exception of requests.
        whom: Who was asked, for the message.
        url: What was asked; host and port of it go into the error, the rest does not.
        sent: Class for the case that no connection came about.

    Returns:
        A NetworkError, whose details say `host`, `port` and what `failed`; an UnexpectedResponseError where an answer
        came and broke off or could not be decoded.
    """
    kind = type(error).__name__
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    where = f"{whom} ({parts.hostname}, port {port})"
    details: dict[str, Any] = {"cause": kind, "host": parts.hostname, "port": port}
    match error:
        case requests.exceptions.SSLError():
            return _tls_error(error, where, details)
        case requests.exceptions.ProxyError():
            return sent(
                f"The proxy on the way to {where} does not answer. Check HTTPS_PROXY.",
                details=details | {"failed": "proxy"},
            )
        case requests.exceptions.ConnectTimeout():
            return sent(
                f"{where} could not be reached within {CONNECT_S:g} seconds. Check the network and firewalls.",
                details=details | {"failed": "timeout"},
            )
        case requests.exceptions.Timeout():
            return NetworkError(f"{where} did not answer in time.", details=details | {"failed": "timeout"})
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return UnexpectedResponseError(
                f"The answer of {whom} broke off or was damaged on the way.", details={"cause": kind}
            )
        case requests.exceptions.ConnectionError():
            return _connection_error(error, where, details, sent)
        case _:
            return NetworkError(f"The request to {where} failed ({kind}).", retryable=False, details=details)


def _tls_error(error: Exception, where: str, details: dict[str, Any]) -> NetworkError:
    details = details | {"failed": "TLS"}
    reasons = list(_beneath(error))
    broken = next((reason for reason in reasons if isinstance(reason, ssl.SSLError)), None)
    if broken is not None and not any(isinstance(reason, ssl.SSLCertVerificationError) for reason in reasons):
        return NetworkError(
            f"The secure connection to {where} broke off or could not be agreed on ({broken.reason or 'TLS'}). Check "
            "proxies and firewalls on the way.",
            details=details,
        )
    verified = next(
        (reason.verify_message for reason in reasons if isinstance(reason, ssl.SSLCertVerificationError)), ""
    )
    return NetworkError(
        f"No secure connection to {where}: its certificate was not accepted{f' ({verified})' if verified else ''}. "
        "Check proxies and clocks.",
        retryable=False,
        details=details,
    )


def _connection_error(error: Exception, where: str, details: dict[str, Any], sent: type[NetworkError]) -> NetworkError:
    said, reasons = repr(error), list(_beneath(error))
    if "NameResolutionError" in said:
        return sent(
            f"The name of {where} could not be resolved. Check the network and its name server.",
            details=details | {"failed": "name lookup"},
        )
    if "NewConnectionError" in said:
        if any(isinstance(reason, ConnectionRefusedError) for reason in reasons):
            return sent(f"{where} refused the connection.", details=details | {"failed": "refused"})
        return sent(
            f"{where} could not be reached. Check the network and firewalls.",
            details=details | {"failed": "unreachable"},
        )
    if any(isinstance(reason, TimeoutError | ReadTimeoutError) for reason in reasons):
        return NetworkError(f"The answer of {where} stopped in the middle.", details=details | {"failed": "timeout"})
    return NetworkError(f"The connection to {where} broke.", details=details | {"failed": "broken connection"})


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions that *error* was made of: arguments, reasons, causes and contexts."""
    seen: set[int] = set()
    pending: list[Any] = [error]
    while pending:
        item = pending.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        pending += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
