"""Counts of the webhook app and its workers. Standard library only."""

from __future__ import annotations

import threading

__all__ = ["COUNTERS", "Stats"]

COUNTERS = {
    "requests": "requests that were posted",
    "accepted": "notifications that were stored and answered with 200",
    "duplicates": "notifications that had been accepted before; answered with 200, and not stored again",
    "unreadable": "signed notifications whose body cannot be read; answered with 200, and kept as dead letters",
    "damaged": "accepted notifications of which a part cannot be read; the part is kept as a dead letter",
    "notices": "changes of records in accepted notifications",
    "refused_method": "405: not a POST",
    "refused_content_type": "415: not JSON",
    "refused_oversized": "413: the body is too large",
    "refused_unsigned": "401: the header intuit-signature is missing, or was sent twice",
    "refused_forged": "401: the signature is not that of the body",
    "refused_slow": "408: the body did not arrive in time",
    "aborted": "the sender disconnected before the body was complete",
    "unavailable": "503: the inbox could not be written in time, so that Intuit sends the notification again",
    "handled": "notices that were handed on",
    "reconciled": "companies that were handed on although no notice waited, because their time had come",
    "failures": "attempts to hand on the notices of a company that failed, and are repeated later",
    "dead": "notices that were given up, and kept as dead letters",
    "unknown_companies": "notices of companies that the registry does not have, kept as dead letters",
}
"""Each counter and its meaning."""


class Stats:
    """Counts what happened since the process started; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(COUNTERS, 0)

    def add(self, name: str, count: int = 1) -> None:
        """Add to a counter.

        Args:
            name: The counter, one of `COUNTERS`.
            count: What to add.
        """
        with self._lock:
            self._counts[name] += count

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def to_dict(self) -> dict[str, int]:
        """Return all counts by name."""
        with self._lock:
            return dict(self._counts)
