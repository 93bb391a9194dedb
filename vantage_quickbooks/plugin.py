"""The hook implementations; nothing else. Importing this must stay cheap: a host loads hundreds of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.contract import Connector


@hookimpl
def vantage_register_connectors(register: Callable[[Connector], None]) -> None:
    """Register the QuickBooks connector."""
    register(QUICKBOOKS)
