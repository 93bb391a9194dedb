"""`vantage-quickbooks doctor`."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import textwrap
from typing import TYPE_CHECKING

import click

from vantage_quickbooks.cli.connections import connect, deployment_at
from vantage_quickbooks.cli.doctor import company, environment, network, storage
from vantage_quickbooks.cli.doctor.finding import Patient, run
from vantage_quickbooks.cli.inputs import ENVIRONMENT, UsageError
from vantage_quickbooks.cli.options import (
    Command,
    connection_option,
    emulator_option,
    format_option,
    settings_option,
    verbose_option,
)
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, clean, json_text, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vantage_quickbooks.cli.doctor.finding import Check, Finding
    from vantage_quickbooks.connector.connection import Connection

__all__ = ["AREAS", "command"]

AREAS = {
    "Environment": environment.CHECKS,
    "Storage": (*storage.CHECKS, *company.SETTINGS),
    "Network": network.CHECKS,
    "Company": company.CHECKS,
}
"""The checks in the order in which they run: later ones use what earlier ones found."""

_LABELS = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED", "red"),
    "skipped": ("-", "bright_black"),
}
_STATUS_WIDTH = 9
_TITLE_WIDTH = 17
_MIN_WIDTH, _MAX_WIDTH = 60, 100


@click.command(
    cls=Command,
    epilog="""\
\b
The exit status is 0 if no check failed (warnings are allowed), 1 if one
failed, 2 for a usage error. It sends two metered API calls for a company,
and none without one or with --offline.
""",
    examples=(
        ("This machine, the token store and the way to Intuit", "vantage-quickbooks doctor"),
        ("A connection of the registry, too", "vantage-quickbooks doctor --connection acme"),
        ("For a program, without sending anything", "vantage-quickbooks doctor --offline --json"),
    ),
)
@settings_option
@connection_option
@click.option("--offline", is_flag=True, help="Send nothing: check this machine and what is stored.")
@format_option("text", "json", default="text", help="Output format; default text.")
@click.option("--json", "is_json", is_flag=True, help="The same as --format json.")
@emulator_option
@verbose_option
def command(
    settings: str | None,
    connection: str | None,
    registry: str | None,
    offline: bool,
    format_: str,
    is_json: bool,
    emulator: str | None,
) -> int:
    """Each check prints what it found and, if something is wrong, what to do about it.

    No secret is printed, so the output can be attached to a report.
    """
    patient = _admit(settings, connection, registry, emulator, is_offline=offline)
    try:
        found = _examine(patient, is_text=format_ == "text" and not is_json)
    finally:
        if patient.connection is not None:
            patient.connection.close()
    counts = {status: sum(finding.status == status for _, _, finding in found) for status in _LABELS}
    if format_ == "json" or is_json:
        checks = [
            {"area": area, "id": check.id, "title": check.title, **finding.to_dict()} for area, check, finding in found
        ]
        write(json_text({"ok": not counts["failed"], "counts": counts, "checks": checks}))
    else:
        parts = [
            f"{counts[status]} {name}"
            for status, name in (("ok", "ok"), ("failed", "failed"), ("skipped", "not checked"))
        ]
        parts.insert(1, f"{counts['warning']} warning{'' if counts['warning'] == 1 else 's'}")
        write(f"\n{', '.join(parts)}\n")
    return FAILURE if counts["failed"] else SUCCESS


def _examine(patient: Patient, *, is_text: bool) -> list[tuple[str, Check, Finding]]:
    found = []
    width = max(_MIN_WIDTH, min(_MAX_WIDTH, shutil.get_terminal_size().columns))
    for area, checks in AREAS.items():
        if is_text:
            click.secho(f"{'' if area == next(iter(AREAS)) else chr(10)}{area}", bold=True)
        for check, finding in run(checks, patient):
            found.append((area, check, finding))
            if is_text:
                for line in _lines(check, finding, width):
                    click.echo(line)
    return found


def _lines(check: Check, finding: Finding, width: int) -> Iterator[str]:
    """Yield a check as lines of text: status, title, message, and the hint below it."""
    label, color = _LABELS[finding.status]
    indent = " " * (2 + _STATUS_WIDTH + _TITLE_WIDTH)
    head = f"  {label:<{_STATUS_WIDTH}}{check.title:<{_TITLE_WIDTH}}"
    wrap = functools.partial(textwrap.wrap, width=width - len(indent), break_long_words=False, break_on_hyphens=False)
    for number, part in enumerate(wrap(clean(finding.message))):
        yield (
            click.style(head[: 2 + _STATUS_WIDTH], fg=color) + head[2 + _STATUS_WIDTH :] + part
            if not number
            else indent + part
        )
    for part in wrap(clean(finding.hint)):
        yield indent + click.style(part, fg="cyan")


def _admit(
    settings: str | None, connection_id: str | None, registry: str | None, emulator: str | None, *, is_offline: bool
) -> Patient:
    if settings is not None and connection_id is not None:
        raise UsageError("--settings and --connection cannot be combined: each names the settings.")
    has_settings = settings is not None or any(os.environ.get(name, "").strip() for name in ENVIRONMENT)
    make: Callable[[], Connection] | None = None
    if connection_id is not None:
        make = functools.partial(connect, None, connection_id, registry, emulator)
    elif has_settings:
        make = functools.partial(connect, settings, None, None, emulator)
    program = "vantage-quickbooks"
    if connection_id is not None:
        where = f" --registry {shlex.quote(registry)}" if registry else ""
        commands = (
            f"{program} connect --id {connection_id}{where}",
            f"{program} test --connection {connection_id}{where}",
        )
    else:
        file = shlex.quote(settings) if settings not in {None, "-"} else "FILE"
        commands = f"{program} connect --settings {file} --write-settings {file}", f"{program} test --settings {file}"
    return Patient(
        deployment=deployment_at(emulator),
        registry_url=registry,
        connect=make,
        name=f"connection {connection_id}" if connection_id else "the settings",
        reconnect=commands[0],
        test=commands[1],
        is_offline=is_offline,
    )
