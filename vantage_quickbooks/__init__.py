"""QuickBooks Online connector for pluggy hosts.

CONTRIBUTING.md describes the packages and the path of a call.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "QUICKBOOKS",
    "ConnectorError",
    "HostContext",
    "__version__",
    "as_node_output",
    "connect_registered",
    "open_registry",
    "run_companies",
    "run_in_processes",
    "sync_companies",
]

_HOMES = {
    "QUICKBOOKS": "connector.connector",
    "ConnectorError": "errors",
    "HostContext": "contract",
    "as_node_output": "contract",
    "connect_registered": "connector.registered",
    "open_registry": "registry",
    "run_companies": "connector.many",
    "run_in_processes": "connector.processes",
    "sync_companies": "connector.many",
}


def __getattr__(name: str) -> Any:
    """Resolve public names at their first use, so that importing the package costs nothing (PEP 562)."""
    from importlib import import_module  # noqa: PLC0415 -- for PEP 562

    if name == "__version__":
        return import_module("importlib.metadata").version("vantage-quickbooks")
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
