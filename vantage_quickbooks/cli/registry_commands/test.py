"""`vantage-quickbooks connections test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vantage_quickbooks import contract
from vantage_quickbooks.cli.connections import deployment_at, opened
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

    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.connector.many import CompanyRun

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
    """Verify connections with two API calls each, several connections at once.

    The exit status is 1 if one of them fails.
    """
    if bool(connection_ids) == is_all:
        raise UsageError("Name the connections to test, or use --all.")
    from vantage_quickbooks.connector.many import run_companies

    try:
        with opened(registry) as found:
            report = run_companies(
                found, _test, None if is_all else connection_ids, retries=0, deployment=deployment_at(emulator)
            )
    except ConnectorError as error:
        return report_failure(contract.envelope(error=error), format_)
    results = {run.id: {**run.result, "error": None} if run.result else _failed(run) for run in report.runs}
    if format_ == "json":
        write(json_text([{"id": connection_id, **result} for connection_id, result in results.items()]))
    else:
        for connection_id, result in results.items():
            _print(connection_id, result)
    return SUCCESS if all(result["ok"] for result in results.values()) else FAILURE


def _test(connection: Connection, run: CompanyRun) -> None:
    run.result = connection.test()


def _failed(run: CompanyRun) -> dict[str, Any]:
    return {"ok": False, "error": run.error}


def _print(connection_id: str, result: dict[str, Any]) -> None:
    write(f"{connection_id}\n")
    if result["error"] is None:
        print_checks(result)
        return
    write("FAILED  settings\n")
    print_error(result["error"])
