"""Bytes that a database needs for each company: its tokens, the state of its sync, its sealed settings."""

import contextlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from clients import ROOT
from firm import Firm

from vantage_quickbooks import open_registry

_STATES = "CREATE TABLE state (company VARCHAR(64) PRIMARY KEY, state TEXT NOT NULL)"


def registry_of(firm: Firm, url: str, companies: int) -> float:
    """Add the first companies to a registry in a database, and return in how many seconds it lists one.

    Args:
        firm: The companies.
        url: A SQLAlchemy URL.
        companies: How many.
    """
    with open_registry(url, encryption_key=firm.key) as registry:
        for number, realm in enumerate(firm.realms[:companies]):
            registry.add(f"company-{number:05}", firm.settings(realm), f"Company {number}")
        started = time.perf_counter()
        found = registry.list()
        return (time.perf_counter() - started) / len(found)


def sqlite_registry(firm: Firm, companies: int) -> tuple[float, float]:
    """Return the seconds of `registry_of` in SQLite, and the bytes of one company there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.sqlite3"
        list_s = registry_of(firm, f"sqlite:///{path}", companies)
        return list_s, path.stat().st_size / companies


def postgresql_bytes(firm: Firm, companies: int) -> float | None:
    """Return the bytes of one company in all tables and indexes of a PostgreSQL; None if there is no server.

    The companies have been synced once (`Firm.sync`); they are synced again with their tokens there.
    """
    with _server() as url:
        if url is None:
            return None
        import psycopg  # noqa: PLC0415 -- only where there is a server

        registry_of(firm, url, companies)
        firm.sync(companies, store=url)
        with sqlite3.connect(firm.states) as states:
            rows = states.execute("SELECT company, state FROM state LIMIT ?", (companies,)).fetchall()
        with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as database:
            database.execute(_STATES)
            with database.cursor() as cursor:
                cursor.executemany("INSERT INTO state VALUES (%s, %s)", rows)
            found = database.execute(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
                " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            ).fetchone()
    return float(found[0]) / companies if found else None


@contextlib.contextmanager
def _server() -> Iterator[str | None]:
    """Start a PostgreSQL as the tests do; None where that is not possible."""
    sys.path.insert(0, str(ROOT / "tests"))
    try:
        import fixtures_postgresql as postgresql  # noqa: PLC0415 -- it needs pytest
    except ImportError:
        yield None
        return
    finally:
        sys.path.pop(0)
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(postgresql.server())
        except postgresql.NoServerError:
            url = None
        yield url
