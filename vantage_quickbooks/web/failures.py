"""Exceptions to the `error` of an envelope."""

from __future__ import annotations

import traceback
from typing import Any

from vantage_quickbooks.contract import envelope
from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.web.rows import ResultsError

__all__ = ["error_of"]

_log = get_logger(__name__)


def error_of(error: Exception) -> dict[str, Any]:
    """Return the `error` of an envelope for an exception.

    Only the type of an unexpected exception is shown and logged: its message may contain a secret.
    """
    if isinstance(error, ConnectorError):
        return error.to_dict()
    if isinstance(error, ResultsError):
        return _internal_error(str(error))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("a connector failed: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return _internal_error(
        f"The connector failed because of a bug ({type(error).__name__}). The server's log contains the location."
    )


def _internal_error(message: str) -> dict[str, Any]:
    members: dict[str, Any] = envelope(error={"code": "INTERNAL_ERROR", "message": message})["error"]
    return members
