"""Token records: states, fingerprints, chain keys, token responses, and serialization."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core import tokens
from vantage_quickbooks.core.tokens import TokenRecord, TokenState

NOW = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
SECRETS = {
    "client_secret": "planted-client-secret-71",
    "refresh": "RT1-planted-refresh-72",
    "access": "planted-access-73",
}

whole_ms = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)).map(  # noqa: DTZ001 -- made aware in the next line
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)
any_time = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001 -- made aware by the zones
    datetime(2200, 1, 1),  # noqa: DTZ001 -- Hypothesis adds the time zone
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
words = st.text(min_size=1, max_size=30)


def records(times):
    return st.builds(
        TokenRecord,
        realm_id=words,
        environment=words,
        fingerprint=words,
        refresh_token=words,
        access_token=words,
        token_type=words,
        access_token_expires_at=times,
        obtained_at=times,
        refresh_token_expires_at=st.none() | times,
        refresh_token_hard_expires_at=st.none() | times,
        version=st.integers(0, 2**63),
    )


def record(**changes):
    values = {
        "realm_id": "123",
        "environment": "sandbox",
        "fingerprint": "f" * 64,
        "refresh_token": SECRETS["refresh"],
        "access_token": SECRETS["access"],
        "access_token_expires_at": NOW + timedelta(seconds=3600),
        "obtained_at": NOW,
    }
    return TokenRecord(**values | changes)


# ---- states ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left_s", "state"),
    [
        (3600, TokenState.FRESH),
        (300.001, TokenState.FRESH),
        (300, TokenState.STALE),
        (299.999, TokenState.STALE),
        (0.000001, TokenState.STALE),
        (0, TokenState.EXPIRED),
        (-0.000001, TokenState.EXPIRED),
        (-3600, TokenState.EXPIRED),
    ],
)
def test_the_state_of_a_token_depends_on_its_remaining_lifetime(left_s, state):
    """Fresh while it outlives the skew of five minutes, stale while it is valid, expired from its expiry on."""
    end = NOW + timedelta(seconds=3600)
    assert tokens.state(record(), end - timedelta(seconds=left_s)) is state


@pytest.mark.parametrize(
    ("lifetime_s", "left_s", "state"),
    [
        (100, 50.001, TokenState.FRESH),
        (100, 50, TokenState.STALE),
        (600, 300, TokenState.STALE),
        (599, 299.6, TokenState.FRESH),
        (1, 0.6, TokenState.FRESH),
        (0, 0, TokenState.EXPIRED),
        (-5, -5, TokenState.EXPIRED),
    ],
)
def test_a_short_lived_token_is_fresh_for_half_its_lifetime(lifetime_s, left_s, state):
    end = NOW + timedelta(seconds=lifetime_s)
    short = record(access_token_expires_at=end)
    assert tokens.state(short, end - timedelta(seconds=left_s)) is state


@given(st.integers(1, 10**6), st.floats(0, 10**6), st.floats(0, 10**4))
def test_a_fresh_token_outlives_the_skew_or_half_its_lifetime(lifetime_s, age_s, skew_s):
    end = NOW + timedelta(seconds=lifetime_s)
    now = NOW + timedelta(seconds=age_s)
    state = tokens.state(record(access_token_expires_at=end), now, skew_s=skew_s)
    left = (end - now).total_seconds()
    assert (state is TokenState.EXPIRED) == (left <= 0)
    if state is TokenState.FRESH:
        assert left > min(skew_s, lifetime_s / 2)


def test_the_state_does_not_depend_on_the_time_zone():
    there = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert tokens.state(record(), there) is tokens.state(record(), NOW) is TokenState.FRESH


# ---- fingerprints and chains ----------------------------------------------------------------------------------------


@given(words, words, words, words)
def test_a_fingerprint_changes_with_either_value(client_id, secret, other_id, other_secret):
    same = (client_id, secret) == (other_id, other_secret)
    assert (tokens.fingerprint(client_id, secret) == tokens.fingerprint(other_id, other_secret)) == same


def test_swapping_client_id_and_secret_changes_the_fingerprint():
    assert tokens.fingerprint("ab", "c") != tokens.fingerprint("a", "bc")
    assert tokens.fingerprint("a", "b") != tokens.fingerprint("b", "a")


def test_a_fingerprint_does_not_reveal_its_input():
    mark = tokens.fingerprint("my-client", SECRETS["client_secret"])
    assert len(mark) == 64
    assert set(mark) <= set("0123456789abcdef")


CHAIN = {
    "realm_id": "123",
    "environment": "sandbox",
    "token_endpoint": "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
    "client_id": "my-client",
    "refresh_token": SECRETS["refresh"],
}


@pytest.mark.parametrize("name", CHAIN)
def test_each_of_the_five_inputs_changes_the_chain_key(name):
    assert tokens.chain_key(**CHAIN) == tokens.chain_key(**CHAIN)
    assert tokens.chain_key(**CHAIN) != tokens.chain_key(**CHAIN | {name: CHAIN[name] + "x"})


@given(st.fixed_dictionaries({name: st.text(min_size=12, max_size=60) for name in ("client_id", "refresh_token")}))
def test_the_chain_key_contains_neither_token_nor_client(values):
    key = tokens.chain_key(**CHAIN | values)
    assert values["refresh_token"] not in key
    assert values["client_id"] not in key
    assert key.startswith("sandbox:123:")
    assert len(key.rpartition(":")[2]) == 32


def test_the_chain_key_does_not_depend_on_the_client_secret():
    """A changed secret continues the same chain; only a newly pasted refresh token starts another."""
    assert set(CHAIN) == set(inspect.signature(tokens.chain_key).parameters)


# ---- token responses ------------------------------------------------------------------------------------------------

RESPONSE = {
    "access_token": SECRETS["access"],
    "refresh_token": "RT1-next",
    "token_type": "bearer",
    "expires_in": 3600,
    "x_refresh_token_expires_in": 8726400,
    "x_refresh_token_hard_expires_in": 157680000,
}


def made(response, **changes):
    values = {
        "now": NOW,
        "realm_id": "123",
        "environment": "sandbox",
        "fingerprint": "f",
        "sent_refresh_token": SECRETS["refresh"],
    }
    return tokens.from_token_response(response, **values | changes)


def test_the_lifetimes_of_a_token_response_count_from_the_request():
    made_record = made(RESPONSE)
    assert made_record.access_token_expires_at == NOW + timedelta(seconds=3600)
    assert made_record.refresh_token_expires_at == NOW + timedelta(days=101)
    assert made_record.refresh_token_hard_expires_at == NOW + timedelta(seconds=157680000)
    assert (made_record.refresh_token.reveal(), made_record.obtained_at, made_record.version) == ("RT1-next", NOW, 0)


@pytest.mark.parametrize("absent", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_a_response_without_a_refresh_token_keeps_the_one_that_was_sent(absent):
    response = {key: value for key, value in RESPONSE.items() if key != "refresh_token"} | absent
    assert made(response).refresh_token.reveal() == SECRETS["refresh"]


def test_the_hard_expiry_is_kept_if_a_response_omits_it():
    response = {key: value for key, value in RESPONSE.items() if key != "x_refresh_token_hard_expires_in"}
    previous = record(refresh_token_hard_expires_at=NOW + timedelta(days=1000), version=7)
    assert made(response, previous=previous).refresh_token_hard_expires_at == NOW + timedelta(days=1000)
    assert made(response, previous=previous).version == 7
    assert made(response).refresh_token_hard_expires_at is None


def test_the_rolling_expiry_is_not_kept_because_every_refresh_moves_it():
    response = {key: value for key, value in RESPONSE.items() if key != "x_refresh_token_expires_in"}
    previous = record(refresh_token_expires_at=NOW + timedelta(days=1))
    assert made(response, previous=previous).refresh_token_expires_at is None


@pytest.mark.parametrize("spelling", ["3600", 3600.0, " 3600 "])
def test_a_lifetime_may_be_a_string(spelling):
    assert made(RESPONSE | {"expires_in": spelling}).access_token_expires_at == NOW + timedelta(seconds=3600)


ODD = ["soon", "", [], {}, True, "nan", "inf", 1e300, 10**400, "9" * 5000]


@pytest.mark.parametrize("odd", [*ODD, None], ids=lambda odd: str(odd)[:8])
def test_an_invalid_lifetime_of_the_access_token_counts_as_the_documented_hour(odd):
    """Intuit has rotated by then: rejecting the response would lose the new refresh token."""
    made_record = made(RESPONSE | {"expires_in": odd})
    assert made_record.refresh_token.reveal() == "RT1-next"
    assert made_record.access_token_expires_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:8])
@pytest.mark.parametrize("name", ["x_refresh_token_expires_in", "x_refresh_token_hard_expires_in"])
def test_an_invalid_lifetime_of_the_refresh_token_does_not_lose_the_token(name, odd):
    """Intuit has invalidated the old refresh token by then; the new one is kept."""
    made_record = made(RESPONSE | {name: odd})
    assert made_record.refresh_token.reveal() == "RT1-next"
    assert getattr(made_record, name.removeprefix("x_").replace("_in", "_at")) is None


@pytest.mark.parametrize("odd", [5, ["SECRET-IN-LIST"], {"a": "SECRET-IN-DICT"}, True])
def test_the_error_for_an_invalid_token_does_not_contain_its_value(odd):
    with pytest.raises(ValueError, match=r"^access_token is missing$"):
        made(RESPONSE | {"access_token": odd})


@pytest.mark.parametrize("odd", [5, [], {}, True, None, ""])
def test_after_an_invalid_refresh_token_the_one_that_was_sent_is_kept(odd):
    assert made(RESPONSE | {"refresh_token": odd}, sent_refresh_token="RT1-sent").refresh_token.reveal() == "RT1-sent"


@pytest.mark.parametrize("absent", [{}, {"access_token": None}, {"access_token": ""}])
def test_a_response_without_an_access_token_is_an_error(absent):
    response = {key: value for key, value in RESPONSE.items() if key != "access_token"} | absent
    with pytest.raises(ValueError, match=r"^access_token is missing$"):
        made(response)


@given(
    st.dictionaries(
        st.sampled_from(sorted(RESPONSE)),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2),
    )
)
def test_any_response_gives_a_record_or_a_value_error(changes):
    try:
        made_record = made(RESPONSE | changes)
    except ValueError as error:
        assert str(error).partition(" ")[0] in RESPONSE  # noqa: PT017 -- either way is right
    else:
        assert made_record.access_token
        assert made_record.refresh_token


# ---- stored records -------------------------------------------------------------------------------------------------


@given(records(whole_ms))
def test_a_record_survives_serialization(stored):
    assert TokenRecord.from_dict(json.loads(json.dumps(stored.to_dict(), allow_nan=False))) == stored


@given(records(any_time))
def test_serialization_truncates_times_to_milliseconds(stored):
    """Fractions are truncated, so that an expiry is never read as later than it is."""
    again = TokenRecord.from_dict(stored.to_dict())
    for name in ("access_token_expires_at", "obtained_at"):
        assert timedelta(0) <= getattr(stored, name) - getattr(again, name) < timedelta(milliseconds=1)
    assert again.to_dict() == stored.to_dict()


@pytest.mark.parametrize("name", sorted(record().to_dict()))
@pytest.mark.parametrize("odd", [..., None, "", 5, ["PLANTED"], "PLANTED", {"a": "PLANTED"}, True, -1, float("inf")])
def test_the_error_for_a_damaged_record_contains_no_value(name, odd):
    """Unless the generated value happens to be valid."""
    data = record().to_dict() | {name: odd}
    if odd is ...:
        del data[name]
    try:
        TokenRecord.from_dict(data)
    except ValueError as error:
        assert name in str(error) or "not a record" in str(error)  # noqa: PT017 -- either way is right
        assert not any(secret in str(error) for secret in (*SECRETS.values(), "PLANTED"))  # noqa: PT017
        assert error.__cause__ is None  # noqa: PT017


@pytest.mark.parametrize("data", [None, [], "text", 5, {}])
def test_a_value_that_is_not_a_record_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"realmId is missing|not a record"):
        TokenRecord.from_dict(data)


def test_a_time_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match=r"^accessTokenExpiresAt has no time zone$"):
        TokenRecord.from_dict(record().to_dict() | {"accessTokenExpiresAt": "2026-10-01T12:00:00"})


@pytest.mark.parametrize("version", ["1", 1.5, True, -1, [1], "secret"])
def test_a_version_that_is_not_a_count_is_refused(version):
    with pytest.raises(ValueError, match=r"^version is not a count$"):
        TokenRecord.from_dict(record().to_dict() | {"version": version})


def test_with_version_changes_only_the_version():
    assert record().with_version(5).to_dict() == record().to_dict() | {"version": 5}


def test_the_repr_of_a_record_contains_no_token():
    for text in (repr(record()), str(record()), f"{record()}", repr([record()])):
        assert not any(secret in text for secret in SECRETS.values())


@given(st.none() | any_time)
def test_times_are_written_in_utc_with_milliseconds(at):
    text = tokens.iso(at)
    if at is None:
        assert text is None
        return
    assert text.endswith("Z")
    assert len(text) == len("2026-10-01T12:00:00.000Z")
    assert timedelta(0) <= at - datetime.fromisoformat(text) < timedelta(milliseconds=1)
