"""One company: its records and the rules for reading and writing them, without HTTP.

Reads return JSON text as it was stored. Writes follow the rules that QuickBooks has for every entity (SyncToken, sparse
and full updates, unique names) and those of single entities (an invoice's totals). A refusal is a `Fault` in Intuit's
words.
"""

from __future__ import annotations

import re
import time
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import payments, renames, rules, shapes, stock, views
from vantage_quickbooks.emulator.company.change import Change
from vantage_quickbooks.emulator.company.entities import ENTITIES, Entity
from vantage_quickbooks.emulator.company.idempotency import IdempotencyCache
from vantage_quickbooks.emulator.company.row import row_of
from vantage_quickbooks.emulator.company.sequences import Sequences
from vantage_quickbooks.emulator.company.times import DEFAULT_ZONE, local_time, zone_of
from vantage_quickbooks.emulator.json_text import decode, encode

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from vantage_quickbooks.emulator.company.change import Record
    from vantage_quickbooks.emulator.company.store import Store

_SHARED_NAMES = ("Customer", "Vendor", "Employee")
"""A name is unique among all three.

Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/customer.
"""
# Properties that a full update keeps when they are not sent (recorded, 2020, update/customer.yml; the rest is ours).
_KEPT_BY_FULL_UPDATE = frozenset({"CurrencyRef", "DocNumber", "V4IDPseudonym", "DefaultTaxCodeRef", "RecurDataRef"})
_LINK_TYPES = {"BillPayment": "BillPaymentCheck"}  # recorded, 2026 (Nango bills)
_MODIFIER = {"LastModifiedByRef": {"value": "9130350000000017"}}  # invented
_SINGLETONS = ("CompanyInfo", "Preferences")  # a company has one; its Id is "1" and need not be sent
_WRAPPED = "RecurringTransaction"  # its records are wrapped in the name of the entity that they are templates of
_IS_ADDRESS = re.compile(r"[^\s@,;]{1,64}@[^\s@,;]{1,255}")
_OTHER_USER = "Robin Vale"  # invented: the user named when an object is stale


def _modifier(entity: Entity) -> Record:
    return _MODIFIER if entity.name in shapes.WITH_MODIFIER else {}


def _line_links(entity: Entity, record: Record) -> list[Record]:
    """Return the links of a transaction's lines, if its lines link it to others."""
    lines = record.get("Line", []) if entity.name in shapes.LINKED_BY_LINES else []
    return [link for line in lines for link in line.get("LinkedTxn", [])]


class Company:
    """One company's records and rules.

    Attributes:
        store: The records.
        realm: The company's id.
        zone: Its time zone.
        idempotency: The responses of writes with a request id.

    Args:
        store: The records.
        realm: The company's id.
        now: Returns the time as epoch seconds. A record is stamped when it is written and not when the request came
            (recorded, 2020: LastUpdatedTime later than `time`).
    """

    def __init__(self, store: Store, realm: str, now: Callable[[], float] = time.time) -> None:
        self.store = store
        self.realm = realm
        self.idempotency = IdempotencyCache()
        self._now = now
        self._sequences = Sequences(store, realm)
        info = self.find("CompanyInfo", "1")
        self.zone = zone_of((info or {}).get("DefaultTimeZone", DEFAULT_ZONE))

    def today(self, now: float) -> date:
        """Return the date in the company's zone at an epoch second."""
        return datetime.fromtimestamp(now, self.zone).date()

    def name(self) -> str:
        """Return CompanyInfo.CompanyName."""
        return str((self.find("CompanyInfo", "1") or {}).get("CompanyName", self.realm))

    # ---- reading ----

    def read(self, entity: Entity, id: str) -> str:  # noqa: A002 -- Intuit's word
        """Return a record's text as stored; inactive records can be read too.

        Raises:
            Fault: 2030 if the Id is not a number, 610 if no record has it.
        """
        body = self.store.body(self.realm, entity.name, id)
        if body is None:
            raise errors.not_found() if id.isascii() and id.isdigit() else errors.invalid_id(id)
        return body

    def changes(self, entities: Sequence[Entity], since: int, limit: int) -> list[bytes]:
        """Return what changed, as change data capture does.

        Args:
            entities: One group for each.
            since: Epoch seconds; changes in this second are included.
            limit: The maximum of objects in all groups together; the first groups are filled first.

        Returns:
            Each group's text: the oldest change first, deletions last and not counted (recorded, 2015).
        """
        groups = []
        with self.store.reading() as db:
            db.execute("BEGIN")  # all groups see the same state
            try:
                for entity in entities:
                    texts, alive = self._changed(db, entity, since, limit)
                    limit -= len(texts)
                    total = f',"totalCount":{alive}' if entity.has_total_count else ""
                    group = f'{{"{entity.name}":[{",".join(texts)}],"startPosition":1,"maxResults":{alive}{total}}}'
                    groups.append(group.encode() if texts else b"{}")
            finally:
                db.execute("COMMIT")
        return groups

    def _changed(self, db: sqlite3.Connection, entity: Entity, since: int, limit: int) -> tuple[list[str], int]:
        """Return the texts of an entity's changes, and how many of them are not deletions."""
        kind = self.store.kind(self.realm, entity.name)
        alive = db.execute(
            "SELECT b.body FROM record r JOIN body b ON b.row = r.row WHERE r.kind = ? AND r.updated >= ?"
            " ORDER BY r.updated, r.row LIMIT ?",
            (kind, since, limit),
        ).fetchall()
        deleted = db.execute(
            "SELECT id, updated FROM tombstone WHERE kind = ? AND updated >= ? ORDER BY updated, rowid LIMIT ?",
            (kind, since, limit - len(alive)),
        ).fetchall()
        tombstones = [
            {
                "domain": "QBO",
                "status": "Deleted",
                "Id": id_,
                "MetaData": {"LastUpdatedTime": local_time(updated, self.zone)},
            }
            for id_, updated in deleted
        ]
        return [body for (body,) in alive] + [encode(tombstone) for tombstone in tombstones], len(alive)

    def counts(self) -> dict[str, int]:
        """Return the number of records of each entity that has any."""
        with self.store.reading() as db:
            return dict(
                db.execute(
                    "SELECT k.entity, count(*) FROM kind k JOIN record r ON r.kind = k.kind"
                    " WHERE k.realm = ? GROUP BY k.entity ORDER BY k.entity",
                    (self.realm,),
                ).fetchall()
            )

    def find(self, entity: str, id: str) -> dict[str, Any] | None:  # noqa: A002 -- Intuit's word
        """Return a record with exact amounts, or None."""
        body = self.store.body(self.realm, entity, id)
        if body is None:
            return None
        record: dict[str, Any] = decode(body)
        return shapes.template_of(record)[1] if entity == _WRAPPED else record

    # ---- writing ----

    def create(self, entity: Entity, sent: Record) -> str:
        """Create a record.

        Args:
            entity: Its entity.
            sent: The body; read-only properties are ignored.

        Returns:
            The stored record's text.

        Raises:
            Fault: 500, 2010, 2020, 2500, 6000 or 6240.
        """
        self._require_operation(entity, "C", "create")
        if entity.name == _WRAPPED:
            return self._create_template(entity, sent)
        rules.reject_unknown_properties(entity, sent)
        with self.store.writing():
            given = {key: value for key, value in rules.writable_fields(entity, sent).items() if value is not None}
            now = self._now()
            number = self._sequences.next_id(entity)
            body = self._write(entity, given | self._envelope(entity, number, now), None, now, None)
            self._sequences.use_id(entity, number)
            return body

    def _envelope(self, entity: Entity, number: int, now: float) -> Record:
        stamp = local_time(now, self.zone)
        return {
            "domain": "QBO",
            "sparse": False,
            "Id": str(number),
            "SyncToken": "0",
            "MetaData": {"CreateTime": stamp, **_modifier(entity), "LastUpdatedTime": stamp},
        }

    def _create_template(self, entity: Entity, sent: Record) -> str:
        """Create a recurring transaction: a record of another entity, wrapped in that entity's name."""
        name, inner = shapes.template_of(sent.get(_WRAPPED, sent))
        if not inner.get("RecurringInfo"):  # 2020 is Intuit's code for what is missing; this case is not recorded
            raise errors.required_missing("RecurringInfo")
        kind = ENTITIES[name]
        rules.reject_unknown_properties(kind, inner)
        with self.store.writing():
            given = {key: value for key, value in rules.writable_fields(kind, inner).items() if value is not None}
            now = self._now()
            number = self._sequences.next_id(entity)
            change = Change(kind, self, self.today(now), created=True, touched=None)
            record = rules.apply_defaults(change, given | self._envelope(kind, number, now))
            body = self._save_template(entity, name, record | {"RecurDataRef": {"value": str(number)}})
            self._sequences.use_id(entity, number)
            return body

    def _save_template(self, entity: Entity, name: str, record: Record) -> str:
        record = {key: value for key, value in record.items() if key not in shapes.NOT_IN_TEMPLATES}
        body = encode({name: rules.sort_keys(ENTITIES[name], record)})
        self.store.save(self.realm, entity.name, row_of(entity, record, body))
        return body

    def _update_template(self, entity: Entity, sent: Record) -> str:
        """Update a recurring transaction: the record inside its template."""
        name, inner = shapes.template_of(sent.get(_WRAPPED, sent))
        kind = ENTITIES.get(name, entity)
        rules.reject_unknown_properties(kind, inner)
        with self.store.writing():
            old = self._load_current(entity, sent)
            if name not in decode(self.store.body(self.realm, entity.name, old["Id"]) or "{}"):
                raise errors.not_found()
            new, touched = self._merge(kind, old, inner)
            now = self._now()
            record = rules.apply_defaults(
                Change(kind, self, self.today(now), created=False, touched=touched, old=old), new
            )
            return self._save_template(entity, name, self._stamp(record, old, now))

    def load(self, entity: Entity, record: Record) -> Record:
        """Store a record as it is given, without the API's rules, for entities too that the API cannot create.

        Args:
            entity: Its entity.
            record: The record. A record of the same Id is replaced; without an Id it gets the next.

        Returns:
            The stored record, with the envelope completed.

        Raises:
            TypeError: A value that should be text is not.
            ValueError: A time or an amount is invalid.
        """
        with self.store.writing():
            name, inner = shapes.template_of(record) if entity.name == _WRAPPED else ("", record)
            if entity.name == _WRAPPED and not name:
                raise ValueError(f"a RecurringTransaction is wrapped in one of {', '.join(shapes.TEMPLATES)}")
            now, key = self._now(), str(inner.get("Id") or "")
            envelope = self._envelope(entity, 0, now)
            if entity.name == "ExchangeRate":  # it has no Id
                del envelope["Id"]
                key = str(inner.get("SourceCurrencyCode") or "")
                if not key:
                    raise ValueError("an ExchangeRate has a SourceCurrencyCode")
            elif key:
                envelope["Id"] = key
            else:
                number = self._sequences.next_id(entity)
                self._sequences.use_id(entity, number)
                envelope["Id"] = key = str(number)
            stored = inner | {name: value for name, value in envelope.items() if name not in inner} | {"Id": key}
            if entity.name == "ExchangeRate":
                stored = {name: value for name, value in stored.items() if name != "Id"}
            body = encode({name: stored} if name else stored)
            self.store.save(self.realm, entity.name, row_of(entity, stored, body)._replace(id=key))
            if entity.name == "CompanyInfo":
                self.zone = zone_of(str(stored.get("DefaultTimeZone", DEFAULT_ZONE)))
            self._sequences.forget()
            return stored

    def replace_text(self, entity: Entity, record: Record) -> str:
        """Store a record that was just written in another order or with more properties; return its text."""
        body = encode(record)
        self.store.save(self.realm, entity.name, row_of(entity, record, body))
        return body

    def send(self, entity: Entity, id: str, to: str | None) -> str:  # noqa: A002 -- Intuit's word
        """Mark a transaction as sent by mail (recorded, May 2026: send-invoice).

        Args:
            entity: Its entity.
            id: Its Id.
            to: The address; None is the record's own.

        Returns:
            The stored record's text.

        Raises:
            Fault: 610, 2030, or 6000 without an address.
        """
        with self.store.writing():
            old = decode(self.read(entity, id))
            address = to if to is not None else (old.get("BillEmail") or {}).get("Address")
            if not isinstance(address, str) or not _IS_ADDRESS.fullmatch(address):
                # Intuit lists 2210 for addresses; its wording is not recorded: our words.
                raise errors.business_error("The transaction has no valid email address to send it to")
            now = self._now()
            delivery = {"DeliveryType": "Email", "DeliveryTime": local_time(now, self.zone)}
            new = old | {"EmailStatus": "EmailSent", "BillEmail": {"Address": address}, "DeliveryInfo": delivery}
            body = self._store_record(entity, rules.sort_keys(entity, new), old, now)
            self.store.name_change(self.realm, entity.name, old["Id"], "Emailed")
            return body

    def update(self, entity: Entity, sent: Record) -> str:
        """Update a record: replace it, or with `sparse` change only what is sent.

        Args:
            entity: Its entity.
            sent: The body, with Id and SyncToken.

        Returns:
            The stored record's text; with the old SyncToken if nothing changes (recorded, 2020).

        Raises:
            Fault: 500, 610, 2010, 2020, 2500, 5010, 6000 or 6240.
        """
        self._require_operation(entity, "U", "update")
        if entity.name == _WRAPPED:
            return self._update_template(entity, sent)
        if entity.name == "ExchangeRate":
            return self._update_rate(entity, sent)
        if entity.name in _SINGLETONS:
            sent = {"Id": "1"} | sent
        rules.reject_unknown_properties(entity, sent)
        with self.store.writing():
            old = self._load_current(entity, sent)
            new, touched = self._merge(entity, old, sent)
            return self._write(entity, new, old, self._now(), touched)

    def _update_rate(self, entity: Entity, sent: Record) -> str:
        """Update an exchange rate, which has no Id: its currency names it (a live test of python-quickbooks)."""
        rules.reject_unknown_properties(entity, sent)
        if sent.get("Id") is not None and not sent.get("SourceCurrencyCode"):
            raise errors.not_found()
        for key in ("SourceCurrencyCode", "Rate"):
            if sent.get(key) in (None, ""):
                raise errors.required_missing(key)
        code = str(sent["SourceCurrencyCode"])
        with self.store.writing():
            old = self.find(entity.name, code)
            if old is None:
                raise errors.not_found()
            if str(sent.get("SyncToken", old.get("SyncToken"))) != old.get("SyncToken"):
                raise errors.stale_object(_OTHER_USER)
            record = self._stamp(old | rules.writable_fields(entity, sent), old, self._now())
            body = encode(record)
            self.store.save(self.realm, entity.name, row_of(entity, record, body)._replace(id=code))
            return body

    def _merge(self, entity: Entity, old: Record, sent: Record) -> tuple[Record, frozenset[str] | None]:
        """Return the properties after an update, and those that a sparse one sent; None for a full one."""
        given = views.without_added(entity, rules.writable_fields(entity, sent), self)
        is_sparse = sent.get("sparse") is True
        kept = rules.READ_ONLY | rules.COMPUTED_FIELDS.get(entity.name, frozenset()) | _KEPT_BY_FULL_UPDATE
        new = {key: value for key, value in old.items() if is_sparse or key in kept} | given
        touched = frozenset(given) if is_sparse else None
        return {key: value for key, value in new.items() if value is not None}, touched

    def delete(self, entity: Entity, sent: Record) -> str:
        """Delete a transaction. Records of name lists cannot be deleted, only made inactive.

        Args:
            entity: Its entity.
            sent: Id and SyncToken.

        Returns:
            `{"domain":"QBO","status":"Deleted","Id":"266"}` (recorded, 2020).

        Raises:
            Fault: 500, 610, 2020 or 5010.
        """
        self._require_operation(entity, "D", "delete")
        with self.store.writing():
            old = self._load_current(entity, sent)
            now = self._now()
            self.store.remove(self.realm, entity.name, old["Id"], int(now))
            self._propagate(entity, old, None, now)
            self._unapply_payments(entity, old, now)
            self._unlink(entity, old, now)
        return encode({"domain": "QBO", "status": "Deleted", "Id": old["Id"]})

    def void(self, entity: Entity, sent: Record) -> str:
        """Void a transaction: its amounts become zero, the record stays.

        Args:
            entity: Its entity.
            sent: Id and SyncToken.

        Returns:
            The stored record's text.

        Raises:
            Fault: 500, 610, 2020 or 5010.
        """
        self._require_operation(entity, "V", "void")
        with self.store.writing():
            old = self._load_current(entity, sent)
            now = self._now()
            body = self._store_record(entity, rules.sort_keys(entity, payments.void(entity, old)), old, now)
            self.store.name_change(self.realm, entity.name, old["Id"], "Void")
            self._unapply_payments(entity, old, now)
            return body

    @staticmethod
    def _require_operation(entity: Entity, letter: str, operation: str) -> None:
        if (entity.name, letter) == ("Bill", "V"):  # transcribed, August 2026 (200-systemfault)
            raise errors.system_failure("java.lang.UnsupportedOperationException", 200)
        if letter not in entity.operations:
            raise errors.unsupported_operation(operation)

    def _load_current(self, entity: Entity, sent: Record) -> Record:
        """Return the stored record, if the sender has its current SyncToken."""
        if entity.name == _WRAPPED:
            sent = sent.get(_WRAPPED, sent)
            sent = shapes.template_of(sent)[1] or sent
        for key in ("Id", "SyncToken"):
            if sent.get(key) is None:
                raise errors.required_missing(key)
        old = self.find(entity.name, str(sent["Id"]))
        if old is None:
            raise errors.not_found()
        if str(sent["SyncToken"]) != old.get("SyncToken"):
            raise errors.stale_object(_OTHER_USER)
        return old

    def _write(
        self, entity: Entity, record: Record, old: Record | None, now: float, touched: frozenset[str] | None
    ) -> str:
        change = Change(entity, self, self.today(now), old is None, touched, old or {})
        asked = record.get("LinkedTxn") if change.touches("LinkedTxn") else None
        record = rules.apply_defaults(change, record)
        if entity.is_name_list and (old is None or record[entity.name_property] != old.get(entity.name_property)):
            self._require_unique_name(entity, record)
        body = self._store_record(entity, record, old, now)
        if entity.name in shapes.LINK_EFFECTS:
            self._link(entity, record["Id"], [*(asked or []), *_line_links(entity, record)], now)
        return body

    def _link(self, entity: Entity, id_: str, links: list[Record], now: float) -> None:
        """Change the transactions that a client has linked a transaction to."""
        back = {"TxnId": id_, "TxnType": entity.name}
        for link in links:
            effect = shapes.LINK_EFFECTS[entity.name].get(str(link.get("TxnType")))
            if effect is None:
                continue
            kind = ENTITIES[str(link["TxnType"])]
            old = self.find(kind.name, str(link.get("TxnId")))
            if old is None:
                raise errors.invalid_reference()
            changed = old | dict(effect)
            if kind.name in shapes.LINKED_BACK and back not in old.get("LinkedTxn", []):
                changed["LinkedTxn"] = [*old.get("LinkedTxn", []), back]
            self._store_record(kind, rules.sort_keys(kind, changed), old, now)

    def _unlink(self, entity: Entity, old: Record, now: float) -> None:
        """Remove a deleted transaction from those that link back to it; their state stays (assumed)."""
        shown = old.get("LinkedTxn", []) if entity.name in shapes.LINKS_SHOWN else []
        for link in [*shown, *_line_links(entity, old)]:
            kind = ENTITIES.get(str(link.get("TxnType")))
            found = self.find(kind.name, str(link.get("TxnId"))) if kind and kind.name in shapes.LINKED_BACK else None
            if kind and found:
                rest = [known for known in found.get("LinkedTxn", []) if known.get("TxnId") != old["Id"]]
                changed = {key: value for key, value in found.items() if key != "LinkedTxn"}
                changed |= {"LinkedTxn": rest} if rest else {}
                self._store_record(kind, rules.sort_keys(kind, changed), found, now)

    def _store_record(self, entity: Entity, record: Record, old: Record | None, now: float) -> str:
        if old is not None and record == old:
            return encode(old)
        body = self._save(entity, record, old, now)
        self._propagate(entity, old, record, now)
        if old is not None and entity.is_name_list:
            renames.propagate(self.store, self.realm, entity, old, record)
        return body

    def _save(self, entity: Entity, record: Record, old: Record | None, now: float) -> str:
        """Stamp a record and store it, without effects on other records."""
        if old is not None:
            record = self._stamp(record, old, now)
        body = encode(record)
        self.store.save(self.realm, entity.name, row_of(entity, record, body))
        self._sequences.use_doc_number(entity.name, record.get("DocNumber"))
        if entity.name == "CompanyInfo":
            self.zone = zone_of(str(record.get("DefaultTimeZone", DEFAULT_ZONE)))
        return body

    def _stamp(self, record: Record, old: Record, now: float) -> Record:
        """Return a record with the SyncToken and the time that follow the old one's."""
        stamp = {"LastUpdatedTime": local_time(now, self.zone)}
        token = str(int(old.get("SyncToken", "0")) + 1)
        return record | {"SyncToken": token, "MetaData": old.get("MetaData", {}) | stamp, "sparse": False}

    def _require_unique_name(self, entity: Entity, record: Record) -> None:
        for name in _SHARED_NAMES if entity.name in _SHARED_NAMES else (entity.name,):
            for taken in self.store.ids_by_name(self.realm, name, record[entity.name_property]):
                if (name, taken) != (entity.name, record["Id"]):
                    raise errors.duplicate_name()

    def find_account(self, key: str, kind: str, currency: str) -> Record | None:
        """Return the first account of a kind, preferably in a currency, or None.

        Args:
            key: `AccountType` or `AccountSubType`.
            kind: Its value.
            currency: A code.
        """
        return self._find_first(
            "Account",
            f"json_extract(b.body, '$.{key}') = ? AND r.active = 1",
            "json_extract(b.body, '$.CurrencyRef.value') IS NOT ?",
            (kind, currency),
        )

    def find_currency(self, code: str) -> Record | None:
        """Return a currency of the company's list, or None."""
        return self._find_first("CompanyCurrency", "json_extract(b.body, '$.Code') = ?", "r.kind", (code,))

    def _find_first(self, entity: str, where: str, order: str, values: tuple[str, ...]) -> Record | None:
        """Return the first record of a short list that meets a condition, or None."""
        body = self.store.first(self.realm, entity, where, order, values)
        return None if body is None else decode(body)

    def next_doc_number(self, entity: str) -> str:
        """Return the next document number of a transaction type."""
        return self._sequences.next_doc_number(entity)

    # ---- effects on other records ----

    def _propagate(self, entity: Entity, old: Record | None, new: Record | None, now: float) -> None:
        """Update the balances that depend on a payment, an invoice or a bill (recorded, 2020)."""
        for target in payments.PAYMENT_TARGETS.get(entity.name, ()):
            self._propagate_payment(entity, target, old, new, now)
        self._propagate_balance(entity, old, new, now)
        self._propagate_stock(entity, old, new, now)

    def _propagate_stock(self, entity: Entity, old: Record | None, new: Record | None, now: float) -> None:
        """Change the quantity on hand of the items that a transaction moves."""

        def find_item(id_: str) -> Record | None:
            return self.find("Item", id_)

        before, after = (stock.moved(entity.name, record, find_item) for record in (old, new))
        for id_ in dict.fromkeys([*before, *after]):
            change = after.get(id_, Decimal(0)) - before.get(id_, Decimal(0))
            item = find_item(id_)
            if change and item:
                on_hand = Decimal(str(item.get("QtyOnHand", 0))) + change
                stamp = {"LastUpdatedTime": local_time(now, self.zone)}
                item |= {"QtyOnHand": on_hand, "MetaData": item.get("MetaData", {}) | stamp}
                item = rules.sort_keys(ENTITIES["Item"], item)
                self.store.save(self.realm, "Item", row_of(ENTITIES["Item"], item, encode(item)))

    def _propagate_balance(self, entity: Entity, old: Record | None, new: Record | None, now: float) -> None:
        """Change the balance of the customer or vendor of a transaction."""
        if entity.name not in payments.SHARES_OF_BALANCE:
            return
        debtor, key, share, direction = payments.SHARES_OF_BALANCE[entity.name]
        shifts: dict[str, Decimal] = {}
        for record, sign in ((old, -direction), (new, direction)):
            id_ = str(((record or {}).get(key) or {}).get("value"))
            shifts[id_] = shifts.get(id_, Decimal(0)) + sign * Decimal(str((record or {}).get(share, 0)))
        for id_, amount in shifts.items():
            self._adjust_balance(debtor, id_, amount, now)

    def _propagate_payment(
        self, entity: Entity, target: str, old: Record | None, new: Record | None, now: float
    ) -> None:
        link = {"TxnId": (new or old or {}).get("Id"), "TxnType": _LINK_TYPES.get(entity.name, entity.name)}
        before, after = (payments.amounts_paid(target, record or {}) for record in (old, new))
        for id_ in dict.fromkeys([*before, *after]):
            amounts = before.get(id_, Decimal(0)), after.get(id_, Decimal(0))
            if amounts[0] != amounts[1]:
                self._apply_payment(ENTITIES[target], id_, amounts, link, now)

    def _apply_payment(
        self, entity: Entity, id_: str, applied: tuple[Decimal, Decimal], link: Record, now: float
    ) -> None:
        """Replace the amount that a payment paid of an invoice or bill by the amount that it pays now."""
        old = self.find(entity.name, id_)
        if old is None:
            raise errors.invalid_reference()
        links = [known for known in old.get("LinkedTxn", []) if known.get("TxnId") != link["TxnId"]]
        if applied[1]:
            links.append(link)
        balance = Decimal(str(old.get("Balance", 0))) + applied[0] - applied[1]
        if balance < 0:  # our words
            raise errors.business_error("The amount applied is more than the transaction's open balance")
        changed = old | dict.fromkeys(shapes.OPEN_BALANCES[entity.name], balance) | {"LinkedTxn": links}
        if not links and entity.name in shapes.WITHOUT_EMPTY_LINKS:
            del changed["LinkedTxn"]
        changed = rules.sort_keys(entity, changed)
        self._store_record(entity, changed, old, now)

    def _unapply_payments(self, entity: Entity, old: Record, now: float) -> None:
        """Unapply the payments of a deleted or voided invoice or bill: their amounts become credits again."""
        for kind, targets in payments.PAYMENT_TARGETS.items():
            for link in old.get("LinkedTxn", []) if entity.name in targets else []:
                is_payment = str(link.get("TxnType", "")).startswith(kind)
                payment = self.find(kind, str(link.get("TxnId"))) if is_payment else None
                if payment:
                    unapplied = payments.unapply(payment, entity.name, old["Id"])
                    self._save(ENTITIES[kind], unapplied, payment, now)
                    self._propagate_balance(ENTITIES[kind], payment, unapplied, now)

    def _adjust_balance(self, debtor: str, id_: str, amount: Decimal, now: float) -> None:
        """Change the balance of a customer or vendor, and BalanceWithJobs of a customer's parents."""
        keys = ["Balance", "BalanceWithJobs"] if debtor == "Customer" else ["Balance"]
        following: str | None = id_
        while amount and following:
            record = self.find(debtor, following)
            if record is None:
                return
            for key in keys:
                record[key] = Decimal(str(record.get(key, 0))) + amount
            record["MetaData"] = record.get("MetaData", {}) | {"LastUpdatedTime": local_time(now, self.zone)}
            self.store.save(self.realm, debtor, row_of(ENTITIES[debtor], record, encode(record)))
            keys = ["BalanceWithJobs"]  # the parents'
            following = (record.get("ParentRef") or {}).get("value") if debtor == "Customer" else None
