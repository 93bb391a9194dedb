"""The page of all connections: searched, filtered and sorted by the server, with its whole state in the URL.

Theory of operation
1. A search, a filter and an order look only at what the list of a store says and at what this process remembers. So a
   page of thousands of connections takes a moment.
2. What takes reading settings and tokens (dates, calls of the month) is read for the connections of the shown page.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from vantage_quickbooks.web.formatting import instant
from vantage_quickbooks.web.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vantage_quickbooks.web.host import Host, Listed
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.sync_target import LastSync

__all__ = ["PAGE_ROWS", "STATES", "ConnectionList", "ListQuery", "Row", "ago", "headline", "make_list", "state_of"]

PAGE_ROWS = 50

STATES = {
    "refused": ("needs reconnect", "need reconnect", "bad"),
    "damaged": ("damaged", "damaged", "bad"),
    "invalid": ("invalid settings", "have invalid settings", "bad"),
    "throttled": ("throttled", "throttled", "notice"),
    "incomplete": ("not connected", "not connected", "notice"),
    "ready": ("ready", "ready", "good"),
}
"""State to its name for one connection and for several, and its tone; in the order in which they need attention."""

SORTS = ("state", "name", "synced")
_WARN_DAYS = 30
_ALARM_DAYS = 7
_WARN_SHARE = 0.8
_WORKERS = 8
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The state of the page, as its URL has it.

    Attributes:
        text: Words to find in name, id, account and details.
        state: Only connections in this state; empty for all.
        sort: A name of `SORTS`, with a minus for the descending order.
        page: The page, from 1.
    """

    text: str = ""
    state: str = ""
    sort: str = "state"
    page: int = 1

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> ListQuery:
        """Return the query of a URL; invalid values count as not given."""
        state, sort, page = parameters.get("state", ""), parameters.get("sort", ""), parameters.get("page", "")
        return cls(
            parameters.get("q", "").strip(),
            state if state in STATES else "",
            sort if sort.removeprefix("-") in SORTS else "state",
            int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 8 and int(page) else 1,
        )

    def url(self, **changes: Any) -> str:
        """Return the URL of the page with changes; another list begins at its first page."""
        changed = replace(self, **({"page": 1} | changes))
        given = {"q": changed.text, "state": changed.state, "sort": "" if changed.sort == "state" else changed.sort}
        pairs = {name: value for name, value in given.items() if value}
        if changed.page > 1:
            pairs["page"] = str(changed.page)
        return f"/?{urlencode(pairs)}" if pairs else "/"

    def sorted_by(self, column: str) -> str:
        """Return the URL that sorts by a column, or reverses its order."""
        return self.url(sort=f"-{column}" if self.sort == column else column)

    def order_of(self, column: str) -> str | None:
        """Return `ascending` or `descending` if the page is sorted by a column."""
        return {column: "ascending", f"-{column}": "descending"}.get(self.sort)


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a person has to connect again at the latest.

    Attributes:
        text: For a person.
        tone: `good`, `notice` or `bad`.
        title: What expires, with the date.
    """

    text: str
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Usage:
    """API calls of the month.

    Attributes:
        calls: So far.
        limit: The limit of the connection's settings; None if there is none.
    """

    calls: int
    limit: int | None = None

    @property
    def share(self) -> float:
        """The part of the limit that is used, from 0 to 1."""
        return min(1.0, self.calls / self.limit) if self.limit else 0.0

    @property
    def tone(self) -> str:
        """`bad` at the limit, `notice` from 80 percent on."""
        return "bad" if self.share >= 1 else "notice" if self.share >= _WARN_SHARE else "good"


@dataclass(frozen=True, slots=True)
class Row:
    """A connection of the shown page.

    Attributes:
        item: Its entry of the list.
        state: A name of `STATES`.
        last: Its latest sync; None if it is not known.
        usage: API calls of the month; None if the connector does not count them.
        expiries: What expires, soonest first.
        note: Why it is in this state.
        can_test: Whether it can be tested.
        can_sync: Whether it can be synced to the destination.
        can_export: Whether lists can be exported.
        can_consent: Whether a person connects it by consent.
    """

    item: Listed
    state: str
    last: LastSync | None
    usage: Usage | None = None
    expiries: tuple[Expiry, ...] = ()
    note: str = ""
    can_test: bool = False
    can_sync: bool = False
    can_export: bool = False
    can_consent: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionList:
    """What the page shows.

    Attributes:
        query: The state of the page.
        counts: How many connections are in each state.
        total: How many match.
        pages: How many pages they have.
        rows: Those of the page.
        failures: Why some connections cannot be shown.
    """

    query: ListQuery
    counts: dict[str, int]
    total: int
    pages: int
    rows: list[Row]
    failures: list[StoreError]

    @property
    def all_count(self) -> int:
        """How many connections there are."""
        return sum(self.counts.values())

    @property
    def first(self) -> int:
        """The number of the first row."""
        return (self.query.page - 1) * PAGE_ROWS + 1


def state_of(item: Listed) -> str:
    """Return the state that the page shows: as `Listed.state`, and `throttled`."""
    return "throttled" if item.state == "ready" and item.throttled is not None else item.state


def make_list(host: Host, query: ListQuery, now: datetime) -> ConnectionList:
    """Return what the page shows.

    Args:
        host: The connections.
        query: The query of the URL.
        now: The time.
    """
    found, failures = host.listed()
    counts = dict.fromkeys(STATES, 0)
    for item in found:
        counts[state_of(item)] += 1
    words = query.text.casefold().split()
    matching = [
        item for item in found if query.state in {"", state_of(item)} and (not words or _contains(item, words, host))
    ]
    latest = host.syncs.latest()
    matching.sort(key=_key(query.sort.removeprefix("-"), latest), reverse=query.sort.startswith("-"))
    pages = max(1, -(-len(matching) // PAGE_ROWS))
    query = replace(query, page=min(query.page, pages))
    shown = matching[(query.page - 1) * PAGE_ROWS : query.page * PAGE_ROWS]
    with ThreadPoolExecutor(_WORKERS) as workers:
        rows = list(workers.map(lambda item: _row(host, item, latest.get(item.id), now), shown))
    return ConnectionList(query, counts, len(matching), pages, rows, failures)


def _contains(item: Listed, words: Iterable[str], host: Host) -> bool:
    connector = host.describe(item.connector)["displayName"]
    text = f"{item.name} {item.id} {item.account} {item.details} {connector}".casefold()
    return all(word in text for word in words)


def _key(sort: str, latest: Mapping[str, LastSync]) -> Callable[[Listed], tuple[Any, ...]]:
    order = list(STATES)
    never = datetime.min.replace(tzinfo=UTC)

    def key(item: Listed) -> tuple[Any, ...]:
        by_name = (item.name.casefold(), item.id)
        if sort == "state":
            return (order.index(state_of(item)), *by_name)
        if sort == "synced":
            last = latest.get(item.id)
            return (last.at if last else never, *by_name)
        return by_name

    return key


def _row(host: Host, item: Listed, last: LastSync | None, now: datetime) -> Row:
    record = _load(host, item)
    status = host.status(record) if record is not None else None
    state, note = state_of(item), str(item.error.message) if item.error else ""
    if status is not None:
        known = {"reauthorizationRequired": "refused", "throttled": "throttled"}.get(str(status.get("state")))
        if known and state in {"ready", "throttled"}:
            state = known
        note = str(status.get("message") or "")
    if item.throttled is not None and state == "throttled":
        note = item.throttled.message
    is_usable = item.state in {"ready", "refused"} and record is not None
    is_syncable = is_usable and state != "refused"
    return Row(
        item,
        state,
        last,
        _usage(status or {}),
        _expiries(status or {}, now),
        note,
        can_test=is_usable and host.offers(item.connector, "test", record),
        can_sync=host.sync_target is not None and is_syncable and host.offers(item.connector, "sync", record),
        can_export=is_syncable,
        can_consent=item.error is None and host.supports_oauth(item.connector),
    )


def _load(host: Host, item: Listed) -> Record | None:
    if item.error is not None or not item.can_open or item.state not in {"ready", "refused"}:
        return None
    try:
        return host.record(item.id)
    except StoreError:  # it was damaged, or the store went away, since it was listed
        return None


def _usage(status: Mapping[str, Any]) -> Usage | None:
    found = status.get("monthlyCalls")
    if not isinstance(found, dict) or not isinstance(found.get("calls"), int):
        return None
    limit = found.get("limit")
    return Usage(found["calls"], limit if isinstance(limit, int) else None)


def _expiries(status: Mapping[str, Any], now: datetime) -> tuple[Expiry, ...]:
    texts = (("refreshTokenExpiresAt", "Unused refresh token expires"), ("grantExpiresAt", "Consent ends"))
    found = []
    for name, what in texts:
        try:
            at = datetime.fromisoformat(str(status.get(name)))
        except ValueError:
            continue
        days = (at - now) // timedelta(days=1)
        when = instant(at.date().isoformat())
        if at <= now:
            expiry = Expiry(f"expired {when}", "bad", f"{what} {when}")
        elif days <= _WARN_DAYS:
            count = "today" if days < 1 else f"in {days} day{'s' if days != 1 else ''}"
            verb = "expires" if name == "refreshTokenExpiresAt" else "consent ends"
            expiry = Expiry(f"{verb} {count}", "bad" if days <= _ALARM_DAYS else "notice", f"{what} {when}")
        else:
            label = "token until" if name == "refreshTokenExpiresAt" else "consent until"
            expiry = Expiry(f"{label} {when}", "good", f"{what} {when}")
        found.append((at, expiry))
    return tuple(expiry for _, expiry in sorted(found, key=lambda pair: pair[0]))


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago something was, for a person."""
    seconds = (now - at).total_seconds()
    for size, unit in ((_DAY_S, "day"), (_HOUR_S, "hour"), (_MINUTE_S, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count:,} {unit}{'s' if count != 1 else ''} ago"
    return "just now"


def headline(counts: Mapping[str, int]) -> Sequence[tuple[str, int, str, str]]:
    """Return state, count, text and tone of the filters on top of the page, `ready` first."""
    order = ("ready", *(name for name in STATES if name != "ready"))
    return [
        (name, counts[name], STATES[name][1 if counts[name] != 1 else 0], STATES[name][2])
        for name in order
        if counts[name] or name == "ready"
    ]
