"""The request log: counts, and the last thousand requests without their secrets."""

from __future__ import annotations

import threading
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.http.data_api import PREFIX
from vantage_quickbooks.emulator.http.oauth_endpoints import TOKEN_PATH
from vantage_quickbooks.emulator.http.request import statement_of

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.http.request import Request
    from vantage_quickbooks.emulator.http.response import Response

_MAX_REQUESTS = 1000
_SAFE_HEADERS = ("accept", "accept-encoding", "content-type", "user-agent")  # none of them holds a secret


class RequestLog:
    """Counts and remembers requests to the emulated QuickBooks. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Set the counts to zero, and forget the requests."""
        with self._lock:
            self._requests: deque[dict[str, Any]] = deque(maxlen=_MAX_REQUESTS)
            self._api: Counter[int] = Counter()
            self._tokens: Counter[int] = Counter()

    def record(self, request: Request, result: Response) -> None:
        """Add a request and the response to it."""
        status = 0 if result.transfer == "reset" else result.status
        is_api = request.path.startswith(PREFIX)
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(request.now, UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "path": request.path,
            "status": status,
            "intuit_tid": request.trace.tid,
            "headers": {name: request.headers[name] for name in _SAFE_HEADERS if name in request.headers},
        }
        if is_api and request.path.endswith("/query"):
            entry["statement"] = statement_of(request)
        with self._lock:
            self._requests.append(entry)
            if is_api:
                self._api[status] += 1
            elif request.path.rstrip("/") == TOKEN_PATH:
                self._tokens[status] += 1

    def requests(self) -> list[dict[str, Any]]:
        """Return the last thousand requests, oldest first."""
        with self._lock:
            return list(self._requests)

    def counts(self) -> dict[str, Any]:
        """Return token_requests with total, ok and failed, and api_requests with total and by_status."""
        with self._lock:
            total, ok = self._tokens.total(), self._tokens[200]
            return {
                "token_requests": {"total": total, "ok": ok, "failed": total - ok},
                "api_requests": {
                    "total": self._api.total(),
                    "by_status": {str(status): number for status, number in sorted(self._api.items())},
                },
            }
