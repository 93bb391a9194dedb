"""What was asked of the emulator: counts, and the last thousand requests without their secrets."""

from __future__ import annotations

import threading
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.http.data_api import PREFIX
from vantage_quickbooks.emulator.http.oauth_endpoints import TOKEN_PATH
from vantage_quickbooks.emulator.http.request import Request, statement_of

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.http.response import Answer

_REMEMBERED = 1000
_TELLING_HEADERS = ("accept", "accept-encoding", "content-type", "user-agent")  # none of them holds a secret


class Journal:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Count from nought again, and forget the requests."""
        with self._lock:
            self._requests: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
            self._api: Counter[int] = Counter()
            self._tokens: Counter[int] = Counter()

    def write(self, request: Request, result: Answer) -> None:
        """Write down a request and how it was answered.

        Args:
            request: That came.

            result: That went back.
        """
        status = 0 if result.transfer == "reset" else result.status
        is_api = request.path.startswith(PREFIX)
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(request.now, UTC).isoformat(timespec="milliseconds"),
            "method": request.method,
            "path": request.path,
            "status": status,
            "intuit_tid": request.trace.tid,
            "headers": {name: request.headers[name] for name in _TELLING_HEADERS if name in request.headers},
        }
        if is_api and request.path.endswith("/query"):
            told["statement"] = statement_of(request)
        with self._lock:
            self._requests.append(told)
            if is_api:
                self._api[status] += 1
            elif request.path.rstrip("/") == TOKEN_PATH:
                self._tokens[status] += 1

    def requests(self) -> list[dict[str, Any]]:
        """Tell of the last thousand requests.

        Returns:
            Oldest first.
        """
        with self._lock:
            return list(self._requests)

    def counts(self) -> dict[str, Any]:
        """Count requests to the token endpoint and to the data API.

        Returns:
            token_requests with total, ok, failed; api_requests with total, by_status.
        """
        with self._lock:
            total, ok = self._tokens.total(), self._tokens[200]
            return {
                "token_requests": {"total": total, "ok": ok, "failed": total - ok},
                "api_requests": {
                    "total": self._api.total(),
                    "by_status": {str(status): number for status, number in sorted(self._api.items())},
                },
            }
