"""Reads pages of an entity, and says where a page stands and what may follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core import endpoints, responses
from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.errors import UnexpectedResponseError

if TYPE_CHECKING:
    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.core.query import Select

__all__ = ["Page", "metadata", "page_metadata", "project", "read_page"]

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a query.

    Attributes:
        records: The records, as Intuit sent them.
        start_position: Position of the first one.
        next_position: Where more may follow; None if this is the end.
        company_date: Today's date at the company when it answered.
    """

    records: list[Record]
    start_position: int
    next_position: int | None
    company_date: date


def read_page(client: QuickBooksClient, statement: Select, call: CallContext) -> Page:
    """Run *statement* and read its page.

    More may follow whenever the page is as full as was asked: Intuit's own counts are no help, `maxResults` is the
    number returned and `totalCount` comes for some entities only (recorded).

    Raises:
        UnexpectedResponseError: The answer is not a page of this entity; nothing of it is used.
        ConnectorError: See `QuickBooksClient.request`.
    """
    answer = client.query(statement, call)
    try:
        records = responses.records_of(answer.body["QueryResponse"], statement.entity)
    except ValueError:
        raise UnexpectedResponseError(
            f"QuickBooks answered with neither a list of {statement.entity} records nor an empty page.",
            details={"intuitTid": answer.intuit_tid},
        ) from None
    # A live server once returned one more than was asked (node-quickbooks, issue 89): it comes with the next page.
    full = len(records) >= statement.max_results
    records = records[: statement.max_results]
    return Page(
        records=records,
        start_position=statement.start_position,
        next_position=statement.start_position + len(records) if full else None,
        company_date=_company_date(answer.body.get("time"), call),
    )


def metadata(client: QuickBooksClient, call: CallContext, **more: Any) -> dict[str, Any]:
    """Return the metadata that every result carries, and *more*."""
    return {
        "realmId": client.settings.realm_id,
        "environment": client.settings.environment,
        "retrievedAt": iso(call.now()),
        "apiCalls": call.api_calls,
        "meteredCalls": call.metered_calls,
        "intuitTids": list(call.intuit_tids),
        "minorVersion": endpoints.MINOR_VERSION,
        **more,
    }


def page_metadata(
    client: QuickBooksClient, call: CallContext, statement: Select, page: Page, **more: Any
) -> dict[str, Any]:
    """Return the metadata of a page: where it stands, in what order, and what may follow."""
    return metadata(
        client,
        call,
        startPosition=statement.start_position,
        maxResults=statement.max_results,
        mayHaveMore=page.next_position is not None,
        nextStartPosition=page.next_position,
        orderBy=", ".join(statement.order_by) or None,
        **more,
    )


def project(record: Record, fields: list[str] | None) -> Record:
    """Keep the Id and the chosen top-level *fields* of a record that has them; all of it when none are chosen."""
    if fields is None:
        return record
    kept = {"Id", *fields}
    return {key: value for key, value in record.items() if key in kept}


def _company_date(time: Any, call: CallContext) -> date:
    """Read the company's date off the answer: its time stamp is in the company's own zone (recorded)."""
    try:
        return datetime.fromisoformat(time).date()
    except (TypeError, ValueError):
        return call.now().date()
