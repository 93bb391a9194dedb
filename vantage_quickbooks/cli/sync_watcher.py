"""Reports what other programs have synced into the folder of "Sync now" to the open pages of the web UI.

`sync --all --output` and `webhooks serve --output` run in processes of their own. A copy, `<id>.ndjson`, grows if and
only if a sync has found changes, so its size is the signal: any program that writes to the folder gives it, on any file
system, and it cannot get lost.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.web.events import CHANGES

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from vantage_quickbooks.cli.web_syncs import FolderSyncs
    from vantage_quickbooks.web.events import Events

__all__ = ["SyncWatcher"]

PERIOD_S = 2.0
_SUFFIX = ".ndjson"

_log = get_logger(__name__)


class SyncWatcher:
    """Publishes `changes` for each connection whose copy another program has written; a context manager.

    Args:
        events: The events of the web UI.
        syncs: The folder. What it wrote itself is not reported again.
        period_s: Pause between two looks at the folder.
    """

    def __init__(self, events: Events, syncs: FolderSyncs, *, period_s: float = PERIOD_S) -> None:
        self._events = events
        self._syncs = syncs
        self._period_s = period_s
        self._sizes = self._read()
        self._growing: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sync-watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def check(self) -> None:
        """Look at the folder once: publish what has changed, and has not grown since the last look.

        A first sync may write for minutes, and each event costs an open page API calls.

        Raises:
            OSError: The folder cannot be read.
        """
        found = self._read()
        for connection_id, size in found.items():
            if size == self._sizes.get(connection_id, 0):
                continue
            if size == self._syncs.written.get(connection_id):
                self._sizes[connection_id] = size
            elif size == self._growing.get(connection_id):
                self._sizes[connection_id] = size
                self._events.publish(connection_id, CHANGES)
        self._growing = found

    def _read(self) -> dict[str, int]:
        with os.scandir(self._syncs.path) as entries:
            return {it.name.removesuffix(_SUFFIX): it.stat().st_size for it in entries if it.name.endswith(_SUFFIX)}

    def _run(self) -> None:
        is_broken = False
        while not self._stopping.wait(self._period_s):
            try:
                self.check()
            except OSError as error:
                if not is_broken:
                    _log.warning("syncs of other programs are not seen: %s", error.strerror or "the folder is missing")
                is_broken = True
            else:
                is_broken = False
