"""Calls under way, each in a thread of its own, and their results, whose rows are on disk (see `rows`)."""

from __future__ import annotations

import logging
import secrets
import threading
import time
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.contract import envelope
from vantage_quickbooks.errors import CancelledError, ConnectorError
from vantage_quickbooks.web import charts
from vantage_quickbooks.web.formatting import masked
from vantage_quickbooks.web.host import current_observer
from vantage_quickbooks.web.rows import ResultsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.contract import Connection
    from vantage_quickbooks.web.charts import ChartGroup
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.rows import ResultFiles, Rows
    from vantage_quickbooks.web.store import Record

__all__ = ["MAX_ROWS", "Run", "Runs", "failure"]

_log = logging.getLogger(__name__)

MAX_ROWS = 100_000
"""Of one result. Reading stops there, and the page says so."""

_MAX_RUNS = 20
_MAX_CONCURRENT_RUNS = 8
_INLINE_TIMEOUT_S = 1.5
"""A result that comes as fast as this is shown at once, without a page of progress in between."""


@dataclass
class Run:
    """One call.

    Attributes:
        id: In paths; nobody guesses it.
        record: The connection.
        action: The action's descriptor; None for a test of the connection.
        input: What the form held.
        is_full_read: Whether all pages are read.
        state: `running`, `done` or `failed`.
        done: Records read so far.
        total: How many there are; None when nobody knows.
        data: The result without its rows; of a sensitive action without its secrets.
        rows: The result's rows; there once the run was started.
        chart_groups: The charts of the rows.
        error: What went wrong, the `error` of the host's envelope.
        meta: The envelope's `meta`.
        is_list: Whether the rows are a list, not one record.
        is_cut: Whether there were more rows than are kept.
    """

    record: Record
    action: dict[str, Any] | None
    input: dict[str, Any] = field(default_factory=dict)
    is_full_read: bool = False
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
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    took_s: float = 0.0
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)
    _began: float = field(default_factory=time.monotonic, repr=False)

    @property
    def title(self) -> str:
        """What is done."""
        return str(self.action["title"]) if self.action else "Test connection"

    @property
    def outcome(self) -> str:
        """The state in a word; of a test that ended, whether the connection works."""
        has_failed = self.state == "done" and self.action is None and not self.data.get("ok")
        return "failed" if has_failed else self.state

    @property
    def is_sensitive(self) -> bool:
        """Whether the result is a secret."""
        return bool(self.action and self.action.get("sensitiveOutput"))

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return self.took_s or time.monotonic() - self._began

    def progress(self, done: int, total: int | None) -> None:
        """Note how far the read has come (see `host.Observer`)."""
        self.done, self.total = done, total

    def is_cancelled(self) -> bool:
        """Whether the person has had enough (see `host.Observer`)."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask for the end; the connector notices between two requests."""
        self._cancelled.set()

    def wait(self, seconds: float = _INLINE_TIMEOUT_S) -> bool:
        """Wait for the end, no longer than so many seconds; return whether it came."""
        return self._ended.wait(seconds)

    def end(self, state: str) -> None:
        """Note the end."""
        self.took_s = time.monotonic() - self._began
        self.state = state
        self._ended.set()


class Runs:
    """The calls of this server.

    Args:
        host: Makes connections.
        files: Keep rows.
    """

    def __init__(self, host: Host, files: ResultFiles) -> None:
        self._host = host
        self._files = files
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._drawing = threading.Lock()  # one at a time: sums by name may be many

    def get(self, run_id: str) -> Run | None:
        """Return a run, or None if there is none of this id any more."""
        return self._runs.get(run_id)

    def of(self, connection_id: str) -> list[Run]:
        """Return the runs of a connection, the newest first."""
        return [run for run in reversed(list(self._runs.values())) if run.record.id == connection_id]

    def start(self, run: Run) -> bool:
        """Begin a run in a thread of its own; False if too many are under way."""
        with self._lock:
            if sum(other.state == "running" for other in self._runs.values()) >= _MAX_CONCURRENT_RUNS:
                return False
            for other in [other for other in self._runs.values() if other.state != "running"]:
                if len(self._runs) >= _MAX_RUNS:
                    del self._runs[other.id]
                    other.rows.drop()
            run.rows = self._files.new(run.id, (run.action or {}).get("views", ()))
            self._runs[run.id] = run
        threading.Thread(target=self._execute, args=(run,), name=f"run-{run.id}", daemon=True).start()
        return True

    def drop(self, connection_id: str) -> None:
        """Forget the runs of a connection that is removed."""
        with self._lock:
            for run in self.of(connection_id):
                run.cancel()
                del self._runs[run.id]
                run.rows.drop()

    def close(self) -> None:
        """Cancel what is under way, and remove all results."""
        for run in list(self._runs.values()):
            run.cancel()
        self._files.close()

    def reveal(self, run: Run) -> dict[str, Any]:
        """Call a sensitive action again and return its envelope, which is kept nowhere."""
        return self.call(run.record, str((run.action or {})["id"]), run.input)

    def call(self, record: Record, action_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Call an action and return the envelope, whatever happens."""
        try:
            outcome = self._host.connection(record).call(action_id, data)
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            outcome = envelope(error=failure(error), action=self._host.action(record.connector, action_id))
        self._host.note(record, outcome.get("error"))
        return outcome

    def test(self, record: Record) -> dict[str, Any]:
        """Test a connection and return what was checked."""
        found = self._host.connection(record).test()
        failed = [check.get("error") or {} for check in found.get("checks", ()) if not check.get("ok")]
        self._host.note(record, failed[0] if failed else None if found.get("ok") else {})
        return found

    def _execute(self, run: Run) -> None:
        current_observer.set(run)
        try:
            if run.action is None:
                run.data = self.test(run.record)
            elif run.is_full_read:
                self._stream(run, self._host.connection(run.record), run.action)
            else:
                self._call_once(run, self._host.connection(run.record), run.action)
            if run.is_list and not run.error:
                with self._drawing:
                    run.chart_groups = charts.build_charts(run.rows, (run.action or {}).get("views", ()))
        except Exception as error:  # noqa: BLE001 -- as above
            run.error = failure(error)
            run.meta = run.meta or _meta(run.error["details"].get("requestId"))
        if run.error:
            run.rows.drop()  # a part of a list beside an error would pass for the whole
        if run.action is not None:
            self._host.note(run.record, run.error)
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
        rows = data.pop(action["rowsKey"], []) if action.get("rowsKey") else []
        run.is_list = isinstance(rows, list)
        run.rows.append(rows if isinstance(rows, list) else [rows])
        run.data, run.done = data, len(run.rows)

    @staticmethod
    def _stream(run: Run, connection: Connection, action: Mapping[str, Any]) -> None:
        rows_key = action["rowsKey"]
        api_calls = 0
        for page in connection.stream(action["id"], run.input):
            if run.is_cancelled():
                raise CancelledError("The call was cancelled.")
            run.rows.append(page.get(rows_key, []))
            run.done = max(run.done, len(run.rows))
            metadata = dict(page.get("metadata", {}))
            # One whole read counts on from page to page; pages that are read one by one each count anew.
            spent = metadata.get("apiCalls", 0)
            api_calls = spent if action.get("fullReadInput") else api_calls + spent
            # What a page says of itself alone, such as its sums, is not true of all of them.
            run.data = {"metadata": metadata | ({"apiCalls": api_calls} if api_calls else {})}
            if len(run.rows) >= MAX_ROWS and metadata.get("mayHaveMore", not metadata.get("complete")):
                run.is_cut = True
                break
        run.data.setdefault("metadata", {})
        run.data["count"] = len(run.rows)
        for name in ("startPosition", "maxResults", "mayHaveMore", "nextStartPosition"):
            run.data["metadata"].pop(name, None)
        run.meta = _meta(None)


def failure(error: Exception) -> dict[str, Any]:
    """Return the envelope's `error` of an exception. What nobody expected is told by its kind alone."""
    if isinstance(error, ConnectorError):
        return error.to_dict()
    if isinstance(error, ResultsError):
        return _internal_error(str(error))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("a connector failed: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return _internal_error(
        f"The connector failed by a defect of its own ({type(error).__name__}). The log has its place."
    )


def _internal_error(message: str) -> dict[str, Any]:
    return {
        "code": "INTERNAL_ERROR",
        "message": message,
        "retryable": False,
        "retryAfter": None,
        "fields": [],
        "details": {},
    }


def _meta(request_id: str | None) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"request_id": request_id, "timestamp": now}
