"""Stands between a connection and the data API: `connect(intercept=Interceptor())`."""

from __future__ import annotations

from contextlib import contextmanager


class Interceptor:
    """Sends requests unchanged, or through a handler while one is installed.

    A handler is called with the function that sends a request, and its arguments: request, headers, call. It returns
    status, headers and body.
    """

    def __init__(self):
        self._handler = None

    def __call__(self, send, *request):
        return send(*request) if self._handler is None else self._handler(send, *request)

    @contextmanager
    def installed(self, handler):
        """Send requests through *handler* in a `with` block."""
        previous, self._handler = self._handler, handler
        try:
            yield
        finally:
            self._handler = previous
