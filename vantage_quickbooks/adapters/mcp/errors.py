"""Errors as an agent needs them: what happened, what to do, and whether to repeat the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vantage_quickbooks.errors import ConnectorError

__all__ = ["error_of"]


_HINTS = {
    "CONNECTION_NOT_FOUND": "companies lists the ids.",
    "REAUTHORIZATION_REQUIRED": "Ask the user to connect the company again: vantage-quickbooks connect --id ID",
    "RESOURCE_NOT_FOUND": "Check the Id with list or find.",
    "RESULT_INCOMPLETE": "Narrow the filters, or raise max_api_calls if the user agrees to the cost.",
}
"""What an agent can do, where neither a field nor waiting says it."""


def error_of(failure: ConnectorError) -> dict[str, Any]:
    """Return the code, a message, a hint, whether to `retry` the same call, and the arguments that are wrong."""
    error = failure.to_dict()
    fields = error["fields"]
    message = " ".join(entry["message"] for entry in fields) or error["message"]
    found = {"code": error["code"], "message": message, "hint": _hint(error), "retry": error["retryable"]}
    if fields:
        found["fields"] = [_ARGUMENTS.get(entry["field"], entry["field"]) for entry in fields]
    if error["retryAfter"] is not None:
        found["retryAfterSeconds"] = error["retryAfter"]
    if "requestId" in error["details"] and not fields:
        found["requestId"] = error["details"]["requestId"]
    return found


_ARGUMENTS = {"connection": "company"}
"""What the tools call a field."""


def _hint(error: dict[str, Any]) -> str:
    if error["fields"]:
        return " ".join(dict.fromkeys(entry["hint"] for entry in error["fields"]))
    if error["code"] in _HINTS:
        return _HINTS[error["code"]]
    if error["retryable"]:
        wait = error["retryAfter"]
        return f"Repeat the same call {'later' if wait is None else f'in {wait:g} seconds'}."
    return "The same call will fail again. Tell the user, unless the message names a remedy."
