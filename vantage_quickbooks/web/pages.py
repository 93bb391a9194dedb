"""What people see: one method a page. It reads the form, asks the host, and picks a template."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from starlette.responses import JSONResponse, RedirectResponse, Response

from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.export import csv_text
from vantage_quickbooks.web import charts, forms, present
from vantage_quickbooks.web.oauth import ConsentFailed, is_offered
from vantage_quickbooks.web.runs import Run, failure
from vantage_quickbooks.web.security import CALLBACK_PATH, cookies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.oauth import Consents
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.security import Gate
    from vantage_quickbooks.web.store import Record, StoreError

__all__ = ["NotFound", "Pages", "Templates"]

PAGE_ROWS = 100
"""Rows of a table on one page; downloads have all of them."""

JSON_ROWS = 50
BY_HAND = "Connected elsewhere already? Fill this in by hand"
_LONGEST_NAME = 80


class NotFound(Exception):  # noqa: N818 -- what there is to say
    """There is no such page; the message says what is missing."""


class Templates:
    """The pages' templates: escaped always, and an undefined name is a defect."""

    def __init__(self) -> None:
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        self._environment = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters |= {"when": present.instants, "words": present.words}
        self._environment.globals |= {"chart_width": charts.WIDTH, "chart": charts}

    def page(self, template: str, status: int = 200, *, csrf: str = "", **values: Any) -> Response:
        """Return a page."""
        text = self._environment.get_template(template).render(csrf=csrf, **values)
        return Response(text, status, media_type="text/html; charset=utf-8")

    def message(self, status: int, title: str, text: str, **values: Any) -> Response:
        """Return a page that says one thing."""
        values = {"link": None, "link_text": "", "error": None, **values}
        return self.page("message.html", status, title=title, text=text, **values)


class Pages:
    """The pages.

    Args:
        host: Knows connectors and connections.
        runs: Makes calls.
        consents: Connects companies.
        gate: Knows sessions.
        templates: Draw pages.
    """

    def __init__(self, host: Host, runs: Runs, consents: Consents, gate: Gate, templates: Templates) -> None:
        self._host = host
        self._runs = runs
        self._consents = consents
        self._gate = gate
        self._templates = templates

    # ---- connectors and connections ----

    def home(self, request: Request) -> Response:
        """Show what is installed and what is connected."""
        records = self._host.records()
        connections = [
            (record, self._host.describe(record.connector), self._host.is_ready(record)) for record in records
        ]
        connectors = [self._host.describe(key) for key in self._host.connectors]
        return self._page(request, "home.html", connections=connections, connectors=connectors)

    def new(self, request: Request) -> Response:
        """Show the empty settings form of a connector."""
        described = self._described(request)
        return self._settings_page(request, described, None, {}, [])

    def create(self, request: Request) -> Response:
        """Make a connection of what the settings form holds."""
        return self._save(request, self._described(request), None)

    def connection(self, request: Request) -> Response:
        """Show a connection: its state, its actions, what was run."""
        record = self._record(request)
        described = self._host.describe(record.connector)
        fields = forms.fields_of(described["settingsSchema"], described["settingsForm"])
        shown = [
            (field.label, "stored" if field.kind == "secret" else dict(field.options).get(str(value), str(value)))
            for field in fields
            if (value := record.settings.get(field.name)) not in (None, "", [])
        ]
        return self._page(
            request,
            "connection.html",
            record=record,
            described=described,
            shown=shown,
            is_ready=self._host.is_ready(record),
            is_offered=is_offered(described),
            runs=self._runs.of(record.id),
        )

    def settings(self, request: Request) -> Response:
        """Show the settings form of a connection; secrets are not in it."""
        record = self._record(request)
        return self._settings_page(request, self._host.describe(record.connector), record, record.settings, [])

    def save(self, request: Request) -> Response:
        """Keep what the settings form holds."""
        record = self._record(request)
        return self._save(request, self._host.describe(record.connector), record)

    def ask_remove(self, request: Request) -> Response:
        """Ask before a connection is removed."""
        return self._page(request, "remove.html", record=self._record(request))

    def remove(self, request: Request) -> Response:
        """Remove a connection."""
        record = self._record(request)
        self._runs.drop(record.id)
        self._host.remove(record.id)
        return _see("/")

    def test(self, request: Request) -> Response:
        """Prove a connection."""
        return self._started(request, Run(self._record(request), None))

    # ---- consent ----

    def connect(self, request: Request) -> Response:
        """Send the person to the provider."""
        return self._begin(request, self._record(request))

    def callback(self, request: Request) -> Response:
        """Take the person back from the provider (see `oauth`)."""
        browser = cookies(request.headers).get(self._consent_cookie, "")
        try:
            record = self._consents.finish(dict(request.query_params), browser)
        except ConsentFailed as failed:
            answer = self._templates.message(
                400,
                "Not connected",
                failed.message,
                link=f"/connections/{failed.connection_id}" if failed.connection_id else "/",
                link_text="Back to the connection" if failed.connection_id else "Back to the start",
                error=failed.error,
            )
        else:
            answer = self._templates.page(
                "bounce.html", title="Connected", target=f"/connections/{record.id}", where=record.name, is_away=False
            )
        answer.delete_cookie(self._consent_cookie, path=CALLBACK_PATH)
        return answer

    def disconnect(self, request: Request) -> Response:
        """Revoke the grant, and forget what connecting had filled in."""
        record = self._record(request)
        described = self._host.describe(record.connector)
        connection: Any
        try:
            connection = self._host.connection(record)
            told = connection.disconnect()
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            return self._failed(request, record, "Not disconnected", failure(error))
        granted = set(described["auth"]["grantFields"])
        kept = {name: value for name, value in record.settings.items() if name not in granted}
        self._host.save(record.connector, record.name, kept, record.id)
        return self._templates.message(
            200,
            "Disconnected",
            str(told.get("message", "The connection has ended.")),
            link=f"/connections/{record.id}",
            link_text=f"Back to {record.name}",
        )

    # ---- actions and results ----

    def action(self, request: Request) -> Response:
        """Show the form of an action."""
        record, action = self._record(request), self._action(request)
        return self._action_page(request, record, action, {}, [])

    def run(self, request: Request) -> Response:
        """Run an action."""
        record, action = self._record(request), self._action(request)
        data = forms.read(_fields(action), _sent(request))
        is_whole = bool(_can_stream(action) and request.state.form.get("whole"))
        if is_whole:
            data |= action.get("wholeInput") or {}
        return self._started(request, Run(record, action, data, is_whole))

    def result(self, request: Request) -> Response:
        """Show a run: its progress, its result, or what went wrong."""
        run = self._run(request)
        if run.state == "running":
            return self._page(request, "progress.html", run=run, record=run.record)
        if run.error:
            return self._failed_run(request, run)
        if run.action is None:
            return self._page(request, "test.html", run=run, record=run.record, present=present)
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
        return _see(f"/runs/{run.id}")

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
        if kind == "json":
            text, media = json.dumps(_whole(run), ensure_ascii=False, indent=2) + "\n", "application/json"
        else:
            columns = present.columns_of(run.action.get("views", ()), run.rows, everything=False)
            first = [column.field for column in columns if run.action.get("views") and "." not in column.field]
            # A spreadsheet takes a file for UTF-8 only if it begins with this mark.
            text, media = "\ufeff" + csv_text(run.rows or [run.data], first), "text/csv; charset=utf-8"
        name = f"{run.action['id']}-{run.started_at:%Y-%m-%d}.{kind}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, media_type=media, headers=headers)

    # ---- what several pages do ----

    @property
    def _consent_cookie(self) -> str:
        return f"{self._gate.cookie}_consent"

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        return self._templates.page(template, status, csrf=request.state.session.csrf, **values)

    def _described(self, request: Request) -> dict[str, Any]:
        try:
            return self._host.describe(request.path_params["connector"])
        except KeyError:
            raise NotFound("There is no such connector here.") from None

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
            raise NotFound("This result is not kept any more. Run the action again.")
        return run

    def _settings_page(  # noqa: PLR0917 -- what a form is made of
        self,
        request: Request,
        described: Mapping[str, Any],
        record: Record | None,
        values: Mapping[str, Any],
        errors: Sequence[Mapping[str, str]],
        typed: Sequence[str] = (),
        name: str | None = None,
    ) -> Response:
        fields = forms.fields_of(described["settingsSchema"], described["settingsForm"])
        stored = [
            field.name for field in fields if record and field.kind == "secret" and record.settings.get(field.name)
        ]
        bound = forms.bind(fields, values, errors, stored, typed)
        can_consent = is_offered(described)
        apart = dict.fromkeys(described["auth"]["grantFields"], BY_HAND) if can_consent else {}
        labels = {field.name: field.label for field in fields}
        return self._page(
            request,
            "settings.html",
            422 if errors else 200,
            described=described,
            record=record,
            name=name if name is not None else record.name if record else described["displayName"],
            groups=forms.groups_of(bound, described["settingsForm"], apart),
            errors=errors,
            labels=labels,
            is_offered=can_consent,
            redirect_uri=self._consents.redirect_uri,
        )

    def _save(self, request: Request, described: Mapping[str, Any], record: Record | None) -> Response:
        fields = forms.fields_of(described["settingsSchema"], described["settingsForm"])
        sent = forms.read(fields, _sent(request))
        old = record.settings if record else {}
        kept = {field.name: old[field.name] for field in fields if field.kind == "secret" and field.name in old}
        settings = {**kept, **sent}
        name = request.state.form.get("name", [""])[0].strip()[:_LONGEST_NAME] or str(described["displayName"])
        is_connecting = is_offered(described) and request.state.form.get("intent") == ["connect"]
        found = self._host.connectors[described["id"]].validate(settings)
        granted = set(described["auth"]["grantFields"]) if is_connecting else set()
        errors = [entry for entry in found["fields"] if entry["field"] not in granted]
        if errors:
            return self._settings_page(request, described, record, sent, errors, list(sent), name)
        saved = self._host.save(described["id"], name, settings, record.id if record else None)
        if is_connecting:
            return self._begin(request, saved)
        return _see(f"/connections/{saved.id}")

    def _begin(self, request: Request, record: Record) -> Response:
        try:
            url, browser = self._consents.begin(record)
        except ConnectorError as error:
            told = error.to_dict()
            if told["fields"]:
                described = self._host.describe(record.connector)
                return self._settings_page(request, described, record, record.settings, told["fields"])
            return self._failed(request, record, "Not connected", told)
        except ConsentFailed as failed:
            return self._templates.message(400, "Not connected", failed.message)
        # A page that leads on, not a redirect: `form-action 'self'` forbids forms to lead elsewhere, even by redirect.
        answer = self._page(
            request, "bounce.html", title="To the provider", target=url, where=_host_of(url), is_away=True
        )
        answer.set_cookie(
            self._consent_cookie,
            browser,
            max_age=600,
            httponly=True,
            samesite="lax",
            secure=self._gate.is_secure,
            path=CALLBACK_PATH,
        )
        return answer

    def _action_page(
        self,
        request: Request,
        record: Record,
        action: Mapping[str, Any],
        values: Mapping[str, Any],
        errors: Sequence[Mapping[str, str]],
        *,
        is_whole: bool = False,
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
            is_whole=is_whole,
            is_ready=self._host.is_ready(record),
        )

    def _started(self, request: Request, run: Run) -> Response:
        if not self._runs.start(run):
            return self._templates.message(
                429, "Too much at once", "Other calls are still under way. Wait until they end, or cancel one."
            )
        run.wait()
        if run.action and run.error and run.error["code"] == "INPUT_INVALID" and run.error["fields"]:
            return self._action_page(
                request, run.record, run.action, run.input, run.error["fields"], is_whole=run.is_whole
            )
        return _see(f"/runs/{run.id}")

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
            can_consent=_needs_consent(error) and is_offered(self._host.describe(record.connector)),
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
            can_consent=_needs_consent(error) and is_offered(self._host.describe(run.record.connector)),
        )

    def _result_page(
        self, request: Request, run: Run, data: Mapping[str, Any], *, is_revealed: bool = False
    ) -> Response:
        action = run.action or {}
        asked = request.query_params
        everything = asked.get("columns") == "all"
        views = action.get("views", ())
        columns = present.columns_of(views, run.rows, everything=everything)
        by = next((column for column in columns if column.field == asked.get("sort")), None)
        is_down = asked.get("order") == "down"
        rows = present.sort_rows(run.rows, by, descending=is_down) if by else run.rows
        pages = max(1, math.ceil(len(rows) / PAGE_ROWS))
        page = min(max(1, int(asked["page"]) if asked.get("page", "").isdecimal() else 1), pages)
        shown = rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
        single = None
        if not action.get("rowsKey"):
            single = present.facts(data, leave_out=("metadata",), in_full=True)
        elif not run.is_list and run.rows:
            single = present.facts(run.rows[0])
        metadata = data.get("metadata", {})
        return self._page(
            request,
            "result.html",
            run=run,
            record=run.record,
            action=action,
            single=single,
            pictures=charts.draw(run.rows, views) if run.is_list else [],
            columns=columns,
            has_more_columns=any(view.get("kind") == "table" for view in views),
            everything=everything,
            cells=[[present.cell(row, column) for column in columns] for row in shown],
            by=by.field if by else "",
            is_down=is_down,
            page=page,
            pages=pages,
            first=(page - 1) * PAGE_ROWS + 1,
            metadata=present.facts(metadata),
            may_have_more=bool(metadata.get("mayHaveMore")) and not run.is_whole and bool(action.get("streamable")),
            json_text=_json_text(run) if asked.get("view") == "json" and not run.is_sensitive else None,
            json_rows=JSON_ROWS,
            is_revealed=is_revealed,
            again=_query_of(run),
        )


def on_not_found(templates: Templates, error: NotFound) -> Response:
    """Return the page for what is not there."""
    return templates.message(404, "Not found", str(error), link="/", link_text="Back to the start")


def on_store_error(templates: Templates, error: StoreError) -> Response:
    """Return the page for files that cannot be used."""
    return templates.message(500, "The connections cannot be read or kept", str(error))


def _fields(action: Mapping[str, Any]) -> list[forms.Field]:
    """Return an action's fields, but for those by which everything is read: one checkbox stands for them."""
    fields = forms.fields_of(action.get("inputSchema", {}), action.get("inputForm", {}))
    return [field for field in fields if field.name not in (action.get("wholeInput") or {})]


def _can_stream(action: Mapping[str, Any]) -> bool:
    return bool(action.get("streamable") and action.get("rowsKey"))


def _sent(request: Request) -> dict[str, list[str]]:
    """Return what a form's fields hold; their names carry a prefix, so that none is taken for one of ours."""
    form: dict[str, list[str]] = request.state.form
    return {name.removeprefix("field-"): values for name, values in form.items() if name.startswith("field-")}


def _query_of(run: Run) -> list[tuple[str, str]]:
    """Return a run's input as hidden fields of a form."""
    pairs: list[tuple[str, str]] = []
    left_out = (run.action or {}).get("wholeInput") or {}
    for name, value in run.input.items():
        if name in left_out:
            continue
        values = value if isinstance(value, list) else [value]
        pairs += [(f"field-{name}", item if isinstance(item, str) else json.dumps(item)) for item in values]
    return pairs


def _whole(run: Run) -> dict[str, Any]:
    rows_key = (run.action or {}).get("rowsKey")
    rows: Any = run.rows if run.is_list else run.rows[0]
    return {rows_key: rows, **run.data} if rows_key else run.data


def _json_text(run: Run) -> str:
    whole = _whole(run)
    rows_key = (run.action or {}).get("rowsKey")
    if rows_key and run.is_list:
        whole[rows_key] = whole[rows_key][:JSON_ROWS]
    return json.dumps(whole, ensure_ascii=False, indent=2)


def _needs_consent(error: Mapping[str, Any]) -> bool:
    return error.get("code") in {"REAUTHORIZATION_REQUIRED", "PERMISSION_DENIED"}


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _see(path: str) -> Response:
    return RedirectResponse(path, 303)
