"""All registries in one suite, then what is specific to folders, databases and hosts."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import sys

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leak_checks import LogCapture, assert_none, texts_of
from registries import FORMS, KEY, PASSPHRASE, DictHost, company, opener

from vantage_quickbooks import connect_registered, open_registry
from vantage_quickbooks.auth.stores import SQLiteStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.settings import Settings
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.core.secret import Secret
from vantage_quickbooks.errors import (
    ConnectionExistsError,
    ConnectionNotFoundError,
    ConnectorError,
    DamagedConnectionError,
    InputError,
    RegistryError,
    SettingsError,
)
from vantage_quickbooks.registry import ConnectionEntry, FolderRegistry, HostRegistry

MARKS = {"postgresql": [pytest.mark.system]}
BAD_IDS = ["", ".", "..", "../x", "/etc/passwd", "a/b", ".hidden", "-x", "a b", "a\n", "ä", "x" * 65, "a\0", None, 7]


def forms(*names):
    return [pytest.param(name, marks=MARKS.get(name, [])) for name in names]


@pytest.fixture(params=forms(*FORMS))
def reopen(request):
    """Open the registry as a separate process would."""
    return opener(request.param, request)


@pytest.fixture(params=forms("folder", "sqlite", "postgresql"))
def reopen_stored(request):
    """The same, of a registry that this package stores."""
    return opener(request.param, request)


@pytest.fixture(params=forms("sqlite", "postgresql"))
def reopen_database(request):
    return opener(request.param, request)


@pytest.fixture
def registry(reopen):
    with reopen() as opened:
        yield opened


def error_of(function, *args, **kwargs):
    with pytest.raises(ConnectorError) as caught:
        function(*args, **kwargs)
    return caught.value


def rows(registry):
    with registry._database.guarded(), registry._engine.begin() as database:
        return dict(map(tuple, database.execute(sa.text("SELECT id, sealed FROM vantage_quickbooks_connection"))))


def set_row(registry, connection_id, sealed):
    statement = "UPDATE vantage_quickbooks_connection SET sealed = :sealed WHERE id = :id"
    with registry._database.guarded(), registry._engine.begin() as database:
        database.execute(sa.text(statement), {"sealed": sealed, "id": connection_id})


# ---- all registries --------------------------------------------------------------------------------------------------


def test_what_was_added_is_loaded_and_listed_by_another_process(reopen):
    reopen().add("zulu", company(1, environment="sandbox"))
    reopen().add("acme", company(2, max_results="50"))

    other = reopen()
    assert other.load("zulu") == company(1, environment="sandbox")
    assert other.load("acme") == company(2, max_results="50")
    assert other.list() == [
        ConnectionEntry("acme", None, "9130000000000002", "production"),
        ConnectionEntry("zulu", None, "9130000000000001", "sandbox"),
    ]


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
SETTINGS = st.fixed_dictionaries(
    {
        "client_id": TEXTS,
        "client_secret": TEXTS.map("secret-{}".format),
        "refresh_token": TEXTS.map("token-{}".format),
        "realm_id": st.text("0123456789", min_size=1, max_size=20),
    },
    optional={
        "max_results": st.none() | st.integers(1, 1000) | st.integers(1, 1000).map(str) | st.just(100.0),
        "environment": st.sampled_from(["production", "sandbox", "", None]),
    },
)
LABELS = st.none() | st.text(st.characters(categories=("L", "N", "P"), codec="utf-8"), min_size=1, max_size=200)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.tuples(SETTINGS, LABELS), max_size=4))
def test_valid_settings_are_loaded_as_they_were_added(reopen_stored, companies):
    """Any id, label and settings; also over what an earlier example left."""
    registry = reopen_stored()
    for name, (given_settings, label) in companies.items():
        registry.add(name, given_settings, label or "", replace=True)
    found = reopen_stored()
    entries = {entry.id: entry for entry in found.list()}
    for name, (given_settings, label) in companies.items():
        assert found.load(name) == given_settings
        assert (entries[name].label, entries[name].error) == (label, None)


def test_secrets_may_be_given_as_secrets(registry):
    registry.add("acme", company() | {"client_secret": Secret("PLANTED-secret-1")})
    assert registry.load("acme") == company()


def test_an_id_in_use_is_not_replaced_unless_asked(registry):
    registry.add("acme", company(1))
    error = error_of(registry.add, "acme", company(2))
    assert (type(error), error.code, error.retryable) == (ConnectionExistsError, "CONNECTION_EXISTS", False)
    assert registry.load("acme") == company(1)

    registry.add("acme", company(2), replace=True)
    assert registry.load("acme") == company(2)
    registry.add("fresh", company(3), replace=True)
    assert len(registry.list()) == 2


def test_a_replacement_keeps_the_label_unless_it_is_removed(reopen_stored):
    registry = reopen_stored()
    registry.add("acme", company(1), "Acme Ltd")
    registry.add("acme", company(2), replace=True)
    assert registry.list()[0].label == "Acme Ltd"
    registry.add("acme", company(2), "Acme Inc", replace=True)
    assert registry.list()[0].label == "Acme Inc"
    registry.add("acme", company(2), "", replace=True)
    assert registry.list()[0].label is None


def test_removed_is_not_found(registry):
    registry.add("acme", company(1))
    registry.add("zulu", company(2))
    registry.remove("acme")
    assert [entry.id for entry in registry.list()] == ["zulu"]
    for function in (registry.load, registry.remove):
        error = error_of(function, "acme")
        assert (type(error), error.fields[0].field) == (ConnectionNotFoundError, "connection")


def test_an_empty_registry_lists_nothing_and_reading_creates_nothing(reopen, tmp_path):
    registry = reopen()
    assert registry.list() == []
    for function in (registry.load, registry.remove):
        assert error_of(function, "acme").code == "CONNECTION_NOT_FOUND"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", BAD_IDS, ids=repr)
def test_an_id_that_is_not_a_safe_file_name_is_refused(registry, tmp_path, bad):
    for function, args in ((registry.load, ()), (registry.remove, ()), (registry.add, (company(),))):
        error = error_of(function, bad, *args)
        assert (type(error), error.code) == (InputError, "INPUT_INVALID")
        assert [(entry.field, entry.rule) for entry in error.fields] == [("connection", "pattern")]
    assert list(tmp_path.iterdir()) == []


def test_invalid_settings_are_not_stored_and_each_field_is_named(registry):
    error = error_of(registry.add, "acme", company(max_results=0, realm_id="x y"))
    assert type(error) is SettingsError
    assert [entry.field for entry in error.fields] == ["realm_id", "max_results"]
    assert all(entry.hint for entry in error.fields)
    assert registry.list() == []
    assert type(error_of(registry.add, "acme", None)) is SettingsError


@pytest.mark.parametrize("bad", [" ", "two\nlines", "\x1b[2J", "x" * 201, 7, "it is PLANTED-secret-1"])
def test_a_bad_label_is_refused(registry, bad):
    error = error_of(registry.add, "acme", company(), bad)
    assert (type(error), error.fields[0].field) == (InputError, "label")
    assert "PLANTED" not in str(error)
    assert registry.list() == []


def test_an_unknown_id_gets_a_suggestion_and_is_not_repeated_if_it_may_be_a_token(reopen_stored):
    registry = reopen_stored()
    registry.add("acme-ltd", company(1))
    assert "Did you mean acme-ltd?" in error_of(registry.load, "acme-lt").message
    assert "The connections are acme-ltd." in error_of(registry.load, "zulu").message
    token = "RT1-41-H0-1757000000abcdefghijklmnopqrstuvwxyz01234"
    error = error_of(registry.load, token)
    assert token not in f"{error} {error!r} {error.to_dict()}"


def test_no_secret_is_in_any_error_log_repr_or_list(reopen, capfd):
    """Of successes and of all failures that have seen the settings."""
    with LogCapture() as captured:
        registry = reopen()
        registry.add("acme", company(1), "Acme Ltd")
        registry.add("bad", company(2))
        texts = [repr(registry), repr(vars(registry)), repr(registry.list()), str(registry.list()[0].to_dict())]
        calls = [
            ("acme", company(1)),
            ("../acme", company(1)),
            ("new", company(1, max_results="PLANTED-secret-1")),
            ("new", company(1, **{"PLANTED-secret-1": 1})),
        ]
        texts += [texts_of(error_of(registry.add, *arguments)) for arguments in calls]
        texts.append(texts_of(error_of(registry.load, "unknown")))
        registry.close()
    out, err = capfd.readouterr()
    planted = {"secret": "PLANTED-secret", "token": "PLANTED-refresh", "passphrase": KEY}
    assert_none("\n".join([captured.stream.getvalue(), out, err, *texts]), planted)


# ---- connecting ------------------------------------------------------------------------------------------------------


def test_registered_connections_share_one_chain_in_the_token_store(reopen, emulator, deployment, tmp_path):
    """Two processes that connect by the same id send one token request."""
    reopen().add("acme", emulator.credentials())
    store = tmp_path / "tokens.sqlite3"
    events = []
    context = HostContext(audit=events.append, company_id="tenant", connection_id="another")
    tokens = []
    for _ in range(2):
        with connect_registered(
            reopen(), "acme", context, deployment=deployment, store=SQLiteStore(store)
        ) as connection:
            tokens.append(connection.invoke("getAccessToken")["accessToken"])
            assert repr(connection).startswith("<Connection acme to ")
    assert tokens[0] == tokens[1]
    assert {(event["connectionId"], event["companyId"]) for event in events} == {("acme", "tenant")}
    assert context.connection_id == "another"


def test_a_registered_connection_that_cannot_be_made(reopen_stored):
    registry = reopen_stored()
    assert error_of(connect_registered, registry, "acme").code == "CONNECTION_NOT_FOUND"
    host = HostRegistry(lambda _: company(max_results=0))
    error = error_of(connect_registered, host, "acme")
    assert (error.code, error.details["connectionId"]) == ("SETTINGS_INVALID", "acme")
    assert_none(texts_of(error), {"secret": "PLANTED-secret", "token": "PLANTED-refresh"})


# ---- a folder --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    return FolderRegistry(tmp_path / "companies")


def write(folder, name, content):
    folder._path.mkdir(exist_ok=True)
    (folder._path / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def test_folder__files_are_private_from_the_start_and_replaced_as_a_whole(folder):
    previous = os.umask(0)
    try:
        folder.add("acme", company(1))
        before = folder._path / "acme.json"
        kept = before.open()
        folder.add("acme", company(2), replace=True)
    finally:
        os.umask(previous)
    with kept:
        assert json.load(kept) == company(1)
    assert json.loads(before.read_text()) == company(2)
    assert stat.S_IMODE(folder._path.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder._path.iterdir()) == [".locks", "acme.json"]
    assert stat.S_IMODE(before.stat().st_mode) == 0o600


def test_folder__files_written_by_hand_are_connections(folder):
    write(folder, "acme.json", b"\xef\xbb\xbf" + json.dumps(company(1) | {"label": "Acme"}).encode())
    write(folder, "notes.txt", "not a connection")
    write(folder, ".acme.json.swp", "not a connection")
    assert folder.list() == [ConnectionEntry("acme", "Acme", "9130000000000001", "production")]
    assert folder.load("acme") == company(1)


DAMAGED = {
    "empty": b"",
    "truncated": json.dumps(company(1)).encode()[:-20],
    "list": b"[]",
    "binary": b"\xff\xfe\x00PLANTED",
    "nested": b"[" * 100_000,
    "label": json.dumps(company(1) | {"label": ["PLANTED"]}).encode(),
    "large": b" " * (1 << 20) + b"{}",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_folder__a_damaged_file_is_reported_left_unchanged_and_hides_no_other(folder, kind):
    folder.add("acme", company(1))
    folder.add("zulu", company(2))
    write(folder, "acme.json", DAMAGED[kind])

    entries = folder.list()
    assert [(entry.id, entry.realm_id) for entry in entries] == [("acme", None), ("zulu", "9130000000000002")]
    error = error_of(folder.load, "acme")
    assert (type(error), error.code) == (DamagedConnectionError, "CONNECTION_DAMAGED")
    assert entries[0].error.to_dict() == error.to_dict()
    assert error.fields[0].field == "connection"
    assert "PLANTED" not in texts_of(error) + texts_of(entries[0].error) + repr(entries)
    assert error_of(folder.add, "acme", company(3)).code == "CONNECTION_EXISTS"
    assert (folder._path / "acme.json").read_bytes() == DAMAGED[kind]

    folder.add("acme", company(3), replace=True)
    assert folder.load("acme") == company(3)


def test_folder__what_is_not_a_file_is_reported_and_does_not_block(folder):
    folder.add("zulu", company(2))
    os.mkfifo(folder._path / "fifo.json")
    (folder._path / "directory.json").mkdir()
    write(folder, "no id.json", json.dumps(company(1)))
    entries = {entry.id: entry.error and entry.error.code for entry in folder.list()}
    assert entries == {
        "directory": "CONNECTION_DAMAGED", "fifo": "CONNECTION_DAMAGED", "no id": "INPUT_INVALID", "zulu": None
    }  # fmt: skip


def test_folder__invalid_settings_are_listed_with_their_fields(folder):
    """The other facts are shown only if they are what they should be."""
    write(folder, "acme.json", json.dumps(company(1, max_results=0) | {"label": "of PLANTED-secret-1"}))
    write(folder, "zulu.json", json.dumps(company(2, realm_id="PLANTED-refresh-2", environment="PLANTED-secret-2")))
    acme, zulu = folder.list()
    assert (acme.realm_id, acme.label, acme.error.fields[0].field) == ("9130000000000001", "of ********", "max_results")
    assert (zulu.realm_id, zulu.environment, zulu.error.code) == (None, None, "SETTINGS_INVALID")
    assert "PLANTED" not in repr([acme, zulu])


@pytest.mark.parametrize("below", [False, True])
def test_folder__a_file_in_the_way_is_reported(tmp_path, below):
    (tmp_path / "file").write_text("precious")
    registry = FolderRegistry(tmp_path / "file" / "registry" if below else tmp_path / "file")
    for error in (error_of(registry.list), error_of(registry.add, "acme", company())):
        assert (error.code, error.fields[0].field) == ("REGISTRY_INVALID", "VANTAGE_QUICKBOOKS_REGISTRY")
        assert str(tmp_path / "file") in error.message
    assert (tmp_path / "file").read_text() == "precious"


def test_folder__a_full_disk_loses_nothing(folder, monkeypatch):
    folder.add("acme", company(1))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    error = error_of(folder.add, "acme", company(2), replace=True)
    assert (type(error), error.details["reason"]) == (RegistryError, "ENOSPC")
    assert folder.load("acme") == company(1)
    assert [path.name for path in folder._path.iterdir() if path.suffix] == ["acme.json"]


# ---- a database ------------------------------------------------------------------------------------------------------


def test_database__settings_and_labels_are_stored_encrypted(reopen_database, tmp_path):
    registry = reopen_database()
    registry.add("acme", company(1), "Label of a customer")
    registry.add("zulu", company(2))
    stored = json.dumps(rows(registry)) + "".join(
        path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()
    )
    assert "acme" in stored
    assert_none(stored, {"settings": "PLANTED", "realm": "91300000", "label": "Label of", "key": KEY})
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("sealed", ["", "garbage", "fernet:x", "scrypt:zz:yy", json.dumps({"settings": company(1)})])
def test_database__a_damaged_row_is_reported_left_unchanged_and_hides_no_other(reopen_database, sealed):
    registry = reopen_database()
    registry.add("acme", company(1))
    registry.add("zulu", company(2))
    set_row(registry, "acme", sealed)

    damaged, good = reopen_database().list()
    assert (damaged.error.code, good.realm_id, good.error) == ("CONNECTION_DAMAGED", "9130000000000002", None)
    error = error_of(reopen_database().load, "acme")
    assert (type(error), error.fields[0].field) == (DamagedConnectionError, "VANTAGE_QUICKBOOKS_TOKEN_KEY")
    assert "PLANTED" not in texts_of(error)
    assert rows(registry)["acme"] == sealed
    registry.add("acme", company(3), replace=True)
    assert registry.load("acme") == company(3)


@pytest.mark.parametrize("sealed", [7, b"\x80\xff blob", None])
def test_database__sqlite_values_of_other_types_are_damaged_rows(request, tmp_path, sealed):
    registry = opener("sqlite", request)()
    registry.add("zulu", company(2))
    with sqlite3.connect(tmp_path / "state" / "registry.sqlite3") as database:
        database.execute("DROP TABLE vantage_quickbooks_connection")
        database.execute("CREATE TABLE vantage_quickbooks_connection (id, sealed)")
        database.execute("INSERT INTO vantage_quickbooks_connection VALUES ('acme', ?)", (sealed,))
        database.execute("INSERT INTO vantage_quickbooks_connection VALUES ('text', CAST(? AS TEXT))", (b"\x80\xff",))
    database.close()
    registry.add("zulu", company(2))
    assert [(entry.id, entry.error and entry.error.code) for entry in registry.list()] == [
        ("acme", "CONNECTION_DAMAGED"), ("text", "CONNECTION_DAMAGED"), ("zulu", None)
    ]  # fmt: skip


def test_database__a_row_is_valid_for_its_own_id_only(reopen_database):
    """An attacker who can write to the table cannot give one company's credentials to another connection."""
    registry = reopen_database()
    registry.add("acme", company(1))
    registry.add("zulu", company(2))
    set_row(registry, "acme", rows(registry)["zulu"])
    error = error_of(registry.load, "acme")
    assert error.code == "CONNECTION_DAMAGED"
    assert "another connection" in error.message


def test_database__another_key_is_reported_and_changes_nothing(reopen_database):
    reopen_database().add("acme", company(1))
    other = reopen_database("another key")
    other.add("zulu", company(2))
    before = rows(other)
    assert [(entry.id, entry.error is None) for entry in other.list()] == [("acme", False), ("zulu", True)]
    error = error_of(other.load, "acme")
    assert "VANTAGE_QUICKBOOKS_TOKEN_KEY" in error.message
    assert rows(other) == before
    assert reopen_database().load("acme") == company(1)


def test_database__without_a_key_it_is_refused(reopen_database):
    error = error_of(reopen_database, None)
    assert (error.code, error.fields[0].field) == ("REGISTRY_INVALID", "VANTAGE_QUICKBOOKS_TOKEN_KEY")
    assert error_of(reopen_database, " ").code == "REGISTRY_INVALID"


def test_database__a_new_key_takes_over_and_the_old_one_can_go(reopen_database):
    for number, key in enumerate([PASSPHRASE, PASSPHRASE, "new"]):
        reopen_database(key).add(f"c{number}", company(number))
    reopen_database("lost").add("lost", company(9))
    both = reopen_database(json.dumps(["new", PASSPHRASE]))
    report = both.reencrypt()
    assert (report.changed, report.current, report.unreadable) == (2, 1, 1)
    assert [reopen_database("new").load(f"c{number}") for number in range(3)] == [company(n) for n in range(3)]
    assert reopen_database("lost").load("lost") == company(9)
    report = both.reencrypt()
    assert (report.changed, report.current, report.unreadable) == (0, 3, 1)


def test_database__reencryption_keeps_settings_that_were_replaced_meanwhile(reopen_database, monkeypatch):
    registry = reopen_database()
    registry.add("acme", company(1))
    both = reopen_database(json.dumps(["new", KEY]))
    read_before = both._rows()
    registry.add("acme", company(2), replace=True)
    monkeypatch.setattr(both, "_rows", lambda: read_before)

    assert both.reencrypt().changed == 0
    assert registry.load("acme") == company(2)


def test_database__processes_with_a_passphrase_write_with_one_salt(reopen_database):
    """Deriving a key takes 0.15 s: a list of a thousand entries with a salt each would take minutes."""
    for number in range(4):
        reopen_database(PASSPHRASE).add(f"c{number}", company(number))
    assert len({sealed.split(":")[1] for sealed in rows(reopen_database(PASSPHRASE)).values()}) == 1


@pytest.mark.parametrize(
    ("url", "code", "retryable"),
    [
        ("postgresql+psycopg://user:PLANTED-password@127.0.0.1:1/db", "REGISTRY_UNAVAILABLE", True),
        ("postgresql+nodriver://user:PLANTED-password@host/db", "REGISTRY_INVALID", False),
        ("nonsense://user:PLANTED-password@host/db", "REGISTRY_INVALID", False),
        ("postgresql://user:PLANTED-password@host:port/db", "REGISTRY_INVALID", False),
        ("sqlite://", "REGISTRY_INVALID", False),
        ("sqlite:///:memory:", "REGISTRY_INVALID", False),
        ("sqlite:////tmp/x.sqlite3?mode=ro", "REGISTRY_INVALID", False),
    ],
)
def test_database__that_cannot_be_used(url, code, retryable):
    error = error_of(lambda: open_registry(Secret(url), encryption_key=KEY).list())
    assert (type(error), error.code, error.retryable) == (RegistryError, code, retryable)
    assert (error.fields[0].field, bool(error.fields[0].hint)) == ("VANTAGE_QUICKBOOKS_REGISTRY", True)
    assert "PLANTED" not in texts_of(error)


def test_database__a_file_that_is_not_a_database_is_left_alone(tmp_path):
    path = tmp_path / "registry.sqlite3"
    path.write_bytes(b"precious, and not a database at all" * 100)
    registry = open_registry(f"sqlite:///{path}", encryption_key=KEY)
    for error in (error_of(registry.list), error_of(registry.add, "acme", company())):
        assert error.code == "REGISTRY_UNAVAILABLE"
        assert "SQLITE_NOTADB" in error.message
    assert path.read_bytes() == b"precious, and not a database at all" * 100


@pytest.mark.system
def test_database__a_reader_needs_no_more_than_select(fresh_postgresql_url):
    """And reading an empty database, in which it can create nothing, is no error."""
    owner = open_registry(fresh_postgresql_url, encryption_key=KEY)
    with owner._engine.begin() as database:
        database.execute(sa.text("DROP ROLE IF EXISTS reader"))
        database.execute(sa.text("CREATE ROLE reader LOGIN PASSWORD 'PLANTED-password'"))
    reader_url = fresh_postgresql_url.replace(
        fresh_postgresql_url.split("//")[1].split("@")[0], "reader:PLANTED-password"
    )
    reader = open_registry(reader_url, encryption_key=KEY)
    try:
        assert reader.list() == []
        owner.add("acme", company(1))
        with owner._engine.begin() as database:
            database.execute(sa.text("GRANT SELECT ON vantage_quickbooks_connection TO reader"))
        assert reader.load("acme") == company(1)
        error = error_of(reader.add, "zulu", company(2))
        assert (error.code, error.details["sqlstate"]) == ("REGISTRY_UNAVAILABLE", "42501")
        assert "PLANTED" not in texts_of(error)
    finally:
        with owner._engine.begin() as database:
            database.execute(sa.text("DROP OWNED BY reader"))
            database.execute(sa.text("DROP ROLE reader"))


def test_database__without_sqlalchemy_the_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "vantage_quickbooks.registry.database", raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    error = error_of(open_registry, "postgresql://user:PLANTED@host/db", encryption_key=KEY)
    assert error.code == "REGISTRY_INVALID"
    assert 'pip install "vantage-quickbooks[database]"' in error.message
    assert "PLANTED" not in texts_of(error)


# ---- a host ----------------------------------------------------------------------------------------------------------


def test_host__what_it_raises_becomes_an_error_without_its_text():
    def fail(*_):
        raise RuntimeError("PLANTED-secret-1")

    registry = HostRegistry(fail, list=fail, add=fail, remove=fail)
    for function, args in (
        (registry.load, ("acme",)), (registry.list, ()), (registry.remove, ("acme",)), (registry.add, ("a", company()))
    ):  # fmt: skip
        error = error_of(function, *args)
        assert (type(error), error.code) == (RegistryError, "REGISTRY_UNAVAILABLE")
        assert "RuntimeError" in error.message
        assert "PLANTED" not in texts_of(error)


def test_host__may_offer_loading_only():
    registry = HostRegistry({"acme": company(1)}.get)
    assert registry.load("acme") == company(1)
    assert error_of(registry.load, "zulu").code == "CONNECTION_NOT_FOUND"
    for function, args in ((registry.list, ()), (registry.remove, ("acme",)), (registry.add, ("zulu", company()))):
        assert "does not offer to" in error_of(function, *args).message


def test_host__its_own_entries_are_listed_without_loading_their_settings():
    entry = ConnectionEntry("acme", "Acme Ltd", "1", "sandbox")
    loaded = []
    registry = HostRegistry(loaded.append, list=lambda: [entry])
    assert (registry.list(), loaded) == ([entry], [])


def test_host__settings_that_are_not_an_object_are_damaged():
    host = DictHost()
    host.kept = {"acme": ("PLANTED", None), "zulu": (company(2), None)}
    acme, zulu = host.registry().list()
    assert (acme.error.code, zulu.error) == ("CONNECTION_DAMAGED", None)
    assert "PLANTED" not in texts_of(acme.error)


# ---- which registry --------------------------------------------------------------------------------------------------


def test_the_deployment_names_the_registry_and_its_key(monkeypatch, tmp_path):
    assert open_registry().describe() == f"folder {tmp_path / 'state' / 'vantage-quickbooks' / 'connections'}"
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", f"sqlite:///{tmp_path}/r.sqlite3")
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", "PLANTED-key")
    assert open_registry().describe() == f"SQLite file {tmp_path}/r.sqlite3"
    assert open_registry(tmp_path).describe() == f"folder {tmp_path}"
    deployment = Deployment(registry="postgresql+psycopg://user:PLANTED-password@h/db", token_key="PLANTED-key")
    assert open_registry(deployment=deployment).describe() == "postgresql://h/db"
    assert "PLANTED" not in repr(deployment) + repr(open_registry(deployment=deployment))


def test_a_list_reads_only_what_has_changed(tmp_path, monkeypatch):
    """A page of thousands of connections lists them at each view."""
    opened = {
        "folder": open_registry(tmp_path / "companies"),
        "database": open_registry(f"sqlite:///{tmp_path / 'r.sqlite3'}", encryption_key=KEY),
    }
    for name, registry in opened.items():
        for number in range(3):
            registry.add(f"c{number}", company(), f"Company {number}")
        if name == "folder":
            for path in (tmp_path / "companies").glob("*.json"):
                os.utime(path, (1, 1))
        first = registry.list()
        parsed = []
        real = Settings.parse
        monkeypatch.setattr(Settings, "parse", lambda data, seen=parsed, real=real: (seen.append(1), real(data))[1])
        assert registry.list() == first
        assert parsed == []
        registry.add("c1", company(), "Renamed", replace=True)
        parsed.clear()
        registry.remove("c2")
        assert [(entry.id, entry.label) for entry in registry.list()] == [("c0", "Company 0"), ("c1", "Renamed")]
        assert len(parsed) == 1
        monkeypatch.undo()
