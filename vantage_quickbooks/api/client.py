"""The only sender of API requests: a token, a turn at the throttle, one request, and again where that is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import requests

from vantage_quickbooks.api.circuit_breaker import CircuitBreaker, circuit_breaker_for
from vantage_quickbooks.api.rate_limiter import AT_ONCE, RateLimiter, rate_limiter_for
from vantage_quickbooks.api.response_body import Limit, ResponseBody
from vantage_quickbooks.api.transport import CONNECT_S, Adapter, SessionHolder, Watch, receive, transport_error
from vantage_quickbooks.auth.authorizer import Authorizer
from vantage_quickbooks.core import responses
from vantage_quickbooks.core.endpoints import changes_request, company_info_request, is_loopback, query_request
from vantage_quickbooks.errors import (
    AccessTokenRefusedError,
    AppBlockedError,
    ConnectorError,
    DeadlineExceededError,
    RateLimitedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.auth.stores import TokenStore
    from vantage_quickbooks.config.deployment import Endpoints
    from vantage_quickbooks.config.settings import Settings
    from vantage_quickbooks.core.endpoints import Request
    from vantage_quickbooks.core.query import Select
    from vantage_quickbooks.core.responses import Answer
    from vantage_quickbooks.core.tokens import TokenRecord

__all__ = ["QuickBooksClient", "is_too_slow"]

T = TypeVar("T")

_READ_S = 125.0
"""Seconds without a byte: Intuit ends a request itself after 120 ("API call limits and throttles")."""

_TRIES = 6
_FIRST_S = 0.5
_THROTTLED_S = 10.0
"""Seconds before the first repetition after a throttled request: Intuit's window is a minute, and it names no time."""


class QuickBooksClient:
    """Reads the data API for one connection; thread-safe.

    Args:
        settings: Company and environment.
        store: Where the token chain is kept.
        endpoints: Which servers are asked.
        rate_limiter: Turns; by default the process's one for this company.
        circuit: Knows whether the app is blocked; by default the process's one for this app.
        body_limit: How large an answer may be.
    """

    def __init__(
        self,
        settings: Settings,
        store: TokenStore,
        endpoints: Endpoints,
        *,
        rate_limiter: RateLimiter | None = None,
        circuit: CircuitBreaker | None = None,
        body_limit: Limit | None = None,
    ) -> None:
        self.settings = settings
        self.authorizer = Authorizer(settings, store, endpoints)
        self._api_url = endpoints.api_url
        self._rate_limiter = rate_limiter or rate_limiter_for(
            endpoints.api_url, settings.realm_id, getattr(store, "lock_directory", None)
        )
        self._circuit = circuit or circuit_breaker_for(endpoints.api_url, settings.client_id)
        self._body_limit = body_limit or Limit()
        self._http = SessionHolder(self._make_session)

    def _make_session(self) -> requests.Session:
        session = requests.Session()
        # A proxy must not see what is meant for this machine.
        session.trust_env = not is_loopback(self._api_url)
        session.headers["Accept-Encoding"] = "gzip"  # see transport.receive
        adapter = Adapter(pool_connections=2, pool_maxsize=AT_ONCE)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def close(self) -> None:
        """Close pooled connections, and forget tokens."""
        self.authorizer.close()
        self._http.close()

    def authorize(self, headers: MutableMapping[str, str], call: CallContext) -> TokenRecord:
        """Attach a valid access token to *headers*, refreshing it first if it must be.

        Args:
            headers: Headers of the request about to be sent; `Authorization` is set (RFC 6750 section 2.1).
            call: The call that the request belongs to.

        Returns:
            The record whose token was attached.

        Raises:
            ConnectorError: No token can be had; see `Authorizer.token`.
        """
        record = self.authorizer.token(call)
        headers["Authorization"] = f"Bearer {record.access_token.reveal()}"
        return record

    def query(self, statement: Select, call: CallContext) -> Answer:
        """Run a query statement.

        Returns:
            The answer; its `QueryResponse` member is an object.

        Raises:
            ConnectorError: See `request`.
        """
        answer = self.request(query_request(self._api_url, self.settings.realm_id, str(statement)), call)
        return responses.with_member(answer, "QueryResponse")

    def count(self, statement: Select, call: CallContext) -> int:
        """Return how many records *statement* finds, in one call.

        Raises:
            ConnectorError: See `request`.
        """
        answer = self.request(query_request(self._api_url, self.settings.realm_id, statement.count()), call)
        return responses.total_count(answer)

    def fetch(self, statement: Select, call: CallContext, *, may_give_up: bool = True) -> ResponseBody:
        """Run a query statement and return the answer as it came, to be unpacked and decoded where and when it suits.

        The body begins as a success does; whether it is whole JSON shows when it is decoded.

        Raises:
            ConnectorError: See `request`. With *may_give_up*, a page that takes QuickBooks too long is not tried again:
                `is_too_slow` tells, and a smaller one may do.
        """
        request = query_request(self._api_url, self.settings.realm_id, str(statement))
        return self._repeat(request, call, self._undecoded, is_too_slow if may_give_up else None)

    def changes(self, entity: str, since: str, call: CallContext) -> list[dict[str, Any]]:
        """Ask for what was created, changed or deleted since an instant (change data capture).

        Args:
            entity: Intuit's name, `Invoice`.
            since: Time with its zone, at most 30 days ago.
            call: The call.

        Returns:
            The records, deleted ones with `"status": "Deleted"`. At most 1,000 come, and no sign of more.

        Raises:
            ConnectorError: See `request`.

        Source: Intuit, "Change data capture".
        """
        answer = self.request(changes_request(self._api_url, self.settings.realm_id, [entity], since), call)
        return responses.changed_records(answer, [entity])[entity]

    def company_info(self, call: CallContext) -> Answer:
        """Read the company's information; the answer's `CompanyInfo` member is an object.

        Raises:
            ConnectorError: See `request`.
        """
        answer = self.request(company_info_request(self._api_url, self.settings.realm_id), call)
        return responses.with_member(answer, "CompanyInfo")

    def request(self, request: Request, call: CallContext) -> Answer:
        """Send a request that reads, and send it again where another try may help.

        A refused access token is replaced and the request repeated, until one is refused that was fetched for it.
        Throttling, unavailability, broken
        connections and cut-off answers are waited out with growing pauses (never shorter than Retry-After), until the
        call's deadline.

        Args:
            request: What to send. Reads only: repeating them changes nothing.
            call: The call it belongs to.

        Returns:
            The answer of a success.

        Raises:
            ConnectorError: The last failure, once another try is no use or does not fit into the deadline.
        """
        return self._repeat(request, call, self._decoded)

    def _repeat(
        self,
        request: Request,
        call: CallContext,
        read: Callable[[int, Mapping[str, str], ResponseBody, CallContext], T],
        is_final: Callable[[ConnectorError], bool] | None = None,
    ) -> T:
        attempt = 1
        since: int | None = None  # how many tokens had been fetched when the one refused last was handed out
        while True:
            record, fetches = None, self.authorizer.fetches
            try:
                headers = dict(request.headers)
                self._circuit.check()  # before a token is spent on what is not sent
                record = self.authorize(headers, call)
                with self._circuit.attempt():
                    with self._rate_limiter.acquire(deadline=call.deadline, cancelled=call.cancelled):
                        status, told, body = self._send(request, headers, call)
                    return read(status, told, body, call)
            except AccessTokenRefusedError as error:
                # One refresh comes before any accusation: a token that others have stored may have ended, too.
                if record is None or (since is not None and self.authorizer.has_fetched(record, since)):
                    raise _refused_for_good(error) from None
                self.authorizer.renew(call, record, since)
                since = fetches
            except ConnectorError as error:
                # A failed refresh has had its own tries; a call out of time has none left.
                if (
                    record is None
                    or not error.retryable
                    or isinstance(error, DeadlineExceededError | AppBlockedError)
                    or (is_final and is_final(error))
                ):
                    raise
                first = _THROTTLED_S if isinstance(error, RateLimitedError) else _FIRST_S
                wait = call.backoff(attempt, getattr(error, "retry_after_s", None), first_s=first)
                if attempt >= _TRIES or wait is None:
                    error.details["attempts"] = attempt
                    raise
                attempt += 1
                since = None  # by the next answer a token may have ended anew
                call.sleep(wait)

    def _send(
        self, request: Request, headers: dict[str, str], call: CallContext
    ) -> tuple[int, Mapping[str, str], ResponseBody]:
        call.count_request()
        failure: ConnectorError
        try:
            with (
                Watch(call, _READ_S),
                self._http.get().request(
                    request.method,
                    request.url,
                    headers=headers,
                    data=request.body,
                    auth=_keep_headers,
                    timeout=(min(CONNECT_S, call.remaining()), min(_READ_S, call.remaining())),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                call.record_tid(response.headers.get("intuit_tid"), is_metered=200 <= response.status_code < 300)
                body = receive(response, self._body_limit)
        except requests.RequestException as error:
            failure = transport_error(error, "QuickBooks", self._api_url)
        except ConnectorError as error:
            failure = error.without_traceback()  # its frames hold the request
        else:
            return response.status_code, response.headers, body
        call.remaining()  # if the deadline cut the request short, say that
        raise failure  # out here, so that the request does not ride along as the error's context

    def _undecoded(
        self, status: int, headers: Mapping[str, str], body: ResponseBody, call: CallContext
    ) -> ResponseBody:
        if status == 200 and body.startswith(b'{"QueryResponse":'):
            return body
        data = body.read()
        responses.with_member(self._decoded(status, headers, ResponseBody(data), call), "QueryResponse")
        return ResponseBody(data)

    def _decoded(self, status: int, headers: Mapping[str, str], body: ResponseBody, call: CallContext) -> Answer:
        return responses.decipher(
            status,
            headers,
            body.read(),
            loads=orjson.loads,
            now=call.now(),
            environment=self.settings.environment,
            realm_id=self.settings.realm_id,
        )


def is_too_slow(error: ConnectorError) -> bool:
    """Tell whether an answer took too long, so that asking for less may help."""
    timed_out = error.details.get("httpStatus") in {408, 504} or error.details.get("faultCode") == "6002"
    return timed_out or error.details.get("cause") == "ReadTimeout"


def _keep_headers(prepared: Any) -> Any:
    """Keep requests from replacing our Authorization header by an entry of the user's .netrc."""
    return prepared


def _refused_for_good(error: AccessTokenRefusedError) -> AccessTokenRefusedError:
    return AccessTokenRefusedError(
        "QuickBooks refuses even a new access token. The app was disconnected from the company, or the person who "
        "connected it lost access: connect the company again.",
        details=error.details,
    )
