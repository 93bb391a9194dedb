"""The pluggy host: finds connectors, keeps their credentials, and holds one live connection each."""

from __future__ import annotations

import logging
import secrets
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pluggy

from vantage_quickbooks import hookspecs
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.web.store import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.contract import Connection, Connector
    from vantage_quickbooks.web.store import Store

__all__ = ["Host", "Observer", "State", "current_observer"]

State = Literal["ready", "incomplete", "refused"]

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Who wants to know of the call that the current thread makes."""

    def progress(self, done: int, total: int | None) -> None:
        """*done* of *total* records were read; None: nobody knows how many there are."""

    def is_cancelled(self) -> bool:
        """Whether the person has had enough."""


current_observer: ContextVar[Observer | None] = ContextVar("current_observer", default=None)
"""The observer of this thread's call: a connection is shared, so its context cannot name one."""


class Host:
    """What a pluggy host is, and no more.

    Args:
        store: Keeps connections.
        plugins: Plugins beside those that are installed (for tests).

    Attributes:
        connectors: By id, in the order of their names.
    """

    def __init__(self, store: Store, plugins: Iterable[object] = ()) -> None:
        self.store = store
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        hookspecs.add_hookspecs(self._manager)
        self._manager.load_setuptools_entrypoints(hookspecs.PROJECT)
        for plugin in plugins:
            self._manager.register(plugin)
        self._manager.register(CredentialsPlugin(store), "vantage-web")
        self._manager.check_pending()  # a misspelt hook would be ignored in silence
        found: dict[str, Connector] = {}
        self._manager.hook.vantage_register_connectors(register=lambda connector: _register(found, connector))
        self._described = {key: connector.describe() for key, connector in found.items()}
        self.connectors = dict(sorted(found.items(), key=lambda item: str(self._described[item[0]]["displayName"])))
        self._live: dict[str, Connection] = {}
        self._lock = threading.Lock()

    def describe(self, connector_id: str) -> dict[str, Any]:
        """Return a connector's descriptor.

        Raises:
            KeyError: There is no such connector.
        """
        return self._described[connector_id]

    def action(self, connector_id: str, action_id: str) -> dict[str, Any] | None:
        """Return an action's descriptor, or None."""
        actions = self._described[connector_id]["actions"]
        return next((action for action in actions if action["id"] == action_id), None)

    def records(self) -> list[Record]:
        """Return the connections whose connector is installed."""
        return [record for record in self.store.all() if record.connector in self.connectors]

    def record(self, connection_id: str) -> Record | None:
        """Return a connection, or None."""
        record = self.store.get(connection_id)
        return record if record and record.connector in self.connectors else None

    def save(self, connector_id: str, name: str, settings: dict[str, Any], connection_id: str | None = None) -> Record:
        """Keep a connection's settings; the live connection of the old ones is closed."""
        record = Record(connection_id or f"{connector_id}-{secrets.token_hex(4)}", connector_id, name, settings)
        old = self.store.get(record.id)
        self.store.put(record)
        if old is not None and old.settings != settings:
            self.store.set_refused(record.id, False)  # a new grant, perhaps: the next call shows it
        self.drop(record.id)
        return record

    def remove(self, connection_id: str) -> None:
        """Forget a connection, its settings and its credentials."""
        self.drop(connection_id)
        self.store.remove(connection_id)

    def is_ready(self, record: Record) -> bool:
        """Whether actions can run, for all that is known."""
        return self.state(record) == "ready"

    def state(self, record: Record) -> State:
        """Return whether actions can run: `incomplete` settings, consent `refused` when last asked, or `ready`."""
        if not self.connectors[record.connector].validate(record.settings)["valid"]:
            return "incomplete"
        return "refused" if record.id in self.store.refused() else "ready"

    def note(self, record: Record, error: Mapping[str, Any] | None) -> None:
        """Learn from how a call ended whether the provider still accepts the consent.

        Args:
            record: The connection.
            error: The envelope's `error`; None for a success. Most errors say nothing about the consent.
        """
        is_refused = error is not None and error.get("code") == "REAUTHORIZATION_REQUIRED"
        if (error is None or is_refused) and is_refused != (record.id in self.store.refused()):
            self.store.set_refused(record.id, is_refused)

    def connection(self, record: Record) -> Connection:
        """Return the live connection of these settings: one for all threads, so that they share its token.

        Raises:
            ConnectorError: The settings are wrong.
        """
        with self._lock:
            live = self._live.get(record.id)
            if live is None:
                context = HostContext.from_hooks(self._manager.hook, connection_id=record.id, cancelled=_is_cancelled)
                live = self._live[record.id] = self.connectors[record.connector].connect(record.settings, context)
            return live

    def drop(self, connection_id: str) -> None:
        """Close a live connection; the next call makes another of the settings then in force."""
        with self._lock:
            live = self._live.pop(connection_id, None)
        if live is not None:
            live.close()

    def close(self) -> None:
        """Close all live connections."""
        for connection_id in list(self._live):
            self.drop(connection_id)


class CredentialsPlugin:
    """The host's own plugin: credentials into the encrypted store, progress to whoever observes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @hookspecs.hookimpl
    def vantage_load_credentials(self, connection_id: str) -> dict[str, Any] | None:
        """Return the credentials last saved."""
        return self._store.load_credentials(connection_id)

    @hookspecs.hookimpl
    def vantage_save_credentials(
        self, connection_id: str, credentials: dict[str, Any], expected_version: str | int | None
    ) -> int:
        """Keep credentials durably."""
        return self._store.save_credentials(connection_id, credentials, expected_version)

    @hookspecs.hookimpl
    def vantage_progress(self, done: int, total: int | None) -> None:
        """Tell the observer of this thread's call."""
        observer = current_observer.get()
        if observer is not None:
            observer.progress(done, total)

    @hookspecs.hookimpl
    def vantage_audit(self, event: dict[str, Any]) -> None:
        """Write down what was called and how it ended."""
        _log.info(
            "%s on %s: %s, %s API calls",
            event.get("operation"),
            event.get("connectionId"),
            event.get("errorCode") or event.get("outcome"),
            event.get("apiCalls"),
        )


def _register(found: dict[str, Connector], connector: Connector) -> None:
    if connector.id in found:
        raise ValueError(f"Two plugins register a connector {connector.id!r}; remove one of them.")
    found[connector.id] = connector


def _is_cancelled() -> bool:
    observer = current_observer.get()
    return observer is not None and observer.is_cancelled()
