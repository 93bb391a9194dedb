"""What the demo plays on: a host with its observer, steps that are measured, claims that are checked."""

from __future__ import annotations

import json
import textwrap
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pluggy
from rich.table import Table
from rich.text import Text

from vantage_quickbooks import hookspecs
from vantage_quickbooks.cli import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.emulator import Emulator

__all__ = ["Observer", "Stage", "Step", "Surprise"]


class Surprise(Exception):  # noqa: N818 -- what it is to whoever watches
    """A claim of the demo does not hold."""


class Observer:
    """The host's own plugin: it listens to the hooks that connectors report to."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.progress: list[str] = []

    @hookspecs.hookimpl
    def vantage_audit(self, event: dict[str, Any]) -> None:
        """Keep the event."""
        self.events.append(event)

    @hookspecs.hookimpl
    def vantage_progress(self, done: int, total: int | None) -> None:
        """Keep how far a long read has come."""
        self.progress.append(f"{done} of {'?' if total is None else total}")


@dataclass(frozen=True)
class Step:
    """Something the host did.

    Attributes:
        label: What it did.
        events: What its observer was told.
        requests: What the emulator was asked.
        took_ms: How long it took.
    """

    label: str
    events: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    took_ms: int

    @property
    def token_answers(self) -> list[int]:
        """Statuses with which the token endpoint answered, in order."""
        return [request["status"] for request in self.requests if request["path"].startswith("/oauth2/")]

    @property
    def api_answers(self) -> list[int]:
        """Statuses with which the data API answered, in order."""
        return [request["status"] for request in self.requests if request["path"].startswith("/v3/")]

    def row(self) -> tuple[str | Text, ...]:
        """Return the step as a row of `Stage.accounts`."""
        codes = sorted({event.get("errorCode") or event["outcome"] for event in self.events})
        outcome = Text(" ".join(codes), style="green" if codes == ["success"] else "red")
        rows = sum(event.get("records") or 0 for event in self.events)
        return (
            self.label,
            outcome,
            str(rows or ""),
            _counted(self.token_answers),
            _counted(self.api_answers),
            str(self.took_ms),
        )


@dataclass
class Stage:
    """The emulator, the host, and what is shown of them.

    Attributes:
        emulator: The local QuickBooks.
        observer: The host's plugin.
        manager: The host's plugin manager.
        steps: What was done so far.
        claims: How many claims held so far.
        chapters: How many parts of the story have begun.
    """

    emulator: Emulator
    observer: Observer = field(default_factory=Observer)
    manager: pluggy.PluginManager = field(default_factory=lambda: pluggy.PluginManager(hookspecs.PROJECT))
    steps: list[Step] = field(default_factory=list)
    claims: int = 0
    chapters: int = 0

    def __post_init__(self) -> None:
        self.out = tables.console()
        self._tick = "✓ " if self.out.encoding.startswith("utf") else "* "

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self.chapters += 1
        self.out.print()
        self.out.rule(Text(f"{self.chapters}  {title}", style="bold"), align="left", style="dim")

    def show(self, table: Table) -> None:
        """Print a table and an empty line."""
        tables.put(self.out, table)
        self.out.print()

    def claim(self, holds: bool, what: str) -> None:
        """Say what is so, having looked.

        Raises:
            Surprise: It is not so.
        """
        if not holds:
            raise Surprise(what)
        self.claims += 1
        first, *others = textwrap.wrap(what, self.out.width - len(self._tick))
        self.out.print(Text.assemble((self._tick, "bold green"), first))
        for line in others:
            self.out.print(Text(" " * len(self._tick) + line))

    def step(self, label: str, act: Callable[[], Any]) -> Any:
        """Do something, and keep what was noted of it."""
        events, requests = len(self.observer.events), len(self.emulator.requests())
        started = time.monotonic()
        result = act()
        took_ms = round((time.monotonic() - started) * 1000)
        self.steps.append(Step(label, self.observer.events[events:], self.emulator.requests()[requests:], took_ms))
        return result

    def fields(self, entries: list[dict[str, str]]) -> None:
        """Print what is wrong with fields, each with its hint."""
        grid = Table.grid(padding=(0, 2))
        for style in ("red", ""):
            grid.add_column(style=style)
        for entry in entries:
            grid.add_row(f"  {entry['field']}", Text(entry["message"]) + Text(f"\n{entry['hint']}", style="dim"))
        self.show(grid)

    def exchange(self, step: Step) -> None:
        """Print what went over the line, as the emulator saw it."""
        for request in step.requests:
            style = "green" if request["status"] == 200 else "red"
            line = Text(f"  {request['method']:<6}{request['path']}  ")
            self.out.print(line + Text(str(request["status"]), style=style))
        self.out.print()

    def envelope(self, envelope: Mapping[str, Any]) -> None:
        """Print an envelope as JSON, its long lines wrapped."""
        self.out.print()
        for line in json.dumps(envelope, indent=2, ensure_ascii=False).splitlines():
            hanging = " " * (len(line) - len(line.lstrip()) + 4)
            width = max(30, self.out.width - 2)
            for part in textwrap.wrap(line, width, initial_indent="  ", subsequent_indent=hanging):
                self.out.print(Text(part, style="cyan"))
        self.out.print()

    def accounts(self) -> None:
        """Print all steps as the host's observer and the emulator noted them."""
        table = tables.empty_table()
        for title in ("What the host did", "Outcome"):
            table.add_column(title, no_wrap=True)
        table.add_column("Rows", justify="right", no_wrap=True)
        for title in ("Tokens", "Data API"):
            table.add_column(title, no_wrap=True)
        table.add_column("ms", justify="right", no_wrap=True)
        for step in self.steps:
            table.add_row(*step.row())
        self.show(table)


def _counted(statuses: list[int]) -> str:
    """Return statuses in the order in which they first came: `401 200x3`."""
    times = {status: statuses.count(status) for status in statuses}
    return " ".join(f"{status}x{count}" if count > 1 else str(status) for status, count in times.items())
