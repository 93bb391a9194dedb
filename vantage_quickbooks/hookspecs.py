"""The hook specifications between a pluggy host and the plugins that register connectors."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .contract import Connector

__all__ = [
    "PROJECT",
    "add_hookspecs",
    "hookimpl",
    "hookspec",
    "vantage_audit",
    "vantage_changes",
    "vantage_load_credentials",
    "vantage_progress",
    "vantage_register_connectors",
    "vantage_save_credentials",
]

PROJECT = "vantage"
"""Name for `pluggy.PluginManager`, and the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def vantage_register_connectors(register: Callable[[Connector], None]) -> None:
    """Call `register(connector)` for each connector of the plugin. The host may raise for a duplicate id."""


@hookspec(firstresult=True)
def vantage_load_credentials(connection_id: str) -> dict[str, Any] | None:
    """Return the credentials that were saved last for a connection, with their `version`; None if there are none."""


@hookspec(firstresult=True)
def vantage_save_credentials(
    connection_id: str, credentials: dict[str, Any], expected_version: str | int | None
) -> str | int | None:
    """Store credentials durably and return their new version.

    Raise `CredentialConflict`, or any exception whose `code` is `CREDENTIALS_CONFLICT`, if *expected_version* is stale.
    """


@hookspec
def vantage_progress(connection_id: str, action: str, done: int, total: int | None) -> None:
    """Observe a long read: *done* of *total* records (None: not known yet). An exception is logged and ignored."""


@hookspec
def vantage_audit(event: dict[str, Any]) -> None:
    """Observe a finished call: operation, user and outcome. An exception is logged and ignored."""


@hookspec
def vantage_changes(connection_id: str, notices: list[dict[str, Any]]) -> None:
    """Handle notices of changed records, at least once; an exception makes them come again after a pause.

    A notice has `realmId`, `entity`, `id`, `operation`, `time` and `deletedId`, and nothing of the record. No notices:
    the time for a regular look has come, because notices get lost.
    """


def add_hookspecs(manager: pluggy.PluginManager) -> None:
    """Add those of these specifications that a host's plugin manager does not have yet.

    `manager.add_hookspecs(hookspecs)` refuses a second set ("Hook 'vantage_audit' is already registered"). This
    function can be called several times, and after another package has added its set.

    Args:
        manager: The host's plugin manager, of the project `PROJECT`.

    Raises:
        ValueError: The manager belongs to another project, or has a hook of the same name with other arguments.
    """
    if manager.project_name != PROJECT:
        raise ValueError(f"The plugin manager is of project {manager.project_name!r}; these hooks are of {PROJECT!r}.")
    missing: dict[str, Any] = {}
    for name, ours in _SPECS.items():
        caller = getattr(manager.hook, name, None)
        theirs = caller.spec if caller is not None else None
        if theirs is None:
            missing[name] = ours
        elif (difference := _difference(ours, theirs)) is not None:
            origin = getattr(theirs.namespace, "__name__", theirs.namespace)
            raise ValueError(
                f"The hook {name} was added before, from {origin}, and differs: {difference}. Add one set of "
                "specifications, the host's own or a connector's, of the same contract version."
            )
    if missing:
        manager.add_hookspecs(type("hookspecs", (), {name: staticmethod(spec) for name, spec in missing.items()}))


def _difference(ours: Callable[..., Any], theirs: Any) -> str | None:
    """Return how another specification of a hook differs from ours; None if calls and results are the same."""
    arguments = inspect.signature(ours).parameters
    if set(arguments) != set(theirs.argnames):
        return f"it takes {', '.join(theirs.argnames) or 'nothing'}, not {', '.join(arguments)}"
    first: Mapping[str, Any] = getattr(ours, f"{PROJECT}_spec")
    if bool(first["firstresult"]) != bool(theirs.opts["firstresult"]):
        return (
            "it returns all results, not the first" if first["firstresult"] else "it returns the first result, not all"
        )
    return None


_SPECS: dict[str, Callable[..., Any]] = {
    name: value for name, value in dict(globals()).items() if hasattr(value, f"{PROJECT}_spec")
}
