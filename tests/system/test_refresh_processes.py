"""Many processes with one chain send one token request, and a killed process does not break the chain."""

from __future__ import annotations

import array
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.system

WORKER = """
import json, sys, time
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.config.deployment import Deployment

job = json.loads(sys.stdin.readline())
connection = QUICKBOOKS.connect(job["settings"], deployment=Deployment(**job["deployment"]))
connection._get_client()  # imports done: the race is about the token
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(connection.invoke("getAccessToken")), flush=True)
"""

KILLED = """
import json, os, signal, sys
from vantage_quickbooks.auth import authorizer
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.auth.stores import SQLiteStore

job = json.loads(sys.stdin.readline())
connection = QUICKBOOKS.connect(job["settings"], deployment=Deployment(**job["deployment"]))
client = connection._get_client()

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(function):
    def run(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return run

store = client.authorizer._store
match job["step"]:
    case "waiting for the lock":
        store.lock = die
    case "holding the lock":
        store.load = die
    case "before the request":
        client.authorizer._token_endpoint.refresh = die
    case "after the request, before saving":
        store.save = die
    case "after saving":
        store.save = die_after(store.save)
connection.invoke("getAccessToken")
"""

MANY = """
import json, os, sys
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.config.deployment import Deployment

job = json.loads(sys.stdin.readline())
QUICKBOOKS.connect(job["settings"], deployment=Deployment(**job["deployment"]))._get_client()  # imports, for all
start, go = os.pipe()
children = []
for _ in range(job["processes"]):
    if not (child := os.fork()):
        os.close(go)
        connection = QUICKBOOKS.connect(job["settings"], deployment=Deployment(**job["deployment"]))
        connection._get_client()
        os.write(1, b'"ready"\\n')
        os.read(start, 1)  # until no process can write
        os.write(1, json.dumps(connection.invoke("getAccessToken")).encode() + b"\\n")
        os._exit(0)
    children.append(child)
sys.stdin.readline()
os.close(go)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
"""

STEPS = (
    "waiting for the lock",
    "holding the lock",
    "before the request",
    "after the request, before saving",
    "after saving",
)


def start(script):
    return subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def job(emulator, token_store, **more):
    deployment = {"api_url": emulator.url, "oauth_url": emulator.url, "token_store": token_store}
    return json.dumps({"settings": emulator.credentials(), "deployment": deployment, **more}) + "\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def token_store(request, tmp_path):
    """A store that processes share: a file, and a database server."""
    if request.param == "sqlite":
        return str(tmp_path / "tokens.sqlite3")
    return request.getfixturevalue("postgresql_url")


def test_32_processes_at_a_stale_token_cause_one_token_request(emulator, token_store):
    """The others wait and read the record that one of them stored. All are forked from a process with the imports."""
    emulator.fault("latency", path="/oauth2/v1/tokens/bearer", times=-1, seconds=0.15)
    with start(MANY) as workers:
        try:
            workers.stdin.write(job(emulator, token_store, processes=32))
            workers.stdin.flush()
            for _ in range(32):
                assert workers.stdout.readline() == '"ready"\n', workers.stderr.read()
            out, error = workers.communicate("go\n", timeout=120)
        finally:
            workers.kill()

    assert (workers.returncode, error) == (0, "")
    handed_out = [json.loads(line) for line in out.splitlines()]
    assert len(handed_out) == 32
    assert len({token["accessToken"] for token in handed_out}) == 1
    assert emulator.counters()["token_requests"] == {"total": 1, "ok": 1, "failed": 0}
    assert sum(token["refreshed"] for token in handed_out) == 1


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=pytest.mark.emulator(previous_token_grace_s=86_400 if "saving" in step else 0))
        for step in STEPS
    ],
)
def test_a_killed_refresh_does_not_break_the_chain(emulator, token_store, step):
    """After a kill at any step, the next worker gets a token.

    Between Intuit's rotation and our save the new refresh token is lost: there the chain depends on Intuit's grace
    period for the previous one (24 hours by the documentation of its client).
    """
    victim = start(KILLED)
    _, error = victim.communicate(job(emulator, token_store, step=step), timeout=120)
    assert victim.returncode == -signal.SIGKILL, error

    heir = start(WORKER)
    out, error = heir.communicate(job(emulator, token_store) + "go\n", timeout=120)

    assert error == ""
    assert json.loads(out.splitlines()[-1])["accessToken"]
    assert emulator.counters()["token_requests"]["failed"] == 0


READER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.config.deployment import Deployment

job = json.loads(sys.stdin.readline())
connection = QUICKBOOKS.connect(job["settings"], deployment=Deployment(**job["deployment"]))
with ThreadPoolExecutor(8) as pool:
    print(len(list(pool.map(lambda _: connection.invoke("getCompanyInfo"), range(12)))))
"""


@pytest.mark.emulator(rotation="daily", limits={"concurrent": 10, "per_second": 1000, "per_minute": 10_000})
def test_processes_that_share_a_store_keep_intuits_limits_together(emulator, token_store, tmp_path, monkeypatch):
    """Four processes of eight threads: together they send ten requests a second, like one process.

    Starts are read where the processes note them: how close together requests arrive is up to a busy machine.
    """
    emulator.fault("latency", path="/companyinfo", times=-1, seconds=0.05)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # where those that share a database server meet
    work = job(emulator, token_store)
    readers = [start(READER) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda reader: reader.communicate(work, timeout=150), readers))

    assert [(out.strip(), error) for out, error in outcomes] == [("12", "")] * 4
    counters = emulator.counters()
    assert counters["api_requests"]["by_status"] == {"200": 48}
    assert counters["max_concurrent"] <= 10
    (noted,) = tmp_path.rglob("*.starts")
    starts = array.array("d", noted.read_bytes())
    assert len(starts) == 48 or starts[-1] - starts[0] > 50  # those of the last minute
    assert [later - earlier for earlier, later in zip(starts, starts[10:], strict=False) if later - earlier < 1] == []


REFUSED = """
import json, sys
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.config.deployment import Deployment

job = json.loads(sys.stdin.readline())
for settings in job["forms"]:
    connection = QUICKBOOKS.connect(settings, deployment=Deployment(**job["deployment"]))
    envelope = connection.call("getAccessToken")
    print(json.dumps(envelope["error"]["code"] if "error" in envelope else "token"), flush=True)
"""


def outcomes_of(emulator, token_store, *forms):
    deployment = {"api_url": emulator.url, "oauth_url": emulator.url, "token_store": token_store}
    worker = start(REFUSED)
    said, wrong = worker.communicate(json.dumps({"forms": forms, "deployment": deployment}) + "\n", timeout=120)
    assert worker.returncode == 0, wrong
    return [json.loads(line) for line in said.splitlines()]


def test_a_dead_chain_is_refused_once_however_many_processes_call(emulator, token_store, monkeypatch, tmp_path):
    """Until the form or the store contains another token."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state of the machine"))
    form = {**emulator.credentials(), "refresh_token": "RT1-10-H0-1800000000abcdefghijklmnopqrst"}
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(outcomes_of, emulator, token_store, form, form) for _ in range(4)]
    assert [code for call in calls for code in call.result()] == ["REAUTHORIZATION_REQUIRED"] * 8
    assert emulator.counters()["token_requests"]["total"] == 1
    assert outcomes_of(emulator, token_store, emulator.credentials(), form) == ["token", "REAUTHORIZATION_REQUIRED"]
    assert emulator.counters()["token_requests"]["total"] == 2
