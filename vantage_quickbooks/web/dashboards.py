"""The dashboards of companies: their sources are read in the background, and their tiles are kept for a while.

Theory of operation
1. A dashboard is read when its page is opened, and at most once in `FRESH_S` seconds, unless the company's data changed
   (`Dashboards.invalidate`) or a user asks for it. What was read before stays visible until then.
2. Each source is read by itself: first one page; if there are more rows, all of them. A source that fails has its error
   in its tiles, and the tiles of other sources have their figures.
3. Rows are added up while they are read and are not kept; see `dashboard`.
4. A change during a read makes the source be read again after it: the figures are never older than the last change that
   a reader of the page was notified of.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vantage_quickbooks.errors import CancelledError
from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web.dashboard import sums_of
from vantage_quickbooks.web.events import CHANGES
from vantage_quickbooks.web.failures import error_of
from vantage_quickbooks.web.host import current_observer
from vantage_quickbooks.web.links import list_url, record_url
from vantage_quickbooks.web.listings import Listing, day_of, is_list
from vantage_quickbooks.web.modes import FULL, input_of, modes_of
from vantage_quickbooks.web.report_pages import report_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vantage_quickbooks.web.dashboard import Figure, Sums
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.store import Record

__all__ = ["FRESH_S", "Board", "Dashboards", "Tile", "dashboard_of"]

FRESH_S = 300.0
"""Age up to which figures are shown again without an API call."""

RETRY_S = 30.0
"""Age up to which an error is shown again without an API call."""

_MAX_BOARDS = 200
_MAX_READS = 8
"""Sources that are read at the same time, of all companies."""

_KINDS = ("number", "bars", "top", "shares", "periods")


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile, for display.

    Attributes:
        id: Its id.
        kind: `number`, `bars`, `top`, `shares` or `periods`.
        title: Its heading.
        state: `loading`, `ready` or `failed`.
        figures: One for each currency.
        empty: What it says if there is nothing to show.
        noun: What one row and several rows are called.
        tone: Its meaning if its number is above zero.
        whole: What its sum is called; empty if its title says it.
        error: The `error` of the envelope.
        first_rows: How many rows it covers, if the source has more; 0 for all.
    """

    id: str
    kind: str
    title: str
    state: str
    figures: tuple[Figure, ...] = ()
    empty: str = ""
    noun: tuple[str, str] = ("row", "rows")
    tone: str = ""
    whole: str = ""
    error: Mapping[str, Any] | None = None
    first_rows: int = 0


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard, for display.

    Attributes:
        numbers: The tiles with a number.
        charts: The other tiles.
        read_at: When the oldest of its figures was read; None if none was.
        api_calls: API calls that reading it took.
        is_updating: Whether a source is being read.
    """

    numbers: tuple[Tile, ...]
    charts: tuple[Tile, ...]
    read_at: datetime | None
    api_calls: int
    is_updating: bool


@dataclass(slots=True)
class _Source:
    """What is known of a source of one company."""

    figures: dict[str, tuple[Figure, ...]] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    read_at: datetime | None = None
    ended: float = 0.0  # on the monotonic clock
    today: date | None = None
    api_calls: int = 0
    first_rows: int = 0
    is_reading: bool = False
    is_stale: bool = True

    def needs_read(self, today: date) -> bool:
        """Return whether the source has to be read."""
        if self.is_reading:
            return False
        age = time.monotonic() - self.ended
        return self.is_stale or self.today != today or age > (RETRY_S if self.error else FRESH_S)


@dataclass(slots=True)
class _Company:
    """The sources of one company."""

    settings: Mapping[str, Any]
    sources: dict[str, _Source]


class _Observer:
    """Cancels the reads of a server that ends (see `host.Observer`)."""

    def __init__(self) -> None:
        self.is_closed = threading.Event()

    def progress(self, done: int, total: int | None) -> None:
        """Ignore the progress."""

    def is_cancelled(self) -> bool:
        """Return whether the server ends."""
        return self.is_closed.is_set()


class Dashboards:
    """The dashboards of this server. Thread-safe.

    Args:
        host: The connections. Its events about changes make figures be read again.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._companies: OrderedDict[str, _Company] = OrderedDict()
        self._changed = threading.Condition()
        self._observer = _Observer()
        self._pool = ThreadPoolExecutor(_MAX_READS, thread_name_prefix="dashboard")
        host.events.on(CHANGES, self.invalidate)

    def has(self, record: Record) -> bool:
        """Return whether a connection has a dashboard."""
        return dashboard_of(self._host.describe(record.connector)) is not None

    def get(self, record: Record, *, wait_s: float = 0.0) -> Board:
        """Return a dashboard, and begin to read what is not fresh.

        Args:
            record: The connection, which has a dashboard and is ready.
            wait_s: How long to wait for the sources that are being read.
        """
        described = self._host.describe(record.connector)
        dashboard = dashboard_of(described) or {}
        today = datetime.now().astimezone().date()
        with self._changed:
            company = self._company(record, dashboard)
            for source in dashboard["sources"]:
                kept = company.sources[source["id"]]
                if kept.needs_read(today) and not self._observer.is_cancelled():
                    kept.is_reading, kept.is_stale = True, False
                    tiles = [it for it in dashboard["tiles"] if it["source"] == source["id"]]
                    read = _Read(self._host, self._observer, record, source, tiles, today)
                    self._pool.submit(self._read, read, company)
            self._changed.wait_for(lambda: not any(it.is_reading for it in company.sources.values()), wait_s)
            return self._board(described, dashboard, company)

    def invalidate(self, connection_id: str) -> None:
        """Have the figures of a connection read again the next time they are asked for."""
        with self._changed:
            company = self._companies.get(connection_id)
            for source in company.sources.values() if company else ():
                source.is_stale = True

    def close(self) -> None:
        """Cancel all reads."""
        self._observer.is_closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def source(self, record: Record, source_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the action and the input of a source, to show its rows; None if there is none.

        Args:
            record: The connection.
            source_id: The source of its dashboard.
        """
        dashboard = dashboard_of(self._host.describe(record.connector)) or {"sources": ()}
        found = next((it for it in dashboard["sources"] if it["id"] == source_id), None)
        action = self._host.action(record.connector, str(found["action"])) if found else None
        if found is None or action is None:
            return None
        return action, _inputs(found, action, datetime.now().astimezone().date())

    # ---- what was read ----

    def _company(self, record: Record, dashboard: Mapping[str, Any]) -> _Company:
        company = self._companies.get(record.id)
        if company is None or company.settings != record.settings:  # other settings may be another company
            sources = {str(source["id"]): _Source() for source in dashboard["sources"]}
            company = self._companies[record.id] = _Company(dict(record.settings), sources)
        self._companies.move_to_end(record.id)
        if len(self._companies) > _MAX_BOARDS:
            self._companies.popitem(last=False)
        return company

    def _board(self, described: Mapping[str, Any], dashboard: Mapping[str, Any], company: _Company) -> Board:
        listings = {it["id"]: it.get("listing") or {} for it in described["actions"]}
        action_of = {source["id"]: source["action"] for source in dashboard["sources"]}
        tiles = [
            self._tile(tile, company.sources[tile["source"]], listings[action_of[tile["source"]]])
            for tile in dashboard["tiles"]
        ]
        read = [it.read_at for it in company.sources.values() if it.read_at]
        return Board(
            tuple(tile for tile in tiles if tile.kind == "number"),
            tuple(tile for tile in tiles if tile.kind != "number"),
            min(read, default=None),
            sum(it.api_calls for it in company.sources.values()),
            any(it.is_reading or it.is_stale for it in company.sources.values()),
        )

    @staticmethod
    def _tile(tile: Mapping[str, Any], source: _Source, listing: Mapping[str, Any]) -> Tile:
        is_read = source.error is not None or source.read_at is not None
        return Tile(
            id=str(tile["id"]),
            kind=str(tile["kind"]),
            title=str(tile["title"]),
            state="failed" if source.error else "ready" if is_read else "loading",
            figures=() if source.error else source.figures.get(str(tile["id"]), ()),
            empty=str(tile.get("empty") or ""),
            noun=(str(listing.get("one") or "row"), str(listing.get("many") or "rows")),
            tone=str(tile.get("tone") or ""),
            whole=str(tile.get("wholeLabel") or ""),
            error=source.error,
            first_rows=source.first_rows,
        )

    # ---- reading ----

    def _read(self, read: _Read, company: _Company) -> None:
        current_observer.set(self._observer)
        found = read.run()
        if not self._observer.is_cancelled():
            self._host.record_outcome(read.record, found.error)
        with self._changed:
            # What changed during the read may be missing in it.
            found.is_stale = company.sources[read.source["id"]].is_stale
            company.sources[read.source["id"]] = found
            self._changed.notify_all()


class _Failed(Exception):  # noqa: N818 -- carries the connector's error
    """The connector's own error.

    Args:
        error: The `error` of the envelope.
    """

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("code"))
        self.error = error


@dataclass(slots=True)
class _Read:
    """One read of a source.

    Attributes:
        host: The connections.
        observer: Says whether the server ends.
        record: The connection.
        source: The source of the descriptor.
        tiles: The tiles that it feeds.
        today: Today's date.
        api_calls: API calls so far.
    """

    host: Host
    observer: _Observer
    record: Record
    source: Mapping[str, Any]
    tiles: Sequence[Mapping[str, Any]]
    today: date
    api_calls: int = 0

    def run(self) -> _Source:
        """Return what the source has: figures or an error."""
        found = _Source(today=self.today, is_stale=False)
        try:
            action = self.host.action(self.record.connector, str(self.source["action"]))
            if action is not None:
                self._fill(found, action)
            found.read_at = datetime.now(UTC)
        except _Failed as failed:
            found.error = failed.error
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            found.error = error_of(error)
        found.api_calls, found.ended = self.api_calls, time.monotonic()
        return found

    def _fill(self, found: _Source, action: dict[str, Any]) -> None:
        data = _inputs(self.source, action, self.today)
        sums, result = self._read_page(action, data)
        if value_at(result, "metadata.mayHaveMore"):
            if self.source.get("reads") == "all" and _can_read_all(self.host, self.record, action):
                sums, result = self._read_all(action, data)
            else:
                found.first_rows = int(result.get("count") or 0)
        links = _TileLinks(self.host, self.record, self.source, action, self.today)
        for tile, added in zip(self.tiles, sums, strict=True):
            if added is not None:
                found.figures[str(tile["id"])] = added.figures(result, links.url)

    def _read_page(self, action: dict[str, Any], data: Mapping[str, Any]) -> tuple[list[Sums | None], dict[str, Any]]:
        page_size = Listing.of(action).page_size if is_list(action) else {}
        outcome = self.host.connection(self.record).call(action["id"], {**page_size, **data})
        if not outcome["success"]:
            raise _Failed(outcome["error"])
        result = dict(outcome["data"])
        rows = result.pop(action["rowsKey"], None) if action.get("rowsKey") else None
        rows = rows if isinstance(rows, list) else [rows] if isinstance(rows, dict) else []
        result.setdefault("count", len(rows))
        self.api_calls += int(value_at(result, "metadata.apiCalls") or 0)
        return self._add([sums_of(tile, self.today) for tile in self.tiles], rows), result

    def _read_all(self, action: dict[str, Any], data: Mapping[str, Any]) -> tuple[list[Sums | None], dict[str, Any]]:
        sums = [sums_of(tile, self.today) for tile in self.tiles]
        calls, metadata = 0, {}
        is_one_read = bool(action.get("fullReadInput"))
        for page in self.host.connection(self.record).stream(action["id"], {**data, **input_of(action, FULL)}):
            if self.observer.is_cancelled():
                raise CancelledError("The server ends.")
            self._add(sums, page.get(action["rowsKey"]) or [])
            metadata = dict(page.get("metadata") or {})
            spent = int(metadata.get("apiCalls") or 0)
            # A full read counts its API calls from page to page; pages that are read one by one each start at zero.
            calls = spent if is_one_read else calls + spent
        self.api_calls += calls
        return sums, {"metadata": metadata}

    @staticmethod
    def _add(sums: list[Sums | None], rows: Sequence[Mapping[str, Any]]) -> list[Sums | None]:
        for row in rows:
            for added in sums:
                if added is not None:
                    added.add(row)
        return sums


@dataclass(frozen=True, slots=True)
class _TileLinks:
    """Makes the URLs of the rows behind figures.

    Attributes:
        host: The connections.
        record: The connection.
        source: The source of the descriptor: where a figure without a link leads.
        action: The action of the source.
        today: Today's date.
    """

    host: Host
    record: Record
    source: Mapping[str, Any]
    action: Mapping[str, Any]
    today: date

    def url(self, link: Mapping[str, Any] | None, row: Mapping[str, Any], count: int) -> str:
        """Return the URL of a link; see `dashboard.LinkMaker`."""
        if link is None and not (is_list(self.action) or self.action.get("report")):
            return f"/connections/{quote(self.record.id)}/dashboard/{quote(str(self.source['id']))}"
        link = self.source if link is None else link
        action = self.host.action(self.record.connector, str(link["action"]))
        if action is None:
            return ""
        inputs = {**(link.get("input") or {}), **_days(link, self.today)}
        for name, path in (link.get("rowInput") or {}).items():
            if row.get(path) is None:
                return ""
            inputs[name] = row[path]
        if action.get("report"):
            return report_url(self.record.id, action["id"], [(name, str(value)) for name, value in inputs.items()])
        if not is_list(action):
            return record_url(self.record.id, action["id"], inputs)
        url = list_url(self.record.id, action["id"], {**inputs, **(link.get("presets") or {})})
        # A list shows the first rows unless it is asked for all of them.
        limit = next(iter(Listing.of(action).page_size.values()), None)
        if limit is not None and count > int(limit) and _can_read_all(self.host, self.record, action):
            url += ("&" if "?" in url else "?") + "read=all"
        return url


def dashboard_of(described: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the sources and tiles of a connector that this host can show; None if there are none.

    Tiles of unknown kinds, and those whose source or action does not exist, are left out.

    Args:
        described: The connector's descriptor.
    """
    dashboard: Mapping[str, Any] = described.get("dashboard") or {}
    actions = {action["id"]: action for action in described["actions"] if _is_safe(action)}
    sources = [source for source in dashboard.get("sources") or () if source.get("action") in actions]
    known = {source["id"] for source in sources}
    tiles = [
        tile for tile in dashboard.get("tiles") or () if tile.get("kind") in _KINDS and tile.get("source") in known
    ]
    used = {tile["source"] for tile in tiles}
    return {"sources": [it for it in sources if it["id"] in used], "tiles": tiles} if tiles else None


def _is_safe(action: Mapping[str, Any]) -> bool:
    return action.get("readOnly") is not False and not action["destructive"] and not action["sensitiveOutput"]


def _can_read_all(host: Host, record: Record, action: Mapping[str, Any]) -> bool:
    can_stream = host.offers(record.connector, "stream", record)
    return can_stream and FULL in {mode.id for mode in modes_of(action, can_stream=can_stream)}


def _days(described: Mapping[str, Any], today: date) -> dict[str, str]:
    return {name: day_of(bound, today).isoformat() for name, bound in (described.get("dates") or {}).items()}


def _inputs(source: Mapping[str, Any], action: Mapping[str, Any], today: date) -> dict[str, Any]:
    """Return the input of a source: its own, the days of its dates, and those of its presets."""
    found = {**(source.get("input") or {}), **_days(source, today)}
    presets: Mapping[str, str] = source.get("presets") or {}
    for item in Listing.of(action).filters if presets else ():
        preset = next((it for it in item.presets if it.id == presets.get(item.id)), None)
        if preset is not None:
            bounds = zip(item.fields, preset.bounds(today), strict=False)
            found |= {it.name: bound for it, bound in bounds if bound}
    return found
