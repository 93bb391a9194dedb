"""Informs the host about calls: progress and audit events. An observer that fails cannot break a call."""

from __future__ import annotations

import functools
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.logs import fields
from vantage_quickbooks.logs import scope as log_scope
from vantage_quickbooks.telemetry import CallSpan, is_active

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.contract import HostContext
    from vantage_quickbooks.logs import FieldLogger

__all__ = ["Observers"]


class Observers:
    """Calls the host's observers, and counts the API calls of each action.

    Args:
        context: The host's context, with its observers.
        log: Where the first failure of each observer is logged.
    """

    def __init__(self, context: HostContext, log: FieldLogger) -> None:
        self._context = context
        self._log = log
        self._failed: set[str] = set()
        self._api_calls: dict[str, int] = {}
        self._lock = threading.Lock()

    def api_calls(self) -> dict[str, int]:
        """Return the API requests that were sent so far, by action, failed ones included."""
        with self._lock:
            return dict(self._api_calls)

    def count(self, action_id: str, call: CallContext) -> None:
        """Add the API calls of a call to its action's."""
        if call.api_calls:
            with self._lock:
                self._api_calls[action_id] = self._api_calls.get(action_id, 0) + call.api_calls

    def progress(self, action_id: str, done: int, total: int | None) -> None:
        """Report how many records were read, and of how many; None if that is not known yet."""
        self._notify("progress", self._context.connection_id or "", action_id, done, total)

    @contextmanager
    def observed(self, name: str, call: CallContext, *, is_action: bool = True) -> Iterator[dict[str, Any]]:
        """Report what runs in a `with` block as one call: its span, its log records and, of an action, its audit event.

        Args:
            name: The action, or another method of the connection.
            call: The call.
            is_action: Whether it is an action: its API calls are counted and the host gets an audit event.

        Yields:
            Facts that the block adds to the outcome, `records`; a cancelled call has none.
        """
        self._begin(name, call)
        facts: dict[str, Any] = {}
        outcome: dict[str, Any] = {"outcome": "cancelled"}
        try:
            yield facts
            outcome = {"outcome": "success", **facts}
        except ConnectorError as error:
            outcome = {"outcome": "error", "errorCode": error.code, **facts}
            raise
        finally:
            self._end(name, call, outcome)
            if is_action:
                self.count(name, call)
                self._audit(name, call, outcome)

    @contextmanager
    def entered(self, call: CallContext) -> Iterator[None]:
        """Run code of a call in a `with` block: its log records have the call's fields, its spans are children."""
        with log_scope(functools.partial(self._log_fields, call)):
            if call.span is None:
                yield
                return
            with call.span.active():
                yield

    def _begin(self, name: str, call: CallContext) -> None:
        call.action = name
        if is_active():
            known = {"vantage.request_id": call.request_id, "vantage.connection_id": self._context.connection_id}
            call.span = CallSpan(name, known)

    def _log_fields(self, call: CallContext) -> dict[str, Any]:
        return {
            "request_id": call.request_id,
            "connection_id": self._context.connection_id,
            "action": call.action,
            "intuit_tid": call.intuit_tids[-1] if call.intuit_tids else None,
            "api_calls": call.api_calls,
        }

    def _end(self, name: str, call: CallContext, outcome: dict[str, Any]) -> None:
        """End the span of a call, and log how the call ended."""
        duration_s = call.elapsed_s()
        if self._log.isEnabledFor(logging.INFO):
            result, code = outcome["outcome"], outcome.get("errorCode")
            facts = fields(outcome=result, error_code=code, duration_s=round(duration_s, 4))
            with log_scope(functools.partial(self._log_fields, call)):
                self._log.info("%s: %s, %d API calls", name, code or result, call.api_calls, extra=facts)
        if call.span is not None:
            call.span.end(outcome, duration_s=duration_s, api_calls=call.api_calls, metered_calls=call.metered_calls)
            call.span = None

    def _audit(self, action_id: str, call: CallContext, outcome: dict[str, Any]) -> None:
        """Report a finished call: who, what, when, how long, how many API calls, and its outcome."""
        context = self._context
        if context.audit is None:
            return
        event = {
            "category": "integrations",
            "operation": f"quickbooks.{action_id}",
            "connectionId": context.connection_id,
            "companyId": context.company_id,
            "userId": context.user_id,
            "workflowId": context.workflow_id,
            "executionId": context.execution_id,
            "requestId": call.request_id,
            "timestamp": iso(call.now()),
            "durationMs": round(call.elapsed_s() * 1000),
            "apiCalls": call.api_calls,
            "meteredCalls": call.metered_calls,
            "tokenRefreshed": call.refreshed,
            **outcome,
        }
        self._notify("audit", event)

    def _notify(self, observer: str, *facts: Any) -> None:
        notify = getattr(self._context, observer)
        if notify is None:
            return
        try:
            notify(*facts)
        except Exception as error:  # noqa: BLE001 -- an observer may fail in any way
            if observer not in self._failed:
                self._failed.add(observer)
                self._log.warning(
                    "the host's %s observer failed (%s); further failures are not logged",
                    observer,
                    type(error).__name__,
                )
