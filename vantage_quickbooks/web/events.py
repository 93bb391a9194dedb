"""Notifies pages and caches that the data or the state of a connection changed.

Theory of operation
1. An event says that something changed, and not what: its receiver reads again. So events can be merged, and for a
   slow subscriber, at most two kinds of events with `MAX_NAMED` connections wait.
2. Each event has a number. A page knows the position at which it was read; a subscription since that position begins
   with what was published in between, also after a broken connection (`Last-Event-ID` of server-sent events).
3. Positions name the server's start, because numbers begin anew with it. A subscription since a position of another
   start, or one that is too old, begins with events of all kinds.
4. Caches are invalidated before subscribers are woken, in the thread that publishes.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vantage_quickbooks.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CHANGES", "KINDS", "STATE", "Event", "Events", "Kind", "Subscription"]

Kind = Literal["state", "changes"]

CHANGES: Kind = "changes"
"""Records of the company were created, changed or deleted."""

STATE: Kind = "state"
"""The connection itself changed: refused, connected again, throttled, other settings, removed."""

KINDS: tuple[Kind, ...] = (STATE, CHANGES)
"""All kinds, in the order in which a subscriber receives those that wait."""

MAX_NAMED = 100
"""Connections that one event names; an event about more of them names none, and is about all."""

MAX_KNOWN = 10_000
"""Connections and kinds whose latest event is remembered."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Something changed; what was published several times in the meantime is one event.

    Attributes:
        kind: `changes` or `state`.
        connection_ids: The connections; None for any.
        position: Where a later subscription begins.
    """

    kind: Kind
    connection_ids: frozenset[str] | None
    position: str


class Events:
    """The events of a server. Thread-safe.

    Args:
        start: Names this start of the server.
    """

    def __init__(self, start: str | None = None) -> None:
        self._start = start or secrets.token_hex(4)
        self._lock = threading.Lock()
        self._number = 0
        self._forgotten = 0  # events up to this number may be missing in `_latest`
        self._latest: OrderedDict[tuple[str, Kind], int] = OrderedDict()
        self._callbacks: dict[Kind, list[Callable[[str], object]]] = {kind: [] for kind in KINDS}
        self._watchers: list[Callable[[str], object]] = []
        self._subscriptions: set[Subscription] = set()
        self._is_closed = False

    @property
    def position(self) -> str:
        """The current position. A page takes it before it reads anything."""
        with self._lock:
            return self._position()

    @property
    def subscribers(self) -> int:
        """How many subscriptions are open."""
        with self._lock:
            return len(self._subscriptions)

    def on(self, kind: Kind, function: Callable[[str], object]) -> None:
        """Call a function with the connection's id at each event of a kind, to invalidate a cache.

        It is called in the thread that publishes, so it must be quick. An exception is logged and dropped.

        Args:
            kind: The kind of the events.
            function: The function.
        """
        with self._lock:
            self._callbacks[kind].append(function)

    def on_watch(self, function: Callable[[str], object]) -> None:
        """Call a function with the connection's id when a page of it begins to receive events; see `watched`.

        It is called in the thread that subscribes, so it must be quick. An exception is logged and dropped.
        """
        with self._lock:
            self._watchers.append(function)

    def publish(self, connection_id: str, kind: Kind) -> None:
        """Report that something changed.

        Args:
            connection_id: The connection.
            kind: `changes` for its data, `state` for the connection itself.

        Raises:
            ValueError: There is no such kind.
        """
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not a kind of events; the kinds are {', '.join(KINDS)}.")
        with self._lock:
            callbacks = tuple(self._callbacks[kind])
        for function in callbacks:
            _call(function, connection_id)
        with self._lock:
            self._number += 1
            self._latest[connection_id, kind] = self._number
            self._latest.move_to_end((connection_id, kind))
            if len(self._latest) > MAX_KNOWN:
                _, self._forgotten = self._latest.popitem(last=False)
            woken = [it for it in self._subscriptions if it.add(connection_id, kind)]
        for subscription in woken:
            subscription.wake()

    def subscribe(
        self, connection_id: str | None, wake: Callable[[], object], since: str | None = None
    ) -> Subscription:
        """Return a subscription. Its user closes it.

        Args:
            connection_id: The connection; None for all of them.
            wake: Called by any thread when something waits, or when the subscription has ended. It must be quick.
            since: Begin with what was published after this position; None begins now.
        """
        subscription = Subscription(self, connection_id, wake)
        with self._lock:
            if self._is_closed:
                subscription.is_ended = True
            else:
                self._subscriptions.add(subscription)
                self._catch_up(subscription, since)
                subscription.position = "" if subscription.is_waiting else self._position()
            watchers = tuple(self._watchers)
        if connection_id is not None:
            for function in watchers:
                _call(function, connection_id)
        return subscription

    def subscribers_of(self, connection_id: str) -> int:
        """Return how many subscriptions receive the events of a connection."""
        with self._lock:
            return sum(it.connection_id in {None, connection_id} for it in self._subscriptions)

    def watched(self) -> set[str]:
        """Return the connections whose pages receive events."""
        with self._lock:
            return {it.connection_id for it in self._subscriptions if it.connection_id is not None}

    def end(self, connection_id: str) -> None:
        """End the subscriptions of a connection that does not exist any more."""
        with self._lock:
            self._end([it for it in self._subscriptions if it.connection_id == connection_id])

    def close(self) -> None:
        """End all subscriptions, and accept no new ones."""
        with self._lock:
            self._is_closed = True
            self._end(list(self._subscriptions))

    # ---- for subscriptions ----

    def take(self, subscription: Subscription) -> list[Event]:
        """Return and clear what waits for a subscription."""
        with self._lock:
            waiting = subscription.clear()
            position = subscription.position = self._position()
        return [Event(kind, waiting[kind], position) for kind in KINDS if kind in waiting]

    def discard(self, subscription: Subscription) -> None:
        """Remove a subscription."""
        with self._lock:
            self._end([subscription])

    def _end(self, subscriptions: list[Subscription]) -> None:
        for subscription in subscriptions:
            self._subscriptions.discard(subscription)
            subscription.is_ended = True
            subscription.wake()

    def _position(self) -> str:
        return f"{self._start}-{self._number}"

    def _catch_up(self, subscription: Subscription, since: str | None) -> None:
        if since is None:
            return
        start, _, number = since.partition("-")
        is_known = start == self._start and number.isascii() and number.isdigit()
        if not is_known or int(number) < self._forgotten:
            for kind in KINDS:
                subscription.add(None, kind)
            return
        for (connection_id, kind), latest in self._latest.items():
            if latest > int(number):
                subscription.add(connection_id, kind)


class Subscription:
    """Receives the events of one connection, or of all. Made by `Events.subscribe`.

    Attributes:
        connection_id: The connection; None for all of them.
        wake: Called when something waits.
        is_ended: Whether nothing will come any more.
        position: Up to which events were taken; empty until then, if some waited from the beginning.
    """

    def __init__(self, events: Events, connection_id: str | None, wake: Callable[[], object]) -> None:
        self.connection_id = connection_id
        self.wake = wake
        self.is_ended = False
        self.position = ""
        self._events = events
        self._waiting: dict[Kind, frozenset[str] | None] = {}

    def take(self) -> list[Event]:
        """Return what has been published since the last call, at most one event of each kind."""
        return self._events.take(self)

    def close(self) -> None:
        """Receive nothing any more."""
        self._events.discard(self)

    # ---- called by `Events`, which holds its lock ----

    @property
    def is_waiting(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    def add(self, connection_id: str | None, kind: Kind) -> bool:
        """Add an event that waits, and return whether it concerns this subscription.

        Args:
            connection_id: The connection; None for an event about all connections.
            kind: The kind of the event.
        """
        if self.connection_id is not None:
            if connection_id not in {None, self.connection_id}:
                return False
            connection_id = self.connection_id
        named = self._waiting.get(kind, frozenset())
        if connection_id is None or named is None:
            self._waiting[kind] = None
        else:
            named |= {connection_id}
            self._waiting[kind] = named if len(named) <= MAX_NAMED else None
        return True

    def clear(self) -> dict[Kind, frozenset[str] | None]:
        """Return what waits, and forget it."""
        waiting, self._waiting = self._waiting, {}
        return waiting


def _call(function: Callable[[str], object], connection_id: str) -> None:
    try:
        function(connection_id)
    except Exception as error:  # noqa: BLE001 -- a cache's defect must not stop the others
        _log.error("an observer of events failed: %s", type(error).__name__)
