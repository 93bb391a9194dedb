"""`vantage-quickbooks serve`: the web UI; with `--demo`, on a local QuickBooks with a sample company."""

from __future__ import annotations

import contextlib
import errno
import json
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
    access_key_option,
    format_server_logs,
    log_format_option,
    log_to_stderr,
    metrics_key_option,
    port_option,
    read_access_key,
    read_metrics_key,
    registry_option,
)
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, is_installed, print_error, require, write
from vantage_quickbooks.cli.signals import stopped_by_signals
from vantage_quickbooks.cli.verifier_tokens import VerifierTokens, has_tokens
from vantage_quickbooks.cli.web_syncs import FolderSyncs, sync_target_of
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vantage_quickbooks.cli.web_syncs import TableSyncs
    from vantage_quickbooks.emulator import Emulator
    from vantage_quickbooks.web.security import Sessions

__all__ = ["command"]

DEMO_ID = "demo"
DEMO_MERGE_S = 0.2
"""How long the sample company collects changes into one notification; Intuit does so for seconds to minutes."""

_EPILOG = """\
\b
With a verifier token, the server receives Intuit's webhooks at /webhooks,
and pages update by themselves. The token is in the file of
--webhook-token-file, or in VANTAGE_QUICKBOOKS_WEBHOOK_TOKEN.
"""


@click.command(
    cls=Command,
    epilog=_EPILOG,
    examples=(
        ("A local QuickBooks with a sample company; keeps nothing", "vantage-quickbooks serve --demo"),
        ("Your own companies, on another port", "vantage-quickbooks serve --port 9000"),
        ("With a folder for copies of companies", "vantage-quickbooks serve --sync-output copies"),
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
@click.option(
    "--sync-output",
    metavar="DIR",
    type=click.Path(),
    help='Directory to which "Sync now" writes a copy of each company, as `sync --all --output` does.',
)
@click.option("--to", metavar="DESTINATION", help='Tables into which "Sync now" loads, as `sync --to` does.')
@click.option(
    "--webhook-token-file",
    metavar="FILE",
    type=click.Path(),
    help="File that contains the verifier token of webhooks.",
)
@access_key_option
@metrics_key_option
@log_format_option
@click.option("-v", "--verbose", is_flag=True, help="Log requests, without their query strings.")
def command(
    demo: bool,
    emulator: str | None,
    port: int,
    host: str | None,
    public_url: str | None,
    registry: str | None,
    data: str | None,
    sync_output: str | None,
    to: str | None,
    webhook_token_file: str | None,
    access_key_file: str | None,
    metrics_key_file: str | None,
    verbose: bool,
) -> int:
    """Prints an address with a key: open it in a browser. A key of your own is not printed; the page asks for it.

    It shows and changes the connections of the registry, those that --connection names.
    """
    if demo and emulator:
        raise UsageError("--demo and --emulator cannot be combined: --demo starts its own emulator.")
    if demo and registry:
        raise UsageError("--demo and --registry cannot be combined: --demo keeps nothing.")
    extras = {"emulator": ("lark", "yaml", "reportlab")} if demo else {}
    require("The web UI needs", web=("starlette", "uvicorn", "jinja2", "cryptography"), **extras)
    tokens: Sequence[str] | Callable[[], Sequence[str]] | None = None
    if not demo and has_tokens(webhook_token_file):
        tokens = VerifierTokens(webhook_token_file, "--webhook-token-file")
        require("Webhooks need", webhooks=("sqlalchemy", "uvicorn"))
    if verbose:
        log_to_stderr()
    if emulator:
        os.environ["VANTAGE_QUICKBOOKS_EMULATOR_URL"] = emulator  # read by the connector of this process
    checked_url = _checked_url(public_url)
    keys = read_metrics_key(metrics_key_file), read_access_key(access_key_file)
    try:
        with stopped_by_signals():
            sync_target = sync_target_of(sync_output, to)
            _serve(host, port, checked_url, data, registry, tokens, keys, sync_target, is_demo=demo, is_verbose=verbose)
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
    tokens: Sequence[str] | Callable[[], Sequence[str]] | None,
    keys: tuple[str | None, str | None],
    sync_target: FolderSyncs | TableSyncs | None,
    *,
    is_demo: bool,
    is_verbose: bool,
) -> None:
    from vantage_quickbooks.cli.sync_watcher import SyncWatcher
    from vantage_quickbooks.cli.web_connections import CONNECTOR_ID, RegistryConnections
    from vantage_quickbooks.cli.web_webhooks import PATH, receiving
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.rows import ResultsError
    from vantage_quickbooks.web.server import bind, make_sessions, serve
    from vantage_quickbooks.web.store import Store, StoreError, default_directory

    with contextlib.ExitStack() as stack:
        try:
            sockets = [stack.enter_context(bound) for bound in bind(address, port)]
        except OSError as error:
            raise UsageError(_why_not_bound(address, port, error)) from None
        emulator = _start_emulator(stack) if is_demo else None
        directory = Path(data) if data else default_directory()
        if emulator:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vantage-demo-")))
            registry_url = str(directory / "connections")
        registry = stack.enter_context(opened(registry_url))
        connections = RegistryConnections(registry, None if emulator else registry_url)
        try:
            sync_target = sync_target or (FolderSyncs(str(directory / "copies")) if emulator else None)
            host = Host(Store(directory), shared={CONNECTOR_ID: connections}, sync_target=sync_target)
        except StoreError as error:
            raise UsageError(str(error)) from None
        if emulator:
            host.save(CONNECTOR_ID, emulator.company().name(), emulator.credentials(), DEMO_ID)
            tokens = [emulator.webhooks.verifier_token] if is_installed("sqlalchemy") else None
        if isinstance(sync_target, FolderSyncs):
            stack.enter_context(SyncWatcher(host.events, sync_target))
        local_port = sockets[0].getsockname()[1]
        sessions = make_sessions(address, local_port, public_url, *keys)
        mounts = {}
        if tokens is not None:
            # Two servers must not share an inbox, or one would take the notices of the other.
            inbox = _inbox_directory(stack, directory, is_temporary=port == 0) / f"webhooks-{local_port}.sqlite3"
            mounts[PATH] = stack.enter_context(receiving(host, registry, tokens, inbox))
        place = "nothing is stored (demo)" if emulator else registry.describe()

        def on_ready(sessions: Sessions) -> None:
            demo = ""
            if emulator and mounts:
                emulator.subscribe(f"http://{_local_address(address)}:{local_port}{PATH}", merge_s=DEMO_MERGE_S)
                demo = how_to_see_it_live(emulator.url)
            has_webhooks = bool(mounts) and not emulator
            write(
                how_to(sessions, place, is_demo=is_demo, is_open=address is not None, has_webhooks=has_webhooks) + demo
            )
            sys.stdout.flush()
            format_server_logs()

        try:
            serve(host, sessions, sockets, on_ready=on_ready, is_verbose=is_verbose, mounts=mounts)
        except ResultsError as error:
            raise UsageError(str(error)) from None


def how_to(sessions: Sessions, place: str, *, is_demo: bool, is_open: bool, has_webhooks: bool = False) -> str:
    """Return how to open the web UI."""
    warning = "\n  Other machines can reach this address. Only the key protects it.\n" if is_open else ""
    webhooks = ""
    if has_webhooks:
        webhooks = f"  webhooks  {sessions.base_url}/webhooks, for Intuit's portal; pages update by themselves\n"
    what = ", on a local QuickBooks with a sample company" if is_demo else ""
    url = f"{sessions.base_url}/, and enter your access key" if sessions.is_key_chosen else sessions.sign_in_url
    return f"""\
The web UI is running{what}. Press Ctrl-C to stop it.

  open      {url}
  API       {sessions.base_url}/api/openapi.json, the key is the bearer token
  registry  {place}
{webhooks}{warning}"""


def how_to_see_it_live(emulator_url: str) -> str:
    """Return how to change something in the sample company."""
    line = {"DetailType": "SalesItemLineDetail", "Amount": 480, "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    steps = [{"create": "Invoice", "record": {"CustomerRef": {"value": "1"}, "Line": [line]}}]
    return f"""\
  emulator  {emulator_url}/

Pages update by themselves. Open the invoices, and create one in another terminal:

  curl -d '{json.dumps({"steps": steps})}' {emulator_url}/_emulator/scenario

"""


def _inbox_directory(stack: contextlib.ExitStack, directory: Path, *, is_temporary: bool) -> Path:
    """Return where the inbox is; the notices for a port that changes at each start are not kept."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vantage-web-"))) if is_temporary else directory


def _local_address(address: str | None) -> str:
    """Return an address of this machine at which the server listens."""
    if address in {None, "0.0.0.0", ""}:  # noqa: S104 -- compared, not bound
        return "127.0.0.1"
    return f"[{'::1' if address == '::' else address}]" if ":" in str(address) else str(address)


def _start_emulator(stack: contextlib.ExitStack) -> Emulator:
    """Start a local QuickBooks that the connector of this process uses, until the stack is closed."""
    from vantage_quickbooks.emulator import Emulator

    emulator = stack.enter_context(Emulator(rotation="always", limits="strict"))
    variables = {"EMULATOR_URL": emulator.url, "TOKEN_STORE": "memory:"}
    os.environ.update({f"VANTAGE_QUICKBOOKS_{name}": value for name, value in variables.items()})
    return emulator


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
