"""What changed since an earlier read: created, updated and deleted records."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core import query
from vantage_quickbooks.core.change_plan import version_of
from vantage_quickbooks.core.responses import MAX_CHANGES
from vantage_quickbooks.errors import ConnectorError, UnexpectedResponseError
from vantage_quickbooks.sync.full_read import FullRead

if TYPE_CHECKING:
    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.sync.list_request import ListRequest

__all__ = ["RecentChanges", "changed_condition", "deletions_are_captured", "read_deletions"]

UPDATED = "MetaData.LastUpdatedTime"

_OVERLAP = timedelta(seconds=5)
"""A record may be stamped a second later than the answer to the request that wrote it (recorded)."""

_CDC_WINDOW = timedelta(days=29)
"""Change data capture reaches back 30 days:
https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/change-data-capture"""


def _overlap_start(started: datetime) -> datetime:
    """Return the instant from which changes are requested again, in whole seconds as records are stamped."""
    return started.replace(microsecond=0) - _OVERLAP


def _overlapped(started: str) -> str:
    return _overlap_start(datetime.fromisoformat(started)).isoformat()


def changed_condition(started: str) -> str:
    """Return the condition for records changed since a read that began at *started*, an ISO 8601 instant."""
    return query.compare(UPDATED, ">=", _overlapped(started))


class RecentChanges:
    """Versions of the records that changed just before a read began: the next change read sees them again.

    Attributes:
        seen: Version by Id, see `core.change_plan.version_of`.
    """

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}

    def note(self, rows: list[dict[str, Any]], started: datetime | None) -> None:
        """Remember the rows that changed within the overlap before *started*.

        Raises:
            UnexpectedResponseError: A record's LastUpdatedTime is not a time.
        """
        if started is None:
            return
        earliest = _overlap_start(started)
        day = (earliest - timedelta(days=1)).date().isoformat()  # almost all are days older: compared as text
        for row in rows:
            updated = row["MetaData"].get("LastUpdatedTime")
            try:
                if updated and updated >= day and datetime.fromisoformat(updated) >= earliest:
                    self.seen[row["Id"]] = version_of(row)
            except (ValueError, TypeError):
                raise UnexpectedResponseError(
                    "QuickBooks answered with a record whose LastUpdatedTime is not a time.",
                    details={"Id": row["Id"]},
                ) from None


def read_deletions(
    client: QuickBooksClient, request: ListRequest, call: CallContext, started: str, changed: int
) -> tuple[dict[str, Any], str]:
    """Read what was deleted since a read that began at *started*.

    Args:
        client: Sends the requests.
        request: The request for changes.
        call: The call.
        started: When the earlier read began, an ISO 8601 instant.
        changed: Records changed since then. Change data capture would contain them too: with `MAX_CHANGES` of them it
            may be cut, so it is not asked.

    Returns:
        The members of the result, and how they were learned: `deleted` by change data capture (`cdc`), or, where that
        cannot say, `existingIds`, the Ids of all records (`idListing`).

    Raises:
        ConnectorError: See `QuickBooksClient.request`.
    """
    resource = request.resource
    if deletions_are_captured(resource, call.now(), started, changed):
        try:
            found = client.changes([resource.entity], _overlapped(started), call)[resource.entity]
            if len(found) < MAX_CHANGES:
                return {"deleted": [_tombstone(row) for row in found if row.get("status") == "Deleted"]}, "cdc"
        except UnexpectedResponseError:
            pass  # damaged changes: list the Ids
        except ConnectorError as error:
            if error.retryable:
                raise
    return {"existingIds": _existing_ids(client, resource, request, call)}, "idListing"


def deletions_are_captured(resource: Resource, now: datetime, started: str, changed: int) -> bool:
    """Return whether change data capture may report what was deleted; the arguments are those of `read_deletions`."""
    return resource.has_cdc and changed < MAX_CHANGES and now - datetime.fromisoformat(started) < _CDC_WINDOW


def _tombstone(record: dict[str, Any]) -> dict[str, Any]:
    return {"Id": record["Id"], "deletedAt": (record.get("MetaData") or {}).get("LastUpdatedTime")}


def _existing_ids(client: QuickBooksClient, resource: Resource, request: ListRequest, call: CallContext) -> list[str]:
    read = FullRead(
        client,
        query.Select(resource.entity, request.conditions),
        call,
        tie_breaker=resource.tie_breaker,
        is_immutable=True,
        has_cdc=resource.has_cdc,
        size=request.size,
    )
    ids: list[str] = []
    for batch in read:
        ids += [row["Id"] for row in batch.rows]
        del batch  # one page in memory at a time
    return ids
