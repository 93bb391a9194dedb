"""Responses in: answers of the data API, the token endpoint and the revocation endpoint.

`decipher` and its siblings return an answer or raise the error that reports the failure. HTTP 200 alone is not success:
a body may contain a fault, be truncated, or be something else than what was requested.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core.fault_parser import error_for, parse_body, redact_tokens
from vantage_quickbooks.errors import (
    AuthenticationError,
    ClientCredentialsError,
    ConnectorError,
    QuickBooksUnavailableError,
    RateLimitedError,
    ReauthorizationRequired,
    UnexpectedResponseError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "MAX_CHANGES",
    "Answer",
    "answer_time",
    "changed_records",
    "decipher",
    "decipher_revocation",
    "decipher_token",
    "reauthorization_required",
    "records_of",
    "retry_after_s",
    "total_count",
    "with_member",
]

MAX_CHANGES = 1000
"""Objects in one answer of change data capture, of all its entities together.

An answer with that many may be cut, and nothing in it says so: then every entity of the request is suspect. Source:
https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/change-data-capture.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the decoded body and Intuit's transaction id."""

    body: dict[str, Any]
    intuit_tid: str | None


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
    """Read a response of the data API.

    Args:
        status: HTTP status.
        headers: Response headers; names in any case.
        body: Decompressed body.
        loads: JSON decoder; raises ValueError for what is not JSON.
        now: Aware time, for a Retry-After that is a date.
        environment: The environment of the request, named in errors.
        realm_id: The company of the request, named in errors.

    Returns:
        The decoded body of a success.

    Raises:
        AccessTokenRefusedError: The access token is not valid (any more): refresh it and repeat once.
        RateLimitedError: Code 3001, or HTTP 429.
        QuickBooksUnavailableError: HTTP 5xx, a system fault, or a maintenance page.
        AccessDeniedError: Wrong company, environment, scope or plan, or an ended subscription.
        RecordNotFoundError: Code 610 or HTTP 404.
        RequestRejectedError: Any other fault.
        UnexpectedResponseError: Not JSON, truncated, or of unknown shape.
    """
    tid = _header(headers, "intuit_tid")
    decoded, faults = parse_body(body, _header(headers, "content-type") or "", loads)
    if not faults and 200 <= status < 400:
        if isinstance(decoded, dict) and status < 300:
            return Answer(decoded, tid)
        raise _unreadable(status, body, tid)
    raise error_for(
        status,
        faults,
        intuit_tid=tid,
        retry_after_s=_retry_after_s(headers, now),
        environment=environment,
        realm_id=realm_id,
    )


def with_member(answer: Answer, member: str, kind: type = dict) -> Answer:
    """Return *answer* if its body has *member* of that type.

    Args:
        answer: The answer.
        member: Name of the member: `QueryResponse`, or the entity when one record was read.
        kind: The type that it must have.

    Raises:
        UnexpectedResponseError: The member is missing or of another type.
    """
    if not isinstance(answer.body.get(member), kind):
        raise UnexpectedResponseError(
            f"QuickBooks answered without {member}. Nothing of the answer was used; try again.",
            details={"httpStatus": 200, "intuitTid": answer.intuit_tid},
        )
    return answer


def records_of(response: Any, entity: str) -> list[dict[str, Any]]:
    """Return the records of an answer's `QueryResponse`; none for the empty object, which means no match.

    Raises:
        ValueError: It is something else: null, a list, or an object whose records are not a list of objects.
    """
    if response == {} and isinstance(response, dict):
        return []
    records = response.get(entity) if isinstance(response, dict) else None
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise ValueError(f"no list of {entity} records")
    return records


def changed_records(answer: Answer, entities: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the records of an answer of change data capture by entity, deleted records included.

    If the lists contain `MAX_CHANGES` records together, the answer may be cut.

    Args:
        answer: The answer.
        entities: Intuit's names of the entities that were requested.

    Returns:
        A list for each entity requested, empty if nothing changed, each in Intuit's order.

    Raises:
        UnexpectedResponseError: The answer is damaged, so it does not show what changed.
    """
    changed: dict[str, list[dict[str, Any]]] = {entity: [] for entity in entities}
    try:
        parts = answer.body["CDCResponse"]
        groups = [group for part in parts for group in part["QueryResponse"]]
        if any("Fault" in holder for holder in (answer.body, *parts, *groups)):
            raise ValueError("a fault beside changes")  # noqa: TRY301 -- one way out for all damage
        for group in groups:
            for entity in changed.keys() & group.keys() or _nothing_known(group):
                changed[entity] += records_of(group, entity)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnexpectedResponseError(
            "QuickBooks answered with damaged changes. Nothing of the answer was used; try again.",
            details={"httpStatus": 200, "intuitTid": answer.intuit_tid},
        ) from None
    return changed


def answer_time(answer: Answer) -> datetime:
    """Return when QuickBooks began to answer, by its own clock: the answer's `time`, an instant with its offset.

    Raises:
        UnexpectedResponseError: The answer has no such time.
    """
    try:
        at = datetime.fromisoformat(answer.body["time"])
    except (KeyError, TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        raise UnexpectedResponseError(
            "QuickBooks answered without the time of its answer. Nothing of the answer was used; try again.",
            details={"httpStatus": 200, "intuitTid": answer.intuit_tid},
        )
    return at


def total_count(answer: Answer) -> int:
    """Return the result of a COUNT(*) query.

    Raises:
        UnexpectedResponseError: The answer contains no count.
    """
    count = with_member(answer, "QueryResponse").body["QueryResponse"].get("totalCount")
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UnexpectedResponseError(
            "QuickBooks answered without the count that was requested.",
            details={"httpStatus": 200, "intuitTid": answer.intuit_tid},
        )
    return count


def decipher_token(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> dict[str, Any]:
    """Read a response of the token endpoint.

    `invalid_grant` comes in four wordings with no fixed order of keys (recorded 2018 to 2025), so only `error` is read.

    Args:
        status: HTTP status.
        headers: Response headers; names in any case.
        body: Decompressed body.
        now: Aware time, for a Retry-After that is a date.

    Returns:
        The token response; its `access_token` is a text that is not empty (RFC 6749 section 5.1).

    Raises:
        ClientCredentialsError: `invalid_client`: Intuit does not know this client id and secret.
        ReauthorizationRequired: `invalid_grant`: the refresh token was replaced, revoked or is of another app.
        RateLimitedError: HTTP 429.
        QuickBooksUnavailableError: HTTP 5xx.
        AuthenticationError: Any other refusal (RFC 6749 section 5.2).
        UnexpectedResponseError: Not a JSON object, or a success without its tokens.
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
            retry_after_s=_retry_after_s(headers, now),
            details=details,
            is_unprocessed=True,
        )
    if status >= 500:
        raise QuickBooksUnavailableError(
            f"Intuit's token endpoint is not available (HTTP {status}). Try again in a few minutes.",
            retry_after_s=_retry_after_s(headers, now),
            details=details,
            is_unprocessed=status == 503,
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
    """Return the error for `invalid_grant`.

    Args:
        details: Facts about the refusal, for the error's `details`.
    """
    return ReauthorizationRequired(
        "Intuit no longer accepts the refresh token: it was replaced, revoked, has expired, or belongs to another app. "
        "Connect the company again and paste the new refresh token into the settings.",
        details=details,
    )


def decipher_revocation(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None) -> bool:
    """Read a response of the revocation endpoint: 200 with an empty body, or 400 for an unknown token.

    Args:
        status: HTTP status.
        headers: Response headers; names in any case.
        body: Decompressed body.
        now: Aware time, for a Retry-After that is a date.

    Returns:
        Whether the request ended a grant; False if Intuit does not know one (any more).

    Raises:
        ConnectorError: Intuit refused the client, is busy or down; see `decipher_token`.

    Source: https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0.
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
    """Read a Retry-After header: seconds, or an HTTP date relative to *now* (RFC 9110 section 10.2.3).

    Intuit does not document the header; it is honored where it occurs.

    Args:
        value: The header's value; None if it is absent.
        now: Aware time; None if unknown, which makes a date unreadable.

    Returns:
        Seconds to wait, never negative; None if the header is absent or unreadable.
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
            at = at.replace(tzinfo=UTC)  # the asctime form of an HTTP date names no zone; all of them are UTC
        seconds = (at - now).total_seconds()
    return max(0.0, seconds) if seconds < float("inf") else None


def _nothing_known(group: Mapping[str, Any]) -> tuple[str, ...]:
    """Return no entity for a group without changes, which is `{}`; raise ValueError for a group of something else."""
    if group:
        raise ValueError("records of none of the entities")
    return ()


def _header(headers: Mapping[str, str], name: str) -> str | None:
    # Recorders and proxies spell intuit_tid as Intuit-Tid.
    wanted = {name, name.replace("_", "-")}
    return next((value for key, value in headers.items() if key.lower() in wanted), None)


def _retry_after_s(headers: Mapping[str, str], now: datetime | None) -> float | None:
    return retry_after_s(_header(headers, "retry-after"), now)


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
    what = {"<": "a page or XML", "{": "JSON that is truncated or damaged", "": "nothing"}.get(
        start, "something other than a JSON object"
    )
    return UnexpectedResponseError(
        f"QuickBooks answered HTTP {status} with {what} ({len(body)} bytes). Nothing of it was used; try again.",
        details={"httpStatus": status, "intuitTid": tid, "bytes": len(body)},
    )
