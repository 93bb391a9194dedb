"""Binds to this machine, prints the address that lets in, and serves."""

from __future__ import annotations

import logging
import socket
import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from vantage_quickbooks.web.app import make_app
from vantage_quickbooks.web.security import Sessions

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from vantage_quickbooks.web.host import Host

__all__ = [
    "DEFAULT_PORT",
    "ErrorLogMiddleware",
    "QueryStripFilter",
    "RequestTimeoutProtocol",
    "bind",
    "make_server",
    "make_sessions",
    "serve",
]

_log = logging.getLogger(__name__)

DEFAULT_PORT = 8765
"""Fixed, because a redirect address is registered with its port."""

_EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 -- compared with, not bound to


class ErrorLogMiddleware:
    """ASGI middleware that writes a defect down by its place alone: what an exception says may hold a secret.

    Args:
        app: What has already answered 500 when its exception comes here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and contain."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            frame = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("a page failed: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)


class QueryStripFilter(logging.Filter):
    """Cuts queries off the access log: one may hold a key or a code."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; uvicorn logs address, method, path, version, status."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            path = str(record.args[2]).partition("?")[0]
            record.args = (*record.args[:2], path, *record.args[3:])
        return True


class RequestTimeoutProtocol(H11Protocol):
    """
    HTTP/1.1 with a time limit for a request that is still being sent; uvicorn has none.

    A request, head and body, must have arrived `request_timeout_s` seconds after the connection was made or, on one
    that is used again, after its first byte; else the connection is cut. Of connections that have not sent a complete
    request only the `max_pending` newest are kept.
    """

    request_timeout_s = 20.0
    max_pending = 100

    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Go on waiting until the request is whole, but never start over."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._stop()
        elif self.timer is None:
            self.timer = self.loop.call_later(self.request_timeout_s, self.transport.abort)
            waiting = [it for it in self.connections if isinstance(it, RequestTimeoutProtocol) and it.timer is not None]
            if len(waiting) > self.max_pending:
                oldest = min(waiting, key=lambda it: it.timer.when() if it.timer else 0)
                oldest.transport.abort()

    def _stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def bind(host: str | None, port: int) -> list[socket.socket]:
    """Bind, and listen later.

    On this machine both of its addresses are taken, 127.0.0.1 and, where there is one, ::1: browsers may try either for
    `localhost`, and nobody else shall answer there.

    Args:
        host: An address; None for this machine alone.
        port: 0 takes a free one.

    Raises:
        OSError: It is taken, or no address of this machine.
    """
    with ExitStack() as opened:
        first = _bound(opened, host or "127.0.0.1", port)
        found = [first]
        if host is None and socket.has_ipv6:
            try:
                found.append(_bound(opened, "::1", first.getsockname()[1]))
            except OSError as error:
                if not _is_missing(error):
                    raise
        opened.pop_all()
        return found


def make_sessions(host: str | None, port: int, public_url: str | None = None) -> Sessions:
    """Return the sessions of a server.

    Args:
        host: What it is bound to; None for this machine alone.
        port: Its port.
        public_url: The address that browsers use, where it is another.
    """
    names = ["localhost", "127.0.0.1", "[::1]"]
    shown = "localhost"
    if host and host not in _EVERYWHERE:
        shown = f"[{host}]" if ":" in host else host
        names.append(shown)
    base_url = (public_url or f"http://{shown}:{port}").rstrip("/")
    hosts = {f"{name}:{port}" for name in names} | {urlsplit(base_url).netloc}
    if port == 80:
        hosts |= set(names)
    return Sessions(base_url=base_url.lower(), allowed_hosts=frozenset(name.lower() for name in hosts))


def serve(
    host: Host,
    sessions: Sessions,
    sockets: list[socket.socket],
    *,
    on_ready: Callable[[Sessions], None],
    is_verbose: bool = False,
) -> None:
    """Serve until Ctrl-C.

    Args:
        host: What is served.
        sessions: Who may come in.
        sockets: From `bind`.
        on_ready: Called once browsers are answered.
        is_verbose: Whether requests are logged, without their queries.
    """
    server = make_server(host, sessions, on_ready=on_ready, is_verbose=is_verbose)
    server.run(sockets=sockets)


def make_server(
    host: Host, sessions: Sessions, *, on_ready: Callable[[Sessions], None], is_verbose: bool = False
) -> uvicorn.Server:
    """Return the server, not yet running."""
    logging.getLogger("uvicorn.access").addFilter(QueryStripFilter())
    config = uvicorn.Config(
        ErrorLogMiddleware(make_app(host, sessions)),
        log_level="info" if is_verbose else "warning",
        access_log=is_verbose,
        server_header=False,
        proxy_headers=False,
        http=RequestTimeoutProtocol,
        ws="none",
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=2,
    )
    return _Server(config, lambda: on_ready(sessions))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def _bound(opened: ExitStack, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.bind((host, port))
    return bound


def _is_missing(error: OSError) -> bool:
    """Tell whether this machine has no such address, or no IPv6 at all."""
    import errno  # noqa: PLC0415 -- needed here only

    return error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
