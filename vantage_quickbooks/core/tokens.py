"""
What a token is and when it may be used: values in, values out.

Rules
1. A chain begins with the refresh token that a person pasted into the settings form, and goes on with whatever
   Intuit hands out next. Each pasted token begins a chain of its own: `chain_key` names it.
2. A record carries the fingerprint of the client secret it was obtained with. Another secret makes the record's
   access token unusable; the chain of refresh tokens goes on from its newest link.
3. An access token is FRESH while it outlives the skew, STALE while it is valid but should be renewed, EXPIRED after.
4. Fingerprints are HMACs: nobody can read a value back from one, and no value is ever kept beside it.
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
"""Seconds before its end at which an access token is renewed: longer than Intuit's longest request (120 s) plus its
retries, so that no token dies on the way."""


ACCESS_TOKEN_LIFETIME_S = 3600
"""What Intuit documents; used where an answer does not tell (RFC 6749 section 5.1 only recommends that it does)."""


class TokenState(enum.Enum):
    """What may be done with an access token."""

    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One link of a chain, as it is stored. Times are aware UTC datetimes.

    Attributes:
        realm_id: The QuickBooks company.
        environment: `production` or `sandbox`.
        fingerprint: HMAC of the client id and secret with which the tokens were obtained.
        refresh_token: The newest refresh token; plain text that is given becomes a `Secret`.
        access_token: The newest access token; likewise.
        token_type: RFC 6749 section 7.1; Intuit says `bearer`.
        access_token_expires_at: End of the access token.
        refresh_token_expires_at: End of the refresh token unless it is used before (rolling 100 days); None if unknown.
        refresh_token_hard_expires_at: End of the grant whatever its use (five years); None if Intuit did not say.
        obtained_at: When the token endpoint answered.
        version: Counted up at every save; 0 means never saved.
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
        """Take tokens that are plain text, too."""
        for name in ("refresh_token", "access_token"):
            value = getattr(self, name)
            if not isinstance(value, Secret):
                object.__setattr__(self, name, Secret(value))

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON, tokens and all: the shape that stores and credentials hooks keep."""
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
        """Read back what `to_dict` wrote.

        Raises:
            ValueError: A member is missing or malformed; the message names it and shows no value.
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
        """Return the same record under another version."""
        return replace(self, version=version)


def state(record: TokenRecord, now: datetime, *, skew_s: float = REFRESH_SKEW_S) -> TokenState:
    """Judge the access token of *record* at the instant *now* (aware).

    Args:
        record: The record.
        now: Aware time against which expiry is judged.
        skew_s: Seconds before the end at which a token counts as stale. Halved lifetimes bound it, so that a server
            that issues short-lived tokens is not asked again at every call.

    Returns:
        FRESH, STALE or EXPIRED.
    """
    if now >= record.access_token_expires_at:
        return TokenState.EXPIRED
    return TokenState.FRESH if now < fresh_until(record, skew_s=skew_s) else TokenState.STALE


def fresh_until(record: TokenRecord, *, skew_s: float = REFRESH_SKEW_S) -> datetime:
    """Return the instant from which the access token of *record* is no longer FRESH; arguments as for `state`."""
    lifetime = record.access_token_expires_at - record.obtained_at
    return record.access_token_expires_at - min(timedelta(seconds=skew_s), lifetime / 2)


def fingerprint(client_id: str, client_secret: str) -> str:
    """Return the HMAC that tells whether tokens were obtained with this client id and secret."""
    return hmac.new(client_secret.encode(), b"client\0" + client_id.encode(), hashlib.sha256).hexdigest()


def chain_key(*, realm_id: str, environment: str, token_endpoint: str, client_id: str, refresh_token: str) -> str:
    """Return the name under which a chain is stored and locked.

    It holds no secret: the pasted refresh token goes in as an HMAC only. A newly pasted token therefore begins a new
    chain, and two people who connected the same company do not overwrite each other's chain.

    Args:
        realm_id: The QuickBooks company.
        environment: `production` or `sandbox`.
        token_endpoint: Where the chain is refreshed: chains of an emulator and of Intuit never meet.
        client_id: The OAuth client.
        refresh_token: What the settings form holds.

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
    """Make the next record of a chain from a token response.

    Args:
        response: The decoded body of the token endpoint's 200.
        now: Aware time at which the request was sent: expiry is counted from then, so it is never judged late.
        realm_id: The QuickBooks company; the token response does not name it.
        environment: `production` or `sandbox`.
        fingerprint: See `fingerprint`.
        previous: The record before, if any: the hard end of the grant carries over when the answer omits it.
        sent_refresh_token: The refresh token that was sent; it stays in force if the answer names no new one
            (RFC 6749 section 6).

    Returns:
        The record, not yet saved (version as of *previous*).

    Raises:
        ValueError: There is no access token.

    Source: Intuit, "OAuth 2.0" (token response, `x_refresh_token_expires_in`, and
        `x_refresh_token_hard_expires_in`, which comes only when the request asks for it by header).
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
    """Write an aware time as the host's JSON does: UTC, milliseconds, `Z`."""
    if at is None:
        return None
    utc = at.astimezone(UTC)
    return f"{utc.date().isoformat()}T{utc.time().isoformat('milliseconds')}Z"  # the zone's part costs twice that


def _lifetime(response: Mapping[str, Any], key: str, now: datetime) -> datetime | None:
    """Read a lifetime; a missing or odd one is unknown, since refusing it would throw away a token just rotated."""
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
