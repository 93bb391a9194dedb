"""Server-sent events: what an open page learns, see `events`.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html. The browser itself connects again after a broken
connection, and sends the id of the last event, which is a position. An id is sent with the last event of those that
are sent together: a connection may break between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request

    from vantage_quickbooks.web.events import Event, Subscription
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.security import Session, Sessions

__all__ = ["MAX_STREAMS", "LivePages"]

MAX_STREAMS = 24
"""Streams of one session. A page whose tab is hidden has none."""

PING_S = 15.0
"""Proxies close a connection without data after 30 to 60 seconds. The page connects again if pings stay out."""

RETRY_MS = 1_000
"""How long a browser waits before it connects again."""

_HEADERS = {"X-Accel-Buffering": "no"}  # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering


class LivePages:
    """The streams of events.

    Args:
        host: The connections and their events.
        sessions: The sessions: a stream ends with its session.
    """

    def __init__(self, host: Host, sessions: Sessions) -> None:
        self._host = host
        self._sessions = sessions
        self._streams: Counter[str] = Counter()

    async def of_connection(self, request: Request) -> Response:
        """Stream the events of one connection."""
        connection_id: str = request.path_params["connection"]
        if await run_in_threadpool(self._host.record, connection_id) is None:
            return PlainTextResponse("This connection does not exist.\n", 404)
        return self._stream(request, connection_id)

    async def of_all(self, request: Request) -> Response:
        """Stream the events of all connections."""
        return self._stream(request, None)

    def _stream(self, request: Request, connection_id: str | None) -> Response:
        session: Session = request.state.session
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=_HEADERS)
        if self._streams[session.csrf] >= MAX_STREAMS:
            return PlainTextResponse(f"This session has {MAX_STREAMS} streams.\n", 429, {"Retry-After": "30"})
        since = request.headers.get("last-event-id") or request.query_params.get("since")
        return StreamingResponse(
            self._events(session, connection_id, since), headers=_HEADERS, media_type="text/event-stream"
        )

    async def _events(self, session: Session, connection_id: str | None, since: str | None) -> AsyncGenerator[str]:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(woken.set)

        self._streams[session.csrf] += 1
        subscription = self._host.events.subscribe(connection_id, wake, since)
        try:
            yield f"retry: {RETRY_MS}\n\n"
            if subscription.position:
                yield f"id: {subscription.position}\n\n"
            while not subscription.is_ended and self._sessions.is_open(session):
                woken.clear()
                text = _texts(subscription)
                if text:
                    yield text
                    continue
                try:
                    async with asyncio.timeout(PING_S):
                        await woken.wait()
                except TimeoutError:
                    yield "event: ping\ndata: 1\n\n"
            if self._sessions.is_open(session) and (
                text := _texts(subscription)
            ):  # such as that the connection was removed
                yield text
        finally:
            subscription.close()
            self._streams[session.csrf] -= 1
            if not self._streams[session.csrf]:
                del self._streams[session.csrf]


def _texts(subscription: Subscription) -> str:
    """Return what waits, in the format of the stream."""
    events = subscription.take()
    return "".join(_text(event, has_id=event is events[-1]) for event in events)


def _text(event: Event, *, has_id: bool) -> str:
    names = None if event.connection_ids is None else sorted(event.connection_ids)
    lines = [f"event: {event.kind}", f"data: {json.dumps({'connections': names})}"]
    return "\n".join([*lines, f"id: {event.position}", "", ""] if has_id else [*lines, "", ""])
