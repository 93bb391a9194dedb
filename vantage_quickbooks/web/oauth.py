"""
Consent by redirect: the authorization-code flow (RFC 6749 section 4.1), for any connector whose descriptor offers it.

Theory of operation
1. A connection is begun with the fields that its app needs; the connector gives the address of the consent, and the
   host remembers under a random `state` which connection it is for. PKCE (RFC 7636) is added where the descriptor says
   that the provider knows it.
2. The browser that begins gets a cookie of its own for the way back (HttpOnly, Lax, for the callback's path alone).
   The redirect must bring both, `state` and cookie: nobody can slip another company's grant into this browser.
3. A state is good once, and for ten minutes. What the redirect brings besides the code goes into the fields that the
   descriptor names (`callbackFields`), the connector turns the code into the others, and none of it into any page.
4. The redirect's address holds code and state, so it is answered by a redirect, whatever came of it: to the same path
   without them, and a cookie that names the outcome. No page stands at an address that holds a code, and none is left
   in the history (Intuit's security requirements; RFC 9700 section 4.2.4).
5. The redirect comes from another site, so the session's Strict cookie is not with it, nor with what it redirects to.
   The outcome is therefore a page of ours that leads on: that step is of the same site again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.web.runs import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.store import Record

__all__ = ["OAuthFlowError", "OAuthFlows", "Outcome", "supports_oauth"]

LIFETIME_S = 600.0
_MAX_PENDING = 32
_UNKNOWN = (
    "This answer belongs to no consent that was begun in this browser within the last ten minutes. "
    "Begin again at the connection's page."
)
_REFUSALS = {
    "access_denied": "Consent was not given, so nothing was connected.",
    "invalid_scope": "The provider does not let this app ask for what the connector needs. Check the app's scopes.",
}


class OAuthFlowError(Exception):
    """A consent that led to nothing.

    Args:
        message: What happened and what to do.
        connection_id: For which connection it was, if that is known.
        error: The connector's error, if it was that.
    """

    def __init__(self, message: str, connection_id: str | None = None, error: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.connection_id = connection_id
        self.error = error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a consent, to be shown once the address holds no code any more.

    Attributes:
        connection_id: For which connection it was, if that is known.
        name: What that is called.
        message: Why nothing was connected; empty if it was.
        error: The connector's error, if it was that.
    """

    connection_id: str | None
    name: str = ""
    message: str = ""
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Pending:
    connection_id: str
    browser: str = field(repr=False)
    verifier: str = field(repr=False)
    began: float


def supports_oauth(described: Mapping[str, Any]) -> bool:
    """Tell whether a connector can be connected by consent."""
    return bool(described.get("auth", {}).get("grantFields"))


class OAuthFlows:
    """The flows under way.

    Args:
        host: Knows connectors and connections.
        redirect_uri: Where providers lead back to.
        now: Clock in seconds that never goes back.
    """

    def __init__(self, host: Host, redirect_uri: str, now: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self.redirect_uri = redirect_uri
        self._now = now
        self._pending: dict[str, _Pending] = {}
        self._outcomes: dict[str, tuple[Outcome, float]] = {}
        self._lock = threading.Lock()

    def begin(self, record: Record) -> tuple[str, str]:
        """Begin a consent.

        Args:
            record: The connection, with the settings of its app.

        Returns:
            The address to go to, and the value of the cookie for the way back.

        Raises:
            ConnectorError: The settings are wrong.
            OAuthFlowError: The connector gave no usable address.
        """
        auth = self._host.describe(record.connector)["auth"]
        state, browser, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        more = {"code_challenge": challenge} if auth.get("pkce") else {}
        connector: Any = self._host.connectors[record.connector]
        url: str = connector.authorization_url(record.settings, redirect_uri=self.redirect_uri, state=state, **more)
        if urlsplit(url).scheme not in {"http", "https"}:
            raise OAuthFlowError("The connector gave no web address for the consent.", record.id)
        with self._lock:
            self._expire()
            while len(self._pending) >= _MAX_PENDING:
                self._pending.pop(next(iter(self._pending)))
            self._pending[state] = _Pending(record.id, browser, verifier, self._now())
        return url, browser

    def finish(self, brought: Mapping[str, str], browser: str) -> Record:
        """Take what the redirect brought.

        Args:
            brought: Its parameters.
            browser: The cookie's value.

        Returns:
            The connection, connected.

        Raises:
            OAuthFlowError: Nothing was connected.
        """
        with self._lock:
            self._expire()
            pending = self._pending.get(brought.get("state", ""))
            if pending is None or not hmac.compare_digest(pending.browser.encode(), browser.encode()):
                raise OAuthFlowError(_UNKNOWN)
            del self._pending[brought["state"]]
        record = self._host.record(pending.connection_id)
        if record is None:
            raise OAuthFlowError("The connection was removed meanwhile.")
        if "error" in brought or not brought.get("code"):
            refusal = brought.get("error", "")
            message = _REFUSALS.get(refusal, "The provider gave no consent. Try again.")
            raise OAuthFlowError(message, record.id)
        return self._connected(record, brought, pending.verifier)

    def keep(self, outcome: Outcome) -> str:
        """Keep an outcome for as long as a consent may take; return the name under which `outcome` finds it."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._expire()
            while len(self._outcomes) >= _MAX_PENDING:
                self._outcomes.pop(next(iter(self._outcomes)))
            self._outcomes[name] = (outcome, self._now())
        return name

    def outcome(self, name: str) -> Outcome:
        """Return what was kept under *name*."""
        with self._lock:
            self._expire()
            kept = self._outcomes.get(name)
        return kept[0] if kept else Outcome(None, message=_UNKNOWN)

    def _connected(self, record: Record, brought: Mapping[str, str], verifier: str) -> Record:
        auth = self._host.describe(record.connector)["auth"]
        connector: Any = self._host.connectors[record.connector]
        named: Mapping[str, str] = auth.get("callbackFields", {})
        missing = [parameter for parameter in named if not brought.get(parameter)]
        if missing:
            raise OAuthFlowError("The provider's answer does not say which account was connected.", record.id)
        filled = {name: brought[parameter] for parameter, name in named.items()}
        more = {"code_verifier": verifier} if auth.get("pkce") else {}
        try:
            filled |= connector.exchange_code(
                record.settings, code=brought["code"], redirect_uri=self.redirect_uri, **more
            )
        except ConnectorError as error:
            raise OAuthFlowError(error.message, record.id, error.to_dict()) from None
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            error_dict = failure(error)
            raise OAuthFlowError(error_dict["message"], record.id, error_dict) from None
        return self._host.save(record.connector, record.name, {**record.settings, **filled}, record.id)

    def _expire(self) -> None:
        oldest = self._now() - LIFETIME_S
        for state in [state for state, pending in self._pending.items() if pending.began < oldest]:
            del self._pending[state]
        for name in [name for name, (_, at) in self._outcomes.items() if at < oldest]:
            del self._outcomes[name]
