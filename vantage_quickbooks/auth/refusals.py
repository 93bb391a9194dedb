"""The refresh tokens that Intuit refused recently: a dead chain costs one request per token, not one per call.

A process remembers them in memory, and the processes of a machine that share a token store in small files beside its
lock files. A file contains when and how Intuit refused; its name is a digest that does not reveal the token. Where the
host keeps the tokens there is no such directory, and each process remembers on its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.private_files import make_private_directory, remove_old_files

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["REFUSAL_S", "Refusals"]

REFUSAL_S = 300.0
"""Seconds for which a refused token is not sent again: longer than a full read and its immediate repetition, and short
enough to recover from a refusal by mistake."""


class Refusals:
    """Refused refresh tokens, by their digests; thread-safe.

    Args:
        max_refusals: Maximum number to remember in memory; the oldest are dropped first.
    """

    def __init__(self, max_refusals: int) -> None:
        self._max_refusals = max_refusals
        self._refused: dict[str, tuple[float, dict[str, Any]]] = {}
        self.after_fork_in_child()

    def __len__(self) -> int:
        return len(self._refused)

    def add(self, digest: str, details: dict[str, Any], directory: Path | None) -> None:
        """Remember a refusal.

        Args:
            digest: The digest of the refresh token.
            details: The details of the error; plain JSON.
            directory: Where the processes of this machine share refusals; None if they do not.
        """
        with self._guard:
            self._refused.pop(digest, None)
            while len(self._refused) >= self._max_refusals:
                del self._refused[next(iter(self._refused))]
            self._refused[digest] = (time.monotonic(), dict(details))
        if directory is not None:
            with contextlib.suppress(OSError):  # for example a full disk: then each process remembers on its own
                _write(_path(directory, digest), {"at": time.time(), "details": details})

    def get(self, digest: str, directory: Path | None) -> dict[str, Any] | None:
        """Return the details of a refusal, or None if the token can be sent; the arguments are those of `add`."""
        with self._guard:
            at, details = self._refused.get(digest, (float("-inf"), {}))
            if time.monotonic() - at < REFUSAL_S:
                return details
            self._refused.pop(digest, None)
        return None if directory is None else _read(_path(directory, digest))

    def clear(self) -> None:
        """Forget all refusals in memory."""
        with self._guard:
            self._refused.clear()

    def after_fork_in_child(self) -> None:
        """Release the lock: a thread that held it does not exist in the child."""
        self._guard = threading.Lock()


def _path(directory: Path, digest: str) -> Path:
    return directory / f"{digest[:32]}.refused"


def _write(path: Path, refusal: dict[str, Any]) -> None:
    make_private_directory(path.parent)
    remove_old_files(path.parent, ".refused", 2 * REFUSAL_S)
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
