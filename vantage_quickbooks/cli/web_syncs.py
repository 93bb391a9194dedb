"""Where "Sync now" of the web UI writes: a folder as `sync --all --output` writes it, or tables as `sync --to` does."""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.sync_options import DESTINATION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.adapters.dlt_destination import Destination
    from vantage_quickbooks.cli.sync_directory import SyncDirectory
    from vantage_quickbooks.cli.sync_options import Options
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.connector.many import SyncTarget
    from vantage_quickbooks.contract import ChangeSet
    from vantage_quickbooks.contract import Connection as ContractConnection
    from vantage_quickbooks.web.sync_target import SyncOutcome

__all__ = ["FolderSyncs", "TableSyncs", "sync_target_of"]


def sync_target_of(output: str | None, to: str | None) -> FolderSyncs | TableSyncs | None:
    """Return where syncs write.

    Args:
        output: The directory of `--sync-output`.
        to: The destination of `--to`; without both, that of the environment variable, if it is set.

    Raises:
        UsageError: Both were given, or one cannot be used.
        ConnectorError: The destination is unknown.
    """
    if output and to:
        raise UsageError("--sync-output and --to cannot be combined: a sync has one destination.")
    if output:
        return FolderSyncs(output)
    return TableSyncs(to) if to or os.environ.get(DESTINATION, "").strip() else None


class FolderSyncs:
    """A copy of each company in a folder: `<id>.ndjson` and `<id>.state`. Implements `web.sync_target.SyncTarget`.

    Args:
        output: The directory.

    Attributes:
        path: The directory.
        written: Sizes of the copies at the end of the latest sync of this process.

    Raises:
        UsageError: It cannot be created or written to.
    """

    def __init__(self, output: str) -> None:
        from vantage_quickbooks.cli.sync_directory import SyncDirectory

        self.path = Path(output).absolute()
        self.written: dict[str, int] = {}
        self._directory: SyncDirectory = SyncDirectory(str(self.path), None)

    def describe(self) -> str:
        """Return the directory."""
        return f"the folder {self.path}"

    def sync(
        self, connection: ContractConnection, connection_id: str, progress: Callable[[int, str], None]
    ) -> SyncOutcome:
        """Append what has changed. See `SyncTarget.sync`."""
        from vantage_quickbooks.connector.company_runs import error_of
        from vantage_quickbooks.connector.many import CompanyRun, sync_company
        from vantage_quickbooks.web.sync_target import SyncOutcome

        company = CompanyRun(connection_id)
        counted: dict[str, int] = {}
        calls_before = sum(connection.api_calls().values())
        try:
            with self._directory.open_target(company) as target:
                reporting = _Reporting(target, progress, counted)
                sync_company(cast("Connection", connection), company, cast("SyncTarget", reporting))
        except Exception as error:  # noqa: BLE001 -- what was written before any failure counts
            company.error = error_of(company, error)
            company.result["notSynced"] = []
        with contextlib.suppress(OSError):  # before the first copy is written
            self.written[connection_id] = (self.path / f"{connection_id}.ndjson").stat().st_size
        result = company.result
        is_partial = bool(result.get("notSynced"))
        return SyncOutcome(
            upserts=result.get("upserts", 0),
            deletions=result.get("deletions", 0),
            entities=result.get("entities", 0),
            pending=list(result.get("pending", ())),
            not_synced=result.get("notSynced", []),
            error=None if is_partial else company.error,
            api_calls=sum(connection.api_calls().values()) - calls_before,
            tables=counted,
        )

    def last_synced(self) -> Mapping[str, datetime]:
        """Return when the state of each company was stored. See `SyncTarget.last_synced`."""
        found = {}
        for path in self.path.glob("*.state"):
            try:
                found[path.stem] = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            except OSError:  # it was removed meanwhile
                continue
        return found


class TableSyncs:
    """Tables of a database, or Parquet files. Implements `web.sync_target.SyncTarget`.

    Args:
        to: The destination, as `sync --to` takes it; None for that of the environment variable.

    Raises:
        UsageError: The URL contains a password, or packages are missing.
        ConnectorError: The destination is unknown.
    """

    def __init__(self, to: str | None) -> None:
        from vantage_quickbooks.cli.warehouse import open_destination

        self._options: Options = _load_options(to)
        self._destination: Destination = open_destination(self._options)
        self._lock = threading.Lock()

    def describe(self) -> str:
        """Return the destination, without a password."""
        return f"tables in {self._destination.text}"

    def sync(
        self, connection: ContractConnection, connection_id: str, progress: Callable[[int, str], None]
    ) -> SyncOutcome:
        """Load what has changed. See `SyncTarget.sync`."""
        from vantage_quickbooks.adapters.dlt import LoadReport
        from vantage_quickbooks.cli.warehouse import load_companies
        from vantage_quickbooks.web.sync_target import SyncOutcome

        progress(0, "Waiting for another sync to this destination." if self._lock.locked() else "")
        with self._lock:  # a destination is loaded by one sync at a time
            progress(0, f"Reading {connection_id}, then loading.")
            report = LoadReport()
            failure = load_companies(self._destination, self._options, report, connections=connection)
        company = report.companies[0]
        tables = company.tables.values()
        return SyncOutcome(
            upserts=0 if failure else sum(counts["rows"] for counts in tables),
            deletions=0 if failure else sum(counts["deleted"] for counts in tables),
            pending=list(company.pending),
            not_synced=list(company.errors),
            error=failure or company.error,
            api_calls=company.api_calls,
            tables={} if failure else {name: sum(counts.values()) for name, counts in company.tables.items()},
        )

    def last_synced(self) -> Mapping[str, datetime]:
        """Return nothing: the states are in the destination, which is not read for a page."""
        return {}


class _Reporting:
    """A target that reports the progress of what it applies."""

    def __init__(self, target: SyncTarget, progress: Callable[[int, str], None], counted: dict[str, int]) -> None:
        self._target = target
        self._progress = progress
        self._counted = counted
        self._done = self._entities = 0

    @property
    def state(self) -> Mapping[str, Any] | str | None:
        """The state of the target."""
        return self._target.state

    def apply(self, changes: ChangeSet) -> None:
        """Apply a set, then report it."""
        self._target.apply(changes)
        count = len(changes.upserts) + len(changes.deletions)
        if count:
            self._counted[changes.entity] = self._counted.get(changes.entity, 0) + count
        self._done += count
        self._entities += changes.is_last
        noun = "entity" if self._entities == 1 else "entities"
        self._progress(self._done, f"{self._entities} {noun} up to date; last: {changes.entity}")


def _load_options(to: str | None) -> Options:
    from vantage_quickbooks.cli.sync_options import Options

    return Options(
        state=None,
        entities=None,
        settings=None,
        is_all=False,
        connection_ids=(),
        registry=None,
        format_=None,
        output=None,
        report=None,
        workers=None,
        concurrency=None,
        timeout=None,
        max_api_calls=None,
        until=None,
        dry_run=False,
        emulator=None,
        to=to,
        dataset=None,
        lines=False,
        deletions=None,
        restart=False,
    )
