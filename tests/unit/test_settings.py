"""Settings are checked once and never change; a secret is asterisks wherever it goes."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import logging
import pickle
import pprint
import traceback
import types
import urllib.parse

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.settings import MASK, Secret, Settings, redact
from vantage_quickbooks.core import tokens
from vantage_quickbooks.errors import SettingsError

EXAMPLE = {
    "client_id": "your-quickbooks-client-id",
    "client_secret": "your-quickbooks-client-secret",
    "refresh_token": "your-refresh-token",
    "realm_id": "your-realm-id",
    "max_results": 50,
}
REAL = EXAMPLE | {
    "client_id": "AB" + "c1" * 24,
    "client_secret": "s3" * 20,
    "refresh_token": "RT1-1-H0-1790000000abcdefghij0123456789",
    "realm_id": "9130357992220000",
}
SECRETS = (REAL["client_secret"], REAL["refresh_token"])


@pytest.fixture
def real() -> Settings:
    return Settings.parse(REAL)


# ---- parsing


def test_the_documented_example__is_valid_as_it_stands():
    settings = Settings.parse(EXAMPLE)
    assert settings == Settings(
        client_id="your-quickbooks-client-id",
        client_secret=Secret("your-quickbooks-client-secret"),
        refresh_token=Secret("your-refresh-token"),
        realm_id="your-realm-id",
        max_results=50,
        environment="production",
    )


def test_defaults__are_those_of_the_schema():
    settings = Settings.parse({key: value for key, value in EXAMPLE.items() if key != "max_results"})
    properties = load_schema("settings.schema")["properties"]
    assert settings.max_results == properties["max_results"]["default"] == 100
    assert settings.environment == properties["environment"]["default"] == "production"
    assert [*properties, "emulator_url"] == [field.name for field in dataclasses.fields(Settings)]


def test_text_is_trimmed__null_and_empty_are_not_given():
    settings = Settings.parse({key: f" {value}\n" for key, value in REAL.items()} | {"environment": ""})
    assert settings == Settings.parse(REAL)
    assert Settings.parse(REAL | {"max_results": None}).max_results == 100


def test_settings__may_come_in_any_mapping_and_with_secrets_wrapped(real):
    assert Settings.parse(types.MappingProxyType(REAL)) == real
    assert Settings.parse(dataclasses.asdict(real)) == real


def test_everything_wrong__is_said_at_once_and_without_a_secret():
    secret, token = "-".join(["HUNTER"] * 2), 4815162342 + 1  # not in the source lines that a traceback shows
    with pytest.raises(SettingsError) as caught:
        Settings.parse({"client_secret": f"{secret}\n{secret}", "refresh_token": token, "max_result": 5})
    error = caught.value
    assert [(entry.field, entry.rule) for entry in error.fields] == [
        ("client_id", "required"),
        ("client_secret", "pattern"),
        ("refresh_token", "type"),
        ("realm_id", "required"),
        ("max_result", "additionalProperties"),
    ]
    assert error.code == "SETTINGS_INVALID"
    assert "Client ID is missing. Copy it from the Keys & credentials page" in error.message
    told = "".join(traceback.format_exception(error)) + json.dumps(error.to_dict())
    assert secret not in told
    assert str(token) not in told


@pytest.mark.parametrize("data", [None, [], "{}", 5])
def test_settings__that_are_no_object__are_an_error(data):
    with pytest.raises(SettingsError, match="must be an object"):
        Settings.parse(data)


def test_settings__do_not_change(real):
    with pytest.raises(dataclasses.FrozenInstanceError):
        real.realm_id = "1"


def test_fingerprint__tells_the_keys_and_nothing_else(real):
    assert real.fingerprint() == tokens.fingerprint(REAL["client_id"], REAL["client_secret"])
    assert Settings.parse(REAL | {"refresh_token": "other"}).fingerprint() == real.fingerprint()
    assert Settings.parse(REAL | {"client_secret": "other"}).fingerprint() != real.fingerprint()


@given(st.dictionaries(st.sampled_from(sorted(EXAMPLE)), st.text(min_size=1) | st.integers()))
def test_settings__valid_or_not__always_speak_for_themselves(changes):
    try:
        settings = Settings.parse(EXAMPLE | changes)
    except SettingsError:
        return
    assert settings.fingerprint()
    assert {entry.field for entry in settings.warnings()} <= set(EXAMPLE)
    assert isinstance(settings.redactor()("text"), str)


# ---- warnings


def test_good_settings__are_not_warned_about(real):
    assert real.warnings() == []


def test_the_documented_example__is_warned_about_field_by_field():
    entries = Settings.parse(EXAMPLE).warnings()
    assert [(entry.field, entry.rule) for entry in entries] == [
        ("client_id", "sample"),
        ("client_secret", "sample"),
        ("refresh_token", "sample"),
        ("realm_id", "sample"),
    ]


@pytest.mark.parametrize(
    ("changes", "field", "rule", "said"),
    [
        ({"realm_id": "your-realm-id"}, "realm_id", "sample", "sample text"),
        ({"client_secret": REAL["client_id"]}, "client_secret", "equal", "are the same text"),
        (
            {"client_secret": REAL["client_id"], "client_id": REAL["client_secret"]},
            "client_secret",
            "swapped",
            "seem to be swapped",
        ),
        ({"refresh_token": REAL["client_secret"]}, "refresh_token", "equal", "one of the app's keys"),
        ({"refresh_token": REAL["client_id"]}, "refresh_token", "equal", "one of the app's keys"),
        ({"refresh_token": "eyJlbmMi.." + "x" * 20 + ".y.z"}, "refresh_token", "accessToken", "an access token"),
        ({"refresh_token": "your-refresh-token"}, "refresh_token", "sample", "sample text"),
    ],
)
def test_mistake_that_the_values_give_away__is_warned_about(changes, field, rule, said):
    (entry,) = Settings.parse(REAL | changes).warnings()
    assert (entry.field, entry.rule) == (field, rule)
    assert said in f"{entry.message} {entry.hint}"
    assert not any(value in repr(entry) for value in Settings.parse(REAL | changes).redactor()(repr(changes)).split())


# ---- secrets


def test_secret__is_asterisks_in_every_text(real, caplog, capsys):
    secret = real.client_secret
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("%s %r %s", secret, secret, real)
    pprint.pp(dataclasses.asdict(real))
    print(f"{secret} {secret!r} {secret:>30}", real, vars, [secret], {secret})
    told = "".join(
        [
            caplog.text,
            capsys.readouterr().out,
            str(dataclasses.astuple(real)),
            str({name: getattr(real, name) for name in Settings.__slots__}),
            json.dumps(dataclasses.asdict(real), default=str),
            json.dumps(dataclasses.asdict(real), default=repr),
            f"%s {secret}" % secret,
            "{0!s} {0!r} {0}".format(secret),  # noqa: UP032 -- the other way of formatting
            repr(copy.deepcopy(real)),
        ]
    )
    assert MASK in told
    assert not any(value in told for value in SECRETS)
    assert len(str(Secret("x"))) == len(str(Secret("x" * 100)))  # not even its length


@pytest.mark.parametrize("what", [lambda real: real.client_secret, lambda real: real, dataclasses.asdict])
def test_secret__is_not_serialised(real, what):
    with pytest.raises(TypeError):
        json.dumps(what(real))
    with pytest.raises(TypeError):
        orjson.dumps(what(real))  # which writes dataclasses by itself
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(what(real), protocol)
        assert not any(value in str(caught.value) for value in SECRETS)


@pytest.mark.parametrize(
    "look",
    [
        vars,
        iter,
        len,
        bytes,
        int,
        lambda secret: secret.__getstate__(),
        lambda secret: secret.__reduce__(),
        lambda secret: secret + "",
        lambda secret: secret[0],
    ],
)
def test_secret__has_no_back_door(look):
    with pytest.raises(TypeError):
        look(Secret("HUNTER2"))


def test_secret__does_not_change():
    secret = Secret("HUNTER2")
    for name in ("value", "_Secret__value"):
        with pytest.raises(AttributeError):
            setattr(secret, name, "x")
        with pytest.raises(AttributeError):
            delattr(secret, name)
    for value in (b"x", None, 5, secret):
        with pytest.raises(TypeError, match=r"^a secret is a str$"):
            Secret(value)


@given(st.text(), st.text())
def test_secret__equals_a_secret_of_the_same_text_only(one, other):
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) != one
    assert hash(Secret(one)) == hash(Secret(str(one)))
    assert Secret(one).reveal() == one
    assert bool(Secret(one)) is bool(one)
    assert copy.copy(Secret(one)) == copy.deepcopy(Secret(one)) == Secret(one)


# ---- redaction


def test_redactor__masks_the_secrets_in_every_spelling(real):
    basic = base64.b64encode(f"{REAL['client_id']}:{REAL['client_secret']}".encode()).decode()
    text = f"Authorization: Basic {basic}; refresh_token={REAL['refresh_token']}&x=1, {REAL['client_secret']} at AT-1"
    told = real.redactor("AT-1")(text)
    assert told == f"Authorization: Basic {MASK}; refresh_token={MASK}&x=1, {MASK} at {MASK}"
    assert real.redactor()(REAL["client_id"] + REAL["realm_id"]) == REAL["client_id"] + REAL["realm_id"]


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), min_size=1)


@given(printable, printable, printable)
def test_redacted_text__holds_no_spelling_of_a_secret(secret, before, after):
    secret = f"\u2603{secret}\u2603"
    spellings = [
        secret,
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        repr(secret),
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        urllib.parse.urlencode({"refresh_token": secret}),
        base64.b64encode(secret.encode()).decode(),
    ]
    for spelling in spellings:
        told = redact(f"{before}{spelling}{after}", [Secret(secret)])
        assert MASK in told
        assert spelling not in told


@given(st.lists(st.text()), st.text())
def test_redact__leaves_a_text_without_secrets_alone(secrets, text):
    assume(not any(secret in text for secret in secrets if secret))
    assert redact(text, ["\u2603" + secret for secret in secrets if "\u2603" not in text]) == text
    assert redact(text, []) == redact(text, [""]) == text


def test_redact__masks_the_longer_of_two_secrets_whole():
    assert redact("ab abc", ["ab", "abc"]) == f"{MASK} {MASK}"
