"""Webhooks: Intuit's notifications of changes, verified, kept, and handed on.

`verify`, `parse` and `read` are pure functions of the standard library. The rest needs the extra `[webhooks]`: an ASGI
app that accepts notifications into a durable inbox, and workers that hand them on. See docs/webhooks.md.
"""

from __future__ import annotations

from typing import Any

from vantage_quickbooks.webhooks.notices import Notice, Notification, NotificationError, group, merge, parse, read
from vantage_quickbooks.webhooks.signature import SIGNATURE_HEADER, verify

__all__ = [
    "SIGNATURE_HEADER",
    "HookHandler",
    "Inbox",
    "Notice",
    "Notification",
    "NotificationError",
    "Stats",
    "SyncHandler",
    "UnknownCompanyError",
    "WebhookApp",
    "Worker",
    "group",
    "merge",
    "parse",
    "read",
    "verify",
]

_HOMES = {
    "HookHandler": "handlers",
    "Inbox": "inbox",
    "Stats": "stats",
    "SyncHandler": "handlers",
    "UnknownCompanyError": "worker",
    "WebhookApp": "app",
    "Worker": "worker",
}


def __getattr__(name: str) -> Any:
    """Resolve names that need more than the standard library at their first use (PEP 562)."""
    from importlib import import_module  # noqa: PLC0415 -- for PEP 562

    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
