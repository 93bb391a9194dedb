"""The output of the demo: numbered sections, and statements that are printed only after they were checked."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.text import Text

from vantage_quickbooks import hookspecs
from vantage_quickbooks.cli import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from vantage_quickbooks.contract import Connection
    from vantage_quickbooks.emulator import Emulator

__all__ = ["CheckFailed", "DemoRun"]


class CheckFailed(Exception):  # noqa: N818 -- an outcome of the demo, not a programming error
    """A statement of the demo is false."""


@dataclass
class DemoRun:
    """A run of the demo: the emulator, the events that the host received, the number of checks.

    Registered with the host's plugin manager, it is the host's observer.

    Attributes:
        emulator: The local QuickBooks.
        events: The audit events of the connector.
        progress: The progress of full reads, "25 of 60".
        checks: The number of checks that passed.
    """

    emulator: Emulator
    events: list[dict[str, Any]] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)
    checks: int = 0

    def __post_init__(self) -> None:
        self.out = tables.console()
        self._tick = "✓ " if self.out.encoding.startswith("utf") else "* "
        self._sections = self._seen = 0

    @hookspecs.hookimpl
    def vantage_audit(self, event: dict[str, Any]) -> None:
        """Keep the event."""
        self.events.append(event)

    @hookspecs.hookimpl
    def vantage_progress(self, done: int, total: int | None) -> None:
        """Keep the progress."""
        self.progress.append(f"{done} of {'?' if total is None else total}")

    def call(self, connection: Connection, action: str, **given: Any) -> dict[str, Any]:
        """Run an action and return its result.

        Raises:
            CheckFailed: The call failed.
        """
        envelope = connection.call(action, given)
        if not envelope["success"]:
            raise CheckFailed(f"{action}: {envelope['error']['code']}: {envelope['error']['message']}")
        result: dict[str, Any] = envelope["data"]
        return result

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that the emulator received since the last call of this method."""
        received = self.emulator.requests()
        new, self._seen = received[self._seen :], len(received)
        return new

    def section(self, title: str) -> None:
        """Print a heading."""
        self._sections += 1
        self.out.print()
        self.out.rule(Text(f"{self._sections}  {title}", style="bold"), align="left", style="dim")

    def check(self, holds: bool, statement: str) -> None:
        """Print a statement if it is true.

        Raises:
            CheckFailed: It is false.
        """
        if not holds:
            raise CheckFailed(statement)
        self.checks += 1
        first, *others = textwrap.wrap(statement, self.out.width - len(self._tick))
        self.out.print(Text.assemble((self._tick, "bold green"), first))
        for line in others:
            self.out.print(Text(" " * len(self._tick) + line))

    def show(self, table: Table) -> None:
        """Print a table and an empty line."""
        tables.put(self.out, table)
        self.out.print()

    def show_requests(self, requests: list[dict[str, Any]]) -> None:
        """Print requests with the statuses of their answers."""
        for request in requests:
            line = Text(f"  {request['method']:<6}{request['path']}  ")
            self.out.print(line + Text(str(request["status"]), style="green" if request["status"] == 200 else "red"))
        self.out.print()

    def show_json(self, value: Mapping[str, Any]) -> None:
        """Print JSON, with long lines wrapped."""
        self.out.print()
        for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines():
            hanging = " " * (len(line) - len(line.lstrip()) + 4)
            width = max(30, self.out.width - 2)
            for part in textwrap.wrap(line, width, initial_indent="  ", subsequent_indent=hanging):
                self.out.print(Text(part, style="cyan"))
        self.out.print()
