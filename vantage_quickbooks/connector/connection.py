"""One configured connection: validates input, runs actions, and turns failures into errors and envelopes."""

from __future__ import annotations

import difflib
import functools
import traceback
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, ParamSpec, Self, TypeVar

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.response_body import BodyLimit
from vantage_quickbooks.auth.stores import HostStore, open_store
from vantage_quickbooks.catalog.actions import ACTIONS, SYNC
from vantage_quickbooks.catalog.handler import is_streamable, is_tabular
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.settings import EMULATOR, PRODUCTION
from vantage_quickbooks.config.validation import validate_input
from vantage_quickbooks.connector.observers import Observers
from vantage_quickbooks.contract import CONTRACT_VERSIONS, HostContext, envelope, is_offered
from vantage_quickbooks.core.cost import forecast, month_end
from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.errors import (
    AuthenticationError,
    ConnectorError,
    FieldError,
    InputError,
    InternalError,
    SettingsError,
    TokenStoreError,
)
from vantage_quickbooks.fork_safety import ForkSafeLock
from vantage_quickbooks.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    import pandas as pd

    from vantage_quickbooks.api.call_ledger import CallLedger
    from vantage_quickbooks.api.client import Intercept, QuickBooksClient
    from vantage_quickbooks.api.rate_limiter import RateLimiter
    from vantage_quickbooks.auth.stores import TokenStore
    from vantage_quickbooks.catalog.handler import Handler, StreamHandler
    from vantage_quickbooks.config.deployment import Endpoints
    from vantage_quickbooks.config.settings import Settings
    from vantage_quickbooks.contract import ChangeSet

__all__ = ["NDJSON", "Connection", "Identity", "identity_of", "servers_of", "sync_input"]

P = ParamSpec("P")
T = TypeVar("T")

_log = get_logger(__name__)


class Identity(NamedTuple):
    """Which company a connection is to.

    Attributes:
        connection_id: The host's or the registry's id of the connection; None if it has none.
        realm_id: The QuickBooks company.
        environment: `production`, `sandbox` or `emulator`.
    """

    connection_id: str | None
    realm_id: str
    environment: str


class NDJSON(bytes):
    """Records of one page, one per line, each in the exact bytes that Intuit sent.

    Attributes:
        metadata: As in a result: `cursor`, `complete`, `apiCalls` and the others.
        records: Number of records.
    """

    metadata: dict[str, Any]
    records: int

    def __new__(cls, lines: bytes, metadata: dict[str, Any]) -> Self:
        """Join the lines and their metadata."""
        made = super().__new__(cls, lines)
        made.metadata = metadata
        made.records = lines.count(b"\n")
        return made


class Connection:
    """Implements `contract.Connection`.

    Nothing is opened before the first action runs: no network, no disk, and no HTTP library is imported.

    Args:
        settings: Validated settings.
        context: What the host knows about its calls, and its callables.
        deployment: The operator's options.
        store: Where tokens are kept, in place of the host's or the operator's choice (for tests and notebooks).
        new_call: Creates the state of a call (for tests: instant clocks).
        rate_limiter: Replaces the rate limiter of the company; see `QuickBooksClient`.
        intercept: Called in place of sending a request; see `QuickBooksClient`.
    """

    def __init__(
        self,
        settings: Settings,
        context: HostContext | None = None,
        deployment: Deployment | None = None,
        *,
        store: TokenStore | None = None,
        new_call: Callable[..., CallContext] = CallContext,
        rate_limiter: RateLimiter | None = None,
        intercept: Intercept | None = None,
    ) -> None:
        self._context = HostContext() if context is None else context
        if not isinstance(self._context, HostContext):
            raise SettingsError("The host's context must be a HostContext; HostContext.from_dict makes one.")
        self._deployment = deployment or Deployment.from_environ()
        self._settings, self._endpoints = self._deployment.resolve(settings)
        self._body_limit = BodyLimit(self._deployment.max_body_bytes())
        self._monthly_call_limit = self._deployment.max_monthly_calls()
        self._given_store = store
        self._new_call = new_call
        self._rate_limiter = rate_limiter
        self._intercept = intercept
        self._lock = ForkSafeLock()
        self._client: QuickBooksClient | None = None
        self._store: TokenStore | None = None
        self._ledgers: tuple[CallLedger, ...] = ()
        self._log = get_logger(self._context.logger) if self._context.logger else _log
        self._observers = Observers(self._context, self._log)
        _check(self._context)

    def __repr__(self) -> str:
        return f"<Connection {self._context.connection_id} to QuickBooks company {self._settings.realm_id}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close pooled connections; using the connection again opens new ones."""
        with self._lock:
            client, store, self._client, self._store = self._client, self._store, None, None
            self._ledgers = ()
        if client is not None:
            client.close()
        if store is not None and store is not self._given_store:
            store.close()

    def invoke(self, action_id: str, input: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002 -- the host's word
        """Run an action and return its result.

        Args:
            action_id: One of the connector's action ids, `listCustomers`.
            input: What the action's input schema accepts; None and {} mean no input. It overrides the settings.

        Returns:
            The result, plain JSON; see the action's output schema.

        Raises:
            ConnectorError: Anything that went wrong, of the class that fits.
        """
        result: dict[str, Any] = self._run(action_id, input, self._context.row_limit, self._start_call())
        return result

    def call(self, action_id: str, input: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002 -- the host's word
        """Run an action and return the host's envelope; do not raise for expected failures.

        Returns:
            `{"success": true, "data": ..., "meta": ...}` or `{"success": false, "error": ..., "meta": ...}`; `meta`
            holds `request_id`, `timestamp`, `action` and `rows_key`.
        """
        call = self._start_call()
        known = ACTIONS.get(action_id) if isinstance(action_id, str) else None
        action = known.action if known else None
        try:
            data = self._run(action_id, input, self._context.row_limit, call)
        except ConnectorError as error:
            return envelope(error=error, action=action, request_id=call.request_id)
        return envelope(data=data, action=action, request_id=call.request_id)

    async def ainvoke(self, action_id: str, input: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002 -- the host's word
        """Run an action in a worker thread, so that the event loop is not blocked; otherwise as `invoke`."""
        import asyncio  # noqa: PLC0415 -- costs 30 ms, and a caller that awaits this has imported it

        return await asyncio.to_thread(self.invoke, action_id, input)

    def stream(
        self,
        action_id: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 -- the host's word
        *,
        as_: Literal["results", "ndjson", "arrow"] = "results",
        company_name: str | None = None,
    ) -> Iterator[Any]:
        """Run an action page by page; each page is fetched on demand, or a little ahead.

        With `all` in the input, pages come from one full read: in the order of creation, each record once, the last
        page with `metadata.complete`. Without it, they are separate pages from `start_position` on, and a company
        that is edited in the meantime may shift records from one to another. An action that is not streamable yields
        its one result.

        Args:
            action_id: As for `invoke`.
            input: As for `invoke`.
            as_: `results`: each page is a result as `invoke` returns it. `ndjson` (with `all` only): each page is an
                `NDJSON`, bytes of one record a line as Intuit sent them, without flat fields (extra `[bulk]`).
                `arrow` (list actions and `getReport`): each page is a `pyarrow.RecordBatch`, all of one schema (extra
                `[arrow]`).
            company_name: For `arrow` with `all`: what the column `company_name` holds. None: the company's name in
                QuickBooks, which takes an API call the first time.

        Raises:
            ConnectorError: From the page that failed; the pages before it are complete.
        """
        if as_ not in {"results", "ndjson", "arrow"}:
            raise InputError(f"Unknown format of pages: {as_!r}; use results, ndjson or arrow.")
        handler, call = _handler(action_id), self._start_call()
        if as_ == "arrow" and not is_tabular(handler):
            raise _not_a_table(action_id)
        data = self._translate_errors(call, validate_input, action_id, {} if input is None else input)
        if not is_streamable(handler):
            run = handler.read_arrow if as_ == "arrow" and is_tabular(handler) else handler.run
            yield self._run(action_id, data, self._context.row_limit, call, run)
        elif handler.is_full_read(data) and self._context.row_limit is None:
            yield from self._stream_full(handler, data, as_, call, company_name)
        elif as_ == "ndjson":
            raise InputError("NDJSON is for full reads without a row limit. Add all to the input.")
        else:
            yield from self._stream_pages(handler, data, as_)

    def dataframe(self, action_id: str, input: Mapping[str, Any] | None = None) -> pd.DataFrame:  # noqa: A002 -- the host's word
        """Return the records of a list, or the rows of a report, as a pandas DataFrame (extra `[arrow]`, and pandas).

        Args:
            action_id: A list action, `listInvoices`, or `getReport`.
            input: As for `invoke`: one page, or every record with `all`.

        Returns:
            The records, with dates and decimals. All columns are Arrow-backed (`pandas.ArrowDtype`).
            `attrs["metadata"]` is the metadata of the page, or of the last page of a full read.

        Raises:
            InputError: The action has no columns, the input asks for changes, or a package is missing.
            ConnectorError: See `invoke`.
        """
        try:
            import pandas as pd  # noqa: PLC0415 -- optional, and slow to import
        except ModuleNotFoundError:
            raise InputError("A DataFrame needs pandas: run `pip install pandas`.") from None
        handler, call = _handler(action_id), self._start_call()
        if not is_tabular(handler):
            raise _not_a_table(action_id)
        data = self._translate_errors(call, validate_input, action_id, {} if input is None else input)
        if is_streamable(handler) and handler.is_full_read(data) and self._context.row_limit is None:
            batches = list(self._stream_full(handler, data, "arrow", call))
        else:
            batches = [self._run(action_id, data, self._context.row_limit, call, handler.read_arrow)]
        from vantage_quickbooks.sync.arrow import to_table  # noqa: PLC0415 -- pyarrow is an extra

        table, metadata = to_table(batches)
        frame = table.to_pandas(types_mapper=pd.ArrowDtype)
        frame.attrs["metadata"] = metadata
        return frame

    def _stream_pages(self, handler: StreamHandler, data: dict[str, Any], as_: str) -> Iterator[Any]:
        action_id, left = handler.action.id, self._context.row_limit
        run = handler.read_arrow if as_ == "arrow" else handler.run
        done = 0
        while True:
            page = self._run(action_id, data, left, self._start_call(), run)
            count, metadata = _describe(page)
            following = metadata["nextStartPosition"]
            done += count
            if count or done == 0:
                yield page
            if left is not None:
                left -= count
            del page  # one page in memory at a time
            ended = following is None or (left is not None and left <= 0)
            self._observers.progress(action_id, done, done if ended else None)
            if ended:
                return
            data = {**data, "start_position": following}

    def _stream_full(
        self,
        handler: StreamHandler,
        data: dict[str, Any],
        as_: str,
        call: CallContext,
        company_name: str | None = None,
    ) -> Iterator[Any]:
        action_id = handler.action.id
        call.progress = functools.partial(self._observers.progress, action_id)
        readers: dict[str, Callable[..., Iterator[Any]]] = {
            "results": handler.iter_pages,
            "ndjson": handler.iter_ndjson,
            "arrow": functools.partial(handler.iter_arrow, company_name=company_name),
        }
        read = readers[as_]
        with self._observers.observed(action_id, call) as facts:
            facts["records"] = 0
            pages = self._translate_errors(call, lambda: iter(read(self._get_client(), data, call)))
            while (page := self._translate_errors(call, next, pages, None)) is not None:
                if as_ == "ndjson":
                    page = NDJSON(*page)
                facts["records"] += page.records if isinstance(page, NDJSON) else _describe(page)[0]
                yield page
                del page  # one page in memory at a time

    def estimate(self, action_id: str, input: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: A002 -- the host's word
        """Return what a full read would find and cost, for one API call: `totalCount` and `apiCalls`.

        Raises:
            InputError: The action has no full read, or the input is invalid.
            ConnectorError: See `QuickBooksClient.request`.
        """
        handler, call = _handler(action_id), self._start_call()
        if not is_streamable(handler) or handler.action.full_read_input is None:
            raise InputError(f"{action_id} has no full read; there is nothing to estimate.")

        def run() -> dict[str, Any]:
            data = validate_input(action_id, {} if input is None else input)
            return handler.estimate(self._get_client(), data, call)

        return self._estimate(action_id, call, run)

    def sync(
        self,
        entities: Sequence[str] | None = None,
        state: Mapping[str, Any] | str | None = None,
        *,
        max_api_calls: int | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        restart: Sequence[str] = (),
    ) -> Iterator[ChangeSet]:
        """Bring a copy of many entities up to date, with as few API calls as possible.

        Apply each set by key (`ChangeSet.apply_to`), then store its state: nothing is lost whenever the process is
        killed, and what comes twice changes nothing. See docs/sync.md.

        Args:
            entities: Intuit's names, `Invoice`; None for all of which a full read of any size can be verified.
            state: The state of the last set that was applied, or its JSON text; None reads everything.
            max_api_calls: Limit of API calls, failed ones included. Entities that do not fit are `pending` in the last
                set's metadata, and the next syncs read them, those first that have waited longest.
            since: In place of a state: what changed at or after this instant, which has a zone.
            until: What changed after this instant is left to the next sync. The same window read again yields the same
                records, except for those in `changed_later`.
            restart: Entities to read as a snapshot whatever the state says, because the copy of them was lost.

        Raises:
            InputError: The input is wrong, or the state is not one of this connection; raised at once.
            ConnectorError: A set could not be read; those before it are whole, and their state continues.
        """
        call = self._start_call()
        data = self._translate_errors(call, sync_input, entities, state, max_api_calls, since, until)
        if self._context.row_limit is not None:
            raise InputError("A sync has no preview: rows that are left out would be lost. Use no row limit.")
        sets = self._translate_errors(call, SYNC.iter_sets, self._get_client(), data, call, restart)
        return self._iter_sets(sets, call)

    def _iter_sets(self, sets: Iterator[ChangeSet], call: CallContext) -> Iterator[ChangeSet]:
        with self._observers.observed(SYNC.action.id, call) as facts:
            facts["records"] = 0
            while (found := self._translate_errors(call, next, sets, None)) is not None:
                facts["records"] += len(found.upserts)
                yield found
                del found  # one page in memory at a time
                self._observers.progress(SYNC.action.id, facts["records"], None)

    def estimate_sync(
        self, entities: Sequence[str] | None = None, state: Mapping[str, Any] | str | None = None, *, count: bool = True
    ) -> dict[str, Any]:
        """Return the API calls that a sync takes if little has changed.

        Args:
            entities: As for `sync`.
            state: As for `sync`; it knows the sizes of the entities, so that nothing has to be counted.
            count: Whether to count entities of unknown size, at one API call each. Otherwise they are taken for small.

        Returns:
            `apiCalls`, `apiCallsSpent` by the estimate, and `entities`, each with `entity`, `source` (`cdc`, `onePage`
            or `fullRead`), `records` and `apiCalls`.

        Raises:
            InputError: As for `sync`.
            ConnectorError: See `QuickBooksClient.request`.
        """
        call = self._start_call()

        def run() -> dict[str, Any]:
            data = sync_input(entities, state)
            return SYNC.estimate(self._get_client(), data, call, count=count)

        return self._estimate(SYNC.action.id, call, run)

    def _estimate(self, action_id: str, call: CallContext, run: Callable[[], T]) -> T:
        """Run an estimate; its API calls are counted with those of the action."""
        with self._observers.observed("estimate", call, is_action=False):
            try:
                return self._translate_errors(call, run)
            finally:
                self._observers.count(action_id, call)

    def api_calls(self) -> dict[str, int]:
        """Return the requests that this connection has sent to the data API so far, by action, failed ones included."""
        return self._observers.api_calls()

    def monthly_usage(self) -> dict[str, Any]:
        """Return the app's metered API calls of this month, over all processes that share the token store.

        Returns:
            `month`; `calls` so far; `projected` for the whole month at this pace; the deployment's `limit`, None if it
            has none; `reachedOn`, the date on which the limit is reached at this pace. Outside of production, which
            Intuit does not meter, `calls` is 0.

        Raises:
            TokenStoreError: They cannot be read.
        """
        call = self._start_call()
        _, *of_app = self._get_ledgers()
        if not of_app:
            today = call.now().date()
            return {"month": f"{today:%Y-%m}", **forecast(0, today)}
        return self._translate_errors(call, of_app[0].usage)

    def status(self) -> dict[str, Any]:
        """Return what is known about the connection, without an API call and without a token request.

        Returns:
            `state`: `ready`, `reauthorizationRequired` (a person has to connect the company again) or `throttled`;
            `message`, None for `ready`; `account`, the company's realm id, and `environment`; `refreshTokenExpiresAt`
            (100 days after its last renewal) and `grantExpiresAt` (five years after the consent), None until the first
            token was fetched; `throttledUntil`; `monthlyCalls`, the metered calls of this company in this month with
            `month`, `calls`, `projected`, `limit` and `reachedOn`, over all processes that share the token store.

        Raises:
            TokenStoreError: The store cannot be read.
        """
        call = self._start_call()
        return self._translate_errors(call, self._read_status, call.now())

    def _read_status(self, now: datetime) -> dict[str, Any]:
        client = self._get_client()
        usage = self._get_ledgers()[0].usage()
        record = client.authorizer.newest()
        state, message = "ready", None
        blocked_s, until = client.blocked_s, None
        if blocked_s is not None:
            state, message = "throttled", "Intuit refuses all requests of this app for now."
            until = now + timedelta(seconds=blocked_s)
        elif usage["limit"] is not None and usage["calls"] >= usage["limit"]:
            state, message = "throttled", f"The company has reached its limit of {usage['limit']:,} API calls a month."
            until = month_end(now)
        ends = (record.refresh_token_expires_at, record.refresh_token_hard_expires_at) if record else ()
        is_expired = any(end is not None and end <= now for end in ends)
        if is_expired or client.authorizer.is_refused(record):
            state, until = "reauthorizationRequired", None
            message = (
                "The authorization has expired." if is_expired else "Intuit has refused the authorization of this app."
            )
        return {
            "state": state,
            "message": message,
            "account": self._settings.realm_id,
            "environment": self._settings.environment,
            "refreshTokenExpiresAt": iso(record.refresh_token_expires_at) if record else None,
            "grantExpiresAt": iso(record.refresh_token_hard_expires_at) if record else None,
            "throttledUntil": iso(until),
            "monthlyCalls": usage,
        }

    def test(self) -> dict[str, Any]:
        """Verify the settings with two requests: get a token, read the company.

        Returns:
            `ok`, a list of `checks` (`name`, `ok`, `message` and, where it failed, `error`), `warnings` about
            settings that look wrong, and the `apiCalls` it took. Expected failures are not raised.
        """
        call = self._start_call()
        with self._observers.observed("test", call, is_action=False) as facts:
            checks = self._checks(call)
            failed = next((check["error"]["code"] for check in checks if not check["ok"]), None)
            if failed:
                facts.update(outcome="error", errorCode=failed)
        return {
            "ok": all(check["ok"] for check in checks),
            "checks": checks,
            "warnings": [warning.to_dict() for warning in self._settings.warnings()],
            "environment": self._settings.environment,
            "realmId": self._settings.realm_id,
            "tokenStore": self._get_store().describe() if self._store else None,
            "apiCalls": call.api_calls,
            "meteredCalls": call.metered_calls,
        }

    def disconnect(self) -> dict[str, Any]:
        """Revoke the grant at Intuit and delete its tokens. Connecting again needs a user's consent.

        Returns:
            `revoked` (False if Intuit did not know the grant any more) and a `message`.

        Raises:
            ConnectorError: Intuit is unreachable, or refuses; nothing was deleted.
        """
        call = self._start_call()

        def run() -> dict[str, Any]:
            is_ended = self._get_client().authorizer.disconnect(call)
            message = (
                "Intuit has ended the connection, and its tokens were deleted."
                if is_ended
                else "Intuit did not know this connection any more. Its tokens were deleted."
            )
            return {"revoked": is_ended, "message": message}

        with self._observers.observed("disconnect", call, is_action=False):
            return self._translate_errors(call, run)

    def _checks(self, call: CallContext) -> list[dict[str, Any]]:
        try:
            token = self._translate_errors(call, self._test_token, call)
        except ConnectorError as error:
            return [_failed("token", error)]
        try:
            company = self._translate_errors(call, self._test_company, call)
            if call.refreshed and not token["refreshed"]:
                token = self._translate_errors(call, self._test_token, call)
        except (AuthenticationError, TokenStoreError) as error:
            # QuickBooks refused the token that looked valid, and there is no other one: the check of the token fails.
            return [_failed("token", error)]
        except ConnectorError as error:
            return [{"name": "token", "ok": True, **token}, _failed("company", error)]
        return [{"name": "token", "ok": True, **token}, {"name": "company", "ok": True, **company}]

    def _test_token(self, call: CallContext) -> dict[str, Any]:
        record = self._get_client().authorizer.token(call)
        return {
            "message": f"The access token is valid until {iso(record.access_token_expires_at)}.",
            "refreshed": call.refreshed,
            "expiresAt": iso(record.access_token_expires_at),
            "refreshTokenExpiresAt": iso(record.refresh_token_expires_at),
            "refreshTokenHardExpiresAt": iso(record.refresh_token_hard_expires_at),
        }

    def _test_company(self, call: CallContext) -> dict[str, Any]:
        answer = self._get_client().company_info(call)
        name = answer.body["CompanyInfo"].get("CompanyName")
        return {
            "message": f"Connected to {name} {self._where()}.",
            "companyName": name,
            "clockSkewSeconds": _clock_skew_s(answer.body.get("time"), call.now()),
        }

    def _where(self) -> str:
        """Return which environment the connection uses, and which server if it is not Intuit's own."""
        environment, api_url = self._settings.environment, self._endpoints.api_url
        if environment == EMULATOR:
            return f"on the emulator at {api_url}"
        where = f"in the {environment} environment"
        return where if self._endpoints.reaches_intuit() else f"{where}, at {api_url} in place of Intuit"

    def _start_call(self) -> CallContext:
        return self._new_call(deadline=self._context.deadline, cancelled=self._context.cancelled)

    def _run(
        self,
        action_id: str,
        data: Mapping[str, Any] | None,
        row_limit: int | None,
        call: CallContext,
        run: Callable[..., Any] | None = None,
    ) -> Any:
        """Run an action and return its result, or what another method of its handler returns in its place."""
        handler = _handler(action_id)
        with self._observers.observed(action_id, call) as facts:
            result = self._translate_errors(call, self._run_valid, handler, data, call, row_limit, run or handler.run)
            facts["records"] = _describe(result)[0]
        return result

    def _run_valid(
        self,
        handler: Handler,
        data: Mapping[str, Any] | None,
        call: CallContext,
        row_limit: int | None,
        run: Callable[..., Any],
    ) -> Any:
        valid = validate_input(handler.action.id, {} if data is None else data)
        if handler.action.streamable:
            call.progress = functools.partial(self._observers.progress, handler.action.id)
        return run(self._get_client(), valid, call, row_limit)

    def _translate_errors(self, call: CallContext, run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raise expected errors with the call's facts added, and a defect as an InternalError."""
        failure: ConnectorError
        try:
            with self._observers.entered(call):
                return run(*args, **kwargs)
        except ConnectorError as error:
            failure = error
        except Exception:  # noqa: BLE001 -- the host gets an error that it knows
            text = self._redact(traceback.format_exc())
            with self._observers.entered(call):
                self._log.error("request %s failed because of a bug:\n%s", call.request_id, text)
            failure = InternalError(
                f"The connector failed because of a bug. Report it with request id {call.request_id} and the log."
            )
        failure.details.setdefault("apiCalls", call.api_calls)
        failure.details.setdefault("meteredCalls", call.metered_calls)
        failure.details.setdefault("requestId", call.request_id)
        if call.intuit_tids:
            failure.details.setdefault("intuitTid", call.intuit_tids[-1])
        raise failure.without_traceback()

    def _get_client(self) -> QuickBooksClient:
        """Return the client. It is created at first use, because it imports requests and oauthlib."""
        client = self._client
        if client is None:
            from vantage_quickbooks.api.client import QuickBooksClient  # noqa: PLC0415 -- see the docstring

            ledgers = self._get_ledgers()
            with self._lock:
                client = self._client
                if client is None:
                    client = self._client = QuickBooksClient(
                        self._settings,
                        self._get_store(),
                        self._endpoints,
                        rate_limiter=self._rate_limiter,
                        body_limit=self._body_limit,
                        ledgers=ledgers,
                        intercept=self._intercept,
                    )
        return client

    def _get_ledgers(self) -> tuple[CallLedger, ...]:
        """Return what counts metered calls: of the company, and in production, which Intuit meters, of the app."""
        if not self._ledgers:
            from vantage_quickbooks.api.call_ledger import COMPANY_LIMIT, CallLedger, company_key  # noqa: PLC0415 -- as the client

            settings, store = self._settings, self._get_store()
            key = company_key(settings.client_id, settings.environment, settings.realm_id)
            of_company = CallLedger(store, key, settings.monthly_call_limit, setting=COMPANY_LIMIT)
            of_app = CallLedger(store, settings.client_id, self._monthly_call_limit)
            self._ledgers = (of_company, of_app) if settings.environment == PRODUCTION else (of_company,)
        return self._ledgers

    def _get_store(self) -> TokenStore:
        if self._store is None:
            context, deployment = self._context, self._deployment
            if self._given_store is not None:
                self._store = self._given_store
            elif context.load_credentials and context.save_credentials:
                self._store = HostStore(context.connection_id or "", context.load_credentials, context.save_credentials)
            else:
                self._store = open_store(deployment.token_store, encryption_key=deployment.token_key)
        return self._store

    def _redact(self, text: str) -> str:
        tokens = self._client.authorizer.secrets() if self._client else ()
        return self._settings.redactor(*tokens)(text)


def identity_of(connection: Connection) -> Identity:
    """Return which company a connection is to: for adapters, which keep one copy of each."""
    settings = connection._settings  # noqa: SLF001 -- not part of the contract, which knows no companies
    return Identity(connection._context.connection_id, settings.realm_id, settings.environment)  # noqa: SLF001 -- see the line before


def servers_of(connection: Connection) -> tuple[Endpoints, list[FieldError]]:
    """Return the servers of a connection, and the warnings about its settings: for diagnosis."""
    return connection._endpoints, connection._settings.warnings()  # noqa: SLF001 -- as `identity_of`


def earliest_state(connection: Connection, states: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Return a state to continue with that claims no more than any of several; see `sync.sync_state.earliest`.

    A state of another company or client secret, or one that was altered, counts as none: everything is read again.

    Args:
        connection: The connection.
        states: States of change sets of this connection; None for "nothing was read".

    Returns:
        The state; None to read everything.

    Raises:
        InputError: A newer version of the connector has written one of them.
    """
    from vantage_quickbooks.sync.sync_state import VERSION, StateSerializer, earliest  # noqa: PLC0415 -- it imports the HTTP client

    serializer = StateSerializer(connection._settings)  # noqa: SLF001 -- as `identity_of`
    found = []
    for state in states:
        if state is None:
            return None
        try:
            found.append(serializer.loads(state))
        except InputError:
            version = state.get("version")
            if isinstance(version, int) and version > VERSION:
                raise
            return None
    return serializer.dumps(earliest(found)) if found else None


def _handler(action_id: str) -> Handler:
    """Return the handler of an action.

    Raises:
        InputError: There is no such action.
    """
    handler = ACTIONS.get(action_id) if isinstance(action_id, str) else None
    if handler is None:
        near = difflib.get_close_matches(str(action_id)[:60], ACTIONS, n=3)
        known = ", ".join(near or list(ACTIONS)[:4])
        hint = f"Did you mean {known}?" if near else f"Use one of {known}, or another id that describe() lists."
        raise InputError(
            f"There is no action {str(action_id)[:60]!r}. {hint}",
            [FieldError("action", "enum", "There is no such action.", hint)],
            code="ACTION_NOT_FOUND",
        )
    return handler


def sync_input(
    entities: Sequence[str] | None,
    state: Mapping[str, Any] | str | None = None,
    max_api_calls: int | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
) -> dict[str, Any]:
    """Return the arguments of a sync as valid input of its action.

    Raises:
        InputError: One is wrong.
    """
    given = {
        "entities": entities if entities is None or isinstance(entities, str) else list(entities),
        "state": state if state is None or isinstance(state, str) else dict(state),
        "max_api_calls": max_api_calls,
        "since": since.isoformat() if isinstance(since, datetime) else since,
        "until": until.isoformat() if isinstance(until, datetime) else until,
    }
    return validate_input(SYNC.action.id, {name: value for name, value in given.items() if value is not None})


def _describe(page: Any) -> tuple[Any, dict[str, Any]]:
    """Return the number of records of a result or a record batch, and its metadata."""
    if isinstance(page, dict):
        return page.get("count"), page.get("metadata", {})
    from vantage_quickbooks.sync.arrow import metadata_of  # noqa: PLC0415 -- pyarrow is an extra

    return page.num_rows, metadata_of(page)


def _not_a_table(action_id: str) -> InputError:
    return InputError(f"{action_id} does not list records, so there are no columns. Use a list action: listInvoices.")


def _check(context: HostContext) -> None:
    """Refuse a context that would fail later, in the middle of a call."""
    wrong = [
        f"{name} must be a callable"
        for name in ("cancelled", "load_credentials", "save_credentials", "progress", "audit")
        if not (getattr(context, name) is None or callable(getattr(context, name)))
    ]
    if context.deadline is not None and getattr(context.deadline, "tzinfo", None) is None:
        wrong.append("deadline must be a datetime with a time zone")
    limit = context.row_limit
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        wrong.append("row_limit must be a whole number from 1 up")
    if (context.load_credentials is None) != (context.save_credentials is None):
        missing = "vantage_save_credentials" if context.load_credentials else "vantage_load_credentials"
        wrong.append(f"a host that keeps credentials offers both hooks, and {missing} is missing")
    elif context.load_credentials and not context.connection_id:
        wrong.append("connection_id must name the connection whose credentials the host keeps")
    version = context.contract_version
    if version is not None and not (isinstance(version, str) and is_offered(version)):
        wrong.append(f"contract_version {str(version)[:20]!r} is not offered; {', '.join(CONTRACT_VERSIONS)} is")
    if wrong:
        raise SettingsError(f"The host's context cannot be used: {'; '.join(wrong)}.")


def _failed(check: str, error: ConnectorError) -> dict[str, Any]:
    return {"name": check, "ok": False, "message": error.message, "error": error.to_dict()}


def _clock_skew_s(server_time: Any, now: datetime) -> float | None:
    """Return how many seconds this machine's clock is ahead of QuickBooks', or None if it did not say."""
    try:
        return round((now - datetime.fromisoformat(server_time)).total_seconds(), 1)
    except (TypeError, ValueError):
        return None
