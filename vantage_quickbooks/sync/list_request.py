"""What one list call asks for, parsed once from its input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from vantage_quickbooks.core import query
from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.catalog.resource import Filter, Resource

__all__ = ["CHANGES_INPUTS", "FULL_READ_ONLY", "PAGE_ONLY", "ListRequest"]

Mode = Literal["page", "full", "changes"]

PAGE_ONLY = ("start_position", "order_by")
"""Inputs that cannot be combined with `all`: a full read has its own order."""

FULL_READ_ONLY = ("cursor", "max_api_calls")
"""Inputs that need `all` or `sync_cursor`."""

CHANGES_INPUTS = ("all", "max_results", "fields", "max_api_calls", "cursor", "sync_cursor")
"""The only inputs that can be combined with `sync_cursor`, which reads every change."""

_NOT_CONDITIONS = {"all", "max_results", "max_api_calls", "cursor"}
"""Inputs that do not decide which records come: a cursor stays valid when they differ."""

_COMPATIBLE_WITH_SYNC = {*CHANGES_INPUTS, "active", "updated_since"}
"""With no other input, all later changes are in the next change read, so the result may carry a `syncCursor`."""

_EARLIEST_ZONE = timezone(timedelta(hours=14))

ACTIVE = {"active": (True,), "inactive": (False,), "all": (True, False)}


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What one list call asks for.

    Attributes:
        resource: The entity.
        mode: `page`: one page. `full`: every record, in the order of creation. `changes`: what was created, changed or
            deleted since an earlier full read.
        size: Records of a page: 1 to 1000, at least 2 in a full read.
        start_position: Position of the page's first record, from 1.
        order_by: What the page is sorted by; None leaves it to QuickBooks.
        conditions: What QuickBooks is asked to filter by.
        active: Which records of a name list: `active`, `inactive` or `all`.
        status: The computed status that records must have; None means any.
        fields: Top-level properties to keep, beside Id; None means all.
        cursor: Where an interrupted full read continues.
        sync_cursor: The full read since which changes are read.
        max_api_calls: API calls that a full read may send; None means no limit.
        selection: Everything that decides which records are read, as text: a cursor belongs to it.
        has_mutable_filters: Whether an edit can make a record begin or cease to meet the conditions.
        may_sync: Whether the result may carry a `syncCursor`.
    """

    resource: Resource
    mode: Mode
    size: int
    start_position: int
    order_by: str | None
    conditions: tuple[str, ...]
    active: str
    status: str | None
    fields: frozenset[str] | None
    cursor: str | None
    sync_cursor: str | None
    max_api_calls: int | None
    selection: str
    has_mutable_filters: bool
    may_sync: bool

    @classmethod
    def parse(
        cls,
        data: Mapping[str, Any],
        resource: Resource,
        *,
        max_results: int = query.MAX_PAGE,
        row_limit: int | None = None,
        now: datetime,
    ) -> ListRequest:
        """Parse the input of a list action.

        Args:
            data: Input that the action's input schema accepts.
            resource: The entity.
            max_results: The setting: page size unless the input has one.
            row_limit: The host's cap; with it, every request is for a page.
            now: Aware time; candidates for a status depend on its date.

        Raises:
            InputError: Inputs contradict each other; with one entry for each that is out of place.
        """
        _check_combination(data, row_limit)
        mode: Mode = "page"
        if "sync_cursor" in data:
            mode = "changes"
        elif data.get("all") and row_limit is None:
            mode = "full"
        active, status = data.get("active", "active"), data.get("status")
        fields = data.get("fields")
        filters = tuple(_filter_conditions(data, resource))
        prefilter = resource.status.prefilter(status, now.astimezone(UTC).date()) if resource.status and status else ()
        return cls(
            resource=resource,
            mode=mode,
            size=_page_size(data, mode, max_results, row_limit),
            start_position=data.get("start_position", 1),
            order_by=data.get("order_by", resource.default_order) if mode == "page" else None,
            conditions=(*_active_condition(resource, active if mode == "page" else "all"), *filters, *prefilter),
            active=active if resource.has_active else "all",
            status=status,
            fields=None if fields is None else frozenset({"Id", *fields}),
            cursor=data.get("cursor"),
            sync_cursor=data.get("sync_cursor"),
            max_api_calls=data.get("max_api_calls"),
            selection=json.dumps({key: data[key] for key in sorted(set(data) - _NOT_CONDITIONS)}, sort_keys=True),
            has_mutable_filters=bool(filters or prefilter or mode == "changes"),
            may_sync=not set(data) - _COMPATIBLE_WITH_SYNC,
        )

    @property
    def needs_local_filter(self) -> bool:
        """Whether QuickBooks sends records that are not wanted, which `is_wanted` must drop."""
        if self.mode == "changes":
            return False
        return self.status is not None or (self.mode == "full" and self.active != "all")

    def is_wanted(self, record: Mapping[str, Any], today: date) -> bool:
        """Return whether a record has the wanted status and the wanted state of Active.

        In a full read QuickBooks is asked for inactive records too, and they are dropped here: deactivating a record
        during the read must not move the others.

        Args:
            record: The record as Intuit sent it.
            today: The company's date.
        """
        if (
            self.mode == "full"
            and self.active != "all"
            and (record.get("Active") is not False) != (self.active == "active")
        ):
            return False
        status = self.resource.status
        return status is None or self.status is None or status.compute(record, today)[status.field] == self.status

    def statement(self, *further: str) -> query.Select:
        """Return the query for this request, with *further* conditions."""
        return query.Select(
            self.resource.entity,
            where=(*self.conditions, *further),
            order_by=(self.order_by,) if self.order_by else (),
            start_position=self.start_position,
            max_results=self.size,
        )


def _page_size(data: Mapping[str, Any], mode: Mode, max_results: int, row_limit: int | None) -> int:
    if mode != "page":  # API calls are metered: the largest pages unless the input wants less
        return max(2, int(data.get("max_results", query.MAX_PAGE)))
    size = int(data.get("max_results", max_results))
    return size if row_limit is None else max(1, min(size, row_limit))


def _active_condition(resource: Resource, active: str) -> tuple[str, ...]:
    return (query.whether("Active", *ACTIVE[active]),) if resource.has_active else ()


def _filter_conditions(data: Mapping[str, Any], resource: Resource) -> Iterable[str]:
    for row in resource.filters:
        yield from _CONDITIONS[row.kind](data, row)
    yield from _updated_since(data)


def _text(data: Mapping[str, Any], row: Filter) -> Iterable[str]:
    if row.input in data:
        yield query.matches(row.path, data[row.input], field=row.input)


def _equals(data: Mapping[str, Any], row: Filter) -> Iterable[str]:
    if row.input in data:
        yield query.compare(row.path, "=", data[row.input], field=row.input)


def _boolean(data: Mapping[str, Any], row: Filter) -> Iterable[str]:
    if row.input in data:
        yield query.whether(row.path, data[row.input])


def _date_range(data: Mapping[str, Any], row: Filter) -> Iterable[str]:
    first, last = (data.get(name) for name in row.inputs)
    if first and last and date.fromisoformat(first) > date.fromisoformat(last):
        raise _range_error(row, "It lies before", "Swap the two dates, or leave one of them out.")
    yield from _bounds(row, first, last)


def _amount_range(data: Mapping[str, Any], row: Filter) -> Iterable[str]:
    first, last = (data.get(name) for name in row.inputs)
    if first is not None and last is not None and first > last:
        raise _range_error(row, "It is less than", "Swap the two amounts, or leave one of them out.")
    yield from _bounds(row, _decimal(first), _decimal(last))


def _decimal(amount: float | None) -> str | None:
    """Return an amount as Intuit's parser takes it: without the exponent that Python writes for small numbers."""
    return None if amount is None else format(Decimal(repr(amount)), "f")


def _bounds(row: Filter, first: str | None, last: str | None) -> Iterable[str]:
    for operator, value, name in ((">=", first, row.inputs[0]), ("<=", last, row.inputs[1])):
        if value is not None:
            yield query.compare(row.path, operator, value, field=name)


def _range_error(row: Filter, message: str, hint: str) -> InputError:
    first, last = row.inputs
    entry = FieldError(last, "range", f"{message} {first}.", hint)
    return InputError(f"{last}: {entry.message} {entry.hint}", [entry])


_CONDITIONS = {
    "text": _text,
    "id": _equals,
    "choice": _equals,
    "boolean": _boolean,
    "date_range": _date_range,
    "amount_range": _amount_range,
}


def _updated_since(data: Mapping[str, Any]) -> Iterable[str]:
    """Yield the condition for `updated_since`.

    A bare date means the first moment of that day anywhere on earth, so that nothing is missed.
    """
    value = data.get("updated_since")
    if value is None:
        return
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:  # a date: the schema accepts no time without its zone
        at = datetime.combine(at.date(), time(), _EARLIEST_ZONE)
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        entry = FieldError("updated_since", "range", "It lies outside the calendar.", "Enter a time in this century.")
        raise InputError(f"updated_since: {entry.message} {entry.hint}", [entry]) from None
    written = at.isoformat().replace("+00:00", "Z")
    yield query.compare("MetaData.LastUpdatedTime", ">=", written, field="updated_since")


def _check_combination(data: Mapping[str, Any], row_limit: int | None) -> None:
    if row_limit is not None and "sync_cursor" in data:
        raise _rejected({"sync_cursor": "sync_cursor is not available in previews."}, "Call without a row limit.")
    if "sync_cursor" in data:
        wrong, reason = set(data) - set(CHANGES_INPUTS), "cannot be combined with sync_cursor, which reads every change"
    elif data.get("all"):
        wrong, reason = set(data) & set(PAGE_ONLY), "cannot be combined with all, which reads in the order of creation"
    else:
        wrong, reason = set(data) & set(FULL_READ_ONLY), "requires all"
    if wrong:
        raise _rejected({name: f"{name} {reason}." for name in sorted(wrong)}, "Leave one of the two out.")


def _rejected(messages: Mapping[str, str], hint: str) -> InputError:
    entries = [FieldError(name, "together", message, hint) for name, message in messages.items()]
    return InputError(" ".join(f"{entry.message} {entry.hint}" for entry in entries), entries)
