"""`vantage-quickbooks connections show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vantage_quickbooks.cli.connections import opened
from vantage_quickbooks.cli.options import Command, complete_connection, format_option, registry_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, clean, json_text, print_error, print_warnings, write
from vantage_quickbooks.core.secret import MASK
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("Without secrets", "vantage-quickbooks connections show acme"),
        ("For a program", "vantage-quickbooks connections show acme --format json"),
    ),
)
@click.argument("connection_id", metavar="ID", shell_complete=complete_connection)
@registry_option
@format_option("text", "json", default="text", help="Output format; default text.")
def command(connection_id: str, registry: str | None, format_: str) -> int:
    """Show the settings of a connection; secrets are masked.

    The exit status is 1 if they are not valid.
    """
    from vantage_quickbooks.connector.connector import QUICKBOOKS

    try:
        with opened(registry) as found:
            settings = found.load(connection_id)
            entry = next((entry for entry in found.list() if entry.id == connection_id), None)
            where = found.describe()
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    problem = entry.error.to_dict() if entry and entry.error else None
    shown = {"id": connection_id, "label": entry.label if entry else None, "registry": where}
    masked = _masked(settings, QUICKBOOKS.describe(schemas=False)["settingsSchema"]["properties"])
    if format_ == "json":
        write(json_text({**shown, "settings": masked, "error": problem}))
    else:
        for name, value in {**shown, **masked}.items():
            write(f"{name:13}  {clean(str(value))}\n" if value is not None else "")
        if problem:
            print_error(problem)
    print_warnings(QUICKBOOKS.validate(settings)["warnings"])
    return FAILURE if problem else SUCCESS


def _masked(settings: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with only what is known not to be secret: a file may contain a token in the wrong place."""
    is_shown = {name for name, rules in properties.items() if not rules.get("writeOnly")} | {"emulator_url"}
    secrets = {str(value) for name, value in settings.items() if name not in is_shown}
    return {
        name: value if name in is_shown and str(value) not in secrets else MASK
        for name, value in settings.items()
        if name in is_shown or name in properties
    }
