"""A database table of connections, for workers on many machines. Needs the extras `database` and `encryption`.

One table, created by the first `add`: the id, and label and settings encrypted with VANTAGE_QUICKBOOKS_TOKEN_KEY. The
encrypted text contains the id and is valid for no other: an attacker who can write to the table, but has no key, cannot
give one company's credentials to another connection.

Readers need no more than SELECT. Each operation is one transaction and opens a connection of its own; see
`databases.make_engine`. The test suite runs on SQLite and PostgreSQL 15.
"""

from __future__ import annotations

import contextlib
import functools
import json
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from vantage_quickbooks.auth.encryption import TextCipher, UndecryptableError
from vantage_quickbooks.auth.stores.base import ReencryptionReport
from vantage_quickbooks.errors import DamagedConnectionError, FieldError, TokenStoreError
from vantage_quickbooks.registry.base import Document, StoredRegistry, damaged_error, read_json, without_frames
from vantage_quickbooks.registry.sql_tables import SqlTables, invalid_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vantage_quickbooks.core.secret import Secret

__all__ = ["DatabaseRegistry"]

ATTEMPTS = 5
"""Attempts to replace a connection that other processes add and remove at the same time."""

_KEY_VARIABLE = "VANTAGE_QUICKBOOKS_TOKEN_KEY"
_NAME = "registry of connections"

_METADATA = sa.MetaData()
_CONNECTION = sa.Table(
    "vantage_quickbooks_connection",
    _METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
)


class DatabaseRegistry(SqlTables, StoredRegistry):
    """Keeps connections in a database that SQLAlchemy supports; see the module's docstring.

    Args:
        url: A SQLAlchemy URL with a synchronous driver, `sqlite:////path` or `postgresql+psycopg://user:password@host/db`.
            The file of SQLite is created with mode 0600.
        encryption_key: One or more keys, see `encryption.parse_keys`; required.

    Raises:
        RegistryError: The URL or the key is invalid, or a package is missing.
    """

    def __init__(self, url: str, *, encryption_key: str | Secret | None = None) -> None:
        SqlTables.__init__(self, url, _METADATA, _NAME, "connections")
        StoredRegistry.__init__(self)
        self._cipher = _make_cipher(encryption_key)

    @without_frames
    def prepare(self) -> None:
        """Create the table, and the file of SQLite. See `StoredRegistry.prepare`."""
        self._prepare()

    @without_frames
    def reencrypt(self) -> ReencryptionReport:
        """Encrypt every connection with the first key, in place; safe while other processes add and remove."""
        report = ReencryptionReport(self.describe())
        for connection_id, sealed in self._rows():
            if self._cipher.decrypt_with_first_key(sealed) is not None:
                report.current += 1
                continue
            try:
                text = self._encrypt(self._decrypt(connection_id, sealed), connection_id)
            except DamagedConnectionError:
                report.unreadable += 1
                continue
            # Not if it was replaced meanwhile: its new settings are encrypted with the key of that process.
            unchanged = sa.update(_CONNECTION).where(_CONNECTION.c.id == connection_id, _CONNECTION.c.sealed == sealed)
            with self._transaction("written") as database:
                report.changed += database.execute(unchanged.values(sealed=text)).rowcount
        return report

    def _scan(self) -> Iterable[tuple[str, Callable[[], Document | None], object]]:
        return [(row_id, functools.partial(self._decrypt, row_id, sealed), sealed) for row_id, sealed in self._rows()]

    def _rows(self) -> Sequence[tuple[str, object]]:
        with self._reading() as database:
            if database is None:
                return []
            return [(str(row.id), row.sealed) for row in database.execute(sa.select(_CONNECTION))]

    def _read(self, connection_id: str) -> Document:
        query = sa.select(_CONNECTION.c.sealed).where(_CONNECTION.c.id == connection_id)
        with self._reading() as database:
            row = database.execute(query).first() if database is not None else None
        if row is None:
            raise self.not_found(connection_id)
        return self._decrypt(connection_id, row.sealed)

    def _write(self, connection_id: str, document: Document, *, replace: bool) -> None:
        self.prepare()
        self._adopt_salt()
        values = {"sealed": self._encrypt(document, connection_id)}
        update = sa.update(_CONNECTION).where(_CONNECTION.c.id == connection_id).values(values)
        for _ in range(ATTEMPTS):
            if replace:
                with self._transaction("written", connection_id) as database:
                    if database.execute(update).rowcount:
                        return
            with contextlib.suppress(IntegrityError), self._transaction("written", connection_id) as database:
                database.execute(sa.insert(_CONNECTION).values(id=connection_id, **values))
                return
            if not replace:
                break
        raise self.exists_error(connection_id)

    def _delete(self, connection_id: str) -> None:
        is_deleted = False
        with self._reading() as database:
            is_stored = database is not None
        if is_stored:
            with self._transaction("written", connection_id) as database:
                delete = sa.delete(_CONNECTION).where(_CONNECTION.c.id == connection_id)
                is_deleted = bool(database.execute(delete).rowcount)
        if not is_deleted:
            raise self.not_found(connection_id)

    def _encrypt(self, document: Document, connection_id: str) -> str:
        settings, label = document
        return self._cipher.encrypt_text(
            json.dumps({"connection": connection_id, "label": label, "settings": settings})
        )

    def _decrypt(self, connection_id: str, sealed: object) -> Document:
        where = self.describe()
        if not isinstance(sealed, str):  # SQLite stores values of any type in any column
            raise damaged_error(connection_id, where, "it is not text")
        try:
            plain = self._cipher.decrypt_text(sealed)
        except UndecryptableError:
            raise _undecryptable_error(connection_id, where) from None
        stored = read_json(plain, connection_id, where)
        settings, label = stored.get("settings"), stored.get("label")
        if stored.get("connection") != connection_id:
            raise damaged_error(connection_id, where, "it belongs to another connection")
        if not isinstance(settings, dict) or not (label is None or isinstance(label, str)):
            raise damaged_error(connection_id, where, "its settings are not an object, or its label is not text")
        return Document(settings, label)

    def _adopt_salt(self) -> None:
        """Use the salt of a stored connection: with one for each process, a list would take 0.15 s an entry."""
        if not self._cipher.needs_salt:
            return
        with self._reading() as database:
            row = database.execute(sa.select(_CONNECTION.c.sealed).limit(1)).first() if database is not None else None
        if row is not None:
            with contextlib.suppress(UndecryptableError):
                self._cipher.decrypt_text(row.sealed)


def _make_cipher(encryption_key: str | Secret | None) -> TextCipher:
    if encryption_key is None:
        raise invalid_registry(
            _KEY_VARIABLE,
            "required",
            f"The {_NAME} is a database, which stores settings encrypted, and there is no key.",
            f"Set {_KEY_VARIABLE} to a passphrase or a Fernet key, and keep a copy of it: without the key, the "
            "settings cannot be read again.",
        )
    try:
        return TextCipher(encryption_key)
    except TokenStoreError as error:
        message = error.message
    raise invalid_registry(_KEY_VARIABLE, "key", message, "See docs/tokens.md for the form of keys.")


def _undecryptable_error(connection_id: str, where: str) -> DamagedConnectionError:
    message = (
        f"The connection {connection_id} in {where} was encrypted with another key, or is damaged. It was left "
        "unchanged."
    )
    hint = f"Set the key it was saved with ({_KEY_VARIABLE}), or connect the company again and replace the entry."
    return DamagedConnectionError(
        f"{message} {hint}",
        [FieldError(_KEY_VARIABLE, "key", message, hint)],
        details={"connectionId": connection_id},
    )
