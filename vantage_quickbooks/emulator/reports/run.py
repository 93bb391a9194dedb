"""Answers a request for a report."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.books.ledger import Ledger
from vantage_quickbooks.emulator.reports import parameters
from vantage_quickbooks.emulator.reports.catalog import FRENCH, REPORTS, Report
from vantage_quickbooks.emulator.reports.figures import Figures
from vantage_quickbooks.emulator.reports.layout import Body, Engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.emulator.company.company import Company

_WELL_FORMED_LISTS = 3  # the minor version since which children stand inside their parents (Intuit, GeneralLedger page)


def run(company: Company, name: str, given: Mapping[str, str], now: float, *, modern: bool, typed: bool) -> Any:
    """Return a report.

    Args:
        company: The company.
        name: The report's name.
        given: The request's parameters.
        now: Epoch seconds.
        modern: Whether the report engine of 31 August 2026 answers. `testing_migration` chooses it before that day.
        typed: Whether minor versions are ignored, and lists have the columns of the latest one.

    Raises:
        Fault: 500, 5020, 2020, 2030, 2060 or 2170.
    """
    report = REPORTS.get(name)
    if report is None:
        if name in FRENCH:
            raise errors.not_permitted(f"{name} is not available for this company")
        raise errors.no_such_path(f"/v3/company/{company.realm}/reports/{name}")
    info = company.find("CompanyInfo", "1") or {}
    preferences = company.find("Preferences", "1") or {}
    report_preferences = preferences.get("ReportPrefs")
    cash = isinstance(report_preferences, dict) and report_preferences.get("ReportBasis") == "Cash"
    month = parameters.fiscal_month_of(info.get("FiscalYearStartMonth"))
    chosen = parameters.read(report, given, company.today(now), month, cash=cash)
    modern = modern or "testing_migration" in given
    engine = Engine(modern, legacy_lists=not modern and not typed and chosen.minor_version < _WELL_FORMED_LISTS)
    ledger = Ledger(company)
    ledger.update()
    with company.store.reading() as db:
        db.execute("BEGIN")  # all sums see the same state
        try:
            body = report.compute(Figures(company, ledger, db, chosen, engine))
        finally:
            db.execute("COMMIT")
    return {
        "Header": _header(report, chosen, body, ledger.chart.home, datetime.fromtimestamp(int(now), company.zone)),
        "Columns": {"Column": body.columns},
        "Rows": {"Row": body.rows} if body.rows else {},
    }


def _header(
    report: Report, chosen: parameters.Parameters, body: Body, currency: str, moment: datetime
) -> dict[str, Any]:
    """Return a report's header, its members in the recorded order (2018 and 2020)."""
    header: dict[str, Any] = {"Time": moment.isoformat(), "ReportName": report.name}
    if report.period and chosen.macro:
        header["DateMacro"] = chosen.macro
    if report.basis:
        header["ReportBasis"] = "Cash" if chosen.cash else "Accrual"
    if report.period and chosen.start and chosen.end:
        header["StartPeriod"] = chosen.start.isoformat()
        header["EndPeriod"] = chosen.end.isoformat()
    if report.summarized:
        header["SummarizeColumnsBy"] = chosen.summarize
    header["Currency"] = currency
    header |= chosen.header
    options = list(body.options)
    if report.as_of:
        options.append(("report_date", (chosen.end or chosen.today).isoformat()))
    options.append(("NoReportData", "false" if body.has_data else "true"))
    header["Option"] = [{"Name": name, "Value": value} for name, value in options]
    return header
