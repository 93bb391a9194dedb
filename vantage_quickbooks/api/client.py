"""The HTTP client of the data API: access token, rate limit, request, retries."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import requests

from vantage_quickbooks.api.circuit_breaker import circuit_breaker_for
from vantage_quickbooks.api.rate_limiter import MAX_CONCURRENT, rate_limiter_for
from vantage_quickbooks.api.response_body import BodyLimit, ResponseBody
from vantage_quickbooks.api.retry import RetryPolicy
from vantage_quickbooks.api.transport import (
    RequestTimeout,
    SessionHolder,
    TimeoutAdapter,
    TokenTransport,
    read_response,
)
from vantage_quickbooks.api.transport_errors import CONNECT_TIMEOUT_S, translate_request_error
from vantage_quickbooks.auth.authorizer import Authorizer
from vantage_quickbooks.auth.token_endpoint import TokenEndpoint
from vantage_quickbooks.core import responses
from vantage_quickbooks.core.endpoints import (
    changes_request,
    company_info_request,
    is_loopback,
    query_request,
    read_request,
    report_request,
)
from vantage_quickbooks.errors import AccessTokenRefusedError, ConnectorError
from vantage_quickbooks.logs import fields, get_logger
from vantage_quickbooks.telemetry import count, http_request, waited

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
    from datetime import datetime
    from typing import TypeAlias

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.call_ledger import CallLedger
    from vantage_quickbooks.api.circuit_breaker import CircuitBreaker
    from vantage_quickbooks.api.rate_limiter import RateLimiter
    from vantage_quickbooks.auth.stores import TokenStore
    from vantage_quickbooks.config.deployment import Endpoints
    from vantage_quickbooks.config.settings import Settings
    from vantage_quickbooks.core.endpoints import Request
    from vantage_quickbooks.core.query import Select
    from vantage_quickbooks.core.responses import Answer
    from vantage_quickbooks.core.tokens import TokenRecord

    Response: TypeAlias = tuple[int, Mapping[str, str], ResponseBody]
    Send: TypeAlias = Callable[[Request, dict[str, str], CallContext], Response]
    Intercept: TypeAlias = Callable[[Send, Request, dict[str, str], CallContext], Response]

__all__ = ["QuickBooksClient"]

T = TypeVar("T")

_log = get_logger(__name__)

READ_TIMEOUT_S = 125.0
"""Seconds without a byte: Intuit itself ends a request after 120.

Source: https://developer.intuit.com/app/developer/qbo/docs/learn/limits-and-throttles.
"""


_UNKNOWN = object()


class QuickBooksClient:
    """Reads the data API for one connection; thread-safe.

    Args:
        settings: Company and environment.
        store: Where the token chain is kept.
        endpoints: The servers.
        rate_limiter: The rate limiter; by default the one of this process for this company.
        circuit_breaker: Knows whether the app is blocked; by default the one of this process for this app.
        body_limit: Maximum size of a response.
        ledgers: Count metered calls, and refuse further ones where a limit is reached.
        intercept: Called in place of sending a request, with the function that sends it and its arguments (request,
            headers, call); returns status, headers and body. For tests and for recording traffic.
    """

    def __init__(
        self,
        settings: Settings,
        store: TokenStore,
        endpoints: Endpoints,
        *,
        rate_limiter: RateLimiter | None = None,
        circuit_breaker: CircuitBreaker | None = None,
        body_limit: BodyLimit | None = None,
        ledgers: Sequence[CallLedger] = (),
        intercept: Intercept | None = None,
    ) -> None:
        self.settings = settings
        self.authorizer = Authorizer(settings, store, TokenEndpoint(settings, endpoints, TokenTransport()))
        self._api_url = endpoints.api_url
        self._rate_limiter = rate_limiter or rate_limiter_for(
            endpoints.api_url, settings.realm_id, store.lock_directory
        )
        self._circuit_breaker = circuit_breaker or circuit_breaker_for(endpoints.api_url, settings.client_id)
        self._body_limit = body_limit or BodyLimit()
        self._ledgers = tuple(ledgers)
        self._intercept = intercept
        self._http = SessionHolder(self._make_session)
        self._company_name: Any = _UNKNOWN

    def _make_session(self) -> requests.Session:
        session = requests.Session()
        # A proxy must not see requests to this machine.
        session.trust_env = not is_loopback(self._api_url)
        session.headers["Accept-Encoding"] = "gzip"  # the only one that transport.read_response accepts
        adapter = TimeoutAdapter(pool_connections=2, pool_maxsize=MAX_CONCURRENT)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    @property
    def blocked_s(self) -> float | None:
        """Seconds until the next request of the app is sent, because Intuit has blocked it; None if it has not."""
        return self._circuit_breaker.blocked_s

    def close(self) -> None:
        """Close pooled connections, and drop the tokens in memory."""
        for ledger in self._ledgers:
            ledger.flush()
        self.authorizer.close()
        self._http.close()

    def authorize(self, headers: MutableMapping[str, str], call: CallContext) -> TokenRecord:
        """Add a valid access token to *headers*, refreshing it first if necessary.

        Args:
            headers: Headers of the request about to be sent; `Authorization` is set (RFC 6750 section 2.1).
            call: The call that the request belongs to.

        Returns:
            The record whose token was added.

        Raises:
            ConnectorError: No token is available; see `Authorizer.token`.
        """
        record = self.authorizer.token(call)
        headers["Authorization"] = f"Bearer {record.access_token.reveal()}"
        return record

    def query(self, statement: Select | str, call: CallContext) -> Answer:
        """Run a query statement.

        Returns:
            The response; its `QueryResponse` member is an object.

        Raises:
            ConnectorError: See `request`.
        """
        answer = self.request(query_request(self._api_url, self.settings.realm_id, str(statement)), call)
        return responses.with_member(answer, "QueryResponse")

    def count(self, statement: Select, call: CallContext) -> int:
        """Return the number of records that match *statement*; takes one request.

        Raises:
            ConnectorError: See `request`.
        """
        answer = self.request(query_request(self._api_url, self.settings.realm_id, statement.count()), call)
        return responses.total_count(answer)

    def fetch(self, statement: Select, call: CallContext, *, retry_timeouts: bool = False) -> ResponseBody:
        """Run a query statement and return the body as received, to be decompressed and decoded by the caller.

        The body starts like a success. Whether it is valid JSON is known only when it is decoded.

        Args:
            statement: The statement.
            call: The call it belongs to.
            retry_timeouts: Whether to repeat a request that took QuickBooks too long. Otherwise the error is raised at
                once (`ConnectorError.is_timeout`), because a smaller page may succeed.

        Raises:
            ConnectorError: See `request`.
        """
        request = query_request(self._api_url, self.settings.realm_id, str(statement))
        return self._send_with_retries(request, call, self._check_success, retry_timeouts=retry_timeouts)

    def changes(self, entities: Collection[str], since: str, call: CallContext) -> dict[str, list[dict[str, Any]]]:
        """Ask for what was created, changed or deleted since an instant (change data capture), in one request.

        Args:
            entities: Intuit's names, `Invoice`.
            since: Time with its zone, at most 30 days ago.
            call: The call.

        Returns:
            The records of each entity, deleted ones with `"status": "Deleted"`. At most `responses.MAX_CHANGES` come in
            all, and nothing says that there are more.

        Raises:
            ConnectorError: See `request`.

        Source: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/change-data-capture
        """
        return self.captured(entities, since, call)[0]

    def captured(
        self, entities: Collection[str], since: str, call: CallContext
    ) -> tuple[dict[str, list[dict[str, Any]]], datetime]:
        """Return the changes as `changes` does, and the time at which QuickBooks began to answer, by its own clock.

        Raises:
            ConnectorError: See `request`.
        """
        answer = self.request(changes_request(self._api_url, self.settings.realm_id, entities, since), call)
        return responses.changed_records(answer, entities), responses.answer_time(answer)

    def read(self, path: str, id_: str | None, entity: str, call: CallContext) -> Answer:
        """Read one record; the answer's member of the entity's name is an object.

        Args:
            path: The entity's segment of the URL, `customer`.
            id_: The record's Id; None for a singleton.
            entity: Intuit's name, `Customer`.
            call: The call.

        Raises:
            RecordNotFoundError: QuickBooks has no such record.
            ConnectorError: See `request`.
        """
        answer = self.request(read_request(self._api_url, self.settings.realm_id, path, id_), call)
        return responses.with_member(answer, entity)

    def report(self, name: str, parameters: Mapping[str, str], call: CallContext) -> Answer:
        """Run a report.

        A report that takes QuickBooks too long is not repeated: it would take as long again.

        Args:
            name: Intuit's name, `ProfitAndLoss`.
            parameters: The parameters as Intuit takes them.
            call: The call.

        Raises:
            ConnectorError: See `request`.
        """
        request = report_request(self._api_url, self.settings.realm_id, name, parameters)
        return self._send_with_retries(request, call, self._decode, retry_timeouts=False)

    def company_info(self, call: CallContext) -> Answer:
        """Read the company information; the `CompanyInfo` member of the response is an object.

        Raises:
            ConnectorError: See `request`.
        """
        answer = self.request(company_info_request(self._api_url, self.settings.realm_id), call)
        return responses.with_member(answer, "CompanyInfo")

    def company_name(self, call: CallContext) -> str | None:
        """Return the company's name, None if it has none; takes one request the first time.

        Raises:
            ConnectorError: See `request`.
        """
        if self._company_name is _UNKNOWN:
            name = self.company_info(call).body["CompanyInfo"].get("CompanyName")
            self._company_name = name if isinstance(name, str) else None
        return self._company_name  # type: ignore[no-any-return]  # a text or None by now

    def request(self, request: Request, call: CallContext) -> Answer:
        """Send a request that reads, and repeat it where that may help.

        A refused access token is replaced and the request repeated, until a token is refused that was fetched for this
        request. Throttling, unavailability, lost connections and truncated responses are retried with exponential
        backoff (never shorter than Retry-After), until the call's deadline.

        Args:
            request: The request. It must only read, so that repeating it changes nothing.
            call: The call it belongs to.

        Returns:
            The response of a success.

        Raises:
            ConnectorError: The last failure, if repeating cannot help or does not fit into the deadline.
        """
        return self._send_with_retries(request, call, self._decode)

    def _send_with_retries(
        self,
        request: Request,
        call: CallContext,
        read: Callable[[int, Mapping[str, str], ResponseBody, CallContext], T],
        *,
        retry_timeouts: bool = True,
    ) -> T:
        retries = RetryPolicy(call, retry_timeouts=retry_timeouts)
        sends = 0
        refused_at: int | None = None  # the number of fetched tokens when the refused token was handed out
        while True:
            record, fetches = None, self.authorizer.fetches
            try:
                headers = dict(request.headers)
                self._circuit_breaker.check()  # before a token is refreshed for a request that is not sent
                for ledger in self._ledgers:
                    ledger.check()
                record = self.authorize(headers, call)
                with self._circuit_breaker.attempt(self.settings.realm_id):
                    waiting_since = time.monotonic()
                    with self._rate_limiter.acquire(deadline=call.deadline, cancelled=call.cancelled):
                        waited("quickbooks rate_limit_wait", "rate_limit", time.monotonic() - waiting_since)
                        sends += 1
                        status, response_headers, body = self._send_observed(request, headers, call, sends)
                    return read(status, response_headers, body, call)
            except AccessTokenRefusedError as error:
                # Refresh once before reporting: a token that another process stored may have expired as well.
                if record is None or (refused_at is not None and self.authorizer.has_fetched(record, refused_at)):
                    raise _reconnect_error(error) from None
                self.authorizer.renew(call, record, refused_at)
                refused_at = fetches
            except ConnectorError as error:
                delay = None if record is None else retries.next_delay(error)  # a failed refresh had its own retries
                if delay is None:
                    raise
                refused_at = None  # the next token may be refused for a new reason
                self._pause(error, delay, retries.attempt - 1, call)

    def _pause(self, error: ConnectorError, delay: float, attempt: int, call: CallContext) -> None:
        """Wait before a request is sent again."""
        facts = fields(error_code=error.code, attempt=attempt, delay_s=round(delay, 3))
        _log.info("%s: the request is repeated in %.1f seconds", error.code, delay, extra=facts)
        count("vantage.retries", 1, {"error.type": error.code})
        call.sleep(delay)
        waited("quickbooks retry_wait", "retry", delay, {"vantage.attempt": attempt, "error.type": error.code})

    def _send_observed(self, request: Request, headers: dict[str, str], call: CallContext, sends: int) -> Response:
        """Send a request, for the *sends*-th time, as a span and with a log record."""
        began_at = time.monotonic()
        with http_request(request.method, request.url, request.template, resends=sends - 1) as sent:
            response = (
                self._send(request, headers, call)
                if self._intercept is None
                else self._intercept(self._send, request, headers, call)
            )
            sent.status, sent.intuit_tid = response[0], response[1].get("intuit_tid")
        if _log.isEnabledFor(logging.DEBUG):
            duration_s = round(time.monotonic() - began_at, 4)
            facts = fields(http_status=sent.status, intuit_tid=sent.intuit_tid, duration_s=duration_s)
            _log.debug("%s %s: HTTP %s", request.method, request.template, sent.status, extra=facts)
        return response

    def _send(self, request: Request, headers: dict[str, str], call: CallContext) -> Response:
        call.count_request()
        failure: ConnectorError
        try:
            with (
                RequestTimeout(call, READ_TIMEOUT_S),
                self._http.get().request(
                    request.method,
                    request.url,
                    headers=headers,
                    data=request.body,
                    auth=_keep_headers,
                    timeout=(min(CONNECT_TIMEOUT_S, call.remaining()), min(READ_TIMEOUT_S, call.remaining())),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                is_metered = 200 <= response.status_code < 300
                call.record_tid(response.headers.get("intuit_tid"), is_metered=is_metered)
                body = read_response(response, self._body_limit)
        except requests.RequestException as error:
            failure = translate_request_error(error, "QuickBooks", self._api_url)
        except ConnectorError as error:
            failure = error.without_traceback()  # its frames hold the request
        else:
            for ledger in self._ledgers if is_metered else ():
                ledger.record()
            return response.status_code, response.headers, body
        call.remaining()  # if the deadline ended the request, report that
        raise failure  # outside of `except`, so that the request is not part of the error's context

    def _check_success(
        self, status: int, headers: Mapping[str, str], body: ResponseBody, call: CallContext
    ) -> ResponseBody:
        if status == 200 and body.startswith(b'{"QueryResponse":'):
            return body
        data = body.read()
        responses.with_member(self._decode(status, headers, ResponseBody(data), call), "QueryResponse")
        return ResponseBody(data)

    def _decode(self, status: int, headers: Mapping[str, str], body: ResponseBody, call: CallContext) -> Answer:
        return responses.decipher(
            status,
            headers,
            body.read(),
            loads=orjson.loads,
            now=call.now(),
            environment=self.settings.environment,
            realm_id=self.settings.realm_id,
        )


def _keep_headers(prepared: Any) -> Any:
    """Prevent requests from replacing the Authorization header by an entry of the user's .netrc."""
    return prepared


def _reconnect_error(error: AccessTokenRefusedError) -> AccessTokenRefusedError:
    return AccessTokenRefusedError(
        "QuickBooks refuses even a new access token. The app was disconnected from the company, or the person who "
        "connected it lost access: connect the company again.",
        details=error.details,
    )
