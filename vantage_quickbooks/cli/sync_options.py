"""The options of `vantage-quickbooks sync`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from vantage_quickbooks.cli.inputs import UsageError

__all__ = ["CONCURRENCY", "DESTINATION", "Options"]

DESTINATION = "VANTAGE_QUICKBOOKS_DESTINATION"
"""In place of `--to`: every user of a machine can read arguments, and URLs contain passwords."""

CONCURRENCY = 8
"""The same as `connector.many.WORKERS`, whose module is imported only when it is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options, by their names in the command.

    Attributes:
        state: The file of the state, or the directory of the states of several companies.
        entities: Entities to sync, separated by commas; None for the default.
        settings: A settings file.
        is_all: Whether to sync all connections of the registry.
        connection_ids: Connections of the registry.
        registry: The registry; None for that of the environment variable.
        format_: `ndjson`, `json`, `table`, or None for the default.
        output: The file of the changes, or the directory of the changes of several companies.
        report: A file for the report on several companies.
        workers: Processes; None for this one.
        concurrency: Companies at once in each process.
        timeout: Seconds after which the sync of one of several companies ends.
        max_api_calls: Limit of API calls of a company.
        until: Upper bound.
        since: Lower bound of the first sync, which has no state.
        dry_run: Whether to estimate only.
        emulator: A local emulator for all companies.
        to: The destination of tables; None for that of the environment variable, if it is set.
        dataset: The schema of the tables.
        lines: Whether lines are tables.
        deletions: `hard`, `soft`, or None for the default.
        restart: Whether to read everything again.
    """

    state: str | None
    entities: str | None
    settings: str | None
    is_all: bool
    connection_ids: tuple[str, ...]
    registry: str | None
    format_: str | None
    output: str | None
    report: str | None
    workers: int | None
    concurrency: int | None
    timeout: float | None
    max_api_calls: int | None
    until: str | None
    dry_run: bool
    emulator: str | None
    to: str | None
    dataset: str | None
    lines: bool
    deletions: str | None
    restart: bool
    since: str | None = None

    @property
    def has_destination(self) -> bool:
        """Whether tables are loaded: it was asked for, or the environment says where, and no option says otherwise."""
        return self.to is not None or (
            bool(os.environ.get(DESTINATION, "").strip()) and self.state is None and self.output is None
        )

    @property
    def load_options(self) -> dict[str, Any]:
        """The options of a load that were given."""
        found = {"dataset": self.dataset, "lines": self.lines, "deletions": self.deletions, "restart": self.restart}
        return {name: value for name, value in found.items() if value}

    @property
    def has_several(self) -> bool:
        """Whether several companies are synced."""
        return self.is_all or len(self.connection_ids) > 1

    def check_load(self) -> None:
        """Check the options of a load into tables.

        Raises:
            UsageError: Some cannot be combined.
        """
        others: dict[str, Any] = {
            "--state": self.state,
            "--output": self.output,
            "--since": self.since,
            "--until": self.until,
            "--dry-run": self.dry_run,
        }
        others |= {"--timeout": self.timeout} | ({} if self.has_several else {"--report": self.report})
        for option, value in others.items():
            if value:
                raise UsageError(f"--to and {option} cannot be combined.")
        if (self.workers or 1) > 1:
            raise UsageError(
                "--to and --workers cannot be combined: a destination is loaded by one process at a time (a DuckDB "
                "file has one writer). Use --concurrency N for the number of companies that are read at once."
            )
        if self.format_ == "ndjson":
            raise UsageError("--format of a load is that of its report: json or table.")
        if self.has_several:
            self._check_connections()

    def _check_no_load(self) -> None:
        for option in self.load_options:
            raise UsageError(f"--{option} needs --to DESTINATION.")
        if self.since is not None and self.dry_run:
            raise UsageError("--since and --dry-run cannot be combined: an estimate is that of a sync with its state.")

    def check_one(self) -> None:
        """Check the options of a sync of one company.

        Raises:
            UsageError: Some cannot be combined.
        """
        self._check_no_load()
        of_several = {
            "--report": self.report,
            "--workers": self.workers,
            "--concurrency": self.concurrency,
            "--timeout": self.timeout,
        }
        for option, value in of_several.items():
            if value is not None:
                raise UsageError(f"{option} needs --all or several --connection.")
        if self.format_ == "table":
            raise UsageError("--format table is the report on several companies: use --all or several --connection.")
        if self.state is None:
            raise UsageError(
                "Missing option '--state': the file in which the state of the company is kept. "
                "To load tables, which keep the state themselves, use --to DESTINATION."
            )
        if self.output is not None and self.format_ == "json":
            raise UsageError("--output appends changes, which needs --format ndjson.")

    def check_several(self) -> None:
        """Check the options of a sync of several companies.

        Raises:
            UsageError: Some cannot be combined.
        """
        self._check_no_load()
        self._check_connections()
        if self.format_ == "ndjson":
            raise UsageError("--format of several companies is that of the report: json or table.")
        if self.output is None and not (self.dry_run and self.state):
            raise UsageError("Several companies need --output DIR: the directory of their changes.")

    def _check_connections(self) -> None:
        if self.settings is not None:
            raise UsageError("--settings is of one company. Add it to the registry, or use --settings alone.")
        if self.is_all and self.connection_ids:
            raise UsageError("--all and --connection cannot be combined.")
