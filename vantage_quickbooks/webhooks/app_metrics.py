"""The metrics of the webhook app: its counters, its worker and its inbox. They name no company."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.errors import InboxError
from vantage_quickbooks.metrics import Family, Sample
from vantage_quickbooks.webhooks.stats import COUNTERS

if TYPE_CHECKING:
    from vantage_quickbooks.webhooks.inbox import Inbox
    from vantage_quickbooks.webhooks.stats import Stats
    from vantage_quickbooks.webhooks.worker import Worker

__all__ = ["counters", "gauges"]

PREFIX = "vantage_webhooks_"

_STATE = {
    "waiting": "Notices that wait in the inbox.",
    "companies": "Companies that have notices waiting.",
    "dead": "Notices that were given up, and are kept as dead letters.",
}


def counters(stats: Stats) -> list[Family]:
    """Return a counter for each row of `COUNTERS`."""
    counts = stats.to_dict()
    return [
        Family(f"{PREFIX}{name}_total", "counter", f"{text[:1].upper()}{text[1:]}.", [Sample(counts[name])])
        for name, text in COUNTERS.items()
    ]


def gauges(inbox: Inbox, worker: Worker | None) -> list[Family]:
    """Return the state of the worker and of the inbox.

    Args:
        inbox: The inbox; it is read.
        worker: The worker of this process; None if it has none.
    """
    text = "Whether a worker hands notices on in this process."
    found = [_gauge("worker_running", text, worker is not None and worker.is_running)]
    try:
        state = inbox.state()
    except InboxError:
        return [*found, _gauge("inbox_up", "Whether the inbox can be read.", value=False)]
    return [
        *found,
        _gauge("inbox_up", "Whether the inbox can be read.", value=True),
        *(_gauge(f"inbox_{name}", text, state[name]) for name, text in _STATE.items()),
        _gauge("inbox_failing", "Companies whose last attempt failed.", len(state["failing"])),
        _gauge("inbox_oldest_seconds", "Age of the oldest notice that waits; 0 if none does.", state["oldest"] or 0),
    ]


def _gauge(name: str, text: str, value: float) -> Family:
    return Family(PREFIX + name, "gauge", text, [Sample(value)])
