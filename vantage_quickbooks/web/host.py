"""The pluggy host: finds connectors, stores their credentials, and keeps one live connection for each record."""

from __future__ import annotations

import dataclasses
import re
import secrets
import threading
import traceback
import unicodedata
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

import pluggy

from vantage_quickbooks import hookspecs
from vantage_quickbooks.contract import CONTRACT_VERSION, CONTRACT_VERSIONS, HostContext
from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.web.events import CHANGES, STATE, Events
from vantage_quickbooks.web.shared_sets import with_sets
from vantage_quickbooks.web.store import Record, StoreError
from vantage_quickbooks.web.sync_target import SyncLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vantage_quickbooks.contract import Connection, Connector
    from vantage_quickbooks.metrics import Family
    from vantage_quickbooks.web.shared import SharedConnections, SharedEntry
    from vantage_quickbooks.web.store import Store
    from vantage_quickbooks.web.sync_target import SyncTarget

__all__ = ["Host", "Listed", "Observer", "Rejected", "State", "Throttle", "current_observer"]

State = Literal["ready", "incomplete", "invalid", "refused", "damaged"]

T = TypeVar("T")

MAX_ID_LENGTH = 48
"""Length of an id that is made from a name."""

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
    "sync": "sync",
    "status": "status",
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
    "report": None,
}
_SCHEMAS: dict[str, Any] = {"inputSchema": {}, "inputForm": {}, "outputSchema": {}}

_THROTTLED = {"RATE_LIMITED", "APP_BLOCKED"}
"""Codes of errors after which calls are refused until `retryAfter`."""

_log = get_logger(__name__)


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


@dataclass(frozen=True, slots=True)
class Listed:
    """A connection in a list, without its settings.

    Attributes:
        id: Its id.
        connector: The id of its connector.
        name: Its display name.
        state: See `Host.state`.
        details: What distinguishes it from others, for a person.
        error: Why it cannot be used, if its store says so.
        can_open: Whether it has a page.
        account: The provider's id of what is connected.
        throttled: Why and until when the provider accepts no calls; None if it does, as far as is known.
    """

    id: str
    connector: str
    name: str
    state: State
    details: str = ""
    error: ConnectorError | None = None
    can_open: bool = True
    account: str = ""
    throttled: Throttle | None = None


class Throttle(NamedTuple):
    """Why and until when calls are refused.

    Attributes:
        until: When the next call may succeed.
        message: Why, for a person.
    """

    until: datetime
    message: str


class _Live(NamedTuple):
    """A live connection, and the settings that it was made from."""

    settings: dict[str, Any]
    connection: Connection

    def __repr__(self) -> str:  # crash reporters print local variables
        return "_Live(...)"


class Host:
    """A pluggy host.

    Args:
        store: Stores connections, and the credentials of those connections.
        plugins: Plugins in addition to the installed ones (for tests).
        shared: By connector, the store of the connections that other programs use, too.
        sync_target: Where syncs write; None if there are none.

    Attributes:
        connectors: The connectors by id, sorted by name.
        rejected: The connectors that cannot be used.
        events: What changed, for pages and caches.
        metric_sources: Functions that return further metrics for `/metrics`; they may do I/O.
        sync_target: Where syncs write; None if there are none.
        syncs: The latest syncs.
    """

    def __init__(
        self,
        store: Store,
        plugins: Iterable[object] = (),
        shared: Mapping[str, SharedConnections] | None = None,
        sync_target: SyncTarget | None = None,
    ) -> None:
        self.store = store
        self.events = Events()
        self.metric_sources: list[Callable[[], Iterable[Family]]] = []
        self.sync_target = sync_target
        self.syncs = SyncLog(store, sync_target)
        self._throttled: dict[str, Throttle] = {}
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        hookspecs.add_hookspecs(self._manager)
        self._manager.load_setuptools_entrypoints(hookspecs.PROJECT)
        for plugin in plugins:
            self._manager.register(plugin)
        self._manager.register(CredentialsPlugin(store, self.events), "vantage-web")
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
        self.shared = {name: store for name, store in (shared or {}).items() if name in found}
        self._live: dict[tuple[str, int | None], _Live] = {}
        self._lock = threading.Lock()

    @property
    def hook(self) -> Any:
        """The hooks of all plugins, for what hands notices of changes on: `host.hook.vantage_changes(...)`."""
        return self._manager.hook

    def add_plugin(self, plugin: object) -> None:
        """Register a further plugin, such as one that observes calls."""
        self._manager.register(plugin)
        self._manager.check_pending()

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
            full = _with_defaults(action, _ACTION_DEFAULTS | _SCHEMAS)
            self._actions[key] = with_sets(full, self._described[connector_id])
        return self._actions[key]

    def offers(self, connector_id: str, capability: str, record: Record | Listed | None = None) -> bool:
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
        found = self.record(record.id) if isinstance(record, Listed) else record
        if capability not in _CONNECTION_METHODS or found is None:
            return False
        try:
            return hasattr(self.connection(found), _CONNECTION_METHODS[capability])
        except ConnectorError:  # the settings are not complete yet
            return False

    def supports_oauth(self, connector_id: str) -> bool:
        """Return whether a connector can be connected by OAuth consent."""
        has_fields = bool(self._described[connector_id]["auth"].get("grantFields"))
        return has_fields and self.offers(connector_id, "authorize")

    # ---- connections ----

    def listed(self) -> tuple[list[Listed], list[StoreError]]:
        """Return the connections whose connector is available, and the errors of shared stores that cannot be read."""
        found: list[Listed] = []
        failures: list[StoreError] = []
        refused = self.store.refused()
        for connector_id, shared in self.shared.items():
            try:
                entries = self._ask(shared.entries)
                found += [self._listed(connector_id, entry, refused) for entry in entries]
            except StoreError as error:
                failures.append(error)
        known = {item.id for item in found}
        own = [it for it in self.store.all() if it.connector in self.connectors and it.id not in known]
        found += [self._listed_own(it, refused) for it in own]
        return found, failures

    def record(self, connection_id: str) -> Record | None:
        """Return a connection, or None.

        Raises:
            StoreError: A store cannot be read.
        """
        own = self.store.get(connection_id)
        if own is not None and own.connector not in self.shared:
            return own if own.connector in self.connectors else None
        for shared in self.shared.values():
            try:
                found = self._ask(shared.load, connection_id)
            except StoreError:
                if own is None:
                    raise
                continue
            if found is not None:  # an own one is about to replace it as soon as its settings are valid
                return found if own is None or self._is_usable(found) else dataclasses.replace(own, is_shared=True)
        return own

    def save(
        self,
        connector_id: str,
        name: str,
        settings: dict[str, Any],
        connection_id: str | None = None,
        *,
        old: Record | None = None,
    ) -> Record:
        """Store a connection's settings, and close the live connection that used the old ones.

        A shared store, if the connector has one, gets all settings that are valid. The others, those of connections
        that are not authorized yet, wait in the own store. A connection whose tokens are in the own store stays there
        until it gets a new grant, which needs no tokens: others could not use it without them.

        Args:
            connector_id: The connector.
            name: The display name.
            settings: The settings.
            connection_id: The id; None for that of *old*, or a new one.
            old: The connection that is replaced.

        Raises:
            StoreError: They cannot be stored.
        """
        id_ = connection_id or (old.id if old else self.new_id(connector_id, name))
        record = Record(id_, connector_id, name, settings)
        shared = self.shared.get(connector_id)
        was_shared = old is not None and old.is_shared
        if shared is not None and self._is_shareable(record, was_shared=was_shared):
            self._ask(lambda: shared.save(id_, name, settings, replace=was_shared))
            self.store.remove(id_)
            record = dataclasses.replace(record, is_shared=True)
        else:
            self.store.put(record)
            if shared is not None and old is not None and old.is_shared:
                if self._is_usable(old):
                    self._ask(shared.remove, id_)
                else:  # what is unusable is replaced as soon as these settings are valid
                    record = dataclasses.replace(record, is_shared=True)
        self.close_live(id_)
        self._throttled.pop(id_, None)
        self.events.publish(id_, STATE)
        return record

    def _is_usable(self, record: Record) -> bool:
        return record.error is None and not self.invalid_settings(record)

    def _is_shareable(self, record: Record, *, was_shared: bool) -> bool:
        if not self._is_usable(record):
            return False
        own = self.store.get(record.id)
        if was_shared or own is None or self.store.load_credentials(record.id) is None:
            return True
        granted = self._described[record.connector]["auth"].get("grantFields", ())
        return any(own.settings.get(field) != record.settings.get(field) for field in granted)

    def new_id(self, connector_id: str, name: str) -> str:
        """Return an id for a new connection; one that a person can type, if other programs use the connection, too.

        Raises:
            StoreError: The shared store cannot be read.
        """
        if connector_id not in self.shared:
            return f"{connector_id}-{secrets.token_hex(4)}"
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        stem = re.sub(r"[^a-z0-9]+", "-", plain)[:MAX_ID_LENGTH].strip("-") or connector_id
        candidates = (stem, *(f"{stem}-{number}" for number in range(2, 10)))
        return next((it for it in candidates if self.record(it) is None), f"{stem}-{secrets.token_hex(4)}")

    def check_new_id(self, connector_id: str, connection_id: str) -> list[dict[str, Any]]:
        """Return what is wrong with the id of a new shared connection, as entries of `fields`.

        Raises:
            StoreError: The shared store cannot be read.
        """
        try:
            self.shared[connector_id].check_id(connection_id)
        except ConnectorError as error:
            return list(error.to_dict()["fields"])
        if self.record(connection_id) is None:
            return []
        message = f"There already is a connection {connection_id}."
        return [{"field": "connection", "rule": "exists", "message": message, "hint": "Choose another ID."}]

    def remove(self, record: Record) -> None:
        """Delete a connection with its settings, and with its credentials if they are in the own store.

        Raises:
            StoreError: It cannot be deleted.
        """
        self.close_live(record.id)
        if record.is_shared:
            self._ask(self.shared[record.connector].remove, record.id)
        self.store.remove(record.id)
        self.syncs.forget(record.id)
        self._throttled.pop(record.id, None)
        self.events.publish(record.id, STATE)
        self.events.end(record.id)

    def is_ready(self, record: Record) -> bool:
        """Return whether actions can run, as far as is known."""
        return self.state(record) == "ready"

    def state(self, record: Record, refused: Mapping[str, str] | None = None) -> State:
        """Return the state of a connection.

        Args:
            record: The connection.
            refused: What `Store.refused` has returned; None reads it.

        Returns:
            `damaged`: the settings cannot be read. `incomplete`: settings are missing. `invalid`: some are not valid.
            `refused`: by the provider, in the latest call. `ready`: none of these.
        """
        if record.error is not None:
            return "damaged"
        errors = self.invalid_settings(record)
        if errors:
            return self._state_of(record.connector, errors)
        return "refused" if self.store.is_refused(record, refused) else "ready"

    def throttled(self, connection_id: str) -> Throttle | None:
        """Return why and until when calls are refused, as far as the latest call has shown."""
        found = self._throttled.get(connection_id)
        return found if found is not None and found.until > datetime.now(UTC) else None

    def status(self, record: Record) -> dict[str, Any] | None:
        """Return what a connector knows of a connection without a request: the capability `status`.

        Returns:
            The status; None if the connector offers none, or the connection cannot be used.
        """
        if record.error is not None or not self.offers(record.connector, "status", record):
            return None
        with self._lock:
            live = self._live.get((record.id, None))
        is_live = live is not None and live.settings == record.settings
        try:
            # One for each row of a page of connections: it is not kept open.
            connection = live.connection if live and is_live else self._new_connection(record, None)
        except ConnectorError:  # the settings are not complete yet
            return None
        try:
            status = connection.status()
        except ConnectorError as error:
            return {"state": None, "message": error.message}
        finally:
            if not is_live:
                connection.close()
        self._learn(record, status)
        return status

    def _learn(self, record: Record, status: Mapping[str, Any]) -> None:
        """Learn what another program of the same tokens has found out."""
        state = status.get("state")
        if state == "reauthorizationRequired":
            self.record_outcome(record, {"code": "REAUTHORIZATION_REQUIRED"})
        elif state == "throttled" and isinstance(status.get("throttledUntil"), str):
            until = datetime.fromisoformat(status["throttledUntil"])
            self._set_throttled(record.id, Throttle(until, str(status.get("message") or "")))

    def invalid_settings(self, record: Record) -> list[dict[str, Any]]:
        """Return what is missing or not valid, as entries of `fields`."""
        return list(self.connectors[record.connector].validate(record.settings)["fields"])

    def record_outcome(self, record: Record, error: Mapping[str, Any] | None) -> None:
        """Learn from the outcome of a call whether the provider still accepts the authorization.

        Args:
            record: The connection.
            error: The `error` of the envelope; None for a success. Most errors say nothing about the authorization.
        """
        is_refused = error is not None and error.get("code") == "REAUTHORIZATION_REQUIRED"
        if error is None:
            self._set_throttled(record.id, None)
        elif error.get("code") in _THROTTLED and error.get("retryAfter"):
            until = datetime.now(UTC) + timedelta(seconds=float(error["retryAfter"]))
            self._set_throttled(record.id, Throttle(until, str(error.get("message", ""))))
        if (error is None or is_refused) and is_refused != self.store.is_refused(record):
            try:
                if is_refused and self.record(record.id) is None:
                    return  # removed during the call
            except StoreError:
                pass
            self.store.set_refused(record, is_refused)
            self.events.publish(record.id, STATE)

    def _state_of(self, connector_id: str, errors: Sequence[Mapping[str, Any]]) -> State:
        granted = self._described[connector_id]["auth"].get("grantFields", ())
        is_missing = all(entry.get("rule") == "required" or entry["field"] in granted for entry in errors)
        return "incomplete" if is_missing else "invalid"

    def _set_throttled(self, connection_id: str, throttle: Throttle | None) -> None:
        known = self.throttled(connection_id)
        if throttle is None:
            self._throttled.pop(connection_id, None)
        else:
            self._throttled[connection_id] = throttle
        if (known is None) is not (throttle is None):
            self.events.publish(connection_id, STATE)

    def _listed_own(self, record: Record, refused: Mapping[str, str]) -> Listed:
        named = self._described[record.connector]["auth"].get("callbackFields", {})
        account = next((str(record.settings[name]) for name in named.values() if record.settings.get(name)), "")
        state, throttled = self.state(record, refused), self.throttled(record.id)
        return Listed(record.id, record.connector, record.name, state, account=account, throttled=throttled)

    def _listed(self, connector_id: str, entry: SharedEntry, refused: Mapping[str, str]) -> Listed:
        state: State = "ready"
        if entry.error is not None:
            fields = entry.error.to_dict()["fields"] if entry.error.code == "SETTINGS_INVALID" else []
            state = self._state_of(connector_id, fields) if fields else "damaged"
        elif entry.id in refused:
            record = self._ask(self.shared[connector_id].load, entry.id)
            state = self.state(record, refused) if record else "ready"
        error = None if state == "incomplete" else entry.error
        throttled = self.throttled(entry.id)
        shown = (entry.details, error, entry.can_open, entry.account, throttled)
        return Listed(entry.id, connector_id, entry.name, state, *shown)

    @staticmethod
    def _ask(method: Callable[..., T], *args: Any) -> T:
        """Call a method of a shared store.

        Raises:
            StoreError: It raised a `ConnectorError`.
        """
        try:
            return method(*args)
        except ConnectorError as error:
            failure = StoreError(error.message, error.without_traceback())
        raise failure

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
            live = [live.connection for (connection_id, _), live in self._live.items() if connection_id == record.id]
        for connection in live:
            if self.offers(record.connector, "apiCalls", record):
                for action_id, calls in connection.api_calls().items():
                    counts[action_id] = counts.get(action_id, 0) + calls
        return {action_id: calls for action_id, calls in counts.items() if calls}

    def close_live(self, connection_id: str) -> None:
        """Close the live connections of a record. The next call makes a new one from the settings of that time."""
        with self._lock:
            live = [self._live.pop(key) for key in list(self._live) if key[0] == connection_id]
        for _, connection in live:
            connection.close()

    def close(self) -> None:
        """End all subscriptions and close all live connections."""
        self.events.close()
        for connection_id in {connection_id for connection_id, _ in list(self._live)}:
            self.close_live(connection_id)

    def _connection(self, record: Record, row_limit: int | None) -> Connection:
        if record.error is not None:
            raise record.error
        key = record.id, row_limit
        with self._lock:
            live = self._live.get(key)
            if live is not None and live.settings == record.settings:
                return live.connection
            connection = self._new_connection(record, row_limit)
            self._live[key] = _Live(record.settings, connection)
        if live is not None:  # another program replaced the settings
            live.connection.close()
        return connection

    def _new_connection(self, record: Record, row_limit: int | None) -> Connection:
        context = HostContext.from_hooks(
            self._manager.hook,
            connection_id=record.id,
            row_limit=row_limit,
            cancelled=_is_cancelled,
            contract_version=CONTRACT_VERSION,
        )
        if record.is_shared:  # its tokens are where the connector stores them for all programs
            context = dataclasses.replace(context, load_credentials=None, save_credentials=None)
        return self.connectors[record.connector].connect(record.settings, context)

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
    """The host's own plugin: stores credentials, passes progress to the observer, and publishes changes."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store = store
        self._events = events

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
    def vantage_changes(self, connection_id: str) -> None:
        """Publish that records changed."""
        self._events.publish(connection_id, CHANGES)

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
