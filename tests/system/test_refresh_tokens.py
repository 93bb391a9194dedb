"""Which refresh token of a chain is sent, and when a person must connect again."""

from __future__ import annotations

import contextlib
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from vantage_quickbooks.auth import authorizer, refusals
from vantage_quickbooks.auth.stores import HostStore, MemoryStore, SQLiteStore, open_store
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import AccessTokenRefusedError, ReauthorizationRequired, TokenStoreError

HOURS = timedelta(hours=2)


def chain_of(connection):
    return connection._get_client().authorizer.key


def token_requests(emulator):
    counters = emulator.counters()["token_requests"]
    return counters["total"], counters["failed"]


def aged(record, by=HOURS):
    """Return the record as if it had been obtained earlier."""
    return replace(
        record,
        access_token_expires_at=record.access_token_expires_at - by,
        obtained_at=record.obtained_at - by,
    )


@contextlib.contextmanager
def refused_by_mistake(emulator):
    """Make Intuit refuse every grant for a while."""
    emulator.revoke_grants()
    yield
    for chain in emulator.oauth._chains.values():
        chain.revoked = False


def let_time_pass(connection):
    """Expire the access token in the connection's memory and the stored one."""
    authorizer = connection._get_client().authorizer
    stored = authorizer._store.load(authorizer.key)
    if stored:
        authorizer._store.save(authorizer.key, aged(stored))
    authorizer._cached = None


# ---- refresh before asking a person --------------------------------------------------------------------------------


def test_a_stored_token_that_is_refused_as_well_is_replaced(connect, emulator):
    """The token in memory and the newer one in the store have both expired: the call refreshes, and succeeds."""
    store = MemoryStore()
    first = connect(store=store)
    first.invoke("getCompanyInfo")
    first._get_client().authorizer._chain = authorizer._Chain("elsewhere")
    other = connect(store=store)
    other._get_client().authorizer.renew(other._start_call(), store.load(chain_of(other)))  # as another process does
    emulator.expire_access_tokens()

    assert first.invoke("getCompanyInfo")["companyInfo"]["Id"] == "1"
    assert token_requests(emulator) == (3, 0)


def test_a_new_token_that_expires_while_the_request_is_retried_is_replaced(connect, emulator):
    """Refused, refreshed, another failure, refused again: the second refusal did not follow the refresh directly."""
    connection = connect()
    emulator.fault("expired_token", path="/companyinfo", times=1)
    emulator.fault("status", path="/companyinfo", times=1, status=503)
    emulator.fault("expired_token", path="/companyinfo", times=1)

    assert connection.invoke("getCompanyInfo")["companyInfo"]["Id"] == "1"
    assert token_requests(emulator) == (3, 0)


def test_threads_that_are_refused_permanently_refresh_once_each_at_most(connect, emulator):
    """Each thread has seen a new token refused."""
    connection = connect()
    connection.invoke("getAccessToken")
    emulator.fault("expired_token", path="/companyinfo", times=-1)
    barrier = threading.Barrier(8)

    def refused(_):
        barrier.wait()
        with pytest.raises(AccessTokenRefusedError, match="connect the company again"):
            connection.invoke("getCompanyInfo")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(refused, range(8)))
    assert token_requests(emulator)[0] <= 1 + 8  # at most one each, in any interleaving


# ---- every known refresh token -------------------------------------------------------------------------------------


def sqlite(request):
    return SQLiteStore(request.getfixturevalue("tmp_path") / "tokens.sqlite3")


def postgresql(request):
    return open_store(request.getfixturevalue("fresh_postgresql_url"))


STORES = {
    "memory": lambda _: MemoryStore(),
    "sqlite": sqlite,
    "postgresql": postgresql,
    "host": lambda _: Vault().store(),
}


class Vault:
    """A host that keeps credentials with versions, and can be restored from a backup."""

    def __init__(self):
        self.kept = {}

    def load(self, connection_id):
        return self.kept.get(connection_id)

    def save(self, connection_id, credentials, expected_version):
        version = self.kept.get(connection_id, {}).get("version", 0)
        assert version == expected_version
        self.kept[connection_id] = {**credentials, "version": version + 1}
        return version + 1

    def store(self):
        return HostStore("c1", self.load, self.save)


@pytest.fixture(params=[pytest.param(n, marks=pytest.mark.system if n == "postgresql" else []) for n in STORES])
def store(request):
    made = STORES[request.param](request)
    yield made
    made.close()


def go_back(store, key, backup):
    """Restore *backup*, or nothing at all, in place of the newest record."""
    if isinstance(store, HostStore):
        store._load.__self__.kept.clear()
    else:
        store.forget(key)
    for version in range(backup.version if backup else 0):
        store.save(key, backup.with_version(version))


@pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "restored"])
def test_a_store_restored_from_a_backup_does_not_break_the_chain(connect, emulator, store, is_deleted):
    """The newest refresh token is in memory, and older ones are invalid: it is sent first, and the result is saved."""
    connection = connect(store=store)
    connection.invoke("getAccessToken")
    key = chain_of(connection)
    backup = aged(store.load(key))
    for _ in range(3):
        let_time_pass(connection)
        connection.invoke("getAccessToken")
    go_back(store, key, None if is_deleted else backup)
    connection._get_client().authorizer._cached = None

    token = connection.invoke("getAccessToken")

    assert token["refreshed"] is True
    assert token_requests(emulator) == (5, 0)
    assert store.load(key).access_token.reveal() == token["accessToken"]
    let_time_pass(connection)
    assert connection.invoke("getAccessToken")["refreshed"] is True


def test_a_record_of_another_process_is_newer_than_the_one_in_memory(connect, emulator):
    """Two processes that alternate: neither sends a token that the other has replaced."""
    store = MemoryStore()
    one, two = connect(store=store), connect(store=store)
    two._get_client().authorizer._chain = authorizer._Chain("elsewhere")
    for connection in (one, two, one, two, one):
        let_time_pass(connection)
        assert connection.invoke("getAccessToken")["refreshed"] is True
    assert token_requests(emulator) == (5, 0)


def test_a_pending_record_survives_a_store_restored_from_a_backup(connect, emulator):
    """Refreshed but not saved, and the store was restored meanwhile: the pending record is saved over the backup."""
    store = MemoryStore()
    connection = connect(store=store)
    connection.invoke("getAccessToken")
    key = chain_of(connection)
    backup = store.load(key)
    for _ in range(2):
        let_time_pass(connection)
        connection.invoke("getAccessToken")
    let_time_pass(connection)
    save, store.save = store.save, lambda *_: (_ for _ in ()).throw(TokenStoreError("the disk is full"))
    with pytest.raises(TokenStoreError):
        connection.invoke("getAccessToken")
    store.save = save
    pending = connection._get_client().authorizer._chain.pending
    go_back(store, key, backup)

    token = connection.invoke("getAccessToken")

    assert token["accessToken"] == pending.access_token.reveal()
    assert store.load(key).refresh_token == pending.refresh_token
    assert token_requests(emulator)[1] == 0


def test_disconnecting_revokes_with_any_token_that_still_works(connect):
    """Intuit does not know the stored refresh token: the grant is revoked anyway."""
    store = MemoryStore()
    connection = connect(store=store)
    connection.invoke("getAccessToken")
    key = chain_of(connection)
    record = store.load(key)
    store.save(key, replace(aged(record), refresh_token="RT1-unknown"))

    assert connection.disconnect()["revoked"] is True
    assert store.load(key) is None
    with pytest.raises(ReauthorizationRequired):
        connection.invoke("getAccessToken")


# ---- a dead chain --------------------------------------------------------------------------------------------------


def test_a_dead_refresh_token_is_sent_once(connect, emulator):
    """Ten threads with a connection each, and a connection test: Intuit refuses each refresh token once."""
    store = MemoryStore()
    connect(store=store).invoke("getAccessToken")
    emulator.revoke_grants()
    connections = [connect(store=store) for _ in range(10)]
    barrier = threading.Barrier(10)

    def refused(connection):
        barrier.wait()
        with pytest.raises(ReauthorizationRequired, match="Connect the company again") as caught:
            connection.invoke("listInvoices", {"all": True})
        return caught.value.details

    with ThreadPoolExecutor(10) as pool:
        details_of_all = list(pool.map(refused, connections))
    asked = connections[0].test()

    assert token_requests(emulator) == (3, 2)  # the first refresh; the stored refresh token and the form's
    assert not asked["ok"]
    assert "REAUTHORIZATION_REQUIRED" in str(asked)
    assert {details["oauthError"] for details in details_of_all} == {"invalid_grant"}
    assert len({details["requestId"] for details in details_of_all}) == 10


def test_a_refusal_is_remembered_beyond_its_connection(emulator, deployment):
    """A host that connects for each call sends the token once as well."""
    form, store = emulator.settings(), MemoryStore()
    emulator.revoke_grants()
    for _ in range(5):
        connection = QUICKBOOKS.connect(form, deployment=deployment, store=store)
        with connection, pytest.raises(ReauthorizationRequired):
            connection.invoke("getAccessToken")
        del connection
        gc.collect()
    assert token_requests(emulator) == (1, 1)


def test_a_newly_pasted_token_is_sent_at_once(connect, emulator):
    """The company was reconnected, and the new token pasted into the form."""
    store = MemoryStore()
    emulator.revoke_grants()
    with pytest.raises(ReauthorizationRequired):
        connect(store=store).invoke("getAccessToken")
    assert connect(store=store, refresh_token=emulator.grant()).invoke("getAccessToken")["refreshed"] is True


def test_the_token_of_a_record_that_another_process_saved_is_sent_at_once(connect, emulator):
    """Another process saved a working refresh token."""
    store = MemoryStore()
    connection = connect(store=store)
    connection.invoke("getAccessToken")
    let_time_pass(connection)
    emulator.revoke_grants()
    for _ in range(2):
        with pytest.raises(ReauthorizationRequired):
            connection.invoke("getAccessToken")
    key = chain_of(connection)
    store.save(key, replace(store.load(key), refresh_token=emulator.grant()))

    assert connection.invoke("getAccessToken")["refreshed"] is True


def test_a_token_refused_with_one_secret_is_sent_with_another(connect, emulator):
    """A refusal applies to one app and secret."""
    store = MemoryStore()
    form_token = emulator.refresh_token
    with refused_by_mistake(emulator), pytest.raises(ReauthorizationRequired):
        connect(store=store, refresh_token=form_token).invoke("getAccessToken")
    secret = emulator.rotate_client_secret(invalidate_tokens=False)

    assert connect(store=store, refresh_token=form_token, client_secret=secret).invoke("getAccessToken")["refreshed"]


def test_a_refused_token_is_sent_again_after_some_minutes(connect, emulator, monkeypatch):
    """A refusal by mistake is temporary."""
    connection = connect()
    with refused_by_mistake(emulator), pytest.raises(ReauthorizationRequired):
        connection.invoke("getAccessToken")
    with pytest.raises(ReauthorizationRequired):
        connection.invoke("getAccessToken")
    assert token_requests(emulator) == (1, 1)

    monkeypatch.setattr(refusals, "REFUSAL_S", 0.0)
    assert connection.invoke("getAccessToken")["refreshed"] is True


# ---- growth --------------------------------------------------------------------------------------------------------


def test_the_memory_for_chains_is_bounded(emulator, deployment, monkeypatch):
    """Many companies in one process, each with a dead chain."""
    monkeypatch.setattr(authorizer._refusals, "_max_refusals", 50)
    emulator.revoke_grants()
    gc.collect()
    before, pending = len(authorizer._Chain._all), len(authorizer._Chain._with_pending)
    store = MemoryStore()
    for number in range(200):
        form = {**emulator.settings(), "refresh_token": f"RT1-dead-{number}"}
        connection = QUICKBOOKS.connect(form, HostContext(), deployment=deployment, store=store)
        with connection, pytest.raises(ReauthorizationRequired):
            connection.invoke("getAccessToken")
    del connection
    gc.collect()

    assert len(authorizer._refusals) == 50
    assert len(authorizer._Chain._all) <= before
    assert len(authorizer._Chain._with_pending) == pending


def test_a_pending_record_is_never_dropped(emulator, deployment):
    """However many chains the process serves, and whatever the garbage collector frees."""

    def fail(*_):
        raise OSError("the host's database is down")

    vault = Vault()
    broken = HostContext(connection_id="c1", load_credentials=vault.load, save_credentials=fail)
    form = emulator.settings()
    with QUICKBOOKS.connect(form, broken, deployment=deployment) as connection:
        with pytest.raises(TokenStoreError):
            connection.invoke("getAccessToken")
        key = chain_of(connection)
    del connection
    for number in range(2_000):
        authorizer._Chain.get(f"sandbox:{number}:x")
        authorizer._refusals.add(f"digest {number}", {}, None)
    gc.collect()

    assert authorizer._Chain.get(key).pending.refresh_token
    authorizer._Chain.get(key).set_pending(None)
