"""Access control and security headers.

Theory of operation
1. The Host header must name an address of this server. This defeats DNS rebinding: a page of another site whose name
   was made to point here sends its own name.
2. The printed URL contains the access key, which is new at each start. Opening it, or entering the key in the form of
   the sign-in page, starts a session: a random id in a cookie (HttpOnly, SameSite=Strict, named after the port, because
   cookies do not distinguish ports), and a redirect that removes the key from the URL. Programs send the key as a
   bearer token instead. If the operator has chosen the key, it is not printed, and the id names its time and is signed
   with the key, so that a session outlives a restart of the server, for `KEPT_S` at most.
3. Requests other than GET and HEAD need the session's CSRF token, in the form or as `X-CSRF-Token`, and must not come
   from another origin. A bearer token needs neither: browsers never send one on their own.
4. The OAuth redirect comes from another site, so the Strict cookie is not sent with it. The callback path is therefore
   open to all, and does nothing without the `state` of a flow that was started here and the Lax cookie of the browser
   that started it. Its response redirects to a URL without code and state (see `oauth`).
5. The reconnect addresses are opened from other sites as well, and need a session as all pages do: they are requested
   once more from this site, or remembered in a Lax cookie until the person has signed in.
6. No page runs inline scripts, loads anything from other sites, can be framed or cached, or sends a referrer to other
   sites.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from vantage_quickbooks.contract import envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CALLBACK_PATH", "RECONNECT_PATH", "SIGN_IN_PATH", "SecurityMiddleware", "Session", "Sessions", "cookies"]

CALLBACK_PATH = "/oauth/callback"
RECONNECT_PATH = "/reconnect"
SIGN_IN_PATH = "/sign-in"
OPEN_PATHS = (CALLBACK_PATH, "/static/")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}

_RECONNECT = re.compile(r"/reconnect|/connections/[A-Za-z0-9._-]{1,80}/reconnect")
"""Addresses that people open from other sites and mails."""

_NEXT_S = 600
"""How long a reconnect address is remembered while a person signs in."""

_SAFE = {"GET", "HEAD"}
_MAX_BODY_BYTES = 1 << 20
_MAX_SESSIONS = 32

KEPT_S = 30 * 86_400
"""How long after its beginning a session is accepted by a server that was started anew with the same key."""


@dataclass(frozen=True, slots=True)
class Session:
    """An authenticated client.

    Attributes:
        csrf: The CSRF token of the session's forms; empty for a program with a bearer token.
    """

    csrf: str = field(repr=False)


@dataclass
class Sessions:
    """The access key of this server, and the sessions that were started with it.

    Attributes:
        base_url: The URL that browsers use: scheme, host and port, without a trailing slash.
        allowed_hosts: Accepted values of the Host header.
        access_key: The key that signs in.
        is_key_chosen: Whether the operator has chosen the key, which outlives the server then.
        metrics_key: A key that reads `/metrics` and nothing else; None for none.
    """

    base_url: str
    allowed_hosts: frozenset[str]
    access_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    metrics_key: str | None = field(default=None, repr=False)
    is_key_chosen: bool = False
    _sessions: dict[str, Session] = field(default_factory=dict, repr=False)

    @property
    def cookie(self) -> str:
        """The name of the session cookie."""
        return f"vantage_{urlsplit(self.base_url).port or 'web'}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers use https, so that cookies are marked Secure."""
        return self.base_url.startswith("https:")

    @property
    def sign_in_url(self) -> str:
        """The URL to print: opening it signs in."""
        return f"{self.base_url}/?key={self.access_key}"

    def sign_in(self, key: str) -> str | None:
        """Start a session and return its id, or None if the key is wrong."""
        if not _same(key, self.access_key):
            return None
        session_id = secrets.token_urlsafe(32)
        if self.is_key_chosen:
            session_id = f"{int(time.time())}.{session_id}"
            session_id += f".{self._digest('session', session_id)}"
        self._add(session_id)
        return session_id

    def find(self, headers: Headers) -> Session | None:
        """Return the session of a request, or None."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(token.strip(), self.access_key):
            return Session("")
        session_id = cookies(headers).get(self.cookie, "")
        return self._sessions.get(session_id) or self._restore(session_id)

    def is_open(self, session: Session) -> bool:
        """Return whether a session, which `find` returned, has not ended."""
        return not session.csrf or any(it is session for it in list(self._sessions.values()))

    def _restore(self, session_id: str) -> Session | None:
        """Return a session that an earlier server has started with the same chosen key, or None."""
        if not self.is_key_chosen:
            return None
        signed, _, digest = session_id.rpartition(".")
        if not _same(digest, self._digest("session", signed)):
            return None
        began_at = int(signed.partition(".")[0])  # ours, because its signature is valid
        return self._add(session_id) if time.time() - began_at < KEPT_S else None

    def _add(self, session_id: str) -> Session:
        while len(self._sessions) >= _MAX_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)), None)
        csrf = self._digest("csrf", session_id) if self.is_key_chosen else secrets.token_urlsafe(32)
        self._sessions[session_id] = session = Session(csrf)
        return session

    def _digest(self, purpose: str, text: str) -> str:
        return hmac.new(self.access_key.encode(), f"{purpose}:{text}".encode(errors="replace"), "sha256").hexdigest()


class SecurityMiddleware:
    """ASGI middleware that enforces the rules above.

    Args:
        app: The protected application.
        sessions: The access key and the sessions.
        refuse: Renders the page of a refused request from status, title and text.
        ask_key: Renders the sign-in page from the path to go on to, and whether a wrong key was entered.
        again: Renders a page that requests a path once more.
    """

    def __init__(
        self,
        app: ASGIApp,
        sessions: Sessions,
        refuse: Callable[[int, str, str], Response],
        ask_key: Callable[[str, bool], Response],
        again: Callable[[str], Response],
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._refuse = refuse
        self._ask_key = ask_key
        self._again = again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an allowed request to the application; answer any other."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if self._sessions.is_secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        headers = Headers(scope=scope)
        answer = self._check_access(scope, headers)
        if answer is None and scope["method"] not in _SAFE:
            try:
                body = await _body(headers, receive)
            except ClientDisconnect:
                return  # an incomplete form must not be processed
            if scope["path"] == SIGN_IN_PATH:
                answer = self._sign_in_by_form(headers, body)
            else:
                answer = self._check_csrf(scope, headers, body)
            receive = _replay(body or b"")
        await (answer or self._app)(scope, receive, send_with_headers)

    def _check_access(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the response to a request without a session; None if it may proceed."""
        host = headers.get("host", "").lower()
        if host not in self._sessions.allowed_hosts:
            return PlainTextResponse("This server is not known by that host name.\n", 421)
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        is_api = path.startswith("/api/")
        if scope["method"] in _SAFE and not is_api and host != urlsplit(self._sessions.base_url).netloc.lower():
            # One host name per browser: the OAuth cookie must be sent with the registered redirect URI.
            return RedirectResponse(f"{self._sessions.base_url}{path}{'?' + query if query else ''}", 307)
        if path.startswith(OPEN_PATHS) or (path == SIGN_IN_PATH and scope["method"] == "POST"):
            return None
        parameters = parse_qsl(query)
        keys = [value for name, value in parameters if name == "key"]
        if keys and scope["method"] == "GET" and not is_api:
            rest = [(name, value) for name, value in parameters if name != "key"]
            return self._sign_in(keys[-1], path, rest, headers)
        session = self._sessions.find(headers)
        if session is None:
            is_reconnect = scope["method"] in _SAFE and _RECONNECT.fullmatch(path) is not None
            if is_reconnect:
                return self._unauthorized_reconnect(path, query, headers)
            target = f"{path}?{query}" if query else path
            can_repeat = scope["method"] in _SAFE and path != SIGN_IN_PATH
            return self._unauthorized(is_api=is_api, target=target if can_repeat else "/")
        scope.setdefault("state", {})["session"] = session
        return None

    @property
    def _next_cookie(self) -> str:
        return f"{self._sessions.cookie}_next"

    def _unauthorized_reconnect(self, path: str, query: str, headers: Headers) -> Response:
        """Answer a request for a reconnect address without a session.

        From another site, browsers send no Strict cookie: the request is repeated from this site. If there is no
        session even then, the address is remembered until the person has signed in.
        """
        address = f"{path}?{urlencode(parse_qsl(query))}" if query else path
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return self._again(address)
        answer = self._unauthorized(is_api=False)
        answer.set_cookie(
            self._next_cookie,
            quote(address, safe=""),
            max_age=_NEXT_S,
            httponly=True,
            samesite="lax",
            secure=self._sessions.is_secure,
            path="/",
        )
        return answer

    def _sign_in_by_form(self, headers: Headers, body: bytes | None) -> Response:
        """Answer the form of the sign-in page."""
        if body is None:
            return self._denied(413, "TOO_LARGE", "The request is too large.", is_api=False)
        if self._is_foreign(headers):
            return self._denied(403, "FORBIDDEN", "This request came from another site.", is_api=False)
        form = _form(headers, body)
        wanted = urlsplit("/" + form.get("next", [""])[0].lstrip("/\\"))
        return self._sign_in(form.get("key", [""])[0].strip(), wanted.path, parse_qsl(wanted.query), headers)

    def _sign_in(self, key: str, path: str, parameters: list[tuple[str, str]], headers: Headers) -> Response:
        """Answer a request that has a key: with a session, and a redirect to the path without the key."""
        # A relative redirect cannot lead to another site.
        target = "/" + path.lstrip("/\\") + (f"?{urlencode(parameters)}" if parameters else "")
        session_id = self._sessions.sign_in(key)
        if session_id is None:
            return self._unauthorized(is_api=False, target=target, is_wrong=True)
        remembered = cookies(headers).get(self._next_cookie, "")
        wanted = urlsplit(unquote(remembered))
        if target == "/" and _RECONNECT.fullmatch(wanted.path) and not (wanted.scheme or wanted.netloc):
            target = wanted.path + (f"?{wanted.query}" if wanted.query else "")
        answer = RedirectResponse(target, 303)
        if remembered:
            answer.delete_cookie(self._next_cookie, path="/")
        answer.set_cookie(
            self._sessions.cookie,
            session_id,
            httponly=True,
            samesite="strict",
            secure=self._sessions.is_secure,
            path="/",
        )
        return answer

    def _unauthorized(self, *, is_api: bool, target: str = "/", is_wrong: bool = False) -> Response:
        if is_api:
            message = "Send the access key as a bearer token; the printed URL contains it."
            return JSONResponse(
                envelope(error={"code": "UNAUTHORIZED", "message": message}),
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        return self._ask_key(target, is_wrong)

    def _check_csrf(self, scope: Scope, headers: Headers, body: bytes | None) -> Response | None:
        is_api = scope["path"].startswith("/api/")
        if body is None:
            return self._denied(413, "TOO_LARGE", "The request is too large.", is_api)
        session: Session | None = scope.get("state", {}).get("session")
        if session is None:  # the callback path
            return PlainTextResponse("Method Not Allowed\n", 405)
        if not session.csrf:
            return None
        if self._is_foreign(headers):
            return self._denied(403, "FORBIDDEN", "This request came from another site.", is_api)
        form = _form(headers, body)
        token = headers.get("x-csrf-token") or form.get("csrf", [""])[0]
        if not _same(token, session.csrf):
            return self._denied(
                403, "FORBIDDEN", "This form has expired. Go back, reload the page, and submit it again.", is_api
            )
        scope["state"]["form"] = form
        return None

    def _is_foreign(self, headers: Headers) -> bool:
        """Return whether a browser sends a request from a page of another site."""
        origin = headers.get("origin")
        is_foreign = headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}
        return is_foreign or (origin is not None and origin.lower() != self._sessions.base_url.lower())

    def _denied(self, status: int, code: str, message: str, is_api: bool) -> Response:
        if is_api:
            return JSONResponse(envelope(error={"code": code, "message": message}), status)
        return self._refuse(status, "Request refused", message)


def cookies(headers: Headers) -> dict[str, str]:
    """Return the cookies of a request; none if the header is malformed."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())


def _form(headers: Headers, body: bytes) -> dict[str, list[str]]:
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    try:
        return parse_qs(body.decode(), max_num_fields=2000)
    except ValueError:
        return {}


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """Return the body, or None if it is too large. Raise ClientDisconnect if the connection ends first."""
    try:
        if int(headers.get("content-length", "0")) > _MAX_BODY_BYTES:
            return None
    except ValueError:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > _MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes) -> Receive:
    """Return a `receive` that returns a body that was already read."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return pending.pop() if pending else {"type": "http.disconnect"}

    return receive
