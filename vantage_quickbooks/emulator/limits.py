"""How much of QuickBooks one company may have at once.

Sources: Intuit, "Limits and throttles" (500 a minute) and the blog of 13 August 2025 (10 a
second); Intuit's older help articles (10 at once). Clients obey all three, so all three
are kept here.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

DEFAULTS: Mapping[str, int] = {"per_minute": 500, "per_second": 10, "concurrent": 10}
_WINDOWS_S: Mapping[str, float] = {"per_minute": 60.0, "per_second": 0.95}  # a little short: the way here jitters


@dataclass(slots=True)
class _Use:
    running: int = 0
    starts: deque[float] = field(default_factory=deque)


class Limits:
    """The limits in force. Thread-safe.

    Args:
        chosen: True for Intuit's, False for none, or some of `DEFAULTS` with other numbers.

        now: Tells the time, in epoch seconds.
    """

    def __init__(self, chosen: bool | Mapping[str, int], now: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._uses: dict[str, _Use] = {}
        self._at_start = chosen
        self.reset()

    def reset(self) -> None:
        """Go back to the limits of the start, and forget what was used."""
        self.choose(self._at_start)

    def choose(self, chosen: bool | Mapping[str, int]) -> None:
        """
        Put other limits in force.

        Args:
            chosen: True for Intuit's, False for none, or some of `DEFAULTS` with other numbers.

        Raises:
            ValueError: A limit is unknown or no positive number.
        """
        numbers = {} if chosen is False else dict(DEFAULTS)
        if not isinstance(chosen, bool):
            for name, number in chosen.items():
                if name not in DEFAULTS:
                    raise ValueError(f"unknown limit {name!r}; known: {', '.join(DEFAULTS)}")
                if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                    raise ValueError(f"limit {name!r} is a positive number")
                numbers[name] = number
        with self._lock:
            self.numbers = numbers
            for use in self._uses.values():
                use.starts.clear()

    def enter(self, realm: str) -> bool:
        """
        Let a request begin, if there is room.

        Args:
            realm: The company.

        Returns:
            Whether it may go on; then `leave` must follow.
        """
        now = self._now()
        with self._lock:
            use = self._uses.setdefault(realm, _Use())
            while use.starts and use.starts[0] <= now - 60:
                use.starts.popleft()
            for name, window in _WINDOWS_S.items():
                limit = self.numbers.get(name)
                # The limit-th last start lies inside the window: one more would be too many.
                if limit and len(use.starts) >= limit and use.starts[-limit] > now - window:
                    return False
            if use.running >= self.numbers.get("concurrent", use.running + 1):
                return False
            use.running += 1
            use.starts.append(now)
            return True

    def leave(self, realm: str) -> None:
        """
        Make room again.

        Args:
            realm: The company.
        """
        with self._lock:
            self._uses[realm].running -= 1
