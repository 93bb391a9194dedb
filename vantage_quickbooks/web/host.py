"""The pluggy host: finds connectors, stores their credentials, and keeps one live connection for each record."""

from __future__ import annotations

import logging
import secrets
import threading
import traceback
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pluggy

from vantage_quickbooks import hookspecs
from vantage_quickbooks.contract import CONTRACT_VERSION, CONTRACT_VERSIONS, HostContext
from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.web.store import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.contract import Connection, Connector
    from vantage_quickbooks.web.store import Store

__all__ = ["Host", "Observer", "Rejected", "State", "current_observer"]

State = Literal["ready", "incomplete", "refused"]

PREVIEW_ROWS = 20
"""Row limit of a preview connection."""

# Methods to look for where a descriptor lists no capabilities.
_CONNECTOR_METHODS = {"describeAction": "describe_action", "authorize": "authorization_url"}
_CONNECTION_METHODS = {
    "test": "test",
    "stream": "stream",
    "estimate": "estimate",
    "apiCalls": "api_calls",
    "disconnect": "disconnect",
}

# What a missing or null member of a descriptor means.
_CONNECTOR_DEFAULTS: dict[str, Any] = {
    "version": None,
    "description": "",
    "docsUrl": None,
    "icon": None,
    "auth": {},
    "settingsForm": {},
    "groups": [],
}
_ACTION_DEFAULTS: dict[str, Any] = {
    "description": "",
    "group": None,
    "version": None,
    "deprecated": None,
    "rowsKey": None,
    "readOnly": None,
    "destructive": False,
    "idempotent": None,
    "sensitiveOutput": False,
    "streamable": False,
    "modes": [],
    "fullReadInput": None,
    "keys": None,
    "triggers": [],
    "cost": [],
    "limits": None,
    "flatFields": [],
    "requiredScopes": [],
    "examples": [],
    "views": [],
}
_SCHEMAS: dict[str, Any] = {"inputSchema": {}, "inputForm": {}, "outputSchema": {}}

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Receives the progress of the call that the current thread makes, and can cancel it."""

    def progress(self, done: int, total: int | None) -> None:
        """*done* of *total* records were read; None if the total is not known."""

    def is_cancelled(self) -> bool:
        """Whether the user canceled the call."""


current_observer: ContextVar[Observer | None] = ContextVar("current_observer", default=None)
"""The observer of this thread's call: connections are shared, so their context cannot name one."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A connector that is installed but cannot be used.

    Attributes:
        id: Its id.
        name: Its display name.
        reason: Why, and what to do.
    """

    id: str
    name: str
    reason: str


class Host:
    """A pluggy host.

    Args:
        store: Stores connections.
        plugins: Plugins in addition to the installed ones (for tests).

    Attributes:
        connectors: The connectors by id, sorted by name.
        rejected: The connectors that cannot be used.
    """

    def __init__(self, store: Store, plugins: Iterable[object] = ()) -> None:
        self.store = store
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        hookspecs.add_hookspecs(self._manager)
        self._manager.load_setuptools_entrypoints(hookspecs.PROJECT)
        for plugin in plugins:
            self._manager.register(plugin)
        self._manager.register(CredentialsPlugin(store), "vantage-web")
        self._manager.check_pending()  # pluggy ignores a misspelled hook silently
        found: dict[str, Connector] = {}
        self._manager.hook.vantage_register_connectors(register=lambda connector: _register(found, connector))
        self._described: dict[str, dict[str, Any]] = {}
        self._actions: dict[tuple[str, str], dict[str, Any]] = {}
        self.rejected: list[Rejected] = []
        for connector_id, connector in found.items():
            self._add(connector_id, connector)
        names = {connector_id: str(described["displayName"]) for connector_id, described in self._described.items()}
        self.connectors = {connector_id: found[connector_id] for connector_id in sorted(names, key=names.__getitem__)}
        self._live: dict[tuple[str, int | None], Connection] = {}
        self._lock = threading.Lock()

    # ---- descriptors ----

    def describe(self, connector_id: str) -> dict[str, Any]:
        """Return a connector's descriptor; its actions may lack their schemas and forms, see `action`.

        Raises:
            KeyError: There is no such connector.
        """
        return self._described[connector_id]

    def describe_in_full(self, connector_id: str) -> dict[str, Any]:
        """Return a connector's descriptor with all schemas.

        Raises:
            KeyError: There is no such connector.
        """
        return self.connectors[connector_id].describe()

    def action(self, connector_id: str, action_id: str) -> dict[str, Any] | None:
        """Return the descriptor of an action with its schemas and form, or None. It is loaded at first use."""
        listed = next((item for item in self._described[connector_id]["actions"] if item["id"] == action_id), None)
        if listed is None:
            return None
        key = connector_id, action_id
        if key not in self._actions:
            connector = self.connectors[connector_id]
            loads_lazily = self.offers(connector_id, "describeAction")
            action = connector.describe_action(action_id) if loads_lazily else listed
            self._actions[key] = _with_defaults(action, _ACTION_DEFAULTS | _SCHEMAS)
        return self._actions[key]

    def offers(self, connector_id: str, capability: str, record: Record | None = None) -> bool:
        """Return whether a connector has a capability.

        If its descriptor has no `capabilities`, the methods themselves are looked for.

        Args:
            connector_id: The connector.
            capability: A name of `contract.CAPABILITIES`.
            record: A connection, for the capabilities that are methods of `Connection`.
        """
        listed = self._described[connector_id].get("capabilities")
        if listed is not None:
            return capability in listed
        if capability in _CONNECTOR_METHODS:
            return hasattr(self.connectors[connector_id], _CONNECTOR_METHODS[capability])
        if capability not in _CONNECTION_METHODS or record is None:
            return False
        try:
            return hasattr(self.connection(record), _CONNECTION_METHODS[capability])
        except ConnectorError:  # the settings are not complete yet
            return False

    def supports_oauth(self, connector_id: str) -> bool:
        """Return whether a connector can be connected by OAuth consent."""
        has_fields = bool(self._described[connector_id]["auth"].get("grantFields"))
        return has_fields and self.offers(connector_id, "authorize")

    # ---- connections ----

    def records(self) -> list[Record]:
        """Return the connections whose connector is available."""
        return [record for record in self.store.all() if record.connector in self.connectors]

    def record(self, connection_id: str) -> Record | None:
        """Return a connection, or None."""
        record = self.store.get(connection_id)
        return record if record and record.connector in self.connectors else None

    def save(self, connector_id: str, name: str, settings: dict[str, Any], connection_id: str | None = None) -> Record:
        """Store a connection's settings, and close the live connection that used the old ones."""
        record = Record(connection_id or f"{connector_id}-{secrets.token_hex(4)}", connector_id, name, settings)
        old = self.store.get(record.id)
        self.store.put(record)
        if old is not None and old.settings != settings:
            self.store.set_refused(record.id, False)  # possibly a new grant: the next call shows
        self.close_live(record.id)
        return record

    def remove(self, connection_id: str) -> None:
        """Delete a connection with its settings and credentials."""
        self.close_live(connection_id)
        self.store.remove(connection_id)

    def is_ready(self, record: Record) -> bool:
        """Return whether actions can run, as far as is known."""
        return self.state(record) == "ready"

    def state(self, record: Record) -> State:
        """Return `incomplete` (settings), `refused` (by the provider, in the latest call) or `ready`."""
        if not self.connectors[record.connector].validate(record.settings)["valid"]:
            return "incomplete"
        return "refused" if record.id in self.store.refused() else "ready"

    def record_outcome(self, record: Record, error: Mapping[str, Any] | None) -> None:
        """Learn from the outcome of a call whether the provider still accepts the authorization.

        Args:
            record: The connection.
            error: The `error` of the envelope; None for a success. Most errors say nothing about the authorization.
        """
        is_refused = error is not None and error.get("code") == "REAUTHORIZATION_REQUIRED"
        if (error is None or is_refused) and is_refused != (record.id in self.store.refused()):
            self.store.set_refused(record.id, is_refused)

    def connection(self, record: Record) -> Connection:
        """Return the live connection of a record. All threads share it, and with it its access token.

        Raises:
            ConnectorError: The settings are invalid.
        """
        return self._connection(record, None)

    def preview_connection(self, record: Record) -> Connection:
        """Return a live connection whose lists return at most `PREVIEW_ROWS` rows, if the connector can limit them.

        Raises:
            ConnectorError: The settings are invalid.
        """
        return self._connection(record, PREVIEW_ROWS if self.offers(record.connector, "rowLimit") else None)

    def api_calls(self, record: Record) -> dict[str, int]:
        """Return the API calls of the live connection by action; empty if it has made none or does not count them."""
        counts: dict[str, int] = {}
        with self._lock:
            live = [connection for (connection_id, _), connection in self._live.items() if connection_id == record.id]
        for connection in live:
            if self.offers(record.connector, "apiCalls", record):
                for action_id, calls in connection.api_calls().items():
                    counts[action_id] = counts.get(action_id, 0) + calls
        return {action_id: calls for action_id, calls in counts.items() if calls}

    def close_live(self, connection_id: str) -> None:
        """Close the live connections of a record. The next call makes a new one from the settings of that time."""
        with self._lock:
            live = [self._live.pop(key) for key in list(self._live) if key[0] == connection_id]
        for connection in live:
            connection.close()

    def close(self) -> None:
        """Close all live connections."""
        for connection_id in {connection_id for connection_id, _ in list(self._live)}:
            self.close_live(connection_id)

    def _connection(self, record: Record, row_limit: int | None) -> Connection:
        key = record.id, row_limit
        with self._lock:
            live = self._live.get(key)
            if live is None:
                context = HostContext.from_hooks(
                    self._manager.hook,
                    connection_id=record.id,
                    row_limit=row_limit,
                    cancelled=_is_cancelled,
                    contract_version=CONTRACT_VERSION,
                )
                live = self._live[key] = self.connectors[record.connector].connect(record.settings, context)
            return live

    def _add(self, connector_id: str, connector: Connector) -> None:
        try:
            lazily = hasattr(connector, "describe_action")
            described = connector.describe(schemas=False) if lazily else connector.describe()
            name, _ = str(described["displayName"]), described["actions"]
        except Exception as error:  # noqa: BLE001 -- one connector's defect must not stop the others
            frame = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("a connector failed: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
            reason = f"It failed to describe itself ({type(error).__name__}). Update the connector or remove it."
            self.rejected.append(Rejected(connector_id, connector_id, reason))
            return
        versions = [str(version) for version in described.get("contractVersions") or ("1",)]
        if set(versions) & set(CONTRACT_VERSIONS):
            actions = [_with_defaults(action, _ACTION_DEFAULTS) for action in described["actions"]]
            self._described[connector_id] = _with_defaults(described, _CONNECTOR_DEFAULTS) | {"actions": actions}
            return
        reason = (
            f"It requires version {' or '.join(versions)} of the connector contract; this web UI supports version "
            f"{' and '.join(CONTRACT_VERSIONS)}. Update the web UI, or install a version of the connector that "
            "supports it."
        )
        self.rejected.append(Rejected(connector_id, name, reason))


class CredentialsPlugin:
    """The host's own plugin: stores credentials, and passes progress to the observer."""

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
        """Store credentials durably."""
        return self._store.save_credentials(connection_id, credentials, expected_version)

    @hookspecs.hookimpl
    def vantage_progress(self, done: int, total: int | None) -> None:
        """Report progress to the observer of this thread's call."""
        observer = current_observer.get()
        if observer is not None:
            observer.progress(done, total)

    @hookspecs.hookimpl
    def vantage_audit(self, event: dict[str, Any]) -> None:
        """Log what was called and how it ended."""
        _log.info(
            "%s on %s: %s, %s API calls",
            event.get("operation"),
            event.get("connectionId"),
            event.get("errorCode") or event.get("outcome"),
            event.get("apiCalls"),
        )


def _register(found: dict[str, Connector], connector: Connector) -> None:
    if connector.id in found:
        raise ValueError(f"Two plugins register a connector with the id {connector.id!r}; remove one of them.")
    found[connector.id] = connector


def _with_defaults(described: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a descriptor without null members, completed by their defaults."""
    return {**defaults, **{name: value for name, value in described.items() if value is not None}}


def _is_cancelled() -> bool:
    observer = current_observer.get()
    return observer is not None and observer.is_cancelled()
