"""Informs the host about calls: progress and audit events. An observer that fails cannot break a call."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core.tokens import iso

if TYPE_CHECKING:
    from logging import Logger

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.contract import HostContext

__all__ = ["Observers"]


class Observers:
    """Calls the host's observers, and counts the API calls of each action.

    Args:
        context: The host's context, with its observers.
        log: Where the first failure of each observer is logged.
    """

    def __init__(self, context: HostContext, log: Logger) -> None:
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

    def audit(self, action_id: str, call: CallContext, outcome: dict[str, Any]) -> None:
        """Report a finished call: who, what, when, how long, how many API calls, and its outcome."""
        self.count(action_id, call)
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
