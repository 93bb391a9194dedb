"""Runs a task for many companies of a registry, several at once, each on its own.

Theory of operation
1. Worker threads take one company after the other. Threads are enough: a sync waits for QuickBooks nearly all the time,
   and each company has limits of its own (10 requests at once), which its rate limiter observes.
2. A company that fails, in whatever way, is a run with an error in the report, and the others go on: an entry of the
   registry that is damaged, settings that are invalid, a grant that was revoked, a file that cannot be written.
3. A failure that may be over at the next attempt is tried again once all others have had their turn, unless the client
   has repeated the request already, or QuickBooks says when to try again. This matters most where the answer to a token
   request is lost: Intuit may have replaced the refresh token, and accepts the one before for a day at most.
4. All companies share one token store. A connection is opened when its turn comes and closed afterwards, so memory
   depends on the number of workers and not on the number of companies.
5. Ctrl-C cancels: companies that run stop before their next request, companies that wait do not start. What a sync has
   stored up to then is consistent (see docs/sync.md), so the next one continues there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import queue
import threading
import time
import traceback
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

from vantage_quickbooks.auth.stores import open_store
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.registered import connect_registered
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.errors import (
    CancelledError,
    ConnectorError,
    DeadlineExceededError,
    InputError,
    InternalError,
    OutputError,
    RegistryError,
)
from vantage_quickbooks.registry import ConnectionEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from vantage_quickbooks.auth.stores import TokenStore
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.contract import ChangeSet
    from vantage_quickbooks.registry import ConnectionRegistry

__all__ = [
    "WORKERS",
    "CompanyRun",
    "RunReport",
    "RunsInterrupted",
    "SyncTarget",
    "run_companies",
    "sync_companies",
    "sync_company",
]

WORKERS = 8
"""Companies at once by default: enough to keep a core busy where QuickBooks takes its usual time to answer."""

_log = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class CompanyRun:
    """What happened to one company; a row of the report.

    Attributes:
        id: The connection's id.
        label: Its display name, if it has one.
        realm_id: The QuickBooks company; None if it is not known.
        environment: `production`, `sandbox` or `emulator`; None if it is not known.
        status: `waiting`, `running`, and at the end `succeeded`, `incomplete` (it has a result, but a part of it
            failed), `failed`, or `cancelled`.
        error: Why it is not `succeeded`, as in an envelope: code, message with what to do, retryable, fields, details.
        result: What the task found; plain JSON. A task fills it as it goes, so a run that failed has what came before.
        attempts: How often it was tried.
        api_calls: Requests to the data API, failed ones included, of all attempts.
        metered_calls: Those of them that Intuit meters.
        seconds: How long it took.
    """

    id: str
    label: str | None = None
    realm_id: str | None = None
    environment: str | None = None
    status: Literal["waiting", "running", "succeeded", "incomplete", "failed", "cancelled"] = "waiting"
    error: dict[str, Any] | None = None
    result: dict[str, Any] = dataclasses.field(default_factory=dict)
    attempts: int = 0
    api_calls: int = 0
    metered_calls: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the run as plain JSON."""
        return {
            "connection": self.id,
            "label": self.label,
            "realmId": self.realm_id,
            "environment": self.environment,
            "status": self.status,
            "error": self.error,
            "result": self.result,
            "attempts": self.attempts,
            "apiCalls": self.api_calls,
            "meteredCalls": self.metered_calls,
            "seconds": round(self.seconds, 3),
        }


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
    _check_positive("workers", workers)
    _check_positive("timeout_s", timeout_s)
    context, deployment = context or HostContext(), deployment or Deployment.from_environ()
    entries = _select(registry, connection_ids)
    started_at, clock = datetime.now(UTC), time.monotonic()
    with _shared_store(context, deployment, seams):
        runs = [CompanyRun(entry.id, entry.label, entry.realm_id, entry.environment) for entry in entries]
        errors = {entry.id: entry.error for entry in entries if entry.error}
        stop = threading.Event()

        def run_one(run: CompanyRun) -> None:
            if error := errors.get(run.id):
                raise error
            own = _context_of(run, context, stop, timeout_s)
            with connect_registered(registry, run.id, own, deployment=deployment, **seams) as connection:
                task(connection, run)

        interrupted = _run_all(runs, run_one, workers=workers, retries=retries, stop=stop, on_done=on_done)
    report = RunReport(tuple(runs), started_at, time.monotonic() - clock)
    if interrupted:
        raise RunsInterrupted(report)
    return report


def _check_positive(name: str, value: float | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise InputError(f"{name} must be a positive number.")


def _select(registry: ConnectionRegistry, ids: Iterable[str] | None) -> list[ConnectionEntry]:
    """Return the entries to run. An id that the registry does not have fails when its turn comes."""
    if ids is None:
        return registry.list()
    known: dict[str, ConnectionEntry] = {}
    with contextlib.suppress(RegistryError):  # a host's registry need not have a list
        known = {entry.id: entry for entry in registry.list()}
    return [known.get(id_, ConnectionEntry(id_)) for id_ in dict.fromkeys(ids)]


@contextlib.contextmanager
def _shared_store(context: HostContext, deployment: Deployment, seams: dict[str, Any]) -> Any:
    """Add one token store for all connections to *seams*, unless the host or the caller has one."""
    if seams.get("store") is not None or context.load_credentials:
        yield
        return
    store: TokenStore = open_store(deployment.token_store, encryption_key=deployment.token_key)
    seams["store"] = store
    try:
        yield
    finally:
        store.close()


def _context_of(run: CompanyRun, context: HostContext, stop: threading.Event, timeout_s: float | None) -> HostContext:
    """Return the context of one company: its id, its deadline, cancellation, and the count of its calls."""
    cancelled, audit = context.cancelled, context.audit
    deadline = context.deadline
    if timeout_s is not None:
        latest = datetime.now(UTC) + timedelta(seconds=timeout_s)
        deadline = latest if deadline is None else min(deadline, latest)

    def count(event: dict[str, Any]) -> None:
        run.api_calls += event["apiCalls"]
        run.metered_calls += event["meteredCalls"]
        if audit is not None:
            audit(event)

    return dataclasses.replace(
        context,
        connection_id=run.id,
        deadline=deadline,
        cancelled=lambda: stop.is_set() or bool(cancelled and cancelled()),
        audit=count,
    )


def _run_all(
    runs: Sequence[CompanyRun],
    run_one: Callable[[CompanyRun], None],
    *,
    workers: int,
    retries: int,
    stop: threading.Event,
    on_done: Callable[[CompanyRun], None] | None,
) -> bool:
    """Run all companies in worker threads; return whether Ctrl-C interrupted them."""
    waiting, ended = deque(runs), queue.SimpleQueue[CompanyRun | None]()
    # Daemons: a second Ctrl-C ends the process at once.
    threads = [
        threading.Thread(target=_work, args=(waiting, run_one, retries, stop, ended), name=f"company-{n}", daemon=True)
        for n in range(min(workers, len(runs)))
    ]
    is_interrupted = False
    try:
        for thread in threads:
            thread.start()
        for run in itertools.chain.from_iterable(iter(ended.get, None) for _ in threads):
            if on_done is not None:
                on_done(run)
    except KeyboardInterrupt:
        is_interrupted = True
    finally:
        stop.set()
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()
    for run in waiting:
        if not run.attempts:
            run.status, run.error = "cancelled", CancelledError("The run ended before this company's turn.").to_dict()
    return is_interrupted


def _work(
    waiting: deque[CompanyRun],
    run_one: Callable[[CompanyRun], None],
    retries: int,
    stop: threading.Event,
    ended: queue.SimpleQueue[CompanyRun | None],
) -> None:
    """Run one company after the other, until there are no more; None at the end says so."""
    try:
        while waiting and not stop.is_set():
            with contextlib.suppress(IndexError):  # another worker took the last one
                run = waiting.popleft()
                _settle(run, run_one)
                if run.attempts <= retries and _may_succeed_now(run):
                    waiting.append(run)
                else:
                    ended.put(run)
    finally:
        ended.put(None)


def _settle(run: CompanyRun, run_one: Callable[[CompanyRun], None]) -> None:
    """Run one company, and note how it ended; raises nothing."""
    started = time.monotonic()
    run.status, run.error = "running", None
    run.attempts += 1
    try:
        run_one(run)
        run.status = "incomplete" if run.error else "succeeded"
    except CancelledError as error:
        run.status, run.error = "cancelled", error.to_dict()
    except ConnectorError as error:
        run.status, run.error = "failed", error.to_dict()
    except OSError as error:
        run.status, run.error = "failed", _output_error(error).to_dict()
    except BaseException as error:  # noqa: BLE001 -- a defect in the task of one company must not stop the others
        run.status, run.error = "failed", _defect(run, error).to_dict()
    finally:
        run.seconds += time.monotonic() - started


def _may_succeed_now(run: CompanyRun) -> bool:
    """Return whether another attempt makes sense (rule 3); beyond a deadline, it does not either."""
    error = run.error
    return (
        error is not None
        and error["retryable"]
        and error["retryAfter"] is None
        and "attempts" not in error["details"]
        and error["code"] != DeadlineExceededError.code
    )


def _output_error(error: OSError) -> OutputError:
    name = error.filename or "The output"
    return OutputError(
        f"{name} cannot be written: {error.strerror or 'the system refused'}. Nothing is lost: the state of what was "
        "not written was not stored, so the next sync reads it again.",
        details={"file": str(error.filename) if error.filename else None},
    )


def _defect(run: CompanyRun, error: BaseException) -> InternalError:
    """Report a defect by its place in the code: an unforeseen message could contain a secret."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
    _log.error("connection %s failed because of a bug: %s", run.id, where)
    return InternalError(f"The company could not be processed because of a bug: {where}. Report it.")


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
    **options: Any,
) -> RunReport:
    """Sync many companies at once; see docs/sync.md.

    Args:
        registry: The registry.
        open_target: Called in a worker thread with the run; returns a context manager that yields the target.
        connection_ids: The companies; None is all of the registry.
        entities: As for `Connection.sync`.
        max_api_calls: As for `Connection.sync`, for each company.
        until: As for `Connection.sync`.
        **options: As for `run_companies`.

    Returns:
        The report. `result` of a run is what `sync_company` returns. A company of which an entity could not be read is
        `incomplete`.

    Raises:
        InputError: An argument is not valid; nothing was sent.
        ConnectorError: As `run_companies`.
    """
    from vantage_quickbooks.connector.connection import sync_input  # noqa: PLC0415 -- imports the catalog

    sync_input(entities, None, max_api_calls, None, until)

    def task(connection: Connection, run: CompanyRun) -> None:
        with open_target(run) as target:
            sync_company(connection, run, target, entities=entities, max_api_calls=max_api_calls, until=until)

    return run_companies(registry, task, connection_ids, **options)


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
