"""Connections of the registry, for the commands that use one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from vantage_quickbooks.cli.inputs import UsageError, read_settings
from vantage_quickbooks.errors import ConnectionNotFoundError, DamagedConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.config.deployment import Deployment
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.registry.base import ConnectionRegistry, StoredRegistry

__all__ = ["RegistryTarget", "connect", "connect_registered", "deployment_at", "has_password", "opened"]


class RegistryTarget:
    """A connection that will be written to the registry: checked now, written by `commit`; as `files.SettingsFile`.

    Args:
        registry: The registry.
        connection_id: The connection's id.
        label: Its display name; None keeps the present one.
        is_ours: Returns whether the settings of the connection may be replaced.
        force: Replace any settings.

    Raises:
        UsageError: The connection has other settings. Nothing was changed.
        ConnectorError: The id or label is not valid, or the registry cannot be written to.
    """

    def __init__(
        self,
        registry: StoredRegistry,
        connection_id: str,
        label: str | None,
        is_ours: Callable[[Mapping[str, Any]], bool],
        *,
        force: bool = False,
    ) -> None:
        from vantage_quickbooks.registry.base import check_id, check_label

        self._registry = registry
        self._id = connection_id
        self._label = label
        self._force = force
        check_id(connection_id)
        check_label(label)
        registry.prepare()
        self.check(is_ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._registry.close()

    def describe(self) -> str:
        """Return the connection and its registry, for messages."""
        return f"connection {self._id} in {self._registry.describe()}"

    def check(self, is_ours: Callable[[Mapping[str, Any]], bool]) -> None:
        """Check that the settings of the connection may be replaced.

        Raises:
            UsageError: They may not.
            ConnectorError: The registry cannot be read.
        """
        if self._force:
            return
        try:
            held = self._registry.load(self._id)
        except ConnectionNotFoundError:
            return
        except DamagedConnectionError as error:
            raise UsageError(f"{error.message} To overwrite it, use --force.") from None
        if not is_ours(held):
            raise UsageError(
                f"The {self.describe()} has settings of another app, company or environment. "
                "Choose another id, or overwrite them with --force."
            )

    def commit(self, settings: Mapping[str, Any]) -> None:
        """Store the settings.

        Raises:
            ConnectorError: They cannot be stored.
        """
        self._registry.add(self._id, settings, self._label, replace=True)


def opened(url: str | None) -> StoredRegistry:
    """Return the registry of `--registry`, or of the environment variable; a context manager.

    Raises:
        UsageError: The URL contains a password.
        ConnectorError: The registry cannot be used.
    """
    from vantage_quickbooks.registry import open_registry

    if url is not None and has_password(url):
        raise UsageError(
            "--registry contains a password, and every user of this machine can read arguments. "
            "Set the variable VANTAGE_QUICKBOOKS_REGISTRY to this URL instead."
        )
    return open_registry(url)


def connect(
    settings: str | None, connection_id: str | None, registry: str | None, emulator_url: str | None
) -> Connection:
    """Make the connection that the options of a command name.

    Args:
        settings: Path of a settings file, `-` for standard input, or None.
        connection_id: A connection of the registry, or None.
        registry: The registry; None for that of the environment variable.
        emulator_url: A local emulator to use, whatever the settings say.

    Raises:
        UsageError: The options cannot be combined, or there are no settings.
        ConnectorError: The settings or the registry cannot be used.
    """
    if connection_id is None:
        from vantage_quickbooks.connector.connector import QUICKBOOKS

        if registry is not None:
            raise UsageError("--registry needs --connection ID. To list the ids: vantage-quickbooks connections list")
        return QUICKBOOKS.connect(read_settings(settings, emulator_url))
    if settings is not None:
        raise UsageError("--settings and --connection cannot be combined: each names the settings.")
    with opened(registry) as found:
        return connect_registered(found, connection_id, emulator_url)


def connect_registered(registry: ConnectionRegistry, connection_id: str, emulator_url: str | None) -> Connection:
    """Make a connection of a registry, at a local emulator if there is a URL.

    Environment variables do not override its settings, key by key, as they do a file's: they are those of one company.

    Raises:
        ConnectorError: The settings or the registry cannot be used.
    """
    from vantage_quickbooks.connector import registered

    return registered.connect_registered(registry, connection_id, deployment=deployment_at(emulator_url))


def deployment_at(emulator_url: str | None) -> Deployment:
    """Return the operator's options, with a local emulator for all companies if there is a URL."""
    from vantage_quickbooks.config.deployment import Deployment

    deployment = Deployment.from_environ()
    return replace(deployment, emulator_url=emulator_url) if emulator_url else deployment


def has_password(url: str) -> bool:
    """Return whether a URL contains a password."""
    try:
        return "://" in url and bool(urlsplit(url).password)
    except ValueError:
        return "@" in url
