"""Metered calls counted over all processes of a store: they warn, and stop at the deployment's limit."""

from __future__ import annotations

import json
import logging
import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest

from vantage_quickbooks.api.call_ledger import MAX_PENDING, MAX_PENDING_S, CallLedger, is_company_key
from vantage_quickbooks.auth.stores import HostStore, MemoryStore, open_store
from vantage_quickbooks.cli import main
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.errors import AppBlockedError, SettingsError, TokenStoreError

APP = "ABexample"
PROCESSES = multiprocessing.get_context("fork")


class Clock:
    """A wall clock and a monotonic one."""

    at = datetime(2026, 11, 10, 12, tzinfo=UTC)
    ticks = 0.0

    def now(self):
        return self.at

    def monotonic(self):
        return self.ticks

    def tick(self, seconds=MAX_PENDING_S):
        self.ticks += seconds


@pytest.fixture
def clock():
    return Clock()


def ledger(store, clock, limit=None, app=APP):
    return CallLedger(store, app, limit, now=clock.now, monotonic=clock.monotonic)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def open_here(request, tmp_path):
    """Open the same store again, as another process would."""
    if request.param == "memory":
        store = MemoryStore()
        return lambda: store
    url = str(tmp_path / "t.sqlite3") if request.param == "sqlite" else request.getfixturevalue("fresh_postgresql_url")
    return lambda: open_store(url)


def test_calls_add_up_by_app_and_month_over_all_processes(open_here):
    """Each process opens the store for itself."""
    one, other = open_here(), open_here()
    assert [one.add_calls(APP, "2026-11", 3), other.add_calls(APP, "2026-11", 4)] == [3, 7]
    assert other.add_calls("ABother", "2026-11", 1) == 1
    assert one.add_calls(APP, "2026-12", 5) == 5
    assert one.add_calls(APP, "2027-01", 0) == 0
    assert other.counted_calls() == [(APP, "2026-11", 7), (APP, "2026-12", 5), ("ABother", "2026-11", 1)]


def add_many(open_here):
    store = open_here()
    for _ in range(50):
        store.add_calls(APP, "2026-11", 2)


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_call_is_lost_between_processes_that_count_at_once(kind, request, tmp_path):
    """Four real processes, none of which sees the others' connections."""
    url = str(tmp_path / "t.sqlite3") if kind == "sqlite" else request.getfixturevalue("fresh_postgresql_url")
    processes = [PROCESSES.Process(target=add_many, args=(lambda: open_store(url),)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    assert open_store(url).counted_calls() == [(APP, "2026-11", 400)]


def test_calls_are_added_in_small_numbers_and_when_the_ledger_is_flushed(clock):
    """The first at once, then twenty or what came in two seconds."""
    store = MemoryStore()
    counting = ledger(store, clock)
    counting.record()
    assert store.counted_calls() == [(APP, "2026-11", 1)]
    for _ in range(MAX_PENDING - 1):
        counting.record()
    assert store.counted_calls() == [(APP, "2026-11", 1)]
    counting.record()
    assert store.counted_calls() == [(APP, "2026-11", 1 + MAX_PENDING)]
    counting.record()
    clock.tick()
    counting.record()
    assert store.counted_calls() == [(APP, "2026-11", 3 + MAX_PENDING)]
    counting.record()
    counting.flush()
    assert store.counted_calls() == [(APP, "2026-11", 4 + MAX_PENDING)]


def test_the_limit_counts_the_calls_of_all_processes_and_ends_with_the_month(clock):
    """Nothing is sent, and the error says when it goes on."""
    store = MemoryStore()
    one, other = ledger(store, clock, 10), ledger(store, clock, 10)
    for _ in range(6):
        one.check()
        one.record()
    one.flush()
    for _ in range(4):
        other.check()
        other.record()
    with pytest.raises(AppBlockedError, match="used 10 metered API calls in 2026-11, and this deployment allows 10"):
        other.check()
    other.flush()
    clock.tick()
    one.record()  # on its way when the other reached the limit
    with pytest.raises(AppBlockedError) as caught:
        one.check()
    assert caught.value.code == "APP_BLOCKED"
    assert caught.value.retry_after_s == (datetime(2026, 12, 1, tzinfo=UTC) - clock.at).total_seconds()

    clock.at += timedelta(days=21)
    one.check()
    other.check()
    one.record()
    one.flush()
    assert store.counted_calls() == [(APP, "2026-11", 11), (APP, "2026-12", 1)]


def test_a_limit_that_another_process_raised_the_count_to_is_noticed(clock):
    """The total is the store's, not this process' own."""
    store = MemoryStore()
    counting = ledger(store, clock, 100)
    counting.check()
    store.add_calls(APP, "2026-11", 99)
    clock.tick()
    counting.record()
    with pytest.raises(AppBlockedError):
        counting.check()


def test_warnings_come_at_80_and_95_percent_once_each(clock, caplog):
    """With the day on which the limit is reached at this pace."""
    caplog.set_level(logging.WARNING)
    counting = ledger(MemoryStore(), clock, 100)
    for _ in range(99):
        counting.record()
        clock.tick()
    messages = [entry.getMessage() for entry in caplog.records]
    assert messages == [
        "80 of 100 metered API calls of 2026-11 are used; at this pace the limit is reached on 2026-11-13",
        "95 of 100 metered API calls of 2026-11 are used; at this pace the limit is reached on 2026-11-11",
    ]


class Broken(MemoryStore):
    def add_calls(self, *_):
        raise TokenStoreError("The disk is full.")


def test_a_store_that_cannot_count_stops_calls_only_if_there_is_a_limit(clock, caplog):
    """Without a limit it is logged once; with one, an uncounted call could exceed it."""
    caplog.set_level(logging.WARNING)
    counting = ledger(Broken(), clock)
    for _ in range(50):
        counting.check()
        counting.record()
    assert [entry.getMessage() for entry in caplog.records] == ["metered API calls are not counted: The disk is full."]
    with pytest.raises(TokenStoreError, match=r"limits metered API calls.*nothing was sent. The disk is full."):
        ledger(Broken(), clock, 10).check()


def test_the_calls_of_a_connection_are_counted_and_limited(emulator, tmp_path):
    """Successful ones only, over two connections of one store; the third connection sends nothing."""
    deployment = Deployment(
        api_url=emulator.url, oauth_url=emulator.url, token_store=str(tmp_path / "t.sqlite3"), monthly_call_limit="5"
    )
    for _ in range(2):
        with QUICKBOOKS.connect(emulator.credentials(), deployment=deployment) as connection:
            connection.invoke("getCompanyInfo")
            connection.call("getInvoice", {"id": "999999999"})  # refused: not metered
            connection.invoke("listCustomers", {"max_results": 1})
            usage = connection.monthly_usage()
    assert (usage["calls"], usage["limit"]) == (4, 5)
    assert usage["projected"] >= 4
    with QUICKBOOKS.connect(emulator.credentials(), deployment=deployment) as connection:
        connection.invoke("getCompanyInfo")
        before = emulator.counters()["api_requests"]["total"]
        error = connection.call("getCompanyInfo")["error"]
        assert (error["code"], error["details"]["limit"]) == ("APP_BLOCKED", 5)
        assert emulator.counters()["api_requests"]["total"] == before


def test_calls_outside_of_production_are_not_metered(emulator, tmp_path):
    """Intuit meters production only; an emulated company does not fill the ledger."""
    path = tmp_path / "t.sqlite3"
    deployment = Deployment(token_store=str(path), monthly_call_limit="1")
    with QUICKBOOKS.connect(emulator.settings(), deployment=deployment) as connection:
        for _ in range(3):
            connection.invoke("getCompanyInfo")
        assert connection.monthly_usage()["calls"] == 0
    counted = open_store(str(path)).counted_calls()
    assert [calls for app, _, calls in counted if not is_company_key(app)] == []
    assert [calls for app, _, calls in counted if is_company_key(app)] == [3]  # those of a company are for its user


def test_a_company_has_a_limit_of_its_own(emulator, tmp_path):
    """Another company of the app goes on; the status explains, and needs no request."""
    deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url, token_store=str(tmp_path / "t.sqlite3"))
    settings = emulator.credentials() | {"monthly_call_limit": "2"}
    with QUICKBOOKS.connect(settings, deployment=deployment) as connection:
        assert connection.status()["monthlyCalls"]["limit"] == 2
        for _ in range(2):
            connection.invoke("getCompanyInfo")
        before = emulator.counters()["api_requests"]["total"]
        error = connection.call("getCompanyInfo")["error"]
        assert error["code"] == "APP_BLOCKED"
        assert "This company has used 2 metered API calls" in error["message"]
        assert error["details"]["setBy"] == "monthly_call_limit"
        status = connection.status()
        assert (status["state"], status["monthlyCalls"]["calls"]) == ("throttled", 2)
        assert status["throttledUntil"].endswith("-01T00:00:00.000Z")
        assert emulator.counters()["api_requests"]["total"] == before
    with QUICKBOOKS.connect(emulator.credentials(), deployment=deployment) as connection:
        assert connection.invoke("getCompanyInfo")
        assert connection.status()["state"] == "ready"
        assert connection.monthly_usage()["calls"] == 3  # the app's


def test_the_status_of_a_connection_needs_no_request(emulator, tmp_path):
    """The dates are unknown before the first token, and a refused grant is known after the refusal."""
    deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url, token_store=str(tmp_path / "t.sqlite3"))
    with QUICKBOOKS.connect(emulator.credentials(), deployment=deployment) as connection:
        first = connection.status()
        assert (first["state"], first["refreshTokenExpiresAt"], first["message"]) == ("ready", None, None)
        assert first["account"] == emulator.realm_id
        connection.invoke("getCompanyInfo")
        known = connection.status()
        days = [(datetime.fromisoformat(known[name]) - datetime.now(UTC)).days
                for name in ("refreshTokenExpiresAt", "grantExpiresAt")]  # fmt: skip
        assert 98 <= days[0] <= 101
        assert 1800 <= days[1] <= 1830
        emulator.revoke_grants()
        emulator.expire_access_tokens()
        assert connection.call("getCompanyInfo")["error"]["code"] == "REAUTHORIZATION_REQUIRED"
        assert connection.status()["state"] == "reauthorizationRequired"
        assert connection.api_calls() == {"getCompanyInfo": connection.api_calls()["getCompanyInfo"]}


def test_a_host_that_keeps_tokens_gets_its_calls_counted_in_the_process():
    """There is no place to share them; all connections of the process count together."""
    one, other = (HostStore(name, lambda _: None, lambda *_: 1) for name in "ab")
    before = one.add_calls("ABhost", "2026-11", 0)
    one.add_calls("ABhost", "2026-11", 2)
    assert other.add_calls("ABhost", "2026-11", 1) == before + 3
    assert ("ABhost", "2026-11", before + 3) in other.counted_calls()


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5", "12345678901"])
def test_a_limit_that_is_not_a_number_is_refused(limit):
    """When the connection is made."""
    with pytest.raises(SettingsError, match="VANTAGE_QUICKBOOKS_MONTHLY_CALL_LIMIT"):
        Deployment(monthly_call_limit=limit).max_monthly_calls()


def test_the_command_line_shows_what_was_used(tmp_path, monkeypatch, capsys):
    """By app and month, this month with a forecast."""
    path = tmp_path / "t.sqlite3"
    month = f"{datetime.now(UTC):%Y-%m}"
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(path))
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_MONTHLY_CALL_LIMIT", "500000")
    assert main(["cost", "--used"]) == 0
    assert capsys.readouterr().out.endswith("no metered calls are counted.\n")
    store = open_store(str(path))
    store.add_calls(APP, month, 100)
    store.add_calls(APP, "2020-01", 1_234)
    assert main(["cost", "--used"]) == 0
    text = capsys.readouterr().out
    assert f"{APP} 2020-01: 1,234 metered calls\n" in text
    assert f"{APP} {month}: 100 metered calls, " in text
    assert main(["cost", "--used", "--format", "json"]) == 0
    apps = json.loads(capsys.readouterr().out)["apps"]
    assert [(row["month"], row["calls"], "projected" in row) for row in apps] == [
        ("2020-01", 1_234, False), (month, 100, True)
    ]  # fmt: skip
