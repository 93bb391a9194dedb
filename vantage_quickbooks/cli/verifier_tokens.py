"""The verifier tokens of webhooks: from a file, which may change while a server runs, or from the environment."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VerifierTokens", "has_tokens", "read_tokens"]

TOKEN_VARIABLE = "VANTAGE_QUICKBOOKS_WEBHOOK_TOKEN"

MIN_TOKEN_LENGTH = 16
"""Intuit's verifier tokens are UUIDs, of 36 characters."""

CHECK_S = 1.0
"""How often it is checked whether the file has changed."""

_log = get_logger(__name__)


def has_tokens(file: str | None) -> bool:
    """Return whether there is a file or a variable with verifier tokens."""
    return file is not None or bool(os.environ.get(TOKEN_VARIABLE, "").strip())


def read_tokens(file: str | None, option: str = "--token-file") -> list[str]:
    """Return the verifier tokens of a file, one a line, or of the environment variable, separated by spaces.

    Args:
        file: The file; None for the variable.
        option: The option that names the file, for the message.

    Raises:
        UsageError: There are none, or one is not a token.
    """
    where = file or TOKEN_VARIABLE
    try:
        text = os.environ.get(TOKEN_VARIABLE, "") if file is None else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"The token file {file} cannot be read.") from None
    tokens = text.replace(",", " ").split()
    if not tokens:
        raise UsageError(
            f"There is no verifier token in {where}. Intuit's developer portal shows it on the app's page Webhooks. "
            f"Use {option} FILE, or set {TOKEN_VARIABLE}."
        )
    if not all(len(token) >= MIN_TOKEN_LENGTH and token.isascii() and token.isprintable() for token in tokens):
        raise UsageError(
            f"A verifier token in {where} has fewer than {MIN_TOKEN_LENGTH} characters, or others than visible ASCII."
        )
    return tokens


class VerifierTokens:
    """The current verifier tokens: a file is read again when it changes. Thread-safe.

    While a changed file cannot be read or has no valid token, the former tokens are valid, and the log says so.

    Args:
        file: As for `read_tokens`; a variable cannot change while the process runs.
        option: As for `read_tokens`.
        now: Returns a time in seconds that does not go back.

    Raises:
        UsageError: As for `read_tokens`.
    """

    def __init__(
        self, file: str | None, option: str = "--token-file", *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = file
        self._option = option
        self._now = now
        self._lock = threading.Lock()
        self._state = self._read_state()
        self._checked_at = now()
        self._is_broken = False
        self._tokens = tuple(read_tokens(file, option))

    def __call__(self) -> tuple[str, ...]:
        """Return the tokens that are valid now."""
        with self._lock:
            if self._file is not None and self._now() - self._checked_at >= CHECK_S:
                self._checked_at = self._now()
                self._check()
            return self._tokens

    def _check(self) -> None:
        state = self._read_state()
        if state == self._state and not self._is_broken:
            return
        self._state = state
        try:
            self._tokens = tuple(read_tokens(self._file, self._option))
        except UsageError as error:
            if not self._is_broken:
                _log.error("the former verifier tokens of webhooks remain valid: %s", error)
            self._is_broken = True
        else:
            self._is_broken = False
            _log.info("the verifier tokens of webhooks were read again")

    def _read_state(self) -> tuple[int, ...] | None:
        if self._file is None:
            return None
        try:
            found = os.stat(self._file)  # noqa: PTH116 -- as the option names it
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
