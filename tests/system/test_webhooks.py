"""The webhook app over HTTP: what it accepts it keeps, whatever handlers, disks and senders do."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from webhook_receiver import TOKEN, Receiver, body_of, event

from vantage_quickbooks.emulator.webhooks.events import sign
from vantage_quickbooks.errors import CancelledError, ReauthorizationRequired
from vantage_quickbooks.webhooks import Inbox, UnknownCompanyError, WebhookApp, Worker
from vantage_quickbooks.webhooks.inbox import BACKOFF_S, LEASE_S

A, B = "9341450000000017", "9341450000000025"
WAIT_S = 60


@pytest.fixture
def inbox(tmp_path):
    return Inbox(tmp_path / "inbox.sqlite3", window_s=0)


@pytest.fixture
def receiver(inbox):
    with Receiver(inbox, max_body_bytes=10_000) as running:
        yield running


def waiting_ids(inbox):
    """Return the Ids of the records of all notices that wait, without taking them."""
    claims = inbox.claim(1_000)
    for claim in claims:
        inbox.release(claim)
    return sorted((notice.id for claim in claims for notice in claim.notices), key=int)


# ---- accepted --------------------------------------------------------------------------------------------------------


def test_a_notification_is_kept_before_it_is_answered(receiver, inbox):
    assert receiver.post(body_of(event(1), event(2, realm=B))) == (200, "")
    assert waiting_ids(inbox) == ["1", "2"]
    legacy = {"realmId": A, "dataChangeEvent": {"entities": [{"name": "Bill", "id": "3", "operation": "Void"}]}}
    assert receiver.post(json.dumps({"eventNotifications": [legacy]}).encode())[0] == 200
    assert waiting_ids(inbox) == ["1", "2", "3"]
    assert receiver.counted() == {"accepted": 2, "notices": 3}


def test_a_replayed_notification_is_accepted_and_not_handed_on_again(receiver, inbox):
    body = body_of(event(1))
    assert [receiver.post(body)[0] for _ in range(3)] == [200] * 3
    (claim,) = inbox.claim(5)
    inbox.finish(claim)
    assert receiver.post(body)[0] == 200  # after it was handed on
    assert inbox.claim(5) == []
    assert receiver.counted() == {"accepted": 1, "notices": 1, "duplicates": 3}


def test_many_at_the_same_time_are_kept_without_losing_one(receiver, inbox):
    """One notification has one notice, so this is the worst case of notices a second."""
    bodies = [body_of(event(number, realm=(A, B)[number % 2])) for number in range(1_000)]

    def send(some):
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=WAIT_S)
        try:
            return [_post(connection, body) for body in some]
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        statuses = [status for some in pool.map(send, (bodies[n::16] for n in range(16))) for status in some]
    assert statuses == [200] * 1_000
    assert waiting_ids(inbox) == [str(number) for number in range(1_000)]


def _post(connection, body):
    headers = {"content-type": "application/json", "intuit-signature": sign(body, TOKEN)}
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_two_verifier_tokens_during_a_rotation(inbox):
    with Receiver(inbox, tokens=["the token before it", "the token after it"]) as receiver:
        for number, token in enumerate(("the token before it", "the token after it")):
            body = body_of(event(number))
            assert receiver.post(body, sign(body, token))[0] == 200
        body = body_of(event(9))
        assert receiver.post(body, sign(body, TOKEN))[0] == 401


def test_a_signed_body_that_cannot_be_read_is_kept_as_a_dead_letter(receiver, inbox):
    for body in (b"not json", body_of({**event(1), "intuitentityid": None})):
        assert receiver.post(body)[0] == 200  # a repetition would be no better, and hold back what follows
    assert receiver.counted() == {"unreadable": 2}
    assert [letter["body"][:8] for letter in inbox.dead_letters()] == ['[{"specv', "not json"]
    assert "event 1 has no intuitentityid" in inbox.dead_letters()[0]["reason"]


def test_the_damaged_event_of_a_notification_is_a_dead_letter_and_the_others_are_handed_on(receiver, inbox):
    damaged = {**event("9", realm="2"), "intuitentityid": None}
    assert receiver.post(body_of(event("1"), damaged, event("2"), event("3", realm="3")))[0] == 200
    assert receiver.counted() == {"accepted": 1, "damaged": 1, "notices": 3}
    assert waiting_ids(inbox) == ["1", "2", "3"]
    (letter,) = inbox.dead_letters()
    assert json.loads(letter["body"]) == [damaged]
    assert letter["reason"].startswith("UNREADABLE: The body of the notification is damaged: event 2 has no intuitent")
    assert receiver.post(body_of(event("1"), damaged, event("2"), event("3", realm="3")))[0] == 200
    assert receiver.counted()["duplicates"] == 1
    assert len(inbox.dead_letters()) == 1


# ---- refused ---------------------------------------------------------------------------------------------------------

GOOD = body_of(event(1))


@pytest.mark.parametrize(
    ("sent", "status", "counter"),
    [
        ({"signature": None}, 401, "refused_unsigned"),
        ({"signature": sign(GOOD, "another token")}, 401, "refused_forged"),
        ({"signature": sign(GOOD + b" ", TOKEN)}, 401, "refused_forged"),
        ({"signature": "é"}, 401, "refused_forged"),
        ({"method": "GET"}, 405, "refused_method"),
        ({"method": "PUT"}, 405, "refused_method"),
        ({"content_type": "text/plain"}, 415, "refused_content_type"),
        ({"content_type": None}, 415, "refused_content_type"),
        ({"content_encoding": "gzip"}, 415, "refused_content_type"),
        ({"body": body_of(*(event(number) for number in range(100)))}, 413, "refused_oversized"),
    ],
)
def test_what_is_not_a_notification_is_refused_and_counted(receiver, inbox, sent, status, counter):
    answer, text = receiver.post(**{"body": GOOD, **sent})
    assert (answer, bool(text)) == (status, True)
    assert receiver.counted() == {counter: 1}
    assert inbox.state()["waiting"] == 0
    assert receiver.post(GOOD)[0] == 200  # the server is well


def raw(receiver, *parts):
    """Send bytes, and read until the server closes or answers."""
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=WAIT_S) as opened:
        for part in parts:
            opened.sendall(part)
        return opened.recv(65_536)


HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nintuit-signature: x\r\n"


def test_a_body_that_grows_too_large_is_refused_while_it_is_sent(receiver):
    chunk = b"1000\r\n" + b"x" * 4_096 + b"\r\n"
    answer = raw(receiver, HEAD + b"transfer-encoding: chunked\r\n\r\n", chunk, chunk, chunk)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert receiver.counted() == {"refused_oversized": 1}


def test_a_body_that_does_not_arrive_in_time_is_refused(receiver):
    answer = raw(receiver, HEAD + b"content-length: 100\r\n\r\n", b"{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert receiver.counted() == {"refused_slow": 1}


def test_two_signatures_are_refused(receiver):
    answer = raw(receiver, HEAD + b"intuit-signature: y\r\ncontent-length: 2\r\n\r\n[]")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert receiver.counted() == {"refused_unsigned": 1}


def test_without_a_verifier_token_there_is_no_app(inbox):
    with pytest.raises(ValueError, match="verifier token"):
        WebhookApp(inbox, "")


# ---- handlers --------------------------------------------------------------------------------------------------------


def test_notices_are_answered_while_a_handler_hangs(inbox):
    entered, release, seen = threading.Event(), threading.Event(), []

    def handler(realm, notices):
        entered.set()
        assert release.wait(WAIT_S)
        seen.append((realm, [notice.id for notice in notices]))

    worker = Worker(inbox, handler, threads=1)
    with Receiver(inbox, worker) as receiver:
        assert receiver.post(body_of(event(1)))[0] == 200
        assert entered.wait(WAIT_S)
        assert [receiver.post(body_of(event(number, realm=B)))[0] for number in (2, 3)] == [200, 200]
        release.set()
        wait_for(lambda: worker.stats["handled"] == 3)
    assert seen == [(A, ["1"]), (B, ["2", "3"])]


def wait_for(condition):
    """Look until a condition holds: threads of the app make it true."""
    give_up_at = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


class Clock:
    def __init__(self):
        self.time = 1_780_000_000.0

    def __call__(self):
        return self.time


def failing(tmp_path, *errors):
    """Return a clock, an inbox with one notice, a worker whose handler raises these errors in turn, and what it got."""
    clock, seen, left = Clock(), [], list(errors)
    inbox = Inbox(tmp_path / "inbox.sqlite3", window_s=0, now=clock)

    def handler(realm, notices):
        seen.append((realm, [notice.id for notice in notices]))
        if left:
            raise left.pop(0)

    with Receiver(inbox) as receiver:
        assert receiver.post(GOOD)[0] == 200
    return clock, inbox, Worker(inbox, handler), seen


def test_a_handler_that_fails_gets_the_notices_again(tmp_path, caplog):
    error = ReauthorizationRequired("Connect the company again.")
    clock, inbox, worker, seen = failing(tmp_path, KeyError("PLANTED"), error, SystemExit("PLANTED"))
    for number in range(3):
        assert worker.run_due() == 1
        assert worker.run_due() == 0  # not before the pause is over
        clock.time += BACKOFF_S[number]
    assert worker.run_due() == 1
    assert seen == [(A, ["1"])] * 4
    assert worker.stats.to_dict() | {"failures": 3, "handled": 1} == worker.stats.to_dict()
    assert inbox.state()["waiting"] == 0
    assert "REAUTHORIZATION_REQUIRED: Connect the company again." in caplog.text
    assert "KeyError at " in caplog.text
    assert "PLANTED" not in caplog.text


def test_a_handler_that_never_works_leaves_dead_letters(tmp_path):
    clock, inbox, worker, seen = failing(tmp_path, *[RuntimeError()] * 20)
    for pause in (*BACKOFF_S, 0):
        assert worker.run_due() == 1
        clock.time += pause
    assert (len(seen), worker.stats["dead"], worker.run_due()) == (len(BACKOFF_S) + 1, 1, 0)
    (letter,) = inbox.dead_letters()
    assert (letter["realmId"], letter["notices"][0]["id"]) == (A, "1")
    assert letter["reason"].startswith("RuntimeError at ")


def test_notices_that_kill_every_process_end_as_dead_letters(tmp_path):
    clock, inbox, worker, seen = failing(tmp_path)
    for _ in range(len(BACKOFF_S) + 1):
        assert inbox.claim(1)  # and the process is gone
        clock.time += LEASE_S
    assert (worker.run_due(), seen, inbox.state()["dead"]) == (1, [], 1)


def test_notices_of_an_unknown_company_are_kept_and_counted(tmp_path):
    clock, inbox, worker, _ = failing(tmp_path, UnknownCompanyError())
    assert worker.run_due() == 1
    clock.time += 86_400
    assert worker.run_due() == 0
    assert (worker.stats["unknown_companies"], worker.stats["failures"]) == (1, 0)
    assert inbox.dead_letters()[0]["reason"].startswith("UNKNOWN_COMPANY")
    assert inbox.revive(A) == 1  # once it is connected
    assert worker.run_due() == 1
    assert inbox.state()["dead"] == 0


def test_a_worker_that_is_stopped_gives_back_what_it_has_not_done(inbox):
    stopping, entered = threading.Event(), threading.Event()

    def handler(*_):
        entered.set()
        assert stopping.wait(WAIT_S)
        raise CancelledError("stopped")

    worker = Worker(inbox, handler, stopping=stopping)
    with Receiver(inbox, worker) as receiver:
        receiver.post(GOOD)
        assert entered.wait(WAIT_S)
    assert worker.stats["failures"] == 0
    (claim,) = inbox.claim(1)
    assert claim.attempts == 1


def test_leases_are_extended_while_the_registry_does_not_answer(inbox, monkeypatch):
    """Or another process would take over a company that is being handled."""
    monkeypatch.setattr("vantage_quickbooks.webhooks.worker.LEASE_S", 0.1)
    monkeypatch.setattr("vantage_quickbooks.webhooks.worker.SCHEDULE_S", 0)
    entered, hangs, answer, extended = (threading.Event() for _ in range(4))
    extend = inbox.extend

    def note(claims):
        extend(claims)
        if hangs.is_set() and list(claims):
            extended.set()

    def companies():
        if entered.is_set():
            hangs.set()
            assert answer.wait(WAIT_S)
        return ()

    def handler(*_):
        entered.set()
        assert answer.wait(WAIT_S)

    monkeypatch.setattr(inbox, "extend", note)
    with Receiver(inbox, Worker(inbox, handler, companies=companies)) as receiver:
        receiver.post(GOOD)
        try:
            assert hangs.wait(WAIT_S)
            assert extended.wait(WAIT_S)
        finally:
            answer.set()


def test_companies_that_are_due_at_the_same_time_are_handed_on_at_the_same_time(inbox):
    together = threading.Barrier(3, timeout=WAIT_S)
    worker = Worker(inbox, lambda *_: together.wait(), threads=3)
    with Receiver(inbox) as receiver:
        receiver.post(body_of(*(event(1, realm=realm) for realm in (A, B, "9341450000000033"))))
    assert worker.run_due() == 3
    assert worker.stats["handled"] == 3


def test_a_batch_handler_gets_all_of_them_in_one_call_and_says_which_failed(inbox):
    calls = []

    class Handler:
        def handle_batch(self, work):
            calls.append([(realm, [notice.id for notice in notices]) for realm, notices in work])
            return {B: RuntimeError()}

    worker = Worker(inbox, Handler(), threads=3)
    with Receiver(inbox) as receiver:
        receiver.post(body_of(event(1), event(2, realm=B)))
    assert worker.run_due() == 2
    assert calls == [[(A, ["1"]), (B, ["2"])]]
    assert (worker.stats["handled"], worker.stats["failures"]) == (1, 1)
    assert [company["realmId"] for company in inbox.state()["failing"]] == [B]


# ---- the server ------------------------------------------------------------------------------------------------------


def asgi(app, *, path="/healthz", root_path="", method="GET", headers=(), body=b""):
    """Send one request without a server; return status and body."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "root_path": root_path, "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_health(receiver, tmp_path):
    assert receiver.post(b"", None, method="GET", path="/healthz") == (200, '{"status": "ok"}')
    assert receiver.counted() == {}
    broken = Inbox(f"sqlite:///{tmp_path}/inbox.sqlite3/no-directory")
    assert asgi(WebhookApp(broken, TOKEN)) == (503, b'{"status": "unavailable"}')


def test_mounted_in_another_app_it_starts_its_worker_with_the_first_request(inbox):
    handled = threading.Event()
    worker = Worker(inbox, lambda *_: handled.set())
    app = WebhookApp(inbox, TOKEN, worker=worker)
    headers = [(b"content-type", b"application/json"), (b"intuit-signature", sign(GOOD, TOKEN).encode())]
    try:
        assert asgi(app, path="/hooks/healthz", root_path="/hooks")[0] == 200
        found = asgi(app, path="/hooks/quickbooks", root_path="/hooks", method="POST", headers=headers, body=GOOD)
        assert found == (200, b"")
        assert handled.wait(WAIT_S)
    finally:
        app.close()


def test_an_inbox_that_is_locked_for_too_long_is_answered_with_503(inbox, receiver):
    import sqlite3

    inbox.prepare()
    file = inbox.describe().removeprefix("SQLite file ")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    status, _ = receiver.post(GOOD)
    other.execute("ROLLBACK")
    other.close()
    assert (status, receiver.stats["unavailable"]) == (503, 1)
    assert receiver.post(GOOD)[0] == 200


FULL = """
import resource, signal, sys
sys.path.insert(0, "tests")
from webhook_receiver import Receiver, body_of, event
from vantage_quickbooks.webhooks import Inbox
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
inbox = Inbox(sys.argv[1], window_s=0)
with Receiver(inbox) as receiver:
    accepted, refused, number = [], 0, 0
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    while refused < 3:
        status, text = receiver.post(body_of(*(event(number + offset) for offset in range(100))))
        if status == 200:
            accepted += range(number, number + 100)
        else:
            assert status == 503, (status, text)
            refused += 1
        number += 100
        assert number < 100_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert receiver.post(body_of(event(number)))[0] == 200
    accepted.append(number)
    assert receiver.stats["unavailable"] == 3
    kept = set()
    while claims := inbox.claim(1):
        kept |= {int(notice.id) for notice in claims[0].notices}
        inbox.finish(claims[0])
    assert kept >= set(accepted), set(accepted) - kept
    print(len(accepted) > 100)
"""


def test_a_full_disk_is_answered_with_503_and_loses_nothing(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "inbox.sqlite3")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (found.returncode, found.stdout) == (0, "True\n"), found.stderr
    assert "webhooks cannot be stored" in found.stderr


# ---- killed processes ------------------------------------------------------------------------------------------------

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]


def start(file, *more):
    """Start the receiver in a process of its own; return it and its port."""
    process = subprocess.Popen(
        [*PROGRAM, "webhooks", "serve", "--no-sync", "--port", "0", "--inbox", str(file), *more],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"VANTAGE_QUICKBOOKS_WEBHOOK_TOKEN": TOKEN.replace(" ", "-")},
    )
    line = next(line for line in process.stdout if "address" in line)
    return process, int(line.rsplit(":", 1)[1].strip(" /\n"))


def test_a_killed_receiver_loses_nothing_that_it_has_accepted(tmp_path):
    file = tmp_path / "inbox.sqlite3"
    token = TOKEN.replace(" ", "-")
    accepted, lock, numbers = set(), threading.Lock(), iter(range(100_000))

    def send(port, limit):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        try:
            while True:
                with lock:
                    number = next(numbers)
                body = body_of(event(number))
                headers = {"content-type": "application/json", "intuit-signature": sign(body, token)}
                connection.request("POST", "/", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    with lock:
                        accepted.add(number)
                        if len(accepted) >= limit:
                            killed.set()
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    for limit in (60, 150):
        process, port = start(file)
        killed = threading.Event()
        threads = [threading.Thread(target=send, args=(port, limit)) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert killed.wait(WAIT_S)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=WAIT_S)
        for thread in threads:
            thread.join()
    inbox = Inbox(file, now=lambda: time.time() + 3_600)
    (claim,) = inbox.claim(10)
    kept = [int(notice.id) for notice in claim.notices]
    assert accepted <= set(kept)
    assert len(claim.rows) == len(set(kept))  # each once


WORKER = """
import sys
from vantage_quickbooks.webhooks import Inbox, Worker
def handler(realm, notices):
    print("working", flush=True)
    sys.stdin.read()
Worker(Inbox(sys.argv[1], window_s=0), handler).run_due()
"""


def test_what_a_killed_worker_had_begun_is_handed_on_again(tmp_path):
    file = tmp_path / "inbox.sqlite3"
    inbox = Inbox(file, window_s=0)
    with Receiver(inbox) as receiver:
        receiver.post(GOOD)
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "working\n"
    assert inbox.claim(1) == []
    process.kill()
    process.communicate(timeout=WAIT_S)
    seen = []
    later = Inbox(file, window_s=0, now=lambda: time.time() + LEASE_S)
    worker = Worker(later, lambda realm, notices: seen.append((realm, [notice.id for notice in notices])))
    assert worker.run_due() == 1
    assert seen == [(A, ["1"])]
