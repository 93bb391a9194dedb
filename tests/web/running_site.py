"""A running site and a plain HTTP client for it, for tests/web."""

from __future__ import annotations

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
