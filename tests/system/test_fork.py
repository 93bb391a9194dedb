"""Hosts that make a call and fork: each process gets its own responses."""

from __future__ import annotations

import functools
import http.server
import json
import multiprocessing
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.api.transport import SessionHolder
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # 3.12 warns of what is tested here

WORKERS = 4
BY_GUNICORN = 600
ROUNDS, IN_A_ROUND = 20, 5
"""Twenty times four processes are forked, which make five requests each: 400 in all."""

LIMITED = functools.partial(CallContext, time_limit_s=30.0)
"""A process whose response was read by another one would wait for two minutes, and then retry."""


class _Echo(http.server.BaseHTTPRequestHandler):
    """Responds to each page with one record whose Id is the requested position."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"access_token": "a", "refresh_token": "r", "token_type": "bearer", "expires_in": 3600})

    def do_GET(self):
        (asked,) = re.findall(r"STARTPOSITION%20(\d+)", self.path)
        time.sleep(random.uniform(0, 0.005))  # or each answer would be read before the next is asked for
        records = [{"Id": asked, "DisplayName": "x" * random.randrange(3000)}]
        self._answer({"QueryResponse": {"Customer": records}, "time": "2026-10-01T12:00:00-07:00"})

    def _answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class _EchoServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100


@pytest.fixture
def echo():
    with _EchoServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def connected(url):
    """A connection that has made a call, so that its pool holds a socket, without rate limits."""
    form = {"client_id": "app", "client_secret": "s", "refresh_token": "r", "realm_id": "1"}
    deployment = Deployment(api_url=url, oauth_url=url)
    limiter = RateLimiter(10, 10_000, 1_000_000)
    connection = QUICKBOOKS.connect(
        form, deployment=deployment, store=MemoryStore(), new_call=LIMITED, rate_limiter=limiter
    )
    assert ask(connection, 1) == "1"
    return connection


def ask(connection, position):
    return connection.invoke("listCustomers", {"start_position": position})["customers"][0]["Id"]


def work(connection, positions, wrong):
    for position in positions:
        try:
            came = ask(connection, position)
        except Exception as error:  # noqa: BLE001 -- counted and shown
            came = repr(error)
        if came != str(position):
            wrong.put((position, came))


@pytest.mark.system
def test_forked_processes_get_their_own_responses(echo):
    connection = connected(echo)
    processes = multiprocessing.get_context("fork")
    wrong = processes.SimpleQueue()
    begin = processes.Barrier(WORKERS)

    def run(first):
        begin.wait(60)
        work(connection, range(first, first + IN_A_ROUND), wrong)

    for number in range(ROUNDS):
        starts = [2 + (number * WORKERS + worker) * IN_A_ROUND for worker in range(WORKERS)]
        children = [processes.Process(target=run, args=(start,)) for start in starts[1:]]
        for child in children:
            child.start()
        run(starts[0])  # the parent continues, too
        for child in children:
            child.join()
            assert child.exitcode == 0
        assert wrong.empty(), wrong.get()


APPLICATION = """
import sys
sys.path.insert(0, {directory!r})
from test_fork import ask, connected

connection = connected({url!r})

def app(environ, start_response):
    try:
        said = ask(connection, int(environ["QUERY_STRING"]))
    except Exception as error:
        said = repr(error)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [said.encode()]
"""


@pytest.mark.system
def test_workers_of_gunicorn_get_their_own_responses(echo, tmp_path):
    """gunicorn --preload: the application is imported, and makes a call, before the workers are forked."""
    directory = str(Path(__file__).parent)
    (tmp_path / "application.py").write_text(APPLICATION.format(directory=directory, url=echo))
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as cleanup:
        os.set_inheritable(listener.fileno(), True)
        command = [sys.executable, "-m", "gunicorn", "--preload", "-w", str(WORKERS), "--timeout", "120"]
        command += ["--bind", f"fd://{listener.fileno()}", "application:app"]
        log = cleanup.enter_context((tmp_path / "log").open("w+"))
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        cleanup.callback(process.wait)
        cleanup.callback(process.terminate)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/?"

        def one(position):
            with urllib.request.urlopen(f"{url}{position}", timeout=120) as response:  # noqa: S310 -- our own server
                return position, response.read().decode(), process.poll()

        with ThreadPoolExecutor(2 * WORKERS) as pool:
            came = list(pool.map(one, range(2, 2 + BY_GUNICORN)))
    assert [(position, said) for position, said, _ in came if said != str(position)] == []


def forked(run):
    """Run *run* in a forked process, and return its exit status: 0 if it returned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:  # pragma: no cover -- another process
        try:
            run()
        except BaseException:  # noqa: BLE001 -- the child must never return into pytest
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def pool_of(session):
    pools = session.adapters["http://"].poolmanager.pools
    (key,) = pools.keys()
    return pools[key]


def test_a_child_has_no_socket_of_its_parent(echo):
    """And it sends nothing: closing a copy of a descriptor sends nothing."""
    connection = connected(echo)
    client = connection._get_client()
    before = client._http.get()

    def in_child():
        assert client._http.get() is not before
        assert ask(connection, 7) == "7"

    assert forked(in_child) == 0
    assert client._http.get() is before
    assert ask(connection, 8) == "8"
    assert pool_of(before).num_connections == 1  # the parent's connection is as good as before


def test_a_fork_without_pythons_hooks_is_detected_by_the_process_id(echo, monkeypatch):
    """uWSGI forks in C, and runs Python's hooks on request only."""
    client = connected(echo)._get_client()
    before = client._http.get()
    (sock,) = [connection.sock for connection in pool_of(before).pool._items if connection]
    monkeypatch.setattr(SessionHolder, "_pid", -1)
    assert client._http.get() is not before
    assert sock.fileno() == -1


def test_a_child_does_not_wait_for_locks_of_its_parents_threads(echo):
    connection = connected(echo)
    client = connection._get_client()
    hold, held = threading.Event(), threading.Event()

    def keep():
        with connection._lock, client._circuit_breaker._lock:
            held.set()
            hold.wait(60)

    thread = threading.Thread(target=keep)
    thread.start()
    held.wait(60)
    try:
        fresh = {}
        assert (
            forked(
                lambda: (connection.close(), fresh.update(done=ask(connection, 9)), client._circuit_breaker._close())
            )
            == 0
        )
    finally:
        hold.set()
        thread.join()
