"""The token endpoint on the wire."""

import pytest

from vantage_quickbooks.errors import ClientCredentialsError, ReauthorizationRequired

pytestmark = pytest.mark.vcr


def test_a_refresh_authenticates_the_client_by_basic_and_asks_for_the_hard_end(connection, vcr):
    """RFC 6749 section 6 with Intuit's header for the date on which the grant ends for good."""
    result = connection.invoke("getAccessToken")

    assert result["refreshed"] is True
    assert result["tokenType"] == "bearer"
    assert result["expiresIn"] == 3600
    assert result["refreshTokenHardExpiresAt"] is not None
    (request,) = vcr.requests
    assert request.uri == "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
    assert request.headers["x-include-refresh-token-hard-expires-in"] == "true"
    body = request.body.decode()
    assert "grant_type=refresh_token" in body
    assert "client_secret" not in body


def test_a_spent_refresh_token_asks_a_person_to_reconnect(connection, quickbooks):
    """`invalid_grant` says what a person has to do."""
    if quickbooks:
        quickbooks.revoke_grants()
    with pytest.raises(ReauthorizationRequired) as caught:
        connection.invoke("getAccessToken")

    assert caught.value.code == "REAUTHORIZATION_REQUIRED"
    assert "Connect the company again" in caught.value.message
    assert caught.value.details["httpStatus"] == 400


def test_a_wrong_client_secret_is_distinguished(connection, quickbooks):
    """`invalid_client` is HTTP 401 with a Basic challenge, and no reason to reconnect."""
    if quickbooks:
        quickbooks.rotate_client_secret()
    with pytest.raises(ClientCredentialsError) as caught:
        connection.invoke("getAccessToken")

    assert caught.value.details["oauthError"] == "invalid_client"
    assert caught.value.details["httpStatus"] == 401
