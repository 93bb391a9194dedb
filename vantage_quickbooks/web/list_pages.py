"""Pages of lists: rows that are narrowed, sorted and searched, with the whole state in the URL."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web import formatting, forms
from vantage_quickbooks.web.links import Links, list_url
from vantage_quickbooks.web.listings import Listing, ListState, is_list, parameter, title_of
from vantage_quickbooks.web.lookups import MIN_SEARCH_LENGTH
from vantage_quickbooks.web.modes import FULL, PAGE, input_of, modes_of
from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.tables import make_table, totals_of
from vantage_quickbooks.web.templating import NotFound, redirect
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.lookups import Lookups
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["ListPages"]

FRESH_S = 300.0
"""Age up to which a page of the provider's is shown again without an API call, unless records changed. Complete reads
stay until refreshed: another one may take many API calls."""

_WAIT_S = 0.7
"""How long a page waits for its rows; then it is sent without them, and follows the progress."""

MAX_VISIBLE_FILTERS = 4
"""Filters that have their own button; further ones are under "More filters"."""


class ListPages(View):
    """The pages of lists."""

    def __init__(self, host: Host, runs: Runs, templates: Templates, lookups: Lookups) -> None:
        super().__init__(host, runs, templates)
        self._lookups = lookups
        self._lock = threading.Lock()

    def show(self, request: Request) -> Response:
        """Show a list in the state of its URL."""
        record, action = self._record(request), self._action(request)
        listing = Listing.of(action)
        state = ListState.parse(listing, request.query_params.multi_items())
        if self._host.state(record) != "ready":
            return self._list_page(request, record, action, listing, state, None)
        run = self._run_of(record, action, listing, state)
        if run is None:
            return self._too_many_runs()
        run.wait(_WAIT_S)
        # Rows that changed while they were read are shown once: otherwise a busy company would never be shown.
        run.was_shown = run.was_shown or run.state == "done"
        return self._list_page(request, record, action, listing, state, run)

    def refresh(self, request: Request) -> Response:
        """Forget what was read for a list, so that it is read again."""
        record, action = self._record(request), self._action(request)
        listing = Listing.of(action)
        query = request.state.form.get("query", [""])[0].removeprefix("?")
        state = ListState.parse(listing, parse_qsl(query))
        for run in self._found(record, action, listing, state):
            run.is_stale = True
        return redirect(list_url(record.id, action["id"]) + state.query())

    # ---- the rows ----

    def _run_of(self, record: Record, action: dict[str, Any], listing: Listing, state: ListState) -> Run | None:
        """Return a stored run with the rows of a list, or a new one; None if too many are running."""
        with self._lock:  # two tabs share one run
            found = next(iter(self._found(record, action, listing, state)), None)
            if found is not None:
                return found
            run = self._new_run(record, action, listing, state)
            return run if self._runs.start(run) else None

    def _found(self, record: Record, action: Mapping[str, Any], listing: Listing, state: ListState) -> list[Run]:
        wanted = self._new_run(record, action, listing, state)
        plain = _without_order(listing, wanted.input)
        return [
            run
            for run in self._runs.of(record.id)
            if run.action
            and run.action["id"] == action["id"]
            and run.record.settings == record.settings
            and (run.mode == wanted.mode)
            and not (run.error or run.is_stale or run.is_cancelled())
            and (run.mode == FULL or (run.age < FRESH_S and not (run.is_outdated and run.was_shown)))
            and (run.input == wanted.input or (_is_complete(run) and _without_order(listing, run.input) == plain))
        ]

    def _new_run(self, record: Record, action: Mapping[str, Any], listing: Listing, state: ListState) -> Run:
        data = state.inputs(listing, datetime.now().astimezone().date())
        mode = FULL if state.reads_all and self._can_read_all(record, action) else PAGE
        if mode == FULL:
            data |= input_of(action, FULL)
        else:
            column, is_descending = _order(listing, state)
            data |= {**listing.page_size, **listing.order_input(column, descending=is_descending)}
        run = Run(record, dict(action), data, mode)
        run.question = title_of(listing, state.chips(listing, self._labels(record, listing, state, None)))
        run.list_url = list_url(record.id, str(action["id"])) + state.query()
        return run

    def _can_read_all(self, record: Record, action: Mapping[str, Any]) -> bool:
        can_stream = self._host.offers(record.connector, "stream", record)
        return FULL in {mode.id for mode in modes_of(action, can_stream=can_stream)}

    # ---- the page ----

    def _list_page(  # noqa: PLR0917 -- what the page shows
        self,
        request: Request,
        record: Record,
        action: dict[str, Any],
        listing: Listing,
        state: ListState,
        run: Run | None,
    ) -> Response:
        is_done = run is not None and run.state == "done"
        if run is not None:
            request.state.position = run.position  # the page learns what changed while it was read
        labels = self._labels(record, listing, state, run if is_done else None)
        chips = state.chips(listing, labels)
        title = title_of(listing, chips)
        if run is not None and chips:
            run.question = title
        errors = run.error["fields"] if run and run.error and run.error["code"] == "INPUT_INVALID" else []
        fields = [it for item in listing.filters for it in item.fields]
        bound = {it.field.name: it for it in forms.bind(fields, state.values, errors, labels=labels)}
        column, is_descending = _order(listing, state)
        ordered = replace(state, sort=column, is_descending=is_descending)
        actions = self._host.describe(record.connector)["actions"]
        links = Links(record.id, actions, listing.links)
        columns = (
            formatting.columns_of(run.rows.fields, show_all=False, chosen=state.columns) if is_done and run else []
        )
        table = make_table(run.rows, columns, ordered, links, listing.record) if is_done and run else None
        metadata: Mapping[str, Any] = run.data.get("metadata", {}) if run else {}
        return self._page(
            request,
            "list.html",
            422 if errors else 200,
            record=record,
            action=action,
            described=self._host.describe(record.connector),
            lists=self._lists(record),
            listing=listing,
            state=state,
            connection_state=self._host.state(record),
            title=title,
            chips=chips,
            main=next((item for item in listing.filters if item.tabs), None),
            filters=[item for item in listing.filters if not item.tabs],
            max_visible=MAX_VISIBLE_FILTERS,
            bound=bound,
            parameter=parameter,
            run=run,
            table=table,
            totals=totals_of(run.rows) if is_done and run and not state.text else [],
            choosable=formatting.choosable_columns(run.rows.fields) if is_done and run else [],
            shown={item.field for item in columns},
            is_partial=bool(metadata.get("mayHaveMore")) and run is not None and run.mode == PAGE,
            can_read_all=self._can_read_all(record, action),
            full_cost=next((str(it.get("text")) for it in action.get("cost") or () if it["mode"] == FULL), ""),
            suggestions=self._suggestions(record, fields, state, errors),
            errors=errors,
            metadata=formatting.facts(metadata, leave_out=("cursor", "syncCursor")),
            here=list_url(record.id, str(action["id"])),
            min_length=MIN_SEARCH_LENGTH,
        )

    def _labels(self, record: Record, listing: Listing, state: ListState, run: Run | None) -> dict[str, str]:
        """Return what people call the values of lookups, which the first row may say."""
        fields = [it for item in listing.filters for it in item.fields]
        labels = self._lookups.labels(record, fields, state.values)
        for item in listing.filters:
            (first, *_) = item.fields
            value = str(state.values.get(first.name) or "")
            if run is None or not (value and first.source) or first.name in labels:
                continue
            label = value_at(run.rows.page(0, 1)[0], item.column) if item.column and run.rows else None
            if label:
                self._lookups.remember(record, first.source, [(value, str(label))])
            else:  # a customer without such invoices has a name, too
                self._lookups.resolve(record, first.source, value)
        return self._lookups.labels(record, fields, state.values)

    def _suggestions(
        self, record: Record, fields: list[forms.Field], state: ListState, errors: list[Mapping[str, Any]]
    ) -> list[tuple[str, str]]:
        """Return labels and queries for what was probably meant by a text that is not a value of a lookup."""
        wrong = {entry["field"] for entry in errors}
        found = []
        for item in fields:
            if item.source and item.name in wrong:
                options = self._lookups.search(record, item.source, str(state.values.get(item.name, "")))
                found += [(label, state.with_value(item.name, value).query()) for value, label in options.pairs]
        return found

    def _action(self, request: Request) -> dict[str, Any]:
        action = self._host.action(self._record(request).connector, request.path_params["action"])
        if action is None or not is_list(action):
            raise NotFound("This list does not exist.")
        return action


def _order(listing: Listing, state: ListState) -> tuple[str, bool]:
    """Return the column that a list is sorted by, and whether the largest come first."""
    default: Mapping[str, Any] = listing.sort.get("default") or {}
    if state.sort:
        return state.sort, state.is_descending
    return str(default.get("column") or ""), bool(default.get("isDescending"))


def _without_order(listing: Listing, data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != listing.sort.get("input")}


def _is_complete(run: Run) -> bool:
    return run.state == "done" and not run.data.get("metadata", {}).get("mayHaveMore")
