"""What a webhook says: the notices in its body, in both formats. Pure, standard library only.

Theory of operation
1. A notice names a record and what happened to it, and contains no data of the record. Notices may be lost, repeated
   or out of order, so a notice only says which record to read.
2. One body may have notices of several companies. They are grouped by company. Of equal ones (the same record and
   operation) the latest remains; the others keep the order of their times.
3. Entities and operations that this version does not know are kept as they were sent.
4. Nothing is left out silently: a notice without company, entity or Id is an error of `parse`, and `read` returns it
   together with the notices that can be read.

Sources: https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks;
https://blogs.intuit.com/2025/11/12/upcoming-change-to-webhooks-payload-structure (CloudEvents).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Damage", "Notice", "Notification", "NotificationError", "group", "merge", "parse", "read"]

T = TypeVar("T")

_ENTITIES = (
    "Account Attachable Bill BillPayment Budget ChangeOrder Class CompanyCurrency CompanyInfo CreditCardPaymentTxn"
    " CreditMemo Customer CustomerType Department Deposit Employee Estimate ExchangeRate InventoryAdjustment Invoice"
    " Item JournalCode JournalEntry Payment PaymentMethod Preferences Purchase PurchaseOrder RecurringTransaction"
    " RefundReceipt ReimburseCharge SalesReceipt TaxAgency TaxCode TaxRate Term TimeActivity Transfer Vendor"
    " VendorCredit"
)
_NAMES = {name.lower(): name for name in _ENTITIES.split()} | {"currency": "CompanyCurrency"}
"""Intuit's names by the words in a body: CloudEvents have them in lower case, the older format calls one otherwise."""

_OPERATIONS = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "merge": "merged",
    "void": "void",
    "emailed": "emailed",
}
"""The words of CloudEvents by those of the older format."""

_MAX_REALM_LENGTH = 64
_MAX_TEXT_LENGTH = 200


class NotificationError(ValueError):
    """The body of a notification cannot be read; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One change of one record.

    Attributes:
        realm_id: The company.
        entity: Intuit's name of the entity, `Invoice`; as it was sent if it is unknown.
        id: The record's Id.
        operation: `created`, `updated`, `deleted`, `merged`, `void` or `emailed`; as it was sent if it is unknown.
        time: When it happened, to the second; None if the body does not say.
        deleted_id: Of a merge: the Id of the record that is gone.
    """

    realm_id: str
    entity: str
    id: str
    operation: str
    time: datetime | None = None
    deleted_id: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Return the notice as plain JSON, as the hook `vantage_changes` has it."""
        return {
            "realmId": self.realm_id,
            "entity": self.entity,
            "id": self.id,
            "operation": self.operation,
            "time": None if self.time is None else self.time.isoformat().replace("+00:00", "Z"),
            "deletedId": self.deleted_id,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the notice of `to_dict`."""
        time = data["time"]
        return cls(
            data["realmId"],
            data["entity"],
            data["id"],
            data["operation"],
            None if time is None else datetime.fromisoformat(time),
            data["deletedId"],
        )


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a body that cannot be read.

    Attributes:
        part: The part, as JSON that was parsed.
        reason: Why, without anything of it.
    """

    part: Any
    reason: str


@dataclass(frozen=True, slots=True)
class Notification:
    """What a body contains.

    Attributes:
        notices: The notices by company, merged: see `merge`.
        damaged: The parts that cannot be read.
    """

    notices: dict[str, list[Notice]]
    damaged: tuple[Damage, ...]


def parse(body: bytes) -> dict[str, list[Notice]]:
    """Parse the body of a notification, in either format.

    Args:
        body: The body; verify its signature first.

    Returns:
        The notices by company, merged: see `merge`.

    Raises:
        NotificationError: It is not a notification, or a part of it is damaged.
    """
    found = read(body)
    if found.damaged:
        raise NotificationError(found.damaged[0].reason)
    return found.notices


def read(body: bytes) -> Notification:
    """Read what can be read of a notification, in either format.

    Args:
        body: The body; verify its signature first.

    Raises:
        NotificationError: It is not a notification.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise NotificationError("The body of the notification is not JSON.") from None
    if isinstance(data, list):
        found = [_try(event, _cloud_notice, event, number) for number, event in enumerate(data)]
    elif isinstance(data, dict) and "specversion" in data:  # CloudEvents' structured mode has a single event
        found = [_try(data, _cloud_notice, data, 0)]
    elif isinstance(data, dict) and "eventNotifications" in data:
        found = list(_legacy_notices(data["eventNotifications"]))
    else:
        raise NotificationError(
            "The body of the notification is neither a list of CloudEvents nor an object with eventNotifications."
        )
    notices = group(one for one in found if isinstance(one, Notice))
    return Notification(notices, tuple(one for one in found if isinstance(one, Damage)))


def group(notices: Iterable[Notice]) -> dict[str, list[Notice]]:
    """Group notices by company, and merge those of each."""
    by_realm: dict[str, list[Notice]] = {}
    for notice in notices:
        by_realm.setdefault(notice.realm_id, []).append(notice)
    return {realm: merge(found) for realm, found in by_realm.items()}


def merge(notices: Iterable[Notice]) -> list[Notice]:
    """Return notices without repetitions, sorted by time.

    Of those that differ in nothing but their time, the latest remains.
    """
    latest: dict[tuple[str | None, ...], Notice] = {}
    for notice in notices:
        key = (notice.realm_id, notice.entity, notice.id, notice.operation, notice.deleted_id)
        known = latest.get(key)
        if known is None or _moment(known) < _moment(notice):
            latest[key] = notice
    return sorted(latest.values(), key=_order)


_NEVER = datetime.min.replace(tzinfo=UTC)


def _moment(notice: Notice) -> datetime:
    return notice.time or _NEVER


def _order(notice: Notice) -> tuple[datetime, str, str, str, str]:
    return _moment(notice), notice.entity, notice.id, notice.operation, notice.deleted_id or ""


# ---- the two formats -------------------------------------------------------------------------------------------------


def _try(part: Any, reader: Callable[..., T], *args: Any) -> T | Damage:
    """Return what a function reads of a part; the damage if it cannot be read."""
    try:
        return reader(*args)
    except NotificationError as error:
        return Damage(part, str(error))


def _cloud_notice(event: Any, number: int) -> Notice:
    where = f"event {number + 1}"
    type_ = _text(event, "type", where)
    parts = type_.split(".")  # qbo.<entity>.<operation>.v1
    if len(parts) >= 3 and parts[0] == "qbo":
        entity, operation = _NAMES.get(parts[1], parts[1]), parts[2]
    else:
        entity, operation = type_, "unknown"
    data = event.get("data")
    return Notice(
        _realm(event, "intuitaccountid", where),
        entity,
        _text(event, "intuitentityid", where),
        operation,
        _time(event.get("time"), where),
        _deleted_id(data, where) if isinstance(data, dict) else None,
    )


def _legacy_notices(notifications: Any) -> Iterable[Notice | Damage]:
    for number, notification in enumerate(_list(notifications, "eventNotifications")):
        where = f"notification {number + 1}"
        head = _try(notification, _legacy_head, notification, where)
        if isinstance(head, Damage):
            yield head
            continue
        realm, entities = head
        for index, item in enumerate(entities):
            part = {"realmId": realm, "dataChangeEvent": {"entities": [item]}}
            yield _try(part, _legacy_notice, realm, item, f"entity {index + 1} of {where}")


def _legacy_head(notification: Any, where: str) -> tuple[str, list[Any]]:
    realm = _realm(notification, "realmId", where)
    event = notification.get("dataChangeEvent")
    if not isinstance(event, dict):
        raise NotificationError(f"The body of the notification is damaged: {where} has no dataChangeEvent.")
    return realm, _list(event.get("entities"), f"entities of {where}")


def _legacy_notice(realm: str, item: Any, where: str) -> Notice:
    name, operation = _text(item, "name", where), _text(item, "operation", where)
    return Notice(
        realm,
        _NAMES.get(name.lower(), name),
        _text(item, "id", where),
        _OPERATIONS.get(operation.lower(), operation),
        _time(item.get("lastUpdated"), where),
        _deleted_id(item, where),
    )


def _deleted_id(item: Mapping[str, Any], where: str) -> str | None:
    """Return the Id of a merged record; Intuit's pages spell it deletedId and deletedID."""
    name = next((name for name in ("deletedId", "deletedID") if item.get(name)), None)
    return None if name is None else _text(item, name, where)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise NotificationError(f"The body of the notification is damaged: {where} is not a list.")
    return value


def _realm(item: Any, name: str, where: str) -> str:
    realm = _text(item, name, where)
    if len(realm) > _MAX_REALM_LENGTH or not (realm.isascii() and realm.isprintable()):
        raise NotificationError(f"The body of the notification is damaged: {name} of {where} is not a company.")
    return realm


def _text(item: Any, name: str, where: str) -> str:
    if not isinstance(item, dict):
        raise NotificationError(f"The body of the notification is damaged: {where} is not an object.")
    value = item.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**20 else None
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT_LENGTH:
        raise NotificationError(f"The body of the notification is damaged: {where} has no {name}.")
    return value


def _time(value: Any, where: str) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise NotificationError(
            f"The body of the notification is damaged: {where} has a time that is not one."
        ) from None
