"""Pages of runs: progress, result, failure, downloads."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from vantage_quickbooks.web import download, formatting
from vantage_quickbooks.web.modes import CHANGES, FULL, PAGE, changes_trigger, input_of, modes_of
from vantage_quickbooks.web.templating import NotFound, redirect
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from vantage_quickbooks.web.runs import Run

__all__ = ["EXPIRED", "ResultPages"]

EXPIRED = "This result is no longer stored. Run the action again."

PAGE_ROWS = 100
"""Rows of a table on one page; downloads contain all of them."""

JSON_ROWS = 50
"""Rows shown as JSON."""

DELETED_ROWS = 100
"""Deleted rows shown."""


class ResultPages(View):
    """The pages of runs."""

    def result(self, request: Request) -> Response:
        """Show a run: its progress, its result, or its error."""
        run = self._run(request)
        if run.state == "running":
            return self._page(request, "progress.html", run=run, record=run.record)
        if run.error:
            return self._failed(
                request, run.record, run.title, run.error, meta=run.meta, action=run.action, run_id=run.id, status=200
            )
        if run.action is None:
            return self._page(request, "test.html", run=run, record=run.record, formatting=formatting)
        return self._result_page(request, run, run.data)

    def status(self, request: Request) -> Response:
        """Return the progress of a run, for the script of the progress page."""
        run = self._run(request)
        return JSONResponse({"state": run.state, "done": run.done, "total": run.total, "seconds": round(run.seconds)})

    def cancel(self, request: Request) -> Response:
        """Cancel a run."""
        run = self._run(request)
        run.cancel()
        run.wait(5)
        return redirect(f"/runs/{run.id}")

    def reveal(self, request: Request) -> Response:
        """Show a sensitive result once: it is fetched again for this response and not stored."""
        run = self._run(request)
        if not run.is_sensitive:
            raise NotFound("This result is not a secret.")
        outcome = self._runs.reveal(run)
        if not outcome["success"]:
            return self._failed(request, run.record, run.title, outcome["error"])
        return self._result_page(request, run, outcome["data"], is_revealed=True)

    def download(self, request: Request) -> Response:
        """Send a result as a file."""
        run, kind = self._run(request), request.path_params["kind"]
        if run.action is None or run.state != "done" or run.is_sensitive or kind not in {"csv", "json"}:
            raise NotFound("This file does not exist.")
        chunks = download.as_json(run) if kind == "json" else download.as_csv(run)
        media = "application/json" if kind == "json" else "text/csv; charset=utf-8"
        name = f"{run.action['id']}-{run.started_at:%Y-%m-%d}.{kind}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(chunks, media_type=media, headers=headers)

    def _run(self, request: Request) -> Run:
        run = self._runs.get(request.path_params["run"])
        if run is None:
            raise NotFound(EXPIRED)
        return run

    def _result_page(
        self, request: Request, run: Run, data: Mapping[str, Any], *, is_revealed: bool = False
    ) -> Response:
        action = run.action or {}
        query = request.query_params
        show_all = query.get("columns") == "all"
        columns = formatting.columns_of(run.rows.fields, show_all=show_all)
        by = next((column for column in columns if column.field == query.get("sort")), None)
        is_down = query.get("order") == "down"
        pages = max(1, math.ceil(len(run.rows) / PAGE_ROWS))
        page = min(max(1, int(query["page"]) if query.get("page", "").isdecimal() else 1), pages)
        shown = run.rows.page((page - 1) * PAGE_ROWS, PAGE_ROWS, by, descending=is_down) if run.is_list else []
        metadata = data.get("metadata", {})
        can_stream = self._host.offers(run.record.connector, "stream", run.record)
        modes = {mode.id for mode in modes_of(action, can_stream=can_stream)}
        return self._page(
            request,
            "result.html",
            run=run,
            record=run.record,
            action=action,
            single=_single(run, data),
            chart_groups=run.chart_groups,
            columns=columns,
            has_more_columns=bool(run.rows.fields.columns),
            show_all=show_all,
            cells=[[formatting.cell(row, column) for column in columns] for row in shown],
            by=by.field if by else "",
            is_down=is_down,
            page=page,
            pages=pages,
            first=(page - 1) * PAGE_ROWS + 1,
            deleted=_deleted(run),
            deleted_count=None if run.deleted is None else len(run.deleted),
            metadata=formatting.facts(metadata, leave_out=_state_names(action)),
            may_have_more=bool(metadata.get("mayHaveMore")) and run.mode == PAGE and FULL in modes,
            can_read_changes=run.sync_state is not None and CHANGES in modes,
            json_text=_json_text(run) if query.get("view") == "json" and not run.is_sensitive else None,
            json_rows=JSON_ROWS,
            is_revealed=is_revealed,
            repeated_input=_hidden_fields(run),
        )


def _single(run: Run, data: Mapping[str, Any]) -> list[tuple[str, formatting.Cell]] | None:
    """Return the facts of a result that is not a list, or None."""
    if not (run.action or {}).get("rowsKey"):
        return formatting.facts(data, leave_out=("metadata",), in_full=True)
    if not run.is_list and run.rows:
        return formatting.facts(run.rows.page(0, 1)[0])
    return None


def _deleted(run: Run) -> list[list[tuple[str, formatting.Cell]]]:
    rows = (run.deleted or [])[:DELETED_ROWS]
    return [formatting.facts(row if isinstance(row, dict) else {"Id": row}) for row in rows]


def _state_names(action: Mapping[str, Any]) -> set[str]:
    """Return the metadata that only programs use: cursors."""
    trigger = changes_trigger(action) if action else None
    return {"cursor", str(trigger["statePath"]).removeprefix("metadata.") if trigger else "cursor"}


def _hidden_fields(run: Run) -> list[tuple[str, str]]:
    """Return a run's input as hidden fields of a form."""
    pairs: list[tuple[str, str]] = []
    added = input_of(run.action or {"id": None}, run.mode)
    for name, value in run.input.items():
        if name in added:
            continue
        values = value if isinstance(value, list) else [value]
        pairs += [(f"field-{name}", item if isinstance(item, str) else json.dumps(item)) for item in values]
    return pairs


def _json_text(run: Run) -> str:
    return json.dumps(download.with_rows(run, run.rows.page(0, JSON_ROWS)), ensure_ascii=False, indent=2)
