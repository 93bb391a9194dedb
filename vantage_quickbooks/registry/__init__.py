"""The registry of connections: the settings of many companies by id, in a folder, in a database, or with the host."""

from __future__ import annotations

from vantage_quickbooks.registry.base import ConnectionEntry, ConnectionRegistry
from vantage_quickbooks.registry.factory import open_registry, open_states
from vantage_quickbooks.registry.folder import FolderRegistry
from vantage_quickbooks.registry.host import HostRegistry

__all__ = ["ConnectionEntry", "ConnectionRegistry", "FolderRegistry", "HostRegistry", "open_registry", "open_states"]
