"""OAuth over HTTP: token endpoint, revocation, consent page and discovery documents."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.http.response import Response
from vantage_quickbooks.emulator.json_text import compact
from vantage_quickbooks.emulator.oauth import openid
from vantage_quickbooks.emulator.oauth.authorization_server import (
    ACCOUNTING_SCOPE,
    OPENID_SCOPE,
    AuthorizationServer,
    OAuthError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.emulator.http.request import Request

TOKEN_PATH = "/oauth2/v1/tokens/bearer"
REVOKE_PATH = "/v2/oauth2/tokens/revoke"
AUTHORIZE_PATH = "/connect/oauth2"
USERINFO_PATH = "/v1/openid_connect/userinfo"
ISSUER_PATH = "/op/v1"
JWKS_PATH = f"{ISSUER_PATH}/jwks"
DISCOVERY_PATHS = ("/.well-known/openid_configuration", "/.well-known/openid_sandbox_configuration")
# Intuit, "Scopes" (https://developer.intuit.com/app/developer/qbo/docs/learn/scopes). Its other scopes are for APIs
# that are not emulated.
SCOPES = {
    ACCOUNTING_SCOPE,
    "com.intuit.quickbooks.payment",
    OPENID_SCOPE,
    "profile",
    "email",
    "phone",
    "address",
}

# Recorded, 2019, on tokens that are issued; the values are assumed.
_TOKEN_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-xss-protection", "1; mode=block"),
)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Connect to QuickBooks (emulator)</title>
<style>body{{font:16px/1.5 system-ui;max-width:34em;margin:3em auto;padding:0 1em}}
button{{font:inherit;padding:.4em 1.2em}}</style>
</head><body><h1>{title}</h1>{content}</body></html>
"""


class OAuthEndpoints:
    """The pages and endpoints of OAuth.

    Args:
        oauth: The authorization server.
        url: Returns the emulator's address.
        companies: Returns the companies that a person can choose: realm ids and names.
    """

    def __init__(
        self, oauth: AuthorizationServer, url: Callable[[], str], companies: Callable[[], dict[str, str]]
    ) -> None:
        self._oauth = oauth
        self._url = url
        self._companies = companies

    def handle(self, request: Request) -> Response | None:
        """Answer a request to one of OAuth's paths; return None for any other path."""
        path = request.path.rstrip("/")
        if path == TOKEN_PATH:
            return self._token(request)
        if path == REVOKE_PATH:
            return self._revoke(request)
        if path == AUTHORIZE_PATH:
            return self._authorize(request)
        if path in DISCOVERY_PATHS:
            return self._discovery(request)
        if path == USERINFO_PATH:
            return self._user_info(request)
        if path == JWKS_PATH:
            return self._json(request, 200, openid.jwks())
        return None

    @staticmethod
    def _json(request: Request, status: int, body: object, *more: tuple[str, str]) -> Response:
        """Respond as the token endpoint does (recorded, 2018 and 2020: charset, no-cache, no-store, pragma)."""
        text = b"" if body is None else compact(body).encode()
        headers = [
            ("content-type", "application/json;charset=utf-8"),
            ("server", "nginx"),
            ("strict-transport-security", "max-age=15552000"),
            *request.trace.headers()[:3],
            *more,
            ("cache-control", "no-cache, no-store"),
            ("pragma", "no-cache"),
        ]
        return Response(status, headers, text)

    def _refuse(self, request: Request, error: OAuthError) -> Response:
        challenge = [("www-authenticate", 'Basic realm="Intuit"')] if error.status == 401 else []
        return self._json(request, error.status, error.body, *challenge)

    def _token(self, request: Request) -> Response:
        if request.method != "POST":
            return self._json(request, 405, {"error": "invalid_request"})  # RFC 6749 section 3.2
        wants_hard_end = request.headers.get("x-include-refresh-token-hard-expires-in", "").lower() == "true"
        try:
            body = self._oauth.token(
                _form(request),
                request.headers.get("authorization"),
                hard_expiry=wants_hard_end,
                issuer=self._url() + ISSUER_PATH,
            )
        except OAuthError as error:
            return self._refuse(request, error)
        return self._json(request, 200, body, *_TOKEN_HEADERS)

    def _user_info(self, request: Request) -> Response:
        """Return the claims of the user, for an access token with the scope openid.

        The refusals are those of RFC 6750 section 3; Intuit's are not recorded.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            chain = self._oauth.check(token.strip() if scheme.lower() == "bearer" else "")
        except Fault:
            challenge = ("www-authenticate", 'Bearer realm="Intuit", error="invalid_token"')
            return self._json(request, 401, {"error": "invalid_token"}, challenge)
        if OPENID_SCOPE not in chain.scopes:
            return self._json(request, 403, {"error": "insufficient_scope"})
        return self._json(request, 200, openid.user_info(self._oauth.subject, chain.scopes))

    def _revoke(self, request: Request) -> Response:
        if request.method != "POST":
            return self._json(request, 405, {"error": "invalid_request"})
        form = _form(request)
        token = form.get("token")
        if "json" in request.headers.get("content-type", ""):
            try:
                data = json.loads(request.body)
            except ValueError:
                data = None
            token = str(data.get("token", "")) if isinstance(data, dict) else None
        try:
            self._oauth.revoke(token, form, request.headers.get("authorization"))
        except OAuthError as error:
            return self._refuse(request, error)
        return self._json(request, 200, None)

    def _discovery(self, request: Request) -> Response:
        url = self._url()
        return self._json(
            request,
            200,
            {
                "issuer": url + ISSUER_PATH,
                "authorization_endpoint": url + AUTHORIZE_PATH,
                "token_endpoint": url + TOKEN_PATH,
                "userinfo_endpoint": url + USERINFO_PATH,
                "revocation_endpoint": url + REVOKE_PATH,
                "jwks_uri": url + JWKS_PATH,
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile", "address", "phone"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
            },
        )

    # ---- consent ----

    def _authorize(self, request: Request) -> Response:
        asked = _form(request) if request.method == "POST" else request.parameters()
        redirect_uri = asked.get("redirect_uri", "")
        problem = self._problem(asked, redirect_uri)
        if problem:  # never redirect to an unverified URI (RFC 6749 section 4.1.2.1)
            return _page(request, 400, "Invalid request", f"<p>{escape(problem)}</p>")
        state = asked.get("state", "")
        scopes = asked.get("scope", "").split()
        if not scopes or not set(scopes) <= SCOPES:
            return _redirect(request, redirect_uri, error="invalid_scope", state=state)
        if request.method != "POST":
            return self._consent(request, asked, scopes)
        if asked.get("decision") != "approve":
            return _redirect(request, redirect_uri, error="access_denied", state=state)
        realm = asked.get("realm", "")
        if realm not in self._companies():
            return _page(request, 400, "Invalid request", "<p>This company does not exist.</p>")
        code = self._oauth.issue_code(realm, redirect_uri, scopes)
        return _redirect(request, redirect_uri, code=code, state=state, realmId=realm)

    def _problem(self, asked: dict[str, str], redirect_uri: str) -> str | None:
        try:
            parts = urlsplit(redirect_uri)
        except ValueError:  # brackets around an invalid IPv6 address
            parts = urlsplit("")
        if asked.get("client_id") != self._oauth.client_id:
            return "The client_id is unknown."
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
            return "The redirect_uri is missing or not an http address."
        if asked.get("response_type") != "code":
            return "The response_type must be code."
        if not asked.get("state"):
            return "The state is missing; Intuit requires it."
        return None

    def _consent(self, request: Request, asked: dict[str, str], scopes: list[str]) -> Response:
        kept = ("client_id", "response_type", "scope", "redirect_uri", "state")
        hidden = "".join(f'<input type="hidden" name="{k}" value="{escape(asked[k], quote=True)}">' for k in kept)
        options = "".join(
            f'<option value="{escape(realm)}">{escape(name)} ({escape(realm)})</option>'
            for realm, name in self._companies().items()
        )
        content = (
            f"<p>An app wants to use: {escape(', '.join(scopes))}</p>"
            f'<form method="post" action="{AUTHORIZE_PATH}">{hidden}'
            f'<p><label>Company <select name="realm">{options}</select></label></p>'
            '<p><button name="decision" value="approve">Connect</button> '
            '<button name="decision" value="deny">Cancel</button></p></form>'
        )
        return _page(request, 200, "Connect an app to QuickBooks", content)


def _form(request: Request) -> dict[str, str]:
    """Parse a form body; of repeated fields the first counts."""
    try:
        fields = parse_qs(request.body.decode(), keep_blank_values=True)
    except (UnicodeDecodeError, ValueError):
        return {}
    return {name: values[0] for name, values in fields.items()}


def _page(request: Request, status: int, title: str, content: str) -> Response:
    headers = [("content-type", "text/html;charset=utf-8"), ("intuit_tid", request.trace.tid)]
    return Response(status, headers, _PAGE.format(title=escape(title), content=content).encode())


def _redirect(request: Request, uri: str, **parameters: str) -> Response:
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode(parameters))))
    location = urlunsplit(parts._replace(query=query))
    return Response(302, [("location", location), ("intuit_tid", request.trace.tid)])
