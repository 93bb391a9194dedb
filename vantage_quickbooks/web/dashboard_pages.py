"""The dashboard of a company: as a part of its page, and alone for the script that keeps the page up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.templating import NotFound, redirect
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.dashboards import Board, Dashboards
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["DashboardPages", "board_values"]

FIRST_PAINT_S = 0.25
"""How long a company's page waits for figures; then it is sent without them."""

_WAIT_S = 1.0
"""How long the part of the page waits for figures that are being read; its script asks again."""

_SAME_RUN_S = 60.0
"""Age up to which the rows of a source are shown again without an API call."""


class DashboardPages(View):
    """The dashboard of a company.

    Args:
        host: The connections.
        runs: The runs.
        templates: The page templates.
        dashboards: The dashboards.
    """

    def __init__(self, host: Host, runs: Runs, templates: Templates, dashboards: Dashboards) -> None:
        super().__init__(host, runs, templates)
        self._dashboards = dashboards

    def show(self, request: Request) -> Response:
        """Return the content of the page's element `dashboard`, with figures as new as the latest event."""
        record = self._with_dashboard(request)
        board = self._dashboards.get(record, wait_s=_WAIT_S) if self._host.is_ready(record) else None
        return self._page(request, "dashboard.html", **board_values(record, board))

    def refresh(self, request: Request) -> Response:
        """Have the figures read again."""
        record = self._with_dashboard(request)
        self._dashboards.invalidate(record.id)
        return redirect(f"/connections/{record.id}")

    def rows(self, request: Request) -> Response:
        """Show the rows of a source that has no list page, such as a report."""
        record = self._with_dashboard(request)
        found = self._dashboards.source(record, request.path_params["source"])
        if found is None:
            raise NotFound("The dashboard has no such source.")
        action, data = found
        run = next((it for it in self._runs.of(record.id) if self._is_same(it, record, action, data)), None)
        if run is None:
            run = Run(record, action, data)
            refused = self._start(run)
            if refused is not None:
                return refused
        return self._to_result(run)

    @staticmethod
    def _is_same(run: Run, record: Record, action: dict[str, Any], data: dict[str, Any]) -> bool:
        is_same = run.action is not None and run.action["id"] == action["id"] and run.input == data
        return is_same and run.record.settings == record.settings and not run.error and run.age < _SAME_RUN_S

    def _with_dashboard(self, request: Request) -> Record:
        record = self._record(request)
        if not self._dashboards.has(record):
            raise NotFound("This connection has no dashboard.")
        return record


def board_values(record: Record, board: Board | None) -> dict[str, Any]:
    """Return the values of the template `dashboard.html`, except for the CSRF token.

    Args:
        record: The connection.
        board: Its dashboard.
    """
    return {"record": record, "board": board}
