"""`vantage-quickbooks webhooks sync`."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import Any

import click

from vantage_quickbooks.cli.options import Command, verbose_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, write
from vantage_quickbooks.cli.signals import stopped_by_signals
from vantage_quickbooks.cli.webhook_inbox import inbox_option, make_inbox, make_worker, sync_options
from vantage_quickbooks.errors import ConnectorError

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("Until Ctrl-C", "vantage-quickbooks webhooks sync --output companies"),
        ("What is due now, from a scheduler", "vantage-quickbooks webhooks sync --output companies --once"),
    ),
)
@inbox_option
@sync_options
@click.option("--once", is_flag=True, help="Sync what is due now, and exit.")
@verbose_option
def command(inbox: str | None, window: float, once: bool, **given: Any) -> int:
    """Syncs companies whose notices are in the inbox, for `webhooks serve --no-sync`.

    Several processes can do so at the same time: each company is synced by one of them.
    """
    try:
        kept = make_inbox(inbox, window_s=window)
        with contextlib.nullcontext() if once else stopped_by_signals(), make_worker(kept, given) as worker:
            kept.prepare()
            try:
                if once:
                    count, failures = worker.run_due(), worker.stats["failures"]
                    write(f"{count:,} {'company' if count == 1 else 'companies'} due, {failures:,} failed.\n")
                    return FAILURE if failures else SUCCESS
                write(
                    f"Companies are synced when notices arrive. Press Ctrl-C to stop.\n\n  inbox  {kept.describe()}\n"
                )
                sys.stdout.flush()
                worker.start()
                threading.Event().wait()
            finally:
                worker.stop()
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    return SUCCESS
