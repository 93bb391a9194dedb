"""The options of `vantage-quickbooks sync`."""

from __future__ import annotations

from dataclasses import dataclass

from vantage_quickbooks.cli.inputs import UsageError

__all__ = ["WORKERS", "Options"]

WORKERS = 8
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
        workers: Companies at once.
        timeout: Seconds after which the sync of one of several companies ends.
        max_api_calls: Limit of API calls of a company.
        until: Upper bound.
        dry_run: Whether to estimate only.
        emulator: A local emulator for all companies.
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
    timeout: float | None
    max_api_calls: int | None
    until: str | None
    dry_run: bool
    emulator: str | None

    @property
    def has_several(self) -> bool:
        """Whether several companies are synced."""
        return self.is_all or len(self.connection_ids) > 1

    def check_one(self) -> None:
        """Check the options of a sync of one company.

        Raises:
            UsageError: Some cannot be combined.
        """
        for option, value in (("--report", self.report), ("--workers", self.workers), ("--timeout", self.timeout)):
            if value is not None:
                raise UsageError(f"{option} needs --all or several --connection.")
        if self.format_ == "table":
            raise UsageError("--format table is the report on several companies: use --all or several --connection.")
        if self.state is None:
            raise UsageError("Missing option '--state': the file in which the state of the company is kept.")
        if self.output is not None and self.format_ == "json":
            raise UsageError("--output appends changes, which needs --format ndjson.")

    def check_several(self) -> None:
        """Check the options of a sync of several companies.

        Raises:
            UsageError: Some cannot be combined.
        """
        if self.settings is not None:
            raise UsageError("--settings is of one company. Add it to the registry, or use --settings alone.")
        if self.is_all and self.connection_ids:
            raise UsageError("--all and --connection cannot be combined.")
        if self.format_ == "ndjson":
            raise UsageError("--format of several companies is that of the report: json or table.")
        if self.output is None and not (self.dry_run and self.state):
            raise UsageError("Several companies need --output DIR: the directory of their changes.")
