"""Prove that a full read of an entity is complete although the company is edited during the read.

Pure: sort keys and counts in, decisions out. `sync.full_read` sends the requests.

Theory of operation
1. Order. Records are read in ascending order of `MetaData.CreateTime`, which no edit changes. A second property, where
   the entity has one, orders records of the same second. It saves requests, and nothing below depends on it: records of
   the same second may change places from one response to the next. `Id` can be neither sorted nor range-compared since
   November 2025 (https://github.com/sahat/hackathon-starter/issues/1510 quotes Intuit's notice).
2. Overlap. Consecutive pages overlap by one record. If page n+1 begins with the last record of page n, no record of
   another second was lost between the two responses. If not, records before that position were deleted, or records of
   the same second changed places: the reader requests all records created from the end of page n to the beginning of
   page n+1, both inclusive, and so closes the gap.
3. Snapshots. One response is a snapshot: no record is missing between two creation times that it contains. A page
   that was fetched in several parts is not a snapshot, so the creation times at which the parts meet are boundary
   times, like the creation times at which pages end.
4. Short pages. A page with fewer records than requested is the last one only if QuickBooks' count agrees, because a
   server that returns less than requested looks the same. If the count is higher, the reader continues after the last
   record until a response contains no new record. If the count is still higher, it reads the last second by position,
   which fails unless all counted records of that second are received. A full last page is always followed by another
   request.
5. Verification by count. After the first page, QuickBooks counts the records created before the snapshot time, which
   is the second in which the read started. The read is verified if
   a. as many of the received records were created before the snapshot time as were counted,
   b. no gap was found, no record arrived twice, and no page ended at or after the snapshot time, and
   c. the conditions do not depend on anything that an edit changes, so the counted set can only lose records.
   Proof: suppose a record that existed during the entire read is missing. By (a) and (c), another record was received
   and deleted before the count. Only the first page was requested before the count, so that record was on the first
   page. Its deletion moves all later records forward by one position, so the second page does not begin with the last
   record of the first: a gap, which contradicts (b). One case could hide the gap: records of the second in which the
   first page ends follow on the second page, and the expected record changes places with one of them. Therefore the
   first page is cut to the seconds that it certainly contains completely, which are all but its last one: then, after
   the deletion, the second page begins with a record of a later second, in whatever order records of one second come.
   If that would drop more than half of the page, rule 6 applies instead.
6. Recheck. If the count does not verify the read, the reader requests the boundary times again: all records of other
   seconds were received by rules 2, 3 and 7. It need not do so if as many records were received as counted and change
   data capture reports that nothing was edited: then the set of records did not change. If QuickBooks then still counts
   more records than were received, the read fails; where an edit can change whether a record meets the conditions, the
   two numbers are not comparable.
7. Early pages. If the number of records is known approximately, the pages that it makes certain are requested without
   waiting for the count. Each is cut to the seconds that it certainly contains completely, and must begin in a second
   that the page before it contains completely, or earlier. Then no record of any second is missing between the two,
   however records moved meanwhile, so these boundaries need no verification. Early pages overlap by `early_overlap`
   records. An early page that does not qualify is discarded, and the read continues by the count as after a first page:
   rule 5 holds with all early pages in place of the first one.
8. Deduplication. A record is returned once, by its Id.

Result: every record that exists and meets the conditions during the entire read is returned exactly once, in its state
at some instant of the read. Records created, deleted or changed during the read may or may not appear.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "IdSet",
    "ScanState",
    "SortKey",
    "count_complete_seconds",
    "creation_time",
    "early_overlap",
    "early_positions",
    "estimate_api_calls",
    "page_positions",
]

SortKey = tuple[str, str]
"""The position of a record in the order of creation: its creation time as Intuit writes it, and its Id."""


def creation_time(key: SortKey) -> datetime:
    """Return the creation time of a sort key.

    Raises:
        ValueError: It is not a timestamp.
    """
    return datetime.fromisoformat(key[0])


def count_complete_seconds(sort_keys: list[SortKey]) -> int:
    """Return how many records of a full page lie in seconds that the page certainly contains completely (rule 5).

    These are all records except those of the last second, of which more may follow on the next page.
    """
    kept = len(sort_keys)
    while kept and sort_keys[kept - 1][0] == sort_keys[-1][0]:
        kept -= 1
    return kept


def page_positions(total: int, size: int, first: int) -> range:
    """Return the start positions of pages that cover *total* records, each overlapping the one before by one record.

    The last of these pages is not full, so it shows the end.

    Args:
        total: Number of records counted.
        size: Records per page, at least 2.
        first: Position of the last record received, with which the first of these pages begins.
    """
    return range(first, total + 1, size - 1)


def early_overlap(size: int) -> int:
    """Return by how many records early pages of *size* overlap: more than are usually created in one second."""
    return max(2, size // 50)


def early_positions(expected: int | None, size: int, most: int) -> range:
    """Return the start positions of early pages (rule 7): full pages after the first one, at no further API call.

    Args:
        expected: Number of records, as far as known.
        size: Records per page, at least 2.
        most: Maximum number of early pages.
    """
    stride = size - early_overlap(size)
    start = 1 + stride
    if expected is None or stride < 1:
        return range(0)
    certain = max(0, (expected - size) // stride)
    calls = estimate_api_calls(expected, size)
    for number in range(min(certain, most), 0, -1):
        taken = (number + 1) * stride + early_overlap(size) // 2
        if 2 + number + len(page_positions(expected, size, taken)) <= calls:
            return range(start, start + number * stride, stride)
    return range(0)


def estimate_api_calls(total: int, size: int) -> int:
    """Return the API calls that a full read of *total* records takes if they are not edited meanwhile.

    It takes one more if the first page ends among more than half a page of records of the same second.

    Args:
        total: Number of records.
        size: Records per page, at least 2.
    """
    if total < size:
        return 2  # the page and the count
    return 2 + len(page_positions(total, size, size - 1))


class IdSet:
    """A set of Ids that takes little memory: one bit per Id where numeric Ids are dense.

    A million consecutive Ids take less than 200 kB.
    """

    _BLOCK_BITS = 1 << 16
    _MAX_SPARSE = 128
    """Ids of a block that are kept as a set of numbers; with more, the block becomes a bitmap."""
    _MAX_DIGITS = 15

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self._sparse: dict[int, set[int]] = {}
        self._others: set[str] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ids: Iterable[str]) -> list[bool]:
        """Add Ids; return for each whether it is new."""
        are_new = []
        for id_ in ids:
            if not (id_.isdecimal() and id_.isascii() and id_[0] != "0" and len(id_) <= self._MAX_DIGITS):
                is_new = id_ not in self._others
                self._others.add(id_)
            elif (bitmap := self._blocks.get((number := int(id_)) // self._BLOCK_BITS)) is None:
                is_new = self._add_sparse(*divmod(number, self._BLOCK_BITS))
            else:
                index, mask = number % self._BLOCK_BITS >> 3, 1 << (number & 7)
                is_new = not bitmap[index] & mask
                bitmap[index] |= mask
            are_new.append(is_new)
        self._count += sum(are_new)
        return are_new

    def _add_sparse(self, block: int, bit: int) -> bool:
        known = self._sparse.setdefault(block, set())
        if bit in known:
            return False
        known.add(bit)
        if len(known) > self._MAX_SPARSE:
            bitmap = self._blocks[block] = bytearray(self._BLOCK_BITS // 8)
            for number in self._sparse.pop(block):
                bitmap[number >> 3] |= 1 << (number & 7)
        return True


@dataclass(slots=True)
class ScanState:
    """How far a read has come: every record up to `last`, in the order of creation, has been received.

    Attributes:
        last: Sort key of the last record received; None before the first.
        ids: Ids received since this process started to read.
        count_before_resume: Records received before that, by the process whose cursor this read resumes.
        boundary_times: Creation times at which a page ended, each with the Ids received of that second.
        has_edits: Whether a gap was found, or anything else that rules out verification by count (rule 5b).
        duplicates: Records that arrived more than once, without the intended overlap of pages.
        last_second_ids: Ids received of the second of `last`.
        snapshot_time: The second in which the read started; records created then or later are not counted.
        created_after_start: How many such records were received.
    """

    last: SortKey | None = None
    ids: IdSet = field(default_factory=IdSet)
    count_before_resume: int = 0
    boundary_times: dict[str, list[str]] = field(default_factory=dict)
    has_edits: bool = False
    duplicates: int = 0
    last_second_ids: list[str] = field(default_factory=list)
    snapshot_time: datetime | None = None
    created_after_start: int = 0

    @property
    def count(self) -> int:
        """How many records have been received in total."""
        return self.count_before_resume + len(self.ids)

    def find_gap(self, sort_keys: list[SortKey]) -> tuple[SortKey, SortKey | None] | None:
        """Compare the beginning of the next page with the end of the last one (rule 2).

        Args:
            sort_keys: The sort keys of the next page; empty if there is no record at its position any more.

        Returns:
            The range of creation times to read again, both ends inclusive (an end of None: to the end of the read), or
            None if no record was lost.
        """
        if self.last is None:
            return None
        if not sort_keys:
            self.has_edits = True  # records after `last` have moved to earlier positions
            return self.last, None
        self.boundary_times[self.last[0]] = list(self.last_second_ids)
        if self.snapshot_time is not None and creation_time(self.last) >= self.snapshot_time:
            self.has_edits = True  # the count does not cover so late a second
        if sort_keys[0][1] == self.last[1]:
            return None
        self.has_edits = True
        return (self.last, sort_keys[0]) if creation_time(sort_keys[0]) >= creation_time(self.last) else None

    def add_boundary(self, created: str) -> None:
        """Record a creation time at which two parts of the next page meet (rule 3)."""
        is_last = self.last is not None and self.last[0] == created
        self.boundary_times.setdefault(created, list(self.last_second_ids) if is_last else [])

    def add_page(self, rows: list[Any], sort_keys: list[SortKey], *, overlap: bool = True) -> list[Any]:
        """Add the records of a page or of a gap, and return the rows that are new (rule 8).

        Args:
            rows: The records, in any form.
            sort_keys: Their sort keys.
            overlap: Whether the first record may be the intended overlap with the page before.
        """
        are_new = self.ids.add(id_ for _, id_ in sort_keys)
        self.duplicates += are_new.count(False) - (overlap and are_new[:1] == [False])
        fresh = sort_keys if all(are_new) else list(compress(sort_keys, are_new))
        for created, id_ in fresh:
            if created in self.boundary_times:
                self.boundary_times[created].append(id_)
        if fresh and self.snapshot_time is not None and creation_time(fresh[-1]) >= self.snapshot_time:
            self.created_after_start += sum(creation_time(key) >= self.snapshot_time for key in fresh)
        if sort_keys and (self.last is None or creation_time(sort_keys[-1]) >= creation_time(self.last)):
            self._advance(sort_keys)
        return list(compress(rows, are_new))

    def _advance(self, sort_keys: list[SortKey]) -> None:
        last_second = sort_keys[-1][0]
        ids = []
        for created, id_ in reversed(sort_keys):
            if created != last_second:
                break
            ids.append(id_)
        if self.last is not None and self.last[0] == last_second:
            ids += [id_ for id_ in self.last_second_ids if id_ not in set(ids)]
        self.last, self.last_second_ids = sort_keys[-1], ids

    def is_verified_by(self, counted: int | None) -> bool:
        """Return whether the count proves the read complete (rule 5), for conditions that no edit changes.

        Args:
            counted: Number of records created before the snapshot time, counted after the first page; None if they were
                not counted.
        """
        return not self.has_edits and not self.duplicates and counted == self.count - self.created_after_start
