"""Settings files: other content is not overwritten, and an unwritable file is detected before anything happens."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TextIO

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.config.settings import is_emulators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "SettingsFile",
    "check_not_settings",
    "is_of_app",
    "is_of_emulator",
    "keep_elsewhere",
    "replacing",
    "replacing_bytes",
]

_RESERVED = 1 << 16
"""Bytes reserved before consent, so that a disk that fills up meanwhile does not lose the grant."""

_LARGEST = 1 << 20
"""Maximum size in bytes of a settings file; larger files are not read."""


class SettingsFile:
    """A settings file that will be written: checked and reserved now, written by `commit`.

    Args:
        path: The file.
        is_ours: Returns whether the settings in the file may be replaced.
        force: Replace any content.

    Raises:
        UsageError: The file contains something else, or cannot be written. Nothing was changed.
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
        """Check that the content of the file may be replaced.

        Raises:
            UsageError: The file contains something else, or is not a regular file.
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
            what = (
                "something other than settings" if held is None else "settings of another app, company or environment"
            )
            raise UsageError(f"{self.path} contains {what}. Choose another file, or overwrite it with --force.")

    def describe(self) -> str:
        """Return the file's name, for messages."""
        return str(self.path)

    def commit(self, settings: Mapping[str, Any]) -> None:
        """Replace the file by the settings, atomically, readable by this user only.

        Raises:
            OSError: They cannot be written.
        """
        _fill(self._descriptor, _text(settings))
        self._draft.replace(self.path)
        self._close()

    def discard(self) -> None:
        """Remove the reserved file; does nothing after `commit`."""
        if self._descriptor >= 0:
            self._close()
            with contextlib.suppress(OSError):
                self._draft.unlink()

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


@contextlib.contextmanager
def replacing(path: Path, *, is_private: bool) -> Iterator[TextIO]:
    """Yield a text file that replaces *path* once it is complete.

    Args:
        path: The file. A settings file is not replaced.
        is_private: Whether only this user may read it.

    Raises:
        UsageError: It contains settings, or is not a regular file.
        OSError: It cannot be written.
    """
    with replacing_bytes(path, is_private=is_private) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        try:
            yield text
            text.flush()
        finally:
            text.detach()


@contextlib.contextmanager
def replacing_bytes(path: Path, *, is_private: bool = False) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces *path* once it is complete; see `replacing`."""
    check_not_settings(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a regular file. Without --output, the result goes to standard output.")
    draft = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def keep_elsewhere(settings: Mapping[str, Any], directories: list[Path]) -> Path | None:
    """Write settings to a new file, readable by this user only, because their own file cannot be written.

    Args:
        settings: The settings.
        directories: Where to try, in this order.

    Returns:
        The file; None if no directory can be written.
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
    """Return a function that checks whether settings are of this OAuth app and, if given, of this company."""
    known = {None, "", realm_id}
    return lambda held: held.get("client_id") == client_id and (realm_id is None or held.get("realm_id") in known)


def is_of_emulator(held: Mapping[str, Any]) -> bool:
    """Return whether settings belong to an emulator; another emulator may replace them."""
    return held.get("environment") == "emulator" or is_emulators(held)


def check_not_settings(path: Path) -> None:
    """Check that an output file does not contain settings.

    Raises:
        UsageError: It does.
    """
    held = _settings_in(path) if path.is_file() else None
    if held and {"client_id", "client_secret"} <= set(held):
        raise UsageError(f"{path} contains settings, which would be lost. Choose another file.")


def _settings_in(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file: {} for an empty file, None for any other content."""
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
    """Replace the content of an open file and sync it to the disk."""
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
