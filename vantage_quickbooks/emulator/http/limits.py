"""Intuit's limits on the requests to one company.

Sources: https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles (500 a minute, 40 batches a
minute); https://blogs.intuit.com/2025/08/13/upcoming-changes-to-the-accounting-api (10 a second); Intuit's older help
articles (10 at once). A client that sends one request after the other reaches 10 a second on a local server, where it
cannot against Intuit's. So this limit is enforced only on request (`strict`). A batch counts as one request and as one
batch.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    LimitsChoice = bool | Literal["strict"] | Mapping[str, int]

STRICT: Mapping[str, int] = {
    "per_minute": 500,
    "per_second": 10,
    "concurrent": 10,
    "batches_per_minute": 40,
}
"""All of Intuit's limits."""
DEFAULTS: Mapping[str, int] = {name: number for name, number in STRICT.items() if name != "per_second"}
"""The limits that a client of one request at a time does not notice."""
# The window of a second is shorter, because the time between client and emulator varies.
_WINDOWS_S: Mapping[str, float] = {"per_minute": 60.0, "per_second": 0.95, "batches_per_minute": 60.0}
_WORDS = {
    "per_minute": "a minute",
    "per_second": "a second",
    "concurrent": "at once",
    "batches_per_minute": "batches a minute",
}


def describe(numbers: Mapping[str, int]) -> str:
    """Return limits as text: `500 a minute, 10 at once, 40 batches a minute; any number a second`.

    Args:
        numbers: The limits in force.
    """
    if not numbers:
        return "no limits"
    kept = ", ".join(f"{numbers[name]:,} {word}" for name, word in _WORDS.items() if name in numbers)
    absent = ", ".join(word for name, word in _WORDS.items() if name not in numbers)
    return f"{kept}; any number {absent}" if absent else kept


@dataclass(slots=True)
class _Usage:
    running: int = 0
    starts: deque[float] = field(default_factory=deque)
    batches: deque[float] = field(default_factory=deque)


class Limits:
    """The limits in force. Thread-safe.

    Args:
        chosen: True for `DEFAULTS`, `strict` for `STRICT`, False for none, or a mapping that overrides some of
            `DEFAULTS`.
        now: Returns the time as epoch seconds.
    """

    def __init__(self, chosen: LimitsChoice, now: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._usages: dict[str, _Usage] = {}
        self._at_start = chosen
        self.reset()

    def reset(self) -> None:
        """Restore the limits of the start, and forget all requests."""
        self.choose(self._at_start)

    def choose(self, chosen: LimitsChoice) -> None:
        """Set the limits, and forget all requests.

        Args:
            chosen: As for the class.

        Raises:
            ValueError: A limit is unknown or not a positive number.
        """
        numbers = {} if chosen is False else dict(STRICT if chosen == "strict" else DEFAULTS)
        if isinstance(chosen, str) and chosen != "strict":
            raise ValueError(f"limits are true, false, 'strict' or an object, not {chosen!r}")
        if not isinstance(chosen, bool | str):
            for name, number in chosen.items():
                if name not in STRICT:
                    raise ValueError(f"unknown limit {name!r}; known: {', '.join(STRICT)}")
                if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                    raise ValueError(f"limit {name!r} is a positive number")
                numbers[name] = number
        with self._lock:
            self.numbers = numbers
            for usage in self._usages.values():
                usage.starts.clear()
                usage.batches.clear()

    def acquire(self, realm: str, *, batch: bool = False) -> bool:
        """Count the start of a request, if the limits allow it.

        Args:
            realm: The company.
            batch: Whether it is a batch.

        Returns:
            Whether the request can run; if so, `release` must follow.
        """
        now = self._now()
        with self._lock:
            usage = self._usages.setdefault(realm, _Usage())
            is_full = any(self._is_full(name, usage.starts, now) for name in ("per_minute", "per_second"))
            if is_full or (batch and self._is_full("batches_per_minute", usage.batches, now)):
                return False
            if usage.running >= self.numbers.get("concurrent", usage.running + 1):
                return False
            usage.running += 1
            usage.starts.append(now)
            if batch:
                usage.batches.append(now)
            return True

    def _is_full(self, name: str, starts: deque[float], now: float) -> bool:
        """Return whether the window already has as many starts as the limit allows."""
        while starts and starts[0] <= now - 60:
            starts.popleft()
        limit = self.numbers.get(name)
        return bool(limit and len(starts) >= limit and starts[-limit] > now - _WINDOWS_S[name])

    def release(self, realm: str) -> None:
        """Count the end of a request to a company."""
        with self._lock:
            self._usages[realm].running -= 1
