"""The inbox of webhooks, on SQLite and PostgreSQL: nothing is lost, and each company has one worker at a time."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from webhook_receiver import body_of, event

from vantage_quickbooks.errors import InboxError
from vantage_quickbooks.webhooks import Inbox, parse
from vantage_quickbooks.webhooks.inbox import BACKOFF_S, KEPT_S, LEASE_S, MAX_NOTICES, Delivery

A, B = "9341450000000017", "9341450000000025"
DAY = 86_400


class Clock:
    def __init__(self):
        self.time = 1_780_000_000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/inbox.sqlite3"
    return request.getfixturevalue("fresh_postgresql_url")


@pytest.fixture
def inbox(url, clock):
    opened = Inbox(url, window_s=900, interactive_window_s=2, now=clock)
    yield opened
    opened.close()


def delivery(*events, digest=None):
    body = body_of(*events)
    return Delivery(digest or str(hash(body)), parse(body))


def ids(claim):
    return [notice.id for notice in claim.notices]


def claim_one(inbox):
    (claim,) = inbox.claim(10)
    return claim


# ---- receiving -------------------------------------------------------------------------------------------------------


def test_notices_are_due_a_window_after_the_first(inbox, clock):
    assert inbox.put([delivery(event(1))]) == [True]
    clock.time += 800
    inbox.put([delivery(event(2), event(1, second=9))])
    assert inbox.claim(10) == []
    clock.time += 100
    claim = claim_one(inbox)
    assert (claim.realm_id, ids(claim), claim.attempts, claim.is_scheduled) == (A, ["2", "1"], 1, False)
    assert [notice.time.second for notice in claim.notices] == [0, 9]
    assert inbox.claim(10) == []  # it is claimed
    inbox.finish(claim)
    clock.time += DAY
    assert inbox.claim(10) == []
    assert inbox.state() == {"waiting": 0, "companies": 0, "oldest": None, "failing": [], "dead": 0}


def test_a_notification_is_stored_once(inbox):
    first = delivery(event(1))
    assert inbox.put([first, delivery(event(2)), first]) == [True, True, False]
    assert inbox.put([first, delivery(event(3))]) == [False, True]
    assert inbox.state()["waiting"] == 3


def test_one_body_may_mix_companies_or_have_none(inbox, clock):
    inbox.put([delivery(event(1), event(2, realm=B)), delivery()])
    clock.time += 901
    claims = inbox.claim(10)
    assert {claim.realm_id: ids(claim) for claim in claims} == {A: ["1"], B: ["2"]}


def test_a_company_that_is_watched_has_the_short_window(inbox, clock):
    inbox.put([delivery(event(1)), delivery(event(1, realm=B))])
    inbox.watch(A, 60)
    clock.time += 3
    claim = claim_one(inbox)
    assert claim.realm_id == A
    inbox.finish(claim)
    other = "9341450000000033"
    inbox.watch(other, 60)  # before any notice of it
    inbox.put([delivery(event(1, realm=other))])
    clock.time += 3
    inbox.finish(claim_one(inbox))
    clock.time += 60  # the user has left
    inbox.put([delivery(event(2, realm=other))])
    clock.time += 3
    assert inbox.claim(10) == []


def test_what_arrives_during_the_work_has_its_own_window(inbox, clock):
    inbox.put([delivery(event(1))])
    clock.time += 900
    claim = claim_one(inbox)
    inbox.put([delivery(event(2))])
    clock.time += 5
    inbox.finish(claim)
    clock.time += 890
    assert inbox.claim(10) == []
    clock.time += 5
    assert ids(claim_one(inbox)) == ["2"]


def test_more_than_one_claim_can_take_is_due_again_at_once(inbox, clock, monkeypatch):
    monkeypatch.setattr("vantage_quickbooks.webhooks.inbox.MAX_NOTICES", 2)
    assert MAX_NOTICES > 2
    inbox.put([delivery(event(number)) for number in range(5)])
    clock.time += 900
    taken = []
    while claims := inbox.claim(1):
        taken.append(ids(claims[0]))
        inbox.finish(claims[0])
    assert taken == [["0", "1"], ["2", "3"], ["4"]]


def test_a_claim_takes_notices_and_not_only_notifications_up_to_a_limit(inbox, clock, monkeypatch):
    """A notification can have thousands of notices, so a limit of notifications would not limit the memory."""
    monkeypatch.setattr("vantage_quickbooks.webhooks.inbox.MAX_NOTICES", 3)
    inbox.put([delivery(*(event(10 * group + number) for number in range(size))) for group, size in ((0, 2), (1, 2))])
    inbox.put([delivery(*(event(20 + number) for number in range(5)))])
    clock.time += 900
    taken = []
    while claims := inbox.claim(1):
        taken.append(len(claims[0].notices))
        inbox.finish(claims[0])
    assert taken == [2, 2, 5]


def test_a_thousand_companies_in_one_transaction(inbox, clock):
    events = [event(1, realm=str(9_000_000_000 + number)) for number in range(1_100)]
    inbox.put([delivery(*events)])
    inbox.put([delivery(*(one | {"intuitentityid": "2"} for one in events))])
    assert inbox.state()["companies"] == 1_100
    clock.time += 900
    assert len(inbox.claim(50)) == 50


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_is_repeated_after_growing_pauses_and_new_notices_do_not_shorten_them(inbox, clock):
    inbox.put([delivery(event("first"))])
    clock.time += 900
    for attempt, pause in enumerate(BACKOFF_S):
        claim = claim_one(inbox)
        assert (claim.attempts, ids(claim)[0]) == (attempt + 1, "first")
        assert inbox.fail(claim, "NETWORK_ERROR: no") is False
        inbox.put([delivery(event(attempt, second=1))])
        clock.time += pause - 1
        assert inbox.claim(10) == []
        clock.time += 1
    assert inbox.state()["failing"] == [{"realmId": A, "attempts": len(BACKOFF_S), "error": "NETWORK_ERROR: no"}]
    claim = claim_one(inbox)
    assert inbox.fail(claim, "NETWORK_ERROR: still") is True
    state = inbox.state()
    assert (state["waiting"], state["dead"], state["failing"][0]["attempts"]) == (0, len(BACKOFF_S) + 1, 0)
    clock.time += DAY
    assert inbox.claim(10) == []

    inbox.put([delivery(event("later"))])  # begins anew
    clock.time += 900
    claim = claim_one(inbox)
    assert (claim.attempts, ids(claim)) == (1, ["later"])
    inbox.finish(claim)
    assert inbox.state()["failing"] == []


def test_a_server_that_says_when_to_come_again_is_heard(inbox, clock):
    inbox.put([delivery(event(1))])
    clock.time += 900
    inbox.fail(claim_one(inbox), "RATE_LIMITED: wait", retry_after_s=3_600)
    clock.time += 3_599
    assert inbox.claim(10) == []
    clock.time += 1
    assert inbox.claim(10)


def test_dead_letters_are_listed_revived_and_forgotten(inbox, clock):
    bad = Delivery("bad", {}, b'\xff{"no": "json"', "UNREADABLE: it is not JSON")
    inbox.put([delivery(event(1)), delivery(event(2)), delivery(event(3, realm=B)), bad])
    clock.time += 900
    for claim in inbox.claim(10):
        inbox.bury(claim, "it never works")
    letters = {(letter["realmId"], letter["reason"], letter["body"]) for letter in inbox.dead_letters()}
    assert letters == {
        (A, "it never works", None),
        (B, "it never works", None),
        (None, "UNREADABLE: it is not JSON", '\\xff{"no": "json"'),
    }
    assert inbox.dead_letters(1)[0]["notices"] == [parse(body_of(event(3, realm=B)))[B][0].to_dict()]
    assert inbox.revive(A) == 2
    assert ids(claim_one(inbox)) == ["1", "2"]
    assert inbox.revive() == 1
    assert claim_one(inbox).realm_id == B
    assert inbox.revive() == 0
    assert inbox.state()["dead"] == 1  # the one that cannot be read
    clock.time += KEPT_S + 1
    inbox.prune()
    assert inbox.dead_letters() == []
    assert inbox.put([bad]) == [True]  # its digest is forgotten, too


def test_retrying_ends_the_pause_of_a_company_that_failed(inbox, clock):
    inbox.put([delivery(event(1))])
    clock.time += 900
    inbox.fail(claim_one(inbox), "REAUTHORIZATION_REQUIRED: connect again")
    assert inbox.claim(10) == []
    assert inbox.revive() == 0
    claim = claim_one(inbox)
    assert (claim.attempts, ids(claim)) == (1, ["1"])


# ---- leases ----------------------------------------------------------------------------------------------------------


def test_the_lease_of_a_worker_that_was_killed_ends(inbox, clock):
    inbox.put([delivery(event(1))])
    clock.time += 900
    lost = claim_one(inbox)
    inbox.put([delivery(event(2))])
    clock.time += LEASE_S - 1
    assert inbox.claim(10) == []
    clock.time += 1
    claim = claim_one(inbox)
    assert (claim.attempts, ids(claim)) == (2, ["1", "2"])
    inbox.finish(lost)  # it was not killed after all, only slow
    assert inbox.claim(10) == []  # the other one still has the company
    inbox.finish(claim)
    assert inbox.state()["waiting"] == 0


def test_a_lease_is_extended_and_given_back(inbox, clock):
    inbox.put([delivery(event(1))])
    clock.time += 900
    claim = claim_one(inbox)
    for _ in range(5):
        clock.time += LEASE_S - 1
        inbox.extend([claim])
    assert inbox.claim(10) == []
    inbox.release(claim)
    again = claim_one(inbox)
    assert (again.attempts, ids(again)) == (1, ["1"])


def test_threads_share_the_companies(inbox, clock):
    realms = {str(9_000_000_000 + number) for number in range(20)}
    inbox.put([delivery(*(event(1, realm=realm) for realm in realms))])
    clock.time += 900
    taken = []

    def work():
        while claims := inbox.claim(3):
            for claim in claims:
                taken.append(claim.realm_id)
                inbox.finish(claim)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(realms)


PROGRAM = """
import sys
from vantage_quickbooks.webhooks import Inbox
from vantage_quickbooks.webhooks.inbox import Delivery
from vantage_quickbooks.webhooks.notices import Notice
inbox = Inbox(sys.argv[1], window_s=0)
sys.stdin.readline()
new = 0
for number in range(25):  # the same digests in all processes, and companies in different orders
    realms = [str(1000 + (number * int(sys.argv[2]) + offset) % 7) for offset in range(3)]
    notices = {realm: [Notice(realm, "Invoice", str(number), "updated")] for realm in realms}
    new += sum(inbox.put([Delivery(f"{number}", notices), Delivery(f"{sys.argv[2]} {number}", notices)]))
print(new)
"""


def test_processes_write_the_same_notifications_at_the_same_time(url):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2, 3)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    found = [process.communicate(timeout=120) for process in processes]
    assert [errors for _, errors in found] == ["", "", ""]
    assert sum(int(new) for new, _ in found) == 25 + 3 * 25  # common ones once, each process's own
    inbox = Inbox(url, window_s=0)
    assert inbox.state()["waiting"] == 3 * (25 + 3 * 25)
    handed_on = 0
    while claims := inbox.claim(10):
        for claim in claims:
            handed_on += len(claim.rows)
            inbox.finish(claim)
    assert handed_on == 3 * (25 + 3 * 25)


# ---- the schedule ----------------------------------------------------------------------------------------------------


def test_scheduled_companies_are_due_at_once_and_then_once_a_period(inbox, clock):
    for _ in range(2):
        inbox.schedule([A, B])
        claims = inbox.claim(10)
        assert {(claim.realm_id, claim.notices, claim.is_scheduled) for claim in claims} == {
            (A, (), True),
            (B, (), True),
        }
        for claim in claims:
            inbox.finish(claim, DAY)
        inbox.schedule([A, B])
        clock.time += DAY - 1
        assert inbox.claim(10) == []
        clock.time += 1


def test_notices_put_the_next_reconciliation_off(inbox, clock):
    inbox.put([delivery(event(1))])
    inbox.schedule([A])
    claim = claim_one(inbox)
    assert ids(claim) == ["1"]  # what waits is handed on, too
    inbox.finish(claim, DAY)
    clock.time += DAY / 2
    inbox.put([delivery(event(2))])
    clock.time += 900
    inbox.finish(claim_one(inbox), DAY)
    clock.time += DAY / 2
    assert inbox.claim(10) == []
    clock.time += DAY / 2
    assert claim_one(inbox).notices == ()


def test_a_company_that_cannot_be_reconciled_is_tried_again_the_next_day(inbox, clock):
    inbox.schedule([A])
    for _ in BACKOFF_S:
        inbox.fail(claim_one(inbox), "no", period_s=DAY)
        clock.time += max(BACKOFF_S)
    assert inbox.fail(claim_one(inbox), "no", period_s=DAY) is True
    assert inbox.claim(10) == []
    clock.time += DAY
    assert claim_one(inbox).attempts == 1


def test_a_clock_that_was_wrong_holds_nothing_back(inbox, clock):
    """The clock was a year ahead while companies were scheduled, claimed, failed and got notices; then it was set."""
    right = clock.time
    clock.time += 365 * DAY
    inbox.schedule([A, B])
    first, lost = inbox.claim(10)
    inbox.finish(first, DAY)
    inbox.put([delivery(event(1, realm=first.realm_id))])
    failed = "9341450000000033"
    inbox.put([delivery(event(1, realm=failed))])
    clock.time += 900
    (again,) = [claim for claim in inbox.claim(10) if claim.realm_id == failed]
    inbox.fail(again, "no")
    clock.time = right
    inbox.repair_times(DAY)
    clock.time += DAY
    assert {claim.realm_id for claim in inbox.claim(10)} == {first.realm_id, lost.realm_id, failed}


def test_a_shorter_period_holds_from_now_on(inbox, clock):
    inbox.schedule([A])
    inbox.finish(claim_one(inbox), 20 * DAY)
    inbox.repair_times(DAY)
    clock.time += DAY
    assert claim_one(inbox).realm_id == A


def test_times_that_are_right_stay_as_they_are(inbox, clock):
    inbox.schedule([A])
    inbox.finish(claim_one(inbox), DAY)
    inbox.put([delivery(event(1, realm=B))])
    clock.time += 900
    claim = claim_one(inbox)
    inbox.repair_times(DAY)
    assert inbox.claim(10) == []  # still claimed
    inbox.fail(claim, "no", retry_after_s=DAY)
    inbox.repair_times(DAY)
    clock.time += DAY - 901
    assert inbox.claim(10) == []
    clock.time += 901
    assert len(inbox.claim(10)) == 2


def test_an_error_after_some_claims_returns_those(inbox, clock, monkeypatch):
    """Or they would count as attempts that nothing made, and end as dead letters."""
    inbox.put([delivery(event(1), event(1, realm=B))])
    clock.time += 900
    write, calls = inbox._write, []

    def failing(change):
        calls.append(change)
        if len(calls) > 1:
            raise InboxError("busy")
        return write(change)

    monkeypatch.setattr(inbox, "_write", failing)
    assert len(inbox.claim(10)) == 1
    with pytest.raises(InboxError, match="busy"):
        inbox.claim(10)


def test_a_company_that_was_removed_is_not_a_failure(inbox):
    inbox.schedule([A])
    inbox.bury(claim_one(inbox), "UNKNOWN_COMPANY", is_unknown=True)
    assert inbox.state()["failing"] == []


def test_an_unknown_company_is_not_scheduled_any_longer(inbox, clock):
    inbox.schedule([A])
    inbox.bury(claim_one(inbox), "UNKNOWN_COMPANY", is_unknown=True)
    clock.time += 2 * DAY
    assert inbox.claim(10) == []


def test_a_deadlock_is_not_an_error(fresh_postgresql_url, clock):
    """The server ends one of two transactions that wait for each other; it is made again."""
    import sqlalchemy as sa

    from vantage_quickbooks.webhooks.inbox_database import COMPANY

    inbox = Inbox(fresh_postgresql_url, now=clock)
    inbox.schedule([A, B])
    both, attempts = threading.Barrier(2), []

    def lock(first, second):
        def change(database):
            attempts.append(first)
            for realm in (first, second):
                database.execute(sa.update(COMPANY).where(COMPANY.c.realm == realm).values(error="locked"))
                if realm == first and len(attempts) <= 2:
                    both.wait(60)

        inbox._database.write(change)

    threads = [threading.Thread(target=lock, args=pair) for pair in ((A, B), (B, A))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(attempts) == 3
    assert len(inbox.state()["failing"]) == 2


# ---- the database ----------------------------------------------------------------------------------------------------


def test_a_file_is_private_and_reading_creates_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    inbox = Inbox()
    assert inbox.state()["waiting"] == 0
    assert (inbox.dead_letters(), inbox.claim(1), list(tmp_path.iterdir())) == ([], [], [])
    inbox.put([delivery(event(1))])
    (file,) = (tmp_path / "state").rglob("webhooks.sqlite3")
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    assert inbox.describe() == f"SQLite file {file}"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense://x", "webhook inbox"),
        ("sqlite://", "does not name a SQLite file"),
        ("sqlite:////tmp/x?mode=ro", "without options"),
        ("postgresql+asyncpg://u:PLANTED@h/d", "asyncpg|asynchronous"),
    ],
)
def test_a_url_that_cannot_be_used(url, message):
    with pytest.raises(InboxError, match=message) as raised:
        Inbox(url)
    assert "PLANTED" not in str(raised.value)
    assert raised.value.retryable is False


def test_a_server_that_cannot_be_reached_is_an_error_without_its_password():
    inbox = Inbox("postgresql+psycopg://user:PLANTED@127.0.0.1:1/books")
    with pytest.raises(InboxError, match=r"postgresql://127\.0\.0\.1:1/books cannot be written") as raised:
        inbox.put([delivery(event(1))])
    assert raised.value.retryable is True
    assert "PLANTED" not in f"{raised.value!r}{raised.value.__cause__}{raised.value.__context__}"


def test_a_file_that_is_not_a_database_is_not_changed(tmp_path):
    file = tmp_path / "inbox.sqlite3"
    file.write_text("something else entirely, and long enough to be noticed " * 20)
    with pytest.raises(InboxError, match="SQLITE_NOTADB"):
        Inbox(file).put([delivery(event(1))])
    assert file.read_text().startswith("something else")


def test_a_damaged_file_says_what_to_do(tmp_path):
    file = tmp_path / "inbox.sqlite3"
    kept = Inbox(file)
    kept.put([delivery(event(number, realm=str(number))) for number in range(100)])
    kept.close()
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * (file.stat().st_size - 4096))
    with pytest.raises(InboxError, match=r"SQLITE_(CORRUPT|NOTADB)\w*\)\. The file is damaged: move it") as raised:
        Inbox(file).put([delivery(event(1))])
    assert raised.value.retryable is False
