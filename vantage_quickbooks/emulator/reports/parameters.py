"""A report's parameters, read and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.reports import periods

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.emulator.reports.catalog import Report

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_SUMMARIES = (
    "Total", "Month", "Week", "Days", "Quarter", "Year", "Customers", "Vendors", "Classes", "Departments", "Employees",
    "ProductsAndServices",
)  # fmt: skip
# Parameter: the values it takes.
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "accounting_method": ("Cash", "Accrual"),
    "summarize_column_by": _SUMMARIES,
    "sort_order": ("ascend", "descend"),
    "aging_method": ("Report_Date", "Current"),
    "arpaid": ("All", "Paid", "Unpaid"),
    "appaid": ("All", "Paid", "Unpaid"),
    "qzurl": ("true", "false"),
    "adjusted_gain_loss": ("true", "false"),
    "date_macro": periods.MACROS,
}
FILTERS: Mapping[str, str] = {
    "customer": "customer",
    "vendor": "vendor",
    "class": "klass",
    "department": "department",
    "item": "item",
    "employee": "employee",
    "account": "account",
}
"""Parameters that take Ids, and the ledger's columns."""
_HEADER_FILTERS = {
    "customer": "Customer",
    "vendor": "Vendor",
    "employee": "Employee",
    "item": "Item",
    "class": "Class",
    "department": "Department",
}
_DATES = ("start_date", "end_date", "report_date", "start_duedate", "end_duedate", "start_moddate", "end_moddate")
_YEARS = (1900, 2200)  # that a date can have; ours
_LARGEST = {"num_periods": 40, "aging_period": 3650}


@dataclass(slots=True)
class Parameters:
    """What a request asks for.

    Attributes:
        start: First day; None is from the beginning.
        end: Last day; None is without an end.
        macro: The date macro as the header shows it, or "".
        cash: Whether the accounting method is cash.
        summarize: By what columns are divided.
        filters: Ids by the ledger's column.
        header: The header's members that name the filters.
        descend: Whether the sort order is descending; None is the report's own order.
        sort_by: Column, or "".
        columns: The keys of the columns asked for, or none.
        periods: Number of aging periods.
        period_days: Length of an aging period.
        aging_from_today: Whether ages count to today instead of the report date.
        paid: `All`, `Paid` or `Unpaid`, or "".
        group_by: Lower case, or "".
        due_from: First due date, or "".
        due_to: Last due date, or "".
        past_due: Smallest number of days past due, or None.
        agency: Tax agency, or "".
        today: The company's date.
        fiscal_month: First month of the fiscal year.
        minor_version: The request's, 0 without one.
    """

    start: date | None
    end: date | None
    macro: str
    cash: bool
    summarize: str
    today: date
    fiscal_month: int
    filters: dict[str, tuple[str, ...]] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=dict)
    descend: bool | None = None
    sort_by: str = ""
    columns: tuple[str, ...] = ()
    periods: int = 4
    period_days: int = 30
    aging_from_today: bool = False
    paid: str = ""
    group_by: str = ""
    due_from: str = ""
    due_to: str = ""
    past_due: int | None = None
    agency: str = ""
    minor_version: int = 0

    @property
    def first(self) -> str:
        """The first day as text; before all dates if there is none."""
        return self.start.isoformat() if self.start else ""

    @property
    def last(self) -> str:
        """The last day as text; after all dates if there is none."""
        return self.end.isoformat() if self.end else "9999-12-31"


def read(report: Report, given: Mapping[str, str], today: date, fiscal_month: int, *, cash: bool) -> Parameters:
    """Read the parameters of a request; unknown ones are ignored.

    Args:
        report: The report.
        given: The request's parameters.
        today: The company's date.
        fiscal_month: First month of the fiscal year.
        cash: Whether the company's reports are on the cash basis unless asked otherwise.

    Raises:
        Fault: 2030, 2060 or 2170 for a value that is not allowed.
    """
    given = {name: value.strip() for name, value in given.items() if value.strip()}
    chosen = {name: _choice(name, given[name]) for name in _CHOICES if name in given}
    dates = {name: _date(name, given[name]) for name in _DATES if name in given}
    start, end, macro = _period(report, dates, chosen.get("date_macro"), today, fiscal_month)
    summarize = chosen.get("summarize_column_by", "Total")
    result = Parameters(
        start=start,
        end=end,
        macro=macro,
        cash=chosen["accounting_method"] == "Cash" if "accounting_method" in chosen else cash,
        summarize=summarize,
        today=today,
        fiscal_month=fiscal_month,
    )
    for name, column in FILTERS.items():
        if name in given:
            result.filters[column] = _ids(given[name])
            if name in _HEADER_FILTERS:
                result.header[_HEADER_FILTERS[name]] = given[name]
    if "sort_order" in chosen:
        result.descend = chosen["sort_order"] == "descend"
    result.sort_by = given.get("sort_by", "")
    result.columns = tuple(key.strip() for key in given.get("columns", "").split(",") if key.strip())
    result.periods = _count("num_periods", given, result.periods)
    result.period_days = _count("aging_period", given, result.period_days)
    result.aging_from_today = chosen.get("aging_method") == "Current"
    result.paid = chosen.get("arpaid", "") or chosen.get("appaid", "")
    result.group_by = given.get("group_by", "").lower()
    result.due_from = dates["start_duedate"].isoformat() if "start_duedate" in dates else ""
    result.due_to = dates["end_duedate"].isoformat() if "end_duedate" in dates else ""
    result.past_due = _count("past_due", given, 0) if "past_due" in given else None
    result.agency = given.get("agency_id", "")
    version = given.get("minorversion", "")
    result.minor_version = int(version[:5]) if version.isascii() and version.isdigit() else 0
    return result


def _period(
    report: Report, dates: Mapping[str, date], macro: str | None, today: date, fiscal_month: int
) -> tuple[date | None, date | None, str]:
    """Return the first and last day of a report, and its macro if it has one."""
    if report.as_of and "report_date" in dates:
        return dates["report_date"], dates["report_date"], ""
    if macro is None and ("start_date" in dates or "end_date" in dates):
        end = dates.get("end_date", today)
        start = dates.get("start_date", periods.fiscal_year_start(end, fiscal_month))
        if start > end:
            raise errors.invalid_date(f"start_date {start} is after end_date {end}")
        return start, end, ""
    chosen = macro or report.macro
    found = periods.macro_dates(chosen, today, fiscal_month)
    shown = chosen.replace("fiscal", "calendar") if fiscal_month == 1 else chosen
    return (*found, shown) if found else (None, None, shown)


def _choice(name: str, value: str) -> str:
    """Return a value in its own spelling; any case is accepted."""
    spelled = {choice.lower(): choice for choice in _CHOICES[name]}
    found = spelled.get(value.lower().replace("+", " "))
    if found is None:
        raise errors.invalid_enumeration(name, value)
    return found


def _date(name: str, value: str) -> date:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = None
    if day is None or value != day.isoformat() or not _YEARS[0] <= day.year <= _YEARS[1]:  # Python reads other forms
        raise errors.invalid_date(f"{name}: {value}")
    return day


def _ids(value: str) -> tuple[str, ...]:
    ids = tuple(part.strip() for part in value.split(","))
    for id_ in ids:
        if not (id_.isascii() and id_.isdigit()):
            raise errors.invalid_id(id_)
    return ids


def _count(name: str, given: Mapping[str, str], default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not int(text[:9]) or int(text[:9]) > _LARGEST.get(name, 3650):
        raise errors.invalid_enumeration(name, text)
    return int(text[:9])


def fiscal_month_of(name: object) -> int:
    """Return the number of CompanyInfo.FiscalYearStartMonth; 1 if it is not a month."""
    text = str(name).lower()
    return _MONTHS.index(text) + 1 if text in _MONTHS else 1
