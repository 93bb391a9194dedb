"""Statuses that follow from other properties of a record: what each means, and how it is computed and searched for.

A function of this module, or of `invoices`, computes a status; `Status` says the rest as data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.invoices import (
    STATUSES,
    bill_payment,
    invoice_payment,
    may_be_voided,
    payment_prefilter,
)
from vantage_quickbooks.catalog.resource import FlatField, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

__all__ = ["BILL_PAYMENT", "ESTIMATE", "INVOICE_PAYMENT", "PURCHASE_ORDER", "summary_defs"]

_PAYMENT_VALUES = {
    "paid": {"label": "paid", "tone": "good"},
    "partiallyPaid": {"label": "partly paid", "tone": "notice"},
    "open": {"label": "open", "tone": "info"},
    "overdue": {"label": "overdue", "tone": "bad"},
    "voided": {"label": "voided", "tone": "muted"},
}
_DAYS_OVERDUE = FlatField(
    "daysOverdue",
    (),
    "integer",
    "Days since the due date if something is outstanding after it; otherwise 0.",
    minimum=0,
    is_required=True,
)

_PAYMENT_READS = ("TotalAmt", "Balance", "DueDate")

INVOICE_PAYMENT = Status(
    field="paymentStatus",
    values=_PAYMENT_VALUES,
    compute=invoice_payment,
    prefilter=payment_prefilter,
    fields=(
        FlatField("paymentStatus", (), "text", "Payment status, by the company's date.", STATUSES, is_required=True),
        _DAYS_OVERDUE,
    ),
    description="Only invoices with this payment status, by the company's date.",
    reads=(*_PAYMENT_READS, "PrivateNote"),
    reads_more=may_be_voided,
)

BILL_PAYMENT = Status(
    field="paymentStatus",
    values={status: label for status, label in _PAYMENT_VALUES.items() if status != "voided"},
    compute=bill_payment,
    prefilter=payment_prefilter,
    fields=(
        FlatField(
            "paymentStatus", (), "text", "Payment status, by the company's date.", STATUSES[:-1], is_required=True
        ),
        _DAYS_OVERDUE,
    ),
    description="Only bills with this payment status, by the company's date.",
    reads=_PAYMENT_READS,
)


def _estimate_status(estimate: Mapping[str, Any], today: date) -> dict[str, Any]:
    status = _known(estimate.get("TxnStatus"), ESTIMATE)
    expires = estimate.get("ExpirationDate")
    is_past = isinstance(expires, str) and expires < today.isoformat()
    return {"estimateStatus": status, "isExpired": status == "pending" and is_past}


def _purchase_order_status(order: Mapping[str, Any], _today: date) -> dict[str, Any]:
    return {"orderStatus": _known(order.get("POStatus"), PURCHASE_ORDER)}


def _known(value: Any, status: Status) -> str | None:
    """Return Intuit's word as one of the status's values; None for a word that is not among them."""
    word = value.lower() if isinstance(value, str) else None
    return word if word in status.values else None


def _not_queryable(_status: str, _utc_today: date) -> tuple[str, ...]:
    """Return no conditions: QuickBooks refuses to filter by this property, so the connector filters."""
    return ()


ESTIMATE = Status(
    field="estimateStatus",
    values={
        "pending": {"label": "pending", "tone": "info"},
        "accepted": {"label": "accepted", "tone": "good"},
        "closed": {"label": "closed", "tone": "muted"},
        "rejected": {"label": "rejected", "tone": "bad"},
    },
    compute=_estimate_status,
    prefilter=_not_queryable,
    fields=(
        FlatField(
            "estimateStatus",
            (),
            "text",
            "Status that the user gave it (TxnStatus); null if QuickBooks sends another one.",
            values=("pending", "accepted", "closed", "rejected"),
        ),
        FlatField("isExpired", (), "boolean", "Whether it is pending after its expiration date.", is_required=True),
    ),
    description="Only estimates with this status.",
    reads=("TxnStatus", "ExpirationDate"),
)

PURCHASE_ORDER = Status(
    field="orderStatus",
    values={"open": {"label": "open", "tone": "info"}, "closed": {"label": "closed", "tone": "muted"}},
    compute=_purchase_order_status,
    prefilter=_not_queryable,
    fields=(
        FlatField(
            "orderStatus",
            (),
            "text",
            "Whether items are still to come (POStatus); null if QuickBooks does not say.",
            values=("open", "closed"),
        ),
    ),
    description="Only purchase orders with this status.",
    reads=("POStatus",),
)


def summary_defs(status: Status, plural: str) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of a summary by payment status (`invoices.summarize`), and what it refers to.

    Args:
        status: The payment status of the records.
        plural: What a person calls the records, `invoices`.
    """
    sums: dict[str, Any] = {
        "count": {"description": f"{plural.capitalize()} counted here.", "type": "integer", "minimum": 0},
        "total": {"$ref": "#/$defs/money", "description": "Sum of TotalAmt."},
        "outstanding": {"$ref": "#/$defs/money", "description": "Sum of Balance."},
    }
    currency = {"description": "ISO 4217 code; null where the company does not say.", "type": ["string", "null"]}
    by_status = {"type": "array", "items": {"$ref": "#/$defs/statusSums"}}
    scope = {"description": "What was summed: this page, or all that match.", "type": "string", "enum": ["page", "all"]}
    by_currency = {"type": "array", "items": {"$ref": "#/$defs/currencySums"}}
    return {
        "money": {
            "description": "An exact decimal as text, never a rounded double.",
            "type": "string",
            "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$",
            "examples": ["1234.50"],
        },
        "statusSums": _closed({"status": {"type": "string", "enum": [*status.values]}, **sums}),
        "currencySums": _closed({"currency": currency, **sums, "byStatus": by_status}),
        "summary": {
            "description": "Counts and exact sums, one entry a currency; "
            "amounts of different currencies are never added.",
            **_closed({"scope": scope, "byCurrency": by_currency}),
        },
    }


def _closed(members: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has these members, all of them and no others."""
    return {"type": "object", "properties": members, "required": [*members], "additionalProperties": False}
