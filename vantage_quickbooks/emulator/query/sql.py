"""Compiles a statement to SQL over the tables of company/store.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company.entities import BY_LOWER_NAME, Entity, Property

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.emulator.query.statement import Condition, Statement, Value

US_CODES = ("TAX", "NON", "CustomSalesTax")
"""Ids of the three tax codes of every company in the United States that lines refer to. A page of TaxCode has them in
addition to what MAXRESULTS allows, and first (live tests of python-quickbooks: 4 records for MAXRESULTS 1, the first of
which is TAX).
"""
_IS_US_CODE = "CASE r.id WHEN 'TAX' THEN 3 WHEN 'NON' THEN 2 WHEN 'CustomSalesTax' THEN 1 ELSE 0 END"
DEFAULT_MAX_RESULTS = 100
"""Source: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries."""

# Properties with a column in `record`; all others are read from the JSON text.
_COLUMNS = {
    "Id": "r.id",
    "MetaData.CreateTime": "r.created",
    "MetaData.LastUpdatedTime": "r.updated",
    "Active": "r.active",
    "TxnDate": "r.txn_date",
    "DueDate": "r.due_date",
    "DocNumber": "r.doc_number",
    "Balance": "r.balance",
    "TotalAmt": "r.total",
    "CustomerRef": "r.customer",
}
# A recurring transaction is wrapped in the type of its template, `{"Bill": {...}}`; `where Type = 'Bill'` is accepted
# (live tests of other clients).
_COMPUTED = {("RecurringTransaction", "Type"): "(SELECT key FROM json_each(b.body) LIMIT 1)"}
# Operators of properties that are compared for equality only; an Id is not compared with `!=` (Intuit, "Data queries").
_EXACT_OPERATORS = (("=", "!=", "IN"), ("=", "IN"))
_VALUE_PATHS = {"ref": ".value", "address": ".Address"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The SQL of a statement.

    Attributes:
        entity: The selected entity.
        where: SQL conditions over `record r` and `body b`.
        parameters: Their values.
        order: SQL sort keys.
        needs_body: Whether `body b` must be joined.
        offset: Records to skip.
        limit: Maximum of records to return.
        fields: The selected properties, as Intuit spells them; empty is all.
        count: Whether only the number of records is selected.
    """

    entity: Entity
    where: str
    parameters: tuple[Any, ...]
    order: str
    needs_body: bool
    offset: int
    limit: int
    fields: tuple[str, ...]
    count: bool


def compile_statement(statement: Statement, *, today: date, zone: tzinfo, id_is_sortable: bool = False) -> Plan:
    """Check a statement against what QuickBooks allows, and compile it.

    Args:
        statement: As parsed.
        today: The company's date, for CURRENT_DATE.
        zone: The company's time zone, for times without an offset.
        id_is_sortable: Whether ORDERBY accepts Id, as it did until November 2025.

    Raises:
        Fault: 4001, with Intuit's wording where it is recorded.
    """
    entity = BY_LOWER_NAME.get(statement.entity.lower())
    if entity is None or "Q" not in entity.operations:
        raise errors.invalid_query(f"invalid context declaration: {statement.entity}")
    sql = _PropertyExpressions(entity)
    clauses: list[str] = []
    parameters: list[Any] = []
    for condition in statement.where:
        prop = _property(entity, condition.name)
        if not prop.filterable:
            raise errors.invalid_query(f"property '{condition.name}' is not queryable")
        clause, values = _clause(sql.of(prop), prop, condition, today, zone)
        clauses.append(clause)
        parameters += values
    if entity.is_name_list and not any(c.name.lower() == "active" for c in statement.where):
        clauses.append("r.active = 1")  # Intuit, "Data queries": inactive records only if WHERE names Active
    return Plan(
        entity=entity,
        where=" AND ".join(clauses),
        parameters=tuple(parameters),
        order=_order(statement, entity, sql, id_is_sortable=id_is_sortable),
        needs_body=sql.needs_body,
        offset=(statement.start or 1) - 1,
        limit=statement.max_results or DEFAULT_MAX_RESULTS,
        fields=tuple(_property(entity, name).name for name in statement.fields),
        count=statement.count,
    )


class _PropertyExpressions:
    """Writes properties as SQL, and notes whether the JSON text is needed."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self.needs_body = False

    def of(self, prop: Property) -> str:
        if prop.name in _COLUMNS:
            return _COLUMNS[prop.name]
        if self._entity.is_name_list and prop.name == self._entity.name_property:
            return "r.name"
        self.needs_body = True
        if (self._entity.name, prop.name) in _COMPUTED:
            return _COMPUTED[self._entity.name, prop.name]
        # The first of an attachment's links is compared; QuickBooks has one record for each.
        path = prop.name.replace("AttachableRef.", "AttachableRef[0].")
        return f"json_extract(b.body, '$.{path}{_VALUE_PATHS.get(prop.type, '')}')"


def _order(statement: Statement, entity: Entity, sql: _PropertyExpressions, *, id_is_sortable: bool) -> str:
    keys = []
    for name, descending in statement.order:
        prop = _property(entity, name)
        if prop.type == "id" and id_is_sortable:
            keys.append(f"CAST(r.id AS INTEGER){' DESC' if descending else ''}")
            continue
        if not prop.sortable:
            raise errors.invalid_query(f"property '{name}' is not sortable")  # our words
        keys.append(f"{sql.of(prop)}{' DESC' if descending else ''}")
    if keys:
        return ", ".join(keys)
    if entity.name == "TaxCode":
        return f"{_IS_US_CODE} DESC, r.sort_name, r.row"
    if entity.is_name_list:
        return "r.sort_name, r.row"  # in byte order; Entity.sort_key has folded names that sort without regard to case
    return "r.updated DESC, r.row DESC"  # recorded, 2015 to 2026, of every transaction list


def _property(entity: Entity, name: str) -> Property:
    prop = entity.find(name)
    if prop is None:
        # Recorded, September 2026 (400-4001-unknown-property).
        raise errors.invalid_query(f"Property {name} not found for Entity {entity.name}")
    return prop


def _clause(expression: str, prop: Property, condition: Condition, today: date, zone: tzinfo) -> tuple[str, list[Any]]:
    """Compile one condition."""
    operator = condition.operator
    exact = prop.type in ("id", "bool", "ref", "address")
    if (
        exact
        and operator not in _EXACT_OPERATORS[prop.type == "id"]
        and not (prop.type == "address" and operator == "LIKE")
    ):
        # Documented for Id; no wording is recorded: our words.
        raise errors.invalid_query(f"operator {operator} is not supported for property '{condition.name}'")
    if operator == "LIKE":
        return _like(expression, prop, condition)
    values = [_bind(value, prop, condition, today, zone) for value in condition.values]
    textual = prop.type in ("text", "address")
    if textual and not all(value is None or value.isascii() for value in values):
        # SQLite's NOCASE folds only ASCII; other text needs a slower function.
        expression, values = f"fold({expression})", [value and value.casefold() for value in values]
    elif textual:
        expression += " COLLATE NOCASE"
    if operator == "IN":
        return f"{expression} IN ({', '.join('?' * len(values))})", values
    if values[0] is None:
        if operator not in ("=", "!="):
            raise errors.invalid_query(f"operator {operator} is not supported for null")  # our words
        return f"{expression} IS {'' if operator == '=' else 'NOT '}NULL", []
    return f"{expression} {operator} ?", values


def _like(expression: str, prop: Property, condition: Condition) -> tuple[str, list[Any]]:
    """Compile LIKE, whose only wildcard is the percent sign."""
    if prop.type not in ("text", "address", "date"):
        raise errors.invalid_query(f"operator LIKE is not supported for property '{condition.name}'")  # our words
    pattern = condition.values[0].text.replace("\\", "\\\\").replace("_", "\\_")
    if not pattern.isascii():
        expression, pattern = f"fold({expression})", pattern.casefold()
    return f"{expression} LIKE ? ESCAPE '\\'", [pattern]


def _bind(value: Value, prop: Property, condition: Condition, today: date, zone: tzinfo) -> Any:
    """Convert a literal to the column's type."""
    if value.kind == "text" and value.text == " ":
        return None
    text = today.isoformat() if value.kind == "today" else value.text
    try:
        return _CONVERT[prop.type](text, zone)
    except (ValueError, OverflowError):
        # No wording is recorded: our words.
        raise errors.invalid_query(f"invalid value '{text}' for property '{condition.name}'") from None


def _instant(text: str, zone: tzinfo) -> float:
    """Parse a time; a date without a time is midnight in the company's zone."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).timestamp()


def _boolean(text: str, _: tzinfo) -> int:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return int(text.lower() == "true")


def _number(text: str, _: tzinfo) -> float:
    number = float(text)
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 -- NaN is unequal to itself
        raise ValueError(text)
    return number


_CONVERT: dict[str, Callable[[str, tzinfo], Any]] = {
    "id": lambda text, _: text,
    "text": lambda text, _: text,
    "address": lambda text, _: text,
    "ref": lambda text, _: text,
    "number": _number,
    "bool": _boolean,
    "date": lambda text, _: datetime.fromisoformat(text).date().isoformat(),
    "time": _instant,
}
