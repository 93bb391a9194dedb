"""Webhooks for the web UI: notices become events of its pages.

Handing a notice on takes no API call here, so the windows are short. They are shortest for a company whose page is
open, so that a change is visible there within two seconds. Other plugins with the hook `vantage_changes` get the same
notices.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from vantage_quickbooks.cli.web_connections import CONNECTOR_ID
from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from vantage_quickbooks.registry import ConnectionEntry, ConnectionRegistry
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.store import Store
    from vantage_quickbooks.webhooks.app import WebhookApp
    from vantage_quickbooks.webhooks.handlers import RegisteredCompanies
    from vantage_quickbooks.webhooks.inbox import Inbox

__all__ = ["PATH", "receiving"]

PATH = "/webhooks"

WINDOW_S = 10.0
WATCHED_WINDOW_S = 0.4
WATCHED_FOR_S = 60.0
_WATCH_AGAIN_S = 20.0

_log = get_logger(__name__)


@contextlib.contextmanager
def receiving(
    host: Host,
    registry: ConnectionRegistry,
    tokens: Sequence[str] | Callable[[], Sequence[str]],
    inbox_path: Path,
) -> Generator[WebhookApp]:
    """Yield the app that receives webhooks for the pages of *host*, until the block ends.

    Args:
        host: Its hook `vantage_changes` gets the notices.
        registry: The connections that other programs use, too. Those in the store of *host* get notices as well.
        tokens: As for `WebhookApp`.
        inbox_path: The inbox, a file that no other process uses.

    Raises:
        InboxError: The inbox cannot be written.
    """
    from vantage_quickbooks.webhooks.app import WebhookApp
    from vantage_quickbooks.webhooks.handlers import HookHandler
    from vantage_quickbooks.webhooks.inbox import Inbox
    from vantage_quickbooks.webhooks.worker import Worker

    inbox = Inbox(inbox_path, window_s=WINDOW_S, interactive_window_s=WATCHED_WINDOW_S)
    inbox.prepare()
    handler = HookHandler(_Connections(registry, host.store), host.hook)
    app = WebhookApp(inbox, tokens, worker=Worker(inbox, handler))
    host.metric_sources.append(app.families)
    watcher = _Watcher(host, inbox, handler.companies)
    watcher.start()
    try:
        yield app
    finally:
        host.metric_sources.remove(app.families)
        watcher.stop()
        app.close()
        inbox.close()


class _Connections:
    """The connections of the web UI: those of the registry, and those that only its own store has."""

    def __init__(self, registry: ConnectionRegistry, store: Store) -> None:
        self._registry = registry
        self._store = store

    def list(self) -> Sequence[ConnectionEntry]:
        """Return them. See `webhooks.handlers.ConnectionList`."""
        from vantage_quickbooks.registry import ConnectionEntry

        found = list(self._registry.list())
        known = {(entry.id, entry.realm_id) for entry in found}
        for record in self._store.all():
            realm_id = str(record.settings.get("realm_id") or "")
            if record.connector == CONNECTOR_ID and realm_id and (record.id, realm_id) not in known:
                found.append(ConnectionEntry(record.id, record.name, realm_id))
        return found


class _Watcher(threading.Thread):
    """Keeps the window of the companies short whose pages are open."""

    def __init__(self, host: Host, inbox: Inbox, companies: RegisteredCompanies) -> None:
        super().__init__(name="webhook-watcher", daemon=True)
        self._events = host.events
        self._inbox = inbox
        self._companies = companies
        self._woken = threading.Event()
        self._is_stopping = False
        self._events.on_watch(lambda _: self._woken.set())

    def stop(self) -> None:
        """End the thread."""
        self._is_stopping = True
        self._woken.set()
        self.join()

    def run(self) -> None:
        """Watch the open pages again and again."""
        while not self._is_stopping:
            try:
                for connection_id in self._events.watched():
                    realm_id = self._companies.realm_of(connection_id)
                    if realm_id is not None:
                        self._inbox.watch(realm_id, WATCHED_FOR_S)
            except ConnectorError as error:  # of the inbox or the registry
                _log.warning("the pages of companies are updated later than usual: %s", error.message)
            except Exception as error:  # noqa: BLE001 -- a defect must not end the thread
                _log.error("the pages of companies are updated later than usual: %s", type(error).__name__)
            self._woken.wait(_WATCH_AGAIN_S)
            self._woken.clear()
