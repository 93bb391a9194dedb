"""Opens the registry that a setting names."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.core.secret import revealed
from vantage_quickbooks.errors import REGISTRY_INVALID, FieldError, RegistryError
from vantage_quickbooks.registry.base import without_frames
from vantage_quickbooks.registry.folder import FolderRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from vantage_quickbooks.core.secret import Secret
    from vantage_quickbooks.registry.base import StoredRegistry
    from vantage_quickbooks.registry.states import StateTable

__all__ = ["open_registry", "open_states"]

STATES_FILE = ".states.sqlite3"
"""In the folder of a registry; its name is not one of a connection."""


@without_frames
def open_registry(
    url_or_path: str | Path | Secret | None = None,
    *,
    encryption_key: str | Secret | None = None,
    deployment: Deployment | None = None,
) -> StoredRegistry:
    """Return a registry; opens and creates nothing yet.

    Args:
        url_or_path: The path of a folder of settings files, or a SQLAlchemy URL for a database (`sqlite:////path`,
            `postgresql+psycopg://...`). None: the deployment's, or the folder `connections` in the user's state
            directory.
        encryption_key: The key or keys with which a database's settings are encrypted, see `encryption.parse_keys`;
            required for a database, not used for a folder. None: the deployment's.
        deployment: The operator's options; by default those of the environment variables.

    Returns:
        The registry.

    Raises:
        RegistryError: The URL or the key is invalid, or an extra is missing; the message names it.
    """
    name, is_database = _resolve(url_or_path, deployment)
    if not is_database:
        return FolderRegistry(name or None)
    _need_sqlalchemy(f"The registry of connections is a {name.partition(':')[0]} database")
    from vantage_quickbooks.registry.database import DatabaseRegistry  # noqa: PLC0415 -- an extra

    key = encryption_key or (deployment or Deployment.from_environ()).token_key
    return DatabaseRegistry(name, encryption_key=key)


@without_frames
def open_states(url_or_path: str | Path | Secret | None = None, *, deployment: Deployment | None = None) -> StateTable:
    """Return the table of sync states beside a registry; opens and creates nothing yet.

    Args:
        url_or_path: The registry, as for `open_registry`. Of a folder, the table is the file `.states.sqlite3` in it.
        deployment: The operator's options; by default those of the environment variables.

    Returns:
        The table.

    Raises:
        RegistryError: The URL is invalid, or an extra is missing; the message names it.
    """
    name, is_database = _resolve(url_or_path, deployment)
    _need_sqlalchemy("Sync states are kept in a SQL database")
    from vantage_quickbooks.registry.states import StateTable  # noqa: PLC0415 -- an extra

    if not is_database:
        name = f"sqlite:///{FolderRegistry(name or None).path / STATES_FILE}"
    return StateTable(name)


def _resolve(url_or_path: str | Path | Secret | None, deployment: Deployment | None) -> tuple[str, bool]:
    """Return the path or URL of a registry, and whether it is a database."""
    deployment = deployment or Deployment.from_environ()
    name = str(revealed(url_or_path or deployment.registry) or "").strip()
    scheme, separator, _ = name.partition(":")
    return name, "://" in name or (bool(separator) and scheme.split("+")[0] == "sqlite")


def _need_sqlalchemy(what: str) -> None:
    if importlib.util.find_spec("sqlalchemy") is not None:
        return
    message = f"{what}, but SQLAlchemy is not installed."
    hint = 'Run `pip install "vantage-quickbooks[database]"`, and install the driver of your database.'
    raise RegistryError(
        f"{message} {hint}",
        [FieldError("VANTAGE_QUICKBOOKS_REGISTRY", "extra", message, hint)],
        code=REGISTRY_INVALID,
    )
