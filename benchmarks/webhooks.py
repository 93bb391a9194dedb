"""How many webhooks a second one receiver accepts, durably, without losing one.

    python benchmarks/webhooks.py                               # 30,000 notices, one a notification, into SQLite
    python benchmarks/webhooks.py --notices 10                  # ten notices a notification
    python benchmarks/webhooks.py --inbox postgresql+psycopg://user:password@host/database

The receiver is the command, in a process of its own; the senders are another process. Each notification is signed, and
200 is counted only if the notice is in the inbox at the end. Prints Markdown.
"""

import argparse
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from vantage_quickbooks.emulator.webhooks.events import sign
from vantage_quickbooks.webhooks import Inbox

_COMMAND = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
_TOKEN = "7c1f27a6-0b9d-4b8e-9d0f-6d8f3f1c2b11"
_REALMS = [str(9_300_000_000_000_000 + number) for number in range(200)]


def _requests(first: int, count: int, notices: int) -> list[bytes]:
    """Return complete requests, so that the senders do little while they are measured."""
    found = []
    for number in range(first, first + count):
        events = [
            {
                "specversion": "1.0",
                "type": "qbo.invoice.updated.v1",
                "time": "2026-05-01T15:30:12Z",
                "intuitentityid": str(number * notices + offset),
                "intuitaccountid": _REALMS[number % len(_REALMS)],
                "data": {},
            }
            for offset in range(notices)
        ]
        body = json.dumps(events).encode()
        head = (
            f"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nintuit-signature: {sign(body, _TOKEN)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


def _send(port: int, requests: list[bytes], slowest: list[float], refused: list[int]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for request in requests:
            started = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:  # a 200 has no body
                answer += connection.recv(65_536)
            slowest[0] = max(slowest[0], time.perf_counter() - started)
            refused[0] += not answer.startswith(b"HTTP/1.1 200 ")


def _senders(port: int, total: int, notices: int, connections: int, results: "multiprocessing.Queue[tuple]") -> None:
    each = total // connections
    work = [_requests(number * each, each, notices) for number in range(connections)]
    slowest, refused = [0.0], [0]
    threads = [threading.Thread(target=_send, args=(port, some, slowest, refused)) for some in work]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((each * connections, time.perf_counter() - started, slowest[0], refused[0]))


def main() -> None:
    """Start the receiver, send, and count what is in the inbox."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notifications", type=int, default=30_000)
    parser.add_argument("--notices", type=int, default=1, help="of each notification")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--inbox", help="a database; default: a file in a temporary directory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.inbox or str(Path(folder) / "inbox.sqlite3")
        receiver = subprocess.Popen(
            [*_COMMAND, "webhooks", "serve", "--no-sync", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"VANTAGE_QUICKBOOKS_WEBHOOK_TOKEN": _TOKEN, "VANTAGE_QUICKBOOKS_WEBHOOK_INBOX": url},
        )
        try:
            line = next(line for line in receiver.stdout or () if "address" in line)
            port = int(line.rsplit(":", 1)[1].strip(" /\n"))
            results: multiprocessing.Queue[tuple] = multiprocessing.Queue()
            given = (port, options.notifications, options.notices, options.connections, results)
            senders = multiprocessing.Process(target=_senders, args=given)
            senders.start()
            sent, seconds, slowest, refused = results.get()
            senders.join()
        finally:
            receiver.terminate()
            receiver.communicate()
        kept = Inbox(url).state()["waiting"]
    print("| Notifications | Notices | Refused | In the inbox | Notices a second | Slowest answer |")
    print("|---:|---:|---:|---:|---:|---:|")
    notices = sent * options.notices
    print(f"| {sent:,} | {notices:,} | {refused:,} | {kept:,} | {notices / seconds:,.0f} | {slowest * 1000:,.0f} ms |")
    sys.exit(kept != notices or bool(refused))


if __name__ == "__main__":
    main()
