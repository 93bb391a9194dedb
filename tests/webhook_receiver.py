"""A webhook app behind a real server, and what Intuit posts to it."""

from __future__ import annotations

import http.client
import json
import threading

from vantage_quickbooks.emulator.webhooks.events import sign
from vantage_quickbooks.http_server import bind
from vantage_quickbooks.webhooks import WebhookApp
from vantage_quickbooks.webhooks.server import make_app_server

TOKEN = "a verifier token of the app"


def event(id_="1", *, realm="9341450000000017", entity="invoice", operation="updated", second=0):
    """Return one CloudEvent."""
    return {
        "specversion": "1.0",
        "type": f"qbo.{entity}.{operation}.v1",
        "time": f"2026-05-01T15:30:{second:02}Z",
        "intuitentityid": str(id_),
        "intuitaccountid": realm,
        "data": {},
    }


def body_of(*events):
    return json.dumps(events).encode()


class Receiver:
    """Serves a webhook app on a free port, in a thread."""

    def __init__(self, inbox, worker=None, **options):
        self.inbox = inbox
        self.app = WebhookApp(inbox, options.pop("tokens", TOKEN), worker=worker, **options)
        self.stats = self.app.stats
        self.sockets = bind("127.0.0.1", 0)
        self.port = self.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/webhooks"
        ready = threading.Event()
        self.server = make_app_server(self.app, on_ready=ready.set)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": self.sockets})
        self.thread.start()
        assert ready.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(60)
        for opened in self.sockets:
            opened.close()

    def post(self, body, signature="", *, method="POST", path="/webhooks", **headers):
        """Send a request, signed unless another signature (or None, for none) is given; return status and text."""
        if signature == "":
            signature = sign(body, TOKEN)
        sent = {"content-type": "application/json; charset=utf-8"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if signature is not None:
            sent["intuit-signature"] = signature
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def counted(self):
        """Return the counters that are not zero, without the number of requests."""
        return {name: count for name, count in self.stats.to_dict().items() if count and name != "requests"}
