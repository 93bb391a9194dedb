"""Parts of HTTP servers: sockets, configuration, timeouts, logging. Needs uvicorn."""

from __future__ import annotations

import logging
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["NotifyingServer", "QueryStripFilter", "RequestTimeoutProtocol", "bind", "make_config"]


class QueryStripFilter(logging.Filter):
    """Logging filter that removes query strings from the access log: one may contain a key or a code."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record: uvicorn logs address, method, path, version, status."""
        if isinstance(record.args, tuple) and len(record.args) == 5:
            path = str(record.args[2]).partition("?")[0]
            record.args = (*record.args[:2], path, *record.args[3:])
        return True


class RequestTimeoutProtocol(H11Protocol):
    """HTTP/1.1 with a timeout for receiving a request; uvicorn has none.

    A request, head and body, must arrive within `request_timeout_s` seconds of the connection or, on a reused
    connection, of its first byte. Otherwise the connection is closed. Of the connections without a complete request,
    only the newest `max_pending` stay open.
    """

    request_timeout_s = 20.0
    max_pending = 100

    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Keep the timer running until the request is complete, and never restart it."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self.stop_timer()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self.stop_timer()
        elif self.timer is None:
            self.timer = self.loop.call_later(self.request_timeout_s, self.transport.abort)
            waiting = [it for it in self.connections if isinstance(it, RequestTimeoutProtocol) and it.timer is not None]
            if len(waiting) > self.max_pending:
                oldest = min(waiting, key=lambda it: it.timer.when() if it.timer else 0)
                oldest.stop_timer()  # or it would count until the loop reports that its connection is lost
                oldest.transport.abort()

    def stop_timer(self) -> None:
        """End the wait for a complete request."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class NotifyingServer(uvicorn.Server):
    """A server that reports when it accepts requests, and when it begins to stop.

    Args:
        config: Its configuration.
        on_ready: Called when it accepts requests.
        on_shutdown: Called when it begins to stop, before it waits for the responses that are being sent.
    """

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_shutdown: Callable[[], None] | None = None
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_shutdown = on_shutdown

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        if self._on_shutdown is not None:
            self._on_shutdown()
        await super().shutdown(sockets)


def make_config(app: Any, *, is_verbose: bool, **options: Any) -> uvicorn.Config:
    """Return a server's configuration: no headers that name the server or trust a proxy, no keys in the access log.

    Args:
        app: The ASGI app.
        is_verbose: Whether to log requests, without their query strings.
        **options: Further options of `uvicorn.Config`.
    """
    logging.getLogger("uvicorn.access").addFilter(QueryStripFilter())
    return uvicorn.Config(
        app,
        log_level="info" if is_verbose else "warning",
        access_log=is_verbose,
        server_header=False,
        proxy_headers=False,
        ws="none",
        **options,
    )


def bind(host: str | None, port: int) -> list[socket.socket]:
    """Return bound sockets that do not listen yet.

    By default it binds both loopback addresses, 127.0.0.1 and, if available, ::1: browsers may try either for
    `localhost`, and no other program may answer there.

    Args:
        host: An address; None for the loopback addresses.
        port: The port; 0 chooses a free one.

    Raises:
        OSError: The port is in use, or this machine does not have the address.
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


def _bound(opened: ExitStack, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    bound.bind((host, port))
    return bound


def _is_missing(error: OSError) -> bool:
    """Return whether this machine has no such address, or no IPv6."""
    import errno  # noqa: PLC0415 -- only needed here

    return error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
