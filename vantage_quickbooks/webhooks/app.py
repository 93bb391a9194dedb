"""The ASGI app that accepts webhooks; no framework is needed. Needs the extra `webhooks`.

Theory of operation
1. A request is answered within `DEADLINE_S`: Intuit waits 3 seconds, and sends again what was not answered with 200.
2. 200 means that the notices are on the disk. Handlers run elsewhere, see `worker`, so how long they take, and whether
   they fail, changes no answer.
3. One thread writes to the inbox, all that waits in one transaction: many requests share one sync to the disk.
4. What the inbox cannot store in time is answered with 503. It may be stored nevertheless; the repetition is a
   then a duplicate.
5. A signed body that cannot be read is answered with 200 and kept as a dead letter: a repetition would be no better,
   and Intuit may hold back later notifications until this one is accepted. If only parts of it cannot be read, these
   parts are the dead letter, and the other notices are handed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import queue
import threading
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.errors import InboxError
from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.metrics import CONTENT_TYPE, Family, may_read, render
from vantage_quickbooks.webhooks.app_metrics import counters, gauges
from vantage_quickbooks.webhooks.inbox import Delivery
from vantage_quickbooks.webhooks.notices import NotificationError, read
from vantage_quickbooks.webhooks.signature import SIGNATURE_HEADER, verify
from vantage_quickbooks.webhooks.stats import Stats

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from vantage_quickbooks.webhooks.inbox import Inbox
    from vantage_quickbooks.webhooks.worker import Worker

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

__all__ = ["DEADLINE_S", "MAX_BODY_BYTES", "WebhookApp"]

DEADLINE_S = 2.5
MAX_BODY_BYTES = 1 << 20
"""Of a notification; one notice takes about 300 bytes."""

_MAX_WAITING = 2_000  # notifications that wait for the writer
_MAX_TRANSACTION = 500
_JSON_TYPES = frozenset({"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"})
_HEALTH_S = 1.0  # how long a check of the inbox, and what was read of it, is valid

_log = get_logger(__name__)


class _Refusal(Exception):  # noqa: N818 -- an answer, not a failure
    def __init__(self, status: int, counter: str, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.counter = counter
        self.text = text
        self.headers = headers


class WebhookApp:
    """An ASGI application for any server, alone or mounted: webhooks are posted to any path.

    GET `/healthz` checks it, and GET `/metrics` returns its counters in the text format of Prometheus.

    Args:
        inbox: Where accepted notices are kept.
        verifier_tokens: The verifier token of the app; several while one replaces another. Or a function that returns
            them, which is called for each notification, so it must be quick.
        worker: Started and stopped with the app; None if workers run in other processes.
        stats: Where it counts; by default the worker's.
        max_body_bytes: The largest body that is accepted.
        metrics_key: The bearer token that reads `/metrics`; None answers programs of this machine only.

    Raises:
        ValueError: There is no verifier token, or one is empty.
    """

    def __init__(
        self,
        inbox: Inbox,
        verifier_tokens: str | Iterable[str] | Callable[[], Iterable[str]],
        *,
        worker: Worker | None = None,
        stats: Stats | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        metrics_key: str | None = None,
    ) -> None:
        if callable(verifier_tokens):
            self._tokens = verifier_tokens
        else:
            fixed = (verifier_tokens,) if isinstance(verifier_tokens, str) else tuple(verifier_tokens)
            self._tokens = lambda: fixed
        verify(b"", None, self._tokens())  # raises if there is none
        self.stats = stats or (worker.stats if worker is not None else Stats())
        self._inbox = inbox
        self._worker = worker
        self._max_body_bytes = max_body_bytes
        self._writer = _Writer(inbox, self._on_stored)
        self._metrics_key = metrics_key
        self._health: tuple[float, bool] = (float("-inf"), False)
        self._families: tuple[float, list[Family]] = (float("-inf"), [])

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            reads = scope["method"] in {"GET", "HEAD"}
            if reads and path.rstrip("/") == "/healthz":
                await self._answer_health(send)
            elif reads and path.rstrip("/") == "/metrics":
                await self._answer_metrics(scope, send)
            else:
                await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    # ---- life --------------------------------------------------------------------------------------------------------

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            await asyncio.to_thread(self._inbox.prepare)
        except InboxError as error:
            await send({"type": "lifespan.startup.failed", "message": error.message})
            return
        self._start_worker()
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await asyncio.to_thread(self.close)
        await send({"type": "lifespan.shutdown.complete"})

    def close(self) -> None:
        """Stop the worker and the writer; a server does so at its end."""
        if self._worker is not None:
            self._worker.stop()
        self._writer.close()

    def _start_worker(self) -> None:
        if self._worker is not None and not self._worker.is_running:
            self._worker.start()

    # ---- a notification ----------------------------------------------------------------------------------------------

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        self._start_worker()  # an app that is mounted in another gets no lifespan events
        self.stats.add("requests")
        try:
            async with asyncio.timeout(DEADLINE_S) as deadline:
                body = await self._read(scope, receive, deadline)
                if body is None:
                    self.stats.add("aborted")
                    return
                await self._store(body)
        except _Refusal as refusal:
            self.stats.add(refusal.counter)
            await _respond(send, refusal.status, refusal.text, **refusal.headers)
        except TimeoutError:
            self.stats.add("unavailable")
            await _respond(send, 503, "The inbox was not written in time. Send it again.", **{"retry-after": "10"})
        else:
            await _respond(send, 200, "")

    async def _read(self, scope: Message, receive: Receive, deadline: asyncio.Timeout) -> bytes | None:
        """Return the body of a request whose signature is valid; None if the sender disconnected.

        Raises:
            _Refusal: The request is not a notification of Intuit's.
        """
        signature = self._check_head(scope)
        # Half of the time is for the sender, half for the disk.
        allowed = deadline.when()
        assert allowed is not None  # noqa: S101 -- it was set above
        try:
            async with asyncio.timeout_at(allowed - DEADLINE_S / 2):
                body = await self._receive(receive)
        except TimeoutError:
            raise _Refusal(408, "refused_slow", "The body did not arrive in time.", connection="close") from None
        if body is not None and not verify(body, signature, self._tokens()):
            raise _Refusal(401, "refused_forged", "The signature is not that of the body.")
        return body

    def _check_head(self, scope: Message) -> str:
        if scope["method"] != "POST":
            raise _Refusal(405, "refused_method", "Webhooks are posted.", allow="POST", connection="close")
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        type_ = b", ".join(headers.get(b"content-type", [])).decode("latin-1").partition(";")[0].strip().lower()
        encoding = b", ".join(headers.get(b"content-encoding", [])).lower()
        if type_ not in _JSON_TYPES or encoding not in {b"", b"identity"}:
            raise _Refusal(415, "refused_content_type", "Webhooks are JSON, not compressed.", connection="close")
        length = headers.get(b"content-length", [b"0"])[-1]
        if length.isdigit() and int(length) > self._max_body_bytes:
            raise self._oversized()
        signatures = headers.get(SIGNATURE_HEADER.encode(), [])
        if len(signatures) != 1:
            raise _Refusal(401, "refused_unsigned", f"Webhooks have one header {SIGNATURE_HEADER}.", connection="close")
        return signatures[0].decode("latin-1")

    def _oversized(self) -> _Refusal:
        text = f"The body has more than {self._max_body_bytes} bytes."
        return _Refusal(413, "refused_oversized", text, connection="close")

    async def _receive(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise self._oversized()
            if not message.get("more_body", False):
                return bytes(body)

    async def _store(self, body: bytes) -> None:
        digest = hashlib.sha256(body).hexdigest()
        delivery = _delivery(digest, body)
        try:
            is_new = await self._writer.put(delivery)
        except InboxError as error:
            raise _Refusal(
                503, "unavailable", "The inbox cannot be written. Send it again.", **{"retry-after": "10"}
            ) from error
        if not is_new:
            self.stats.add("duplicates")
            return
        if delivery.reason is not None:
            _log.warning("a signed webhook, or a part of it, is a dead letter. %s", delivery.reason)
        if delivery.reason is not None and not delivery.notices:
            self.stats.add("unreadable")
        else:
            self.stats.add("accepted")
            self.stats.add("damaged", delivery.reason is not None)
            self.stats.add("notices", sum(map(len, delivery.notices.values())))

    def _on_stored(self) -> None:
        if self._worker is not None:
            self._worker.wake()

    # ---- health ------------------------------------------------------------------------------------------------------

    async def _answer_health(self, send: Send) -> None:
        """Answer whether the inbox can be written, from a check that is a second old at most."""
        now = asyncio.get_running_loop().time()
        checked_at, is_healthy = self._health
        if now - checked_at >= _HEALTH_S:
            self._health = (now, is_healthy)  # requests at the same time do not check, too
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await asyncio.to_thread(self._inbox.check)
                is_healthy = True
            except (InboxError, TimeoutError):
                is_healthy = False
            self._health = (now, is_healthy)
        body = json.dumps({"status": "ok" if is_healthy else "unavailable"})
        await _respond(send, 200 if is_healthy else 503, body, **{"content-type": "application/json"})

    def families(self) -> list[Family]:
        """Return the metrics: counters, worker, inbox. Reads the inbox."""
        return [*counters(self.stats), *gauges(self._inbox, self._worker)]

    async def _answer_metrics(self, scope: Message, send: Send) -> None:
        """Answer with the metrics, which are collected at most once a second."""
        if not may_read(scope, (self._metrics_key,), local=self._metrics_key is None):
            text = "Send the metrics key as a bearer token.\n"
            await _respond(send, 401, text, **{"www-authenticate": "Bearer"})
            return
        now = asyncio.get_running_loop().time()
        read_at, found = self._families
        if now - read_at >= _HEALTH_S:
            self._families = (now, found)  # as in `_answer_health`
            found = await asyncio.to_thread(self.families)
            self._families = (now, found)
        body = render(found).decode()
        await _respond(send, 200, body, **{"content-type": CONTENT_TYPE, "cache-control": "no-store"})


def _delivery(digest: str, body: bytes) -> Delivery:
    """Return what to store of a body: its notices, and what cannot be read."""
    try:
        found = read(body)
    except NotificationError as error:
        return Delivery(digest, {}, body, f"UNREADABLE: {error}")
    if not found.damaged:
        return Delivery(digest, found.notices)
    reason = f"UNREADABLE: {found.damaged[0].reason}"
    if found.notices:
        reason += f" Damaged parts: {len(found.damaged)}; the other notices are handed on."
        with contextlib.suppress(RecursionError):
            body = json.dumps([damage.part for damage in found.damaged]).encode()
    return Delivery(digest, found.notices, body, reason)


async def _respond(send: Send, status: int, text: str, **headers: str) -> None:
    body = text.encode()
    fields = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body))} | headers
    encoded = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


class _Writer:
    """One thread that stores deliveries, all that wait in one transaction. It starts with the first of a process.

    Args:
        inbox: The inbox.
        on_stored: Called after each transaction.
    """

    def __init__(self, inbox: Inbox, on_stored: Callable[[], None]) -> None:
        self._inbox = inbox
        self._on_stored = on_stored
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._waiting: queue.Queue[tuple[Delivery, asyncio.Future[bool]] | None] = queue.Queue(_MAX_WAITING)
        self._thread: threading.Thread | None = None

    async def put(self, delivery: Delivery) -> bool:
        """Store a delivery; return whether it is new.

        Raises:
            InboxError: It cannot be stored, or too many wait.
        """
        if self._pid != os.getpid():  # a server that forks its processes has made the app before
            self._reset()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="webhook-writer", daemon=True)
            self._thread.start()
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((delivery, stored))
        except queue.Full:
            raise InboxError("Too many webhooks wait for the inbox.") from None
        return await stored

    def close(self) -> None:
        """Store what waits, and end the thread."""
        if self._thread is not None and self._pid == os.getpid():
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            is_last = False
            while len(batch) < _MAX_TRANSACTION and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    is_last = True
                    break
                batch.append(following)
            self._put(batch)
            if is_last:
                return

    def _put(self, batch: list[tuple[Delivery, asyncio.Future[bool]]]) -> None:
        results: list[bool] | None = None
        failure: InboxError | None = None
        try:
            results = self._inbox.put([delivery for delivery, _ in batch])
            self._on_stored()
        except InboxError as error:
            failure = error
            _log.error("webhooks cannot be stored: %s", error.message)
        except Exception as error:  # noqa: BLE001 -- a defect must not leave requests waiting
            failure = InboxError("The inbox failed because of a bug.")
            _log.error("webhooks cannot be stored because of a bug: %s", type(error).__name__)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[bool], bool | None]]] = {}
        for number, (_, future) in enumerate(batch):
            by_loop.setdefault(future.get_loop(), []).append((future, None if results is None else results[number]))
        for loop, outcomes in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, outcomes, failure)


def _resolve(outcomes: list[tuple[asyncio.Future[bool], bool | None]], failure: InboxError | None) -> None:
    for future, result in outcomes:
        if future.done():  # its request ran out of time
            continue
        if result is None:
            future.set_exception(failure or InboxError("The inbox failed."))
        else:
            future.set_result(result)
