"""`vantage-quickbooks describe`."""

from __future__ import annotations

import click

from vantage_quickbooks.cli.options import Command
from vantage_quickbooks.cli.output import SUCCESS, json_text, write

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("All of it, indented", "vantage-quickbooks describe"),
        ("To a file", "vantage-quickbooks describe > quickbooks.json"),
    ),
)
def command() -> int:
    """What a host reads to render and check settings, inputs and results."""
    from vantage_quickbooks.connector.connector import QUICKBOOKS

    write(json_text(QUICKBOOKS.describe()))
    return SUCCESS
