"""Credentials that a host keeps: versions, conflicts, and errors without values."""

from __future__ import annotations

import json

import pytest
from token_records import KEY, CountingHost, EtagHost, host_store, record

from vantage_quickbooks.auth.stores import HostStore
from vantage_quickbooks.errors import CredentialConflict, TokenStoreError


def test_a_host_gets_plain_credentials_and_its_own_versions():
    host = EtagHost()
    store = host_store(host)
    saved = store.save(KEY, record())
    store.save(KEY, saved)

    assert record().to_dict() | {"version": 'W/"1"', "chain": KEY} == json.loads(host.credentials["c1"])
    assert host.versions["c1"] == 'W/"2"'
    assert store.load(KEY) == host_store(host).load(KEY)  # another process gives a version the same number


def test_a_host_may_return_credentials_unchanged_and_count_versions():
    host = CountingHost()
    host.load = lambda connection_id: json.loads(host.credentials.get(connection_id, "null"))
    store = host_store(host)
    for _ in range(3):
        loaded = host_store(host).load(KEY) or record()
        store.save(KEY, loaded)

    assert store.load(KEY).version == 3


def test_a_newly_pasted_refresh_token_replaces_the_credentials_of_the_old_chain():
    host = EtagHost()
    host_store(host).save("old chain", record())
    store = host_store(host)

    assert store.load("new chain") is None
    saved = store.save("new chain", record(refresh_token="pasted"))
    assert saved == store.load("new chain")
    with pytest.raises(CredentialConflict):  # the save before has moved the host's version
        host_store(host).save("old chain", record())


def test_a_host_may_report_a_conflict_by_its_own_exception():
    """A host of several connectors cannot raise the class of each; the code decides."""

    class StaleVersion(Exception):  # noqa: N818 -- a host's own
        code = "CREDENTIALS_CONFLICT"

    host = CountingHost()

    def save(*_):
        raise StaleVersion("PLANTED-refresh")

    host.save = save
    with pytest.raises(CredentialConflict) as caught:
        host_store(host).save(KEY, record())
    assert "PLANTED" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_credentials_created_by_the_host_need_no_chain():
    host = CountingHost()
    host.credentials["c1"] = json.dumps(record().to_dict())
    host.versions["c1"] = 5

    assert record(5) == host_store(host).load(KEY)


def test_a_failed_save_reveals_no_secret_and_can_be_repeated():
    host = CountingHost()
    answers = [RuntimeError("PLANTED-refresh"), TokenStoreError("PLANTED-refresh"), None]

    def save(*args):
        answer = answers.pop(0) if answers else host.save(*args)
        if isinstance(answer, Exception):
            raise answer
        return answer

    store = HostStore("c1", host.load, save)
    for expected in ("RuntimeError", "TokenStoreError", "vantage_save_credentials"):
        with pytest.raises(TokenStoreError, match=expected) as caught:
            store.save(KEY, record())
        assert caught.value.code == "CREDENTIALS_NOT_SAVED"
        assert "PLANTED" not in str(caught.value) + repr(caught.value.to_dict())

    assert store.save(KEY, record()).version == 1


@pytest.mark.parametrize(
    "answer",
    [KeyError("PLANTED-refresh"), "PLANTED-refresh", ["PLANTED-refresh"], {}, {"refreshToken": "PLANTED-refresh"}],
    ids=lambda answer: type(answer).__name__,
)
def test_the_error_for_malformed_credentials_contains_no_value(answer):
    def load(_):
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(TokenStoreError, match="host") as caught:
        HostStore("c1", load, None).load(KEY)

    assert caught.value.code == "CREDENTIALS_NOT_LOADED"
    assert "PLANTED" not in str(caught.value) + repr(caught.value.to_dict())
