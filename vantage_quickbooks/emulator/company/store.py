"""Records in SQLite: a narrow row for filtering and sorting, and the JSON text to serve.

`record` has the columns that statements filter and sort by. It is narrow, so that a page deep in a million invoices is
found in indexes alone. `body` has each record's JSON text exactly as it is served: a page is a join of texts, which are
never parsed. A `kind` is an entity of one company (realm), so that companies share tables and no records.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.company.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Changed = tuple[str, str, str, str]

_COLUMNS = Row._fields[:-1]
_TABLES = f"""
CREATE TABLE IF NOT EXISTS kind (
    kind INTEGER PRIMARY KEY, realm TEXT NOT NULL, entity TEXT NOT NULL, UNIQUE (realm, entity));
CREATE TABLE IF NOT EXISTS record (
    row INTEGER PRIMARY KEY, kind INTEGER NOT NULL, {", ".join(_COLUMNS)});
CREATE TABLE IF NOT EXISTS body (row INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS file (realm TEXT NOT NULL, id TEXT NOT NULL, content BLOB NOT NULL, UNIQUE (realm, id));
CREATE TABLE IF NOT EXISTS tombstone (kind INTEGER NOT NULL, id TEXT NOT NULL, updated INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS changed (yes INTEGER);
"""

# One for each way of reading: by Id, default orders, the two times, dates, a name, a customer's invoices, deletions.
_INDEXES = {
    "by_id": "UNIQUE INDEX {} ON record (kind, id)",
    "by_updated": "INDEX {} ON record (kind, updated)",
    "by_created": "INDEX {} ON record (kind, created, doc_number)",
    "by_sort_name": "INDEX {} ON record (kind, sort_name, active)",
    "by_name": "INDEX {} ON record (kind, name COLLATE NOCASE)",
    "by_txn_date": "INDEX {} ON record (kind, txn_date)",
    "by_customer": "INDEX {} ON record (kind, customer, updated)",
    "by_deletion": "INDEX {} ON tombstone (kind, updated)",
}
_INSERT = f"INSERT INTO record (row, kind, {', '.join(_COLUMNS)}) VALUES (?, ?{', ?' * len(_COLUMNS)})"  # noqa: S608 -- our own names
_BULK = 5_000  # rows in one call: large enough for speed, small enough to keep memory flat
_LOCK_TIMEOUT_S = 60  # waits for another process that locks the file
_CLOSE_TIMEOUT_S = 5  # waits for a writer when the store is closed
_LOADING_KB = 32_000
_PAGE_SIZE = 16_384  # in SQLite's default of 4 kB, an invoice of 2.5 kB would leave the rest unused


class Store:
    """One SQLite file. Thread-safe: each reader has a connection, writers take turns.

    Args:
        path: The file, kept when the store is closed; None creates a temporary one.
        on_changes: Called with the changes of each committed transaction: realm, entity, Id and Create, Update, Delete
            or what `name_change` said.

    Raises:
        OSError: The file cannot be opened, or is not a database.
    """

    def __init__(self, path: Path | None = None, on_changes: Callable[[list[Changed]], None] | None = None) -> None:
        self._on_changes = on_changes
        self._changes: dict[tuple[str, str, str], str] = {}
        self._folder = None if path else tempfile.mkdtemp(prefix="quickbooks-emulator-")
        self._path = str(path or Path(self._folder or "") / "company.sqlite3")
        self._idle: list[sqlite3.Connection] = []
        self._idle_lock = threading.Lock()
        self._is_closed = False
        self._writing = threading.RLock()
        self._owner = 0  # the thread whose transaction is open
        self._writer = self._open()
        self._kinds: dict[str, dict[str, int]] = {}  # by realm: one company of thousands is removed at once
        self.index()
        self._changed = self._writer.execute("SELECT 1 FROM changed").fetchone() is not None

    def _open(self) -> sqlite3.Connection:
        writer = None
        try:
            writer = self._connect()
            writer.executescript(f"PRAGMA page_size = {_PAGE_SIZE}; PRAGMA journal_mode = WAL; {_TABLES}")
        except sqlite3.Error as error:
            if writer:
                writer.close()
            raise OSError(f"{self._path}: {error}") from error
        return writer

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=_LOCK_TIMEOUT_S)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # an emulator's data need not survive a power cut
            connection.create_function("fold", 1, lambda text: text and str(text).casefold(), deterministic=True)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading.

        Yields:
            The connection, returned to the pool when the block ends.

        Raises:
            RuntimeError: The store is closed.
        """
        with self._idle_lock:
            if self._is_closed:
                raise RuntimeError("the store is closed")
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            with self._idle_lock:
                if self._is_closed:
                    connection.close()
                else:
                    self._idle.append(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the only writing connection, inside a transaction.

        Yields:
            The connection. The transaction is committed when the block ends and rolled back when it raises.
        """
        with self._writing:
            if self._writer.in_transaction:  # an outer block of this thread has begun it
                yield self._writer
                return
            self._writer.execute("BEGIN IMMEDIATE")
            self._owner = threading.get_ident()
            self._changes = {}
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                self._kinds.clear()  # kinds created in the transaction are gone too
                raise
            else:
                self._writer.execute("COMMIT")
                if self._changes and self._on_changes:
                    self._on_changes([(*record, operation) for record, operation in self._changes.items()])
            finally:
                self._owner = 0

    @contextlib.contextmanager
    def _reading_or_own(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees what this thread has written in an open transaction."""
        if self._owner == threading.get_ident():
            yield self._writer
            return
        with self.reading() as db:
            yield db

    def kind(self, realm: str, entity: str) -> int:
        """Return the number under which an entity of a company is stored; a new one is created.

        Args:
            realm: The company.
            entity: The entity's name.
        """
        kind = self._kinds.get(realm, {}).get(entity)
        if kind is None:
            key = (realm, entity)
            with self.writing() as db:
                db.execute("INSERT OR IGNORE INTO kind (realm, entity) VALUES (?, ?)", key)
                found: tuple[int] = db.execute("SELECT kind FROM kind WHERE realm = ? AND entity = ?", key).fetchone()
            kind = self._kinds.setdefault(realm, {})[entity] = found[0]
        return kind

    def load(self, realm: str, records: Iterable[tuple[str, Row]]) -> int:
        """Store many records in one transaction.

        Args:
            realm: The company.
            records: Entity names and rows; read once and never all in memory.

        Returns:
            The number of records.
        """
        count = 0
        with self.writing() as db:
            next_row = (db.execute("SELECT max(row) FROM record").fetchone()[0] or 0) + 1
            rows: list[tuple[Any, ...]] = []
            bodies: list[tuple[int, str]] = []
            kinds: dict[str, int] = {}
            for entity, row in records:
                if (kind := kinds.get(entity)) is None:
                    kind = kinds[entity] = self.kind(realm, entity)
                rows.append((next_row + count, kind, *row[:-1]))
                bodies.append((next_row + count, row.body))
                count += 1
                if len(rows) == _BULK:
                    self._flush(db, rows, bodies)
            self._flush(db, rows, bodies)
        return count

    def bulk_load(self, realm: str, records: Iterable[tuple[str, Row]]) -> int:
        """Store very many records: indexes are created at the end, and each page is written once.

        Args:
            realm: The company.
            records: Entity names and rows; read once and never all in memory.

        Returns:
            The number of records.
        """
        with self._idle_lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
        self.index(drop=True)
        # A write-ahead log writes every page twice; in an almost empty file a rollback journal writes nothing extra.
        self._writer.execute("PRAGMA busy_timeout = 0")
        with contextlib.suppress(sqlite3.OperationalError):  # another thread reads: the load then takes twice as long
            self._writer.execute("PRAGMA journal_mode = TRUNCATE").fetchone()
        self._writer.execute(f"PRAGMA busy_timeout = {_LOCK_TIMEOUT_S}000")
        self._writer.execute(f"PRAGMA cache_size = -{_LOADING_KB}")  # fewer pages are written before they are full
        try:
            count = self.load(realm, records)
            self.index()
        finally:
            self._writer.execute("PRAGMA cache_size = -2000")
            self._writer.execute("PRAGMA journal_mode = WAL").fetchone()
        return count

    @staticmethod
    def _flush(db: sqlite3.Connection, rows: list[tuple[Any, ...]], bodies: list[tuple[int, str]]) -> None:
        db.executemany(_INSERT, rows)
        db.executemany("INSERT INTO body (row, body) VALUES (?, ?)", bodies)
        rows.clear()
        bodies.clear()

    @property
    def changed(self) -> bool:
        """Whether a record was saved or removed since the load, by this process or an earlier one."""
        return self._changed

    def _mark_changed(self, db: sqlite3.Connection) -> None:
        if not self._changed:
            db.execute("INSERT INTO changed VALUES (1)")
            self._changed = True

    def save(self, realm: str, entity: str, row: Row) -> None:
        """Store one record, replacing one with the same Id.

        Args:
            realm: The company.
            entity: The entity's name.
            row: The record.
        """
        kind = self.kind(realm, entity)
        with self.writing() as db:
            self._mark_changed(db)
            found = db.execute("SELECT row FROM record WHERE kind = ? AND id = ?", (kind, row.id)).fetchone()
            self._changes.setdefault((realm, entity, row.id), "Update" if found else "Create")
            number = found[0] if found else (db.execute("SELECT max(row) FROM record").fetchone()[0] or 0) + 1
            db.execute(_INSERT.replace("INSERT", "INSERT OR REPLACE", 1), (number, kind, *row[:-1]))
            db.execute("INSERT OR REPLACE INTO body (row, body) VALUES (?, ?)", (number, row.body))

    def name_change(self, realm: str, entity: str, id: str, operation: str) -> None:  # noqa: A002 -- Intuit's word
        """Say what the change of a record in the open transaction is: `Void`, `Emailed`."""
        if (realm, entity, id) in self._changes:
            self._changes[realm, entity, id] = operation

    def remove(self, realm: str, entity: str, id: str, now: int) -> None:  # noqa: A002 -- Intuit's word
        """Remove one record and store a tombstone.

        Args:
            realm: The company.
            entity: The entity's name.
            id: The record's Id.
            now: Epoch seconds.
        """
        kind = self.kind(realm, entity)
        with self.writing() as db:
            found = db.execute("SELECT row FROM record WHERE kind = ? AND id = ?", (kind, id)).fetchone()
            if found:
                self._mark_changed(db)
                self._changes[realm, entity, id] = "Delete"
                if entity == "Attachable":
                    db.execute("DELETE FROM file WHERE realm = ? AND id = ?", (realm, id))
                db.execute("DELETE FROM record WHERE row = ?", found)
                db.execute("DELETE FROM body WHERE row = ?", found)
                db.execute("INSERT INTO tombstone (kind, id, updated) VALUES (?, ?, ?)", (kind, id, now))

    def body(self, realm: str, entity: str, id: str) -> str | None:  # noqa: A002 -- Intuit's word
        """Return one record's JSON text, or None.

        Args:
            realm: The company.
            entity: The entity's name.
            id: The record's Id.
        """
        kind = self.kind(realm, entity)
        with self._reading_or_own() as db:
            found = db.execute(
                "SELECT b.body FROM record r JOIN body b ON b.row = r.row WHERE r.kind = ? AND r.id = ?", (kind, id)
            ).fetchone()
        return found[0] if found else None

    def first(self, realm: str, entity: str, where: str, order: str, values: tuple[str, ...]) -> str | None:
        """Return the text of the first record, in order of Id, that meets a condition; None if none does.

        Args:
            realm: The company.
            entity: The entity's name.
            where: A condition in SQL over `record r` and `body b`.
            order: A sort key in SQL that counts before the Id.
            values: The parameters of both.
        """
        kind = self.kind(realm, entity)
        sql = (
            f"SELECT b.body FROM record r JOIN body b ON b.row = r.row WHERE r.kind = ? AND {where}"  # noqa: S608 -- our own conditions
            f" ORDER BY {order}, CAST(r.id AS INTEGER) LIMIT 1"
        )
        with self._reading_or_own() as db:
            found = db.execute(sql, (kind, *values)).fetchone()
        return found[0] if found else None

    def bodies_with(self, realm: str, text: str, customer: str | None) -> list[tuple[str, str]]:
        """Return entity and text of the records that contain a text.

        Args:
            realm: The company.
            text: What to look for.
            customer: The customer whose reference it is: of the many records that have a customer of their own, only
                this one's are searched.
        """
        sql = (
            "SELECT k.entity, b.body FROM kind k JOIN record r ON r.kind = k.kind JOIN body b ON b.row = r.row"
            " WHERE k.realm = ? AND instr(b.body, ?)"
        )
        with self._reading_or_own() as db:
            if customer is None:
                return db.execute(sql, (realm, text)).fetchall()
            own = db.execute(f"{sql} AND r.customer = ?", (realm, text, customer)).fetchall()
            return own + db.execute(f"{sql} AND r.customer IS NULL", (realm, text)).fetchall()

    def children(self, realm: str, entity: str, parent: str) -> list[str]:
        """Return the texts of the records whose ParentRef is a record.

        Args:
            realm: The company.
            entity: The entity's name.
            parent: The record's Id.
        """
        sql = (
            "SELECT b.body FROM record r JOIN body b ON b.row = r.row"
            " WHERE r.kind = ? AND json_extract(b.body, '$.ParentRef.value') = ?"
        )
        kind = self.kind(realm, entity)
        with self._reading_or_own() as db:
            return [body for (body,) in db.execute(sql, (kind, parent))]

    def ids_by_name(self, realm: str, entity: str, name: str) -> list[str]:
        """Return the Ids of the records that have a name in any case, inactive ones included.

        Args:
            realm: The company.
            entity: The entity's name.
            name: DisplayName or Name.
        """
        kind = self.kind(realm, entity)
        with self.writing() as db:  # in the caller's transaction
            sql = "SELECT id FROM record WHERE kind = ? AND name = ? COLLATE NOCASE"
            return [id_ for (id_,) in db.execute(sql, (kind, name))]

    def highest_id(self, realm: str, entities: list[str]) -> int:
        """Return the highest Id of some entities, deleted records included; 0 if there is none."""
        return max(
            self._highest(realm, entities, "SELECT max(CAST(id AS INTEGER)) FROM record"),
            self._highest(realm, entities, "SELECT max(CAST(id AS INTEGER)) FROM tombstone"),
        )

    def highest_doc_number(self, realm: str, entities: list[str]) -> int:
        """Return the highest document number of some entities; 0 if there is none."""
        return self._highest(realm, entities, "SELECT max(CAST(doc_number AS INTEGER)) FROM record")

    def _highest(self, realm: str, entities: list[str], sql: str) -> int:
        kinds = [self.kind(realm, entity) for entity in entities]
        with self.writing() as db:
            found = db.execute(f"{sql} WHERE kind IN ({', '.join('?' * len(kinds))})", kinds).fetchone()
        return found[0] or 0

    def realms(self) -> list[str]:
        """Return the realm ids of the companies that have records."""
        with self._writing:  # includes what an open transaction has written
            found = self._writer.execute("SELECT DISTINCT realm FROM kind WHERE kind IN (SELECT kind FROM record)")
            return [realm for (realm,) in found]

    def save_file(self, realm: str, id: str, content: bytes) -> None:  # noqa: A002 -- Intuit's word
        """Store the file of an attachment, which `remove` deletes with it."""
        with self.writing() as db:
            db.execute("INSERT OR REPLACE INTO file (realm, id, content) VALUES (?, ?, ?)", (realm, id, content))

    def file(self, realm: str, id: str) -> bytes | None:  # noqa: A002 -- Intuit's word
        """Return the file of an attachment, or None."""
        with self._reading_or_own() as db:
            found = db.execute("SELECT content FROM file WHERE realm = ? AND id = ?", (realm, id)).fetchone()
        return found[0] if found else None

    def remove_company(self, realm: str) -> None:
        """Remove a company with all its records and tombstones.

        Args:
            realm: The company.
        """
        kinds = "(SELECT kind FROM kind WHERE realm = ?)"
        with self.writing() as db:
            db.execute(f"DELETE FROM body WHERE row IN (SELECT row FROM record WHERE kind IN {kinds})", (realm,))  # noqa: S608
            for table in ("record", "tombstone"):
                db.execute(f"DELETE FROM {table} WHERE kind IN {kinds}", (realm,))  # noqa: S608 -- our own names
            for table in ("kind", "file"):
                db.execute(f"DELETE FROM {table} WHERE realm = ?", (realm,))  # noqa: S608 -- our own names
            self._kinds.pop(realm, None)

    def clear(self) -> None:
        """Remove everything."""
        with self.writing() as db:
            for table in ("record", "body", "tombstone", "kind", "changed", "file"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 -- our own names
        self._kinds.clear()
        self._changed = False

    def index(self, *, drop: bool = False) -> None:
        """Create the indexes.

        Args:
            drop: Drop them instead, before a bulk load.
        """
        with self.writing() as db:
            for name, definition in _INDEXES.items():
                if drop:
                    db.execute(f"DROP INDEX IF EXISTS {name}")
                else:
                    db.execute("CREATE " + definition.format(f"IF NOT EXISTS {name}"))
            if not drop:
                db.execute("PRAGMA optimize")

    def close(self) -> None:
        """Close all idle connections, and remove a temporary file.

        A connection in use is closed when it is returned. A writer that does not end delays the close by five seconds.
        """
        with self._idle_lock:
            self._is_closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
        if self._writing.acquire(timeout=_CLOSE_TIMEOUT_S):
            self._writer.close()
            self._writing.release()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
