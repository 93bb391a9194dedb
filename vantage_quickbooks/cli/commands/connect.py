"""`vantage-quickbooks connect`: consent in the browser; the settings are written to a file or to the registry."""

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

import click

from vantage_quickbooks.cli.connections import RegistryTarget, opened
from vantage_quickbooks.cli.files import SettingsFile, is_of_app, keep_elsewhere
from vantage_quickbooks.cli.inputs import UsageError, read_app_settings
from vantage_quickbooks.cli.options import Command, emulator_option, port_option, registry_option, verbose_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, say
from vantage_quickbooks.errors import (
    AuthenticationError,
    ConnectionNotFoundError,
    ConnectorError,
    DamagedConnectionError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.registry.base import StoredRegistry

    Target = SettingsFile | RegistryTarget

__all__ = ["command"]

CALLBACK_PATH = "/oauth/callback"
LIFETIME_S = 600.0
"""Time to give consent."""

FOLLOW_S = 3.0
"""Time in which the browser follows the redirect to the last page."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>{title}</title><h1>{title}</h1><p>{text}</p>"""


@click.command(
    cls=Command,
    examples=(
        (
            "Client id and secret in app.json; the settings go to company.json",
            "vantage-quickbooks connect --settings app.json --write-settings company.json",
        ),
        (
            "The settings go to the registry, as the connection acme",
            'vantage-quickbooks connect --settings app.json --id acme --label "Acme Ltd"',
        ),
        (
            "On a server: open the printed address in any browser",
            "vantage-quickbooks connect --write-settings company.json --no-browser --redirect-uri https://a.example/cb",
        ),
    ),
)
@click.option("--write-settings", metavar="FILE", type=click.Path(), help="Write the settings to FILE (mode 0600).")
@click.option("--id", "connection_id", metavar="NAME", help="Write them to the registry, as this connection.")
@click.option("--label", metavar="TEXT", help="Display name of the connection in the registry.")
@registry_option
@click.option(
    "--settings",
    metavar="FILE",
    type=click.Path(),
    help="JSON file with client_id and client_secret, if what is replaced does not contain them yet.",
)
@port_option(8765, "Port of the redirect address; default 8765.")
@click.option("--redirect-uri", metavar="URL", help="The registered address, if a proxy forwards it to the port.")
@click.option("--no-browser", is_flag=True, help="Only print the address; do not open a browser.")
@click.option("--force", is_flag=True, help="Overwrite the file or connection regardless of its content.")
@emulator_option
@verbose_option
def command(
    write_settings: str | None,
    connection_id: str | None,
    label: str | None,
    registry: str | None,
    settings: str | None,
    port: int,
    redirect_uri: str | None,
    no_browser: bool,
    force: bool,
    emulator: str | None,
) -> int:
    """Opens Intuit's consent page. The redirect address must be registered with the app at Intuit."""
    if (write_settings is None) == (connection_id is None):
        raise UsageError("Use either --write-settings FILE or --id NAME: where the settings are written.")
    if connection_id is None and (registry, label) != (None, None):
        raise UsageError("--registry and --label need --id NAME: the connection in the registry.")
    try:
        # First the target, then consent: a grant whose settings cannot be written would be lost.
        if connection_id is None:
            path = Path(str(write_settings))
            app = read_app_settings(settings or (str(path) if path.exists() else None), emulator)
            target: Target = SettingsFile(path, is_of_app(str(app.get("client_id"))), force=force)
        else:
            stored = opened(registry)
            app = read_app_settings(settings, emulator, held=None if settings else _held(stored, connection_id))
            is_ours = is_of_app(str(app.get("client_id")))
            target = RegistryTarget(stored, connection_id, label, is_ours, force=force)
        with target:
            filled = _consent(app, port, redirect_uri, opens_browser=not no_browser)
            return SUCCESS if _keep(target, {**app, **filled}) else FAILURE
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE


def _held(registry: StoredRegistry, connection_id: str) -> dict[str, Any] | None:
    """Return the settings of a connection that is connected again; None for a new or damaged one."""
    try:
        return registry.load(connection_id)
    except (ConnectionNotFoundError, DamagedConnectionError):
        return None


def _consent(settings: dict[str, Any], port: int, redirect_uri: str | None, *, opens_browser: bool) -> dict[str, Any]:
    """Ask for consent, wait for the redirect, and return the settings obtained.

    Raises:
        UsageError: The port cannot be used.
        ConnectorError: Nothing was connected.
    """
    from vantage_quickbooks.connector.connector import QUICKBOOKS

    state = secrets.token_urlsafe(32)
    try:
        listener = _Listener(port, state, redirect_uri)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise UsageError(f"Port {port} {why}. Choose another with --port, and register its address.") from None
    with listener:
        redirect_uri = listener.redirect_uri
        url = QUICKBOOKS.authorization_url(settings, redirect_uri=redirect_uri, state=state)
        say(f"Open this address and choose the company:\n\n  {url}\n")
        say(f"The redirect address {redirect_uri} must be registered with the app. Waiting; press Ctrl-C to cancel.")
        if opens_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        parameters = listener.wait()
    if "error" in parameters:
        raise AuthenticationError(
            "Consent was refused. Nothing was connected."
            if parameters["error"] == "access_denied"
            else "Intuit refused the request. Check the scopes and the redirect address of the app.",
            details={"oauthError": parameters["error"][:80]},
        )
    named = QUICKBOOKS.describe()["auth"]["callbackFields"]
    if not parameters.get("code") or not all(parameters.get(parameter) for parameter in named):
        raise AuthenticationError("Intuit's redirect does not name the connected company. Connect again.")
    filled = {name: parameters[parameter] for parameter, name in named.items()}
    return filled | QUICKBOOKS.exchange_code(settings, code=parameters["code"], redirect_uri=redirect_uri)


def _keep(target: Target, settings: dict[str, Any]) -> bool:
    """Write the settings to their target or, if that fails, to a file: the grant must not be lost.

    Returns:
        Whether they are in their target.
    """
    from vantage_quickbooks.auth.stores.base import state_directory

    connected = f"Connected to company {settings['realm_id']}."
    try:
        target.check(is_of_app(str(settings.get("client_id")), settings["realm_id"]))  # it may have changed since
        target.commit(settings)
    except (OSError, UsageError, ConnectorError) as error:
        why = f"{target.describe()} cannot be written: {error.strerror}." if isinstance(error, OSError) else str(error)
        if isinstance(error, ConnectorError):
            why = error.message
        kept = keep_elsewhere(settings, [state_directory(), Path(tempfile.gettempdir())])
        if kept is None:
            raise UsageError(
                f"{connected} But {why} The settings cannot be written anywhere else: connect again."
            ) from None
        say(f"{connected} But {why}\nThe settings are in {kept}, readable by you only.")
        return False
    protection = ", readable by you only" if isinstance(target, SettingsFile) else ""
    say(f"{connected} The settings are in {target.describe()}{protection}.")
    return True


class _Listener(ThreadingHTTPServer):
    """Waits for the redirect with our state; answers every other request with 404.

    The address with code and state shows no page: it redirects to the same address without them, which shows the page
    (RFC 9700 section 4.2.4; Intuit's security requirements).

    Args:
        port: 0 for any free port.
        state: The value that the redirect must contain.
        redirect_uri: The registered redirect address; None for the port itself.
    """

    daemon_threads = True  # an idle client must not block the end of the program

    def __init__(self, port: int, state: str, redirect_uri: str | None) -> None:
        self.state = state
        self.parameters: dict[str, str] = {}
        self.is_redirected, self.is_seen = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        self.redirect_uri = redirect_uri or f"http://localhost:{self.server_port}{CALLBACK_PATH}"

    def __enter__(self) -> Self:
        """Start to listen."""
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the browser has loaded the last page, and stop."""
        if self.is_redirected.is_set():
            self.is_seen.wait(FOLLOW_S)
        self.shutdown()
        self.server_close()

    def wait(self) -> dict[str, str]:
        """Return the redirect's parameters.

        Raises:
            ConnectorError: There was no consent in time.
        """
        if not self.is_redirected.wait(LIFETIME_S):
            raise AuthenticationError("No consent within ten minutes. Run the command again.")
        return self.parameters

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 5  # an idle client is disconnected

    def do_GET(self) -> None:
        """Answer the redirect, and then the request for the address without its parameters."""
        parts = urlsplit(self.path)
        parameters = dict(parse_qsl(parts.query))
        server = self.server
        if parts.path == CALLBACK_PATH and "state" not in parameters and server.is_redirected.is_set():
            if "error" in server.parameters:
                self._answer(200, "Not connected", "The terminal shows the reason. You can close this page.")
            else:
                self._answer(200, "Connected", "You can close this page and return to the terminal.")
            server.is_seen.set()
        elif parts.path == CALLBACK_PATH and hmac.compare_digest(
            parameters.get("state", "").encode(), server.state.encode()
        ):
            if not server.is_redirected.is_set():  # only the first one counts
                server.parameters = parameters
                server.is_redirected.set()
            self._answer(303, "", "", {"Location": server.redirect_uri})
        else:
            self._answer(404, "Not found", "This address does not belong to a consent in progress.")

    def log_message(self, *_: object) -> None:
        """Log nothing: the address contains a code."""

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
