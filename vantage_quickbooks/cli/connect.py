"""`vantage-quickbooks connect`: consent in the browser, and the settings it leads to in a file."""

from __future__ import annotations

import errno
import hmac
import html
import secrets
import tempfile
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from vantage_quickbooks.auth.stores.base import state_directory
from vantage_quickbooks.cli.files import SettingsFile, is_of_app, keep_elsewhere
from vantage_quickbooks.cli.inputs import UsageError, read_connectable
from vantage_quickbooks.cli.output import say
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.errors import AuthenticationError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

__all__ = ["run"]

CALLBACK_PATH = "/oauth/callback"
LIFETIME_S = 600.0
"""How long somebody may take to give consent."""

FOLLOW_S = 3.0
"""Seconds in which a browser asks for the page that it is led to; after that nobody will."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>{title}</title><h1>{title}</h1><p>{text}</p>"""


def run(args: Namespace) -> bool:
    """Ask for consent, wait for the redirect, and write the settings file.

    Args:
        args: The command's arguments.

    Returns:
        Whether the settings are in their file; False if they had to be kept elsewhere.

    Raises:
        UsageError: The port or a file cannot be used.
        ConnectorError: Nothing was connected.
    """
    target = Path(args.write_settings)
    settings = read_connectable(args.settings, target, args.emulator)
    # Before a person is asked: a grant whose settings cannot be written would be lost.
    with SettingsFile(target, is_of_app(str(settings.get("client_id"))), force=args.force) as file:
        filled = _consent(args, settings)
        return _keep(file, {**settings, **filled})


def _consent(args: Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that a consent leads to."""
    state = secrets.token_urlsafe(32)
    try:
        listener = _Listener(args.port, state, args.redirect_uri)
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise UsageError(f"Port {args.port} {why}. Choose another with --port, and register its address.") from None
    with listener:
        redirect_uri = listener.redirect_uri
        url = QUICKBOOKS.authorization_url(settings, redirect_uri=redirect_uri, state=state)
        say(f"Open this address and choose the company:\n\n  {url}\n")
        say(f"It leads back to {redirect_uri}, which must be registered with the app. Waiting; Ctrl-C gives up.")
        if not args.no_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        brought = listener.wait()
    if "error" in brought:
        raise AuthenticationError(
            "Consent was not given, so nothing was connected."
            if brought["error"] == "access_denied"
            else "Intuit gave no consent. Check the scopes and the redirect address of the app.",
            details={"oauthError": brought["error"][:80]},
        )
    named = QUICKBOOKS.describe()["auth"]["callbackFields"]
    if not brought.get("code") or not all(brought.get(parameter) for parameter in named):
        raise AuthenticationError("Intuit's redirect does not say which company was connected. Connect again.")
    filled = {name: brought[parameter] for parameter, name in named.items()}
    return filled | QUICKBOOKS.exchange_code(settings, code=brought["code"], redirect_uri=redirect_uri)


def _keep(file: SettingsFile, settings: dict[str, Any]) -> bool:
    """Write the settings to their file, or, where it cannot take them after all, to another: the grant is not lost."""
    connected = f"Connected to company {settings['realm_id']}."
    try:
        file.check(is_of_app(str(settings.get("client_id")), settings["realm_id"]))  # it may have changed meanwhile
        file.commit(settings)
    except (OSError, UsageError) as error:
        why = str(error) if isinstance(error, UsageError) else f"{file.path} cannot be written: {error.strerror}."
        kept = keep_elsewhere(settings, [state_directory(), Path(tempfile.gettempdir())])
        if kept is None:
            raise UsageError(f"{connected} But {why} No other place takes the settings: connect again.") from None
        say(f"{connected} But {why}\nThe settings are in {kept}, readable by you alone.")
        return False
    say(f"{connected} The settings are in {file.path}, readable by you alone.")
    return True


class _Listener(ThreadingHTTPServer):
    """Waits for the one redirect that carries our state; answers everything else with 404.

    No page stands at the address that holds code and state: the redirect is answered by another, to the same address
    without them, and the page is there (RFC 9700 section 4.2.4; Intuit's security requirements).

    Args:
        port: 0 takes a free one.
        state: What the redirect must bring.
        redirect_uri: Where Intuit leads back to; None for the port itself.
    """

    daemon_threads = True  # a client that says nothing must not keep the program from ending

    def __init__(self, port: int, state: str, redirect_uri: str | None) -> None:
        self.state = state
        self.brought: dict[str, str] = {}
        self.is_brought, self.is_seen = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        self.redirect_uri = redirect_uri or f"http://localhost:{self.server_port}{CALLBACK_PATH}"

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the browser see the page that it was led to, if it is on its way, and stop."""
        if self.is_brought.is_set():
            self.is_seen.wait(FOLLOW_S)
        self.shutdown()
        self.server_close()

    def wait(self) -> dict[str, str]:
        """Return the redirect's parameters.

        Raises:
            ConnectorError: Nobody gave consent in time.
        """
        if not self.is_brought.wait(LIFETIME_S):
            raise AuthenticationError("Nobody gave consent within ten minutes. Run the command again.")
        return self.brought

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 5  # a client that says nothing is dropped

    def do_GET(self) -> None:
        """Answer the redirect, and then the request for the address without its parameters."""
        parts = urlsplit(self.path)
        brought = dict(parse_qsl(parts.query))
        server = self.server
        if parts.path == CALLBACK_PATH and "state" not in brought and server.is_brought.is_set():
            if "error" in server.brought:
                self._answer(200, "Not connected", "The terminal says more. You can close this page.")
            else:
                self._answer(200, "Thank you", "The terminal goes on. You can close this page.")
            server.is_seen.set()
        elif parts.path == CALLBACK_PATH and hmac.compare_digest(
            brought.get("state", "").encode(), server.state.encode()
        ):
            if not server.is_brought.is_set():  # the first one counts
                server.brought = brought
                server.is_brought.set()
            self._answer(303, "Taken", "", {"Location": server.redirect_uri})
        else:
            self._answer(404, "Not here", "This page belongs to no consent that is under way.")

    def log_message(self, *_: object) -> None:
        """Write nothing: the address holds a code."""

    def _answer(self, status: int, title: str, text: str, more: Mapping[str, str] = MappingProxyType({})) -> None:
        body = b"" if 300 <= status < 400 else _PAGE.format(title=html.escape(title), text=html.escape(text)).encode()
        self.send_response_only(status)
        for name, value in {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'",
            "Referrer-Policy": "no-referrer",
            **more,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
