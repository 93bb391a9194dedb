"""Where "Sync now" writes: a destination of the program that starts the web UI, and the outcomes of earlier syncs.

The web UI starts syncs and shows their progress and outcome. The destination alone decides what a sync writes and
where, so the web UI knows neither files nor tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.contract import Connection
    from vantage_quickbooks.web.store import Store

__all__ = ["LastSync", "SyncLog", "SyncOutcome", "SyncTarget"]


@dataclass(slots=True)
class SyncOutcome:
    """What a sync has done.

    Attributes:
        upserts: Records that were created or changed.
        deletions: Records that were deleted.
        entities: Entities that are up to date; None if the destination does not count them.
        pending: Entities left to the next sync.
        not_synced: Entities that could not be read, each with `entity` and the `error` of an envelope.
        error: Why the sync failed, as in an envelope; None if it did not. What was written before it is consistent.
        api_calls: Requests to the provider.
        tables: Rows by table or entity, if the destination counts them.
    """

    upserts: int = 0
    deletions: int = 0
    entities: int | None = None
    pending: list[str] = field(default_factory=list)
    not_synced: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    api_calls: int = 0
    tables: dict[str, int] = field(default_factory=dict)


class SyncTarget(Protocol):
    """A destination of syncs. Safe for threads."""

    def describe(self) -> str:
        """Return where the records go, without a password."""
        ...

    def sync(self, connection: Connection, connection_id: str, progress: Callable[[int, str], None]) -> SyncOutcome:
        """Bring the copy of a connection's records up to date, with the capability `sync`.

        Args:
            connection: The connection.
            connection_id: Its id.
            progress: Called with the number of records so far and a note for a person.

        Raises:
            Exception: The sync failed; what was written before is consistent, and the next sync continues.
        """
        ...

    def last_synced(self) -> Mapping[str, datetime]:
        """Return when each connection was last synced to this destination, by any program, as far as is known."""
        ...


@dataclass(frozen=True, slots=True)
class LastSync:
    """The latest sync of a connection.

    Attributes:
        at: When it ended.
        result: `succeeded`, `incomplete`, `failed`, or empty if another program did it.
        changed: Records that were created, changed or deleted; None if it is not known.
        message: Why it did not succeed.
    """

    at: datetime
    result: str = ""
    changed: int | None = None
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "result": self.result or None,
            "changed": self.changed,
            "message": self.message or None,
        }


class SyncLog:
    """The latest sync of each connection: the web UI's own, and later ones that the destination knows of.

    Args:
        store: Keeps those of the web UI.
        target: The destination; None if there is none.
    """

    def __init__(self, store: Store, target: SyncTarget | None) -> None:
        self._store = store
        self._target = target
        self._known: dict[str, LastSync] | None = None

    def latest(self) -> dict[str, LastSync]:
        """Return the latest syncs by connection."""
        found = dict(self._own())
        for connection_id, at in (self._target.last_synced() if self._target else {}).items():
            own = found.get(connection_id)
            # A file is written a moment before the sync that writes it has ended.
            if own is None or own.at < at:
                found[connection_id] = LastSync(at)
        return found

    def record(self, connection_id: str, outcome: SyncOutcome) -> LastSync:
        """Keep the outcome of a sync that has ended.

        Args:
            connection_id: The connection.
            outcome: The outcome.
        """
        first = outcome.error or (outcome.not_synced[0]["error"] if outcome.not_synced else None)
        result = "failed" if outcome.error else "incomplete" if outcome.not_synced else "succeeded"
        changed = outcome.upserts + outcome.deletions
        latest = LastSync(datetime.now(UTC), result, changed, str(first["message"]) if first else "")
        self._store.put_sync(connection_id, latest.to_dict())
        self._own()[connection_id] = latest
        return latest

    def forget(self, connection_id: str) -> None:
        """Forget a connection that was removed."""
        self._own().pop(connection_id, None)

    def _own(self) -> dict[str, LastSync]:
        if self._known is None:
            self._known = {
                connection_id: LastSync(
                    datetime.fromisoformat(kept["at"]), kept["result"] or "", kept["changed"], kept["message"] or ""
                )
                for connection_id, kept in self._store.syncs().items()
            }
        return self._known
