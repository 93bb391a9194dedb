"""`vantage-quickbooks connections list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vantage_quickbooks.cli.connections import opened
from vantage_quickbooks.cli.options import Command, format_option, registry_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, clean, json_text, print_error, say, write
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vantage_quickbooks.registry import ConnectionEntry

__all__ = ["command"]

_HEADINGS = ("ID", "COMPANY", "ENVIRONMENT", "LABEL")


@click.command(
    cls=Command,
    examples=(
        ("The registry that VANTAGE_QUICKBOOKS_REGISTRY names", "vantage-quickbooks connections list"),
        (
            "A folder of settings files, for a program",
            "vantage-quickbooks connections list --registry dir --format json",
        ),
    ),
)
@registry_option
@format_option("text", "json", default="text", help="Output format; default text.")
def command(registry: str | None, format_: str) -> int:
    """List the connections of the registry.

    Prints no secret. The exit status is 1 if an entry cannot be used; the other entries are listed.
    """
    try:
        with opened(registry) as found:
            entries, where = found.list(), found.describe()
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    if format_ == "json":
        write(json_text([entry.to_dict() for entry in entries]))
    elif entries:
        _print(entries)
    else:
        say(f"There are no connections in {where}. To add one, run: vantage-quickbooks connect --id NAME")
    return FAILURE if any(entry.error for entry in entries) else SUCCESS


def _print(entries: Sequence[ConnectionEntry]) -> None:
    """Write the entries as columns, then the errors on standard error."""
    rows = [
        (entry.id, entry.realm_id or "?", entry.environment or "?", "unusable" if entry.error else entry.label or "")
        for entry in entries
    ]
    table = [_HEADINGS, *(tuple(clean(text) for text in row) for row in rows)]
    widths = [max(len(row[number]) for row in table) for number in range(len(_HEADINGS))]
    for row in table:
        write("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() + "\n")
    for entry in entries:
        if entry.error:
            say(f"\n{clean(entry.id)}:")
            print_error(entry.error.to_dict())
