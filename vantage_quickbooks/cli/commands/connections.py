"""`vantage-quickbooks connections`: the registry of connections. Its commands are in `cli.registry_commands`."""

from __future__ import annotations

import importlib

import click

from vantage_quickbooks.cli.options import Group

__all__ = ["command"]

_COMMANDS = ("add", "list", "show", "test", "remove")


@click.group(
    cls=Group,
    examples=(
        (
            "Connect a company and keep its settings in the registry",
            "vantage-quickbooks connect --settings app.json --id acme",
        ),
        ("List the connections", "vantage-quickbooks connections list"),
        ("Use one", "vantage-quickbooks call listInvoices --connection acme"),
    ),
)
def command() -> None:
    """The registry is a folder of settings files or a database with encrypted settings.

    --registry URL names it; default: VANTAGE_QUICKBOOKS_REGISTRY, or a folder in the user's state directory.
    """


for _name in _COMMANDS:
    _module = importlib.import_module(f"vantage_quickbooks.cli.registry_commands.{_name}")
    command.add_command(_module.command, _name)
