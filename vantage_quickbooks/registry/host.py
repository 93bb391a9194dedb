"""Connections that the host keeps, reached through its callables."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from vantage_quickbooks.errors import ConnectorError, FieldError, RegistryError
from vantage_quickbooks.registry.base import (
    ConnectionEntry,
    Document,
    Entries,
    RegistryBase,
    check_id,
    damaged_error,
    make_entry,
    not_found_error,
    without_frames,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["HostRegistry"]

T = TypeVar("T")


class HostRegistry(RegistryBase):
    """Keeps connections with the host; nothing is written to this machine's disk.

    Callables that the host does not offer are None: the methods that need them raise a `RegistryError`. A callable may
    raise a `ConnectorError`, which is passed on; any other exception becomes a `RegistryError` without its text.

    Args:
        load: `load(connection_id)` returns the settings; None, or a LookupError, if it does not exist.
        list: `list()` returns the connections, each as its id or as a `ConnectionEntry`. The settings of an id are
            loaded for its entry; those of a `ConnectionEntry` are not.
        add: `add(connection_id, settings, label, replace)` stores valid settings durably. It raises
            `ConnectionExistsError` if the id is in use and *replace* is False.
        remove: `remove(connection_id)` deletes them; a LookupError means that it does not exist.
    """

    def __init__(
        self,
        load: Callable[[str], Mapping[str, Any] | None],
        *,
        list: Callable[[], Iterable[str | ConnectionEntry]] | None = None,  # noqa: A002 -- the method's name
        add: Callable[[str, dict[str, Any], str | None, bool], object] | None = None,
        remove: Callable[[str], object] | None = None,
    ) -> None:
        self._load = load
        self._list = list
        self._add = add
        self._remove = remove

    def describe(self) -> str:
        """Return `the host's registry`."""
        return "the host's registry"

    @without_frames
    def load(self, connection_id: str) -> dict[str, Any]:
        """Load the settings from the host. See `ConnectionRegistry.load`."""
        check_id(connection_id)
        return self._read(connection_id).settings

    @without_frames
    def add(
        self, connection_id: str, settings: Mapping[str, Any], label: str | None = None, *, replace: bool = False
    ) -> None:
        """Hand the settings to the host. See `ConnectionRegistry.add`."""
        check_id(connection_id)
        document = Document.checked(settings, label)
        self._ask("add", self._add, connection_id, document.settings, document.label, replace)

    @without_frames
    def remove(self, connection_id: str) -> None:
        """Make the host delete the settings. See `ConnectionRegistry.remove`."""
        check_id(connection_id)
        try:
            self._ask("remove", self._remove, connection_id)
        except LookupError:
            raise self._not_found(connection_id) from None

    @without_frames
    def list(self) -> Entries:
        """Return the host's connections. See `ConnectionRegistry.list`."""
        offered = self._list
        found = self._ask("list", offered and (lambda: tuple(offered())))
        entries = (
            item if isinstance(item, ConnectionEntry) else make_entry(item, functools.partial(self._read, item))
            for item in found
        )
        return sorted((entry for entry in entries if entry is not None), key=lambda entry: entry.id)

    def _read(self, connection_id: str) -> Document:
        try:
            settings = self._ask("load", self._load, connection_id)
        except LookupError:
            settings = None
        if settings is None:
            raise self._not_found(connection_id)
        if not isinstance(settings, Mapping):
            raise damaged_error(connection_id, self.describe(), "its settings are not an object")
        return Document(dict(settings))

    def _not_found(self, connection_id: str) -> ConnectorError:
        return not_found_error(connection_id, self.describe(), None)

    def _ask(self, operation: str, function: Callable[..., T] | None, *args: Any) -> T:
        """Call the host.

        Raises:
            LookupError: The host raised one.
            RegistryError: The host offers no such callable, or raised anything else.
        """
        if function is None:
            raise _not_offered(operation)
        try:
            return function(*args)
        except (ConnectorError, LookupError):
            raise
        except Exception as error:  # noqa: BLE001 -- a host may raise anything, and its text may contain a secret
            name = type(error).__name__
        raise RegistryError(
            f"The host could not {operation} connections ({name}). See the host's own log for the reason.",
            details={"reason": name},
        )


def _not_offered(operation: str) -> RegistryError:
    message = f"The host does not offer to {operation} connections."
    hint = f"Pass {operation} to HostRegistry."
    return RegistryError(f"{message} {hint}", [FieldError(operation, "required", message, hint)])
