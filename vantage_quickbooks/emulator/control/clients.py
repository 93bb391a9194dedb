"""How other people's clients are pointed at the emulator: the lines to paste, for each client, as a table.

Each row is executed by a test with the client itself (tests/emulator/test_clients.py). Only addresses and credentials
differ from what the client does with Intuit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.http.oauth_endpoints import TOKEN_PATH

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.world import World


@dataclass(frozen=True, slots=True)
class Client:
    """A program that can use the emulator.

    Attributes:
        language: Of the lines.
        install: The command that installs it; "" if the machine has it.
        lines: To paste. `{url}`, `{client_id}`, `{client_secret}`, `{refresh_token}` and `{realm_id}` are filled in.
    """

    language: str
    install: str
    lines: str


# The discovery document names every OAuth endpoint. OAuthlib refuses http unless the variable is set.
_INTUIT_OAUTH = """\
import os

from intuitlib.client import AuthClient
from intuitlib.config import DISCOVERY_URL

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the emulator uses http
DISCOVERY_URL["sandbox"] = "{url}/.well-known/openid_sandbox_configuration/"

auth_client = AuthClient(
    client_id="{client_id}",
    client_secret="{client_secret}",
    redirect_uri="http://localhost:8000/callback",
    environment="sandbox",
    refresh_token="{refresh_token}",
    realm_id="{realm_id}",
)
"""

_PYTHON_QUICKBOOKS = """
from quickbooks import QuickBooks

QuickBooks.sandbox_api_url_v3 = QuickBooks.api_url_v3 = "{url}/v3"
client = QuickBooks(
    auth_client=auth_client, refresh_token="{refresh_token}", company_id="{realm_id}", minorversion=75
)
"""

_NODE_QUICKBOOKS = """\
const QuickBooks = require('node-quickbooks')

QuickBooks.V3_ENDPOINT_BASE_URL = '{url}/v3/company/'
QuickBooks.TOKEN_URL = '{url}{token_path}'
QuickBooks.REVOKE_URL = '{url}/v2/oauth2/tokens/revoke'
const client = new QuickBooks(
  '{client_id}', '{client_secret}', '', false, '{realm_id}', false, false, null, '2.0', '{refresh_token}'
)
// First: client.refreshAccessToken((error, tokens) => ...)
"""

_NODE_INTUIT_OAUTH = """\
const OAuthClient = require('intuit-oauth')

OAuthClient.environment.sandbox = '{url}/'
const authClient = new OAuthClient({{
  clientId: '{client_id}', clientSecret: '{client_secret}', environment: 'sandbox',
  redirectUri: 'http://localhost:8000/callback',
  token: {{ refresh_token: '{refresh_token}', x_refresh_token_expires_in: 8726400, realmId: '{realm_id}' }}
}})
authClient.setAuthorizeURLs({{
  authorizeEndpoint: '{url}/connect/oauth2',
  tokenEndpoint: '{url}{token_path}',
  revokeEndpoint: '{url}/v2/oauth2/tokens/revoke',
  userInfoEndpoint: '{url}/v1/openid_connect/userinfo'
}})
"""

_CURL = """\
TOKEN=$(curl -s -u {client_id}:{client_secret} \\
  -d grant_type=refresh_token -d refresh_token={refresh_token} \\
  {url}{token_path} | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
curl -s -H "Authorization: Bearer $TOKEN" -H "Accept: application/json" \\
  -G {url}/v3/company/{realm_id}/query --data-urlencode "query=SELECT * FROM Customer MAXRESULTS 2"
"""

CLIENTS: dict[str, Client] = {
    "curl": Client("shell", "", _CURL),
    "intuit-oauth": Client("Python", "pip install intuit-oauth", _INTUIT_OAUTH),
    "python-quickbooks": Client("Python", "pip install python-quickbooks", _INTUIT_OAUTH + _PYTHON_QUICKBOOKS),
    "node-intuit-oauth": Client("Node", "npm install intuit-oauth", _NODE_INTUIT_OAUTH),
    "node-quickbooks": Client("Node", "npm install node-quickbooks", _NODE_QUICKBOOKS),
}
"""By the name that `--for` accepts."""


def lines_for(name: str, world: World) -> str:
    """Return the lines that point a client at a running emulator. The secrets in them are made up.

    Args:
        name: One of `CLIENTS`.
        world: The world of a running emulator.

    Raises:
        KeyError: The name is unknown.
    """
    return CLIENTS[name].lines.format(url=world.url, token_path=TOKEN_PATH, **world.credentials())
