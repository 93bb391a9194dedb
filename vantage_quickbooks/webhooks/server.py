"""Serves the webhook app alone, by uvicorn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.http_server import NotifyingServer, RequestTimeoutProtocol, make_config

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    import uvicorn

    from vantage_quickbooks.webhooks.app import WebhookApp

__all__ = ["make_app_server", "serve_app"]


class _Protocol(RequestTimeoutProtocol):
    """Limits the time for the head, too. The app's own limit for the body is shorter, so that it can answer."""

    request_timeout_s = 5.0
    max_pending = 1_000


def serve_app(
    app: WebhookApp, sockets: list[socket.socket], *, on_ready: Callable[[], None], is_verbose: bool = False
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        app: The app.
        sockets: From `http_server.bind`.
        on_ready: Called when the server accepts requests.
        is_verbose: Whether to log requests, without their query strings.
    """
    make_app_server(app, on_ready=on_ready, is_verbose=is_verbose).run(sockets=sockets)


def make_app_server(app: WebhookApp, *, on_ready: Callable[[], None], is_verbose: bool = False) -> uvicorn.Server:
    """Return a server that is not running yet; see `serve_app`."""
    config = make_config(
        app,
        is_verbose=is_verbose,
        http=_Protocol,
        lifespan="on",
        h11_max_incomplete_event_size=64 * 1024,
        backlog=2_048,
        timeout_graceful_shutdown=3,
    )
    return NotifyingServer(config, on_ready)
