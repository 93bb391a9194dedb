"""The rows of a report as an Arrow record batch (extra `[arrow]`). Amounts are the decimals that QuickBooks wrote."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from vantage_quickbooks.catalog.columns import Member
from vantage_quickbooks.core.report_rows import ROW_MEMBERS
from vantage_quickbooks.sync.arrow import METADATA_KEY
from vantage_quickbooks.sync.arrow_columns import Conversion, Node, dict_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.core.report_rows import Report, ReportColumn

__all__ = ["report_batch", "report_members"]

_MONEY = (19, 4)
_FINE = (28, 10)


def report_members(columns: tuple[ReportColumn, ...]) -> list[Member]:
    """Return the columns of a table of a report's rows: those that each row has, and those of the report."""
    members = [Member(name, name, kind) for name, (kind, _) in ROW_MEMBERS.items()]
    for column in columns:
        digits = _MONEY if column.col_type == "Money" else _FINE
        members.append(Member(column.name, column.name, column.type, digits=digits))
        if column.has_ids:
            members.append(Member(column.id_name, column.id_name, "id"))
    return members


def report_batch(
    report: Report,
    realm_id: str,
    company_name: str | None,
    metadata: Mapping[str, Any],
    row_limit: int | None = None,
) -> pa.RecordBatch:
    """Return the rows of a report, after columns for the company.

    Args:
        report: The report.
        realm_id: The company.
        company_name: Its name.
        metadata: The metadata of the result; it becomes the metadata of the schema.
        row_limit: Maximum number of rows.
    """
    nodes = [Node(member) for member in report_members(report.columns)]
    records = report.records()[:row_limit]
    conversion = Conversion(is_exact=True)
    arrays = [pa.repeat(pa.scalar(value, pa.string()), len(records)) for value in (realm_id, company_name)]
    arrays += conversion.columns(dict_columns(records) if records else {}, len(records), nodes)
    unreadable = Counter(metadata["unreadableValues"]) + conversion.counters["unreadableValues"]
    counted = {"unreadableValues": dict(sorted(unreadable.items()))}
    fields = [field for node in nodes for field in node.fields]
    schema = pa.schema([("realm_id", pa.string()), ("company_name", pa.string()), *fields])
    described = schema.with_metadata({METADATA_KEY: json.dumps({**metadata, **counted})})
    return pa.RecordBatch.from_arrays(arrays, schema=described)
