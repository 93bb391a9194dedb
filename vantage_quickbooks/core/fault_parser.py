"""Failures in: read the faults of a response in every dialect, and choose the error that reports them.

QuickBooks reports failures in five dialects, regardless of the requested format: `Fault` as JSON, `fault` in lower case
as JSON (the gateway), XML, HTML (load balancer, maintenance) and plain text. Each of them occurs under HTTP 200, too
(recorded 2015 to 2026). Codes and their meaning:
https://developer.intuit.com/app/developer/qbo/docs/develop/troubleshooting/error-codes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core.endpoints import API_URLS, SCOPE
from vantage_quickbooks.errors import (
    AccessDeniedError,
    AccessTokenRefusedError,
    ConnectorError,
    QuickBooksUnavailableError,
    RateLimitedError,
    RecordNotFoundError,
    RequestRejectedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

__all__ = ["Fault", "error_for", "parse_body", "redact_tokens"]

_MAX_FAULT_BYTES = 100_000
"""Bytes of a body that are still read as XML or text: faults are small, so a larger body is not a fault."""

_MAX_MESSAGE = 600
_MAX_DETAIL = 100

_TOKEN = re.compile(r"\bAB[01]\d{6,}\w*|\bRT1-[\w-]+|\bey[\w-]{8,}(?:\.[\w-]*){2,}")
"""The forms of Intuit's tokens (recorded 2018 to 2026): `AB0...`, `RT1-...`, and JWTs."""

_UNAVAILABLE = frozenset({"130", "150", "10000", "6002"})
"""Wrong cluster, maintenance, system fault, gateway timeout: the same call may work later."""

_TOO_LARGE = "10100"
"""A result that is too large: the same call fails again."""

_INVALID_ENTITY = "Invalid entity supplied"

_DENIED = {
    "110": "The user who connected QuickBooks may not do this",
    "120": "The user who connected QuickBooks has lost access to the company; a user with access must connect it",
    "140": "The company is locked out; its owner must sign in to QuickBooks",
    "5020": "The user who connected QuickBooks, or the company's plan, has no permission for this",
    "5030": "The company's QuickBooks plan lacks this feature",
    "6190": "The company's QuickBooks subscription has ended; its owner must renew it",
}

_REMEDIES = {
    "4000": " The statement cannot be parsed: this is a defect of the connector, please report it with the intuit_tid.",
    "4001": " A field in the filter or the order is not one that QuickBooks can use.",
    "2030": " Check the id: QuickBooks ids are digits.",
    "500": " QuickBooks does not have this operation or path.",
    _TOO_LARGE: " Choose a shorter period, or a filter.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure as QuickBooks reports it, in any dialect.

    Attributes:
        kind: Intuit's `type`, `ValidationFault`.
        code: Intuit's code without leading zeros; `0` if there is none.
        message: Intuit's summary.
        detail: Intuit's explanation; may contain the token, or the names of other users.
        element: The property in question, if named.
    """

    kind: str
    code: str
    message: str
    detail: str
    element: str | None

    @property
    def sentence(self) -> str:
        """Message and detail without repetition, tokens (a 401's detail contains one) and names of other users."""
        if self.code == "5010":  # the detail names the other user (recorded)
            return "Stale Object Error: the record was changed by someone else in the meantime"
        parts = [part.strip().rstrip(".") for part in (self.message, self.detail) if part and part.strip()]
        if len(parts) == 2 and parts[1].startswith(parts[0]):
            parts.pop(0)
        return redact_tokens(": ".join(" ".join(part.split()) for part in parts))[:_MAX_MESSAGE]


def parse_body(body: bytes, content_type: str, loads: Callable[[bytes], Any]) -> tuple[Any, list[Fault]]:
    """Decode a body and find the faults that it contains, in any dialect.

    Args:
        body: Decompressed body.
        content_type: The response's Content-Type.
        loads: JSON decoder; raises ValueError for what is not JSON.

    Returns:
        The decoded JSON (None if it is not JSON), and the faults (empty if there is none).
    """
    start = body[:200].lstrip()
    if start.startswith(b"<") or "xml" in content_type:
        return None, _xml_faults(body)
    try:
        decoded = loads(body)
    except (ValueError, RecursionError):
        # What begins as JSON is a truncated response; the text of a record in it must not pass for a fault.
        return None, [] if start[:1] in {b"{", b"["} else _text_faults(body)
    return decoded, _json_faults(decoded)


def error_for(
    status: int,
    faults: list[Fault],
    *,
    intuit_tid: str | None,
    retry_after_s: float | None,
    environment: str,
    realm_id: str,
) -> ConnectorError:
    """Choose the error for a failed response: by fault code where one is known, otherwise by HTTP status.

    Args:
        status: HTTP status.
        faults: The faults in the body; the first one decides.
        intuit_tid: Intuit's transaction id.
        retry_after_s: Seconds that the server asks to wait.
        environment: The environment of the request, named in errors.
        realm_id: The company of the request, named in errors.
    """
    fault = faults[0] if faults else None
    code = fault.code if fault else ""
    reason = "; ".join(f.sentence for f in faults if f.sentence) or f"HTTP {status}, no reason given"
    details = {
        "httpStatus": status,
        "faultCode": _redact_detail(code),
        "faultType": _redact_detail(fault.kind) if fault else None,
        "element": _redact_detail(fault.element) if fault else None,
        "intuitTid": intuit_tid,
        "realmId": realm_id or None,
        "environment": environment,
    }
    if code == "3001" or status == 429:
        return RateLimitedError(
            f"QuickBooks gets too many requests for this company ({reason}). Wait a minute and try again.",
            retry_after_s=retry_after_s,
            details=details,
            is_unprocessed=status == 429,
        )
    if (status >= 500 or status == 408 or code in _UNAVAILABLE) and code != _TOO_LARGE:
        return QuickBooksUnavailableError(
            f"QuickBooks cannot answer at the moment ({reason}). Try again in a few minutes.",
            retry_after_s=retry_after_s,
            details=details,
            # Recorded, 2016: a SystemFault that is about the request (change data capture of an unknown entity).
            retryable=False if _INVALID_ENTITY in reason else None,
            is_timeout=status in {408, 504} or code == "6002",
            is_unprocessed=status == 503,
        )
    if status in {401, 403} and "sufficient scope" in reason.lower():
        return AccessDeniedError(
            f"The connection does not include the scope {SCOPE}, which reading QuickBooks needs ({reason}). Connect "
            "the company again and request that scope; the environment and the company are not the cause.",
            details=details | {"suspected": "scope"},
        )
    if code in {"3200", "100"} or (status == 401 and code not in _DENIED):
        return AccessTokenRefusedError(
            f"QuickBooks refuses the access token ({_message_only(fault)}).", details=details
        )
    if code == "3100" or (status == 403 and code not in _DENIED):
        return _no_access(reason, environment, realm_id, details)
    if code in _DENIED:
        return AccessDeniedError(f"{_DENIED[code]} (QuickBooks says: {reason}).", details=details)
    if code == "610" or (status == 404 and not fault):
        return RecordNotFoundError(
            f"QuickBooks does not have this record, or it was made inactive ({reason}).", details=details
        )
    remedy = _REMEDIES.get(code, "")
    return RequestRejectedError(f"QuickBooks rejected the request: {reason}.{remedy}", details=details)


def redact_tokens(text: str) -> str:
    """Replace what looks like an Intuit token by `[redacted]`."""
    return _TOKEN.sub("[redacted]", text)


def _json_faults(decoded: Any) -> list[Fault]:
    if not isinstance(decoded, dict):
        return []
    fault = decoded.get("Fault") or decoded.get("fault")
    if not fault:
        return []
    if not isinstance(fault, dict):
        return [Fault("", "0", "", "", None)]
    kind = _text(fault.get("type"))
    errors = fault.get("Error") or fault.get("error")
    entries = [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
    return [
        Fault(
            kind=kind,
            code=_text(entry.get("code")).lstrip("0") or "0",
            message=_text(entry.get("Message") or entry.get("message")),
            detail=_text(entry.get("Detail") or entry.get("detail")),
            element=_text(entry.get("element")) or None,
        )
        for entry in entries
    ] or [Fault(kind, "0", "", "", None)]


def _xml_faults(body: bytes) -> list[Fault]:
    from xml.etree import ElementTree as ET  # noqa: PLC0415 -- rarely needed, and registering must stay cheap

    if len(body) > _MAX_FAULT_BYTES:
        return []
    try:
        root = ET.fromstring(body)  # noqa: S314 -- expat bounds entity expansion, and the body is small
    except (ET.ParseError, LookupError, ValueError):  # the last two: an unknown or unsupported encoding
        return _text_faults(body)
    faults = []
    for fault in root.iter():
        if _local_name(fault).lower() != "fault":
            continue
        kind = fault.get("type", "")
        for entry in fault:
            inner = {_local_name(child).lower(): child.text or "" for child in entry}
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
    """Recognize the two texts that are failures under any HTTP status."""
    text = body[:_MAX_FAULT_BYTES].decode("utf-8", "replace")
    if "Invalid Company Status" in text or "Subscription period has ended" in text:
        return [Fault("text", "6190", "Invalid company status", "the QuickBooks subscription has ended", None)]
    if "be back soon" in text.lower() or "Service Temporarily Unavailable" in text:
        return [Fault("text", "150", "QuickBooks is in maintenance", "", None)]
    return []


def _no_access(reason: str, environment: str, realm_id: str, details: dict[str, Any]) -> AccessDeniedError:
    company = f"company {realm_id or '(unnamed)'}"
    if environment not in API_URLS:
        return AccessDeniedError(
            f"The {environment} gives this app no access to {company} ({reason}). Check that the realm id is the "
            f"company that was connected at this {environment}.",
            details=details | {"suspected": "company"},
        )
    other = "sandbox" if environment == "production" else "production"
    return AccessDeniedError(
        f"QuickBooks gives this app no access to {company} in the {environment} environment ({reason}). The usual "
        "cause is a mix-up of environments: development keys reach sandbox companies only, production keys live "
        f"companies only. If this is a {other} company, set Environment to {other}; otherwise check that the realm id "
        "is the company that was connected, and connect it again if it was disconnected.",
        details=details | {"suspected": "environment"},
    )


def _message_only(fault: Fault | None) -> str:
    return redact_tokens(fault.message)[:_MAX_MESSAGE] if fault and fault.message else "no reason given"


def _redact_detail(text: str | None) -> str | None:
    return redact_tokens(text)[:_MAX_DETAIL] if text else None


def _local_name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(value: Any) -> str:
    return "" if value is None else str(value)
