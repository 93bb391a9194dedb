"""What Spark's filters let a read leave out.

Every filter stays with Spark, which applies it again. So a filter may narrow what is read whenever QuickBooks' answer
has all records that meet it, and perhaps others: QuickBooks ignores case in texts, compares instants in seconds, and
knows statuses only by a part of their condition. The rows of the catalog say which properties it can compare.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.columns import typed_members
from vantage_quickbooks.core import query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pyspark.sql.datasource import Filter as SparkFilter

    from vantage_quickbooks.catalog.resource import Filter, Resource

__all__ = ["Pushed", "holds", "push"]

_UPDATED = "MetaData_LastUpdatedTime"
_LOWER = ("GreaterThan", "GreaterThanOrEqual", "EqualTo", "EqualNullSafe")
_UPPER = ("LessThan", "LessThanOrEqual", "EqualTo", "EqualNullSafe")
_EQUAL = ("EqualTo", "EqualNullSafe")

_MARGIN = timedelta(seconds=1)
"""A record may be found by the second before the one that it shows, if QuickBooks rounds."""

_YEARS = range(1900, 3000)
"""Years that every parser of dates accepts."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a read leaves out.

    Attributes:
        company: Filters of `realm_id` and `company`, for `holds`.
        entities: Of the change table: the entities that can have rows; None means all.
        inputs: Input of the entity's list action.
    """

    company: tuple[SparkFilter, ...] = ()
    entities: frozenset[str] | None = None
    inputs: dict[str, Any] = field(default_factory=dict)

    def wants(self, realm_id: str | None, company: str) -> bool:
        """Return whether a company can have rows; one whose settings cannot be read has to be reported."""
        values = {"realm_id": realm_id, "company": company}
        return realm_id is None or all(holds(found, values[_column(found)]) for found in self.company)


def push(filters: Iterable[SparkFilter], resource: Resource | None) -> Pushed:
    """Return what a read leaves out.

    Args:
        filters: Spark's, all of which a row has to meet.
        resource: The entity; None for the change table.
    """
    filters = list(filters)
    company = ("realm_id",) if resource is None else ("realm_id", "company")
    names = [found for found in filters if _column(found) == "entity" and resource is None]
    return Pushed(
        tuple(found for found in filters if _column(found) in company),
        _entities(names) if names else None,
        {} if resource is None else _inputs(filters, resource),
    )


def holds(found: SparkFilter, value: str | None) -> bool:
    """Return whether a text may meet a filter, as SQL has it: null meets only those that ask for null."""
    inner: Any = found
    is_negated = False
    while type(inner).__name__ == "Not":
        inner, is_negated = inner.child, not is_negated
    kind = type(inner).__name__
    if kind in {"IsNull", "IsNotNull"}:
        return ((value is None) == (kind == "IsNull")) != is_negated
    if kind not in _TEXT_TESTS:
        return True  # Spark decides
    if value is None:
        return kind == "EqualNullSafe" and (inner.value is None) != is_negated
    if inner.value is None:  # a comparison with null is neither true nor false
        return kind == "EqualNullSafe" and is_negated
    return _TEXT_TESTS[kind](value, inner.value) != is_negated


_TEXT_TESTS: dict[str, Callable[[str, Any], bool]] = {
    "EqualTo": lambda value, other: bool(value == other),
    "EqualNullSafe": lambda value, other: bool(value == other),
    "In": lambda value, others: value in others,
    "StringStartsWith": lambda value, other: value.startswith(other),
    "StringEndsWith": lambda value, other: value.endswith(other),
    "StringContains": lambda value, other: other in value,
}


def _column(found: Any) -> str:
    """Return the top-level column of a filter; "" if it is inside of one."""
    path: tuple[str, ...] = getattr(found.child if type(found).__name__ == "Not" else found, "attribute", ())
    return path[0] if len(path) == 1 else ""


def _entities(filters: Sequence[SparkFilter]) -> frozenset[str]:
    from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES  # noqa: PLC0415 -- a plain lookup

    return frozenset(name for name in SYNC_ENTITIES if all(holds(found, name) for found in filters))


# ---- the inputs of a list action -------------------------------------------------------------------------------------


def _inputs(filters: Sequence[Any], resource: Resource) -> dict[str, Any]:
    by_column: dict[str, list[Any]] = {}
    for found in filters:
        if type(found).__name__ != "Not" and getattr(found, "value", None) is not None:
            by_column.setdefault(_column(found), []).append(found)
    inputs: dict[str, Any] = {}
    for row in resource.filters:
        tests = by_column.get(_column_of(row, resource), [])
        if tests:
            inputs |= _READERS[row.kind](row, tests)
    if resource.status is not None:
        inputs |= _status(resource.status.field, resource.status.values, by_column)
    if resource.has_creation_order:
        inputs |= _updated_since(by_column.get(_UPDATED, []))
    return inputs


def _column_of(row: Filter, resource: Resource) -> str:
    """Return the column with the values that a filter of the catalog compares; "" if there is none."""
    key, _, rest = row.path.partition(".")
    member = next((member for member in typed_members(resource)[1] if member.key == key), None)
    if member is None or rest or member.type == "list":
        return ""
    if member.type == "reference":
        return f"{member.name}_value"
    if member.type == "object":  # an email address is the only one
        return f"{member.name}_Address"
    return member.name


def _text(row: Filter, tests: Sequence[Any]) -> dict[str, Any]:
    for test in tests:
        kind, value = type(test).__name__, test.value
        if not (isinstance(value, str) and _is_plain(value, row.max_length - 1)):
            continue
        if kind in _EQUAL:
            return {row.input: value}
        if kind == "StringStartsWith":
            return {row.input: f"{value}%"}
    return {}


def _is_plain(value: str, max_length: int) -> bool:
    """Return whether a text means itself in a query, and has no blanks at its ends, which forms remove."""
    return (
        value.isprintable()
        and value == value.strip() != ""
        and not query.is_pattern(value)
        and len(value) <= max_length
    )


def _equals(row: Filter, tests: Sequence[Any]) -> dict[str, Any]:
    for test in tests:
        value = test.value
        if type(test).__name__ not in _EQUAL or not isinstance(value, str):
            continue
        if value in row.values if row.kind == "choice" else value.isascii() and value.isdigit() and len(value) <= 20:
            return {row.input: value}
    return {}


def _boolean(row: Filter, tests: Sequence[Any]) -> dict[str, Any]:
    values = [test.value for test in tests if type(test).__name__ in _EQUAL and isinstance(test.value, bool)]
    return {row.input: values[0]} if values else {}


def _date_range(row: Filter, tests: Sequence[Any]) -> dict[str, Any]:
    days = [test for test in tests if type(test.value) is date and test.value.year in _YEARS]
    return _bounds(row, days, date.isoformat)


def _amount_range(row: Filter, tests: Sequence[Any]) -> dict[str, Any]:
    amounts = [
        test
        for test in tests
        if isinstance(test.value, Decimal) and test.value.is_finite() and Decimal(repr(float(test.value))) == test.value
    ]
    return _bounds(row, amounts, float)


def _bounds(row: Filter, tests: Sequence[Any], write: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the largest lower and the smallest upper bound, inclusive; only one of them if nothing can meet both."""
    lowest = max((test.value for test in tests if type(test).__name__ in _LOWER), default=None)
    highest = min((test.value for test in tests if type(test).__name__ in _UPPER), default=None)
    if lowest is not None and highest is not None and lowest > highest:
        highest = None
    return {name: write(bound) for name, bound in zip(row.inputs, (lowest, highest), strict=True) if bound is not None}


def _status(column: str, values: Iterable[str], by_column: dict[str, list[Any]]) -> dict[str, Any]:
    equal = [test.value for test in by_column.get(column, []) if type(test).__name__ in _EQUAL]
    return {"status": equal[0]} if equal and equal[0] in values else {}


def _updated_since(tests: Sequence[Any]) -> dict[str, Any]:
    instants = [
        test.value
        for test in tests
        if type(test).__name__ in _LOWER
        and isinstance(test.value, datetime)
        and test.value.tzinfo is not None
        and test.value.year in _YEARS
    ]
    if not instants:
        return {}
    since = max(instants).astimezone(UTC).replace(microsecond=0) - _MARGIN
    return {"updated_since": since.isoformat().replace("+00:00", "Z")}


_READERS: dict[str, Callable[[Filter, Sequence[Any]], dict[str, Any]]] = {
    "text": _text,
    "id": _equals,
    "choice": _equals,
    "boolean": _boolean,
    "date_range": _date_range,
    "amount_range": _amount_range,
}
