"""Opens the registry that a setting names."""

from __future__ import annotations

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

__all__ = ["open_registry"]


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
    deployment = deployment or Deployment.from_environ()
    name = str(revealed(url_or_path or deployment.registry) or "").strip()
    scheme, separator, _ = name.partition(":")
    is_sqlite = bool(separator) and scheme.split("+")[0] == "sqlite"
    if "://" not in name and not is_sqlite:
        return FolderRegistry(name or None)
    try:
        from vantage_quickbooks.registry.database import DatabaseRegistry  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
    else:
        return DatabaseRegistry(name, encryption_key=encryption_key or deployment.token_key)
    message = f"The registry of connections is a {scheme} database, but SQLAlchemy is not installed."
    hint = 'Run `pip install "vantage-quickbooks[database]"`, and install the driver of your database.'
    raise RegistryError(
        f"{message} {hint}",
        [FieldError("VANTAGE_QUICKBOOKS_REGISTRY", "extra", message, hint)],
        code=REGISTRY_INVALID,
    )
