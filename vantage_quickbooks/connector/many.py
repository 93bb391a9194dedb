"""Runs a task for many companies of a registry, several at once, each on its own; see `connector.company_runs`.

Ctrl-C cancels: companies that run stop before their next request, companies that wait do not start. What a sync has
stored up to then is consistent (see docs/sync.md), so the next one continues there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.company_runs import (
    WORKERS,
    CompanyRun,
    Crew,
    OpenCompany,
    check_count,
    check_positive,
    shared_store,
)
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.errors import RegistryError
from vantage_quickbooks.registry import ConnectionEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.contract import ChangeSet
    from vantage_quickbooks.registry import ConnectionRegistry

__all__ = [
    "WORKERS",
    "CompanyRun",
    "RunReport",
    "RunsInterrupted",
    "SyncTarget",
    "SyncTask",
    "run_companies",
    "sync_companies",
    "sync_company",
]


@dataclasses.dataclass(frozen=True, slots=True)
class RunReport:
    """The runs of many companies.

    Attributes:
        runs: One for each company, in the order of the registry, or of the ids that were named.
        started_at: When the first one began.
        seconds: How long all of them took together.
    """

    runs: tuple[CompanyRun, ...]
    started_at: datetime
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every company succeeded."""
        return all(run.status == "succeeded" for run in self.runs)

    def count(self, status: str) -> int:
        """Return how many runs have a status."""
        return sum(run.status == status for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return {
            "ok": self.ok,
            "startedAt": iso(self.started_at),
            "seconds": round(self.seconds, 3),
            "companies": len(self.runs),
            **{status: self.count(status) for status in ("succeeded", "incomplete", "failed", "cancelled")},
            "apiCalls": sum(run.api_calls for run in self.runs),
            "meteredCalls": sum(run.metered_calls for run in self.runs),
            "runs": [run.to_dict() for run in self.runs],
        }


class RunsInterrupted(KeyboardInterrupt):
    """Ctrl-C ended the runs. All workers have stopped.

    Attributes:
        report: What happened until then; companies that were interrupted or not reached are `cancelled`.
    """

    def __init__(self, report: RunReport) -> None:
        super().__init__("The runs were interrupted.")
        self.report = report


# ---- any task --------------------------------------------------------------------------------------------------------


def run_companies(
    registry: ConnectionRegistry,
    task: Callable[[Connection, CompanyRun], None],
    connection_ids: Iterable[str] | None = None,
    *,
    workers: int = WORKERS,
    retries: int = 1,
    timeout_s: float | None = None,
    context: HostContext | None = None,
    deployment: Deployment | None = None,
    on_done: Callable[[CompanyRun], None] | None = None,
    **seams: Any,
) -> RunReport:
    """Run a task for each company, several at once; a company that fails does not stop the others.

    Args:
        registry: The registry.
        task: Called in a worker thread with an open connection and the run, whose `result` it fills. What it raises is
            the error of the run. It may also set `run.error` itself.
        connection_ids: The companies; None is all of the registry.
        workers: Companies at once.
        retries: How often a company whose error is `retryable` is tried again.
        timeout_s: Seconds after which the calls of a company end with an error; None leaves the connector's own limits.
        context: What the host knows; `connection_id`, `cancelled` and `audit` are set for each company and call those.
        deployment: The operator's options; by default those of the environment variables.
        on_done: Called in the calling thread with each run that has ended, in the order in which they end.
        **seams: As for `QuickBooksConnector.connect`.

    Returns:
        The report. No company's failure is raised.

    Raises:
        RegistryError: The registry itself cannot be read.
        TokenStoreError: The token store's URL or key is invalid.
        InputError: *workers* or *timeout_s* is not positive.
        RunsInterrupted: Ctrl-C; it has the report.
    """
    check_count("workers", workers)
    check_positive("timeout_s", timeout_s)
    context, deployment = context or HostContext(), deployment or Deployment.from_environ()
    entries = select_entries(registry, connection_ids)
    started_at, clock = datetime.now(UTC), time.monotonic()
    runs = [run_of(entry) for entry in entries]
    errors = {entry.id: entry.error for entry in entries if entry.error}
    is_interrupted = False
    with shared_store(context, deployment, seams):
        open_company = OpenCompany(registry, context, deployment, timeout_s, seams)

        def run_one(run: CompanyRun) -> tuple[()]:
            if error := errors.get(run.id):
                raise error
            with open_company(run) as connection:
                task(connection, run)
            return ()

        how: dict[str, Any] = {"workers": min(workers, len(runs)), "retries": retries, "stop": open_company.stop}
        crew: Crew[Any] = Crew(runs, run_one, **how)
        with crew as ended:
            try:
                for run in ended:
                    if on_done is not None and isinstance(run, CompanyRun):
                        on_done(run)
            except KeyboardInterrupt:
                is_interrupted = True
    for run in runs:
        if run.status == "waiting":
            run.cancel()
    report = RunReport(tuple(runs), started_at, time.monotonic() - clock)
    if is_interrupted:
        raise RunsInterrupted(report)
    return report


def select_entries(registry: ConnectionRegistry, ids: Iterable[str] | None) -> list[ConnectionEntry]:
    """Return the entries to run. An id that the registry does not have fails when its turn comes."""
    if ids is None:
        return registry.list()
    known: dict[str, ConnectionEntry] = {}
    with contextlib.suppress(RegistryError):  # a host's registry need not have a list
        known = {entry.id: entry for entry in registry.list()}
    return [known.get(id_, ConnectionEntry(id_)) for id_ in dict.fromkeys(ids)]


def run_of(entry: ConnectionEntry) -> CompanyRun:
    """Return the run of an entry, which waits."""
    return CompanyRun(entry.id, entry.label, entry.realm_id, entry.environment)


# ---- syncs -----------------------------------------------------------------------------------------------------------


class SyncTarget(Protocol):
    """Where the changes of one company go."""

    @property
    def state(self) -> Mapping[str, Any] | str | None:
        """The state of the last set that was applied; None the first time."""
        ...

    def apply(self, changes: ChangeSet) -> None:
        """Apply a set by key, and then, or in the same transaction, store its state."""
        ...


def sync_companies(
    registry: ConnectionRegistry,
    open_target: Callable[[CompanyRun], AbstractContextManager[SyncTarget]],
    connection_ids: Iterable[str] | None = None,
    *,
    entities: Sequence[str] | None = None,
    max_api_calls: int | None = None,
    until: datetime | str | None = None,
    since: datetime | str | None = None,
    **options: Any,
) -> RunReport:
    """Sync many companies at once; see docs/sync.md.

    Args:
        registry: The registry.
        open_target: Called in a worker thread with the run; returns a context manager that yields the target.
        connection_ids: The companies; None is all of the registry.
        entities: As for `Connection.sync`.
        max_api_calls: As for `Connection.sync`, for each company and all attempts at it.
        until: As for `Connection.sync`.
        since: As for `Connection.sync`, for companies whose target has no state.
        **options: As for `run_companies`.

    Returns:
        The report. `result` of a run is what `sync_company` returns. A company of which an entity could not be read is
        `incomplete`.

    Raises:
        InputError: An argument is not valid; nothing was sent.
        ConnectorError: As `run_companies`.
    """
    task = SyncTask(open_target, entities, max_api_calls, until, since)
    return run_companies(registry, task, connection_ids, **options)


@dataclasses.dataclass(frozen=True, slots=True)
class SyncTask:
    """A task that syncs a company, for `run_companies` and `run_in_processes`; it can be pickled if *open_target* can.

    Args:
        open_target: As for `sync_companies`.
        entities: As for `Connection.sync`.
        max_api_calls: As for `Connection.sync`, for each company and all attempts at it.
        until: As for `Connection.sync`.
        since: As for `Connection.sync`, for companies whose target has no state.

    Raises:
        InputError: An argument is not valid.
    """

    open_target: Callable[[CompanyRun], AbstractContextManager[SyncTarget]]
    entities: Sequence[str] | str | None = None
    max_api_calls: int | None = None
    until: datetime | str | None = None
    since: datetime | str | None = None

    def __post_init__(self) -> None:
        from vantage_quickbooks.connector.connection import sync_input  # noqa: PLC0415 -- imports the catalog

        sync_input(self.entities, None, self.max_api_calls, self.since, self.until)

    def __call__(self, connection: Connection, run: CompanyRun) -> None:
        """Sync a company; see `sync_company`."""
        run.max_api_calls = self.max_api_calls
        with self.open_target(run) as target:
            arguments = {"entities": self.entities, "max_api_calls": self.max_api_calls, "until": self.until}
            if target.state is None:
                arguments["since"] = self.since
            sync_company(connection, run, target, **arguments)


def sync_company(connection: Connection, run: CompanyRun, target: SyncTarget, **arguments: Any) -> None:
    """Sync one company to its target, and count in the run's result what was applied.

    The result has `upserts`, `deletions`, `entities` (number of entities that are up to date), `notSynced` (each with
    `entity` and `error`) and `pending` (what a limit of API calls left to the next sync).

    Args:
        connection: The company.
        run: The run, whose `result` and `error` are set.
        target: Where the changes go.
        **arguments: As for `Connection.sync`.

    Raises:
        ConnectorError: A set could not be read, or its changes not be applied. What was applied before is stored.
    """
    result = run.result
    result |= {"upserts": 0, "deletions": 0, "entities": 0, "notSynced": [], "pending": []} | {
        name: result.get(name, 0)
        for name in ("upserts", "deletions")  # an earlier attempt has applied them
    }
    with contextlib.closing(connection.sync(state=target.state, **arguments)) as sets:  # type: ignore[type-var]
        for found in sets:
            target.apply(found)
            result["upserts"] += len(found.upserts)
            result["deletions"] += len(found.deletions)
            result["entities"] += found.is_last
            result["pending"] = found.metadata["pending"]
            if found.error is not None:
                result["notSynced"].append({"entity": found.entity, "error": found.error})
                details = found.error["details"] | {"entity": found.entity}
                run.error = run.error or found.error | {"details": details}
            del found  # one page in memory at a time
