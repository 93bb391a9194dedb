"""Stores of token records: in memory, in a SQLite file, in a database server, or with the host."""

from __future__ import annotations

from vantage_quickbooks.auth.stores.base import TokenStore
from vantage_quickbooks.auth.stores.factory import open_store
from vantage_quickbooks.auth.stores.host import HostStore
from vantage_quickbooks.auth.stores.memory import MemoryStore
from vantage_quickbooks.auth.stores.sqlite import SQLiteStore

__all__ = ["HostStore", "MemoryStore", "SQLiteStore", "TokenStore", "open_store"]
