"""`vantage-quickbooks webhooks`. Its commands are in `cli.webhook_commands`."""

from __future__ import annotations

import importlib

import click

from vantage_quickbooks.cli.options import Group

__all__ = ["command"]

_COMMANDS = ("serve", "sync", "status", "retry")


@click.group(
    cls=Group,
    examples=(
        ("Receive and sync into files", "vantage-quickbooks webhooks serve --output companies --token-file token.txt"),
        ("What waits, and what failed", "vantage-quickbooks webhooks status"),
    ),
)
def command() -> None:
    """Intuit posts notifications of changed records to an address of yours.

    They are kept in an inbox, --inbox or VANTAGE_QUICKBOOKS_WEBHOOK_INBOX: a file, or a database that several machines
    share. See docs/webhooks.md.
    """


for _name in _COMMANDS:
    _module = importlib.import_module(f"vantage_quickbooks.cli.webhook_commands.{_name}")
    command.add_command(_module.command, _name)
