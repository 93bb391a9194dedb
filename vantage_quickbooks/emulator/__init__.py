"""A local QuickBooks whose state changes: OAuth, the query language, writes and faults on demand.

    with Emulator() as emulator:
        requests.get(emulator.url + ...)

The package imports nothing of the connector, because it is what the connector is tested against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.emulator import Emulator, serve

__all__ = ["Emulator", "serve"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from vantage_quickbooks.emulator import emulator  # noqa: PLC0415 -- lark is an extra: load it when used

        return getattr(emulator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
