"""`vantage-quickbooks validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vantage_quickbooks.cli.inputs import read_settings_file
from vantage_quickbooks.cli.options import Command, format_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, json_text, print_error, print_warnings, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("Check a file", "vantage-quickbooks validate settings.json"),
        ("Check standard input, for a program", "vantage-quickbooks validate - --format json"),
    ),
)
@click.argument("file", metavar="FILE", type=click.Path())
@format_option("text", "json", default="text", help="Output format; default text.")
def command(file: str, format_: str) -> int:
    """FILE is a JSON file with the settings; - reads standard input."""
    from vantage_quickbooks.connector.connector import QUICKBOOKS

    found = QUICKBOOKS.validate(read_settings_file(file))
    if format_ == "json":
        write(json_text(found))
    elif found["valid"]:
        write("Settings are valid.\n")
        print_warnings(found["warnings"])
    else:
        print_error(_as_error(found["fields"]))
    return SUCCESS if found["valid"] else FAILURE


def _as_error(fields: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {"code": "SETTINGS_INVALID", "message": "", "fields": fields, "retryable": False, "details": {}}
