"""`vantage-quickbooks demo`."""

from __future__ import annotations

import click

from vantage_quickbooks.cli.options import Command
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, require

__all__ = ["command"]


@click.command(cls=Command, examples=(("Takes a few seconds", "vantage-quickbooks demo"),))
def command() -> int:
    """Needs no QuickBooks company, no settings and no network. The exit status is 1 if a check fails."""
    require("The demo needs", emulator=("lark", "yaml", "reportlab"), cli=("rich",))
    from vantage_quickbooks.cli import demo

    return SUCCESS if demo.run() else FAILURE
