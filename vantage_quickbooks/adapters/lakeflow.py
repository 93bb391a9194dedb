"""QuickBooks companies as one of Databricks' open community connectors (extra `[spark]`).

This file can be copied into their repository as `sources/vantage_quickbooks/`; it needs this package and PySpark.
The interface (`LakeflowConnect`, `SupportsPartition`) and the rules for offsets are those of
https://github.com/databrickslabs/lakeflow-community-connectors, src/databricks/labs/community_connector/interface.

Theory of operation
1. A table is an entity of all companies: `invoices`, with the columns of `Connection.dataframe` and `realm_id`.
   `changes` is one table of all entities that change data capture (CDC) covers, at one API call for each company.
2. The offset of a table is an object with a member for each connection: the sync state (`Connection.sync`) of the
   records that were returned up to then, and `at`, when the connector began that has brought it up to date. A company
   with the `at` of this connector is not asked again, so the offset stops changing, and the stream ends. Changes that
   come later are read by the next run, in which the connector begins anew.
3. `read_table` and `read_table_deletes` understand each other's offsets. One read finds both upserts and deletions;
   what one of them has read from an offset is kept until the next read, so the other one, called with the same offset,
   makes no API calls. In another process it reads again, and finds the same deletions or more.
4. A company that fails keeps its position, so the next run continues there. The other companies are returned first,
   and their position is committed; only then does the stream fail (`on_error=fail`).
5. Rows are ordered by `_sequence`: when the record was updated, its version, and when it was read. A deletion is last.
6. Where QuickBooks cannot list deletions (1,000 changes of an entity or more since the last run, or a run more than 29
   days ago), the deletes of this company fail and name the remedy; the interface has no way to say which records still
   exist. Entities without CDC are snapshots, which the framework compares.
7. A snapshot without one of the companies would delete all of its rows, so it fails if a company fails.

Companies are read by id from a registry, and credentials are not options: Intuit replaces refresh tokens, and a Unity
Catalog connection keeps what was entered. See docs/lakeflow.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import fnmatch
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import BooleanType, StringType, StructField, StructType, TimestampType

from vantage_quickbooks.catalog.change_batches import ChangeBatches
from vantage_quickbooks.catalog.sync_action import SYNC_DEFAULT, SYNC_ENTITIES
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.bundles import BUNDLE_SIZE, CompanyRun, is_app_wide, make_bundles, read_bundle
from vantage_quickbooks.errors import FieldError, InputError
from vantage_quickbooks.logs import get_logger
from vantage_quickbooks.registry import open_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.connector.company_runs import CompanyItem
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.contract import ChangeSet
    from vantage_quickbooks.registry import ConnectionEntry, ConnectionRegistry

    class LakeflowConnect:
        """The interface of a connector."""

        def __init__(self, options: dict[str, str]) -> None: ...

    class SupportsPartition:
        """The interface of one that executors can read in parts."""

else:
    try:
        from databricks.labs.community_connector.interface import LakeflowConnect, SupportsPartition
    except ImportError:  # without their library; the methods are the same

        class LakeflowConnect:
            """The interface of a connector."""

            def __init__(self, options: dict[str, str]) -> None:
                """Take the options of the connection."""

        class SupportsPartition:
            """The interface of one that executors can read in parts."""


__all__ = ["CHANGES", "CompanyFailedError", "QuickBooksLakeflowConnect"]

CHANGES = "changes"
"""The table of the changes of all entities."""

SEQUENCE = "_sequence"

T = TypeVar("T")

_log = get_logger(__name__)

_KEY = "_key"
_LAST = "~"  # sorts after every SyncToken
_CREDENTIALS = ("client_id", "client_secret", "refresh_token", "access_token")
_CAPTURED = tuple(resource.entity for resource in SYNC_DEFAULT if resource.has_cdc)

_CHANGES_SCHEMA = StructType(
    [
        StructField("realm_id", StringType(), nullable=False),
        StructField("company", StringType()),
        StructField("entity", StringType(), nullable=False),
        StructField("Id", StringType(), nullable=False),
        StructField("deleted", BooleanType(), nullable=False),
        StructField("updated", TimestampType()),
        StructField("record", StringType()),
        StructField(SEQUENCE, StringType(), nullable=False),
    ]
)


class CompanyFailedError(RuntimeError):
    """A company could not be read; the message has its connection, the error's code, and what to do."""


# ---- options ---------------------------------------------------------------------------------------------------------


def _text(options: Mapping[str, str], name: str, default: str = "") -> str:
    """Return an option; Spark passes names in lower case or as they were written."""
    found = {key.lower(): value for key, value in options.items()}.get(name)
    return str(found).strip() if found is not None and str(found).strip() else default


def _number(options: Mapping[str, str], name: str, default: int) -> int:
    text = _text(options, name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise _wrong(name, f"{text[:20]!r} is not a whole number from 1.", "Write it in digits, like 100.")
    return int(text)


def _choice(options: Mapping[str, str], name: str, *values: str) -> str:
    """Return one of *values*, of which the first is the default."""
    text = _text(options, name, values[0]).lower()
    if text not in values:
        raise _wrong(name, f"{text[:20]!r} is not one of {', '.join(values)}.", f"Use {' or '.join(values)}.")
    return text


def _wrong(name: str, message: str, hint: str) -> InputError:
    return InputError(f"{name}: {message} {hint}", [FieldError(name, "option", message, hint)])


# ---- tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """A table.

    Attributes:
        entities: Intuit's names of what it has.
        ingestion: `snapshot`, `cdc` or `cdc_with_deletes`.
        key: The column that identifies a record of a company.
        resource: The entity; None for `changes`.
    """

    entities: tuple[str, ...]
    ingestion: str
    key: str
    resource: Resource | None

    @property
    def primary_key(self) -> list[str]:
        return ["realm_id", self.key] if self.resource else ["realm_id", "entity", self.key]

    @property
    def is_snapshot(self) -> bool:
        return self.ingestion == "snapshot"

    def schema(self) -> StructType:
        if self.resource is None:
            return _CHANGES_SCHEMA
        fields = list(from_arrow_schema(_batches(self.resource.entity).schema))
        fields += [StructField(_KEY, StringType())] if self.key == _KEY else []
        fields += [] if self.is_snapshot else [StructField(SEQUENCE, StringType())]
        never_null = {*self.primary_key, SEQUENCE}
        return StructType([StructField(each.name, each.dataType, each.name not in never_null) for each in fields])


@cache
def _tables() -> dict[str, _Table]:
    found = {}
    for resource in SYNC_ENTITIES.values():
        is_captured = resource.has_cdc and resource.has_creation_order
        # Intuit deactivates the entries of name lists, and deletes none.
        captured = "cdc" if resource.kind == "list" else "cdc_with_deletes"
        has_id = resource.primary_key == ("Id",) and not resource.template_key
        found[resource.table_name] = _Table(
            (resource.entity,), captured if is_captured else "snapshot", "Id" if has_id else _KEY, resource
        )
    return found | {CHANGES: _Table(_CAPTURED, "cdc", "Id", None)}


def _table(name: str, options: Mapping[str, str]) -> _Table:
    """Return a table as its options want it.

    Raises:
        InputError: There is no such table, or an option is not valid.
    """
    table = _tables().get(name)
    if table is None:
        near = difflib.get_close_matches(str(name)[:60], _tables(), n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else f"Tables: {', '.join(_tables())}."
        raise _wrong("tableName", f"There is no table {str(name)[:60]!r}.", hint)
    if (
        _text(options, "ingestion_type")
        and _choice(options, "ingestion_type", table.ingestion, "snapshot") == "snapshot"
    ):
        if table.resource is None:
            raise _wrong("ingestion_type", "The table of changes has no snapshot.", "Read the tables of the entities.")
        return dataclasses.replace(table, ingestion="snapshot")
    return table


@cache
def _batches(entity: str) -> ChangeBatches:
    return ChangeBatches(SYNC_ENTITIES[entity], realm_id="", company_name=None, typed_lists=True)


# ---- rows ------------------------------------------------------------------------------------------------------------


def _rows(table: _Table, found: ChangeSet, beside: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the upserts and the deletions of a change set as rows of JSON values, without members that are null."""
    gone = {deletion["Id"] for deletion in found.deletions}
    records = {key: record for record in found.upserts if (key := found.key_of(record)) not in gone}
    read_at = found.metadata["retrievedAt"]
    upserts = list(_typed(table, records) if table.resource else _untyped(found.entity, records))
    for row, record in () if table.is_snapshot else zip(upserts, records.values(), strict=True):
        row[SEQUENCE] = f"{_updated(record) or read_at}/{str(record.get('SyncToken') or '').zfill(10)}/{read_at}"
    deletions: list[dict[str, Any]] = []
    for deletion in found.deletions:
        at = _utc(deletion.get("deletedAt"))
        row = {table.key: deletion["Id"], SEQUENCE: f"{at or read_at}/{_LAST}"}
        if table.resource is None:
            upserts.append(row | {"entity": found.entity, "deleted": True, "updated": at})
        else:
            deletions.append(row | {"MetaData_LastUpdatedTime": at})
    return [_without_nulls(row | beside) for row in upserts], [_without_nulls(row | beside) for row in deletions]


def _typed(table: _Table, records: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    batches = _batches(table.entities[0])
    rows = batches.records(batches.rows(list(records.values()))).to_pylist()
    for key, row in zip(records, rows, strict=True):
        yield {name: _json(value) for name, value in row.items()} | {table.key: key}


def _untyped(entity: str, records: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    rows = _batches(entity).rows(list(records.values()))
    for (key, record), (_, text) in zip(records.items(), rows, strict=True):
        row = {"entity": entity, "Id": key, "deleted": False, "updated": _updated(record)}
        yield row | {"record": bytes(text).decode()}


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_json(member) for member in value]
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _updated(record: Mapping[str, Any]) -> str | None:
    times = record.get("MetaData")
    return _utc(times.get("LastUpdatedTime")) if isinstance(times, dict) else None


def _utc(value: Any) -> str | None:
    """Return an instant as text that sorts by time; None if it is not one."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (TypeError, ValueError, OverflowError):
        return None


# ---- the connector ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Read:
    """What was read from one offset.

    Attributes:
        upserts: Rows that were created or changed.
        deletions: Rows that were deleted.
        offset: Where the next read continues.
        failures: Why companies failed, by connection.
        unlisted: Connections whose deletions QuickBooks could not list.
    """

    upserts: list[dict[str, Any]] = field(default_factory=list)
    deletions: list[dict[str, Any]] = field(default_factory=list)
    offset: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)

    def has(self, limit: int) -> bool:
        """Return whether it has *limit* rows."""
        return len(self.upserts) + len(self.deletions) >= limit

    def add(self, connection: str, changes: ChangeSet, upserts: list[dict[str, Any]], deletions: list[Any]) -> None:
        """Add a change set and its rows."""
        self.upserts += upserts
        self.deletions += deletions
        self.offset[connection] = {"state": changes.state}
        if changes.existing_ids is not None:
            self.unlisted.add(connection)
        if changes.error is not None:
            self.failures[connection] = changes.error

    def end(self, run: CompanyRun, since: str | None, began: str) -> None:
        """Note how a company has ended.

        Raises:
            CompanyFailedError: The error concerns all companies of the app.
        """
        if run.error is not None:
            if is_app_wide(run.error):
                raise _failure(run.id, run.error)
            self.failures[run.id] = run.error
        if run.id not in self.failures:
            if run.result.get("is_done"):
                self.offset[run.id] = {**self.offset.get(run.id, {}), "at": began}
        elif since is not None and run.id not in self.offset:  # a later read has to find what is deleted from then on
            self.offset[run.id] = {"since": since}


class QuickBooksLakeflowConnect(LakeflowConnect, SupportsPartition):
    """Companies of a registry as tables of a Lakeflow pipeline; see docs/lakeflow.md.

    Args:
        options: Of the connection: `registry`, `token_store` and `token_key` (default: the environment variables of
            the package), `connections` (ids and patterns, separated by commas; default: all), `on_error` (`fail`, or
            `report`: failures are logged), `workers` (companies at once) and `bundle_size` (companies of a partition).

    Raises:
        InputError: An option is not valid, or is a credential.
    """

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        for name in _CREDENTIALS:
            if _text(options, name):
                raise _wrong(
                    name,
                    "Credentials are not options, because Intuit replaces refresh tokens.",
                    "Add the company to a registry (vantage-quickbooks connect --id), and name it in connections.",
                )
        self._options = {str(name): str(value) for name, value in options.items()}
        self._on_error = _choice(options, "on_error", "fail", "report")
        self._workers = _number(options, "workers", 8)
        self._bundle_size = _number(options, "bundle_size", BUNDLE_SIZE)
        self._began = datetime.now(UTC).isoformat(timespec="microseconds")
        self._failed: dict[tuple[str, bool], dict[str, dict[str, Any]]] = {}
        self._last: tuple[str, _Read] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Begin anew where it is unpickled: Spark makes one for a frame, and starts streams with copies of it."""
        return type(self), (self._options,)

    # ---- the interface ----

    def list_tables(self) -> list[str]:
        """Return the names of all tables."""
        return list(_tables())

    def get_table_schema(self, table_name: str, table_options: dict[str, str]) -> StructType:
        """Return the columns of a table.

        Raises:
            InputError: There is no such table, or an option is not valid.
        """
        return _table(table_name, table_options).schema()

    def read_table_metadata(self, table_name: str, table_options: dict[str, str]) -> dict[str, Any]:
        """Return `primary_keys`, `ingestion_type` and, unless it is a snapshot, `cursor_field`.

        Raises:
            InputError: As `get_table_schema`.
        """
        table = _table(table_name, table_options)
        cursor = {} if table.is_snapshot else {"cursor_field": SEQUENCE}
        return {"primary_keys": table.primary_key, "ingestion_type": table.ingestion, **cursor}

    def read_table(
        self, table_name: str, start_offset: dict[str, Any] | None, table_options: dict[str, str]
    ) -> tuple[Iterator[dict[str, Any]], dict[str, Any] | None]:
        """Return records that were created or changed since an offset, and the next offset.

        Args:
            table_name: The table.
            start_offset: An offset; an empty one reads everything, in parts. None, of a batch, reads all at once.
            table_options: `max_records_per_batch` (about, 10,000 by default: whole pages are returned) and
                `ingestion_type` (`snapshot` in place of changes).

        Returns:
            Rows, and the offset: None for a snapshot.

        Raises:
            InputError: As `get_table_schema`.
            CompanyFailedError: A company failed, and nothing else is left to return.
        """
        table = _table(table_name, table_options)
        if table.is_snapshot or start_offset is None:
            partition = {"connections": ",".join(entry.id for entry in self._entries())}
            return self.read_partition(table_name, partition, table_options), None if table.is_snapshot else {}
        return self._read(table_name, start_offset, table_options, deletes=False)

    def read_table_deletes(
        self, table_name: str, start_offset: dict[str, Any] | None, table_options: dict[str, str]
    ) -> tuple[Iterator[dict[str, Any]], dict[str, Any]]:
        """Return the keys of records that were deleted since an offset, and the next offset.

        Args:
            table_name: The table.
            start_offset: An offset; an empty one begins `delete_lookback` seconds ago.
            table_options: As for `read_table`, and `delete_lookback` (3,600 by default), which has to cover the time by
                which the reading of the records has begun before.

        Raises:
            InputError: As `get_table_schema`, or the table has no deletes.
            CompanyFailedError: As for `read_table`, or deletions cannot be listed.
        """
        table = _table(table_name, table_options)
        if table.ingestion != "cdc_with_deletes":
            raise _wrong("isDeleteFlow", f"{table_name} has no deletes.", f"Its ingestion type is {table.ingestion}.")
        return self._read(table_name, start_offset or {}, table_options, deletes=True)

    def get_partitions(self, table_name: str, table_options: dict[str, str]) -> Sequence[dict[str, str]]:
        """Return the parts of a batch: bundles of companies, each company in one of them only.

        Raises:
            InputError: As `get_table_schema`, or `connections` names what the registry does not have.
        """
        _table(table_name, table_options)
        bundles = make_bundles(self._entries(), self._bundle_size)
        return [{"connections": ",".join(bundle.connection_ids)} for bundle in bundles]

    def read_partition(
        self, table_name: str, partition: dict[str, str], table_options: dict[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Return all records of the companies of a partition.

        Raises:
            InputError: As `get_table_schema`.
            CompanyFailedError: One of them failed; raised while rows are iterated.
        """
        table = _table(table_name, table_options)
        return self._read_all(table, [name for name in partition["connections"].split(",") if name])

    # ---- companies ----

    def _deployment(self) -> Deployment:
        given = {
            name: text for name in ("registry", "token_store", "token_key") if (text := _text(self._options, name))
        }
        return dataclasses.replace(Deployment.from_environ(), **given)  # type: ignore[arg-type]

    def _entries(self) -> list[ConnectionEntry]:
        with open_registry(deployment=self._deployment()) as registry:
            return self._selected(registry)

    def _selected(self, registry: ConnectionRegistry) -> list[ConnectionEntry]:
        entries = registry.list()
        patterns = [name.strip() for name in _text(self._options, "connections", "*").split(",") if name.strip()]
        for pattern in patterns:
            if pattern != "*" and not any(fnmatch.fnmatchcase(entry.id, pattern) for entry in entries):
                raise _wrong(
                    "connections",
                    f"The registry has no connection {pattern[:40]!r}.",
                    "List them with vantage-quickbooks connections list.",
                )
        if not entries:
            raise _wrong("registry", "It has no connections.", "Add some: vantage-quickbooks connect --id ID.")
        found: dict[tuple[str, ...], ConnectionEntry] = {}
        for entry in entries:
            if any(fnmatch.fnmatchcase(entry.id, pattern) for pattern in patterns):
                company = (entry.environment or "", entry.realm_id) if entry.realm_id else (entry.id,)
                first = found.setdefault(company, entry)
                if first is not entry:
                    _log.warning("%s is left out: %s is a connection of the same company.", entry.id, first.id)
        return list(found.values())

    def _read_all(self, table: _Table, connections: Sequence[str]) -> Iterator[dict[str, Any]]:
        def task(connection: Connection, run: CompanyRun) -> Iterator[list[dict[str, Any]]]:
            with contextlib.closing(connection.sync(table.entities)) as sets:  # type: ignore[type-var]
                for found in sets:
                    run.error = run.error or found.error
                    yield _rows(table, found, _beside(run))[0]

        with contextlib.closing(self._run(connections, task)) as items:
            for item in items:
                if not isinstance(item, CompanyRun):
                    yield from item.item
                elif item.error is not None:
                    raise _failure(item.id, item.error)

    def _run(
        self, connections: Sequence[str], task: Callable[[Connection, CompanyRun], Iterator[T]]
    ) -> Generator[CompanyItem[T] | CompanyRun]:
        """Run a task for each connection; see `read_bundle`."""
        if connections:
            deployment = self._deployment()
            with open_registry(deployment=deployment) as registry:
                yield from read_bundle(registry, connections, task, workers=self._workers, deployment=deployment)

    # ---- changes ----

    def _read(
        self, name: str, start: dict[str, Any], options: Mapping[str, str], *, deletes: bool
    ) -> tuple[Iterator[dict[str, Any]], dict[str, Any]]:
        """Return rows and the next offset; failures are raised once nothing else is left (rule 4)."""
        failed = self._failed.setdefault((name, deletes), {})
        found = self._read_once(name, start, options, failed, deletes=deletes)
        offset, failures = dict(found.offset), dict(found.failures)
        if deletes or name == CHANGES:
            for connection in found.unlisted:
                failures[connection] = _unlisted(name)
                _restore(offset, start, connection)
        failed.update(failures)
        if self._on_error == "report":
            for connection, error in failures.items():
                _log.error("%s", _failure(connection, error))
                offset[connection] = {**offset.get(connection, {}), "at": self._began, "error": error["code"]}
        elif failed and offset == start:
            connection = min(failed)
            raise _failure(connection, failed[connection], others=len(failed) - 1)
        return iter(found.deletions if deletes else found.upserts), offset

    def _read_once(
        self,
        name: str,
        start: dict[str, Any],
        options: Mapping[str, str],
        failed: Mapping[str, Any],
        *,
        deletes: bool,
    ) -> _Read:
        """Return what was read from an offset; from memory if it was the last read (rule 3)."""
        limit = _number(options, "max_records_per_batch", 10_000)
        due = [
            entry.id
            for entry in self._entries()
            if entry.id not in failed and start.get(entry.id, {}).get("at") != self._began
        ]
        since = None
        if deletes and not all("state" in start.get(connection, {}) for connection in due):
            lookback = timedelta(seconds=_number(options, "delete_lookback", 3600))
            since = (datetime.fromisoformat(self._began) - lookback).isoformat(timespec="seconds")
        key = json.dumps([name, start, due, since, limit], sort_keys=True)
        if self._last is None or self._last[0] != key:
            self._last = None  # one batch in memory at a time
            self._last = key, self._read_changes(_table(name, options), start, due, since, limit)
        return self._last[1]

    def _read_changes(
        self, table: _Table, start: dict[str, Any], due: Sequence[str], since: str | None, limit: int
    ) -> _Read:
        found = _Read(offset=dict(start))

        def task(connection: Connection, run: CompanyRun) -> Iterator[tuple[ChangeSet, Any]]:
            if found.has(limit):
                return
            known = start.get(run.id, {})
            where = {"state": known["state"]} if "state" in known else {"since": known.get("since", since)}
            with contextlib.closing(connection.sync(table.entities, **where)) as sets:  # type: ignore[type-var]
                for changes in sets:
                    yield changes, _rows(table, changes, _beside(run))
                    if found.has(limit):
                        return
            run.result["is_done"] = True

        with contextlib.closing(self._run(due, task)) as items:
            for item in items:
                if isinstance(item, CompanyRun):
                    found.end(item, since, self._began)
                else:
                    changes, (upserts, deletions) = item.item
                    found.add(item.run.id, changes, upserts, deletions)
        return found


def _beside(run: CompanyRun) -> dict[str, Any]:
    return {"realm_id": run.realm_id, "company": run.label or run.id}


def _restore(offset: dict[str, Any], start: Mapping[str, Any], connection: str) -> None:
    offset.pop(connection, None)
    if connection in start:
        offset[connection] = start[connection]


def _unlisted(name: str) -> dict[str, Any]:
    return {
        "code": "RESULT_INCOMPLETE",
        "message": f"QuickBooks cannot list which {name} were deleted: too much has changed since the last run, or it "
        "was more than 29 days ago. Refresh the table in full, and run the pipeline more often; or set its option "
        "ingestion_type to snapshot.",
    }


def _failure(connection: str, error: Mapping[str, Any], others: int = 0) -> CompanyFailedError:
    more = f" {others} more failed." if others else ""
    return CompanyFailedError(f"{connection}: {error['code']}: {error['message']}{more}")
