"""Which token store a setting names, and what is wrong with a setting that names none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vantage_quickbooks.auth.stores import SQLiteStore, open_store
from vantage_quickbooks.errors import TokenStoreError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "SQLite file {state}/vantage-quickbooks/tokens.sqlite3"),
        (" ", "SQLite file {state}/vantage-quickbooks/tokens.sqlite3"),
        ("memory:", "memory"),
        ("memory://", "memory"),
        ("sqlite://", "memory"),
        ("sqlite:///:memory:", "memory"),
        ("tokens.db", "SQLite file {cwd}/tokens.db"),
        ("/var/lib/tokens #1.db", "SQLite file /var/lib/tokens #1.db"),
        ("~/tokens.db", "SQLite file {home}/tokens.db"),
        ("sqlite:///tokens.db", "SQLite file {cwd}/tokens.db"),
        ("sqlite:////var/lib/tokens.db", "SQLite file /var/lib/tokens.db"),
        ("sqlite+pysqlite:////var/lib/tokens.db", "SQLite file /var/lib/tokens.db"),
        ("postgresql+psycopg://me:PLANTED-password@db.example:5433/tokens", "postgresql://db.example:5433/tokens"),
    ],
)
def test_a_url_names_a_store(url, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    store = open_store(url)

    assert expected.format(state=tmp_path / "state", cwd=tmp_path, home=tmp_path / "home") == store.describe()
    assert list(tmp_path.iterdir()) == []  # nothing is made before it is needed


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("sqlite://relative.db", "sqlite:///relative/path"),
        ("sqlite:///t.db?mode=PLANTED-password", "without options"),
        ("postgresql://me:PLANTED-password@host:port/db", "postgresql\\+psycopg://"),
        ("postgresql+nonsense://me:PLANTED-password@host/db", "postgresql\\+psycopg://"),
        ("nonsense://me:PLANTED-password@host/db", "row locks"),
        ("mssql+pyodbc://me:PLANTED-password@host/db", "row locks"),
        ("postgresql+asyncpg://me:PLANTED-password@host/db", "not installed|asynchronous"),
        ("mysql+pymysql://me:PLANTED-password@host/db", "pymysql, is not installed"),
    ],
)
def test_the_error_for_an_invalid_url_does_not_contain_its_password(url, hint):
    with pytest.raises(TokenStoreError, match=hint) as caught:
        open_store(url)

    assert caught.value.code == "CREDENTIALS_STORE_INVALID"
    assert "PLANTED" not in str(caught.value)


def test_without_the_extras_the_error_names_them(monkeypatch):
    monkeypatch.delitem(sys.modules, "vantage_quickbooks.auth.stores.sqlalchemy", raising=False)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)

    with pytest.raises(TokenStoreError, match=r"vantage-quickbooks\[database\]"):
        open_store("postgresql://host/db")
    with pytest.raises(TokenStoreError, match=r"vantage-quickbooks\[encryption\]"):
        open_store("tokens.db", encryption_key="a passphrase")


def test_an_empty_encryption_key_is_refused():
    with pytest.raises(TokenStoreError, match="empty"):
        SQLiteStore(encryption_key=" ")


def test_importing_the_stores_imports_no_database():
    code = "import sys, vantage_quickbooks.auth.stores; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    )

    assert not loaded & {"sqlite3", "sqlalchemy", "cryptography", "platformdirs", "filelock"}
