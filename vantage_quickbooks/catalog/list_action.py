"""The list action of an entity: a page of its records, all of them, or what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from vantage_quickbooks.catalog.flat_fields import flat_fields_reader
from vantage_quickbooks.errors import FieldError, InputError, UnexpectedResponseError
from vantage_quickbooks.sync.list_request import ListRequest
from vantage_quickbooks.sync.page import page_metadata, read_requested_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date
    from types import ModuleType

    import pyarrow as pa

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.contract import Action
    from vantage_quickbooks.sync.arrow import BatchMaker

__all__ = ["ListAction"]

R = TypeVar("R")
Record = dict[str, Any]


class ListAction:
    """Lists the records of one entity. Implements `handler.StreamHandler`.

    Args:
        resource: The entity.
        action: The action as data.
    """

    def __init__(self, resource: Resource, action: Action) -> None:
        self.action = action
        self.resource = resource
        self._read_flat = flat_fields_reader(resource)

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> Record:
        """Return one page of records, usually with one API call; or all of them, if the input says `all`.

        Args:
            client: Sends the requests.
            data: Input that the action's input schema accepts.
            call: The call.
            row_limit: The host's cap on rows.

        Returns:
            The records as Intuit sent them, each with its flat fields; `count`; a summary where the entity has one;
            `metadata`.

        Raises:
            ConnectorError: See `QuickBooksClient.request`.
        """
        request = self._parse(data, call, client.settings.max_results, row_limit)
        if request.mode != "page":
            return self._read_all(request, client, call)
        page = read_requested_page(client, request, call)
        result = self._shape(request, page.records, page.company_date, "page")
        return result | {
            "metadata": page_metadata(client, call, request, page) | self._dated(page.company_date),
        }

    def is_full_read(self, data: Mapping[str, Any]) -> bool:
        """Return whether an input asks for every record rather than for a page."""
        return bool(data.get("all")) or "sync_cursor" in data

    def iter_pages(self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> Iterator[Record]:
        """Return every record page by page; see `handler.StreamHandler.iter_pages`."""
        request = self._parse(data, call)

        def make_page(rows: list[Any], today: date, metadata: Record, deletions: Record) -> Record:
            shaped = self._shape(request, rows, today, "page")
            return shaped | deletions | {"metadata": metadata | self._dated(today)}

        return _read_pages(request, client, call, make_page)

    def iter_ndjson(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext
    ) -> Iterator[tuple[bytes, Record]]:
        """Return every record as newline-delimited JSON; see `handler.StreamHandler.iter_ndjson`."""
        try:
            from vantage_quickbooks.sync.ndjson import decode_raw, record_of  # noqa: PLC0415 -- msgspec is an extra
        except ModuleNotFoundError:
            raise InputError("NDJSON needs msgspec: run `pip install 'vantage-quickbooks[bulk]'`.") from None
        request = self._parse(data, call)
        _refuse_changes(request, "NDJSON")

        def make_page(rows: list[Any], today: date, metadata: Record, _: Record) -> tuple[bytes, Record]:
            return b"".join([part for row in rows for part in (row, b"\n")]), metadata | self._dated(today)

        return _read_pages(request, client, call, make_page, decode_raw, record_of=record_of)

    def iter_arrow(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, *, company_name: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Return every record as Arrow record batches; see `handler.StreamHandler.iter_arrow`."""
        arrow = _arrow()
        request = self._parse(data, call)
        _refuse_changes(request, "Arrow")
        maker = self._batch_maker(arrow, request, client, call, company_name)

        def make_page(rows: list[Any], today: date, metadata: Record, _: Record) -> pa.RecordBatch:
            return maker.batch(rows, today, metadata | self._dated(today))

        return _read_pages(request, client, call, make_page, maker.decode, record_of=arrow.record_of)

    def read_arrow(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> pa.RecordBatch:
        """Return one page of records as an Arrow record batch; see `handler.StreamHandler.read_arrow`."""
        arrow = _arrow()
        request = self._parse(data, call, client.settings.max_results, row_limit)
        maker = self._batch_maker(arrow, request, client, call)
        page = read_requested_page(client, request, call, arrow.read_row_page, arrow.record_of)
        metadata = page_metadata(client, call, request, page) | self._dated(page.company_date)
        return maker.batch(page.records, page.company_date, metadata)

    def _batch_maker(
        self,
        arrow: ModuleType,
        request: ListRequest,
        client: QuickBooksClient,
        call: CallContext,
        company_name: str | None = None,
    ) -> BatchMaker:
        from vantage_quickbooks.catalog.columns import typed_members  # noqa: PLC0415 -- only tables need it

        flat, members = typed_members(self.resource, request.fields)
        _, known = typed_members(self.resource, [known.name for known in self.resource.properties])
        maker: BatchMaker = arrow.BatchMaker(
            flat,
            members,
            known,
            read_flat=self._flat_reader(arrow),
            status=self.resource.status,
            realm_id=client.settings.realm_id,
            company_name=client.company_name(call) if company_name is None else company_name,
            is_selection=request.fields is not None,
        )
        return maker

    def _flat_reader(self, arrow: ModuleType) -> Callable[[Any, date], Record]:
        """Return a function that reads flat fields and never raises: what cannot be computed is `UNREADABLE`."""
        status = self.resource.status
        uncomputed = {field.name: arrow.UNREADABLE for field in status.fields} if status else {}
        read_others = flat_fields_reader(replace(self.resource, status=None))

        def read_flat(record: Any, today: date) -> Record:
            try:
                return self._read_flat(record, today)
            except UnexpectedResponseError:  # without amounts, it has no status
                return read_others(record, today) | uncomputed

        return read_flat

    def estimate(self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> Record:
        """Return how many records a full read would find, and the API calls it would take; costs one API call.

        With `sync_cursor`, the records are those that changed. If their deletions can only be found by listing all
        Ids, the estimate costs two API calls.

        Raises:
            ConnectorError: See `QuickBooksClient.request`.
        """
        from vantage_quickbooks.core.completeness import estimate_api_calls  # noqa: PLC0415 -- only full reads need it

        if "sync_cursor" in data:
            from vantage_quickbooks.sync.list_read import estimate_changes  # noqa: PLC0415 -- only changes need it

            return estimate_changes(self._parse(data, call), client, call)
        request = self._parse({**data, "all": True}, call)
        total = client.count(request.statement(), call)
        return {"totalCount": total, "apiCalls": estimate_api_calls(total, request.size)}

    def _parse(
        self, data: Mapping[str, Any], call: CallContext, max_results: int = 1000, row_limit: int | None = None
    ) -> ListRequest:
        return ListRequest.parse(data, self.resource, max_results=max_results, row_limit=row_limit, now=call.now())

    def _read_all(self, request: ListRequest, client: QuickBooksClient, call: CallContext) -> Record:
        """Return every record as one result."""
        records: list[Record] = []
        last: dict[str, Any] = {}

        def take(rows: list[Any], today: date, metadata: Record, deletions: Record) -> bool:
            records.extend(rows)
            last.update(today=today, metadata=metadata, deletions=deletions)
            return True

        all(_read_pages(request, client, call, take))
        shaped: Record = self._shape(request, records, last["today"], "all")
        metadata = last["metadata"] | {"startPosition": 1} | self._dated(last["today"])
        deletions: Record = last["deletions"]
        return shaped | deletions | {"metadata": metadata}

    def _shape(self, request: ListRequest, records: list[Record], today: date, scope: str) -> Record:
        """Return the members of a result except its metadata; records keep the chosen fields and get flat ones."""
        flat = [self._read_flat(record, today) for record in records]
        summarize = self.resource.summarize
        summary = {} if summarize is None else {"summary": summarize(zip(records, flat, strict=True), scope)}
        fields = request.fields
        if fields is not None:
            records = [{key: value for key, value in record.items() if key in fields} for record in records]
        for record, values in zip(records, flat, strict=True):
            record.update(values)
        return {self.resource.rows_key: records, "count": len(records)} | summary

    def _dated(self, today: date) -> Record:
        """Return the company's date where a computed status depends on it."""
        return {"companyDate": today.isoformat()} if self.resource.status else {}


def _arrow() -> ModuleType:
    try:
        from vantage_quickbooks.sync import arrow  # noqa: PLC0415 -- pyarrow and msgspec are an extra
    except ModuleNotFoundError as error:
        raise InputError(f"Arrow needs {error.name}: run `pip install 'vantage-quickbooks[arrow]'`.") from None
    return arrow


def _refuse_changes(request: ListRequest, form: str) -> None:
    if request.mode == "changes":
        entry = FieldError(
            "sync_cursor", "together", f"{form} cannot represent deletions.", "Use the results format for changes."
        )
        raise InputError(f"{entry.message} {entry.hint}", [entry])


def _read_pages(
    request: ListRequest,
    client: QuickBooksClient,
    call: CallContext,
    make_page: Callable[..., R],
    *decoder: Any,
    record_of: Callable[[Any], Record] | None = None,
) -> Iterator[R]:
    from vantage_quickbooks.sync.list_read import read_pages  # noqa: PLC0415 -- it imports the HTTP client

    return read_pages(request, client, call, make_page, *decoder, record_of=record_of)
