"""`vantage-quickbooks tokens reencrypt`: a key is replaced while workers refresh."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from vantage_quickbooks.auth.stores import open_store
from vantage_quickbooks.cli import main
from vantage_quickbooks.core.secret import Secret
from vantage_quickbooks.core.tokens import TokenRecord
from vantage_quickbooks.errors import CredentialConflict, TokenStoreError

# Fernet keys, where many processes and threads use them: deriving one from a passphrase takes 0.15 s for each.
OLD, NEW = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "NDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
PASSPHRASE = "an old passphrase"
BOTH = json.dumps([NEW, OLD])
RECORD = TokenRecord.from_dict(
    {
        "realmId": "1",
        "environment": "sandbox",
        "fingerprint": "f" * 64,
        "refreshToken": "PLANTED-refresh",
        "accessToken": "PLANTED-access",
        "tokenType": "bearer",
        "accessTokenExpiresAt": "2026-11-23T13:00:00Z",
        "obtainedAt": "2026-11-23T12:00:00Z",
    }
)


WORKER = """
import json, sys
from dataclasses import replace
from vantage_quickbooks.auth.stores import open_store
from vantage_quickbooks.core.tokens import TokenRecord

url, key, record = sys.argv[1:]
record = TokenRecord.from_dict(json.loads(record))
open_store(url, encryption_key=key).save("chain", replace(record, refresh_token="RT1-newest", version=1))
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def url(request, tmp_path, monkeypatch):
    """A store that processes share."""
    named = (
        str(tmp_path / "tokens.sqlite3")
        if request.param == "sqlite"
        else request.getfixturevalue("fresh_postgresql_url")
    )
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", named)
    return named


def reencrypt(monkeypatch, capsys, key):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", key)
    status = main(["tokens", "reencrypt"])
    output = capsys.readouterr()
    assert not [secret for secret in ("PLANTED", OLD, NEW, PASSPHRASE) if secret in output.out + output.err]
    return status, output.out.partition(": ")[2].strip(), output.err


def test_all_records_are_encrypted_with_the_first_key(url, monkeypatch, capsys):
    """Encrypted with the old key, plain, and of a process that has the new key already."""
    both = json.dumps([NEW, PASSPHRASE])
    for number, key in enumerate([None, PASSPHRASE, PASSPHRASE, NEW]):
        store = open_store(url, encryption_key=key)
        store.save(f"chain {number}", RECORD)
        store.close()

    first = reencrypt(monkeypatch, capsys, both)
    again = reencrypt(monkeypatch, capsys, both)
    alone = reencrypt(monkeypatch, capsys, NEW)

    assert first == (0, "3 encrypted with the first key, 1 already encrypted with it, 0 unreadable.", "")
    assert again == alone == (0, "0 encrypted with the first key, 4 already encrypted with it, 0 unreadable.", "")
    store = open_store(url, encryption_key=NEW)
    assert [store.load(f"chain {number}") for number in range(4)] == [RECORD.with_version(1)] * 4
    assert store.save("chain 1", RECORD.with_version(1)).version == 2
    store.close()


def test_records_that_no_key_decrypts_are_left_unchanged_and_reported(url, monkeypatch, capsys):
    """The exit status shows that the old key is still needed."""
    for chain, key in (("one", OLD), ("two", "a lost passphrase")):
        store = open_store(url, encryption_key=key)
        store.save(chain, RECORD)
        store.close()

    status, counts, output = reencrypt(monkeypatch, capsys, BOTH)

    assert (status, counts) == (1, "1 encrypted with the first key, 0 already encrypted with it, 1 unreadable.")
    assert "VANTAGE_QUICKBOOKS_TOKEN_KEY" in output
    store = open_store(url, encryption_key="a lost passphrase")
    assert store.load("two") == RECORD.with_version(1)
    with pytest.raises(TokenStoreError):
        store.load("one")
    store.close()


def test_no_refresh_is_lost_during_reencryption(url, monkeypatch, capsys):
    """Workers save new records of four chains repeatedly; finally each chain has its newest one."""
    chains = [f"chain {number}" for number in range(4)]
    newest, stop = {}, threading.Event()

    def refresh(chain):
        # As a worker with the old list of keys does, so that there is always something to re-encrypt.
        store = open_store(url, encryption_key=json.dumps([OLD, NEW]))
        record = store.save(chain, RECORD)
        while not stop.is_set():
            with store.lock(chain, 60):
                stored = store.load(chain)
                assert stored == record
                record = store.save(chain, replace(stored, refresh_token=Secret(f"RT1-{stored.version}")))
        newest[chain] = record
        store.close()

    failures = []

    def run(chain):
        try:
            refresh(chain)
        except (AssertionError, CredentialConflict, TokenStoreError) as error:
            failures.append(error)

    workers = [threading.Thread(target=run, args=(chain,)) for chain in chains]
    for worker in workers:
        worker.start()
    changed, give_up_at = 0, time.monotonic() + 60
    while changed < 8 and time.monotonic() < give_up_at:
        status, counts, _ = reencrypt(monkeypatch, capsys, BOTH)
        assert status == 0
        changed += int(counts.split()[0])
    stop.set()
    for worker in workers:
        worker.join(60)

    assert failures == []
    assert changed >= 8
    reencrypt(monkeypatch, capsys, BOTH)
    store = open_store(url, encryption_key=NEW)
    assert {chain: store.load(chain) for chain in chains} == newest
    store.close()


@pytest.mark.parametrize(
    ("variables", "output"),
    [
        ({}, "No encryption key"),
        ({"TOKEN_KEY": NEW, "TOKEN_STORE": "memory:"}, "Tokens in memory are not encrypted"),
    ],
)
def test_a_store_with_nothing_to_encrypt_is_reported(monkeypatch, capsys, variables, output):
    for name, value in variables.items():
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", value)
    assert main(["tokens", "reencrypt"]) == 2
    assert output in capsys.readouterr().err


def test_a_record_saved_during_its_reencryption_is_kept(url):
    """A worker saves between reading and replacing: its record is re-encrypted next, or the worker waits."""
    store = open_store(url, encryption_key=OLD)
    store.save("chain", RECORD)
    store.close()
    store = open_store(url, encryption_key=BOTH)
    workers = []

    def look(text, chain):
        if not workers:
            workers.append(subprocess.Popen([sys.executable, "-c", WORKER, url, OLD, json.dumps(RECORD.to_dict())]))
            with contextlib.suppress(subprocess.TimeoutExpired):
                workers[0].wait(8)  # with SQLite it has saved by then; a database server lets it wait for us
        return is_current(text, chain)

    is_current, store._cipher.is_current = store._cipher.is_current, look
    counts = store.reencrypt()

    assert workers[0].wait(60) == 0
    assert (counts.changed, counts.unreadable) == (1, 0)
    newest = open_store(url, encryption_key=BOTH).load("chain")
    assert (newest.refresh_token.reveal(), newest.version) == ("RT1-newest", 2)
    store.close()
