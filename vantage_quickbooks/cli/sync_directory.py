"""Syncs of many companies into a directory: for each the changes, `<id>.ndjson`, and the state, `<id>.state`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vantage_quickbooks.cli import sync_files
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vantage_quickbooks.connector.many import CompanyRun
    from vantage_quickbooks.contract import ChangeSet

__all__ = ["SyncDirectory"]


class SyncDirectory:
    """Where the changes and states of many companies are. The ids of connections are safe file names.

    Args:
        output: The directory of the changes; None for states only.
        state: The directory of the states; None for the same one.

    Raises:
        UsageError: A directory cannot be created or written to.
    """

    def __init__(self, output: str | None, state: str | None) -> None:
        self._output = Path(output) if output is not None else None
        self._state = Path(state) if state is not None else self._output
        for option, directory in (("--output", self._output), ("--state", self._state)):
            if directory is not None:
                _prepare(option, directory)

    def state_of(self, connection_id: str) -> str | None:
        """Return the state of a company; None if it was never synced.

        Raises:
            InputError: The file cannot be used.
        """
        with _explained():
            return sync_files.read_state(self._state_file(connection_id))

    @contextlib.contextmanager
    def open_target(self, run: CompanyRun) -> Iterator[_Target]:
        """Open the files of one company, for one sync at a time.

        Raises:
            InputError: Another sync uses them, or they contain something else.
            OSError: They cannot be written.
        """
        path = self._state_file(run.id)
        with contextlib.ExitStack() as files:
            with _explained():
                files.enter_context(sync_files.locked(path))
                state = sync_files.read_state(path)
                assert self._output is not None  # noqa: S101 -- the command requires it
                file = files.enter_context(sync_files.opened(self._output / f"{run.id}.ndjson"))
            target = _Target(state, path, file)
            try:
                yield target
            finally:
                target.save()

    def _state_file(self, connection_id: str) -> Path:
        assert self._state is not None  # noqa: S101 -- the command requires one of the two
        return self._state / f"{connection_id}.state"


class _Target:
    """The files of one company.

    Args:
        state: The state that was stored.
        path: Its file.
        file: The changes.
    """

    def __init__(self, state: str | None, path: Path, file: BinaryIO) -> None:
        self.state: Mapping[str, Any] | str | None = state
        self._path = path
        self._file = file
        self._unsaved: Mapping[str, Any] | None = None

    def apply(self, changes: ChangeSet) -> None:
        """Append the changes, then store the state.

        The sets of one answer of change data capture share one replacement of the state file: some thirty of them come
        at once, and most are empty.
        """
        if changes.metadata["source"] != "cdc":
            self.save()
        sync_files.append(changes, self._file)
        self._unsaved = changes.state
        if changes.metadata["source"] != "cdc":
            self.save()

    def save(self) -> None:
        """Store the state of the last set that was written."""
        if self._unsaved is not None:
            sync_files.save(self._path, self._unsaved)
            self._unsaved = None


def _prepare(option: str, directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = None if os.access(directory, os.W_OK | os.X_OK) else "no permission"
    except FileExistsError:
        reason = "it is not a directory"
    except OSError as error:
        reason = error.strerror or "the system refused"
    if reason:
        raise UsageError(f"{option}: the directory {directory} cannot be written: {reason}. Choose another one.")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Raise a usage error of one company as an error of its run."""
    try:
        yield
    except sync_files.InUseError as error:
        raise _state_error(str(error), code="STATE_IN_USE") from None
    except UsageError as error:
        raise _state_error(str(error)) from None


def _state_error(text: str, code: str | None = None) -> InputError:
    message, _, hint = text.partition(". ")
    return InputError(text, [FieldError("state", "file", f"{message}.", hint)], code=code)
