"""One company: its rules, without HTTP.

Reads answer with JSON text as it was stored; writes go through the rules that QuickBooks
has for every entity alike (SyncToken, sparse and full update, names that must differ) and
the few that an entity has of its own (an invoice's totals). What a rule refuses is a
`Fault` in Intuit's words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vantage_quickbooks.emulator import faults, grammar
from vantage_quickbooks.emulator.entities import Entity
from vantage_quickbooks.emulator.store import Row, Store

DEFAULT_ZONE = "America/Los_Angeles"
# Numbers that are no money keep their shortest spelling (recorded, all years).
_PLAIN_NUMBERS = {
    "Qty",
    "UnitPrice",
    "TaxPercent",
    "DiscountPercent",
    "RatePercent",
    "RateValue",
    "ExchangeRate",
    "Quantity",
    "QtyOnHand",
}
_NAMED_LIKE_PEOPLE = ("Customer", "Vendor", "Employee")  # one name among all three (Intuit, Customer page)
_READ_ONLY = {"Id", "SyncToken", "MetaData", "domain", "sparse", "time"}
_COLLEAGUE = "Robin Vale"  # invented: whoever else is at work when an object is stale


def zone_of(name: str) -> tzinfo:
    """
    Find a time zone, also on a machine without zone data.

    Args:
        name: As in CompanyInfo.DefaultTimeZone.

    Returns:
        The zone; Pacific standard time when this machine knows none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return timezone(timedelta(hours=-8))


def local_time(epoch: float, zone: tzinfo) -> str:
    """
    Spell an instant as MetaData does.

    Args:
        epoch: Seconds.

        zone: The company's.

    Returns:
        Whole seconds with the offset of that date: `2026-05-05T03:09:39-07:00`.
    """
    return datetime.fromtimestamp(int(epoch), zone).isoformat()


def encode(value: Any, key: str = "") -> str:
    """
    Spell JSON as QuickBooks does: money with two decimals, zero as `0`.

    Args:
        value: Plain data; numbers that were read as `Decimal` are money unless the key says otherwise.

        key: The key the value stands under.

    Returns:
        The text.

    Source: recorded, 2015 to 2022 (556 of 556 amounts, 614 of 614 zeros; see shared/wire.md).
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{encode(v, k)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(encode(item, key) for item in value) + "]"
    if isinstance(value, Decimal):
        if not value:
            return "0"
        if key in _PLAIN_NUMBERS:
            return format(value.normalize(), "f")
        return format(value.quantize(Decimal("0.01"), ROUND_HALF_UP), "f")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def decode(text: str) -> Any:
    """
    Read JSON with its digits: numbers with a point become `Decimal`.

    Args:
        text: JSON.

    Returns:
        Plain data.

    Raises:
        ValueError: It is no JSON.
    """
    return json.loads(text, parse_float=Decimal)


def row_of(entity: Entity, record: Mapping[str, Any], body: str) -> Row:
    """
    Pick out what a record is found and ordered by.

    Args:
        entity: What it is.

        record: Its data.

        body: Its text, as it is to be served.

    Returns:
        The row.
    """
    times = record.get("MetaData") or {}
    name = record.get("DisplayName") or record.get("Name")
    return Row(
        id=str(record.get("Id", "")),
        created=_epoch(times.get("CreateTime")),
        updated=_epoch(times.get("LastUpdatedTime")),
        active=int(record.get("Active") is not False),
        sort_name=(record.get(entity.order) or name) if entity.lists_names else None,
        name=name,
        txn_date=record.get("TxnDate"),
        due_date=record.get("DueDate"),
        doc_number=record.get("DocNumber"),
        customer=(record.get("CustomerRef") or {}).get("value"),
        balance=_real(record.get("Balance")),
        total=_real(record.get("TotalAmt")),
        body=body,
    )


def _epoch(text: str | None) -> int:
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def _real(value: Any) -> float | None:
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a statement.

    Attributes:
        entity: What was asked for.

        bodies: Each record's JSON text, encoded.

        start: STARTPOSITION in force.

        count: The answer to COUNT(*), or None.
    """

    entity: Entity
    bodies: list[bytes]
    start: int
    count: int | None

    def json(self) -> bytes:
        """
        Spell the QueryResponse.

        Returns:
            `{"Customer":[...],"startPosition":1,"maxResults":2}`; with `totalCount` for the
            entities that tell it; `{}` when there is nothing (recorded).
        """
        if self.count is not None:
            return b'{"totalCount":%d}' % self.count
        if not self.bodies:
            return b"{}"
        total = b',"totalCount":%d' % len(self.bodies) if self.entity.tells_total else b""
        return b'{"%s":[%s],"startPosition":%d,"maxResults":%d%s}' % (
            self.entity.name.encode(),
            b",".join(self.bodies),
            self.start,
            len(self.bodies),
            total,
        )


class Company:
    """One company's records and rules.

    Args:
        store: Where the records are.

        realm: The company's id.
    """

    def __init__(self, store: Store, realm: str) -> None:
        self._store = store
        self.realm = realm
        info = self._record("CompanyInfo", "1")
        self.zone = zone_of((info or {}).get("DefaultTimeZone", DEFAULT_ZONE))

    def today(self, now: float) -> date:
        """
        Tell the company's date.

        Args:
            now: Epoch seconds.

        Returns:
            The date in the company's zone.
        """
        return datetime.fromtimestamp(now, self.zone).date()

    def name(self) -> str:
        """
        Tell the company's name.

        Returns:
            CompanyInfo.CompanyName.
        """
        return str((self._record("CompanyInfo", "1") or {}).get("CompanyName", self.realm))

    # ---- reading ----

    def query(self, text: str, now: float) -> Page:
        """
        Answer a statement.

        Args:
            text: In Intuit's query language.

            now: Epoch seconds, for CURRENT_DATE.

        Returns:
            The records' texts as stored, or only the fields that were asked for.

        Raises:
            Fault: 4000 or 4001.
        """
        plan = grammar.compile_statement(grammar.parse(text), today=self.today(now), zone=self.zone)
        join = "JOIN body b ON b.row = r.row" if plan.needs_body else ""
        where = "r.kind = ?" + (f" AND {plan.where}" if plan.where else "")
        parameters = (self._store.kind(self.realm, plan.entity.name), *plan.parameters)
        with self._store.reading() as db:
            if plan.count:
                sql = f"SELECT count(*) FROM record r {join} WHERE {where}"  # noqa: S608 -- values are bound
                return Page(plan.entity, [], 1, db.execute(sql, parameters).fetchone()[0])
            # The page's rows are found in the indexes; only then are their texts read.
            sql = (
                f"SELECT CAST(b.body AS BLOB) FROM (SELECT r.row AS row FROM record r {join} WHERE {where}"  # noqa: S608 -- values are bound
                f" ORDER BY {plan.order} LIMIT ? OFFSET ?) page CROSS JOIN body b ON b.row = page.row"
            )
            found = db.execute(sql, (*parameters, plan.limit, plan.offset)).fetchall()
        bodies = [body for (body,) in found]
        if plan.fields:
            bodies = [_project(body, plan.fields) for body in bodies]
        return Page(plan.entity, bodies, plan.offset + 1, None)

    def read(self, entity: Entity, id: str) -> str:  # noqa: A002 -- Intuit's word
        """
        Read one record, also an inactive one.

        Args:
            entity: What it is.

            id: Of the record.

        Returns:
            Its text as stored.

        Raises:
            Fault: 2030 if the Id is no number, 610 if there is none of that Id.
        """
        body = self._store.body(self.realm, entity.name, id)
        if body is None:
            raise faults.not_found() if id.isascii() and id.isdigit() else faults.invalid_id(id)
        return body

    def counts(self) -> dict[str, int]:
        """
        Count the records of each entity that has any.

        Returns:
            Entity names and numbers.
        """
        with self._store.reading() as db:
            return dict(
                db.execute(
                    "SELECT k.entity, count(*) FROM kind k JOIN record r ON r.kind = k.kind"
                    " WHERE k.realm = ? GROUP BY k.entity ORDER BY k.entity",
                    (self.realm,),
                ).fetchall()
            )

    def _record(self, entity: str, id: str) -> dict[str, Any] | None:  # noqa: A002 -- Intuit's word
        body = self._store.body(self.realm, entity, id)
        return decode(body) if body is not None else None


def _project(body: bytes, fields: tuple[str, ...]) -> bytes:
    """Keep the fields that were asked for, and what every record carries: domain, sparse (true) and Id."""
    record = decode(body.decode())
    wanted = {name.partition(".")[0]: name.partition(".")[2] for name in fields}
    kept: dict[str, Any] = {}
    for key, value in record.items():
        if key == "sparse":
            kept[key] = True
        elif key in ("domain", "Id"):
            kept[key] = value
        elif key in wanted:
            inner = [name.partition(".")[2] for name in fields if name.startswith(f"{key}.")]
            kept[key] = value if key in fields else {k: v for k, v in value.items() if k in inner}
    return encode(kept).encode()
