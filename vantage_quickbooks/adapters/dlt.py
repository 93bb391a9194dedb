"""QuickBooks companies as a dlt source (extra `[dlt]`): tables in a warehouse that equal the books.

    pipeline = dlt.pipeline("books", destination="duckdb", dataset_name="quickbooks")
    pipeline.run(quickbooks_source(settings))

Theory of operation
1. One resource syncs the companies (`Connection.sync`: one CDC request for all entities), and one transformer for each
   table takes its rows. So every table is a resource that can be selected, and a quiet company still costs one call.
2. Tables are merged by `realm_id` and the record's key. A change set never has a key twice, and a load has at most one
   sync of a company, so every key comes once in a load package.
3. Deletions are rows, too, because a merge is all that a package can do. Keys that a set says do not exist any more
   (`existing_ids`, the end of a snapshot) are found by comparing with the keys in the destination, for this company
   only. A snapshot deletes at its end, not at its beginning: until then, the table has the old rows or new ones. The
   loads that a snapshot is spread over are in the state, and each row has the id of its load.
4. What is kept of a company is the state of the last set in the package. dlt stores it with the package. A package that
   is lost or loaded twice changes nothing: the sync repeats from the older state.
5. A table that was dropped (`refresh=`), was not selected, or is new is noticed by an id in the state of its resource,
   and its entity is read again as a snapshot.
6. A company that fails is a row of the report. What was read of it before is loaded, and the others are loaded.
7. A report of QuickBooks is a table whose rows of a company are replaced as a whole, by the merge key `realm_id`. One
   row marked as removed comes with them, so that an empty report replaces them, too. A report that cannot be read
   leaves the rows as they are.
"""

from __future__ import annotations

import contextlib
import contextvars
import difflib
import re
from collections import deque
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa

from vantage_quickbooks.adapters.company_load import CompanyLoad, CompanyReport, LoadReport
from vantage_quickbooks.adapters.company_package import (
    COMPANIES,
    COMPANIES_SCHEMA,
    KEY,
    CompanyPackage,
    Package,
    Table,
)
from vantage_quickbooks.adapters.destination_tables import DELETED_AT, LOAD_ID, REALM_ID, REMOVED, DestinationTables
from vantage_quickbooks.catalog.change_batches import ChangeBatches
from vantage_quickbooks.catalog.reports import query_parameters
from vantage_quickbooks.catalog.resource import snake_case
from vantage_quickbooks.catalog.sync_action import SYNC_DEFAULT, SYNC_ENTITIES
from vantage_quickbooks.config.validation import validate_input
from vantage_quickbooks.connector.connection import Connection, identity_of
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.connector.registered import connect_registered
from vantage_quickbooks.errors import ConnectorError, FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from dlt.extract import DltResource, DltSource

    from vantage_quickbooks.adapters.company_load import ConvertedSet
    from vantage_quickbooks.adapters.company_package import Deletions, Rows, Tables
    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.config.deployment import Deployment
    from vantage_quickbooks.registry import ConnectionRegistry

    OneConnection = Mapping[str, Any] | str | Connection

__all__ = ["CompanyReport", "LoadReport", "quickbooks_source"]

_NAME = "quickbooks"


def quickbooks_source(
    connections: OneConnection | Iterable[OneConnection] | None = None,
    *,
    registry: ConnectionRegistry | None = None,
    entities: Sequence[str] | None = None,
    reports: Sequence[str] | Mapping[str, Mapping[str, Any]] = (),
    deletions: Deletions = "hard",
    lines: bool = False,
    max_api_calls: int | None = None,
    max_records: int | None = None,
    restart: bool = False,
    workers: int = 4,
    report: LoadReport | None = None,
    deployment: Deployment | None = None,
) -> DltSource:
    """Return a dlt source with a resource for each entity: `invoices`, `credit_memos`, and so on.

    Args:
        connections: Settings of a company, the id of a connection of the registry, a connection, or several of these.
            None: all connections of the registry.
        registry: Where the connections with ids are.
        entities: Intuit's names; None for all of which a full read of any size can be verified.
        reports: Reports to load with each first package, one metered call for each company: names, each a table
            `report_profit_and_loss`, or inputs of `getReport` by the name of their table.
        deletions: `hard` deletes rows of deleted records. `soft` keeps them, with the time in `_deleted_at`.
        lines: Whether lines are tables of their own, `invoice_lines`.
        max_api_calls: Limit of API calls for each company and load. The next load continues.
        max_records: How many records a load package has, about; then `report.has_more`, and the same source continues
            with the next package. None: all.
        restart: Read everything again, as if there were no state.
        workers: How many companies are read at once.
        report: What the loads did, and which companies failed, is added to it.
        deployment: The operator's options; by default those of the environment variables.

    Returns:
        The source. Run it with one pipeline and dataset, one run at a time.

    Raises:
        InputError: An argument is wrong. What concerns one company is in the report instead. If all companies fail and
            nothing is read, the pipeline's run raises the first error.
    """
    if deletions not in {"hard", "soft"}:
        raise _wrong("deletions", f"Unknown kind of deletions: {str(deletions)[:40]!r}.", "Use hard or soft.")
    resources = _resources(entities)
    report = LoadReport() if report is None else report
    loads = [CompanyLoad(row, found, with_lines=lines) for row, found in _connect(connections, registry, deployment)]
    report.companies += [load.report for load in loads]
    tables = {resource.entity: _tables(resource, with_lines=lines) for resource in resources}
    wanted = _reports(reports, [table.name for found in tables.values() for table in found])
    sync = _Sync(
        loads,
        tables,
        wanted,
        report,
        deletions=deletions,
        max_api_calls=max_api_calls,
        max_records=max_records,
        workers=workers,
        restart=restart,
    )

    @dlt.source(name=_NAME, section=_NAME)
    def quickbooks() -> Iterator[DltResource]:
        changes = dlt.resource(lambda: sync.extract(), name="changes", selected=False)  # noqa: PLW0108 -- dlt sets attributes
        yield changes
        for found in tables.values():
            for table in found:
                yield _table_resource(changes, table, deletions)
        for name in wanted:
            yield dlt.transformer(
                _rows_of(name),
                data_from=changes,
                name=name,
                write_disposition="merge",
                columns={REMOVED: {"hard_delete": True}},
                merge_key=REALM_ID,
            )
        yield dlt.transformer(
            _rows_of(COMPANIES),
            data_from=changes,
            name=COMPANIES,
            write_disposition="merge",
            primary_key=REALM_ID,
        )

    return quickbooks()


def _tables(resource: Resource, *, with_lines: bool) -> tuple[Table, ...]:
    """Return the tables of an entity."""
    batches = ChangeBatches(resource, realm_id="", company_name=None)
    key = "Id" if resource.primary_key == ("Id",) and not resource.template_key else KEY
    found = [Table(resource.table_name, key, _with_own_columns(batches.schema, key))]
    if with_lines and batches.line_schema is not None:
        key = f"{resource.entity}_Id"
        name = f"{snake_case(resource.entity)}_lines"
        found.append(Table(name, key, _with_own_columns(batches.line_schema, key), is_lines=True))
    return tuple(found)


def _with_own_columns(schema: pa.Schema, key: str) -> pa.Schema:
    fields = [field.with_nullable(field.name not in {REALM_ID, key}) for field in schema]
    if key == KEY:
        fields.append(pa.field(KEY, pa.string(), nullable=False))
    own = [(DELETED_AT, pa.timestamp("us", tz="UTC")), (REMOVED, pa.bool_()), (LOAD_ID, pa.string())]
    return pa.schema([*fields, *(pa.field(name, kind) for name, kind in own)])


def _table_resource(changes: DltResource, table: Table, deletions: Deletions) -> DltResource:
    key = [REALM_ID, table.key]
    # A key stands for all lines of a record: those in the destination are replaced by those in the package.
    hard = REMOVED if table.is_lines or deletions == "soft" else DELETED_AT
    found: DltResource = dlt.transformer(
        _rows_of(table.name),
        data_from=changes,
        name=table.name,
        write_disposition="merge",
        columns={DELETED_AT: {"hard_delete": hard == DELETED_AT}, REMOVED: {"hard_delete": hard == REMOVED}},
        primary_key=() if table.is_lines else key,
        merge_key=key if table.is_lines else (),
    )
    return found


def _rows_of(table: str) -> Callable[[Rows], Iterator[pa.Table]]:
    def rows(item: Rows) -> Iterator[pa.Table]:
        if item[0] == table:
            yield item[1]

    return rows


# ---- a load ----------------------------------------------------------------------------------------------------------


class _Sync:
    """What the source knows over its loads: the companies, each with a sync that may continue in the next load."""

    def __init__(
        self,
        loads: Sequence[CompanyLoad],
        tables: Tables,
        reports: Mapping[str, Mapping[str, Any]],
        report: LoadReport,
        *,
        deletions: Deletions,
        max_api_calls: int | None,
        max_records: int | None,
        workers: int,
        restart: bool,
    ) -> None:
        self._loads = loads
        self._tables = tables
        self._reports = reports
        self._report = report
        self._deletions = deletions
        self._max_api_calls = max_api_calls
        self._max_records = max_records
        self._workers = workers
        self._restart = restart

    def extract(self) -> Iterator[Rows]:
        """Yield rows, each with the name of their table; keep the state of each company as of these rows."""
        continues, self._report.has_more = self._report.has_more, False
        restart = self._restart and not continues
        package, states = self._package(), dlt.current.source_state().setdefault("companies", {})
        pipeline, schema = dlt.current.pipeline(), dlt.current.source_schema()
        _refuse_pending(pipeline, schema.name, package.load_id)
        parts = [
            CompanyPackage(
                package, load, states.setdefault(realm_id, {}), DestinationTables(pipeline, schema, realm_id)
            )
            for load in self._loads
            if (realm_id := load.report.realm_id) is not None
        ]
        active = [part for part in parts if part.begin(self._max_api_calls, restart=restart, continues=continues)]
        left = self._max_records
        is_empty = True
        for name, found_rows in self._report_rows([] if continues else parts, package.load_id):
            is_empty = False
            yield name, found_rows
        with contextlib.closing(_next_sets(active, self._workers)) as sets:
            for part, found in sets:
                is_empty = False
                yield from part.rows_of(found)
                if left is not None:
                    left -= len(found.keys)
                    if left <= 0:
                        break
        self._report.has_more = any(not part.load.is_finished for part in active)
        failures = [load.failure for load in self._loads if load.failure is not None]
        if is_empty and failures and len(failures) == len(self._loads):
            raise failures[0].without_traceback()
        rows = [part.company_row() for part in parts]
        yield COMPANIES, pa.Table.from_pylist(rows, COMPANIES_SCHEMA)

    def _report_rows(self, parts: Sequence[CompanyPackage], load_id: str) -> Iterator[Rows]:
        """Yield the rows of each report that is selected, company by company."""
        selected = dlt.current.source().selected_resources
        for name, data in self._reports.items():
            for part in parts if name in selected else ():
                batch = part.load.read_report(data)
                if batch is not None:
                    yield name, _replacing(batch, str(part.load.report.realm_id), load_id)
                    part.load.report.count(name, rows=batch.num_rows)

    def _package(self) -> Package:
        """Return the package that is being extracted, with the tables that are selected."""
        load_id = dlt.current.load_package_state()["load_id"]
        selected = frozenset(dlt.current.source().selected_resources)
        tables = {
            entity: chosen
            for entity, found in self._tables.items()
            if (chosen := tuple(table for table in found if table.name in selected))
        }
        names = [table.name for entity in tables for table in self._tables[entity]]
        return Package(
            load_id=load_id,
            tables=tables,
            not_loaded=frozenset(names) - selected,
            ids={
                name: dlt.current.resource_state(name).setdefault("id", load_id) for name in names if name in selected
            },
            deletions=self._deletions,
        )


def _next_sets(parts: Sequence[CompanyPackage], workers: int) -> Generator[tuple[CompanyPackage, ConvertedSet]]:
    """Yield the sets of companies, several of which are read at once; what is read when it is closed is kept."""
    waiting, running = deque(parts), dict[Future["ConvertedSet | None"], CompanyPackage]()
    with ThreadPoolExecutor(workers, thread_name_prefix="quickbooks") as pool:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    part = waiting.popleft()
                    running[pool.submit(contextvars.copy_context().run, part.load.next)] = part
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    part = running.pop(future)
                    found = future.result()
                    if found is not None:
                        waiting.appendleft(part)
                        yield part, found
                        del found  # one page in memory at a time
        finally:
            for future, part in running.items():
                part.load.hold(future.result())


def _replacing(batch: pa.RecordBatch, realm_id: str, load_id: str) -> pa.Table:
    """Return rows that replace those of a company, with a row that is removed, so that there is always one."""
    table = pa.Table.from_batches([batch.replace_schema_metadata(None)])
    mark = pa.Table.from_pylist([{REALM_ID: realm_id}], table.schema)
    table = pa.concat_tables([table, mark])
    removed = pa.array([None] * batch.num_rows + [True], pa.bool_())
    table = table.append_column(REMOVED, removed)
    return table.append_column(LOAD_ID, pa.array([load_id] * len(table), pa.string()))


# ---- arguments -------------------------------------------------------------------------------------------------------


def _resources(entities: Sequence[str] | None) -> list[Resource]:
    if entities is None:
        return list(SYNC_DEFAULT)
    names = [entities] if isinstance(entities, str) else list(entities)
    unknown = [name for name in names if name not in SYNC_ENTITIES]
    if unknown or not names:
        shown = str(unknown[0])[:40] if unknown else ""
        near = difflib.get_close_matches(shown, SYNC_ENTITIES, n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else f"Use some of: {', '.join(SYNC_ENTITIES)}."
        raise _wrong("entities", f"There is no entity {shown!r}." if unknown else "No entity is named.", hint)
    return [SYNC_ENTITIES[name] for name in dict.fromkeys(names)]


def _reports(
    reports: Sequence[str] | Mapping[str, Mapping[str, Any]], tables: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """Return the input of each report by the name of its table.

    Raises:
        InputError: There is no such report, it does not have a parameter, or the name is the one of another table.
    """
    if isinstance(reports, Mapping):
        found = dict(reports)
    else:
        names = [reports] if isinstance(reports, str) else list(reports)
        found = {f"report_{snake_case(name)}": {"report": name} for name in names}
    for name, data in found.items():
        if name in tables or name == COMPANIES or not re.fullmatch("[a-z][a-z0-9_]*", name):
            hint = "Use another name in lower case, such as report_profit_and_loss."
            raise _wrong("reports", f"{name[:40]!r} cannot be the name of a report's table.", hint)
        query_parameters(validate_input("getReport", data))
    return found


def _connect(
    connections: OneConnection | Iterable[OneConnection] | None,
    registry: ConnectionRegistry | None,
    deployment: Deployment | None,
) -> Iterator[tuple[CompanyReport, Connection | ConnectorError]]:
    """Yield a row of the report for each connection, and the connection or why there is none."""
    if connections is None:
        if registry is None:
            raise _wrong(
                "connections", "There are no connections.", "Give settings, ids with a registry, or a registry."
            )
        connections = [entry.id for entry in registry.list()]
    if isinstance(connections, (str, Mapping, Connection)):
        connections = [connections]
    realms: dict[str, str] = {}
    for number, one in enumerate(connections, 1):
        made = _connection(one, registry, deployment)
        name, realm_id = one if isinstance(one, str) else f"#{number}", None
        if isinstance(made, Connection):
            connection_id, realm_id, _ = identity_of(made)
            name = connection_id or realm_id
        report = CompanyReport(name, realm_id)
        if realm_id is not None and realm_id in realms:
            made = _wrong(
                "connections",
                f"{realms[realm_id]} and {report.connection} are connections of the same company, {realm_id}.",
                "Leave one of them out.",
            )
            report.realm_id = None
        elif realm_id is not None:
            realms[realm_id] = report.connection
        yield report, made


def _connection(
    one: OneConnection, registry: ConnectionRegistry | None, deployment: Deployment | None
) -> Connection | ConnectorError:
    try:
        if isinstance(one, Connection):
            return one
        if isinstance(one, str):
            if registry is None:
                raise _wrong("connections", "An id needs a registry.", "Add registry=open_registry().")
            return connect_registered(registry, one, deployment=deployment)
        return QUICKBOOKS.connect(one, deployment=deployment)
    except ConnectorError as error:
        return error.without_traceback()


def _refuse_pending(pipeline: dlt.Pipeline, schema_name: str, load_id: str) -> None:
    """Refuse to extract while the destination lacks what was extracted before: deletions could not be found.

    Raises:
        InputError: There is such a package.
    """
    for pending in {*pipeline.list_extracted_load_packages(), *pipeline.list_normalized_load_packages()} - {load_id}:
        if pipeline.get_load_package_info(pending).schema_name == schema_name:
            raise _wrong(
                "pipeline",
                "A load package of this source was extracted and not loaded yet.",
                "Normalize and load it first, or use pipeline.run.",
            )


def _wrong(field: str, message: str, hint: str) -> InputError:
    return InputError(f"{field}: {message} {hint}", [FieldError(field, "value", message, hint)])
