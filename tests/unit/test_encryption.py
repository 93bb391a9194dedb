"""Several encryption keys, and the binding of a record to its chain."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import json
import pickle
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from vantage_quickbooks.auth.encryption import RecordCipher, _make_key, parse_keys
from vantage_quickbooks.auth.stores import SQLiteStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.core.secret import Secret
from vantage_quickbooks.core.tokens import TokenRecord
from vantage_quickbooks.errors import TokenStoreError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = "sandbox:9130000000000000:0123456789abcdef0123456789abcdef"
# The same in every process, because they are in the names of tests.
ONE, TWO = (base64.urlsafe_b64encode(hashlib.sha256(name).digest()).decode() for name in (b"one", b"two"))
RECORD = TokenRecord(
    realm_id="9130000000000000",
    environment="sandbox",
    fingerprint="f" * 64,
    refresh_token=Secret("PLANTED-refresh"),
    access_token=Secret("PLANTED-access"),
    access_token_expires_at=NOW + timedelta(hours=1),
    obtained_at=NOW,
)


# ---- which keys a text names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a passphrase", ["a passphrase"]),
        ("correct, horse, battery", ["correct, horse, battery"]),
        (f" {ONE}\n", [ONE]),
        (f"{ONE},{TWO}", [ONE, TWO]),
        (f"{ONE} , {TWO}\n", [ONE, TWO]),
        ('["new, with a comma", "old"]', ["new, with a comma", "old", '["new, with a comma", "old"]']),
        (f'["{ONE}", "old"]', [ONE, "old", f'["{ONE}", "old"]']),
        ("[not JSON", ["[not JSON"]),
        ("[1, 2]", ["[1, 2]"]),
        ("[]", ["[]"]),
    ],
)
def test_keys_are_parsed_and_passphrases_are_never_split(text, keys):
    """Only Fernet keys are split at commas; passphrases are listed as a JSON array, which itself still decrypts."""
    assert [key.reveal() for key in parse_keys(text)] == keys
    assert [key.reveal() for key in parse_keys(Secret(text))] == keys


@pytest.mark.parametrize("text", [f"{ONE},old passphrase", f"new passphrase, {TWO}"])
def test_a_mixture_of_fernet_keys_and_other_text_is_refused(text):
    with pytest.raises(TokenStoreError, match="JSON array") as caught:
        parse_keys(text)
    assert ONE not in str(caught.value)
    assert "passphrase," not in str(caught.value)


@pytest.mark.parametrize("text", ["", " ", '["new", ""]'])
def test_an_empty_key_is_refused(text):
    with pytest.raises(TokenStoreError, match="empty"):
        parse_keys(text)


# ---- encrypt with the first, decrypt with any -----------------------------------------------------------------------


@pytest.mark.parametrize("old", [ONE, "an old passphrase"])
@pytest.mark.parametrize("new", [TWO, "a new passphrase"])
def test_the_first_key_encrypts_and_any_decrypts(old, new):
    before = RecordCipher(old).encrypt(RECORD, KEY)
    both = RecordCipher(json.dumps([new, old]))

    assert both.decrypt(before, "there", KEY) == RECORD
    after = both.encrypt(RECORD, KEY)
    assert RecordCipher(new).decrypt(after, "there", KEY) == RECORD
    with pytest.raises(TokenStoreError, match="another key"):
        RecordCipher(old).decrypt(after, "there", KEY)
    assert [both.is_current(text, KEY) for text in (before, after)] == [False, True]


def test_a_passphrase_that_looks_like_a_list_decrypts_what_it_encrypted():
    """Before lists were supported, such a text was one passphrase."""
    text = '["new", "old"]'
    once = RecordCipher(None)
    once._keys = [_make_key(Secret(text))]
    encrypted = once.encrypt(RECORD, KEY)

    assert RecordCipher(text).decrypt(encrypted, "there", KEY) == RECORD


def test_ciphers_of_other_salts_are_bounded():
    """Seven processes have written, each with its own salt."""
    texts = [RecordCipher("a passphrase").encrypt(RECORD, KEY) for _ in range(7)]
    reader = RecordCipher("a passphrase")
    reader._max_derived = 5
    assert all(reader.decrypt(text, "there", KEY) == RECORD for text in texts)
    assert len(reader._derived) <= 5


# ---- bound to the chain --------------------------------------------------------------------------------------------


def test_an_encrypted_record_is_valid_for_its_chain_only(tmp_path):
    """An attacker who can write to the store cannot give one company's tokens to another."""
    store = SQLiteStore(tmp_path / "t.sqlite3", encryption_key="a passphrase")
    store.save(KEY, RECORD)
    with store._connection() as database:
        database.execute(
            "INSERT INTO vantage_quickbooks_token SELECT 'other', record, version FROM vantage_quickbooks_token"
        )

    with pytest.raises(TokenStoreError, match="another chain") as caught:
        store.load("other")
    assert caught.value.code == "CREDENTIALS_NOT_LOADED"
    assert store.load(KEY).refresh_token == RECORD.refresh_token


def test_a_record_of_an_earlier_release_can_be_read():
    """It does not contain the name of its chain."""
    sealer = RecordCipher(ONE)
    legacy = "fernet:" + Fernet(ONE).encrypt(json.dumps(RECORD.to_dict()).encode()).decode()
    assert sealer.decrypt(legacy, "there", KEY) == RECORD
    assert not sealer.is_current(legacy, KEY)


# ---- leaks ---------------------------------------------------------------------------------------------------------

PLANTED = ("PLANTED-refresh", "PLANTED-access", "PLANTED-phrase", "PLANTED-password", ONE)
DEPLOYMENTS = [
    Deployment(token_key="PLANTED-phrase", token_store="postgresql+psycopg://user:PLANTED-password@host/db"),
    Deployment(token_key=Secret(ONE)),
    Deployment.from_environ(
        {
            "VANTAGE_QUICKBOOKS_TOKEN_KEY": "PLANTED-phrase",
            "VANTAGE_QUICKBOOKS_TOKEN_STORE": "postgresql://user:PLANTED-password@host/db",
        }
    ),
]
HOLDERS = [
    *DEPLOYMENTS,
    RECORD,
    RECORD.with_version(3),
    TokenRecord.from_dict(RECORD.to_dict()),
    RecordCipher("PLANTED-phrase"),
    RecordCipher(ONE),
    RecordCipher(f'["PLANTED-phrase", "{ONE}"]'),
]


def crash_of(holder):
    """Return a crash report with local variables, of a function that has the holder and a copy of its values."""
    fields = dataclasses.asdict(holder) if dataclasses.is_dataclass(holder) else dict(vars(holder))
    try:
        return str(1 // (len(fields) * 0))
    except ZeroDivisionError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def state_of(holder):
    if hasattr(holder, "__dict__"):
        return vars(holder)
    return {name: getattr(holder, name) for name in holder.__slots__}


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_objects_with_secrets_do_not_reveal_them(holder):
    """repr, str, format, asdict, vars, copies, JSON by a careless default, and crash reports."""
    texts = [repr(holder), str(holder), f"{holder}", repr([holder]), repr(state_of(holder)), crash_of(holder)]
    if dataclasses.is_dataclass(holder):
        for fields in (dataclasses.asdict(holder), dataclasses.astuple(holder)):
            texts += [repr(fields), json.dumps(fields, default=str), json.dumps(fields, default=repr)]
            texts.append(repr(copy.deepcopy(fields)))
        copies = (copy.copy(holder), copy.deepcopy(holder), dataclasses.replace(holder))
        assert all(made == holder for made in copies)
        texts += [repr(made) + repr(dataclasses.asdict(made)) for made in copies]
    assert not [secret for secret in PLANTED for text in texts if secret in text]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_objects_with_secrets_cannot_be_pickled(holder, protocol):
    """The error explains it: unpickled asterisks would look like a usable key."""
    whole = [holder]
    if dataclasses.is_dataclass(holder):
        whole.append(dataclasses.asdict(holder))
    for what in whole:
        with pytest.raises(TypeError) as caught:
            pickle.dumps(what, protocol)
        assert not [secret for secret in PLANTED if secret in str(caught.value)]


def test_a_deployment_without_secrets_can_be_pickled():
    """Hosts pass it to other processes."""
    plain = Deployment(api_url="http://127.0.0.1:1", token_store="/var/lib/tokens.sqlite3")
    assert pickle.loads(pickle.dumps(plain)) == plain  # noqa: S301 -- of our own making
    assert plain.token_store == "/var/lib/tokens.sqlite3"


def test_keys_and_urls_given_as_text_become_secrets():
    assert [deployment.token_key.reveal() for deployment in DEPLOYMENTS] == ["PLANTED-phrase", ONE, "PLANTED-phrase"]
    assert DEPLOYMENTS[0].token_store.reveal() == "postgresql+psycopg://user:PLANTED-password@host/db"
