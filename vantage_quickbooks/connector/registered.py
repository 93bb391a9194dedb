"""Connections by their id in a registry."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from vantage_quickbooks.config.deployment import Deployment
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.registry import ConnectionRegistry

__all__ = ["connect_registered"]


def connect_registered(
    registry: ConnectionRegistry,
    connection_id: str,
    context: HostContext | None = None,
    *,
    deployment: Deployment | None = None,
    **seams: Any,
) -> Connection:
    """Make a connection of a registry; reads its settings, and opens nothing else.

    Its tokens are in the token store of the deployment, so all processes that use the connection share one chain.

    Args:
        registry: The registry.
        connection_id: The connection's id there. It becomes the context's `connection_id`.
        context: As for `QuickBooksConnector.connect`.
        deployment: As for `QuickBooksConnector.connect`.
        **seams: As for `QuickBooksConnector.connect`.

    Raises:
        RegistryError: The registry does not have the connection, or it cannot be read.
        InputError: The id is not valid.
        SettingsError: The settings are not valid; `details` contain `connectionId`.
    """
    failure: ConnectorError
    try:
        settings = registry.load(connection_id)
        if context is None or isinstance(context, HostContext):
            context = dataclasses.replace(context or HostContext(), connection_id=connection_id)
        return QUICKBOOKS.connect(settings, context, deployment=deployment, **seams)
    except ConnectorError as error:
        failure = error
    settings = {}  # a crash reporter would print them
    failure.details.setdefault("connectionId", connection_id)
    raise failure.without_traceback()
