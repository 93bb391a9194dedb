"""The interface of all registries, and what they share.

Theory of operation
1. A registry keeps the settings of a connection under an id, and an optional label. It keeps no tokens: those are in
   the token store, where every process that uses the same settings finds the same chain (see `auth.stores.base`).
2. `add` validates first, so only valid settings are stored, exactly as they were given. It replaces nothing unless it
   is asked to. A reader sees the previous settings or the new ones, never a part.
3. One damaged entry does not hide the others: `list` reports it as an entry with an error, and only `load` of that id
   fails. A damaged entry is never changed; it can be replaced or removed.
4. No list, error, log or repr contains a secret. Only `load` returns settings.
"""

from __future__ import annotations

import abc
import contextlib
import difflib
import functools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, Self, TypeVar

from vantage_quickbooks.config.settings import Settings
from vantage_quickbooks.core.secret import redact, revealed
from vantage_quickbooks.errors import (
    ConnectionExistsError,
    ConnectionNotFoundError,
    ConnectorError,
    DamagedConnectionError,
    FieldError,
    InputError,
    RegistryError,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

__all__ = [
    "ConnectionEntry",
    "ConnectionRegistry",
    "Document",
    "RegistryBase",
    "StoredRegistry",
    "check_id",
    "check_label",
    "damaged_error",
    "make_entry",
    "not_found_error",
    "read_json",
    "without_frames",
]

MAX_ID_LENGTH = 64
MAX_LABEL_LENGTH = 200

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Also a safe file name on every system, and a safe part of a URL."""

_REALM_ID = re.compile(r"[0-9]{1,20}")
_ENVIRONMENTS = ("production", "sandbox", "emulator")
_SECRETS = ("client_secret", "refresh_token")

_MAX_SHOWN = 40
"""Characters of an unknown id that a message repeats: longer text may be a token in the wrong place."""

_MAX_LISTED = 8
"""Known ids that a message lists."""


@dataclass(frozen=True, slots=True)
class ConnectionEntry:
    """One line of the list of a registry, without any secret.

    Attributes:
        id: The connection's id.
        label: Its display name, if it has one.
        realm_id: The QuickBooks company; None if it cannot be read.
        environment: `production`, `sandbox` or `emulator`; None if it cannot be read.
        error: Why this entry cannot be used; None if it can.
    """

    id: str
    label: str | None = None
    realm_id: str | None = None
    environment: str | None = None
    error: ConnectorError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as plain JSON."""
        return {
            "id": self.id,
            "label": self.label,
            "realmId": self.realm_id,
            "environment": self.environment,
            "error": self.error and self.error.to_dict(),
        }


Entries = list[ConnectionEntry]

P = ParamSpec("P")
T = TypeVar("T")


def without_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Return *function* whose `ConnectorError`s have no traceback: its variables contain settings and passwords."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        failure: ConnectorError
        try:
            return function(*args, **kwargs)
        except ConnectorError as error:
            failure = error
        del args, kwargs
        raise failure.without_traceback()

    return run


class ConnectionRegistry(Protocol):
    """The settings of connections by id; see the module's theory of operation. Safe for threads and processes."""

    def list(self) -> Entries:
        """Return all connections, sorted by id. An entry that cannot be used has an `error`.

        Raises:
            RegistryError: The registry itself cannot be read.
        """
        ...

    def load(self, connection_id: str) -> dict[str, Any]:
        """Return the settings of a connection, including its secrets, for `QUICKBOOKS.connect`.

        Raises:
            ConnectionNotFoundError: The registry has no connection of this id.
            DamagedConnectionError: The entry cannot be read.
            RegistryError: The registry itself cannot be read.
            InputError: The id is not valid.
        """
        ...

    def add(
        self, connection_id: str, settings: Mapping[str, Any], label: str | None = None, *, replace: bool = False
    ) -> None:
        """Store the settings of a connection, durably.

        Args:
            connection_id: Up to 64 letters, digits, dots, hyphens and underscores; the first is a letter or digit.
            settings: Valid settings; `load` returns exactly these.
            label: A display name. None with *replace* keeps the label; "" removes it.
            replace: Replace the connection if it exists.

        Raises:
            SettingsError: The settings are not valid; nothing was stored.
            InputError: The id or label is not valid; nothing was stored.
            ConnectionExistsError: The id is in use; nothing was changed.
            RegistryError: The settings cannot be stored.
        """
        ...

    def remove(self, connection_id: str) -> None:
        """Delete the settings of a connection, even damaged ones. Its tokens stay in the token store.

        Raises:
            ConnectionNotFoundError: The registry has no connection of this id.
            RegistryError: They cannot be deleted.
            InputError: The id is not valid.
        """
        ...

    def describe(self) -> str:
        """Return the kind and location of the registry for a person, without a password."""
        ...

    def close(self) -> None:
        """Release resources; a later call opens them again."""
        ...


class Document(NamedTuple):
    """What is stored of a connection."""

    settings: dict[str, Any]
    label: str | None = None

    def __repr__(self) -> str:  # the settings contain secrets, and crash reporters print local variables
        return "Document(...)"

    @classmethod
    def checked(cls, settings: Mapping[str, Any], label: str | None) -> Self:
        """Return a document of valid settings.

        Raises:
            SettingsError: The settings are not valid.
            InputError: The label is not valid.
        """
        Settings.parse(settings)
        plain = {name: revealed(value) for name, value in settings.items()}
        check_label(label)
        if _shown_label(label, plain) != label:
            raise _label_error("The label contains a secret of the settings.")
        return cls(plain, label or None)


class RegistryBase(abc.ABC):
    """What every registry has besides `list`, `load`, `add` and `remove`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe()}>"

    @abc.abstractmethod
    def describe(self) -> str:
        """See `ConnectionRegistry.describe`."""

    def close(self) -> None:  # noqa: B027 -- most registries keep nothing open
        """See `ConnectionRegistry.close`."""


class StoredRegistry(RegistryBase):
    """A registry that keeps documents; a subclass says where.

    A list that is made again, as a page of thousands of connections is, reads and checks only what has changed.
    """

    def __init__(self) -> None:
        self._listed: dict[str, tuple[object, ConnectionEntry]] = {}

    @without_frames
    def load(self, connection_id: str) -> dict[str, Any]:
        """Return the settings of a connection. See `ConnectionRegistry.load`."""
        return self.read(connection_id).settings

    @without_frames
    def read(self, connection_id: str) -> Document:
        """Return the settings of a connection, including its secrets, and its label. Raises as `load` does."""
        check_id(connection_id)
        settings, label = self._read(connection_id)
        return Document(settings, _shown_label(label, settings))

    @without_frames
    def add(
        self, connection_id: str, settings: Mapping[str, Any], label: str | None = None, *, replace: bool = False
    ) -> None:
        """Store the settings of a connection. See `ConnectionRegistry.add`."""
        check_id(connection_id)
        document = Document.checked(settings, label)
        if replace and label is None:
            with contextlib.suppress(RegistryError):
                document = document._replace(label=self._read(connection_id).label)
        self._write(connection_id, document, replace=replace)

    @without_frames
    def remove(self, connection_id: str) -> None:
        """Delete the settings of a connection. See `ConnectionRegistry.remove`."""
        check_id(connection_id)
        self._delete(connection_id)

    @without_frames
    def list(self) -> Entries:
        """Return all connections. See `ConnectionRegistry.list`."""
        known, found = self._listed, {}
        entries = []
        for connection_id, read, stamp in self._scan():
            cached = known.get(connection_id)
            if cached is not None and stamp is not None and cached[0] == stamp:
                entry: ConnectionEntry | None = cached[1]
            else:
                entry = make_entry(connection_id, read)
            if entry is not None:
                entries.append(entry)
                if stamp is not None and entry.error is None:
                    found[connection_id] = (stamp, entry)
        self._listed = found
        return sorted(entries, key=lambda entry: entry.id)

    def not_found(self, connection_id: str) -> ConnectionNotFoundError:
        """Return the error for an id that is not in the registry, with the ids that are."""
        known: list[str] | None = None
        with contextlib.suppress(RegistryError):
            known = sorted(known_id for known_id, *_ in self._scan())
        return not_found_error(connection_id, self.describe(), known)

    def exists_error(self, connection_id: str) -> ConnectionExistsError:
        """Return the error for an id that is in use."""
        message = f"There already is a connection {connection_id} in {self.describe()}. It was not changed."
        hint = "Choose another id, or replace its settings (on the command line: --replace)."
        return ConnectionExistsError(
            f"{message} {hint}",
            [FieldError("connection", "exists", message, hint)],
            details={"connectionId": connection_id},
        )

    @abc.abstractmethod
    def prepare(self) -> None:
        """Create what `add` needs, such as a folder or a table.

        Raises:
            RegistryError: It cannot be created or written to.
        """

    @abc.abstractmethod
    def _scan(self) -> Iterable[tuple[str, Callable[[], Document | None], object]]:
        """Return each id with a function that reads its document: None if it was removed meanwhile.

        The third item changes with the document; None if that is not certain.
        """

    @abc.abstractmethod
    def _read(self, connection_id: str) -> Document:
        """Return a document, or raise `not_found` or a `damaged_error`."""

    @abc.abstractmethod
    def _write(self, connection_id: str, document: Document, *, replace: bool) -> None:
        """Store a document durably, or raise `exists_error`."""

    @abc.abstractmethod
    def _delete(self, connection_id: str) -> None:
        """Delete a document, or raise `not_found`."""


def check_id(connection_id: object) -> None:
    """Check the id of a connection.

    Raises:
        InputError: It is not valid. The message does not repeat it, because it may be a token in the wrong place.
    """
    if isinstance(connection_id, str) and _ID.fullmatch(connection_id):
        return
    message = "The connection's id is not valid."
    hint = (
        f"Use 1 to {MAX_ID_LENGTH} letters (a to z), digits, dots, hyphens and underscores. "
        "The first one must be a letter or a digit."
    )
    raise InputError(f"{message} {hint}", [FieldError("connection", "pattern", message, hint)])


def make_entry(connection_id: str, read: Callable[[], Document | None]) -> ConnectionEntry | None:
    """Return the entry of a connection, with an error if its settings cannot be used; None if it was removed."""
    try:
        check_id(connection_id)
        document = read()
    except ConnectorError as error:
        return ConnectionEntry(connection_id, error=error.without_traceback())
    if document is None:
        return None
    settings, label = document
    try:
        parsed = Settings.parse(settings)
    except SettingsError as error:
        realm_id, environment = settings.get("realm_id"), settings.get("environment")
        return ConnectionEntry(
            connection_id,
            _shown_label(label, settings),
            realm_id if isinstance(realm_id, str) and _REALM_ID.fullmatch(realm_id) else None,
            environment if environment in _ENVIRONMENTS else None,
            error.without_traceback(),
        )
    return ConnectionEntry(connection_id, _shown_label(label, settings), parsed.realm_id, parsed.environment)


def read_json(text: str | bytes, connection_id: str, where: str) -> dict[str, Any]:
    """Return the JSON object in *text*.

    Raises:
        DamagedConnectionError: It is not one.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        # The error of the parser quotes the text.
        raise damaged_error(connection_id, where, "it is not JSON") from None
    if not isinstance(value, dict):
        raise damaged_error(connection_id, where, "it is not a JSON object")
    return value


def damaged_error(connection_id: str, where: str, reason: str) -> DamagedConnectionError:
    """Return the error for an entry that cannot be read.

    Args:
        connection_id: Its id.
        where: The registry's description.
        reason: What is wrong, as the end of a sentence, without any value.
    """
    message = f"The connection {connection_id} in {where} is damaged ({reason}) and was left unchanged."
    hint = "Restore it from a backup, or connect the company again and replace the entry."
    return DamagedConnectionError(
        f"{message} {hint}",
        [FieldError("connection", "damaged", message, hint)],
        details={"connectionId": connection_id},
    )


def not_found_error(connection_id: str, where: str, known: list[str] | None) -> ConnectionNotFoundError:
    """Return the error for an id that is not in a registry.

    Args:
        connection_id: The id.
        where: The registry's description.
        known: The ids in the registry; None if they are not known.
    """
    shown = connection_id if len(connection_id) <= _MAX_SHOWN else "of this id"
    near = difflib.get_close_matches(connection_id, known or (), n=3)
    if near:
        hint = f"Did you mean {' or '.join(near)}?"
    elif known:
        more = ", …" if len(known) > _MAX_LISTED else ""
        hint = f"The connections are {', '.join(known[:_MAX_LISTED])}{more}."
    elif known is None:
        hint = "Check the id."
    else:
        hint = "Check the registry (VANTAGE_QUICKBOOKS_REGISTRY): it has no connections."
    message = f"There is no connection {shown} in {where}."
    return ConnectionNotFoundError(
        f"{message} {hint}",
        [FieldError("connection", "unknown", message, hint)],
        details={"connectionId": connection_id if len(connection_id) <= _MAX_SHOWN else None},
    )


def check_label(label: object) -> None:
    """Check a label: None, "", or a name on one line.

    Raises:
        InputError: It is not valid.
    """
    if label is None or label == "":
        return
    if not (isinstance(label, str) and label.isprintable() and label.strip() and len(label) <= MAX_LABEL_LENGTH):
        raise _label_error("The label is not valid.")


def _label_error(message: str) -> InputError:
    hint = f"Use a name of the company, on one line of at most {MAX_LABEL_LENGTH} characters."
    return InputError(f"{message} {hint}", [FieldError("label", "pattern", message, hint)])


def _shown_label(label: str | None, settings: Mapping[str, Any]) -> str | None:
    """Return the label without secrets of the settings: files can be written by hand."""
    secrets = [value for name in _SECRETS if isinstance(value := settings.get(name), str)]
    return label and redact(label, secrets)
