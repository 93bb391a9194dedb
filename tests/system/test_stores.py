"""All token stores in one suite, then what is specific to SQLite files and database servers."""

from __future__ import annotations

import json
import logging
import os
import resource
import sqlite3
import stat
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from token_records import KEY, CountingHost, EtagHost, host_store, record

from vantage_quickbooks.auth.stores import HostStore, MemoryStore, SQLiteStore, open_store, sqlite
from vantage_quickbooks.core.tokens import TokenRecord
from vantage_quickbooks.errors import CredentialConflict, TokenStoreError

PLANTED = ("PLANTED-refresh", "PLANTED-access", "PLANTED-password", "PLANTED-key")
FERNET_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # 3.12 warns of what is tested here


ALL_STORES = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda request: SQLiteStore(request.getfixturevalue("tmp_path") / "state" / "tokens.sqlite3"),
    "sqlite encrypted": lambda request: SQLiteStore(
        request.getfixturevalue("tmp_path") / "tokens.sqlite3", encryption_key=FERNET_KEY
    ),
    "postgresql": lambda request: open_store(request.getfixturevalue("fresh_postgresql_url")),
    "postgresql encrypted": lambda request: open_store(
        request.getfixturevalue("fresh_postgresql_url"), encryption_key=FERNET_KEY
    ),
    "host": lambda _: host_store(CountingHost()),
    "host with etags": lambda _: host_store(EtagHost()),
}
MARKS = {name: [pytest.mark.system] for name in ALL_STORES if name.startswith("postgresql")}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, [])) for name in ALL_STORES])
def store(request):
    made = ALL_STORES[request.param](request)
    yield made
    made.close()


def in_thread(function):
    """Run *function* in a thread and return what it returned or raised."""
    result = []

    def run():
        try:
            result.append(function())
        except Exception as error:  # noqa: BLE001 -- handed to the test
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(120)
    return result[0]


def in_child(function):
    """Run *function* in a forked process and return what it returned (plain JSON) or the text of what it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            answer = function()
        except BaseException as error:  # noqa: BLE001 -- a child must never return into pytest
            answer = f"{type(error).__name__} {getattr(error, 'code', '')} {error}"
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(answer)


def try_lock(store, key=KEY, timeout_s=0.05):
    with store.lock(key, timeout_s):
        return "free"


# ---- all stores ----------------------------------------------------------------------------------------------------


def test_loading_a_chain_that_was_never_saved_returns_none(store):
    assert store.load(KEY) is None


TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 -- aware by timezones
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
TOKENS = st.text(min_size=1, max_size=300)
RECORDS = st.builds(
    TokenRecord,
    realm_id=st.text("0123456789", min_size=1, max_size=20),
    environment=st.sampled_from(["sandbox", "production"]),
    fingerprint=st.text("0123456789abcdef", min_size=64, max_size=64),
    refresh_token=TOKENS,
    access_token=TOKENS,
    access_token_expires_at=TIMES,
    obtained_at=TIMES,
    refresh_token_expires_at=st.none() | TIMES,
    refresh_token_hard_expires_at=st.none() | TIMES,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(new=RECORDS)
def test_a_saved_record_is_loaded(store, new):
    stored = store.load(KEY)
    saved = store.save(KEY, new.with_version(stored.version if stored else 0))

    assert saved.version > 0
    assert new.with_version(saved.version) == saved
    assert saved == store.load(KEY)


def test_a_forgotten_chain_can_be_saved_again(store):
    store.forget(KEY)  # there is none yet
    store.save(KEY, record())
    if not isinstance(store, HostStore):  # a host has one chain a connection
        store.save("another", record())
    store.forget(KEY)
    assert store.load(KEY) is None
    if not isinstance(store, HostStore):
        assert store.load("another") is not None
    again = store.save(KEY, record())
    assert store.load(KEY) == again


def test_each_save_has_a_new_version(store):
    first = store.save(KEY, record())
    second = store.save(KEY, record(first.version, access_token="second"))

    assert first.version != second.version
    assert store.load(KEY).access_token.reveal() == "second"


@pytest.mark.parametrize("is_first", [True, False], ids=["first save", "later save"])
def test_the_second_of_two_writers_gets_a_conflict_and_changes_nothing(store, is_first):
    base = 0 if is_first else store.save(KEY, record()).version
    winner = store.save(KEY, record(base, access_token="winner"))

    with pytest.raises(CredentialConflict) as caught:
        store.save(KEY, record(base, access_token="loser"))

    assert caught.value.code == "CREDENTIALS_CONFLICT"
    assert caught.value.retryable
    assert winner == store.load(KEY)
    assert store.save(KEY, winner).access_token.reveal() == "winner"


def test_of_many_threads_that_save_at_once_one_succeeds(store):
    base = store.save(KEY, record()).version
    start = threading.Barrier(8)

    def save(name):
        start.wait()
        return store.save(KEY, record(base, access_token=name))

    results = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(in_thread(lambda: save(f"thread {n}")))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [result for result in results if isinstance(result, TokenRecord)]
    assert sum(isinstance(result, CredentialConflict) for result in results) == 7, results
    assert [store.load(KEY)] == winners


def test_the_lock_has_one_holder_of_eight_threads(store):
    counter, inside, overlaps = [0], [], []

    def work():
        for _ in range(5):
            with store.lock(KEY, 30):
                inside.append(1)
                overlaps.append(len(inside))
                before = counter[0]
                time.sleep(0.001)
                counter[0] = before + 1
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {1} == set(overlaps)
    assert counter[0] == 40


def test_a_lock_that_is_not_released_in_time_is_a_retryable_error(store):
    with store.lock(KEY, 5):  # held until the other has given up
        began = time.monotonic()
        error = in_thread(lambda: try_lock(store, timeout_s=0.2))
        waited_s = time.monotonic() - began

    assert isinstance(error, TokenStoreError)
    assert (error.code, error.retryable) == ("CREDENTIALS_LOCKED", True)
    assert "0.2 seconds" in error.message
    assert waited_s > 0.15
    assert in_thread(lambda: try_lock(store)) == "free"


def test_an_exception_releases_the_lock_and_is_not_changed(store):
    with pytest.raises(ConnectionResetError, match="from the network"), store.lock(KEY, 5):
        raise ConnectionResetError("from the network")

    assert in_thread(lambda: try_lock(store)) == "free"


def test_a_held_lock_does_not_block_other_chains_loading_or_saving(store):
    with store.lock(KEY, 5):
        saved = store.save(KEY, record())
        assert saved == in_thread(lambda: store.load(KEY))
        assert in_thread(lambda: try_lock(store, "another:chain")) == "free"


def test_infinite_and_negative_timeouts_are_accepted(store):
    with store.lock(KEY, float("inf")):
        assert in_thread(lambda: try_lock(store, timeout_s=-1)).code == "CREDENTIALS_LOCKED"


def test_a_store_works_after_a_fork_during_other_operations(store):
    """A child forked while other threads lock, load and save can lock, load and save."""
    stop = threading.Event()
    store.save(KEY, record())

    def work(number):
        while not stop.is_set():
            with store.lock(f"chain {number}", 5):
                store.load(KEY)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        answers = [
            in_child(
                lambda: [try_lock(store, f"chain {n}", 5) for n in range(4)] + [store.load(KEY).access_token.reveal()]
            )
            for _ in range(10)
        ]
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert answers == [["free"] * 4 + ["PLANTED-access"]] * 10


def test_a_child_forked_inside_the_lock_neither_holds_nor_releases_it(store):
    with store.lock(KEY, 5):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(writer)
            os.read(reader, 1)  # until the parent closes it
            os._exit(0)
        os.close(reader)
    try:
        assert in_thread(lambda: try_lock(store)) == "free"  # though the child lives on
    finally:
        os.close(writer)
        os.waitpid(pid, 0)


def test_a_child_that_leaves_the_block_does_not_release_its_parents_lock(store):
    if isinstance(store, MemoryStore | HostStore):
        pytest.skip("these locks are of one process")

    def leave(block):
        block.__exit__(None, None, None)
        return "left"

    block = store.lock(KEY, 5)
    with block:
        assert in_child(lambda: leave(block)) == "left"
        assert in_thread(lambda: try_lock(store)).code == "CREDENTIALS_LOCKED"
    assert try_lock(store) == "free"


def test_processes_coordinate_in_a_directory_if_they_can_share_the_store(store):
    """Memory belongs to one process, and a host does not say who shares its credentials."""
    is_shared = not isinstance(store, MemoryStore | HostStore)
    assert (store.lock_directory is not None) is is_shared


def test_a_description_contains_no_secret(store):
    assert store.describe()
    assert "PLANTED" not in store.describe() + repr(store)


def test_no_token_is_logged(store, caplog):
    with caplog.at_level(logging.DEBUG):
        saved = store.save(KEY, record())
        store.load(KEY)
        with pytest.raises(CredentialConflict) as caught, store.lock(KEY, 1):
            store.save(KEY, record(saved.version + 7))

    assert not [name for name in PLANTED if name in caplog.text + str(caught.value) + repr(caught.value.to_dict())]


# ---- SQLite --------------------------------------------------------------------------------------------------------


def modes(directory):
    return {
        str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode)
        for path in [directory, *directory.rglob("*")]
    }


@contextmanager
def umask(value):
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def test_sqlite__files_and_directories_are_private_from_the_first_instant(tmp_path, monkeypatch):
    seen = []
    connect = sqlite3.connect
    directory = tmp_path / "made" / "by us"

    def watch(*args, **kwargs):
        seen.append(modes(directory))
        return connect(*args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", watch)
    with umask(0):
        store = SQLiteStore(directory / "tokens.sqlite3")
        store.save(KEY, record())
        other = connect(directory / "tokens.sqlite3")  # keeps the -wal and -shm files in existence
        other.execute("SELECT * FROM vantage_quickbooks_token").fetchall()
        with store.lock(KEY, 1):
            store.save(KEY, store.load(KEY))
            seen.append(modes(directory))
        other.close()

    assert {"tokens.sqlite3", "tokens.sqlite3-wal", "tokens.sqlite3-shm"} < seen[-1].keys()
    assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o700
    for snapshot in seen:
        assert "tokens.sqlite3" in snapshot
        assert {0o600, 0o700} == set(snapshot.values()), snapshot


def test_sqlite__a_file_that_others_can_read_becomes_private(tmp_path):
    path = tmp_path / "tokens.sqlite3"
    path.touch(0o644)
    SQLiteStore(path).load(KEY)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sqlite__no_plain_text_is_left_in_the_file_after_encryption(tmp_path):
    path = tmp_path / "tokens.sqlite3"
    SQLiteStore(path).save(KEY, record())
    assert b"PLANTED" in path.read_bytes()

    encrypted = SQLiteStore(path, encryption_key="PLANTED-key")
    loaded = encrypted.load(KEY)
    assert loaded.access_token.reveal() == "PLANTED-access"
    saved = encrypted.save(KEY, loaded)

    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"PLANTED" in file.read_bytes()]
    assert saved == SQLiteStore(path, encryption_key=" PLANTED-key\n").load(KEY)


@pytest.mark.parametrize("right", [FERNET_KEY, "a passphrase"], ids=["Fernet key", "passphrase"])
@pytest.mark.parametrize("wrong", ["another passphrase", FERNET_KEY.replace("M", "N"), None])
def test_sqlite__with_another_key_nothing_is_read_or_overwritten(tmp_path, right, wrong):
    path = tmp_path / "tokens.sqlite3"
    saved = SQLiteStore(path, encryption_key=right).save(KEY, record())
    before = path.read_bytes()

    stranger = SQLiteStore(path, encryption_key=wrong)
    with pytest.raises(TokenStoreError, match="VANTAGE_QUICKBOOKS_TOKEN_KEY") as caught:
        stranger.load(KEY)
    with pytest.raises(CredentialConflict):
        stranger.save(KEY, record())

    assert caught.value.code == "CREDENTIALS_NOT_LOADED"
    assert before == path.read_bytes()
    assert saved == SQLiteStore(path, encryption_key=right).load(KEY)


def test_sqlite__processes_that_share_a_passphrase_read_each_others_records(tmp_path):
    """Each has its own salt."""
    one, two = (SQLiteStore(tmp_path / "tokens.sqlite3", encryption_key="a passphrase") for _ in range(2))
    one.save("chain 1", record())
    two.save("chain 2", record())

    assert one.load("chain 2") == two.load("chain 1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "3",
        "PLANTED-access",
        '{"realmId": "PLANTED-access"',
        "fernet:",
        "scrypt:zz:PLANTED-key",
        json.dumps(record().to_dict() | {"accessTokenExpiresAt": "PLANTED-access"}),
        json.dumps(record().to_dict() | {"refreshToken": None}),
        b"\xff\x00PLANTED-access",
    ],
)
@pytest.mark.parametrize("key", [None, "a passphrase", FERNET_KEY])
def test_sqlite__a_malformed_record_is_left_unchanged(tmp_path, text, key):
    store = SQLiteStore(tmp_path / "tokens.sqlite3", encryption_key=key)
    store.load(KEY)
    with sqlite3.connect(tmp_path / "tokens.sqlite3") as database:
        database.execute("INSERT INTO vantage_quickbooks_token VALUES (?, ?, 4)", (KEY, text))
    database.close()

    with pytest.raises(TokenStoreError, match="connect the company again") as caught:
        store.load(KEY)
    with pytest.raises(CredentialConflict):
        store.save(KEY, record())

    assert caught.value.code == "CREDENTIALS_NOT_LOADED"
    assert "PLANTED" not in str(caught.value)


@pytest.mark.parametrize("damage", ["no database", "another table", "overwritten in the middle"])
def test_sqlite__a_damaged_database_is_left_unchanged(tmp_path, damage):
    path = tmp_path / "tokens.sqlite3"
    if damage == "no database":
        path.write_bytes(b"PLANTED-access " * 500)
    elif damage == "another table":
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE vantage_quickbooks_token (other)")
        database.close()
    else:
        SQLiteStore(path).save(KEY, record())
        content = path.read_bytes()
        path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    for operation in (lambda s: s.load(KEY), lambda s: s.save(KEY, record())):
        before = path.read_bytes()
        with pytest.raises(TokenStoreError, match="damaged") as caught:
            operation(SQLiteStore(path))
        assert not isinstance(caught.value, CredentialConflict)
        assert str(path) in caught.value.message
        assert "PLANTED" not in str(caught.value) + repr(caught.value.to_dict())
        if damage != "another table":  # which is a sound database, and becomes a WAL one
            assert before == path.read_bytes()


@pytest.mark.parametrize("place", ["in a file", "is a directory", "in /proc"])
def test_sqlite__a_path_where_no_file_can_be_created_is_reported(tmp_path, place):
    (tmp_path / "file").touch()
    path = {"in a file": tmp_path / "file" / "t.sqlite3", "is a directory": tmp_path, "in /proc": Path("/proc/t/t")}
    store = SQLiteStore(path[place])

    for operation in (lambda: store.load(KEY), lambda: store.save(KEY, record()), lambda: try_lock(store)):
        with pytest.raises(TokenStoreError, match="VANTAGE_QUICKBOOKS_TOKEN_STORE") as caught:
            operation()
        assert not caught.value.retryable


@pytest.fixture
def public_directory():
    """A directory that users other than root can access, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.parametrize("is_there", [True, False], ids=["read-only database", "read-only directory"])
def test_sqlite__a_read_only_path_is_reported_before_a_refresh_token_is_spent(public_directory, is_there):
    if is_there:
        SQLiteStore(public_directory / "tokens.sqlite3").save(KEY, record())
        for path in public_directory.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
    public_directory.chmod(0o555)
    try_lock(SQLiteStore(public_directory.parent / f"{public_directory.name}-warm" / "t"))  # imports what it needs

    def lock_unprivileged():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        return try_lock(SQLiteStore(public_directory / "tokens.sqlite3"))

    try:
        error = in_child(lock_unprivileged)
    finally:
        public_directory.chmod(0o755)
        for path in public_directory.rglob("*"):
            path.chmod(0o755)

    assert error.startswith("TokenStoreError CREDENTIALS_NOT_SAVED The tokens cannot be written: SQLite file")
    assert "VANTAGE_QUICKBOOKS_TOKEN_STORE" in error


def test_sqlite__a_full_disk_loses_nothing(tmp_path):
    store = SQLiteStore(tmp_path / "tokens.sqlite3")
    saved = store.save(KEY, record())

    def save_on_a_full_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        store.save(KEY, record(saved.version, access_token="A" * 100_000))

    error = in_child(save_on_a_full_disk)

    assert error.startswith("TokenStoreError CREDENTIALS_NOT_SAVED")
    assert "Free some space" in error
    assert saved == store.load(KEY)
    assert store.save(KEY, saved)


def test_sqlite__a_database_locked_by_another_program_can_be_read_and_saving_retried(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
    store = SQLiteStore(tmp_path / "tokens.sqlite3")
    saved = store.save(KEY, record())
    shell = sqlite3.connect(tmp_path / "tokens.sqlite3", isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")

    assert saved == store.load(KEY)
    for operation in (lambda: store.save(KEY, saved), lambda: try_lock(store)):
        with pytest.raises(TokenStoreError, match="locked by another program") as caught:
            operation()
        assert caught.value.retryable
        assert not isinstance(caught.value, CredentialConflict)

    shell.execute("ROLLBACK")
    shell.close()
    assert store.save(KEY, saved)


def test_sqlite__a_database_deleted_while_it_is_used_is_created_again(tmp_path):
    store = SQLiteStore(tmp_path / "state" / "tokens.sqlite3")
    saved = store.save(KEY, record())
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

    assert store.load(KEY) is None
    assert saved.version < store.save(KEY, saved).version  # the tokens in hand may be the only ones that work


def test_sqlite__a_relative_path_survives_a_change_of_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore("tokens.sqlite3")
    saved = store.save(KEY, record())
    monkeypatch.chdir("/")

    assert saved == store.load(KEY)
    assert f"SQLite file {tmp_path}/tokens.sqlite3" == store.describe()


# ---- a database server ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["PLANTED-password", None], ids=["no server", "wrong password"])
def test_server__a_connection_error_is_explained(password, request):
    if password:
        url = f"postgresql+psycopg://me:{password}@127.0.0.1:1/db"
    else:
        url = request.getfixturevalue("postgresql_url").replace("vantage:", "vantage:PLANTED-password")
    store = open_store(url)

    for operation in (lambda: store.load(KEY), lambda: store.save(KEY, record()), lambda: try_lock(store)):
        with pytest.raises(TokenStoreError, match="Check that the server is running") as caught:
            operation()
        assert caught.value.retryable
        assert "PLANTED" not in str(caught.value) + repr(caught.value.to_dict())


@pytest.mark.system
def test_server__a_read_only_user_is_reported_before_a_refresh_token_is_spent(fresh_postgresql_url):
    store = open_store(fresh_postgresql_url)
    saved = store.save(KEY, record())
    reader = open_store(fresh_postgresql_url + "?options=-c%20default_transaction_read_only%3Don")

    assert saved == reader.load(KEY)
    with pytest.raises(TokenStoreError, match="SQLSTATE 25006") as caught:
        try_lock(reader)
    assert (caught.value.code, caught.value.retryable) == ("CREDENTIALS_NOT_SAVED", False)


@pytest.mark.system
def test_server__timeouts_of_the_server_do_not_end_the_lock(fresh_postgresql_url):
    impatient = "?options=-c%20idle_in_transaction_session_timeout%3D100%20-c%20statement_timeout%3D100"
    store = open_store(fresh_postgresql_url + impatient)
    with store.lock(KEY, 5):
        time.sleep(0.3)
        error = in_thread(lambda: try_lock(store, timeout_s=0.3))

    assert error.code == "CREDENTIALS_LOCKED"
