"""What all pages share."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from vantage_quickbooks.web.listings import lists_of
from vantage_quickbooks.web.templating import NotFound, redirect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.host import Host, State, Throttle
    from vantage_quickbooks.web.runs import Run, Runs
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["Banner", "View"]

_NEEDS_CONSENT = {"REAUTHORIZATION_REQUIRED", "PERMISSION_DENIED"}


class Banner(NamedTuple):
    """What every page of a connection says about its state, in `state.html`.

    Attributes:
        record: The connection.
        state: See `Host.state`.
        provider: The connector's name.
        supports_oauth: Whether a person connects it by consent.
        throttled: Why and until when calls are refused.
        problems: What is wrong with its settings.
    """

    record: Record
    state: State
    provider: str
    supports_oauth: bool
    throttled: Throttle | None
    problems: list[dict[str, Any]]


class View:
    """Base class of the pages.

    Args:
        host: The connectors and connections.
        runs: The runs.
        templates: The page templates.
    """

    def __init__(self, host: Host, runs: Runs, templates: Templates) -> None:
        self._host = host
        self._runs = runs
        self._templates = templates

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        record: Record | None = values.get("record")
        if record is not None:
            values.setdefault("banner", self._banner(record))
        if record is not None and "live" not in values:
            values["live"] = (f"/connections/{record.id}/events", getattr(request.state, "position", ""))
        return self._templates.page(template, status, csrf=request.state.session.csrf, **values)

    def _banner(self, record: Record) -> Banner:
        """Return what every page of a connection says about its state."""
        described = self._host.describe(record.connector)
        return Banner(
            record=record,
            state=self._host.state(record),
            provider=str(described["displayName"]),
            supports_oauth=self._host.supports_oauth(record.connector),
            throttled=self._host.throttled(record.id),
            problems=[] if record.error else self._host.invalid_settings(record),
        )

    def _record(self, request: Request) -> Record:
        if not hasattr(request.state, "position"):  # before anything is read
            request.state.position = self._host.events.position
        record = self._host.record(request.path_params["connection"])
        if record is None:
            raise NotFound("This connection does not exist. It may have been removed.")
        return record

    def _lists(self, record: Record) -> tuple[list[tuple[str, str]], list[tuple[str, str]], bool]:
        """Return ids and titles of a connection's lists, often opened ones and others, and whether it has reports."""
        if not self._host.is_ready(record):
            return [], [], False
        described = self._host.describe(record.connector)
        return *lists_of(described), any(action.get("report") for action in described["actions"])

    def _too_many_runs(self) -> Response:
        return self._templates.message(
            429, "Too many runs", "Too many calls are running. Wait until one ends, or cancel one."
        )

    def _start(self, run: Run) -> Response | None:
        """Start a run and wait briefly for its end. Return a response if it cannot start."""
        if not self._runs.start(run):
            return self._too_many_runs()
        run.wait()
        return None

    @staticmethod
    def _to_result(run: Run) -> Response:
        return redirect(f"/runs/{run.id}")

    def _failed(
        self,
        request: Request,
        record: Record,
        title: str,
        error: Mapping[str, Any],
        *,
        meta: Mapping[str, Any] | None = None,
        action: Mapping[str, Any] | None = None,
        run_id: str = "",
        status: int = HTTPStatus.BAD_GATEWAY,
        parent: tuple[str, str] | None = None,
    ) -> Response:
        """Show why a call failed.

        Args:
            request: The request.
            record: The connection.
            title: The heading.
            error: The `error` of the envelope.
            meta: Its `meta`.
            action: The action that was called.
            run_id: The run whose inputs its form repeats.
            status: The HTTP status.
            parent: Id and title of the list from which the page was opened.
        """
        return self._page(
            request,
            "failed.html",
            status,
            record=record,
            title=title,
            error=error,
            meta=meta or {},
            action=action,
            run_id=run_id,
            parent=parent,
            lists=self._lists(record),
            can_consent=error.get("code") in _NEEDS_CONSENT and self._host.supports_oauth(record.connector),
        )
