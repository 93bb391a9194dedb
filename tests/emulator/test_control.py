"""The control endpoints, the command's helper, the fixtures for others, start and stop."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.pytest_plugin import (  # noqa: F401 -- pytest finds fixtures by name
    quickbooks_emulator,
    quickbooks_emulator_session,
)


def test_the_state_is_reported(client, emulator):
    reported = client.control("GET", "state").json()
    assert (emulator.url, emulator.realm_id) == (reported["url"], reported["realm_id"])
    assert reported["companies"][emulator.realm_id]["Invoice"] == 60
    assert reported["tokens"]["access_tokens_alive"] == 1
    assert emulator.settings() == client.control("GET", "settings").json()
    assert set(emulator.credentials()) == {"client_id", "client_secret", "refresh_token", "realm_id"}
    where = {"environment": "emulator", "emulator_url": emulator.url}
    assert emulator.settings() == emulator.credentials() | where


def test_the_clock_moves(client):
    assert client.control("POST", "clock", json={"advance": 4000}).status_code == 200
    assert client.get("customer/1").status_code == 401
    assert client.control("POST", "clock", json={"freeze": True}).status_code == 200
    reported = client.control("POST", "clock", json={"now": "2030-01-02T03:04:05Z"}).json()["now"]
    assert reported.startswith("2030-01-02T03:04:05")
    assert client.control("GET", "state").json()["now"] == reported


def test_a_frozen_clock_runs_again_after_a_reset(emulator):
    emulator.freeze()
    before = emulator.now()
    assert emulator.now() == before
    emulator.advance(5)
    assert emulator.now() == before + 5
    emulator.reset()
    later = [emulator.now() for _ in range(1_000)]
    assert later[-1] > later[0] >= before


def test_faults_are_added_and_cleared(client):
    order = {"kind": "status", "status": 503, "path": "/customer/", "times": 2}
    listed = client.control("POST", "faults", json=order).json()["faults"]
    assert [(fault["status"], fault["times"]) for fault in listed] == [(503, 2)]
    assert client.get("customer/1").status_code == 503
    assert client.control("GET", "faults").json()["faults"][0]["times"] == 1
    assert client.control("DELETE", "faults").json() == {"faults": []}
    assert client.get("customer/1").status_code == 200


def test_tokens_grants_and_secret(client, emulator):
    assert client.control("POST", "tokens/expire").json() == {"expired": 1}
    granted = client.control("POST", "grants", json={"realm_id": "42"}).json()
    assert granted["realm_id"] == "42"
    assert client.refresh(granted["refresh_token"]).status_code == 200
    assert client.control("POST", "grants/revoke").json() == {"revoked": 2}
    assert client.refresh().json()["error"] == "invalid_grant"
    secret = client.control("POST", "secret", json={"client_secret": "new", "invalidate_tokens": False})
    assert (secret.json()["client_secret"], emulator.client_secret) == ("new", "new")


def test_counters_and_requests(client):
    client.get("customer/1")
    counters = client.control("GET", "counters").json()
    assert counters["api_requests"] == {"total": 1, "by_status": {"200": 1}}
    assert len(client.control("GET", "requests").json()["requests"]) == 2
    assert client.control("DELETE", "counters").json()["api_requests"]["total"] == 0


def test_records_and_limits(client):
    made = client.control("POST", "records", json={"entity": "Customer", "record": {"DisplayName": "New"}}).json()
    changed = {"entity": "Customer", "record": {"Id": made["Id"], "Notes": "x"}}
    assert client.control("PATCH", "records", json=changed).json()["Notes"] == "x"
    gone = {"entity": "Invoice", "record": {"Id": client.ids("select * from Invoice maxresults 1")[0]}}
    assert client.control("DELETE", "records", json=gone).json()["status"] == "Deleted"
    assert client.control("POST", "records", json={"entity": "Customer", "record": {}}).status_code == 400
    assert client.control("POST", "limits", json={"limits": {"per_minute": 3}}).json()["limits"]["per_minute"] == 3


def test_a_reset_brings_everything_back(client, emulator):
    client.control("POST", "limits", json={"limits": {"per_minute": 1}})
    client.control("POST", "secret")
    emulator.create("Customer", {"DisplayName": "New"})
    emulator.fault("html", times=-1)
    emulator.advance(10**7)
    reported = client.control("POST", "reset").json()
    assert (reported["companies"][emulator.realm_id]["Customer"], reported["faults"], reported["limits"]) == (
        30,
        [],
        {},
    )
    assert client.connect().get("customer/1").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "clock", b"{", 400),
        ("POST", "clock", b"[]", 400),
        ("POST", "clock", b"{}", 400),
        ("POST", "clock", b'{"advance": "soon"}', 400),
        ("POST", "clock", b'{"now": "soon"}', 400),
        ("POST", "faults", b"{}", 400),
        ("POST", "faults", b'{"kind": "earthquake"}', 400),
        ("POST", "faults", b'{"kind": "reset", "times": "x"}', 400),
        ("POST", "limits", b'{"limits": 5}', 400),
        ("POST", "grants", b'{"realm_id": "x"}', 400),
        ("POST", "records", b'{"entity": "Nothing", "record": {}}', 400),
        ("POST", "records", b'{"entity": "Customer"}', 400),
    ],
)
def test_an_invalid_control_request_is_an_error(client, method, path, body, status):
    answer = client.control(method, path, data=body)
    assert (status, True) == (answer.status_code, bool(answer.json()["error"]))


def test_start_and_stop_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = set(threading.enumerate())
    emulator = Emulator().start()
    url = emulator.url
    with requests.Session() as session:  # a kept connection must not hold the emulator up
        assert session.get(f"{url}/_emulator/state", timeout=60).status_code == 200
        emulator.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{url}/_emulator/state", timeout=60)
    emulator.stop()
    assert (set(), []) == (set(threading.enumerate()) - before, list(tmp_path.iterdir()))
    with pytest.raises(RuntimeError, match="not started"):
        _ = emulator.url
    with emulator:
        assert emulator.url


HEAVY = "query?query=select%20*%20from%20Invoice%20maxresults%201000"


def test_a_stop_waits_for_requests_in_progress(open_client):
    """Requests of every kind are in progress: none continues without a store, and no thread is left."""
    before = set(threading.enumerate())
    emulator = Emulator(invoices=1000, customers=50, limits=False)
    for _ in range(3):
        with emulator:
            emulator.clear_faults()
            emulator.fault("hang", seconds=600, path="/customer/1")
            emulator.fault("drip", seconds=600, path="/customer/2")
            emulator.fault("latency", seconds=600, path="/customer/3")
            token = open_client(emulator).connect().session.headers["Authorization"]
            host, port = emulator.url.removeprefix("http://").split(":")
            paths = ["customer/1", "customer/2", "customer/3", *[HEAVY] * 4]
            head = "GET /v3/company/{}/{} HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n{}"
            with contextlib.ExitStack() as lines:
                for path, end in [*((path, "\r\n") for path in paths), (HEAVY, "")]:  # the last one never ends its head
                    line = lines.enter_context(socket.create_connection((host, int(port)), timeout=60))
                    line.sendall(head.format(emulator.realm_id, path, host, token, end).encode())
                while emulator.counters()["faults_delivered"] < 3:
                    time.sleep(0.001)
                emulator.stop()
                assert (set(), []) == (set(threading.enumerate()) - before, emulator.crashes)


def test_a_stop_reports_a_thread_that_does_not_end(open_client, monkeypatch):
    monkeypatch.setattr("vantage_quickbooks.emulator.http.server._STOP_TIMEOUT_S", 0.2)
    monkeypatch.setattr("vantage_quickbooks.emulator.company.store._CLOSE_TIMEOUT_S", 0.2)
    before = set(threading.enumerate())
    emulator = Emulator(limits=False).start()
    client, failed, store = open_client(emulator).connect(), threading.Event(), emulator._companies.store
    held, release = threading.Event(), threading.Event()

    def ask():
        try:
            client.post("customer", json={"DisplayName": "Waits for its turn to write"})
        except requests.RequestException:
            failed.set()

    def write():  # what a thread waits for that no closed socket wakes
        with store.writing(), store.reading():
            held.set()
            release.wait()

    asking, writing = threading.Thread(target=ask), threading.Thread(target=write)
    writing.start()
    held.wait()
    asking.start()
    while not emulator.counters()["max_concurrent"]:
        time.sleep(0.001)
    with pytest.raises(RuntimeError, match=r"still runs: .*writing"):
        emulator.stop()
    release.set()
    writing.join(60)
    asking.join(60)
    assert failed.is_set()
    with pytest.raises(RuntimeError, match="not started"):
        _ = emulator.url
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()
    store.close()  # the writer has ended
    with pytest.raises(RuntimeError, match="closed"), store.reading():
        pytest.fail("a closed store lends nothing")


def test_a_taken_port_is_an_error_and_leaves_nothing_open():
    with Emulator() as emulator, pytest.raises(OSError, match="in use"):
        Emulator(int(emulator.url.rpartition(":")[2])).start()


SCRIPT = """
import json
from vantage_quickbooks.emulator import serve
serve(0, on_ready=lambda emulator: print(json.dumps(emulator.settings()), flush=True), limits=False)
"""


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_when_it_is_ready_and_ends_on_a_signal(number):
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as process:
        settings = json.loads(process.stdout.readline())
        url = settings["emulator_url"]
        form = {"grant_type": "refresh_token", "refresh_token": settings["refresh_token"]}
        auth = (settings["client_id"], settings["client_secret"])
        assert requests.post(f"{url}/oauth2/v1/tokens/bearer", data=form, auth=auth, timeout=60).status_code == 200
        process.send_signal(number)
        assert process.wait(60) == 0


def test_the_fixture_resets_the_emulator_for_each_test(quickbooks_emulator):  # noqa: F811 -- pytest's way
    assert quickbooks_emulator.counters()["api_requests"]["total"] == 0
    assert quickbooks_emulator.url.startswith("http://127.0.0.1:")
    assert quickbooks_emulator.state()["tokens"]["grants"] == 1


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_grant_that_ended_in_one_test_is_not_remembered_in_the_next(quickbooks_emulator, time):  # noqa: F811 -- pytest's way
    deployment = Deployment(api_url=quickbooks_emulator.url, oauth_url=quickbooks_emulator.url, token_store="memory:")
    with QUICKBOOKS.connect(quickbooks_emulator.settings(), deployment=deployment) as connection:
        assert connection.test()["ok"], time
        quickbooks_emulator.revoke_grants()
        assert not connection.test()["ok"]


def test_importing_the_package_loads_nothing():
    script = (
        "import sys, vantage_quickbooks.emulator; assert 'lark' not in sys.modules and 'sqlite3' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_invalid_requests_do_not_disturb_other_clients(client, emulator):
    host, port = emulator.url.removeprefix("http://").split(":")
    for noise in (
        b"\x00\xff\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v3/company/1/query HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=60) as line:
            line.sendall(noise)
            line.recv(1000)
    assert client.get("customer/1").status_code == 200


def test_the_grants_of_one_company_can_be_revoked(client, emulator):
    """Those of the others stay."""
    granted = client.control("POST", "grants", json={"realm_id": "42"}).json()
    assert client.control("POST", "grants/revoke", json={"realm_id": "42"}).json() == {"revoked": 1}
    assert client.refresh(granted["refresh_token"]).json()["error"] == "invalid_grant"
    assert client.get("customer/1").status_code == 200
    assert emulator.revoke_grants("42") == 0
