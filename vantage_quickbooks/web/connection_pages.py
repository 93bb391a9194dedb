"""Pages of connectors and connections, and OAuth consent."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.web import forms
from vantage_quickbooks.web.connection_list import STATES, ListQuery, ago, headline, make_list
from vantage_quickbooks.web.dashboard_pages import FIRST_PAINT_S
from vantage_quickbooks.web.failures import error_of
from vantage_quickbooks.web.menu import MAX_UNFOLDED, menu_of, searchable_text
from vantage_quickbooks.web.oauth import OAuthFlowError, Outcome
from vantage_quickbooks.web.runs import Run
from vantage_quickbooks.web.security import CALLBACK_PATH, cookies
from vantage_quickbooks.web.store import StoreError
from vantage_quickbooks.web.templating import NotFound, form_values, redirect
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.dashboards import Board, Dashboards
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.oauth import OAuthFlows
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.security import Sessions
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["ConnectionPages"]

_log = get_logger(__name__)

MANUAL = "Already have a refresh token? Enter it manually"
_MAX_NAME_LENGTH = 80

_CORRECTABLE = {"INPUT_INVALID", "SETTINGS_INVALID", "CONNECTION_EXISTS"}
"""Codes of errors of a shared store that the form shows at its fields."""


class ConnectionPages(View):
    """The pages of connectors and connections.

    Args:
        host: The connectors and connections.
        runs: The runs.
        templates: The page templates.
        flows: The OAuth flows.
        sessions: The sessions.
        dashboards: The dashboards.
    """

    def __init__(  # noqa: PLR0917 -- what the pages need
        self,
        host: Host,
        runs: Runs,
        templates: Templates,
        flows: OAuthFlows,
        sessions: Sessions,
        dashboards: Dashboards,
    ) -> None:
        super().__init__(host, runs, templates)
        self._flows = flows
        self._sessions = sessions
        self._dashboards = dashboards

    # ---- connectors and connections ----

    def home(self, request: Request) -> Response:
        """Show the connections and the installed connectors."""
        position = self._host.events.position
        now = datetime.now(UTC)
        found = make_list(self._host, ListQuery.parse(request.query_params), now)
        connectors = [self._host.describe(key) for key in self._host.connectors]
        target = self._host.sync_target
        return self._page(
            request,
            "home.html",
            503 if found.failures else 200,
            live=("/events", position),
            here=f"/?{request.url.query}",
            found=found,
            query=found.query,
            headline=headline(found.counts),
            states=STATES,
            describe=self._host.describe,
            now=now,
            ago=ago,
            sync_place=target.describe() if target else "",
            failures=[(str(failure), failure.error.code if failure.error else "") for failure in found.failures],
            places=[(self._host.describe(key)["displayName"], it.describe()) for key, it in self._host.shared.items()],
            connectors=connectors,
            rejected=self._host.rejected,
        )

    def new(self, request: Request) -> Response:
        """Show the empty settings form of a connector."""
        described = self._described(request)
        return self._settings_page(request, described, None, {}, [])

    def create(self, request: Request) -> Response:
        """Create a connection from the submitted settings."""
        return self._save(request, self._described(request), None)

    def connection(self, request: Request) -> Response:
        """Show a connection: its dashboard if it has one, its state, its actions, its recent runs."""
        record = self._record(request)
        described = self._host.describe(record.connector)
        fields = forms.fields_of(described["settingsSchema"], described["settingsForm"])
        text = request.query_params.get("q", "").strip()
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
            shared=self._host.shared.get(record.connector),
            supports_oauth=self._host.supports_oauth(record.connector),
            can_test=self._host.offers(record.connector, "test", record),
            can_sync=self._can_sync(record),
            can_disconnect=self._can_disconnect(record),
            lists=self._lists(record),
            menu=menu_of(described, text),
            text=text,
            has_filter=len(described["actions"]) > MAX_UNFOLDED,
            searchable_text=searchable_text,
            runs=self._runs.of(record.id),
            api_calls=self._host.api_calls(record),
            board=self._board(record),
        )

    def _board(self, record: Record) -> Board | None:
        if not (self._host.is_ready(record) and self._dashboards.has(record)):
            return None
        return self._dashboards.get(record, wait_s=FIRST_PAINT_S)

    def settings(self, request: Request) -> Response:
        """Show the settings form of a connection, without its secrets."""
        record = self._record(request)
        return self._settings_page(request, self._host.describe(record.connector), record, record.settings, [])

    def save(self, request: Request) -> Response:
        """Save the submitted settings."""
        record = self._record(request)
        return self._save(request, self._host.describe(record.connector), record)

    def ask_remove(self, request: Request) -> Response:
        """Ask before a connection is removed."""
        record = self._record(request)
        return self._page(request, "remove.html", record=record, shared=self._host.shared.get(record.connector))

    def remove(self, request: Request) -> Response:
        """Remove a connection."""
        record = self._record(request)
        self._host.remove(record)
        self._runs.drop(record.id)
        return redirect("/")

    def test(self, request: Request) -> Response:
        """Test a connection."""
        run = Run(self._record(request), None)
        return self._start(run) or self._to_result(run)

    # ---- OAuth ----

    def connect(self, request: Request) -> Response:
        """Send the browser to the provider for consent."""
        return self.start_flow(request, self._record(request))

    def callback(self, request: Request) -> Response:
        """Handle the provider's redirect, and redirect to the outcome (see `oauth`)."""
        if not request.query_params:
            return self._outcome(request)
        browser = cookies(request.headers).get(self._consent_cookie, "")
        try:
            record = self._flows.complete(dict(request.query_params), browser)
        except OAuthFlowError as failed:
            outcome = Outcome(failed.connection_id, message=failed.message, error=failed.error)
        except StoreError as error:
            outcome = Outcome(None, message=str(error))
        except Exception as error:  # noqa: BLE001 -- the browser must leave the URL with the code in any case
            where = traceback.extract_tb(error.__traceback__)[-1]
            # Without the message of the error, which may contain the URL.
            _log.error("an OAuth flow failed: %s at %s:%s", type(error).__name__, where.filename, where.lineno)
            outcome = Outcome(
                None, message="Connecting failed because of a bug in this server. Its log contains the location."
            )
        else:
            outcome = Outcome(record.id, record.name)
        response = redirect(CALLBACK_PATH)
        self._set_cookie(response, self._outcome_cookie, self._flows.keep(outcome))
        response.delete_cookie(self._consent_cookie, path=CALLBACK_PATH)
        return response

    def _outcome(self, request: Request) -> Response:
        """Show the outcome of an OAuth flow."""
        outcome = self._flows.outcome(cookies(request.headers).get(self._outcome_cookie, ""))
        target = f"/connections/{outcome.connection_id}"
        if outcome.message:
            return self._templates.message(
                400,
                "Not connected",
                outcome.message,
                link=target if outcome.connection_id else "/",
                link_text="Back to the connection" if outcome.connection_id else "Back to connections",
                error=outcome.error,
            )
        return self._templates.page("bounce.html", title="Connected", target=target, name=outcome.name, is_away=False)

    def ask_disconnect(self, request: Request) -> Response:
        """Ask before the authorization is revoked."""
        record, described = self._consentable(request)
        return self._page(request, "disconnect.html", record=record, described=described)

    def disconnect(self, request: Request) -> Response:
        """Revoke the authorization, and delete the settings that connecting had filled in."""
        record, described = self._consentable(request)
        connection: Any
        try:
            connection = self._host.connection(record)
            outcome = connection.disconnect()
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            return self._failed(request, record, "Not disconnected", error_of(error))
        granted = set(described["auth"]["grantFields"])
        kept = {name: value for name, value in record.settings.items() if name not in granted}
        self._host.save(record.connector, record.name, kept, old=record)
        return self._templates.message(
            200,
            "Disconnected",
            str(outcome.get("message", "The connection was ended.")),
            link=f"/connections/{record.id}",
            link_text=f"Back to {record.name}",
        )

    # ---- helpers ----

    @property
    def _consent_cookie(self) -> str:
        return f"{self._sessions.cookie}_consent"

    @property
    def _outcome_cookie(self) -> str:
        return f"{self._sessions.cookie}_outcome"

    def _set_cookie(self, response: Response, name: str, value: str) -> None:
        """Set a cookie for the callback path only, which browsers also send with requests from another site."""
        response.set_cookie(
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
        if not self._can_disconnect(record):
            raise NotFound("This connector does not support disconnecting.")
        return record, described

    def _can_sync(self, record: Record) -> bool:
        is_possible = self._host.sync_target is not None and self._host.is_ready(record)
        return is_possible and self._host.offers(record.connector, "sync", record)

    def _can_disconnect(self, record: Record) -> bool:
        supports_oauth = self._host.supports_oauth(record.connector)
        return supports_oauth and self._host.offers(record.connector, "disconnect", record)

    def _described(self, request: Request) -> dict[str, Any]:
        try:
            return self._host.describe(request.path_params["connector"])
        except KeyError:
            raise NotFound("This connector is not installed.") from None

    def _settings_page(  # noqa: PLR0917 -- the parts of a form
        self,
        request: Request,
        described: Mapping[str, Any],
        record: Record | None,
        values: Mapping[str, Any],
        errors: Sequence[Mapping[str, str]],
        typed: Sequence[str] = (),
        name: str | None = None,
        connection_id: str = "",
    ) -> Response:
        fields = forms.fields_of(described["settingsSchema"], described["settingsForm"])
        stored = [
            field.name for field in fields if record and field.kind == "secret" and record.settings.get(field.name)
        ]
        bound = forms.bind(fields, values, errors, stored=stored, typed=typed)
        can_consent = self._host.supports_oauth(described["id"])
        manual = dict.fromkeys(described["auth"]["grantFields"], MANUAL) if can_consent else {}
        labels = {field.name: field.label for field in fields}
        shared = self._host.shared.get(described["id"])
        if shared and not record:
            labels["connection"] = "Connection ID"
        return self._page(
            request,
            "settings.html",
            422 if errors else 200,
            described=described,
            record=record,
            name=name if name is not None else record.name if record else described["displayName"],
            groups=forms.groups_of(bound, described["settingsForm"], manual),
            errors=errors,
            labels=labels,
            connection_id=connection_id,
            shared=shared,
            usage=shared.usage("ID") if shared else "",
            supports_oauth=can_consent,
            redirect_uri=self._flows.redirect_uri,
        )

    def _save(self, request: Request, described: Mapping[str, Any], record: Record | None) -> Response:
        fields = forms.fields_of(described["settingsSchema"], described["settingsForm"])
        typed = forms.parse(fields, form_values(request))
        old = record.settings if record else {}
        replaced = {field.name for field in fields if field.kind != "secret"}
        # An empty secret keeps the stored one, and so does a setting that the form does not show.
        kept = {name: value for name, value in old.items() if name not in replaced}
        settings = {**kept, **typed}
        name = request.state.form.get("name", [""])[0].strip()[:_MAX_NAME_LENGTH] or str(described["displayName"])
        chosen_id = request.state.form.get("connection", [""])[0].strip()
        is_connecting = self._host.supports_oauth(described["id"]) and request.state.form.get("intent") == ["connect"]
        granted = set(described["auth"]["grantFields"]) if is_connecting else set()
        # What connecting fills in stays as it is until then: consent may be denied.
        settings |= {name: value for name, value in old.items() if name in granted and name not in settings}
        checked = self._host.connectors[described["id"]].validate(settings)
        errors = [entry for entry in checked["fields"] if entry["field"] not in granted]
        if chosen_id and record is None and described["id"] in self._host.shared:
            errors += self._host.check_new_id(described["id"], chosen_id)
        else:
            chosen_id = ""
        saved = None
        if not errors:
            try:
                saved = self._host.save(described["id"], name, settings, chosen_id or None, old=record)
            except StoreError as error:
                if error.error is None or error.error.code not in _CORRECTABLE:
                    raise
                errors = list(error.error.to_dict()["fields"])
        if saved is None:
            return self._settings_page(request, described, record, typed, errors, list(typed), name, chosen_id)
        if is_connecting:
            return self.start_flow(request, saved, may_change_account=True)
        return redirect(f"/connections/{saved.id}")

    def start_flow(self, request: Request, record: Record, *, may_change_account: bool = False) -> Response:
        """Send the browser to the provider for consent.

        Args:
            request: The request.
            record: The connection.
            may_change_account: See `OAuthFlows.start`.
        """
        try:
            url, browser = self._flows.start(record, may_change_account=may_change_account)
        except ConnectorError as error:
            members = error.to_dict()
            if members["fields"]:
                described = self._host.describe(record.connector)
                return self._settings_page(request, described, record, record.settings, members["fields"])
            return self._failed(request, record, "Not connected", members)
        except OAuthFlowError as failed:
            return self._templates.message(400, "Not connected", failed.message)
        # A page, not a redirect: `form-action 'self'` also forbids a form's redirect to another site.
        response = self._page(request, "bounce.html", title="Connecting", target=url, name=_host_of(url), is_away=True)
        self._set_cookie(response, self._consent_cookie, browser)
        return response


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
