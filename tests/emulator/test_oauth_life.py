"""The life of codes, tokens and grants over days and years, by the emulator's clock."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from vantage_quickbooks.emulator import Emulator

HOUR = 3_600
DAY = 86_400
REDIRECT = "https://app.example/callback"


def agree(client, emulator, scope="com.intuit.quickbooks.accounting"):
    """Walk through the consent page; the code that comes back."""
    form = {
        "client_id": emulator.client_id,
        "response_type": "code",
        "scope": scope,
        "redirect_uri": REDIRECT,
        "state": "s",
        "decision": "approve",
        "realm": emulator.realm_id,
    }
    url = f"{emulator.url}/connect/oauth2"
    back = client.session.post(url, data=form, timeout=60, allow_redirects=False)
    return parse_qs(urlsplit(back.headers["location"]).query)["code"][0]


def exchange(client, code, redirect_uri=REDIRECT):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    return client.refresh(None, **form, refresh_token=None)


def revoke(client, emulator, token):
    url = f"{emulator.url}/v2/oauth2/tokens/revoke"
    auth = (emulator.client_id, emulator.client_secret)
    return client.session.post(url, json={"token": token}, auth=auth, timeout=60)


def test_a_code_sent_twice_ends_what_it_was_exchanged_for(anonymous, emulator):
    code = agree(anonymous, emulator)
    tokens = exchange(anonymous, code).json()
    anonymous.session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    assert anonymous.get("customer/1").status_code == 200
    again = exchange(anonymous, code)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant", "error_description": "Token invalid"})
    assert anonymous.get("customer/1").status_code == 401
    assert anonymous.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert anonymous.refresh().status_code == 200  # other grants live on


def test_a_wrong_redirect_uri_does_not_use_the_code_up(anonymous, emulator):
    code = agree(anonymous, emulator)
    assert exchange(anonymous, code, "https://app.example/other").status_code == 400
    assert exchange(anonymous, code).status_code == 200


def test_a_code_is_valid_for_ten_minutes(anonymous, emulator):
    emulator.freeze()
    old, young = agree(anonymous, emulator), agree(anonymous, emulator)
    assert old != young
    emulator.advance(590)
    assert exchange(anonymous, young).status_code == 200
    emulator.advance(20)
    assert exchange(anonymous, old).json()["error_description"] == "Token invalid"


def test_without_the_accounting_scope_requests_are_refused(anonymous, emulator):
    tokens = exchange(anonymous, agree(anonymous, emulator, "openid com.intuit.quickbooks.payment")).json()
    answer = anonymous.get("customer/1", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    error = answer.json()["fault"]["error"][0]
    assert (answer.status_code, error["code"]) == (403, "3100")
    assert error["detail"] == "The access token does not have sufficient scope"
    assert error["message"] == "message=AuthorizationFailed; errorCode=003100; statusCode=403"


def test_each_rotation_restarts_the_hundred_days(anonymous, emulator):
    token = emulator.refresh_token
    seen = {token}
    for _ in range(6):
        emulator.advance(90 * DAY)
        answer = anonymous.refresh(token)
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]
        assert token not in seen
        seen.add(token)
        assert 8_726_400 - 60 <= answer.json()["x_refresh_token_expires_in"] <= 8_726_400
    emulator.advance(8_726_400)
    assert anonymous.refresh(token).json()["error_description"] == "Incorrect or invalid refresh token"


def test_within_a_day_the_refresh_token_and_its_expiry_stay_the_same(anonymous, emulator):
    first = anonymous.refresh().json()
    emulator.advance(5 * HOUR)
    second = anonymous.refresh().json()
    assert first["refresh_token"] == second["refresh_token"]
    assert 5 * HOUR - 2 <= first["x_refresh_token_expires_in"] - second["x_refresh_token_expires_in"] <= 5 * HOUR + 2
    assert first["access_token"] != second["access_token"]


def test_a_chain_ends_after_five_years_despite_refreshes(anonymous, emulator):
    token = emulator.refresh_token
    asked = {"x-include-refresh-token-hard-expires-in": "true"}
    left = 157_680_000
    for _ in range(18):
        emulator.advance(100 * DAY)
        left -= 100 * DAY
        answer = anonymous.refresh(token, headers=asked)
        assert answer.status_code == 200
        assert left - 60 <= answer.json()["x_refresh_token_hard_expires_in"] <= left
        token = answer.json()["refresh_token"]
    emulator.advance(left - HOUR)
    answer = anonymous.refresh(token)
    assert answer.status_code == 200
    token = answer.json()["refresh_token"]
    emulator.advance(HOUR + 60)
    assert anonymous.refresh(token).json()["error"] == "invalid_grant"
    assert anonymous.refresh(emulator.grant()).status_code == 200  # a person has connected again


def test_the_grace_of_the_previous_token_ends_with_the_grant(open_client):
    with Emulator(rotation="always", previous_token_grace_s=10 * 365 * DAY, limits=False) as emulator:
        client = open_client(emulator)
        assert client.refresh().json()["refresh_token"] != emulator.refresh_token
        assert client.refresh().status_code == 200
        emulator.advance(102 * DAY)
        assert client.refresh().json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("grace", [0, DAY])
def test_the_previous_token_revokes_too(open_client, grace):
    with Emulator(rotation="always", previous_token_grace_s=grace, limits=False) as emulator:
        client = open_client(emulator)
        second = client.refresh().json()["refresh_token"]
        assert revoke(client, emulator, emulator.refresh_token).status_code == 200
        assert client.refresh(second).json()["error"] == "invalid_grant"


def test_of_two_refreshes_at_once_one_wins(open_client):
    with Emulator(rotation="always", limits=False) as emulator:
        clients = [open_client(emulator) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda client: client.refresh(), clients))
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7


def test_several_access_tokens_are_valid_at_once(anonymous, emulator):
    tokens = [anonymous.refresh().json()["access_token"] for _ in range(3)]
    for token in tokens:
        assert anonymous.get("customer/1", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    emulator.advance(3601)
    for token in tokens:
        assert anonymous.get("customer/1", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_thousands_of_refreshes_do_not_fill_the_memory(emulator):
    form = {"grant_type": "refresh_token", "client_id": emulator.client_id, "client_secret": emulator.client_secret}
    token = emulator.refresh_token
    for _ in range(25):
        for _ in range(100):
            answer = emulator.oauth.token(form | {"refresh_token": token}, None, hard_expiry=False)
            token = str(answer["refresh_token"])
        emulator.advance(HOUR + 1)
    assert len(emulator.oauth._access_tokens) <= 2_100


def test_the_seed_decides_tokens_and_none_is_issued_twice():
    form = {"grant_type": "refresh_token"}
    drawn = []
    for _ in range(2):
        emulator = Emulator(seed=5, rotation="always")
        credentials = {"client_id": emulator.client_id, "client_secret": emulator.client_secret}
        values = []
        for _ in range(2):
            token = emulator.oauth.first_refresh_token
            for _ in range(3):
                answer = emulator.oauth.token(form | credentials | {"refresh_token": token}, None, hard_expiry=False)
                token = str(answer["refresh_token"])
                values.append((answer["access_token"], token[-20:]))
            emulator.oauth.reset()
        drawn.append(values)
        assert len(set(values)) == 6
    assert drawn[0] == drawn[1]
