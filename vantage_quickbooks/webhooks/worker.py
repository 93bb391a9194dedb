"""Hands notices on from the inbox. Needs the extra `webhooks`.

Theory of operation
1. One thread claims companies whose time has come, at most as many as there are free worker threads, and sleeps for
   `POLL_S` if there is nothing to do. Another extends the leases of those that are being handled: it waits neither for
   the registry nor for a handler.
2. What a handler raises is a failure: the inbox hands the company on again after a pause, see `inbox.BACKOFF_S`. It is
   logged by its code, or by its class and the line that raised it: the message of an unknown exception could contain a
   secret.
3. `stop` waits for a while until running handlers end, and releases the claims of those that do not. The leases of a
   killed process expire.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Protocol

from vantage_quickbooks.errors import CancelledError, ConnectorError, InboxError
from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.webhooks.inbox import BACKOFF_S, LEASE_S
from vantage_quickbooks.webhooks.stats import Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from vantage_quickbooks.webhooks.inbox import Claim, Inbox
    from vantage_quickbooks.webhooks.notices import Notice

__all__ = ["RECONCILE_S", "BatchHandler", "UnknownCompanyError", "Worker"]

RECONCILE_S = 86_400.0
"""Intuit advises to look once a day for what was missed.

Source: https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks/best-practices.
"""

POLL_S = 0.5
MIN_PAUSE_S = 0.05  # between two reads of the inbox, however often the worker is woken
PRUNE_S = 3_600.0
SCHEDULE_S = 60.0
"""How often the companies to be scheduled are listed anew."""

_log = get_logger(__name__)


class UnknownCompanyError(Exception):
    """A handler does not know the company; its notices become dead letters at once."""


class BatchHandler(Protocol):
    """Handles several companies at once, for destinations that are loaded faster together."""

    def handle_batch(self, work: Sequence[tuple[str, Sequence[Notice]]]) -> dict[str, BaseException]:
        """Handle companies with their notices; return the errors of those that failed."""
        ...


class Worker:
    """Hands notices on, in threads of its own.

    Args:
        inbox: Where the notices are.
        handler: Called in a worker thread with the company and its notices; it may be called twice with the same ones.
            No notices means that the time of a scheduled company has come: look for what was missed. An object with
            the method `handle_batch` gets several companies at once.
        companies: Returns the companies to be scheduled; None schedules none.
        reconcile_s: The period of scheduled companies.
        threads: Companies at once; of a batch handler, companies of a batch.
        stats: Where it counts.
        stopping: Set by `stop`; an event of the caller's, so that a handler can look at it, too.
    """

    def __init__(
        self,
        inbox: Inbox,
        handler: Callable[[str, Sequence[Notice]], object] | BatchHandler,
        *,
        companies: Callable[[], Iterable[str]] | None = None,
        reconcile_s: float = RECONCILE_S,
        threads: int = 8,
        stats: Stats | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self.stats = stats or Stats()
        self._inbox = inbox
        self._handler: Any = handler
        self._is_batch = hasattr(handler, "handle_batch")
        self._companies = companies
        self._reconcile_s = reconcile_s
        self._threads = threads
        self._running: dict[str, Claim] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = stopping or threading.Event()
        self._thread: threading.Thread | None = None
        self._last = dict.fromkeys(("prune", "schedule"), float("-inf"))
        self._is_inbox_broken = False

    @property
    def is_running(self) -> bool:
        """Whether its threads run."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Whether it has been asked to stop; a handler that takes long should look at it."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start the threads, unless they run. A worker that was stopped cannot be started again."""
        with self._lock:
            if not self.is_running and not self.is_stopping:
                self._thread = threading.Thread(target=self._run, name="webhook-worker", daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Look at once for what is due."""
        self._wake.set()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop: wait for the handlers that run, and give the claims of others back.

        Args:
            timeout_s: How long to wait for them.
        """
        self._stopping.set()
        self._wake.set()
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        with self._lock:
            left = list(self._running.values())
        for claim in left:
            with contextlib.suppress(InboxError):
                self._inbox.release(claim)

    def run_due(self) -> int:
        """Hand on what is due now, and return the number of companies; the threads of `start` are not needed.

        Raises:
            ConnectorError: The inbox or the registry cannot be read.
        """
        self._schedule()
        count = 0
        with self._extending():
            while claims := self._claim(self._threads):
                first, *others = [claims] if self._is_batch else [[claim] for claim in claims]
                threads = [threading.Thread(target=self._try_handle, args=(group,), daemon=True) for group in others]
                for thread in threads:
                    thread.start()
                self._try_handle(first)
                for thread in threads:
                    thread.join()
                count += len(claims)
        return count

    @contextlib.contextmanager
    def _extending(self) -> Generator[None]:
        """Extend the leases of what is being handled, until the block ends."""
        ended = threading.Event()

        def extend() -> None:
            while not ended.wait(LEASE_S / 4):
                with contextlib.suppress(InboxError):
                    self._extend()

        thread = threading.Thread(target=extend, name="webhook-leases", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        with self._extending():
            self._hand_on()

    def _hand_on(self) -> None:
        groups: queue.SimpleQueue[list[Claim] | None] = queue.SimpleQueue()
        # Daemons: a handler that never returns must not keep the process from ending.
        threads = [
            threading.Thread(target=self._work, args=(groups,), name=f"webhook-handler-{number}", daemon=True)
            for number in range(1 if self._is_batch else self._threads)
        ]
        for thread in threads:
            thread.start()
        while not self._stopping.is_set():
            try:
                is_busy = self._step(groups)
                self._is_inbox_broken = False
            except ConnectorError as error:  # of the inbox or the registry
                is_busy = False
                if not self._is_inbox_broken:
                    self._is_inbox_broken = True
                    _log.error("webhooks are not handed on: %s", error.message)
            except Exception as error:  # noqa: BLE001 -- `companies` is the caller's; the next step asks it again
                is_busy = False
                _log.error("webhooks are not handed on: %s", _place(error))
            if not is_busy:
                self._wake.wait(POLL_S)
                self._wake.clear()
                self._stopping.wait(MIN_PAUSE_S)
        for _ in threads:
            groups.put(None)
        for thread in threads:
            thread.join()

    def _step(self, groups: queue.SimpleQueue[list[Claim] | None]) -> bool:
        """Claim what is due and pass it to the threads; return whether there was something."""
        if self._is_time("prune", PRUNE_S):
            self._inbox.prune()
        if self._is_time("schedule", SCHEDULE_S):
            self._schedule()
        with self._lock:
            free = 0 if self._is_batch and self._running else self._threads - len(self._running)
        claims = self._claim(free) if free > 0 else []
        for group in [claims] if self._is_batch else [[claim] for claim in claims]:
            if group:
                groups.put(group)
        return bool(claims)

    def _work(self, groups: queue.SimpleQueue[list[Claim] | None]) -> None:
        while (group := groups.get()) is not None:
            self._try_handle(group)
            self._wake.set()

    def _claim(self, limit: int) -> list[Claim]:
        claims = self._inbox.claim(limit)
        with self._lock:
            self._running |= {claim.realm_id: claim for claim in claims}
        return claims

    def _extend(self) -> None:
        with self._lock:
            running = list(self._running.values())
        self._inbox.extend(running)

    def _is_time(self, name: str, period_s: float) -> bool:
        now = time.monotonic()
        if now - self._last[name] < period_s:
            return False
        self._last[name] = now
        return True

    def _schedule(self) -> None:
        self._inbox.repair_times(self._reconcile_s)
        if self._companies is not None:
            self._inbox.schedule(self._companies())

    # ---- one company, or a batch -------------------------------------------------------------------------------------

    def _try_handle(self, claims: list[Claim]) -> None:
        """Handle claims; raises nothing. What cannot be noted is handed on again when the lease ends."""
        try:
            self._handle(claims)
        except InboxError as error:
            _log.error("what was handed on cannot be noted, so it is handed on again: %s", error.message)
        except Exception as error:  # noqa: BLE001 -- a defect must not end the thread
            _log.error("webhooks are not handed on because of a bug: %s", _place(error))
        finally:
            with self._lock:
                for claim in claims:
                    self._running.pop(claim.realm_id, None)

    def _handle(self, claims: list[Claim]) -> None:
        wanted = [claim for claim in claims if self._is_wanted(claim)]
        failures = self._call(wanted) if wanted else {}
        for claim in wanted:
            self._settle(claim, failures.get(claim.realm_id))

    def _is_wanted(self, claim: Claim) -> bool:
        """Return whether a claim is to be handled; end those that are not."""
        if claim.attempts > len(BACKOFF_S) + 1:
            self.stats.add("dead", len(claim.notices))
            self._inbox.bury(claim, "INTERRUPTED: each attempt ended with its process", period_s=self._reconcile_s)
        elif not claim.notices and not claim.is_scheduled:
            self._inbox.finish(claim)
        elif self._stopping.is_set():
            self._inbox.release(claim)
        else:
            return True
        return False

    def _call(self, claims: Sequence[Claim]) -> dict[str, BaseException]:
        """Call the handler; return the errors by company."""
        try:
            if self._is_batch:
                failures: dict[str, BaseException] = self._handler.handle_batch(
                    [(claim.realm_id, claim.notices) for claim in claims]
                )
                return failures
            self._handler(claims[0].realm_id, list(claims[0].notices))
        except BaseException as error:  # noqa: BLE001 -- no exception of a handler may end the thread
            return {claim.realm_id: error for claim in claims}
        return {}

    def _settle(self, claim: Claim, error: BaseException | None) -> None:
        count, period_s = len(claim.notices), self._reconcile_s
        if error is None:
            self._inbox.finish(claim, period_s)
            self.stats.add("handled", count)
            self.stats.add("reconciled", not count)
        elif isinstance(error, UnknownCompanyError):
            self._inbox.bury(claim, "UNKNOWN_COMPANY: the registry has no connection of this company", is_unknown=True)
            self.stats.add("unknown_companies", count)
        elif isinstance(error, CancelledError) and self._stopping.is_set():
            self._inbox.release(claim)
        else:
            text = _describe(error)
            _log.warning(
                "the changes of company %s were not handed on (attempt %d): %s", claim.realm_id, claim.attempts, text
            )
            retry_after_s = getattr(error, "retry_after_s", None) or 0.0
            self.stats.add("failures")
            if self._inbox.fail(claim, text, retry_after_s=retry_after_s, period_s=period_s):
                self.stats.add("dead", count)


def _describe(error: BaseException) -> str:
    if isinstance(error, ConnectorError):
        return f"{error.code}: {error.message}"[:1_000]
    return _place(error)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(error).__name__
