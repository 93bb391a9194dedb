"""One company on its way into tables: its sync, set by set, converted to record batches; and the report of the load."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.change_batches import ChangeBatches
from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES
from vantage_quickbooks.connector.connection import identity_of
from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.sync.arrow import counters_of, metadata_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.contract import ChangeSet

__all__ = ["CompanyLoad", "CompanyReport", "ConvertedSet", "LoadReport"]


_NUL = b"\\u0000"  # in JSON


@dataclass(slots=True)
class CompanyReport:
    """What a load did for one company.

    Attributes:
        connection: The connection's id in the registry; the realm id if it has none.
        realm_id: The company; None if its settings cannot be read.
        company: Its name; None if it is not known.
        tables: For each table that changed, its `rows` (created or changed) and `deleted`.
        errors: Entities and reports that could not be read, each as the error of an envelope with its `entity` or
            `report`.
        error: Why the company failed, as in an envelope; None if it did not. What was read before it is loaded.
        pending: Entities left to the next load.
        unreadable_values: Values that their columns cannot represent, by entity and path.
        api_calls: Requests, failed ones included.
        metered_calls: Those of them that Intuit meters in production.
    """

    connection: str
    realm_id: str | None = None
    company: str | None = None
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    pending: list[str] = field(default_factory=list)
    unreadable_values: dict[str, int] = field(default_factory=dict)
    api_calls: int = 0
    metered_calls: int = 0

    @property
    def failed(self) -> bool:
        """Whether the company or an entity of it could not be read."""
        return self.error is not None or bool(self.errors)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON."""
        return {
            "connection": self.connection,
            "realmId": self.realm_id,
            "company": self.company,
            "tables": self.tables,
            "errors": self.errors,
            "error": self.error,
            "pending": self.pending,
            "unreadableValues": self.unreadable_values,
            "apiCalls": self.api_calls,
            "meteredCalls": self.metered_calls,
        }

    def count(self, table: str, *, rows: int = 0, deleted: int = 0) -> None:
        """Add to the counts of a table."""
        if rows or deleted:
            counts = self.tables.setdefault(table, {"rows": 0, "deleted": 0})
            counts["rows"] += rows
            counts["deleted"] += deleted


@dataclass(slots=True)
class LoadReport:
    """What loads with a source did so far.

    Attributes:
        companies: A row for each company.
        has_more: Whether the last load reached `max_records`: run the pipeline with the same source again.
    """

    companies: list[CompanyReport] = field(default_factory=list)
    has_more: bool = False

    @property
    def failed(self) -> list[CompanyReport]:
        """The companies that failed, altogether or in part."""
        return [company for company in self.companies if company.failed]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return {"companies": [company.to_dict() for company in self.companies], "hasMore": self.has_more}


@dataclass(slots=True)
class ConvertedSet:
    """A change set as record batches.

    Attributes:
        changes: The set, without its upserts.
        keys: The keys of the upserts: each once, and none that the set deletes.
        records: The upserts; None if there are none.
        lines: Their lines; None if the entity has none, or they are not wanted.
        has_nul: Whether some text may contain the character NUL.
    """

    changes: ChangeSet
    keys: list[str]
    records: pa.RecordBatch | None
    lines: pa.RecordBatch | None
    has_nul: bool = False


class CompanyLoad:
    """The sync of one company.

    Args:
        report: Its row of the report.
        connection: The connection; an error if it could not be made.
        with_lines: Whether lines are converted.
    """

    def __init__(self, report: CompanyReport, connection: Connection | ConnectorError, *, with_lines: bool) -> None:
        self.report = report
        self.failure: ConnectorError | None = None
        self.last_state: dict[str, Any] | None = None
        self._held: deque[ConvertedSet] = deque()
        self._calls_before = (0, 0)
        self._arguments: dict[str, Any] = {}
        self.is_finished = False
        self._with_lines = with_lines
        self._batches: dict[str, ChangeBatches] = {}
        self._sets: Iterator[ChangeSet] | None = None
        self._connection: Connection | None = None
        if isinstance(connection, ConnectorError):
            self._fail(connection)
        else:
            self._connection = connection

    @property
    def environment(self) -> str | None:
        """`production`, `sandbox` or `emulator`."""
        return None if self._connection is None else identity_of(self._connection).environment

    def start(
        self,
        entities: Sequence[str],
        state: Mapping[str, Any] | None,
        restart: Sequence[str],
        max_api_calls: int | None,
    ) -> bool:
        """Begin a sync; nothing is sent before `next`.

        Returns:
            False if the company could not be connected.
        """
        if self._connection is None:
            return False
        self.last_state = None if state is None else dict(state)
        self.failure = self.report.error = None
        self.report.errors.clear()
        self._held.clear()
        self.is_finished = False
        self._sets = None
        self._calls_before = self.report.api_calls, self.report.metered_calls
        self._arguments = {
            "entities": entities,
            "state": state,
            "restart": restart,
            "max_api_calls": max_api_calls,
        }
        return True

    def read_report(self, data: Mapping[str, Any]) -> pa.RecordBatch | None:
        """Return the rows of a report; None if it cannot be read, which is in the report of the load.

        Args:
            data: Input of the action `getReport`.
        """
        if self._connection is None:
            return None
        try:
            (batch,) = self._connection.stream("getReport", data, as_="arrow")
        except ConnectorError as error:
            self.report.errors.append({"report": data.get("report"), **error.to_dict()})
            counted = error.details
            batch = None
        else:
            counted = metadata_of(batch)
        self.report.api_calls += counted.get("apiCalls", 0)
        self.report.metered_calls += counted.get("meteredCalls", 0)
        self._calls_before = self.report.api_calls, self.report.metered_calls
        return batch

    def hold(self, found: ConvertedSet | None) -> None:
        """Keep a set that was read, and not used: `next` returns it first."""
        if found is not None:
            self._held.append(found)

    def next(self) -> ConvertedSet | None:
        """Return the next change set; None at the end, and after a failure, which is in the report."""
        if self._held:
            return self._held.popleft()
        try:
            found = self._next()
        except ConnectorError as error:
            self._fail(error)
            return None
        if found is None:
            self.close()
        return found

    def close(self) -> None:
        """End the sync."""
        self.is_finished = True
        self._sets = None
        if self._connection is not None:
            self._connection.close()

    def _fail(self, error: ConnectorError) -> None:
        self.failure = error
        self.report.error = error.to_dict()
        if "apiCalls" in error.details:
            self._count(error.details["apiCalls"], error.details.get("meteredCalls", 0))
        self.close()

    def _next(self) -> ConvertedSet | None:
        if self._connection is None:
            return None
        if self._sets is None:
            if self.report.company is None:
                self.report.company = self._read_name(self._connection)
            self._sets = self._connection.sync(**self._arguments)
        found = next(self._sets, None)
        if found is None:
            return None
        self._count(found.metadata["apiCalls"], found.metadata["meteredCalls"])
        return self._convert(found)

    def _count(self, api_calls: int, metered_calls: int) -> None:
        """Take over the calls of the sync, which are those since it began."""
        self.report.api_calls = self._calls_before[0] + api_calls
        self.report.metered_calls = self._calls_before[1] + metered_calls

    def _read_name(self, connection: Connection) -> str | None:
        answer = connection.invoke("getCompanyInfo")
        self._count(answer["metadata"]["apiCalls"], answer["metadata"]["meteredCalls"])
        self._calls_before = self.report.api_calls, self.report.metered_calls
        name = answer["companyInfo"].get("CompanyName")
        return name if isinstance(name, str) else None

    def _convert(self, found: ChangeSet) -> ConvertedSet:
        records = {found.key_of(record): record for record in found.upserts}
        for deletion in found.deletions:
            records.pop(deletion["Id"], None)
        found.upserts.clear()  # one page in memory, and not both as records and as columns
        if not records:
            return ConvertedSet(found, [], None, None)
        batches = self._batches.get(found.entity)
        if batches is None:
            batches = self._batches[found.entity] = ChangeBatches(
                SYNC_ENTITIES[found.entity], realm_id=str(self.report.realm_id), company_name=self.report.company
            )
        keys, rows = list(records), batches.rows(list(records.values()))
        batch = batches.records(rows)
        lines = batches.lines(rows, keys) if self._with_lines and batches.line_schema is not None else None
        for one in filter(None, (batch, lines)):
            for path, count in counters_of(metadata_of(one))["unreadableValues"].items():
                place = f"{found.entity}.{path}"
                self.report.unreadable_values[place] = self.report.unreadable_values.get(place, 0) + count
        return ConvertedSet(found, keys, batch, lines, has_nul=any(_NUL in text for _, text in rows))
