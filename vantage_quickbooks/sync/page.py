"""Reads one page of an entity, and describes it: its position, and what may follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core import query
from vantage_quickbooks.core.endpoints import MINOR_VERSION
from vantage_quickbooks.core.responses import records_of
from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.errors import UnexpectedResponseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.core.query import Select
    from vantage_quickbooks.core.responses import Answer
    from vantage_quickbooks.sync.list_request import ListRequest

__all__ = [
    "Page",
    "company_date",
    "date_of",
    "metadata",
    "page_metadata",
    "page_of",
    "read_page",
    "read_requested_page",
]

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a query.

    Attributes:
        records: The records, as Intuit sent them; or what else the reader of the page made of them.
        start_position: Position of the first one.
        next_position: Where more may follow; None if this is the end.
        company_date: Today's date at the company when it answered.
    """

    records: list[Any]
    start_position: int
    next_position: int | None
    company_date: date


def read_page(client: QuickBooksClient, statement: Select, call: CallContext) -> Page:
    """Run *statement* and read its page.

    More may follow whenever the page has as many records as requested. Intuit's own counts do not help: `maxResults`
    is the number returned, and `totalCount` is returned for some entities only (recorded).

    Raises:
        UnexpectedResponseError: The answer is not a page of this entity; nothing of it is used.
        ConnectorError: See `QuickBooksClient.request`.
    """
    answer = client.query(statement, call)
    try:
        records = records_of(answer.body["QueryResponse"], statement.entity)
    except ValueError:
        raise UnexpectedResponseError(
            f"QuickBooks answered with neither a list of {statement.entity} records nor an empty page.",
            details={"intuitTid": answer.intuit_tid},
        ) from None
    return page_of(records, statement, company_date(answer, call))


def page_of(records: list[Any], statement: Select, today: date) -> Page:
    """Return the page that an answer to *statement* is.

    A live server once returned one record more than was asked for; it comes with the next page:
    https://github.com/mcohen01/node-quickbooks/issues/89
    """
    is_full = len(records) >= statement.max_results
    records = records[: statement.max_results]
    return Page(
        records=records,
        start_position=statement.start_position,
        next_position=statement.start_position + len(records) if is_full else None,
        company_date=today,
    )


def read_requested_page(
    client: QuickBooksClient,
    request: ListRequest,
    call: CallContext,
    read: Callable[[QuickBooksClient, Select, CallContext], Page] = read_page,
    record_of: Callable[[Any], Record] = lambda row: row,
) -> Page:
    """Read the page that a request asks for.

    QuickBooks cannot filter by a computed status. With one, it is asked for every record that may have it, and asked
    for more until the page is full or nothing is left: the first records of that status from the start position on.

    Raises:
        ConnectorError: See `read_page`.
    """
    page = read(client, request.statement(), call)
    if not request.needs_local_filter:
        return page
    return _fill_page(request, page, lambda statement: read(client, statement, call), record_of)


def _fill_page(
    request: ListRequest, page: Page, read: Callable[[Select], Page], record_of: Callable[[Any], Record]
) -> Page:
    """Keep the wanted records, and read on until there are as many as were asked for."""
    today, size = page.company_date, request.size
    found: list[Any] = []
    while True:
        for index, record in enumerate(page.records):
            if not request.is_wanted(record_of(record), today):
                continue
            found.append(record)
            if len(found) == request.size:
                is_last = index + 1 == len(page.records) and page.next_position is None
                following = None if is_last else page.start_position + index + 1
                return Page(found, request.start_position, following, today)
        if page.next_position is None:
            return Page(found, request.start_position, None, today)
        size = min(query.MAX_PAGE, size * 2)  # API calls are metered: the fewer the better
        page = read(request.statement().page(page.next_position, size))


def metadata(client: QuickBooksClient, call: CallContext, **more: Any) -> dict[str, Any]:
    """Return the metadata that every result carries, and *more*."""
    return {
        "realmId": client.settings.realm_id,
        "environment": client.settings.environment,
        "retrievedAt": iso(call.now()),
        "apiCalls": call.api_calls,
        "meteredCalls": call.metered_calls,
        "intuitTids": list(call.intuit_tids),
        "minorVersion": MINOR_VERSION,
        **more,
    }


def page_metadata(
    client: QuickBooksClient, call: CallContext, request: ListRequest, page: Page, **more: Any
) -> dict[str, Any]:
    """Return the metadata of a page: its position, its order, and what may follow."""
    return metadata(
        client,
        call,
        startPosition=request.start_position,
        maxResults=request.size,
        mayHaveMore=page.next_position is not None,
        nextStartPosition=page.next_position,
        orderBy=request.order_by,
        **more,
    )


def company_date(answer: Answer, call: CallContext) -> date:
    """Return today's date at the company: the answer's time stamp is in its own time zone (recorded)."""
    return date_of(answer.body, call)


def date_of(body: Record, call: CallContext) -> date:
    """Return the date of an answer's time stamp, or today's in UTC if it has none."""
    try:
        return datetime.fromisoformat(body["time"]).date()
    except (KeyError, TypeError, ValueError):
        return call.now().date()
