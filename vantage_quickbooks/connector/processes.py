"""Runs a task for many companies in several processes of one machine: the bundles and the engine of one process.

Theory of operation
1. The calling process lists the registry and makes small bundles, so that all connections of one company are in one
   process. A worker process asks for a bundle whenever one of its threads has no company, so a slow company delays no
   other.
2. Worker processes are spawned and never forked: a thread of the calling process may hold any lock. Each opens the
   registry and the token store for itself; only ids and the task travel, and no settings or tokens. What processes
   share, they share by files and the token store: chains of tokens, rate limits, the count of metered calls.
3. A worker reports which company it begins, and sends each run that has ended. If it is killed, the companies that it
   had begun are failed runs, other workers run those that it had not, and a new process replaces it. A worker that
   ends before it has begun a company is not replaced.
4. Worker processes ignore Ctrl-C, which a terminal sends to all of them, and end on SIGTERM: their companies stop
   before their next request, and are reported as cancelled. The calling process sends it when it is interrupted. If the
   calling process is killed, they end likewise, because their pipe is closed.
5. One thread of the calling process talks to one worker, so that Ctrl-C, which is raised in the main thread, never
   interrupts a message half-way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import multiprocessing
import pickle
import queue
import signal
import threading
import time
import traceback
from collections import deque
from datetime import UTC, datetime
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.auth.stores import open_store
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.bundles import BUNDLE_SIZE, make_bundles
from vantage_quickbooks.connector.company_runs import (
    WORKERS,
    CompanyRun,
    Crew,
    OpenCompany,
    check_count,
    check_positive,
    shared_store,
)
from vantage_quickbooks.connector.many import RunReport, RunsInterrupted, run_of, select_entries
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import CancelledError, ConnectorError, InputError, InternalError, WorkerProcessError
from vantage_quickbooks.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from multiprocessing.connection import Connection as Link
    from multiprocessing.context import SpawnProcess

    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.registry import ConnectionRegistry

__all__ = ["run_in_processes"]

_BUNDLES_PER_PROCESS = 4
"""At least: so the processes end at about the same time."""

_log = get_logger(__name__)

_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


# ---- messages --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Job:
    """What a worker process does. Pickled once, and sent to each."""

    open_registry: Callable[[], ConnectionRegistry]
    task: Callable[[Connection, CompanyRun], None]
    workers: int
    retries: int
    timeout_s: float | None
    make_deployment: Callable[[], Deployment]
    on_start: Callable[[], None] | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Ask:
    """A worker has a thread without a company."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Begun:
    """A worker begins a company."""

    id: str


# ---- the calling process ---------------------------------------------------------------------------------------------


def run_in_processes(
    open_registry: Callable[[], ConnectionRegistry],
    task: Callable[[Connection, CompanyRun], None],
    connection_ids: Iterable[str] | None = None,
    *,
    processes: int,
    workers: int = WORKERS,
    retries: int = 1,
    timeout_s: float | None = None,
    make_deployment: Callable[[], Deployment] = Deployment.from_environ,
    on_start: Callable[[], None] | None = None,
    on_done: Callable[[CompanyRun], None] | None = None,
) -> RunReport:
    """Run a task for each company in several processes; a company that fails does not stop the others.

    All callables but *on_done* are pickled, so they are functions or instances of classes at the top level of a module
    (`functools.partial` of those included). The script that calls this needs `if __name__ == "__main__":`, because each
    process imports it.

    Args:
        open_registry: Opens the registry, here and in each process: `vantage_quickbooks.open_registry`, for example.
        task: As for `run_companies`; a `SyncTask` syncs. The `result` of a run is pickled, too.
        connection_ids: The companies; None is all of the registry.
        processes: Processes; no more are started than there are bundles of companies.
        workers: Companies at once in each process.
        retries: How often a company whose error is `retryable` is tried again.
        timeout_s: Seconds after which the calls of a company end with an error; None leaves the connector's own limits.
        make_deployment: Returns the operator's options, here and in each process.
        on_start: Called first in each process, to configure its log, for example.
        on_done: Called in the calling thread with each run that has ended, in the order in which they end.

    Returns:
        The report, as of `run_companies`. The companies that a process had begun when it was killed are `failed` with
        `WORKER_PROCESS_ENDED`.

    Raises:
        RegistryError: The registry itself cannot be read.
        TokenStoreError: The token store's URL or key is invalid.
        InputError: A number is not positive, or an argument cannot be pickled. Nothing was sent.
        WorkerProcessError: No process could be started.
        RunsInterrupted: Ctrl-C; it has the report.
    """
    check_count("processes", processes)
    check_count("workers", workers)
    check_positive("timeout_s", timeout_s)
    job = _pickled(_Job(open_registry, task, workers, retries, timeout_s, make_deployment, on_start))
    deployment = make_deployment()
    open_store(deployment.token_store, encryption_key=deployment.token_key).close()  # an invalid URL is raised here
    registry = open_registry()
    try:
        entries = select_entries(registry, connection_ids)
    finally:
        registry.close()
    started_at, clock = datetime.now(UTC), time.monotonic()
    runs = {entry.id: run_of(entry) for entry in entries}
    size = min(BUNDLE_SIZE, math.ceil(len(entries) / (processes * _BUNDLES_PER_PROCESS))) or 1
    office = _Office(job, [bundle.connection_ids for bundle in make_bundles(entries, size)], runs)
    is_interrupted = office.run(processes, on_done)
    report = RunReport(tuple(office.runs[id_] for id_ in runs), started_at, time.monotonic() - clock)
    if is_interrupted:
        raise RunsInterrupted(report)
    return report


def _pickled(job: _Job) -> bytes:
    try:
        return pickle.dumps(job)
    except Exception as error:  # noqa: BLE001 -- pickling runs the code of any class
        reason = f"{type(error).__name__}: {error}"
    raise InputError(
        f"The task cannot be passed to other processes ({reason}). Define functions and classes at the top level of a "
        "module, not inside a function, and open files, databases and locks in the task itself."
    )


class _Worker:
    """A worker process, as the calling process sees it.

    Attributes:
        process: The process.
        link: Its pipe.
        thread: Talks to it.
        handed: Companies that it has and that have not ended, and whether they have begun.
        has_asked: Whether it was ready to work.
        has_begun: Whether it has begun any company.
        error: Why it gave up, if it said so.
    """

    def __init__(self) -> None:
        # Not forkserver: its processes have the environment of the time when the first of them was started.
        spawn = multiprocessing.get_context("spawn")
        self.link, self._far_end = spawn.Pipe()
        self.process: SpawnProcess = spawn.Process(target=_work, args=(self._far_end,), daemon=True)
        self.thread: threading.Thread
        self.handed: dict[str, bool] = {}
        self.has_asked = self.has_begun = False
        self.error: ConnectorError | None = None

    def start(self) -> None:
        """Start the process."""
        self.process.start()
        self._far_end.close()  # so that the end of the process is the end of the pipe


class _Office:
    """Hands bundles out to worker processes, and collects their runs.

    Args:
        job: The pickled job.
        bundles: The ids of each bundle.
        runs: All runs by id; each is replaced by the one that its worker sends.
    """

    def __init__(self, job: bytes, bundles: Iterable[tuple[str, ...]], runs: dict[str, CompanyRun]) -> None:
        self.runs = runs
        self._job, self._bundles = job, deque(bundles)
        self._lock = threading.Lock()
        self._events = queue.SimpleQueue[CompanyRun | _Worker]()
        self._workers: set[_Worker] = set()
        self._is_ending = False
        self._has_worked = False

    def run(self, processes: int, on_done: Callable[[CompanyRun], None] | None) -> bool:
        """Run all companies; return whether Ctrl-C interrupted them."""
        is_interrupted, lost = False, None
        try:
            try:
                self._start(min(processes, len(self._bundles)))
                lost = self._follow(on_done)
            except BaseException as error:
                self._is_ending = True
                for worker in self._workers:
                    worker.process.terminate()
                self._follow(None)
                if not isinstance(error, KeyboardInterrupt):
                    raise
                is_interrupted = True
        finally:
            with _blocked_signals():
                for worker in self._workers:  # a second Ctrl-C ends them at once
                    worker.process.kill()
        for run in self.runs.values():
            if run.status == "waiting" and not is_interrupted and lost is not None:
                run.status, run.error = "failed", lost.to_dict()
            elif run.status == "waiting":
                run.cancel()
        return is_interrupted

    def _start(self, count: int) -> None:
        """Start processes, or as many of them as the system allows.

        Raises:
            WorkerProcessError: There are none.
        """
        resource_tracker.ensure_running()  # its own start would unblock the signals
        try:
            for _ in range(count):
                # Ctrl-C waits until the process is known here, and until it can handle signals itself.
                with _blocked_signals():
                    worker = _Worker()
                    worker.start()
                    self._workers.add(worker)
                    worker.thread = threading.Thread(
                        target=self._serve, args=(worker,), name="worker-process", daemon=True
                    )
                    worker.thread.start()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            if not self._workers:
                raise WorkerProcessError(
                    f"No worker process could be started: {reason}. Use fewer processes, or end other ones."
                ) from None
            _log.warning("only %d worker processes could be started: %s", len(self._workers), reason)

    def _follow(self, on_done: Callable[[CompanyRun], None] | None) -> WorkerProcessError | None:
        """Pass on what the workers send until all of them have ended; return why the last one that failed did.

        Raises:
            ConnectorError: A worker cannot work at all.
        """
        lost = None
        while self._workers:
            match self._events.get():
                case CompanyRun() as run if on_done is not None:
                    on_done(run)
                case _Worker() as worker:
                    self._workers.discard(worker)
                    worker.thread.join()  # this event was the last thing it did
                    lost = self._replace(worker, on_done) or lost
        return lost

    def _replace(self, worker: _Worker, on_done: Callable[[CompanyRun], None] | None) -> WorkerProcessError | None:
        """Note what a worker that has ended leaves behind, and start another one if there is work left."""
        if worker.error is not None and not self._is_ending:
            raise worker.error
        self._has_worked |= worker.has_asked
        error = None if worker.process.exitcode == 0 else _ended(worker.process.exitcode)
        with self._lock:
            waiting = tuple(id_ for id_, has_begun in worker.handed.items() if not has_begun)
            if waiting:
                self._bundles.append(waiting)
        for id_ in worker.handed:
            run = self.runs[id_]
            if id_ not in waiting and error is not None:
                run.status, run.error, run.attempts = "failed", error.to_dict(), 1
                if on_done is not None:
                    on_done(run)
        if self._is_ending:
            return error
        if not (self._workers or self._has_worked) and error is not None:
            raise error
        if self._bundles and worker.has_begun:
            try:
                self._start(1)
            except WorkerProcessError as failure:
                return failure
        return error

    def _serve(self, worker: _Worker) -> None:
        """Talk to a worker until it ends; runs in a thread of its own."""
        try:
            self._send(worker, self._job)
            while True:
                self._answer(worker, worker.link.recv())
        except (EOFError, OSError):
            pass  # it has ended, perhaps in the middle of a message
        except Exception as error:  # noqa: BLE001 -- a result that cannot be unpickled here
            _log.error("a worker process is ended: its message cannot be read (%s)", type(error).__name__)
            worker.process.kill()
        finally:
            worker.process.join()
            worker.link.close()
            self._events.put(worker)

    @staticmethod
    def _send(worker: _Worker, content: bytes) -> None:
        """Send a message. If the worker has ended, what it has sent before is still to be read."""
        with contextlib.suppress(OSError):
            worker.link.send_bytes(content)

    def _answer(self, worker: _Worker, message: object) -> None:
        match message:
            case _Ask():
                worker.has_asked = True
                with self._lock:
                    ids = self._bundles.popleft() if self._bundles and not self._is_ending else ()
                worker.handed |= dict.fromkeys(ids, False)
                self._send(worker, pickle.dumps([self.runs[id_] for id_ in ids]))
            case _Begun(id_):
                worker.handed[id_] = worker.has_begun = True
            case CompanyRun() as run:
                del worker.handed[run.id]
                self.runs[run.id] = run
                self._events.put(run)
            case ConnectorError() as error:
                worker.error = error


@contextlib.contextmanager
def _blocked_signals() -> Iterator[None]:
    """Block Ctrl-C and SIGTERM, also in processes that are started; what arrives here is handled afterwards."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _ended(exit_code: int | None) -> WorkerProcessError:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return WorkerProcessError(
            f"The worker process of this company was ended by {name}. What it had stored is consistent, so the next "
            "run continues there. If the machine is short of memory, use fewer processes, or fewer companies at once.",
            details={"signal": name},
        )
    return WorkerProcessError(
        f"The worker process of this company ended with status {exit_code}; its standard error says why. A script that "
        'starts processes needs `if __name__ == "__main__":`.',
        details={"exitStatus": exit_code},
    )


# ---- the worker process ----------------------------------------------------------------------------------------------


def _work(link: Link) -> None:
    """Run the companies that the calling process hands out; the main function of a worker process."""
    stop, bundles = threading.Event(), queue.SimpleQueue[list[CompanyRun]]()

    def end() -> None:
        stop.set()
        bundles.put([])

    threading.Thread(target=_await_signal, args=(end,), daemon=True).start()
    failure: ConnectorError
    try:
        job = _unpickled(link.recv_bytes())
        threading.Thread(target=_receive, args=(link, bundles, end), daemon=True).start()
        _Desk(link, bundles, stop).run(job)
    except (EOFError, BrokenPipeError):  # the calling process has ended
        return
    except ConnectorError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 -- an unforeseen message could contain a secret
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
        failure = InternalError(f"A worker process could not work because of a bug: {where}. Report it.")
    else:
        return
    with contextlib.suppress(BrokenPipeError):
        link.send(failure.without_traceback())


def _await_signal(end: Callable[[], None]) -> None:
    signal.sigwait({signal.SIGTERM})
    end()


def _receive(link: Link, bundles: queue.SimpleQueue[list[CompanyRun]], end: Callable[[], None]) -> None:
    """Pass on the bundles that arrive; at the end of the pipe, the calling process has ended."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            bundles.put(link.recv())
    end()


def _unpickled(job: bytes) -> _Job:
    try:
        found = pickle.loads(job)  # noqa: S301 -- from the process that has started this one
    except Exception as error:  # noqa: BLE001 -- unpickling runs the code of any class
        reason = f"{type(error).__name__}: {error}"
    else:
        assert isinstance(found, _Job)  # noqa: S101 -- for the type checker
        return found
    raise InputError(
        f"The task cannot be loaded in a worker process ({reason}). Define it in a module that each process can import."
    )


class _Desk:
    """The side of a worker process that talks to the calling one.

    Args:
        link: The pipe.
        bundles: The bundles that arrive; an empty one is the last.
        stop: Ends the companies.
    """

    def __init__(self, link: Link, bundles: queue.SimpleQueue[list[CompanyRun]], stop: threading.Event) -> None:
        self._link, self._bundles, self._stop = link, bundles, stop
        self._lock = threading.Lock()
        self._begun: dict[str, CompanyRun] = {}

    def run(self, job: _Job) -> None:
        """Run companies until there are no more."""
        if job.on_start is not None:
            job.on_start()
        context, deployment, seams = HostContext(), job.make_deployment(), dict[str, Any]()
        registry = job.open_registry()
        with contextlib.closing(registry), shared_store(context, deployment, seams):
            open_company = OpenCompany(registry, context, deployment, job.timeout_s, seams, self._stop)

            def run_one(run: CompanyRun) -> tuple[()]:
                if run.id not in self._begun:
                    self._begun[run.id] = run
                    self._send(_Begun(run.id))
                if self._stop.is_set():
                    raise CancelledError("The run ended before this company's turn.")
                with open_company(run) as connection:
                    job.task(connection, run)
                return ()

            how: dict[str, Any] = {"workers": job.workers, "retries": job.retries, "stop": self._stop}
            # Before the thread begins the next company: if that one kills the process, this one has ended.
            crew: Crew[Any] = Crew(self._companies(), run_one, on_end=self._report, **how)
            with crew as ended:
                for _ in ended:
                    pass
        for run in list(self._begun.values()):  # those that were to be tried again
            self._report(run)

    def _companies(self) -> Generator[CompanyRun]:
        while not self._stop.is_set():
            self._send(_Ask())
            bundle = self._bundles.get()
            if not bundle:
                return
            yield from bundle

    def _report(self, run: CompanyRun) -> None:
        del self._begun[run.id]
        try:
            self._send(run)
        except Exception as error:  # noqa: BLE001 -- pickling runs the code of any class
            wrong = InputError(f"The result of the task cannot be passed to another process ({type(error).__name__}).")
            run.status, run.error, run.result = "failed", wrong.to_dict(), {}
            self._send(run)

    def _send(self, message: object) -> None:
        """Send a message; if the calling process has ended, end the companies.

        Raises:
            Exception: The message cannot be pickled.
        """
        content = pickle.dumps(message)
        try:
            with self._lock:
                self._link.send_bytes(content)
        except OSError:
            self._stop.set()
