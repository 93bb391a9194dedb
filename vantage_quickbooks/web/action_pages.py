"""Pages of actions: the form, choices by name, the estimate, the confirmation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from vantage_quickbooks.web import formatting, forms
from vantage_quickbooks.web.listings import action_fields, is_list, question
from vantage_quickbooks.web.lookups import MIN_SEARCH_LENGTH, Options
from vantage_quickbooks.web.modes import CHANGES, FULL, PAGE, estimated_calls, input_of, modes_of
from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.templating import NotFound, form_values
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.lookups import Lookups
    from vantage_quickbooks.web.modes import Mode
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["ActionPages"]

_LOOKUP = "lookup:"


@dataclass
class _Form:
    """The state of an action's form.

    Attributes:
        record: The connection.
        action: The action's descriptor.
        values: The values of the fields.
        mode: The chosen mode; empty if the action offers no choice.
        since: Id of the run since which changes are read.
        errors: Errors of the fields.
        options: Choices that were looked up, by field.
        texts: The texts that were looked up, by field.
        estimate: The cost of a full sync.
        estimate_error: Why there is no estimate.
    """

    record: Record
    action: Mapping[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    mode: str = ""
    since: str = ""
    errors: Sequence[Mapping[str, str]] = ()
    options: dict[str, Options] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    estimate: Mapping[str, Any] | None = None
    estimate_error: Mapping[str, Any] | None = None


class ActionPages(View):
    """The pages of actions."""

    def __init__(self, host: Host, runs: Runs, templates: Templates, lookups: Lookups) -> None:
        super().__init__(host, runs, templates)
        self._lookups = lookups

    def action(self, request: Request) -> Response:
        """Show the form of an action, filled with the input of `?run=ID` or of example number `?example=N`."""
        record, action = self._record(request), self._action(request)
        form = _Form(record, action, mode=self._default_mode(record, action))
        run = self._runs.get(request.query_params.get("run", ""))
        if run and run.record.id == record.id and run.action and run.action["id"] == action["id"]:
            form.values, form.mode = dict(run.input), run.mode if form.mode else ""
        examples, number = action["examples"], request.query_params.get("example", "")
        if number.isdecimal() and int(number) < len(examples):
            form.values = dict(examples[int(number)])
            added = input_of(action, FULL)
            if added and added.items() <= form.values.items():
                form.mode = FULL
        return self._form_page(request, form)

    def submit(self, request: Request) -> Response:
        """Do what the pressed button says: run the action, look up choices, or estimate a full sync."""
        form = self._submitted(request)
        intent = _one(request, "intent")
        if intent.startswith(_LOOKUP):
            return self._look_up(request, form, intent.removeprefix(_LOOKUP))
        if intent == "estimate":
            return self._estimate(request, form)
        if form.action["destructive"] and _one(request, "confirmed") != "1":
            return self._ask(request, form)
        return self._run(request, form)

    def options(self, request: Request) -> Response:
        """Return the choices of a field that match `?q=`, for the script of the form."""
        record, action = self._record(request), self._action(request)
        source = self._field(action, request.path_params["field"]).source
        if source is None:
            raise NotFound("This field has no choices to look up.")
        found = self._lookups.search(record, source, request.query_params.get("q", ""))
        return JSONResponse(
            {
                "options": [{"value": value, "label": label} for value, label in found.pairs],
                "hasMore": found.has_more,
                "error": found.error and found.error.get("message"),
            }
        )

    # ---- buttons ----

    def _run(self, request: Request, form: _Form) -> Response:
        state = None
        if form.mode == CHANGES:
            earlier = self._runs.get(form.since)
            if earlier is None or earlier.record.id != form.record.id or earlier.sync_state is None:
                hint = "Run a full sync without filters, then read the changes since it."
                message = "The earlier full sync is no longer available."
                form.errors = [{"field": "since", "message": message, "hint": hint}]
                return self._form_page(request, form)
            state = earlier.sync_state
        data = form.values | input_of(form.action, form.mode, state)
        run = Run(form.record, dict(form.action), data, form.mode or PAGE)
        labels = self._lookups.labels(form.record, action_fields(form.action), form.values)
        run.question = question(form.action, form.values, labels)
        refusal = self._start(run)
        if refusal is not None:
            return refusal
        if run.error and run.error["code"] == "INPUT_INVALID" and run.error["fields"]:
            form.errors = run.error["fields"]
            return self._form_page(request, form)
        return self._to_result(run)

    def _look_up(self, request: Request, form: _Form, name: str) -> Response:
        source = self._field(form.action, name).source
        if source is None:
            raise NotFound("This field has no choices to look up.")
        text = _one(request, f"text-{name}") or str(form.values.get(name, ""))
        form.texts[name] = text
        form.options[name] = self._lookups.search(form.record, source, text)
        return self._form_page(request, form)

    def _estimate(self, request: Request, form: _Form) -> Response:
        form.mode = FULL
        data = form.values | input_of(form.action, FULL)
        outcome = self._runs.estimate(form.record, str(form.action["id"]), data)
        if outcome["success"]:
            form.estimate = estimated_calls(form.action, outcome["data"])
        elif outcome["error"]["code"] == "INPUT_INVALID" and outcome["error"]["fields"]:
            form.errors = outcome["error"]["fields"]
        else:
            form.estimate_error = outcome["error"]
        return self._form_page(request, form)

    def _ask(self, request: Request, form: _Form) -> Response:
        """Ask before a destructive action runs."""
        labels = self._lookups.labels(form.record, action_fields(form.action), form.values)
        facts = [(item.label, labels.get(item.name)) for item in action_fields(form.action) if labels.get(item.name)]
        named = {item.name: item.label for item in action_fields(form.action)}
        shown = {named.get(name, name): value for name, value in form.values.items() if name not in labels}
        hidden = [("mode", form.mode), ("since", form.since)] if form.mode else []
        for name, value in form.values.items():
            values = value if isinstance(value, list) else [value]
            hidden += [(f"field-{name}", item if isinstance(item, str) else json.dumps(item)) for item in values]
        return self._page(
            request,
            "confirm.html",
            record=form.record,
            action=form.action,
            facts=[*facts, *((name, formatting.display(value)) for name, value in shown.items())],
            hidden=hidden,
        )

    # ---- the form ----

    def _submitted(self, request: Request) -> _Form:
        record, action = self._record(request), self._action(request)
        mode = _one(request, "mode")
        if mode not in {known.id for known in self._modes(record, action)}:
            mode = self._default_mode(record, action)
        return _Form(
            record, action, forms.parse(action_fields(action), form_values(request)), mode, _one(request, "since")
        )

    def _form_page(self, request: Request, form: _Form) -> Response:
        action, record = form.action, form.record
        fields = action_fields(action)
        labels = self._lookups.labels(record, fields, form.values)
        bound = forms.bind(fields, form.values, form.errors, labels=labels)
        earlier = self._runs.with_sync_state(record.id, str(action["id"]))
        replacement = (action["deprecated"] or {}).get("replacement")
        return self._page(
            request,
            "action.html",
            422 if form.errors else 200,
            record=record,
            action=action,
            described=self._host.describe(record.connector),
            groups=forms.groups_of(bound, action["inputForm"]),
            errors=form.errors,
            labels={item.field.name: item.field.label for item in bound} | {"since": "Changes since"},
            modes=self._modes(record, action),
            mode=form.mode,
            since=form.since,
            earlier=earlier,
            state=self._host.state(record),
            options=form.options,
            texts=form.texts,
            min_length=MIN_SEARCH_LENGTH,
            estimate=form.estimate,
            estimate_error=form.estimate_error,
            can_estimate=self._host.offers(record.connector, "estimate", record),
            replacement=self._host.action(record.connector, replacement) if replacement else None,
            lists=self._lists(record),
            has_list=is_list(action),
            examples=[_example_text(example, bound) for example in action["examples"]],
        )

    def _action(self, request: Request) -> dict[str, Any]:
        action = self._host.action(self._record(request).connector, request.path_params["action"])
        if action is None:
            raise NotFound("This action does not exist.")
        return action

    @staticmethod
    def _field(action: Mapping[str, Any], name: str) -> forms.Field:
        found = next((item for item in action_fields(action) if item.name == name), None)
        if found is None:
            raise NotFound("This field does not exist.")
        return found

    def _modes(self, record: Record, action: Mapping[str, Any]) -> list[Mode]:
        return modes_of(action, can_stream=self._host.offers(record.connector, "stream", record))

    def _default_mode(self, record: Record, action: Mapping[str, Any]) -> str:
        modes = self._modes(record, action)
        return modes[0].id if modes else ""


def _example_text(example: Mapping[str, Any], bound: Sequence[forms.BoundField]) -> str:
    labels = {item.field.name: item.field.label for item in bound}
    return ", ".join(f"{labels.get(name, name)}: {formatting.display(value)}" for name, value in example.items())


def _one(request: Request, name: str) -> str:
    """Return the first value of one of the form's own inputs."""
    return str(request.state.form.get(name, [""])[0])
