"""`vantage-quickbooks serve`: the web UI; with `--demo`, on a local QuickBooks with a sample company."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from vantage_quickbooks.cli.connections import opened
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.options import (
    Command,
    log_to_stderr,
    metrics_key_option,
    port_option,
    read_metrics_key,
    registry_option,
)
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, require, write
from vantage_quickbooks.cli.signals import stopped_by_signals
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from vantage_quickbooks.web.security import Sessions

__all__ = ["command"]

DEMO_ID = "demo"


@click.command(
    cls=Command,
    examples=(
        ("A local QuickBooks with a sample company; keeps nothing", "vantage-quickbooks serve --demo"),
        ("Your own companies, on another port", "vantage-quickbooks serve --port 9000"),
        ("The companies of a folder", "vantage-quickbooks serve --registry /srv/companies"),
        (
            "Behind a reverse proxy",
            "vantage-quickbooks serve --host 0.0.0.0 --public-url https://vantage.example.com",
        ),
    ),
)
@click.option("--demo", is_flag=True, help="Use a local QuickBooks with a sample company; keep nothing.")
@click.option("--emulator", metavar="URL", help="Use the local emulator at this address.")
@port_option(8765, "Port; default 8765. 0 for any free port.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on; default: this machine only.")
@click.option("--public-url", metavar="URL", help="The address that browsers use, behind a proxy.")
@registry_option
@click.option(
    "--data",
    metavar="DIR",
    type=click.Path(),
    help="Where the web UI keeps its own data, encrypted; default: the user's state directory.",
)
@metrics_key_option
@click.option("-v", "--verbose", is_flag=True, help="Log requests, without their query strings.")
def command(
    demo: bool,
    emulator: str | None,
    port: int,
    host: str | None,
    public_url: str | None,
    registry: str | None,
    data: str | None,
    metrics_key_file: str | None,
    verbose: bool,
) -> int:
    """Prints an address with a key: open it in a browser.

    It shows and changes the connections of the registry, those that --connection names.
    """
    if demo and emulator:
        raise UsageError("--demo and --emulator cannot be combined: --demo starts its own emulator.")
    if demo and registry:
        raise UsageError("--demo and --registry cannot be combined: --demo keeps nothing.")
    extras = {"emulator": ("lark", "yaml", "reportlab")} if demo else {}
    require("The web UI needs", web=("starlette", "uvicorn", "jinja2", "cryptography"), **extras)
    if verbose:
        log_to_stderr()
    if emulator:
        os.environ["VANTAGE_QUICKBOOKS_EMULATOR_URL"] = emulator  # read by the connector of this process
    checked_url = _checked_url(public_url)
    key = read_metrics_key(metrics_key_file)
    try:
        with stopped_by_signals():
            _serve(host, port, checked_url, data, registry, key, is_demo=demo, is_verbose=verbose)
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    return SUCCESS


def _serve(
    address: str | None,
    port: int,
    public_url: str | None,
    data: str | None,
    registry_url: str | None,
    metrics_key: str | None,
    *,
    is_demo: bool,
    is_verbose: bool,
) -> None:
    from vantage_quickbooks.cli.web_connections import CONNECTOR_ID, RegistryConnections
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.rows import ResultsError
    from vantage_quickbooks.web.server import bind, make_sessions, serve
    from vantage_quickbooks.web.store import Store, StoreError, default_directory

    with contextlib.ExitStack() as stack:
        try:
            sockets = [stack.enter_context(bound) for bound in bind(address, port)]
        except OSError as error:
            raise UsageError(_why_not_bound(address, port, error)) from None
        demo = _start_emulator(stack) if is_demo else None
        directory = Path(data) if data else default_directory()
        if demo:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vantage-demo-")))
            registry_url = str(directory / "connections")
        registry = stack.enter_context(opened(registry_url))
        connections = RegistryConnections(registry, None if demo else registry_url)
        try:
            host = Host(Store(directory), shared={CONNECTOR_ID: connections})
        except StoreError as error:
            raise UsageError(str(error)) from None
        if demo:
            host.save(CONNECTOR_ID, demo[0], dict(demo[1]), DEMO_ID)
        sessions = make_sessions(address, sockets[0].getsockname()[1], public_url, metrics_key)
        place = "nothing is stored (demo)" if demo else registry.describe()

        def on_ready(sessions: Sessions) -> None:
            write(how_to(sessions, place, is_demo=is_demo, is_open=address is not None))
            sys.stdout.flush()

        try:
            serve(host, sessions, sockets, on_ready=on_ready, is_verbose=is_verbose)
        except ResultsError as error:
            raise UsageError(str(error)) from None


def how_to(sessions: Sessions, place: str, *, is_demo: bool, is_open: bool) -> str:
    """Return how to open the web UI."""
    warning = "\n  Other machines can reach this address. Only the key in it protects it.\n" if is_open else ""
    what = ", on a local QuickBooks with a sample company" if is_demo else ""
    return f"""\
The web UI is running{what}. Press Ctrl-C to stop it.

  open      {sessions.sign_in_url}
  API       {sessions.base_url}/api/openapi.json, the key is the bearer token
  registry  {place}
{warning}"""


def _start_emulator(stack: contextlib.ExitStack) -> tuple[str, dict[str, str]]:
    """Start a local QuickBooks that the connector of this process uses, until the stack is closed."""
    from vantage_quickbooks.emulator import Emulator

    emulator = stack.enter_context(Emulator(rotation="always", limits="strict"))
    variables = {"EMULATOR_URL": emulator.url, "TOKEN_STORE": "memory:"}
    os.environ.update({f"VANTAGE_QUICKBOOKS_{name}": value for name, value in variables.items()})
    return emulator.company().name(), emulator.credentials()


def _checked_url(text: str | None) -> str | None:
    if text is None:
        return None
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise UsageError("--public-url must be a scheme and a host: https://vantage.example.com")
    return f"{parts.scheme}://{parts.netloc}"


def _why_not_bound(address: str | None, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Choose another with --port, or 0 for any free port."
    return f"Cannot listen on {address or 'localhost'}, port {port}: {error.strerror or error}."
