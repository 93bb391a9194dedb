"""The authorization code flow (RFC 6749 section 4.1), for any connector whose descriptor offers it.

Theory of operation
1. A flow starts with the settings of the app. The connector returns the authorization URL, and the host stores under a
   random `state` which connection the flow is for. PKCE (RFC 7636) is used if the descriptor says that the provider
   supports it.
2. The browser that starts a flow gets a cookie for the callback (HttpOnly, Lax, for the callback path only). The
   callback must have both `state` and cookie, so that an attacker cannot make this browser accept another company's
   grant (RFC 6749 section 10.12).
   A connection that has an account already keeps it: consent for another one is refused.
3. A state is valid once and for ten minutes. Other parameters of the callback go into the fields that the descriptor
   names (`callbackFields`), and the connector exchanges the code for the rest. None of it appears on a page.
4. The callback URL contains code and state, so the response is always a redirect: to the same path without them, with a
   cookie that names the outcome. No page has a URL with a code, and the history keeps none (RFC 9700 section 4.2.4).
5. The callback is a request from another site, so the session's Strict cookie is sent neither with it nor with what it
   redirects to. The outcome is therefore a page that leads to the next one: that request is same-site again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.web.failures import error_of
from vantage_quickbooks.web.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.store import Record

__all__ = ["OAuthFlowError", "OAuthFlows", "Outcome"]

LIFETIME_S = 600.0
_MAX_PENDING = 32
_UNKNOWN = (
    "This response does not belong to a connection attempt that was started in this browser within the last ten "
    "minutes. Start again on the connection's page."
)
_REFUSALS = {
    "access_denied": "Consent was denied, so nothing was connected.",
    "invalid_scope": "The provider does not allow the app the scopes that the connector needs. Check the app's scopes.",
}


class OAuthFlowError(Exception):
    """A flow failed.

    Args:
        message: What happened and what to do.
        connection_id: The connection, if it is known.
        error: The connector's error, if it raised one.
    """

    def __init__(self, message: str, connection_id: str | None = None, error: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.connection_id = connection_id
        self.error = error


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a flow, shown at a URL without a code.

    Attributes:
        connection_id: The connection, if it is known.
        name: Its name.
        message: Why the flow failed; empty if it succeeded.
        error: The connector's error, if it raised one.
    """

    connection_id: str | None
    name: str = ""
    message: str = ""
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Pending:
    connection_id: str
    is_shared: bool
    browser: str = field(repr=False)
    verifier: str = field(repr=False)
    began: float
    account: dict[str, str]


class OAuthFlows:
    """The pending flows.

    Args:
        host: The connectors and connections.
        redirect_uri: The URL of the callback.
        now: A monotonic clock, in seconds.
    """

    def __init__(self, host: Host, redirect_uri: str, now: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self.redirect_uri = redirect_uri
        self._now = now
        self._pending: dict[str, _Pending] = {}
        self._outcomes: dict[str, tuple[Outcome, float]] = {}
        self._lock = threading.Lock()

    def start(self, record: Record, *, may_change_account: bool = False) -> tuple[str, str]:
        """Start a flow.

        Args:
            record: The connection, with the settings of its app.
            may_change_account: Whether a person may consent for another account than the connection has now.

        Returns:
            The authorization URL, and the value of the cookie for the callback.

        Raises:
            ConnectorError: The settings are invalid.
            OAuthFlowError: The connector returned no usable URL.
        """
        auth = self._host.describe(record.connector)["auth"]
        state, browser, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        more = {"code_challenge": challenge} if auth.get("pkce") else {}
        connector: Any = self._host.connectors[record.connector]
        url: str = connector.authorization_url(record.settings, redirect_uri=self.redirect_uri, state=state, **more)
        names = () if may_change_account else auth.get("callbackFields", {}).values()
        account = {name: str(record.settings[name]) for name in names if record.settings.get(name)}
        if urlsplit(url).scheme not in {"http", "https"}:
            raise OAuthFlowError("The connector returned no web address for the authorization.", record.id)
        with self._lock:
            self._expire()
            while len(self._pending) >= _MAX_PENDING:
                self._pending.pop(next(iter(self._pending)))
            now = self._now()
            self._pending[state] = _Pending(record.id, record.is_shared, browser, verifier, now, account)
        return url, browser

    def complete(self, parameters: Mapping[str, str], browser: str) -> Record:
        """Complete a flow.

        Args:
            parameters: The parameters of the callback.
            browser: The value of the cookie.

        Returns:
            The connection, with its new settings.

        Raises:
            OAuthFlowError: The flow failed.
            StoreError: Connections cannot be read.
        """
        with self._lock:
            self._expire()
            pending = self._pending.get(parameters.get("state", ""))
            if pending is None or not hmac.compare_digest(pending.browser.encode(), browser.encode()):
                raise OAuthFlowError(_UNKNOWN)
            del self._pending[parameters["state"]]
        record = self._host.record(pending.connection_id)
        if record is None:
            raise OAuthFlowError("The connection was removed in the meantime.")
        if record.is_shared != pending.is_shared or record.error is not None:
            raise OAuthFlowError("Another program has changed this connection in the meantime. Reconnect.", record.id)
        if "error" in parameters or not parameters.get("code"):
            refusal = parameters.get("error", "")
            message = _REFUSALS.get(refusal, "The provider returned no authorization. Try again.")
            raise OAuthFlowError(message, record.id)
        return self._connected(record, parameters, pending)

    def keep(self, outcome: Outcome) -> str:
        """Store an outcome for ten minutes and return the name under which `outcome` finds it."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            self._expire()
            while len(self._outcomes) >= _MAX_PENDING:
                self._outcomes.pop(next(iter(self._outcomes)))
            self._outcomes[name] = (outcome, self._now())
        return name

    def outcome(self, name: str) -> Outcome:
        """Return the outcome stored under *name*."""
        with self._lock:
            self._expire()
            kept = self._outcomes.get(name)
        return kept[0] if kept else Outcome(None, message=_UNKNOWN)

    def _connected(self, record: Record, parameters: Mapping[str, str], pending: _Pending) -> Record:
        auth = self._host.describe(record.connector)["auth"]
        connector: Any = self._host.connectors[record.connector]
        named: Mapping[str, str] = auth.get("callbackFields", {})
        missing = [parameter for parameter in named if not parameters.get(parameter)]
        if missing:
            raise OAuthFlowError("The provider's response does not say which account was connected.", record.id)
        filled = {name: parameters[parameter] for parameter, name in named.items()}
        for name, wanted in pending.account.items():
            if filled[name] != wanted:  # before the code is exchanged: nothing changes at the provider either
                what = str(auth.get("accountName") or "account")
                raise OAuthFlowError(
                    f"You chose the {what} {filled[name]}, but {record.name} is a connection to the {what} {wanted}. "
                    f"Nothing was changed. Reconnect and choose {wanted}, or create a new connection for the other "
                    f"{what}.",
                    record.id,
                )
        more = {"code_verifier": pending.verifier} if auth.get("pkce") else {}
        try:
            filled |= connector.exchange_code(
                record.settings, code=parameters["code"], redirect_uri=self.redirect_uri, **more
            )
        except ConnectorError as error:
            raise OAuthFlowError(error.message, record.id, error.to_dict()) from None
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            members = error_of(error)
            raise OAuthFlowError(members["message"], record.id, members) from None
        settings = {**record.settings, **filled}
        try:
            return self._host.save(record.connector, record.name, settings, old=record)
        except StoreError as error:
            failure = error
        raise self._unsaved(record, settings, failure)

    def _unsaved(self, record: Record, settings: dict[str, Any], failure: StoreError) -> OAuthFlowError:
        """Keep the settings in the own store if the shared one cannot: the new grant must not be lost."""
        members = failure.error.to_dict() if failure.error else None
        what_to_do = "Reconnect as soon as this is corrected."
        if not record.is_shared and failure.error is not None:
            self._host.store.put(replace(record, settings=settings))
            what_to_do = "The web UI keeps the settings. To store them as soon as this is corrected, save them again."
        return OAuthFlowError(f"The account was connected, but: {failure} {what_to_do}", record.id, members)

    def _expire(self) -> None:
        oldest = self._now() - LIFETIME_S
        for state in [state for state, pending in self._pending.items() if pending.began < oldest]:
            del self._pending[state]
        for name in [name for name, (_, at) in self._outcomes.items() if at < oldest]:
            del self._outcomes[name]
