"""Clients without a library: requests alone, a session with orjson; and the floor, which only reads bytes."""

import http.client
import json
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import quote, urlsplit

from harness import PAGE, Seen, job, reading

try:
    import orjson
    import requests
except ImportError:  # the floor needs neither
    orjson = requests = None

TASK = job()
PATH = f"/v3/company/{TASK['realm_id']}/query"
HEADERS = {"Authorization": f"Bearer {TASK['access_token']}", "Accept": "application/json"}


def _statement(page: int, order: str = "") -> str:
    return f"SELECT * FROM Invoice {order}STARTPOSITION {page * PAGE + 1} MAXRESULTS {PAGE}"  # noqa: S608 -- numbers alone


def _params() -> Iterator[dict[str, Any]]:
    return ({"query": _statement(page), "minorversion": 75} for page in count())


def _requests(seen: Seen) -> None:
    for params in _params():
        response = requests.get(TASK["url"] + PATH, params=params, headers=HEADERS, timeout=120)
        if seen.add(response.json()["QueryResponse"].get("Invoice", ())) < PAGE:
            return


def _session(seen: Seen) -> None:
    session = requests.Session()
    session.headers.update(HEADERS)
    for params in _params():
        response = session.get(TASK["url"] + PATH, params=params, timeout=120)
        if seen.add(orjson.loads(response.content)["QueryResponse"].get("Invoice", ())) < PAGE:
            return


def _drain(at_once: str, order: str = "") -> None:
    """Fetch all pages with several connections, and discard them.

    Args:
        at_once: Number of connections.
        order: `created`: in the order that our connector asks for, which costs the emulator more than its default.
    """
    clause = "ORDERBY MetaData.CreateTime, DocNumber " if order else ""
    pages = iter(range(-(-TASK["invoices"] // PAGE)))
    turn = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(urlsplit(TASK["url"]).netloc)
        while True:
            with turn:
                page = next(pages, None)
            if page is None:
                return
            target = f"{PATH}?query={quote(_statement(page, clause))}&minorversion=75"
            connection.request("GET", target, headers=HEADERS | {"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            response.read()
            if response.status != http.client.OK:
                raise RuntimeError(json.dumps({"status": response.status}))

    threads = [threading.Thread(target=work) for _ in range(int(at_once))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


with reading(TASK["report"]) as counter:
    if TASK["variant"].startswith("drain"):
        _drain(*TASK["variant"].split(":")[1:])
    else:
        {"requests": _requests, "session": _session}[TASK["variant"]](counter)
