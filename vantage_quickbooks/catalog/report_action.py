"""The action that runs a report: parameters checked against its row of the table, rows with typed columns."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.descriptions import GET_REPORT
from vantage_quickbooks.catalog.reports import REPORTS, query_parameters
from vantage_quickbooks.core.report_rows import parse_report
from vantage_quickbooks.errors import ConnectorError, InputError
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.core.report_rows import Report, ReportColumn
    from vantage_quickbooks.core.responses import Answer

__all__ = ["ReportAction"]


class ReportAction:
    """Implements `handler.TabularHandler`."""

    action = GET_REPORT

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> dict[str, Any]:
        """Return a report.

        Args:
            client: Sends the request.
            data: `report`, Intuit's name of it, and its parameters.
            call: The call.
            row_limit: The host's cap on rows.

        Returns:
            `rows`, `count`, `columns`, the `report` as Intuit sent it, and `metadata`.

        Raises:
            InputError: The report does not have a parameter, or lacks one that it needs.
            IncompleteReadError: The report has more cells than QuickBooks returns.
            ConnectorError: See `QuickBooksClient.request`.
        """
        answer, report = _read(client, data, call)
        rows = report.records()[:row_limit]
        for row in rows:
            for name, value in row.items():
                if isinstance(value, Decimal):
                    row[name] = float(value)  # its shortest decimal is the text that QuickBooks sent
        return {
            "rows": rows,
            "count": len(rows),
            "columns": [_describe(column) for column in report.columns],
            "report": answer.body,
            "metadata": _metadata(client, data, call, report, row_limit),
        }

    def read_arrow(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> pa.RecordBatch:
        """Return a report's rows as an Arrow record batch. See `handler.TabularHandler.read_arrow`."""
        try:
            from vantage_quickbooks.catalog.report_arrow import report_batch  # noqa: PLC0415 -- pyarrow is an extra
        except ModuleNotFoundError as error:
            raise InputError(f"Arrow needs {error.name}: run `pip install 'vantage-quickbooks[arrow]'`.") from None
        company_name = client.company_name(call)
        _, report = _read(client, data, call)
        described = _metadata(client, data, call, report, row_limit)
        return report_batch(report, client.settings.realm_id, company_name, described, row_limit)


def _read(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> tuple[Answer, Report]:
    parameters = query_parameters(data)
    try:
        answer = client.report(data["report"], parameters, call)
    except ConnectorError as error:
        if error.is_timeout:
            error.message += " This report took QuickBooks too long: choose a shorter period, or a filter."
        raise
    return answer, parse_report(answer.body, answer.intuit_tid)


def _metadata(
    client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, report: Report, row_limit: int | None
) -> dict[str, Any]:
    header = report.header
    return metadata(
        client,
        call,
        report=data["report"],
        title=REPORTS[data["report"]].title,
        reportTime=_text(header, "Time"),
        startPeriod=_text(header, "StartPeriod"),
        endPeriod=_text(header, "EndPeriod") or report.options.get("report_date"),
        basis=_text(header, "ReportBasis"),
        currency=_text(header, "Currency"),
        summarizedBy=_text(header, "SummarizeColumnsBy"),
        hasData=report.has_data,
        mayHaveMore=row_limit is not None and len(report.rows) > row_limit,
        unreadableValues=report.unreadable,
        valuesWithoutColumn=report.without_column,
    )


def _text(header: Mapping[str, Any], name: str) -> str | None:
    value = header.get(name)
    return value if isinstance(value, str) and value else None


def _describe(column: ReportColumn) -> dict[str, Any]:
    formats = {"decimal": "money" if column.col_type == "Money" else "number"}
    return {
        "field": column.name,
        "label": column.title,
        "format": formats.get(column.type, column.type),
        "type": column.type,
        "idField": column.id_name if column.has_ids else None,
        "colType": column.col_type,
        "colKey": column.col_key,
        "startDate": column.start_date,
        "endDate": column.end_date,
    }
