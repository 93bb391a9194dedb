"""What the list actions have in common when they read everything: pages, proof, cursors, and what changed since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core import query
from vantage_quickbooks.errors import ConnectorError, FieldError, InputError, UnexpectedResponseError
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.sync.full_read import Decoded, WholeRead

__all__ = ["Kind", "check", "estimate", "is_whole", "lines", "pages", "whole"]

UPDATED = "MetaData.LastUpdatedTime"

_OVERLAP = timedelta(seconds=5)
"""A record may be stamped a second later than the answer to the request that wrote it (recorded)."""

_CDC_WINDOW = timedelta(days=29)
_CDC_MOST = 1000
"""Change data capture reaches back 30 days and tells at most 1,000 objects (Intuit, "Change data capture")."""

_NOT_WITH_ALL = {"start_position", "order_by"}
_NO_CONDITIONS = {"all", "max_results", "fields", "max_api_calls", "cursor", "sync_cursor"}
_ONLY_WITH_ALL = {"cursor", "max_api_calls"}
_NO_SELECTION = {"active", "updated_since"}
"""Conditions under which all that changes later is what the next look for changes will tell."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one entity is read whole.

    Attributes:
        entity: Intuit's name.
        rows_key: Member of the result that holds the rows.
        tie_breaker: Property that orders records of the same second.
        conditions: Conditions that QuickBooks is asked for, from input and UTC date.
        mutable: Inputs whose conditions an edit can make a record begin or cease to meet.
        judges: Whether, for an input, some of what QuickBooks sends must be sorted out here.
        keeps: Whether a record is wanted, judged here; given input and the company's date.
        shape: Makes the result's members, but for metadata, of records.
    """

    entity: str
    rows_key: str
    tie_breaker: str
    conditions: Callable[[Mapping[str, Any], date], list[str]]
    mutable: frozenset[str]
    judges: Callable[[Mapping[str, Any]], bool]
    keeps: Callable[[Mapping[str, Any], Mapping[str, Any], date], bool]
    shape: Callable[[list[dict[str, Any]], Mapping[str, Any], date, str], dict[str, Any]]


def is_whole(data: Mapping[str, Any]) -> bool:
    """Tell whether an input asks for everything rather than for a page."""
    return bool(data.get("all")) or "sync_cursor" in data


def check(data: Mapping[str, Any], row_limit: int | None = None) -> None:
    """Refuse inputs that contradict each other, or the host's cap.

    Raises:
        InputError: With one entry for each input that is out of place.
    """
    if row_limit is not None and "sync_cursor" in data:
        raise _refused([("sync_cursor", "sync_cursor is not for previews.", "Call without a row limit.")])
    if "sync_cursor" in data:
        wrong, why = set(data) - _NO_CONDITIONS, "does not go with sync_cursor, which asks for whatever changed"
    elif data.get("all"):
        wrong, why = set(data) & _NOT_WITH_ALL, "does not go with all, which reads everything in the order of creation"
    else:
        wrong, why = set(data) & _ONLY_WITH_ALL, "goes with all only"
    if wrong:
        raise _refused([(name, f"{name} {why}.", "Leave one of the two out.") for name in sorted(wrong)])


def _refused(reasons: list[tuple[str, str, str]]) -> InputError:
    """Return the error for inputs that do not go together: each with what is wrong and what to do about it."""
    entries = [FieldError(name, "together", message, hint) for name, message, hint in reasons]
    return InputError(" ".join(f"{entry.message} {entry.hint}" for entry in entries), entries)


def whole(kind: Kind, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> dict[str, Any]:
    """Return everything as one result.

    Raises:
        IncompleteReadError: The read cannot be made whole, or needs more than `max_api_calls`.
        ConnectorError: See `QuickBooksClient.request`.
    """
    records: list[dict[str, Any]] = []
    members: dict[str, Any] = {}
    for fresh, told in _results(kind, client, data, call):
        records += fresh
        members = told
    return _shaped(kind, client, data, call, records, members | {"startPosition": 1, "scope": "all"})


def pages(kind: Kind, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> Iterator[dict[str, Any]]:
    """Yield everything page by page, each a result of the action's shape, fetched in parallel, in order.

    Raises:
        The same as `whole`; what was yielded before stays good, and its cursor goes on from there.
    """
    for records, members in _results(kind, client, data, call):
        result = _shaped(kind, client, data, call, records, members)
        del records  # one page in memory at a time, here and below
        yield result
        del result


def lines(
    kind: Kind, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext
) -> Iterator[tuple[bytes, Any]]:
    """Yield everything as newline-delimited JSON, each record in Intuit's very bytes, with the page's metadata.

    Raises:
        The same as `whole`.
    """
    try:
        from vantage_quickbooks.sync.ndjson import decode_raw  # noqa: PLC0415 -- msgspec is an extra
    except ModuleNotFoundError:
        raise InputError(
            "Newline-delimited JSON needs msgspec: run `pip install 'vantage-quickbooks[bulk]'`."
        ) from None

    if "sync_cursor" in data:
        why = "What changed comes with what is gone, for which newline-delimited JSON has no place."
        raise _refused([("sync_cursor", why, "Ask for results in place of lines.")])
    for rows, members in _results(kind, client, data, call, decode_raw):
        written = b"".join([part for row in rows for part in (row, b"\n")])
        yield written, _metadata(kind, client, data, call, members)


def estimate(kind: Kind, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> tuple[int, int]:
    """Return how many records QuickBooks would be asked for, and the API calls it takes; costs one.

    Raises:
        ConnectorError: See `QuickBooksClient.request`.
    """
    from vantage_quickbooks.core.completeness import estimate_api_calls  # noqa: PLC0415 -- with the reader: lazily

    check(data)
    total = client.count(query.Select(kind.entity, tuple(kind.conditions(data, call.now().date()))), call)
    return total, estimate_api_calls(total, _page_size(data))


def _shaped(  # noqa: PLR0917 -- what differs behind what is always the same
    kind: Kind,
    client: QuickBooksClient,
    data: Mapping[str, Any],
    call: CallContext,
    records: list[dict[str, Any]],
    members: dict[str, Any],
) -> dict[str, Any]:
    deletions = {key: members.pop(key) for key in ("deleted", "existingIds") if key in members}
    shaped = kind.shape(records, data, members["day"], members.pop("scope", "page"))
    return shaped | deletions | {"metadata": _metadata(kind, client, data, call, members)}


def _metadata(
    kind: Kind, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, members: dict[str, Any]
) -> dict[str, Any]:
    day = members.pop("day")
    more = {"companyDate": day.isoformat()} if kind.entity == "Invoice" else {}
    return metadata(
        client,
        call,
        maxResults=_page_size(data),
        mayHaveMore=not members["complete"],
        nextStartPosition=None,
        orderBy="MetaData.CreateTime",
        **members,
        **more,
    )


def _page_size(data: Mapping[str, Any]) -> int:
    size: int = data.get("max_results", query.MAX_PAGE)
    return max(2, size)


def _results(
    kind: Kind,
    client: QuickBooksClient,
    data: Mapping[str, Any],
    call: CallContext,
    decoder: Callable[[bytes, str], Decoded] | None = None,
) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Yield wanted records with the members of their page's metadata."""
    check(data)
    call.max_api_calls = data.get("max_api_calls")
    import orjson  # noqa: PLC0415 -- with the reader: lazily

    from vantage_quickbooks.sync.cursor import Scribe  # noqa: PLC0415 -- with the reader: lazily
    from vantage_quickbooks.sync.full_read import WholeRead, decode  # noqa: PLC0415 -- it imports the HTTP client

    conditions = {key: data[key] for key in sorted(set(data) - {"all", "max_results", "max_api_calls", "cursor"})}
    scribe = Scribe(client.settings, kind.entity, json.dumps(conditions, sort_keys=True))
    sync = Scribe(client.settings, kind.entity, "changes")
    since = sync.read(data["sync_cursor"], "sync_cursor") if "sync_cursor" in data else None
    where = kind.conditions(data, call.now().date())
    if since is not None:
        # With the kind's own conditions: customers must come whether they are active or not.
        where = [*kind.conditions({}, call.now().date()), query.compare(UPDATED, ">=", _earlier(since["started"]))]
    read = WholeRead(
        client,
        query.Select(kind.entity, tuple(where)),
        call,
        tie_breaker=kind.tie_breaker,
        is_immutable=since is None and not kind.mutable & set(data),
        size=_page_size(data),
        state=scribe.read(data["cursor"], "cursor") if "cursor" in data else None,
        decoder=decoder or decode,
    )
    known = {} if since is None else since["seen"]
    seen: dict[str, str] = {}
    position = read.scan.count + 1
    for batch in read:
        day = (read.started or call.now()).date()
        done = read.scan.count
        rows = batch.rows
        if decoder is None:
            _note_recent(rows, read, seen)
            if known:
                rows = [row for row in rows if known.get(row["Id"]) != row.get("SyncToken")]
        if since is None and kind.judges(data):
            rows = [
                row for row in rows if kind.keeps(row if decoder is None else orjson.loads(memoryview(row)), data, day)
            ]
        members = {
            "day": day,
            "startPosition": position,
            "complete": batch.is_last,
            "readCount": done,
            "expectedCount": read.counted,
            "totalCount": done if batch.is_last else None,
            "duplicatesRemoved": read.scan.duplicates,
            "reconciled": read.reconciled,
            "cursor": scribe.write(batch.cursor) if batch.cursor else None,
            "syncCursor": None,
        }
        if batch.is_last:
            if decoder is None and read.started and not set(data) - _NO_CONDITIONS - _NO_SELECTION:
                members["syncCursor"] = sync.write({"started": read.started.isoformat(), "seen": seen})
            if since is not None:
                members |= _deletions(kind, client, call, since["started"], _page_size(data))
        position += len(rows)
        if call.progress:
            call.progress(done, done if batch.is_last else read.counted)
        del batch
        yield rows, members
        del rows


def _note_recent(rows: list[dict[str, Any]], read: WholeRead, seen: dict[str, str]) -> None:
    """Remember what the next look for changes will see again, because it looks back a little further."""
    if read.started is None:
        return
    earliest = read.started - _OVERLAP
    day = (earliest - timedelta(days=1)).date().isoformat()  # nearly all are older by days: told apart as texts
    for row in rows:
        updated = row["MetaData"].get("LastUpdatedTime")
        try:
            if updated and updated >= day and datetime.fromisoformat(updated) >= earliest:
                seen[row["Id"]] = row.get("SyncToken", "")
        except (ValueError, TypeError):
            raise UnexpectedResponseError(
                "QuickBooks answered with a record whose LastUpdatedTime is not a time.",
                details={"Id": row["Id"]},
            ) from None


def _earlier(started: str) -> str:
    return (datetime.fromisoformat(started) - _OVERLAP).isoformat(timespec="seconds")


def _deletions(kind: Kind, client: QuickBooksClient, call: CallContext, started: str, size: int) -> dict[str, Any]:
    """Return what was deleted since, or, where change data capture cannot tell, the Ids of all there is."""
    if call.now() - datetime.fromisoformat(started) < _CDC_WINDOW:
        try:
            found = client.changes(kind.entity, _earlier(started), call)
            if len(found) < _CDC_MOST:
                gone = [record for record in found if record.get("status") == "Deleted"]
                return {
                    "deleted": [
                        {"Id": record["Id"], "deletedAt": (record.get("MetaData") or {}).get("LastUpdatedTime")}
                        for record in gone
                    ],
                    "deletions": "cdc",
                }
        except UnexpectedResponseError:
            pass  # damaged changes: what is left is listed
        except ConnectorError as error:
            if error.retryable:
                raise
    return {"existingIds": _existing(kind, client, call, size), "deletions": "idListing"}


def _existing(kind: Kind, client: QuickBooksClient, call: CallContext, size: int) -> list[str]:
    from vantage_quickbooks.sync.full_read import WholeRead  # noqa: PLC0415 -- it imports the HTTP client

    read = WholeRead(
        client,
        query.Select(kind.entity, tuple(kind.conditions({}, call.now().date()))),
        call,
        tie_breaker=kind.tie_breaker,
        is_immutable=True,
        size=size,
    )
    return [row["Id"] for batch in read for row in batch.rows]
