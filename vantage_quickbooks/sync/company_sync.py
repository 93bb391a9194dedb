"""Brings a copy of many entities of a company up to date, with as few API calls as possible.

`core.change_plan` has the rules. One request of change data capture (CDC) covers all entities that were read before;
what it cannot answer for is read in full. Each change set carries the state with which the next sync continues, so that
a consumer that stores it after applying the set loses nothing, whenever it is killed.

Facts of each way of reading:

- `cdc`: upserts and deletions.
- `fullRead`: all records, verified complete (`core.completeness`), page by page. The first time they are a snapshot.
  Later they are reconciled: only what changed is an upsert, and the last set has the Ids of all that exist. If that
  does not fit the limit of API calls, the entity is read as a snapshot from the next sync on, because only a snapshot
  can be continued. Not in the same sync: a consumer that applied the beginning of a snapshot, which discards what it
  has, and was killed before it stored the state, would go on with a state that knows of all its records.
- `onePage`: for entities with few records. One answer is one instant, so it has no gaps; QuickBooks' count proves that
  it holds everything. The count is not asked for where the page, newest records first, holds exactly the records and
  versions that were proven complete last time: a record that is missing from its end would be older than all others.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.contract import ChangeSet
from vantage_quickbooks.core import query
from vantage_quickbooks.core.change_plan import (
    MAX_REJECTIONS,
    OVERLAP,
    SMALL,
    Changes,
    Followup,
    digest,
    is_captured,
    is_refused,
    plan_rejected,
    plan_suspects,
    read_calls,
    select_changes,
)
from vantage_quickbooks.core.endpoints import MINOR_VERSION
from vantage_quickbooks.core.responses import answer_time, records_of
from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.errors import (
    AccessDeniedError,
    ConnectorError,
    FieldError,
    IncompleteReadError,
    InputError,
    QuickBooksUnavailableError,
    RequestRejectedError,
    UnexpectedResponseError,
)
from vantage_quickbooks.sync.full_read import CREATED, FullRead
from vantage_quickbooks.sync.sync_state import EntityState, StateSerializer, SyncState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.catalog.resource import Resource

    AddFlatFields = Callable[[Resource, list[dict[str, Any]], date], None]

__all__ = ["CompanySync", "estimate"]

_MAX_ATTEMPTS = 3

_MIN_CALLS_TO_SEARCH = 20
"""API calls that a limit must leave for looking for an entity that change data capture refuses."""

_PLAN_FAULTS = {"5020", "5030"}
"""Codes of what a company's plan does not have."""

PAGE_SIZE = query.MAX_PAGE
"""API calls are metered: the largest pages."""


class CompanySync:
    """One sync. Iterate it once.

    Args:
        client: Sends the requests.
        resources: The entities.
        state: The state of the last sync; changed as this one goes on.
        call: The call, with its limit of API calls; its time limit restarts with each entity and page.
        until: Upper bound: what changed later is left for the next sync.
        add_flat_fields: Adds the flat fields to records, given the company's date.

    Raises:
        InputError: The window ends before it begins, or in the future.
    """

    def __init__(
        self,
        client: QuickBooksClient,
        resources: Sequence[Resource],
        state: SyncState,
        call: CallContext,
        *,
        until: datetime | None = None,
        add_flat_fields: AddFlatFields,
    ) -> None:
        self._client = client
        self._resources = {resource.entity: resource for resource in resources}
        self._state = state
        self._call = call
        self._until = until
        self._add_flat_fields = add_flat_fields
        self._serializer = StateSerializer(client.settings)
        self._pending = dict.fromkeys(self._resources)
        self._has_progress = False
        self._reported_tids = 0
        _check_window(until, [state.of(entity) for entity in self._resources], call.now())

    def __iter__(self) -> Iterator[ChangeSet]:
        """Yield the change sets; the last one has nothing `pending` unless the limit of API calls was reached.

        Raises:
            IncompleteReadError: The limit of API calls is too low for any progress, or a read cannot be verified.
            ConnectorError: See `QuickBooksClient.request`. The state of the last set continues.
        """
        self._state.round += 1
        captured, reads = _divide(self._resources.values(), self._state, self._call.now())
        try:
            yield from self._capture(captured, reads)
            yield from self._read_all(reads)
        except IncompleteReadError:
            if not (self._call.is_exhausted() and self._has_progress):
                raise

    # ---- change data capture -----------------------------------------------------------------------------------------

    def _capture(self, asked: Sequence[Sequence[str]], reads: list[str]) -> Iterator[ChangeSet]:
        """Yield a set for each entity that CDC answers for, and add the others to *reads*."""
        groups = deque(tuple(group) for group in asked if group)
        rejections = 0
        while groups:
            group = groups.popleft()
            try:
                answer = self._ask(group)
            except (RequestRejectedError, AccessDeniedError, QuickBooksUnavailableError) as error:
                rejections += 1
                followup = self._plan_rejected(group, error)
                groups.extend(followup.ask)
                reads.extend(followup.read)
                if rejections == MAX_REJECTIONS:
                    reads.extend(entity for rest in groups for entity in rest)
                    return
                continue
            if answer is None:
                reads.extend(group)
                continue
            records, time = answer
            sizes = {entity: self._state.of(entity).size for entity in group}
            suspects = plan_suspects({entity: len(found) for entity, found in records.items()}, sizes)
            if suspects is not None:
                groups.extend(suspects.ask)
                reads.extend(suspects.read)
                continue
            for entity in group:
                yield self._captured(entity, records[entity], time)

    def _ask(self, group: Sequence[str]) -> tuple[dict[str, list[dict[str, Any]]], datetime] | None:
        """Ask CDC for a group; None if its answers are damaged."""
        since = min(known for entity in group if (known := self._state.of(entity).since) is not None) - OVERLAP
        for _ in range(2):
            self._call.restart_timeout()
            try:
                return self._client.captured(group, since.isoformat(timespec="seconds"), self._call)
            except UnexpectedResponseError:
                continue  # damaged once: ask once more
        return None

    def _plan_rejected(
        self,
        group: Sequence[str],
        error: RequestRejectedError | AccessDeniedError | QuickBooksUnavailableError,
    ) -> Followup:
        """Return what to do about a rejected request.

        Raises:
            ConnectorError: It is not about the entities.
        """
        is_about_plan = error.details.get("faultCode") in _PLAN_FAULTS
        if isinstance(error, AccessDeniedError) and not is_about_plan:
            raise error
        if isinstance(error, QuickBooksUnavailableError) and error.retryable:
            raise error
        left = None if self._call.max_api_calls is None else self._call.max_api_calls - self._call.api_calls
        may_search = left is None or left >= _MIN_CALLS_TO_SEARCH
        # "Operation cdc with changedSince date ... which is older than fixed days": too long ago by QuickBooks' clock.
        if "changedSince" in error.message or not (may_search or len(group) == 1):
            return Followup((), tuple(group))
        followup = plan_rejected(group, error.message)
        for entity in followup.read:
            self._state.entities[entity] = replace(self._state.of(entity), refused_at=self._call.now())
        return followup

    def _captured(self, entity: str, records: list[dict[str, Any]], time: datetime) -> ChangeSet:
        known, next_since = self._state.of(entity), self._next_since(time)
        changes = select_changes(records, since=known.since, until=self._until, next_since=next_since, seen=known.seen)
        size = None if known.size is None else max(0, known.size + _growth(changes, known.since))
        changed = bool(changes.upserts or changes.deletions)
        self._state.entities[entity] = replace(
            known,
            since=next_since,
            size=size,
            seen=changes.recent,
            digest=None if changed else known.digest,
            refused_at=None,
        )
        return self._make(entity, changes, time, source="cdc", is_last=True)

    # ---- reads -------------------------------------------------------------------------------------------------------

    def _read_all(self, reads: list[str]) -> Iterator[ChangeSet]:
        """Read entities: those first that have waited longest, of these the ones that take the fewest calls."""
        order = list(self._resources)
        reads.sort(key=lambda name: (self._state.of(name).served, self._calls(name), order.index(name)))
        for entity in [name for name in reads if self._never_fits(name)]:
            reads.remove(entity)
            yield self._restart(entity)
        for index, entity in enumerate(reads):
            left = None if self._call.max_api_calls is None else self._call.max_api_calls - self._call.api_calls
            if left is not None and left < min(2, self._calls(entity)):
                if self._has_progress:
                    return
                raise IncompleteReadError(
                    f"A sync that reads {entity} takes at least {min(2, self._calls(entity))} API calls, and {left} "
                    f"{'is' if left == 1 else 'are'} left. Raise max_api_calls.",
                    retryable=False,
                    details={"maxApiCalls": self._call.max_api_calls},
                )
            if left is not None and left < self._calls(entity) and self._is_reconciled(entity):
                if index == 0:  # nothing was spent on other reads: it would not fit the next time either
                    yield self._restart(entity)
                continue
            cancelled = self._call.cancelled
            yield from self._read(self._resources[entity], is_first=index == 0)
            self._call.cancelled = cancelled  # a read that was given up has cancelled its requests

    def _is_reconciled(self, entity: str) -> bool:
        known = self._state.of(entity)
        return known.since is not None and not _is_small(self._resources[entity], known)

    def _never_fits(self, entity: str) -> bool:
        """Return whether an entity cannot be reconciled within the limit of API calls by this sync or any other."""
        limit = self._call.max_api_calls
        return limit is not None and self._is_reconciled(entity) and self._calls(entity) >= limit

    def _restart(self, entity: str) -> ChangeSet:
        """Return a set without changes after which the entity is read as a snapshot."""
        known = self._state.of(entity)
        self._state.entities[entity] = EntityState(size=known.size, served=known.served, refused_at=known.refused_at)
        return self._make(entity, Changes(), self._call.now(), source="none", is_last=False)

    def _calls(self, entity: str) -> int:
        return _calls(self._resources[entity], self._state.of(entity))

    def _read(self, resource: Resource, *, is_first: bool) -> Iterator[ChangeSet]:
        """Read one entity. A failure that concerns this entity alone is reported in a set, and the others go on.

        So is a limit of API calls that is too low for the next step of the first read of a sync: the next syncs would
        not complete it either.
        """
        position = self._state.of(resource.entity).cursor
        self._call.restart_timeout()
        try:
            if _is_small(resource, self._state.of(resource.entity)):
                yield from self._read_one_page(resource, is_first_read=is_first)
            else:
                yield from self._read_in_full(resource, is_first_read=is_first)
        except (RequestRejectedError, AccessDeniedError, IncompleteReadError, UnexpectedResponseError) as error:
            if isinstance(error, IncompleteReadError) and self._call.is_exhausted():
                has_moved = self._state.of(resource.entity).cursor != position
                if has_moved or not is_first or not self._has_progress:
                    raise
                yield self._failed(resource, error.without_traceback(), is_pending=True)
                return
            if not self._call.metered_calls:  # nothing worked: the connection itself may be refused
                raise
            yield self._failed(resource, error.without_traceback())

    def _read_one_page(self, resource: Resource, *, is_first_read: bool) -> Iterator[ChangeSet]:
        """Read an entity with few records as one page."""
        known = self._state.of(resource.entity)
        order = (f"{CREATED} DESC",) if resource.has_creation_order else ()
        statement = query.Select(resource.entity, _all_records(resource), order, max_results=PAGE_SIZE)
        for _ in range(_MAX_ATTEMPTS):
            records, time = self._page(statement)
            if len(records) >= PAGE_SIZE:
                break
            version = digest(records) if resource.has_creation_order else None
            if (version is not None and version == known.digest) or (
                self._client.count(statement, self._call) == len(records)
            ):
                yield self._one_page(resource, records, time, version)
                return
        if resource.has_creation_order:
            yield from self._read_in_full(resource, is_first_read=is_first_read)
            return
        raise IncompleteReadError(
            f"{resource.entity} cannot be synced: QuickBooks cannot sort it by creation time, so only a single page of "
            f"fewer than {PAGE_SIZE} records can be verified complete, and this company has more or they keep "
            f"changing. Leave {resource.entity} out of the sync; {resource.list_id} reads its pages unverified.",
            retryable=False,
            details={"entity": resource.entity},
        )

    def _page(self, statement: query.Select) -> tuple[list[dict[str, Any]], datetime]:
        answer = self._client.query(statement, self._call)
        try:
            return records_of(answer.body["QueryResponse"], statement.entity), answer_time(answer)
        except ValueError:
            raise UnexpectedResponseError(
                f"QuickBooks answered with neither a list of {statement.entity} records nor an empty page.",
                details={"intuitTid": answer.intuit_tid},
            ) from None

    def _one_page(
        self, resource: Resource, records: list[dict[str, Any]], time: datetime, version: str | None
    ) -> ChangeSet:
        known, next_since = self._state.of(resource.entity), self._next_since(time)
        self._state.entities[resource.entity] = EntityState(
            since=next_since,
            size=len(records),
            served=self._state.round,
            digest=version,
            refused_at=known.refused_at,
        )
        if not resource.has_creation_order:  # its records may have no Id to compare
            return self._make(
                resource.entity, Changes(upserts=records), time, source="onePage", is_last=True, is_first=True
            )
        changes = select_changes(records, since=known.since, until=self._until, next_since=next_since, seen=known.seen)
        self._state.entities[resource.entity] = replace(self._state.of(resource.entity), seen=changes.recent)
        ids = [record["Id"] for record in records]
        return self._make(resource.entity, changes, time, source="onePage", is_last=True, existing_ids=ids)

    def _read_in_full(self, resource: Resource, *, is_first_read: bool) -> Iterator[ChangeSet]:
        known = self._state.of(resource.entity)
        read = FullRead(
            self._client,
            query.Select(resource.entity, _all_records(resource)),
            self._call,
            tie_breaker=resource.tie_breaker,
            is_immutable=True,
            has_cdc=resource.has_cdc,
            size=PAGE_SIZE,
            state=known.cursor,
            stops_at_limit=True,
            expected=known.size,
        )
        is_snapshot, is_first = known.since is None, known.cursor is None
        recent: dict[str, str] = dict(known.seen) if known.cursor else {}
        existing: list[str] = []
        has_moved = False
        with contextlib.closing(iter(read)) as batches:
            for batch in batches:
                has_moved = True
                time = read.started or self._call.now()
                if not is_snapshot and not read.fits:
                    self._state.entities[resource.entity] = replace(known, size=read.counted)
                    if is_first_read or self._never_fits(resource.entity):
                        yield self._restart(resource.entity)
                    break
                next_since = self._next_since(time)
                changes = select_changes(
                    batch.rows,
                    since=None if is_snapshot else known.since,
                    until=self._until,
                    next_since=next_since,
                    seen={} if is_snapshot else known.seen,
                )
                recent |= changes.recent
                existing += () if is_snapshot else (row["Id"] for row in batch.rows)
                if batch.is_last:
                    version = digest(batch.rows) if is_first and len(batch.rows) < SMALL else None
                    self._state.entities[resource.entity] = EntityState(
                        next_since,
                        read.state.count,
                        self._state.round,
                        recent,
                        digest=version,
                        refused_at=known.refused_at,
                    )
                elif is_snapshot:
                    size = known.size if read.counted is None else read.counted
                    self._keep_position(resource.entity, batch.cursor, size, recent)
                elif not changes.upserts and not changes.changed_later:
                    continue
                yield self._make(
                    resource.entity,
                    changes,
                    time,
                    source="fullRead",
                    is_last=batch.is_last,
                    is_first=is_first if is_snapshot else None,
                    existing_ids=existing if batch.is_last and not is_snapshot else None,
                    readCount=read.state.count,
                    expectedCount=read.counted,
                )
                is_first = False
                del batch, changes  # one page in memory at a time
        if read.is_interrupted and not has_moved:  # all that fit the limit repeats what is known
            raise self._call.exhausted_error()

    def _keep_position(
        self, entity: str, cursor: dict[str, Any] | None, size: int | None, recent: dict[str, str]
    ) -> None:
        """Keep where a snapshot continues, unless that would make the state too large: then at the position before."""
        before = self._state.of(entity)
        kept = EntityState(None, size, self._state.round, recent, cursor, refused_at=before.refused_at)
        self._state.entities[entity] = kept
        if not self._serializer.fits(self._state):
            self._state.entities[entity] = replace(kept, seen={}, cursor=before.cursor)

    # ---- change sets -------------------------------------------------------------------------------------------------

    def _next_since(self, time: datetime) -> datetime:
        return time if self._until is None else min(time, self._until)

    def _make(
        self,
        entity: str,
        changes: Changes,
        time: datetime,
        *,
        source: str,
        is_last: bool,
        is_first: bool | None = None,
        existing_ids: list[str] | None = None,
        **members: Any,
    ) -> ChangeSet:
        """Return a set; *is_first* is None unless it is part of a snapshot."""
        resource = self._resources[entity]
        self._add_flat_fields(resource, changes.upserts, time.date())
        if is_last:
            self._pending.pop(entity, None)
        self._has_progress = True
        return ChangeSet(
            entity=entity,
            mode="changes" if is_first is None else "snapshot",
            upserts=changes.upserts,
            deletions=changes.deletions,
            existing_ids=existing_ids,
            changed_later=changes.changed_later,
            is_first=bool(is_first),
            is_last=is_last,
            primary_key=_primary_key(resource),
            state=self._serializer.dumps(self._state),
            metadata=self._metadata(entity, source, **members),
        )

    def _failed(self, resource: Resource, error: ConnectorError, *, is_pending: bool = False) -> ChangeSet:
        if not is_pending:
            self._pending.pop(resource.entity, None)
        known = self._state.of(resource.entity)
        # A read that could not be verified starts anew; otherwise it would fail by the same records again.
        cursor = known.cursor if is_pending or not isinstance(error, IncompleteReadError) else None
        self._state.entities[resource.entity] = replace(known, served=self._state.round, cursor=cursor)
        return ChangeSet(
            entity=resource.entity,
            mode="changes",
            upserts=[],
            deletions=[],
            existing_ids=None,
            changed_later=[],
            is_first=False,
            is_last=False,
            primary_key=_primary_key(resource),
            state=self._serializer.dumps(self._state),
            metadata=self._metadata(resource.entity, "none"),
            error=error.to_dict(),
        )

    def _metadata(self, entity: str, source: str, **members: Any) -> dict[str, Any]:
        tids = self._call.intuit_tids
        first, self._reported_tids = self._reported_tids, len(tids)
        return {
            "realmId": self._client.settings.realm_id,
            "environment": self._client.settings.environment,
            "retrievedAt": iso(self._call.now()),
            "source": source,
            "pending": list(self._pending),
            "totalCount": self._state.of(entity).size,
            "apiCalls": self._call.api_calls,
            "meteredCalls": self._call.metered_calls,
            "intuitTids": tids[first:],
            "minorVersion": MINOR_VERSION,
            **members,
        }


def estimate(
    client: QuickBooksClient, resources: Sequence[Resource], state: SyncState, call: CallContext, *, count: bool
) -> dict[str, Any]:
    """Return the API calls that a sync takes if little has changed: what changed is not known beforehand.

    Args:
        client: Counts entities of unknown size.
        resources: The entities.
        state: The state of the last sync.
        call: The call.
        count: Whether to count entities of unknown size, at one API call each. Otherwise they are taken for small.

    Returns:
        `apiCalls` of the sync; `apiCallsSpent` by this estimate; `entities`, each with `entity`, `source`, `records`
        (None if unknown) and `apiCalls` (CDC: 0, its request is counted once).

    Raises:
        ConnectorError: See `QuickBooksClient.request`.
    """
    captured, reads = _divide(resources, state, call.now())
    rows: list[dict[str, Any]] = [
        {"entity": name, "source": "cdc", "records": state.of(name).size, "apiCalls": 0}
        for group in captured
        for name in group
    ]
    for resource in (resource for resource in resources if resource.entity in reads):
        known = state.of(resource.entity)
        if known.size is None and count:
            call.restart_timeout()
            counted = client.count(query.Select(resource.entity, _all_records(resource)), call)
            known = replace(known, size=counted)
        source = "onePage" if _is_small(resource, known) else "fullRead"
        rows.append({
            "entity": resource.entity, "source": source, "records": known.size, "apiCalls": _calls(resource, known)
        })  # fmt: skip
    return {
        "apiCalls": sum(row["apiCalls"] for row in rows) + len(captured),
        "apiCallsSpent": call.api_calls,
        "entities": rows,
    }


def _divide(resources: Iterable[Resource], state: SyncState, now: datetime) -> tuple[list[list[str]], list[str]]:
    """Divide entities into groups to ask CDC for, and those to read.

    Entities that CDC refused are a group of their own, so that the others are answered if it refuses them again.
    """
    captured: list[str] = []
    refused: list[str] = []
    reads: list[str] = []
    for resource in resources:
        known = state.of(resource.entity)
        is_asked = known.since is not None and resource.has_cdc and resource.has_creation_order
        if (
            not is_asked
            or known.since is None
            or not is_captured(known.since, now)
            or is_refused(known.refused_at, now)
        ):
            reads.append(resource.entity)
        else:
            (captured if known.refused_at is None else refused).append(resource.entity)
    return [group for group in (captured, refused) if group], reads


def _is_small(resource: Resource, known: EntityState) -> bool:
    """Return whether an entity is read as one page: always where only that can be verified."""
    if not resource.has_creation_order:
        return True
    return known.since is not None and known.size is not None and known.size <= SMALL


def _calls(resource: Resource, known: EntityState) -> int:
    """Return the API calls that reading an entity takes, as far as its size is known."""
    if known.cursor is not None:
        done = int(known.cursor.get("count", 0))
        return 1 + max(0, (known.size or 0) - done) // (PAGE_SIZE - 1)
    if _is_small(resource, known):
        return 1 if known.digest else 2
    return read_calls(known.size, PAGE_SIZE)


def _growth(changes: Changes, since: datetime | None) -> int:
    """Return by how many records an entity has grown, as far as CDC says."""
    created = 0 if since is None else sum(_was_created(record, since) for record in changes.upserts)
    return created - len(changes.deletions)


def _was_created(record: Mapping[str, Any], since: datetime) -> bool:
    try:
        return datetime.fromisoformat(record["MetaData"]["CreateTime"]) >= since
    except (KeyError, TypeError, ValueError):
        return False  # the size is an estimate


def _all_records(resource: Resource) -> tuple[str, ...]:
    """Return the condition for all records, inactive ones included."""
    return (query.whether("Active", True, False),) if resource.has_active else ()


def _primary_key(resource: Resource) -> tuple[str, ...]:
    prefix = "*." if resource.template_key else ""
    return tuple(f"{prefix}{name}" for name in resource.primary_key)


def _check_window(until: datetime | None, known: list[EntityState], now: datetime) -> None:
    if until is None:
        return
    if until > now:
        raise _window_error("It lies in the future.", "Choose an instant that has passed.")
    if any(entity.since is not None and entity.since > until + OVERLAP for entity in known):
        raise _window_error(
            "It lies before the instant up to which the state is synced.", "Choose a later one, or an older state."
        )


def _window_error(message: str, hint: str) -> InputError:
    return InputError(f"until: {message} {hint}", [FieldError("until", "range", message, hint)])
