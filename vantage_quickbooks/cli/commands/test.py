"""`vantage-quickbooks test`."""

from __future__ import annotations

import click

from vantage_quickbooks import contract
from vantage_quickbooks.cli.connections import connect
from vantage_quickbooks.cli.options import (
    Command,
    connection_option,
    emulator_option,
    format_option,
    settings_option,
    verbose_option,
)
from vantage_quickbooks.cli.output import (
    FAILURE,
    SUCCESS,
    json_text,
    print_checks,
    report_failure,
    write,
)
from vantage_quickbooks.errors import ConnectorError

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("Settings in a file", "vantage-quickbooks test --settings settings.json"),
        ("A connection of the registry", "vantage-quickbooks test --connection acme"),
        ("Settings in variables, at a local emulator", "vantage-quickbooks test --emulator http://127.0.0.1:8085"),
    ),
)
@settings_option
@connection_option
@format_option("text", "json", default="text", help="Output format; default text.")
@emulator_option
@verbose_option
def command(
    settings: str | None, connection: str | None, registry: str | None, format_: str, emulator: str | None
) -> int:
    """Prints one line per check. The exit status is 1 if one fails."""
    try:
        with connect(settings, connection, registry, emulator) as tested:
            found = tested.test()
    except ConnectorError as error:
        return report_failure(contract.envelope(error=error), format_)
    if format_ == "json":
        write(json_text(found))
        return SUCCESS if found["ok"] else FAILURE
    print_checks(found)
    return SUCCESS if found["ok"] else FAILURE
