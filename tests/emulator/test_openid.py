"""OpenID Connect: the id token, the keys and the user, read as clients read them."""

import base64
import json
import subprocess
import sys

import pytest
import requests
from emulator.test_oauth_life import agree, exchange

jwt = pytest.importorskip("jwt", reason="NOT TESTED WITH PyJWT: pip install intuit-oauth")
intuit_utils = pytest.importorskip("intuitlib.utils", reason="NOT TESTED WITH intuit-oauth: pip install intuit-oauth")

ALL = "com.intuit.quickbooks.accounting openid profile email phone address"


@pytest.fixture
def discovery(emulator):
    return requests.get(f"{emulator.url}/.well-known/openid_configuration", timeout=60).json()


def grant(client, emulator, scope):
    return exchange(client, agree(client, emulator, scope))


def user_info(discovery, token):
    return requests.get(discovery["userinfo_endpoint"], headers={"Authorization": f"Bearer {token}"}, timeout=60)


def test_the_id_token_verifies_with_the_published_key(anonymous, emulator, discovery):
    answer = grant(anonymous, emulator, ALL).json()
    key = jwt.PyJWKClient(discovery["jwks_uri"]).get_signing_key_from_jwt(answer["id_token"])
    claims = jwt.decode(
        answer["id_token"],
        key.key,
        algorithms=discovery["id_token_signing_alg_values_supported"],
        audience=emulator.client_id,
        issuer=discovery["issuer"],
    )
    assert set(claims) == {*discovery["claims_supported"], "auth_time"}
    assert (claims["realmid"], claims["exp"] - claims["iat"]) == (emulator.realm_id, 3600)
    assert claims["sub"] == user_info(discovery, answer["access_token"]).json()["sub"]
    head, body, signature = answer["id_token"].split(".")
    changed = json.loads(base64.urlsafe_b64decode(body + "==")) | {"realmid": "1"}
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(f"{head}.{forged}.{signature}", key.key, algorithms=["RS256"], audience=emulator.client_id)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # of the client, on Python 3.12
def test_intuits_own_client_accepts_it(anonymous, emulator, discovery):
    token = grant(anonymous, emulator, ALL).json()["id_token"]
    keys = discovery["jwks_uri"]
    assert intuit_utils.validate_id_token(token, emulator.client_id, discovery["issuer"], keys)
    assert not intuit_utils.validate_id_token(token, "another client", discovery["issuer"], keys)


def test_only_an_exchange_with_the_scope_openid_has_an_id_token(anonymous, emulator):
    assert "id_token" not in grant(anonymous, emulator, "com.intuit.quickbooks.accounting").json()
    answer = grant(anonymous, emulator, "com.intuit.quickbooks.accounting openid").json()
    assert "id_token" in answer
    assert "id_token" not in anonymous.refresh(answer["refresh_token"]).json()


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", ["sub"]),
        ("openid email", ["sub", "email", "emailVerified"]),
        ("openid profile", ["sub", "givenName", "familyName"]),
        ("openid phone", ["sub", "phoneNumber", "phoneNumberVerified"]),
        ("openid address", ["sub", "address"]),
    ],
)
def test_each_scope_adds_its_claims(anonymous, emulator, discovery, scope, claims):
    answer = user_info(discovery, grant(anonymous, emulator, scope).json()["access_token"])
    assert (answer.status_code, list(answer.json())) == (200, claims)


def test_user_info_needs_a_valid_token_with_the_scope(anonymous, emulator, discovery):
    assert user_info(discovery, "x" * 200).status_code == 401
    without = grant(anonymous, emulator, "com.intuit.quickbooks.accounting").json()["access_token"]
    assert user_info(discovery, without).status_code == 403
    good = grant(anonymous, emulator, "openid").json()["access_token"]
    emulator.expire_access_tokens()
    refused = user_info(discovery, good)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (
        401,
        'Bearer realm="Intuit", error="invalid_token"',
    )


def test_the_key_is_the_same_in_every_process(discovery):
    code = "import json; from vantage_quickbooks.emulator.oauth import openid; print(json.dumps(openid.jwks()))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert json.loads(other.stdout) == requests.get(discovery["jwks_uri"], timeout=60).json()


def test_tokens_that_are_issued_have_security_headers(anonymous):
    names = {"x-content-type-options", "x-frame-options", "x-xss-protection"}
    assert names <= set(anonymous.refresh().headers)
    assert names.isdisjoint(anonymous.refresh("nonsense").headers)
