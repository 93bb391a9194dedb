"""An endpoint that webhooks are posted to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """An endpoint: it remembers what was posted, and answers with the next of its statuses, or 200."""

    def __init__(self):
        self.posts = []
        self.statuses = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.posts.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks?from=emulator"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join(60)
        self.server.server_close()

    def bodies(self):
        return [json.loads(body) for _, _, body in self.posts]

    def legacy(self):
        """Every entity of every notification, in the order in which it came."""
        notices = [notice for body in self.bodies() for notice in body["eventNotifications"]]
        return [(one["name"], one["id"], one["operation"]) for n in notices for one in n["dataChangeEvent"]["entities"]]
