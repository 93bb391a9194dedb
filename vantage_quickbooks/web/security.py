"""
Who may come in, and what a page may do.

Rules
1. The Host header must name an address that this server is reached by: a page of another site whose name was made to
   point here (DNS rebinding) sends its own name, and is refused.
2. The printed address carries the key of this start. Opening it begins a session: a random id in a cookie (HttpOnly,
   SameSite=Strict, named after the port, for cookies do not tell ports apart), and a redirect that drops the key from
   the address. Programs send the key as a bearer token instead.
3. What is not GET or HEAD needs the session's CSRF token, in the form or as `X-CSRF-Token`, and must not come from
   another origin. A bearer token needs neither, since no browser sends one by itself.
4. The redirect that ends a consent comes from another site, so a Strict cookie does not come with it. That one path is
   open, and does nothing without the `state` of a consent begun here and the Lax cookie of the browser that began it;
   it is answered by a redirect to an address without code and state (see `oauth`).
5. No page runs inline script, loads from elsewhere, is framed or cached, or tells others where one came from.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from vantage_quickbooks.contract import envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CALLBACK_PATH", "SecurityMiddleware", "Session", "Sessions", "cookies"]

CALLBACK_PATH = "/oauth/callback"
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

_SAFE = {"GET", "HEAD"}
_MAX_BODY_BYTES = 1 << 20
_MAX_SESSIONS = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who showed the key.

    Attributes:
        csrf: What this session's forms must carry; empty for a program with a bearer token.
    """

    csrf: str = field(repr=False)


@dataclass
class Sessions:
    """The keys of one start of the server.

    Attributes:
        base_url: The address that people use: scheme, host and port, without a slash at the end.
        allowed_hosts: What a Host header may say.
        access_key: What the printed address carries.
    """

    base_url: str
    allowed_hosts: frozenset[str]
    access_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _sessions: dict[str, Session] = field(default_factory=dict, repr=False)

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return f"vantage_{urlsplit(self.base_url).port or 'web'}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers come over https, so that cookies need not travel otherwise."""
        return self.base_url.startswith("https:")

    @property
    def sign_in_url(self) -> str:
        """The address to print: it lets in."""
        return f"{self.base_url}/?key={self.access_key}"

    def sign_in(self, key: str) -> str | None:
        """Begin a session for whoever shows the key; return its id, or None."""
        if not _same(key, self.access_key):
            return None
        session_id = secrets.token_urlsafe(32)
        while len(self._sessions) >= _MAX_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[session_id] = Session(secrets.token_urlsafe(32))
        return session_id

    def find(self, headers: Headers) -> Session | None:
        """Return the session that a request belongs to."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(token.strip(), self.access_key):
            return Session("")
        session_id = cookies(headers).get(self.cookie, "")
        return self._sessions.get(session_id)


class SecurityMiddleware:
    """ASGI middleware that holds the rules above.

    Args:
        app: What is guarded.
        sessions: The keys.
        refuse: Makes the page for a person who is refused, of status, title and text.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, refuse: Callable[[int, str, str], Response]) -> None:
        self._app = app
        self._sessions = sessions
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if self._sessions.is_secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        headers = Headers(scope=scope)
        answer = self._outside(scope, headers)
        if answer is None and scope["method"] not in _SAFE:
            try:
                body = await _body(headers, receive)
            except ClientDisconnect:
                return  # a part of a form must not pass for the whole
            answer = self._unsafe(scope, headers, body)
            receive = _replay(body or b"")
        await (answer or self._app)(scope, receive, send_guarded)

    def _outside(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer for whoever is not, or not yet, inside; None lets pass."""
        host = headers.get("host", "").lower()
        if host not in self._sessions.allowed_hosts:
            return PlainTextResponse("This server does not go by that name.\n", 421)
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        is_api = path.startswith("/api/")
        if scope["method"] in _SAFE and not is_api and host != urlsplit(self._sessions.base_url).netloc.lower():
            # One name for one browser: the cookie of a consent must come back with the registered redirect.
            return RedirectResponse(f"{self._sessions.base_url}{path}{'?' + query if query else ''}", 307)
        if path.startswith(OPEN_PATHS):
            return None
        asked = dict(parse_qsl(query))
        if "key" in asked and scope["method"] == "GET" and not is_api:
            return self._enter(path, asked)
        session = self._sessions.find(headers)
        if session is None:
            return self._locked(is_api)
        scope.setdefault("state", {})["session"] = session
        return None

    def _enter(self, path: str, asked: dict[str, str]) -> Response:
        session_id = self._sessions.sign_in(asked.pop("key"))
        if session_id is None:
            return self._locked(is_api=False)
        # Relative, so that the key's address can lead nowhere else; the query without the key.
        answer = RedirectResponse("/" + path.lstrip("/\\") + (f"?{urlencode(asked)}" if asked else ""), 303)
        answer.set_cookie(
            self._sessions.cookie,
            session_id,
            httponly=True,
            samesite="strict",
            secure=self._sessions.is_secure,
            path="/",
        )
        return answer

    def _locked(self, is_api: bool) -> Response:
        if is_api:
            message = "Send the key of the printed address as a bearer token."
            return JSONResponse(
                envelope(error={"code": "UNAUTHORIZED", "message": message}),
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        return self._refuse(
            401,
            "Open the printed address",
            "This page is open to whoever started the server. Open the address that it printed in the terminal; it "
            "holds a key that is good until the server stops.",
        )

    def _unsafe(self, scope: Scope, headers: Headers, body: bytes | None) -> Response | None:
        is_api = scope["path"].startswith("/api/")
        if body is None:
            return self._denied(413, "TOO_LARGE", "That is more than a form holds.", is_api)
        session: Session | None = scope.get("state", {}).get("session")
        if session is None:  # an open path
            return PlainTextResponse("Method Not Allowed\n", 405)
        if not session.csrf:
            return None
        origin = headers.get("origin")
        is_foreign = headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}
        if is_foreign or (origin is not None and origin.lower() != self._sessions.base_url.lower()):
            return self._denied(403, "FORBIDDEN", "This request came from another site.", is_api)
        form = _form(headers, body)
        token = headers.get("x-csrf-token") or form.get("csrf", [""])[0]
        if not _same(token, session.csrf):
            return self._denied(
                403, "FORBIDDEN", "This form is out of date. Go back, reload the page, and send it again.", is_api
            )
        scope["state"]["form"] = form
        return None

    def _denied(self, status: int, code: str, message: str, is_api: bool) -> Response:
        if is_api:
            return JSONResponse(envelope(error={"code": code, "message": message}), status)
        return self._refuse(status, "Not accepted", message)


def cookies(headers: Headers) -> dict[str, str]:
    """Return the cookies of a request; a malformed header holds none."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogatepass"), wanted.encode())


def _form(headers: Headers, body: bytes) -> dict[str, list[str]]:
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    try:
        return parse_qs(body.decode(), max_num_fields=2000)
    except ValueError:
        return {}


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """Read a body, or return None if it is too large; ClientDisconnect if it ends before its end."""
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
    """Return a `receive` that hands out a body that was read before."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return pending.pop() if pending else {"type": "http.disconnect"}

    return receive
