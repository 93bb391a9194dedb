"""Request ids: a write that is repeated with its request id returns the first response again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator import errors

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_LENGTH = 50  # Intuit, "Request ID"; in a batch, of the batch's request id and the bId together
_MAX_RESPONSES = 5_000  # Intuit does not document how long it keeps them; this many take little memory


class IdempotencyCache:
    """The responses of one company's writes, by request id. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._responses: OrderedDict[str, bytes] = OrderedDict()

    def run(self, request_id: str, write: Callable[[], bytes]) -> bytes:
        """Write, unless this request id has written before.

        Args:
            request_id: Unique in the company; an empty one disables the cache.
            write: Does the work. A refusal is not remembered, so that the request can be repeated.

        Returns:
            The response; a repeated one with the first one's time (recorded, August 2026: eight minutes later).

        Raises:
            Fault: 6000 for more than 50 characters (github.com/intuit/QuickBooks-V3-Java-SDK/issues/180), or any fault
                that `write` raises.
        """
        if not request_id:
            return write()
        if len(request_id) > _MAX_LENGTH:
            raise errors.business_error(
                f"You cannot enter more than {_MAX_LENGTH} characters in the request_id field."
                f" You tried entering {request_id[:10]}..., which is {len(request_id)} characters."
            )
        with self._lock:  # of two requests with one id, the second waits for the first one's response
            known = self._responses.get(request_id)
            if known is None:
                known = self._responses[request_id] = write()
                while len(self._responses) > _MAX_RESPONSES:
                    self._responses.popitem(last=False)
            return known

    def clear(self) -> None:
        """Forget every request id."""
        with self._lock:
            self._responses.clear()
