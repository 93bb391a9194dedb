"""The state between two syncs of a company: one small JSON object, versioned, signed, and bound to the connection.

    {"version": 1, "realmId": "...", "environment": "production", "data": "<signed>"}

`data` holds, for each entity, where its next read begins, how many records it has, what was delivered last, and where
an interrupted read continues. The state has less than `MAX_BYTES` whatever the company: where it would have more, the
memory of delivered records is left out (they are delivered again, which is harmless), and the position of an
interrupted read stays at the last one that fits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.errors import FieldError, InputError
from vantage_quickbooks.sync.cursor import CursorSerializer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vantage_quickbooks.config.settings import Settings

__all__ = ["MAX_BYTES", "VERSION", "EntityState", "StateSerializer", "SyncState", "earliest"]

VERSION = 1
"""Version of what is written. Older ones are read, see `_READERS`."""

MAX_BYTES = 64_000
_MAX_DATA = MAX_BYTES - 1_000
"""Bytes of `data`; the rest is for the other members."""

_CURSOR_VERSION = "2"
"""Pinned: a later version of cursors must not make states unreadable."""


@dataclass(frozen=True, slots=True)
class EntityState:
    """How far one entity is synced.

    Attributes:
        since: When its last read began, by QuickBooks' clock; None before the first full read has ended.
        size: Records that QuickBooks had then; None if unknown.
        served: The round in which it last cost calls of a full read; entities that waited longest come first.
        seen: Version by Id of what was delivered within the overlap before `since`; see `core.change_plan.version_of`.
        cursor: Where an interrupted full read continues.
        digest: Digest of all its records and versions, where they came as one page; see `core.change_plan.digest`.
        refused_at: When change data capture last refused the entity, by this machine's clock; None if it did not.
    """

    since: datetime | None = None
    size: int | None = None
    served: int = 0
    seen: Mapping[str, str] = field(default_factory=dict)
    cursor: dict[str, Any] | None = None
    digest: str | None = None
    refused_at: datetime | None = None


@dataclass(slots=True)
class SyncState:
    """How far a company is synced.

    Attributes:
        round: Number of syncs so far.
        entities: By Intuit's name. Entities of an earlier sync that are not asked for any more stay.
    """

    round: int = 0
    entities: dict[str, EntityState] = field(default_factory=dict)

    def of(self, entity: str) -> EntityState:
        """Return the state of an entity; a new one if it was never synced."""
        return self.entities.get(entity) or EntityState()


def earliest(states: Sequence[SyncState]) -> SyncState:
    """Return a state that claims no more than any of several states of one company.

    A state claims what a consumer has: all changes of an entity up to `since`, what was delivered within the overlap
    before it (`seen`), the pages of a snapshot before `cursor`. A sync that continues from a weaker claim delivers more
    and never less. So where several syncs began with the same state, and it is not known which of their output the
    consumer has, the earliest `since` without `seen` is right whichever it was. Positions of two snapshots cannot be
    compared, because each counts from its own beginning: unless both are the same, the snapshot begins again.

    Args:
        states: At least one.
    """
    first, *others = states
    if not others:
        return first
    names = dict.fromkeys(name for state in states for name in state.entities)
    return SyncState(
        round=max(state.round for state in states),
        entities={name: _earliest([state.of(name) for state in states]) for name in names},
    )


def _earliest(entities: Sequence[EntityState]) -> EntityState:
    first = entities[0]
    if all(entity == first for entity in entities):
        return first
    weakest = EntityState(size=first.size, served=first.served, refused_at=first.refused_at)
    known = [entity.since for entity in entities if entity.since is not None]
    return weakest if len(known) < len(entities) else replace(weakest, since=min(known))


class StateSerializer:
    """Writes and reads the states of one connection.

    Args:
        settings: The connection's settings: a state belongs to its company, environment and client secret.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._serializer = CursorSerializer(settings, "sync", version=_CURSOR_VERSION)

    def dumps(self, state: SyncState) -> dict[str, Any]:
        """Return *state* as plain JSON."""
        data = self._data(state)
        if len(data) > _MAX_DATA:
            data = self._data(_without_seen(state))
        return {
            "version": VERSION,
            "realmId": self._settings.realm_id,
            "environment": self._settings.environment,
            "data": data,
        }

    def fits(self, state: SyncState) -> bool:
        """Return whether *state* is small enough, at least without the memory of what was delivered."""
        return len(self._data(state)) <= _MAX_DATA or len(self._data(_without_seen(state))) <= _MAX_DATA

    def loads(self, value: Any) -> SyncState:
        """Return the state in what `dumps` returned, or its JSON text.

        Raises:
            InputError: It is something else, was altered, or belongs to another company, environment or client secret.
        """
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
        if not isinstance(value, Mapping) or not isinstance(value.get("data"), str):
            raise _rejected("This is not a state of a sync.", "Use the state of the last change set unaltered.")
        version, settings = value.get("version"), self._settings
        reader = _READERS.get(version) if isinstance(version, int) else None
        if reader is None:
            raise _rejected(
                f"This state has version {str(version)[:20]!r}, and this connector reads versions up to {VERSION}.",
                "Use the version of the connector that wrote it, or a newer one.",
            )
        if (value.get("realmId"), value.get("environment")) != (settings.realm_id, settings.environment):
            raise _rejected(
                f"This state belongs to company {str(value.get('realmId'))[:40]} "
                f"({str(value.get('environment'))[:20]}), and the connection is to company {settings.realm_id} "
                f"({settings.environment}).",
                "Keep one state for each company.",
            )
        try:
            return reader(self._serializer.loads(value["data"], "state"))
        except (InputError, KeyError, TypeError, ValueError, AttributeError):
            raise _rejected(
                "This state was altered, or was written with another client secret.",
                "Use the state of the last change set unaltered, or leave it out to read everything again.",
            ) from None

    def _data(self, state: SyncState) -> str:
        return self._serializer.dumps(
            {
                "round": state.round,
                "entities": {name: _written(entity) for name, entity in state.entities.items()},
            }
        )


def _written(entity: EntityState) -> dict[str, Any]:
    """Return the members that have a value; names are short because the state is."""
    members = {
        "since": entity.since and entity.since.isoformat(),
        "size": entity.size,
        "served": entity.served,
        "seen": dict(entity.seen),
        "cursor": entity.cursor,
        "digest": entity.digest,
        "refused": entity.refused_at and entity.refused_at.isoformat(timespec="seconds"),
    }
    return {name: value for name, value in members.items() if value not in (None, {})}


def _without_seen(state: SyncState) -> SyncState:
    return SyncState(state.round, {name: replace(entity, seen={}) for name, entity in state.entities.items()})


def _read_1(data: Mapping[str, Any]) -> SyncState:
    return SyncState(
        data["round"],
        {
            name: EntityState(
                since=datetime.fromisoformat(saved["since"]) if "since" in saved else None,
                size=saved.get("size"),
                served=saved["served"],
                seen=saved.get("seen", {}),
                cursor=saved.get("cursor"),
                digest=saved.get("digest"),
                refused_at=datetime.fromisoformat(saved["refused"]) if "refused" in saved else None,
            )
            for name, saved in data["entities"].items()
        },
    )


_READERS = {1: _read_1}
"""How each version that was ever written is read."""


def _rejected(message: str, hint: str) -> InputError:
    return InputError(f"state: {message} {hint}", [FieldError("state", "state", message, hint)])
