"""
What goes over the line and what comes back: URLs and headers out, answers and errors in. Values in, values out.

QuickBooks answers failures in five dialects, whatever was asked for: `Fault` as JSON, `fault` in lower case as JSON
(the gateway), XML, HTML (load balancer, maintenance) and plain text, and each of them at times under HTTP 200
(recorded 2015 to 2026). `decipher` reads them all and returns an answer or raises the right error.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent_encode
from urllib.parse import urlencode, urlsplit

from vantage_quickbooks.errors import (
    AccessDeniedError,
    AccessTokenRefusedError,
    AuthenticationError,
    ClientCredentialsError,
    ConnectorError,
    QuickBooksUnavailableError,
    RateLimitedError,
    ReauthorizationRequired,
    RecordNotFoundError,
    RequestRejectedError,
    UnexpectedResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from xml.etree.ElementTree import Element

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
    "Answer",
    "Fault",
    "Request",
    "authorization_url",
    "changed_records",
    "changes_request",
    "company_info_request",
    "decipher",
    "decipher_revocation",
    "decipher_token",
    "is_loopback",
    "is_loopback_origin",
    "query_request",
    "reauthorization_required",
    "records_of",
    "redact_tokens",
    "retry_after_s",
    "total_count",
    "with_member",
]

API_URLS = {
    "production": "https://quickbooks.api.intuit.com",
    "sandbox": "https://sandbox-quickbooks.api.intuit.com",
}
"""Source: Intuit, "Learn the basics of REST APIs: base URLs"."""

OAUTH_URL = "https://oauth.platform.intuit.com"
TOKEN_PATH = "/oauth2/v1/tokens/bearer"
REVOCATION_PATH = "/v2/oauth2/tokens/revoke"
REVOCATION_URL = "https://developer.api.intuit.com" + REVOCATION_PATH
AUTHORIZATION_PATH = "/connect/oauth2"
AUTHORIZATION_URL = "https://appcenter.intuit.com" + AUTHORIZATION_PATH
SCOPE = "com.intuit.quickbooks.accounting"
"""Source of the four: Intuit, "Set up OAuth 2.0" and its discovery document. One scope covers all we read."""

MINOR_VERSION = 75
"""Sent explicitly: since August 2025 lower ones are ignored (Intuit blog, 2025-01-21)."""

_LONGEST_URL_QUERY = 2000
"""Characters of an encoded statement that still go into the URL; longer ones are sent as a POST body."""

_LARGEST_FAULT = 100_000
"""Bytes of a body that are still read as XML or text: faults are small, and a large one is no fault."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the data API, without its token."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the decoded body and Intuit's transaction id."""

    body: dict[str, Any]
    intuit_tid: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure as QuickBooks words it, whatever dialect it came in."""

    kind: str
    code: str
    message: str
    detail: str
    element: str | None

    @property
    def sentence(self) -> str:
        """Message and detail without repetition and without tokens (a 401's detail carries the token itself).

        Nor are other people named: the detail of 5010 says who else edits the record (recorded).
        """
        if self.code == "5010":
            return "Stale Object Error: the record was changed by someone else in the meantime"
        said = [part.strip().rstrip(".") for part in (self.message, self.detail) if part and part.strip()]
        if len(said) == 2 and said[1].startswith(said[0]):
            said.pop(0)
        return redact_tokens(": ".join(" ".join(part.split()) for part in said))[:600]


def query_request(api_url: str, realm_id: str, statement: str) -> Request:
    """Build the request for a query statement.

    Short statements go into the URL, long ones into the body (Intuit, "Query operations": both are served).

    Args:
        api_url: Scheme and host of the data API.
        realm_id: The company.
        statement: What `query.Select` writes.
    """
    url = f"{_company(api_url, realm_id)}/query"
    encoded = percent_encode(statement, safe="=*(),")
    if len(encoded) <= _LONGEST_URL_QUERY:
        return Request("GET", f"{url}?query={encoded}&minorversion={MINOR_VERSION}", {"Accept": "application/json"})
    headers = {"Accept": "application/json", "Content-Type": "application/text"}
    return Request("POST", f"{url}?minorversion={MINOR_VERSION}", headers, statement.encode())


def company_info_request(api_url: str, realm_id: str) -> Request:
    """Build the request for the company's information."""
    realm = percent_encode(realm_id, safe="")
    url = f"{_company(api_url, realm_id)}/companyinfo/{realm}?minorversion={MINOR_VERSION}"
    return Request("GET", url, {"Accept": "application/json"})


def authorization_url(endpoint: str, *, client_id: str, redirect_uri: str, state: str) -> str:
    """Build the address at which a person connects a company.

    No PKCE: Intuit documents none, and a server that does not know a parameter may refuse it.

    Args:
        endpoint: The authorization endpoint.
        client_id: The app.
        redirect_uri: Where Intuit leads back to; one that is registered with the app.
        state: Comes back unchanged, and proves that it was we who asked (RFC 6749 section 10.12).
    """
    asked = {
        "client_id": client_id,
        "response_type": "code",
        "scope": SCOPE,
        "redirect_uri": redirect_uri,
        "state": state,
    }
    return f"{endpoint}?{urlencode(asked)}"


def changes_request(api_url: str, realm_id: str, entity: str, since: str) -> Request:
    """Build the request for change data capture of one entity since a time with its zone."""
    parameters = f"entities={entity}&changedSince={percent_encode(since, safe='')}&minorversion={MINOR_VERSION}"
    return Request("GET", f"{_company(api_url, realm_id)}/cdc?{parameters}", {"Accept": "application/json"})


def decipher(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    loads: Callable[[bytes], Any] = json.loads,
    now: datetime | None = None,
    environment: str = "production",
    realm_id: str = "",
) -> Answer:
    """Read an answer of the data API.

    Args:
        status: HTTP status.
        headers: Response headers; names in any case.
        body: Decompressed body.
        loads: JSON decoder; raises ValueError for what is no JSON.
        now: Aware time, for a Retry-After that is a date.
        environment: The environment asked, named in errors.
        realm_id: The company asked, named in errors.

    Returns:
        The decoded body of a success.

    Raises:
        AccessTokenRefusedError: The access token is not (or no longer) good: refresh and repeat once.
        RateLimitedError: Code 3001, or HTTP 429.
        QuickBooksUnavailableError: HTTP 5xx, a system fault, or a maintenance page.
        AccessDeniedError: Wrong company, environment, scope or plan, or an ended subscription.
        RecordNotFoundError: Code 610 or HTTP 404.
        RequestRejectedError: Any other fault.
        UnexpectedResponseError: Not JSON, cut off, or of no known shape.
    """
    tid = _header(headers, "intuit_tid")
    decoded, faults = _read(body, _header(headers, "content-type") or "", loads)
    if not faults and 200 <= status < 400:
        if isinstance(decoded, dict) and status < 300:
            return Answer(decoded, tid)
        raise _unreadable(status, body, tid)
    raise _error(status, faults, tid=tid, wait=_wait(headers, now), environment=environment, realm_id=realm_id)


def with_member(answer: Answer, member: str, kind: type = dict) -> Answer:
    """Return *answer* if its body has *member*, of that kind.

    Raises:
        UnexpectedResponseError: It has not: HTTP 200 is not success.
    """
    if not isinstance(answer.body.get(member), kind):
        raise UnexpectedResponseError(
            f"QuickBooks answered without {member}. Nothing of the answer was used; try again.",
            details={"httpStatus": 200, "intuitTid": answer.intuit_tid},
        )
    return answer


def records_of(response: Any, entity: str) -> list[dict[str, Any]]:
    """Return the records of an answer's `QueryResponse`; none where it is the empty object, which means no hit.

    Raises:
        ValueError: It is something else: null, a list, or an object whose records are not a list of objects.
    """
    if response == {} and isinstance(response, dict):
        return []
    records = response.get(entity) if isinstance(response, dict) else None
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise ValueError(f"no list of {entity} records")
    return records


def changed_records(answer: Answer, entity: str) -> list[dict[str, Any]]:
    """Return the records of an answer of change data capture, deleted ones included.

    Raises:
        UnexpectedResponseError: The answer is damaged: nothing can be said of what changed.
    """
    try:
        groups = [group for part in answer.body["CDCResponse"] for group in part["QueryResponse"]]
        if "Fault" in answer.body or any("Fault" in part for part in answer.body["CDCResponse"]):
            raise ValueError("a fault beside changes")  # noqa: TRY301 -- one way out for all damage
        return [record for group in groups if group for record in records_of(group, entity)]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnexpectedResponseError(
            "QuickBooks answered with damaged changes. Nothing of the answer was used; try again.",
            details={"httpStatus": 200, "intuitTid": answer.intuit_tid},
        ) from None


def total_count(answer: Answer) -> int:
    """Return what a COUNT(*) query found.

    Raises:
        UnexpectedResponseError: The answer holds no count.
    """
    count = with_member(answer, "QueryResponse").body["QueryResponse"].get("totalCount")
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UnexpectedResponseError(
            "QuickBooks answered without the count that was asked for.",
            details={"httpStatus": 200, "intuitTid": answer.intuit_tid},
        )
    return count


def decipher_token(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> dict[str, Any]:
    """Read an answer of the token endpoint.

    Returns:
        The token response, with a text in `access_token` (RFC 6749 section 5.1).

    Raises:
        ClientCredentialsError: `invalid_client`: Intuit does not know this client id and secret.
        ReauthorizationRequired: `invalid_grant`: the refresh token is spent, revoked or of another app.
        RateLimitedError: HTTP 429.
        QuickBooksUnavailableError: HTTP 5xx.
        AuthenticationError: Any other refusal (RFC 6749 section 5.2).
        UnexpectedResponseError: No JSON object, or a success without its tokens.

    Source: recorded answers; `invalid_grant` has four wordings and no fixed key order, so only `error` is read.
    """
    tid = _header(headers, "intuit_tid")
    details = {"httpStatus": status, "intuitTid": tid, "endpoint": "token"}
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    error = data.get("error") if isinstance(data, dict) else None
    if status == 429:
        raise RateLimitedError(
            "Intuit's token endpoint gets too many requests. Wait a minute and try again.",
            retry_after_s=_wait(headers, now),
            details=details,
        )
    if status >= 500:
        raise QuickBooksUnavailableError(
            f"Intuit's token endpoint is not available (HTTP {status}). Try again in a few minutes.",
            retry_after_s=_wait(headers, now),
            details=details,
        )
    if isinstance(error, str):
        raise _token_error(error, details)
    if 200 <= status < 300 and isinstance(data, dict):
        if not isinstance(data.get("access_token"), str) or not data["access_token"]:
            raise UnexpectedResponseError("Intuit's token endpoint answered without an access token.", details=details)
        return data
    if 200 <= status < 300:
        raise UnexpectedResponseError(
            "Intuit's token endpoint answered with something other than JSON.", details=details
        )
    raise AuthenticationError(f"Intuit's token endpoint refused the request (HTTP {status}).", details=details)


def reauthorization_required(details: Mapping[str, Any]) -> ReauthorizationRequired:
    """Return the error for `invalid_grant`, of which *details* holds the facts."""
    return ReauthorizationRequired(
        "Intuit no longer accepts the refresh token: it was replaced, revoked, has expired, or belongs to another app. "
        "Connect the company again and paste the new refresh token into the settings.",
        details=details,
    )


def decipher_revocation(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None) -> bool:
    """Read an answer of the revocation endpoint.

    Returns:
        Whether it ended a grant; False where Intuit knows of none (any more).

    Raises:
        ConnectorError: Intuit refused the client, is busy or down; see `decipher_token`.

    Source: Intuit, "OAuth 2.0", revoke token: 200 with an empty body, 400 for a token it does not know.
    """
    if 200 <= status < 300:
        return True
    try:
        decipher_token(status, headers, body, now=now)
    except (ClientCredentialsError, RateLimitedError, QuickBooksUnavailableError):
        raise
    except ConnectorError:
        if status != 400:
            raise
    return False


def retry_after_s(value: str | None, now: datetime | None) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date judged against *now*.

    Returns:
        Seconds to wait, never negative; None when the header is absent or unreadable.

    Source: RFC 9110 section 10.2.3. Intuit documents none; it is honoured where it comes.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 -- rarely needed, and registering must stay cheap

        try:
            at = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if now is None:
            return None
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)  # the oldest form of an HTTP date names no zone; all of them are UTC
        seconds = (at - now).total_seconds()
    return max(0.0, seconds) if seconds < float("inf") else None


def is_loopback(url: str) -> bool:
    """Tell whether *url* names this machine."""
    host = (urlsplit(url).hostname or "").lower()
    return host in {"localhost", "::1"} or bool(_LOOPBACK.fullmatch(host))


def is_loopback_origin(url: str) -> bool:
    """Return whether *url* is an http(s) scheme, a name of this machine and perhaps a port, and nothing else."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = not ("@" in parts.netloc or "\\" in url or parts.query or parts.fragment or parts.path.strip("/"))
    return plain and parts.scheme in {"http", "https"} and is_loopback(url)


_LOOPBACK = re.compile(r"127(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}")


def redact_tokens(text: str) -> str:
    """Replace what looks like an Intuit token: `AB0...`, `RT1-...`, and tokens of dot-separated base64."""
    return _TOKEN.sub("[redacted]", text)


_TOKEN = re.compile(r"\bAB[01]\d{6,}\w*|\bRT1-[\w-]+|\bey[\w-]{8,}(?:\.[\w-]*){2,}")


def _company(api_url: str, realm_id: str) -> str:
    return f"{api_url}/v3/company/{percent_encode(realm_id, safe='')}"


def _header(headers: Mapping[str, str], name: str) -> str | None:
    # Recorders and proxies spell intuit_tid as Intuit-Tid.
    wanted = {name, name.replace("_", "-")}
    return next((value for key, value in headers.items() if key.lower() in wanted), None)


def _wait(headers: Mapping[str, str], now: datetime | None) -> float | None:
    return retry_after_s(_header(headers, "retry-after"), now)


def _read(body: bytes, content_type: str, loads: Callable[[bytes], Any]) -> tuple[Any, list[Fault]]:
    """Return the decoded JSON (None if it is none) and the faults that the body holds in any dialect."""
    start = body[:200].lstrip()
    if start.startswith(b"<") or "xml" in content_type:
        return None, _xml_faults(body)
    try:
        decoded = loads(body)
    except (ValueError, RecursionError):
        # What begins as JSON is a cut-off answer, whatever a record in it says.
        return None, [] if start[:1] in {b"{", b"["} else _text_faults(body)
    return decoded, _json_faults(decoded)


def _json_faults(decoded: Any) -> list[Fault]:
    if not isinstance(decoded, dict):
        return []
    fault = decoded.get("Fault") or decoded.get("fault")
    if not fault:
        return []
    if not isinstance(fault, dict):
        return [Fault("", "0", "", "", None)]
    kind = _word(fault.get("type"))
    errors = fault.get("Error") or fault.get("error")
    entries = [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
    return [
        Fault(
            kind=kind,
            code=_word(entry.get("code")).lstrip("0") or "0",
            message=_word(entry.get("Message") or entry.get("message")),
            detail=_word(entry.get("Detail") or entry.get("detail")),
            element=_word(entry.get("element")) or None,
        )
        for entry in entries
    ] or [Fault(kind, "0", "", "", None)]


def _xml_faults(body: bytes) -> list[Fault]:
    from xml.etree import ElementTree as ET  # noqa: PLC0415 -- rarely needed, and registering must stay cheap

    if len(body) > _LARGEST_FAULT:
        return []
    try:
        root = ET.fromstring(body)  # noqa: S314 -- expat bounds entity expansion, and the body is small
    except (ET.ParseError, LookupError, ValueError):  # the last two: an encoding that nobody, or expat, knows
        return _text_faults(body)
    faults = []
    for fault in root.iter():
        if _tag(fault).lower() != "fault":
            continue
        kind = fault.get("type", "")
        for entry in fault:
            inner = {_tag(child).lower(): child.text or "" for child in entry}
            faults.append(
                Fault(
                    kind=kind,
                    code=entry.get("code", "").lstrip("0") or "0",
                    message=inner.get("message", ""),
                    detail=inner.get("detail", ""),
                    element=entry.get("element") or None,
                )
            )
    return faults or _text_faults(body)  # a maintenance page may be well-formed


def _text_faults(body: bytes) -> list[Fault]:
    """Recognise the two texts that are failures whatever their status says."""
    text = body[:_LARGEST_FAULT].decode("utf-8", "replace")
    if "Invalid Company Status" in text or "Subscription period has ended" in text:
        return [Fault("text", "6190", "Invalid company status", "the QuickBooks subscription has ended", None)]
    if "be back soon" in text.lower() or "Service Temporarily Unavailable" in text:
        return [Fault("text", "150", "QuickBooks is in maintenance", "", None)]
    return []


def _error(
    status: int, faults: list[Fault], *, tid: str | None, wait: float | None, environment: str, realm_id: str
) -> ConnectorError:
    """Choose the error for a failed answer: by fault code where one is known, else by status."""
    fault = faults[0] if faults else None
    code = fault.code if fault else ""
    said = "; ".join(f.sentence for f in faults if f.sentence) or f"HTTP {status}, no reason given"
    details = {
        "httpStatus": status,
        "faultCode": _plain(code),
        "faultType": _plain(fault.kind) if fault else None,
        "element": _plain(fault.element) if fault else None,
        "intuitTid": tid,
        "realmId": realm_id or None,
        "environment": environment,
    }
    if code == "3001" or status == 429:
        return RateLimitedError(
            f"QuickBooks gets too many requests for this company ({said}). Wait a minute and try again.",
            retry_after_s=wait,
            details=details,
        )
    if status >= 500 or status == 408 or code in _UNAVAILABLE:
        return QuickBooksUnavailableError(
            f"QuickBooks cannot answer at the moment ({said}). Try again in a few minutes.",
            retry_after_s=wait,
            details=details,
        )
    if status in {401, 403} and "sufficient scope" in said.lower():
        return AccessDeniedError(
            f"The connection does not include the scope {SCOPE}, which reading QuickBooks needs ({said}). Connect the "
            "company again and request that scope; the environment and the company are not the cause.",
            details=details | {"suspected": "scope"},
        )
    if code in {"3200", "100"} or (status == 401 and code not in _DENIED):
        return AccessTokenRefusedError(
            f"QuickBooks refuses the access token ({_without_detail(fault)}).", details=details
        )
    if code == "3100" or (status == 403 and code not in _DENIED):
        return _no_access(said, environment, realm_id, details)
    if code in _DENIED:
        return AccessDeniedError(f"{_DENIED[code]} (QuickBooks says: {said}).", details=details)
    if code == "610" or (status == 404 and not fault):
        return RecordNotFoundError(
            f"QuickBooks does not have this record, or it was made inactive ({said}).", details=details
        )
    return RequestRejectedError(f"QuickBooks rejected the request: {said}.{_REMEDIES.get(code, '')}", details=details)


def _no_access(said: str, environment: str, realm_id: str, details: dict[str, Any]) -> AccessDeniedError:
    company = f"company {realm_id or '(unnamed)'}"
    if environment not in API_URLS:
        return AccessDeniedError(
            f"The {environment} gives this app no access to {company} ({said}). Check that the realm id is the company "
            f"that was connected at this {environment}.",
            details=details | {"suspected": "company"},
        )
    other = "sandbox" if environment == "production" else "production"
    return AccessDeniedError(
        f"QuickBooks gives this app no access to {company} in the {environment} environment ({said}). The usual cause "
        "is a mix-up of environments: development keys reach sandbox companies only, production keys live companies "
        f"only. If this is a {other} company, set Environment to {other}; else check that the realm id is the company "
        "that was connected, and connect it again if it was disconnected.",
        details=details | {"suspected": "environment"},
    )


_UNAVAILABLE = frozenset({"130", "150", "10000", "6002"})
"""Wrong cluster, maintenance, system fault, gateway timeout: the same call may work later."""

_DENIED = {
    "110": "The person who connected QuickBooks may not do this",
    "120": "The person who connected QuickBooks has lost access to the company; somebody with access must connect it",
    "140": "The company is locked out; its owner must sign in to QuickBooks",
    "5020": "The person who connected QuickBooks, or the company's plan, has no permission for this",
    "5030": "The company's QuickBooks plan lacks this feature",
    "6190": "The company's QuickBooks subscription has ended; its owner must renew it",
}

_REMEDIES = {
    "4000": " The statement cannot be parsed: this is a defect of the connector, please report it with the intuit_tid.",
    "4001": " A field in the filter or the order is not one that QuickBooks can use.",
    "2030": " Check the id: QuickBooks ids are digits.",
    "500": " QuickBooks knows no such operation or address.",
}


def _token_error(error: str, details: dict[str, Any]) -> AuthenticationError:
    details = details | {"oauthError": redact_tokens(error)[:80]}
    if error == "invalid_client":
        return ClientCredentialsError(
            "Intuit does not accept this Client ID and Client Secret. Copy both again from Keys & credentials at "
            "developer.intuit.com, from the tab (Development or Production) that matches the environment.",
            details=details,
        )
    if error == "invalid_grant":
        return reauthorization_required(details)
    return AuthenticationError(
        f"Intuit's token endpoint refused the request ({details['oauthError']}). "
        "Check Client ID, Client Secret and Refresh Token.",
        details=details,
    )


def _unreadable(status: int, body: bytes, tid: str | None) -> UnexpectedResponseError:
    start = body[:1].decode("latin-1")
    what = {"<": "a page or XML", "{": "JSON that is cut off or damaged", "": "nothing"}.get(start, "no JSON object")
    return UnexpectedResponseError(
        f"QuickBooks answered HTTP {status} with {what} ({len(body)} bytes). Nothing of it was used; try again.",
        details={"httpStatus": status, "intuitTid": tid, "bytes": len(body)},
    )


def _without_detail(fault: Fault | None) -> str:
    return redact_tokens(fault.message)[:600] if fault and fault.message else "no reason given"


def _plain(text: str | None) -> str | None:
    return redact_tokens(text)[:100] if text else None


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _word(value: Any) -> str:
    return "" if value is None else str(value)
