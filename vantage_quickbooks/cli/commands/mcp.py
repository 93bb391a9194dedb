"""`vantage-quickbooks mcp`."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vantage_quickbooks.cli.inputs import UsageError, read_settings
from vantage_quickbooks.cli.options import (
    Command,
    emulator_option,
    log_to_stderr,
    port_option,
    registry_option,
    settings_option,
)
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, require, write
from vantage_quickbooks.cli.signals import stopped_by_signals
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    import socket

    from vantage_quickbooks.adapters.mcp.tools import Session
    from vantage_quickbooks.config.deployment import Deployment
    from vantage_quickbooks.registry.base import ConnectionRegistry

__all__ = ["command"]

TOKEN_VARIABLE = "VANTAGE_QUICKBOOKS_MCP_TOKEN"
MIN_TOKEN_LENGTH = 16
ONLY_COMPANY = "default"
"""The id of the company of `--settings`."""

_EPILOG = """\
\b
Tools: companies, company_info, find, list, summary, get, changes, query,
report, explain. All of them only read.

\b
The token of --http is in the file of --token-file, or in the variable
VANTAGE_QUICKBOOKS_MCP_TOKEN; otherwise a new one is printed once.
"""


@click.command(
    cls=Command,
    epilog=_EPILOG,
    examples=(
        ("All companies of the registry, for a client that starts this command", "vantage-quickbooks mcp"),
        ("One company", "vantage-quickbooks mcp --settings settings.json"),
        ("Over HTTP, with a token of your own", "vantage-quickbooks mcp --http --token-file token.txt"),
    ),
)
@settings_option
@registry_option
@click.option("--http", "is_http", is_flag=True, help="Serve streamable HTTP on this machine, in place of stdio.")
@port_option(8766, "Port of --http; default 8766. 0 for any free port.")
@click.option("--token-file", metavar="FILE", type=click.Path(), help="File that contains the bearer token of --http.")
@click.option(
    "--results",
    metavar="DIR",
    type=click.Path(),
    help="Where saved results are kept; default: a temporary directory, deleted at the end.",
)
@emulator_option
@click.option("-v", "--verbose", is_flag=True, help="Write logs to standard error.")
def command(
    settings: str | None,
    registry: str | None,
    is_http: bool,
    port: int,
    token_file: str | None,
    results: str | None,
    emulator: str | None,
    verbose: bool,
) -> int:
    """Offers companies to AI agents, by the Model Context Protocol. See docs/agents.md."""
    require("The server needs", mcp=("mcp", "uvicorn"))
    if verbose:
        log_to_stderr()
    else:
        logging.getLogger("mcp").setLevel(logging.ERROR)
    if settings is not None and registry is not None:
        raise UsageError("--settings and --registry cannot be combined: each names the companies.")
    if settings == "-" and not is_http:
        raise UsageError("--settings - needs --http: over stdio, standard input carries the protocol.")
    if token_file is not None and not is_http:
        raise UsageError("--token-file needs --http: over stdio, the client starts the server itself.")
    given = _token(token_file) if is_http else None
    from vantage_quickbooks.config.deployment import Deployment

    is_interrupted = True
    try:
        with stopped_by_signals(), contextlib.ExitStack() as stack:
            deployment = Deployment.from_environ()
            if emulator:
                deployment = replace(deployment, emulator_url=emulator)
            served = _registry(stack, settings, registry, emulator)
            session = _session(stack, served, deployment, Path(results) if results else None)
            if is_http:
                _serve_http(session, port, given, is_verbose=verbose)
            else:
                from vantage_quickbooks.adapters.mcp.server import serve_stdio

                serve_stdio(session)
            is_interrupted = False
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    if is_interrupted and not is_http:
        os._exit(SUCCESS)  # a thread of the SDK reads standard input, and Python would wait until that is closed
    return SUCCESS


def _registry(
    stack: contextlib.ExitStack, settings: str | None, registry: str | None, emulator: str | None
) -> ConnectionRegistry:
    """Return the registry to serve; a settings file is a registry of one company.

    Raises:
        UsageError: The file does not exist.
        ConnectorError: The registry or the settings cannot be used.
    """
    if settings is None:
        from vantage_quickbooks.cli.connections import opened

        return stack.enter_context(opened(registry))
    from vantage_quickbooks.config.settings import Settings
    from vantage_quickbooks.registry import HostRegistry

    held = {ONLY_COMPANY: read_settings(settings, emulator)}
    Settings.parse(held[ONLY_COMPANY])
    return stack.enter_context(HostRegistry(held.get, list=lambda: held))


def _session(
    stack: contextlib.ExitStack, served: ConnectionRegistry, deployment: Deployment, results: Path | None
) -> Session:
    from vantage_quickbooks.adapters.mcp.companies import Companies
    from vantage_quickbooks.adapters.mcp.results import Results
    from vantage_quickbooks.adapters.mcp.tools import Session

    companies = Companies(served, deployment)
    stack.callback(companies.close)
    saved = Results(results)
    stack.callback(saved.close)
    return Session(companies, saved)


def _serve_http(session: Session, port: int, given: str | None, *, is_verbose: bool) -> None:
    from vantage_quickbooks.adapters.mcp.http import serve_http

    token = given or secrets.token_urlsafe(32)
    with _bound(port) as bound:

        def on_ready(url: str) -> None:
            shown = "as configured" if given else token
            write(f"The MCP server is running. Press Ctrl-C to stop it.\n\n  URL    {url}\n  token  {shown}\n")
            sys.stdout.flush()

        serve_http(session, bound, token, on_ready=on_ready, is_verbose=is_verbose)


def _bound(port: int) -> socket.socket:
    from vantage_quickbooks.adapters.mcp.http import bind

    try:
        return bind(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"Port {port} is in use. Choose another with --port, or 0 for any free port.") from None
        raise UsageError(f"Cannot listen on port {port}: {error.strerror or error}.") from None


def _token(file: str | None) -> str | None:
    """Return the token of the file or the environment variable; None if there is none.

    Raises:
        UsageError: The file cannot be read, or the token is too short or has other than visible ASCII characters.
    """
    where = file or TOKEN_VARIABLE
    try:
        text = os.environ.get(TOKEN_VARIABLE, "") if file is None else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"The token file {file} cannot be read.") from None
    token = text.strip()
    if file is None and not token:
        return None
    if len(token) < MIN_TOKEN_LENGTH or not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(f"The token in {where} must have at least {MIN_TOKEN_LENGTH} visible ASCII characters.")
    return token
