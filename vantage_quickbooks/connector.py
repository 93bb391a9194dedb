"""The connector as data: what a host renders, lists and checks without calling anything."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from vantage_quickbooks import wire
from vantage_quickbooks.actions import MODULES
from vantage_quickbooks.contract import CONTRACT_VERSION, HostContext
from vantage_quickbooks.errors import ConnectorError, SettingsError
from vantage_quickbooks.settings import GRANT_FIELDS, Settings
from vantage_quickbooks.validation import load_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.calls import Call
    from vantage_quickbooks.connection import Connection
    from vantage_quickbooks.contract import Action
    from vantage_quickbooks.deployment import Deployment, Endpoints

__all__ = ["QUICKBOOKS", "QuickBooksConnector"]

# Our own drawing, a ledger with two columns: the QuickBooks logo is Intuit's mark.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%23217a3c' "
    "stroke-width='2'%3E%3Crect x='3' y='3' width='18' height='18' rx='3'/%3E%3Cpath d='M12 3v18M6.5 8h2M6.5 12h2M6.5 "
    "16h2M15.5 8h2M15.5 12h2M15.5 16h2'/%3E%3C/svg%3E"
)


class QuickBooksConnector:
    """Implements `contract.Connector`."""

    id = "quickbooks"

    def describe(self) -> dict[str, Any]:
        """Return the connector as plain JSON: settings schema and form, authorization, actions with their schemas."""
        from importlib.metadata import version  # noqa: PLC0415 -- registering must stay cheap

        return {
            "contractVersion": CONTRACT_VERSION,
            "id": self.id,
            "displayName": "QuickBooks Online",
            "version": version("vantage-quickbooks"),
            "category": "commerce",
            "description": "Customers, invoices and company information from QuickBooks Online.",
            "icon": {"mediaType": "image/svg+xml", "dataUri": _ICON},
            "authType": "oauth2_refresh_token",
            "auth": {
                "authorizationUrl": wire.AUTHORIZATION_URL,
                "tokenUrl": wire.OAUTH_URL + wire.TOKEN_PATH,
                "revocationUrl": wire.REVOCATION_URL,
                "scopes": [wire.SCOPE],
                "rotatesRefreshToken": True,
                "secretFields": ["client_secret", "refresh_token"],
                "tokenAuth": "client_secret_basic",
                "pkce": False,  # Intuit documents none
                "grantFields": list(GRANT_FIELDS),
                "callbackFields": {"realmId": "realm_id"},
                "redirectHelp": "Intuit takes http://localhost addresses with development keys (sandbox companies) "
                "only; production keys need an https address.",
            },
            "docsUrl": "https://developer.intuit.com/app/developer/qbo/docs/get-started/get-client-id-and-client-secret",
            "permissions": {"connect": "manage_integrations", "invoke": "run_workflows"},
            "settingsSchema": load_schema("settings.schema"),
            "settingsForm": load_schema("settings.form"),
            "actions": [_described(module.ACTION) for module in MODULES.values()],
        }

    def validate(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Check a settings form's data; opens nothing.

        Args:
            settings: What the form holds.

        Returns:
            `valid`, the `fields` that are wrong (all of them), and `warnings` about values that look wrong.
        """
        try:
            parsed = Settings.parse(settings)
        except SettingsError as error:
            return {"valid": False, "fields": [field.to_dict() for field in error.fields], "warnings": []}
        return {"valid": True, "fields": [], "warnings": [warning.to_dict() for warning in parsed.warnings()]}

    def connect(
        self,
        settings: Mapping[str, Any],
        context: HostContext | None = None,
        *,
        deployment: Deployment | None = None,
        **seams: Any,
    ) -> Connection:
        """Make a connection; opens nothing, no network, no disk.

        Args:
            settings: What the settings form holds.
            context: What the host tells and offers.
            deployment: The operator's choices; by default what the environment variables say.
            **seams: `store` and `new_call` of `Connection`.

        Raises:
            SettingsError: The settings are wrong; all fields at once.
        """
        from vantage_quickbooks.connection import Connection  # noqa: PLC0415 -- registering must stay cheap

        try:
            return Connection(Settings.parse(settings), context, deployment, **seams)
        except SettingsError as error:
            failure = error
        del settings  # a crash reporter would print it, secrets and all
        raise failure.bare()

    def authorization_url(
        self, settings: Mapping[str, Any], *, redirect_uri: str, state: str, deployment: Deployment | None = None
    ) -> str:
        """Return the address at which a person gives consent; opens nothing.

        Args:
            settings: What the form holds; the fields that connecting fills in may be missing.
            redirect_uri: Where Intuit leads back to; one that is registered with the app.
            state: A text that nobody can guess; it comes back with the redirect.
            deployment: As for `connect`.

        Raises:
            SettingsError: The settings are wrong; all fields at once.
        """
        app, endpoints = self._app(settings, deployment)
        return wire.authorization_url(
            endpoints.authorization_endpoint, client_id=app.client_id, redirect_uri=redirect_uri, state=state
        )

    def exchange_code(
        self,
        settings: Mapping[str, Any],
        *,
        code: str,
        redirect_uri: str,
        deployment: Deployment | None = None,
        new_call: Callable[[], Call] | None = None,
    ) -> dict[str, Any]:
        """Turn what the redirect brought into settings.

        Args:
            settings: As for `authorization_url`.
            code: The redirect's `code`.
            redirect_uri: The very address given to `authorization_url`.
            deployment: As for `connect`.
            new_call: Makes the state of the call (for tests).

        Returns:
            The fields of the form to fill in, beside those of `auth.callbackFields`: the refresh token.

        Raises:
            SettingsError: The settings are wrong.
            ConnectorError: Intuit refuses, or could not be asked.
        """
        from vantage_quickbooks.auth import exchange_code  # noqa: PLC0415 -- registering must stay cheap
        from vantage_quickbooks.calls import Call  # noqa: PLC0415 -- as above

        app, endpoints = self._app(settings, deployment)
        failure: ConnectorError
        try:
            token = exchange_code(app, endpoints, code, redirect_uri, (new_call or Call)())
        except ConnectorError as error:
            failure = error
        else:
            return {"refresh_token": token}
        del settings, code  # as in connect
        raise failure.bare()

    def _app(self, settings: Mapping[str, Any], deployment: Deployment | None) -> tuple[Settings, Endpoints]:
        from vantage_quickbooks.deployment import Deployment  # noqa: PLC0415 -- registering must stay cheap

        try:
            app = Settings.parse_app(settings)
            return app, (deployment or Deployment.from_environ()).endpoints(app.environment)
        except SettingsError as error:
            failure = error
        del settings  # as in connect
        raise failure.bare()


def _described(action: Action) -> dict[str, Any]:
    return {
        "id": action.id,
        "nodeName": action.node_name,
        "title": action.title,
        "description": action.description,
        "readOnly": action.read_only,
        "sensitiveOutput": action.sensitive_output,
        "agentVisible": action.agent_visible,
        "rowsKey": action.rows_key,
        "streamable": action.streamable,
        "requiredScopes": [wire.SCOPE],
        "inputSchema": load_schema(f"{action.id}.input.schema"),
        "inputForm": load_schema(f"{action.id}.form"),
        "outputSchema": load_schema(f"{action.id}.output.schema"),
        "examples": copy.deepcopy(list(action.examples)),
        "views": copy.deepcopy(list(action.views)),
        "wholeInput": copy.deepcopy(action.whole_input),
    }


QUICKBOOKS = QuickBooksConnector()
