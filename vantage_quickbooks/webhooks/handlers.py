"""What notices are handed on to: the change sync of a company, or the hook `vantage_changes`.

A webhook names the company by its realm; a registry names it by the id of a connection. Two connections of one company,
such as two apps, are both served.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from vantage_quickbooks.auth.stores import open_store
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.many import CompanyRun, sync_company
from vantage_quickbooks.connector.registered import connect_registered
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import ConnectorError, OutputError
from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.webhooks.worker import UnknownCompanyError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

    from vantage_quickbooks.auth.stores import TokenStore
    from vantage_quickbooks.connector.many import SyncTarget
    from vantage_quickbooks.registry import ConnectionEntry, ConnectionRegistry
    from vantage_quickbooks.webhooks.notices import Notice

__all__ = ["ConnectionList", "HookHandler", "RegisteredCompanies", "SyncHandler"]

_LISTED_FOR_S = 60.0
_LISTED_AGAIN_S = 5.0
"""How old the list of the registry may be if it does not have a company: it may have been added since."""

_log = get_logger(__name__)


class ConnectionList(Protocol):
    """Lists connections: a registry, or a host that has connections of its own besides."""

    def list(self) -> Iterable[ConnectionEntry]:
        """Return the connections with their companies.

        Raises:
            RegistryError: They cannot be read.
        """
        ...


class RegisteredCompanies:
    """The connections of a registry by company; thread-safe.

    Args:
        registry: The registry, or another list of connections.
        connection_ids: The connections to consider; None is all.
    """

    def __init__(self, registry: ConnectionList, connection_ids: Collection[str] | None = None) -> None:
        self._registry = registry
        self._only = None if connection_ids is None else frozenset(connection_ids)
        self._lock = threading.Lock()
        self._ids: dict[str, tuple[str, ...]] = {}
        self._listed_at = float("-inf")

    def realms(self) -> list[str]:
        """Return the companies.

        Raises:
            RegistryError: The registry cannot be read.
        """
        return list(self._list(_LISTED_AGAIN_S))

    def ids_of(self, realm_id: str) -> tuple[str, ...]:
        """Return the connections of a company.

        Raises:
            UnknownCompanyError: There are none.
            RegistryError: The registry cannot be read.
        """
        found = self._list(_LISTED_FOR_S).get(realm_id) or self._list(_LISTED_AGAIN_S).get(realm_id)
        if not found:
            raise UnknownCompanyError(realm_id)
        return found

    def realm_of(self, connection_id: str) -> str | None:
        """Return the company of a connection, or None if the registry does not have it.

        Raises:
            RegistryError: The registry cannot be read.
        """
        for age_s in (_LISTED_FOR_S, _LISTED_AGAIN_S):
            for realm_id, ids in self._list(age_s).items():
                if connection_id in ids:
                    return realm_id
        return None

    def _list(self, age_s: float) -> dict[str, tuple[str, ...]]:
        with self._lock:
            if time.monotonic() - self._listed_at > age_s:
                ids: dict[str, tuple[str, ...]] = {}
                for entry in self._registry.list():
                    if entry.realm_id and (self._only is None or entry.id in self._only):
                        ids[entry.realm_id] = (*ids.get(entry.realm_id, ()), entry.id)
                self._ids, self._listed_at = ids, time.monotonic()
            return self._ids


class SyncHandler:
    """Syncs the company that notices are about: they say only where to look, and one call finds what changed.

    Args:
        registry: The registry of connections.
        open_target: As for `sync_companies`: returns a context manager that yields where a company's changes go.
        connection_ids: The connections to consider; None is all.
        entities: As for `Connection.sync`.
        max_api_calls: As for `Connection.sync`.
        context: As for `run_companies`.
        deployment: As for `run_companies`.
        **seams: As for `QuickBooksConnector.connect`.
    """

    def __init__(
        self,
        registry: ConnectionRegistry,
        open_target: Callable[[CompanyRun], AbstractContextManager[SyncTarget]],
        *,
        connection_ids: Collection[str] | None = None,
        entities: Sequence[str] | str | None = None,
        max_api_calls: int | None = None,
        context: HostContext | None = None,
        deployment: Deployment | None = None,
        **seams: Any,
    ) -> None:
        self.companies = RegisteredCompanies(registry, connection_ids)
        self._registry = registry
        self._open_target = open_target
        self._arguments = {"entities": entities, "max_api_calls": max_api_calls}
        self._context = context or HostContext()
        self._deployment = deployment or Deployment.from_environ()
        self._seams = seams
        self._own_store: TokenStore | None = None
        if seams.get("store") is None and not self._context.load_credentials:
            self._own_store = open_store(self._deployment.token_store, encryption_key=self._deployment.token_key)
            self._seams = seams | {"store": self._own_store}

    def __call__(self, realm_id: str, notices: Sequence[Notice]) -> None:
        """Sync all connections of a company.

        Raises:
            UnknownCompanyError: The registry has no connection of the company.
            ConnectorError: A sync failed, or an entity could not be read, and it is worth trying again.
        """
        failure: ConnectorError | None = None
        for connection_id in self.companies.ids_of(realm_id):
            try:
                self._sync(connection_id, len(notices))
            except ConnectorError as error:
                failure = failure or error
            except OSError as error:  # of the target
                failure = failure or OutputError(
                    f"The changes cannot be written: {error.strerror or 'no reason given'}."
                )
        if failure is not None:
            raise failure.without_traceback()

    def close(self) -> None:
        """Close the token store, unless it is the caller's."""
        if self._own_store is not None:
            self._own_store.close()

    def _sync(self, connection_id: str, notices: int) -> None:
        run = CompanyRun(connection_id)
        context = dataclasses.replace(self._context, connection_id=connection_id)
        with (
            connect_registered(
                self._registry, connection_id, context, deployment=self._deployment, **self._seams
            ) as connection,
            self._open_target(run) as target,
        ):
            sync_company(connection, run, target, **self._arguments)
        found = run.result
        _log.info(
            "connection %s synced after %d notices: %d changed, %d deleted",
            *(connection_id, notices, found["upserts"], found["deletions"]),
        )
        failures = found["notSynced"]
        again = [failure["error"] for failure in failures if failure["error"]["retryable"]]
        for failure in failures:
            # A repetition would fail the same way, and its pauses would hold back what can be synced.
            if not failure["error"]["retryable"]:
                _log.warning(
                    "connection %s: %s could not be synced: %s",
                    *(connection_id, failure["entity"], failure["error"]["code"]),
                )
        if again:
            raise ConnectorError.from_dict(again[0])


class HookHandler:
    """Calls the hook `vantage_changes` of a pluggy host for each connection of the company.

    Args:
        registry: The registry, or another list of connections.
        hook: The host's `PluginManager.hook`, with the specifications of `hookspecs` added.
        connection_ids: The connections to consider; None is all.
    """

    def __init__(self, registry: ConnectionList, hook: Any, *, connection_ids: Collection[str] | None = None) -> None:
        self.companies = RegisteredCompanies(registry, connection_ids)
        self._hook = hook

    def __call__(self, realm_id: str, notices: Sequence[Notice]) -> None:
        """Call the hook; what an implementation raises makes the inbox hand the notices on again.

        Raises:
            ConnectorError: HOOK_MISSING: no plugin implements the hook. The notices are kept, and a plugin that is
                registered later gets them.
            UnknownCompanyError: The registry has no connection of the company.
        """
        if not self._hook.vantage_changes.get_hookimpls():  # pluggy would call nothing, and report a success
            raise ConnectorError(
                "No plugin of the host implements the hook vantage_changes, so notices have no receiver. Register one.",
                code="HOOK_MISSING",
                retryable=True,
            )
        for connection_id in self.companies.ids_of(realm_id):
            self._hook.vantage_changes(connection_id=connection_id, notices=[notice.to_dict() for notice in notices])
