"""The browser tests read complete pages, also where the server is slow."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

PAGE = b"<!DOCTYPE html><title>Rows</title><link rel=stylesheet href=/late.css><p>one</p>\n"
REST = b"<p>two</p>"


class SlowServer(BaseHTTPRequestHandler):
    """Sends the rest of a page and of its style sheet only after `server.may_finish` is set."""

    def do_GET(self):
        if self.path == "/":
            self._send("text/html", b"<!DOCTYPE html><title>Start</title><a href=/rows>Rows</a>")
        elif self.path == "/rows":
            self._send("text/html", PAGE, REST)
        else:
            self._send("text/css", b"p {", b"width: 100px}")

    def _send(self, kind, body, late=b""):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body + late)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if late:
            self.server.may_finish.wait(60)
        self.wfile.write(late)

    def log_message(self, *args):
        """Print nothing."""


@pytest.fixture
def slow_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowServer)
    server.may_finish = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.may_finish.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_read_after_a_click_waits_for_the_whole_page(browser, slow_server):
    page = browser.new_page()
    # Long enough for a read that does not wait to see half a page. A longer pause on a busy machine changes nothing.
    finish = threading.Timer(1, slow_server.may_finish.set)
    page.on("framenavigated", lambda frame: "/rows" in frame.url and finish.start())
    page.goto(f"http://127.0.0.1:{slow_server.server_port}/")
    page.get_by_role("link", name="Rows").click()
    assert page.locator("p").all_inner_texts() == ["one", "two"]
    assert page.locator("p").first.bounding_box()["width"] == 100
    page.close()
    finish.join()
