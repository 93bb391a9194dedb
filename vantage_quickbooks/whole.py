"""
Reads an entity whole: pages in parallel within Intuit's limits, in order, with flat memory. `paging` has the rules.

One answer that is shorter than asked is the whole, and costs one call. Otherwise the records are counted, the pages are
fetched up to ten at a time, and each is decoded only when it is its turn: while it waits, a page is text. A page that
takes QuickBooks too long is asked for in halves.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from vantage_quickbooks import query
from vantage_quickbooks.client import is_too_slow
from vantage_quickbooks.errors import (
    ConnectorError,
    IncompleteReadError,
    UnexpectedResponseError,
)
from vantage_quickbooks.paging import Frontier, Mark, instant, positions
from vantage_quickbooks.throttle import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vantage_quickbooks.calls import Call
    from vantage_quickbooks.client import QuickBooksClient
    from vantage_quickbooks.query import Select

__all__ = ["Batch", "Decoded", "WholeRead", "decode"]

_SMALLEST_PAGE = 25
_TIE_TRIES = 3
_MARGIN = timedelta(seconds=2)
"""A record may be stamped later than the answer to a request that came before it (recorded: up to 1.2 seconds)."""

CREATED = "MetaData.CreateTime"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page, decoded: its rows in whatever form, their marks, and the time at which QuickBooks answered."""

    rows: list[Any]
    marks: list[Mark]
    time: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are next in the order of creation.

    Attributes:
        rows: The records, in the form that the decoder gave them.
        cursor: State from which a later read goes on after these records; None in the last batch.
        is_last: Whether the read is whole with this batch.
    """

    rows: list[Any]
    cursor: dict[str, Any] | None
    is_last: bool


def decode(body: bytes, entity: str) -> Decoded:
    """Decode a page into dicts.

    Raises:
        UnexpectedResponseError: It is no page of this entity.
    """
    try:
        answer = orjson.loads(body)
        response = answer["QueryResponse"]
        rows = response[entity] if response else []
        marks = [(row["MetaData"]["CreateTime"], row["Id"]) for row in rows]
        return Decoded(rows, marks, datetime.fromisoformat(answer["time"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UnexpectedResponseError(
            f"QuickBooks answered with a damaged page of {entity} records, or without their Ids and creation times."
        ) from None


class WholeRead:
    """One whole read. Iterate it once; afterwards its attributes tell how it went.

    Args:
        client: Asks QuickBooks.
        statement: Entity and conditions, without order and position.
        call: The call; its time limit begins anew with each page.
        tie_breaker: A property that orders records of the same second, `DocNumber`.
        is_immutable: Whether no edit can make a record begin or cease to meet the conditions.
        size: Records of a page, 2 to 1000.
        budget: API calls at the most; None means no cap.
        state: The state of a cursor to go on from.
        decoder: Makes rows and marks of an answer.

    Attributes:
        frontier: How far the read is proven.
        counted: What QuickBooks counted, None if one answer held everything.
        started: When the read began, by QuickBooks' clock.
        reconciled: Whether gaps or ties were asked for once more.
    """

    def __init__(
        self,
        client: QuickBooksClient,
        statement: Select,
        call: Call,
        *,
        tie_breaker: str,
        is_immutable: bool,
        size: int = query.MAX_PAGE,
        budget: int | None = None,
        state: dict[str, Any] | None = None,
        decoder: Callable[[bytes, str], Decoded] = decode,
    ) -> None:
        self._client = client
        self._statement = statement
        self._call = call
        self._order = (CREATED, tie_breaker)
        self._is_immutable = is_immutable
        self._size = max(2, size)
        self._page_size = self._size
        self._budget = budget
        self._decoder = decoder
        self._calls_before = call.api_calls
        self._pool: ThreadPoolExecutor | None = None
        self._bounds: tuple[str, ...] = ()
        self.frontier = Frontier()
        self.counted: int | None = None
        self.started: datetime | None = None
        self.reconciled = False
        if state is not None:
            self._resume(state)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the records in the order of creation, each once, the last batch with `is_last`.

        Raises:
            IncompleteReadError: The read cannot be made whole, or does not fit its budget.
            ConnectorError: See `QuickBooksClient.request`. What was yielded before is whole and in order, and the
                cursor of the last batch goes on from there.
        """
        held: Batch | None = None
        try:
            for rows in self._read():
                if rows:
                    if held is not None:
                        yield held
                    held = Batch(rows, self._state(), is_last=False)
            yield Batch([] if held is None else held.rows, None, is_last=True)
        except ConnectorError:
            if held is not None:
                yield held  # whole and in order: what is given out may be kept, and its cursor goes on from there
            raise
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)

    # ---- the main chain ---------------------------------------------------------------------------------------------

    def _read(self) -> Iterator[list[Any]]:
        first = self._page(1, self._size)
        if self.started is None:
            self.started = first.time
        if not self._bounds:
            self._bounds = (query.compare(CREATED, "<=", _written(self.started + _MARGIN)),)
        duplicates = self.frontier.duplicates
        yield self._taken(first)
        self.frontier.duplicates = duplicates  # going on from a cursor begins with what came last: that is intended
        if len(first.rows) == self._size:
            yield from self._rest(self._plan(len(first.rows)))
        if self.frontier.ties and not self._is_proven():
            yield from self._untied()

    def _plan(self, came: int) -> list[int]:
        """Count the records, and return the positions of the pages after the first, on which *came* records stood."""
        if self.counted is None:
            self._check_budget(1)
            self.counted = self._client.count(self._statement.also(self._bounds[0]), self._call)
        planned = positions(self.counted - self.frontier.count + came, self._size)
        self._check_budget(len(planned))
        return planned

    def _rest(self, planned: list[int]) -> Iterator[list[Any]]:
        for asked, page in self._in_order(planned):
            gap = self.frontier.gap_before(page.marks)
            if gap is not None:
                yield from self._closed(*gap)
            yield self._taken(page)
            if len(page.rows) < asked:
                return

    def _in_order(self, planned: list[int]) -> Iterator[tuple[int, Decoded]]:
        """Yield page after page with the size that was asked: those planned, then on until somebody stops."""
        yield from self._ahead(planned)
        if planned and self._is_proven():
            return
        position = planned[-1] if planned else 1
        while True:
            position += self._size - 1
            yield self._size, self._page(position, self._size)

    def _is_proven(self) -> bool:
        return self._is_immutable and self.frontier.is_proven(self.counted)

    def _taken(self, page: Decoded, *, overlap: bool = True) -> list[Any]:
        self._call.progressed()
        return self.frontier.take(page.rows, page.marks, overlap=overlap)

    def _ahead(self, planned: list[int]) -> Iterator[tuple[int, Decoded]]:
        """Fetch pages up to ten at a time, and decode each when it is its turn."""
        if not planned:
            return
        self._pool = self._pool or ThreadPoolExecutor(AT_ONCE, thread_name_prefix="quickbooks-page")
        waiting: deque[tuple[int, Future[list[tuple[int, bytes]]]]] = deque()
        upcoming = iter(planned)
        while True:
            while len(waiting) < AT_ONCE:
                position = next(upcoming, None)
                if position is None:
                    break
                waiting.append((position, self._pool.submit(self._bodies, position, self._size)))
            if not waiting:
                return
            position, future = waiting.popleft()
            for size, body in future.result():
                yield size, self._decoded(body, position, size)
                position += size - 1

    def _bodies(self, position: int, size: int) -> list[tuple[int, bytes]]:
        """Fetch a page; in halves, each overlapping the other by one record, if it takes too long."""
        if size <= self._page_size or size <= _SMALLEST_PAGE:
            try:
                return [(size, self._client.fetch(self._at(position, size), self._call))]
            except ConnectorError as error:
                if not is_too_slow(error) or size <= _SMALLEST_PAGE:
                    raise
                self._page_size = max(_SMALLEST_PAGE, min(self._page_size, (size + 2) // 2))
        half = (size + 2) // 2
        return [*self._bodies(position, half), *self._bodies(position + half - 1, size - half + 1)]

    def _page(self, position: int, size: int, *where: str) -> Decoded:
        """Fetch and decode one page now."""
        self._check_budget(1)
        body = self._client.fetch(self._at(position, size, *where), self._call)
        return self._decoded(body, position, size, *where)

    def _decoded(self, body: bytes, position: int, size: int, *where: str) -> Decoded:
        """Decode a page; one that is damaged is fetched once more."""
        try:
            page = self._decoder(body, self._statement.entity)
        except UnexpectedResponseError:
            body = self._client.fetch(self._at(position, size, *where), self._call)
            page = self._decoder(body, self._statement.entity)
        return page if len(page.rows) <= size else Decoded(page.rows[:size], page.marks[:size], page.time)

    def _at(self, position: int, size: int, *where: str) -> Select:
        statement = query.Select(
            self._statement.entity, (*self._statement.where, *self._bounds, *where), order_by=self._order
        )
        return statement.page(position, size)

    # ---- what edits displaced ---------------------------------------------------------------------------------------

    def _closed(self, start: Mark, end: Mark | None) -> Iterator[list[Any]]:
        """Ask for all that was created from *start* to *end*, ends included (None: to the end of the read)."""
        self.reconciled = True
        upper = () if end is None else (query.compare(CREATED, "<=", end[0]),)
        while True:
            page = self._page(1, self._size, query.compare(CREATED, ">=", start[0]), *upper)
            yield self._taken(page, overlap=False)
            if len(page.rows) < self._size:
                return
            if instant(page.marks[-1]) <= instant(start):
                yield from self._of_one_second(start[0])
                page = self._page(1, self._size, query.compare(CREATED, ">", start[0]), *upper)
                yield self._taken(page, overlap=False)
                if len(page.rows) < self._size:
                    return
            start = page.marks[-1]

    def _of_one_second(self, created: str) -> Iterator[list[Any]]:
        """Read more than a page of records that were created in the same second, by position."""
        same = (query.compare(CREATED, ">=", created), query.compare(CREATED, "<=", created))
        for _ in range(_TIE_TRIES):
            counted, position, before = None, 1, None
            seen: set[str] = set()
            while True:
                page = self._page(position, self._size, *same)
                if before is not None and (not page.marks or page.marks[0][1] != before):
                    break  # somebody edited: once more
                seen.update(mark[1] for mark in page.marks)
                yield self._taken(page)
                if len(page.rows) < self._size:
                    counted = self._client.count(self._statement.also(*self._bounds, *same), self._call)
                    break
                before = page.marks[-1][1]
                position += self._size - 1
            if counted == len(seen):
                return
        raise IncompleteReadError(
            f"More than {self._size} {self._statement.entity} records were created in the second {created} and keep "
            "changing places while they are read. Read them while nobody edits them."
        )

    def _untied(self) -> Iterator[list[Any]]:
        """Look once more at the seconds at whose records a page ended, unless nothing was edited at all."""
        if self._is_untouched():
            return
        self.reconciled = True
        for created in list(self.frontier.ties):
            yield from self._closed((created, ""), (created, ""))

    def _is_untouched(self) -> bool:
        """Ask change data capture whether anything was edited since the read began; any doubt counts as yes."""
        if self.frontier.edited or self.started is None:
            return False
        since = _written(self.started - _MARGIN)
        try:
            answer = self._client.changes(self._statement.entity, since, self._call)
            groups = [group for part in answer.body["CDCResponse"] for group in part["QueryResponse"]]
            return not any(group.get(self._statement.entity) for group in groups)
        except (ConnectorError, KeyError, TypeError, AttributeError):
            return False

    # ---- budget and cursor ------------------------------------------------------------------------------------------

    def _check_budget(self, further: int) -> None:
        """Refuse to send *further* requests that the budget does not hold."""
        needed = self._call.api_calls - self._calls_before + further
        if self._budget is not None and needed > self._budget:
            what = f"the {self.counted} records" if self.counted is not None else "them"
            raise IncompleteReadError(
                f"Reading {what} whole takes {needed} API calls or more, and the budget is {self._budget}. "
                "Allow as many, or narrow the conditions.",
                retryable=False,
                details={"budget": self._budget, "needed": needed},
            )

    def _state(self) -> dict[str, Any] | None:
        frontier = self.frontier
        if frontier.last is None or self.started is None or not self._bounds:
            return None
        return {
            "last": list(frontier.last),
            "group": list(frontier.group),
            "ties": {created: list(ids) for created, ids in frontier.ties.items()},
            "edited": frontier.edited,
            "duplicates": frontier.duplicates,
            "count": frontier.count,
            "counted": self.counted,
            "started": self.started.isoformat(),
            "bound": self._bounds[0],
        }

    def _resume(self, state: dict[str, Any]) -> None:
        frontier = self.frontier
        frontier.last = (state["last"][0], state["last"][1])
        frontier.group = list(state["group"])
        frontier.ties = {created: list(ids) for created, ids in state["ties"].items()}
        frontier.edited, frontier.duplicates = state["edited"], state["duplicates"]
        for ids in (frontier.group, *frontier.ties.values()):
            for id_ in ids:
                frontier.ids.add(id_)
        frontier.before = state["count"] - len(frontier.ids)
        if state["counted"] is None:
            self._is_immutable = False  # counted only now, the records prove nothing about what came before
        self.counted, self.started = state["counted"], datetime.fromisoformat(state["started"])
        self._bounds = (state["bound"], query.compare(CREATED, ">=", frontier.last[0]))


def _written(at: datetime) -> str:
    """Write an instant as a query takes it, in whole seconds, rounded up."""
    if at.microsecond:
        at = at.replace(microsecond=0) + timedelta(seconds=1)
    return at.isoformat()
