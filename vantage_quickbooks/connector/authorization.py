"""How a company is connected: the address at which a person consents, and what the redirect's code is turned into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.transport import TokenTransport
from vantage_quickbooks.auth.token_endpoint import TokenEndpoint
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.settings import Settings
from vantage_quickbooks.core.endpoints import authorization_url
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["address", "granted"]


def address(form: Mapping[str, Any], redirect_uri: str, state: str, deployment: Deployment | None) -> str:
    """Return the address of the consent. See `QuickBooksConnector.authorization_url`."""
    failure: ConnectorError
    try:
        app, endpoints = (deployment or Deployment.from_environ()).resolve(Settings.parse_app(form))
    except ConnectorError as error:
        failure = error
    else:
        return authorization_url(
            endpoints.authorization_endpoint, client_id=app.client_id, redirect_uri=redirect_uri, state=state
        )
    del form  # a crash reporter would print it, secrets and all
    raise failure.without_traceback()


def granted(form: Mapping[str, Any], code: str, redirect_uri: str, deployment: Deployment | None) -> dict[str, Any]:
    """Return the settings that a code leads to. See `QuickBooksConnector.exchange_code`."""
    failure: ConnectorError
    try:
        app, endpoints = (deployment or Deployment.from_environ()).resolve(Settings.parse_app(form))
        token_endpoint = TokenEndpoint(app, endpoints, TokenTransport())
        refresh_token = token_endpoint.exchange_code(code, redirect_uri, CallContext())
    except ConnectorError as error:
        failure = error
    else:
        return {"refresh_token": refresh_token}
    del form, code  # as above
    raise failure.without_traceback()
