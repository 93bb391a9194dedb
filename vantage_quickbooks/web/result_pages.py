"""Pages of runs: progress, result, failure, downloads."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from vantage_quickbooks.web import download, formatting
from vantage_quickbooks.web.links import Links
from vantage_quickbooks.web.listings import Listing, ListState, action_fields, is_list
from vantage_quickbooks.web.modes import CHANGES, FULL, PAGE, changes_trigger, input_of, modes_of
from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.tables import make_table, totals_of
from vantage_quickbooks.web.templating import NotFound, redirect
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.lookups import Lookups
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.templating import Templates

__all__ = ["EXPIRED", "ResultPages"]

EXPIRED = "This result is no longer stored. Run the action again."

ALL_COLUMNS = "all"
"""The value of `columns` for all of them."""

JSON_ROWS = 50
"""Rows shown as JSON."""

DELETED_ROWS = 100
"""Deleted rows shown."""


_MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


class ResultPages(View):
    """The pages of runs."""

    def __init__(self, host: Host, runs: Runs, templates: Templates, lookups: Lookups) -> None:
        super().__init__(host, runs, templates)
        self._lookups = lookups

    def result(self, request: Request) -> Response:
        """Show a run: its progress, its result, or its error."""
        run = self._run(request)
        if run.state == "running":
            return self._page(request, "progress.html", run=run, record=run.record)
        if run.error:
            return self._failed(
                request, run.record, run.title, run.error, meta=run.meta, action=run.action, run_id=run.id, status=200
            )
        if run.task is not None:
            return self._page(request, run.task.template, run=run, record=run.record, formatting=formatting)
        if run.action is None:
            return self._page(request, "test.html", run=run, record=run.record, formatting=formatting)
        return self._result_page(request, run, run.data)

    def status(self, request: Request) -> Response:
        """Return the progress of a run, for the script of the progress page."""
        run = self._run(request)
        now = {"state": run.state, "done": run.done, "total": run.total, "seconds": round(run.seconds)}
        return JSONResponse(now | {"note": run.note})

    def again(self, request: Request) -> Response:
        """Run an action again with the same input. What changes data goes back to its form instead."""
        run = self._run(request)
        record = self._host.record(run.record.id)
        if record is None:
            raise NotFound("This connection does not exist. It may have been removed.")
        if (
            run.action is None
            or run.task is not None
            or run.action.get("readOnly") is False
            or run.action.get("destructive")
        ):
            raise NotFound("This run cannot be repeated without its form.")
        repeated = Run(record, run.action, dict(run.input), run.mode, question=run.question, list_url=run.list_url)
        run.is_stale = True  # its list shows the new rows
        return self._start(repeated) or self._to_result(repeated)

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
        if (
            run.action is None
            or run.task is not None
            or run.state != "done"
            or run.is_sensitive
            or kind not in {"csv", "json", "parquet"}
        ):
            raise NotFound("This file does not exist.")
        if kind == "parquet" and not download.has_parquet(run):
            raise NotFound("This file does not exist.")
        writers = {"json": download.as_json, "csv": download.as_csv, "parquet": download.as_parquet}
        name = f"{download.file_stem(run)}-{run.started_at:%Y-%m-%d}.{kind}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(writers[kind](run), media_type=_MEDIA_TYPES[kind], headers=headers)

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
        listing = replace(Listing.of(action), filters=())
        state = ListState.parse(listing, query.multi_items())
        columns = formatting.columns_of(run.rows.fields, show_all=state.columns == (ALL_COLUMNS,), chosen=state.columns)
        links = Links(run.record.id, self._host.describe(run.record.connector)["actions"], listing.links)
        table = make_table(run.rows, columns, state, links, listing.record) if run.is_list else None
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
            listing=listing,
            state=state,
            table=table,
            totals=totals_of(run.rows) if run.is_list and not state.text else [],
            choosable=formatting.choosable_columns(run.rows.fields) if run.is_list else [],
            shown={item.field for item in columns},
            inputs=self._inputs(run),
            can_repeat=bool(action.get("readOnly") is not False and not action.get("destructive")),
            lists=self._lists(run.record),
            has_list=is_list(action),
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

    def _inputs(self, run: Run) -> list[tuple[str, str]]:
        """Return the labels and values of what a run was started with."""
        action = run.action or {}
        fields = action_fields(action)
        listing = Listing.of(action)
        set_by_list = {*listing.page_size, listing.sort.get("input")} if run.list_url else set()
        labels = self._lookups.labels(run.record, fields, run.input)
        pairs = []
        for item in fields:
            value = run.input.get(item.name)
            if value in (None, "", []) or item.name in set_by_list:
                continue
            options = dict(item.options)
            texts = [
                options.get(str(it), formatting.display(it)) for it in (value if isinstance(value, list) else [value])
            ]
            pairs.append((item.label, labels.get(item.name) or ", ".join(texts)))
        return pairs


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
