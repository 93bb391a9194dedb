"""The connector that the plugin registers.

A host loads hundreds of plugins at its start, so importing and registering this one imports nothing expensive: each
method imports what it needs when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.config.deployment import Deployment
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.contract import HostContext

__all__ = ["QUICKBOOKS", "QuickBooksConnector"]


class QuickBooksConnector:
    """Implements `contract.Connector`."""

    id = "quickbooks"

    def describe(self, *, schemas: bool = True) -> dict[str, Any]:
        """Return the connector as plain JSON: settings schema and form, authorization, groups, actions.

        Args:
            schemas: False leaves out the schemas and forms of the actions; `describe_action` has them.
        """
        from vantage_quickbooks.connector.description import describe  # noqa: PLC0415 -- imported when called

        return describe(schemas=schemas)

    def describe_action(self, action_id: str) -> dict[str, Any]:
        """Return one action of `describe()["actions"]` in full.

        Raises:
            KeyError: There is no such action.
        """
        from vantage_quickbooks.connector.description import describe_one  # noqa: PLC0415 -- imported when called

        return describe_one(action_id)

    def validate(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Check a settings form's data; opens nothing.

        Args:
            settings: The values of the form.

        Returns:
            `valid`, the `fields` that are wrong (all of them), and `warnings` about values that look wrong.
        """
        from vantage_quickbooks.config.settings import Settings  # noqa: PLC0415 -- imported when called
        from vantage_quickbooks.errors import SettingsError  # noqa: PLC0415 -- imported when called

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
            context: What the host knows about its calls, and its callables.
            deployment: The operator's options; by default those of the environment variables.
            **seams: `store`, `new_call`, `rate_limiter` and `intercept` of `Connection`.

        Raises:
            SettingsError: The settings are wrong; all fields at once.
        """
        from vantage_quickbooks.config.settings import Settings  # noqa: PLC0415 -- imported when called
        from vantage_quickbooks.connector.connection import Connection  # noqa: PLC0415 -- imported when called
        from vantage_quickbooks.errors import SettingsError  # noqa: PLC0415 -- imported when called

        try:
            return Connection(Settings.parse(settings), context, deployment, **seams)
        except SettingsError as error:
            failure = error
        del settings  # a crash reporter would print it with its secrets
        raise failure.without_traceback()

    def authorization_url(
        self, settings: Mapping[str, Any], *, redirect_uri: str, state: str, deployment: Deployment | None = None
    ) -> str:
        """Return the URL of the consent page; opens nothing.

        Args:
            settings: The values of the form; the fields that connecting fills in may be missing.
            redirect_uri: Where Intuit redirects the browser; must be registered with the app.
            state: A text that cannot be guessed; the redirect returns it (RFC 6749 section 10.12).
            deployment: As for `connect`.

        Raises:
            SettingsError: The settings are wrong; all fields at once.
        """
        from vantage_quickbooks.connector import authorization  # noqa: PLC0415 -- imported when called

        return authorization.authorization_url(settings, redirect_uri, state, deployment)

    def exchange_code(
        self, settings: Mapping[str, Any], *, code: str, redirect_uri: str, deployment: Deployment | None = None
    ) -> dict[str, Any]:
        """Exchange the code of the redirect for settings.

        Args:
            settings: As for `authorization_url`.
            code: The redirect's `code`.
            redirect_uri: The same as for `authorization_url`.
            deployment: As for `connect`.

        Returns:
            The fields of the form to fill in, beside those of `auth.callbackFields`: the refresh token.

        Raises:
            SettingsError: The settings are wrong.
            ConnectorError: Intuit refuses, or is unreachable.
        """
        from vantage_quickbooks.connector import authorization  # noqa: PLC0415 -- imported when called

        return authorization.exchange_code(settings, code, redirect_uri, deployment)


QUICKBOOKS = QuickBooksConnector()
