"""A request as it came."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.emulator.http.response import Trace


@dataclass(slots=True)
class Request:
    """A request as it came.

    Attributes:
        method: GET, POST ...

        path: Without the query string, not decoded.

        query: The query string, not decoded.

        headers: By lower-case name; of repeated ones the last.

        body: The bytes.

        trace: Its ids.

        now: Epoch seconds when it began: `time` in the body is this.

        delay_s: How long it is to take, besides the work.

        wait: Waits so many seconds.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    trace: Trace
    now: float
    delay_s: float = 0.0
    wait: Callable[[float], object] = time.sleep

    def pause(self) -> None:
        """Wait as long as the request is to take; a second call waits no more."""
        delay, self.delay_s = self.delay_s, 0.0
        if delay:
            self.wait(delay)

    def parameters(self) -> dict[str, str]:
        """Read the query string.

        Returns:
            The first value of each parameter.
        """
        return {name: values[0] for name, values in parse_qs(self.query, keep_blank_values=True).items()}

    def wants_json(self) -> bool:
        """Tell whether the client asked for JSON.

        Returns:
            False without Accept or with `*/*`: QuickBooks then speaks XML (node-quickbooks issue 242).
        """
        return "json" in self.headers.get("accept", "").lower()


def statement_of(request: Request) -> str | None:
    """Find the statement of a query request.

    Args:
        request: To `.../query`.

    Returns:
        From the body, or from the URL if the body is empty; None if there is neither.

    Source: recorded, May 2026 (Nango list-payments, list-customers).
    """
    if request.method == "POST" and request.body.strip():
        return request.body.decode("utf-8", "replace")
    return request.parameters().get("query")
