"""The registry of connections, as the web UI uses it."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.errors import ConnectionNotFoundError, DamagedConnectionError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vantage_quickbooks.registry import ConnectionEntry
    from vantage_quickbooks.registry.base import StoredRegistry
    from vantage_quickbooks.web.shared import SharedEntry
    from vantage_quickbooks.web.store import Record

__all__ = ["CONNECTOR_ID", "RegistryConnections"]

CONNECTOR_ID = "quickbooks"


class RegistryConnections:
    """Implements `web.shared.SharedConnections` for a registry.

    Args:
        registry: The registry.
        url: The value of `--registry`; None if the registry is that of the environment.
    """

    def __init__(self, registry: StoredRegistry, url: str | None = None) -> None:
        self._registry = registry
        self._url = url

    def entries(self) -> Sequence[SharedEntry]:
        """Return the entries. See `SharedConnections.entries`."""
        return [_shared_entry(entry) for entry in self._registry.list()]

    def load(self, connection_id: str) -> Record | None:
        """Return a connection. See `SharedConnections.load`."""
        from vantage_quickbooks.web.store import Record

        try:
            settings, label = self._registry.read(connection_id)
        except (ConnectionNotFoundError, InputError):  # an InputError: no connection can have this id
            return None
        except DamagedConnectionError as error:
            damage = error.without_traceback()
            return Record(connection_id, CONNECTOR_ID, connection_id, {}, is_shared=True, error=damage)
        return Record(connection_id, CONNECTOR_ID, label or connection_id, settings, is_shared=True)

    def save(self, connection_id: str, name: str, settings: dict[str, Any], *, replace: bool) -> None:
        """Store settings. See `SharedConnections.save`."""
        self._registry.add(connection_id, settings, "" if name == connection_id else name, replace=replace)

    def remove(self, connection_id: str) -> None:
        """Delete settings. See `SharedConnections.remove`."""
        with contextlib.suppress(ConnectionNotFoundError):
            self._registry.remove(connection_id)

    def check_id(self, connection_id: str) -> None:
        """Check the id of a new connection. See `SharedConnections.check_id`."""
        from vantage_quickbooks.registry.base import check_id

        check_id(connection_id)

    def describe(self) -> str:
        """Return the kind and location of the registry."""
        return self._registry.describe()

    def usage(self, connection_id: str) -> str:
        """Return the options of the command line for a connection."""
        registry = f" --registry {shlex.quote(self._url)}" if self._url else ""
        return f"--connection {connection_id}{registry}"


def _shared_entry(entry: ConnectionEntry) -> SharedEntry:
    from vantage_quickbooks.registry.base import check_id
    from vantage_quickbooks.web.shared import SharedEntry

    company = f"company {entry.realm_id}" if entry.realm_id else ""
    name = entry.label or entry.id
    details = ", ".join(text for text in ("" if name == entry.id else entry.id, company, entry.environment) if text)
    try:
        check_id(entry.id)
    except InputError:
        can_open = False
    else:
        can_open = True
    return SharedEntry(entry.id, name, details, entry.error, can_open, entry.realm_id or "")
