"""Keeps accepted notices until they are handed on, in a SQLite file or a shared database. Needs the extra `webhooks`.

Theory of operation
1. `put` stores notifications in one transaction that is on the disk when it returns; the sender is answered after that.
   A notification is recognized by the SHA-256 of its body: one that was stored before is not stored again.
   Bodies of the older format have times to the second and no ids, so two changes in the same second can have equal
   bodies. No change is missed: the handler reads the company after that second, and finds both.
2. Each company is one row: when its notices are due, who works on it, how often that failed. The first notice sets the
   time, a window later; those that follow within the window are handed on together with it.
3. Workers, of any number of processes, claim companies. A claim is a lease, which the worker extends while it works;
   the lease of a killed process ends after `LEASE_S`, and another worker takes over. So notices are handed on at least
   once, and those of one company never by two workers at the same time, as long as the clocks of the machines differ by
   less than the lease.
4. `finish` deletes exactly the notices that were handed on. Those that arrived meanwhile have a window of their own.
   Both `put` and `finish` lock the company's row, so no notice is left without a time at which it is due.
5. A failure is repeated with growing pauses (`BACKOFF_S`), then the notices become dead letters: they are kept and
   listed, and `revive` hands them on again. An attempt counts when it begins, so notices that kill the process
   become dead letters, too.
6. Times are wall-clock times. If the clock was ahead, `repair_times` corrects times that are too far in the future to
   be right. A smaller error of the clock delays notices by no more than that error.
7. A company that is scheduled is handed on at least once in each period, with no notices if none waits: notifications
   get lost. Each time it is handed on, the period begins anew.
"""

from __future__ import annotations

import functools
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from vantage_quickbooks.errors import InboxError
from vantage_quickbooks.webhooks.inbox_database import COMPANY, NOTICE, SEEN, InboxDatabase
from vantage_quickbooks.webhooks.notices import Notice, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

__all__ = ["BACKOFF_S", "INTERACTIVE_WINDOW_S", "LEASE_S", "MIRROR_WINDOW_S", "Claim", "Delivery", "Inbox"]

MIRROR_WINDOW_S = 900.0
"""Window for copies of companies: a company that is edited all day takes four syncs an hour."""

INTERACTIVE_WINDOW_S = 2.0
"""Window for a company that a user looks at; see `Inbox.watch`."""

LEASE_S = 30.0

BACKOFF_S = (10, 30, 60, 300, 1_200, 3_600, 7_200, 14_400, 21_600, 21_600)
"""Pauses after failed attempts, together 19 hours; the attempt after them is the last."""

MAX_PAUSE_S = 86_400.0
"""Longest pause that `repair_times` believes, of a `Retry-After`, and longest time for which a company is watched."""

KEPT_S = 30 * 86_400.0
"""How long digests and dead letters are kept. Intuit repeats a notification every 6 hours."""

MAX_NOTICES = 20_000
"""Notices of one company that are handed on together, some megabytes; one notification is never divided."""

_CHUNK = 500  # values in one statement; SQLite before 3.32 takes 999
_UNREADABLE = ""  # in place of the company

_IS_WAITING = NOTICE.c.dead_at.is_(None)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification to store.

    Attributes:
        digest: What it is recognized by.
        notices: Its notices by company.
        body: The body, or the part of it, that cannot be read; it becomes a dead letter.
        reason: Why it cannot be read.
    """

    digest: str
    notices: Mapping[str, Sequence[Notice]]
    body: bytes | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A company that a worker has claimed.

    Attributes:
        realm_id: The company.
        notices: What waited, merged; empty if its time has come without notices.
        attempts: The number of this attempt.
        is_scheduled: Whether the company is handed on in each period, without notices too.
        token: Proves that it is claimed.
        rows: The rows of the notices.
    """

    realm_id: str
    notices: tuple[Notice, ...]
    attempts: int
    is_scheduled: bool
    token: str
    rows: tuple[int, ...]


class Inbox:
    """The notices that were accepted and not yet handed on; see the module's theory of operation. Thread-safe.

    Args:
        url: A SQLAlchemy URL with a synchronous driver, or the path of a SQLite file, which is created with mode 0600;
            None is `webhooks.sqlite3` in the user's state directory.
        window_s: How long notices of a company are collected.
        interactive_window_s: The same while the company is watched.
        now: Returns the time as epoch seconds.

    Raises:
        InboxError: The URL is invalid, or its driver is missing.
    """

    def __init__(
        self,
        url: str | Path | None = None,
        *,
        window_s: float = MIRROR_WINDOW_S,
        interactive_window_s: float = INTERACTIVE_WINDOW_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._window_s = window_s
        self._interactive_window_s = min(interactive_window_s, window_s)
        self._now = now
        self._database = InboxDatabase(url)

    def describe(self) -> str:
        """Return the kind and place of the database, without a password."""
        return self._database.where

    def close(self) -> None:
        """Dispose of the engine; a connection lives for one operation."""
        self._database.close()

    # ---- receiving ---------------------------------------------------------------------------------------------------

    def put(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Store notifications, durably; all of them or, with an error, none.

        Args:
            deliveries: The notifications.

        Returns:
            For each whether it is new.

        Raises:
            InboxError: They cannot be stored.
        """
        return self._write(lambda database, now: self._put(database, deliveries, now))

    def _put(self, database: sa.Connection, deliveries: Sequence[Delivery], now: float) -> list[bool]:
        digests = [delivery.digest for delivery in deliveries]
        known = set(_scalars(database, sa.select(SEEN.c.digest), SEEN.c.digest, digests))
        found, new = [], []
        for delivery in deliveries:
            is_new = delivery.digest not in known
            known.add(delivery.digest)
            found.append(is_new)
            if is_new:
                new.append(delivery)
        if new:
            # Digests and companies are sorted, so that two processes never wait for each other's rows.
            seen = sorted(delivery.digest for delivery in new)
            database.execute(sa.insert(SEEN), [{"digest": digest, "seen_at": now} for digest in seen])
            if rows := [row for delivery in new for row in _rows(delivery, now)]:
                database.execute(sa.insert(NOTICE), rows)
            self._set_due(database, {realm for delivery in new for realm in delivery.notices}, now)
        return found

    def _set_due(self, database: sa.Connection, realms: Iterable[str], now: float) -> None:
        """Set when the notices of companies are due, where no earlier one has."""
        wanted = sorted(realms)
        query = sa.select(COMPANY.c.realm, COMPANY.c.due_at, COMPANY.c.watched_until).with_for_update()
        known = {row.realm: row for row in _rows_in(database, query.order_by(COMPANY.c.realm), COMPANY.c.realm, wanted)}
        for realm, row in known.items():
            if row.due_at is None:
                due_at = now + self._window_of(row.watched_until, now)
                database.execute(sa.update(COMPANY).where(COMPANY.c.realm == realm).values(due_at=due_at))
        self._insert(
            database, [{"realm": realm, "due_at": now + self._window_s} for realm in wanted if realm not in known]
        )

    def _window_of(self, watched_until: float | None, now: float) -> float:
        return self._interactive_window_s if (watched_until or 0.0) > now else self._window_s

    @staticmethod
    def _insert(database: sa.Connection, companies: list[dict[str, Any]]) -> None:
        if companies:
            names = ("due_at", "reconcile_at", "watched_until")
            empty: dict[str, Any] = {"attempts": 0} | dict.fromkeys(names)
            database.execute(sa.insert(COMPANY), [empty | company for company in companies])

    def watch(self, realm_id: str, seconds: float = 60.0) -> None:
        """Use the short window for a company for a while, because a user looks at it.

        Args:
            realm_id: The company.
            seconds: How long; the caller repeats the call while the user looks.

        Raises:
            InboxError: The inbox cannot be written.
        """

        def change(database: sa.Connection, now: float) -> None:
            row = self._locked(database, realm_id)
            if row is None:
                self._insert(database, [{"realm": realm_id, "watched_until": now + seconds}])
                return
            values: dict[str, float] = {"watched_until": now + seconds}
            if row.due_at is not None:
                values["due_at"] = min(row.due_at, now + self._interactive_window_s)
            database.execute(sa.update(COMPANY).where(COMPANY.c.realm == realm_id).values(values))

        self._write(change)

    def schedule(self, realm_ids: Iterable[str]) -> None:
        """Have companies handed on in each period from now on, for the first time at once.

        Args:
            realm_ids: The companies; those that are scheduled already stay as they are.

        Raises:
            InboxError: The inbox cannot be written.
        """
        wanted = sorted(set(realm_ids))
        with self._database.reading() as database:
            known = database is not None and set(
                _scalars(
                    database,
                    sa.select(COMPANY.c.realm).where(COMPANY.c.reconcile_at.is_not(None)),
                    COMPANY.c.realm,
                    wanted,
                )
            )
        missing = [realm for realm in wanted if not known or realm not in known]
        if not missing:
            return

        def change(database: sa.Connection, now: float) -> None:
            query = sa.select(COMPANY.c.realm, COMPANY.c.reconcile_at).with_for_update().order_by(COMPANY.c.realm)
            found = {row.realm: row for row in _rows_in(database, query, COMPANY.c.realm, missing)}
            for realm, row in found.items():
                if row.reconcile_at is None:
                    database.execute(sa.update(COMPANY).where(COMPANY.c.realm == realm).values(reconcile_at=now))
            self._insert(database, [{"realm": realm, "reconcile_at": now} for realm in missing if realm not in found])

        self._write(change)

    def repair_times(self, period_s: float) -> None:
        """Correct times that are too far ahead: the clock was wrong, or the period or the window is shorter now.

        Args:
            period_s: As for `finish`.

        Raises:
            InboxError: The inbox cannot be written.
        """

        def change(database: sa.Connection, now: float) -> None:
            for name, longest_s, correct in (
                ("due_at", self._window_s, now + self._window_s),
                ("reconcile_at", period_s, now + period_s),
                ("retry_at", MAX_PAUSE_S, None),
                ("claimed_until", LEASE_S, now + LEASE_S),
                ("watched_until", MAX_PAUSE_S, None),
            ):
                is_wrong = COMPANY.c[name] > now + longest_s + LEASE_S  # clocks of machines may differ by the lease
                database.execute(sa.update(COMPANY).where(is_wrong).values({name: correct}))

        self._write(change)

    # ---- handing on --------------------------------------------------------------------------------------------------

    def claim(self, limit: int = 1) -> list[Claim]:
        """Claim companies whose time has come.

        Args:
            limit: How many at most.

        Raises:
            InboxError: The inbox cannot be read or written.
        """
        now = self._now()
        table = COMPANY.c
        is_due = sa.and_(
            sa.or_(table.due_at <= now, table.reconcile_at <= now),
            sa.or_(table.retry_at.is_(None), table.retry_at <= now),
            sa.or_(table.claim.is_(None), table.claimed_until <= now),
        )
        first = sa.func.coalesce(table.due_at, table.reconcile_at)
        with self._database.reading() as database:
            if database is None:
                return []
            due = database.execute(sa.select(table.realm).where(is_due).order_by(first).limit(limit)).scalars().all()
        claims: list[Claim] = []
        for realm in due:
            try:
                claim = self._write(functools.partial(self._claim, realm, is_due))
            except InboxError:
                if claims:  # they are worked on; the next call meets the error again
                    break
                raise
            if claim is not None:
                claims.append(claim)
        return claims

    @staticmethod
    def _claim(realm: str, is_due: Any, database: sa.Connection, now: float) -> Claim | None:
        token = secrets.token_hex(16)
        table = COMPANY.c
        take = sa.update(COMPANY).where(table.realm == realm, is_due)
        values = {"claim": token, "claimed_until": now + LEASE_S, "attempts": table.attempts + 1}
        if not database.execute(take.values(values)).rowcount:
            return None  # another worker was first
        taken = database.execute(sa.select(table.attempts, table.reconcile_at).where(table.realm == realm)).one()
        waiting = sa.select(NOTICE.c.id, NOTICE.c.count).where(NOTICE.c.realm == realm, _IS_WAITING)
        rows: list[int] = []
        count = 0
        for row in database.execute(waiting.order_by(NOTICE.c.id).limit(MAX_NOTICES)).all():
            count += row[1]
            if rows and count > MAX_NOTICES:
                break
            rows.append(row[0])
        texts = _scalars(database, sa.select(NOTICE.c.notices), NOTICE.c.id, rows)
        notices = merge(Notice.from_dict(data) for text in texts for data in json.loads(text))
        is_scheduled = taken.reconcile_at is not None
        return Claim(realm, tuple(notices), taken.attempts, is_scheduled, token, tuple(rows))

    def extend(self, claims: Iterable[Claim]) -> None:
        """Extend the leases of claims that are still being worked on.

        Raises:
            InboxError: The inbox cannot be written.
        """
        tokens = [claim.token for claim in claims]
        if tokens:
            self._write(
                lambda database, now: database.execute(
                    sa.update(COMPANY).where(COMPANY.c.claim.in_(tokens)).values(claimed_until=now + LEASE_S)
                )
            )

    def finish(self, claim: Claim, period_s: float | None = None) -> None:
        """Delete notices that were handed on.

        Args:
            claim: The claim.
            period_s: When the company is handed on again at the latest, if it is scheduled.

        Raises:
            InboxError: The inbox cannot be written; the notices will be handed on again.
        """
        self._end(claim, {"error": None}, period_s)

    def fail(self, claim: Claim, error: str, *, retry_after_s: float = 0.0, period_s: float | None = None) -> bool:
        """Hand a company on again after a pause, or bury its notices after the last attempt.

        Args:
            claim: The claim.
            error: Why; it must not contain a secret.
            retry_after_s: The least pause.
            period_s: As for `finish`.

        Returns:
            Whether the notices became dead letters.

        Raises:
            InboxError: The inbox cannot be written; the notices will be handed on again.
        """
        if claim.attempts > len(BACKOFF_S):
            self.bury(claim, error, period_s=period_s)
            return True
        pause_s = max(float(BACKOFF_S[claim.attempts - 1]), retry_after_s)

        def change(database: sa.Connection, now: float) -> None:
            values = {"claim": None, "claimed_until": None, "retry_at": now + pause_s, "error": error}
            database.execute(_claimed(claim).values(values))

        self._write(change)
        return False

    def bury(self, claim: Claim, reason: str, *, period_s: float | None = None, is_unknown: bool = False) -> None:
        """Keep the notices of a claim as dead letters.

        Args:
            claim: The claim.
            reason: Why; it must not contain a secret.
            period_s: As for `finish`.
            is_unknown: Whether the company is unknown, so that it is not scheduled any longer.

        Raises:
            InboxError: The inbox cannot be written.
        """
        values: dict[str, Any] = {"error": reason}
        if is_unknown:
            # Without notices it is a company that was removed from the registry: nothing failed.
            values = {"error": reason if claim.rows else None, "reconcile_at": None}
        self._end(claim, values, period_s, reason)

    def release(self, claim: Claim) -> None:
        """Give a claim back that was not worked on, or not to its end; the attempt does not count.

        Raises:
            InboxError: The inbox cannot be written; the lease ends by itself.
        """
        values = {
            "claim": None,
            "claimed_until": None,
            "attempts": sa.case((COMPANY.c.attempts > 0, COMPANY.c.attempts - 1), else_=0),
        }
        self._write(lambda database, _: database.execute(_claimed(claim).values(values)))

    def _end(self, claim: Claim, values: dict[str, Any], period_s: float | None, reason: str | None = None) -> None:
        """End a claim: delete its notices, or keep them as dead letters, and set when the company is due again."""

        def change(database: sa.Connection, now: float) -> None:
            row = self._locked(database, claim.realm_id)
            for ids in _chunks(claim.rows):
                if reason is None:
                    database.execute(sa.delete(NOTICE).where(NOTICE.c.id.in_(ids)))
                else:
                    buried = sa.update(NOTICE).where(NOTICE.c.id.in_(ids))
                    database.execute(buried.values(dead_at=now, reason=reason))
            if row is None or row.claim != claim.token:
                return  # another worker has taken over; it decides what follows
            ended: dict[str, Any] = {"claim": None, "claimed_until": None, "retry_at": None, "attempts": 0}
            ended["due_at"] = self._next_due(database, row, now)
            if row.reconcile_at is not None and period_s is not None:
                ended["reconcile_at"] = now + period_s
            database.execute(_claimed(claim).values(ended | values))

        self._write(change)

    def _next_due(self, database: sa.Connection, row: Any, now: float) -> float | None:
        waiting = sa.select(sa.func.min(NOTICE.c.received_at)).where(NOTICE.c.realm == row.realm, _IS_WAITING)
        first: float | None = database.execute(waiting).scalar_one()
        return None if first is None else first + self._window_of(row.watched_until, now)

    # ---- for operators -----------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what waits and what failed, as plain JSON.

        Returns:
            `waiting` (notices), `companies` (that have notices waiting), `oldest` (seconds since the first of them was
            received; None if none waits), `failing` (companies whose last attempt failed, each with `realmId`,
            `attempts` and `error`), and `dead` (notices).

        Raises:
            InboxError: The inbox cannot be read.
        """
        empty: dict[str, Any] = {"waiting": 0, "companies": 0, "oldest": None, "failing": [], "dead": 0}
        with self._database.reading() as database:
            if database is None:
                return empty
            total = sa.func.coalesce(sa.func.sum(NOTICE.c.count), 0)
            realms, first = sa.func.count(sa.distinct(NOTICE.c.realm)), sa.func.min(NOTICE.c.received_at)
            waiting, companies, oldest = database.execute(sa.select(total, realms, first).where(_IS_WAITING)).one()
            dead = database.execute(sa.select(total).where(sa.not_(_IS_WAITING))).scalar_one()
            failing = database.execute(
                sa.select(COMPANY.c.realm, COMPANY.c.attempts, COMPANY.c.error)
                .where(COMPANY.c.error.is_not(None))
                .order_by(COMPANY.c.realm)
            ).all()
        return {
            "waiting": int(waiting),
            "companies": companies,
            "oldest": None if oldest is None else round(max(0.0, self._now() - oldest), 1),
            "failing": [{"realmId": row.realm, "attempts": row.attempts, "error": row.error} for row in failing],
            "dead": int(dead),
        }

    def dead_letters(self, limit: int = 1_000) -> list[dict[str, Any]]:
        """Return the newest dead letters as plain JSON.

        Returns:
            Each with `realmId` (None if the body cannot be read), `reason`, `receivedAt` and `deadAt` (epoch seconds),
            `notices`, and `body` (the text of a body that cannot be read).

        Raises:
            InboxError: The inbox cannot be read.
        """
        query = sa.select(NOTICE).where(sa.not_(_IS_WAITING)).order_by(NOTICE.c.dead_at.desc(), NOTICE.c.id.desc())
        with self._database.reading() as database:
            rows = database.execute(query.limit(limit)).all() if database is not None else []
        return [
            {
                "realmId": row.realm or None,
                "reason": row.reason,
                "receivedAt": row.received_at,
                "deadAt": row.dead_at,
                "notices": json.loads(row.notices) if row.realm else [],
                "body": None if row.realm else json.loads(row.notices),
            }
            for row in rows
        ]

    def revive(self, realm_id: str | None = None) -> int:
        """Hand on dead letters again, and companies that failed, at once.

        Args:
            realm_id: The company; None is all. Bodies that cannot be read stay dead.

        Returns:
            The number of notices.

        Raises:
            InboxError: The inbox cannot be written.
        """

        def change(database: sa.Connection, now: float) -> int:
            dead: list[sa.ColumnElement[bool]] = [sa.not_(_IS_WAITING), NOTICE.c.realm != _UNREADABLE]
            chosen: list[sa.ColumnElement[bool]] = [COMPANY.c.error.is_not(None)]
            if realm_id is not None:
                dead, chosen = [*dead, NOTICE.c.realm == realm_id], [*chosen, COMPANY.c.realm == realm_id]
            counts = sa.select(NOTICE.c.realm, sa.func.sum(NOTICE.c.count)).where(*dead).group_by(NOTICE.c.realm)
            found = {realm: int(count) for realm, count in database.execute(counts).all()}
            self._set_due(database, found, now)
            database.execute(sa.update(NOTICE).where(*dead).values(dead_at=None, reason=None))
            database.execute(sa.update(COMPANY).where(*chosen).values(attempts=0, retry_at=None, error=None))
            for realms in _chunks(sorted(found)):
                database.execute(
                    sa.update(COMPANY)
                    .where(COMPANY.c.realm.in_(realms))
                    .values(due_at=now, attempts=0, retry_at=None, error=None)
                )
            return sum(found.values())

        return self._write(change)

    def prune(self) -> None:
        """Delete digests and dead letters that are older than `KEPT_S`.

        Raises:
            InboxError: The inbox cannot be written.
        """

        def change(database: sa.Connection, now: float) -> None:
            database.execute(sa.delete(SEEN).where(SEEN.c.seen_at < now - KEPT_S))
            database.execute(sa.delete(NOTICE).where(NOTICE.c.dead_at < now - KEPT_S))

        self._write(change)

    def check(self) -> None:
        """Check that the inbox can be written.

        Raises:
            InboxError: It cannot.
        """
        self._write(lambda database, _: database.execute(sa.delete(SEEN).where(SEEN.c.digest == "")))

    def prepare(self) -> None:
        """Create the tables, and the file of SQLite.

        Raises:
            InboxError: They cannot be created.
        """
        self._database.prepare()

    def _write(self, change: Callable[[sa.Connection, float], T]) -> T:
        return self._database.write(lambda database: change(database, self._now()))

    @staticmethod
    def _locked(database: sa.Connection, realm: str) -> Any:
        """Return the row of a company, locked until the transaction ends; None if there is none."""
        return database.execute(sa.select(COMPANY).where(COMPANY.c.realm == realm).with_for_update()).first()


def _rows(delivery: Delivery, now: float) -> list[dict[str, Any]]:
    """Return the rows of a notification; all of them have the same columns, as one statement needs."""
    rows: list[dict[str, Any]] = [
        {
            "realm": realm,
            "notices": json.dumps([notice.to_dict() for notice in notices], separators=(",", ":")),
            "count": len(notices),
            "received_at": now,
            "dead_at": None,
            "reason": None,
        }
        for realm, notices in delivery.notices.items()
    ]
    if delivery.body is not None:
        text = json.dumps(delivery.body.decode("utf-8", "backslashreplace"))
        row = {"realm": _UNREADABLE, "notices": text, "count": 1, "dead_at": now, "reason": delivery.reason}
        rows.append(row | {"received_at": now})
    return rows


def _claimed(claim: Claim) -> sa.Update:
    return sa.update(COMPANY).where(COMPANY.c.realm == claim.realm_id, COMPANY.c.claim == claim.token)


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[first : first + _CHUNK] for first in range(0, len(values), _CHUNK))


def _rows_in(database: sa.Connection, query: sa.Select[Any], column: Any, values: Sequence[Any]) -> list[Any]:
    return [row for some in _chunks(values) for row in database.execute(query.where(column.in_(some))).all()]


def _scalars(database: sa.Connection, query: sa.Select[Any], column: Any, values: Sequence[Any]) -> list[Any]:
    return [row[0] for row in _rows_in(database, query, column, values)]
