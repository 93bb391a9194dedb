"""`vantage-quickbooks connections add`."""

from __future__ import annotations

import click

from vantage_quickbooks.cli.connections import opened
from vantage_quickbooks.cli.inputs import read_settings
from vantage_quickbooks.cli.options import Command, registry_option, settings_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, print_warnings, write
from vantage_quickbooks.errors import ConnectorError

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("A settings file, as the connection acme", "vantage-quickbooks connections add acme --settings company.json"),
        (
            "With a display name; replace the connection if it exists",
            'vantage-quickbooks connections add acme --label "Acme Ltd" --replace --settings company.json',
        ),
    ),
)
@click.argument("connection_id", metavar="ID")
@settings_option
@click.option("--label", metavar="TEXT", help="A display name.")
@click.option("--replace", is_flag=True, help="Replace the settings of the connection if it exists.")
@registry_option
def command(connection_id: str, settings: str | None, label: str | None, replace: bool, registry: str | None) -> int:
    """Add a connection to the registry. Sends nothing.

    The settings are checked first; invalid ones are not stored.
    """
    from vantage_quickbooks.connector.connector import QUICKBOOKS

    given = read_settings(settings)
    try:
        with opened(registry) as found:
            found.add(connection_id, given, label, replace=replace)
            write(f"{connection_id}: added to {found.describe()}.\n")
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    print_warnings(QUICKBOOKS.validate(given)["warnings"])
    return SUCCESS
