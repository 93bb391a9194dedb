"""A running site and a plain HTTP client for it, for tests/web."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from urllib.parse import urlsplit

import requests

from vantage_quickbooks.web.host import Host
from vantage_quickbooks.web.server import bind, make_server, make_sessions
from vantage_quickbooks.web.store import Store

PATIENCE_S = 60
"""How long a test waits for what must happen."""


def wait_until(is_so):
    """Return as soon as the condition holds; fail if it does not within a minute."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


SLOW_PAGES_S = float(os.environ.get("SLOW_PAGES", "0"))
"""Pause in seconds before a page and between its parts; twice as long before each script and style sheet.

A test that reads a page before it is complete passes on a fast machine and fails on a busy one. With a pause
(`SLOW_PAGES=0.3 pytest tests/web`) it fails at once. CONTRIBUTING.md says when to use it.
"""


class SlowPages:
    """ASGI middleware that sends pages in parts and everything else late, as a busy machine does."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        """Call the application; hold up what it sends, except streams of events."""
        is_page = is_stream = False

        async def send_late(message):
            nonlocal is_page, is_stream
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"")
                is_page, is_stream = kind.startswith(b"text/html"), kind.startswith(b"text/event-stream")
                if not is_stream:
                    await asyncio.sleep(SLOW_PAGES_S if is_page else SLOW_PAGES_S * 2)
            body = message.get("body", b"")
            if is_page and len(body) > 4:
                step = -(-len(body) // 4)
                for start in range(0, len(body), step):
                    is_last = start + step >= len(body)
                    more = message.get("more_body", False) or not is_last
                    await send({**message, "body": body[start : start + step], "more_body": more})
                    if not is_last:
                        await asyncio.sleep(SLOW_PAGES_S)
            else:
                await send(message)

        await self.app(scope, receive, send_late if scope["type"] == "http" else send)


class Site:
    """A server in a thread of this process."""

    def __init__(self, directory, plugins=(), shared=None, *, sessions=None, make_mounts=None, sync_target=None):
        self.directory = directory
        self.host = Host(Store(directory), plugins, shared, sync_target)
        self.sockets = bind(None, urlsplit(sessions.base_url).port if sessions else 0)
        self.sessions = sessions or make_sessions(None, self.sockets[0].getsockname()[1])
        ready = threading.Event()
        mounts = make_mounts(self.host) if make_mounts else None
        self.server = make_server(self.host, self.sessions, on_ready=lambda _: ready.set(), mounts=mounts)
        if SLOW_PAGES_S:
            self.server.config.app = SlowPages(self.server.config.app)
        self.thread = threading.Thread(target=self.server.run, args=(self.sockets,), daemon=True)
        self.thread.start()
        assert ready.wait(60)

    @property
    def url(self):
        return self.sessions.base_url

    def close(self):
        self.server.should_exit = True
        self.thread.join(60)
        assert not self.thread.is_alive(), "the server did not end"
        for bound in self.sockets:
            bound.close()


class Client:
    """An HTTP client with cookies and the CSRF token of the last page."""

    def __init__(self, site):
        self.site = site
        self.http = requests.Session()
        self.token = ""

    def get(self, path, **kwargs):
        return self._seen(self.http.get(self.site.url + path, **kwargs))

    def post(self, path, data=None, **kwargs):
        return self._seen(self.http.post(self.site.url + path, data={"csrf": self.token, **(data or {})}, **kwargs))

    def _seen(self, answer):
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        if found:
            self.token = found[1]
        return answer

    def close(self):
        self.http.close()
