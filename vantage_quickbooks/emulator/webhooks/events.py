"""What a notification says: the entities that have events, and both formats of the body.

Source: https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks;
https://blogs.intuit.com/2025/11/12/upcoming-change-to-webhooks-payload-structure (CloudEvents).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from vantage_quickbooks.emulator.json_text import compact

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

# Entities with events, with the name that the older format has for them. Source: each entity's page; ChangeOrder and
# CompanyCurrency: the CloudEvents blog.
_ENTITIES = (
    "Account Bill BillPayment Budget ChangeOrder Class CompanyCurrency CreditMemo Customer Department Deposit Employee"
    " Estimate Invoice Item JournalCode JournalEntry Payment PaymentMethod Preferences Purchase PurchaseOrder"
    " RefundReceipt SalesReceipt TaxAgency Term TimeActivity Transfer Vendor VendorCredit"
)
NAMES: dict[str, str] = {name: name for name in _ENTITIES.split()} | {"CompanyCurrency": "Currency"}
_ONLY_UPDATE = frozenset({"Preferences"})
OPERATIONS: dict[str, str] = {
    "Create": "created",
    "Update": "updated",
    "Delete": "deleted",
    "Merge": "merged",
    "Void": "void",
    "Emailed": "emailed",
}
"""The words of the older format, and those of CloudEvents."""


class Event(NamedTuple):
    """A change of one record.

    Attributes:
        realm: The company.
        entity: The record's entity.
        id: The record's Id.
        operation: One of `OPERATIONS`.
        time: Epoch seconds.
        deleted_id: Of a merge: the Id of the record that is gone; "" otherwise.
    """

    realm: str
    entity: str
    id: str
    operation: str
    time: float
    deleted_id: str = ""

    def has_notification(self) -> bool:
        """Return whether QuickBooks notifies of such a change."""
        known = self.entity in NAMES and self.operation in OPERATIONS
        return known and (self.operation == "Update" or self.entity not in _ONLY_UPDATE)


def merge(events: Iterable[Event]) -> list[Event]:
    """Merge the events of a window: of equal ones only the last remains, at the place of the first."""
    merged: dict[tuple[str, ...], Event] = {}
    for event in events:
        merged[event.realm, event.entity, event.id, event.operation, event.deleted_id] = event
    return list(merged.values())


def legacy_body(events: Sequence[Event]) -> bytes:
    """Write the format in use until July 2026: `{"eventNotifications": [...]}`, one item a realm."""
    by_realm: dict[str, list[dict[str, str]]] = {}
    for event in events:
        moment = datetime.fromtimestamp(int(event.time), UTC)
        item = {
            "name": NAMES[event.entity],
            "id": event.id,
            "operation": event.operation,
            "lastUpdated": moment.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        by_realm.setdefault(event.realm, []).append(item | _deleted(event))
    notices = [{"realmId": realm, "dataChangeEvent": {"entities": items}} for realm, items in by_realm.items()]
    return compact({"eventNotifications": notices}).encode()


def _deleted(event: Event) -> dict[str, str]:
    return {"deletedID": event.deleted_id} if event.deleted_id else {}


def cloud_body(events: Sequence[Event], client_id: str, generator: random.Random) -> bytes:
    """Write an array of CloudEvents.

    Args:
        events: One item each.
        client_id: The app's; the source is a hash of it.
        generator: Decides the ids.
    """
    source = base64.b64encode(hashlib.sha256(client_id.encode()).digest()).decode()
    items: list[dict[str, Any]] = [
        {
            "specversion": "1.0",
            "id": str(uuid.UUID(int=generator.getrandbits(128), version=4)),
            "source": f"intuit.{source}",
            "type": f"qbo.{event.entity.lower()}.{OPERATIONS[event.operation]}.v1",
            "datacontenttype": "application/json",
            "time": datetime.fromtimestamp(int(event.time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "intuitentityid": event.id,
            "intuitaccountid": event.realm,
            "data": {"deletedId": event.deleted_id} if event.deleted_id else {},
        }
        for event in events
    ]
    return compact(items).encode()


def sign(body: bytes, verifier_token: str) -> str:
    """Return `intuit-signature`: the base64 of the HMAC-SHA256 of the body with the verifier token."""
    return base64.b64encode(hmac.digest(verifier_token.encode(), body, "sha256")).decode()
