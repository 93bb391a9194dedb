"""Settings are validated once and immutable; their secrets are masked in every text."""

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

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.settings import Settings
from vantage_quickbooks.core import tokens
from vantage_quickbooks.core.secret import MASK, Secret
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


def test_the_documented_example__is_valid():
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


def test_all_errors__come_at_once_and_without_a_secret():
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
    text = "".join(traceback.format_exception(error)) + json.dumps(error.to_dict())
    assert secret not in text
    assert str(token) not in text


@pytest.mark.parametrize("data", [None, [], "{}", 5])
def test_settings__that_are_not_an_object__are_an_error(data):
    with pytest.raises(SettingsError, match="must be an object"):
        Settings.parse(data)


def test_settings__are_immutable(real):
    with pytest.raises(dataclasses.FrozenInstanceError):
        real.realm_id = "1"


def test_fingerprint__depends_on_the_keys_only(real):
    assert real.fingerprint() == tokens.fingerprint(REAL["client_id"], REAL["client_secret"])
    assert Settings.parse(REAL | {"refresh_token": "other"}).fingerprint() == real.fingerprint()
    assert Settings.parse(REAL | {"client_secret": "other"}).fingerprint() != real.fingerprint()


@given(st.dictionaries(st.sampled_from(sorted(EXAMPLE)), st.text(min_size=1) | st.integers()))
def test_settings__are_refused_with_a_settings_error_or_usable(changes):
    try:
        settings = Settings.parse(EXAMPLE | changes)
    except SettingsError:
        return
    assert settings.fingerprint()
    assert {entry.field for entry in settings.warnings()} <= set(EXAMPLE)
    assert isinstance(settings.redactor()("text"), str)


# ---- warnings


def test_valid_settings__have_no_warnings(real):
    assert real.warnings() == []


def test_the_documented_example__has_a_warning_per_field():
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
def test_mistake_that_the_values_show__is_a_warning(changes, field, rule, said):
    (entry,) = Settings.parse(REAL | changes).warnings()
    assert (entry.field, entry.rule) == (field, rule)
    assert said in f"{entry.message} {entry.hint}"
    assert not any(value in repr(entry) for value in Settings.parse(REAL | changes).redactor()(repr(changes)).split())


# ---- secrets


def test_secrets__are_masked_in_every_text(real, caplog, capsys):
    secret = real.client_secret
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("%s %r %s", secret, secret, real)
    pprint.pp(dataclasses.asdict(real))
    print(f"{secret} {secret!r} {secret:>30}", real, vars, [secret], {secret})
    text = "".join(
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
    assert MASK in text
    assert not any(value in text for value in SECRETS)
    assert len(str(Secret("x"))) == len(str(Secret("x" * 100)))  # not even its length


@pytest.mark.parametrize("what", [lambda real: real.client_secret, lambda real: real, dataclasses.asdict])
def test_secrets__cannot_be_serialized(real, what):
    with pytest.raises(TypeError):
        json.dumps(what(real))
    with pytest.raises(TypeError):
        orjson.dumps(what(real))  # which writes dataclasses by itself
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(what(real), protocol)
        assert not any(value in str(caught.value) for value in SECRETS)


# ---- redaction


def test_redactor__masks_the_secrets_in_every_encoding(real):
    basic = base64.b64encode(f"{REAL['client_id']}:{REAL['client_secret']}".encode()).decode()
    text = f"Authorization: Basic {basic}; refresh_token={REAL['refresh_token']}&x=1, {REAL['client_secret']} at AT-1"
    text = real.redactor("AT-1")(text)
    assert text == f"Authorization: Basic {MASK}; refresh_token={MASK}&x=1, {MASK} at {MASK}"
    assert real.redactor()(REAL["client_id"] + REAL["realm_id"]) == REAL["client_id"] + REAL["realm_id"]
