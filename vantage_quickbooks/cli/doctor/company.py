"""Checks of one company: settings, token, scope, dates of the authorization, limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks import errors
from vantage_quickbooks.cli.doctor.finding import Check, Finding, Patient, failed, ok, skipped, warning
from vantage_quickbooks.core.endpoints import SCOPE
from vantage_quickbooks.errors import (
    AccessDeniedError,
    AppBlockedError,
    AuthenticationError,
    ConnectorError,
    NetworkError,
    QuickBooksUnavailableError,
    RateLimitedError,
    ReauthorizationRequired,
    TokenStoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CHECKS", "SETTINGS"]

WARN_REFRESH_DAYS = 14
WARN_GRANT_DAYS = 60
WARN_SHARE = 0.8

_NONE = "no company was named"
_INVALID = "the settings cannot be used"
_NOT_TESTED = "there is no token"

_CREDENTIALS_HINT = "Correct client_id and client_secret in the settings."
_KEY_HINT = "Set VANTAGE_QUICKBOOKS_TOKEN_KEY to the key that the tokens were encrypted with, or connect again."


def _check_settings(patient: Patient) -> Finding:
    from vantage_quickbooks.connector.connection import servers_of

    if patient.connect is None:
        return skipped(f"{_NONE}: use --connection ID, or --settings FILE")
    try:
        patient.connection = patient.connect()
        patient.endpoints, found = servers_of(patient.connection)
    except ConnectorError as error:
        fields = error.to_dict()["fields"]
        message = " ".join(f"{entry['field']}: {entry['message']}" for entry in fields if entry["field"])
        hint = " ".join(entry["hint"] for entry in fields if entry["hint"])
        return failed(message or error.message, hint, code=error.code)
    warnings = [entry.to_dict() for entry in found]
    if warnings:
        first = warnings[0]
        return warning(f"{first['field']}: {first['message']}", first["hint"], warnings=warnings)
    return ok(f"{patient.name}: valid")


def _check_token(patient: Patient) -> Finding:
    if patient.connection is None:
        return skipped(_NONE if patient.connect is None else _INVALID)
    patient.tested = patient.connection.test()
    return _from_test(patient, "token")


def _check_company(patient: Patient) -> Finding:
    return _from_test(patient, "company")


def _check_scope(patient: Patient) -> Finding:
    found = _find(patient.tested, "company")
    if found is None:
        return skipped(_NOT_TESTED)
    if found["ok"]:
        return ok(f"{SCOPE} was granted", scopes=[SCOPE])
    error = found["error"]
    if error["code"] == AccessDeniedError.code and error["details"].get("suspected") in {None, "scope"}:
        return failed(
            f"QuickBooks denies access: {SCOPE} was not granted, or the person who connected the company lost access.",
            f"Connect again as an administrator: {patient.reconnect}",
        )
    return skipped("the company cannot be read")  # for example because it is another one


def _from_test(patient: Patient, name: str) -> Finding:
    found = _find(patient.tested, name)
    if found is None:
        return skipped(_NOT_TESTED)
    if found["ok"]:
        return ok(found["message"])
    error = found["error"]
    hint = f"Run: {patient.reconnect}"
    match error["code"]:
        case AuthenticationError.code if error["details"].get("oauthError") == "invalid_client":
            hint = _CREDENTIALS_HINT
        case errors.STORE_UNREADABLE:
            hint = _KEY_HINT
        case NetworkError.code | QuickBooksUnavailableError.code:
            hint = "Check the network, and the lines above. Then try again."
        case RateLimitedError.code | AppBlockedError.code:
            hint = "Try again later."
        case _ if error["code"] not in {AuthenticationError.code, ReauthorizationRequired.code, AccessDeniedError.code}:
            hint = ""  # the message has it
    return failed(error["message"], hint, code=error["code"], intuitTid=error["details"].get("intuitTid"))


def _find(tested: Mapping[str, Any] | None, name: str) -> dict[str, Any] | None:
    checks: list[dict[str, Any]] = tested["checks"] if tested else []
    return next((check for check in checks if check["name"] == name), None)


def _status(patient: Patient) -> dict[str, Any] | None:
    return patient.connection.status() if patient.connection is not None else None


def _needs_store(check: Callable[[Patient], Finding]) -> Callable[[Patient], Finding]:
    """Return a check that is skipped where the token store fails: a check of its own reports that."""

    def checked(patient: Patient) -> Finding:
        try:
            return check(patient)
        except TokenStoreError as error:
            if error.code == errors.STORE_UNREADABLE:  # the store works, and the key is another one
                raise
            return skipped("the token store cannot be used")

    return checked


def _check_dates(patient: Patient) -> Finding:
    status = _status(patient)
    if status is None:
        return skipped(_NONE if patient.connect is None else _INVALID)
    refresh, grant = status["refreshTokenExpiresAt"], status["grantExpiresAt"]
    facts = {"refreshTokenExpiresAt": refresh, "grantExpiresAt": grant}
    again = f"Run: {patient.reconnect}"
    if status["state"] == "reauthorizationRequired":
        return failed(str(status["message"]), again, **facts)
    if refresh is None:
        return skipped("no token was fetched yet")
    refresh_days, grant_days = _days_until(refresh), _days_until(grant)
    text = f"the refresh token is valid until {refresh[:10]}"
    text += f", the authorization until {grant[:10]}" if grant else ""
    if grant_days is not None and grant_days < WARN_GRANT_DAYS:
        return warning(f"T{text[1:]}: {grant_days} days are left of the five years.", again, **facts)
    if refresh_days is not None and refresh_days < WARN_REFRESH_DAYS:
        hint = f"Any call renews the refresh token for 100 days: {patient.test}"
        return warning(f"T{text[1:]}: {refresh_days} days are left.", hint, **facts)
    return ok(text, **facts)


def _days_until(text: str | None) -> int | None:
    return None if text is None else (datetime.fromisoformat(text) - datetime.now(UTC)).days


def _check_rate_limits(patient: Patient) -> Finding:
    from vantage_quickbooks.api.rate_limiter import MAX_CONCURRENT, MAX_PER_MINUTE, MAX_PER_SECOND

    status = _status(patient)
    if status is not None and status["state"] == "throttled":
        until = f" until {status['throttledUntil']}" if status["throttledUntil"] else ""
        return failed(f"{status['message']} It applies{until}.", "Wait, or raise the limit.")
    text = f"{MAX_CONCURRENT} requests at once, {MAX_PER_SECOND} a second and {MAX_PER_MINUTE} a minute for a company"
    return ok(text, concurrent=MAX_CONCURRENT, perSecond=MAX_PER_SECOND, perMinute=MAX_PER_MINUTE)


def _check_monthly_calls(patient: Patient) -> Finding:
    if patient.connection is None:
        return skipped(_NONE if patient.connect is None else _INVALID)
    usage = patient.connection.monthly_usage()
    calls, limit = usage["calls"], usage["limit"]
    if limit is None:
        return ok(f"{calls:,} metered calls in {usage['month']}; no limit is set", **usage)
    text = f"{calls:,} of {limit:,} metered calls of {usage['month']} are used"
    hint = "Sync less often, or raise VANTAGE_QUICKBOOKS_MONTHLY_CALL_LIMIT."
    if calls >= limit:
        return failed(f"{text}: nothing more is sent this month.", hint, **usage)
    if calls >= WARN_SHARE * limit or usage["reachedOn"]:
        reached = f"; at this pace all are used on {usage['reachedOn']}" if usage["reachedOn"] else ""
        return warning(f"{text}{reached}.", hint, **usage)
    return ok(text, **usage)


SETTINGS = (Check("settings", "Settings", _check_settings),)
"""What the other checks need to know: which servers to ask."""

CHECKS = (
    Check("token", "Token", _check_token, needs_network=True),
    Check("company", "Company", _check_company, needs_network=True),
    Check("scope", "Scope", _check_scope, needs_network=True),
    Check("tokenDates", "Token dates", _needs_store(_check_dates)),
    Check("rateLimits", "Rate limits", _needs_store(_check_rate_limits)),
    Check("monthlyCalls", "Monthly calls", _check_monthly_calls),
)
