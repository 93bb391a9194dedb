"""Actions and their results, as people see them: the form, the progress, the table, the chart_groups, the failure."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from vantage_quickbooks.web import download, formatting, forms
from vantage_quickbooks.web.oauth import supports_oauth
from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.templating import NotFound, see, sent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["GONE", "Results"]

GONE = "This result is not kept any more. Run the action again."

PAGE_ROWS = 100
"""Rows of a table on one page; downloads have all of them."""

JSON_ROWS = 50


class Results:
    """The pages of actions and results.

    Args:
        host: Knows connectors and connections.
        runs: Makes calls.
        templates: Draw pages.
    """

    def __init__(self, host: Host, runs: Runs, templates: Templates) -> None:
        self._host = host
        self._runs = runs
        self._templates = templates

    def action(self, request: Request) -> Response:
        """Show the form of an action."""
        record, action = self._record(request), self._action(request)
        return self._action_page(request, record, action, {}, [])

    def run(self, request: Request) -> Response:
        """Run an action."""
        record, action = self._record(request), self._action(request)
        data = forms.read(_fields(action), sent(request))
        is_full_read = bool(_can_stream(action) and request.state.form.get("whole"))
        if is_full_read:
            data |= action.get("fullReadInput") or {}
        return self._started(request, Run(record, action, data, is_full_read))

    def result(self, request: Request) -> Response:
        """Show a run: its progress, its result, or what went wrong."""
        run = self._run(request)
        if run.state == "running":
            return self._page(request, "progress.html", run=run, record=run.record)
        if run.error:
            return self._failed_run(request, run)
        if run.action is None:
            return self._page(request, "test.html", run=run, record=run.record, formatting=formatting)
        return self._result_page(request, run, run.data)

    def status(self, request: Request) -> Response:
        """Tell how far a run has come, for the page that shows its progress."""
        run = self._run(request)
        return JSONResponse({"state": run.state, "done": run.done, "total": run.total, "seconds": round(run.seconds)})

    def cancel(self, request: Request) -> Response:
        """Cancel a run."""
        run = self._run(request)
        run.cancel()
        run.wait(5)
        return see(f"/runs/{run.id}")

    def reveal(self, request: Request) -> Response:
        """Show a sensitive result once: it is fetched again for this answer, and kept nowhere."""
        run = self._run(request)
        if not run.is_sensitive:
            raise NotFound("This result holds no secret.")
        envelope = self._runs.reveal(run)
        if not envelope["success"]:
            return self._failed(request, run.record, run.title, envelope["error"])
        return self._result_page(request, run, envelope["data"], is_revealed=True)

    def download(self, request: Request) -> Response:
        """Hand out a result as a file."""
        run, kind = self._run(request), request.path_params["kind"]
        if run.action is None or run.state != "done" or run.is_sensitive or kind not in {"csv", "json"}:
            raise NotFound("There is no such file.")
        chunks = download.as_json(run) if kind == "json" else download.as_csv(run)
        media = "application/json" if kind == "json" else "text/csv; charset=utf-8"
        name = f"{run.action['id']}-{run.started_at:%Y-%m-%d}.{kind}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(chunks, media_type=media, headers=headers)

    # ---- what several pages do ----

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        return self._templates.page(template, status, csrf=request.state.session.csrf, **values)

    def _record(self, request: Request) -> Record:
        record = self._host.record(request.path_params["connection"])
        if record is None:
            raise NotFound("There is no such connection; it may have been removed.")
        return record

    def _action(self, request: Request) -> dict[str, Any]:
        action = self._host.action(self._record(request).connector, request.path_params["action"])
        if action is None:
            raise NotFound("There is no such action.")
        return action

    def _run(self, request: Request) -> Run:
        run = self._runs.get(request.path_params["run"])
        if run is None:
            raise NotFound(GONE)
        return run

    def _action_page(
        self,
        request: Request,
        record: Record,
        action: Mapping[str, Any],
        values: Mapping[str, Any],
        errors: Sequence[Mapping[str, str]],
        *,
        is_full_read: bool = False,
    ) -> Response:
        bound = forms.bind(_fields(action), values, errors)
        return self._page(
            request,
            "action.html",
            422 if errors else 200,
            record=record,
            action=action,
            groups=forms.groups_of(bound, action.get("inputForm", {})),
            errors=errors,
            labels={item.field.name: item.field.label for item in bound},
            can_stream=_can_stream(action),
            is_full_read=is_full_read,
            state=self._host.state(record),
        )

    def _started(self, request: Request, run: Run) -> Response:
        if not self._runs.start(run):
            return self._templates.message(
                429, "Too much at once", "Other calls are still under way. Wait until they end, or cancel one."
            )
        run.wait()
        if run.action and run.error and run.error["code"] == "INPUT_INVALID" and run.error["fields"]:
            return self._action_page(
                request, run.record, run.action, run.input, run.error["fields"], is_full_read=run.is_full_read
            )
        return see(f"/runs/{run.id}")

    def _failed(self, request: Request, record: Record, title: str, error: Mapping[str, Any]) -> Response:
        status = HTTPStatus.BAD_GATEWAY
        return self._page(
            request,
            "failed.html",
            status,
            record=record,
            title=title,
            error=error,
            meta={},
            again=None,
            can_consent=_needs_consent(error) and supports_oauth(self._host.describe(record.connector)),
        )

    def _failed_run(self, request: Request, run: Run) -> Response:
        error = run.error or {}
        return self._page(
            request,
            "failed.html",
            record=run.record,
            title=run.title,
            error=error,
            meta=run.meta,
            again=f"/connections/{run.record.id}/actions/{run.action['id']}" if run.action else None,
            can_consent=_needs_consent(error) and supports_oauth(self._host.describe(run.record.connector)),
        )

    def _result_page(
        self, request: Request, run: Run, data: Mapping[str, Any], *, is_revealed: bool = False
    ) -> Response:
        action = run.action or {}
        asked = request.query_params
        everything = asked.get("columns") == "all"
        columns = formatting.columns_of(run.rows.members, everything=everything)
        by = next((column for column in columns if column.field == asked.get("sort")), None)
        is_down = asked.get("order") == "down"
        pages = max(1, math.ceil(len(run.rows) / PAGE_ROWS))
        page = min(max(1, int(asked["page"]) if asked.get("page", "").isdecimal() else 1), pages)
        shown = run.rows.page((page - 1) * PAGE_ROWS, PAGE_ROWS, by, descending=is_down) if run.is_list else []
        single = None
        if not action.get("rowsKey"):
            single = formatting.facts(data, leave_out=("metadata",), in_full=True)
        elif not run.is_list and run.rows:
            single = formatting.facts(run.rows.page(0, 1)[0])
        metadata = data.get("metadata", {})
        return self._page(
            request,
            "result.html",
            run=run,
            record=run.record,
            action=action,
            single=single,
            chart_groups=run.chart_groups,
            columns=columns,
            has_more_columns=any(view.get("kind") == "table" for view in action.get("views", ())),
            everything=everything,
            cells=[[formatting.cell(row, column) for column in columns] for row in shown],
            by=by.field if by else "",
            is_down=is_down,
            page=page,
            pages=pages,
            first=(page - 1) * PAGE_ROWS + 1,
            metadata=formatting.facts(metadata),
            may_have_more=bool(metadata.get("mayHaveMore")) and not run.is_full_read and bool(action.get("streamable")),
            json_text=_json_text(run) if asked.get("view") == "json" and not run.is_sensitive else None,
            json_rows=JSON_ROWS,
            is_revealed=is_revealed,
            again=_query_of(run),
        )


def _fields(action: Mapping[str, Any]) -> list[forms.Field]:
    """Return an action's fields, but for those by which everything is read: one checkbox stands for them."""
    fields = forms.fields_of(action.get("inputSchema", {}), action.get("inputForm", {}))
    return [field for field in fields if field.name not in (action.get("fullReadInput") or {})]


def _can_stream(action: Mapping[str, Any]) -> bool:
    return bool(action.get("streamable") and action.get("rowsKey"))


def _query_of(run: Run) -> list[tuple[str, str]]:
    """Return a run's input as hidden fields of a form."""
    pairs: list[tuple[str, str]] = []
    left_out = (run.action or {}).get("fullReadInput") or {}
    for name, value in run.input.items():
        if name in left_out:
            continue
        values = value if isinstance(value, list) else [value]
        pairs += [(f"field-{name}", item if isinstance(item, str) else json.dumps(item)) for item in values]
    return pairs


def _json_text(run: Run) -> str:
    return json.dumps(download.with_rows(run, run.rows.page(0, JSON_ROWS)), ensure_ascii=False, indent=2)


def _needs_consent(error: Mapping[str, Any]) -> bool:
    return error.get("code") in {"REAUTHORIZATION_REQUIRED", "PERMISSION_DENIED"}
