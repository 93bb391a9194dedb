"""One company: its rules, without HTTP.

Reads answer with JSON text as it was stored; writes go through the rules that QuickBooks
has for every entity alike (SyncToken, sparse and full update, names that must differ) and
the few that an entity has of its own (an invoice's totals). What a rule refuses is a
`Fault` in Intuit's words.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import rules, shapes
from vantage_quickbooks.emulator.company.entities import ENTITIES, Entity
from vantage_quickbooks.emulator.company.row import row_of
from vantage_quickbooks.emulator.company.times import DEFAULT_ZONE, local_time, zone_of
from vantage_quickbooks.emulator.json_text import decode, encode

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from vantage_quickbooks.emulator.company.rules import Record
    from vantage_quickbooks.emulator.company.store import Store

_SHARED_NAMES = ("Customer", "Vendor", "Employee")  # one name among all three (Intuit, Customer page)
# What a full update leaves as it was when it is not sent (recorded, 2020, update/customer.yml; the rest is ours).
_KEPT_BY_FULL_UPDATE = frozenset({"CurrencyRef", "DocNumber", "V4IDPseudonym", "DefaultTaxCodeRef"})
_MAX_REQUEST_ID_LENGTH = 50  # Intuit, "Request ID"; in a batch it is that of the batch and the bId together
_MAX_RESPONSES = 5_000  # how long Intuit keeps them is not told; so many cost little memory
_DEBTORS = {"Invoice": ("Customer", "CustomerRef"), "Bill": ("Vendor", "VendorRef")}
_LINK_TYPES = {"BillPayment": "BillPaymentCheck"}  # recorded, 2026 (Nango bills)
_MODIFIER = {"LastModifiedByRef": {"value": "9130350000000017"}}  # invented
_TRANSACTIONS = [entity.name for entity in ENTITIES.values() if not entity.is_name_list]
_SINGLETONS = ("CompanyInfo", "Preferences")  # a company has one, whose Id is "1" and need not be sent
_OTHER_USER = "Robin Vale"  # invented: whoever else is at work when an object is stale


def _id_sequence(entity: Entity) -> list[str]:
    """List what is numbered together: a name list by itself, all transactions (recorded: one sequence)."""
    return [entity.name] if entity.is_name_list else _TRANSACTIONS


def _modifier(entity: Entity) -> Record:
    return _MODIFIER if entity.name in shapes.WITH_MODIFIER else {}


def _number(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19 else 0


class Company:
    """One company's records and rules.

    Args:
        store: Where the records are.

        realm: The company's id.

        now: Tells the time, in epoch seconds. A record is stamped when it is written and not when the
            request came (recorded, 2020: LastUpdatedTime later than `time`).
    """

    def __init__(self, store: Store, realm: str, now: Callable[[], float] = time.time) -> None:
        self.store = store
        self._now = now
        self._idempotency_lock = threading.Lock()
        self._responses: OrderedDict[str, bytes] = OrderedDict()
        self._highest_ids: dict[str, int] = {}
        self._highest_numbers: dict[str, int] = {}
        self.realm = realm
        info = self.find("CompanyInfo", "1")
        self.zone = zone_of((info or {}).get("DefaultTimeZone", DEFAULT_ZONE))

    def today(self, now: float) -> date:
        """Tell the company's date.

        Args:
            now: Epoch seconds.

        Returns:
            The date in the company's zone.
        """
        return datetime.fromtimestamp(now, self.zone).date()

    def name(self) -> str:
        """Tell the company's name.

        Returns:
            CompanyInfo.CompanyName.
        """
        return str((self.find("CompanyInfo", "1") or {}).get("CompanyName", self.realm))

    # ---- reading ----

    def read(self, entity: Entity, id: str) -> str:  # noqa: A002 -- Intuit's word
        """Read one record, also an inactive one.

        Args:
            entity: What it is.

            id: Of the record.

        Returns:
            Its text as stored.

        Raises:
            Fault: 2030 if the Id is no number, 610 if there is none of that Id.
        """
        body = self.store.body(self.realm, entity.name, id)
        if body is None:
            raise errors.not_found() if id.isascii() and id.isdigit() else errors.invalid_id(id)
        return body

    def changes(self, entities: Sequence[Entity], since: int, limit: int) -> list[bytes]:
        """List what changed, as change data capture does.

        Args:
            entities: A group each.

            since: Epoch seconds; what changed in that very second counts.

            limit: How many objects there may be in all groups together; the first groups are filled first.

        Returns:
            Each group's text. Oldest change first, deletions last; the counts leave deletions out (recorded, 2015).
        """
        groups = []
        with self.store.reading() as db:
            db.execute("BEGIN")  # one moment for all groups
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
        """List one entity's changes, and tell how many of them are no deletions."""
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
        """Count the records of each entity that has any.

        Returns:
            Entity names and numbers.
        """
        with self.store.reading() as db:
            return dict(
                db.execute(
                    "SELECT k.entity, count(*) FROM kind k JOIN record r ON r.kind = k.kind"
                    " WHERE k.realm = ? GROUP BY k.entity ORDER BY k.entity",
                    (self.realm,),
                ).fetchall()
            )

    def find(self, entity: str, id: str) -> dict[str, Any] | None:  # noqa: A002 -- Intuit's word
        """Read a record as data.

        Args:
            entity: Its name.

            id: Of the record.

        Returns:
            The record with its digits, or None.
        """
        body = self.store.body(self.realm, entity, id)
        return decode(body) if body is not None else None

    # ---- once only ----

    def idempotent(self, request_id: str, write: Callable[[], bytes]) -> bytes:
        """Write, unless this request id has written before: then its first answer is given again.

        Args:
            request_id: Unique in the company; nothing means that no answer is kept.

            write: Does the work; what it refuses is not remembered and may be tried again.

        Returns:
            The answer, old time and all (BenBranson, August 2026: eight minutes later).

        Raises:
            Fault: 6000 for more than 50 characters (Java SDK issue 180), or as `write` refuses.
        """
        if not request_id:
            return write()
        if len(request_id) > _MAX_REQUEST_ID_LENGTH:
            raise errors.business_error(
                f"You cannot enter more than {_MAX_REQUEST_ID_LENGTH} characters in the request_id field."
                f" You tried entering {request_id[:10]}..., which is {len(request_id)} characters."
            )
        with self._idempotency_lock:  # two with one id at once: the second waits for the first one's answer
            known = self._responses.get(request_id)
            if known is None:
                known = self._responses[request_id] = write()
                while len(self._responses) > _MAX_RESPONSES:
                    self._responses.popitem(last=False)
            return known

    def forget_responses(self) -> None:
        """Forget every request id."""
        with self._idempotency_lock:
            self._responses.clear()

    # ---- writing ----

    def create(self, entity: Entity, sent: Record) -> str:
        """Create a record.

        Args:
            entity: What it is to be.

            sent: The body; read-only attributes are ignored.

        Returns:
            The whole record's text.

        Raises:
            Fault: 500, 2010, 2020, 2500, 6000 or 6240.
        """
        self._require_operation(entity, "C", "create")
        rules.reject_unknown_properties(entity, sent)
        with self.store.writing():
            given = {key: value for key, value in rules.writable_fields(entity, sent).items() if value is not None}
            now = self._now()
            stamp = local_time(now, self.zone)
            number = self._highest_id(entity) + 1
            envelope = {
                "domain": "QBO",
                "sparse": False,
                "Id": str(number),
                "SyncToken": "0",
                "MetaData": {"CreateTime": stamp, **_modifier(entity), "LastUpdatedTime": stamp},
            }
            body = self._write(entity, given | envelope, None, now, None)
            self._highest_ids[_id_sequence(entity)[0]] = number
            return body

    def update(self, entity: Entity, sent: Record) -> str:
        """Update a record: wholly, or with `sparse` only what is sent.

        Args:
            entity: What it is.

            sent: The body, with Id and SyncToken.

        Returns:
            The whole record's text; unchanged, SyncToken and all, if nothing changes (recorded, 2020).

        Raises:
            Fault: 500, 610, 2010, 2020, 2500, 5010, 6000 or 6240.
        """
        self._require_operation(entity, "U", "update")
        if entity.name in _SINGLETONS:
            sent = {"Id": "1"} | sent
        rules.reject_unknown_properties(entity, sent)
        with self.store.writing():
            old = self._load_current(entity, sent)
            given = rules.writable_fields(entity, sent)
            if sent.get("sparse") is True:
                new = old | given
            else:
                kept = rules.READ_ONLY | rules.COMPUTED_FIELDS.get(entity.name, frozenset()) | _KEPT_BY_FULL_UPDATE
                new = {key: value for key, value in old.items() if key in kept} | given
            new = {key: value for key, value in new.items() if value is not None}
            touched = frozenset(given) if sent.get("sparse") is True else None
            return self._write(entity, new, old, self._now(), touched)

    def delete(self, entity: Entity, sent: Record) -> str:
        """Delete a transaction for good.

        Args:
            entity: What it is; name lists know no deletion, only Active.

            sent: Id and SyncToken.

        Returns:
            What remains: `{"domain":"QBO","status":"Deleted","Id":"266"}` (recorded, 2020).

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
        return encode({"domain": "QBO", "status": "Deleted", "Id": old["Id"]})

    def void(self, entity: Entity, sent: Record) -> str:
        """Void a transaction: the money goes, the record stays.

        Args:
            entity: What it is.

            sent: Id and SyncToken.

        Returns:
            The whole record's text.

        Raises:
            Fault: 500, 610, 2020 or 5010.
        """
        self._require_operation(entity, "V", "void")
        with self.store.writing():
            old = self._load_current(entity, sent)
            now = self._now()
            body = self._store_record(entity, rules.void(entity, old), old, now)
            self._unapply_payments(entity, old, now)
            return body

    @staticmethod
    def _require_operation(entity: Entity, letter: str, operation: str) -> None:
        if (entity.name, letter) == ("Bill", "V"):  # transcribed, August 2026 (200-systemfault)
            raise errors.system_failure("java.lang.UnsupportedOperationException", 200)
        if letter not in entity.operations:
            raise errors.unsupported_operation(operation)

    def _load_current(self, entity: Entity, sent: Record) -> Record:
        """Find what is to be changed, if the sender has seen its latest state."""
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
        change = rules.Change(entity, self, self.today(now), old is None, touched)
        record = rules.apply_defaults(change, record)
        if entity.is_name_list and (old is None or record[entity.name_property] != old.get(entity.name_property)):
            self._require_unique_name(entity, record)
        return self._store_record(entity, record, old, now)

    def _store_record(self, entity: Entity, record: Record, old: Record | None, now: float) -> str:
        if old is not None and record == old:
            return encode(old)
        body = self._save(entity, record, old, now)
        self._propagate(entity, old, record, now)
        return body

    def _save(self, entity: Entity, record: Record, old: Record | None, now: float) -> str:
        """Stamp a record and store it, and nothing else."""
        if old is not None:
            stamp = {"LastUpdatedTime": local_time(now, self.zone)}
            token = str(int(old.get("SyncToken", "0")) + 1)
            record = record | {"SyncToken": token, "MetaData": old.get("MetaData", {}) | stamp, "sparse": False}
        body = encode(record)
        self.store.save(self.realm, entity.name, row_of(entity, record, body))
        self._note_doc_number(entity.name, record.get("DocNumber"))
        if entity.name == "CompanyInfo":
            self.zone = zone_of(str(record.get("DefaultTimeZone", DEFAULT_ZONE)))
        return body

    def _require_unique_name(self, entity: Entity, record: Record) -> None:
        sequence = _SHARED_NAMES if entity.name in _SHARED_NAMES else (entity.name,)
        for name in sequence:
            for taken in self.store.ids_by_name(self.realm, name, record[entity.name_property]):
                if (name, taken) != (entity.name, record["Id"]):
                    raise errors.duplicate_name()

    def _highest_id(self, entity: Entity) -> int:
        """Tell the highest Id ever given.

        No Id is given twice, even when the record that had it is deleted. It is sought once: who writes
        takes turns, so that counting on is safe.
        """
        sequence = _id_sequence(entity)
        if sequence[0] not in self._highest_ids:
            self._highest_ids[sequence[0]] = max(
                self.store.highest(self.realm, sequence, "id"), self._highest_deleted_id(sequence)
            )
        return self._highest_ids[sequence[0]]

    def _highest_deleted_id(self, entities: list[str]) -> int:
        """Find the highest Id among deleted records."""
        kinds = [self.store.kind(self.realm, entity) for entity in entities]
        with self.store.writing() as db:
            marks = ", ".join("?" * len(kinds))
            sql = f"SELECT max(CAST(id AS INTEGER)) FROM tombstone WHERE kind IN ({marks})"  # noqa: S608 -- our own marks
            return db.execute(sql, kinds).fetchone()[0] or 0

    def next_doc_number(self, entity: str) -> str:
        """Tell the next number of a form.

        Args:
            entity: The form's name; some share a sequence.

        Returns:
            One more than the highest there ever was; 1001 in an empty company.
        """
        sequence = shapes.DOC_NUMBER_SEQUENCES[entity]
        if sequence[0] not in self._highest_numbers:
            self._highest_numbers[sequence[0]] = max(self.store.highest(self.realm, list(sequence), "doc_number"), 1000)
        return str(self._highest_numbers[sequence[0]] + 1)

    def _note_doc_number(self, entity: str, number: Any) -> None:
        """Count on from a number that was given by hand."""
        sequence = shapes.DOC_NUMBER_SEQUENCES.get(entity)
        if sequence and sequence[0] in self._highest_numbers:
            self._highest_numbers[sequence[0]] = max(self._highest_numbers[sequence[0]], _number(number))

    def _propagate(self, entity: Entity, old: Record | None, new: Record | None, now: float) -> None:
        """Carry a change over: a payment to what it pays, an invoice to its customer (recorded, 2020)."""
        if entity.name in rules.PAYMENT_TARGETS:
            paid = rules.PAYMENT_TARGETS[entity.name]
            id_ = (new or old or {}).get("Id")
            link = {"TxnId": id_, "TxnType": _LINK_TYPES.get(entity.name, entity.name)}
            before, after = (rules.amounts_paid(paid, record or {}) for record in (old, new))
            for paid_id in dict.fromkeys([*before, *after]):
                amounts = before.get(paid_id, Decimal(0)), after.get(paid_id, Decimal(0))
                if amounts[0] != amounts[1]:
                    self._apply_payment(ENTITIES[paid], paid_id, amounts, link, now)
        elif entity.name in _DEBTORS:
            owing, key = _DEBTORS[entity.name]
            shifts: dict[str, Decimal] = {}
            for record, sign in ((old, -1), (new, 1)):
                whose = str(((record or {}).get(key) or {}).get("value"))
                shifts[whose] = shifts.get(whose, Decimal(0)) + sign * Decimal(str((record or {}).get("Balance", 0)))
            for whose, amount in shifts.items():
                self._adjust_balance(owing, whose, amount, now)

    def _apply_payment(
        self, entity: Entity, id_: str, applied: tuple[Decimal, Decimal], link: Record, now: float
    ) -> None:
        """Apply to an invoice or a bill what a payment pays of it now, in place of what it paid before."""
        old = self.find(entity.name, id_)
        if old is None:
            raise errors.invalid_reference()
        links = [known for known in old.get("LinkedTxn", []) if known.get("TxnId") != link["TxnId"]]
        if applied[1]:
            links.append(link)
        balance = Decimal(str(old.get("Balance", 0))) + applied[0] - applied[1]
        if balance < 0:  # our words
            raise errors.business_error("The amount applied is more than the transaction's open balance")
        changed = rules.sort_keys(entity, old | {"Balance": balance, "LinkedTxn": links})
        self._store_record(entity, changed, old, now)

    def _unapply_payments(self, entity: Entity, old: Record, now: float) -> None:
        """Unapply the payments of an invoice or a bill that is deleted or voided: their money is a credit again."""
        for paying, paid in rules.PAYMENT_TARGETS.items():
            for link in old.get("LinkedTxn", []) if paid == entity.name else []:
                known = str(link.get("TxnType", "")).startswith(paying)
                payment = self.find(paying, str(link.get("TxnId"))) if known else None
                if payment:
                    self._save(ENTITIES[paying], rules.unapply(payment, entity.name, old["Id"]), payment, now)

    def _adjust_balance(self, owing: str, id_: str, amount: Decimal, now: float) -> None:
        """Change what a customer or a vendor owes, and what a customer's parents' jobs do."""
        keys = ["Balance", "BalanceWithJobs"] if owing == "Customer" else ["Balance"]
        following: str | None = id_
        while amount and following:
            record = self.find(owing, following)
            if record is None:
                return
            for key in keys:
                record[key] = Decimal(str(record.get(key, 0))) + amount
            record["MetaData"] = record.get("MetaData", {}) | {"LastUpdatedTime": local_time(now, self.zone)}
            self.store.save(self.realm, owing, row_of(ENTITIES[owing], record, encode(record)))
            keys = ["BalanceWithJobs"]  # of the parents
            following = (record.get("ParentRef") or {}).get("value") if owing == "Customer" else None
