"""How long customers take to pay: the invoices that were paid in full in a period, each with its days to payment.

An invoice does not say when it was paid. The payments of the period name the invoices that they are applied to
(`Line.LinkedTxn`); those that have no balance now were paid on the day of the last of these payments.

Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/payment.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.descriptions import LIST_PAID_INVOICES
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.core import query
from vantage_quickbooks.sync.list_request import ListRequest
from vantage_quickbooks.sync.page import metadata, read_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

__all__ = ["ListPaidInvoices", "averages", "last_payments", "paid_invoice"]

DEFAULT_DAYS = 90
"""Length of the period if the input has no first day."""

_TENTH = Decimal("0.1")


def last_payments(payments: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the day of the last payment of each invoice, by Id.

    Args:
        payments: Payments as QuickBooks sent them.
    """
    last: dict[str, str] = {}
    for payment in payments:
        day = str(payment.get("TxnDate") or "")
        for line in payment.get("Line") or ():
            for linked in line.get("LinkedTxn") or ():
                if linked.get("TxnType") == "Invoice" and day:
                    id_ = str(linked.get("TxnId"))
                    last[id_] = max(last.get(id_, day), day)
    return last


def paid_invoice(invoice: Mapping[str, Any], paid_on: str) -> dict[str, Any] | None:
    """Return an invoice as a row of the result; None if it is not paid in full, or has no amount or date.

    Args:
        invoice: The invoice as QuickBooks sent it.
        paid_on: The day of its last payment.
    """
    dated = invoice.get("TxnDate")
    if not dated or invoice.get("Balance") != 0 or not invoice.get("TotalAmt"):
        return None
    customer: Mapping[str, Any] = invoice.get("CustomerRef") or {}
    days = (date.fromisoformat(paid_on) - date.fromisoformat(dated)).days
    return {
        "Id": invoice["Id"],
        "DocNumber": invoice.get("DocNumber"),
        "customerId": customer.get("value"),
        "customerName": customer.get("name"),
        "TxnDate": dated,
        "paidDate": paid_on,
        "daysToPay": max(0, days),  # paid in advance
        "TotalAmt": invoice["TotalAmt"],
        "currency": (invoice.get("CurrencyRef") or {}).get("value"),
    }


def averages(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the number of invoices and their mean days to pay, one entry for each currency."""
    days: dict[str | None, list[int]] = defaultdict(list)
    for row in rows:
        days[row["currency"]].append(row["daysToPay"])
    return [
        {
            "currency": currency,
            "invoices": len(found),
            "averageDaysToPay": float((Decimal(sum(found)) / len(found)).quantize(_TENTH, ROUND_HALF_UP)),
        }
        for currency, found in sorted(days.items(), key=lambda item: item[0] or "")
    ]


class ListPaidInvoices:
    """Implements `handler.Handler`."""

    action = LIST_PAID_INVOICES

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> dict[str, Any]:
        """Return the invoices that were paid in a period.

        Args:
            client: Sends the requests.
            data: `paid_date_from`, `paid_date_to`, `max_api_calls`.
            call: The call.
            row_limit: The host's cap on rows; averages are of all of them.

        Raises:
            IncompleteReadError: The payments cannot be read in full, or need more API calls than `max_api_calls`.
            ConnectorError: See `QuickBooksClient.request`.
        """
        first = data.get("paid_date_from") or (call.now().date() - timedelta(days=DEFAULT_DAYS - 1)).isoformat()
        paid = last_payments(_payments(client, call, data, first, data.get("paid_date_to")))
        rows = []
        ids = sorted(paid)
        for start in range(0, len(ids), query.MAX_PAGE):
            is_paid = query.is_one_of("Id", ids[start : start + query.MAX_PAGE])
            statement = query.Select("Invoice", (is_paid,), max_results=query.MAX_PAGE)
            found = (paid_invoice(it, paid[it["Id"]]) for it in read_page(client, statement, call).records)
            rows += [row for row in found if row is not None]
        rows.sort(key=lambda row: (row["paidDate"], int(row["Id"])), reverse=True)
        shown = rows[:row_limit]
        return {
            "invoices": shown,
            "count": len(shown),
            "averages": averages(rows),
            "metadata": metadata(client, call, paidFrom=first, mayHaveMore=len(shown) < len(rows)),
        }


def _payments(
    client: QuickBooksClient, call: CallContext, data: Mapping[str, Any], first: str, last: str | None
) -> Iterable[dict[str, Any]]:
    """Return every payment of the period, verified complete."""
    from vantage_quickbooks.sync.list_read import read_pages  # noqa: PLC0415 -- it imports the HTTP client

    resource = next(row for row in RESOURCES if row.entity == "Payment")
    wanted = {"txn_date_from": first, "all": True} | ({"txn_date_to": last} if last else {})
    limit = {name: data[name] for name in ("max_api_calls",) if data.get(name)}
    request = replace(ListRequest.parse(wanted | limit, resource, now=call.now()), may_sync=False)
    for page in read_pages(request, client, call, lambda rows, *_: rows):
        yield from page
