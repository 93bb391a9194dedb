"""Executes a statement on a company's records."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.json_text import decode, encode
from vantage_quickbooks.emulator.query.parser import parse
from vantage_quickbooks.emulator.query.sql import US_CODES, compile_statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from vantage_quickbooks.emulator.company.company import Company
    from vantage_quickbooks.emulator.company.entities import Entity
    from vantage_quickbooks.emulator.query.sql import Plan


@dataclass(frozen=True, slots=True)
class Page:
    """The result of a statement.

    Attributes:
        entity: The selected entity.
        records: The records' JSON texts separated by commas, encoded: one object, however many there are.
        number: How many records.
        start: The STARTPOSITION in force.
        count: The result of COUNT(*), or None.
    """

    entity: Entity
    records: bytes
    number: int
    start: int
    count: int | None

    def json(self) -> bytes:
        """Write the QueryResponse.

        Returns:
            `{"Customer":[...],"startPosition":1,"maxResults":2}`; with `totalCount` for the entities that have it;
            `{}` without records (recorded).
        """
        if self.count is not None:
            return b'{"totalCount":%d}' % self.count
        if not self.number:
            return b"{}"
        total = b',"totalCount":%d' % self.number if self.entity.has_total_count else b""
        return b'{"%s":[%s],"startPosition":%d,"maxResults":%d%s}' % (
            self.entity.name.encode(),
            self.records,
            self.start,
            self.number,
            total,
        )


def execute(company: Company, text: str, now: float, *, id_is_sortable: bool = False) -> Page:
    """Execute a statement.

    Args:
        company: The company.
        text: In Intuit's query language.
        now: Epoch seconds, for CURRENT_DATE.
        id_is_sortable: Whether ORDERBY accepts Id.

    Returns:
        The records' texts as stored, or only the selected properties.

    Raises:
        Fault: 4000, 4001 or 4002.
    """
    plan = compile_statement(parse(text), today=company.today(now), zone=company.zone, id_is_sortable=id_is_sortable)
    join = "JOIN body b ON b.row = r.row" if plan.needs_body else ""
    where = "r.kind = ?" + (f" AND {plan.where}" if plan.where else "")
    parameters = (company.store.kind(company.realm, plan.entity.name), *plan.parameters)
    try:
        with company.store.reading() as db:
            if plan.count:
                sql = f"SELECT count(*) FROM record r {join} WHERE {where}"  # noqa: S608 -- values are bound
                return Page(plan.entity, b"", 0, 1, db.execute(sql, parameters).fetchone()[0])
            # The rows of the page are found in the indexes before their texts are read. SQLite joins the texts in
            # one step: no Python object per record, and other threads run meanwhile.
            texts = "b.body" if plan.fields else "count(*), CAST(group_concat(b.body, ',') AS BLOB)"
            sql = (
                f"SELECT {texts} FROM (SELECT r.row AS row FROM record r {join} WHERE {where}"  # noqa: S608 -- values are bound
                f" ORDER BY {plan.order} LIMIT ? OFFSET ?) page CROSS JOIN body b ON b.row = page.row"
            )
            offset, limit = _page_of(plan, company)
            found = db.execute(sql, (*parameters, limit, offset)).fetchall()
    except (sqlite3.Error, OverflowError) as error:  # a thousand conditions, or too large an offset
        raise errors.processing_error(str(error)) from error
    if plan.fields:
        wrapped = plan.entity.name == "RecurringTransaction"
        records, number = b",".join(_select_fields(body, plan.fields, wrapped=wrapped) for (body,) in found), len(found)
    else:
        ((number, records),) = found
    return Page(plan.entity, records or b"", number, plan.offset + 1, None)


def _page_of(plan: Plan, company: Company) -> tuple[int, int]:
    """Return the offset and the limit; see `US_CODES` for the exception."""
    if plan.entity.name != "TaxCode" or plan.where != "r.active = 1":
        return plan.offset, plan.limit
    extra = sum(company.store.body(company.realm, "TaxCode", id_) is not None for id_ in US_CODES)
    return (plan.offset + extra, plan.limit) if plan.offset else (0, plan.limit + extra)


def _select_fields(body: str, fields: tuple[str, ...], *, wrapped: bool) -> bytes:
    """Keep the selected fields, and those that every record has: domain, sparse (true) and Id."""
    record = decode(body)
    paths = (*fields, "domain", "sparse", "Id")
    if wrapped:  # a recurring transaction's properties are inside its template
        return encode({name: _partial(inner, paths) for name, inner in record.items()}).encode()
    return encode(_partial(record, paths)).encode()


def _partial(record: Any, paths: tuple[str, ...]) -> Any:
    selected = _select_paths(record, paths)
    return selected | {"sparse": True} if "sparse" in selected else selected


def _select_paths(value: Any, paths: Collection[str]) -> Any:
    """Keep the members of an object, or of each object in a list, that dotted paths lead to."""
    if isinstance(value, list):
        return [_select_paths(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    selected = {}
    for key, inner in value.items():
        if key in paths:
            selected[key] = inner
        elif below := [path.removeprefix(f"{key}.") for path in paths if path.startswith(f"{key}.")]:
            selected[key] = _select_paths(inner, below)
    return selected
