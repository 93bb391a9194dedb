"""The token endpoint, revocation, consent and discovery, over HTTP."""

import base64
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from vantage_quickbooks.emulator import Emulator

DAY = 86_400
TOKEN_HEADERS = {"content-type", "cache-control", "pragma", "intuit_tid", "strict-transport-security", "server"}


def test_a_refresh_answers_in_the_recorded_form(anonymous, emulator):
    answer = anonymous.refresh()
    body = answer.json()
    assert answer.status_code == 200
    assert {"x_refresh_token_expires_in", "refresh_token", "access_token", "token_type", "expires_in"} == set(body)
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)
    assert 8_726_400 - 60 <= body["x_refresh_token_expires_in"] <= 8_726_400
    assert re.fullmatch(r"RT1-\d+-H0-\d{10}[A-Za-z0-9]{20}", body["refresh_token"])
    parts = body["access_token"].split(".")
    assert (len(parts), parts[1]) == (5, "")
    assert answer.headers["content-type"] == "application/json;charset=utf-8"
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-cache, no-store", "no-cache")
    assert set(map(str.lower, answer.headers)) >= TOKEN_HEADERS
    assert emulator.counters()["token_requests"] == {"total": 1, "ok": 1, "failed": 0}


def test_the_hard_expiry_is_returned_on_request_only(anonymous):
    body = anonymous.refresh(headers={"x-include-refresh-token-hard-expires-in": "true"}).json()
    assert 157_680_000 - 60 <= body["x_refresh_token_hard_expires_in"] <= 157_680_000


def test_credentials_can_be_in_the_form(anonymous, emulator):
    answer = anonymous.refresh(auth=(), client_id=emulator.client_id, client_secret=emulator.client_secret)
    assert answer.status_code == 200


@pytest.mark.parametrize("auth", [("nobody", "nothing"), ()])
def test_a_wrong_client_is_a_401_with_a_basic_challenge(anonymous, auth):
    answer = anonymous.refresh(auth=auth)
    assert (answer.status_code, answer.text) == (401, '{"error":"invalid_client"}')
    assert answer.headers["www-authenticate"] == 'Basic realm="Intuit"'


def test_a_basic_header_that_is_not_base64_is_a_wrong_client(anonymous):
    assert anonymous.refresh(auth=(), headers={"Authorization": "Basic ???"}).status_code == 401


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ({"refresh_token": "AB11-never-issued"}, '{"error":"invalid_grant","error_description":"Incorrect or invalid'),
        ({"grant_type": None}, '{"error":"invalid_request"}'),
        ({"refresh_token": None}, '{"error":"invalid_request"}'),
        ({"grant_type": "password"}, '{"error":"unsupported_grant_type"}'),
        (
            {"grant_type": "authorization_code", "code": "x"},
            '{"error":"invalid_grant","error_description":"Token invalid"}',
        ),
        ({"grant_type": "authorization_code"}, '{"error":"invalid_request"}'),
    ],
)
def test_what_cannot_be_granted_is_a_400(anonymous, form, body):
    given = {"token": "" if "refresh_token" not in form else None} | form
    token = given.pop("token", None)
    answer = anonymous.refresh(token, **given)
    assert (answer.status_code, answer.text.startswith(body)) == (400, True), answer.text


def test_an_access_token_is_not_a_refresh_token(anonymous):
    access = anonymous.refresh().json()["access_token"]
    assert anonymous.refresh(access).json()["error_description"] == "Incorrect Token type or clientID"


def test_daily_rotation_keeps_the_value_for_24_hours(anonymous, emulator):
    first = emulator.refresh_token
    assert first == anonymous.refresh().json()["refresh_token"]
    emulator.advance(DAY - 60)
    body = anonymous.refresh().json()
    assert first == body["refresh_token"]
    assert 8_726_400 - DAY <= body["x_refresh_token_expires_in"] <= 8_726_400 - DAY + 61
    emulator.advance(120)
    second = anonymous.refresh().json()
    assert first != second["refresh_token"]
    assert second["x_refresh_token_expires_in"] > 8_726_300
    lost = anonymous.refresh(first)
    assert (lost.status_code, lost.text) == (400, '{"error":"invalid_grant"}')
    assert anonymous.refresh(second["refresh_token"]).status_code == 200


def test_rotation_always_and_grace(open_client):
    with Emulator(rotation="always", previous_token_grace_s=DAY, limits=False) as emulator:
        client = open_client(emulator)
        second = client.refresh().json()["refresh_token"]
        assert second != emulator.refresh_token
        assert second == client.refresh().json()["refresh_token"]  # the first one, in its grace
        emulator.advance(DAY + 1)
        assert client.refresh().json() == {"error": "invalid_grant"}


def test_a_refresh_token_expires_after_101_days_and_a_chain_after_five_years(anonymous, emulator):
    emulator.advance(8_726_401)
    assert anonymous.refresh().json()["error_description"] == "Incorrect or invalid refresh token"
    token = emulator.grant()
    for _ in range(19):
        emulator.advance(100 * DAY - 3600)
        answer = anonymous.refresh(token)
        token = answer.json().get("refresh_token")
        if token is None:
            break
    assert answer.json()["error"] == "invalid_grant"


def test_an_access_token_expires(client, emulator):
    assert client.get("customer/1").status_code == 200
    emulator.advance(3601)
    answer = client.get("customer/1")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="Intuit", error="invalid_token"'
    error = answer.json()["fault"]["error"][0]
    assert re.fullmatch(r"Token expired: AB0\d{11}[A-Za-z0-9]{36}", error["detail"])
    assert (error["code"], error["element"]) == ("3200", None)
    assert error["message"] == "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    assert [answer.json()["fault"]["type"], list(answer.json())] == [
        "AUTHENTICATION",
        [
            "warnings",
            "intuitObject",
            "fault",
            "report",
            "queryResponse",
            "batchItemResponse",
            "attachableResponse",
            "syncErrorResponse",
            "requestId",
            "time",
            "status",
            "cdcresponse",
        ],
    ]
    assert isinstance(answer.json()["time"], int)


def test_tokens_can_be_expired_and_grants_revoked(client, anonymous, emulator):
    assert emulator.expire_access_tokens() == 1
    assert client.get("customer/1").status_code == 401
    client.connect()
    assert emulator.revoke_grants() == 1
    assert client.get("customer/1").status_code == 401
    assert anonymous.refresh().json()["error"] == "invalid_grant"
    assert anonymous.refresh(emulator.grant()).status_code == 200


def test_a_changed_secret_can_end_access_tokens(client, emulator):
    emulator.rotate_client_secret("brand-new", invalidate_tokens=False)
    assert client.get("customer/1").status_code == 200
    emulator.rotate_client_secret()
    assert client.get("customer/1").status_code == 401
    old = client.refresh(auth=(emulator.client_id, "brand-new"))
    assert old.json() == {"error": "invalid_client"}
    assert client.refresh().status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("as_json", [True, False])
def test_either_token_revokes_the_grant(client, emulator, kind, as_json):
    tokens = client.refresh().json()
    url = f"{emulator.url}/v2/oauth2/tokens/revoke"
    body = {"json": {"token": tokens[kind]}} if as_json else {"data": {"token": tokens[kind]}}
    auth = (emulator.client_id, emulator.client_secret)
    refused = client.session.post(url, timeout=60, auth=("a", "b"), **body)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    done = client.session.post(url, timeout=60, auth=auth, **body)
    assert (done.status_code, done.text) == (200, "")
    assert client.session.post(url, timeout=60, auth=auth, **body).status_code == 400
    assert client.refresh().json()["error"] == "invalid_grant"
    assert client.get("customer/1").status_code == 401


def authorize(client, emulator, decision, **changes):
    asked = {
        "client_id": emulator.client_id,
        "response_type": "code",
        "scope": "com.intuit.quickbooks.accounting openid",
        "redirect_uri": "http://localhost:9/callback?keep=1",
        "state": "s t&te",
    } | changes
    url = f"{emulator.url}/connect/oauth2"
    if decision is None:
        return client.session.get(url, params=asked, timeout=60, allow_redirects=False)
    asked |= {"decision": decision, "realm": emulator.realm_id}
    return client.session.post(url, data=asked, timeout=60, allow_redirects=False)


def test_consent_leads_to_a_code_for_one_use(anonymous, emulator):
    page = authorize(anonymous, emulator, None)
    assert page.status_code == 200
    assert "Juniper &amp; Finch" in page.text
    assert 'value="s t&amp;te"' in page.text
    back = authorize(anonymous, emulator, "approve")
    location = urlsplit(back.headers["location"])
    asked = {name: values[0] for name, values in parse_qs(location.query).items()}
    assert (back.status_code, location.netloc, location.path) == (302, "localhost:9", "/callback")
    assert ("1", "s t&te", emulator.realm_id) == (asked["keep"], asked["state"], asked["realmId"])
    exchange = {"grant_type": "authorization_code", "code": asked["code"], "refresh_token": None}
    form = exchange | {"redirect_uri": "http://localhost:9/callback?keep=1"}
    assert anonymous.refresh(**form).status_code == 200
    assert anonymous.refresh(**form).json()["error"] == "invalid_grant"


def test_a_code_is_bound_to_its_redirect_uri(anonymous, emulator):
    back = authorize(anonymous, emulator, "approve")
    code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://localhost:9/other"}
    assert anonymous.refresh(**form).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("decision", "changes", "error"),
    [
        ("deny", {}, "access_denied"),
        (None, {"scope": "everything"}, "invalid_scope"),
        (None, {"scope": ""}, "invalid_scope"),
    ],
)
def test_a_refusal_goes_back_with_its_reason(anonymous, emulator, decision, changes, error):
    back = authorize(anonymous, emulator, decision, **changes)
    asked = parse_qs(urlsplit(back.headers["location"]).query)
    assert ([error], ["s t&te"]) == (asked["error"], asked["state"])


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "x"}, {"redirect_uri": "javascript:alert(1)"}, {"response_type": "token"}, {"state": ""}],
)
def test_an_unverified_uri_is_never_redirected_to(anonymous, emulator, changes):
    page = authorize(anonymous, emulator, None, **changes)
    assert page.status_code == 400
    assert "location" not in page.headers


@pytest.mark.parametrize("document", ["openid_configuration", "openid_sandbox_configuration/"])
def test_discovery_documents_contain_the_emulators_addresses(anonymous, emulator, document):
    answer = anonymous.session.get(f"{emulator.url}/.well-known/{document}", timeout=60).json()
    assert answer["token_endpoint"] == f"{emulator.url}/oauth2/v1/tokens/bearer"
    assert answer["token_endpoint_auth_methods_supported"] == ["client_secret_post", "client_secret_basic"]
    assert len(answer) == 12


def test_the_seed_decides_the_first_grant():
    first, again, other = Emulator(seed=7), Emulator(seed=7), Emulator(seed=8)
    assert (first.refresh_token, first.client_id, first.client_secret, first.realm_id) == (
        again.refresh_token,
        again.client_id,
        again.client_secret,
        again.realm_id,
    )
    assert first.refresh_token != other.refresh_token
    assert first.realm_id.isdigit()


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        (None, "Malformed bearer token: too short or too long"),
        ("Bearer x", "Malformed bearer token: too short or too long"),
        ("Bearer " + "x" * 500, "Token invalid"),
        ("Basic " + base64.b64encode(b"a:b").decode(), "Malformed bearer token: too short or too long"),
    ],
)
def test_without_a_valid_token_every_request_is_a_401(anonymous, header, detail):
    answer = anonymous.get("customer/1", headers={"Authorization": header} if header else {})
    assert (401, detail) == (answer.status_code, answer.json()["fault"]["error"][0]["detail"])
    assert "x-spanid" not in answer.headers
    assert answer.headers["content-type"] == "application/json"


def test_a_token_is_for_one_company(client, emulator):
    other = "123456789"
    emulator.grant(other)
    client.realm = other
    answer = client.get("customer/1")
    error = answer.json()["fault"]["error"][0]
    assert (
        answer.status_code,
        error["code"],
        error["detail"],
        answer.json()["fault"]["type"],
    ) == (403, "3100", None, "SERVICE")
    assert error["message"] == "message=AuthorizationFailed; errorCode=003100; statusCode=403"
    token = client.refresh(emulator.grant(other)).json()["access_token"]
    assert client.get("customer/1", headers={"Authorization": f"Bearer {token}"}).status_code == 200
