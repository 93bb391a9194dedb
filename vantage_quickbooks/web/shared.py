"""Connections that other programs use, too: kept in a store of the program that starts the web UI.

The web UI's own `store` holds the connections of connectors without a shared store, and those that a shared store does
not accept: it holds usable settings only, so a connection that is not authorized yet waits in the own store. Tokens of
shared connections are stored where the connector itself stores them, so that all programs use the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vantage_quickbooks.errors import ConnectorError
    from vantage_quickbooks.web.store import Record

__all__ = ["SharedConnections", "SharedEntry"]


@dataclass(frozen=True, slots=True)
class SharedEntry:
    """One line of a shared store's list, without any secret.

    Attributes:
        id: The connection's id.
        name: Its display name.
        details: What distinguishes it from others, for a person.
        error: Why it cannot be used; None if it can.
        can_open: Whether `load` accepts the id.
        account: The provider's id of what is connected; empty if it is not known.
    """

    id: str
    name: str
    details: str = ""
    error: ConnectorError | None = None
    can_open: bool = True
    account: str = ""


class SharedConnections(Protocol):
    """A shared store of one connector's connections. Safe for threads.

    Each method raises a `ConnectorError` if the store cannot be used.
    """

    def entries(self) -> Sequence[SharedEntry]:
        """Return all connections, also those that cannot be used."""
        ...

    def load(self, connection_id: str) -> Record | None:
        """Return a connection; with an `error` if its settings cannot be read; None if it does not exist."""
        ...

    def save(self, connection_id: str, name: str, settings: dict[str, Any], *, replace: bool) -> None:
        """Store valid settings durably.

        Raises:
            ConnectorError: With `fields`, if the id (`connection`) or name (`label`) is not valid, or if the id is in
                use and *replace* is False; nothing was changed.
        """
        ...

    def remove(self, connection_id: str) -> None:
        """Delete a connection's settings, also those that cannot be read. An unknown id is ignored."""
        ...

    def check_id(self, connection_id: str) -> None:
        """Raise a `ConnectorError` with `fields` unless a new connection can have this id."""
        ...

    def describe(self) -> str:
        """Return where the connections are, without a password."""
        ...

    def usage(self, connection_id: str) -> str:
        """Return how another program names a connection, such as a command's option."""
        ...
