"""The emulator's clock: the machine's, moved by an offset, or stopped."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_LATEST = 32_503_680_000  # the year 3000: far below the year 9999, where `datetime` ends


class Clock:
    """A clock that can be moved.

    Attributes:
        offset_s: Seconds by which it differs from the machine's clock.

    Args:
        start: The ISO 8601 time at the start and after a reset; None is the machine's.

    Raises:
        ValueError: The start is not a time, or not in the years 1970 to 3000.
    """

    def __init__(self, start: str | None = None) -> None:
        self.offset_s = 0.0
        self._stopped_at: float | None = None  # the machine's time then
        if start is not None:
            self.set(start)
        self._offset_at_start_s = self.offset_s

    def now(self) -> float:
        """Return the time as epoch seconds."""
        return self._machine() + self.offset_s

    def freeze(self) -> None:
        """Stop the clock: until a reset, it moves by `advance` and `set` alone."""
        self._stopped_at = self._machine()

    def advance(self, seconds: float) -> None:
        """Move the clock.

        Args:
            seconds: Forward; a negative number moves it back.

        Raises:
            ValueError: The time would not be in the years 1970 to 3000.
        """
        self._move(self.offset_s + seconds)

    def set(self, iso: str) -> None:
        """Set the clock.

        Args:
            iso: An ISO 8601 time; UTC if it has no offset.

        Raises:
            ValueError: It is not a time, or not in the years 1970 to 3000.
        """
        moment = datetime.fromisoformat(iso)
        self._move((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - self._machine())

    def reset(self) -> None:
        """Return to the time of the start, plus what has passed since; a stopped clock runs again."""
        self._stopped_at = None
        self.offset_s = self._offset_at_start_s

    def _move(self, offset_s: float) -> None:
        if not 0 <= self._machine() + offset_s <= _LATEST:
            raise ValueError("the clock runs from 1970 to 3000")
        self.offset_s = offset_s

    def _machine(self) -> float:
        return time.time() if self._stopped_at is None else self._stopped_at
