"""`vantage-quickbooks connections remove`."""

from __future__ import annotations

import click

from vantage_quickbooks.cli.connections import connect_registered, opened
from vantage_quickbooks.cli.options import Command, complete_connection, emulator_option, registry_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, write
from vantage_quickbooks.errors import ConnectorError

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("Delete the settings here", "vantage-quickbooks connections remove acme"),
        ("End the grant at Intuit first", "vantage-quickbooks connections remove acme --revoke"),
    ),
)
@click.argument("connection_id", metavar="ID", shell_complete=complete_connection)
@click.option("--revoke", is_flag=True, help="First revoke the grant at Intuit and delete the stored tokens.")
@registry_option
@emulator_option
def command(connection_id: str, revoke: bool, registry: str | None, emulator: str | None) -> int:
    """Remove a connection from the registry.

    Without --revoke, the grant at Intuit stays valid, and the tokens stay in the token store. If it cannot be revoked,
    nothing is removed.
    """
    try:
        with opened(registry) as found:
            if revoke:
                with connect_registered(found, connection_id, emulator) as connection:
                    write(f"{connection_id}: {connection.disconnect()['message']}\n")
            found.remove(connection_id)
            write(f"{connection_id}: removed from {found.describe()}.\n")
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    return SUCCESS
