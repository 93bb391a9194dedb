"""`vantage-quickbooks webhooks retry`."""

from __future__ import annotations

import click

from vantage_quickbooks.cli.options import Command
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, write
from vantage_quickbooks.cli.webhook_inbox import inbox_option, make_inbox
from vantage_quickbooks.errors import ConnectorError

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("All", "vantage-quickbooks webhooks retry"),
        ("One company, after its user has connected it again", "vantage-quickbooks webhooks retry 9341450000000017"),
    ),
)
@click.argument("realm_id", metavar="[REALM]", required=False)
@inbox_option
def command(realm_id: str | None, inbox: str | None) -> int:
    """Hand dead letters on again, and companies that failed, without waiting for the end of their pause."""
    try:
        count = make_inbox(inbox).revive(realm_id)
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    write(f"{count:,} dead {'notice waits' if count == 1 else 'notices wait'} again.\n")
    return SUCCESS
