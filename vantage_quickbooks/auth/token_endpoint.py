"""Requests to Intuit's OAuth server: refresh a token, exchange an authorization code, revoke a grant.

Token requests go through requests-oauthlib, without its automatic refresh: that has no lock and no skew, and uses a
token before it is stored.

Sources: RFC 6749 sections 4.1.3 and 6, RFC 7009,
https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import requests
from oauthlib.oauth2 import OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from vantage_quickbooks.core import responses
from vantage_quickbooks.errors import ConnectorError, ReauthorizationRequired, UnexpectedResponseError
from vantage_quickbooks.telemetry import http_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vantage_quickbooks.auth.interfaces import AuthCall, TokenTransport
    from vantage_quickbooks.config.deployment import Endpoints
    from vantage_quickbooks.config.settings import Settings
    from vantage_quickbooks.core.secret import Secret
    from vantage_quickbooks.telemetry import HttpSpan

__all__ = ["TokenEndpoint", "TokenResponse"]

MAX_ATTEMPTS = 3

_HEADERS = {
    "Accept": "application/json",
    # Without this header, Intuit does not report when the grant ends for good.
    # Source: https://github.com/intuit/oauth-jsclient/blob/master/CHANGELOG.md.
    "x-include-refresh-token-hard-expires-in": "true",
}


class _DropDebug(logging.Filter):
    """requests-oauthlib logs tokens in clear text at DEBUG.

    Source: https://github.com/requests/requests-oauthlib/issues/536.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


logging.getLogger("requests_oauthlib.oauth2_session").addFilter(_DropDebug())


class TokenResponse(NamedTuple):
    """A response of the token endpoint.

    Attributes:
        data: The decoded body; it has an access token.
        sent_at: When the request was sent.
    """

    data: dict[str, Any]
    sent_at: datetime


class TokenEndpoint:
    """The OAuth server, for one app.

    Args:
        settings: Client id and client secret.
        endpoints: The server's URLs.
        transport: How requests are sent.

    Attributes:
        url: The token endpoint.
    """

    def __init__(self, settings: Settings, endpoints: Endpoints, transport: TokenTransport) -> None:
        self.url = endpoints.token_endpoint
        self._revocation_url = endpoints.revocation_endpoint
        self._settings = settings
        self._transport = transport

    def refresh(self, refresh_token: Secret, call: AuthCall) -> TokenResponse:
        """Send a refresh token, and return Intuit's response with the next tokens.

        A request is repeated only if Intuit certainly did not process it (`ConnectorError.is_unprocessed`), because
        otherwise the token may have been rotated.

        Args:
            refresh_token: The refresh token.
            call: The call it is for.

        Returns:
            The response.

        Raises:
            ReauthorizationRequired: Intuit no longer accepts the refresh token.
            ClientCredentialsError: Intuit does not know this client id and secret.
            ConnectorError: The token endpoint is unreachable, busy, or returned an unexpected response.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            sent_at = call.now()
            try:
                data = self._request_token(
                    lambda session, url, **options: session.refresh_token(
                        url, refresh_token=refresh_token.reveal(), **options
                    ),
                    call,
                )
            except ConnectorError as error:
                delay = call.backoff(attempt, error.retry_after_s)
                if attempt == MAX_ATTEMPTS or delay is None or not error.is_unprocessed:
                    raise
                call.sleep(delay)
            else:
                return TokenResponse(data, sent_at)
        raise AssertionError  # pragma: no cover -- the last attempt returns or raises

    def exchange_code(self, code: str, redirect_uri: str, call: AuthCall) -> str:
        """Exchange an authorization code for the first refresh token of a chain.

        The request is sent once: a code can be used for one request (RFC 6749 section 4.1.2).

        Args:
            code: The code from the redirect.
            redirect_uri: The redirect URI of the authorization request.
            call: The call it is for.

        Returns:
            The refresh token.

        Raises:
            ReauthorizationRequired: The code was used, has expired, or belongs to another app or redirect URI.
            ConnectorError: The same as `refresh`.
        """

        def fetch(session: OAuth2Session, url: str, **options: Any) -> None:
            session.redirect_uri = redirect_uri
            session.fetch_token(url, code=code, include_client_id=False, **options)

        failure: ConnectorError
        try:
            refresh_token = self._request_token(fetch, call).get("refresh_token")
        except ReauthorizationRequired as error:
            failure = ReauthorizationRequired(
                "Intuit does not accept the authorization code: it was used before, has expired after some minutes, "
                "or the redirect URI differs. Connect the company again.",
                details=error.details,
            )
        else:
            if isinstance(refresh_token, str) and refresh_token:
                return refresh_token
            failure = UnexpectedResponseError("Intuit's token endpoint returned no refresh token.")
        raise failure  # outside of `except`: the frames beneath hold the code

    def revoke(self, token: Secret, call: AuthCall) -> bool:
        """Revoke the grant that *token* belongs to.

        Returns:
            Whether a grant was revoked; False if Intuit does not know the token.

        Raises:
            ConnectorError: Intuit is unreachable, busy, or refuses the client.
        """
        failure: ConnectorError
        url = self._revocation_url
        try:
            with (
                self._transport.request_timeout(call),
                requests.Session() as session,
                http_request("POST", url, urlsplit(url).path) as sent,
            ):
                response = session.post(
                    self._transport.prepare(session, url),
                    json={"token": token.reveal()},
                    auth=self._client_authentication(),
                    headers={"Accept": "application/json"},
                    timeout=self._transport.timeouts(call),
                    allow_redirects=False,
                )
                sent.status, sent.intuit_tid = response.status_code, response.headers.get("intuit_tid")
        except requests.RequestException as error:
            failure = self._transport.translate(error, "Intuit's revocation endpoint", url)
        else:
            call.record_tid(response.headers.get("intuit_tid"))
            return responses.decipher_revocation(
                response.status_code, response.headers, response.content, now=call.now()
            )
        raise failure  # outside of `except`, so that the request is not part of the error's context

    def _request_token(self, fetch: Callable[..., Any], call: AuthCall) -> dict[str, Any]:
        """Send one token request in its own session, and return the response as Intuit wrote it."""
        data: dict[str, Any] = {}
        failure: ConnectorError | None = None
        with (
            self._transport.circuit_breaker(self.url, self._settings.client_id).attempt(),
            self._transport.request_timeout(call),
            OAuth2Session(self._settings.client_id) as session,
            http_request("POST", self.url, urlsplit(self.url).path) as sent,
        ):
            url = self._transport.prepare(session, self.url)
            session.register_compliance_hook("refresh_token_response", lambda r: _read_response(r, call, data, sent))
            session.register_compliance_hook("access_token_response", lambda r: _read_response(r, call, data, sent))
            try:
                fetch(
                    session,
                    url,
                    auth=self._client_authentication(),
                    headers=dict(_HEADERS),
                    timeout=self._transport.timeouts(call),
                )
            except requests.RequestException as error:
                failure = self._transport.translate(error, "Intuit's token endpoint", self.url)
            except (OAuth2Error, ArithmeticError, AttributeError, TypeError, ValueError):
                # The error that oauthlib raises for a member of the wrong type depends on the member. Intuit has
                # rotated the token anyway: the response was read before oauthlib saw it, and its tokens are used.
                if not data:
                    failure = UnexpectedResponseError("Intuit's token endpoint returned a damaged token response.")
            if failure:
                raise failure  # outside of `except`, so that the request is not part of the error's context
        return data

    def _client_authentication(self) -> HTTPBasicAuth:
        return HTTPBasicAuth(self._settings.client_id, self._settings.client_secret.reveal())


def _read_response(
    response: requests.Response, call: AuthCall, data: dict[str, Any], sent: HttpSpan
) -> requests.Response:
    """Read the response before oauthlib does, which drops the status and Intuit's transaction id."""
    sent.status, sent.intuit_tid = response.status_code, response.headers.get("intuit_tid")
    call.record_tid(response.headers.get("intuit_tid"))
    data.update(responses.decipher_token(response.status_code, response.headers, response.content, now=call.now()))
    return response
