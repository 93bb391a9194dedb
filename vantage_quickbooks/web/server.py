"""The HTTP server of the web UI."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vantage_quickbooks.http_server import NotifyingServer, RequestTimeoutProtocol, bind, make_config
from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.web.app import make_app
from vantage_quickbooks.web.security import Sessions

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    import uvicorn
    from starlette.types import ASGIApp, Receive, Scope, Send

    from vantage_quickbooks.web.host import Host

__all__ = [
    "DEFAULT_PORT",
    "ErrorLogMiddleware",
    "MountMiddleware",
    "bind",
    "make_server",
    "make_sessions",
    "serve",
]

_log = get_logger(__name__)

DEFAULT_PORT = 8765
"""Fixed, because a redirect URI is registered with its port."""

_ALL_INTERFACES = {"0.0.0.0", "::", ""}  # noqa: S104 -- compared, not bound


class ErrorLogMiddleware:
    """ASGI middleware that logs an unexpected exception by type and location: its message may contain a secret.

    Args:
        app: The application, which has already answered 500 when its exception arrives here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application; log its exception and drop it."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            frame = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("request failed: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)


class MountMiddleware:
    """ASGI middleware that passes the requests to some paths to apps with access control of their own.

    Args:
        app: The application, which gets all other requests.
        mounts: The apps by path. Nothing below these paths is theirs.
    """

    def __init__(self, app: ASGIApp, mounts: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._mounts = dict(mounts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application that a request is for."""
        app = self._mounts.get(scope["path"], self._app) if scope["type"] == "http" else self._app
        await app(scope, receive, send)


def make_sessions(
    host: str | None,
    port: int,
    public_url: str | None = None,
    metrics_key: str | None = None,
    access_key: str | None = None,
) -> Sessions:
    """Return the access key and sessions of a server.

    Args:
        host: The address it is bound to; None for the loopback addresses.
        port: Its port.
        public_url: The URL that browsers use, if it is a different one.
        metrics_key: A key that reads `/metrics` and nothing else; None for none.
        access_key: The access key; None makes a new one.
    """
    names = ["localhost", "127.0.0.1", "[::1]"]
    shown = "localhost"
    if host and host not in _ALL_INTERFACES:
        shown = f"[{host}]" if ":" in host else host
        names.append(shown)
    base_url = (public_url or f"http://{shown}:{port}").rstrip("/")
    hosts = {f"{name}:{port}" for name in names} | {urlsplit(base_url).netloc}
    if port == 80:
        hosts |= set(names)
    allowed_hosts = frozenset(name.lower() for name in hosts)
    sessions = Sessions(base_url=base_url.lower(), allowed_hosts=allowed_hosts, metrics_key=metrics_key)
    return sessions if access_key is None else replace(sessions, access_key=access_key, is_key_chosen=True)


def serve(
    host: Host,
    sessions: Sessions,
    sockets: list[socket.socket],
    *,
    on_ready: Callable[[Sessions], None],
    is_verbose: bool = False,
    mounts: Mapping[str, ASGIApp] | None = None,
) -> None:
    """Serve until Ctrl-C.

    Args:
        host: The connectors and connections to serve.
        sessions: From `make_sessions`.
        sockets: From `bind`.
        on_ready: Called when the server accepts requests.
        is_verbose: Whether to log requests, without their query strings.
        mounts: Other apps by path, see `MountMiddleware`.
    """
    server = make_server(host, sessions, on_ready=on_ready, is_verbose=is_verbose, mounts=mounts)
    server.run(sockets=sockets)


def make_server(
    host: Host,
    sessions: Sessions,
    *,
    on_ready: Callable[[Sessions], None],
    is_verbose: bool = False,
    mounts: Mapping[str, ASGIApp] | None = None,
) -> uvicorn.Server:
    """Return a server that is not running yet."""
    config = make_config(
        ErrorLogMiddleware(MountMiddleware(make_app(host, sessions), mounts or {})),
        is_verbose=is_verbose,
        http=RequestTimeoutProtocol,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=2,
    )
    # Streams of events would go on, and the server would wait for them.
    return NotifyingServer(config, lambda: on_ready(sessions), host.events.close)
