"""The HTTP server: sockets, headers, chunks, and which path goes where.

The standard library's server, because an emulator must be able to do what frameworks
forbid: break off in the middle of a body, reset a connection, spell each header as
recorded.
"""

import contextlib
import gzip
import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vantage_quickbooks.emulator.answer import Answer

_CHUNK = 64 * 1024
_BODY_LIMIT = 20 * 1024 * 1024  # larger bodies are refused, so that nobody fills the memory
_SMALLEST_GZIP = 200

Handle = Callable[[str, str, str, dict[str, str], bytes], Answer]


class Server(ThreadingHTTPServer):
    """Serves `handle` on a port; a thread a connection, kept alive.

    Args:
        address: Host and port; port 0 takes a free one.

        handle: Answers method, path, query string, headers and body.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handle: Handle) -> None:
        self.handle_request_of = handle
        self.counting = threading.Lock()
        self.connections = 0
        self.running = 0
        self.max_concurrent = 0
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count a new connection, and serve it in a thread of its own."""
        with self.counting:
            self.connections += 1
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self.counting:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away; that is theirs to do."""

    def close(self) -> None:
        """Stop, close every connection, and wait for their threads."""
        self.shutdown()
        with self.counting:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: object) -> None:
        """Write nothing: a URL may hold what is nobody's business."""

    def _serve(self) -> None:
        with self.server.counting:
            self.server.running += 1
            self.server.max_concurrent = max(self.server.max_concurrent, self.server.running)
        try:
            body = self._body()
            if body is None:
                return
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = self.server.handle_request_of(self.command, path, query, headers, body)
        finally:
            with self.server.counting:
                self.server.running -= 1
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815 -- http.server's names

    def _body(self) -> bytes | None:
        """Read the body; None if it cannot be read and the request was refused."""
        if self.headers.get("transfer-encoding"):
            self.send_error(411)  # no client of QuickBooks sends chunks
            return None
        try:
            length = int(self.headers.get("content-length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= _BODY_LIMIT:
            self.close_connection = True
            self.send_error(400 if length < 0 else 413)
            return None
        return self.rfile.read(length) if length else b""

    def _send(self, answer: Answer) -> None:
        if answer.transfer == "reset":
            self._reset()
            return
        body = answer.body
        zipped = answer.chunked and len(body) >= _SMALLEST_GZIP and "gzip" in self.headers.get("accept-encoding", "")
        if zipped:
            body = gzip.compress(body, compresslevel=1, mtime=0)
        self.send_response_only(answer.status)
        self.send_header("date", self.date_time_string())
        for name, value in answer.headers:
            self.send_header(name, value)
        if zipped:
            self.send_header("content-encoding", "gzip")
        if answer.chunked:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close" if self.close_connection else "keep-alive")
        self.end_headers()
        if self.command == "HEAD":
            return
        if answer.transfer == "truncate":
            # Half of what was promised, then the end of the connection: no last chunk, too short a length.
            framed = b"%x\r\n" % len(body) + body if answer.chunked else body
            self.wfile.write(framed[: len(framed) // 2])
            self.close_connection = True
            return
        if not answer.chunked:
            self.wfile.write(body)
            return
        framed_chunks = (
            b"%x\r\n%s\r\n" % (len(part), part)
            for part in (body[at : at + _CHUNK] for at in range(0, len(body), _CHUNK))
        )
        self.wfile.write(b"".join(framed_chunks) + b"0\r\n\r\n")

    def _reset(self) -> None:
        """Send RST: linger for zero seconds, then close."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The handler's files hold the descriptor; the base class closes it for good when this returns.
        self.rfile.close()
        self.connection.close()
