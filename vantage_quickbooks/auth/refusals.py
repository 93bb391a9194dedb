"""
The refresh tokens that Intuit refused lately: a dead chain costs one request a link, not one a call or a process.

A process remembers them in memory, and the processes of a machine that share a token store in small files beside its
lock files. A file holds when and how Intuit refused; its name is a digest that cannot be read back. A host that keeps
the tokens itself has no such place: there each process remembers by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.auth.locks import make_private_directory, remove_old

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["REFUSAL_S", "Refusals"]

REFUSAL_S = 300.0
"""Seconds for which a refused link is not asked again: longer than a full read and those who repeat it at once, and
short enough that a refusal by mistake heals by itself."""


class Refusals:
    """Refused links, by their digests; thread-safe.

    Args:
        most: How many are remembered in memory; the oldest go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}
        self.begin_in_child()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, link: str, details: dict[str, Any], directory: Path | None) -> None:
        """Remember a refusal.

        Args:
            link: The link's digest.
            details: What is said of the refusal; plain JSON.
            directory: Where the processes of this machine look, too; None if they do not.
        """
        with self._guard:
            self._known.pop(link, None)
            while len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[link] = (time.monotonic(), dict(details))
        if directory is not None:
            with contextlib.suppress(OSError):  # a full disk, say: then each process asks for itself
                _write(_file(directory, link), {"at": time.time(), "details": details})

    def of(self, link: str, directory: Path | None) -> dict[str, Any] | None:
        """Return what is said of a link's refusal, or None if it may be asked."""
        with self._guard:
            at, details = self._known.get(link, (float("-inf"), {}))
            if time.monotonic() - at < REFUSAL_S:
                return details
            self._known.pop(link, None)
        return None if directory is None else _read(_file(directory, link))

    def clear(self) -> None:
        """Forget all that this process remembers."""
        with self._guard:
            self._known.clear()

    def begin_in_child(self) -> None:
        """Give a forked child a lock that is free."""
        self._guard = threading.Lock()


def _file(directory: Path, link: str) -> Path:
    return directory / f"{link[:32]}.refused"


def _write(path: Path, refusal: dict[str, Any]) -> None:
    make_private_directory(path.parent)
    remove_old(path.parent, ".refused", 2 * REFUSAL_S)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, suffix=".refused")
    with os.fdopen(descriptor, "w") as file:
        json.dump(refusal, file)
    os.replace(draft, path)  # noqa: PTH105 -- a name, not a path


def _read(path: Path) -> dict[str, Any] | None:
    try:
        refusal = json.loads(path.read_bytes())
        age_s, details = time.time() - refusal["at"], refusal["details"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return dict(details) if isinstance(details, dict) and 0 <= age_s < REFUSAL_S else None
