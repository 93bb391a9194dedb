"""Subscriptions, and the delivery of notifications on the emulator's clock.

1. A change that a company has committed becomes an event for each subscription that names its entity.
2. Events wait for `merge_s` seconds, and those of that window become one notification, one for each realm unless the
   subscription mixes realms.
3. A notification is posted when the emulator's clock reaches its time. The endpoint must answer 200 within three
   seconds; otherwise the notification is repeated on QuickBooks' ladder.
4. On demand, from the seed, some notifications are lost, are sent twice, or are held back so that later ones overtake.

Source: https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks/best-practices.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vantage_quickbooks.emulator.webhooks.events import NAMES, OPERATIONS, Event, cloud_body, legacy_body, merge, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vantage_quickbooks.emulator.profile import Profile

TIMEOUT_S = 3.0  # within which QuickBooks expects the answer
LADDER_S = (10, 20, 30, 300, 1_200, 7_200, 14_400, 21_600)
"""Waits before each repetition, since February 2026; after them, `LATER_S` each. Source: best-practices, above."""
LATER_S = 21_600
OLD_LADDER_S = (1_200, 1_800, 3_000)
"""Until February 2026; after them, the endpoint is blocked."""
FORMATS = ("legacy", "cloudevents")
_MAX_PENDING = 10_000  # notifications and waiting events of all subscriptions; more are dropped, and counted
_MAX_DELIVERIES = 1_000
_MAX_SUBSCRIPTIONS = 100
_IDLE_S = 3_600.0
_STOP_TIMEOUT_S = 10.0


@dataclass(slots=True)
class Subscription:
    """An endpoint and what it is notified of.

    Attributes:
        url: Where notifications are posted.
        entities: Names of entities; None is all that have events.
        realm_id: The company; None is all.
        format: `legacy` or `cloudevents`; None is that of the emulator's date.
        merge_s: Seconds within which events become one notification.
        duplicate: The share of notifications that is sent twice.
        lost: The share that is never sent.
        out_of_order: The share that is held back, so that later ones overtake it.
        mix_realms: Whether one notification can have events of several companies.
        id: Its name, for `unsubscribe`.
        blocked: Whether the endpoint gets nothing more.
    """

    url: str
    entities: frozenset[str] | None = None
    realm_id: str | None = None
    format: str | None = None
    merge_s: float = 2.0
    duplicate: float = 0.0
    lost: float = 0.0
    out_of_order: float = 0.0
    mix_realms: bool = False
    id: str = ""
    blocked: bool = False
    waiting: list[Event] = field(default_factory=list)
    window_end: float = 0.0

    def __post_init__(self) -> None:
        self._check_url()
        self._check_entities()
        if self.realm_id is not None and not isinstance(self.realm_id, str):
            raise ValueError("realm_id is a text")
        if self.format is not None and self.format not in FORMATS:
            raise ValueError(f"format is {' or '.join(FORMATS)}")
        if not isinstance(self.mix_realms, bool):
            raise ValueError("mix_realms is true or false")
        if not _is_number(self.merge_s) or not 0 <= self.merge_s <= 3_600:
            raise ValueError("merge_s is a number of seconds, up to 3600")
        for name in ("duplicate", "lost", "out_of_order"):
            if not _is_number(getattr(self, name)) or not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share, from 0 to 1")

    def _check_url(self) -> None:
        parts = urlsplit(self.url) if isinstance(self.url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url is an http or https address")
        if not self.url.isascii() or any(character <= " " for character in self.url):
            raise ValueError("url has a character that an address cannot have")
        _ = parts.port  # raises ValueError if it is not a number

    def _check_entities(self) -> None:
        if self.entities is not None:
            given = self.entities
            if not isinstance(given, list | tuple | set | frozenset) or not all(isinstance(one, str) for one in given):
                raise ValueError("entities is a list of names")
            unknown = sorted(set(self.entities) - NAMES.keys())
            if unknown:
                raise ValueError(f"entities without events: {', '.join(unknown)}; known: {', '.join(NAMES)}")
            self.entities = frozenset(self.entities)

    def wants(self, event: Event) -> bool:
        """Return whether the endpoint is notified of an event."""
        if self.blocked or (self.realm_id is not None and self.realm_id != event.realm):
            return False
        return self.entities is None or event.entity in self.entities

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        names = ("id", "url", "realm_id", "format", "merge_s", "duplicate", "lost", "out_of_order", "mix_realms")
        entities = sorted(self.entities) if self.entities is not None else None
        return {name: getattr(self, name) for name in names} | {"entities": entities, "blocked": self.blocked}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(slots=True)
class _Notification:
    subscription: Subscription
    events: list[Event]
    due: float
    order: int
    attempt: int = 1
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Webhooks:
    """The subscriptions of one app. Thread-safe.

    Attributes:
        verifier_token: With which notifications are signed.

    Args:
        seed: Decides the verifier token, ids, and which notifications are lost, doubled or held back.
        now: Returns the time as epoch seconds.
        profile: Returns what depends on the chosen date.
        client_id: Returns the app's client id.
    """

    def __init__(
        self, seed: int, now: Callable[[], float], profile: Callable[[], Profile], client_id: Callable[[], str]
    ) -> None:
        self._seed = seed
        self._now = now
        self._profile = profile
        self._client_id = client_id
        token = random.Random(f"quickbooks-emulator verifier {seed}")
        self.verifier_token = str(uuid.UUID(int=token.getrandbits(128), version=4))
        self._condition = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._sending = 0
        self._clear()

    def _clear(self) -> None:
        self._random = random.Random(f"quickbooks-emulator webhooks {self._seed}")
        self._subscriptions: dict[str, Subscription] = {}
        self._pending: list[_Notification] = []
        self._deliveries: deque[dict[str, Any]] = deque(maxlen=_MAX_DELIVERIES)
        self._counts = {"sent": 0, "accepted": 0, "lost": 0, "dropped": 0}
        self._numbered = 0

    # ---- subscriptions ----

    def subscribe(self, url: str, **options: Any) -> str:
        """Add a subscription; see `Subscription`.

        Returns:
            Its id.

        Raises:
            ValueError: An option is unknown or invalid, or there are a hundred subscriptions.
        """
        known = {"entities", "realm_id", "format", "merge_s", "duplicate", "lost", "out_of_order", "mix_realms"}
        if options.keys() - known:
            unknown = ", ".join(sorted(map(str, options.keys() - known)))
            raise ValueError(f"unknown {unknown}; known: url, {', '.join(sorted(known))}")
        subscription = Subscription(url, **options)
        with self._condition:
            if len(self._subscriptions) >= _MAX_SUBSCRIPTIONS:
                raise ValueError(f"more than {_MAX_SUBSCRIPTIONS} subscriptions")
            self._numbered += 1
            subscription.id = str(self._numbered)
            self._subscriptions[subscription.id] = subscription
            return subscription.id

    def unsubscribe(self, id: str | None = None) -> None:  # noqa: A002 -- as the attribute is called
        """Remove a subscription with its pending notifications; None removes all.

        Raises:
            ValueError: The subscription is unknown.
        """
        with self._condition:
            gone = list(self._subscriptions) if id is None else [id]
            for one in gone:
                if one not in self._subscriptions:
                    raise ValueError(f"no subscription {one!r}")
                del self._subscriptions[one]
            self._pending = [one for one in self._pending if one.subscription.id in self._subscriptions]
            self._condition.notify_all()

    def state(self) -> dict[str, Any]:
        """Return subscriptions, pending notifications, the last thousand deliveries and counts, as JSON data."""
        with self._condition:
            pending = [
                {"subscription": one.subscription.id, "due": _iso(one.due), "attempt": one.attempt}
                for one in sorted(self._pending, key=_by_time)
            ]
            return {
                "subscriptions": [one.as_json() for one in self._subscriptions.values()],
                "waiting_events": sum(len(one.waiting) for one in self._subscriptions.values()),
                "pending": pending,
                "deliveries": list(self._deliveries),
                "counts": dict(self._counts),
            }

    def summary(self) -> dict[str, Any]:
        """Return the number of subscriptions and the counts, as JSON data."""
        with self._condition:
            return {"subscriptions": len(self._subscriptions), "pending": self._size()} | self._counts

    def reset(self) -> None:
        """Remove all subscriptions, notifications and counts, and restart the random numbers from the seed."""
        with self._condition:
            self._clear()
            self._condition.notify_all()

    # ---- events ----

    def publish(self, events: Iterable[Event]) -> None:
        """Take the events of one committed change.

        Args:
            events: In the order of the changes; those without notification are ignored.
        """
        with self._condition:
            if not self._subscriptions:
                return
            for event in events:
                if event.has_notification():
                    self._enqueue(event)
            self._start()
            self._condition.notify_all()

    def _enqueue(self, event: Event) -> None:
        for subscription in self._subscriptions.values():
            if not subscription.wants(event):
                continue
            if self._size() >= _MAX_PENDING:
                self._counts["dropped"] += 1
                continue
            if not subscription.waiting:
                subscription.window_end = self._now() + subscription.merge_s
            subscription.waiting.append(event)

    def _size(self) -> int:
        return len(self._pending) + sum(len(one.waiting) for one in self._subscriptions.values())

    def clock_moved(self) -> None:
        """Look again at what is due."""
        with self._condition:
            self._condition.notify_all()

    # ---- delivery ----

    def flush(self) -> None:
        """Close every window and send all notifications now, repetitions included, once each. Blocks until then."""
        with self._condition:
            self._close_windows(everything=True)
            self._wait_until_idle()
            due, self._pending = sorted(self._pending, key=_by_time), []
        for notification in due:
            self._send(notification)

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Wait until nothing is due and nothing is being sent.

        Returns:
            False if that was not so within the timeout.
        """
        with self._condition:
            return self._condition.wait_for(lambda: self._stopping or not (self._sending or self._has_due()), timeout_s)

    def _has_due(self) -> bool:
        now = self._now()
        windows = any(one.waiting and one.window_end <= now for one in self._subscriptions.values())
        return windows or any(one.due <= now for one in self._pending)

    def _wait_until_idle(self) -> None:
        self._condition.wait_for(lambda: self._stopping or not self._sending, _STOP_TIMEOUT_S)

    def _start(self) -> None:
        if self._thread is None and not self._stopping:
            self._thread = threading.Thread(target=self._run, name="quickbooks-emulator webhooks", daemon=True)
            self._thread.start()

    def open(self) -> None:
        """Allow deliveries, after a stop too."""
        with self._condition:
            self._stopping = False

    def close(self) -> None:
        """Stop delivering, and wait for the thread; a request in progress is given up after its three seconds."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._stopping:
                    return
                self._close_windows()
                now = self._now()
                due = [one for one in self._pending if one.due <= now]
                if not due:
                    self._condition.notify_all()  # `settle` waits for this
                    self._condition.wait(self._until_next(now))
                    continue
                notification = min(due, key=_by_time)
                self._pending.remove(notification)
                self._sending += 1
            try:
                self._send(notification)
            finally:
                with self._condition:
                    self._sending -= 1
                    self._condition.notify_all()

    def _until_next(self, now: float) -> float:
        times = [one.window_end for one in self._subscriptions.values() if one.waiting]
        times += [one.due for one in self._pending]
        return max(0.0, min([_IDLE_S, *(time - now for time in times)]))

    def _close_windows(self, *, everything: bool = False) -> None:
        now = self._now()
        for subscription in self._subscriptions.values():
            if not subscription.waiting or not (everything or subscription.window_end <= now):
                continue
            events, subscription.waiting = merge(subscription.waiting), []
            for group in _groups(events, together=subscription.mix_realms):
                self._notify(subscription, group, min(now, subscription.window_end))

    def _notify(self, subscription: Subscription, events: list[Event], due: float) -> None:
        """Create the notification of some events; the seed decides what goes wrong with it."""
        lost, twice, late = (self._random.random() for _ in range(3))
        if lost < subscription.lost:
            self._counts["lost"] += 1
            return
        if late < subscription.out_of_order:
            self._random.shuffle(events)
            due += (subscription.merge_s or 1.0) * self._random.uniform(1.5, 3.5)  # one to three windows later
        for _ in range(2 if twice < subscription.duplicate else 1):
            self._numbered += 1
            notification = _Notification(subscription, events, due, self._numbered)
            self._write(notification)
            self._pending.append(notification)

    def _write(self, notification: _Notification) -> None:
        chosen = notification.subscription.format
        is_cloud = self._profile().includes("cloud_events") if chosen is None else chosen == "cloudevents"
        if is_cloud:
            body = cloud_body(notification.events, self._client_id(), self._random)
        else:
            body = legacy_body(notification.events)
        trace = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        notification.body = body
        notification.headers = {  # as in Intuit's sample (the page named above)
            "content-type": "application/json; charset=utf-8",
            "accept": "application/json",
            "user-agent": "intuit_notification_server/1.0",
            "intuit-signature": sign(body, self.verifier_token),
            "intuit-created-time": datetime.fromtimestamp(int(self._now()), UTC).strftime("%Y-%m-%dT%H:%M:%S%z"),
            "intuit-t-id": trace,
            "intuit-notification-schema-version": "1.0" if is_cloud else "0.1",
        }

    def _send(self, notification: _Notification) -> None:
        """Post a notification; one that is not accepted is repeated later."""
        url = notification.subscription.url
        started = self._now()
        status, problem = _post(url, notification.body, notification.headers)
        with self._condition:
            if self._subscriptions.get(notification.subscription.id) is not notification.subscription:
                return  # unsubscribed or reset meanwhile
            self._counts["sent"] += 1
            self._counts["accepted"] += status == 200
            delivery: dict[str, Any] = {
                "time": _iso(started),
                "subscription": notification.subscription.id,
                "attempt": notification.attempt,
                "status": status,
                "events": [f"{event.entity} {event.id} {event.operation}" for event in notification.events],
            }
            self._deliveries.append(delivery | ({"error": problem} if problem else {}))
            if status != 200:
                self._repeat(notification)

    def _repeat(self, notification: _Notification) -> None:
        is_new = self._profile().includes("webhook_retry_ladder")
        ladder = LADDER_S if is_new else OLD_LADDER_S
        if notification.attempt <= len(ladder):
            wait = ladder[notification.attempt - 1]
        elif is_new:
            wait = LATER_S
        else:
            notification.subscription.blocked = True
            notification.subscription.waiting.clear()
            self._pending = [one for one in self._pending if one.subscription is not notification.subscription]
            return
        notification.attempt += 1
        notification.due = self._now() + wait
        self._pending.append(notification)


def _by_time(notification: _Notification) -> tuple[float, int]:
    return notification.due, notification.order


def _groups(events: list[Event], *, together: bool) -> list[list[Event]]:
    if together:
        return [events]
    by_realm: dict[str, list[Event]] = {}
    for event in events:
        by_realm.setdefault(event.realm, []).append(event)
    return list(by_realm.values())


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")


def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Post a body; return the status, or 0 and why there is none. Redirects are not followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status, ""
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, "no answer within 3 seconds" if isinstance(error, socket.timeout) else repr(error)
    finally:
        with contextlib.suppress(OSError):
            connection.close()


def check_event(entity: object, id_: object, operation: object, deleted_id: object) -> None:
    """Check an event that a person makes up.

    Raises:
        ValueError: The entity has no events, the operation is unknown, or an Id is not text.
    """
    if entity not in NAMES:
        raise ValueError(f"{entity!r} has no events; known: {', '.join(NAMES)}")
    if operation not in OPERATIONS:
        raise ValueError(f"unknown operation {operation!r}; known: {', '.join(OPERATIONS)}")
    if not isinstance(id_, str) or not isinstance(deleted_id, str):
        raise ValueError("id and deleted_id are texts")
