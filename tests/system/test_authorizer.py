"""Tokens over live HTTP: one refresh at a time, stored before use, and every failure distinguished."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vantage_quickbooks.api.rate_limiter import rate_limiter_for
from vantage_quickbooks.auth import authorizer
from vantage_quickbooks.auth.stores import MemoryStore, SQLiteStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import (
    AccessTokenRefusedError,
    CancelledError,
    ClientCredentialsError,
    CredentialConflict,
    DeadlineExceededError,
    NetworkError,
    QuickBooksUnavailableError,
    ReauthorizationRequired,
    TokenStoreError,
    UnexpectedResponseError,
)


class DictHost:
    """A host that keeps credentials itself, with versions."""

    def __init__(self):
        self.kept: dict[str, tuple[int, dict]] = {}
        self.saves = 0

    def load(self, connection_id):
        if connection_id not in self.kept:
            return None
        version, credentials = self.kept[connection_id]
        return {**credentials, "version": version}

    def save(self, connection_id, credentials, expected_version):
        version = self.kept.get(connection_id, (None, {}))[0]
        if version is not None and version != expected_version:
            raise CredentialConflict("another process saved first")
        self.kept[connection_id] = ((version or 0) + 1, credentials)
        self.saves += 1
        return self.kept[connection_id][0]

    def context(self, connection_id="c1"):
        return HostContext(connection_id=connection_id, load_credentials=self.load, save_credentials=self.save)


def age(store, connection, **by):
    """Make the stored access token older."""
    key = connection._get_client().authorizer.key
    record = store.load(key)
    passed = timedelta(**by)
    moved = replace(
        record,
        access_token_expires_at=record.access_token_expires_at - passed,
        obtained_at=record.obtained_at - passed,
    )
    store.save(key, moved)
    connection._get_client().authorizer._cached = None


def of_another_process(connection):
    """Give a connection its own locks, as if it ran in another process."""
    connection._get_client().authorizer._chain = authorizer._Chain("elsewhere")
    return connection


def token_requests(emulator):
    return emulator.counters()["token_requests"]["total"]


def test_a_valid_token_is_returned_without_a_request(connect, emulator):
    """getAccessToken returns the cached token while it is valid."""
    connection = connect()

    first, second = connection.invoke("getAccessToken"), connection.invoke("getAccessToken")

    assert first["accessToken"] == second["accessToken"]
    assert (first["refreshed"], second["refreshed"]) == (True, False)
    assert token_requests(emulator) == 1


def test_a_token_that_expires_within_five_minutes_is_refreshed(connect, emulator):
    """Five minutes of skew: no token expires during a request."""
    store = MemoryStore()
    connection = connect(store=store)
    first = connection.invoke("getAccessToken")["accessToken"]

    age(store, connection, minutes=54)
    assert connection.invoke("getAccessToken")["accessToken"] == first
    age(store, connection, minutes=1, seconds=1)
    assert connection.invoke("getAccessToken")["accessToken"] != first
    assert token_requests(emulator) == 2


def test_both_expiries_of_the_grant_are_reported(connect):
    """The rolling expiry after 100 days, and the hard expiry after five years."""
    token = connect().invoke("getAccessToken")

    rolling, hard = (
        datetime.fromisoformat(token[key]) for key in ("refreshTokenExpiresAt", "refreshTokenHardExpiresAt")
    )
    now = datetime.now(UTC)
    assert timedelta(days=99) < rolling - now < timedelta(days=102)
    assert timedelta(days=5 * 364) < hard - now < timedelta(days=5 * 366)


def test_a_second_connection_finds_the_token_in_the_store(connect, emulator, tmp_path):
    """A worker that starts later reads the chain and sends no token request."""
    first = connect(store=SQLiteStore(tmp_path / "t.sqlite3")).invoke("getAccessToken")
    second = connect(store=SQLiteStore(tmp_path / "t.sqlite3")).invoke("getAccessToken")

    assert second["accessToken"] == first["accessToken"]
    assert second["refreshed"] is False
    assert token_requests(emulator) == 1


def test_a_refresh_uses_the_newest_refresh_token(connect, emulator):
    """The form's refresh token is spent after the first refresh; later ones use the stored token."""
    store = MemoryStore()
    connection = connect(store=store)
    connection.invoke("getAccessToken")
    for _ in range(3):
        age(store, connection, hours=1)
        assert connection.invoke("getAccessToken")["refreshed"] is True
    assert emulator.counters()["token_requests"]["failed"] == 0


def test_threads_at_a_stale_token_cause_one_token_request(connect, emulator):
    """32 threads, one token request, one token."""
    connection = connect()
    barrier = threading.Barrier(32)

    def get(_):
        barrier.wait()
        return connection.invoke("getAccessToken")["accessToken"]

    with ThreadPoolExecutor(32) as pool:
        handed_out = list(pool.map(get, range(32)))

    assert len(set(handed_out)) == 1
    assert token_requests(emulator) == 1


def test_a_changed_client_secret_makes_the_cached_token_invalid(connect, emulator):
    """Another client secret in the form: the cached access token is never returned again."""
    store = MemoryStore()
    form_token = emulator.refresh_token
    first = connect(store=store).invoke("getAccessToken")["accessToken"]
    secret = emulator.rotate_client_secret(invalidate_tokens=False)

    renewed = connect(store=store, client_secret=secret, refresh_token=form_token).invoke("getAccessToken")

    assert renewed["refreshed"] is True
    assert renewed["accessToken"] != first


def test_a_wrong_client_secret_gets_no_cached_token_and_breaks_nothing(connect, emulator):
    """A wrong secret gets nothing from the store; the right one continues to work."""
    store = MemoryStore()
    form_token = emulator.refresh_token
    good = connect(store=store, refresh_token=form_token)
    first = good.invoke("getAccessToken")["accessToken"]

    with pytest.raises(ClientCredentialsError):
        connect(store=store, client_secret="not-the-secret", refresh_token=form_token).invoke("getAccessToken")

    again = connect(store=store, refresh_token=form_token).invoke("getAccessToken")
    assert (again["accessToken"], again["refreshed"]) == (first, False)


def test_a_newly_pasted_refresh_token_starts_a_new_chain(connect, emulator):
    """After reconnecting, the form's new token is used, not the stored record of the old chain."""
    store = MemoryStore()
    old = connect(store=store)
    old.invoke("getAccessToken")
    emulator.revoke_grants()

    pasted = emulator.grant()
    renewed = connect(store=store, refresh_token=pasted).invoke("getAccessToken")

    assert renewed["refreshed"] is True


def test_two_grants_of_one_company_do_not_overwrite_each_other(connect, emulator):
    """Two people connect the same company: their chains are independent."""
    store = MemoryStore()
    one = connect(store=store, refresh_token=emulator.grant())
    two = connect(store=store, refresh_token=emulator.grant())
    for connection in (one, two, one, two):
        connection.invoke("getAccessToken")
        age(store, connection, hours=1)
    assert one.invoke("getAccessToken")["refreshed"] is True
    assert emulator.counters()["token_requests"]["failed"] == 0


def test_a_revoked_grant_requires_reauthorization(connect, emulator):
    """invalid_grant without a concurrent rotation ends the chain."""
    emulator.revoke_grants()
    with pytest.raises(ReauthorizationRequired) as caught:
        connect().invoke("listCustomers")
    assert caught.value.details["apiCalls"] == 0


def test_a_refused_access_token_is_replaced_once(connect, emulator):
    """401: refresh once, repeat once."""
    connection = connect()
    connection.invoke("getCompanyInfo")
    emulator.expire_access_tokens()

    assert connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"]
    assert token_requests(emulator) == 2


def test_a_new_token_that_is_refused_too_is_reported(connect, emulator):
    """The token is not refreshed a third time after the second 401."""
    emulator.fault("expired_token", path="/companyinfo", times=-1)

    with pytest.raises(AccessTokenRefusedError) as caught:
        connect().invoke("getCompanyInfo")

    assert "connect the company again" in caught.value.message
    assert token_requests(emulator) == 2


def test_many_threads_refused_at_once_refresh_once(connect, emulator):
    """Ten requests in flight with the same refused token: one refresh replaces it for all."""
    connection = connect()
    connection.invoke("getAccessToken")
    emulator.expire_access_tokens()
    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(lambda _: connection.invoke("getCompanyInfo"), range(10)))

    assert len(results) == 10
    assert token_requests(emulator) == 2


@pytest.mark.parametrize(
    ("fault", "options", "error", "requests"),
    [
        ("html", {}, QuickBooksUnavailableError, 3),
        ("status", {"status": 500}, QuickBooksUnavailableError, 1),
        ("reset", {}, NetworkError, 1),
        ("truncate", {}, UnexpectedResponseError, 1),
    ],
)
def test_every_failure_of_the_token_endpoint_is_reported(connect, emulator, fault, options, error, requests):
    """Only a request that certainly rotated nothing is repeated."""
    emulator.fault(fault, path="/oauth2/v1/tokens/bearer", times=-1, **options)

    with pytest.raises(error):
        connect().invoke("getAccessToken")

    assert sum(r["path"].endswith("/tokens/bearer") for r in emulator.requests()) == requests


def test_an_unreachable_token_endpoint_is_retried_and_reported(connect, emulator, patient_call):
    """No connection was established, so a retry is safe; finally the error is reported."""
    connection = connect()
    emulator.stop()

    with pytest.raises(NetworkError) as caught:
        connection.invoke("getAccessToken")

    assert caught.value.retryable is True
    assert len(patient_call.slept) >= 2


def test_a_save_that_fails_keeps_the_new_token_for_the_next_call(connect, emulator):
    """Intuit has already rotated: the next call saves the new refresh token."""
    store = MemoryStore()
    connection = connect(store=store)
    save, store.save = store.save, lambda *_: (_ for _ in ()).throw(TokenStoreError("the disk is full"))
    with pytest.raises(TokenStoreError):
        connection.invoke("getAccessToken")
    store.save = save

    token = connection.invoke("getAccessToken")

    assert token["refreshed"] is False
    assert token_requests(emulator) == 1
    assert store.load(connection._get_client().authorizer.key).access_token.reveal() == token["accessToken"]


def test_the_new_token_is_stored_before_it_is_used(connect, emulator):
    """If it cannot be stored, no API request uses it."""
    store = MemoryStore()
    store.save = lambda *_: (_ for _ in ()).throw(TokenStoreError("the disk is full"))
    with pytest.raises(TokenStoreError):
        connect(store=store).invoke("getCompanyInfo")

    assert emulator.counters()["api_requests"]["total"] == 0


def test_a_hosts_credentials_hooks_keep_the_chain(emulator, deployment):
    """With both hooks, the connector itself stores nothing."""
    host = DictHost()
    form = emulator.credentials()
    first = QUICKBOOKS.connect(form, host.context(), deployment=deployment).invoke("getAccessToken")
    second = QUICKBOOKS.connect(form, host.context(), deployment=deployment).invoke("getAccessToken")

    assert second["accessToken"] == first["accessToken"]
    assert host.saves == 1
    assert host.kept["c1"][1]["refreshToken"].startswith("RT1-")


def test_a_concurrent_rotation_is_used_after_invalid_grant(emulator, deployment):
    """A host's store has no lock across processes: the loser of a race uses the winner's token."""
    host = DictHost()
    form = emulator.credentials()
    winner = of_another_process(QUICKBOOKS.connect(form, host.context(), deployment=deployment))
    loser = QUICKBOOKS.connect(form, host.context(), deployment=deployment)
    real_load, loads = host.load, []

    def load_too_early(connection_id):
        loads.append(connection_id)
        seen = real_load(connection_id)
        if len(loads) == 1:
            winner_context_load = host.load
            host.load = real_load
            winner.invoke("getAccessToken")
            host.load = winner_context_load
        return seen

    loser._context = replace(host.context(), load_credentials=load_too_early)

    token = loser.invoke("getAccessToken")

    assert token["accessToken"] == host.kept["c1"][1]["accessToken"]
    assert emulator.counters()["token_requests"]["failed"] == 1


@pytest.mark.emulator(rotation="always", previous_token_grace_s=86_400)
def test_a_save_that_loses_the_race_uses_the_winners_record(emulator, deployment):
    """CredentialConflict: load again, and use the winner's record."""
    host = DictHost()
    form = emulator.credentials()
    winner = QUICKBOOKS.connect(form, host.context(), deployment=deployment)
    loser = QUICKBOOKS.connect(form, host.context(), deployment=deployment)
    winner.invoke("getAccessToken")
    saved = host.kept.copy()
    host.kept.clear()
    real_save = host.save

    def save_too_late(*args):
        host.kept.update(saved)
        return real_save(*args)

    loser._context = replace(host.context(), save_credentials=save_too_late)

    token = loser.invoke("getAccessToken")

    assert token["accessToken"] == saved["c1"][1]["accessToken"]


def test_a_host_with_one_of_the_two_hooks_is_refused(emulator, deployment):
    """A host that loads but does not save would lose the rotated token."""
    from vantage_quickbooks.errors import SettingsError

    with pytest.raises(SettingsError, match="vantage_save_credentials"):
        QUICKBOOKS.connect(
            emulator.credentials(), HostContext(load_credentials=lambda _: None), deployment=deployment
        ).invoke("getAccessToken")


def test_threads_with_a_connection_each_over_a_hosts_store_refresh_once(emulator, deployment):
    """A host that connects for each call: the chain's lock belongs to the process, not to the connection."""
    host, form = DictHost(), emulator.credentials()
    connections = [QUICKBOOKS.connect(form, host.context(), deployment=deployment) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        handed_out = list(pool.map(lambda connection: connection.invoke("getAccessToken")["accessToken"], connections))

    assert len(set(handed_out)) == 1
    assert emulator.counters()["token_requests"] == {"total": 1, "ok": 1, "failed": 0}


def test_a_hosts_deadline_does_not_break_the_chain(emulator, deployment):
    """Once a token request is sent, its response is awaited and stored, even beyond the deadline."""
    host, form = DictHost(), emulator.credentials()
    emulator.fault("latency", path="/tokens/bearer", times=1, seconds=1.2)
    hurried = replace(host.context(), deadline=datetime.now(UTC) + timedelta(seconds=0.6))
    with pytest.raises(DeadlineExceededError):
        QUICKBOOKS.connect(form, hurried, deployment=deployment).invoke("getCompanyInfo")

    QUICKBOOKS.connect(form, host.context(), deployment=deployment).invoke("getCompanyInfo")
    assert token_requests(emulator) == 1


def test_a_token_that_could_not_be_saved_outlives_its_connection(emulator, deployment):
    """A host that connects for each call: the next connection saves what the previous one could not."""
    host, form = DictHost(), emulator.credentials()

    def fail(*_):
        raise OSError("the host's database is down")

    broken = replace(host.context(), save_credentials=fail)
    with QUICKBOOKS.connect(form, broken, deployment=deployment) as connection, pytest.raises(TokenStoreError):
        connection.invoke("getAccessToken")
    with QUICKBOOKS.connect(form, host.context(), deployment=deployment) as connection:
        token = connection.invoke("getAccessToken")

    assert token_requests(emulator) == 1
    assert host.kept["c1"][1]["accessToken"] == token["accessToken"]


def test_a_pending_record_does_not_replace_a_newer_one(emulator, deployment):
    """Another process has saved a newer record since: that one is used."""
    host, form = DictHost(), emulator.credentials()
    first = QUICKBOOKS.connect(form, host.context(), deployment=deployment)
    first.invoke("getAccessToken")
    pending = replace(
        first._get_client().authorizer._cached[0], version=0, refresh_token="RT1-older", access_token="older"
    )
    first._get_client().authorizer._chain.set_pending(pending)
    newest = host.kept["c1"][1]["accessToken"]

    assert first.invoke("getAccessToken")["accessToken"] == newest
    first._get_client().authorizer._cached = None
    assert first.invoke("getAccessToken")["accessToken"] == newest
    assert host.kept["c1"][1]["accessToken"] == newest
    assert first._get_client().authorizer._chain.pending is None


def test_a_false_conflict_does_not_lose_the_new_token(emulator, deployment):
    """A host that reports a conflict by mistake: its record is older, so the new one is saved."""
    host, form = DictHost(), emulator.credentials()
    real_save, tries = host.save, []

    def save(*args):
        tries.append(args)
        if len(tries) == 1:
            raise CredentialConflict("a serialization failure, in truth")
        return real_save(*args)

    context = replace(host.context(), save_credentials=save)
    assert QUICKBOOKS.connect(form, context, deployment=deployment).invoke("getAccessToken")["accessToken"]
    assert token_requests(emulator) == 1


def test_memory_is_one_store_for_the_process(emulator):
    """Connections that keep tokens in memory share their chains."""
    deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url, token_store="memory:")
    form = emulator.credentials()
    for _ in range(2):
        with QUICKBOOKS.connect(form, deployment=deployment) as connection:
            connection.invoke("getCompanyInfo")
    assert token_requests(emulator) == 1


def test_requests_to_this_machine_bypass_the_proxy(connect, monkeypatch):
    """With HTTP_PROXY and without NO_PROXY, requests to an emulator on loopback are direct."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert connect().invoke("getCompanyInfo")["companyInfo"]["Id"] == "1"


def test_a_cancelled_call_does_not_wait_for_another_refresh(emulator, deployment):
    """A call that waits for a lock notices its cancellation."""
    form = emulator.credentials()
    store, cancelled = MemoryStore(), threading.Event()
    other = QUICKBOOKS.connect(form, deployment=deployment, store=store)
    waiting = QUICKBOOKS.connect(form, HostContext(cancelled=cancelled.is_set), deployment=deployment, store=store)
    with (
        ThreadPoolExecutor(1) as pool,
        other._get_client().authorizer._chain.lock,
    ):  # until the waiting one has given up
        result = pool.submit(waiting.invoke, "getAccessToken")
        threading.Timer(0.2, cancelled.set).start()
        with pytest.raises(CancelledError):
            result.result()
    assert other.invoke("getAccessToken")["refreshed"] is True


def test_locks_and_slots_are_released_in_a_forked_child(emulator, deployment):
    """A host that forks while requests are in flight."""
    limiter = rate_limiter_for(emulator.url, emulator.realm_id)
    connection = QUICKBOOKS.connect(emulator.credentials(), deployment=deployment, store=MemoryStore())
    chain = connection._get_client().authorizer._chain
    with contextlib.ExitStack() as held:
        held.enter_context(chain.lock)
        for _ in range(10):
            held.enter_context(limiter.acquire())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested here
            child = os.fork()
        if child == 0:  # pragma: no cover -- another process
            try:
                connection.invoke("getCompanyInfo")
            except BaseException:  # noqa: BLE001 -- the child must never return into pytest
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
