"""Running calls, each in its own thread, and their results, whose rows are on disk (see `rows`)."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from vantage_quickbooks.contract import envelope
from vantage_quickbooks.errors import CancelledError
from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web import charts, events
from vantage_quickbooks.web.failures import error_of
from vantage_quickbooks.web.formatting import masked
from vantage_quickbooks.web.host import current_observer
from vantage_quickbooks.web.modes import CHANGES, FULL, PAGE, changes_trigger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vantage_quickbooks.contract import Connection
    from vantage_quickbooks.web.charts import ChartGroup
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.rows import ResultFiles, Rows
    from vantage_quickbooks.web.store import Record

__all__ = ["MAX_ROWS", "Run", "Runs", "Task"]

MAX_ROWS = 100_000
"""Maximum rows of a result. Reading stops there, and the page says so."""

_MAX_RUNS = 20
_MAX_CONCURRENT_RUNS = 8
_INLINE_TIMEOUT_S = 1.5
"""A result that arrives within this time is shown at once, without a progress page."""


class Task(Protocol):
    """What a run does that is not one call of an action: a sync, an export.

    Attributes:
        title: What it does, in words.
        template: The template of the page of its outcome.
    """

    title: str
    template: str

    def execute(self, run: Run) -> None:
        """Do it, in the thread of the run; set `run.data`. What it raises is the error of the run."""
        ...


@dataclass
class Run:
    """One call.

    Attributes:
        record: The connection.
        action: The action's descriptor; None for a test of the connection, and for most tasks.
        input: The input.
        mode: How the list is read: `page`, `full` or `changes`.
        id: A random id, for URLs.
        state: `running`, `done` or `failed`.
        done: Records read so far.
        total: Number of records; None if it is not known.
        data: The result without its rows and, of a sensitive action, without its secrets.
        rows: The rows of the result; set when the run starts.
        chart_groups: The charts of the rows.
        error: The `error` of the envelope.
        meta: The `meta` of the envelope.
        is_list: Whether the rows are a list, as opposed to a single record.
        is_cut: Whether there were more than `MAX_ROWS` rows.
        sync_state: What a later run needs to read the changes since this one; None if this run provides no state.
        deleted: Deleted rows that a run in the mode `changes` reported; None if it reported none at all.
        question: What it asks for, in words; empty for the action's title.
        list_url: The list that it reads; empty if it was started from a form.
        is_stale: Whether its rows were refreshed since, so that they are not shown in their list any more.
        is_outdated: Whether records of the company changed after it started.
        was_shown: Whether its rows were shown in their list.
        position: That of the events at its start.
        task: What it does if it is not one call or test.
        note: Progress in words, shown next to the number of records.
        file: The file that it has made; None if there is none.
        started_at: When it started.
        took_s: Duration in seconds.
    """

    record: Record
    action: dict[str, Any] | None
    input: dict[str, Any] = field(default_factory=dict)
    mode: str = PAGE
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    state: str = "running"
    done: int = 0
    total: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    rows: Rows = field(init=False, repr=False)
    chart_groups: list[ChartGroup] = field(default_factory=list, repr=False)
    error: dict[str, Any] | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    is_list: bool = True
    is_cut: bool = False
    sync_state: Any = field(default=None, repr=False)
    deleted: list[Any] | None = field(default=None, repr=False)
    question: str = ""
    list_url: str = ""
    is_stale: bool = False
    is_outdated: bool = False
    was_shown: bool = False
    position: str = ""
    task: Task | None = None
    note: str = ""
    file: Path | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    took_s: float = 0.0
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)
    _began: float = field(default_factory=time.monotonic, repr=False)

    @property
    def title(self) -> str:
        """What it asks for, in words."""
        if self.task is not None:
            return self.task.title
        return self.question or (str(self.action["title"]) if self.action else "Test connection")

    @property
    def outcome(self) -> str:
        """The state; `failed` also for a test that found that the connection does not work."""
        is_test = self.action is None and self.task is None
        has_failed = self.state == "done" and is_test and not self.data.get("ok")
        return "failed" if has_failed else self.state

    @property
    def is_sensitive(self) -> bool:
        """Whether the result is a secret."""
        return bool(self.action and self.action.get("sensitiveOutput"))

    @property
    def seconds(self) -> float:
        """Duration, or time since the start."""
        return self.took_s or time.monotonic() - self._began

    @property
    def age(self) -> float:
        """Seconds since it ended; 0 while it is running."""
        return time.monotonic() - self._began - self.took_s if self.state != "running" else 0.0

    def progress(self, done: int, total: int | None) -> None:
        """Set the progress (see `host.Observer`)."""
        self.done, self.total = done, total

    def is_cancelled(self) -> bool:
        """Whether the user canceled the run (see `host.Observer`)."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Request cancellation. The connector checks between two requests."""
        self._cancelled.set()

    def wait(self, seconds: float = _INLINE_TIMEOUT_S) -> bool:
        """Wait up to *seconds* for the end, and return whether the run has ended."""
        return self._ended.wait(seconds)

    def discard(self) -> None:
        """Delete its rows and its file."""
        self.rows.drop()
        if self.file is not None:
            self.file.unlink(missing_ok=True)

    def end(self, state: str) -> None:
        """Set the final state."""
        self.took_s = time.monotonic() - self._began
        self.state = state
        self._ended.set()


class Runs:
    """The runs of this server.

    Args:
        host: The connections.
        files: Stores rows.
    """

    def __init__(self, host: Host, files: ResultFiles) -> None:
        self._host = host
        self._files = files
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._charts_lock = threading.Lock()  # one at a time: sums by name may take much memory
        host.events.on(events.CHANGES, self._outdate)

    def states(self) -> list[str]:
        """Return the state of each run that is remembered."""
        return [run.state for run in list(self._runs.values())]

    def new_file(self, name: str) -> Path:
        """Return the path of a file beside the results, which is deleted with its run, or when the server stops."""
        return self._files.directory / name

    def running(self, connection_id: str, task: type[Any]) -> Run | None:
        """Return the run of a kind of task that is in progress; None if there is none.

        Args:
            connection_id: The connection.
            task: The class of the task.
        """
        found = [run for run in self.of(connection_id) if run.state == "running" and isinstance(run.task, task)]
        return found[0] if found else None

    def get(self, run_id: str) -> Run | None:
        """Return a run, or None if it is unknown or no longer stored."""
        return self._runs.get(run_id)

    def of(self, connection_id: str) -> list[Run]:
        """Return the runs of a connection, newest first."""
        return [run for run in reversed(list(self._runs.values())) if run.record.id == connection_id]

    def with_sync_state(self, connection_id: str, action_id: str) -> list[Run]:
        """Return the runs of an action since which changes can be read, newest first."""
        runs = self.of(connection_id)
        return [run for run in runs if run.sync_state is not None and run.action and run.action["id"] == action_id]

    def start(self, run: Run, action: Mapping[str, Any] | None = None) -> bool:
        """Start a run in its own thread. Return False if too many are running.

        Args:
            run: The run.
            action: The descriptor of the action whose rows a task keeps; by default that of the run.
        """
        with self._lock:
            if sum(other.state == "running" for other in self._runs.values()) >= _MAX_CONCURRENT_RUNS:
                return False
            for other in [other for other in self._runs.values() if other.state != "running"]:
                if len(self._runs) >= _MAX_RUNS:
                    del self._runs[other.id]
                    other.discard()
            run.position = self._host.events.position
            run.rows = self._files.new(run.id, action or run.action)
            self._runs[run.id] = run
        threading.Thread(target=self._execute, args=(run,), name=f"run-{run.id}", daemon=True).start()
        return True

    def drop(self, connection_id: str) -> None:
        """Cancel and delete the runs of a connection."""
        with self._lock:
            for run in self.of(connection_id):
                run.cancel()
                del self._runs[run.id]
                run.discard()

    def _outdate(self, connection_id: str) -> None:
        for run in self.of(connection_id):
            run.is_outdated = True

    def close(self) -> None:
        """Cancel all runs and delete their results."""
        for run in list(self._runs.values()):
            run.cancel()
        self._files.close()

    def reveal(self, run: Run) -> dict[str, Any]:
        """Call a sensitive action again and return its envelope, which is not stored."""
        record = self._host.record(run.record.id) or run.record  # its settings may have changed since the run
        return self.call(record, str((run.action or {})["id"]), run.input)

    def call(self, record: Record, action_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Call an action and return the envelope, even if the connector raises."""
        try:
            outcome = self._host.connection(record).call(action_id, data)
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            outcome = envelope(error=error_of(error), action=self._host.action(record.connector, action_id))
        self._host.record_outcome(record, outcome.get("error"))
        return outcome

    def estimate(self, record: Record, action_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Estimate a full read and return an envelope."""
        action = self._host.action(record.connector, action_id)
        try:
            found = self._host.connection(record).estimate(action_id, data)
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            outcome = envelope(error=error_of(error), action=action)
        else:
            outcome = envelope(data=found, action=action)
        self._host.record_outcome(record, outcome.get("error"))
        return outcome

    def test(self, record: Record) -> dict[str, Any]:
        """Test a connection and return what was checked."""
        found = self._host.connection(record).test()
        failed = [check.get("error") or {} for check in found.get("checks", ()) if not check.get("ok")]
        self._host.record_outcome(record, failed[0] if failed else None if found.get("ok") else {})
        return found

    def _execute(self, run: Run) -> None:
        current_observer.set(run)
        try:
            if run.task is not None:
                run.task.execute(run)
            elif run.action is None:
                run.data = self.test(run.record)
            elif run.mode != PAGE and self._host.offers(run.record.connector, "stream", run.record):
                self._stream(run, self._host.connection(run.record), run.action)
            else:
                self._call_once(run, self._host.connection(run.record), run.action)
            if run.is_list and not run.error and run.task is None:
                with self._charts_lock:
                    run.chart_groups = charts.build_charts(run.rows, (run.action or {}).get("views") or ())
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            run.error = error_of(error)
            run.meta = run.meta or envelope(error=run.error, request_id=run.error["details"].get("requestId"))["meta"]
        if run.error:
            run.discard()  # an incomplete list beside an error could pass for a complete one
            run.file = None
        if run.action is not None or run.task is not None:
            self._host.record_outcome(run.record, run.error)
        run.end("failed" if run.error else "done")

    @staticmethod
    def _call_once(run: Run, connection: Connection, action: Mapping[str, Any]) -> None:
        outcome = connection.call(action["id"], run.input)
        run.meta = outcome["meta"]
        if not outcome["success"]:
            run.error = outcome["error"]
            return
        data = dict(outcome["data"])
        if run.is_sensitive:
            run.data = masked(data, action.get("outputSchema", {}))
            return
        _keep_sync_state(run, data)
        rows = data.pop(action["rowsKey"], []) if action.get("rowsKey") else []
        run.is_list = isinstance(rows, list)
        run.rows.append(rows if isinstance(rows, list) else [rows])
        run.data, run.done = data, len(run.rows)

    @staticmethod
    def _stream(run: Run, connection: Connection, action: Mapping[str, Any]) -> None:
        rows_key = action["rowsKey"]
        is_one_read = run.mode == CHANGES or bool(action.get("fullReadInput"))
        api_calls = 0
        for page in connection.stream(action["id"], run.input):
            if run.is_cancelled():
                raise CancelledError("The call was canceled.")
            run.rows.append(page.get(rows_key, []))
            run.done = max(run.done, len(run.rows))
            metadata = dict(page.get("metadata", {}))
            # A full read counts its API calls from page to page; pages that are read one by one each start at zero.
            spent = metadata.get("apiCalls", 0)
            api_calls = spent if is_one_read else api_calls + spent
            # Members beside the metadata, such as sums, are about one page, so they are not kept.
            run.data = {"metadata": metadata | ({"apiCalls": api_calls} if api_calls else {})}
            _keep_sync_state(run, page)
            if len(run.rows) >= MAX_ROWS and metadata.get("mayHaveMore", not metadata.get("complete")):
                run.is_cut = True
                break
        run.data.setdefault("metadata", {})
        run.data["count"] = len(run.rows)
        for name in ("startPosition", "maxResults", "mayHaveMore", "nextStartPosition"):
            run.data["metadata"].pop(name, None)
        if run.is_cut:
            run.sync_state = None
        run.meta = envelope(data={}, action=action)["meta"]


def _keep_sync_state(run: Run, result: Mapping[str, Any]) -> None:
    """Keep the state for the next run in the mode `changes`, and what was deleted since the last one."""
    trigger = changes_trigger(run.action or {"id": None})
    if trigger is None or run.mode not in {FULL, CHANGES}:
        return
    run.sync_state = value_at(result, str(trigger["statePath"]))
    deleted = value_at(result, str(trigger.get("deletedPath") or ""))
    if run.mode == CHANGES and isinstance(deleted, list):
        run.deleted = [*(run.deleted or ()), *deleted]
