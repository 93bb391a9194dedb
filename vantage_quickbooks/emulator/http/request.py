"""An HTTP request to the emulator."""

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
    """A request.

    Attributes:
        method: GET, POST ...
        path: Without the query string, not decoded.
        query: The query string, not decoded.
        headers: By lower-case name; of repeated headers the last.
        body: The bytes.
        trace: The ids that its response will have.
        now: Epoch seconds when it arrived: `time` in the response.
        delay_s: Latency to add.
        wait: Waits for seconds.
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
        """Wait for the latency; a second call does not wait."""
        delay, self.delay_s = self.delay_s, 0.0
        if delay:
            self.wait(delay)

    def parameters(self) -> dict[str, str]:
        """Return the first value of each parameter of the query string."""
        return {name: values[0] for name, values in parse_qs(self.query, keep_blank_values=True).items()}

    def wants_json(self) -> bool:
        """Return whether the client asked for JSON.

        Without Accept or with `*/*` QuickBooks responds with XML
        (https://github.com/mcohen01/node-quickbooks/issues/242).
        """
        return "json" in self.headers.get("accept", "").lower()


def statement_of(request: Request) -> str | None:
    """Return the statement of a query request: the body, or the URL's parameter if the body is empty, or None.

    Source: recorded, May 2026 (Nango list-payments, list-customers).
    """
    if request.method == "POST" and request.body.strip():
        return request.body.decode("utf-8", "replace")
    return request.parameters().get("query")
