"""Opens the token store that a setting names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.auth.stores.memory import MemoryStore
from vantage_quickbooks.auth.stores.sqlite import SQLiteStore
from vantage_quickbooks.core.secret import revealed
from vantage_quickbooks.errors import STORE_INVALID, TokenStoreError

if TYPE_CHECKING:
    from vantage_quickbooks.auth.stores.base import TokenStore
    from vantage_quickbooks.core.secret import Secret

__all__ = ["open_store"]

_MEMORY = MemoryStore()
"""The store that `memory:` names: one per process, so that its connections share their chains."""


def open_store(url: str | Secret | None, *, encryption_key: str | Secret | None = None) -> TokenStore:
    """Return the store that a setting names; opens and creates nothing yet.

    Args:
        url: `memory:`; a path or `sqlite:///path` (four slashes for an absolute one) for a SQLite file; any other URL
            for a database server that SQLAlchemy supports; None or blank for the SQLite file in the user's state
            directory.
        encryption_key: The key or keys with which records are encrypted, see `encryption.parse_keys`; not used for
            `memory:`.

    Returns:
        The store.

    Raises:
        TokenStoreError: The URL or the key is invalid, or an extra is missing; the message names it.
    """
    url = str(revealed(url) or "").strip()
    scheme, separator, rest = url.partition(":")
    if scheme == "memory" and separator:
        return _MEMORY
    if scheme.split("+")[0] == "sqlite" and separator:
        # Not with SQLAlchemy: SQLite has no row locks, and the file's own lock would stop every other chain.
        return _sqlite_store(rest, encryption_key)
    if "://" not in url:
        return SQLiteStore(url or None, encryption_key=encryption_key)
    try:
        from vantage_quickbooks.auth.stores.sqlalchemy import SQLAlchemyStore  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
        raise TokenStoreError(
            f"The token store is a {scheme} database, but SQLAlchemy is not installed: "
            'run `pip install "vantage-quickbooks[database]"` and install the driver of your database.',
            code=STORE_INVALID,
        ) from None
    return SQLAlchemyStore(url, encryption_key=encryption_key)


def _sqlite_store(rest: str, encryption_key: str | Secret | None) -> TokenStore:
    """Interpret the rest of a `sqlite:` URL as SQLAlchemy does."""
    path = rest.removeprefix("///")
    if rest in ("", "//", "///") or path == ":memory:":
        return _MEMORY
    if not rest.startswith("///") or "?" in path:
        raise TokenStoreError(
            "The URL of the token store is not a valid SQLite URL. "
            "Write the file's path, or sqlite:///relative/path, or sqlite:////absolute/path, without options.",
            code=STORE_INVALID,
        )
    return SQLiteStore(path, encryption_key=encryption_key)
