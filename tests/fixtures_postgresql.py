"""A PostgreSQL of the test process's own: in a temporary directory, on loopback, with a password, gone at the end.

It touches no service of the machine. A worker of pytest-xdist starts its own if a test needs one: it costs a second.
`make test` installs the server's programs where it can (`.ci/system-packages`).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# `read` ends when the test process closes the pipe, or ends in any way: a run that is killed leaves no server.
WATCHDOG = 'read -r _; "$1" stop -D "$2/data" -m immediate -w; rm -rf "$2"'
INITDB_OPTIONS = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """SQLAlchemy URL of an empty database on a real server, started for this session."""
    with contextlib.ExitStack() as stack:
        try:
            url = stack.enter_context(server())
        except NoServerError as error:
            pytest.skip(f"!!! NOT TESTED AGAINST POSTGRESQL: {error} !!!")
        yield url


@pytest.fixture
def fresh_postgresql_url(postgresql_url: str) -> Iterator[str]:
    """URL of a database without tables."""
    psycopg = pytest.importorskip("psycopg")
    name = f"fresh_{secrets.token_hex(4)}"
    admin = postgresql_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgresql_url.rpartition("/")[0] + f"/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class NoServerError(Exception):
    """The server's programs are missing, or it did not start."""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start a server, and yield the SQLAlchemy URL of its database."""
    programs = _find_programs()
    if programs is None:
        raise NoServerError("initdb, pg_ctl and postgres are missing; as root, apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="vantage-postgresql-", ignore_cleanup_errors=True) as folder:
        account = _unprivileged_account(Path(folder))
        data, password = Path(folder, "data"), secrets.token_urlsafe(18)
        password_file = Path(folder, "password")
        password_file.write_text(password)
        _run(
            [programs / "initdb", "-D", data, "-U", "vantage", f"--pwfile={password_file}", *INITDB_OPTIONS],
            account,
        )
        watchdog = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "sh", str(programs / "pg_ctl"), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the tests
            **account,
        )
        with watchdog:  # closes the pipe and waits
            port = _start(programs, data, account)
            yield f"postgresql+psycopg://vantage:{password}@127.0.0.1:{port}/postgres"


def _start(programs: Path, data: Path, account: dict[str, Any]) -> int:
    for is_last in (False, False, True):
        port = _free_port()
        # fsync=off: the machine does not lose power in a test.
        options = f"-h 127.0.0.1 -p {port} -k {data.parent} -c fsync=off -c max_connections=150"
        try:
            _run(
                [programs / "pg_ctl", "start", "-D", data, "-w", "-t", "30", "-l", data / "log", "-o", options], account
            )
        except NoServerError:  # the port was taken in between
            if is_last:
                raise
        else:
            return port
    raise AssertionError


def _run(command: list[Any], account: dict[str, Any]) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the server keeps what it inherits, so a pipe here would never end
        stderr=subprocess.STDOUT,
        cwd="/",
        check=False,
        **account,
    )
    if done.returncode:
        raise NoServerError(f"{Path(command[0]).name} ended with {done.returncode}")


def _unprivileged_account(folder: Path) -> dict[str, Any]:
    """Return how to run a program so that PostgreSQL, which refuses root, accepts it; give that account *folder*."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            shutil.chown(folder, entry.pw_uid, entry.pw_gid)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise NoServerError("the tests run as root, and there is no account `postgres` or `nobody` to run the server")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _find_programs() -> Path | None:
    """Return the directory that holds initdb, pg_ctl and postgres; the newest, if there are several."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    folders = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found] + folders
    return next((f for f in reversed(folders) if all((f / p).exists() for p in ("initdb", "pg_ctl", "postgres"))), None)
