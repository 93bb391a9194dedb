"""The engine of tasks for many companies: worker threads, each company on its own, and what they yield in order.

Theory of operation
1. Worker threads take one company after the other from a source, which may still grow. Threads are enough for one
   process: a task waits for QuickBooks nearly all the time, and each company has limits of its own (10 requests at
   once), which its rate limiter observes.
2. A company that fails, in whatever way, is a run with an error, and the others go on: an entry of the registry that is
   damaged, settings that are invalid, a grant that was revoked, a file that cannot be written.
3. A failure that may be over at the next attempt is tried again once all others have had their turn, unless the client
   has repeated the request already, QuickBooks says when to try again, calls are limited and some were spent, or items
   of the company were yielded, which would come twice. This matters most where the answer to a token request is lost:
   Intuit may have replaced the refresh token, and accepts the one before for a day at most.
4. What the tasks yield goes through one bounded channel: a worker waits while it is full, so a slow consumer slows the
   reading down, and memory does not depend on the size of the companies.
5. A connection is opened when its turn comes and closed afterwards, so memory depends on the number of workers and not
   on the number of companies. All companies share one token store.
6. At the end, or when the consumer stops, companies that run stop before their next request, and companies that wait do
   not start.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import threading
import time
import traceback
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from vantage_quickbooks.auth.stores import open_store
from vantage_quickbooks.connector.registered import connect_registered
from vantage_quickbooks.errors import (
    CancelledError,
    ConnectorError,
    DeadlineExceededError,
    InputError,
    InternalError,
    OutputError,
)
from vantage_quickbooks.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import TracebackType

    from vantage_quickbooks.auth.stores import TokenStore
    from vantage_quickbooks.config.deployment import Deployment
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.contract import HostContext
    from vantage_quickbooks.registry import ConnectionRegistry

__all__ = [
    "WORKERS",
    "CompanyItem",
    "CompanyRun",
    "Crew",
    "OpenCompany",
    "check_count",
    "check_positive",
    "error_of",
    "shared_store",
]

WORKERS = 8
"""Companies at once by default: enough to keep a core busy where QuickBooks takes its usual time to answer."""

_log = get_logger(__name__)

T = TypeVar("T")


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
        max_api_calls: Limit of API calls of the company, set by a task that has one.
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
    max_api_calls: int | None = None

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

    def cancel(self) -> None:
        """Note that the company did not get its turn."""
        self.status, self.error = "cancelled", CancelledError("The run ended before this company's turn.").to_dict()


@dataclasses.dataclass(frozen=True, slots=True)
class CompanyItem(Generic[T]):
    """Something that the task of a company has yielded.

    Attributes:
        run: The company; its counts are those of this instant.
        item: What the task has yielded.
    """

    run: CompanyRun
    item: T


def check_positive(name: str, value: float | None) -> None:
    """Check that an argument is a positive number, or None.

    Raises:
        InputError: It is not.
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise InputError(f"{name} must be a positive number.")


def check_count(name: str, value: int | None) -> None:
    """Check that an argument is an integer from 1, or None.

    Raises:
        InputError: It is not.
    """
    check_positive(name, value)
    if value is not None and not isinstance(value, int):
        raise InputError(f"{name} must be a whole number.")


@contextlib.contextmanager
def shared_store(context: HostContext, deployment: Deployment, seams: dict[str, Any]) -> Iterator[None]:
    """Add one token store for all connections to *seams*, unless the host or the caller has one.

    Raises:
        TokenStoreError: The token store's URL or key is invalid.
    """
    if seams.get("store") is not None or context.load_credentials:
        yield
        return
    store: TokenStore = open_store(deployment.token_store, encryption_key=deployment.token_key)
    seams["store"] = store
    try:
        yield
    finally:
        store.close()


@dataclasses.dataclass(frozen=True, slots=True)
class OpenCompany:
    """Opens the connections of runs, with the count of their calls and their cancellation.

    Attributes:
        registry: The registry.
        context: What the host knows; the attributes of one company are added.
        deployment: The operator's options.
        timeout_s: Seconds after which the calls of a company end with an error; None for no limit of this kind.
        seams: As for `QuickBooksConnector.connect`.
        stop: Once it is set, the calls of all companies end.
    """

    registry: ConnectionRegistry
    context: HostContext
    deployment: Deployment
    timeout_s: float | None
    seams: dict[str, Any]
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    def __call__(self, run: CompanyRun) -> Connection:
        """Return the connection of a run, to be closed by the caller.

        Raises:
            ConnectorError: As `connect_registered`.
        """
        context = self._context_of(run)
        return connect_registered(self.registry, run.id, context, deployment=self.deployment, **self.seams)

    def _context_of(self, run: CompanyRun) -> HostContext:
        cancelled, audit, deadline, stop = self.context.cancelled, self.context.audit, self.context.deadline, self.stop
        if self.timeout_s is not None:
            latest = datetime.now(UTC) + timedelta(seconds=self.timeout_s)
            deadline = latest if deadline is None else min(deadline, latest)

        def count(event: dict[str, Any]) -> None:
            run.api_calls += event["apiCalls"]
            run.metered_calls += event["meteredCalls"]
            if audit is not None:
                audit(event)

        return dataclasses.replace(
            self.context,
            connection_id=run.id,
            deadline=deadline,
            cancelled=lambda: stop.is_set() or bool(cancelled and cancelled()),
            audit=count,
        )


class _Channel(Generic[T]):
    """A bounded queue from several threads to one.

    Args:
        capacity: Items that may wait in it.
        producers: Threads that put items; each calls `leave` at its end.
    """

    def __init__(self, capacity: int, producers: int) -> None:
        self._capacity, self._producers = capacity, producers
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, item: T) -> bool:
        """Add an item once there is room for it; return False if the channel was closed, and the item is not wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._items) < self._capacity)
            if not self._is_closed:
                self._items.append(item)
                self._changed.notify_all()
            return not self._is_closed

    def leave(self) -> None:
        """Note that one of the producers has ended."""
        with self._changed:
            self._producers -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """Drop what is waiting, and let all producers go on; nothing is wanted any more."""
        with self._changed:
            self._is_closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield the items until all producers have ended."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or not self._producers)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # it may be a large batch, and the next one may take long


class Crew(Generic[T]):
    """Worker threads that run companies; a context manager, whose end stops and joins them.

    Args:
        source: The companies, all in status `waiting`. It is read by the worker threads, one at a time, and may block.
        task: Called in a worker thread with a run; yields the items of the company. What it raises is the error of the
            run.
        workers: Companies at once.
        retries: How often a company whose error is `retryable` is tried again.
        stop: Is set at the end, and ends the runs early when it is set before.
        buffered: Items that wait for the consumer; *workers* by default.
        on_end: Called with each run that has ended in its worker thread, before that one takes another company.
    """

    def __init__(
        self,
        source: Iterable[CompanyRun],
        task: Callable[[CompanyRun], Iterable[T]],
        *,
        workers: int,
        retries: int,
        stop: threading.Event,
        buffered: int | None = None,
        on_end: Callable[[CompanyRun], None] | None = None,
    ) -> None:
        self._source, self._source_lock = iter(source), threading.Lock()
        self._again: deque[CompanyRun] = deque()
        self._task, self._retries, self._stop, self._on_end = task, retries, stop, on_end
        self._channel = _Channel[CompanyRun | CompanyItem[T]](buffered or workers, workers)
        # Daemons: a second Ctrl-C ends the process at once.
        self._threads = [
            threading.Thread(
                target=contextvars.copy_context().run, args=(self._work,), name=f"company-{number}", daemon=True
            )
            for number in range(workers)
        ]

    def __enter__(self) -> Generator[CompanyRun | CompanyItem[T]]:
        """Start the threads, and return what they yield: items, and each run that has ended."""
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:
            self._end()
            raise
        return (found for found in self._channel)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._stop.set()
        self._channel.close()
        for thread in self._threads:
            if thread.ident is not None:  # it was started
                thread.join()

    def _work(self) -> None:
        """Run one company after the other, until there are no more."""
        try:
            while not self._stop.is_set() and (run := self._next()) is not None:
                has_items = self._settle(run)
                if run.attempts <= self._retries and not has_items and _may_succeed_now(run):
                    self._again.append(run)
                else:
                    if self._on_end is not None:
                        self._on_end(run)
                    self._channel.put(run)
        finally:
            self._channel.leave()

    def _next(self) -> CompanyRun | None:
        with self._source_lock:
            run = next(self._source, None)
        if run is None:
            with contextlib.suppress(IndexError):
                run = self._again.popleft()
        return run

    def _settle(self, run: CompanyRun) -> bool:
        """Run one company, note how it ended, and return whether it has yielded an item; raises nothing."""
        started, has_items = time.monotonic(), False
        run.status, run.error = "running", None
        run.attempts += 1
        try:
            with _closed_at_end(self._task(run)) as items:
                for item in items:
                    has_items = True
                    if not self._channel.put(CompanyItem(run, item)):
                        raise CancelledError("The consumer of the companies has stopped.")  # noqa: TRY301
                    del item
            run.status = "incomplete" if run.error else "succeeded"
        except CancelledError as error:
            run.status, run.error = "cancelled", error.to_dict()
        except BaseException as error:  # noqa: BLE001 -- a defect in the task of one company must not stop the others
            run.status, run.error = "failed", error_of(run, error)
        finally:
            run.seconds += time.monotonic() - started
        return has_items


@contextlib.contextmanager
def _closed_at_end(items: Iterable[T]) -> Iterator[Iterable[T]]:
    """Close *items* at the end if they are a generator: the connection that it reads is closed next."""
    try:
        yield items
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _may_succeed_now(run: CompanyRun) -> bool:
    """Return whether another attempt makes sense (rule 3); beyond a deadline, it does not either.

    Nor where calls are limited and some were spent: two attempts would exceed the limit, and a sync that has only the
    calls that are left might give up a comparison that fits the limit, and begin to read everything.
    """
    error = run.error
    return (
        error is not None
        and error["retryable"]
        and error["retryAfter"] is None
        and "attempts" not in error["details"]
        and error["code"] != DeadlineExceededError.code
        and not (run.max_api_calls is not None and run.api_calls)
    )


def error_of(run: CompanyRun, error: BaseException) -> dict[str, Any]:
    """Return the error of a run as plain JSON.

    Args:
        run: The run.
        error: What its task raised.
    """
    if isinstance(error, ConnectorError):
        return error.to_dict()
    return (_output_error(error) if isinstance(error, OSError) else _defect(run, error)).to_dict()


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
