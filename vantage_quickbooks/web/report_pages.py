"""Pages of reports: which there are, and one as a statement, with its parameters in the URL."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from vantage_quickbooks.web import download, formatting, forms
from vantage_quickbooks.web.links import Links
from vantage_quickbooks.web.listings import action_fields
from vantage_quickbooks.web.lookups import MIN_SEARCH_LENGTH
from vantage_quickbooks.web.modes import PAGE
from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.statements import MAX_SHOWN, heading_of, statements_of
from vantage_quickbooks.web.templating import NotFound, redirect
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.lookups import Lookups
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["FRESH_S", "ReportPages", "report_url"]

CUSTOM = "custom"
"""The value of an input with named periods that means "the dates beside it"; it is never sent."""

FRESH_S = 300.0
"""Age up to which a report is shown again without an API call, unless records changed."""

_WAIT_S = 0.7
"""How long a page waits for its report; then it is sent without it, and follows the progress."""


@dataclass(frozen=True, slots=True)
class Period:
    """An input with named periods, and the dates that it replaces.

    Attributes:
        preset: The input with the named periods.
        dates: The inputs with dates.
    """

    preset: str
    dates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One report that can be chosen.

    Attributes:
        title: Its title.
        url: Its page.
        key: The action, and the value of the input that chooses it.
    """

    title: str
    url: str
    key: tuple[str, str]


def report_url(connection_id: str, action_id: str, pairs: Sequence[tuple[str, str]] = ()) -> str:
    """Return the URL of a report with these inputs.

    Args:
        connection_id: The connection.
        action_id: The action.
        pairs: The inputs, as pairs of name and value.
    """
    return f"/connections/{quote(connection_id)}/reports/{action_id}" + (f"?{urlencode(pairs)}" if pairs else "")


class ReportPages(View):
    """The pages of reports."""

    def __init__(self, host: Host, runs: Runs, templates: Templates, lookups: Lookups) -> None:
        super().__init__(host, runs, templates)
        self._lookups = lookups
        self._lock = threading.Lock()

    def index(self, request: Request) -> Response:
        """Show which reports there are."""
        record = self._record(request)
        groups = self._choices(record)
        if not groups:
            raise NotFound("This connector has no reports.")
        return self._page(
            request,
            "reports.html",
            record=record,
            lists=self._lists(record),
            groups=groups,
            state=self._host.state(record),
        )

    def show(self, request: Request) -> Response:
        """Show a report with the parameters of its URL."""
        record, action = self._record(request), self._action(request)
        query = request.query_params.multi_items()
        if not self._chosen(action, query) and (action.get("report") or {}).get("input"):
            return redirect(f"/connections/{quote(record.id)}/reports")
        data = self._input(action, query)
        run = None
        missing = [it.label for it in _fields(action, data) if it.required and it.name not in data]
        if self._host.state(record) == "ready" and not missing:
            run = self._run_of(record, action, data)
            if run is None:
                return self._too_many_runs()
            run.wait(_WAIT_S)
            run.was_shown = run.was_shown or run.state == "done"
        return self._report_page(request, record, action, data, run, missing)

    def refresh(self, request: Request) -> Response:
        """Forget a report, so that it is made again."""
        record, action = self._record(request), self._action(request)
        query = parse_qsl(request.state.form.get("query", [""])[0].removeprefix("?"))
        data = self._input(action, query)
        for run in self._found(record, action, data):
            run.is_stale = True
        return redirect(report_url(record.id, action["id"], _pairs(data)))

    # ---- the report ----

    def _run_of(self, record: Record, action: dict[str, Any], data: dict[str, Any]) -> Run | None:
        """Return a stored run of a report, or a new one; None if too many are running."""
        with self._lock:  # two tabs share one run
            found = next(iter(self._found(record, action, data)), None)
            if found is not None:
                return found
            run = Run(record, dict(action), data, PAGE)
            run.list_url = report_url(record.id, action["id"], _pairs(data))
            run.question = self._title(action, data)
            return run if self._runs.start(run) else None

    def _found(self, record: Record, action: Mapping[str, Any], data: Mapping[str, Any]) -> list[Run]:
        return [
            run
            for run in self._runs.of(record.id)
            if run.action
            and run.action["id"] == action["id"]
            and run.input == data
            and run.record.settings == record.settings
            and not (run.error or run.is_stale or run.is_cancelled())
            and run.age < FRESH_S
            and not (run.is_outdated and run.was_shown)
        ]

    def _report_page(  # noqa: PLR0917 -- what the page shows
        self,
        request: Request,
        record: Record,
        action: dict[str, Any],
        data: dict[str, Any],
        run: Run | None,
        missing: Sequence[str],
    ) -> Response:
        is_done = run is not None and run.state == "done"
        if run is not None:
            request.state.position = run.position  # the page learns what changed while it was read
        described: Mapping[str, Any] = action.get("report") or {}
        errors = run.error["fields"] if run and run.error and run.error["code"] == "INPUT_INVALID" else []
        fields = _fields(action, data)
        labels = self._labels(record, fields, data)
        bound = {it.field.name: it for it in forms.bind(fields, data, errors, labels=labels)}
        chooser = str(described.get("input") or "")
        periods = [it for it in _periods(action) if it.preset in bound]
        in_periods = {name for it in periods for name in (it.preset, *it.dates)}
        rest = [it for name, it in bound.items() if name not in in_periods and name != chooser]
        title = self._title(action, data)
        heading = heading_of(described.get("heading") or {}, run.data if is_done and run else {}, title)
        links = Links(record.id, self._host.describe(record.connector)["actions"], action.get("links") or ())
        return self._page(
            request,
            "report.html",
            422 if errors else 200,
            record=record,
            action=action,
            lists=self._lists(record),
            groups=self._choices(record),
            current=(action["id"], str(data.get(chooser, ""))),
            chooser=(chooser, str(data.get(chooser, ""))),
            connection_state=self._host.state(record),
            run=run,
            missing=missing,
            custom=CUSTOM,
            title=title,
            heading=heading,
            statements=statements_of(run.rows, run.data, action["views"], heading.currency, links)
            if is_done and run
            else [],
            max_shown=MAX_SHOWN,
            periods=[(bound[it.preset], [bound[name] for name in it.dates if name in bound]) for it in periods],
            fields=[it for it in rest if it.field.group != forms.ADVANCED],
            advanced=[it for it in rest if it.field.group == forms.ADVANCED],
            given=set(data) - {chooser},
            chips=[
                (it.field.label, _text(it), report_url(record.id, action["id"], _pairs(data, it.field.name)))
                for it in bound.values()
                if it.field.name in data and it.field.name != chooser
            ],
            errors=errors,
            labels={it.field.name: it.field.label for it in bound.values()},
            query=urlencode(_pairs(data)),
            here=report_url(record.id, action["id"]),
            min_length=MIN_SEARCH_LENGTH,
            can_download_parquet=is_done and run is not None and download.has_parquet(run),
            metadata=formatting.facts(run.data.get("metadata", {}), leave_out=("cursor",)) if is_done and run else [],
        )

    def _labels(self, record: Record, fields: Sequence[forms.Field], data: Mapping[str, Any]) -> dict[str, str]:
        """Return what people call the values of lookups; one that is not known yet is read by its Id."""
        for item in fields:
            value = str(data.get(item.name) or "")
            if item.source and value and not self._lookups.labels(record, [item], data):
                self._lookups.resolve(record, item.source, value)
        return self._lookups.labels(record, fields, data)

    # ---- the descriptor ----

    def _choices(self, record: Record) -> list[tuple[str, list[Choice]]]:
        """Return all reports by group."""
        found: dict[str, list[Choice]] = {}
        for listed in self._host.describe(record.connector)["actions"]:
            described = listed.get("report")
            action = self._host.action(record.connector, str(listed["id"])) if described else None
            if action is None or not described or not _is_report(action):
                continue
            chooser = str(described.get("input") or "")
            if not chooser:
                url = report_url(record.id, action["id"])
                found.setdefault(str(described.get("group") or ""), []).append(
                    Choice(str(action["title"]), url, (action["id"], ""))
                )
                continue
            options = dict(next((it.options for it in action_fields(action) if it.name == chooser), ()))
            for group in described.get("groups") or ({"title": "", "values": list(options)},):
                found.setdefault(str(group["title"]), []).extend(
                    Choice(
                        options.get(value, value),
                        report_url(record.id, action["id"], [(chooser, value)]),
                        (action["id"], value),
                    )
                    for value in map(str, group["values"])
                )
        return list(found.items())

    def _title(self, action: Mapping[str, Any], data: Mapping[str, Any]) -> str:
        chooser = str((action.get("report") or {}).get("input") or "")
        options = dict(next((it.options for it in action_fields(action) if it.name == chooser), ()))
        chosen = str(data.get(chooser) or "")
        return options.get(chosen, chosen) or str(action["title"])

    @staticmethod
    def _chosen(action: Mapping[str, Any], query: Iterable[tuple[str, str]]) -> str:
        chooser = (action.get("report") or {}).get("input")
        return next((value for name, value in query if name == chooser), "")

    @staticmethod
    def _input(action: Mapping[str, Any], query: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Return the input that a URL describes: that of this report, without dates that a named period replaces."""
        given: dict[str, list[str]] = {}
        for name, value in query:
            given.setdefault(name, []).append(value)
        chooser = str((action.get("report") or {}).get("input") or "")
        fields = _fields(action, {chooser: given.get(chooser, [""])[0]})
        data = forms.parse(fields, given)
        for period in _periods(action):
            if data.get(period.preset) == CUSTOM:
                del data[period.preset]
            if period.preset in data:
                data = {name: value for name, value in data.items() if name not in period.dates}
        return data

    def _action(self, request: Request) -> dict[str, Any]:
        action = self._host.action(self._record(request).connector, request.path_params["action"])
        if action is None or not _is_report(action):
            raise NotFound("This report does not exist.")
        return action


def _is_report(action: Mapping[str, Any]) -> bool:
    """Return whether an action has a report page: it reads rows, changes nothing and shows no secret."""
    is_safe = action.get("readOnly") is not False and not action["destructive"] and not action["sensitiveOutput"]
    return bool(action.get("report")) and is_safe and bool(action.get("rowsKey"))


def _fields(action: Mapping[str, Any], data: Mapping[str, Any]) -> list[forms.Field]:
    """Return the fields that the chosen report has, in the order of the form."""
    variants: Mapping[str, Any] = action["inputForm"].get("variants") or {}
    fields = action_fields(action)
    chosen = str(data.get(variants.get("input", "")) or "")
    names = (variants.get("fields") or {}).get(chosen)
    if names is None:
        return fields
    required = (variants.get("required") or {}).get(chosen, ())
    return [
        replace(item, required=item.required or item.name in required)
        for item in fields
        if item.name in names or item.name == variants["input"]
    ]


def _periods(action: Mapping[str, Any]) -> list[Period]:
    described = (action.get("report") or {}).get("periods") or ()
    return [Period(str(it["preset"]), tuple(map(str, it["inputs"]))) for it in described]


def _pairs(data: Mapping[str, Any], *without: str) -> list[tuple[str, str]]:
    """Return an input as the parameters of a URL."""
    return [
        (name, item if isinstance(item, str) else str(item).lower() if isinstance(item, bool) else str(item))
        for name, value in data.items()
        if name not in without
        for item in (value if isinstance(value, list) else [value])
    ]


def _text(bound: forms.BoundField) -> str:
    """Return a value in words."""
    options = dict(bound.field.options) | ({"true": "Yes", "false": "No"} if bound.field.kind == "boolean" else {})
    values = bound.value if isinstance(bound.value, tuple) else (bound.value,)
    return bound.label or ", ".join(options.get(value, formatting.instant(value)) for value in values)
