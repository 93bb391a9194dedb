"""Connects a company: the URL at which a person gives consent, and the exchange of the code that comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.transport import TokenTransport
from vantage_quickbooks.auth.token_endpoint import TokenEndpoint
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.settings import Settings
from vantage_quickbooks.core import endpoints
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["authorization_url", "exchange_code"]


def authorization_url(form: Mapping[str, Any], redirect_uri: str, state: str, deployment: Deployment | None) -> str:
    """Return the URL of the consent page; see `QuickBooksConnector.authorization_url`."""
    failure: ConnectorError
    try:
        app, servers = (deployment or Deployment.from_environ()).resolve(Settings.parse_app(form))
    except ConnectorError as error:
        failure = error
    else:
        return endpoints.authorization_url(
            servers.authorization_endpoint, client_id=app.client_id, redirect_uri=redirect_uri, state=state
        )
    del form  # a crash reporter would print it with its secrets
    raise failure.without_traceback()


def exchange_code(
    form: Mapping[str, Any], code: str, redirect_uri: str, deployment: Deployment | None
) -> dict[str, Any]:
    """Return the settings for a code; see `QuickBooksConnector.exchange_code`."""
    failure: ConnectorError
    try:
        app, servers = (deployment or Deployment.from_environ()).resolve(Settings.parse_app(form))
        token_endpoint = TokenEndpoint(app, servers, TokenTransport())
        refresh_token = token_endpoint.exchange_code(code, redirect_uri, CallContext())
    except ConnectorError as error:
        failure = error
    else:
        return {"refresh_token": refresh_token}
    del form, code  # a crash reporter would print them
    raise failure.without_traceback()
