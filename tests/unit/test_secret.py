"""A secret is disclosed by nothing but `reveal`, and a redacted text contains none."""

from __future__ import annotations

import base64
import copy
import json
import urllib.parse

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vantage_quickbooks.core.secret import MASK, Secret, redact


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
def test_secret__is_disclosed_by_no_operation(look):
    with pytest.raises(TypeError):
        look(Secret("HUNTER2"))


def test_secret__is_immutable():
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


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), min_size=1)


@given(printable, printable, printable)
def test_redacted_text__contains_a_secret_in_no_encoding(secret, before, after):
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
        redacted = redact(f"{before}{spelling}{after}", [Secret(secret)])
        assert MASK in redacted
        assert spelling not in redacted


@given(st.lists(st.text()), st.text())
def test_redact__does_not_change_a_text_without_secrets(secrets, text):
    assume(not any(secret in text for secret in secrets if secret))
    assert redact(text, ["\u2603" + secret for secret in secrets if "\u2603" not in text]) == text
    assert redact(text, []) == redact(text, [""]) == text


def test_redact__masks_the_longer_of_two_secrets_completely():
    assert redact("ab abc", ["ab", "abc"]) == f"{MASK} {MASK}"
