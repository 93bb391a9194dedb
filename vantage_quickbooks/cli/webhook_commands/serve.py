"""`vantage-quickbooks webhooks serve`."""

from __future__ import annotations

import contextlib
import errno
import sys
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.options import (
    Command,
    format_server_logs,
    log_format_option,
    log_to_stderr,
    metrics_key_option,
    port_option,
    read_metrics_key,
)
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, write
from vantage_quickbooks.cli.signals import stopped_by_signals
from vantage_quickbooks.cli.verifier_tokens import VerifierTokens
from vantage_quickbooks.cli.webhook_inbox import inbox_option, make_inbox, make_worker, sync_options
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    import socket

__all__ = ["command"]

_EPILOG = """\
\b
The verifier token of the app is in the file of --token-file, one a line while
one replaces another, or in the variable VANTAGE_QUICKBOOKS_WEBHOOK_TOKEN.

\b
Intuit posts to https addresses only: put a proxy with a certificate in front.
GET /healthz answers 200 while notifications can be kept. GET /metrics is for
Prometheus: with the key of --metrics-key-file, without one from this machine.
"""


@click.command(
    cls=Command,
    epilog=_EPILOG,
    examples=(
        ("Sync into files, as `sync --all` does", "vantage-quickbooks webhooks serve --output companies"),
        ("Sync into a database", "vantage-quickbooks webhooks serve --to duckdb:///companies.duckdb"),
        (
            "Receive only, behind a proxy on another machine",
            "vantage-quickbooks webhooks serve --no-sync --host 0.0.0.0",
        ),
    ),
)
@click.option("--token-file", metavar="FILE", type=click.Path(), help="File that contains the verifier token.")
@inbox_option
@sync_options
@click.option("--no-sync", is_flag=True, help="Receive only; `webhooks sync` with the same inbox syncs.")
@port_option(8767, "Port; default 8767. 0 for any free port.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on; default: this machine only.")
@metrics_key_option
@log_format_option
@click.option("-v", "--verbose", is_flag=True, help="Log requests and syncs.")
def command(
    token_file: str | None,
    metrics_key_file: str | None,
    inbox: str | None,
    window: float,
    no_sync: bool,
    port: int,
    host: str | None,
    verbose: bool,
    **given: Any,
) -> int:
    """Keeps each notification before it answers, so that none is lost.

    Each company of the registry is synced when notices of it arrive, and otherwise once a day.
    """
    if no_sync:
        _check_receives_only(given)
    tokens = VerifierTokens(token_file)
    key = read_metrics_key(metrics_key_file)
    try:
        kept = make_inbox(inbox, window_s=window)
        if verbose:
            log_to_stderr()
        with stopped_by_signals(), contextlib.ExitStack() as stack:
            worker = None if no_sync else stack.enter_context(make_worker(kept, given))
            from vantage_quickbooks.webhooks.app import WebhookApp
            from vantage_quickbooks.webhooks.server import serve_app

            app = WebhookApp(kept, tokens, worker=worker, metrics_key=key)
            sockets = [stack.enter_context(bound) for bound in _bind(host, port)]
            shown = f"http://{host or 'localhost'}:{sockets[0].getsockname()[1]}/"
            kept.prepare()

            def on_ready() -> None:
                syncs = "another process" if worker is None else "this process"
                write(
                    "The webhook receiver is running. Press Ctrl-C to stop it.\n\n"
                    f"  address  {shown}\n  inbox    {kept.describe()}\n  synced   by {syncs}\n"
                )
                sys.stdout.flush()
                format_server_logs()

            try:
                serve_app(app, sockets, on_ready=on_ready, is_verbose=verbose)
            finally:
                app.close()
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    return SUCCESS


def _check_receives_only(given: dict[str, Any]) -> None:
    """Check that no option of the syncs is given: they run in another process.

    Raises:
        UsageError: One is.
    """
    context = click.get_current_context()
    found = [
        option.opts[0]
        for option in context.command.params
        if option.name in given and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]
    if found:
        raise UsageError(
            f"{' and '.join(found)} cannot be combined with --no-sync: companies are synced by `webhooks sync`, "
            "which takes these options."
        )


def _bind(host: str | None, port: int) -> list[socket.socket]:
    from vantage_quickbooks.http_server import bind

    try:
        return bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"Port {port} is in use. Choose another with --port, or 0 for any free port.") from None
        reason = error.strerror or error
        raise UsageError(f"Cannot listen on {host or 'localhost'}, port {port}: {reason}.") from None
