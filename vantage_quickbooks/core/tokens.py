"""Token records: their content, their identity, and when an access token may be used.

Pure: values in, values out.

Rules
1. A chain (in OAuth terms: a refresh token family) begins with the refresh token in the settings form and continues
   with the tokens that Intuit issues in exchange. Each token that a user pastes begins a new chain, whose name is
   `chain_key`.
2. A record contains the fingerprint of the client id and secret with which its tokens were obtained. If the client
   secret changes, the record's access token is not used any more; the chain continues from its newest refresh token.
3. An access token is FRESH until it is close to its expiry, STALE while it is still valid but should be refreshed, and
   EXPIRED after that.
4. Fingerprints are HMACs, so the values cannot be computed from them.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "REFRESH_SKEW_S",
    "TokenRecord",
    "TokenState",
    "chain_key",
    "fingerprint",
    "fresh_until",
    "from_token_response",
    "iso",
    "state",
]

REFRESH_SKEW_S = 300.0
"""Seconds before its expiry at which an access token is refreshed.

Longer than Intuit's longest request (120 s) and its retries, so a token does not expire during a request. Source:
https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles.
"""

ACCESS_TOKEN_LIFETIME_S = 3600
"""Used if a response has no `expires_in`, which RFC 6749 section 5.1 only recommends.

Source: https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0.
"""


class TokenState(enum.Enum):
    """Whether an access token may be used, or should be refreshed first."""

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """The newest tokens of a chain, as they are stored. Times are aware UTC datetimes.

    Attributes:
        realm_id: The QuickBooks company.
        environment: `production`, `sandbox` or `emulator`.
        fingerprint: HMAC of the client id and secret with which the tokens were obtained.
        refresh_token: The newest refresh token; a plain str is converted to a `Secret`.
        access_token: The newest access token; converted in the same way.
        token_type: RFC 6749 section 7.1; `bearer` at Intuit.
        access_token_expires_at: Expiry of the access token.
        refresh_token_expires_at: Expiry of the refresh token if it is not used (rolling 100 days); None if unknown.
        refresh_token_hard_expires_at: Expiry of the grant, however it is used (five years); None if unknown.
        obtained_at: When the tokens were requested.
        version: Incremented at every save; 0 means never saved.
    """

    realm_id: str
    environment: str
    fingerprint: str
    refresh_token: Secret
    access_token: Secret
    access_token_expires_at: datetime
    obtained_at: datetime
    token_type: str = "bearer"
    refresh_token_expires_at: datetime | None = None
    refresh_token_hard_expires_at: datetime | None = None
    version: int = 0

    def __post_init__(self) -> None:
        """Convert tokens that are plain str."""
        for name in ("refresh_token", "access_token"):
            value = getattr(self, name)
            if not isinstance(value, Secret):
                object.__setattr__(self, name, Secret(value))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON including its tokens, in the form that stores and credentials hooks save."""
        return {
            "realmId": self.realm_id,
            "environment": self.environment,
            "fingerprint": self.fingerprint,
            "refreshToken": self.refresh_token.reveal(),
            "accessToken": self.access_token.reveal(),
            "tokenType": self.token_type,
            "accessTokenExpiresAt": iso(self.access_token_expires_at),
            "refreshTokenExpiresAt": iso(self.refresh_token_expires_at),
            "refreshTokenHardExpiresAt": iso(self.refresh_token_hard_expires_at),
            "obtainedAt": iso(self.obtained_at),
            "version": self.version,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TokenRecord:
        """Return the record that `to_dict` wrote.

        Raises:
            ValueError: A member is missing or malformed; the message contains its name and no value.
        """
        try:
            return cls(
                realm_id=_text(data, "realmId"),
                environment=_text(data, "environment"),
                fingerprint=_text(data, "fingerprint"),
                refresh_token=Secret(_text(data, "refreshToken")),
                access_token=Secret(_text(data, "accessToken")),
                token_type=_text(data, "tokenType"),
                access_token_expires_at=_time(data, "accessTokenExpiresAt"),
                obtained_at=_time(data, "obtainedAt"),
                refresh_token_expires_at=_optional_time(data, "refreshTokenExpiresAt"),
                refresh_token_hard_expires_at=_optional_time(data, "refreshTokenHardExpiresAt"),
                version=_count(data, "version"),
            )
        except (TypeError, AttributeError):
            raise ValueError("the stored credentials are not a record of this connector") from None

    def with_version(self, version: int) -> TokenRecord:
        """Return the same record with another version."""
        return replace(self, version=version)


def state(record: TokenRecord, now: datetime, *, skew_s: float = REFRESH_SKEW_S) -> TokenState:
    """Return the state of the access token of *record*.

    Args:
        record: The record.
        now: Aware time for which the state is returned.
        skew_s: Seconds before its expiry at which a token becomes stale; at most half its lifetime, so that short-lived
            tokens are not refreshed at every call.
    """
    if now >= record.access_token_expires_at:
        return TokenState.EXPIRED
    return TokenState.FRESH if now < fresh_until(record, skew_s=skew_s) else TokenState.STALE


def fresh_until(record: TokenRecord, *, skew_s: float = REFRESH_SKEW_S) -> datetime:
    """Return the time from which the access token of *record* is not FRESH any more; arguments as for `state`."""
    lifetime = record.access_token_expires_at - record.obtained_at
    return record.access_token_expires_at - min(timedelta(seconds=skew_s), lifetime / 2)


def fingerprint(client_id: str, client_secret: str) -> str:
    """Return an HMAC that identifies the client id and secret with which tokens were obtained."""
    return hmac.new(client_secret.encode(), b"client\0" + client_id.encode(), hashlib.sha256).hexdigest()


def chain_key(*, realm_id: str, environment: str, token_endpoint: str, client_id: str, refresh_token: str) -> str:
    """Return the name under which a chain is stored and locked.

    It contains no secret, only an HMAC of the refresh token in the form. So a newly pasted token begins a new chain,
    and two users who connected the same company do not overwrite each other's chain.

    Args:
        realm_id: The QuickBooks company.
        environment: `production`, `sandbox` or `emulator`.
        token_endpoint: Where the chain is refreshed; separates chains of an emulator from Intuit's.
        client_id: The OAuth client.
        refresh_token: The refresh token in the settings form.

    Returns:
        Realm, environment and 32 hexadecimal digits, joined by `:`.
    """
    message = f"chain\0{environment}\0{token_endpoint}\0{client_id}".encode()
    digest = hmac.new(refresh_token.encode(), message, hashlib.sha256).hexdigest()
    return f"{environment}:{realm_id}:{digest[:32]}"


def from_token_response(
    response: Mapping[str, Any],
    *,
    now: datetime,
    realm_id: str,
    environment: str,
    fingerprint: str,
    previous: TokenRecord | None = None,
    sent_refresh_token: str,
) -> TokenRecord:
    """Return the next record of a chain from a token response.

    Args:
        response: The decoded body of the token endpoint's 200.
        now: Aware time at which the request was sent. Lifetimes count from then, so no token is used after its expiry.
        realm_id: The QuickBooks company; the token response does not name it.
        environment: `production`, `sandbox` or `emulator`.
        fingerprint: See `fingerprint`.
        previous: The record before, if any; the hard expiry of the grant is copied if the response omits it.
        sent_refresh_token: The refresh token that was sent; it stays valid if the response contains no new one
            (RFC 6749 section 6).

    Returns:
        The record, not yet saved (version as of *previous*).

    Raises:
        ValueError: The response contains no access token.

    Source: https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0;
    for `x_refresh_token_hard_expires_in`, which is returned only to requests with the header
    `x-include-refresh-token-hard-expires-in: true`, https://github.com/intuit/oauth-jsclient (CHANGELOG).
    """
    hard = _lifetime(response, "x_refresh_token_hard_expires_in", now)
    if hard is None and previous is not None:
        hard = previous.refresh_token_hard_expires_at
    expires_at = _lifetime(response, "expires_in", now) or now + timedelta(seconds=ACCESS_TOKEN_LIFETIME_S)
    refresh_token, token_type = response.get("refresh_token"), response.get("token_type")
    return TokenRecord(
        realm_id=realm_id,
        environment=environment,
        fingerprint=fingerprint,
        access_token=Secret(_text(response, "access_token")),
        refresh_token=Secret(refresh_token if isinstance(refresh_token, str) and refresh_token else sent_refresh_token),
        token_type=token_type if isinstance(token_type, str) and token_type else "bearer",
        access_token_expires_at=expires_at,
        refresh_token_expires_at=_lifetime(response, "x_refresh_token_expires_in", now),
        refresh_token_hard_expires_at=hard,
        obtained_at=now,
        version=previous.version if previous else 0,
    )


def iso(at: datetime | None) -> str | None:
    """Return an aware time as the connector's JSON contains it: UTC, milliseconds, `Z`."""
    if at is None:
        return None
    utc = at.astimezone(UTC)
    return (
        f"{utc.date().isoformat()}T{utc.time().isoformat('milliseconds')}Z"  # formatting the zone takes twice as long
    )


def _lifetime(response: Mapping[str, Any], key: str, now: datetime) -> datetime | None:
    """Return when a lifetime ends; None if it is missing or malformed, as raising would lose a token just rotated."""
    seconds = response.get(key)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
        return None
    try:
        return now + timedelta(seconds=float(seconds))
    except (ValueError, OverflowError):
        return None


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is missing")
    return value


def _count(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{key} is not a count")
    return value


def _time(data: Mapping[str, Any], key: str) -> datetime:
    try:
        at = datetime.fromisoformat(_text(data, key))
    except ValueError:
        raise ValueError(f"{key} is not a time") from None
    if at.tzinfo is None:
        raise ValueError(f"{key} has no time zone")
    return at


def _optional_time(data: Mapping[str, Any], key: str) -> datetime | None:
    return None if data.get(key) is None else _time(data, key)
