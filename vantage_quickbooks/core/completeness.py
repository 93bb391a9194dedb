"""
How an entity is read whole while people edit it: values in, values out.

Rules
1. Records are read in the order of their creation, which no edit moves; a second key breaks ties. `Id` can be neither
   sorted nor compared at Intuit (since November 2025).
2. The reader's pages overlap by one record. Where page n+1 begins with the record that page n ended with, nothing was
   lost between the two answers. Where it does not, somebody edited: the reader asks once more for all that was created
   from the end of the one to the beginning of the other, ends included, and closes the gap.
3. One answer is one instant. What stands strictly between two creation times in one answer is all there was. A page
   that came in parts is not one instant; where the parts met is remembered like the end of a page.
4. A page shorter than asked reaches the end if QuickBooks' count agrees: a server that sends less than it was asked
   for looks the same. Where it counts more, the reader goes on behind the last record until an answer holds nothing
   new, and what is still missing then makes the read fail. A last page that is full is looked behind.
5. What was created before the second in which the read began is counted after the first page. Where several pages came
   without a gap and without a record that came twice, and as many came as were counted, they are all: with nothing but
   deletions possible (the conditions do not depend on what edits change), one that is missing needs one that came and
   was deleted before the count. It came with the first page, then, and its deletion would show as a gap at the second:
   that is why the first page is cut behind the last second that it surely holds whole, for beyond that records of one
   second could change places and hide the gap. Otherwise, unless change data capture says that nothing was edited, the
   seconds in which pages ended are asked for again. If fewer came than are still counted then, the read is not whole.
6. Every record counts once, by its Id.

So every record that exists, and meets the conditions, during the whole read comes exactly once, in its state at some
instant of the read. Of what is created, deleted, or begins or ceases to meet the conditions meanwhile, some may come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Frontier", "IdSet", "Mark", "calls_for", "instant", "positions", "whole_seconds"]

Mark = tuple[str, str]
"""Where a record stands in the order of creation: its creation time, as Intuit writes it, and its Id."""


def instant(mark: Mark) -> datetime:
    """Return the creation time of a mark; ValueError if it is none."""
    return datetime.fromisoformat(mark[0])


def whole_seconds(marks: list[Mark]) -> int:
    """Return how many of a page's marks lie in seconds that the page surely holds whole: all but those of its last."""
    kept = len(marks)
    while kept and marks[kept - 1][0] == marks[-1][0]:
        kept -= 1
    return kept


def positions(total: int, size: int, first: int) -> range:
    """Return the start positions of the pages that cover *total* records, each overlapping by one.

    The last of them is not full, so that it shows the end.

    Args:
        total: Records counted.
        size: Records of a page, at least 2.
        first: Position of the last record known, with which the first of these pages begins.
    """
    return range(first, total + 1, size - 1)


def calls_for(total: int, size: int) -> int:
    """Return the API calls that reading *total* records takes when nobody edits them.

    One more if the first page ends among a great many records of one second.
    """
    if total < size:
        return 2  # the page and the count
    return 2 + len(positions(total, size, size - 1))


class IdSet:
    """The Ids that came, in memory that a million of them hardly fill: a bit each, where they lie close together."""

    _BITS = 1 << 16
    _FEW = 128
    _DIGITS = 15

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
            if not (id_.isdecimal() and id_.isascii() and id_[0] != "0" and len(id_) <= self._DIGITS):
                is_new = id_ not in self._others
                self._others.add(id_)
            elif (known := self._blocks.get((number := int(id_)) // self._BITS)) is None:
                is_new = self._add_sparse(*divmod(number, self._BITS))
            else:
                place, mask = number % self._BITS >> 3, 1 << (number & 7)
                is_new = not known[place] & mask
                known[place] |= mask
            are_new.append(is_new)
        self._count += sum(are_new)
        return are_new

    def _add_sparse(self, block: int, bit: int) -> bool:
        known = self._sparse.setdefault(block, set())
        if bit in known:
            return False
        known.add(bit)
        if len(known) > self._FEW:
            bits = self._blocks[block] = bytearray(self._BITS // 8)
            for number in self._sparse.pop(block):
                bits[number >> 3] |= 1 << (number & 7)
        return True


@dataclass(slots=True)
class Frontier:
    """How far the read is proven: everything before `last` has come, and `last` itself.

    Attributes:
        last: The last record taken; None before the first.
        ids: What came since this process began to read.
        before: How many came before that, in the process whose cursor this one goes on from.
        seams: Creation times at which a page ended, with the Ids that came of that second.
        edited: Whether a gap was met, or anything else that the count cannot make good.
        duplicates: Records that came again, the intended overlap of pages aside.
        group: The Ids that came of the last second.
        began: The second in which the read began; what was created then or later proves nothing.
        late: How many of those came.
    """

    last: Mark | None = None
    ids: IdSet = field(default_factory=IdSet)
    before: int = 0
    seams: dict[str, list[str]] = field(default_factory=dict)
    edited: bool = False
    duplicates: int = 0
    group: list[str] = field(default_factory=list)
    began: datetime | None = None
    late: int = 0

    @property
    def count(self) -> int:
        """How many records have come in all."""
        return self.before + len(self.ids)

    def gap_before(self, marks: list[Mark]) -> tuple[Mark, Mark | None] | None:
        """Compare a page's beginning with the frontier.

        Args:
            marks: The page's marks; empty if nothing stands at its position any more.

        Returns:
            What must be asked for once more, from one creation time to another, ends included (None: to the end of the
            read); or None if nothing was lost in between.
        """
        if self.last is None:
            return None
        if not marks:
            self.edited = True  # what lies behind the frontier now stands at earlier positions
            return self.last, None
        self.seams[self.last[0]] = list(self.group)
        if self.began is not None and instant(self.last) >= self.began:
            self.edited = True  # the count says nothing of so late a second
        if marks[0][1] == self.last[1]:
            return None
        self.edited = True
        return (self.last, marks[0]) if instant(marks[0]) >= instant(self.last) else None

    def sew_later(self, created: str) -> None:
        """Note a second in which two answers met that are about to be taken as one page."""
        is_last = self.last is not None and self.last[0] == created
        self.seams.setdefault(created, list(self.group) if is_last else [])

    def take(self, rows: list[Any], marks: list[Mark], *, overlap: bool = True) -> list[Any]:
        """Take what is next in order, and return the rows that had not come yet.

        Args:
            rows: Records of a page or of a gap, in any form.
            marks: Their marks.
            overlap: Whether the first one may be the intended overlap with the page before.
        """
        are_new = self.ids.add(id_ for _, id_ in marks)
        self.duplicates += are_new.count(False) - (overlap and are_new[:1] == [False])
        fresh = marks if all(are_new) else list(compress(marks, are_new))
        for created, id_ in fresh:
            if created in self.seams:
                self.seams[created].append(id_)
        if fresh and self.began is not None and instant(fresh[-1]) >= self.began:
            self.late += sum(instant(mark) >= self.began for mark in fresh)
        if marks and (self.last is None or instant(marks[-1]) >= instant(self.last)):
            self._move_to(marks)
        return list(compress(rows, are_new))

    def _move_to(self, marks: list[Mark]) -> None:
        second = marks[-1][0]
        group = []
        for created, id_ in reversed(marks):
            if created != second:
                break
            group.append(id_)
        if self.last is not None and self.last[0] == second:
            group += [id_ for id_ in self.group if id_ not in set(group)]
        self.last, self.group = marks[-1], group

    def is_proven(self, counted: int | None) -> bool:
        """Tell whether the count proves that nothing is missing (rule 5), for conditions that no edit changes.

        Args:
            counted: What QuickBooks counted after the first page of what was created before the read began; None if it
                was not asked.
        """
        return not self.edited and not self.duplicates and counted == self.count - self.late
