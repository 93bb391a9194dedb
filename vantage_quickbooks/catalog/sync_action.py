"""The action that brings a copy of many entities up to date: change sets, and the state for the next time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.descriptions import SYNC
from vantage_quickbooks.catalog.flat_fields import flat_fields_reader
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.errors import FieldError, InputError
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import date

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.contract import ChangeSet
    from vantage_quickbooks.sync.sync_state import SyncState

__all__ = ["SYNC_DEFAULT", "SYNC_ENTITIES", "SyncAction"]

SYNC_ENTITIES = {resource.entity: resource for resource in RESOURCES if resource.is_queryable}
"""Entities that can be synced, by Intuit's name."""

SYNC_DEFAULT = tuple(resource for resource in SYNC_ENTITIES.values() if resource.has_creation_order)
"""Entities that are synced unless some are named: those of which a full read of any size can be verified."""


class SyncAction:
    """Implements `handler.Handler`, and what `Connection.sync` needs."""

    action = SYNC

    def __init__(self) -> None:
        self._readers: dict[str, Callable[[Mapping[str, Any], date], dict[str, Any]]] = {}

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> dict[str, Any]:
        """Return all change sets of a sync as one result, which is held in memory; see `iter_sets`.

        Raises:
            InputError: The host asks for a preview: a sync that drops rows would lose them.
            ConnectorError: See `iter_sets`.
        """
        if row_limit is not None:
            raise InputError(
                "A sync has no preview: rows that are left out would be lost. Call it without a row limit."
            )
        sets = list(self.iter_sets(client, data, call))
        last = sets[-1] if sets else None
        return {
            "changeSets": [found.to_dict() for found in sets],
            "count": len(sets),
            "state": last and last.state,
            "metadata": metadata(
                client,
                call,
                pending=last.metadata["pending"] if last else [],
                failed=[found.entity for found in sets if found.error],
            ),
        }

    def iter_sets(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, restart: Iterable[str] = ()
    ) -> Iterator[ChangeSet]:
        """Return the change sets of a sync; nothing is sent until they are iterated.

        Args:
            client: Sends the requests.
            data: Input that the action's input schema accepts: `entities`, `state`, `since`, `until`, `max_api_calls`.
            call: The call; it takes the limit of API calls.
            restart: Entities of which the state is forgotten: they are read as a snapshot.

        Raises:
            InputError: Inputs contradict each other, or the state is not one of this connection.
            ConnectorError: See `sync.company_sync.CompanySync`.
        """
        from vantage_quickbooks.sync.company_sync import CompanySync  # noqa: PLC0415 -- it imports the HTTP client

        call.max_api_calls = data.get("max_api_calls")
        resources, state = _parse(client, data)
        for entity in restart:
            state.entities.pop(entity, None)
        until = _instant(data, "until")
        sync = CompanySync(client, resources, state, call, until=until, add_flat_fields=self._add_flat_fields)
        return iter(sync)

    def estimate(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, *, count: bool
    ) -> dict[str, Any]:
        """Return the API calls that a sync takes; see `sync.company_sync.estimate`."""
        from vantage_quickbooks.sync.company_sync import estimate  # noqa: PLC0415 -- it imports the HTTP client

        return estimate(client, *_parse(client, data), call, count=count)

    def _add_flat_fields(self, resource: Resource, records: list[dict[str, Any]], today: date) -> None:
        read = self._readers.get(resource.entity)
        if read is None:
            read = self._readers[resource.entity] = flat_fields_reader(resource)
        for record in records:
            record.update(read(record, today))


def _parse(client: QuickBooksClient, data: Mapping[str, Any]) -> tuple[list[Resource], SyncState]:
    """Return the entities to sync, and the state to begin with.

    Raises:
        InputError: `state` and `since` are both given, the window is empty, or the state is not this connection's.
    """
    from vantage_quickbooks.core.change_plan import OVERLAP  # noqa: PLC0415 -- only a sync needs it
    from vantage_quickbooks.sync.sync_state import EntityState, StateSerializer, SyncState  # noqa: PLC0415 -- it imports the HTTP client

    names = data.get("entities")
    resources = list(SYNC_DEFAULT) if names is None else [SYNC_ENTITIES[name] for name in names]
    since, until = _instant(data, "since"), _instant(data, "until")
    if since is not None and "state" in data:
        message, hint = (
            "since cannot be combined with state, which has an instant of its own.",
            "Leave one of them out.",
        )
        raise InputError(f"{message} {hint}", [FieldError("since", "together", message, hint)])
    if since is not None and until is not None and until <= since:
        message, hint = "It does not lie after since.", "Swap the two, or leave one of them out."
        raise InputError(f"until: {message} {hint}", [FieldError("until", "range", message, hint)])
    state = StateSerializer(client.settings).loads(data["state"]) if "state" in data else SyncState()
    if since is not None:  # the overlap is subtracted when it is used, so that exactly this instant is asked for
        state.entities = {resource.entity: EntityState(since + OVERLAP) for resource in resources}
    return resources, state


def _instant(data: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(data[name]) if name in data else None
