"""Connectors, connections and consent, as people see them: one method a page."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.web import forms
from vantage_quickbooks.web.oauth import OAuthFlowError, Outcome, supports_oauth
from vantage_quickbooks.web.results import Results
from vantage_quickbooks.web.runs import Run, failure
from vantage_quickbooks.web.security import CALLBACK_PATH, cookies
from vantage_quickbooks.web.store import StoreError
from vantage_quickbooks.web.templating import NotFound, see, sent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.oauth import OAuthFlows
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.security import Sessions
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["Pages"]

_log = logging.getLogger(__name__)

BY_HAND = "Connected elsewhere already? Fill this in by hand"
_MAX_NAME_LENGTH = 80


class Pages(Results):
    """All pages; those of actions and results are inherited.

    Args:
        host: Knows connectors and connections.
        runs: Makes calls.
        flows: Connects companies.
        sessions: Knows sessions.
        templates: Draw pages.
    """

    def __init__(self, host: Host, runs: Runs, flows: OAuthFlows, sessions: Sessions, templates: Templates) -> None:
        super().__init__(host, runs, templates)
        self._flows = flows
        self._sessions = sessions

    # ---- connectors and connections ----

    def home(self, request: Request) -> Response:
        """Show what is installed and what is connected."""
        records = self._host.records()
        connections = [(record, self._host.describe(record.connector), self._host.state(record)) for record in records]
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
            state=self._host.state(record),
            supports_oauth=supports_oauth(described),
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
        return see("/")

    def test(self, request: Request) -> Response:
        """Prove a connection."""
        return self._started(request, Run(self._record(request), None))

    # ---- consent ----

    def connect(self, request: Request) -> Response:
        """Send the person to the provider."""
        return self._begin(request, self._record(request))

    def callback(self, request: Request) -> Response:
        """Take the person back from the provider, and lead on to the outcome (see `oauth`)."""
        if not request.query_params:
            return self._outcome(request)
        browser = cookies(request.headers).get(self._consent_cookie, "")
        try:
            record = self._flows.finish(dict(request.query_params), browser)
        except OAuthFlowError as failed:
            outcome = Outcome(failed.connection_id, message=failed.message, error=failed.error)
        except StoreError as error:
            outcome = Outcome(None, message=str(error))
        except Exception as error:  # noqa: BLE001 -- whatever fails, the address that holds code and state is left
            where = traceback.extract_tb(error.__traceback__)[-1]
            # Without the error's own words: they may hold the address.
            _log.error("a consent failed by a defect: %s at %s:%s", type(error).__name__, where.filename, where.lineno)
            outcome = Outcome(None, message="The connection failed by a defect of this program; its log says more.")
        else:
            outcome = Outcome(record.id, record.name)
        answer = see(CALLBACK_PATH)
        self._set_cookie(answer, self._outcome_cookie, self._flows.keep(outcome))
        answer.delete_cookie(self._consent_cookie, path=CALLBACK_PATH)
        return answer

    def _outcome(self, request: Request) -> Response:
        """Show what came of a consent."""
        outcome = self._flows.outcome(cookies(request.headers).get(self._outcome_cookie, ""))
        target = f"/connections/{outcome.connection_id}"
        if outcome.message:
            return self._templates.message(
                400,
                "Not connected",
                outcome.message,
                link=target if outcome.connection_id else "/",
                link_text="Back to the connection" if outcome.connection_id else "Back to the start",
                error=outcome.error,
            )
        return self._templates.page("bounce.html", title="Connected", target=target, where=outcome.name, is_away=False)

    def ask_disconnect(self, request: Request) -> Response:
        """Ask before a grant is revoked."""
        record, described = self._consentable(request)
        return self._page(request, "disconnect.html", record=record, described=described)

    def disconnect(self, request: Request) -> Response:
        """Revoke the grant, and forget what connecting had filled in."""
        record, described = self._consentable(request)
        connection: Any
        try:
            connection = self._host.connection(record)
            error_dict = connection.disconnect()
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            return self._failed(request, record, "Not disconnected", failure(error))
        granted = set(described["auth"]["grantFields"])
        kept = {name: value for name, value in record.settings.items() if name not in granted}
        self._host.save(record.connector, record.name, kept, record.id)
        return self._templates.message(
            200,
            "Disconnected",
            str(error_dict.get("message", "The connection has ended.")),
            link=f"/connections/{record.id}",
            link_text=f"Back to {record.name}",
        )

    # ---- what several pages do ----

    @property
    def _consent_cookie(self) -> str:
        return f"{self._sessions.cookie}_consent"

    @property
    def _outcome_cookie(self) -> str:
        return f"{self._sessions.cookie}_outcome"

    def _set_cookie(self, answer: Response, name: str, value: str) -> None:
        """Set a cookie of the callback's path alone, which comes along from another site."""
        answer.set_cookie(
            name,
            value,
            max_age=600,
            httponly=True,
            samesite="lax",
            secure=self._sessions.is_secure,
            path=CALLBACK_PATH,
        )

    def _consentable(self, request: Request) -> tuple[Record, dict[str, Any]]:
        record = self._record(request)
        described = self._host.describe(record.connector)
        if not supports_oauth(described):
            raise NotFound("This connection was not connected by consent, so there is none to end.")
        return record, described

    def _described(self, request: Request) -> dict[str, Any]:
        try:
            return self._host.describe(request.path_params["connector"])
        except KeyError:
            raise NotFound("There is no such connector here.") from None

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
        can_consent = supports_oauth(described)
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
            supports_oauth=can_consent,
            redirect_uri=self._flows.redirect_uri,
        )

    def _save(self, request: Request, described: Mapping[str, Any], record: Record | None) -> Response:
        fields = forms.fields_of(described["settingsSchema"], described["settingsForm"])
        typed = forms.read(fields, sent(request))
        old = record.settings if record else {}
        replaced = {field.name for field in fields if field.kind != "secret"}
        # An empty secret keeps the stored one, and so does what the form does not show: a program may have set it.
        kept = {name: value for name, value in old.items() if name not in replaced}
        settings = {**kept, **typed}
        name = request.state.form.get("name", [""])[0].strip()[:_MAX_NAME_LENGTH] or str(described["displayName"])
        is_connecting = supports_oauth(described) and request.state.form.get("intent") == ["connect"]
        found = self._host.connectors[described["id"]].validate(settings)
        granted = set(described["auth"]["grantFields"]) if is_connecting else set()
        errors = [entry for entry in found["fields"] if entry["field"] not in granted]
        if errors:
            return self._settings_page(request, described, record, typed, errors, list(typed), name)
        saved = self._host.save(described["id"], name, settings, record.id if record else None)
        if is_connecting:
            return self._begin(request, saved)
        return see(f"/connections/{saved.id}")

    def _begin(self, request: Request, record: Record) -> Response:
        try:
            url, browser = self._flows.begin(record)
        except ConnectorError as error:
            error_dict = error.to_dict()
            if error_dict["fields"]:
                described = self._host.describe(record.connector)
                return self._settings_page(request, described, record, record.settings, error_dict["fields"])
            return self._failed(request, record, "Not connected", error_dict)
        except OAuthFlowError as failed:
            return self._templates.message(400, "Not connected", failed.message)
        # A page that leads on, not a redirect: `form-action 'self'` forbids forms to lead elsewhere, even by redirect.
        answer = self._page(
            request, "bounce.html", title="To the provider", target=url, where=_host_of(url), is_away=True
        )
        self._set_cookie(answer, self._consent_cookie, browser)
        return answer


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
