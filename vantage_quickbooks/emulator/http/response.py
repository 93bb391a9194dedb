"""What goes back over the wire, and the headers that QuickBooks puts on it.

Header names are spelled as on the wire in 2026 (lower case, `intuit_tid` with an
underscore). Sources: recorded, May 2026 (Nango send-invoice.test.json) for 200; recorded,
2020 (minimul error/*.yml) for which of them an error lacks.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

QBO_VERSION = "2073.223"  # recorded, May 2026

Transfer = Literal["whole", "truncate", "drip", "reset"]


@dataclass(slots=True)
class Response:
    """An answer, ready to be written.

    Attributes:
        status: HTTP status.

        headers: Names and values in order, without length, date and connection.

        body: The bytes before compression.

        chunked: Send in chunks, without a length, and compressed if the client likes that.

        transfer: Whether the answer arrives whole, breaks off, comes in two halves, or is never begun.

        pause_s: Between the two halves.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    chunked: bool = False
    transfer: Transfer = "whole"
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """The ids that every answer carries.

    Attributes:
        tid: An AWS X-Ray id: epoch second and chance (recorded since 2020).

        started: `perf_counter` when the request began.
    """

    tid: str
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def begin(cls, now: float) -> Trace:
        """Begin to trace a request.

        Args:
            now: Epoch seconds.

        Returns:
            Fresh ids.
        """
        return cls(f"1-{int(now) & 0xFFFFFFFF:08x}-{secrets.token_hex(12)}")

    def headers(self) -> list[tuple[str, str]]:
        """List the headers that tell the ids.

        Returns:
            Names and values.
        """
        span = secrets.token_hex(16)
        spans = f"{span[:8]}-{span[8:12]}-{span[12:16]}-{span[16:20]}-{span[20:]}"
        return [
            ("intuit_tid", self.tid),
            ("x-spanid", spans),
            ("x-amzn-trace-id", f"Root={self.tid}"),
            ("x-request-id", self.tid),
        ]


def success(trace: Trace, content_type: str, body: bytes) -> Response:
    """Response as the service does when all is well.

    Args:
        trace: Of the request.

        content_type: Of the body.

        body: The bytes.

    Returns:
        A chunked 200.
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
    """Response as QuickBooks does when it refuses.

    Args:
        trace: Of the request.

        status: HTTP status.

        content_type: Of the body; JSON comes without a charset (recorded).

        body: The bytes.

        *more: Further headers.

        service: Spoken by the service and not by the gateway, whose 401 lacks some headers.

    Returns:
        An answer with a length.
    """
    traced = trace.headers() if service else [("intuit_tid", trace.tid), ("x-request-id", trace.tid)]
    secure = [("strict-transport-security", "max-age=31536000")] if service else []
    return Response(status, [("content-type", content_type), ("server", "istio-envoy"), *secure, *traced, *more], body)
