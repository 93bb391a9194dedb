"""Reads every record of an entity: pages in parallel within Intuit's limits, in order, with flat memory.

`core.completeness` has the rules that prove a read complete. The first page is read first, then QuickBooks' count: two
calls if the page contains everything. Pages that a size known from before makes certain are requested together with the
count (rule 7). The other pages are fetched several at a time. Each stays compressed until it is
decoded, in order.

One page is in memory at a time: a generator's local variables live as long as it is suspended, so decoded rows are
handed on through `_fresh`, and no local variable holds them while a batch is yielded.
"""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from vantage_quickbooks.core import query
from vantage_quickbooks.core.completeness import (
    ScanState,
    SortKey,
    count_complete_seconds,
    creation_time,
    early_positions,
    page_positions,
)
from vantage_quickbooks.core.responses import records_of
from vantage_quickbooks.errors import ConnectorError, IncompleteReadError, UnexpectedResponseError
from vantage_quickbooks.sync.gc_pause import gc_paused
from vantage_quickbooks.sync.prefetch import PREFETCHED_PAGES, PageFetcher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.api.response_body import ResponseBody
    from vantage_quickbooks.core.query import Select

__all__ = ["Batch", "Decoded", "FullRead", "check_answer", "decode"]

_MAX_TIE_ATTEMPTS = 3

_CLOCK_MARGIN = timedelta(seconds=2)
"""A record may be stamped later than the answer to a request that came before it (recorded: up to 1.2 seconds)."""

_YEARS = (1000, 9000)

CREATED = "MetaData.CreateTime"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded page: its rows in the decoder's form, their sort keys, and the time at which QuickBooks answered."""

    rows: list[Any]
    sort_keys: list[SortKey]
    time: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """The records that are next in the order of creation.

    Attributes:
        rows: The records, in the decoder's form.
        cursor: State from which a later read continues after these records; None in the last batch.
        is_last: Whether the read is complete with this batch.
    """

    rows: list[Any]
    cursor: dict[str, Any] | None
    is_last: bool


class _Task(NamedTuple):
    """A page to decode next: how many records were requested, how to get it, and whether it may be short."""

    asked: int
    load: Callable[[], Decoded]
    is_planned: bool
    may_be_short: bool


def decode(body: bytes, entity: str) -> Decoded:
    """Decode a page into dicts.

    Raises:
        UnexpectedResponseError: It is not a page of this entity, or a record lacks its Id or creation time.
    """
    try:
        with gc_paused():
            answer = orjson.loads(body)
        rows = records_of(answer["QueryResponse"], entity)
        sort_keys = [(row["MetaData"]["CreateTime"], row["Id"]) for row in rows]
        check_answer(answer, sort_keys)
        return Decoded(rows, sort_keys, datetime.fromisoformat(answer["time"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UnexpectedResponseError(
            f"QuickBooks answered with a damaged page of {entity} records, or without their Ids and creation times."
        ) from None


def check_answer(answer: dict[str, Any], sort_keys: list[SortKey]) -> None:
    """Raise ValueError or TypeError unless all Ids are text and all times have an offset and a plausible year."""
    if "Fault" in answer or "fault" in answer or not all(type(id_) is str and id_ for _, id_ in sort_keys):
        raise ValueError
    for text in {answer["time"], *(created for created, _ in sort_keys)}:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None or not _YEARS[0] <= at.year <= _YEARS[1]:
            raise ValueError


class FullRead:
    """One full read. Iterate it once; afterwards its attributes describe how it went.

    Args:
        client: Sends the requests.
        statement: Entity and conditions, without order and position.
        call: The call, with its limit of API calls; its time limit restarts with each page.
        tie_breaker: A property that orders records of the same second, `DocNumber`; None if there is none.
        is_immutable: Whether no edit can make a record begin or cease to meet the conditions.
        has_cdc: Whether change data capture covers the entity.
        size: Records of a page, 2 to 1000.
        state: The state in a cursor, to continue from.
        decoder: Makes rows and sort keys of an answer.
        stops_at_limit: Whether a read that does not fit its limit of API calls ends early, with `is_interrupted`, after
            as many pages as fit. Otherwise it is refused as soon as the count is known.
        expected: Number of records, as far as known: pages need not wait for the count.

    Attributes:
        state: How far the read has come.
        counted: QuickBooks' count of the records created before the second in which the read began.
        started: When the read began, by QuickBooks' clock.
        reconciled: Whether gaps or boundaries were requested again.
        fits: Whether all pages fit the limit of API calls; known with the first batch.
        is_interrupted: Whether it ended early: the cursor of its last batch continues.
    """

    def __init__(
        self,
        client: QuickBooksClient,
        statement: Select,
        call: CallContext,
        *,
        tie_breaker: str | None,
        is_immutable: bool,
        has_cdc: bool = True,
        size: int = query.MAX_PAGE,
        state: dict[str, Any] | None = None,
        decoder: Callable[[bytes, str], Decoded] = decode,
        stops_at_limit: bool = False,
        expected: int | None = None,
    ) -> None:
        self._client = client
        self._statement = statement
        self._call = call
        self._order = (CREATED, tie_breaker) if tie_breaker else (CREATED,)
        self._is_immutable = is_immutable
        self._is_provable = is_immutable  # by the count
        self._has_cdc = has_cdc
        self._size = max(2, size)
        self._decoder = decoder
        self._fetcher = PageFetcher(client, call, self._at, self._size)
        self._bounds: tuple[str, ...] = ()
        self._held: Decoded | None = None  # the page whose gap is being read
        self._fresh: list[Any] = []  # rows that were taken and not yet yielded
        self._is_over = False
        self._largest = 0  # rows of the largest answer
        self.state = ScanState()
        self.counted: int | None = None
        self.started: datetime | None = None
        self.reconciled = False
        self.fits = True
        self.is_interrupted = False
        self._stops_at_limit = stops_at_limit
        is_early = is_immutable and state is None and call.max_api_calls is None
        self._early = early_positions(expected if is_early else None, self._size, PREFETCHED_PAGES - 1)
        if state is not None:
            self._resume(state)

    def __iter__(self) -> Generator[Batch, None, None]:
        """Yield the records in the order of creation, each once, the last batch with `is_last`.

        Raises:
            IncompleteReadError: The read cannot be completed, or does not fit its limit of API calls.
            ConnectorError: See `QuickBooksClient.request`. The batches before it are complete and in order, and the
                cursor of the last one continues from there.
        """
        has_ended = False
        try:
            for batch in self._scan():
                has_ended = batch.is_last
                yield batch
                del batch  # one page in memory at a time
                self._call.restart_timeout()  # the time that the consumer takes does not count
                if has_ended:
                    return
            if not self.is_interrupted:
                yield Batch([], None, is_last=True)
        except BaseException:
            self._call.cancel()  # or threads would keep sending requests for an abandoned read
            raise
        finally:
            self._fetcher.close()

    # ---- scan --------------------------------------------------------------------------------------------------------

    def _scan(self) -> Iterator[Batch]:
        taken, is_all = self._take_first_page()
        if self.counted is None:
            yield from self._scan_early()
            taken = self.state.count
        is_short = is_all and self._is_behind_count()
        self._is_over = is_all and not is_short and self._needs_no_proof()
        planned = range(0) if is_all else self._plan(taken)
        yield from self._emit()
        if not is_all:
            self.is_interrupted = not (yield from self._scan_rest(planned))
            if self.is_interrupted:
                return
        elif is_short:
            yield from self._read_on()
        if self.state.boundary_times and not self._is_proven():
            yield from self._recheck_boundaries()
        self._check_count()

    def _emit(self) -> Iterator[Batch]:
        """Yield what was taken, if anything was."""
        if self._fresh:
            yield self._pop()

    def _pop(self) -> Batch:
        rows, self._fresh = self._fresh, []
        return Batch(rows, None if self._is_over else self._state(), self._is_over)

    def _take(self, page: Decoded, *, overlap: bool = True) -> None:
        self._call.restart_timeout()
        self._fresh = self.state.add_page(page.rows, page.sort_keys, overlap=overlap)

    def _take_first_page(self) -> tuple[int, bool]:
        """Take the first page; return how many of its records count, and whether the page holds everything."""
        first = self._first_page()
        is_all = len(first.rows) < self._size
        duplicates = self.state.duplicates
        kept = first if is_all else self._trim_partial_second(first)
        self._take(kept)
        self.state.duplicates = duplicates  # a resumed read begins with the last record: an intended overlap
        if self.counted is None and (is_all or not self._early or not self._is_provable):
            self.counted = self._count()
        return len(kept.rows), is_all

    def _scan_early(self) -> Iterator[Batch]:
        """Yield the first page, and the early pages while QuickBooks counts; rule 7 of `core.completeness`."""
        with ThreadPoolExecutor(1, thread_name_prefix="quickbooks-count") as counter:
            counting = counter.submit(contextvars.copy_context().run, self._count)
            pages = self._fetcher.ahead(self._early)
            yield from self._emit()
            for position, asked, body in pages:
                is_taken = self._take_early(self._decode(body, position, asked), asked)
                del body  # one page in memory at a time
                if not is_taken:
                    break
                yield from self._emit()
            self.counted = counting.result()

    def _take_early(self, page: Decoded, asked: int) -> bool:
        """Take the seconds that an early page certainly contains completely; return whether the page qualifies."""
        last = self.state.last
        if last is None or len(page.rows) < asked:
            return False
        known = creation_time(last)
        kept = count_complete_seconds(page.sort_keys)
        start = next((index for index in range(kept) if creation_time(page.sort_keys[index]) > known), kept)
        if not 0 < start < kept:  # it begins too late, or contains nothing new
            return False
        self._take(Decoded(page.rows[start:kept], page.sort_keys[start:kept], page.time), overlap=False)
        return True

    def _first_page(self) -> Decoded:
        """Read the first page; read it again if it is empty although QuickBooks counts records."""
        for _ in range(_MAX_TIE_ATTEMPTS):
            first = self._page(1, self._size)
            if self.started is None:
                self.started = first.time
            if not self._bounds:
                self._bounds = (query.compare(CREATED, "<=", _written(self.started + _CLOCK_MARGIN)),)
            self.state.snapshot_time = self.started.replace(microsecond=0)
            if first.rows or self.counted is not None:
                return first
            counted = self._count()
            if not counted:
                self.counted = 0
                return first
        raise IncompleteReadError(
            f"QuickBooks counts {counted} {self._statement.entity} records and sends none. Try again later.",
            details={"received": 0, "counted": counted},
        )

    def _trim_partial_second(self, first: Decoded) -> Decoded:
        """Trim the first page to the seconds that it certainly contains completely; rule 5 of `core.completeness`."""
        if not self._is_provable or self.counted is not None:
            return first
        kept = count_complete_seconds(first.sort_keys)
        if 2 * kept < self._size:  # reading that many again would cost a page: verify by boundaries
            self._is_provable = False
            return first
        return Decoded(first.rows[:kept], first.sort_keys[:kept], first.time)

    def _plan(self, taken: int) -> range:
        """Return the positions of the pages after the first, of which *taken* records count."""
        planned = page_positions((self.counted or 0) - self.state.count + taken, self._size, taken)
        if not self._stops_at_limit:
            self._check_max_api_calls(len(planned))
        elif self._call.max_api_calls is not None:
            left = max(0, self._call.max_api_calls - self._call.api_calls)
            self.fits = len(planned) <= left
            planned = planned[:left]
        return planned

    def _scan_rest(self, planned: range) -> Generator[Batch, None, bool]:
        """Yield the batches of the pages after the first; return whether their end was reached."""
        stale = 0
        for task in self._tasks(planned):
            self._held = task.load()
            gap = self.state.find_gap(self._held.sort_keys)
            if gap is not None:
                yield from self._reread_gap(*gap)
            is_end = self._take_held() < task.asked
            if task.is_planned or self._fresh or is_end:
                stale = 0
            elif (stale := stale + 1) * (self._size - 1) > len(self.state.ids) + self._size:
                raise self._no_progress()  # more pages without new records than all records so far could fill
            # Many deletions, or a server that sent less than requested: continue after the last record.
            is_short = is_end and (not task.may_be_short or self._is_behind_count())
            self._is_over = is_end and not is_short and self._needs_no_proof()
            yield from self._emit()
            if is_short:
                yield from self._read_on()
            if is_end:
                return True
        return False

    def _take_held(self) -> int:
        """Take the page that was held until its gap was read; return its number of records."""
        page, self._held = self._held, None
        if page is None:
            raise AssertionError  # only called after a page was loaded  # pragma: no cover
        self._take(page)
        return len(page.rows)

    def _tasks(self, planned: range) -> Iterator[_Task]:
        """Yield the planned pages, then further pages until the caller stops; the caller decodes them."""
        for position, asked, body in self._fetcher.ahead(planned):
            yield _Task(asked, partial(self._decode, body, position, asked), True, position + asked >= planned.stop)
        if not self.fits:
            return
        for position in count(planned.start + len(planned) * planned.step, planned.step):
            yield _Task(self._size, partial(self._page, position, self._size), False, True)

    def _page(self, position: int, size: int, *where: str) -> Decoded:
        """Fetch and decode one page now, joining its parts if it comes in parts.

        A page in parts is not a snapshot: the times at which parts meet are boundaries, like those between pages.
        """
        for _ in range(_MAX_TIE_ATTEMPTS):
            joined: Decoded | None = None
            at = position
            for asked, body in self._fetcher.parts(position, size, *where):
                part = self._decode(body, at, asked, *where)
                at += asked - 1
                if joined is None:
                    joined = part
                elif part.sort_keys and part.sort_keys[0][1] == joined.sort_keys[-1][1]:
                    self.state.add_boundary(joined.sort_keys[-1][0])
                    self._is_provable = self._is_provable and self.counted is not None
                    joined = Decoded(joined.rows + part.rows[1:], joined.sort_keys + part.sort_keys[1:], joined.time)
                else:
                    break  # the company was edited between the parts: read the page again
                if len(part.rows) < asked:
                    return joined
            else:
                if joined is not None:
                    return joined
        raise IncompleteReadError(
            "QuickBooks is too slow for complete pages, and their parts keep changing. Try again later."
        )

    def _decode(self, body: ResponseBody, position: int, size: int, *where: str) -> Decoded:
        """Decode a page; a damaged one is fetched once more."""
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

    # ---- proof -------------------------------------------------------------------------------------------------------

    def _count(self) -> int:
        """Count the records created before the second in which the read began."""
        if self.started is None:
            raise AssertionError  # the first page sets it  # pragma: no cover
        bound = query.compare(CREATED, "<", self.started.replace(microsecond=0).isoformat())
        return self._client.count(self._statement.also(bound), self._call)

    def _received(self) -> int:
        """Return how many of the records that the count covers were received."""
        return self.state.count - self.state.created_after_start

    def _is_behind_count(self) -> bool:
        """Return whether fewer records were received than QuickBooks counts; a difference is counted again."""
        return self.counted is not None and self._received() < self.counted and self._received() < self._count()

    def _is_proven(self) -> bool:
        return self._is_provable and self.state.is_verified_by(self.counted)

    def _needs_no_proof(self) -> bool:
        return not self.state.boundary_times or self._is_proven()

    def _check_max_api_calls(self, further: int) -> None:
        needed, allowed = self._call.api_calls + further, self._call.max_api_calls
        if allowed is not None and needed > allowed:
            raise IncompleteReadError(
                f"A full read of {self.counted} records takes at least {needed} API calls, and max_api_calls is "
                f"{allowed}. Allow more, or narrow the filters.",
                retryable=False,
                details={"maxApiCalls": allowed, "needed": needed},
            )

    def _check_count(self) -> None:
        """Reject a read that received fewer records than QuickBooks still counts.

        If edits can make a record cease to meet the conditions, a difference proves nothing. Then the read has
        continued until a response had no new record, which only a server that sends one record at a time could fake.
        """
        if self._is_over or (not self._is_immutable and self._largest > 1) or not self._is_behind_count():
            return
        received, counted = self._received(), self._count()
        raise IncompleteReadError(
            f"QuickBooks counts {counted} {self._statement.entity} records and sent {received}. Read again.",
            details={"received": received, "counted": counted},
        )

    def _no_progress(self) -> UnexpectedResponseError:
        return UnexpectedResponseError(
            f"QuickBooks sends the same {self._statement.entity} records again and again. Try again later.",
            details={"received": self.state.count, "counted": self.counted},
        )

    # ---- records displaced by edits ----------------------------------------------------------------------------------

    def _read_on(self) -> Iterator[Batch]:
        """Continue after a response with fewer records than requested, although QuickBooks counts more."""
        self.state.has_edits = True
        if self.state.last is not None:
            yield from self._reread_gap(self.state.last, None)

    def _reread_gap(self, start: SortKey, end: SortKey | None) -> Iterator[Batch]:
        """Read all records created from *start* to *end*, both inclusive (None: to the end of the read).

        A short response does not prove an end: the read continues until it has reached *end*, or until a response has
        no new record and QuickBooks counts no more.
        """
        self.reconciled = True
        upper = () if end is None else (query.compare(CREATED, "<=", end[0]),)
        while True:
            reached, is_short = self._take_page(query.compare(CREATED, ">=", start[0]), *upper)
            yield from self._emit()
            if reached is None or (is_short and end is not None and creation_time(reached) >= creation_time(end)):
                return
            if creation_time(reached) <= creation_time(start):
                if is_short and (self._largest == 1 or not self._is_behind_count()):
                    return
                yield from self._read_tied_timestamps(start[0])
                reached, _ = self._take_page(query.compare(CREATED, ">", start[0]), *upper)
                yield from self._emit()
                if reached is None:
                    return
                if creation_time(reached) <= creation_time(start):
                    raise self._no_progress()
            start = reached

    def _take_page(self, *where: str) -> tuple[SortKey | None, bool]:
        """Take the first page of records that meet *where*; return its last sort key and whether it was short."""
        page = self._page(1, self._size, *where)
        self._take(page, overlap=False)
        return page.sort_keys[-1] if page.sort_keys else None, len(page.rows) < self._size

    def _read_tied_timestamps(self, created: str) -> Iterator[Batch]:
        """Read more than a page of records that were created in the same second, by position."""
        same = (query.compare(CREATED, ">=", created), query.compare(CREATED, "<=", created))
        statement = self._statement.also(*self._bounds, *same)
        before = self._client.count(statement, self._call)
        for _ in range(_MAX_TIE_ATTEMPTS):
            ids: set[str] = set()
            position, last = 1, None
            while (reached := self._take_overlapping(position, last, ids, *same)) is not None:
                last, is_short = reached
                yield from self._emit()
                if is_short:
                    break
                position += self._size - 1
            after = self._client.count(statement, self._call)
            if before == len(ids) == after:  # none was deleted in the meantime, so none is missing
                return
            before = after
        raise IncompleteReadError(
            f"More than {self._size} {self._statement.entity} records were created in the second {created} and keep "
            "changing places while they are read. Read them while no one edits them."
        )

    def _take_overlapping(
        self, position: int, last: SortKey | None, ids: set[str], *where: str
    ) -> tuple[SortKey | None, bool] | None:
        """Take the page at *position* if it begins with *last*, and add its Ids to *ids*.

        Returns:
            Its last sort key, and whether it was short; None if it does not overlap the page before.
        """
        page = self._page(position, self._size, *where)
        if last is not None and (not page.sort_keys or page.sort_keys[0] != last):
            return None
        ids.update(id_ for _, id_ in page.sort_keys)
        self._take(page)
        return page.sort_keys[-1] if page.sort_keys else None, len(page.rows) < self._size

    def _recheck_boundaries(self) -> Iterator[Batch]:
        """Read the seconds in which pages ended once more, unless nothing was edited."""
        if self._is_untouched():
            return
        self.reconciled = True
        self._bounds = self._bounds[:1]  # boundaries may be earlier than the record at which the read was resumed
        for created in list(self.state.boundary_times):
            yield from self._reread_gap((created, ""), (created, ""))
            if self._stops_at_limit:  # what is rechecked need not be rechecked by the read that continues
                del self.state.boundary_times[created]
                yield Batch([], self._state(), is_last=False)

    def _is_untouched(self) -> bool:
        """Return whether nothing was edited since the read began, by change data capture; False in case of doubt."""
        if not self._has_cdc or self.state.has_edits or self.started is None or self._received() < (self.counted or 0):
            return False
        try:
            entity, since = self._statement.entity, _written(self.started - _CLOCK_MARGIN)
            return not self._client.changes([entity], since, self._call)[entity]
        except ConnectorError:
            return False

    # ---- cursor ------------------------------------------------------------------------------------------------------

    def _state(self) -> dict[str, Any] | None:
        state = self.state
        if state.last is None or self.started is None or not self._bounds:
            return None
        return {
            "last": list(state.last),
            "last_second_ids": list(state.last_second_ids),
            "boundary_times": {created: list(ids) for created, ids in state.boundary_times.items()},
            "created_after_start": state.created_after_start,
            "provable": self._is_provable,
            "edited": state.has_edits,
            "duplicates": state.duplicates,
            "count": state.count,
            "counted": self.counted,
            "started": self.started.isoformat(),
            "bound": self._bounds[0],
        }

    def _resume(self, saved: dict[str, Any]) -> None:
        state = self.state
        state.last = (saved["last"][0], saved["last"][1])
        state.last_second_ids = list(saved["last_second_ids"])
        state.boundary_times = {created: list(ids) for created, ids in saved["boundary_times"].items()}
        state.created_after_start = saved["created_after_start"]
        state.has_edits, state.duplicates = saved["edited"], saved["duplicates"]
        for ids in (state.last_second_ids, *state.boundary_times.values()):
            state.ids.add(ids)
        state.count_before_resume = saved["count"] - len(state.ids)
        if saved["counted"] is None or not saved["provable"]:
            self._is_provable = False  # a count from now on proves nothing about the records before
        self.counted, self.started = saved["counted"], datetime.fromisoformat(saved["started"])
        self._bounds = (saved["bound"], query.compare(CREATED, ">=", state.last[0]))


def _written(at: datetime) -> str:
    """Write an instant as a query takes it, in whole seconds, rounded up."""
    if at.microsecond:
        at = at.replace(microsecond=0) + timedelta(seconds=1)
    return at.isoformat()
