"""Tokens are sent to servers of Intuit, this machine, and hosts that the operator allows, and to no others."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import pytest
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.errors import SettingsError

API, OAUTH, ALLOW = (f"VANTAGE_QUICKBOOKS_{name}" for name in ("API_URL", "OAUTH_URL", "ALLOW_HOST"))

ACCEPTED = [
    ("https://quickbooks.api.intuit.com", "https://quickbooks.api.intuit.com"),
    ("https://sandbox-quickbooks.api.intuit.com/", "https://sandbox-quickbooks.api.intuit.com"),
    ("https://QuickBooks.API.Intuit.com", "https://QuickBooks.API.Intuit.com"),
    ("HTTPS://quickbooks.api.intuit.com", "https://quickbooks.api.intuit.com"),
    ("https://quickbooks.api.intuit.com:443", "https://quickbooks.api.intuit.com:443"),
    ("http://127.0.0.1", "http://127.0.0.1"),
    ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ("http://127.8.9.10:1", "http://127.8.9.10:1"),
    ("http://localhost:8080", "http://localhost:8080"),
    ("http://LOCALHOST:8080", "http://LOCALHOST:8080"),
    ("http://[::1]:8080", "http://[::1]:8080"),
    ("https://[::1]", "https://[::1]"),
    ("  https://127.0.0.1:8443  ", "https://127.0.0.1:8443"),
]

NOT_ALLOWED = [  # a host that is neither Intuit's nor this machine
    "https://evil.test",
    "https://evil-intuit.com",
    "https://evilintuit.com",
    "https://intuit.com.evil.test",
    "https://quickbooks.api.intuit.com.evil.test",
    "https://intuit.com",
    "https://quickbooks.api.intuit.co",
    "https://127.0.0.1.evil.test",
    "https://localhost.evil.test",
    "https://0.0.0.0",
    "https://127.1",
    "https://2130706433",
    "https://10.0.0.1",
    "https://[::]",
    "https://[::ffff:127.0.0.1]",
    "https://xn--quickbooks-api.test",
]

UNENCRYPTED = [
    "http://quickbooks.api.intuit.com",
    "http://evil.test",
    "http://allowed.test",
    "http://0.0.0.0:8080",
    "http://127.0.0.1.evil.test",
    "http://127.999.1.1",
    "http://127.1",
    "http://[::ffff:127.0.0.1]",
]

NO_URL = [
    "quickbooks.api.intuit.com",
    "//quickbooks.api.intuit.com",
    "https://",
    "https:///v3",
    "https:quickbooks.api.intuit.com",
    "ftp://quickbooks.api.intuit.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://user@quickbooks.api.intuit.com",
    "https://user:planted-password@quickbooks.api.intuit.com",
    "https://quickbooks.api.intuit.com@evil.test",
    "http://127.0.0.1@evil.test",
    "https://:@quickbooks.api.intuit.com",
    "https://quickbooks.api.intuit.com/v3",
    "https://quickbooks.api.intuit.com/v3/company",
    "https://quickbooks.api.intuit.com?a=b",
    "https://quickbooks.api.intuit.com#a",
    "https://quickbooks.api.intuit.com:port",
    "https://quickbooks.api.intuit.com:99999",
    "https://quickbooks.api.intuit.com:-1",
    "http://[::1",
    "http://[::1%25eth0]",
    "https://evil.test\\.intuit.com",
    "https://evil.test\\@quickbooks.api.intuit.com",
    "https://evil.test .intuit.com",
    "https://evil.test;.intuit.com",
    "https://evil.test%2f.intuit.com",
    "https://evil.test%00.intuit.com",
    "https://evil.test\uff3c.intuit.com",
    "https://evil.test\uff0f.intuit.com",
    "https://.intuit.com",
    "https://intuit.com.",
    "https://quickbooks.api.intuit.com.",
    "https://*.intuit.com",
    "https://\u0456ntuit.com",  # a Cyrillic i
    "https://quickbooks.api.\u0456ntuit.com",
    "http://127.\u0660.\u0660.\u0661",
    "\x00",
    "-",
]


def from_environ(**values):
    return Deployment.from_environ({f"VANTAGE_QUICKBOOKS_{name}": value for name, value in values.items()})


def refusal(name, url, **more):
    with pytest.raises(SettingsError) as caught:
        from_environ(**{name: url}, **more).endpoints("production")
    (entry,) = caught.value.fields
    assert entry.field == f"VANTAGE_QUICKBOOKS_{name}"
    assert entry.field in caught.value.message
    assert entry.hint
    assert entry.hint in caught.value.message
    return caught.value


@pytest.mark.parametrize(("url", "expected"), ACCEPTED)
def test_hosts_of_intuit_and_this_machine_are_accepted(url, expected):
    endpoints = from_environ(API_URL=url, OAUTH_URL=url).endpoints("production")
    assert endpoints.api_url == expected
    assert endpoints.token_endpoint == expected + "/oauth2/v1/tokens/bearer"
    assert endpoints.revocation_endpoint == expected + "/v2/oauth2/tokens/revoke"


@pytest.mark.parametrize("name", ["API_URL", "OAUTH_URL"])
@pytest.mark.parametrize("url", NOT_ALLOWED)
def test_any_other_host_is_refused_with_the_variable_that_would_allow_it(url, name):
    error = refusal(name, url)
    assert "is neither a host of Intuit nor this machine" in error.message
    assert f"{ALLOW}={urlsplit(url).hostname}" in error.message


@pytest.mark.parametrize("name", ["API_URL", "OAUTH_URL"])
@pytest.mark.parametrize("url", UNENCRYPTED)
def test_plain_http_is_refused_for_other_machines_even_if_allowed(url, name):
    assert "unencrypted" in refusal(name, url, ALLOW_HOST="allowed.test,127.1,0.0.0.0").message


@pytest.mark.parametrize("name", ["API_URL", "OAUTH_URL"])
@pytest.mark.parametrize("url", NO_URL)
def test_an_invalid_origin_is_refused_without_repeating_it(url, name):
    error = refusal(name, url, ALLOW_HOST="evil.test")
    assert "not a scheme and a host" in error.message
    assert "planted-password" not in f"{error!s}{error!r}{error.to_dict()}"


@pytest.mark.parametrize("allow", ["bridge.test", " Bridge.TEST ", "other.test, bridge.test", ",bridge.test,"])
def test_an_allowed_host_is_accepted_over_https(allow):
    endpoints = from_environ(API_URL="https://bridge.test:8443/", ALLOW_HOST=allow).endpoints("sandbox")
    assert endpoints.api_url == "https://bridge.test:8443"


@pytest.mark.parametrize("allow", ["", " ", ",", "test", "other.test", "*", "*.test", "bridge.test.", "ridge.test"])
def test_a_host_is_allowed_by_its_complete_name_only(allow):
    refusal("API_URL", "https://bridge.test", ALLOW_HOST=allow)


@example("[::1]", "https://", ".intuit.com")
@given(
    st.text(alphabet=st.sampled_from("abe.intuit.comE127.0:/@\\?#[]%;_- \t\uff0e\uff3c\u3002\u00ad"), max_size=40),
    st.sampled_from(["http://", "https://"]),
    st.sampled_from(["", ".intuit.com", "@quickbooks.api.intuit.com", "/.intuit.com", "127.0.0.1", "\\.intuit.com"]),
)
def test_the_host_that_was_checked_is_the_host_that_urllib3_connects_to(middle, scheme, end):
    """urllib3 parses every accepted URL like the check."""
    try:
        url = from_environ(API_URL=scheme + middle + end).endpoints("production").api_url
    except SettingsError:
        return
    spoken_to = urllib3.util.parse_url(url)
    if url == "https://quickbooks.api.intuit.com" and not (middle + end).strip():
        return
    assert spoken_to.host.strip("[]") == urlsplit(url).hostname
    assert spoken_to.auth is None
    assert (
        spoken_to.host.endswith(".intuit.com")
        or spoken_to.host in {"localhost", "[::1]"}
        or (spoken_to.host.startswith("127.") and spoken_to.host.count(".") == 3)
    )


# ---- defaults and the environment -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "api_url"),
    [
        ("production", "https://quickbooks.api.intuit.com"),
        ("sandbox", "https://sandbox-quickbooks.api.intuit.com"),
    ],
)
def test_without_variables_the_servers_are_intuits(environment, api_url):
    endpoints = Deployment.from_environ({}).endpoints(environment)
    assert endpoints.api_url == api_url
    assert endpoints.token_endpoint == "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
    assert endpoints.revocation_endpoint == "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_blank_variables_count_as_not_set(blank):
    names = ("API_URL", "OAUTH_URL", "ALLOW_HOST", "TOKEN_STORE", "TOKEN_KEY")
    assert from_environ(**dict.fromkeys(names, blank)) == Deployment()


def test_only_the_documented_variables_are_read():
    asked = set()

    class Watched(dict):
        def get(self, name, default=None):
            asked.add(name)
            return default

        def __getitem__(self, name):
            raise AssertionError(name)

    Deployment.from_environ(Watched())
    assert asked == {
        f"VANTAGE_QUICKBOOKS_{name}"
        for name in (
            "API_URL",
            "OAUTH_URL",
            "ALLOW_HOST",
            "EMULATOR_URL",
            "TOKEN_STORE",
            "TOKEN_KEY",
            "MAX_BODY_MIB",
            "MONTHLY_CALL_LIMIT",
            "REGISTRY",
        )
    }


def test_the_process_environment_is_read_and_not_changed(monkeypatch):
    monkeypatch.setenv(API, "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://planted-proxy:1")
    before = dict(os.environ)
    deployment = Deployment.from_environ()
    assert deployment.api_url == "http://127.0.0.1:1"
    assert deployment.oauth_url is None
    assert "planted-proxy" not in repr(deployment)
    assert dict(os.environ) == before


def test_each_url_is_set_separately():
    endpoints = from_environ(OAUTH_URL="http://127.0.0.1:9").endpoints("sandbox")
    assert endpoints.api_url == "https://sandbox-quickbooks.api.intuit.com"
    assert endpoints.token_endpoint == "http://127.0.0.1:9/oauth2/v1/tokens/bearer"


def test_the_key_that_encrypts_tokens_is_not_printed():
    deployment = from_environ(TOKEN_KEY="planted-passphrase", TOKEN_STORE="memory:")
    assert deployment.token_key.reveal() == "planted-passphrase"
    assert "planted-passphrase" not in f"{deployment!r}{deployment!s}"


def test_a_response_may_have_256_mib_by_default():
    assert Deployment().max_body_bytes() == from_environ().max_body_bytes() == 256 << 20
    assert from_environ(MAX_BODY_MIB=" 2 ").max_body_bytes() == 2 << 20


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "much", "65537", "9" * 5000, "\u0661"])
def test_an_invalid_limit_is_refused_with_the_variable(value):
    with pytest.raises(SettingsError, match="VANTAGE_QUICKBOOKS_MAX_BODY_MIB") as caught:
        from_environ(MAX_BODY_MIB=value).max_body_bytes()
    assert caught.value.fields[0].field == "VANTAGE_QUICKBOOKS_MAX_BODY_MIB"
