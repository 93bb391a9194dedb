"""Decide how the changes of many entities are read with the fewest API calls. Pure.

Theory of operation
1. Change data capture (CDC) answers for any number of entities in one request, deletions included. It looks back 30
   days, has no pages and no upper bound, and returns at most 1,000 objects, which counts the whole answer: "A given
   CDC request returns a maximum of 1000 objects". Nothing in an answer says that it was cut. So an answer with 1,000
   objects makes every entity of the request suspect, although none of them has 1,000 alone.
2. Suspect entities are asked for again in two groups, balanced by the changes that were shown, or read in full,
   whichever costs fewer calls. An entity that alone fills an answer can only be read.
3. QuickBooks lists Ids by the same pages of 1,000 that hold whole records. So one full read answers both questions,
   what changed (by LastUpdatedTime) and what still exists, and never costs more than an incremental read and an Id
   listing.
4. A read reaches back `OVERLAP` before the last one began, by QuickBooks' own clock: a record may be stamped earlier
   than it becomes visible. What was already delivered is recognized by its Id, its SyncToken and a digest of its
   content: QuickBooks changes a customer's balance and LastUpdatedTime without a new SyncToken (recorded, 2020).
5. A request that QuickBooks rejects because of one of its entities (one that the company's plan does not have) is sent
   again without the entity that the fault names or, if it names none, in two halves. Only successful calls are metered,
   so among 29 entities one that is refused is found by five metered calls at most, where reading them all takes 29 or
   more. The refused entity is read, and asked for again, alone, after `REFUSAL_LIFETIME`.

Source: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/change-data-capture
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core.completeness import estimate_api_calls
from vantage_quickbooks.core.query import MAX_PAGE
from vantage_quickbooks.core.responses import MAX_CHANGES
from vantage_quickbooks.errors import UnexpectedResponseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "CAPTURE_WINDOW",
    "DELETED",
    "MAX_REJECTIONS",
    "OVERLAP",
    "REFUSAL_LIFETIME",
    "SMALL",
    "Changes",
    "Followup",
    "digest",
    "is_captured",
    "is_refused",
    "last_updated",
    "plan_rejected",
    "plan_suspects",
    "read_calls",
    "select_changes",
    "version_of",
]

OVERLAP = timedelta(seconds=60)
"""How far a read reaches back before the last one began.

A record may be stamped up to 1.2 seconds later than the answer that was sent before it (recorded); the rest is for
writes that take long to become visible. In CDC, looking back costs no call.
"""

CAPTURE_WINDOW = timedelta(days=29)
"""CDC reaches back 30 days; a day less leaves room for a clock that is wrong and for a retry."""

SMALL = 900
"""Records of an entity that is read as one page: a page holds 1,000, and it must not be full."""

REFUSAL_LIFETIME = timedelta(days=7)
"""How long CDC is not asked for an entity that it refused: the company's plan may change."""

MAX_REJECTIONS = 16
"""Requests of one sync that may be rejected while a refused entity is looked for; beyond, the rest is read."""

DELETED = "-"
"""The version of a record that was deleted."""


@dataclass(frozen=True, slots=True)
class Followup:
    """What to do about suspect entities.

    Attributes:
        ask: Groups of entities to ask CDC for again, one request each.
        read: Entities to read in full.
    """

    ask: tuple[tuple[str, ...], ...]
    read: tuple[str, ...]


def read_calls(size: int | None, page_size: int = MAX_PAGE) -> int:
    """Return the API calls that a full read of *size* records takes; the fewest possible if the size is unknown."""
    return estimate_api_calls(size or 0, page_size)


def is_captured(since: datetime, now: datetime) -> bool:
    """Return whether CDC still reaches back to *since*."""
    return now - since < CAPTURE_WINDOW


def plan_suspects(shown: Mapping[str, int], sizes: Mapping[str, int | None]) -> Followup | None:
    """Decide about an answer of CDC (rule 2).

    Args:
        shown: Objects in the answer by entity; every entity asked for is in it.
        sizes: Records of each entity, as far as known.

    Returns:
        None if the answer is complete.
    """
    if sum(shown.values()) < MAX_CHANGES:
        return None
    full = tuple(entity for entity, count in shown.items() if count >= MAX_CHANGES)
    rest = [entity for entity in shown if entity not in full]
    if full:
        return _cheaper((tuple(rest),) if rest else (), rest, full, sizes)
    if len(rest) == 1:
        return Followup((), tuple(rest))
    return _cheaper(_halves(rest, shown), rest, (), sizes)


def is_refused(refused_at: datetime | None, now: datetime) -> bool:
    """Return whether CDC refused an entity so recently that it is not asked for it; not if a clock was set back."""
    return refused_at is not None and timedelta() <= now - refused_at < REFUSAL_LIFETIME


def plan_rejected(group: Sequence[str], reason: str) -> Followup:
    """Decide about a request of CDC that was rejected (rule 5).

    Args:
        group: The entities asked for.
        reason: QuickBooks' explanation.

    Returns:
        The groups to ask for instead; in `read`, entities that CDC refuses.
    """
    named = tuple(entity for entity in group if re.search(rf"\b{entity}\b", reason, re.IGNORECASE))
    if len(group) == 1:
        return Followup((), tuple(group))
    if 0 < len(named) < len(group):
        return Followup((tuple(entity for entity in group if entity not in named),), named)
    half = len(group) // 2
    return Followup((tuple(group[:half]), tuple(group[half:])), ())


def _cheaper(
    groups: tuple[tuple[str, ...], ...], rest: Sequence[str], full: tuple[str, ...], sizes: Mapping[str, int | None]
) -> Followup:
    """Ask for the groups again if that may cost fewer calls than reading their entities, which cannot be cut again."""
    if len(groups) < sum(read_calls(sizes.get(entity)) for entity in rest):
        return Followup(groups, full)
    return Followup((), (*full, *rest))


def _halves(entities: Sequence[str], shown: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    """Divide entities into two groups with about the same number of changes; each has at least one entity."""
    halves: tuple[list[str], list[str]] = ([], [])
    sums = [0, 0]
    for entity in sorted(entities, key=lambda name: -shown[name]):
        # Entities that showed nothing may be what was cut: they count a little, so that both halves get some.
        index = 0 if sums[0] <= sums[1] else 1
        halves[index].append(entity)
        sums[index] += shown[entity] + 1
    return tuple(tuple(entity for entity in entities if entity in half) for half in halves)


@dataclass(slots=True)
class Changes:
    """What one answer says of an entity.

    Attributes:
        upserts: Records that were created or changed and not delivered before.
        deletions: `{"Id": ..., "deletedAt": ...}` of each record that was deleted.
        changed_later: Ids of records whose last change lies behind the upper bound: how they were within it is unknown.
        recent: Version by Id (see `version_of`) of what was changed within the overlap of the next read.
    """

    upserts: list[dict[str, Any]] = field(default_factory=list)
    deletions: list[dict[str, Any]] = field(default_factory=list)
    changed_later: list[str] = field(default_factory=list)
    recent: dict[str, str] = field(default_factory=dict)


def select_changes(
    records: Iterable[dict[str, Any]],
    *,
    since: datetime | None,
    until: datetime | None,
    next_since: datetime,
    seen: Mapping[str, str],
) -> Changes:
    """Choose the records that a consumer does not have yet.

    Args:
        records: Records, and tombstones of CDC (`"status": "Deleted"`).
        since: When the last read began; None delivers records of any age.
        until: The upper bound; None for no bound.
        next_since: Where the next read will begin.
        seen: Version by Id of what was delivered at the end of the last read.

    Raises:
        UnexpectedResponseError: A record has no Id, or its LastUpdatedTime is not a time.
    """
    changes = Changes()
    lower = None if since is None else since - OVERLAP
    recent_from = next_since - OVERLAP
    for record in records:
        id_, updated = record.get("Id"), last_updated(record)
        if not isinstance(id_, str) or not id_:
            raise UnexpectedResponseError("QuickBooks answered with a changed record that has no Id. Try again.")
        if until is not None and updated is not None and updated > until:
            changes.changed_later.append(id_)
            continue
        if lower is not None and updated is not None and updated < lower:
            continue
        is_deleted = record.get("status") == "Deleted"
        if updated is None or updated >= recent_from or id_ in seen:
            version = version_of(record)
            if updated is None or updated >= recent_from:
                changes.recent[id_] = version
            if seen.get(id_) == version:
                continue
        if is_deleted:
            at = (record.get("MetaData") or {}).get("LastUpdatedTime")
            changes.deletions.append({"Id": id_, "deletedAt": at})
        else:
            changes.upserts.append(record)
    return changes


def version_of(record: Mapping[str, Any]) -> str:
    """Return a short text that differs for any two states of a record, and for its deletion."""
    if record.get("status") == "Deleted":
        return DELETED
    content = json.dumps(record, sort_keys=True, default=str).encode()
    return f"{record.get('SyncToken')}:{hashlib.blake2b(content, digest_size=6).hexdigest()}"


def last_updated(record: Mapping[str, Any]) -> datetime | None:
    """Return a record's LastUpdatedTime; None if it has none.

    Raises:
        UnexpectedResponseError: It is not a time with an offset.
    """
    text = (record.get("MetaData") or {}).get("LastUpdatedTime")
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        at = None
    if at is None or at.tzinfo is None:
        raise UnexpectedResponseError(
            "QuickBooks answered with a record whose LastUpdatedTime is not a time.", details={"Id": record.get("Id")}
        )
    return at


def digest(records: Iterable[Mapping[str, Any]]) -> str:
    """Return a short text that is the same for the same records in the same versions, in any order."""
    versions = sorted(f"{record.get('Id')}\0{record.get('SyncToken')}" for record in records)
    return hashlib.sha256("\n".join(versions).encode()).hexdigest()[:16]
