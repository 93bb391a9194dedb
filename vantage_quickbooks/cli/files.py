"""Files of settings: nothing of somebody else's is overwritten, and what cannot be written is found beforehand."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.config.settings import is_emulators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["SettingsFile", "check_not_settings", "is_of_app", "is_of_emulator", "keep_elsewhere", "replacing"]

_RESERVED = 1 << 16
"""Bytes set aside before a consent, so that a disk that fills up meanwhile does not cost the grant."""

_LARGEST = 1 << 20
"""Bytes of a file that may still hold settings; more is never read."""


class SettingsFile:
    """A settings file that is about to be written: checked and set aside now, filled and put in place by `commit`.

    Args:
        path: The file.
        is_ours: Whether the settings that the file holds may be replaced.
        force: Replace whatever the file holds.

    Raises:
        UsageError: The file holds something else, or cannot be written. Nothing was changed.
    """

    def __init__(self, path: Path, is_ours: Callable[[Mapping[str, Any]], bool], *, force: bool = False) -> None:
        self.path = path
        self._force = force
        self.check(is_ours)
        with _explained(path):
            descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")  # mode 0600
            self._descriptor, self._draft = descriptor, Path(name)
            try:
                _fill(descriptor, b" " * _RESERVED)
            except OSError:
                self.discard()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def check(self, is_ours: Callable[[Mapping[str, Any]], bool]) -> None:
        """Refuse to replace what is not ours.

        Raises:
            UsageError: The file holds something else, or is not a regular file.
        """
        with _explained(self.path):
            try:
                mode = self.path.stat().st_mode
            except FileNotFoundError:
                return
            if not stat.S_ISREG(mode):
                raise UsageError(f"{self.path} is not a regular file, so settings cannot be written to it.")
            if self._force:
                return
            held = _settings_in(self.path)
        if held is None or (held and not is_ours(held)):
            what = "something other than settings" if held is None else "settings of something else"
            raise UsageError(
                f"{self.path} holds {what}, and would be overwritten. Choose another file, or replace it by --force."
            )

    def commit(self, settings: Mapping[str, Any]) -> None:
        """Put the settings in place, readable by this user alone, whole or not at all.

        Raises:
            OSError: They cannot be written.
        """
        _fill(self._descriptor, _text(settings))
        self._draft.replace(self.path)
        self._close()

    def discard(self) -> None:
        """Give back what was set aside; nothing once `commit` has succeeded."""
        if self._descriptor >= 0:
            self._close()
            with contextlib.suppress(OSError):
                self._draft.unlink()

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


@contextlib.contextmanager
def replacing(path: Path, *, is_private: bool) -> Iterator[TextIO]:
    """Yield a text file that takes the place of *path* once it is complete.

    Args:
        path: The file. One that holds settings is not replaced.
        is_private: Whether only this user may read it.

    Raises:
        UsageError: It holds settings, or is not a regular file.
        OSError: It cannot be written.
    """
    check_not_settings(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a regular file. Leave --output out to write to standard output.")
    draft = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_private else 0o666)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def keep_elsewhere(settings: Mapping[str, Any], directories: list[Path]) -> Path | None:
    """Write settings that their own file cannot take to a new file, readable by this user alone.

    Args:
        settings: The settings.
        directories: Where to try, in this order.

    Returns:
        The file; None where no directory takes it.
    """
    for directory in directories:
        with contextlib.suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=directory, prefix="quickbooks-settings-", suffix=".json")
            try:
                _fill(descriptor, _text(settings))
            except OSError:
                Path(name).unlink()
                raise
            finally:
                os.close(descriptor)
            return Path(name)
    return None


def is_of_app(client_id: str, realm_id: str | None = None) -> Callable[[Mapping[str, Any]], bool]:
    """Return a function that says whether settings are of this OAuth app and, if given, of this company."""
    known = {None, "", realm_id}
    return lambda held: held.get("client_id") == client_id and (realm_id is None or held.get("realm_id") in known)


def is_of_emulator(held: Mapping[str, Any]) -> bool:
    """Say whether settings belong to an emulator: they may be replaced by another one's."""
    return held.get("environment") == "emulator" or is_emulators(held)


def check_not_settings(path: Path) -> None:
    """Refuse an output file that holds settings.

    Raises:
        UsageError: It does.
    """
    held = _settings_in(path) if path.is_file() else None
    if held and {"client_id", "client_secret"} <= set(held):
        raise UsageError(f"{path} holds settings, and would be overwritten. Choose another file.")


def _settings_in(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; an empty file holds nothing that could be lost, anything else is None."""
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if not content.strip():
        return {}
    try:
        held = json.loads(content) if len(content) <= _LARGEST else None
    except (ValueError, RecursionError):
        return None
    return held if isinstance(held, dict) else None


def _text(settings: Mapping[str, Any]) -> bytes:
    return (json.dumps(settings, indent=2) + "\n").encode()


def _fill(descriptor: int, data: bytes) -> None:
    """Replace the content of an open file, down to the disk."""
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], written)
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


@contextlib.contextmanager
def _explained(path: Path) -> Any:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or 'the system refused'}.") from None
