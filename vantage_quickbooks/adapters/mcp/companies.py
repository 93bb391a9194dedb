"""The companies that the server serves: connections of a registry, opened when they are needed."""

from __future__ import annotations

import contextlib
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.connector.registered import connect_registered
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vantage_quickbooks.config.deployment import Deployment
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.registry.base import ConnectionEntry, ConnectionRegistry

__all__ = ["Companies", "RunningCall"]

_MAX_LISTED = 8
"""Companies that an error lists."""


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A tool call in progress.

    Attributes:
        is_cancelled: Returns whether the client cancelled it.
        report: Takes the number of records read so far, and their total; None while it is unknown.
    """

    is_cancelled: Callable[[], bool]
    report: Callable[[int, int | None], None]

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Run a block whose calls of connections can be cancelled, and report their progress."""
        token = _RUNNING.set(self)
        try:
            yield
        finally:
            _RUNNING.reset(token)


_RUNNING: ContextVar[RunningCall | None] = ContextVar("running", default=None)


class Companies:
    """Connections by id. Thread-safe; each connection serves many tool calls at once.

    Args:
        registry: Where the settings are.
        deployment: The operator's options; by default those of the environment variables.
    """

    def __init__(self, registry: ConnectionRegistry, deployment: Deployment | None = None) -> None:
        self._registry = registry
        self._deployment = deployment
        self._lock = threading.Lock()
        self._open: dict[str, tuple[dict[str, Any], Connection]] = {}

    def entries(self) -> list[ConnectionEntry]:
        """Return the companies, without secrets.

        Raises:
            ConnectorError: The registry cannot be read.
        """
        return self._registry.list()

    def connection(self, company: str | None) -> Connection:
        """Return the connection of a company; of the only one, if none is named.

        The settings are read each time, so that a company that was connected again, or removed, is noticed.

        Raises:
            ConnectorError: The company is unknown, or its settings cannot be used.
        """
        name = self._only() if company is None else company
        settings = self._registry.load(name)
        with self._lock:
            known = self._open.get(name)
            if known is None or known[0] != settings:
                context = HostContext(connection_id=name, progress=_report)
                made = connect_registered(
                    self._registry, name, context, deployment=self._deployment, new_call=_start_call
                )
                self._open[name] = known = (settings, made)
            return known[1]

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            connections = [connection for _, connection in self._open.values()]
            self._open.clear()
        for connection in connections:
            connection.close()

    def _only(self) -> str:
        entries = self.entries()
        if len(entries) == 1:
            return entries[0].id
        if entries:
            more = ", …" if len(entries) > _MAX_LISTED else ""
            message = f"There are {len(entries)} companies."
            hint = f"Name one by its id: {', '.join(entry.id for entry in entries[:_MAX_LISTED])}{more}."
        else:
            message = "No company is connected."
            hint = "Ask the user to run: vantage-quickbooks connect --settings FILE --id ID"
        raise InputError(f"{message} {hint}", [FieldError("company", "required", message, hint)])


def _start_call(**known: Any) -> CallContext:
    """Start a call of a connection that ends when the tool call is cancelled; in all threads that work for it."""
    running = _RUNNING.get()
    return CallContext(**known if running is None else {**known, "cancelled": running.is_cancelled})


def _report(_connection_id: str, _action: str, done: int, total: int | None) -> None:
    running = _RUNNING.get()
    if running is not None:
        running.report(done, total)
