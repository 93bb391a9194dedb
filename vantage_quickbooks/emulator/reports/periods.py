"""Date macros, and the columns into which a period is divided."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import NamedTuple

_FIRST = date(1970, 1, 1)
ALL_DATES = (date(1, 1, 1), date(9999, 12, 31))


class Column(NamedTuple):
    """A part of a period.

    Attributes:
        title: As shown.
        start: First day.
        end: Last day.
    """

    title: str
    start: date
    end: date


def _month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _add_months(day: date, months: int) -> date:
    """Return the first day of the month that is some months away."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def _unit(name: str, day: date, fiscal_month: int) -> tuple[date, date]:
    """Return the first and the last day of the week, month, quarter or year around a day."""
    if name == "week":  # begins on Sunday
        start = day - timedelta(days=(day.weekday() + 1) % 7)
        return start, start + timedelta(days=6)
    if name == "month":
        return day.replace(day=1), _month_end(day)
    passed = (day.month - fiscal_month) % 12
    months = 3 if name == "quarter" else 12
    start = _add_months(day, -(passed % months))
    return start, _month_end(_add_months(start, months - 1))


_UNITS = {
    "week": "week",
    "month": "month",
    "fiscal quarter": "quarter",
    "calendar quarter": "quarter",
    "fiscal year": "year",
    "calendar year": "year",
}
_DAYS = {"today": 0, "yesterday": -1}

MACROS: tuple[str, ...] = (
    *_DAYS,
    "all",
    "next 4 weeks",
    *(
        f"{which} {unit}{suffix}"
        for unit in _UNITS
        for which, suffixes in (("this", ("", "-to-date")), ("last", ("", "-to-date")), ("next", ("",)))
        for suffix in suffixes
    ),
)
"""Date macros, in lower case.

Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/profitandloss; `calendar` is how
answers spell the fiscal year of January (recorded, 2018).
"""


def macro_dates(macro: str, today: date, fiscal_month: int = 1) -> tuple[date, date] | None:
    """Return the first and last day of a date macro.

    Args:
        macro: In lower case, one of `MACROS`.
        today: The company's date.
        fiscal_month: The first month of the fiscal year.

    Returns:
        The days; None for `all`.
    """
    if macro == "all":
        return None
    if macro in _DAYS:
        day = today + timedelta(days=_DAYS[macro])
        return day, day
    if macro == "next 4 weeks":
        start = _unit("week", today, fiscal_month)[1] + timedelta(days=1)
        return start, start + timedelta(days=27)
    which, _, rest = macro.partition(" ")
    to_date = rest.endswith("-to-date")
    name = rest.removesuffix("-to-date")
    unit = _UNITS[name]
    month = 1 if name.startswith("calendar") else fiscal_month
    start, end = _unit(unit, today, month)
    if which == "this":
        return start, today if to_date else end
    if which == "next":
        return _unit(unit, end + timedelta(days=1), month)
    before = _unit(unit, start - timedelta(days=1), month)
    if not to_date:
        return before
    # As far into the earlier period as today is into this one.
    if unit == "week":
        return before[0], before[0] + (today - start)
    first = _add_months(today, -{"month": 1, "quarter": 3, "year": 12}[unit])
    return before[0], first.replace(day=min(today.day, _month_end(first).day))


def fiscal_year_start(day: date, fiscal_month: int) -> date:
    """Return the first day of the fiscal year around a day."""
    return _unit("year", day, fiscal_month)[0]


def split(start: date, end: date, by: str, fiscal_month: int, most: int) -> list[Column]:
    """Divide a period into columns.

    Args:
        start: Its first day.
        end: Its last day.
        by: `Days`, `Week`, `Month`, `Quarter` or `Year`.
        fiscal_month: The first month of the fiscal year.
        most: The maximum of columns.

    Returns:
        The columns; the first and the last may be shorter.
    """
    columns: list[Column] = []
    day = start
    while day <= end and len(columns) < most:
        if by == "Days":
            last = day
        else:
            last = min(
                _unit({"Week": "week", "Month": "month", "Quarter": "quarter"}.get(by, "year"), day, fiscal_month)[1],
                end,
            )
        columns.append(Column(_title(day, last, by), day, last))
        if last >= date.max - timedelta(days=1):
            break
        day = last + timedelta(days=1)
    return columns


def _title(start: date, end: date, by: str) -> str:
    """Return a column's title: `Jan 2016`, `Jan 1 - 15, 2016`, `Jan - Mar, 2016`, `Jan 3 - 9, 2016`."""
    if by == "Days":
        return f"{start:%b} {start.day}, {start.year:04}"
    whole = start.day == 1 and end == _month_end(end)
    if whole and (start.year, start.month) == (end.year, end.month):
        return f"{start:%b} {start.year:04}"
    if whole and start.year == end.year:
        return f"{start:%b} - {end:%b}, {end.year:04}" if by == "Quarter" else f"{start:%b} - {end:%b} {end.year:04}"
    if (start.year, start.month) == (end.year, end.month):
        return f"{start:%b} {start.day} - {end.day}, {end.year:04}"
    if start.year == end.year:
        return f"{start:%b} {start.day} - {end:%b} {end.day}, {end.year:04}"
    return f"{start:%b} {start.day}, {start.year:04} - {end:%b} {end.day}, {end.year:04}"
