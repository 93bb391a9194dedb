"""The table of commands. A command's module is imported only when the command is used."""

from __future__ import annotations

import difflib
import importlib
import inspect
from functools import cache
from typing import Any

import click

from vantage_quickbooks.cli.options import Group

__all__ = ["COMMANDS", "app"]

COMMANDS = {
    "call": "Run an action and print its result.",
    "sync": "Read what changed in a company since the last sync.",
    "cost": "Estimate metered calls and dollars of syncing companies.",
    "actions": "List the actions, or the inputs of one action.",
    "connect": "Connect a company and store its settings.",
    "connections": "List, add, remove and test the connections of a registry.",
    "validate": "Check a settings file. Sends nothing.",
    "test": "Verify the settings with two API calls.",
    "doctor": "Check this machine, the token store, and the way to Intuit.",
    "describe": "Print the connector as JSON: forms, actions, schemas.",
    "demo": "Run the connector against a local QuickBooks, step by step.",
    "emulator": "Serve a local QuickBooks with a sample company.",
    "serve": "Serve the web UI.",
    "webhooks": "Receive Intuit's notifications, and sync what changed.",
    "mcp": "Serve companies to AI agents (MCP).",
    "tokens": "Maintain the stored tokens.",
    "completion": "Print the completion script for a shell.",
}
"""Each command and the first line of its help; the module is `commands.<name>`."""

_EPILOG = """\
\b
Settings:
  --settings FILE. The environment variables VANTAGE_QUICKBOOKS_CLIENT_ID,
  _CLIENT_SECRET, _REFRESH_TOKEN, _REALM_ID, _MAX_RESULTS and _ENVIRONMENT
  override it, key by key. Secrets are never arguments: every user of this
  machine can read those.

\b
Connections:
  --connection ID takes the settings from the registry of connections, a
  folder or a database: see `connections --help`.

\b
Emulator:
  `emulator --write-settings FILE` writes settings that need nothing else.
  With other settings, use --emulator URL or the variable
  VANTAGE_QUICKBOOKS_EMULATOR_URL.

\b
Exit status:
  0 success; 1 failure; 2 usage error; 130 interrupted by Ctrl-C before the
  command was done. `serve`, `emulator` and `webhooks serve` run until Ctrl-C
  or SIGTERM, and then exit with 0.
"""


@cache
def _load(name: str) -> click.Command:
    module = importlib.import_module(f"vantage_quickbooks.cli.commands.{name}")
    command: click.Command = module.command
    command.name = name
    command.short_help = COMMANDS[name]
    command.help = f"{COMMANDS[name]}\n\n{inspect.cleandoc(command.help or '')}".strip()
    return command


class LazyGroup(Group):
    """A group whose commands are the rows of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """Import a command."""
        return _load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name, or suggest one that is close."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name.lower(), COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f'"{name[:60]}" is not a command.{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(context: click.Context, _: Any, value: bool) -> None:
    if value and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"vantage-quickbooks {version('vantage-quickbooks')}")
        context.exit()


@click.group(
    cls=LazyGroup,
    name="vantage-quickbooks",
    epilog=_EPILOG,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
    examples=(
        ("Look around without a QuickBooks company", "vantage-quickbooks demo"),
        ("Check and verify settings", "vantage-quickbooks validate settings.json"),
        ("Overdue invoices as a table", "vantage-quickbooks call listInvoices status=overdue --format table"),
        ("What an action takes", "vantage-quickbooks actions listInvoices"),
    ),
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version and exit."
)
def app() -> None:
    """QuickBooks Online for pluggy hosts, from the command line."""
