"""
Reads an entity whole: pages in parallel within Intuit's limits, in order, with flat memory. See `core.completeness`.

The first page comes, then QuickBooks' count: two calls where the page holds everything. Otherwise the pages are fetched
several at a time, and each is decoded only when it is its turn: while it waits, a page is packed text. A page that
takes QuickBooks too long is asked for in halves.
"""

from __future__ import annotations

import contextlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson

from vantage_quickbooks.api.rate_limiter import MAX_CONCURRENT
from vantage_quickbooks.core import query
from vantage_quickbooks.core.completeness import (
    ScanState,
    SortKey,
    count_complete_seconds,
    creation_time,
    page_positions,
)
from vantage_quickbooks.core.responses import records_of
from vantage_quickbooks.errors import (
    ConnectorError,
    IncompleteReadError,
    UnexpectedResponseError,
)
from vantage_quickbooks.sync.gc_pause import gc_paused

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.api.response_body import ResponseBody
    from vantage_quickbooks.core.query import Select

__all__ = ["Batch", "Decoded", "WholeRead", "decode"]

_SMALLEST_PAGE = 25
_AHEAD = MAX_CONCURRENT
"""Pages under way or waiting: they keep one decoder busy at 150 ms of latency."""

_TIE_TRIES = 3
_MARGIN = timedelta(seconds=2)
"""A record may be stamped later than the answer to a request that came before it (recorded: up to 1.2 seconds)."""

_YEARS = (1000, 9000)

CREATED = "MetaData.CreateTime"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A page, decoded: its rows in whatever form, their sort keys, and the time at which QuickBooks answered."""

    rows: list[Any]
    sort_keys: list[SortKey]
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
        UnexpectedResponseError: It is no page of this entity, or a record lacks its Id or creation time.
    """
    try:
        with gc_paused():
            answer = orjson.loads(body)
        rows = records_of(answer["QueryResponse"], entity)
        sort_keys = [(row["MetaData"]["CreateTime"], row["Id"]) for row in rows]
        _check(answer, sort_keys)
        return Decoded(rows, sort_keys, datetime.fromisoformat(answer["time"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UnexpectedResponseError(
            f"QuickBooks answered with a damaged page of {entity} records, or without their Ids and creation times."
        ) from None


def _check(answer: dict[str, Any], sort_keys: list[SortKey]) -> None:
    """Raise ValueError or TypeError unless all Ids are text, and all times have an offset and a year of a company."""
    if "Fault" in answer or "fault" in answer or not all(type(id_) is str and id_ for _, id_ in sort_keys):
        raise ValueError
    for text in {answer["time"], *(created for created, _ in sort_keys)}:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None or not _YEARS[0] <= at.year <= _YEARS[1]:
            raise ValueError


class WholeRead:
    """One whole read. Iterate it once; afterwards its attributes tell how it went.

    Args:
        client: Asks QuickBooks.
        statement: Entity and conditions, without order and position.
        call: The call, with its `max_api_calls`; its time limit begins anew with each page.
        tie_breaker: A property that orders records of the same second, `DocNumber`.
        is_immutable: Whether no edit can make a record begin or cease to meet the conditions.
        size: Records of a page, 2 to 1000.
        state: The state of a cursor to go on from.
        decoder: Makes rows and sort keys of an answer.

    Attributes:
        scan: How far the read is proven.
        counted: What QuickBooks counted of the records created before the second in which the read began.
        started: When the read began, by QuickBooks' clock.
        reconciled: Whether gaps or ties were asked for once more.
    """

    def __init__(
        self,
        client: QuickBooksClient,
        statement: Select,
        call: CallContext,
        *,
        tie_breaker: str,
        is_immutable: bool,
        size: int = query.MAX_PAGE,
        state: dict[str, Any] | None = None,
        decoder: Callable[[bytes, str], Decoded] = decode,
    ) -> None:
        self._client = client
        self._statement = statement
        self._call = call
        self._order = (CREATED, tie_breaker)
        self._is_provable = is_immutable  # by the count
        self._size = max(2, size)
        self._page_size = self._size
        self._decoder = decoder
        self._fetchers: ThreadPoolExecutor | None = None
        self._unpacker: ThreadPoolExecutor | None = None
        self._bounds: tuple[str, ...] = ()
        self.scan = ScanState()
        self.counted: int | None = None
        self.started: datetime | None = None
        self.reconciled = False
        self._is_over = False
        self._largest = 0  # rows of the largest answer
        if state is not None:
            self._resume(state)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the records in the order of creation, each once, the last batch with `is_last`.

        Raises:
            IncompleteReadError: The read cannot be made whole, or needs more than `max_api_calls`.
            ConnectorError: See `QuickBooksClient.request`. What was yielded before is whole and in order, and the
                cursor of the last batch goes on from there.
        """
        try:
            for rows in self._read():
                if rows:
                    batch = Batch(rows, None if self._is_over else self._state(), self._is_over)
                    del rows  # one page in memory at a time, here and below
                    yield batch
                    del batch
                    self._call.restart_timeout()  # what the consumer took its time for is not the read's
                    if self._is_over:
                        return
            yield Batch([], None, is_last=True)
        except BaseException:
            self._call.cancel()  # or threads would go on asking for what nobody waits for
            raise
        finally:
            for pool in (self._fetchers, self._unpacker):
                if pool is not None:
                    pool.shutdown(wait=False, cancel_futures=True)

    # ---- the main chain ---------------------------------------------------------------------------------------------

    def _read(self) -> Iterator[list[Any]]:
        first = self._first_page()
        is_all = len(first.rows) < self._size
        duplicates = self.scan.duplicates
        kept = first if is_all else self._cut(first)
        rows = self._taken(kept)
        self.scan.duplicates = duplicates  # going on from a cursor begins with what came last: that is intended
        if self.counted is None:
            self.counted = self._count()
        is_short = is_all and self._lacks()
        self._is_over = is_all and not is_short and self._has_nothing_to_prove()
        came = len(kept.rows)
        del first, kept
        yield rows
        del rows
        if not is_all:
            yield from self._rest(self._plan(came))
        elif is_short:
            yield from self._go_on()
        if self.scan.boundary_times and not self._is_proven():
            yield from self._sewn()
        self._check_count()

    def _first_page(self) -> Decoded:
        """Read the first page, and once more where hardly anything comes of the many that QuickBooks counts."""
        for _ in range(_TIE_TRIES):
            first = self._page(1, self._size)
            if self.started is None:
                self.started = first.time
            if not self._bounds:
                self._bounds = (query.compare(CREATED, "<=", _written(self.started + _MARGIN)),)
            self.scan.snapshot_time = self.started.replace(microsecond=0)
            if first.rows or self.counted is not None:
                return first
            counted = self._count()
            if not counted:
                self.counted = 0
                return first
        raise IncompleteReadError(
            f"QuickBooks counts {counted} {self._statement.entity} records and sends none. Try again later.",
            details={"came": 0, "counted": counted},
        )

    def _lacks(self) -> bool:
        """Return whether fewer records came than QuickBooks counts; a difference is counted once more."""
        came = self.scan.count - self.scan.created_after_start
        return self.counted is not None and came < self.counted and came < self._count()

    def _go_on(self) -> Iterator[list[Any]]:
        """Read on behind an answer that was shorter than asked, though QuickBooks counts more records."""
        self.scan.has_edits = True
        if self.scan.last is not None:
            yield from self._closed(self.scan.last, None)

    def _cut(self, first: Decoded) -> Decoded:
        """Cut the first page behind the last second that it surely holds whole; see rule 5 of `core.completeness`."""
        if not self._is_provable or self.counted is not None:
            return first
        kept = count_complete_seconds(first.sort_keys)
        if 2 * kept < self._size:  # to ask for so many once more would cost a page: prove the read otherwise
            self._is_provable = False
            return first
        return Decoded(first.rows[:kept], first.sort_keys[:kept], first.time)

    def _plan(self, came: int) -> range:
        """Return the positions of the pages after the first, of which *came* were taken."""
        planned = page_positions((self.counted or 0) - self.scan.count + came, self._size, came)
        self._check_max_api_calls(len(planned))
        return planned

    def _check_max_api_calls(self, further: int) -> None:
        """Refuse to begin *further* requests that would exceed `max_api_calls`."""
        needed, allowed = self._call.api_calls + further, self._call.max_api_calls
        if allowed is not None and needed > allowed:
            raise IncompleteReadError(
                f"Reading the {self.counted} records whole takes {needed} API calls or more, and max_api_calls is "
                f"{allowed}. Allow as many, or narrow the conditions.",
                retryable=False,
                details={"maxApiCalls": allowed, "needed": needed},
            )

    def _count(self) -> int:
        """Count what was created before the second in which the read began."""
        if self.started is None:
            raise AssertionError  # the first page has told  # pragma: no cover
        bound = query.compare(CREATED, "<", self.started.replace(microsecond=0).isoformat())
        return self._client.count(self._statement.also(bound), self._call)

    def _check_count(self) -> None:
        """Refuse a read to which fewer records came than are still there.

        Where edits can make a record cease to meet the conditions, a difference proves nothing; then the read has gone
        on until an answer held nothing new, which only a server that sends one record at a time could feign.
        """
        if self._is_over or (not self._is_provable and self._largest > 1) or not self._lacks():
            return
        came, there = self.scan.count - self.scan.created_after_start, self._count()
        raise IncompleteReadError(
            f"{came} {self._statement.entity} records came, and QuickBooks counts {there}. Nothing was left out "
            "knowingly; read again.",
            details={"came": came, "counted": there},
        )

    def _rest(self, planned: range) -> Iterator[list[Any]]:
        stale = 0
        for asked, decoded, is_planned, is_planned_last in self._in_order(planned):
            page = decoded()
            gap = self.scan.find_gap(page.sort_keys)
            if gap is not None:
                yield from self._closed(*gap)
            rows = self._taken(page)
            is_end = len(page.rows) < asked
            if is_planned or rows or is_end:
                stale = 0
            elif (stale := stale + 1) * (self._size - 1) > len(self.scan.ids) + self._size:
                raise self._no_progress()  # more pages hold nothing new than all that came can fill
            # Much was deleted, or the answer was capped: what lies behind is asked for, not taken as read.
            is_short = is_end and (not is_planned_last or self._lacks())
            self._is_over = is_end and not is_short and self._has_nothing_to_prove()
            del page
            yield rows
            del rows
            if is_short:
                yield from self._go_on()
            if is_end:
                return

    def _no_progress(self) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"QuickBooks sends the same {self._statement.entity} records again and again. Try again later.",
            details={"came": self.scan.count, "counted": self.counted},
        )

    def _has_nothing_to_prove(self) -> bool:
        return not self.scan.boundary_times or self._is_proven()

    def _in_order(self, planned: range) -> Iterator[tuple[int, Callable[[], Decoded], bool, bool]]:
        """Yield page after page with the size that was asked: those planned, then on until the caller stops.

        Each is decoded by the caller, so that it is not held here. With it comes whether it was planned, and whether a
        short page at its place is expected.
        """
        for position, asked, body in self._ahead(planned):
            yield asked, partial(self._decoded, body, position, asked), True, position + asked >= planned.stop
        for position in count(planned.start + len(planned) * planned.step, planned.step):
            yield self._size, partial(self._page, position, self._size), False, True

    def _is_proven(self) -> bool:
        return self._is_provable and self.scan.is_verified_by(self.counted)

    def _taken(self, page: Decoded, *, overlap: bool = True) -> list[Any]:
        self._call.restart_timeout()
        return self.scan.add_page(page.rows, page.sort_keys, overlap=overlap)

    def _ahead(self, planned: range) -> Iterator[tuple[int, int, ResponseBody]]:
        """Fetch pages several at a time, and yield each when it is its turn, with its position and size."""
        if not planned:
            return
        self._fetchers = ThreadPoolExecutor(_AHEAD, thread_name_prefix="quickbooks-page")
        # A thread of its own, or each of the others would come to keep some megabytes of room for a page.
        self._unpacker = ThreadPoolExecutor(1, thread_name_prefix="quickbooks-unpack")
        waiting: deque[tuple[int, Future[list[tuple[int, ResponseBody]]]]] = deque()
        upcoming = iter(planned)
        while True:
            while len(waiting) < _AHEAD:
                position = next(upcoming, None)
                if position is None:
                    break
                waiting.append((position, self._fetchers.submit(list, self._bodies(position, self._size))))
            if not waiting:
                return
            position, future = waiting.popleft()
            parts = future.result()
            if waiting:
                self._unpacker.submit(_unpack, waiting[0][1])  # while this one is decoded, and no further ahead
            for size, body in parts:
                yield position, size, body
                position += size - 1

    def _bodies(self, position: int, size: int, *where: str) -> Iterator[tuple[int, ResponseBody]]:
        """Fetch a page; in halves, each overlapping the other by one record, if it takes too long."""
        statement = self._at(position, size, *where)
        if size <= _SMALLEST_PAGE:
            yield size, self._client.fetch(statement, self._call, retry_timeouts=True)
            return
        if size <= self._page_size:
            try:
                body = self._client.fetch(statement, self._call)
            except ConnectorError as error:
                if not error.is_timeout:
                    raise
                self._page_size = max(_SMALLEST_PAGE, min(self._page_size, (size + 2) // 2))
            else:
                yield size, body
                return
        half = (size + 2) // 2
        yield from self._bodies(position, half, *where)
        yield from self._bodies(position + half - 1, size - half + 1, *where)

    def _page(self, position: int, size: int, *where: str) -> Decoded:
        """Fetch and decode one page now, joining its parts if it comes in parts.

        It is not one instant then: where the parts meet is a seam like those between pages.
        """
        for _ in range(_TIE_TRIES):
            joined: Decoded | None = None
            at = position
            for asked, body in self._bodies(position, size, *where):
                part = self._decoded(body, at, asked, *where)
                at += asked - 1
                if joined is None:
                    joined = part
                elif part.sort_keys and part.sort_keys[0][1] == joined.sort_keys[-1][1]:
                    self.scan.add_boundary(joined.sort_keys[-1][0])
                    self._is_provable = self._is_provable and self.counted is not None
                    joined = Decoded(joined.rows + part.rows[1:], joined.sort_keys + part.sort_keys[1:], joined.time)
                else:
                    break  # somebody edited between the parts: once more
                if len(part.rows) < asked:
                    return joined
            else:
                if joined is not None:
                    return joined
        raise IncompleteReadError("QuickBooks is too slow for whole pages, and their parts keep changing. Try later.")

    def _decoded(self, body: ResponseBody, position: int, size: int, *where: str) -> Decoded:
        """Decode a page; one that is damaged is fetched once more."""
        try:
            page = self._decoder(body.read(), self._statement.entity)
        except UnexpectedResponseError:
            body = self._client.fetch(self._at(position, size, *where), self._call)
            page = self._decoder(body.read(), self._statement.entity)
        self._largest = max(self._largest, len(page.rows))
        return page if len(page.rows) <= size else Decoded(page.rows[:size], page.sort_keys[:size], page.time)

    def _at(self, position: int, size: int, *where: str) -> Select:
        statement = query.Select(
            self._statement.entity, (*self._statement.where, *self._bounds, *where), order_by=self._order
        )
        return statement.page(position, size)

    # ---- what edits displaced ---------------------------------------------------------------------------------------

    def _closed(self, start: SortKey, end: SortKey | None) -> Iterator[list[Any]]:
        """Ask for all that was created from *start* to *end*, ends included (None: to the end of the read).

        A short answer proves no end: the reader asks on until it has reached *end*, or an answer holds nothing new.
        """
        self.reconciled = True
        upper = () if end is None else (query.compare(CREATED, "<=", end[0]),)
        while True:
            page = self._page(1, self._size, query.compare(CREATED, ">=", start[0]), *upper)
            yield self._taken(page, overlap=False)
            is_short, reached = len(page.rows) < self._size, page.sort_keys[-1] if page.sort_keys else None
            del page
            if reached is None or (is_short and end is not None and creation_time(reached) >= creation_time(end)):
                return
            if creation_time(reached) <= creation_time(start):
                if is_short:
                    return
                yield from self._of_one_second(start[0])
                page = self._page(1, self._size, query.compare(CREATED, ">", start[0]), *upper)
                yield self._taken(page, overlap=False)
                reached = page.sort_keys[-1] if page.sort_keys else None
                del page
                if reached is None:
                    return
                if creation_time(reached) <= creation_time(start):
                    raise self._no_progress()
            start = reached

    def _of_one_second(self, created: str) -> Iterator[list[Any]]:
        """Read more than a page of records that were created in the same second, by position."""
        same = (query.compare(CREATED, ">=", created), query.compare(CREATED, "<=", created))
        statement = self._statement.also(*self._bounds, *same)
        before = self._client.count(statement, self._call)
        for _ in range(_TIE_TRIES):
            came = yield from self._by_position(*same)
            after = self._client.count(statement, self._call)
            if before == len(came) == after:  # none was deleted meanwhile, and so none is missing
                return
            before = after
        raise IncompleteReadError(
            f"More than {self._size} {self._statement.entity} records were created in the second {created} and keep "
            "changing places while they are read. Read them while nobody edits them."
        )

    def _by_position(self, *where: str) -> Generator[list[Any], None, set[str]]:
        """Read by position until the end, or until an overlap fails; return the Ids that came."""
        came: set[str] = set()
        position, last = 1, None
        while True:
            page = self._page(position, self._size, *where)
            if last is not None and (not page.sort_keys or page.sort_keys[0] != last):
                return came
            came.update(id_ for _, id_ in page.sort_keys)
            yield self._taken(page)
            if len(page.rows) < self._size:
                return came
            last = page.sort_keys[-1]
            position += self._size - 1

    def _sewn(self) -> Iterator[list[Any]]:
        """Look once more at the seconds in which pages ended, unless nothing was edited at all."""
        if self._is_untouched():
            return
        self.reconciled = True
        self._bounds = self._bounds[:1]  # seams may lie before the place where a cursor went on
        for created in list(self.scan.boundary_times):
            yield from self._closed((created, ""), (created, ""))

    def _is_untouched(self) -> bool:
        """Ask change data capture whether anything was edited since the read began; any doubt counts as yes."""
        came = self.scan.count - self.scan.created_after_start
        if self.scan.has_edits or self.started is None or came < (self.counted or 0):
            return False
        try:
            return not self._client.changes(self._statement.entity, _written(self.started - _MARGIN), self._call)
        except ConnectorError:
            return False

    # ---- cursor ------------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any] | None:
        scan = self.scan
        if scan.last is None or self.started is None or not self._bounds:
            return None
        return {
            "last": list(scan.last),
            "group": list(scan.last_second_ids),
            "seams": {created: list(ids) for created, ids in scan.boundary_times.items()},
            "late": scan.created_after_start,
            "provable": self._is_provable,
            "edited": scan.has_edits,
            "duplicates": scan.duplicates,
            "count": scan.count,
            "counted": self.counted,
            "started": self.started.isoformat(),
            "bound": self._bounds[0],
        }

    def _resume(self, state: dict[str, Any]) -> None:
        scan = self.scan
        scan.last = (state["last"][0], state["last"][1])
        scan.last_second_ids = list(state["group"])
        scan.boundary_times = {created: list(ids) for created, ids in state["seams"].items()}
        scan.created_after_start = state["late"]
        scan.has_edits, scan.duplicates = state["edited"], state["duplicates"]
        for ids in (scan.last_second_ids, *scan.boundary_times.values()):
            scan.ids.add(ids)
        scan.count_before_resume = state["count"] - len(scan.ids)
        if state["counted"] is None or not state["provable"]:
            self._is_provable = False  # counted only now, the records prove nothing about what came before
        self.counted, self.started = state["counted"], datetime.fromisoformat(state["started"])
        self._bounds = (state["bound"], query.compare(CREATED, ">=", scan.last[0]))


def _unpack(fetched: Future[list[tuple[int, ResponseBody]]]) -> None:
    """Unpack a page as soon as it is there; what goes wrong shows to whoever takes it."""
    with contextlib.suppress(ConnectorError):
        for _, body in fetched.result():
            body.decompress()


def _written(at: datetime) -> str:
    """Write an instant as a query takes it, in whole seconds, rounded up."""
    if at.microsecond:
        at = at.replace(microsecond=0) + timedelta(seconds=1)
    return at.isoformat()
