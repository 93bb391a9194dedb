"""The button "Sync now": one sync of a connection to the destination of the web UI, in the background."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from vantage_quickbooks.errors import CancelledError
from vantage_quickbooks.web.events import CHANGES
from vantage_quickbooks.web.failures import error_of
from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.sync_target import SyncOutcome
from vantage_quickbooks.web.templating import NotFound
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.sync_target import SyncTarget
    from vantage_quickbooks.web.templating import Templates

__all__ = ["SyncPages", "SyncTask"]


class SyncTask:
    """A sync of one connection.

    Args:
        host: The connections.
        target: Where the records go.

    Attributes:
        title: For the pages of the run.
        template: That of its outcome.
        place: Where the records go, for a person.
        outcome: What it has done; set at its end.
    """

    title = "Sync"
    template = "sync_result.html"

    def __init__(self, host: Host, target: SyncTarget) -> None:
        self._host = host
        self._target = target
        self.place = target.describe()
        self.outcome = SyncOutcome()

    def execute(self, run: Run) -> None:
        """Sync, keep the outcome, and publish that records changed."""
        connection_id = run.record.id

        def progress(done: int, note: str) -> None:
            if run.is_cancelled():
                raise CancelledError("The sync was canceled. What was written is consistent; the next sync continues.")
            run.done, run.note = done, note

        try:
            outcome = self._target.sync(self._host.connection(run.record), connection_id, progress)
        except Exception as error:  # noqa: BLE001 -- a connector or a destination may fail in any way
            outcome = SyncOutcome(error=error_of(error))
        self.outcome = outcome
        if not (outcome.error and outcome.error["code"] == "CANCELLED"):
            self._host.syncs.record(connection_id, outcome)
        if outcome.upserts or outcome.deletions:
            self._host.events.publish(connection_id, CHANGES)
        run.done, run.error = outcome.upserts + outcome.deletions, outcome.error


class SyncPages(View):
    """Starts syncs.

    Args:
        host: The connectors and connections.
        runs: The runs.
        templates: The page templates.
    """

    def __init__(self, host: Host, runs: Runs, templates: Templates) -> None:
        super().__init__(host, runs, templates)
        self._lock = threading.Lock()

    def start(self, request: Request) -> Response:
        """Start a sync, or show the one that is running."""
        record = self._record(request)
        target = self._host.sync_target
        if target is None:
            return self._templates.message(
                409,
                "No destination",
                "This server was started without a destination for syncs. Start it with --sync-output DIR or --to URL.",
                link=f"/connections/{record.id}",
                link_text=f"Back to {record.name}",
            )
        if not self._host.offers(record.connector, "sync", record):
            raise NotFound("This connector does not offer syncs.")
        with self._lock:  # two clicks are one sync
            run = self._runs.running(record.id, SyncTask)
            if run is None:
                run = Run(record, None, task=SyncTask(self._host, target))
                if not self._runs.start(run):
                    return self._too_many_runs()
        run.wait()
        return self._to_result(run)
