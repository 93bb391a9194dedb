"""HTTP responses and the headers that QuickBooks adds to them.

Header names are spelled as on the wire in 2026 (lower case, `intuit_tid` with an underscore). Sources: recorded, May
2026 (Nango send-invoice.test.json) for 200; recorded, 2020 (minimul error/*.yml) for the headers that an error lacks.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

QBO_VERSION = "2073.223"  # recorded, May 2026

Transfer = Literal["complete", "truncate", "drip", "reset"]


@dataclass(slots=True)
class Response:
    """A response.

    Attributes:
        status: HTTP status.
        headers: Names and values in order, without length, date and connection.
        body: The bytes before compression.
        chunked: Send in chunks, without a length, and compressed if the client accepts that.
        transfer: Send completely, cut off, in two halves, or reset the connection instead.
        pause_s: Seconds between the two halves.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    chunked: bool = False
    transfer: Transfer = "complete"
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """The ids of one response.

    Attributes:
        tid: An AWS X-Ray id: epoch second and random digits (recorded since 2020).
        started: `perf_counter` when the request began.
    """

    tid: str
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def begin(cls, now: float) -> Trace:
        """Create random ids.

        Args:
            now: Epoch seconds.
        """
        return cls(f"1-{int(now) & 0xFFFFFFFF:08x}-{secrets.token_hex(12)}")

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that carry the ids."""
        span = secrets.token_hex(16)
        spans = f"{span[:8]}-{span[8:12]}-{span[12:16]}-{span[16:20]}-{span[20:]}"
        return [
            ("intuit_tid", self.tid),
            ("x-spanid", spans),
            ("x-amzn-trace-id", f"Root={self.tid}"),
            ("x-request-id", self.tid),
        ]


def success(trace: Trace, content_type: str, body: bytes) -> Response:
    """Create a chunked 200 as the service sends it.

    Args:
        trace: The request's ids.
        content_type: The body's type.
        body: The bytes.
    """
    elapsed = int((time.perf_counter() - trace.started) * 1000) + 20
    return Response(
        200,
        [
            ("content-type", content_type),
            ("server", "istio-envoy"),
            ("strict-transport-security", "max-age=31536000"),
            *trace.headers(),
            ("qbo-version", QBO_VERSION),
            ("service-time", f"total={elapsed}, db={elapsed * 3 // 5}"),
            ("expires", "0"),
            ("cache-control", "max-age=0, no-cache, no-store, must-revalidate, private"),
            ("x-content-type-options", "nosniff"),
            ("x-xss-protection", "1; mode=block"),
            ("x-envoy-upstream-service-time", str(elapsed + 21)),
            ("x-intuit-upstream-locality-region", "us-west-2"),
        ],
        body,
        chunked=True,
    )


def refusal(
    trace: Trace, status: int, content_type: str, body: bytes, *more: tuple[str, str], service: bool = True
) -> Response:
    """Create a refusal as QuickBooks sends it.

    Args:
        trace: The request's ids.
        status: HTTP status.
        content_type: The body's type; JSON has no charset (recorded).
        body: The bytes.
        *more: Further headers.
        service: Sent by the service and not by the gateway, whose 401 lacks some headers.

    Returns:
        A response with a length.
    """
    traced = trace.headers() if service else [("intuit_tid", trace.tid), ("x-request-id", trace.tid)]
    secure = [("strict-transport-security", "max-age=31536000")] if service else []
    return Response(status, [("content-type", content_type), ("server", "istio-envoy"), *secure, *traced, *more], body)
