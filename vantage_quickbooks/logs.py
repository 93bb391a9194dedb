"""Log records with fields. Standard library only.

Theory of operation
1. Every log record of this package has the attributes of `FIELDS`, each with the prefix `vantage_`: no attribute of a
   `LogRecord` and no field of another library has such a name. What is not known is None, so that a format string may
   name any of them.
2. A call sets the fields that belong to it for the time in which its code runs in a thread (`scope`), so each record of
   any module below has them. They are read when a record is made, and cost nothing otherwise.
3. No field, and no message, contains a secret, a query or a record.
"""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

__all__ = ["FIELDS", "PREFIX", "FieldLogger", "JsonFormatter", "fields", "get_logger", "scope"]

PREFIX = "vantage_"

FIELDS = {
    "request_id": "The call; the same as in errors, envelopes and audit events",
    "connection_id": "The connection, as the host or the registry names it",
    "action": "The action, such as `listInvoices`",
    "intuit_tid": "Intuit's id of the latest response of the call; Intuit's support asks for it",
    "api_calls": "Requests that the call has sent so far",
    "http_status": "Of a response: its HTTP status",
    "error_code": "Of a failure: its code ([errors.md](errors.md))",
    "outcome": "Of a finished call: `success`, `error` or `cancelled`",
    "duration_s": "Of a request or a finished call: how long it took, in seconds",
    "attempt": "Of a retry: the number of the attempt that failed, from 1",
    "delay_s": "Of a retry: the wait before the next attempt, in seconds",
}
"""The fields and their meaning, without the prefix."""

_NAMES = {name: PREFIX + name for name in FIELDS}
_EMPTY: dict[str, Any] = dict.fromkeys(_NAMES.values())

_current: ContextVar[Callable[[], Mapping[str, Any]] | None] = ContextVar("vantage_log_fields", default=None)


def fields(**values: Any) -> dict[str, Any]:
    """Return fields of one record, for `extra`.

    Raises:
        KeyError: `FIELDS` does not have one.
    """
    return {_NAMES[name]: value for name, value in values.items()}


@contextmanager
def scope(known: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Add fields to all records of this thread, for a `with` block.

    Args:
        known: Called when a record is made; returns fields by their names in `FIELDS`.
    """
    token = _current.set(known)
    try:
        yield
    finally:
        _current.reset(token)


class FieldLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records have the fields."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the fields to a record; see `logging.LoggerAdapter`."""
        known = _current.get()
        kwargs["extra"] = {**_EMPTY, **(fields(**known()) if known else {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def get_logger(name: str | logging.Logger) -> FieldLogger:
    """Return a logger of this package, or one of the host's, whose records have the fields."""
    return FieldLogger(logging.getLogger(name) if isinstance(name, str) else name)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, and the fields that are known."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; see `logging.Formatter`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, attribute in _NAMES.items():
            value = getattr(record, attribute, None)
            if value is not None:
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
