"""`vantage-quickbooks test`."""

from __future__ import annotations

import sys

import click

from vantage_quickbooks import contract
from vantage_quickbooks.cli.inputs import read_settings
from vantage_quickbooks.cli.options import Command, emulator_option, format_option, settings_option, verbose_option
from vantage_quickbooks.cli.output import (
    FAILURE,
    SUCCESS,
    clean,
    json_text,
    print_error,
    print_warnings,
    report_failure,
    write,
)
from vantage_quickbooks.errors import ConnectorError

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("Settings in a file", "vantage-quickbooks test --settings settings.json"),
        ("Settings in variables, at a local emulator", "vantage-quickbooks test --emulator http://127.0.0.1:8085"),
    ),
)
@settings_option
@format_option("text", "json", default="text", help="Output format; default text.")
@emulator_option
@verbose_option
def command(settings: str | None, format_: str, emulator: str | None) -> int:
    """Prints one line per check. The exit status is 1 if one fails."""
    from vantage_quickbooks.connector.connector import QUICKBOOKS

    given = read_settings(settings, emulator)
    try:
        with QUICKBOOKS.connect(given) as connection:
            found = connection.test()
    except ConnectorError as error:
        return report_failure(contract.envelope(error=error), format_)
    if format_ == "json":
        write(json_text(found))
        return SUCCESS if found["ok"] else FAILURE
    for check in found["checks"]:
        if check["ok"]:
            write(f"ok      {check['name']}: {clean(check['message'])}\n")
        else:
            write(f"FAILED  {check['name']}\n")
            sys.stdout.flush()
            print_error(check["error"])
    print_warnings(found["warnings"])
    return SUCCESS if found["ok"] else FAILURE
