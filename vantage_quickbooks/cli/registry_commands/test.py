"""`vantage-quickbooks connections test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vantage_quickbooks import contract
from vantage_quickbooks.cli.connections import connect_registered, opened
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.options import (
    Command,
    complete_connection,
    emulator_option,
    format_option,
    registry_option,
    verbose_option,
)
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, json_text, print_checks, print_error, report_failure, write
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vantage_quickbooks.registry import ConnectionRegistry

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("One connection", "vantage-quickbooks connections test acme"),
        ("All of them; one that fails does not stop the others", "vantage-quickbooks connections test --all"),
    ),
)
@click.argument("connection_ids", metavar="[ID]...", nargs=-1, shell_complete=complete_connection)
@click.option("--all", "is_all", is_flag=True, help="Test every connection of the registry.")
@registry_option
@format_option("text", "json", default="text", help="Output format; default text.")
@emulator_option
@verbose_option
def command(
    connection_ids: Sequence[str], is_all: bool, registry: str | None, format_: str, emulator: str | None
) -> int:
    """Verify connections with two API calls each.

    The exit status is 1 if one of them fails.
    """
    if bool(connection_ids) == is_all:
        raise UsageError("Name the connections to test, or use --all.")
    try:
        with opened(registry) as found:
            ids = [entry.id for entry in found.list()] if is_all else list(dict.fromkeys(connection_ids))
            results = {}
            for connection_id in ids:
                results[connection_id] = _test(found, connection_id, emulator)
                if format_ == "text":
                    _print(connection_id, results[connection_id])
    except ConnectorError as error:
        return report_failure(contract.envelope(error=error), format_)
    if format_ == "json":
        write(json_text([{"id": connection_id, **result} for connection_id, result in results.items()]))
    return SUCCESS if all(result["ok"] for result in results.values()) else FAILURE


def _test(registry: ConnectionRegistry, connection_id: str, emulator: str | None) -> dict[str, Any]:
    """Return what `Connection.test` found, or the error for a connection that cannot be made."""
    try:
        with connect_registered(registry, connection_id, emulator) as connection:
            return {**connection.test(), "error": None}
    except ConnectorError as error:
        return {"ok": False, "error": error.to_dict()}


def _print(connection_id: str, result: dict[str, Any]) -> None:
    write(f"{connection_id}\n")
    if result["error"] is None:
        print_checks(result)
        return
    write("FAILED  settings\n")
    print_error(result["error"])
