"""Requests out: the URLs of Intuit's endpoints, and the requests of the data API.

Sources: https://developer.intuit.com/app/developer/qbo/docs/learn/rest-api-features for hosts and paths,
https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0 for OAuth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote as percent_encode
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "API_URLS",
    "AUTHORIZATION_PATH",
    "AUTHORIZATION_URL",
    "MINOR_VERSION",
    "OAUTH_URL",
    "REVOCATION_PATH",
    "REVOCATION_URL",
    "SCOPE",
    "TOKEN_PATH",
    "Request",
    "authorization_url",
    "changes_request",
    "company_info_request",
    "is_loopback",
    "is_loopback_origin",
    "query_request",
    "read_request",
    "report_request",
]

API_URLS = {
    "production": "https://quickbooks.api.intuit.com",
    "sandbox": "https://sandbox-quickbooks.api.intuit.com",
}
"""Scheme and host of the data API, by environment."""

OAUTH_URL = "https://oauth.platform.intuit.com"
TOKEN_PATH = "/oauth2/v1/tokens/bearer"
REVOCATION_PATH = "/v2/oauth2/tokens/revoke"
REVOCATION_URL = "https://developer.api.intuit.com" + REVOCATION_PATH
AUTHORIZATION_PATH = "/connect/oauth2"
AUTHORIZATION_URL = "https://appcenter.intuit.com" + AUTHORIZATION_PATH
"""Source of the OAuth endpoints: https://developer.api.intuit.com/.well-known/openid_configuration."""

SCOPE = "com.intuit.quickbooks.accounting"
"""The one scope of the accounting API; there is none for reading only.

Source: https://developer.intuit.com/app/developer/qbo/docs/learn/scopes.
"""

MINOR_VERSION = 75
"""Sent explicitly, so that a new default does not change what we read. Lower versions are ignored since August 2025.

Source: https://blogs.intuit.com/2025/01/21/changes-to-our-accounting-api-that-may-impact-your-application.
"""

_MAX_URL_STATEMENT = 2000
"""Characters of an encoded statement that still go into the URL; longer ones are sent as a POST body."""

_LOOPBACK = re.compile(r"127(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the data API, without its token."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None

    @property
    def template(self) -> str:
        """The path without ids and query, for telemetry: `/v3/company/{realmId}/customer/{id}`."""
        parts = urlsplit(self.url).path.split("/")
        if len(parts) > 3:
            parts[3] = "{realmId}"
        if len(parts) > 5 and parts[4] != "reports":
            parts[5:] = ["{id}"]
        return "/".join(parts)


def query_request(api_url: str, realm_id: str, statement: str) -> Request:
    """Return the request for a query statement: GET for a short one, POST for a long one.

    Args:
        api_url: Scheme and host of the data API.
        realm_id: The company.
        statement: What `query.Select` writes.

    Source: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries.
    """
    encoded = percent_encode(statement, safe="=*(),")
    if len(encoded) <= _MAX_URL_STATEMENT:
        return _get(api_url, realm_id, "query", f"query={encoded}")
    headers = {"Accept": "application/json", "Content-Type": "application/text"}
    return Request("POST", _url(api_url, realm_id, "query"), headers, statement.encode())


def read_request(api_url: str, realm_id: str, path: str, id_: str | None = None) -> Request:
    """Return the request that reads one record.

    Args:
        api_url: Scheme and host of the data API.
        realm_id: The company.
        path: The entity's path, which is its name in lower case: `customer`, `preferences`.
        id_: The record's Id; None for an entity of which a company has exactly one record (Preferences).

    Raises:
        ValueError: Realm id or Id is empty or a dot segment, so the URL would name something else.
    """
    return _get(api_url, realm_id, path if id_ is None else f"{path}/{_segment(id_)}")


def company_info_request(api_url: str, realm_id: str) -> Request:
    """Return the request for the company's information, whose path ends with the realm id instead of an Id."""
    return read_request(api_url, realm_id, "companyinfo", realm_id)


def changes_request(api_url: str, realm_id: str, entities: Iterable[str], since: str) -> Request:
    """Return the request for change data capture: what was created, changed or deleted since a time.

    Args:
        api_url: Scheme and host of the data API.
        realm_id: The company.
        entities: Intuit's names, at least one. `responses.MAX_CHANGES` holds for all of them together.
        since: Time with its zone, at most 30 days ago.

    Source:
        https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/change-data-capture.
    """
    names = ",".join(percent_encode(entity, safe="") for entity in entities)
    return _get(api_url, realm_id, "cdc", f"entities={names}&changedSince={percent_encode(since, safe='')}")


def report_request(api_url: str, realm_id: str, name: str, parameters: Mapping[str, str]) -> Request:
    """Return the request for a report.

    Args:
        api_url: Scheme and host of the data API.
        realm_id: The company.
        name: Intuit's name of the report, `ProfitAndLoss`.
        parameters: The parameters as Intuit takes them.

    Source: https://developer.intuit.com/app/developer/qbo/docs/workflows/run-reports.
    """
    query = urlencode(parameters, quote_via=percent_encode, safe=",")
    return _get(api_url, realm_id, f"reports/{_segment(name)}", query)


def authorization_url(endpoint: str, *, client_id: str, redirect_uri: str, state: str) -> str:
    """Return the URL at which a user connects a company.

    No PKCE: Intuit documents none, and a server that does not know a parameter may refuse it.

    Args:
        endpoint: The authorization endpoint.
        client_id: The app.
        redirect_uri: Where Intuit redirects the browser; must be registered with the app.
        state: Returned unchanged; proves that the response belongs to our request (RFC 6749 section 10.12).
    """
    parameters = {
        "client_id": client_id,
        "response_type": "code",
        "scope": SCOPE,
        "redirect_uri": redirect_uri,
        "state": state,
    }
    return f"{endpoint}?{urlencode(parameters)}"


def is_loopback(url: str) -> bool:
    """Return whether the host of *url* is this machine."""
    host = (urlsplit(url).hostname or "").lower()
    return host in {"localhost", "::1"} or bool(_LOOPBACK.fullmatch(host))


def is_loopback_origin(url: str) -> bool:
    """Return whether *url* consists of an http(s) scheme, a name of this machine and an optional port."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_origin = not ("@" in parts.netloc or "\\" in url or parts.query or parts.fragment or parts.path.strip("/"))
    return is_origin and parts.scheme in {"http", "https"} and is_loopback(url)


def _get(api_url: str, realm_id: str, path: str, parameters: str = "") -> Request:
    return Request("GET", _url(api_url, realm_id, path, parameters), {"Accept": "application/json"})


def _url(api_url: str, realm_id: str, path: str, parameters: str = "") -> str:
    company = f"{api_url}/v3/company/{_segment(realm_id)}"
    return f"{company}/{path}?{parameters}{'&' if parameters else ''}minorversion={MINOR_VERSION}"


def _segment(text: str) -> str:
    """Return *text* as one segment of a path; a dot segment would remove another one (RFC 3986 section 5.2.4)."""
    if text in {"", ".", ".."}:
        raise ValueError("an id is empty or a dot segment")
    return percent_encode(text, safe="")
