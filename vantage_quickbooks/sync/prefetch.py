"""Fetches the pages of a full read: several ahead, in order, and in halves where QuickBooks is too slow."""

from __future__ import annotations

import contextlib
import contextvars
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from vantage_quickbooks.api.rate_limiter import MAX_CONCURRENT
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.api.response_body import ResponseBody
    from vantage_quickbooks.core.query import Select

    _Fetched = Future[list[tuple[int, ResponseBody]]]

__all__ = ["PREFETCHED_PAGES", "PageFetcher"]

MIN_PAGE = 25
"""Records of the smallest page that a slow page is divided into."""

PREFETCHED_PAGES = MAX_CONCURRENT
"""Pages in progress or waiting: enough to keep one decoder busy at 150 ms of latency."""


class PageFetcher:
    """Fetches pages, each as compressed text.

    Args:
        client: Sends the requests.
        call: The call that they belong to.
        statement_at: Makes the statement of a page, given its position, its size and further conditions.
        size: Records of a page.
    """

    def __init__(
        self, client: QuickBooksClient, call: CallContext, statement_at: Callable[..., Select], size: int
    ) -> None:
        self._client = client
        self._call = call
        self._statement_at = statement_at
        self._size = size
        self._largest_page = size  # QuickBooks was too slow for more
        self._pools: list[ThreadPoolExecutor] = []

    def close(self) -> None:
        """Stop fetching ahead."""
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)

    def ahead(self, positions: range) -> Iterator[tuple[int, int, ResponseBody]]:
        """Begin to fetch several pages at a time; yield them in order, each with its position and size."""
        if not positions:
            return iter(())
        fetchers = ThreadPoolExecutor(PREFETCHED_PAGES, thread_name_prefix="quickbooks-page")
        # One thread for all pages: each further thread would keep some megabytes of memory for a page.
        decompressor = ThreadPoolExecutor(1, thread_name_prefix="quickbooks-decompress")
        self._pools += [fetchers, decompressor]
        upcoming = iter(positions)
        waiting: deque[tuple[int, _Fetched]] = deque()

        def fill() -> None:
            while len(waiting) < PREFETCHED_PAGES and (position := next(upcoming, None)) is not None:
                run = contextvars.copy_context().run  # the call's log fields and span
                waiting.append((position, fetchers.submit(run, self._fetch, position)))

        fill()
        return _in_order(waiting, fill, decompressor)

    def _fetch(self, position: int) -> list[tuple[int, ResponseBody]]:
        return list(self.parts(position, self._size))

    def parts(self, position: int, size: int, *where: str) -> Iterator[tuple[int, ResponseBody]]:
        """Fetch a page: in halves, each overlapping the other by one record, if it takes QuickBooks too long.

        Yields:
            The number of records asked for, and the answer.
        """
        statement = self._statement_at(position, size, *where)
        if size <= MIN_PAGE:
            yield size, self._client.fetch(statement, self._call, retry_timeouts=True)
            return
        if size <= self._largest_page:
            try:
                body = self._client.fetch(statement, self._call)
            except ConnectorError as error:
                if not error.is_timeout:
                    raise
                self._largest_page = max(MIN_PAGE, min(self._largest_page, (size + 2) // 2))
            else:
                yield size, body
                return
        half = (size + 2) // 2
        yield from self.parts(position, half, *where)
        yield from self.parts(position + half - 1, size - half + 1, *where)


def _in_order(
    waiting: deque[tuple[int, _Fetched]], fill: Callable[[], None], decompressor: ThreadPoolExecutor
) -> Iterator[tuple[int, int, ResponseBody]]:
    while True:
        fill()
        if not waiting:
            return
        position, future = waiting.popleft()
        parts = future.result()
        if waiting:  # while this page is decoded, and no further ahead: decompressed pages are large
            decompressor.submit(_decompress, waiting[0][1])
        for size, body in parts:
            yield position, size, body
            position += size - 1


def _decompress(fetched: _Fetched) -> None:
    """Decompress a page as soon as it has arrived; its reader gets the error if that fails."""
    with contextlib.suppress(ConnectorError):
        for _, body in fetched.result():
            body.decompress()
