"""
QuickBooks Online connector for pluggy hosts.

The way a call goes, from the host to the wire (a file imports only from those after it):

    cli/           the command line
    web/           a host in the browser; knows the contract alone
    plugin         the hook implementations
    connector      what the plugin registers: describe, validate, connect
    description    the connector as data       consent    how a company is connected
    connection     one configured connection: invoke, call, stream, test
    actions/       one file an action
    reader, whole  a page of an entity; an entity whole      bulk   without decoding it
    client         the only sender of API requests
    auth           one refresh at a time        throttle   how often QuickBooks may be asked
    pace           the same among the processes of this machine
    adapters/      foreign conventions
    stores         where token chains are kept      sealing, locks   how they are encrypted and guarded
    deployment     what the operator decides    settings   what the form decides
    cursors        where a cut-off read goes on
    calls          one call's deadline and meter
    validation     JSON Schemas, field errors     export     rows as CSV
    nursery        keeps the garbage collector out of pages     body   of an answer, packed until it is needed
    contract, hookspecs                         what host and connector agree on
    query, endpoints, responses, fault_parser, tokens, completeness, secret, errors   the pure core
    emulator/      a local QuickBooks, an island
"""

from __future__ import annotations

from typing import Any

__all__ = ["QUICKBOOKS", "ConnectorError", "HostContext", "__version__", "as_node_output"]

_HOMES = {
    "QUICKBOOKS": "connector.connector",
    "ConnectorError": "errors",
    "HostContext": "contract",
    "as_node_output": "contract",
}


def __getattr__(name: str) -> Any:
    """Resolve public names at their first use, so that importing the package costs nothing (PEP 562)."""
    from importlib import import_module  # noqa: PLC0415 -- as above

    if name == "__version__":
        return import_module("importlib.metadata").version("vantage-quickbooks")
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
