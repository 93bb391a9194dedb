"""A full read or a change read in progress: one transform turns each batch of records into a page of results."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from vantage_quickbooks.core import query
from vantage_quickbooks.core.change_plan import version_of
from vantage_quickbooks.core.completeness import estimate_api_calls
from vantage_quickbooks.sync.changes import (
    RecentChanges,
    changed_condition,
    deletions_are_captured,
    read_deletions,
)
from vantage_quickbooks.sync.cursor import CursorSerializer
from vantage_quickbooks.sync.full_read import Batch, FullRead, decode
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.sync.full_read import Decoded
    from vantage_quickbooks.sync.list_request import ListRequest

__all__ = ["estimate_changes", "read_pages"]

R = TypeVar("R")


def read_pages(
    request: ListRequest,
    client: QuickBooksClient,
    call: CallContext,
    make_page: Callable[[list[Any], date, dict[str, Any], dict[str, Any]], R],
    decoder: Callable[[bytes, str], Decoded] = decode,
    *,
    record_of: Callable[[Any], dict[str, Any]] | None = None,
) -> Iterator[R]:
    """Read every record that a request asks for, page by page, fetched in parallel, in the order of creation.

    Args:
        request: A request of mode `full` or `changes`.
        client: Sends the requests.
        call: The call; it takes the request's limit of API calls.
        make_page: Makes a page of its rows, the company's date, the page's metadata, and what was deleted
            (`deleted` or `existingIds`, on the last page of a change read).
        decoder: Makes rows of an answer: dicts, or something else.
        record_of: Returns the record of a row that another decoder made.

    Raises:
        IncompleteReadError: The read cannot be completed, or does not fit its limit of API calls.
        ConnectorError: See `QuickBooksClient.request`. The pages before it are complete, and the cursor of the last one
            continues from there.
    """
    call.max_api_calls = request.max_api_calls
    transform = _PageTransform(request, client, call, make_page, None if decoder is decode else record_of)
    return _iter_closing(transform, transform.start(decoder))


def estimate_changes(request: ListRequest, client: QuickBooksClient, call: CallContext) -> dict[str, Any]:
    """Return how many records changed since `sync_cursor`, and the API calls that reading them takes.

    Raises:
        InputError: The cursor is not valid.
        ConnectorError: See `QuickBooksClient.request`.
    """
    resource, all_records = request.resource, query.Select(request.resource.entity, request.conditions)
    cursors = CursorSerializer(client.settings, resource.entity, "changes")
    started = cursors.loads(request.sync_cursor or "", "sync_cursor")["started"]
    changed = client.count(all_records.also(changed_condition(started)), call)
    if deletions_are_captured(resource, call.now(), started, changed):
        deletion_calls = 1
    else:
        deletion_calls = estimate_api_calls(client.count(all_records, call), request.size)
    return {"totalCount": changed, "apiCalls": estimate_api_calls(changed, request.size) + deletion_calls}


def _iter_closing(transform: Callable[[Batch], R], read: FullRead) -> Iterator[R]:
    """Transform each batch; stop the read as soon as one fails or the caller stops."""
    with contextlib.closing(iter(read)) as batches:
        # A map holds no page while it waits, unlike a generator's local variables: one page is in memory at a time.
        yield from map(transform, batches)


class _PageTransform:
    """Filters a batch, describes it in metadata, and hands both to the page maker."""

    def __init__(
        self,
        request: ListRequest,
        client: QuickBooksClient,
        call: CallContext,
        make_page: Callable[[list[Any], date, dict[str, Any], dict[str, Any]], Any],
        record_of: Callable[[Any], dict[str, Any]] | None,
    ) -> None:
        entity = request.resource.entity
        self._request = request
        self._client = client
        self._call = call
        self._make_page = make_page
        self._record_of = record_of  # None: the rows are the records
        self._cursors = CursorSerializer(client.settings, entity, request.selection)
        self._sync_cursors = CursorSerializer(client.settings, entity, "changes")
        self._since = (
            None if request.sync_cursor is None else self._sync_cursors.loads(request.sync_cursor, "sync_cursor")
        )
        self._recent = RecentChanges()

    def start(self, decoder: Callable[[bytes, str], Decoded]) -> FullRead:
        """Prepare the read; nothing is sent until it is iterated."""
        request, since = self._request, self._since
        further = () if since is None else (changed_condition(since["started"]),)
        self._read = FullRead(
            self._client,
            query.Select(request.resource.entity, (*request.conditions, *further)),
            self._call,
            tie_breaker=request.resource.tie_breaker,
            is_immutable=not request.has_mutable_filters,
            has_cdc=request.resource.has_cdc,
            size=request.size,
            state=None if request.cursor is None else self._cursors.loads(request.cursor, "cursor"),
            decoder=decoder,
        )
        self._position = self._read.state.count + 1
        return self._read

    def __call__(self, batch: Batch) -> Any:
        read = self._read
        today = (read.started or self._call.now()).date()
        rows = self._wanted(batch.rows, today)
        members = self._members(batch)
        deletions: dict[str, Any] = {}
        if batch.is_last and self._since is not None:
            deletions, members["deletions"] = read_deletions(
                self._client, self._request, self._call, self._since["started"], read.state.count
            )
        self._position += len(rows)
        if self._call.progress:
            done = read.state.count
            self._call.progress(done, done if batch.is_last else read.counted)
        # The calls of the page are counted last: finding deletions costs some.
        return self._make_page(rows, today, metadata(self._client, self._call, **members), deletions)

    def _wanted(self, rows: list[Any], today: date) -> list[Any]:
        request = self._request
        record_of = self._record_of
        if record_of is None:
            self._recent.note(rows, self._read.started)
            if self._since is not None:
                known = self._since["seen"]
                return [row for row in rows if row["Id"] not in known or known[row["Id"]] != version_of(row)]
        if not request.needs_local_filter:
            return rows
        if record_of is None:
            return [row for row in rows if request.is_wanted(row, today)]
        return [row for row in rows if request.is_wanted(record_of(row), today)]

    def _members(self, batch: Batch) -> dict[str, Any]:
        """Return the metadata of a page, beside what every result carries."""
        read, done = self._read, self._read.state.count
        return {
            "maxResults": self._request.size,
            "mayHaveMore": not batch.is_last,
            "nextStartPosition": None,
            "orderBy": "MetaData.CreateTime",
            "startPosition": self._position,
            "complete": batch.is_last,
            "readCount": done,
            "expectedCount": read.counted,
            "totalCount": done if batch.is_last else None,
            "duplicatesRemoved": read.state.duplicates,
            "reconciled": read.reconciled,
            "cursor": self._cursors.dumps(batch.cursor) if batch.cursor else None,
            "syncCursor": self._sync_cursor() if batch.is_last else None,
        }

    def _sync_cursor(self) -> str | None:
        if self._record_of is not None or self._read.started is None or not self._request.may_sync:
            return None
        return self._sync_cursors.dumps({"started": self._read.started.isoformat(), "seen": self._recent.seen})
