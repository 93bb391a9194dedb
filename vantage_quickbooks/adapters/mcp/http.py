"""Serves over streamable HTTP, on this machine only.

Rules
1. Each request has the bearer token; it is compared in constant time.
2. `Host` must be a name of this machine with the server's port, and `Origin`, if there is one, the same: a web page
   that resolves its own name to 127.0.0.1 (DNS rebinding) is refused before anything else.
   Source: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#security-warning.
"""

from __future__ import annotations

import hmac
import logging
import socket
from typing import TYPE_CHECKING, Any

from mcp.server.transport_security import TransportSecuritySettings

from vantage_quickbooks.adapters.mcp.server import make_server
from vantage_quickbooks.http_server import NotifyingServer, make_config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from vantage_quickbooks.adapters.mcp.tools import Session

    Message = MutableMapping[str, Any]
    ASGIApp = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
    ]

__all__ = ["DEFAULT_PORT", "PATH", "bind", "serve_http"]

DEFAULT_PORT = 8766
PATH = "/mcp"

_NAMES = ("127.0.0.1", "localhost")


def bind(port: int) -> socket.socket:
    """Return a socket of this machine; 0 chooses a free port.

    Raises:
        OSError: The port is in use.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((_NAMES[0], port))
    except BaseException:
        bound.close()
        raise
    return bound


def serve_http(
    session: Session,
    bound: socket.socket,
    token: str,
    *,
    on_ready: Callable[[str], None],
    is_verbose: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        session: What the tools work with.
        bound: From `bind`.
        token: The bearer token.
        on_ready: Called with the URL when the server accepts requests.
        is_verbose: Whether to log requests.
    """
    port = bound.getsockname()[1]
    hosts = frozenset(f"{name}:{port}" for name in _NAMES)
    # The checks are made by the middleware, for all versions of the protocol and all paths.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = make_server(session).streamable_http_app(streamable_http_path=PATH, transport_security=unchecked)
    config = make_config(_Guard(app, hosts, token), is_verbose=is_verbose, timeout_graceful_shutdown=2)
    logging.getLogger("mcp").setLevel(logging.INFO if is_verbose else logging.ERROR)
    NotifyingServer(config, lambda: on_ready(f"http://{_NAMES[0]}:{port}{PATH}")).run(sockets=[bound])


class _Guard:
    """ASGI middleware that passes on only requests of this machine that have the token."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = frozenset(f"http://{host}" for host in hosts)
        self._expected = f"Bearer {token}".encode()

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Pass an allowed request to the application; answer any other."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, text = refusal
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    def _refusal(self, scope: Message) -> tuple[int, str] | None:
        """Return status and text of the response to a request that is not allowed."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in headers and name in {b"host", b"origin", b"authorization"}:
                return 400, "A header was sent twice.\n"
            headers[name] = value
        if headers.get(b"host", b"").decode("latin-1").lower() not in self._hosts:
            return 421, "This server is not known by that host name.\n"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in self._origins:
            return 403, "This request came from a web page of another origin.\n"
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if not hmac.compare_digest(scheme.title() + b" " + given.strip(), self._expected):
            return 401, "Send the server's token: Authorization: Bearer TOKEN.\n"
        return None
