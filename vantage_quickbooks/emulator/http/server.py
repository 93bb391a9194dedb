"""The HTTP server: sockets, headers and chunks.

It is based on the standard library's server, because an emulator must do what frameworks prevent: stop in the middle of
a body, reset a connection, write each header as recorded.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vantage_quickbooks.emulator.http.response import Response

_CHUNK = 64 * 1024
_MAX_BODY = 20 * 1024 * 1024  # larger bodies are refused, to bound memory
_MIN_GZIP = 200
_MAX_LENGTH_DIGITS = 20  # of a content-length; int() accepts more than HTTP does
_MAX_PARTS = 1000  # of one system call; Linux accepts 1024
_NAME = "quickbooks-emulator"
_POLL_S = 0.05  # how long a stop waits for the serving loop
_STOP_TIMEOUT_S = 30.0  # for requests that are running when the server closes
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_NO_BREAKS = str.maketrans("\r\n", "  ")  # a header value cannot start another header

_Buffer = bytes | memoryview

Handle = Callable[[str, str, str, dict[str, str], bytes], Response]


class ConnectionCounts:
    """How many connections a server has had, and how many requests it worked on at once. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections = 0
        self._running = 0
        self._max_concurrent = 0

    def count_connection(self) -> None:
        """Count a new connection."""
        with self._lock:
            self._connections += 1

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count a request for as long as the block runs."""
        with self._lock:
            self._running += 1
            self._max_concurrent = max(self._max_concurrent, self._running)
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    def reset(self) -> None:
        """Count from zero, except for the requests that are running."""
        with self._lock:
            self._connections = 0
            self._max_concurrent = self._running

    def counts(self) -> dict[str, int]:
        """Return connections and max_concurrent."""
        with self._lock:
            return {"connections": self._connections, "max_concurrent": self._max_concurrent}


class Server(ThreadingHTTPServer):
    """Serves on a port; every connection is kept alive and has a thread.

    Args:
        address: Host and port; port 0 takes a free one.
        handle: Answers a request: method, path, query string, headers and body.
        report_crash: Called with what failed outside of `handle`.
        counts: Counts connections and concurrent requests.
        now: The clock, in epoch seconds; the header `Date` shows it.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handle: Handle,
        report_crash: Callable[[str], object],
        counts: ConnectionCounts,
        now: Callable[[], float],
    ) -> None:
        self.handle = handle
        self.now = now
        self.counts = counts
        self.stopping = threading.Event()
        self._report_crash = report_crash
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._serving: threading.Thread | None = None
        # Used only by the serving loop, and by `close` once the loop has ended.
        self._connection_threads: list[threading.Thread] = []
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """The server's address, without a trailing slash."""
        host, port = self.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count a new connection, and serve it in its own thread.

        The base class forgets daemon threads, so `close` could not wait for them.
        """
        self.counts.count_connection()
        with self._lock:
            self._open.add(request)
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name=f"{_NAME} connection", daemon=True
        )
        thread.start()
        self._connection_threads = [*(one for one in self._connection_threads if one.is_alive()), thread]

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 -- the base class's signature
        """Ignore clients that disconnect. Anything else is a crash."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self._report_crash(f"connection: {error!r}")

    def start(self) -> None:
        """Begin to serve, in a thread."""
        self._serving = threading.Thread(target=self.serve_forever, args=(_POLL_S,), name=_NAME, daemon=True)
        self._serving.start()

    def close(self) -> None:
        """Stop, close every connection, and wait for every thread.

        Raises:
            RuntimeError: A thread did not end. Everything else is closed.
        """
        self.stopping.set()
        if self._serving:
            self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # wakes threads that read from it or write to it
        self.server_close()
        self._join([*self._connection_threads, *([self._serving] if self._serving else [])])

    @staticmethod
    def _join(threads: list[threading.Thread]) -> None:
        end = time.monotonic() + _STOP_TIMEOUT_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        frames = sys._current_frames()  # noqa: SLF001 -- the documented way to another thread's stack
        left = [frames[thread.ident] for thread in threads if thread.is_alive() and thread.ident in frames]
        if left:
            where = "; ".join(f"{frame.f_code.co_qualname} at line {frame.f_lineno}" for frame in left)
            raise RuntimeError(f"the emulator stopped, and after {_STOP_TIMEOUT_S:.0f} s still runs: {where}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: object) -> None:
        """Log nothing: a URL can have private data."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # any method: `handle` decides what it means
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        with self.server.counts.running():
            body = self._read_body()
            if body is None:
                return
            path, _, query = self.path.partition("?")
            headers = {name.lower(): str(value) for name, value in self.headers.items()}
            result = self.server.handle(self.command, path, query, headers, body)
        self._send(result)

    def _read_body(self) -> bytes | None:
        """Read the body; return None after refusing a request whose body cannot be read."""
        if self.headers.get("transfer-encoding"):
            self.close_connection = True  # it is unknown where the next request begins
            self.send_error(411)  # no known client of QuickBooks sends chunks
            return None
        text = (self.headers.get("content-length") or "0").strip()
        length = int(text) if text.isascii() and text.isdigit() and len(text) < _MAX_LENGTH_DIGITS else -1
        if not 0 <= length <= _MAX_BODY:
            self.close_connection = True
            self.send_error(400 if length < 0 else 413)
            return None
        return self.rfile.read(length) if length else b""

    def _send(self, result: Response) -> None:
        if result.transfer == "reset":
            self._reset()
            return
        body = result.body
        chunked = result.chunked and self.request_version == "HTTP/1.1"
        zipped = result.chunked and len(body) >= _MIN_GZIP and "gzip" in self.headers.get("accept-encoding", "")
        if zipped:
            # The fastest level: 6 ms for a page of 1,000 invoices, which shrinks to a tenth.
            body = gzip.compress(body, compresslevel=1, mtime=0)
        if not chunked and self.request_version != "HTTP/1.1":
            self.close_connection = True
        if result.transfer == "truncate":
            self.close_connection = True
        head = self._head(result, len(body), zipped=zipped, chunked=chunked)
        if self.command == "HEAD":
            self._write([head])
            return
        framed = list(_chunks(body)) if chunked else [body]
        if result.transfer == "complete":
            self._write([head, *framed])
            return
        # One half, and then the end of the connection (no last chunk, or too few bytes) or, after a pause, the other.
        data = b"".join(framed)
        half = len(data) // 2
        self._write([head, data[:half]])
        if result.transfer == "drip":
            self.server.stopping.wait(result.pause_s)
            self._write([data[half:]])

    def _head(self, result: Response, length: int, *, zipped: bool, chunked: bool) -> bytes:
        lines = [
            f"{self.protocol_version} {result.status} {_REASONS.get(result.status, '')}",
            f"date: {self.date_time_string(self.server.now())}",
        ]
        lines += [f"{name}: {value.translate(_NO_BREAKS)}" for name, value in result.headers]
        if zipped:
            lines.append("content-encoding: gzip")
        lines.append("transfer-encoding: chunked" if chunked else f"content-length: {length}")
        lines.append("connection: " + ("close" if self.close_connection else "keep-alive"))
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def _write(self, parts: list[_Buffer]) -> None:
        """Send the parts with one system call, without joining them."""
        for at in range(0, len(parts), _MAX_PARTS):
            some = parts[at : at + _MAX_PARTS]
            sent = self.connection.sendmsg(some)
            if sent < sum(map(len, some)):
                self.connection.sendall(b"".join(some)[sent:])

    def _reset(self) -> None:
        """Send RST: linger for zero seconds, then close."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The handler's files still hold the descriptor; the base class closes it when this returns.
        self.rfile.close()
        self.connection.close()


def _chunks(body: bytes) -> Iterator[_Buffer]:
    view = memoryview(body)
    for at in range(0, len(view), _CHUNK):
        part = view[at : at + _CHUNK]
        yield b"%x\r\n" % len(part)
        yield part
        yield b"\r\n"
    yield b"0\r\n\r\n"
