"""Consent and its end, over live HTTP: the code's exchange, the revocation, and what is forgotten."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.core import endpoints
from vantage_quickbooks.errors import ConnectorError, SettingsError

REDIRECT = "http://localhost:8765/oauth/callback"


INTUITS = {"client_id": "a-client-id-of-intuits", "client_secret": "a-client-secret-of-intuits"}


@pytest.fixture
def app(emulator):
    form = emulator.settings()
    return {name: form[name] for name in ("client_id", "client_secret")}


def consent(emulator, url):
    """Click Connect on the consent page; return what the redirect brings."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    form = {**asked, "realm": emulator.realm_id, "decision": "approve"}
    answer = requests.post(url.split("?")[0], data=form, timeout=60, allow_redirects=False)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def exchange(app, deployment, code, redirect_uri=REDIRECT, **kwargs):
    return QUICKBOOKS.exchange_code(app, code=code, redirect_uri=redirect_uri, deployment=deployment, **kwargs)


def test_a_consent_leads_to_a_connection_that_works(emulator, deployment, app, connect):
    url = QUICKBOOKS.authorization_url(app, redirect_uri=REDIRECT, state="s" * 40, deployment=deployment)
    brought = consent(emulator, url)
    assert brought["state"] == "s" * 40
    filled = exchange(app, deployment, brought["code"])
    assert list(filled) == ["refresh_token"]
    connection = connect(**app, **filled, realm_id=brought["realmId"])
    assert connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"]


def test_the_address_is_intuits_unless_an_operator_decides_otherwise():
    app = INTUITS
    url = QUICKBOOKS.authorization_url(app, redirect_uri=REDIRECT, state="x", deployment=Deployment())
    assert url.startswith("https://appcenter.intuit.com/connect/oauth2?")
    assert parse_qs(urlsplit(url).query) == {
        "client_id": [app["client_id"]], "response_type": ["code"], "scope": [endpoints.SCOPE],
        "redirect_uri": [REDIRECT], "state": ["x"],
    }  # fmt: skip
    assert app["client_secret"] not in url


@pytest.mark.parametrize("more", [{}, {"refresh_token": " ", "realm_id": "not a realm!"}])
def test_what_consent_fills_in_may_be_missing_or_wrong_and_nothing_else(more):
    QUICKBOOKS.authorization_url(INTUITS | more, redirect_uri=REDIRECT, state="x", deployment=Deployment())
    with pytest.raises(SettingsError) as caught:
        QUICKBOOKS.authorization_url({"max_results": "0"} | more, redirect_uri=REDIRECT, state="x")
    assert [entry.field for entry in caught.value.fields] == ["client_id", "client_secret", "max_results"]


@pytest.mark.parametrize("how", ["spent", "unknown", "elsewhere", "other secret"])
def test_the_error_for_an_invalid_code_does_not_contain_it(emulator, deployment, app, how, caplog):
    caplog.set_level(logging.DEBUG)
    url = QUICKBOOKS.authorization_url(app, redirect_uri=REDIRECT, state="x", deployment=deployment)
    code = "AB1unknown" if how == "unknown" else consent(emulator, url)["code"]
    if how == "spent":
        exchange(app, deployment, code)
    with pytest.raises(ConnectorError) as caught:
        exchange(
            app | ({"client_secret": "wr0ng-secret"} if how == "other secret" else {}),
            deployment,
            code,
            "http://localhost:1/elsewhere" if how == "elsewhere" else REDIRECT,
        )
    error = caught.value
    assert error.code == ("AUTHENTICATION_FAILED" if how == "other secret" else "REAUTHORIZATION_REQUIRED")
    assert error.details["intuitTid"]
    assert error.__cause__ is None
    assert error.__context__ is None
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))
    for secret in (code, app["client_secret"], "wr0ng-secret"):
        assert secret not in f"{error!r} {error.to_dict()} {ours}"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status", "status": 503}, "SERVICE_UNAVAILABLE"),
        ({"kind": "throttle", "json": True}, "RATE_LIMITED"),
        ({"kind": "reset"}, "NETWORK_ERROR"),
        ({"kind": "html"}, "SERVICE_UNAVAILABLE"),
        ({"kind": "plain_text_200"}, "RESPONSE_UNEXPECTED"),
    ],
)
def test_a_code_is_sent_once_even_if_the_request_fails(emulator, deployment, app, fault, code):
    emulator.fault(fault.pop("kind"), path="tokens/bearer", **fault)
    with pytest.raises(ConnectorError) as caught:
        exchange(app, deployment, "AB1unknown")
    assert caught.value.code == code
    assert len([request for request in emulator.requests() if "bearer" in request["path"]]) == 1


@pytest.mark.parametrize("is_used", [False, True])
def test_disconnecting_ends_the_newest_link_and_forgets_the_chain(emulator, connect, is_used):
    connection = connect()
    if is_used:
        connection.invoke("getCompanyInfo")
    assert connection.disconnect()["revoked"] is True
    assert emulator.state()["tokens"]["grants"] == 0
    with pytest.raises(ConnectorError) as caught:
        connection.invoke("getCompanyInfo")
    assert caught.value.code == "REAUTHORIZATION_REQUIRED"
    again = connection.disconnect()  # Intuit knows of no grant any more: that is as good
    assert again["revoked"] is False
    assert "tokens were deleted" in again["message"]


def test_a_host_that_keeps_credentials_keeps_none_of_a_chain_that_ended(emulator, deployment):
    kept = {}

    def save(_, credentials, expected):
        assert (kept.get("version") or 0) == (expected or 0)
        kept.clear()
        kept.update(credentials)
        return credentials["version"]

    context = HostContext(connection_id="c1", load_credentials=lambda _: dict(kept) or None, save_credentials=save)
    connection = QUICKBOOKS.connect(emulator.settings(), context, deployment=deployment)
    connection.invoke("getCompanyInfo")
    assert kept["refreshToken"]
    connection.disconnect()
    assert kept == {"chain": "", "version": 2}
    connection.close()


@pytest.mark.parametrize(
    "fault", [{"kind": "reset"}, {"kind": "status", "status": 500}, {"kind": "hang", "seconds": 0.1}]
)
def test_what_could_not_be_revoked_is_not_forgotten(emulator, connect, fault):
    connection = connect()
    connection.invoke("getCompanyInfo")
    emulator.fault(fault.pop("kind"), path="tokens/revoke", **fault)
    with pytest.raises(ConnectorError) as caught:
        connection.disconnect()
    assert caught.value.retryable
    assert connection.invoke("getCompanyInfo")["companyInfo"]
    assert connection.disconnect()["revoked"] is True


def test_a_wrong_secret_cannot_end_a_connection(emulator, connect):
    with pytest.raises(ConnectorError) as caught:
        connect(client_secret="another").disconnect()
    assert caught.value.code == "AUTHENTICATION_FAILED"
    assert emulator.state()["tokens"]["grants"] == 1
