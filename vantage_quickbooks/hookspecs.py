"""What a host may ask and offer: the whole surface between a pluggy host and this plugin, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.contract import Connector

PROJECT = "vantage"
"""Name for `pluggy.PluginManager`, and the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def vantage_register_connectors(register: Callable[[Connector], None]) -> None:
    """Call `register(connector)` for each connector on offer; the host may refuse a duplicate id there."""


@hookspec(firstresult=True)
def vantage_load_credentials(connection_id: str) -> dict[str, Any] | None:
    """Return the credentials last saved for a connection with their `version`, or None when there are none."""


@hookspec(firstresult=True)
def vantage_save_credentials(
    connection_id: str, credentials: dict[str, Any], expected_version: str | int | None
) -> str | int | None:
    """Store credentials durably, return their new version; raise `CredentialConflict` if the version is stale."""


@hookspec
def vantage_progress(connection_id: str, action: str, done: int, total: int | None) -> None:
    """Observe a long read: *done* of *total* records (None: unknown). An exception here is logged, no more."""


@hookspec
def vantage_audit(event: dict[str, Any]) -> None:
    """Observe what was called, by whom and how it ended. An exception here is logged, no more."""
